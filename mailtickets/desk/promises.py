"""Pure: what the desk says about its service level: deadlines to agents, promises to customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.desk.agreement import PRIORITIES, Target
from mailtickets.desk.escalation import highest, ladder
from mailtickets.desk.service_level import clocks
from mailtickets.desk.terms import priority_name, terms_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mailtickets.desk.facts import HistoryLine
    from mailtickets.desk.policy import Policy
    from mailtickets.desk.ticket import Ticket

TARGET_WORDS = {
    Target.FIRST_RESPONSE: "first answer",
    Target.UPDATE: "next news",
    Target.RESOLUTION: "resolution",
}


def deadlines(
    ticket: Ticket, history: Sequence[HistoryLine], policy: Policy, now: datetime
) -> list[dict[str, object]]:
    """Return what is due on a ticket, the next first: `{target, what, at, late}`; stopped clocks are left out."""
    terms = terms_of(ticket, policy)
    if terms.level is None and terms.type.targets is None and ticket.due_at is None:
        return []
    going = [clock for clock in clocks(ticket, history, terms, now).all if clock.is_going]
    return [
        {"target": clock.target.value, "what": TARGET_WORDS[clock.target], "at": clock.due_at, "late": clock.due_at < now}
        for clock in sorted(going, key=lambda clock: clock.due_at or now)
        if clock.due_at is not None
    ]  # fmt: skip


def shown_priority(ticket: Ticket, policy: Policy) -> str:
    """Return a ticket's priority in the desk's own word; P1 to P4 where it has none."""
    return priority_name(ticket.priority, terms_of(ticket, policy).level)


def told_priority(ticket: Ticket, policy: Policy) -> str:
    """Return the priority as customers are told it; "" where it says nothing.

    That is so without a service level, and for a type without clock or with targets of its own: a complaint is
    not less of one for being P3.
    """
    terms = terms_of(ticket, policy)
    counts = terms.runs and terms.type.targets is None
    return priority_name(ticket.priority, terms.level) if terms.level and counts else ""


def to_customer(
    ticket: Ticket, history: Sequence[HistoryLine], policy: Policy, now: datetime
) -> Mapping[str, object]:
    """Return what an acknowledgement says of the service level.

    priority      in the desk's word; "" where it says nothing, see `told_priority`.
    promise_at    when somebody answers at the latest; None without a target.
    resolve_at    the same for the resolution.
    open_from     when the desk opens, where it is closed now; else None. `hours` says when it is open.
    criteria      `{name, text}` of each priority that has them, where the priority is told.
    state         a customer may state a priority.
    escalate      a customer is offered to write ESCALATE; not for a wish, which is no trouble.
    """
    terms = terms_of(ticket, policy)
    level, calendar = terms.level, terms.calendar
    read = clocks(ticket, history, terms, now)
    closed = not calendar.is_open(now)
    queue = policy.queues.get(ticket.queue)
    priority = told_priority(ticket, policy)
    criteria = [
        {"name": priority_name(one, level), "text": level.criteria[one]}
        for one in PRIORITIES
        if level and priority and level.criteria.get(one)
    ]
    return {
        "priority": priority,
        "promise_at": read.first_response.due_at,
        "resolve_at": read.resolution.due_at,
        "open_from": calendar.next_open(now) if closed else None,
        "hours": calendar.in_words() if closed else "",
        "criteria": criteria,
        "state": queue is not None and queue.customer_priority != "",
        "escalate": terms.runs and highest(ladder(ticket, policy), ticket) is not None,
    }
