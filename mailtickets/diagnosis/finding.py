"""The result of one check, and the running of checks within bounds of time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mailtickets.store import StoreUnusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

CHECK_SECONDS = 15.0


class State(StrEnum):
    """How a thing is. WARNING: the desk works, for now. WRONG: it does not, or will not in a moment."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    area    what was looked at: "mailbox.support", "disk".
    point   which of its points: "certificate"; "" where it has one only.
    what    the value, and what it means.
    remedy  what to do, as it is to be typed where that is possible; "" where all is well.
    """

    area: str
    point: str
    state: State
    what: str
    remedy: str = ""

    @property
    def check(self) -> str:
        """The name for scripts: "mailbox.support.certificate"."""
        return f"{self.area}.{self.point}" if self.point else self.area


def ok(area: str, point: str, what: str) -> Finding:
    """Return that a thing is in order."""
    return Finding(area, point, State.OK, what)


def warning(area: str, point: str, what: str, remedy: str) -> Finding:
    """Return that a thing works but should be looked at."""
    return Finding(area, point, State.WARNING, what, remedy)


def wrong(area: str, point: str, what: str, remedy: str) -> Finding:
    """Return that a thing does not work."""
    return Finding(area, point, State.WRONG, what, remedy)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at; `look` may block, may yield as it goes, and may raise."""

    area: str
    look: Callable[[], Iterable[Finding]]
    seconds: float = CHECK_SECONDS


class _Looking(threading.Thread):
    """One check at work. A daemon thread: one that hangs must not keep the command from ending."""

    def __init__(self, check: Check) -> None:
        super().__init__(name=f"check {check.area}", daemon=True)
        self.check = check
        self.found: list[Finding] = []
        self.start()
        self.until = time.monotonic() + check.seconds

    def run(self) -> None:
        area = self.check.area
        try:
            for finding in self.check.look():
                self.found.append(finding)
        except StoreUnusable as error:  # several checks read the store; its trouble is one
            self.found.append(wrong("store", "", f"{error.path}: {error.reason}", error.remedy))
        except Exception as error:  # noqa: BLE001 - one check that fails must not hide what the others find
            reason, remedy = getattr(error, "reason", ""), getattr(error, "remedy", "")
            fault = f"this check failed: {type(error).__name__}: {error}"
            self.found.append(
                wrong(
                    area, "", reason or fault, remedy or "report this line; the other checks are not affected"
                )
            )

    def result(self) -> list[Finding]:
        self.join(max(self.until - time.monotonic(), 0))
        found = list(self.found)
        if self.is_alive():
            late = f"no answer within {self.check.seconds:g} s"
            found.append(wrong(self.check.area, "time", late, "look whether its server or disk hangs"))
        return found


def examined(checks: Sequence[Check]) -> Iterator[Finding]:
    """Yield what all checks find, in their order, each thing once; they run side by side, each for its time at most."""
    looking = [_Looking(check) for check in checks]
    told: set[Finding] = set()
    for one in looking:
        for finding in one.result():
            if finding not in told:
                told.add(finding)
                yield finding
