"""Keeps the last originals at hand, since answers and notices quote what came in a moment ago."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from mailtickets.mail.beginning import BEGINNING_BYTES, beginning

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_BYTES = 8 << 20


class Originals:
    """Raw mails by digest: the newest few megabytes in memory, all others read from the store.

    read    returns a stored original whole.
    begin   returns so many of its first bytes.
    """

    def __init__(self, read: Callable[[bytes], bytes], begin: Callable[[bytes, int], bytes]) -> None:
        self._read, self._begin = read, begin
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, digest: bytes) -> bytes:
        """Return a stored original. Raises KeyError if there is none."""
        if digest in self._kept:
            self._kept.move_to_end(digest)
            return self._kept[digest]
        raw = self._read(digest)
        self.keep(digest, raw)
        return raw

    def beginning(self, digest: bytes) -> bytes:
        """Return what is read of an original that is too large; not all of it comes into memory. Raises KeyError."""
        key = b"beginning " + digest  # the whole one may be asked for, too
        if key not in self._kept:
            self.keep(key, beginning(self._kept.get(digest) or self._begin(digest, BEGINNING_BYTES)))
        return self._kept[key]

    def forget(self) -> None:
        """Keep none: some were erased."""
        self._kept.clear()
        self._bytes = 0

    def keep(self, digest: bytes, raw: bytes) -> None:
        """Keep an original at hand, in place of the ones not used for longest."""
        if len(raw) > KEPT_BYTES // 2 or digest in self._kept:
            return
        self._kept[digest] = raw
        self._bytes += len(raw)
        while self._bytes > KEPT_BYTES:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped)
