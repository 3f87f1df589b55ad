"""Fires the timers that are due: each is looked at again, decided by itself, and written down. Runs in the desk's thread.

Whether timers may fire at all is the line's to say.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.crashpoints import reach
from mailtickets.desk.decide import decide
from mailtickets.desk.events import TimerDue
from mailtickets.desk.ticket import HoldKind, TimerKind
from mailtickets.store import store_trouble

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mailtickets.catching_up import CatchingUp
    from mailtickets.copyreader import CopyReader
    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.ticket import Timer
    from mailtickets.recording import Recorder, Written
    from mailtickets.settling import Settling
    from mailtickets.store import Store

TRY_TIMER_AGAIN = timedelta(hours=1)


class Timers:
    """The timers of one store, fired by the present rules.

    settling  writes what a timer decides: it may let a held mail go.
    reader    reads the held mail whose time has come.
    """

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        catching_up: CatchingUp,
        reader: CopyReader,
        settling: Settling,
    ) -> None:
        self._store, self._recorder, self._catching_up = store, recorder, catching_up
        self._reader, self._settling = reader, settling

    def fire_due(self, now: datetime) -> int:
        """Let some timers that are due by now do their work, in one transaction; return how many there were."""
        due = self._store.tickets.due(now)
        if not due:
            return 0
        with self._store.transaction():
            try:
                with self._store.savepoint():
                    self._fire_all(due, now, together=True)
            except Exception as error:
                self._recorder.undone()
                if store_trouble(error):
                    raise
                maillog.broken("escalations cannot be told together; each goes by itself", None, error)
                self._fire_all(due, now, together=False)
        reach("timer-committed")
        return len(due)

    def _fire_all(self, due: Sequence[tuple[int, Timer]], now: datetime, *, together: bool) -> None:
        """Fire timers; what the clocks have to say goes out at the end, much of it to one person as one mail."""
        mail: dict[str, list[Outgoing]] = {}
        tickets: Written = {}
        for ticket, timer in due:
            held = self._catching_up.why_held(timer.due)
            try:
                with self._store.savepoint(), self._recorder.holding(held):
                    later, written = self._fire(TimerDue(ticket, timer), now, together=together)
            except Exception as error:
                self._recorder.undone()
                if store_trouble(error):
                    raise  # nothing is wrong with the ticket: all timers wait for the store
                maillog.broken("a timer failed; it is tried again in an hour", None, error)
                self._store.tickets.set_timer(ticket, replace(timer, due=now + TRY_TIMER_AGAIN))
            else:
                if later:
                    mail.setdefault(held, []).extend(later)
                    tickets.update(written)
        for held, some in mail.items():
            with self._recorder.holding(held):
                self._recorder.send_together(some, tickets)

    def _fire(
        self, event: TimerDue, now: datetime, *, together: bool
    ) -> tuple[tuple[Outgoing, ...], Written]:
        """Let one timer do its work; return the mails that are still to be queued, and what was written.

        The timer's row goes first: a decision that wants it again sets it again.
        """
        policy = self._recorder.rules.policy
        self._store.tickets.drop_timer(event.ticket, event.timer.kind, event.timer.cycle)
        if event.timer.kind is TimerKind.HELD:
            held = self._store.ledger.held_agent(event.timer.cycle)
            copy = self._store.ledger.copy(event.timer.cycle)
            if held is None or (copy is None and held[1] is not HoldKind.FORGET):
                return (), {}
            event = replace(event, held_agent=held[0], held_kind=held[1])
            if copy is not None and held[1] is not HoldKind.FORGET:
                event = replace(event, held_text=self._reader.read(copy).text)
        reach("timer-due")
        facts = self._store.facts.for_ticket(event.ticket, policy.limits, now, policy.addresses_of_agents)
        facts = self._catching_up.facts(facts, self._recorder.holds)
        decision = decide(event, facts, policy, now)
        later: tuple[Outgoing, ...] = ()
        if together and event.timer.kind is TimerKind.CLOCK:
            later, decision = decision.mail, replace(decision, mail=())
        written = self._settling.record(decision, None, None)
        for change in decision.changes:
            maillog.fired(change.ticket.reference, event.timer.kind.value)
        return later, written
