"""What changed rules mean for tickets that are open: their timers and figures, some at a time between mails.

Every timer is checked again when it fires, so a ticket whose turn has not come yet does nothing wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.desk import silence
from mailtickets.desk.escalation import due, ladder
from mailtickets.desk.facts import lines_of
from mailtickets.desk.keeping import counted, fired
from mailtickets.desk.service_level import settled
from mailtickets.desk.terms import terms_of
from mailtickets.desk.ticket import Audience, Entry, EntryKind, Timer, TimerKind
from mailtickets.store import store_trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from mailtickets.desk.facts import HistoryLine
    from mailtickets.desk.policy import Policy
    from mailtickets.desk.ticket import Ticket
    from mailtickets.recording import Recorder
    from mailtickets.store import Store

COUNTED_UNDER = "counted_under"
AT_ONCE = 100  # tickets; a mail that comes in meanwhile waits for some hundredths of a second
PASSED = "its moment had passed when the rules changed; nobody was told"
LISTED = 200  # timers that moved are named in the log up to this many, then counted


class Recount:
    """Goes through all unfinished tickets once, under the rules it was made for.

    closed   also through the closed ones: a store of an earlier version counted none of its tickets.
    """

    def __init__(self, store: Store, policy: Policy, *, closed: bool = False) -> None:
        self._store, self._policy, self._closed = store, policy, closed
        self._after = 0
        self.counted = self.moved = 0

    def step(self, now: datetime) -> bool:
        """Count the next tickets again, in one transaction; return whether more are left."""
        tickets = self._store.tickets.next_after(self._after, AT_ONCE, closed=self._closed)
        if not tickets:
            if self.counted:
                maillog.note("recounted", tickets=self.counted, timers_moved=self.moved)
            return False
        with self._store.transaction():
            timers = self._store.tickets.timers_of([ticket.number for ticket, _ in tickets])
            for ticket, history in tickets:
                try:
                    with self._store.savepoint():
                        self._one(ticket, history, timers.get(ticket.number, ()), now)
                except Exception as error:
                    if store_trouble(error):
                        raise
                    maillog.broken(f"{ticket.reference} cannot be counted again; the others are", None, error)
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
        if before is None or before.due > now:
            after = self._pass_over(ticket, history, now) or after
        if after is not None:
            self._move(ticket, before, after)
        elif before is not None:
            self._store.tickets.drop_timer(ticket.number, TimerKind.CLOCK, before.cycle)

    def _pass_over(self, ticket: Ticket, history: tuple[HistoryLine, ...], now: datetime) -> Timer | None:
        """Note rungs whose moment is past under the new rules and was not under the old: nobody is told after the fact.

        Returns the timer of the next rung, or None where nothing was passed over.
        """
        terms, rungs = terms_of(ticket, self._policy), ladder(ticket, self._policy)
        past: tuple[Entry, ...] = ()
        while rungs:
            lines = (*history, *lines_of(past))
            read, _ = settled(ticket, lines, terms)
            firings = due(read, rungs, fired(lines), ticket, terms, now, at_any_hour=True)
            if not firings:
                break
            past += tuple(
                Entry(
                    EntryKind.ESCALATED,
                    now,
                    "desk",
                    Audience.DESK,
                    reason=f"{one.key} {one.rung.name}: {PASSED}",
                )
                for one in firings
            )
        for entry in past:
            self._store.tickets.note(ticket.number, entry)
        return counted(ticket, (*history, *lines_of(past)), self._policy, now)[1] if past else None

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


class Recounting:
    """Has open tickets counted under the present rules, and remembers in the store under which all of them were.

    clock   the present time, aware, in UTC.
    """

    def __init__(self, store: Store, recorder: Recorder, clock: Callable[[], datetime]) -> None:
        self._store, self._recorder, self._clock = store, recorder, clock
        self._recount: Recount | None = None
        if (known := store.setting(COUNTED_UNDER)) != recorder.rules.digest:
            # The file was changed while no daemon ran; or an earlier version has counted nothing yet.
            self.begin(closed=not known)

    def begin(self, *, closed: bool = False) -> None:
        """Begin with the first ticket, under the present rules; for `closed` see `Recount`."""
        self._recount = Recount(self._store, self._recorder.rules.policy, closed=closed)

    def begin_for_clock(self) -> None:
        """Count all timers again, inside the caller's transaction; an end of the program on the way begins it anew."""
        self._store.set_setting(COUNTED_UNDER, "a wrong clock")
        self.begin()

    def go_on(self) -> bool:
        """Go on with what changed rules mean for open tickets; return whether there is more to do."""
        if self._recount and not self._recount.step(self._clock()):
            self._recount = None
            with self._store.transaction():
                self._store.set_setting(COUNTED_UNDER, self._recorder.rules.digest)
        return self._recount is not None
