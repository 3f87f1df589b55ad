"""Pure: who hears of a ticket: its owner, its queue's agents, or those to whom its type is routed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailtickets.desk.agreement import ENHANCEMENT, Contact
from mailtickets.desk.escalation import Told, ladder, told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailtickets.desk.policy import Policy, QueuePolicy
    from mailtickets.desk.ticket import Ticket

QUEUE = "queue"
EXPIRED = "expired"  # tag of a ticket whose organisation's agreement had ended


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who is told of a ticket.

    agents   keys, in order: they get its notices, and rights with them.
    others   people of the configuration who are no agents of its queue: they get the text and no rights.
    """

    agents: tuple[str, ...]
    others: tuple[Told, ...] = ()


def hearers(ticket: Ticket, queue: QueuePolicy, policy: Policy, but: Iterable[str] = ()) -> Hearers:
    """Return who hears of a ticket: its assignee, or while it has none all of the queue, and whom its type names.

    A type with a route of its own keeps the queue's agents out (`only_route`), or adds people to them.
    """
    left_out = set(but)
    kind = policy.types.get(ticket.type)
    route = kind.route if kind else (QUEUE,)
    expired = EXPIRED in ticket.tags
    if expired:
        route = (*route, "account_manager")
    agents: list[str] = []
    others: dict[str, Told] = {}
    named = _named(route, ticket, policy)
    may = {*queue.agents, *(person.agent for person in named if person.agent)}
    if kind and kind.only_route:
        may = {person.agent for person in named if person.agent}
    owned = ticket.assignee in may or ticket.assignee in _called(ticket, queue, policy)
    if owned:
        agents = [ticket.assignee]
        if policy.agents[ticket.assignee].away_until:
            # Nobody would read it: the others who may have the ticket hear of it, too.
            agents += [key for key in regulars(ticket, queue, policy) if key != ticket.assignee]
    elif not (kind and kind.only_route):
        agents = list(queue.agents)
    for person in named:
        if not person.agent:
            others[person.address] = person
        elif person.agent not in agents and (expired or not owned):
            agents.append(person.agent)
    if not agents and not others:
        agents = list(queue.agents)  # a route that leads to nobody must not swallow a ticket
    return Hearers(
        tuple(key for key in agents if key in policy.agents and key not in left_out), tuple(others.values())
    )


def _called(ticket: Ticket, queue: QueuePolicy, policy: Policy) -> frozenset[str]:
    """Return the other agents who may own a ticket: who manages the account, and whoever its ladder calls.

    A type that keeps its queue's agents out keeps them out here, too.
    """
    if not ticket.assignee:
        return frozenset()
    kind = policy.types.get(ticket.type)
    called = set(rightful(ticket, queue, policy))
    return frozenset(called - set(queue.agents) if kind and kind.only_route else called)


def keeps_out(ticket: Ticket, policy: Policy) -> bool:
    """Tell whether the type of a ticket keeps the queue's agents out."""
    kind = policy.types.get(ticket.type)
    return kind is not None and kind.only_route


def goes_its_own_way(ticket: Ticket, policy: Policy) -> bool:
    """Tell whether the type of a ticket names people besides, or in place of, its queue's agents."""
    kind = policy.types.get(ticket.type)
    return kind is not None and any(word != QUEUE for word in kind.route)


def routed_as(ticket: Ticket, policy: Policy) -> str:
    """Return the word for the way a ticket goes, as customers are told it; "" where they are told nothing.

    It is the type's name; but only a customer who has an account manager is told that a wish goes there.
    """
    kind = policy.types.get(ticket.type)
    if kind is None or not kind.tell:
        return ""
    organisation = policy.organisations.get(ticket.organisation)
    managed = "account_manager" in kind.route and organisation is not None and organisation.account_manager
    return kind.name if managed or kind.name != ENHANCEMENT.name else f"{kind.name}_elsewhere"


def regulars(ticket: Ticket, queue: QueuePolicy, policy: Policy) -> tuple[str, ...]:
    """Return the agents whose ticket it is: the queue's, and those to whom its type is routed.

    Where the type keeps the queue's agents out, they have no part in it, unless its route leads to nobody.
    """
    kind = policy.types.get(ticket.type)
    named = _named(kind.route if kind else (), ticket, policy)
    own = () if kind and kind.only_route and named else queue.agents
    return tuple(dict.fromkeys((*own, *(person.agent for person in named if person.agent))))


def rightful(ticket: Ticket, queue: QueuePolicy, policy: Policy) -> tuple[str, ...]:
    """Return the agents who may have a key for a ticket: its regulars, the account manager, and its ladder's people."""
    named = list(_named(("account_manager",), ticket, policy))
    for rung in ladder(ticket, policy):
        for contact in rung.to:
            named.extend(told(contact, ticket, policy))
    return tuple(
        dict.fromkeys((*regulars(ticket, queue, policy), *(person.agent for person in named if person.agent)))
    )


def _named(route: Iterable[str], ticket: Ticket, policy: Policy) -> tuple[Told, ...]:
    found: list[Told] = []
    for word in route:
        if word == QUEUE:
            continue
        contact = (
            Contact(address=word)
            if "@" in word and policy.agent_of(word) is None
            else Contact(agent=_key(word, policy))
        )
        found.extend(told(contact, ticket, policy))
    return tuple(dict.fromkeys(found))


def _key(word: str, policy: Policy) -> str:
    agent = policy.agent_of(word) if "@" in word else None
    return agent.key if agent else word
