"""Any calendar: counting there and back agrees, and so does a second way that looks at every single minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from mailtickets.desk.calendar import Calendar

some = settings(max_examples=40, deadline=None)  # a new calendar works out its years first
DAY, MINUTE, NOTHING = timedelta(days=1), timedelta(minutes=1), timedelta()

# Zones by what is strange about them, each with a day on which its clock changes.
CHANGES = {
    "UTC": date(2026, 6, 30),
    "Europe/London": date(2026, 3, 29),
    "Europe/Berlin": date(2026, 10, 25),
    "America/New_York": date(2026, 11, 1),
    "America/Sao_Paulo": date(2018, 2, 17),  # midnight twice
    "America/Havana": date(2026, 3, 8),  # no midnight
    "America/St_Johns": date(2010, 11, 6),  # one minute after midnight
    "Asia/Kolkata": date(2026, 6, 30),
    "Asia/Kathmandu": date(2026, 6, 30),
    "Australia/Adelaide": date(2026, 4, 5),
    "Australia/Lord_Howe": date(2026, 10, 4),  # half an hour
    "Pacific/Chatham": date(2026, 9, 27),  # 45 minutes beside the hour
    "Pacific/Apia": date(2011, 12, 30),  # a whole day
    "Africa/Casablanca": date(2026, 2, 15),
    "Antarctica/Troll": date(2026, 10, 25),  # two hours
}


@st.composite
def shifts(draw):
    """Draw the hours of a day: none, the whole day, or up to three shifts that may touch."""
    if draw(st.integers(0, 9)) == 0:
        return ((0, 1440),)
    marks = sorted(draw(st.sets(st.integers(0, 96).map(lambda n: n * 15) | st.integers(0, 1440), max_size=6)))
    return tuple(zip(marks[::2], marks[1::2], strict=False))


@st.composite
def calendars(draw):
    """Draw a calendar, with holidays and own dates close to the change of its clock."""
    zone = draw(st.sampled_from(sorted(CHANGES)))
    week = draw(st.lists(shifts(), min_size=7, max_size=7).filter(any))
    near = st.integers(-9, 9).map(lambda number: CHANGES[zone] + number * DAY)
    closed = draw(st.dictionaries(near, st.just("a holiday"), max_size=4))
    return Calendar(
        "any", zone, week,
        dates=draw(st.dictionaries(near, shifts(), max_size=4)),
        holidays=lambda year: {day: name for day, name in closed.items() if day.year == year},
    )  # fmt: skip


@st.composite
def calendars_and_moments(draw, count):
    """Draw a calendar and so many moments in order, most of them close to the change of its clock."""
    calendar = draw(calendars())
    middle = datetime.combine(CHANGES[calendar.zone], datetime.min.time(), UTC)
    near = st.timedeltas(timedelta(days=-5), timedelta(days=5))
    far = st.timedeltas(timedelta(days=-300), timedelta(days=300))
    moments = draw(st.lists(near | far, min_size=count, max_size=count))
    return calendar, *(middle + offset for offset in sorted(moments))


LENGTHS = st.timedeltas(NOTHING, timedelta(hours=60))


@some
@given(calendars_and_moments(1), LENGTHS)
def test_counting_on_and_counting_back_agree(drawn, length):
    """What lies between a start and its deadline is as long as was asked."""
    calendar, start = drawn
    end = calendar.add(start, length)
    assert calendar.open_time(start, end) == length
    assert end >= start


@some
@given(calendars_and_moments(1), LENGTHS, LENGTHS)
def test_counting_in_two_steps_is_counting_in_one(drawn, first, second):
    """Deadlines add up."""
    calendar, start = drawn
    assert calendar.add(calendar.add(start, first), second) == calendar.add(start, first + second)


@some
@given(calendars_and_moments(2), LENGTHS)
def test_what_starts_later_never_ends_earlier(drawn, length):
    """Order is kept by `add`, `next_open` and the deadlines of longer lengths."""
    calendar, one, other = drawn
    assert calendar.add(one, length) <= calendar.add(other, length)
    assert calendar.add(one, length) <= calendar.add(one, length + MINUTE)
    assert calendar.next_open(one) <= calendar.next_open(other)


@some
@given(calendars_and_moments(2), st.integers(1, 30))
def test_what_starts_later_is_never_due_on_an_earlier_day(drawn, days):
    """Order is kept by working days; by the minute too, where no clock changes."""
    calendar, one, other = drawn
    zone = ZoneInfo(calendar.zone)
    first, second = (calendar.add_days(moment, days) for moment in (one, other))
    if one.astimezone(zone).utcoffset() == other.astimezone(zone).utcoffset():
        assert first <= second
    assert first.astimezone(zone).date() <= second.astimezone(zone).date() + DAY
    assert calendar.open_time(one, first) > NOTHING or calendar.add_days(one, days) == calendar.next_open(
        first
    )


@some
@given(calendars_and_moments(3))
def test_open_time_adds_up_over_a_split(drawn):
    """The parts are as long as the whole."""
    calendar, start, middle, end = drawn
    whole = calendar.open_time(start, end)
    assert whole == calendar.open_time(start, middle) + calendar.open_time(middle, end)
    assert NOTHING <= whole <= end - start


@some
@given(calendars_and_moments(1))
def test_opening_and_closing_are_where_being_open_changes(drawn):
    """Nothing is open before the next opening, nothing closed before the next closing."""
    calendar, now = drawn
    opens, closes = calendar.next_open(now), calendar.next_close(now)
    assert calendar.is_open(opens)
    assert calendar.open_time(now, opens) == NOTHING
    assert (opens == now) is calendar.is_open(now)
    if closes is not None:
        assert not calendar.is_open(closes)
        assert calendar.open_time(opens, closes) == closes - opens > NOTHING


def minute_by_minute(calendar, first, last):
    """Return the minutes from one day to another, in UTC, and whether each is open; slowly and plainly.

    An opening goes from the first minute at which clocks show its start, or more, to the last at which they
    show less than its end.
    """
    zone = ZoneInfo(calendar.zone)
    begin = datetime.combine(first - 2 * DAY, datetime.min.time(), UTC)
    minutes = [begin + number * MINUTE for number in range(((last - first).days + 5) * 1440)]
    clocks = [minute.astimezone(zone).replace(tzinfo=None) for minute in minutes]
    is_open = [False] * len(minutes)
    for number in range((last - first).days + 3):
        day = first + (number - 1) * DAY
        hours = calendar.week[day.weekday()]
        if day in calendar.holidays(day.year):
            hours = ()
        if day in calendar.dates:
            hours = calendar.dates[day]
        midnight = datetime.combine(day, datetime.min.time())
        for start, end in hours:
            begins = next(n for n, clock in enumerate(clocks) if clock >= midnight + start * MINUTE)
            ends = max(n for n, clock in enumerate(clocks) if clock < midnight + end * MINUTE)
            is_open[begins : ends + 1] = [True] * (ends + 1 - begins)
    middle = slice(2 * 1440, -2 * 1440)
    return minutes[middle], is_open[middle]


@settings(some, max_examples=25)
@given(calendars(), st.integers(-3, 1), st.integers(0, 2000))
def test_a_second_way_minute_by_minute_agrees(calendar, before, wanted):
    """Looking at each minute for itself gives the same openings, the same sums and the same deadlines."""
    first = CHANGES[calendar.zone] + before * DAY
    minutes, is_open = minute_by_minute(calendar, first, first + 2 * DAY)
    assert [calendar.is_open(minute) for minute in minutes] == is_open
    assert calendar.open_time(minutes[0], minutes[-1] + MINUTE) == sum(is_open) * MINUTE
    passed = [minute for minute, open_now in zip(minutes, is_open, strict=True) if open_now]
    if 0 < wanted <= len(passed):
        assert calendar.add(minutes[0], wanted * MINUTE) == passed[wanted - 1] + MINUTE


@some
@given(calendars(), st.integers(-6, 0))
def test_the_openings_of_days_are_all_there_is(calendar, before):
    """Cut at midnights they hold every open minute once, in order; a day without one says why."""
    first = CHANGES[calendar.zone] + before * DAY
    days = [first + number * DAY for number in range(7)]
    openings = list(calendar.openings(days[0], days[-1]))
    assert openings == sorted(openings)
    assert all(one.end <= other.start for one, other in pairwise(openings))
    assert openings == [opening for day in days for opening in calendar.openings(day, day)]
    total = sum((opening.end - opening.start for opening in openings), NOTHING)
    if openings:
        assert calendar.open_time(openings[0].start, openings[-1].end) == total
    for day in days:
        works = day in calendar.working_days(day.year)
        assert works is not bool(calendar.why_closed(day))
        assert list(calendar.openings(day, day)) or not works
