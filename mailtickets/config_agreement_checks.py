"""Pure: what service levels, organisations and types must not contradict, in themselves and with the queues."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mailtickets.config_agreement_types import BELOW, ROLES
from mailtickets.config_checks import NAME, own_addresses, owner_of, unknown
from mailtickets.config_problems import Finding, did_you_mean
from mailtickets.config_types import is_address
from mailtickets.desk.agreement import PRIORITIES, SHIPPED_TYPES, Target, TicketType
from mailtickets.desk.command_rules import RULES
from mailtickets.desk.course import DESK
from mailtickets.desk.policy import LARGE_PROVIDERS

if TYPE_CHECKING:
    from mailtickets.config_agreement import OrganisationTable, ServiceLevelTable, TypeTable
    from mailtickets.config_checks import Findings
    from mailtickets.config_draft import Draft
    from mailtickets.config_lines import Location
    from mailtickets.config_models import Queue
    from mailtickets.durations import Duration

ALWAYS = ("always",)  # the calendar that needs no table
SHIPPED = tuple(SHIPPED_TYPES)
TARGETS = tuple(target.value for target in Target)
SILENCE = ("close_after", "resolved_close_after")

# The commands of design section 6: a priority of that name could not be told from them. #p1 to #p4 are looked at apart.
COMMANDS = (frozenset(RULES) - {priority.lower() for priority in PRIORITIES}) | {
    "note", "take", "assign", "release", "wait", "pending", "third-party", "open", "resolve", "close", "reopen", "due",
    "queue", "cc", "uncc", "watch", "mute", "for", "merge", "split", "tag", "type", "workaround", "use", "ask",
    "escalate", "away", "back", "spam", "forget", "show", "history", "why", "clock", "next", "list", "search", "stats",
    "help", "undo",
}  # fmt: skip

_TYPE = re.compile(r"[a-z][a-z0-9_-]{0,31}\Z")


def agreement_contradictions(draft: Draft) -> Findings:
    """Yield what makes levels, organisations and types unusable."""
    yield from _names(draft)
    for name, queue in draft.queues.items():
        yield from _queue(draft, name, queue)
    for key, agent in draft.agents.items():
        yield from unknown(draft, ("agent", key, "hours"), agent.hours, "calendar", ALWAYS)
    for name, level in draft.service_levels.items():
        yield from _level(draft, name, level)
    yield from _organisations(draft)
    for name, kind in draft.types.items():
        yield from _type(draft, name, kind)


def _names(draft: Draft) -> Findings:
    for table in ("service_level", "report", "organisation"):
        for name in draft.names(table):
            place: Location = (table, name)
            if table == "organisation":
                place = place if draft.places[name] == place else (*draft.places[name], "key")
            if not NAME.match(name):
                yield Finding(place, "not a name", 'write up to 32 of letters, digits, "_" and "-"')
    for name in draft.names("type"):
        if not _TYPE.match(name):
            yield Finding(
                ("type", name),
                "not the name of a type",
                'write a small letter, then up to 31 of a-z, 0-9, "_" and "-"',
            )
    for key in draft.names("agent"):
        if key in ROLES:
            yield Finding(("agent", key), "is what ladders call a role", "give the agent another key")
        elif key == DESK:
            reason = "is what the desk calls itself, so no answer of this agent would count as one"
            yield Finding(("agent", key), reason, "give the agent another key")


def _queue(draft: Draft, name: str, queue: Queue) -> Findings:
    location = ("queue", name)
    yield from unknown(draft, (*location, "calendar"), queue.calendar, "calendar", ALWAYS)
    yield from unknown(draft, (*location, "service_level"), queue.service_level, "service_level")
    for number, key in enumerate(queue.on_call):
        place = (*location, "on_call", number)
        if key not in draft.names("agent"):
            yield from unknown(draft, place, key, "agent")
        elif key not in queue.agents:
            yield Finding(
                place, "is no agent of this queue", f'add "{key}" to its agents, or take it out here'
            )
    if queue.calendar or (draft.has(*location, "calendar") and "calendar" not in queue.model_fields_set):
        return
    counted: list[tuple[Location, Duration]] = [
        ((*location, "reminders", number), one) for number, one in enumerate(queue.reminders)
    ]
    counted += [((*location, key), getattr(queue, key)) for key in SILENCE]
    for spot, length in counted:
        if length.working:
            plain = str(length).replace("w", "")
            yield Finding(
                spot,
                f"counts working time, and queue.{name} has no calendar",
                f'add calendar = "..." to [queue.{name}], or write plain time such as "{plain}"',
            )


# Service levels


def _level(draft: Draft, name: str, level: ServiceLevelTable) -> Findings:
    location = ("service_level", name)
    yield from unknown(draft, (*location, "calendar"), level.calendar, "calendar", ALWAYS)
    words: dict[str, str] = {}
    for priority, table in level.priorities.items():
        place = (*location, priority, "name")
        word = " ".join(table.name.split()).casefold()
        if not word:
            continue
        if word in words:
            yield Finding(place, f"is already the name of {words[word]}", "give each priority its own name")
        elif word in COMMANDS:
            yield Finding(place, f"is the command #{word}", "choose another name: #NAME sets a priority")
        elif word.upper() in PRIORITIES and word.upper() != priority:
            yield Finding(place, f"is what {word.upper()} is called anyway", "choose another name")
        words.setdefault(word, priority)
    if not level_has_calendar(draft, name):
        for priority, table in level.priorities.items():
            counted = [target for target in Target if (span := table.target(target)) and span.working]
            if counted:
                yield Finding(
                    (*location, priority, counted[0].value),
                    "counts working time, and neither this level nor a queue or organisation that uses it has a calendar",
                    f'add calendar = "..." to [service_level.{name}]',
                )
                return  # the others of this level want the same remedy


def level_has_calendar(draft: Draft, name: str) -> bool:
    """Tell whether any ticket under a service level has a calendar: the organisation's, the level's or the queue's."""
    level = draft.service_levels.get(name)
    if level is None or level.calendar:
        return True
    queues = [queue for queue in draft.queues.values() if queue.service_level == name]
    organisations = [one for one in draft.organisations.values() if one.service_level in {name, ""}]
    elsewhere = any(one.service_level == name for one in draft.organisations.values()) or level_is_set(
        draft, name
    )
    if elsewhere or not queues:  # then its tickets may be in any queue
        queues, organisations = [*draft.queues.values()], [*draft.organisations.values()]
    return any(queue.calendar for queue in queues) or any(one.calendar for one in organisations)


def level_is_set(draft: Draft, name: str) -> bool:
    """Tell whether a type or a rule gives tickets this service level."""
    by_type = any(kind.service_level == name for kind in draft.types.values())
    return by_type or any(rule.then.service_level == name for rule in draft.rules.values())


def any_calendar(draft: Draft) -> bool:
    """Tell whether any ticket of this desk has a calendar."""
    return (
        any(queue.calendar for queue in draft.queues.values())
        or any(level.calendar for level in draft.service_levels.values())
        or any(one.calendar for one in draft.organisations.values())
    )


# Organisations


def _organisations(draft: Draft) -> Findings:
    own = own_addresses(draft)
    domains: dict[str, str] = {}
    contacts: dict[str, str] = {}
    for key, one in draft.organisations.items():
        location = draft.places[key]
        yield from unknown(draft, (*location, "service_level"), one.service_level, "service_level")
        yield from unknown(draft, (*location, "calendar"), one.calendar, "calendar", ALWAYS)
        yield from _account_manager(draft, location, one, own)
        for number, domain in enumerate(one.domains):
            place = (*location, "domains", number)
            if domain in domains:
                yield Finding(place, f"is already a domain of {domains[domain]}", "take one of them out")
            elif provider := _provider(domain):
                yield Finding(
                    place,
                    f"is {provider}, where everybody may have an address",
                    "name the people under contacts instead",
                )
            domains.setdefault(domain, f"organisation.{key}")
        for number, address in enumerate(one.contacts):
            place = (*location, "contacts", number)
            if address.lower() in contacts:
                yield Finding(
                    place, f"is already a contact of {contacts[address.lower()]}", "take one of them out"
                )
            elif queue := owner_of(own, address):
                yield Finding(place, f"is an address of {queue}", "name a person of the customer")
            contacts.setdefault(address.lower(), f"organisation.{key}")


def _provider(domain: str) -> str:
    """Return the large mail provider that a domain is, or holds, or ""."""
    if domain in LARGE_PROVIDERS:
        return "a large mail provider"
    if domain.startswith(BELOW):
        ending = domain[1:]
        held = sorted(provider for provider in LARGE_PROVIDERS if f".{provider}".endswith(ending))
        return f"above the large mail provider {held[0]}" if held else ""
    return ""


def _account_manager(
    draft: Draft, location: Location, one: OrganisationTable, own: dict[str, str]
) -> Findings:
    place = (*location, "account_manager")
    if "@" in one.account_manager:
        yield from an_address(place, one.account_manager, own)
    else:
        yield from unknown(draft, place, one.account_manager, "agent")


def an_address(place: Location, address: str, own: dict[str, str]) -> Findings:
    """Yield what is wrong with an address that the desk is to write to."""
    if not is_address(address):
        yield Finding(place, "not an e-mail address", 'write it as "name@domain", or an agent\'s key')
    elif queue := owner_of(own, address):
        yield Finding(
            place, f"is an address of {queue}: the desk would write to itself", "name a person's own address"
        )


# Types


def _type(draft: Draft, name: str, kind: TypeTable) -> Findings:
    location = ("type", name)
    yield from unknown(draft, (*location, "service_level"), kind.service_level, "service_level")
    yield from _route(draft, name, kind)
    written = [key for key in TARGETS if getattr(kind, key)]
    if written and not effective(kind, name, "clock"):
        yield Finding(
            (*location, written[0]),
            "is never counted: no clock runs for this type",
            "add clock = true, or take it out",
        )
        return
    working = [key for key in written if getattr(kind, key).working]
    if working and not any_calendar(draft):
        yield Finding(
            (*location, working[0]),
            "counts working time, and no queue, service level or organisation has a calendar",
            'add calendar = "..." to a queue',
        )


def effective(kind: TypeTable | None, name: str, key: str) -> Any:
    """Return what holds for a type: what is written, else what is shipped."""
    if kind is not None and key in kind.model_fields_set:
        return getattr(kind, key)
    return getattr(SHIPPED_TYPES.get(name, TicketType(name)), key)


def _route(draft: Draft, name: str, kind: TypeTable) -> Findings:
    location = ("type", name, "route")
    if not kind.route:
        yield Finding(location, "names nobody", 'write "queue", "account_manager", or agents and addresses')
    listed = isinstance(draft.written["type"][name].get("route"), list)
    for number, word in enumerate(kind.route):
        place: Location = (*location, number) if listed else location
        agents = draft.names("agent")
        if "@" in word:
            yield from an_address(place, word, own_addresses(draft))
        elif word not in {"queue", "account_manager", *agents}:
            remedy = did_you_mean(word, ["queue", "account_manager", *agents])
            yield Finding(place, 'is neither an agent nor "queue" nor "account_manager"', remedy)
    if effective(kind, name, "only_route") and "queue" in effective(kind, name, "route"):
        key = "route" if "route" in kind.model_fields_set else "only_route"
        reason = "only_route keeps the queue out, and route names it"
        yield Finding(("type", name, key), reason, 'write route = ["account_manager"] or name people')
