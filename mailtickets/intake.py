"""Takes mail from a mailbox to the ledger, and marks it on the server when it is decided.

One thread owns a mailbox. It fetches without touching flags, compresses, and hands batches to the
desk; only decided mails are flagged or moved. The cursor is our own UID ledger, never the Seen flag.
"""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import wait
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from mailtickets import maillog
from mailtickets.care import Care
from mailtickets.crashpoints import reach
from mailtickets.desk.ticket import Alarm
from mailtickets.errors import CommandRefused, CredentialUnavailable, MailboxUnavailable
from mailtickets.source import CLOCKS_DIFFER
from mailtickets.store.first_start import DATED_BEFORE, OLDER
from mailtickets.store.ledger import Step, Taken, compress
from mailtickets.strays import dated_before_alarm, unreadable_alarm
from mailtickets.transport.imap import ImapMailbox
from mailtickets.transport.maildir import MaildirMail, MaildirMailbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from mailtickets.source import Source
    from mailtickets.transport.imap_account import FetchedMail

BATCH_MAILS, BATCH_BYTES = 50, 4 << 20
UNDECIDED_BYTES = 32 << 20
TELL_AGAIN_SECONDS = 300.0
MOVED_AGAIN_SECONDS = 60.0  # after trouble with the folder of moved mail
MOVED_TROUBLES = 3  # in a row, before the admins are told


class Stopped(Exception):  # noqa: N818  (named for the situation)
    """The thread was told to stop. What was fetched and not handed over is unmarked, so that it is fetched again."""


class DeskDoor(Protocol):
    """What a mailbox's thread may ask of the desk's thread."""

    def accept(self, taken: Sequence[Taken], step: Step | None) -> Future[int]:
        """Store a batch and decide it."""

    def call(self, function: Callable[..., object], *arguments: object) -> Future[object]:
        """Run a function in the desk's thread."""

    def undecided_bytes(self) -> int:
        """Return how much was accepted and is not yet decided."""


class Intake:
    """One mailbox's way into the ledger. All methods run in the mailbox's thread."""

    def __init__(
        self, source: Source, mailbox: ImapMailbox | MaildirMailbox, desk: DeskDoor, ledger: LedgerReader
    ) -> None:
        self.source, self.mailbox, self._desk, self._ledger = source, mailbox, desk, ledger
        self.moved: Callable[[], None] = lambda: None
        self.stopped: Callable[[], bool] = lambda: False
        self._in_hand: list[Future[int]] = []
        self._care = Care(self._pass_over)
        self._counted_for = 0  # the UIDVALIDITY for which mails were counted
        self.passed_over: dict[str, str] = {}  # name to reason; an audit corrects it
        self._tell_at = float("-inf")
        self._refused = False
        self.moved_waits = False  # after a restore: there is moved mail that was not looked through yet
        self._moved_care = Care(self._pass_over_moved)
        self._moved_unreadable: dict[str, str] = {}
        self._moved_done: set[tuple[int, int]] = set()  # (UIDVALIDITY, UID)
        self._moved_again, self._moved_troubles = 0.0, 0

    def use(self, moved: Callable[[], None], stopped: Callable[[], bool]) -> None:
        """Call `moved` at each step of a round and while a mail comes; give up waits once `stopped`."""
        self.moved, self.stopped = moved, stopped
        if isinstance(self.mailbox, ImapMailbox):
            self.mailbox.moved = moved

    def round(self) -> int:
        """Take in everything that is new and mark what is decided; return how many mails were taken.

        What is left of a round that failed is waited for first: this one begins at the cursor it leaves.
        """
        wait(self._in_hand)
        self._in_hand.clear()
        self._see_the_start()
        if isinstance(self.mailbox, ImapMailbox):
            taken = self._moved(self.mailbox) + self._imap(self.mailbox)
        else:
            taken = self._maildir(self.mailbox)
        self.tell_unreadable()
        self.settle_in_hand()
        self.mark_decided()
        return taken

    def _see_the_start(self) -> None:
        """Follow the first start, which was earlier than it seemed where the clock was ahead then."""
        name, folder = self.source.name, self.source.folder
        if self.source.from_now:
            if self._ledger.now() < (start := self._ledger.start_of(name, folder)):
                self._desk.call(self._ledger.start_was_before_in_desk).result()
                start = self._ledger.start_of(name, folder)
            if start != self.source.start_from:
                self.source = replace(self.source, start_from=start)

    def look_again(self) -> None:
        """Make sure, where nothing came for a whole poll, that the open folder is still the one of that name."""
        if isinstance(self.mailbox, ImapMailbox):
            self.mailbox.reopen()

    def settle_in_hand(self) -> None:
        """Wait until the desk has stored and decided what it was given."""
        while self._in_hand:
            self._in_hand.pop(0).result()

    def mark_decided(self) -> None:
        """Flag or move decided mails; a server that refuses is asked again next round."""
        self._refused = False
        while waiting := self._ledger.unmarked(self.source.name, self.source.folder):
            try:
                reach("marking")
                self._mark([name for _, name in waiting])
                reach("marked")
            except CommandRefused as error:
                maillog.trouble("mail cannot be marked", error.reason, error.remedy, mailbox=self.source.name)
                self._refused = True
                return
            self._desk.call(self._ledger.set_marked_in_desk, [number for number, _ in waiting]).result()
            self.moved()

    def marks_soon(self) -> bool:
        """Tell whether mails are still to be decided and then marked; not where the server has just refused that."""
        return not self._refused and self._ledger.has_unmarked(self.source.name, self.source.folder)

    def _mark(self, names: Sequence[str]) -> None:
        if isinstance(self.mailbox, MaildirMailbox):
            self.mailbox.mark(names, self.source.after)
            return
        prefix = f"{self.mailbox.uidvalidity}/"
        # A changed UIDVALIDITY makes old UIDs name other mails, so those are left alone.
        self.mailbox.mark(
            [int(name[len(prefix) :]) for name in names if name.startswith(prefix)], self.source.after
        )

    def _step(self, since: tuple[int, int], to: tuple[int, int]) -> Step:
        return Step(self.source.name, self.source.folder, since, to)

    def _give(self, taken: list[Taken], step: Step | None) -> None:
        """Hand a batch to the desk; at most two are on their way, so that memory stays bounded. Raises Stopped."""
        if len(self._in_hand) >= 2:
            self._in_hand.pop(0).result()
        # The desk is behind: what it has not decided is safe, and more would only take memory.
        while self._desk.undecided_bytes() > UNDECIDED_BYTES:
            if self.stopped():
                raise Stopped
            self.moved()  # where the desk hangs, its own thread is seen to
            time.sleep(0.02)
        self._in_hand.append(self._desk.accept(taken, step))
        self.moved()

    # -- IMAP --------------------------------------------------------------------------------

    def _imap(self, mailbox: ImapMailbox) -> int:
        source = self.source
        if mailbox.uidvalidity != self._counted_for:
            self._counted_for = mailbox.uidvalidity
            self._care.forget()
            self.passed_over.clear()
        uidvalidity, last = self._ledger.cursor(source.name, source.folder)
        fresh = uidvalidity != mailbox.uidvalidity
        if fresh and uidvalidity:
            maillog.doubtful(
                "the server renumbered the folder",
                "UIDVALIDITY changed",
                "nothing to do: known mails are recognised",
                mailbox=source.name,
            )
        for words in mailbox.take_alerts():  # RFC 3501 section 7.1: shown to a person
            maillog.trouble("the mail server warns", words, mailbox=source.name)
        uids = mailbox.new_uids(0 if fresh else last)
        if fresh and not uids:
            # Empty, too, it is known by its number from now on: what comes is not what was there before.
            self._give([], self._step((uidvalidity, last), (mailbox.uidvalidity, 0)))
        if fresh and source.start_from is not None:
            uids = self._leave_old(mailbox, uids, (uidvalidity, last))
        if not uids:
            return 0
        sizes = mailbox.sizes(uids)
        count, since = 0, (uidvalidity, last)
        for batch in self._care.one_by_one(self.batches([uid for uid in uids if uid in sizes], sizes)):
            mails = self._care.fetched(mailbox, batch, partial(self.fetched_whole, mailbox, batch, sizes))
            reach("fetched")
            missing = self._care.missing(mailbox, batch, {mail.uid for mail in mails})
            taken = self._but_old(mails, came_since=not fresh)
            # The cursor never passes a mail that could not be read yet.
            upto = min(missing, default=batch[-1] + 1) - 1
            to = mailbox.uidvalidity, max(upto, since[1] if since[0] == mailbox.uidvalidity else 0)
            self._give(taken, self._step(since, to))
            count += len(taken)
            if missing:
                break
            since = to
        return count

    def _fetched(
        self, mailbox: ImapMailbox, batch: list[int], sizes: dict[int, int]
    ) -> Iterator[FetchedMail | None]:
        limit = self.source.max_size_bytes
        if limit and len(batch) == 1 and sizes[batch[0]] > limit:
            try:
                yield mailbox.fetch_head(batch[0])
            except CommandRefused as error:
                mailbox.unreadable = {batch[0]: error.reason}
        else:
            yield from mailbox.fetch(batch)

    def _pass_over(self, uid: int, reason: str) -> None:
        self.passed_over[str(uid)] = reason
        self._tell_at = float("-inf")

    def _pass_over_moved(self, uid: int, reason: str) -> None:
        self._moved_unreadable[str(uid)] = reason
        self._tell_at = float("-inf")

    def tell_unreadable(self) -> None:
        """Tell the admins of the mails that were passed over; one that came within the hour is told after it."""
        if not (self.passed_over or self._moved_unreadable) or time.monotonic() < self._tell_at:
            return
        self._tell_at = time.monotonic() + TELL_AGAIN_SECONDS
        source = self.source
        moved = source.after.removeprefix("move:"), self._moved_unreadable
        for folder, reasons in ((source.folder, self.passed_over), moved):
            if reasons:
                alarm = unreadable_alarm(source.name, folder, reasons)
                self._desk.call(self._ledger.alarm_once_in_desk, alarm)

    def _leave_old(self, mailbox: ImapMailbox, uids: list[int], since: tuple[int, int]) -> list[int]:
        """Write mails older than the start into the books without fetching them; return the others."""
        arrivals = mailbox.arrivals(uids)
        # What lies there at the very first look with a date to come shows that our own clock is behind.
        latest = self._ledger.now() + CLOCKS_DIFFER if since == (0, 0) else None
        old = {
            uid
            for uid, arrived in arrivals.items()
            if self.source.is_old(arrived) or (latest is not None and arrived > latest)
        }
        self._leave([(f"{mailbox.uidvalidity}/{uid}", 0, arrivals[uid]) for uid in sorted(old)], OLDER)
        left = [uid for uid in uids if uid not in old]
        if uids and not left:
            self._give([], self._step(since, (mailbox.uidvalidity, uids[-1])))
        return left

    def _but_old(self, mails: Sequence[FetchedMail | MaildirMail], *, came_since: bool) -> list[Taken]:
        """Return the mails that are to be taken in; those with a date before the start are left alone."""
        found = [(mail, self._taken_of(mail)) for mail in mails]
        old = [
            (taken.name, mail.size, mail.internal_date)
            for mail, taken in found
            if self.source.is_old(mail.internal_date, came_since=came_since)
        ]
        names = {name for name, _, _ in old}
        if came_since and old:
            source = self.source
            names_known = self._ledger.known_names(source.name, source.folder, sorted(names))
            old = [one for one in old if one[0] not in names_known]
        self._leave(old, DATED_BEFORE if came_since and self.source.from_now else OLDER)
        return [taken for _, taken in found if taken.name not in names]

    def _leave(self, old: list[tuple[str, int, datetime]], reason: str) -> None:
        """Write mails into the books as left alone: (name, bytes, arrived); tell the admins of those that came since."""
        if not old:
            return
        source = self.source
        self._desk.call(self._ledger.leave_alone_in_desk, source.name, source.folder, old, reason).result()
        if reason == DATED_BEFORE and source.start_from is not None:
            newest = max(arrived for _, _, arrived in old)
            alarm = dated_before_alarm(source.name, source.folder, newest, source.start_from)
            self._desk.call(self._ledger.alarm_once_in_desk, alarm)

    def batches(self, uids: Sequence[int], sizes: dict[int, int]) -> Iterator[list[int]]:
        """Cut UIDs into batches of bounded count and bytes; a mail above the limit stands alone."""
        return _batches(uids, sizes, self.source.max_size_bytes)

    def fetched_whole(
        self, mailbox: ImapMailbox, batch: list[int], sizes: dict[int, int]
    ) -> list[FetchedMail]:
        """Return the mails of a batch that are still there and that the server hands out."""
        return [mail for mail in self._fetched(mailbox, batch, sizes) if mail is not None]

    def store(self, mails: Iterable[FetchedMail | MaildirMail]) -> None:
        """Take in mails that the rounds passed over; the cursor stays where it is. Returns when they are in the ledger."""
        self._give([self._taken_of(mail) for mail in mails], None)
        self.settle_in_hand()

    # -- Maildir -----------------------------------------------------------------------------

    def _maildir(self, mailbox: MaildirMailbox) -> int:
        source = self.source
        count = 0
        known = self._ledger.known_names(source.name, source.folder, mailbox.names())
        came_since = self._ledger.last_poll() is not None
        while mails := mailbox.scan(known):
            reach("fetched")
            taken = self._but_old(mails, came_since=came_since)
            self._give(taken, None)
            count += len(taken)
            known |= {mail.name for mail in mails}
        return count

    # -- after a restore ---------------------------------------------------------------------

    def _moved(self, mailbox: ImapMailbox) -> int:
        """Take in mail that was handled and moved away after the restored backup was made; it is older than the rest.

        So it comes before the inbox. Where its folder cannot be read it does not hold the inbox up: it is tried again,
        and until it was read, the mailbox does not count as read, and what belongs to that time is still held.
        """
        name, after = self.source.name, self.source.after
        since = self._ledger.moved_since(name) if after.startswith("move:") else None
        self.moved_waits = since is not None
        if since is None or time.monotonic() < self._moved_again:
            return 0
        folder, kind = after.removeprefix("move:"), f"moved mail {name}"
        try:
            count = self._look_through(mailbox, folder, since)
        except (MailboxUnavailable, CredentialUnavailable) as error:
            self._moved_again = time.monotonic() + MOVED_AGAIN_SECONDS
            self._moved_troubles += 1
            what = f"The folder {folder} of mailbox {name} cannot be looked through for mail handled before the restore"
            remedy = error.remedy or "It is tried again by itself; look at the folder with a mail program."
            if self._moved_troubles >= MOVED_TROUBLES:
                self._desk.call(self._ledger.alarm_in_desk, Alarm(kind, what, error.reason, remedy))
            else:
                maillog.trouble(what, error.reason, remedy, mailbox=name)
            return 0
        self._desk.call(self._ledger.moved_is_taken_in_desk, name, folder).result()
        self._desk.call(self._ledger.recovered_in_desk, kind)
        self.moved_waits = False
        maillog.note(
            "moved mail looked through", mailbox=name, folder=folder, since=since.isoformat(), taken=count
        )
        return count

    def _look_through(self, mailbox: ImapMailbox, folder: str, since: datetime) -> int:
        """Take in what is unknown of a folder, over a connection of its own; what one try has done the next leaves out."""
        if not mailbox.has_folder(folder):
            return 0
        other = ImapMailbox(replace(mailbox.account, folder=folder, readonly=True))
        other.moved = self.moved
        count, left = 0, 0
        try:
            other.connect()
            version = other.uidvalidity
            arrivals = other.arrivals(other.new_uids(0))
            uids = sorted(
                uid for uid, at in arrivals.items() if at >= since and (version, uid) not in self._moved_done
            )
            sizes = other.sizes(uids)
            for batch in self._moved_care.one_by_one(self.batches([u for u in uids if u in sizes], sizes)):
                mails = self._moved_care.fetched(
                    other, batch, partial(self.fetched_whole, other, batch, sizes)
                )
                missing = self._moved_care.missing(other, batch, {mail.uid for mail in mails})
                taken = [
                    replace(self._taken_of(mail), folder=folder, name=f"{version}/{mail.uid}")
                    for mail in mails
                ]
                unknown = [
                    mail for mail in taken
                    if not self.source.is_old(mail.arrived) and not self._ledger.knows(mail.digest)
                ]  # fmt: skip
                self._give(unknown, None)
                self.settle_in_hand()
                self._moved_done |= {(version, uid) for uid in batch if uid not in missing}
                count, left = count + len(unknown), left + len(missing)
        finally:
            other.close()
        if left:
            raise CommandRefused(self.source.name, f"the server does not hand out {left} mails")
        return count

    # -- both --------------------------------------------------------------------------------

    @property
    def _uidvalidity(self) -> int:
        return self.mailbox.uidvalidity if isinstance(self.mailbox, ImapMailbox) else 0

    def _taken_of(self, mail: FetchedMail | MaildirMail) -> Taken:
        source = self.source
        name = mail.name if isinstance(mail, MaildirMail) else f"{self._uidvalidity}/{mail.uid}"
        digest = hashlib.sha256(mail.raw).digest()
        return Taken(
            source.name, source.folder, name, digest, compress(mail.raw), mail.raw, mail.size, mail.internal_date, mail.truncated
        )  # fmt: skip


class LedgerReader(Protocol):
    """What a mailbox's thread needs of the ledger: reads of its own, and writes to be run in the desk's thread."""

    def cursor(self, mailbox: str, folder: str) -> tuple[int, int]:
        """See `Ledger.cursor`."""

    def unmarked(self, mailbox: str, folder: str) -> list[tuple[int, str]]:
        """See `Ledger.unmarked`."""

    def has_unmarked(self, mailbox: str, folder: str) -> bool:
        """See `Ledger.has_unmarked`."""

    def known_names(self, mailbox: str, folder: str, names: Sequence[str]) -> set[str]:
        """See `Ledger.known_names`."""

    def knows(self, digest: bytes) -> bool:
        """See `Ledger.knows`."""

    def moved_since(self, mailbox: str) -> datetime | None:
        """Return since when mail that was moved away is to be taken in again after a restore; None as a rule."""

    def moved_is_taken_in_desk(self, mailbox: str, folder: str) -> None:
        """Note that this was done; only in the desk's thread."""

    def note_read_in_desk(self, mailbox: str, read: bool) -> None:
        """See `Line.note_read`; only in the desk's thread."""

    def last_poll(self) -> datetime | None:
        """Return when a mailbox was last read to its end."""

    def now(self) -> datetime:
        """Return the time of the wall clock."""

    def start_of(self, mailbox: str, folder: str) -> datetime:
        """See `store.first_start.start_of`."""

    def start_was_before_in_desk(self) -> None:
        """See `store.first_start.was_before`; only in the desk's thread."""

    def set_marked_in_desk(self, numbers: Sequence[int]) -> None:
        """See `Ledger.set_marked`; only in the desk's thread."""

    def leave_alone_in_desk(
        self, mailbox: str, folder: str, names: Sequence[tuple[str, int, datetime]], reason: str
    ) -> None:
        """See `Ledger.leave_alone`; only in the desk's thread."""

    def alarm_in_desk(self, alarm: Alarm) -> None:
        """Tell the admins; only in the desk's thread."""

    def alarm_once_in_desk(self, alarm: Alarm) -> None:
        """Tell the admins what they were not told yet; only in the desk's thread."""

    def recovered_in_desk(self, kind: str) -> None:
        """End an alarm; only in the desk's thread."""

    def close(self) -> None:
        """Close the connection for reading."""


def _batches(uids: Sequence[int], sizes: dict[int, int], limit: int) -> Iterator[list[int]]:
    """Cut UIDs into batches of bounded count and bytes; a mail above the limit stands alone."""
    batch: list[int] = []
    total = 0
    for uid in uids:
        size = sizes[uid]
        too_large = bool(limit) and size > limit
        if batch and (too_large or len(batch) >= BATCH_MAILS or total + size > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(uid)
        total += size
        if too_large:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch
