"""A Maildir as a mailbox: reads new/ and cur/, marks by renaming, waits by looking at new/.

The unique part of a file's name is the mail's identity; flags behind ":2," may change. Nothing is
ever deleted and tmp/ is never looked at. Same manner as `transport.imap`: one thread owns it, only
`wake` may come from another.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mailtickets.errors import CommandRefused, MailboxUnavailable

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

BATCH_MAILS = 50
BATCH_BYTES = 4 << 20
HEAD_BYTES = 64 << 10
LOOK_SECONDS = 1.0  # between two looks at the folder while waiting
_FLAGS = ":2,"
# Two changes within one tick of the file system's clock have one time stamp; the coarsest clocks tick in 2 s.
_TICK_NANOSECONDS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class MaildirMail:
    """One mail; `internal_date` is the file's time of delivery, aware, UTC."""

    name: str
    raw: bytes
    internal_date: datetime
    size: int
    truncated: bool = False


class MaildirMailbox:
    """One Maildir.

    name      of the mailbox in the config, for errors.
    max_size  in bytes; of larger mails only the first 64 KB are read.
    readonly  never mark.
    """

    def __init__(
        self, name: str, folder: Path, *, max_size: int = 25_000_000, readonly: bool = False
    ) -> None:
        self.name = name
        self.folder = folder
        self._max_size = max_size
        self._readonly = readonly
        self._woken = threading.Event()
        self._seen_change = -1  # the time stamp of new/ when it was last read; -1 = it may have changed since

    def connect(self) -> None:
        """Check that it is a Maildir that can be read. Raises MailboxUnavailable."""
        for part in ("new", "cur"):
            try:
                with os.scandir(self.folder / part):
                    pass
            except OSError as error:
                raise self._unavailable(error) from error
        if not self._readonly and not os.access(self.folder / "cur", os.W_OK | os.X_OK):
            raise MailboxUnavailable(
                self.name,
                f"mail in {self.folder} cannot be marked: no right to write to it",
                'give mailtickets the right to write to new/ and cur/, or set after = "keep"',
            )

    def close(self) -> None:
        """Do nothing; nothing is held open between calls."""

    def names(self) -> list[str]:
        """Return the unique names of all mails, oldest delivery first."""
        return list(self._paths())

    def scan(self, known: Container[str] = frozenset(), *, most: int = BATCH_MAILS) -> list[MaildirMail]:
        """Return mails that are not `known`, at most so many and 4 MB; call again until it returns none.

        known  names that need not be read again; the caller's ledger.
        """
        found: list[MaildirMail] = []
        total = 0
        for name, path in self._paths().items():
            if name in known:
                continue
            mail = self._read(name, path)
            if mail is None:
                continue
            found.append(mail)
            total += len(mail.raw)
            if len(found) >= most or total >= BATCH_BYTES:
                break
        return found

    def arrivals(self, names: Sequence[str]) -> dict[str, datetime]:
        """Return the time of delivery (aware, UTC) of each of these mails that is still there, without reading it."""
        paths = self._paths() if names else {}
        found: dict[str, datetime] = {}
        for name in names:
            with suppress(OSError, KeyError):
                found[name] = datetime.fromtimestamp(paths[name].lstat().st_mtime, UTC)
        return found

    def read(self, names: Sequence[str]) -> Iterator[tuple[str, MaildirMail | str]]:
        """Yield these mails by name, one at a time; in the place of one that cannot be read the reason, in words."""
        paths = self._paths() if names else {}
        for name in names:
            try:
                mail = self._read(name, paths[name]) if name in paths else None
            except MailboxUnavailable as error:
                yield name, error.reason
            else:
                yield name, mail or "it is no ordinary file, or has gone"

    def mark(self, names: Sequence[str] | str, after: str = "seen") -> None:
        """Mark handled mails: "seen" (moved to cur/ with the flag S), "move:FOLDER" or "keep".

        FOLDER is a Maildir++ folder beside new/ (".Done" for "Done"), made if missing. Mails that have gone
        are no error. Raises CommandRefused.
        """
        if after == "keep" or not names:
            return
        if self._readonly:
            raise CommandRefused(self.name, "the Maildir is open for reading only")
        target = self.folder / "cur"
        if after.startswith("move:"):
            target = self._subfolder(after.removeprefix("move:"))
        elif after != "seen":
            raise ValueError(f'after = "{after}" is none of "seen", "move:FOLDER", "keep"')
        paths = self._paths()
        for name in (names,) if isinstance(names, str) else names:
            path = paths.get(name)
            if path is None:
                continue
            flags = set(path.name.partition(_FLAGS)[2]) | ({"S"} if after == "seen" else set())
            with suppress(FileNotFoundError):  # somebody else renamed it; the next round marks it
                try:
                    # A flag string is in ASCII order (as every Maildir program expects).
                    path.rename(target / (name + _FLAGS + "".join(sorted(flags))))
                except FileNotFoundError:
                    raise
                except OSError as error:
                    raise CommandRefused(
                        self.name,
                        f"{path} cannot be renamed: {error.strerror}",
                        f"check the rights on {self.folder} and the space on its disk",
                    ) from error

    def wait(self, seconds: float) -> bool:
        """Wait until something changes in new/ or `wake` is called; return whether it changed since the last look."""
        end = time.monotonic() + seconds
        while True:
            if self._stamp() != self._seen_change:
                self._woken.clear()
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            if self._woken.wait(min(left, LOOK_SECONDS)):
                self._woken.clear()
                return self._stamp() != self._seen_change

    def wake(self) -> None:
        """End `wait` now, or the next one; safe from any thread."""
        self._woken.set()

    def _paths(self) -> dict[str, Path]:
        """Return the file of each mail by unique name, oldest first; looks at new/ last, as mails move from there."""
        stamp = self._stamp()
        fresh = time.time_ns() - stamp < _TICK_NANOSECONDS
        found: dict[str, Path] = {}
        for part in ("new", "cur"):
            try:
                with os.scandir(self.folder / part) as entries:
                    for entry in entries:
                        if not entry.name.startswith("."):
                            found.setdefault(entry.name.partition(_FLAGS)[0], Path(entry.path))
            except OSError as error:
                raise self._unavailable(error) from error
        self._seen_change = -1 if fresh else stamp
        return dict(sorted(found.items(), key=lambda item: _order(item[0])))

    def _read(self, name: str, path: Path) -> MaildirMail | None:
        """Return a mail, or None if it has gone or is no ordinary file."""
        try:
            # No link is followed and no pipe waited for: whoever may write here must not make us read elsewhere.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            again = self._paths().get(name)  # a mail program renamed it
            return self._read(name, again) if again is not None and again != path else None
        except OSError as error:
            if path.is_symlink():
                return None
            raise self._unavailable(error) from error
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                return None
            truncated = about.st_size > self._max_size
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                raw = file.read(HEAD_BYTES if truncated else about.st_size)
        except OSError as error:
            raise self._unavailable(error) from error
        finally:
            os.close(descriptor)
        return MaildirMail(name, raw, datetime.fromtimestamp(about.st_mtime, UTC), about.st_size, truncated)

    def _stamp(self) -> int:
        try:
            return (self.folder / "new").stat().st_mtime_ns
        except OSError as error:
            raise self._unavailable(error) from error

    def _subfolder(self, name: str) -> Path:
        if not name or "/" in name or name.startswith(".") or not name.isprintable():
            raise CommandRefused(
                self.name,
                f'"{name}" is no name of a Maildir folder',
                'use letters, as in after = "move:Done"',
            )
        folder = self.folder / f".{name}"
        try:
            for made in (folder, *(folder / part for part in ("tmp", "new", "cur"))):
                made.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise CommandRefused(
                self.name, f"the folder {folder} cannot be made: {error.strerror}"
            ) from error
        return folder / "cur"

    def _unavailable(self, error: OSError) -> MailboxUnavailable:
        place = f"maildir in [mailbox.{self.name}]"
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            reason = f"{self.folder} is no Maildir: it has no folders new and cur"
            return MailboxUnavailable(self.name, reason, f"check {place}, or let your mail server create it")
        if isinstance(error, PermissionError):
            return MailboxUnavailable(
                self.name,
                f"{error.filename} may not be read by this user",
                f"give the user that mailtickets runs as the right to read it, or check {place}",
            )
        return MailboxUnavailable(
            self.name, f"{self.folder} cannot be read: {error.strerror}", f"check {place}"
        )


def _order(name: str) -> tuple[int, str]:
    """Return a key in order of delivery: unique names begin with the time in seconds."""
    digits = name.partition(".")[0]
    return (int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else 0, name)
