"""Pure: the clocks of a ticket, computed from its history (design section 7): due when, used how much, kept or not.

Nothing here is stored: a corrected calendar, a moved queue or a new priority corrects every clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from mailtickets.desk.agreement import Target
from mailtickets.desk.course import course, runs_in
from mailtickets.desk.meter import Budget, Meter, budget_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from mailtickets.desk.agreement import Span
    from mailtickets.desk.course import Course
    from mailtickets.desk.facts import HistoryLine
    from mailtickets.desk.terms import Terms
    from mailtickets.desk.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Clock:
    """One promise to one customer.

    number       1, 2.. for update clocks, else 1.
    allowed      the target; None where there is none, and where a date was agreed instead.
    due_at       None: no target, or stopped. Of a clock that ended: when it would have been due, had it run on.
                 An agreed date stays due while the ticket waits.
    stopped      by the ticket's status. A clock with an agreed date is stopped only on a finished ticket.
    used         so long it ran: in real time where the target is in real time, else in working time.
    left         what is left of the target, negative beyond it; None without target.
    kept         None while unsettled or without target.
    interim      ended by a workaround.
    resumed      how often it went on after it had ended.
    agreed_at    when the agreed date was set; None where there is none.
    start        its first mark on the meter.
    """

    target: Target
    number: int
    started_at: datetime
    allowed: Span | None
    due_at: datetime | None
    stopped: bool
    ended_at: datetime | None
    used: timedelta
    left: timedelta | None
    kept: bool | None
    interim: bool = False
    resumed: int = 0
    agreed_at: datetime | None = None
    budget: Budget | None = field(default=None, repr=False)
    start: int = field(default=0, repr=False, compare=False)
    meter: Meter | None = field(default=None, repr=False, compare=False)

    @property
    def is_going(self) -> bool:
        """True while it runs towards a moment at which it is due: only then somebody is warned."""
        return self.due_at is not None and self.ended_at is None and not self.stopped


@dataclass(frozen=True, slots=True)
class Clocks:
    """All clocks of a ticket.

    update     the present one; None before the first response, and once the ticket is resolved.
    reopened   how often the ticket left `resolved` or `closed`.
    running    the ticket's status lets clocks run.
    """

    first_response: Clock
    update: Clock | None
    resolution: Clock
    updates_kept: int
    updates_missed: int
    reopened: int
    running: bool

    @property
    def all(self) -> tuple[Clock, ...]:
        """The clocks that there are now."""
        if self.update is None:
            return (self.first_response, self.resolution)
        return (self.first_response, self.update, self.resolution)

    def of(self, target: Target) -> Clock | None:
        """Return one of the three."""
        return next((clock for clock in self.all if clock.target is target), None)


@dataclass(frozen=True, slots=True)
class Measure:
    """What reports count of a ticket: the columns of table `measure` that come from its history.

    Independent of the present moment: `used` is None until a clock has ended, and where no clock runs.
    """

    first_response_at: datetime | None
    first_response_used: timedelta | None
    first_response_due: datetime | None
    first_response_kept: bool | None
    resolved_at: datetime | None
    resolution_used: timedelta | None
    resolution_due: datetime | None
    resolution_kept: bool | None
    interim: bool
    update_due: datetime | None
    updates_kept: int
    updates_missed: int
    reopened: int
    closed_at: datetime | None


def clocks(ticket: Ticket, history: Sequence[HistoryLine], terms: Terms, now: datetime) -> Clocks:
    """Return the clocks of a ticket at `now`, from its whole history, oldest line first."""
    return clocks_of(course(ticket, history, terms), ticket, terms, now)


def clocks_of(read: Course, ticket: Ticket, terms: Terms, now: datetime) -> Clocks:
    """Return the clocks of a history that was read already."""
    made = _ClockMaker(read, ticket, terms, now)
    kept, missed = made.past_updates()
    return Clocks(
        made.first_response(), made.update(), made.resolution(), kept, missed, read.reopened, made.running
    )


def measure(ticket: Ticket, history: Sequence[HistoryLine], terms: Terms) -> Measure:
    """Return what reports count of a ticket."""
    return settled(ticket, history, terms)[1]


def settled(ticket: Ticket, history: Sequence[HistoryLine], terms: Terms) -> tuple[Clocks, Measure]:
    """Return the clocks as of the newest line, and what reports count: both from one reading of the history.

    When a clock is due does not depend on when one asks; how much is used and left does.
    """
    read = course(ticket, history, terms)
    all_ = clocks_of(read, ticket, terms, read.meter.marks[-1].at)
    first, resolution = all_.first_response, all_.resolution
    return all_, Measure(
        first.ended_at, first.used if first.ended_at and terms.runs else None, first.due_at, first.kept,
        resolution.ended_at, resolution.used if resolution.ended_at and terms.runs else None, resolution.due_at, resolution.kept,
        resolution.interim, all_.update.due_at if all_.update else None, all_.updates_kept, all_.updates_missed,
        all_.reopened, read.closed_at,
    )  # fmt: skip


def moment_of_share(clock: Clock, share: float) -> datetime | None:
    """Return when so much of the target is used if the clock goes on running: 0.8 for a warning, 1 for due.

    None where nothing is due, or the clock has ended or is stopped. The moment may be past. On the
    way to an agreed date the share is of the open time since it was agreed.
    """
    if not clock.is_going or clock.due_at is None or clock.meter is None:
        return None
    if share == 1:
        return clock.due_at
    if clock.budget is not None:
        return clock.meter.moment(clock.start, clock.budget.share(share))
    begun, calendar = clock.agreed_at or clock.started_at, clock.meter.calendar
    if clock.due_at <= begun:
        return clock.due_at
    way = calendar.open_time(begun, clock.due_at)
    return calendar.add(begun, way * share) if way else begun + (clock.due_at - begun) * share


class _ClockMaker:
    """Makes the clocks of one history under its terms at one moment."""

    def __init__(self, read: Course, ticket: Ticket, terms: Terms, now: datetime) -> None:
        self.read, self.terms, self.meter, self.now = read, terms, read.meter, now
        self.agreed = ticket.due_at if terms.runs else None
        self.running = terms.runs and runs_in(read.status)
        self._run_on: dict[bool, timedelta] = {}

    def first_response(self) -> Clock:
        """It ends with the first public text of a person."""
        answers = self.read.answers
        if answers:
            return self._clock(Target.FIRST_RESPONSE, 0, answers[0].mark, answers[0].priority)
        clock = self._clock(Target.FIRST_RESPONSE, 0, None, self.read.priority)
        if clock.budget is None or not self.read.status.is_done:
            return clock
        # Nobody answered, and the ticket is finished: a moment that had passed by then stays missed.
        marks = self.meter.marks
        passed = self.meter.passed(0, clock.budget, len(marks) - 1)
        missed = passed is not None and passed < marks[-1].at
        return replace(clock, due_at=passed, kept=False) if missed else clock

    def update(self) -> Clock | None:
        """It starts with each public text of a person; a resolved ticket owes no news."""
        answers, read = self.read.answers, self.read
        if not answers or (read.resolved is not None and read.status.is_done):
            return None
        return self._clock(Target.UPDATE, answers[-1].mark, None, read.priority, number=len(answers))

    def past_updates(self) -> tuple[int, int]:
        """Return how many update clocks ended in time, and how many too late."""
        counts = [0, 0]
        for begun, ended in pairwise(self.read.answers):
            allowed = None if ended.too_late else self.terms.targets(ended.priority).update
            if allowed:
                marks = self.meter.marks
                budget = budget_of(allowed, marks[begun.mark].at, self.meter.calendar)
                passed = self.meter.passed(begun.mark, budget, ended.mark)
                counts[passed is not None and passed < marks[ended.mark].at] += 1
        return counts[0], counts[1]

    def resolution(self) -> Clock:
        """It ends at `resolved` or by a workaround and goes on after a reopening; an agreed date takes the target's place."""
        read = self.read
        priority = read.priority if read.resolved is None else read.resolved_priority
        if self.agreed is None:
            return self._clock(
                Target.RESOLUTION, 0, read.resolved, priority, interim=read.interim, resumed=read.resumed
            )
        marks, end = self.meter.marks, read.resolved
        ended_at = None if end is None else marks[end].at
        used = self.meter.used(0, len(marks) - 1 if end is None else end, working=True)
        return Clock(
            Target.RESOLUTION, 1, marks[0].at, None, self.agreed,
            stopped=end is None and read.status.is_done,
            ended_at=ended_at,
            used=used if ended_at else used + self._running_on(working=True),
            left=self._until(self.agreed, ended_at or self.now),
            kept=None if ended_at is None else ended_at <= self.agreed,
            interim=read.interim, resumed=read.resumed, agreed_at=read.agreed_at, meter=self.meter,
        )  # fmt: skip

    def _clock(self, target: Target, start: int, end: int | None, priority: str, *, number: int = 1,
               interim: bool = False, resumed: int = 0) -> Clock:  # fmt: skip
        """Return the clock from one mark to another, or one that still goes; the priority decides its target."""
        meter = self.meter
        marks = meter.marks
        allowed = self.terms.targets(priority).of(target)
        budget = budget_of(allowed, marks[start].at, meter.calendar) if allowed else None
        working = budget is None or budget.working
        used = meter.used(start, len(marks) - 1 if end is None else end, working=working)
        if end is None:
            used += self._running_on(working=working)
        ended_at = None if end is None else marks[end].at
        due_at = meter.moment(start, budget, end) if budget else None
        return Clock(
            target, number, marks[start].at, allowed, due_at,
            stopped=end is None and not self.running,
            ended_at=ended_at,
            used=used,
            left=budget.length - used if budget else None,
            kept=None if ended_at is None or due_at is None else ended_at <= due_at,
            interim=interim, resumed=resumed, budget=budget, start=start, meter=meter,
        )  # fmt: skip

    def _running_on(self, *, working: bool) -> timedelta:
        """Return how long the meter has run since the last line; asked by several clocks, counted once."""
        if working not in self._run_on:
            self._run_on[working] = self.meter.since_last(self.now, working=working)
        return self._run_on[working]

    def _until(self, due: datetime, at: datetime) -> timedelta:
        calendar = self.meter.calendar
        return calendar.open_time(at, due) if at <= due else -calendar.open_time(due, at)
