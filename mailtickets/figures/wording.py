"""Pure: numbers, shares and times in words, for text and pages alike."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailtickets.figures.statistics import Figures, Group, Share

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
AGES = ("up to 1 day", "1 to 3 days", "3 to 7 days", "7 to 30 days", "older")
SHORT_AGES = ("0-1 d", "1-3 d", "3-7 d", "7-30 d", "older")
NOTHING = "-"


def number(count: int) -> str:
    """Return 1,204."""
    return f"{count:,}"


def tickets(count: int) -> str:
    """Return "1 ticket", "1,204 tickets"."""
    return f"{number(count)} {'ticket' if count == 1 else 'tickets'}"


def short_number(count: int) -> str:
    """Return a number of at most six letters: 12,040, 120 k, 1.2 M."""
    if count < 100_000:
        return number(count)
    return f"{count // 1000} k" if count < 1_000_000 else f"{count / 1_000_000:.1f} M"


def percent(share: float | None) -> str:
    """Return 96.4 %, cut and never rounded up: what missed its goal does not look as if it had reached it."""
    if share is None:
        return NOTHING
    if share in {0, 1}:
        return f"{share * 100:.0f} %"
    thousandths = int(share * 1000 + 1e-9)
    return f"{thousandths / 10} %" if thousandths else "< 0.1 %"


def goal_percent(goal: float) -> str:
    """Return 95 %, or 99.5 %."""
    return f"{round(goal * 100, 1):g} %"


def length(time: timedelta | None) -> str:
    """Return 45 s, 25 min, 2 h, 2.1 h, 130 h; never days: a day of working time is not 24 hours."""
    if time is None:
        return NOTHING
    if time < MINUTE:
        return f"{time // timedelta(seconds=1)} s"
    if time < HOUR:
        return f"{time // MINUTE} min"
    if time < 10 * HOUR and time % HOUR:
        return f"{time // (HOUR / 10) / 10} h"
    return f"{number(time // HOUR)} h"


def is_missed(share: Share, goal: float) -> bool:
    """Tell whether there were targets, and fewer were kept than the goal wants."""
    return share.share is not None and share.share < goal


def change_of_backlog(figures: Figures) -> str:
    """Return how the backlog changed: "16 more than at the start"."""
    change = figures.total.backlog - figures.backlog_before
    if not change:
        return "" if not figures.total.backlog else "as many as at the start"
    return f"{number(abs(change))} {'more' if change > 0 else 'fewer'} than at the start"


def a_day(figures: Figures) -> str:
    """Return how many tickets were opened a day: "40.1 a day"; "" for a single day."""
    days = len(figures.days)
    if days < 2 or not figures.total.opened:
        return ""
    mean = figures.total.opened / days
    return f"{mean:,.1f} a day" if mean < 100 else f"{number(round(mean))} a day"


def about_opened(figures: Figures) -> str:
    """Return what is worth saying about the tickets opened."""
    machines = figures.total.automatic
    said = [a_day(figures), f"{number(machines)} by machines" if machines else ""]
    return ", ".join(one for one in said if one)


def about_reopened(group: Group) -> str:
    """Return how many of the tickets opened that is."""
    return f"{percent(group.reopened / group.opened)} of those opened" if group.opened else ""


def scope(figures: Figures) -> str:
    """Return what the report is limited to: "queue support, priority P1"; "" for everything."""
    return ", ".join(f"{dimension} {name}" for dimension, _, name in figures.filters)


def notes(figures: Figures) -> tuple[str, ...]:
    """Return what a reader must know to trust the figures."""
    said = []
    if figures.uncounted:
        verb, them = ("is", "it") if figures.uncounted == 1 else ("are", "them")
        said.append(
            f"{tickets(figures.uncounted)} of before this version {verb} not counted until something happens on {them}."
        )
    if figures.total.is_empty:
        said.append("Nothing was opened, resolved or left over in this period.")
    elif not figures.total.first_response_target.judged and not figures.total.resolution_target.judged:
        said.append("No ticket of this period had a target, so nothing was kept or missed.")
    return tuple(said)


def width(text: str) -> int:
    """Return how many places a text takes on a terminal; East Asian letters take two."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def fitted(text: str, places: int) -> str:
    """Return a text cut or filled up to so many places on a terminal."""
    if width(text) > places:
        while width(text) > places - 1:
            text = text[:-1]
        text = f"{text.rstrip()}\u2026"
    return text + " " * (places - width(text))
