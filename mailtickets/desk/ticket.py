"""Pure: the nouns of the desk. `Ticket`, its entries and timers, and the `Decision` about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.service_level import Measure


# What stands in place of erased words, and of an address: RFC 2606 section 2, no mail can go there.
ERASED_WORDS = "[erased]"
ERASED_DOMAIN = "@invalid"


def pseudonym(number: int) -> str:
    """Return what stands in place of an erased person's address, so that their tickets still belong together."""
    return f"erased-{number}{ERASED_DOMAIN}"


class Status(StrEnum):
    """The six states of design section 5; their words for customers are template strings."""

    OPEN = "open"
    PENDING = "pending"
    WAITING = "waiting"
    THIRD_PARTY = "third_party"
    RESOLVED = "resolved"
    CLOSED = "closed"

    @property
    def is_done(self) -> bool:
        """True where nobody is expected to act."""
        return self in {Status.RESOLVED, Status.CLOSED}


class Audience(StrEnum):
    """Who may ever read an entry; fixed when it is written."""

    CUSTOMER = "customer"
    AGENTS = "agents"
    DESK = "desk"


class EntryKind(StrEnum):
    """What an entry of a ticket's history says."""

    MAIL_IN = "mail_in"
    MAIL_OUT = "mail_out"
    NOTE = "note"
    ACKNOWLEDGED = "acknowledged"
    NOT_ACKNOWLEDGED = "not_acknowledged"
    NOTIFIED = "notified"
    REMINDER = "reminder"
    STATUS = "status"
    PRIORITY = "priority"
    ASSIGNED = "assigned"
    BOUNCED = "bounced"
    DELAYED = "delayed"
    AUTO_REPLY = "auto_reply"
    HELD = "held"
    CONFIRMED = "confirmed"
    DROPPED = "dropped"
    RELEASED = "released"
    RETURNED = "returned"
    FAILED = "failed"
    LINKED = "linked"
    DUPLICATE = "duplicate"
    KEY_REPLACED = "key_replaced"
    TYPE = "type"
    QUEUE = "queue"
    ORGANISATION = "organisation"
    TAGGED = "tagged"
    DUE = "due"
    WORKAROUND = "workaround"
    ASKED = "asked"
    ESCALATED = "escalated"
    ERASURE = "erasure"  # an agent asks to erase a person, or what became of that
    ERASED = "erased"


PUBLIC_KINDS = frozenset({EntryKind.MAIL_IN, EntryKind.MAIL_OUT})


class Role(StrEnum):
    """What a person is on a ticket."""

    REQUESTER = "requester"
    PARTICIPANT = "participant"
    OUTSIDE = "outside"  # brought a key or an id, was not admitted: read by agents, never written to


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on a ticket; `address` is in comparable form."""

    address: str
    name: str = ""
    role: Role = Role.PARTICIPANT


@dataclass(frozen=True, slots=True)
class Ticket:
    """The present state of a ticket; the entries are the truth behind it.

    subject        base subject, cleaned, one line.
    silent_since   the agent's last public text in `waiting`, or the moment of `resolved`; else None.
    silent_step    reminders of this silence already queued.
    silent_base    what the silence is counted from for the next step: `silent_since`, or later
                   where a reminder went out late, so that steps keep their distance.
    first_wait     seconds until the first reminder where an agent said `#wait 5d`; else None.
    cycle          counts silences, so that each reminder is unique in (ticket, kind, cycle, recipient).
    organisation   key of the customer's organisation, or "".
    service_level  set by a rule; "" = by type, organisation and queue.
    due_at         an agreed date in place of the resolution target (`#due`), or None.
    workaround_at  when an interim solution was given (`#workaround`), or None.
    version        every write is conditional on it.
    """

    number: int
    tag: str
    queue: str
    subject: str
    requester: str
    created_at: datetime
    updated_at: datetime
    status: Status = Status.OPEN
    priority: str = "P3"
    type: str = "question"
    assignee: str = ""
    language: str = "en"
    people: tuple[Person, ...] = ()
    silent_since: datetime | None = None
    silent_base: datetime | None = None
    silent_step: int = 0
    first_wait: float | None = None
    cycle: int = 0
    closed_at: datetime | None = None
    linked: int | None = None
    proven: bool = False
    automatic: bool = False
    organisation: str = ""
    tags: tuple[str, ...] = ()
    service_level: str = ""
    due_at: datetime | None = None
    workaround_at: datetime | None = None
    version: int = 0

    @property
    def reference(self) -> str:
        """The reference that people see, such as SUP-1042."""
        return f"{self.tag}-{self.number}"

    @property
    def is_erased(self) -> bool:
        """Tell whether everybody on the ticket was erased: nothing leads to it any more."""
        return self.requester.endswith(ERASED_DOMAIN) and not self.people

    def person(self, address: str) -> Person | None:
        """Return who this address is on the ticket, or None."""
        return next((person for person in self.people if person.address == address), None)

    def is_participant(self, address: str) -> bool:
        """Tell whether an address was admitted to the ticket."""
        person = self.person(address)
        return person is not None and person.role is not Role.OUTSIDE

    @property
    def participants(self) -> tuple[Person, ...]:
        """The people who get public mail, the requester first."""
        admitted = [person for person in self.people if person.role is not Role.OUTSIDE]
        return tuple(sorted(admitted, key=lambda person: person.role is not Role.REQUESTER))


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a ticket's history. `seq` is given by the store."""

    kind: EntryKind
    at: datetime
    actor: str
    audience: Audience
    to: tuple[str, ...] = ()
    subject: str = ""
    text: str = ""
    message_id: str = ""
    reason: str = ""


class TimerKind(StrEnum):
    """What a timer asks about when it is due; it is always re-checked then."""

    SILENCE = "silence"
    RESOLVED = "resolved"
    ACKNOWLEDGE = "acknowledge"
    HELD = "held"
    CLOCK = "clock"  # the next rung of a ladder: a warning, a breach, a repetition


@dataclass(frozen=True, slots=True)
class Timer:
    """A question to ask a ticket at a time; one per (ticket, kind, cycle)."""

    kind: TimerKind
    due: datetime
    cycle: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one ticket: its new state, new entries, timers set and dropped.

    drop       timer kinds dropped, before `timers` are set.
    is_new     the store makes the row; otherwise it is written where its version still fits.
    ids        Message-IDs by which later mail finds this ticket.
    search     whether the entries' words go into the search index.
    fresh_key  agents whose key generation goes up by one.
    measure    what reports count, computed from the whole history with these entries.
    as_before  nothing changes that a clock, a ladder or a report looks at; the history was not read.
    """

    ticket: Ticket
    entries: tuple[Entry, ...] = ()
    timers: tuple[Timer, ...] = ()
    drop: tuple[TimerKind, ...] = ()
    is_new: bool = False
    ids: tuple[str, ...] = ()
    fresh_key: tuple[str, ...] = ()
    measure: Measure | None = None
    as_before: bool = False


class Outcome(StrEnum):
    """The ledger's word for where a mail ended."""

    ON_TICKET = "on_ticket"
    IGNORED = "ignored"
    HELD = "held"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a mail ended and why, in words for a person."""

    outcome: Outcome
    reason: str
    ticket: int | None = None
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonChange:
    """What became known about an address: `None` leaves a field as it is."""

    address: str
    bounced: str | None = None  # the reason; "" clears the mark
    away_until: datetime | None = None
    wrote: bool = False  # wrote as a person: an earlier ticket counts in their favour


class HoldKind(StrEnum):
    """Which question a held mail waits for."""

    IDENTITY = "identity"  # answered yes or no
    ALIAS = "alias"  # answered yes or no; meanwhile it is no held mail, but on its ticket as from outside
    LEAK = "leak"  # answered SEND, NOTE or DROP
    FORGET = "forget"  # no mail is held: the admins are asked whether a person is erased; answered yes or no


@dataclass(frozen=True, slots=True)
class Hold:
    """A mail that waits for its agent's confirmation; the code stands in the question's subject."""

    kind: HoldKind
    copy: int
    ticket: int
    agent: str
    code: str
    why: str
    expires_at: datetime


class Grant(StrEnum):
    """How a held mail was confirmed when it is settled again."""

    NONE = ""
    YES = "yes"
    SEND = "send"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Release:
    """A held mail is let go: settled again with a grant, or ended without effect."""

    copy: int
    grant: Grant = Grant.NONE
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Forget:
    """A question about erasing a person that is answered, or an admin's order on the command line.

    address   whom to erase; "" = nobody, it was answered no or not at all.
    copy      the mail that asked, and `ticket` where; None without one.
    asked_by  an agent's key; "" without one.
    by        who confirmed it: an admin's address, or what stands for one.
    """

    address: str
    copy: int | None = None
    ticket: int | None = None
    asked_by: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Trouble or an oddity for the admins: told at most once an hour for each kind. `lines` go into the mail alone.

    since     when it began, where that is known; None: with its first alarm.
    goes_on   the desk tries by itself until it works again.
    once      told once and not again, however often it comes back.
    """

    kind: str
    what: str
    why: str = ""
    remedy: str = ""
    lines: tuple[str, ...] = ()
    since: datetime | None = None
    goes_on: bool = False
    once: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything that happens for one event, to be written in one transaction.

    forget        a question about erasing a person that ends with this; the mails are queued after it.
    private       the mail's original is not kept: it quotes a question about erasing somebody, or was erased before.

    wants_stats   mails that also show the figures of their queue's last 30 days, which are read outside
                  the pure rooms: whoever queues them adds a section with that text.
    """

    verdict: Verdict | None = None
    changes: tuple[Change, ...] = ()
    mail: tuple[Outgoing, ...] = ()
    people: tuple[PersonChange, ...] = ()
    hold: Hold | None = None
    release: Release | None = None
    alarms: tuple[Alarm, ...] = ()
    acknowledged: tuple[str, bool, bool] | None = (
        None  # address, proven, known person: counts against the limits
    )
    timer_done: tuple[TimerKind, int] | None = field(default=None)
    wants_stats: tuple[Outgoing, ...] = ()
    forget: Forget | None = None
    private: bool = False
