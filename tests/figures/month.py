"""A month of a small desk, the same in every run: for the golden report and the pictures.

`python -m tests.figures.month` draws the pictures of docs/reports.md anew.
"""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from mailtickets.desk.ticket import Status
from tests.figures.conftest import DAY, GOLD, HOUR, MINUTE, POLICY, at

TARGET = {"P1": 30 * MINUTE, "P3": 8 * HOUR}
RESOLUTION = {"P1": 4 * HOUR, "P3": 40 * HOUR}
MONTH = ("2026-11-01", "2026-11-30")
NOW = at("2026-12-02 09:00")


def november(desk, tickets: int = 120) -> None:
    """Fill a desk: kim is quick, billing is small, one ticket in twelve is still open, some were late."""
    desk.policy = replace(POLICY, service_levels={"gold": GOLD})
    chance = random.Random(47)
    for number in range(tickets):
        day = at("2026-10-26 00:00") + timedelta(days=chance.randrange(36))
        if day.weekday() > 4 and chance.random() < 0.8:
            day -= 2 * DAY
        begun = day + timedelta(minutes=int(min(max(chance.gauss(690, 150), 0), 1439)))
        priority = "P1" if number % 6 == 0 else "P3"
        answered = timedelta(minutes=int(TARGET[priority] / MINUTE * chance.lognormvariate(-1.2, 0.9)) + 1)
        resolved = timedelta(
            minutes=int(RESOLUTION[priority] / MINUTE * chance.lognormvariate(-0.9, 0.8)) + 5
        )
        is_open, is_new = number % 12 == 5, number % 40 == 17
        desk.ticket(
            begun.isoformat()[:16],
            priority=priority,
            type=("incident", "incident", "question", "request")[number % 4],
            queue="billing" if number % 7 == 3 else "support",
            organisation="customer" if number % 3 else "",
            assignee="" if is_new else ("kim", "lee")[number % 2],
            due=TARGET[priority],
            answered=None if is_new else answered,
            kept=None if is_new else answered <= TARGET[priority],
            resolution_due=RESOLUTION[priority],
            resolved=None if is_open or is_new else resolved,
            resolution_kept=None if is_open or is_new else resolved <= RESOLUTION[priority],
            closed=None if is_open or is_new or number % 9 == 0 else resolved + 3 * DAY,
            status=Status.OPEN if is_open or is_new else None,
            updates=(number % 3, number % 11 == 0),
            reopened=int(number % 30 == 1),
            automatic=number % 50 == 0,
        )


def write_pictures(folder: Path) -> None:
    """Write the pictures of docs/reports.md: a busier month of the same desk."""
    from mailtickets.figures.pictures import draw
    from mailtickets.store import Store
    from tests.figures.conftest import Desk

    with tempfile.TemporaryDirectory() as place:
        store = Store.open(Path(place) / "desk.db", NOW)
        desk = Desk(store)
        november(desk, 600)
        for picture in draw(desk.figures(*MONTH, now=NOW)):
            (folder / f"report-{picture.name}.png").write_bytes(picture.png)
        store.close()


if __name__ == "__main__":
    write_pictures(Path(__file__).parents[2] / "docs")
