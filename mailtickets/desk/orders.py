"""Pure: an agent's mail is carried out: who owns the ticket, its status, the one mail to the customer, the receipt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk import asking, reading_commands, rerouting, saying, service_orders, silence
from mailtickets.desk.calendar import ALWAYS
from mailtickets.desk.case import SILENCE_TIMERS, is_stranger, timers_of
from mailtickets.desk.facts import AckCounts
from mailtickets.desk.limits import past_limit
from mailtickets.desk.ticket import (
    Audience,
    Change,
    Decision,
    Entry,
    EntryKind,
    Outcome,
    PersonChange,
    Status,
    Ticket,
    TimerKind,
)
from mailtickets.desk.wish import Wish, Work, as_read, own_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailtickets.desk.notices import Outgoing


def carried_out(wish: Wish) -> Decision:
    """Do everything that an agent's mail asks for."""
    case, facts, read, agent = wish.case, wish.facts, wish.read, wish.agent
    before = facts.ticket
    work = Work(before if read.only_reads else replace(before, updated_at=case.now))
    service_orders.set_terms(wish, work)
    owner = _new_owner(wish, work)
    _set_status(wish, work)
    if wish.is_note:
        _note(wish, work)
    _tell_customer(wish, work)
    marked = _tell_of_marks(wish, work)
    service_orders.say_deadline(wish, work)
    asking.ask_aside(wish, work)
    service_orders.escalate(wish, work)
    _tell_owners(wish, work, owner)
    rerouting.tell_new_people(wish, work)
    stats = reading_commands.answer(wish, work)
    if work.done and (agent.receipts == "all" or marked):
        work.send(
            saying.to_agent(
                "receipt", agent, work.ticket, case.queue, case.policy, occasion=wish.occasion,
                answers=case.incoming.message.message_id, values={"done": work.done, "problems": []},
            )
        )  # fmt: skip
    if case.standing.leaked:
        why = "others had seen the reply key"
        work.entries.append(Entry(EntryKind.KEY_REPLACED, case.now, "desk", Audience.DESK, reason=why))
    verdict = case.verdict(Outcome.ON_TICKET, _what(wish), before.number)
    # Whom a person of the desk answers is no invention of somebody else's.
    known = (PersonChange(before.requester, wrote=True),) if wish.public and before.requester else ()
    return Decision(
        verdict, (_change(wish, work),), work.mail(), known, acknowledged=work.counted, wants_stats=stats
    )


def _what(wish: Wish) -> str:
    if wish.is_note:
        return "an agent's note"
    if wish.read.asks_aside:
        return "an agent's side question"
    return "an agent's answer" if wish.public else "an agent's commands"


def _change(wish: Wish, work: Work) -> Change:
    """Return what is written; the silence's timers are set anew where status, type or a new silence changed them."""
    case, before, after = wish.case, wish.facts.ticket, work.ticket
    moved = (after.cycle, after.status, after.type) != (before.cycle, before.status, before.type)
    drop: tuple[TimerKind, ...] = SILENCE_TIMERS if moved else ()
    if wish.public or wish.read.asks_customer:
        drop += (TimerKind.ACKNOWLEDGE,)
    message_id = case.incoming.message.message_id
    return Change(
        after,
        tuple(work.entries),
        timers_of(after, case.queue, case.policy) if drop else (),
        drop,
        ids=(message_id,) if message_id else (),
        fresh_key=case.standing.leaked,
    )


# -- who owns it ----------------------------------------------------------------------------------


def _new_owner(wish: Wish, work: Work) -> str:
    """Give the ticket to whom a command names, or to the first whose answer goes out; "" where nothing changes."""
    case, read, agent, ticket = wish.case, wish.read, wish.agent, work.ticket
    assigned = read.get("assign")
    owner = assigned.argument if assigned else agent.key if read.has("take") else ""
    if not owner and wish.public and not ticket.assignee and rerouting.may_own(wish, ticket, agent.key):
        owner = agent.key
    if not owner or owner == wish.facts.ticket.assignee:
        return ""
    work.ticket = replace(ticket, assignee=owner)
    work.entries.append(Entry(EntryKind.ASSIGNED, case.now, agent.key, Audience.AGENTS, reason=owner))
    if read.has("take") or assigned:
        work.done.append(f"{ticket.reference} is assigned to {case.policy.agents[owner].name}")
    return owner


def _tell_owners(wish: Wish, work: Work, owner: str) -> None:
    """Tell the new owner, and the others who it is."""
    if not owner:
        return
    case, agent = wish.case, wish.agent
    told = (owner,) if owner != agent.key else ()
    if told:
        occasion = f"{wish.occasion}:assigned"
        work.send(*saying.event_to_agents("assigned", work.ticket, case.queue, case.policy, actor=agent.name, occasion=occasion))  # fmt: skip
    work.send(
        *saying.event_to_agents("taken", work.ticket, case.queue, case.policy, actor=case.policy.agents[owner].name,
                                occasion=f"{wish.occasion}:taken", but=(agent.key, *told), everybody=True)
    )  # fmt: skip


# -- status ---------------------------------------------------------------------------------------


def _set_status(wish: Wish, work: Work) -> None:
    case = wish.case
    after, why = _new_status(wish, work.ticket)
    work.ticket = after
    if why:
        work.entries.append(case.status_entry(after.status, why))
        if wish.read.status:
            work.done.append(f"{after.reference} {saying.STATUS_DONE[after.status]}")


def _new_status(wish: Wish, ticket: Ticket) -> tuple[Ticket, str]:
    """Return the ticket in its new status, and why it changed; "" where it did not."""
    case, asked = wish.case, wish.read.status
    if wish.read.asks_customer:
        asked = Status.WAITING
    if asked is None and not wish.public:
        return ticket, ""
    reason = "by command" if asked else "answered"
    status = asked or _after_reply(case.queue.after_reply, wish.read.text)
    if status is Status.WAITING:
        command = wish.read.get("wait")
        wait = command.wait if command else None
        calendar = case.policy.calendars.get(case.queue.calendar, ALWAYS)
        return silence.begin_waiting(
            ticket, case.now, calendar.after(case.now, wait) - case.now if wait else None
        ), reason
    if status is Status.RESOLVED:
        return silence.begin_resolved(ticket, case.now), reason
    unchanged = status is ticket.status and status is not Status.CLOSED
    return silence.end_silence(ticket, status, case.now), "" if unchanged else reason


def _after_reply(rule: str, text: str) -> Status:
    if rule == "question":
        return Status.WAITING if "?" in text else Status.PENDING
    return Status(rule)


# -- the text -------------------------------------------------------------------------------------


def _note(wish: Wish, work: Work) -> None:
    case = wish.case
    work.entries.append(own_words(case, EntryKind.NOTE, Audience.AGENTS, wish.read.text, ()))
    work.done.append("Your note is filed; the customer gets nothing")
    work.send(
        *saying.event_to_agents("note", work.ticket, case.queue, case.policy, actor=wish.agent.name, occasion=wish.occasion,
                                text=wish.read.text, but=(wish.agent.key,), everybody=not wish.facts.ticket.assignee)
    )  # fmt: skip


def _tell_customer(wish: Wish, work: Work) -> None:
    """Send the customer the one mail that there is to send: the agent's text, and what the desk adds to it."""
    case, read = wish.case, wish.read
    if read.asks_customer:
        asking.ask_customer(wish, work)
    elif sent := _answer(wish, work):
        to = tuple(recipient.address.address for recipient in sent.to)
        entry = own_words(case, EntryKind.MAIL_OUT, Audience.CUSTOMER, as_read(wish.agent, read.text), to)
        work.entries.insert(0, entry)
        work.send(sent, entry=entry)
        if wish.public and read.commands:
            work.done.append(f"Your text is on its way to {', '.join(to)}")
    elif wish.public:
        why = "sent by the agent's own mail"
        entry = own_words(
            case, EntryKind.MAIL_OUT, Audience.CUSTOMER, as_read(wish.agent, read.text), (), why
        )
        work.entries.insert(0, entry)
    service_orders.tell_the_rest(wish, work)


def _tell_of_marks(wish: Wish, work: Work) -> bool:
    """Tell the agent whose mail comes back: own words are tried all the same, what the desk says by itself is not."""
    bounced, told = wish.case.facts.bounced, dict(work.reaches_customers)
    for address, human in told.items():
        if why := bounced.get(address):
            tried = "your text is sent there all the same" if human else "nothing was sent there"
            work.done.append(f"Automatic mail to {address} is stopped ({why.rstrip('.')}): {tried}")
    return any(address in bounced for address in told)


def _answer(wish: Wish, work: Work) -> Outgoing | None:
    """Return the mail with the agent's text, or the one that tells of an end; None where there is neither."""
    case, asked = wish.case, wish.read.status
    ends = asked in {Status.RESOLVED, Status.CLOSED}
    if not wish.people or wish.is_note or (not wish.public and not ends):
        return None
    before = wish.facts.ticket
    if ends and not wish.public and (before.automatic or before.status is asked):
        return None  # a machine's ticket, or nothing new to say
    if ends and not wish.public:
        if why := _not_to_strangers(wish):
            work.done.append(f"Nobody was told: {why}. A text below the command is sent in any case")
            return None
        if _is_stranger(wish):
            work.counted = (before.requester, before.proven, False)
    kind = {Status.RESOLVED: "resolved", Status.CLOSED: "closed"}.get(asked, "answer") if asked else "answer"
    return saying.to_customers(
        kind, work.ticket, wish.people, case.queue, case.policy, wish.facts, occasion=wish.occasion, human=wish.public,
        from_name=f"{wish.agent.name} ({case.policy.desk_name})", incoming=case.incoming if wish.public else None,
        text=wish.read.text, keyed=not wish.public, values={**_values(kind, wish, work), **_without_words(wish)},
    )  # fmt: skip


def _is_stranger(wish: Wish) -> bool:
    """Tell whether nobody knows that the requester wrote at all; see `case.is_stranger`."""
    own = wish.case.policy.agent_of(wish.facts.ticket.requester) is not None
    return not own and is_stranger(wish.facts, wish.case.facts)


def _without_words(wish: Wish) -> Mapping[str, object]:
    """Return what takes the requester's words out of a mail to somebody who perhaps did not write them."""
    return {"subject": ""} if not wish.public and _is_stranger(wish) else {}


def _not_to_strangers(wish: Wish) -> str:
    """Return why the end of a ticket is not told to a requester whom somebody else may have named; "" where it is.

    After a flood in other people's names an agent ends a thousand tickets: that must not become a thousand mails.
    """
    if not _is_stranger(wish):
        return ""
    ticket, limits = wish.facts.ticket, wish.case.policy.limits
    if not wish.facts.acknowledged:
        return f"{ticket.requester} is not proven to have written, and was not acknowledged"
    counts = wish.case.facts.requester_acks.get(ticket.number, AckCounts())
    return past_limit(ticket.requester, counts, limits, proven=False, known=False)


def _values(kind: str, wish: Wish, work: Work) -> Mapping[str, object]:
    """Return what the template of the customer's mail shows besides the text."""
    case = wish.case
    if kind == "resolved":
        rhythm = silence.rhythm_of(work.ticket, case.queue, case.policy)
        return {"agent": wish.agent.name, "closes_at": silence.closes_at(work.ticket, rhythm)}
    if kind == "closed":
        until = case.now + case.queue.reopen_within
        return {"agent": wish.agent.name, "silence": False, "reopen_until": until}
    agreed, routed = work.agreed, work.routed
    work.agreed, work.routed = None, ""
    return {
        "agent": wish.agent.name,
        "closes_at": None,
        "resolved": False,
        "agreed": agreed,
        "routed": routed,
    }
