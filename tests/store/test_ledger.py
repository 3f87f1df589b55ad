"""The ledger: taken in once, decided once, and a crash never takes a mail along."""

from __future__ import annotations

import hashlib
import random
import tracemalloc

import pytest

from mailtickets.desk.ticket import Hold, HoldKind, Outcome, Verdict
from mailtickets.store import Store
from mailtickets.store.ledger import Step, Taken, compress
from tests.support.desk import START


@pytest.fixture
def store(tmp_path):
    made = Store.open(tmp_path / "desk.db", START)
    yield made
    made.close()


def taken(name, raw=b"Subject: x\r\n\r\ny\r\n"):
    return Taken("support", "INBOX", name, hashlib.sha256(raw).digest(), compress(raw), raw, len(raw), START)


def accept(store, *mails):
    with store.transaction():
        return store.ledger.accept(mails, START)


def test_accepting_a_copy_again_changes_nothing(store):
    """The same name in the same folder is the same copy; other copies share one original."""
    assert accept(store, taken("1/1"), taken("1/2")) == [1, 2]
    assert accept(store, taken("1/1"), taken("1/3")) == [3]
    assert store.views.books().received == 3
    assert store._connection.execute("SELECT count(*) FROM original").fetchone() == (1,)
    assert store.ledger.original(taken("x").digest) == b"Subject: x\r\n\r\ny\r\n"
    with pytest.raises(KeyError):
        store.ledger.original(b"?")
    assert store.ledger.known_names("support", "INBOX", ["1/1", "1/9"]) == {"1/1"}


def test_the_beginning_of_an_original_is_had_without_the_rest(store):
    """Of 20 MB that do not shrink only what is asked for comes into memory; a short one is had whole."""
    raw = b"Subject: x\r\n\r\n" + random.Random(1).randbytes(20_000_000)
    large = taken("1/1", raw)
    accept(store, large, taken("1/2"))
    tracemalloc.start()
    begun = store.ledger.beginning(large.digest, 100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert begun == raw[:100_000]
    assert peak < 1_000_000
    assert store.ledger.beginning(taken("x").digest, 100_000) == b"Subject: x\r\n\r\ny\r\n"
    with pytest.raises(KeyError):
        store.ledger.beginning(b"?", 1)


def test_the_cursor_moves_with_the_mails(store):
    """In one transaction: after a crash the folder is read from where the ledger ends."""
    assert store.ledger.cursor("support", "INBOX") == (0, 0)
    with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012  (undoing all of it is the claim)
        store.ledger.accept([taken("7/5")], START)
        store.ledger.move_cursor(Step("support", "INBOX", (0, 0), (7, 5)))
        raise RuntimeError
    assert store.ledger.cursor("support", "INBOX") == (0, 0)
    with store.transaction():
        store.ledger.move_cursor(Step("support", "INBOX", (0, 0), (7, 5)))
    assert store.ledger.cursor("support", "INBOX") == (7, 5)


def test_the_cursor_never_jumps_over_a_batch_that_was_not_stored(store):
    """A step that begins elsewhere than at the cursor leaves it alone, before the first step and later."""
    for since, to, then in (
        ((7, 50), (7, 100), (0, 0)),
        ((0, 0), (7, 50), (7, 50)),
        ((7, 100), (7, 150), (7, 50)),
        ((7, 50), (8, 0), (8, 0)),
    ):
        with store.transaction():
            store.ledger.move_cursor(Step("support", "INBOX", since, to))
        assert store.ledger.cursor("support", "INBOX") == then


def test_mails_wait_in_order_until_they_are_booked(store):
    """Oldest first; a booked one waits no more, and is then to be marked on the server."""
    accept(store, taken("1/1"), taken("1/2", b"b"))
    assert [copy.id for copy in store.ledger.waiting()] == [1, 2]
    assert store.ledger.unmarked("support", "INBOX") == []
    with store.transaction():
        store.ledger.book(
            1, Verdict(Outcome.IGNORED, "loop", why=("a", "b")), b"", "<a@b>", "a@b", "x", duplicate=False
        )
    assert [copy.id for copy in store.ledger.waiting()] == [2]
    assert store.ledger.unmarked("support", "INBOX") == [(1, "1/1")]
    with store.transaction():
        store.ledger.set_marked([1])
    assert store.ledger.unmarked("support", "INBOX") == []
    assert store.views.copies_of(message_id="<a@b>")[0].why == ("a", "b")


def test_an_open_batch_is_found_by_the_next_process(store, tmp_path):
    """Its mails are then tried one by one."""
    numbers = accept(store, taken("1/1"), taken("1/2", b"b"))
    with store.transaction():
        batch = store.ledger.open_batch(numbers, START)
    other = Store.open(tmp_path / "desk.db", START)
    assert other.ledger.abandoned() == [1, 2]
    other.close()
    with store.transaction():
        store.ledger.close_batch(batch)
    assert store.ledger.abandoned() == []


def test_what_is_older_than_the_start_is_explained(store):
    """In the books with the reason, never decided, never marked on the server."""
    with store.transaction():
        store.ledger.leave_alone("support", "INBOX", [("1/1", 10, START)], "older than the start", START)
    assert store.ledger.waiting() == []
    assert store.ledger.unmarked("support", "INBOX") == []
    assert (store.views.books().received, store.views.books().ignored) == (1, 1)


def test_a_quarantined_mail_can_wait_again(store):
    """Once; one that is on a ticket cannot."""
    accept(store, taken("1/1"))
    with store.transaction():
        assert not store.ledger.wait_again(1)
        store.ledger.book(1, Verdict(Outcome.QUARANTINED, "poison"), b"", "", "", "", duplicate=False)
        store.ledger.mark_try(1)
        assert store.ledger.wait_again(1)
    assert store.ledger.waiting()[0].tries == 0


def test_a_hold_ends_once(store):
    """Its code is worth nothing afterwards."""
    accept(store, taken("1/1"))
    with store.transaction():
        store.ledger.hold(Hold(HoldKind.IDENTITY, 1, 1001, "kim", "ABCD-2345", "why", START), START)
    assert store.ledger.held_agent(1) == ("kim", HoldKind.IDENTITY)
    assert store.facts._held("ABCD-2345").copy == 1
    with store.transaction():
        store.ledger.let_go(1)
    assert store.ledger.held_agent(1) is None
    assert store.facts._held("ABCD-2345") is None


def test_a_mail_on_a_ticket_that_does_not_exist_is_unexplained(store):
    """The books would show it."""
    accept(store, taken("1/1"))
    with store.transaction():
        store.ledger.book(1, Verdict(Outcome.ON_TICKET, "x", 4711), b"", "", "", "", duplicate=False)
    assert store.views.books().unexplained == 1
