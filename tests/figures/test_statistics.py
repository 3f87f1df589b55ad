"""Medians, percentiles, shares and lengths: the arithmetic of a report, and how it is said."""

from __future__ import annotations

import random
import statistics
import sys
from array import array
from datetime import date, timedelta

import pytest

from mailtickets.figures.course import Point, coarser
from mailtickets.figures.statistics import MANY, Grouping, Share, Times, by_length, histogram, times
from mailtickets.figures.wording import (
    change_of_backlog,
    fitted,
    goal_percent,
    is_missed,
    length,
    percent,
    short_number,
    width,
)
from mailtickets.store.measures import CLASSES
from tests.figures.conftest import DAY, HOUR, MINUTE


@pytest.mark.parametrize(
    ("used", "median", "p90"),
    [
        ([60], 60, 60),
        ([60, 120], 90, 120),
        ([60, 120, 180], 120, 180),
        (list(range(1, 11)), 5.5, 9),
        (list(range(1, 12)), 6, 10),
        (list(range(1, 101)), 50.5, 90),
        ([0, 0, 0, 7200], 0, 7200),
    ],
)
def test_median_and_90th_percentile(used, median, p90):
    """The middle one, or between the middle two; and the shortest that nine of ten did not exceed."""
    assert times(used) == Times(len(used), timedelta(seconds=median), timedelta(seconds=p90))


def test_nothing_has_no_median():
    """And is no zero."""
    assert times([]) == Times(0, None, None)


def test_medians_of_many_groups_are_those_of_each_alone():
    """Dealt out in order of length, each group's times are sorted by themselves."""
    chance = random.Random(7)
    classes = 40
    words = [(number, f"org{number % 9}") for number in range(1, classes + 1)]
    tickets = [(chance.randrange(1, classes + 1), chance.randrange(10**6)) for _ in range(5000)]
    used = array("q", [seconds << CLASSES | number for number, seconds in tickets] + [-1] * 100)
    grouping = Grouping(words)
    for key, dealt in zip(grouping.keys, grouping.deal(*by_length(used)), strict=True):
        alone = sorted(seconds for number, seconds in tickets if f"org{number % 9}" == key)
        assert [one >> CLASSES for one in dealt] == alone
        assert times(dealt, CLASSES).median == timedelta(seconds=statistics.median(alone))
    [everything] = Grouping().deal(*by_length(used))
    assert len(everything) == 5000


@pytest.mark.parametrize("groups", [1, 9, 40_000])
def test_very_many_tickets_are_counted_the_same_with_numpy_and_without(groups, monkeypatch):
    """The quick way, taken above a hundred thousand, gives the figures of the plain one."""
    chance = random.Random(11)
    classes = 50_000
    words = [(number, f"org{number % groups}") for number in range(1, classes + 1)]
    used = array(
        "q",
        (
            chance.choice((-1, chance.randrange(10**6) << CLASSES | chance.randrange(1, classes + 1)))
            for _ in range(MANY)
        ),
    )
    used.extend([5 << CLASSES | 1] * MANY)

    def counted():
        grouping = Grouping(words)
        found = by_length(used)
        return [times(one, CLASSES) for one in grouping.deal(*found)], histogram(found[1], CLASSES)

    quick = counted()
    monkeypatch.setitem(sys.modules, "mailtickets.figures.many", None)
    assert counted() == quick
    assert sum(one.count for one in quick[0]) == sum(time >= 0 for time in used)


def test_each_time_is_in_one_bar():
    """An edge belongs to the bar that it ends."""
    edges = (MINUTE, HOUR)
    assert histogram([0, 60, 61, 3600, 3601, 10**9], edges=edges) == (2, 2, 2)
    assert histogram([], edges=edges) == (0, 0, 0)
    packed = [seconds << CLASSES | 5 for seconds in (60, 61)]
    assert histogram(packed, CLASSES, edges) == (1, 1, 0)


@pytest.mark.parametrize(
    ("kept", "missed", "said"),
    [
        (1, 0, "100 %"),
        (0, 1, "0 %"),
        (964, 36, "96.4 %"),
        (9499, 501, "94.9 %"),
        (9999, 1, "99.9 %"),
        (19, 1, "95.0 %"),
        (1, 9999, "< 0.1 %"),
        (0, 0, "-"),
    ],
)
def test_a_share_is_cut_and_never_rounded_up(kept, missed, said):
    """What is below its goal does not look as if it had reached it."""
    assert percent(Share(kept, missed).share) == said


def test_the_goal_is_reached_at_the_goal():
    """19 of 20 is 95 %, also in floating point; without a target nothing is missed."""
    assert not is_missed(Share(19, 1), 0.95)
    assert is_missed(Share(9499, 501), 0.95)
    assert not is_missed(Share(), 0.95)
    assert (goal_percent(0.95), goal_percent(0.995)) == ("95 %", "99.5 %")


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=59, milliseconds=900), "59 s"),
        (MINUTE, "1 min"),
        (HOUR - timedelta(seconds=1), "59 min"),
        (HOUR, "1 h"),
        (HOUR + 59 * MINUTE, "1.9 h"),
        (10 * HOUR - MINUTE, "9.9 h"),
        (10 * HOUR + 50 * MINUTE, "10 h"),
        (60 * DAY, "1,440 h"),
        (None, "-"),
    ],
)
def test_lengths_are_said_in_hours(time, said):
    """Never in days: a day of working time is not a day."""
    assert length(time) == said


def test_long_numbers_and_names_fit_their_columns():
    """Six letters for a number; a name is cut by what it takes on a terminal."""
    assert [short_number(n) for n in (0, 99_999, 100_000, 999_999, 1_234_567)] == [
        "0", "99,999", "100 k", "999 k", "1.2 M",
    ]  # fmt: skip
    assert fitted("Kim", 5) == "Kim  "
    assert fitted("Kim Archer", 5) == "Kim\u2026 "
    assert width(fitted("\u682a\u5f0f\u4f1a\u793e\u30a2\u30af\u30e1", 8)) == 8
    assert width("e\u0301") == 1


def test_weeks_begin_on_monday_and_months_on_the_first():
    """The first and the last may be cut."""
    days = [Point(date(2026, 10, 30) + n * DAY, date(2026, 10, 30) + n * DAY, 1, 0, n + 1) for n in range(10)]
    assert [(str(p.first), str(p.last), p.opened, p.backlog) for p in coarser(days, "week")] == [
        ("2026-10-30", "2026-11-01", 3, 3),
        ("2026-11-02", "2026-11-08", 7, 10),
    ]
    assert [p.opened for p in coarser(days, "month")] == [2, 8]
    assert coarser([], "week") == ()


def test_the_backlog_is_compared_with_the_start(desk):
    """More, fewer, as many; and nothing where there is none."""
    assert change_of_backlog(desk.figures()) == ""
    desk.ticket("2026-11-20 09:00")
    assert change_of_backlog(desk.figures()) == "1 more than at the start"
    desk.ticket("2026-01-20 09:00", resolved=300 * DAY)
    assert change_of_backlog(desk.figures()) == "as many as at the start"
    desk.ticket("2026-01-20 09:00", resolved=300 * DAY)
    assert change_of_backlog(desk.figures()) == "1 fewer than at the start"
