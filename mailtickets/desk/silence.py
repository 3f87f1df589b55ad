"""Pure: when a silent ticket is reminded and closed (design section 5), in plain or working time; UTC throughout.

A silence has steps: each reminder, then closing. A step comes its distance after the one before it, the first
one after the agent's last public text (`silent_base`); so steps keep their distance where one went out late.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets.desk.agreement import Span
from mailtickets.desk.calendar import ALWAYS, Calendar
from mailtickets.desk.ticket import Status, Timer, TimerKind

if TYPE_CHECKING:
    from datetime import datetime

    from mailtickets.desk.policy import Policy, QueuePolicy
    from mailtickets.desk.ticket import Ticket

MAX_SHIFTS = 10


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The steps of a silence, for one ticket.

    calendar   working time is counted on it; reminders and closings go out only while it is open.
    runs       False for a type of ticket that silence neither reminds nor closes.
    """

    reminders: tuple[Span, ...]
    close_after: Span
    resolved_close_after: Span
    calendar: Calendar = ALWAYS
    confirm_close: bool = False
    runs: bool = True

    @property
    def steps(self) -> tuple[Span, ...]:
        """The distance of every step from the start of the silence; the last one closes."""
        return (*self.reminders, self.close_after)

    def first(self, start: datetime) -> timedelta:
        """Return how long after a start the first step comes, in real time."""
        return self.calendar.after(start, self.steps[0]) - start

    def number(self, ticket: Ticket) -> int:
        """Return which step of its silence a ticket waits for."""
        return min(ticket.silent_step, len(self.steps) - 1)


def rhythm_of(ticket: Ticket, queue: QueuePolicy, policy: Policy) -> Rhythm:
    """Return the rules of silence for a ticket: its queue's, then what its type and organisation say otherwise."""
    kind, organisation = policy.types.get(ticket.type), policy.organisations.get(ticket.organisation)
    words = (kind.confirm_close if kind else None, organisation.confirm_close if organisation else None)
    return Rhythm(
        queue.reminders,
        queue.close_after,
        queue.resolved_close_after,
        policy.calendars.get(queue.calendar, ALWAYS),
        next((word for word in words if word is not None), queue.confirm_close),
        kind.silence if kind else True,
    )


def begin_waiting(ticket: Ticket, now: datetime, wait: timedelta | None = None) -> Ticket:
    """Return the ticket with a new silence begun; `wait` puts the first step at that distance."""
    return replace(
        ticket,
        status=Status.WAITING,
        silent_since=now,
        silent_base=now,
        silent_step=0,
        first_wait=None if wait is None else wait.total_seconds(),
        cycle=ticket.cycle + 1,
        closed_at=None,
    )


def begin_resolved(ticket: Ticket, now: datetime) -> Ticket:
    """Return the ticket as resolved, with its way to closing begun."""
    return replace(begin_waiting(ticket, now), status=Status.RESOLVED)


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


def next_timer(ticket: Ticket, rhythm: Rhythm) -> Timer | None:
    """Return the next step of a ticket's silence as a timer, or None where no silence counts."""
    if ticket.silent_base is None or not rhythm.runs:
        return None
    if ticket.status is Status.WAITING:
        due = step_after(ticket.silent_base, ticket, rhythm)
        return Timer(TimerKind.SILENCE, rhythm.calendar.next_open(due), ticket.cycle)
    if ticket.status is Status.RESOLVED:
        due = rhythm.calendar.after(ticket.silent_base, rhythm.resolved_close_after)
        return Timer(TimerKind.RESOLVED, rhythm.calendar.next_open(due), ticket.cycle)
    return None


def step_after(base: datetime, ticket: Ticket, rhythm: Rhythm) -> datetime:
    """Return when the next step comes, if the one before it (or the agent's text) was at `base`."""
    number = rhythm.number(ticket)
    if number == 0:
        if ticket.first_wait is not None:
            return base + timedelta(seconds=ticket.first_wait)
        return rhythm.calendar.after(base, rhythm.steps[0])
    distance = _between(rhythm.steps[number - 1], rhythm.steps[number])
    if distance is not None:
        return rhythm.calendar.after(base, distance)
    # One step in working time, the other in plain: both count from the start, and neither overtakes the other.
    start = ticket.silent_since or base
    return max(base, rhythm.calendar.after(start, rhythm.steps[number]))


def _between(one: Span, other: Span) -> Span | None:
    """Return the distance of two steps, or None where they count different time."""
    if one.plain is not None and other.plain is not None:
        return Span(plain=other.plain - one.plain)
    if one.working is not None and other.working is not None:
        return Span(working=other.working - one.working)
    if one.days is not None and other.days is not None:
        return Span(days=other.days - one.days)
    return None


def after_reminder(ticket: Ticket, now: datetime) -> Ticket:
    """Return the ticket with one more reminder out: the next step keeps its distance from when that was."""
    return replace(ticket, silent_step=ticket.silent_step + 1, silent_base=now)


def closes_at(ticket: Ticket, rhythm: Rhythm) -> datetime | None:
    """Return when continued silence closes the ticket, or None."""
    if ticket.silent_base is None or rhythm.confirm_close or not rhythm.runs:
        return None
    if ticket.status is Status.WAITING:
        while ticket.silent_step < len(rhythm.reminders):
            timer = next_timer(ticket, rhythm)
            assert timer is not None  # noqa: S101  (it waits; for the type checker)
            ticket = after_reminder(ticket, timer.due)
    timer = next_timer(ticket, rhythm)
    return timer.due if timer else None


def put_off(ticket: Ticket, until: datetime, rhythm: Rhythm) -> Ticket:
    """Return the ticket with its next step at `until` or later (absence of the only reader)."""
    if ticket.silent_base is None or ticket.status is not Status.WAITING:
        return ticket
    for _ in range(MAX_SHIFTS):
        assert ticket.silent_base is not None  # noqa: S101  (for the type checker)
        missing = until - step_after(ticket.silent_base, ticket, rhythm)
        if missing <= timedelta(0):
            break
        ticket = replace(ticket, silent_base=ticket.silent_base + missing)
    return ticket


def working_days_after(start: datetime, days: int) -> datetime:
    """Return the same time of day after so many Mondays to Fridays."""
    moment = start
    while days:
        moment += timedelta(days=1)
        if moment.weekday() < 5:
            days -= 1
    return moment


def recomputed_due(ticket: Ticket, rhythm: Rhythm, old_due: datetime, now: datetime) -> datetime:
    """Return a timer's due time under changed rules; a reload makes nothing due in the past."""
    timer = next_timer(ticket, rhythm)
    if timer is None or timer.due == old_due:
        return old_due
    return timer.due if timer.due > now else max(old_due, now)
