"""Pure: a person is erased: an agent asks, each admin is mailed, the first answer counts. What erasing means is the store's part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk import saying, silence
from mailtickets.desk.holding import HOLD_DAYS, first_line
from mailtickets.desk.notices import Notice, Outgoing, Reader, Recipient
from mailtickets.desk.returning import returned
from mailtickets.desk.ticket import (
    ERASED_DOMAIN,
    ERASED_WORDS,
    Alarm,
    Audience,
    Change,
    Decision,
    Entry,
    EntryKind,
    Forget,
    Hold,
    HoldKind,
    Outcome,
    Status,
    Timer,
    TimerKind,
    Verdict,
)
from mailtickets.mail.authentication import Proof
from mailtickets.mail.message import Address, address_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mailtickets.desk.case import Case
    from mailtickets.desk.events import PersonErased, TimerDue
    from mailtickets.desk.facts import Facts, HeldMail, TicketFacts, Traces
    from mailtickets.desk.policy import Policy, QueuePolicy
    from mailtickets.desk.ticket import Ticket
    from mailtickets.desk.wish import Wish

SILENT = "nobody answered"
MAX_UNCLEAR_WORD = 40


# -- an agent asks --------------------------------------------------------------------------------


def asked(wish: Wish) -> Decision:
    """Ask each admin whether a person is to be erased; nothing is erased yet."""
    case, ticket, agent = wish.case, wish.facts.ticket, wish.agent
    command = wish.read.get("forget")
    address = (command.argument if command else "") or ticket.requester
    traces = case.facts.traces.get(address)
    why = obstacle(address, traces, case.policy)
    if not why and not case.policy.admins:
        why = f"No admin is named in the configuration who could confirm it; `mailtickets forget {address}` does it without"
    if why or traces is None:
        return returned(case, f"{why}.", word="#forget")
    until = silence.working_days_after(case.now, HOLD_DAYS)
    hold = Hold(HoldKind.FORGET, case.event.copy, ticket.number, agent.key, case.event.code, address, until)
    entry = Entry(
        EntryKind.ERASURE, case.now, agent.key, Audience.AGENTS, reason="asks the admins to erase a person"
    )
    mail = [_question(case, ticket, hold.code, agent.name, address, traces, occasion=f"forget:{hold.code}")]
    if agent.receipts == "all":
        done = (
            f"The admins are asked whether {address} is erased; nothing is erased before one of them says yes"
        )
        mail.append(
            saying.to_agent(
                "receipt", agent, ticket, case.queue, case.policy, occasion=wish.occasion,
                answers=case.incoming.message.message_id, values={"done": [done], "problems": []},
            )
        )  # fmt: skip
    message_id = case.incoming.message.message_id
    change = Change(
        replace(ticket, updated_at=case.now), (entry,), (Timer(TimerKind.HELD, until, hold.copy),),
        ids=(message_id,) if message_id else (), fresh_key=case.standing.leaked,
    )  # fmt: skip
    verdict = case.verdict(Outcome.ON_TICKET, "an agent asks to erase a person", ticket.number)
    return Decision(verdict, (change,), tuple(mail), hold=hold)


def obstacle(address: str, traces: Traces | None, policy: Policy) -> str:
    """Return why an address cannot be erased, in words for a person; "" where it can."""
    if not address:
        return "Nobody's address is known on this ticket; name one, as in #forget ana@customer.example"
    if address.endswith(ERASED_DOMAIN):
        return "The requester of this ticket was erased before"
    agent = policy.agent_of(address)
    if agent or policy.is_own(address) or address in map(address_key, policy.admins):
        whose = f"of the agent {agent.name}" if agent else "of the desk itself"
        return f"{address} is an address {whose}; take it out of the configuration first"
    if traces is None or not traces.known:
        return f"{address} is not known to the desk"
    return ""


def _question(
    case: Case,
    ticket: Ticket,
    code: str,
    agent: str,
    address: str,
    traces: Traces,
    occasion: str,
    why: str = "",
    only: str = "",
) -> Outgoing:
    admins = (only,) if only else case.policy.admins
    values = {
        "code": code, "agent": agent, "address": address, "tickets": traces.tickets, "shared": traces.tickets - traces.alone,
        "open": traces.open, "mails": traces.mails, "why": why,
    }  # fmt: skip
    return _to_admins("forget", ticket, case.queue, case.policy, admins, values, occasion)


def _to_admins(
    kind: str,
    ticket: Ticket,
    queue: QueuePolicy,
    policy: Policy,
    admins: tuple[str, ...],
    values: Mapping[str, object],
    occasion: str,
) -> Outgoing:
    shown = saying.base_values(replace(ticket, subject=""), policy, keyed=False, **values)
    return Outgoing(
        Notice(kind, queue.language, queue.name, shown), Reader.ADMIN,
        tuple(Recipient(Address(address)) for address in dict.fromkeys(admins)), queue.name, ticket.number, separately=True,
        occasion=occasion, from_name=policy.desk_name,
    )  # fmt: skip


# -- an admin answers -----------------------------------------------------------------------------


def answered(case: Case, held: HeldMail, word: str, *, yes: bool, no: bool) -> Decision | None:
    """Carry out what an admin answers to the question; None where the mail is not an admin's.

    The code was sent to the admins alone, so it is the proof; a mail that our own server calls forged proves nothing.
    """
    admin = next((one for one in case.policy.admins if address_key(one) == case.sender), None)
    facts = case.facts.ticket(held.ticket)
    if admin is None or facts is None or case.incoming.proof is Proof.FAIL:
        return None
    case = case.on(facts.ticket)
    if held.done:
        return _too_late(case, held, facts, admin)
    agent = case.policy.agents.get(held.agent)
    asked_by = agent.name if agent else held.agent
    traces = case.facts.traces.get(held.about)
    if traces is None or not (yes or no):
        return _unclear(case, held, facts, admin, asked_by)
    erases = yes and not obstacle(held.about, traces, case.policy)
    outcome = "erased" if erases else "impossible" if yes else "kept"
    settled = Forget(held.about if erases else "", held.copy, held.ticket, held.agent, admin)
    values = {"tickets": traces.tickets, "shared": traces.tickets - traces.alone, "mails": traces.mails}
    mail = outcome_mail(
        outcome, facts.ticket, case.queue, case.policy, held.agent, admin, f"{outcome}:{held.code}", values
    )
    verdict = case.verdict(
        Outcome.ON_TICKET, f"an admin's answer about erasing a person: {word}", held.ticket
    )
    changes = (
        () if erases else (_noted(facts.ticket, f"{admin} answered {word}; nobody was erased", case.now),)
    )
    return Decision(verdict, changes, mail, forget=settled, private=erases)


def _noted(ticket: Ticket, reason: str, now: datetime) -> Change:
    return Change(
        replace(ticket, updated_at=now),
        (Entry(EntryKind.ERASURE, now, "desk", Audience.AGENTS, reason=reason),),
    )


def _unclear(case: Case, held: HeldMail, facts: TicketFacts, admin: str, asked_by: str) -> Decision:
    traces = case.facts.traces.get(held.about)
    verdict = case.verdict(
        Outcome.IGNORED, "an unclear answer about erasing a person; asked again", held.ticket
    )
    if traces is None:
        return Decision(verdict)
    why = f"I did not understand {first_line(case.incoming.text)[:MAX_UNCLEAR_WORD]!r}. Write yes or no as the first line, and leave the subject as it is."
    again = f"again:{case.event.copy}"
    question = _question(
        case, facts.ticket, held.code, asked_by, held.about, traces, occasion=again, why=why, only=admin
    )
    return Decision(verdict, mail=(question,))


def _too_late(case: Case, held: HeldMail, facts: TicketFacts, admin: str) -> Decision:
    """The first answer counts; a later one is told that it is done."""
    values = {
        "outcome": "late",
        "how": held.about,
        "tickets": 0,
        "shared": 0,
        "mails": 0,
        "agent": "",
        "by": "",
    }
    told = _to_admins(
        "forgotten", facts.ticket, case.queue, case.policy, (admin,), values, f"late:{case.event.copy}"
    )
    verdict = case.verdict(
        Outcome.IGNORED, "a late answer about erasing a person; nothing more is done", held.ticket
    )
    return Decision(verdict, mail=(told,), private=True)


def foreign(case: Case, held: HeldMail) -> Alarm:
    """Return the alarm about a confirmation that is not an admin's."""
    failed = " Your mail server says that its sender is forged." if case.incoming.proof is Proof.FAIL else ""
    return Alarm(
        "foreign confirmation erasing",
        f"A confirmation code for erasing a person came from {case.sender or 'nobody'}",
        "The code was sent to the admins alone, so somebody else reads that mail, or an admin wrote from another address."
        + failed,
        "Nothing was erased, and the question still stands. Ask the admins; their addresses are `admins` of [desk]. "
        "`mailtickets forget ADDRESS` does it on the server."
        if not held.done
        else "The question was answered before, so nothing happened. Ask the admins; their addresses are `admins` of [desk].",
    )


def unanswered(
    event: TimerDue, facts: TicketFacts, queue: QueuePolicy, policy: Policy, now: datetime
) -> Decision:
    """Nobody answered in time: nothing is erased, and whom it concerns is told."""
    copy, days = event.timer.cycle, f"{SILENT} within three working days"
    values = {"tickets": 0, "shared": 0, "mails": 0}
    mail = outcome_mail(
        "expired", facts.ticket, queue, policy, event.held_agent, "", f"expired:{copy}", values
    )
    return Decision(
        verdict=Verdict(Outcome.ON_TICKET, f"asked to erase a person; {days}", facts.ticket.number),
        changes=(_noted(facts.ticket, f"{days}; nobody was erased", now),),
        mail=mail,
        forget=Forget("", copy, facts.ticket.number, event.held_agent, SILENT),
        timer_done=(TimerKind.HELD, copy),
    )


def outcome_mail(
    outcome: str,
    ticket: Ticket,
    queue: QueuePolicy,
    policy: Policy,
    asked_by: str,
    by: str,
    occasion: str,
    values: Mapping[str, object],
) -> tuple[Outgoing, ...]:
    """Return the news for the agent who asked and for the admins; it does not say whom it is about."""
    agent = policy.agents.get(asked_by)
    shown = {"outcome": outcome, "how": "", "agent": agent.name if agent else asked_by, "by": by, **values}
    mail = [_to_admins("forgotten", ticket, queue, policy, policy.admins, shown, occasion)]
    if agent and address_key(agent.email) not in map(address_key, policy.admins):
        bare = replace(ticket, subject=ERASED_WORDS if outcome == "erased" else "")
        mail.append(
            saying.to_agent(
                "forgotten",
                agent,
                bare,
                queue,
                policy,
                occasion=f"{occasion}:{agent.key}",
                keyed=False,
                values=shown,
            )
        )
    return tuple(mail)


# -- the tickets ----------------------------------------------------------------------------------

ALL_TIMERS = (TimerKind.SILENCE, TimerKind.RESOLVED, TimerKind.ACKNOWLEDGE, TimerKind.CLOCK)


def erased(event: PersonErased, facts: Facts, now: datetime) -> Decision:
    """Say on a ticket that a person was erased; one with nobody else on it is closed, and nobody is told."""
    found = facts.ticket(event.ticket)
    if found is None:
        return Decision()
    asker = f"asked by {event.asked_by}, " if event.asked_by else ""
    told = Entry(
        EntryKind.ERASED,
        now,
        "desk",
        Audience.AGENTS,
        reason=f"a person was erased: {asker}confirmed by {event.by}",
    )
    ticket, entries = found.ticket, [told]
    drop: tuple[TimerKind, ...] = (TimerKind.ACKNOWLEDGE,)
    if event.asks:
        return Decision(changes=(Change(ticket, (told,)),))
    if event.alone:
        drop = ALL_TIMERS
        if ticket.status is not Status.CLOSED:
            ticket = silence.end_silence(ticket, Status.CLOSED, now)
            reason = f"{Status.CLOSED.value}: everybody on it was erased"
            entries.append(Entry(EntryKind.STATUS, now, "desk", Audience.AGENTS, reason=reason))
    return Decision(changes=(Change(replace(ticket, updated_at=now), tuple(entries), drop=drop),))
