"""Backups: whole while the desk writes, one after the other in a folder, and never more removed than asked."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from datetime import timedelta

import pytest

from mailtickets.backups import rotate, write
from mailtickets.store import Store, StoreUnusable
from mailtickets.store.times import to_us
from tests.store.test_migrations import CONFIG
from tests.support.desk import START


@pytest.fixture
def store(tmp_path):
    made = Store.open(tmp_path / "desk.db", START)
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "backups"
    made.mkdir()
    return made


def test_only_the_newest_stay_and_only_backups_go(store, folder):
    """Files of other names, of another desk and folders stay, whatever they are called; the oldest backups go."""
    others = [
        "desk.db",
        "desk-20200101-000000.db.gz",
        "desk-old.db",
        "other-20200101-000000.db",
        "desk-20200101.db",
    ]
    for name in others:
        (folder / name).write_text("precious")
    (folder / "desk-20190101-000000.db").mkdir()
    for day in range(5):
        written = write(store, folder, START + timedelta(days=day))
        gone = rotate(folder, store, written, keep=3)
        assert [path.name for path in gone] == ([f"desk-2026030{day - 1}-090000.db"] if day > 2 else [])
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    assert names == sorted([*others, *(f"desk-2026030{day}-090000.db" for day in (4, 5, 6))])
    assert (folder / "desk-20190101-000000.db").is_dir()


def test_the_one_just_written_stays_also_where_the_clock_went_back(store, folder):
    """A wrong clock gave others later names; the new one is not taken for the oldest."""
    for day in range(3):
        write(store, folder, START + timedelta(days=day))
    written = write(store, folder, START - timedelta(days=9))
    rotate(folder, store, written, keep=2)
    assert sorted(path.name for path in folder.iterdir()) == [
        "desk-20260221-090000.db",
        "desk-20260304-090000.db",
    ]


def test_what_an_ended_backup_left_is_removed_by_the_next(store, folder):
    """A half-written copy has another name than a backup, and does not stay for ever."""
    for name in ("desk-20260301-000000.db.part", "desk-20260301-000000.db.part-journal", "copy.db.part"):
        (folder / name).write_bytes(b"half")
    (folder / "mine.part").write_text("of somebody else")
    write(store, folder / "copy.db", START)
    assert sorted(path.name for path in folder.iterdir()) == ["copy.db", "mine.part"]


def test_a_backup_that_is_killed_before_it_is_in_place(store, folder):
    """Whole, and yet under its temporary name: no backup. The next one takes it away and is one."""
    (store.path.parent / "config.toml").write_text(CONFIG)
    command = [
        sys.executable,
        "-m",
        "mailtickets",
        "--config",
        str(store.path.parent / "config.toml"),
        "backup",
    ]
    for point, code in (("backup-temp", -signal.SIGKILL), ("", 0)):
        env = {**os.environ, "MAILTICKETS_CRASH_AT": point}
        done = subprocess.run(
            [*command, "--keep", "9", str(folder)], env=env, check=False, capture_output=True
        )
        assert done.returncode == code, done.stderr
        assert [path.suffix for path in folder.iterdir()] == [".part" if point else ".db"]


def test_two_backups_at_once(store, folder):
    """The second one is told to wait: it would take the first one's half-written file for a leftover."""
    holder = os.open(folder, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with pytest.raises(StoreUnusable, match="another backup"):
        write(store, folder, START)
    os.close(holder)
    assert write(store, folder, START).exists()


def test_a_copy_says_when_it_was_made(store, folder):
    """And it is for its owner alone, like the store, which itself does not change."""
    copy = write(store, folder, START)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    made = Store.read(copy)
    assert made.setting("backup_made_at") == str(to_us(START))
    assert store.setting("backup_made_at") == ""
    made.close()


def test_copies_made_during_a_thousand_writes_are_whole(store, folder):
    """Each copy holds everything of one moment: both halves of every transaction before it, none after."""
    ended = threading.Event()

    def write_much():
        for number in range(1000):
            with store.transaction():
                store.set_setting("left", str(number))
                store.set_setting(f"filler {number}", "x" * 3000)
                store.set_setting("right", str(number))
        ended.set()

    reader = Store.read(store.path)
    writer = threading.Thread(target=write_much)
    with store.transaction():
        store.set_setting("left", "-1")
        store.set_setting("right", "-1")
    writer.start()
    seen: list[int] = []
    while not ended.is_set() or len(seen) < 2:
        copy = Store.read(write(reader, folder / "copy.db", START))
        assert copy.integrity() == "ok"
        number = int(copy.setting("left"))
        assert copy.setting("right") == str(number)
        assert number < 0 or copy.setting(f"filler {number}")
        assert copy.setting(f"filler {number + 1}") == ""
        seen.append(number)
        copy.close()
    writer.join()
    reader.close()
    assert seen == sorted(seen)
    assert any(0 < number < 999 for number in seen), seen
