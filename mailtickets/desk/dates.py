"""Pure: a day or moment as an agent writes it ("1 Dec", "friday", "3wd"), and back in words. Guesses nothing unsaid."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from mailtickets.desk.calendar import Calendar

END_WITHOUT_HOURS = time(17, 0)  # of a day without opening hours, or with nothing but them
LAST_MINUTE = time(23, 59)  # hours until midnight end on the day that was agreed, not on the next
MAX_AHEAD = timedelta(days=3660)  # ten years: what lies behind that is a slip of the keys
MAX_LETTERS = 80

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _numbered(*names: str) -> dict[str, int]:
    return {name: number for number, line in enumerate(names) for name in line.split()}


_MONTHS = _numbered(
    "", "january jan januar j\u00e4nner", "february feb februar", "march mar m\u00e4rz m\u00e4r maerz", "april apr",
    "may mai", "june jun juni", "july jul juli", "august aug", "september sep sept", "october oct oktober okt",
    "november nov", "december dec dezember dez",
)  # fmt: skip
_WEEKDAYS = _numbered(
    "monday mon montag mo", "tuesday tue tues dienstag di", "wednesday wed mittwoch mi",
    "thursday thu thur thurs donnerstag do", "friday fri freitag fr", "saturday sat samstag sonnabend sa",
    "sunday sun sonntag so",
)  # fmt: skip
_NEAR_DAYS = {
    "today": 0,
    "heute": 0,
    "tomorrow": 1,
    "morgen": 1,
    "day after tomorrow": 2,
    "\u00fcbermorgen": 2,
}
_NEXT, _THIS = {"next", "n\u00e4chsten", "n\u00e4chster"}, {"this", "coming", "diesen", "kommenden"}
_UNITS = {
    unit.strip(): kind
    for kind, units in {
        "days": "d, day, days, tag, tage, tagen",
        "weeks": "w, week, weeks, woche, wochen",
        "working days": "wd, working day, working days, business day, business days, arbeitstag, arbeitstage, arbeitstagen",
        "hours": "h, hour, hours, stunde, stunden",
        "minutes": "m, min, minute, minutes, minuten",
        "working hours": "wh, working hour, working hours, business hour, business hours",
        "working minutes": "wm",
    }.items()
    for unit in units.split(",")
}

# Every pattern is anchored, and no two repetitions in a row can match the same letters: a mail of any shape is read once.
_LEAD = re.compile(r"(?:(?:by|on|until|till|before|bis|am|zum|den) ){1,3}")
_ZONE = re.compile(r" ?\(([a-z0-9_+/-]{1,40})\)$")
_CLOCK = re.compile(
    r"(?:^|,? (?:at |um )?|,|(?<=[0-9])t)([0-9]{1,2})(?:[:.]([0-9]{2})(?::[0-9]{2})? ?(am|pm|uhr|h)?|() ?(am|pm|uhr))$"
)
_IN = re.compile(r"(in )?([0-9]{1,4}|an?|one) ?([a-z ]{1,15})")
_YEAR_FIRST = re.compile(r"([0-9]{4})([./-])([0-9]{1,2})\2([0-9]{1,2})")
_NUMBERS = re.compile(r"([0-9]{1,2})([./-]) ?([0-9]{1,2})(?:\2 ?([0-9]{4}|[0-9]{2})?)?")
_DAY_MONTH = re.compile(
    r"([0-9]{1,2})(?:st|nd|rd|th|\.)?[ -]?(?:of )?([^\W\d_]{3,9})\.?(?:,? ?|-)([0-9]{4})?"
)
_MONTH_DAY = re.compile(r"([^\W\d_]{3,9})\.? ([0-9]{1,2})(?:st|nd|rd|th)?(?:,? ([0-9]{4}))?")


def read_date(text: str, zone: str, now: datetime, calendar: Calendar) -> datetime | None:
    """Return the moment that an agent means, in UTC; None where it is no date, or one that has passed.

    zone       in which the agent thinks; a name of the tz database.
    calendar   the ticket's: a day without a time means the end of that day's opening hours, and 17:00 in
               `zone` where that day has none or the calendar never closes.

    Reads "2026-12-01", "2026-12-01 15:00", "1 Dec", "1 December 2026, 3pm", "1.12.", "01/12/2026" (the day is
    first, unless it cannot be a day), "today", "tomorrow", "friday" (the coming one), "next friday" (that of
    next week), "in 3 days", "5d", "2 weeks", "3wd" (working days); and to the minute "4h", "90m", "4wh". German names
    of days and months too. A day without a year is the coming one.
    """
    local = now.astimezone(ZoneInfo(zone))
    if len(text) > MAX_LETTERS:
        return None
    said = " ".join(unicodedata.normalize("NFC", text).lower().split()).rstrip(" .,;!")
    named = _ZONE.search(said)
    if named:
        if named[1] != zone.lower():
            return None
        said = said[: named.start()]
    if lead := _LEAD.match(said):
        said = said[lead.end() :]
    moment = _length(said, now, calendar) or _moment(said, local, calendar)
    return moment if moment is not None and now < moment <= now + MAX_AHEAD else None


def in_words(moment: datetime, zone: str) -> str:
    """Return a moment as people read it: "Tue 1 Dec 2026, 17:30 (Europe/London)"."""
    at = moment.astimezone(ZoneInfo(zone))
    return f"{DAYS[at.weekday()]} {at.day} {MONTHS[at.month - 1]} {at.year}, {at:%H:%M} ({zone})"


def day_in_words(moment: datetime, zone: str) -> str:
    """Return a moment's day as people read it: "Tue 1 Dec 2026"."""
    return in_words(moment, zone).partition(",")[0]


def _length(said: str, now: datetime, calendar: Calendar) -> datetime | None:
    """Read hours and minutes from now on: a moment to the minute, not a day."""
    number, unit = _number_of(said)
    if number == 0:
        return None
    match unit:
        case "hours":
            return now + timedelta(hours=number)
        case "minutes":
            return now + timedelta(minutes=number)
        case "working hours":
            return calendar.add(now, timedelta(hours=number))
        case "working minutes":
            return calendar.add(now, timedelta(minutes=number))
    return None


def _number_of(said: str) -> tuple[int, str]:
    """Read "in 3 days", "5d", "a week"; (0, "") where it is no such thing."""
    found = _IN.fullmatch(said)
    if not found or (unit := _UNITS.get(found[3])) is None:
        return 0, ""
    number = int(found[2]) if found[2].isdigit() else 1
    days = number * {"weeks": 7, "days": 1, "working days": 1}.get(unit, 0)
    return (number, unit) if days <= MAX_AHEAD.days else (0, "")


def _moment(said: str, local: datetime, calendar: Calendar) -> datetime | None:
    """Read a day with or without a time of day."""
    clock: time | None = None
    if (found := _CLOCK.search(said)) and (_day(said, local, calendar) is None):
        clock = _time(found[1], found[2] or "0", found[3] or found[5] or "")
        if clock is None:
            return None
        said = said[: found.start()].rstrip(" ,")
    day = local.date() if clock and not said else _day(said, local, calendar)
    if day is None:
        return None
    if clock is None:
        return _end_of(day, local, calendar)
    return datetime.combine(day, clock, local.tzinfo).astimezone(UTC)


def _time(hours: str, minutes: str, half: str) -> time | None:
    hour, minute = int(hours), int(minutes)
    if half in {"am", "pm"}:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _end_of(day: date, local: datetime, calendar: Calendar) -> datetime:
    """Return when a day's opening hours end, in UTC."""
    openings = () if calendar.always else tuple(calendar.openings(day, day))
    if not openings:
        return datetime.combine(day, END_WITHOUT_HOURS, local.tzinfo).astimezone(UTC)
    return min(openings[-1].end, datetime.combine(day, LAST_MINUTE, local.tzinfo).astimezone(UTC))


def _day(said: str, local: datetime, calendar: Calendar) -> date | None:
    today = local.date()
    if said in _NEAR_DAYS:
        return today + timedelta(days=_NEAR_DAYS[said])
    number, unit = _number_of(said)
    if number:
        if unit == "working days":
            return calendar.add_days(local.astimezone(UTC), number).astimezone(local.tzinfo).date()
        days = {"days": number, "weeks": 7 * number}.get(unit)
        return None if days is None else today + timedelta(days=days)
    first, _, rest = said.partition(" ")
    if first.rstrip(",.") in _WEEKDAYS and rest:
        day = _written_day(rest, today)
        return day if day and day.weekday() == _WEEKDAYS[first.rstrip(",.")] else None
    return _weekday(said, today) or _written_day(said, today)


def _weekday(said: str, today: date) -> date | None:
    which, _, name = said.rpartition(" ")
    if name not in _WEEKDAYS or (which and which not in _NEXT | _THIS):
        return None
    ahead = _WEEKDAYS[name] - today.weekday()
    if which in _NEXT:
        return today + timedelta(days=ahead + 7)
    return today + timedelta(days=ahead % 7 or (0 if which == "this" else 7))


def _written_day(said: str, today: date) -> date | None:
    """Read day, month and perhaps year."""
    if found := _YEAR_FIRST.fullmatch(said):
        return _existing(found[1], int(found[3]), int(found[4]), today)
    if found := _NUMBERS.fullmatch(said):
        if found[2] == "-" and not found[4]:
            return None  # "1-12" may be a span
        first, second = int(found[1]), int(found[3])
        day, month = (second, first) if found[2] == "/" and second > 12 else (first, second)
        return _existing(found[4], month, day, today)
    if (found := _DAY_MONTH.fullmatch(said)) and found[2] in _MONTHS:
        return _existing(found[3], _MONTHS[found[2]], int(found[1]), today)
    if (found := _MONTH_DAY.fullmatch(said)) and found[1] in _MONTHS:
        return _existing(found[3], _MONTHS[found[1]], int(found[2]), today)
    return None


def _existing(year: str | None, month: int, day: int, today: date) -> date | None:
    """Return that day if it is not past; without a year the coming one, which for 29 February may be eight years off."""
    years = range(today.year, today.year + 9)
    if year:
        years = range(one := int(year) + (2000 if len(year) == 2 else 0), one + 1)
    for candidate in years:
        try:
            found = date(candidate, month, day)
        except ValueError:
            continue
        # Asked before any calendar is: the years 1 and 9999 have moments that do not exist in UTC.
        if today <= found <= today + MAX_AHEAD:
            return found
    return None
