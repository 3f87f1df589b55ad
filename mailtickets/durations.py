"""Pure: durations and sizes as an admin writes them ("90s", "24h", "5d"; "25MB")."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta

SECONDS_OF = {"s": 1, "m": 60, "h": 3600, "d": 86400}
BYTES_OF = {"": 1, "B": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}

_DURATION = re.compile(r"([0-9]{1,12})(w?)([smhd])\Z")
_NEARLY_DURATION = re.compile(
    r"\s*([0-9]{1,12})\s*(s|sec|secs|seconds?|m|min|mins|minutes?|h|hrs?|hours?|d|days?)?\s*\Z", re.IGNORECASE
)
_SIZE = re.compile(r"([0-9]{1,12})(B|KB|MB|GB|)\Z")

WORKING_TIME_REASON = "working hours come with calendars, which this version does not have yet"


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time in plain hours, with the text it was written as; compares by length."""

    seconds: int
    text: str = field(default="", compare=False)

    @property
    def timedelta(self) -> timedelta:
        """The same length for counting with datetimes (in UTC: 24h are 24 real hours)."""
        return timedelta(seconds=self.seconds)

    def __str__(self) -> str:
        return self.text or f"{self.seconds}s"

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read "90s", "30m", "24h" or "5d".

        Raises ValueError with "reason; remedy" for anything else, also for working time ("4wh").
        """
        found = _DURATION.match(text)
        if found is None:
            raise ValueError(f"not a duration; {_duration_remedy(text)}")
        number, working, unit = found.groups()
        if working:
            raise ValueError(f'{WORKING_TIME_REASON}; write plain time such as "{number}{unit}"')
        return cls(int(number) * SECONDS_OF[unit], text)


def _duration_remedy(text: str) -> str:
    nearly = _NEARLY_DURATION.match(text[:100])
    if nearly and nearly[2]:
        return f'write "{nearly[1]}{nearly[2][0].lower()}"'
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
