"""From the tables of the agreement to the desk's own values: calendars, levels, organisations, types, rules, rungs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mailtickets.config_calendar import calendar_of
from mailtickets.desk.agreement import (
    SHIPPED_TYPES,
    Contact,
    Organisation,
    ReportPlan,
    Rule,
    Rung,
    ServiceLevel,
    Span,
    Target,
    Targets,
    TicketType,
    Trigger,
)
from mailtickets.desk.calendar import ALWAYS
from mailtickets.mail.message import address_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailtickets.config import Config
    from mailtickets.config_agreement import (
        EscalationTable,
        OrganisationTable,
        PriorityTable,
        ReportTable,
        RuleTable,
        ServiceLevelTable,
        TypeTable,
    )
    from mailtickets.config_agreement_types import Person, When
    from mailtickets.desk.calendar import Calendar
    from mailtickets.durations import Duration


def span(duration: Duration) -> Span:
    """Return a length of time as the desk counts it: plain, working, or working days."""
    text = str(duration)
    if duration.days:
        return Span(days=duration.days, text=text)
    if duration.working:
        return Span(working=duration.timedelta, text=text)
    return Span(plain=duration.timedelta, text=text)


def _span(duration: Duration | None) -> Span | None:
    return None if duration is None else span(duration)


def calendars_of(config: Config) -> dict[str, Calendar]:
    """Return the calendars by name, with the one that is built in."""
    made = {name: calendar_of(name, table) for name, table in config.calendars.items()}
    return {"always": ALWAYS, **made}


def level_of(name: str, table: ServiceLevelTable) -> ServiceLevel:
    """Return what a service level promises."""
    priorities = table.priorities.items()
    return ServiceLevel(
        name=name,
        targets={priority: _targets(one) for priority, one in priorities},
        names={priority: one.name for priority, one in priorities if one.name},
        criteria={priority: one.criteria for priority, one in priorities if one.criteria},
        calendar=table.calendar,
        default_priority=table.default_priority,
        goal=table.goal,
        resolution_ends=table.resolution_ends,
    )


def _targets(table: PriorityTable) -> Targets:
    return Targets(_span(table.first_response), _span(table.update), _span(table.resolution))


def organisation_of(key: str, table: OrganisationTable) -> Organisation:
    """Return a customer company."""
    return Organisation(
        key=key,
        name=table.name,
        domains=table.domains,
        contacts=tuple(address_key(address) for address in table.contacts),
        others=table.others,
        account_manager=address_key(table.account_manager)
        if "@" in table.account_manager
        else table.account_manager,
        service_level=table.service_level,
        calendar=table.calendar,
        until=table.until,
        confirm_close=table.confirm_close,
    )


def types_of(tables: Mapping[str, TypeTable]) -> dict[str, TicketType]:
    """Return the shipped types, changed by what the file says of them, and the file's own."""
    own = {
        name: _type_of(SHIPPED_TYPES.get(name) or TicketType(name), table) for name, table in tables.items()
    }
    return {**SHIPPED_TYPES, **own}


def _type_of(base: TicketType, table: TypeTable) -> TicketType:
    written: dict[str, Any] = {key: getattr(table, key) for key in table.model_fields_set}
    targets = {target.value: _span(written.pop(target)) for target in Target if target in written}
    if targets:
        changed = replace(base.targets or Targets(), **targets)
        written["targets"] = None if changed == Targets() else changed
    if "route" in written:
        written["route"] = tuple(address_key(one) if "@" in one else one for one in table.route)
    return replace(base, **written)


def rule_of(number: int, table: RuleTable) -> Rule:
    """Return a rule; `number` is 1 for the first in the file."""
    then = table.then
    return Rule(
        number=number,
        name=table.name,
        words=table.words,
        subject=table.subject,
        body=table.body,
        sender=tuple(address_key(sender) for sender in table.sender),
        organisation=table.organisation,
        header=table.header,
        queue=table.from_queue,
        set_priority=then.priority,
        set_type=then.type,
        set_queue=then.queue,
        set_assignee=then.assign,
        set_tags=then.tags,
        set_service_level=then.service_level,
        stop=table.stop,
    )


def rung_of(number: int, table: EscalationTable, agents: Mapping[str, str]) -> Rung:
    """Return a rung; `number` is 1 for the first in the file.

    agents   addresses in comparable form, each with its agent's key: an agent is told as an agent.
    """
    return Rung(
        number=number,
        name=table.name,
        when=tuple(_trigger(when) for when in table.when),
        to=tuple(_contact(person, agents) for person in table.to),
        queue=table.queue,
        type=table.type,
        organisation=table.organisation,
        targets=tuple(Target(target) for target in table.targets),
        priorities=table.priorities,
        repeat=_span(table.repeat),
        times=table.times,
        always=table.always,
    )


def _trigger(when: When) -> Trigger:
    asked = when.share is None and when.after is None
    return Trigger(share=when.share, after=_span(when.after), request=asked, text=when.text)


def _contact(person: Person, agents: Mapping[str, str]) -> Contact:
    agent = person.key or agents.get(address_key(person.address), "")
    return Contact(agent=agent, address="" if agent else person.address, name=person.name, phone=person.phone)


def report_of(name: str, table: ReportTable) -> ReportPlan:
    """Return when a report is mailed, and to whom."""
    hour, _, minute = table.at.partition(":")
    return ReportPlan(
        name=name,
        every=table.every,
        to=table.to,
        at_minute=int(hour) * 60 + int(minute),
        queue=table.queue,
        organisation=table.organisation,
        type=table.type,
        priority=table.priority,
        agent=table.agent,
    )
