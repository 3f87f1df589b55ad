"""Pure: commands that only answer: #clock, #next, #stats and #help. They change nothing, and one agent reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mailtickets.desk import saying
from mailtickets.desk.clock_story import story
from mailtickets.desk.clock_words import in_words, when
from mailtickets.desk.command_rules import PRIORITY_COMMANDS, RULES
from mailtickets.desk.commands import priority_words
from mailtickets.desk.returning import returned_without_ticket
from mailtickets.desk.route import regulars
from mailtickets.desk.terms import terms_of
from mailtickets.desk.ticket import Decision, Outcome, Ticket
from mailtickets.desk.upcoming import upcoming

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailtickets.desk.case import Case
    from mailtickets.desk.commands import Command, Read
    from mailtickets.desk.facts import HistoryLine, TicketFacts
    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.wish import Wish, Work

ABOUT_TICKETS = frozenset({"clock", "next"})


def obstacle(wish: Wish) -> tuple[str, str] | None:
    """Return why something cannot be shown, and the word at fault; None where it can."""
    for command in wish.read.commands:
        if command.name in ABOUT_TICKETS and _shown_ticket(wish.case, command, wish.facts) is None:
            return "names no ticket of yours", f"#{command.name} {command.argument}"
    return None


def answer(wish: Wish, work: Work) -> tuple[Outgoing, ...]:
    """Send the agent what was asked for as one mail; return it instead where figures have to be put in first."""
    case, read = wish.case, wish.read
    if read.has("help"):
        work.send(help_mail(case, work.ticket))
    sections = []
    for command in read.commands:
        if command.name not in ABOUT_TICKETS:
            continue
        facts = _shown_ticket(case, command, wish.facts)
        if facts is None or facts is wish.facts:
            sections.append(_section(command.name, work.ticket, work.history(wish.facts), case))
        else:
            sections.append(_section(command.name, facts.ticket, facts.history, case))
    if not sections and not read.has("stats"):
        return ()
    mail = _shown(case, work.ticket, sections)
    if read.has("stats"):
        return (mail,)
    work.send(mail)
    return ()


def answer_alone(case: Case, read: Read) -> Decision:
    """Answer an agent's reading commands in a mail of its own; tickets have to be named there."""
    asked = " ".join(f"#{command.name}" for command in read.commands)
    verdict = case.verdict(Outcome.IGNORED, f"an agent asked {asked}; answered")
    if read.has("help"):
        return Decision(verdict, mail=(help_mail(case, None),))
    sections, tickets = [], []
    for command in read.commands:
        if command.name not in ABOUT_TICKETS:
            continue
        word = f"#{command.name} {command.argument}".strip()
        facts = _shown_ticket(case, command, None)
        if facts is None:
            why = "names no ticket of yours." if command.argument else "names no ticket."
            return returned_without_ticket(
                case, f"{word} {why}", word=word, nearest=f"#{command.name} {case.queue.tag}-1042"
            )
        tickets.append(facts.ticket)
        sections.append(_section(command.name, facts.ticket, facts.history, case))
    about = tickets[0] if len({ticket.number for ticket in tickets}) == 1 else None
    # Without further proof: no key goes out with it.
    mail = _shown(case, about, sections, keyed=False)
    if read.has("stats"):
        return Decision(verdict, wants_stats=(mail,))
    return Decision(verdict, mail=(mail,))


def _shown_ticket(case: Case, command: Command, own: TicketFacts | None) -> TicketFacts | None:
    """Return the ticket that a command is about: the one that it names, if it is the agent's to see, or its mail's own."""
    if not command.argument:
        return own
    tag, _, number = command.argument.partition("-")
    facts = case.facts.ticket(int(number))
    agent = case.standing.agent
    if facts is None or facts.ticket.tag != tag or agent is None:
        return None
    queue = case.policy.queues.get(facts.ticket.queue)
    return facts if queue and agent.key in regulars(facts.ticket, queue, case.policy) else None


def _section(name: str, ticket: Ticket, history: Sequence[HistoryLine], case: Case) -> dict[str, object]:
    """Return one part of the mail: a title, and lines with a time each."""
    policy, now, zone = case.policy, case.now, ZoneInfo(case.policy.zone)
    if name == "clock":
        steps = story(ticket, history, terms_of(ticket, policy), now)
        lines = [{"at": when(step.at, zone), "what": in_words(step, zone)} for step in steps]
        return {"title": f"{ticket.reference}: its clocks", "lines": lines, "text": ""}
    coming = upcoming(ticket, history, policy, now, bounced=case.facts.bounced)
    lines = [{"at": when(one.at, zone), "what": one.what} for one in coming]
    nothing = "" if lines else "Nothing goes out by itself: the ticket waits for a person."
    return {"title": f"{ticket.reference}: what comes by itself", "lines": lines, "text": nothing}


def _shown(
    case: Case, ticket: Ticket | None, sections: Sequence[dict[str, object]], *, keyed: bool = True
) -> Outgoing:
    agent = case.standing.agent
    assert agent is not None  # noqa: S101  (only agents ask; for the type checker)
    return saying.to_agent(
        "shown", agent, ticket, case.queue, case.policy, occasion=f"in:{case.event.copy}",
        answers=case.incoming.message.message_id, values={"sections": list(sections)}, keyed=keyed,
    )  # fmt: skip


# -- help -----------------------------------------------------------------------------------------


def help_mail(case: Case, ticket: Ticket | None) -> Outgoing:
    """Return the list of commands, to the agent's configured address."""
    agent = case.standing.agent
    assert agent is not None  # noqa: S101
    return saying.to_agent(
        "help", agent, ticket, case.queue, case.policy, occasion=f"help:{case.event.copy}",
        answers=case.incoming.message.message_id, values={"commands": list(_listed(case, ticket))},
    )  # fmt: skip


def _listed(case: Case, ticket: Ticket | None) -> Iterator[dict[str, str]]:
    policy = case.policy
    level = terms_of(ticket, policy).level if ticket else policy.service_levels.get(case.queue.service_level)
    own = [word for word in priority_words(level) if word not in PRIORITY_COMMANDS]
    for rule in RULES.values():
        if not rule.usage:
            continue
        does = rule.does
        if rule.name == "p1" and own:
            does += f"; here also {', '.join(f'#{word}' for word in own)}"
        if rule.name == "type":
            does += f": {', '.join(policy.types)}"
        yield {"name": rule.usage, "does": does}
