"""How fast mails become tickets and acknowledgements, beside the budget measured around each run."""

from __future__ import annotations

import sqlite3
import statistics
import time
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench import budget
from bench.desk import Desk, Servers
from bench.report import Report, median
from bench.tools import benchlib

GROWTH_FACTOR, GROWTH_BYTES = 1.2, 8192  # promised: at most 1.2 times the compressed original, and 8 KB
QUIET_SECONDS, LIMIT_SECONDS = 20.0, 600.0


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run.

    cpu      seconds of processor time of the daemon with its children; sink_cpu: of the sink.
    sends    mails out for each mail in.
    growth   bytes by which the store grew for each mail; packed: the mail's own compressed size.
    """

    name: str
    mails: int
    seconds: float
    cpu: float
    sink_cpu: float
    sends: int
    budget: budget.Budget
    growth: float
    packed: float

    @property
    def rate(self) -> float:
        """Mails in a second."""
        return self.mails / self.seconds

    @property
    def ratio(self) -> float:
        """The rate as a share of the machine's budget for as many small mails out."""
        return self.rate / self.budget.rate(self.sends)

    @property
    def carried_ratio(self) -> float:
        """The same, where all mails out but the acknowledgement are as large as the one that came in."""
        return self.rate / self.budget.rate(1, self.sends - 1)

    @property
    def growth_share(self) -> float:
        """The store's growth as a share of what is promised."""
        return self.growth / (GROWTH_FACTOR * self.packed + GROWTH_BYTES)

    def __str__(self) -> str:
        each = 1000 / self.mails
        return (
            f"{self.name}: {self.rate:.1f}/s of {self.budget.rate(max(self.sends, 1)):.0f}/s ({self.budget}); cpu a mail: desk"
            f" {each * self.cpu:.1f} ms, sink {each * self.sink_cpu:.1f} ms; store {self.growth / 1024:.1f} KB a mail"
        )


def corpus(work: Path, name: str, *arguments: str) -> list[Path]:
    """Make a folder of mails once; return them in order."""
    folder = work / "corpus" / name
    if not (folder / "truth.json").exists():
        benchlib.corpus(str(folder), *arguments)
    return [Path(path) for path in benchlib.mails(str(folder))]


def new_mails(work: Path, count: int, seed: int = 11) -> list[Path]:
    """Return mails of the preset `new`: 72 KB in the mean, one new ticket each."""
    name = f"new-{count}-{seed}"
    return corpus(work, name, "make", "--n", str(count), "--seed", str(seed), "--preset", "new")


def reply_mails(desk: Desk, count: int) -> list[Path]:
    """Return customers' answers to the acknowledgements that a desk's sink has stored."""
    folder, only = str(desk.folder / "replies"), r"^\[SUP-[0-9]+\] We have"
    benchlib.corpus(
        folder, "replies", "--acks", desk.sink.dir, "--n", str(count), "--mode", "both", "--only", only
    )
    return [Path(path) for path in benchlib.mails(folder)]


def packed_size(mails: list[Path]) -> float:
    """Return the mean compressed size (zlib, its usual level) of mails as they come over IMAP, in bytes."""
    return statistics.fmean(len(zlib.compress(mail.read_bytes().replace(b"\n", b"\r\n"))) for mail in mails)


def store_bytes(store: Path) -> int:
    """Return the size of a closed store's file, its log written back."""
    if not store.exists():
        return 0
    connection = sqlite3.connect(store)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return store.stat().st_size


def measured(servers: Servers, desk: Desk, mails: list[Path], name: str, *, sends: int) -> Run:
    """Let a desk take mails that wait in Dovecot; from its login there to the last mail accepted by the sink.

    The login comes a little before the first fetch, so opening the folder and reading sizes count too. Where
    the desk sends nothing, the last mail decided ends the run.
    """
    first, count = servers.fill(desk.user, mails), len(mails)
    before_bytes = store_bytes(desk.store)

    def budget_now() -> budget.Budget:
        numbers = range(first, first + count)
        return budget.measure(servers.dovecot.imap, desk.user, numbers, desk.folder, desk.smtp_port)

    before = budget_now()
    known, sink_cpu = len(desk.sink.rows), benchlib.tree_cpu(desk.sink.pid)
    started = desk.start()
    end = last_accepted(desk, known + sends * count) if sends else last_decided(desk, count)
    seconds, cpu = end - servers.login_at(desk.user, started), desk.cpu()
    sink_cpu = benchlib.tree_cpu(desk.sink.pid) - sink_cpu
    desk.stop()
    growth = (store_bytes(desk.store) - before_bytes) / count
    both = budget.mean([before, budget_now()])
    return Run(name, count, seconds, cpu, sink_cpu, sends, both, growth, packed_size(mails))


def last_accepted(desk: Desk, expected: int) -> float:
    """Wait for so many mails in the sink; return when the last of them was accepted."""
    rows = desk.sink.wait(expected, desk, QUIET_SECONDS, LIMIT_SECONDS)
    return rows[expected - 1]["t"]


def last_decided(desk: Desk, expected: int) -> float:
    """Wait until so many mails are on tickets, by the log; return the time of the last one's line."""
    end, seen, last = time.monotonic() + LIMIT_SECONDS, -1, time.monotonic()
    while (now := desk.log.count(" on_ticket ")) < expected:
        desk.check()
        if now != seen:
            seen, last = now, time.monotonic()
        if time.monotonic() > end or time.monotonic() - last > QUIET_SECONDS:
            raise RuntimeError(f"{now} of {expected} mails are on tickets, then no more\n{desk.log[-3000:]}")
        time.sleep(0.2)
    line = next(line for line in reversed(desk.log.splitlines()) if " on_ticket " in line)
    return datetime.fromisoformat(line.split()[0]).timestamp()


def once(servers: Servers, work: Path, count: int, number: int, agents: int) -> tuple[Run, Run]:
    """Measure new tickets on a fresh desk, then customers' answers to them on the same desk."""
    name = f"agents{number}" if agents else f"new{number}"
    with Desk(work / name, servers.dovecot.imap, name, agents=agents) as desk:
        mails = new_mails(work, count)
        new = measured(servers, desk, mails, f"new, {agents} agents", sends=1 + agents)
        answers = reply_mails(desk, count)
        replies = measured(servers, desk, answers, f"replies, {agents} agents", sends=agents)
    return new, replies


def stage(servers: Servers, work: Path, report: Report, *, mails: int, repeat: int) -> None:
    """New tickets and replies, without agents and with two; growth of the store."""
    runs: dict[int, list[tuple[Run, Run]]] = {0: [], 2: []}
    for number in range(repeat):
        for agents, done in runs.items():
            done.append(once(servers, work, mails, number, agents))
            for run in done[-1]:
                report.say(str(run))
    alone, told = runs[0], runs[2]
    new = [one for one, _ in alone]
    report.add(median("budget, one send", [run.budget.rate(1) for run in new], "mails/s"))
    report.add(median("new tickets", [run.rate for run in new], "mails/s"))
    report.add(median("new tickets / budget", [run.ratio for run in new], "", ">= 0.6", least=0.6))
    for name, pairs in (("no agents", alone), ("2 agents", told)):
        shares = [answer.rate / one.rate for one, answer in pairs]
        report.add(median(f"replies, {name}", [answer.rate for _, answer in pairs], "mails/s"))
        report.add(median(f"replies / new tickets, {name}", shares, "", ">= 1", least=1.0))
    agents = [one for one, _ in told]
    report.add(median("budget, three sends", [run.budget.rate(3) for run in agents], "mails/s"))
    report.add(median("new tickets, 2 agents told", [run.rate for run in agents], "mails/s"))
    report.add(
        median("new tickets, 2 agents told / budget", [run.ratio for run in agents], "", ">= 0.5", least=0.5)
    )
    report.add(median("  the same, budget with sends as large", [run.carried_ratio for run in agents], ""))
    for name, listed in (
        ("no agents", new),
        ("2 agents", agents),
        ("replies, 2 agents", [r for _, r in told]),
    ):
        report.add(median(f"store growth, {name}", [run.growth / 1024 for run in listed], "KB/mail"))
        report.add(
            median(
                f"store growth / promised, {name}", [run.growth_share for run in listed], "", "<= 1", most=1
            )
        )
