"""Let in from quarantine by an admin: a customer's mail without any right of ours, answered by no machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtickets.guard import Guard, TooHard
from mailtickets.reading import Reading
from tests.support.desk import Desk

OURS = "Authentication-Results: mx.desk.example; dmarc={} header.from=desk.example\r\n"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, authserv_id="mx.desk.example")
    yield made
    made.close()


def release(desk, number=1):
    with desk.store.transaction():
        assert desk.store.ledger.release(number)
    desk.run()


def test_a_forged_agent_let_in_is_a_customer_and_no_command_counts(desk):
    """A new ticket with the words as they are; nothing goes to the sender, and the history says who let it in."""
    desk.receives(OURS.format("fail").encode() + desk.mail("kim@desk.example", "#close\nGo away."))
    assert desk.copies()[0][0] == "quarantined"
    release(desk)
    assert desk.history() == ["mail_in", "released"]
    entry = desk.entries()[-1]
    assert (entry.actor, entry.audience) == ("admin", "agents")
    assert "failed authentication" in entry.reason
    state, reason, ticket = desk.copies()[0]
    assert (state, ticket) == ("on_ticket", 1001)
    assert reason.endswith("let in by the admin")
    assert desk.ticket().status == "open"
    assert set(desk.kinds("kim@desk.example")) == {"agent_new"}


def test_a_forged_agent_with_a_key_is_outside_on_that_ticket(desk):
    """It is filed where its key leads, for agents' eyes; nothing is sent to the customer, and the key is replaced."""
    desk.writes("ana@customer.example", "It burns.")
    notice = desk.last("kim@desk.example")
    desk.answers(notice, "kim@desk.example", "Pay here.", Authentication_Results="x")
    before = len(desk.sent_to("ana@customer.example"))
    raw = OURS.format("fail").encode() + desk.mail(
        "kim@desk.example", "#resolve\nPay there.", in_reply_to=notice, to=notice["Reply-To"]
    )
    desk.receives(raw)
    assert desk.copies()[-1][0] == "quarantined"
    release(desk, 3)
    assert len(desk.sent_to("ana@customer.example")) == before
    last = [entry for entry in desk.entries() if entry.kind == "mail_in"][-1]
    assert (last.audience, last.text.startswith("#resolve")) == ("agents", True)
    assert desk.ticket().status == "open"


@pytest.mark.parametrize(
    ("reply_to", "requester"),
    [
        ("", ""),
        ("kim@desk.example", ""),
        ("support@desk.example", ""),
        ("ana@customer.example", "ana@customer.example"),
    ],
)
def test_our_own_address_let_in_makes_no_loop(desk, reply_to, requester):
    """No mail of the desk goes to the desk: the writer is the Reply-To, if that is somebody else, or nobody."""
    more = {"Reply_To": reply_to} if reply_to else {}
    desk.receives(desk.mail("support@desk.example", "From the web form.", **more))
    assert "own_address" in desk.copies()[0][1]
    release(desk)
    assert desk.ticket().requester == requester
    assert desk.sent_to("support@desk.example") == desk.sent_to("ana@customer.example") == []
    assert "From the web form." in desk.last("lee@desk.example").text


def test_spam_let_in_is_handled_and_its_twin_is_a_duplicate(desk):
    """One ticket; the same bytes again are what they always are."""
    raw = b"X-Spam-Flag: YES\r\n" + desk.mail("ana@customer.example", "It burns.")
    desk.receives(raw)
    release(desk)
    desk.receives(raw)
    assert [state for state, _, _ in desk.copies()] == ["on_ticket", "ignored"]
    notice = desk.last("kim@desk.example")
    desk.answers(notice, "kim@desk.example", "Water.\n")
    assert desk.kinds("ana@customer.example") == ["answer"]


@pytest.mark.parametrize("head_reads", [True, False])
def test_a_mail_that_cannot_be_read_makes_a_ticket_by_its_header(desk, monkeypatch, head_reads):
    """Nothing an admin wants in is stuck: sender and subject as far as they can be read, and where the original is."""

    def hard(self, raw, *_args, **_more):
        if b"POISON" in raw or (not head_reads and b"ana@" in raw):
            raise TooHard("reading the mail breaks the parser (RecursionError)")
        return read(self, raw, *_args, **_more)

    read = Guard.read
    monkeypatch.setattr(Guard, "read", hard)
    in_process = Reading.read

    def poisoned(self, raw, *_args, **_more):
        if b"POISON" in raw:
            raise RecursionError
        return in_process(self, raw, *_args, **_more)

    monkeypatch.setattr(Reading, "read", poisoned)
    desk.writes("Ana <ana@customer.example>", "POISON", subject="Printer on fire")
    assert desk.copies()[0][0] == "quarantined"
    release(desk)
    (entry,) = [one for one in desk.entries() if one.kind == "mail_in"]
    assert "mailtickets quarantine show 1" in entry.text
    assert entry.audience == "agents"
    ticket = desk.ticket()
    expected = (
        ("Printer on fire", "ana@customer.example") if head_reads else ("a mail that could not be read", "")
    )
    assert (ticket.subject, ticket.requester) == expected
    assert desk.sent_to("ana@customer.example") == []
    assert "could not be read" in desk.last("kim@desk.example").text


def test_retry_decides_by_the_rules_as_they_are(desk):
    """It is no release: what is still forged stays out."""
    desk.receives(OURS.format("fail").encode() + desk.mail("kim@desk.example", "Go away."))
    with desk.store.transaction():
        assert desk.store.ledger.wait_again(1)
    desk.run()
    assert desk.copies()[0][0] == "quarantined"
