"""Pure: what works in levels, organisations, types and ladders, and is probably not meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.config_agreement import EscalationTable
from mailtickets.config_agreement_checks import effective, level_is_set
from mailtickets.config_agreement_types import BELOW
from mailtickets.config_checks import surely_not_after
from mailtickets.config_ladder_checks import is_unpromised, word_of
from mailtickets.config_problems import Finding
from mailtickets.desk.agreement import Target

if TYPE_CHECKING:
    from mailtickets.config_agreement import OrganisationTable, ServiceLevelTable
    from mailtickets.config_checks import Findings
    from mailtickets.config_draft import Draft
    from mailtickets.config_lines import Location

MAX_NAMED = 3  # organisations that a warning lists


def agreement_doubts(draft: Draft) -> Findings:
    """Yield what works but is probably not meant."""
    for name, level in draft.service_levels.items():
        yield from _level(draft, name, level)
    for name, queue in draft.queues.items():
        used = draft.service_levels.get(queue.service_level)
        if used is not None and not queue.calendar and not used.calendar and _counts_working_time(used):
            reason = (
                "counts working time, and this queue has no calendar: in it every hour counts, day and night"
            )
            yield Finding(("queue", name, "service_level"), reason, 'add calendar = "..."')
        agents = [draft.agents[key] for key in queue.agents if key in draft.agents]
        if queue.on_call and not any(agent.hours for agent in agents):
            reason = "is never needed: an agent without hours is always on duty"
            yield Finding(
                ("queue", name, "on_call"), reason, "add hours to the agents of the queue, or take it out"
            )
    for key, organisation in draft.organisations.items():
        yield from _organisation(draft.places[key], organisation)
    yield from _kept_types(draft)
    for at, rung in draft.escalations.items():
        if word_of(at, rung) == str(at + 1) != rung.name:
            reason = "has no name: it is known by its place in the file, so it fires anew when a rung is written above it"
            yield Finding(("escalation", at), reason, 'add name = "..."')
        yield from _managers(draft, at, rung)
        counted = [number for number, moment in enumerate(rung.when) if moment.text != "request"]
        if counted and is_unpromised(draft, rung):
            reason = "fires on agreed dates only (#due): no service level or type that this rung sees sets a target"
            yield Finding(
                ("escalation", at, "when", counted[0]), reason, "add the target, if that is not meant"
            )


def _counts_working_time(level: ServiceLevelTable) -> bool:
    spans = (table.target(target) for table in level.priorities.values() for target in Target)
    return any(span.working for span in spans if span)


def _level(draft: Draft, name: str, level: ServiceLevelTable) -> Findings:
    for priority, table in level.priorities.items():
        first, whole = table.first_response, table.resolution
        if first and whole and first != whole and surely_not_after(whole, first):
            place = ("service_level", name, priority, "first_response")
            yield Finding(place, f'is longer than the resolution ("{whole}")', "they may have changed places")
    used = {queue.service_level for queue in draft.queues.values()}
    used |= {one.service_level for one in draft.organisations.values()}
    if name not in used and not level_is_set(draft, name):
        reason = "nothing uses it"
        yield Finding(
            ("service_level", name), reason, f'add service_level = "{name}" to a queue or organisation'
        )


def _organisation(location: Location, one: OrganisationTable) -> Findings:
    if not one.domains and not one.contacts:
        yield Finding(
            location, "has neither domains nor contacts, so no mail is theirs", "add domains = [...]"
        )
    if one.others != "accept" and not one.contacts:
        reason = "has no effect: without contacts everybody is one"
        yield Finding((*location, "others"), reason, "add contacts = [...], or take it out")
    for number, address in enumerate(one.contacts):
        domain = address.lower().rpartition("@")[2]
        if one.domains and not any(domain == own or _is_below(domain, own) for own in one.domains):
            reason = "is in none of the organisation's domains"
            yield Finding((*location, "contacts", number), reason, "that is fine if it is meant")


def _is_below(domain: str, own: str) -> bool:
    return own.startswith(BELOW) and domain.endswith(own[1:])


def _kept_types(draft: Draft) -> Findings:
    """Look at the types that keep the queue's agents out, where the file writes them or a rule sets them."""
    places: dict[str, Location] = {name: ("type", name) for name in draft.types}
    for at, rule in draft.rules.items():
        if rule.then.type:
            places.setdefault(rule.then.type, ("rule", at, "then", "type"))
    for name, place in places.items():
        kind = draft.types.get(name)
        if not effective(kind, name, "only_route"):
            continue
        # Whoever writes may belong to no organisation, also where each of them has an account manager.
        if (
            set(effective(kind, name, "route")) == {"account_manager"}
            and draft.desk
            and not draft.desk.admins
        ):
            reason = "mail of this type goes to the whole queue where no account manager is named"
            yield Finding(place, reason, f"add admins to [desk], or route = [...] to [type.{name}]")
        warns = any(
            rung.type == name and any(moment.text != "request" for moment in rung.when)
            for rung in draft.escalations.values()
        )
        promised = effective(kind, name, "clock") and not is_unpromised(draft, EscalationTable(type=name))
        if promised and not warns:
            reason = (
                "its targets warn nobody: it keeps the queue's agents out, so only rungs of its own see it"
            )
            yield Finding(place, reason, f'add an [[escalation]] with type = "{name}"')


def _managers(draft: Draft, at: int, rung: EscalationTable) -> Findings:
    numbers = [number for number, person in enumerate(rung.to) if person.key == "account_manager"]
    if not numbers:
        return
    seen = [key for key in draft.organisations if rung.organisation in {"", key}]
    without = [key for key in seen if not draft.organisations[key].account_manager]
    place = ("escalation", at, "to", numbers[0])
    if not seen:
        yield Finding(
            place, "is nobody: there is no organisation with an account manager", "add one, or name an agent"
        )
    elif without:
        more = f" and {len(without) - MAX_NAMED} more" if len(without) > MAX_NAMED else ""
        reason = f"is nobody for {', '.join(without[:MAX_NAMED])}{more}"
        yield Finding(place, reason, f"add account_manager to [organisation.{without[0]}]")
