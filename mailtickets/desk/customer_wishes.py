"""Pure: what happens when a customer writes CLOSE, ESCALATE or STATUS. A machine's mail never comes here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets.desk import escalating, saying, silence
from mailtickets.desk.case import SILENCE_TIMERS
from mailtickets.desk.customer_words import Word, said
from mailtickets.desk.escalation import ladder, rung_word, told
from mailtickets.desk.limits import past_limit
from mailtickets.desk.notices import Notice, Outgoing, Reader, Recipient
from mailtickets.desk.promises import told_priority
from mailtickets.desk.service_level import clocks
from mailtickets.desk.terms import terms_of
from mailtickets.desk.ticket import Audience, Change, Decision, Entry, EntryKind, Outcome, Status, TimerKind
from mailtickets.mail.authentication import Proof
from mailtickets.mail.message import Address, has_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from mailtickets.desk.case import Case
    from mailtickets.desk.escalation import Told
    from mailtickets.desk.facts import HistoryLine, TicketFacts
    from mailtickets.desk.policy import Policy
    from mailtickets.desk.ticket import Ticket

ESCALATES_AGAIN = timedelta(hours=4)
BY_REQUEST = "request"  # the middle of the key of a rung that was asked for
NO_RUNG = 0  # stands in the key where no rung can be asked for and the agents are told


def brings_files(case: Case) -> bool:
    """Tell whether a mail has more than its text."""
    return has_files(case.incoming.message)


def by_word(case: Case, facts: TicketFacts, about: str) -> Decision | None:
    """Do what the one word of a mail asks for, CLOSE or STATUS; None where it is an ordinary reply.

    about   what the history says of the mail and its sender.
    """
    word = said(case.incoming.text).word
    if brings_files(case):
        return None  # a file is something to read, whatever stands above it
    if word is Word.CLOSE and facts.ticket.status is not Status.CLOSED:
        return _closed(case, facts, about)
    return _status(case, facts) if word is Word.STATUS else None


def _closed(case: Case, facts: TicketFacts, about: str) -> Decision:
    """Close at once, with one confirming mail; past a limit without it, for anybody can write such a mail in this name."""
    ticket = facts.ticket
    after = silence.end_silence(replace(ticket, updated_at=case.now), Status.CLOSED, case.now)
    entries = (
        case.mail_in(Audience.CUSTOMER, reason=about),
        case.status_entry(Status.CLOSED, "the customer wrote CLOSE"),
    )
    answers = case.read_ours or may_answer(case)
    notice = saying.to_customers(
        "closed", after, after.participants, case.queue, case.policy, facts, occasion=f"closed:{case.event.copy}", human=False,
        keyed=True, values={"agent": "", "silence": False, "reopen_until": case.now + case.queue.reopen_within},
    )  # fmt: skip
    agents = saying.event_to_agents(
        "closed",
        after,
        case.queue,
        case.policy,
        actor=case.sender,
        occasion=f"in:{case.event.copy}",
        detail=f"The customer wrote CLOSE{'' if case.standing.proven else ' (sender not proven)'}.",
    )
    drop = (*SILENCE_TIMERS, TimerKind.ACKNOWLEDGE)
    change = Change(after, entries, drop=drop, ids=case.ids, fresh_key=case.standing.leaked)
    verdict = case.verdict(Outcome.ON_TICKET, "the customer closed the ticket", ticket.number)
    if not answers:
        return Decision(verdict, (change,), agents, case.writer)
    return Decision(verdict, (change,), (notice, *agents), case.writer, acknowledged=counted(case))


# -- STATUS ---------------------------------------------------------------------------------------


def _status(case: Case, facts: TicketFacts) -> Decision | None:
    """Tell whoever asks how the ticket stands; nothing changes. None past a limit: then it is a reply like any other."""
    if not may_answer(case):
        return None
    ticket = facts.ticket
    mail = _status_answer(case, [_state(facts, case.policy, case.now)], ticket, facts)
    # Not an entry for customers: it is no newer text that an agent's answer would have missed.
    entry = case.mail_in(Audience.AGENTS, reason="asked for the status; answered by the desk")
    change = Change(ticket, (entry,), ids=case.ids, fresh_key=case.standing.leaked)
    verdict = case.verdict(Outcome.ON_TICKET, "asked for the status; answered", ticket.number)
    return Decision(verdict, (change,), (mail,), case.writer, acknowledged=counted(case))


def status_alone(case: Case) -> Decision | None:
    """Answer STATUS in a mail of its own with the writer's open tickets; None where the mail opens a ticket.

    The answer goes to the writer's address only, so a forged one tells nobody else anything.
    """
    evidence = case.incoming.evidence
    if not evidence.status_word or evidence.tags or evidence.keys or case.incoming.proof is Proof.FAIL:
        return None
    known = case.facts.person.seen or bool(case.facts.own)
    if not (case.standing.proven or known) or not case.incoming.classification.answerable or not case.sender:
        return None
    if limit := _limit(case):
        return Decision(case.verdict(Outcome.IGNORED, f"asked for their requests; not answered: {limit}"))
    states = [_state(facts, case.policy, case.now) for facts in case.facts.own]
    verdict = case.verdict(Outcome.IGNORED, f"asked for their requests; answered with {len(states)}")
    return Decision(
        verdict,
        mail=(_status_answer(case, states, None, None),),
        people=case.writer,
        acknowledged=counted(case),
    )


def _status_answer(
    case: Case, states: Sequence[dict[str, object]], ticket: Ticket | None, facts: TicketFacts | None
) -> Outgoing:
    """Return the answer, to the one who asked and nobody else."""
    message = case.incoming.message
    name = message.sender.name if message.sender else ""
    values = saying.base_values(ticket, case.policy, keyed=ticket is not None, requests=list(states))
    answers, references = saying.thread_of(facts, case.incoming)
    language = ticket.language if ticket else case.queue.language
    return Outgoing(
        Notice("status_answer", language, case.queue.name, values), Reader.CUSTOMER, (Recipient(Address(case.sender, name)),),
        case.queue.name, ticket.number if ticket else None, occasion=f"in:{case.event.copy}", from_name=case.policy.desk_name,
        answers=message.message_id or answers, references=references, auto_submitted="auto-replied", null_sender=True,
    )  # fmt: skip


def _state(facts: TicketFacts, policy: Policy, now: datetime) -> dict[str, object]:
    """Return a ticket as its customer may know it: no names of agents, no type, no note."""
    ticket, queue = facts.ticket, policy.queues.get(facts.ticket.queue)
    terms = terms_of(ticket, policy)
    read = clocks(ticket, facts.history, terms, now)
    written = [entry for entry in facts.public if entry.text]
    rhythm = silence.rhythm_of(ticket, queue, policy) if queue else None
    return {
        "reference": ticket.reference,
        "subject": ticket.subject,
        "status": ticket.status.value,
        "priority": told_priority(ticket, policy),
        "answer_by": _coming(read.first_response.due_at, now, going=read.first_response.is_going),
        "solve_by": _coming(read.resolution.due_at, now, going=read.resolution.is_going),
        "opened_at": ticket.created_at,
        "last_at": written[-1].at if written else None,
        "last_ours": bool(written) and written[-1].kind is not EntryKind.MAIL_IN,
        "closes_at": silence.closes_at(ticket, rhythm) if rhythm else None,
    }


def _coming(due: datetime | None, now: datetime, *, going: bool) -> datetime | None:
    return due if going and due is not None and due > now else None


# -- ESCALATE -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Escalated:
    """What a reply brings along that asks for escalation.

    hints     for the agents, in words.
    told      agents who need no second mail about it.
    counted   against the limits of automatic answers; None where there is none.
    """

    entries: tuple[Entry, ...] = ()
    mail: tuple[Outgoing, ...] = ()
    hints: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    counted: tuple[str, bool, bool] | None = None


def escalation(case: Case, facts: TicketFacts, after: Ticket) -> Escalated | None:
    """Tell the next people of the ladder, if the mail says ESCALATE; None where it does not.

    after   the ticket as the reply leaves it. Where no rung can be asked for, its agents are the people in charge.
    """
    wish = said(case.incoming.text)
    if wish.word is not Word.ESCALATE or not case.incoming.classification.answerable:
        return None
    if (last := _asked_lately(facts.history, case.now)) is not None:
        people = _told_then(last, after, case.policy)
        hint = f"{case.sender} asked for escalation again; told before: {_or_agents(people)}"
        return _answered(case, facts, after, Escalated(hints=(hint,)), people, known_since=last.at)
    entries, mail, people = escalating.asked(
        facts, after, case.queue, case.policy, case.now, by=case.sender, reason=wish.reason
    )
    if not people:
        key = f"{NO_RUNG}/{BY_REQUEST}/{facts.newest_seq}"
        entries = (
            Entry(EntryKind.ESCALATED, case.now, case.sender, Audience.AGENTS, reason=f"{key} the agents: escalation was asked for"),
        )  # fmt: skip
    hint = f"{case.sender} asked for escalation; told: {_or_agents(people)}"
    told_already = () if wish.reason else tuple(person.agent for person in people if person.agent)
    return _answered(case, facts, after, Escalated(entries, mail, (hint,), told_already), people)


def _asked_lately(history: Iterable[HistoryLine], now: datetime) -> HistoryLine | None:
    """Return the escalation that a customer asked for less than four hours ago."""
    lately = None
    for line in history:
        if line.kind is EntryKind.ESCALATED and "@" in line.actor and now - line.at < ESCALATES_AGAIN:
            lately = line
    return lately


def _told_then(line: HistoryLine, ticket: Ticket, policy: Policy) -> tuple[Told, ...]:
    """Return whom the rung of a line of the history names."""
    word = line.value.partition("/")[0]
    return tuple(
        person
        for rung in ladder(ticket, policy)
        if rung_word(rung) == word
        for contact in rung.to
        for person in told(contact, ticket, policy)
    )


def _or_agents(people: Sequence[Told]) -> str:
    return escalating.named(people) if people else "nobody but the agents, for no rung can be asked for"


def _answered(case: Case, facts: TicketFacts, after: Ticket, escalated: Escalated, people: Sequence[Told], *,
              known_since: datetime | None = None) -> Escalated:  # fmt: skip
    """Add the one answer to whoever asked: names of those who know, and nothing by which they could be reached."""
    asking = tuple(person for person in after.participants if person.address == case.sender)
    if not asking or not may_answer(case):
        return escalated
    names = dict.fromkeys(person.name for person in people if person.name and "@" not in person.name)
    mail = saying.to_customers(
        "escalated", after, asking, case.queue, case.policy, facts, occasion=f"in:{case.event.copy}", human=False, keyed=True,
        values={"names": list(names), "known_since": known_since},
    )  # fmt: skip
    return replace(escalated, mail=(*escalated.mail, mail), counted=counted(case))


# -- limits ---------------------------------------------------------------------------------------


def _limit(case: Case) -> str:
    known = case.facts.person.wrote_before
    return past_limit(
        case.sender, case.facts.acks, case.policy.limits, proven=case.standing.proven, known=known
    )


def may_answer(case: Case) -> bool:
    """Tell whether the desk may answer by itself: a person wrote it, and no limit is reached."""
    return case.incoming.classification.answerable and not _limit(case)


def counted(case: Case) -> tuple[str, bool, bool]:
    """Return what an automatic answer to this mail counts against the limits as."""
    return case.sender, case.standing.proven, case.facts.person.wrote_before
