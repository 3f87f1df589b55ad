"""A raw IMAP client that costs next to nothing, so that what is measured is the server."""

from __future__ import annotations

import re
import socket
import time
from typing import Self

LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


class RawImap:
    """One connection with its folder open; answers are read until the command's tag comes back."""

    def __init__(self, port: int, user: str, password: str = "secret") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._file = self._socket.makefile("rb")
        self._number = 0
        self._file.readline()
        self.command(f"LOGIN {user} {password}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def command(self, text: str) -> list[bytes]:
        """Send a command; return the literals of its answer."""
        self._number += 1
        tag = b"a%d " % self._number
        self._socket.sendall(tag + text.encode() + b"\r\n")
        literals = []
        while True:
            line = self._file.readline()
            if not line:
                raise EOFError(text)
            if line.startswith(tag):
                if not line.startswith(tag + b"OK"):
                    raise RuntimeError(f"{text}: {line!r}")
                return literals
            if found := LITERAL.search(line):
                literals.append(self._file.read(int(found[1])))

    def select(self) -> None:
        """Open INBOX; the first time Dovecot indexes it."""
        self.command("SELECT INBOX")

    def fetch(self, first: int, count: int, batch: int = 50) -> list[bytes]:
        """Return mails by sequence number, fetched in batches, flags untouched."""
        mails: list[bytes] = []
        for start in range(first, first + count, batch):
            end = min(start + batch, first + count) - 1
            mails += self.command(f"FETCH {start}:{end} (UID BODY.PEEK[])")
        return mails

    def idle(self) -> None:
        """Begin IDLE (RFC 2177)."""
        self._number += 1
        self._socket.sendall(b"a%d IDLE\r\n" % self._number)
        self._file.readline()

    def heard(self) -> float:
        """Wait for the server's word of a new mail in IDLE; return when it came, in seconds since 1970."""
        while b" EXISTS" not in self._file.readline():
            pass
        return time.time()

    def done(self) -> None:
        """End IDLE."""
        self._socket.sendall(b"DONE\r\n")
        while not self._file.readline().startswith(b"a%d " % self._number):
            pass

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()
