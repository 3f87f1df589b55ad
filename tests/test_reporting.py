"""Reports by mail: each period once, with its pictures inside, and nothing about the time before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailtickets.desk.agreement import ReportPlan
from mailtickets.reporting import make
from tests.support.desk import POLICY, Desk

ANA = "ana@customer.example"
BOSS = "boss@acme.example"
WEEKLY = ReportPlan("weekly", "week", (BOSS, "it@desk.example"), at_minute=7 * 60)
DESK = replace(POLICY, zone="Europe/London", reports={"weekly": WEEKLY})
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path, DESK, now=MONDAY)
    yield made
    made.close()


def reports(desk):
    """Make what is due, as the daemon does."""
    for due in desk.line.reports.due():
        desk.line.reports.queue(due, make(desk.folder / "desk.db", due, desk.policy, desk.now))
    desk.run()
    return desk.kinds(BOSS)


def test_a_plan_begins_with_its_next_period(desk):
    """Written into the file on a Monday at nine, it tells nothing of the week before the desk was there."""
    assert reports(desk) == []


def test_each_week_is_reported_once(desk):
    """Monday at seven, local time: one mail to each reader; not again after a restart."""
    assert reports(desk) == []
    desk.writes(ANA, "It burns.")
    desk.now = datetime(2026, 3, 9, 6, 59, tzinfo=UTC)
    assert reports(desk) == []
    desk.now += timedelta(minutes=2)
    assert reports(desk) == ["report"]
    desk.restart()
    desk.now += timedelta(days=3)
    assert reports(desk) == ["report"]
    assert desk.kinds("it@desk.example") == ["report"]


def test_after_long_downtime_the_last_week_is_told(desk):
    """Five weeks off make one report, of the week that ended last."""
    reports(desk)
    desk.writes(ANA, "It burns.")
    desk.now += timedelta(weeks=5)
    assert reports(desk) == ["report"]


def test_the_pictures_travel_inside(desk):
    """Every picture that the page shows is a part of the mail, and is a PNG."""
    reports(desk)
    for number in range(12):
        desk.writes(f"user{number}@customer.example", "It burns.")
        desk.passes(timedelta(hours=5))
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Pull the plug.")
    desk.now = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)
    reports(desk)
    mail = desk.last(BOSS, "report")
    assert "12" in mail.text
    pictures = [part for part in mail.parsed.walk() if part.get_content_type() == "image/png"]
    assert pictures
    for part in pictures:
        assert part.get_content().startswith(b"\x89PNG")
        assert f"cid:{part['Content-ID'].strip('<>')}" in mail.html
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "Ref:" not in mail.text
