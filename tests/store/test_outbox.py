"""The outbox: each occasion once, each transition one conditional write, and what a crash leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtickets.store import Store
from mailtickets.store.outbox import Booking, Held, Prepared, State
from tests.support.desk import START

MINUTE = timedelta(minutes=1)
MAIL = Prepared(1001, "reminder", "reminder:1:1", 1, "customer", False, "", "", "support@desk.example", False,
                ("ana@customer.example",), "Printer", "<a@desk.example>", b"head", b"body", "t1-x", b"digest", 8)  # fmt: skip


@pytest.fixture
def store(tmp_path):
    made = Store.open(tmp_path / "desk.db", START)
    yield made
    made.close()


def queue(store, now=START, **changes):
    changes.setdefault("message_id", f"<{changes}@desk.example>")
    with store.transaction():
        return store.outbox.queue(replace(MAIL, **changes), None, now)


def claim(store, now=START, limit=16):
    with store.transaction():
        return store.outbox.claim(now, limit, "test")


def states(store):
    return [mail.state for mail in reversed(store.views.outbox(everything=True))]


def test_an_occasion_is_queued_once(store):
    """The same ticket, kind, occasion and recipient: the second is dropped; any other one is not."""
    assert queue(store) == 1
    assert queue(store) is None
    assert queue(store, occasion="reminder:1:2") == 2
    assert queue(store, recipients=("bob@customer.example",)) == 3
    assert queue(store, ticket=1002) == 4
    assert queue(store, kind="closed") == 5


def test_claimed_mails_are_claimed_by_nobody_else(store):
    """In the order of queueing; booking counts once, for the claim's holder."""
    queue(store)
    queue(store, occasion="b", now=START + MINUTE)
    assert [mail.id for mail in claim(store)] == [1]
    assert [mail.id for mail in claim(store, START + MINUTE)] == [2]
    assert claim(store, START + MINUTE) == []
    with store.transaction():
        assert store.outbox.book(Booking(1, State.SENT, START))
        assert not store.outbox.book(Booking(1, State.FAILED, START))
    assert states(store) == ["sent", "sending"]


def test_a_deferred_mail_waits_for_its_time_and_counts_its_tries(store):
    """An outage of the server is no try of the mail."""
    queue(store)
    for counts, attempts in ((True, 1), (False, 2), (True, 2)):
        (mail,) = claim(store)
        assert mail.attempts == attempts
        with store.transaction():
            store.outbox.book(Booking(1, State.DEFERRED, START, "busy", START, counts=counts))
    with store.transaction():
        store.outbox._connection.execute("UPDATE outbox SET next_at = next_at + 60000000")
    assert claim(store) == []
    assert store.outbox.next_due() == START + MINUTE
    assert len(claim(store, START + MINUTE)) == 1


def test_after_an_unclean_end_people_are_sent_again_and_machines_are_not(store):
    """Human text at least once, with the same bytes; automatic mail at most once, and listed."""
    queue(store, human=True)
    queue(store, occasion="b")
    before = {mail.id: (mail.head, mail.body, mail.digest, mail.message_id) for mail in claim(store)}
    with store.transaction():
        assert [mail.id for mail in store.outbox.after_unclean_end(START, 3)] == [2]
    assert states(store) == ["deferred", "uncertain"]
    (again,) = claim(store)
    assert (again.head, again.body, again.digest, again.message_id) == before[1]
    with store.transaction():
        assert store.outbox.retry(2, START)
        assert not store.outbox.retry(1, START)
    assert [mail.id for mail in claim(store)] == [2]


def test_people_are_not_sent_again_for_ever_after_unclean_ends(store):
    """Each end in the middle of sending may have been one more copy: after the third the mail is listed, and a retry goes out."""
    queue(store, human=True)
    for doubts in range(2):
        assert [mail.doubts for mail in claim(store)] == [doubts]
        with store.transaction():
            assert store.outbox.after_unclean_end(START, 3) == []
    claim(store)
    with store.transaction():
        (mail,) = store.outbox.after_unclean_end(START, 3)
    assert (mail.id, mail.human, mail.doubts, mail.recipients) == (1, True, 3, ("ana@customer.example",))
    assert states(store) == ["uncertain"]
    assert claim(store) == []
    with store.transaction():
        assert store.outbox.retry(1, START)
    assert [mail.doubts for mail in claim(store)] == [3]


def test_tries_in_doubt_are_counted_and_go_along_with_a_part(store):
    """Only those that are booked so; the part for those who were refused for now knows of them."""
    queue(store, recipients=("ana@customer.example", "bob@customer.example"), human=True)
    for in_doubt in (True, False, True):
        claim(store)
        with store.transaction():
            store.outbox.book(Booking(1, State.DEFERRED, START, "x", START, in_doubt=in_doubt))
    (mail,) = claim(store)
    assert mail.doubts == 2
    with store.transaction():
        store.outbox.book(Booking(1, State.SENT, START))
        store.outbox.split(1, ("bob@customer.example",), START)
    (part,) = claim(store)
    assert (part.recipients, part.doubts) == (("bob@customer.example",), 2)


@pytest.mark.parametrize("held", Held)
def test_what_is_due_is_counted_as_it_is_claimed(store, held):
    """Not what is held back, nor what another account sends; and no further than asked."""
    for number, (human, reader, account) in enumerate(
        [(True, "customer", ""), (False, "customer", ""), (False, "agent", ""), (False, "agent", "other")]
    ):
        queue(store, occasion=str(number), human=human, reader=reader, account=account)
    for but in ((), ("other",), ("", "other")):
        count = store.outbox.due_count(START, 9, held=held, but=but)
        assert store.outbox.due_count(START, 1, held=held, but=but) == min(count, 1)
        with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012  (undone, to be claimed again)
            assert len(store.outbox.claim(START, 9, "test", held=held, but=but)) == count
            raise RuntimeError


def test_what_was_sent_cannot_be_cancelled(store):
    """What was not sent can, once."""
    queue(store)
    queue(store, occasion="b")
    claim(store, limit=1)
    with store.transaction():
        store.outbox.book(Booking(1, State.SENT, START))
        assert not store.outbox.cancel(1)
        assert store.outbox.cancel(2)
        assert not store.outbox.cancel(2)
    assert claim(store) == []


def test_mails_that_say_the_same_share_their_body(store):
    """Written once, read by each; an undone transaction is no place to share from."""
    body = b"shared " * 10
    queue(store, body=body)
    queue(store, body=body, occasion="b")
    assert store._connection.execute("SELECT count(*) FROM body").fetchone() == (1,)
    with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012  (undoing all of it is the claim)
        store.outbox.queue(replace(MAIL, body=b"other", occasion="c"), None, START)
        raise RuntimeError
    store.outbox.forget_shared_body()
    queue(store, body=b"other", occasion="c")
    assert [mail.body for mail in claim(store)] == [body, body, b"other"]


def test_bytes_are_dropped_after_their_time_and_only_of_what_is_done(store):
    """The row stays; a mail that is not sent keeps its bytes however old it is."""
    queue(store)
    queue(store, occasion="b")
    claim(store, limit=1)
    with store.transaction():
        store.outbox.book(Booking(1, State.SENT, START))
        store.outbox.forget_bytes(START + MINUTE)
    heads = store._connection.execute("SELECT head IS NULL FROM outbox ORDER BY id").fetchall()
    assert heads == [(1,), (0,)]
    assert store._connection.execute("SELECT count(*) FROM body").fetchone()[0] == 1
