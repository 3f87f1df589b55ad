"""What every fault test has: servers of its own, and processes that start quickly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.forks import Forks
from tests.support.dovecot import Dovecot
from tests.support.faulty_network import FaultyNetwork
from tests.support.process import IMAP, DeskProcess
from tests.support.process import forks as parent_of_all
from tests.support.smtp_sink import SmtpSink


@pytest.fixture(scope="session")
def forks() -> Forks:
    """Starts processes quickly."""
    return parent_of_all()


@pytest.fixture(scope="session")
def sink() -> Iterator[SmtpSink]:
    """One recording SMTP server for all faults that leave it alone."""
    with SmtpSink() as server:
        yield server


@pytest.fixture
def thorough(pytestconfig: pytest.Config) -> bool:
    """Tell whether `make faults` runs, which has time for what is left out else."""
    return bool(pytestconfig.getoption("--kills") >= 1000)


@pytest.fixture
def stride(thorough: bool) -> int:
    """Of so many bytes of a dialogue one is cut behind: every byte with `make faults`, every fourth, from any of the first, else."""
    return 1 if thorough else 4


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

    def make(
        lines: str = "", server: Dovecot = dovecot, port: int = network.port, **more: Any
    ) -> DeskProcess:
        mailbox = IMAP.replace("{imap_port}", str(port)) + lines
        desk = DeskProcess(tmp_path, server, sink, account, mailbox=mailbox, poll="1s", **more)
        desk.program = "tests.faults.hasty"
        made.append(desk)
        return desk

    yield make
    for one in made:
        one.stop()
