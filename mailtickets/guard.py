"""Reads a mail in a child process with limits of time and memory: for large mails, and for second tries.

The child lives until it is idle for a while or breaks a limit; then the next mail gets a new one.
Run as a module it is the child itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
import resource
import select
import struct
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from mailtickets.children import environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import BinaryIO

    from mailtickets.desk.events import Incoming
    from mailtickets.reading import Reading

    # Raw bytes, digest, mailbox, arrival, truncated, size, DKIM keys: the arguments of `Reading.read`; and whether
    # somebody is told of it, so that the body made fit for agents is wanted, too.
    Request = tuple[bytes, bytes, str, datetime, bool, int, Mapping[str, str], bool]

LIMIT_SECONDS = 30.0
LIMIT_BYTES = 400 << 20  # 300 MB for the mail, and the program itself
IDLE_SECONDS = 60.0
MUCH_MARKUP = 14_000  # lines, elements and entities: a megabyte in base64 has 13,450 lines
PIPE_BYTES = 1 << 20  # the most that Linux lets anybody have
_LENGTH = struct.Struct(">Q")


class TooHard(Exception):  # noqa: N818  (named for the situation)
    """A mail could not be read within the limits, or broke the reader; `reason` is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def is_laborious(raw: bytes) -> bool:
    """Tell whether a mail has so many lines, elements and entities that reading it may take a second: a look of microseconds."""
    return len(raw) > MUCH_MARKUP and sum(map(raw.count, (b"\n", b"<", b"&"))) > MUCH_MARKUP


class Guard:
    """A guarded place for reading mails. Used by one thread."""

    def __init__(self, reading: Reading, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._reading, self._limit_seconds = reading, limit_seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._last_used = 0.0

    def read(
        self,
        raw: bytes,
        digest: bytes,
        mailbox: str,
        arrived: datetime,
        *,
        truncated: bool = False,
        size: int = 0,
        dkim_keys: Mapping[str, str] | None = None,
    ) -> Incoming:
        """Read a mail as `Reading.read` does. Raises TooHard."""
        (answer,) = self.read_many([(raw, digest, mailbox, arrived, truncated, size, dkim_keys or {}, True)])
        if isinstance(answer, str):
            raise TooHard(answer)
        return answer

    def read_many(self, mails: Sequence[Request]) -> list[Incoming | str]:
        """Read several mails in one go; a text in the place of one says why it cannot be read.

        Raises TooHard where one of them broke a limit or the process: nobody knows which.
        """
        child = self._child or self._start()
        self._last_used = time.monotonic()
        deadline = self._last_used + self._limit_seconds
        try:
            self._send(child, pickle.dumps(list(mails), 5), deadline)
            answers: list[Incoming | str] = pickle.loads(self._receive(child, deadline))  # noqa: S301  (our own child's bytes)
        except TooHard:
            self.close()
            raise
        except (OSError, EOFError, pickle.PickleError, struct.error) as error:
            self.close()
            raise TooHard(
                "reading the mail ended its process: it needs too much memory, or breaks the parser"
            ) from error
        return answers

    def start(self) -> None:
        """Start the child, where there is none, and wait until it can read."""
        self.read_many([])

    def is_idle(self) -> bool:
        """Tell whether nothing needed the child for a while."""
        return time.monotonic() - self._last_used > IDLE_SECONDS

    def close_if_idle(self) -> None:
        """End the child where nothing needed it for a while."""
        if self._child and self.is_idle():
            self.close()

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe:
                pipe.close()

    def _start(self) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-m", "mailtickets.guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=environment(),
        )
        self._child = child
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None  # noqa: S101  (both are pipes; for the type checker)
            os.set_blocking(pipe.fileno(), False)
            with contextlib.suppress(OSError):  # a system that allows less: then it takes more turns
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._send(child, pickle.dumps(self._reading), time.monotonic() + self._limit_seconds)
        return child

    def _send(self, child: subprocess.Popen[bytes], payload: bytes, deadline: float) -> None:
        assert child.stdin is not None  # noqa: S101
        left = memoryview(_LENGTH.pack(len(payload)) + payload)
        while left:
            _wait(child.stdin.fileno(), select.POLLOUT, deadline)
            left = left[os.write(child.stdin.fileno(), left[:PIPE_BYTES]) :]

    def _receive(self, child: subprocess.Popen[bytes], deadline: float) -> bytes:
        assert child.stdout is not None  # noqa: S101
        pipe = child.stdout.fileno()
        length = _LENGTH.unpack(self._exactly(pipe, _LENGTH.size, deadline))[0]
        return self._exactly(pipe, length, deadline)

    def _exactly(self, pipe: int, length: int, deadline: float) -> bytes:
        chunks: list[bytes] = []
        while length:
            _wait(pipe, select.POLLIN, deadline)
            chunk = os.read(pipe, min(length, 1 << 20))
            if not chunk:
                raise EOFError
            chunks.append(chunk)
            length -= len(chunk)
        return b"".join(chunks)


def _wait(pipe: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(pipe, event)
    left = deadline - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise TooHard("reading the mail takes longer than its limit of time")


def _child(source: BinaryIO, target: BinaryIO) -> None:
    # Where the desk itself may have less, nobody may raise it: a child that tried would read nothing at all.
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    limit = LIMIT_BYTES if hard == resource.RLIM_INFINITY else min(hard, LIMIT_BYTES)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold people's mail
    reading: Reading = pickle.loads(_read(source))  # noqa: S301  (our own parent's bytes)
    while True:
        try:
            mails = pickle.loads(_read(source))  # noqa: S301
        except EOFError:
            return
        answers: list[Incoming | str] = [_answer(reading, mail) for mail in mails]
        try:
            payload = pickle.dumps(answers, 5)
        except MemoryError:
            payload = pickle.dumps(["reading the mail needs more memory than its limit"] * len(mails))
        target.write(_LENGTH.pack(len(payload)) + payload)
        target.flush()


def _answer(reading: Reading, mail: Request) -> Incoming | str:
    raw, digest, mailbox, arrived, truncated, size, dkim_keys, relayed = mail
    try:
        answer = reading.read(
            raw, digest, mailbox, arrived, truncated=truncated, size=size, dkim_keys=dkim_keys
        )
        if relayed:
            _ = answer.relayed  # made here, within the limits, and taken along
    except MemoryError:
        return "reading the mail needs more memory than its limit"
    except Exception as error:  # noqa: BLE001  (whatever a mail breaks in the reader is an answer here)
        return f"reading the mail breaks the parser ({type(error).__name__})"
    return answer


def _read(source: BinaryIO) -> bytes:
    head = source.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    return source.read(_LENGTH.unpack(head)[0])


if __name__ == "__main__":
    _child(sys.stdin.buffer, sys.stdout.buffer)
