"""Counts reports and draws pictures in a process of its own, which takes its memory with it when it ends.

A report over a million tickets takes seconds and 150 MB, and drawing loads matplotlib: neither is for
a process that runs for months and has mail to take in meanwhile.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

from mailtickets.children import environment
from mailtickets.figures.gather import planned
from mailtickets.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from mailtickets.desk.agreement import ReportPlan
    from mailtickets.desk.policy import Policy
    from mailtickets.figures.period import Period
    from mailtickets.figures.statistics import Figures

DRAWING_SECONDS = 60.0
REPORT_SECONDS = 300.0
CHILD = "import sys; from mailtickets.figures.apart import child; child(sys.stdin.buffer, sys.stdout.buffer)"
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}  # numpy is only carried along; its threads cost memory
MISSING = "Pictures are left out: matplotlib is not installed (pip install 'mailtickets[reports]')."


class ReportFailed(Exception):  # noqa: N818  (named for the situation)
    """A report could not be counted; the message says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One drawn picture.

    name   "course", "targets", "responses" or "load"; its Content-ID is made of it.
    alt    what it says, in a sentence, for those who do not see it.
    """

    name: str
    title: str
    alt: str
    png: bytes

    @property
    def content_id(self) -> str:
        """By which a page shows it, without angle brackets."""
        return f"{self.name}@report.mailtickets"


@dataclass(frozen=True, slots=True)
class Drawn:
    """The pictures of a report, or a line that says why there are none."""

    pictures: tuple[Picture, ...] = ()
    note: str = ""


def pictures_apart(figures: Figures, limit_seconds: float = DRAWING_SECONDS) -> Drawn:
    """Draw the pictures of a report in a process of its own. Never raises: a report without pictures is one, too."""
    try:
        made: Drawn = _apart(drawn, figures, limit_seconds=limit_seconds)
    except _TooLong:
        return Drawn(note=f"Pictures are left out: drawing them took longer than {limit_seconds:g} seconds.")
    except _Broken as error:
        return Drawn(note=f"Pictures are left out: drawing them failed ({error}).")
    return made


def planned_apart(
    path: Path,
    plan: ReportPlan,
    period: Period,
    policy: Policy,
    now: datetime,
    limit_seconds: float = REPORT_SECONDS,
) -> tuple[Figures, Drawn]:
    """Return the report of a plan on this store, and its pictures, both made in a process of its own.

    Raises ReportFailed.
    """
    # Calendars are of no use to figures, and may hold what cannot be sent to another process.
    bare = replace(policy, calendars={})
    try:
        made: tuple[Figures, Drawn] = _apart(
            _counted_and_drawn, path, plan, period, bare, now, limit_seconds=limit_seconds
        )
    except _TooLong:
        raise ReportFailed(f"counting it took longer than {limit_seconds:g} seconds") from None
    except _Broken as error:
        raise ReportFailed(f"counting it failed ({error})") from error
    return made


def drawn(figures: Figures) -> Drawn:
    """Draw the pictures of a report here and now."""
    try:
        from mailtickets.figures import pictures  # noqa: PLC0415  (it may be missing, and it is large)
    except ImportError:
        return Drawn(note=MISSING)
    return Drawn(pictures.draw(figures))


def _counted_and_drawn(
    path: Path, plan: ReportPlan, period: Period, policy: Policy, now: datetime
) -> tuple[Figures, Drawn]:
    store = Store.read(path)
    try:
        figures = planned(store.measures, plan, period, policy, now)
    finally:
        store.close()
    return figures, drawn(figures)


# --- the other process ----------------------------------------------------------------------------


class _TooLong(Exception):  # noqa: N818  (named for the situation)
    pass


class _Broken(Exception):  # noqa: N818  (named for the situation)
    pass


def _apart(work: Callable[..., Any], *arguments: object, limit_seconds: float) -> Any:
    """Return what a function of this module returns in a process of its own. Raises _TooLong, _Broken."""
    try:
        ended = subprocess.run(
            [sys.executable, "-c", CHILD],
            input=pickle.dumps((work, arguments)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limit_seconds,
            check=True,
            env={**environment(), **ONE_THREAD},
        )
        return pickle.loads(ended.stdout)  # noqa: S301  (our own child's bytes)
    except subprocess.TimeoutExpired:
        raise _TooLong from None
    except (OSError, subprocess.SubprocessError, pickle.PickleError, EOFError) as error:
        raise _Broken(type(error).__name__) from error


def child(source: BinaryIO, target: BinaryIO) -> None:
    """Be the process that works."""
    work, arguments = pickle.loads(source.read())  # noqa: S301  (our own parent's bytes)
    target.write(pickle.dumps(work(*arguments)))
