"""Reads and decides one mail in a process that the operating system ends when it needs too much time or memory.

`meets_within` starts it; run as a module it is that process: `python -m tests.hostile.limited FOLDER SECONDS MEGABYTES < MAIL`.
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

from tests.hostile.desk import HostileDesk


def meets_within(folder: Path, raw: bytes, *, seconds: float, megabytes: int) -> dict[str, object]:
    """Return what came of a mail on a new desk: state, reason, kinds sent, text and entries of its ticket, CPU seconds.

    seconds    of processor time, for this mail alone; SIGPROF ends the process beyond.
    megabytes  of memory for all data of the process (RLIMIT_DATA), the program itself included.
    """
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.limited", str(folder), str(seconds), str(megabytes)],
        input=raw, capture_output=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr.decode()[-2000:]}"
    found: dict[str, object] = json.loads(done.stdout.decode().splitlines()[-1])
    return found


def _main(folder: str, seconds: str, megabytes: str) -> None:
    raw = sys.stdin.buffer.read()
    desk = HostileDesk(Path(folder))
    desk.writes("warm@up.example", "All modules are loaded by this one.")
    limit = int(megabytes) << 20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    before = resource.getrusage(resource.RUSAGE_SELF)
    signal.setitimer(signal.ITIMER_PROF, float(seconds))
    desk.receives(raw)
    signal.setitimer(signal.ITIMER_PROF, 0)
    after = resource.getrusage(resource.RUSAGE_SELF)
    state, reason, ticket = desk.copies()[-1]
    entries = desk.entries(ticket) if ticket else []
    print(json.dumps({
        "state": state,
        "reason": reason,
        "sent": [mail.kind for mail in desk.sent],
        "text": entries[0].text if entries else "",
        "marks": " ".join(f"{entry.reason}" for entry in entries),
        "seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }))  # fmt: skip
    desk.close()


if __name__ == "__main__":
    _main(*sys.argv[1:])
