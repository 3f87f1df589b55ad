"""Pure: which agents are told now, which in the morning, and who is called where nobody is on duty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mailtickets.desk.calendar import Calendar
    from mailtickets.desk.policy import Policy, QueuePolicy


@dataclass(frozen=True, slots=True)
class Telling:
    """When one agent is told.

    agent        the agent's key.
    not_before   None: at once; else when the agent's hours begin.
    called       told out of turn, as one of the queue's `on_call`.
    """

    agent: str
    not_before: datetime | None = None
    called: bool = False


def when_to_tell(
    agents: Sequence[str], queue: QueuePolicy, policy: Policy, ticket_calendar: Calendar, now: datetime
) -> tuple[Telling, ...]:
    """Return when each agent is told of something, each once, in the order given; who is on call comes last.

    agents            keys of those whom it concerns; nobody means that nobody is called either.
    ticket_calendar   the ticket's own: where it is open, somebody has to know now.

    An agent without hours, or within them, is told at once; another one when they begin. Where not one of them
    is on duty and the ticket's calendar is open, the queue's `on_call` agents are told at once, whatever their hours.
    """
    tellings = {key: Telling(key, _next_duty(key, policy, now)) for key in agents if key in policy.agents}
    nobody_on_duty = bool(tellings) and all(telling.not_before for telling in tellings.values())
    if nobody_on_duty and ticket_calendar.is_open(now):
        for key in queue.on_call:
            if key in policy.agents:
                tellings.pop(key, None)
                tellings[key] = Telling(key, called=True)
    return tuple(tellings.values())


def _next_duty(key: str, policy: Policy, now: datetime) -> datetime | None:
    """Return when an agent's hours begin, None where they hold or there are none."""
    calendar = policy.calendars.get(policy.agents[key].hours)
    return None if calendar is None or calendar.is_open(now) else calendar.next_open(now)
