"""What the log says of a decision is what the store kept."""

from __future__ import annotations

import itertools
import logging
import sqlite3
import threading
from pathlib import Path

import pytest

from mailtickets import maillog
from tests.support.desk import Desk


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]


def test_what_a_full_store_undid_is_not_said(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """No `on_ticket` for a mail that still waits; with room again it is said, once."""
    caplog.set_level(logging.INFO, "mailtickets")
    desk = Desk(tmp_path)
    desk.receives(desk.mail("ana@ana.example", "My printer is on fire. " * 5000), settle=False)
    assert events(caplog) == ["taken"]
    pages = desk.store._connection.execute("PRAGMA page_count").fetchone()[0]
    desk.store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        desk.line.settle()
    assert desk.store.ledger.waiting(1)
    assert events(caplog) == ["taken"]
    desk.store._connection.execute("PRAGMA max_page_count = 1000000")
    desk.run()
    assert events(caplog).count("on_ticket") == 1
    desk.close()


def test_a_savepoint_takes_only_its_own_words_with_it(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """What was undone is dropped, the rest is written at the commit in its order; what raised is said in any case."""
    caplog.set_level(logging.INFO, "mailtickets")
    desk = Desk(tmp_path)
    with desk.store.transaction():
        maillog.note("first")
        try:
            with desk.store.savepoint():
                maillog.note("undone")
                raise ValueError  # noqa: TRY301  (it is the savepoint that is tried)
        except ValueError as error:
            maillog.broken("raised", None, error)
        with desk.store.savepoint():
            maillog.note("second")
        elsewhere = threading.Thread(target=maillog.note, args=("another thread",))
        elsewhere.start()
        elsewhere.join()
        assert events(caplog) == ["raised", "another thread"]
    maillog.note("third")
    assert events(caplog) == ["raised", "another thread", "first", "second", "third"]
    desk.close()


def test_mail_that_is_known_already_is_not_said_to_be_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """After a crash the same mails come again: nothing new, no line."""
    caplog.set_level(logging.INFO, "mailtickets")
    desk = Desk(tmp_path)
    raw = desk.mail("ana@ana.example", "It burns.")
    desk.receives(raw, settle=False)
    desk._names = itertools.count(1)
    desk.receives(raw, settle=False)
    assert events(caplog) == ["taken"]
    desk.close()
