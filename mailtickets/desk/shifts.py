"""Pure: shifts of a local day: read from text, put into words, and turned into moments, exact where a clock changes."""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import UTC, datetime, time, timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

Shift = tuple[int, int]  # minutes of the local day, [start, end); 1440 is the midnight that ends it

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
MIDNIGHT = time(tzinfo=UTC)
MINUTES_OF_DAY = 24 * 60
WHOLE_DAY: tuple[Shift, ...] = ((0, MINUTES_OF_DAY),)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_SHIFT = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})\Z")
_NEARLY_SHIFT = re.compile(
    r"\s*([0-9]{1,2})(?:[:.h]([0-9]{2}))?\s*(?:-|\u2013|\u2014|to|until)\s*([0-9]{1,2})(?:[:.h]([0-9]{2}))?\s*\Z"
)


class Opening(NamedTuple):
    """A stretch of time without a break, in UTC."""

    start: datetime
    end: datetime


def moment_of(day: date, wall: timedelta, zone: ZoneInfo, *, last: bool = False) -> datetime:
    """Return the moment, in UTC, at which the clocks of a zone show a time of day.

    wall   since midnight, up to 24 hours, which is the midnight that ends the day.
    last   of two such moments, where the clock goes back, the later one; without it the first.

    A time that the clock jumps over is the moment of the jump: the next time that does exist.
    """
    shown = datetime.combine(day, MIDNIGHT) + wall
    offset = zone.utcoffset(shown - DAY)
    if offset is not None and offset == zone.utcoffset(shown + DAY):
        return shown - offset  # no zone ever changed its clock twice in less than six days
    return _moment_near_change(shown.replace(tzinfo=zone), last=last)


def _moment_near_change(first: datetime, *, last: bool) -> datetime:
    before, after = first.utcoffset(), first.replace(fold=1).utcoffset()
    if before is None or after is None:
        raise AssertionError("a zone knows its offset")
    shown = first.replace(tzinfo=UTC)
    if before >= after:  # equal, but for the hour that exists twice
        return shown - (after if last else before)
    # The jump lies between what this time would be after it and what it would be before it.
    low, seconds = (shown - after).replace(microsecond=0), int((after - before).total_seconds()) + 2
    jump = bisect_left(
        range(seconds),
        True,
        key=lambda second: (low + second * SECOND).astimezone(first.tzinfo).utcoffset() == after,
    )
    return low + jump * SECOND


def joined(openings: Iterable[Opening]) -> list[Opening]:
    """Return openings in order, those that touch or overlap made one, empty ones left out."""
    whole: list[Opening] = []
    for start, end in sorted(openings):
        if whole and start <= whole[-1].end:
            whole[-1] = Opening(whole[-1].start, max(end, whole[-1].end))
        elif start < end:
            whole.append(Opening(start, end))
    return whole


def parse_shifts(texts: Sequence[str]) -> tuple[Shift, ...]:
    """Read the hours of a day: ["09:00-12:30", "13:00-17:30"], also "22:00-24:00"; in order of time.

    Raises ValueError with "reason; remedy" for another form, an end before the start, and an overlap.
    """
    read = sorted((_shift(text), text) for text in texts)
    for ((_, end), text), ((start, _), after) in pairwise(read):
        if start < end:
            raise ValueError(f'"{text}" and "{after}" overlap; let each begin when the one before has ended')
    return tuple(shift for shift, _ in read)


def _shift(text: str) -> Shift:
    found = _SHIFT.match(text)
    if found is None:
        raise ValueError(f'"{text[:40]}" is not a span of hours; write {_nearest(text) or "it as " + SAMPLE}')
    from_hour, from_minute, to_hour, to_minute = (int(number) for number in found.groups())
    start, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
    if max(from_minute, to_minute) > 59 or max(start, end) > MINUTES_OF_DAY:
        raise ValueError(f'"{text}" is not within a day; write hours from 00 to 24 and minutes from 00 to 59')
    if start == end:
        raise ValueError(f'"{text}" is empty; write [] for a closed day and "00:00-24:00" for a whole one')
    if end < start:
        two = f'"{text[:5]}-24:00" on this day and "00:00-{text[6:]}" on the next'
        raise ValueError(f'"{text}" ends before it starts; write a night as two: {two}')
    return start, end


SAMPLE = '"09:00-17:30"'


def _nearest(text: str) -> str:
    """Return what was probably meant by "9-17" or "9:00 to 17.30", in quotes; or ""."""
    found = _NEARLY_SHIFT.match(text[:40])
    if found is None or max(int(found[1]), int(found[3])) > 24:
        return ""
    return f'"{int(found[1]):02}:{found[2] or "00"}-{int(found[3]):02}:{found[4] or "00"}"'


def hours_in_words(shifts: Sequence[Shift]) -> str:
    """Return "09:00 to 12:30 and 13:00 to 17:30", or "around the clock"."""
    if tuple(shifts) == WHOLE_DAY:
        return "around the clock"
    return listed([f"{_time(start)} to {_time(end)}" for start, end in shifts])


def week_in_words(week: Sequence[Sequence[Shift]]) -> str:
    """Return "Monday to Thursday 09:00 to 17:00; Friday 09:00 to 15:00"; "" where no day is open."""
    days: dict[tuple[Shift, ...], list[int]] = {}
    for number, shifts in enumerate(week):
        if shifts:
            days.setdefault(tuple(shifts), []).append(number)
    return "; ".join(f"{_days(numbers)} {hours_in_words(shifts)}" for shifts, numbers in days.items())


def _days(numbers: Sequence[int]) -> str:
    """Return "Monday to Wednesday and Friday" for [0, 1, 2, 4]."""
    if len(numbers) == len(WEEKDAYS):
        return "every day"
    words: list[str] = []
    for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [WEEKDAYS[number] for _, number in group]
        words += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else run
    return listed(words)


def listed(words: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def _time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
