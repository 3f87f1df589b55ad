"""`python -m bench`: speed and memory of the desk, as ratios beside this machine's own limits.

Everything runs on the loopback, in temporary folders, and ends by itself. Stages:

    rates     new tickets and replies, without agents and with two; growth of the store
    big       the same with a million tickets in the store; search for due timers; start
    latency   spaced mails: from delivery to acknowledgement
    memory    idle, and the peak over 5,000 mails
    reports   `mailtickets report` over a million tickets; needs no mail server
    soak      50,000 mails with faults at random; only when named
    hostile   the worst mails of each kind beside ordinary ones, and what the guard costs; needs no mail server
    clocks    deadlines, and a changed calendar with 100,000 open tickets
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from pathlib import Path

from bench import big_store, clocks, hostile, latency, memory, rates, reports, soak
from bench.desk import Servers
from bench.report import Report

STAGES = ("rates", "big", "latency", "memory", "clocks", "reports", "hostile")
ONLY_NAMED = ("soak",)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="all without this")
    parser.add_argument("--mails", type=int, default=1500, help="mails of a run (1500)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of rates and big (3)")
    parser.add_argument("--tickets", type=int, default=1_000_000, help="tickets in the big stores (1000000)")
    parser.add_argument("--spaced", type=int, default=200, help="mails of latency (200)")
    parser.add_argument("--many", type=int, default=5000, help="mails of memory (5000)")
    parser.add_argument("--soak", type=int, default=50_000, help="mails of the soak (50000)")
    parser.add_argument("--seed", type=int, help="repeat the faults of a soak")
    parser.add_argument(
        "--work", type=Path, help="folder that keeps mails and the filled store for the next time"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    read = parser.parse_args()
    if unknown := set(read.stages) - {*STAGES, *ONLY_NAMED}:
        parser.error(
            f"no such stage: {', '.join(sorted(unknown))}; there are {', '.join(STAGES + ONLY_NAMED)}"
        )
    return read


def run(stage: str, servers: Servers, work: Path, report: Report, read: argparse.Namespace) -> None:
    """Run one stage."""
    match stage:
        case "rates":
            rates.stage(servers, work, report, mails=read.mails, repeat=read.repeat)
        case "big":
            big_store.stage(servers, work, report, mails=read.mails, repeat=read.repeat, tickets=read.tickets)
        case "latency":
            latency.stage(servers, work, report, mails=read.spaced)
        case "memory":
            memory.stage(servers, work, report, mails=read.many)
        case "soak":
            soak.stage(servers, work, report, mails=read.soak, seed=read.seed)
        case "clocks":
            clocks.stage(work, report)


def main() -> None:
    """Run the stages that were asked for, and print their figures together at the end."""
    read, report = arguments(), Report()
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        kept = read.work
        if kept is None:
            kept = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailtickets-bench-")))
        kept.mkdir(parents=True, exist_ok=True)
        asked = read.stages or STAGES
        for stage in [one for one in (*STAGES, *ONLY_NAMED) if one in asked]:
            if stage == "reports":
                reports.stage(kept, report, tickets=read.tickets)
                continue
            if stage == "hostile":
                hostile.stage(report)
                continue
            # Fresh servers and a fresh folder for each stage; mails and the filled store are shared.
            with tempfile.TemporaryDirectory(prefix="run-", dir=kept) as folder, Servers() as servers:
                for shared in ("corpus", f"filled-{read.tickets}.db"):
                    (kept / "corpus").mkdir(exist_ok=True)
                    (Path(folder) / shared).symlink_to(kept / shared)
                run(stage, servers, Path(folder), report, read)
    if read.json:
        report.write(read.json)
    print(f"\n{report.table()}\n\n{(time.monotonic() - started) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
