"""What the admin's own mail server says about a sender (Authentication-Results), end to end; its name is `authserv_id`."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.dovecot import Dovecot
from tests.support.process import IMAP, DeskProcess, Received
from tests.support.smtp_sink import SmtpSink

OURS = "mx.desk.example"
KIM = "Kim Archer <kim@desk.example>"
GOOD_DKIM = "dkim=pass header.d=desk.example header.s=mail"
GOOD, BAD = "dmarc=pass header.from=desk.example", "dkim=none; dmarc=fail header.from=desk.example"

_people = itertools.count(1)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, dovecot: Dovecot, sink: SmtpSink) -> Iterator[DeskProcess]:
    """A desk at work that trusts one server's verdicts; each story has a customer of its own."""
    made = DeskProcess(
        tmp_path_factory.mktemp("trusting"),
        dovecot,
        sink,
        f"trusting{os.getpid()}x{time.monotonic_ns()}",
        mailbox=IMAP + f'authserv_id = "{OURS}"',
    )
    made.start()
    yield made
    assert made.stop() == 0


def _results(server: str, verdict: str) -> dict[str, Any]:
    return {"Authentication_Results": f"{server}; {verdict}"}


def _customer() -> str:
    return f"ana{next(_people)}@customer.example"


def _opened(desk: DeskProcess) -> tuple[str, str]:
    """Let a new customer open a ticket; return address and reference."""
    ana = _customer()
    desk.writes(ana, "My printer is on fire.")
    return ana, desk.wait_to(ana, 1)[0]["Subject"].partition("]")[0].removeprefix("[")


def _unkeyed(desk: DeskProcess, reference: str, **headers: str) -> None:
    """Let Kim answer by the tag in the subject alone: without a key, without a mail of ours that it answers."""
    desk.writes(KIM, "Please try water.", subject=f"Re: [{reference}] Printer", **headers)


def _to_kim(desk: DeskProcess, reference: str) -> list[Received]:
    return [mail for mail in desk.to("kim@desk.example") if reference in mail["Subject"]]


def _aside(desk: DeskProcess, command: str, reference: str) -> list[str]:
    """Return the reasons why mails of this ticket are held, or in quarantine."""
    return [mail["reason"] for mail in desk.json(command) if reference in mail["subject"]]


@pytest.mark.parametrize("verdict", [GOOD, f"spf=fail; {GOOD_DKIM}"])
def test_an_authenticated_agent_needs_no_key(desk: DeskProcess, verdict: str):
    """A pass of DMARC, or of DKIM by the agent's own domain: the answer goes out at once, and nobody is asked."""
    ana, reference = _opened(desk)
    _unkeyed(desk, reference, **_results(OURS, verdict))
    assert desk.wait_to(ana, 2)[1].text.strip() == "Please try water."
    desk.at_rest()
    assert _aside(desk, "held", reference) == []
    assert len(_to_kim(desk, reference)) == 1, "the notice of the ticket, and no question"
    assert desk.status(reference) == "waiting"


@pytest.mark.parametrize(
    ("server", "verdict"), [("mx.evil.example", GOOD), (OURS, "spf=pass smtp.mailfrom=kim@desk.example")]
)
def test_no_verdict_that_counts_leaves_the_agent_held(desk: DeskProcess, server: str, verdict: str):
    """A pass under another server's name counts for nothing, and SPF alone proves nobody: the agent is asked."""
    ana, reference = _opened(desk)
    _unkeyed(desk, reference, **_results(server, verdict))
    desk.wait(lambda: len(_to_kim(desk, reference)) == 2, "the question")
    assert "confirm" in _to_kim(desk, reference)[1]["Subject"]
    desk.at_rest()
    assert len(_aside(desk, "held", reference)) == 1
    assert (len(desk.to(ana)), desk.status(reference)) == (1, "open")


def test_a_forged_agent_is_set_aside_and_the_admins_are_told(desk: DeskProcess):
    """Against a fail not even the agent's key helps: nothing is done or asked, and the mail waits for an admin."""
    ana, reference = _opened(desk)
    desk.wait(lambda: _to_kim(desk, reference), "the notice")
    desk.answers(_to_kim(desk, reference)[0], KIM, "#close\nGo away.", **_results(OURS, BAD))
    words = "kim@desk.example is in quarantine"
    told = lambda: [mail for mail in desk.to("it@desk.example") if words in mail.text]  # noqa: E731
    desk.wait(told, "the admins to be told")
    assert "mailtickets quarantine" in told()[0].text
    desk.at_rest()
    (reason,) = _aside(desk, "quarantine", reference)
    assert "Kim Archer" in reason
    assert "failed authentication" in reason
    assert _aside(desk, "held", reference) == []
    assert (len(desk.to(ana)), len(_to_kim(desk, reference)), desk.status(reference)) == (1, 1, "open")


@pytest.mark.parametrize(("server", "echoed"), [(OURS, True), ("mx.evil.example", False)])
def test_only_a_proven_customer_gets_the_own_words_back(desk: DeskProcess, server: str, echoed: bool):
    """Nobody can have the desk send words of their choice to somebody else."""
    ana = _customer()
    verdict = "dkim=pass header.d=customer.example; dmarc=pass header.from=customer.example"
    desk.writes(ana, "It burns.", subject="Buy our pills", **_results(server, verdict))
    ack = desk.wait_to(ana, 1)[0]
    assert ("Buy our pills" in ack["Subject"]) is echoed
    assert ("Buy our pills" in ack.everything) is echoed
    assert ack["Subject"].startswith("[SUP-")


def test_a_customer_who_may_be_forged_is_filed_and_not_answered(desk: DeskProcess):
    """The mail is on a ticket and before the agents, marked; the address in From gets nothing."""
    ana = _customer()
    verdict = "dkim=none; dmarc=fail header.from=customer.example"
    desk.writes(ana, "It burns.", subject=f"From {ana}", **_results(OURS, verdict))
    desk.wait(lambda: any(ana in mail["Subject"] for mail in desk.to("kim@desk.example")), "the notice")
    desk.at_rest()
    (ticket,) = [ticket for ticket in desk.json("list", "--all") if ticket["requester"] == ana]
    assert "acknowledged" not in desk.kinds(ticket["reference"])
    assert desk.to(ana) == []
    notice = next(mail for mail in desk.to("kim@desk.example") if ana in mail["Subject"])
    assert "forged" in notice.text
