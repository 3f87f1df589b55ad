"""Pure: whom the desk can reach: nothing automatic goes where our mail comes back, and a person who writes is back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk.notices import Reader
from mailtickets.desk.people import Speaker
from mailtickets.desk.ticket import Outcome, PersonChange
from mailtickets.mail.authentication import Proof
from mailtickets.mail.classify import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mailtickets.desk.events import MailArrived
    from mailtickets.desk.facts import Facts
    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.people import Standing
    from mailtickets.desk.policy import Policy
    from mailtickets.desk.ticket import Decision


def knowing_absences(policy: Policy, away: Mapping[str, datetime]) -> Policy:
    """Return the rules with what is known of agents who are away now."""
    absent = {key: away[agent.email] for key, agent in policy.agents.items() if agent.email in away}
    if not absent:
        return policy
    agents = {
        key: replace(agent, away_until=absent[key]) if key in absent else agent
        for key, agent in policy.agents.items()
    }
    return replace(policy, agents=agents)


def back_again(
    decision: Decision,
    event: MailArrived,
    facts: Facts,
    policy: Policy,
    now: datetime,
    standing: Standing | None,
) -> Decision:
    """Return the decision about a mail with what it says of its writer: who writes by hand can be reached, and is there.

    standing   of its writer, where somebody is away: only by proof, or with the own key, is an agent back.
    """
    message, classification = event.incoming.message, event.incoming.classification
    filed = decision.verdict is not None and decision.verdict.outcome is Outcome.ON_TICKET
    if message.sender is None or classification.origin is not Origin.PERSON or not filed:
        return decision
    if event.incoming.proof is Proof.FAIL:
        return decision
    sender, changes = message.sender.key, list(decision.people)
    if facts.person.bounced and not any(change.address == sender for change in changes):
        changes.append(PersonChange(sender, bounced=""))
    agent = policy.agent_of(sender)
    by_hand = standing is not None and (standing.proven or standing.speaker is Speaker.AGENT)
    if agent is not None and agent.email in facts.away and by_hand:
        changes.append(PersonChange(agent.email, away_until=now))
    return replace(decision, people=tuple(changes))


def spared(decision: Decision, facts: Facts) -> Decision:
    """Return the decision without automatic mail to customers' addresses from which our mail comes back.

    An agent's own words are still tried: the mark may be wrong, and whoever wrote them hears what became of them.
    """
    marked = {*facts.bounced, *((facts.person.address,) if facts.person.bounced else ())}
    for change in decision.people:
        if change.bounced is not None:
            (marked.add if change.bounced else marked.discard)(change.address)
    if not marked:
        return decision
    kept = (_without(mail, marked) for mail in decision.mail)
    return replace(decision, mail=tuple(mail for mail in kept if mail.to))


def _without(mail: Outgoing, marked: set[str]) -> Outgoing:
    if mail.human or mail.reader is not Reader.CUSTOMER:
        return mail
    return replace(mail, to=tuple(one for one in mail.to if one.address.key not in marked))
