"""The clocks of a ticket as a story: what happened, how they stand, what comes; with local times.

23 November 2026 is a Monday; the office is open 09:00 to 17:30, Monday to Friday, in London.
"""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest

from mailtickets.desk.agreement import ENHANCEMENT, ServiceLevel
from mailtickets.desk.clock_words import length_in_words, span_in_words, when
from tests.support.clocks import HOUR, LONDON, MINUTE, Life, at, span, targets, terms

STANDARD = terms(targets("4wh", "8wh", "16wh"))


def test_the_story_of_a_ticket_reads_from_opening_to_deadline():
    """Local times, what was used of what, why the clock stood still, and what comes."""
    promised = ServiceLevel(
        "standard",
        {"P2": targets("4wh", "8wh", "16wh"), "P1": targets("1wh", "8wh", "16wh")},
        {"P1": "Urgent"},
    )
    life = (
        Life("2026-11-20 16:00", terms(promised), "P2")
        .answered("2026-11-23 09:10")
        .becomes("waiting", "2026-11-23 09:10")
    )
    life.becomes("open", "2026-11-24 20:00").moved_to("P1", "2026-11-24 20:01")
    assert life.story("2026-11-25 10:00") == [
        "Fri 20 Nov 16:00  Opened with priority P2: first response within 4 working hours, resolution within 16 working hours.",
        "Mon 23 Nov 09:10  First response from kim after 1 h 40 min of 4 working hours, in time.",
        "Mon 23 Nov 09:10  The clock stops: awaiting the customer's reply.",
        "Tue 24 Nov 20:00  The clock runs again, from Wed 25 Nov 09:00 on, when the desk opens.",
        "Tue 24 Nov 20:01  Priority is now P1 (Urgent).",
        "Wed 25 Nov 17:00  The next update is due; 7 h of working time left.",
        "Thu 26 Nov 14:50  The resolution is due; 13 h 20 min of working time left.",
    ]


def test_the_story_tells_what_was_missed_and_by_how_much():
    """Opened on a Sunday, not answered until Tuesday, agreed for a date, resolved, closed, reopened."""
    life = Life("2026-11-22 16:00", STANDARD)
    assert life.story("2026-11-23 13:30") == [
        "Sun 22 Nov 16:00  Opened with priority P3: first response within 4 working hours, resolution within 16 working hours. The desk is closed: the clock starts Mon 23 Nov 09:00.",
        "Mon 23 Nov 13:00  Deadline missed: the first response was promised within 4 working hours.",
        "Mon 23 Nov 13:30  The first response is late by 30 min of working time.",
        "Tue 24 Nov 16:30  The resolution is due; 11 h 30 min of working time left.",
    ]
    life.answered("2026-11-24 09:30").agreed("2026-12-01 17:30", "2026-11-24 10:00").becomes(
        "third_party", "2026-11-24 10:00"
    )
    life.becomes("pending", "2026-11-25 10:00").becomes("resolved", "2026-12-01 12:00")
    life.becomes("closed", "2026-12-04 12:00").becomes("open", "2026-12-05 12:00")
    assert life.story("2026-12-07 10:00")[2:] == [
        "Tue 24 Nov 09:30  First response from kim after 9 h of 4 working hours, too late.",
        "Tue 24 Nov 10:00  Agreed: resolved by Tue 1 Dec 17:30.",
        "Tue 24 Nov 10:00  The clock stops: with a third party.",
        "Wed 25 Nov 10:00  The clock runs again.",
        "Wed 25 Nov 17:30  Deadline missed: update 1 was promised within 8 working hours.",
        "Tue 1 Dec 12:00  Resolved, in time for Tue 1 Dec 17:30.",
        "Tue 1 Dec 17:30  Deadline missed: the resolution was agreed for this moment.",
        "Fri 4 Dec 12:00  Closed.",
        "Sat 5 Dec 12:00  Reopened; the clock goes on.",
        "Mon 7 Dec 10:00  The next update is late by 29 h 30 min of working time.",
        "Mon 7 Dec 10:00  The resolution is late by 26 h 30 min of working time.",
    ]


def test_the_story_of_a_stopped_ticket_says_what_is_left():
    """Nothing is due while it waits; an interim solution ends the resolution."""
    life = Life("2026-11-23 10:00", STANDARD).becomes("waiting", "2026-11-23 12:00")
    assert life.story("2026-11-23 15:00")[2:] == [
        "Mon 23 Nov 15:00  The clock stands still; the first response has 2 h of working time left once it runs again.",
        "Mon 23 Nov 15:00  The clock stands still; the resolution has 14 h of working time left once it runs again.",
    ]
    life.worked_around("2026-11-23 16:00")
    assert (
        life.story("2026-11-23 16:00")[2]
        == "Mon 23 Nov 16:00  Interim solution given after 2 h of 16 working hours, in time."
    )


@pytest.mark.parametrize(
    ("promised", "kind", "line"),
    [
        (None, "question", "Opened with priority P3; nothing was promised."),
        (targets("30m"), "question", "Opened with priority P3: first response within 30 minutes."),
        (targets("1h", resolution="5wd"), "question", "Opened with priority P3: first response within 1 hour, resolution within 5 working days."),
        (None, "enhancement", "Opened with priority P3; no clock runs for this type."),
    ],
)  # fmt: skip
def test_the_story_says_what_was_promised(promised, kind, line):
    """Each target in the words of its own unit."""
    kinds = {"question": {}, "enhancement": {"kind": ENHANCEMENT, "runs": False}}
    assert (
        Life("2026-11-23 10:00", terms(promised, **kinds[kind])).story("2026-11-23 10:00")[0]
        == f"Mon 23 Nov 10:00  {line}"
    )


def test_a_story_that_was_resolved_twice_tells_both_times_as_they_were():
    """The first figures are those of the first time, though the clock has gone on since."""
    life = Life("2026-11-23 10:00", STANDARD).becomes("resolved", "2026-11-23 14:00")
    life.becomes("open", "2026-11-24 09:00").becomes("resolved", "2026-11-25 17:00")
    told = [line[18:] for line in life.story("2026-11-26 10:00") if "esolved" in line]
    assert told == [
        "Resolved after 4 h of 16 working hours, in time.",
        "Resolved after 20 h 30 min of 16 working hours, too late.",
    ]


@pytest.mark.parametrize(
    ("length", "working", "words"),
    [
        (timedelta(0), False, "no time"),
        (timedelta(seconds=42), False, "42 s"),
        (20 * MINUTE, False, "20 min"),
        (3 * HOUR + 20 * MINUTE, True, "3 h 20 min of working time"),
        (30 * HOUR, False, "30 h"),
        (100 * HOUR + MINUTE, False, "4 d 4 h"),
        (100 * HOUR, True, "100 h of working time"),
        (-HOUR, False, "1 h"),
    ],
)
def test_a_length_is_told_as_people_say_it(length, working, words):
    """A working day is no fixed length, so working time stays in hours."""
    assert length_in_words(length, working=working) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [("30m", "30 minutes"), ("1h", "1 hour"), ("60m", "60 minutes"), ("2d", "2 days"), ("90s", "90 seconds"),
     ("4wh", "4 working hours"), ("90wm", "90 working minutes"), ("5wd", "5 working days"), ("1wd", "1 working day")],
)  # fmt: skip
def test_a_target_is_told_in_the_unit_it_was_written_in(text, words):
    """60m stays 60 minutes."""
    assert span_in_words(span(text)) == words


def test_times_are_told_in_the_readers_zone():
    """The same moment in London summer time and in UTC."""
    assert when(at("2026-07-01 09:00"), LONDON) == "Wed 1 Jul 09:00"
    assert when(at("2026-07-01 09:00"), UTC) == "Wed 1 Jul 08:00"
