"""The store as the desk sees it: one connection, its parts, its transactions, and the upkeep of its file."""

from __future__ import annotations

import contextlib
import math
import sqlite3
import time
from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.mail.keys import KeyRing
from mailtickets.store.alarms import Alarms
from mailtickets.store.backup import back_up
from mailtickets.store.errors import DAMAGED_REMEDY, StoreUnusable
from mailtickets.store.facts import FactsReader
from mailtickets.store.first_start import first_start, note_joining, start_of, was_before
from mailtickets.store.forgetting import UNCLEAN, Forgetting
from mailtickets.store.future import bring_back
from mailtickets.store.ledger import Ledger
from mailtickets.store.measures import Measures
from mailtickets.store.news import NewsList
from mailtickets.store.opening import open_to_read, open_to_write
from mailtickets.store.outbox import Outbox
from mailtickets.store.settings import set_setting, setting
from mailtickets.store.tickets import Tickets
from mailtickets.store.transactions import immediate, savepoint
from mailtickets.store.views import Views

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta
    from pathlib import Path

QUICK_CHECK_BYTES = 100_000_000  # looked through in half a second
REWRITE_BYTES = 500_000_000  # written anew in half a minute also on a slow disk


class Store:
    """One connection to the store. The desk's thread has the only writing one; readers open their own."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self.ledger = Ledger(connection)
        self.tickets = Tickets(connection)
        self.outbox = Outbox(connection)
        self.facts = FactsReader(connection)
        self.views = Views(connection)
        self.alarms = Alarms(connection)
        self.measures = Measures(connection)
        self.forgetting = Forgetting(connection)
        self.news = NewsList(connection)

    @classmethod
    def open(cls, path: Path, now: datetime) -> Store:
        """Open the store for writing, see `opening.open_to_write`. Raises StoreUnusable, StoreNewer."""
        return cls(path, open_to_write(path, now))

    @classmethod
    def read(cls, path: Path) -> Store:
        """Open the store for reading only, see `opening.open_to_read`. Raises StoreUnusable, StoreNewer."""
        return cls(path, open_to_read(path))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is committed together, or nothing is; the log says only what was committed."""
        with maillog.when_kept(), immediate(self._connection):
            yield

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Everything inside is undone if it raises, without undoing the transaction around it."""
        with savepoint(self._connection), maillog.when_kept():
            yield

    def first_start(self) -> datetime:
        """See `store.first_start.first_start`."""
        return first_start(self._connection)

    def start_of(self, mailbox: str, folder: str) -> datetime:
        """See `store.first_start.start_of`."""
        return start_of(self._connection, mailbox, folder)

    def note_joining(self, mailbox: str, folder: str) -> bool:
        """See `store.first_start.note_joining`."""
        return note_joining(self._connection, mailbox, folder)

    def start_was_before(self, now: datetime) -> tuple[datetime, int]:
        """See `store.first_start.was_before`."""
        return was_before(self._connection, now)

    def setting(self, name: str, default: str = "") -> str:
        """Return a stored setting."""
        return setting(self._connection, name, default)

    def set_setting(self, name: str, value: str) -> None:
        """Store a setting, inside the caller's transaction or by itself."""
        set_setting(self._connection, name, value)

    def bring_back(self, now: datetime, gap: timedelta, wrong_since: datetime | None) -> None:
        """See `future.bring_back`."""
        bring_back(self._connection, now, gap, wrong_since)

    def key_ring(self) -> KeyRing:
        """Return the desk's keys for replies and for the loop field."""
        rows = self._connection.execute(
            "SELECT number, secret FROM secret WHERE purpose = 'reply'"
        ).fetchall()
        return KeyRing(dict(rows), max(number for number, _ in rows))

    def backup(self, target: Path, now: datetime) -> None:
        """Copy the store to a file while it is in use, see `backup.back_up`. Raises OSError, StoreUnusable."""
        back_up(self._connection, self.path, target, now)

    def integrity(self, *, quick: bool = False) -> str:
        """Return "ok", or what is wrong with the file; `quick` does not compare indexes with their tables."""
        check = "quick_check" if quick else "integrity_check"
        try:
            return str(self._connection.execute(f"PRAGMA {check}").fetchone()[0])
        except sqlite3.DatabaseError as error:  # damage that keeps even the check from going on
            return str(error)

    def clean_up(self, seconds: float = math.inf) -> str | None:
        """After a person was erased, leave nothing of it in the index of words, in free room of the file or in its journal.

        Return "" where that is done, None where it goes on, as it took longer than so many seconds, or why it cannot yet.
        A large file is not written anew: its freed pages hold zeros, but slivers of rows that were moved may stay between
        others.
        """
        if not self.forgetting.unclean():
            return ""
        try:
            if not self.forgetting.clean_index(time.monotonic() + seconds):
                return None
            with self.transaction():
                self.forgetting.scrub()
            if self.path.stat().st_size <= REWRITE_BYTES:
                self._write_anew()
            if self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                return "another process reads the store"
            with self.transaction():
                self._connection.execute("DELETE FROM setting WHERE name = ?", (UNCLEAN,))
            self.fold_journal()
        except sqlite3.OperationalError as error:
            return str(error)
        return ""

    def _write_anew(self) -> None:
        self._connection.execute("PRAGMA temp_store = FILE")  # in memory it would be as large as the store
        try:
            self._connection.execute("VACUUM")
        finally:
            self._connection.execute("PRAGMA temp_store = MEMORY")

    def fold_journal(self) -> None:
        """Put everything that is committed into the file itself, so that it is whole without its journal."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def check_quickly(self) -> None:
        """Raise StoreUnusable where a quick look through the file finds damage; a large one is not looked through.

        That would take seconds at each start. Its damage is found by the next backup, or when it is met.
        """
        if self.path.stat().st_size > QUICK_CHECK_BYTES:
            return
        if (verdict := self.integrity(quick=True)) != "ok":
            raise StoreUnusable(self.path, f"is damaged ({' '.join(verdict.split())})", DAMAGED_REMEDY)

    def release_memory(self) -> None:
        """Give cached pages back; called when the desk is idle."""
        self._connection.execute("PRAGMA shrink_memory")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Store]:
    """Open a store for reading and close it afterwards. Raises StoreUnusable, also where damage is met inside."""
    store = Store.read(path)
    try:
        yield store
    except sqlite3.DatabaseError as error:
        raise StoreUnusable(path, f"cannot be read ({error})", DAMAGED_REMEDY) from error
    finally:
        store.close()
