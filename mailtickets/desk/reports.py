"""Pure: what machines send: bounces of our mail, receipts, automatic replies. None is ever answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from mailtickets.desk import saying, silence
from mailtickets.desk.case import SILENCE_TIMERS, timers_of
from mailtickets.desk.dates import day_in_words
from mailtickets.desk.people import Speaker
from mailtickets.desk.ticket import (
    ERASED_DOMAIN,
    Alarm,
    Audience,
    Change,
    Decision,
    Entry,
    EntryKind,
    Outcome,
    PersonChange,
    Status,
)
from mailtickets.mail.bounce import comes_from_mail_system, returned_subject
from mailtickets.mail.keys import KeyKind

if TYPE_CHECKING:
    from mailtickets.desk.case import Case
    from mailtickets.desk.facts import Facts, TicketFacts
    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.ticket import TimerKind
    from mailtickets.mail.bounce import Bounce, FailedRecipient

ABSENCE_WORKING_DAYS = 3
MAX_ABSENCE = timedelta(days=90)
OUR_TRACES = frozenset({"key", "agent key", "our id"})
ABUSE = "marked our mail as abuse"


def report(case: Case) -> Decision:
    """File a report on the ticket whose mail it is about; without a ticket it is ignored, with the reason."""
    bounce = case.incoming.classification.bounce
    if any(known.ours and known.recipient.endswith(ERASED_DOMAIN) for known in case.facts.returned):
        verdict = case.verdict(Outcome.IGNORED, "report about a mail to a person who was erased")
        return Decision(verdict, private=True)
    facts = _reported_ticket(case)
    if facts is None:
        return Decision(case.verdict(Outcome.IGNORED, "report without a ticket"))
    case = case.on(facts.ticket)
    if bounce is not None and bounce.kind == "feedback":
        return _complained(case, facts, bounce)
    if bounce is None or bounce.kind not in {"failed", "delayed"}:
        return _noted(case, facts, bounce.kind if bounce else "report")
    if bounce.delayed:
        entry = case.mail_in(
            Audience.AGENTS, EntryKind.DELAYED, _reasons(bounce) or "delayed; the server keeps trying"
        )
        change = Change(replace(facts.ticket, updated_at=case.now), (entry,))
        return Decision(
            case.verdict(Outcome.ON_TICKET, "our mail is delayed", facts.ticket.number), (change,)
        )
    return _failed(case, facts, bounce)


def only_reads_like_one(case: Case) -> bool:
    """Tell whether a mail is a report by its words alone, and about no mail of ours: agents must see it.

    A postmaster asks for help, a carrier's parcel could not be delivered.
    """
    bounce = case.incoming.classification.bounce
    ours = any(known.ours for known in case.facts.returned)
    return bounce is not None and bounce.words_alone and not ours and _reported_ticket(case) is None


def _reported_ticket(case: Case) -> TicketFacts | None:
    """The returned Message-ID, thread id or key says which mail came back; a signature cannot be guessed."""
    facts = case.facts
    for known in facts.returned:
        if known.ours and (ticket := facts.ticket(known.ticket)):
            return ticket
    for key in case.incoming.evidence.returned_keys:
        if ticket := facts.ticket(key.ticket):
            return ticket
    return case.found.ticket if case.found.by in OUR_TRACES else None


def _failed(case: Case, facts: TicketFacts, bounce: Bounce) -> Decision:
    ticket = facts.ticket
    written_to = {known.recipient for known in case.facts.returned if known.recipient}
    on_ticket = {person.address for person in ticket.participants}
    agents = {agent.email for agent in case.policy.agents.values()}
    named = {r.address.lower(): r for r in bounce.recipients if r.address.isascii()}
    # A forged report must not mark just anybody: only people on this very ticket, and whom the mail was for.
    failed: dict[str, FailedRecipient | None] = {
        a: r for a, r in named.items() if a in on_ticket | written_to | _by_key(case, facts)
    }
    if not failed and (meant := written_to or _by_key(case, facts)) and len(meant) == 1:
        failed = dict.fromkeys(meant, bounce.recipients[0] if bounce.recipients else None)
    permanent = {a: r for a, r in failed.items() if r is None or r.permanent}
    people = tuple(
        PersonChange(a, bounced=(r.reason if r else "") or "undeliverable") for a, r in permanent.items()
    )
    reason = "; ".join(
        f"{a}: {(r.reason if r else '') or 'undeliverable'}" for a, r in failed.items()
    ) or _reasons(bounce)
    alarms = tuple(
        Alarm(
            f"agent bounces {address}",
            f"Mail to the agent {address} comes back",
            reason,
            "Check the address in the configuration.",
        )
        for address in failed
        if address in agents
    ) + tuple(
        Alarm(
            f"mail bounces {address}",
            f"Mail about {ticket.reference} to {address} comes back",
            reason,
            "Correct the address in the configuration: a route, a ladder or an account manager names it, and somebody should read it there.",
        )
        for address in failed
        if address not in agents and ticket.person(address) is None
    )
    entries = [case.mail_in(Audience.AGENTS, EntryKind.BOUNCED, reason or "undeliverable")]
    after = replace(ticket, updated_at=case.now)
    # A mail lost for a passing reason marks nobody, but it was not read: silence after it says nothing.
    reached = on_ticket - set(failed) - set(case.facts.bounced)
    drop: tuple[TimerKind, ...] = ()
    if on_ticket & set(failed) and not reached and ticket.status in {Status.WAITING, Status.RESOLVED}:
        after = silence.end_silence(after, Status.OPEN, case.now)
        entries.append(
            case.status_entry(Status.OPEN, "our mail comes back; no reminder and no closing by silence")
        )
        drop = SILENCE_TIMERS
    customers = [address for address in failed if address not in agents]
    mail: tuple[Outgoing, ...] = ()
    if customers or not failed:
        mail = saying.event_to_agents(
            "bounced", after, case.queue, case.policy, actor=", ".join(customers) or "the customer", occasion=f"in:{case.event.copy}",
            detail=saying.came_back(reason, _which(case), [address for address in permanent if address not in agents]),
        )  # fmt: skip
    verdict = case.verdict(Outcome.ON_TICKET, "our mail came back", ticket.number)
    return Decision(verdict, (Change(after, tuple(entries), drop=drop),), mail, people, alarms=alarms)


def _which(case: Case) -> str:
    """Return by its subject which mail of ours a report brings back; "" where its id says nothing."""
    subject = returned_subject(case.incoming.message)
    return f'"{subject}"' if subject and case.facts.returned else ""


def _by_key(case: Case, facts: TicketFacts) -> set[str]:
    """Return whom a mail was for of which only its key came back (in the address that it bounced to), if that says it."""
    keys = (case.found.key, *case.incoming.evidence.returned_keys)
    key = next((one for one in keys if one and case.facts.ticket(one.ticket) is facts), None)
    if key is None:
        return set()
    if key.kind is KeyKind.AGENT:
        agent = case.policy.agents.get(key.agent)
        return {agent.email} if agent else set()
    return {person.address for person in facts.ticket.people} if len(facts.ticket.people) == 1 else set()


def _reasons(bounce: Bounce) -> str:
    return "; ".join(f"{r.address}: {r.reason}" if r.address else r.reason for r in bounce.recipients[:5])


def _noted(case: Case, facts: TicketFacts, what: str) -> Decision:
    words = {"receipt": "a read receipt"}.get(what, "a delivery report")
    entry = case.mail_in(Audience.DESK, EntryKind.AUTO_REPLY, words)
    change = Change(replace(facts.ticket, updated_at=case.now), (entry,))
    return Decision(case.verdict(Outcome.ON_TICKET, words, facts.ticket.number), (change,))


def _complained(case: Case, facts: TicketFacts, bounce: Bounce) -> Decision:
    """Somebody marked our mail as abuse (RFC 5965): no automatic mail to them any more, until they write again."""
    ticket = facts.ticket
    on_ticket = {person.address for person in ticket.participants}
    written_to = {known.recipient for known in case.facts.returned if known.recipient}
    named = {one.address.lower() for one in bounce.recipients} & (on_ticket | written_to)
    meant = named or written_to or _by_key(case, facts)
    who = meant & on_ticket if len(meant) == 1 else named & on_ticket
    entry = case.mail_in(
        Audience.AGENTS,
        EntryKind.AUTO_REPLY,
        f"an abuse report: {', '.join(sorted(who)) or 'of whom is not said'}",
    )
    people = tuple(PersonChange(address, bounced=ABUSE) for address in sorted(who))
    mail = saying.event_to_agents(
        "status", ticket, case.queue, case.policy, actor="desk", occasion=f"in:{case.event.copy}",
        detail=f"{', '.join(sorted(who)) or 'Somebody'} marked our mail as spam. "
        + ("Nothing goes there by itself any more, until they write again; an answer of yours still does." if who else ""),
    )  # fmt: skip
    verdict = case.verdict(Outcome.ON_TICKET, "an abuse report", ticket.number)
    return Decision(verdict, (Change(replace(ticket, updated_at=case.now), (entry,)),), mail, people)


def automatic_reply(case: Case) -> Decision:
    """File an automatic reply on its ticket: no status, no timer changes, except that an absence puts reminders off."""
    facts = case.found.ticket
    assert facts is not None  # noqa: S101  (without a ticket it opens one; for the type checker)
    ticket = replace(facts.ticket, updated_at=case.now)
    classification = case.incoming.classification
    entries = [case.mail_in(Audience.AGENTS, EntryKind.AUTO_REPLY, classification.reason)]
    people: tuple[PersonChange, ...] = ()
    timers = ()
    if classification.out_of_office and ticket.is_participant(case.sender):
        until = _back_at(case)
        people = (PersonChange(case.sender, away_until=until),)
        if ticket.status is Status.WAITING and _alone(case.facts, facts, case.sender):
            later = silence.put_off(ticket, until, silence.rhythm_of(ticket, case.queue, case.policy))
            if later != ticket:
                ticket, timers = later, timers_of(later, case.queue, case.policy)  # type: ignore[assignment]
                entries.append(
                    case.status_entry(ticket.status, f"the reminders wait until {until:%Y-%m-%d}: absent")
                )
    mail: tuple[Outgoing, ...] = ()
    # A mail server has handled the key anyway; any other machine is somebody's who had the notice.
    from_server = comes_from_mail_system(case.incoming.message)
    seen = () if from_server else case.standing.leaked
    if from_server and case.found.by in OUR_TRACES:
        # A failure, most likely, in a language that nobody taught the desk; it may be a delay, so it marks nobody.
        mail = saying.event_to_agents(
            "status", ticket, case.queue, case.policy, actor="desk", occasion=f"in:{case.event.copy}", text=case.incoming.text,
            detail="A mail server wrote about a mail of ours, in words that the desk cannot read. It may not have arrived.",
        )  # fmt: skip
    if classification.out_of_office and case.standing.speaker is Speaker.AGENT and case.standing.agent:
        agent, until = case.standing.agent, _back_at(case)
        people = (PersonChange(agent.email, away_until=until),)
        if not agent.away_until and ticket.assignee == agent.key:
            mail = saying.event_to_agents(
                "status", ticket, case.queue, case.policy, actor="desk", occasion=f"in:{case.event.copy}", but=(agent.key,),
                everybody=True, detail=f"{agent.name}, whose ticket this is, is away until {day_in_words(until, case.policy.zone)}: "
                "until then you get what the customer writes, too. #take makes it yours.",
            )  # fmt: skip
    if seen:
        reason = f"others had seen the reply key of {', '.join(seen)}: a machine answered with it"
        entries.append(Entry(EntryKind.KEY_REPLACED, case.now, "desk", Audience.DESK, reason=reason))
    change = Change(ticket, tuple(entries), timers, fresh_key=seen)
    return Decision(
        case.verdict(Outcome.ON_TICKET, "an automatic reply", ticket.number), (change,), mail, people=people
    )


def _back_at(case: Case) -> datetime:
    """Return the first moment after an absence: the day after its date, else three working days on."""
    away_until = case.incoming.classification.away_until
    usual = silence.working_days_after(case.now, ABSENCE_WORKING_DAYS)
    if away_until is None:
        return usual
    back = datetime.combine(away_until, time(9), UTC)
    return back if case.now < back < case.now + MAX_ABSENCE else usual


def _alone(facts: Facts, ticket: TicketFacts, absent: str) -> bool:
    """Tell whether nobody else on the ticket wrote since our last answer, or is there to read the reminders."""
    others = [p for p in ticket.ticket.participants if p.address != absent and p.address not in facts.away]
    wrote = {
        entry.actor
        for entry in ticket.public
        if ticket.ticket.silent_since and entry.at > ticket.ticket.silent_since
    }
    return not any(person.address in wrote for person in others)
