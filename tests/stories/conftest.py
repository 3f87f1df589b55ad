"""A desk at work for each story."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dovecot import Dovecot
from tests.support.process import DeskProcess
from tests.support.smtp_sink import SmtpSink


@pytest.fixture(scope="session")
def sink() -> Iterator[SmtpSink]:
    """One recording SMTP server for all stories; each desk has an address of its own."""
    with SmtpSink() as server:
        yield server


@pytest.fixture
def desk(tmp_path: Path, dovecot: Dovecot, sink: SmtpSink, account: str) -> Iterator[DeskProcess]:
    """A desk that is configured and not started yet."""
    process = DeskProcess(tmp_path, dovecot, sink, account)
    yield process
    process.stop()
