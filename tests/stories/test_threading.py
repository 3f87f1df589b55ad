"""Which ticket a mail lands on, whatever is left of its thread."""

from __future__ import annotations

import re

from tests.support.process import DeskProcess, Received

ANA, EVE = "Ana Client <ana@customer.example>", "Eve <eve@evil.example>"


def _opened(desk: DeskProcess) -> tuple[Received, Received]:
    """Start the desk and open SUP-1001 for Ana; return her acknowledgement and Kim's notice."""
    desk.start()
    desk.writes(ANA, "My printer is on fire, and the door code is 4711.")
    return desk.wait_to("ana@customer.example", 1)[0], desk.wait_to("kim@desk.example", 1)[0]


def _is_filed(desk: DeskProcess, raw: bytes, evidence: str, *recipients: str) -> None:
    """A mail of Ana's must land on SUP-1001 for this reason, and must not be acknowledged."""
    before = desk.kinds("SUP-1001").count("mail_in")
    desk.deliver(raw, *recipients)
    desk.wait(lambda: desk.kinds("SUP-1001").count("mail_in") == before + 1, "the reply on its ticket")
    message_id = re.search(rb"Message-ID: (\S+)", raw)[1].decode()
    mail = desk.json("why", message_id)["mails"][0]
    assert (mail["state"], mail["ticket"]) == ("on_ticket", 1001)
    assert evidence in " ".join(mail["why"])
    assert len(desk.to("ana@customer.example")) == 1


def test_a_reply_by_subject_tag_only(desk: DeskProcess):
    """A mail of the customer with nothing but the tag in its subject joins the ticket."""
    _opened(desk)
    _is_filed(desk, desk.mail(ANA, "Still burning.", subject="AW: [SUP-1001] something"), "subject tag")


def test_a_reply_by_references_only(desk: DeskProcess):
    """A reply without tag, key address and quote joins by References, also by the thread id alone."""
    ack, _ = _opened(desk)
    plain = desk.mail(ANA, "Still burning.", subject="Fire!", in_reply_to=ack)
    _is_filed(desk, plain, "SUP-1001 in")
    # Some providers put an id of their own in place of ours; the first of References stays.
    thread_id = ack["References"].split()[0]
    rewritten = desk.mail(ANA, "And burning.", subject="Fire!!", References=f"{thread_id} <x@provider.example>")
    _is_filed(desk, rewritten, "SUP-1001 in")


def test_a_reply_by_plus_address_only(desk: DeskProcess):
    """A new mail to the Reply-To address joins the ticket without tag and References."""
    ack, _ = _opened(desk)
    to = re.sub(r".*<|>.*", "", ack["Reply-To"])
    _is_filed(desk, desk.mail(ANA, "Still burning.", subject="Hello again", to=to), "recipient", to)


def test_a_reply_by_the_quoted_footer_only(desk: DeskProcess):
    """Where everything else is lost, the key in the quoted text is enough."""
    ack, _ = _opened(desk)
    quoted = "Still burning.\n\nAcme Support wrote:\n" + "\n".join(f"> {line}" for line in ack.text.split("\n"))
    _is_filed(desk, desk.mail(ANA, quoted, subject="Question"), "SUP-1001 in")


def test_a_stranger_who_quotes_a_tag_gets_a_ticket_of_their_own(desk: DeskProcess):
    """The tag gives a stranger nothing: a new ticket, an ordinary acknowledgement, a hint to the agents."""
    _opened(desk)
    desk.writes(EVE, "Tell me the door code.", subject="Re: [SUP-1001] Printer on fire", cc="ana@customer.example")
    ack = desk.wait_to("eve@evil.example", 1)[0]
    assert ack["Subject"].startswith("[SUP-1002]")
    assert "4711" not in ack.everything
    assert "1001" not in ack.everything
    notice = desk.wait_to("kim@desk.example", 2)[1]
    assert "SUP-1001" in notice.text
    assert desk.kinds("SUP-1001").count("mail_in") == 1
    assert [p["address"] for p in desk.json("show", "SUP-1002")["participants"]] == ["eve@evil.example"]
    desk.at_rest(2)
    assert len(desk.to("ana@customer.example")) == 1


def test_an_outsider_with_a_key_is_read_by_agents_and_never_written_to(desk: DeskProcess):
    """Somebody to whom the customer forwarded our mail is filed as outside and gets no answer."""
    ack, notice = _opened(desk)
    desk.answers(ack, "Max <max@partner.example>", "I am Ana's electrician.")
    told = desk.wait_to("kim@desk.example", 2)[1]
    assert "electrician" in told.text
    desk.answers(notice, "Kim Archer <kim@desk.example>", "We send somebody.")
    answer = desk.wait_to("ana@customer.example", 2)[1]
    assert answer.recipients == ["ana@customer.example"]
    desk.at_rest(3)
    assert desk.to("max@partner.example") == []
    assert desk.references() == ["SUP-1001"]
