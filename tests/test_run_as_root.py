"""`run` by root on the store of another user: it says so, and leaves nothing that this user cannot write."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailtickets import heartbeat, told
from mailtickets.store import Store
from mailtickets.store.lock import StoreLock
from tests.store.test_migrations import CONFIG

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
OWNER, GROUP = 4711, 4712


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a configuration beside it."""
    (tmp_path / "config.toml").write_text(CONFIG)
    for folder in ("cur", "new", "tmp"):
        (tmp_path / "inbox" / folder).mkdir(parents=True)
    Store.open(tmp_path / "desk.db", datetime.now(UTC)).close()
    return tmp_path / "desk.db"


def run_once(store: Path) -> str:
    command = [
        sys.executable,
        "-m",
        "mailtickets",
        "--config",
        str(store.with_name("config.toml")),
        "run",
        "--once",
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stderr


@needs_root
def test_what_root_leaves_belongs_to_the_user_of_the_store(store: Path):
    """The heartbeat, the lock and what the admins were told, as the journal."""
    os.chown(store, OWNER, GROUP)
    with StoreLock(store):
        assert heartbeat.write(store, heartbeat.Beat(1, "", "", ""))
    assert told.write(store, {})
    for end in (".lock", ".heartbeat", ".told"):
        made = store.with_name(store.name + end).stat()
        assert (made.st_uid, made.st_gid) == (OWNER, GROUP), end


@needs_root
def test_root_is_told_to_run_it_as_that_user(store: Path):
    """A warning with what to do; none where the store is root's own."""
    assert "run by root" not in run_once(store)
    os.chown(store, OWNER, GROUP)
    (line,) = [line for line in run_once(store).splitlines() if "run by root" in line]
    assert " warning " in line
    assert f"belongs to #{OWNER}" in line
    assert "systemctl start mailtickets" in line
