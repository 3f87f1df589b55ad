"""What a part of the desk last managed to do, and what fails since. Its own thread writes, the lookout reads.

Each note is one whole value put in place of the old one, so that no lock is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mailtickets.clocks import awake, since_boot, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """What fails: since when and when last, in seconds since the machine's start; `at_once` where waiting will not mend it."""

    since: float
    last: float
    reason: str
    remedy: str
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class PutOff:
    """A server speaks and takes nothing: since when, whose mail, and its words."""

    since: float
    recipients: frozenset[str]
    reason: str


class Progress:
    """One mailbox folder's, one SMTP account's, or the store's.

    began       in seconds since the machine's start, as all times of outages: a sleep of the machine counts.
    well_at     when it last did what it is for; None: not yet.
    well_on     the same for people.
    moved_at    the last sign of life inside a piece of work, in seconds awake; None: it rests, which is no hanging.
    changed     is called when it begins or ends to fail, by the thread that notes it.
    """

    def __init__(
        self,
        since_boot: Callable[[], float] = since_boot,
        clock: Callable[[], datetime] = utc_now,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._since_boot, self._clock, self._changed = since_boot, clock, changed
        self.began, self.began_awake = since_boot(), awake()
        self.well_at: float | None = None
        self.well_on: datetime | None = None
        self.failure: Failure | None = None
        self.put_off: PutOff | None = None
        self.moved_at: float | None = None

    def well(self) -> None:
        """It worked."""
        self.well_on, self.well_at = self._clock(), self._since_boot()
        self.began_awake = awake()
        self.put_off = None
        self._fail_with(None)

    def held_up(self) -> None:
        """It cannot go on by no fault of its own."""
        self.began_awake = awake()

    def answered(self) -> None:
        """The other side speaks, whatever it said of this mail."""
        self._fail_with(None)

    def put_off_for(self, recipients: Iterable[str], reason: str) -> None:
        """The server did not take a mail for these now."""
        before = self.put_off or PutOff(self._since_boot(), frozenset(), "")
        self.put_off = replace(before, recipients=before.recipients | frozenset(recipients), reason=reason)

    def failed(self, reason: str, remedy: str = "", *, at_once: bool = False) -> None:
        """It did not work."""
        now = self._since_boot()
        self._fail_with(Failure(self.failure.since if self.failure else now, now, reason, remedy, at_once))

    def _fail_with(self, failure: Failure | None) -> None:
        before, self.failure = self.failure, failure
        if (before and before.at_once) != (failure and failure.at_once):
            self._changed()

    def move(self) -> None:
        """It is at work, and something moved."""
        self.moved_at = awake()

    def go_on(self) -> None:
        """Something moved in the work at hand; while it rests, that is no work."""
        if self.moved_at is not None:
            self.moved_at = awake()

    def rest(self) -> None:
        """Nothing is to do, or it waits to try again."""
        self.moved_at = None

    @property
    def silent_awake(self) -> float:
        """Seconds since it last worked, began, or was held up, without those in which the machine slept."""
        return awake() - self.began_awake
