"""The table [calendar.NAME] of config.toml: open hours as an admin writes them, and the calendar they make."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainValidator, model_validator

from mailtickets import holiday_dates
from mailtickets.config_table import Table
from mailtickets.config_types import AsList, OptionalZone
from mailtickets.desk.calendar import Calendar, NeverOpens, Shift, checked, no_holidays, parse_shifts
from mailtickets.desk.shifts import WHOLE_DAY, listed

DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = "mon-sun"
FIRST_YEAR, LAST_YEAR = 2000, 2199  # a date outside is a slip of the keys
MAX_RANGE = timedelta(days=366)

HOURS_FORM = 'write hours = { mon-fri = ["09:00-17:30"] } or hours = "always"'
DATE_FORM = 'write "2026-12-24" or "2026-12-27..2026-12-31"'

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")

Dates = tuple[date, date]  # the first and the last of them


def days_of(names: str) -> tuple[int, ...]:
    """Return the weekdays that "mon-fri", "mon,wed" or "sat" names, 0 for Monday.

    Raises ValueError with "reason; remedy".
    """
    days: list[int] = []
    for part in names.split(","):
        first, dash, last = part.strip().partition("-")
        low, high = _day(first), _day(last if dash else first)
        if high < low:
            two = ",".join((_range(low, 6), _range(0, high)))
            raise ValueError(f'"{part.strip()}" ends before it starts; write "{two}"')
        days += range(low, high + 1)
    if len(set(days)) < len(days):
        raise ValueError("names a day twice; name each day once")
    return tuple(days)


def _range(first: int, last: int) -> str:
    return DAY_NAMES[first] if first == last else f"{DAY_NAMES[first]}-{DAY_NAMES[last]}"


def _day(name: str) -> int:
    if name in DAY_NAMES:
        return DAY_NAMES.index(name)
    near = difflib.get_close_matches(name.strip().lower()[:3], DAY_NAMES, n=1, cutoff=0.6)
    known = f"known here: {', '.join(DAY_NAMES)}, and {EVERY_DAY}"
    raise ValueError(
        f'"{name[:20]}" is no day of the week; {f"""did you mean "{near[0]}"?""" if near else known}'
    )


def _hours(value: object) -> object:
    if value == "always":
        return {EVERY_DAY: ["00:00-24:00"]}
    if not isinstance(value, dict):
        raise ValueError(f"not open hours; {HOURS_FORM}")  # noqa: TRY004 - pydantic collects ValueError
    return value


def _each_day_once(hours: dict[str, tuple[Shift, ...]]) -> dict[str, tuple[Shift, ...]]:
    owners: dict[int, str] = {}
    for names in hours:
        for day in days_of(names):
            if day in owners:
                reason = f'says twice when {DAY_NAMES[day]} is open, in "{owners[day]}" and in "{names}"'
                raise ValueError(f"{reason}; name each day once")
            owners[day] = names
    return hours


def _shifts(value: object) -> tuple[Shift, ...]:
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return parse_shifts(value)
    if isinstance(value, str):
        remedy = "write [] for closed" if value in {"", "closed"} else f'put it in brackets: ["{value[:40]}"]'
        raise ValueError(f"not a list; {remedy}")  # noqa: TRY004 - pydantic collects ValueError
    raise ValueError('not a list of hours; write ["09:00-12:30", "13:00-17:30"], or [] for closed')


def _date(value: object) -> date:
    """Return a date that is written without quotes, or as text."""
    found = value
    if isinstance(value, str) and _DATE.match(value):
        try:
            found = date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"there is no {value}; write a day that exists") from None
    if not isinstance(found, date) or isinstance(found, datetime):
        raise ValueError('not a date; write year, month and day, such as "2026-12-24"')  # noqa: TRY004
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ValueError(f"out of range; write a year from {FIRST_YEAR} to {LAST_YEAR}")
    return found


def _dates(value: object) -> Dates:
    if not isinstance(value, str):
        day = _date(value)
        return day, day
    first, dots, last = (part.strip() for part in value.partition(".."))
    if not (_DATE.match(first) and (not dots or _DATE.match(last))):
        raise ValueError(f"neither a date nor a range of dates; {DATE_FORM}")
    low, high = _date(first), _date(last if dots else first)
    if high < low:
        raise ValueError(f'ends before it starts; write "{high}..{low}"')
    if high - low > MAX_RANGE:
        raise ValueError("is longer than a year; write a shorter one")
    return low, high


def _regions(value: object) -> tuple[str, ...]:
    regions = [value] if isinstance(value, str) and value else value or ()
    if not isinstance(regions, (list, tuple)) or not all(isinstance(region, str) for region in regions):
        raise ValueError('not a country or region; write "GB", "GB-ENG" or a list of such')
    for region in regions:
        if not holiday_dates.known(region):
            near = holiday_dates.suggest(region)
            remedy = (
                f'did you mean "{near}"?' if near else 'write a country as "GB" or a part of it as "GB-ENG"'
            )
            raise ValueError(f'we know no public holidays of "{region[:20]}"; {remedy}')
    return tuple(regions)


def _open_dates(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError('is not a table; write open = { "2026-12-05" = ["09:00-13:00"] }')  # noqa: TRY004
    return value


Shifts = Annotated[tuple[Shift, ...], PlainValidator(_shifts)]
Days = Annotated[str, AfterValidator(lambda names: days_of(names) and names)]
Hours = Annotated[dict[Days, Shifts], BeforeValidator(_hours), AfterValidator(_each_day_once)]
Regions = Annotated[tuple[str, ...], PlainValidator(_regions)]
Day = Annotated[date, PlainValidator(_date)]
DaysInARow = Annotated[Dates, PlainValidator(_dates)]


class CalendarTable(Table):
    """`[calendar.NAME]`: when somebody is there."""

    timezone: OptionalZone = ""  # of the hours; after loading never empty
    hours: Hours  # weekdays -> shifts; "always" is one shift over the whole week
    holidays: Regions = ()  # countries or regions whose public holidays are closed
    closed: Annotated[tuple[DaysInARow, ...], AsList] = ()  # single dates and ranges
    open: Annotated[Mapping[Day, Shifts], BeforeValidator(_open_dates)] = {}  # dates with hours of their own

    @model_validator(mode="after")
    def opens(self) -> CalendarTable:
        """Refuse a day that is said to be both, and a calendar in which nothing is ever open."""
        both = sorted(f'"{first}"' for first, last in self.closed if first == last and self.open.get(first))
        if both:
            raise ValueError(f"says that {listed(both)} is closed and open; take it out of one of them")
        try:
            checked(calendar_of("", self))
        except NeverOpens as never:
            raise ValueError(str(never)) from None
        return self


def calendar_of(name: str, table: CalendarTable) -> Calendar:
    """Return the calendar that a table describes."""
    week: list[tuple[Shift, ...]] = [()] * 7
    for names, shifts in table.hours.items():
        for day in days_of(names):
            week[day] = shifts
    dates: dict[date, tuple[Shift, ...]] = {
        first + timedelta(days=number): ()
        for first, last in table.closed
        for number in range((last - first).days + 1)
    }
    dates |= table.open
    always = all(shifts == WHOLE_DAY for shifts in week) and not dates and not table.holidays
    holidays = holiday_dates.dates(table.holidays) if table.holidays else no_holidays
    return Calendar(name, table.timezone or "UTC", week, dates=dates, holidays=holidays, always=always)


def with_zone(table: CalendarTable, timezone: str) -> CalendarTable:
    """Return the table with the desk's time zone where it names none itself."""
    return table.model_copy(update={"timezone": table.timezone or timezone})
