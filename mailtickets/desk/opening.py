"""Pure: what a mail that opens a ticket makes of it: organisation, rules, the customer's word, terms. In that order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mailtickets.desk.organisation import organisation_of
from mailtickets.desk.rules import Outcome, apply, called, capped, stated_priority
from mailtickets.desk.terms import Terms, default_priority, terms_of
from mailtickets.mail.authentication import Proof

if TYPE_CHECKING:
    from mailtickets.desk.agreement import Organisation
    from mailtickets.desk.events import Incoming
    from mailtickets.desk.policy import Policy
    from mailtickets.desk.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Opening:
    """A ticket as it is opened, and why it is so.

    organisation     of the sender; None also where the sender is proven false.
    priority_from    "rule 2", "stated by the customer", "default": what the history says behind the priority.
    """

    ticket: Ticket
    organisation: Organisation | None
    outcome: Outcome
    terms: Terms
    priority_from: str


def opened(ticket: Ticket, incoming: Incoming, policy: Policy) -> Opening:
    """Return a new ticket with everything that organisation, rules and the customer's own word set.

    ticket   as the mail alone makes it, in the queue that the mail came to. A rule that moves it gives it the
             other queue's tag and language, too, and takes it from an owner who is no agent there.
    """
    sender = incoming.message.sender
    trusted = sender is not None and incoming.proof is not Proof.FAIL
    organisation = organisation_of(sender.key, policy) if sender and trusted else None
    outcome = apply(policy.rules, incoming, ticket.queue, organisation)
    queue = policy.queues.get(outcome.queue) or policy.queues[ticket.queue]
    placed = replace(
        ticket,
        queue=queue.name,
        tag=queue.tag,
        type=outcome.type or ticket.type,
        language=ticket.language if queue.name == ticket.queue else queue.language,
        assignee=outcome.assignee or (ticket.assignee if ticket.assignee in queue.agents else ""),
        tags=tuple(dict.fromkeys((*ticket.tags, *outcome.tags))),
        service_level=outcome.service_level or ticket.service_level,
        organisation=organisation.key if organisation else "",
    )
    terms = terms_of(placed, policy)
    default = default_priority(terms.level)
    stated = stated_priority(incoming, terms.level) if queue.customer_priority else ""
    priority = outcome.priority or capped(stated, queue.customer_priority, default)
    why = _priority_from(outcome, stated, priority)
    return Opening(replace(placed, priority=priority), organisation, outcome, terms, why)


def _priority_from(outcome: Outcome, stated: str, priority: str) -> str:
    if rule := outcome.set_by("priority"):
        return called(rule)
    if not stated:
        return "default"
    return (
        "stated by the customer"
        if stated == priority
        else f"the customer stated {stated}, and that counts only so far"
    )
