"""One IMAP mailbox: reads mail without touching it, marks it when told, waits for more.

Keeps no cursor and judges no mail. One thread owns a mailbox and all its calls block; only `wake`
may come from another. Whatever goes wrong is a `MailboxUnavailable` in words a person understands.
"""

from __future__ import annotations

import imaplib
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from imapclient import SEEN, IMAPClient, SocketTimeout
from imapclient.exceptions import LoginError, ProtocolError

from mailtickets.errors import CommandRefused, CredentialUnavailable, MailboxUnavailable, Retry
from mailtickets.secrets_source import MASK
from mailtickets.transport.imap_account import (
    FetchedMail,
    ImapAccount,
    batches,
    chunks,
    passes,
    plain_words,
    said,
    utc,
    xoauth2,
)
from mailtickets.transport.imap_wire import Bell, ImapWire
from mailtickets.transport.network import (
    NotAllowed,
    Security,
    Trouble,
    network_trouble,
    one_line,
    tls_context,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

__all__ = ["FetchedMail", "ImapAccount", "ImapMailbox", "Security"]

HEAD_BYTES = 256 << 10  # of the header, where only the beginning of a mail is read
UIDS_PER_COMMAND = 500  # 5.5 KB; RFC 7162 section 4 asks servers for lines of 8192 octets only
UIDS_PER_SEARCH = 100_000  # keeps the answer within one line of MAX_LINE_BYTES
FOLDERS_SHOWN = 20

# What a mail may be above the announced size before the server is called hostile. Generous: some servers only
# estimate RFC822.SIZE, and a mail refused here stops the whole mailbox.
_SLACK_BYTES = 1 << 20


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


class ImapMailbox:
    """One folder of one account; call `connect` first, and again after any MailboxUnavailable.

    uidvalidity  of the folder, from `connect` on; when it changes every known UID is void.
    unreadable   mails that the last `fetch` had to leave out though they exist: UID to reason.
    moved        may be set before `connect`: called at most once a second while the server's bytes come, also within one command.
    """

    def __init__(self, account: ImapAccount) -> None:
        self.account = account
        self.uidvalidity = 0
        self.unreadable: dict[int, str] = {}
        self.moved: Callable[[], None] = lambda: None
        self._uidnext = 0
        self._sizes: dict[int, int] = {}
        self._capabilities: frozenset[str] = frozenset()
        self._client: _Client | None = None
        self._waits = 0
        self._readonly = account.readonly
        self._alerts: list[str] = []
        self._bell = Bell()

    # Coming and going

    def connect(self) -> None:
        """Connect, log in and open the folder; drops an older connection first.

        Raises MailboxUnavailable with `retry` SLOW where the server refused the credentials.
        """
        try:
            self._connect(refresh_token=False)
        except MailboxUnavailable as error:
            if error.retry is not Retry.SLOW or self.account.token is None:
                raise
            self._connect(refresh_token=True)

    def reopen(self) -> None:
        """Open the folder again on the same connection, and learn its UIDVALIDITY anew.

        Where a folder was removed and made anew, Dovecot 2.3 goes on showing the old one to a connection that
        has it open, for ever: no error, and no new mail. Raises MailboxUnavailable, also where it is gone.
        """
        self._select()

    def close(self) -> None:
        """Log out as well as it goes; never raises. `connect` opens it again."""
        if self._client is not None:
            # Politeness without waiting for the answer: a silent server may be the reason for closing.
            with suppress(OSError):
                self._client.wire.send(b"BYE LOGOUT\r\n")
        self._drop()

    def wake(self) -> None:
        """End `wait` now, or the next one; safe from any thread."""
        self._bell.ring()

    def take_alerts(self) -> tuple[str, ...]:
        """Return what the server wanted people to read (RFC 3501 section 7.1: ALERT), once."""
        alerts = tuple(self._alerts) + (tuple(self._wire.alerts) if self._client else ())
        self._alerts.clear()
        if self._client is not None:
            self._wire.alerts.clear()
        return tuple(dict.fromkeys(map(one_line, alerts)))

    # Reading

    def new_uids(self, after: int) -> list[int]:
        """Return the UIDs above `after`, ascending."""
        first, found = after + 1, set[int]()
        # What is told from now on may be missing in the answer, so it must end the next wait.
        self._open_client().wire.news = False
        while True:
            last = first + UIDS_PER_SEARCH - 1
            final = last >= self._uidnext
            with self._asking("looking for new mail") as client:
                # "n:*" also returns the last mail where that is below n (RFC 3501 section 6.4.8).
                found.update(client.search(["UID", f"{first}:*" if final else f"{first}:{last}"]))
            if final:
                return sorted(uid for uid in found if uid > after)
            first = last + 1

    def sizes(self, uids: Sequence[int]) -> dict[int, int]:
        """Return RFC822.SIZE in bytes for each mail that is still there."""
        self._sizes = {}
        for some in chunks(uids, UIDS_PER_COMMAND):
            with self._asking("asking for sizes") as client:
                answer = client.fetch(some, ["RFC822.SIZE"])
            for uid, item in answer.items():
                if isinstance(size := item.get(b"RFC822.SIZE"), int):
                    self._sizes[uid] = size
        return dict(self._sizes)

    def arrivals(self, uids: Sequence[int]) -> dict[int, datetime]:
        """Return INTERNALDATE (aware, UTC) for each mail that is still there, without fetching it."""
        found: dict[int, datetime] = {}
        for some in chunks(uids, UIDS_PER_COMMAND):
            with self._asking("asking when mails arrived") as client:
                answer = client.fetch(some, ["INTERNALDATE"])
            found |= {uid: utc(item.get(b"INTERNALDATE")) for uid, item in answer.items()}
        return found

    def fetch(self, uids: Sequence[int]) -> Iterator[FetchedMail]:
        """Yield the mails, in order, without touching their flags.

        Mails that have gone meanwhile are absent. Mails of which the server hands out too few bytes, or
        which it refuses to hand out, are absent too and stand in `unreadable`.
        """
        self.unreadable = {}
        if not self._sizes.keys() >= set(uids):
            self.sizes(uids)
        sizes = self._sizes
        for batch in batches([uid for uid in uids if uid in sizes], sizes):
            try:
                answer = self._fetched(batch, sizes)
            except CommandRefused:
                answer = self._fetched_one_by_one(batch, sizes)
            for uid in batch:
                mail = self._mail(uid, answer.pop(uid, {}), sizes[uid])
                if mail is not None:
                    yield mail

    def fetch_head(self, uid: int, first_bytes: int = 65_536) -> FetchedMail | None:
        """Return the header and the first bytes of the text of one mail; None if it has gone.

        For mails that are too large: nothing more than this is transferred.
        """
        head, text = f"BODY.PEEK[HEADER]<0.{HEAD_BYTES}>", f"BODY.PEEK[TEXT]<0.{first_bytes}>"
        allowed = (HEAD_BYTES + _SLACK_BYTES, first_bytes + _SLACK_BYTES)
        with self._asking("reading the beginning of a mail", allowed) as client:
            item = client.fetch([uid], [head, text, "RFC822.SIZE", "INTERNALDATE"]).get(uid, {})
        header, beginning = item.get(b"BODY[HEADER]<0>"), item.get(b"BODY[TEXT]<0>")
        if not isinstance(header, bytes):
            return None
        if len(header) >= HEAD_BYTES:
            header = header[:HEAD_BYTES].rpartition(b"\n")[0] + b"\n\r\n"  # the text must not join the header
        raw = header + (beginning if isinstance(beginning, bytes) else b"")
        size = item.get(b"RFC822.SIZE")
        whole = size if isinstance(size, int) else len(raw)
        return FetchedMail(uid, raw, utc(item.get(b"INTERNALDATE")), whole, truncated=True)

    def wait(self, seconds: float) -> bool:
        """Wait for new mail; return whether the server told of any since the last `new_uids`.

        Ends early when mail comes or `wake` is called. Without IDLE it asks once at the end.
        """
        end = time.monotonic() + seconds
        while True:
            with self._asking("asking for news") as client:
                # Mail told of in the answer to an earlier command is not told again in IDLE; and some servers
                # never announce what comes between that command and IDLE.
                client.noop()
            left = end - time.monotonic()
            if client.wire.news or left <= 0:
                return client.wire.news
            with self._asking("waiting for mail") as client:
                stretch = time.monotonic() + min(left, self.account.idle_seconds)
                if self.account.idle and "IDLE" in self._capabilities:
                    self._idle(client.wire, stretch)
                else:
                    self._listen(client.wire, stretch)
            if self._bell.hush() or client.wire.news:
                return client.wire.news

    def has_folder(self, name: str) -> bool:
        """Tell whether the account has a folder of this name."""
        with self._asking(f"looking for the folder {name}") as client:
            return bool(client.folder_exists(name))

    # Changing

    def mark(self, uids: Sequence[int], after: str) -> None:
        """Mark handled mails: "seen", "move:FOLDER" or "keep" (nothing). UIDs that have gone are no error.

        Raises CommandRefused where the server says no; the mailbox stays usable. A target folder that is
        missing is created. Without MOVE mails are copied and expunged by UID; without UIDPLUS, which that
        needs, the original stays and is only marked as seen: a plain EXPUNGE would remove others' mail.
        """
        if after == "keep" or not uids:
            return
        if self._readonly:
            name, folder, user = self.account.name, self.account.folder, self.account.username
            remedy = f"give {user} the right to write to it on the server"
            raise CommandRefused(name, f"the folder {folder} can only be read, not changed", remedy)
        for some in chunks(uids, UIDS_PER_COMMAND):
            if after == "seen":
                with self._asking("marking mail as seen") as client:
                    client.add_flags(some, [SEEN], silent=True)
            elif after.startswith("move:"):
                self._move(some, after.removeprefix("move:"))
            else:
                raise ValueError(f'after = "{after}" is none of "seen", "move:FOLDER", "keep"')

    def _move(self, uids: Sequence[int], folder: str) -> None:
        try:
            self._move_into(uids, folder)
        except CommandRefused as refused:
            with self._asking("looking for the target folder") as client:
                if "TRYCREATE" not in refused.reason.upper() and client.folder_exists(folder):
                    raise
            with self._asking(f"creating the folder {folder}") as client:
                client.create_folder(folder)
            with suppress(CommandRefused), self._asking("subscribing") as client:
                client.subscribe_folder(folder)  # or mail programs do not show it
            self._move_into(uids, folder)

    def _move_into(self, uids: Sequence[int], folder: str) -> None:
        if "MOVE" in self._capabilities:
            with self._asking(f"moving mail to {folder}") as client:
                client.move(uids, folder)
            return
        with self._asking(f"copying mail to {folder}") as client:
            client.copy(uids, folder)
        with self._asking(f"removing mail copied to {folder}") as client:
            if "UIDPLUS" in self._capabilities:
                client.add_flags(uids, [rb"\Deleted"], silent=True)
                client.uid_expunge(uids)
            else:
                client.add_flags(uids, [SEEN], silent=True)

    # Steps

    def _connect(self, *, refresh_token: bool) -> None:
        account = self.account
        self._drop()
        secret = self._secret(refresh_token=refresh_token)
        try:
            context = tls_context(account.security, account.host, account.ca_file, account.section)
        except NotAllowed as error:
            raise self._unavailable(error.trouble) from None
        try:
            self._client = _Client(account, context, self.moved)
        except Exception as error:
            raise self._lost(error, "connecting") from error
        try:
            with self._asking("starting TLS", keep=True) as client:
                if account.security is Security.STARTTLS and context is not None:
                    self._start_tls(client, context)
            self._log_in(secret)
            with self._asking("asking for capabilities", keep=True) as client:
                self._capabilities = frozenset(
                    word.decode("ascii", "replace") for word in client.capabilities()
                )
            self._select()
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

    def _log_in(self, secret: str) -> None:
        account = self.account
        try:
            with self._asking("logging in", keep=True) as client:
                offered = client.wire.capabilities
                if account.token is not None:
                    client.sasl_login("XOAUTH2", xoauth2(account.username, secret))
                elif "LOGINDISABLED" in offered or not plain_words(account.username + secret):
                    self._log_in_by_plain(client, secret)
                else:
                    client.login(account.username, secret)
        except LoginError as error:
            wire = self._wire
            words = said(error).replace(secret, MASK) if secret else said(error)
            if wire.lost or "BYE" in wire.untagged_responses:
                raise self._lost(error, "logging in") from None
            if passes(words):
                raise self._unavailable(Trouble(f"the server does not let us in now: {words}")) from None
            remedy = f"check [{account.section}] username and " + ("token" if account.token else "password")
            trouble = Trouble(f"the server refused user {account.username}: {words}", remedy)
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

    def _select(self) -> None:
        folder = self.account.folder
        try:
            with self._asking(f"opening the folder {folder}", keep=True) as client:
                answer = self._opened(client, folder)
        except CommandRefused as refused:
            if passes(refused.reason):
                raise self._unavailable(Trouble(refused.reason)) from None
            there = self._folders()
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
        self._uidnext = uidnext if isinstance(uidnext, int) else 0

    def _opened(self, client: _Client, folder: str) -> dict[bytes, Any]:
        """Open a folder for writing if that is allowed: mail that cannot be marked can still be read."""
        self._readonly = self.account.readonly
        if not self._readonly:
            try:
                return client.select_folder(folder)  # type: ignore[no-any-return]
            except imaplib.IMAP4.readonly:
                self._readonly = True
        return client.select_folder(folder, readonly=True)  # type: ignore[no-any-return]

    def _folders(self) -> list[str]:
        with self._asking("listing folders") as client:
            return sorted(str(name) for _, _, name in client.list_folders())

    def _fetched(self, uids: Sequence[int], sizes: dict[int, int]) -> dict[int, dict[bytes, Any]]:
        allowed = [2 * sizes[uid] + _SLACK_BYTES for uid in uids]
        with self._asking("fetching mail", allowed) as client:
            answer: dict[int, dict[bytes, Any]] = client.fetch(uids, ["INTERNALDATE", "BODY.PEEK[]"])
        return answer

    def _fetched_one_by_one(self, uids: Sequence[int], sizes: dict[int, int]) -> dict[int, dict[bytes, Any]]:
        """Fetch what can be had of a batch that the server refused: one bad mail must not stop the others."""
        answer: dict[int, dict[bytes, Any]] = {}
        for uid in uids:
            try:
                answer.update(self._fetched([uid], sizes))
            except CommandRefused as refused:
                if self._exists(uid):
                    self.unreadable[uid] = refused.reason
        return answer

    def _exists(self, uid: int) -> bool:
        with self._asking("looking for a mail") as client:
            client.noop()  # lets the server tell us of mails expunged by others
            return uid in client.search(["UID", str(uid)])

    def _mail(self, uid: int, item: dict[bytes, Any], size: int) -> FetchedMail | None:
        raw = item.get(b"BODY[]")
        if not isinstance(raw, bytes):
            if item and self._exists(uid):
                self.unreadable[uid] = "the server gave no text for this mail"
            return None
        # A server may count line ends as two bytes and send one, so only what is missing besides counts.
        if size - len(raw) > raw.count(b"\n") + 2:
            self.unreadable[uid] = f"the server announced {size} bytes and gave {len(raw)}"
            return None
        return FetchedMail(uid, raw, utc(item.get(b"INTERNALDATE")), size)

    def _idle(self, wire: ImapWire, until: float) -> None:
        """Be in IDLE (RFC 2177) until mail comes, the bell rings or the time is over."""
        self._waits += 1
        tag = b"WAIT%d" % self._waits
        wire.send(tag + b" IDLE\r\n")
        while not (line := _heard(wire.readline())).startswith(b"+"):
            if line.startswith(tag):
                self._capabilities -= {"IDLE"}  # it does not work here, whatever was promised
                return
        while not wire.news:
            heard = wire.line_or_bell(until, self._bell)
            if heard is None:
                break
            if _heard(heard).startswith(tag):
                return  # the server ended it
        wire.expect()
        wire.send(b"DONE\r\n")
        while not _heard(wire.readline()).startswith(tag):
            pass

    def _listen(self, wire: ImapWire, until: float) -> None:
        """Wait without IDLE; what a server says unasked is heard all the same."""
        while not wire.news and (heard := wire.line_or_bell(until, self._bell)) is not None:
            _heard(heard)

    # Errors

    @contextmanager
    def _asking(self, doing: str, literals: Sequence[int] = (), *, keep: bool = False) -> Iterator[_Client]:
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

    @property
    def _wire(self) -> ImapWire:
        return self._open_client().wire

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


def _heard(line: bytes) -> bytes:
    """Return a line that imaplib does not read; a goodbye in it is raised."""
    if line[:5].upper() == b"* BYE":
        raise imaplib.IMAP4.abort(f"the server said goodbye: {one_line(line[5:].decode('utf-8', 'replace'))}")
    return line
