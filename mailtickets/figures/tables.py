"""Pure: the tables of a report as rows of words, the same for text and page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailtickets.figures.wording import (
    SHORT_AGES,
    goal_percent,
    is_missed,
    length,
    number,
    percent,
    short_number,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailtickets.figures.statistics import Figures, Group, Share, Times

BRIEF_GROUPS = 10  # of each dimension in a report that shows them all
DETAIL_GROUPS = 50
BELOW = "!"  # stands behind a share below its goal


@dataclass(frozen=True, slots=True)
class Table:
    """One table: the first column holds names, the others figures."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def goal_marked(share: Share, goal: float) -> str:
    """Return a share, with a mark where it is below the goal, and with as much room where it is not."""
    return f"{percent(share.share)} {BELOW if is_missed(share, goal) else ' '}"


def shown(groups: Sequence[Group], most: int) -> tuple[Sequence[Group], str]:
    """Return the groups that a table has room for, and what to say about the others."""
    left = len(groups) - most
    if left <= 0:
        return groups, ""
    rest = sum(group.opened for group in groups[most:])
    return groups[:most], f"{number(left)} more with {number(rest)} opened"


def brief_dimensions(figures: Figures) -> tuple[str, ...]:
    """Return the dimensions worth a table: those in which the tickets differ."""
    return tuple(dimension for dimension, groups in figures.by.items() if len(groups) > 1)


def brief(figures: Figures, dimension: str) -> Table:
    """Return the one table of a dimension in a report that shows them all."""
    groups, note = shown(figures.groups(dimension), BRIEF_GROUPS)
    return Table(
        f"By {dimension}",
        ("", "opened", "resolved", "backlog", "median", "in target", "median", "in target"),
        tuple(
            (
                group.name,
                short_number(group.opened),
                short_number(group.resolved),
                short_number(group.backlog),
                length(group.first_response.median),
                goal_marked(group.first_response_target, group.goal),
                length(group.resolution.median),
                goal_marked(group.resolution_target, group.goal),
            )
            for group in groups
        ),
        note,
    )


def detailed(figures: Figures, dimension: str) -> tuple[Table, ...]:
    """Return all tables of a dimension: volume, first response, resolution, updates, backlog by age."""
    groups, note = shown(figures.groups(dimension), DETAIL_GROUPS)

    def table(title: str, headings: Sequence[str], cells: Callable[[Group], Sequence[str]]) -> Table:
        rows = tuple((group.name, *cells(group)) for group in groups)
        return Table(f"By {dimension}: {title}", ("", *headings), rows, note)

    def target(share: Share, goal: float) -> tuple[str, ...]:
        return (
            goal_marked(share, goal),
            goal_percent(goal),
            short_number(share.kept),
            short_number(share.missed),
        )

    def timed(times: Times, share: Share, goal: float) -> tuple[str, ...]:
        return length(times.median), length(times.p90), *target(share, goal)

    counts = ("opened", "resolved", "closed", "reopened", "backlog")
    kept = ("share", "goal", "kept", "missed")
    return (
        table(
            "volume",
            counts,
            lambda one: [
                short_number(count)
                for count in (one.opened, one.resolved, one.closed, one.reopened, one.backlog)
            ],
        ),
        table(
            "first response",
            ("median", "90 %", *kept),
            lambda one: timed(one.first_response, one.first_response_target, one.goal),
        ),
        table(
            "resolution",
            ("median", "90 %", *kept),
            lambda one: timed(one.resolution, one.resolution_target, one.goal),
        ),
        table("updates", kept, lambda one: target(one.updates, one.goal)),
        table(
            "backlog by age", SHORT_AGES, lambda one: [short_number(count) for count in one.backlog_by_age]
        ),
    )
