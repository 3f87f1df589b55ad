"""Pure: a ticket becomes of another type: whose it may be, who hears of it from now on, who is told at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk import saying
from mailtickets.desk.notices import Notice, Outgoing, Reader, Recipient
from mailtickets.desk.route import hearers, routed_as
from mailtickets.desk.ticket import Audience, Entry, EntryKind, Status
from mailtickets.mail.message import Address

if TYPE_CHECKING:
    from mailtickets.desk.escalation import Told
    from mailtickets.desk.ticket import Ticket
    from mailtickets.desk.wish import Wish, Work

NOBODY = "nobody"


def may_own(wish: Wish, ticket: Ticket, agent: str) -> bool:
    """Tell whether an agent would hear of a ticket that is theirs: a type may keep its queue's agents out."""
    case = wish.case
    return agent in hearers(replace(ticket, assignee=agent), case.queue, case.policy).agents


def obstacle(wish: Wish, meant: Ticket) -> tuple[str, str] | None:
    """Return why the ticket cannot be given to whom a command names, and the word at fault; None where it can."""
    assign = wish.read.get("assign")
    owner = assign.argument if assign else wish.agent.key if wish.read.has("take") else ""
    if not owner or may_own(wish, meant, owner):
        return None
    name = wish.case.policy.agents[owner].name
    why = f"gives it to {name}, who would hear nothing of it: the type {meant.type} goes to others"
    return why, f"#assign {owner}" if assign else "#take"


def set_type(wish: Wish, work: Work) -> None:
    """Make the ticket of another type; an owner whom the new type keeps out loses it."""
    command, ticket = wish.read.get("type"), work.ticket
    if command is None:
        return
    kind, reference = command.argument, ticket.reference
    if kind == ticket.type:
        work.done.append(f"{reference} is of the type {kind} already")
        return
    case, now = wish.case, wish.case.now
    after = replace(ticket, type=kind)
    if ticket.status is Status.WAITING and not _silent(ticket, wish) and _silent(after, wish):
        after = replace(after, silent_base=now)  # no reminder of a time in which none was to come
    reason = f"{kind}: set by {wish.agent.key}"
    work.entries.append(Entry(EntryKind.TYPE, now, wish.agent.key, Audience.AGENTS, reason=reason))
    work.done.append(f"{reference} is of the type {kind} now")
    if after.assignee and not may_own(wish, after, after.assignee):
        work.entries.append(
            Entry(EntryKind.ASSIGNED, now, "desk", Audience.AGENTS, reason=f"{NOBODY}: {kind} has its own people")
        )  # fmt: skip
        after = replace(after, assignee="")
    work.ticket = after
    work.routed = "" if after.automatic else routed_as(after, case.policy)


def _silent(ticket: Ticket, wish: Wish) -> bool:
    """Tell whether silence reminds and closes tickets of this type."""
    kind = wish.case.policy.types.get(ticket.type)
    return kind.silence if kind else True


def tell_new_people(wish: Wish, work: Work) -> None:
    """Send the ticket to those who hear of its new type and heard nothing of the old one."""
    case, before, after = wish.case, wish.facts.ticket, work.ticket
    if after.type == before.type:
        return
    # Whoever owns it: the type's own people are told, even where from now on its owner alone hears of it.
    old = hearers(replace(before, assignee=""), case.queue, case.policy)
    new = hearers(replace(after, assignee=""), case.queue, case.policy)
    written = [entry for entry in wish.facts.public if entry.kind is EntryKind.MAIL_IN]
    text = written[-1].text if written else ""
    agents = [key for key in new.agents if key not in old.agents and key != wish.agent.key]
    work.send(*_to_agents(agents, wish, after, text))
    known = {person.address for person in old.others}
    if others := tuple(person for person in new.others if person.address not in known):
        work.send(_to_others(others, wish, after, text))
    names = [case.policy.agents[key].name for key in agents]
    names += [person.name or person.address for person in others]
    if names:
        work.done.append(f"Told of it: {', '.join(names)}")
    if before.assignee and not after.assignee and before.assignee not in {wish.agent.key, *agents}:
        _tell_former_owner(wish, work)


def _to_agents(agents: list[str], wish: Wish, ticket: Ticket, text: str) -> tuple[Outgoing, ...]:
    case = wish.case
    detail = f"Its type is {ticket.type}; it came from {ticket.requester or 'an unknown sender'}"
    return saying.event_to(
        [case.policy.agents[key] for key in agents], "typed", ticket, case.queue, case.policy, actor=wish.agent.name,
        occasion=f"{wish.occasion}:typed", text=text, detail=detail,
    )  # fmt: skip


def _to_others(people: tuple[Told, ...], wish: Wish, ticket: Ticket, text: str) -> Outgoing:
    """Return the mail to people who are no agents: they get the words and no rights."""
    case = wish.case
    requester = ticket.person(ticket.requester)
    values = saying.base_values(
        ticket, case.policy, keyed=False, author=(requester.name if requester else "") or ticket.requester,
        author_address=ticket.requester, proven=ticket.proven, text=text, html="", opened_at=ticket.created_at, type=ticket.type,
        told=bool(routed_as(ticket, case.policy)), warnings=[], hints=[f"{wish.agent.name} gave it the type {ticket.type}"],
    )  # fmt: skip
    return Outgoing(
        Notice("routed", ticket.language, case.queue.name, values), Reader.ADMIN,
        tuple(Recipient(Address(person.address, person.name)) for person in people), case.queue.name, ticket.number,
        separately=True, occasion=f"{wish.occasion}:typed", from_name=case.policy.desk_name,
    )  # fmt: skip


def _tell_former_owner(wish: Wish, work: Work) -> None:
    case = wish.case
    agent = case.policy.agents.get(wish.facts.ticket.assignee)
    kind = work.ticket.type
    detail = (
        f"{wish.agent.name} gave it the type {kind}, which has people of its own: it is not yours any more"
    )
    work.send(
        *saying.event_to(
            (agent,) if agent else (), "status", work.ticket, case.queue, case.policy, actor=wish.agent.name,
            occasion=f"{wish.occasion}:untaken", detail=detail,
        )
    )  # fmt: skip
