"""Reports that go out by themselves: which are due, made beside the desk's work, queued by the desk once each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mailtickets import maillog
from mailtickets.desk.pausing import Cause
from mailtickets.figures.apart import planned_apart
from mailtickets.figures.page import report_mail
from mailtickets.figures.period import due_plan, plan_moment
from mailtickets.mail.message import Attachment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mailtickets.catching_up import CatchingUp
    from mailtickets.desk.agreement import ReportPlan
    from mailtickets.desk.policy import Policy
    from mailtickets.deskthread import DeskThread
    from mailtickets.figures.page import ReportMail
    from mailtickets.figures.period import Period
    from mailtickets.originals import Originals
    from mailtickets.pauses import Pauses
    from mailtickets.pipeline import Line
    from mailtickets.recording import Recorder
    from mailtickets.store import Store

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


class ScheduledReports:
    """What the desk's thread does for them over one store, by the present rules: say which are due, and queue what was made.

    originals   stored originals, among them the pictures of a report.
    clock       the present time, aware, in UTC.
    """

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        pauses: Pauses,
        catching_up: CatchingUp,
        originals: Originals,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._recorder, self._pauses = store, recorder, pauses
        self._catching_up, self._originals, self._clock = catching_up, originals, clock

    def due(self) -> list[Due]:
        """Return the reports that are to be made now; none while the clock is in doubt."""
        if self._pauses.holds(Cause.CLOCK):
            return []
        return due_reports(self._store, self._recorder.rules.policy, self._clock())

    def queue(self, due: Due, mail: ReportMail) -> None:
        """Queue a report for all its readers, once."""
        now = self._clock()
        blob = b"".join(picture.png for picture in mail.pictures)
        ends = list(accumulate(len(picture.png) for picture in mail.pictures))
        cut = tuple(
            Attachment(
                f"{picture.name}.png", "image/png", end - len(picture.png), end, "binary", len(picture.png),
                picture.content_id, inline=True,
            )
            for picture, end in zip(mail.pictures, ends, strict=True)
        )  # fmt: skip
        with self._store.transaction():
            digest = self._store.ledger.keep(blob) if blob else b""
            occasion = f"{due.plan.name}:{due.occasion}"
            mails = self._recorder.rules.writer.to_people(
                "report", mail.values, due.plan.to, occasion, self._originals.get, now, (digest, cut)
            )
            self._recorder.queue(mails, held=self._catching_up.why_held_for_ever(due.since))
            note_sent(self._store, due.plan, due.occasion)


class ReportJob:
    """What the daemon does for them again and again, in the asyncio loop: one that fails holds no other up."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._again: dict[str, datetime] = {}  # name to when a failed report is tried again

    async def run(self, desk: DeskThread, line: Line, store: Path, queued: Callable[[], None]) -> None:
        """Make and queue the reports that are due; one that fails is tried again in an hour, the others go out.

        queued   is called after each.
        """
        try:
            due = await asyncio.wrap_future(desk.call(line.reports.due))
        except Exception as error:  # noqa: BLE001  (a store in trouble is told elsewhere)
            maillog.broken("looking for due reports failed; it is tried again", None, error)
            return
        assert isinstance(due, list)  # noqa: S101  (for the type checker)
        for one in due:
            if self._again.get(one.plan.name, self._clock()) > self._clock():
                continue
            try:
                mail = await asyncio.to_thread(make, store, one, line.rules.policy, self._clock())
                await asyncio.wrap_future(desk.call(line.reports.queue, one, mail))
            except Exception as error:  # noqa: BLE001  (a report must not end the desk)
                maillog.broken(f"report {one.plan.name} failed; it is tried again in an hour", None, error)
                self._again[one.plan.name] = self._clock() + AGAIN
            else:
                maillog.note("report queued", name=one.plan.name, period=one.occasion)
                queued()
