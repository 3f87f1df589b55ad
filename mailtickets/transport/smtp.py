"""Mail out by SMTP over a few connections that are used again. Knows no queue, no retry ladder, no ticket.

`SmtpPool.send` answers with a `Fate` and raises nothing for SMTP trouble. Each command is sent by
itself, so that it is known whether a mail was taken, surely not taken, or may have been taken.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPConnectResponseError, SMTPException, SMTPHeloError

from mailtickets.errors import CredentialUnavailable, Retry
from mailtickets.secrets_source import MASK
from mailtickets.transport.fate import Deferred, Fate, Phase, Refusal, Rejected, Sent, Uncertain
from mailtickets.transport.network import (
    NotAllowed,
    Security,
    Trouble,
    check_login,
    network_trouble,
    one_line,
    tls_context,
)
from mailtickets.transport.smtp_transaction import Envelope, Timeouts, hang_up, transmit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mailtickets.transport.oauth import TokenSource

__all__ = [
    "Deferred",
    "Fate",
    "Phase",
    "Refusal",
    "Rejected",
    "Security",
    "Sent",
    "SmtpAccount",
    "SmtpPool",
    "Timeouts",
    "Uncertain",
]

CONNECTIONS = 4  # measured: more are slower
MAILS_PER_CONNECTION = 100  # a usual limit of servers
IDLE_SECONDS = 60.0  # below the shortest time after which servers hang up
REFUSED_SECONDS = 900.0  # between logins after refused credentials, or accounts get locked
QUIT_SECONDS = 3.0

_STOPPING = Deferred("mailtickets is stopping")


@dataclass(frozen=True, slots=True)
class SmtpAccount:
    """The server that takes our mail.

    section          of the config, for remedies: "smtp" or "smtp_account.NAME".
    username         "" = no login.
    password, token  one of them; `token` is called with True after the server refused the last token.
    password_from    where the password is kept, in words for remedies; "" = not said.
    ca_file          trust only the CAs in this file; None = those of the system.
    envelope         "null" or "bounce": the sender of automatic mail; for the caller, not used here.
    max_size         in bytes; larger mails are rejected here. 0 = only the server's own limit.
    helo             our name in EHLO; "" = this machine's.
    """

    host: str
    port: int = 465
    security: Security = Security.TLS
    username: str = ""
    password: Callable[[], str] | None = None
    token: TokenSource | None = None
    password_from: str = ""
    ca_file: Path | None = None
    envelope: str = "null"
    max_size: int = 0
    section: str = "smtp"
    helo: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class _Veiled:
    """A password or token on its way between threads: asyncio's own messages show what a future holds."""

    text: str


class _NoSession(Exception):  # noqa: N818 - carries an answer, not an error
    """There is no session with the server; `fate` says why."""

    def __init__(self, fate: Deferred) -> None:
        super().__init__(fate.reason)
        self.fate = fate


class _Session:
    """A connection with a login, and what it has been used for."""

    def __init__(self, client: SMTP) -> None:
        self.client = client
        self.mails = 0
        self.expiry: asyncio.TimerHandle | None = None


class SmtpPool:
    """Connections to one server, opened when needed. Belongs to one asyncio loop.

    connections           at most so many mails are on their way at once.
    mails_per_connection  after which a connection is closed.
    idle_seconds          after which an unused connection is closed.
    refused_seconds       no login is tried for so long after the server refused our credentials.
    """

    def __init__(
        self,
        account: SmtpAccount,
        *,
        connections: int = CONNECTIONS,
        mails_per_connection: int = MAILS_PER_CONNECTION,
        idle_seconds: float = IDLE_SECONDS,
        refused_seconds: float = REFUSED_SECONDS,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.account = account
        self.connections = connections
        self._mails_per_connection = mails_per_connection
        self._idle_seconds = idle_seconds
        self._refused_seconds = refused_seconds
        self._timeouts = timeouts or Timeouts()
        self._slots = asyncio.Semaphore(connections)
        self._opening = asyncio.Lock()  # one login at a time, so that one wrong password is one failed login
        self._idle: list[_Session] = []
        self._running: set[asyncio.Task[Fate]] = set()
        self._quitting: set[asyncio.Task[None]] = set()
        self._refusal: Deferred | None = None
        self._refused_until = 0.0
        self._context: ssl.SSLContext | None = None
        self._helo = account.helo
        self._closed = False

    async def send(
        self,
        sender: str,
        recipients: Sequence[str],
        raw: bytes,
        *,
        never_notify: bool = False,
        moved: Callable[[], None] = lambda: None,
    ) -> Fate:
        """Hand one mail to the server and say what became of it.

        sender        "" for the null sender (RFC 5321 section 4.5.5).
        raw           sent as it is; only a bare CR or LF becomes CRLF.
        never_notify  ask for no delivery reports where the server can (RFC 3461 section 4.1).
        moved         is called at each answer of the server to this mail, and while it takes the text.

        Cancelling the caller does not cut a transaction short: it goes on, and `close` waits for it.
        """
        if self._closed:
            return _STOPPING
        mail = Envelope(sender, tuple(recipients), raw, never_notify)
        task = asyncio.create_task(self._deliver(mail, moved))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def close(self, grace_seconds: float = 20.0) -> None:
        """Let mails on their way finish for so long, then cut them off; close all connections."""
        self._closed = True
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=grace_seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        while self._idle:
            self._retire(self._idle.pop())
        if self._quitting:
            await asyncio.wait(self._quitting)
        for _ in range(3):
            await asyncio.sleep(
                0
            )  # sockets are closed in the next rounds of the loop, which may have no more

    async def check(self) -> Deferred | None:
        """Connect and log in once; return what is wrong, or None."""
        try:
            async with self._slots:
                self._give_back(await self._open())
        except _NoSession as error:
            return error.fate
        return None

    async def _deliver(self, mail: Envelope, moved: Callable[[], None]) -> Fate:
        if self.account.max_size and len(mail.raw) > self.account.max_size:
            limit = f"{self.account.max_size / 1e6:g} MB"
            reason = (
                f"the mail has {len(mail.raw) / 1e6:.1f} MB; max_size in [{self.account.section}] is {limit}"
            )
            return Rejected(552, reason, phase=Phase.SIZE)
        try:
            async with self._slots:
                return await self._transmitted(mail, moved)
        except _NoSession as error:
            return _with_what_then(error.fate)
        except asyncio.CancelledError:  # by `close`, before the transaction began
            return _STOPPING

    async def _transmitted(self, mail: Envelope, moved: Callable[[], None]) -> Fate:
        while True:
            session = self._reusable()
            reused = session is not None
            session = session or await self._open()
            session.mails += 1
            try:
                done = await transmit(session.client, mail, self._timeouts, moved)
            finally:
                self._give_back(session)
            # A server may hang up on an idle connection at any time. Nothing was sent, so this is no failure.
            if not (reused and done.stale):
                return self._with_remedy(done.fate)

    def _with_remedy(self, fate: Fate) -> Fate:
        if isinstance(fate, Deferred) and fate.account_trouble:
            return replace(fate, reason=f"{fate.reason}; {_check_login(self.account)}")
        return fate

    # Sessions

    def _reusable(self) -> _Session | None:
        while self._idle:
            session = self._idle.pop()
            if session.expiry is not None:
                session.expiry.cancel()
            if session.client.is_connected:
                return session
        return None

    def _give_back(self, session: _Session) -> None:
        if not session.client.is_connected:
            return
        if self._closed or session.mails >= self._mails_per_connection:
            self._retire(session)
            return
        session.expiry = asyncio.get_running_loop().call_later(self._idle_seconds, self._expire, session)
        self._idle.append(session)

    def _expire(self, session: _Session) -> None:
        if session in self._idle:
            self._idle.remove(session)
            self._retire(session)

    def _retire(self, session: _Session) -> None:
        if session.expiry is not None:
            session.expiry.cancel()
        task = asyncio.create_task(_quit(session.client))
        self._quitting.add(task)
        task.add_done_callback(self._quitting.discard)

    async def _open(self) -> _Session:
        async with self._opening:
            clock = asyncio.get_running_loop().time
            if self._refusal is not None and clock() < self._refused_until:
                raise _NoSession(self._refusal)
            try:
                session = await self._logged_in()
            except _NoSession as error:
                if error.fate.retry is Retry.SLOW:
                    self._refusal, self._refused_until = error.fate, clock() + self._refused_seconds
                raise
            self._refusal = None
            return session

    async def _logged_in(self) -> _Session:
        try:
            return await self._session(refresh_token=False)
        except _NoSession as error:
            if error.fate.retry is not Retry.SLOW or self.account.token is None:
                raise
        return await self._session(refresh_token=True)

    async def _session(self, *, refresh_token: bool) -> _Session:
        account = self.account
        if self._context is None:
            try:
                self._context = await asyncio.to_thread(
                    tls_context, account.security, account.host, account.ca_file, account.section
                )
            except NotAllowed as error:
                raise _no_session(error.trouble) from None
        secret = (await self._secret(refresh_token=refresh_token)).text if account.username else ""
        client = SMTP(
            hostname=account.host,
            port=account.port,
            use_tls=account.security is Security.TLS,
            start_tls=False,  # done below: the library's own way would go on in clear text or not say why it stopped
            tls_context=self._context,
            timeout=self._timeouts.command,
            local_hostname=await self._own_name(),
        )
        try:
            await client.connect(timeout=self._timeouts.connect)
            await self._greet(client)
            if account.security is Security.STARTTLS:
                await self._start_tls(client)
            if account.username:
                await self._log_in(client, secret)
        except BaseException as error:
            hang_up(client)
            if isinstance(error, SMTPException | OSError | ValueError | EOFError):
                raise self._failed(error, secret) from error
            raise
        return _Session(client)

    async def _own_name(self) -> str:
        if not self._helo:
            name = await asyncio.to_thread(socket.getfqdn)  # asks DNS, so once only
            self._helo = name if name.isascii() and "." in name and " " not in name else "localhost"
        return self._helo

    async def _secret(self, *, refresh_token: bool) -> _Veiled:
        account = self.account

        def fetched() -> _Veiled:
            if account.token is not None:
                return _Veiled(account.token(refresh_token))
            return _Veiled(account.password() if account.password is not None else "")

        try:
            return await asyncio.to_thread(fetched)
        except CredentialUnavailable as error:
            raise _no_session(Trouble(error.reason, error.remedy)) from error
        except (OSError, ValueError, RuntimeError) as error:
            trouble = Trouble(
                f"the password cannot be read: {error}", f"check password in [{account.section}]"
            )
            raise _no_session(trouble) from error

    async def _greet(self, client: SMTP) -> None:
        try:
            await client.ehlo()
        except SMTPHeloError:
            await client.helo()

    async def _start_tls(self, client: SMTP) -> None:
        if not client.supports_extension("starttls"):
            trouble = Trouble(
                f"{self.account.host}:{self.account.port} does not offer STARTTLS",
                f'set security = "tls" and its port in [{self.account.section}], or enable STARTTLS on the server',
            )
            raise _no_session(trouble)
        await client.starttls()
        await self._greet(client)

    async def _log_in(self, client: SMTP, secret: str) -> None:
        account, methods = self.account, client.server_auth_methods
        # One method and so one attempt: the library's login() tries them all, which counts as several failed logins.
        if account.token is not None:
            if "xoauth2" in methods:
                await client.auth_xoauth2(account.username, secret)
                return
        elif "plain" in methods:
            await client.auth_plain(account.username, secret)
            return
        elif "login" in methods:
            await client.auth_login(account.username, secret)
            return
        elif "cram-md5" in methods:
            await client.auth_crammd5(account.username, secret)
            return
        offered = ", ".join(methods) or "none"
        trouble = Trouble(
            f"the server offers no way to log in that fits (offered: {offered})",
            f"check port, security and auth in [{account.section}], or leave username out if it wants no login",
        )
        raise _no_session(trouble)

    def _failed(self, error: BaseException, secret: str) -> _NoSession:
        """Return why there is no session."""
        account = self.account
        if isinstance(error, SMTPAuthenticationError):
            words = error.message.replace(secret, MASK) if secret else error.message
            said = f"{error.code} {one_line(words)}"
            if 400 <= error.code < 500:
                return _no_session(
                    Trouble(f"the server does not let us in now: {said}"), Retry.SOON, error.code
                )
            trouble = Trouble(
                f"the server refused user {account.username}: {said.rstrip('.')}", _check_login(account)
            )
            return _no_session(trouble, Retry.SLOW, error.code)
        if isinstance(error, SMTPConnectResponseError | SMTPHeloError) and error.code > 0:
            said = f"{error.code} {one_line(error.message)}"
            return _no_session(
                Trouble(f"the server takes no mail from us now: {said}"), Retry.SOON, error.code
            )
        trouble = network_trouble(error, account.host, account.port, account.section)
        return _no_session(trouble)


def _check_login(account: SmtpAccount) -> str:
    return check_login(account.section, account.password_from, token=account.token is not None)


def _no_session(trouble: Trouble, retry: Retry = Retry.SOON, code: int | None = None) -> _NoSession:
    words = trouble.reason + (f"; {trouble.remedy}" if trouble.remedy else "")
    return _NoSession(Deferred(words, code, account_trouble=True, retry=retry, remedy=trouble.remedy))


def _with_what_then(fate: Deferred) -> Deferred:
    """Say of a refused login what makes the desk use the mended one: it does not try for a while."""
    if fate.retry is not Retry.SLOW:
        return fate
    then = "then `systemctl reload mailtickets`, otherwise no login is tried for 15 minutes"
    return replace(fate, reason=f"{fate.reason}; {then}")


async def _quit(client: SMTP) -> None:
    transport = client.transport
    with suppress(SMTPException, OSError):
        await client.quit(timeout=QUIT_SECONDS)
    if isinstance(transport, asyncio.Transport):
        transport.abort()  # all has been said; TLS would wait for a goodbye of its own
    hang_up(client)
