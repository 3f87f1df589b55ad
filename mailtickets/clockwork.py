"""The daemon's clock: calls each job in its time. The door to APScheduler, which is the clock only: its jobs set events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from mailtickets import maillog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Job:
    """What is done again and again: for the first time `first` after the start, or else `every` after it."""

    do: Callable[[], object]
    every: timedelta
    first: timedelta | None = None


class Clockwork:
    """Runs its jobs in the asyncio loop, a coroutine there and anything else in a thread; one of a kind at a time."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._scheduler: AsyncIOScheduler | None = None

    def start(self) -> None:
        """Begin; every job's time is counted from now."""
        scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        for job in self._jobs:
            first = {} if job.first is None else {"next_run_time": datetime.now(UTC) + job.first}
            scheduler.add_job(job.do, "interval", seconds=job.every.total_seconds(), **first)
        scheduler.start()
        self._scheduler = scheduler

    def stop(self) -> None:
        """End; what a job is doing goes on."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
            self._scheduler = None

    def begin_anew(self) -> None:
        """The clock was set, and the scheduler goes by it: put back, its jobs would wait for times far ahead."""
        if self._scheduler is not None:
            self.stop()
            self.start()
            maillog.note("the clock was set; the clockwork begins anew")
