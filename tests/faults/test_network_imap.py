"""The way to the mailbox fails: after every byte of a recorded dialogue, and in the ways of the fault matrix."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.matrix import Row
from tests.faults.rounds import Rounds
from tests.support.dovecot import Dovecot
from tests.support.faulty_network import Cut, Dialogue, FaultyNetwork, Side
from tests.support.process import IMAP, DeskProcess
from tests.support.smtp_sink import SmtpSink

# Short answers, so that the dialogue of one round is short.
TERSE = "imap_capability = IMAP4rev1 IDLE UIDPLUS MOVE\nlogin_greeting = ok\n"
LONGER = 60  # by what a dialogue may be longer than another: "(0.001 + 0.000 secs)" may have one more figure
DROPPED = ("Connect, login", "NO [LIMIT], throttle, BYE, drop, silence")
MID_LITERAL = ("Fetch", "kill -9 or drop mid-literal")
MARKING = ("Mark on server", "NO, drop, read-only folder, MOVE half done")
NO_LIMITS = "[limits]\nack_per_domain_hour = 0\nack_per_hour = 0"


@pytest.fixture(scope="module")
def terse() -> Iterator[Dovecot]:
    with Dovecot(extra=TERSE) as server:
        yield server


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as server:
        yield server


def row_of(dialogue: Dialogue) -> Row:
    """Return the row of the fault that ended a dialogue: within a mail, while mails are marked, else just a drop."""
    literal = re.search(rb".*BODY\[\] \{(\d+)\}\r\n", dialogue.server, re.DOTALL)
    if literal and len(dialogue.server) < literal.end() + int(literal[1]):
        return MID_LITERAL
    commands = [line for line in dialogue.client.split(b"\r\n") if line]
    return MARKING if commands and b"STORE" in commands[-1] else DROPPED


@pytest.mark.dovecot
@pytest.mark.timeout(1200)
@pytest.mark.fault(*DROPPED)
@pytest.mark.fault(*MARKING)
@pytest.mark.parametrize(
    "side",
    [pytest.param("server", marks=pytest.mark.fault(*MID_LITERAL)), "client"],
    ids=["server", "client"],
)
def test_a_dialogue_cut_after_any_byte_loses_and_doubles_nothing(
    tmp_path: Path, terse: Dovecot, sink: SmtpSink, account: str, side: Side, stride: int, book
):
    """For every byte of either side it ends by FIN and by RST; after four such rounds an honest one has each mail on one ticket."""
    with FaultyNetwork(terse.imap) as network, terse.client(account) as program:
        lines = IMAP.replace("{imap_port}", str(network.port)) + 'start_from = "all"'
        desk = DeskProcess(tmp_path, terse, sink, account, mailbox=lines, more=NO_LIMITS)
        desk.edit('agents = ["kim", "lee"]', 'agents = ["kim"]')
        with Rounds(desk.config) as rounds:
            senders: list[str] = []
            figures: defaultdict[Row, Counter[str]] = defaultdict(Counter)

            def put() -> None:
                senders.append(f"ana{len(senders)}@customer.example")
                answer, words = program.append("INBOX", "", "", desk.mail(senders[-1], "It burns."))
                assert answer == "OK", words

            def struck(after: int, *, abrupt: bool) -> bool:
                """Make one round break after this byte; return whether it reached that."""
                if rounds.books().received == len(senders):
                    put()
                known = len(network.dialogues)
                network.arm(Cut(after, side, abrupt))
                rounds.take()
                network.rest()
                network.mend()
                for dialogue in network.dialogues[known:]:
                    if dialogue.struck:
                        figures[row_of(dialogue)]["runs"] += 1
                        return True
                assert b"Store completed" in network.dialogues[-1].server, "not cut, and yet not whole"
                return False

            put()
            assert rounds.take() == ""
            recorded = len(network.dialogues[0].said(side).partition(b"Store completed")[0])
            for after in itertools.count(2 * random.randrange(stride), 2 * stride):
                reached = [
                    struck(byte, abrupt=abrupt) for byte in (after, after + 1) for abrupt in (False, True)
                ]
                assert rounds.take() == ""
                books = rounds.books()
                assert (books.received, books.on_tickets) == (len(senders), len(senders))
                assert (books.waiting, books.unexplained) == (0, 0)
                if not all(reached):
                    break
            assert after > recorded - LONGER
            while rounds.send():
                pass
            books = rounds.books()
            tickets = Counter(ticket.requester for ticket in rounds.store.views.tickets(limit=100_000))
            thanked = Counter(mail.recipients[0] for mail in sink.mails if b"auto-replied" in mail.raw)
            marked = terse.flags(account).values()
    assert set(tickets) == set(senders)
    assert set(thanked) == set(senders)
    assert all(flags == {r"\Seen"} for flags in marked)
    lost = len(senders) - books.on_tickets
    doubled = sum(count - 1 for count in (*tickets.values(), *thanked.values()))
    # Of which cut they come cannot be told in the end: each row has them.
    book(of={row: {**counts, "lost": lost, "doubled": doubled} for row, counts in figures.items()})
    assert sum(counts["runs"] for counts in figures.values()) == network.struck
    assert (lost, doubled) == (0, 0)
