"""Pure: what the desk's rules say about figures: names of groups, the goal to be reached, targets to be marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.desk.agreement import PRIORITIES, ServiceLevel
from mailtickets.mail.compose import visible_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from mailtickets.desk.policy import Policy

MOST_LETTERS = 60
USUAL_GOAL = ServiceLevel("").goal


def group_name(policy: Policy, dimension: str, key: str, level: ServiceLevel | None) -> str:
    """Return what people call a group, in one harmless line; a key that the configuration no longer has is its own name."""
    name = visible_line(_name(policy, dimension, key, level))
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}\u2026"


def _name(policy: Policy, dimension: str, key: str, level: ServiceLevel | None) -> str:
    match dimension:
        case "priority":
            name = level.names.get(key, "") if level else _common_name(policy, key)
            return f"{key} {name}" if name and name != key else key
        case "organisation":
            organisation = policy.organisations.get(key)
            return organisation.name if organisation and organisation.name else key or "no organisation"
        case "agent":
            agent = policy.agents.get(key)
            return agent.name if agent else key or "nobody yet"
    return key or "none"


def _common_name(policy: Policy, priority: str) -> str:
    """Return what every service level calls a priority, or nothing where they differ."""
    names = {level.names.get(priority, "") for level in policy.service_levels.values()}
    return names.pop() if len(names) == 1 else ""


def level_for(policy: Policy, known: Mapping[str, str]) -> ServiceLevel | None:
    """Return the one service level that tickets are under of which so much is known, or None where it cannot be told.

    known   dimension to word; "queue", "organisation" and "type" count.

    In the order of `desk.terms.terms_of`: the type's own, the organisation's, the queue's; where none
    of them is named, the only one that the desk has.
    """
    kind = policy.types.get(known.get("type", ""))
    organisation = policy.organisations.get(known.get("organisation", ""))
    queue = policy.queues.get(known.get("queue", ""))
    for name in (one.service_level for one in (kind, organisation, queue) if one):
        if level := policy.service_levels.get(name):
            return level
    levels = list(policy.service_levels.values())
    return levels[0] if len(levels) == 1 else None


def goal_for(policy: Policy, level: ServiceLevel | None) -> float:
    """Return the share of targets to be kept: the level's, the one that all levels share, or 95 %."""
    if level is not None:
        return level.goal
    goals = {one.goal for one in policy.service_levels.values()}
    return goals.pop() if len(goals) == 1 else USUAL_GOAL


def response_targets(
    policy: Policy, level: ServiceLevel | None, known: Mapping[str, str]
) -> tuple[tuple[str, timedelta], ...]:
    """Return the targets for first response by name of priority, the shortest first.

    Those of a type that has its own stand under the name of the type. Targets in working days are
    left out: how long they are depends on the day.
    """
    kind = policy.types.get(known.get("type", ""))
    if kind and kind.targets:
        promised = {kind.name: kind.targets}
    else:
        wanted = (known["priority"],) if known.get("priority") else PRIORITIES
        targets = level.targets if level else {}
        promised = {
            group_name(policy, "priority", key, level): targets[key] for key in wanted if key in targets
        }
    found = []
    for name, targets_of in promised.items():
        span = targets_of.first_response
        length = (span.plain or span.working) if span else None
        if length:
            found.append((name, length))
    return tuple(sorted(found, key=lambda one: one[1]))
