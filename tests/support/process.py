"""The real daemon as a process of its own, between a real Dovecot and a real SMTP server."""

from __future__ import annotations

import atexit
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from functools import cache, cached_property
from pathlib import Path

from click.testing import CliRunner

from mailtickets.cli import cli
from tests.faults.forks import HASTY, Child, Forks
from tests.support import patience
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
{smtp}

[mailbox.support]
{mailbox}

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

IMAP = """\
host = "127.0.0.1"
port = {imap_port}
security = "none"
username = "{user}"
password = {{ file = "imap-password" }}
poll = "{poll}"
"""

# Mail programs fold long References between ids; the library would make encoded words of them.
WRITING = default.clone(max_line_length=900, linesep="\r\n")


class Received:
    """A mail that left the desk, as its reader sees it."""

    def __init__(self, mail: SinkMail) -> None:
        self.sender, self.recipients, self.raw = mail.sender, mail.recipients, mail.raw

    @cached_property
    def parsed(self) -> EmailMessage:
        """It as a tree; made when it is asked for, since who waits for a mail counts them again and again."""
        return BytesParser(policy=default).parsebytes(self.raw)

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

    @property
    def files(self) -> dict[str, bytes]:
        """The attachments by name."""
        return {part.get_filename() or "": part.get_content() for part in self.parsed.iter_attachments()}

    @property
    def everything(self) -> str:
        """Head and all text parts, decoded: what a curious reader could find."""
        heads = "\n".join(f"{name}: {value}" for name, value in self.parsed.items())
        parts = (part for part in self.parsed.walk() if part.get_content_maintype() == "text")
        return "\n".join((heads, *(part.get_content() for part in parts)))

    def __repr__(self) -> str:
        return f"<to {', '.join(self.recipients)}: {self['Subject']}>"


def is_one_thread(mails: Iterable[bytes]) -> bool:
    """Tell whether a mail program that goes by References and In-Reply-To shows these mails as one conversation."""
    threads: list[set[str]] = []
    for raw in mails:
        mail = BytesParser(policy=default).parsebytes(raw, headersonly=True)
        names = ("Message-ID", "In-Reply-To", "References")
        ids = {word for name in names for word in str(mail[name] or "").split()}
        touched = [thread for thread in threads if thread & ids]
        threads = [thread for thread in threads if not thread & ids] + [ids.union(*touched)]
    return len(threads) == 1


# Many mails at once are what these desks are for: they are no flood there, unless a test says so.
NO_FLOOD = "[limits]\nnotices_per_agent = 0\ntickets_per_address_hour = 0\nack_waiting = 0\nsame_words_per_domain_day = 0"


def with_limits(more: str) -> str:
    """Return further tables with the limits of floods off, where they do not name one themselves."""
    if "notices_per_agent" in more or "tickets_per_address_hour" in more:
        return more
    if "same_words_per_domain_day" in more:
        return more.replace("[limits]", NO_FLOOD.rpartition("\n")[0])
    return more.replace("[limits]", NO_FLOOD) if "[limits]" in more else f"{more}\n{NO_FLOOD}"


@cache
def forks() -> Forks:
    """The parent of all processes that the tests of this process start; it ends with this process."""
    parent = Forks().__enter__()
    atexit.register(parent.__exit__, None, None, None)
    return parent


class Started:
    """A process, to be used as a `subprocess.Popen`."""

    def __init__(self, child: Child) -> None:
        self._child, self.pid = child, child.pid

    @property
    def returncode(self) -> int | None:
        return self._child.ended

    def poll(self) -> int | None:
        return self._child.poll()

    def wait(self, timeout: float = 60.0) -> int:
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("mailtickets", timeout)
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        self._child.signal(number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class DeskProcess:
    """`mailtickets run` with everything around it. `user` is the mailbox and the local part of the queue's address.

    queue, smtp   further lines of these tables.
    mailbox       the lines of the mailbox; without it the IMAP account at `dovecot`.
    more          further tables.
    """

    program = "mailtickets"  # the module that the daemon is started as

    def __init__(
        self,
        folder: Path,
        dovecot: Dovecot,
        sink: SmtpSink,
        user: str,
        *,
        queue: str = "",
        more: str = "",
        smtp: str = "",
        mailbox: str = IMAP,
        poll: str = "2s",
    ) -> None:
        self.folder, self.dovecot, self.sink, self.user = folder, dovecot, sink, user
        self.address = f"{user}@desk.example"
        self.process: Started | subprocess.Popen[bytes] | None = None
        self._ids = self.delivered = 0
        self.config = folder / "config.toml"
        (folder / "imap-password").write_text("secret\n")
        (folder / "imap-password").chmod(0o600)
        account = mailbox.format(imap_port=dovecot.imap, user=user, poll=poll)
        self._write(CONFIG.format(
            smtp_port=sink.port, smtp=smtp, mailbox=account, user=user, queue=queue, more=with_limits(more)
        ))  # fmt: skip

    def _write(self, text: str) -> None:
        self.config.write_text(text)
        self.config.chmod(0o600)

    def edit(self, old: str, new: str) -> None:
        """Change the configuration as an admin does with an editor."""
        text = self.config.read_text()
        assert old in text
        self._write(text.replace(old, new))

    # -- the process -------------------------------------------------------------------------

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def start(self, *arguments: str, ready: bool = True, env: dict[str, str] | None = None) -> DeskProcess:
        """Start the daemon, with more arguments if given; wait until it says that it is ready."""
        seen = self.log.count(" ready ")
        words = ["--config", str(self.folder / "config.toml"), "run", *arguments]
        around = {**os.environ, **(env or {})}
        # What a variable of Python changes happens at the start of an interpreter.
        own = any(name.startswith("PYTHON") for name in env or ())
        if self.program in {"mailtickets", "tests.faults.hasty"} and not own:
            hasty = {} if self.program == "mailtickets" else {HASTY: "1"}
            self.process = Started(forks().start(words, self.folder / "log", around | hasty, only=True))
        else:
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", self.program, *words],
                    stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=around,
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

    def stop(self, seconds: float = 25.0) -> int:
        """End it as systemd does; return the exit code."""
        if self.process is None or self.process.poll() is not None:
            return 0 if self.process is None else self.process.wait()
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the daemon did not end in {seconds} s\n{self.log[-3000:]}") from None

    def reload(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        before: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
    ) -> tuple[int, str]:
        """Run a command of ours on this desk's configuration; return its exit code and all that it printed.

        before   words in front of it, such as `prlimit --fsize=1000`.
        env      more of its environment; not with `before`.
        """
        words = ["--config", str(self.config), *arguments]
        if before:
            command = [*before, sys.executable, "-m", "mailtickets", *words]
            done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
            return done.returncode, done.stdout.decode() + done.stderr.decode()
        with tempfile.TemporaryDirectory() as name:
            said, errors, heard = (Path(name) / part for part in ("said", "errors", "heard"))
            heard.write_bytes(stdin)
            around = {**os.environ, **(env or {})}
            child = forks().start(words, said, around, errors=errors, stdin=heard, only=True)
            code = child.wait(60)
            return code, said.read_text() + errors.read_text()

    def command(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run a command that must succeed; return what it prints."""
        code, words = self.run(*arguments, stdin=stdin)
        assert code == 0, f"{arguments} ended with {code}:\n{words}"
        return words

    def json(self, *arguments: str):
        """Return what a reading command prints with --json; it runs in this process, since stories ask often."""
        done = CliRunner().invoke(cli, ["--config", str(self.config), *arguments, "--json"])
        assert done.exit_code == 0, (
            f"{arguments} ended with {done.exit_code}: {done.output} {done.exception!r}"
        )
        return json.loads(done.stdout)

    # -- what became of it -------------------------------------------------------------------

    def status(self, reference: str) -> str:
        return str(self.json("show", reference)["status"])

    def kinds(self, reference: str) -> list[str]:
        """Return the kinds of a ticket's entries, in order."""
        return [entry["kind"] for entry in self.json("show", reference)["entries"]]

    def references(self) -> list[str]:
        """Return all tickets, the oldest first."""
        return sorted(ticket["reference"] for ticket in self.json("list", "--all", "--limit", "1000"))

    def wait_status(self, reference: str, status: str, seconds: float = 15.0) -> None:
        self.wait(lambda: self.status(reference) == status, f"{reference} to be {status}", seconds)

    def at_rest(self, received: int | None = None, seconds: float = 15.0) -> dict[str, int]:
        """Wait until so many mails (all that were delivered) are decided, and all that follows is sent; return the books."""
        received = self.delivered if received is None else received

        def rests() -> bool:
            books = self.json("ledger")
            unsent = {"queued", "deferred", "sending"} & {mail["state"] for mail in self.json("outbox")}
            return books["received"] >= received and not books["waiting"] and not unsent

        self.wait(rests, f"{received} mails to be done with: {self.json('ledger')}", seconds)
        books: dict[str, int] = self.json("ledger")
        assert (books["received"], books["unexplained"]) == (received, 0)
        return books

    # -- mail --------------------------------------------------------------------------------

    def mail(self, from_: str, text: str, *, subject: str = "Printer on fire", to: str = "", cc: str = "", html: str = "",
             files: dict[str, bytes] | None = None, in_reply_to: Received | None = None, **headers: str) -> bytes:  # fmt: skip
        """Write a mail as a person's program would."""
        self._ids += 1
        message = EmailMessage(policy=WRITING)
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
        if html:
            message.add_alternative(html, subtype="html")
        for name, content in (files or {}).items():
            message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
        return message.as_bytes()

    def deliver(self, raw: bytes, *recipients: str, sender: str = "ana@customer.example") -> None:
        """Put a mail into the desk's mailbox, as the company's mail server does."""
        self.dovecot.deliver(raw, *(recipients or (self.address,)), sender=sender)
        self.delivered += 1

    @staticmethod
    def id_of(raw: bytes) -> str:
        """Return the Message-ID of a mail."""
        return str(BytesParser(policy=default).parsebytes(raw, headersonly=True)["Message-ID"])

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
            f"{count} mails to {address}",
            seconds,
        )
        return self.to(address)

    def wait_log(self, words: str, count: int = 1, seconds: float = 15.0) -> str:
        """Wait until words stand in the log so many times; return the last line that has them."""
        self.wait(lambda: self.log.count(words) >= count, f"{words!r} in the log", seconds)
        return next(line for line in reversed(self.log.splitlines()) if words in line)

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 15.0) -> None:
        """Wait until something is true, longer beside other tests; fail with the log if it never is."""
        end = begun = time.monotonic()
        end += seconds * patience.TIMES
        while not condition():
            now = time.monotonic()
            if now > end:
                raise AssertionError(f"waited {seconds} s for {what}\n{self.log[-6000:]}")
            # To ask costs the desk its processor, so a dear question is asked less often.
            time.sleep(min(max(0.03, 2 * (now - begun)), 0.3))
            begun = time.monotonic()
