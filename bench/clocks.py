"""Service levels: how long one deadline takes, and a changed calendar with 100,000 open tickets."""

from __future__ import annotations

import random
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bench.prefill import prefill
from bench.report import Figure, Report, median
from mailtickets.desk.agreement import Contact, Rung, ServiceLevel, Span, Targets, Trigger
from mailtickets.desk.calendar import Calendar
from mailtickets.desk.policy import AgentPolicy, Policy, QueuePolicy
from mailtickets.recounting import Recount
from mailtickets.store import Store

if TYPE_CHECKING:
    from pathlib import Path

TICKETS = 100_000
RECOUNT_SECONDS, DEADLINE_US = 30.0, 50.0
QUESTIONS = 5_000
OFFICE = ((540, 750), (780, 1050))  # 09:00 to 12:30, 13:00 to 17:30


def office(zone: str = "Europe/London") -> Calendar:
    """Return an office's calendar with a break at noon."""
    return Calendar("office", zone, (OFFICE,) * 5 + ((), ()))


def policy(calendar: Calendar) -> Policy:
    """Return a desk with targets for every priority and a ladder of two rungs."""
    targets = Targets(
        Span(working=timedelta(hours=4)), Span(working=timedelta(hours=8)), Span(working=timedelta(hours=80))
    )
    level = ServiceLevel("standard", {f"P{number}": targets for number in range(1, 5)})
    breach = Trigger(after=Span(plain=timedelta(0)), text="breach")
    rungs = (
        Rung(1, "Team lead", (Trigger(share=0.8, text="80%"),), (Contact(agent="agent1"),)),
        Rung(2, "Manager", (breach,), (Contact(agent="agent2"),)),
    )
    agents = {key: AgentPolicy(key, key, f"{key}@desk.example") for key in ("agent1", "agent2")}
    queue = QueuePolicy(
        "support", "support@desk.example", "SUP", tuple(agents), calendar="office", service_level="standard"
    )
    return Policy(
        "Bench",
        {"support": queue},
        agents,
        calendars={"office": calendar},
        service_levels={"standard": level},
        rungs=rungs,
    )


def deadlines() -> list[float]:
    """Return the mean time of a deadline in microseconds, over spread moments and lengths, in rounds."""
    calendar, chance = office(), random.Random(7)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    asked = [
        (start + timedelta(minutes=chance.randrange(525_600)), timedelta(minutes=chance.randrange(1, 7_200)))
        for _ in range(QUESTIONS)
    ]
    calendar.add(start, timedelta(days=200))  # works the years out, which is done once
    rounds = []
    for _ in range(5):
        started = time.perf_counter()
        for at, length in asked:
            calendar.add(at, length)
        rounds.append(1_000_000 * (time.perf_counter() - started) / QUESTIONS)
    return rounds


def recount(store: Store, calendar: Calendar) -> tuple[float, float, int]:
    """Return how long all open tickets take, the longest a mail has to wait for it, and how many timers moved."""
    job = Recount(store, policy(calendar))
    now = datetime.now(UTC)
    longest, started = 0.0, time.monotonic()
    while True:
        at = time.monotonic()
        if not job.step(now):
            break
        longest = max(longest, time.monotonic() - at)
    return time.monotonic() - started, longest, job.moved


def stage(work: Path, report: Report, *, tickets: int = TICKETS) -> None:
    """Measure deadlines, then a calendar that is corrected twice."""
    report.add(median("one deadline", deadlines(), "us", "<= 50", most=DEADLINE_US))
    path = work / "clocks.db"
    prefill(path, tickets)
    store = Store.open(path, datetime.now(UTC))
    try:
        runs = [recount(store, office()), recount(store, office("America/New_York"))]
    finally:
        store.close()
    seconds = [seconds for seconds, _, _ in runs]
    name = f"{tickets} open tickets under a changed calendar"
    report.add(median(name, seconds, "s", f"<= {RECOUNT_SECONDS:g}", most=RECOUNT_SECONDS))
    waits = [longest for _, longest, _ in runs]
    report.add(Figure("  the longest a mail waits for it", max(waits), "s", values=tuple(waits)))
    report.say(f"timers set or moved: {', '.join(str(moved) for _, _, moved in runs)}")
    report.say(f"mean of a deadline {statistics.fmean(deadlines()):.1f} us")
