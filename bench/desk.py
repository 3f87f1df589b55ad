"""The desk under measurement, as an admin runs it: Dovecot, the real daemon, and a sink for what it sends."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bench.tools import PROJECT, benchlib
from tests.support.dovecot import Dovecot, free_ports

if TYPE_CHECKING:
    from collections.abc import Sequence

# Dovecot's log carries seconds since 1970 with microseconds, so that a login can be set against the sink's clock.
DOVECOT_EXTRA = 'log_timestamp = "%s.%{usecs} "\n'

CONFIG = """\
[desk]
name = "Acme Support"
store = "desk.db"
admins = ["it@desk.example"]

[smtp]
host = "127.0.0.1"
port = {smtp}
security = "none"
{smtp_lines}

[mailbox.support]
host = "127.0.0.1"
port = {imap}
security = "none"
username = "{user}"
password = {{ file = "imap-password" }}
start_from = "all"

[queue.support]
address = "support@desk.example"
tag = "SUP"
agents = [{agents}]
notify = "all"
{queue}

{people}
[limits]
ack_per_address_day = 0
ack_per_proven_address_day = 0
ack_per_domain_hour = 0
ack_per_hour = 0
automatic_per_hour = 0
ack_waiting = 0
same_words_per_domain_day = 0
tickets_per_address_hour = 0
notices_per_agent = 0

[log]
level = "{level}"
"""


class Servers:
    """Dovecot for mail to come from; `fill` puts mail into an account as if it had waited there."""

    def __init__(self) -> None:
        self.dovecot = Dovecot(layout="maildir", extra=DOVECOT_EXTRA)
        self._filled = Counter[str]()

    def __enter__(self) -> Self:
        self.dovecot.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.dovecot.destroy()

    def fill(self, user: str, mails: Sequence[Path]) -> int:
        """Put mails into a user's INBOX, in this order; return the sequence number of the first one."""
        inbox = self.dovecot.root / "mail" / user
        folders = [inbox / name for name in ("cur", "new", "tmp")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        there = self._filled[user]  # not counted in the folder, where Dovecot renames files
        self._filled[user] += len(mails)
        nobody = pwd.getpwnam("nobody")
        as_root = os.getuid() == 0
        for path in (inbox, *folders) if as_root else ():
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        for number, mail in enumerate(mails, there):
            name = f"{1700000000 + number}.M{number:06d}.bench"
            shutil.copyfile(mail, folders[2] / name)
            if as_root:
                os.chown(folders[2] / name, nobody.pw_uid, nobody.pw_gid)
            # In one step, as a Maildir wants it: Dovecot may be looking.
            (folders[2] / name).rename(folders[0] / f"{name}:2,")
        return there + 1

    def login_at(self, user: str, after: float) -> float:
        """Return when a user first logged in after a time (seconds since 1970)."""
        log = (self.dovecot.root / "dovecot.log").read_text(errors="replace")
        times = [float(line.split()[0]) for line in log.splitlines() if f"Login: user=<{user}>" in line]
        return min(at for at in times if at >= after)


class Desk:
    """One desk in a folder of its own: its configuration, its daemon, its sink."""

    def __init__(
        self,
        folder: Path,
        imap_port: int,
        user: str,
        *,
        agents: int = 0,
        queue: str = "",
        level: str = "info",
        smtp: str = "",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.user = folder, user
        self.smtp_port = free_ports(1)[0]
        self.sink = Sink(folder / "sink", self.smtp_port)
        self.store = folder / "desk.db"
        keys = [f"agent{number}" for number in range(1, agents + 1)]
        people = "".join(
            f'[agent.{key}]\nname = "Agent {key[5:]}"\nemail = "{key}@desk.example"\n\n' for key in keys
        )
        text = CONFIG.format(
            smtp=self.smtp_port, imap=imap_port, user=user, agents=", ".join(f'"{key}"' for key in keys),
            people=people, queue=queue, level=level, smtp_lines=smtp,
        )  # fmt: skip
        (folder / "config.toml").write_text(text)
        (folder / "config.toml").chmod(0o600)
        (folder / "imap-password").write_text("secret\n")
        (folder / "imap-password").chmod(0o600)
        self._server = None
        self._log_start = 0

    @property
    def log(self) -> str:
        """What the daemon said since its last start."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[self._log_start :] if path.exists() else ""

    @property
    def pid(self) -> int:
        """The daemon's process."""
        return self._server.pid

    def start(self) -> float:
        """Start the daemon; return the time of its start. It takes mail as soon as it is up."""
        log = self.folder / "log"
        self._log_start = len(log.read_text(errors="replace")) if log.exists() else 0
        at = time.time()
        command = [sys.executable, "-m", "mailtickets", "--config", str(self.folder / "config.toml"), "run"]
        self._server = benchlib.Server(command, str(log), cwd=str(PROJECT))
        return at

    def ready(self, seconds: float = 60.0) -> float:
        """Wait for the line `ready` in the log; return the time at which it was seen."""
        end = time.monotonic() + seconds
        while " ready " not in self.log:
            self.check()
            if time.monotonic() > end:
                raise RuntimeError(f"the desk was not ready after {seconds} s\n{self.log[-2000:]}")
            time.sleep(0.01)
        return time.time()

    def check(self) -> None:
        """Raise if the daemon has ended."""
        if self._server.p.poll() is not None:
            raise RuntimeError(f"the daemon ended with {self._server.p.returncode}\n{self.log[-4000:]}")

    def cpu(self) -> float:
        """CPU seconds of the daemon and its children so far."""
        return benchlib.tree_cpu(self.pid)

    def wait(self) -> None:
        """Wait for the end of a daemon that was killed."""
        self._server.p.wait(30)

    def stop(self) -> None:
        """End the daemon as systemd does."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def close(self) -> None:
        """End the daemon and the sink."""
        self.stop()
        self.sink.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Sink(benchlib.Sink):
    """The recording SMTP server, with a count that reads only what is new."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(str(folder), port)
        self._offset, self._rows = 0, []

    @property
    def rows(self) -> list[dict]:
        """What was accepted so far: one dict a mail, `t` seconds since 1970."""
        path = Path(self.dir) / "sink.jsonl"
        if path.exists():
            with path.open("rb") as file:
                file.seek(self._offset)
                fresh = file.read()
            whole = fresh[: fresh.rfind(b"\n") + 1]
            self._offset += len(whole)
            self._rows += [json.loads(line) for line in whole.splitlines()]
        return self._rows

    def wait(self, count: int, desk: Desk, quiet: float = 20.0, limit: float = 600.0) -> list[dict]:
        """Wait for so many mails. Gives up after `quiet` seconds without one, or after `limit` seconds."""
        end, last, seen = time.monotonic() + limit, time.monotonic(), 0
        while (now := len(self.rows)) < count:
            desk.check()
            if now != seen:
                seen, last = now, time.monotonic()
            if time.monotonic() - last > quiet or time.monotonic() > end:
                raise RuntimeError(
                    f"{now} of {count} mails reached the sink, then nothing more\n{desk.log[-3000:]}"
                )
            time.sleep(0.1)
        return self.rows
