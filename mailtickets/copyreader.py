"""Reads one copy of the ledger: in the desk, ahead of its turn, or in a process of its own where it is large or laborious.

It keeps the bytes of what was taken in a moment ago at hand, and decides nothing.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from mailtickets.guard import Guard, TooHard, is_laborious
from mailtickets.readahead import ReadAhead
from mailtickets.store import store_trouble
from mailtickets.unread import head_only

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailtickets.desk.events import Incoming
    from mailtickets.guard import Request
    from mailtickets.originals import Originals
    from mailtickets.reading import Reading
    from mailtickets.recording import Rules
    from mailtickets.store.ledger import Copy

LARGE_BYTES = 1 << 20  # above this a mail is read in a process of its own, whatever is in it


class CopyReader:
    """Reads copies by the present rules, and owns the processes that do it.

    originals   stored originals: the bytes of copies that are not kept here.
    """

    def __init__(self, rules: Rules, originals: Originals) -> None:
        self._rules, self._originals = rules, originals
        self._guard = Guard(rules.reading)
        self._ahead = ReadAhead(rules.reading)
        self._raw: dict[int, bytes] = {}  # of mails accepted and not yet settled

    def use(self, rules: Rules) -> None:
        """Read by new rules from now on; what was read ahead by the old ones is dropped."""
        self.close()
        self._rules = rules
        self._guard, self._ahead = Guard(rules.reading), ReadAhead(rules.reading)

    def keep(self, number: int, raw: bytes) -> None:
        """Keep the bytes of a copy at hand until `forget`."""
        self._raw[number] = raw

    def forget(self, number: int) -> None:
        """Drop the bytes of a copy that is decided now."""
        self._raw.pop(number, None)

    def kept(self, number: int) -> bytes | None:
        """Return the bytes of a copy if they are at hand."""
        return self._raw.get(number)

    def raw(self, copy: Copy) -> bytes:
        """Return the bytes of a copy, of one that is too large its beginning. Raises KeyError if they are neither at hand nor stored."""
        stored = self._originals.beginning if copy.truncated else self._originals.get
        return self._raw.get(copy.id) or stored(copy.digest)

    def offer(self, copies: Iterable[Copy]) -> None:
        """Have copies read ahead of their turn, in this order; large ones wait for it."""
        self._ahead.offer(
            (copy.id, copy.size, partial(self._request, copy)) for copy in copies if copy.size <= LARGE_BYTES
        )

    def _request(self, copy: Copy) -> Request:
        told = any(queue.agents for queue in self._rules.policy.queues.values())
        raw = self.raw(copy)
        return raw, copy.digest, copy.mailbox, copy.arrived, copy.truncated, copy.size, copy.dkim_keys, told

    def read(self, copy: Copy) -> Incoming:
        """Read a copy where it is read best. Raises TooHard."""
        if copy.size > LARGE_BYTES and not copy.truncated:
            return self.read_apart(copy)
        ahead = self._ahead.take(copy.id)
        if isinstance(ahead, str):
            raise TooHard(ahead)
        if ahead is None and is_laborious(self.raw(copy)):
            return self.read_apart(copy)
        return ahead or self._read_by(self._rules.reading, copy)

    def read_apart(self, copy: Copy) -> Incoming:
        """Read a copy in a process of its own, with limits of time and memory. Raises TooHard."""
        return self._read_by(self._guard, copy)

    def _read_by(self, reader: Reading | Guard, copy: Copy) -> Incoming:
        raw = self.raw(copy)
        return reader.read(
            raw,
            copy.digest,
            copy.mailbox,
            copy.arrived,
            truncated=copy.truncated,
            size=copy.size,
            dkim_keys=copy.dkim_keys,
        )

    def read_head(self, copy: Copy) -> Incoming:
        """Return what the header of a mail says that cannot be read whole. Raises TooHard."""
        whole = True
        try:
            raw = self.raw(copy)
        except Exception as error:
            if store_trouble(error):
                raise
            raw, whole = b"", False  # the original is damaged: that is why it cannot be read
        try:
            head = head_only(raw, copy.id, whole=whole)
            incoming = self._guard.read(head, copy.digest, copy.mailbox, copy.arrived)
        except TooHard:
            head = head_only(b"", copy.id, whole=whole)
            incoming = self._guard.read(head, copy.digest, copy.mailbox, copy.arrived)
        return replace(incoming, unread=True)

    def close_if_idle(self) -> None:
        """End the processes that nothing needed for a while: that gives memory back."""
        self._guard.close_if_idle()
        self._ahead.close_if_idle()

    def close(self) -> None:
        """End the processes."""
        self._guard.close()
        self._ahead.close()
