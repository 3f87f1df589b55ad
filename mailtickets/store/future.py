"""After a clock was put back: what was written with times that are still to come must not wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.store.times import to_us

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime, timedelta


def bring_back(connection: sqlite3.Connection, now: datetime, gap: timedelta) -> None:
    """Bring times of the future back to now, inside the caller's transaction.

    Mails queued in the future go out, answers given then count against no limit, alarms told then may be told again.
    A retry or a silence is touched only where it lies further ahead than `gap`: a clock one hour off moves no due time.
    """
    present, beyond = to_us(now), to_us(now + gap)
    connection.execute(
        "UPDATE outbox SET next_at = ? WHERE state IN ('queued', 'deferred') AND next_at > ?"
        " AND (queued_at > ? OR state = 'deferred' AND next_at > ?)",
        (present, present, present, beyond),
    )
    connection.execute("DELETE FROM acknowledgement WHERE at > ?", (present,))
    connection.execute(
        "UPDATE alarm SET since = min(since, ?1), last_at = min(last_at, ?1), told_at = min(told_at, ?1) WHERE last_at > ?1",
        (present,),
    )
    connection.execute(
        "UPDATE ticket SET silent_base = ?1, silent_since = min(silent_since, ?1) WHERE silent_base > ?2",
        (present, beyond),
    )
