"""What would happen to one mail now: its question, the facts, the decision. Reads the store and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mailtickets.desk.case import MAX_SUBJECT
from mailtickets.desk.decide import decide
from mailtickets.desk.events import MailArrived
from mailtickets.desk.other_address import as_written_by
from mailtickets.desk.ticket import Grant
from mailtickets.mail.authentication import Proof
from mailtickets.mail.message import has_files
from mailtickets.reading import as_ours, content_digest
from mailtickets.store.facts import Question

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mailtickets.desk.events import Incoming
    from mailtickets.desk.facts import Facts
    from mailtickets.desk.ticket import Decision, Verdict
    from mailtickets.recording import Rules
    from mailtickets.store import Store
    from mailtickets.store.ledger import Copy


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision about a mail, and what the ledger notes beside it.

    incoming  the mail as it was decided: known as ours, or as lying in the folder of sent mail.
    content   its identity beyond the bytes, b"" if it has none.
    """

    decision: Decision
    verdict: Verdict
    incoming: Incoming
    facts: Facts
    content: bytes
    sender: str


def decided(
    store: Store,
    rules: Rules,
    copy: Copy,
    incoming: Incoming,
    now: datetime,
    code: str,
    grant: Grant = Grant.NONE,
    seen: Callable[[Facts], Facts] = lambda facts: facts,
    before: int = 1 << 62,
    granted_by: str = "",
) -> Decided:
    """Decide a mail by the present rules and what the store holds.

    code    a fresh one-time code, used if the mail has to be held.
    seen    takes from the facts what this decision is not to know.
    before  only mails below this number make it a duplicate.
    granted_by  the agent who confirmed it, whose mail it is from wherever it came.
    """
    policy = rules.policy
    if copy.folder and copy.folder == rules.reading.sent_folders.get(copy.mailbox):
        incoming = replace(incoming, sent_folder=True)
    message = incoming.message
    content = b"" if incoming.unread else content_digest(message, copy.arrived)
    if store.tickets.is_ours(message.message_id):
        incoming = as_ours(incoming, "its Message-ID stands in our outbox")
    incoming = as_written_by(incoming, policy.agents.get(granted_by), policy)
    sender = message.sender.key if message.sender else ""
    writer = incoming.message.sender.key if incoming.message.sender else ""
    agent = policy.agent_of(writer) if writer else None
    queue, _ = policy.queue_for(message, copy.mailbox)
    question = Question(
        copy.id, copy.digest, b"" if grant else content, writer, incoming.evidence, queue, policy.limits,
        agent=agent.key if agent else "", text=incoming.text, agents=policy.addresses_of_agents, before=before,
        arrived=copy.arrived, proven=incoming.proof is Proof.PASS,
        words=None if grant or copy.released else (message.subject[:MAX_SUBJECT], "" if has_files(message) else incoming.text),
        granted=grant is not Grant.NONE,
    )  # fmt: skip
    facts = seen(store.facts.for_mail(question, now))
    event = MailArrived(incoming, copy.id, code, grant, copy.released)
    decision = decide(event, facts, policy, now)
    assert decision.verdict is not None  # noqa: S101  (every decision about a mail has one)
    return Decided(decision, decision.verdict, incoming, facts, content, sender)
