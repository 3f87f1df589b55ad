"""Opens the SQLite file, holds its rules, and hands out the parts of the store.

WAL with synchronous=FULL: what was committed survives a power cut, and a mail is flagged on the
server only after its commit. Every writing transaction is BEGIN IMMEDIATE: a deferred one that
reads and then writes can fail at once with SQLITE_BUSY_SNAPSHOT, whatever the timeout.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import math
import os
import secrets
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mailtickets import maillog
from mailtickets.crashpoints import reach
from mailtickets.mail.keys import KeyRing
from mailtickets.store.alarms import Alarms
from mailtickets.store.engine import Database
from mailtickets.store.facts import FactsReader
from mailtickets.store.forgetting import UNCLEAN, Forgetting
from mailtickets.store.future import bring_back
from mailtickets.store.ledger import Ledger
from mailtickets.store.measures import Measures
from mailtickets.store.migrations import NEWEST, migrations
from mailtickets.store.news import NewsList
from mailtickets.store.outbox import Outbox
from mailtickets.store.tickets import Tickets
from mailtickets.store.times import to_us
from mailtickets.store.trouble import disk_words, store_trouble
from mailtickets.store.views import Views

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

CACHE_KIB = 16_000
BUSY_TIMEOUT_S = 30
LOCK_TRIES, LOCK_SECONDS = 6, 0.1
READABLE = "check the file's permissions"
WRITABLE = "check that the folder exists and is writable"
DAMAGED_REMEDY = (
    "stop the desk and put a backup in its place with `mailtickets restore FILE`, which keeps this file too"
)
QUICK_CHECK_BYTES = 100_000_000  # looked through in half a second
REWRITE_BYTES = 500_000_000  # written anew in half a minute also on a slow disk
TABLES = frozenset({"setting", "original", "copy", "ticket", "entry", "outbox"})


class StoreUnusable(Exception):  # noqa: N818  (named for the situation, not for its kind)
    """The file is no store, is damaged, or cannot be opened or written."""

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        super().__init__(f"{path}: {reason}; {remedy}")
        self.path, self.reason, self.remedy = path, reason, remedy


def _unusable(path: Path, what: str, error: Exception, remedy: str) -> StoreUnusable:
    """Return what to raise: where the disk itself is the cause, that is said, and what to do about it."""
    reason, remedy = disk_words(path.parent) or ("", remedy)
    return StoreUnusable(path, f"{what}: {reason} ({error})" if reason else f"{what} ({error})", remedy)


class StoreNewer(StoreUnusable):
    """The store was written by a newer version."""


class StoreBusy(Exception):  # noqa: N818
    """Another daemon has this store."""

    def __init__(self, path: Path, pid: str) -> None:
        super().__init__(f"{path} is in use by the daemon with pid {pid or 'unknown'}; stop that one first")
        self.path, self.pid = path, pid


class StoreLock:
    """The operating system's lock that keeps a second daemon off; it ends with its process, so none is ever stale."""

    def __init__(self, store: Path) -> None:
        self._path = store.with_name(store.name + ".lock")
        self._store = store
        self._fd = -1

    def acquire(self) -> Self:
        """Take the lock, or raise `StoreBusy` naming the process that has it. Raises StoreUnusable."""
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            what = f"its lock {self._path.name} cannot be opened for writing"
            raise _unusable(self._store, what, OSError(error.strerror), WRITABLE) from error
        for tries_left in reversed(range(LOCK_TRIES)):
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                pid = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip()
                # Nobody of that number lives: `lock_holder` has it, for an instant.
                if tries_left and not Path(f"/proc/{pid or 'none'}").exists():
                    time.sleep(LOCK_SECONDS)
                    continue
                os.close(self._fd)
                self._fd = -1
                raise StoreBusy(self._store, pid) from error
        with contextlib.suppress(OSError):
            give_to_owner(self._store, self._fd)
        with contextlib.suppress(OSError):  # a full disk: the kernel's lock holds, the pid is for people only
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        return self

    def release(self) -> None:
        """Give the lock back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        """Take the lock."""
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self.release()


def give_to_owner(store: Path, opened: int) -> None:
    """Give a file beside the store that root made to the user of the store, who could not use it otherwise."""
    if os.geteuid() == 0 and store.exists():
        owner = store.stat()
        os.fchown(opened, owner.st_uid, owner.st_gid)


def lock_holder(store: Path) -> int:
    """Return the pid of the daemon that has a store's lock, or 0."""
    try:
        with store.with_name(store.name + ".lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return int(lock.read().strip() or 0)
    except (OSError, ValueError):
        return 0
    return 0


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
            raise _unusable(path, "cannot be opened", error, WRITABLE) from error
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
            raise _unusable(path, "cannot be used", error, trouble.remedy) from error
        return cls(path, connection)

    @classmethod
    def read(cls, path: Path) -> Store:
        """Open the store for reading only, also on a disk that is full or cannot be written. Raises StoreUnusable, StoreNewer."""
        _check_there(path)
        if not path.exists():
            raise StoreUnusable(path, "there is no store yet", "start the desk with `mailtickets run` first")
        try:
            try:
                return cls(path, _connect_to_read(path, "mode=ro"))
            except sqlite3.OperationalError:
                # SQLite cannot make its index of the journal. At rest the file is whole without both.
                if not _at_rest(path):
                    raise
                return cls(path, _connect_to_read(path, "mode=ro&immutable=1"))
        except sqlite3.OperationalError as error:
            raise _unusable(path, "cannot be read", error, READABLE) from error
        except sqlite3.DatabaseError as error:
            raise StoreUnusable(path, f"cannot be read ({error})", DAMAGED_REMEDY) from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is committed together, or nothing is; the log says only what was committed."""
        with maillog.when_kept(), immediate(self._connection):
            yield

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Everything inside is undone if it raises, without undoing the transaction around it."""
        self._connection.execute("SAVEPOINT one_mail")
        try:
            with maillog.when_kept():
                yield
        except BaseException:
            if (
                self._connection.in_transaction
            ):  # a full disk makes SQLite undo the whole transaction by itself
                self._connection.execute("ROLLBACK TO one_mail")
                self._connection.execute("RELEASE one_mail")
            raise
        self._connection.execute("RELEASE one_mail")

    def setting(self, name: str, default: str = "") -> str:
        """Return a stored setting."""
        row = self._connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return row[0] if row else default

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
        """Copy the store to a file while it is in use, check the copy, and put it in place in one step.

        The copy says in its setting `backup_made_at` when it was made. Raises OSError, StoreUnusable; the file that was
        there before is then untouched, and nothing is left beside it.
        """
        temporary = target.with_name(target.name + ".part")
        temporary.unlink(missing_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        try:
            self._copy_to(temporary, now)
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            reach("backup-temp")
            temporary.replace(target)
        except BaseException:
            for end in ("", "-journal"):
                temporary.with_name(temporary.name + end).unlink(missing_ok=True)
            raise
        sync_folder(target.parent)

    def _copy_to(self, temporary: Path, now: datetime) -> None:
        copy = sqlite3.connect(temporary)
        try:
            # One step reads one snapshot: commits meanwhile never start it anew.
            self._connection.backup(copy, pages=-1)
            set_setting(copy, "backup_made_at", str(to_us(now)))
            copy.commit()
            verdict = copy.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.OperationalError as error:
            older = "make room, or name a file on another disk; older backups are untouched"
            raise StoreUnusable(temporary, f"the copy cannot be written ({error})", older) from error
        finally:
            copy.close()
        if verdict != "ok":
            raise StoreUnusable(
                self.path, f"the copy is damaged ({verdict})", "check the disk; keep your older backups"
            )

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


def set_setting(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Store a setting."""
    connection.execute(
        "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


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


def sync_folder(folder: Path) -> None:
    """Make the names of files in a folder survive a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _first_start(connection: sqlite3.Connection, now: datetime) -> None:
    if connection.execute("SELECT 1 FROM secret WHERE purpose = 'reply'").fetchone() is None:
        connection.execute(
            "INSERT INTO secret (purpose, number, secret, created_at) VALUES ('reply', 1, ?, ?)",
            (secrets.token_bytes(32), to_us(now)),
        )
    # The first start, rounded down to the second: INTERNALDATE has no fractions.
    first = to_us(now.replace(microsecond=0))
    connection.execute(
        "INSERT INTO setting (name, value) VALUES ('first_start', ?) ON CONFLICT DO NOTHING", (str(first),)
    )
