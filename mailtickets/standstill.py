"""Says which work waits because the store cannot be written: one log line a minute for the whole desk. Writes nothing."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.store import store_trouble

if TYPE_CHECKING:
    from pathlib import Path

    from mailtickets.store import StoreTrouble

SAY_AGAIN_SECONDS = 60.0


class Standstill:
    """The work that waits for the store; every thread says here what it could not do. All methods from any thread.

    folder   of the store, which is named as the place where room is to be made.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._waiting: set[str] = set()
        self._said_at = float("-inf")
        self._said = False

    def trouble(self, error: BaseException) -> StoreTrouble | None:
        """Return what is wrong with the store, None where the error has nothing to do with it."""
        return store_trouble(error, self._folder)

    def begin(self, work: str, error: BaseException) -> bool:
        """Note that some work waits; return False where the error has nothing to do with the store."""
        trouble = self.trouble(error)
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

    def leave(self, work: str) -> None:
        """Note that some work is not waited for any more, as the desk ends: that says nothing of the store."""
        with self._lock:
            self._waiting.discard(work)

    def end(self, work: str) -> None:
        """Note that some work was done again; once all of it is, a line says so."""
        with self._lock:
            if work not in self._waiting:
                return
            self._waiting.discard(work)
            if self._said and not self._waiting:
                self._said = False
                maillog.note("work goes on", why="the store can be written again")
