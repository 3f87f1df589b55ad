"""Fixtures for all tests: one private Dovecot per session, a fresh account per test, skips that CI turns into failures."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dovecot import PROGRAM, Dovecot

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"

_accounts = itertools.count(1)


def _missing(marker: str) -> str:
    """Return what a marked test lacks on this machine, or an empty string."""
    if marker == "dovecot" and not (PROGRAM.exists() and shutil.which("openssl")):
        return "Dovecot (dovecot-imapd, dovecot-lmtpd) and openssl are not installed; make test installs them"
    if marker == "postfix":
        if not Path("/usr/sbin/postfix").exists():
            return "Postfix is not installed; make test installs it"
        if os.getuid() != 0:
            return "a private Postfix needs root"
    if marker == "corpus" and not CORPUS.is_dir():
        return f"there is no mail corpus at {CORPUS}"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that uses the `dovecot` fixture, however it comes by it."""
    for item in items:
        if "dovecot" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.dovecot)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here. With CI=true a missing server is a failure; root and the corpus are still optional."""
    for marker in ("dovecot", "postfix", "corpus"):
        if item.get_closest_marker(marker) is None or not (lack := _missing(marker)):
            continue
        if os.environ.get("CI") == "true" and "not installed" in lack:
            pytest.fail(lack, pytrace=False)
        pytest.skip(lack)


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """A running Dovecot that all tests share; never stop it (start one of your own for that)."""
    with Dovecot() as server:
        yield server


@pytest.fixture
def account() -> str:
    """A user name of Dovecot that no test has used: an empty mailbox."""
    return f"user{os.getpid()}x{next(_accounts)}"
