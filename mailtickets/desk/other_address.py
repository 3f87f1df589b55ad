"""Pure: an agent's reply key in a mail from an address that is not the agent's. Filed as from outside; its agent is asked.

No mail makes an agent: whoever was handed a notice could use its key. So the mail is treated as any stranger's at
once, and loses nothing by waiting. If the agent it belongs to says `yes` at the configured address, this one mail is
done once with that agent's rights, and the admins are told which alias is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mailtickets.desk import saying, silence
from mailtickets.desk.holding import HOLD_DAYS, MAX_QUESTIONS_DAY, NO_WORDS, YES_WORDS, first_word
from mailtickets.desk.people import Speaker, key_problem
from mailtickets.desk.route import hearers, rightful
from mailtickets.desk.ticket import (
    Alarm,
    Audience,
    Entry,
    EntryKind,
    Hold,
    HoldKind,
    Timer,
    TimerKind,
)
from mailtickets.mail.authentication import Proof
from mailtickets.mail.classify import Origin
from mailtickets.mail.message import Address

if TYPE_CHECKING:
    from mailtickets.desk.case import Case
    from mailtickets.desk.events import Incoming
    from mailtickets.desk.facts import HeldMail, TicketFacts
    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.policy import AgentPolicy, Policy, QueuePolicy

MAX_TOLD = (
    5  # times that the other agents hear of such a mail on one ticket; each of them made the key a new one
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is added to an outside mail that carries an agent's key.

    but    agents who get no notice of it, because they are asked, or because it came out of their own mailbox.
    hold   the open question; the mail itself is on its ticket.
    """

    but: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    timers: tuple[Timer, ...] = ()
    mail: tuple[Outgoing, ...] = ()
    hold: Hold | None = None
    alarms: tuple[Alarm, ...] = ()


def question(case: Case, facts: TicketFacts) -> Question:
    """Ask the agent whose key an outside mail carries whether they wrote it; nothing where it carries none that is good.

    Only a person's mail is asked about, and at most so many a day. Of another one the agent hears nothing by mail
    either: their own mailbox may hand notices on to a machine, and would answer for ever. The admins hear of it.
    """
    held = case.facts.held
    if held and first_word(case.incoming.text) not in YES_WORDS | NO_WORDS:
        # A machine may have answered the question, and would answer the next mail, too. The admins are told of it.
        return Question(but=(held.agent,))
    agent = _whose(case, facts)
    if agent is None or case.event.released:  # whoever lets a mail in gives nobody's rights with it
        return Question(hints=_seen(case))
    if why := _why_not(case):
        alarm = Alarm(
            f"key from elsewhere {agent.key}",
            f"Mail with the reply key of {agent.name} came from {case.sender}",
            f"It is filed on {facts.ticket.reference} as from outside, and {agent.name} was not asked about it: {why}.",
            f"Ask {agent.name} whether their mailbox hands the desk's notices on. If a program there answers them, switch it off.",
        )
        return Question(
            but=(agent.key,), hints=_seen(case), mail=_in_their_place(case, facts, agent), alarms=(alarm,)
        )
    why = f"It holds your reply key for {facts.ticket.reference}, but {case.sender} is no address of yours in the configuration."
    until = silence.working_days_after(case.now, HOLD_DAYS)
    hold = Hold(HoldKind.ALIAS, case.event.copy, facts.ticket.number, agent.key, case.event.code, why, until)
    asked = saying.question(
        hold, agent, facts.ticket, case.queue, case.policy, case.incoming, case.incoming.text
    )
    reason = (
        f"others had seen the reply key of {agent.key}, who is asked: did you write this from {case.sender}?"
    )
    return Question(
        (agent.key,),
        (f"it came with the reply key of {agent.name}, who is asked whether they wrote it",),
        (Entry(EntryKind.KEY_REPLACED, case.now, "desk", Audience.DESK, reason=reason),),
        (Timer(TimerKind.HELD, until, case.event.copy),),
        (asked,),
        hold,
    )


def _whose(case: Case, facts: TicketFacts) -> AgentPolicy | None:
    """Return the agent whose good key an outside mail carries."""
    key, policy = case.found.key, case.policy
    if case.standing.speaker is not Speaker.OUTSIDE or key is None or policy.agent_of(case.sender):
        return None
    agent = policy.agents.get(key.agent)
    if agent is None or agent.key not in rightful(facts.ticket, case.queue, policy):
        return None
    return None if key_problem(case.found, agent, case.now) else agent


def _why_not(case: Case) -> str:
    if case.incoming.proof is Proof.FAIL:
        return "our mail server says that the sender may be forged"
    if not case.incoming.classification.answerable:
        return case.incoming.classification.answer_reason
    if case.facts.questions_today >= MAX_QUESTIONS_DAY:
        return f"there were {MAX_QUESTIONS_DAY} such questions within a day"
    return ""


def _in_their_place(case: Case, facts: TicketFacts, agent: AgentPolicy) -> tuple[Outgoing, ...]:
    """Tell the other agents of a mail of which its owner is not told; where somebody else hears of it, nobody more.

    Not for ever: behind another agent's mailbox there may be a machine, too.
    """
    if (
        facts.generations.get(agent.key, 0) >= MAX_TOLD
        or hearers(facts.ticket, case.queue, case.policy, (agent.key,)).agents
    ):
        return ()
    detail = f"A mail came from {case.sender}, which {agent.name} is not told of: it seems to come out of {agent.name}'s own mailbox."
    return saying.event_to_agents(
        "status", facts.ticket, case.queue, case.policy, actor="desk", occasion=f"in:{case.event.copy}", text=case.incoming.text,
        detail=detail, but=(agent.key,), everybody=True,
    )  # fmt: skip


def _seen(case: Case) -> tuple[str, ...]:
    names = [agent.name for key in case.standing.leaked if (agent := case.policy.agents.get(key))]
    return tuple(f"it came with the reply key of {name}, which was replaced" for name in names)


def of_former_agents(case: Case) -> tuple[Alarm, ...]:
    """Tell the admins once of each person who still writes with the key of an agent that there is no more."""
    former = {key.agent for key in case.found.carried} - set(case.policy.agents)
    if not former or case.found.ticket is None or case.incoming.classification.origin is not Origin.PERSON:
        return ()
    return tuple(
        Alarm(
            f"former agent {agent}",
            f"A mail with the reply key of {agent}, who is no agent any more",
            f"It came from {case.sender or 'an unclear sender'} and is filed on {case.found.ticket.ticket.reference} as anybody's would be: "
            "the key gives no rights.",
            f"Tell {agent} that the desk's notices are answered by others now; or put [agent.{agent}] back into the configuration.",
            once=True,
        )
        for agent in sorted(former)
    )


def as_written_by(incoming: Incoming, agent: AgentPolicy | None, policy: Policy) -> Incoming:
    """Return a mail that an agent said to have written as that agent's; whatever was proven is about another address."""
    sender = incoming.message.sender
    if agent is None or (sender is not None and policy.agent_of(sender.address) is agent):
        return incoming
    message = replace(incoming.message, sender=Address(agent.email, agent.name), sender_doubt="")
    return replace(incoming, message=message, proof=Proof.NONE)


ALIAS = "alias"


def is_known_now(kind: str, policy: Policy) -> bool:
    """Tell whether an alarm is about an alias that stands in the configuration by now."""
    word, _, named = kind.partition(" ")
    agent, _, address = named.partition(" ")
    found = policy.agent_of(address) if word == ALIAS else None
    return found is not None and found.key == agent


def alias_missing(held: HeldMail, agent: AgentPolicy) -> Alarm:
    """Return what the admins are told once an agent said to have written from another address."""
    return Alarm(
        f"{ALIAS} {agent.key} {held.sender}",
        f"{agent.name} also writes from {held.sender}",
        f"{agent.name} confirmed at {agent.email} that a mail from there is theirs: it counts as theirs. The next one has to be confirmed again.",
        f'If it should count, write the address into the aliases of [agent.{agent.key}]: "{held.sender}".',
    )


def stays_outside(
    held: HeldMail, agent: AgentPolicy, facts: TicketFacts, queue: QueuePolicy, policy: Policy
) -> Outgoing:
    """Return what an agent is told who wrote nothing from elsewhere: with it comes the fresh key."""
    detail = (
        f"The mail from {held.sender} stays filed as written by somebody outside. Your reply key was seen there, "
        "so answers to older notices are asked about first; answers to this one are not."
    )
    (mail,) = saying.event_to(
        (agent,), "status", facts.ticket, queue, policy, actor="desk", occasion=f"outside:{held.code}", detail=detail
    )  # fmt: skip
    return mail
