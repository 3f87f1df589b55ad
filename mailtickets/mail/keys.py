"""Pure: reply keys and the loop signature, made and checked.

A thread key (`t1-1042-MAC`) proves that a mail belongs to a ticket, nothing more. An agent key
(`a1-1042-0-MAC-kim`) belongs to one agent on one ticket; with that agent's From it gives that
agent's rights. The MAC is 80 bits of HMAC-SHA256 in base 32 (RFC 4648 section 6), so that it
survives servers that lower the case of a local part.

An agent key carries a generation in place of a date: it ends 60 days after the ticket's closing,
which nobody knows when it is made, and at once when a newer generation was issued.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mailtickets.mail.message import Message

MAC_BITS = 80
_TOKEN = re.compile(
    r"(?<![a-z0-9])(?:t(?P<tkey>[0-9]{1,4})-(?P<tticket>[0-9]{1,10})-(?P<tmac>[a-z2-7]{16})"
    r"|a(?P<akey>[0-9]{1,4})-(?P<aticket>[0-9]{1,10})-(?P<gen>[0-9]{1,6})-(?P<amac>[a-z2-7]{16})"
    r"-(?P<agent>[a-z][a-z0-9_-]{0,22}[a-z0-9]|[a-z]))(?![a-z0-9])"
)
_MAC = re.compile(r"-[a-zA-Z2-7]{16}")  # stands in every key, and is found ten times as quickly
# A quoted body may be long; keys stand in the first lines below the agent's text or in the footer.
MAX_BODY_LETTERS = 200_000
MAX_TOKENS = 50


class KeyKind(StrEnum):
    """What a key proves."""

    THREAD = "thread"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class ReplyKey:
    """A key whose MAC was checked. `agent` and `generation` are set for an agent key only."""

    kind: KeyKind
    ticket: int
    agent: str = ""
    generation: int = 0
    place: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """The desk's secrets by number; `current` signs, all of them verify."""

    secrets: Mapping[int, bytes]
    current: int

    def __repr__(self) -> str:
        """Name the keys, never their secrets."""
        return f"KeyRing(keys={sorted(self.secrets)}, current={self.current})"

    def _mac(self, number: int, purpose: str, text: str) -> str:
        digest = hmac.new(self.secrets[number], f"{purpose}:{text}".encode(), hashlib.sha256).digest()
        return base64.b32encode(digest[: MAC_BITS // 8]).decode().lower()

    def thread_key(self, ticket: int) -> str:
        """Return the key that goes into mail to the customers of a ticket."""
        return f"t{self.current}-{ticket}-{self._mac(self.current, 'thread', str(ticket))}"

    def agent_key(self, ticket: int, agent: str, generation: int) -> str:
        """Return the key that goes into mail to one agent about one ticket."""
        mac = self._mac(self.current, "agent", f"{ticket}:{agent}:{generation}")
        return f"a{self.current}-{ticket}-{generation}-{mac}-{agent}"

    def read(self, text: str, place: str) -> tuple[ReplyKey, ...]:
        """Return the valid keys that stand in a text, in order; a forged one is left out."""
        found: list[ReplyKey] = []
        if not _MAC.search(text):
            return ()
        for count, match in enumerate(_TOKEN.finditer(text.lower())):
            if count >= MAX_TOKENS:
                break
            key = self._check(match, place)
            if key and key not in found:
                found.append(key)
        return tuple(found)

    def has_void_key(self, text: str) -> bool:
        """Tell whether a text holds what has the form of a key and is none: forged, or of a secret that is gone."""
        if not _MAC.search(text):
            return False
        matches = itertools.islice(_TOKEN.finditer(text.lower()), MAX_TOKENS)
        return any(self._check(match, "") is None for match in matches)

    def _check(self, match: re.Match[str], place: str) -> ReplyKey | None:
        kind = KeyKind.THREAD if match["tkey"] else KeyKind.AGENT
        number = int(match["tkey"] or match["akey"])
        if number not in self.secrets:
            return None
        ticket = int(match["tticket"] or match["aticket"])
        if kind is KeyKind.THREAD:
            expected = self._mac(number, "thread", str(ticket))
            return (
                ReplyKey(kind, ticket, place=place) if hmac.compare_digest(expected, match["tmac"]) else None
            )
        generation, agent = int(match["gen"]), match["agent"]
        expected = self._mac(number, "agent", f"{ticket}:{agent}:{generation}")
        if not hmac.compare_digest(expected, match["amac"]):
            return None
        return ReplyKey(kind, ticket, agent, generation, place)

    def sign_loop(self, message_id: str) -> str:
        """Return the value of our loop field for a mail with this Message-ID (RFC 3834 section 3.1.7)."""
        return f"{self.current}-{self._mac(self.current, 'loop', message_id)}"

    def is_our_loop(self, value: str, message_id: str) -> bool:
        """Tell whether a loop field was signed by this desk for this very Message-ID."""
        number, _, mac = value.strip().partition("-")
        if not re.fullmatch(r"[0-9]{1,4}", number) or int(number) not in self.secrets or not message_id:
            return False
        return hmac.compare_digest(self._mac(int(number), "loop", message_id).encode(), mac.encode())


LOOP_FIELD = "X-Mailtickets-Loop"


_SHOWN = re.compile(r"(?i)(?<![a-z0-9])([at][0-9]{1,4}-[0-9]{1,10}(?:-[0-9]{1,6})?)-[a-z2-7]{16}")
_SHOWN_CODE = re.compile(
    r"(?i)(\[[a-z][a-z0-9]{1,9}-[0-9]{1,10}\s{1,5}confirm\s{1,5})[a-z2-9]{4}-[a-z2-9]{4}(?=\])"
)


def without_keys(text: str) -> str:
    """Return a text without what gives rights: the MAC of every reply key, and every confirmation's code."""
    return _SHOWN_CODE.sub(r"\1***", _SHOWN.sub(r"\1-***", text))


def without_agent_keys(text: str) -> str:
    """Return a text as `without_keys` does, but with thread keys as they are: they give no rights."""
    return _SHOWN_CODE.sub(
        r"\1***", _SHOWN.sub(lambda key: key[0] if key[0][0] in "tT" else f"{key[1]}-***", text)
    )


def keys_of(ring: KeyRing, message: Message, body: str) -> tuple[ReplyKey, ...]:
    """Return the valid keys a mail carries, strongest place first.

    The four places of design section 8: the address it was sent to, In-Reply-To and References,
    and the footer line of our notices as quoted back in `body`.
    """
    distinct: dict[tuple[str, int, str, int], ReplyKey] = {}
    for place, text in _places(message, body):
        for key in ring.read(text, place):
            distinct.setdefault((key.kind, key.ticket, key.agent, key.generation), key)
    return tuple(distinct.values())


def void_keys_of(ring: KeyRing, message: Message, body: str) -> tuple[str, ...]:
    """Return the places in which a mail has something of the form of a key that is none."""
    return tuple(place for place, text in _places(message, body) if ring.has_void_key(text))


def _places(message: Message, body: str) -> Iterable[tuple[str, str]]:
    yield "recipient address", " ".join(_recipients(message))
    yield "In-Reply-To", " ".join(message.in_reply_to)
    yield "References", " ".join(reversed(message.references))
    yield "quoted footer", body[:MAX_BODY_LETTERS]


def _recipients(message: Message) -> Iterable[str]:
    yield from message.delivered_to
    for address in (*message.to, *message.cc):
        yield address.address
