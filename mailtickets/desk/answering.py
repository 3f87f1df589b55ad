"""Pure: what an agent's mail does: it answers the customer, carries commands, or comes back with the reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mailtickets.desk import saying, silence
from mailtickets.desk.case import SILENCE_TIMERS, new_ticket, timers_of
from mailtickets.desk.commands import RULES, Read, read_commands
from mailtickets.desk.ticket import (
    Alarm,
    Audience,
    Change,
    Decision,
    Entry,
    EntryKind,
    Grant,
    Hold,
    HoldKind,
    Outcome,
    Person,
    Role,
    Status,
    Ticket,
    Timer,
    TimerKind,
)
from mailtickets.mail.relay import fit_for_customers

if TYPE_CHECKING:
    from mailtickets.desk.case import Case
    from mailtickets.desk.facts import PublicEntry, TicketFacts
    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.policy import AgentPolicy

HOLD_DAYS = 3
MAX_QUESTIONS_DAY = 20
# A line of a note this long does not stand in an answer by chance.
MIN_NOTE_LINE = 30


def held_for_proof(case: Case) -> Decision:
    """Keep back a mail with an agent's address but without proof; ask the configured address, never the sender."""
    facts, agent = _on_ticket(case)
    until = silence.working_days_after(case.now, HOLD_DAYS)
    hold = Hold(
        HoldKind.IDENTITY,
        case.event.copy,
        facts.ticket.number,
        agent.key,
        case.event.code,
        case.standing.why,
        until,
    )
    alarms: tuple[Alarm, ...] = ()
    if case.facts.holds_today >= 1:
        alarms = (
            Alarm(
                f"agent without proof {agent.key}",
                f"Mail from {agent.name} had to be confirmed again",
                f"The mail carries no proof that {agent.email} sent it ({case.standing.why}).",
                "Set authserv_id in the [mailbox] section to the name your mail server writes into Authentication-Results, "
                "or have the agent answer the notices directly, with the quoted text left in place.",
            ),
        )
    mail: tuple[Outgoing, ...] = ()
    if case.facts.holds_today < MAX_QUESTIONS_DAY:
        mail = (
            saying.question(
                hold, agent, facts.ticket, case.queue, case.policy, case.incoming, case.incoming.text
            ),
        )
    return _keep(case, hold, mail, alarms)


def _keep(case: Case, hold: Hold, mail: tuple[Outgoing, ...], alarms: tuple[Alarm, ...] = ()) -> Decision:
    facts, agent = _on_ticket(case)
    entry = Entry(
        EntryKind.HELD,
        case.now,
        agent.key,
        Audience.DESK,
        reason=hold.why,
        message_id=case.incoming.message.message_id,
    )
    change = Change(
        replace(facts.ticket, updated_at=case.now), (entry,), (Timer(TimerKind.HELD, hold.expires_at, hold.copy),),
        fresh_key=case.standing.leaked,
    )  # fmt: skip
    return Decision(
        case.verdict(Outcome.HELD, hold.why, facts.ticket.number), (change,), mail, hold=hold, alarms=alarms
    )


def _on_ticket(case: Case) -> tuple[TicketFacts, AgentPolicy]:
    facts, agent = case.found.ticket, case.standing.agent
    assert facts is not None  # noqa: S101  (the dispatcher calls with a ticket; for the type checker)
    assert agent is not None  # noqa: S101
    return facts, agent


def answer(case: Case) -> Decision:
    """Carry out a proven agent's mail on its ticket: all of it, or nothing."""
    facts, agent = _on_ticket(case)
    text = case.incoming.text
    is_note = case.event.grant is Grant.NOTE or _went_to_note_address(case)
    read = Read(text=text) if is_note else read_commands(text, case.queue.agents)
    occasion = f"in:{case.event.copy}"
    if case.incoming.truncated:
        size = round(case.incoming.message.size_bytes / 1_000_000, 1)
        limit = case.policy.limits.mail_size_bytes / 1_000_000
        return _returned(
            case, f"Your mail has {size:g} MB; the desk takes {limit:g} MB. Send it without the large files."
        )
    if case.incoming.private_parts and not is_note:
        named = ", ".join(case.incoming.private_parts)
        return _returned(
            case,
            f"The attachment ({named}) holds your private reply key, so nothing was sent. Answer without it.",
        )
    if read.problem:
        why = f"{read.problem.word} {read.problem.why}."
        return _returned(case, why, word=read.problem.word, nearest=read.problem.nearest)
    is_note = is_note or read.has("note")
    if not case.event.grant and read.text and _said_before(case, agent, read.text, is_note=is_note):
        if not read.commands:
            return Decision(
                case.verdict(
                    Outcome.IGNORED,
                    "duplicate: the same text of the same agent within 10 minutes",
                    facts.ticket.number,
                )
            )
        return _returned(
            case, "You sent the same text less than 10 minutes ago. For commands alone, leave the text out."
        )
    sends_files = any(not attachment.inline for attachment in case.incoming.message.attachments)
    public = not is_note and (bool(read.text) or sends_files) and not _only_help(read)
    if not read.commands and not public and not (is_note and read.text):
        return _returned(case, "The mail holds no text of your own: only what it quotes, or a signature.")
    if is_note and not read.text and not sends_files:
        return _returned(case, "The note is empty.", word="#note")
    people = _still_to_reach(case, facts.ticket)
    if public and not facts.ticket.participants:
        return _returned(
            case,
            "Nobody's address is known on this ticket, so there is nobody to send it to. #note keeps it as a note.",
        )
    if public and case.event.grant is not Grant.SEND and (leak := _leak(case, facts, agent, read.text)):
        why, between = leak
        until = silence.working_days_after(case.now, HOLD_DAYS)
        hold = Hold(
            HoldKind.LEAK, case.event.copy, facts.ticket.number, agent.key, case.event.code, why, until
        )
        return _keep(
            case,
            hold,
            (
                saying.question(
                    hold, agent, facts.ticket, case.queue, case.policy, case.incoming, read.text, between
                ),
            ),
        )
    return _carried_out(case, facts, agent, _Wish(read, is_note, public, people, occasion))


@dataclass(frozen=True, slots=True)
class _Wish:
    """What an agent's mail asks for, after every check."""

    read: Read
    is_note: bool
    public: bool
    people: tuple[Person, ...]
    occasion: str


def _carried_out(case: Case, facts: TicketFacts, agent: AgentPolicy, wish: _Wish) -> Decision:
    ticket, read, now = facts.ticket, wish.read, case.now
    entries: list[Entry] = []
    mail: list[Outgoing] = []
    done: list[str] = []
    after = replace(ticket, updated_at=now)
    # Who owns it: the first agent whose answer goes out, or as a command says.
    assigned = read.get("assign")
    owner = assigned.argument if assigned else ""
    owner = owner or (agent.key if read.has("take") or (wish.public and not ticket.assignee) else "")
    taken = bool(owner and owner != ticket.assignee)
    if taken:
        after = replace(after, assignee=owner)
        entries.append(Entry(EntryKind.ASSIGNED, now, agent.key, Audience.AGENTS, reason=owner))
        if read.has("take") or read.has("assign"):
            done.append(f"{ticket.reference} is assigned to {case.policy.agents[owner].name}")
    after, status_words = _new_status(case, after, wish)
    if status_words:
        entries.append(case.status_entry(after.status, status_words))
        if read.status:
            done.append(f"{ticket.reference} {saying.STATUS_DONE[after.status]}")
    if wish.is_note:
        entries.append(_own_words(case, EntryKind.NOTE, Audience.AGENTS, read.text, ()))
        done.append("Your note is filed; the customer gets nothing")
        mail.extend(
            saying.event_to_agents("note", after, case.queue, case.policy, actor=agent.name, occasion=wish.occasion, text=read.text,
                                   but=(agent.key,), everybody=not ticket.assignee)
        )  # fmt: skip
    sent = _mail_to_customer(case, facts, after, agent, wish)
    if sent:
        entries.insert(
            0,
            _own_words(
                case,
                EntryKind.MAIL_OUT,
                Audience.CUSTOMER,
                _as_read(agent, read.text),
                tuple(r.address.address for r in sent.to),
            ),
        )
        mail.insert(0, replace(sent, entry=0))
        if wish.public and read.commands:
            done.append("Your text is on its way to " + ", ".join(r.address.address for r in sent.to))
    elif wish.public:
        entries.insert(
            0,
            _own_words(
                case,
                EntryKind.MAIL_OUT,
                Audience.CUSTOMER,
                _as_read(agent, read.text),
                (),
                reason="sent by the agent's own mail",
            ),
        )
    if taken:
        told = (owner,) if owner != agent.key else ()
        if told:
            mail.extend(
                saying.event_to_agents(
                    "assigned",
                    after,
                    case.queue,
                    case.policy,
                    actor=agent.name,
                    occasion=f"{wish.occasion}:assigned",
                )
            )
        mail.extend(
            saying.event_to_agents("taken", after, case.queue, case.policy, actor=case.policy.agents[owner].name,
                                   occasion=f"{wish.occasion}:taken", but=(agent.key, *told), everybody=True)
        )  # fmt: skip
    if read.has("help"):
        mail.append(help_mail(case, after))
    if done and agent.receipts == "all":
        answers = case.incoming.message.message_id
        mail.append(
            saying.to_agent(
                "receipt",
                agent,
                after,
                case.queue,
                case.policy,
                occasion=wish.occasion,
                answers=answers,
                values={"done": done, "problems": []},
            )
        )
    drop: tuple[TimerKind, ...] = (
        SILENCE_TIMERS if after.cycle != ticket.cycle or after.status is not ticket.status else ()
    )
    if wish.public:
        drop += (TimerKind.ACKNOWLEDGE,)
    if case.standing.leaked:
        entries.append(
            Entry(EntryKind.KEY_REPLACED, now, "desk", Audience.DESK, reason="others had seen the reply key")
        )
    ids = (case.incoming.message.message_id,) if case.incoming.message.message_id else ()
    change = Change(
        after,
        tuple(entries),
        timers_of(after, case.queue, case.policy) if drop else (),
        drop,
        ids=ids,
        fresh_key=case.standing.leaked,
    )
    what = (
        "an agent's note" if wish.is_note else "an agent's answer" if wish.public else "an agent's commands"
    )
    return Decision(case.verdict(Outcome.ON_TICKET, what, ticket.number), (change,), tuple(mail))


def _new_status(case: Case, ticket: Ticket, wish: _Wish) -> tuple[Ticket, str]:
    """Return the ticket in its new status, and why it changed; "" where it did not."""
    asked = wish.read.status
    if asked is None and not wish.public:
        return ticket, ""
    reason = "by command" if asked else "answered"
    status = asked or _after_reply(case.queue.after_reply, wish.read.text)
    if status is Status.WAITING:
        command = wish.read.get("wait")
        return silence.begin_waiting(ticket, case.now, command.wait if command else None), reason
    if status is Status.RESOLVED:
        return silence.begin_resolved(ticket, case.now), reason
    unchanged = status is ticket.status and status is not Status.CLOSED
    return silence.end_silence(ticket, status, case.now), "" if unchanged else reason


def _after_reply(rule: str, text: str) -> Status:
    if rule == "question":
        return Status.WAITING if "?" in text else Status.PENDING
    return Status(rule)


def _mail_to_customer(
    case: Case, facts: TicketFacts, after: Ticket, agent: AgentPolicy, wish: _Wish
) -> Outgoing | None:
    """Return the one mail that the customer gets of this, or None."""
    asked = wish.read.status
    ends = asked in {Status.RESOLVED, Status.CLOSED}
    if not wish.people or wish.is_note or (not wish.public and not ends):
        return None
    if ends and not wish.public and (facts.ticket.automatic or facts.ticket.status is asked):
        return None  # a machine's ticket, or nothing new to say
    incoming = case.incoming if wish.public else None
    kind = {Status.RESOLVED: "resolved", Status.CLOSED: "closed"}.get(asked, "answer") if asked else "answer"
    values: dict[str, object] = {"agent": agent.name}
    if kind == "resolved":
        values["closes_at"] = silence.closes_at(after, silence.rhythm_of(after, case.queue, case.policy))
    elif kind == "closed":
        values |= {"silence": False, "reopen_until": case.now + case.queue.reopen_within}
    else:
        values |= {"closes_at": None, "resolved": False}
    return saying.to_customers(
        kind, after, wish.people, case.queue, case.policy, facts, occasion=wish.occasion, human=wish.public,
        from_name=f"{agent.name} ({case.policy.desk_name})", incoming=incoming, text=wish.read.text, keyed=not wish.public, values=values,
    )  # fmt: skip


def _own_words(
    case: Case, kind: EntryKind, audience: Audience, text: str, to: tuple[str, ...], reason: str = ""
) -> Entry:
    message = case.incoming.message
    return Entry(
        kind,
        case.now,
        case.actor,
        audience,
        to=to,
        subject=message.subject[:250],
        text=text,
        message_id=message.message_id,
        reason=reason,
    )


def _still_to_reach(case: Case, ticket: Ticket) -> tuple[Person, ...]:
    """Return the participants whom the agent's own mail did not already reach."""
    reached = {address.key for address in (*case.incoming.message.to, *case.incoming.message.cc)}
    return tuple(person for person in ticket.participants if person.address not in reached)


def _as_read(agent: AgentPolicy, text: str) -> str:
    """Return an agent's words as customers read them: the history and the reminders quote them to customers."""
    return fit_for_customers(text, (agent.email, *agent.aliases))


def _said_before(case: Case, agent: AgentPolicy, text: str, *, is_note: bool) -> bool:
    kind, words = (EntryKind.NOTE, text) if is_note else (EntryKind.MAIL_OUT, _as_read(agent, text))
    return any(said.kind is kind and said.text == words for said in case.facts.said)


def _went_to_note_address(case: Case) -> bool:
    message = case.incoming.message
    addresses = (*(a.address for a in (*message.to, *message.cc)), *message.delivered_to)
    queues = case.policy.queues.values()
    return any(queue.is_note_address(address) for queue in queues for address in addresses)


def _only_help(read: Read) -> bool:
    return bool(read.commands) and all(command.name == "help" for command in read.commands)


def _leak(
    case: Case, facts: TicketFacts, agent: AgentPolicy, text: str
) -> tuple[str, tuple[PublicEntry, ...]] | None:
    """Return why an answer must be confirmed first, and what came between; None where nothing speaks against it."""
    lines = {line.strip() for line in text.split("\n")}
    for note in facts.notes:
        if any(len(line.strip()) >= MIN_NOTE_LINE and line.strip() in lines for line in note.split("\n")):
            return "It holds a line of a note, which is for agents only.", ()
    if case.found.seen is None:
        return None
    newer = tuple(
        entry for entry in facts.public
        if entry.seq > case.found.seen and entry.actor != agent.key and case.now - entry.at < case.queue.collision_window
    )  # fmt: skip
    if newer:
        return f"It answers an older mail: {newer[-1].actor} wrote after it.", newer
    return None


def answers_nothing(case: Case) -> Decision:
    """Return an agent's mail that confirms what does not wait any more."""
    why = (
        "The question in its subject was answered before, or is too old: nothing waits for this confirmation."
    )
    if case.found.ticket is not None:
        return _returned(case, why)
    agent = case.standing.agent
    assert agent is not None  # noqa: S101
    mail = saying.not_sent(
        agent, None, case.queue, case.policy, why=why, text=case.incoming.text, occasion=f"in:{case.event.copy}",
        answers=case.incoming.message.message_id,
    )  # fmt: skip
    return Decision(case.verdict(Outcome.IGNORED, f"returned to the agent: {why}"), mail=(mail,))


def _returned(case: Case, why: str, *, word: str = "", nearest: str = "") -> Decision:
    """Send an agent's mail back with the reason; nothing else happens."""
    facts, agent = _on_ticket(case)
    entry = Entry(EntryKind.RETURNED, case.now, agent.key, Audience.DESK, reason=why)
    mail = saying.not_sent(
        agent, facts.ticket, case.queue, case.policy, why=why, text=case.incoming.text, occasion=f"in:{case.event.copy}", word=word,
        nearest=nearest, answers=case.incoming.message.message_id,
    )  # fmt: skip
    change = Change(replace(facts.ticket, updated_at=case.now), (entry,), fresh_key=case.standing.leaked)
    return Decision(
        case.verdict(Outcome.ON_TICKET, f"returned to the agent: {why}", facts.ticket.number),
        (change,),
        (mail,),
    )


def help_mail(case: Case, ticket: Ticket | None) -> Outgoing:
    """Return the list of commands, to the agent's configured address."""
    agent = case.standing.agent
    assert agent is not None  # noqa: S101  (only agents ask; for the type checker)
    commands = [{"name": f"#{rule.name}", "does": rule.does} for rule in RULES.values()]
    return saying.to_agent(
        "help", agent, ticket, case.queue, case.policy, occasion=f"help:{case.event.copy}",
        answers=case.incoming.message.message_id, values={"commands": commands},
    )  # fmt: skip


def without_ticket(case: Case) -> Decision | None:
    """Answer an agent's command in a mail of its own; None where the mail holds none and opens a ticket.

    Needs no proof: whatever is answered goes to the configured address only.
    """
    agent = case.standing.agent
    assert agent is not None  # noqa: S101
    text = case.incoming.text
    first = next((line.strip() for line in text.split("\n") if line.strip()), "")
    if not first.startswith(("#", "\uff03")) or first.startswith("##"):
        return None
    read = read_commands(text, case.queue.agents)
    if read.problem is None and _only_help(read):
        return Decision(
            case.verdict(Outcome.IGNORED, "an agent asked for help; answered"), mail=(help_mail(case, None),)
        )
    problem = read.problem
    why = (
        f"{problem.word} {problem.why}."
        if problem
        else "The mail belongs to no ticket: answer the notice of a ticket to use commands."
    )
    mail = saying.not_sent(
        agent, None, case.queue, case.policy, why=why, text=text, occasion=f"in:{case.event.copy}",
        word=problem.word if problem else first[:80], nearest=problem.nearest if problem else "", answers=case.incoming.message.message_id,
    )  # fmt: skip
    return Decision(case.verdict(Outcome.IGNORED, f"returned to the agent: {why}"), mail=(mail,))


def already_sent(case: Case) -> Decision | None:
    """File a proven agent's own mail to a customer, with the queue in copy, as an answer that is sent already."""
    agent = case.standing.agent
    assert agent is not None  # noqa: S101
    message = case.incoming.message
    customers = [
        a
        for a in (*message.to, *message.cc)
        if not case.policy.is_own(a.address) and not case.policy.agent_of(a.address)
    ]
    if not customers or not case.standing.proven:
        return None
    requester = Person(customers[0].key, customers[0].name, Role.REQUESTER)
    ticket = replace(new_ticket(case, requester), assignee=agent.key)
    ticket = silence.begin_waiting(replace(ticket, cycle=0), case.now)
    entry = _own_words(
        case,
        EntryKind.MAIL_OUT,
        Audience.CUSTOMER,
        _as_read(agent, case.incoming.text),
        tuple(a.address for a in customers),
        "sent by the agent's own mail",
    )
    change = Change(
        ticket,
        (entry,),
        timers_of(ticket, case.queue, case.policy),
        is_new=True,
        ids=(message.message_id,) if message.message_id else (),
    )
    return Decision(
        case.verdict(Outcome.ON_TICKET, "an agent's own mail to a customer, filed", ticket.number), (change,)
    )
