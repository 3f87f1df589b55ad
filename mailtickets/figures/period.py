"""Pure: which days a report is about, in the desk's zone; and when a planned report is due."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from mailtickets.desk.agreement import ReportPlan

DAY = timedelta(days=1)
LAST = ("7d", "30d", "week", "month", "quarter", "year")
USUAL_DAYS = 30
FIRST_YEAR, LAST_YEAR = 1970, 2999
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LONG_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


class BadPeriod(ValueError):  # noqa: N818  (named for the situation)
    """What was asked for is no period; the message says why and what to write."""


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of the desk's zone, the last one included."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def start(self) -> datetime:
        """The first midnight, in UTC."""
        return local(self.first, time(), self.zone)

    @property
    def end(self) -> datetime:
        """The midnight after the last day, in UTC; no longer part of the period."""
        return local(self.last + DAY, time(), self.zone)

    @property
    def days(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1

    @property
    def in_words(self) -> str:
        """The period for people: "November 2026", "Mon 16 to Sun 22 Nov 2026 (week 47)"."""
        first, last = self.first, self.last
        if first == last:
            return day_in_words(first)
        if first.day == 1 and last == last_of_month(last):
            if (first.year, first.month) == (last.year, last.month):
                return f"{LONG_MONTHS[first.month - 1]} {first.year}"
            if (first.month, last.month, first.year) == (1, 12, last.year):
                return f"the year {first.year}"
        day = day_in_words(first)
        if first.year == last.year:
            day = day.rpartition(" ")[0]
            if first.month == last.month:
                day = day.rpartition(" ")[0]
        week = f" (week {first.isocalendar().week})" if first.weekday() == 0 and self.days == 7 else ""
        return f"{day} to {day_in_words(last)}{week}"


def local(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return a local time as a moment in UTC.

    One that the clock skips is as long after the change as it says; of one that comes twice, the first.
    """
    return datetime.combine(day, at, zone).astimezone(UTC)


def day_in_words(day: date) -> str:
    """Return "Tue 24 Nov 2026"."""
    return f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]} {day.year}"


def last_of_month(day: date) -> date:
    """Return the last day of a day's month."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1) - DAY


# --- what somebody asks for -----------------------------------------------------------------------


def period_of(zone: ZoneInfo, now: datetime, *, first: str = "", last: str = "", recent: str = "") -> Period:
    """Return the period that was asked for; without anything the 30 days that end today.

    first, last   days as 2026-11-24; without `first`, 30 days that end with `last`; without `last`, until today.
    recent        "7d", "30d": so many days, the last of them today; "week", "month", "quarter", "year":
                  the last one that has ended.

    Raises BadPeriod.
    """
    today = now.astimezone(zone).date()
    if recent:
        if first or last:
            raise BadPeriod("--last names a whole period by itself; leave out --from and --to")
        return last_period(recent, zone, now)
    end = parse_day(last, "--to") if last else today
    begin = parse_day(first, "--from") if first else end - timedelta(days=USUAL_DAYS - 1)
    if begin > end:
        what = "today" if not last else f"--to {last}"
        raise BadPeriod(f"--from {first} is after {what}; the first day stands in --from")
    if begin > today:
        raise BadPeriod(
            f"the period begins on {day_in_words(begin)}, which is still to come; today is {day_in_words(today)}"
        )
    return Period(begin, end, zone)


def parse_day(text: str, option: str) -> date:
    """Return a day written as 2026-11-24. Raises BadPeriod."""
    found = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", text.strip())
    if not found:
        raise BadPeriod(f'{option} "{text}": not a date; write it as 2026-11-24')
    try:
        day = date(*map(int, found.groups()))
    except ValueError:
        raise BadPeriod(f"{option} {text}: there is no such day in the calendar") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise BadPeriod(
            f"{option} {text}: no desk is so old or so new; write a year from {FIRST_YEAR} to {LAST_YEAR}"
        )
    return day


def last_period(name: str, zone: ZoneInfo, now: datetime) -> Period:
    """Return "7d" or "30d" up to today, or the last whole "week", "month", "quarter" or "year". Raises BadPeriod."""
    today = now.astimezone(zone).date()
    match name:
        case "7d" | "30d":
            return Period(today - timedelta(days=int(name[:-1]) - 1), today, zone)
        case "week":
            monday = today - timedelta(days=today.weekday() + 7)
            return Period(monday, monday + timedelta(days=6), zone)
        case "month":
            last = today.replace(day=1) - DAY
            return Period(last.replace(day=1), last, zone)
        case "quarter":
            last = today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1) - DAY
            return Period(last.replace(month=last.month - 2, day=1), last, zone)
        case "year":
            return Period(date(today.year - 1, 1, 1), date(today.year - 1, 12, 31), zone)
    raise BadPeriod(f'--last "{name}": not a period; write one of {", ".join(LAST)}')


# --- reports that are mailed by themselves --------------------------------------------------------


def due_plan(plan: ReportPlan, zone: ZoneInfo, now: datetime) -> tuple[str, Period]:
    """Return the newest report of a plan that is due at `now`: its occasion, and the week or month it is about.

    The occasion ("weekly:2026-W47", "monthly:2026-11") names plan and period, so that a report that
    was queued under it is never queued again; after a long downtime only the newest one is due.
    """
    here = _planned_day(plan, zone, now)
    period = last_period(plan.every, zone, local(here, time(12), zone))
    if plan.every == "week":
        year, week, _ = period.first.isocalendar()
        return f"{plan.name}:{year}-W{week:02}", period
    return f"{plan.name}:{period.first:%Y-%m}", period


def plan_moment(plan: ReportPlan, zone: ZoneInfo, now: datetime) -> datetime:
    """Return since when the report of `due_plan` is due."""
    return local(_planned_day(plan, zone, now), _time(plan), zone)


def next_plan(plan: ReportPlan, zone: ZoneInfo, now: datetime) -> datetime:
    """Return when the next report of a plan will be due."""
    day = _planned_day(plan, zone, now)
    after = day + timedelta(days=7) if plan.every == "week" else last_of_month(day) + DAY
    return local(after, _time(plan), zone)


def _planned_day(plan: ReportPlan, zone: ZoneInfo, now: datetime) -> date:
    """Return the last Monday, or first of a month, on which the plan's time of day has come."""
    today = now.astimezone(zone).date()
    if plan.every == "week":
        day = today - timedelta(days=today.weekday())
        before = day - timedelta(days=7)
    else:
        day = today.replace(day=1)
        before = (day - DAY).replace(day=1)
    return day if local(day, _time(plan), zone) <= now else before


def _time(plan: ReportPlan) -> time:
    return time(plan.at_minute // 60, plan.at_minute % 60)
