"""Periods: whole days of the desk's zone, and when a planned report is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mailtickets.desk.agreement import ReportPlan
from mailtickets.figures.period import BadPeriod, Period, due_plan, next_plan, period_of, plan_moment
from tests.figures.conftest import LONDON, NOW, at

WEEKLY = ReportPlan("weekly", "week", ("it@acme.example",))
MONTHLY = ReportPlan("monthly", "month", ("it@acme.example",), at_minute=6 * 60 + 30)


def days(period):
    return str(period.first), str(period.last)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ({}, "2026-10-26", "2026-11-24"),
        ({"recent": "7d"}, "2026-11-18", "2026-11-24"),
        ({"recent": "30d"}, "2026-10-26", "2026-11-24"),
        ({"recent": "week"}, "2026-11-16", "2026-11-22"),
        ({"recent": "month"}, "2026-10-01", "2026-10-31"),
        ({"recent": "quarter"}, "2026-07-01", "2026-09-30"),
        ({"recent": "year"}, "2025-01-01", "2025-12-31"),
        ({"first": "2026-11-01"}, "2026-11-01", "2026-11-24"),
        ({"last": "2026-11-10"}, "2026-10-12", "2026-11-10"),
        ({"first": "2024-02-29", "last": "2024-02-29"}, "2024-02-29", "2024-02-29"),
        ({"first": "2026-11-20", "last": "2026-12-31"}, "2026-11-20", "2026-12-31"),
    ],
)
def test_what_was_asked_for_is_a_period(asked, first, last):
    """Named periods have ended; days up to today hold today; without a word it is thirty days."""
    assert days(period_of(LONDON, NOW, **asked)) == (first, last)


def test_the_last_quarter_of_january_lies_in_the_year_before():
    """So do the last month and the last week."""
    now = at("2026-01-01 12:00")
    assert days(period_of(LONDON, now, recent="quarter")) == ("2025-10-01", "2025-12-31")
    assert days(period_of(LONDON, now, recent="month")) == ("2025-12-01", "2025-12-31")
    assert days(period_of(LONDON, now, recent="week")) == ("2025-12-22", "2025-12-28")


def test_today_is_the_zones_today():
    """At noon UTC it is tomorrow already in Kiritimati."""
    assert days(period_of(ZoneInfo("Pacific/Kiritimati"), NOW, recent="7d"))[1] == "2026-11-25"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"first": "24.11.2026"}, '--from "24.11.2026": not a date; write it as 2026-11-24'),
        ({"first": "yesterday"}, '--from "yesterday": not a date; write it as 2026-11-24'),
        ({"last": "2026-02-30"}, "--to 2026-02-30: there is no such day in the calendar"),
        ({"first": "0001-01-01"}, "write a year from 1970 to 2999"),
        ({"last": "9999-12-31"}, "write a year from 1970 to 2999"),
        ({"first": "2026-11-10", "last": "2026-11-09"}, "--from 2026-11-10 is after --to 2026-11-09"),
        ({"first": "2026-11-25"}, "--from 2026-11-25 is after today"),
        ({"first": "2026-12-01", "last": "2026-12-31"}, "still to come; today is Tue 24 Nov 2026"),
        ({"recent": "fortnight"}, '--last "fortnight": not a period; write one of 7d, 30d, week'),
        ({"recent": "week", "first": "2026-11-01"}, "leave out --from and --to"),
    ],
)
def test_what_is_no_period_is_told_in_a_sentence(asked, said):
    """With the option, the value, and what to write."""
    with pytest.raises(BadPeriod) as told:
        period_of(LONDON, NOW, **asked)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("first", "last", "hours"),
    [("2026-03-29", "2026-03-29", 23), ("2026-10-25", "2026-10-25", 25), ("2026-10-19", "2026-10-25", 169)],
)
def test_days_of_the_clocks_change_are_shorter_and_longer(first, last, hours):
    """A day goes from midnight to midnight of the zone, however long that is."""
    period = Period(date.fromisoformat(first), date.fromisoformat(last), LONDON)
    assert period.end - period.start == timedelta(hours=hours)


def test_a_midnight_that_does_not_exist_is_the_moment_of_the_change():
    """In Beirut the clock went from 24:00 to 01:00 on 27 March 2022: the day before ends there, the next begins."""
    beirut = ZoneInfo("Asia/Beirut")
    before, after = (Period(date(2022, 3, day), date(2022, 3, day), beirut) for day in (26, 27))
    assert before.end == after.start == at("2022-03-26 22:00")


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2026-11-24", "2026-11-24", "Tue 24 Nov 2026"),
        ("2026-11-16", "2026-11-22", "Mon 16 to Sun 22 Nov 2026 (week 47)"),
        ("2026-11-17", "2026-11-23", "Tue 17 to Mon 23 Nov 2026"),
        ("2026-10-26", "2026-11-24", "Mon 26 Oct to Tue 24 Nov 2026"),
        ("2025-12-29", "2026-01-04", "Mon 29 Dec 2025 to Sun 4 Jan 2026 (week 1)"),
        ("2026-02-01", "2026-02-28", "February 2026"),
        ("2026-07-01", "2026-09-30", "Wed 1 Jul to Wed 30 Sep 2026"),
        ("2025-01-01", "2025-12-31", "the year 2025"),
    ],
)
def test_a_period_is_said_as_people_say_it(first, last, words):
    """A month and a year have names; a week has its number."""
    assert Period(date.fromisoformat(first), date.fromisoformat(last), LONDON).in_words == words


# --- plans ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "occasion", "first", "last"),
    [
        ("2026-11-23 06:59", "weekly:2026-W46", "2026-11-09", "2026-11-15"),
        ("2026-11-23 07:00", "weekly:2026-W47", "2026-11-16", "2026-11-22"),
        ("2026-11-29 23:59", "weekly:2026-W47", "2026-11-16", "2026-11-22"),
        ("2027-01-04 07:00", "weekly:2026-W53", "2026-12-28", "2027-01-03"),
    ],
)
def test_a_weekly_report_is_due_on_monday_and_names_its_week(now, occasion, first, last):
    """The occasion is the same until the next Monday, so that it is queued once."""
    found, period = due_plan(WEEKLY, LONDON, at(now))
    assert (found, *days(period)) == (occasion, first, last)


@pytest.mark.parametrize(
    ("now", "occasion", "first", "last"),
    [
        ("2026-12-01 06:29", "monthly:2026-10", "2026-10-01", "2026-10-31"),
        ("2026-12-01 06:30", "monthly:2026-11", "2026-11-01", "2026-11-30"),
        ("2027-01-01 12:00", "monthly:2026-12", "2026-12-01", "2026-12-31"),
    ],
)
def test_a_monthly_report_is_due_on_the_first(now, occasion, first, last):
    """At the plan's time of day; in summer that is another hour in UTC."""
    found, period = due_plan(MONTHLY, LONDON, at(now))
    assert (found, *days(period)) == (occasion, first, last)


def test_the_time_of_day_is_the_zones():
    """Seven o'clock in London is six in UTC in summer."""
    summer, winter = at("2026-07-08 12:00"), at("2026-11-25 12:00")
    assert plan_moment(WEEKLY, LONDON, summer) == at("2026-07-06 06:00")
    assert plan_moment(WEEKLY, LONDON, winter) == at("2026-11-23 07:00")
    assert next_plan(WEEKLY, LONDON, winter) == at("2026-11-30 07:00")
    assert next_plan(MONTHLY, LONDON, winter) == at("2026-12-01 06:30")
    assert next_plan(MONTHLY, LONDON, at("2026-12-01 06:00")) == at("2026-12-01 06:30")


def test_a_time_that_the_clock_skips_comes_right_after():
    """A plan at 01:30 on the Sunday of the change cannot be; a Monday plan is not touched by it."""
    plan = ReportPlan("night", "month", (), at_minute=90)
    # 1 April 2018 began in Lord Howe with the clock going back: 01:30 came twice, and the first counts.
    lord_howe = ZoneInfo("Australia/Lord_Howe")
    moment = plan_moment(plan, lord_howe, datetime(2018, 4, 2, tzinfo=UTC))
    assert moment == datetime(2018, 3, 31, 14, 30, tzinfo=UTC)


def test_every_occasion_is_one_period_over_a_whole_year():
    """Asked each hour of a year, the plans name 53 weeks and 13 months, each for one stretch of time."""
    for plan, periods in ((WEEKLY, 53), (MONTHLY, 13)):
        seen: list[str] = []
        for hour in range(365 * 24):
            occasion, period = due_plan(plan, LONDON, at("2026-01-01 12:00") + timedelta(hours=hour))
            if not seen or seen[-1] != occasion:
                assert period.end <= at("2026-01-01 12:00") + timedelta(hours=hour)
                seen.append(occasion)
        assert len(seen) == len(set(seen)) == periods
