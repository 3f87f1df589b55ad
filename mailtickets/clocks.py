"""The clocks of this machine: wall time, and time since it was started, with and without its sleep.

MAILTICKETS_CLOCK names a file with seconds that are added to the wall clock, and perhaps further ones for the
time since the start ("86400" or "86400 86400"): so a test lets three days pass, puts the clock wrong, or lets the
machine sleep. The file is looked at each time.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mailtickets.desk.pausing import Look

if TYPE_CHECKING:
    from collections.abc import Callable


def _shifts() -> tuple[float, float]:
    file = os.environ.get("MAILTICKETS_CLOCK")
    if not file:
        return 0.0, 0.0
    words = Path(file).read_text(encoding="ascii").split()
    return float(words[0]) if words else 0.0, float(words[1]) if words[1:] else 0.0


def utc_now() -> datetime:
    """Return the present time, aware."""
    return datetime.now(UTC) + timedelta(seconds=_shifts()[0])


def since_boot() -> float:
    """Return seconds since this machine was started, also those in which it slept (CLOCK_BOOTTIME); never set by hand."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) + _shifts()[1]


def awake() -> float:
    """Return seconds since this machine was started, without those in which it slept (CLOCK_MONOTONIC)."""
    return time.monotonic()


def look_at_clocks(clock: Callable[[], datetime] = utc_now) -> Look:
    """Return all clocks at this moment; `clock` gives the wall time."""
    return Look(clock(), since_boot(), awake())
