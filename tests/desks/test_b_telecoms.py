"""A service desk for telephone lines: answers and news by priority, office hours or around the clock, a ladder.

9 November 2026 is a Monday. The desk works 9:00 to 17:30 without English public holidays; in 2026 Good Friday is
3 April and Easter Monday the 6th, 25 and 28 December are closed.
"""

from __future__ import annotations

import pytest

from mailtickets.desk.ticket import Status

DESK = "b-telecoms"
ANA = "ana@bakery.example"  # office hours
HAL = "hal@hospital.example"  # everything around the clock
POL = "pol@harbour.example"  # technical support around the clock
KIM, NORA, LEE = "kim@boreal.example", "nora@boreal.example", "lee@boreal.example"
SUPPORT, BILLING = "support@boreal.example", "billing@boreal.example"
MANAGER, CARE = "ada@boreal.example", "care@boreal.example"
MONDAY = "2026-11-09 10:00"
WORDS = {
    "P1": "Total loss of service in the shop.",
    "P2": "Some lines are dead.",
    "P3": "How do I set a password?",
}


@pytest.fixture
def desk(desk_at):
    """It is Monday, ten in the morning."""
    return desk_at(MONDAY)


# -- first answer and news, by priority and hours ----------------------------------------------------


@pytest.mark.parametrize(
    ("writer", "came", "priority", "due"),
    [
        (ANA, "2026-11-09 10:00", "P1", "2026-11-09 10:30"),  # 30 minutes
        (ANA, "2026-11-09 10:00", "P2", "2026-11-09 12:00"),  # 2 hours
        (ANA, "2026-11-09 10:00", "P3", "2026-11-10 10:00"),  # 24 hours: a working day
        (ANA, "2026-11-09 17:20", "P1", "2026-11-10 09:20"),  # ten minutes today, twenty tomorrow
        (ANA, "2026-11-06 17:00", "P2", "2026-11-09 10:30"),  # over a weekend
        (ANA, "2026-11-06 12:00", "P3", "2026-11-09 12:00"),
        (ANA, "2026-11-07 22:00", "P1", "2026-11-09 09:30"),  # Saturday night
        (ANA, "2026-04-02 17:00", "P2", "2026-04-07 10:30"),  # over Easter: four days closed
        (ANA, "2026-04-02 12:00", "P3", "2026-04-07 12:00"),
        (ANA, "2026-12-24 17:15", "P1", "2026-12-29 09:15"),  # over Christmas
        (HAL, "2026-11-07 22:00", "P1", "2026-11-07 22:30"),  # Saturday night, around the clock
        (HAL, "2026-12-25 03:00", "P2", "2026-12-25 05:00"),
        (HAL, "2026-04-02 12:00", "P3", "2026-04-03 12:00"),  # Good Friday
        (POL, "2026-11-07 22:00", "P1", "2026-11-07 22:30"),
    ],
)
def test_the_first_answer_is_promised_by_priority_in_the_hours_of_the_customer(
    desk_at, writer, came, priority, due
):
    """30 minutes, 2 hours, 24 hours: in office hours without public holidays, or around the clock."""
    desk = desk_at(came)
    desk.writes(writer, WORDS[priority], to=SUPPORT, subject="Lines")
    assert desk.ticket().priority == priority
    assert desk.due() == {"first_response": due}


def test_wishes_are_answered_within_48_hours_and_get_no_news(desk):
    """P4 is two working days, and nothing after that; no priority has a promise for the solution."""
    desk.writes(ANA, "Could we have another ring tone?", to=SUPPORT)
    desk.answer(KIM, "#p4\n")
    assert desk.due() == {"first_response": "2026-11-11 10:00"}
    desk.answer(KIM, "#pending\nWe will look at it.")
    assert desk.due() == {}
    assert desk.clocks().resolution.allowed is None


@pytest.mark.parametrize(
    ("writer", "answered", "priority", "news"),
    [
        (ANA, "2026-11-09 10:20", "P1", "2026-11-09 11:20"),  # every 60 minutes
        (ANA, "2026-11-09 17:00", "P1", "2026-11-10 09:30"),
        (ANA, "2026-11-09 11:00", "P2", "2026-11-09 15:00"),  # four-hourly
        (ANA, "2026-11-09 16:00", "P2", "2026-11-10 11:30"),
        (ANA, "2026-11-09 16:00", "P3", "2026-11-10 16:00"),  # daily
        (HAL, "2026-11-09 23:30", "P1", "2026-11-10 00:30"),
        (HAL, "2026-11-13 16:00", "P3", "2026-11-14 16:00"),
    ],
)
def test_news_is_promised_by_priority(desk, writer, answered, priority, news):
    """Every 60 minutes, four-hourly, daily: from the last answer, while the next move is ours."""
    desk.writes(writer, WORDS[priority], to=SUPPORT, subject="Lines")
    desk.until(answered)
    desk.answer(KIM, "We are looking for the fault.")
    assert desk.ticket().status is Status.PENDING
    assert desk.due() == {"update": news}


def test_each_news_starts_the_next_hour_and_the_report_counts_which_were_in_time(desk):
    """News at 10:20, 11:10 (in time), 12:30 (20 minutes late)."""
    desk.writes(ANA, WORDS["P1"], to=SUPPORT)
    for when, text in (("10:20", "We look."), ("11:10", "We found it."), ("12:30", "We mend it.")):
        desk.until(f"2026-11-09 {when}")
        desk.answer(KIM, text)
    assert desk.due() == {"update": "2026-11-09 13:30"}
    updates = desk.figures().total.updates
    assert (updates.kept, updates.missed) == (1, 1)


def test_a_question_to_the_customer_stops_the_clocks(desk):
    """What asks something makes the ticket wait; the customer's answer starts them again."""
    desk.writes(ANA, WORDS["P1"], to=SUPPORT)
    desk.until("2026-11-09 10:10")
    desk.answer(KIM, "Is the lamp on the box green?")
    assert (desk.ticket().status, desk.due()) == (Status.WAITING, {})
    desk.until("2026-11-09 12:00")
    desk.answers(desk.last(ANA), ANA, "It is red.")
    assert desk.due() == {"update": "2026-11-09 13:00"}


def test_around_the_clock_can_be_for_technical_products_only(desk_at):
    """The harbour's fault is answered on Saturday night, its invoice on Monday; the hospital's both at night."""
    desk = desk_at("2026-11-07 22:00")
    desk.writes(POL, WORDS["P1"], to=SUPPORT)
    desk.writes(POL, "My invoice is wrong.", to=BILLING)
    desk.writes(HAL, "My invoice is wrong.", to=BILLING)
    assert desk.due(1001) == {"first_response": "2026-11-07 22:30"}
    assert desk.due(1002) == {"first_response": "2026-11-09 17:30"}
    assert desk.due(1003) == {"first_response": "2026-11-08 22:00"}


def test_at_night_the_one_on_call_is_told_for_customers_around_the_clock_only(desk_at):
    """Nora is called for the hospital; what the bakery wrote reaches both when their hours begin."""
    desk = desk_at("2026-11-07 22:00")
    desk.writes(ANA, WORDS["P1"], to=SUPPORT)
    desk.writes(HAL, WORDS["P1"], to=SUPPORT)
    assert desk.told(NORA) == [("agent_new", "2026-11-07 22:00")]
    assert "SUP-1002" in desk.last(NORA)["Subject"]
    assert desk.told(KIM) == []
    desk.until("2026-11-09 09:00")
    assert desk.told(NORA, "agent_new")[1:] == [("agent_new", "2026-11-09 09:00")]
    assert desk.told(KIM, "agent_new") == [("agent_new", "2026-11-09 09:00")] * 2


def test_the_acknowledgement_says_when_somebody_answers_and_when_the_desk_opens(desk_at):
    """For the bakery on Saturday night; for the hospital the desk is never closed."""
    desk = desk_at("2026-11-07 22:00")
    desk.writes(ANA, WORDS["P1"], to=SUPPORT)
    desk.writes(HAL, WORDS["P1"], to=SUPPORT)
    bakery = " ".join(desk.last(ANA).text.split())
    assert "by Mon 9 Nov 2026, 09:30 GMT" in bakery
    assert "open again Mon 9 Nov 2026, 09:00 GMT" in bakery
    assert "09:00 to 17:30 (Europe/London), closed on public holidays" in bakery
    assert "- Your account number" in bakery
    hospital = " ".join(desk.last(HAL).text.split())
    assert "by Sat 7 Nov 2026, 22:30 GMT" in hospital
    assert "closed" not in hospital


# -- the clock starts when the mail reaches the desk ---------------------------------------------------


def test_a_mail_to_somebodys_own_inbox_counts_from_when_it_is_forwarded(desk):
    """Ana wrote to her account manager on Friday; Ada forwards it on Monday at ten, and the clock starts there."""
    raw = desk.mail(
        MANAGER, "Please look.\n\n---- Forwarded ----\nDate: Fri, 6 Nov 2026 11:00\nTotal loss of service.",
        to=SUPPORT, subject="Fwd: Lines", Resent_Date="Fri, 6 Nov 2026 11:00:00 +0000",
    )  # fmt: skip
    raw = raw.replace(b"Date: Mon, 09 Nov 2026", b"Date: Fri, 06 Nov 2026")
    desk.receives(raw)
    assert desk.local(desk.ticket().created_at) == "2026-11-09 10:00"
    assert desk.ticket().priority == "P1"
    assert desk.due() == {"first_response": "2026-11-09 10:30"}


def test_the_clock_starts_when_the_mail_reached_the_mailbox_and_not_when_the_desk_read_it(desk):
    """It came at 9:40 while the program was stopped: twenty of the thirty minutes are gone at ten."""
    desk.reached(desk.mail(ANA, WORDS["P1"], to=SUPPORT), "2026-11-09 09:40")
    assert desk.due() == {"first_response": "2026-11-09 10:10"}


# -- silence ---------------------------------------------------------------------------------------------


def test_we_try_for_72_hours_after_our_last_contact_and_then_close(desk):
    """Two mails on the way, then it closes by itself."""
    desk.writes(ANA, WORDS["P3"], to=SUPPORT)
    desk.answer(KIM, "Which password?")
    desk.until("2026-11-20 10:00")
    assert desk.told(ANA, "reminder", "closed") == [
        ("reminder", "2026-11-10 10:00"),
        ("reminder", "2026-11-11 10:00"),
        ("closed", "2026-11-12 10:00"),
    ]
    assert desk.ticket().status is Status.CLOSED


def test_each_contact_starts_the_72_hours_again(desk):
    """Kim asks again on Wednesday morning; it closes on Saturday at the earliest, so on Monday."""
    desk.writes(ANA, WORDS["P3"], to=SUPPORT)
    desk.answer(KIM, "Which password?")
    desk.until("2026-11-11 09:30")
    desk.answer(KIM, "Did you get my question?")
    desk.until("2026-11-27 10:00")
    assert desk.told(ANA, "closed") == [("closed", "2026-11-16 09:00")]


def test_a_customer_closes_by_writing_so(desk):
    """Back in the chain with the outcome: CLOSE."""
    desk.writes(ANA, WORDS["P3"], to=SUPPORT)
    desk.answer(KIM, "Did the link work?")
    desk.answers(desk.last(ANA), ANA, "CLOSE\n\nThanks\nAna")
    assert desk.ticket().status is Status.CLOSED
    assert desk.kinds(ANA)[-1] == "closed"


@pytest.mark.parametrize("when", ["2026-11-13 10:00", "2027-01-11 10:00", "2028-11-09 10:00"])
def test_a_reply_always_reopens(desk, when):
    """A day, two months and two years later: the same number."""
    desk.writes(ANA, WORDS["P3"], to=SUPPORT)
    desk.answer(KIM, "Which password?")
    desk.until(when)
    assert desk.ticket().status is Status.CLOSED
    desk.answers(desk.last(ANA, "closed"), ANA, "It has come back.")
    assert desk.ticket().status is Status.OPEN


# -- the ladder ------------------------------------------------------------------------------------------

LADDERS = {
    SUPPORT: [
        ("Account Manager", MANAGER),
        ("Customer Experience Manager", CARE),
        ("Head of Infrastructure", "infrastructure@boreal.example"),
        ("Managing Director, Operations", "operations@boreal.example"),
    ],
    BILLING: [
        ("Account Manager", MANAGER),
        ("Customer Experience Manager", CARE),
        ("Head of Finance", "finance@boreal.example"),
        ("Managing Director, Finance", "md-finance@boreal.example"),
    ],
}


HOURS = ("2026-11-09 11:00", "2026-11-09 15:00", "2026-11-10 09:00", "2026-11-10 13:00")


@pytest.fixture
def unhappy(desk):
    """Ana has a ticket in each department, answered, with nothing due; she is not satisfied."""
    for number, (address, agent) in enumerate(((SUPPORT, KIM), (BILLING, LEE)), start=1001):
        desk.proven(ANA, "Nothing happens.", to=address)
        assert "ESCALATE" in desk.last(ANA, "acknowledgement").text
        desk.answer(agent, "#p4\n#pending\nWe will look at it.", number)
    return desk


def escalates(desk, number):
    """Ana answers the acknowledgement of a ticket with the one word."""
    desk.replies(desk.sent_to(ANA)[0 if number == 1001 else 2], ANA, "ESCALATE")


@pytest.mark.parametrize(("number", "address"), [(1001, SUPPORT), (1002, BILLING)])
def test_a_customer_asks_for_escalation_and_the_next_of_four_is_told_each_time(unhappy, number, address):
    """Four named rungs per department, one after the other; the customer is told who has been told."""
    people = ["Ada Vale", "Cleo Care", "Ines Wire", "Otto North"]
    if address == BILLING:
        people[2:] = ["Fay Ledger", "Mo South"]
    for (rung, told_address), hour, person in zip(LADDERS[address], HOURS, people, strict=True):
        unhappy.until(hour)
        escalates(unhappy, number)
        assert unhappy.told(told_address, "escalation") == [("escalation", hour)]
        assert f"{rung}: escalation was asked for" in unhappy.last(told_address, "escalation").text
        answered = unhappy.last(ANA, "escalated")
        assert (answered.at, person in answered.text) == (hour, True)
        assert told_address not in answered.text


def test_who_is_no_agent_gets_no_rights_by_being_told(unhappy):
    """The account manager is one and may act; the others read it and telephone."""
    for hour in HOURS:
        unhappy.until(hour)
        escalates(unhappy, 1001)
    may = {person: "Ref: " in unhappy.last(person, "escalation").text for _, person in LADDERS[SUPPORT]}
    assert list(may.values()) == [True, False, False, False]


def test_at_the_end_of_the_ladder_the_last_one_is_told_again(unhappy):
    """Asking a fifth time is not lost."""
    for hour in (*HOURS, "2026-11-10 17:00"):
        unhappy.until(hour)
        escalates(unhappy, 1001)
    assert unhappy.told("operations@boreal.example") == [
        ("escalation", "2026-11-10 13:00"),
        ("escalation", "2026-11-10 17:00"),
    ]


def test_asking_twice_within_the_hour_wakes_nobody_twice(unhappy):
    """The second answer says who knows, and since when; the next rung is for later."""
    unhappy.until(HOURS[0])
    escalates(unhappy, 1001)
    unhappy.until("2026-11-09 11:30")
    escalates(unhappy, 1001)
    assert len(unhappy.told(MANAGER)) == 1
    assert unhappy.told(CARE) == []
    assert "Ada Vale heard of it on Mon 9 Nov 2026, 11:00 GMT" in " ".join(
        unhappy.sent_to(ANA)[-1].text.split()
    )


def test_an_agent_asks_for_escalation_in_the_customers_name(desk):
    """Asked on the telephone: `#escalate` with the reason, which the person reads."""
    desk.writes(ANA, "Nothing happens.", to=SUPPORT)
    desk.answer(KIM, "#escalate Ana is not happy with the priority\n")
    told = desk.last(MANAGER, "escalation")
    assert "Ana is not happy with the priority" in told.text
    assert desk.told(ANA, "answer") == []


def test_the_service_manager_hears_of_a_broken_promise_by_herself(desk):
    """P1 without an answer after 30 minutes: one mail, at that minute, with the telephone number nowhere to a customer."""
    desk.writes(ANA, WORDS["P1"], to=SUPPORT)
    desk.until("2026-11-09 17:30")
    assert desk.told(CARE) == [("escalation", "2026-11-09 10:30")]
    assert desk.told(MANAGER) == []
    assert not any("01632" in mail.text for mail in desk.sent_to(ANA))


def test_a_broken_promise_at_night_is_told_at_night_where_the_customer_is_around_the_clock(desk_at):
    """The hospital's thirty minutes end at half past ten on Saturday night."""
    desk = desk_at("2026-11-07 22:00")
    desk.writes(HAL, WORDS["P1"], to=SUPPORT)
    desk.until("2026-11-08 09:00")
    assert desk.told(CARE) == [("escalation", "2026-11-07 22:30")]
