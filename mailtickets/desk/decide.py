"""Pure: the one decision function. An event and all facts go in; everything that is to happen comes out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk import (
    answering,
    customer_wishes,
    customers,
    elsewhere,
    forgetting,
    holding,
    other_address,
    reports,
    returning,
    saying,
    silence,
    unprompted,
)
from mailtickets.desk.case import SILENCE_TIMERS, Case
from mailtickets.desk.events import Event, MailArrived, MailFailed, PersonErased, TimerDue
from mailtickets.desk.keeping import kept
from mailtickets.desk.lookalike import likeness_of
from mailtickets.desk.people import Speaker, who_speaks
from mailtickets.desk.reach import back_again, knowing_absences, spared
from mailtickets.desk.releasing import as_let_in, let_in, without_agents
from mailtickets.desk.route import regulars, rightful
from mailtickets.desk.thread import find_ticket
from mailtickets.desk.ticket import (
    Alarm,
    Audience,
    Change,
    Decision,
    Entry,
    EntryKind,
    Grant,
    HoldKind,
    Outcome,
    PersonChange,
    Release,
    Status,
    TimerKind,
)
from mailtickets.desk.timing import timer_due
from mailtickets.mail.authentication import Proof
from mailtickets.mail.classify import Origin

if TYPE_CHECKING:
    from datetime import datetime

    from mailtickets.desk.facts import Facts, HeldMail, TicketFacts
    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.policy import AgentPolicy, Policy, QueuePolicy
    from mailtickets.desk.ticket import Ticket

# RFC 5321 section 6.3: a normal path has fewer than 100 Received fields; more is a loop.
MAX_RECEIVED = 100
MAX_UNCLEAR_WORD = 40
PROVED = frozenset({"key", "agent key", "our id"})  # what leads anybody to a ticket: as somebody outside


def decide(event: Event, facts: Facts, policy: Policy, now: datetime) -> Decision:
    """Decide what happens for one event. Reads nothing, writes nothing; the same arguments give the same answer."""
    policy = knowing_absences(policy, facts.away)
    match event:
        case MailArrived():
            standing = _case(event, facts, policy, now).standing if facts.away else None
            decision = back_again(_mail(event, facts, policy, now), event, facts, policy, now, standing)
        case TimerDue():
            decision = timer_due(event, facts, policy, now)
        case MailFailed():
            decision = _mail_failed(event, facts, policy, now)
        case PersonErased():
            decision = forgetting.erased(event, facts, now)
    return kept(spared(decision, facts), facts, policy, now)


def _mail(event: MailArrived, facts: Facts, policy: Policy, now: datetime) -> Decision:
    if event.released:
        event = replace(event, incoming=as_let_in(event.incoming, policy))
        return let_in(_judged(event, facts, policy, now), event, now)
    return _judged(event, facts, policy, now)


def _judged(event: MailArrived, facts: Facts, policy: Policy, now: datetime) -> Decision:
    case = _case(event, facts, policy, now)
    incoming, classification = case.incoming, case.incoming.classification
    if facts.duplicate_of is not None and not event.grant:
        reason = f"duplicate of mail {facts.duplicate_of}"
        verdict = case.verdict(Outcome.IGNORED, reason, facts.duplicate_ticket)
        return Decision(verdict, private=facts.duplicate_erased)
    if classification.origin is Origin.OWN:
        return Decision(case.verdict(Outcome.IGNORED, "loop: a mail of our own came back"))
    if incoming.sent_folder:
        return elsewhere.sent_past_the_desk(case)
    if incoming.message.received_count > MAX_RECEIVED:
        return Decision(case.verdict(Outcome.IGNORED, f"loop: more than {MAX_RECEIVED} Received fields"))
    if classification.origin is Origin.REPORT and not reports.only_reads_like_one(case):
        return reports.report(case)
    if event.released:
        return _ordinary(case)
    if refused := _refused(case):
        return refused
    # Only a person confirms: an absence notice quotes the code in its subject too, and asking it again would loop.
    confirms = incoming.evidence.code and classification.origin is Origin.PERSON and not event.grant
    decision = _with_code(case) if confirms else _ordinary(case)
    return replace(decision, alarms=(*decision.alarms, *other_address.of_former_agents(case)))


def _ordinary(case: Case) -> Decision:
    classification = case.incoming.classification
    if classification.origin is Origin.REPORT:
        return customers.open_ticket(case, reason="opened by what reads like a report, about no mail of ours")
    if classification.origin is Origin.AUTO_REPLY:
        if case.found.ticket and case.standing.speaker is not Speaker.FORGED_AGENT:
            return reports.automatic_reply(case)
        return customers.open_ticket(case, reason="opened by a machine's mail")
    if case.standing.speaker is Speaker.NOBODY and case.found.by not in PROVED:
        return customers.open_ticket(case, reason="opened a ticket; its sender is not known")
    if case.standing.agent is not None:
        return _from_agent(case)
    if case.found.ticket is None:
        return customer_wishes.status_alone(case) or customers.open_ticket(case, reason="opened a ticket")
    return customers.continue_ticket(case)


def _case(event: MailArrived, facts: Facts, policy: Policy, now: datetime) -> Case:
    incoming = event.incoming
    sender = incoming.message.sender.key if incoming.message.sender else ""
    speaking = without_agents(policy) if event.released else policy
    found = find_ticket(incoming.evidence, facts, sender, speaking)
    queue, others = policy.queue_for(incoming.message, incoming.mailbox)
    if found.ticket and found.ticket.ticket.queue in policy.queues:
        queue, others = policy.queues[found.ticket.ticket.queue], ()
    speakers = queue
    if found.ticket:
        # Elsewhere an agent is a customer; whom the ladder told may act with the key that came with it.
        who = rightful if found.by == "agent key" else regulars
        speakers = replace(queue, agents=who(found.ticket.ticket, queue, policy))
    standing = who_speaks(incoming.message, incoming.proof, found, speakers, speaking, now)
    if event.grant and standing.agent is not None:
        standing = replace(standing, speaker=Speaker.AGENT, why="confirmed by the agent")
    likeness = likeness_of(incoming.message.sender, facts.tickets.values(), facts.alike, policy)
    return Case(event, found, standing, queue, others, facts, policy, now, likeness)


def _refused(case: Case) -> Decision | None:
    """Quarantine what claims to be us or an agent against the evidence, and what our server calls spam."""
    classification = case.incoming.classification
    if classification.own_address_claimed:
        return Decision(
            case.verdict(Outcome.QUARANTINED, "own_address: From is an address of this desk, but the mail is not from its outbox"),
            alarms=(Alarm(
                "own_address",
                f"Mail with the desk's own address as sender is in quarantine: {case.incoming.message.subject[:80]!r}",
                "Somebody sends as the desk past the desk, or forges its address.",
                f"Look at it with `mailtickets quarantine show {case.event.copy}`. If agents send from the shared mailbox, set sent_folder.",
            ),),
        )  # fmt: skip
    if classification.spam:
        return Decision(case.verdict(Outcome.QUARANTINED, "marked as spam by your mail server"))
    if case.standing.speaker is Speaker.FORGED_AGENT:
        agent, found = case.standing.agent, case.found.ticket
        changes: tuple[Change, ...] = ()
        if found and case.standing.leaked:
            reason = f"others had seen the reply key of {', '.join(case.standing.leaked)}: it came in a forged mail"
            entry = Entry(EntryKind.KEY_REPLACED, case.now, "desk", Audience.DESK, reason=reason)
            changes = (Change(found.ticket, (entry,), fresh_key=case.standing.leaked),)
        return Decision(
            case.verdict(Outcome.QUARANTINED, f"claims to be the agent {agent.name if agent else ''}, but failed authentication"),
            changes,
            alarms=(Alarm(
                "forged agent",
                f"A mail that claims to be from {agent.email if agent else 'an agent'} is in quarantine",
                "Your mail server says that the sender is forged.",
                "Look at it with `mailtickets quarantine`.",
            ),),
        )  # fmt: skip
    return None


def _from_agent(case: Case) -> Decision:
    if case.found.ticket is None:
        if case.incoming.proof is Proof.FAIL:
            return customers.open_ticket(case, reason="opened a ticket")
        if decision := unprompted.without_ticket(case) or unprompted.already_sent(case):
            return decision
        return customers.open_ticket(case, reason="opened a ticket in the agent's own name")
    match case.standing.speaker:
        case Speaker.AGENT:
            return answering.answer(case)
        case _:
            return holding.held_for_proof(case)


def _with_code(case: Case) -> Decision:
    """A mail with a confirmation's code in its subject: the agent's answer, or an ordinary mail of somebody else."""
    held, writer = case.facts.held, case.policy.agent_of(case.sender)
    if held is None:
        # The question was answered before, or is too old. "yes" must not become an answer to the customer.
        return returning.answers_nothing(case) if case.standing.agent else _ordinary(case)
    if held.kind is HoldKind.FORGET:
        return _about_erasing(case, held)
    facts = case.facts.ticket(held.ticket)
    if writer is not None and facts is not None and writer is case.policy.agents.get(held.agent):
        return _confirmation(case, held, writer, facts)
    alarm = Alarm(
        f"foreign confirmation {held.agent}",
        f"A confirmation code for {held.agent} came from {case.sender}",
        "The code was sent to the agent alone, so somebody else reads that mail, or the agent wrote from another address.",
        "Ask the agent. An address of their own belongs into the aliases of [agent]; the held mail still waits.",
    )
    decision = _ordinary(case)
    return replace(decision, alarms=(*decision.alarms, alarm))


def _about_erasing(case: Case, held: HeldMail) -> Decision:
    """An answer to the question whether a person is to be erased. Anybody's but an admin's does nothing, and is told."""
    word = holding.first_word(case.incoming.text)
    yes, no = word in holding.YES_WORDS, word in holding.NO_WORDS
    if decision := forgetting.answered(case, held, word, yes=yes, no=no):
        return decision
    why = "Only an admin can answer the question whether a person is erased."
    if case.standing.agent is None:
        decision = _ordinary(case)
    else:  # "yes" must not become an answer to the customer
        decision = (
            returning.returned(case, why)
            if case.found.ticket
            else returning.returned_without_ticket(case, why)
        )
    return replace(decision, alarms=(*decision.alarms, forgetting.foreign(case, held)))


def _confirmation(case: Case, held: HeldMail, agent: AgentPolicy, facts: TicketFacts) -> Decision:
    """An agent's answer to the question about a held mail. The code in its subject is the proof."""
    case = case.on(facts.ticket)
    word = holding.first_word(case.incoming.text)
    grant, drop = _understood(word, held.kind)
    ticket = replace(facts.ticket, updated_at=case.now)
    if grant is None and not drop:
        choices = "SEND, NOTE or DROP" if held.kind is HoldKind.LEAK else "yes or no"
        why = f"I did not understand {holding.first_line(case.incoming.text)[:MAX_UNCLEAR_WORD]!r}. Write {choices} as the first line, and leave the subject as it is."
        question = saying.to_agent(
            "leak" if held.kind is HoldKind.LEAK else "held", agent, ticket, case.queue, case.policy,
            occasion=f"again:{case.event.copy}", keyed=False,
            values={"code": held.code, "why": why, "text": "", "sender": held.sender or agent.email,
                    "elsewhere": held.kind is HoldKind.ALIAS, "between": []},
        )  # fmt: skip
        return Decision(
            case.verdict(Outcome.IGNORED, "an unclear confirmation; asked again", held.ticket),
            mail=(question, *_more_than_a_word(case, agent, ticket)),
        )
    kind = EntryKind.DROPPED if drop else EntryKind.CONFIRMED
    entry = Entry(
        kind, case.now, agent.key, Audience.DESK, reason=word, message_id=case.incoming.message.message_id
    )
    change = Change(ticket, (entry,))
    release = Release(held.copy, grant or Grant.NONE, f"{agent.key} answered {word!r}")
    verdict = case.verdict(Outcome.ON_TICKET, f"confirmation of a held mail: {word}", held.ticket)
    mail: tuple[Outgoing, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    if held.kind is HoldKind.ALIAS and drop:
        mail = (other_address.stays_outside(held, agent, facts, case.queue, case.policy),)
    elif held.kind is HoldKind.ALIAS:
        alarms = (other_address.alias_missing(held, agent),)
    return Decision(
        verdict, (change,), mail, release=release, alarms=alarms, timer_done=(TimerKind.HELD, held.copy)
    )


def _more_than_a_word(case: Case, agent: AgentPolicy, ticket: Ticket) -> tuple[Outgoing, ...]:
    """Give an agent's text back that answers a question and is no answer: it may have been meant for the customer."""
    text = case.incoming.text.strip()
    if "\n" not in text and len(text) <= MAX_UNCLEAR_WORD:
        return ()
    return (
        saying.not_sent(
            agent, ticket, case.queue, case.policy, why="It answers my question about another mail. Answer a notice of the ticket instead.",
            text=text, occasion=f"in:{case.event.copy}", answers=case.incoming.message.message_id,
        ),
    )  # fmt: skip


def _understood(word: str, kind: HoldKind) -> tuple[Grant | None, bool]:
    if kind is not HoldKind.LEAK:
        return (Grant.YES, False) if word in holding.YES_WORDS else (None, word in holding.NO_WORDS)
    if word in {"send", "note"}:
        return Grant(word), False
    return None, word == "drop"


def _mail_failed(event: MailFailed, facts: Facts, policy: Policy, now: datetime) -> Decision:
    """A mail of ours did not arrive: its author gets the text back, automatic mail stops, the ticket shows it."""
    people = tuple(
        PersonChange(address, bounced=why)
        for address, why in event.failed
        if address in event.permanent_addresses
    )
    named = ", ".join(address for address, _ in event.failed)
    why = "; ".join(f"{address}: {reason}" for address, reason in event.failed)
    alarms: tuple[Alarm, ...] = ()
    if event.to_agent:
        alarms = (
            Alarm(
                f"agent unreachable {named}",
                f"Mail about a ticket to {named} could not be sent",
                why,
                "Check the address.",
            ),
        )
    found = facts.ticket(event.ticket)
    queue = policy.queues.get(found.ticket.queue) if found else None
    if found is None or queue is None:
        return Decision(people=people, alarms=alarms)
    after = replace(found.ticket, updated_at=now)
    if event.in_doubt:
        return _may_have_arrived(event, after, queue, policy, now, people)
    entries = [
        Entry(
            EntryKind.FAILED,
            now,
            "desk",
            Audience.AGENTS,
            to=tuple(a for a, _ in event.failed),
            reason=f"{event.kind}: {why}",
        )
    ]
    drop: tuple[TimerKind, ...] = ()
    reached = [
        p
        for p in after.participants
        if p.address not in facts.bounced and p.address not in dict(event.failed)
    ]
    if (
        not event.to_agent
        and not reached
        and after.status in {Status.WAITING, Status.RESOLVED}
        and event.cycle in {-1, after.cycle}
    ):
        after = silence.end_silence(after, Status.OPEN, now)
        entries.append(
            Entry(
                EntryKind.STATUS,
                now,
                "desk",
                Audience.AGENTS,
                reason="open: our mail did not reach the customer",
            )
        )
        drop = SILENCE_TIMERS
    author = policy.agents.get(event.author)
    occasion = f"failed:{found.newest_seq}"
    if author and not event.to_agent:
        mail: tuple[Outgoing, ...] = (
            saying.not_sent(
                author, after, queue, policy, why="Your answer could not be delivered.", text=event.entry_text, occasion=occasion,
                failed=event.failed,
            ),
        )  # fmt: skip
    elif not event.to_agent:
        mail = saying.event_to_agents(
            "bounced",
            after,
            queue,
            policy,
            actor=named,
            occasion=occasion,
            detail=saying.came_back(
                why, f"the mail of the kind {event.kind}", tuple(event.permanent_addresses)
            ),
        )
    else:
        mail = ()
    return Decision(
        changes=(Change(after, tuple(entries), drop=drop),), mail=mail, people=people, alarms=alarms
    )


def _may_have_arrived(
    event: MailFailed,
    after: Ticket,
    queue: QueuePolicy,
    policy: Policy,
    now: datetime,
    people: tuple[PersonChange, ...],
) -> Decision:
    """Nobody knows whether a person's words arrived: the author gets them back, once, and the ticket shows it.

    Its status stays: when silence has lasted, its timer sees what became of the mail until then.
    """
    why = "; ".join(f"{address}: {reason}" for address, reason in event.failed)
    addresses = tuple(address for address, _ in event.failed)
    reason = f"{event.kind}: nobody knows whether it arrived: {why}"
    entry = Entry(EntryKind.FAILED, now, "desk", Audience.AGENTS, to=addresses, reason=reason)
    occasion = f"in-doubt:{event.mail}"
    retry = f"An admin sends it once more with `mailtickets outbox retry {event.mail}`."
    author = policy.agents.get(event.author)
    if author:
        mail: tuple[Outgoing, ...] = (
            saying.not_sent(
                author, after, queue, policy, why=f"{saying.MAY_HAVE_ARRIVED} {retry}", text=event.entry_text, occasion=occasion,
                failed=event.failed, in_doubt=True,
            ),
        )  # fmt: skip
    else:
        mail = saying.event_to_agents(
            "in_doubt", after, queue, policy, actor=", ".join(addresses), occasion=occasion, text=event.entry_text,
            detail=f"{why}. {retry}",
        )  # fmt: skip
    return Decision(changes=(Change(after, (entry,)),), mail=mail, people=people)
