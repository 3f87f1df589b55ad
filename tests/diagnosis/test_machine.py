"""Disk and clock: the bounds between ok, warning and wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mailtickets.condition import Alive
from mailtickets.diagnosis.desk import judge_daemon
from mailtickets.diagnosis.machine import (
    Space,
    is_synchronised,
    judge_past,
    judge_space,
    judge_synchronised,
    space_of,
    zone_finding,
)

MB = 1_000_000
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def space(**more):
    whole = {"mount": Path("/var"), "free": 900 * MB, "store": 100 * MB, "wal": 4 * MB, "inodes": 10_000}
    return Space(**{**whole, "inodes_free": 5000, "readonly": False, **more})


def states(findings):
    return {one.check: one.state.value for one in findings}


@pytest.mark.parametrize(
    ("free", "store", "state"),
    [
        (49 * MB, 1 * MB, "wrong"),
        (50 * MB, 1 * MB, "ok"),
        (99 * MB, 1000 * MB, "wrong"),
        (100 * MB, 1000 * MB, "warning"),
        (999 * MB, 1000 * MB, "warning"),
        (1000 * MB, 1000 * MB, "ok"),
    ],
)
def test_free_space_is_judged_against_the_store(free, store, state):
    """Wrong below 50 MB or a tenth of the store, a warning where a copy of the store would not fit."""
    assert states(judge_space(space(free=free, store=store)))["disk.space"] == state


def test_a_full_disk_is_not_said_to_be_full_soon():
    """Where nothing is left no mail is taken in now; the command to find what takes the room can be copied."""
    for free, words in ((0, "no mail can be taken in"), (1 * MB, "soon no mail can be taken in")):
        (found, _) = judge_space(space(free=free))
        assert found.what.partition(": ")[2].endswith(words), found.what
        assert ("soon" in found.what) == bool(free)
        assert "`du -xh /var | sort -h | tail`" in found.remedy


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, {"disk.space": "ok", "disk.inodes": "ok"}),
        ({"inodes": 0, "inodes_free": 0}, {"disk.space": "ok"}),  # btrfs has no fixed number of them
        ({"inodes_free": 999}, {"disk.space": "ok", "disk.inodes": "warning"}),
        ({"inodes_free": 99}, {"disk.space": "ok", "disk.inodes": "wrong"}),
        ({"readonly": True}, {"disk.writable": "wrong", "disk.space": "ok", "disk.inodes": "ok"}),
        ({"wal": 101 * MB}, {"disk.space": "ok", "disk.inodes": "ok", "disk.journal": "warning"}),
    ],
)
def test_inodes_mount_and_journal(more, expected):
    """Each has its own line, and what is not in order names the mount and what to type."""
    findings = list(judge_space(space(**more)))
    assert states(findings) == expected
    assert all(one.remedy for one in findings if one.state.value != "ok")
    assert not any(one.remedy for one in findings if one.state.value == "ok")


def test_the_space_below_a_store_is_measured(tmp_path):
    """Also where the store is not there yet; with its journal where it is."""
    store = tmp_path / "desk.db"
    assert space_of(store).store == 0
    store.write_bytes(b"x" * 1000)
    store.with_name("desk.db-wal").write_bytes(b"x" * 300)
    found = space_of(store)
    assert (found.store, found.wal, found.readonly) == (1300, 300, False)
    assert found.mount.is_mount()
    assert found.free > 0


@pytest.mark.parametrize(
    ("ahead", "state"),
    [(timedelta(days=-3), "ok"), (timedelta(seconds=59), "ok"), (timedelta(minutes=2), "warning"), (timedelta(hours=1), "wrong")],
)  # fmt: skip
def test_a_clock_behind_the_store_went_back(ahead, state):
    """The store's newest time lies at most a breath ahead: a warning from a minute on, wrong from five."""
    assert states(judge_past(NOW + ahead, NOW)) == {"clock.store": state}


def test_a_new_store_says_nothing_of_the_clock():
    """Without a time in it there is nothing to compare."""
    assert list(judge_past(None, NOW)) == []


def test_the_kernels_word_on_its_clock():
    """Asked for real it answers something; an unknown answer is no warning."""
    assert is_synchronised() in {True, False, None}
    assert [judge_synchronised(one).state.value for one in (True, False, None)] == ["ok", "warning", "ok"]


def test_the_desks_own_time_is_shown():
    """In its zone, to compare with a watch."""
    assert zone_finding(ZoneInfo("Europe/Berlin"), NOW).what == "Mon 02 Mar 2026 10:00:00 in Europe/Berlin"


@pytest.mark.parametrize(
    ("alive", "minutes", "mailboxes", "state"),
    [
        (Alive(True, 3600, 3, 3), 1, 1, "ok"),
        (Alive(True, 3600, 3, 3), 16, 1, "wrong"),
        (Alive(True, 3600, 3, 3), None, 1, "wrong"),
        (Alive(True, 10, 3, 3), None, 1, "ok"),  # it was started just now
        (Alive(True, 10, 3, 3), 16, 1, "ok"),
        (Alive(True, 3600, 61, 61), 1, 1, "wrong"),  # it hangs
        (Alive(True, 3600, 3, 61), 1, 1, "wrong"),  # it can write nothing
        (Alive(True, 3600, 3, 3), None, 0, "ok"),  # mail comes by `receive` only
        (Alive(False), 1, 1, "wrong"),  # it ran, and does no more
        (Alive(False), None, 1, "warning"),  # not started yet
    ],
)
def test_the_daemon_is_judged_by_its_lock_its_heartbeat_and_its_last_poll(alive, minutes, mailboxes, state):
    """One that ran and does not is wrong; one that never ran may still be started."""
    last = None if minutes is None else NOW - timedelta(minutes=minutes)
    finding = judge_daemon(7 * alive.running, alive, last, NOW, mailboxes=mailboxes)
    assert finding.state.value == state
    assert bool(finding.remedy) == (state != "ok")
