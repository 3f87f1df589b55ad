"""Durations and sizes as an admin writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtickets.durations import Duration, parse_size, size_text


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90s", 90), ("30m", 1800), ("24h", 86400), ("5d", 432000)]
)
def test_durations_count_plain_time(text, seconds):
    """A duration knows its length and keeps its own text."""
    duration = Duration.parse(text)
    assert (duration.seconds, duration.timedelta, str(duration)) == (
        seconds,
        timedelta(seconds=seconds),
        text,
    )


@pytest.mark.parametrize(
    ("text", "seconds", "days"), [("30wm", 1800, 0), ("4wh", 14400, 0), ("90ws", 90, 0), ("5wd", 432000, 5)]
)
def test_a_w_before_the_unit_counts_working_time(text, seconds, days):
    """Working hours are a length of open time, working days a number of days."""
    duration = Duration.parse(text)
    assert (duration.working, duration.seconds, duration.days, str(duration)) == (True, seconds, days, text)
    plain = Duration.parse(text.replace("w", ""))
    assert (plain.working, plain.days) == (False, 0)
    assert plain != duration


def test_durations_compare_by_length():
    """60 minutes are an hour, whatever is written."""
    assert Duration.parse("60m") == Duration.parse("1h") < Duration.parse("61m")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("24", 'write a number with its unit, such as "24h" or "24m"'),
        ("4 hrs", 'write "4h"'),
        ("2 Days", 'write "2d"'),
        ("٣h", "write a number and one of s, m, h, d"),
        ("1h30m", "write a number and one of s, m, h, d"),
        ("24h\n", 'write "24h"'),
        ("4 wh", 'write "4wh"'),
        ("5 working days", 'write "5wd"'),
        ("2w", 'write "14d" for weeks, or working time with its unit, such as "2wh"'),
    ],
)
def test_what_is_no_duration_is_answered_with_one(text, remedy):
    """The remedy is the nearest thing that would work."""
    with pytest.raises(ValueError, match="; ") as refused:
        Duration.parse(text)
    assert remedy in str(refused.value)


@given(st.text(max_size=40))
def test_no_text_breaks_durations_or_sizes(text):
    """Any text is a duration or a size, or is refused in words."""
    for read in (Duration.parse, parse_size):
        try:
            read(text)
        except ValueError as refused:
            assert "; " in str(refused)  # noqa: PT017 - either outcome is right


@given(st.integers(min_value=0, max_value=10**12))
def test_sizes_are_shown_as_they_could_be_written(size):
    """`size_text` and `parse_size` undo each other."""
    text = size_text(size)
    assert len(text) > 13 or parse_size(text) == size
