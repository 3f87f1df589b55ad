"""Claims mails of the outbox for sending, and writes down what became of them. Runs in the desk's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.clocks import since_boot
from mailtickets.crashpoints import reach
from mailtickets.delivery import Allowance
from mailtickets.desk.pausing import Cause
from mailtickets.desk.ticket import Audience, Entry, EntryKind
from mailtickets.store.outbox import Held, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mailtickets.delivery import Attempt
    from mailtickets.pauses import Pauses
    from mailtickets.recording import Recorder
    from mailtickets.store import Store
    from mailtickets.store.outbox import Mail

FEW = 16


class Claims:
    """What may go out now: not what is held back, and no more than an account's server wants.

    clock   the present time, aware, in UTC.
    """

    def __init__(
        self, store: Store, recorder: Recorder, pauses: Pauses, clock: Callable[[], datetime]
    ) -> None:
        self._store, self._recorder, self._pauses, self._clock = store, recorder, pauses, clock
        self._allowances: dict[str, Allowance] = {}

    def claim_due(self, limit: int, holder: str) -> list[Mail]:
        """Claim mails for sending: while few wait only what the connections take at once."""
        now, outbox = self._clock(), self._store.outbox
        held = Held.TO_CUSTOMERS if self._pauses.holds(Cause.CLOCK) else Held.NOTHING
        held = Held.AUTOMATIC if self._pauses.holds(Cause.VOLUME) else held
        with self._store.transaction():
            limit = min(limit, FEW) if outbox.due_count(now) < 100 else limit
            rates = self._recorder.rules.rates
            mails = outbox.claim(now, limit, holder, held=held, but=tuple(rates))
            for account in rates:
                mails += self._claim_slowly(account, rates[account], limit - len(mails), holder, held)
            automatic = sum(not mail.human for mail in mails)
            self._pauses.count(automatic, self._recorder.rules.policy.limits.automatic_per_hour, now)
        self._pauses.went_out(automatic, now)
        return mails

    def _claim_slowly(self, account: str, per_minute: int, limit: int, holder: str, held: Held) -> list[Mail]:
        """Claim for an account that may send so many mails a minute: what waits here is not yet on its way."""
        allowance = self._allowances.get(account)
        if allowance is None or allowance.per_minute != per_minute:
            allowance = Allowance(per_minute, at=since_boot())
        allowance = allowance.refilled(since_boot())
        now, most = self._clock(), min(limit, int(allowance.left))
        mails = self._store.outbox.claim(now, most, holder, held=held, account=account) if most > 0 else []
        self._allowances[account] = allowance.spent(len(mails))
        return mails

    def book(self, attempts: Sequence[tuple[Mail, Attempt]]) -> None:
        """Write what became of claimed mails, and tell whom it concerns."""
        with self._store.transaction():
            for mail, attempt in attempts:
                if not self._store.outbox.book(attempt.booking):
                    continue
                if attempt.booking.state is State.UNCERTAIN and mail.ticket:
                    reason = f"{mail.kind}: nobody knows whether it arrived; it is not sent again by itself"
                    self._store.tickets.note(
                        mail.ticket,
                        Entry(
                            EntryKind.FAILED,
                            self._clock(),
                            "desk",
                            Audience.DESK,
                            mail.recipients,
                            reason=reason,
                        ),
                    )
                if attempt.again_at:
                    self._store.outbox.split(mail.id, attempt.again, attempt.again_at)
                if attempt.failed:
                    self._recorder.tell_failure(mail, attempt)
        reach("sent")
