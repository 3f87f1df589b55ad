"""Gathers a report from the store's measures. Reads only; counts nothing twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.figures.course import by_day_and_hour, course
from mailtickets.figures.goals import goal_for, group_name, level_for, response_targets
from mailtickets.figures.statistics import (
    MAX_DAY_STEPS,
    Figures,
    Group,
    Grouping,
    by_length,
    histogram,
    times,
)
from mailtickets.store.measures import (
    AUTOMATIC,
    BEFORE,
    CLASSES,
    CLOSED,
    DIMENSIONS,
    INTERIM,
    LEFT,
    OPENED,
    REOPENED,
    RESOLUTION_VERDICT,
    RESPONSE_VERDICT,
    Selection,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from mailtickets.desk.agreement import ReportPlan, ServiceLevel
    from mailtickets.desk.policy import Policy
    from mailtickets.figures.period import Period
    from mailtickets.store.measures import Measures, Tallied

EVERY_DIMENSION = tuple(DIMENSIONS)


def gather(
    measures: Measures,
    period: Period,
    policy: Policy,
    now: datetime,
    *,
    filters: Mapping[str, str] | None = None,
    by: Iterable[str] = EVERY_DIMENSION,
) -> Figures:
    """Return the report of a period.

    measures   of a connection that is in no transaction.
    filters    dimension to word: only these tickets.
    by         dimensions to break it down by.

    All of it is read from one state of the store, also while the desk writes.
    """
    chosen = {dimension: word for dimension, word in (filters or {}).items() if word}
    level = level_for(policy, chosen)
    selection = Selection(period.start, period.end, now, **chosen)
    with measures.snapshot():
        counted = _Counted(measures.tallied(selection))
        total = counted.groups(Grouping())[0]
        broken_down = {
            dimension: _named(
                counted.groups(Grouping(measures.classes(dimension))), dimension, policy, level, chosen
            )
            for dimension in by
        }
        uncounted = measures.uncounted()
    days_opened, load = by_day_and_hour(Counter(counted.tallied.opened), period.zone)
    days_left, _ = by_day_and_hour(Counter(counted.tallied.left), period.zone)
    before = counted.backlog_before
    until = min(period.last, now.astimezone(period.zone).date())
    begin = period.first
    if period.days > MAX_DAY_STEPS and not before:  # a long period may begin before the desk did
        begin = min([*days_opened, *days_left], default=until)
    return Figures(
        desk=policy.desk_name,
        period=period,
        at=selection.at,
        total=_with_goal(total, "", "all tickets", goal_for(policy, level)),
        filters=tuple((one, word, group_name(policy, one, word, level)) for one, word in chosen.items()),
        backlog_before=before,
        by=broken_down,
        days=course(begin, until, days_opened, days_left, before),
        load=load,
        responses=counted.distribution,
        response_targets=response_targets(policy, level, chosen),
        uncounted=uncounted,
    )


def planned(measures: Measures, plan: ReportPlan, period: Period, policy: Policy, now: datetime) -> Figures:
    """Return the report of a plan, limited as the plan says."""
    return gather(measures, period, policy, now, filters={name: getattr(plan, name) for name in DIMENSIONS})


class _Counted:
    """What was read of a selection: once, for any number of groupings."""

    def __init__(self, tallied: Tallied) -> None:
        self.tallied = tallied
        self._keys = Counter(tallied.keys)
        self._updates = Counter(tallied.updates)
        self._answered = by_length(tallied.response_used)
        self._resolved = by_length(tallied.resolution_used)
        self.distribution = histogram(self._answered[1], CLASSES)
        self.backlog_before = Grouping().marks(self._keys)[0].of(BEFORE)

    def groups(self, grouping: Grouping) -> list[Group]:
        """Return the figures of each group, without name and goal."""
        columns = zip(
            grouping.keys,
            grouping.marks(self._keys),
            (times(used, CLASSES) for used in grouping.deal(*self._answered)),
            (times(used, CLASSES) for used in grouping.deal(*self._resolved)),
            grouping.updates(self._updates),
            strict=True,
        )
        return [
            Group(
                key=key,
                opened=marks.of(OPENED),
                resolved=marks.of(LEFT),
                closed=marks.of(CLOSED),
                reopened=marks.of(REOPENED),
                automatic=marks.of(AUTOMATIC),
                first_response=answered,
                first_response_target=marks.share(RESPONSE_VERDICT),
                resolution=resolved,
                resolution_target=marks.share(RESOLUTION_VERDICT),
                interim=marks.of(INTERIM),
                updates=updates,
                backlog_by_age=marks.ages(),
            )
            for key, marks, answered, resolved, updates in columns
        ]


def _with_goal(group: Group, key: str, name: str, goal: float) -> Group:
    return replace(group, key=key, name=name, goal=goal)


def _named(
    groups: Sequence[Group],
    dimension: str,
    policy: Policy,
    level: ServiceLevel | None,
    chosen: Mapping[str, str],
) -> tuple[Group, ...]:
    """Return the groups that have anything in them, with name and goal, in the order of a report."""
    named = []
    for group in groups:
        if group.is_empty:
            continue
        own = level_for(policy, {**chosen, dimension: group.key})
        name = group_name(policy, dimension, group.key, level)
        named.append(_with_goal(group, group.key, name, goal_for(policy, own)))
    if dimension == "priority":
        return tuple(sorted(named, key=lambda group: group.key))
    return tuple(sorted(named, key=lambda group: (-group.opened, -group.backlog, group.name)))
