"""Whether the desk stays as fast with a million open tickets: rate, search for due timers, start."""

from __future__ import annotations

import shutil
import statistics
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bench.desk import Desk, Servers
from bench.prefill import prefill
from bench.rates import measured, new_mails
from bench.report import Figure, Report, median
from mailtickets.config import load
from mailtickets.readying import digest_of
from mailtickets.recounting import COUNTED_UNDER
from mailtickets.store import Store

if TYPE_CHECKING:
    from pathlib import Path

SCANS = 500
START_SECONDS, SCAN_MS = 2.0, 1.0


def starts(servers: Servers, desk: Desk, times: int = 3) -> list[float]:
    """Return how long the daemon takes from its start to `ready`, with an empty mailbox."""
    servers.fill(desk.user, [])
    seconds = []
    for _ in range(times):
        at = desk.start()
        seconds.append(desk.ready() - at)
        desk.stop()
    return seconds


def note_counted(desk: Desk) -> None:
    """Say that all tickets were counted under this configuration: done once, in the background, in some minutes."""
    store = Store.open(desk.store, datetime.now(UTC))
    store.set_setting(COUNTED_UNDER, digest_of(load(desk.folder / "config.toml")))
    store.close()


def scans(store_path: Path) -> list[float]:
    """Return how long each search for due timers takes, in milliseconds; nothing is due."""
    store = Store.read(store_path)
    found = []
    for _ in range(SCANS):
        started = time.perf_counter()
        due = store.tickets.due(datetime.now(UTC))
        found.append(1000 * (time.perf_counter() - started))
        if due:
            raise RuntimeError("a timer of the filled store is due already")
    store.close()
    return found


def stage(servers: Servers, work: Path, report: Report, *, mails: int, repeat: int, tickets: int) -> None:
    """Small store and big store in turns, so that both meet the same noise."""
    filled = (work / f"filled-{tickets}.db").resolve()  # kept for the next time, where --work says so
    if not filled.exists():
        part = filled.with_suffix(".part")
        part.unlink(missing_ok=True)
        seconds = prefill(part, tickets)
        part.rename(filled)
        report.say(
            f"filled a store with {tickets} tickets in {seconds:.0f} s, {filled.stat().st_size / 1e9:.2f} GB"
        )
    files = new_mails(work, mails)
    small, big, small_starts, big_starts, scan = [], [], [], [], []
    for number in range(repeat):
        for name, runs, began in (("small", small, small_starts), ("big", big, big_starts)):
            folder = work / f"{name}{number}"
            with Desk(folder, servers.dovecot.imap, folder.name) as desk:
                if name == "big":
                    shutil.copyfile(filled, desk.store)
                    note_counted(desk)
                    scan += scans(desk.store)
                began.extend(starts(servers, desk))
                runs.append(measured(servers, desk, files, f"new, {name} store", sends=1))
            report.say(str(runs[-1]))
            desk.store.unlink()
    shares = [b.ratio / s.ratio for s, b in zip(small, big, strict=True)]
    report.add(median(f"new tickets with {tickets} in the store", [run.rate for run in big], "mails/s"))
    report.add(median("  as a share of the small store's", shares, "", ">= 0.8", least=0.8))
    report.add(
        Figure(
            "search for due timers, median",
            statistics.median(scan),
            "ms",
            f"< {SCAN_MS:g}",
            statistics.median(scan) < SCAN_MS,
        )
    )
    report.add(Figure("search for due timers, worst", max(scan), "ms"))
    report.add(median("start to ready, small store", small_starts, "s"))
    report.add(
        median("start to ready, big store", big_starts, "s", f"< {START_SECONDS:g}", most=START_SECONDS)
    )
