"""Pure: sums, medians and shares of many tickets, group by group, from arrays of integers.

Values are sorted once for all tickets; dealt out in that order, each group's own are sorted by
themselves, so no median sorts anything. What each figure means is said in docs/reports.md.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets.figures.course import Point, coarser
from mailtickets.store.measures import AGE, CLASSES, KEPT, MARKS, MISSED, MOST_UPDATES, UPDATES

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from types import ModuleType

    from mailtickets.figures.period import Period

MAX_DAY_STEPS, MAX_WEEK_STEPS = 100, 105  # beyond, a line for each day, or week, helps nobody
MANY = 100_000  # times
AGE_NAMES = ("0-1d", "1-3d", "3-7d", "7-30d", "older")
# Where the bars of the distribution of response times end: each about twice as long as the one before.
RESPONSE_EDGES = tuple(
    timedelta(minutes=minutes)
    for minutes in (1, 2, 4, 8, 15, 30, 60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 30720)
)


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took: so many times, the middle one, and what 90 of 100 stayed within; None without any."""

    count: int = 0
    median: timedelta | None = None
    p90: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """How often a target was kept."""

    kept: int = 0
    missed: int = 0

    @property
    def judged(self) -> int:
        """How many targets were settled one way or the other."""
        return self.kept + self.missed

    @property
    def share(self) -> float | None:
        """Return the part that was kept, 0 to 1; None where there was no target."""
        return self.kept / self.judged if self.judged else None


@dataclass(frozen=True, slots=True)
class Group:
    """All figures of the whole selection, or of one of its groups.

    key    the word it is counted by: "P1", "billing", "kim"; "" for the whole, and for "none".
    name   the same for people.
    goal   the share of targets that is to be kept.
    backlog   unfinished tickets at the end by age, see AGE_NAMES.
    """

    key: str = ""
    name: str = ""
    goal: float = 0.95
    opened: int = 0
    resolved: int = 0
    closed: int = 0
    reopened: int = 0
    automatic: int = 0
    first_response: Times = Times()
    first_response_target: Share = Share()
    resolution: Times = Times()
    resolution_target: Share = Share()
    interim: int = 0
    updates: Share = Share()
    backlog_by_age: tuple[int, ...] = (0,) * len(AGE_NAMES)

    @property
    def backlog(self) -> int:
        """Unfinished tickets at the end."""
        return sum(self.backlog_by_age)

    @property
    def is_empty(self) -> bool:
        """True where nothing was counted at all."""
        return not (
            self.opened or self.resolved or self.closed or self.backlog or self.resolution_target.judged
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """A whole report.

    at                when it was counted: the end of the period, or now where that comes first.
    filters           (dimension, key, name) of what it was limited to.
    backlog_before    unfinished tickets when the period began.
    by                dimension to its groups; priorities in their order, others by tickets opened.
    days              the course of time, day by day until the period's end or today; for a period of more than
                      100 days from the first ticket on.
    load              tickets opened by weekday (Monday first) and hour.
    responses         first responses by length: up to each of RESPONSE_EDGES, and longer.
    response_targets  (name of the priority, its target for first response), where it is the same for all tickets.
    uncounted         tickets of before the desk counted; their figures are missing.
    """

    desk: str
    period: Period
    at: datetime
    total: Group
    filters: tuple[tuple[str, str, str], ...] = ()
    backlog_before: int = 0
    by: Mapping[str, tuple[Group, ...]] = field(default_factory=dict)
    days: tuple[Point, ...] = ()
    load: tuple[tuple[int, ...], ...] = ((0,) * 24,) * 7
    responses: tuple[int, ...] = (0,) * (len(RESPONSE_EDGES) + 1)
    response_targets: tuple[tuple[str, timedelta], ...] = ()
    uncounted: int = 0

    @property
    def step(self) -> str:
        """How long the steps of `course` are: "day"; "week" above 100 days; "month" above 105 weeks."""
        days = len(self.days)
        return "day" if days <= MAX_DAY_STEPS else "week" if days <= 7 * MAX_WEEK_STEPS else "month"

    @property
    def course(self) -> tuple[Point, ...]:
        """The course of time in steps that a reader can take in."""
        return self.in_steps(self.step)

    def in_steps(self, step: str) -> tuple[Point, ...]:
        """Return the course of time by "day", "week", "month" or "year"."""
        return coarser(self.days, step)

    def groups(self, dimension: str) -> tuple[Group, ...]:
        """Return the groups of a dimension; () where it was not asked for."""
        return self.by.get(dimension, ())


# --- times ----------------------------------------------------------------------------------------


def times(used: Sequence[int], below: int = 0) -> Times:
    """Return the figures of times in seconds, sorted.

    below   so many bits below the seconds hold something else.

    The median of an even number lies in the middle of the two middle ones; the 90th percentile is the
    shortest time that 90 of 100 did not exceed (nearest rank).
    """
    count = len(used)
    if not count:
        return Times()
    low, high, p90 = (
        int(used[place]) >> below for place in ((count - 1) // 2, count // 2, -(-9 * count // 10) - 1)
    )
    return Times(count, timedelta(seconds=(low + high) / 2), timedelta(seconds=p90))


def histogram(
    used: Sequence[int], below: int = 0, edges: Sequence[timedelta] = RESPONSE_EDGES
) -> tuple[int, ...]:
    """Return how many of the times (as in `times`) are at most as long as each edge but longer than the one before; then the rest."""
    ends = [bisect_left(used, edge // timedelta(seconds=1) + 1 << below) for edge in edges]
    return tuple(end - begin for begin, end in zip([0, *ends], [*ends, len(used)], strict=True))


# --- groups ---------------------------------------------------------------------------------------


class Grouping:
    """Deals tickets out to their groups: the words of one dimension, or one group for all.

    words   number of each class, rising, and its word; None: all tickets are one group.
    """

    def __init__(self, words: Iterable[tuple[int, str]] | None = None) -> None:
        known: dict[str, int] = {}
        self._places = array(
            "i", [0]
        )  # of each class; what belongs to no class has number 0 and counts nothing
        for number, word in words or ():
            self._places.extend([0] * (number - len(self._places)))
            self._places.append(known.setdefault(word, len(known)))
        self.keys = [""] if words is None else list(known)
        self._alone = words is None

    def deal(self, classes: Sequence[int], values: array[int]) -> Sequence[Sequence[int]]:
        """Return each group's values, in the order given."""
        if self._alone:
            return [values]
        if fast := _for_many(values):
            found: list[Sequence[int]] = fast.deal(self._places, classes, values, len(self.keys))
            return found
        dealt = [array(values.typecode) for _ in self.keys]
        if dealt:
            take = [dealt[place].append for place in self._places]
            for number, value in zip(classes, values, strict=True):
                take[number](value)
        return dealt

    def updates(self, counted: Counter[int]) -> list[Share]:
        """Return each group's updates kept and missed of what was counted (class, kept, missed)."""
        kept, missed = [0] * len(self.keys), [0] * len(self.keys)
        for one, count in counted.items():
            place = 0 if self._alone else self._places[one >> 2 * UPDATES]
            kept[place] += (one >> UPDATES & MOST_UPDATES) * count
            missed[place] += (one & MOST_UPDATES) * count
        return list(map(Share, kept, missed))

    def marks(self, counted: Counter[int]) -> list[Marks]:
        """Return each group's marks of keys (class and marks) that were counted."""
        made = [Marks() for _ in self.keys]
        for key, count in counted.items():
            made[0 if self._alone else self._places[key >> MARKS]].add(key & (1 << MARKS) - 1, count)
        return made


class Marks:
    """The marks of a group's tickets, counted."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def add(self, marks: int, count: int) -> None:
        """Count so many tickets with these marks."""
        self._counts[marks] = self._counts.get(marks, 0) + count

    def of(self, bit: int) -> int:
        """Return how many tickets have a bit set."""
        return sum(count for marks, count in self._counts.items() if marks & bit)

    def share(self, first_bit: int) -> Share:
        """Return how often the target was kept and missed whose verdict begins at this bit."""
        verdicts = [0] * 4
        for marks, count in self._counts.items():
            verdicts[marks >> first_bit & 3] += count
        return Share(verdicts[KEPT], verdicts[MISSED])

    def ages(self) -> tuple[int, ...]:
        """Return the backlog by age."""
        ages = [0] * 8
        for marks, count in self._counts.items():
            ages[marks >> AGE & 7] += count
        return tuple(ages[1 : len(AGE_NAMES) + 1])


def by_length(used: array[int]) -> tuple[Sequence[int], array[int]]:
    """Return, of the tickets that have a time (not -1), the classes, and the times as they stand; the shortest first."""
    fast = _for_many(used)
    ordered = fast.sort(used[:]) if fast else array("q", sorted(used))
    ordered = ordered[bisect_left(ordered, 0) :]
    if fast:
        return fast.lowest_bits(ordered, CLASSES), ordered
    lowest = (1 << CLASSES) - 1
    return array("i", [one & lowest for one in ordered]), ordered


def _for_many(values: Sequence[int]) -> ModuleType | None:
    """Return the module that is quicker where there are very many, if it is worth its memory and can be had."""
    if len(values) < MANY:
        return None
    try:
        from mailtickets.figures import many  # noqa: PLC0415
    except ImportError:
        return None
    return many
