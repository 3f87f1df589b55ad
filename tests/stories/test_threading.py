"""Which ticket a mail lands on, whatever is left of its thread."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import pytest

from tests.support.process import DeskProcess, Received

KIM = "Kim Archer <kim@desk.example>"
_people = itertools.count(1)


@dataclass(frozen=True)
class Opened:
    """A ticket, its customer, the customer's acknowledgement and Kim's notice."""

    desk: DeskProcess
    reference: str
    ana: str
    ack: Received
    notice: Received

    @property
    def address(self) -> str:
        return self.ack.recipients[0]

    def takes(self, raw: bytes, evidence: str, *recipients: str) -> None:
        """A mail must land on this ticket for this reason, and must not be acknowledged."""
        before = self.desk.kinds(self.reference).count("mail_in")
        self.desk.deliver(raw, *recipients)
        self.desk.wait(
            lambda: self.desk.kinds(self.reference).count("mail_in") == before + 1, "the reply on its ticket"
        )
        message_id = re.search(rb"Message-ID: (\S+)", raw)[1].decode()
        mail = self.desk.json("why", message_id)["mails"][0]
        assert (mail["state"], f"SUP-{mail['ticket']}") == ("on_ticket", self.reference)
        assert evidence in " ".join(mail["why"])
        assert len(self.desk.to(self.address)) == 1


@pytest.fixture
def opened(running: DeskProcess) -> Opened:
    """A new ticket of somebody who has not written before."""
    address = f"ana{next(_people)}@customer.example"
    ana = f"Ana Client <{address}>"
    running.writes(ana, "My printer is on fire, and the door code is 4711.")
    ack = running.wait_to(address, 1)[0]
    reference = re.match(r"\[(SUP-\d+)\]", ack["Subject"])[1]
    mine = lambda: [m for m in running.to("kim@desk.example") if reference in m["Subject"]]  # noqa: E731
    running.wait(mine, "Kim's notice")
    return Opened(running, reference, ana, ack, mine()[0])


def test_a_reply_by_subject_tag_only(opened: Opened):
    """A mail of the customer with nothing but the tag in its subject joins the ticket."""
    raw = opened.desk.mail(opened.ana, "Still burning.", subject=f"AW: [{opened.reference}] something")
    opened.takes(raw, "subject tag")


def test_a_reply_by_references_only(opened: Opened):
    """A reply without tag, key address and quote joins by References, also by the thread id alone."""
    plain = opened.desk.mail(opened.ana, "Still burning.", subject="Fire!", in_reply_to=opened.ack)
    opened.takes(plain, f"{opened.reference} in")
    # Some providers put an id of their own in place of ours; the first of References stays.
    left = f"{opened.ack['References'].split()[0]} <x@provider.example>"
    rewritten = opened.desk.mail(opened.ana, "And burning.", subject="Fire!!", References=left)
    opened.takes(rewritten, f"{opened.reference} in")


def test_a_reply_by_plus_address_only(opened: Opened):
    """A new mail to the Reply-To address joins the ticket without tag and References."""
    to = re.sub(r".*<|>.*", "", opened.ack["Reply-To"])
    raw = opened.desk.mail(opened.ana, "Still burning.", subject="Hello again", to=to)
    opened.takes(raw, "recipient", to)


def test_a_reply_by_the_quoted_footer_only(opened: Opened):
    """Where everything else is lost, the key in the quoted text is enough."""
    lines = "\n".join(f"> {line}" for line in opened.ack.text.split("\n"))
    quoted = f"Still burning.\n\nAcme Support wrote:\n{lines}"
    opened.takes(opened.desk.mail(opened.ana, quoted, subject="Question"), f"{opened.reference} in")


def test_a_stranger_who_quotes_a_tag_gets_a_ticket_of_their_own(opened: Opened):
    """The tag gives a stranger nothing: a new ticket, an ordinary acknowledgement, a hint to the agents."""
    desk = opened.desk
    desk.writes(
        "Eve <eve@evil.example>",
        "Tell me the door code.",
        subject=f"Re: [{opened.reference}] Printer",
        cc=opened.ana,
    )
    ack = desk.wait_to("eve@evil.example", 1)[0]
    other = re.match(r"\[(SUP-\d+)\]", ack["Subject"])[1]
    assert other != opened.reference
    assert "4711" not in ack.everything
    assert opened.reference not in ack.everything
    told = lambda: [m for m in desk.to("kim@desk.example") if other in m["Subject"]]  # noqa: E731
    desk.wait(told, "the agents to be told")
    assert opened.reference in told()[0].text
    assert desk.kinds(opened.reference).count("mail_in") == 1
    assert [person["address"] for person in desk.json("show", other)["participants"]] == ["eve@evil.example"]
    assert len(desk.to(opened.address)) == 1


def test_an_outsider_with_a_key_is_read_by_agents_and_never_written_to(opened: Opened):
    """Somebody to whom the customer forwarded our mail is filed as outside and gets no answer."""
    desk = opened.desk
    before = len(desk.to("kim@desk.example"))
    desk.answers(opened.ack, "Max <max@partner.example>", "I am Ana's electrician.")
    told = desk.wait_to("kim@desk.example", before + 1)[before]
    assert "electrician" in told.text
    desk.answers(opened.notice, KIM, "We send somebody.")
    answer = desk.wait_to(opened.address, 2)[1]
    assert answer.recipients == [opened.address]
    assert desk.to("max@partner.example") == []
    roles = {
        person["address"]: person["role"] for person in desk.json("show", opened.reference)["participants"]
    }
    assert roles == {opened.address: "requester", "max@partner.example": "outside"}


def test_a_colleague_in_copy_is_on_the_ticket(opened: Opened):
    """Whom the customer copies in the own company gets the answer too, visibly; a stranger in copy does not."""
    desk = opened.desk
    desk.writes(
        opened.ana,
        "Carl knows more.",
        subject=f"[{opened.reference}]",
        cc="carl@customer.example, eve@evil2.example",
    )
    desk.wait(lambda: desk.kinds(opened.reference).count("mail_in") == 2, "the mail")
    newest = [m for m in desk.to("kim@desk.example") if opened.reference in m["Subject"]]
    desk.wait(lambda: len(newest) > 0, "a notice")
    desk.answers(newest[-1], KIM, "We send somebody.")
    desk.wait(lambda: len(desk.to("carl@customer.example")) == 1 or desk.json("held"), "the answer")
    answer = desk.wait_to("carl@customer.example", 1)[0]
    assert set(answer.recipients) == {opened.address, "carl@customer.example"}
    assert "carl@customer.example" in answer["Cc"]
    assert desk.to("eve@evil2.example") == []
