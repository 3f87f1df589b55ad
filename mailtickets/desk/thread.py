"""Pure: decide which ticket a message belongs to. Reads no store; candidates are given in the facts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailtickets.desk.commands import named_address
from mailtickets.desk.customer_words import asks_status
from mailtickets.desk.facts import Evidence
from mailtickets.mail.keys import KeyKind, keys_of, void_keys_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from mailtickets.desk.facts import Facts, TicketFacts
    from mailtickets.desk.policy import Policy
    from mailtickets.mail.classify import Classification
    from mailtickets.mail.keys import KeyRing, ReplyKey
    from mailtickets.mail.message import Message

# ASCII digits only, no leading zero, at most 10: `\d` and int() would take Arabic digits and 1_042.
_TAG = re.compile(
    r"\[([A-Z][A-Z0-9]{1,9})-([1-9][0-9]{0,9})(?: confirm ([A-Z2-9]{4}-[A-Z2-9]{4}))?\]",
    re.IGNORECASE | re.ASCII,  # without ASCII the long s and the Kelvin sign are letters of ours
)
_LONG_SPACE = re.compile(r"\s{2,}")
_NAMED = re.compile(
    r"#[a-z-]{1,20} {1,5}\[?([A-Z][A-Z0-9]{1,9})-([1-9][0-9]{0,9})\]?\Z", re.IGNORECASE | re.ASCII
)
_FORGET = re.compile(r"#forget(?:\s+(.{1,700}))?", re.IGNORECASE | re.ASCII)
MAX_IDS = 51
MAX_NAMED, MAX_COMMAND_LETTERS = 10, 2000


def evidence(
    message: Message, ring: KeyRing, body: str, classification: Classification | None = None, text: str = ""
) -> Evidence:
    """Read off a mail everything that says where it belongs.

    body   the whole text of the mail, quotes included: a footer line may stand in it.
    text   what its writer newly wrote: commands in it may name tickets.
    """
    tags, code = [], ""
    for match in _TAG.finditer(message.subject):
        tags.append((match[1].upper(), int(match[2])))
        code = code or (match[3] or "").upper()
    ids = dict.fromkeys((*message.in_reply_to, *reversed(message.references)))
    bounce = classification.bounce if classification else None
    returned = bounce.returned_ids if bounce else ()
    return Evidence(
        keys=keys_of(ring, message, body),
        ids=tuple(ids)[:MAX_IDS],
        tags=tuple(tags),
        code=code,
        void=void_keys_of(ring, message, body),
        returned_ids=returned[:MAX_IDS],
        returned_keys=ring.read(" ".join(returned[:MAX_IDS]), "returned mail"),
        named=_named(text),
        status_word=asks_status(message, text),
        forget=_forget(text),
    )


def _named(text: str) -> tuple[tuple[str, int], ...]:
    """Return the tickets that the first lines name behind a command, such as `#clock SUP-1042`."""
    lines = [line.strip() for line in text[:MAX_COMMAND_LETTERS].split("\n") if line.strip()][:MAX_NAMED]
    found = (_NAMED.match(line) for line in lines)
    return tuple((match[1].upper(), int(match[2])) for match in found if match)


def _forget(text: str) -> str | None:
    """Return whom a first line `#forget` names, "" where it names nobody, None where there is no such line."""
    lines = (line.strip() for line in text[:MAX_COMMAND_LETTERS].split("\n"))
    found = _FORGET.fullmatch(next((line for line in lines if line), ""))
    return named_address(found[1] or "") if found else None


def strip_tags(subject: str, tags: Collection[str]) -> str:
    """Return a subject without our own tags; a tag of another desk is kept and never matched."""
    bare = _TAG.sub(lambda match: "" if match[1].upper() in tags else match[0], subject)
    return _LONG_SPACE.sub(" ", bare).strip()


@dataclass(frozen=True, slots=True)
class Found:
    """Where a mail belongs, by which proof, and every step that was looked at.

    by      "key", "agent key", "our id", "their id", "tag", or "" for none.
    key     the key that proved it, where one did.
    carried agents' keys of this ticket that stand in the mail, whether they proved anything or not.
    seen    the newest entry of the ticket that the writer had before them; None if not known.
    hints   for the agents of a new ticket, in words.
    """

    ticket: TicketFacts | None = None
    by: str = ""
    key: ReplyKey | None = None
    carried: tuple[ReplyKey, ...] = ()
    seen: int | None = None
    hints: tuple[str, ...] = ()
    why: tuple[str, ...] = ()


def find_ticket(found: Evidence, facts: Facts, sender: str, policy: Policy) -> Found:
    """Walk the threading ladder of design section 4; the first proof wins.

    sender   the From address in comparable form; "" where From names no single person.
    """
    why = [f"what looks like a key of ours in {place} is none: it proves nothing" for place in found.void]
    hints: list[str] = []
    if result := _by_key(found, facts, sender, policy, why):
        return result
    for known in facts.known_ids:
        ticket = facts.ticket(known.ticket)
        if ticket is None:
            continue
        source = "our Message-ID" if known.ours else "a Message-ID of the ticket"
        if ticket.ticket.is_erased and policy.agent_of(sender) is None:
            why.append("names a mail of a ticket whose people were erased")
            continue
        # One of our own ids proves the thread to anybody (an outsider is filed as such); the id of
        # a customer's mail may have been seen by many, so it counts from people on the ticket only.
        if known.ours or _belongs(ticket, sender, policy):
            why.append(f"In-Reply-To or References names {source} of {ticket.ticket.reference}")
            return Found(ticket, "our id" if known.ours else "their id", seen=known.seq, why=tuple(why))
        why.append(
            f"{source} of {ticket.ticket.reference} is named, but {sender or 'nobody'} is not on that ticket"
        )
        hints.append(f"may belong to {ticket.ticket.reference}, whose mail it answers")
    own_tags = {queue.tag for queue in policy.queues.values()}
    for tag, number in found.tags:
        ticket = facts.ticket(number)
        if ticket is None or ticket.ticket.tag != tag:
            if tag in own_tags:
                why.append(f"subject tag {tag}-{number} names no ticket of ours")
            continue
        if ticket.ticket.is_erased and policy.agent_of(sender) is None:
            why.append(f"subject tag {ticket.ticket.reference}, whose people were erased")
            continue
        if _belongs(ticket, sender, policy):
            why.append(f"subject tag {ticket.ticket.reference}")
            return Found(ticket, "tag", why=tuple(why))
        why.append(f"subject tag {ticket.ticket.reference}, but {sender or 'nobody'} is not on that ticket")
        hints.append(f"names {ticket.ticket.reference}, in which this sender has no part")
    return Found(hints=tuple(dict.fromkeys(hints)), why=tuple(why))


def _by_key(found: Evidence, facts: Facts, sender: str, policy: Policy, why: list[str]) -> Found | None:
    agent = policy.agent_of(sender) if sender else None
    # An agent's own key goes before a thread key: an agent's reply quotes both.
    keys = sorted(
        found.keys, key=lambda key: not (agent and key.kind is KeyKind.AGENT and key.agent == agent.key)
    )
    for key in keys:
        ticket = facts.ticket(key.ticket)
        if ticket is None:
            why.append(f"valid key in {key.place} for a ticket that is not in the store")
            continue
        if ticket.ticket.is_erased and agent is None:
            why.append(f"key in {key.place} of a ticket whose people were erased")
            continue
        by = "agent key" if key.kind is KeyKind.AGENT else "key"
        why.append(f"{by} of {ticket.ticket.reference} in {key.place}")
        why.extend(
            f"the subject names {tag}-{number}, but the key goes first"
            for tag, number in found.tags
            if tag in {queue.tag for queue in policy.queues.values()} and facts.ticket(number) is not ticket
        )
        seen = next((k.seq for k in facts.known_ids if k.ours and facts.ticket(k.ticket) is ticket), None)
        carried = tuple(k for k in keys if k.kind is KeyKind.AGENT and facts.ticket(k.ticket) is ticket)
        return Found(ticket, by, key, carried, seen, why=tuple(why))
    return None


def _belongs(ticket: TicketFacts, sender: str, policy: Policy) -> bool:
    """Tell whether a tag from this address may lead to the ticket: its people, and its queue's agents."""
    if not sender:
        return False
    if ticket.ticket.is_participant(sender):
        return True
    queue = policy.queues.get(ticket.ticket.queue)
    agent = policy.agent_of(sender)
    return bool(queue and agent and agent.key in queue.agents)
