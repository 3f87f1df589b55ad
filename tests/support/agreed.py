"""A desk with a service level, office hours, a ladder and an account manager, for tests of what agents and customers ask for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mailtickets.desk.agreement import (
    SHIPPED_TYPES,
    Contact,
    Organisation,
    Rung,
    ServiceLevel,
    Span,
    Target,
    Targets,
    TicketType,
    Trigger,
)
from mailtickets.desk.calendar import Calendar
from mailtickets.desk.policy import AgentPolicy
from tests.support.desk import KIM, LEE, POLICY, SUPPORT

HOUR = timedelta(hours=1)
OFFICE = Calendar("office", "UTC", [[(9 * 60, 17 * 60 + 30)]] * 5 + [[], []])
STANDARD = ServiceLevel(
    "standard",
    {
        "P1": Targets(Span(working=HOUR, text="1wh"), None, Span(working=4 * HOUR, text="4wh")),
        "P3": Targets(Span(working=4 * HOUR, text="4wh"), None, Span(working=16 * HOUR, text="16wh")),
    },
    {"P1": "Urgent", "P2": "Very high", "P3": "Normal"},
)
MAX = AgentPolicy("max", "Max Ray", "max@desk.example")  # an account manager, no agent of the queue
BOSS = Contact(address="boss@home.example", name="Jo Boss", phone="+44 1632 960000")
REQUEST, BREACH = (
    Trigger(request=True, text="request"),
    Trigger(after=Span(plain=timedelta(0)), text="breach"),
)
WARNING = Trigger(share=0.8, text="80%")
RUNGS = (
    Rung(1, "Team lead", (WARNING, REQUEST), (Contact(agent="lee"),), targets=(Target.FIRST_RESPONSE,)),
    Rung(2, "Head of support", (BREACH, REQUEST), (BOSS, Contact(agent="admins")), targets=(Target.FIRST_RESPONSE,)),
)  # fmt: skip
CUSTOMER = Organisation("customer", "Customer Ltd", ("customer.example",), account_manager="max")
QUEUE = replace(
    SUPPORT, calendar="office", service_level="standard", ask_for=("the serial number", "since when it happens")
)  # fmt: skip
AGREED = replace(
    POLICY,
    queues={"support": QUEUE},
    agents={"kim": KIM, "lee": LEE, "max": MAX},
    calendars={"office": OFFICE},
    service_levels={"standard": STANDARD},
    organisations={"customer": CUSTOMER},
    types={**SHIPPED_TYPES, "legal": TicketType("legal", ("jo@lawyer.example",), only_route=True)},
    rungs=RUNGS,
)


def with_queue(**changes):
    """Return the policy with another queue of the same name."""
    return replace(AGREED, queues={"support": replace(QUEUE, **changes)})
