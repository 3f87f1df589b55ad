"""The daemon: wires rooms, threads and the clock together, from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from mailtickets import maillog
from mailtickets.audit import (
    AUDIT_EVERY,
    BOOKS,
    FIRST_AUDIT_AFTER,
    BooksTrouble,
    books_alarm,
    check_books,
)
from mailtickets.clocks import look_at_clocks, utc_now
from mailtickets.clockwork import Clockwork, Job
from mailtickets.deskthread import DeskThread
from mailtickets.first_polls import FirstPolls
from mailtickets.joining import join_folders
from mailtickets.lookout import Lookout
from mailtickets.parts import Parts, join_mailboxes, make_parts
from mailtickets.readying import open_line, rules_of
from mailtickets.reloading import RELOAD, ReloadRefused, read_anew, reload_alarm
from mailtickets.reporting import ReportJob
from mailtickets.retention import forget_old
from mailtickets.sending_loop import SendingLoop
from mailtickets.source import sources
from mailtickets.standstill import Standstill
from mailtickets.store import Store, StoreUnusable
from mailtickets.store.lock import StoreLock
from mailtickets.systemd import sd_notify
from mailtickets.watching import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailtickets.config import Config
    from mailtickets.desk.pausing import Look
    from mailtickets.pipeline import Line
    from mailtickets.recording import Rules
    from mailtickets.templates import Templates


STOP_SECONDS = 20.0
REPORT_LOOK_SECONDS = 30
CLOCK_SET_SECONDS = 5.0
OPEN_AGAIN_SECONDS = 5.0

_Result = TypeVar("_Result")


class Daemon:
    """One desk at work: `run` returns when it was told to stop."""

    def __init__(
        self,
        config: Config,
        clock: Callable[[], datetime] = utc_now,
        audit_every: timedelta = AUDIT_EVERY,
        patience: Patience = Patience(),  # noqa: B008  (frozen)
    ) -> None:
        self._config, self._clock, self._audit_every = config, clock, audit_every
        self._standstill = Standstill(config.desk.store.parent)
        self._lookout = Lookout(config, clock, patience, self._standstill)
        self._clockwork = Clockwork(self._jobs())
        self._started_by_clock: float | None = (
            None  # when the machine was started, by the clock as it is set now
        )
        self._lock = StoreLock(config.desk.store)
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._report_job = ReportJob(clock)

    async def run(self) -> int:
        """Work until SIGTERM or SIGINT; return the exit code. Raises StoreBusy, StoreUnusable."""
        try:
            return await self._run()
        except StoreUnusable as error:
            await self._lookout.refused(error)
            raise

    async def _run(self) -> int:
        with self._lock:
            self._loop = asyncio.get_running_loop()
            self._loop.set_exception_handler(_fault_in_loop)
            self._stop, self._at_work = asyncio.Event(), asyncio.Event()
            self._reloading = asyncio.Lock()
            self._sending = SendingLoop(self._standstill, self._lookout.sender)
            self._first_polls = FirstPolls(_folders_of(self._config, self._clock()))
            self._signals()
            opened = await self._opened()
            if opened is None:
                await self._lookout.end()
                return 0
            self._first_polls.held_since = self._desk.held_since
            self._parts = self._make_parts(self._config, *opened)
            self._watch_parts()
            self._desk.call(self._parts.line.recovered_now, RELOAD)  # this configuration is a good one
            self._clockwork.start()
            self._at_work.set()
            # Up: mail is stored and sent from here on. A mail server that is down must not make systemd restart us.
            sd_notify("READY=1\nSTATUS=")
            for mailbox in self._parts.mailboxes:
                mailbox.start()
            if not self._parts.mailboxes:
                self._ready()
            self._lookout.sending = sending = asyncio.create_task(
                self._sending.run(lambda: self._parts.sender)
            )
            watching = self._lookout.begin()
            try:
                await self._stop.wait()
            finally:
                self._clockwork.stop()
                watching.cancel()
                await self._end(sending)
                await self._lookout.end()
            return 0

    def _open_line(self) -> tuple[Store, Line]:
        store, line = open_line(self._config, self._clock)
        line.pauses.at_start(self._clock())
        return store, line

    def _look(self) -> Look:
        look = look_at_clocks(self._clock)
        started = look.wall.timestamp() - look.since_boot
        if self._started_by_clock is not None and abs(started - self._started_by_clock) > CLOCK_SET_SECONDS:
            self._loop.call_soon_threadsafe(self._wind_anew)
        self._started_by_clock = started
        return look

    def _wind_anew(self) -> None:
        if not self._stop.is_set():
            self._clockwork.begin_anew()

    async def _opened(self) -> tuple[Store, Line] | None:
        """Open the store, and wait while its disk is full or another program holds it; None: told to stop meanwhile.

        Ending here would not help: systemd gives up after a few starts, and nobody would start the desk again. Where only
        a person can mend it (a wrong path, no rights, damage) it is refused at once, for whoever starts the desk to read.
        """
        stopped = asyncio.create_task(self._stop.wait())
        while not self._stop.is_set():
            self._desk = DeskThread(
                self._open_line,
                self._sending.wake_from_thread,
                self._slept,
                self._look,
                self._standstill,
                self._lookout.store,
            )
            opening = asyncio.wrap_future(self._desk.open())
            either: list[asyncio.Future[Any]] = [opening, stopped]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not opening.done():
                break
            error = opening.exception()
            if error is None:
                self._standstill.end("starting")
                self._lookout.opened()
                stopped.cancel()
                return opening.result()
            trouble = self._standstill.trouble(error)
            if not (trouble and trouble.passing and self._standstill.begin("starting", error)):
                raise error
            self._lookout.waits_for_store(trouble)
            await asyncio.wait({stopped}, timeout=OPEN_AGAIN_SECONDS)
        return None

    # -- parts -------------------------------------------------------------------------------

    def _make_parts(self, config: Config, store: Store, line: Line) -> Parts:
        return make_parts(
            config, store, line, self._desk, self._lookout, self._standstill, self._clock, self._holder,
            self._first_round, self._audit_every,
        )  # fmt: skip

    def _watch_parts(self) -> None:
        parts = self._parts
        self._lookout.use(parts.config, self._desk, parts.store, parts.line, parts.pools, parts.mailboxes)

    def _jobs(self) -> list[Job]:
        jobs = [
            Job(self._look_at_outbox, timedelta(seconds=1)),
            Job(self._queue_reports, timedelta(seconds=REPORT_LOOK_SECONDS), first=timedelta(seconds=2)),
            Job(self._daily, timedelta(days=1), first=timedelta(minutes=5)),
            Job(self._check_books, self._audit_every, first=min(self._audit_every, FIRST_AUDIT_AFTER)),
        ]
        if watchdog := os.environ.get("WATCHDOG_USEC"):
            jobs.append(Job(self._feed_watchdog, timedelta(seconds=max(int(watchdog) / 2_000_000, 0.1))))
        return jobs

    def _signals(self) -> None:
        self._loop.add_signal_handler(signal.SIGHUP, lambda: asyncio.ensure_future(self._reload()))
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._told_to_stop)

    def _told_to_stop(self) -> None:
        if self._stop.is_set():
            maillog.note("stopping at once")
            os._exit(0)  # the second signal: everything that counts is committed
        maillog.note("stopping")
        sd_notify("STOPPING=1")
        self._stop.set()

    # -- at work -----------------------------------------------------------------------------

    async def _look_at_outbox(self) -> None:
        """Wake the sender; a coroutine, as only those run in the loop, where that may be done."""
        self._sending.wake()

    def _slept(self, held_since: float) -> None:
        """The machine has slept: as after downtime, mail is read before timers fire. In the desk's thread."""
        self._loop.call_soon_threadsafe(self._read_anew, held_since)

    def _read_anew(self, held_since: float) -> None:
        self._first_polls.hold(held_since)
        maillog.note("awake again; mail is read before timers fire")
        for mailbox in self._parts.mailboxes:
            mailbox.look_now()
        if self._first_polls.done:
            self._desk.let_timers_go(held_since)

    def _first_round(self, mailbox: str, folder: str, began: float) -> None:
        self._loop.call_soon_threadsafe(self._polled, mailbox, folder, began)

    def _polled(self, mailbox: str, folder: str, began: float) -> None:
        if self._first_polls.ended((mailbox, folder), began):
            self._lookout.first_poll()
            if self._first_polls.done:
                self._ready()

    def _ready(self) -> None:
        self._desk.call(self._parts.line.mailboxes_are_read)
        self._desk.let_timers_go(self._first_polls.held_since)
        maillog.ready(
            store=str(self._config.desk.store), mailboxes=len(self._config.mailboxes), pid=os.getpid()
        )

    async def _feed_watchdog(self) -> None:
        if self._lookout.moves():
            sd_notify("WATCHDOG=1")

    async def _queue_reports(self) -> None:
        await self._report_job.run(self._desk, self._parts.line, self._config.desk.store, self._sending.wake)

    def _daily(self) -> None:
        self._desk.call(self._forget_old)

    async def _check_books(self) -> None:
        """Look for rows of the books that are not as they should be, and tell the admins; mailboxes are their threads' part."""
        try:
            found = await asyncio.to_thread(_books_trouble, self._config, self._clock())
        except Exception as error:  # noqa: BLE001  (a store in trouble is told elsewhere)
            maillog.broken("checking the books failed; it is tried again", None, error)
            return
        line = self._parts.line
        if found.stuck or found.lost:
            self._desk.call(line.alarm_now, books_alarm(found))
        else:
            self._desk.call(line.recovered_now, BOOKS)

    def _forget_old(self) -> None:
        if self._parts.line.pauses.in_doubt(self._look()):
            return  # what seems old may be new; tomorrow is another day
        forget_old(self._parts.store, self._clock())

    # -- reload and end ----------------------------------------------------------------------

    async def _reload(self) -> None:
        """Take a changed configuration whole, or keep the good one whole; one at a time, none while stopping."""
        async with self._reloading:
            await self._at_work.wait()
            if not self._stop.is_set():
                await self._reload_now()

    async def _reload_now(self) -> None:
        sd_notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            config, templates = await asyncio.to_thread(read_anew, self._config)
        except ReloadRefused as refused:
            await self._kept(refused.reason)
            return
        try:
            prepared = await self._in_desk(self._prepare, config, templates)
        except Exception as error:  # noqa: BLE001  (whatever it is: nothing was changed yet)
            await self._kept(f"the store cannot be read ({error})")
            return
        await self._swap(config, *prepared)
        self._desk.call(self._parts.line.recovered_now, RELOAD)
        maillog.note("reloaded", file=str(config.path))
        sd_notify("READY=1")

    async def _kept(self, why: str) -> None:
        """Tell the log and the admins that a reload failed; `status` shows it until one succeeds."""
        sd_notify("READY=1")
        alarm = reload_alarm(why)
        try:
            await self._in_desk(self._parts.line.alarm_now, alarm)
        except Exception:  # noqa: BLE001  (a store in trouble is told elsewhere; this stands in the log at least)
            maillog.trouble(alarm.what, alarm.why, alarm.remedy)

    async def _in_desk(self, function: Callable[..., _Result], *arguments: object) -> _Result:
        return cast("_Result", await asyncio.wrap_future(self._desk.call(function, *arguments)))

    def _prepare(self, config: Config, templates: Templates) -> tuple[Rules, Parts]:
        """Make everything new before anything old is stopped; in the desk's thread, which has the store."""
        old = self._parts
        join_folders(config, old.store)
        rules = rules_of(config, old.store, templates)
        return rules, self._make_parts(config, old.store, old.line)

    async def _swap(self, config: Config, rules: Rules, parts: Parts) -> None:
        old = self._parts
        old.sender.stop()
        for mailbox in old.mailboxes:
            mailbox.stop()
        await asyncio.to_thread(join_mailboxes, old.mailboxes, STOP_SECONDS / 2)
        await self._in_desk(old.line.use, rules)  # afterwards the desk moves timers
        self._config, self._parts = config, parts
        self._watch_parts()
        if self._first_polls.use(_folders_of(config, self._clock())):
            self._ready()
        parts.sender.take_over(old.sender)
        for mailbox in self._parts.mailboxes:
            mailbox.start()
        for pool in old.pools.values():
            await pool.close(STOP_SECONDS)

    async def _end(self, sending: asyncio.Task[None]) -> None:
        """Finish the mail in hand, then end: threads first, then what is being sent, then the store.

        All of it within STOP_SECONDS, whatever servers and the store do: what counts is committed.
        """
        parts, began = self._parts, time.monotonic()
        for mailbox in parts.mailboxes:
            mailbox.stop()
        parts.sender.stop()
        joining = asyncio.create_task(asyncio.to_thread(join_mailboxes, parts.mailboxes, STOP_SECONDS / 2))
        await self._sending.finish(sending, parts.pools.values(), STOP_SECONDS - 5)
        await joining
        await asyncio.to_thread(self._desk.stop, max(began + STOP_SECONDS - 1 - time.monotonic(), 1.0))
        maillog.note("stopped")


def _fault_in_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio could tell nobody; in its own words the exception's would stand, which may be a customer's."""
    maillog.broken(f"asyncio: {context['message']}", None, context.get("exception"))


def _folders_of(config: Config, now: datetime) -> set[tuple[str, str]]:
    return {(source.name, source.folder) for source in sources(config, lambda *_: now)}


def _books_trouble(config: Config, now: datetime) -> BooksTrouble:
    with contextlib.closing(Store.read(config.desk.store)) as store:
        return check_books(store, now)
