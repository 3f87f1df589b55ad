"""Sends for as long as the daemon runs: woken when something is queued, and given its time at the end.

What is sent, and what becomes of it, is the sender's. Runs in the asyncio loop.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from mailtickets import maillog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailtickets.progress import Progress
    from mailtickets.sending import Sender
    from mailtickets.standstill import Standstill
    from mailtickets.transport.smtp import SmtpPool

PAUSE_AFTER_FAULT_SECONDS = 5.0
CUT_OFF_SECONDS = 3.0  # for booking what was cut off


class SendingLoop:
    """Made in the loop that it runs in."""

    def __init__(self, standstill: Standstill, progress: Progress) -> None:
        self._loop = asyncio.get_running_loop()
        self._standstill, self._progress = standstill, progress
        self._woken = asyncio.Event()
        self._sending_now = False

    def wake(self) -> None:
        """Have it look at the outbox; in the loop only, where an Event may be set."""
        self._woken.set()

    def wake_from_thread(self) -> None:
        """As `wake`, from any thread."""
        self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self, sender: Callable[[], Sender]) -> None:
        """Send for ever; `sender` gives the present one, which a reload puts in the old one's place."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            self._sending_now = True
            try:
                await sender().send_due()
            except Exception as error:  # noqa: BLE001  (a fault in sending must not end the desk; the mails stay in the outbox)
                if not self._standstill.begin("sending", error):
                    maillog.broken("sending failed; it is tried again", None, error)
                await asyncio.sleep(PAUSE_AFTER_FAULT_SECONDS)
            else:
                self._standstill.end("sending")
            finally:
                self._sending_now = False
                self._progress.rest()

    async def finish(self, running: asyncio.Task[None], pools: Iterable[SmtpPool], seconds: float) -> None:
        """Let the mails on their way finish and be booked; cut them off only after so many seconds.

        running   the task of `run`.
        """
        self.wake()
        deadline = time.monotonic() + seconds
        while self._sending_now and time.monotonic() < deadline:
            await asyncio.wait({running}, timeout=0.05)
        for pool in pools:
            await pool.close(1.0)
        while self._sending_now and not running.done() and time.monotonic() < deadline + CUT_OFF_SECONDS:
            await asyncio.wait({running}, timeout=0.05)
        running.cancel()
