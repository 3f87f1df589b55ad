"""Mail servers that misbehave on command, for faults that no real server can be made to show.

Each connection runs in a thread; `script(line)` decides. Everything the client said is kept. Where a
fault needs nothing but a cut after so many bytes, `drop_after` cuts any scripted dialogue.
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self


class Hangup(Exception):  # noqa: N818 - ends a dialogue, is no error
    """The script ends the connection here."""


class Line:
    """One connection, seen from the server; writes bytes and reads lines."""

    def __init__(self, sock: socket.socket, server: ScriptedServer) -> None:
        self.sock, self.server = sock, server
        self._file = sock.makefile("rb")
        self._left = server.drop_after

    def say(self, *words: bytes) -> None:
        """Send bytes as they are; hang up where `drop_after` says so, even amid a word."""
        for word in words:
            sent = word[: self._left]
            if self._left is not None:
                self._left -= len(word)
            with contextlib.suppress(OSError):
                self.sock.sendall(sent)
            if self._left is not None and self._left <= 0:
                raise Hangup

    def hear(self) -> bytes:
        """Return the next line without its end; the end of the connection ends the script."""
        try:
            line = self._file.readline()
        except OSError:
            raise Hangup from None
        if not line:
            raise Hangup
        line = line.rstrip(b"\r\n")
        self.server.heard.append(line)
        return line

    def stall(self) -> None:
        """Say nothing until the test is over or the client hangs up."""
        self.sock.settimeout(0.02)
        while not self.server.over.is_set():
            try:
                if not self.sock.recv(65536):
                    raise Hangup
            except TimeoutError:
                continue
            except OSError:
                raise Hangup from None

    def close(self) -> None:
        self._file.close()
        self.sock.close()


class ScriptedServer:
    """Listens on 127.0.0.1 and runs `dialogue(line)` for each connection; `with` starts and ends it.

    drop_after  hang up after so many bytes of ours; None = never.
    """

    def __init__(
        self,
        dialogue: Callable[[Line], None],
        *,
        drop_after: int | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.heard: list[bytes] = []
        self.connections = 0
        self.drop_after = drop_after
        self.over = threading.Event()
        self._sockets: list[socket.socket] = []
        self._dialogue, self._context = dialogue, context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            sock.settimeout(10)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                line = Line(
                    self._context.wrap_socket(sock, server_side=True) if self._context else sock, self
                )
            except OSError:
                return
            with contextlib.suppress(Hangup):
                self._dialogue(line)
            line.close()


Fault = Callable[[Line, bytes], None]


class ScriptedImap(ScriptedServer):
    """A small, honest IMAP server with one folder, INBOX, and one fault at a time.

    mails   the text of each mail; UIDs count from 1.
    faults  by command ("LOGIN", "UID FETCH", "greeting"...): called with the line and the tag instead of
            the honest answer.
    token   the token that XOAUTH2 must bring.
    """

    def __init__(
        self,
        mails: Iterable[bytes] = (),
        *,
        faults: dict[str, Fault] | None = None,
        capabilities: bytes = b"IMAP4rev1 IDLE UIDPLUS MOVE AUTH=PLAIN AUTH=XOAUTH2",
        token: str = "",
        drop_after: int | None = None,
    ) -> None:
        super().__init__(self._talk, drop_after=drop_after)
        self.mails = list(mails)
        self.faults = faults or {}
        self.token = token
        self.uidvalidity = 77
        self._capabilities = capabilities

    def _talk(self, line: Line) -> None:
        if fault := self.faults.get("greeting"):
            fault(line, b"*")
        else:
            line.say(b"* OK ready\r\n")
        while True:
            tag, _, rest = line.hear().partition(b" ")
            words = rest.split()
            name = b" ".join(words[: 2 if words[0].upper() == b"UID" else 1]).upper().decode()
            if fault := self.faults.get(name):
                fault(line, tag)
                continue
            self._answer(line, tag, name, rest)

    def _answer(self, line: Line, tag: bytes, name: str, rest: bytes) -> None:
        if name == "CAPABILITY":
            line.say(b"* CAPABILITY " + self._capabilities + b"\r\n")
        elif name == "AUTHENTICATE":
            line.say(b"+ \r\n")
            said = base64.b64decode(line.hear()).decode()
            if said != f"user=support\1auth=Bearer {self.token}\1\1":
                line.say(b"+ " + base64.b64encode(b'{"status":"400"}') + b"\r\n")
                line.hear()
                line.say(tag + b" NO [AUTHENTICATIONFAILED] expired\r\n")
                return
        elif name in {"SELECT", "EXAMINE"}:
            line.say(b"* %d EXISTS\r\n* 0 RECENT\r\n" % len(self.mails))
            line.say(b"* OK [UIDVALIDITY %d] ok\r\n" % self.uidvalidity)
            line.say(b"* OK [UIDNEXT %d] ok\r\n" % (len(self.mails) + 1))
        elif name == "UID SEARCH":
            line.say(b"* SEARCH" + b"".join(b" %d" % uid for uid in range(1, len(self.mails) + 1)) + b"\r\n")
        elif name == "UID FETCH":
            for uid in _uids(rest):
                raw = self.mails[uid - 1]
                only_size = b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (uid, uid, len(raw))
                line.say(fetched(uid, raw) if b"BODY" in rest else only_size)
        elif name == "IDLE":
            line.say(b"+ idling\r\n")
            line.hear()
        line.say(tag + b" OK done\r\n")
        if name == "LOGOUT":
            raise Hangup


def fetched(uid: int, raw: bytes, *, size: int | None = None, announced: int | None = None) -> bytes:
    """Return a FETCH response; `size` is RFC822.SIZE and `announced` the literal's length, if they are to lie."""
    head = b'* %d FETCH (UID %d RFC822.SIZE %d INTERNALDATE "02-Jan-2026 03:04:05 +0200" BODY[] {%d}\r\n' % (
        uid,
        uid,
        len(raw) if size is None else size,
        len(raw) if announced is None else announced,
    )
    return head + raw + b")\r\n"


def says(*words: bytes, hang_up: bool = False) -> Fault:
    """Return a fault that says these words, {tag} replaced, and perhaps hangs up."""

    def fault(line: Line, tag: bytes) -> None:
        line.say(*(word.replace(b"{tag}", tag) for word in words))
        if hang_up:
            raise Hangup

    return fault


def stalls(line: Line, tag: bytes) -> None:
    """Be silent."""
    line.stall()


def _uids(rest: bytes) -> list[int]:
    found = re.search(rb"FETCH ([0-9,:]+)", rest, re.IGNORECASE)
    return [int(uid) for uid in found[1].split(b",")] if found else []


class ScriptedSmtp(ScriptedServer):
    """A small, honest SMTP server with faults by command: "greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot", "AUTH", "RSET".

    "dot" stands for the answer to the end of the text; "text" for what happens while it comes in.
    """

    def __init__(
        self,
        *,
        faults: dict[str, Fault] | None = None,
        extensions: Iterable[bytes] = (b"SIZE 1000000", b"8BITMIME"),
        token: str = "",
        drop_after: int | None = None,
    ) -> None:
        super().__init__(self._talk, drop_after=drop_after)
        self.faults = faults or {}
        self.taken: list[bytes] = []
        self._extensions = list(extensions)
        self.token = token

    def _talk(self, line: Line) -> None:
        self._answer(line, "greeting", b"220 scripted.example ready\r\n")
        while True:
            said = line.hear()
            name = said.split(b" ")[0].split(b":")[0].upper().decode()
            if name == "EHLO":
                lines = [b"scripted.example", *self._extensions]
                answer = (
                    b"".join(b"250-" + each + b"\r\n" for each in lines[:-1]) + b"250 " + lines[-1] + b"\r\n"
                )
                self._answer(line, name, answer)
            elif name == "AUTH" and "AUTH" not in self.faults:
                self._log_in(line, said)
            elif name == "DATA":
                self._answer(line, name, b"354 go on\r\n")
                if "DATA" not in self.faults:
                    self._take(line)
            elif name == "QUIT":
                line.say(b"221 bye\r\n")
                return
            else:
                self._answer(line, name, b"250 OK\r\n")

    def _take(self, line: Line) -> None:
        if fault := self.faults.get("text"):
            fault(line, b"")
        text = []
        while (said := line.hear()) != b".":
            text.append(said)
        self.taken.append(b"\r\n".join(text))
        self._answer(line, "dot", b"250 taken\r\n")

    def _log_in(self, line: Line, said: bytes) -> None:
        if base64.b64decode(said.split()[2]).decode() == f"user=support\1auth=Bearer {self.token}\1\1":
            line.say(b"235 welcome\r\n")
            return
        line.say(b"334 " + base64.b64encode(b'{"status":"401"}') + b"\r\n")
        line.hear()
        line.say(b"535 5.7.8 token expired\r\n")

    def _answer(self, line: Line, name: str, honest: bytes) -> None:
        if fault := self.faults.get(name):
            fault(line, b"")
        else:
            line.say(honest)
