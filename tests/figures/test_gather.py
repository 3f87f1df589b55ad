"""Figures of hand-made tickets: who counts where, and where the edges are."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from mailtickets.desk.agreement import ServiceLevel, TicketType
from mailtickets.desk.ticket import Status
from mailtickets.figures.statistics import Share, Times
from tests.figures.conftest import DAY, GOLD, HOUR, MINUTE, NOW, POLICY, at

WEEK = ("2026-11-16", "2026-11-22")


def test_volume_counts_by_what_happened_in_the_period(desk):
    """Opened, resolved and closed each by their own day."""
    desk.ticket("2026-11-10 09:00", resolved=7 * DAY)
    desk.ticket("2026-11-16 09:00")
    desk.ticket("2026-11-17 09:00", resolved=DAY, closed=4 * DAY, reopened=2)
    desk.ticket("2026-11-18 09:00", resolved=5 * DAY, automatic=True)
    desk.ticket("2026-11-01 09:00", resolved=DAY, closed=16 * DAY)
    total = desk.figures(*WEEK).total
    assert (total.opened, total.resolved, total.closed) == (3, 2, 2)
    assert (total.reopened, total.automatic) == (1, 1)


def test_the_backlog_changes_by_what_came_and_what_left(desk):
    """Before + opened - resolved = after, day by day; a ticket of the week before counts until it leaves."""
    desk.ticket("2026-11-10 09:00", resolved=7 * DAY)
    desk.ticket("2026-11-10 10:00")
    desk.ticket("2026-11-16 09:00")
    desk.ticket("2026-11-17 09:00", resolved=DAY)
    figures = desk.figures(*WEEK)
    assert figures.backlog_before == 2
    assert [(p.opened, p.resolved, p.backlog) for p in figures.days] == [
        (1, 0, 3), (1, 1, 3), (0, 1, 2), (0, 0, 2), (0, 0, 2), (0, 0, 2), (0, 0, 2),
    ]  # fmt: skip
    assert figures.total.backlog == figures.days[-1].backlog == 2


def test_the_backlog_has_ages(desk):
    """Counted at the end of the period; a whole day is the older class already."""
    for hours in (1, 23, 24, 71, 72, 7 * 24 - 1, 7 * 24, 30 * 24, 300 * 24):
        desk.ticket((at("2026-11-23 00:00") - hours * HOUR).isoformat()[:16])
    assert desk.figures(*WEEK).total.backlog_by_age == (2, 2, 2, 1, 2)


def test_first_responses_count_with_the_tickets_opened_in_the_period(desk):
    """Also where the answer came after it."""
    desk.ticket("2026-11-16 09:00", answered=10 * MINUTE, kept=True)
    desk.ticket("2026-11-16 09:00", answered=20 * MINUTE, kept=True)
    desk.ticket("2026-11-17 09:00", answered=40 * MINUTE, kept=False)
    desk.ticket("2026-11-22 09:00", answered=2 * DAY, kept=False)
    desk.ticket("2026-11-15 09:00", answered=2 * DAY, kept=False)
    total = desk.figures(*WEEK).total
    assert total.first_response == Times(4, 30 * MINUTE, 2 * DAY)
    assert total.first_response_target == Share(kept=2, missed=2)


def test_an_unanswered_ticket_is_missed_once_its_moment_has_passed(desk):
    """Not before, and not where it has no target."""
    desk.ticket("2026-11-16 09:00", due=HOUR)
    desk.ticket("2026-11-22 09:00", due=2 * DAY)
    desk.ticket("2026-11-16 09:00")
    assert desk.figures(*WEEK).total.first_response_target == Share(kept=0, missed=1)
    # A period that is not over is judged as of now: 24 November, noon.
    desk.ticket("2026-11-24 09:00", due=2 * HOUR)
    desk.ticket("2026-11-24 09:00", due=4 * HOUR)
    assert desk.figures("2026-11-24", "2026-11-30").total.first_response_target == Share(kept=0, missed=1)


def test_a_ticket_resolved_without_an_answer_stays_missed(desk):
    """The clock says so with `kept`, though there was no response."""
    desk.ticket("2026-11-16 09:00", due=HOUR, kept=False, resolved=DAY)
    total = desk.figures(*WEEK).total
    assert total.first_response.count == 0
    assert total.first_response_target == Share(kept=0, missed=1)


def test_resolutions_count_with_the_day_they_came(desk):
    """Whenever the ticket was opened."""
    desk.ticket("2026-10-01 09:00", resolved=50 * DAY, resolution_kept=True, resolution_due=60 * DAY)
    desk.ticket("2026-11-20 09:00", resolved=DAY, resolution_kept=True, resolution_due=2 * DAY)
    desk.ticket("2026-11-20 09:00", resolved=4 * DAY, resolution_kept=True, resolution_due=5 * DAY)
    total = desk.figures(*WEEK).total
    assert total.resolution == Times(2, timedelta(days=25, hours=12), 50 * DAY)
    assert total.resolution_target == Share(kept=2, missed=0)


def test_a_missed_resolution_counts_once_in_the_period_of_its_deadline(desk):
    """Due on the 17th: missed in that week, resolved or not; the later resolution is not a second miss."""
    desk.ticket("2026-11-16 09:00", resolution_due=DAY)
    desk.ticket("2026-11-16 10:00", resolution_due=DAY, resolved=3 * DAY, resolution_kept=False)
    desk.ticket("2026-11-16 11:00", resolution_due=DAY, resolved=7 * DAY, resolution_kept=False)
    week, next_week = desk.figures(*WEEK).total, desk.figures("2026-11-23", "2026-11-24").total
    assert week.resolution_target == Share(kept=0, missed=3)
    assert week.resolution.count == 1
    assert next_week.resolution_target == Share()
    assert next_week.resolution.count == 1


def test_a_workaround_is_a_resolution_and_leaves_the_ticket_there(desk):
    """It ends the clock; the ticket stays in the backlog until it is resolved for good."""
    desk.ticket(
        "2026-11-16 09:00", resolved=HOUR, interim=True, resolution_kept=True, resolution_due=4 * HOUR
    )
    total = desk.figures(*WEEK).total
    assert (total.resolution.count, total.interim, total.backlog, total.resolved) == (1, 1, 1, 0)
    assert total.resolution_target == Share(kept=1, missed=0)


def test_updates_kept_count_with_the_tickets_of_the_period(desk):
    """One that is due now and was not sent is missed."""
    desk.ticket("2026-11-16 09:00", updates=(3, 1))
    desk.ticket("2026-11-17 09:00", updates=(1, 0), update_due=DAY)
    desk.ticket("2026-11-22 09:00", update_due=2 * DAY)
    desk.ticket("2026-11-15 09:00", updates=(9, 9))
    assert desk.figures(*WEEK).total.updates == Share(kept=4, missed=2)


def test_no_clock_no_time(desk):
    """An enhancement is opened and resolved, and in no figure of times."""
    desk.ticket("2026-11-16 09:00", type="enhancement", answered=None, resolved=None, status=Status.RESOLVED)
    total = desk.figures(*WEEK).total
    assert (total.opened, total.resolved) == (1, 1)
    assert total.first_response == total.resolution == Times()


# --- groups and filters ---------------------------------------------------------------------------


def test_every_dimension_adds_up_to_the_whole(desk):
    """Each ticket is in one group of each, under the name that people know."""
    desk.ticket(
        "2026-11-16 09:00", priority="P1", assignee="kim", organisation="customer", answered=HOUR, kept=True
    )
    desk.ticket("2026-11-16 09:00", priority="P1", queue="billing", answered=2 * HOUR, kept=False)
    desk.ticket("2026-11-17 09:00", priority="P3", type="question", assignee="gone", updates=(2, 1))
    figures = desk.figures(*WEEK)
    for groups in figures.by.values():
        assert sum(group.opened for group in groups) == 3
        assert sum(group.backlog for group in groups) == 3
        assert sum(group.updates.judged for group in groups) == 3
        assert sum(group.first_response.count for group in groups) == 2
    names = {dimension: [group.name for group in groups] for dimension, groups in figures.by.items()}
    assert names == {
        "priority": ["P1", "P3"],
        "type": ["incident", "question"],
        "queue": ["support", "billing"],
        "organisation": ["no organisation", "Customer Ltd"],
        "agent": ["Kim Archer", "gone", "nobody yet"],
    }
    first = figures.groups("priority")[0]
    assert first.first_response == Times(2, 90 * MINUTE, 2 * HOUR)
    assert first.first_response_target == Share(kept=1, missed=1)


def test_a_group_without_anything_in_the_period_is_left_out(desk):
    """Last year's queue is no line of zeros."""
    desk.ticket("2025-11-16 09:00", queue="old", resolved=DAY, closed=2 * DAY)
    desk.ticket("2026-11-16 09:00")
    assert [group.key for group in desk.figures(*WEEK).groups("queue")] == ["support"]


@pytest.mark.parametrize(
    ("filters", "opened"),
    [
        ({"queue": "support"}, 2),
        ({"queue": "billing"}, 1),
        ({"priority": "P1"}, 2),
        ({"priority": "P1", "queue": "billing"}, 1),
        ({"agent": "kim"}, 1),
        ({"organisation": "customer"}, 1),
        ({"type": "question"}, 0),
        ({"queue": ""}, 3),
    ],
)
def test_filters_limit_everything(desk, filters, opened):
    """Volume, course, load and backlog alike."""
    desk.ticket("2026-11-16 09:00", priority="P1", assignee="kim", organisation="customer")
    desk.ticket("2026-11-16 09:00", priority="P1", queue="billing")
    desk.ticket("2026-11-17 09:00")
    figures = desk.figures(*WEEK, **filters)
    assert figures.total.opened == figures.total.backlog == opened
    assert sum(point.opened for point in figures.days) == opened
    assert sum(map(sum, figures.load)) == opened
    assert [dimension for dimension, _, _ in figures.filters] == [
        name for name, word in filters.items() if word
    ]


# --- days and hours -------------------------------------------------------------------------------


def test_a_ticket_belongs_to_the_zones_day_and_hour(desk):
    """23:30 UTC on a summer Sunday is Monday, half past midnight, in London; in winter it is not."""
    desk.ticket("2026-07-05 23:30")
    desk.ticket("2026-11-22 23:30")
    summer = desk.figures("2026-07-06", "2026-07-12")
    assert summer.total.opened == summer.load[0][0] == 1
    winter = desk.figures(*WEEK)
    assert winter.total.opened == winter.load[6][23] == 1


def test_the_hour_that_comes_twice_is_one_hour_of_the_load(desk):
    """On 25 October 01:30 came twice; the day has 25 hours, and each ticket is in it."""
    for moment in ("00:30", "01:30", "02:30"):
        desk.ticket(f"2026-10-25 {moment}")
    figures = desk.figures("2026-10-25", "2026-10-25")
    assert figures.total.opened == 3
    assert (figures.load[6][1], figures.load[6][2]) == (2, 1)


def test_the_hour_that_is_skipped_stays_empty(desk):
    """On 29 March the clock went from 01:00 to 02:00."""
    for moment in ("00:45", "01:15"):
        desk.ticket(f"2026-03-29 {moment}")
    load = desk.figures("2026-03-29", "2026-03-29").load[6]
    assert (load[0], load[1], load[2]) == (1, 0, 1)


def test_zones_a_quarter_of_an_hour_off_are_exact(desk):
    """Nepal is 5:45 ahead: 18:14 UTC is still today there, 18:15 is tomorrow."""
    desk.ticket("2026-11-22 18:14")
    desk.ticket("2026-11-22 18:15")
    figures = desk.figures(*WEEK, zone=ZoneInfo("Asia/Kathmandu"))
    assert figures.total.opened == figures.load[6][23] == 1


def test_long_periods_are_told_in_weeks_and_months(desk):
    """Days up to 100, weeks above, months above two years; and from the first ticket on."""
    desk.ticket("2025-12-03 09:00", resolved=30 * DAY)
    desk.ticket("2026-11-02 09:00")
    figures = desk.figures("2000-01-01", "2026-11-22")
    assert (figures.step, len(figures.course)) == ("week", 51)
    first, last = figures.course[0], figures.course[-1]
    assert (first.first, first.last) == (date(2025, 12, 3), date(2025, 12, 7))
    assert (last.first, last.backlog) == (date(2026, 11, 16), 1)
    assert sum(point.opened for point in figures.course) == 2
    assert len(desk.figures("2026-08-15", "2026-11-22").course) == 100
    desk.ticket("2020-12-03 09:00")
    months = desk.figures("2000-01-01", "2026-11-22")
    assert (months.step, len(months.course)) == ("month", 72)
    assert [point.backlog for point in months.in_steps("year")] == [1, 1, 1, 1, 1, 2, 2]


def test_a_period_that_is_not_over_ends_today(desk):
    """Nothing is told of days to come."""
    desk.ticket("2026-11-23 09:00")
    figures = desk.figures("2026-11-23", "2026-11-29")
    assert [str(point.last) for point in figures.days] == ["2026-11-23", "2026-11-24"]
    assert figures.at == NOW


def test_an_empty_desk_has_a_report(desk):
    """All zeros, and no figure made of nothing."""
    figures = desk.figures()
    assert figures.total.is_empty
    assert figures.total.first_response_target.share is None
    assert figures.by == dict.fromkeys(figures.by, ())
    assert len(figures.days) == 30
    assert len(desk.figures("1970-01-01").days) == 1


# --- goals ----------------------------------------------------------------------------------------


def test_the_goal_is_the_service_levels(desk):
    """One level: its goal and its names for all; 95 % where there is none."""
    desk.ticket("2026-11-16 09:00", priority="P1")
    assert desk.figures(*WEEK).total.goal == 0.95
    desk.policy = replace(POLICY, service_levels={"gold": GOLD})
    figures = desk.figures(*WEEK)
    assert figures.total.goal == figures.groups("priority")[0].goal == 0.9
    assert figures.groups("priority")[0].name == "P1 Urgent"
    assert figures.response_targets == (("P1 Urgent", 30 * MINUTE), ("P3 Normal", 8 * HOUR))
    assert desk.figures(*WEEK, priority="P3").response_targets == (("P3 Normal", 8 * HOUR),)


def test_each_queue_is_held_to_its_own_goal(desk):
    """Two levels with different goals: the whole has 95 %, each queue its own; a report of one queue has that."""
    strict = ServiceLevel("strict", goal=0.99)
    queues = {
        "support": replace(POLICY.queues["support"], service_level="gold"),
        "billing": replace(POLICY.queues["billing"], service_level="strict"),
    }
    desk.policy = replace(POLICY, queues=queues, service_levels={"gold": GOLD, "strict": strict})
    desk.ticket("2026-11-16 09:00")
    desk.ticket("2026-11-16 09:00", queue="billing")
    figures = desk.figures(*WEEK)
    assert figures.total.goal == 0.95
    assert {group.key: group.goal for group in figures.groups("queue")} == {"support": 0.9, "billing": 0.99}
    assert desk.figures(*WEEK, queue="billing").total.goal == 0.99
    assert figures.response_targets == ()


def test_a_type_with_targets_of_its_own_shows_those(desk):
    """In a report of that type alone."""
    own = TicketType("outage", targets=GOLD.targets["P1"])
    desk.policy = replace(POLICY, types={"outage": own}, service_levels={"gold": GOLD})
    desk.ticket("2026-11-16 09:00", type="outage")
    assert desk.figures(*WEEK, type="outage").response_targets == (("outage", 30 * MINUTE),)


def test_names_of_strangers_are_one_harmless_line(desk):
    """A word that came with a ticket cannot break a table or a terminal."""
    desk.ticket("2026-11-16 09:00", organisation="evil\n\x1b[31m")
    desk.ticket("2026-11-16 09:00")
    assert "\x1b" not in desk.figures(*WEEK).groups("organisation")[0].name
    assert "\n" not in desk.figures(*WEEK).groups("organisation")[0].name
