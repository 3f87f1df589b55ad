"""Pure: what a customer's mail does: opens a ticket, continues one, reopens one, and is acknowledged once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mailtickets.desk import (
    asking,
    customer_wishes,
    elsewhere,
    marks,
    other_address,
    repeats,
    saying,
    silence,
)
from mailtickets.desk.case import SILENCE_TIMERS, joined, joining, opened_by, with_role
from mailtickets.desk.facts import lines_of
from mailtickets.desk.limits import (
    ALIKE_OF_ADDRESS,
    goes_in_circles,
    next_round,
    past_limit,
    waiting_enough,
)
from mailtickets.desk.organisation import May, may_open
from mailtickets.desk.people import Speaker, people_suggested
from mailtickets.desk.route import EXPIRED
from mailtickets.desk.thanks import is_thanks
from mailtickets.desk.ticket import (
    Alarm,
    Audience,
    Change,
    Decision,
    Entry,
    EntryKind,
    Outcome,
    Person,
    Role,
    Status,
    Ticket,
    Timer,
    TimerKind,
)
from mailtickets.mail.authentication import Proof
from mailtickets.mail.classify import Origin

if TYPE_CHECKING:
    from datetime import datetime

    from mailtickets.desk.case import Case, New
    from mailtickets.desk.facts import HistoryLine, TicketFacts
    from mailtickets.desk.notices import Outgoing

NOT_ESCALATED = customer_wishes.Escalated()
ANSWERED_UNPROVEN = (
    "by its sender's address it is an answer to the customer that is sent already, but nothing proves the sender: "
    "the desk sends and repeats none of it"
)


def open_ticket(case: Case, *, reason: str, linked: Ticket | None = None) -> Decision:
    """Open a ticket for a mail that belongs to none; nothing that comes in is ever without one."""
    incoming, message = case.incoming, case.incoming.message
    machine = incoming.classification.origin is not Origin.PERSON
    requester = Person(case.sender, message.sender.name, Role.REQUESTER) if message.sender else None
    case, new = opened_by(case, requester, linked)
    if linked is None and (filed := repeats.filed_on_last(case, new.ticket)):
        return filed
    ticket = replace(
        new.ticket,
        automatic=machine,
        proven=case.standing.proven,
        linked=linked.number if linked else None,
    )
    may = _may_open(case, new)
    hints = [*case.found.hints, *marks.hints(case), *may.hints]
    if linked:
        hints.append(f"continues {linked.reference}, which was closed too long ago to be reopened")
    elif case.facts.recent_ticket and not case.found.hints:
        other = f"{ticket.tag}-{case.facts.recent_ticket}"
        hints.append(f"may belong to {other}, which the same person opened within the hour")
    quiet, wait = (may.quiet, False) if may.quiet else why_no_acknowledgement(case)
    if may.expired:
        ticket = replace(ticket, tags=(*ticket.tags, EXPIRED))
    entries = [case.mail_in(Audience.CUSTOMER, reason=marks.about_the_sender(case)), *new.entries]
    if linked:
        entries.append(Entry(EntryKind.LINKED, case.now, "desk", Audience.AGENTS, reason=linked.reference))
    if ticket.assignee:
        entries.append(Entry(EntryKind.ASSIGNED, case.now, "desk", Audience.AGENTS, reason=ticket.assignee))
    history = lines_of(entries)
    mail: list[Outgoing] = []
    timers: list[Timer] = []
    counted = None
    if not quiet:
        counted = (ticket.requester, case.standing.proven, case.facts.person.wrote_before)
        mail.append(_acknowledge(case, ticket, history, may.contacts))
        entries.append(_acknowledged(case.now, ticket))
    elif wait and (flood := _flood(case)):
        quiet = f"{quiet}; {flood}"
        entries.append(Entry(EntryKind.NOT_ACKNOWLEDGED, case.now, "desk", Audience.DESK, reason=quiet))
    elif wait:
        timers.append(Timer(TimerKind.ACKNOWLEDGE, next_round(case.now)))
    others = [queue.address for queue in case.others]
    mail.extend(
        saying.tell_agents(
            "agent_new", ticket, incoming, case.standing, case.queue, case.policy, occasion="new", now=case.now, history=history, warnings=marks.warnings(case),
            hints=hints,
            quiet=quiet, others=[*others, *people_suggested(message, ticket, case.policy)],
        )
    )  # fmt: skip
    mail.extend(_tell_other_queues(case, ticket))
    alarms = (_limit_alarm(case.sender, quiet),) if wait else ()
    if quiet and quiet == _circle(case):
        alarms = (_circle_alarm(case.sender, quiet),)
    return Decision(
        verdict=case.verdict(Outcome.ON_TICKET, reason, ticket.number),
        changes=(Change(ticket, tuple(entries), tuple(timers), is_new=True, ids=case.ids),),
        mail=tuple(mail),
        people=case.writer,
        alarms=alarms,
        acknowledged=counted,
    )


@dataclass(frozen=True, slots=True)
class _May:
    """What follows from who the sender is in the organisation.

    quiet     why there is no acknowledgement; "" if there may be one.
    contacts  whom a proven sender is told to go through.
    """

    hints: tuple[str, ...] = ()
    quiet: str = ""
    contacts: tuple[str, ...] = ()
    expired: bool = False


def _may_open(case: Case, new: New) -> _May:
    """Ask whether somebody of this organisation may open tickets; the ticket is kept in any case."""
    organisation = new.organisation
    if organisation is None:
        return _May()
    standing = may_open(organisation, case.sender, case.now.astimezone(ZoneInfo(case.policy.zone)).date())
    named = ", ".join(standing.contacts)
    match standing.may:
        case May.ACCEPT:
            return _May()
        case May.TELL:
            return _May(
                (f"{case.sender} is not a designated contact of {organisation.name} ({named})",),
                contacts=standing.contacts,
            )
        case May.HOLD:
            hint = f"{case.sender} is not a designated contact of {organisation.name} ({named}): nothing was sent to them"
            return _May((hint,), quiet="the sender is not a designated contact")
        case May.EXPIRED:
            return _May(
                (f"the agreement with {organisation.name} ended on {organisation.until}",), expired=True
            )


def continue_ticket(case: Case) -> Decision:
    """File a customer's mail on its ticket, and let it do what a reply does there."""
    facts = case.found.ticket
    assert facts is not None  # noqa: S101  (the caller found one; for the type checker)
    ticket = facts.ticket
    if case.standing.speaker is not Speaker.CUSTOMER:
        return _from_outside(case, facts)
    if case.incoming.proof is Proof.FAIL:
        return _not_proven(case, facts)
    about = marks.about_the_sender(case)
    if decision := customer_wishes.by_word(case, facts, about):
        return decision
    too_late = ticket.closed_at is not None and case.now > ticket.closed_at + case.queue.reopen_within
    if ticket.status is Status.CLOSED and too_late:
        return open_ticket(case, reason=f"{ticket.reference} was closed too long ago", linked=ticket)
    message = case.incoming.message
    people = joining(case, ticket)
    suggested = people_suggested(message, joined(ticket, *people), case.policy)
    after = replace(joined(ticket, *people), updated_at=case.now)
    entries = [case.mail_in(Audience.CUSTOMER, reason=about)]
    drop: tuple[TimerKind, ...] = ()
    kind = "agent_reply"
    if ticket.status.is_done and is_thanks(case.incoming.text, message.attachments, ticket.language):
        entries.append(
            Entry(
                EntryKind.STATUS,
                case.now,
                "desk",
                Audience.AGENTS,
                reason=f"{ticket.status}: a thank-you does not reopen",
            )
        )
        change = Change(after, tuple(entries), ids=case.ids, fresh_key=case.standing.leaked)
        verdict = case.verdict(Outcome.ON_TICKET, "a thank-you on a finished ticket", ticket.number)
        return Decision(verdict, (change,), people=case.writer)
    if ticket.status.is_done:
        kind = "agent_reopened"
        after = silence.end_silence(after, Status.OPEN, case.now)
        entries.append(case.status_entry(Status.OPEN, "reopened by the customer's reply"))
        drop = SILENCE_TIMERS
    elif ticket.status is Status.WAITING:
        after = silence.end_silence(after, Status.OPEN, case.now)
        entries.append(case.status_entry(Status.OPEN, "the customer replied"))
        drop = SILENCE_TIMERS
    asked = customer_wishes.escalation(case, facts, after) or NOT_ESCALATED
    entries.extend(asked.entries)
    mail = saying.tell_agents(
        kind,
        after,
        case.incoming,
        case.standing,
        case.queue,
        case.policy,
        occasion=f"in:{case.event.copy}",
        now=case.now,
        history=(*facts.history, *lines_of(entries)),
        others=suggested,
        warnings=marks.warnings(case, known=True),
        hints=(*marks.hints(case), *asked.hints),
        but=() if customer_wishes.brings_files(case) else asked.told,
    )
    mail = (*asked.mail, *mail)
    counted = asked.counted
    if case.incoming.truncated and counted is None and customer_wishes.may_answer(case):
        mail = (*mail, saying.too_large(after, case.incoming, case.queue, case.policy))
        counted = customer_wishes.counted(case)
    return Decision(
        case.verdict(Outcome.ON_TICKET, "a reply on its ticket", ticket.number),
        (Change(after, tuple(entries), drop=drop, ids=case.ids, fresh_key=case.standing.leaked),),
        mail,
        case.writer,
        acknowledged=counted,
    )


def _from_outside(case: Case, facts: TicketFacts) -> Decision:
    """Somebody with a proof of the thread, but not on the ticket: agents read it, customers never do."""
    if asking.was_asked(case.sender, facts):
        return asking.side_answer(case, facts)
    if decision := elsewhere.by_their_own_mail(case, facts):
        return decision
    ticket, message = facts.ticket, case.incoming.message
    after = replace(ticket, updated_at=case.now)
    if case.sender:
        after = with_role(after, case.sender, message.sender.name if message.sender else "", Role.OUTSIDE)
    asked = other_address.question(case, facts)
    clauses = (marks.likeness(case), f"outside: {case.standing.why}", marks.encryption(case.incoming))
    answered = elsewhere.unproven_answer(case, facts)
    kind = EntryKind.MAIL_OUT if answered else EntryKind.MAIL_IN
    entries = [case.mail_in(Audience.AGENTS, kind, "; ".join(one for one in clauses if one)), *asked.entries]
    drop: tuple[TimerKind, ...] = ()
    if ticket.status is Status.WAITING:
        after = silence.end_silence(after, Status.OPEN, case.now)
        entries.append(
            case.status_entry(Status.OPEN, "somebody outside the ticket wrote; the reminders stop")
        )
        drop = SILENCE_TIMERS
    mail = saying.tell_agents(
        "agent_reply",
        after,
        case.incoming,
        case.standing,
        case.queue,
        case.policy,
        occasion=f"in:{case.event.copy}",
        now=case.now,
        history=(*facts.history, *lines_of(entries)),
        warnings=(*marks.forged(case), *asked.hints, *marks.warnings(case)),
        hints=(*((ANSWERED_UNPROVEN,) if answered else ()), *marks.hints(case)),
        but=asked.but,
    )
    change = Change(after, tuple(entries), asked.timers, drop, ids=case.ids, fresh_key=case.standing.leaked)
    return Decision(
        case.verdict(Outcome.ON_TICKET, "written by somebody outside the ticket", ticket.number),
        (change,),
        (*asked.mail, *mail),
        hold=asked.hold,
        alarms=asked.alarms,
    )


def _not_proven(case: Case, facts: TicketFacts) -> Decision:
    """A participant's address against a trusted fail: filed and marked; the agent decides about reopening."""
    ticket = facts.ticket
    after = replace(ticket, updated_at=case.now)
    entries = [
        case.mail_in(
            Audience.AGENTS, reason=f"{marks.NOT_PROVEN}: our mail server says the sender may be forged"
        )
    ]
    drop: tuple[TimerKind, ...] = ()
    if ticket.status is Status.WAITING:
        after = silence.end_silence(after, Status.OPEN, case.now)
        entries.append(
            case.status_entry(Status.OPEN, "a reply came whose sender is not proven; the reminders stop")
        )
        drop = SILENCE_TIMERS
    mail = saying.tell_agents(
        "agent_reply", after, case.incoming, case.standing, case.queue, case.policy, occasion=f"in:{case.event.copy}", now=case.now,
        history=(*facts.history, *lines_of(entries)),
        warnings=(*marks.forged(case), *marks.warnings(case, known=True)),
        hints=marks.hints(case),
    )  # fmt: skip
    verdict = case.verdict(Outcome.ON_TICKET, "a reply whose sender is not proven", ticket.number)
    return Decision(
        verdict,
        (Change(after, tuple(entries), drop=drop, ids=case.ids, fresh_key=case.standing.leaked),),
        mail,
    )


def why_no_acknowledgement(case: Case) -> tuple[str, bool]:
    """Return why this mail gets no acknowledgement now, and whether it gets one later; "" if it gets one."""
    incoming = case.incoming
    classification = incoming.classification
    if case.standing.speaker is Speaker.NOBODY:
        return f"no single sender: {case.standing.why}", False
    if classification.origin is not Origin.PERSON:
        return f"not written by a person: {classification.reason}", False
    if not classification.answerable:
        return classification.answer_reason, False
    if incoming.proof is Proof.FAIL:
        return "our mail server says that the sender may be forged", False
    if case.standing.agent is not None:
        proven = case.standing.speaker is Speaker.AGENT
        return f"the writer {'is' if proven else 'claims to be'} an agent of this queue", False
    limit = past_limit(
        case.sender,
        case.facts.acks,
        case.policy.limits,
        proven=case.standing.proven,
        known=case.facts.person.wrote_before,
    )
    # What waits for an address's own limit is dropped in the end; a circle of a domain's strangers would go on then.
    if (circle := _circle(case)) and not (limit and case.facts.acks.alike >= ALIKE_OF_ADDRESS):
        return circle, False
    return limit, bool(limit)


def _flood(case: Case) -> str:
    known = case.facts.person.wrote_before
    return waiting_enough(case.facts.acks, case.policy.limits, proven=case.standing.proven, known=known)


def _acknowledge(
    case: Case, ticket: Ticket, history: tuple[HistoryLine, ...], contacts: tuple[str, ...]
) -> Outgoing:
    incoming = case.incoming
    if incoming.truncated:
        return saying.too_large(ticket, incoming, case.queue, case.policy)
    not_taken = [
        {"name": defect.partition(": ")[2], "why": "not taken"}
        for defect in incoming.message.defects
        if defect.startswith("not taken: ")
    ]
    return saying.acknowledgement(
        ticket, incoming.message.message_id, case.queue, case.policy, proven=case.standing.proven, letters=len(incoming.text),
        history=history, now=case.now, not_taken=not_taken, contacts=contacts,
    )  # fmt: skip


def _acknowledged(now: datetime, ticket: Ticket) -> Entry:
    return Entry(EntryKind.ACKNOWLEDGED, now, "desk", Audience.CUSTOMER, to=(ticket.requester,))


def _tell_other_queues(case: Case, ticket: Ticket) -> tuple[Outgoing, ...]:
    """One mail that reached two queues is one ticket; the other queue's agents hear of it."""
    own = set(case.queue.agents)
    mail: list[Outgoing] = []
    for queue in case.others:
        mail.extend(
            saying.event_to_agents(
                "status", replace(ticket, assignee=""), replace(case.queue, agents=queue.agents), case.policy, actor="desk",
                occasion=f"other:{queue.name}", text=case.incoming.text, but=own,
                detail=f"The mail also went to {queue.address}. It is one ticket, in the queue {case.queue.name}.",
            )
        )  # fmt: skip
    return tuple(mail)


def _limit_alarm(sender: str, why: str) -> Alarm:
    return Alarm(
        "acknowledgements waiting",
        "Acknowledgements are waiting, because a limit was reached",
        why.replace("this address", sender, 1),
        "Look with `mailtickets list` whether so much mail is meant; if it is, raise the limit in [limits]. The tickets are kept.",
    )


def _circle(case: Case) -> str:
    known, of_domain = case.facts.person.wrote_before, case.policy.limits.same_words_per_domain_day
    return goes_in_circles(case.sender, case.facts.acks, of_domain, proven=case.standing.proven, known=known)


def _circle_alarm(sender: str, why: str) -> Alarm:
    return Alarm(
        "answering machine",
        f"Mail from {sender} is not acknowledged any more, for it looks like a machine's",
        why,
        "Nothing is lost: the tickets are kept. Look with `mailtickets list`; if people wrote that, nothing needs to be done.",
    )
