"""What reports count of each ticket: one row each, written with its history; read as sums and sorted integers.

A report over a million tickets makes no object for a ticket: its values come as arrays, in the order
in which medians need them. What a figure means is said in docs/reports.md; the SQL here follows it.
"""

from __future__ import annotations

import contextlib
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mailtickets.store.times import to_us, to_us_or_none

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from mailtickets.desk.service_level import Measure
    from mailtickets.desk.ticket import Ticket

# By what tickets are counted, and the column of `measure_class` that holds it.
DIMENSIONS = {
    "priority": "priority",
    "type": "type",
    "queue": "queue",
    "organisation": "organisation",
    "agent": "assignee",
}
SECOND = 1_000_000  # in microseconds, like all times of the store
QUARTER = 15 * 60 * SECOND  # every zone's clock is a whole number of quarter-hours off UTC
HOUR = 4 * QUARTER
AGES = (24, 72, 7 * 24, 30 * 24)  # hours at which one class of the backlog's age ends and the next begins
CHUNK = 250  # measured: larger ones fall out of the processor cache before they are taken apart

# What is counted of a ticket in a period, in one number; a verdict takes two bits, an age three.
NO_VERDICT, KEPT, MISSED = 0, 1, 2
RESPONSE_VERDICT, RESOLUTION_VERDICT, AGE = 0, 2, 4  # the bit at which each begins
OPENED, AUTOMATIC, REOPENED, INTERIM, LEFT, CLOSED, BEFORE = (1 << bit for bit in range(7, 14))
MARKS = 14  # so many bits in all
UPDATES = 16
MOST_UPDATES = (1 << UPDATES) - 1
CLASSES = 28  # so many bits hold the number of a class, where it stands below something else


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tickets a report is about.

    start, end   the period: from `start`, before `end`.
    now          nothing later is counted, where the period ends in the future.
    queue, ...   only these; "" = all. They are compared with the ticket as it stands now.
    """

    start: datetime
    end: datetime
    now: datetime
    queue: str = ""
    organisation: str = ""
    type: str = ""
    priority: str = ""
    agent: str = ""

    @property
    def at(self) -> datetime:
        """The moment at which the backlog is counted and an unsettled clock is judged."""
        return max(min(self.end, self.now), self.start)


class MeasureRow(NamedTuple):
    """A ticket's row as it is stored: times and spans in microseconds."""

    ticket: int
    queue: str
    type: str
    priority: str
    organisation: str
    assignee: str
    opened_at: int
    left_at: int | None
    closed_at: int | None
    automatic: int
    first_response_at: int | None
    first_response_used: int | None
    first_response_due: int | None
    first_response_kept: int | None
    resolved_at: int | None
    resolution_used: int | None
    resolution_due: int | None
    resolution_kept: int | None
    interim: int
    update_due: int | None
    updates_kept: int
    updates_missed: int
    reopened: int


class Tallied(NamedTuple):
    """What happened in a period: a place for each ticket that had a part in it, the same in all arrays.

    keys             the number of its class (see `Measures.classes`) above MARKS bits of marks: verdicts, AGE (1 is
                     the youngest class of the backlog, 0 = not in it) and the single bits.
    opened, left     the quarter-hour since 1970 UTC; -1 where it is not of the period.
    response_used    seconds of the first response clock, of tickets opened in the period; -1 = none.
    resolution_used  seconds of the resolution clock, where it ended in the period; -1 = none.
                     Both stand above CLASSES bits that hold the number of the class: sorted, the shortest is first.
    updates          of tickets opened in the period: class, updates kept and missed, each in UPDATES bits.
    """

    keys: array[int]
    opened: array[int]
    left: array[int]
    response_used: array[int]
    resolution_used: array[int]
    updates: array[int]


class Measures:
    """The rows that reports are made of."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    # -- one ticket ------------------------------------------------------------------------------

    def put(self, ticket: Ticket, measure: Measure) -> None:
        """Write a ticket's row, or write it anew; inside the caller's transaction."""
        row = row_of(ticket, measure)
        found = self._connection.execute(
            "SELECT id FROM measure_class WHERE (queue, type, priority, organisation, assignee) = (?, ?, ?, ?, ?)",
            row[1:6],
        ).fetchone()
        if found is None:
            found = self._connection.execute(
                "INSERT INTO measure_class (queue, type, priority, organisation, assignee) VALUES (?, ?, ?, ?, ?) RETURNING id",
                row[1:6],
            ).fetchone()
        self._connection.execute(
            f"INSERT OR REPLACE INTO measure (ticket, class, {', '.join(_VALUES)})"
            f" VALUES (?, ?{', ?' * len(_VALUES)})",
            (row.ticket, found[0], *row[6:]),
        )

    def row(self, number: int) -> MeasureRow | None:
        """Return a ticket's row; `row_of` says what it should be."""
        found = self._connection.execute(
            f"SELECT ticket, queue, type, priority, organisation, assignee, {', '.join(_VALUES)}"
            " FROM measure JOIN measure_class ON measure_class.id = measure.class WHERE ticket = ?",
            (number,),
        ).fetchone()
        return MeasureRow(*found) if found else None

    def uncounted(self) -> int:
        """Return how many tickets have no row yet: those of before that nothing has happened to since."""
        tickets, rows = self._connection.execute(
            "SELECT (SELECT count(*) FROM ticket), (SELECT count(*) FROM measure)"
        ).fetchone()
        return max(int(tickets) - int(rows), 0)

    # -- all tickets of a selection --------------------------------------------------------------

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see the store as it was at the first one; needs a connection without a transaction."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def classes(self, dimension: str) -> Iterator[tuple[int, str]]:
        """Return the number of each class with its word for a dimension, such as its queue; numbers rise from 1."""
        yield from self._connection.execute(
            f"SELECT id, {DIMENSIONS[dimension]} FROM measure_class ORDER BY id"
        )

    def words(self, dimension: str) -> list[str]:
        """Return the words that tickets were ever counted by in a dimension."""
        rows = self._connection.execute(
            f"SELECT DISTINCT {DIMENSIONS[dimension]} FROM measure_class ORDER BY 1"
        )
        return [word for (word,) in rows]

    def tallied(self, selection: Selection) -> Tallied:
        """Return what happened in a period, in one pass over all rows."""
        filters, values = _where(selection)
        cursor = self._connection.execute(_TALLY.format(filters=filters), values)
        tallied = Tallied(array("q"), array("i"), array("i"), array("q"), array("q"), array("q"))
        while chunk := cursor.fetchmany(CHUNK):
            for taken, column in zip(tallied, zip(*chunk, strict=True), strict=True):
                taken.extend(column)
        return tallied


# In SQLite << and | bind equally, so every shift behind a | stands in brackets.
#
# A target is judged once. First response: with the ticket, in the period in which that was opened.
# Resolution: kept when it came in time; missed when its moment passed without one. So an unfinished
# ticket counts as missed in the period in which it became late, and not once more when it is resolved.
_TALLY = f"""
    SELECT class << {MARKS}
        | CASE WHEN NOT opened THEN 0 ELSE {OPENED} | automatic * {AUTOMATIC} | (reopened > 0) * {REOPENED}
            | (CASE WHEN first_response_kept = 1 THEN {KEPT}
                WHEN first_response_kept = 0 OR (first_response_at IS NULL AND first_response_due < :at) THEN {MISSED}
                ELSE {NO_VERDICT} END << {RESPONSE_VERDICT}) END
        | (CASE WHEN resolved AND resolution_kept = 1 THEN {KEPT}
            WHEN resolution_due >= :start AND resolution_due < :at
                AND (resolution_kept = 0 OR (resolution_kept IS NULL AND resolved_at IS NULL)) THEN {MISSED}
            ELSE {NO_VERDICT} END << {RESOLUTION_VERDICT})
        | (CASE WHEN opened_at < :at AND (left_at IS NULL OR left_at >= :at)
            THEN 1 + {" + ".join(f"(opened_at <= :at - {hours * HOUR})" for hours in AGES)} ELSE 0 END << {AGE})
        | (resolved AND interim) * {INTERIM} | gone * {LEFT} | closed * {CLOSED}
        | (opened_at < :start AND (left_at IS NULL OR left_at >= :start)) * {BEFORE},
        CASE WHEN opened THEN opened_at / {QUARTER} ELSE -1 END,
        CASE WHEN gone THEN left_at / {QUARTER} ELSE -1 END,
        CASE WHEN opened THEN coalesce(first_response_used / {SECOND} << {CLASSES} | class, -1) ELSE -1 END,
        CASE WHEN resolved THEN coalesce(resolution_used / {SECOND} << {CLASSES} | class, -1) ELSE -1 END,
        CASE WHEN opened THEN class << {2 * UPDATES} | (min(updates_kept, {MOST_UPDATES}) << {UPDATES})
            | min(updates_missed + coalesce(update_due < :at, 0), {MOST_UPDATES}) ELSE 0 END
    FROM (
        SELECT *, opened_at >= :start AS opened,
            coalesce(left_at >= :start AND left_at < :end, 0) AS gone,
            coalesce(closed_at >= :start AND closed_at < :end, 0) AS closed,
            coalesce(resolved_at >= :start AND resolved_at < :end, 0) AS resolved
        FROM measure
        WHERE opened_at < :end AND (left_at IS NULL OR left_at >= :start OR closed_at >= :start){{filters}}
    )
"""
_VALUES = MeasureRow._fields[6:]


def row_of(ticket: Ticket, measure: Measure) -> MeasureRow:
    """Return the row that a ticket and what its history says make."""
    return MeasureRow(
        ticket.number, ticket.queue, ticket.type, ticket.priority, ticket.organisation, ticket.assignee,
        to_us(ticket.created_at), to_us_or_none(left_at(ticket, measure)), to_us_or_none(measure.closed_at), int(ticket.automatic),
        to_us_or_none(measure.first_response_at), _span(measure.first_response_used), to_us_or_none(measure.first_response_due),
        _flag(measure.first_response_kept),
        to_us_or_none(measure.resolved_at), _span(measure.resolution_used), to_us_or_none(measure.resolution_due),
        _flag(measure.resolution_kept), int(measure.interim),
        to_us_or_none(measure.update_due), measure.updates_kept, measure.updates_missed, measure.reopened,
    )  # fmt: skip


def left_at(ticket: Ticket, measure: Measure) -> datetime | None:
    """Return since when nobody is expected to act on a ticket, or None while it is in the backlog.

    A workaround ends the resolution clock, but leaves the ticket where it is.
    """
    if not ticket.status.is_done:
        return None
    if measure.resolved_at is not None and not measure.interim:
        return measure.resolved_at
    return measure.closed_at or ticket.silent_since or measure.resolved_at or ticket.updated_at


def _span(span: timedelta | None) -> int | None:
    return None if span is None else (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def _flag(flag: bool | None) -> int | None:
    return None if flag is None else int(flag)


def _where(selection: Selection) -> tuple[str, dict[str, object]]:
    """Return the filters as a further condition, and the values of all conditions."""
    values: dict[str, object] = {
        "start": to_us(selection.start),
        "end": to_us(selection.end),
        "at": to_us(selection.at),
    }
    conditions = []
    for dimension, column in DIMENSIONS.items():
        if word := getattr(selection, dimension):
            conditions.append(f"{column} = :{dimension}")
            values[dimension] = word
    if not conditions:
        return "", values
    return f" AND class IN (SELECT id FROM measure_class WHERE {' AND '.join(conditions)})", values
