"""Do we answer this mail automatically, and what becomes of it? The table of answers, row by row, through the real line.

Each row is met twice: as a first mail, and as cora's answer on a ticket that is resolved and on one that waits for her.
Where design section 4 ("Two questions, asked apart") decides otherwise than the table of old, it wins: our own mail is
known by key or outbox, never by domain; lists, bulk, Feedback-ID and X-Auto-Response-Suppress stop only the automatic
answer; mail of more than three days ago is answered, for the desk may have been down.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from mailtickets.store.ledger import Taken, compress
from tests.hostile.desk import CORA, HostileDesk
from tests.hostile.test_d_bounces import complaint, dsn

ANNA, CLIENT = "anna@desk.example", "cora@client.example"
AGENT = "Anna Archer <anna@desk.example>"
SERVER = "mx.desk.example"
TRACE = "Received: from a by b; Mon, 2 Mar 2026 09:00:00 +0000\n"
PASSES = f"Authentication-Results: {SERVER}; dmarc=pass header.from=client.example\n"
FAILS = f"Authentication-Results: {SERVER}; dmarc=fail header.from=client.example\n"
CALENDAR = "BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\nUID:1@x\nEND:VEVENT\nEND:VCALENDAR\n"


@dataclass(frozen=True)
class Row:
    """A mail and what must come of it.

    head, from_, to, subject, body   of the mail; `body` may begin with fields of its own.
    acked    as a first mail it is acknowledged.
    first    what a first mail becomes: "new", "ignored" or "quarantined".
    reply    what an answer on cora's ticket does: a key of DOES.
    """

    row: str
    acked: bool = False
    first: str = "new"
    reply: str = "is filed"
    head: str = ""
    from_: str = f"From: {CORA}\n"
    to: str = "support@desk.example"
    subject: str = "Printer on fire"
    body: str = "\nMy printer is on fire.\n"

    def mail(self, answers: str = "") -> bytes:
        """Write it; `answers` is the Message-ID that it answers."""
        reply = f"In-Reply-To: {answers}\nReferences: {answers}\n" if answers else ""
        number = "2" if answers else "1"
        return (
            f"{self.head}{self.from_}To: {self.to}\nSubject: {self.subject}\nMessage-ID: <row{number}@client.example>\n"
            f"Date: Mon, 2 Mar 2026 09:00:00 +0000\n{reply}{self.body}"
        ).encode()


def person(row: str, **more: Any) -> Row:
    """A person's mail that only must not be answered automatically."""
    return Row(row, **{"reply": "reopens", **more})


ROWS = [
    Row("1 own address as From", first="quarantined", reply="is quarantined", from_="From: support@desk.example\n"),
    Row("1 more than 100 Received", first="ignored", reply="is ignored", head=TRACE * 101),
    person("1 our domain in the Message-ID is not ours", acked=True, head="X-Other: 1\n", body="Message-Id-Old: <x@desk.example>\n\nIt burns.\n"),
    person("1 a colleague of our own domain is a customer", acked=True, from_="From: carl@desk.example\n", reply="is outside"),
    Row("2 null path", head="Return-Path: <>\n"),
    Row("2 MAILER-DAEMON", reply="is shown", from_="From: MAILER-DAEMON@client.example\n"),
    Row("2 X-Failed-Recipients", reply="is shown", head="X-Failed-Recipients: dora@client.example\n"),
    person("2 postmaster with a path is somebody", from_="From: postmaster@client.example\n", reply="is outside"),
    person("3 no From", from_="", reply="is outside"),
    person("3 broken From", from_="From: cora at client\n", reply="is outside"),
    person("3 two mailboxes", from_=f"From: {CORA}, eve@evil.example\n", reply="is outside"),
    person("3 a group", from_=f"From: Friends: {CLIENT};\n", reply="is outside"),
    person("3 two From fields", from_=f"From: {CORA}\nFrom: eve@evil.example\n", reply="is outside"),
    Row("4 auto-generated", head="Auto-Submitted: auto-generated\n"),
    Row("4 auto-replied", head="Auto-Submitted: auto-replied\n"),
    Row("4 an unknown word", head="Auto-Submitted: maybe\n"),
    person("4 no", acked=True, head="Auto-Submitted: no\n"),
    person("4 no, with a comment", acked=True, head="Auto-Submitted: no (really)\n"),
    person("5 List-Id", head="List-Id: <news.client.example>\n"),
    person("5 List-Unsubscribe", head="List-Unsubscribe: <mailto:off@client.example>\n"),
    person("5 Precedence bulk", head="Precedence: bulk\n"),
    person("5 Precedence junk", head="Precedence: junk\n"),
    person("5 Precedence list", head="Precedence: list\n"),
    Row("5 Precedence auto_reply", head="Precedence: auto_reply\n"),
    person("5 Feedback-ID", head="Feedback-ID: 1:2:3\n"),
    person("5 front door by List-Id", acked=True, head="List-Id: <support.desk.example>\nPrecedence: list\n"),
    person("5 front door by List-Post", acked=True, head="List-Post: <mailto:support@desk.example>\n"),
    person("5 front door in From, Reply-To behind it", acked=True, from_="From: support@desk.example\n",
           head=f"List-Id: <support.desk.example>\nReply-To: {CLIENT}\n"),
    person("5 front door in From, X-Original-From behind it", acked=True, from_="From: support@desk.example\n",
           head=f"List-Id: <support.desk.example>\nX-Original-From: {CLIENT}\n"),
    Row("5 front door in From, nobody behind it", first="quarantined", reply="is quarantined", from_="From: support@desk.example\n",
        head="List-Id: <support.desk.example>\n"),
    person("6 X-Auto-Response-Suppress All", head="X-Auto-Response-Suppress: All\n"),
    person("6 X-Auto-Response-Suppress AutoReply", head="X-Auto-Response-Suppress: DR, AutoReply\n"),
    person("6 X-Auto-Response-Suppress about receipts", acked=True, head="X-Auto-Response-Suppress: DR, RN\n"),
    Row("6 X-Autoreply", head="X-Autoreply: yes\n"),
    Row("6 X-Autorespond", head="X-Autorespond: 1\n"),
    Row("6 X-Autogenerated", head="X-Autogenerated: Reply\n"),
    Row("6 calendar REPLY", body=f"Content-Type: text/calendar; method=REPLY\n\n{CALENDAR}"),
    person("6 calendar REQUEST is an invitation", acked=True,
           body="Content-Type: text/calendar; method=REQUEST\n\n" + CALENDAR.replace("REPLY", "REQUEST")),
    Row("6 out-of-office subject", subject="Automatic reply: Printer on fire"),
    person("7 no-reply", from_="From: no-reply@client.example\n", reply="is outside"),
    person("7 noreply", from_="From: noreply@client.example\n", reply="is outside"),
    person("7 do-not-reply", from_="From: do-not-reply@client.example\n", reply="is outside"),
    person("7 bounces", from_="From: bounces+7@client.example\n", reply="is outside"),
    person("7 owner of a list", from_="From: owner-news@client.example\n", reply="is outside"),
    person("7 request of a list", from_="From: news-request@client.example\n", reply="is outside"),
    person("7 root", from_="From: root@client.example\n", reply="is outside"),
    person("7 daemon", from_="From: daemon@client.example\n", reply="is outside"),
    Row("8 marked as spam", first="quarantined", reply="is quarantined", head="X-Spam-Flag: YES\n"),
    person("8 trusted dmarc=fail", head=FAILS, reply="is not proven"),
    person("9 blind copy", to="somebody@else.example"),
    person("9 delivered to us, named by nobody", acked=True, to="somebody@else.example", head="Delivered-To: support@desk.example\n"),
    Row("10 an agent", from_=f"From: {AGENT}\n", reply="is held"),
    person("14 a person, not proven", acked=True),
    person("15 a person, proven", acked=True, head=PASSES),
]  # fmt: skip


@pytest.fixture
def trusting(make: Callable[..., HostileDesk]) -> HostileDesk:
    """A desk that believes one server's results."""
    return make(authserv_id=SERVER)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.row)
def test_a_first_mail(trusting: HostileDesk, row: Row):
    """It is acknowledged or not, and becomes a ticket unless it is a loop, a forgery or spam."""
    met = trusting.meets(row.mail())
    assert met.state == ("on_ticket" if row.first == "new" else row.first)
    assert met.is_new is (row.first == "new")
    writer = "carl@desk.example" if "carl@" in row.from_ else CLIENT
    assert met.customers == ({writer} if row.acked else set())
    if row.first == "new":
        notice = met.to("ben@desk.example")[0]
        assert ("No acknowledgement was sent" in notice.text) is not row.acked
        assert ("No acknowledgement was sent" in notice.html) is not row.acked


DOES = {
    # what it does: state, on cora's ticket, status after it where the ticket was resolved, and where it waited
    "reopens": ("on_ticket", True, "open", "open"),
    "is filed": ("on_ticket", True, "resolved", "waiting"),
    "is shown": (
        "on_ticket",
        True,
        "resolved",
        "waiting",
    ),  # to the agents: a mail system that speaks unclearly
    "is outside": ("on_ticket", True, "resolved", "open"),
    "is not proven": ("on_ticket", True, "resolved", "open"),
    "is held": ("held", True, "resolved", "waiting"),
    "is ignored": ("ignored", False, "resolved", "waiting"),
    "is quarantined": ("quarantined", False, "resolved", "waiting"),
}


@pytest.mark.parametrize("status", ["resolved", "waiting"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.row)
def test_the_same_as_an_answer_on_a_known_ticket(trusting: HostileDesk, row: Row, status: str):
    """Row 11: no acknowledgement in any case; only a person on the ticket reopens it, and only people stop its reminders."""
    trusting.writes(CORA, "My printer is on fire.")
    command = "#resolve\n" if status == "resolved" else ""
    trusting.answers(trusting.last(ANNA), AGENT, f"{command}Please try water.")
    assert trusting.ticket().status == status
    before = trusting.store.views.timers(1001)
    met = trusting.meets(row.mail(trusting.last(CLIENT)["Message-ID"]))
    state, on_ticket, if_resolved, if_waiting = DOES[row.reply]
    assert (met.state, met.is_new, met.customers) == (state, False, set())
    assert (met.ticket == 1001) is on_ticket
    after = if_resolved if status == "resolved" else if_waiting
    assert trusting.ticket().status == after
    stopped = [timer for timer in before if timer not in trusting.store.views.timers(1001)]
    is_absence = row.row == "6 out-of-office subject" and status == "waiting"
    assert bool(stopped) is (after == "open" or is_absence), "a stopped timer is a changed status"
    assert (len(met.to(ANNA)) > 0) is (
        row.reply in {"reopens", "is outside", "is not proven", "is held", "is shown"}
    )


@pytest.mark.parametrize(
    ("row", "raw", "kind"),
    [
        ("2 DSN", lambda answer: dsn(returned=f"Message-ID: {answer}\n"), "bounced"),
        ("2 DSN, delayed", lambda answer: dsn(returned=f"Message-ID: {answer}\n", action="delayed", status="4.4.1"), "delayed"),
        ("2 ARF", lambda answer: complaint("support@desk.example", f"Message-ID: {answer}\n", CLIENT), "auto_reply"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_reports_are_handled_as_bounces(busy: HostileDesk, row: str, raw: Callable[[str], bytes], kind: str):
    """Row 2: recorded on the ticket whose mail it is about; nobody outside gets anything."""
    met = busy.meets(raw(busy.last(CLIENT)["Message-ID"]))
    assert (met.ticket, met.is_new, met.customers) == (1001, False, set())
    assert kind in busy.history(), row


def test_row_1_a_loop_field_of_ours_is_a_loop_record(busy: HostileDesk):
    """Our own acknowledgement comes back: a line in the ledger, nothing else."""
    met = busy.meets(busy.sent_to(CLIENT)[0].raw)
    assert (met.state, met.reason, met.sent) == ("ignored", "loop: a mail of our own came back", ())


@pytest.mark.parametrize("days", [0, 2, 4, 20])
def test_row_12_mail_that_lay_long_is_answered(desk: HostileDesk, days: int):
    """The row is void: a mail is no less a person's because the desk was down. (Older than the start is never taken in.)"""
    raw = desk.mail(CORA, "My printer is on fire.").replace(b"\n", b"\r\n")
    arrived = desk.now - timedelta(days=days)
    desk.line.accept(
        [
            Taken(
                "support", "INBOX", "9/9", hashlib.sha256(raw).digest(), compress(raw), raw, len(raw), arrived
            )
        ]
    )
    desk.run()
    assert desk.kinds(CLIENT) == ["acknowledgement"]


@dataclass(frozen=True)
class Flood:
    """Mails that reach a limit.

    senders   who writes, in order; the last one gets no acknowledgement.
    limits    changed for it.
    """

    name: str
    senders: list[str]
    limits: dict[str, Any] = field(default_factory=dict)
    head: str = ""


FLOODS = [
    Flood("address, 3 in 24 h", [CLIENT] * 4),
    Flood("address proven, 10 in 24 h", [CLIENT] * 11, head=PASSES),
    Flood("domain, strangers", [f"c{n}@client.example" for n in range(4)], {"ack_per_domain_hour": 3}),
    Flood("all", [f"c@client{n}.example" for n in range(4)], {"ack_per_hour": 3}),
]


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.name)
def test_row_13_limits(trusting: HostileDesk, flood: Flood):
    """Past a limit the ticket is kept, its acknowledgement waits, and the admins are told once."""
    trusting.use(replace(trusting.policy, limits=replace(trusting.policy.limits, **flood.limits)))
    things = ["toner", "paper", "cable", "screen", "mouse", "fan", "lamp", "disk", "case", "desk", "door"]
    for sender, words in zip(flood.senders, things, strict=False):
        trusting.receives(
            flood.head.encode()
            + trusting.mail(sender, f"The {words} of my printer is on fire.", subject=words)
        )
    tickets = [trusting.ticket(1001 + number) for number in range(len(flood.senders))]
    assert all(tickets)
    acknowledged = [mail for mail in trusting.sent if mail.kind == "acknowledgement"]
    assert len(acknowledged) == len(flood.senders) - 1
    assert [mail.kind for mail in trusting.sent_to("it@desk.example")] == ["trouble"]
    assert "acknowledge" in [kind for kind, _ in trusting.store.views.timers(1000 + len(flood.senders))]


def test_row_14_an_unproven_sender_gets_fixed_words(trusting: HostileDesk):
    """Short, with the tag, without a word or a name of theirs; everything that RFC 3834 wants."""
    ack = trusting.meets(ROWS[-2].mail()).to(CLIENT)[0]
    assert "Printer" not in ack["Subject"]
    assert ack["Subject"].startswith("[SUP-1001] ")
    for theirs in ("Cora", "fire", "Printer"):
        assert theirs not in ack.text
        assert theirs not in ack.html
    assert len(ack.raw) < 2048
    assert ack.recipients == (CLIENT,)
    assert (ack["Auto-Submitted"], ack["In-Reply-To"]) == ("auto-replied", "<row1@client.example>")
    assert ack["X-Auto-Response-Suppress"] == "All"
    assert "<row1@client.example>" in ack["References"]
    assert ack["X-Mailtickets-Loop"]
    assert ack.mail.null_sender


def test_row_15_a_proven_sender_gets_the_subject_back(trusting: HostileDesk):
    """Trusted dmarc=pass: the whole template, the subject as it was written."""
    ack = trusting.meets(ROWS[-1].mail()).to(CLIENT)[0]
    assert ack["Subject"] == "[SUP-1001] Printer on fire"
    assert (ack["Auto-Submitted"], ack.mail.null_sender) == ("auto-replied", True)
