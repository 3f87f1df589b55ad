"""What every hostile test has: a desk with agents, a customer, an attacker, and rules that hold after every mail."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.desk import HostileDesk
from tests.support.dovecot import Dovecot
from tests.support.process import DeskProcess
from tests.support.smtp_sink import SmtpSink


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., HostileDesk]]:
    """Make a desk; the arguments are those of `HostileDesk`."""
    made: list[HostileDesk] = []

    def made_one(**more: Any) -> HostileDesk:
        folder = tmp_path / f"desk{len(made)}"
        folder.mkdir()
        made.append(HostileDesk(folder, **more))
        return made[-1]

    yield made_one
    for one in made:
        one.close()


@pytest.fixture
def desk(make: Callable[..., HostileDesk]) -> HostileDesk:
    """A desk on which nothing has happened yet."""
    return make()


@pytest.fixture
def busy(desk: HostileDesk) -> HostileDesk:
    """A desk on which cora has a ticket, SUP-1001, that anna has answered."""
    desk.cora_is_answered()
    return desk


@pytest.fixture(scope="session")
def sink() -> Iterator[SmtpSink]:
    """One recording SMTP server for the daemons of all hostile tests."""
    with SmtpSink() as server:
        yield server


@pytest.fixture
def daemon(
    tmp_path: Path, dovecot: Dovecot, sink: SmtpSink, account: str
) -> Iterator[Callable[..., DeskProcess]]:
    """Configure a real daemon, not started yet; the arguments are those of `DeskProcess`."""
    made: list[DeskProcess] = []

    def make(*, mail_server: Dovecot = dovecot, smtp_server: SmtpSink = sink, **more: Any) -> DeskProcess:
        made.append(DeskProcess(tmp_path, mail_server, smtp_server, account, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def listening() -> Iterator[tuple[int, Callable[[], int]]]:
    """A port on this machine, and how many have connected to it."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
        server.setblocking(False)

        def connections() -> int:
            count = 0
            while True:
                try:
                    server.accept()[0].close()
                except BlockingIOError:
                    return count
                count += 1

        yield server.getsockname()[1], connections
