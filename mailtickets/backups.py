"""Backups side by side in a folder: how they are named, one at a time, and which of them rotation takes away."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from typing import TYPE_CHECKING

from mailtickets.store import StoreUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from mailtickets.store import Store

STAMP = "%Y%m%d-%H%M%S"


def write(store: Store, target: Path, now: datetime) -> Path:
    """Copy a store into a folder under a name of its own, or to a file; return where the copy is.

    What a backup that was ended left half-written goes first. Raises OSError, StoreUnusable.
    """
    folder = target if target.is_dir() else target.parent
    file = folder / f"{store.path.stem}-{now:{STAMP}}.db" if target.is_dir() else target
    with _alone(folder):
        for left in _named(folder, store, r"\.db\.part(-journal)?"):
            left.unlink()
        store.backup(file, now)
    return file


def rotate(folder: Path, store: Store, written: Path, keep: int) -> list[Path]:
    """Remove all backups of a store in a folder but the newest; return those that are gone.

    Only files named as `write` names them count. The one just written stays, whatever the clock says.
    """
    backups = [path for path in _named(folder, store, r"\.db") if path != written]
    outdated = backups[: max(len(backups) - keep + 1, 0)]
    for path in outdated:
        path.unlink()
    return outdated


def _named(folder: Path, store: Store, ending: str) -> list[Path]:
    """Return the files of a folder that have a backup's name and this ending, the oldest first."""
    name = re.compile(re.escape(store.path.stem) + r"-[0-9]{8}-[0-9]{6}" + ending)
    return sorted(path for path in folder.iterdir() if name.fullmatch(path.name) and path.is_file())


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second backup off this folder: it would take the first one's half-written file for a leftover."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise StoreUnusable(
            folder, "another backup is being written there", "wait until it is done"
        ) from error
    try:
        yield
    finally:
        os.close(fd)
