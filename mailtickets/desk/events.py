"""Pure: what can happen to the desk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mailtickets.desk.ticket import Grant
from mailtickets.mail.relay import relay_customer

if TYPE_CHECKING:
    from datetime import datetime

    from mailtickets.desk.facts import Evidence
    from mailtickets.desk.ticket import HoldKind, Timer
    from mailtickets.mail.authentication import Proof
    from mailtickets.mail.classify import Classification
    from mailtickets.mail.message import Message
    from mailtickets.mail.relay import Relayed


@dataclass(frozen=True)
class Incoming:
    """A mail as it was read: everything that can be found out from its bytes alone.

    text       what the writer newly wrote.
    digest     SHA-256 of the raw original.
    arrived    when it reached the desk (INTERNALDATE, or the moment of `receive`).
    mailbox    where it was taken from.
    sent_folder  it lies among what was sent past the desk, from the support address.
    truncated  only its header and first 64 KB were read, because it is too large.
    unread     it could not be read within its tries: `message` holds what its header says, `text` is ours.
    private_parts  names of attachments that hold an agent's reply key, such as our own notice attached.
    provable   the admin named an authserv-id for the mailbox, or has DKIM verified: a sender without a pass is then not trusted with Cc.
    """

    message: Message
    classification: Classification
    proof: Proof
    evidence: Evidence
    text: str
    digest: bytes
    arrived: datetime
    mailbox: str
    truncated: bool = False
    provable: bool = False
    sent_folder: bool = False
    unread: bool = False
    private_parts: tuple[str, ...] = ()

    @cached_property
    def relayed(self) -> Relayed:
        """The body made fit for the agents; made when somebody is told, which is not for every mail."""
        relayed = relay_customer(self.message, self.text)
        if self.truncated and relayed.attachments:
            # The last one was cut with the mail; what is not whole is not passed on.
            cut = max(relayed.attachments, key=lambda attachment: attachment.end)
            return replace(relayed, attachments=tuple(a for a in relayed.attachments if a is not cut))
        return relayed


@dataclass(frozen=True, slots=True)
class MailArrived:
    """A mail is to be decided.

    copy    number of the mail in the ledger.
    code    a fresh one-time code, used if the mail has to be held.
    grant   how the agent confirmed it, where it was held before.
    released  why it had been set aside, where an admin lets it in all the same; gives no rights.
    """

    incoming: Incoming
    copy: int
    code: str
    grant: Grant = Grant.NONE
    released: str = ""


@dataclass(frozen=True, slots=True)
class TimerDue:
    """A timer of a ticket is due; `held` names the held mail it is about, or the question about a mail or a person."""

    ticket: int
    timer: Timer
    held_agent: str = ""
    held_kind: HoldKind | None = None
    held_text: str = ""


@dataclass(frozen=True, slots=True)
class MailFailed:
    """A mail of ours was given up or refused: whom it did not reach and why.

    entry_text   the human text that was not delivered, "" for an automatic mail.
    author       agent who wrote it, "" for an automatic mail.
    """

    ticket: int
    kind: str
    failed: tuple[tuple[str, str], ...]
    entry_text: str = ""
    author: str = ""
    permanent_addresses: tuple[str, ...] = ()
    to_agent: bool = False
    cycle: int = -1


@dataclass(frozen=True, slots=True)
class PersonErased:
    """A person is about to be erased from a ticket.

    alone   nobody else is on it.
    asks    the one that asked only: the person is not on it.
    """

    ticket: int
    asked_by: str
    by: str
    alone: bool = False
    asks: bool = False


Event = MailArrived | TimerDue | MailFailed | PersonErased
