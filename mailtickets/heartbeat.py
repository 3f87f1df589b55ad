"""The heartbeat: a small file beside the store by which others see that the daemon lives, and how it is.

Written anew every few seconds, whole or not at all, mode 0600, and removed at a clean end. Its age is that of the
file itself: on a full disk it cannot be written, but still be touched.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mailtickets.store.lock import give_to_owner

if TYPE_CHECKING:
    from pathlib import Path

BEAT_SECONDS = 10.0
STALE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Beat:
    """How the daemon is. Times are RFC 3339 in UTC, null where there is none; troubles have kind, what, why, remedy, since.

    last_poll    of each mailbox; a folder of sent mail as NAME/FOLDER.
    failures     what does not work now, also where the admins' patience is not over: as troubles.
    oldest_due   since when the mail waits that should have been sent first.
    """

    pid: int
    at: str
    started_at: str
    version: str
    last_poll: dict[str, str | None] = field(default_factory=dict)
    last_send: str | None = None
    oldest_due: str | None = None
    loop_lag_s: float = 0.0
    desk_turn_age_s: float = 0.0
    troubles: list[dict[str, str]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)


def path_of(store: Path) -> Path:
    """Return where the heartbeat of a store's daemon is."""
    return store.with_name(store.name + ".heartbeat")


def write(store: Path, beat: Beat) -> bool:
    """Write the heartbeat; return whether that was possible. Without room for it the old one is touched instead."""
    path = path_of(store)
    fresh = path.with_name(path.name + ".new")
    try:
        number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            give_to_owner(store, number)
            json.dump(asdict(beat), file)
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            os.utime(path)
        return False
    return True


def read(store: Path) -> tuple[Beat, float] | None:
    """Return the last heartbeat and its age in seconds, or None where there is none to be read."""
    path = path_of(store)
    try:
        age = time.time() - path.stat().st_mtime
        written: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Beat(**{name: written[name] for name in Beat.__slots__ if name in written}), age
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove(store: Path) -> None:
    """Say that the daemon ended as it should."""
    with contextlib.suppress(OSError):
        path_of(store).unlink(missing_ok=True)
