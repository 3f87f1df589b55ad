"""The desk's thread: after a start and after each sleep mail is read before a timer fires."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mailtickets.desk.pausing import Look
from mailtickets.deskthread import READ_FIRST_SECONDS, DeskThread
from mailtickets.standstill import Standstill
from tests.support import patience
from tests.support.desk import Desk

MINUTE, HOUR = 60.0, 3600.0
ANA, KIM = "Ana Client <ana@customer.example>", "Kim Archer <kim@desk.example>"


class Machine:
    """A thread over a store with a reminder that is due, and the clocks of its machine."""

    def __init__(self, folder: Path) -> None:
        desk = Desk(folder)
        desk.writes(ANA, "My printer is on fire.")
        desk.answers(
            desk.last("kim@desk.example"),
            KIM,
            "Please try water. Did that help?",
        )
        desk.close()
        self.wall, self.since_boot, self.awake = desk.now + timedelta(days=40), 1000.0, 1000.0
        self.looks = 0
        self.slept: list[float] = []
        desk.now = self.wall

        def make():
            desk.open()
            return desk.store, desk.line

        self.thread = DeskThread(make, lambda: None, self.slept.append, self.look, Standstill())
        self.thread.open().result(10)

    def look(self) -> Look:
        self.looks += 1
        return Look(self.wall, self.since_boot, self.awake)

    def pass_time(self, seconds: float, *, asleep: bool = False) -> None:
        if not asleep:
            self.awake += seconds
        self.wall, self.since_boot = self.wall + timedelta(seconds=seconds), self.since_boot + seconds
        if asleep:
            wanted = len(self.slept) + 1
            self.wait(lambda: len(self.slept) == wanted)

    def fires(self) -> bool:
        """Tell whether a timer has fired, after two more turns of the thread, which look at the clocks twice at most."""
        wanted = self.looks + 6
        self.wait(lambda: self.looks >= wanted)
        return bool(self.thread.call(self.reminders).result(10))

    def reminders(self) -> int:
        return sum(mail.kind == "reminder" for mail in self.thread._store.views.outbox(everything=True))

    @staticmethod
    def wait(what) -> None:
        end = time.monotonic() + 20 * patience.TIMES
        while not what():
            assert time.monotonic() < end
            time.sleep(0.01)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    one = Machine(tmp_path)
    yield one
    one.thread.stop(10)


def test_a_mailbox_that_cannot_be_read_holds_timers_for_a_quarter_of_an_hour(machine):
    """Counted in time awake."""
    machine.pass_time(READ_FIRST_SECONDS - 1)
    assert not machine.fires()
    machine.pass_time(2)
    assert machine.fires()


def test_each_sleep_begins_the_waiting_anew(machine):
    """Neither the start nor an earlier sleep ends it, however long the machine slept."""
    for _ in range(3):
        machine.pass_time(14 * MINUTE)
        assert not machine.fires()
        machine.pass_time(10 * HOUR, asleep=True)
        assert not machine.fires()
    machine.pass_time(14 * MINUTE)
    assert not machine.fires()
    machine.pass_time(2 * MINUTE)
    assert machine.fires()


def test_mail_that_was_read_before_the_sleep_does_not_count(machine):
    """Word of it may come late; only what was read since the sleep lets timers go."""
    before = machine.thread.held_since
    machine.pass_time(MINUTE)
    machine.pass_time(10 * HOUR, asleep=True)
    machine.thread.let_timers_go(before)
    assert not machine.fires()
    machine.thread.let_timers_go(machine.slept[-1])
    assert machine.fires()
