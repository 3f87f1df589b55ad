"""The same mail twice is one mail."""

from __future__ import annotations

import pytest

from tests.support.process import DeskProcess

ANA, BEN = "Ana Client <ana@customer.example>", "Ben <ben@customer.example>"
KIM = "Kim Archer <kim@desk.example>"


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


def _made_anew(desk: DeskProcess) -> None:
    """Give the folder a new UIDVALIDITY, as a move to another server does: the first two mails change places, the last is gone."""
    with desk.dovecot.client(desk.user, "INBOX") as client:
        before = client.response("UIDVALIDITY")[1]
        client.store("1:*", "-FLAGS", r"(\Seen)")
        client.rename("INBOX", "Before")
        client.select("Before")
        for number in ("2", "1", "3:4"):
            assert client.copy(number, "INBOX")[0] == "OK"
        client.select("INBOX")
        assert client.response("UIDVALIDITY")[1] != before


@pytest.mark.parametrize("running", [True, False], ids=["while-it-runs", "while-it-is-down"])
def test_a_renumbered_folder_makes_nothing_happen_twice(desk: DeskProcess, running: bool):
    """Under a new UIDVALIDITY every mail is known again; and a new mail is taken, though its UID had been another mail's."""
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    desk.answers(desk.wait_to("kim@desk.example", 1)[0], KIM, "Please try water.")
    desk.wait_to("ana@customer.example", 2)
    desk.writes(KIM, "And sand.", subject="[SUP-1001] Printer on fire")  # without proof: held
    desk.wait_to("kim@desk.example", 2)
    desk.writes(BEN, "My scanner is wet.")
    desk.writes("Eve <eve@customer.example>", "My lamp is dark.", subject="Lamp")
    desk.wait_to("eve@customer.example", 1)
    desk.at_rest(5)
    if not running:
        assert desk.stop() == 0
    _made_anew(desk)
    if not running:
        desk.start()
    desk.wait_log("the server renumbered the folder")
    desk.writes("Zoe <zoe@customer.example>", "My phone is mute.", subject="Phone")
    desk.wait_to("zoe@customer.example", 1)

    books = desk.at_rest(10)
    assert (books["on_tickets"], books["held"], books["ignored"], books["duplicates"]) == (5, 1, 4, 4)
    assert desk.references() == ["SUP-1001", "SUP-1002", "SUP-1003", "SUP-1004"]
    for name, count in (("ana", 2), ("ben", 1), ("eve", 1), ("zoe", 1)):
        assert len(desk.to(f"{name}@customer.example")) == count, name
    assert len(desk.to("kim@desk.example")) == 5, "four tickets and one question"
    assert desk.kinds("SUP-1001").count("mail_out") == 1
    assert desk.log.count("the server renumbered the folder") == 1
    desk.wait(
        lambda: all(r"\Seen" in flags for flags in desk.dovecot.flags(desk.user).values()), "marks on all mails"
    )


def test_an_emptied_and_renumbered_folder_is_told_once(desk: DeskProcess):
    """A new and empty folder: one line in the log, however often it is looked at; the next mail is taken."""
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    desk.stop()
    with desk.dovecot.client(desk.user, "INBOX") as client:
        client.rename("INBOX", "Before")
    desk.edit('poll = "2s"', 'poll = "1s"')
    desk.start()
    polled = desk.json("status") ["last_poll_at"]
    desk.wait(lambda: desk.json("status")["last_poll_at"] > polled, "one more look")
    desk.writes(BEN, "My scanner is wet.")
    desk.wait_to("ben@customer.example", 1)
    assert desk.log.count("the server renumbered the folder") == 1
    assert desk.at_rest(2)["on_tickets"] == 2
