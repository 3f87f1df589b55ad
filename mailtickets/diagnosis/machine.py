"""The machine below the desk: disk and clock. What is read here is judged by pure functions, which tests feed."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets.diagnosis.finding import Finding, ok, warning, wrong
from mailtickets.store.trouble import NEEDED_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

LEAST_BYTES = 50_000_000
LEAST_SHARE = 10  # a tenth of the store
FEW_INODES, SCARCE_INODES = 100, 1000
LARGE_WAL_BYTES = 100_000_000  # it is folded into the store at 4 MB, unless a reader holds it open
CLOCK_WENT_BACK = timedelta(minutes=1)
BY_FAR = timedelta(minutes=5)
STA_UNSYNC = 0x40  # adjtimex(2)


# Disk


@dataclass(frozen=True, slots=True)
class Space:
    """The file system that a store lies on, in bytes; `inodes` is 0 where it has no fixed number of them."""

    mount: Path
    free: int
    store: int
    wal: int
    inodes: int
    inodes_free: int
    readonly: bool


def space_of(store: Path) -> Space:
    """Return the space below a store, which need not exist. Raises OSError where its folder is not there."""
    about = os.statvfs(store.parent)
    mount = store.parent.resolve()
    while not mount.is_mount():
        mount = mount.parent
    return Space(
        mount,
        about.f_bavail * about.f_frsize,
        size_of(store),
        _bytes(_journal(store)),
        about.f_files,
        about.f_favail,
        bool(about.f_flag & os.ST_RDONLY),
    )


def size_of(store: Path) -> int:
    """Return how much a store takes, with its journal, in bytes; 0 where there is none."""
    return _bytes(store) + _bytes(_journal(store))


def _journal(store: Path) -> Path:
    return store.with_name(store.name + "-wal")


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def judge_space(space: Space) -> Iterator[Finding]:
    """Judge free space, inodes, the journal's size, and whether the file system can be written."""
    area, mount = "disk", space.mount
    if space.readonly:
        yield wrong(
            area,
            "writable",
            f"{mount} is mounted read-only: nothing can be stored",
            f"look for disk errors with `dmesg`, then `mount -o remount,rw {mount}`",
        )
    has = f"{words(space.free)} free on {mount}; the store has {words(space.store)}"
    larger = f"make room on {mount}: `du -xh {mount} | sort -h | tail`"
    if space.free < NEEDED_BYTES:
        yield wrong(area, "space", f"{has}: no mail can be taken in", larger)
    elif space.free < max(LEAST_BYTES, space.store // LEAST_SHARE):
        least = words(max(LEAST_BYTES, space.store // LEAST_SHARE))
        yield wrong(area, "space", f"{has}: less than {least}, soon no mail can be taken in", larger)
    elif space.free < space.store:
        yield warning(area, "space", f"{has}: a backup beside it would not fit", larger)
    else:
        yield ok(area, "space", has)
    left = f"{space.inodes_free} of {space.inodes} inodes free on {mount}"
    many = f"look for folders of very many files: `du --inodes -x {mount} | sort -n | tail`"
    if space.inodes and space.inodes_free < FEW_INODES:
        yield wrong(area, "inodes", left, many)
    elif space.inodes and space.inodes_free < SCARCE_INODES:
        yield warning(area, "inodes", left, many)
    elif space.inodes:
        yield ok(area, "inodes", left)
    if space.wal > LARGE_WAL_BYTES:
        yield warning(
            area,
            "journal",
            f"the store's journal (-wal) has {words(space.wal)}: something reads the store for very long",
            "end other programs that have the store open (fuser -v the file), then restart the daemon",
        )


def words(size_bytes: int) -> str:
    """Return a size for people: "12 MB", "3.4 GB"."""
    if size_bytes < 10_000_000_000:
        return f"{size_bytes / 1e6:.0f} MB" if size_bytes >= 1_000_000 else f"{size_bytes / 1e3:.0f} KB"
    return f"{size_bytes / 1e9:.0f} GB"


# Clock


def judge_past(last_stored: datetime | None, now: datetime) -> Iterator[Finding]:
    """Judge the clock by the newest time in the store: where that lies ahead, the clock went back."""
    if last_stored is None:
        return
    ahead = last_stored - now
    what = f"the store was last written at {last_stored:%Y-%m-%d %H:%M:%S} UTC, and it is {now:%Y-%m-%d %H:%M:%S}"
    remedy = "look with `date -u`, and set the clock right: timedatectl set-ntp true"
    if ahead > BY_FAR:
        yield wrong("clock", "store", f"{what}: the clock went back", remedy)
    elif ahead > CLOCK_WENT_BACK:
        yield warning("clock", "store", f"{what}: the clock went back", remedy)
    else:
        yield ok("clock", "store", f"not before the last time in the store, {last_stored:%Y-%m-%d %H:%M} UTC")


def judge_synchronised(synchronised: bool | None) -> Finding:
    """Judge what the kernel says of its clock; None = it may not be asked here."""
    if synchronised is None:
        return ok("clock", "synchronised", "unknown: the kernel may not be asked here")
    if synchronised:
        return ok("clock", "synchronised", "the kernel says that its clock is synchronised")
    return warning(
        "clock",
        "synchronised",
        "the kernel says that its clock is not synchronised with a time server",
        "timedatectl set-ntp true, or install chrony; nothing to do in a container or a machine whose host sets its clock",
    )


def zone_finding(zone: ZoneInfo, now: datetime) -> Finding:
    """Say what time it is on the desk, which a person can compare with a watch."""
    return ok("clock", "zone", f"{now.astimezone(zone):%a %d %b %Y %H:%M:%S} in {zone.key}")


class _Timex(ctypes.Structure):
    """The beginning of `struct timex`; the rest is room for what the kernel writes."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


def is_synchronised() -> bool | None:
    """Return whether the kernel believes its clock (adjtimex(2), modes = 0: only read); None where that cannot be asked."""
    timex = _Timex()
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    return None if answer < 0 else not timex.status & STA_UNSYNC
