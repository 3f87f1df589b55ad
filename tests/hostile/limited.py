"""Reads and decides one mail in processes that the operating system ends when they need too much time or memory.

`meets_within` starts them; run as a module it is the first of them: `python -m tests.hostile.limited FOLDER SECONDS MEGABYTES < MAIL`.
The second is the one in which the desk itself reads large mails.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.hostile.desk import HostileDesk

TICKS = os.sysconf("SC_CLK_TCK")


def meets_within(folder: Path, raw: bytes, *, seconds: float, megabytes: int) -> dict[str, Any]:
    """Return what came of a mail on a new desk, after the four standing rules were checked there.

    seconds    of processor time, for this mail alone; SIGPROF ends the process beyond, and within the next second
               SIGXCPU the one that reads large mails.
    megabytes  of memory for all data of each process (RLIMIT_DATA), the program itself included.

    state, reason, sent (kinds), customers (addresses); text and marks of the ticket's entries; why, as `mailtickets why`
    has it; notice and html: what an agent got; seconds of both processes, files: sizes of what went along with the notice.
    """
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.limited", str(folder), str(seconds), str(megabytes)],
        input=raw, capture_output=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr.decode()[-2000:]}"
    found: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    assert found["seconds"] <= seconds
    return found


class _Limited(HostileDesk):
    """A desk on which one mail, the next one that `meets` takes, has limits."""

    limit: float | None = None
    needed = 0.0

    def receives(self, raw: bytes, **more: Any) -> None:
        seconds, self.limit = self.limit, None
        if seconds is None:
            super().receives(raw, **more)
            return
        reader = self.line._reader._guard._child
        assert reader is not None
        before = _cpu_seconds(os.getpid()) + _cpu_seconds(reader.pid)
        most = math.ceil(_cpu_seconds(reader.pid) + seconds)
        resource.prlimit(reader.pid, resource.RLIMIT_CPU, (most, most))
        signal.setitimer(signal.ITIMER_PROF, seconds)
        super().receives(raw, **more)
        signal.setitimer(signal.ITIMER_PROF, 0)
        assert self.line._reader._guard._child is reader, "the process that reads large mails was ended"
        self.needed = _cpu_seconds(os.getpid()) + _cpu_seconds(reader.pid) - before


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS  # proc(5): utime and stime


def _main(folder: str, seconds: str, megabytes: str) -> None:
    raw = sys.stdin.buffer.read()
    desk = _Limited(Path(folder))
    desk.writes("warm@up.example", "All modules are loaded by this one.")
    desk.line._reader._guard.start()
    limit = int(megabytes) << 20
    assert desk.line._reader._guard._child is not None
    for process in (os.getpid(), desk.line._reader._guard._child.pid):
        _, most = resource.prlimit(
            process, resource.RLIMIT_DATA
        )  # the one that reads large mails has a limit of its own
        least = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.prlimit(process, resource.RLIMIT_DATA, (least, least))
    desk.limit = float(seconds)
    met = desk.meets(raw)
    entries = desk.entries(met.ticket) if met.ticket else []
    notice = next(iter(met.to("anna@desk.example")), None)
    parts = list(notice.parsed.walk()) if notice else []
    digest = hashlib.sha256(desk.as_stored(raw)).hexdigest()
    ((reasons,),) = desk._ask(f"SELECT why FROM copy WHERE digest = x'{digest}'")
    print(json.dumps({
        "state": met.state,
        "reason": met.reason,
        "sent": [mail.kind for mail in met.sent],
        "customers": sorted(met.customers),
        "text": entries[0].text if entries else "",
        "marks": " ".join(f"{entry.reason}" for entry in entries),
        "why": "; ".join(json.loads(reasons or "[]")),
        "notice": notice.text if notice else "",
        "html": notice.html if notice else "",
        "files": [len(part.get_payload()) for part in parts if part.get_content_disposition()],
        "seconds": desk.needed,
    }))  # fmt: skip
    desk.close()


if __name__ == "__main__":
    _main(*sys.argv[1:])
