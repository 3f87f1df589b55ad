"""Pure: a mail that an admin lets in from quarantine: a customer's mail, without any agent's rights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk.ticket import Audience, Entry, EntryKind, Outcome
from mailtickets.mail.authentication import Proof

if TYPE_CHECKING:
    from datetime import datetime

    from mailtickets.desk.events import Incoming, MailArrived
    from mailtickets.desk.policy import Policy
    from mailtickets.desk.ticket import Decision

BY_THE_ADMIN = "let in by the admin"


def as_let_in(incoming: Incoming, policy: Policy) -> Incoming:
    """Return a mail as its release has it: nothing automatic answers it, and nobody of ours wrote it.

    Where From is an address of the desk the only Reply-To is the writer, without proof (a web form that
    sends in the desk's name); without one there is no writer, so that no mail of the desk goes to itself.
    """
    message, proof = incoming.message, incoming.proof
    if incoming.classification.own_address_claimed:
        behind = message.reply_to[0] if len(message.reply_to) == 1 else None
        ours = behind is None or policy.is_own(behind.address) or policy.agent_of(behind.address)
        message = replace(
            message, sender=None if ours else behind, sender_doubt="From is an address of this desk"
        )
        proof = Proof.NONE  # whatever was proven is about the desk's address
    quiet = replace(incoming.classification, answerable=False, answer_reason="it was let in from quarantine")
    return replace(incoming, message=message, proof=proof, classification=quiet)


def without_agents(policy: Policy) -> Policy:
    """Return the policy in which every writer is a customer: for asking who speaks in a released mail."""
    return replace(policy, agents={})


def let_in(decision: Decision, event: MailArrived, now: datetime) -> Decision:
    """Write into the histories that a mail touches, and into the verdict, that the admin let it in, and in spite of what."""
    verdict = decision.verdict
    if verdict is None or verdict.outcome is not Outcome.ON_TICKET:
        return decision
    entry = Entry(
        EntryKind.RELEASED,
        now,
        "admin",
        Audience.AGENTS,
        reason=f"{BY_THE_ADMIN}; it was in quarantine: {event.released}",
    )
    changes = tuple(
        replace(change, entries=(*(_for_agents(e, event.incoming) for e in change.entries), entry))
        for change in decision.changes
    )
    verdict = replace(
        verdict,
        reason=f"{verdict.reason}; {BY_THE_ADMIN}",
        why=(*verdict.why, f"was in quarantine: {event.released}"),
    )
    return replace(decision, verdict=verdict, changes=changes)


def _for_agents(entry: Entry, incoming: Incoming) -> Entry:
    """The text of a mail that could not be read is ours: no customer is to see it quoted."""
    if not incoming.unread or entry.kind is not EntryKind.MAIL_IN:
        return entry
    return replace(entry, audience=Audience.AGENTS)
