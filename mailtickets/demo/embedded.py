"""Mail servers inside this process, for the demo only: IMAP by pymap (in memory), SMTP by aiosmtpd, on loopback.

Nothing ever leaves the machine: SMTP takes mail for every address, keeps it as a file, and puts it into
the mailbox of its recipient where there is one.
"""

from __future__ import annotations

import asyncio
import re
import time
from argparse import Namespace
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from proxyprotocol.noop import ProxyProtocolNoop
from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import DictBackend, Identity
from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxSet
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.user import Passwords, UserMetadata

from mailtickets.mail.parse import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mailtickets.mail.message import Message

HOST = "127.0.0.1"
IMAP_PORT, SMTP_PORT = 2143, 2525  # where they are free; otherwise whatever the system gives
MAX_WORD = 40  # letters of a subject in a file's name


@dataclass(frozen=True, slots=True)
class Passed:
    """A mail that went through the SMTP server.

    number      counts from 1 in the order of arrival.
    sender      the envelope's; "" for the null sender.
    recipients  the envelope's, in their canonical form without a +detail.
    at          seconds of the monotonic clock.
    """

    number: int
    sender: str
    recipients: tuple[str, ...]
    message: Message
    at: float


def plain_address(address: str) -> str:
    """Return the mailbox that an address leads to: small letters, without its +detail."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def file_name(number: int, sender: str, recipient: str, subject: str) -> str:
    """Return the name under which a mail is kept: NN-from-to-subject.eml."""
    words = (sender.partition("@")[0] or "nobody", recipient.partition("@")[0], subject)
    return f"{number:02}-" + "-".join(_word(word) for word in words) + ".eml"


def _word(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()[: 2 * MAX_WORD]).strip("-")[:MAX_WORD].strip("-") or "x"


# ruff: noqa: N802, ARG002 - aiosmtpd calls the hooks by these names and with all of these arguments
class MailServers:
    """Both servers; `start` opens them in the running loop.

    passwords  address -> password of everybody who has a mailbox.
    folder     where every mail is kept as a file.
    """

    def __init__(self, passwords: Mapping[str, str], folder: Path) -> None:
        self.passwords, self.folder = passwords, folder
        self.mails: list[Passed] = []
        self.imap_port = self.smtp_port = 0
        self._arrived = asyncio.Condition()
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        """Listen. Raises OSError where not even a port of the system's choice can be had."""
        # pymap is made for its own command line: these are the options that it would have read there.
        options = Namespace(
            host=[HOST], port="0", cert=None, key=None, tls=False, proxy_protocol=None, inherited_sockets=None, debug=False,
            demo_data=False, demo_user="nobody", demo_password="", passlib_cfg=None, skip_services=[],
        )  # fmt: skip
        self._backend, self._config = await DictBackend.init(options)
        self._config.apply_context()
        passwords = Passwords(self._config)
        for address, password in self.passwords.items():
            known = UserMetadata(self._config, address, password=await passwords.hash_password(password))
            await Identity(address, self._backend.login, None, frozenset()).set(known)
            self._config.set_cache[address] = (MailboxSet(), FilterSet())
        session = ProxyProtocolReader(ProxyProtocolNoop()).get_callback(
            IMAPServer(self._backend.login, self._config)
        )
        self.imap_port = await self._listen(IMAP_PORT, lambda port: asyncio.start_server(session, HOST, port))
        loop = asyncio.get_running_loop()
        self.smtp_port = await self._listen(
            SMTP_PORT, lambda port: loop.create_server(self._session, HOST, port)
        )

    async def _listen(self, wanted: int, opening: Callable[[int], Any]) -> int:
        try:
            server = await opening(wanted)
        except OSError:
            server = await opening(0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no more and end the sessions."""
        for server in self._servers:
            server.close()
        # The sessions are tasks of theirs; each ends with its connection, or here.
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- mail --------------------------------------------------------------------------------

    async def mail_to(self, address: str, seen: int) -> Passed:
        """Wait for a mail to an address, the first one after `seen` others to it."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.all_to(address)) > seen)
            return self.all_to(address)[seen]

    async def mail_after(self, seen: int) -> Passed:
        """Wait for any mail, the first one after `seen` others."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.mails) > seen)
            return self.mails[seen]

    def all_to(self, address: str) -> list[Passed]:
        """Return every mail to an address, in order."""
        return [mail for mail in self.mails if address in mail.recipients]

    async def _take(self, sender: str, recipients: list[str], raw: bytes) -> None:
        message = parse(raw)
        plain = tuple(plain_address(address) for address in recipients)
        passed = Passed(len(self.mails) + 1, sender, plain, message, time.monotonic())
        writer = plain_address(sender) if sender else (message.sender.key if message.sender else "")
        self._keep(file_name(passed.number, writer, plain[0], message.subject), raw)
        for address, mailbox in zip(recipients, plain, strict=True):
            if mailbox in self.passwords:
                trace = f"Return-Path: <{sender}>\r\nDelivered-To: {address}\r\n".encode()
                box = await self._config.set_cache[mailbox][0].get_mailbox("INBOX")
                await box.append(AppendMessage(trace + raw, datetime.now(UTC), frozenset()), recent=True)
        async with self._arrived:
            self.mails.append(passed)
            self._arrived.notify_all()

    def _keep(self, name: str, raw: bytes) -> None:
        (self.folder / name).write_bytes(raw)

    # -- SMTP --------------------------------------------------------------------------------

    def _session(self) -> SMTP:
        # Whoever gives a password must know it, and nobody has to give one: a play, not a fortress.
        return SMTP(
            self, hostname="mail.acme.example", enable_SMTPUTF8=True, authenticator=self._login, auth_require_tls=False,
            data_size_limit=30_000_000,
        )  # fmt: skip

    def _login(self, server: SMTP, session: Any, envelope: Any, mechanism: str, login: Any) -> AuthResult:
        known = isinstance(login, LoginPassword) and login.password.decode("utf-8", "replace") == (
            self.passwords.get(login.login.decode("utf-8", "replace").lower())
        )
        return AuthResult(success=known, handled=False)

    async def handle_MAIL(
        self, server: SMTP, session: Any, envelope: Any, address: str | None, options: list[str]
    ) -> str:
        """Take every sender, also the null sender, which aiosmtpd would mistake for no MAIL at all."""
        envelope.mail_from = address or "<>"
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Take every address: what is for nobody here is kept as a file and goes nowhere else."""
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        """Keep a mail and deliver it."""
        await self._take(envelope.mail_from.removeprefix("<>"), envelope.rcpt_tos, envelope.original_content)
        return "250 2.0.0 stored"
