"""Pure: how long to wait before a door is tried again. Reads no clock and throws no dice."""

from __future__ import annotations

from datetime import timedelta

FIRST = timedelta(seconds=5)
LONGEST = timedelta(minutes=15)  # also the shortest wait after refused credentials
_DOUBLINGS = 8  # 5 s doubled 8 times is above 15 min


def backoff(failures: int, jitter: float) -> timedelta:
    """Return how long to wait after so many failures in a row.

    failures  1 after the first failure; 0 means no wait.
    jitter    0.0 to 1.0; spreads the tries of several mailboxes over the last quarter of the wait.

    The wait doubles from 5 seconds to 15 minutes and never leaves these bounds.
    """
    if failures < 1:
        return timedelta(0)
    longest = min(LONGEST, FIRST * (1 << min(failures - 1, _DOUBLINGS)))
    shortest = max(FIRST, longest * 0.75)
    return shortest + (longest - shortest) * min(max(jitter, 0.0), 1.0)
