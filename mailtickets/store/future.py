"""After a clock was put back: what was written with times that are still to come must not wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.store.times import to_us

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime, timedelta


def bring_back(
    connection: sqlite3.Connection, now: datetime, gap: timedelta, wrong_since: datetime | None
) -> None:
    """Bring times of the future back to now, inside the caller's transaction.

    Mails queued in the future go out, answers given then count against no limit, alarms told then may be told again.
    A retry is touched only where it lies further ahead than `gap`, or than `wrong_since`.

    wrong_since   from when on the times written were wrong; silences that began then are counted from now. None: the
                  present time may well be the wrong one, so no ticket is touched.
    """
    present = to_us(now)
    beyond = to_us(wrong_since or now + gap)
    connection.execute(
        "UPDATE outbox SET next_at = ? WHERE state IN ('queued', 'deferred') AND next_at > ?"
        " AND (queued_at > ? OR state = 'deferred' AND next_at > ?)",
        (present, present, present, beyond),
    )
    connection.execute("DELETE FROM acknowledgement WHERE at > ?", (present,))
    connection.execute("UPDATE news SET since = min(since, ?1), due = ?1 WHERE since > ?1", (present,))
    connection.execute(
        "UPDATE alarm SET since = min(since, ?1), last_at = min(last_at, ?1), told_at = min(told_at, ?1) WHERE last_at > ?1",
        (present,),
    )
    if wrong_since:
        # A silence lasts its full time after its mail was sent; a mail is given up so long after it was queued.
        connection.execute(
            "UPDATE outbox SET queued_at = min(queued_at, ?1), sent_at = min(sent_at, ?1) WHERE queued_at >= ?2 OR sent_at >= ?2",
            (present, beyond),
        )
        # A silence put off into the future by an absence is older, and stays.
        connection.execute(
            "UPDATE ticket SET silent_base = ?1, silent_since = min(silent_since, ?1) WHERE silent_base >= ?2 AND updated_at >= ?2",
            (present, beyond),
        )
