"""The desk's thread: the only one that writes the store. Others hand it work and wait for the result."""

from __future__ import annotations

import contextlib
import ctypes
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from mailtickets import maillog
from mailtickets.clocks import awake
from mailtickets.standstill import SAY_AGAIN_SECONDS
from mailtickets.store.times import from_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailtickets.desk.pausing import Look
    from mailtickets.desk.ticket import Alarm
    from mailtickets.pipeline import Line
    from mailtickets.progress import Progress
    from mailtickets.standstill import Standstill
    from mailtickets.store import Store
    from mailtickets.store.ledger import Step, Taken

# How long the thread sleeps at most: mail that `receive` stored is decided within that time.
LOOK_SECONDS = 0.5
TIDY_AFTER_SECONDS = 5.0
RETRY_SECONDS = (0.5, 1, 2, 5, 10, 30)
# After a start or a sleep timers wait for every mailbox to be read; one that cannot be read holds them up no longer.
READ_FIRST_SECONDS = 15 * 60.0
# Timers wait while mail waits to be decided, since an answer stops a reminder; but not for longer than this.
FIRE_SECONDS = 5.0


class DeskThread(threading.Thread):
    """Runs the line. Work from outside goes first, then due decisions, one batch at a time, then due timers.

    No timer fires before `let_timers_go`, or READ_FIRST_SECONDS awake: after downtime mail is read first.

    make      opens store and line; runs in this thread, which keeps both to itself.
    on_queued called from this thread when the outbox may hold something new.
    on_slept  called from this thread when the machine has slept, with `held_since`; timers wait again.
    look      reads all clocks.
    standstill  is told while decisions wait for the store.
    store     is told when the store could not be written.

    last_turn   when something in this thread last ended, in seconds awake.
    held_since  since when timers wait, or last waited, for mail to be read, in seconds awake.
    """

    def __init__(
        self,
        make: Callable[[], tuple[Store, Line]],
        on_queued: Callable[[], None],
        on_slept: Callable[[float], None],
        look: Callable[[], Look],
        standstill: Standstill,
        store: Progress | None = None,
    ) -> None:
        super().__init__(name="desk", daemon=True)
        self._make, self._on_queued, self._on_slept, self._look = make, on_queued, on_slept, look
        self._standstill, self._store_progress = standstill, store
        self._work: queue.SimpleQueue[
            tuple[Callable[..., object], tuple[object, ...], Future[object]] | None
        ] = queue.SimpleQueue()
        self._quick: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._opened: Future[tuple[Store, Line]] = Future()
        self.last_turn = awake()
        self._stopping = False
        self._trouble = 0
        self._decide_at = float("-inf")
        self._tidy_at = float("inf")
        self._said_at = float("-inf")
        self._timers_held = True
        self.held_since, self._read_since = look().awake, float("-inf")
        self._fired_at = time.monotonic()

    def open(self) -> Future[tuple[Store, Line]]:
        """Start; the future has store and line once they are open, or what opening them raised."""
        self.start()
        return self._opened

    def call(self, function: Callable[..., object], *arguments: object) -> Future[object]:
        """Run a function in this thread; the future has its result."""
        future: Future[object] = Future()
        if self._stopping:
            future.cancel()
        else:
            self._work.put((function, arguments, future))
        return future

    def call_soon(self, function: Callable[..., object], *arguments: object) -> Future[object]:
        """As `call`, and also between the mails of a batch: for what the outbox needs. Must not touch the rules."""
        future: Future[object] = Future()
        if self._stopping:
            future.cancel()
        else:
            self._quick.put((function, arguments, future))
            self._work.put((_nothing, (), Future()))  # wakes the thread where it sleeps
        return future

    def accept(self, taken: Sequence[Taken], step: Step | None) -> Future[int]:
        """Store a batch and decide it; the future is done when it is stored."""
        return self.call(self._line_accept, taken, step)  # type: ignore[return-value]

    def _line_accept(self, taken: Sequence[Taken], step: Step | None) -> int:
        return self._line.accept(taken, step)

    def undecided_bytes(self) -> int:
        """Return how much was accepted and is not yet decided; from any thread. 0 once the desk ends."""
        return 0 if self._stopping or not self.is_alive() else self._line.undecided_bytes

    def let_timers_go(self, since: float) -> None:
        """Say that every mailbox was read: timers fire as soon as what was read is decided. From any thread.

        since   the `held_since` from which on that is so; where the machine slept meanwhile it says nothing.
        """
        self._read_since = since

    def stop(self, seconds: float) -> None:
        """Finish what was handed in, then end. A store that is locked is not waited for longer than this."""
        self._work.put(None)
        self.join(seconds)

    def run(self) -> None:
        """Work until stopped. A store in trouble (full disk, locked) pauses the work and is tried again."""
        try:
            self._store, self._line = self._make()
        except BaseException as error:  # noqa: BLE001  (it belongs to whoever waits for the start)
            self._opened.set_exception(error)
            return
        self._opened.set_result((self._store, self._line))
        self._line.between_mails = self._run_soon
        busy = True
        while True:
            self.last_turn = awake()
            if not self._handed_in(0.0 if busy else LOOK_SECONDS):
                break
            busy = time.monotonic() >= self._decide_at and self._decide()
        self._stopping = True
        for waiting in (self._quick, self._work):
            while (item := _next(waiting)) is not None:
                item[2].cancel()
        self._line.end_cleanly()
        self._line.close()
        self._store.close()

    def _handed_in(self, wait: float) -> bool:
        """Run what others handed in; return False at the end."""
        while True:
            try:
                item = self._work.get(timeout=wait) if wait else self._work.get_nowait()
            except queue.Empty:
                return True
            if item is None:
                return False
            wait = 0.0
            self._run_soon()
            self._run(*item)

    def _run_soon(self) -> None:
        """Run what the outbox asked for; also called by the line between two mails."""
        while (item := _next(self._quick)) is not None:
            self._run(*item)

    def _run(
        self, function: Callable[..., object], arguments: tuple[object, ...], future: Future[object]
    ) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = function(*arguments)
        except BaseException as error:  # noqa: BLE001  (it belongs to whoever waits for the future)
            self._note_trouble(error)
            future.set_exception(error)
        else:
            future.set_result(result)
        self.last_turn = awake()  # a locked store makes each of many wait its 30 s, and that is no hanging

    def _note_trouble(self, error: BaseException) -> None:
        if self._store_progress and (trouble := self._standstill.trouble(error)):
            self._store_progress.failed(trouble.reason, trouble.remedy, at_once=not trouble.passing)

    def _decide(self) -> bool:
        """Decide one batch and fire due timers; return whether there may be more to do at once."""
        try:
            look = self._look()
            if self._line.pauses.look(look):
                self._timers_held, self.held_since = True, look.awake
                self._on_slept(look.awake)
            busy = self._line.settle() > 0
            read = self._read_since >= self.held_since or look.awake - self.held_since > READ_FIRST_SECONDS
            if read and not busy:
                self._timers_held = False
            if not self._timers_held and (not busy or time.monotonic() - self._fired_at > FIRE_SECONDS):
                busy = self._line.fire_due(self._look()) > 0 or busy
                self._fired_at = time.monotonic()
            busy = self._line.recount() or busy
        except Exception as error:  # noqa: BLE001  (a store in trouble must not end the desk; nothing was written)
            self._note_trouble(error)
            self._say(error)
            # Meanwhile the thread does what it is handed: mail that is decided can be sent.
            self._decide_at = time.monotonic() + RETRY_SECONDS[min(self._trouble, len(RETRY_SECONDS) - 1)]
            self._trouble += 1
            return False
        self._trouble = 0
        self._standstill.end("deciding")
        if busy:
            self._on_queued()
            self._tidy_at = time.monotonic() + TIDY_AFTER_SECONDS
        else:
            self._line.idle()
            if time.monotonic() > self._tidy_at:
                self._tidy_at = float("inf")
                self._store.release_memory()
                _trim()
        return busy

    def _say(self, error: Exception) -> None:
        """Log a trouble in deciding, once a minute while it lasts."""
        if self._standstill.begin("deciding", error) or time.monotonic() - self._said_at < SAY_AGAIN_SECONDS:
            return
        self._said_at = time.monotonic()
        maillog.broken("deciding failed; nothing is lost, it is tried again", None, error)


_Item = tuple[Callable[..., object], tuple[object, ...], Future[object]]


def _trim() -> None:
    """Give freed memory back to the system, which the C library otherwise keeps (malloc_trim(3), glibc only)."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _nothing() -> None:
    """Do nothing."""


def _next(waiting: queue.SimpleQueue[_Item | None]) -> _Item | None:
    try:
        return waiting.get_nowait()
    except queue.Empty:
        return None


class Teller(Protocol):
    """Whoever tells the admins of trouble."""

    def alarm_now(self, alarm: Alarm) -> object:
        """See `Line.alarm_now`."""

    def recovered_now(self, kind: str) -> object:
        """See `Line.recovered_now`."""

    def note_read(self, mailbox: str, *, read: bool) -> None:
        """See `Line.note_read`."""


class DeskLedger:
    """What a mailbox's thread needs of the ledger: its reads on a connection of its own, its writes in the desk's thread."""

    def __init__(self, reader: Store, store: Store, line: Teller, clock: Callable[[], datetime]) -> None:
        self._reader, self._store, self._line, self._clock = reader, store, line, clock

    def cursor(self, mailbox: str, folder: str) -> tuple[int, int]:
        """See `Ledger.cursor`."""
        return self._reader.ledger.cursor(mailbox, folder)

    def unmarked(self, mailbox: str, folder: str) -> list[tuple[int, str]]:
        """See `Ledger.unmarked`."""
        return self._reader.ledger.unmarked(mailbox, folder)

    def has_unmarked(self, mailbox: str, folder: str) -> bool:
        """See `Ledger.has_unmarked`."""
        return self._reader.ledger.has_unmarked(mailbox, folder)

    def known_names(self, mailbox: str, folder: str, names: Sequence[str]) -> set[str]:
        """See `Ledger.known_names`."""
        return self._reader.ledger.known_names(mailbox, folder, names)

    def knows(self, digest: bytes) -> bool:
        """See `Ledger.knows`."""
        return self._reader.ledger.knows(digest)

    def moved_since(self, mailbox: str) -> datetime | None:
        """Return since when mail that was moved away is to be taken in again after a restore; None as a rule."""
        since = self._reader.setting(f"moved_since:{mailbox}")
        return from_us(int(since)) if since else None

    def moved_is_taken_in_desk(self, mailbox: str, folder: str) -> None:
        """Note that this was done."""
        with self._store.transaction():
            self._store.ledger.mark_folder(mailbox, folder)
            self._store.set_setting(f"moved_since:{mailbox}", "")

    def note_read_in_desk(self, mailbox: str, read: bool) -> None:
        """See `Line.note_read`."""
        self._line.note_read(mailbox, read=read)

    def last_poll(self) -> datetime | None:
        """Return when a mailbox was last read to its end."""
        last = self._reader.setting("last_poll")
        return datetime.fromisoformat(last) if last else None

    def now(self) -> datetime:
        """Return the time of the wall clock."""
        return self._clock()

    def start_of(self, mailbox: str, folder: str) -> datetime:
        """See `store.first_start.start_of`."""
        return self._reader.start_of(mailbox, folder)

    def start_was_before_in_desk(self) -> None:
        """See `store.first_start.was_before`."""
        with self._store.transaction():
            again = self._store.start_was_before(self._clock())[1]
        if again:
            maillog.doubtful(
                "the clock was ahead when the desk was first started", f"{again} mails were left alone for their date",
                "nothing to do: they are taken in now",
            )  # fmt: skip

    def set_marked_in_desk(self, numbers: Sequence[int]) -> None:
        """See `Ledger.set_marked`."""
        with self._store.transaction():
            self._store.ledger.set_marked(numbers)

    def leave_alone_in_desk(
        self, mailbox: str, folder: str, names: Sequence[tuple[str, int, datetime]], reason: str
    ) -> None:
        """See `Ledger.leave_alone`."""
        with self._store.transaction():
            self._store.ledger.leave_alone(mailbox, folder, names, reason, self._clock())

    def alarm_in_desk(self, alarm: Alarm) -> None:
        """Tell the admins."""
        self._line.alarm_now(alarm)

    def alarm_once_in_desk(self, alarm: Alarm) -> None:
        """Tell the admins, unless they were told these very words and it is not over."""
        state = self._store.alarms.get(alarm.kind)
        if not (state and state.told and state.what == alarm.what):
            self._line.alarm_now(alarm)

    def recovered_in_desk(self, kind: str) -> None:
        """End an alarm."""
        self._line.recovered_now(kind)

    def close(self) -> None:
        """Close the connection for reading."""
        self._reader.close()
