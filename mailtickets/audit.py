"""Compares a mailbox with the books: every mail on the server is known, still to come, or named and taken in.

Used by `mailtickets ledger --server` and, once a day, by each mailbox's own thread. What is held in memory is
numbers and names of mails, never more than a batch of mails.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from mailtickets.desk.ticket import Alarm
from mailtickets.mail.compose import visible_line
from mailtickets.mail.parse import parse
from mailtickets.strays import LINES_IN_ALARM, look_at, look_at_files, take, take_files
from mailtickets.transport.imap import ImapMailbox
from mailtickets.unread import head_only

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from mailtickets.intake import Intake
    from mailtickets.store import Store
    from mailtickets.store.views import CopyView
    from mailtickets.strays import Looked
    from mailtickets.transport.maildir import MaildirMailbox

FIRST_AUDIT_AFTER = timedelta(minutes=5)
AUDIT_EVERY = timedelta(hours=24)
STUCK_AFTER = timedelta(minutes=15)
NAMES_AT_ONCE = 5000
MAX_SHOWN = 100  # letters of a sender or subject
BOOKS = "ledger books"  # the alarm about rows of the books


class Books(Protocol):
    """What is asked of the ledger."""

    def cursor(self, mailbox: str, folder: str) -> tuple[int, int]:
        """See `Ledger.cursor`."""

    def known_names(self, mailbox: str, folder: str, names: Sequence[str]) -> set[str]:
        """See `Ledger.known_names`."""

    def last_poll(self) -> datetime | None:
        """Return when a mailbox was last read to its end."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A mail on the server that no book explains.

    name    its UID, or a Maildir's unique name.
    reason  why it could not be taken in, in words; "" where it was, or nobody tried.
    """

    name: str
    at: datetime | None
    sender: str
    subject: str
    taken_in: bool = False
    reason: str = ""

    def __str__(self) -> str:
        """Name it in one line for people."""
        at = self.at.strftime("%Y-%m-%d %H:%M UTC") if self.at else "no date"
        done = "taken in now" if self.taken_in else self.reason or "not taken in"
        return (
            f"{self.name}, {at}, {self.sender or 'unknown sender'}: {self.subject or '(no subject)'} ({done})"
        )


@dataclass(frozen=True, slots=True)
class Audit:
    """One folder compared: on_server = in_books + to_come + older + the strays, at the moment of looking.

    to_come   the next round takes them in.
    older     than the start of the desk, so that they are left alone.
    """

    mailbox: str
    folder: str
    on_server: int
    in_books: int
    to_come: int
    older: int
    strays: tuple[Stray, ...] = ()

    @property
    def unexplained(self) -> int:
        """How many mails were in no book."""
        return len(self.strays)

    @property
    def taken_in(self) -> int:
        """How many of them are now."""
        return sum(stray.taken_in for stray in self.strays)

    @property
    def unreadable(self) -> dict[str, str]:
        """Why the others are not, by name."""
        return {stray.name: stray.reason for stray in self.strays if not stray.taken_in}


@dataclass(frozen=True, slots=True)
class NotCompared:
    """A mailbox that could not be looked into, and what to do about it."""

    mailbox: str
    folder: str
    reason: str
    remedy: str


def audit(intake: Intake, books: Books, *, heal: bool) -> Audit:
    """Compare one connected mailbox with the books, and take in what they do not explain.

    heal   otherwise such mails are only named.
    Raises MailboxUnavailable.
    """
    if isinstance(intake.mailbox, ImapMailbox):
        return _imap(intake, intake.mailbox, books, heal=heal)
    return _maildir(intake, intake.mailbox, books, heal=heal)


def _imap(intake: Intake, mailbox: ImapMailbox, books: Books, *, heal: bool) -> Audit:
    source = intake.source
    # The cursor first: what comes in while we look lies above it.
    uidvalidity, last = books.cursor(source.name, source.folder)
    uids = mailbox.new_uids(0)
    if uidvalidity != mailbox.uidvalidity:
        # Renumbered, or never read: the next round looks at every mail again.
        return Audit(source.name, source.folder, len(uids), 0, len(uids), 0)
    below = [uid for uid in uids if uid <= last]
    prefix = f"{uidvalidity}/"
    unknown: list[int] = []
    for start in range(0, len(below), NAMES_AT_ONCE):
        some = below[start : start + NAMES_AT_ONCE]
        known = books.known_names(source.name, source.folder, [f"{prefix}{uid}" for uid in some])
        unknown += [uid for uid in some if f"{prefix}{uid}" not in known]
    arrivals = mailbox.arrivals(unknown) if unknown else {}
    strays = [uid for uid in unknown if uid in arrivals and not source.is_old(arrivals[uid])]
    older = sum(source.is_old(arrived) for arrived in arrivals.values())
    gone = len(unknown) - len(arrivals)
    looked = take(intake, mailbox, strays) if heal else look_at(mailbox, strays)
    named = _named(looked, {str(uid): arrivals[uid] for uid in strays}, heal=heal)
    return Audit(
        source.name, source.folder, len(uids) - gone, len(below) - len(unknown), len(uids) - len(below), older, named
    )  # fmt: skip


def _maildir(intake: Intake, mailbox: MaildirMailbox, books: Books, *, heal: bool) -> Audit:
    source = intake.source
    last_poll = books.last_poll()
    names = mailbox.names()
    unknown: list[str] = []
    for start in range(0, len(names), NAMES_AT_ONCE):
        some = names[start : start + NAMES_AT_ONCE]
        known = books.known_names(source.name, source.folder, some)
        unknown += [name for name in some if name not in known]
    arrivals = mailbox.arrivals(unknown)
    older = {name for name, at in arrivals.items() if source.is_old(at)}
    # There is no cursor: what was there at the last round should be in the books.
    strays = {name: at for name, at in arrivals.items() if name not in older and last_poll and at < last_poll}
    looked = take_files(intake, mailbox, list(strays)) if heal else look_at_files(mailbox, list(strays))
    named = _named(looked, strays, heal=heal)
    to_come = len(arrivals) - len(older) - len(strays)
    on_server = len(names) - len(unknown) + len(arrivals)
    return Audit(source.name, source.folder, on_server, len(names) - len(unknown), to_come, len(older), named)


def _named(looked: Iterable[Looked], arrivals: dict[str, datetime], *, heal: bool) -> tuple[Stray, ...]:
    return tuple(_each_named(looked, arrivals, heal=heal))


def _each_named(looked: Iterable[Looked], arrivals: dict[str, datetime], *, heal: bool) -> Iterator[Stray]:
    for one in looked:
        sender, subject = _sender_and_subject(one.raw)
        yield Stray(
            one.name,
            arrivals.get(one.name),
            sender,
            subject,
            taken_in=heal and not one.reason,
            reason=one.reason,
        )


def _sender_and_subject(raw: bytes) -> tuple[str, str]:
    if not raw:
        return "", ""
    try:
        message = parse(head_only(raw, 0))
    except Exception:  # noqa: BLE001  (it is named all the same; reading it is for the guarded place)
        return "", ""
    sender = message.from_[0].address if message.from_ else ""
    return visible_line(sender)[:MAX_SHOWN], visible_line(message.subject)[:MAX_SHOWN]


def alarm_kind(mailbox: str, folder: str) -> str:
    """Return under which kind the admins hear of a folder that does not agree with the books."""
    return f"ledger {mailbox} {folder}".strip()


def alarm_of(found: Audit) -> Alarm:
    """Tell the admins which mails were taken in though the desk had passed them over; of the others see `unreadable_alarm`."""
    place = f"{found.folder} of {found.mailbox}" if found.folder else found.mailbox
    lines = [str(stray) for stray in found.strays if stray.taken_in][:LINES_IN_ALARM]
    if found.taken_in > LINES_IN_ALARM:
        lines.append(f"and {found.taken_in - LINES_IN_ALARM} more: see `mailtickets ledger --server`")
    return Alarm(
        alarm_kind(found.mailbox, found.folder),
        f"{found.taken_in} mails in {place} were not in the books",
        "They lie in the mailbox, and the desk had passed them over; they were taken in now",
        "Look at the log for why they were passed over; they are handled like any mail now.",
        tuple(lines),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class BooksTrouble:
    """Rows of the books that are not as they should be.

    stuck   undecided for longer than a quarter of an hour.
    lost    without their original.
    """

    stuck: tuple[CopyView, ...]
    lost: tuple[CopyView, ...]


def check_books(store: Store, now: datetime) -> BooksTrouble:
    """Look for mails that were never decided, and for mails whose originals are gone."""
    return BooksTrouble(
        tuple(store.views.waiting_since(now - STUCK_AFTER)), tuple(store.views.without_original())
    )


def books_alarm(found: BooksTrouble) -> Alarm:
    """Tell the admins what is wrong with the books."""
    lines = [
        f"mail {one.id}, taken in {one.taken:%Y-%m-%d %H:%M} UTC, waits to be decided" for one in found.stuck
    ]
    lines += [
        f"mail {one.id} of {one.sender or 'unknown sender'}: its original is gone" for one in found.lost
    ]
    return Alarm(
        BOOKS,
        f"{len(lines)} mails in the books are not as they should be",
        f"{len(found.stuck)} wait to be decided for more than 15 minutes, the original of {len(found.lost)} is gone",
        "See `mailtickets ledger --server` and the log; originals that are gone are in a backup.",
        tuple(lines[:LINES_IN_ALARM]),
    )
