"""What must not leave with an agent's answer, and what comes back instead."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage

import pytest


@pytest.fixture
def noticed(desk):
    """A ticket whose notice Kim has."""
    desk.writes("Ana Client <ana@customer.example>", "It burns.")
    return desk


def answer_with(desk, part) -> bytes:
    notice = desk.last("kim@desk.example", "agent_new")
    message = EmailMessage()
    message["From"], message["To"] = "kim@desk.example", notice["Reply-To"]
    message["Subject"], message["Message-ID"] = f"Re: {notice['Subject']}", "<attached@desk.example>"
    message["In-Reply-To"] = notice["Message-ID"]
    message.set_content("See the attached mail.")
    message.add_attachment(part)
    return message.as_bytes()


def test_an_attached_notice_never_carries_the_agents_key_to_the_customer(noticed):
    """A mail program that attaches the original would hand the key on: the answer comes back instead."""
    noticed.receives(answer_with(noticed, noticed.last("kim@desk.example", "agent_new").parsed))
    assert noticed.kinds("ana@customer.example") == ["acknowledgement"]
    back = noticed.last("kim@desk.example")
    assert (back.kind, "private reply key" in back.text) == ("not_sent", True)


def test_another_attached_mail_goes_along(noticed):
    """A mail without our key is an attachment as any other."""
    other = message_from_bytes(
        b"From: maker@vendor.example\nSubject: recall\n\nThe PX-200 was called back.\n"
    )
    noticed.receives(answer_with(noticed, other))
    sent = noticed.last("ana@customer.example", "answer")
    # RFC 2046 section 5.2.1 allows no base64 for message/rfc822, so it travels as a file.
    assert [part.get_filename() for part in sent.parsed.iter_attachments()] == ["attachment.eml"]


@pytest.mark.parametrize(
    "text", ["Hi Lee,\n#note she is a pain", "Hello,\n\n#note: she is a pain", "Hello Lee\n#assing lee"]
)
def test_a_command_below_a_greeting_comes_back(noticed, text):
    """It was meant as a command and would have gone to the customer as text."""
    noticed.answers(noticed.last("kim@desk.example"), "kim@desk.example", text)
    assert noticed.kinds("ana@customer.example") == ["acknowledgement"]
    assert noticed.last("kim@desk.example").kind == "not_sent"


def test_help_with_other_words_comes_back(noticed):
    """Nothing of the text is lost silently."""
    noticed.answers(noticed.last("kim@desk.example"), "kim@desk.example", "#help\nDid you try water?")
    assert "Did you try water?" in noticed.last("kim@desk.example", "not_sent").text


def test_a_key_that_a_participant_has_seen_is_replaced(noticed):
    """Kim forwarded her notice to the customer, who answered with it: the key is worth nothing any more."""
    notice = noticed.last("kim@desk.example")
    noticed.answers(notice, "ana@customer.example", "I got this from Kim.")
    noticed.answers(notice, "kim@desk.example", "Send us your password.")
    assert "answer" not in noticed.kinds("ana@customer.example")
    assert noticed.last("kim@desk.example").kind == "held"
