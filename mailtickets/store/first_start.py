"""When the desk was first started: mail that was there before is left alone. A clock that was ahead then is seen through."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mailtickets.store.settings import set_setting, setting
from mailtickets.store.times import from_us, to_us

if TYPE_CHECKING:
    import sqlite3

FIRST_START = "first_start"
OLDER = "older than the start of the desk"
DATED_BEFORE = "dated before the start of the desk, though it came after"
_SECOND = 1_000_000
_FROM_THE_FIRST = "first"  # stands for a folder that was configured at the first start


def first_start(connection: sqlite3.Connection) -> datetime:
    """Return when the desk was first started, by the clock of that time or what was learnt since; to the second."""
    return from_us(int(setting(connection, FIRST_START, "0")))


def note_first_start(connection: sqlite3.Connection, now: datetime) -> None:
    """Note the first start, unless it is known; rounded down to the second, for INTERNALDATE has no fractions."""
    connection.execute(
        "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (FIRST_START, str(to_us(now.replace(microsecond=0)))),
    )


def start_of(connection: sqlite3.Connection, mailbox: str, folder: str) -> datetime:
    """Return since when a folder belongs to the desk: its first start, but for one that was configured later."""
    joined = setting(connection, _joined(mailbox, folder))
    return from_us(int(joined)) if joined.isdecimal() else first_start(connection)


def note_joining(connection: sqlite3.Connection, mailbox: str, folder: str) -> bool:
    """Note a folder that is configured; return whether it joins a desk that was at work before.

    Such a folder counts from when the desk last polled: what lies in it is as old for it as what lay in the others at
    the first start, and where a mailbox was only renamed nothing is passed over. In a transaction of the caller.
    """
    if setting(connection, _joined(mailbox, folder)):
        return False
    known = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM copy WHERE mailbox = ?1 AND folder = ?2)"
        " OR EXISTS (SELECT 1 FROM cursor WHERE mailbox = ?1 AND folder = ?2)",
        (mailbox, folder),
    ).fetchone()[0]
    last_poll = setting(connection, "last_poll")
    if known or not last_poll:
        set_setting(connection, _joined(mailbox, folder), _FROM_THE_FIRST)
        return False
    polled = to_us(datetime.fromisoformat(last_poll).replace(microsecond=0))
    set_setting(connection, _joined(mailbox, folder), str(max(polled, to_us(first_start(connection)))))
    return True


def _joined(mailbox: str, folder: str) -> str:
    return f"joined:{mailbox}/{folder}"


def was_before(connection: sqlite3.Connection, now: datetime) -> tuple[datetime, int]:
    """Put the first start back where the clock shows a time before it; inside a transaction of the caller.

    Mail that came since and was left alone for its date is no longer in the books, and the cursors stand before it,
    so that the next rounds take it in. The start never goes back behind mail that was there at the first look: a clock
    that is wrong today must not make that new. Returns the first start and how many mails are taken up again.
    """
    stored = to_us(first_start(connection))
    if to_us(now) >= stored:
        return from_us(stored), 0
    left = connection.execute(
        "SELECT mailbox, folder, name, arrived_at FROM copy WHERE state = 'ignored' AND reason = ?",
        (DATED_BEFORE,),
    ).fetchall()
    (older,) = connection.execute(
        "SELECT max(arrived_at) FROM copy WHERE state = 'ignored' AND reason = ?", (OLDER,)
    ).fetchone()
    start = min([to_us(now), *(arrived for *_, arrived in left)]) // _SECOND * _SECOND
    if older is not None:
        start = max(start, older // _SECOND * _SECOND + _SECOND)
    if start >= stored:
        return from_us(stored), 0
    set_setting(connection, FIRST_START, str(start))
    again = [one for one in left if one[3] >= start]
    for mailbox, folder, name, _ in again:
        connection.execute(
            "DELETE FROM copy WHERE mailbox = ? AND folder = ? AND name = ?", (mailbox, folder, name)
        )
        uidvalidity, _, uid = name.partition("/")
        if uid.isdecimal():  # not a Maildir's: it has no cursor
            connection.execute(
                "UPDATE cursor SET last_uid = min(last_uid, ?) WHERE mailbox = ? AND folder = ? AND uidvalidity = ?",
                (int(uid) - 1, mailbox, folder, uidvalidity),
            )
    return from_us(start), len(again)
