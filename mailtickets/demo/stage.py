"""Brings the demo's parts together: servers, desk, play; and afterwards what to try, or a desk that stays."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mailtickets.demo.desk import QUICK, SLOW, DemoFolder, DeskProcess, prepare
from mailtickets.demo.embedded import HOST, MailServers
from mailtickets.demo.people import DESK, WITH_MAILBOX
from mailtickets.demo.story import Play
from mailtickets.demo.telling import Telling, marks_for

if TYPE_CHECKING:
    from mailtickets.store.views import Books

INTERRUPTED = 130  # as a shell reports a Ctrl-C
COMMAND_SECONDS = 20.0


async def perform(path: Path, *, stay: bool) -> int:
    """Play the demo in a folder; return the exit code. Raises FolderRefused, PlayStopped, DeskEnded."""
    folder = prepare(path)
    try:
        return await _Stage(folder, stay=stay).perform()
    finally:
        os.close(folder.lock)


class _Stage:
    def __init__(self, folder: DemoFolder, *, stay: bool) -> None:
        self._folder, self._stay = folder, stay
        names = {person.address: person.first_name for person in WITH_MAILBOX}
        self._telling = Telling(names, marks_for(sys.stdout.encoding), paced=sys.stdout.isatty())
        self._servers = MailServers({p.address: p.password for p in WITH_MAILBOX}, folder.mails)
        self._desk = DeskProcess(folder)
        self._told_to_end = asyncio.Event()

    async def perform(self) -> int:
        for noisy in ("mail.log", "pymap", "asyncio"):  # at every session, of use to their own authors only
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._told_to_end.set)
        playing = asyncio.ensure_future(self._whole())
        ending = asyncio.ensure_future(self._told_to_end.wait())
        try:
            await asyncio.wait({playing, ending}, return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                return playing.result()
            self._telling.line()
            self._telling.line(f"Ending. Everything up to here is in {self._folder.path}.")
            return 0 if self._stay else INTERRUPTED
        finally:
            playing.cancel()
            ending.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await playing
            await self._desk.stop()
            await self._servers.close()

    async def _whole(self) -> int:
        await self._servers.start()
        self._configure(QUICK)
        self._programme()
        play = Play(self._servers, self._desk, self._telling)
        try:
            await play.start()
            self._telling.begin()
            books = await play.run()
            await self._the_books(books)
        finally:
            play.close()
        if not self._stay:
            code = await self._desk.stop()
            self._what_to_try()
            return 1 if code else 0
        self._configure(SLOW)
        await self._desk.reload()
        self._what_to_try()
        self._how_to_connect()
        return await self._follow()

    def _configure(self, silence: tuple[str, str, str]) -> None:
        self._folder.write(self._servers.imap_port, self._servers.smtp_port, DESK.password, silence)

    # -- words -------------------------------------------------------------------------------

    def _programme(self) -> None:
        tell = self._telling
        tell.line("A whole service desk by e-mail, in half a minute", bold=True)
        tell.line()
        for who, what in (
            ("Ana", "is a customer, ana@customer.example"),
            ("Kim and Lee", "are agents and answer for support@acme.example, from their own mail programs"),
            ("the desk", f"is the real daemon with a real configuration, {self._folder.config}"),
            ("the servers", "for IMAP and SMTP live inside this program; no mail leaves this machine"),
        ):
            tell.line(f"  {who:<13} {what}")

    async def _the_books(self, books: Books) -> None:
        tell = self._telling
        await tell.scene("The books")
        tell.remark("Every mail that came in is in exactly one place.")
        for command in ("ledger", "list"):
            tell.line()
            tell.line(f"{' ' * 10}$ {self._command(command)}", bold=True)
            for line in (await self._output(command)).rstrip().split("\n"):
                tell.line(f"{' ' * 10}{line}")
        tell.line()
        tell.line(
            f"Done in {tell.seconds:.0f} s: {books.received} mails in, {len(self._servers.mails) - books.received} mails out,"
            " none lost, none unexplained.",
            bold=True,
        )

    async def _output(self, command: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mailtickets", "--config", str(self._folder.config), command,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
        return output.decode("utf-8", "replace")

    def _what_to_try(self) -> None:
        tell = self._telling
        tell.line()
        tell.line("Look around", bold=True)
        commands = {
            "list": "the tickets",
            "show SUP-1001": "its whole history; [A] marks what only agents read",
            "why SUP-1001": "where each mail went, and by which evidence",
            "held": "the forged mail, waiting for Kim's yes or no",
        }
        width = max(len(self._command(command)) for command in commands)
        for command, what in commands.items():
            tell.line(f"  {self._command(command):<{width}}   # {what}")
        files = f"ls {shlex.quote(str(self._folder.mails))}"
        tell.line(f"  {files:<{width}}   # every mail of the play, in order, as files to open")
        if not self._stay:
            tell.line()
            tell.line("Next", bold=True)
            tell.line(
                f"  {_program()} demo --stay   # the same, then it keeps running and you can write to it"
            )
            tell.line(
                f"  {_program()} init          # your own desk: asks a few questions, tests your mail servers"
            )

    def _how_to_connect(self) -> None:
        tell, servers = self._telling, self._servers
        tell.line()
        tell.line("Take part: the desk keeps running until you press Ctrl-C", bold=True)
        tell.line(f"  IMAP  {HOST} port {servers.imap_port}, no encryption, password as plain text")
        tell.line(f"  SMTP  {HOST} port {servers.smtp_port}, no encryption, password or none")
        for person in WITH_MAILBOX:
            tell.line(f"  user  {person.address:<22} password {person.password}")
        tell.line(
            f"  Answering as Kim or Lee sets a ticket waiting; reminders now come after {SLOW[0]} and {SLOW[1]},"
            f" the end after {SLOW[2]}."
        )
        tell.line()
        tell.line("Write as a customer:")
        tell.line(
            f"  swaks --server {HOST}:{servers.smtp_port} --from ben@customer.example --to {DESK.address}"
            " --header 'Subject: Coffee machine' --body 'It leaks.'"
        )
        tell.line()
        tell.line(f"Every mail from here on (the desk's log is {self._folder.log}):")

    async def _follow(self) -> int:
        """Tell every further mail for as long as the desk lives; the end by Ctrl-C comes from outside."""
        telling = asyncio.ensure_future(self._tell_mails())
        try:
            await self._desk.ended.wait()
            self._desk.check()
        finally:
            telling.cancel()
        return 0

    async def _tell_mails(self) -> None:
        told = len(self._servers.mails)
        while True:
            mail = await self._servers.mail_after(told)
            told += 1
            self._telling.mail(mail, ", ".join(mail.recipients))

    def _command(self, command: str) -> str:
        return f"{_program()} --config {shlex.quote(str(self._folder.config))} {command}"


def _program() -> str:
    """Return how to call mailtickets from the shell that called this demo."""
    own = Path(sys.argv[0])
    if own.name != "mailtickets":
        return f"{shlex.quote(sys.executable)} -m mailtickets"
    found = shutil.which("mailtickets")
    if found and Path(found).resolve() == own.resolve():
        return "mailtickets"
    with suppress(ValueError):
        own = own.absolute().relative_to(Path.cwd())
    return shlex.quote(str(own))
