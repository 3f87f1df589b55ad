"""Keeps the last originals at hand, since answers and notices quote what came in a moment ago."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_BYTES = 8 << 20


class Originals:
    """Raw mails by digest: the newest few megabytes in memory, all others read from the store."""

    def __init__(self, read: Callable[[bytes], bytes]) -> None:
        self._read = read
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
