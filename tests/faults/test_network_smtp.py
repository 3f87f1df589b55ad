"""The way to the server that takes our mail fails: after every byte of a recorded dialogue, and in the ways of the fault matrix."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from email.parser import BytesHeaderParser
from pathlib import Path

import pytest

from mailtickets.store.views import OutboxView
from tests.faults.matrix import Row
from tests.faults.rounds import Rounds
from tests.support.dovecot import Dovecot
from tests.support.faulty_network import Cut, Dialogue, Fault, FaultyNetwork, Side
from tests.support.process import DeskProcess, Received
from tests.support.smtp_sink import SinkMail, SmtpSink

KIM = "Kim Archer <kim@desk.example>"
ANSWERS_PER_TICKET = 25  # a long history only makes deciding slower
UP_TO_DATA = ("SMTP up to DATA", "DNS, refused, 4yz, timeout")
AFTER_DOT = ("SMTP after dot", "250 lost, timeout, drop, kill -9")
NO_LIMITS = "[limits]\nack_per_domain_hour = 0\nack_per_hour = 0"
# Mails of a few words, so that their dialogues are short.
SHORT = {"acknowledgement": "{{ reference }}\n", "agent_new": "{{ reference }}\n", "answer": "{{ text }}\n"}


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as server:
        yield server


@pytest.fixture
def network(sink: SmtpSink) -> Iterator[FaultyNetwork]:
    """A faulty network in front of the sink."""
    with FaultyNetwork(sink.port) as between:
        yield between


class Sending:
    """A desk of one agent whose mails are short, and the mails of which it has to say what became of them."""

    def __init__(self, folder: Path, sink: SmtpSink, network: FaultyNetwork) -> None:
        words = folder / "words" / "en"
        words.mkdir(parents=True)
        for name, text in SHORT.items():
            (words / f"{name}.txt").write_text(text)
            (words / f"{name}.html").write_text("")
        (folder / "mail").mkdir()
        more = f'{NO_LIMITS}\n[templates]\nfolder = "words"'
        unused = Dovecot()  # mail comes by `receive` here
        self.desk = DeskProcess(
            folder, unused, sink, "support", mailbox='maildir = "mail"', smtp='retry = ["1m"]', more=more
        )
        unused.destroy()
        self.desk.edit(f"port = {sink.port}", f"port = {network.port}")
        self.desk.edit('agents = ["kim", "lee"]', 'agents = ["kim"]')
        self.desk.edit('email = "kim@desk.example"', 'email = "kim@desk.example"\nreceipts = "problems"')
        self.sink, self.network = sink, network
        self.rounds = Rounds(self.desk.config)
        self.taken = 0

    def asks(self) -> str:
        """A new customer writes; return the address."""
        self.taken += 1
        address = f"ana{self.taken:05}@customer.example"
        self.rounds.receive(self.desk.mail(address, "It burns."))
        return address

    def notice(self) -> Received:
        """Open a ticket with nothing going wrong; return what the agent got."""
        self.asks()
        self.send_all()
        return Received(self.sink.to("kim@desk.example")[-1])

    def answers(self, notice: Received) -> None:
        """The agent answers."""
        self.taken += 1
        to = re.sub(r".*<|>.*", "", notice["Reply-To"])
        self.rounds.receive(self.desk.mail(KIM, "Try water.", to=to, subject="Re: it", in_reply_to=notice))

    def send_all(self) -> None:
        """Send over an honest network until nothing more can be done."""
        self.network.mend()
        while self.rounds.send():
            pass
        self.network.rest()

    def break_off(self, faults: tuple[Fault, ...]) -> None:
        """Send until each of these faults has happened to a connection; then send what is left, with none."""
        until = self.network.struck + len(faults)
        self.network.arm(*faults)
        while self.network.struck < until and self.rounds.send():
            self.network.rest()
        assert self.network.struck == until, f"not all of {faults} happened"
        self.send_all()
        books = self.rounds.books()
        assert (books.on_tickets, books.waiting, books.unexplained) == (self.taken, 0, 0)
        assert self.rounds.store.views.oldest_unsent() is None

    def outbox(self) -> list[OutboxView]:
        """Every mail there was, the oldest first."""
        return self.rounds.store.views.outbox(everything=True, limit=1_000_000)[::-1]

    def accepted(self) -> dict[str, list[SinkMail]]:
        """What the server took, by Message-ID."""
        found = defaultdict(list)
        for mail in self.sink.mails:
            found[str(BytesHeaderParser().parsebytes(mail.raw)["Message-ID"])].append(mail)
        return found


@pytest.fixture
def sending(tmp_path: Path, sink: SmtpSink, network: FaultyNetwork) -> Iterator[Sending]:
    made = Sending(tmp_path, sink, network)
    with made.rounds:
        yield made


def cuts(network: FaultyNetwork, side: Side, stride: int) -> Iterator[tuple[Cut, Cut]]:
    """Yield pairs of cuts until every byte of a mail's first dialogue had one, or every so many-th from any of the first.

    Each byte of the commands and answers is the last one once by FIN and once by RST; each of the text by one of them in turn.
    """
    said = network.dialogues[0].said(side)
    ends = rb"250 2\.0\.0 stored[^\n]*\n" if side == "server" else rb"\r\n\.\r\n"
    found = re.search(ends, said)
    assert found
    text = said.find(b"DATA\r\n") + 6 if side == "client" else found.end()
    for after in range(random.randrange(stride), text + 1, stride):
        yield Cut(after, side), Cut(after, side, abrupt=True)
    for after in range(text + 1 + 2 * random.randrange(stride), found.end() + 1, 2 * stride):
        yield Cut(after, side), Cut(after + 1, side, abrupt=True)
    if side == "client":
        # Later mails are some bytes longer: their dot is found by itself.
        yield Cut(b"\r\n.\r\n", side), Cut(b"\r\n.\r\n", side, abrupt=True)


def row_of(dialogue: Dialogue) -> Row:
    """Return the row of the fault that ended a dialogue: whether the last mail begun in it was out as a whole, with its dot."""
    whole = dialogue.client.rfind(b"\r\n.\r\n") > dialogue.client.rfind(b"MAIL FROM:")
    return AFTER_DOT if whole else UP_TO_DATA


def put_down(
    book: Callable[..., None],
    network: FaultyNetwork,
    lost: int,
    doubled: int,
    uncertain: Collection[str] = (),
) -> None:
    """Put down how many faults hit each row, and of these mails of unknown fate, by Message-ID, which of them caused it.

    Of which of them come mails lost or doubled cannot be told: each row has them.
    """
    struck = [dialogue for dialogue in network.dialogues if dialogue.struck]
    assert len(struck) == network.struck
    figures = {
        row: Counter(runs=runs, lost=lost, doubled=doubled)
        for row, runs in Counter(map(row_of, struck)).items()
    }
    causes = {
        message_id.decode(): row_of(dialogue)
        for dialogue in struck
        for message_id in re.findall(rb"\r\nMessage-ID: (<[^>]+>)", dialogue.client)[-1:]
    }
    for message_id in uncertain:
        figures[causes.get(message_id, UP_TO_DATA)]["uncertain"] += 1
    book(of=figures)
    assert (lost, doubled) == (0, 0)


@pytest.mark.timeout(1200)
@pytest.mark.fault(*UP_TO_DATA)
@pytest.mark.fault(*AFTER_DOT)
@pytest.mark.parametrize("side", ["server", "client"])
def test_an_automatic_mail_goes_out_at_most_once_wherever_the_dialogue_is_cut(
    sending: Sending, network: FaultyNetwork, side: Side, stride: int, book
):
    """Each mail was accepted once, or never and is listed as uncertain; nobody else got it."""
    sending.asks()
    sending.send_all()
    for pair in cuts(network, side, stride):
        sending.asks()
        sending.break_off(pair)
    accepted = sending.accepted()
    lost = doubled = 0
    uncertain: list[str] = []
    for mail in sending.outbox():
        copies = accepted.pop(mail.message_id, [])
        assert mail.state in {"sent", "uncertain"}
        lost += not copies and mail.state != "uncertain"
        uncertain += [] if copies or mail.state != "uncertain" else [mail.message_id]
        doubled += max(len(copies) - 1, 0)
        assert all(tuple(copy.recipients) == mail.to for copy in copies)
    assert accepted == {}, "nothing else went out"
    put_down(book, network, lost, doubled, uncertain)


@pytest.mark.timeout(1200)
@pytest.mark.fault(*UP_TO_DATA)
@pytest.mark.fault(*AFTER_DOT)
@pytest.mark.parametrize("side", ["server", "client"])
def test_a_human_answer_arrives_at_least_once_wherever_the_dialogue_is_cut(
    sending: Sending, network: FaultyNetwork, side: Side, stride: int, book
):
    """Each answer was accepted, all its copies are the same bytes, and only its customer got it."""
    notice = sending.notice()
    sending.answers(notice)
    network.dialogues.clear()
    sending.send_all()
    for number, pair in enumerate(cuts(network, side, stride)):
        if number % ANSWERS_PER_TICKET == 0:
            notice = sending.notice()
        sending.answers(notice)
        sending.break_off(pair)
    accepted = sending.accepted()
    lost = doubled = 0
    for mail in sending.outbox():
        copies = accepted.pop(mail.message_id, [])
        assert mail.state == "sent"
        lost += not copies
        doubled += max(len(copies) - 1, 0) if mail.kind != "answer" else 0
        assert {(copy.raw, *copy.recipients) for copy in copies} == {(copies[0].raw, *mail.to)}
    assert accepted == {}, "nothing else went out"
    put_down(book, network, lost, doubled)
