"""What an error of the engine means: why, what to do and where, and what becomes of the mail."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mailtickets.store.trouble import store_trouble

FOLDER = Path("/srv/desk")


def full() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


def test_a_full_disk_is_named():
    """The folder of the store says which disk; without one the store does."""
    trouble = store_trouble(full(), FOLDER)
    assert trouble
    assert trouble.to_do == "make room on the disk that holds /srv/desk"
    assert (
        trouble.remedy
        == f"{trouble.to_do}; nothing is lost, mail stays on the server, and the desk goes on by itself"
    )
    without = store_trouble(full())
    assert without
    assert without.to_do == "make room on the disk that holds it"


def test_the_folder_is_said_of_the_cause_too():
    """An error that wraps the engine's means the same."""
    wrapped = RuntimeError("x")
    wrapped.__cause__ = full()
    assert store_trouble(wrapped, FOLDER) == store_trouble(full(), FOLDER)
