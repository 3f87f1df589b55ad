"""Goes over what an erased person may have left in free room of the store. Runs in the desk's thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailtickets import maillog

if TYPE_CHECKING:
    from mailtickets.store import Store

AT_ONCE_SECONDS = 0.2
AGAIN_SECONDS = 60.0


class Cleaning:
    """Called when nothing is to be decided; a start goes on with what an ended process, or a command, left undone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next_try = 0.0

    def go_on(self) -> None:
        """Clean up for a moment if there is need; at most once a minute while something prevents it."""
        if time.monotonic() < self._next_try:
            return
        if why := self._store.clean_up(AT_ONCE_SECONDS):
            self._next_try = time.monotonic() + AGAIN_SECONDS
            maillog.trouble(
                "what was erased is not yet gone from the free room of the store", why, "it is tried again every minute",
                kind="erased",
            )  # fmt: skip
