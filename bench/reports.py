"""Whether a report over a million tickets is quick and small: time and memory of `mailtickets report`, each in its own process.

The store is filled by SQL: a million tickets of two years with five entries each, 1,000 organisations,
50 agents, three queues, five types, four priorities, spread so that nearly all their combinations occur.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bench.report import Figure
from mailtickets.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from bench.report import Report

FIRST = 1001
ENTRIES = 5
DAY = 86_400_000_000  # microseconds
DAYS = 730
SECONDS, MEGABYTES = 10.0, 300.0
LIMIT_SECONDS = 300
CONFIG = """\
[desk]
name = "Bench"
store = "{store}"
timezone = "Europe/London"
[smtp]
host = "127.0.0.1"
security = "none"
[mailbox.support]
maildir = "{folder}"
[queue.support]
address = "support@desk.example"
tag = "SUP"
agents = ["kim"]
[agent.kim]
name = "Kim Archer"
email = "kim@desk.example"
"""

_NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {tickets})"
# Multiplied by odd numbers and cut: the same spread everywhere, without chance.
_QUEUE = "CASE (i * 7919) % 7 WHEN 0 THEN 'billing' WHEN 1 THEN 'sales' ELSE 'support' END"
_TYPE = "CASE (i * 104729) % 11 WHEN 0 THEN 'request' WHEN 1 THEN 'complaint' WHEN 2 THEN 'enhancement' WHEN 3 THEN 'question' ELSE 'incident' END"
_PRIORITY = "'P' || (1 + (i * 1299709) % 4)"
_ORGANISATION = (
    "CASE (i * 15485863) % 5 WHEN 0 THEN '' ELSE printf('customer%03d', (i * 32452843) % 1000) END"
)
_AGENT = "printf('agent%02d', (i * 49979687) % 50)"
_OPENED = "{now} - {days} * {day} + i * {step}"
# One ticket in 50 is not answered yet, one in 40 not resolved; times from one minute to some weeks.
_RESPONSE = "60000000 * (1 + (i * 86028121) % 13) * (1 + (i * 67867967) % 17) * (1 + (i * 122949823) % 3) + i % 59000000"
_RESOLUTION = "600000000 * (1 + (i * 982451653) % 19) * (1 + (i * 141650939) % 23) + i % 599000000"
_STATEMENTS = (
    (
        "INSERT INTO ticket (number, tag, queue, subject, requester, created_at, updated_at, status, priority, type, assignee, language,"
        " silent_step, cycle, proven, automatic, last_seq, version, organisation)"
        f" SELECT {FIRST} + i, 'SUP', {_QUEUE}, 'Request ' || i, printf('user%d@customer%d.example', i % 9973, i % 1000), {_OPENED},"
        f" {_OPENED} + {{day}}, CASE WHEN i % 40 = 0 THEN 'open' ELSE 'closed' END, {_PRIORITY}, {_TYPE}, {_AGENT}, 'en', 0, 0, 1, 0,"
        f" {ENTRIES}, {ENTRIES}, {_ORGANISATION} FROM n"
    ),
    (
        f"INSERT INTO entry (id, ticket, seq, kind, at, actor, audience, recipients, subject, text, message_id, reason)"
        f" SELECT {ENTRIES} * i + s, {FIRST} + i, s, CASE s WHEN 1 THEN 'mail_in' WHEN 2 THEN 'acknowledged' WHEN 3 THEN 'mail_out' ELSE 'status' END,"
        f" {_OPENED} + s * 600000000, 'kim', 'customer', '[]', 'Request ' || i, 'The printer on the second floor is offline again. ' || i, '', ''"
        " FROM n, (SELECT 1 AS s UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5)"
    ),
    (
        "INSERT OR IGNORE INTO measure_class (queue, type, priority, organisation, assignee)"
        f" SELECT {_QUEUE}, {_TYPE}, {_PRIORITY}, {_ORGANISATION}, {_AGENT} FROM n"
    ),
    (
        "INSERT INTO measure (ticket, class, opened_at, left_at, closed_at, automatic, first_response_at, first_response_used,"
        " first_response_due, first_response_kept, resolved_at, resolution_used, resolution_due, resolution_kept, interim, update_due,"
        " updates_kept, updates_missed, reopened)"
        " SELECT ticket, (SELECT id FROM measure_class WHERE (queue, type, priority, organisation, assignee) = (q, t, p, o, a)),"
        " opened, CASE WHEN done THEN opened + resolution END,"
        " CASE WHEN done AND opened + resolution + 3 * {day} < {now} THEN opened + resolution + 3 * {day} END, i % 97 = 0,"
        " CASE WHEN answered THEN opened + response END, CASE WHEN answered THEN response END, opened + 14400000000,"
        " CASE WHEN answered THEN response <= 14400000000 END,"
        " CASE WHEN done THEN opened + resolution END, CASE WHEN done THEN resolution END, opened + 2 * {day},"
        " CASE WHEN done THEN resolution <= 2 * {day} END, i % 301 = 0, CASE WHEN NOT done THEN opened + {day} END, i % 4, i % 9 = 0, i % 33 = 0"
        " FROM (SELECT *, i % 40 AND opened + resolution < {now} AS done, i % 50 AND opened + response < {now} AS answered"
        f" FROM (SELECT i, {FIRST} + i AS ticket, {_QUEUE} AS q, {_TYPE} AS t, {_PRIORITY} AS p, {_ORGANISATION} AS o, {_AGENT} AS a,"
        f" {_OPENED} AS opened, {_RESPONSE} AS response, {_RESOLUTION} AS resolution FROM n))"
    ),
)  # fmt: skip


def fill(path: Path, tickets: int) -> float:
    """Make a store with so many tickets of two years; return how many seconds that took."""
    started = time.monotonic()
    now = datetime.now(UTC)
    Store.open(path, now).close()
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000", "foreign_keys = OFF"):
        connection.execute(f"PRAGMA {pragma}")
    values = {
        "now": int(now.timestamp() * 1_000_000),
        "day": DAY,
        "days": DAYS,
        "step": DAYS * DAY // tickets,
        "tickets": tickets,
    }
    for statement in _STATEMENTS:
        connection.execute("BEGIN")
        head, found, rest = statement.partition(" SELECT ")
        connection.execute(f"{head} {_NUMBERS}{found}{rest}".format(**values))
        connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return time.monotonic() - started


def measured(config: Path, *arguments: str) -> tuple[float, float, int]:
    """Return seconds and peak MB of one report in a process of its own, with its children, and how much it wrote."""
    # VmHWM and not ru_maxrss, which a process inherits from the one that started it.
    script = (
        "import json, re, resource, runpy, sys, time; started = time.monotonic()\n"
        "try: runpy.run_module('mailtickets', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "own = int(re.search(r'VmHWM:\\s*([0-9]+)', open('/proc/self/status').read())[1])\n"
        "drawing = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
        "print(json.dumps([time.monotonic() - started, max(own, drawing) / 1024]), file=sys.stderr)"
    )
    output = config.with_name("report.out")
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            "--config",
            str(config),
            "report",
            *arguments,
            "--output",
            str(output),
        ],
        check=True,
        timeout=LIMIT_SECONDS,
        stderr=subprocess.PIPE,
        text=True,
    )
    seconds, megabytes = json.loads(run.stderr.strip().rsplit("\n", 1)[-1])
    size = output.stat().st_size
    output.unlink()
    return seconds, megabytes, size


def stage(work: Path, report: Report, *, tickets: int) -> None:
    """Reports over all tickets and over the last month, in each format that costs differently."""
    store = (work / f"reports-{tickets}.db").resolve()
    if not store.exists():
        part = store.with_suffix(".part")
        part.unlink(missing_ok=True)
        seconds = fill(part, tickets)
        part.rename(store)
        report.say(
            f"filled a store with {tickets} tickets in {seconds:.0f} s, {store.stat().st_size / 1e9:.2f} GB"
        )
    config = work / "reports.toml"
    config.write_text(CONFIG.format(store=store, folder=work))
    everything = ("--from", "2000-01-01")
    for name, arguments in (
        ("all tickets, text", everything),
        ("all tickets, one queue", (*everything, "--queue", "support")),
        ("all tickets, HTML with pictures", (*everything, "--format", "html")),
        ("the last 30 days, text", ()),
    ):
        seconds, megabytes, size = measured(config, *arguments)
        report.say(f"{name}: {size} bytes")
        report.add(Figure(f"report, {name}", seconds, "s", f"< {SECONDS:g}", seconds < SECONDS))
        report.add(Figure("  peak memory", megabytes, "MB", f"< {MEGABYTES:g}", megabytes < MEGABYTES))
