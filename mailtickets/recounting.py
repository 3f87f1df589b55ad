"""What changed rules mean for tickets that are open: their timers and figures, some at a time between mails.

Every timer is checked again when it fires, so a ticket whose turn has not come yet does nothing wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.desk import silence
from mailtickets.desk.keeping import counted
from mailtickets.desk.ticket import Timer, TimerKind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mailtickets.desk.facts import HistoryLine
    from mailtickets.desk.policy import Policy
    from mailtickets.desk.ticket import Ticket
    from mailtickets.store import Store

AT_ONCE = 100  # tickets; a mail that comes in meanwhile waits for some hundredths of a second
LISTED = 200  # timers that moved are named in the log up to this many, then counted


class Recount:
    """Goes through all unfinished tickets once, under the rules it was made for."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store, self._policy = store, policy
        self._after = 0
        self.counted = self.moved = 0

    def step(self, now: datetime) -> bool:
        """Count the next tickets again, in one transaction; return whether more are left."""
        tickets = self._store.tickets.unfinished(self._after, AT_ONCE)
        if not tickets:
            maillog.note("recounted", tickets=self.counted, timers_moved=self.moved)
            return False
        with self._store.transaction():
            timers = self._store.tickets.timers_of([ticket.number for ticket, _ in tickets])
            for ticket, history in tickets:
                self._one(ticket, history, timers.get(ticket.number, ()), now)
        self._after = tickets[-1][0].number
        self.counted += len(tickets)
        return True

    def _one(
        self, ticket: Ticket, history: tuple[HistoryLine, ...], timers: Iterable[Timer], now: datetime
    ) -> None:
        policy = self._policy
        queue = policy.queues.get(ticket.queue)
        if queue is None:
            return
        there = {timer.kind: timer for timer in timers}
        figures, after = counted(ticket, history, policy, now)
        self._store.measures.put(ticket, figures)
        for kind in (TimerKind.SILENCE, TimerKind.RESOLVED):
            if timer := there.get(kind):
                due = silence.recomputed_due(ticket, silence.rhythm_of(ticket, queue, policy), timer.due, now)
                self._move(ticket, timer, Timer(kind, due, timer.cycle))
        before = there.get(TimerKind.CLOCK)
        if after is not None:
            self._move(ticket, before, after)
        elif before is not None:
            self._store.tickets.drop_timer(ticket.number, TimerKind.CLOCK, before.cycle)

    def _move(self, ticket: Ticket, before: Timer | None, after: Timer) -> None:
        if before is not None and before.due == after.due:
            return
        self._store.tickets.set_timer(ticket.number, after)
        self.moved += 1
        if self.moved <= LISTED and before is not None:
            maillog.note(
                "timer moved",
                ticket=ticket.reference,
                before=before.due.isoformat(),
                after=after.due.isoformat(),
            )
