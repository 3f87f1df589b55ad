"""The same mail twice is one mail."""

from __future__ import annotations

import pytest

from tests.support.process import DeskProcess

ANA = "Ana Client <ana@customer.example>"


@pytest.mark.fault("Fetch", "same mail copied back or in two folders")
def test_the_same_mail_delivered_twice_makes_one_ticket(desk: DeskProcess):
    """The same bytes, and the same mail by another way, are duplicates: one ticket, one acknowledgement, all in the books."""
    desk.start()
    raw = desk.mail(ANA, "My printer is on fire.")
    message_id = desk.id_of(raw)
    desk.dovecot.append(desk.user, raw)
    desk.wait_to("ana@customer.example", 1)
    desk.dovecot.append(desk.user, raw)  # the same bytes
    desk.deliver(raw)  # trace fields of another delivery
    desk.deliver(b"Received: from relay.example by mx.desk.example;\n Mon, 2 Mar 2026 09:00:00 +0000\n" + raw)

    books = desk.at_rest(4)
    assert (books["on_tickets"], books["ignored"], books["duplicates"]) == (1, 3, 3)
    assert desk.references() == ["SUP-1001"]
    assert desk.kinds("SUP-1001").count("mail_in") == 1
    assert len(desk.to("ana@customer.example")) == 1
    reasons = [mail["reason"] for mail in desk.json("why", message_id)["mails"]]
    assert [reason.startswith("duplicate of mail") for reason in reasons] == [False, True, True, True]


def test_the_same_message_id_with_other_words_is_another_mail(desk: DeskProcess):
    """Programs that use a Message-ID twice lose no mail."""
    desk.start()
    raw = desk.mail(ANA, "My printer is on fire.")
    desk.deliver(raw)
    desk.wait_to("ana@customer.example", 1)
    desk.deliver(raw.replace(b"printer", b"scanner"))
    books = desk.at_rest(2)
    assert (books["on_tickets"], books["duplicates"]) == (2, 0)


def test_one_mail_in_two_copies_of_a_start(desk: DeskProcess):
    """A mail that waits while the desk restarts is decided once, whatever the server says about its flags."""
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    desk.stop()
    with desk.dovecot.client(desk.user, "INBOX") as client:
        client.store("1:*", "-FLAGS", r"(\Seen)")
    desk.start()
    desk.writes("Ben <ben@customer.example>", "My scanner is wet.")
    desk.wait_to("ben@customer.example", 1)
    assert desk.at_rest(2)["on_tickets"] == 2
    assert len(desk.to("ana@customer.example")) == 1
