"""Pure: an agent's mail on a ticket is checked: it is carried out, held for the agent's word, or comes back with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.desk import forgetting, orders, reading_commands, service_orders
from mailtickets.desk.commands import Known, Read, priority_words, read_commands
from mailtickets.desk.holding import held_for_confirmation, leak, quotes_note
from mailtickets.desk.returning import on_ticket, returned
from mailtickets.desk.route import rightful
from mailtickets.desk.terms import terms_of
from mailtickets.desk.ticket import Decision, EntryKind, Grant, Outcome
from mailtickets.desk.wish import Wish, as_read

if TYPE_CHECKING:
    from mailtickets.desk.case import Case
    from mailtickets.desk.facts import PublicEntry
    from mailtickets.desk.ticket import Person, Ticket


def answer(case: Case) -> Decision:
    """Carry out a proven agent's mail on its ticket: all of it, or nothing."""
    facts, agent = on_ticket(case)
    text = _without_signature(case.incoming.text)
    is_note = case.event.grant is Grant.NOTE or _went_to_note_address(case)
    read = Read(text=text) if is_note else read_commands(text, known_to(case, facts.ticket))
    if case.incoming.truncated:
        size = round(case.incoming.message.size_bytes / 1_000_000, 1)
        limit = case.policy.limits.mail_size_bytes / 1_000_000
        return returned(
            case, f"Your mail has {size:g} MB; the desk takes {limit:g} MB. Send it without the large files."
        )
    if case.incoming.private_parts and not is_note:
        named = ", ".join(case.incoming.private_parts)
        return returned(
            case,
            f"The attachment ({named}) holds your private reply key, so nothing was sent. Answer without it.",
        )
    if read.problem:
        why = str(read.problem)
        return returned(case, why, word=read.problem.word, nearest=read.problem.nearest)
    is_note = is_note or read.has("note")
    sends_files = any(not attachment.inline for attachment in case.incoming.message.attachments)
    public = not is_note and not read.asks_aside and (bool(read.text) or sends_files) and not read.only_reads
    wish = Wish(
        case,
        facts,
        agent,
        read,
        is_note,
        public,
        _still_to_reach(case, facts.ticket),
        f"in:{case.event.copy}",
    )
    if not case.event.grant and read.text and _said_before(wish):
        if not read.commands:
            return Decision(
                case.verdict(
                    Outcome.IGNORED,
                    "duplicate: the same text of the same agent within 10 minutes",
                    facts.ticket.number,
                )
            )
        return returned(
            case, "You sent the same text less than 10 minutes ago. For commands alone, leave the text out."
        )
    if not read.commands and not public and not (is_note and read.text):
        return returned(case, "The mail holds no text of your own: only what it quotes, or a signature.")
    if is_note and not read.text and not sends_files:
        return returned(case, "The note is empty.", word="#note")
    if found := service_orders.obstacle(wish) or reading_commands.obstacle(wish):
        why, word = found
        return returned(case, f"{word} {why}.", word=word)
    if read.has("forget"):
        return forgetting.asked(wish)
    if public and not facts.ticket.participants:
        return returned(
            case,
            "Nobody's address is known on this ticket, so there is nobody to send it to. #note keeps it as a note.",
        )
    if case.event.grant is not Grant.SEND and (found_leak := _leak(wish)):
        return held_for_confirmation(case, found_leak[0], read.text, found_leak[1])
    return orders.carried_out(wish)


def _without_signature(text: str) -> str:
    """Return an agent's text, or nothing where it is a signature alone (RFC 3676 section 4.3), sent by a slip."""
    return "" if text.lstrip().split("\n", 1)[0].rstrip() == "--" else text


def known_to(case: Case, ticket: Ticket) -> Known:
    """Return what commands may name on a ticket."""
    words = priority_words(terms_of(ticket, case.policy).level)
    return Known(rightful(ticket, case.queue, case.policy), tuple(case.policy.types), words)


def _still_to_reach(case: Case, ticket: Ticket) -> tuple[Person, ...]:
    """Return the participants whom the agent's own mail did not already reach."""
    reached = {address.key for address in (*case.incoming.message.to, *case.incoming.message.cc)}
    return tuple(person for person in ticket.participants if person.address not in reached)


def _said_before(wish: Wish) -> bool:
    if wish.is_note:
        said = EntryKind.NOTE, wish.read.text
    else:
        kind = EntryKind.ASKED if wish.read.asks_aside else EntryKind.MAIL_OUT
        said = kind, as_read(wish.agent, wish.read.text)
    return any((one.kind, one.text) == said for one in wish.case.facts.said)


def _leak(wish: Wish) -> tuple[str, tuple[PublicEntry, ...]] | None:
    """Return why a text must be confirmed before it leaves the desk, and what came between."""
    if wish.public:
        return leak(wish.case, wish.facts, wish.agent, wish.read.text)
    if wish.read.asks_aside and (why := quotes_note(wish.facts, wish.read.text)):
        return why, ()
    return None


def _went_to_note_address(case: Case) -> bool:
    message = case.incoming.message
    addresses = (*(a.address for a in (*message.to, *message.cc)), *message.delivered_to)
    queues = case.policy.queues.values()
    return any(queue.is_note_address(address) for queue in queues for address in addresses)
