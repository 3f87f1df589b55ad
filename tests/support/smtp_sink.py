"""A recording SMTP server on 127.0.0.1: aiosmtpd in a loop of its own thread, so that any test can watch it.

It keeps every mail it accepted with its envelope, refuses whom it is told to refuse, and can go down
and come up again on the same port.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.support import patience
from tests.support.dovecot import free_ports


@dataclass(frozen=True)
class SinkMail:
    """One accepted mail. `sender` is "" for the null sender; `options` are those of MAIL and RCPT."""

    sender: str
    recipients: list[str]
    raw: bytes
    options: list[str]
    tls: bool
    user: str
    connection: int


@dataclass
class Answers:
    """What to say instead of yes: a whole reply line, by address or for all mails; may be changed at any time."""

    senders: dict[str, str] = field(default_factory=dict)
    recipients: dict[str, str] = field(default_factory=dict)
    data: str = ""


class _Session(SMTP):
    """aiosmtpd with DSN offered (it takes no option of RCPT by itself) and null senders as empty strings."""

    def __init__(self, sink: SmtpSink, **options: Any) -> None:
        super().__init__(sink, **options)
        self.sink = sink
        self.number = 0
        self.notify: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self.number:  # STARTTLS makes it a second time
            self.sink.connections += 1
            self.number = self.sink.connections
        self.sink.transports.add(transport)
        if self.sink.is_down and isinstance(transport, asyncio.Transport):
            transport.abort()  # it was being accepted when the server closed

    async def smtp_RCPT(self, arg: str) -> None:
        if self.sink.dsn and arg and " NOTIFY=" in arg:
            arg, _, notify = arg.partition(" NOTIFY=")
            self.notify.append(f"NOTIFY={notify}")
        await super().smtp_RCPT(arg)


# ruff: noqa: N802, ARG002 - aiosmtpd calls the hooks by these names and with all of these arguments
class SmtpSink:
    """A server; `with SmtpSink() as sink:`.

    security     "none", "starttls" (required before anything else) or "tls" (from the first byte).
    certificates a folder with cert.pem and key.pem, for the latter two.
    users        user names and passwords; if given, a login is required.
    """

    def __init__(
        self,
        *,
        security: str = "none",
        certificates: Path | None = None,
        users: dict[str, str] | None = None,
        utf8: bool = True,
        dsn: bool = True,
        max_size: int = 50_000_000,
    ) -> None:
        self.port = free_ports(1)[0]
        self.mails: list[SinkMail] = []
        self.answers = Answers()
        self.connections = 0
        self.logins: list[str] = []
        self.security, self.users, self.utf8, self.dsn, self.max_size = security, users, utf8, dsn, max_size
        self.transports: set[asyncio.BaseTransport] = set()
        self._context: ssl.SSLContext | None = None
        if security != "none" and certificates is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp-sink", daemon=True)
        self._server: asyncio.Server | None = None
        self.is_down = True
        self._arrived = threading.Condition()

    def __enter__(self) -> Self:
        self._thread.start()
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()
        self._call(self._cancelled())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def up(self) -> None:
        """Listen, on the same port as before."""
        if self._server is None:
            self._server = self._call(self._listening())

    def down(self) -> None:
        """Listen no more and cut every connection."""
        if self._server is not None:
            self._call(self._stopped(self._server))
            self._server = None

    def hang_up(self) -> None:
        """Cut every connection, as servers do with idle ones; go on listening."""
        self._call(self._cut())

    def wait_for(self, count: int, seconds: float = 10.0) -> list[SinkMail]:
        """Return the mails once there are so many; fail if that takes too long."""
        deadline = time.monotonic() + seconds * patience.TIMES
        with self._arrived:
            while len(self.mails) < count:
                left = deadline - time.monotonic()
                if left <= 0 or not self._arrived.wait(left):
                    raise AssertionError(f"{len(self.mails)} mails came in {seconds} s, not {count}")
            return list(self.mails)

    def to(self, recipient: str) -> list[SinkMail]:
        """Return the mails that were accepted for one recipient."""
        return [mail for mail in list(self.mails) if recipient in mail.recipients]

    # Hooks of aiosmtpd

    async def handle_EHLO(
        self, server: _Session, session: Any, envelope: Any, hostname: str, lines: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*lines[:-1], "250-DSN", lines[-1]] if self.dsn else lines

    async def handle_MAIL(
        self, server: _Session, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        server.notify.clear()
        if reply := self.answers.senders.get(_bare(address)):
            return reply
        envelope.mail_from = address or "<>"  # aiosmtpd takes "" for no MAIL at all
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: _Session, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if reply := self.answers.recipients.get(address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: _Session, session: Any, envelope: Any) -> str:
        if self.answers.data:
            return self.answers.data
        mail = SinkMail(
            sender=_bare(envelope.mail_from),
            recipients=list(envelope.rcpt_tos),
            raw=envelope.original_content,
            options=[*envelope.mail_options, *server.notify],
            tls=session.ssl is not None or self.security == "tls",
            user=session.auth_data or "",
            connection=server.number,
        )
        with self._arrived:
            self.mails.append(mail)
            self._arrived.notify_all()
        return f"250 2.0.0 stored as {len(self.mails)}"

    def _authenticated(
        self, server: _Session, session: Any, envelope: Any, mechanism: str, login: Any
    ) -> AuthResult:
        user = login.login.decode() if isinstance(login, LoginPassword) else ""
        self.logins.append(user)
        good = self.users is not None and self.users.get(user) == login.password.decode()
        return AuthResult(success=good, handled=False, auth_data=user)

    # In the loop

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _session(self) -> _Session:
        session = _Session(
            self,
            hostname="sink.example",
            data_size_limit=self.max_size,
            enable_SMTPUTF8=self.utf8,
            tls_context=self._context if self.security == "starttls" else None,
            require_starttls=self.security == "starttls",
            authenticator=self._authenticated,
            auth_require_tls=self.security == "starttls",
            loop=self._loop,
        )
        session._auth_required = (
            self.users is not None
        )  # by its argument it warns where TLS is not aiosmtpd's own
        return session

    async def _listening(self) -> asyncio.Server:
        context = self._context if self.security == "tls" else None
        self.is_down = False
        return await self._loop.create_server(self._session, "127.0.0.1", self.port, ssl=context)

    async def _stopped(self, server: asyncio.Server) -> None:
        self.is_down = True
        for listening in server.sockets:
            self._loop.remove_reader(listening.fileno())
        await _rounds()  # asyncio never closes the socket of one who is being accepted when a server closes
        server.close()
        await self._cut()

    async def _cut(self) -> None:
        for transport in list(self.transports):
            if isinstance(transport, asyncio.Transport):
                transport.abort()
        self.transports.clear()
        await _rounds()  # sockets are closed in the next rounds of the loop

    async def _cancelled(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _rounds()


async def _rounds() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def _bare(address: str | None) -> str:
    return "" if address in {None, "<>"} else str(address)
