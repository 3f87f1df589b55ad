"""Pure: what one attempt to send means for a mail: booked as sent, tried again, given up, or uncertain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mailtickets.store.outbox import Booking, State
from mailtickets.transport.fate import Deferred, Fate, Phase, Rejected, Sent, Uncertain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailtickets.store.outbox import Mail
    from mailtickets.transport.fate import Refusal

DEFAULT_RETRY = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60, 120))
DEFAULT_GIVE_UP = timedelta(days=5)
# Each try of which nobody knows what it came to may be one more copy at the reader. One lost answer is chance, a second
# one a server that starts anew; one that is silent three times takes what it gets and never says so (RFC 5321 section
# 4.5.3.2.6 warns of the doubles that follow), and would get a copy for every step of the ladder.
MAX_DOUBTS = 3


@dataclass(frozen=True, slots=True)
class Ladder:
    """When to try again: the delays, the last of which repeats, and when to give up (RFC 5321 section 4.5.4.1)."""

    retry: tuple[timedelta, ...] = DEFAULT_RETRY
    give_up: timedelta = DEFAULT_GIVE_UP

    def next_at(
        self, attempts: int, queued_at: datetime, now: datetime, jitter: float, *, in_doubt: bool = False
    ) -> datetime | None:
        """Return when to try again, or None to give up.

        attempts  tries so far, 1 after the first failure.
        jitter    0.0 to 1.0; spreads retries by up to a tenth after a failure of many.
        in_doubt  `now` is a doubtful time, by which nothing is given up.
        """
        if now - queued_at >= self.give_up and not in_doubt:
            return None
        delay = self.retry[min(max(attempts, 1), len(self.retry)) - 1]
        return now + delay * (1 + jitter / 10)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many mails an account may send now, where its server wants no more than so many a minute.

    left   of them, refilled evenly; never more than ten seconds' worth, so that a pause makes no burst.
    at     when it was last refilled, in seconds of a clock that nobody sets.
    """

    per_minute: int
    left: float = 1.0
    at: float = 0.0

    def refilled(self, now: float) -> Allowance:
        """Return it with what has come since."""
        most = max(1.0, self.per_minute / 6)
        return replace(self, left=min(most, self.left + (now - self.at) * self.per_minute / 60), at=now)

    def spent(self, mails: int) -> Allowance:
        """Return it after so many mails."""
        return replace(self, left=self.left - mails)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt came to.

    failed      recipients to whom this mail is not sent any more, with the reason.
    in_doubt    those may have it all the same: nobody knows what this try, or one before, came to.
    permanent   those of them whose address the server itself refused for good.
    again       recipients who were refused for now while others got it: tried again by themselves at `again_at`.
    """

    booking: Booking
    failed: tuple[tuple[str, str], ...] = ()
    permanent: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    again_at: datetime | None = None
    in_doubt: bool = False


def attempt_of(
    mail: Mail, fate: Fate, ladder: Ladder, now: datetime, jitter: float, *, in_doubt: bool = False
) -> Attempt:
    """Return what a fate means for a mail (docs/reliability.md, promises 2 and 3); see `Ladder.next_at`."""
    next_at = ladder.next_at(mail.attempts, mail.queued_at, now, jitter, in_doubt=in_doubt)
    match fate:
        case Sent(refused=refused):
            again = tuple(a for a, refusal in refused.items() if not refusal.permanent) if next_at else ()
            reasons = tuple((address, refusal.reason) for address, refusal in refused.items())
            failed = tuple((address, reason) for address, reason in reasons if address not in again)
            booking = Booking(mail.id, State.SENT, now, refused=reasons)
            doubted = _doubted(mail) and bool(failed)
            return Attempt(
                booking, failed, _permanent(refused), again, next_at if again else None, in_doubt=doubted
            )
        case Uncertain(reason=reason):
            return _unknown(mail, reason, now, next_at)
        case Rejected(code=code, reason=reason, refused=refused, phase=phase):
            said = reason if reason.startswith(str(code)) else f"{code} {reason}"
            heard = {address: refusal.reason for address, refusal in refused.items()}
            failed = tuple((heard or dict.fromkeys(mail.recipients, reason)).items())
            return given_up(mail, said, now, failed, _permanent(refused) if phase is Phase.RCPT else ())
        case Deferred(reason=reason, account_trouble=account_trouble):
            if next_at is None:
                days = f"given up after {ladder.give_up.total_seconds() / 86400:g} days: {reason}"
                return given_up(mail, days, now)
            # Nothing is wrong with the mail where the server is away: its own tries are not used up by that.
            return Attempt(Booking(mail.id, State.DEFERRED, now, reason, next_at, counts=not account_trouble))


def given_up(
    mail: Mail, why: str, now: datetime, failed: Sequence[tuple[str, str]] = (), permanent: Sequence[str] = ()
) -> Attempt:
    """Return what it means that a mail was surely not taken this time and is not tried again.

    failed   what single recipients heard; () where `why` is about all of them.

    Human text of which an earlier try is in doubt did not fail: it may have arrived by that one.
    """
    state = State.UNCERTAIN if _doubted(mail) else State.FAILED
    reasons = tuple(failed) or tuple((address, why) for address in mail.recipients)
    booking = Booking(mail.id, state, now, why)
    return Attempt(booking, reasons, tuple(permanent), in_doubt=_doubted(mail))


def _unknown(mail: Mail, reason: str, now: datetime, next_at: datetime | None) -> Attempt:
    """Return what it means that nobody knows whether a mail was taken: human text goes out again, a few times."""
    why = f"no answer after the whole mail was sent: {reason}"
    if not mail.human:
        return Attempt(Booking(mail.id, State.UNCERTAIN, now, why, in_doubt=True))
    tries = mail.doubts + 1
    if tries < MAX_DOUBTS and next_at is not None:
        why = f"no answer after the whole mail was sent; sent again with the same bytes: {reason}"
        return Attempt(Booking(mail.id, State.DEFERRED, now, why, next_at, in_doubt=True))
    if tries > 1:
        why = f"no answer after the whole mail was sent, {tries} times: {reason}"
    return stopped_in_doubt(mail, Booking(mail.id, State.UNCERTAIN, now, why, in_doubt=True))


def stopped_in_doubt(mail: Mail, booking: Booking) -> Attempt:
    """Return what it means that human text is not sent again by itself, and nobody knows whether it arrived."""
    return Attempt(booking, tuple((address, booking.error) for address in mail.recipients), in_doubt=True)


def _doubted(mail: Mail) -> bool:
    return mail.human and mail.doubts > 0


def _permanent(refused: dict[str, Refusal]) -> tuple[str, ...]:
    return tuple(address for address, refusal in refused.items() if refusal.permanent)


def deferred_by_outage(mails: Sequence[Mail], until: datetime, now: datetime) -> list[Booking]:
    """Return the bookings of claimed mails that were not tried, because their server is away."""
    return [
        Booking(mail.id, State.DEFERRED, now, "waiting for the mail server", until, counts=False)
        for mail in mails
    ]
