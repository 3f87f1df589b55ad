"""Pure: what the rungs of ladders and the reports must not contradict, and which rungs can never fire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.config_agreement_checks import SHIPPED, TARGETS, an_address, any_calendar, effective
from mailtickets.config_agreement_types import ROLES
from mailtickets.config_checks import own_addresses, unknown
from mailtickets.config_problems import Finding, did_you_mean
from mailtickets.desk.agreement import PRIORITIES, Rung, Target
from mailtickets.desk.escalation import rung_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailtickets.config_agreement import EscalationTable
    from mailtickets.config_checks import Findings
    from mailtickets.config_draft import Draft
    from mailtickets.config_lines import Location
    from mailtickets.durations import Duration

DUE = Target.RESOLUTION.value  # a date agreed by #due takes the place of this target, whatever was promised
SCOPE = ("queue", "type", "organisation")
KNOWN_BY = ("name", *SCOPE)

Promise = tuple[str, str]  # a priority and a target that has a length


def ladder_contradictions(draft: Draft) -> Findings:
    """Yield what makes rungs and reports unusable."""
    for at, rung in draft.escalations.items():
        yield from _scope(draft, ("escalation", at), rung)
        yield from _people(draft, at, rung)
        yield from _moments(draft, at, rung)
        yield from _repeats(draft, at, rung)
        yield from _working_time(draft, at, rung)
    yield from _same_names(draft)
    yield from _reports(draft)


def _same_names(draft: Draft) -> Findings:
    """A rung is known by its name in a ticket's history: of two with one name the second would never fire.

    That holds for all that a ticket may see in its life, as it may change its queue's ladder for its type's.
    """
    seen: dict[str, list[int]] = {}
    for at, rung in draft.escalations.items():
        if any(key not in rung.model_fields_set and draft.has("escalation", at, key) for key in KNOWN_BY):
            continue  # unreadable
        alike = seen.setdefault(word_of(at, rung), [])
        other = next((one for one in alike if _meet(draft.escalations[one], rung)), None)
        alike.append(at)
        if other is None:
            continue
        named, like = (at, other) if rung.name else (other, at)
        name = draft.escalations[like].name
        what = (
            f'the name of rung {like + 1} ("{name}")'
            if name
            else f"what rung {like + 1} without a name is called"
        )
        reason = f"is {what}, which the same ticket may see; only letters and digits tell names apart"
        yield Finding(("escalation", named, "name"), reason, "give each rung a name of its own")


def word_of(at: int, rung: EscalationTable) -> str:
    """Return what a rung is called in a ticket's history; its number where its name says nothing."""
    return rung_word(Rung(at + 1, rung.name, (), ()))


def _meet(one: EscalationTable, other: EscalationTable) -> bool:
    """Tell whether a ticket can be of both scopes."""
    pairs = ((getattr(one, key), getattr(other, key)) for key in SCOPE)
    return all(not here or not there or here == there for here, there in pairs)


def _scope(draft: Draft, location: Location, rung: EscalationTable) -> Findings:
    yield from unknown(draft, (*location, "queue"), rung.queue, "queue")
    yield from unknown(draft, (*location, "type"), rung.type, "type", SHIPPED)
    yield from unknown(draft, (*location, "organisation"), rung.organisation, "organisation")


def _is_empty(draft: Draft, at: int, rung: EscalationTable, key: str) -> bool:
    """Tell whether a list is empty or left out, and not only unreadable."""
    readable = key in rung.model_fields_set or not draft.has("escalation", at, key)
    return readable and not getattr(rung, key)


def _people(draft: Draft, at: int, rung: EscalationTable) -> Findings:
    location = ("escalation", at, "to")
    if _is_empty(draft, at, rung, "to"):
        reason = "names nobody" if draft.has(*location) else "is missing: the rung tells nobody"
        yield Finding(
            location, reason, 'add to = ["kim"], or "account_manager", "assignee", "admins", or addresses'
        )
    own = own_addresses(draft)
    agents = draft.names("agent")
    for number, person in enumerate(rung.to):
        place = (*location, number)
        if person.address:
            yield from an_address(place, person.address, own)
        elif person.key not in {*ROLES, *agents}:
            remedy = did_you_mean(person.key, [*ROLES, *agents])
            yield Finding(place, "is neither an agent nor a role", remedy or "write an address")
    roles = {person.key for person in rung.to}
    if roles == {"admins"} and draft.desk and not draft.desk.admins and not draft.has("desk", "admins", 0):
        yield Finding(
            location, "reaches nobody: the desk has no admins", "add admins to [desk], or name somebody here"
        )


def _moments(draft: Draft, at: int, rung: EscalationTable) -> Findings:
    location = ("escalation", at, "when")
    if _is_empty(draft, at, rung, "when"):
        reason = (
            "is empty, so the rung never fires"
            if draft.has(*location)
            else "is missing, so the rung never fires"
        )
        yield Finding(location, reason, 'add when = ["80%", "breach", "breach+4h"] or ["request"]')
    counted = [number for number, moment in enumerate(rung.when) if moment.text != "request"]
    if not counted:
        return
    if rung.type and not effective(draft.types.get(rung.type), rung.type, "clock"):
        reason = f'never fires: no clock runs for the type "{rung.type}"'
        yield Finding(
            (*location, counted[0]),
            reason,
            f'write when = ["request"], or clock = true in [type.{rung.type}]',
        )
        return
    if is_unpromised(draft, rung) and DUE not in (rung.targets or TARGETS):
        who = f" for {' or '.join(rung.priorities)}" if rung.priorities else ""
        reason = (
            f"never fires: no service level or type that this rung sees sets {' or '.join(rung.targets)}{who}"
        )
        yield Finding((*location, counted[0]), reason, "add the target, or take the rung out")


def is_unpromised(draft: Draft, rung: EscalationTable) -> bool:
    """Tell whether nothing is promised for any ticket of a rung; then only an agreed date can make it fire."""
    wanted = {
        (priority, target) for priority in rung.priorities or PRIORITIES for target in rung.targets or TARGETS
    }
    return wanted.isdisjoint(_promises(draft, rung))


def _promises(draft: Draft, rung: EscalationTable) -> Iterator[Promise]:
    """Yield all that may be promised for a ticket that this rung looks at; rather too much than too little.

    A type's own targets count where the rung names the type, or where the file sets them.
    """
    if rung.type:
        kinds: Iterable[str] = [rung.type]
    else:
        kinds = [name for name, kind in draft.types.items() if effective(kind, name, "clock")]
    for name in kinds:
        kind = draft.types.get(name)
        if rung.type or (kind and kind.model_fields_set & set(TARGETS)):
            yield from _promises_of_type(draft, name)
    if rung.type and any(_promises_of_type(draft, rung.type)):
        return
    for name in _levels(draft, rung) - {""}:
        level = draft.service_levels.get(name)
        for priority in PRIORITIES:
            unreadable = level is None or (
                priority not in level.model_fields_set and draft.has("service_level", name, priority)
            )
            table = None if level is None else level.priorities.get(priority)
            yield from (
                (priority, target) for target in TARGETS if unreadable or getattr(table, target, None)
            )


def _promises_of_type(draft: Draft, name: str) -> Iterator[Promise]:
    kind = draft.types.get(name)
    shipped = effective(None, name, "targets")
    for target in TARGETS:
        written = kind is not None and target in kind.model_fields_set
        if getattr(kind if written else shipped, target, None):
            yield from ((priority, target) for priority in PRIORITIES)


def _levels(draft: Draft, rung: EscalationTable) -> set[str]:
    """Return the service levels of the tickets that a rung looks at."""
    if rung.type and (own := effective(draft.types.get(rung.type), rung.type, "service_level")):
        return {str(own)}
    levels = {queue.service_level for name, queue in draft.queues.items() if rung.queue in {"", name}}
    levels |= {
        one.service_level for key, one in draft.organisations.items() if rung.organisation in {"", key}
    }
    levels |= {rule.then.service_level for rule in draft.rules.values()}
    return levels | ({kind.service_level for kind in draft.types.values()} if not rung.type else set())


def _repeats(draft: Draft, at: int, rung: EscalationTable) -> Findings:
    location = ("escalation", at)
    if rung.repeat and not draft.has(*location, "times"):
        yield Finding(
            (*location, "repeat"), "does not say how often", "add times = 3, how often it is told in all"
        )
    elif rung.repeat and rung.times == 1 and "times" in rung.model_fields_set:
        yield Finding(
            (*location, "times"),
            "counts the first telling too, so nothing is repeated",
            "write 2 or more, or take repeat out",
        )
    if (
        rung.times > 1
        and not rung.repeat
        and (not draft.has(*location, "repeat") or "repeat" in rung.model_fields_set)
    ):
        yield Finding(
            (*location, "times"), "says nothing without a distance", 'add repeat = "4h", or take it out'
        )
    if rung.repeat and rung.when and all(moment.after is None for moment in rung.when):
        yield Finding(
            (*location, "repeat"),
            "is for a breach, and this rung does not fire at one",
            'add "breach" to when, or take it out',
        )


def _working_time(draft: Draft, at: int, rung: EscalationTable) -> Findings:
    lengths: list[tuple[Location, Duration | None]] = [
        (("escalation", at, "when", number), moment.after) for number, moment in enumerate(rung.when)
    ]
    lengths.append((("escalation", at, "repeat"), rung.repeat))
    working = [place for place, length in lengths if length and length.working]
    if working and not any_calendar(draft):
        yield Finding(
            working[0],
            "counts working time, and no queue, service level or organisation has a calendar",
            'add calendar = "..." to a queue, or write plain time',
        )


# Reports


def _reports(draft: Draft) -> Findings:
    own = own_addresses(draft)
    for name, report in draft.reports.items():
        location: Location = ("report", name)
        readable = "to" in report.model_fields_set or not draft.has(*location, "to")
        if readable and not report.to:
            reason = "names nobody" if draft.has(*location, "to") else "is missing: the report goes to nobody"
            yield Finding((*location, "to"), reason, 'add to = ["boss@acme.example"]')
        for number, address in enumerate(report.to):
            yield from an_address((*location, "to", number), address, own)
        yield from unknown(draft, (*location, "queue"), report.queue, "queue")
        yield from unknown(draft, (*location, "organisation"), report.organisation, "organisation")
        yield from unknown(draft, (*location, "type"), report.type, "type", SHIPPED)
        yield from unknown(draft, (*location, "agent"), report.agent, "agent")
