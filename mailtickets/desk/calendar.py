"""Pure: when somebody is there: open hours by weekday, date and holiday, and counting in them.

Moments are aware datetimes in UTC, in and out; lengths are real time during open hours, so an hour that a
clock skips is not counted and one that it repeats is. The openings of a year are worked out when it is first
asked about and kept; after that a question is a search in a sorted list.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mailtickets.desk.shifts import (
    DAY,
    WHOLE_DAY,
    Opening,
    Shift,
    joined,
    moment_of,
    parse_shifts,
    week_in_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mailtickets.desk.agreement import Span

__all__ = ["ALWAYS", "Calendar", "NeverOpens", "Opening", "Shift", "checked", "no_holidays", "parse_shifts"]

MAX_CLOSED = timedelta(days=400)  # a year of rest is a year of rest; more is a slip of the keys
IDLE_YEARS = 3  # so many years in a row without an opening: there will be none
LAST_YEAR = 9990  # datetime ends with 9999
SAMPLE_YEAR = 2024  # any year; it shows whether the holidays leave a day

MINUTE, NOTHING = timedelta(minutes=1), timedelta()


class NeverOpens(ValueError):  # noqa: N818 - named for the situation, as all of ours
    """A calendar that has no opening when one is asked for; the text is "reason; remedy"."""


def no_holidays(year: int) -> Mapping[date, str]:  # noqa: ARG001 - the shape of every such function
    """Return the holidays of a year: none."""
    return MappingProxyType({})


@dataclass(frozen=True)
class _Year:
    """The openings of one local year, in order, with the open time up to the end of each."""

    days: tuple[date, ...]  # those with an opening
    starts: list[datetime]
    ends: list[datetime]
    until: list[timedelta]

    @cached_property
    def total(self) -> timedelta:
        return self.until[-1] if self.until else NOTHING

    def before(self, at: datetime) -> timedelta:
        """Return the open time of this year that has passed at a moment."""
        begun = bisect_right(self.starts, at)
        if not begun:
            return NOTHING
        left = self.ends[begun - 1] - at
        return self.until[begun - 1] - left if left > NOTHING else self.until[begun - 1]


@dataclass(frozen=True)
class Calendar:
    """The hours in which somebody is there. Values that are equal answer equally.

    zone       a name of the tz database; all hours are local to it.
    week       the shifts of Monday to Sunday.
    dates      shifts of single days, in place of the weekday's and of a holiday; () is closed.
    holidays   names of the closed days of a year.
    always     open at any time; then the rest does not matter, but for the zone of its days.
    """

    name: str
    zone: str
    week: Sequence[Sequence[Shift]]
    dates: Mapping[date, Sequence[Shift]] = field(default_factory=dict, kw_only=True, hash=False)
    holidays: Callable[[int], Mapping[date, str]] = field(default=no_holidays, kw_only=True)
    always: bool = field(default=False, kw_only=True)
    _years: dict[int, _Year] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        week = tuple(tuple((start, end) for start, end in shifts) for shifts in self.week)
        if len(week) != 7 and not self.always:
            raise ValueError("a week has seven days")
        object.__setattr__(self, "week", (WHOLE_DAY,) * 7 if self.always else week)
        object.__setattr__(self, "dates", {} if self.always else dict(self.dates))

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    # -- questions about a moment ---------------------------------------------------------------

    def is_open(self, at: datetime) -> bool:
        """Tell whether somebody is there."""
        if self.always:
            return True
        year = self._year(at.astimezone(self._zone).year)
        begun = bisect_right(year.starts, at)
        return begun > 0 and at < year.ends[begun - 1]

    def next_open(self, at: datetime) -> datetime:
        """Return the first moment from `at` on that is open: `at` itself within an opening."""
        at = at.astimezone(UTC)
        if self.always:
            return at
        for year in self._years_from(at):
            number = bisect_right(year.ends, at)
            if number < len(year.ends):
                return max(at, year.starts[number])
        raise self._never()

    def next_close(self, at: datetime) -> datetime | None:
        """Return the end of the opening that holds `at` or is the next; None where that has no end."""
        at = at.astimezone(UTC)
        if self.always:
            return None
        end: datetime | None = None
        for year in self._years_from(at):
            for number in range(bisect_right(year.ends, at), len(year.ends)):
                if end is not None and end < year.starts[number]:
                    return end
                end = year.ends[number]
            if end is not None and end - at > MAX_CLOSED:
                return None  # a week without a break, and no date ahead that makes one
        if end is None:
            raise self._never()
        return end

    # -- counting in open time ------------------------------------------------------------------

    def add(self, at: datetime, length: timedelta) -> datetime:
        """Return the first moment at which so much open time has passed since `at`; `at` itself for none."""
        at = at.astimezone(UTC)
        if length <= NOTHING:
            return at
        if self.always:
            return at + length
        wanted = length
        for number, year in enumerate(self._years_from(at)):
            if number == 0:
                wanted += year.before(at)
            if wanted <= year.total:
                found = bisect_left(year.until, wanted)
                return year.ends[found] - (year.until[found] - wanted)
            wanted -= year.total
        raise self._never()

    def open_time(self, start: datetime, end: datetime) -> timedelta:
        """Return the open time between two moments; none where the end is not later."""
        if end <= start:
            return NOTHING
        if self.always:
            return end - start
        first, last = (at.astimezone(self._zone).year for at in (start, end))
        whole = sum((self._year(number).total for number in range(first, last)), NOTHING)
        return whole + self._year(last).before(end) - self._year(first).before(start)

    def add_days(self, at: datetime, days: int) -> datetime:
        """Return the same local time so many working days on, moved into the openings of that day.

        A working day is one with an opening. What comes on another day counts as if it had come at the end of
        the working day before: "1wd" from a Saturday ends with Monday, from a Monday morning on Tuesday
        morning. So what comes later is never due earlier. A time in a break moves on to its end; one before or
        after all openings of the day to the first or last moment of them.
        """
        local = at.astimezone(self._zone)
        if days <= 0:
            return at.astimezone(UTC)
        day = local.date()
        wanted = self._working_day_after(day, days)
        openings = tuple(self.openings(wanted, wanted))
        if not self._works(day):
            return openings[-1].end
        wall = local.replace(tzinfo=None) - datetime.combine(day, datetime.min.time())
        moment = moment_of(wanted, wall, self._zone)
        for opening in openings:
            if moment <= opening.end:
                return max(moment, opening.start)
        return openings[-1].end

    def after(self, at: datetime, span: Span) -> datetime:
        """Return the moment that a span of any kind leads to."""
        if span.days is not None:
            return self.add_days(at, span.days)
        if span.working is not None:
            return self.add(at, span.working)
        return at.astimezone(UTC) + (span.plain or NOTHING)

    # -- days ------------------------------------------------------------------------------------

    def openings(self, first: date, last: date) -> Iterator[Opening]:
        """Yield the openings of these local days, both included, none longer than its day."""
        for number in range((last - first).days + 1):
            day = first + number * DAY
            low, high = (moment_of(one, NOTHING, self._zone) for one in (day, day + DAY))
            year = self._year(day.year)
            for at in range(bisect_right(year.ends, low), bisect_left(year.starts, high)):
                yield Opening(max(low, year.starts[at]), min(high, year.ends[at]))

    def why_closed(self, day: date) -> str:
        """Return the name of the holiday, or "closed"; "" on a day with an opening."""
        if self._works(day):
            return ""
        return self.holidays(day.year).get(day) or "closed"

    def in_words(self) -> str:
        """Return "Monday to Friday 09:00 to 17:30 (Europe/London), closed on public holidays"."""
        if self.always:
            return "around the clock"
        without = "" if self.holidays is no_holidays else ", closed on public holidays"
        return f"{week_in_words(self.week) or 'on single days only'} ({self.zone}){without}"

    def working_days(self, year: int) -> tuple[date, ...]:
        """Return the days of a local year with an opening."""
        return self._year(year).days

    # -- inside ----------------------------------------------------------------------------------

    def _works(self, day: date) -> bool:
        days = self._year(day.year).days
        number = bisect_left(days, day)
        return number < len(days) and days[number] == day

    def _working_day_after(self, day: date, count: int) -> date:
        for number, year in enumerate(self._numbered_from(day.year)):
            index = count - 1 + (bisect_right(year.days, day) if number == 0 else 0)
            if index < len(year.days):
                return year.days[index]
            count = index - len(year.days) + 1
        raise self._never()

    def _years_from(self, at: datetime) -> Iterator[_Year]:
        return self._numbered_from(at.astimezone(self._zone).year)

    def _numbered_from(self, number: int) -> Iterator[_Year]:
        """Yield a year and those after it; ends where no opening comes any more."""
        idle = 0
        while idle < IDLE_YEARS and number <= LAST_YEAR:
            year = self._year(number)
            idle = 0 if year.days else idle + 1
            yield year
            number += 1

    def _never(self) -> NeverOpens:
        return NeverOpens(f"the calendar {self.name} never opens again; give it hours")

    def _year(self, number: int) -> _Year:
        year = self._years.get(number)
        if year is None:
            # Two threads may both work it out; they come to the same.
            year = self._years[number] = self._worked_out(number)
        return year

    def _worked_out(self, number: int) -> _Year:
        first, after = date(number, 1, 1), date(number + 1, 1, 1)
        holidays = {} if self.always else self.holidays(number)
        days: list[date] = []
        found: list[Opening] = []
        for ordinal in range(first.toordinal(), after.toordinal()):
            day = date.fromordinal(ordinal)
            shifts = self.dates.get(day, () if day in holidays else self.week[day.weekday()])
            openings = [
                opening for shift in shifts if (opening := self._opening(day, shift)).start < opening.end
            ]
            if openings:
                days.append(day)
                found += openings
        low, high = (moment_of(day, NOTHING, self._zone) for day in (first, after))
        whole = [Opening(max(low, start), min(high, end)) for start, end in joined(found)]
        return _Year(
            tuple(days),
            [opening.start for opening in whole],
            [opening.end for opening in whole],
            list(accumulate(opening.end - opening.start for opening in whole)),
        )

    def _opening(self, day: date, shift: Shift) -> Opening:
        begin = moment_of(day, shift[0] * MINUTE, self._zone)
        # Through the hour that a clock repeats somebody stays: the first time of day begins, the last one ends.
        return Opening(begin, moment_of(day, shift[1] * MINUTE, self._zone, last=True))


ALWAYS = Calendar("always", "UTC", (), always=True)


def checked(calendar: Calendar) -> Calendar:
    """Return the calendar as it is.

    Raises NeverOpens where somewhere no opening comes within 400 days: no hours in any week, or too many
    closed dates in a row.
    """
    if calendar.always:
        return calendar
    if not any(calendar.week):
        raise NeverOpens('has no open hour in any week; write hours = { mon-fri = ["09:00-17:30"] }')
    near = {day.year + years for day in calendar.dates for years in (-1, 0, 1)}
    for year in near | {SAMPLE_YEAR}:
        if not calendar.working_days(year) and not {year - 1, year + 1} <= near:
            raise NeverOpens(
                "has no open hour, as every day of it is a holiday; write more hours or fewer holidays"
            )
    days = sorted(day for year in near for day in calendar.working_days(year))
    for before, after in pairwise(days):
        if after - before > MAX_CLOSED and near.issuperset(range(before.year, after.year)):
            closed = f"is closed from {before + DAY} to {after - DAY}"
            raise NeverOpens(f"{closed}; leave no more than {MAX_CLOSED.days} days in a row closed")
    return calendar
