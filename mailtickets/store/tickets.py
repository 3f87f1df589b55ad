"""Tickets, their people, entries and timers."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mailtickets.desk.facts import CLOCKED_KINDS, HistoryLine, first_word
from mailtickets.desk.ticket import EntryKind, Person, Role, Status, Ticket, Timer, TimerKind
from mailtickets.mail.message import domain_of, mailbox_of
from mailtickets.store.times import from_us, from_us_or_none, to_us, to_us_or_none

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from mailtickets.desk.ticket import Change, Entry, PersonChange

# Which entries a search finds: what people wrote, not what the desk did.
SEARCHED = frozenset({EntryKind.MAIL_IN, EntryKind.MAIL_OUT, EntryKind.NOTE})
_CLOCKED = ", ".join(f"'{kind.value}'" for kind in sorted(CLOCKED_KINDS))
COLUMNS = (
    "number, tag, queue, subject, requester, created_at, updated_at, status, priority, type, assignee, language, silent_since,"
    " silent_base, silent_step, first_wait, cycle, closed_at, linked, proven, automatic, organisation, tags, service_level, due_at,"
    " workaround_at, version"
)


class StaleTicket(Exception):  # noqa: N818  (named for the situation)
    """The ticket was changed since it was read; the decision must be made again."""


class Tickets:
    """The present state of tickets, and the history behind it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def next_number(self) -> int:
        """Return the number that the next new ticket gets; numbers are never reused."""
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'ticket'").fetchone()
        return int(row[0]) + 1

    def pass_over(self, count: int, highest: int) -> None:
        """Leave out at least so many numbers, and all up to `highest`: somebody may have them."""
        self._connection.execute(
            "UPDATE sqlite_sequence SET seq = max(seq + ?, ?) WHERE name = 'ticket'", (count, highest)
        )

    def get(self, number: int) -> Ticket | None:
        """Return a ticket with its people; a merged number leads to its target."""
        row = self._connection.execute(
            f"SELECT {COLUMNS}, merged_into FROM ticket WHERE number = ?", (number,)
        ).fetchone()
        hops = 0
        while row is not None and row[-1] is not None and hops < 20:
            row = self._connection.execute(
                f"SELECT {COLUMNS}, merged_into FROM ticket WHERE number = ?", (row[-1],)
            ).fetchone()
            hops += 1
        return self._ticket(row[:-1]) if row else None

    def _ticket(self, row: tuple[Any, ...]) -> Ticket:
        people = self._connection.execute(
            "SELECT address, name, role FROM participant WHERE ticket = ?", (row[0],)
        )
        return ticket_of(row, tuple(Person(address, name, Role(role)) for address, name, role in people))

    def history(self, number: int) -> tuple[HistoryLine, ...]:
        """Return what the clocks need of a ticket's history, the oldest first."""
        rows = self._connection.execute(
            f"SELECT kind, at, actor, reason FROM entry WHERE ticket = ? AND kind IN ({_CLOCKED}) ORDER BY seq",
            (number,),
        )
        return tuple(
            HistoryLine(EntryKind(kind), from_us(at), actor, first_word(reason))
            for kind, at, actor, reason in rows
        )

    def next_after(
        self, after: int, limit: int, *, closed: bool = False
    ) -> list[tuple[Ticket, tuple[HistoryLine, ...]]]:
        """Return the next tickets above a number, without their people, each with its history; closed ones if asked."""
        rows = self._connection.execute(
            f"SELECT {COLUMNS} FROM ticket WHERE number > ? AND (? OR status <> 'closed') ORDER BY number LIMIT ?",
            (after, closed, limit),
        ).fetchall()
        lines: dict[int, list[HistoryLine]] = {row[0]: [] for row in rows}
        for ticket, kind, at, actor, reason in self._connection.execute(
            f"SELECT ticket, kind, at, actor, reason FROM entry WHERE ticket IN ({','.join('?' * len(rows))})"
            f" AND kind IN ({_CLOCKED}) ORDER BY ticket, seq",
            list(lines),
        ):
            lines[ticket].append(HistoryLine(EntryKind(kind), from_us(at), actor, first_word(reason)))
        return [(ticket_of(row, ()), tuple(lines[row[0]])) for row in rows]

    def timers_of(self, numbers: Sequence[int]) -> dict[int, list[Timer]]:
        """Return the timers of tickets."""
        found: dict[int, list[Timer]] = {}
        for ticket, kind, cycle, due in self._connection.execute(
            f"SELECT ticket, kind, cycle, due FROM timer WHERE ticket IN ({','.join('?' * len(numbers))})",
            numbers,
        ):
            found.setdefault(ticket, []).append(Timer(TimerKind(kind), from_us(due), cycle))
        return found

    def last_seq(self, number: int) -> int:
        """Return the newest entry's number of a ticket."""
        row = self._connection.execute("SELECT last_seq FROM ticket WHERE number = ?", (number,)).fetchone()
        return int(row[0]) if row else 0

    def write(self, change: Change, copy: int | None) -> tuple[int, list[int]]:
        """Write a change; return the newest entry number and the number of each entry written.

        Raises StaleTicket where the ticket is no longer the one the change was decided on.
        """
        ticket = change.ticket
        base = 0 if change.is_new else self.last_seq(ticket.number)
        last = base + len(change.entries)
        if change.is_new:
            self._insert(ticket, last)
        else:
            self._update(ticket, last)
        self._people(ticket)
        seqs = list(range(base + 1, last + 1))
        for seq, entry in zip(seqs, change.entries, strict=True):
            self._entry(ticket.number, seq, entry, copy)
        for message_id in change.ids:
            self.know(message_id, ticket.number, last, ours=False)
        for kind in change.drop:
            self._connection.execute(
                "DELETE FROM timer WHERE ticket = ? AND kind = ?", (ticket.number, kind.value)
            )
        for timer in change.timers:
            self.set_timer(ticket.number, timer)
        for agent in change.fresh_key:
            self._connection.execute(
                "INSERT INTO agent_key (ticket, agent, generation) VALUES (?, ?, 1)"
                " ON CONFLICT (ticket, agent) DO UPDATE SET generation = generation + 1",
                (ticket.number, agent),
            )
        return last, seqs

    def _insert(self, ticket: Ticket, last_seq: int) -> None:
        marks = ", ".join("?" * 28)
        self._connection.execute(
            f"INSERT INTO ticket ({COLUMNS}, last_seq) VALUES ({marks})",
            (*_row(ticket), 1, last_seq),
        )

    def _update(self, ticket: Ticket, last_seq: int) -> None:
        done = self._connection.execute(
            "UPDATE ticket SET queue = ?, subject = ?, updated_at = ?, status = ?, priority = ?, type = ?, assignee = ?, silent_since = ?,"
            " silent_base = ?, silent_step = ?, first_wait = ?, cycle = ?, closed_at = ?, organisation = ?, tags = ?, service_level = ?,"
            " due_at = ?, workaround_at = ?, last_seq = ?, version = version + 1 WHERE number = ? AND version = ?",
            (
                ticket.queue, ticket.subject, to_us(ticket.updated_at), ticket.status.value, ticket.priority, ticket.type, ticket.assignee,
                to_us_or_none(ticket.silent_since), to_us_or_none(ticket.silent_base), ticket.silent_step, ticket.first_wait, ticket.cycle,
                to_us_or_none(ticket.closed_at), ticket.organisation, " ".join(ticket.tags), ticket.service_level,
                to_us_or_none(ticket.due_at), to_us_or_none(ticket.workaround_at), last_seq, ticket.number, ticket.version,
            ),
        )  # fmt: skip
        if done.rowcount != 1:
            raise StaleTicket(ticket.number)

    def _people(self, ticket: Ticket) -> None:
        self._connection.executemany(
            "INSERT INTO participant (ticket, address, name, role) VALUES (?, ?, ?, ?) ON CONFLICT (ticket, address)"
            " DO UPDATE SET role = excluded.role WHERE role <> excluded.role",
            [(ticket.number, person.address, person.name, person.role.value) for person in ticket.people],
        )

    def _entry(self, ticket: int, seq: int, entry: Entry, copy: int | None) -> None:
        row = self._connection.execute(
            "INSERT INTO entry (ticket, seq, kind, at, actor, audience, recipients, subject, text, message_id, reason, copy)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                ticket, seq, entry.kind.value, to_us(entry.at), entry.actor, entry.audience.value, json.dumps(list(entry.to)),
                entry.subject, entry.text, entry.message_id, entry.reason, copy,
            ),
        ).fetchone()  # fmt: skip
        if entry.kind in SEARCHED:
            self._connection.execute(
                "INSERT INTO entry_words (rowid, subject, text) VALUES (?, ?, ?)",
                (row[0], entry.subject, entry.text),
            )

    def note(self, ticket: int, entry: Entry) -> None:
        """Add one entry without changing the ticket's state: news of the outbox."""
        row = self._connection.execute(
            "UPDATE ticket SET last_seq = last_seq + 1 WHERE number = ? RETURNING last_seq", (ticket,)
        ).fetchone()
        if row:
            self._entry(ticket, row[0], entry, None)

    def set_message_id(self, ticket: int, seq: int, message_id: str) -> None:
        """Give the entry of a mail that goes out the id under which it goes out."""
        self._connection.execute(
            "UPDATE entry SET message_id = ? WHERE ticket = ? AND seq = ?", (message_id, ticket, seq)
        )

    def know(self, message_id: str, ticket: int, seq: int, *, ours: bool, recipient: str = "") -> None:
        """Remember a Message-ID, so that answers to it find the ticket."""
        self._connection.execute(
            "INSERT INTO known_id (message_id, ticket, seq, ours, recipient) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (message_id, ticket, seq, ours, recipient),
        )

    def is_ours(self, message_id: str) -> bool:
        """Tell whether a mail with this id is one that we sent."""
        row = self._connection.execute(
            "SELECT 1 FROM known_id WHERE message_id = ? AND ours = 1 LIMIT 1", (message_id,)
        ).fetchone()
        return row is not None and bool(message_id)

    def generation(self, ticket: int, agent: str) -> int:
        """Return the present generation of an agent's reply key on a ticket."""
        row = self._connection.execute(
            "SELECT generation FROM agent_key WHERE ticket = ? AND agent = ?", (ticket, agent)
        ).fetchone()
        return int(row[0]) if row else 0

    def opened_by(self, number: int) -> int | None:
        """Return the number of the mail that opened a ticket, or None."""
        row = self._connection.execute(
            "SELECT copy FROM entry WHERE ticket = ? AND seq = 1", (number,)
        ).fetchone()
        return row[0] if row else None

    def text_of(self, ticket: int, seq: int) -> str:
        """Return the words of one entry."""
        row = self._connection.execute(
            "SELECT text FROM entry WHERE ticket = ? AND seq = ?", (ticket, seq)
        ).fetchone()
        return str(row[0]) if row else ""

    # -- timers ------------------------------------------------------------------------------

    def set_timer(self, ticket: int, timer: Timer) -> None:
        """Set a timer, in place of one of the same kind and cycle."""
        self._connection.execute(
            "INSERT INTO timer (ticket, kind, cycle, due) VALUES (?, ?, ?, ?) ON CONFLICT (ticket, kind, cycle) DO UPDATE SET due = excluded.due",
            (ticket, timer.kind.value, timer.cycle, to_us(timer.due)),
        )

    def drop_timer(self, ticket: int, kind: TimerKind, cycle: int) -> None:
        """Take a timer away."""
        self._connection.execute(
            "DELETE FROM timer WHERE ticket = ? AND kind = ? AND cycle = ?", (ticket, kind.value, cycle)
        )

    def due(self, now: datetime, limit: int = 50) -> list[tuple[int, Timer]]:
        """Return due timers, the longest due first, of those due together the oldest ticket's."""
        rows = self._connection.execute(
            "SELECT ticket, kind, cycle, due FROM timer WHERE due <= ? ORDER BY due, ticket LIMIT ?",
            (to_us(now), limit),
        )
        return [(ticket, Timer(TimerKind(kind), from_us(due), cycle)) for ticket, kind, cycle, due in rows]

    def next_due(self) -> datetime | None:
        """Return when the next timer is due."""
        return from_us_or_none(self._connection.execute("SELECT min(due) FROM timer").fetchone()[0])

    def timers_of_kinds(self, kinds: Iterable[TimerKind]) -> list[tuple[int, Timer]]:
        """Return all timers of these kinds: a reload computes them again."""
        names = [kind.value for kind in kinds]
        rows = self._connection.execute(
            f"SELECT ticket, kind, cycle, due FROM timer WHERE kind IN ({','.join('?' * len(names))})",
            names,
        )
        return [(ticket, Timer(TimerKind(kind), from_us(due), cycle)) for ticket, kind, cycle, due in rows]

    # -- people ------------------------------------------------------------------------------

    def change_person(self, change: PersonChange, now: datetime) -> None:
        """Write what became known about an address."""
        self._connection.execute(
            "INSERT INTO person (address) VALUES (?) ON CONFLICT DO NOTHING", (change.address,)
        )
        if change.bounced is not None:
            at = to_us(now) if change.bounced else None
            self._connection.execute(
                "UPDATE person SET bounced = ?, bounced_at = ? WHERE address = ?",
                (change.bounced[:300], at, change.address),
            )
        if change.away_until is not None:
            self._connection.execute(
                "UPDATE person SET away_until = ? WHERE address = ?",
                (to_us(change.away_until), change.address),
            )
        if change.wrote:
            self._connection.execute(
                "UPDATE person SET wrote_at = coalesce(wrote_at, ?) WHERE address = ?",
                (to_us(now), change.address),
            )

    def count_acknowledgement(self, address: str, now: datetime, *, proven: bool, known: bool) -> None:
        """Count an acknowledgement against the limits."""
        self._connection.execute(
            "INSERT INTO acknowledgement (at, address, domain, proven, known) VALUES (?, ?, ?, ?, ?)",
            (to_us(now), mailbox_of(address), domain_of(mailbox_of(address)), proven, known),
        )

    def forget_acknowledgements(self, now: datetime) -> None:
        """Drop counts that no limit looks at any more."""
        self._connection.execute(
            "DELETE FROM acknowledgement WHERE at < ?", (to_us(now - timedelta(days=2)),)
        )


def ticket_of(row: tuple[Any, ...], people: tuple[Person, ...]) -> Ticket:
    """Return a ticket from a row of COLUMNS."""
    (number, tag, queue, subject, requester, created, updated, status, priority, kind, assignee, language, since, base, step, first_wait,
     cycle, closed, linked, proven, automatic, organisation, tags, level, due, workaround, version) = row  # fmt: skip
    return Ticket(
        number=number, tag=tag, queue=queue, subject=subject, requester=requester, created_at=from_us(created), updated_at=from_us(updated),
        status=Status(status), priority=priority, type=kind, assignee=assignee, language=language, people=people,
        silent_since=from_us_or_none(since), silent_base=from_us_or_none(base), silent_step=step, first_wait=first_wait, cycle=cycle,
        closed_at=from_us_or_none(closed), linked=linked, proven=bool(proven), automatic=bool(automatic),
        organisation=organisation, tags=tuple(tags.split()), service_level=level, due_at=from_us_or_none(due),
        workaround_at=from_us_or_none(workaround), version=version,
    )  # fmt: skip


def _row(ticket: Ticket) -> tuple[object, ...]:
    return (
        ticket.number, ticket.tag, ticket.queue, ticket.subject, ticket.requester, to_us(ticket.created_at), to_us(ticket.updated_at),
        ticket.status.value, ticket.priority, ticket.type, ticket.assignee, ticket.language, to_us_or_none(ticket.silent_since),
        to_us_or_none(ticket.silent_base), ticket.silent_step, ticket.first_wait, ticket.cycle, to_us_or_none(ticket.closed_at),
        ticket.linked, ticket.proven, ticket.automatic, ticket.organisation, " ".join(ticket.tags), ticket.service_level,
        to_us_or_none(ticket.due_at), to_us_or_none(ticket.workaround_at),
    )  # fmt: skip
