"""What IMAP's door is made of and needs no connection: the account, a fetched mail, words and batches."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailtickets.transport.network import Security, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mailtickets.transport.oauth import TokenSource

BATCH_MAILS = 50  # measured: more per FETCH is no faster and needs more memory
BATCH_BYTES = 4 << 20
IDLE_SECONDS = (
    300.0  # a peer that died silently is found after this; NAT tables forget sooner than RFC 2177's 29 min
)

# RFC 5530 section 3: codes with which a NO to LOGIN does not mean a wrong password; Gmail says the last one.
_PASSING = re.compile(
    r"\[(?:UNAVAILABLE|LIMIT|INUSE|SERVERBUG|CONTACTADMIN|OVERQUOTA|THROTTLED)\b|too many", re.IGNORECASE
)
_BYTES_REPR = re.compile(r"""b(['"])(.*)\1""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ImapAccount:
    """Where a mailbox is and how to get in.

    name             of the mailbox in the config; its section is [mailbox.NAME].
    password, token  one of them; `token` is called with True after the server refused the last token.
    password_from    where the password is kept, in words for remedies; "" = not said.
    ca_file          trust only the CAs in this file; None = those of the system.
    timeout          seconds for each wait for bytes; `connect_timeout` for TCP and TLS.
    idle             use IDLE where the server has it; `idle_seconds` is the longest stretch of it.
    readonly         open the folder by EXAMINE and never mark.
    """

    name: str
    host: str
    username: str
    port: int = 993
    security: Security = Security.TLS
    password: Callable[[], str] | None = None
    token: TokenSource | None = None
    password_from: str = ""
    ca_file: Path | None = None
    folder: str = "INBOX"
    timeout: float = 60.0
    connect_timeout: float = 10.0
    idle: bool = True
    idle_seconds: float = IDLE_SECONDS
    readonly: bool = False

    @property
    def section(self) -> str:
        """The section of the config that describes this account."""
        return f"mailbox.{self.name}"


@dataclass(frozen=True, slots=True)
class FetchedMail:
    """One mail as the server gave it.

    internal_date  when it came into the mailbox; aware, UTC.
    size           RFC822.SIZE in bytes, as the server announced it.
    truncated      `raw` is only the header and the beginning of the text.
    """

    uid: int
    raw: bytes
    internal_date: datetime
    size: int
    truncated: bool = False


def xoauth2(username: str, token: str) -> Callable[[bytes], bytes]:
    """Return the answers of XOAUTH2: first the token, then an empty line to the server's report of an error."""
    answers = iter([f"user={username}\1auth=Bearer {token}\1\1".encode()])
    return lambda _challenge: next(answers, b"")


def passes(words: str) -> bool:
    """Return whether a refusal is one that passes by itself, such as too many connections."""
    return bool(_PASSING.search(words))


def plain_words(words: str) -> bool:
    """Return whether LOGIN can carry them: printable ASCII. imaplib would send a line break as it is."""
    return words.isascii() and words.isprintable()


def said(error: Exception) -> str:
    """Return the server's words in an error of imaplib, which may hold them as the repr of bytes."""
    words = str(error)
    if found := _BYTES_REPR.fullmatch(words):
        words = found[2]
    return one_line(words) or "no reason given"


def utc(when: object) -> datetime:
    """Return an INTERNALDATE in UTC; now, if the server gave none that can be read."""
    if isinstance(when, datetime) and when.tzinfo is not None:
        with suppress(OverflowError):
            return when.astimezone(UTC)
    return datetime.now(UTC)


def chunks(uids: Sequence[int], length: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(uids), length):
        yield uids[start : start + length]


def batches(uids: Sequence[int], sizes: dict[int, int]) -> Iterator[list[int]]:
    """Yield UIDs in groups that one FETCH takes; a mail above the limit is a group of its own."""
    batch: list[int] = []
    total = 0
    for uid in uids:
        if batch and (len(batch) >= BATCH_MAILS or total + sizes[uid] > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(uid)
        total += sizes[uid]
    if batch:
        yield batch
