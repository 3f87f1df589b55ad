"""Reports that go out by themselves: which are due, made beside the desk's work, queued by the desk once each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mailtickets import maillog
from mailtickets.figures.apart import planned_apart
from mailtickets.figures.gather import gather
from mailtickets.figures.page import ReportMail, report_mail
from mailtickets.figures.period import Period, due_plan, period_of, plan_moment
from mailtickets.figures.text import short
from mailtickets.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mailtickets.desk.agreement import ReportPlan
    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.policy import Policy
    from mailtickets.deskthread import DeskThread
    from mailtickets.pipeline import Line

STATS_DAYS = "30d"
AGAIN = timedelta(hours=1)  # after one that failed


@dataclass(frozen=True, slots=True)
class Due:
    """A report to be made; `occasion` names its period, so that each goes out once; it is due `since` then."""

    plan: ReportPlan
    period: Period
    occasion: str
    since: datetime


def due_reports(store: Store, policy: Policy, now: datetime) -> list[Due]:
    """Return the reports that are due; one that is new in the file waits for its next period.

    Several that passed while no daemon ran are one: the last.
    """
    due: list[Due] = []
    for plan in policy.reports.values():
        occasion, period = due_plan(plan, ZoneInfo(policy.zone), now)
        last = store.setting(_setting(plan))
        if not last:
            note_sent(store, plan, occasion)
        elif last != occasion:
            due.append(Due(plan, period, occasion, plan_moment(plan, ZoneInfo(policy.zone), now)))
    return due


def note_sent(store: Store, plan: ReportPlan, occasion: str) -> None:
    """Remember that a plan's report of this period is done; inside the caller's transaction or by itself."""
    store.set_setting(_setting(plan), occasion)


def _setting(plan: ReportPlan) -> str:
    return f"report:{plan.name}"


def make(path: Path, due: Due, policy: Policy, now: datetime) -> ReportMail:
    """Count and draw a report in a process of its own: seconds and 160 MB where there are a million tickets.

    Raises ReportFailed.
    """
    figures, drawn = planned_apart(path, due.plan, due.period, policy, now)
    return report_mail(figures, due.plan, drawn)


class DueReports:
    """The reports that the daemon makes and queues when they are due. Runs in the asyncio loop."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._again: dict[str, datetime] = {}  # name to when a failed report is tried again

    async def queue(self, desk: DeskThread, line: Line, store: Path, queued: Callable[[], None]) -> None:
        """Make and queue the reports that are due; one that fails is tried again in an hour, the others go out.

        queued   is called after each.
        """
        try:
            due = await asyncio.wrap_future(desk.call(line.due_reports))
        except Exception as error:  # noqa: BLE001  (a store in trouble is told elsewhere)
            maillog.broken("looking for due reports failed; it is tried again", None, error)
            return
        assert isinstance(due, list)  # noqa: S101  (for the type checker)
        for one in due:
            if self._again.get(one.plan.name, self._clock()) > self._clock():
                continue
            try:
                mail = await asyncio.to_thread(make, store, one, line.rules.policy, self._clock())
                await asyncio.wrap_future(desk.call(line.queue_report, one, mail))
            except Exception as error:  # noqa: BLE001  (a report must not end the desk)
                maillog.broken(f"report {one.plan.name} failed; it is tried again in an hour", None, error)
                self._again[one.plan.name] = self._clock() + AGAIN
            else:
                maillog.note("report queued", name=one.plan.name, period=one.occasion)
                queued()


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
