"""Puts a copy of the store in the store's place: checked and prepared first, then in one step.

Owns the files. Afterwards the store says of itself: `restored_at` and `restored_from`, microseconds, and for each
mailbox whose handled mail is moved, `moved_since:MAILBOX`: since when its other folder is to be looked through.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets.store.backup import sync_folder
from mailtickets.store.database import Store
from mailtickets.store.errors import StoreNewer, StoreUnusable
from mailtickets.store.ledger import RECEIVED, Taken
from mailtickets.store.opening import check_is_store
from mailtickets.store.outbox import BEFORE_BACKUP
from mailtickets.store.times import from_us, to_us

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

ANOTHER = "name another backup; the present store was not touched"
# The lost time may have handed out numbers of which nobody knows; twice as many after a second restore, and so on.
NUMBERS_PASSED_OVER = 1000
# Mail may have waited in the mailbox for so long when the backup was made, beyond what its ledger shows.
MAIL_MAY_WAIT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    kept          where the store of before is now; None where there was none.
    unread        why that store could not be read to its end; "" where it could.
    made_at       up to when the backup knows.
    carried       mails that the store of before had and the backup has not: they are decided again.
    held          automatic mails that were queued in the backup and are not sent by themselves.
    next_number   of the next new ticket.
    """

    kept: Path | None
    unread: str
    made_at: datetime
    carried: int
    held: int
    next_number: int


def restore(source: Path, store: Path, now: datetime, moving: Sequence[str]) -> Restored:
    """Put the backup `source` in the place of `store`; the caller has the daemon's lock.

    now      the moment of the restore, a full second: mail that arrived earlier may have been handled already.
    moving   mailboxes whose handled mail is moved to another folder.

    Raises StoreUnusable, StoreNewer, OSError; the store is then untouched. Wherever this is cut short, a
    store stands under its name: the one of before or the restored one.
    """
    store = store.resolve()  # SQLite keeps the journal beside the file itself, too
    part = store.with_name(store.name + ".restoring")
    aside = store.with_name(f"{store.name}.before-restore-{now:%Y%m%d-%H%M%S}")
    _remove(part)
    try:
        _copy(source, part)
        with _opened(source, part, now) as copy:
            made = copy.setting("backup_made_at")
            made_at = from_us(int(made)) if made else copy.views.newest_time()
            carried, unread = _carry_over(store, copy, now) if store.exists() else (0, "")
            held, number = _prepare(copy, store, now, made_at, moving)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        _give_to_owner(store, part)
        kept = _put_in_place(part, store, aside, readable=not unread)
    except BaseException:
        _remove(part)
        raise
    if kept and not unread:
        # A `receive` that had the store open meanwhile wrote to the one of before.
        with closing(Store.open(store, now)) as copy:
            carried += _carry_over(kept, copy, now)[0]
    return Restored(kept, unread, made_at, carried, held, number)


def _copy(source: Path, part: Path) -> None:
    """Copy a backup beside the store, with what a journal beside it holds, and check the copy."""
    if source.is_dir():
        raise StoreUnusable(source, "is a folder", "name the backup in it; the present store was not touched")
    if not source.is_file():
        raise StoreUnusable(source, "there is no such file", ANOTHER)
    os.close(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
    # Without a journal nobody writes it; "immutable" reads it also on a disk that cannot be written.
    journal = any(source.with_name(source.name + end).exists() for end in ("-wal", "-journal"))
    mode = "mode=ro" if journal else "mode=ro&immutable=1"
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?{mode}", uri=True)) as there,
            closing(sqlite3.connect(part)) as here,
        ):
            if _version(source, there) == 0:
                raise StoreUnusable(source, "is empty", ANOTHER)
            there.backup(here, pages=-1)
            verdict = here.execute("PRAGMA integrity_check(1)").fetchone()[0]
            orphan = here.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.OperationalError as error:
        reason = f"cannot be copied to {part} ({error})"
        raise StoreUnusable(source, reason, f"make room there, or {ANOTHER}") from error
    except sqlite3.DatabaseError as error:
        raise StoreUnusable(source, f"is no whole store ({error})", ANOTHER) from error
    if verdict != "ok" or orphan:
        reason = f"a row of {orphan[0]} belongs to none of {orphan[2]}" if orphan else verdict
        raise StoreUnusable(source, f"is damaged ({reason})", ANOTHER)


def _version(source: Path, there: sqlite3.Connection) -> int:
    try:
        return check_is_store(source, there)
    except StoreNewer:
        raise
    except StoreUnusable as error:
        raise StoreUnusable(source, error.reason, ANOTHER) from error


@contextlib.contextmanager
def _opened(source: Path, part: Path, now: datetime) -> Iterator[Store]:
    """Open the copy, brought to the newest schema; at the end it is one file again."""
    try:
        copy = Store.open(part, now)
    except StoreUnusable as error:
        raise StoreUnusable(source, error.reason, ANOTHER) from error
    try:
        yield copy
        copy.fold_journal()
    finally:
        copy.close()


def _carry_over(before: Path, copy: Store, now: datetime) -> tuple[int, str]:
    """Take over mails that the store of before has and the copy has not; return how many, and why not more.

    What `receive` took, or somebody deleted from the mailbox since, is nowhere else.
    """
    trouble: list[str] = []
    with copy.transaction():
        carried = sum(_carry(taken, copy, now) for taken in _unknown(before, copy, trouble))
    return carried, "".join(trouble)


def _carry(taken: Taken, copy: Store, now: datetime) -> int:
    numbers = copy.ledger.accept([taken], now)
    if taken.folder == RECEIVED:
        copy.ledger.set_marked(numbers)
    return len(numbers)


def _unknown(before: Path, copy: Store, trouble: list[str]) -> Iterator[Taken]:
    """Yield mails of a store that the copy does not know, until its end or until it cannot be read: `trouble` says why."""
    try:
        with closing(Store.read(before)) as old:
            for mail in old.ledger.everything():
                if not copy.ledger.knows(mail.digest):
                    yield old.ledger.taken_again(mail)
    except StoreUnusable as error:
        trouble.append(str(error.__cause__ or error.reason))
    except KeyError:
        trouble.append("the original of a mail is not in it")
    except (sqlite3.DatabaseError, ValueError) as error:
        trouble.append(str(error))


def _prepare(
    copy: Store, store: Path, now: datetime, made_at: datetime, moving: Sequence[str]
) -> tuple[int, int]:
    """Make the copy fit to go on with; return how many automatic mails are held, and the next ticket's number."""
    restores = 1 + len(list(store.parent.glob(f"{store.name}.before-restore-????????-??????")))
    highest = 0
    with (
        contextlib.suppress(StoreUnusable, sqlite3.DatabaseError, TypeError),
        closing(Store.read(store)) as old,
    ):
        highest = old.tickets.next_number() - 1
    with copy.transaction():
        copy.set_setting("restored_at", str(to_us(now)))
        copy.set_setting("restored_from", str(to_us(made_at)))
        copy.set_setting("restore_told", "")
        copy.set_setting("backup_made_at", "")
        copy.set_setting("clock_seen", now.isoformat())  # the gap since the backup makes no clock doubtful
        for mailbox in moving:
            since = min(made_at, copy.views.newest_arrival(mailbox) or made_at) - MAIL_MAY_WAIT
            copy.set_setting(f"moved_since:{mailbox}", str(to_us(since)))
        held = copy.outbox.hold_automatic(BEFORE_BACKUP)
        copy.tickets.pass_over(NUMBERS_PASSED_OVER * restores, highest)
        return held, copy.tickets.next_number()


def _put_in_place(part: Path, store: Path, aside: Path, *, readable: bool) -> Path | None:
    """Keep the present store under another name and give its own to the copy; return where the former is, if any.

    A journal must never lie beside a store that it does not belong to, which SQLite would take it into.
    """
    kept = aside if store.exists() else None
    if kept:
        if readable:
            # So the file is whole without its journal, should this end before the next lines.
            with closing(sqlite3.connect(store)) as old:
                old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        os.link(store, kept)
    for end in ("-wal", "-shm", "-journal"):
        journal = store.with_name(store.name + end)
        if journal.exists():
            journal.rename(aside.with_name(aside.name + end))
    part.replace(store)
    sync_folder(store.parent)
    return kept


def _give_to_owner(store: Path, part: Path) -> None:
    """Let the desk's own user read what root restores: whose the store of before is, or else its folder."""
    if os.geteuid() == 0:
        owner = (store if store.exists() else store.parent).stat()
        for path in (part, store.with_name(store.name + ".lock")):
            if path.exists():
                os.chown(path, owner.st_uid, owner.st_gid)


def _remove(part: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        part.with_name(part.name + end).unlink(missing_ok=True)
