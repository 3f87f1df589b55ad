"""Answers `#stats`: the last thirty days of a queue, counted at the moment somebody asks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mailtickets.figures.gather import gather
from mailtickets.figures.period import period_of
from mailtickets.figures.text import short
from mailtickets.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.policy import Policy

STATS_DAYS = "30d"


def stats(store: Store, policy: Policy, now: datetime, filters: Mapping[str, str]) -> str:
    """Return the short form for `#stats`: the last thirty days."""
    period = period_of(ZoneInfo(policy.zone), now, recent=STATS_DAYS)
    return short(gather(store.measures, period, policy, now, filters=dict(filters), by=("priority",)))


def with_stats(path: Path, outgoing: Outgoing, policy: Policy, now: datetime) -> Outgoing:
    """Return an answer to `#stats` with the figures of its queue put in.

    They are read on a connection of their own: the desk's is in a transaction then.
    """
    store = Store.read(path)
    try:
        text = stats(store, policy, now, {"queue": outgoing.queue})
    finally:
        store.close()
    values = outgoing.notice.values
    asked = values["sections"]
    assert isinstance(asked, list)  # noqa: S101  (of `desk.reading_commands`; for the type checker)
    sections = [*asked, {"title": "The last 30 days", "lines": [], "text": text}]
    return replace(outgoing, notice=replace(outgoing.notice, values={**values, "sections": sections}))
