"""Puts a mail of the outbox together from what is stored: the same bytes each time, or none."""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

from mailtickets.mail.compose import assemble, load_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailtickets.store.outbox import Stored


class Damaged(Exception):  # noqa: N818  (named for the situation)
    """A stored mail is not what was queued."""


def mail_bytes(mail: Stored, original: Callable[[bytes], bytes]) -> bytes:
    """Return a mail as it is sent. Raises Damaged.

    original   returns a stored original by its digest, or raises KeyError.
    """
    try:
        raw = assemble(mail.head, load_body(mail.body), mail.reply_key, original)
    except (KeyError, ValueError, zlib.error) as error:
        raise Damaged(str(error)) from error
    if hashlib.sha256(raw).digest() != mail.digest:
        raise Damaged("its bytes are not those that were queued")
    return raw
