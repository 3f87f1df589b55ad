"""The rounds of a desk that cron runs: when the last one was, so that `status` can tell a late one from a stopped daemon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailtickets.store import Store

LAST_POLL, LAST_ROUND, ROUND_BEFORE = "last_poll", "last_round", "round_before"  # settings of the store
ROUND_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Rounds:
    """The last round of `run --once`, and the one before it, on a desk that no daemon has had since."""

    last: datetime
    before: datetime | None = None

    def late(self, now: datetime) -> bool:
        """Tell whether the next round should have been: a desk with one round a day is late after two days."""
        apart = self.last - self.before if self.before else timedelta()
        return now - self.last > max(ROUND_WITHIN, 2 * apart)


def rounds_of(store: Store) -> Rounds | None:
    """Return the rounds that a store knows of; None where a daemon has it, or nothing ever ran."""
    last, before = _moment(store.setting(LAST_ROUND)), _moment(store.setting(ROUND_BEFORE))
    return Rounds(last, before) if last else None


def note_round(store: Store, now: datetime, *, read: datetime | None) -> None:
    """Note that a round without a daemon was made; `read` is when it began to read mailboxes, if it could read all.

    The beginning, for the audit takes a mail that came before the last poll for one that was passed over.
    """
    with store.transaction():
        store.set_setting(ROUND_BEFORE, store.setting(LAST_ROUND))
        store.set_setting(LAST_ROUND, now.isoformat())
        if read:
            store.set_setting(LAST_POLL, read.isoformat())


def note_daemon(store: Store) -> None:
    """Note, in a transaction of the caller, that a daemon has the store: there are no rounds."""
    for name in (LAST_ROUND, ROUND_BEFORE):
        if store.setting(name):
            store.set_setting(name, "")


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
