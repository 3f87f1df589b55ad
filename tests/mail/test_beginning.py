"""The beginning of a mail that is too large."""

from __future__ import annotations

import pytest

from mailtickets.mail.beginning import BEGINNING_BYTES, HEAD_BYTES, TEXT_BYTES, beginning

HEAD = b"From: ana@customer.example\r\nSubject: x\r\n\r\n"
LONG = b"X-Line: a\n" * 100_000


@pytest.mark.parametrize(
    ("raw", "length"),
    [
        (b"", 0),
        (HEAD + b"y" * 100, len(HEAD) + 100),
        (HEAD + b"y" * 500_000, len(HEAD) + TEXT_BYTES),
        (HEAD.replace(b"\r", b"") + b"y" * 500_000, len(HEAD) - 3 + TEXT_BYTES),
        (LONG, HEAD_BYTES // 10 * 10),  # a header without an end, cut behind a line
        (b"y" * 900_000, HEAD_BYTES),
        (LONG[:200_000] + b"\n" + b"y" * 500_000, 200_001 + TEXT_BYTES),
    ],
)
def test_it_is_the_head_and_64_kb(raw, length):
    """As bytes of the mail from its first on, bounded; the same again of itself, and of the first bytes in a store."""
    begun = beginning(raw)
    assert len(begun) == length <= BEGINNING_BYTES
    assert raw.startswith(begun)
    assert beginning(begun) == begun == beginning(raw[:BEGINNING_BYTES])
