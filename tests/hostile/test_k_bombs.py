"""Section K: ticket bombs. Requests in other people's names, so that the desk mails them: nothing is amplified.

In 2024 and 2025 the open forms of large help desks were used so: thousands of requests, each with a victim's address as
its sender and the attacker's words in Subject, name and text, which the acknowledgements then carried to the victims.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailtickets.mail.message import mailbox_of
from tests.hostile.desk import ANNA, POLICY, STAFF
from tests.hostile.flood import FloodDesk, mail_of
from tests.support.desk import SentMail

VICTIM = "vera@victim.example"
WORDS = ("PILLS", "pills.evil", "evil")
BOMBS = 60
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LIMITS = POLICY.limits


@pytest.fixture
def flood(tmp_path: Path) -> Iterator[FloodDesk]:
    """A desk on which nothing has happened yet."""
    desk = FloodDesk(tmp_path)
    yield desk
    desk.close()


def bomb(number: int, from_: str, more: str = "") -> bytes:
    """Write a mail in somebody's name with the attacker's words wherever there is room."""
    return mail_of(
        f'"BUY PILLS {number}" <{from_}>', number, f"Buy PILLS now: http://pills.evil/{number}", subject=f"PILLS {number} at pills.evil",
        more=more,
    ).replace(b"evil.example", b"unknown.example")  # fmt: skip


def spelled(number: int) -> str:
    """Return one of the many spellings of one mailbox."""
    return (f"vera+{number}@victim.example", f"Vera+{number}@Victim.Example", "VERA@victim.example")[
        number % 3
    ]


def dotted(number: int) -> str:
    """Return one of the many addresses that lead to one mailbox at Gmail."""
    name = "".join(letter + ("." if number >> place & 1 else "") for place, letter in enumerate("verylong"))
    return f"{name.strip('.')}+{number}@{('gmail.com', 'googlemail.com')[number % 2]}"


BOMB_KINDS = {
    "one victim, other subjects": lambda n: bomb(n, VICTIM),
    "plus-tags and capitals of one mailbox": lambda n: bomb(n, spelled(n)),
    "dots at Gmail": lambda n: bomb(n, dotted(n)),
    "as many victims of one domain": lambda n: bomb(n, f"v{n}@victim.example"),
    "as many victims of as many domains": lambda n: bomb(n, f"v{n}@victim{n}.example"),
    "two mails in each name": lambda n: bomb(n, f"v{n // 2}@victim.example"),
    "victim in Cc": lambda n: bomb(n, f"a{n}@x{n}.example", f"Cc: {VICTIM}\r\n"),
    "victim in Reply-To": lambda n: bomb(n, f"a{n}@x{n}.example", f"Reply-To: {VICTIM}\r\n"),
    "victim in Sender": lambda n: bomb(n, f"a{n}@x{n}.example", f"Sender: {VICTIM}\r\n"),
    "victim in Return-Path and read receipt": lambda n: bomb(
        n, f"a{n}@x{n}.example", f"Return-Path: <{VICTIM}>\r\nDisposition-Notification-To: {VICTIM}\r\n"
    ),
}


ONE_MAILBOX = {"one victim, other subjects", "plus-tags and capitals of one mailbox", "dots at Gmail"}


def words_of(mail: SentMail) -> str:
    """Return all that somebody reads of a mail: subject, names, addresses and text, but no Message-ID."""
    heads = " ".join(mail[name] for name in ("From", "To", "Cc", "Reply-To", "Subject", "Comments"))
    return f"{heads} {mail.text} {mail.html}"


@pytest.mark.case(140)
@pytest.mark.parametrize("kind", BOMB_KINDS)
def test_140_a_bomb_in_other_peoples_names_amplifies_nothing(flood: FloodDesk, kind: str):
    """Sixty mails in half an hour, then two days of silence.

    Only a From address is ever written to; a mailbox gets three mails a day at most, a domain 30 an hour; they are short,
    in words of the desk alone; no reminder and no closing follows; what waited does not leave later beyond these limits.
    Every mail is kept, and agents hear of every ticket.
    """
    mails = [BOMB_KINDS[kind](number) for number in range(BOMBS)]
    flood.poured(iter(mails), 30 * MINUTE, BOMBS)
    first_hour = len(flood.outside())
    flood.lives(23 * HOUR, 30 * MINUTE)
    a_day = Counter(mailbox_of(address) for mail in flood.outside() for address in mail.recipients)
    flood.lives(DAY, HOUR)
    out = flood.outside()
    assert {mail.kind for mail in out} <= {"acknowledgement"}
    for mail in out:
        assert len(mail.recipients) == 1
        assert not [word for word in WORDS if word in words_of(mail)], words_of(mail)
        assert len(mail.raw) < 2500
        assert mail["Auto-Submitted"] == "auto-replied"
    assert max(a_day.values()) <= LIMITS.ack_per_address_day
    if kind in ONE_MAILBOX:
        assert sum(a_day.values()) <= LIMITS.ack_per_address_day
    assert len(out) <= BOMBS, "one for each mail at most"
    assert sum(len(mail.raw) for mail in out) <= 2500 * BOMBS
    reached = {address for mail in out for address in mail.recipients}
    if "victim in" in kind:
        assert VICTIM not in reached
    if "domain" in kind and "domains" not in kind:
        assert first_hour <= LIMITS.ack_per_domain_hour
    books = flood.books()
    assert (books.received, books.on_tickets, books.unexplained) == (BOMBS, BOMBS, 0)
    assert flood.count("SELECT count(*) FROM entry WHERE kind = 'mail_in'") == BOMBS
    told = " ".join(mail["Subject"] + mail.text for mail in flood.sent_to(ANNA.email))
    for (number,) in flood._ask("SELECT number FROM ticket"):
        assert f"SUP-{number}" in told


@pytest.mark.case(140)
def test_140_mails_in_a_name_take_no_limit_off_that_name(flood: FloodDesk):
    """Who wrote before counts against neither domain nor desk; a mail in their name is not their writing.

    Known is who was proven, answered with something of ours, or was answered by an agent.
    """
    flood.use(replace(POLICY, limits=replace(LIMITS, ack_per_hour=10, ack_waiting=1)))
    for number in range(40):
        flood.receives(bomb(number, f"v{number % 20}@victim{number % 20}.example"))
    assert len(flood.outside()) == 10
    flood.lives(HOUR, 10 * MINUTE)
    cora = "cora@client.example"
    flood.writes(cora, "My printer is on fire.")
    flood.answers(flood.last(ANNA.email), f"Anna <{ANNA.email}>", "Please try water.")
    for number in range(100, 120):
        flood.receives(bomb(number, f"v{number}@victim{number}.example"))
    sent = len(flood.sent_to(cora))
    flood.writes(cora, "My scanner is wet.", subject="Scanner")
    assert flood.kinds(cora)[sent:] == ["acknowledgement"], "she is known, and does not wait behind the flood"


@pytest.mark.case(140)
@pytest.mark.parametrize("command", ["#close", "#resolve"])
def test_140_an_agent_who_ends_the_tickets_mails_nobody_new(flood: FloodDesk, command: str):
    """The agent ends each ticket by a bare command: who was not acknowledged gets nothing, and the receipt says so.

    Who was acknowledged hears of it within the same limits, in words of the desk alone; nothing follows after a month.
    """
    flood.use(replace(POLICY, limits=replace(LIMITS, ack_per_hour=5, ack_waiting=1, notices_per_agent=0)))
    for number in range(30):
        flood.receives(bomb(number, f"v{number}@victim{number}.example"))
    acknowledged = len(flood.outside())
    assert acknowledged == 5
    for notice in [mail for mail in flood.sent_to(ANNA.email) if mail.kind == "agent_new"]:
        flood.answers(notice, f"Anna <{ANNA.email}>", f"{command}\n")
    assert flood.count("SELECT count(*) FROM ticket WHERE status IN ('closed', 'resolved')") == 30
    receipt = next(mail for mail in reversed(flood.sent_to(ANNA.email)) if mail.kind == "receipt")
    assert "Nobody was told" in receipt.text
    assert "is not proven to have written, and was not acknowledged" in " ".join(receipt.text.split())
    flood.lives(30 * DAY, 6 * HOUR)
    later = flood.outside()[acknowledged:]
    assert len(later) <= 5, "only those who have the acknowledgement"
    for mail in later:
        assert not [word for word in WORDS if word in words_of(mail)], words_of(mail)
    assert flood.count("SELECT count(*) FROM ticket WHERE status = 'closed'") == 30


@pytest.mark.case(140)
def test_140_a_text_below_the_command_is_sent_in_any_case(flood: FloodDesk):
    """An agent's own words always go out; a bare command on a ticket of somebody known does, too."""
    flood.use(replace(POLICY, limits=replace(LIMITS, ack_per_hour=1, ack_waiting=1)))
    flood.writes("first@x.example", "I take the only acknowledgement.")
    flood.writes("cora@client.example", "My printer is on fire.")
    flood.answers(flood.last(ANNA.email), f"Anna <{ANNA.email}>", "#resolve\nIt is out.")
    assert flood.kinds("cora@client.example") == ["resolved"]
    flood.answers(flood.last("cora@client.example"), "cora@client.example", "It burns again.")
    flood.answers(flood.last(ANNA.email, "agent_reopened"), f"Anna <{ANNA.email}>", "#close\n")
    assert flood.kinds("cora@client.example") == ["resolved", "closed"]
    assert "Printer on fire" in flood.last("cora@client.example")["Subject"]


@pytest.mark.case(140)
def test_140_waiting_for_nothing_reminds_nobody(flood: FloodDesk):
    """A bare #wait on a ticket that nobody answered asks the victim nothing, so nobody is reminded; the agent is told."""
    flood.receives(bomb(1, VICTIM))
    flood.answers(flood.last(ANNA.email), f"Anna <{ANNA.email}>", "#wait\n")
    flood.lives(10 * DAY, 6 * HOUR)
    assert flood.kinds(VICTIM) == ["acknowledgement"]
    assert flood.ticket(1001).status == "open"
    assert "nobody of the desk has written to the customer yet" in " ".join(
        flood.last(ANNA.email).text.split()
    )


@pytest.mark.case(140)
def test_140_the_customers_words_in_her_name_are_limited(flood: FloodDesk):
    """CLOSE and STATUS in cora's name, with the tag of her ticket: a few automatic answers a day, and no more.

    With a key or an id of ours, which only a reader of our mail has, CLOSE is confirmed as ever.
    """
    cora = "cora@client.example"
    flood.writes(cora, "My printer is on fire.")
    flood.answers(flood.last(ANNA.email), f"Anna <{ANNA.email}>", "Please try water.")
    before = len(flood.sent_to(cora))
    for number in range(20):
        tag = "Re: [SUP-1001] Printer on fire"
        flood.receives(mail_of(cora, number, ("CLOSE", "It burns.", "STATUS")[number % 3], subject=tag))
        flood.receives(mail_of(cora, number + 100, "STATUS", subject="STATUS"))
    assert len(flood.sent_to(cora)) - before <= LIMITS.ack_per_address_day - 1
    flood.answers(flood.last(cora, "answer"), cora, "CLOSE")
    assert flood.kinds(cora)[-1] == "closed"
    assert {address for mail in flood.outside() for address in mail.recipients} == {cora}


@pytest.mark.case(140)
def test_140_bombs_with_a_file_that_is_too_large(flood: FloodDesk):
    """Too large a mail is answered within the same limits; in her name with her tag, too."""
    from hashlib import sha256

    from mailtickets.store.ledger import Taken, compress

    cora = "cora@client.example"
    flood.writes(cora, "My printer is on fire.")
    for number in range(12):
        subject = "Re: [SUP-1001] Printer on fire" if number % 2 else f"PILLS {number}"
        raw = mail_of(cora, number, f"PILLS {number}", subject=subject)
        taken = Taken(
            "support",
            "INBOX",
            f"9/{number}",
            sha256(raw).digest(),
            compress(raw),
            raw,
            90_000_000,
            flood.now,
            truncated=True,
        )
        flood.line.accept([taken])
        flood.run()
    assert len(flood.sent_to(cora)) == LIMITS.ack_per_address_day
    assert all("PILLS" not in words_of(mail) for mail in flood.sent_to(cora))


@pytest.mark.case(140)
def test_140_what_waits_past_the_bound_never_leaves(flood: FloodDesk):
    """Twenty victims past the limit of the desk with a bound of three: three leave in the next hours, seventeen never do."""
    flood.use(replace(POLICY, limits=replace(LIMITS, ack_per_hour=2, ack_waiting=3)))
    for number in range(22):
        flood.receives(bomb(number, f"v{number}@victim{number}.example"))
    assert len(flood.outside()) == 2
    flood.lives(3 * DAY, 10 * MINUTE)
    assert len(flood.outside()) == 5
    assert flood.history(1022)[:2] == ["mail_in", "not_acknowledged"]
    assert flood.books().on_tickets == 22


@pytest.mark.case(139)
def test_139_a_private_ticket_takes_no_mail_of_another_kind(flood: FloodDesk):
    """Only a ticket of the same queue takes a repeat: whoever reads one queue does not read the other's mail by it."""
    billing = replace(
        POLICY.queues["support"], name="billing", address="billing@desk.example", tag="BIL", agents=("ben",)
    )
    support = replace(POLICY.queues["support"], agents=("anna",))
    flood.use(replace(POLICY, queues={"support": support, "billing": billing}))
    for number in range(3):
        flood.receives(mail_of(VICTIM, number, "Where is it?", subject="Order"))
    flood.receives(mail_of(VICTIM, 9, "Where is it?", subject="Order").replace(b"support@", b"billing@"))
    assert [tuple(row) for row in flood._ask("SELECT number, queue FROM ticket")] == [
        (1001, "support"), (1002, "support"), (1003, "billing"),
    ]  # fmt: skip
    assert {mail.kind for mail in flood.sent_to("ben@desk.example")} == {"agent_new"}
    assert {address for mail in flood.sent for address in mail.recipients if "desk" in address} <= STAFF


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("Cora@Client.Example", "cora@client.example"),
        ("cora+bills@client.example", "cora@client.example"),
        ("co.ra@client.example", "co.ra@client.example"),
        ("Co.Ra+x@GoogleMail.com", "cora@gmail.com"),
        ("+x@client.example", "+x@client.example"),
        ("cora", "cora"),
    ],
)
def test_the_mailbox_behind_an_address(address: str, mailbox: str):
    """Details are one mailbox everywhere, dots at Gmail only: elsewhere they part people."""
    assert mailbox_of(address) == mailbox
