"""Ten thousand simulated tickets: what reports count is what the history says, row by row and in sum."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailtickets.desk import silence
from mailtickets.desk.agreement import ServiceLevel, Span, Targets
from mailtickets.desk.calendar import Calendar
from mailtickets.desk.facts import Facts, TicketFacts
from mailtickets.desk.keeping import counted, kept
from mailtickets.desk.ticket import Audience, Change, Decision, Entry, EntryKind, Status, Ticket
from mailtickets.store import Store
from mailtickets.store.measures import row_of
from tests.support.desk import POLICY, SUPPORT

pytestmark = pytest.mark.timeout(600)  # a minute of work, on a machine that may be busy
TICKETS = 10_000
START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
OFFICE = Calendar("office", "Europe/London", [((540, 750), (780, 1050))] * 5 + [(), ()])
HOUR = timedelta(hours=1)
LEVEL = ServiceLevel(
    "standard",
    {
        "P1": Targets(Span(plain=HOUR / 2), Span(plain=HOUR), Span(working=4 * HOUR)),
        "P2": Targets(Span(plain=2 * HOUR), Span(working=4 * HOUR), Span(working=15 * HOUR)),
        "P3": Targets(Span(working=8 * HOUR), None, Span(days=5)),
    },
)
DESK = replace(
    POLICY,
    queues={
        "support": replace(SUPPORT, calendar="office", service_level="standard"),
        "billing": replace(SUPPORT, name="billing", tag="BIL", service_level="standard"),
    },
    calendars={"office": OFFICE},
    service_levels={"standard": LEVEL},
)


def step(ticket: Ticket, now: datetime, chance: random.Random) -> tuple[Ticket, tuple[Entry, ...]]:
    """Let one thing happen to a ticket, as the desk writes it."""

    def entry(kind: EntryKind, reason: str = "", actor: str = "kim") -> Entry:
        return Entry(kind, now, actor, Audience.AGENTS, reason=reason)

    ticket = replace(ticket, updated_at=now)
    match chance.randrange(9):
        case 0 | 1 | 2:
            after = silence.begin_waiting(ticket, now)
            return after, (entry(EntryKind.MAIL_OUT), entry(EntryKind.STATUS, "waiting: answered"))
        case 3 | 4:
            after = silence.end_silence(ticket, Status.OPEN, now)
            entries: tuple[Entry, ...] = (entry(EntryKind.MAIL_IN, actor=ticket.requester),)
            if ticket.status is not Status.OPEN:
                entries += (entry(EntryKind.STATUS, "open: the customer replied", ticket.requester),)
            return after, entries
        case 5:
            after = silence.begin_resolved(ticket, now)
            return after, (entry(EntryKind.STATUS, "resolved: by command"),)
        case 6:
            after = silence.end_silence(ticket, Status.CLOSED, now)
            return after, (entry(EntryKind.STATUS, "closed: by command"),)
        case 7:
            priority = chance.choice(("P1", "P2", "P3"))
            return replace(ticket, priority=priority), (entry(EntryKind.PRIORITY, f"{priority}: set by kim"),)
        case _:
            return replace(ticket, workaround_at=now), (entry(EntryKind.WORKAROUND, "given"),)


def live(store: Store, number: int, chance: random.Random) -> None:
    """Write one ticket's life, every change as the line writes it."""
    now = START + timedelta(minutes=chance.randrange(60 * 24 * 90))
    queue = chance.choice(("support", "billing"))
    ticket = Ticket(
        number, "SUP", queue, "A request", f"user{number}@customer.example", now, now, language="en"
    )
    opened = Entry(EntryKind.MAIL_IN, now, ticket.requester, Audience.CUSTOMER)
    change = Change(ticket, (opened,), is_new=True)
    facts = Facts()
    for _ in range(chance.randrange(1, 7)):
        (done,) = kept(Decision(changes=(change,)), facts, DESK, now).changes
        assert done.measure is not None
        store.tickets.write(done, None)
        store.measures.put(done.ticket, done.measure)
        now += timedelta(minutes=chance.choice((1, 20, 90, 600, 3_000, 10_000)))
        read = store.tickets.get(number)
        assert read is not None
        facts = Facts(tickets={number: TicketFacts(read, history=store.tickets.history(number))})
        after, entries = step(read, now, chance)
        change = Change(after, entries)


def test_what_reports_count_is_what_the_history_says(tmp_path):
    """Each row, written step by step as things happened, equals the one computed from the whole history afterwards."""
    chance = random.Random(20261122)
    store = Store.open(tmp_path / "desk.db", START)
    try:
        for first in range(0, TICKETS, 500):
            with store.transaction():
                for number in range(1001 + first, 1501 + first):
                    live(store, number, chance)
        verdicts = {0: 0, 1: 0, None: 0}
        for number in range(1001, 1001 + TICKETS):
            ticket = store.tickets.get(number)
            assert ticket is not None
            measure, _ = counted(ticket, store.tickets.history(number), DESK, START)
            row = row_of(ticket, measure)
            assert store.measures.row(number) == row, number
            verdicts[row.first_response_kept] += 1
        assert min(verdicts.values()) > TICKETS / 20, (
            verdicts
        )  # the lives are varied enough to mean something
    finally:
        store.close()
