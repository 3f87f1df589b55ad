"""Pure: an agent's orders about the service: priority, type, agreed date, workaround, labels, escalation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mailtickets.desk import asking, escalating, rerouting, saying
from mailtickets.desk.commands import DATE_SAMPLES
from mailtickets.desk.dates import in_words, read_date
from mailtickets.desk.escalation import highest, ladder
from mailtickets.desk.promises import deadlines, shown_priority
from mailtickets.desk.route import EXPIRED
from mailtickets.desk.service_level import clocks
from mailtickets.desk.terms import terms_of
from mailtickets.desk.ticket import Audience, Entry, EntryKind

if TYPE_CHECKING:
    from datetime import datetime

    from mailtickets.desk.case import Case
    from mailtickets.desk.commands import Read
    from mailtickets.desk.ticket import Ticket
    from mailtickets.desk.wish import Wish, Work

MAX_TAGS = 20
LONG_AGO = timedelta(days=3650)


def obstacle(wish: Wish) -> tuple[str, str] | None:
    """Return why these orders cannot be carried out, and the word at fault; None where they can."""
    case, read, ticket = wish.case, wish.read, wish.facts.ticket
    meant = _as_meant(wish)
    if (due := read.get("due")) and (why := _no_date(case, meant, due.argument)):
        return why, f"#due {due.argument}"
    if read.has("due") and meant.status.is_done and not wish.public and read.status is None:
        return (
            f"comes too late: {ticket.reference} is {ticket.status.value}; add #open to take it up again",
            "#due",
        )
    if read.has("escalate") and highest(ladder(meant, case.policy), meant) is None:
        why = "finds nobody: no rung of the ladder of this ticket can be asked for"
        return f'{why} ([[escalation]] with when = ["request"])', "#escalate"
    if EXPIRED in _tags(read):
        return f'cannot be "{EXPIRED}": the desk itself uses it', "#tag"
    if len({*ticket.tags, *_tags(read)}) > MAX_TAGS:
        return f"makes more than {MAX_TAGS} labels on one ticket", "#tag"
    return asking.obstacle(wish) or rerouting.obstacle(wish, meant)


def _as_meant(wish: Wish) -> Ticket:
    """Return the ticket with the type and priority that the mail asks for: dates and ladder follow from them."""
    ticket, kind = wish.facts.ticket, wish.read.get("type")
    return replace(
        ticket, type=kind.argument if kind else ticket.type, priority=wish.read.priority or ticket.priority
    )


def _tags(read: Read) -> list[str]:
    return [command.argument for command in read.commands if command.name == "tag"]


def _date(case: Case, ticket: Ticket, written: str) -> datetime | None:
    return read_date(written, case.policy.zone, case.now, terms_of(ticket, case.policy).calendar)


def _no_date(case: Case, ticket: Ticket, written: str) -> str:
    if _date(case, ticket, written) is not None:
        return ""
    calendar, zone = terms_of(ticket, case.policy).calendar, case.policy.zone
    once = (case.now - LONG_AGO).astimezone(ZoneInfo(zone)).replace(hour=0, minute=0)
    past = read_date(written, zone, once, calendar)
    why = "has passed" if past and past <= case.now else "is no date that I can read"
    return f"{why}; write {DATE_SAMPLES}"


# -- what is agreed -------------------------------------------------------------------------------


def set_terms(wish: Wish, work: Work) -> None:
    """Set type, priority, agreed date, workaround and labels; every clock follows from their entries by itself."""
    rerouting.set_type(wish, work)
    _set_priority(wish, work)
    _set_due(wish, work)
    _set_workaround(wish, work)
    _set_tags(wish, work)


def _entry(wish: Wish, kind: EntryKind, reason: str) -> Entry:
    return Entry(kind, wish.case.now, wish.agent.key, Audience.AGENTS, reason=reason)


def _set_priority(wish: Wish, work: Work) -> None:
    priority, ticket = wish.read.priority, work.ticket
    if not priority:
        return
    work.ticket = replace(ticket, priority=priority)
    name = shown_priority(work.ticket, wish.case.policy)
    called = priority if name == priority else f"{priority} ({name})"
    if priority == ticket.priority:
        work.done.append(f"{ticket.reference} has priority {called} already")
        return
    work.entries.append(_entry(wish, EntryKind.PRIORITY, f"{priority}: set by {wish.agent.key}"))
    work.done.append(f"{ticket.reference} has priority {called}")


def _set_due(wish: Wish, work: Work) -> None:
    command = wish.read.get("due")
    moment = _date(wish.case, work.ticket, command.argument) if command else None
    if moment is None:
        return
    work.ticket = replace(work.ticket, due_at=moment)
    work.entries.append(_entry(wish, EntryKind.DUE, f"{moment.isoformat()} agreed"))
    work.agreed = moment
    told = "; the customer is told" if work.ticket.participants and not work.ticket.automatic else ""
    when = in_words(moment, wish.case.policy.zone)
    work.done.append(f"{work.ticket.reference} is to be solved by {when}{told}")


def _set_workaround(wish: Wish, work: Work) -> None:
    if not wish.read.has("workaround"):
        return
    case, ticket = wish.case, work.ticket
    read = clocks(ticket, wish.facts.history, terms_of(ticket, case.policy), case.now)
    if read.resolution.interim and ticket.workaround_at:
        when = in_words(ticket.workaround_at, case.policy.zone)
        work.done.append(f"An interim solution of {ticket.reference} is noted already, on {when}")
        return
    work.ticket = replace(ticket, workaround_at=case.now)
    work.entries.append(_entry(wish, EntryKind.WORKAROUND, "given"))
    work.done.append(
        f"{ticket.reference} has an interim solution from now on; it stays open for the real one"
    )


def _set_tags(wish: Wish, work: Work) -> None:
    new = [tag for tag in dict.fromkeys(_tags(wish.read)) if tag not in work.ticket.tags]
    if new:
        work.ticket = replace(work.ticket, tags=(*work.ticket.tags, *new))
        work.entries.append(_entry(wish, EntryKind.TAGGED, f"{' '.join(new)}: by {wish.agent.key}"))
    if wish.read.has("tag"):
        work.done.append(f"{work.ticket.reference} has the labels {', '.join(work.ticket.tags)}")


def say_deadline(wish: Wish, work: Work) -> None:
    """Put what is due next into the receipt: it is why priorities and types are changed."""
    if not (wish.read.priority or wish.read.has("type") or wish.read.has("due")):
        return
    zone = wish.case.policy.zone
    for first in deadlines(work.ticket, work.history(wish.facts), wish.case.policy, wish.case.now)[:1]:
        late = ", which is past" if first["late"] else ""
        work.done.append(f"Due next: {first['what']}, {in_words(first['at'], zone)}{late}")  # type: ignore[arg-type]


def _may_tell(ticket: Ticket) -> bool:
    """Tell whether there is a person to whom the desk may write by itself, and who still waits for something."""
    return bool(ticket.participants) and not ticket.automatic and not ticket.status.is_done


def tell_the_rest(wish: Wish, work: Work) -> None:
    """Tell the customer of an agreed date or another route in a mail of its own, where no text took it along."""
    case, people = wish.case, work.ticket.participants
    if not _may_tell(work.ticket) or not (work.agreed or work.routed):
        return
    work.send(
        saying.to_customers(
            "due" if work.agreed else "rerouted", work.ticket, people, case.queue, case.policy, wish.facts, occasion=wish.occasion,
            human=False, keyed=True, values={"agreed": work.agreed, "routed": work.routed},
        )
    )  # fmt: skip
    work.agreed, work.routed = None, ""


# -- escalation -----------------------------------------------------------------------------------


def escalate(wish: Wish, work: Work) -> None:
    """Take the next rung of the ladder; the receipt says who was told."""
    command, case = wish.read.get("escalate"), wish.case
    if command is None:
        return
    facts = replace(wish.facts, history=work.history(wish.facts))
    entries, mail, people = escalating.asked(
        facts, work.ticket, case.queue, case.policy, case.now, by=wish.agent.key, reason=command.argument
    )
    work.entries.extend(entries)
    work.send(*mail)
    work.done.append(f"Told: {escalating.named(people)}")
