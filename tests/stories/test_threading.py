"""Which ticket a mail lands on, whatever is left of its thread."""

from __future__ import annotations

import re

from tests.stories.conftest import Opened

KIM = "Kim Archer <kim@desk.example>"


def _takes(ticket: Opened, raw: bytes, evidence: str, *recipients: str) -> None:
    """A mail must land on this ticket for this reason, and must not be acknowledged."""
    desk, before = ticket.desk, ticket.kinds().count("mail_in")
    desk.deliver(raw, *recipients)
    desk.wait(lambda: ticket.kinds().count("mail_in") == before + 1, "the reply on its ticket")
    message_id = desk.id_of(raw)
    mail = desk.json("why", message_id)["mails"][0]
    assert (mail["state"], f"SUP-{mail['ticket']}") == ("on_ticket", ticket.reference)
    assert evidence in " ".join(mail["why"])
    assert len(ticket.to()) == 1


def test_a_reply_by_subject_tag_only(opened: Opened):
    """A mail of the customer with nothing but the tag in its subject joins the ticket."""
    raw = opened.desk.mail(opened.ana, "Still burning.", subject=f"AW: [{opened.reference}] something")
    _takes(opened, raw, "subject tag")


def test_a_reply_by_references_only(opened: Opened):
    """A reply without tag, key address and quote joins by References, also by the thread id alone."""
    plain = opened.desk.mail(opened.ana, "Still burning.", subject="Fire!", in_reply_to=opened.ack)
    _takes(opened, plain, f"{opened.reference} in")
    # Some providers put an id of their own in place of ours; the first of References stays.
    left = f"{opened.ack['References'].split()[0]} <x@provider.example>"
    rewritten = opened.desk.mail(opened.ana, "And burning.", subject="Fire!!", References=left)
    _takes(opened, rewritten, f"{opened.reference} in")


def test_a_reply_by_plus_address_only(opened: Opened):
    """A new mail to the Reply-To address joins the ticket without tag and References."""
    to = re.sub(r".*<|>.*", "", opened.ack["Reply-To"])
    raw = opened.desk.mail(opened.ana, "Still burning.", subject="Hello again", to=to)
    _takes(opened, raw, "recipient", to)


def test_a_reply_by_the_quoted_footer_only(opened: Opened):
    """Where everything else is lost, the key in the quoted text is enough."""
    lines = "\n".join(f"> {line}" for line in opened.ack.text.split("\n"))
    quoted = f"Still burning.\n\nAcme Support wrote:\n{lines}"
    _takes(opened, opened.desk.mail(opened.ana, quoted, subject="Question"), f"{opened.reference} in")


def test_a_stranger_who_quotes_a_tag_gets_a_ticket_of_their_own(opened: Opened):
    """The tag gives a stranger nothing: a new ticket, an ordinary acknowledgement, a hint to the agents."""
    desk = opened.desk
    subject = f"Re: [{opened.reference}] Printer"
    desk.writes("Eve <eve@evil.example>", "Tell me the door code.", subject=subject, cc=opened.ana)
    ack = desk.wait_to("eve@evil.example", 1)[0]
    other = ack["Subject"].partition("]")[0].removeprefix("[")
    assert other != opened.reference
    assert "4711" not in ack.everything
    assert opened.reference not in ack.everything
    desk.at_rest()
    told = [mail for mail in desk.to("kim@desk.example") if other in mail["Subject"]]
    assert opened.reference in told[0].text
    assert opened.kinds().count("mail_in") == 1
    assert [person["address"] for person in desk.json("show", other)["participants"]] == ["eve@evil.example"]
    assert len(opened.to()) == 1


def test_an_outsider_with_a_key_is_read_by_agents_and_never_written_to(opened: Opened):
    """Somebody to whom the customer forwarded our mail is filed as outside and gets no answer."""
    desk = opened.desk
    desk.answers(opened.ack, "Max <max@partner.example>", "I am Ana's electrician.")
    assert "electrician" in opened.wait_to("kim@desk.example", 2).text
    desk.answers(opened.notice, KIM, "We send somebody.")
    assert opened.wait_to("", 2).recipients == [opened.address]
    desk.at_rest()
    assert desk.to("max@partner.example") == []
    people = desk.json("show", opened.reference)["participants"]
    roles = {person["address"]: person["role"] for person in people}
    assert roles == {opened.address: "requester", "max@partner.example": "outside"}


def test_a_colleague_in_copy_is_on_the_ticket(opened: Opened):
    """Whom the customer copies in the own company gets the answer too, visibly; a stranger in copy does not."""
    desk, carl, eve = opened.desk, f"carl.{opened.address}", f"eve.{opened.reference}@evil.example"
    desk.writes(opened.ana, "Carl knows more.", subject=f"[{opened.reference}]", cc=f"{carl}, {eve}")
    notice = opened.wait_to("kim@desk.example", 2)
    assert eve.lower() in notice.text.lower(), "shown to the agent as a suggestion"
    desk.answers(notice, KIM, "We send somebody.")
    answer = desk.wait_to(carl, 1)[0]
    assert set(answer.recipients) == {opened.address, carl}
    assert carl in answer["Cc"]
    desk.at_rest()
    assert desk.to(eve) == []
