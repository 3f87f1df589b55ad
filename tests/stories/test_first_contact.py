"""The main job: a first mail, its acknowledgement, an agent's answer, and the customer's reply."""

from __future__ import annotations

import re

from tests.support.process import DeskProcess, is_one_thread

ANA, KIM = "Ana Client <ana@customer.example>", "Kim Archer <kim@desk.example>"


def test_a_first_mail_is_acknowledged_as_rfc_3834_wants(desk: DeskProcess):
    """The acknowledgement has no envelope sender, says that a machine wrote it, threads, is short, and names the ticket."""
    desk.start()
    raw = desk.mail(ANA, "My printer is on fire.")
    message_id = desk.id_of(raw)
    desk.deliver(raw)

    ack = desk.wait_to("ana@customer.example", 1)[0]
    assert (ack.sender, ack.recipients) == ("", ["ana@customer.example"])
    assert ack["Auto-Submitted"] == "auto-replied"
    assert ack["X-Auto-Response-Suppress"] == "All"
    assert ack["Subject"] == "[SUP-1001] We have received your request"
    assert ack["In-Reply-To"] == message_id
    assert message_id in ack["References"].split()
    assert ack["From"] == f"Acme Support <{desk.address}>"
    assert re.fullmatch(rf".*<{desk.user}\+t1-1001-[a-z0-9]+@desk\.example>", ack["Reply-To"])
    assert len(ack.raw) < 16_000
    assert len(ack.text.encode()) < 2_048
    assert "printer" not in ack.everything.lower(), "an unproven sender's words are not sent back"
    assert "NOTIFY=NEVER" in next(mail for mail in desk.sink.mails if mail.raw == ack.raw).options


def test_a_ticket_is_one_conversation_in_the_customers_mail_program(desk: DeskProcess):
    """Mail, acknowledgement, answer, reply and second answer hang together by References, in both mail programs."""
    desk.start()
    first = desk.mail(ANA, "My printer is on fire.")
    desk.deliver(first)
    ack = desk.wait_to("ana@customer.example", 1)[0]
    notice = desk.wait_to("kim@desk.example", 1)[0]
    assert "My printer is on fire." in notice.text
    assert notice["From"] == f"Ana Client via Acme Support <{desk.address}>"
    assert notice["Auto-Submitted"] == "auto-generated"

    desk.answers(notice, KIM, "Please try water.")
    answer = desk.wait_to("ana@customer.example", 2)[1]
    assert answer.text.strip() == "Please try water."
    assert desk.status("SUP-1001") == "waiting"

    desk.answers(answer, ANA, "It still burns.")
    second = desk.wait_to("kim@desk.example", 2)[1]
    assert "It still burns." in second.text
    assert desk.status("SUP-1001") == "open"
    desk.answers(second, KIM, "Please try sand.")
    last = desk.wait_to("ana@customer.example", 3)[2]

    assert is_one_thread((first, ack.raw, answer.raw, last.raw))
    assert ack["References"].split()[0] == answer["References"].split()[0] == last["References"].split()[0]
    assert is_one_thread((notice.raw, second.raw))
    books = desk.at_rest(4)
    assert (books["on_tickets"], books["waiting"]) == (4, 0)
    flags = desk.dovecot.flags
    desk.wait(
        lambda: all(r"\Seen" in one for one in flags(desk.user).values()), "all mails to be marked as seen"
    )
    assert desk.stop() == 0


def test_the_agent_sees_the_customers_attachments(desk: DeskProcess):
    """The notice holds the customer's text first, and the attachments byte for byte."""
    desk.start()
    picture = bytes(range(256)) * 40
    desk.writes(ANA, "See the picture.", files={"fire.bin": picture})
    notice = desk.wait_to("kim@desk.example", 1)[0]
    assert notice.text.startswith("See the picture.")
    assert notice.files == {"fire.bin": picture}
