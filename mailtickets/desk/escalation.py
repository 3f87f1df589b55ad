"""Pure: the ladder of a ticket: which rungs fire now, when to look again, who is told. Never twice.

What fired stands in the history as a key. A key fires once; nothing fires before its moment, for a
clock that is stopped or settled, or outside working hours unless the rung says `always`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from mailtickets.desk.service_level import moment_of_share
from mailtickets.mail.message import address_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from mailtickets.desk.agreement import Contact, Rung, Target, Trigger
    from mailtickets.desk.calendar import Calendar
    from mailtickets.desk.policy import Policy
    from mailtickets.desk.service_level import Clock, Clocks
    from mailtickets.desk.terms import Terms
    from mailtickets.desk.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Firing:
    """One rung fires for one reason.

    target, clock   None on request.
    key             written into the history, so that it fires once: "team-lead/resolution@14400ws/80%/1".
    moment          when it was due; None on request.
    time            1, or which repetition it is.
    """

    rung: Rung
    target: Target | None
    trigger: Trigger
    key: str
    clock: Clock | None
    moment: datetime | None = None
    time: int = 1


class Told(NamedTuple):
    """Somebody to be told. Only an agent, by `agent`, gets any rights with it; `agent` is "" for anybody else."""

    address: str
    name: str
    agent: str
    phone: str


def ladder(ticket: Ticket, policy: Policy) -> tuple[Rung, ...]:
    """Return the rungs for a ticket: its organisation's, else its type's, else its queue's and those for every queue.

    A type that keeps the queue's agents out has no rungs but those that name it: a ladder must not tell
    everybody what only a few may read.
    """
    rungs = tuple(rung for rung in policy.rungs if _fits(rung, ticket))
    kind = policy.types.get(ticket.type)
    if kind and kind.only_route:
        rungs = tuple(rung for rung in rungs if rung.type)
    of_organisation = tuple(rung for rung in rungs if rung.organisation)
    of_type = tuple(rung for rung in rungs if rung.type and not rung.organisation)
    return of_organisation or of_type or rungs


def _fits(rung: Rung, ticket: Ticket) -> bool:
    return (
        rung.queue in {"", ticket.queue}
        and rung.type in {"", ticket.type}
        and rung.organisation in {"", ticket.organisation}
    )


# -- by the clock ---------------------------------------------------------------------------------


def due(
    clocks: Clocks,
    ladder: Iterable[Rung],
    fired: Collection[str],
    ticket: Ticket,
    terms: Terms,
    now: datetime,
    *,
    at_any_hour: bool = False,
) -> tuple[Firing, ...]:
    """Return what fires now, in the order of the ladder.

    fired         the values of the ticket's ESCALATED lines.
    at_any_hour   also what waits for working hours: what has its moment behind it.

    Of several repetitions that passed unseen (downtime, a clock that was stopped) only the last one fires.
    """
    known = frozenset(fired)
    firing = []
    for case in _cases(clocks, ladder, ticket, terms):
        if case.first > now:
            continue
        passed = None
        for step in case.steps():
            if step.moment > now:
                break
            passed = step
        if passed and passed.time > case.last_fired(known) and (at_any_hour or case.may_fire(now)):
            firing.append(case.firing(passed))
    return tuple(firing)


def next_at(
    clocks: Clocks,
    ladder: Iterable[Rung],
    fired: Collection[str],
    ticket: Ticket,
    terms: Terms,
    now: datetime,
) -> datetime | None:
    """Return when something fires next if nothing else happens: `now` where something is due, None for never."""
    known = frozenset(fired)
    soonest: datetime | None = None
    for case in _cases(clocks, ladder, ticket, terms):
        if soonest is not None and case.first >= soonest:
            continue  # no step of it comes earlier
        last = case.last_fired(known)
        for step in case.steps():
            if step.time > last:
                at = step.moment if step.moment > now else case.in_hours(now)
                soonest = at if soonest is None else min(at, soonest)
                break
    return soonest


def ahead(
    clocks: Clocks,
    ladder: Iterable[Rung],
    fired: Collection[str],
    ticket: Ticket,
    terms: Terms,
    now: datetime,
) -> tuple[Firing, ...]:
    """Return everything that fires from now on if nothing else happens, the soonest first, each with its moment."""
    known = frozenset(fired)
    coming: list[Firing] = []
    for case in _cases(clocks, ladder, ticket, terms):
        last = case.last_fired(known)
        left = [step for step in case.steps() if step.time > last]
        passed = [step for step in left if step.moment <= now]
        if passed:  # of several only the last one fires, now or at the next opening
            coming.append(case.firing(passed[-1]._replace(moment=case.in_hours(now))))
        coming.extend(case.firing(step) for step in left if step.moment > now)
    return tuple(sorted(coming, key=lambda firing: firing.moment or now))


class _Step(NamedTuple):
    time: int
    moment: datetime


class _Case:
    """One trigger of one rung, for one clock; `first` is its moment as the clock alone gives it."""

    def __init__(
        self, rung: Rung, trigger: Trigger, clock: Clock, calendar: Calendar, first: datetime
    ) -> None:
        self.rung, self.trigger, self.clock, self.calendar, self.first = rung, trigger, clock, calendar, first

    def steps(self) -> Iterator[_Step]:
        """Yield the moments of this trigger in order; a breach may repeat itself.

        Outside working hours a moment moves to the next opening, and the following ones keep their distance.
        """
        repeat = self.rung.repeat if self.trigger.after is not None else None
        moment = self.in_hours(self.first)
        yield _Step(1, moment)
        if repeat is not None:
            for time in range(2, self.rung.times + 1):
                moment = self.in_hours(self.calendar.after(moment, repeat))
                yield _Step(time, moment)

    def last_fired(self, fired: frozenset[str]) -> int:
        """Return the last time this trigger fired, 0 for never."""
        if not fired:
            return 0
        times = range(self.rung.times if self.rung.repeat else 1, 0, -1)
        return next((time for time in times if self._key(time) in fired), 0)

    def _key(self, time: int) -> str:
        resumed = f"/r{self.clock.resumed}" if self.clock.resumed else ""
        again = f"/{time}" if time > 1 else ""
        target = f"{self.clock.target}@{promise_word(self.clock)}"
        return f"{rung_word(self.rung)}/{target}/{trigger_word(self.trigger)}/{self.clock.number}{resumed}{again}"

    def in_hours(self, moment: datetime) -> datetime:
        return moment if self.rung.always else self.calendar.next_open(moment)

    def may_fire(self, now: datetime) -> bool:
        return self.rung.always or self.calendar.is_open(now)

    def firing(self, step: _Step) -> Firing:
        return Firing(
            self.rung,
            self.clock.target,
            self.trigger,
            self._key(step.time),
            self.clock,
            step.moment,
            step.time,
        )


def _cases(clocks: Clocks, ladder: Iterable[Rung], ticket: Ticket, terms: Terms) -> Iterator[_Case]:
    going = [clock for clock in clocks.all if clock.is_going]
    shares: dict[tuple[Target, float], datetime | None] = {}  # rungs often share a share
    for rung in ladder if going else ():
        if rung.priorities and ticket.priority not in rung.priorities:
            continue
        for clock in going:
            if rung.targets and clock.target not in rung.targets:
                continue
            for trigger in rung.when:
                first = None
                if trigger.share is not None:
                    asked = clock.target, trigger.share
                    if asked not in shares:
                        shares[asked] = moment_of_share(clock, trigger.share)
                    first = shares[asked]
                elif trigger.after is not None and clock.due_at is not None:
                    first = terms.calendar.after(clock.due_at, trigger.after)
                if first is not None:
                    yield _Case(rung, trigger, clock, terms.calendar, first)


def rung_word(rung: Rung) -> str:
    """Return what a rung is called in keys: its name, so that another rung written above it changes nothing."""
    word = "-".join(re.findall(r"\w+", rung.name.casefold()))
    return word or str(rung.number)


def promise_word(clock: Clock) -> str:
    """Return what is promised as one word: another priority or date is another promise, which is watched anew."""
    allowed = clock.allowed
    if allowed is None:
        return f"{clock.due_at:%Y%m%dT%H%MZ}" if clock.due_at else "none"
    if allowed.days is not None:
        return f"{allowed.days}wd"
    if allowed.working is not None:
        return f"{allowed.working.total_seconds():.0f}ws"
    return f"{allowed.plain.total_seconds():.0f}s" if allowed.plain else "0s"


def unpromised(key: str) -> str:
    """Return a key without what was promised: the same rung of the same clock, whatever the target is."""
    return re.sub(r"@[^/]*", "", key)


def trigger_word(trigger: Trigger) -> str:
    """Return a trigger as one word: "80%", "breach", "breach+4h", "request"."""
    if trigger.text:
        return "".join(trigger.text.split())
    if trigger.share is not None:
        return f"{trigger.share * 100:g}%"
    return "request" if trigger.request else "breach" + (f"+{trigger.after}" if str(trigger.after) else "")


# -- on request -----------------------------------------------------------------------------------


def on_request(ladder: Iterable[Rung], fired: Collection[str], ticket: Ticket) -> Firing | None:
    """Return the next rung when somebody asks for escalation; None at the ladder's end (see `highest`)."""
    asked = {key.split("/")[0] for key in fired if key.split("/")[1:2] == ["request"]}
    for rung, trigger in _requests(ladder, ticket):
        if rung_word(rung) not in asked:
            return Firing(rung, None, trigger, f"{rung_word(rung)}/request/{len(asked) + 1}", None)
    return None


def highest(ladder: Iterable[Rung], ticket: Ticket) -> Rung | None:
    """Return the last rung that can be asked for, or None where none can."""
    return next((rung for rung, _ in reversed([*_requests(ladder, ticket)])), None)


def _requests(ladder: Iterable[Rung], ticket: Ticket) -> Iterator[tuple[Rung, Trigger]]:
    for rung in ladder:
        if not rung.priorities or ticket.priority in rung.priorities:
            yield from ((rung, trigger) for trigger in rung.when if trigger.request)


# -- people ---------------------------------------------------------------------------------------


def merged(firings: Iterable[Firing]) -> tuple[tuple[Contact, tuple[Firing, ...]], ...]:
    """Return each contact once, with all that it is told: several rungs at once are one mail to a person."""
    found: dict[Contact, list[Firing]] = {}
    for firing in firings:
        for contact in dict.fromkeys(firing.rung.to):
            found.setdefault(contact, []).append(firing)
    return tuple((contact, tuple(told)) for contact, told in found.items())


def tellings(
    firings: Iterable[Firing], ticket: Ticket, policy: Policy
) -> tuple[tuple[Told, tuple[Firing, ...]], ...]:
    """Return each person once, with all that they are told, also where two rungs name them in two ways."""
    people: dict[str, Told] = {}
    found: dict[str, dict[str, Firing]] = {}
    for contact, firings_told in merged(firings):
        for person in told(contact, ticket, policy):
            key = address_key(person.address)
            if person.agent or key not in people:
                people[key] = person
            found.setdefault(key, {}).update({firing.key: firing for firing in firings_told})
    return tuple((people[key], tuple(by_key.values())) for key, by_key in found.items())


def told(contact: Contact, ticket: Ticket, policy: Policy) -> tuple[Told, ...]:
    """Return the people a contact stands for.

    Without an account manager the admins are told, without an assignee the agents of the queue.
    """
    match contact.agent:
        case "":
            return (Told(contact.address, contact.name, "", contact.phone),) if contact.address else ()
        case "admins":
            return _people(policy.admins, policy, contact)
        case "account_manager":
            organisation = policy.organisations.get(ticket.organisation)
            manager = organisation.account_manager if organisation else ""
            return _people((manager,) if manager else policy.admins, policy, contact)
        case "assignee":
            if ticket.assignee in policy.agents:
                return _people((ticket.assignee,), policy, contact)
            kind, queue = policy.types.get(ticket.type), policy.queues.get(ticket.queue)
            if kind and kind.only_route:
                return told(replace(contact, agent="account_manager"), ticket, policy)
            return _people(queue.agents if queue else (), policy, contact)
        case agent:
            return _people((agent,), policy, contact)


def _people(words: Iterable[str], policy: Policy, contact: Contact) -> tuple[Told, ...]:
    """Return agents by their keys, anybody else by the address; an agent's own address is that agent."""
    found = []
    for word in words:
        agent = policy.agents.get(word) or policy.agent_of(word)
        if agent and word in {agent.key, agent.email}:
            found.append(Told(agent.email, agent.name, agent.key, contact.phone))
        elif "@" in word:
            found.append(Told(word, contact.name, "", contact.phone))
    return tuple(dict.fromkeys(found))
