"""Pure: a report for programs: CSV with one row a group and figure, JSON with stable names (docs/reports.md)."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from mailtickets.figures.period import WEEKDAYS
from mailtickets.figures.statistics import AGE_NAMES, RESPONSE_EDGES
from mailtickets.for_programs import csv_cell, json_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from mailtickets.figures.statistics import Figures, Group, Share, Times

CSV_HEADER = ("from", "to", "dimension", "key", "name", "figure", "value")


# --- JSON -----------------------------------------------------------------------------------------


def as_json(figures: Figures) -> str:
    """Return the report as JSON. Times are RFC 3339 in UTC, lengths in seconds, shares from 0 to 1."""
    return json_text(json_value(figures)) + "\n"


def json_value(figures: Figures) -> dict[str, Any]:
    """Return the report as values for JSON."""
    period = figures.period
    return {
        "desk": figures.desk,
        "period": {
            "from": period.first.isoformat(),
            "to": period.last.isoformat(),
            "timezone": period.zone.key,
            "start": _moment(period.start),
            "end": _moment(period.end),
            "counted_at": _moment(figures.at),
        },
        "filters": {dimension: key for dimension, key, _ in figures.filters},
        "total": total_value(figures),
        "by": {
            dimension: [{"key": group.key, "name": group.name, **group_value(group)} for group in groups]
            for dimension, groups in figures.by.items()
        },
        "course": {
            "step": figures.step,
            "points": [
                {
                    "from": point.first.isoformat(),
                    "to": point.last.isoformat(),
                    "opened": point.opened,
                    "resolved": point.resolved,
                    "backlog": point.backlog,
                }
                for point in figures.course
            ],
        },
        "load": {name.lower(): list(hours) for name, hours in zip(WEEKDAYS, figures.load, strict=True)},
        "first_responses": [
            {"up_to_seconds": edge, "tickets": count}
            for edge, count in zip(
                (*(int(edge.total_seconds()) for edge in RESPONSE_EDGES), None),
                figures.responses,
                strict=True,
            )
        ],
        "not_counted": figures.uncounted,
    }


def total_value(figures: Figures) -> dict[str, Any]:
    """Return the figures of the whole."""
    return {"backlog_at_start": figures.backlog_before, **group_value(figures.total)}


def group_value(group: Group) -> dict[str, Any]:
    """Return the figures of a group; the names are fixed."""
    return {
        "opened": group.opened,
        "opened_by_machines": group.automatic,
        "resolved": group.resolved,
        "closed": group.closed,
        "reopened": group.reopened,
        "goal": group.goal,
        "first_response": {**_times(group.first_response), **_share(group.first_response_target)},
        "resolution": {
            **_times(group.resolution),
            "by_workaround": group.interim,
            **_share(group.resolution_target),
        },
        "updates": _share(group.updates),
        "backlog": group.backlog,
        "backlog_by_age": dict(zip(AGE_NAMES, group.backlog_by_age, strict=True)),
    }


def _times(times: Times) -> dict[str, Any]:
    return {
        "tickets": times.count,
        "median_seconds": _seconds(times.median),
        "p90_seconds": _seconds(times.p90),
    }


def _share(share: Share) -> dict[str, Any]:
    within = None if share.share is None else round(share.share, 6)
    return {"kept": share.kept, "missed": share.missed, "share": within}


def _seconds(time: timedelta | None) -> int | None:
    return None if time is None else round(time.total_seconds())


def _moment(moment: datetime) -> str:
    return (
        moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        if not moment.microsecond
        else moment.isoformat().replace("+00:00", "Z")
    )


# --- CSV ------------------------------------------------------------------------------------------


def as_csv(figures: Figures) -> str:
    """Return one row for each group and figure; a figure that there is none of has an empty value."""
    written = io.StringIO(newline="")
    table = csv.writer(written, lineterminator="\r\n")  # RFC 4180 section 2
    table.writerow(CSV_HEADER)
    days = figures.period.first.isoformat(), figures.period.last.isoformat()
    for dimension, key, name, values in _groups(figures):
        for figure, value in _flat(values):
            cells = (*days, dimension, csv_cell(key), csv_cell(name), figure)
            table.writerow((*cells, "" if value is None else value))
    return written.getvalue()


def _groups(figures: Figures) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    yield "total", "", figures.total.name, total_value(figures)
    for dimension, groups in figures.by.items():
        for group in groups:
            yield dimension, group.key, group.name, group_value(group)


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Return "first_response.median_seconds" and the like with their values."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
