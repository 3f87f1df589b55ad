"""Pure: many mails of one sender that belong to no thread: the later ones are filed on that sender's last ticket.

They are kept, found and shown like any other; what they do not make is hundreds of tickets, acknowledgements and notices.
From is a claim, so such a mail changes nothing for customers: its entry is for agents, it reopens nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk import marks, saying, silence
from mailtickets.desk.case import SILENCE_TIMERS
from mailtickets.desk.facts import ALIKE, REPEATS
from mailtickets.desk.ticket import Alarm, Audience, Change, Decision, Entry, EntryKind, Outcome, Status

if TYPE_CHECKING:
    from mailtickets.desk.case import Case
    from mailtickets.desk.facts import Opened, TicketFacts
    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.ticket import Ticket

FILED = "a repeat, filed on the last ticket of its sender"


def filed_on_last(case: Case, would_be: Ticket) -> Decision | None:
    """File a mail on the last ticket that its sender's mailbox opened; None where it opens one of its own.

    would_be   the ticket that it would open: only one of the same queue and type takes its place, so that nobody reads
               by it what was not for them, and none that is less urgent, so that an outage does not wait among notices.
    """
    there = [one for one in case.facts.opened if (one.queue, one.type) == (would_be.queue, would_be.type)]
    as_urgent = [one for one in there if one.priority <= would_be.priority]
    opened = max(as_urgent, key=lambda one: one.priority, default=None)
    facts = case.facts.ticket(opened.last) if opened and opened.last is not None else None
    by_proof = case.standing.agent is not None and case.standing.proven
    if opened is None or facts is None or by_proof or case.event.released or case.event.grant:
        return None
    ticket, why = facts.ticket, _why(opened)
    if case.standing.proven and not ticket.proven:
        return None  # or mail in somebody's name would silence them
    first = REPEATS not in ticket.tags
    after = replace(ticket, updated_at=case.now, tags=(*ticket.tags, REPEATS) if first else ticket.tags)
    reason = "; ".join(
        one for one in (f"filed here, not acknowledged: {why}", marks.about_the_sender(case)) if one
    )
    entries = [case.mail_in(Audience.AGENTS, reason=reason)]
    if first:
        entries.append(Entry(EntryKind.TAGGED, case.now, "desk", Audience.AGENTS, reason=f"{REPEATS}: {why}"))
    if ticket.status is Status.WAITING:
        after = silence.end_silence(after, Status.OPEN, case.now)
        entries.append(case.status_entry(Status.OPEN, "more mail of the same sender; the reminders stop"))
    changed = after.status is not ticket.status
    change = Change(
        after,
        tuple(entries),
        drop=SILENCE_TIMERS if changed else (),
        ids=case.ids,
        as_before=not (first or changed),
    )
    return Decision(
        case.verdict(Outcome.ON_TICKET, f"{FILED}: {why}", ticket.number),
        (change,),
        _tell(case, facts, after, why, first=first or changed),
        case.writer,
        alarms=(_alarm(case, after, why),) if first and opened.alike < ALIKE else (),
    )


def _why(opened: Opened) -> str:
    if opened.alike >= ALIKE:
        return f"the same words opened {opened.alike} tickets within an hour"
    return f"its sender opened {opened.count} tickets within an hour"


def _tell(case: Case, facts: TicketFacts, after: Ticket, why: str, *, first: bool) -> tuple[Outgoing, ...]:
    """Tell the agents of the first one by a notice, of the others by the list."""
    queue = case.policy.queues.get(after.queue, case.queue)
    hint = (
        f"{why}: this mail and further ones like it are filed here, and nothing is sent to the sender."
        " You hear of them by a list; `mailtickets show` has them all"
    )
    notices = saying.tell_agents(
        "agent_reply", after, case.incoming, case.standing, queue, case.policy, occasion=f"in:{case.event.copy}", now=case.now,
        history=facts.history, warnings=(*marks.forged(case), *marks.warnings(case)), hints=(*case.found.hints, *marks.hints(case), hint),
    )  # fmt: skip
    return notices if first else tuple(replace(notice, listed=True) for notice in notices)


def _alarm(case: Case, ticket: Ticket, why: str) -> Alarm:
    return Alarm(
        "repeats",
        "Many mails of one sender are filed on one ticket",
        f"{case.sender}: {why}",
        f"Look at it with `mailtickets show {ticket.reference}`. If the mail is not wanted, have your mail server refuse this"
        " sender; if it is, raise tickets_per_address_hour in [limits]. All of it is kept.",
    )
