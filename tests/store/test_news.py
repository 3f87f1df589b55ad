"""The lists of news: one line for each person and ticket, the longest waiting first, and right after a wrong clock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailtickets.desk.facts import Evidence
from mailtickets.desk.policy import Limits
from mailtickets.store.facts import Question
from tests.support.desk import START, SUPPORT, Desk

MINUTE = timedelta(minutes=1)
KIM, LEE = "kim@desk.example", "lee@desk.example"


@pytest.fixture
def store(tmp_path):
    """A store with two tickets."""
    desk = Desk(tmp_path)
    for name in ("ana", "ben"):
        desk.writes(f"{name}@customer.example", f"I am {name}.")
    yield desk.store
    desk.close()


def add(store, address, ticket, at=START, due=START + 10 * MINUTE, *, is_new=False):
    with store.transaction():
        store.news.add(address, address.partition("@")[0], ticket, at, due, is_new=is_new)


def test_one_line_for_each_person_and_ticket(store):
    """Further news of a ticket only count; it stays new, and is due when it first was."""
    add(store, KIM, 1002, START + MINUTE, is_new=True)
    add(store, KIM, 1001, START)
    add(store, KIM, 1002, START + 2 * MINUTE, START + 30 * MINUTE)
    add(store, LEE, 1001, START, START + 20 * MINUTE)
    assert store.news.due(START + 9 * MINUTE) == []
    assert store.news.next_due() == START + 10 * MINUTE
    assert store.news.due(START + 10 * MINUTE) == [KIM]
    with store.transaction():
        items, left = store.news.take(KIM, START + 10 * MINUTE, 100, START + 20 * MINUTE)
    assert [(one.ticket, one.is_new, one.count, one.author, one.text) for one in items] == [
        (1001, False, 1, "ana@customer.example", "I am ana."), (1002, True, 2, "ben@customer.example", "I am ben."),
    ]  # fmt: skip
    assert left == 0
    assert store.news.due(START + 15 * MINUTE) == []


def test_what_does_not_fit_waits_for_the_next_list(store):
    """Nothing is dropped; it is due again later."""
    add(store, KIM, 1001, START)
    add(store, KIM, 1002, START + MINUTE)
    with store.transaction():
        items, left = store.news.take(KIM, START + 10 * MINUTE, 1, START + 20 * MINUTE)
    assert ([one.ticket for one in items], left) == ([1001], 1)
    assert store.news.next_due() == START + 20 * MINUTE


def test_news_of_a_wrong_clock_do_not_wait_for_it(store):
    """After the clock was put back, what was listed in the future is due now; the rest stays."""
    add(store, KIM, 1001, START)
    add(store, LEE, 1002, START + timedelta(days=300), START + timedelta(days=300, minutes=10))
    with store.transaction():
        store.bring_back(START + MINUTE, timedelta(days=1), None)
    assert store.news.due(START + MINUTE) == [LEE]
    assert store.news.next_due() == START + MINUTE
    assert store.news.due(START + 10 * MINUTE) == [KIM, LEE]


@pytest.mark.parametrize("proven", [False, True])
@pytest.mark.parametrize("sender", ["ana@customer.example", "ana+x@customer.example"])
def test_looking_for_repeats_reads_the_last_hour_or_the_newest_tickets(store, sender, proven):
    """A flood must not read all tickets for every mail, nor all that an address ever opened; proven mail counts proven."""
    seen: list[str] = []
    store._connection.set_trace_callback(seen.append)
    question = Question(
        9, b"", b"", sender, Evidence(), SUPPORT, Limits(), text="I am ana, and I have many words to say.", arrived=START,
        words=("Printer on fire", "I am ana."), proven=proven,
    )  # fmt: skip
    facts = store.facts.for_mail(question, START)
    store._connection.set_trace_callback(None)
    assert [(one.count, one.alike, one.last) for one in facts.opened] == ([] if proven else [(1, 1, None)])
    asked = [
        statement
        for statement in seen
        if "FROM ticket" in statement and "created_at" in statement and "max(number)" in statement
    ]
    assert len(asked) == 2
    plans = [
        [row[3] for row in store._connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        for statement in asked
    ]
    for plan in plans:
        assert not [step for step in plan if step.startswith("SCAN")], plan
        assert len([step for step in plan if "INTEGER PRIMARY KEY (rowid>?)" in step]) == 1, plan
    by_address = [step for plan in plans for step in plan if "ticket_requester" in step]
    assert len(by_address) == 1
    assert "(requester=? AND created_at>? AND created_at<?)" in by_address[0]


def test_what_a_mailbox_opened_counts_under_each_of_its_addresses(tmp_path):
    """With a + and without; another mailbox, and the same one of another domain, are others."""
    desk = Desk(tmp_path)
    for sender in ("a@x.example", "a+1@x.example", "a+2@x.example", "ab+1@x.example", "a+1@y.example"):
        desk.writes(sender, f"I am {sender}.")
    question = Question(
        99, b"", b"", "a+9@x.example", Evidence(), SUPPORT, Limits(), arrived=START, words=("Printer on fire", "I am a+2@x.example.")
    )  # fmt: skip
    (opened,) = desk.store.facts.for_mail(question, START).opened
    assert (opened.count, opened.alike) == (3, 1)
    desk.close()
