"""From a path to a connection: makes a new file, refuses what is no store, brings an old one to the newest schema.

WAL with synchronous=FULL: what was committed survives a power cut, and a mail is flagged on the
server only after its commit.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import secrets
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from mailtickets.store.engine import Database
from mailtickets.store.errors import DAMAGED_REMEDY, READABLE, WRITABLE, StoreNewer, StoreUnusable, unusable
from mailtickets.store.first_start import note_first_start
from mailtickets.store.migrations import NEWEST, migrations
from mailtickets.store.times import to_us
from mailtickets.store.transactions import immediate
from mailtickets.store.trouble import store_trouble

if TYPE_CHECKING:
    from datetime import datetime

CACHE_KIB = 16_000
BUSY_TIMEOUT_S = 30
TABLES = frozenset({"setting", "original", "copy", "ticket", "entry", "outbox"})


def open_to_write(path: Path, now: datetime) -> sqlite3.Connection:
    """Open the store for writing; make it, or bring it to the newest schema, if need be.

    Raises StoreUnusable, StoreNewer. The file gets mode 0600: it holds people's mail.
    """
    _check_there(path)
    try:
        _remove_half_made(path)
        if not path.exists():
            _create(path)
        path.chmod(0o600)
        connection = _connect(path)
    except (OSError, sqlite3.OperationalError) as error:
        raise unusable(path, "cannot be opened", error, WRITABLE) from error
    except sqlite3.DatabaseError as error:
        raise StoreUnusable(path, f"cannot be used ({error})", DAMAGED_REMEDY) from error
    try:
        check_is_store(path, connection)
        connection.execute("PRAGMA journal_mode = WAL")
        with immediate(connection):
            migrations.apply(Database(connection, strict=True))
            _first_start(connection, now)
    except sqlite3.DatabaseError as error:
        connection.close()
        trouble = store_trouble(error)
        if trouble is None or not isinstance(error, sqlite3.OperationalError):
            raise StoreUnusable(
                path, f"cannot be used ({error})", trouble.remedy if trouble else DAMAGED_REMEDY
            ) from error
        raise unusable(path, "cannot be used", error, trouble.remedy) from error
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open the store for reading only, also on a disk that is full or cannot be written. Raises StoreUnusable, StoreNewer."""
    _check_there(path)
    if not path.exists():
        raise StoreUnusable(path, "there is no store yet", "start the desk with `mailtickets run` first")
    try:
        try:
            return _connect_to_read(path, "mode=ro")
        except sqlite3.OperationalError:
            # SQLite cannot make its index of the journal. At rest the file is whole without both.
            if not _at_rest(path):
                raise
            return _connect_to_read(path, "mode=ro&immutable=1")
    except sqlite3.OperationalError as error:
        raise unusable(path, "cannot be read", error, READABLE) from error
    except sqlite3.DatabaseError as error:
        raise StoreUnusable(path, f"cannot be read ({error})", DAMAGED_REMEDY) from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    for pragma in (
        "synchronous = FULL",
        "foreign_keys = ON",
        f"cache_size = -{CACHE_KIB}",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _connect_to_read(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{path}?{mode}", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        check_is_store(path, connection)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _at_rest(path: Path) -> bool:
    """Tell whether surely no daemon has the store, and nothing stands in its journal alone."""
    journal, lock = (path.with_name(path.name + end) for end in ("-wal", ".lock"))
    try:
        if journal.exists() and journal.stat().st_size:
            return False
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def check_is_store(path: Path, connection: sqlite3.Connection) -> int:
    """Return the version of a store's schema, 0 for an empty database. Raises StoreUnusable, StoreNewer, and closes it."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if (tables or version) and not tables >= TABLES:
        connection.close()
        raise StoreUnusable(
            path, "is an SQLite file, but not a store of mailtickets", "name another file in desk.store"
        )
    if version > NEWEST:
        connection.close()
        raise StoreNewer(
            path,
            f"has schema {version}, this version knows {NEWEST}",
            "run the newer version that wrote it, or go back to a backup of before with `mailtickets restore FILE`",
        )
    return version


def _check_there(path: Path) -> None:
    """Refuse what would be taken for a desk that begins, though there was one."""
    journal = path.with_name(path.name + "-wal")
    if not path.exists():
        if journal.exists() and journal.stat().st_size:
            raise StoreUnusable(
                path,
                f"is missing, and its journal {journal.name} is there",
                "put the store back beside it, or a backup with `mailtickets restore FILE`; to begin a new desk, move the journal away",
            )
    elif path.stat().st_size == 0:
        raise StoreUnusable(
            path,
            "is empty, which a store never is",
            "put a backup in its place with `mailtickets restore FILE`; to begin a new desk, remove the file",
        )


def _create(path: Path) -> None:
    """Make a database without tables. It gets its name when it has its first page: an empty file was none of ours."""
    made = path.with_name(f"{path.name}.{os.getpid()}.new")
    os.close(os.open(made, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
    try:
        with contextlib.closing(sqlite3.connect(made)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        with contextlib.suppress(FileExistsError):  # another process began the desk in this moment
            os.link(made, path)
    finally:
        made.unlink()


def _remove_half_made(path: Path) -> None:
    """Remove what processes left that were killed while they made the store; those that live are at work on theirs."""
    for half in path.parent.glob(f"{glob.escape(path.name)}.*.new*"):
        pid = half.name.removeprefix(f"{path.name}.").partition(".")[0]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            half.unlink(missing_ok=True)


def _first_start(connection: sqlite3.Connection, now: datetime) -> None:
    if connection.execute("SELECT 1 FROM secret WHERE purpose = 'reply'").fetchone() is None:
        connection.execute(
            "INSERT INTO secret (purpose, number, secret, created_at) VALUES ('reply', 1, ?, ?)",
            (secrets.token_bytes(32), to_us(now)),
        )
    note_first_start(connection, now)
