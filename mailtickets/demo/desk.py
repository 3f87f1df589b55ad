"""The demo's folder and, in it, the real desk: a config.toml like any other, and `mailtickets run` as a process."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MARK = ".mailtickets-demo"  # in every folder that a demo may clear
OURS = re.compile(
    r"config\.toml|desk\.log|imap-password|smtp-password|desk\.db(?:-wal|-shm|\.lock)?|\.mailtickets-demo"
)
OUR_MAIL = re.compile(r"[0-9]{2,}-[a-z0-9-]+\.eml")
STOP_SECONDS = 15.0
LOG_LINES = 8  # of the log, to show when something went wrong

CONFIG = """\
# Written by `mailtickets demo`. On a real desk the times below are hours and days, and the mail servers
# are your own; README.md and config.example.toml show how.

[desk]
name = "Acme Support"
store = "desk.db"
admins = ["it@acme.example"]

[smtp]
host = "127.0.0.1"
port = {smtp_port}
security = "none"
username = "support@acme.example"
password = {{ file = "smtp-password" }}

[mailbox.support]
host = "127.0.0.1"
port = {imap_port}
security = "none"
username = "support@acme.example"
password = {{ file = "imap-password" }}
poll = "1s"  # usual: "60s"; IDLE makes it quick anyway

[queue.support]
address = "support@acme.example"
tag = "SUP"
agents = ["kim", "lee"]
reminders = ["{first}", "{second}"]  # usual: ["24h", "72h"]
close_after = "{closing}"  # usual: "96h"
resolved_close_after = "15m"  # usual: "72h"

[limits]
ack_per_address_day = 50  # usual: 3

[agent.kim]
name = "Kim Archer"
email = "kim@acme.example"

[agent.lee]
name = "Lee Moss"
email = "lee@acme.example"
"""


QUICK = ("3s", "6s", "9s")  # two reminders and the end of a silence, while the play is on
SLOW = ("1m", "2m", "3m")  # for visitors, who want to read and type


class FolderRefused(Exception):  # noqa: N818  (named for the situation)
    """The folder cannot be used for a demo. `str()` says why and what to do."""


class DeskEnded(Exception):  # noqa: N818  (named for the situation)
    """The daemon ended by itself, or did not start. `str()` says how, with the end of its log."""


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """A folder with everything that a demo leaves to look at. `lock` is open for as long as a demo runs in it."""

    path: Path
    lock: int

    @property
    def config(self) -> Path:
        """The desk's configuration."""
        return self.path / "config.toml"

    @property
    def store(self) -> Path:
        """The desk's one file."""
        return self.path / "desk.db"

    @property
    def log(self) -> Path:
        """What the daemon wrote on standard error."""
        return self.path / "desk.log"

    @property
    def mails(self) -> Path:
        """Every mail of the play, as a file."""
        return self.path / "mails"

    def write(self, imap_port: int, smtp_port: int, password: str, silence: tuple[str, str, str]) -> None:
        """Write the configuration and its password files, readable by their owner only.

        silence  after which times a silent customer is reminded, reminded again, and the ticket closed.
        """
        first, second, closing = silence
        text = CONFIG.format(
            imap_port=imap_port, smtp_port=smtp_port, first=first, second=second, closing=closing
        )
        self.config.write_text(text)
        for name in ("imap-password", "smtp-password"):
            (self.path / name).touch(mode=0o600)
            (self.path / name).write_text(f"{password}\n")

    def end_of_log(self) -> str:
        """Return the last lines of the daemon's log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(f"  {line}" for line in lines[-LOG_LINES:])


def prepare(path: Path) -> DemoFolder:
    """Make the folder, or clear the one that an earlier demo left; anything else is refused.

    Only files that a demo writes are removed. Raises FolderRefused.
    """
    try:
        if path.exists() and not (path / MARK).is_file() and (not path.is_dir() or any(path.iterdir())):
            raise FolderRefused(
                f"{path} exists and was not made by a demo, so it is left alone; choose another with --folder"
            )
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path / MARK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FolderRefused(
            f"{path} cannot be used: {error.strerror}; choose another place with --folder"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise FolderRefused(
            f"a demo is running in {path} already; end it, or choose another place with --folder"
        ) from None
    try:
        _clear(path)
    except OSError as error:
        os.close(lock)
        raise FolderRefused(
            f"{error.filename} cannot be removed: {error.strerror}; choose another place with --folder"
        ) from error
    return DemoFolder(path, lock)


def _clear(path: Path) -> None:
    mails = path / "mails"
    for one in path.iterdir():
        if OURS.fullmatch(one.name) and one.name != MARK:
            one.unlink()
    mails.mkdir(exist_ok=True)
    for one in mails.iterdir():
        if OUR_MAIL.fullmatch(one.name):
            one.unlink()


class DeskProcess:
    """`mailtickets --config FOLDER/config.toml run`, with its log in the folder."""

    def __init__(self, folder: DemoFolder) -> None:
        self.folder = folder
        self.ready, self.reloaded, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the daemon and wait until it says that it is ready. Raises DeskEnded."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mailtickets", "--config", str(self.folder.config), "run",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches the demo alone, which then ends the desk as systemd would
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read_log())
        await self.ready.wait()
        self.check()

    async def _read_log(self) -> None:
        assert self._process is not None  # noqa: S101  (started above)
        assert self._process.stderr is not None  # noqa: S101  (a pipe, see above)
        with self.folder.log.open("ab") as log:
            async for line in self._process.stderr:
                log.write(line)
                log.flush()
                event = line.split()[2:3]  # TIME LEVEL EVENT
                if event == [b"ready"]:
                    self.ready.set()
                elif event == [b"reloaded"]:
                    self.reloaded.set()
        await self._process.wait()
        for happening in (self.ended, self.ready, self.reloaded):  # nobody waits for a daemon that is gone
            happening.set()

    async def reload(self) -> None:
        """Let the daemon read its configuration again; wait until it has. Raises DeskEnded, TimeoutError."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGHUP)
        await asyncio.wait_for(self.reloaded.wait(), STOP_SECONDS)
        self.check()

    def check(self) -> None:
        """Raise DeskEnded if the daemon is not running any more."""
        if self.ended.is_set() and self._process is not None:
            raise DeskEnded(
                f"the desk's daemon ended by itself (exit code {self._process.returncode}); the end of {self.folder.log}:\n"
                f"{self.folder.end_of_log()}"
            )

    async def stop(self) -> int:
        """End the daemon as systemd does; return its exit code, 0 if it never ran."""
        if self._process is None or self._reading is None:
            return 0
        if self._process.returncode is None:
            self._process.terminate()
        try:
            await asyncio.wait_for(self.ended.wait(), STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self.ended.wait()
        return self._process.returncode or 0
