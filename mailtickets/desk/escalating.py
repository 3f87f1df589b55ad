"""Pure: a rung of the ladder is due, or asked for: who is told, and what the history says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk import saying
from mailtickets.desk.clock_words import span_in_words
from mailtickets.desk.escalation import Firing, due, highest, ladder, on_request, rung_word, tellings, told
from mailtickets.desk.keeping import fired
from mailtickets.desk.promises import TARGET_WORDS, deadlines
from mailtickets.desk.service_level import clocks
from mailtickets.desk.terms import terms_of
from mailtickets.desk.ticket import Audience, Change, Decision, Entry, EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mailtickets.desk.escalation import Told
    from mailtickets.desk.facts import TicketFacts
    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.policy import Policy, QueuePolicy
    from mailtickets.desk.ticket import Ticket


MAX_REASON = 200  # letters of why somebody asked, in the history


def clock_due(facts: TicketFacts, queue: QueuePolicy, policy: Policy, now: datetime) -> Decision:
    """Tell whoever the ladder names of what is due now; the timer of the next rung is set in any case."""
    ticket = facts.ticket
    terms = terms_of(ticket, policy)
    read = clocks(ticket, facts.history, terms, now)
    firings = due(read, ladder(ticket, policy), fired(facts.history), ticket, terms, now)
    entries, mail = _told(firings, facts, queue, policy, now, asked_by="", reason="")
    return Decision(changes=(Change(ticket, entries),), mail=mail)


def asked(
    facts: TicketFacts,
    after: Ticket,
    queue: QueuePolicy,
    policy: Policy,
    now: datetime,
    *,
    by: str,
    reason: str,
) -> tuple[tuple[Entry, ...], tuple[Outgoing, ...], tuple[Told, ...]]:
    """Take the next rung because somebody asks for it; return its entries, its mails, and who is told.

    At the ladder's end its last rung is told again; without a ladder for requests nobody is, and the
    caller says so.
    """
    rungs = ladder(after, policy)
    firing = on_request(rungs, fired(facts.history), after)
    if firing is None and (last := highest(rungs, after)):
        trigger = next(trigger for trigger in last.when if trigger.request)
        firing = Firing(last, None, trigger, f"{rung_word(last)}/request/again{facts.newest_seq}", None)
    if firing is None:
        return (), (), ()
    entries, mail = _told(
        (firing,), replace(facts, ticket=after), queue, policy, now, asked_by=by, reason=reason
    )
    people = [person for contact in firing.rung.to for person in told(contact, after, policy)]
    return entries, mail, tuple(dict.fromkeys(people))


def named(people: Iterable[Told]) -> str:
    """Return people as a list of names for agents; who has no name is told by address."""
    names = list(dict.fromkeys(person.name or person.address for person in people))
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names) or "nobody"


def _told(
    firings: tuple[Firing, ...],
    facts: TicketFacts,
    queue: QueuePolicy,
    policy: Policy,
    now: datetime,
    *,
    asked_by: str,
    reason: str,
) -> tuple[tuple[Entry, ...], tuple[Outgoing, ...]]:
    """Return an entry for each rung and a mail for each person: after downtime one tells of several."""
    ticket, excerpt = facts.ticket, saying.excerpt(" ".join(reason.split()), MAX_REASON)
    people = tellings(firings, ticket, policy)
    entries = tuple(
        Entry(
            EntryKind.ESCALATED, now, asked_by or "desk", Audience.AGENTS,
            to=tuple(person.address for person, tells in people if firing in tells),
            reason=f"{firing.key} {firing.rung.name}: {why(firing)}{f' ({excerpt})' if excerpt else ''}",
        )
        for firing in firings
    )  # fmt: skip
    lines = deadlines(ticket, facts.history, policy, now)
    mail = tuple(
        saying.escalation(
            person, ticket, queue, policy, facts, deadlines=lines, asked_by=asked_by, reason=reason,
            occasion=f"escalated:{','.join(firing.key for firing in tells)}"[:300],
            rungs=[
                {"name": firing.rung.name, "why": why(firing), "at": firing.clock.due_at if firing.clock else None,
                 "headline": headline(firing, saying.name_of(asked_by, policy))}
                for firing in loudest(tells)
            ],
            also=[other for other, _ in people if other != person],
        )
        for person, tells in people
    )  # fmt: skip
    return entries, mail


def loudest(firings: Iterable[Firing]) -> tuple[Firing, ...]:
    """Return of each clock only what came last: who reads that it is late need not read that it soon will be."""
    last: dict[object, Firing] = {}
    for firing in firings:
        before = last.get(firing.target or firing.key)
        if before is None or (firing.moment and before.moment and firing.moment >= before.moment):
            last[firing.target or firing.key] = firing
    # What is late stands first: the subject names only one.
    return tuple(sorted(last.values(), key=lambda firing: firing.trigger.share is not None))


def why(firing: Firing) -> str:
    """Return why a rung fires, in words for a person."""
    if firing.clock is None or firing.target is None:
        return "escalation was asked for"
    what = TARGET_WORDS[firing.target]
    if firing.trigger.share is not None:
        return f"{firing.trigger.share:.0%} of the time for the {what} is used"
    again = "" if firing.time == 1 else f" (told for the {ordinal(firing.time)} time)"
    after = firing.trigger.after
    late = f" by {span_in_words(after)}" if after and (after.plain or after.working or after.days) else ""
    return f"the {what} is late{late}{again}"


def headline(firing: Firing, asked_by: str) -> str:
    """Return why a rung fires in the few words that a locked telephone shows."""
    if firing.clock is None or firing.target is None:
        return f"Escalated by {asked_by}" if asked_by else "Escalated"
    what = TARGET_WORDS[firing.target]
    return f"{what.capitalize()} due soon" if firing.trigger.share is not None else f"Late: {what}"


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, 11th."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in {11, 12, 13} else "th"
    return f"{number}{ending}"
