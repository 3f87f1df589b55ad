"""A store that is newer, foreign, damaged or gone is refused with what to do, and never repaired by dropping."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mailtickets.store.migrations import NEWEST
from tests.support.dovecot import Dovecot
from tests.support.process import DeskProcess
from tests.support.smtp_sink import SmtpSink

ANA = "Ana Client <ana@customer.example>"
MAIL = b"From: ana@customer.example\r\nTo: support@desk.example\r\nSubject: Help\r\n\r\nIt burns.\r\n"
RESTORE = "`mailtickets restore FILE`"


@pytest.fixture
def desk(tmp_path: Path, dovecot: Dovecot, sink: SmtpSink, account: str) -> Iterator[DeskProcess]:
    made = DeskProcess(tmp_path, dovecot, sink, account)
    yield made
    made.stop()


def _one_file(path: Path) -> None:
    """Put what the journal holds into the store."""
    with closing(sqlite3.connect(path)) as there:
        there.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as there:
        there.execute(f"PRAGMA user_version = {NEWEST + 1}")
    _one_file(path)


def _other_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as there:
        there.executescript("CREATE TABLE cat (name TEXT); PRAGMA user_version = 1")


def _header(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[16:60] = bytes(44)
    path.write_bytes(raw)


def _page(path: Path, name: str = "outbox") -> None:
    """Overwrite the root page of a table or index, in the middle of the file."""
    with closing(sqlite3.connect(path)) as there:
        root = there.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
        size = there.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * 64)


def _gone(path: Path) -> None:
    """The file is gone, its journal with unsaved work is there, as after a power cut and a hasty hand."""
    path.with_name("desk.db-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(5000))
    path.unlink()


# How it is spoilt, and what is said of it.
FAULTS = {
    "newer": (_newer, f"has schema {NEWEST + 1}", "run the newer version"),
    "of another program": (_other_program, "not a store of mailtickets", "name another file in desk.store"),
    "not SQLite": (lambda path: path.write_bytes(b"tar" * 5000), "not a database", RESTORE),
    "cut in half": (
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        "malformed",
        RESTORE,
    ),
    "flipped in its header": (_header, "not a database", RESTORE),
    "flipped in a page": (_page, "is damaged", RESTORE),
    "empty": (lambda path: path.write_bytes(b""), "is empty", RESTORE),
    "missing beside its journal": (_gone, "is missing", RESTORE),
}


def contents(store: Path) -> dict[str, bytes]:
    """Return the store and its journal, if anything is in it."""
    paths = [path for path in (store, store.with_name("desk.db-wal")) if path.exists()]
    return {path.name: path.read_bytes() for path in paths if path == store or path.stat().st_size}


@pytest.mark.fault("Start", "store newer or corrupt")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_store_that_cannot_be_used_is_refused(desk, fault, book):
    """One line says which file, why, and what to do; nothing is changed, nothing is marked, and the mail server keeps its mail."""
    spoil, reason, remedy = FAULTS[fault]
    desk.command("receive", stdin=MAIL)
    store = desk.folder / "desk.db"
    _one_file(store)
    spoil(store)
    desk.writes(ANA, "My printer is on fire.")
    before = contents(store)
    commands = {("run",): 1, ("run", "--once"): 1, ("check",): 78, ("receive",): 75}
    if fault != "flipped in a page":  # a look at tickets does not look through the whole file
        commands[("list",)] = 1
    for words, code in commands.items():
        ended, said = desk.run(*words, stdin=MAIL)
        assert ended == code, (words, said)
        for part in (str(store), reason, remedy):
            assert part in said, (words, said)
        assert "Traceback" not in said
        assert len(said.strip().split("\n")) <= 2, said
    if fault != "flipped in a page":  # there `receive` came as far as to write
        assert contents(store) == before, "it is left as it was: somebody may still save it"
    assert set().union(*desk.dovecot.flags(desk.user).values()) <= {r"\Recent"}
    book(runs=len(commands))


@pytest.mark.fault("Start", "store newer or corrupt")
def test_damage_that_is_met_later_pauses_the_desk(desk, book):
    """One clear line a minute and no traceback, no crash; nothing is marked, and after a restore every mail is on a ticket."""
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    desk.at_rest(1)
    desk.command("backup", str(desk.folder / "backup.db"))
    store = desk.folder / "desk.db"
    with closing(sqlite3.connect(store)) as there:
        there.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _page(store, "copy")
        # A write of somebody else makes the desk look at the file again.
        there.execute("UPDATE setting SET value = value")
        there.commit()
    desk.writes(ANA, "My scanner is wet.", subject="Scanner")
    line = desk.wait_log("mailtickets restore FILE", seconds=30)
    assert "damaged" in line
    time.sleep(5)
    print(desk.log)
    assert "Traceback" not in desk.log
    assert desk.process.poll() is None
    flags = desk.dovecot.flags(desk.user)
    assert r"\Seen" not in flags[max(flags)]
    assert desk.stop() == 0
    desk.command("restore", str(desk.folder / "backup.db"))
    desk.start()
    books = desk.at_rest(2)
    assert books["on_tickets"] == 2
    book(runs=1, lost=2 - books["on_tickets"])
