"""Pure: how long a ticket's clock has run, in plain and in working time, and when it will have run so long.

A meter is read off the history once and shared by all clocks of a ticket: the time that a clock
used is the difference of two readings, so three clocks cost hardly more than one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from mailtickets.desk.agreement import Span
    from mailtickets.desk.calendar import Calendar

ZERO = timedelta(0)


class Mark(NamedTuple):
    """A reading of the meter: so much had run at `at`; `running` from here to the next mark."""

    at: datetime
    running: bool
    plain: timedelta
    working: timedelta


class Budget(NamedTuple):
    """How long a clock may run.

    working        counted in the calendar's open time; otherwise in real time.
    into_opening   a budget that is used up at closing time lasts to the next opening: "5wd" from
                   before opening on a Monday ends when the next Monday opens, not on Friday evening.
    """

    working: bool
    length: timedelta
    into_opening: bool = False

    def share(self, share: float) -> Budget:
        """Return a part of it, such as 0.8 for a warning."""
        return Budget(self.working, self.length * share, self.into_opening and share >= 1)


def budget_of(span: Span, start: datetime, calendar: Calendar) -> Budget:
    """Return what a span is worth to a clock that starts at `start`; working days are worth their open time."""
    if span.plain is not None:
        return Budget(working=False, length=span.plain)
    if span.working is not None:
        return Budget(working=True, length=span.working)
    end = calendar.add_days(start, span.days or 0)
    return Budget(working=True, length=calendar.open_time(start, end), into_opening=calendar.is_open(end))


@dataclass(frozen=True, slots=True)
class Meter:
    """The readings of a ticket, oldest first; after the last one it goes on as that one says."""

    calendar: Calendar
    marks: tuple[Mark, ...]

    def used(self, start: int, end: int, *, working: bool) -> timedelta:
        """Return how long it ran from one mark to another."""
        if working:
            return self.marks[end].working - self.marks[start].working
        return self.marks[end].plain - self.marks[start].plain

    def since_last(self, now: datetime, *, working: bool) -> timedelta:
        """Return how long it has run since the last mark."""
        last = self.marks[-1]
        if not last.running or now <= last.at:
            return ZERO
        return self.calendar.open_time(last.at, now) if working else now - last.at

    def passed(self, start: int, budget: Budget, end: int) -> datetime | None:
        """Return the moment between two marks at which the budget was used up, or None if it was not."""
        marks, (working, length, into_opening) = self.marks, budget
        before = self.used(start, end, working=working)
        if before < length or (into_opening and before == length):
            return None
        before = ZERO
        for index in range(start, end):
            if marks[index].running:
                after = self.used(start, index + 1, working=working)
                if after > length or (after == length and not into_opening):
                    return self._on_from(marks[index].at, length - before, budget)
                before = after
        return None

    def moment(self, start: int, budget: Budget, end: int | None = None) -> datetime | None:
        """Return when the budget is used up.

        end   the mark at which a clock ended: the answer is then when it would have been used up,
              had it run on from there. None = the clock goes on, and is asked only while it runs.
        """
        if end is None and not self.marks[-1].running:
            return None
        last = len(self.marks) - 1 if end is None else end
        passed = self.passed(start, budget, last)
        if passed is not None:
            return passed
        left = budget.length - self.used(start, last, working=budget.working)
        return self._on_from(self.marks[last].at, left, budget)

    def _on_from(self, at: datetime, left: timedelta, budget: Budget) -> datetime:
        if not budget.working:
            return at + left
        moment = self.calendar.add(at, left)
        return self.calendar.next_open(moment) if budget.into_opening else moment


class Metering:
    """A meter while the history is read: it stands still, or runs, until the next mark."""

    def __init__(self, calendar: Calendar, at: datetime, *, running: bool) -> None:
        self.calendar = calendar
        self.marks = [Mark(at, running, ZERO, ZERO)]

    def mark(self, at: datetime, *, running: bool) -> int:
        """Read the meter at `at`, let it stand or run from there, and return the number of the mark.

        A line that claims to be older than the one before it (a clock was set back) counts as of its time.
        """
        last = self.marks[-1]
        plain, working = last.plain, last.working
        if at > last.at:
            if last.running:
                plain += at - last.at
                working += self.calendar.open_time(last.at, at)
        elif at < last.at:
            at = last.at
        self.marks.append(Mark(at, running, plain, working))
        return len(self.marks) - 1

    def done(self) -> Meter:
        """Return the meter as it reads after the last line."""
        return Meter(self.calendar, tuple(self.marks))
