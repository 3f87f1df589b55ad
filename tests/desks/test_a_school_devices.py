"""A help desk for school laptops: four priorities in working hours, clocks that stand while others have the move.

9 November 2026 is a Monday; the team works 07:30 to 17:00, Monday to Friday, in London.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailtickets.desk.ticket import Status
from mailtickets.figures.text import text_report

DESK = "a-school-devices"
ANA, KIM, LEE = "ana@school.example", "kim@fenland.example", "lee@fenland.example"
HELP = "help@fenland.example"
MONDAY = "2026-11-09 09:00"


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


@pytest.fixture
def desk(desk_at):
    """A request came in on a Monday at nine."""
    desk = desk_at(MONDAY)
    desk.writes(ANA, "The keyboard of my laptop types the wrong letters.", to=HELP, subject="Keyboard")
    return desk


# -- priorities and targets --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "name", "first_response", "resolution"),
    [
        # nine and a half hours a day, eight of them left on this Monday
        ("#p1", "Urgent", "2026-11-09 11:00", "2026-11-10 15:30"),  # 2 and 16 working hours
        ("#p2", "High", "2026-11-10 15:30", "2026-11-13 11:00"),  # 16 and 40
        ("#p3", "Medium", "2026-11-11 14:00", "2026-11-19 13:00"),  # 24 and 80
        ("#p4", "Low", "2026-11-13 11:00", "2026-11-25 15:00"),  # 40 and 120
    ],
)
def test_each_priority_has_a_first_response_and_a_resolution_in_working_hours(
    desk, command, name, first_response, resolution
):
    """Eight targets, counted from the moment when the mail came, in 07:30 to 17:00."""
    desk.until("2026-11-09 09:05")
    desk.answer(KIM, f"{command}\n")
    assert desk.due() == {"first_response": first_response, "resolution": resolution}
    assert name in desk.notice(KIM).text or name in desk.last(KIM, "receipt").text


@pytest.mark.parametrize(
    ("name", "priority"), [("urgent", "P1"), ("high", "P2"), ("Medium", "P3"), ("low", "P4")]
)
def test_a_priority_is_set_by_its_own_name(desk, name, priority):
    """`#urgent` is what this desk calls P1."""
    desk.answer(KIM, f"#{name}\n")
    assert desk.ticket().priority == priority


def test_a_request_is_medium_unless_somebody_says_otherwise(desk):
    """The acknowledgement names the number, the priority and both moments."""
    assert desk.ticket().priority == "P3"
    said = " ".join(desk.last(ANA, "acknowledgement").text.split())
    assert "reference is DEV-1001" in said or "Its reference is DEV-1001" in said
    assert "Medium" in said
    assert "Wed 11 Nov 2026, 14:00 GMT" in said
    assert "Thu 19 Nov 2026, 13:00 GMT" in said


def test_safeguarding_is_urgent_at_once(desk):
    """The rule needs nobody to read the mail first."""
    desk.writes(ANA, "This is a safeguarding matter, please call.", to=HELP, subject="Please look")
    ticket = desk.ticket(1002)
    assert (ticket.priority, ticket.tags) == ("P1", ("safeguarding",))
    assert desk.due(1002)["first_response"] == "2026-11-09 11:00"


def test_mail_at_any_time_is_acknowledged_at_once_and_counts_from_the_next_morning(desk_at):
    """Mail is welcome around the clock; Saturday night starts on Monday at half past seven."""
    desk = desk_at("2026-11-07 22:00")
    desk.writes(ANA, "It does not start.", to=HELP)
    said = " ".join(desk.last(ANA, "acknowledgement").text.split())
    assert "closed at the moment and open again Mon 9 Nov 2026, 07:30 GMT" in said
    assert "Monday to Friday 07:30 to 17:00" in said
    assert desk.due() == {"first_response": "2026-11-11 12:30", "resolution": "2026-11-19 11:30"}


def test_the_promise_holds_over_the_change_of_the_clocks(desk_at):
    """On 25 October the clocks go back; 24 working hours from Friday, 14:30, are Wednesday, 10:00."""
    desk = desk_at("2026-10-23 14:30")
    desk.writes(ANA, "It does not start.", to=HELP)
    # 2.5 hours on Friday, 9.5 each on Monday and Tuesday, 2.5 on Wednesday
    assert desk.due()["first_response"] == "2026-10-28 10:00"


# -- statuses: whether the timer is on -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "status", "runs"),
    [
        ("#open", Status.OPEN, True),
        ("#pending", Status.PENDING, True),
        ("#wait", Status.WAITING, False),
        ("#third-party", Status.THIRD_PARTY, False),
        ("#resolve", Status.RESOLVED, False),
        ("#close", Status.CLOSED, False),
    ],
)
def test_the_clock_runs_by_status(desk, command, status, runs):
    """Open and pending count against the promise; waiting, a third party, resolved and closed do not."""
    desk.until("2026-11-09 10:00")
    desk.answer(KIM, f"{command}\n")
    assert desk.ticket().status is status
    desk.until("2026-11-09 13:00")
    assert desk.clocks().running is runs
    assert desk.clocks().resolution.used == (hours(4) if runs else hours(1))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("#open", "Being processed"),
        ("#pending", "Picked up"),
        ("#wait", "Awaiting your reply"),
        ("#third-party", "With a third party"),
        ("#resolve", "Resolved"),
        ("#close", "Closed"),
    ],
)
def test_a_customer_sees_the_status_in_words(desk, command, words):
    """STATUS is answered with the present state, and asking changes nothing."""
    desk.answer(KIM, f"{command}\n")
    status = desk.ticket().status
    desk.answers(desk.last(ANA, "acknowledgement"), ANA, "STATUS")
    assert f"- {words}" in desk.last(ANA, "status_answer").text
    assert desk.ticket().status is status


def test_waiting_puts_the_resolution_off_by_as_long_as_it_took(desk):
    """Kim asks on Monday at eleven, Ana answers on Tuesday at eleven: 9.5 working hours more."""
    desk.until("2026-11-09 11:00")
    desk.answer(KIM, "Which letters?")
    assert desk.due() == {}
    desk.until("2026-11-10 11:00")
    desk.answers(desk.last(ANA), ANA, "All of them.")
    assert desk.ticket().status is Status.OPEN
    assert desk.due() == {"resolution": "2026-11-20 13:00"}


def test_the_response_is_the_first_answer_of_a_person_and_not_the_acknowledgement(desk):
    """Two hours after it came in; the acknowledgement went out at once."""
    desk.until("2026-11-09 11:00")
    desk.answer(KIM, "Which letters?")
    measured = desk.measure()
    assert (measured.first_response_used, measured.first_response_kept) == (hours(2), True)


# -- silence -------------------------------------------------------------------------------------------


def test_a_silent_customer_is_reminded_after_24_and_72_hours_and_then_it_closes(desk):
    """Monday ten o'clock: Tuesday, Thursday, and closed on Friday; the last reminder has said so."""
    desk.until("2026-11-09 10:00")
    desk.answer(KIM, "Which letters?")
    desk.until("2026-11-20 10:00")
    assert desk.told(ANA, "reminder", "closed") == [
        ("reminder", "2026-11-10 10:00"),
        ("reminder", "2026-11-12 10:00"),
        ("closed", "2026-11-13 10:00"),
    ]
    assert "Fri 13 Nov 2026, 10:00 GMT" in desk.last(ANA, "reminder").text
    assert desk.ticket().status is Status.CLOSED


def test_reminders_keep_to_the_hours_of_the_team(desk):
    """Asked on Thursday at four: the second reminder would be due on Sunday, and goes out on Monday morning."""
    desk.until("2026-11-12 16:00")
    desk.answer(KIM, "Which letters?")
    desk.until("2026-11-30 10:00")
    assert desk.told(ANA, "reminder", "closed") == [
        ("reminder", "2026-11-13 16:00"),
        ("reminder", "2026-11-16 07:30"),
        ("closed", "2026-11-17 07:30"),
    ]


@pytest.mark.parametrize("when", ["2026-11-10 09:00", "2026-11-11 10:00", "2026-11-13 09:00"])
def test_an_answer_ends_the_reminders(desk, when):
    """Before the first, between the two, and in the last hour before it closes."""
    desk.until("2026-11-09 10:00")
    desk.answer(KIM, "Which letters?")
    desk.until(when)
    reminded = len(desk.told(ANA, "reminder"))
    desk.answers(desk.last(ANA, "answer"), ANA, "All of them.")
    desk.until("2026-11-25 10:00")
    assert len(desk.told(ANA, "reminder")) == reminded
    assert desk.ticket().status is Status.OPEN


def test_writing_again_opens_what_silence_has_closed(desk):
    """Just reply: the same number, the clock goes on and does not begin anew."""
    desk.until("2026-11-09 10:00")
    desk.answer(KIM, "Which letters?")
    desk.until("2026-11-16 09:00")
    assert desk.ticket().status is Status.CLOSED
    desk.answers(desk.last(ANA, "closed"), ANA, "I was away. All of them.")
    assert desk.ticket().status is Status.OPEN
    assert desk.clocks().reopened == 1
    assert desk.clocks().resolution.used == hours(1)
    assert desk.kinds(KIM)[-1] == "agent_reopened"


def test_a_solution_closes_after_72_hours_with_a_mail(desk):
    """Resolved on Monday at ten, told at once when it will close, and told again on Thursday at ten."""
    desk.until("2026-11-09 10:00")
    desk.answer(KIM, "#resolve\nA new keyboard is on its way.")
    assert "Thu 12 Nov 2026, 10:00 GMT" in desk.last(ANA, "resolved").text
    desk.until("2026-11-20 10:00")
    assert desk.told(ANA, "reminder", "resolved", "closed") == [
        ("resolved", "2026-11-09 10:00"),
        ("closed", "2026-11-12 10:00"),
    ]


def test_a_reply_to_a_solution_opens_it_again(desk):
    """It was not fixed: the clock goes on from where it stood."""
    desk.until("2026-11-09 10:00")
    desk.answer(KIM, "#resolve\nA new keyboard is on its way.")
    desk.until("2026-11-11 10:00")
    desk.answers(desk.last(ANA, "resolved"), ANA, "It types the same wrong letters.")
    assert desk.ticket().status is Status.OPEN
    # an hour was used, and 79 are left; the nineteen of the pause are given back
    assert desk.clocks().resolution.used == hours(1)
    assert desk.due() == {"resolution": "2026-11-23 13:00"}


# -- nobody has to ask, and the goal ---------------------------------------------------------------------


def test_the_lead_hears_of_a_broken_promise_and_the_agents_before_it_breaks(desk):
    """24 working hours: 80 % are used on Wednesday at 09:12, all of them at 14:00. Each is told once."""
    desk.until("2026-11-12 07:30")
    assert desk.told(KIM, "escalation") == [("escalation", "2026-11-11 09:12")]
    assert desk.told(LEE, "escalation") == [("escalation", "2026-11-11 09:12")]
    assert desk.told("lead@fenland.example", "escalation") == [("escalation", "2026-11-11 14:00")]


def test_the_report_compares_with_the_goal_of_95_percent(desk_at):
    """Twenty requests, nineteen answered in time: 95 %, which is the goal."""
    desk = desk_at(MONDAY)
    for number in range(20):
        desk.writes(f"user{number}@school{number}.example", "It does not start.", to=HELP)
    desk.until("2026-11-09 15:00")
    for number in range(1001, 1020):
        desk.answer(KIM, f"Please hold the power key, {number}.", number)
    desk.until("2026-11-12 10:00")
    desk.answer(KIM, "Sorry that it took so long.", 1020)
    total = desk.figures().total
    assert total.opened == 20
    assert (total.first_response_target.kept, total.first_response_target.missed) == (19, 1)
    assert total.first_response_target.share == total.goal == 0.95
    assert total.first_response.median == hours(6)
    assert "95 %" in text_report(desk.figures())
    assert [group.name for group in desk.figures().by["priority"]] == ["P3 Medium"]
