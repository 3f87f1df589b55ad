"""The daemon: wires rooms, threads and the clock together. APScheduler is the clock only: its jobs set events."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from mailtickets import maillog
from mailtickets.accounts import ladder_of, mailbox_of, smtp_of
from mailtickets.audit import (
    AUDIT_EVERY,
    BOOKS,
    FIRST_AUDIT_AFTER,
    BooksTrouble,
    books_alarm,
    check_books,
)
from mailtickets.clocks import look_at_clocks, utc_now
from mailtickets.config import Config, ConfigInvalid, load
from mailtickets.desk.ticket import Alarm
from mailtickets.deskthread import DeskLedger, DeskThread
from mailtickets.intake import Intake, sources
from mailtickets.lookout import Lookout
from mailtickets.mailboxthread import MailboxThread
from mailtickets.readying import open_line, rules_of, templates_of
from mailtickets.reporting import make as make_report
from mailtickets.sending import Sender
from mailtickets.signatures import finding_keys
from mailtickets.standstill import Standstill
from mailtickets.store import Store, StoreUnusable, store_trouble
from mailtickets.store.database import StoreLock
from mailtickets.store.times import from_us
from mailtickets.systemd import sd_notify
from mailtickets.transport.smtp import SmtpPool
from mailtickets.watching import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailtickets.desk.pausing import Look
    from mailtickets.pipeline import Line
    from mailtickets.recording import Rules
    from mailtickets.templates import Templates


STOP_SECONDS = 20.0
REPORT_LOOK_SECONDS = 30
CLOCK_SET_SECONDS = 5.0
KEEP_SENT_BYTES = timedelta(days=30)
OPEN_AGAIN_SECONDS = 5.0


RELOAD = "reload"  # the alarm that stands while the configuration file is not the one in use

_Result = TypeVar("_Result")


@dataclass
class _Parts:
    """What a running daemon is made of; made anew by a reload where it depends on the configuration."""

    config: Config
    store: Store
    line: Line
    mailboxes: list[MailboxThread]
    sender: Sender
    pools: dict[str, SmtpPool]


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
        self._lookout = Lookout(config, clock, patience)
        self._scheduler: AsyncIOScheduler | None = None
        self._started_by_clock: float | None = (
            None  # when the machine was started, by the clock as it is set now
        )
        self._lock = StoreLock(config.desk.store)
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._sending_now = False
        self._standstill = Standstill()
        self._report_again: dict[str, datetime] = {}  # name to when a failed report is tried again

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
            self._stop, self._outbox, self._at_work = asyncio.Event(), asyncio.Event(), asyncio.Event()
            self._reloading = asyncio.Lock()
            self._waiting_for_first_round = _names_of(self._config, self._clock())
            self._signals()
            opened = await self._opened()
            if opened is None:
                await self._lookout.end()
                return 0
            self._held_since = self._desk.held_since
            self._parts = self._make_parts(self._config, *opened)
            self._watch_parts()
            self._desk.call(self._parts.line.recovered_now, RELOAD)  # this configuration is a good one
            self._scheduler = self._clockwork()
            self._at_work.set()
            # Up: mail is stored and sent from here on. A mail server that is down must not make systemd restart us.
            sd_notify("READY=1\nSTATUS=")
            for mailbox in self._parts.mailboxes:
                mailbox.start()
            if not self._parts.mailboxes:
                self._ready()
            self._lookout.sending = sending = asyncio.create_task(self._send_for_ever())
            watching = self._lookout.begin()
            try:
                await self._stop.wait()
            finally:
                self._scheduler.shutdown(wait=False)
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
        """The clock was set, and the scheduler goes by it: put back, its jobs would wait for times far ahead."""
        if self._scheduler is not None and not self._stop.is_set():
            self._scheduler.shutdown(wait=False)
            self._scheduler = self._clockwork()
            maillog.note("the clock was set; the clockwork begins anew")

    async def _opened(self) -> tuple[Store, Line] | None:
        """Open the store, and wait while its disk is full or another program holds it; None: told to stop meanwhile.

        Ending here would not help: systemd gives up after a few starts, and nobody would start the desk again. Where only
        a person can mend it (a wrong path, no rights, damage) it is refused at once, for whoever starts the desk to read.
        """
        stopped = asyncio.create_task(self._stop.wait())
        while not self._stop.is_set():
            self._desk = DeskThread(
                self._open_line,
                self._wake_sender,
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
            trouble = store_trouble(error)
            if not (trouble and trouble.passing and self._standstill.begin("starting", error)):
                raise error
            self._lookout.waits_for_store(trouble)
            await asyncio.wait({stopped}, timeout=OPEN_AGAIN_SECONDS)
        return None

    # -- parts -------------------------------------------------------------------------------

    def _make_parts(self, config: Config, store: Store, line: Line) -> _Parts:
        pools = {name: SmtpPool(smtp_of(config, name)) for name in ("", *config.smtp_accounts)}
        ladders = {name: ladder_of(config, name) for name in pools}
        accounts = {name: self._lookout.account(name) for name in pools}
        sender = Sender(
            line, pools, ladders, self._desk.call_soon, self._clock, self._holder, accounts, self._lookout.sender.move
        )  # fmt: skip
        return _Parts(config, store, line, self._make_mailboxes(config, store, line), sender, pools)

    def _make_mailboxes(self, config: Config, store: Store, line: Line) -> list[MailboxThread]:
        first_start = from_us(int(store.setting("first_start", "0")))
        threads = []
        for source in sources(config, first_start):
            ledger = DeskLedger(Store.read(config.desk.store), store, line, self._clock)
            desk = finding_keys(config, source.name, self._desk)
            intake = Intake(source, mailbox_of(config, source.name, source.folder), desk, ledger)
            threads.append(
                MailboxThread(
                    intake, self._desk, ledger, self._first_round, self._lookout.mailbox(source), self._standstill,
                    self._audit_every,
                )
            )  # fmt: skip
        return threads

    def _watch_parts(self) -> None:
        parts = self._parts
        self._lookout.use(parts.config, self._desk, parts.store, parts.line, parts.pools, parts.mailboxes)

    def _clockwork(self) -> AsyncIOScheduler:
        scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        scheduler.add_job(self._look_at_outbox, "interval", seconds=1)
        scheduler.add_job(
            self._reports,
            "interval",
            seconds=REPORT_LOOK_SECONDS,
            next_run_time=datetime.now(UTC) + timedelta(seconds=2),
        )
        scheduler.add_job(
            self._daily, "interval", hours=24, next_run_time=datetime.now(UTC) + timedelta(minutes=5)
        )
        scheduler.add_job(
            self._check_books,
            "interval",
            seconds=self._audit_every.total_seconds(),
            next_run_time=datetime.now(UTC) + min(self._audit_every, FIRST_AUDIT_AFTER),
        )
        if watchdog := os.environ.get("WATCHDOG_USEC"):
            scheduler.add_job(self._feed_watchdog, "interval", seconds=max(int(watchdog) / 2_000_000, 0.1))
        scheduler.start()
        return scheduler

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
        """Wake the sender; a coroutine, as only those run in the loop, where an Event may be set."""
        self._outbox.set()

    def _wake_sender(self) -> None:
        self._loop.call_soon_threadsafe(self._outbox.set)

    async def _send_for_ever(self) -> None:
        while True:
            await self._outbox.wait()
            self._outbox.clear()
            self._sending_now = True
            try:
                await self._parts.sender.send_due()
            except Exception as error:  # noqa: BLE001  (a fault in sending must not end the desk; the mails stay in the outbox)
                if not self._standstill.begin("sending", error):
                    maillog.broken("sending failed; it is tried again", None, error)
                await asyncio.sleep(5)
            else:
                self._standstill.end("sending")
            finally:
                self._sending_now = False
                self._lookout.sender.rest()

    def _slept(self, held_since: float) -> None:
        """The machine has slept: as after downtime, mail is read before timers fire. In the desk's thread."""
        self._loop.call_soon_threadsafe(self._read_anew, held_since)

    def _read_anew(self, held_since: float) -> None:
        self._held_since = held_since
        maillog.note("awake again; mail is read before timers fire")
        self._waiting_for_first_round = _names_of(self._config, self._clock())
        for mailbox in self._parts.mailboxes:
            mailbox.look_now()
        if not self._waiting_for_first_round:
            self._desk.let_timers_go(held_since)

    def _first_round(self, mailbox: str, folder: str, began: float) -> None:
        self._loop.call_soon_threadsafe(self._polled, mailbox, folder, began)

    def _polled(self, mailbox: str, folder: str, began: float) -> None:
        if began < self._held_since:
            return  # before the machine slept: it may have seen an old state of the mailbox
        was_waiting = bool(self._waiting_for_first_round)
        self._waiting_for_first_round.discard((mailbox, folder))
        if was_waiting:
            self._lookout.first_poll()
        if was_waiting and not self._waiting_for_first_round:
            self._ready()

    def _ready(self) -> None:
        self._desk.call(self._parts.line.mailboxes_are_read)
        self._desk.let_timers_go(self._held_since)
        maillog.ready(
            store=str(self._config.desk.store), mailboxes=len(self._config.mailboxes), pid=os.getpid()
        )

    async def _feed_watchdog(self) -> None:
        if self._lookout.moves():
            sd_notify("WATCHDOG=1")

    async def _reports(self) -> None:
        """Make and queue the reports that are due; one that fails is tried again in an hour, the others go out."""
        parts = self._parts
        try:
            due = await asyncio.wrap_future(self._desk.call(parts.line.reports.due))
        except Exception as error:  # noqa: BLE001  (a store in trouble is told elsewhere)
            maillog.broken("looking for due reports failed; it is tried again", None, error)
            return
        assert isinstance(due, list)  # noqa: S101  (for the type checker)
        for one in due:
            if self._report_again.get(one.plan.name, self._clock()) > self._clock():
                continue
            try:
                policy, path = parts.line.rules.policy, self._config.desk.store
                mail = await asyncio.to_thread(make_report, path, one, policy, self._clock())
                await asyncio.wrap_future(self._desk.call(parts.line.reports.queue, one, mail))
            except Exception as error:  # noqa: BLE001  (a report must not end the desk)
                maillog.broken(f"report {one.plan.name} failed; it is tried again in an hour", None, error)
                self._report_again[one.plan.name] = self._clock() + timedelta(hours=1)
            else:
                maillog.note("report queued", name=one.plan.name, period=one.occasion)
                self._outbox.set()

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
            config = await asyncio.to_thread(load, self._config.path)
            templates = await asyncio.to_thread(templates_of, config)
            problems = await asyncio.to_thread(templates.check)
        except ConfigInvalid as invalid:
            first, more = invalid.problems[0], len(invalid.problems) - 1
            await self._kept(str(first) + (f" (and {more} more)" if more else ""))
            return
        except OSError as error:
            await self._kept(str(error))
            return
        if problems:
            await self._kept(str(problems[0]))
            return
        if config.desk.store != self._config.desk.store:
            await self._kept("desk.store changed; that needs a restart")
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
        alarm = Alarm(
            RELOAD, "The reload failed; the old configuration stays", why, "correct the file and reload again"
        )
        try:
            await self._in_desk(self._parts.line.alarm_now, alarm)
        except Exception:  # noqa: BLE001  (a store in trouble is told elsewhere; this stands in the log at least)
            maillog.trouble(alarm.what, alarm.why, alarm.remedy)

    async def _in_desk(self, function: Callable[..., _Result], *arguments: object) -> _Result:
        return cast("_Result", await asyncio.wrap_future(self._desk.call(function, *arguments)))

    def _prepare(self, config: Config, templates: Templates) -> tuple[Rules, _Parts]:
        """Make everything new before anything old is stopped; in the desk's thread, which has the store."""
        old = self._parts
        rules = rules_of(config, old.store, templates)
        return rules, self._make_parts(config, old.store, old.line)

    async def _swap(self, config: Config, rules: Rules, parts: _Parts) -> None:
        old = self._parts
        old.sender.stop()
        for mailbox in old.mailboxes:
            mailbox.stop()
        await asyncio.to_thread(_join, old.mailboxes)
        await self._in_desk(old.line.use, rules)  # afterwards the desk moves timers
        before, self._config, self._parts = self._config, config, parts
        self._watch_parts()
        self._await_rounds_anew(before)
        parts.sender.take_over(old.sender)
        for mailbox in self._parts.mailboxes:
            mailbox.start()
        for pool in old.pools.values():
            await pool.close(STOP_SECONDS)

    def _await_rounds_anew(self, before: Config) -> None:
        """After a reload: wait for no mailbox that is there no more, and for new ones where timers wait anyway."""
        if not self._waiting_for_first_round:
            return
        read = _names_of(before, self._clock()) - self._waiting_for_first_round
        self._waiting_for_first_round = _names_of(self._config, self._clock()) - read
        if not self._waiting_for_first_round:
            self._ready()

    async def _end(self, sending: asyncio.Task[None]) -> None:
        """Finish the mail in hand, then end: threads first, then what is being sent, then the store.

        All of it within STOP_SECONDS, whatever servers and the store do: what counts is committed.
        """
        parts, began = self._parts, time.monotonic()
        for mailbox in parts.mailboxes:
            mailbox.stop()
        parts.sender.stop()
        joining = asyncio.create_task(asyncio.to_thread(_join, parts.mailboxes))
        await self._finish_sending(sending, parts)
        await joining
        await asyncio.to_thread(self._desk.stop, max(began + STOP_SECONDS - 1 - time.monotonic(), 1.0))
        maillog.note("stopped")

    async def _finish_sending(self, sending: asyncio.Task[None], parts: _Parts) -> None:
        """Let the mails on their way finish and be booked; cut them off only after the time for stopping."""
        self._outbox.set()
        deadline = time.monotonic() + STOP_SECONDS - 5
        while self._sending_now and time.monotonic() < deadline:
            await asyncio.wait({sending}, timeout=0.05)
        for pool in parts.pools.values():
            await pool.close(1.0)
        while self._sending_now and not sending.done() and time.monotonic() < deadline + 3:
            await asyncio.wait({sending}, timeout=0.05)
        sending.cancel()


def _fault_in_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio could tell nobody; in its own words the exception's would stand, which may be a customer's."""
    maillog.broken(f"asyncio: {context['message']}", None, context.get("exception"))


def _names_of(config: Config, now: datetime) -> set[tuple[str, str]]:
    return {(source.name, source.folder) for source in sources(config, now)}


def _books_trouble(config: Config, now: datetime) -> BooksTrouble:
    with contextlib.closing(Store.read(config.desk.store)) as store:
        return check_books(store, now)


def forget_old(store: Store, now: datetime) -> None:
    """Drop the bytes of mails sent long ago, and counts that no limit looks at; once a day."""
    with store.transaction():
        store.outbox.forget_bytes(now - KEEP_SENT_BYTES)
        store.tickets.forget_acknowledgements(now)
        store.set_setting("forgot_at", now.isoformat())
    store.release_memory()


def _join(threads: list[MailboxThread]) -> None:
    """Wait for mailboxes to end, for all of them together; one whose server is silent ends with the process."""
    deadline = time.monotonic() + STOP_SECONDS / 2
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))
