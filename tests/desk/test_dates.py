"""Dates as agents write them: read as they are meant, or not at all."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mailtickets.desk.calendar import ALWAYS, Calendar
from mailtickets.desk.dates import MAX_AHEAD, in_words, read_date

ZONE = "Europe/London"
LONDON = ZoneInfo(ZONE)
OFFICE = Calendar(
    "office", ZONE, [[(540, 750), (780, 1050)]] * 5 + [[], []], dates={date(2026, 12, 24): [(540, 720)], date(2026, 12, 25): []}
)  # fmt: skip
LATE = Calendar("late", ZONE, [[(840, 1440)]] * 7)
NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)  # a Wednesday


def read(text, calendar=OFFICE, now=NOW):
    """Return the moment as London's clocks show it, without the zone; None stays None."""
    moment = read_date(text, ZONE, now, calendar)
    return None if moment is None else f"{moment.astimezone(LONDON):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-12-01", "2026-12-01 17:30"),
        ("2026/12/01", "2026-12-01 17:30"),
        ("2026-12-01 15:00", "2026-12-01 15:00"),
        ("2026-12-01T15:00", "2026-12-01 15:00"),
        ("1 Dec", "2026-12-01 17:30"),
        ("1. Dec", "2026-12-01 17:30"),
        ("1st of December", "2026-12-01 17:30"),
        ("1 December 2026", "2026-12-01 17:30"),
        ("1-Dec-2026", "2026-12-01 17:30"),
        ("Dec 1", "2026-12-01 17:30"),
        ("December 1st, 2026", "2026-12-01 17:30"),
        ("1 December 2026 at 3pm", "2026-12-01 15:00"),
        ("1 Dec, 3:45 PM", "2026-12-01 15:45"),
        ("1 Dec 12am", "2026-12-01 00:00"),
        ("Tue 1 Dec", "2026-12-01 17:30"),
        ("Tuesday, 1 December", "2026-12-01 17:30"),
        ("1.12.", "2026-12-01 17:30"),
        ("1.12", "2026-12-01 17:30"),
        ("1.12. 15:00", "2026-12-01 15:00"),
        ("1.12.26", "2026-12-01 17:30"),
        ("1. 12. 2026", "2026-12-01 17:30"),
        ("01/12/2026", "2026-12-01 17:30"),  # the day first, as it can be one
        ("12/01/2027", "2027-01-12 17:30"),
        ("12/13/2026", "2026-12-13 17:00"),  # only the month can be first; a Sunday
        ("1. Dezember 2026 um 15:00 Uhr", "2026-12-01 15:00"),
        ("20. M\u00e4rz", "2027-03-20 17:00"),
        ("20. Ma\u0308rz", "2027-03-20 17:00"),
        ("by 1 Dec", "2026-12-01 17:30"),
        ("  1   DEC. ", "2026-12-01 17:30"),
        ("\u00a01\u00a0Dec", "2026-12-01 17:30"),
        # without a year: the coming one
        ("24 Nov", "2027-11-24 17:30"),
        ("25 Nov", "2026-11-25 17:30"),
        ("29 Feb", "2028-02-29 17:30"),
        # counted from today
        ("today", "2026-11-25 17:30"),
        ("today 12:00", "2026-11-25 12:00"),
        ("12:00", "2026-11-25 12:00"),
        ("tomorrow", "2026-11-26 17:30"),
        ("tomorrow at 9am", "2026-11-26 09:00"),
        ("\u00fcbermorgen", "2026-11-27 17:30"),
        ("friday", "2026-11-27 17:30"),
        ("Fri 14:00", "2026-11-27 14:00"),
        ("this friday", "2026-11-27 17:30"),
        ("wednesday", "2026-12-02 17:30"),  # today is called today
        ("this wednesday", "2026-11-25 17:30"),
        ("next friday", "2026-12-04 17:30"),
        ("next monday", "2026-11-30 17:30"),
        ("in 3 days", "2026-11-28 17:00"),
        ("5d", "2026-11-30 17:30"),
        ("2 weeks", "2026-12-09 17:30"),
        ("in a week", "2026-12-02 17:30"),
        ("3wd", "2026-11-30 17:30"),
        ("3 working days", "2026-11-30 17:30"),
        ("in 1 business day", "2026-11-26 17:30"),
        ("4h", "2026-11-25 14:00"),
        ("in 90 minutes", "2026-11-25 11:30"),
        ("8wh", "2026-11-26 10:00"),
        # the hours of that very day
        ("24 Dec", "2026-12-24 12:00"),
        ("25 Dec", "2026-12-25 17:00"),
        ("saturday", "2026-11-28 17:00"),
    ],
)  # fmt: skip
def test_a_date_is_read_as_it_is_meant(text, meant):
    """A day without a time means the end of that day's opening hours, 17:00 where there are none."""
    assert read(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "by", "(Europe/London)", "soon", "next week", "friday or monday", "1", "2026", "13/13/2026", "30 Feb", "29 Feb 2027", "0000-12-01",
        "2026-13-01", "1 Dec 25:00", "1 Dec 13pm", "1 Dec 0am", "1-12", "Mon 1 Dec", "monday 1 Dec 2026", "0d", "in 0 days",
        "-3d", "\u0663 days", "\uff13d", "in 3 days 4h", "1 Dec 2025", "2026-11-24", "today 09:00", "yesterday", "9999-12-31",
        "0001-01-01", "2062-12-01", "9999d", "9999 weeks", "99999999d", "1 Dec 15:00 (Asia/Tokyo)", "1 Dec " * 40,
        "2026-12-01 until 2026-12-04", "next", "next next friday", "4h 15:00",
    ],
)  # fmt: skip
def test_what_is_no_date_to_come_is_none(text):
    """Neither what is unclear, nor what is past, contradicts itself, or lies more than ten years ahead."""
    assert read(text) is None


def test_a_day_that_is_over_is_not_next_year():
    """After hours, today's date is past; it does not mean the same day of the next year."""
    after_hours = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)
    assert read("today", now=after_hours) is None
    assert read("25 Nov", now=after_hours) is None
    assert read("25 Nov 20:00", now=after_hours) == "2026-11-25 20:00"


def test_without_closing_time_a_day_ends_at_five():
    """A calendar that never closes has no end of the day to mean."""
    assert read("1 Dec", ALWAYS) == "2026-12-01 17:00"
    assert read("1 Dec", Calendar("all", ZONE, [], always=True)) == "2026-12-01 17:00"


def test_hours_until_midnight_end_on_the_day_agreed():
    """Midnight would be shown as the day after."""
    assert read("1 Dec", LATE) == "2026-12-01 23:59"


def test_a_day_ends_by_local_time_in_summer_and_winter():
    """17:30 in London is 16:30 UTC in July."""
    assert read_date("1 July", ZONE, NOW, OFFICE) == datetime(2027, 7, 1, 16, 30, tzinfo=UTC)


def test_today_is_the_day_of_the_desk_not_of_utc():
    """At 23:30 UTC it is tomorrow in Tokyo."""
    late = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
    assert read_date("today 12:00", "Asia/Tokyo", late, ALWAYS) == datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


def test_a_time_that_the_clocks_skip_is_read_all_the_same():
    """01:30 on 28 March 2027 does not exist in London."""
    assert read_date("2027-03-28 01:30", ZONE, NOW, OFFICE) == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)


def test_a_moment_in_words():
    """Weekday, day, month, year, time and zone."""
    moment = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)
    assert in_words(moment, ZONE) == "Tue 1 Dec 2026, 17:30 (Europe/London)"
    assert in_words(moment, "Asia/Tokyo") == "Wed 2 Dec 2026, 02:30 (Asia/Tokyo)"


@given(st.integers(1, MAX_AHEAD.days * 24 * 60 - 1), st.sampled_from([ZONE, "Asia/Tokyo", "UTC"]))
def test_what_is_shown_can_be_written(minutes, zone):
    """The words of a moment are read as that moment, so an agent may copy them."""
    moment = NOW + timedelta(minutes=minutes)
    # The second run of an hour that the clocks repeat looks like the first.
    assume(moment.astimezone(ZoneInfo(zone)).replace(fold=0).astimezone(UTC) == moment)
    assert read_date(in_words(moment, zone), zone, NOW, OFFICE) == moment


WRITTEN = st.lists(
    st.sampled_from(
        ["1", "31", "12", "2026", "0", "99", " ", ".", "/", "-", ":", ",", "dec", "may", "fri", "next", "in", "wd", "d", "h",
         "pm", "t", "at", "by", "(utc)", "working days", "\u0130"]
    ),
    max_size=9,
).map("".join)  # fmt: skip


@given(st.one_of(st.text(max_size=100), WRITTEN), st.sampled_from([OFFICE, LATE, ALWAYS]))
def test_whatever_is_written_is_read_or_not(text, calendar):
    """No text raises; what is read lies ahead, and not more than ten years."""
    moment = read_date(text, ZONE, NOW, calendar)
    assert moment is None or NOW < moment <= NOW + MAX_AHEAD
    assert moment is None or moment.utcoffset() == timedelta(0)
