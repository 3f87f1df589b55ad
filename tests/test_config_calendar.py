"""From [calendar.NAME] in config.toml to a calendar; what is refused stands in configs/bad-51 to bad-59."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from mailtickets.config import load
from mailtickets.config_calendar import calendar_of, days_of
from tests.test_config import SHORT, written

OFFICE = """
[calendar.office]
timezone = "Europe/London"
hours = { mon-fri = ["09:00-12:30", "13:00-17:30"], sat = [] }
holidays = "GB-ENG"
closed = [2026-12-24, "2026-12-29..2026-12-31"]
open = { "2026-12-05" = ["09:00-13:00"], 2026-12-30 = ["10:00-12:00"] }
"""


def calendar(folder, text, name="office"):
    """Return a calendar of a configuration."""
    return calendar_of(name, load(written(folder, SHORT + text)).calendars[name])


def test_a_calendar_has_hours_holidays_and_dates_of_its_own(tmp_path):
    """Everything at once: breaks, bank holidays, a single date, a range, and exceptions to them."""
    office = calendar(tmp_path, OFFICE)
    assert (office.name, office.zone, office.always) == ("office", "Europe/London", False)
    days = {day: office.why_closed(date(2026, 12, day)) for day in (5, 6, 23, 24, 25, 28, 29, 30, 31)}
    assert days == {
        5: "", 6: "closed", 23: "", 24: "closed", 25: "Christmas Day", 28: "Boxing Day (observed)",
        29: "closed", 30: "", 31: "closed",
    }  # fmt: skip
    noon = datetime(2026, 12, 23, 12, tzinfo=UTC)
    assert office.add(noon, timedelta(hours=6)) == datetime(2026, 12, 30, 11, tzinfo=UTC)
    assert office.in_words() == (
        "Monday to Friday 09:00 to 12:30 and 13:00 to 17:30 (Europe/London), closed on public holidays"
    )


def test_the_time_zone_is_that_of_the_desk_unless_written(tmp_path):
    """`timezone` of [desk] counts for calendars too."""
    text = SHORT.replace('store = "desk.db"', 'store = "desk.db"\ntimezone = "Asia/Kolkata"')
    text += '[calendar.one]\nhours = "always"\n[calendar.other]\ntimezone = "UTC"\nhours = { sat = ["10:00-11:00"] }\n'
    calendars = load(written(tmp_path, text)).calendars
    assert {name: calendar_of(name, table).zone for name, table in calendars.items()} == {
        "one": "Asia/Kolkata",
        "other": "UTC",
    }


@pytest.mark.parametrize(
    ("text", "always"),
    [
        ('hours = "always"', True),
        ('hours = { mon-sun = ["00:00-24:00"] }', True),
        ('hours = "always"\nholidays = "GB"', False),
        ('hours = "always"\nclosed = ["2026-12-25"]', False),
    ],
)
def test_around_the_clock_is_always_open_unless_a_day_is_taken_out(text, always, tmp_path):
    """`hours = "always"` may still rest on holidays."""
    office = calendar(tmp_path, f"[calendar.office]\n{text}\n")
    assert office.always is always
    assert bool(office.why_closed(date(2026, 12, 25))) is not always


@pytest.mark.parametrize(
    ("names", "days"),
    [
        ("mon", (0,)),
        ("mon-fri", (0, 1, 2, 3, 4)),
        ("mon,wed", (0, 2)),
        ("sun, mon-tue", (6, 0, 1)),
        ("sat-sat", (5,)),
    ],
)
def test_days_of_the_week_are_named_alone_in_lists_and_in_ranges(names, days):
    """`mon-fri`, "mon,wed", also mixed."""
    assert days_of(names) == days


def test_an_unchanged_file_makes_equal_calendars(tmp_path):
    """A reload can tell that nothing moved."""
    assert calendar(tmp_path, OFFICE) == calendar(tmp_path, OFFICE)
    assert calendar(tmp_path, OFFICE) != calendar(tmp_path, OFFICE.replace("17:30", "17:00"))
