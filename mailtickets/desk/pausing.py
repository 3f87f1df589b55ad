"""Pure: when mail that the desk writes by itself is held back, because the clock is in doubt or there is too much of it.

Nothing is lost by a pause: timers and mails wait, people's own words go on, and it ends by itself or on the admin's word.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

JUMP = timedelta(minutes=10)  # reliability R10: further ahead than this, and a clock was set
GAP = timedelta(hours=24)  # nothing was stored for so long: the machine was off, or its clock is wrong
SLEEP = timedelta(minutes=1)
CLOCK_PAUSE = timedelta(minutes=30)
VOLUME_PAUSE = timedelta(hours=1)


class Cause(StrEnum):
    """Why mail is held back.

    CLOCK    no timer fires, and nothing automatic goes to customers.
    VOLUME   nothing automatic goes to anybody, but alarms to admins.
    """

    CLOCK = "clock"
    VOLUME = "volume"


@dataclass(frozen=True, slots=True)
class Pause:
    """Mail is held back; `why` is for people."""

    cause: Cause
    why: str
    since: datetime
    until: datetime

    def is_over(self, now: datetime) -> bool:
        """Tell whether it has passed; also where the clock was put back again, which ends the doubt."""
        return now >= self.until or now < self.since - JUMP

    def text(self) -> str:
        """Return it as it is stored."""
        return json.dumps({"why": self.why, "since": self.since.isoformat(), "until": self.until.isoformat()})

    @classmethod
    def of(cls, cause: Cause, text: str) -> Pause | None:
        """Return a stored pause, None for an empty text."""
        if not text:
            return None
        read = json.loads(text)
        return cls(
            cause, read["why"], datetime.fromisoformat(read["since"]), datetime.fromisoformat(read["until"])
        )


@dataclass(frozen=True, slots=True)
class Leap:
    """The clock went far ahead: `before` is the latest time known until then, `after` where it stood at once.

    Either it was put wrong, or that much time did pass; only what comes later tells.
    """

    before: datetime
    after: datetime

    def is_undone(self, now: datetime) -> bool:
        """Tell whether the clock stands before its leap again: what was written since has wrong times.

        Not where it stands before all that was known: then it is the present time that is wrong.
        """
        return self.before - JUMP <= now < self.after - JUMP

    def text(self) -> str:
        """Return it as it is stored."""
        return f"{self.before.isoformat()} {self.after.isoformat()}"

    @classmethod
    def of(cls, text: str) -> Leap | None:
        """Return a stored leap, None for an empty text."""
        return cls(*map(datetime.fromisoformat, text.split())) if text else None


@dataclass(frozen=True, slots=True)
class Look:
    """All clocks at one moment: wall time, seconds since the machine was started with its sleep, and without."""

    wall: datetime
    since_boot: float
    awake: float


def ahead(before: Look, now: Look) -> timedelta:
    """Return by how much the wall clock was set between two looks; negative: back."""
    return (now.wall - before.wall) - timedelta(seconds=now.since_boot - before.since_boot)


def slept(before: Look, now: Look) -> timedelta:
    """Return how long the machine slept between two looks."""
    return timedelta(seconds=(now.since_boot - before.since_boot) - (now.awake - before.awake))


def leap_between(before: Look, now: Look, latest: datetime) -> Leap | None:
    """Return the leap between two looks; None where the clock only came back to what was known, as after a start in 1970.

    latest   the latest time known, of all there ever were.
    """
    leap = Leap(max(latest, before.wall), now.wall - timedelta(seconds=now.since_boot - before.since_boot))
    return leap if leap.after - leap.before > JUMP else None


def doubt_at_start(last_stored: datetime | None, now: datetime, last_gap: Leap | None = None) -> str:
    """Return why the clock is in doubt when the desk starts, or an empty string.

    last_gap   the last gap of more than a day between two starts. Where nothing was stored since the start that ended it,
               this is a desk of single rounds that lie days apart: a gap of up to twice its length is no news.
    """
    if last_stored is None or now - last_stored <= GAP:
        return ""
    if (
        last_gap
        and last_stored == last_gap.after
        and now - last_stored <= 2 * (last_gap.after - last_gap.before)
    ):
        return ""
    return f"the desk last worked {_long(now - last_stored)} ago by the clock of this machine"


def doubt_between(before: Look, now: Look) -> str:
    """Return why the clock is in doubt while the desk runs, or an empty string."""
    set_by = ahead(before, now)
    return f"the clock of this machine was put ahead by {_long(set_by)}" if set_by > JUMP else ""


def clock_pause(why: str, now: datetime) -> Pause:
    """Return the pause that a doubtful clock makes."""
    return Pause(Cause.CLOCK, why, now, now + CLOCK_PAUSE)


def volume_pause(count: int, now: datetime) -> Pause:
    """Return the pause that too much automatic mail makes."""
    return Pause(Cause.VOLUME, f"{count} automatic mails went out within an hour", now, now + VOLUME_PAUSE)


def _long(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 2 * 24 * 60 else f"{minutes // (24 * 60)} days"
