"""Claims mails of the outbox for sending, and writes down what became of them. Runs in the desk's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.clocks import since_boot
from mailtickets.crashpoints import reach
from mailtickets.delivery import MAX_DOUBTS, Allowance, stopped_in_doubt
from mailtickets.desk.pausing import Cause
from mailtickets.desk.ticket import Alarm, Audience, Entry, EntryKind
from mailtickets.store.alarms import UNCERTAIN_MAIL
from mailtickets.store.outbox import Booking, Held, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from mailtickets.delivery import Attempt
    from mailtickets.pauses import Pauses
    from mailtickets.recording import Recorder
    from mailtickets.store import Store
    from mailtickets.store.outbox import Mail

FEW = 100  # more wait in a burst only: then the connections should not have to wait for the desk


class Claims:
    """What may go out now: not what is held back, and no more than an account's server wants.

    clock   the present time, aware, in UTC.
    """

    def __init__(
        self, store: Store, recorder: Recorder, pauses: Pauses, clock: Callable[[], datetime]
    ) -> None:
        self._store, self._recorder, self._pauses, self._clock = store, recorder, pauses, clock
        self._allowances: dict[str, Allowance] = {}

    def turn(
        self, attempts: Sequence[tuple[Mail, Attempt]], limit: int, holder: str, idle: Mapping[str, int]
    ) -> list[Mail]:
        """Do `book` and `claim_due` in one commit: a commit is what sending waits for most."""
        with self._store.transaction():
            self._book(attempts)
            mails = self._claim(limit, holder, idle)
        self._pauses.went_out(_automatic(mails), self._clock())
        if attempts:
            reach("sent")
        return mails

    def claim_due(self, limit: int, holder: str, idle: Mapping[str, int] | None = None) -> list[Mail]:
        """Claim mails for sending. While few wait only what connections take at once, so that after an unclean end no more is
        in doubt than was on its way; at most `limit` mails of what waits beyond the few.

        idle   by account the connections that have nothing to send; None: so many as it likes.
        """
        with self._store.transaction():
            mails = self._claim(limit, holder, idle)
        self._pauses.went_out(_automatic(mails), self._clock())
        return mails

    def _claim(self, limit: int, holder: str, idle: Mapping[str, int] | None) -> list[Mail]:
        now, outbox = self._clock(), self._store.outbox
        held = Held.TO_CUSTOMERS if self._pauses.holds(Cause.CLOCK) else Held.NOTHING
        held = Held.AUTOMATIC if self._pauses.holds(Cause.VOLUME) else held
        rates = self._recorder.rules.rates
        at_once = limit if idle is None else sum(n for name, n in idle.items() if name not in rates)
        many = min(limit, outbox.due_count(now, FEW + limit, held=held, but=tuple(rates)) - FEW)
        if idle is None or many > at_once:
            mails = outbox.claim(now, max(many, at_once), holder, held=held, but=tuple(rates))
        else:
            mails = self._claim_for_each(idle, holder, held)
        for account, per_minute in rates.items():
            most = limit if idle is None else idle.get(account, 0)
            mails += self._claim_slowly(account, per_minute, most, holder, held)
        self._pauses.count(_automatic(mails), self._recorder.rules.policy.limits.automatic_per_hour, now)
        return mails

    def _claim_for_each(self, idle: Mapping[str, int], holder: str, held: Held) -> list[Mail]:
        """Claim for the connections of each account; also what no connection will take, since its account is gone."""
        now, outbox, rates = self._clock(), self._store.outbox, self._recorder.rules.rates
        mails = outbox.claim(now, FEW, holder, held=held, but=(*idle, *rates))
        for account, most in idle.items():
            if most > 0 and account not in rates:
                mails += outbox.claim(now, most, holder, held=held, account=account)
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
            self._book(attempts)
        reach("sent")

    def _book(self, attempts: Sequence[tuple[Mail, Attempt]]) -> None:
        unknown = []
        for mail, attempt in attempts:
            if not self._store.outbox.book(attempt.booking):
                continue
            if attempt.booking.state is State.UNCERTAIN and not mail.human:
                unknown.append(attempt.booking.error)
                self._note_unknown(mail)
            if attempt.again_at:
                self._store.outbox.split(mail.id, attempt.again, attempt.again_at)
            if attempt.failed:
                self._recorder.tell_failure(mail, attempt)
        if unknown:
            self._alarm_unknown(len(unknown), f"{unknown[-1][:1].upper()}{unknown[-1][1:]}.")

    def set_right(self) -> list[Mail]:
        """Book what an ended process left in `sending`; return the mails that are uncertain by that.

        Inside the caller's transaction.
        """
        now = self._clock()
        mails = self._store.outbox.after_unclean_end(now, MAX_DOUBTS)
        why = "the process ended while it was being sent"
        for mail in mails:
            if mail.human:
                booking = Booking(mail.id, State.UNCERTAIN, now, why)
                self._recorder.tell_failure(mail, stopped_in_doubt(mail, booking))
        if automatic := _automatic(mails):
            self._alarm_unknown(automatic, "The desk ended while they were on their way.")
        return mails

    def _note_unknown(self, mail: Mail) -> None:
        if mail.ticket:
            reason = f"{mail.kind}: nobody knows whether it arrived; it is not sent again by itself"
            note = Entry(
                EntryKind.FAILED, self._clock(), "desk", Audience.DESK, mail.recipients, reason=reason
            )
            self._store.tickets.note(mail.ticket, note)

    def _alarm_unknown(self, new: int, why: str) -> None:
        """Tell the admins that of automatic mails nobody knows whether they were sent; `new` of them since just now."""
        count = self._store.outbox.uncertain_automatic()
        if count <= new:
            self._store.alarms.clear(UNCERTAIN_MAIL)  # those of before are settled: it began now
        what = "an automatic mail was" if count == 1 else f"{count} automatic mails were"
        self._recorder.alarm(
            Alarm(
                UNCERTAIN_MAIL,
                f"Nobody knows whether {what} sent",
                f"{why} What the desk writes by itself is not sent again by itself.",
                "Look with `mailtickets outbox`; `mailtickets outbox retry NUMBER` sends one again, `cancel NUMBER` gives it up.",
            )
        )


def _automatic(mails: Sequence[Mail]) -> int:
    return sum(not mail.human for mail in mails)
