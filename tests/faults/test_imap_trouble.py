"""The real daemon and a mailbox in trouble: it waits, says so, goes on with all else, and resumes where it stopped."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailtickets.transport.imap_account import ImapAccount
from mailtickets.transport.smtp_transaction import Timeouts
from tests.faults.disk_story import put_down, tally
from tests.support.dovecot import Dovecot
from tests.support.faulty_network import Cut, FaultyNetwork, Garbage, Stall, Throttle, random_bytes
from tests.support.process import DeskProcess

ANA, BEN = "Ana Client <ana@customer.example>", "Ben <ben@customer.example>"
KIM = "Kim Archer <kim@desk.example>"
PASSING = ("Connect, login", "NO [LIMIT], throttle, BYE, drop, silence")
STEADY_KB = 20_000  # what a daemon's memory may differ by when nothing leaks


def one_ticket_each(desk: DeskProcess, *people: str) -> dict[str, int]:
    """Wait until each of these has one ticket and one acknowledgement; return what was lost and doubled: nothing."""
    addresses = [f"{person}@customer.example" for person in people]
    for address in addresses:
        desk.wait_to(address, 1, 30)
    assert desk.at_rest(seconds=30)["on_tickets"] == len(people)
    return tally(desk, addresses)


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
    wrong = one_ticket_each(desk, "ana", "ben")
    assert "exception=" not in desk.log
    put_down(book, runs=network.struck, **wrong)


@pytest.mark.fault("Connect, login", "DNS fails, refused, TLS error, wrong password")
@pytest.mark.fault(*PASSING)
def test_while_the_mailbox_cannot_be_reached_all_else_goes_on(
    hasty: Callable[..., DeskProcess], network: FaultyNetwork, book
):
    """What waits in the outbox leaves, a timer fires; the admins hear of it when it lasts, and when it is over."""
    desk = hasty(queue='reminders = ["12s"]\nclose_after = "1h"', smtp='retry = ["1s"]')
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    notice = desk.wait_to("kim@desk.example", 1)[0]
    desk.wait_to("ana@customer.example", 1)
    desk.answers(notice, KIM, "Please try water.")
    desk.wait_to("ana@customer.example", 2)
    network.arm(Cut(0), always=True)
    network.hang_up()
    assert len(desk.to("ana@customer.example")) == 2, "the reminder is still to come"
    told = desk.wait_to("it@desk.example", 1, 30)[0]
    assert "mailbox support cannot be read" in told.text
    reminder = desk.wait_to("ana@customer.example", 3, 30)[2]
    assert reminder["Auto-Submitted"].startswith("auto-")
    pauses = [
        int(line.split("again_in_seconds=")[1].split()[0])
        for line in desk.log.splitlines()
        if "again_in_seconds=" in line
    ]
    assert pauses == sorted(pauses), "longer and longer"
    desk.writes(BEN, "My scanner is wet.")
    network.mend()
    desk.wait_to("ben@customer.example", 1, 60)
    assert "is over" in desk.wait_to("it@desk.example", 2)[1].text
    assert desk.at_rest()["on_tickets"] == 3
    got = [len(desk.to(f"{person}@customer.example")) for person in ("ana", "ben")]
    expected = [3, 1]  # Ana's acknowledgement, the answer to her, its reminder
    lost = sum(max(wanted - count, 0) for wanted, count in zip(expected, got, strict=True))
    doubled = sum(max(count - wanted, 0) for wanted, count in zip(expected, got, strict=True))
    put_down(book, runs=network.struck, lost=lost, doubled=doubled)


def memory_kb(desk: DeskProcess) -> tuple[int, int]:
    """Return what the daemon holds in memory and the most that it ever held, in KB."""
    assert desk.process is not None
    status = Path(f"/proc/{desk.process.pid}/status").read_text()
    held, most = (int(status.split(f"{name}:")[1].split()[0]) for name in ("VmRSS", "VmHWM"))
    return held, most


@pytest.mark.fault("Connect, login", "garbage, endless line, negative literal")
def test_garbage_ends_the_connection_and_eats_no_memory(
    hasty: Callable[..., DeskProcess], network: FaultyNetwork, book
):
    """Four kinds, four times over: each time the mail that waits is taken by the next connection; memory stays as it was."""
    desk = hasty(more="[limits]\nack_per_domain_hour = 0").start()
    kinds = {
        "line": b"\r\n" + b"x" * 10_000_000,
        "negative": b"\r\n* 1 FETCH (UID 1 BODY[] {-5}\r\n",
        "huge": b"\r\n* 1 FETCH (UID 1 BODY[] {99999999999}\r\n",
        "random": random_bytes(random.randrange(10_000), 100_000),
    }
    before = (0, 0)
    people = []
    for turn in range(4):
        for kind, words in kinds.items():
            struck = network.struck
            network.arm(Garbage(b"* SEARCH", words))
            network.hang_up()
            people.append(f"{kind}{turn}")
            desk.writes(f"{people[-1]}@customer.example", "My printer is on fire.")
            desk.wait(lambda: network.struck == struck + 1, f"{kind} to be said")  # noqa: B023  (waited for here)
            desk.wait_to(f"{people[-1]}@customer.example", 1, 30)
        before = before if turn else memory_kb(desk)
    wrong = one_ticket_each(desk, *people)
    held, most = memory_kb(desk)
    assert held - before[0] < STEADY_KB
    assert most - before[1] < STEADY_KB
    assert "exception=" not in desk.log
    put_down(book, runs=network.struck, **wrong)


@pytest.mark.dovecot
@pytest.mark.fault(*PASSING)
def test_too_many_connections_is_waited_out(hasty: Callable[..., DeskProcess], book):
    """Dovecot's NO [UNAVAILABLE] is no wrong password: the desk asks again soon, and reads the mailbox when another program has left it."""
    with Dovecot(extra="mail_max_userip_connections = 1\n") as server:
        desk = hasty('start_from = "all"', server, server.imap)
        desk.writes(ANA, "My printer is on fire.")
        with server.client(desk.user):
            desk.start(ready=False)
            desk.wait_log("Maximum number of connections", 2)
            refused = desk.log.count("Maximum number of connections")
            assert "refused user" not in desk.log
        desk.wait_log(" ready ")
        wrong = one_ticket_each(desk, "ana")
        assert desk.stop() == 0
    put_down(book, runs=refused, **wrong)
