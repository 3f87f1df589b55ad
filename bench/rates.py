"""How fast mails become tickets and acknowledgements, beside the budget measured around each run."""

from __future__ import annotations

import sqlite3
import statistics
import zlib
from dataclasses import dataclass
from pathlib import Path

from bench import budget
from bench.desk import Desk, Servers
from bench.tools import benchlib


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run.

    sends   mails out for each mail in.
    growth  bytes by which the store grew for each mail; packed: the mail's own compressed size.
    """

    name: str
    mails: int
    seconds: float
    cpu: float
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
        """The rate as a share of the machine's budget for as many sends."""
        return self.rate / self.budget.rate(self.sends)

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.rate:.1f}/s, budget {self.budget.rate(self.sends):.1f}/s ({self.budget}, {self.sends} send(s)),"
            f" ratio {self.ratio:.2f}; cpu {1000 * self.cpu / self.mails:.2f} ms a mail; store {self.growth / 1024:.1f} KB a mail"
        )


def corpus(work: Path, name: str, *arguments: str) -> list[Path]:
    """Make a folder of mails once; return them in order."""
    folder = work / "corpus" / name
    if not (folder / "truth.json").exists():
        benchlib.corpus(str(folder), *arguments)
    return [Path(path) for path in benchlib.mails(str(folder))]


def new_mails(work: Path, count: int, seed: int = 11) -> list[Path]:
    """Return mails of the preset `new`: 72 KB in the mean, one new ticket each."""
    return corpus(
        work, f"new-{count}-{seed}", "make", "--n", str(count), "--seed", str(seed), "--preset", "new"
    )


def packed_size(mails: list[Path]) -> float:
    """Return the mean compressed size of mails as they come over IMAP, in bytes."""
    sizes = [len(zlib.compress(mail.read_bytes().replace(b"\n", b"\r\n"))) for mail in mails]
    return statistics.fmean(sizes)


def store_bytes(store: Path) -> int:
    """Return the size of a closed store's file, its log written back."""
    connection = sqlite3.connect(store)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return store.stat().st_size


def measured(
    servers: Servers, desk: Desk, mails: list[Path], name: str, *, sends: int, expected: int = 0
) -> Run:
    """Let a desk take waiting mails; from its login at Dovecot to the last mail accepted by the sink.

    The login comes a little before the first fetch, so opening the folder and reading sizes count too.
    expected   mails out, where that is not `sends` for each mail in.
    """
    servers.fill(desk.user, mails)
    port = servers.dovecot.imap
    before_bytes = store_bytes(desk.store) if desk.store.exists() else 0
    first = budget.measure(port, desk.user, len(mails), desk.folder, desk.smtp_port)
    known = len(desk.sink.rows)
    started = desk.start()
    rows = desk.sink.wait(known + (expected or sends * len(mails)), desk)
    cpu = desk.cpu()
    login = servers.login_at(desk.user, started)
    seconds = max(row["t"] for row in rows[known:]) - login
    desk.stop()
    second = budget.measure(port, desk.user, len(mails), desk.folder, desk.smtp_port)
    growth = (store_bytes(desk.store) - before_bytes) / len(mails)
    return Run(
        name, len(mails), seconds, cpu, sends, budget.mean([first, second]), growth, packed_size(mails)
    )


def new(servers: Servers, work: Path, count: int, number: int, *, agents: int = 0) -> tuple[Run, Path]:
    """New tickets on a fresh desk; return the run and the folder of what the sink stored."""
    name = "agents" if agents else "new"
    folder = work / f"{name}-{number}"
    with Desk(folder, servers.dovecot.imap, f"{name}{number}", agents=agents) as desk:
        run = measured(servers, desk, new_mails(work, count), name, sends=1 + agents)
    return run, folder
