"""The clocks of a ticket: when each is due, what stops it, what ends it, and whether the promise was kept.

23 November 2026 is a Monday; the office is open 09:00 to 17:30, Monday to Friday, in London.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from mailtickets.desk.agreement import COMPLAINT, ENHANCEMENT, ServiceLevel, Target
from mailtickets.desk.calendar import Calendar
from mailtickets.desk.service_level import clocks, measure, moment_of_share
from mailtickets.desk.ticket import EntryKind, Status
from tests.support.clocks import HOUR, MINUTE, OFFICE, Life, at, level, local, targets, terms

FIRST, UPDATE, RESOLUTION = Target.FIRST_RESPONSE, Target.UPDATE, Target.RESOLUTION
STANDARD = terms(targets("4wh", "8wh", "16wh"))
PLAIN = terms(targets("2h", "4h", "24h"))


# -- when it is due -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opened", "allowed", "due"),
    [
        ("2026-11-23 10:00", "30m", "2026-11-23 10:30"),
        ("2026-11-23 10:00", "4wh", "2026-11-23 14:00"),
        ("2026-11-23 16:00", "4wh", "2026-11-24 11:30"),  # over night
        ("2026-11-20 16:00", "4wh", "2026-11-23 11:30"),  # over the weekend
        ("2026-11-21 16:00", "4wh", "2026-11-23 13:00"),  # opened on a Saturday
        ("2026-11-23 13:30", "4wh", "2026-11-23 17:30"),  # at the last moment of the day
        ("2026-11-20 16:00", "24h", "2026-11-21 16:00"),  # plain hours run at night
        ("2026-11-23 10:00", "5wd", "2026-11-30 10:00"),
        (
            "2026-11-23 08:00",
            "5wd",
            "2026-11-30 09:00",
        ),  # not on Friday evening, though that is as much open time
        ("2026-11-23 20:00", "5wd", "2026-11-30 17:30"),
        ("2026-03-27 16:00", "4wh", "2026-03-30 11:30"),  # the clocks went forward in between
        ("2026-10-23 16:00", "4wh", "2026-10-26 11:30"),  # and back
        ("2026-03-28 12:00", "24h", "2026-03-29 13:00"),  # 24 real hours
        ("2028-02-28 16:00", "12wh", "2028-03-01 11:00"),  # a leap day is a working day
        ("2027-02-26 16:00", "10wh", "2027-03-01 17:30"),
    ],
)
def test_a_first_response_is_due_when_the_allowed_time_has_run(opened, allowed, due):
    """Plain time runs always, working time in open hours, working days to the same time of day."""
    life = Life(opened, terms(targets(allowed)))
    assert life.due(FIRST, opened) == due
    assert life.due(FIRST, "2029-01-01 00:00") == due


def test_each_priority_has_its_own_target_and_some_have_none():
    """P4 is recorded without target: used is counted, nothing is due, nothing is kept or missed."""
    level_ = ServiceLevel("desk", {"P1": targets("30m"), "P3": targets("24h")})
    assert Life("2026-11-23 10:00", terms(level_), "P1").due(FIRST, "2026-11-23 10:00") == "2026-11-23 10:30"
    clock = Life("2026-11-23 10:00", terms(level_), "P4").clocks("2026-11-23 12:00").first_response
    assert (clock.due_at, clock.left, clock.kept, clock.used) == (None, None, None, 2 * HOUR)


def test_what_is_left_is_told_in_the_time_that_the_target_counts():
    """Two of four working hours were used; past the deadline it is negative."""
    life = Life("2026-11-23 16:00", STANDARD)
    clock = life.clocks("2026-11-24 09:30").first_response
    assert (clock.used, clock.left) == (2 * HOUR, 2 * HOUR)
    assert life.clocks("2026-11-24 12:30").first_response.left == -HOUR


# -- what ends it ---------------------------------------------------------------------------------


def test_the_first_public_text_of_a_person_is_the_first_response():
    """An acknowledgement, a note, a reminder and a status notice are none; later texts do not count again."""
    life = Life("2026-11-23 10:00", STANDARD)
    for kind in (EntryKind.ACKNOWLEDGED, EntryKind.NOTE, EntryKind.NOTIFIED, EntryKind.REMINDER):
        life.line(kind, "2026-11-23 10:30", "kim")
    life.line(EntryKind.MAIL_OUT, "2026-11-23 10:40", "desk")
    assert life.clocks("2026-11-23 11:00").first_response.ended_at is None
    life.answered("2026-11-23 11:00").answered("2026-11-23 16:00")
    clock = life.clocks("2026-11-25 11:00").first_response
    assert (local(clock.ended_at), clock.used, clock.kept) == ("2026-11-23 11:00", HOUR, True)
    assert local(clock.due_at) == "2026-11-23 14:00"


@pytest.mark.parametrize(
    ("answered", "kept"),
    [("2026-11-23 17:30", True), ("2026-11-23 17:31", False), ("2026-11-23 20:00", False)],
)
def test_an_answer_at_the_deadline_is_in_time_and_one_after_it_is_late(answered, kept):
    """The deadline was promised as a time of day: an evening answer is late, though the desk was closed by then."""
    life = Life("2026-11-23 13:30", STANDARD).answered(answered)
    assert life.clocks(answered).first_response.kept is kept


def test_an_answer_past_the_desk_is_an_answer():
    """Mail found in the folder of sent mail is filed with the support address as its writer."""
    life = Life("2026-11-23 10:00", STANDARD).answered("2026-11-23 11:00", "support@desk.example")
    assert life.clocks("2026-11-23 11:00").first_response.kept is True


@pytest.mark.parametrize(
    ("ends", "ended"), [(Status.RESOLVED, "2026-11-23 14:00"), (Status.CLOSED, "2026-11-26 14:00")]
)
def test_the_level_decides_whether_resolved_or_closed_ends_the_resolution(ends, ended):
    """Either way the clock stands still once the ticket is resolved."""
    life = Life("2026-11-23 10:00", replace(STANDARD, resolution_ends=ends))
    life.becomes("resolved", "2026-11-23 14:00").becomes("closed", "2026-11-26 14:00")
    clock = life.clocks("2026-11-27 10:00").resolution
    assert (local(clock.ended_at), clock.used, clock.kept) == (ended, 4 * HOUR, True)


def test_closing_ends_the_resolution_in_any_case():
    """A ticket that was closed by silence was resolved within the time that ran."""
    life = (
        Life("2026-11-23 10:00", STANDARD).answered("2026-11-23 12:00").becomes("waiting", "2026-11-23 12:00")
    )
    life.becomes("closed", "2026-11-27 12:00")
    clock = life.clocks("2026-11-30 12:00").resolution
    assert (clock.used, clock.kept, local(clock.ended_at)) == (2 * HOUR, True, "2026-11-27 12:00")


def test_a_workaround_ends_the_resolution_as_interim():
    """The ticket stays open, and resolving it later changes nothing about the promise."""
    life = Life("2026-11-23 10:00", STANDARD).worked_around("2026-11-23 15:00")
    life.becomes("resolved", "2026-12-10 15:00")
    clock = life.clocks("2026-12-11 10:00").resolution
    assert (local(clock.ended_at), clock.interim, clock.kept) == ("2026-11-23 15:00", True, True)
    assert life.measure().interim


def test_a_workaround_that_was_taken_back_ends_nothing():
    """The ticket no longer has one, whatever its history says."""
    life = Life("2026-11-23 10:00", STANDARD).worked_around("2026-11-23 15:00")
    life.ticket = replace(life.ticket, workaround_at=None)
    assert life.clocks("2026-11-23 16:00").resolution.ended_at is None


# -- what stops it --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["waiting", "third_party"])
def test_while_somebody_else_has_to_act_the_clock_stands_still(status):
    """Nothing is due then; the time goes on where it stopped."""
    life = Life("2026-11-23 10:00", STANDARD).becomes(status, "2026-11-23 12:00")
    clock = life.clocks("2026-11-26 12:00").first_response
    assert (clock.stopped, clock.due_at, clock.used, clock.left) == (True, None, 2 * HOUR, 2 * HOUR)
    life.becomes("open", "2026-11-27 09:00")
    assert life.due(FIRST, "2026-11-27 09:00") == "2026-11-27 11:00"


@pytest.mark.parametrize("status", ["open", "pending"])
def test_while_the_desk_has_to_act_the_clock_runs(status):
    """Picked up is not done."""
    life = Life("2026-11-23 10:00", STANDARD).becomes(status, "2026-11-23 12:00")
    assert life.due(FIRST, "2026-11-23 12:00") == "2026-11-23 14:00"
    assert life.clocks("2026-11-23 12:00").running


def test_working_days_pause_too():
    """One working day of waiting moves the end of five working days by one."""
    life = Life("2026-11-23 10:00", terms(targets(resolution="5wd")))
    life.becomes("waiting", "2026-11-24 12:00").becomes("open", "2026-11-25 12:00")
    assert life.due(RESOLUTION, "2026-11-25 12:00") == "2026-12-01 10:00"


def test_working_days_that_end_with_an_opening_wait_for_it():
    """Five working days from Monday 08:00 end on Monday 09:00; stopped then, they end when the clock runs again."""
    life = Life("2026-11-23 08:00", terms(targets(resolution="5wd")))
    life.becomes("waiting", "2026-11-27 20:00").becomes("open", "2026-11-30 14:00")
    assert life.due(RESOLUTION, "2026-11-30 14:00") == "2026-11-30 14:00"
    life.answered("2026-11-30 15:00")
    assert life.due(RESOLUTION, "2026-11-30 15:00") == "2026-11-30 14:00"


def test_a_deadline_that_passed_before_a_stop_stays_where_it_was():
    """It ran three hours of two: the deadline is not moved by what came later."""
    life = (
        Life("2026-11-23 10:00", PLAIN)
        .becomes("waiting", "2026-11-23 13:00")
        .becomes("open", "2026-11-24 13:00")
    )
    assert life.due(FIRST, "2026-11-24 14:00") == "2026-11-23 12:00"
    life.answered("2026-11-24 14:00")
    assert life.clocks("2026-11-24 14:00").first_response.kept is False


def test_a_reopened_ticket_goes_on_where_it_stopped():
    """Four of sixteen hours were used before it was resolved: twelve are left."""
    life = Life("2026-11-23 10:00", STANDARD).becomes("resolved", "2026-11-23 14:00")
    life.becomes("open", "2026-11-30 09:00")
    clock = life.clocks("2026-11-30 09:00").resolution
    assert (clock.ended_at, clock.kept, clock.left, clock.resumed) == (None, None, 12 * HOUR, 1)
    assert local(clock.due_at) == "2026-12-01 12:30"
    assert life.clocks("2026-11-30 09:00").reopened == 1


def test_a_ticket_that_is_only_thanked_for_is_not_reopened():
    """A status line that names the present status changes nothing."""
    life = Life("2026-11-23 10:00", STANDARD).becomes("resolved", "2026-11-23 14:00")
    life.becomes("resolved", "2026-11-23 15:00")
    assert life.clocks("2026-11-24 09:00").reopened == 0
    assert local(life.measure().resolved_at) == "2026-11-23 14:00"


def test_no_clock_runs_for_a_type_without_clock():
    """An enhancement has no deadline; when it was answered and resolved is kept all the same."""
    life = Life("2026-11-23 10:00", terms(None, kind=ENHANCEMENT, runs=False)).answered("2026-11-24 10:00")
    life.becomes("resolved", "2026-11-25 10:00")
    seen = life.measure()
    assert (local(seen.first_response_at), seen.first_response_used, seen.first_response_kept) == (
        "2026-11-24 10:00",
        None,
        None,
    )
    assert (local(seen.resolved_at), seen.resolution_used) == ("2026-11-25 10:00", None)
    assert not life.clocks("2026-11-24 10:00").running


def test_a_complaint_is_answered_within_five_working_days():
    """The shipped type has this one promise."""
    life = Life("2026-11-23 10:00", terms(None, kind=COMPLAINT))
    assert life.due(FIRST, "2026-11-23 10:00") == "2026-11-30 10:00"
    assert life.due(RESOLUTION, "2026-11-23 10:00") == ""


@pytest.mark.parametrize(("closed", "kept"), [("2026-11-23 13:00", None), ("2026-11-24 10:00", False)])
def test_closing_without_an_answer_does_not_wipe_out_a_missed_deadline(closed, kept):
    """A ticket that needed no answer counts neither way, one that was left lying is missed."""
    life = Life("2026-11-23 10:00", STANDARD).becomes("closed", closed)
    clock = life.clocks("2026-12-01 10:00").first_response
    assert (clock.kept, clock.ended_at, clock.is_going) == (kept, None, False)


def test_a_ticket_that_an_agent_opened_by_an_answer_waits_from_the_beginning():
    """Its history names no status, so it never had another than its present one."""
    life = Life("2026-11-23 10:00", STANDARD, status=Status.WAITING).answered("2026-11-23 10:00")
    assert not life.clocks("2026-11-24 10:00").running
    assert life.clocks("2026-11-24 10:00").first_response.used == timedelta(0)


# -- updates --------------------------------------------------------------------------------------


def test_updates_are_counted_from_each_public_text_to_the_next():
    """Two in time, one too late, and the present one is due four hours after the last."""
    life = Life("2026-11-23 10:00", PLAIN)
    assert life.clocks("2026-11-23 10:00").update is None
    for when in ("10:30", "12:00", "16:00", "20:01"):
        life.answered(f"2026-11-23 {when}")
    seen = life.clocks("2026-11-23 20:01")
    assert (seen.updates_kept, seen.updates_missed) == (2, 1)
    assert (seen.update.number, local(seen.update.due_at)) == (4, "2026-11-24 00:01")


def test_a_resolved_ticket_owes_no_update():
    """The clock that ran is dropped, neither kept nor missed, and goes on after a reopening."""
    life = (
        Life("2026-11-23 10:00", PLAIN).answered("2026-11-23 10:30").becomes("resolved", "2026-11-23 13:30")
    )
    seen = life.clocks("2026-11-24 10:30")
    assert (seen.update, seen.updates_kept, seen.updates_missed) == (None, 0, 0)
    life.becomes("open", "2026-11-24 12:00")
    assert local(life.clocks("2026-11-24 12:00").update.due_at) == "2026-11-24 13:00"


def test_an_afterthought_on_a_resolved_ticket_counts_as_no_update():
    """It starts the next clock, which runs if the ticket is reopened."""
    life = (
        Life("2026-11-23 10:00", PLAIN).answered("2026-11-23 10:30").becomes("resolved", "2026-11-23 11:00")
    )
    life.answered("2026-11-25 10:00").becomes("waiting", "2026-11-25 10:00")
    seen = life.clocks("2026-11-25 10:30")
    assert (seen.updates_kept, seen.updates_missed, seen.update.number) == (0, 0, 2)


def test_news_on_a_resolved_ticket_counts_where_only_closing_ends_the_resolution():
    """The promise still holds then, so an update in time is one that was kept."""
    life = Life("2026-11-23 10:00", replace(PLAIN, resolution_ends=Status.CLOSED)).answered(
        "2026-11-23 10:30"
    )
    life.becomes("resolved", "2026-11-23 11:00").answered("2026-11-25 10:00")
    seen = life.clocks("2026-11-25 10:30")
    assert (seen.updates_kept, seen.update.number, seen.update.stopped) == (1, 2, True)


# -- priority, calendar, agreed dates ---------------------------------------------------------------


def test_a_new_priority_moves_what_still_runs_and_leaves_what_has_ended():
    """Answered after three hours as P3 it was in time; as P1 it would have been late."""
    promised = level(targets("4wh", resolution="40wh"), P1=targets("1wh", resolution="4wh"))
    life = (
        Life("2026-11-23 10:00", terms(promised))
        .answered("2026-11-23 13:00")
        .moved_to("P1", "2026-11-23 13:30")
    )
    seen = life.clocks("2026-11-23 13:30")
    assert seen.first_response.kept is True
    assert local(seen.resolution.due_at) == "2026-11-23 14:00"


def test_the_priority_in_force_when_a_clock_ended_decides():
    """A ticket that is lowered before the answer is measured by the lower promise."""
    promised = level(targets("4wh"), P1=targets("1wh"))
    life = (
        Life("2026-11-23 10:00", terms(promised), "P1")
        .moved_to("P3", "2026-11-23 12:00")
        .answered("2026-11-23 13:00")
    )
    assert life.clocks("2026-11-24 13:00").first_response.kept is True


def test_without_a_priority_line_at_the_beginning_the_default_was_in_force():
    """Raised to P1 after it was answered: the answer is measured by the level's default."""
    promised = level(targets("4wh"), P1=targets("1wh"))
    life = Life("2026-11-23 10:00", terms(promised))
    life.history.clear()
    life.answered("2026-11-23 13:00").moved_to("P1", "2026-11-23 14:00")
    assert life.clocks("2026-11-24 13:00").first_response.kept is True
    life.history.pop()
    assert (
        life.clocks("2026-11-24 13:00").first_response.kept is False
    )  # nothing ever changed: it was P1 all the time


def test_a_corrected_calendar_corrects_the_whole_history():
    """A public holiday that was forgotten makes a late answer an answer in time."""
    life = (
        Life("2026-12-24 16:00", STANDARD)
        .answered("2026-12-28 10:00")
        .becomes("resolved", "2026-12-29 10:00")
    )
    christmas = Calendar("office", "Europe/London", OFFICE.week, dates={at("2026-12-25 12:00").date(): ()})
    before, after = life.measure(), measure(life.ticket, life.history, replace(STANDARD, calendar=christmas))
    assert (local(before.first_response_due), before.first_response_kept) == ("2026-12-25 11:30", False)
    assert (local(after.first_response_due), after.first_response_kept) == ("2026-12-28 11:30", True)
    assert before.resolution_used - after.resolution_used == 8.5 * HOUR


def test_an_agreed_date_takes_the_place_of_the_resolution_target():
    """It stays where it is, whatever stops the ticket, and decides alone."""
    life = Life("2026-11-23 10:00", STANDARD).agreed("2026-12-15 17:00", "2026-11-23 11:00")
    life.becomes("third_party", "2026-11-23 12:00")
    clock = life.clocks("2026-12-15 16:00").resolution
    assert (local(clock.due_at), clock.allowed, clock.stopped, clock.left) == (
        "2026-12-15 17:00",
        None,
        False,
        HOUR,
    )
    life.becomes("resolved", "2026-12-15 17:01")
    assert life.clocks("2026-12-16 10:00").resolution.kept is False
    assert local(life.measure().resolution_due) == "2026-12-15 17:00"


def test_a_priority_by_agreement_has_a_date_and_nothing_else():
    """Desk C, priority 3: no target, a date for each ticket."""
    life = Life("2026-11-23 10:00", terms(targets())).agreed("2026-12-15 17:00", "2026-11-23 11:00")
    life.becomes("resolved", "2026-12-15 17:00")
    assert life.clocks("2026-12-16 10:00").resolution.kept is True


# -- shares ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "share", "moment"),
    [
        ("10h", 0.8, "2026-11-23 18:00"),
        ("10wh", 0.8, "2026-11-24 09:30"),
        ("10wh", 1, "2026-11-24 11:30"),
        ("10wh", 1.5, "2026-11-24 16:30"),
        ("2wd", 0.5, "2026-11-24 10:00"),
    ],
)
def test_a_share_of_the_target_is_a_share_of_its_own_time(allowed, share, moment):
    """80 % of ten working hours are eight working hours."""
    clock = Life("2026-11-23 10:00", terms(targets(resolution=allowed))).clocks("2026-11-23 10:00").resolution
    assert local(moment_of_share(clock, share)) == moment


def test_a_share_knows_the_time_that_did_not_count():
    """A pause moves it; while the clock is stopped there is none."""
    life = Life("2026-11-23 10:00", terms(targets(resolution="10wh"))).becomes("waiting", "2026-11-23 12:00")
    assert moment_of_share(life.clocks("2026-11-24 10:00").resolution, 0.8) is None
    life.becomes("open", "2026-11-24 10:00")
    assert local(moment_of_share(life.clocks("2026-11-24 10:00").resolution, 0.8)) == "2026-11-24 16:00"


def test_a_share_of_an_agreed_date_counts_from_the_day_it_was_agreed():
    """Half the open time between agreeing and the date, not between opening and the date."""
    life = Life("2026-11-02 10:00", STANDARD).agreed("2026-11-27 09:00", "2026-11-23 09:00")
    clock = life.clocks("2026-11-23 09:00").resolution
    assert local(moment_of_share(clock, 0.5)) == "2026-11-24 17:30"


# -- what reports count -----------------------------------------------------------------------------


def test_a_measure_has_every_figure_of_a_finished_ticket():
    """Answered in time, one update, resolved, reopened, resolved again, closed."""
    life = Life("2026-11-23 10:00", STANDARD).answered("2026-11-23 11:00").answered("2026-11-23 15:00")
    life.becomes("resolved", "2026-11-23 15:00").becomes("open", "2026-11-24 09:00")
    life.becomes("resolved", "2026-11-24 10:00").becomes("closed", "2026-11-27 10:00")
    seen = life.measure()
    assert (local(seen.first_response_at), seen.first_response_used, local(seen.first_response_due), seen.first_response_kept) == (
        "2026-11-23 11:00", HOUR, "2026-11-23 14:00", True)  # fmt: skip
    assert (local(seen.resolved_at), seen.resolution_used, local(seen.resolution_due), seen.resolution_kept) == (
        "2026-11-24 10:00", 6 * HOUR, "2026-11-25 11:30", True)  # fmt: skip
    assert (seen.interim, seen.update_due, seen.updates_kept, seen.updates_missed) == (False, None, 1, 0)
    assert (seen.reopened, local(seen.closed_at)) == (1, "2026-11-27 10:00")


def test_a_measure_of_a_running_ticket_says_when_things_are_due_and_judges_nothing():
    """It needs no present moment: a deadline that passes changes no figure."""
    seen = Life("2026-11-23 10:00", STANDARD).measure()
    assert (local(seen.first_response_due), seen.first_response_kept, seen.first_response_used) == (
        "2026-11-23 14:00",
        None,
        None,
    )
    assert (local(seen.resolution_due), seen.resolution_kept, seen.resolved_at) == (
        "2026-11-24 17:30",
        None,
        None,
    )


def test_a_reopened_ticket_is_closed_no_more():
    """What reports count as closed is closed now."""
    life = (
        Life("2026-11-23 10:00", STANDARD)
        .becomes("closed", "2026-11-23 11:00")
        .becomes("open", "2026-11-24 11:00")
    )
    assert life.measure().closed_at is None


def test_a_machine_whose_clock_went_back_breaks_nothing():
    """A line that is older than the one before it counts as of that one's time, and one before the opening too."""
    life = (
        Life("2026-11-23 10:00", STANDARD)
        .becomes("waiting", "2026-11-23 12:00")
        .becomes("open", "2026-11-23 11:00")
    )
    life.answered("2026-11-23 09:00")
    clock = life.clocks("2026-11-23 09:00").first_response
    assert (local(clock.ended_at), clock.used) == ("2026-11-23 12:00", 2 * HOUR)


# -- speed ----------------------------------------------------------------------------------------


def test_three_clocks_of_a_ticket_with_ten_lines_take_no_time():
    """About 100 microseconds; the bound leaves room for a busy machine."""
    life = Life("2026-11-23 10:00", STANDARD)
    for day in (23, 24, 25):
        life.answered(f"2026-11-{day} 12:00").becomes("waiting", f"2026-11-{day} 12:00").becomes(
            "open", f"2026-11-{day} 16:00"
        )
    assert len(life.history) == 10
    now, seconds = at("2026-11-26 12:00"), []
    for _ in range(20):
        begun = time.perf_counter()
        for _ in range(20):
            clocks(life.ticket, life.history, STANDARD, now)
        seconds.append((time.perf_counter() - begun) / 20)
    assert min(seconds) < 0.001


def test_a_long_history_takes_its_length_and_no_more():
    """Ten times the lines, about ten times the time; a quadratic walk would take a hundred times."""
    lives = []
    for pairs in (100, 1000):
        life = Life("2026-11-23 10:00", STANDARD)
        for number in range(pairs):
            when = life.ticket.created_at + number * 30 * MINUTE
            life.answered(when).becomes("waiting", when).becomes("open", when + 10 * MINUTE)
        lives.append(life)
    seconds = []
    for life in lives:
        runs = []
        for _ in range(3):
            begun = time.process_time()  # other work on the machine does not count
            life.measure()
            runs.append(time.process_time() - begun)
        seconds.append(min(runs))
    assert seconds[1] < 40 * seconds[0]
