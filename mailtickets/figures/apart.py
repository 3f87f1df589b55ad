"""Draws pictures in a process of its own, which takes its memory with it when it ends, within a limit of time."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from mailtickets.figures.statistics import Figures

LIMIT_SECONDS = 60.0
CHILD = "import sys; from mailtickets.figures.apart import child; child(sys.stdin.buffer, sys.stdout.buffer)"
GENTLE = 10  # how much the process stands back behind the desk itself
MISSING = "Pictures are left out: matplotlib is not installed (pip install 'mailtickets[reports]')."


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


def pictures_apart(figures: Figures, limit_seconds: float = LIMIT_SECONDS) -> Drawn:
    """Draw the pictures of a report in a process of its own. Never raises: a report without pictures is one, too."""
    try:
        child = subprocess.run(
            [sys.executable, "-c", CHILD],
            input=pickle.dumps(figures),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limit_seconds,
            check=True,
        )
        drawn: Drawn = pickle.loads(child.stdout)  # noqa: S301  (our own child's bytes)
    except subprocess.TimeoutExpired:
        return Drawn(note=f"Pictures are left out: drawing them took longer than {limit_seconds:g} seconds.")
    except (OSError, subprocess.SubprocessError, pickle.PickleError, EOFError) as error:
        return Drawn(note=f"Pictures are left out: drawing them failed ({type(error).__name__}).")
    return drawn


def drawn(figures: Figures) -> Drawn:
    """Draw the pictures of a report here and now."""
    try:
        from mailtickets.figures import pictures  # noqa: PLC0415  (it may be missing, and it is large)
    except ImportError:
        return Drawn(note=MISSING)
    return Drawn(pictures.draw(figures))


def child(source: BinaryIO, target: BinaryIO) -> None:
    """Be the process that draws."""
    os.nice(GENTLE)
    target.write(pickle.dumps(drawn(pickle.loads(source.read()))))  # noqa: S301  (our own parent's bytes)
