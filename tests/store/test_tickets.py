"""Tickets: conditional writes, numbers never reused, append-only history, timers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtickets.desk.ticket import (
    Audience,
    Change,
    Entry,
    EntryKind,
    Person,
    Role,
    Status,
    Ticket,
    Timer,
    TimerKind,
)
from mailtickets.store import Store
from mailtickets.store.tickets import StaleTicket
from mailtickets.store.times import from_us, to_us
from tests.support.desk import START

HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path):
    made = Store.open(tmp_path / "desk.db", START)
    yield made
    made.close()


def entry(text, kind=EntryKind.MAIL_IN):
    return Entry(
        kind,
        START,
        "ana@customer.example",
        Audience.CUSTOMER,
        text=text,
        subject="Printer",
        message_id=f"<{text}@x>",
    )


def opened(store, number=1001):
    ticket = Ticket(number, "SUP", "support", "Printer", "ana@customer.example", START, START,
                    people=(Person("ana@customer.example", "Ana", Role.REQUESTER),))  # fmt: skip
    with store.transaction():
        store.tickets.write(Change(ticket, (entry("one"),), is_new=True, ids=("<one@x>",)), None)
    return store.tickets.get(number)


def test_a_ticket_reads_back_as_it_was_written(store):
    """Times to the microsecond, people with their roles."""
    ticket = opened(store)
    odd = START + timedelta(microseconds=123_457)
    changed = replace(ticket, status=Status.WAITING, silent_since=odd, silent_base=odd, silent_step=1, first_wait=3600.0, cycle=3,
                      assignee="kim", people=(*ticket.people, Person("bob@b.example", "", Role.OUTSIDE)))  # fmt: skip
    with store.transaction():
        store.tickets.write(Change(changed), None)
    assert store.tickets.get(1001) == replace(changed, version=2, people=store.tickets.get(1001).people)
    assert set(store.tickets.get(1001).people) == set(changed.people)


def test_a_stale_ticket_is_not_written(store):
    """Two decisions on the same state: the second is told, and nothing of it is in the store."""
    ticket = opened(store)
    with store.transaction():
        store.tickets.write(Change(replace(ticket, assignee="kim"), (entry("two"),)), None)
    with pytest.raises(StaleTicket), store.transaction():
        store.tickets.write(Change(replace(ticket, assignee="lee"), (entry("three"),)), None)
    assert store.tickets.get(1001).assignee == "kim"
    assert [e.text for e in store.views.entries(1001)] == ["one", "two"]


def test_numbers_are_never_reused(store):
    """Also where the newest ticket is gone."""
    opened(store, store.tickets.next_number())
    assert store.tickets.next_number() == 1002
    store._connection.execute("DELETE FROM participant")
    store._connection.execute("DELETE FROM entry")
    store._connection.execute("DELETE FROM ticket")
    assert store.tickets.next_number() == 1002


def test_entries_are_numbered_without_gaps_and_found_by_their_words(store):
    """Also those added by the outbox; a search finds what people wrote, without accents or case."""
    ticket = opened(store)
    with store.transaction():
        store.tickets.write(
            Change(ticket, (entry("Caf\u00e9 burns"), entry("desk words", EntryKind.STATUS))), None
        )
        store.tickets.note(1001, entry("late", EntryKind.FAILED))
    assert [e.seq for e in store.views.entries(1001)] == [1, 2, 3, 4]
    assert [t.number for t in store.views.search("cafe BURNS")] == [1001]
    assert store.views.search("desk") == []
    assert store.views.search('"; DROP TABLE ticket; --') == []


def test_a_merged_number_leads_to_its_target(store):
    """For ever, and a ring of merges ends."""
    opened(store, 1001)
    opened(store, 1002)
    store._connection.execute("UPDATE ticket SET merged_into = 1002 WHERE number = 1001")
    assert store.tickets.get(1001).number == 1002
    store._connection.execute("UPDATE ticket SET merged_into = 1001 WHERE number = 1002")
    store.tickets.get(1001)


def test_timers_are_due_in_order(store):
    """The longest due first; of those due together the oldest ticket's; each kind and cycle once."""
    for number in (1001, 1002, 1003):
        opened(store, number)
    with store.transaction():
        store.tickets.set_timer(1003, Timer(TimerKind.ACKNOWLEDGE, START))
        store.tickets.set_timer(1001, Timer(TimerKind.ACKNOWLEDGE, START))
        store.tickets.set_timer(1002, Timer(TimerKind.SILENCE, START - HOUR, 1))
        store.tickets.set_timer(1002, Timer(TimerKind.SILENCE, START - 2 * HOUR, 1))
        store.tickets.set_timer(1002, Timer(TimerKind.SILENCE, START + HOUR, 2))
    assert [(number, timer.cycle) for number, timer in store.tickets.due(START)] == [
        (1002, 1),
        (1001, 0),
        (1003, 0),
    ]
    assert store.tickets.next_due() == START - 2 * HOUR


def test_times_are_exact():
    """Microseconds in UTC, there and back, far before and after."""
    for moment in (START, START + timedelta(microseconds=1), from_us(-1), from_us(253_402_300_799_999_999)):
        assert from_us(to_us(moment)) == moment
