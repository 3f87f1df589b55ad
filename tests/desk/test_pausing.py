"""When the clock is in doubt, and what a pause is: pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailtickets.delivery import Allowance
from mailtickets.desk import pausing
from mailtickets.desk.pausing import Cause, Leap, Look, Pause

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def look(wall: timedelta, since_boot: timedelta, awake: timedelta) -> Look:
    return Look(NOON + wall, 1000 + since_boot.total_seconds(), 900 + awake.total_seconds())


BEFORE = look(timedelta(0), timedelta(0), timedelta(0))


@pytest.mark.parametrize(
    ("wall", "since_boot", "awake", "doubt", "asleep"),
    [
        (MINUTE, MINUTE, MINUTE, False, False),  # a minute passes
        (11 * MINUTE, MINUTE, MINUTE, False, False),  # ten minutes ahead: what NTP may do after a start
        (12 * MINUTE, MINUTE, MINUTE, True, False),  # eleven
        (3 * DAY, MINUTE, MINUTE, True, False),
        (8 * HOUR, 8 * HOUR, MINUTE, False, True),  # a laptop was closed for a night
        (16 * HOUR, 8 * HOUR, MINUTE, True, True),  # and its clock is wrong besides
        (-HOUR, MINUTE, MINUTE, False, False),  # back: nothing is due that was not
    ],
)
def test_a_clock_put_ahead_is_told_from_a_machine_that_slept(wall, since_boot, awake, doubt, asleep):
    """Wall time is held against the time since the start of the machine, and that against the time awake."""
    now = look(wall, since_boot, awake)
    assert bool(pausing.doubt_between(BEFORE, now)) == doubt
    assert (pausing.slept(BEFORE, now) > pausing.SLEEP) == asleep


@pytest.mark.parametrize(
    ("gap", "words"),
    [(timedelta(0), ""), (DAY, ""), (DAY + MINUTE, "24 hours ago"), (3 * DAY, "3 days ago"), (-HOUR, "")],
)
def test_a_start_after_more_than_a_day_is_a_doubt(gap, words):
    """Nobody can tell a machine that was off from one whose clock is wrong."""
    assert words in pausing.doubt_at_start(NOON - gap, NOON)
    assert bool(pausing.doubt_at_start(NOON - gap, NOON)) == bool(words)


def test_a_first_start_is_no_doubt():
    assert pausing.doubt_at_start(None, NOON) == ""


@pytest.mark.parametrize(
    ("before", "since", "gap", "doubt"),
    [
        (25 * HOUR, timedelta(0), 25 * HOUR, False),  # a round each 25 hours
        (25 * HOUR, timedelta(0), 50 * HOUR, False),  # one of them was left out
        (25 * HOUR, timedelta(0), 51 * HOUR, True),
        (7 * DAY, timedelta(0), 7 * DAY, False),  # a round each week
        (25 * HOUR, timedelta(0), 400 * DAY, True),
        (3 * DAY, MINUTE, 3 * DAY, True),  # a daemon that was down twice: it was at work in between
        (3 * DAY, -DAY, 3 * DAY, True),  # the clock was put back in between
    ],
)
def test_rounds_that_lie_days_apart_are_doubted_once(before, since, gap, doubt):
    """A gap that follows on one like it, with nothing stored in between, is the way in which this desk is run."""
    last_gap = Leap(NOON - before, NOON)
    last_stored = NOON + since
    assert bool(pausing.doubt_at_start(last_stored, last_stored + gap, last_gap)) == doubt


@pytest.mark.parametrize(
    ("now", "undone"),
    [
        (timedelta(0), True),
        (HOUR, True),  # an hour later, put right
        (200 * DAY, True),  # put right in steps
        (400 * DAY - MINUTE, False),  # NTP
        (401 * DAY, False),
        (-3 * DAY, False),  # now it is the present time that is wrong
        (-56 * 365 * DAY, False),  # a machine that starts in 1970
    ],
)
def test_a_leap_is_undone_where_the_clock_stands_between_its_ends(now, undone):
    """Only then are the times wrong that were written since."""
    leap = Leap(NOON, NOON + 400 * DAY)
    assert leap.is_undone(NOON + now) == undone
    assert Leap.of(leap.text()) == leap
    assert Leap.of("") is None


def test_a_clock_that_comes_back_to_what_was_known_has_not_leapt():
    """From 1970 to the present is no leap: what was written before is right. Else it counts from the look before."""
    then = look(-56 * 365 * DAY, timedelta(0), timedelta(0))
    assert pausing.leap_between(then, look(MINUTE, MINUTE, MINUTE), NOON) is None
    there = look(3 * DAY, MINUTE, MINUTE)
    assert pausing.leap_between(BEFORE, there, NOON - MINUTE) == Leap(NOON, NOON + 3 * DAY - MINUTE)


def test_a_pause_ends_by_time_or_when_the_clock_is_put_back():
    """Half an hour, or the clock is back where it was."""
    pause = pausing.clock_pause("the clock jumped", NOON)
    assert not pause.is_over(NOON)
    assert not pause.is_over(NOON + 29 * MINUTE)
    assert pause.is_over(NOON + 30 * MINUTE)
    assert pause.is_over(NOON - HOUR)
    assert Pause.of(Cause.CLOCK, pause.text()) == pause
    assert Pause.of(Cause.CLOCK, "") is None


def test_an_allowance_refills_evenly_and_saves_up_ten_seconds():
    """60 a minute: one a second; after an hour of quiet ten, not 3,600."""
    allowance = Allowance(60, left=0, at=0)
    assert allowance.refilled(1).left == 1
    assert allowance.refilled(3600).left == 10
    assert allowance.refilled(5).spent(5).refilled(5.5).left == 0.5
    assert Allowance(1, left=0, at=0).refilled(30).left == 0.5
    assert Allowance(1, left=0, at=0).refilled(600).left == 1
