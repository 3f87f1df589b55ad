"""Putting a backup in the store's place: checked first, in one step, and nothing of the former store is lost."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.store import Store, StoreNewer, StoreUnusable
from mailtickets.store.errors import StoreBusy
from mailtickets.store.ledger import RECEIVED, Taken, compress
from mailtickets.store.lock import StoreLock
from mailtickets.store.migrations import NEWEST
from mailtickets.store.restoring import restore
from mailtickets.store.times import to_us
from tests.store.test_migrations import CONFIG, store_of
from tests.support.desk import START, Desk

ANA, BEN = "Ana <ana@customer.example>", "Ben <ben@customer.example>"
LATER = START + timedelta(hours=1)


@pytest.fixture
def backup(tmp_path):
    """A backup with a ticket of Ana; the store has one of Ben, too."""
    desk = Desk(tmp_path)
    desk.writes(ANA, "My printer is on fire.")
    desk.store.backup(tmp_path / "backup.db", START)
    desk.writes(BEN, "My scanner is wet.")
    desk.close()
    return tmp_path / "backup.db"


@pytest.fixture
def store(backup):
    return backup.with_name("desk.db")


def people(path: Path) -> list[str]:
    """Whose mail a store has taken in or still waits to be decided."""
    with closing(Store.read(path)) as there:
        raws = [there.ledger.original(copy.digest) for copy in there.ledger.everything()]
    return sorted(
        name for name in ("ana@", "ben@", "eve@") if any(f"<{name}".encode() in raw for raw in raws)
    )


def test_the_backup_is_the_store_now(backup, store):
    """Mode 0600, in order, with when it was restored and up to when it knows; the former store stands beside it, whole."""
    done = restore(backup, store, LATER, ["support"])
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert done.made_at == START
    with closing(Store.read(store)) as now:
        assert now.integrity() == "ok"
        assert [t.requester for t in now.views.tickets()] == ["ana@customer.example"]
        settings = {name: now.setting(name) for name in ("restored_at", "restored_from", "backup_made_at")}
        assert settings == {
            "restored_at": str(to_us(LATER)),
            "restored_from": str(to_us(START)),
            "backup_made_at": "",
        }
        assert int(now.setting("moved_since:support")) < to_us(START)
        assert len(now.ledger.waiting()) == 1, "Ben's mail, taken over"
    assert done.kept == store.with_name("desk.db.before-restore-20260302-100000")
    assert people(done.kept) == ["ana@", "ben@"]
    names = {path.name for path in store.parent.iterdir()} - {"desk.db-wal", "desk.db-shm"}
    assert names >= {"desk.db", "backup.db"}
    assert not any("restoring" in name for name in names)


@pytest.mark.parametrize("former", ["there", "gone"])
def test_the_desks_user_can_go_on_where_root_restores(former, backup, store):
    """The store belongs to whom it belonged before, or else to whom its folder belongs; so does the lock."""
    if os.geteuid() == 0:
        os.chown(store if former == "there" else store.parent, 4711, 4712)
    if former == "gone":
        store.unlink()
    owner = (store if former == "there" else store.parent).stat()
    with StoreLock(store):
        restore(backup, store, LATER, [])
    for path in (store, store.with_name("desk.db.lock")):
        assert (path.stat().st_uid, path.stat().st_gid) == (owner.st_uid, owner.st_gid)


def test_a_store_behind_a_link(backup, store):
    """The file itself is replaced, and the former one is kept beside it; the link stays."""
    (store.parent / "disk").mkdir()
    real = store.rename(store.parent / "disk" / "real.db")
    store.symlink_to(real)
    done = restore(backup, store, LATER, [])
    assert store.is_symlink()
    assert done.kept.parent == real.parent
    assert people(store) == ["ana@", "ben@"]


def test_a_copy_without_the_time_of_its_making(backup, store):
    """A file that was copied by hand: the newest time found in it counts. Its journal is read, too."""
    plain = store.with_name("copied.db")
    held = sqlite3.connect(store)
    held.execute("SELECT count(*) FROM copy").fetchall()
    with closing(Store.open(store, START)) as writer:
        with writer.transaction():
            writer.set_setting("last", "in the journal")
        for end in ("", "-wal"):
            shutil.copy(store.with_name(store.name + end), plain.with_name(plain.name + end))
    held.close()
    done = restore(plain, store, LATER, [])
    assert done.made_at == START
    with closing(Store.read(store)) as now:
        assert now.setting("last") == "in the journal"
        assert len(now.views.tickets()) == 2


@pytest.mark.parametrize("version", range(1, NEWEST + 1))
def test_an_older_backup_is_brought_up_to_date(version, tmp_path):
    """The desk goes on with it as with one of today."""
    (tmp_path / "old").mkdir()
    old = store_of(version, tmp_path / "old")
    restore(old, tmp_path / "desk.db", LATER, [])
    with closing(Store.open(tmp_path / "desk.db", LATER)) as now:
        assert len(now.views.tickets(unfinished=False)) == 3
        assert now.integrity() == "ok"
    assert sqlite3.connect(old).execute("PRAGMA user_version").fetchone() == (version,), (
        "the backup itself is left alone"
    )


def test_mail_that_only_the_former_store_has(backup, store):
    """What `receive` took is in no mailbox; what was taken from one and deleted there since is nowhere else, either."""
    raw = b"From: <eve@customer.example>\r\nSubject: Desk\r\n\r\nMy desk is old.\r\n"
    with closing(Store.open(store, START)) as former, former.transaction():
        former.ledger.accept(
            [
                Taken(
                    "support",
                    RECEIVED,
                    "1.x",
                    hashlib.sha256(raw).digest(),
                    compress(raw),
                    raw,
                    len(raw),
                    START,
                )
            ],
            START,
        )
    assert restore(backup, store, LATER, []).carried == 2
    assert people(store) == ["ana@", "ben@", "eve@"]
    again = restore(backup, store, LATER + timedelta(seconds=1), [])
    assert (again.carried, people(store)) == (2, ["ana@", "ben@", "eve@"]), "also a second time"


def test_a_former_store_that_breaks_half_way(backup, store):
    """What can be read of it is taken over; why the rest is not, is told."""
    with closing(sqlite3.connect(store)) as former, former:
        former.execute("UPDATE original SET data = x'00' WHERE id = (SELECT max(id) FROM original)")
    done = restore(backup, store, LATER, [])
    assert "damaged" in done.unread
    assert not done.unread.startswith(("it ", "is ", "cannot "))  # it is said that it could not be read
    assert (done.carried, people(store)) == (0, ["ana@"])


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as there:
        there.execute(f"PRAGMA user_version = {NEWEST + 1}")


def _other_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as there:
        there.executescript("CREATE TABLE cat (name TEXT); PRAGMA user_version = 2")


def _orphan(path: Path) -> None:
    with closing(sqlite3.connect(path)) as there, there:
        there.execute("DELETE FROM participant")
        there.execute("DELETE FROM ticket")


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2 // 4096 * 4096
    raw[middle : middle + 64] = bytes(64)
    path.write_bytes(raw)


UNFIT = {
    "newer": (_newer, StoreNewer, "schema"),
    "of another program": (_other_program, StoreUnusable, "not a store of mailtickets; name another backup"),
    "a folder": (
        lambda path: (path.unlink(), path.mkdir()),
        StoreUnusable,
        "is a folder; name the backup in it",
    ),
    "not SQLite": (lambda path: path.write_bytes(b"tar" * 5000), StoreUnusable, "not a database"),
    "empty": (lambda path: path.write_bytes(b""), StoreUnusable, "is empty"),
    "gone": (lambda path: path.unlink(), StoreUnusable, "no such file"),
    "cut in half": (
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        StoreUnusable,
        "whole",
    ),
    "flipped bytes": (_flip, StoreUnusable, "damaged|whole"),
    "rows of nothing": (_orphan, StoreUnusable, "belongs to none"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_an_unfit_backup_changes_nothing(name, backup, store):
    """It is refused with the reason, by its name; the store is untouched and nothing is left beside it."""
    spoil, error, words = UNFIT[name]
    spoil(backup)
    before = {path.name: path.read_bytes() for path in store.parent.iterdir() if path != backup}
    with pytest.raises(error, match=words) as told:
        restore(backup, store, LATER, [])
    assert told.value.path == backup
    assert {path.name: path.read_bytes() for path in store.parent.iterdir() if path != backup} == before


def _dies_before(step: int, backup: Path, store: Path, monkeypatch) -> bool:
    """Restore in a child that kills itself before a step on the disk; return whether it came that far."""
    child = os.fork()
    if child == 0:
        left = iter(range(step, -1, -1))

        def dying(call):
            def before(*arguments, **more):
                if not next(left, 1):
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments, **more)

            return before

        for name in ("open", "link", "fsync", "rename", "replace", "unlink"):
            monkeypatch.setattr(os, name, dying(getattr(os, name)))
        restore(backup, store, LATER, [])
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.fault("Backup, restore", "restore of yesterday's store")
def test_a_restore_killed_before_any_step(backup, store, tmp_path, monkeypatch, book):
    """There is always a store, the former or the restored one, whole; a second restore does it, with every mail."""
    number, lost, killed = 0, 0, True
    while killed:
        folder = tmp_path / str(number)
        folder.mkdir()
        here = folder / "desk.db"
        shutil.copy(store, here)
        killed = _dies_before(number, backup, here, monkeypatch)
        with closing(Store.read(here)) as now:
            assert now.integrity() == "ok", number
            assert len(now.views.tickets()) == (1 if now.setting("restored_at") else 2), number
        restore(backup, here, LATER + timedelta(seconds=1), [])
        lost += people(here) != ["ana@", "ben@"]
        assert not list(folder.glob("*restoring*"))
        number += 1
    assert number > 5
    book(runs=number - 1, lost=lost)
    assert lost == 0


def test_the_command(backup, store, capsys):
    """It names the daemon that must be stopped first; then it says what it did and what is next."""
    folder = store.parent
    (folder / "config.toml").write_text(
        CONFIG.replace(
            'maildir = "inbox"',
            'host = "127.0.0.1"\nusername = "x"\npassword = { env = "PASSWORD" }\nsecurity = "none"\nafter = "move:Done"',
        )
    )
    (folder / "inbox").mkdir()

    def asked(file):
        return CliRunner().invoke(cli, ["--config", str(folder / "config.toml"), "restore", str(file)])

    with StoreLock(store):
        refused = asked(backup)
    assert isinstance(refused.exception, StoreBusy)
    assert str(os.getpid()) in str(refused.exception)
    itself = asked(store)
    assert (itself.exit_code, "is the store itself" in itself.output) == (1, True)
    done = asked(backup)
    assert done.exit_code == 0, done.output
    for words in (
        "is now the backup",
        "kept as",
        "1 mail that only that one had is taken over",
        "folder Done",
        "number 2002",
        "Start the desk now",
        "outbox retry",
    ):
        assert words in done.output, words
    kept = next(path for path in folder.glob("desk.db.before-restore-*") if path.name[-1].isdigit())
    beside = [path.name for path in folder.glob(f"{kept.name}-*")]
    assert all(name in done.output for name in beside)
    assert "automatic mail" not in done.output, "none waited in the backup"
