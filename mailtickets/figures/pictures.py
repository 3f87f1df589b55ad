"""Draws a report's pictures: the only place where matplotlib is used. Called in a process of its own, see `apart`.

Each is 1200 x 600 pixels and drawn for a telephone of 360: letters of 36 pixels, three or four
ticks, words beside what they mean instead of a legend. The colours differ for colour-blind readers, too
(Okabe and Ito, 2008), and nothing is told by colour alone.
"""

from __future__ import annotations

import io
import math
import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import MaxNLocator
from PIL import Image  # matplotlib brings it

from mailtickets.figures.apart import Picture
from mailtickets.figures.period import MONTHS, WEEKDAYS
from mailtickets.figures.statistics import RESPONSE_EDGES
from mailtickets.figures.wording import (
    fitted,
    goal_percent,
    is_missed,
    length,
    number,
    percent,
    short_number,
    tickets,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from matplotlib.axes import Axes

    from mailtickets.figures.course import Point
    from mailtickets.figures.statistics import Figures

BLUE, SKY, ORANGE, VERMILION, GREY, INK = "#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#8a9099", "#1f2328"
LETTERS = 25  # points at 100 dots an inch: 35 pixels, 10 on a telephone
FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "Noto Sans Arabic",
)  # the first comes with matplotlib
STYLE: dict[Any, Any] = {
    "font.size": LETTERS,
    "axes.edgecolor": GREY,
    "axes.linewidth": 1.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,  # a customer may be called A$$
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 10,
}
LEFT = 0.02  # where titles begin
COLOURS = 96
NAME_LETTERS = 13
MOST_PRIORITIES = 5
SEQUENTIAL = LinearSegmentedColormap.from_list("load", ["#f2f5f8", SKY, BLUE, "#00304d"])


def draw(figures: Figures) -> tuple[Picture, ...]:
    """Return the pictures for which there is something to show."""
    there = {font.name for font in fontManager.ttflist}
    families = [name for name in FONTS if name in there]
    with mpl.rc_context({**STYLE, "font.family": families}), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=r"Glyph .* missing"
        )  # a box stands for a letter without a font
        made = [make(figures) for make in (course, targets, responses, load)]
    return tuple(picture for picture in made if picture is not None)


# --- volume and backlog ---------------------------------------------------------------------------


def course(figures: Figures) -> Picture | None:
    """Draw the backlog, and below it what came and what left."""
    points = figures.course
    if len(points) < 2 or figures.total.is_empty:
        return None
    sheet, (above, below) = _sheet(2)
    places = range(len(points))
    backlog = [point.backlog for point in points]
    above.fill_between(places, backlog, color=GREY, alpha=0.25, linewidth=0)
    above.plot(places, backlog, color=INK, linewidth=5)
    _ticks(above, max(backlog))
    _title(
        sheet,
        0.985,
        (f"Backlog: {number(backlog[-1])} at the end, {number(figures.backlog_before)} before", INK),
    )
    above.tick_params(labelbottom=False)
    opened, resolved = [point.opened for point in points], [point.resolved for point in points]
    below.bar(places, opened, color=SKY, width=0.8)
    below.plot(places, resolved, color=VERMILION, linewidth=5)
    _ticks(below, max(*opened, *resolved))
    _title(
        sheet,
        0.53,
        ("Opened", BLUE),
        (" (bars) and ", INK),
        ("resolved", VERMILION),
        (f" (line) a {figures.step}", INK),
    )
    for axes in (above, below):
        axes.set_xlim(-0.6, len(points) - 0.4)
    shown = _spread(len(points), 3 if figures.step == "week" else 4)
    below.set_xticks(shown, [_day(points[place], figures.step) for place in shown])
    total = figures.total
    return _picture(
        sheet,
        "course",
        "Volume and backlog over time",
        f"{tickets(total.opened)} opened, {number(total.resolved)} resolved;"
        f" the backlog went from {number(figures.backlog_before)} to {number(backlog[-1])}.",
    )


def _day(point: Point, step: str) -> str:
    if step == "month":
        return f"{MONTHS[point.first.month - 1]} {point.first.year}"
    return f"{point.first.day} {MONTHS[point.first.month - 1]}"


def _spread(count: int, most: int) -> list[int]:
    """Return so many places spread evenly, not at the very ends, where their labels would be cut."""
    step = math.ceil(count / most)
    return list(range((count - 1) % step // 2, count, step))


# --- targets --------------------------------------------------------------------------------------


def targets(figures: Figures) -> Picture | None:
    """Draw the share of first responses and resolutions within target, for each priority, against the goal."""
    groups = [
        group
        for group in figures.groups("priority") or (figures.total,)
        if group.first_response_target.judged or group.resolution_target.judged
    ][:MOST_PRIORITIES]
    if not groups:
        return None
    sheet, (axes,) = _sheet(1, left=0.25, top=0.8, bottom=0.02, right=0.99)
    kinds = ("first response", SKY, -0.21), ("resolution", ORANGE, 0.21)
    said = []
    for place, group in enumerate(groups):
        shares = group.first_response_target, group.resolution_target
        for share, (kind, colour, offset) in zip(shares, kinds, strict=True):
            below = is_missed(share, group.goal)
            axes.barh(place + offset, 100 * (share.share or 0), height=0.36, color=colour)
            words = percent(share.share) if share.judged else "no target"
            if place == 0:
                axes.text(1.5, offset, kind, va="center", fontsize=LETTERS - 4)
            axes.text(
                103, place + offset, words, va="center", fontsize=LETTERS - 2 if len(groups) < 5 else LETTERS - 6,
                color=VERMILION if below else INK if share.judged else GREY, weight="bold" if below else "normal",
            )  # fmt: skip
            if share.judged:
                said.append(f"{group.name} {kind} {words}")
    goal = figures.total.goal
    axes.axvline(100 * goal, color=INK, linewidth=3, linestyle=(0, (3, 2)))
    axes.annotate(
        f"goal {goal_percent(goal)}", (100 * goal, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom",
        xytext=(0, 4), textcoords="offset points", fontsize=LETTERS - 2,
    )  # fmt: skip
    axes.set_yticks(range(len(groups)), [fitted(group.name, NAME_LETTERS).rstrip() for group in groups])
    axes.set_ylim(max(len(groups), 2) - 0.5, -0.5)
    axes.set_xlim(0, 127)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    _title(sheet, 0.975, ("Share within target", INK))
    return _picture(sheet, "targets", "Share within target", f"Goal {goal_percent(goal)}. {'; '.join(said)}.")


# --- response times -------------------------------------------------------------------------------


def responses(figures: Figures) -> Picture | None:
    """Draw how long first responses took, with the median and the targets."""
    times = figures.total.first_response
    filled = [place for place, count in enumerate(figures.responses) if count]
    if not filled or times.median is None:
        return None
    marks = [("median", times.median), *figures.response_targets]
    places = [_place(time) for _, time in marks]
    first = max(min(filled[0], *(int(place) for place in places)) - 1, 0)
    last = min(max(filled[-1], *(int(place) for place in places)) + 1, len(RESPONSE_EDGES))
    sheet, (axes,) = _sheet(
        1, top=0.64 if figures.response_targets else 0.78, bottom=0.11, left=0.1, right=1 - LEFT
    )
    counts = figures.responses[first : last + 1]
    axes.bar([place + 0.5 for place in range(first, last + 1)], counts, width=0.92, color=SKY)
    most = max(counts)
    axes.set_yticks([most], [_tick(most)])
    axes.grid(axis="y", color="#e1e4e8", linewidth=1.5)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(0, most * 1.02)
    axes.set_xlim(first, last + 1)
    edges = range(max(first, 1), last + 1)
    step = max(math.ceil(len(edges) / 5), 1)
    shown = list(edges)[step // 2 :: step]
    axes.set_xticks(shown, [length(RESPONSE_EDGES[place - 1]) for place in shown])
    _marks(axes, marks, places)
    title = f"First responses by length; {tickets(times.count)}"
    _title(sheet, 0.975, (title, INK))
    said = [f"{name} {length(time)}" for name, time in marks]
    return _picture(
        sheet,
        "responses",
        "How long first responses took",
        f"{'; '.join(said)}; 90 % within {length(times.p90)}.",
    )


def _place(time: timedelta) -> float:
    """Return where a time stands on the axis: whole numbers are the edges, between them it is logarithmic."""
    seconds = [0.5 * RESPONSE_EDGES[0].total_seconds(), *(edge.total_seconds() for edge in RESPONSE_EDGES)]
    length_s = max(time.total_seconds(), seconds[0])
    for place, (low, high) in enumerate(pairwise(seconds)):
        if length_s <= high:
            return place + math.log(length_s / low) / math.log(high / low)
    return len(RESPONSE_EDGES) + 0.5


def _marks(axes: Axes, marks: Sequence[tuple[str, timedelta]], places: Sequence[float]) -> None:
    """Mark the median and the targets, each with its words, on three lines above the bars so that no two meet."""
    left, right = axes.get_xlim()
    taken: list[list[tuple[float, float]]] = [[], [], []]
    for (name, time), place in sorted(zip(marks, places, strict=True), key=lambda one: one[0][0] != "median"):
        median = name == "median"
        words = f"median {length(time)}" if median else f"{fitted(name, 9).rstrip()} {length(time)}"
        colour = INK if median else VERMILION
        half = (len(words) + 1) * (right - left) / 125  # half of what the words take, nearly
        centre = min(max(place, left + half), right - half)
        row = next(
            (row for row in range(3) if all(abs(centre - at) > half + other for at, other in taken[row])),
            None,
        )
        axes.axvline(
            place, color=colour, linewidth=5 if median else 3, linestyle="-" if median else (0, (3, 2))
        )
        if row is None:
            continue  # its line stands there without words rather than words upon words
        taken[row].append((centre, half))
        axes.annotate(
            words, (centre, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", color=colour,
            xytext=(0, 4 + 31 * row), textcoords="offset points", fontsize=LETTERS - 4, weight="bold" if median else "normal",
        )  # fmt: skip


# --- load -----------------------------------------------------------------------------------------


def load(figures: Figures) -> Picture | None:
    """Draw when tickets are opened: weekday by hour."""
    most = max(max(hours) for hours in figures.load)
    if not most:
        return None
    day, hour = next(
        (d, h) for d, hours in enumerate(figures.load) for h, count in enumerate(hours) if count == most
    )
    sheet, (axes,) = _sheet(1, left=0.09, top=0.88, bottom=0.1, right=0.99)
    axes.pcolormesh(figures.load, cmap=SEQUENTIAL, vmin=0, vmax=max(most, 2), edgecolors="white", linewidth=3)
    axes.set_ylim(7, 0)
    axes.set_yticks([place + 0.5 for place in range(7)], WEEKDAYS)
    axes.set_xticks(range(0, 25, 6), [f"{place}:00" for place in range(0, 25, 6)])
    axes.get_xticklabels()[0].set_horizontalalignment("left")
    axes.get_xticklabels()[-1].set_horizontalalignment("right")
    for spine in axes.spines.values():
        spine.set_visible(False)
    _title(
        sheet,
        0.975,
        (f"Tickets opened by hour; darkest: {short_number(most)} on {WEEKDAYS[day]} {hour}:00", INK),
    )
    return _picture(
        sheet,
        "load",
        "Load by weekday and hour",
        f"Most tickets, {number(most)}, were opened on {WEEKDAYS[day]} from {hour}:00 to {hour + 1}:00"
        f" ({figures.period.zone.key}).",
    )


# --- the paper ------------------------------------------------------------------------------------


def _sheet(
    rows: int, *, left: float = 0.1, right: float = 0.98, top: float = 0.9, bottom: float = 0.1
) -> tuple[Figure, list[Axes]]:
    sheet = Figure(figsize=(12, 6), dpi=100, facecolor="white")
    axes = [sheet.add_subplot(rows, 1, row + 1) for row in range(rows)]
    sheet.subplots_adjust(left=left, right=right, top=top, bottom=bottom, hspace=0.36)
    return sheet, axes


def _ticks(axes: Axes, most: int) -> None:
    """Give an axis of counts two or three lines from zero on."""
    axes.set_ylim(0, max(most, 1) * 1.08)
    ticks = [
        tick
        for tick in MaxNLocator(2, integer=True).tick_values(0, max(most, 1))
        if tick <= max(most, 1) * 1.08
    ]
    axes.set_yticks(ticks, [_tick(round(tick)) for tick in ticks])
    axes.grid(axis="y", color="#e1e4e8", linewidth=1.5)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)


def _tick(count: int) -> str:
    """Return a number that fits beside an axis: 9,500, 21 k, 1.2 M."""
    return f"{round(count / 1000)} k" if 10_000 <= count < 1_000_000 else short_number(count)


def _title(sheet: Figure, top: float, *words: tuple[str, str]) -> None:
    """Write a title in which each word has the colour of what it names."""
    previous: Any = None
    for word, colour in words:
        text: dict[str, Any] = {"color": colour, "fontsize": LETTERS + 2}
        if colour != INK:
            text["weight"] = "bold"
        if previous is None:
            previous = sheet.text(LEFT, top, word, va="top", **text)
        else:
            previous = sheet.axes[0].annotate(
                word, (1, 0), xycoords=previous, va="bottom", annotation_clip=False, **text
            )


def _picture(sheet: Figure, name: str, title: str, alt: str) -> Picture:
    drawn, written = io.BytesIO(), io.BytesIO()
    sheet.savefig(drawn, format="png")
    # A palette makes a third of the size, and a mail carries four of them to each reader.
    Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        written, "PNG", optimize=True
    )
    return Picture(name, title, alt, written.getvalue())
