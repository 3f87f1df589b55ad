"""Answers sent past the desk: filed as what they are, and sent by nobody again."""

from __future__ import annotations

from datetime import timedelta

import pytest

HOUR = timedelta(hours=1)


@pytest.fixture
def opened(desk):
    """A desk with ticket 1001 of Ana's."""
    desk.writes("ana@customer.example", "It burns.")
    return desk


def sends_past(desk, to, text, **more):
    """An agent writes from the shared mailbox; its folder of sent mail is read."""
    more.setdefault("subject", "Re: [SUP-1001] Printer on fire")
    desk.receives(desk.mail("support@desk.example", text, to=to, **more), folder="Sent")


def test_an_answer_to_the_customer_is_filed_and_its_silence_counts(opened):
    """A public answer, not sent again; the agents hear of it; the reminder follows."""
    sends_past(opened, "ana@customer.example", "Use water.")
    assert opened.history()[-2:] == ["mail_out", "status"]
    assert opened.ticket().status == "waiting"
    assert opened.kinds("ana@customer.example") == ["acknowledgement"]
    assert opened.kinds("kim@desk.example") == ["agent_new", "agent_event"]
    opened.lives(25 * HOUR, HOUR)
    assert "Use water." in opened.last("ana@customer.example", "reminder").text


def test_a_mail_to_a_supplier_never_reaches_the_customer(opened):
    """It names the ticket, but nobody on it: a note; no status, and no reminder quotes it."""
    opened.answers(opened.last("kim@desk.example"), "kim@desk.example", "We look into it.\n")
    sends_past(opened, "supplier@parts.example", "This customer always breaks things.")
    assert opened.history()[-1] == "note"
    opened.lives(100 * HOUR, HOUR)
    assert opened.kinds("ana@customer.example")[-3:] == ["reminder", "reminder", "closed"]
    assert not any(b"breaks things" in mail.raw for mail in opened.sent_to("ana@customer.example"))


def test_our_own_mail_in_the_folder_is_no_second_answer(opened):
    """Servers file what we send through them."""
    opened.answers(opened.last("kim@desk.example"), "kim@desk.example", "Use water.\n")
    opened.receives(opened.last("ana@customer.example").raw, folder="Sent")
    assert opened.history().count("mail_out") == 1
    assert opened.books().ignored == 1


def test_a_sent_mail_about_nothing_is_left_alone(opened):
    """No ticket is opened for what was sent."""
    sends_past(opened, "ana@customer.example", "Lunch?", subject="Lunch")
    assert opened.ticket(1002) is None
    assert opened.books().ignored == 1
