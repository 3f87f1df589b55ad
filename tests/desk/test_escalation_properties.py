"""Whatever happens in whatever order: no rung fires twice, early, or for a clock that is stopped or settled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mailtickets.desk.agreement import Contact, Rung, Target, Trigger
from mailtickets.desk.escalation import Firing, due, merged, next_at
from mailtickets.desk.service_level import moment_of_share
from mailtickets.desk.ticket import EntryKind
from tests.desk.test_clock_properties import act, lives, statuses
from tests.support.clocks import MINUTE, span

KIM, BOSS = Contact(agent="kim"), Contact(address="boss@desk.example")
TRIGGERS = (
    Trigger(share=0.5, text="50%"),
    Trigger(share=0.8, text="80%"),
    Trigger(after=span("0s"), text="breach"),
    Trigger(after=span("4h"), text="breach+4h"),
    Trigger(after=span("4wh"), text="breach+4wh"),
    Trigger(request=True, text="request"),
)


@st.composite
def ladders(draw):
    """One to three rungs of every kind."""
    return tuple(
        Rung(
            number,
            f"rung {number}",
            tuple(draw(st.lists(st.sampled_from(TRIGGERS), min_size=1, max_size=3, unique=True))),
            draw(st.sampled_from(((KIM,), (BOSS,), (KIM, BOSS)))),
            targets=draw(st.sampled_from(((), (Target.RESOLUTION,)))),
            priorities=draw(st.sampled_from(((), ("P1",)))),
            repeat=draw(st.sampled_from((None, span("1h"), span("2wh")))),
            times=draw(st.integers(1, 4)),
            always=draw(st.booleans()),
        )
        for number in range(1, draw(st.integers(1, 3)) + 1)
    )


events = st.one_of(
    st.just(("answer", "")),
    st.tuples(st.just("status"), statuses),
    st.tuples(st.just("priority"), st.sampled_from(("P1", "P3"))),
    st.just(("workaround", "")),
    st.just(("reopen", "")),
    st.just(("agree", "")),
    st.just(("look", "")),
    st.just(("look", "")),
    st.just(("timer", "")),
    st.just(("timer", "")),
)
gaps = st.one_of(
    st.integers(0, 90), st.integers(0, 1500), st.just(14 * 1440)
)  # minutes, hours, long downtime


class Desk:
    """Looks at one ticket, remembers what fired, and holds every promise about it."""

    def __init__(self, life, rungs) -> None:
        self.life, self.rungs = life, rungs
        self.now = life.history[-1].at
        self.fired: list[str] = []

    def asks(self):
        clocks = self.life.clocks(self.now)
        return clocks, self.rungs, self.fired, self.life.ticket, self.life.terms, self.now

    def looks(self) -> tuple[Firing, ...]:
        clocks, *_ = asked = self.asks()
        firings = due(*asked)
        for firing in firings:
            assert firing.key not in self.fired
            assert " " not in firing.key
            assert firing.clock is not None
            assert firing.clock in clocks.all
            assert firing.clock.ended_at is None
            assert not firing.clock.stopped
            assert clocks.running or firing.clock.agreed_at
            assert self.moment(firing) <= firing.moment <= self.now
            assert firing.rung.always or self.life.terms.calendar.is_open(self.now)
            assert firing.time <= firing.rung.times
        self.fired += [firing.key for firing in firings]
        assert len(self.fired) == len(set(self.fired))
        people = [contact for contact, _ in merged(firings)]
        assert len(people) == len(set(people))
        assert due(*self.asks()) == ()
        return firings

    def moment(self, firing):
        """The earliest moment at which it may fire, told in another way than the ladder does."""
        if firing.trigger.share is not None:
            return moment_of_share(firing.clock, firing.trigger.share)
        return self.life.terms.calendar.after(firing.clock.due_at, firing.trigger.after)

    def waits_for_its_timer(self) -> None:
        """Nothing fires before the timer, and something does when it is due."""
        self.looks()
        when = next_at(*self.asks())
        if when is None:
            return
        assert when > self.now
        before = self.now
        for share in (0.1, 0.5, 0.99):
            self.now = before + (when - before) * share
            assert due(*self.asks()) == ()
        self.now = when - timedelta(microseconds=1)
        assert due(*self.asks()) == ()
        self.now = when
        assert self.looks()


@settings(max_examples=120, deadline=None)
@given(lives(), ladders(), st.lists(st.tuples(gaps, events), max_size=12))
def test_nothing_fires_twice_early_or_after_the_fact(life, rungs, happenings):
    """Time, downtime, answers, stops, reopenings and priority moves in any order."""
    desk = Desk(life, rungs)
    for gap, (what, value) in happenings:
        desk.now = max(desk.now + gap * MINUTE, life.history[-1].at)
        match what:
            case "look":
                desk.looks()
            case "timer":
                desk.waits_for_its_timer()
            case "agree":
                life.ticket = replace(life.ticket, due_at=desk.now + gap * MINUTE)
                life.line(EntryKind.DUE, desk.now)
            case "reopen":
                act(life, "status", "open", desk.now)
            case _:
                act(life, what, value, desk.now)
    for _ in range(40):
        desk.waits_for_its_timer()
    assert next_at(*desk.asks()) is None


@settings(max_examples=60, deadline=None)
@given(lives(), ladders(), st.lists(gaps, max_size=6))
def test_what_fires_does_not_depend_on_when_the_desk_looked(life, rungs, looks):
    """A desk that was away ends with every rung told that one on duty told, but for repetitions it slept through."""
    one, other = Desk(life, rungs), Desk(life, rungs)
    for _ in range(40):
        one.waits_for_its_timer()
    for gap in looks:
        other.now += gap * MINUTE
        other.looks()
    for _ in range(40):
        other.waits_for_its_timer()
    assert set(other.fired) <= set(one.fired)
    assert {reasons(key) for key in other.fired} == {reasons(key) for key in one.fired}


def reasons(key: str) -> str:
    """A key without its repetition: rung, target, trigger, clock."""
    return "/".join(part for part in key.split("/")[:4])
