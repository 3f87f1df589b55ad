"""Reports for programs: names that do not change, values that can be added up."""

from __future__ import annotations

import csv
import io
import json

from mailtickets.figures.rows import CSV_HEADER, as_csv, as_json
from tests.figures.conftest import DAY, HOUR, MINUTE, NOW

WEEK = ("2026-11-16", "2026-11-22")


def filled(desk):
    desk.ticket("2026-11-16 09:00", priority="P1", answered=10 * MINUTE, kept=True, resolved=2 * HOUR, resolution_kept=True,
                closed=3 * DAY)  # fmt: skip
    desk.ticket("2026-11-17 09:00", due=HOUR, updates=(2, 1), queue="billing")
    return desk.figures(*WEEK, by=("priority", "queue"))


def test_json_has_fixed_names(desk):
    """Lengths in seconds, shares from 0 to 1, times in UTC; what there is none of is null."""
    value = json.loads(as_json(filled(desk)))
    assert list(value) == [
        "desk",
        "period",
        "filters",
        "total",
        "by",
        "course",
        "load",
        "first_responses",
        "not_counted",
    ]
    assert value["period"] == {
        "from": "2026-11-16", "to": "2026-11-22", "timezone": "Europe/London", "start": "2026-11-16T00:00:00Z",
        "end": "2026-11-23T00:00:00Z", "counted_at": "2026-11-23T00:00:00Z",
    }  # fmt: skip
    assert value["total"] == {
        "backlog_at_start": 0, "opened": 2, "opened_by_machines": 0, "resolved": 1, "closed": 1, "reopened": 0, "goal": 0.95,
        "first_response": {"tickets": 1, "median_seconds": 600, "p90_seconds": 600, "kept": 1, "missed": 1, "share": 0.5},
        "resolution": {
            "tickets": 1, "median_seconds": 7200, "p90_seconds": 7200, "by_workaround": 0, "kept": 1, "missed": 0, "share": 1.0,
        },
        "updates": {"kept": 2, "missed": 1, "share": 0.666667},
        "backlog": 1, "backlog_by_age": {"0-1d": 0, "1-3d": 0, "3-7d": 1, "7-30d": 0, "older": 0},
    }  # fmt: skip
    assert [(group["key"], group["name"], group["opened"]) for group in value["by"]["priority"]] == [
        ("P1", "P1", 1),
        ("P3", "P3", 1),
    ]
    assert value["by"]["priority"][1]["first_response"]["median_seconds"] is None
    assert value["course"]["points"][0] == {
        "from": "2026-11-16",
        "to": "2026-11-16",
        "opened": 1,
        "resolved": 1,
        "backlog": 0,
    }
    assert value["course"]["step"] == "day"
    assert value["load"]["mon"][9] == value["load"]["tue"][9] == 1
    assert [bar for bar in value["first_responses"] if bar["tickets"]] == [
        {"up_to_seconds": 900, "tickets": 1}
    ]
    assert value["first_responses"][-1]["up_to_seconds"] is None


def test_json_names_what_it_is_limited_to(desk):
    """By the keys of the configuration."""
    desk.ticket("2026-11-16 09:00", assignee="kim")
    value = json.loads(as_json(desk.figures(*WEEK, agent="kim", queue="support")))
    assert value["filters"] == {"agent": "kim", "queue": "support"}


def test_csv_has_one_row_for_each_group_and_figure(desk):
    """The header is fixed; the figures are those of JSON, with a dot between their names."""
    rows = list(csv.reader(io.StringIO(as_csv(filled(desk)), newline="")))
    assert tuple(rows[0]) == CSV_HEADER == ("from", "to", "dimension", "key", "name", "figure", "value")
    assert ["2026-11-16", "2026-11-22", "total", "", "all tickets", "opened", "2"] in rows
    assert [
        "2026-11-16",
        "2026-11-22",
        "priority",
        "P1",
        "P1",
        "first_response.median_seconds",
        "600",
    ] in rows
    assert ["2026-11-16", "2026-11-22", "priority", "P3", "P3", "first_response.median_seconds", ""] in rows
    assert ["2026-11-16", "2026-11-22", "queue", "billing", "billing", "backlog_by_age.3-7d", "1"] in rows
    figures = [row[5] for row in rows[1:] if row[2] == "total"]
    assert len(figures) == len(set(figures)) == 29
    assert {len(row) for row in rows} == {7}


def test_no_name_is_a_formula(desk):
    """A spreadsheet shows it and does not compute it; commas and quotes stay inside their cell."""
    desk.ticket("2026-11-16 09:00", organisation='=HYPERLINK("http://x.example")')
    desk.ticket("2026-11-16 09:00", organisation='Smith, "Jo"')
    desk.ticket("2026-11-16 09:00", organisation='"\uff1d1+1')
    rows = list(csv.reader(io.StringIO(as_csv(desk.figures(*WEEK, by=("organisation",))), newline="")))
    assert {row[3] for row in rows if row[2] == "organisation"} == {
        '\'=HYPERLINK("http://x.example")',
        'Smith, "Jo"',
        "'\"\uff1d1+1",
    }


def test_an_empty_desk_has_rows_and_values(desk):
    """A script that reads every week does not break in a quiet one."""
    value = json.loads(as_json(desk.figures(now=NOW)))
    assert value["total"]["opened"] == 0
    assert value["total"]["first_response"]["share"] is None
    assert len(as_csv(desk.figures()).split("\r\n")) == 1 + 29 + 1
