"""Pure: when a silent ticket is reminded and closed (design section 5). Plain durations; UTC throughout.

A silence has steps: each reminder, then closing. Step k is due `offset(k)` after `silent_base`.
The base is the agent's last public text; where a step went out late it moves with it, so that the
steps keep their distance, also after downtime.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets.desk.ticket import Status, Timer, TimerKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mailtickets.desk.policy import QueuePolicy
    from mailtickets.desk.ticket import Ticket

    # The seam for working hours: given a moment, the first moment at or after it in which the
    # queue may send reminders. Queues without a calendar may always send.
    SendingWindow = Callable[[datetime], datetime]


def always(moment: datetime) -> datetime:
    """Return the moment itself: a queue without a calendar sends at any time."""
    return moment


def offsets(queue: QueuePolicy) -> tuple[timedelta, ...]:
    """Return the distance of every step from the start of the silence; the last one closes."""
    return (*queue.reminders, queue.close_after)


def begin_waiting(ticket: Ticket, now: datetime, queue: QueuePolicy, wait: timedelta | None = None) -> Ticket:
    """Return the ticket with a new silence begun; `wait` puts the first step at that distance."""
    base = now if wait is None else now + wait - offsets(queue)[0]
    return replace(
        ticket,
        status=Status.WAITING,
        silent_since=now,
        silent_base=base,
        silent_step=0,
        first_wait=None if wait is None else wait.total_seconds(),
        cycle=ticket.cycle + 1,
        closed_at=None,
    )


def begin_resolved(ticket: Ticket, now: datetime) -> Ticket:
    """Return the ticket as resolved, with its way to closing begun."""
    return replace(
        ticket, status=Status.RESOLVED, silent_since=now, silent_base=now, silent_step=0, first_wait=None,
        cycle=ticket.cycle + 1, closed_at=None,
    )  # fmt: skip


def end_silence(ticket: Ticket, status: Status, now: datetime) -> Ticket:
    """Return the ticket in a status in which nobody's silence counts."""
    closed_at = now if status is Status.CLOSED else None
    return replace(
        ticket,
        status=status,
        silent_since=None,
        silent_base=None,
        silent_step=0,
        first_wait=None,
        closed_at=closed_at,
    )


def next_timer(ticket: Ticket, queue: QueuePolicy, window: SendingWindow = always) -> Timer | None:
    """Return the next step of a ticket's silence as a timer, or None where no silence counts."""
    if ticket.silent_base is None:
        return None
    if ticket.status is Status.WAITING:
        steps = offsets(queue)
        step = min(ticket.silent_step, len(steps) - 1)
        return Timer(TimerKind.SILENCE, window(ticket.silent_base + steps[step]), ticket.cycle)
    if ticket.status is Status.RESOLVED:
        due = ticket.silent_base + queue.resolved_close_after
        return Timer(TimerKind.RESOLVED, window(due), ticket.cycle)
    return None


def after_reminder(ticket: Ticket, now: datetime, queue: QueuePolicy) -> Ticket:
    """Return the ticket with one more reminder out; a late one moves the base, so that the next keeps its distance."""
    assert ticket.silent_base is not None  # noqa: S101  (a waiting ticket has one; for the type checker)
    planned = ticket.silent_base + offsets(queue)[ticket.silent_step]
    late = max(now - planned, timedelta(0))
    return replace(ticket, silent_step=ticket.silent_step + 1, silent_base=ticket.silent_base + late)


def distance(ticket: Ticket, queue: QueuePolicy) -> timedelta:
    """Return how long the next step comes after the one before it, the first after the agent's last text."""
    steps = offsets(queue)
    step = min(ticket.silent_step, len(steps) - 1)
    if step == 0:
        return steps[0] if ticket.first_wait is None else timedelta(seconds=ticket.first_wait)
    return steps[step] - steps[step - 1]


def closes_at(ticket: Ticket, queue: QueuePolicy, window: SendingWindow = always) -> datetime | None:
    """Return when continued silence closes the ticket, or None."""
    if ticket.silent_base is None or queue.confirm_close:
        return None
    if ticket.status is Status.WAITING:
        return window(ticket.silent_base + queue.close_after)
    if ticket.status is Status.RESOLVED:
        return window(ticket.silent_base + queue.resolved_close_after)
    return None


def put_off(ticket: Ticket, until: datetime, queue: QueuePolicy) -> Ticket:
    """Return the ticket with its next step at `until` or later (absence of the only reader)."""
    if ticket.silent_base is None or ticket.status is not Status.WAITING:
        return ticket
    step = min(ticket.silent_step, len(offsets(queue)) - 1)
    missing = until - (ticket.silent_base + offsets(queue)[step])
    return replace(ticket, silent_base=ticket.silent_base + max(missing, timedelta(0)))


def working_days_after(start: datetime, days: int) -> datetime:
    """Return the same time of day after so many Mondays to Fridays."""
    moment = start
    while days:
        moment += timedelta(days=1)
        if moment.weekday() < 5:
            days -= 1
    return moment


def recomputed_due(
    ticket: Ticket, queue: QueuePolicy, old_due: datetime, now: datetime, window: SendingWindow = always
) -> datetime:
    """Return a timer's due time under changed rules; a reload makes nothing due in the past."""
    timer = next_timer(ticket, queue, window)
    if timer is None or timer.due == old_due:
        return old_due
    return timer.due if timer.due > now else max(old_due, now)
