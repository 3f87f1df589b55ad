"""What became of one mail handed to a mail server. A bare boolean would forget which way it points."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mailtickets.errors import Retry


class Phase(StrEnum):
    """Where in the transaction it was decided (RFC 5321 section 3.3)."""

    CONNECT = "connect"  # no session: nothing to do with this mail
    SIZE = "size"  # the mail is larger than the server takes
    MAIL = "mail"  # the sender was refused, above all a null sender
    RCPT = "rcpt"  # every recipient was refused
    DATA = "data"  # after the recipients, before or after the text


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the server said to one recipient; 553 and words of ours where it was not even asked."""

    code: int
    reason: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """The server took the mail, for all recipients but the refused ones."""

    refused: dict[str, Refusal] = field(default_factory=dict)
    reason: str = ""  # the server's words, which often hold its queue id


@dataclass(frozen=True, slots=True)
class Deferred:
    """The mail was surely not taken; try again later.

    refused          what single recipients heard; permanent refusals among them are final.
    account_trouble  the server or our account is at fault, not this mail; `reason` says what to do.
    retry            SLOW where the server refused our credentials.
    remedy           what `reason` says last, where it says what to do; else "".
    """

    reason: str
    code: int | None = None
    refused: dict[str, Refusal] = field(default_factory=dict)
    account_trouble: bool = False
    retry: Retry = Retry.SOON
    phase: Phase = Phase.CONNECT
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The mail was surely not taken and never will be; `phase` MAIL means that the sender was refused."""

    code: int
    reason: str
    refused: dict[str, Refusal] = field(default_factory=dict)
    phase: Phase = Phase.DATA


@dataclass(frozen=True, slots=True)
class Uncertain:
    """The end of the mail was on its way and no answer came: it may have been taken."""

    reason: str


Fate = Sent | Deferred | Rejected | Uncertain
