"""What is kept only for a time: dropped once a day. Nothing of a ticket's history is among it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailtickets.store import Store

KEEP_SENT_BYTES = timedelta(days=30)


def forget_old(store: Store, now: datetime) -> None:
    """Drop the bytes of mails sent long ago, and counts that no limit looks at; once a day."""
    with store.transaction():
        store.outbox.forget_bytes(now - KEEP_SENT_BYTES)
        store.tickets.forget_acknowledgements(now)
        store.set_setting("forgot_at", now.isoformat())
    store.release_memory()
