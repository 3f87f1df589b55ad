"""A bad network on 127.0.0.1: a TCP proxy in front of any server, which fails on command and writes down what was said.

    with FaultyNetwork(dovecot.imap) as network:   # clients connect to network.port
        network.arm(Cut(after=120))                # the next connection ends after the server's 120th byte
        network.arm(Stall(after=b"* SEARCH"), always=True)   # every connection, until `mend`, after these words

Each armed fault has one connection; later ones are honest, so that recovery can be watched. Each connection has a thread.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from tests.support import patience

Side = Literal["server", "client"]

_CHUNK = 65536
_LOOK_SECONDS = 0.05
_RST_AT_CLOSE = struct.pack("ii", 1, 0)
_SLICES_PER_SECOND = 20


@dataclass(frozen=True)
class Cut:
    """End the connection as soon as `side` has said so many bytes, or these words; by FIN, or by RST where `abrupt`."""

    after: int | bytes
    side: Side = "server"
    abrupt: bool = False


@dataclass(frozen=True)
class Stall:
    """From there on carry nothing, either way; the connection stays open until the client leaves."""

    after: int | bytes
    side: Side = "server"


@dataclass(frozen=True)
class Hold:
    """From there on carry nothing until `let_go` is set, then go on honestly."""

    after: int | bytes
    side: Side = "server"
    let_go: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Garbage:
    """Put these bytes between the server's own there; then go on honestly, or end the connection."""

    after: int | bytes
    words: bytes
    side: Side = "server"
    cut: bool = False


@dataclass(frozen=True)
class Throttle:
    """Carry no more than so many bytes a second, each way."""

    bytes_per_second: int
    after: int | bytes = 0
    side: Side = "server"


Fault = Cut | Stall | Hold | Garbage | Throttle


def random_bytes(seed: int, count: int) -> bytes:
    """Return garbage of a seed; print the seed, so that a failure can be seen again."""
    print(f"seed {seed}")
    return random.Random(seed).randbytes(count)


@dataclass
class Dialogue:
    """What one connection carried, by side; `struck`: its fault has happened."""

    server: bytearray = field(default_factory=bytearray)
    client: bytearray = field(default_factory=bytearray)
    struck: bool = False

    def said(self, side: Side) -> bytearray:
        return self.server if side == "server" else self.client


class FaultyNetwork:
    """Listens on `port` and carries each connection to 127.0.0.1:`to`; `with` starts and ends it.

    dialogues  of all connections so far, in their order.
    struck     how many faults have happened.
    """

    def __init__(self, to: int) -> None:
        self.to = to
        self.dialogues: list[Dialogue] = []
        self.struck = 0
        self._faults: list[Fault] = []
        self._always = False
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._clients: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name="faulty-network", daemon=True)

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._acceptor, *self._threads):
            thread.join(5)

    def arm(self, *faults: Fault, always: bool = False) -> None:
        """Let the next connections fail, one for each fault; or every connection by the first."""
        with self._lock:
            self._faults, self._always = list(faults), always

    def mend(self) -> None:
        """Be honest to new connections."""
        self.arm()

    def hang_up(self) -> None:
        """End every connection that there is."""
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def rest(self, seconds: float = 10.0) -> None:
        """Wait until every connection has ended, so that all faults that were reached have happened."""
        end = time.monotonic() + seconds * patience.TIMES
        for thread in list(self._threads):
            thread.join(max(end - time.monotonic(), 0))
            if thread.is_alive():
                raise AssertionError(f"a connection still lives after {seconds} s")

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                fault = self._faults[0] if self._faults else None
                if fault and not self._always:
                    del self._faults[0]
            dialogue = Dialogue()
            self.dialogues.append(dialogue)
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            thread = threading.Thread(target=self._carry, args=(client, dialogue, fault), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, client: socket.socket, dialogue: Dialogue, fault: Fault | None) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.to), 10)
        except OSError:
            client.close()
            return
        self._clients.add(client)
        with client, server, contextlib.suppress(OSError):  # an end that has gone ends the other
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Carrier(client, server, dialogue, self, fault).run()
        self._clients.discard(client)

    def happened(self, dialogue: Dialogue) -> None:
        """Count a fault; for the connection's own thread."""
        with self._lock:
            dialogue.struck = True
            self.struck += 1

    @property
    def over(self) -> bool:
        return self._over.is_set()


def _place(fault: Fault, said: bytes | bytearray) -> int | None:
    """Return after how many bytes of these a fault is due; None if not within them."""
    if isinstance(fault.after, int):
        return fault.after if len(said) >= fault.after else None
    at = said.find(fault.after)
    return None if at < 0 else at + len(fault.after)


class _Carrier:
    """One connection: what is read on one side is written on the other, until the fault."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        dialogue: Dialogue,
        network: FaultyNetwork,
        fault: Fault | None,
    ) -> None:
        self._client, self._server, self._dialogue, self._network = client, server, dialogue, network
        self._fault = fault
        self._slice = 0  # bytes at a time, 0 = all there are

    def run(self) -> None:
        if not self._strike():
            return
        while not self._network.over:
            ready, _, _ = select.select((self._client, self._server), (), (), _LOOK_SECONDS)
            for source in ready:
                if not (chunk := source.recv(self._slice or _CHUNK)) or not self._passed(source, chunk):
                    return
                if self._slice:
                    time.sleep(1 / _SLICES_PER_SECOND)

    def _passed(self, source: socket.socket, chunk: bytes) -> bool:
        """Carry bytes on, up to the fault if it lies within them; return whether the connection goes on."""
        side: Side = "server" if source is self._server else "client"
        target = self._client if side == "server" else self._server
        said = self._dialogue.said(side)
        rest = b""
        if (
            self._fault is not None
            and self._fault.side == side
            and (at := _place(self._fault, said + chunk)) is not None
        ):
            chunk, rest = chunk[: at - len(said)], chunk[at - len(said) :]
        said += chunk
        target.sendall(chunk)
        if not self._strike():
            return False
        return self._passed(source, rest) if rest else True

    def _strike(self) -> bool:
        """Let the fault happen if its byte is reached; return whether the connection goes on."""
        fault = self._fault
        if fault is None or _place(fault, self._dialogue.said(fault.side)) is None:
            return True
        self._fault = None
        self._network.happened(self._dialogue)
        match fault:
            case Cut(abrupt=True):
                for each in (self._client, self._server):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_AT_CLOSE)
                return False
            case Cut():
                # Not `close`: with unread bytes in our hands that would be an RST, too.
                for each in (self._client, self._server):
                    with contextlib.suppress(OSError):
                        each.shutdown(socket.SHUT_WR)
                return self._swallow({self._client, self._server})
            case Stall():
                return self._swallow({self._client})
            case Hold(let_go=let_go):
                while not let_go.wait(_LOOK_SECONDS) and not self._network.over:
                    pass
            case Garbage(words=words, cut=cut):
                self._client.sendall(words)
                return not cut
            case Throttle(bytes_per_second=speed):
                self._slice = max(speed // _SLICES_PER_SECOND, 1)
        return True

    def _swallow(self, open_ends: set[socket.socket]) -> bool:
        """Read what still comes, for nobody, until these ends are closed."""
        while open_ends and not self._network.over:
            ready, _, _ = select.select(tuple(open_ends), (), (), _LOOK_SECONDS)
            for source in ready:
                try:
                    if source.recv(_CHUNK):
                        continue
                except OSError:
                    pass
                open_ends.discard(source)
        return False
