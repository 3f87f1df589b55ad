"""A help desk for placement software: office hours, dates agreed case by case, contacts, wishes, complaints.

9 November 2026 is a Monday; the desk works 9:00 to 17:30 without English public holidays.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailtickets.desk.ticket import Status

DESK = "c-placements"
ANA, BEN, DORA = (
    "ana@westcliff.example",
    "ben@westcliff.example",
    "dora@westcliff.example",
)  # Dora is no contact
CORA, EVE = "cora@eastgate.example", "eve@eastgate.example"  # Eve is no contact
KIM, LEE = "kim@meadow.example", "lee@meadow.example"
ADA, SAM = "ada@meadow.example", "sam@meadow.example"
PARTNER = "partner@partner.example"
HELPDESK, SERVICES = "helpdesk@meadow.example", "customerservices@meadow.example"
MONDAY = "2026-11-09 10:00"
FAULT = "The list of students is sorted wrongly."


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def said(mail) -> str:
    """Return a mail's text without line breaks."""
    return " ".join(mail.text.split())


@pytest.fixture
def desk(desk_at):
    """It is Monday, ten in the morning."""
    return desk_at(MONDAY)


# -- priorities ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("came", "command", "due"),
    [
        ("2026-11-09 10:00", "#p1", "2026-11-09 14:00"),  # four office hours
        ("2026-11-09 16:00", "#p1", "2026-11-10 11:30"),
        ("2026-11-06 16:00", "#p1", "2026-11-09 11:30"),  # over a weekend
        ("2026-11-08 23:00", "#p1", "2026-11-09 13:00"),
        ("2026-12-24 16:00", "#p1", "2026-12-29 11:30"),  # over Christmas
        ("2026-11-09 10:00", "#p2", "2026-11-10 16:30"),  # fifteen: 7.5 on Monday, 7.5 on Tuesday
        ("2026-11-06 16:00", "#p2", "2026-11-10 14:00"),
    ],
)
def test_priority_1_is_resolved_within_four_and_2_within_fifteen_office_hours(desk_at, came, command, due):
    """From when it is reported, whenever an engineer gives it its priority."""
    desk = desk_at(came)
    desk.proven(ANA, FAULT, to=HELPDESK)
    desk.answer(KIM, f"{command}\n")
    assert desk.due() == {"resolution": due}


def test_priority_1_ends_when_the_engineer_reports_that_it_is_available_again(desk):
    """Resolved at 13:59 is in time, also if the customer looks at it later."""
    desk.proven(ANA, "We see nothing.", to=HELPDESK, subject="Placements are not available")
    assert desk.ticket().priority == "P1"
    assert "solved by Mon 9 Nov 2026, 14:00 GMT" in said(desk.last(ANA, "acknowledgement"))
    desk.until("2026-11-09 13:59")
    desk.answer(KIM, "#resolve\nIt is available again.")
    assert desk.measure().resolution_kept is True
    assert desk.measure().resolution_used == hours(4) - timedelta(minutes=1)


def test_an_engineer_is_assigned_at_once_and_hears_before_time_runs_out(desk):
    """Kim owns the first, Lee the second; 80 % of four hours is 13:12, and the account manager hears at 14:00."""
    desk.proven(ANA, "We see nothing.", to=HELPDESK, subject="Site is down")
    desk.proven(BEN, FAULT, to=HELPDESK)
    assert [desk.ticket(number).assignee for number in (1001, 1002)] == ["kim", "lee"]
    assert desk.kinds(LEE) == ["agent_new"]
    desk.until("2026-11-10 10:00")
    assert desk.told(KIM, "escalation") == [("escalation", "2026-11-09 13:12")]
    assert desk.told(ADA, "escalation") == [("escalation", "2026-11-09 14:00")]
    assert desk.told(LEE, "escalation") == []


def test_priority_3_has_no_target_until_a_date_is_agreed(desk):
    """`#due` takes its place, and the customer is told."""
    desk.proven(ANA, FAULT, to=HELPDESK)
    assert (desk.ticket().priority, desk.due()) == ("P3", {})
    desk.answer(KIM, "#due 2026-12-01\nWe put it into the release of December.")
    assert desk.due() == {"resolution": "2026-12-01 17:30"}  # the end of that working day
    assert "solved by Tue 1 Dec 2026, 17:30 GMT" in said(desk.sent_to(ANA)[-1])


@pytest.mark.parametrize(
    ("resolved", "kept"),
    [("2026-12-01 17:00", True), ("2026-12-01 17:30", True), ("2026-12-02 09:00", False)],
)
def test_an_agreed_date_is_kept_or_missed_like_a_target(desk, resolved, kept):
    """What was agreed counts in the figures."""
    desk.proven(ANA, FAULT, to=HELPDESK)
    desk.answer(KIM, "#due 2026-12-01\n#pending\nWe put it into the release of December.")
    assert desk.due() == {"resolution": "2026-12-01 17:30"}
    desk.until(resolved)
    desk.answer(KIM, "#resolve\nIt is in the release.")
    assert desk.measure().resolution_kept is kept
    assert desk.figures().total.resolution_target.kept == int(kept)


def test_an_agreed_date_is_watched_like_a_target(desk):
    """80 % of the office hours until then are Thursday the 26th; the date itself is the end of a day."""
    desk.proven(ANA, FAULT, to=HELPDESK)
    desk.answer(KIM, "#due 2026-12-01\n#pending\nWe put it into the release of December.")
    desk.until("2026-12-04 10:00")
    assert desk.told(KIM, "escalation") == [("escalation", "2026-11-26 14:18")]
    assert desk.told(ADA, "escalation") == [("escalation", "2026-12-02 09:00")]


def test_priority_4_is_recorded_without_target(desk):
    """Nothing is due, nothing is promised, nobody is warned; the times are kept all the same."""
    desk.proven(ANA, "Third-party software of ours fails with your export.", to=HELPDESK)
    assert (desk.ticket().priority, desk.due()) == ("P4", {})
    assert "solved by" not in said(desk.last(ANA, "acknowledgement"))
    desk.until("2026-11-20 10:00")
    assert desk.told(KIM, "escalation") == []
    desk.answer(KIM, "#resolve\nPlease ask the maker of that software.")
    measured = desk.measure()
    assert (measured.resolution_kept, measured.resolution_due) == (None, None)
    assert measured.resolution_used == hours(8.5 * 9)


def test_a_workaround_is_an_interim_resolution(desk):
    """The clock of priority 2 ends with it, and the ticket stays open for the real solution."""
    desk.proven(ANA, FAULT, to=HELPDESK)
    desk.answer(KIM, "#p2\n")
    desk.until("2026-11-10 16:00")
    desk.answer(KIM, "#workaround\n#pending\nSort it by hand with the arrow above the list.")
    assert desk.ticket().status is Status.PENDING
    measured = desk.measure()
    assert (measured.interim, measured.resolution_kept, desk.due()) == (True, True, {})
    desk.until("2026-11-12 12:00")
    desk.answer(KIM, "#resolve\nThe list sorts itself again.")
    assert desk.measure().resolution_used == hours(14.5)
    assert desk.figures().total.interim == 1


# -- the acknowledgement -----------------------------------------------------------------------------------


def test_the_acknowledgement_of_a_short_mail_asks_for_the_eight_things(desk):
    """All eight lines, in their order; a mail that says enough is not asked."""
    desk.proven(ANA, FAULT, to=HELPDESK)
    lines = list(desk.config.queues["helpdesk"].ask_for)
    text = said(desk.last(ANA, "acknowledgement"))
    assert len(lines) == 8
    places = [text.index(f"- {line}") for line in lines]
    assert places == sorted(places)
    desk.proven(BEN, FAULT * 20, to=HELPDESK)
    assert "URL" not in desk.last(BEN, "acknowledgement").text


def test_the_acknowledgement_says_what_the_priorities_mean(desk):
    """An incident's priority is ours to give; how we give it is no secret."""
    desk.proven(ANA, FAULT, to=HELPDESK)
    text = said(desk.last(ANA, "acknowledgement"))
    assert "Its priority is Level 3." in text
    assert "- Level 1: the product, or a material part of it, is not available at all" in text
    assert "- Level 4: recorded only" in text


# -- designated contacts -----------------------------------------------------------------------------------


def test_others_are_told_who_their_contacts_are(desk):
    """Dora's mail is kept, and she hears through whom to go; the agents see it."""
    desk.proven(DORA, FAULT, to=HELPDESK)
    text = said(desk.last(DORA, "acknowledgement"))
    assert f"{ANA}, {BEN}" in text
    assert "go through them" in text
    assert desk.ticket().status is Status.OPEN
    assert f"{DORA} is not a designated contact of Westcliff University" in said(desk.last(KIM))


def test_a_contact_is_told_nothing_of_the_kind(desk):
    """Ana may write."""
    desk.proven(ANA, FAULT, to=HELPDESK)
    assert "go through them" not in said(desk.last(ANA))
    assert "designated" not in said(desk.last(KIM))


def test_names_are_told_to_proven_senders_only(desk):
    """Whoever only claims to be of the university learns nobody's address."""
    desk.writes(DORA, FAULT, to=HELPDESK)
    assert ANA not in desk.last(DORA, "acknowledgement").text


def test_after_the_end_of_the_agreement_mail_is_kept_and_shown_to_the_account_manager(desk_at):
    """The college's agreement ended on 30 November; the day itself still counts."""
    desk = desk_at("2026-11-30 16:00")
    desk.proven(CORA, FAULT, to=HELPDESK)
    assert desk.ticket().tags == ()
    desk.until("2026-12-01 10:00")
    desk.proven(CORA, "And another one.", to=HELPDESK, subject="Export")
    assert desk.ticket(1002).tags == ("expired",)
    assert "the agreement with Eastgate College ended on 2026-11-30".lower() in said(desk.last(LEE)).lower()
    assert PARTNER in [address for mail in desk.sent for address in mail.recipients]


def test_an_account_manager_who_is_an_agent_sees_it_too_though_an_engineer_is_assigned(desk_at):
    """The university's agreement ended on 31 July 2027, a Saturday."""
    desk = desk_at("2027-08-02 10:00")
    desk.proven(ANA, FAULT, to=HELPDESK)
    assert desk.ticket().assignee == "kim"
    assert desk.kinds(KIM) == desk.kinds(ADA) == ["agent_new"]


# -- wishes ------------------------------------------------------------------------------------------------


def test_a_wish_goes_to_the_account_manager_who_is_an_agent(desk):
    """Ada gets it and answers by mail; the help desk does not get it; the customer is told; no clock runs."""
    desk.proven(ANA, "Would it be possible to add a map?", to=HELPDESK, subject="Map")
    assert desk.ticket().type == "enhancement"
    assert (desk.kinds(ADA), desk.kinds(KIM), desk.kinds(LEE)) == (["agent_new"], [], [])
    assert desk.ticket().assignee == ""  # it is not dealt out to an engineer
    text = said(desk.last(ANA, "acknowledgement"))
    assert "goes to your account manager, who will come back to you" in text
    assert "URL" not in text
    assert "priority" not in text
    desk.until("2026-11-23 10:00")
    assert (desk.due(), desk.told(ADA, "escalation")) == ({}, [])
    desk.answer(ADA, "Let us talk about it on Friday.")
    assert desk.kinds(ANA)[-1] == "answer"


def test_a_wish_is_neither_reminded_of_nor_closed(desk):
    """Silence means nothing here."""
    desk.proven(ANA, "Would it be possible to add a map?", to=HELPDESK)
    desk.answer(ADA, "Which kind of map?")
    desk.until("2027-01-11 10:00")
    assert desk.told(ANA, "reminder", "closed") == []
    assert desk.ticket().status is Status.WAITING


def test_a_wish_goes_to_an_account_manager_who_works_elsewhere(desk):
    """The partner gets the words and no rights over the ticket."""
    desk.proven(CORA, "A feature request: a map.", to=HELPDESK, subject="Map")
    mail = desk.last(PARTNER)
    assert (mail.kind, "Ref: " in mail.text) == ("routed", False)
    assert "A feature request: a map." in mail.text
    assert desk.kinds(KIM) == desk.kinds(LEE) == []


def test_an_agent_passes_on_what_turns_out_to_be_a_wish(desk):
    """`#type enhancement`: the account manager gets it, the customer is told, the clock ends."""
    desk.proven(ANA, "The map is missing.", to=HELPDESK)
    desk.answer(KIM, "#p2\n")
    desk.answer(KIM, "#type enhancement\n")
    assert desk.ticket().type == "enhancement"
    assert desk.due() == {}
    assert len(desk.sent_to(ADA)) == 1
    assert "account manager" in said(desk.sent_to(ANA)[-1])


def test_the_user_groups_wishes_go_first(desk):
    """The highest priority, and a label."""
    desk.proven("ulla@usergroup.example", "New feature: a map.", to=HELPDESK)
    ticket = desk.ticket()
    assert (ticket.type, ticket.priority, ticket.tags) == ("enhancement", "P1", ("user-group",))


# -- complaints --------------------------------------------------------------------------------------------


def test_a_complaint_goes_to_the_account_manager_and_nobody_else(desk):
    """The customer hears who reads it, until when it is answered, and where it can be taken further."""
    desk.proven(ANA, "Nobody ever answers.", to=HELPDESK, subject="Complaint about the service")
    assert desk.ticket().type == "complaint"
    assert (desk.kinds(ADA), desk.kinds(KIM), desk.kinds(LEE), desk.kinds(SAM)) == (["agent_new"], [], [], [])
    assert desk.ticket().assignee == ""
    text = said(desk.last(ANA, "acknowledgement"))
    assert "goes to your account manager and to nobody else" in text
    assert f"Customer Services Manager: {SERVICES}" in text
    assert "by Mon 16 Nov 2026, 10:00 GMT" in text
    assert "priority" not in text


def test_a_complaint_about_a_fault_is_an_incident(desk):
    """The help desk gets it, with a priority."""
    desk.proven(ANA, "There is an error message on every page.", to=HELPDESK, subject="Complaint")
    assert desk.ticket().type == "incident"
    assert (desk.kinds(KIM), desk.kinds(ADA)) == (["agent_new"], [])


def test_a_dispute_about_a_domain_is_told_the_policy(desk):
    """A type with words of its own, and nothing else that is different."""
    desk.proven(ANA, "This is about a domain dispute.", to=HELPDESK)
    text = said(desk.last(ANA, "acknowledgement"))
    assert "https://www.meadow.example/domain-disputes" in text
    assert "URL" not in text
    assert desk.kinds(KIM) == ["agent_new"]


@pytest.mark.parametrize(
    ("came", "due"),
    [
        ("2026-11-09 10:00", "2026-11-16 10:00"),
        ("2026-11-07 12:00", "2026-11-13 17:30"),  # on a Saturday
        ("2026-12-22 10:00", "2026-12-31 10:00"),  # Christmas Day and the 28th are no working days
    ],
)
def test_a_complaint_is_answered_within_five_working_days(desk_at, came, due):
    """Whatever its priority; the resolution has no target."""
    desk = desk_at(came)
    desk.proven(ANA, "Nobody ever answers.", to=HELPDESK, subject="Complaint")
    assert desk.due() == {"first_response": due}


def test_a_complaint_has_a_ladder_of_its_own(desk):
    """The Customer Services Manager hears when the five days are nearly over, when they are, and on request."""
    desk.proven(ANA, "Nobody ever answers.", to=HELPDESK, subject="Complaint")
    desk.until("2026-11-17 10:00")
    assert desk.told(SAM) == [("escalation", "2026-11-13 10:00"), ("escalation", "2026-11-16 10:00")]


def test_a_customer_takes_a_complaint_further_by_the_one_word(desk):
    """ESCALATE reaches the Customer Services Manager, and the customer is told so."""
    desk.proven(ANA, "Nobody ever answers.", to=HELPDESK, subject="Complaint")
    desk.answers(desk.last(ANA), ANA, "ESCALATE")
    assert desk.told(SAM) == [("escalation", MONDAY)]
    assert "Sam Reed" in said(desk.sent_to(ANA)[-1])


def test_a_complaint_is_never_closed_by_silence(desk):
    """An answered complaint waits for the customer as long as it takes."""
    desk.proven(ANA, "Nobody ever answers.", to=HELPDESK, subject="Complaint")
    desk.answer(ADA, "I am sorry. May I call you?")
    desk.until("2027-02-15 10:00")
    assert (desk.ticket().status, desk.told(ANA, "reminder", "closed")) == (Status.WAITING, [])


def test_the_customer_services_manager_gets_what_is_taken_further(desk):
    """By the address that the acknowledgement names: to Sam alone, five working days again."""
    desk.proven(ANA, "Still nobody answers.", to=SERVICES, subject="My complaint")
    assert desk.ticket().type == "escalated_complaint"
    assert (desk.kinds(SAM), desk.kinds(ADA), desk.kinds(KIM)) == (["agent_new"], [], [])
    assert desk.due() == {"first_response": "2026-11-16 10:00"}
    assert "goes to our Customer Services Manager and to nobody else" in said(desk.last(ANA))


# -- what is kept ------------------------------------------------------------------------------------------


def test_incidents_and_their_times_are_kept(desk):
    """After more than three months, a restart and other traffic all is there: nothing is ever deleted."""
    desk.proven(ANA, "We see nothing.", to=HELPDESK, subject="Site is down")
    desk.until("2026-11-09 12:00")
    desk.answer(KIM, "#resolve\nIt is available again.")
    desk.until("2027-03-15 10:00")
    desk.proven(BEN, FAULT, to=HELPDESK)
    desk.restart()
    ticket = desk.ticket()
    assert (ticket.status, ticket.priority, ticket.organisation) == (Status.CLOSED, "P1", "university")
    assert desk.local(ticket.created_at) == MONDAY
    assert desk.measure().resolution_used == hours(2)
    assert [line.kind for line in desk.entries()].count("status") == 2
    figures = desk.figures("year").total
    assert figures.opened == 1
    assert figures.resolution.median == hours(2)
