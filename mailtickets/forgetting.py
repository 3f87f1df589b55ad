"""Carries out that a person is erased: each ticket is told, then the store forgets. Inside the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.desk.decide import decide
from mailtickets.desk.events import PersonErased
from mailtickets.desk.ticket import TimerKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mailtickets.desk.policy import Policy
    from mailtickets.desk.ticket import Decision, Forget
    from mailtickets.store import Store


def erase(
    order: Forget, store: Store, policy: Policy, now: datetime, record: Callable[[Decision], object]
) -> str:
    """End the question that an order answers, and erase whom it names; return the pseudonym, "" where nobody is erased.

    record   writes what follows on a ticket.
    """
    if order.copy is not None:
        how = (
            f"{order.by} confirmed it, and the person was erased"
            if order.address
            else f"nobody was erased ({order.by})"
        )
        store.forgetting.settle(order.copy, how)
        if order.ticket is not None:
            store.tickets.drop_timer(order.ticket, TimerKind.HELD, order.copy)
    if not order.address:
        return ""
    asker = policy.agents.get(order.asked_by)
    asked_by = asker.name if asker else order.asked_by
    tickets = store.forgetting.tickets_of(order.address)
    for number, alone in tickets.items():
        event = PersonErased(number, asked_by, order.by, alone)
        facts = store.facts.for_ticket(number, policy.limits, now)
        record(decide(event, facts, policy, now))
    if order.ticket is not None and order.ticket not in tickets:
        facts = store.facts.for_ticket(order.ticket, policy.limits, now)
        record(decide(PersonErased(order.ticket, asked_by, order.by, asks=True), facts, policy, now))
    store.forgetting.settle_about(order.address, f"{order.by} confirmed it, and the person was erased")
    name = store.forgetting.erase(order.address)
    maillog.note("a person was erased", pseudonym=name, tickets=len(tickets), by=order.by)
    return name
