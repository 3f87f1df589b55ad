"""Pictures: what is drawn, how large, and what happens where they cannot be."""

from __future__ import annotations

import struct
import sys
import time
from dataclasses import replace
from datetime import date

import pytest

from mailtickets.desk.agreement import ReportPlan
from mailtickets.desk.calendar import Calendar
from mailtickets.figures import apart
from mailtickets.figures.apart import MISSING, Drawn, ReportFailed, drawn, pictures_apart, planned_apart
from mailtickets.figures.period import Period
from mailtickets.figures.pictures import draw
from tests.figures.conftest import DAY, HOUR, LONDON, MINUTE
from tests.figures.month import MONTH, NOW, november

NAMES = ["course", "targets", "responses", "load"]


@pytest.fixture
def month(desk):
    november(desk)
    return desk.figures(*MONTH, now=NOW)


def size(png):
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


def test_a_month_has_four_pictures(month):
    """1200 x 600 pixels, each small enough for a mail, each with its words for those who do not see it."""
    pictures = draw(month)
    assert [picture.name for picture in pictures] == NAMES
    for picture in pictures:
        assert size(picture.png) == (1200, 600)
        assert 3_000 < len(picture.png) < 60_000
        assert picture.title
        assert picture.alt.endswith(".")
    assert pictures[0].alt == "98 tickets opened, 85 resolved; the backlog went from 4 to 17."
    assert "P1 Urgent first response 82.3 %" in pictures[1].alt
    assert pictures[2].alt == "median 2.4 h; P1 Urgent 30 min; P3 Normal 8 h; 90 % within 7.9 h."
    assert "on Thu from 9:00 to 10:00 (Europe/London)" in pictures[3].alt


def test_the_same_figures_make_the_same_picture(month):
    """No time and no chance is in it, so that a mail composed again is the same mail."""
    assert draw(month) == draw(month)


def test_an_empty_desk_has_no_pictures(desk):
    """Nothing is drawn of nothing."""
    assert draw(desk.figures()) == ()


def test_one_ticket_is_enough_for_a_picture(desk):
    """A single day has no course; without targets there is no share."""
    desk.ticket("2026-11-20 09:10", answered=25 * MINUTE)
    assert [picture.name for picture in draw(desk.figures("2026-11-20", "2026-11-20"))] == [
        "responses",
        "load",
    ]
    assert [picture.name for picture in draw(desk.figures())] == ["course", "responses", "load"]


@pytest.mark.parametrize(
    "name",
    [
        "$x^2$",
        "\u666e\u901a\u306e\u554f\u984c",
        "x" * 300,
        "\u0627\u0644\u0639",
        "%s {} \\frac{1}{0}",
        "_^~#&",
        "",
    ],
)
def test_odd_names_are_drawn_as_they_are(desk, name):
    """No formula is read out of them, and none ends the drawing."""
    for priority in ("P1", name):
        desk.ticket("2026-11-20 09:10", priority=priority, answered=HOUR, kept=True)
    assert [picture.name for picture in draw(desk.figures())] == NAMES


def test_very_short_and_very_long_responses_are_in_the_picture(desk):
    """Zero seconds and a year have a place on the axis."""
    desk.ticket("2026-11-20 09:10", answered=0 * MINUTE, kept=True)
    assert "responses" in [picture.name for picture in draw(desk.figures())]
    desk.ticket("2025-11-20 09:10", answered=365 * DAY, kept=False)
    assert "responses" in [picture.name for picture in draw(desk.figures("2025-01-01"))]


# --- in a process of its own ----------------------------------------------------------------------


def test_pictures_are_drawn_in_a_process_of_their_own(month):
    """They are the same, and the desk's own process never loads what draws them."""
    assert pictures_apart(month) == Drawn(draw(month))


def test_drawing_has_a_limit_of_time(month):
    """A report without pictures goes out, and says why."""
    started = time.monotonic()
    made = pictures_apart(month, limit_seconds=0.01)
    assert time.monotonic() - started < 10
    assert made == Drawn((), "Pictures are left out: drawing them took longer than 0.01 seconds.")


def test_a_process_that_breaks_costs_only_the_pictures(month, monkeypatch):
    """Killed for its memory, or not to be started at all."""
    monkeypatch.setattr(apart, "CHILD", "import os; os.kill(os.getpid(), 9)")
    assert pictures_apart(month).note == "Pictures are left out: drawing them failed (CalledProcessError)."
    monkeypatch.setattr(apart, "CHILD", "print('no pictures')")
    assert pictures_apart(month).note.startswith("Pictures are left out: drawing them failed (")
    monkeypatch.setattr(sys, "executable", "/does/not/exist")
    assert pictures_apart(month).note == "Pictures are left out: drawing them failed (FileNotFoundError)."


def test_without_matplotlib_one_line_says_so(month, monkeypatch):
    """It is an extra; a desk that never installed it still has its report."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "mailtickets.figures.pictures")
    monkeypatch.delattr("mailtickets.figures.pictures")
    assert drawn(month) == Drawn((), MISSING)


def test_a_whole_report_is_counted_in_a_process_of_its_own(desk, month):
    """Figures and pictures, also under rules whose calendars ask a function for their holidays."""
    calendar = Calendar("office", "Europe/London", [[(540, 1020)]] * 7, holidays=lambda _year: {})
    policy = replace(desk.policy, calendars={"office": calendar})
    plan = ReportPlan("monthly", "month", ("it@acme.example",), queue="support")
    period = Period(date(2026, 11, 1), date(2026, 11, 30), LONDON)
    figures, made = planned_apart(desk.store.path, plan, period, policy, NOW)
    assert figures == desk.figures(*MONTH, now=NOW, queue="support")
    assert made == Drawn(draw(figures))


def test_a_report_that_cannot_be_counted_is_told(desk, month, monkeypatch):
    """Too long, or without its store; the next round tries again."""
    plan = ReportPlan("monthly", "month", ())
    period = Period(date(2026, 11, 1), date(2026, 11, 30), LONDON)
    with pytest.raises(ReportFailed, match=r"^counting it took longer than 0\.01 seconds$"):
        planned_apart(desk.store.path, plan, period, desk.policy, NOW, limit_seconds=0.01)
    with pytest.raises(ReportFailed, match=r"^counting it failed \(CalledProcessError\)$"):
        planned_apart(desk.store.path.with_name("none.db"), plan, period, desk.policy, NOW)
