"""Pure: what a ticket's history says to its clocks: when they run, who answered, when it was resolved.

One pass over the lines, in their order. It knows no target and judges nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailtickets.desk.meter import Metering
from mailtickets.desk.terms import default_priority
from mailtickets.desk.ticket import EntryKind, Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mailtickets.desk.facts import HistoryLine
    from mailtickets.desk.meter import Meter
    from mailtickets.desk.terms import Terms
    from mailtickets.desk.ticket import Ticket

DESK = "desk"  # the actor of what the desk itself writes
STATUSES = {status.value: status for status in Status}


class Answer(NamedTuple):
    """A person's public text to the customer.

    mark       where on the meter.
    priority   the one in force then.
    too_late   written after the ticket was resolved: the update clock before it was dropped by then.
    """

    mark: int
    priority: str
    too_late: bool


class Turn(NamedTuple):
    """A line that meant something to the clocks: where on the meter, and the status before and after it."""

    line: HistoryLine
    mark: int
    before: Status
    after: Status


class Course(NamedTuple):
    """What happened, as far as clocks care.

    resolved    the mark at which the resolution clock ended, or None; `resolved_priority` was in force then.
    interim     it ended by a workaround.
    resumed     how often the resolution clock went on after it had ended.
    reopened    how often the ticket left `resolved` or `closed`.
    agreed_at   when the last date was agreed (`#due`).
    turns       what happened, line by line.
    """

    meter: Meter
    status: Status
    priority: str
    answers: tuple[Answer, ...]
    resolved: int | None
    resolved_priority: str
    interim: bool
    resumed: int
    reopened: int
    closed_at: datetime | None
    agreed_at: datetime
    turns: tuple[Turn, ...]


def runs_in(status: Status) -> bool:
    """Tell whether a clock runs in this status (design section 5)."""
    return status is Status.OPEN or status is Status.PENDING


def is_answer(line: HistoryLine) -> bool:
    """Tell whether a line is a person's text to the customer: no acknowledgement, no reminder, no notice."""
    return line.kind is EntryKind.MAIL_OUT and line.actor != DESK


def course(ticket: Ticket, history: Sequence[HistoryLine], terms: Terms) -> Course:
    """Read a history, oldest line first."""
    status = first_status(ticket, history)
    priority = first_priority(ticket, history, terms)
    metering = Metering(terms.calendar, ticket.created_at, running=terms.runs and runs_in(status))
    answers: list[Answer] = []
    resolved: int | None = 0 if _ends(status, terms) else None
    resolved_priority = priority
    interim = False
    resumed = reopened = 0
    closed_at = ticket.created_at if status is Status.CLOSED else None
    agreed_at = ticket.created_at
    turns: list[Turn] = []
    mark = 0
    for line in history:
        kind, before = line.kind, status
        if kind is EntryKind.PRIORITY:
            priority = line.value or priority
        elif kind is EntryKind.DUE:
            agreed_at = max(line.at, ticket.created_at)
            if interim:  # a date for the real solution: the clock goes on towards it
                resolved, interim, resumed = None, False, resumed + 1
        elif kind is EntryKind.MAIL_OUT and is_answer(line):
            mark = metering.mark(line.at, running=terms.runs and runs_in(status))
            answers.append(Answer(mark, priority, resolved is not None and status.is_done))
        elif kind is EntryKind.WORKAROUND and resolved is None and ticket.workaround_at is not None:
            mark = metering.mark(line.at, running=terms.runs and runs_in(status))
            resolved, resolved_priority, interim = mark, priority, True
        elif kind is EntryKind.STATUS and (new := STATUSES.get(line.value, status)) is not status:
            mark = metering.mark(line.at, running=terms.runs and runs_in(new))
            if status.is_done and not new.is_done:
                reopened += 1
                if resolved is not None:
                    resolved, interim, resumed = None, False, resumed + 1
            elif resolved is None and _ends(new, terms):
                resolved, resolved_priority = mark, priority
            status = new
            closed_at = metering.marks[mark].at if new is Status.CLOSED else None
        else:
            continue
        turns.append(Turn(line, mark, before, status))
    return Course(
        metering.done(), status, ticket.priority, tuple(answers), resolved, resolved_priority, interim, resumed,
        reopened, closed_at, agreed_at, tuple(turns),
    )  # fmt: skip


def _ends(status: Status, terms: Terms) -> bool:
    return status is Status.CLOSED or status is terms.resolution_ends


def first_status(ticket: Ticket, history: Sequence[HistoryLine]) -> Status:
    """Return the status a ticket began in: open, unless it never had another than its present one.

    An agent's own mail to a customer opens a ticket that is `waiting` from the beginning.
    """
    if any(line.kind is EntryKind.STATUS for line in history):
        return Status.OPEN
    return ticket.status


def first_priority(ticket: Ticket, history: Sequence[HistoryLine], terms: Terms) -> str:
    """Return the priority a ticket began with.

    That of its first line, where it is as old as the first change that could have ended a clock
    (rules set it on arrival). A line that came later changed something: then it began with the
    level's default. Without any line nothing ever changed.
    """
    changed_at: datetime | None = None
    for line in history:
        if line.kind is EntryKind.PRIORITY:
            at_once = changed_at is None or line.at <= changed_at
            return line.value if at_once and line.value else default_priority(terms.level)
        if changed_at is None and (line.kind is EntryKind.STATUS or is_answer(line)):
            changed_at = line.at
    return ticket.priority
