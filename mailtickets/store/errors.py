"""Why a store cannot be used, each with what to do: it is none, damaged, newer than this version, or in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.store.trouble import disk_words

if TYPE_CHECKING:
    from pathlib import Path

READABLE = "check the file's permissions"
WRITABLE = "check that the folder exists and is writable"
DAMAGED_REMEDY = (
    "stop the desk and put a backup in its place with `mailtickets restore FILE`, which keeps this file too"
)


class StoreUnusable(Exception):  # noqa: N818  (named for the situation, not for its kind)
    """The file is no store, is damaged, or cannot be opened or written."""

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        super().__init__(f"{path}: {reason}; {remedy}")
        self.path, self.reason, self.remedy = path, reason, remedy


def unusable(path: Path, what: str, error: Exception, remedy: str) -> StoreUnusable:
    """Return what to raise: where the disk itself is the cause, that is said, and what to do about it."""
    reason, remedy = disk_words(path.parent) or ("", remedy)
    return StoreUnusable(path, f"{what}: {reason} ({error})" if reason else f"{what} ({error})", remedy)


class StoreNewer(StoreUnusable):
    """The store was written by a newer version."""


class OriginalDamaged(ValueError):  # noqa: N818  (named for the situation)
    """The bytes of one stored mail cannot be read; the store itself can. `digest` is of that mail."""

    def __init__(self, reason: str, digest: bytes) -> None:
        super().__init__(reason)
        self.digest = digest


class StoreBusy(Exception):  # noqa: N818  (named for the situation)
    """Another daemon has this store."""

    def __init__(self, path: Path, pid: str) -> None:
        super().__init__(f"{path} is in use by the daemon with pid {pid or 'unknown'}; stop that one first")
        self.path, self.pid = path, pid
