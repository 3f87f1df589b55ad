"""`mailtickets next`: what the desk will send by itself, and when. Only reads, also while the daemon runs."""

from __future__ import annotations

import sys
from bisect import insort
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mailtickets.cli.words import (
    EXIT_FAILED,
    as_json,
    harmless,
    loaded,
    number_of,
    print_json,
    reading_store,
    rfc3339,
    say,
    stamp,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from mailtickets.desk.facts import HistoryLine
    from mailtickets.desk.policy import Policy
    from mailtickets.desk.ticket import Ticket, Timer
    from mailtickets.desk.upcoming import Coming
    from mailtickets.store import Store

REPORT = "report"
HANGING = " " * 35  # below what goes out, right of its time and its ticket


@dataclass(frozen=True, slots=True)
class _Moment:
    """Something that comes, with the ticket it belongs to; "" for a report."""

    reference: str
    coming: Coming

    @property
    def at(self) -> datetime:
        return self.coming.at

    @property
    def identity(self) -> tuple[str, str]:
        """What it is, whenever it happens."""
        return self.reference, self.coming.key

    def as_json(self) -> dict[str, Any]:
        return {
            "at": rfc3339(self.at),
            "reference": self.reference or None,
            "kind": self.coming.kind,
            "to": list(self.coming.to),
        }


@click.command("next")
@click.argument("reference", required=False)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many.")
@click.option(
    "--against",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What would move, come or go under another configuration.",
)
@as_json
def next_(*, reference: str | None, limit: int, against: Path | None, as_json: bool) -> None:
    """Show what will be sent when, if nobody writes meanwhile: reminders, closings, escalations, reports.

    REFERENCE is SUP-1042 or just 1042; without it all tickets are looked at, the soonest first. Of a clock that
    is stopped nothing comes; each answer moves what follows from it.

    \b
    mailtickets next
    mailtickets next SUP-1042
    mailtickets next --against new.toml
    """  # noqa: D301
    from mailtickets.clocks import utc_now
    from mailtickets.policies import policy_of

    config = loaded()
    store, policy, now, zone = reading_store(config), policy_of(config), utc_now(), config.desk.zone
    known = None if reference is None else _named(store, reference)
    ahead = _Ahead(store, policy, now)
    if against is not None:
        other = _Ahead(store, _policy(against), now)
        tickets = _every_ticket(store) if known is None else [known]
        _compare(ahead, other, tickets, limit, zone, reports=known is None, as_json=as_json)
        return
    moments = ahead.soonest(limit) if known is None else ahead.of(known)[:limit]
    if as_json:
        print_json([moment.as_json() for moment in moments])
        return
    for moment in moments:
        say(_line(moment, zone), HANGING)
    if not moments:
        click.echo(
            "nothing goes out by itself" + ("" if known is None else ": the ticket waits for a person")
        )


def _named(store: Store, reference: str) -> _Known:
    number = number_of(reference)
    known = None if number is None else _read(store, number)
    if known is None:
        click.echo(f"there is no ticket {harmless(reference)}; `mailtickets list --all` shows all", err=True)
        sys.exit(EXIT_FAILED)
    return known


def _policy(path: Path) -> Policy:
    from mailtickets.config import load
    from mailtickets.policies import policy_of

    return policy_of(load(path))


def _line(moment: _Moment, zone: ZoneInfo) -> str:
    reference = moment.reference or REPORT
    return f"{stamp(moment.at, zone)}  {reference:<10}  {harmless(moment.coming.what)}"


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read of a ticket."""

    ticket: Ticket
    history: tuple[HistoryLine, ...]
    bounced: frozenset[str]
    timers: tuple[Timer, ...]


def _read(store: Store, number: int) -> _Known | None:
    ticket = store.tickets.get(number)
    if ticket is None:
        return None
    bounced = store.views.bounced([person.address for person in ticket.people])
    timers = store.tickets.timers_of([number]).get(number, ())
    return _Known(ticket, store.tickets.history(number), bounced, tuple(timers))


def _every_ticket(store: Store) -> Iterator[_Known]:
    """Yield every unfinished ticket, also those without a timer: other rules may set one."""
    last = 0
    while numbers := store.views.unfinished(last):
        yield from (known for number in numbers if (known := _read(store, number)))
        last = numbers[-1]


class _Ahead:
    """What comes under one set of rules."""

    def __init__(self, store: Store, policy: Policy, now: datetime) -> None:
        self._store, self._policy, self._now = store, policy, now

    def soonest(self, limit: int) -> list[_Moment]:
        """Return the soonest moments; tickets are looked at in the order of their timers, and no further than need be."""
        found = sorted(self.reports(), key=lambda moment: moment.at)
        for number, first in self._store.views.timed():
            if len(found) >= limit and first > found[limit - 1].at:
                break
            known = _read(self._store, number)
            for moment in self.of(known) if known else ():
                insort(found, moment, key=lambda one: one.at)
            del found[limit:]
        return found[:limit]

    def of(self, known: _Known) -> list[_Moment]:
        """Return everything that comes on one ticket, the soonest first."""
        from mailtickets.desk.upcoming import upcoming

        by_rules = upcoming(known.ticket, known.history, self._policy, self._now, bounced=known.bounced)
        coming = [*by_rules, *self._waiting(known)]
        return sorted((_Moment(known.ticket.reference, one) for one in coming), key=lambda moment: moment.at)

    def _waiting(self, known: _Known) -> Iterator[Coming]:
        """Yield what waits for its time, whatever the rules: an acknowledgement, a held mail, a question to the admins."""
        from mailtickets.desk.ticket import HoldKind, TimerKind
        from mailtickets.desk.upcoming import Coming

        requester = known.ticket.requester
        for timer in known.timers:
            at, key = max(timer.due, self._now), f"{timer.kind} {timer.cycle}"
            if timer.kind is TimerKind.ACKNOWLEDGE:
                what = f"The acknowledgement to {requester}, which waits for a limit."
                yield Coming(at, "acknowledgement", (requester,), what, key)
            elif timer.kind is TimerKind.HELD and (held := self._store.ledger.held_agent(timer.cycle)):
                if held[1] is HoldKind.ALIAS:
                    continue  # a question that ends, and nothing is sent
                agent = self._policy.agents.get(held[0])
                to = (agent.email,) if agent else ()
                if held[1] is HoldKind.FORGET:
                    what = (
                        f"The question of {held[0]} to the admins ends, unless one answers: nobody is erased."
                    )
                    yield Coming(at, "forgotten", (*to, *self._policy.admins), what, key)
                    continue
                what = f"The held mail of {held[0]} goes back, unless it is confirmed."
                yield Coming(at, "not_sent", to, what, key)

    def reports(self) -> Iterator[_Moment]:
        """Yield the next report of each plan."""
        from zoneinfo import ZoneInfo

        from mailtickets.desk.upcoming import Coming
        from mailtickets.figures.period import next_plan

        for plan in self._policy.reports.values():
            at = next_plan(plan, ZoneInfo(self._policy.zone), self._now)
            what = f"{plan.name}, to {', '.join(plan.to)}."
            yield _Moment("", Coming(at, REPORT, plan.to, what, f"{REPORT} {plan.name}"))


# -- two configurations ---------------------------------------------------------------------------


def _compare(
    old: _Ahead,
    new: _Ahead,
    tickets: Iterable[_Known],
    limit: int,
    zone: ZoneInfo,
    *,
    reports: bool,
    as_json: bool,
) -> None:
    """Show what another configuration moves, adds and takes away; the soonest first."""
    changed: list[tuple[_Moment | None, _Moment | None]] = []
    same = 0
    pairs = [(list(old.reports()), list(new.reports()))] if reports else []
    for before, after in chain(pairs, ((old.of(known), new.of(known)) for known in tickets)):
        was = {moment.identity: moment for moment in before}
        now = {moment.identity: moment for moment in after}
        for one in dict.fromkeys((*was, *now)):
            left, right = was.get(one), now.get(one)
            if left and right and left.at == right.at:
                same += 1
            else:
                changed.append((left, right))
    changed.sort(key=lambda pair: min(moment.at for moment in pair if moment))
    if as_json:
        print_json([_changed_json(*pair) for pair in changed[:limit]])
        return
    for pair in changed[:limit]:
        say(_changed(*pair, zone), " " * 7)
    moved = sum(1 for left, right in changed if left and right)
    fresh = sum(1 for left, _ in changed if left is None)
    click.echo(f"{moved} moved, {fresh} new, {len(changed) - moved - fresh} gone, {same} as before")


def _changed(was: _Moment | None, now: _Moment | None, zone: ZoneInfo) -> str:
    if was and now:
        return f"moved  {stamp(was.at, zone)} -> {_line(now, zone)}"
    return f"new    {_line(now, zone)}" if now else f"gone   {_line(was, zone)}" if was else ""


def _changed_json(was: _Moment | None, now: _Moment | None) -> dict[str, Any]:
    """Return a change: `at` is null for what goes, `was` for what is new."""
    shown = now or was
    assert shown is not None  # noqa: S101  (one of them is there)
    return {
        **shown.as_json(),
        "at": rfc3339(now.at) if now else None,
        "was": rfc3339(was.at) if was else None,
    }
