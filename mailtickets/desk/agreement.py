"""Pure: what was agreed with whom, as plain values: service levels, organisations, types, rules, rungs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

PRIORITIES = ("P1", "P2", "P3", "P4")


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time: plain, or working time of whatever calendar it is counted on.

    plain     24h: real time.
    working   4wh: so much open time.
    days      5wd: so many working days on, to the same time of day; the other two are None then.

    Exactly one of the three is set.
    """

    plain: timedelta | None = None
    working: timedelta | None = None
    days: int | None = None
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.text


def hours(number: int) -> Span:
    """Return so many plain hours."""
    return Span(plain=timedelta(hours=number), text=f"{number}h")


class Target(StrEnum):
    """What a service level promises (design section 7)."""

    FIRST_RESPONSE = "first_response"
    UPDATE = "update"
    RESOLUTION = "resolution"


@dataclass(frozen=True, slots=True)
class Targets:
    """The promise for one priority; None = none."""

    first_response: Span | None = None
    update: Span | None = None
    resolution: Span | None = None

    def of(self, target: Target) -> Span | None:
        """Return one of the three."""
        return {
            Target.FIRST_RESPONSE: self.first_response,
            Target.UPDATE: self.update,
            Target.RESOLUTION: self.resolution,
        }[target]


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """`[service_level.NAME]`.

    targets           by priority, P1 to P4; a priority that is missing has none.
    names             the desk's own words for priorities; missing ones are shown as P1 to P4.
    criteria          what makes a mail P1 and so on, shown in acknowledgements.
    calendar          its own calendar; "" = the organisation's, else the queue's.
    goal              share of targets to be kept, 0.95.
    resolution_ends   "resolved" or "closed": which status ends the resolution clock.
    """

    name: str
    targets: Mapping[str, Targets] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    criteria: Mapping[str, str] = field(default_factory=dict)
    calendar: str = ""
    default_priority: str = "P3"
    goal: float = 0.95
    resolution_ends: str = "resolved"


@dataclass(frozen=True, slots=True)
class Organisation:
    """`[organisation.KEY]`: a customer company.

    contacts          addresses in comparable form; () = everybody of its domains.
    others            what happens to mail of its other people: "accept", "tell" or "hold".
    account_manager   an agent's key or an address; "" = none.
    until             last day of the agreement, or None.
    confirm_close     None = as the queue says.
    """

    key: str
    name: str
    domains: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    others: str = "accept"
    account_manager: str = ""
    service_level: str = ""
    calendar: str = ""
    until: date | None = None
    confirm_close: bool | None = None


@dataclass(frozen=True, slots=True)
class TicketType:
    """`[type.NAME]`: incident, question, request, enhancement, complaint; a route and a level of its own.

    route          "queue"; "account_manager" (else the queue's admins); or agents' keys and addresses.
    only_route     the queue's agents do not get it, only those named in `route`.
    targets        its own targets for every priority; None = those of the service level.
    clock          False: no clock runs.
    silence        False: no reminder, no closing by silence.
    tell           the customer is told in the acknowledgement that it goes that way.
    ask_for        what such a request should contain; None = the queue's lines.
    """

    name: str
    route: tuple[str, ...] = ("queue",)
    only_route: bool = False
    service_level: str = ""
    targets: Targets | None = None
    clock: bool = True
    silence: bool = True
    tell: bool = False
    ask_for: tuple[str, ...] | None = None
    confirm_close: bool | None = None


# What the desk needs to know of a fault is no question for somebody with a wish or a complaint: ask_for is none.
ENHANCEMENT = TicketType(
    "enhancement", ("account_manager",), clock=False, silence=False, tell=True, ask_for=()
)
COMPLAINT_DAYS = 5
COMPLAINT = TicketType(
    "complaint", ("account_manager",), only_route=True, silence=False,
    targets=Targets(first_response=Span(days=COMPLAINT_DAYS, text="5wd")), tell=True, ask_for=(),
)  # fmt: skip
SHIPPED_TYPES: dict[str, TicketType] = {
    "incident": TicketType("incident"),
    "question": TicketType("question"),
    "request": TicketType("request"),
    "enhancement": ENHANCEMENT,
    "complaint": COMPLAINT,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """`[[rule]]`: all given conditions must hold (within one list: any); then everything set is set.

    number      1 for the first in the file.
    words       in subject or body; `subject`, `body`: only there. Whole words, case does not count.
    sender      addresses; "*@example.com" is a whole domain.
    header      name to pattern: a word that must stand in that header; "*" = the header is there.
    queue       the queue the mail came to.
    stop        no later rule is looked at.
    """

    number: int
    name: str = ""
    words: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    sender: tuple[str, ...] = ()
    organisation: tuple[str, ...] = ()
    header: Mapping[str, str] = field(default_factory=dict)
    queue: tuple[str, ...] = ()
    set_priority: str = ""
    set_type: str = ""
    set_queue: str = ""
    set_assignee: str = ""
    set_tags: tuple[str, ...] = ()
    set_service_level: str = ""
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody who is told of an escalation: an agent, a role, or a plain address with name and telephone.

    agent   an agent's key, or "account_manager", "assignee", "admins"; "" for a plain address.
    """

    agent: str = ""
    address: str = ""
    name: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Trigger:
    """When a rung fires.

    share     of the target used, 0.8; None for the others.
    after     after the breach; a zero Span is the breach itself.
    request   when an agent or customer asks.

    Exactly one of the three is set.
    """

    share: float | None = None
    after: Span | None = None
    request: bool = False
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Rung:
    """`[[escalation]]`: one step of a ladder; the order in the file is the order of the ladder.

    number       1 for the first in the file: with its name what is written into the history.
    queue        "" = every queue; likewise type, organisation. A ladder of a type or organisation takes
                 the place of the queue's.
    targets      () = all three; priorities: () = all.
    repeat       after firing again and again at this distance while the breach lasts, `times` times in all.
    always       also outside working hours.
    """

    number: int
    name: str
    when: tuple[Trigger, ...]
    to: tuple[Contact, ...]
    queue: str = ""
    type: str = ""
    organisation: str = ""
    targets: tuple[Target, ...] = ()
    priorities: tuple[str, ...] = ()
    repeat: Span | None = None
    times: int = 1
    always: bool = False


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """`[report.NAME]`: a report mailed by itself, about the week or month that ended.

    every        "week" (sent on Mondays) or "month" (on the first).
    at_minute    minute of the day in the desk's zone.
    to           addresses.
    queue, organisation, type, priority, agent   filters; "" = all.
    """

    name: str
    every: str
    to: tuple[str, ...]
    at_minute: int = 7 * 60
    queue: str = ""
    organisation: str = ""
    type: str = ""
    priority: str = ""
    agent: str = ""
