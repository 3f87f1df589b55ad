"""A complaint is read by those to whom it is routed, and by nobody else, whatever happens to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from mailtickets.desk.agreement import Organisation, Rule
from mailtickets.desk.calendar import Calendar
from mailtickets.desk.policy import AgentPolicy
from tests.desk.test_ladder_at_work import DESK, MONDAY, OFFICE
from tests.support.desk import KIM, LEE, Desk

ANA = "ana@customer.example"
MAX = AgentPolicy("max", "Max Ray", "max@desk.example")  # the account manager, no agent of the queue
RULE = Rule(1, subject=("complaint",), set_type="complaint")
POLICY = replace(
    DESK,
    rules=(RULE,),
    agents={**DESK.agents, "max": MAX},
    organisations={
        "customer": Organisation("customer", "Customer Ltd", ("customer.example",), account_manager="max")
    },
)


@pytest.fixture
def make(tmp_path):
    made = []

    def make(policy=POLICY, now=MONDAY, authserv_id=""):
        made.append(Desk(tmp_path, policy, authserv_id, now))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


def complains(desk, text="Lee was rude."):
    desk.writes(ANA, text, subject="complaint")


def seen_by_the_queue(desk):
    return [*desk.sent_to(KIM.email), *desk.sent_to(LEE.email)]


def test_the_ladder_of_the_queue_tells_nobody(make):
    """Neither time nor ESCALATE brings it to the agents it may be about."""
    desk = make()
    complains(desk)
    desk.answers(desk.last(ANA), ANA, "ESCALATE\nLee is still rude")
    desk.lives(timedelta(days=10), timedelta(hours=3))
    assert seen_by_the_queue(desk) == []
    assert "agent_new" in desk.kinds(MAX.email)


def test_who_is_on_call_is_not_called(make):
    """At night it waits for the account manager's morning."""
    agents = {**POLICY.agents, "max": replace(MAX, hours="office")}
    queue = replace(POLICY.queues["support"], on_call=("kim",), calendar="always")
    calendars = {"office": OFFICE, "always": Calendar("always", "UTC", (), always=True)}
    policy = replace(POLICY, agents=agents, queues={"support": queue}, calendars=calendars)
    desk = make(policy, now=datetime(2026, 3, 2, 22, 0, tzinfo=MONDAY.tzinfo))
    complains(desk)
    desk.lives(timedelta(hours=12))
    assert seen_by_the_queue(desk) == []
    assert desk.kinds(MAX.email) == ["agent_new"]


def test_a_late_answer_to_it_stays_a_complaint(make):
    """The new ticket that continues an old complaint is not shown to the queue."""
    desk = make()
    complains(desk)
    desk.answers(desk.last(MAX.email), MAX.email, "#close\nI am sorry for that.")
    desk.passes(timedelta(days=40))
    desk.answers(desk.last(ANA), ANA, "Lee did it again.", subject="Re: once more")
    assert desk.ticket(1002).type == "complaint"
    assert seen_by_the_queue(desk) == []


def test_the_queues_agents_have_no_key_to_it(make):
    """Asking about it by its reference gives neither its clocks nor a key."""
    desk = make()
    complains(desk)
    desk.writes(KIM.email, "#clock SUP-1001", subject="a question")
    (answer,) = desk.sent_to(KIM.email)
    assert "a1-1001" not in answer.text
    assert "complaint" not in answer.text.lower().replace("#type", "")


def test_a_plain_address_never_gets_its_own_mail_back(make):
    """The manager who is no agent writes to the desk: no copy, no loop."""
    organisation = replace(POLICY.organisations["customer"], account_manager="mgr@elsewhere.example")
    desk = make(replace(POLICY, organisations={"customer": organisation}))
    complains(desk)
    routed = desk.last("mgr@elsewhere.example")
    for _ in range(3):
        desk.answers(routed, "mgr@elsewhere.example", "I got your mail.")
    assert desk.kinds("mgr@elsewhere.example") == ["routed"]


def test_a_reader_who_cannot_be_reached_is_told_to_the_admins(make):
    """The only person to read a complaint bounces: that must not go unseen."""
    organisation = replace(POLICY.organisations["customer"], account_manager="mgr@elsewhere.example")
    desk = make(replace(POLICY, organisations={"customer": organisation}))
    complains(desk)
    desk.bounces(desk.last("mgr@elsewhere.example"), "mgr@elsewhere.example")
    assert "mgr@elsewhere.example" in desk.last("it@desk.example", "trouble").text


MANAGER = "mgr@elsewhere.example"
WITH_A_PLAIN_MANAGER = replace(
    POLICY, organisations={"customer": replace(POLICY.organisations["customer"], account_manager=MANAGER)}
)


def test_a_reader_who_is_no_agent_answers_by_their_own_mail(make):
    """The account manager's proven mail to the customer, with the desk in copy, is the response; nobody gets it again."""
    desk = make(WITH_A_PLAIN_MANAGER, authserv_id="mx.desk.example")
    complains(desk)
    routed = desk.last(MANAGER)
    desk.passes(timedelta(hours=2))
    sent = len(desk.sent)
    desk.answers(routed, MANAGER, "I shall talk to Lee.", to=ANA, cc="support@desk.example",
                 Authentication_Results="mx.desk.example; dmarc=pass header.from=elsewhere.example")  # fmt: skip
    assert "mail_out" in desk.history()
    assert desk.ticket().status == "waiting"
    assert desk.store.measures.row(1001).first_response_kept == 1
    assert len(desk.sent) == sent
    desk.lives(timedelta(days=10), timedelta(hours=3))
    assert "escalation" not in {mail.kind for mail in desk.sent}


def test_without_proof_such_an_answer_ends_the_clock_alone(make):
    """Where no sender can be proven it may be a stranger's: the desk repeats no word of it, and reminds nobody."""
    desk = make(WITH_A_PLAIN_MANAGER)
    complains(desk)
    desk.passes(timedelta(hours=2))
    sent = len(desk.sent)
    desk.answers(
        desk.last(ANA), MANAGER, "Pay 500 EUR at evil.example", quote=False, to=ANA, cc="support@desk.example"
    )
    assert desk.store.measures.row(1001).first_response_kept == 1
    assert desk.ticket().status == "open"
    desk.lives(timedelta(days=10), timedelta(hours=3))
    assert [mail for mail in desk.sent[sent:] if "evil" in mail.text or ANA in mail.recipients] == []


def test_where_senders_can_be_proven_a_claim_does_not_even_end_the_clock(make):
    """An unproven mail in the manager's name is anybody's, whoever it is for; nobody's text goes to the customer."""
    desk = make(WITH_A_PLAIN_MANAGER, authserv_id="mx.desk.example")
    complains(desk)
    sent = len(desk.sent)
    desk.answers(
        desk.last(ANA), MANAGER, "Pay 500 EUR at evil.example", quote=False, to=ANA, cc="support@desk.example"
    )
    assert "mail_out" not in desk.history()
    assert desk.ticket().status == "open"
    desk.lives(timedelta(days=10), timedelta(hours=3))
    assert [mail for mail in desk.sent[sent:] if "evil" in mail.text or ANA in mail.recipients] == []


def test_the_notice_says_that_only_its_reader_got_it(make):
    """So that nobody hands it on without a thought."""
    desk = make()
    complains(desk)
    text = " ".join(desk.last(MAX.email).text.split())
    assert "Complaint, not sent to the other agents" in text
    assert "Customer Ltd" in text
