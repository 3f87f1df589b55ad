"""Pure: what follows from every change of a ticket: its figures for reports, and when its ladder is looked at next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk.escalation import ladder, next_at
from mailtickets.desk.facts import lines_of
from mailtickets.desk.service_level import settled
from mailtickets.desk.terms import terms_of
from mailtickets.desk.ticket import EntryKind, Timer, TimerKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mailtickets.desk.facts import Facts, HistoryLine
    from mailtickets.desk.policy import Policy
    from mailtickets.desk.service_level import Measure
    from mailtickets.desk.ticket import Change, Decision, Ticket


def kept(decision: Decision, facts: Facts, policy: Policy, now: datetime) -> Decision:
    """Return the decision with the figures and the clock's timer of each ticket that it changes."""
    if not decision.changes:
        return decision
    return replace(decision, changes=tuple(_kept(change, facts, policy, now) for change in decision.changes))


def _kept(change: Change, facts: Facts, policy: Policy, now: datetime) -> Change:
    if change.as_before:
        return change
    before = None if change.is_new else facts.ticket(change.ticket.number)
    history = (*(before.history if before else ()), *lines_of(change.entries))
    figures, timer = counted(change.ticket, history, policy, now)
    return replace(
        change,
        measure=figures,
        timers=(*change.timers, timer) if timer else change.timers,
        drop=change.drop if change.is_new or timer or not policy.rungs else (*change.drop, TimerKind.CLOCK),
    )


def counted(
    ticket: Ticket, history: Sequence[HistoryLine], policy: Policy, now: datetime
) -> tuple[Measure, Timer | None]:
    """Return a ticket's figures, and the timer of its next rung; None where nothing is due as things stand."""
    terms = terms_of(ticket, policy)
    clocks, figures = settled(ticket, history, terms)
    rungs = ladder(ticket, policy)
    at = next_at(clocks, rungs, fired(history), ticket, terms, now) if rungs else None
    return figures, None if at is None else Timer(TimerKind.CLOCK, at)


def fired(history: Sequence[HistoryLine]) -> frozenset[str]:
    """Return the keys of the rungs that fired already."""
    return frozenset(line.value for line in history if line.kind is EntryKind.ESCALATED)
