"""`mailtickets calendar`: open hours as the desk sees them, for an admin who checks them."""

from __future__ import annotations

import json
from datetime import date

import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from tests.test_config import SHORT, written
from tests.test_config_calendar import OFFICE

NIGHT = """
[calendar.night]
timezone = "Europe/London"
hours = { mon-sun = ["00:00-06:00", "22:00-24:00"] }
"""


@pytest.fixture
def run(tmp_path):
    """Run the command on a desk with an office and a night shift; return exit code and lines."""

    def command(*arguments, text=OFFICE + NIGHT):
        path = written(tmp_path, SHORT + text)
        result = CliRunner().invoke(cli, ["--config", str(path), "calendar", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output.rstrip("\n").split("\n")

    return command


def test_each_day_has_its_hours_or_the_reason_for_none(run):
    """Hours with breaks, sums, holidays by name, dates of their own; the sum at the end."""
    assert run("office", "--from", "2026-12-23", "--to", "2027-01-01") == (
        0,
        [
            "office: Monday to Friday 09:00 to 12:30 and 13:00 to 17:30 (Europe/London), closed on public holidays",
            "",
            "  Wed 23 Dec 2026  09:00-12:30  13:00-17:30  8 h",
            "  Thu 24 Dec 2026  closed on this date",
            "  Fri 25 Dec 2026  Christmas Day",
            "  Sat 26 Dec 2026  Boxing Day",
            "  Sun 27 Dec 2026  closed",
            "  Mon 28 Dec 2026  Boxing Day (observed)",
            "  Tue 29 Dec 2026  closed on this date",
            "  Wed 30 Dec 2026  10:00-12:00               2 h  hours of this date alone",
            "  Thu 31 Dec 2026  closed on this date",
            "  Fri 01 Jan 2027  New Year's Day",
            "",
            "  10 days, 2 of them open, 10 h in all",
        ],
    )


def test_days_on_which_the_clock_changes_are_marked(run):
    """An hour more or less is said, with what is open on that day."""
    _, lines = run("night", "--from", "2026-10-24", "--to", "2026-10-26")
    assert lines[3] == "  Sun 25 Oct 2026  00:00-06:00  22:00-24:00  9 h  clock goes back, 9 h open"
    assert lines[-1] == "  3 days, 3 of them open, 25 h in all"
    _, lines = run("night", "--from", "2026-03-29", "--to", "2026-03-29")
    assert lines[2] == "  Sun 29 Mar 2026  00:00-06:00  22:00-24:00  7 h  clock goes forward, 7 h open"
    _, lines = run("office", "--from", "2026-03-29", "--to", "2026-03-29")
    assert lines[2] == "  Sun 29 Mar 2026  closed    clock goes forward"


def test_without_anything_all_calendars_are_shown_for_two_weeks_from_today(run):
    """And whether each is open now."""
    code, lines = run()
    assert code == 0
    assert [line for line in lines if line and not line.startswith(" ")] == [
        "office: Monday to Friday 09:00 to 12:30 and 13:00 to 17:30 (Europe/London), closed on public holidays",
        "night: every day 00:00 to 06:00 and 22:00 to 24:00 (Europe/London)",
    ]
    assert len([line for line in lines if line.startswith("  14 days, ")]) == 2
    assert (
        len([line for line in lines if line.startswith(("  now: open until ", "  now: closed, opens "))]) == 2
    )


def test_scripts_get_moments_in_utc(run):
    """`--json`: each day with its openings, their length, the reason for none, the change of the clock."""
    code, lines = run("--json", "--from", "2026-12-24", "--to", "2026-12-25")
    office, night = json.loads("\n".join(lines))
    assert code == 0
    assert (office["name"], office["timezone"], office["open_seconds"]) == ("office", "Europe/London", 0)
    assert [day["closed"] for day in office["days"]] == ["closed", "Christmas Day"]
    assert night["days"][0] == {
        "date": "2026-12-24",
        "openings": [
            {"start": "2026-12-24T00:00:00.000000Z", "end": "2026-12-24T06:00:00.000000Z"},
            {"start": "2026-12-24T22:00:00.000000Z", "end": "2026-12-25T00:00:00.000000Z"},
        ],
        "open_seconds": 8 * 3600,
        "closed": None,
        "clock_change_seconds": 0,
    }


@pytest.mark.parametrize(
    ("start", "after", "said"),
    [
        (
            "2026-12-23 16:00",
            "90m",
            ["office: Wed 23 Dec 2026 16:00 + 90m = Wed 23 Dec 2026 17:30 (Europe/London)"],
        ),
        (
            "2026-12-23 16:00",
            "5wd",
            ["office: Wed 23 Dec 2026 16:00 + 5wd = Thu 07 Jan 2027 16:00 (Europe/London)"],
        ),
        (
            "2026-12-24T16:00",
            "4wh",
            [
                "office: Thu 24 Dec 2026 16:00 + 4wh = Mon 04 Jan 2027 11:00 (Europe/London)",
                "  closed at the start; the time runs from Wed 30 Dec 2026 10:00",
            ],
        ),
    ],
)
def test_a_deadline_can_be_tried_out(start, after, said, run):
    """Plain time, working hours, working days; local to the calendar."""
    assert run("office", "--deadline", start, "--after", after) == (0, said)


def test_a_deadline_for_scripts(run):
    """`--json` gives each calendar's own."""
    _, lines = run("--deadline", "2026-07-01 08:00", "--after", "1wh", "--json")
    office, night = json.loads("\n".join(lines))
    assert office == {
        "name": "office", "timezone": "Europe/London", "start": "2026-07-01T07:00:00.000000Z",
        "after": "1wh", "deadline": "2026-07-01T09:00:00.000000Z",
    }  # fmt: skip
    assert night["deadline"] == "2026-07-01T22:00:00.000000Z"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["offic"], 1, 'there is no [calendar.offic]; did you mean "office"?'),
        (["--from", "24.12.2026"], 2, '"24.12.2026" is not a date; write it as 2026-12-24'),
        (["--from", "0001-01-01"], 2, "write a date from 1970-01-01 to 2199-12-31"),
        (["--from", "2026-12-24", "--to", "2026-12-20"], 2, "--to 2026-12-20 comes before --from 2026-12-24"),
        (["--from", "2026-12-24", "--to", "2096-12-20"], 2, "that is more than 3660 days; ask for fewer"),
        (["--deadline", "2026-12-24 16:00"], 2, "--deadline and --after belong together"),
        (["--deadline", "2026-12-24", "--after", "4wh"], 2, '"2026-12-24" has no time of day'),
        (["--deadline", "2026-12-24 16:00", "--after", "4 wh"], 2, '"4 wh" is not a duration; write "4wh"'),
        (["--deadline", "2026-12-24 16:00", "--after", "9999wd"], 2, 'write at most "3660d"'),
    ],
)
def test_what_cannot_be_shown_is_answered_with_a_remedy(arguments, code, said, run):
    """Wrong names and values end in a sentence."""
    ended, lines = run(*arguments)
    assert ended == code
    assert said in "\n".join(lines)


def test_a_desk_without_calendars_is_told_what_that_means(run):
    """It is always open; the same calendar can be asked for by name."""
    code, lines = run(text="")
    assert code == 0
    assert lines[0].startswith("there is no calendar, so every hour of every day counts as open; ")
    code, lines = run("always", "--from", date(2026, 3, 29).isoformat(), "--to", "2026-03-29", text="")
    assert lines == [
        "always: around the clock",
        "",
        "  Sun 29 Mar 2026  00:00-24:00  24 h",
        "",
        "  1 day, 24 h in all",
    ]
