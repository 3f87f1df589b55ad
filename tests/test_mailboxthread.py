"""The thread of a mailbox: what its log says of trouble, of its end, and of a stop."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from mailtickets.errors import MailboxUnavailable, Retry
from mailtickets.mailboxthread import MailboxThread
from mailtickets.progress import Progress
from mailtickets.standstill import Standstill
from tests.support import patience

REFUSED = MailboxUnavailable("support", "the server refused user support", "check the password", Retry.SLOW)


def thread_over(round_: Callable[[], None], progress: Progress) -> MailboxThread:
    """A thread over a mailbox whose rounds do what the test says."""
    nothing = lambda *_, **__: None  # noqa: E731
    box = SimpleNamespace(connect=nothing, close=nothing, wake=nothing, wait=lambda _: time.sleep(0.01))
    intake = SimpleNamespace(
        source=SimpleNamespace(name="support", folder="", poll_seconds=0.01), use=nothing, mailbox=box, round=round_,
        moved_waits=False, marks_soon=lambda: False, look_again=nothing,
    )  # fmt: skip
    ledger = SimpleNamespace(note_read_in_desk=nothing, close=nothing)
    desk = SimpleNamespace(call=nothing)
    return MailboxThread(intake, desk, ledger, nothing, progress, Standstill())  # type: ignore[arg-type]


def wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10 * patience.TIMES
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_log_says_once_that_a_mailbox_can_be_read_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """After each outage one line; none where there was none."""
    monkeypatch.setattr(
        "mailtickets.mailboxthread.backoff", lambda *_: SimpleNamespace(total_seconds=lambda: 0.01)
    )
    caplog.set_level(logging.INFO, "mailtickets")
    rounds: list[int] = []

    def round_() -> None:
        rounds.append(len(rounds))
        if len(rounds) in {3, 4, 8}:
            raise MailboxUnavailable("support", "the server is away")

    thread = thread_over(round_, Progress())
    thread.start()
    wait(lambda: len(rounds) > 12)
    thread.stop()
    thread.join()
    lines = [line for line in caplog.text.splitlines() if "mailbox support" in line]
    assert ["again" in line.split("again_in")[0] for line in lines] == [False, False, True, False, True]


def test_a_refused_password_says_how_the_new_one_is_used():
    """The desk waits for 15 minutes by itself; a reload is quicker."""
    progress = Progress()

    def round_() -> None:
        raise REFUSED

    thread = thread_over(round_, progress)
    thread.start()
    wait(lambda: progress.failure)
    thread.stop()
    thread.join()
    assert progress.failure
    assert progress.failure.remedy.startswith(
        "check the password; then `systemctl reload mailtickets`, otherwise"
    )


def test_a_stop_does_not_say_that_the_store_can_be_written(caplog: pytest.LogCaptureFixture):
    """It was damaged, and still is."""
    caplog.set_level(logging.INFO, "mailtickets")
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT

    def round_() -> None:
        raise error

    thread = thread_over(round_, Progress())
    thread.start()
    wait(lambda: "work pauses" in caplog.text)
    thread.stop()
    thread.join()
    assert "work goes on" not in caplog.text
