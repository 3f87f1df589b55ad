"""Pure: who would get many escalations at once, such as after downtime, gets one mail that lists the tickets."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from mailtickets.desk.notices import Notice, Outgoing, Reader
from mailtickets.mail.message import address_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
