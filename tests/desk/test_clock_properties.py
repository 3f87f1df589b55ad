"""Whatever the calendar and the history: the clocks agree with a count of single minutes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mailtickets.desk.agreement import Span, Target
from mailtickets.desk.calendar import ALWAYS, Calendar
from mailtickets.desk.clock_words import lines
from mailtickets.desk.service_level import clocks
from mailtickets.desk.ticket import EntryKind, Status
from tests.support.clocks import HOUR, MINUTE, Life, level, span, targets, terms

RUNNING = {"open", "pending"}
DONE = {"resolved", "closed"}
ZONES = ("Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
# Around the changes of the clocks, a leap day, the turn of a year.
DAYS = (
    date(2026, 3, 27),
    date(2026, 10, 23),
    date(2026, 11, 23),
    date(2028, 2, 28),
    date(2026, 12, 30),
    date(2026, 4, 3),
)


@st.composite
def shifts(draw):
    """The hours of a day, with or without a break."""
    edges = sorted(draw(st.lists(st.integers(0, 96), min_size=2, max_size=4, unique=True)))
    return [(a * 15, b * 15) for a, b in zip(edges[::2], edges[1::2], strict=False)]


@st.composite
def calendars(draw):
    """Office hours of all kinds; three days a week have at least three hours."""
    if draw(st.integers(0, 9)) == 0:
        return ALWAYS
    week = [draw(st.one_of(st.just([]), shifts())) for _ in range(7)]
    for day in draw(st.permutations(range(7)))[:3]:
        week[day] = [(draw(st.integers(0, 12)) * 60, draw(st.integers(16, 24)) * 60)]
    dates = {
        day + timedelta(days=number): ()
        for day in DAYS
        for number in draw(st.sets(st.integers(0, 12), max_size=3))
    }
    return Calendar("any", draw(st.sampled_from(ZONES)), week, dates=dates)


spans = st.sampled_from(("30m", "2h", "20h", "1wh", "4wh", "9wh", "1wd", "2wd", None)).map(span)
promises = st.builds(
    lambda a, b, c: replace(targets(), first_response=a, update=b, resolution=c), spans, spans, spans
)
statuses = st.sampled_from(("open", "pending", "waiting", "third_party", "resolved", "closed"))
steps = st.tuples(
    st.one_of(st.integers(0, 120), st.integers(0, 1500)),
    st.one_of(
        st.just(("answer", "")),
        st.tuples(st.just("status"), statuses),
        st.tuples(st.just("priority"), st.sampled_from(("P1", "P3"))),
        st.just(("workaround", "")),
    ),
)


@st.composite
def lives(draw):
    """A ticket opened some time, and up to ten things that happened to it, on whole minutes."""
    promised = level(draw(promises), P1=draw(promises))
    ends = Status(draw(st.sampled_from(("resolved", "resolved", "closed"))))
    day = draw(st.sampled_from(DAYS))
    opened = datetime(day.year, day.month, day.day, tzinfo=UTC) + draw(st.integers(0, 3 * 1440)) * MINUTE
    life = Life(opened, terms(promised, draw(calendars()), resolution_ends=ends))
    when = opened
    for gap, (what, value) in draw(st.lists(steps, max_size=10)):
        when += gap * MINUTE
        act(life, what, value, when)
    return life


def act(life: Life, what: str, value: str, when: datetime) -> None:
    match what:
        case "answer":
            life.answered(when)
        case "status":
            life.becomes(value, when)
        case "priority":
            life.moved_to(value, when)
        case _:
            life.worked_around(when)


# -- the second way: one minute after the other ------------------------------------------------------


class Minutes:
    """The same history as a list of minutes since the opening, each running or not, open or not."""

    def __init__(self, life: Life) -> None:
        self.life, self.start = life, life.ticket.created_at
        self.calendar = life.terms.calendar
        self.events = [(int((line.at - self.start) / MINUTE), line) for line in life.history]
        self.length = max(minute for minute, _ in self.events)
        self.running: list[bool] = []
        status = "open"
        for minute in range(self.length + 1):
            for at, line in self.events:
                if at == minute and line.kind is EntryKind.STATUS:
                    status = line.value
            self.running.append(status in RUNNING)
        self.status = status

    def open(self, minute: int) -> bool:
        return self.calendar.is_open(self.start + minute * MINUTE)

    def counted(self, minute: int, span: Span | None) -> bool:
        return (span is not None and span.plain is not None) or self.open(minute)

    def used(self, begun: int, ended: int, span: Span | None) -> int:
        return sum(self.running[minute] and self.counted(minute, span) for minute in range(begun, ended))

    def due(self, begun: int, ended: int | None, span: Span) -> int | None:
        """Count until so much was used; after its end a clock is thought to run on."""
        if ended is None and not self.running[-1]:
            return None
        length, into_opening = self.minutes_of(begun, span)
        known = self.length if ended is None else ended
        used, minute = 0, begun
        while True:
            runs = minute >= known or self.running[minute]
            if used >= length and (not into_opening or (runs and self.open(minute))):
                return minute
            used += runs and self.counted(minute, span)
            minute += 1

    def minutes_of(self, begun: int, span: Span) -> tuple[int, bool]:
        if span.days is None:
            return int((span.plain or span.working or HOUR) / MINUTE), False
        end = self.calendar.add_days(self.start + begun * MINUTE, span.days)
        last = int((end - self.start) / MINUTE)
        return sum(self.open(minute) for minute in range(begun, last)), self.calendar.is_open(end)

    def read(self) -> None:
        """Walk the events once more for what ended when, and which priority was in force."""
        self.answers: list[tuple[int, str, bool]] = []
        self.resolved: tuple[int, str] | None = None
        self.reopened = 0
        status, priority = "open", "P3"
        ends = {str(self.life.terms.resolution_ends), "closed"}
        for minute, line in self.events:
            if line.kind is EntryKind.PRIORITY:
                priority = line.value
            elif line.kind is EntryKind.MAIL_OUT:
                self.answers.append((minute, priority, status in DONE and self.resolved is not None))
            elif line.kind is EntryKind.WORKAROUND:
                self.resolved = self.resolved or (minute, priority)
            elif line.kind is EntryKind.STATUS:
                if status in DONE and line.value not in DONE:
                    self.reopened += 1
                    self.resolved = None
                status = line.value
                if status in ends:
                    self.resolved = self.resolved or (minute, priority)


@settings(max_examples=80, deadline=None)
@given(lives(), st.integers(0, 3000))
def test_clocks_agree_with_a_count_of_minutes(life, later):
    """Due, used, left, kept, and how many updates: two ways of computing, one result."""
    naive = Minutes(life)
    naive.read()
    now = life.history[-1].at + later * MINUTE
    seen = life.clocks(now)
    promised, present = life.terms.targets, life.ticket.priority

    def check(clock, begun, end, priority, target):
        allowed = promised(priority).of(target)
        assert clock.started_at == naive.start + begun * MINUTE
        assert clock.ended_at == (None if end is None else naive.start + end * MINUTE)
        due = naive.due(begun, end, allowed) if allowed else None
        used = naive.used(begun, naive.length if end is None else end, allowed)
        if end is None and naive.running[-1]:
            used += sum(naive.counted(naive.length + minute, allowed) for minute in range(later))
        assert clock.used == used * MINUTE
        missed_for_good = target is Target.FIRST_RESPONSE and naive.status in DONE and clock.kept is False
        if end is None and missed_for_good:
            return
        assert clock.due_at == (None if due is None else naive.start + due * MINUTE)
        assert clock.kept == (None if due is None or end is None else end <= due)
        if allowed:
            assert clock.left == naive.minutes_of(begun, allowed)[0] * MINUTE - clock.used

    first = naive.answers[0] if naive.answers else None
    check(
        seen.first_response,
        0,
        first[0] if first else None,
        first[1] if first else present,
        Target.FIRST_RESPONSE,
    )
    check(
        seen.resolution, 0, naive.resolved[0] if naive.resolved else None,
        naive.resolved[1] if naive.resolved else present, Target.RESOLUTION,
    )  # fmt: skip
    owes_news = bool(naive.answers) and not (naive.resolved and naive.status in DONE)
    assert (seen.update is not None) == owes_news
    if seen.update:
        check(seen.update, naive.answers[-1][0], None, present, Target.UPDATE)
        assert seen.update.number == len(naive.answers)
    kept = missed = 0
    for (begun, _, _), (ended, priority, dropped) in zip(naive.answers, naive.answers[1:], strict=False):
        if (allowed := promised(priority).update) and not dropped:
            in_time = ended <= naive.due(begun, ended, allowed)
            kept, missed = kept + in_time, missed + (not in_time)
    assert (seen.updates_kept, seen.updates_missed, seen.reopened) == (kept, missed, naive.reopened)


# -- in words of the issue ------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(lives())
def test_deadline_minus_start_in_open_running_time_is_the_duration(life):
    """However often it was stopped: between start and deadline exactly the allowed time ran."""
    resolution = life.clocks(life.history[-1].at).resolution
    assume(resolution.budget is not None and resolution.due_at is not None and resolution.ended_at is None)
    calendar = life.terms.calendar
    ran, status, since = timedelta(0), "open", life.ticket.created_at
    for line in [*life.history, None]:
        if line is not None and line.kind is not EntryKind.STATUS:
            continue
        until = resolution.due_at if line is None else min(line.at, resolution.due_at)
        if status in RUNNING and until > since:
            ran += calendar.open_time(since, until) if resolution.budget.working else until - since
        status, since = (line.value, line.at) if line else (status, since)
    assert ran == resolution.budget.length


@settings(max_examples=80, deadline=None)
@given(lives(), st.integers(0, 2000), st.integers(1, 2000), st.sampled_from(("waiting", "third_party")))
def test_pausing_never_shortens(life, after, pause, status):
    """A pause anywhere in a running stretch moves no deadline forward, and leaves no more time used."""
    life.history = [line for line in life.history if line.kind is not EntryKind.STATUS]
    life.ticket = replace(life.ticket, status=Status.OPEN)
    begun = life.ticket.created_at + after * MINUTE
    end = max(begun + pause * MINUTE, life.history[-1].at) + HOUR
    paused = Life(life.ticket.created_at, life.terms)
    paused.ticket = life.ticket
    paused.history = [*life.history]
    paused.becomes(status, begun).becomes("open", begun + pause * MINUTE)
    paused.history.sort(key=lambda line: line.at)
    for one, other in zip(life.clocks(end).all, paused.clocks(end).all, strict=True):
        assert other.used <= one.used
        if one.due_at is not None:
            assert other.due_at >= one.due_at


@settings(max_examples=60, deadline=None)
@given(lives(), st.integers(0, 5000), st.integers(0, 5000))
def test_a_measure_does_not_depend_on_the_moment(life, one, other):
    """What is stored agrees with the clocks at any later time."""
    seen, last = life.measure(), life.history[-1].at
    for later in (one, other):
        now = clocks(life.ticket, life.history, life.terms, last + later * MINUTE)
        assert (now.first_response.due_at, now.first_response.kept) == (
            seen.first_response_due,
            seen.first_response_kept,
        )
        assert (now.resolution.due_at, now.resolution.kept) == (seen.resolution_due, seen.resolution_kept)
        assert (now.update.due_at if now.update else None) == seen.update_due
        assert (now.updates_kept, now.updates_missed) == (seen.updates_kept, seen.updates_missed)


@settings(max_examples=60, deadline=None)
@given(lives(), st.integers(0, 5000))
def test_a_story_can_be_told_of_every_life(life, later):
    """It never fails, goes forward in time, and names a missed deadline for each promise that was not kept."""
    now = life.history[-1].at + later * MINUTE
    told = life.steps(now)
    assert [step.at for step in told] == sorted(step.at for step in told)
    missed = [step for step in told if step.what == "breached"]
    seen = life.clocks(now)
    of_first = any(step.values["target"] is Target.FIRST_RESPONSE for step in missed)
    assert not (seen.first_response.kept is False and not of_first)
    assert not (seen.first_response.kept is True and of_first)
    ended_updates = [
        s
        for s in missed
        if s.values["target"] is Target.UPDATE and s.values["number"] < len(naive_answers(life))
    ]
    assert len(ended_updates) == seen.updates_missed
    assert len(lines(told, UTC)) == len(told)


def naive_answers(life: Life) -> list[datetime]:
    return [line.at for line in life.history if line.kind is EntryKind.MAIL_OUT]
