"""Pure: which service level, calendar and targets hold for a ticket, and what its priorities are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from mailtickets.desk.agreement import PRIORITIES, Targets, TicketType
from mailtickets.desk.calendar import ALWAYS
from mailtickets.desk.ticket import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailtickets.desk.agreement import ServiceLevel
    from mailtickets.desk.calendar import Calendar
    from mailtickets.desk.policy import Policy
    from mailtickets.desk.ticket import Ticket

FALLBACK_PRIORITY = "P3"
NO_TARGETS = Targets()

Named = TypeVar("Named")


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed for one ticket.

    level             None = no service level: the clocks are read, and nothing is promised.
    calendar          on which working time is counted.
    resolution_ends   the status that ends the resolution clock; `closed` ends it in any case.
    runs              False: no clock runs (an enhancement).
    """

    level: ServiceLevel | None
    calendar: Calendar
    type: TicketType
    resolution_ends: Status = Status.RESOLVED
    runs: bool = True

    def targets(self, priority: str) -> Targets:
        """Return what is promised: the type's own targets, else those of the level for this priority."""
        if not self.runs:
            return NO_TARGETS
        if self.type.targets is not None:
            return self.type.targets
        return NO_TARGETS if self.level is None else self.level.targets.get(priority, NO_TARGETS)


def terms_of(ticket: Ticket, policy: Policy) -> Terms:
    """Return the terms of a ticket as it stands now.

    The level is its type's own, else the one that a rule set, else its organisation's, else its
    queue's. The calendar is its organisation's, else the level's, else its queue's, else 24/7.
    A name that the configuration no longer has counts as not given.
    """
    kind = policy.types.get(ticket.type) or TicketType(ticket.type)
    organisation = policy.organisations.get(ticket.organisation)
    queue = policy.queues.get(ticket.queue)
    level = _first(
        policy.service_levels,
        kind.service_level,
        ticket.service_level,
        organisation.service_level if organisation else "",
        queue.service_level if queue else "",
    )
    calendar = _first(
        policy.calendars,
        organisation.calendar if organisation else "",
        level.calendar if level else "",
        queue.calendar if queue else "",
    )
    ends = Status.CLOSED if level and level.resolution_ends == Status.CLOSED else Status.RESOLVED
    return Terms(level, calendar or ALWAYS, kind, ends, kind.clock)


def _first(known: Mapping[str, Named], *names: str) -> Named | None:
    """Return what the first known name stands for."""
    return next((found for name in names if name and (found := known.get(name))), None)


def default_priority(level: ServiceLevel | None) -> str:
    """Return the priority of a ticket of which nobody said how urgent it is."""
    return level.default_priority if level else FALLBACK_PRIORITY


def priority_name(priority: str, level: ServiceLevel | None) -> str:
    """Return a priority in the desk's own word, such as "Urgent" for P1."""
    return (level.names.get(priority) if level else None) or priority


def priority_of_word(word: str, level: ServiceLevel | None) -> str | None:
    """Return the priority that a word means: "p1", or the desk's own "urgent"; None for any other word."""
    wanted = " ".join(word.split()).casefold()
    for priority in PRIORITIES:
        if wanted in {priority.casefold(), priority_name(priority, level).casefold()}:
            return priority
    return None
