"""Commands of an admin while the disk of the store is full or can only be read, and no daemon runs."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailtickets.store import Store
from mailtickets.store.lock import StoreLock
from tests.support.small_disk import SmallDisk
from tests.test_config import SHORT, written

pytestmark = pytest.mark.disk
FULL = "its disk is full"
READING = (("list",), ("outbox",), ("quarantine", "list"), ("ledger",))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk with a store at rest on it, and a configuration beside it."""
    with SmallDisk(tmp_path / "disk") as made:
        written(tmp_path, SHORT.replace('"desk.db"', f'"{made.folder}/desk.db"'))
        for kind in ("smtp", "imap"):
            (tmp_path / f"{kind}-password").write_text("secret\n")
            (tmp_path / f"{kind}-password").chmod(0o600)
        Store.open(made.folder / "desk.db", datetime.now(UTC)).close()
        StoreLock(made.folder / "desk.db").acquire().release()
        yield made


def mailtickets(tmp_path: Path, *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "mailtickets", "--config", str(tmp_path / "config.toml"), *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("state", ["full", "read-only"])
def test_a_store_at_rest_can_be_read(disk: SmallDisk, tmp_path: Path, state: str):
    """`list` and its like work as ever, `status` says how it is, and a backup goes to another disk."""
    if state == "full":
        disk.fill()
    else:
        disk.read_only()
    for words in READING:
        assert mailtickets(tmp_path, *words)[::2] == (0, ""), words
    code, said, _ = mailtickets(tmp_path, "status")
    assert (code, said.splitlines()[0]) == (1, "daemon       not running")
    assert mailtickets(tmp_path, "backup", str(tmp_path / "copy.db"))[0] == 0
    with closing(Store.read(tmp_path / "copy.db")) as copy:
        assert copy.integrity() == "ok"


@pytest.mark.parametrize(("state", "why"), [("full", FULL), ("read-only", "its disk can only be read")])
def test_what_must_be_written_is_refused_with_the_cause(
    disk: SmallDisk, tmp_path: Path, state: str, why: str
):
    """The disk is named, not its folder or its rights; `run` says so too."""
    if state == "full":
        disk.fill()
    else:
        disk.read_only()
    for words in (("outbox", "resume"), ("outbox", "retry", "1")):
        code, _, said = mailtickets(tmp_path, *words)
        assert code != 0
        assert why in said
        assert "folder exists" not in said
        assert "permissions" not in said


def test_a_journal_with_something_in_it_is_not_passed_over(disk: SmallDisk, tmp_path: Path):
    """Without its index it cannot be read on a full disk: the cause is said, and no older state is shown."""
    path = disk.folder / "desk.db"
    with closing(sqlite3.connect(path)) as store:
        store.execute("INSERT INTO setting VALUES ('x', 'y')")
        store.commit()
        kept = {end: (disk.folder / f"desk.db{end}").read_bytes() for end in ("", "-wal")}
    for end, content in kept.items():
        (disk.folder / f"desk.db{end}").write_bytes(content)
    disk.fill()
    code, _, said = mailtickets(tmp_path, "list")
    assert (code, FULL in said, "make room" in said) == (1, True, True)
    disk.free()
    assert mailtickets(tmp_path, "list")[0] == 0


def test_a_store_that_a_daemon_has_is_not_read_past_it(disk: SmallDisk, tmp_path: Path):
    """With the lock taken the reader does not open the file as one that nobody writes."""
    with StoreLock(disk.folder / "desk.db"):
        disk.fill()
        code, _, said = mailtickets(tmp_path, "list")
    assert (code, FULL in said) == (1, True)
