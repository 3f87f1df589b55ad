"""Which level, calendar and targets hold for a ticket, and what its priorities are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailtickets.desk.agreement import COMPLAINT, Organisation, ServiceLevel, Targets, TicketType
from mailtickets.desk.calendar import ALWAYS, Calendar
from mailtickets.desk.terms import default_priority, priority_name, priority_of_word, terms_of
from mailtickets.desk.ticket import Status, Ticket
from tests.support.clocks import targets
from tests.support.desk import POLICY, SUPPORT
from tests.support.desk import START as NOW

TICKET = Ticket(1001, "SUP", "support", "Printer on fire", "ana@customer.example", NOW, NOW)


def calendar(name: str) -> Calendar:
    return Calendar(name, "Europe/London", [[(540, 1020)]] * 5 + [[], []])


def named(name: str, **more) -> ServiceLevel:
    return ServiceLevel(name, **more)


CALENDARS = {name: calendar(name) for name in ("of_queue", "of_level", "of_acme")}
LEVELS = {
    name: named(name, calendar="of_level" if name == "with_hours" else "")
    for name in ("of_queue", "of_acme", "of_type", "of_rule", "with_hours")
}
ACME = Organisation("acme", "Acme", service_level="of_acme")


def policy(queue_level="", queue_calendar="", organisation=ACME, **types):
    queue = replace(SUPPORT, service_level=queue_level, calendar=queue_calendar)
    return replace(
        POLICY,
        queues={"support": queue},
        calendars=CALENDARS,
        service_levels=LEVELS,
        organisations={"acme": organisation},
        types={**POLICY.types, **types},
    )


LOUD = TicketType("loud", service_level="of_type")


@pytest.mark.parametrize(
    ("ticket", "level"),
    [
        ({}, "of_queue"),
        ({"organisation": "acme"}, "of_acme"),
        ({"organisation": "acme", "service_level": "of_rule"}, "of_rule"),
        ({"organisation": "acme", "service_level": "of_rule", "type": "loud"}, "of_type"),
        ({"organisation": "gone", "service_level": "gone", "type": "gone"}, "of_queue"),
    ],
)
def test_the_nearest_service_level_holds(ticket, level):
    """The type's, else a rule's, else the organisation's, else the queue's; a name that is gone counts as none."""
    found = terms_of(replace(TICKET, **ticket), policy("of_queue", loud=LOUD))
    assert found.level is LEVELS[level]


def test_without_any_level_nothing_is_promised():
    """Clocks are read all the same, around the clock where there is no calendar."""
    found = terms_of(TICKET, policy())
    assert (found.level, found.calendar, found.runs) == (None, ALWAYS, True)
    assert found.targets("P1") == Targets()


@pytest.mark.parametrize(
    ("queue", "organisation", "calendar"),
    [
        (("", ""), "", "always"),
        (("", "of_queue"), "", "of_queue"),
        (("with_hours", "of_queue"), "", "of_level"),
        (("with_hours", "of_queue"), "of_acme", "of_acme"),
        (("with_hours", "of_queue"), "gone", "of_level"),
    ],
)
def test_the_nearest_calendar_holds(queue, organisation, calendar):
    """The organisation's, else the level's, else the queue's, else 24/7."""
    acme = Organisation("acme", "Acme", calendar=organisation)
    found = terms_of(replace(TICKET, organisation="acme"), policy(*queue, organisation=acme))
    assert found.calendar.name == calendar


def test_a_type_with_targets_of_its_own_promises_only_them():
    """A complaint is answered within five working days, whatever its priority, and nothing else is promised."""
    by_priority = ServiceLevel("standard", {"P1": targets("30m", "60m", "4wh")})
    level = replace(policy("standard"), service_levels={"standard": by_priority})
    complaint = terms_of(replace(TICKET, type="complaint"), level)
    assert complaint.targets("P1") == COMPLAINT.targets
    assert terms_of(TICKET, level).targets("P1") == by_priority.targets["P1"]
    assert terms_of(TICKET, level).targets("P4") == Targets()


def test_no_clock_runs_for_an_enhancement():
    """The shipped type has no clock, so a level promises it nothing."""
    level = ServiceLevel("standard", {"P3": targets("4wh")})
    desk = replace(policy("standard"), service_levels={"standard": level})
    found = terms_of(replace(TICKET, type="enhancement"), desk)
    assert not found.runs
    assert found.targets("P3") == Targets()


def test_the_level_says_which_status_ends_the_resolution():
    """`resolved` unless it says `closed`."""
    desk = replace(policy("late"), service_levels={"late": ServiceLevel("late", resolution_ends="closed")})
    assert terms_of(TICKET, desk).resolution_ends is Status.CLOSED
    assert terms_of(TICKET, policy("of_queue")).resolution_ends is Status.RESOLVED


WORDS = ServiceLevel("words", names={"P1": "Urgent", "P2": "High", "P4": "Very low"}, default_priority="P4")


@pytest.mark.parametrize(
    ("word", "level", "priority"),
    [
        ("P1", None, "P1"),
        ("p4", None, "P4"),
        ("p5", None, None),
        ("high", None, None),
        ("high", WORDS, "P2"),
        ("URGENT", WORDS, "P1"),
        (" very  low ", WORDS, "P4"),
        ("p2", WORDS, "P2"),
        ("P3", WORDS, "P3"),
        ("", WORDS, None),
    ],
)
def test_a_priority_goes_by_its_code_and_by_the_desks_word(word, level, priority):
    """`#p1` and `#urgent` are the same where the desk says Urgent."""
    assert priority_of_word(word, level) == priority


def test_a_priority_is_shown_in_the_desks_word():
    """Where the desk has none, the code stands."""
    assert [priority_name(p, WORDS) for p in ("P1", "P3")] == ["Urgent", "P3"]
    assert priority_name("P1", None) == "P1"
    assert (default_priority(WORDS), default_priority(None)) == ("P4", "P3")
