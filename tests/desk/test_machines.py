"""Machines: bounces, receipts, automatic replies. None is ever answered, none reopens, none stops a timer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtickets.transport.fate import Refusal, Rejected, Sent
from tests.support.desk import POLICY, START, SUPPORT

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def answered(desk):
    """A desk with ticket 1001 of Ana's and Bob's, answered by Kim."""
    desk.writes("ana@customer.example", "It burns.", cc="bob@customer.example")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Water?\n")
    return desk


def bounced(desk, address):
    return desk.store.facts._person(address).bounced


def test_a_bounce_of_the_acknowledgement_lands_on_its_ticket(desk):
    """Case 52: the address is marked, the agents are told, no ticket is opened, nobody is answered."""
    desk.writes("ana@customer.example", "It burns.")
    desk.bounces(desk.last("ana@customer.example"), "ana@customer.example")
    assert desk.history()[-1] == "bounced"
    assert bounced(desk, "ana@customer.example")
    assert desk.kinds("kim@desk.example") == ["agent_new", "agent_event"]
    assert desk.kinds("ana@customer.example") == ["acknowledgement"]
    assert desk.ticket(1002) is None


def test_the_agents_read_which_mail_came_back_and_what_stops(desk):
    """By its subject, in text and HTML; whoever answers knows that this address fails."""
    desk.writes("ana@customer.example", "It burns.")
    ack = desk.last("ana@customer.example")
    report = desk.report(ack["Message-ID"], "ana@customer.example")
    desk.receives(report.replace(b"\n--b--", b"Subject: [SUP-1001] =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\n--b--"))
    told = desk.last("kim@desk.example")
    text = " ".join(told.text.split())
    assert (
        'It was "[SUP-1001] Grüße". No automatic mail goes to ana@customer.example until its owner writes again.'
        in text
    )
    assert "writes to the customer, also to the address that fails;" in text
    assert "Grüße" in told.html
    assert "also to the address that fails;" in told.html


def test_a_bounced_reminder_stops_the_silence(desk):
    """No further reminder, no closing: the ticket is open and the agent knows."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Water?\n")
    desk.lives(25 * HOUR, HOUR)
    desk.bounces(desk.last("ana@customer.example"), "ana@customer.example")
    desk.lives(10 * DAY, HOUR)
    assert desk.ticket().status == "open"
    assert desk.kinds("ana@customer.example") == ["acknowledgement", "answer", "reminder"]
    assert desk.kinds("kim@desk.example")[-1] == "agent_event"


def test_one_of_two_participants_bounces_and_the_other_is_served(answered):
    """Case 61: reminders go on to the one who can be reached."""
    answered.bounces(answered.last("ana@customer.example"), "bob@customer.example")
    answered.lives(25 * HOUR, HOUR)
    assert answered.last("ana@customer.example").kind == "reminder"
    assert "reminder" not in answered.kinds("bob@customer.example")


def test_a_delay_is_noted_and_marks_nobody(answered):
    """Case 53: the server keeps trying."""
    answered.bounces(
        answered.last("ana@customer.example"), "ana@customer.example", action="delayed", status="4.4.1"
    )
    assert answered.history()[-1] == "delayed"
    assert not bounced(answered, "ana@customer.example")
    assert answered.ticket().status == "waiting"


def test_a_forged_bounce_marks_nobody(answered):
    """Without one of our ids it is a report without a ticket; with one, only people of that ticket count."""
    answered.receives(answered.report("<id7.t1-1001-aaaaaaaaaaaaaaaa@desk.example>", "ana@customer.example"))
    assert answered.copies()[-1][:2] == ("ignored", "report without a ticket")
    assert not bounced(answered, "ana@customer.example")
    answered.bounces(answered.last("ana@customer.example"), "carl@other.example")
    assert not bounced(answered, "carl@other.example")


def test_a_person_who_writes_again_is_marked_no_more(answered):
    """The address works."""
    answered.bounces(answered.last("ana@customer.example"), "ana@customer.example")
    answered.writes("ana@customer.example", "Here I am.", subject="[SUP-1001]")
    assert not bounced(answered, "ana@customer.example")


def test_a_bounce_to_an_agent_tells_the_admins(desk):
    """An agent who gets no notices is trouble; the ticket goes on."""
    desk.writes("ana@customer.example", "It burns.")
    desk.bounces(desk.last("kim@desk.example"), "kim@desk.example")
    assert desk.kinds("it@desk.example") == ["trouble"]
    assert desk.ticket().status == "open"


def test_a_customers_report_marks_no_agent(desk):
    """Eve knows the mail that she got herself, and nothing of the agents'."""
    desk.writes("eve@evil.example", "It burns.")
    desk.bounces(desk.last("eve@evil.example"), "lee@desk.example")
    assert not bounced(desk, "lee@desk.example")
    assert desk.kinds("it@desk.example") == []


@pytest.fixture
def two_queues(desk):
    """Kim answers support, lee billing; ana's ticket is support's."""
    billing = replace(SUPPORT, name="billing", address="billing@desk.example", tag="BIL", agents=("lee",))
    desk.use(replace(POLICY, queues={"support": replace(SUPPORT, agents=("kim",)), "billing": billing}))
    desk.writes("ana@customer.example", "It burns.")
    return desk


@pytest.mark.parametrize("kind", ["delivery-status", "feedback-report"])
def test_a_report_that_reaches_another_queue_is_told_to_the_tickets_agents(two_queues, kind):
    """Billing's agents have no part in the ticket, and get no key to it."""
    ack = two_queues.last("ana@customer.example")
    report = two_queues.report(ack["Message-ID"], "ana@customer.example").replace(
        b"To: support@", b"To: billing@"
    )
    if kind == "feedback-report":
        report = report.replace(b"delivery-status", b"feedback-report").replace(
            b"Reporting-MTA", b"Feedback-Type: abuse\nReporting-MTA"
        )
    two_queues.receives(report)
    assert two_queues.history()[-1] == ("bounced" if kind == "delivery-status" else "auto_reply")
    assert two_queues.kinds("kim@desk.example") == ["agent_new", "agent_event"]
    assert two_queues.sent_to("lee@desk.example") == []


def test_a_read_receipt_without_a_ticket_is_ignored(desk):
    """Case 50: logged in the ledger, no ticket."""
    raw = (
        desk.report("<nobody@else.example>", "ana@customer.example")
        .replace(b"report-type=delivery-status", b"report-type=disposition-notification")
        .replace(b"message/delivery-status", b"message/disposition-notification")
    )
    desk.receives(raw)
    assert desk.ticket() is None
    assert desk.books().ignored == 1


@pytest.mark.parametrize("command", ["#resolve\n", "#close\n", "#pending\n", ""])
def test_an_automatic_reply_changes_nothing(desk, command):
    """Case 37: filed; no answer, no reopening, no timer reset."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", f"{command}Water.\n")
    status, timers, sent = desk.ticket().status, desk.store.views.timers(1001), len(desk.sent)
    desk.machine(desk.last("ana@customer.example"), "ana@customer.example", "Your mail has been received.")
    assert desk.history()[-1] == "auto_reply"
    assert (desk.ticket().status, desk.store.views.timers(1001), len(desk.sent)) == (status, timers, sent)


def test_an_absence_puts_the_reminders_off(desk):
    """Three working days from Monday are Thursday; then the distances stay."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Water?\n")
    desk.machine(desk.last("ana@customer.example"), "ana@customer.example", "I am out of the office.")
    desk.lives(3 * DAY - HOUR, HOUR)
    assert desk.kinds("ana@customer.example") == ["acknowledgement", "answer"]
    desk.lives(2 * HOUR, HOUR)
    assert desk.kinds("ana@customer.example")[-1] == "reminder"


def test_an_absence_with_a_date_waits_for_it(desk):
    """Back on 16 March: no reminder before."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Water?\n")
    desk.machine(desk.last("ana@customer.example"), "ana@customer.example",
                 "I am out of the office and will be back on 16 March 2026.")  # fmt: skip
    desk.lives(13 * DAY, HOUR)
    assert "reminder" not in desk.kinds("ana@customer.example")
    desk.lives(3 * DAY, HOUR)
    assert "reminder" in desk.kinds("ana@customer.example")


def test_an_agents_absence_is_never_relayed(desk):
    """Case 47: the notice is answered by the agent's robot; the customer gets nothing, nothing changes."""
    desk.writes("ana@customer.example", "It burns.")
    desk.machine(desk.last("kim@desk.example"), "kim@desk.example", "I am on the beach.")
    assert desk.kinds("ana@customer.example") == ["acknowledgement"]
    assert (desk.ticket().status, desk.ticket().assignee) == ("open", "")


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-generated"},
        {"Precedence": "auto_reply"},
        {"Return_Path": "<>"},
        {"X_Autoreply": "yes"},
    ],
)
def test_a_machines_first_mail_opens_a_ticket_without_acknowledgement(desk, headers):
    """Case 38: kept and shown to the agents, never answered."""
    desk.writes("robot@customer.example", "Disk full.", **headers)
    assert desk.ticket().status == "open"
    assert desk.kinds("robot@customer.example") == []
    assert desk.kinds("kim@desk.example") == ["agent_new"]


@pytest.mark.parametrize(
    "headers",
    [
        {"List_Id": "<news.customer.example>"},
        {"Precedence": "bulk"},
        {"Feedback_ID": "1:2:3"},
        {"X_Auto_Response_Suppress": "All"},
    ],
)
def test_what_may_not_be_answered_is_kept(desk, headers):
    """Lists and bulk stop only the automatic answer."""
    desk.writes("ana@customer.example", "It burns.", **headers)
    assert desk.ticket().status == "open"
    assert desk.kinds("ana@customer.example") == []


READS_LIKE_A_REPORT = [
    ("Peter <postmaster@client.example>", "Mail delivery failed for our users",
     "Since Monday mail to you is returned to sender: 550 5.1.1 user unknown. Please help. Peter"),
    ("noreply@parcel.example", "Delivery failed", "Dear customer, your parcel could not be delivered. Call us."),
]  # fmt: skip


@pytest.mark.parametrize(("sender", "subject", "text"), READS_LIKE_A_REPORT, ids=["postmaster", "parcel"])
def test_what_only_reads_like_a_report_is_seen_by_agents(desk, sender, subject, text):
    """Nothing of ours comes back in it, so it may be anything: it opens a ticket, and is not answered."""
    desk.writes(sender, text, subject=subject)
    assert desk.copies()[-1][0] == "on_ticket"
    assert desk.kinds("kim@desk.example") == ["agent_new"]
    assert text[:30] in desk.last("kim@desk.example").text
    assert {address for mail in desk.sent for address in mail.recipients} == {
        "kim@desk.example",
        "lee@desk.example",
    }


@pytest.mark.parametrize(("sender", "subject", "text"), READS_LIKE_A_REPORT, ids=["postmaster", "parcel"])
def test_what_reads_like_a_report_and_has_the_null_path_is_one(desk, sender, subject, text):
    """Only mail systems send without a return path; backscatter of others' forgeries opens no tickets."""
    desk.receives(b"Return-Path: <>\n" + desk.mail(sender, text, subject=subject))
    assert desk.copies()[-1][:2] == ("ignored", "report without a ticket")


def test_what_reads_like_a_report_about_our_mail_is_one(desk):
    """Whoever sends it: our Message-ID says which mail came back."""
    desk.writes("ana@customer.example", "It burns.")
    ours = desk.last("ana@customer.example")["Message-ID"]
    desk.writes("noreply@mx.example", f"Your mail could not be delivered: ana@customer.example: user unknown\n\nMessage-ID: {ours}",
                subject="Delivery failed")  # fmt: skip
    assert desk.history()[-1] == "bounced"


def test_our_own_mail_coming_back_is_a_loop(desk):
    """Case 43: recorded, no ticket, no mail."""
    desk.writes("ana@customer.example", "It burns.")
    sent = len(desk.sent)
    for mail in desk.sent[:2]:
        desk.receives(b"Received: from x by y; Mon, 2 Mar 2026 09:00:00 +0000\n" + mail.raw)
    assert len(desk.sent) == sent
    assert desk.books().ignored == 2
    assert desk.ticket(1002) is None


def test_a_hundred_and_one_hops_are_a_loop(desk):
    """RFC 5321 section 6.3."""
    received = b"Received: from a by b; Mon, 2 Mar 2026 09:00:00 +0000\n" * 101
    desk.receives(received + desk.mail("ana@customer.example", "It burns."))
    assert desk.books().ignored == 1
    assert desk.sent == []


def test_our_own_address_as_sender_is_quarantined(desk):
    """Case 44: not verified as ours; nothing is sent to anybody but the admins, once an hour."""
    for address in ("support@desk.example", "support+x@desk.example", "Support <SUPPORT@desk.example>"):
        desk.writes(address, "I am you.")
    assert desk.books().quarantined == 3
    assert {mail.recipients for mail in desk.sent} == {("it@desk.example",)}
    assert len(desk.sent) == 1


def test_an_answer_that_was_refused_comes_back_to_its_author(desk):
    """With the whole text; the customer's silence does not count, the ticket is open."""
    desk.writes("ana@customer.example", "It burns.")
    desk.fate = lambda mail: (
        Rejected(550, "no such user", {"ana@customer.example": Refusal(550, "no such user", permanent=True)})
        if mail.kind == "answer" else Sent()
    )  # fmt: skip
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Have you tried water?\n")
    back = desk.last("kim@desk.example")
    assert back.kind == "not_sent"
    assert "Have you tried water?" in back.text
    assert desk.ticket().status == "open"
    assert desk.store.views.timers(1001) == []


def test_one_refused_recipient_of_two_is_told_and_the_other_served(desk):
    """Partly accepted: the author hears who did not get it, the silence goes on."""
    desk.writes("ana@customer.example", "It burns.", cc="bob@customer.example")
    desk.fate = lambda mail: (
        Sent({"bob@customer.example": Refusal(550, "no such user", permanent=True)})
        if mail.kind == "answer"
        else Sent()
    )
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Water?\n")
    assert "bob@customer.example" in desk.last("kim@desk.example", "not_sent").text
    assert desk.ticket().status == "waiting"


def test_one_recipient_refused_for_now_is_tried_again_alone(desk):
    """Greylisting of one of two: the other is served once, the refused one gets the same bytes later."""
    desk.writes("ana@customer.example", "It burns.", cc="bob@customer.example")
    desk.fate = lambda mail: (
        Sent({"bob@customer.example": Refusal(450, "greylisted", permanent=False)})
        if mail.kind == "answer" and len(mail.recipients) == 2
        else Sent()
    )
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Water?\n")
    desk.passes(timedelta(minutes=6))
    first, again = (mail for mail in desk.sent_to("bob@customer.example") if mail.kind == "answer")
    assert again.recipients == ("bob@customer.example",)
    assert again.raw == first.raw
    assert len([mail for mail in desk.sent_to("ana@customer.example") if mail.kind == "answer"]) == 1
    assert "not_sent" not in desk.kinds("kim@desk.example")


def test_a_report_of_a_report_is_never_answered(answered):
    """Case 58: whatever a report says, nothing goes to its sender."""
    for _ in range(3):
        answered.bounces(answered.last("ana@customer.example"), "ana@customer.example", action="failed")
    assert all("MAILER-DAEMON@mx.customer.example" not in mail.recipients for mail in answered.sent)
    assert answered.now == START
