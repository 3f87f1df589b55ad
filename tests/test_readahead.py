"""A burst read by another process: the same tickets in the same order, whatever becomes of that process."""

from __future__ import annotations

import hashlib
import time
from functools import partial

import pytest

from mailtickets.guard import TooHard
from mailtickets.mail.classify import OwnAddresses
from mailtickets.mail.keys import KeyRing
from mailtickets.pipeline import BATCH_MAILS
from mailtickets.readahead import TOGETHER, ReadAhead
from mailtickets.reading import Reading
from tests.support import patience
from tests.support.desk import START, Desk

READING = Reading(KeyRing({1: b"s" * 32}, 1), OwnAddresses(frozenset({"support@desk.example"})), {}, {})


def raw(number: int) -> bytes:
    return (
        f"From: user{number}@customer.example\r\nTo: support@desk.example\r\nSubject: Request {number}\r\n"
        f"Message-ID: <m{number}@customer.example>\r\n\r\nIt burns.\r\n"
    ).encode()


def offered(number: int):
    def request():
        mail = raw(number)
        return mail, hashlib.sha256(mail).digest(), "support", START, False, len(mail), {}, True

    return number, 200, request


@pytest.fixture
def ahead():
    made = ReadAhead(READING)
    made.offer([])
    deadline = time.monotonic() + 30 * patience.TIMES
    while not made._ready.done():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield made
    made.close()


def test_it_reads_as_the_desk_does(ahead):
    """The same values, whichever process made them; what was not handed over is the caller's."""
    ahead.offer(offered(number) for number in range(3))
    mail = raw(1)
    here = READING.read(mail, hashlib.sha256(mail).digest(), "support", START)
    time.sleep(0.2)
    assert ahead.take(1) == here
    assert ahead.take(1) is None
    assert ahead.take(99) is None


def test_a_mail_whose_turn_has_not_come_is_taken_back(ahead):
    """The desk never waits for a mail that lies in the queue: it reads it itself."""
    ahead.offer(offered(number) for number in range(40 * TOGETHER))
    last = 40 * TOGETHER - 1
    assert last in ahead._where
    assert ahead.take(last) is None
    assert last not in ahead._where


def test_an_ended_process_is_an_answer_and_the_next_one_reads(ahead):
    """Nobody knows which mail it was: the caller tries each by itself. A new process takes what comes next."""
    ahead._guard._child.kill()
    ahead.offer([offered(1)])
    time.sleep(0.2)
    with pytest.raises(TooHard):
        ahead.take(1)
    ahead.offer([offered(2)])
    time.sleep(2)
    assert ahead.take(2).message.subject == "Request 2"


@pytest.mark.parametrize("trouble", ["none", "killed"])
def test_a_burst_makes_one_ticket_for_each_mail_in_order(tmp_path, trouble):
    """Three hundred mails at once; the reading process may end in the middle. Nothing is lost or doubled."""
    desk = Desk(tmp_path)
    count = 300
    for number in range(count):
        desk.receives(raw(number), settle=False)
    turns = 0
    while desk.line.settle():
        turns += 1
        time.sleep(0.05)  # time for the other process, as sending takes it
        child = desk.line._reader._ahead._guard._child
        if trouble == "killed" and turns == 4 and child is not None:
            child.kill()
    subjects = [desk.ticket(1001 + number).subject for number in range(count)]
    if trouble == "none":
        assert subjects == [f"Request {number}" for number in range(count)]
    assert sorted(subjects) == sorted(f"Request {number}" for number in range(count))
    books = desk.store.views.books()
    assert (books.on_tickets, books.quarantined, books.waiting, books.unexplained) == (count, 0, 0, 0)
    desk.close()


def test_nothing_is_started_for_a_few_mails(tmp_path):
    """A process costs memory: an ordinary day needs none."""
    desk = Desk(tmp_path)
    for number in range(BATCH_MAILS):
        desk.receives(raw(number), settle=False)
    desk.run()
    assert desk.line._reader._ahead._thread is None
    desk.close()


def test_nothing_is_handed_over_before_the_process_can_read():
    """The first burst starts it, and the desk goes on by itself meanwhile."""
    made = []
    ahead = ReadAhead(READING)
    ahead.offer([(1, 200, partial(made.append, 1))])
    assert made == []
    ahead.close()
