"""Pure: who speaks in a mail, with what proof, and who joins a ticket by it (table 5.3 as amended)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from mailtickets.desk.policy import LARGE_PROVIDERS, AgentPolicy
from mailtickets.desk.ticket import Person, Role
from mailtickets.mail.authentication import Proof
from mailtickets.mail.keys import KeyKind

if TYPE_CHECKING:
    from datetime import datetime

    from mailtickets.desk.policy import Policy, QueuePolicy
    from mailtickets.desk.thread import Found
    from mailtickets.desk.ticket import Ticket
    from mailtickets.mail.message import Message

ELSEWHERE = "its To and Cc name no address of this desk, so that somebody else may have passed it on"
KEY_LASTS_AFTER_CLOSING = timedelta(days=60)
MAX_SUGGESTED = 20  # addresses that a notice names; the others it counts


class Speaker(StrEnum):
    """What the writer of a mail may do."""

    AGENT = "agent"  # proven: answers and commands count
    CLAIMED_AGENT = "claimed_agent"  # an agent's address without proof: held
    FORGED_AGENT = "forged_agent"  # an agent's address against a trusted fail: quarantined
    CUSTOMER = "customer"  # on the ticket, or about to open one
    OUTSIDE = "outside"  # proves the thread, but is not on the ticket
    NOBODY = "nobody"  # From names no single person


@dataclass(frozen=True, slots=True)
class Standing:
    """Who speaks, and on what ground. `leaked` names agents whose key was seen by others."""

    speaker: Speaker
    agent: AgentPolicy | None = None
    proven: bool = False
    why: str = ""
    leaked: tuple[str, ...] = ()


def who_speaks(
    message: Message, proof: Proof, found: Found, queue: QueuePolicy, policy: Policy, now: datetime
) -> Standing:
    """Decide who the writer is. From is a claim; only a key or a trusted pass makes an agent.

    queue   the ticket's queue where a ticket was found, otherwise the one the mail reached.
    """
    if message.sender is None:
        return Standing(
            Speaker.NOBODY,
            why=message.sender_doubt or "no From address",
            leaked=_leaked(found, "", message, policy),
        )
    sender = message.sender.key
    agent = policy.agent_of(sender)
    if agent is not None and agent.key not in queue.agents:
        agent = None  # an agent of another queue is a customer here
    # Whoever sends against a trusted fail is somebody else, and has seen what the mail carries.
    own = agent.key if agent and proof is not Proof.FAIL else ""
    leaked = _leaked(found, own, message, policy)
    proven = proof is Proof.PASS
    if agent is None or _speaks_as_customer(found, sender):
        if found.ticket and not found.ticket.ticket.is_participant(sender):
            return Standing(
                Speaker.OUTSIDE,
                proven=proven,
                why="brings a proof of the thread, is not on the ticket",
                leaked=leaked,
            )
        return Standing(Speaker.CUSTOMER, proven=proven, leaked=leaked)
    if proof is Proof.FAIL:
        return Standing(
            Speaker.FORGED_AGENT, agent, why="our mail server says that the sender is forged", leaked=leaked
        )
    if message.sender_doubt:
        return Standing(Speaker.CLAIMED_AGENT, agent, why=message.sender_doubt, leaked=leaked)
    if found.ticket is None:
        return Standing(
            Speaker.AGENT if proven else Speaker.CLAIMED_AGENT, agent, proven, "answers no notice", leaked
        )
    # A signature proves who wrote a mail and to whom, not who brought it here (RFC 6376 section 8.6, replay).
    if proven and policy.is_named_in(message):
        return Standing(
            Speaker.AGENT, agent, proven=True, why="our mail server authenticated the sender", leaked=leaked
        )
    if agent.proof == "pass":
        problem = "this agent's mail counts only with an authenticated sender"
    else:
        problem = key_problem(found, agent, now)
    if problem:
        return Standing(Speaker.CLAIMED_AGENT, agent, why=ELSEWHERE if proven else problem, leaked=leaked)
    return Standing(Speaker.AGENT, agent, why="carries this agent's reply key", leaked=leaked)


def _speaks_as_customer(found: Found, sender: str) -> bool:
    """An agent who is on the ticket as its customer speaks as one, unless the agent's key says otherwise."""
    if found.ticket is None or not found.ticket.ticket.is_participant(sender):
        return False
    return not (found.key and found.key.kind is KeyKind.AGENT)


def key_problem(found: Found, agent: AgentPolicy, now: datetime) -> str:
    """Say what is wrong with the mail's key as this agent's proof, or nothing."""
    if found.key is None or found.key.kind is not KeyKind.AGENT or found.ticket is None:
        return "the mail carries no reply key of ours"
    if found.key.agent != agent.key:
        return "the reply key belongs to another agent"
    if found.key.generation < found.ticket.generations.get(agent.key, 0):
        return "the reply key was replaced, because others had seen it"
    closed_at = found.ticket.ticket.closed_at
    if closed_at and now > closed_at + KEY_LASTS_AFTER_CLOSING:
        return "the reply key has expired (60 days after closing)"
    return ""


def _leaked(found: Found, agent: str, message: Message, policy: Policy) -> tuple[str, ...]:
    """Return the agents whose present key was seen by somebody else; one replaced before needs no other again."""
    if found.ticket is None:
        return ()
    others = any(
        not policy.is_own(a.address) and not policy.agent_of(a.address) for a in (*message.to, *message.cc)
    )
    present = found.ticket.generations
    return tuple(
        dict.fromkeys(
            key.agent
            for key in found.carried
            if (key.agent != agent or others) and key.generation >= present.get(key.agent, 0)
        )
    )


def people_joining(
    message: Message, ticket: Ticket | None, queue: QueuePolicy, policy: Policy, limit: int
) -> tuple[Person, ...]:
    """Return who becomes a participant by a participant's mail: To and Cc of the sender's own domain.

    Never agents, own addresses, or a domain that is a large mail provider's. At most `limit`
    people on a ticket in all.
    """
    if queue.cc == "never" or (queue.cc == "opening" and ticket is not None) or message.sender is None:
        return ()
    domain = message.sender.domain
    if not domain or domain in LARGE_PROVIDERS:
        return ()
    there = {person.address for person in ticket.participants} if ticket else set()
    room = limit - len(there) - (0 if ticket else 1)
    joining: dict[str, Person] = {}
    for address in (*message.to, *message.cc):
        key = address.key
        if address.domain != domain or key in there or key == message.sender.key or not key.isascii():
            continue
        if policy.is_own(key) or policy.agent_of(key):
            continue
        joining.setdefault(key, Person(key, address.name, Role.PARTICIPANT))
    return tuple(joining.values())[: max(room, 0)]


def people_suggested(message: Message, ticket: Ticket, policy: Policy) -> tuple[str, ...]:
    """Return the other addresses in To and Cc that are on no list: shown to the agents, written to by nobody.

    The last one may be how many more there are.
    """
    shown: dict[str, None] = {}
    for address in (*message.to, *message.cc):
        known = ticket.person(address.key) or policy.is_own(address.key) or policy.agent_of(address.key)
        if not known:
            shown.setdefault(address.key, None)
    named, more = tuple(shown)[:MAX_SUGGESTED], len(shown) - MAX_SUGGESTED
    return (*named, f"and {more} more") if more > 0 else named
