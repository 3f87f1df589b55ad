"""Pure: the mails that a decision sends, as `Outgoing` values. Decides no state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk import silence
from mailtickets.desk.dates import day_in_words
from mailtickets.desk.duty import when_to_tell
from mailtickets.desk.notices import Notice, Outgoing, Reader, Recipient
from mailtickets.desk.promises import deadlines, shown_priority, to_customer
from mailtickets.desk.route import hearers, keeps_out, regulars, routed_as
from mailtickets.desk.terms import terms_of
from mailtickets.desk.ticket import HoldKind, Role, Status
from mailtickets.mail.compose import KEY_PLACEHOLDER, MAX_NAME, visible_line
from mailtickets.mail.message import Address, address_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from mailtickets.desk.escalation import Told
    from mailtickets.desk.events import Incoming
    from mailtickets.desk.facts import HistoryLine, PublicEntry, TicketFacts
    from mailtickets.desk.people import Standing
    from mailtickets.desk.policy import AgentPolicy, Policy, QueuePolicy
    from mailtickets.desk.ticket import Hold, Person, Ticket
    from mailtickets.mail.message import Attachment

# How much of a customer's text goes into an agent's notice; the rest is in the attached original's place.
MAX_NOTICE_LETTERS = 100_000
MAX_EXCERPT = 400


def base_values(ticket: Ticket | None, policy: Policy, *, keyed: bool, **values: object) -> dict[str, object]:
    """Return the values that every template has, and those given."""
    return {
        "desk": policy.desk_name,
        "zone": policy.zone,
        "reference": ticket.reference if ticket else "",
        "subject": ticket.subject if ticket else "",
        "status": ticket.status.value if ticket else "",
        "key_line": KEY_PLACEHOLDER if keyed else "",
        **values,
    }


def excerpt(text: str, limit: int = MAX_EXCERPT) -> str:
    """Return the beginning of a text, cut at a word."""
    text = text.strip()
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0] + " ..."


def recipient(person: Person) -> Recipient:
    """Return a person on a ticket as an addressee."""
    return Recipient(Address(person.address, person.name))


def thread_of(facts: TicketFacts | None, incoming: Incoming | None = None) -> tuple[str, tuple[str, ...]]:
    """Return what a mail to the customer answers, and the ids before it (RFC 5322 section 3.6.4)."""
    ids = [entry.message_id for entry in (facts.public if facts else ()) if entry.message_id]
    if incoming and incoming.message.message_id and incoming.message.message_id not in ids:
        ids.append(incoming.message.message_id)
    return (ids[-1], tuple(ids)) if ids else ("", ())


def acknowledgement(ticket: Ticket, incoming_id: str, queue: QueuePolicy, policy: Policy, *, proven: bool, letters: int,
                    history: Sequence[HistoryLine], now: datetime, not_taken: Sequence[dict[str, str]] = (),
                    contacts: Sequence[str] = ()) -> Outgoing:  # fmt: skip
    """Return the acknowledgement of a new ticket (RFC 3834); its words depend on how sure the sender is.

    letters    length of what the customer wrote: a short mail is asked for what is missing.
    contacts   whom the sender should go through; told to a proven sender only.
    """
    echo = policy.echo == "always" or (policy.echo == "proven" and proven)
    ask = policy.ask_for(queue, ticket.type) if letters < queue.ask_for_below else ()
    values = base_values(
        ticket, policy, keyed=True, echo=echo, ask_for=list(ask), help_links=list(queue.help_links),
        not_taken=list(not_taken), short=not proven, others=[], routed=routed_as(ticket, policy),
        contacts=list(contacts) if proven else [], **to_customer(ticket, history, policy, now),
    )  # fmt: skip
    if not echo:
        values["subject"] = ""
    return Outgoing(
        Notice("acknowledgement", ticket.language, queue.name, values),
        Reader.CUSTOMER,
        (Recipient(Address(ticket.requester, "")),),
        queue.name,
        ticket.number,
        occasion="ack",
        from_name=policy.desk_name,
        answers=incoming_id,
        references=(incoming_id,) if incoming_id else (),
        auto_submitted="auto-replied",
        null_sender=True,
    )


def too_large(ticket: Ticket, incoming: Incoming, queue: QueuePolicy, policy: Policy) -> Outgoing:
    """Return the acknowledgement of a mail of which only the beginning is read."""
    size_mb = round(incoming.message.size_bytes / 1_000_000, 1)
    values = base_values(
        ticket,
        policy,
        keyed=True,
        size_mb=size_mb,
        limit_mb=round(policy.limits.mail_size_bytes / 1_000_000, 1),
    )
    answers = incoming.message.message_id
    return Outgoing(
        Notice("too_large", ticket.language, queue.name, values), Reader.CUSTOMER, (Recipient(Address(ticket.requester)),),
        queue.name, ticket.number, occasion=f"too_large:{answers}", from_name=policy.desk_name, answers=answers,
        references=(answers,) if answers else (), auto_submitted="auto-replied", null_sender=True,
    )  # fmt: skip


def agents_to_tell(
    ticket: Ticket, queue: QueuePolicy, policy: Policy, but: Iterable[str] = ()
) -> tuple[AgentPolicy, ...]:
    """Return the agents who hear of a ticket: its assignee, or while it has none all of the queue."""
    return tuple(policy.agents[key] for key in hearers(ticket, queue, policy, but).agents)


def _each(agents: Iterable[AgentPolicy]) -> tuple[Recipient, ...]:
    return tuple(Recipient(Address(agent.email, agent.name), agent.key) for agent in agents)


def _organisation(ticket: Ticket, policy: Policy) -> str:
    organisation = policy.organisations.get(ticket.organisation)
    return organisation.name if organisation else ""


def _special(ticket: Ticket) -> str:
    """Return the type of a ticket where it says something: "" for the one that every ticket begins with."""
    return "" if ticket.type == "question" else ticket.type.replace("_", " ").replace("-", " ")


def _tells(ticket: Ticket, policy: Policy) -> bool:
    kind = policy.types.get(ticket.type)
    return kind is not None and kind.tell


def _absent_owner(ticket: Ticket, policy: Policy) -> tuple[str, ...]:
    """Say why everybody gets a mail about somebody's ticket."""
    owner = policy.agents.get(ticket.assignee)
    if owner is None or owner.away_until is None:
        return ()
    return (
        f"{owner.name}, whose ticket this is, is away until {day_in_words(owner.away_until, policy.zone)}",
    )


def name_of(agent: str, policy: Policy) -> str:
    """Return an agent by name, anybody else as it is written."""
    return policy.agents[agent].name if agent in policy.agents else agent


def split_attachments(
    attachments: Sequence[Attachment], limit_bytes: int
) -> tuple[tuple[Attachment, ...], tuple[Attachment, ...]]:
    """Return the first attachments that fit into the limit together, and the others."""
    taken: list[Attachment] = []
    left: list[Attachment] = []
    used = 0
    for attachment in attachments:
        size = attachment.end - attachment.start
        if used + size <= limit_bytes:
            taken.append(attachment)
            used += size
        else:
            left.append(attachment)
    return tuple(taken), tuple(left)


def tell_agents(kind: str, ticket: Ticket, incoming: Incoming, standing: Standing, queue: QueuePolicy, policy: Policy, *,
                occasion: str, now: datetime, history: Sequence[HistoryLine], warnings: Sequence[str] = (),
                hints: Sequence[str] = (), quiet: str = "", others: Sequence[str] = (), but: Iterable[str] = ()) -> tuple[Outgoing, ...]:  # fmt: skip
    """Return the notice of a customer's mail, one mail to each agent: the customer's text first, but for what is to be known of the sender.

    warnings   about the sender: above the text, where nobody overlooks them.
    hints      about the mail and the ticket: below it.

    An agent outside the own hours gets it when they begin; people who are no agents get the words and no rights.
    """
    heard = hearers(ticket, queue, policy, but)
    regular = (*regulars(ticket, queue, policy), *(() if keeps_out(ticket, policy) else queue.on_call))
    duty = replace(queue, on_call=tuple(key for key in queue.on_call if key in regular))
    tellings = when_to_tell(heard.agents, duty, policy, terms_of(ticket, policy).calendar, now)
    # Whoever wrote it has it: a mail that came back would be answered again, by a machine for ever.
    writer = incoming.message.sender.key if incoming.message.sender else ""
    plain = [person for person in heard.others if address_key(person.address) != writer]
    if not tellings and not plain:
        return ()
    message = incoming.message
    taken, left_out = split_attachments(incoming.relayed.attachments, queue.notify_attachments_bytes)
    author = message.author
    waiting, rhythm = silence.begin_waiting(ticket, now), silence.rhythm_of(ticket, queue, policy)
    reminder = silence.next_timer(waiting, rhythm) if queue.reminders else None
    values = base_values(
        ticket, policy, keyed=True,
        author=author.name or author.address, author_address=author.address, proven=standing.proven,
        outside=standing.speaker.value == "outside", text=incoming.relayed.text[:MAX_NOTICE_LETTERS], html=incoming.relayed.html,
        attachments=[{"name": a.name or a.content_type, "size": a.size_bytes} for a in taken],
        left_out=[{"name": a.name or a.content_type, "size": a.size_bytes} for a in left_out],
        warnings=list(warnings), hints=[*hints, *_absent_owner(ticket, policy)], priority=shown_priority(ticket, policy), deadlines=deadlines(ticket, history, policy, now), assignee=name_of(ticket.assignee, policy), requester=ticket.requester, type=_special(ticket),
        organisation=_organisation(ticket, policy), only_you=keeps_out(ticket, policy), participants=[p.address for p in ticket.people if p.role is Role.PARTICIPANT], others=list(others),
        does=queue.after_reply, first_reminder_at=reminder.due if reminder else None,
        closes_at=silence.closes_at(waiting, rhythm), opened_at=ticket.created_at, quiet=quiet,
    )  # fmt: skip
    at_once: dict[datetime | None, list[AgentPolicy]] = {}
    for telling in tellings:
        at_once.setdefault(telling.not_before, []).append(policy.agents[telling.agent])
    mail = [
        Outgoing(
            Notice(kind, ticket.language, queue.name, values), Reader.AGENT, _each(agents), queue.name, ticket.number,
            separately=True, occasion=occasion, from_name=_via(author, policy),
            attachments=taken, original=incoming.digest, not_before=not_before,
        )
        for not_before, agents in at_once.items()
    ]  # fmt: skip
    if plain:
        mail.append(
            Outgoing(
                Notice("routed", ticket.language, queue.name, {**values, "key_line": "", "type": ticket.type, "told": _tells(ticket, policy)}), Reader.ADMIN,
                tuple(Recipient(Address(person.address, person.name)) for person in plain), queue.name, ticket.number,
                separately=True, occasion=occasion, from_name=_via(author, policy),
                attachments=taken, original=incoming.digest,
            )
        )  # fmt: skip
    return tuple(mail)


def _via(author: Address, policy: Policy) -> str:
    """Return the name that a notice comes from; one without end must not push the desk's own out of sight."""
    desk = f" via {policy.desk_name}"
    name = visible_line(author.name or author.address)
    return name[: max(MAX_NAME - len(desk), MAX_NAME // 3)].rstrip() + desk


def escalation(person: Told, ticket: Ticket, queue: QueuePolicy, policy: Policy, facts: TicketFacts, *,
               rungs: Sequence[Mapping[str, object]], deadlines: Sequence[Mapping[str, object]], asked_by: str, reason: str,
               occasion: str, also: Sequence[Told] = ()) -> Outgoing:  # fmt: skip
    """Return the mail that tells somebody of a ticket in danger: what is due, who waits, what was written last.

    also   who else is told at the same moment, with telephone numbers where the configuration has them.

    An agent may answer it like any notice; anybody else gets it without a key.
    """
    agent = policy.agents.get(person.agent)
    organisation = policy.organisations.get(ticket.organisation)
    # A bare ESCALATE says nothing to whoever is told; the words before it do.
    last = next((entry for entry in reversed(facts.public) if len(entry.text.split()) > 1), None)
    values = base_values(
        ticket, policy, keyed=agent is not None, rungs=list(rungs), deadlines=list(deadlines), asked_by=name_of(asked_by, policy), reason=reason,
        priority=shown_priority(ticket, policy), rank=ticket.priority, requester=ticket.requester, organisation=organisation.name if organisation else "",
        assignee=name_of(ticket.assignee, policy), queue=queue.name, opened_at=ticket.created_at,
        also=[{"name": one.name or one.address, "address": one.address, "phone": one.phone} for one in also],
        people=[policy.agents[key].name for key in hearers(ticket, queue, policy).agents],
        last_author=last.actor if last else "", last_at=last.at if last else None, last_text=excerpt(last.text, 1500) if last else "",
        agent=agent is not None,
    )  # fmt: skip
    return Outgoing(
        Notice("escalation", ticket.language, queue.name, values), Reader.AGENT if agent else Reader.ADMIN,
        (Recipient(Address(person.address, person.name), person.agent),), queue.name, ticket.number, separately=True,
        occasion=occasion, from_name=policy.desk_name,
    )  # fmt: skip


def event_to_agents(event: str, ticket: Ticket, queue: QueuePolicy, policy: Policy, *, actor: str, occasion: str, text: str = "",
                    detail: str = "", but: Iterable[str] = (), everybody: bool = False,
                    incoming: Incoming | None = None) -> tuple[Outgoing, ...]:  # fmt: skip
    """Return the news of an event on a ticket, one mail to each agent who should hear of it.

    everybody   all who may hear of it: the queue's agents, but for a type that keeps them out.
    incoming    the mail that it is about, where its attachments go along.
    """
    agents = agents_to_tell(replace(ticket, assignee="") if everybody else ticket, queue, policy, but)
    return event_to(
        agents, event, ticket, queue, policy, actor=actor, occasion=occasion, text=text, detail=detail, incoming=incoming
    )  # fmt: skip


def came_back(why: str, which: str, stops: Sequence[str]) -> str:
    """Return what agents read of a mail of ours that came back.

    which   mail it was, in words; "" where nobody knows.
    stops   addresses to which nothing automatic goes from now on.
    """
    said = [why or "The receiving server returned our mail", f"It was {which}" if which else ""]
    if stops:
        owner = "its owner writes" if len(stops) == 1 else "their owners write"
        said.append(f"No automatic mail goes to {' and '.join(stops)} until {owner} again")
    return ". ".join(one.rstrip(".") for one in said if one)


def event_to(agents: Sequence[AgentPolicy], event: str, ticket: Ticket, queue: QueuePolicy, policy: Policy, *, actor: str,
             occasion: str, text: str = "", detail: str = "", incoming: Incoming | None = None) -> tuple[Outgoing, ...]:  # fmt: skip
    """Return the news of an event on a ticket, one mail to each of these agents."""
    if not agents:
        return ()
    values = base_values(
        ticket, policy, keyed=True, event=event, actor=actor, text=text[:MAX_NOTICE_LETTERS], detail=detail
    )
    attached: tuple[Attachment, ...] = ()
    if incoming is not None:
        attached, _ = split_attachments(incoming.relayed.attachments, queue.notify_attachments_bytes)
    return (
        Outgoing(
            Notice("agent_event", ticket.language, queue.name, values), Reader.AGENT, _each(agents), queue.name, ticket.number,
            separately=True, occasion=occasion, from_name=policy.desk_name, attachments=attached,
            original=incoming.digest if incoming else b"",
        ),
    )  # fmt: skip


def to_customers(kind: str, ticket: Ticket, people: Sequence[Person], queue: QueuePolicy, policy: Policy, facts: TicketFacts | None,
                 *, occasion: str, human: bool, from_name: str = "", incoming: Incoming | None = None, text: str = "",
                 keyed: bool = False, entry: int | None = None, values: Mapping[str, object]) -> Outgoing:  # fmt: skip
    """Return one mail to the people of a ticket, all of them visible in To and Cc.

    values     of the template, besides those that every mail has.
    incoming   the agent's mail whose words it carries: its attachments and formatting go with it.
    """
    answers, references = thread_of(facts)
    shown = base_values(ticket, policy, keyed=keyed, text=text, html="", **values)
    return Outgoing(
        Notice(kind, ticket.language, queue.name, shown), Reader.CUSTOMER, tuple(recipient(p) for p in people), queue.name,
        ticket.number, human=human, occasion=occasion, from_name=from_name or policy.desk_name, answers=answers,
        references=references, auto_submitted="" if human else "auto-generated", original=incoming.digest if incoming else b"",
        relays=incoming is not None, entry=entry,
    )  # fmt: skip


def to_agent(kind: str, agent: AgentPolicy, ticket: Ticket | None, queue: QueuePolicy, policy: Policy, *, occasion: str,
             keyed: bool = True, answers: str = "", values: Mapping[str, object]) -> Outgoing:  # fmt: skip
    """Return one mail to one agent's configured address."""
    return Outgoing(
        Notice(kind, queue.language, queue.name, base_values(ticket, policy, keyed=keyed and ticket is not None, **values)),
        Reader.AGENT, _each((agent,)), queue.name, ticket.number if ticket else None, separately=True, occasion=occasion,
        from_name=policy.desk_name, answers=answers, auto_submitted="auto-replied",
    )  # fmt: skip


def question(hold: Hold, agent: AgentPolicy, ticket: Ticket, queue: QueuePolicy, policy: Policy, incoming: Incoming, text: str,
             between: Sequence[PublicEntry] = ()) -> Outgoing:  # fmt: skip
    """Return the question that a held mail asks its agent; the code stands in the subject, no key in it."""
    kind = "leak" if hold.kind is HoldKind.LEAK else "held"
    came = [{"author": e.actor, "at": e.at, "text": excerpt(e.text)} for e in between]
    values: dict[str, object] = {"code": hold.code, "why": hold.why, "text": text[:MAX_NOTICE_LETTERS]}
    if kind == "held":
        values["sender"] = incoming.message.sender.address if incoming.message.sender else ""
        values["elsewhere"] = hold.kind is HoldKind.ALIAS
    else:
        values["between"] = came
    return to_agent(
        kind, agent, ticket, queue, policy, occasion=f"{kind}:{hold.code}", keyed=False, values=values
    )


def not_sent(agent: AgentPolicy, ticket: Ticket | None, queue: QueuePolicy, policy: Policy, *, why: str, text: str, occasion: str,
             word: str = "", nearest: str = "", failed: Sequence[tuple[str, str]] = (), answers: str = "") -> Outgoing:  # fmt: skip
    """Return an agent's mail that did not happen, with its whole text and the reason."""
    return to_agent(
        "not_sent", agent, ticket, queue, policy, occasion=occasion, answers=answers,
        values={"why": why, "text": text[:MAX_NOTICE_LETTERS], "word": word, "nearest": nearest,
                "failed": [{"address": a, "why": w} for a, w in failed]},
    )  # fmt: skip


STATUS_DONE = {
    Status.OPEN: "is being processed",
    Status.PENDING: "is picked up; the next move is yours",
    Status.WAITING: "awaits the customer's reply",
    Status.THIRD_PARTY: "waits for a third party",
    Status.RESOLVED: "is resolved",
    Status.CLOSED: "is closed",
}
