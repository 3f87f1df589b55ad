"""One connection to an IMAP account: TLS, login, the folder opened; each command with its limits.

Reads no mail and marks none. Whatever goes wrong is a `MailboxUnavailable` in words a person understands,
or a `CommandRefused` where the server says no and the connection stays usable.
"""

from __future__ import annotations

import imaplib
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import LoginError, ProtocolError

from mailtickets.errors import CommandRefused, CredentialUnavailable, MailboxUnavailable, Retry
from mailtickets.secrets_source import MASK
from mailtickets.transport.imap_account import passes, plain_words, said, xoauth2
from mailtickets.transport.imap_wire import ImapWire
from mailtickets.transport.network import (
    NotAllowed,
    Security,
    Trouble,
    check_login,
    network_trouble,
    one_line,
    tls_context,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailtickets.transport.imap_account import ImapAccount

FOLDERS_SHOWN = 20


class _Client(IMAPClient):  # type: ignore[misc]  # imapclient carries no types
    """IMAPClient over our own wire, without its logging: that formats every mail and would show passwords."""

    def __init__(
        self, account: ImapAccount, context: ssl.SSLContext | None, moved: Callable[[], None]
    ) -> None:
        timeout = SocketTimeout(connect=account.connect_timeout, read=account.timeout)
        at_once = context if account.security is Security.TLS else None
        self.wire = ImapWire(account.host, account.port, at_once, timeout.connect, timeout.read, moved)
        super().__init__(account.host, account.port, ssl=False, timeout=timeout)
        self.wire.debug = 0
        self.normalise_times = False  # aware times

    def _create_IMAP4(self) -> ImapWire:  # noqa: N802 - imapclient's name
        return self.wire


class ImapConnection:
    """A connection with the account's folder open; call `open` first, and again after any MailboxUnavailable.

    uidvalidity   of the folder, from `open` on. uidnext: as the server said then, 0 where it said none.
    readonly      the folder was opened by EXAMINE, or the server grants no more.
    capabilities  what the server offers after the login.
    certificate   of the server, as `ssl.SSLSocket.getpeercert` gives it; {} before TLS. Known also where the login
                  failed.
    """

    def __init__(self, account: ImapAccount) -> None:
        self.account = account
        self.uidvalidity = 0
        self.uidnext = 0
        self.readonly = account.readonly
        self.capabilities: frozenset[str] = frozenset()
        self.certificate: dict[str, Any] = {}
        self._client: _Client | None = None
        self._alerts: list[str] = []

    def open(self, moved: Callable[[], None]) -> None:
        """Connect, log in and open the folder; drops an older connection first.

        moved   see `ImapWire`.

        Raises MailboxUnavailable with `retry` SLOW where the server refused the credentials.
        """
        try:
            self._open(moved, refresh_token=False)
        except MailboxUnavailable as error:
            if error.retry is not Retry.SLOW or self.account.token is None:
                raise
            self._open(moved, refresh_token=True)

    def close(self) -> None:
        """Log out as well as it goes; never raises. `open` opens it again."""
        if self._client is not None:
            # Politeness without waiting for the answer: a silent server may be the reason for closing.
            with suppress(OSError):
                self._client.wire.send(b"BYE LOGOUT\r\n")
        self._drop()

    @property
    def wire(self) -> ImapWire:
        """The socket. Raises MailboxUnavailable where there is no connection."""
        return self._open_client().wire

    def take_alerts(self) -> tuple[str, ...]:
        """Return what the server wanted people to read (RFC 3501 section 7.1: ALERT), once."""
        alerts = tuple(self._alerts) + (tuple(self.wire.alerts) if self._client else ())
        self._alerts.clear()
        if self._client is not None:
            self.wire.alerts.clear()
        return tuple(dict.fromkeys(map(one_line, alerts)))

    # Steps

    def _open(self, moved: Callable[[], None], *, refresh_token: bool) -> None:
        account = self.account
        self._drop()
        secret = self._secret(refresh_token=refresh_token)
        try:
            context = tls_context(account.security, account.host, account.ca_file, account.section)
        except NotAllowed as error:
            raise self._unavailable(error.trouble) from None
        try:
            self._client = _Client(account, context, moved)
        except Exception as error:
            raise self._lost(error, "connecting") from error
        try:
            with self.asking("starting TLS", keep=True) as client:
                if account.security is Security.STARTTLS and context is not None:
                    self._start_tls(client, context)
            self._note_certificate()
            self._log_in(secret)
            with self.asking("asking for capabilities", keep=True) as client:
                self.capabilities = frozenset(
                    word.decode("ascii", "replace") for word in client.capabilities()
                )
            self.select()
        except BaseException:
            self._drop()
            raise

    def _secret(self, *, refresh_token: bool) -> str:
        account = self.account
        try:
            if account.token is not None:
                return account.token(refresh_token)
            return account.password() if account.password is not None else ""
        except CredentialUnavailable as error:
            raise self._unavailable(Trouble(error.reason, error.remedy)) from error
        except (OSError, ValueError, RuntimeError) as error:
            trouble = Trouble(
                f"the password cannot be read: {error}", f"check password in [{account.section}]"
            )
            raise self._unavailable(trouble) from error

    def _start_tls(self, client: _Client, context: ssl.SSLContext) -> None:
        wire = client.wire
        if wire.state != "NONAUTH" or "STARTTLS" not in wire.capabilities:
            # A greeting of PREAUTH, or a capability taken away, is how one in the middle keeps us in clear text.
            raise self._unavailable(
                Trouble(
                    f"{self.account.host}:{self.account.port} does not offer STARTTLS",
                    f'set security = "tls" and its port in [{self.account.section}], or enable STARTTLS on the server',
                )
            )
        wire.secure(context)
        answer, words = wire.capability()
        wire.capabilities = (
            tuple(b" ".join(words).decode("ascii", "replace").upper().split()) if answer == "OK" else ()
        )

    def _note_certificate(self) -> None:
        if isinstance(self.wire.sock, ssl.SSLSocket):
            self.certificate = dict(self.wire.sock.getpeercert() or {})

    def _log_in(self, secret: str) -> None:
        account = self.account
        try:
            with self.asking("logging in", keep=True) as client:
                offered = client.wire.capabilities
                if account.token is not None:
                    client.sasl_login("XOAUTH2", xoauth2(account.username, secret))
                elif "LOGINDISABLED" in offered or not plain_words(account.username + secret):
                    self._log_in_by_plain(client, secret)
                else:
                    client.login(account.username, secret)
        except LoginError as error:
            wire = self.wire
            words = said(error).replace(secret, MASK) if secret else said(error)
            if wire.lost or "BYE" in wire.untagged_responses:
                raise self._lost(error, "logging in") from None
            if passes(words):
                raise self._unavailable(Trouble(f"the server does not let us in now: {words}")) from None
            remedy = check_login(account.section, account.password_from, token=account.token is not None)
            trouble = Trouble(f"the server refused user {account.username}: {words.rstrip('.')}", remedy)
            raise self._unavailable(trouble, Retry.SLOW) from None

    def _log_in_by_plain(self, client: _Client, secret: str) -> None:
        """Log in where LOGIN cannot: it is disabled, or the password has letters that imaplib cannot send."""
        offered = client.wire.capabilities
        if "AUTH=PLAIN" in offered:
            client.plain_login(self.account.username, secret)
        elif "LOGINDISABLED" in offered:
            trouble = Trouble(
                "the server takes no password over this connection",
                f'set security = "tls" or "starttls" in [{self.account.section}]',
            )
            raise self._unavailable(trouble)
        else:
            trouble = Trouble(
                "username or password has letters that this server cannot take",
                f"use a password of plain ASCII letters in [{self.account.section}]",
            )
            raise self._unavailable(trouble)

    def select(self) -> None:
        """Open the folder, and learn its UIDVALIDITY; also again on the same connection. Raises MailboxUnavailable."""
        folder = self.account.folder
        try:
            with self.asking(f"opening the folder {folder}", keep=True) as client:
                answer = self._opened(client, folder)
        except CommandRefused as refused:
            if passes(refused.reason):
                raise self._unavailable(Trouble(refused.reason)) from None
            there = self.folders()
            if folder in there:
                raise self._unavailable(
                    Trouble(refused.reason, f"check the rights on the folder {folder}")
                ) from None
            shown = ", ".join(there[:FOLDERS_SHOWN]) + (", ..." if len(there) > FOLDERS_SHOWN else "")
            remedy = f"set folder in [{self.account.section}] to one of: {shown}"
            raise self._unavailable(Trouble(f"there is no folder {folder}", remedy)) from None
        uidvalidity = answer.get(b"UIDVALIDITY")
        if not isinstance(uidvalidity, int):
            raise self._unavailable(
                Trouble(f"the server gives no UIDVALIDITY for {folder}, so mails cannot be told apart")
            )
        self.uidvalidity = uidvalidity
        uidnext = answer.get(b"UIDNEXT")
        self.uidnext = uidnext if isinstance(uidnext, int) else 0

    def _opened(self, client: _Client, folder: str) -> dict[bytes, Any]:
        """Open a folder for writing if that is allowed: mail that cannot be marked can still be read."""
        self.readonly = self.account.readonly
        if not self.readonly:
            try:
                return client.select_folder(folder)  # type: ignore[no-any-return]
            except imaplib.IMAP4.readonly:
                self.readonly = True
        return client.select_folder(folder, readonly=True)  # type: ignore[no-any-return]

    def folders(self) -> list[str]:
        """Return the names of all folders of the account."""
        with self.asking("listing folders") as client:
            return sorted(str(name) for _, _, name in client.list_folders())

    # Errors

    @contextmanager
    def asking(self, doing: str, literals: Sequence[int] = (), *, keep: bool = False) -> Iterator[_Client]:
        """Give the client for one command, with its limits; turn what goes wrong into our exceptions.

        literals  see `ImapWire.expect`.
        keep      what the server said so far is kept; LoginError passes through in any case.
        """
        client = self._open_client()
        wire = client.wire
        wire.expect(literals)
        if not keep:
            wire.untagged_responses.clear()  # imaplib keeps every EXISTS and FETCH that nobody asked for
        try:
            yield client
        except MailboxUnavailable:
            raise
        except imaplib.IMAP4.abort as error:
            raise self._lost(error, doing) from error
        except LoginError:
            raise
        except ProtocolError as error:
            raise self._lost(error, doing) from error
        except imaplib.IMAP4.error as error:
            if wire.lost:
                raise self._lost(error, doing) from error
            raise CommandRefused(self.account.name, f"the server refused {doing}: {said(error)}") from error
        except Exception as error:  # a hostile answer may break the parser in any way, also by RecursionError
            raise self._lost(error, doing) from error

    def _open_client(self) -> _Client:
        if self._client is None:
            raise self._unavailable(Trouble("there is no connection"))
        return self._client

    def _lost(self, error: Exception, doing: str) -> MailboxUnavailable:
        """Drop the connection and return why it had to be."""
        account = self.account
        wire = self._client.wire if self._client is not None else None
        goodbye = wire.untagged_responses.get("BYE") if wire is not None else None
        lost = wire.lost if wire is not None else ""
        self._drop()
        if goodbye:
            words = goodbye[-1].decode("utf-8", "replace") if isinstance(goodbye[-1], bytes) else ""
            return self._unavailable(
                Trouble(f"the server ended the connection while {doing}: {one_line(words)}")
            )
        if lost:
            return self._unavailable(Trouble(f"{lost} (while {doing})"))
        if isinstance(error, OSError):
            reason, remedy = network_trouble(error, account.host, account.port, account.section)
            return self._unavailable(
                Trouble(reason if doing == "connecting" else f"{reason} (while {doing})", remedy)
            )
        if isinstance(error, imaplib.IMAP4.error) and not isinstance(error, ProtocolError):
            return self._unavailable(Trouble(f"the connection broke while {doing}: {said(error)}"))
        what = f"the server's answer while {doing} could not be understood ({type(error).__name__})"
        return self._unavailable(
            Trouble(what, f"check that host and port in [{account.section}] are an IMAP server's")
        )

    def _unavailable(self, trouble: Trouble, retry: Retry = Retry.SOON) -> MailboxUnavailable:
        return MailboxUnavailable(self.account.name, trouble.reason, trouble.remedy, retry)

    def _drop(self) -> None:
        if self._client is not None:
            self._alerts += self._client.wire.alerts[: 20 - len(self._alerts)]
            with suppress(OSError):
                self._client.wire.shutdown()
        self._client = None
