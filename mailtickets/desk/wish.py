"""Pure: what an agent's mail asks for, after every check, and what comes of it, put together step by step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mailtickets.desk.facts import lines_of
from mailtickets.desk.notices import Reader
from mailtickets.desk.ticket import Audience, Entry, EntryKind
from mailtickets.mail.relay import fit_for_customers

if TYPE_CHECKING:
    from mailtickets.desk.case import Case
    from mailtickets.desk.commands import Read
    from mailtickets.desk.facts import HistoryLine, TicketFacts
    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.policy import AgentPolicy
    from mailtickets.desk.ticket import Person, Ticket


@dataclass(frozen=True, slots=True)
class Wish:
    """What an agent's mail asks for.

    public     its text goes to the customer.
    people     those of them whom the agent's own mail did not reach already.
    occasion   under which its mails are queued once.
    """

    case: Case
    facts: TicketFacts
    agent: AgentPolicy
    read: Read
    is_note: bool
    public: bool
    people: tuple[Person, ...]
    occasion: str


@dataclass(slots=True)
class Work:
    """What has come of a wish so far.

    ticket   as it stands now.
    done     a line of the receipt for each thing that was done.
    agreed   the date that the customer still has to be told, or None.
    routed   likewise the type of request that goes its own way, or "".
    counted  a mail to a stranger, against the limits of automatic answers; see `Decision.acknowledged`.
    """

    ticket: Ticket
    entries: list[Entry] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    agreed: object = None
    routed: str = ""
    counted: tuple[str, bool, bool] | None = None
    _mail: list[tuple[Outgoing, Entry | None]] = field(default_factory=list)

    def send(self, *mail: Outgoing, entry: Entry | None = None) -> None:
        """Take mails along; `entry` is the one of the history that they stand for."""
        self._mail.extend((one, entry) for one in mail)

    def mail(self) -> tuple[Outgoing, ...]:
        """Return the mails, each with the place of its entry."""
        places = {id(entry): place for place, entry in enumerate(self.entries)}
        return tuple(
            replace(one, entry=places[id(entry)]) if entry is not None else one for one, entry in self._mail
        )

    @property
    def reaches_customers(self) -> tuple[tuple[str, bool], ...]:
        """The customers' addresses that mail goes to, and whether it is somebody's own words."""
        to_customers = (one for one, _ in self._mail if one.reader is Reader.CUSTOMER)
        return tuple((to.address.key, one.human) for one in to_customers for to in one.to)

    def history(self, facts: TicketFacts) -> tuple[HistoryLine, ...]:
        """Return the ticket's history with what was written since."""
        return (*facts.history, *lines_of(self.entries))


def own_words(
    case: Case, kind: EntryKind, audience: Audience, text: str, to: tuple[str, ...], reason: str = ""
) -> Entry:
    """Return the entry of an agent's own text."""
    message = case.incoming.message
    return Entry(
        kind,
        case.now,
        case.actor,
        audience,
        to=to,
        subject=message.subject[:250],
        text=text,
        message_id=message.message_id,
        reason=reason,
    )


def as_read(agent: AgentPolicy, text: str) -> str:
    """Return an agent's words as customers read them: the history and the reminders quote them to customers."""
    return fit_for_customers(text, (agent.email, *agent.aliases))
