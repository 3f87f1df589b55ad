"""How long a customer waits: from a mail's delivery in Dovecot to its acknowledgement accepted by the sink."""

from __future__ import annotations

import json
import random
import statistics
import threading
import time
from typing import TYPE_CHECKING

from bench.desk import Desk, Servers
from bench.imap_client import RawImap
from bench.rates import last_accepted, new_mails
from bench.report import Figure, Report

if TYPE_CHECKING:
    from pathlib import Path

SPACING = (0.2, 0.5)  # seconds between two mails; spread, so that they do not beat in time with anything
NOTIFIED = 20


def percentile(values: list[float], share: float) -> float:
    """Return the value below which this share of values lies."""
    return statistics.quantiles(values, n=1000, method="inclusive")[round(1000 * share) - 1]


def server_alone(servers: Servers, raw: bytes) -> list[float]:
    """Return how long Dovecot itself takes from the end of a delivery to its word in IDLE."""
    delays = []
    with RawImap(servers.dovecot.imap, "idler") as client:
        client.select()
        for _ in range(NOTIFIED):
            client.idle()
            heard: list[float] = []
            listener = threading.Thread(target=lambda: heard.append(client.heard()))  # noqa: B023  (ends in this round)
            listener.start()
            servers.dovecot.deliver(raw, "idler")
            delivered = time.time()
            listener.join(30)
            delays.append(heard[0] - delivered)
            client.done()
    return delays


def stage(servers: Servers, work: Path, report: Report, *, mails: int) -> None:
    """Spaced mails by LMTP, the desk waiting in IDLE."""
    files = new_mails(work, mails, seed=13)
    truth = json.loads((files[0].parent / "truth.json").read_text())["mails"]
    chance = random.Random(5)
    delivered: dict[str, float] = {}
    with Desk(work / "latency", servers.dovecot.imap, "latency") as desk:
        servers.fill("latency", [])
        desk.start()
        desk.ready()
        for file, row in zip(files, truth, strict=True):
            servers.dovecot.deliver(file.read_bytes(), "latency")
            delivered[row["sender"]] = time.time()
            time.sleep(chance.uniform(*SPACING))
        last_accepted(desk, mails)
        rows = desk.sink.rows[:mails]
    waits = [row["t"] - delivered[row["rcpt"][0]] for row in rows if row["rcpt"][0] in delivered]
    if len(waits) < mails * 0.9:
        raise RuntimeError(f"only {len(waits)} of {mails} acknowledgements were found by their recipient")
    alone = server_alone(servers, files[0].read_bytes())
    p99 = percentile(waits, 0.99)
    report.add(Figure("Dovecot's own delay of a notice in IDLE, median", statistics.median(alone), "s"))
    report.add(Figure(f"delivery to acknowledgement, p50 of {len(waits)}", percentile(waits, 0.5), "s"))
    report.add(Figure(f"delivery to acknowledgement, p99 of {len(waits)}", p99, "s", "<= 1", p99 <= 1))
    report.add(Figure("delivery to acknowledgement, worst", max(waits), "s"))
