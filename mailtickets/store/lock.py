"""The lock beside the store: one daemon at a time, and who has it now."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Self

from mailtickets.store.errors import WRITABLE, StoreBusy, unusable

LOCK_TRIES, LOCK_SECONDS = 6, 0.1


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
            raise unusable(self._store, what, OSError(error.strerror), WRITABLE) from error
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
