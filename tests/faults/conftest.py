"""What every fault test has: servers of its own, and processes that start quickly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.forks import Forks
from tests.support.smtp_sink import SmtpSink


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Starts processes quickly."""
    with Forks() as parent:
        yield parent


@pytest.fixture(scope="session")
def sink() -> Iterator[SmtpSink]:
    """One recording SMTP server for all faults that leave it alone."""
    with SmtpSink() as server:
        yield server
