"""Measures: one row a ticket, written again with each change; read in one pass over a period."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtickets.desk.service_level import Measure
from mailtickets.desk.ticket import Change, Status, Ticket
from mailtickets.store import Store
from mailtickets.store.measures import CLASSES, LEFT, MARKS, OPENED, Selection, left_at, row_of
from tests.support.desk import START

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOTHING = Measure(None, None, None, None, None, None, None, None, False, None, 0, 0, 0, None)


@pytest.fixture
def store(tmp_path):
    made = Store.open(tmp_path / "desk.db", START)
    yield made
    made.close()


def ticket(number=1001, **more):
    fields = {"priority": "P2", "type": "incident", "organisation": "acme", "assignee": "kim", **more}
    return Ticket(number, "SUP", "support", "Printer", "ana@customer.example", START, START, **fields)


def put(store, one, measure=NOTHING):
    with store.transaction():
        if store.tickets.get(one.number) is None:
            store.tickets.write(Change(one, is_new=True), None)
        store.measures.put(one, measure)


def classes(store):
    return store._connection.execute("SELECT count(*) FROM measure_class").fetchone()[0]


def test_a_row_reads_back_as_it_was_written(store):
    """Times and spans to the microsecond, flags as 1, 0 and nothing."""
    odd = timedelta(hours=1, microseconds=1)
    measure = Measure(
        START + odd, odd, START + 2 * HOUR, True, START + DAY, DAY, START + 2 * HOUR, False,
        False, START + 3 * HOUR, 2, 1, 3, START + 2 * DAY,
    )  # fmt: skip
    one = ticket(status=Status.CLOSED, automatic=True)
    put(store, one, measure)
    row = store.measures.row(1001)
    assert row == row_of(one, measure)
    assert row.first_response_used == 3_600_000_001
    assert (row.first_response_kept, row.resolution_kept, row.automatic, row.interim) == (1, 0, 1, 0)
    assert (row.queue, row.organisation, row.assignee) == ("support", "acme", "kim")
    assert store.measures.row(1002) is None


def test_a_row_is_replaced_when_something_happens(store):
    """A ticket is counted once, under what it is now."""
    put(store, ticket())
    put(store, replace(ticket(), queue="billing", assignee=""), replace(NOTHING, reopened=1))
    assert store._connection.execute("SELECT count(*) FROM measure").fetchone() == (1,)
    row = store.measures.row(1001)
    assert (row.queue, row.assignee, row.reopened) == ("billing", "", 1)


def test_a_combination_is_named_once(store):
    """A million tickets of one kind share one line of words."""
    for number in range(1001, 1011):
        put(store, ticket(number))
    put(store, ticket(1011, priority="P1"))
    assert classes(store) == 2
    assert store.measures.words("priority") == ["P1", "P2"]
    assert list(store.measures.classes("agent")) == [(1, "kim"), (2, "kim")]


def test_a_row_is_undone_with_its_transaction(store):
    """With the words that it brought."""

    def half_done():
        with store.transaction():
            store.tickets.write(Change(ticket(), is_new=True), None)
            store.measures.put(ticket(), NOTHING)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_done()
    assert store.measures.row(1001) is None
    assert classes(store) == 0


def test_tickets_without_a_row_are_told(store):
    """Those of an older version are not passed over in silence."""
    with store.transaction():
        store.tickets.write(Change(ticket(1001), is_new=True), None)
    put(store, ticket(1002))
    assert store.measures.uncounted() == 1


@pytest.mark.parametrize(
    ("status", "measure", "left"),
    [
        (Status.OPEN, NOTHING, None),
        (Status.WAITING, replace(NOTHING, resolved_at=START + HOUR, interim=True), None),
        (Status.RESOLVED, replace(NOTHING, resolved_at=START + HOUR), START + HOUR),
        (Status.CLOSED, replace(NOTHING, resolved_at=START + HOUR, closed_at=START + DAY), START + HOUR),
        (Status.CLOSED, replace(NOTHING, closed_at=START + DAY), START + DAY),
        (
            Status.CLOSED,
            replace(NOTHING, resolved_at=START + HOUR, interim=True, closed_at=START + DAY),
            START + DAY,
        ),
        (Status.RESOLVED, replace(NOTHING, resolved_at=START + HOUR, interim=True), START + 2 * HOUR),
        (Status.RESOLVED, NOTHING, START + 2 * HOUR),
    ],
)
def test_a_ticket_is_in_the_backlog_while_somebody_is_expected_to_act(status, measure, left):
    """A workaround ends the clock and leaves the ticket there; a desk whose clock ends at closing is not misled."""
    silent = START + 2 * HOUR if status is Status.RESOLVED else None
    assert left_at(ticket(status=status, silent_since=silent), measure) == left


def test_a_period_holds_its_first_moment_and_not_its_last(store):
    """A ticket of midnight belongs to one day."""
    put(store, ticket(status=Status.CLOSED), replace(NOTHING, resolved_at=START + DAY, closed_at=START + DAY))

    def marks(start, end):
        found = store.measures.tallied(Selection(start, end, START + 9 * DAY))
        return [key & (OPENED | LEFT) for key in found.keys]

    assert marks(START, START + DAY) == [OPENED]
    assert marks(START + DAY, START + 2 * DAY) == [LEFT]
    assert marks(START - DAY, START) == []
    assert marks(START, START + DAY + timedelta(microseconds=1)) == [OPENED | LEFT]


def test_numbers_are_packed_without_touching_each_other(store):
    """Class, marks and seconds come back whole: SQLite binds << and | alike, so brackets matter."""
    for number in range(1001, 1004):
        put(store, ticket(number, assignee=f"agent{number}"))
    measure = replace(
        NOTHING, first_response_at=START + HOUR, first_response_used=HOUR, resolved_at=START + DAY, resolution_used=DAY,
        updates_kept=3, updates_missed=2,
    )  # fmt: skip
    put(store, ticket(1003, assignee="agent1003", status=Status.RESOLVED), measure)
    found = store.measures.tallied(Selection(START, START + 9 * DAY, START + 9 * DAY))
    assert [key >> MARKS for key in found.keys] == [1, 2, 3]
    assert list(found.response_used) == [-1, -1, 3600 << CLASSES | 3]
    assert list(found.resolution_used) == [-1, -1, 86400 << CLASSES | 3]
    assert found.updates[2] == 3 << 32 | 3 << 16 | 2
    quarter = 15 * 60
    assert found.opened[2] == START.timestamp() // quarter
    assert list(found.left) == [-1, -1, (START + DAY).timestamp() // quarter]


def test_a_report_sees_one_state_of_the_store(store):
    """What the desk writes meanwhile is in the next report; and reading blocks no writing."""
    put(store, ticket(1001))
    reader = Store.read(store.path)
    selection = Selection(START, START + DAY, START + DAY)
    with reader.measures.snapshot():
        assert len(reader.measures.tallied(selection).keys) == 1
        put(store, ticket(1002))
        assert len(reader.measures.tallied(selection).keys) == 1
    assert len(reader.measures.tallied(selection).keys) == 2
    reader.close()
