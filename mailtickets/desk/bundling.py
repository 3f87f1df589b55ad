"""Pure: who would get many mails at once gets one that lists the tickets: escalations after downtime, notices in a flood."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mailtickets.desk import marks
from mailtickets.desk.notices import Notice, Outgoing, Reader, Recipient
from mailtickets.desk.promises import shown_priority
from mailtickets.desk.route import hearers, rightful
from mailtickets.mail.message import Address, address_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from mailtickets.desk.policy import AgentPolicy, Policy
    from mailtickets.desk.ticket import Ticket

APART = 3  # up to so many tickets are told in a mail each, which can be answered
LISTED = 50
SHOWN = ("reference", "subject", "status", "priority", "assignee", "requester", "organisation", "rungs")


def bundled(mail: Iterable[Outgoing]) -> tuple[Outgoing, ...]:
    """Return mails with the escalations to one person as one, where they tell of more than three tickets.

    It is no mail of a ticket: it has no reply key, and gives nobody any rights.
    """
    apart: list[Outgoing] = []
    by_person: dict[str, list[Outgoing]] = {}
    for one in mail:
        if one.notice.kind == "escalation" and one.ticket is not None and len(one.to) == 1:
            by_person.setdefault(address_key(one.to[0].address.address), []).append(one)
        else:
            apart.append(one)
    bundles: list[Outgoing] = []
    for escalations in by_person.values():
        if len({one.ticket for one in escalations}) > APART:
            bundles.append(_bundle(escalations))
        else:
            apart.extend(escalations)
    return (*apart, *bundles)


def _bundle(escalations: Sequence[Outgoing]) -> Outgoing:
    ordered = sorted(escalations, key=_urgency)
    first = ordered[0]
    values = {
        "desk": first.notice.values["desk"], "zone": first.notice.values["zone"],
        "reference": "", "subject": "", "status": "", "key_line": "",
        "count": len(ordered), "more": max(len(ordered) - LISTED, 0),
        "tickets": [{name: one.notice.values[name] for name in SHOWN} for one in ordered[:LISTED]],
        "agent": any(one.reader is Reader.AGENT for one in ordered),
    }  # fmt: skip
    told = "\n".join(sorted(f"{one.ticket} {one.occasion}" for one in ordered))
    return Outgoing(
        Notice("escalations", first.notice.language, first.queue, values), Reader.ADMIN, first.to, first.queue,
        separately=True, occasion=f"escalated:{hashlib.sha256(told.encode()).hexdigest()[:32]}", from_name=first.from_name,
    )  # fmt: skip


def _urgency(escalation: Outgoing) -> tuple[str, float, int]:
    """The highest priority first, then what was due first, then the oldest ticket."""
    values: Any = escalation.notice.values
    due = min((one["at"].timestamp() for one in values["rungs"] if one["at"]), default=float("inf"))
    return values["rank"], due, escalation.ticket or 0


# Notices of which more than a few within ten minutes come as a list. What answers somebody's own mail is none of them.
NOTICES = frozenset({"agent_new", "agent_reply", "agent_reopened", "agent_event", "routed"})
NOTICE_WINDOW = timedelta(minutes=10)
LINES = 100  # in one list; the others are in the next one


@dataclass(frozen=True, slots=True)
class Line:
    """News of one ticket in a list.

    count   of notices that it stands for.
    author, text   of the newest mail that came in; "" where there is none.
    reason  what its entry says of its sender.
    """

    ticket: Ticket
    is_new: bool
    count: int
    author: str
    text: str
    reason: str = ""


def news_list(
    address: str, agent: AgentPolicy | None, lines: Sequence[Line], left: int, policy: Policy, now: datetime
) -> Outgoing | None:
    """Return the list of news for one person; None where none of it is theirs to see any more.

    agent   who they are, where they are an agent; it has no reply key, and gives nobody any rights.
    left    how many tickets the next lists tell of.
    """
    seen = [line for line in lines if _may_see(address, agent, line.ticket, policy)]
    if not seen:
        return None
    queue = policy.queues[seen[0].ticket.queue]
    values = {
        "desk": policy.desk_name, "zone": policy.zone, "reference": "", "subject": "", "status": "", "key_line": "",
        "count": len(seen), "left": left, "agent": agent is not None, "limit": policy.limits.notices_per_agent,
        "tickets": [
            {
                "reference": line.ticket.reference, "subject": line.ticket.subject, "status": line.ticket.status.value,
                "priority": shown_priority(line.ticket, policy), "requester": line.ticket.requester,
                "assignee": policy.agents[line.ticket.assignee].name if line.ticket.assignee in policy.agents else "",
                "is_new": line.is_new, "count": line.count, "author": line.author, "excerpt": " ".join(line.text.split()),
                "write_to": _link(line.ticket, policy) if agent else "",
                "proven": _proven(line), "marks": marks.remarks(line.reason),
            }
            for line in seen
        ],
    }  # fmt: skip
    to = (Recipient(Address(address, agent.name if agent else ""), agent.key if agent else ""),)
    return Outgoing(
        Notice("news", queue.language, queue.name, values), Reader.ADMIN, to, queue.name, separately=True,
        occasion=_occasion(agent, seen, now), from_name=policy.desk_name,
    )  # fmt: skip


def _occasion(agent: AgentPolicy | None, lines: Sequence[Line], now: datetime) -> str:
    """Return under what a list is queued: with what it tells, so that it can be told anew; see `told_by`."""
    tickets = ",".join(f"{line.ticket.number}{'*' if line.is_new else ''}" for line in lines)
    return f"news:{now.isoformat()} {tickets} {agent.key if agent else ''}"


def told_by(occasion: str) -> tuple[str, tuple[tuple[int, bool], ...]]:
    """Return what a list of news tells, by its occasion: for which agent, and of which tickets, each with whether it is new."""
    _, tickets, agent = (*occasion.split(" ", 2), "", "")[:3]
    return agent, tuple((int(one.rstrip("*")), one.endswith("*")) for one in tickets.split(",") if one)


def _proven(line: Line) -> bool:
    """Tell whether the sender of the newest mail is beyond doubt; one of many is from whom opened the ticket."""
    return line.ticket.proven if line.reason.startswith(marks.FILED_HERE) else marks.proven(line.reason)


def _may_see(address: str, agent: AgentPolicy | None, ticket: Ticket, policy: Policy) -> bool:
    """Tell whether a ticket is still this person's to hear of: it may have been moved since."""
    queue = policy.queues.get(ticket.queue)
    if queue is None:
        return False
    if agent is not None:
        return agent.key in rightful(ticket, queue, policy)
    return any(address_key(person.address) == address for person in hearers(ticket, queue, policy).others)


def _link(ticket: Ticket, policy: Policy) -> str:
    """Return a link that begins a mail about a ticket (RFC 6068): its subject tag leads there."""
    subject = quote(f"[{ticket.reference}] {ticket.subject}"[:100])
    return f"mailto:{policy.queues[ticket.queue].address}?subject={subject}"
