"""No machine is answered, and no loop runs."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.parser import BytesParser
from email.policy import compat32

import pytest

from tests.stories.conftest import Opened
from tests.support.process import DeskProcess, Received
from tests.support.smtp_sink import SinkMail

KIM = "Kim Archer <kim@desk.example>"


@pytest.fixture
def answered(opened: Opened) -> Opened:
    """A ticket which Kim has answered."""
    opened.desk.answers(opened.notice, KIM, "Please try water.")
    opened.wait_to("", 2)
    return opened


def _bounce(returned: Received, address: str, action: str, status: str) -> bytes:
    """What a mail server writes about a mail of ours that it could not deliver (RFC 3464)."""
    report = MIMEMultipart("report", report_type="delivery-status")
    report["From"] = "Mail Delivery Subsystem <MAILER-DAEMON@mx.customer.example>"
    report["To"], report["Subject"] = returned.sender, "Undelivered Mail Returned to Sender"
    report["Message-ID"] = f"<{action}.{abs(hash(returned.raw))}@mx.customer.example>"
    report["Auto-Submitted"] = "auto-replied"
    report.attach(MIMEText(f"I could not deliver your mail to {address}."))
    fields = EmailMessage(policy=compat32)
    fields["Reporting-MTA"] = "dns; mx.customer.example"
    recipient = EmailMessage(policy=compat32)
    recipient["Final-Recipient"], recipient["Action"], recipient["Status"] = (
        f"rfc822; {address}",
        action,
        status,
    )
    recipient["Diagnostic-Code"] = f"smtp; 550 {status} no such user"
    delivery = EmailMessage(policy=compat32)
    delivery["Content-Type"] = "message/delivery-status"
    delivery.set_payload([fields, recipient])
    report.attach(delivery)
    report.attach(MIMEMessage(BytesParser(policy=compat32).parsebytes(returned.raw)))
    return report.as_bytes()


def test_an_automatic_reply_joins_its_ticket_and_changes_nothing(answered: Opened):
    """An auto-reply to our mail is filed; it is not answered, not relayed, and the ticket goes on waiting."""
    desk = answered.desk
    desk.answers(answered.to()[1], answered.ana, "I am away until Monday.", Auto_Submitted="auto-replied")
    desk.at_rest()
    assert "auto_reply" in answered.kinds()
    assert answered.status == "waiting"
    assert (len(answered.to()), len(answered.to("kim@desk.example"))) == (2, 1)


def test_a_bounce_lands_on_its_ticket_and_tells_the_agent(answered: Opened):
    """A report about our mail makes no ticket and no mail to its sender; the agent hears, reminders stop."""
    desk, answer = answered.desk, answered.to()[1]
    tickets = desk.references()
    desk.deliver(_bounce(answer, answered.address, "failed", "5.1.1"), answer.sender, sender="")
    assert answered.address in answered.wait_to("kim@desk.example", 2).text
    desk.at_rest()
    assert desk.references() == tickets
    assert "bounced" in answered.kinds()
    assert answered.status == "open", "nobody is reminded who cannot read it"
    assert len(answered.to()) == 2
    assert desk.to("MAILER-DAEMON@mx.customer.example") == []


def test_a_bounce_that_brings_nothing_back_is_known_by_its_address(make_desk: Callable[..., DeskProcess]):
    """With `envelope = "bounce"` also an acknowledgement has a bounce address, and what comes to it lands on its ticket."""
    desk = make_desk(smtp='envelope = "bounce"').start()
    desk.writes("Ana <ana@customer.example>", "My printer is on fire.")
    ack = desk.wait_to("ana@customer.example", 1)[0]
    assert ack.sender.startswith(f"{desk.user}+b.t1-1001-")
    bounce = (
        b"From: Mail Delivery System <MAILER-DAEMON@mx.customer.example>\r\nTo: undisclosed recipients:;\r\nSubject: failure notice\r\n"
        b"Message-ID: <q1@mx.customer.example>\r\n\r\nI'm afraid I wasn't able to deliver your message.\r\n\r\n"
        b"<ana@customer.example>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n"
    )
    desk.deliver(bounce, ack.sender, sender="")
    told = desk.wait_to("kim@desk.example", 2)[1]
    assert "ana@customer.example" in told.text
    desk.at_rest()
    assert desk.references() == ["SUP-1001"]
    assert "bounced" in desk.kinds("SUP-1001")
    assert len(desk.to("ana@customer.example")) == 1


def test_a_delayed_report_is_noted_and_nobody_is_told(answered: Opened):
    """The server keeps trying: an entry on the ticket, no mail, no change."""
    desk, answer = answered.desk, answered.to()[1]
    desk.deliver(_bounce(answer, answered.address, "delayed", "4.4.1"), answer.sender, sender="")
    desk.at_rest()
    assert "delayed" in answered.kinds()
    assert answered.status == "waiting"
    assert len(answered.to("kim@desk.example")) == 1


def test_a_bounce_of_nothing_of_ours_is_only_booked(running: DeskProcess):
    """A report about a mail that we never sent makes no ticket and no mail; the ledger says why."""
    before, tickets = running.at_rest()["ignored"], running.references()
    foreign = running.mail("somebody@desk.example", "Not ours.", to="ana@customer.example")
    returned = Received(SinkMail(running.address, [], foreign, [], tls=False, user="", connection=0))
    running.deliver(_bounce(returned, "ana@customer.example", "failed", "5.1.1"), sender="")
    assert running.at_rest()["ignored"] == before + 1
    assert running.references() == tickets


@pytest.mark.parametrize(
    "headers",
    [
        {"List_Id": "<news.shop.example>", "Precedence": "list"},
        {"Auto_Submitted": "auto-generated"},
        {"X_Auto_Response_Suppress": "All"},
        {"Precedence": "bulk"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_a_machine_that_opens_a_ticket_is_not_answered(running: DeskProcess, headers: dict[str, str]):
    """A newsletter or a monitoring mail becomes a ticket that agents see; its sender is not written to."""
    sender = f"{next(iter(headers)).lower()}@machine.example"
    running.writes(sender, "Disk 1 is full.", subject=sender, **headers)
    running.at_rest()
    notices = [mail for mail in running.to("kim@desk.example") if sender in mail["Subject"]]
    assert "Disk 1 is full." in notices[0].text
    assert running.to(sender) == []


def test_our_own_mail_that_comes_back_is_a_loop(answered: Opened):
    """Our acknowledgement, our answer and our notice, put back into the inbox, make no ticket and no mail."""
    desk = answered.desk
    before, tickets, sent = desk.at_rest()["ignored"], desk.references(), len(desk.sink.mails)
    for mail in (*answered.to(), answered.notice):
        desk.deliver(mail.raw)
    assert desk.at_rest()["ignored"] == before + 3
    assert desk.references() == tickets
    assert [mail for mail in desk.sink.mails[sent:] if desk.user.encode() in mail.raw] == []


def test_two_desks_do_not_talk_to_each_other(running: DeskProcess):
    """Mail from another desk's address without any mark gets acknowledgements up to the limit, and then none."""
    for count in range(1, 7):
        running.writes(
            "Other Desk <help@other.example>",
            f"[T-{count}] We have received your request.",
            subject=f"T-{count}",
        )
    running.at_rest()
    assert len(running.to("help@other.example")) == 3
    tickets = [t for t in running.json("list", "--limit", "1000") if t["requester"] == "help@other.example"]
    assert len(tickets) == 6


def test_mail_in_our_own_name_is_quarantined(running: DeskProcess):
    """Mail from the queue's address that is not from our outbox is set aside whole; only the admins are written to."""
    tickets = running.references()
    running.writes(f"Acme Support <{running.address}>", "Please pay this bill.")
    assert running.at_rest()["quarantined"] == 1
    assert "own_address" in running.json("quarantine")[0]["reason"]
    assert running.references() == tickets
    told = [mail for mail in running.to("it@desk.example") if "own address" in mail["Subject"]]
    assert [mail["Auto-Submitted"] for mail in told] == ["auto-generated"]
