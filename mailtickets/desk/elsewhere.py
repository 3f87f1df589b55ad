"""Pure: answers that agents sent past the desk, found in the folder of sent mail. Filed, and sent by nobody again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk import saying, silence
from mailtickets.desk.case import SILENCE_TIMERS, timers_of
from mailtickets.desk.route import hearers
from mailtickets.desk.ticket import Audience, Change, Decision, EntryKind, Outcome, Status, TimerKind
from mailtickets.mail.authentication import Proof
from mailtickets.mail.message import address_key
from mailtickets.mail.relay import fit_for_customers

if TYPE_CHECKING:
    from mailtickets.desk.case import Case
    from mailtickets.desk.facts import TicketFacts


def sent_past_the_desk(case: Case) -> Decision:
    """File a sent mail as the public answer that it is; one that answers no ticket is left alone."""
    facts = _answered_ticket(case)
    if facts is None:
        return Decision(case.verdict(Outcome.IGNORED, "sent past the desk, and answers no ticket"))
    ticket, case = facts.ticket, case.on(facts.ticket)
    message = case.incoming.message
    reached = [a for a in (*message.to, *message.cc) if ticket.is_participant(a.key)]
    if not reached:
        return _to_others(case, facts)
    entry = case.mail_in(
        Audience.CUSTOMER, EntryKind.MAIL_OUT, "sent past the desk, from the support address"
    )
    # Reminders quote it to the customer, and the customer gets no key of an agent's.
    entry = replace(entry, text=fit_for_customers(entry.text, ()))
    status = Status.PENDING if case.queue.after_reply == "pending" else Status.WAITING
    after = replace(ticket, updated_at=case.now)
    if status is Status.WAITING:
        after = silence.begin_waiting(after, case.now)
    else:
        after = silence.end_silence(after, status, case.now)
    entries = (entry, case.status_entry(after.status, "answered past the desk"))
    change = Change(
        after,
        entries,
        timers_of(after, case.queue, case.policy),
        (*SILENCE_TIMERS, TimerKind.ACKNOWLEDGE),
        ids=(case.incoming.message.message_id,) if case.incoming.message.message_id else (),
    )
    told = saying.event_to_agents(
        "sent_elsewhere", after, case.queue, case.policy, actor=case.actor, occasion=f"in:{case.event.copy}", text=case.incoming.text,
        detail="It was found in the folder of sent mail and is not sent again.",
    )  # fmt: skip
    return Decision(
        case.verdict(Outcome.ON_TICKET, "an answer sent past the desk", ticket.number), (change,), told
    )


def by_their_own_mail(case: Case, facts: TicketFacts) -> Decision | None:
    """File an answer that somebody on the ticket's route, who is no agent, sent to the customer with us in copy.

    It is the person's response, and is sent by nobody again. None where it is nothing of that kind, or From is
    only a claim: a reminder quotes the response, and would carry a stranger's words in the desk's name.
    """
    ticket = facts.ticket
    if not case.standing.proven or not _answers_on_their_route(case, facts):
        return None
    entry = case.mail_in(Audience.CUSTOMER, EntryKind.MAIL_OUT, "sent to the customer by their own mail")
    entry = replace(entry, text=fit_for_customers(entry.text, ()))
    after = silence.begin_waiting(replace(ticket, updated_at=case.now), case.now)
    change = Change(
        after,
        (entry, case.status_entry(after.status, "answered by their own mail")),
        timers_of(after, case.queue, case.policy),
        (*SILENCE_TIMERS, TimerKind.ACKNOWLEDGE),
        ids=case.ids,
        fresh_key=case.standing.leaked,
    )
    told = saying.event_to_agents(
        "sent_elsewhere", after, case.queue, case.policy, actor=case.actor, occasion=f"in:{case.event.copy}", text=case.incoming.text,
    )  # fmt: skip
    return Decision(
        case.verdict(Outcome.ON_TICKET, "an answer of somebody on its route", ticket.number), (change,), told
    )


def unproven_answer(case: Case, facts: TicketFacts) -> bool:
    """Tell whether a mail is such an answer by all that can be known where the desk proves no sender at all.

    It ends the clock of the first response, and gives nothing else: agents read it, no customer ever does.
    """
    if case.incoming.provable or case.incoming.proof is Proof.FAIL:
        return False
    return _answers_on_their_route(case, facts)


def _answers_on_their_route(case: Case, facts: TicketFacts) -> bool:
    ticket, message = facts.ticket, case.incoming.message
    routed = {address_key(person.address) for person in hearers(ticket, case.queue, case.policy).others}
    return case.sender in routed and any(ticket.is_participant(a.key) for a in (*message.to, *message.cc))


def _to_others(case: Case, facts: TicketFacts) -> Decision:
    """A mail about the ticket to somebody else, such as a supplier: the customer never reads it, nothing changes."""
    entry = case.mail_in(Audience.AGENTS, EntryKind.NOTE, "sent past the desk, to nobody on the ticket")
    ids = (case.incoming.message.message_id,) if case.incoming.message.message_id else ()
    change = Change(replace(facts.ticket, updated_at=case.now), (entry,), ids=ids)
    verdict = case.verdict(
        Outcome.ON_TICKET, "sent past the desk, to nobody on the ticket", facts.ticket.number
    )
    return Decision(verdict, (change,))


def _answered_ticket(case: Case) -> TicketFacts | None:
    """Our own folder of sent mail needs no proof: any id, key or tag of ours leads to the ticket."""
    numbers = [known.ticket for known in case.facts.known_ids]
    numbers += [key.ticket for key in case.incoming.evidence.keys]
    numbers += [number for _, number in case.incoming.evidence.tags]
    return next((facts for number in numbers if (facts := case.facts.ticket(number))), None)
