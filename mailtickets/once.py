"""One round without a daemon, and the taking in of one mail. Both act under the daemon's lock, or leave it the work."""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid
from concurrent.futures import Future
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.accounts import ladder_of, mailbox_of, smtp_of
from mailtickets.audit import NotCompared, audit
from mailtickets.clocks import utc_now
from mailtickets.crashpoints import reach
from mailtickets.desk.pausing import Cause
from mailtickets.deskthread import DeskLedger
from mailtickets.errors import CredentialUnavailable, MailboxUnavailable
from mailtickets.figures.apart import ReportFailed
from mailtickets.intake import Intake
from mailtickets.readying import open_line
from mailtickets.reporting import make as make_report
from mailtickets.retention import forget_old
from mailtickets.rounds import note_round
from mailtickets.sending import Sender
from mailtickets.signatures import finding_keys, key_finder_of
from mailtickets.source import Source, sources
from mailtickets.store import Store, StoreBusy, StoreUnusable
from mailtickets.store.ledger import RECEIVED, Taken, compress
from mailtickets.store.lock import StoreLock
from mailtickets.transport.smtp import SmtpPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailtickets.audit import Audit
    from mailtickets.config import Config
    from mailtickets.desk.ticket import Alarm
    from mailtickets.pipeline import Line
    from mailtickets.store.ledger import Step


# Nobody else has a mail that was piped, so one above `limits.mail_size` is kept, too: up to these bytes, four times
# the default. Above them its sender gets it back from the mail server; few servers take more themselves.
LARGEST_BYTES = 100_000_000
# SQLite holds 10^9 bytes in a row (SQLITE_MAX_LENGTH), and what cannot be compressed grows by a little.
STORED_BYTES = 950_000_000


class _Here:
    """The desk's door without a thread: everything is done where it is asked for."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def accept(self, taken: Sequence[Taken], step: Step | None) -> Future[int]:
        return self.call(self._settled, taken, step)  # type: ignore[return-value]

    def _settled(self, taken: Sequence[Taken], step: Step | None) -> int:
        number = self._line.accept(taken, step)
        while self._line.settle():
            pass
        return number

    def undecided_bytes(self) -> int:
        return 0  # everything is decided when `accept` returns

    def call(self, function: Callable[..., object], *arguments: object) -> Future[object]:
        return _done(function, *arguments)


def _done(function: Callable[..., object], *arguments: object) -> Future[object]:
    future: Future[object] = Future()
    future.set_result(function(*arguments))
    return future


async def one_round(config: Config) -> int:
    """Take in, decide, do what is due, send; return how many mailboxes could not be read. Raises StoreBusy."""
    failed = 0
    with StoreLock(config.desk.store):
        store, line = open_line(config)
        began = utc_now()
        line.pauses.at_start(began)
        try:
            # After downtime mail is read first, then timers: an answer that waits in the mailbox stops a reminder.
            for source in sources(config, store.start_of):
                try:
                    failed += not _take(config, source, store, line)
                except (MailboxUnavailable, CredentialUnavailable) as error:
                    failed += 1
                    maillog.trouble(f"mailbox {source.name} cannot be read", error.reason, error.remedy)
            _decide(line)
            while line.recount():
                pass
            if not failed:
                line.mailboxes_are_read()
                while line.fire_due():
                    pass
                _report(config, line)
            await _send(config, line)
            note_round(store, utc_now(), read=None if failed else began)
            last = store.setting("forgot_at")
            old = not last or utc_now() - datetime.fromisoformat(last) > timedelta(days=1)
            if old and not line.pauses.holds(Cause.CLOCK):
                forget_old(store, utc_now())
        finally:
            line.end_cleanly()
            line.close()
            store.close()
    return failed


def _report(config: Config, line: Line) -> None:
    """Queue the reports that are due; one that fails is tried again in the next round."""
    for due in line.reports.due():
        try:
            mail = make_report(config.desk.store, due, line.rules.policy, utc_now())
        except ReportFailed as error:
            maillog.trouble(f"the report {due.plan.name} failed", str(error), "it is tried again")
        else:
            line.reports.queue(due, mail)


def _decide(line: Line) -> None:
    while line.settle():
        pass


def _take(config: Config, source: Source, store: Store, line: Line) -> bool:
    """Make one round; return whether it read all there is, also after a restore. Raises as `connect`."""
    mailbox = mailbox_of(config, source.name, source.folder)
    here = _Here(line)
    mailbox.connect()
    try:
        desk = finding_keys(config, source.name, here)
        intake = Intake(source, mailbox, desk, DeskLedger(store, store, line, utc_now))
        intake.round()
    finally:
        mailbox.close()
    return not intake.moved_waits


async def _send(config: Config, line: Line) -> None:
    pools = {name: SmtpPool(smtp_of(config, name)) for name in ("", *config.smtp_accounts)}
    ladders = {name: ladder_of(config, name) for name in pools}
    here = _Here(line)
    sender = Sender(line, pools, ladders, here.call, utc_now, f"once:{os.getpid()}")
    try:
        await sender.send_due()
    finally:
        await asyncio.gather(*(pool.close() for pool in pools.values()))


def largest_received(config: Config) -> int:
    """Return how many bytes a mail may have that is piped: what is read, and more that is only kept."""
    return min(max(config.limits.mail_size or STORED_BYTES, LARGEST_BYTES), STORED_BYTES)


def receive_one(config: Config, raw: bytes, mailbox: str) -> None:
    """Commit one mail to the ledger, whole; without a running daemon decide it and send what follows.

    Raises sqlite3.Error, OSError or StoreUnusable where it could not be stored.
    """
    now = utc_now()
    store = Store.open(config.desk.store, now)
    name = f"{now.timestamp():.6f}-{uuid.uuid4().hex}"
    size, limit = len(raw), config.limits.mail_size
    truncated = bool(limit) and size > limit
    digest = hashlib.sha256(raw).digest()
    taken = Taken(mailbox, RECEIVED, name, digest, compress(raw), raw, size, now, truncated)
    if finder := key_finder_of(config, mailbox):
        (taken,) = finder.with_keys([taken])
    reach("fetched")
    try:
        with store.transaction():
            numbers = store.ledger.accept([taken], now)
            store.ledger.set_marked(numbers)
    finally:
        store.close()
    reach("raw-stored")
    try:
        decide_waiting(config)
    except StoreUnusable:
        raise  # damaged: the mail is not safe there; one that comes again is known by its bytes
    except Exception as error:  # noqa: BLE001  (the mail is safe; whatever else fails must not make the server send it again)
        maillog.broken("the mail is stored; deciding it is left to the daemon", None, error)


def decide_waiting(config: Config) -> bool:
    """Decide the mails that wait and send what follows; return False where a running daemon does it, or has done it."""
    here = False
    try:
        # Another `receive` may store its mail while this one has the lock: look again after giving it back.
        while _waits(config):
            asyncio.run(_round_for_received(config))
            here = True
    except StoreBusy:
        return False  # the daemon looks at least twice a second; another `receive` looks again at its end
    return here


class _Stored:
    """The desk's door of a command that only stores mails: a running daemon decides them, or `decide_waiting`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def accept(self, taken: Sequence[Taken], step: Step | None) -> Future[int]:
        assert step is None  # noqa: S101  (the cursor belongs to the mailbox's own thread)
        return self.call(self._accept, taken)  # type: ignore[return-value]

    def _accept(self, taken: Sequence[Taken]) -> int:
        with self._store.transaction():
            return len(self._store.ledger.accept(taken, utc_now()))

    def undecided_bytes(self) -> int:
        return 0  # they lie in the store, not in memory

    def call(self, function: Callable[..., object], *arguments: object) -> Future[object]:
        return _done(function, *arguments)

    def alarm_now(self, alarm: Alarm) -> None:
        maillog.trouble(alarm.what, alarm.why, alarm.remedy)

    def recovered_now(self, kind: str) -> None:
        """Nothing was raised here."""

    def note_read(self, mailbox: str, *, read: bool) -> None:
        """No round is made here."""


def audits(config: Config, *, heal: bool) -> Iterator[Audit | NotCompared]:
    """Compare every mailbox with the books, also beside a running daemon; in the place of one the reason why not.

    heal   take in what the books do not explain; otherwise nothing is written.
    """
    now = utc_now()
    with closing(Store.open(config.desk.store, now) if heal else Store.read(config.desk.store)) as store:
        door = _Stored(store)
        for source in sources(config, store.start_of):
            mailbox = mailbox_of(config, source.name, source.folder, readonly=True)
            ledger = DeskLedger(store, store, door, utc_now)
            try:
                mailbox.connect()
                desk = finding_keys(config, source.name, door)
                yield audit(Intake(source, mailbox, desk, ledger), ledger, heal=heal)
            except (MailboxUnavailable, CredentialUnavailable) as error:
                yield NotCompared(source.name, source.folder, error.reason, error.remedy)
            finally:
                mailbox.close()


def _waits(config: Config) -> bool:
    store = Store.read(config.desk.store)
    try:
        return bool(store.ledger.waiting(1))
    finally:
        store.close()


async def _round_for_received(config: Config) -> None:
    with StoreLock(config.desk.store):
        store, line = open_line(config)
        try:
            line.pauses.end_what_is_over(utc_now())
            # No timer: an answer that stops a reminder may lie in a mailbox that nobody has read.
            _decide(line)
            await _send(config, line)
        finally:
            line.end_cleanly()
            line.close()
            store.close()
