"""The tables of config.toml that say what was agreed with whom: levels, organisations, types, rules, ladders, reports.

Says what a key may hold by itself; `config_agreement_checks.py` says what keys must not contradict each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, Strict

from mailtickets.config_agreement_types import (
    Criteria,
    Day,
    Domain,
    HeaderPatterns,
    Moment,
    Name,
    OneOrMore,
    OptionalPriority,
    Priority,
    Sender,
    Share,
    TagWord,
    TimeOfDay,
    Told,
)
from mailtickets.config_table import Table
from mailtickets.config_types import AsList, MailAddress, OptionalText, SpanOrNone, Text
from mailtickets.desk.agreement import PRIORITIES, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

Flag = Annotated[bool, Strict()]


class PriorityTable(Table):
    """`P1 = {...}` to `P4 = {...}` of a service level: what is promised for this priority."""

    name: OptionalText = ""  # the desk's own word; empty: P1 to P4
    criteria: Criteria = ""  # what makes a mail this priority; shown in acknowledgements
    first_response: SpanOrNone = None  # until a person's first answer; "": no target
    update: SpanOrNone = None  # from one answer of a person to the next
    resolution: SpanOrNone = None

    def target(self, target: Target) -> SpanOrNone:
        """Return one of the three."""
        span: SpanOrNone = getattr(self, target.value)
        return span


class ServiceLevelTable(Table):
    """`[service_level.NAME]`: a promise per priority."""

    calendar: Name = ""  # empty: the organisation's, else the queue's
    default_priority: Priority = "P3"
    goal: Share = 0.95  # share of the targets that is to be kept
    resolution_ends: Literal["resolved", "closed"] = "resolved"
    P1: PriorityTable | None = None
    P2: PriorityTable | None = None
    P3: PriorityTable | None = None
    P4: PriorityTable | None = None

    @property
    def priorities(self) -> Mapping[str, PriorityTable]:
        """Those that are written, by name."""
        written = {name: getattr(self, name) for name in PRIORITIES}
        return {name: table for name, table in written.items() if table is not None}


class OrganisationTable(Table):
    """`[organisation.KEY]`, or a line of the file that `desk.organisations` names: a customer company."""

    name: Text
    domains: Annotated[tuple[Domain, ...], AsList] = ()
    contacts: Annotated[tuple[MailAddress, ...], AsList] = ()  # empty: everybody of its domains
    others: Literal["accept", "tell", "hold"] = "accept"  # mail of its people who are no contacts
    account_manager: Name = ""  # an agent's key or an address
    service_level: Name = ""  # empty: the queue's
    calendar: Name = ""  # empty: the service level's, else the queue's
    until: Day = None  # last day of the agreement
    confirm_close: Flag | None = None  # None: as the queue says


class TypeTable(Table):
    """`[type.NAME]`: a route and a level of its own. What is not written stays as shipped for the five shipped types."""

    route: Annotated[tuple[Text, ...], OneOrMore] = ("queue",)
    only_route: Flag = False  # the queue's agents do not get it
    service_level: Name = ""
    first_response: SpanOrNone = None  # for every priority, in place of the service level's targets
    update: SpanOrNone = None
    resolution: SpanOrNone = None
    clock: Flag = True
    silence: Flag = True  # reminders, closing by silence
    tell: Flag = False  # the customer is told which way it goes
    ask_for: Annotated[tuple[Text, ...], AsList] = ()  # in place of the queue's, where it is written
    confirm_close: Flag | None = None  # None: as the queue says


class ThenTable(Table):
    """`then = {...}` of a rule: what it sets; empty: left as it is."""

    priority: OptionalPriority = ""
    type: Name = ""
    queue: Name = ""
    assign: Name = ""  # an agent's key
    tags: Annotated[tuple[TagWord, ...], AsList] = ()
    service_level: Name = ""


class RuleTable(Table):
    """`[[rule]]`: all conditions that are given must hold; within one list any."""

    name: OptionalText = ""
    words: Annotated[tuple[Text, ...], AsList] = ()  # in subject or body
    subject: Annotated[tuple[Text, ...], AsList] = ()
    body: Annotated[tuple[Text, ...], AsList] = ()
    sender: Annotated[tuple[Sender, ...], AsList] = ()  # addresses, "*@acme.example", "*@*.acme.example"
    organisation: Annotated[tuple[Name, ...], AsList] = ()
    header: HeaderPatterns = Field(default_factory=dict)  # a word in a header field; "*": it is there
    from_queue: Annotated[tuple[Name, ...], AsList] = ()  # the queue that the mail came to
    then: ThenTable = ThenTable()
    stop: Flag = False  # no later rule is looked at


class EscalationTable(Table):
    """`[[escalation]]`: one rung of a ladder; the order in the file is the order of the ladder."""

    name: OptionalText = ""
    queue: Name = ""  # empty: every queue
    type: Name = ""
    organisation: Name = ""
    when: Annotated[tuple[Moment, ...], AsList] = ()
    targets: Annotated[
        tuple[Literal["first_response", "update", "resolution"], ...], AsList
    ] = ()  # empty: all
    priorities: Annotated[tuple[Priority, ...], AsList] = ()  # empty: all
    to: Annotated[tuple[Told, ...], AsList] = ()
    repeat: SpanOrNone = None
    times: Annotated[int, Strict(), Field(ge=1, le=1000)] = 1
    always: Flag = False  # also outside working hours


class ReportTable(Table):
    """`[report.NAME]`: a report that is mailed by itself, about the week or month that ended."""

    every: Literal["week", "month"]
    to: Annotated[tuple[MailAddress, ...], AsList] = ()
    at: TimeOfDay = "07:00"
    queue: Name = ""  # empty: all; so the other filters
    organisation: Name = ""
    type: Name = ""
    priority: OptionalPriority = ""
    agent: Name = ""
