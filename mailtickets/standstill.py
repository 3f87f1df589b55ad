"""Says which work waits because the store cannot be written: one log line a minute for the whole desk. Writes nothing."""

from __future__ import annotations

import threading
import time

from mailtickets import maillog
from mailtickets.store import store_trouble

SAY_AGAIN_SECONDS = 60.0


class Standstill:
    """The work that waits for the store; every thread says here what it could not do. All methods from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[str] = set()
        self._said_at = float("-inf")
        self._said = False

    def begin(self, work: str, error: BaseException) -> bool:
        """Note that some work waits; return False where the error has nothing to do with the store."""
        trouble = store_trouble(error)
        if trouble is None:
            return False
        with self._lock:
            self._waiting.add(work)
            if time.monotonic() - self._said_at >= SAY_AGAIN_SECONDS:
                self._said_at, self._said = time.monotonic(), True
                waiting = ", ".join(sorted(self._waiting))
                maillog.trouble("work pauses", trouble.reason, trouble.remedy, waiting=waiting)
        return True

    @property
    def waits(self) -> bool:
        """Whether any work waits."""
        with self._lock:
            return bool(self._waiting)

    def end(self, work: str) -> None:
        """Note that some work was done again; once all of it is, a line says so."""
        with self._lock:
            if work not in self._waiting:
                return
            self._waiting.discard(work)
            if self._said and not self._waiting:
                self._said = False
                maillog.note("work goes on", why="the store can be written again")
