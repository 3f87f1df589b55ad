"""Pure: a `Letter` to finished bytes. The head is written in `heads`, the body in `bodies`.

Body once, head for each recipient: `assemble(compose_head(...), compose_body(...), key, original)`.
"""

from __future__ import annotations

import binascii
import json
import re
import zlib
from typing import TYPE_CHECKING

from mailtickets.mail.bodies import KEY_PLACEHOLDER, Body, Letter, Piece, Slice, compose_body, file_name
from mailtickets.mail.heads import (
    MAX_LINE,
    MAX_NAME,
    Head,
    HeaderUnsafe,
    clean_line,
    compose_head,
    display_name,
    visible_line,
)
from mailtickets.mail.keys import LOOP_FIELD

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

__all__ = [
    "KEY_PLACEHOLDER",
    "LOOP_FIELD",
    "MAX_NAME",
    "Body",
    "Head",
    "HeaderUnsafe",
    "Letter",
    "Piece",
    "Slice",
    "assemble",
    "body_size",
    "clean_line",
    "compose_body",
    "compose_head",
    "display_name",
    "dump_body",
    "file_name",
    "load_body",
    "visible_line",
]

_KEY = re.compile(r"[!#-%(-;?-~]{0,500}")


def assemble(
    head: bytes,
    body: Body,
    key: str,
    original: Callable[[bytes], bytes],
    cuts: MutableMapping[Slice, bytes] | None = None,
) -> bytes:
    """Return the bytes to send.

    head      from `compose_head`.
    key       takes the place of KEY_PLACEHOLDER; printable ASCII without `=`, `<`, `>`, `&` and quotes.
    original  returns a stored original by its SHA-256.
    cuts      what was cut before, for mails that share attachments; it is added to.

    The same arguments always make the same bytes. Raises ValueError for a key that would need encoding.
    """
    if not _KEY.fullmatch(key):
        raise ValueError("a reply key holds a character that mail would have to encode")
    placeholder, wanted = KEY_PLACEHOLDER.encode(), key.encode()
    cuts = {} if cuts is None else cuts
    parts = [head]
    for segment in body.segments:
        if isinstance(segment, bytes):
            parts.append(segment.replace(placeholder, wanted))
            continue
        if segment not in cuts:
            cuts[segment] = _cut(original(segment.digest), segment)
        parts.append(cuts[segment])
    return b"".join(parts)


def body_size(body: Body) -> int:
    """Return the size of a body in bytes, nearly: an as-is slice may grow by its line ends."""
    return sum(len(one) if isinstance(one, bytes) else _slice_size(one) for one in body.segments)


def dump_body(body: Body) -> bytes:
    """Return a body as it is stored: a list of its segments, then our own text, compressed."""
    rows = [
        len(one)
        if isinstance(one, bytes)
        else [one.digest.hex(), one.start, one.end, one.transform, one.encoding]
        for one in body.segments
    ]
    texts = b"".join(one for one in body.segments if isinstance(one, bytes))
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode() + b"\n" + texts, 6)


def load_body(stored: bytes) -> Body:
    """Return the body that `dump_body` stored."""
    listed, _, texts = zlib.decompress(stored).partition(b"\n")
    segments: list[bytes | Slice] = []
    at = 0
    for row in json.loads(listed):
        if isinstance(row, int):
            segments.append(texts[at : at + row])
            at += row
        else:
            segments.append(Slice(bytes.fromhex(row[0]), *row[1:]))
    return Body(tuple(segments))


_B64_BYTES = 57  # make a line of 76 letters
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")


def _cut(original: bytes, piece: Slice) -> bytes:
    raw = original[piece.start : piece.end]
    if piece.transform == "base64":
        return _base64_lines(raw)
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if raw.isascii() and b"\0" not in raw and max(map(len, lines.split(b"\n"))) <= MAX_LINE:
        return lines.replace(b"\n", b"\r\n")
    # A sender's encoding that no server has to carry: the same content in clean lines.
    if piece.encoding == "base64":
        letters = _NOT_BASE64.sub(b"", raw)
        return b"\r\n".join(letters[at : at + 76] for at in range(0, len(letters), 76))
    content = binascii.a2b_qp(lines.replace(b"\n", b"\r\n"))
    return binascii.b2a_qp(content, istext=False).replace(b"\n", b"\r\n")


def _base64_lines(raw: bytes) -> bytes:
    return b"\r\n".join(
        binascii.b2a_base64(raw[at : at + _B64_BYTES], newline=False) for at in range(0, len(raw), _B64_BYTES)
    )


def _slice_size(piece: Slice) -> int:
    length = max(piece.end - piece.start, 0)
    if piece.transform == "as-is":
        return length
    lines = -(-length // _B64_BYTES)
    return -(-length // 3) * 4 + max(lines - 1, 0) * 2
