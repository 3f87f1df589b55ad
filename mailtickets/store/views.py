"""Reads for people and scripts: lists, one ticket whole, the books, the outbox. Nothing here writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailtickets.desk.ticket import Person, Role
from mailtickets.store.tickets import COLUMNS, ticket_of
from mailtickets.store.times import from_us, from_us_or_none, to_us

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import datetime

    from mailtickets.desk.ticket import Ticket


@dataclass(frozen=True, slots=True)
class EntryView:
    """One line of a ticket's history."""

    seq: int
    kind: str
    at: datetime
    actor: str
    audience: str
    to: tuple[str, ...]
    subject: str
    text: str
    message_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class CopyView:
    """Where one mail ended, and why."""

    id: int
    mailbox: str
    folder: str
    name: str
    size: int
    arrived: datetime
    taken: datetime
    state: str
    reason: str
    why: tuple[str, ...]
    ticket: int | None
    message_id: str
    sender: str
    subject: str


@dataclass(frozen=True, slots=True)
class OutboxView:
    """One mail of the outbox, without its bytes."""

    id: int
    ticket: int
    state: str
    kind: str
    to: tuple[str, ...]
    subject: str
    message_id: str
    attempts: int
    next_at: datetime | None
    last_error: str
    queued_at: datetime
    sent_at: datetime | None
    human: bool
    reader: str
    account: str


@dataclass(frozen=True, slots=True)
class OutgoingView:
    """One mail of the outbox, the entry it stands for, and the recipients that were refused, with the reason."""

    mail: OutboxView
    seq: int | None
    refused: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Stranded:
    """A mail of the outbox that is not tried any more: it failed, or nobody knows. `since` it was queued."""

    number: int
    failed: bool
    human: bool
    since: datetime
    error: str


@dataclass(frozen=True, slots=True)
class Books:
    """The ledger's sums: received = on_tickets + ignored + held + quarantined + waiting + unexplained."""

    received: int
    on_tickets: int
    ignored: int
    held: int
    quarantined: int
    waiting: int
    unexplained: int
    duplicates: int


_COPY = "id, mailbox, folder, name, size, arrived_at, taken_at, state, reason, why, ticket, message_id, sender, subject"
_OUTBOX = "id, ticket, state, kind, recipients, subject, message_id, attempts, next_at, last_error, queued_at, sent_at, human, reader, account"


class Views:
    """What the reading commands show."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def tickets(
        self,
        *,
        unfinished: bool = True,
        queue: str = "",
        assignee: str = "",
        status: str = "",
        limit: int = 100,
    ) -> list[Ticket]:
        """Return tickets, the last changed first, without their people."""
        where, values = ["1"], []
        if unfinished and not status:
            where.append("status <> 'closed'")
        for column, value in (("queue", queue), ("assignee", assignee), ("status", status)):
            if value:
                where.append(f"{column} = ?")
                values.append(value)
        rows = self._connection.execute(
            f"SELECT {COLUMNS} FROM ticket WHERE {' AND '.join(where)} ORDER BY updated_at DESC LIMIT ?",
            (*values, limit),
        )
        return [ticket_of(row, ()) for row in rows]

    def ticket(self, number: int) -> Ticket | None:
        """Return one ticket with its people."""
        row = self._connection.execute(f"SELECT {COLUMNS} FROM ticket WHERE number = ?", (number,)).fetchone()
        if row is None:
            return None
        people = self._connection.execute(
            "SELECT address, name, role FROM participant WHERE ticket = ?", (number,)
        )
        return ticket_of(row, tuple(Person(address, name, Role(role)) for address, name, role in people))

    def entries(self, number: int) -> list[EntryView]:
        """Return a ticket's history in order."""
        rows = self._connection.execute(
            "SELECT seq, kind, at, actor, audience, recipients, subject, text, message_id, reason FROM entry WHERE ticket = ? ORDER BY seq",
            (number,),
        )
        return [
            EntryView(r[0], r[1], from_us(r[2]), r[3], r[4], tuple(json.loads(r[5])), *r[6:10]) for r in rows
        ]

    def timers(self, number: int) -> list[tuple[str, datetime]]:
        """Return what a ticket waits for, as (kind, due)."""
        rows = self._connection.execute(
            "SELECT kind, due FROM timer WHERE ticket = ? ORDER BY due", (number,)
        )
        return [(kind, from_us(due)) for kind, due in rows]

    def timed(self) -> list[tuple[int, datetime]]:
        """Return the tickets that wait for a time, each with its soonest one, the soonest first."""
        rows = self._connection.execute("SELECT ticket, min(due) FROM timer GROUP BY ticket ORDER BY 2, 1")
        return [(ticket, from_us(due)) for ticket, due in rows]

    def unfinished(self, after: int, limit: int = 1000) -> list[int]:
        """Return the numbers of the next tickets above a number that are not closed."""
        rows = self._connection.execute(
            "SELECT number FROM ticket WHERE number > ? AND status <> 'closed' ORDER BY number LIMIT ?",
            (after, limit),
        )
        return [number for (number,) in rows]

    def bounced(self, addresses: Sequence[str]) -> frozenset[str]:
        """Return those of some addresses to which our mail comes back."""
        rows = self._connection.execute(
            f"SELECT address FROM person WHERE bounced <> '' AND address IN ({','.join('?' * len(addresses))})",
            list(addresses),
        )
        return frozenset(address for (address,) in rows)

    def copies_of(self, *, ticket: int | None = None, message_id: str = "") -> list[CopyView]:
        """Return the mails of a ticket, or those with a Message-ID."""
        if ticket is not None:
            rows = self._connection.execute(
                f"SELECT {_COPY} FROM copy WHERE ticket = ? ORDER BY id", (ticket,)
            )
        else:
            rows = self._connection.execute(
                f"SELECT {_COPY} FROM copy WHERE message_id = ? ORDER BY id", (message_id,)
            )
        return [_copy_view(row) for row in rows]

    def copy(self, number: int) -> CopyView | None:
        """Return one mail of the ledger."""
        row = self._connection.execute(f"SELECT {_COPY} FROM copy WHERE id = ?", (number,)).fetchone()
        return _copy_view(row) if row else None

    def originals_after(
        self, number: int, *, since: datetime | None = None, quarantined: bool = False, limit: int = 200
    ) -> list[CopyView]:
        """Return the next decided mails above a number whose originals are stored, in order."""
        where = "state = 'quarantined'" if quarantined else "state <> 'waiting'"
        rows = self._connection.execute(
            f"SELECT {_COPY} FROM copy WHERE id > ? AND digest IS NOT NULL AND {where} AND taken_at >= ? ORDER BY id LIMIT ?",
            (number, to_us(since) if since else 0, limit),
        )
        return [_copy_view(row) for row in rows]

    def waiting_since(self, before: datetime, limit: int = 1000) -> list[CopyView]:
        """Return mails that were taken in before a time and are still undecided, the oldest first."""
        rows = self._connection.execute(
            f"SELECT {_COPY} FROM copy WHERE state = 'waiting' AND taken_at < ? ORDER BY id LIMIT ?",
            (to_us(before), limit),
        )
        return [_copy_view(row) for row in rows]

    def without_original(self, limit: int = 1000) -> list[CopyView]:
        """Return mails that were taken in and whose originals are not in the store, the oldest first."""
        rows = self._connection.execute(
            f"SELECT {_COPY} FROM copy WHERE digest IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM original WHERE original.digest = copy.digest) ORDER BY id LIMIT ?",
            (limit,),
        )
        return [_copy_view(row) for row in rows]

    def aside(self, state: str, limit: int = 200) -> list[CopyView]:
        """Return quarantined or held mails, the newest first."""
        rows = self._connection.execute(
            f"SELECT {_COPY} FROM copy WHERE state = ? ORDER BY id DESC LIMIT ?", (state, limit)
        )
        return [_copy_view(row) for row in rows]

    def recent(self, since: datetime, limit: int) -> list[tuple[str, str, bytes]]:
        """Return (mailbox, folder, digest) of the newest mails that became part of a ticket, the newest first."""
        rows = self._connection.execute(
            "SELECT mailbox, folder, digest FROM copy WHERE taken_at >= ? AND state = 'on_ticket' AND digest IS NOT NULL"
            " AND id > (SELECT coalesce(max(id), 0) FROM copy) - ? ORDER BY id DESC",
            (to_us(since), limit),
        )
        return [(mailbox, folder, digest) for mailbox, folder, digest in rows]

    def last_moment(self) -> datetime | None:
        """Return the newest time at which a mail was taken in, an entry written or a mail queued or sent; None before."""
        newest = [
            self._connection.execute(f"SELECT {columns} FROM {table} ORDER BY id DESC LIMIT 100").fetchall()
            for table, columns in (
                ("copy", "taken_at"),
                ("entry", "at"),
                ("outbox", "max(queued_at, coalesce(sent_at, 0))"),
            )
        ]  # the highest numbers are the newest rows, but for a clock that went back
        return from_us_or_none(max((moment for rows in newest for (moment,) in rows), default=None))

    def outbox(
        self, *, ticket: int | None = None, message_id: str = "", everything: bool = False, limit: int = 500
    ) -> list[OutboxView]:
        """Return mails that are not sent yet or went wrong; or all of a ticket; or the one with a Message-ID."""
        if ticket is not None:
            rows = self._connection.execute(
                f"SELECT {_OUTBOX} FROM outbox WHERE ticket = ? ORDER BY id", (ticket,)
            )
        elif message_id:
            rows = self._connection.execute(
                f"SELECT {_OUTBOX} FROM outbox WHERE message_id = ?", (message_id,)
            )
        else:
            where = "1" if everything else "state IN ('queued', 'deferred', 'sending', 'uncertain', 'failed')"
            rows = self._connection.execute(
                f"SELECT {_OUTBOX} FROM outbox WHERE {where} ORDER BY id DESC LIMIT ?", (limit,)
            )
        return [_outbox_view(row) for row in rows]

    def outgoing(self, number: int) -> OutgoingView | None:
        """Return one mail of the outbox with what `outbox` leaves out."""
        row = self._connection.execute(
            f"SELECT {_OUTBOX}, seq, refused FROM outbox WHERE id = ?", (number,)
        ).fetchone()
        if row is None:
            return None
        *view, seq, refused = row
        return OutgoingView(
            _outbox_view(tuple(view)), seq, tuple((to, why) for to, why in json.loads(refused or "[]"))
        )

    def books(self) -> Books:
        """Count where every mail is."""
        counts = dict(self._connection.execute("SELECT state, count(*) FROM copy GROUP BY state").fetchall())
        received = sum(counts.values())
        duplicates = self._connection.execute("SELECT count(*) FROM copy WHERE duplicate = 1").fetchone()[0]
        ignored, held, quarantined, waiting = (
            counts.get(state, 0) for state in ("ignored", "held", "quarantined", "waiting")
        )
        # A mail on a ticket without an entry there would be a mail lost: it is not explained by its state alone.
        lost = self._connection.execute(
            "SELECT count(*) FROM copy WHERE state = 'on_ticket' AND (ticket IS NULL OR NOT EXISTS"
            " (SELECT 1 FROM ticket WHERE ticket.number = copy.ticket))"
        ).fetchone()[0]
        on_tickets = counts.get("on_ticket", 0) - lost
        unexplained = received - on_tickets - ignored - held - quarantined - waiting
        return Books(received, on_tickets, ignored, held, quarantined, waiting, unexplained, duplicates)

    def counts(self) -> dict[str, int]:
        """Return how many tickets are in each status."""
        return dict(
            self._connection.execute(
                "SELECT status, count(*) FROM ticket WHERE status <> 'closed' GROUP BY status"
            ).fetchall()
        )

    def outbox_counts(self) -> dict[str, int]:
        """Return how many mails are in each state but sent."""
        rows = self._connection.execute(
            "SELECT state, count(*) FROM outbox WHERE state IN ('queued', 'deferred', 'sending', 'uncertain', 'failed') GROUP BY state"
        )
        return dict(rows.fetchall())

    def stranded(self) -> list[Stranded]:
        """Return the mails that wait for an admin's word, the oldest first."""
        rows = self._connection.execute(
            "SELECT id, state, human, queued_at, last_error FROM outbox WHERE state IN ('uncertain', 'failed')"
            " AND state IN ('queued', 'deferred', 'sending', 'uncertain', 'failed') ORDER BY id"
        )
        return [
            Stranded(number, state == "failed", bool(human), from_us(at), error)
            for number, state, human, at, error in rows
        ]

    def next_tries(self) -> dict[str, datetime]:
        """Return when a deferred mail of an account is tried next."""
        rows = self._connection.execute(
            "SELECT account, min(next_at) FROM outbox WHERE state = 'deferred' AND state IN ('queued', 'deferred')"
            " AND next_at IS NOT NULL GROUP BY account"
        )
        return {account: from_us(at) for account, at in rows}

    def oldest_unsent(self) -> datetime | None:
        """Return when the oldest mail still to be sent was queued."""
        row = self._connection.execute(
            "SELECT min(queued_at) FROM outbox WHERE state IN ('queued', 'deferred')"
        ).fetchone()
        return from_us_or_none(row[0])

    def newest_time(self) -> datetime:
        """Return the latest moment of which the store knows something; 1970 where it knows nothing."""
        row = self._connection.execute(
            "SELECT max(at) FROM (SELECT max(taken_at) AS at FROM copy UNION ALL SELECT max(at) FROM entry"
            " UNION ALL SELECT max(queued_at) FROM outbox UNION ALL SELECT max(sent_at) FROM outbox"
            " UNION ALL SELECT CAST(value AS INTEGER) FROM setting WHERE name = 'first_start')"
        ).fetchone()
        return from_us(row[0] or 0)

    def newest_arrival(self, mailbox: str) -> datetime | None:
        """Return when the last mail arrived that was taken from a mailbox."""
        row = self._connection.execute(
            "SELECT max(arrived_at) FROM copy WHERE mailbox = ?", (mailbox,)
        ).fetchone()
        return from_us_or_none(row[0])

    def oldest_waiting(self) -> datetime | None:
        """Return when the oldest mail was taken in that is not decided yet."""
        row = self._connection.execute(
            "SELECT taken_at FROM copy WHERE state = 'waiting' ORDER BY id LIMIT 1"
        ).fetchone()
        return from_us(row[0]) if row else None

    def oldest_due(self, now: datetime) -> datetime | None:
        """Return when the oldest mail was queued that should be out by now."""
        row = self._connection.execute(
            "SELECT min(queued_at) FROM outbox WHERE state IN ('queued', 'deferred') AND (next_at <= ? OR state = 'deferred')",
            (to_us(now),),
        ).fetchone()
        return from_us_or_none(row[0])

    def search(self, words: str, limit: int = 50) -> list[Ticket]:
        """Return tickets in which these words stand, the best match first."""
        terms = " ".join('"' + word.replace('"', '""') + '"' for word in words.split()[:20])
        if not terms:
            return []
        rows = self._connection.execute(
            "SELECT DISTINCT entry.ticket FROM entry_words JOIN entry ON entry.id = entry_words.rowid WHERE entry_words MATCH ?"
            " ORDER BY bm25(entry_words) LIMIT ?",
            (terms, limit),
        ).fetchall()
        return [ticket for (number,) in rows if (ticket := self.ticket(number))]

    def unfinished_since(self, before: datetime) -> int:
        """Return how many unfinished tickets were not touched since a time."""
        row = self._connection.execute(
            "SELECT count(*) FROM ticket WHERE status <> 'closed' AND updated_at < ?", (to_us(before),)
        ).fetchone()
        return int(row[0])


def _outbox_view(row: tuple[Any, ...]) -> OutboxView:
    (
        number,
        ticket,
        state,
        kind,
        to,
        subject,
        message_id,
        attempts,
        next_at,
        error,
        queued,
        sent,
        human,
        reader,
        account,
    ) = row
    return OutboxView(
        number, ticket, state, kind, tuple(json.loads(to)), subject, message_id, attempts, from_us_or_none(next_at), error,
        from_us(queued), from_us_or_none(sent), bool(human), reader, account,
    )  # fmt: skip


def _copy_view(row: tuple[Any, ...]) -> CopyView:
    (
        number,
        mailbox,
        folder,
        name,
        size,
        arrived,
        taken,
        state,
        reason,
        why,
        ticket,
        message_id,
        sender,
        subject,
    ) = row
    steps = tuple(json.loads(why)) if why else ()
    return CopyView(
        number,
        mailbox,
        folder,
        name,
        size,
        from_us(arrived),
        from_us(taken),
        state,
        reason,
        steps,
        ticket,
        message_id,
        sender,
        subject,
    )
