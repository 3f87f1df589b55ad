"""The real daemon as a process of its own, between a real Dovecot and a real SMTP server."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

from tests.support.dovecot import Dovecot
from tests.support.smtp_sink import SinkMail, SmtpSink

CONFIG = """\
[desk]
name = "Acme Support"
store = "desk.db"
admins = ["it@desk.example"]

[smtp]
host = "127.0.0.1"
port = {smtp_port}
security = "none"

[mailbox.support]
host = "127.0.0.1"
port = {imap_port}
security = "none"
username = "{user}"
password = {{ file = "imap-password" }}
poll = "{poll}"

[queue.support]
address = "{user}@desk.example"
tag = "SUP"
agents = ["kim", "lee"]
{queue}

[agent.kim]
name = "Kim Archer"
email = "kim@desk.example"

[agent.lee]
name = "Lee Moss"
email = "lee@desk.example"
{more}
"""


class Received:
    """A mail that left the desk, as its reader sees it."""

    def __init__(self, mail: SinkMail) -> None:
        self.sender, self.recipients, self.raw = mail.sender, mail.recipients, mail.raw
        self.parsed: EmailMessage = BytesParser(policy=default).parsebytes(mail.raw)  # type: ignore[assignment]

    def __getitem__(self, name: str) -> str:
        return " ".join(str(self.parsed[name] or "").split())

    def _body(self, kind: str) -> str:
        part = self.parsed.get_body((kind,))
        return part.get_content() if part else ""

    @property
    def text(self) -> str:
        return self._body("plain")

    @property
    def html(self) -> str:
        return self._body("html")

    def __repr__(self) -> str:
        return f"<to {', '.join(self.recipients)}: {self['Subject']}>"


class DeskProcess:
    """`mailtickets run` with everything around it. `user` is the mailbox and the local part of the queue's address."""

    def __init__(
        self,
        folder: Path,
        dovecot: Dovecot,
        sink: SmtpSink,
        user: str,
        *,
        queue: str = "",
        more: str = "",
        poll: str = "2s",
    ) -> None:
        self.folder, self.dovecot, self.sink, self.user = folder, dovecot, sink, user
        self.address = f"{user}@desk.example"
        self.queue, self.more, self.poll = queue, more, poll
        self.process: subprocess.Popen[bytes] | None = None
        self._ids = 0
        (folder / "imap-password").write_text("secret\n")
        (folder / "imap-password").chmod(0o600)
        self.configure()

    def configure(self, *, queue: str | None = None, more: str | None = None) -> None:
        """Write config.toml, with further lines of the queue and further tables."""
        self.queue, self.more = self.queue if queue is None else queue, self.more if more is None else more
        text = CONFIG.format(
            smtp_port=self.sink.port,
            imap_port=self.dovecot.imap,
            user=self.user,
            poll=self.poll,
            queue=self.queue,
            more=self.more,
        )
        (self.folder / "config.toml").write_text(text)
        (self.folder / "config.toml").chmod(0o600)

    # -- the process -------------------------------------------------------------------------

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def start(self, *, ready: bool = True, env: dict[str, str] | None = None) -> DeskProcess:
        """Start the daemon; wait until it says that it is ready."""
        seen = self.log.count(" ready ")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mailtickets", "--config", str(self.folder / "config.toml"), "run"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})},
            )  # fmt: skip
        if ready:
            self.wait(lambda: self.log.count(" ready ") > seen or self._ended(), "the daemon to be ready")
        return self

    def _ended(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode}:\n{self.log}")
        return False

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as systemd does; return the exit code."""
        if self.process is None or self.process.poll() is not None:
            return 0 if self.process is None else self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(25)

    def reload(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def command(self, *arguments: str, stdin: bytes = b"", code: int | None = 0) -> str:
        """Run a command of ours on this desk's configuration; return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "mailtickets", "--config", str(self.folder / "config.toml"), *arguments],
            input=stdin, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        if code is not None and done.returncode != code:
            raise AssertionError(
                f"{arguments} ended with {done.returncode}:\n{done.stdout.decode()}{done.stderr.decode()}"
            )
        return done.stdout.decode() + (done.stderr.decode() if done.returncode else "")

    def json(self, *arguments: str, code: int | None = 0):
        return json.loads(self.command(*arguments, "--json", code=code))

    # -- mail --------------------------------------------------------------------------------

    def mail(self, from_: str, text: str, *, subject: str = "Printer on fire", to: str = "", cc: str = "",
             in_reply_to: Received | None = None, **headers: str) -> bytes:  # fmt: skip
        """Write a mail as a person's program would."""
        self._ids += 1
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = from_, to or self.address, subject
        if cc:
            message["Cc"] = cc
        message["Date"] = datetime.now(UTC)
        message["Message-ID"] = (
            f"<{self.user}.{self._ids}.{time.time_ns()}@{from_.rstrip('>').rpartition('@')[2]}>"
        )
        if in_reply_to is not None:
            message["In-Reply-To"] = in_reply_to["Message-ID"]
            message["References"] = f"{in_reply_to['References']} {in_reply_to['Message-ID']}".strip()
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        message.set_content(text)
        return message.as_bytes()

    def deliver(self, raw: bytes, *recipients: str) -> None:
        """Put a mail into the desk's mailbox, as the company's mail server does."""
        self.dovecot.deliver(raw, *(recipients or (self.address,)))

    def writes(self, from_: str, text: str, **more) -> None:
        """Somebody writes to the support address."""
        self.deliver(self.mail(from_, text, **more))

    def answers(self, to_mail: Received, from_: str, text: str, *, quote: bool = True, **more) -> None:
        """Somebody answers a mail of the desk, as a mail program does it."""
        quoted = "\n\nOn Mon, 2 Mar 2026 at 09:00, Acme Support wrote:\n" + "\n".join(
            f"> {line}" for line in to_mail.text.split("\n")
        )
        subject = to_mail["Subject"]
        more.setdefault("subject", subject if subject.lower().startswith("re:") else f"Re: {subject}")
        to = more.pop("to", "") or to_mail["Reply-To"] or to_mail["From"]
        address = re.sub(r".*<|>.*", "", to)
        self.deliver(
            self.mail(from_, text + (quoted if quote else ""), in_reply_to=to_mail, to=to, **more), address
        )

    def to(self, address: str) -> list[Received]:
        """The mails that reached an address from this desk, in order."""
        return [
            Received(mail)
            for mail in self.sink.to(address)
            if f"{self.user}@".encode() in mail.raw or f"{self.user}+".encode() in mail.raw
        ]

    def wait_to(self, address: str, count: int, seconds: float = 15.0) -> list[Received]:
        """Wait until an address has so many mails from this desk."""
        self.wait(
            lambda: len(self.to(address)) >= count,
            f"{count} mails to {address}, got {self.to(address)}",
            seconds,
        )
        return self.to(address)

    def wait(self, condition, what: str, seconds: float = 15.0) -> None:
        """Wait until something is true; fail with the log if it never is."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds} s for {what}\n{self.log[-6000:]}")
            time.sleep(0.03)
