"""Looks at the running desk every few seconds: writes the heartbeat, tells the admins of outages, vouches to systemd.

What it sees is judged by `watching.py`. Runs in the asyncio loop.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from mailtickets import __version__, heartbeat, maillog, told
from mailtickets.accounts import secret_variables
from mailtickets.alerting import RECOVERED, TROUBLE, Bell, News, no_original
from mailtickets.clocks import awake, since_boot
from mailtickets.config_types import Route
from mailtickets.desk.ticket import Alarm
from mailtickets.heartbeat import BEAT_SECONDS, Beat
from mailtickets.progress import Failure, Progress
from mailtickets.rounds import note_daemon
from mailtickets.store import store_trouble
from mailtickets.systemd import sd_notify
from mailtickets.told import Told
from mailtickets.watching import (
    DIRECT,
    LOOP,
    START,
    STORE,
    AccountSeen,
    MailboxSeen,
    Patience,
    Seen,
    failing,
    hangs,
    judge,
    now_true,
    said_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from mailtickets.config import Config
    from mailtickets.deskthread import DeskThread
    from mailtickets.mailboxthread import MailboxThread
    from mailtickets.pipeline import Line
    from mailtickets.source import Source
    from mailtickets.standstill import Standstill
    from mailtickets.store import Store, StoreUnusable
    from mailtickets.store.alarms import AlarmState
    from mailtickets.store.trouble import StoreTrouble
    from mailtickets.transport.smtp import SmtpPool

RAISE_AGAIN_SECONDS = 300.0  # a trouble that lasts is noted so often; the admins hear of it once an hour
TELL_AGAIN_SECONDS = 3600.0
# What cannot be stored is tried again within a minute: so long without a failure, and it is over.
QUIET_SECONDS = 180.0
CHANGE_SECONDS = 0.5  # a look at a change waits so long: what flaps must not be written down each time
# By how much systemd is asked to wait longer for a start that waits for the store, at each try.
START_SECONDS = 300


class Lookout:
    """Keeps what each part last managed to do, over reloads, and acts on what it sees.

    clock       the present time, aware, in UTC.
    patience    how long is too long.
    standstill  which work waits for the store.
    """

    def __init__(
        self, config: Config, clock: Callable[[], datetime], patience: Patience, standstill: Standstill
    ) -> None:
        self._config, self._clock, self._patience, self._standstill = config, clock, patience, standstill
        self._loop: asyncio.AbstractEventLoop | None = None
        self._change = asyncio.Event()  # something began or ended to fail: look at once
        self._written_at = float("-inf")  # when the store was written last, as far as is seen here
        self._mailboxes: dict[tuple[str, str], Progress] = {}
        self._accounts: dict[str, Progress] = {}
        self.store, self.sender = self._progress(), self._progress()
        self._started_at = clock()
        self._bell = Bell(since_boot, self._heard)
        self._lags: deque[tuple[float, float]] = deque()  # (when, seconds) of times when the loop stood still
        self._open: set[str] | None = None  # kinds of open alarms of ours; None: not read yet
        self._raised: dict[str, float] = {}
        self._direct: dict[str, Alarm] = {}  # told past the outbox and not over
        self._direct_at: dict[str, float] = {}  # when they were told last
        self._told: dict[str, Told] = {}  # the same as it was heard and a new start should know it
        self._at_work = (
            False  # the store is open; before, only the heartbeat and the commands can tell anything
        )
        self._threads: Sequence[MailboxThread] = ()
        self._looking: asyncio.Task[None] | None = None
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._beating: asyncio.Task[None] | None = None
        self._oldest_due: datetime | None = None
        self._said = ""
        self.sending: asyncio.Task[None] | None = None
        self._troubles: Sequence[Alarm] = ()

    # -- what is watched ---------------------------------------------------------------------

    def mailbox(self, source: Source) -> Progress:
        """Return where a folder's thread notes its progress."""
        return self._mailboxes.setdefault((source.name, source.folder), self._progress())

    def account(self, name: str) -> Progress:
        """Return where it is noted what becomes of mails of an account; "" is [smtp]."""
        return self._accounts.setdefault(name, self._progress())

    def _progress(self) -> Progress:
        return Progress(clock=self._clock, changed=self._changed)

    def _changed(self) -> None:
        """Look at once, so that others see it; from any thread."""
        with suppress(RuntimeError):  # the loop has ended
            if self._loop:
                self._loop.call_soon_threadsafe(self._change.set)

    def use(self, config: Config, desk: DeskThread, store: Store, line: Line, pools: Mapping[str, SmtpPool],
            threads: Sequence[MailboxThread]) -> None:  # fmt: skip
        """Watch these parts from now on; what is not among them any more is forgotten."""
        self._config, self._desk, self._store, self._line = config, desk, store, line
        self._pools, self._threads, self._at_work = pools, threads, True
        here = {(thread.source.name, thread.source.folder) for thread in threads}
        self._mailboxes = {key: one for key, one in self._mailboxes.items() if key in here}
        self._accounts = {name: one for name, one in self._accounts.items() if name in pools}
        self._change.set()

    def waits_for_store(self, trouble: StoreTrouble) -> None:
        """Watch from now on, although the store cannot be opened yet; systemd must not end a start that waits for it."""
        self.begin()
        self.store.failed(trouble.reason, trouble.remedy)
        sd_notify(f"EXTEND_TIMEOUT_USEC={START_SECONDS * 1_000_000}\nSTATUS=Waits: {trouble.reason}")

    def opened(self) -> None:
        """The store is open; what was told of it is over only once it was written for a while."""
        if STORE not in self._direct:
            self.store.well()

    async def refused(self, error: StoreUnusable) -> None:
        """Tell why the daemon ends at its start, where systemd started it; otherwise somebody is there and reads it."""
        if not sd_notify(f"STATUS={error.reason}"):
            return
        if self._looking is None:
            self._remember()
        self._raise_direct(Alarm(START, "The desk cannot start", f"the store {error.path.name} {error.reason}", error.remedy))  # fmt: skip
        self._bell.ring()
        await self._bell.finish()
        told.write(self._config.desk.store, self._told)
        if self._looking:
            await self.end()

    # -- looking -----------------------------------------------------------------------------

    def begin(self) -> asyncio.Task[None]:
        """Look for ever, from the first call on; return the task that does."""
        if self._looking is None:
            self._remember()
            self._loop = asyncio.get_running_loop()
            self._looking = asyncio.create_task(self._run())
        return self._looking

    def _remember(self) -> None:
        """Read what was told past the outbox before the start, and make room to keep such things."""
        now, clock = since_boot(), self._clock()
        for kind, one in told.read(self._config.desk.store).items():
            age = max((clock - one.at).total_seconds(), 0.0)
            if one.over and age > TELL_AGAIN_SECONDS:
                continue
            self._told[kind], self._direct_at[kind] = replace(one, mended=False), now - age
            if not one.over:
                self._direct[kind] = one.alarm
            if kind == STORE and not one.over and not one.mended:
                # It counts as failing until it was written for a while.
                lasts = max((clock - (one.alarm.since or one.at)).total_seconds(), 0.0)
                self.store.failure = Failure(now - lasts, now, one.alarm.why, one.alarm.remedy, at_once=True)
        told.write(self._config.desk.store, self._told)

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        self.beat()
        if self._at_work:
            self._begin("open alarms", self._read_open())
        while True:
            before = clock()
            await self._next_look()
            lag = max(clock() - before - BEAT_SECONDS, 0.0)
            if lag >= self._patience.loop.total_seconds():
                self._lags.append((awake(), lag))
            try:
                self._look()
            except Exception as error:  # noqa: BLE001  (the watching goes on whatever happens)
                maillog.broken("the desk could not look at itself; it is tried again", None, error)

    async def _next_look(self) -> None:
        """Wait for the time of the next look, or until something begins or ends to fail."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._change.wait(), BEAT_SECONDS)
            await asyncio.sleep(CHANGE_SECONDS)
            if self._beating:
                await asyncio.wait({self._beating}, timeout=CHANGE_SECONDS)
        self._change.clear()

    async def end(self) -> None:
        """Stop telling, and say by the missing heartbeat that the end was clean."""
        if self._looking:
            self._looking.cancel()
        for task in list(self._under_way.values()):
            task.cancel()
        await self._bell.close()
        if self._beating:
            await asyncio.wait({self._beating}, timeout=5)
        heartbeat.remove(self._config.desk.store)
        if not self._told:
            told.remove(self._config.desk.store)

    def _look(self) -> None:
        judgement = judge(self.seen(), self._patience)
        self._troubles = judgement.troubles
        if self._beating is None or self._beating.done():  # else the disk hangs
            self.beat()
        self._tell(judgement.troubles, judgement.unknown)
        self._bell.ring()
        if self._at_work:
            self._note()

    def seen(self) -> Seen:
        """Return the desk as it is now."""
        now, now_awake = since_boot(), awake()
        while self._lags and now_awake - self._lags[0][0] > self._patience.loop_well.total_seconds():
            self._lags.popleft()
        mailboxes = []
        for thread in self._threads:
            source = thread.source
            one = self._mailboxes[source.name, source.folder]
            moved = one.moved_at
            mailboxes.append(
                MailboxSeen(
                    kind=f"mailbox {self._name(source)}",
                    name=f"mailbox {self._name(source)}",
                    poll=timedelta(seconds=source.poll_seconds),
                    silent=timedelta(seconds=now - (one.began if one.well_at is None else one.well_at)),
                    silent_awake=timedelta(seconds=one.silent_awake),
                    polled=one.well_at is not None,
                    failure=one.failure,
                    stuck=None if moved is None else timedelta(seconds=now_awake - moved),
                    alive=thread.is_alive() or thread.is_stopping,
                )
            )
        accounts = [
            AccountSeen(f"smtp {name}".strip(), one.well_at is not None, one.failure, one.put_off)
            for name, one in list(self._accounts.items())
        ]
        moved = self.sender.moved_at
        return Seen(
            now=now,
            on=self._clock(),
            mailboxes=mailboxes,
            accounts=accounts,
            store=self.store.failure,
            store_again=self._is_written_again(),
            loop_lag=timedelta(seconds=max((lag for _, lag in self._lags), default=0.0)),
            desk_turn=timedelta(seconds=self._desk_turn()),
            desk_alive=not self._at_work or self._desk.is_alive(),
            sender_stuck=None if moved is None else timedelta(seconds=now_awake - moved),
            sender_alive=self.sending is None or not self.sending.done(),
        )

    def _is_written_again(self) -> bool:
        failure = self.store.failure
        # What is noted here is small: on a full disk there may be room for that and for no mail.
        return failure is not None and self._written_at > failure.last and not self._standstill.waits

    def moves(self) -> bool:
        """Tell whether all parts of this process move, for systemd: see `hangs`. Says once what does not."""
        said = hangs(self.seen(), self._patience)
        if said and not self._said:
            maillog.trouble("systemd is not told that all is well", said, "it will start the desk anew")
        self._said = said
        return not said

    def _desk_turn(self) -> float:
        """Return the seconds awake since the desk's thread last turned; 0 where it waits for the store."""
        return awake() - self._desk.last_turn if self._at_work else 0.0

    def _name(self, source: Source) -> str:
        mailbox = self._config.mailboxes.get(source.name)
        main = mailbox is None or source.folder in {"", mailbox.folder}
        return source.name if main else f"{source.name}/{source.folder}"

    # -- the store's part --------------------------------------------------------------------

    def first_poll(self) -> None:
        """A mailbox was read for the first time: others see it at once."""
        self.beat()
        self._note()

    def _note(self) -> None:
        """Note the last poll and send in the store, and what is due: a write that shows whether it can be written."""
        self._begin("note", self._noted())

    async def _noted(self) -> None:
        began = since_boot()
        done = await self._in_desk(self._note_in_desk)
        if done:
            self._written_at = began
        if done and self.store.failure and since_boot() - self.store.failure.last > QUIET_SECONDS:
            self.store.well()

    def _note_in_desk(self) -> bool:
        polls = [one.well_on for one in list(self._mailboxes.values()) if one.well_on]
        sends = [one.well_on for one in list(self._accounts.values()) if one.well_on]
        self._oldest_due = self._store.views.oldest_due(self._clock())
        with self._store.transaction():
            for name, moments in (("last_poll", polls), ("last_send", sends)):
                if moments:
                    self._store.set_setting(name, max(moments).isoformat())
            self._store.set_setting("watched_at", self._clock().isoformat())
            note_daemon(self._store)
        return True

    def _begin(self, name: str, what: Coroutine[Any, Any, None]) -> None:
        """Do something beside the looking; one of a name at a time, since the desk's thread may take its time."""
        if name in self._under_way:
            what.close()
            return
        task = self._under_way[name] = asyncio.create_task(what)
        task.add_done_callback(lambda _: self._under_way.pop(name))

    async def _in_desk(self, function: Callable[..., object], *arguments: object) -> object:
        """Run a function in the desk's thread; None where it failed, as with a store in trouble: that is told elsewhere."""
        done = asyncio.wrap_future(self._desk.call(function, *arguments))
        await asyncio.wait({done})
        if done.cancelled():
            return None
        if error := done.exception():
            if not store_trouble(error):
                maillog.broken("an outage could not be noted; it is tried again", None, error)
            return None
        return done.result()

    # -- telling -----------------------------------------------------------------------------

    def _routes(self) -> tuple[list[str], list[tuple[str, ...]]]:
        """Return the accounts that an outage is mailed by, and the commands that tell it."""
        alert = self._config.desk.alert
        ordinary = next(iter(self._config.queues.values())).smtp
        accounts = [ordinary] if "mail" in alert else []
        accounts += [one.smtp_account for one in alert if isinstance(one, Route) and one.smtp_account]
        return list(dict.fromkeys(accounts)), [one.command for one in alert if isinstance(one, Route) and one.command]  # fmt: skip

    def _tell(self, troubles: Sequence[Alarm], unknown: frozenset[str]) -> None:
        for alarm in troubles:
            if alarm.kind in DIRECT:
                self._raise_direct(alarm)
        lasting = {alarm.kind for alarm in troubles} | unknown
        lasting |= set() if self._at_work else {START}
        lasting |= {STORE} if self.store.failure else set()
        for kind in set(self._direct) - lasting:
            maillog.note("recovered", kind=kind)
            self._ring(self._direct.pop(kind), RECOVERED, past_the_outbox=True)
        if not self._at_work:
            return
        if self._open is None:
            self._begin("open alarms", self._read_open())
            return
        for alarm in troubles:
            if alarm.kind not in DIRECT:
                self._begin(alarm.kind, self._raise(alarm))
        for kind in self._open - lasting:
            self._begin(kind, self._recover(kind))

    async def _read_open(self) -> None:
        opened = await self._in_desk(self._store.alarms.open)
        if isinstance(opened, list):
            self._open = {state.kind for state in opened if self._ours(state.kind)}

    @staticmethod
    def _ours(kind: str) -> bool:
        return kind == LOOP or kind.partition(" ")[0] in {"mailbox", "smtp"}

    async def _raise(self, alarm: Alarm) -> None:
        now = since_boot()
        if self._open is None or now - self._raised.get(alarm.kind, float("-inf")) < RAISE_AGAIN_SECONDS:
            return
        told = await self._in_desk(self._line.alarm_now, alarm, self._routes()[0])
        if told is None:
            return  # the store is in trouble: tried again at the next look
        self._raised[alarm.kind] = now
        self._open.add(alarm.kind)
        if told:
            self._ring(alarm, TROUBLE)
            self._bell.ring()

    async def _recover(self, kind: str) -> None:
        ended = await self._in_desk(self._recover_in_desk, kind)
        if not isinstance(ended, list) or self._open is None:
            return
        self._raised.pop(kind, None)
        self._open.discard(kind)
        for state in ended:
            if state.told:
                self._ring(Alarm(kind, state.what, state.why, state.remedy, since=state.since), RECOVERED)
                self._bell.ring()

    def _recover_in_desk(self, kind: str) -> list[AlarmState]:
        state = self._line.recovered_now(kind, self._routes()[0])
        return [state] if state else []

    def _raise_direct(self, alarm: Alarm) -> None:
        """Tell what the outbox cannot: at most once an hour, from memory, since the store cannot keep it."""
        now = since_boot()
        if now - self._direct_at.get(alarm.kind, float("-inf")) >= TELL_AGAIN_SECONDS:
            self._direct[alarm.kind], self._direct_at[alarm.kind] = alarm, now
            maillog.trouble(alarm.what, alarm.why, alarm.remedy, kind=alarm.kind)
            self._ring(alarm, TROUBLE, past_the_outbox=True)

    def _ring(self, alarm: Alarm, state: str, *, past_the_outbox: bool = False) -> None:
        """Tell by the commands, and by mail where the outbox does not do that."""
        accounts, commands = self._routes()
        now = self._clock()
        if state == RECOVERED and alarm.since is None:
            lasted = timedelta(seconds=since_boot() - self._direct_at.get(alarm.kind, since_boot()))
            alarm = replace(alarm, since=now - lasted)
        news = News(alarm, state, self._config.desk.name, self._config.desk.zone, now)
        for command in commands:
            self._bell.command(command, news, secret_variables(self._config))
        if not (past_the_outbox and self._at_work):
            return
        values: dict[str, object] = {"what": alarm.what, "since": alarm.since or now}
        if state == TROUBLE:
            values |= {"why": alarm.why, "remedy": alarm.remedy, "goes_on": alarm.goes_on, "lines": []}
        else:
            values["until"] = now
        mails = self._line.rules.writer.to_admins(state, values, "", no_original, now)
        for account in accounts if mails else ():
            self._bell.mail(account, partial(self._pools.__getitem__, account), mails, news)

    def _heard(self, news: News) -> None:
        """Keep what the admins know now, where the store cannot."""
        kind, before = news.alarm.kind, self._told.get(news.alarm.kind)
        if kind not in DIRECT:
            return
        if news.state == TROUBLE:
            self._told[kind] = Told(news.alarm, self._clock())
        elif before:
            self._told[kind] = replace(before, over=True)
        if self._looking:
            self.beat()

    # -- the heartbeat -----------------------------------------------------------------------

    def beat(self) -> None:
        """Write the heartbeat beside the loop: a disk that hangs must not hold it up."""
        sends = [one.well_on for one in list(self._accounts.values()) if one.well_on]
        seen = self.seen()
        beat = Beat(
            pid=os.getpid(),
            at=_text(self._clock()),
            started_at=_text(self._started_at),
            version=__version__,
            last_poll={
                self._name(thread.source): _text_or_none(self.mailbox(thread.source).well_on)
                for thread in self._threads
            },
            last_send=_text_or_none(max(sends, default=None)),
            oldest_due=_text_or_none(self._oldest_due),
            loop_lag_s=round(max((lag for _, lag in self._lags), default=0.0), 3),
            desk_turn_age_s=round(self._desk_turn(), 3),
            troubles=[said_of(alarm) for alarm in now_true(self._troubles, seen)],
            failures=[said_of(alarm) for alarm in failing(seen)] if self._at_work else [],
        )
        self._beating = asyncio.create_task(self._write(beat, dict(self._told), self._beating))

    async def _write(self, beat: Beat, news: dict[str, Told], before: asyncio.Task[None] | None) -> None:
        if before:
            await asyncio.wait({before})
        await asyncio.to_thread(heartbeat.write, self._config.desk.store, beat)
        await asyncio.to_thread(told.write, self._config.desk.store, news)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _text_or_none(moment: datetime | None) -> str | None:
    return _text(moment) if moment else None
