"""Pure: the clocks of a ticket as a story: what happened to them, what is left, what comes. Values, no words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mailtickets.desk.agreement import Target
from mailtickets.desk.course import course, first_priority, runs_in
from mailtickets.desk.meter import budget_of
from mailtickets.desk.service_level import clocks_of
from mailtickets.desk.terms import priority_name
from mailtickets.desk.ticket import EntryKind, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailtickets.desk.agreement import Span
    from mailtickets.desk.course import Course, Turn
    from mailtickets.desk.facts import HistoryLine
    from mailtickets.desk.meter import Budget
    from mailtickets.desk.service_level import Clock, Clocks
    from mailtickets.desk.terms import Terms
    from mailtickets.desk.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to a ticket's clocks, or is to come.

    what     opened, answered, updated, stopped, runs, resolved, interim, closed, reopened, priority, agreed,
             breached; now: late, left; to come: due.
    values   priority, name           P1 and the desk's word for it.
             target, number           which clock; `update` clocks are numbered.
             used, working, allowed   so long it ran, counted in working time or not, of which Span (or None).
             kept                     True, False, or None where nothing was promised.
             status, actor            a status; who answered.
             first_response, resolution   Spans promised at the opening, or None.
             starts_at                when a clock that runs on working hours really starts, or None for at once.
             due_at, left, by         a deadline; what is left of it, or by how much it has been missed.
             runs                     False where no clock runs for this type of ticket.
    """

    at: datetime
    what: str
    values: Mapping[str, Any] = field(default_factory=dict)


def story(ticket: Ticket, history: Sequence[HistoryLine], terms: Terms, now: datetime) -> tuple[Step, ...]:
    """Return what the clocks of a ticket went through, how they stand, and what comes, in the order of time."""
    read = course(ticket, history, terms)
    clocks = clocks_of(read, ticket, terms, now)
    priority = first_priority(ticket, history, terms)
    teller = _Teller(read, clocks, terms, now)
    steps = [teller.opened(priority), *teller.happened(priority), *teller.breaches(), *teller.to_come()]
    return tuple(sorted(steps, key=lambda step: step.at))


class _Teller:
    def __init__(self, read: Course, clocks: Clocks, terms: Terms, now: datetime) -> None:
        self.read, self.clocks, self.terms = read, clocks, terms
        self.meter = read.meter
        self.now = max(now, self.meter.marks[-1].at)

    def opened(self, priority: str) -> Step:
        start = self.meter.marks[0].at
        promised = self.terms.targets(priority)
        values = {
            "priority": priority,
            "name": priority_name(priority, self.terms.level),
            "first_response": promised.first_response,
            "resolution": promised.resolution,
            "starts_at": self._starts_at(start, promised.first_response, promised.resolution),
            "runs": self.terms.runs,
        }
        return Step(start, "opened", values)

    def _starts_at(self, at: datetime, *spans: Span | None) -> datetime | None:
        """Return the next opening where the desk is closed and one of the spans counts working time."""
        if not any(span and span.plain is None for span in spans) or self.terms.calendar.is_open(at):
            return None
        return self.terms.calendar.next_open(at)

    # -- what happened ------------------------------------------------------------------------

    def happened(self, priority: str) -> Iterator[Step]:
        number = 0
        for turn in self.read.turns:
            at = self.meter.marks[turn.mark].at
            match turn.line.kind:
                case EntryKind.MAIL_OUT:
                    yield self._answered(number, turn, at)
                    number += 1
                case EntryKind.STATUS:
                    yield from self._status(turn, at)
                case EntryKind.WORKAROUND:
                    yield Step(at, "interim", self._resolution_at(turn.mark))
                case EntryKind.PRIORITY if turn.line.value != priority:
                    priority = turn.line.value
                    name = priority_name(priority, self.terms.level)
                    yield Step(max(at, turn.line.at), "priority", {"priority": priority, "name": name})
                case EntryKind.DUE if due_at := _moment(turn.line.value):
                    yield Step(max(at, turn.line.at), "agreed", {"due_at": due_at})

    def _answered(self, number: int, turn: Turn, at: datetime) -> Step:
        actor = turn.line.actor
        if number == 0:
            return Step(at, "answered", {**_figures(self.clocks.first_response), "actor": actor})
        begun, ended = self.read.answers[number - 1 : number + 1]
        allowed = None if ended.too_late else self.terms.targets(ended.priority).update
        values = self._figures_between(begun.mark, ended.mark, allowed)
        return Step(at, "updated", {**values, "number": number, "actor": actor})

    def _status(self, turn: Turn, at: datetime) -> Iterator[Step]:
        before, after = turn.before, turn.after
        if after is Status.RESOLVED or (after is Status.CLOSED and before is not Status.RESOLVED):
            yield Step(at, after.value, self._resolution_at(turn.mark))
        elif after is Status.CLOSED:
            yield Step(at, "closed")
        elif before.is_done:
            yield Step(at, "reopened", {"status": after.value, "runs": self.terms.runs and runs_in(after)})
        elif self.terms.runs and runs_in(before) and not runs_in(after):
            yield Step(at, "stopped", {"status": after.value})
        elif self.terms.runs and runs_in(after) and not runs_in(before):
            spans = (clock.allowed for clock in self.clocks.all if clock.ended_at is None)
            yield Step(at, "runs", {"starts_at": self._starts_at(at, *spans)})

    def _resolution_at(self, mark: int) -> dict[str, Any]:
        """Return the resolution clock's figures as they were then: it may have gone on since."""
        resolution, at = self.clocks.resolution, self.meter.marks[mark].at
        if resolution.ended_at is not None and self.read.resolved == mark:
            return _figures(resolution)
        if resolution.agreed_at and resolution.due_at:
            values = self._figures_between(0, mark, None)
            return {**values, "due_at": resolution.due_at, "kept": at <= resolution.due_at}
        return self._figures_between(0, mark, resolution.allowed)

    def _figures_between(self, start: int, end: int, allowed: Span | None) -> dict[str, Any]:
        budget = budget_of(allowed, self.meter.marks[start].at, self.terms.calendar) if allowed else None
        working = budget is None or budget.working
        kept = None if budget is None else self._passed(start, budget, end) is None
        used = self.meter.used(start, end, working=working)
        return {"used": used, "working": working, "allowed": allowed, "kept": kept, "due_at": None}

    # -- missed, and to come --------------------------------------------------------------------

    def breaches(self) -> Iterator[Step]:
        read, last = self.read, len(self.meter.marks) - 1
        ends = {
            Target.FIRST_RESPONSE: read.answers[0].mark if read.answers else last,
            Target.UPDATE: last,
            Target.RESOLUTION: last if read.resolved is None else read.resolved,
        }
        for number, (begun, ended) in enumerate(pairwise(read.answers), start=1):
            span = None if ended.too_late else self.terms.targets(ended.priority).update
            if span:
                budget = budget_of(span, self.meter.marks[begun.mark].at, self.terms.calendar)
                if passed := self._passed(begun.mark, budget, ended.mark):
                    yield _missed(passed, Target.UPDATE, number, span)
        for clock in self.clocks.all:
            passed = self._passed(clock.start, clock.budget, ends[clock.target]) if clock.budget else None
            if passed is None and clock.due_at and clock.due_at < (clock.ended_at or self.now):
                passed = clock.due_at
            if passed:
                yield _missed(passed, clock.target, clock.number, clock.allowed)

    def _passed(self, start: int, budget: Budget, end: int) -> datetime | None:
        passed = self.meter.passed(start, budget, end)
        return passed if passed is not None and passed < self.meter.marks[end].at else None

    def to_come(self) -> Iterator[Step]:
        for clock in self.clocks.all:
            if clock.ended_at is not None or clock.left is None:
                continue
            values = {**_figures(clock), "left": clock.left}
            if not clock.is_going:
                if not self.read.status.is_done:
                    yield Step(self.now, "left", values)
            elif clock.due_at and clock.due_at >= self.now:
                yield Step(clock.due_at, "due", values)
            else:
                yield Step(self.now, "late", {**values, "by": -clock.left})


def _missed(at: datetime, target: Target, number: int, allowed: Span | None) -> Step:
    return Step(at, "breached", {"target": target, "number": number, "allowed": allowed})


def _figures(clock: Clock) -> dict[str, Any]:
    return {
        "target": clock.target,
        "number": clock.number,
        "used": clock.used,
        "working": clock.budget is None or clock.budget.working,
        "allowed": clock.allowed,
        "kept": clock.kept,
        "due_at": clock.due_at if clock.agreed_at else None,
    }


def _moment(text: str) -> datetime | None:
    """Return the moment that a DUE line names; a line without one (a date taken back) tells nothing."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
