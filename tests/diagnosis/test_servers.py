"""What servers say of themselves, judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailtickets.diagnosis.servers import arrival_finding, certificate_finding, judge_smtp
from mailtickets.transport.fate import Deferred
from mailtickets.transport.smtp import Security, SmtpAccount
from mailtickets.transport.smtp_look import SmtpServer

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACCOUNT = SmtpAccount("mail.acme.example", username="support@acme.example", max_size=25_000_000)


def certificate(left):
    return {
        "notAfter": f"{NOW + left:%b %d %H:%M:%S %Y} GMT",
        "subjectAltName": (("DNS", "mail.acme.example"),),
    }


@pytest.mark.parametrize(
    ("left", "state"),
    [
        (timedelta(days=22), "ok"),
        (timedelta(days=21, seconds=-1), "warning"),
        (timedelta(days=3), "warning"),
        (timedelta(days=3, seconds=-1), "wrong"),
    ],
)
def test_a_certificate_is_judged_by_the_days_that_are_left(left, state):
    """A warning below 21 days, wrong below 3; the remedy names what it is for."""
    (finding,) = certificate_finding("smtp", certificate(left), NOW)
    assert finding.state.value == state
    assert ("mail.acme.example" in finding.remedy) == (state != "ok")


def test_without_tls_there_is_no_certificate_to_judge():
    """To this machine itself mail may go in clear text."""
    assert list(certificate_finding("smtp", {}, NOW)) == []


@pytest.mark.parametrize(("minutes", "state"), [(-9000, "ok"), (4, "ok"), (6, "warning")])
def test_a_mail_from_the_future_shows_that_clocks_differ(minutes, state):
    """By more than five minutes; a server that is behind cannot be told from one without new mail."""
    (finding,) = arrival_finding(
        "mailbox.support", "mail.acme.example", NOW + timedelta(minutes=minutes), NOW
    )
    assert finding.state.value == state
    assert list(arrival_finding("mailbox.support", "mail.acme.example", None, NOW)) == []


def judged(**more):
    server = SmtpServer(**{"refused": None, "certificate": {}, **more})
    return {one.check: one for one in judge_smtp(ACCOUNT, server)}


@pytest.mark.parametrize(
    ("size", "state", "remedy"),
    [
        (0, "ok", ""),
        (25_000_000, "ok", ""),
        (10_240_000, "warning", 'set max_size = "10MB" in [smtp], and mail_size in [limits] to the same'),
        (500_000, "warning", 'set max_size = "500KB" in [smtp], and mail_size in [limits] to the same'),
    ],
)
def test_the_servers_limit_is_compared_with_ours(size, state, remedy):
    """A server that takes less sends agents' answers back; the line to write is there, and is valid."""
    finding = judged(size=size)["smtp.size"]
    assert (finding.state.value, finding.remedy) == (state, remedy)


@pytest.mark.parametrize(("code", "state"), [(250, "ok"), (451, "warning"), (0, "warning"), (550, "wrong")])
def test_senders_are_judged_by_the_servers_answer(code, state):
    """The null sender, and each queue's address; refused for now is no verdict."""
    found = judged(senders={"": (code, "words"), "support@acme.example": (code, "words")})
    null, own = found["smtp.null_sender"], found["smtp.sender.support@acme.example"]
    assert (null.state.value, own.state.value) == (state, state)
    if state == "wrong":
        assert null.remedy == 'set envelope = "bounce" in [smtp]'
        assert own.remedy == "let support@acme.example send as support@acme.example on the server"


def test_a_server_that_lets_nobody_in_gives_reason_and_remedy_apart():
    """And where the reason brings no remedy, the way to look by hand stands there."""
    told = Deferred("refused; check [smtp] password", remedy="check [smtp] password")
    (finding,) = judged(refused=told).values()
    assert (finding.what, finding.remedy) == ("refused", "check [smtp] password")
    (finding,) = judged(refused=Deferred("closed the connection")).values()
    assert finding.remedy.endswith("openssl s_client -connect mail.acme.example:465")
    starttls = SmtpAccount("h", 587, Security.STARTTLS)
    (finding,) = judge_smtp(starttls, SmtpServer(Deferred("closed"), {}))
    assert finding.remedy.endswith("openssl s_client -starttls smtp -connect h:587")
