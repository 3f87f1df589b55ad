"""Keeps the pauses of automatic mail, and what is known of the clock, in the store: so that a restart ends neither."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.desk.pausing import (
    GAP,
    JUMP,
    SLEEP,
    Cause,
    Leap,
    Pause,
    ahead,
    clock_pause,
    doubt_at_start,
    doubt_between,
    leap_between,
    slept,
    volume_pause,
)
from mailtickets.desk.ticket import Alarm

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailtickets.desk.pausing import Look
    from mailtickets.store import Store

CLOCK_SEEN = "clock_seen"  # when the desk last was at work, by its clock
CLOCK_LATEST = (
    "clock_latest"  # the latest such time, where a clock that was put back has not shown it to be wrong
)
CLOCK_LEAP = "clock_leap"  # the last leap that was doubted
CLOCK_GAP = "clock_gap"  # the last gap of more than a day between two starts
VOLUME_SINCE = "volume_since"  # automatic mails count from then on: after a pause as many go out again
NOTE_SECONDS = 60.0
HOUR = timedelta(hours=1)
RESUME = "If all is well: `mailtickets outbox resume`"


def stored(store: Store) -> list[Pause]:
    """Return the pauses that a store knows of."""
    found = (Pause.of(cause, store.setting(f"pause_{cause}")) for cause in Cause)
    return [pause for pause in found if pause]


def forget(store: Store, now: datetime) -> list[Pause]:
    """End all pauses on the admin's word; return them. Inside the caller's transaction."""
    ended = stored(store)
    for pause in ended:
        store.set_setting(f"pause_{pause.cause}", "")
        match pause.cause:
            case Cause.CLOCK:
                store.set_setting(CLOCK_LEAP, "")  # the clock is right
            case Cause.VOLUME:
                store.set_setting(VOLUME_SINCE, now.isoformat())
    return ended


class Pauses:
    """The pauses of one desk. All methods but `in_doubt` run in the desk's thread.

    What is seen is kept in memory only once it is stored: while that fails it is seen anew at each look.

    alarm   tells the admins of trouble, inside the caller's transaction; `ended` tells them that a kind of it is over.
    back    does what else is to be done when a wrong clock was put right, inside the caller's transaction.
    """

    def __init__(
        self,
        store: Store,
        alarm: Callable[[Alarm], object],
        ended: Callable[[str], object],
        back: Callable[[], None],
    ) -> None:
        self._store, self._alarm, self._ended, self._back = store, alarm, ended, back
        self._look: Look | None = None
        self._leapt = False  # seen, and not stored yet
        self._doubted = self.holds(Cause.CLOCK)
        self._noted = float("-inf")
        self._sent: deque[datetime] | None = None  # when automatic mails went out, within the last hour

    def holds(self, cause: Cause) -> bool:
        """Tell whether there is such a pause."""
        return bool(self._store.setting(f"pause_{cause}")) or (cause is Cause.CLOCK and self._leapt)

    def in_doubt(self, look: Look) -> bool:
        """Tell whether the clock is in doubt, be it since this moment; from any thread."""
        before = self._look
        return self._doubted or (before is not None and bool(doubt_between(before, look)))

    def at_start(self, now: datetime) -> None:
        """Doubt the clock where nothing was stored for long."""
        self.end_what_is_over(now)
        last = self._time(CLOCK_SEEN) or self._time("last_poll")
        if last and now < last - JUMP:
            self._put_back(now, f"the desk last worked at {last.isoformat()}")
        gap = Leap(last, now) if last and now - last > GAP else None
        why = doubt_at_start(last, now, Leap.of(self._store.setting(CLOCK_GAP)))
        if gap and why and not self.holds(Cause.CLOCK):
            latest = self._time(CLOCK_LATEST) or gap.before
            leap = Leap(max(latest, gap.before), now)
            self._begin_clock(why, now, leap if leap.after - leap.before > JUMP else None)
        self._note(now, gap)
        self._doubted = self.holds(Cause.CLOCK)

    def look(self, look: Look) -> bool:
        """Look at all clocks; return whether the machine has slept since the last look."""
        before = self._look or look
        why, set_by = doubt_between(before, look), ahead(before, look)
        self._leapt = bool(why)
        self.end_what_is_over(look.wall)
        if why:
            latest = self._time(CLOCK_LATEST) or before.wall
            self._begin_clock(why, look.wall, leap_between(before, look, latest))
        elif set_by < -JUMP:
            self._put_back(look.wall, f"by {round(-set_by.total_seconds() / 60)} minutes")
        if why or set_by < -JUMP or look.awake - self._noted > NOTE_SECONDS:
            self._note(look.wall)
            self._noted = look.awake
        self._look, self._leapt = look, False
        self._doubted = self.holds(Cause.CLOCK)
        return slept(before, look) > SLEEP

    def end_what_is_over(self, now: datetime) -> None:
        """End pauses whose time has passed, and tell the end of those that the admin ended."""
        for cause in Cause:
            name = f"pause_{cause}"
            pause = Pause.of(cause, self._store.setting(name))
            if pause.is_over(now) if pause else self._store.alarms.get(f"pause {cause}"):
                with self._store.transaction():
                    self._store.set_setting(name, "")
                    if pause and cause is Cause.VOLUME:
                        self._store.set_setting(VOLUME_SINCE, now.isoformat())
                    self._ended(f"pause {cause}")

    def _time(self, name: str) -> datetime | None:
        text = self._store.setting(name)
        return datetime.fromisoformat(text) if text else None

    def _note(self, now: datetime, gap: Leap | None = None) -> None:
        """Store the time, for the next start."""
        latest = self._time(CLOCK_LATEST)
        with self._store.transaction():
            self._store.set_setting(CLOCK_SEEN, now.isoformat())
            if latest is None or now > latest:
                self._store.set_setting(CLOCK_LATEST, now.isoformat())
            if gap:
                self._store.set_setting(CLOCK_GAP, gap.text())

    def count(self, mails: int, limit: int, now: datetime) -> None:
        """Pause where automatic mails that go out now make more than a limit within an hour.

        limit   0: none. Inside the caller's transaction; after its commit call `went_out`.
        """
        if not (limit and mails):
            return
        count = len(self._recent(limit, now)) + mails
        if count >= limit and not self.holds(Cause.VOLUME):
            pause = volume_pause(count, now)
            self._store.set_setting(VOLUME_SINCE, now.isoformat())
            self._begin(
                pause,
                Alarm(
                    "pause volume",
                    "Automatic mail is held back",
                    f"{pause.why}: that is [limits] automatic_per_hour. Agents' answers go on; the rest waits in the outbox.",
                    f"Look at it with `mailtickets outbox`. {RESUME}, and raise the limit; it goes on by itself after an hour.",
                ),
            )

    def went_out(self, mails: int, now: datetime) -> None:
        """Remember that automatic mails went out."""
        if self._sent is not None:
            self._sent.extend([now] * mails)

    def _recent(self, limit: int, now: datetime) -> deque[datetime]:
        """Return when automatic mails went out, as far as they count."""
        since, counted_from = now - HOUR, self._time(VOLUME_SINCE)
        if counted_from and counted_from <= now:
            since = max(since, counted_from)
        if self._sent is None:
            self._sent = deque(self._store.outbox.automatic_since(since, limit))
        while self._sent and not since < self._sent[0] <= now:
            self._sent.popleft()
        return self._sent

    def _put_back(self, now: datetime, why: str) -> None:
        leap = Leap.of(self._store.setting(CLOCK_LEAP))
        undone = leap if leap and leap.is_undone(now) else None
        with self._store.transaction():
            self._store.bring_back(now, GAP, undone.after if undone else None)
            if undone:
                # Perhaps it is put back in several steps: what was brought back to here is then brought back again.
                self._store.set_setting(CLOCK_LEAP, Leap(undone.before, now).text())
                self._store.set_setting(CLOCK_LATEST, now.isoformat())
                self._back()
        maillog.doubtful("the clock was put back", why, "nothing to do: what was done is not done again")

    def _begin_clock(self, why: str, now: datetime, leap: Leap | None) -> None:
        with self._store.transaction():
            if leap:
                self._store.set_setting(CLOCK_LEAP, leap.text())
            self._begin(
                clock_pause(why, now),
                Alarm(
                    "pause clock",
                    "Reminders, closings and acknowledgements are held back for 30 minutes",
                    f"{why[0].upper()}{why[1:]}. If that is wrong, customers would be reminded and tickets closed too early.",
                    f"Check the date of this machine. {RESUME}; if not, correct the clock, and the pause ends by itself.",
                ),
            )

    def _begin(self, pause: Pause, alarm: Alarm) -> None:
        self._store.set_setting(f"pause_{pause.cause}", pause.text())
        self._alarm(alarm)
