"""Checks run side by side, in bounds of time, and one that breaks hides no other."""

from __future__ import annotations

import threading
import time

from mailtickets.diagnosis.finding import Check, State, examined, ok
from mailtickets.errors import MailboxUnavailable


def test_a_check_that_hangs_is_told_and_holds_up_no_other():
    """What it found before stays, its time is said, and all checks together take the time of the slowest."""
    never = threading.Event()

    def hangs():
        yield ok("one", "first", "seen by the first that hangs, and told once")
        never.wait(60)

    started = time.monotonic()
    checks = [
        Check("one", hangs, 0.3),
        Check("two", hangs, 0.3),
        Check("three", lambda: [ok("three", "", "x")]),
    ]
    found = list(examined(checks))
    assert time.monotonic() - started < 5
    assert [(one.check, one.state) for one in found] == [
        ("one.first", State.OK), ("one.time", State.WRONG), ("two.time", State.WRONG),
        ("three", State.OK),
    ]  # fmt: skip
    assert found[1].what == "no answer within 0.3 s"
    never.set()


def test_a_check_that_breaks_is_a_finding_with_its_reason():
    """An error that knows its remedy says it; any other is named, and the next check is made."""

    def refused():
        raise MailboxUnavailable("support", "nothing listens", "start the server")
        yield

    def broken():
        raise ZeroDivisionError("oh")
        yield

    one, two, three = examined(
        [Check("a", refused), Check("b", broken), Check("c", lambda: [ok("c", "", "x")])]
    )
    assert (one.state, one.what, one.remedy) == (State.WRONG, "nothing listens", "start the server")
    assert (two.state, two.what) == (State.WRONG, "this check failed: ZeroDivisionError: oh")
    assert three.state is State.OK
