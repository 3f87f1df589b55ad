"""The lists of news: one line for each person and ticket, the longest waiting first, and right after a wrong clock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.desk import START, Desk

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


def test_looking_for_repeats_uses_an_index(store):
    """A flood must not read all tickets for every mail."""
    seen: list[str] = []
    store._connection.set_trace_callback(seen.append)
    from mailtickets.desk.facts import Evidence
    from mailtickets.desk.policy import Limits
    from mailtickets.store.facts import Question
    from tests.support.desk import SUPPORT

    question = Question(
        9, b"", b"", "ana@customer.example", Evidence(), SUPPORT, Limits(), arrived=START, words=("Printer on fire", "I am ana.")
    )  # fmt: skip
    facts = store.facts.for_mail(question, START)
    store._connection.set_trace_callback(None)
    assert [(one.count, one.alike, one.last) for one in facts.opened] == [(1, 1, None)]
    asked = next(statement for statement in seen if "entry.copy <" in statement)
    plan = [row[3] for row in store._connection.execute(f"EXPLAIN QUERY PLAN {asked}")]
    assert not [step for step in plan if step.startswith("SCAN")], plan
