"""Pure: one mail with everything that bears on it, and the small moves all decisions share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mailtickets.desk import silence
from mailtickets.desk.opening import opened
from mailtickets.desk.people import Standing, people_joining
from mailtickets.desk.route import goes_its_own_way
from mailtickets.desk.thread import Found, strip_tags
from mailtickets.desk.ticket import (
    Audience,
    Entry,
    EntryKind,
    Outcome,
    Person,
    PersonChange,
    Role,
    Status,
    Ticket,
    TimerKind,
    Verdict,
)
from mailtickets.mail.classify import Origin
from mailtickets.mail.message import base_subject

if TYPE_CHECKING:
    from datetime import datetime

    from mailtickets.desk.agreement import Organisation
    from mailtickets.desk.events import Incoming, MailArrived
    from mailtickets.desk.facts import Facts, TicketFacts
    from mailtickets.desk.lookalike import Likeness
    from mailtickets.desk.policy import Policy, QueuePolicy
    from mailtickets.desk.ticket import Timer

MAX_SUBJECT = 250
SILENCE_TIMERS = (TimerKind.SILENCE, TimerKind.RESOLVED)


@dataclass(frozen=True, slots=True)
class Case:
    """A mail to be decided. `others` are further queues that the same mail reached; `likeness` whom its sender looks like."""

    event: MailArrived
    found: Found
    standing: Standing
    queue: QueuePolicy
    others: tuple[QueuePolicy, ...]
    facts: Facts
    policy: Policy
    now: datetime
    likeness: Likeness | None = None

    @property
    def incoming(self) -> Incoming:
        """The mail itself."""
        return self.event.incoming

    @property
    def sender(self) -> str:
        """The writer's address in comparable form, or an empty string."""
        sender = self.incoming.message.sender
        return sender.key if sender else ""

    @property
    def actor(self) -> str:
        """Who wrote it, for the history: an agent's key, or an address."""
        if self.standing.agent:
            return self.standing.agent.key
        return self.sender or self.incoming.message.author.address or "unknown"

    @property
    def ids(self) -> tuple[str, ...]:
        """The Message-ID by which later mail finds the ticket, if there is one."""
        message_id = self.incoming.message.message_id
        return (message_id,) if message_id else ()

    @property
    def read_ours(self) -> bool:
        """Its writer has read a mail of ours: nobody else knows what it brings. From alone is a claim."""
        return self.found.by in {"key", "our id"}

    @property
    def writer(self) -> tuple[PersonChange, ...]:
        """What is known of the writer by this mail: a person's address works again, and is known from now on.

        Known is only who is proven: a mail in somebody's name must not take the limits off the next thousand.
        """
        if not self.sender or self.incoming.classification.origin is not Origin.PERSON:
            return ()
        bounced = "" if self.facts.person.bounced else None
        return (PersonChange(self.sender, bounced, wrote=self.standing.proven or self.read_ours),)

    def on(self, ticket: Ticket) -> Case:
        """Return the case in the queue of a ticket that something else than its own words led to.

        The mail may have reached another queue, whose agents have no part in the ticket.
        """
        return replace(self, queue=self.policy.queues.get(ticket.queue, self.queue))

    def verdict(self, outcome: Outcome, reason: str, ticket: int | None = None) -> Verdict:
        """Return the ledger's verdict with every step that led to it."""
        classification = self.incoming.classification
        steps = [*self.found.why]
        if classification.reason:
            steps.append(f"not written by a person: {classification.reason}")
        if self.standing.why:
            steps.append(f"sender: {self.standing.why}")
        if self.likeness:
            steps.append(self.likeness.line)
        steps.extend(self.incoming.message.defects)
        return Verdict(outcome, reason, ticket, tuple(steps))

    def mail_in(self, audience: Audience, kind: EntryKind = EntryKind.MAIL_IN, reason: str = "") -> Entry:
        """Return the entry that says this mail came in."""
        message = self.incoming.message
        return Entry(
            kind, self.now, self.actor, audience, to=tuple(a.address for a in (*message.to, *message.cc))[:50],
            subject=message.subject[:MAX_SUBJECT], text=self.incoming.text, message_id=message.message_id, reason=reason,
        )  # fmt: skip

    def status_entry(self, status: Status, reason: str) -> Entry:
        """Return the entry that says a status changed."""
        return Entry(
            EntryKind.STATUS, self.now, self.actor, Audience.AGENTS, reason=f"{status.value}: {reason}"
        )


def new_ticket(case: Case, requester: Person | None) -> Ticket:
    """Return the ticket that this mail opens; its number came from the store."""
    message = case.incoming.message
    tags = [queue.tag for queue in case.policy.queues.values()]
    subject = base_subject(strip_tags(message.subject, tags))[:MAX_SUBJECT] or "(no subject)"
    people: tuple[Person, ...] = (requester,) if requester else ()
    if requester and case.incoming.classification.origin is Origin.PERSON:
        people += joining(case, None)
    return Ticket(
        number=case.facts.next_number, tag=case.queue.tag, queue=case.queue.name, subject=subject,
        requester=requester.address if requester else "", created_at=case.incoming.arrived, updated_at=case.now,
        language=case.queue.language, people=people, proven=case.standing.proven, assignee=first_owner(case),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class New:
    """A ticket as rules and organisation make it; `entries` say what they set."""

    ticket: Ticket
    organisation: Organisation | None
    entries: tuple[Entry, ...]


def opened_by(case: Case, requester: Person | None, linked: Ticket | None = None) -> tuple[Case, New]:
    """Return the ticket that this mail opens, and the case in the queue that a rule may have moved it to.

    linked   the old ticket that it continues: its type and level hold on, where no rule says otherwise, so that
             what was for a few people's eyes stays so.
    """
    plain = new_ticket(case, requester)
    if linked:
        plain = replace(plain, type=linked.type, service_level=linked.service_level)
    opening = opened(plain, case.incoming, case.policy)
    ticket = opening.ticket
    if ticket.queue != case.queue.name:
        case = replace(case, queue=case.policy.queues[ticket.queue])
        if not opening.outcome.assignee:
            ticket = replace(ticket, assignee=first_owner(case), language=case.queue.language)
    if not opening.outcome.assignee and goes_its_own_way(ticket, case.policy):
        # Dealt out to one of the queue's agents, a complaint would be in the hands of whoever it may be about,
        # and a wish would never reach the account manager.
        ticket = replace(ticket, assignee="")
    said = (
        (EntryKind.QUEUE, ticket.queue if ticket.queue != plain.queue else "", "by a rule"),
        (EntryKind.ORGANISATION, ticket.organisation, opening.organisation.name if opening.organisation else ""),
        (EntryKind.TYPE, ticket.type if ticket.type != plain.type else "", "by a rule"),
        (EntryKind.TYPE, ticket.type if linked and ticket.type == linked.type else "", f"as {linked.reference if linked else ''}"),
        # Under a service level always: a priority set later must not look like the first one.
        (EntryKind.PRIORITY, ticket.priority if opening.priority_from != "default" or opening.terms.level else "", opening.priority_from),
        (EntryKind.TAGGED, " ".join(ticket.tags), "by a rule"),
    )  # fmt: skip
    entries = tuple(
        Entry(kind, case.now, "desk", Audience.AGENTS, reason=f"{value}: {why}")
        for kind, value, why in said
        if value
    )
    return case, New(ticket, opening.organisation, entries)


def joining(case: Case, ticket: Ticket | None) -> tuple[Person, ...]:
    """Return who joins by this mail; where senders can be proven, only a proven one brings people along."""
    if case.incoming.provable and not case.standing.proven:
        return ()
    limit = case.policy.limits.people_per_ticket
    return people_joining(case.incoming.message, ticket, case.queue, case.policy, limit)


def first_owner(case: Case) -> str:
    """Return the agent a new ticket goes to by the queue's rule, or nobody."""
    agents = [key for key in case.queue.agents if key in case.policy.agents]
    agents = [key for key in agents if not case.policy.agents[key].away_until] or agents
    if not agents or case.queue.notify not in {"round-robin", "least-loaded"}:
        return ""
    if case.queue.notify == "least-loaded":
        return min(agents, key=lambda key: (case.facts.loads.get(key, 0), agents.index(key)))
    last = case.facts.last_assigned
    return agents[(agents.index(last) + 1) % len(agents)] if last in agents else agents[0]


def joined(ticket: Ticket, *people: Person) -> Ticket:
    """Return the ticket with more people; who was outside may be admitted, nobody is sent outside."""
    admitted = {person.address for person in ticket.participants}
    new = {p.address: p for p in people if p.address not in admitted}
    kept = (new.pop(p.address) if new.get(p.address, p).role is not p.role else p for p in ticket.people)
    there = tuple(kept)
    known = {person.address for person in there}
    return replace(ticket, people=(*there, *(p for p in new.values() if p.address not in known)))


def with_role(ticket: Ticket, address: str, name: str, role: Role) -> Ticket:
    """Return the ticket with this person on it, in this role if they are new."""
    return joined(ticket, Person(address, name, role))


def timers_of(ticket: Ticket, queue: QueuePolicy, policy: Policy) -> tuple[Timer, ...]:
    """Return the timers that the ticket's silence asks for."""
    timer = silence.next_timer(ticket, silence.rhythm_of(ticket, queue, policy))
    return (timer,) if timer else ()


def is_stranger(facts: TicketFacts, all_facts: Facts) -> bool:
    """Tell whether nobody knows that a ticket's requester wrote at all: not proven, not known, never answered by a person."""
    spoken = any(entry.kind in {EntryKind.MAIL_OUT, EntryKind.ASKED} for entry in facts.public)
    return not (spoken or facts.ticket.proven or facts.ticket.requester in all_facts.known_people)
