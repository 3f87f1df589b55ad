"""What this machine can do at best, one step after the other, with the same mails.

    seconds per mail = fetch + parse + commit + sends x send        budget = 1 / seconds per mail

    fetch    raw IMAP client, BODY.PEEK[] in batches of 50, from the same Dovecot and the same folder
    parse    the standard library's BytesParser (compat32), eight headers read, all parts decoded
    commit   one small row in one SQLite transaction, WAL, synchronous = FULL
    send     one mail of acknowledgement's size over one reused connection into the storing sink
    carry    the same with the mails themselves; only where agents get them with their attachments

That is the work that no desk can leave out, done by the cheapest means that Python has, in one
process. A desk does more (decides, composes, files, indexes), and may do it side by side.
"""

from __future__ import annotations

import asyncio
import email.parser
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import aiosmtplib

from bench.imap_client import RawImap
from bench.tools import benchlib

HEADERS = (
    "From",
    "To",
    "Subject",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Date",
    "Auto-Submitted",
)
COMMITS = 400
SAMPLE = 400  # mails that are parsed, and mails that are sent
CARRIED = 100


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds that each step takes for one mail."""

    fetch: float
    parse: float
    commit: float
    send: float
    carry: float

    def rate(self, sends: int = 1, carried: int = 0) -> float:
        """Mails in a second, at best, with so many small mails out for each, and so many of the mail's own size."""
        base = self.fetch + self.parse + self.commit
        return 1 / (base + sends * self.send + carried * self.carry)

    def __str__(self) -> str:
        steps = ("fetch", "parse", "commit", "send", "carry")
        return ", ".join(f"{name} {1000 * getattr(self, name):.2f}" for name in steps) + " ms"


def mean(budgets: list[Budget]) -> Budget:
    """Return the mean of measurements made before and after a run."""
    columns = zip(*((b.fetch, b.parse, b.commit, b.send, b.carry) for b in budgets), strict=True)
    return Budget(*(sum(column) / len(budgets) for column in columns))


def measure(imap_port: int, user: str, mails: range, folder: Path, smtp_port: int) -> Budget:
    """Measure all steps with mails of a user's INBOX; about five seconds.

    mails    their sequence numbers.
    folder   for the SQLite file and what the sink stores; on the disk that the desk's store uses.
    """
    fetch, raws = _fetch(imap_port, user, mails)
    step = max(1, len(raws) // SAMPLE)
    parse = _parse(raws[::step])
    send, carry = (
        _send(folder, smtp_port),
        asyncio.run(_send_all(smtp_port, raws[:: max(1, len(raws) // CARRIED)])),
    )
    return Budget(fetch, parse, _commit(folder), send, carry)


def _fetch(port: int, user: str, mails: range) -> tuple[float, list[bytes]]:
    with RawImap(port, user) as client:
        client.select()
        started = time.perf_counter()
        raws = client.fetch(mails.start, len(mails))
        seconds = time.perf_counter() - started
    if len(raws) != len(mails):
        raise RuntimeError(f"fetched {len(raws)} mails of {len(mails)}")
    return seconds / len(mails), raws


def _parse(raws: list[bytes]) -> float:
    parser = email.parser.BytesParser()
    started = time.perf_counter()
    for raw in raws:
        message = parser.parsebytes(raw)
        for name in HEADERS:
            str(message[name])
        for part in message.walk():
            if not part.is_multipart():
                part.get_payload(decode=True)
    return (time.perf_counter() - started) / len(raws)


def _commit(folder: Path) -> float:
    file = folder / "budget.db"
    for each in folder.glob("budget.db*"):
        each.unlink()
    with sqlite3.connect(file, isolation_level=None) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB)")
        started = time.perf_counter()
        for _ in range(COMMITS):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO t (a, b) VALUES (?, ?)", ("x" * 60, b"y" * 400))
            connection.execute("COMMIT")
        seconds = time.perf_counter() - started
    connection.close()
    return seconds / COMMITS


def _send(folder: Path, port: int) -> float:
    """Send mails of the corpus preset `tiny`: about 1 KB, as an acknowledgement without its HTML part is."""
    tiny = folder / "tiny"
    if not tiny.exists():
        benchlib.corpus(str(tiny), "make", "--n", str(SAMPLE), "--seed", "4", "--preset", "tiny")
    return asyncio.run(_send_all(port, [Path(name).read_bytes() for name in benchlib.mails(str(tiny))]))


async def _send_all(port: int, raws: list[bytes]) -> float:
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False)
    await client.connect()
    started = time.perf_counter()
    for raw in raws:
        await client.sendmail("support@desk.example", ["user@customer.example"], raw)
    seconds = time.perf_counter() - started
    await client.quit()
    return seconds / len(raws)
