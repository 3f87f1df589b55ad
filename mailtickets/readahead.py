"""Reads the mails of a burst in another process, while the desk decides the ones before them.

Reading takes as long as deciding, and knows nothing of the store: so a second core can do it. A mail that is
not read yet when its turn comes is read by the desk itself; trouble here makes a mail be tried alone.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mailtickets.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from mailtickets.desk.events import Incoming
    from mailtickets.guard import Request
    from mailtickets.reading import Reading

TOGETHER, TOGETHER_BYTES = 8, 512 << 10  # mails that make one way there and back
IN_HAND_BYTES = 4 << 20


class ReadAhead:
    """Mails on their way to another process and back. Used by one thread."""

    def __init__(self, reading: Reading) -> None:
        self._guard = Guard(reading)
        self._thread: ThreadPoolExecutor | None = None
        self._ready: Future[None] | None = None
        self._where: dict[int, tuple[Future[list[Incoming | str]], int]] = {}
        self._sizes: dict[int, int] = {}

    def offer(self, mails: Iterable[tuple[int, int, Callable[[], Request]]]) -> None:
        """Hand mails over, as (number, bytes, what makes the request), in the order of their turn.

        Takes no more than fits; what was taken before is left out. The first call starts the process and takes nothing.
        """
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "reading")
            self._ready = self._thread.submit(self._guard.start)
        if not (self._ready and self._ready.done()) or self._ready.exception():
            return
        together: list[tuple[int, Request]] = []
        size = 0
        for number, length, request in mails:
            if number in self._where:
                continue
            if sum(self._sizes.values()) + length > IN_HAND_BYTES:
                break
            together.append((number, request()))
            self._sizes[number] = length
            size += length
            if len(together) == TOGETHER or size > TOGETHER_BYTES:
                self._send(together)
                together, size = [], 0
        if together:
            self._send(together)

    def _send(self, together: list[tuple[int, Request]]) -> None:
        assert self._thread is not None  # noqa: S101  (for the type checker)
        future = self._thread.submit(self._guard.read_many, [request for _, request in together])
        for place, (number, _) in enumerate(together):
            self._where[number] = (future, place)

    def take(self, number: int) -> Incoming | str | None:
        """Return a mail that was read; None: the caller reads it. A text says why it cannot be read.

        Raises TooHard, as `Guard.read_many`.
        """
        self._sizes.pop(number, None)
        found = self._where.pop(number, None)
        if found is None:
            return None
        future, place = found
        if future.cancel() or future.cancelled():
            return None
        return future.result()[place]

    def close_if_idle(self) -> None:
        """End the process where nothing needed it for a while."""
        if self._thread is not None and not self._where and self._guard.is_idle():
            self.close()

    def close(self) -> None:
        """End the process."""
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)
        self._guard.close()
        self._thread = self._ready = None
        self._where.clear()
        self._sizes.clear()
