"""No machine is answered, and no loop runs."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.parser import BytesParser
from email.policy import compat32

import pytest

from tests.support.process import DeskProcess, Received

ANA, KIM = "Ana Client <ana@customer.example>", "Kim Archer <kim@desk.example>"


@pytest.fixture
def opened(desk: DeskProcess) -> Iterator[DeskProcess]:
    """A desk with SUP-1001, which Kim has answered."""
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    desk.answers(desk.wait_to("kim@desk.example", 1)[0], KIM, "Please try water.")
    desk.wait_to("ana@customer.example", 2)
    return desk


def _bounce(returned: Received, address: str, action: str, status: str) -> bytes:
    """What a mail server writes about a mail of ours that it could not deliver (RFC 3464)."""
    report = MIMEMultipart("report", **{"report-type": "delivery-status"})
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
    delivery = MIMEMultipart("mixed")
    delivery = EmailMessage(policy=compat32)
    delivery["Content-Type"] = "message/delivery-status"
    delivery.set_payload([fields, recipient])
    report.attach(delivery)
    report.attach(MIMEMessage(BytesParser(policy=compat32).parsebytes(returned.raw)))
    return report.as_bytes()


def test_an_automatic_reply_joins_its_ticket_and_changes_nothing(opened: DeskProcess):
    """An auto-reply to our mail is filed; it is not answered, not relayed, and the ticket goes on waiting."""
    answer = opened.to("ana@customer.example")[1]
    opened.answers(answer, ANA, "I am away until Monday.", Auto_Submitted="auto-replied")
    opened.wait(lambda: "auto_reply" in opened.kinds("SUP-1001"), "the auto-reply on its ticket")
    opened.at_rest(3)
    assert opened.status("SUP-1001") == "waiting"
    assert len(opened.to("ana@customer.example")) == 2
    assert len(opened.to("kim@desk.example")) == 1


def test_a_bounce_lands_on_its_ticket_and_tells_the_agent(opened: DeskProcess):
    """A report about our mail makes no ticket and no mail to its sender; the agent hears, reminders stop."""
    answer = opened.to("ana@customer.example")[1]
    opened.deliver(_bounce(answer, "ana@customer.example", "failed", "5.1.1"), answer.sender, sender="")
    told = opened.wait_to("kim@desk.example", 2)[1]
    assert "ana@customer.example" in told.text
    opened.at_rest(3)
    assert opened.references() == ["SUP-1001"]
    assert "bounced" in opened.kinds("SUP-1001")
    assert opened.status("SUP-1001") == "open", "nobody is reminded who cannot read it"
    assert len(opened.to("ana@customer.example")) == 2
    assert opened.to("MAILER-DAEMON@mx.customer.example") == []


def test_a_delayed_report_is_noted_and_nobody_is_told(opened: DeskProcess):
    """The server keeps trying: an entry on the ticket, no mail, no change."""
    answer = opened.to("ana@customer.example")[1]
    opened.deliver(_bounce(answer, "ana@customer.example", "delayed", "4.4.1"), answer.sender, sender="")
    opened.wait(lambda: "delayed" in opened.kinds("SUP-1001"), "the report on its ticket")
    opened.at_rest(3)
    assert opened.status("SUP-1001") == "waiting"
    assert len(opened.to("kim@desk.example")) == 1


def test_a_bounce_of_nothing_of_ours_is_only_booked(opened: DeskProcess):
    """A report about a mail that we never sent makes no ticket and no mail; the ledger says why."""
    foreign = opened.mail("somebody@desk.example", "Not ours.", to="ana@customer.example")
    raw = _bounce(_received(foreign, opened.address), "ana@customer.example", "failed", "5.1.1")
    opened.deliver(raw, opened.address, sender="")
    books = opened.at_rest(3)
    assert (books["ignored"], opened.references()) == (1, ["SUP-1001"])


def _received(raw: bytes, sender: str) -> Received:
    from tests.support.smtp_sink import SinkMail

    return Received(SinkMail(sender, [], raw, [], tls=False, user="", connection=0))


def test_list_mail_makes_a_ticket_and_is_not_answered(opened: DeskProcess):
    """A newsletter becomes a ticket that agents see; nobody on the list is written to."""
    opened.writes("News <news@shop.example>", "Buy now.", List_Id="<news.shop.example>", Precedence="list")
    opened.wait_to("kim@desk.example", 2)
    opened.at_rest(3)
    assert opened.references() == ["SUP-1001", "SUP-1002"]
    assert "acknowledged" not in opened.kinds("SUP-1002")
    assert opened.to("news@shop.example") == []


@pytest.mark.parametrize(
    "headers",
    [{"Auto_Submitted": "auto-generated"}, {"X_Auto_Response_Suppress": "All"}, {"Precedence": "bulk"}],
    ids=lambda headers: next(iter(headers)),
)
def test_a_machine_that_opens_a_ticket_is_not_answered(desk: DeskProcess, headers: dict[str, str]):
    """A monitoring mail becomes a ticket without an acknowledgement."""
    desk.start()
    desk.writes("Monitor <monitor@customer.example>", "Disk 1 is full.", **headers)
    assert "Disk 1 is full." in desk.wait_to("kim@desk.example", 1)[0].text
    desk.at_rest(1)
    assert desk.to("monitor@customer.example") == []


def test_our_own_mail_that_comes_back_is_a_loop(opened: DeskProcess):
    """Our acknowledgement, our answer and our notice, put back into the inbox, make no ticket and no mail."""
    mails = [*opened.to("ana@customer.example"), opened.to("kim@desk.example")[0]]
    sent = len(opened.sink.mails)
    for mail in mails:
        opened.deliver(mail.raw)
    books = opened.at_rest(5)
    assert (books["ignored"], opened.references()) == (3, ["SUP-1001"])
    assert [m for m in opened.sink.mails[sent:] if opened.user.encode() in m.raw] == []


def test_two_desks_do_not_talk_to_each_other(desk: DeskProcess):
    """Mail from another desk's address without any mark gets acknowledgements up to the limit, and then none."""
    desk.start()
    for count in range(1, 7):
        desk.writes("Other Desk <help@other.example>", f"[T-{count}] We have received your request.")
        desk.wait_to("kim@desk.example", count)
    desk.at_rest(6)
    assert len(desk.to("help@other.example")) == 3
    assert len(desk.references()) == 6


def test_mail_in_our_own_name_is_quarantined(desk: DeskProcess):
    """Mail from the queue's address that is not from our outbox is set aside whole; nobody is written to but the admins."""
    desk.start()
    desk.writes(f"Acme Support <{desk.address}>", "Please pay this bill.")
    trouble = desk.wait_to("it@desk.example", 1)[0]
    assert trouble["Auto-Submitted"] == "auto-generated"
    assert desk.at_rest(1)["quarantined"] == 1
    assert "own_address" in desk.json("quarantine")[0]["reason"]
    assert desk.references() == []
