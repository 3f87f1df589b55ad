"""What people are told in a list, because too many notices would be on their way to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailtickets.desk.bundling import told_by
from mailtickets.mail.message import address_key
from mailtickets.store.times import from_us, from_us_or_none, to_us

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Container
    from datetime import datetime

EXCERPT = 400


@dataclass(frozen=True, slots=True)
class Item:
    """News of one ticket for one person.

    is_new   the ticket itself is news.
    count    of notices that this line stands for.
    author, text, reason   of the newest mail that came in, its beginning; "" where there is none.
    """

    ticket: int
    agent: str
    is_new: bool
    count: int
    since: datetime
    author: str
    text: str
    reason: str


class NewsList:
    """One row for each person and ticket, until the list that has it is queued."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(
        self, address: str, agent: str, ticket: int, now: datetime, due: datetime, *, is_new: bool
    ) -> None:
        """Note that somebody is to hear of a ticket; `agent` is the key, or "" for somebody who is none."""
        self._connection.execute(
            "INSERT INTO news (address, ticket, agent, is_new, count, since, due) VALUES (?, ?, ?, ?, 1, ?, ?)"
            " ON CONFLICT (address, ticket) DO UPDATE SET count = count + 1, is_new = is_new OR excluded.is_new,"
            " due = min(due, excluded.due)",
            (address, ticket, agent, is_new, to_us(now), to_us(due)),
        )

    def put_back(self, mail: int, due: datetime | None = None, but: Container[int] = ()) -> None:
        """Note once more what a queued list tells, so that a new one tells it.

        mail   its number in the outbox; due  None: at once; but  tickets that are nobody's news any more.
        """
        recipient, occasion, queued = self._connection.execute(
            "SELECT recipient, occasion, queued_at FROM outbox WHERE id = ?", (mail,)
        ).fetchone()
        agent, tickets = told_by(occasion)
        for ticket, is_new in tickets:
            if ticket not in but:
                at = from_us(queued)
                self.add(address_key(recipient), agent, ticket, at, due or at, is_new=is_new)

    def failures(self, recipient: str) -> int:
        """Return how many lists to somebody could not be sent since the last one that was."""
        row = self._connection.execute(
            "SELECT count(*) FROM outbox WHERE ticket = 0 AND kind = 'news' AND recipient = ?1 AND state = 'failed' AND id >"
            " (SELECT coalesce(max(id), 0) FROM outbox WHERE ticket = 0 AND kind = 'news' AND recipient = ?1 AND state = 'sent')",
            (recipient,),
        ).fetchone()
        return int(row[0])

    def due(self, now: datetime) -> list[str]:
        """Return the addresses whose list is due."""
        rows = self._connection.execute("SELECT DISTINCT address FROM news WHERE due <= ?", (to_us(now),))
        return [address for (address,) in rows]

    def next_due(self) -> datetime | None:
        """Return when the next list is due."""
        return from_us_or_none(self._connection.execute("SELECT min(due) FROM news").fetchone()[0])

    def take(self, address: str, now: datetime, limit: int, again: datetime) -> tuple[list[Item], int]:
        """Take the longest waiting news of somebody off the list; return them, and how many are left for `again`."""
        rows = self._connection.execute(
            "SELECT ticket, agent, is_new, count, since FROM news WHERE address = ? AND due <= ? ORDER BY since, ticket LIMIT ?",
            (address, to_us(now), limit),
        ).fetchall()
        self._connection.executemany(
            "DELETE FROM news WHERE address = ? AND ticket = ?", [(address, row[0]) for row in rows]
        )
        left = self._connection.execute(
            "UPDATE news SET due = ? WHERE address = ? AND due <= ?", (to_us(again), address, to_us(now))
        ).rowcount
        return [self._item(*row) for row in rows], left

    def _item(self, ticket: int, agent: str, is_new: int, count: int, since: int) -> Item:
        author, text, reason = self._connection.execute(
            "SELECT actor, substr(text, 1, ?), reason FROM entry WHERE ticket = ? AND kind = 'mail_in' ORDER BY seq DESC LIMIT 1",
            (EXCERPT + 100, ticket),
        ).fetchone() or ("", "", "")
        return Item(ticket, agent, bool(is_new), count, from_us(since), author, text, reason)

    def lately(self, since: datetime, kinds: frozenset[str], limit: int = 5000) -> list[tuple[str, datetime]]:
        """Return the notices of some kinds among the newest mails, as (recipient, when queued), the oldest first."""
        rows = self._connection.execute(
            "SELECT recipient, queued_at, kind FROM (SELECT recipient, queued_at, kind FROM outbox ORDER BY id DESC LIMIT ?)"
            " WHERE queued_at > ? ORDER BY queued_at",
            (limit, to_us(since)),
        )
        return [(recipient, from_us(at)) for recipient, at, kind in rows if kind in kinds]
