"""A desk at work for each story."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.dovecot import Dovecot
from tests.support.process import DeskProcess, Received
from tests.support.smtp_sink import SmtpSink


@pytest.fixture(scope="session")
def sink() -> Iterator[SmtpSink]:
    """One recording SMTP server for all stories; each desk has an address of its own. Never take it down."""
    with SmtpSink() as server:
        yield server


@pytest.fixture
def make_desk(
    tmp_path: Path, dovecot: Dovecot, sink: SmtpSink, account: str
) -> Iterator[Callable[..., DeskProcess]]:
    """Configure a desk, not started yet; see `DeskProcess` for what can be said about it."""
    made: list[DeskProcess] = []

    def make(*, server: SmtpSink = sink, **more: Any) -> DeskProcess:
        made.append(DeskProcess(tmp_path, dovecot, server, account, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def desk(make_desk: Callable[..., DeskProcess]) -> DeskProcess:
    """A desk with the shortest configuration there is, not started yet."""
    return make_desk()


_shared = itertools.count(1)


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, dovecot: Dovecot, sink: SmtpSink
) -> Iterator[DeskProcess]:
    """A desk at work that the stories of a module share; each story has people of its own."""
    user = f"shared{os.getpid()}x{next(_shared)}"
    desk = DeskProcess(
        tmp_path_factory.mktemp(user), dovecot, sink, user, more="[limits]\nack_per_domain_hour = 0"
    )
    desk.start()
    yield desk
    assert desk.stop() == 0


@dataclass(frozen=True)
class Opened:
    """A ticket on the shared desk: its customer, the customer's acknowledgement, and the agents' notices."""

    desk: DeskProcess
    reference: str
    ana: str
    ack: Received
    notice: Received
    lees: Received

    @property
    def address(self) -> str:
        return self.ack.recipients[0]

    def to(self, address: str = "") -> list[Received]:
        """The mails of this ticket to an address; without one, all mails to the customer."""
        if not address:
            return self.desk.to(self.address)
        return [mail for mail in self.desk.to(address) if self.reference in mail["Subject"]]

    def wait_to(self, address: str, count: int) -> Received:
        """Wait until an address (the customer, if empty) has so many mails of this ticket; return the last of them."""
        self.desk.wait(lambda: len(self.to(address)) >= count, f"{count} mails to {address or self.address}")
        return self.to(address)[count - 1]

    def held(self) -> list[dict[str, Any]]:
        return [mail for mail in self.desk.json("held") if self.reference in mail["subject"]]

    @property
    def status(self) -> str:
        return self.desk.status(self.reference)

    def kinds(self) -> list[str]:
        return self.desk.kinds(self.reference)


@pytest.fixture
def opened(running: DeskProcess) -> Opened:
    """A new ticket of somebody who has not written before."""
    number = next(_shared)
    address = f"ana{number}@customer.example"
    ana = f"Ana Client <{address}>"
    running.writes(ana, "My printer is on fire, and the door code is 4711.")
    ack = running.wait_to(address, 1)[0]
    reference = re.match(r"\[(SUP-\d+)\]", ack["Subject"])[1]  # type: ignore[index]
    made = Opened(running, reference, ana, ack, ack, ack)
    kims, lees = (made.wait_to(f"{name}@desk.example", 1) for name in ("kim", "lee"))
    return Opened(running, reference, ana, ack, kims, lees)
