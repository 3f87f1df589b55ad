"""What processes of our own, which read strangers' mail and draw pictures, get of the environment: no variable that may hold a password."""

from __future__ import annotations

import os

# How to find and run Python, words and times. Variables named in the configuration hold passwords, and nobody here knows which.
KEPT = frozenset(
    {
        "PATH",
        "HOME",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "VIRTUAL_ENV",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
    }
)
KEPT_BEGINNINGS = ("LC_", "PYTHON", "COVERAGE_", "MPL")


def environment() -> dict[str, str]:
    """Return the environment of such a process."""
    return {
        name: value for name, value in os.environ.items() if name in KEPT or name.startswith(KEPT_BEGINNINGS)
    }
