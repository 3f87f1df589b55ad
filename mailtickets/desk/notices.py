"""Pure: what the desk says. A `Notice` is words to be rendered; an `Outgoing` is a mail to be queued."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mailtickets.mail.message import Address, Attachment


@dataclass(frozen=True, slots=True)
class Notice:
    """A mail that the desk writes: one kind, one language, and the values of its template."""

    kind: str
    language: str
    queue: str
    values: Mapping[str, object]


class Reader(StrEnum):
    """Whom a mail is for; it decides keys, envelope and what may be in it."""

    CUSTOMER = "customer"
    AGENT = "agent"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One addressee; `agent` is the agent's key of the config where it is one."""

    address: Address
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A mail to be rendered, composed and queued in the transaction that decided it.

    separately     one mail to each recipient (agents), instead of one to all (customers).
    human          somebody's own words: no Auto-Submitted, sent again when its fate is uncertain.
    occasion       with ticket, kind and recipient the key under which a mail is queued once.
    from_name      display name; the address is the queue's.
    answers        Message-ID that this mail answers, and the ids before it.
    original       digest of the stored mail from which `attachments` are cut.
    code           for a held mail's question: stands in place of a reply key.
    relays         the agent's own words and attachments (from `original`) are put in by the pipeline.
    entry          index of the entry of the first change that this mail stands for, or None.
    not_before     it waits until then, such as the beginning of an agent's hours; None: at once.
    listed         no mail of its own: a line in the list that its recipients get every ten minutes.
    """

    notice: Notice
    reader: Reader
    to: tuple[Recipient, ...]
    queue: str
    ticket: int | None = None
    separately: bool = False
    human: bool = False
    occasion: str = ""
    from_name: str = ""
    answers: str = ""
    references: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    original: bytes = b""
    auto_submitted: str = "auto-generated"
    null_sender: bool = False
    relays: bool = False
    entry: int | None = field(default=None)
    not_before: datetime | None = None
    listed: bool = False
