"""Mails that the rounds passed over: looked at or taken in, each by itself where need be. Part of `audit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailtickets.desk.ticket import Alarm
from mailtickets.errors import CommandRefused, MailboxUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from mailtickets.intake import Intake
    from mailtickets.transport.imap import ImapMailbox
    from mailtickets.transport.imap_account import FetchedMail
    from mailtickets.transport.maildir import MaildirMailbox


NAMES_IN_SUBJECT = 10
LINES_IN_ALARM = 20


@dataclass(frozen=True, slots=True)
class Looked:
    """A mail that was looked at by itself.

    name     its UID, or a Maildir's unique name.
    raw      its beginning at least; b"" where it cannot be had.
    reason   why it cannot be had, in words; otherwise "".
    """

    name: str
    raw: bytes = b""
    reason: str = ""


def dated_before_alarm(mailbox: str, folder: str, newest: datetime, start: datetime) -> Alarm:
    """Return what the admins are told of mail that came since the first start, and is dated long before it."""
    where = f"mailbox {mailbox}" + (f", folder {folder}" if folder and folder != "INBOX" else "")
    return Alarm(
        f"dated before {mailbox}",
        f"Mail came to {where} that is dated before the first start of the desk, and was left alone",
        f"The newest is of {newest:%Y-%m-%d %H:%M} UTC; the desk was first started on {start:%Y-%m-%d %H:%M} UTC",
        "Where somebody moved old mail into the folder, there is nothing to do. Otherwise a clock is wrong: put this machine's"
        " clock right, and what was left alone is taken in by itself; where it is the mail server's, pipe the mails into"
        " `mailtickets receive`.",
    )


def take(intake: Intake, mailbox: ImapMailbox, uids: Sequence[int]) -> Iterator[Looked]:
    """Take mails in, a batch at a time; the cursor stays where it is.

    Yields each mail that is still there, once it is in the books or with the reason why it cannot be had.
    """
    sizes = mailbox.sizes(uids)
    yield from (Looked(str(uid), b"", "the server tells no size of it") for uid in uids if uid not in sizes)
    for batch in intake.batches([uid for uid in uids if uid in sizes], sizes):
        try:
            mails = intake.fetched_whole(mailbox, batch, sizes)
        except MailboxUnavailable:
            mailbox.connect()  # one mail may make the server end the connection: which one?
            yield from _take_each(intake, mailbox, batch, sizes)
        else:
            yield from _took(intake, mailbox, batch, mails)


def _take_each(
    intake: Intake, mailbox: ImapMailbox, uids: Sequence[int], sizes: dict[int, int]
) -> Iterator[Looked]:
    for uid in uids:
        try:
            mails = intake.fetched_whole(mailbox, [uid], sizes)
        except MailboxUnavailable as error:
            mailbox.connect()
            yield Looked(str(uid), b"", error.reason)
        else:
            yield from _took(intake, mailbox, [uid], mails)


def _took(
    intake: Intake, mailbox: ImapMailbox, batch: Sequence[int], mails: Sequence[FetchedMail]
) -> Iterator[Looked]:
    intake.store(mails)
    yield from (Looked(str(mail.uid), mail.raw) for mail in mails)
    left = {*batch} - {mail.uid for mail in mails}
    refused = mailbox.unreadable
    yield from (Looked(str(uid), b"", refused[uid]) for uid in sorted(left) if uid in refused)


def look_at(mailbox: ImapMailbox, uids: Sequence[int]) -> Iterator[Looked]:
    """Yield the beginnings of mails, taking none of them in."""
    for uid in uids:
        try:
            mail = mailbox.fetch_head(uid, 1)
        except MailboxUnavailable as error:
            if not isinstance(error, CommandRefused):
                mailbox.connect()
            yield Looked(str(uid), b"", error.reason)
        else:
            yield Looked(str(uid), mail.raw if mail else b"", "" if mail else "it has gone")


def take_files(intake: Intake, mailbox: MaildirMailbox, names: Sequence[str]) -> Iterator[Looked]:
    """As `take`, for a Maildir."""
    for name, mail in mailbox.read(names):
        if isinstance(mail, str):
            yield Looked(name, b"", mail)
        else:
            intake.store([mail])
            yield Looked(name, mail.raw)


def look_at_files(mailbox: MaildirMailbox, names: Sequence[str]) -> Iterator[Looked]:
    """As `look_at`, for a Maildir."""
    for name, mail in mailbox.read(names):
        yield Looked(name, b"", mail) if isinstance(mail, str) else Looked(name, mail.raw)


def unreadable_kind(mailbox: str, folder: str) -> str:
    """Return under which kind the admins hear of a folder's mails that cannot be had."""
    return f"unreadable {mailbox}/{folder}".rstrip("/")


def unreadable_alarm(mailbox: str, folder: str, reasons: Mapping[str, str]) -> Alarm:
    """Tell the admins which mails of a folder cannot be had: all of them in one, by name, with the reasons."""
    names = sorted(reasons, key=lambda name: (len(name), name))
    more = f" and {len(names) - NAMES_IN_SUBJECT} more" if len(names) > NAMES_IN_SUBJECT else ""
    place = f"{folder} of {mailbox}" if folder else mailbox
    lines = [f"{name}: {reasons[name]}" for name in names[:LINES_IN_ALARM]]
    if len(names) > LINES_IN_ALARM:
        lines.append(f"and {len(names) - LINES_IN_ALARM} more: see `mailtickets ledger --server`")
    return Alarm(
        unreadable_kind(mailbox, folder),
        f"The server does not hand out mail {', '.join(names[:NAMES_IN_SUBJECT])}{more} in {place}",
        reasons[names[0]],
        "Look at it with a mail program; it stays in the mailbox, and is tried again once a day.",
        tuple(lines),
    )
