"""Pure: durations and sizes as an admin writes them ("90s", "24h", "5d"; "25MB")."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta

SECONDS_OF = {"s": 1, "m": 60, "h": 3600, "d": 86400}
BYTES_OF = {"": 1, "B": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}

_DURATION = re.compile(r"([0-9]{1,12})(w?)([smhd])\Z")
_NEARLY_DURATION = re.compile(
    r"\s*([0-9]{1,12})\s*(w(?:orking)?|business)?\s*"
    r"(s|sec|secs|seconds?|m|min|mins|minutes?|h|hrs?|hours?|d|days?)?\s*\Z",
    re.IGNORECASE,
)
_SIZE = re.compile(r"([0-9]{1,12})(B|KB|MB|GB|)\Z")


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time as it was written, plain or counted in working time; compares by its bare length.

    seconds   of plain time; of open time for "4wh"; for working days 24 hours each, which only ranges it.
    working   counted on a calendar: "4wh", "30wm", "5wd".
    days      so many working days on, to the same time of day; 0 for everything else.
    """

    seconds: int
    text: str = field(default="", compare=False)
    working: bool = False
    days: int = 0

    @property
    def timedelta(self) -> timedelta:
        """The same length for counting with datetimes in UTC, or on a calendar; no use for working days."""
        return timedelta(seconds=self.seconds)

    def __str__(self) -> str:
        return self.text or f"{self.seconds}s"

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read "90s", "30m", "24h", "5d", or working time: "30wm", "4wh", "5wd".

        Raises ValueError with "reason; remedy" for anything else.
        """
        found = _DURATION.match(text)
        if found is None:
            raise ValueError(f"not a duration; {_duration_remedy(text)}")
        number, working, unit = found.groups()
        days = int(number) if working and unit == "d" else 0
        return cls(int(number) * SECONDS_OF[unit], text, bool(working), days)


def _duration_remedy(text: str) -> str:
    nearly = _NEARLY_DURATION.match(text[:100])
    if nearly and nearly[3]:
        return f'write "{nearly[1]}{"w" if nearly[2] else ""}{nearly[3][0].lower()}"'
    if nearly and nearly[2]:
        weeks = int(nearly[1]) * 7
        return f'write "{weeks}d" for weeks, or working time with its unit, such as "{nearly[1]}wh"'
    if nearly:
        return f'write a number with its unit, such as "{nearly[1]}h" or "{nearly[1]}m"'
    return 'write a number and one of s, m, h, d, such as "90s", "30m", "24h" or "5d"'


def parse_size(text: str) -> int:
    """Return the bytes of "25MB", "600KB" or "1GB" (powers of ten, as mail servers count them).

    Raises ValueError with "reason; remedy".
    """
    found = _SIZE.match(text)
    if found is None:
        raise ValueError('not a size; write a number and one of B, KB, MB, GB, such as "25MB"')
    return int(found[1]) * BYTES_OF[found[2]]


def size_text(size_bytes: int) -> str:
    """Return the shortest exact way to write a size: 25000000 is "25MB"."""
    for unit in ("GB", "MB", "KB"):
        if size_bytes and size_bytes % BYTES_OF[unit] == 0:
            return f"{size_bytes // BYTES_OF[unit]}{unit}"
    return f"{size_bytes}B"
