"""Named points on a mail's way at which a test may end the process, as a power cut would.

Without MAILTICKETS_CRASH_AT in the environment `reach` does nothing. With it the process kills itself with
SIGKILL at a point: "sending:2" when `sending` is reached the second time, "any:17" at the 17th point whichever
it is. MAILTICKETS_CRASH_LOG names a file that gets the name of the point first.
"""

from __future__ import annotations

import os
import signal
import threading

POINTS = (
    "fetched",  # mails are in memory, nothing is stored
    "raw-stored",  # raw mails are committed to the ledger
    "parsed",  # a mail is read, its batch is marked as open
    "written",  # a decision is written, its transaction still open
    "committed",  # decisions, tickets and outbox are committed
    "marking",  # decided mails are about to be marked on the server
    "marked",  # the server has marked them, the ledger does not know yet
    "sending",  # a mail is booked as `sending`, no byte is out
    "attachment-temp",  # attachments are cut from their original and lie in memory; no file holds them
    "dot-sent",  # the whole mail is out, the answer is not read
    "250-read",  # the server has taken it, the store does not know yet
    "sent",  # it is booked as `sent`
    "timer-due",  # a timer was found due and is being decided, its transaction still open
    "timer-committed",  # what timers did is committed
    "recovered",  # a start has set right what an ended process left
    "migrated-1",  # a migration has run, its transaction still open
    "migrated-2",
    "migrated-3",
    "migrated-4",
    "migrated-5",
    "backup-temp",  # a backup is whole, under its temporary name
)


class Fuse:
    """Burns down with the points that are reached.

    at    "POINT" or "POINT:COUNT"; POINT may be "any".
    log   file that is told the point; "" for none.

    Raises ValueError where there is no such point.
    """

    def __init__(self, at: str, log: str = "") -> None:
        point, _, count = at.partition(":")
        if point not in {*POINTS, "any"}:
            raise ValueError(
                f"MAILTICKETS_CRASH_AT={at}: there is no point {point}; there are {', '.join(POINTS)}"
            )
        self._point, self._left, self._log = point, int(count or 1), log
        self._lock = threading.Lock()

    def reach(self, point: str) -> None:
        """Count one point; end the process where it is the one."""
        with self._lock:
            if self._point not in {point, "any"}:
                return
            self._left -= 1
            if self._left:
                return
            if self._log:
                with open(self._log, "a", encoding="ascii") as log:  # noqa: PTH123  (the fewest steps before the end)
                    log.write(f"{point}\n")
            os.kill(os.getpid(), signal.SIGKILL)


_fuse: Fuse | None = None


def arm() -> None:
    """Take up what the environment says: done when this is imported, and by a process that was forked to be another."""
    global _fuse  # noqa: PLW0603  (one process, one fuse)
    at = os.environ.get("MAILTICKETS_CRASH_AT", "")
    _fuse = Fuse(at, os.environ.get("MAILTICKETS_CRASH_LOG", "")) if at else None


def reach(point: str) -> None:
    """Be at a point; nothing happens where none is armed."""
    if _fuse is not None:
        _fuse.reach(point)


arm()
