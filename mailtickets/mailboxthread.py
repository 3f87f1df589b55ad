"""The thread of one mailbox: connects, takes mail in, waits for more; after trouble again, with back-off.

What a round does is the intake's; the daily comparison with the books is done here, too, between two rounds.
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.audit import AUDIT_EVERY, FIRST_AUDIT_AFTER, alarm_kind, alarm_of, audit
from mailtickets.clocks import awake
from mailtickets.errors import CredentialUnavailable, MailboxUnavailable, Retry
from mailtickets.intake import MOVED_AGAIN_SECONDS, Stopped
from mailtickets.strays import unreadable_kind
from mailtickets.transport.backoff import backoff

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from mailtickets.intake import DeskDoor, Intake, LedgerReader
    from mailtickets.progress import Progress
    from mailtickets.source import Source
    from mailtickets.standstill import Standstill

SLOW_RETRY_SECONDS = 15 * 60.0
AFTER_REFUSAL = "then `systemctl reload mailtickets`, otherwise it is tried again in 15 minutes"
FULL_STORE_RETRY_SECONDS = 15.0
MARK_SOON_SECONDS = 0.25  # how soon after a round to mark what was not decided yet when it ended
AUDIT_AGAIN_SECONDS = 3600.0  # after one that trouble with the server cut short


class MailboxThread(threading.Thread):
    """Polls one mailbox for as long as the desk runs: IDLE for speed, a regular round as the net.

    first_round   is told of each round that ended well: mailbox, folder, and when it began, in seconds awake.
    """

    def __init__(
        self,
        intake: Intake,
        desk: DeskDoor,
        ledger: LedgerReader,
        first_round: Callable[[str, str, float], None],
        progress: Progress,
        standstill: Standstill,
        audit_every: timedelta = AUDIT_EVERY,
    ) -> None:
        super().__init__(name=f"mailbox {intake.source.name}", daemon=True)
        self._audit_every = audit_every.total_seconds()
        self._audit_at = time.monotonic() + min(self._audit_every, FIRST_AUDIT_AFTER.total_seconds())
        self._intake, self._desk, self._ledger = intake, desk, ledger
        self._first_round, self._progress = first_round, progress
        self._standstill, self._work = standstill, f"taking mail in from {intake.source.name}"
        self._stop_event = threading.Event()
        self._intake.use(progress.go_on, self._stop_event.is_set)
        self._failures = 0
        self._read: bool | None = None
        self._told = False  # the log's last word is that it cannot be read

    @property
    def source(self) -> Source:
        """What it takes mail from."""
        return self._intake.source

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stop_event.is_set()

    def run(self) -> None:
        """Connect, take mail, wait; after trouble again, with back-off."""
        self._note_read(read=False)
        while not self._stop_event.is_set():
            pause = 0.0
            self._progress.move()
            try:
                self._intake.mailbox.connect()
                self._listen()
            except (MailboxUnavailable, CredentialUnavailable) as error:
                slow = isinstance(error, MailboxUnavailable) and error.retry is Retry.SLOW
                pause = SLOW_RETRY_SECONDS if slow else self._back_off()
                remedy = f"{error.remedy}; {AFTER_REFUSAL}" if slow else error.remedy
                self._trouble(error.reason, remedy, pause, at_once=slow)
            except Stopped:
                maillog.note("stopped amid a round", mailbox=self._intake.source.name)
            except Exception as error:  # noqa: BLE001  (a fault of ours must not end the taking of mail)
                pause = self._back_off()
                if self._standstill.begin(self._work, error):
                    self._progress.held_up()
                    # Nothing is marked on the server, so nothing is lost.
                    pause = min(pause, FULL_STORE_RETRY_SECONDS)
                else:
                    maillog.broken(f"taking mail from {self._intake.source.name} failed", None, error)
                    self._trouble(f"a fault in the desk ({type(error).__name__})", "see the log", pause)
            finally:
                self._intake.mailbox.close()
                self._progress.rest()
            self._stop_event.wait(pause)
        self._standstill.leave(self._work)
        self._ledger.close()

    def _listen(self) -> None:
        while not self._stop_event.is_set():
            began = awake()
            self._intake.round()
            self._failures = 0
            self._standstill.end(self._work)
            self._progress.well()
            if self._told:
                self._told = False
                maillog.note(f"mailbox {self._intake.source.name} can be read again")
            if not self._intake.moved_waits:
                self._note_read(read=True)
                self._first_round(self._intake.source.name, self._intake.source.folder, began)
            if time.monotonic() >= self._audit_at:
                self._audit()
                continue  # what was told of meanwhile is in no wait any more
            soon = self._intake.marks_soon()
            self._progress.rest()
            told = self._intake.mailbox.wait(MARK_SOON_SECONDS if soon else self._rest())
            self._progress.move()
            if not (told or soon or self._stop_event.is_set()):
                self._intake.look_again()

    def _rest(self) -> float:
        poll = self._intake.source.poll_seconds
        return min(poll, MOVED_AGAIN_SECONDS) if self._intake.moved_waits else poll

    def _note_read(self, *, read: bool) -> None:
        """Say whether it was read since the start, once each."""
        if read is not self._read:
            self._read = read
            source = self._intake.source
            name = f"{source.name} ({source.folder})" if source.folder else source.name
            self._desk.call(self._ledger.note_read_in_desk, name, read)

    def _audit(self) -> None:
        """Compare the mailbox with the books; mails that they do not explain are taken in, and the admins hear of them."""
        self._audit_at = time.monotonic() + min(self._audit_every, AUDIT_AGAIN_SECONDS)
        found = audit(self._intake, self._ledger, heal=True)
        maillog.note(
            "compared with the books", mailbox=found.mailbox, folder=found.folder, on_server=found.on_server, in_books=found.in_books,
            to_come=found.to_come, older=found.older, unexplained=found.unexplained, taken_in=found.taken_in,
        )  # fmt: skip
        self._audit_at = time.monotonic() + self._audit_every
        if found.taken_in:
            self._desk.call(self._ledger.alarm_in_desk, alarm_of(found))
        else:
            self._desk.call(self._ledger.recovered_in_desk, alarm_kind(found.mailbox, found.folder))
        self._intake.passed_over = found.unreadable
        if not found.unreadable:
            self._desk.call(self._ledger.recovered_in_desk, unreadable_kind(found.mailbox, found.folder))
        self._intake.tell_unreadable()

    def _back_off(self) -> float:
        self._failures += 1
        return backoff(self._failures, random.random()).total_seconds()  # noqa: S311  (spreads retries)

    def _trouble(self, reason: str, remedy: str, pause: float, *, at_once: bool = False) -> None:
        name = self._intake.source.name
        self._told = True
        maillog.trouble(f"mailbox {name} cannot be read", reason, remedy, again_in_seconds=round(pause))
        self._progress.failed(reason, remedy, at_once=at_once)

    def look_now(self) -> None:
        """Ask the thread to look for mail at once."""
        self._intake.mailbox.wake()

    def stop(self) -> None:
        """Ask the thread to end after the mail in hand."""
        self._stop_event.set()
        self._intake.mailbox.wake()
