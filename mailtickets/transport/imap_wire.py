"""The socket under IMAP: reads with limits and deadlines, TLS that verifies, and a bell to end a wait.

imaplib leaves open, read, readline, send and shutdown to be overridden, which is all that happens
here; what the lines mean is imapclient's business. A server can make us wait only so long and hold
only so much: each line, each literal and everything within one command is bounded.
"""

from __future__ import annotations

import imaplib
import os
import re
import select
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Buffer

MAX_LINE_BYTES = 2 << 20  # the longest honest line answers SEARCH: 100,000 UIDs are 1.1 MB
MAX_CHATTER_BYTES = 8 << 20  # all lines within one command
MAX_ODD_LITERAL_BYTES = 64 << 10  # a literal where no mail was asked for: folder names at most
MAX_ALERTS = 20
COMMAND_SECONDS = 600.0  # a whole command, however slowly its bytes drip
MOVED_EVERY_SECONDS = 1.0  # how often it is told that bytes come
SLOWEST_BYTES_PER_SECOND = 4096  # more time for a big answer

_CHUNK = 65536
_NEWS = re.compile(rb"\* [0-9]{1,10} EXISTS\b", re.IGNORECASE)
_ALERT = re.compile(
    rb"(?:\*|[A-Za-z0-9]{1,20}) (?:OK|NO|BAD|BYE|PREAUTH) \[ALERT\] ?(.{0,1000})", re.IGNORECASE
)


class Pollable(Protocol):
    """Something with a file descriptor."""

    def fileno(self) -> int: ...


class Bell:
    """Ends a wait from another thread; ringing before the wait ends it too."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()

    def fileno(self) -> int:
        return self._descriptor

    def ring(self) -> None:
        """End the wait; safe from any thread, also after `close`."""
        with self._lock:
            if self._descriptor >= 0:
                os.eventfd_write(self._descriptor, 1)

    def hush(self) -> bool:
        """Forget the ringing; return whether there was any."""
        try:
            return os.eventfd_read(self._descriptor) > 0
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Give the descriptor back."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()


class ImapWire(imaplib.IMAP4):
    """An imaplib connection that keeps its own buffer.

    context           None for clear text.
    connect_seconds   for TCP and the TLS handshake.
    read_seconds      for each wait for bytes.
    moved             is called while bytes come, at most once a second: a slow answer is no hanging.
    """

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext | None,
        connect_seconds: float,
        read_seconds: float,
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        self._context = context
        self._moved, self._moved_at = moved, float("-inf")
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._buffer = bytearray()
        self.lost = ""  # why this connection is dead; "" while it lives
        self.news = False  # the server has told of new mail since this was last set to False
        self.alerts: list[str] = []  # texts of [ALERT], which RFC 3501 section 7.1 wants shown
        self.expect()
        super().__init__(host, port)

    def expect(self, literals: Sequence[int] = ()) -> None:
        """Start the limits of the next command.

        literals  the largest sizes in bytes that its literals may have, one each; () = none of note.
        """
        total = sum(literals)
        self._largest_literal = max(literals, default=MAX_ODD_LITERAL_BYTES)
        self._literal_bytes_left = total or 16 * MAX_ODD_LITERAL_BYTES
        self._chatter_left = MAX_CHATTER_BYTES
        self._deadline = time.monotonic() + COMMAND_SECONDS + total / SLOWEST_BYTES_PER_SECOND

    # What imaplib calls

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:  # noqa: ARG002 - imaplib's signature
        """Connect; TLS from the first byte when there is a context."""
        self.host, self.port = host, port
        sock = socket.create_connection((host, port), self._connect_seconds)
        # imapclient sends a line and its end apart; together with delayed acknowledgements that costs 40 ms each.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._context is not None:
            sock = self._wrapped(sock, self._context)
        sock.settimeout(self._read_seconds)
        self.sock = sock

    def read(self, size: int) -> bytes:
        """Return a literal of exactly `size` bytes."""
        if size > self._largest_literal or size > self._literal_bytes_left:
            raise self._broken(f"the server announced {size} bytes where far fewer were due")
        self._literal_bytes_left -= size
        if size <= len(self._buffer):
            return self._taken(size)
        literal = bytearray(size)
        have = len(self._buffer)
        literal[:have] = self._buffer
        self._buffer.clear()
        view = memoryview(literal)
        while have < size:
            self._patience()
            got = self.sock.recv_into(view[have:])
            if not got:
                raise self._broken("the server closed the connection in the middle of a mail")
            self._came()
            have += got
        view.release()
        return bytes(literal)

    def readline(self) -> bytes:
        """Return a whole line with its end."""
        while (line := self._line()) is None:
            self._patience()
            self._fed(self.sock.recv(_CHUNK))
        return line

    def send(self, data: Buffer) -> None:
        """Send all of it."""
        self.sock.settimeout(self._read_seconds)
        self.sock.sendall(data)

    def shutdown(self) -> None:
        """Close the socket, whatever state it is in."""
        self._buffer.clear()
        self.lost = self.lost or "the connection is closed"
        if getattr(self, "sock", None) is not None:
            self.sock.close()

    # What a mailbox and its connection call besides

    def secure(self, context: ssl.SSLContext) -> None:
        """Upgrade to TLS (RFC 3501 section 6.2.1) or raise; imaplib's own way is not used since it keeps a file of its own."""
        answer, words = self.xatom("STARTTLS")
        if answer != "OK":
            raise self.error(f"STARTTLS was refused: {words!r}")
        if self._buffer:
            # Bytes behind the OK came unprotected; whoever put them there wants them read as protected.
            raise self._broken("the server sent unprotected bytes after its answer to STARTTLS")
        self.sock.settimeout(self._connect_seconds)
        self.sock = self._wrapped(self.sock, context)
        self.sock.settimeout(self._read_seconds)

    def line_or_bell(self, until: float, bell: Pollable) -> bytes | None:
        """Return the next whole line, or None at the monotonic time `until` or when the bell rang.

        Never blocks on half a line, and sees what is already buffered, here or inside TLS.
        """
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        poll.register(bell, select.POLLIN)
        while (line := self._line()) is None:
            if self._fed_without_waiting():
                continue
            left = until - time.monotonic()
            if left <= 0:
                return None
            if any(descriptor == bell.fileno() for descriptor, _ in poll.poll(left * 1000 + 1)):
                return None
        return line

    def stirs(self) -> bool:
        """Return whether the server has sent something that nobody has read."""
        if self._buffer:
            return True
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    # Bytes

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\n", 0, MAX_LINE_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_LINE_BYTES:
                raise self._broken("the server sent a line without end")
            return None
        self._chatter_left -= end
        if self._chatter_left < 0:
            raise self._broken("the server talks without end")
        line = self._taken(end + 1)
        if line.startswith(b"* ") and _NEWS.match(line):
            self.news = True
        elif (
            b"[ALERT]" in line[:64].upper()
            and len(self.alerts) < MAX_ALERTS
            and (found := _ALERT.match(line))
        ):
            self.alerts.append(found[1].decode("utf-8", "replace").strip())
        return line

    def _taken(self, size: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return taken

    def _fed(self, chunk: bytes) -> None:
        if not chunk:
            raise self._broken("the server closed the connection")
        self._came()
        self._buffer += chunk

    def _came(self) -> None:
        now = time.monotonic()
        if now - self._moved_at >= MOVED_EVERY_SECONDS:
            self._moved_at = now
            self._moved()

    def _fed_without_waiting(self) -> bool:
        self.sock.settimeout(0)
        try:
            self._fed(self.sock.recv(_CHUNK))
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        finally:
            self.sock.settimeout(self._read_seconds)
        return True

    def _patience(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._broken("the server is too slow: its answer did not end")
        self.sock.settimeout(min(left, self._read_seconds))

    def _broken(self, why: str) -> imaplib.IMAP4.abort:
        self.lost = why
        return self.abort(why)

    def _wrapped(self, sock: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        try:
            return context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise
