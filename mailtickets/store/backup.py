"""A copy of the store while it is in use: checked, and put in place in one step."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from mailtickets.crashpoints import reach
from mailtickets.store.errors import StoreUnusable
from mailtickets.store.settings import set_setting
from mailtickets.store.times import to_us

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


def back_up(connection: sqlite3.Connection, path: Path, target: Path, now: datetime) -> None:
    """Copy the store at `path` to a file while it is in use, check the copy, and put it in place in one step.

    The copy says in its setting `backup_made_at` when it was made. Raises OSError, StoreUnusable; the file that was
    there before is then untouched, and nothing is left beside it.
    """
    temporary = target.with_name(target.name + ".part")
    temporary.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
    try:
        _copy_to(connection, path, temporary, now)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        reach("backup-temp")
        temporary.replace(target)
    except BaseException:
        for end in ("", "-journal"):
            temporary.with_name(temporary.name + end).unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def _copy_to(connection: sqlite3.Connection, path: Path, temporary: Path, now: datetime) -> None:
    copy = sqlite3.connect(temporary)
    try:
        # One step reads one snapshot: commits meanwhile never start it anew.
        connection.backup(copy, pages=-1)
        set_setting(copy, "backup_made_at", str(to_us(now)))
        copy.commit()
        verdict = copy.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.OperationalError as error:
        older = "make room, or name a file on another disk; older backups are untouched"
        raise StoreUnusable(
            temporary.with_suffix(""), f"the copy cannot be written ({error})", older
        ) from error
    finally:
        copy.close()
    if verdict != "ok":
        raise StoreUnusable(
            path, f"the copy is damaged ({verdict})", "check the disk; keep your older backups"
        )


def sync_folder(folder: Path) -> None:
    """Make the names of files in a folder survive a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
