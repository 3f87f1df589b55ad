"""Trouble that the admins should know of: each kind at most once an hour, and once more on recovery."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mailtickets.store.times import from_us, to_us

if TYPE_CHECKING:
    import sqlite3

    from mailtickets.desk.ticket import Alarm

TELL_AGAIN = timedelta(hours=1)
UNCERTAIN_MAIL = "uncertain mail"  # its kind; `status` has a line of its own about these mails


@dataclass(frozen=True, slots=True)
class AlarmState:
    """An alarm as it stands: since when, how often it was raised, and whether the admins were told of it."""

    kind: str
    what: str
    why: str
    remedy: str
    since: datetime
    last_at: datetime
    count: int
    told: bool


class Alarms:
    """The open alarms; one that is over is kept, with the count 0, for the hour in which its kind is not told again."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def raise_(self, alarm: Alarm, now: datetime) -> bool:
        """Note an alarm; return whether the admins are to be told now. Until they are told anew it stays as they were told it."""
        row = self._connection.execute("SELECT told_at FROM alarm WHERE kind = ?", (alarm.kind,)).fetchone()
        tell = row is None or row[0] is None or (not alarm.once and row[0] <= to_us(now - TELL_AGAIN))
        self._connection.execute(
            "INSERT INTO alarm (kind, what, why, remedy, since, last_at, told_at, count) VALUES (?, ?, ?, ?, ?, ?, ?, 1)"
            " ON CONFLICT (kind) DO UPDATE SET"
            # One row is about one event: what it gives as the reason is of the event that it names.
            " why = CASE WHEN count > 0 AND excluded.told_at IS NULL AND what <> excluded.what THEN why ELSE excluded.why END,"
            " remedy = CASE WHEN count > 0 AND excluded.told_at IS NULL AND what <> excluded.what THEN remedy ELSE excluded.remedy END,"
            " what = CASE WHEN count > 0 AND excluded.told_at IS NULL THEN what ELSE excluded.what END,"
            " since = CASE WHEN count = 0 THEN excluded.since ELSE since END,"
            " last_at = excluded.last_at, told_at = coalesce(excluded.told_at, told_at), count = count + 1",
            (
                alarm.kind,
                alarm.what,
                alarm.why,
                alarm.remedy,
                to_us(alarm.since or now),
                to_us(now),
                to_us(now) if tell else None,
            ),
        )
        return tell

    def clear(self, kind: str) -> AlarmState | None:
        """End an alarm; return it if it was open."""
        state = self.get(kind)
        if state:
            self._connection.execute(
                "DELETE FROM alarm WHERE count = 0 AND coalesce(told_at, 0) <= ?",
                (to_us(state.last_at - TELL_AGAIN),),
            )
            self._connection.execute("UPDATE alarm SET count = 0 WHERE kind = ?", (kind,))
        return state

    def get(self, kind: str) -> AlarmState | None:
        """Return an open alarm."""
        return next((state for state in self.open() if state.kind == kind), None)

    def open(self) -> list[AlarmState]:
        """Return the open alarms, the newest first."""
        rows = self._connection.execute(
            "SELECT kind, what, why, remedy, since, last_at, count, coalesce(told_at >= since, 0) FROM alarm"
            " WHERE count > 0 ORDER BY last_at DESC"
        )
        return [
            AlarmState(k, w, y, r, from_us(s), from_us(at), n, bool(told))
            for k, w, y, r, s, at, n, told in rows
        ]
