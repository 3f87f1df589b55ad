"""What an error of the engine means to a person: the store cannot be written now, and what to do about it."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROOM = "make room on the disk that holds {}"
DAMAGED = "stop the desk and put a backup in its place with `mailtickets restore FILE`"
MEANWHILE = {
    ROOM: "nothing is lost, mail stays on the server, and the desk goes on by itself",
    DAMAGED: "mail stays on the server until then",
}
_MEANINGS = {
    sqlite3.SQLITE_FULL: ("its disk is full", ROOM),
    # A quota and a limit on the size of files come as this, like a failing disk.
    sqlite3.SQLITE_IOERR: ("its disk is full or failing", ROOM),
    sqlite3.SQLITE_BUSY: ("another program holds it", "end the program that has the store open for writing"),
    sqlite3.SQLITE_LOCKED: ("another program holds it", "end the program that has the store open for writing"),
    sqlite3.SQLITE_READONLY: ("it may not be written", "give the user of the desk the right to write the file and its folder"),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "check that its folder is there and may be written"),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", DAMAGED),
    sqlite3.SQLITE_NOTADB: ("it is damaged", DAMAGED),
}  # fmt: skip
NEEDED_BYTES = 1 << 16  # what SQLite needs beside a store to read it while others may write
_PASSING = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


@dataclass(frozen=True, slots=True)
class StoreTrouble:
    """Why the store cannot be written, and what to do.

    to_do       what a person does about it.
    passing     waiting may be all it needs: a disk fills up and is cleared, another program ends.
    meanwhile   what becomes of the mail until then; "" where nothing is to be said.
    """

    reason: str
    to_do: str
    passing: bool
    meanwhile: str = ""

    @property
    def remedy(self) -> str:
        """What to do, and what becomes of the mail until then."""
        return f"{self.to_do}; {self.meanwhile}" if self.meanwhile else self.to_do


def disk_words(folder: Path) -> tuple[str, str] | None:
    """Return what is wrong with the disk of a folder and what to do, None where it has room and may be written."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    if disk.f_flag & os.ST_RDONLY:
        return (
            "its disk can only be read",
            "mount it for writing; the system's log says why it is not (`dmesg`)",
        )
    blocks = disk.f_bfree if os.geteuid() == 0 else disk.f_bavail
    if blocks * disk.f_frsize < NEEDED_BYTES or (disk.f_files and not disk.f_favail):
        return "its disk is full", ROOM.format(folder)
    return None


def store_trouble(error: BaseException, folder: Path | None = None) -> StoreTrouble | None:
    """Return what is wrong with the store where an error, or its cause, comes from the engine, otherwise None.

    folder   of the store, to be named.
    """
    if not isinstance(error, sqlite3.Error):
        return store_trouble(error.__cause__, folder) if error.__cause__ else None
    # The low byte is the primary code, the rest says more about it (SQLite, Result and Error Codes).
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code not in _MEANINGS:
        return None
    reason, to_do = _MEANINGS[code]
    return StoreTrouble(
        f"the store cannot be written: {reason} ({error})", to_do.format(folder or "it"), code in _PASSING, MEANWHILE.get(to_do, "")
    )  # fmt: skip
