"""Pure: an agent's mail that answers no notice: it asks the desk something, or was sent to a customer already."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk import reading_commands, silence
from mailtickets.desk.case import new_ticket, timers_of
from mailtickets.desk.commands import Known, priority_words, read_commands, starts_command
from mailtickets.desk.organisation import organisation_of
from mailtickets.desk.returning import returned_without_ticket
from mailtickets.desk.terms import default_priority, terms_of
from mailtickets.desk.ticket import Audience, Change, Decision, EntryKind, Outcome, Person, Role
from mailtickets.desk.wish import as_read, own_words

if TYPE_CHECKING:
    from mailtickets.desk.case import Case

MAX_ANSWERS_HOUR = 20


def without_ticket(case: Case) -> Decision | None:
    """Answer an agent's commands in a mail of its own; None where the mail holds none and opens a ticket.

    Needs no proof: whatever is answered goes to the configured address only, at most 20 times an hour. Mail without
    proof uses up nothing of a proven agent's, whose mail comes back with the reason where it is too much.
    """
    text = case.incoming.text
    first = next((line.strip() for line in text.split("\n") if line.strip()), "")
    if not starts_command(first):
        return None
    proven = case.standing.proven
    had = case.facts.acks.proven_hour if proven else case.facts.acks.unproven_hour
    if had < MAX_ANSWERS_HOUR:
        decision = _answered(case, text, first)
    elif proven or had == MAX_ANSWERS_HOUR:
        further = (
            ""
            if proven
            else " Further ones within the hour are not answered: nothing proves that you sent them."
        )
        why = f"There were {MAX_ANSWERS_HOUR} such mails within the hour. Nothing was done; write it again later.{further}"
        decision = returned_without_ticket(case, why, word=first[:80])
    else:
        why = f"not answered: this agent had {MAX_ANSWERS_HOUR} answers within the hour without proof"
        return Decision(case.verdict(Outcome.IGNORED, why))
    return replace(decision, acknowledged=(case.sender, proven, True))


def _answered(case: Case, text: str, first: str) -> Decision:
    level = case.policy.service_levels.get(case.queue.service_level)
    read = read_commands(text, Known(case.queue.agents, tuple(case.policy.types), priority_words(level)))
    if read.problem:
        why = str(read.problem)
        return returned_without_ticket(case, why, word=read.problem.word, nearest=read.problem.nearest)
    if not read.only_reads:
        why = "The mail belongs to no ticket: answer the notice of a ticket to use commands."
        return returned_without_ticket(case, why, word=first[:80])
    return reading_commands.answer_alone(case, read)


def already_sent(case: Case) -> Decision | None:
    """File a proven agent's own mail to a customer, with the queue in copy, as an answer that is sent already."""
    agent = case.standing.agent
    assert agent is not None  # noqa: S101
    message = case.incoming.message
    customers = [
        a
        for a in (*message.to, *message.cc)
        if not case.policy.is_own(a.address) and not case.policy.agent_of(a.address)
    ]
    if not customers or not case.standing.proven:
        return None
    requester = Person(customers[0].key, customers[0].name, Role.REQUESTER)
    ticket = replace(new_ticket(case, requester), assignee=agent.key)
    organisation = organisation_of(requester.address, case.policy)
    ticket = replace(ticket, organisation=organisation.key if organisation else "")
    ticket = replace(ticket, priority=default_priority(terms_of(ticket, case.policy).level))
    ticket = silence.begin_waiting(replace(ticket, cycle=0), case.now)
    entry = own_words(
        case,
        EntryKind.MAIL_OUT,
        Audience.CUSTOMER,
        as_read(agent, case.incoming.text),
        tuple(a.address for a in customers),
        "sent by the agent's own mail",
    )
    change = Change(
        ticket,
        (entry, case.status_entry(ticket.status, "the agent wrote first")),
        timers_of(ticket, case.queue, case.policy),
        is_new=True,
        ids=(message.message_id,) if message.message_id else (),
    )
    return Decision(
        case.verdict(Outcome.ON_TICKET, "an agent's own mail to a customer, filed", ticket.number), (change,)
    )
