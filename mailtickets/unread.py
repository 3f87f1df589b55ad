"""Pure: a small mail in place of one that cannot be read: who it is from and about what, as far as its header says."""

from __future__ import annotations

import re

HEAD_BYTES = 64 << 10
FIELD_BYTES, SAME_FIELDS, FIELDS = 2000, 3, 40
# What says who wrote, to whom, about what, and to which ticket it belongs. Nothing of these is about how a body is built.
_KEPT = re.compile(
    rb"^(from|to|cc|reply-to|subject|date|message-id|in-reply-to|references|delivered-to|x-original-to)[ \t]{0,9}:",
    re.IGNORECASE,
)
ELSEWHERE = "the copy in the mailbox, or a backup, may have its bytes"
_END = re.compile(rb"\r?\n\r?\n")
_FIELD_END = re.compile(rb"\r?\n(?![ \t])")


def head_only(raw: bytes, number: int, *, whole: bool = True) -> bytes:
    """Return a mail with the telling header fields of another one, and a text that says where that one is.

    raw      the mail that cannot be read; b"" where not even its bytes can be had.
    number   of the mail in the ledger.
    whole    its stored bytes can be read.
    """
    head = raw[:HEAD_BYTES].lstrip(b"\r\n")
    if end := _END.search(head):
        head = head[: end.start()]
    kept: list[bytes] = []
    counts: dict[bytes, int] = {}
    for field in _FIELD_END.split(head):
        if not (name := _KEPT.match(field)) or len(kept) >= FIELDS:
            continue
        key = name[1].lower()
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= SAME_FIELDS:
            kept.append(re.sub(rb"[\r\n\0]+", b" ", field[:FIELD_BYTES]))
    if b"subject" not in counts:
        kept.append(b"Subject: a mail that could not be read")
    where = (
        f"Its original is kept whole: mailtickets quarantine show {number}"
        if whole
        else f"Its stored original is damaged; {ELSEWHERE}."
    )
    return b"\r\n".join((*kept, b"", f"This mail could not be read. {where}".encode(), b""))
