"""Stored mails read again: what a mended parser or changed rules would do, and that a mail's own traces do not count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailtickets.guard import Guard
from mailtickets.reading import Reading
from mailtickets.replaying import NEW, replay
from mailtickets.store import Store
from tests.support.desk import POLICY, SUPPORT, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.close()


def moved(desk):
    """What lands elsewhere, as (number, state, ticket); from a store that is open for reading only."""
    store, guard = Store.read(desk.store.path), Guard(desk.line.rules.reading)
    try:
        found = list(replay(store, desk.line.rules, guard, store.views.originals_after(0, limit=1000)))
    finally:
        guard.close()
        store.close()
    return [(one.mail.id, one.would, one.ticket, one.comes_back) for one in found if one.moved]


def life(desk):
    """A bit of everything a desk sees."""
    first = desk.mail("ana@customer.example", "It burns.", cc="bob@customer.example")
    desk.receives(first)
    desk.receives(first)  # a duplicate
    notice = desk.last("kim@desk.example")
    desk.now += timedelta(minutes=5)
    desk.answers(notice, "kim@desk.example", "#p2\nWater.\n")
    desk.answers(notice, "kim@desk.example", "Water.\n")  # the same words again
    desk.answers(notice, "lee@desk.example", "Sand.\n")  # with Kim's key: held
    desk.answers(desk.last("lee@desk.example", "held"), "lee@desk.example", "yes")
    answer = desk.last("ana@customer.example", "answer")
    desk.now += timedelta(hours=3)
    desk.answers(answer, "ana@customer.example", "It went out.")
    desk.machine(answer, "bob@customer.example")
    desk.bounces(answer, "bob@customer.example")
    desk.answers(answer, "eve@evil.example", "Let me in.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "#resolve\nGood.\n")
    desk.answers(desk.last("ana@customer.example"), "ana@customer.example", "Thank you!")
    desk.writes("ana@customer.example", "STATUS")
    desk.writes("new@other.example", "STATUS")
    desk.writes("support@desk.example", "I am you.")
    desk.receives(desk.last("kim@desk.example").raw)  # our own mail comes back


def test_under_the_same_rules_everything_stays(desk):
    """Neither its digest, its Message-ID, its entry nor what came after makes a mail land elsewhere."""
    life(desk)
    assert {state for state, _, _ in desk.copies()} == {"on_ticket", "ignored", "quarantined", "held"}
    assert moved(desk) == []
    desk.passes(timedelta(days=200))
    assert moved(desk) == []


def test_a_mended_parser_brings_a_poison_mail_back(desk, monkeypatch):
    """It is listed with where it would land; put back, it lands there."""
    read = Guard.read, Reading.read

    def broken(self, raw, *arguments, _read=read, **more):
        if b"POISON" in raw:
            raise ValueError("cannot read")
        return _read[isinstance(self, Reading)](self, raw, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Guard, "read", broken)
        patch.setattr(Reading, "read", broken)
        desk.writes("ana@customer.example", "POISON")
        desk.writes("bob@customer.example", "It burns.")
    assert desk.copies()[0][0] == "quarantined"
    assert moved(desk) == [(1, "on_ticket", NEW, True)]
    with desk.store.transaction():
        assert desk.store.ledger.put_back(1, "quarantined")
        assert not desk.store.ledger.put_back(2, "quarantined")
    desk.run()
    assert desk.copies()[0][0] == "on_ticket"
    assert moved(desk) == []


def test_a_mail_on_a_ticket_is_listed_and_never_comes_back(desk):
    """Today's rules would refuse it; it stays where it is."""
    desk.writes("ana@customer.example", "It burns.")
    desk.use(replace(POLICY, queues={"support": replace(SUPPORT, aliases=("ana@customer.example",))}))
    assert moved(desk) == [(1, "quarantined", None, False)]


def test_what_a_person_said_about_a_mail_stands(desk):
    """Dropped by the admin, let in by the admin: no rule of today changes that."""
    desk.writes("support@desk.example", "I am you.")
    desk.writes("support@desk.example", "I am you, too.")
    with desk.store.transaction():
        assert desk.store.ledger.drop(1)
        assert desk.store.ledger.release(2)
    desk.run()
    assert [state for state, _, _ in desk.copies()] == ["ignored", "on_ticket"]
    assert moved(desk) == []


def test_repeats_stay_where_they_were_filed(desk):
    """Which ticket was the last one hung on that hour; nothing is moved by looking again."""
    for _ in range(4):
        desk.writes("ana@customer.example", "Where is my order?", subject="Order")
    desk.answers(desk.last("kim@desk.example", "agent_new"), "kim@desk.example", "#close\nIt is there.\n")
    assert [ticket for _, _, ticket in desk.copies()] == [1001, 1002, 1002, 1002, 1002]
    desk.now += timedelta(days=2)
    assert moved(desk) == []
