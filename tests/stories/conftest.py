"""A desk at work for each story."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.dovecot import Dovecot
from tests.support.process import DeskProcess
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
