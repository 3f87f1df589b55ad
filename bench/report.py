"""What was measured, beside what was promised: lines for a person, and rows for a file."""

from __future__ import annotations

import json
import os
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One promise and what became of it.

    target   in words; met: whether the figure keeps it, None where nothing is promised.
    values   every single measurement, so that one sees how noisy the machine was.
    """

    name: str
    value: float
    unit: str
    target: str = ""
    met: bool | None = None
    values: tuple[float, ...] = ()

    def __str__(self) -> str:
        verdict = {True: "met", False: "MISSED", None: ""}[self.met]
        spread = f"  [{', '.join(shown(value) for value in self.values)}]" if len(self.values) > 1 else ""
        return f"{self.name:<46} {shown(self.value):>9} {self.unit:<12} {self.target:<28} {verdict}{spread}"


def shown(value: float) -> str:
    """Return a number with three digits that count."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def median(name: str, values: list[float], unit: str, target: str = "", *, least: float | None = None,
           most: float | None = None) -> Figure:  # fmt: skip
    """Return the median of repeated measurements, held against a lower or an upper bound."""
    value = statistics.median(values)
    met = (
        None
        if least is None and most is None
        else (value >= (least or 0) and (most is None or value <= most))
    )
    return Figure(name, value, unit, target, met, tuple(values))


class Report:
    """Collects figures and says them as they come."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []

    def say(self, text: str) -> None:
        """Print a line of progress, with the machine's load."""
        print(f"  {text}  (load {os.getloadavg()[0]:.1f})", flush=True)

    def add(self, figure: Figure) -> None:
        """Take a figure and print it."""
        self.figures.append(figure)
        print(figure, flush=True)

    def table(self) -> str:
        """Return all figures."""
        return "\n".join(str(figure) for figure in self.figures)

    def write(self, path: Path) -> None:
        """Write all figures as JSON."""
        path.write_text(json.dumps([asdict(figure) for figure in self.figures], indent=1) + "\n")
