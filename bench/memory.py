"""How much memory the desk takes: PSS of the daemon and all its children, so that shared pages count once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.desk import Desk, Servers
from bench.rates import LIMIT_SECONDS, new_mails
from bench.report import Figure, Report
from bench.tools import benchlib

if TYPE_CHECKING:
    from pathlib import Path

IDLE_MB, PEAK_MB = 80, 200
FLAT = 1.1  # the second half's peak may be this much above the first's
SETTLE_SECONDS = 5.0


def idle(desk: Desk) -> float:
    """Return the memory of a daemon that has nothing to do, in MiB."""
    time.sleep(SETTLE_SECONDS)
    return benchlib.tree_mem(desk.pid)[0]


def peak(desk: Desk, expected: int) -> float:
    """Return the highest memory until so many mails are in the sink, in MiB; sampled ten times a second."""
    sampler = benchlib.Peak([desk.pid])
    sampler.start()
    desk.sink.wait(expected, desk, limit=LIMIT_SECONDS)
    sampler.stop()
    return sampler.pss


def stage(servers: Servers, work: Path, report: Report, *, mails: int, agents: int = 2) -> None:
    """Idle before and after, and the peak over many mails, each half by itself."""
    files = new_mails(work, mails, seed=17)
    with Desk(work / "memory", servers.dovecot.imap, "memory", agents=agents) as desk:
        servers.fill("memory", [])
        desk.start()
        desk.ready()
        fresh = idle(desk)
        desk.stop()
        servers.fill("memory", files)
        desk.start()
        out = mails * (1 + agents)
        first, second = peak(desk, out // 2), peak(desk, out)
        after = idle(desk)
    highest = max(first, second)
    report.add(Figure("memory, idle after the start", fresh, "MiB", f"<= {IDLE_MB}", fresh <= IDLE_MB))
    report.add(
        Figure(f"memory, peak over {mails} mails", highest, "MiB", f"<= {PEAK_MB}", highest <= PEAK_MB)
    )
    report.add(Figure("memory, peak of the first half", first, "MiB"))
    report.add(
        Figure(
            "memory, peak of the second half",
            second,
            "MiB",
            f"<= {FLAT} x first half",
            second <= FLAT * first,
        )
    )
    report.add(Figure("memory, idle after these mails", after, "MiB"))
