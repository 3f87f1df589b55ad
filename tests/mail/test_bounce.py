"""Reports about mails of ours: RFC 3464, and the words of mail systems that do not follow it."""

from __future__ import annotations

import pytest

from mailtickets.mail.bounce import FailedRecipient, read_bounce
from mailtickets.mail.classify import Origin, OwnAddresses, classify
from mailtickets.mail.parse import parse

OWN = OwnAddresses(frozenset({"support@desk.example"}))
RETURNED = "From: support@desk.example\nTo: ana@customer.example\nMessage-ID: <ack1@desk.example>\nReferences: <t1@desk.example>\n\nHi\n"


def report(
    *groups: str, part: str = "message/rfc822", returned: str = RETURNED, fields: str = "", to: str = "report"
) -> bytes:
    """Return a delivery report with one field group a recipient."""
    status = "Reporting-MTA: dns; mx.customer.example\n\n" + "\n".join(groups)
    return (
        f"Return-Path: <>\nFrom: MAILER-DAEMON@customer.example\nTo: support@desk.example\nSubject: Undelivered Mail\n{fields}"
        f"Content-Type: multipart/{to}; report-type=delivery-status; boundary=b\n\n--b\n\nSorry.\n"
        f"--b\nContent-Type: message/delivery-status\n\n{status}\n--b\nContent-Type: {part}\n\n{returned}\n--b--\n"
    ).encode()


def group(
    address: str = "ana@customer.example", action: str = "failed", status: str = "5.1.1", diagnostic: str = ""
) -> str:
    """Return the fields about one recipient."""
    said = f"Diagnostic-Code: smtp; {diagnostic}\n" if diagnostic else ""
    return f"Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\n{said}"


def words(
    body: str,
    *,
    subject: str = "failure notice",
    sender: str = "MAILER-DAEMON@customer.example",
    path: str = "<>",
) -> bytes:
    """Return a report in a mail system's own words."""
    return f"Return-Path: {path}\nFrom: {sender}\nTo: support@desk.example\nSubject: {subject}\n\n{body}".encode()


def test_case_52_a_failed_mail_names_address_reason_and_our_id():
    """Case 52: a DSN 5.1.1 gives the address, the codes, a plain sentence, and our Message-ID first."""
    bounce = read_bounce(parse(report(group(diagnostic="550 5.1.1 <ana@customer.example>: user unknown"))))

    assert bounce is not None
    assert (bounce.kind, bounce.delayed) == ("failed", False)
    assert bounce.recipients == (
        FailedRecipient("ana@customer.example", "5.1.1", 550, "The address does not exist.", permanent=True),
    )
    assert bounce.returned_ids == ("<ack1@desk.example>", "<t1@desk.example>")


def test_case_53_a_delay_is_a_delay():
    """Case 53: Action: delayed is no failure."""
    bounce = read_bounce(parse(report(group(action="delayed", status="4.4.1"))))

    assert bounce is not None
    assert (bounce.kind, bounce.delayed) == ("delayed", True)
    assert not bounce.recipients[0].permanent


def test_case_61_only_the_failed_of_two_recipients_is_named():
    """Case 61: of two recipients only the one that failed is named."""
    bounce = read_bounce(parse(report(group(), group("ben@customer.example", "delivered", "2.0.0"))))

    assert bounce is not None
    assert [one.address for one in bounce.recipients] == ["ana@customer.example"]


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_a_success_is_neither_failed_nor_delayed(action):
    """Reports of success are reports, of the kind "other"."""
    bounce = read_bounce(parse(report(group(action=action, status="2.0.0"))))

    assert bounce is not None
    assert (bounce.kind, bounce.recipients) == ("other", ())


@pytest.mark.parametrize("part", ["message/rfc822", "text/rfc822-headers", "message/global-headers"])
def test_our_id_is_read_from_whatever_comes_back(part):
    """The returned mail may be whole or its header only."""
    bounce = read_bounce(parse(report(group(), part=part)))

    assert bounce is not None
    assert bounce.returned_ids[0] == "<ack1@desk.example>"


def test_a_rewritten_id_leaves_the_thread_id_to_find():
    """Where a provider rewrote our Message-ID, our thread id still stands in the returned References."""
    returned = (
        "Message-ID: <rewritten@provider.example>\nReferences: <t1@desk.example>\n <x@customer.example>\n\n"
    )
    bounce = read_bounce(parse(report(group(), returned=returned)))

    assert bounce is not None
    assert "<t1@desk.example>" in bounce.returned_ids


def test_a_report_that_threads_itself_names_our_mail():
    """Exchange and Gmail put our id into References of the report itself."""
    bounce = read_bounce(
        parse(report(group(), returned="Subject: x\n\n", fields="In-Reply-To: <ack1@desk.example>\n"))
    )

    assert bounce is not None
    assert bounce.returned_ids == ("<ack1@desk.example>",)


def test_a_status_without_detail_gives_way_to_the_diagnostic():
    """5.0.0 says nothing; the code that the other server gave says more."""
    bounce = read_bounce(parse(report(group(status="5.0.0", diagnostic="552 5.2.2 mailbox full"))))

    assert bounce is not None
    assert (bounce.recipients[0].status, bounce.recipients[0].code) == ("5.2.2", 552)
    assert bounce.recipients[0].reason == "The mailbox is full."


@pytest.mark.parametrize(
    ("body", "subject", "address", "kind"),
    [
        pytest.param(
            "Hi. This is the qmail-send program at customer.example.\nI'm afraid I wasn't able to deliver your message.\n\n"
            "<ana@customer.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
            f"--- Below this line is a copy of the message.\n\nReturn-Path: <support@desk.example>\n{RETURNED}",
            "failure notice",
            "ana@customer.example",
            "failed",
            id="qmail",
        ),
        pytest.param(
            "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered "
            "to one or more of its recipients. This is a permanent error.\n\n  ana@customer.example\n    550 User unknown\n\n"
            f"------ This is a copy of the message, including all the headers. ------\n\n{RETURNED}",
            "Mail delivery failed: returning message to sender",
            "ana@customer.example",
            "failed",
            id="exim",
        ),
        pytest.param(
            "   ----- The following addresses had permanent fatal errors -----\n<ana@customer.example>\n\n"
            "   ----- Transcript of session follows -----\n550 <ana@customer.example>... User unknown\n\n"
            f"   ----- Original message follows -----\n\n{RETURNED}",
            "Returned mail: User unknown",
            "ana@customer.example",
            "failed",
            id="sendmail",
        ),
        pytest.param(
            "Your message\n\n  Subject: Help\n\nwas not delivered to:\n\n  ana@customer.example\n\nbecause:\n\n  User Ana not listed\n"
            f"\n-----  Original message -----\n{RETURNED}",
            "DELIVERY FAILURE: User Ana not listed in Domino Directory",
            "ana@customer.example",
            "failed",
            id="domino",
        ),
        pytest.param(
            "Delivery to the following recipient failed permanently:\n\n     ana@customer.example\n\n"
            f"----- Original message -----\n\n{RETURNED}",
            "Delivery Status Notification (Failure)",
            "ana@customer.example",
            "failed",
            id="gmail of old",
        ),
        pytest.param(
            "THIS IS A WARNING MESSAGE ONLY. YOU DO NOT NEED TO RESEND YOUR MESSAGE.\n\n<ana@customer.example>: deferred\n\n"
            f"----- Original message -----\n{RETURNED}",
            "Warning: could not send message for past 4 hours",
            "ana@customer.example",
            "delayed",
            id="sendmail warning",
        ),
        pytest.param(
            f"Ihre Nachricht konnte nicht zugestellt werden.\n\nana@customer.example\n\n----- Original message -----\n{RETURNED}",
            "Unzustellbar: Help",
            "ana@customer.example",
            "failed",
            id="german",
        ),
    ],
)
def test_case_55_a_mail_system_may_use_its_own_words(body, subject, address, kind):
    """Case 55: bounces that follow no standard are read: address, kind, and our id out of the quoted original."""
    bounce = read_bounce(parse(words(body, subject=subject)))

    assert bounce is not None
    assert bounce.kind == kind
    assert [one.address for one in bounce.recipients] == [address]
    assert bounce.returned_ids == ("<ack1@desk.example>", "<t1@desk.example>")
    assert (
        classify(parse(words(body, subject=subject)), ours=False, own_addresses=OWN).origin is Origin.REPORT
    )


def test_the_field_that_lists_failed_recipients_is_believed():
    """X-Failed-Recipients names all addresses, whatever the text says."""
    raw = words("Mail to info@elsewhere.example failed.\n").replace(
        b"\nTo:", b"\nX-Failed-Recipients: a@x.example,\n b@x.example\nTo:", 1
    )
    bounce = read_bounce(parse(raw))

    assert bounce is not None
    assert [one.address for one in bounce.recipients] == ["a@x.example", "b@x.example"]


def test_case_59_an_abuse_report_is_feedback():
    """Case 59: ARF is a report of the kind "feedback"."""
    raw = (
        "From: fbl@provider.example\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nabuse\n"
        "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: x/1\n"
        f"--b\nContent-Type: message/rfc822\n\n{RETURNED}\n--b--\n"
    ).encode()
    bounce = read_bounce(parse(raw))

    assert bounce is not None
    assert (bounce.kind, bounce.returned_ids[0]) == ("feedback", "<ack1@desk.example>")


def test_case_62_a_challenge_in_the_shape_of_a_report_marks_no_address():
    """Case 62: a robot that keeps the mail until the sender proves something is no failed delivery."""
    bounce = read_bounce(
        parse(report(group(status="4.7.0", diagnostic="Sender not pre-approved. Follow instructions.")))
    )

    assert bounce is not None
    assert (bounce.kind, bounce.recipients) == ("other", ())


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(
            words(
                "I got this, what is wrong?\n\n> <ana@customer.example>:\n> user unknown\n",
                sender="ana@customer.example",
                path="<ana@customer.example>",
                subject="Fwd: failure notice",
            ),
            id="forwarded",
        ),
        pytest.param(
            words(
                "My mail to ben@customer.example could not be delivered.\n",
                sender="ana@customer.example",
                path="<ana@customer.example>",
                subject="Undelivered mail",
            ),
            id="written about",
        ),
        pytest.param(
            report(group(), to="mixed")
            .replace(b"MAILER-DAEMON@", b"ana@")
            .replace(b"<>", b"<ana@customer.example>"),
            id="parts forwarded",
        ),
        pytest.param(
            words(
                "We block your newsletter, it was rejected. See policy@customer.example.\n",
                sender="postmaster@customer.example",
                path="<postmaster@customer.example>",
                subject="Your newsletter",
            ),
            id="a postmaster writes",
        ),
        pytest.param(
            words(
                "Your parcel could not be delivered to us.\n",
                sender="no-reply@parcel.example",
                path="<x@parcel.example>",
                subject="Your parcel",
            ),
            id="a parcel",
        ),
        pytest.param(
            words("I am away.\n", sender="ana@customer.example", subject="Automatic reply: Delivery failed"),
            id="absence",
        ),
    ],
)
def test_who_writes_about_a_bounce_sent_none(raw):
    """A person who forwards or describes a bounce, and an absence notice about one, are no bounces."""
    assert read_bounce(parse(raw)) is None


def test_an_attached_report_is_not_the_mails_own():
    """A bounce attached as a mail of its own is somebody's attachment."""
    raw = (
        b"From: ana@customer.example\nSubject: see attached\nContent-Type: multipart/mixed; boundary=o\n\n--o\n\nLook.\n"
        b"--o\nContent-Type: message/rfc822\n\n" + report(group()) + b"\n--o--\n"
    )

    assert read_bounce(parse(raw)) is None
    assert classify(parse(raw), ours=False, own_addresses=OWN).origin is Origin.PERSON


CARRIER = (
    "Error: Invalid user address\n\nError message below:\n550 - Requested action not taken: no such user here\n\n"
    "Message details:\n  Subject: x\n  MAIL FROM: support@desk.example\n  RCPT TO: 5551234@carrier.example\n"
)


def test_a_carrier_that_answers_with_our_own_subject_reports_a_failure():
    """Nothing in the header says so: the text is a server's error from its first line on, with the envelope below it."""
    bounce = read_bounce(
        parse(words(CARRIER, subject="Re: [SUP-1001] Printer", sender="post_master@carrier.example", path=""))
    )

    assert bounce is not None
    assert bounce.kind == "failed"
    assert [(one.address, one.code) for one in bounce.recipients] == [("5551234@carrier.example", 550)]


@pytest.mark.parametrize(
    "raw",
    [
        words(
            f"Hello, what does this mean?\n\n{CARRIER}",
            subject="Re: x",
            sender="postmaster@x.example",
            path="",
        ),
        words(CARRIER, subject="Re: x", sender="ana@customer.example", path=""),
        words(
            "Error: I cannot log in, it says 550 each time.\n",
            subject="Re: x",
            sender="postmaster@x.example",
            path="",
        ),
    ],
    ids=["a postmaster who asks about it", "a person who pastes it", "a postmaster with an error of his own"],
)
def test_people_who_write_about_errors_are_people(raw):
    """Such a text alone, from an address that may be a machine's, is a report; anything else is somebody's mail."""
    assert read_bounce(parse(raw)) is None
