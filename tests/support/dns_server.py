"""A small DNS server on loopback, for UDP and TCP, that answers as a test wants it to."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

SERVFAIL, SILENCE, TRUNCATED, LOOP, GARBAGE, EMPTY = (
    "SERVFAIL",
    "SILENCE",
    "TRUNCATED",
    "LOOP",
    "GARBAGE",
    "EMPTY",
)


class DnsServer:
    """Answers TXT questions until closed.

    zone   name to what is said of it: texts (each one record), or one of the words above; other names do not exist.
    ttl    of every record, in seconds.
    asked  the names that were asked for by UDP, in order.
    """

    def __init__(self) -> None:
        self.zone: dict[str, list[bytes] | str] = {}
        self.ttl = 300
        self.asked: list[str] = []
        self._udp, self._tcp = self._bound()
        self.address: tuple[str, int] = self._udp.getsockname()
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._by_udp, self._by_tcp)]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _bound() -> tuple[socket.socket, socket.socket]:
        """Return both sockets on one port."""
        while True:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind(("127.0.0.1", 0))
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                tcp.bind(udp.getsockname())
            except OSError:
                udp.close()
                tcp.close()
                continue
            tcp.listen()
            return udp, tcp

    @property
    def environment(self) -> dict[str, str]:
        """What makes a program of ours ask this server."""
        return {"MAILTICKETS_DNS": f"{self.address[0]}:{self.address[1]}"}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for one in (self._udp, self._tcp):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)

    def _by_udp(self) -> None:
        while True:
            try:
                question, sender = self._udp.recvfrom(4096)
            except OSError:
                return
            if not question:
                return  # shut down
            answer = self._answer(question, udp=True)
            if answer:
                with contextlib.suppress(OSError):
                    self._udp.sendto(answer, sender)

    def _by_tcp(self) -> None:
        while True:
            try:
                peer, _ = self._tcp.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError, struct.error):
                (length,) = struct.unpack("!H", peer.recv(2, socket.MSG_WAITALL))
                answer = self._answer(peer.recv(length, socket.MSG_WAITALL), udp=False)
                peer.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, question: bytes, *, udp: bool) -> bytes:
        asked = dns.message.from_wire(question)
        name = asked.question[0].name
        text = name.to_text(omit_final_dot=True).lower()
        if udp:
            self.asked.append(text)
        said = self.zone.get(text)
        answer = dns.message.make_response(asked)
        if said is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif said == SILENCE:
            return b""
        elif said == GARBAGE:
            return question[:2] + b"\xff" * 40
        elif said == SERVFAIL:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif said == LOOP:
            other = f"other.{text}."
            answer.answer = [
                dns.rrset.from_text(name, self.ttl, "IN", "CNAME", other),
                dns.rrset.from_text(other, self.ttl, "IN", "CNAME", name.to_text()),
            ]
        elif said == TRUNCATED:
            if udp:
                answer.flags |= dns.flags.TC
            else:
                answer.answer = [dns.rrset.from_text(name, self.ttl, "IN", "TXT", '"by TCP"')]
        elif isinstance(said, list):
            answer.answer = [
                dns.rrset.from_text(name, self.ttl, "IN", "TXT", *(_quoted(one) for one in said))
            ]
        return answer.to_wire(max_size=65535)


def _quoted(text: bytes) -> str:
    """Return a TXT record in the words of a zone file: strings of 255 bytes at most."""
    pieces = [text[at : at + 255] for at in range(0, len(text), 255)] or [b""]
    return " ".join('"' + "".join(f"\\{byte:03}" for byte in piece) + '"' for piece in pieces)
