"""Reading in a child process: the same answer, limits that hold, and a new child after trouble."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from mailtickets.guard import Guard, TooHard
from mailtickets.mail.classify import OwnAddresses
from mailtickets.mail.keys import KeyRing
from mailtickets.reading import Reading
from tests.support.desk import START, Desk

READING = Reading(KeyRing({1: b"s" * 32}, 1), OwnAddresses(frozenset({"support@desk.example"})), {}, {})
RAW = b"From: ana@customer.example\r\nTo: support@desk.example\r\nSubject: Fire\r\nMessage-ID: <a@b.c>\r\n\r\nIt burns.\r\n"


class Bomb:
    """A reading that harms its process in a chosen way."""

    def __init__(self, how: str) -> None:
        self.how = how

    def read(self, *_args, **_more):
        if self.how == "memory":
            return b"x" * (2 << 30)
        if self.how == "raises":
            raise ValueError("secret words of a mail")
        if self.how == "exits":
            import os

            os._exit(1)
        time.sleep(60)
        return None


def read(guard, raw=RAW):
    return guard.read(raw, hashlib.sha256(raw).digest(), "support", START)


@pytest.fixture
def guard() -> Iterator[Guard]:
    made = Guard(READING)
    yield made
    made.close()


def test_a_guarded_reading_gives_the_same(guard):
    """Whatever process reads it."""
    assert read(guard) == READING.read(RAW, hashlib.sha256(RAW).digest(), "support", START)
    assert read(guard).message.subject == "Fire"


def test_a_large_mail_passes_the_pipes(guard):
    """Larger than any pipe's buffer, both ways."""
    raw = RAW + b"more words \r\n" * 400_000
    assert read(guard, raw).message.size_bytes == len(raw)


@pytest.mark.parametrize(
    ("how", "words"),
    [("memory", "memory"), ("raises", "ValueError"), ("exits", "process"), ("sleeps", "time")],
)
def test_a_mail_that_breaks_its_limits_is_too_hard(how, words):
    """The reason is for people, without the mail's words; the desk goes on."""
    guard = Guard(Bomb(how), limit_seconds=2.0 if how == "sleeps" else 20.0)
    with pytest.raises(TooHard) as caught:
        read(guard)
    assert words in caught.value.reason
    assert "secret" not in caught.value.reason
    guard.close()


def test_after_trouble_the_next_mail_gets_a_new_child(guard):
    """A dead child is replaced."""
    read(guard)
    guard._child.kill()
    guard._child.wait()
    with pytest.raises(TooHard):
        read(guard)
    assert read(guard).message.subject == "Fire"


def test_a_reading_can_be_handed_over():
    """The child gets it by pickle, keys included."""
    assert pickle.loads(pickle.dumps(READING)) == READING  # noqa: S301


@pytest.mark.parametrize(
    ("body", "guarded"),
    [
        (b"<b>x</b>" * 10_000, True),
        (b"a\r\n" * 17_000, True),
        (b"QUJD" * 19 + b"\r\n", False),
        (b"word " * 50_000, False),
    ],
    ids=["many elements", "many lines", "little", "long lines"],
)
def test_a_small_mail_that_is_laborious_is_read_in_the_child(tmp_path, body, guarded):
    """Below 1 MB, too: what may take a second is read where time is limited."""
    desk = Desk(tmp_path)
    desk.receives(RAW + body)
    assert desk.history() == ["mail_in", "acknowledged"]
    assert (desk.line._reader._guard._child is not None) == guarded
    desk.close()


def test_the_child_reads_where_the_desk_itself_has_less_memory():
    """A limit that an admin set for the whole desk (systemd's LimitDATA) is not raised, and mail is read within it."""
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_DATA, (200 << 20, 200 << 20))\n"
        "from tests.test_guard import RAW, READING, read\n"
        "from mailtickets.guard import Guard\n"
        "guard = Guard(READING); print(read(guard, RAW).message.subject); guard.close()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "Fire", done.stderr
