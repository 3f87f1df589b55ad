"""Pure: everything that was read from the store for one event, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailtickets.desk.ticket import EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from mailtickets.desk.ticket import Entry, HoldKind, Ticket
    from mailtickets.mail.keys import ReplyKey


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a mail says about where it belongs, read off the mail alone.

    ids    In-Reply-To first, then References from the last to the first.
    tags   subject tags, as (tag, number), in order of the subject.
    code   the one-time code of a confirmation, upper case; "" if none.
    void   places in which something has the form of a key of ours and is none.
    named  tickets that commands in the text name, as (tag, number): they prove nothing.
    status_word  it asks for the status and nothing else.
    forget  whom an agent wants erased, in comparable form; "" = the requester; None: no such command.
    """

    keys: tuple[ReplyKey, ...] = ()
    ids: tuple[str, ...] = ()
    tags: tuple[tuple[str, int], ...] = ()
    code: str = ""
    void: tuple[str, ...] = ()
    returned_keys: tuple[ReplyKey, ...] = ()
    returned_ids: tuple[str, ...] = ()
    named: tuple[tuple[str, int], ...] = ()
    status_word: bool = False
    forget: str | None = None


@dataclass(frozen=True, slots=True)
class KnownId:
    """A Message-ID the desk knows: of its own outbox (`ours`) or of a mail it took in.

    seq   the newest entry of the ticket when that mail was made: what its reader had seen.
    """

    message_id: str
    ticket: int
    seq: int
    ours: bool
    recipient: str = ""


@dataclass(frozen=True, slots=True)
class PublicEntry:
    """A mail that customers wrote or could read, newest last."""

    seq: int
    kind: EntryKind
    actor: str
    at: datetime
    text: str
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """An entry as the clocks see it. `value` is the first word of its reason: a status, a priority, a rung's key."""

    kind: EntryKind
    at: datetime
    actor: str
    value: str


# Which entries bear on a clock, a ladder, or on whom an agent asked; a person's mail out is a response.
CLOCKED_KINDS = frozenset(
    {
        EntryKind.STATUS, EntryKind.PRIORITY, EntryKind.TYPE, EntryKind.QUEUE, EntryKind.ORGANISATION, EntryKind.DUE,
        EntryKind.WORKAROUND, EntryKind.ESCALATED, EntryKind.MAIL_OUT, EntryKind.ASKED,
    }
)  # fmt: skip


def first_word(reason: str) -> str:
    """Return the value that a reason begins with: "open" of "open: the customer replied"."""
    return reason.partition(" ")[0].rstrip(":")


def lines_of(entries: Iterable[Entry]) -> tuple[HistoryLine, ...]:
    """Return what the clocks see of entries."""
    return tuple(
        HistoryLine(entry.kind, entry.at, entry.actor, first_word(entry.reason))
        for entry in entries
        if entry.kind in CLOCKED_KINDS
    )


@dataclass(frozen=True, slots=True)
class TicketFacts:
    """A ticket and what is needed to act on it.

    public        the last public mails, oldest first (at most 10).
    notes         texts of the last notes: what must not leave in an answer.
    generations   the present key generation of each agent that ever got one above 0.
    last_notice   delivery of the last answer, reminder or resolved mail of this cycle, if any.
    newest_seq    the highest entry.
    history       what the clocks need, the oldest first.
    """

    ticket: Ticket
    public: tuple[PublicEntry, ...] = ()
    notes: tuple[str, ...] = ()
    generations: Mapping[str, int] = field(default_factory=dict)
    last_notice: NoticeState | None = None
    newest_seq: int = 0
    acknowledged: bool = False
    history: tuple[HistoryLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """What the agent who writes said on the ticket in the last minutes: a note, or an answer."""

    kind: EntryKind
    text: str


@dataclass(frozen=True, slots=True)
class NoticeState:
    """What became of a mail of ours: the outbox state, and when it was sent; its number there, and whether a person wrote it."""

    kind: str
    state: str
    sent_at: datetime | None
    number: int = 0
    human: bool = False


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What is known of an address.

    wrote_before  it is known to have written: proven, with something that only readers of our mail have, or answered by a person.
    seen          somebody wrote in its name before.
    """

    address: str = ""
    bounced: str = ""
    away_until: datetime | None = None
    wrote_before: bool = False
    seen: bool = False


@dataclass(frozen=True, slots=True)
class AckCounts:
    """Acknowledgements already promised: to this address in 24 h, to its domain and in all in an hour.

    unproven_hour  answers to commands in an agent's name in an hour, without proof; `proven_hour` those with proof.
    alike          of the address's last tickets of a day, those opened with the words of this mail; `alike_domain`
                   those of its domain's strangers.
    waiting        acknowledgements that wait for a limit; counted only where one is reached, no further than `ack_waiting`.
    """

    address_day: int = 0
    domain_hour: int = 0
    hour: int = 0
    unproven_hour: int = 0
    proven_hour: int = 0
    alike: int = 0
    alike_domain: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Traces:
    """What the desk holds of a person.

    tickets   the person is on; nobody else is on `alone` of them, of which `open` are not closed.
    mails     the person wrote.
    known     the address stands somewhere in the books.
    """

    tickets: int = 0
    alone: int = 0
    open: int = 0
    mails: int = 0
    known: bool = False


ALIKE = 2  # so many tickets with the same words within an hour are enough; further mails are filed on the last of them
REPEATS = "repeats"  # tag of a ticket on which further mails of its sender are filed


@dataclass(frozen=True, slots=True)
class Opened:
    """The tickets of one queue and type that the writer's mailbox opened within an hour of this mail, and before it.

    priority       the lowest one among them: less urgent tickets are not.
    count, alike   how many; of these, how many with the very words of this mail.
    last           number of the newest that is not finished, among those alike where these are enough to go by; or None.
    """

    queue: str
    type: str
    priority: str
    count: int
    alike: int
    last: int | None


@dataclass(frozen=True, slots=True)
class HeldMail:
    """A mail that waits for confirmation, found by the code in a subject.

    about   whom a question about erasing is about.
    done    such a question was answered before; `about` then says how. Others are not found any more.
    """

    copy: int
    kind: HoldKind
    ticket: int
    agent: str
    code: str
    subject: str = ""
    about: str = ""
    done: bool = False
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that one decision may know. Values a decision does not need are left at their defaults.

    duplicate_erased   the mail that it is the same as was erased.
    holds_today      questions within a day whether an agent wrote what came without proof, to the agent who writes.
    questions_today  questions within a day whether an agent wrote from elsewhere, to the agent whose key the mail has.
    own      unfinished tickets that the writer opened, the newest first; read where the mail asks for them.
    traces   what the desk holds of those whom the mail wants erased, by address.
    alike    people who wrote before under the writer's local part, or what it looks like, at another domain.
    own   unfinished tickets that the writer opened, the newest first; read where the mail asks for them.
    known_people  of those on the tickets, who is known to have written, or was answered by a person.
    opened  what the writer opened lately; the last of each is among `tickets`, without its history where it has repeats already.
    requester_acks  for an agent's mail, of each ticket's requester.
    """

    next_number: int = 0
    tickets: Mapping[int, TicketFacts] = field(default_factory=dict)
    known_ids: tuple[KnownId, ...] = ()
    returned: tuple[KnownId, ...] = ()
    person: PersonFacts = field(default_factory=PersonFacts)
    bounced: Mapping[str, str] = field(default_factory=dict)
    away: Mapping[str, datetime] = field(default_factory=dict)
    acks: AckCounts = field(default_factory=AckCounts)
    held: HeldMail | None = None
    duplicate_of: int | None = None
    duplicate_ticket: int | None = None
    duplicate_erased: bool = False
    recent_ticket: int | None = None
    loads: Mapping[str, int] = field(default_factory=dict)
    last_assigned: str = ""
    said: tuple[Said, ...] = ()
    holds_today: int = 0
    questions_today: int = 0
    own: tuple[TicketFacts, ...] = ()
    traces: Mapping[str, Traces] = field(default_factory=dict)
    alike: tuple[str, ...] = ()
    known_people: frozenset[str] = frozenset()
    opened: tuple[Opened, ...] = ()
    requester_acks: Mapping[int, AckCounts] = field(default_factory=dict)

    def ticket(self, number: int) -> TicketFacts | None:
        """Return what was read of a ticket; a merged number leads to its target."""
        return self.tickets.get(number)
