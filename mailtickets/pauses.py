"""Keeps the pauses of automatic mail: in the store, so that a restart does not end them, and in memory for each turn."""

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
    Pause,
    ahead,
    clock_pause,
    doubt_at_start,
    doubt_between,
    slept,
    volume_pause,
)
from mailtickets.desk.ticket import Alarm

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailtickets.desk.pausing import Look
    from mailtickets.store import Store

CLOCK_SEEN = "clock_seen"
NOTE_SECONDS = 60.0
HOUR = timedelta(hours=1)
RESUME = "If all is well: `mailtickets outbox resume`"


def stored(store: Store) -> list[Pause]:
    """Return the pauses that a store knows of."""
    found = (Pause.of(cause, store.setting(f"pause_{cause}")) for cause in Cause)
    return [pause for pause in found if pause]


def forget(store: Store) -> list[Pause]:
    """End all pauses on the admin's word; return them. Inside the caller's transaction."""
    ended = stored(store)
    for pause in ended:
        store.set_setting(f"pause_{pause.cause}", "")
    return ended


class Pauses:
    """The pauses of one desk. All methods run in the desk's thread.

    alarm   tells the admins of trouble, inside the caller's transaction; `ended` tells them that a kind of it is over.
    back    does what else is to be done when the clock was put back.
    """

    def __init__(
        self,
        store: Store,
        alarm: Callable[[Alarm], object],
        ended: Callable[[str], object],
        back: Callable[[], None],
    ) -> None:
        self._store, self._alarm, self._ended, self._back = store, alarm, ended, back
        self._now = {pause.cause: pause for pause in stored(store)}
        self._look: Look | None = None
        self._noted = float("-inf")
        self._sent: deque[datetime] | None = None  # when automatic mails went out, within the last hour

    def holds(self, cause: Cause) -> bool:
        """Tell whether there is such a pause."""
        return cause in self._now

    def at_start(self, now: datetime) -> None:
        """Doubt the clock where nothing was stored for long."""
        self._end_what_is_over(now)
        texts = (self._store.setting(name) for name in (CLOCK_SEEN, "last_poll"))
        times = [datetime.fromisoformat(text) for text in texts if text]
        last = max(times, default=None)
        if last and now < last - JUMP:
            self._put_back(now, f"the desk last worked at {last.isoformat()}")
        if (why := doubt_at_start(last, now)) and not self.holds(Cause.CLOCK):
            self._begin_clock(why, now)
        self.note(now)

    def look(self, look: Look) -> bool:
        """Look at all clocks; return whether the machine has slept since the last look."""
        before, self._look = self._look, look
        self._end_what_is_over(look.wall)
        if look.awake - self._noted > NOTE_SECONDS:
            self._noted = look.awake
            self.note(look.wall)
        if before is None:
            return False
        if why := doubt_between(before, look):
            self._begin_clock(why, look.wall)
        elif (set_by := ahead(before, look)) < -JUMP:
            minutes = round(-set_by.total_seconds() / 60)
            self._put_back(look.wall, f"by {minutes} minutes")
        return slept(before, look) > SLEEP

    def note(self, now: datetime) -> None:
        """Store the time, for the next start."""
        with self._store.transaction():
            self._store.set_setting(CLOCK_SEEN, now.isoformat())

    def count(self, mails: int, limit: int, now: datetime) -> None:
        """Count automatic mails that go out now; pause where that is more than a limit within an hour.

        limit   0: none. Inside the caller's transaction.
        """
        if not limit:
            return
        if self._sent is None:
            self._sent = deque(self._store.outbox.automatic_since(now - HOUR, limit))
        self._sent.extend([now] * mails)
        while self._sent and not now - HOUR < self._sent[0] <= now:
            self._sent.popleft()
        if len(self._sent) >= limit and not self.holds(Cause.VOLUME):
            pause = volume_pause(len(self._sent), now)
            self._sent.clear()  # after the pause as many again
            self._begin(
                pause,
                Alarm(
                    "pause volume",
                    "Automatic mail is held back",
                    f"{pause.why}: that is [limits] automatic_per_hour. Agents' answers go on; the rest waits in the outbox.",
                    f"Look at it with `mailtickets outbox`. {RESUME}, and raise the limit; it goes on by itself after an hour.",
                ),
            )

    def _put_back(self, now: datetime, why: str) -> None:
        maillog.trouble("the clock was put back", why, "nothing to do: what was done is not done again")
        with self._store.transaction():
            self._store.bring_back(now, GAP)
        self._back()

    def _begin_clock(self, why: str, now: datetime) -> None:
        pause = clock_pause(why, now)
        with self._store.transaction():
            self._begin(
                pause,
                Alarm(
                    "pause clock",
                    "Reminders, closings and acknowledgements are held back for 30 minutes",
                    f"{why[0].upper()}{why[1:]}. If that is wrong, customers would be reminded and tickets closed too early.",
                    f"Check the date of this machine. {RESUME}; if not, correct the clock, and the pause ends by itself.",
                ),
            )

    def _begin(self, pause: Pause, alarm: Alarm) -> None:
        self._now[pause.cause] = pause
        self._store.set_setting(f"pause_{pause.cause}", pause.text())
        self._alarm(alarm)

    def _end_what_is_over(self, now: datetime) -> None:
        for pause in list(self._now.values()):
            if pause.is_over(now) or not self._store.setting(f"pause_{pause.cause}"):
                self._end(pause)

    def _end(self, pause: Pause) -> None:
        with self._store.transaction():
            self._store.set_setting(f"pause_{pause.cause}", "")
            self._ended(f"pause {pause.cause}")
        del self._now[pause.cause]
