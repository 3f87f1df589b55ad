"""Pure: the course of time in a zone: what came and what was left, day by day; the load by weekday and hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from zoneinfo import ZoneInfo

QUARTER_SECONDS = 15 * 60


@dataclass(frozen=True, slots=True)
class Point:
    """One step of the course of time: what came, what left, what was there when it ended."""

    first: date
    last: date
    opened: int
    resolved: int
    backlog: int


def course(
    first: date, last: date, opened: Mapping[date, int], left: Mapping[date, int], backlog: int
) -> tuple[Point, ...]:
    """Return the course of time day by day, from the backlog before the first."""
    points = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        came, went = opened.get(day, 0), left.get(day, 0)
        backlog += came - went
        points.append(Point(day, day, came, went, backlog))
    return tuple(points)


def coarser(days: Sequence[Point], step: str) -> tuple[Point, ...]:
    """Return days put together to weeks (from Monday), months or years; the first and the last may be cut."""
    if step == "day":
        return tuple(days)
    spans = (list(inside) for _, inside in groupby(days, key=_SPANS[step]))
    return tuple(
        Point(
            inside[0].first,
            inside[-1].last,
            sum(point.opened for point in inside),
            sum(point.resolved for point in inside),
            inside[-1].backlog,
        )
        for inside in spans
    )


_SPANS: dict[str, Callable[[Point], object]] = {
    "week": lambda point: point.first - timedelta(days=point.first.weekday()),
    "month": lambda point: point.first.replace(day=1),
    "year": lambda point: point.first.year,
}


def by_day_and_hour(
    quarters: Mapping[int, int], zone: ZoneInfo
) -> tuple[dict[date, int], tuple[tuple[int, ...], ...]]:
    """Return counts by quarter-hours since 1970 UTC (-1 = not counted) by day, and by weekday and hour, of a zone."""
    days: dict[date, int] = {}
    load = [[0] * 24 for _ in range(7)]
    for quarter, count in quarters.items():
        if quarter >= 0:
            here = datetime.fromtimestamp(quarter * QUARTER_SECONDS, zone)
            day = here.date()
            days[day] = days.get(day, 0) + count
            load[here.weekday()][here.hour] += count
    return days, tuple(tuple(hours) for hours in load)
