"""Pure: a report as plain text of at most 80 columns, and the short form for a mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.figures.period import MONTHS, WEEKDAYS, day_in_words
from mailtickets.figures.statistics import RESPONSE_EDGES
from mailtickets.figures.tables import BELOW, brief, brief_dimensions, detailed
from mailtickets.figures.wording import (
    AGES,
    about_opened,
    about_reopened,
    change_of_backlog,
    fitted,
    goal_percent,
    is_missed,
    length,
    notes,
    number,
    percent,
    scope,
    width,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailtickets.figures.course import Point
    from mailtickets.figures.statistics import Figures, Share, Times
    from mailtickets.figures.tables import Table

WIDTH = 80
BAR = 30
NAME = 18
SHADES = ".:-=#"
MAX_LINES = 14  # of the course of time; above, days are put together


def text_report(figures: Figures, detail: str = "") -> str:
    """Return the report as text.

    detail   the one dimension whose tables are shown in full; "" shows every dimension in brief.
    """
    sections = [_head(figures), *_volume(figures)]
    if not figures.total.is_empty:
        sections += [
            _targets(figures),
            _times(figures),
            _ages(figures),
            _responses(figures),
            _course(figures),
            _load(figures),
        ]
        tables = [_detail(table) for table in detailed(figures, detail)] if detail else []
        if not detail:
            tables = [_brief(brief(figures, dimension)) for dimension in brief_dimensions(figures)]
        sections += tables
        if any(f" {BELOW}" in line for section in sections for line in section):
            sections.append([f"{BELOW} below the goal"])
    return "\n\n".join("\n".join(line.rstrip() for line in section) for section in sections if section) + "\n"


# --- the whole ------------------------------------------------------------------------------------


def _head(figures: Figures) -> list[str]:
    lines = _wrapped(f"{figures.desk}: {figures.period.in_words}")
    if said := scope(figures):
        lines += _wrapped(f"Only {said}")
    here = figures.at.astimezone(figures.period.zone)
    if figures.at < figures.period.end:
        lines.append(f"As it was on {day_in_words(here.date())}, {here:%H:%M} ({figures.period.zone.key})")
    for note in notes(figures):
        lines += _wrapped(note)
    return lines


def _volume(figures: Figures) -> Iterator[list[str]]:
    total = figures.total
    yield [
        _fact("Opened", number(total.opened), about_opened(figures)),
        _fact("Resolved", number(total.resolved)),
        _fact("Closed", number(total.closed)),
        _fact("Reopened", number(total.reopened), about_reopened(total)),
        _fact("Backlog", number(total.backlog), change_of_backlog(figures)),
    ]


def _fact(name: str, count: str, said: str = "") -> str:
    return f"{name:<{NAME}}{count:>10}   {said}"


def _targets(figures: Figures) -> list[str]:
    total = figures.total
    shares = (
        ("First response", total.first_response_target),
        ("Resolution", total.resolution_target),
        ("Updates", total.updates),
    )
    if not any(share.judged for _, share in shares):
        return []
    return [
        f"{'Within target':<{NAME}}{'share':>10}{'goal':>8}{'kept':>12}{'missed':>12}",
        *(_target(name, share, total.goal) for name, share in shares),
    ]


def _target(name: str, share: Share, goal: float) -> str:
    if not share.judged:
        return f"{name:<{NAME}}{'-':>10}   no target was due"
    mark = "   below the goal" if is_missed(share, goal) else ""
    return f"{name:<{NAME}}{percent(share.share):>10}{goal_percent(goal):>8}{number(share.kept):>12}{number(share.missed):>12}{mark}"


def _times(figures: Figures) -> list[str]:
    total = figures.total
    if not (total.first_response.count or total.resolution.count):
        return []
    interim = f"   {number(total.interim)} by a workaround" if total.interim else ""
    return [
        f"{'Time on the clock':<{NAME}}{'median':>10}{'90 % within':>14}{'tickets':>12}",
        _time("First response", total.first_response),
        _time("Resolution", total.resolution) + interim,
    ]


def _time(name: str, times: Times) -> str:
    return f"{name:<{NAME}}{length(times.median):>10}{length(times.p90):>14}{number(times.count):>12}"


def _ages(figures: Figures) -> list[str]:
    if not figures.total.backlog:
        return []
    counts = figures.total.backlog_by_age
    return ["Backlog by age", *_bars(list(zip(AGES, counts, strict=True)))]


def _responses(figures: Figures) -> list[str]:
    counts = figures.responses
    found = [place for place, count in enumerate(counts) if count]
    if not found:
        return []
    rows = []
    for place in range(found[0], found[-1] + 1):
        last = place == len(RESPONSE_EDGES)
        name = (
            f"longer than {length(RESPONSE_EDGES[-1])}" if last else f"up to {length(RESPONSE_EDGES[place])}"
        )
        rows.append((name, counts[place]))
    return ["First responses by length", *_bars(rows)]


def _bars(rows: Sequence[tuple[str, int]]) -> list[str]:
    most = max(count for _, count in rows)
    return [f"  {name:<{NAME - 2}}{number(count):>10}   {_bar(count, most, BAR)}" for name, count in rows]


def _bar(count: int, most: int, places: int) -> str:
    """Return a bar; what there is at all has at least one sign."""
    return "#" * max(round(count * places / most), 1 if count else 0) if most else ""


def _course(figures: Figures) -> list[str]:
    points = figures.course
    for step in ("week", "month", "year"):
        if len(points) > MAX_LINES:
            points = figures.in_steps(step)
    if len(points) < 2:
        return []
    most = max(point.backlog for point in points)
    return [
        f"{'Course of time':<{NAME}}{'opened':>10}{'resolved':>10}{'backlog':>10}   at the end",
        *(
            f"  {_when(point):<{NAME - 2}}{number(point.opened):>10}{number(point.resolved):>10}"
            f"{number(point.backlog):>10}   {_bar(point.backlog, most, BAR - 1)}"
            for point in points
        ),
    ]


def _when(point: Point) -> str:
    first, last = point.first, point.last
    if first == last:
        return f"{WEEKDAYS[first.weekday()]} {first.day} {MONTHS[first.month - 1]}"
    if (last - first).days > 31:
        return str(last.year)
    if (last - first).days > 6:
        return f"{MONTHS[first.month - 1]} {first.year}"
    end = f"{last.day} {MONTHS[last.month - 1]}"
    return (
        f"{first.day}-{end}" if first.month == last.month else f"{first.day} {MONTHS[first.month - 1]}-{end}"
    )


def _load(figures: Figures) -> list[str]:
    most, hour, day = max(
        (count, -hour, -day) for day, hours in enumerate(figures.load) for hour, count in enumerate(hours)
    )
    if not most:
        return []
    busiest = f"{WEEKDAYS[-day]} {-hour:02}:00 to {1 - hour:02}:00"
    lines = [
        f"Tickets opened by hour ({figures.period.zone.key}); most on {busiest}: {number(most)}",
        "     " + " ".join(f"{hour:02}" for hour in range(24)),
    ]
    for name, hours in zip(WEEKDAYS, figures.load, strict=True):
        cells = (
            SHADES[min(count * len(SHADES) // (most + 1), len(SHADES) - 1)] if count else " "
            for count in hours
        )
        lines.append(f"{name}   " + " ".join(f"{cell * 2}" for cell in cells))
    return lines


# --- groups ---------------------------------------------------------------------------------------

_BRIEF = (18, 8, 9, 8, 8, 11, 8, 10)


def _brief(table: Table) -> list[str]:
    columns = [
        _row(("", "", "", "", "first response", "resolution"), (18, 8, 9, 8, 17, 18)),
        _row((table.title, *table.headings[1:]), _BRIEF),
        *(_row(row, _BRIEF) for row in table.rows),
    ]
    return [*columns, *([f"({table.note})"] if table.note else [])]


def _detail(table: Table) -> list[str]:
    title, _, what = table.title.partition(": ")
    columns = len(table.headings) - 1
    widths = (26, *(min((WIDTH - 26) // columns, 10),) * columns)
    lines = [
        f"{title}: {what}",
        _row(("", *table.headings[1:]), widths),
        *(_row(row, widths) for row in table.rows),
    ]
    return [*lines, *([f"({table.note})"] if table.note else [])]


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line; the mark of a missed goal hangs over to the right, so that numbers stay in their column."""
    name, *figures = cells
    line = fitted(name, widths[0])
    for cell, places in zip(figures, widths[1:], strict=True):
        line += " " * (places - width(cell)) + cell
    return line


def _wrapped(line: str) -> list[str]:
    lines = [""]
    for word in line.split():
        if lines[-1] and width(lines[-1]) + 1 + width(word) > WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


# --- the short form -------------------------------------------------------------------------------


def short(figures: Figures) -> str:
    """Return the report in about twelve lines, for a mail."""
    total = figures.total
    lines = [f"{figures.desk}: {figures.period.in_words}"]
    if said := scope(figures):
        lines.append(f"Only {said}")
    lines += notes(figures)
    old = sum(total.backlog_by_age[3:])
    lines += [
        (
            f"Opened {number(total.opened)}, resolved {number(total.resolved)}, closed {number(total.closed)},"
            f" reopened {number(total.reopened)}"
        ),
        ", ".join(
            one
            for one in (
                f"Backlog {number(total.backlog)}",
                change_of_backlog(figures),
                f"{number(old)} older than 7 days" if old else "",
            )
            if one
        ),
        *_short_line("First response", total.first_response, total.first_response_target, total.goal),
        *_short_line("Resolution", total.resolution, total.resolution_target, total.goal),
    ]
    if total.updates.judged:
        lines.append(f"Updates: {percent(total.updates.share)} in time (goal {goal_percent(total.goal)})")
    lines += [
        f"{group.name}: opened {number(group.opened)}, backlog {number(group.backlog)}, in target:"
        f" first response {percent(group.first_response_target.share)},"
        f" resolution {percent(group.resolution_target.share)}"
        for group in figures.groups("priority")
    ]
    return "\n".join(lines) + "\n"


def _short_line(name: str, times: Times, share: Share, goal_share: float) -> Iterator[str]:
    parts = []
    if times.count:
        parts.append(f"median {length(times.median)}, 90 % within {length(times.p90)}")
    if share.judged:
        goal = goal_percent(goal_share)
        said = f"below the goal of {goal}" if is_missed(share, goal_share) else f"goal {goal}"
        parts.append(f"{percent(share.share)} in target ({said})")
    if parts:
        yield f"{name}: {'; '.join(parts)}"
