"""The report in words: 80 columns, nothing cut, nothing made of nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mailtickets.figures.text import short, text_report
from mailtickets.figures.wording import width
from tests.figures.conftest import DAY, HOUR, MINUTE
from tests.figures.month import MONTH, NOW, november

GOLDEN = Path(__file__).parent.parent / "golden"


def assert_golden(text, name):
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text.split("\n") == path.read_text("utf-8").split("\n")


def assert_fits(text):
    lines = text.split("\n")
    assert max(map(width, lines)) <= 80
    assert not [line for line in lines if line != line.rstrip()]
    assert "\n\n\n" not in text
    assert "None" not in text


@pytest.mark.parametrize("by", ["", "agent"])
def test_the_report_of_a_month_is_the_golden_one(desk, by):
    """Word for word the one that was read and found good; in brief, and with all figures by agent."""
    november(desk)
    text = text_report(desk.figures(*MONTH, now=NOW), by)
    assert_golden(text, f"report-november{by and '-by-'}{by}")
    assert_fits(text)


def test_the_short_form_is_a_dozen_lines(desk):
    """What `#stats` answers with."""
    november(desk)
    figures = desk.figures(*MONTH, now=NOW, by=("priority",))
    assert short(figures) == (
        "Acme Support: November 2026\n"
        "Opened 98, resolved 85, closed 80, reopened 2\n"
        "Backlog 17, 13 more than at the start, 9 older than 7 days\n"
        "First response: median 2.4 h, 90 % within 7.9 h; 85.7 % in target (below the goal of 90 %)\n"
        "Resolution: median 10 h, 90 % within 36 h; 81.3 % in target (below the goal of 90 %)\n"
        "Updates: 90.0 % in time (goal 90 %)\n"
        "P1 Urgent: opened 17, backlog 0, in target: first response 82.3 %, resolution 76.4 %\n"
        "P3 Normal: opened 81, backlog 17, in target: first response 86.4 %, resolution 82.4 %\n"
    )


def test_an_empty_desk_reads_well(desk):
    """Zeros and a sentence, no table of nothing."""
    text = text_report(desk.figures())
    assert "Nothing was opened, resolved or left over in this period." in text
    assert "Within target" not in text
    assert_fits(text)
    assert_fits(short(desk.figures()))


def test_one_ticket_reads_well(desk):
    """No plural, no average, no table with a single line in it."""
    desk.ticket("2026-11-20 09:10", answered=25 * MINUTE, kept=True, resolved=HOUR, resolution_kept=True)
    text = text_report(desk.figures("2026-11-20", "2026-11-20"))
    assert "Opened                     1\n" in text
    assert "First response         100 %    95 %           1           0\n" in text
    assert "most on Fri 09:00 to 10:00: 1" in text
    assert "By priority" not in text
    assert "a day" not in text
    assert_fits(text)


def test_without_targets_nothing_was_missed(desk):
    """And it is said, so that nobody takes an empty column for a good one."""
    desk.ticket("2026-11-20 09:10", answered=25 * MINUTE)
    text = text_report(desk.figures())
    assert "No ticket of this period had a target, so nothing was kept or missed." in text
    assert "Within target" not in text
    assert "below the goal" not in text


def test_long_names_and_large_numbers_keep_their_columns(desk):
    """A name of a hundred letters is cut, one of wide letters too; a million is short."""
    for number in range(3):
        desk.ticket(
            "2026-11-20 09:10", organisation="\u682a\u5f0f\u4f1a\u793e\u30a2\u30af\u30e1" * 9, assignee="x" * 100, priority=f"P{number + 1}"
        )  # fmt: skip
    desk.ticket("2026-11-20 09:10", organisation="b")
    figures = desk.figures()
    groups = tuple(
        replace(group, opened=1_234_567, resolved=999_999, name="n" * 100)
        for group in figures.groups("priority")
    )
    for by in ("", "priority", "organisation"):
        text = text_report(replace(figures, by={**figures.by, "priority": groups}), by)
        assert "\u2026" in text
        assert_fits(text)


def test_many_groups_are_cut_and_counted(desk):
    """The ten largest stand there; in the full tables fifty."""
    for number in range(112):
        for _ in range(1 + (number == 50)):
            desk.ticket("2026-11-20 09:10", organisation=f"org{number:03}")
    figures = desk.figures()
    text = text_report(figures)
    assert "By organisation" in text
    assert text.split("By organisation")[1].split("\n")[1].startswith("org050")
    assert "(102 more with 102 opened)" in text
    assert "(62 more with 62 opened)" in text_report(figures, "organisation")


def test_what_the_report_is_limited_to_and_when_it_was_counted(desk):
    """A period that is not over says when it was looked at."""
    desk.ticket("2026-11-20 09:10", assignee="kim")
    text = text_report(desk.figures(recent="7d", agent="kim", queue="support"))
    assert text.startswith(
        "Acme Support: Wed 18 to Tue 24 Nov 2026\n"
        "Only agent Kim Archer, queue support\n"
        "As it was on Tue 24 Nov 2026, 12:00 (Europe/London)\n"
    )


def test_tickets_that_are_not_counted_are_told(desk):
    """After an update from a version without figures."""
    desk.ticket("2026-11-20 09:10")
    desk.store._connection.execute("DELETE FROM measure")
    assert "1 ticket of before this version is not counted until something happens on it." in " ".join(
        text_report(desk.figures()).split()
    )


@pytest.mark.parametrize("days", [1, 7, 14, 15, 99, 365, 3000])
def test_any_length_of_time_is_a_dozen_lines(desk, days):
    """Days, weeks, months or years, as it takes."""
    for number in range(0, days, 7):
        desk.ticket((NOW - number * DAY).isoformat()[:16], resolved=3 * DAY)
    text = text_report(desk.figures((NOW - (days - 1) * DAY).date().isoformat(), now=NOW))
    course = text.partition("Course of time")[2].partition("\n\n")[0].split("\n")[1:]
    assert len(course) <= 14
    assert_fits(text)
