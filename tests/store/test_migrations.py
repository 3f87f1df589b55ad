"""Stores of every earlier version come to the present one whole, and the desk goes on with them."""

from __future__ import annotations

import itertools
import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.store import Store
from mailtickets.store.migrations import NEWEST
from tests.store.dump_version import ANA
from tests.support.desk import START, Desk

VERSIONS = Path(__file__).parent / "versions"
CONFIG = """\
[desk]
name = "Acme Support"
store = "desk.db"
admins = ["it@desk.example"]
[smtp]
host = "127.0.0.1"
port = 25
security = "none"
[mailbox.support]
maildir = "inbox"
[queue.support]
address = "support@desk.example"
tag = "SUP"
agents = ["kim", "lee"]
[agent.kim]
name = "Kim Archer"
email = "kim@desk.example"
[agent.lee]
name = "Lee Moss"
email = "lee@desk.example"
"""


def store_of(version: int, folder: Path) -> Path:
    """Make the store of an earlier version, as its text says."""
    path = folder / "desk.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript((VERSIONS / f"{version:04}.sql").read_text())
        assert connection.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    return path


def contents(path: Path) -> dict[str, list[dict[str, object]]]:
    """Return every row of every table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")] for (name,) in names}


def schema(path: Path) -> set[tuple[str, str, str]]:
    """Return tables and indexes as their statements."""
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master"))


def missing(
    before: dict[str, list[dict[str, object]]], after: dict[str, list[dict[str, object]]]
) -> list[object]:
    """Return rows that are gone or changed; new columns and new rows are none of them."""
    gone: list[object] = []
    for table, rows in before.items():
        now = [{name: row[name] for name in rows[0]} for row in after[table]] if rows else []
        gone += [(table, row) for row in rows if row not in now]
    return gone


def test_every_earlier_version_has_its_store():
    """A new migration needs the store of the version before it: see tests/store/dump_version.py."""
    assert [path.stem for path in sorted(VERSIONS.iterdir())] == [
        f"{n:04}" for n in range(1, len(list(VERSIONS.iterdir())) + 1)
    ]
    assert len(list(VERSIONS.iterdir())) >= NEWEST, (
        "write the store of this version down before the next migration"
    )


@pytest.mark.parametrize("version", range(1, NEWEST + 1))
def test_a_store_is_brought_up_to_date_whole(version, tmp_path):
    """Every row stays as it was; the tables are those of a fresh store, and the file is in order."""
    path = store_of(version, tmp_path)
    before = contents(path)
    assert len(before["ticket"]) == 3
    assert {row["state"] for row in before["outbox"]} == {"sent", "uncertain", "failed", "queued"}
    assert {row["state"] for row in before["copy"]} == {"on_ticket", "held", "quarantined", "waiting"}
    store = Store.open(path, START)
    assert store.integrity() == "ok"
    assert store._connection.execute("PRAGMA user_version").fetchone() == (NEWEST,)
    assert store._connection.execute("PRAGMA foreign_key_check").fetchall() == []
    store.close()
    assert missing(before, contents(path)) == []
    fresh = tmp_path / "fresh.db"
    Store.open(fresh, START).close()
    assert schema(path) == schema(fresh)


@pytest.mark.parametrize("version", range(1, NEWEST + 1))
def test_the_desk_goes_on_with_an_old_store(version, tmp_path):
    """What waited is decided, a reminder fires, and an answer to a mail of then is on its ticket."""
    path = store_of(version, tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        key = connection.execute("SELECT reply_key FROM outbox WHERE kind = 'answer'").fetchone()[0]
    desk = Desk(tmp_path)
    desk._names = itertools.count(100)  # the first ones stand in the ledger
    desk.run()
    assert desk.ticket(1004).requester == "eve@customer.example", "the mail that waited"
    while desk.line.recount():
        pass
    desk.lives(timedelta(hours=26), timedelta(hours=2))
    assert desk.kinds("ana@customer.example") == ["reminder"]
    desk.receives(desk.mail(ANA, "The big one.", subject="Re: my printer", to=f"support+{key}@desk.example"))
    assert desk.ticket(1001).status.value == "open"
    assert "The big one." in desk.last("kim@desk.example").text
    assert desk.store.integrity() == "ok"
    desk.close()


@pytest.mark.parametrize("version", range(1, NEWEST + 1))
def test_commands_read_an_old_store(version, tmp_path):
    """list, show, search, ledger and next say of it what was true then."""
    path = store_of(version, tmp_path)
    Store.open(path, START).close()
    (tmp_path / "config.toml").write_text(CONFIG)
    for part in ("new", "cur", "tmp"):
        (tmp_path / "inbox" / part).mkdir(parents=True)

    def asked(*words):
        done = CliRunner().invoke(cli, ["--config", str(tmp_path / "config.toml"), *words, "--json"])
        assert done.exit_code == 0, (words, done.output, done.exception)
        return json.loads(done.stdout)

    assert {(t["reference"], t["status"]) for t in asked("list", "--all")} == {
        ("SUP-1001", "waiting"), ("SUP-1002", "closed"), ("SUP-1003", "open"),
    }  # fmt: skip
    shown = asked("show", "SUP-1001")
    assert [e["text"] for e in shown["entries"] if e["kind"] == "mail_in"] == ["My printer is on fire."]
    assert [t["reference"] for t in asked("search", "scanner")] == ["SUP-1002"]
    books = asked("ledger")
    assert (books["received"], books["unexplained"], books["waiting"], books["held"]) == (8, 0, 1, 1)
    assert ("SUP-1001", "reminder") in {(n["reference"], n["kind"]) for n in asked("next")}
