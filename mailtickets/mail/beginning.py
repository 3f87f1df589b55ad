"""Pure: the beginning of a mail that is too large to be read whole: its header, and the first 64 KB below it."""

from __future__ import annotations

import re

HEAD_BYTES = (256 << 10) + 16  # of a header: what the door of IMAP takes of one, closed with an empty line
TEXT_BYTES = 64 << 10
BEGINNING_BYTES = HEAD_BYTES + TEXT_BYTES  # no beginning is longer
_END = re.compile(rb"\r?\n\r?\n")


def beginning(raw: bytes) -> bytes:
    """Return the header and the first 64 KB below it, the same for a mail and for its beginning; total.

    It is the mail's first bytes, unchanged, so that places in it are places in the mail. Of a header without an
    end in sight it is the first lines.
    """
    if end := _END.search(raw, 0, HEAD_BYTES):
        return raw[: end.end() + TEXT_BYTES]
    return raw if len(raw) <= HEAD_BYTES else raw[: raw.rfind(b"\n", 0, HEAD_BYTES) + 1 or HEAD_BYTES]
