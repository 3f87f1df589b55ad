"""Everything or nothing: a writing transaction, and a part of one that can be undone by itself.

Every writing transaction is BEGIN IMMEDIATE: a deferred one that reads and then writes can fail at once
with SQLITE_BUSY_SNAPSHOT, whatever the timeout.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


@contextlib.contextmanager
def immediate(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a writing transaction; it waits for other writers instead of failing half-way."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextlib.contextmanager
def savepoint(connection: sqlite3.Connection) -> Iterator[None]:
    """Undo everything inside if it raises, without undoing the transaction around it."""
    connection.execute("SAVEPOINT one_mail")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # a full disk makes SQLite undo the whole transaction by itself
            connection.execute("ROLLBACK TO one_mail")
            connection.execute("RELEASE one_mail")
        raise
    connection.execute("RELEASE one_mail")
