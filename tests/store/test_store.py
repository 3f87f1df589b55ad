"""The file itself: who may open it, what is refused, that a backup is whole, and the lock."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from mailtickets.desk.ticket import Alarm
from mailtickets.store import Store
from mailtickets.store.errors import StoreBusy, StoreNewer, StoreUnusable
from mailtickets.store.lock import StoreLock, lock_holder
from tests.support.desk import START, Desk


@pytest.fixture
def path(tmp_path):
    return tmp_path / "desk.db"


@pytest.fixture
def store(path):
    made = Store.open(path, START)
    yield made
    made.close()


def test_the_file_is_for_its_owner_alone(path, store):
    """It holds people's mail: 0600, also its companions, also where somebody widened it."""
    with store.transaction():
        store.set_setting("a", "b")
    for one in path.parent.iterdir():
        assert stat.S_IMODE(one.stat().st_mode) == 0o600, one
    store.close()
    path.chmod(0o644)
    Store.open(path, START).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_committed_is_synced(store):
    """WAL with synchronous=FULL: a mail is flagged on the server only after its commit survives a power cut."""
    names = ("journal_mode", "synchronous", "foreign_keys")
    assert [store._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names] == ["wal", 2, 1]


@pytest.mark.parametrize("at", ["link", "unlink"])
def test_what_a_killed_process_left_of_a_new_store_is_removed(path, at):
    """Killed while it made the store, just before or after that got its name; what a living process makes is left alone."""
    child = os.fork()
    if not child:
        setattr(os, at, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        Store.open(path, START)
    os.waitpid(child, 0)
    half = path.with_name(f"desk.db.{child}.new")
    assert half.exists()
    assert path.exists() == (at == "unlink")
    living = path.with_name(f"desk.db.{os.getppid()}.new")
    living.touch()
    Store.open(path, START).close()
    assert sorted(one.name for one in path.parent.iterdir()) == sorted(["desk.db", living.name])


def test_opening_again_changes_nothing(path, store):
    """Migrations record themselves; keys and the first start stay."""
    ring, first = store.key_ring(), store.setting("first_start")
    store.close()
    again = Store.open(path, START + timedelta(days=9))
    assert (again.key_ring(), again.setting("first_start")) == (ring, first)
    assert again.integrity() == "ok"
    again.close()


def test_two_desks_have_different_keys(tmp_path):
    """A key of one desk is worth nothing at another."""
    one, other = Store.open(tmp_path / "one.db", START), Store.open(tmp_path / "other.db", START)
    assert other.key_ring().read(one.key_ring().thread_key(1), "x") == ()
    one.close()
    other.close()


def test_a_newer_store_is_refused(path, store):
    """Its meaning is not known: it is left alone, and the remedy is named."""
    store._connection.execute("PRAGMA user_version = 99")
    store.close()
    for opening in (lambda: Store.open(path, START), lambda: Store.read(path)):
        with pytest.raises(StoreNewer, match="schema 99"):
            opening()


def test_a_foreign_database_is_refused_and_left_as_it_was(path):
    """Somebody named another program's file."""
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE cat (name TEXT)")
    foreign.commit()
    foreign.close()
    with pytest.raises(StoreUnusable, match=r"desk\.store"):
        Store.open(path, START)
    foreign = sqlite3.connect(path)
    assert foreign.execute("SELECT name FROM sqlite_master").fetchall() == [("cat",)]
    foreign.close()


@pytest.mark.parametrize("content", [b"not a database at all " * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_corrupt_file_is_refused_with_a_remedy(path, content):
    """And it is not touched: somebody may still save it."""
    path.write_bytes(content)
    with pytest.raises(StoreUnusable, match="restore"):
        Store.open(path, START)
    assert path.read_bytes() == content


def test_a_store_that_is_not_there_or_cannot_be_made(tmp_path):
    """Reading makes no file; writing names the folder that is missing."""
    with pytest.raises(StoreUnusable, match="no store yet"):
        Store.read(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(StoreUnusable, match="folder"):
        Store.open(tmp_path / "no" / "desk.db", START)


def test_a_reader_cannot_write(path, store):
    """Commands that look open the file read-only."""
    reader = Store.read(path)
    with pytest.raises(sqlite3.OperationalError), reader.transaction():
        reader.set_setting("a", "b")
    reader.close()


def test_a_transaction_is_whole_or_nothing(store):
    """And a savepoint inside it is undone alone."""
    with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012  (undoing all of it is the claim)
        store.set_setting("one", "1")
        raise RuntimeError
    with store.transaction():
        store.set_setting("two", "2")
        with pytest.raises(RuntimeError), store.savepoint():  # noqa: PT012  (undoing all of it is the claim)
            store.set_setting("three", "3")
            raise RuntimeError
    assert [store.setting(name) for name in ("one", "two", "three")] == ["", "2", ""]


def test_a_command_that_looks_for_the_daemon_keeps_none_from_starting(tmp_path):
    """Looking takes the lock for an instant; a daemon that starts in it waits instead of ending."""
    path = tmp_path / "desk.db"
    with StoreLock(path):
        assert lock_holder(path) == os.getpid()
    path.with_name("desk.db.lock").write_text(
        "4194305\n"
    )  # an ended one's: above the highest pid there can be
    assert lock_holder(path) == 0
    with path.with_name("desk.db.lock").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        ending = threading.Timer(0.2, fcntl.flock, (looking, fcntl.LOCK_UN))
        ending.start()
        with StoreLock(path):
            assert lock_holder(path) == os.getpid()
        ending.join()


def test_a_second_daemon_is_kept_off(path):
    """At once, naming the store and the process; the lock ends with its holder, however that ends."""
    program = (
        "import sys, pathlib; from mailtickets.store.lock import StoreLock;"
        f"StoreLock(pathlib.Path({str(path)!r})).acquire(); print('locked', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(StoreBusy, match=str(holder.pid)):
            StoreLock(path).acquire()
    finally:
        holder.kill()
        holder.communicate()
    with StoreLock(path) as lock:
        assert str(os.getpid()) in (path.parent / "desk.db.lock").read_text()
        with pytest.raises(StoreBusy):
            StoreLock(path).acquire()
    lock.release()


def test_a_backup_is_a_whole_store(tmp_path):
    """Made while the desk is at work, mode 0600, and it opens as a desk with the same tickets and keys."""
    desk = Desk(tmp_path)
    desk.writes("ana@customer.example", "It burns.")
    target = tmp_path / "copy.db"
    desk.store.backup(target, START)
    desk.writes("bob@customer.example", "Mine too.")
    copy = Store.open(target, START)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert copy.integrity() == "ok"
    assert [t.number for t in copy.views.tickets()] == [1001]
    assert copy.key_ring() == desk.store.key_ring()
    copy.close()
    assert not list(tmp_path.glob("*.part"))
    desk.close()


def test_an_alarm_is_told_once_an_hour_and_its_end_once(store):
    """Trouble that lasts a day is twenty-four mails, not a thousand."""
    alarm = Alarm("imap", "The mailbox is away")
    with store.transaction():
        told = [
            minutes
            for minutes in range(0, 150, 10)
            if store.alarms.raise_(alarm, START + timedelta(minutes=minutes))
        ]
        assert told == [0, 60, 120]
        assert store.alarms.get("imap").count == 15
        assert store.alarms.clear("imap").since == START
        assert store.alarms.clear("imap") is None


def test_an_alarm_names_the_reason_of_what_it_names(store):
    """Within the hour another event of the kind changes no words; a new reason of the same one does."""
    first, other = (
        Alarm("forged", "From kim", "No key.", "Ask Kim."),
        Alarm("forged", "From lee", "Old key.", "Ask Lee."),
    )
    with store.transaction():
        shown = []
        for minutes, alarm in ((0, first), (10, other), (20, replace(first, why="No pass.")), (70, other)):
            store.alarms.raise_(alarm, START + timedelta(minutes=minutes))
            state = store.alarms.get("forged")
            shown.append((state.what, state.why, state.remedy))
    assert shown == [
        ("From kim", "No key.", "Ask Kim."), ("From kim", "No key.", "Ask Kim."),
        ("From kim", "No pass.", "Ask Kim."), ("From lee", "Old key.", "Ask Lee."),
    ]  # fmt: skip
