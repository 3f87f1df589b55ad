"""DKIM verified by the desk itself, end to end: the real daemon, a real Dovecot, and a DNS server on loopback."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator

import pytest

from tests.stories.test_doctor import doctor
from tests.support.dns_server import SERVFAIL, SILENCE, DnsServer
from tests.support.dovecot import Dovecot
from tests.support.process import IMAP, DeskProcess, Received
from tests.support.signing import name_of, rsa_key, signed
from tests.support.smtp_sink import SmtpSink

KIM = "Kim Archer <kim@desk.example>"

_people = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[DnsServer]:
    with DnsServer() as made:
        for domain in ("desk.example", "evil.example", "customer.example"):
            made.zone[name_of(domain)] = [rsa_key().record.encode()]
        yield made


def _desk(folder, dovecot: Dovecot, sink: SmtpSink, more: str = "") -> DeskProcess:
    name = f"verifying{os.getpid()}x{time.monotonic_ns()}"
    return DeskProcess(folder, dovecot, sink, name, mailbox=f"{IMAP}verify_dkim = true\n{more}")


@pytest.fixture(scope="module")
def desk(
    tmp_path_factory: pytest.TempPathFactory, dovecot: Dovecot, sink: SmtpSink, server: DnsServer
) -> Iterator[DeskProcess]:
    """A desk at work whose mail server says nothing about senders; each story has a customer of its own."""
    made = _desk(tmp_path_factory.mktemp("verifying"), dovecot, sink)
    made.start(env=server.environment)
    yield made
    assert made.stop() == 0


def _opened(desk: DeskProcess) -> tuple[str, str]:
    """Let a new customer open a ticket; return address and reference."""
    ana = f"ana{next(_people)}@customer.example"
    desk.writes(ana, "My printer is on fire.")
    return ana, desk.wait_to(ana, 1)[0]["Subject"].partition("]")[0].removeprefix("[")


def _unkeyed(desk: DeskProcess, reference: str, domain: str = "desk.example", selector: str = "s1") -> bytes:
    """Return a mail of Kim's that has no key and answers no mail of ours, signed by a domain; "" for none."""
    raw = desk.mail(KIM, "Please try water.", subject=f"Re: [{reference}] Printer")
    return signed(raw, rsa_key(), domain, selector=selector) if domain else raw


def _to_kim(desk: DeskProcess, reference: str) -> list[Received]:
    return [mail for mail in desk.to("kim@desk.example") if reference in mail["Subject"]]


def _held(desk: DeskProcess, reference: str) -> list[str]:
    return [mail["reason"] for mail in desk.json("held") if reference in mail["subject"]]


def _is_held(desk: DeskProcess, ana: str, reference: str) -> None:
    """Kim is asked, and the customer has nothing but the acknowledgement."""
    desk.wait(lambda: len(_to_kim(desk, reference)) == 2, "the question")
    assert "confirm" in _to_kim(desk, reference)[1]["Subject"]
    desk.at_rest()
    assert len(_held(desk, reference)) == 1
    assert (len(desk.to(ana)), desk.status(reference)) == (1, "open")


def _is_relayed(desk: DeskProcess, ana: str, reference: str) -> None:
    """The customer has the answer, and nobody is asked."""
    assert desk.wait_to(ana, 2)[1].text.strip() == "Please try water."
    desk.at_rest()
    assert _held(desk, reference) == []
    assert len(_to_kim(desk, reference)) == 1, "the notice of the ticket, and no question"
    assert desk.status(reference) == "waiting"


def test_an_agent_whose_domain_signed_needs_no_key(desk: DeskProcess):
    """The answer goes out at once; Dovecot has written its own fields on top of the signature."""
    ana, reference = _opened(desk)
    desk.deliver(_unkeyed(desk, reference))
    _is_relayed(desk, ana, reference)


@pytest.mark.parametrize("how", ["unsigned", "changed", "a second From", "another domain", "no such key"])
def test_an_agent_without_a_signature_that_holds_is_held(desk: DeskProcess, how: str):
    """Nothing is relayed, nothing lost: the configured address is asked. So is a good signature of somebody else."""
    ana, reference = _opened(desk)
    raw = {
        "unsigned": lambda: _unkeyed(desk, reference, ""),
        "changed": lambda: _unkeyed(desk, reference).replace(b"water", b"petrol"),
        "a second From": lambda: _unkeyed(desk, reference).replace(b"\r\n\r\n", b"\r\nFrom: eve@evil.example\r\n\r\n", 1),
        "another domain": lambda: _unkeyed(desk, reference, "evil.example"),
        "no such key": lambda: _unkeyed(desk, reference, selector="s2"),
    }[how]()  # fmt: skip
    desk.deliver(raw)
    if how == "a second From":  # names nobody: a stranger's mail, without any rights, and nobody to ask
        desk.at_rest()
        assert (len(desk.to(ana)), desk.status(reference)) == (1, "open")
    else:
        _is_held(desk, ana, reference)


@pytest.mark.parametrize("said", [SERVFAIL, SILENCE])
def test_while_dns_is_away_an_agent_is_asked_and_others_are_served(
    desk: DeskProcess, server: DnsServer, said: str
):
    """The mail is held, not lost, and its confirmation sends it; a customer's mail of the same time is acknowledged."""
    ana, reference = _opened(desk)
    selector = said.lower()
    server.zone[name_of("desk.example", selector)] = said
    desk.deliver(_unkeyed(desk, reference, selector=selector))
    _opened(desk)
    _is_held(desk, ana, reference)
    desk.answers(_to_kim(desk, reference)[1], KIM, "yes", quote=False)
    assert desk.wait_to(ana, 2)[1].text.strip() == "Please try water."


def test_a_customer_whose_domain_signed_gets_the_own_words_back(desk: DeskProcess):
    """A proven customer is answered under the own subject."""
    ana = f"ana{next(_people)}@customer.example"
    raw = desk.mail(ana, "It burns.", subject="Fire on the third floor")
    desk.deliver(signed(raw, rsa_key(), "customer.example"))
    assert "Fire on the third floor" in desk.wait_to(ana, 1)[0]["Subject"]


def test_mail_by_the_pipe_is_verified_too(desk: DeskProcess, server: DnsServer, monkeypatch):
    """`receive` looks the key up itself, and the daemon decides."""
    monkeypatch.setenv("MAILTICKETS_DNS", server.environment["MAILTICKETS_DNS"])
    ana, reference = _opened(desk)
    desk.command("receive", stdin=_unkeyed(desk, reference))
    desk.delivered += 1
    _is_relayed(desk, ana, reference)


def test_a_round_by_hand_verifies_too(
    tmp_path, dovecot: Dovecot, sink: SmtpSink, server: DnsServer, monkeypatch
):
    """`run --once`, which takes in within a running loop."""
    monkeypatch.setenv("MAILTICKETS_DNS", server.environment["MAILTICKETS_DNS"])
    desk = _desk(tmp_path, dovecot, sink, 'start_from = "all"\n')
    desk.writes("ana@customer.example", "My printer is on fire.")
    desk.command("run", "--once")
    reference = desk.references()[0]
    desk.deliver(_unkeyed(desk, reference))
    desk.command("run", "--once")
    _is_relayed(desk, "ana@customer.example", reference)


def test_what_was_proven_stays_proven(tmp_path, dovecot: Dovecot, sink: SmtpSink):
    """The keys are stored with the mail: a power cut before the decision, and a key that is changed later, do not matter."""
    desk = _desk(tmp_path, dovecot, sink)
    with DnsServer() as dns:
        dns.zone[name_of("desk.example")] = [rsa_key().record.encode()]
        desk.start(env=dns.environment)
        ana, reference = _opened(desk)
        desk.at_rest()
        assert desk.stop() == 0
        desk.start(env={**dns.environment, "MAILTICKETS_CRASH_AT": "raw-stored"})
        desk.deliver(_unkeyed(desk, reference))
        assert desk.process is not None
        assert desk.process.wait(15) == -9
        dns.zone.clear()
        desk.start(env=dns.environment)
        _is_relayed(desk, ana, reference)
        assert all(name.startswith("s1.") for name in dns.asked)
        assert len(dns.asked) == 1, "and DNS is not asked again"
    assert "0 would land elsewhere today" in desk.command("replay", "--dry-run")
    assert desk.stop() == 0


def test_it_is_switched_on_by_a_reload(tmp_path, dovecot: Dovecot, sink: SmtpSink, server: DnsServer):
    """Mail from then on is verified; what came before has no keys, stays held, and is not asked about again."""
    desk = _desk(tmp_path, dovecot, sink)
    desk.edit("verify_dkim = true", "# verify_dkim = true")
    desk.start(env=server.environment)
    ana, reference = _opened(desk)
    asked = len(server.asked)
    desk.deliver(_unkeyed(desk, reference))
    _is_held(desk, ana, reference)
    assert len(server.asked) == asked, "nobody asks DNS where it is off"
    desk.edit("# verify_dkim = true", "verify_dkim = true")
    desk.reload()
    desk.wait_log("reloaded")
    desk.deliver(_unkeyed(desk, reference))
    assert desk.wait_to(ana, 2)[1].text.strip() == "Please try water."
    desk.at_rest()
    assert len(_held(desk, reference)) == 1
    assert desk.stop() == 0


def test_doctor_says_whether_dns_answers(desk: DeskProcess, server: DnsServer, monkeypatch):
    """One line for the mailbox; a desk whose DNS is away works on, so that is a warning."""
    monkeypatch.setenv("MAILTICKETS_DNS", server.environment["MAILTICKETS_DNS"])
    state, said, _ = doctor(desk)[1]["mailbox.support.verify_dkim"]
    assert (state, "DNS answers" in said) == ("ok", True)
    server.zone["_domainkey.desk.example"] = SERVFAIL
    state, said, remedy = doctor(desk)[1]["mailbox.support.verify_dkim"]
    assert (state, "no sender is proven by it" in said) == ("warning", True)
    assert "dig TXT _domainkey.desk.example" in remedy
