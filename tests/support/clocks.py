"""A ticket's life for tests of its clocks: what happened when, in the local time of London."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from mailtickets.desk.agreement import PRIORITIES, ServiceLevel, Span, Target, Targets, TicketType
from mailtickets.desk.calendar import Calendar
from mailtickets.desk.clock_story import Step, story
from mailtickets.desk.clock_words import lines
from mailtickets.desk.facts import HistoryLine
from mailtickets.desk.service_level import Clocks, clocks, measure
from mailtickets.desk.terms import Terms
from mailtickets.desk.ticket import EntryKind, Status, Ticket

LONDON = ZoneInfo("Europe/London")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OFFICE = Calendar("office", "Europe/London", [[(9 * 60, 17 * 60 + 30)]] * 5 + [[], []])
QUESTION = TicketType("question")


def at(text: str) -> datetime:
    """Return a local time such as "2026-11-23 09:00" in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=LONDON).astimezone(UTC)


def span(text: str | None) -> Span | None:
    """Return "30m", "4wh" or "5wd" as the configuration makes it."""
    if text is None:
        return None
    number, unit = int("".join(filter(str.isdigit, text))), text[-1]
    if text.endswith("wd"):
        return Span(days=number, text=text)
    length = number * {"s": timedelta(seconds=1), "m": MINUTE, "h": HOUR, "d": timedelta(days=1)}[unit]
    return Span(working=length, text=text) if "w" in text else Span(plain=length, text=text)


def targets(
    first_response: str | None = None, update: str | None = None, resolution: str | None = None
) -> Targets:
    return Targets(span(first_response), span(update), span(resolution))


def level(promised: Targets = Targets(), **others: Targets) -> ServiceLevel:  # noqa: B008 - a frozen value
    """A service level with one promise for all priorities, but for those named."""
    return ServiceLevel("standard", {p: others.get(p, promised) for p in PRIORITIES}, {"P1": "Urgent"})


class Life:
    """A ticket and its history; each verb adds a line and returns the life."""

    def __init__(self, opened: str | datetime, terms: Terms, priority: str = "P3", **ticket) -> None:
        start = at(opened) if isinstance(opened, str) else opened
        self.terms = terms
        self.history: list[HistoryLine] = [HistoryLine(EntryKind.PRIORITY, start, "desk", priority)]
        self.ticket = Ticket(
            1001, "SUP", "support", "Printer on fire", "ana@customer.example", start, start, priority=priority, **ticket
        )  # fmt: skip

    def line(self, kind: EntryKind, when: str | datetime, actor: str = "kim", value: str = "") -> Life:
        moment = at(when) if isinstance(when, str) else when
        self.history.append(HistoryLine(kind, moment, actor, value))
        return self

    def answered(self, when: str | datetime, actor: str = "kim") -> Life:
        return self.line(EntryKind.MAIL_OUT, when, actor)

    def becomes(self, status: str, when: str | datetime) -> Life:
        self.ticket = replace(self.ticket, status=Status(status))
        return self.line(EntryKind.STATUS, when, value=status)

    def moved_to(self, priority: str, when: str | datetime) -> Life:
        self.ticket = replace(self.ticket, priority=priority)
        return self.line(EntryKind.PRIORITY, when, value=priority)

    def worked_around(self, when: str | datetime) -> Life:
        self.line(EntryKind.WORKAROUND, when)
        self.ticket = replace(self.ticket, workaround_at=self.history[-1].at)
        return self

    def agreed(self, due: str, when: str) -> Life:
        self.ticket = replace(self.ticket, due_at=at(due))
        return self.line(EntryKind.DUE, when, value=at(due).isoformat())

    def clocks(self, now: str | datetime) -> Clocks:
        return clocks(self.ticket, self.history, self.terms, at(now) if isinstance(now, str) else now)

    def measure(self):
        return measure(self.ticket, self.history, self.terms)

    def due(self, target: Target, now: str) -> str:
        """When a clock is due, in London: "2026-11-23 13:00"; "" for never."""
        clock = self.clocks(now).of(target)
        return local(clock.due_at) if clock and clock.due_at else ""

    def steps(self, now: datetime) -> tuple[Step, ...]:
        return story(self.ticket, self.history, self.terms, now)

    def story(self, now: str) -> list[str]:
        return list(lines(self.steps(at(now)), LONDON))


def local(moment: datetime) -> str:
    return moment.astimezone(LONDON).strftime("%Y-%m-%d %H:%M")


def terms(
    promised: Targets | ServiceLevel | None = None,
    calendar: Calendar = OFFICE,
    kind: TicketType = QUESTION,
    **changes,
) -> Terms:
    agreed = level(promised) if isinstance(promised, Targets) else promised
    return Terms(agreed, calendar, kind, **changes)
