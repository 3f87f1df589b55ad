"""Pure: an agent's mail that comes back with the reason: nothing was sent, nothing was done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk import saying
from mailtickets.desk.ticket import Audience, Change, Decision, Entry, EntryKind, Outcome

if TYPE_CHECKING:
    from mailtickets.desk.case import Case
    from mailtickets.desk.facts import TicketFacts
    from mailtickets.desk.policy import AgentPolicy


def on_ticket(case: Case) -> tuple[TicketFacts, AgentPolicy]:
    """Return the ticket and the agent of a case that has both."""
    facts, agent = case.found.ticket, case.standing.agent
    assert facts is not None  # noqa: S101  (the dispatcher calls with a ticket; for the type checker)
    assert agent is not None  # noqa: S101
    return facts, agent


def returned(case: Case, why: str, *, word: str = "", nearest: str = "") -> Decision:
    """Send an agent's mail back with the reason; nothing else happens."""
    facts, agent = on_ticket(case)
    entry = Entry(EntryKind.RETURNED, case.now, agent.key, Audience.DESK, reason=why)
    mail = saying.not_sent(
        agent, facts.ticket, case.queue, case.policy, why=why, text=case.incoming.text, occasion=f"in:{case.event.copy}", word=word,
        nearest=nearest, answers=case.incoming.message.message_id,
    )  # fmt: skip
    change = Change(replace(facts.ticket, updated_at=case.now), (entry,), fresh_key=case.standing.leaked)
    return Decision(
        case.verdict(Outcome.ON_TICKET, f"returned to the agent: {why}", facts.ticket.number),
        (change,),
        (mail,),
    )


def returned_without_ticket(case: Case, why: str, *, word: str = "", nearest: str = "") -> Decision:
    """Send an agent's mail back that belongs to no ticket."""
    agent = case.standing.agent
    assert agent is not None  # noqa: S101
    mail = saying.not_sent(
        agent, None, case.queue, case.policy, why=why, text=case.incoming.text, occasion=f"in:{case.event.copy}", word=word,
        nearest=nearest, answers=case.incoming.message.message_id,
    )  # fmt: skip
    return Decision(case.verdict(Outcome.IGNORED, f"returned to the agent: {why}"), mail=(mail,))


def answers_nothing(case: Case) -> Decision:
    """Return an agent's mail that confirms what does not wait any more."""
    why = (
        "The question in its subject was answered before, or is too old: nothing waits for this confirmation."
    )
    return returned(case, why) if case.found.ticket is not None else returned_without_ticket(case, why)
