"""Pure: what a due timer does. Everything is checked again first; after downtime at most one step per ticket."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mailtickets.desk import escalating, forgetting, saying, silence
from mailtickets.desk.case import SILENCE_TIMERS, is_stranger, timers_of
from mailtickets.desk.limits import next_round, past_limit
from mailtickets.desk.organisation import May, may_open
from mailtickets.desk.ticket import (
    Audience,
    Change,
    Decision,
    Entry,
    EntryKind,
    HoldKind,
    Outcome,
    Release,
    Status,
    Timer,
    TimerKind,
    Verdict,
)

if TYPE_CHECKING:
    from datetime import datetime

    from mailtickets.desk.events import TimerDue
    from mailtickets.desk.facts import Facts, NoticeState, TicketFacts
    from mailtickets.desk.policy import Policy, QueuePolicy
    from mailtickets.desk.ticket import Person, Ticket

STILL_SENDING = frozenset({"queued", "sending", "deferred"})
LOOK_AGAIN = timedelta(minutes=15)
LAST_WORDS = frozenset({"mail_out", "resolved"})


def timer_due(event: TimerDue, facts: Facts, policy: Policy, now: datetime) -> Decision:
    """Decide what a due timer does now; one that no longer fits its ticket ends without effect."""
    ticket = facts.ticket(event.ticket)
    done = Decision(timer_done=(event.timer.kind, event.timer.cycle))
    if ticket is None or (queue := policy.queues.get(ticket.ticket.queue)) is None:
        return done
    match event.timer.kind:
        case TimerKind.SILENCE:
            fits = ticket.ticket.status is Status.WAITING and ticket.ticket.cycle == event.timer.cycle
            return _silence(ticket, facts, queue, policy, now) if fits else done
        case TimerKind.RESOLVED:
            fits = ticket.ticket.status is Status.RESOLVED and ticket.ticket.cycle == event.timer.cycle
            return _resolved(ticket, facts, queue, policy, now) if fits else done
        case TimerKind.ACKNOWLEDGE:
            return _acknowledge(ticket, facts, queue, policy, now) or done
        case TimerKind.CLOCK:
            return escalating.clock_due(ticket, queue, policy, now)
        case TimerKind.HELD:
            return _hold_ended(event, ticket, queue, policy, now)


def _silence(
    facts: TicketFacts, all_facts: Facts, queue: QueuePolicy, policy: Policy, now: datetime
) -> Decision:
    ticket = facts.ticket
    rhythm = silence.rhythm_of(ticket, queue, policy)
    timer = silence.next_timer(ticket, rhythm)
    if timer is None:
        return Decision()  # silence does not touch this ticket any more
    if timer.due > now:
        return Decision(changes=(Change(ticket, timers=(timer,)),))  # the rules changed since it was set
    if opens := _opens_later(rhythm, now):
        return Decision(changes=(Change(ticket, timers=(replace(timer, due=opens),)),))
    people = _reachable(ticket, all_facts)
    if not people:
        return _unreachable(facts, queue, policy, now)
    last = facts.last_notice
    if last and last.state in STILL_SENDING:
        return _later(ticket, queue, policy, now + min(LOOK_AGAIN, rhythm.first(now)))
    if last and last.human and _lost(last):
        # Nobody is reminded of words that may never have arrived.
        return _unreachable(facts, queue, policy, now, *_not_arrived(last))
    step = ticket.silent_step
    if last and last.state == "sent" and last.sent_at:
        full = silence.step_after(last.sent_at, ticket, rhythm)
        if now < full:
            # Our answer or the last reminder really went out later than planned: the full time counts from then.
            return _later(ticket, queue, policy, full)
    if ticket.automatic:
        return _unreachable(
            facts, queue, policy, now, "a machine opened the ticket, and machines are not reminded"
        )
    if is_stranger(facts, all_facts):
        return _unreachable(
            facts,
            queue,
            policy,
            now,
            "nobody of the desk has written to the customer yet",
            "Answer it first.",
        )
    if step < len(queue.reminders):
        return _remind(facts, people, queue, policy, now)
    if rhythm.confirm_close:
        return _ask_agent_to_close(facts, queue, policy, now)
    if last is None or last.state != "sent":
        # An uncertain reminder counts as not sent: a fresh one, and the full period after it.
        if not queue.reminders:
            return _unreachable(facts, queue, policy, now, "the fate of our last mail is not known")
        again = replace(ticket, silent_step=len(queue.reminders) - 1)
        return _remind(replace(facts, ticket=again), people, queue, policy, now, again=True)
    return _close(facts, people, queue, policy, now, "no answer from the customer")


def _opens_later(rhythm: silence.Rhythm, now: datetime) -> datetime | None:
    """Return when the sending window opens, where it is closed now: after downtime a step may come on a Saturday."""
    return None if rhythm.calendar.is_open(now) else rhythm.calendar.next_open(now)


def _reachable(ticket: Ticket, facts: Facts) -> tuple[Person, ...]:
    return tuple(person for person in ticket.participants if person.address not in facts.bounced)


def _later(ticket: Ticket, queue: QueuePolicy, policy: Policy, until: datetime) -> Decision:
    if ticket.status is Status.RESOLVED:
        return Decision(changes=(Change(ticket, timers=(Timer(TimerKind.RESOLVED, until, ticket.cycle),)),))
    after = silence.put_off(ticket, until, silence.rhythm_of(ticket, queue, policy))
    return Decision(changes=(Change(after, timers=timers_of(after, queue, policy)),))


def _remind(
    facts: TicketFacts,
    people: tuple[Person, ...],
    queue: QueuePolicy,
    policy: Policy,
    now: datetime,
    *,
    again: bool = False,
) -> Decision:
    ticket = facts.ticket
    rhythm = silence.rhythm_of(ticket, queue, policy)
    after = replace(silence.after_reminder(ticket, now), updated_at=now)
    last = after.silent_step >= len(queue.reminders)
    asked = _asked_last(facts)
    to = tuple(person.address for person in people)
    words = f"reminder {after.silent_step}" + (" once more" if again else "")
    entry = Entry(EntryKind.REMINDER, now, "desk", Audience.CUSTOMER, to=to, reason=words)
    occasion = f"reminder:{ticket.cycle}:{after.silent_step}" + (f":{facts.newest_seq}" if again else "")
    mail = saying.to_customers(
        "reminder", after, people, queue, policy, facts, occasion=occasion, human=False, keyed=True, entry=0,
        values={"step": after.silent_step, "last": last, "closes_at": silence.closes_at(after, rhythm) if last else None,
                "asked": saying.excerpt(asked)},
    )  # fmt: skip
    return Decision(changes=(Change(after, (entry,), timers_of(after, queue, policy)),), mail=(mail,))


def _asked_last(facts: TicketFacts) -> str:
    """Return what the customer was last asked: an agent's text, and the list of what is missing that went with it."""
    ours = [entry for entry in facts.public if entry.kind in {EntryKind.MAIL_OUT, EntryKind.ASKED}]
    last = ours[-1:]
    if last and last[0].kind is EntryKind.ASKED:
        last = [entry for entry in ours[-2:] if entry.at == last[0].at]
    return "\n\n".join(entry.text for entry in last)


def _close(
    facts: TicketFacts,
    people: tuple[Person, ...],
    queue: QueuePolicy,
    policy: Policy,
    now: datetime,
    why: str,
) -> Decision:
    after = silence.end_silence(replace(facts.ticket, updated_at=now), Status.CLOSED, now)
    entry = Entry(EntryKind.STATUS, now, "desk", Audience.AGENTS, reason=f"closed: {why}")
    mail = saying.to_customers(
        "closed", after, people, queue, policy, facts, occasion=f"closed:{facts.ticket.cycle}", human=False, keyed=True,
        values={"agent": "", "silence": facts.ticket.status is Status.WAITING, "reopen_until": now + queue.reopen_within},
    )  # fmt: skip
    return Decision(changes=(Change(after, (entry,), drop=SILENCE_TIMERS),), mail=(mail,))


def _ask_agent_to_close(facts: TicketFacts, queue: QueuePolicy, policy: Policy, now: datetime) -> Decision:
    after = replace(facts.ticket, silent_base=None, updated_at=now)
    entry = Entry(
        EntryKind.STATUS,
        now,
        "desk",
        Audience.AGENTS,
        reason=f"{after.status}: silent to the end; an agent closes here",
    )
    told = saying.event_to_agents(
        "status", after, queue, policy, actor="desk", occasion=f"silent:{after.cycle}",
        detail="The customer was reminded and did not answer. Tickets of this queue are not closed by time: answer #close to close it.",
    )  # fmt: skip
    return Decision(changes=(Change(after, (entry,), drop=SILENCE_TIMERS),), mail=told)


def _unreachable(
    facts: TicketFacts,
    queue: QueuePolicy,
    policy: Policy,
    now: datetime,
    why: str = "our mail to the customer comes back",
    remedy: str = "",
) -> Decision:
    after = silence.end_silence(replace(facts.ticket, updated_at=now), Status.OPEN, now)
    entry = Entry(EntryKind.STATUS, now, "desk", Audience.AGENTS, reason=f"open: {why}; nobody was reminded")
    told = saying.event_to_agents(
        "status", after, queue, policy, actor="desk", occasion=f"unreachable:{facts.ticket.cycle}",
        detail=f"No reminder was sent: {why}. The ticket is open again, so that somebody looks at it. {remedy}".rstrip(),
    )  # fmt: skip
    return Decision(changes=(Change(after, (entry,), drop=SILENCE_TIMERS),), mail=told)


def _resolved(
    facts: TicketFacts, all_facts: Facts, queue: QueuePolicy, policy: Policy, now: datetime
) -> Decision:
    ticket = facts.ticket
    rhythm = silence.rhythm_of(ticket, queue, policy)
    timer = silence.next_timer(ticket, rhythm)
    if timer is None:
        return Decision()  # silence does not touch this ticket any more
    if timer.due > now:
        return Decision(changes=(Change(ticket, timers=(timer,)),))
    if opens := _opens_later(rhythm, now):
        return Decision(changes=(Change(ticket, timers=(replace(timer, due=opens),)),))
    people = _reachable(ticket, all_facts)
    last = facts.last_notice
    if last and last.state in STILL_SENDING:
        wait = rhythm.calendar.after(now, rhythm.resolved_close_after) - now
        return _later(ticket, queue, policy, now + min(LOOK_AGAIN, wait))
    if last and last.state == "sent" and last.sent_at:
        full = rhythm.calendar.after(last.sent_at, rhythm.resolved_close_after)
        if now < full:
            return _later(ticket, queue, policy, full)
    if last and _lost(last):
        return _unreachable(facts, queue, policy, now, *_not_arrived(last))
    if rhythm.confirm_close:
        return _ask_agent_to_close(facts, queue, policy, now)
    if ticket.participants and not people:
        return _unreachable(facts, queue, policy, now, "our mail to the customer did not arrive")
    if not people or ticket.automatic or is_stranger(facts, all_facts):
        after = silence.end_silence(replace(ticket, updated_at=now), Status.CLOSED, now)
        entry = Entry(
            EntryKind.STATUS, now, "desk", Audience.AGENTS, reason="closed: resolved, and nobody objected"
        )
        return Decision(changes=(Change(after, (entry,), drop=SILENCE_TIMERS),))
    return _close(facts, people, queue, policy, now, "resolved, and nobody objected")


def _lost(last: NoticeState) -> bool:
    return last.state in {"failed", "uncertain"}


def _not_arrived(last: NoticeState) -> tuple[str, str]:
    """Return why the customer's silence says nothing, and what an agent can do."""
    what = "the last answer" if last.human else "our last mail"
    by_admin = f"`mailtickets outbox retry {last.number}`"
    if last.state == "failed":
        return f"{what} did not arrive", f"Answer once more; or an admin tries it again with {by_admin}."
    return (
        f"nobody knows whether {what} reached the customer",
        f"Answer once more; or an admin sends it as it was, with {by_admin}.",
    )


def _acknowledge(
    facts: TicketFacts, all_facts: Facts, queue: QueuePolicy, policy: Policy, now: datetime
) -> Decision | None:
    """Send an acknowledgement that waited for a limit; None where there is nothing left to acknowledge."""
    ticket = facts.ticket
    answered = any(entry.kind is EntryKind.MAIL_OUT for entry in facts.public)
    if facts.acknowledged or answered or ticket.status.is_done or ticket.requester in all_facts.bounced:
        return None
    if now - ticket.created_at > policy.limits.ack_wait:
        entry = Entry(
            EntryKind.NOT_ACKNOWLEDGED,
            now,
            "desk",
            Audience.DESK,
            reason="a limit held the acknowledgement back for too long",
        )
        return Decision(changes=(Change(ticket, (entry,), drop=(TimerKind.ACKNOWLEDGE,)),))
    known = all_facts.person.wrote_before
    if past_limit(ticket.requester, all_facts.acks, policy.limits, proven=ticket.proven, known=known):
        return Decision(changes=(Change(ticket, timers=(Timer(TimerKind.ACKNOWLEDGE, next_round(now)),)),))
    opened = facts.public[0] if facts.public else None
    mail = saying.acknowledgement(
        ticket,
        opened.message_id if opened else "",
        queue,
        policy,
        proven=ticket.proven,
        letters=len(opened.text) if opened else 0,
        history=facts.history,
        now=now,
        contacts=_contacts(ticket, policy, now),
    )
    entry = Entry(EntryKind.ACKNOWLEDGED, now, "desk", Audience.CUSTOMER, to=(ticket.requester,))
    return Decision(
        changes=(Change(ticket, (entry,), drop=(TimerKind.ACKNOWLEDGE,)),),
        mail=(mail,),
        acknowledged=(ticket.requester, ticket.proven, known),
    )


def _contacts(ticket: Ticket, policy: Policy, now: datetime) -> tuple[str, ...]:
    """Return whom the requester should go through."""
    organisation = policy.organisations.get(ticket.organisation)
    if organisation is None:
        return ()
    standing = may_open(organisation, ticket.requester, now.astimezone(ZoneInfo(policy.zone)).date())
    return standing.contacts if standing.may is May.TELL else ()


def _hold_ended(
    event: TimerDue, facts: TicketFacts, queue: QueuePolicy, policy: Policy, now: datetime
) -> Decision:
    """A held mail that nobody confirmed goes back to its agent with its text."""
    if event.held_kind is HoldKind.FORGET:
        return forgetting.unanswered(event, facts, queue, policy, now)
    agent = policy.agents.get(event.held_agent)
    copy = event.timer.cycle
    done = (TimerKind.HELD, copy)
    if not event.held_agent:
        return Decision(timer_done=done)
    if event.held_kind is HoldKind.ALIAS:
        return _question_ended(facts, copy, now)
    reason = "not confirmed within three working days"
    entry = Entry(EntryKind.DROPPED, now, "desk", Audience.DESK, reason=reason)
    mail = ()
    if agent:
        mail = (
            saying.not_sent(
                agent, facts.ticket, queue, policy, why="It was held for your confirmation, which did not come within three working days.",
                text=event.held_text, occasion=f"held:{copy}",
            ),
        )  # type: ignore[assignment]  # fmt: skip
    return Decision(
        verdict=Verdict(Outcome.IGNORED, f"held, then returned to the agent: {reason}", facts.ticket.number),
        changes=(Change(replace(facts.ticket, updated_at=now), (entry,)),),
        mail=mail,
        release=Release(copy, reason=reason),
        timer_done=done,
    )


def _question_ended(facts: TicketFacts, copy: int, now: datetime) -> Decision:
    """Nobody said to have written a mail from another address: it stays where it is, as from outside."""
    reason = "not confirmed within three working days: it stays as written by somebody outside"
    entry = Entry(EntryKind.DROPPED, now, "desk", Audience.DESK, reason=reason)
    return Decision(
        verdict=Verdict(Outcome.ON_TICKET, reason, facts.ticket.number),
        changes=(Change(replace(facts.ticket, updated_at=now), (entry,)),),
        release=Release(copy, reason=reason),
        timer_done=(TimerKind.HELD, copy),
    )
