"""What the admins were told past the outbox, in a small file beside the store: a new start neither repeats nor forgets it.

The file is made with its full size while there is room and written over in place, so that a full disk can take it.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from mailtickets.desk.ticket import Alarm
from mailtickets.store.lock import give_to_owner

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SIZE = 4096  # one page: there are four kinds, and each text is cut
MAX_LETTERS = 200


@dataclass(frozen=True, slots=True)
class Told:
    """An alarm of which the admins know by one way at least.

    at       when they were told.
    over     they know of its end, too.
    mended   what it was about was put right while the desk stood still: its end is to be told.
    """

    alarm: Alarm
    at: datetime
    over: bool = False
    mended: bool = False


def path_of(store: Path) -> Path:
    """Return where this stands for a store."""
    return store.with_name(store.name + ".told")


def write(store: Path, told: Mapping[str, Told]) -> bool:
    """Write over what stood there; return whether that was possible."""
    rows = [
        [one.alarm.kind, *(text[:MAX_LETTERS] for text in (one.alarm.what, one.alarm.why, one.alarm.remedy)),
         one.at.isoformat(timespec="seconds"), one.over,
         one.alarm.since.isoformat(timespec="seconds") if one.alarm.since else "", one.mended]
        for one in told.values()
    ]  # fmt: skip
    raw = json.dumps(rows, ensure_ascii=False).encode().ljust(SIZE)
    try:
        number = os.open(path_of(store), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            give_to_owner(store, number)
            return os.pwrite(number, raw, 0) == len(raw)
        finally:
            os.close(number)
    except OSError:
        return False


def read(store: Path) -> dict[str, Told]:
    """Return what was told, by kind; nothing where that cannot be read."""
    try:
        rows = json.loads(path_of(store).read_text(encoding="utf-8"))
        return {
            kind: Told(
                Alarm(kind, what, why, remedy, since=datetime.fromisoformat(since) if since else None),
                datetime.fromisoformat(at), bool(over), bool(mended),
            )
            for kind, what, why, remedy, at, over, since, mended in rows
        }  # fmt: skip
    except (OSError, ValueError, TypeError):
        return {}


def note_mended(store: Path, kind: str) -> None:
    """Say that the cause of what was told is gone; for commands, while no daemon runs."""
    known = read(store)
    if kind in known and not known[kind].over:
        write(store, known | {kind: replace(known[kind], mended=True)})


def remove(store: Path) -> None:
    """Say that nothing was told."""
    with contextlib.suppress(OSError):
        path_of(store).unlink(missing_ok=True)
