"""Public holidays: whose we know, what was probably meant, and which days they are."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date

import pytest

from mailtickets import holiday_dates


@pytest.mark.parametrize("region", ["GB", "GB-ENG", "GB-SCT", "FR", "US-CA", "DE-BY", "AU-NSW"])
def test_countries_and_their_parts_are_known(region):
    """A country by its two letters, a part of it behind a dash."""
    assert holiday_dates.known(region)


@pytest.mark.parametrize(
    ("region", "meant"),
    [
        ("gb", "GB"),
        ("UK", "GB"),
        ("GBR", "GB"),
        ("United Kingdom", "GB"),
        ("Germny", "DE"),
        ("GB-ENX", "GB-ENG"),
        ("gb_eng", "GB-ENG"),
        ("GB-England", "GB-ENG"),
        ("DE-Bayern", "DE-BY"),
        ("NSW", "AU-NSW"),
        ("GB-", "GB"),
        ("XX", ""),
        ("", ""),
        ("-", ""),
        ("x" * 10_000, ""),
    ],
)
def test_another_way_to_say_it_is_not_known_but_understood(region, meant):
    """The suggestion is known, or there is none."""
    assert not holiday_dates.known(region)
    assert holiday_dates.suggest(region) == meant
    assert not meant or holiday_dates.known(meant)


def test_england_rests_on_its_bank_holidays():
    """Boxing Day of 2026 is a Saturday and so observed on Monday; Easter Monday is England's, not Scotland's."""
    england, scotland = holiday_dates.dates("GB-ENG")(2026), holiday_dates.dates("GB-SCT")(2026)
    assert england[date(2026, 12, 25)] == "Christmas Day"
    assert england[date(2026, 12, 28)] == "Boxing Day (observed)"
    assert date(2026, 4, 6) in england
    assert date(2026, 4, 6) not in scotland
    assert all(day.year == 2026 for day in england)


def test_a_holiday_may_be_observed_in_the_year_before():
    """New Year's Day of 2028 is a Saturday: the United States rest on 31 December 2027."""
    assert date(2027, 12, 31) in holiday_dates.dates("US")(2027)


def test_several_regions_rest_on_the_days_of_each():
    """A desk in two countries; where both rest, the first one names the day."""
    both = holiday_dates.dates(["GB-ENG", "FR"])(2026)
    assert both[date(2026, 7, 14)] == "Fête nationale"
    assert both[date(2026, 8, 31)] == "Late Summer Bank Holiday"
    assert both[date(2026, 12, 25)] == "Christmas Day"


def test_the_same_regions_are_the_same_holidays():
    """So calendars made from an unchanged configuration are equal."""
    assert holiday_dates.dates("GB") is holiday_dates.dates(["GB"])
    assert holiday_dates.dates("GB") is not holiday_dates.dates("GB-ENG")


def fresh(program, **environment):
    """Run a few lines in a Python of their own and return what they print."""
    variables = {**os.environ, **environment}
    done = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_names_are_in_the_language_of_the_country_wherever_we_run():
    """The library would follow LANG; the same file must mean the same everywhere."""
    program = (
        "from datetime import date; from mailtickets.holiday_dates import dates; "
        "print(dates('FR')(2026)[date(2026, 7, 14)])"
    )
    assert {fresh(program, LANGUAGE=language, PYTHONIOENCODING="utf-8") for language in ("en_US", "th")} == {
        "Fête nationale"
    }


def test_a_desk_without_holidays_does_not_load_the_library():
    """0.1 s at every start and 20 MB for nothing."""
    program = "import mailtickets.config, mailtickets.config_calendar, sys; print('holidays' in sys.modules)"
    assert fresh(program) == "False"
