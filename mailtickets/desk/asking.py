"""Pure: `#ask`: the customer gets the list of what is missing; or somebody else is asked, and only agents read the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk import saying
from mailtickets.desk.case import with_role
from mailtickets.desk.notices import Notice, Outgoing, Reader, Recipient
from mailtickets.desk.ticket import Audience, Change, Decision, Entry, EntryKind, Outcome, Role
from mailtickets.desk.wish import as_read, own_words
from mailtickets.mail.message import Address, address_key

if TYPE_CHECKING:
    from mailtickets.desk.case import Case
    from mailtickets.desk.facts import TicketFacts
    from mailtickets.desk.policy import Policy, QueuePolicy
    from mailtickets.desk.ticket import Ticket
    from mailtickets.desk.wish import Wish, Work

LIST = "list"  # first word of the entry's reason where the customer was asked; else the address that was


def missing(ticket: Ticket, queue: QueuePolicy, policy: Policy) -> tuple[str, ...]:
    """Return what the desk needs to know of a ticket: the lines of its type, else the queue's."""
    return policy.ask_for(queue, ticket.type)


def obstacle(wish: Wish) -> tuple[str, str] | None:
    """Return why nobody can be asked, and the word at fault; None where somebody can, or nobody is to be."""
    case, ticket, read = wish.case, wish.facts.ticket, wish.read
    if read.asks_customer:
        kind = read.get("type")
        meant = replace(ticket, type=kind.argument) if kind else ticket
        if not missing(meant, case.queue, case.policy):
            return (
                "has no list to send: ask_for is empty for this queue and type. Write what you need",
                "#ask",
            )
        if not ticket.participants:
            return "reaches nobody: nobody's address is known on this ticket", "#ask"
        return None
    address = read.asks_aside
    if not address:
        return None
    word = f"#ask {address}"
    if agent := case.policy.agent_of(address):
        return f"names {agent.name}, who is an agent; #note and #assign reach agents", word
    if case.policy.is_own(address):
        return "names an address of this desk", word
    if ticket.is_participant(address_key(address)):
        return "names somebody who is on this ticket: an ordinary answer reaches them", word
    if not read.text:
        return "asks nothing; write the question below it", word
    return None


def ask_customer(wish: Wish, work: Work) -> None:
    """Send the list of what is missing, below the agent's text if there is one."""
    case, ticket = wish.case, work.ticket
    lines = missing(ticket, case.queue, case.policy)
    people = wish.people if wish.public and wish.people else ticket.participants
    text = wish.read.text if wish.public and wish.people else ""
    to = tuple(person.address for person in people)
    entries = []
    if wish.public:
        why = "" if wish.people else "sent by the agent's own mail"
        said = as_read(wish.agent, wish.read.text)
        entries.append(own_words(case, EntryKind.MAIL_OUT, Audience.CUSTOMER, said, to if text else (), why))
    listed = "\n".join(f"- {line}" for line in lines)
    asked = Entry(
        EntryKind.ASKED, case.now, wish.agent.key, Audience.CUSTOMER, to, text=listed, reason=f"{LIST}: what is missing"
    )  # fmt: skip
    entries.append(asked)
    work.entries[:0] = entries
    work.send(
        saying.to_customers(
            "ask", ticket, people, case.queue, case.policy, wish.facts, occasion=wish.occasion, human=bool(text),
            from_name=f"{wish.agent.name} ({case.policy.desk_name})", incoming=case.incoming if text else None, text=text,
            keyed=not text, values={"agent": wish.agent.name, "ask_for": list(lines), "agreed": work.agreed, "routed": work.routed},
        ),
        entry=entries[0] if text else asked,
    )  # fmt: skip
    work.agreed, work.routed = None, ""
    with_text = "Your text and the" if text else "The"
    work.done.append(f"{with_text} list of what is missing is on its way to {', '.join(to)}")
    work.done.append(f"{ticket.reference} {saying.STATUS_DONE[ticket.status]}")


# -- somebody else --------------------------------------------------------------------------------


def ask_aside(wish: Wish, work: Work) -> None:
    """Send the agent's text to somebody who is neither agent nor customer; the customer gets nothing of it."""
    address, case = wish.read.asks_aside, wish.case
    if not address:
        return
    work.ticket = with_role(work.ticket, address_key(address), "", Role.OUTSIDE)
    said = as_read(wish.agent, wish.read.text)
    entry = own_words(
        case, EntryKind.ASKED, Audience.AGENTS, said, (address,), f"{address_key(address)}: side question"
    )
    work.entries.append(entry)
    work.send(
        Outgoing(
            Notice("side_question", case.queue.language, case.queue.name,
                   {**saying.base_values(work.ticket, case.policy, keyed=False), "text": wish.read.text, "html": "", "agent": wish.agent.name}),
            # The thread key that goes along gives nothing but that answers find the ticket.
            Reader.CUSTOMER, (Recipient(Address(address)),), case.queue.name, work.ticket.number, human=True, occasion=wish.occasion,
            from_name=f"{wish.agent.name} ({case.policy.desk_name})", auto_submitted="", original=case.incoming.digest, relays=True,
        ),
        entry=entry,
    )  # fmt: skip
    work.done.append(
        f"Your question is on its way to {address}; the answer comes as a note, the customer sees neither"
    )


def was_asked(address: str, facts: TicketFacts) -> bool:
    """Tell whether an agent asked this address a side question on the ticket."""
    return bool(address) and any(
        line.kind is EntryKind.ASKED and line.value == address for line in facts.history
    )


def side_answer(case: Case, facts: TicketFacts) -> Decision:
    """File the answer to a side question as a note: agents read it, the customer never does, nothing else changes."""
    ticket = replace(facts.ticket, updated_at=case.now)
    why = "answer to a side question" + ("" if case.standing.proven else ", sender unverified")
    entry = case.mail_in(Audience.AGENTS, EntryKind.NOTE, why)
    told = saying.event_to_agents(
        "side_answer", ticket, case.queue, case.policy, actor=case.sender, occasion=f"in:{case.event.copy}", text=case.incoming.text,
        detail=f"To write back, begin your answer with #ask {case.sender}", incoming=case.incoming,
    )  # fmt: skip
    ids = (case.incoming.message.message_id,) if case.incoming.message.message_id else ()
    change = Change(ticket, (entry,), ids=ids, fresh_key=case.standing.leaked)
    return Decision(case.verdict(Outcome.ON_TICKET, why, ticket.number), (change,), told)
