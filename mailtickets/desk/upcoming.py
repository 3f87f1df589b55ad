"""Pure: what the desk will send by itself on a ticket, and when, if nobody writes meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailtickets.desk import silence
from mailtickets.desk.escalating import named, why
from mailtickets.desk.escalation import ahead, ladder, told, unpromised
from mailtickets.desk.keeping import fired
from mailtickets.desk.route import hearers
from mailtickets.desk.service_level import clocks
from mailtickets.desk.terms import terms_of
from mailtickets.desk.ticket import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from mailtickets.desk.facts import HistoryLine
    from mailtickets.desk.policy import Policy, QueuePolicy
    from mailtickets.desk.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Coming:
    """Something that will happen to a ticket by itself.

    kind   reminder, closed, warning (a share of a target is used), breach; agents_asked: the agents get the
           ticket back, because silence may not close it or nobody can be reminded.
    to     addresses that get mail by it.
    what   in words, for agents and admins.
    key    what it is, whenever it happens: the same under other rules.
    """

    at: datetime
    kind: str
    to: tuple[str, ...]
    what: str
    key: str


def upcoming(
    ticket: Ticket,
    history: Sequence[HistoryLine],
    policy: Policy,
    now: datetime,
    *,
    bounced: Collection[str] = (),
) -> tuple[Coming, ...]:
    """Return what comes, the soonest first; what is due already stands at `now`.

    bounced   addresses to which mail is known to come back: nobody is reminded there.
    """
    queue = policy.queues.get(ticket.queue)
    if queue is None:
        return ()
    coming = [
        *_silence(ticket, queue, policy, now, bounced),
        *_escalations(ticket, history, policy, now),
    ]
    return tuple(sorted(coming, key=lambda one: one.at))


def _silence(
    ticket: Ticket, queue: QueuePolicy, policy: Policy, now: datetime, bounced: Collection[str]
) -> Iterator[Coming]:
    """Yield the reminders of a silent ticket and its end."""
    rhythm = silence.rhythm_of(ticket, queue, policy)
    people = tuple(person.address for person in ticket.participants if person.address not in bounced)
    agents = tuple(policy.agents[key].email for key in hearers(ticket, queue, policy).agents)
    timer = silence.next_timer(ticket, rhythm)
    if timer is None:
        return
    if ticket.status is Status.WAITING and (ticket.automatic or not people):
        what = "The ticket goes back to its agents: there is nobody who could be reminded."
        yield Coming(max(timer.due, now), "agents_asked", agents, what, "back")
        return
    step, total = ticket, len(rhythm.reminders)
    while step.status is Status.WAITING and step.silent_step < total:
        at = max(timer.due, now)
        number = step.silent_step + 1
        what = f"Reminder {number} of {total} to {', '.join(people)}."
        yield Coming(at, "reminder", people, what, f"reminder {number}")
        step = silence.after_reminder(step, at)
        timer = silence.next_timer(step, rhythm) or timer
    at = max(timer.due, now)
    if rhythm.confirm_close:
        what = "The agents are asked to close it: here no ticket is closed by time."
        yield Coming(at, "agents_asked", agents, what, "closed")
    elif ticket.status is Status.RESOLVED and (ticket.automatic or not people):
        yield Coming(at, "closed", (), "It closes by itself.", "closed")
    else:
        yield Coming(
            at, "closed", people, f"It closes by itself, with a mail to {', '.join(people)}.", "closed"
        )


def _escalations(
    ticket: Ticket, history: Sequence[HistoryLine], policy: Policy, now: datetime
) -> Iterator[Coming]:
    """Yield the rungs of the ladder that fire if the clocks go on as they do now."""
    rungs = ladder(ticket, policy)
    if not rungs:
        return
    terms = terms_of(ticket, policy)
    read = clocks(ticket, history, terms, now)
    for firing in ahead(read, rungs, fired(history), ticket, terms, now):
        people = dict.fromkeys(
            person for contact in firing.rung.to for person in told(contact, ticket, policy)
        )
        kind = "warning" if firing.trigger.share is not None else "breach"
        to = tuple(dict.fromkeys(person.address for person in people))
        what = f"{firing.rung.name}: {why(firing)}; tells {named(people)}."
        yield Coming(firing.moment or now, kind, to, what, unpromised(firing.key))
