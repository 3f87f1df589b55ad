"""The real daemon and a mailbox in trouble: it waits, says so, goes on with all else, and resumes where it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailtickets.transport.imap import ImapAccount
from mailtickets.transport.smtp_transaction import Timeouts
from tests.support.dovecot import Dovecot
from tests.support.faulty_network import Cut, FaultyNetwork, Garbage, Stall, Throttle, random_bytes
from tests.support.process import IMAP, DeskProcess
from tests.support.smtp_sink import SmtpSink

ANA, BEN = "Ana Client <ana@customer.example>", "Ben <ben@customer.example>"
KIM = "Kim Archer <kim@desk.example>"
PASSING = ("Connect, login", "NO [LIMIT], throttle, BYE, drop, silence")
STEADY_KB = 20_000  # what a daemon's memory may differ by when nothing leaks


@pytest.fixture
def network(dovecot: Dovecot) -> Iterator[FaultyNetwork]:
    """A faulty network in front of the mailbox."""
    with FaultyNetwork(dovecot.imap) as between:
        yield between


@pytest.fixture
def hasty(
    tmp_path: Path, dovecot: Dovecot, sink: SmtpSink, account: str, network: FaultyNetwork
) -> Iterator[Callable[..., DeskProcess]]:
    """Make a desk behind the faulty network, with short waits, not started yet."""
    made: list[DeskProcess] = []

    def make(lines: str = "", server: Dovecot = dovecot, port: int = network.port, **more: Any) -> DeskProcess:
        mailbox = IMAP.replace("{imap_port}", str(port)) + lines
        desk = DeskProcess(tmp_path, server, sink, account, mailbox=mailbox, poll="1s", **more)
        desk.program = "tests.faults.hasty"
        made.append(desk)
        return desk

    yield make
    for one in made:
        one.stop()


def one_ticket_each(desk: DeskProcess, *people: str) -> None:
    """Assert that each of these has one ticket and got one acknowledgement."""
    for person in people:
        desk.wait_to(f"{person}@customer.example", 1, 30)
    assert desk.at_rest(seconds=30)["on_tickets"] == len(people)
    requesters = [ticket["requester"] for ticket in desk.json("list", "--all")]
    assert sorted(requesters) == sorted(f"{person}@customer.example" for person in people)
    for person in people:
        assert len(desk.to(f"{person}@customer.example")) == 1


def test_no_wait_of_the_shipped_program_is_longer_than_a_minute():
    """Each wait for bytes of a mailbox, and of the mail server up to the text, ends; the text has the times of RFC 5321."""
    account = ImapAccount("support", "mail.desk.example", "support")
    assert max(account.timeout, account.connect_timeout, Timeouts().connect, Timeouts().command) <= 60


@pytest.mark.fault(*PASSING)
@pytest.mark.parametrize(
    "fault",
    [
        Stall(0),
        Stall(b"LOGIN", side="client"),
        Stall(b" BODY["),
        Stall(b"IDLE", side="client"),
        Cut(b"* SEARCH", abrupt=True),
        Garbage(b"* SEARCH", b"\r\n* BYE closing for maintenance\r\n", cut=True),
        Throttle(2000),
    ],
    ids=["silent-greeting", "silent-login", "silent-fetch", "silent-idle", "drop", "bye", "throttle"],
)
def test_a_connection_that_fails_is_made_again(
    hasty: Callable[..., DeskProcess], network: FaultyNetwork, fault: Any, book
):
    """Whatever the first connection does, the mail that waits is on one ticket soon, and the next mail too."""
    desk = hasty('start_from = "all"')
    network.arm(fault)
    desk.writes(ANA, "My printer is on fire.")
    desk.start(ready=False)
    desk.wait(lambda: network.struck == 1, "the fault")
    desk.wait_to("ana@customer.example", 1, 30)
    desk.writes(BEN, "My scanner is wet.")
    one_ticket_each(desk, "ana", "ben")
    assert "exception=" not in desk.log
    book(runs=network.struck)


@pytest.mark.fault("Connect, login", "DNS fails, refused, TLS error, wrong password")
@pytest.mark.fault(*PASSING)
def test_while_the_mailbox_cannot_be_reached_all_else_goes_on(
    hasty: Callable[..., DeskProcess], network: FaultyNetwork, book
):
    """What waits in the outbox leaves, a timer fires; the admins hear of it when it lasts, and when it is over."""
    with SmtpSink() as later:
        desk = hasty(queue='reminders = ["8s"]\nclose_after = "1h"', smtp='retry = ["1s"]')
        desk.start()
        desk.writes(ANA, "My printer is on fire.")
        notice = desk.wait_to("kim@desk.example", 1)[0]
        desk.wait_to("ana@customer.example", 1)
        later.answers.data = ""
        desk.answers(notice, KIM, "Please try water.")
        desk.wait_to("ana@customer.example", 2)
        network.arm(Cut(0), always=True)
        network.hang_up()
        told = desk.wait_to("it@desk.example", 1, 30)[0]
        assert "mailbox support cannot be read" in told.text
        reminder = desk.wait_to("ana@customer.example", 3, 30)[2]
        assert reminder["Auto-Submitted"].startswith("auto-")
        pauses = [int(line.split("again_in_seconds=")[1].split()[0]) for line in desk.log.splitlines() if "again_in_seconds=" in line]
        assert pauses == sorted(pauses), "longer and longer"
        desk.writes(BEN, "My scanner is wet.")
        network.mend()
        desk.wait_to("ben@customer.example", 1, 60)
        assert "is over" in desk.wait_to("it@desk.example", 2)[1].text
        assert desk.at_rest()["on_tickets"] == 3
        book(runs=network.struck)
