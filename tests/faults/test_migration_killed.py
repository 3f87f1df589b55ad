"""A migration that is killed half-way is done by the next start, and nothing is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing

import pytest

from mailtickets.store import Store, opening
from mailtickets.store.migrations import NEWEST
from tests.store.test_migrations import contents, missing, schema, store_of
from tests.support.desk import START


def _dies_before(number, path, monkeypatch):
    """Open the store in a child that kills itself before its statement of this number; return whether it came that far."""
    child = os.fork()
    if child == 0:
        connect = opening._connect

        def counting(path):
            connection = connect(path)
            left = iter(range(number, -1, -1))
            connection.set_trace_callback(lambda _: next(left) or os.kill(os.getpid(), signal.SIGKILL))
            return connection

        monkeypatch.setattr(opening, "_connect", counting)
        Store.open(path, START)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.fault("Start", "migration killed half-way")
@pytest.mark.parametrize("version", range(NEWEST))
def test_a_migration_killed_before_any_statement(version, tmp_path, monkeypatch, book):
    """The store is of the old or of the new version, never of one in between; the next start finishes it with every row."""
    number = runs = lost = 0
    fresh = tmp_path / "fresh.db"
    Store.open(fresh, START).close()
    killed = True
    while killed:
        folder = tmp_path / str(number)
        folder.mkdir()
        path = store_of(version, folder) if version else folder / "desk.db"
        before = contents(path) if version else {}
        killed = _dies_before(number, path, monkeypatch)
        if killed and path.exists():
            with closing(sqlite3.connect(path)) as connection:
                found = connection.execute("PRAGMA user_version").fetchone()[0]
            assert found in {version, NEWEST}, number
        store = Store.open(path, START)
        assert store.integrity() == "ok"
        store.close()
        lost += len(missing(before, contents(path)))
        assert schema(path) == schema(fresh), number
        runs += killed
        number += 1
    assert runs > 10
    book(runs=runs, lost=lost)
    assert lost == 0
