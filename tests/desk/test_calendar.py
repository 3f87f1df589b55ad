"""Open hours: what is open, what is counted, and when; with breaks, holidays, leap days and clocks that change."""

from __future__ import annotations

import timeit
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mailtickets.desk.agreement import Span
from mailtickets.desk.calendar import ALWAYS, Calendar, NeverOpens, checked, parse_shifts

LONDON, SYDNEY, LORD_HOWE = "Europe/London", "Australia/Sydney", "Australia/Lord_Howe"
CLOSED = ()
OFFICE = parse_shifts(["09:00-12:30", "13:00-17:30"])
CHRISTMAS = {date(2026, 12, 25): "Christmas Day", date(2026, 12, 28): "Boxing Day (observed)"}


def holidays(year):
    """Return the two holidays of these tests, which only 2026 has."""
    return {day: name for day, name in CHRISTMAS.items() if day.year == year}


def office(zone=LONDON, **more):
    """Return an office with a lunch break, closed at weekends."""
    return Calendar("office", zone, [OFFICE] * 5 + [CLOSED] * 2, **more)


def daily(zone, *texts):
    """Return a calendar with the same hours every day."""
    return Calendar("daily", zone, [parse_shifts(texts)] * 7)


def at(text, zone=LONDON, fold=0):
    """Return what clocks in a zone show as a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def shown(moment, zone=LONDON):
    """Return a moment as clocks in a zone show it."""
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("moment", "is_open", "opens", "closes"),
    [
        ("2026-03-02 09:00", True, "2026-03-02 09:00", "2026-03-02 12:30"),
        ("2026-03-02 12:29", True, "2026-03-02 12:29", "2026-03-02 12:30"),
        ("2026-03-02 12:30", False, "2026-03-02 13:00", "2026-03-02 17:30"),
        ("2026-03-02 17:30", False, "2026-03-03 09:00", "2026-03-03 12:30"),
        ("2026-03-06 17:30", False, "2026-03-09 09:00", "2026-03-09 12:30"),
        ("2026-12-31 23:59", False, "2027-01-01 09:00", "2027-01-01 12:30"),
    ],
)
def test_an_opening_holds_its_first_moment_and_not_its_last(moment, is_open, opens, closes):
    """Open from 09:00 on, closed from 12:30 on; the next opening may be in the next week or year."""
    calendar, moment = office(), at(moment)
    assert calendar.is_open(moment) is is_open
    assert shown(calendar.next_open(moment)) == opens
    assert shown(calendar.next_close(moment)) == closes


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-03-02 09:00", 0, "2026-03-02 09:00"),
        ("2026-03-02 20:00", 0, "2026-03-02 20:00"),  # nothing to wait for
        ("2026-03-02 09:00", 3.5, "2026-03-02 12:30"),  # the end of an opening, not the start of the next
        ("2026-03-02 12:00", 1, "2026-03-02 13:30"),
        ("2026-03-02 07:00", 4, "2026-03-02 13:30"),
        ("2026-03-06 16:30", 2, "2026-03-09 10:00"),
        ("2026-03-07 12:00", 8, "2026-03-09 17:30"),
        ("2026-12-24 16:30", 2, "2026-12-29 10:00"),  # Christmas, a weekend, Boxing Day
        ("2028-02-28 16:30", 9, "2028-02-29 17:30"),  # a leap day counts like others
        ("2026-03-02 09:00", 8 * 261, "2027-03-03 17:30"),  # 261 weekdays a year, two of them holidays
    ],
)
def test_working_time_passes_while_it_is_open(start, hours, end):
    """`add` counts open time alone, and what lies between is as long as was asked."""
    calendar, start = office(holidays=holidays), at(start)
    reached = calendar.add(start, hours * HOUR)
    assert shown(reached) == end
    assert calendar.open_time(start, reached) == hours * HOUR


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (LONDON, date(2026, 3, 29), 23),
        (LONDON, date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        (SYDNEY, date(2026, 4, 5), 25),  # autumn in the south
        (SYDNEY, date(2026, 10, 4), 23),
        ("Australia/Adelaide", date(2026, 10, 4), 23),  # half an hour beside the others
        (LORD_HOWE, date(2026, 4, 5), 24.5),  # changes by half an hour
        (LORD_HOWE, date(2026, 10, 4), 23.5),
        ("Antarctica/Troll", date(2026, 3, 29), 22),  # changes by two hours
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # the day begins at 01:00
        ("America/St_Johns", date(2010, 11, 7), 25),  # at 00:01 back to 23:01 of the day before
        ("Asia/Kolkata", date(2026, 3, 29), 24),
        ("Asia/Kathmandu", date(2026, 3, 29), 24),
        ("Pacific/Apia", date(2011, 12, 30), 0),  # a day that never was
        ("Pacific/Apia", date(2011, 12, 31), 24),
    ],
)
def test_a_day_is_as_long_as_its_clock_makes_it(zone, day, hours):
    """Hours that a clock skips are not counted, hours that it repeats are; all are on their days."""
    calendar = daily(zone, "00:00-24:00")
    openings = list(calendar.openings(day, day))
    assert sum((end - start for start, end in openings), timedelta()) == hours * HOUR
    assert calendar.why_closed(day) == ("" if hours else "closed")


def test_a_time_that_is_skipped_moves_on_to_the_next_that_exists():
    """At 01:00 the clock shows 02:00: hours from 01:30 begin then, hours until 01:30 end then."""
    (opening,) = daily(LONDON, "01:30-03:00").openings(date(2026, 3, 29), date(2026, 3, 29))
    assert opening == (at("2026-03-29 02:00"), at("2026-03-29 03:00"))
    (opening,) = daily(LONDON, "00:00-01:30").openings(date(2026, 3, 29), date(2026, 3, 29))
    assert opening == (at("2026-03-29 00:00"), at("2026-03-29 02:00"))
    assert not list(daily(LONDON, "01:10-01:50").openings(date(2026, 3, 29), date(2026, 3, 29)))


def test_a_repeated_hour_is_open_throughout():
    """At 02:00 the clock shows 01:00 again: what begins at 01:30 begins with the first, what ends ends with the last."""
    day = date(2026, 10, 25)
    (opening,) = daily(LONDON, "01:30-03:00").openings(day, day)
    assert opening == (at("2026-10-25 01:30", fold=0), at("2026-10-25 03:00"))
    (opening,) = daily(LONDON, "00:00-01:30").openings(day, day)
    assert opening == (at("2026-10-25 00:00"), at("2026-10-25 01:30", fold=1))
    (opening,) = daily(LONDON, "00:00-01:15", "01:30-03:00").openings(day, day)
    assert opening.end - opening.start == 4 * HOUR


def test_a_deadline_over_the_change_of_clocks_is_exact():
    """A night of eight hours by the clock has seven in March and nine in October."""
    calendar = daily(LONDON, "00:00-06:00", "22:00-24:00")
    assert shown(calendar.add(at("2026-03-28 22:00"), 7 * HOUR)) == "2026-03-29 06:00"
    assert shown(calendar.add(at("2026-10-24 22:00"), 8 * HOUR)) == "2026-10-25 05:00"
    assert calendar.open_time(at("2026-10-24 22:00"), at("2026-10-25 06:00")) == 9 * HOUR


def test_hours_that_touch_are_one_opening():
    """Midnight between two open days closes nothing; the openings of days are cut there all the same."""
    calendar = Calendar("weekdays", LONDON, [parse_shifts(["00:00-24:00"])] * 5 + [CLOSED] * 2)
    assert shown(calendar.next_close(at("2026-03-03 12:00"))) == "2026-03-07 00:00"
    assert len(list(calendar.openings(date(2026, 3, 2), date(2026, 3, 8)))) == 5
    assert shown(calendar.next_close(at("2026-12-31 12:00"))) == "2027-01-02 00:00"  # and the new year
    assert daily(LONDON, "00:00-12:00", "12:00-24:00").next_close(at("2026-03-03 12:00")) is None


def test_own_dates_take_the_place_of_weekdays_and_holidays():
    """A Saturday with hours, a Monday without, a holiday on which somebody comes."""
    short = parse_shifts(["10:00-12:00"])
    dates = {date(2026, 12, 5): short, date(2026, 12, 7): CLOSED, date(2026, 12, 25): short}
    calendar = office(dates=dates, holidays=holidays)
    assert calendar.is_open(at("2026-12-05 11:00"))
    assert calendar.is_open(at("2026-12-25 11:00"))
    assert not calendar.is_open(at("2026-12-07 11:00"))
    days = (5, 6, 7, 8, 25, 28)
    assert [calendar.why_closed(date(2026, 12, day)) for day in days] == [
        "", "closed", "closed", "", "", "Boxing Day (observed)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-03-02 10:15", 5, "2026-03-09 10:15"),
        ("2026-03-06 16:00", 1, "2026-03-09 16:00"),
        ("2026-03-02 07:00", 1, "2026-03-03 09:00"),  # before the first opening: with it
        ("2026-03-02 12:45", 1, "2026-03-03 13:00"),  # in the break: after it
        ("2026-03-06 23:00", 1, "2026-03-09 17:30"),  # after the last opening: with its end
        ("2026-03-07 12:00", 1, "2026-03-09 17:30"),  # on Saturday: as if at the end of Friday
        ("2026-03-08 12:00", 5, "2026-03-13 17:30"),
        ("2026-12-23 10:00", 3, "2026-12-30 10:00"),  # Christmas and Boxing Day do not count
        ("2026-03-27 10:00", 1, "2026-03-30 10:00"),  # the same time by the clock, one hour earlier in fact
        ("2026-12-30 10:00", 400, "2028-07-12 10:00"),
        ("2026-03-02 10:15", 0, "2026-03-02 10:15"),
    ],
)
def test_working_days_lead_to_the_same_time_of_day(start, days, end):
    """`add_days` counts days with an opening and keeps the local time, moved into the openings of that day."""
    assert shown(office(holidays=holidays).add_days(at(start), days)) == end


def test_a_short_day_ends_a_working_day_early():
    """From Thursday afternoon one working day on is the end of a Friday that ends at noon."""
    calendar = Calendar("office", LONDON, [OFFICE] * 4 + [parse_shifts(["09:00-12:00"]), CLOSED, CLOSED])
    assert shown(calendar.add_days(at("2026-03-05 16:00"), 1)) == "2026-03-06 12:00"


def test_spans_of_each_kind_are_counted_in_their_own_way():
    """24h are real hours, 8wh open ones, 1wd a working day."""
    calendar, friday = office(), at("2026-03-06 16:30")
    assert shown(calendar.after(friday, Span(plain=24 * HOUR))) == "2026-03-07 16:30"
    assert shown(calendar.after(friday, Span(working=8 * HOUR))) == "2026-03-09 16:30"
    assert shown(calendar.after(friday, Span(days=1))) == "2026-03-09 16:30"


def test_always_is_always():
    """Around the clock: nothing closes, all time counts, every day works."""
    now = at("2026-12-25 03:00", "UTC")
    assert ALWAYS.is_open(now)
    assert ALWAYS.next_open(now) == now
    assert ALWAYS.next_close(now) is None
    assert ALWAYS.add(now, 5 * HOUR) == now + 5 * HOUR
    assert ALWAYS.open_time(now, now + 5 * HOUR) == 5 * HOUR
    assert ALWAYS.open_time(now, now - HOUR) == timedelta()
    assert ALWAYS.add_days(now, 3) == now + timedelta(days=3)
    assert len(list(ALWAYS.openings(date(2026, 12, 24), date(2027, 1, 2)))) == 10
    assert ALWAYS.in_words() == "around the clock"


@pytest.mark.parametrize(
    ("week", "words"),
    [
        ([OFFICE] * 5 + [CLOSED] * 2, "Monday to Friday 09:00 to 12:30 and 13:00 to 17:30 (Europe/London)"),
        (
            [parse_shifts(["09:00-17:00"])] * 4 + [parse_shifts(["09:00-15:00"]), CLOSED, CLOSED],
            "Monday to Thursday 09:00 to 17:00; Friday 09:00 to 15:00 (Europe/London)",
        ),
        (
            [parse_shifts(["08:00-12:00"]) if day in {0, 2, 4, 5} else CLOSED for day in range(7)],
            "Monday, Wednesday, Friday and Saturday 08:00 to 12:00 (Europe/London)",
        ),
        ([parse_shifts(["06:00-22:00"])] * 7, "every day 06:00 to 22:00 (Europe/London)"),
        ([CLOSED] * 7, "on single days only (Europe/London)"),
    ],
)
def test_a_calendar_puts_itself_into_words(week, words):
    """As an acknowledgement says it; with holidays, that it is closed on them."""
    assert Calendar("office", LONDON, week).in_words() == words
    with_holidays = Calendar("office", LONDON, week, holidays=holidays)
    assert with_holidays.in_words() == f"{words}, closed on public holidays"


def test_calendars_with_the_same_hours_are_equal():
    """A reload that changes nothing finds nothing changed, whatever was asked in between."""
    one, other = office(holidays=holidays), office(holidays=holidays)
    one.add(at("2026-03-02 09:00"), HOUR)
    assert one == other
    assert hash(one) == hash(other)
    assert one != office()
    assert one != office(SYDNEY, holidays=holidays)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["9-17"], '"9-17" is not a span of hours; write "09:00-17:00"'),
        (["9.30 to 17:00"], 'write "09:30-17:00"'),
        (["morning"], '"morning" is not a span of hours; write it as "09:00-17:30"'),
        (["\u0660\u0669:00-17:00"], "is not a span of hours"),
        (["09:00-17:00\n"], 'write "09:00-17:00"'),
        (["09:60-17:00"], "is not within a day; write hours from 00 to 24"),
        (["09:00-24:01"], "is not within a day"),
        (["09:00-09:00"], "is empty; write [] for a closed day"),
        (["22:00-06:00"], 'write a night as two: "22:00-24:00" on this day and "00:00-06:00" on the next'),
        (["13:00-17:00", "09:00-13:01"], '"09:00-13:01" and "13:00-17:00" overlap; '),
    ],
)
def test_hours_that_cannot_be_read_come_with_a_remedy(texts, said):
    """Reason and remedy name the text itself."""
    with pytest.raises(ValueError, match="; ") as refused:
        parse_shifts(texts)
    assert said in str(refused.value)


def test_hours_are_read_in_order_of_time():
    """The order in the file does not matter; midnight is 24:00; none is closed."""
    assert parse_shifts(["13:00-24:00", "00:00-12:30"]) == ((0, 750), (780, 1440))
    assert parse_shifts([]) == ()


def test_a_calendar_that_never_opens_is_refused():
    """No hours in any week, a year and more of closed dates, or nothing but holidays."""
    for week in ([CLOSED] * 7, [OFFICE] * 5 + [CLOSED] * 2):
        dates = {date(2026, 1, 1) + timedelta(days=number): CLOSED for number in range(500)}
        with pytest.raises(NeverOpens, match="; "):
            checked(Calendar("office", LONDON, week, dates=dates))
    with pytest.raises(NeverOpens, match="holiday; "):
        checked(office(holidays=lambda year: {date.fromordinal(n): "rest" for n in range(date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal())}))  # fmt: skip
    year_of_rest = {date(2026, 1, 1) + timedelta(days=number): CLOSED for number in range(365)}
    calendar = office(dates=year_of_rest)
    assert checked(calendar) is calendar
    assert checked(ALWAYS) is ALWAYS


def test_a_calendar_that_never_opens_says_so_instead_of_searching_for_ever():
    """One that nobody checked ends in an exception, also after its last date."""
    calendar = Calendar("fair", LONDON, [CLOSED] * 7, dates={date(2026, 5, 2): OFFICE})
    before, after = at("2026-05-01 12:00"), at("2026-05-03 12:00")
    assert shown(calendar.add(before, 8 * HOUR)) == "2026-05-02 17:30"
    assert shown(calendar.next_close(at("2026-05-02 13:00"))) == "2026-05-02 17:30"
    assert calendar.open_time(before, after + timedelta(days=3000)) == 8 * HOUR
    for question in (
        lambda: calendar.add(before, 9 * HOUR),
        lambda: calendar.add_days(after, 1),
        lambda: calendar.next_open(after),
        lambda: calendar.next_close(after),
    ):
        with pytest.raises(NeverOpens, match="fair never opens again; "):
            question()


def test_a_deadline_is_counted_in_microseconds():
    """Once the year is known a question takes at most 50 microseconds; twice that here, as tests run side by side."""
    calendar, now = office(holidays=holidays), at("2026-03-06 16:30")
    for question in (
        lambda: calendar.add(now, 40 * HOUR),
        lambda: calendar.add_days(now, 5),
        lambda: calendar.open_time(now, now + timedelta(days=30)),
        lambda: calendar.next_open(now),
        lambda: calendar.next_close(now),
    ):
        question()
        assert min(timeit.repeat(question, number=200, repeat=5)) / 200 < 100e-6
