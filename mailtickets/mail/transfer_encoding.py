"""Transfer encodings of RFC 2045: undone where text is read, reckoned where only a size is wanted. Pure, total."""

from __future__ import annotations

import binascii

from mailtickets.mail.header_text import base64_bytes


def undo_encoding(encoded: bytes, encoding: str) -> bytes:
    """Return the bytes behind a transfer encoding; an unknown one leaves them as they are (RFC 2045 section 6.4)."""
    if encoding == "base64":
        return base64_bytes(encoded)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(encoded)
    if encoding == "x-uuencode":
        return _undo_uuencode(encoded)
    return encoded


def _undo_uuencode(encoded: bytes) -> bytes:
    """Return the first uuencoded file of a text; its path is not looked at. Without one: the text itself."""
    lines = encoded.split(b"\n")
    start = next((number for number, line in enumerate(lines) if line.startswith(b"begin ")), -1)
    if start < 0:
        return encoded
    decoded = bytearray()
    for line in lines[start + 1 :]:
        stripped = line.rstrip(b"\r")
        # A line may stand for 63 bytes without holding a letter of them: two bytes a line would become much memory.
        if stripped == b"end" or len(decoded) > len(encoded):
            break
        try:
            decoded += binascii.a2b_uu(stripped)
        except ValueError:
            # Some encoders leave a filling letter behind; the first letter says what counts.
            length = (((stripped[0] - 32) & 63) * 4 + 5) // 3 if stripped else 0
            try:
                decoded += binascii.a2b_uu(stripped[:length])
            except ValueError:
                continue
    return bytes(decoded[: len(encoded)])


def decoded_size(raw: bytes, start: int, end: int, encoding: str) -> int:
    """Return the size in bytes of a part's content, by arithmetic: nothing is decoded."""
    if encoding == "base64":
        letters = end - start - _line_end_bytes(raw, start, end)
        ending = raw[max(start, end - 80) : end].rstrip()
        padding = len(ending) - len(ending.rstrip(b"="))
        return max(0, letters * 3 // 4 - padding)
    if encoding == "quoted-printable":
        # "=3D" is one byte; a soft line end is none.
        soft = raw.count(b"=\n", start, end) * 2 + raw.count(b"=\r\n", start, end) * 3
        escapes = (
            raw.count(b"=", start, end) - raw.count(b"=\n", start, end) - raw.count(b"=\r\n", start, end)
        )
        return max(0, end - start - soft - 2 * escapes)
    return end - start


def _line_end_bytes(raw: bytes, start: int, end: int) -> int:
    """Return how many bytes of a base64 text are line ends; where all lines are alike, without counting."""
    first = raw.find(b"\n", start, start + 200) + 1 - start
    if first > 1:
        line_end = 2 if raw[start + first - 2] == 0x0D else 1
        full = (end - start) // first
        middle, last = start + full // 2 * first, start + full * first
        if raw[middle - 1] == raw[last - 1] == 0x0A and raw.find(b"\n", last, end) < 0:
            return full * line_end
    return raw.count(b"\n", start, end) + raw.count(b"\r", start, end)
