"""The pauses of one desk over a real store: also where the store is locked, and where a transaction is undone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailtickets.desk.pausing import Cause, Look
from mailtickets.pauses import Pauses, forget, stored
from mailtickets.store import Store, opening
from mailtickets.store.outbox import Booking, State
from tests.store.test_outbox import MAIL

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Kept:
    """Pauses, their clocks, and another program that may lock the store."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(folder / "desk.db", NOON)
        self.other = sqlite3.connect(folder / "desk.db", isolation_level=None)
        self.alarms: list[str] = []
        self.ended: list[str] = []
        self.wall, self.since_boot, self.awake = NOON, 1000.0, 1000.0
        self.made = self.make()

    def make(self) -> Pauses:
        return Pauses(
            self.store, lambda alarm: self.alarms.append(alarm.kind), self.ended.append, lambda: None
        )

    def clocks(self) -> Look:
        return Look(self.wall, self.since_boot, self.awake)

    def pass_time(self, span: timedelta, *, asleep: bool = False) -> None:
        self.wall += span
        self.since_boot += span.total_seconds()
        self.awake += 0 if asleep else span.total_seconds()

    def look(self) -> bool:
        return self.made.look(self.clocks())


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setattr(opening, "BUSY_TIMEOUT_S", 0.1)
    one = Kept(tmp_path)
    one.made.at_start(NOON)
    one.look()
    yield one
    one.other.close()
    one.store.close()


def lock(kept: Kept) -> None:
    kept.other.execute("BEGIN IMMEDIATE")
    kept.pass_time(2 * MINUTE)  # so that there is a time to be noted


def test_a_jump_seen_while_the_store_is_locked(kept):
    """It holds mail at once, is stored as soon as that is possible, and told once."""
    lock(kept)
    kept.wall += 3 * DAY
    assert kept.made.in_doubt(kept.clocks())
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError):
            kept.look()
        assert kept.made.holds(Cause.CLOCK)
        assert not stored(kept.store)
    assert kept.alarms == []
    kept.other.execute("ROLLBACK")
    for _ in range(3):
        kept.look()
        kept.pass_time(MINUTE)
        assert kept.made.holds(Cause.CLOCK)
        assert kept.made.in_doubt(kept.clocks())
    assert kept.alarms == ["pause clock"]
    assert [pause.cause for pause in stored(kept.store)] == [Cause.CLOCK]
    kept.pass_time(30 * MINUTE)
    kept.look()
    assert not kept.made.holds(Cause.CLOCK)
    assert not kept.made.in_doubt(kept.clocks())


def test_a_jump_that_is_over_before_it_could_be_stored(kept):
    """The clock is right again, so nothing is held."""
    lock(kept)
    kept.wall += 3 * DAY
    with pytest.raises(sqlite3.OperationalError):
        kept.look()
    kept.wall -= 3 * DAY
    kept.other.execute("ROLLBACK")
    kept.look()
    assert not kept.made.holds(Cause.CLOCK)
    assert kept.alarms == []


def test_a_sleep_seen_while_the_store_is_locked(kept):
    """It is told at the first look that succeeds, and only then."""
    lock(kept)
    kept.pass_time(5 * HOUR, asleep=True)
    with pytest.raises(sqlite3.OperationalError):
        kept.look()
    kept.other.execute("ROLLBACK")
    assert kept.look()
    assert not kept.look()


def test_an_undone_transaction_leaves_no_pause(kept):
    """Nor does a mail count that was not claimed after all."""
    limit = 10
    with suppress(RuntimeError), kept.store.transaction():
        kept.made.count(limit, limit, NOON)
        assert kept.made.holds(Cause.VOLUME)
        raise RuntimeError
    assert not kept.made.holds(Cause.VOLUME)
    with kept.store.transaction():
        kept.made.count(limit - 1, limit, NOON)
    kept.made.went_out(limit - 1, NOON)
    assert not kept.made.holds(Cause.VOLUME)
    with kept.store.transaction():
        kept.made.count(0, limit - 1, NOON)
    assert not kept.made.holds(Cause.VOLUME), "no mail goes out"
    with kept.store.transaction():
        kept.made.count(1, limit, NOON)
    assert kept.made.holds(Cause.VOLUME)


@pytest.mark.parametrize("ends", ["on the admin's word", "after an hour"])
@pytest.mark.parametrize("restarted", [False, True])
def test_after_the_pause_as_many_go_again(kept, ends, restarted):
    """What went out before is not counted again, whoever ended the pause, and also after a restart."""
    limit = 3

    def claim() -> bool:
        with kept.store.transaction():
            kept.store.outbox.queue(replace(MAIL, occasion=str(kept.wall)), None, kept.wall)
            (mail,) = kept.store.outbox.claim(kept.wall, 1, "test")
            kept.made.count(1, limit, kept.wall)
        kept.made.went_out(1, kept.wall)
        kept.pass_time(timedelta(seconds=1))
        with kept.store.transaction():  # a restart counts what stands in the outbox
            kept.store.outbox.book(Booking(mail.id, State.SENT, kept.wall))
        return bool(kept.made.holds(Cause.VOLUME))

    assert [claim() for _ in range(limit)] == [False, False, True]
    if ends == "on the admin's word":
        kept.pass_time(MINUTE)
        with kept.store.transaction():
            forget(kept.store, kept.wall)
    else:
        kept.pass_time(HOUR)
    kept.look()
    assert not kept.made.holds(Cause.VOLUME)
    if restarted:
        kept.made = kept.make()
    kept.pass_time(timedelta(milliseconds=500))
    assert [claim() for _ in range(limit)] == [False, False, True]
