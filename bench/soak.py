"""Many mails with faults at random: nothing lost, nothing doubled, books that balance, memory that stays flat.

Half the mails are new requests of 8 KB; of the other half four fifths are machines' mail, bounces, lists and duplicates.
They come in while the daemon runs. Every few seconds something breaks: the daemon is killed or stopped for a moment,
Dovecot is started anew, the mail server for outgoing mail goes away. The seed is printed, and repeats the faults, not
the moment at which they meet the work. The daemon is killed in the first half only: a life that ends after seconds says
nothing about memory, so that of the one long life of the second half is judged, after its caches have filled.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.desk import Desk, Servers, Sink
from bench.rates import corpus
from bench.report import Figure, Report
from bench.tools import PROJECT, benchlib

if TYPE_CHECKING:
    from pathlib import Path

CHUNK, BACKLOG = 250, 1000
FLAT = 1.15
FAULTS = ("kill", "kill", "kill", "pause", "dovecot", "smtp")
SURVIVED = ("pause", "dovecot", "smtp")
WAIT_SECONDS = (4.0, 14.0)
LIMIT_SECONDS = 3600.0


@dataclass
class Lives:
    """Memory of the daemon and its children, in MiB: the peak of each tenth of the way."""

    peaks: dict[int, float] = field(default_factory=dict)

    def see(self, part: int, mebibytes: float) -> None:
        self.peaks[part] = max(self.peaks.get(part, 0.0), mebibytes)


class Feeder(threading.Thread):
    """Puts mails into the mailbox a chunk at a time, never far ahead of the desk."""

    def __init__(self, servers: Servers, user: str, mails: list[Path], taken) -> None:
        super().__init__(daemon=True)
        self._servers, self._user, self._mails, self._taken = servers, user, mails, taken
        self.fed = 0
        self.over = threading.Event()

    def run(self) -> None:
        while self.fed < len(self._mails) and not self.over.is_set():
            if self.fed - self._taken() > BACKLOG:
                time.sleep(0.2)
                continue
            self._servers.fill(self._user, self._mails[self.fed : self.fed + CHUNK])
            self.fed += len(self._mails[self.fed : self.fed + CHUNK])


def ask(desk: Desk, sql: str, *values: object) -> list[tuple]:
    """Read the store from outside; nothing while there is none, or none that can be read now."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{desk.store}?mode=ro", uri=True, timeout=30)) as store:
            return store.execute(sql, values).fetchall()
    except sqlite3.OperationalError:
        return []


def taken(desk: Desk) -> int:
    """Return how many copies the ledger has."""
    return (ask(desk, "SELECT count(*) FROM copy") or [(0,)])[0][0]


def left(desk: Desk) -> tuple[int, int]:
    """Return (mails to decide, mails to send)."""
    rows = ask(
        desk,
        "SELECT (SELECT count(*) FROM copy WHERE state = 'waiting'),"
        " (SELECT count(*) FROM outbox WHERE state IN ('queued', 'deferred', 'sending'))",
    )
    return rows[0] if rows else (1, 1)


def break_something(what: str, desk: Desk, servers: Servers, dice: random.Random) -> None:
    """Make one fault happen, and end it."""
    if what == "kill":
        os.kill(desk.pid, signal.SIGKILL)
        desk.wait()
        desk.start()
    elif what == "pause":
        os.kill(desk.pid, signal.SIGSTOP)
        time.sleep(dice.uniform(0.5, 4.0))
        os.kill(desk.pid, signal.SIGCONT)
    elif what == "dovecot":
        servers.dovecot.stop()
        time.sleep(dice.uniform(0.0, 3.0))
        servers.dovecot.start()
    elif what == "smtp":
        os.kill(desk.sink.pid, signal.SIGKILL)
        desk.sink.p.wait()
        time.sleep(dice.uniform(0.0, 4.0))
        old, desk.sink = desk.sink, Sink(desk.folder / "sink", desk.smtp_port)
        old.log.close()


def make(work: Path, count: int) -> tuple[list[Path], list[dict]]:
    """Return the mails and what must come of each."""
    mails: list[Path] = []
    truth: list[dict] = []
    for preset, share, seed in (("plain8k", count // 2, "29"), ("noise", count - count // 2, "31")):
        name = f"soak-{preset}-{share}"
        mails += corpus(
            work, name, "make", "--n", str(share), "--seed", seed, "--preset", preset, "--prefix", preset
        )
        said = json.loads((work / "corpus" / name / "truth.json").read_text())
        truth += said["mails"]
    # Mixed, each half in its own order: what a mail repeats or answers comes before it.
    half, dice = count // 2, random.Random(29)
    first = set(dice.sample(range(count), half))
    halves = iter(range(half)), iter(range(half, count))
    order = [next(halves[place not in first]) for place in range(count)]
    return [mails[i] for i in order], [truth[i] for i in order]


def stage(servers: Servers, work: Path, report: Report, *, mails: int, seed: int | None = None) -> None:
    """Feed, break, settle, and count."""
    seed = random.randrange(1_000_000) if seed is None else seed
    dice, broken, memory = random.Random(seed), Counter(), Lives()
    report.say(f"soak: seed {seed}, {mails} mails")
    files, truth = make(work, mails)
    with Desk(
        work / "soak", servers.dovecot.imap, "soak", agents=1, level="warning", smtp='retry = ["2s"]'
    ) as desk:
        servers.fill("soak", [])
        desk.start()
        feeder = Feeder(servers, "soak", files, lambda: taken(desk))
        feeder.start()
        started, next_fault, said = time.monotonic(), time.monotonic() + 10, 0.0
        try:
            while time.monotonic() - started < LIMIT_SECONDS:
                now = time.monotonic()
                memory.see(10 * taken(desk) // (len(files) + 1), benchlib.tree_mem(desk.pid)[0])
                if now - said > 30:
                    said = now
                    report.say(
                        f"soak: {taken(desk)} of {len(files)} taken, {left(desk)} left, faults {dict(broken)}"
                    )
                if feeder.fed == len(files) and taken(desk) >= len(files) and left(desk) == (0, 0):
                    break
                if now > next_fault and feeder.fed < len(files):
                    what = dice.choice(FAULTS if feeder.fed < len(files) // 2 else SURVIVED)
                    broken[what] += 1
                    break_something(what, desk, servers, dice)
                    next_fault = time.monotonic() + dice.uniform(*WAIT_SECONDS)
                time.sleep(0.25)
            else:
                raise RuntimeError(
                    f"not at rest after {LIMIT_SECONDS} s: {left(desk)} left\n{desk.log[-3000:]}"
                )
        finally:
            feeder.over.set()
            feeder.join()
        seconds = time.monotonic() - started
        server_code, server_words = compare(desk)
        figures(desk, report, truth, memory)
        desk.stop()
    report.say(server_words)
    report.add(Figure("soak: mails", len(files), f"in {seconds / 60:.0f} min, seed {seed}"))
    report.add(
        Figure(
            "soak: faults",
            sum(broken.values()),
            ", ".join(f"{n} {what}" for what, n in sorted(broken.items())),
        )
    )
    report.add(
        Figure("soak: the mailbox and the books differ", float(server_code), "", "0", server_code == 0)
    )


def compare(desk: Desk) -> tuple[int, str]:
    """Run `mailtickets ledger --server` and return its exit code and words."""
    done = subprocess.run(
        [sys.executable, "-m", "mailtickets", "--config", str(desk.folder / "config.toml"), "ledger", "--server"],
        cwd=PROJECT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def figures(desk: Desk, report: Report, truth: list[dict], memory: Lives) -> None:
    """Count what became of the mails."""
    states = dict(ask(desk, "SELECT state, count(*) FROM copy GROUP BY state"))
    rows = desk.sink.rows
    out = Counter((row["Message-ID"], tuple(row["rcpt"])) for row in rows if "Auto-Submitted" in row)
    uncertain = {row[0] for row in ask(desk, "SELECT message_id FROM outbox WHERE state = 'uncertain'")}
    ours = {row[0]: row[1] for row in ask(desk, "SELECT message_id, kind FROM outbox")}
    accepted = {row["Message-ID"] for row in rows}
    doubled = sum(count - 1 for count in out.values())
    lost = sum(1 for message_id in ours if message_id not in accepted and message_id not in uncertain)
    tickets = ask(desk, "SELECT count(*) FROM ticket")[0][0]
    # A list may be written to by a person: its mail is a ticket that is not acknowledged (design section 4).
    wanted = sum(bool(one["create"]) or one["class"] == "list" for one in truth)
    persons = {one["msgid"] for one in truth if one["ack"]}
    machines = {one["msgid"] for one in truth} - persons
    answered = sum(
        row.get("In-Reply-To") in machines for row in rows if ours.get(row["Message-ID"]) == "acknowledgement"
    )
    unexplained = sum(states.values()) - sum(
        states.get(s, 0) for s in ("on_ticket", "ignored", "held", "quarantined")
    )
    report.say(
        f"soak: {states}, {len(uncertain)} uncertain of {len(ours)} mails out, {answered} machines answered"
    )
    report.add(
        Figure(
            "soak: tickets missing or too many",
            float(abs(tickets - wanted)),
            f"of {wanted}",
            "0",
            tickets == wanted,
        )
    )
    report.add(Figure("soak: unexplained in the ledger", float(unexplained), "", "0", unexplained == 0))
    report.add(
        Figure(
            "soak: mails in quarantine",
            float(states.get("quarantined", 0)),
            "",
            "0",
            not states.get("quarantined"),
        )
    )
    report.add(Figure("soak: mails out that are nowhere", float(lost), f"of {len(ours)}", "0", lost == 0))
    report.add(
        Figure("soak: automatic mails doubled", float(doubled), f"of {sum(out.values())}", "0", doubled == 0)
    )
    report.add(Figure("soak: machines answered", float(answered), f"of {len(machines)}", "0", answered == 0))
    twice = len(
        ask(desk, "SELECT 1 FROM outbox WHERE kind = 'acknowledgement' GROUP BY ticket HAVING count(*) > 1")
    )
    report.add(Figure("soak: tickets acknowledged twice", float(twice), f"of {tickets}", "0", twice == 0))
    report.add(Figure("soak: uncertain, listed for the admin", float(len(uncertain)), "mails"))
    # Tenths of the long life: the first fills the caches, then two are held against the last two.
    first, last = (statistics.mean(memory.peaks.get(part, 0.0) for part in two) for two in ((6, 7), (8, 9)))
    flat = 0 < last <= first * FLAT
    report.add(
        Figure(
            "soak: memory of a long life, its end / its middle",
            last / (first or 1),
            f"{first:.0f}, {last:.0f} MiB; all tenths: {', '.join(f'{memory.peaks[n]:.0f}' for n in sorted(memory.peaks))}",
            f"<= {FLAT}",
            flat,
        )
    )
    integrity = ask(desk, "PRAGMA integrity_check")
    report.add(Figure("soak: store whole", float(integrity == [("ok",)]), "", "1", integrity == [("ok",)]))
