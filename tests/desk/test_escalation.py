"""The ladder: who is told when, in working hours, never twice, never early, and once for several rungs.

23 November 2026 is a Monday; the office is open 09:00 to 17:30, Monday to Friday, in London.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from mailtickets.desk.agreement import Contact, Organisation, Rung, Target, Trigger
from mailtickets.desk.calendar import ALWAYS
from mailtickets.desk.escalation import (
    due,
    highest,
    ladder,
    merged,
    next_at,
    on_request,
    tellings,
    told,
    trigger_word,
)
from tests.support.clocks import Life, at, local, span, targets, terms
from tests.support.desk import KIM, LEE, POLICY, SUPPORT

FIRST, UPDATE, RESOLUTION = Target.FIRST_RESPONSE, Target.UPDATE, Target.RESOLUTION
BOTH = targets("4wh", resolution="16wh")
STANDARD = terms(BOTH)
BOSS = Contact(address="boss@desk.example", name="Jo Boss", phone="+44 1632 960000")


def trigger(text: str) -> Trigger:
    """Return "80%", "breach", "breach+4wh" or "request" as the configuration makes it."""
    if text == "request":
        return Trigger(request=True, text=text)
    if text.endswith("%"):
        return Trigger(share=int(text[:-1]) / 100, text=text)
    return Trigger(after=span(text.partition("+")[2] or "0s"), text=text)


def rung(number: int, *when: str, to=("kim",), **more) -> Rung:
    people = tuple(Contact(agent=one) if isinstance(one, str) else one for one in to)
    return Rung(number, str(number), tuple(trigger(text) for text in when), people, **more)


class Watch:
    """A desk that looks at one ticket whenever it is told to, and remembers what fired."""

    def __init__(self, life: Life, *rungs: Rung) -> None:
        self.life, self.rungs = life, rungs
        self.fired: list[str] = []

    def looks(self, when: str) -> list[str]:
        now = at(when)
        firings = due(self.life.clocks(now), self.rungs, self.fired, self.life.ticket, self.life.terms, now)
        self.fired += [firing.key for firing in firings]
        return [re.sub(r"@[^/]*", "", firing.key) for firing in firings]  # without what was promised

    def next(self, when: str) -> str:
        now = at(when)
        then = next_at(self.life.clocks(now), self.rungs, self.fired, self.life.ticket, self.life.terms, now)
        return local(then) if then else ""


# -- when -----------------------------------------------------------------------------------------


def test_warning_and_breach_fire_once_each_at_their_moments():
    """80 % of four working hours after 10:00 is 13:12, the breach 14:00; the keys stand in the history."""
    watch = Watch(Life("2026-11-23 10:00", STANDARD), rung(1, "80%", "breach", targets=(FIRST,)))
    assert watch.next("2026-11-23 10:00") == "2026-11-23 13:12"
    assert watch.looks("2026-11-23 13:11") == []
    assert watch.looks("2026-11-23 13:12") == ["1/first_response/80%/1"]
    assert watch.looks("2026-11-23 13:12") == []
    assert watch.next("2026-11-23 13:12") == "2026-11-23 14:00"
    assert watch.looks("2026-11-23 14:00") == ["1/first_response/breach/1"]
    assert watch.next("2026-11-23 14:00") == ""
    assert watch.looks("2026-12-23 14:00") == []


@pytest.mark.parametrize(
    ("when", "moment"),
    [
        ("breach+4wh", "2026-11-24 09:30"),
        ("breach+2h", "2026-11-23 16:00"),
        ("breach+1wd", "2026-11-24 14:00"),
    ],
)
def test_a_rung_after_the_breach_counts_in_its_own_time(when, moment):
    """Working time from the breach on, real time, or working days."""
    watch = Watch(Life("2026-11-23 10:00", STANDARD), rung(1, when, targets=(FIRST,)))
    assert watch.next("2026-11-23 10:00") == moment
    assert watch.looks(moment) == [f"1/first_response/{when}/1"]


def test_a_rung_speaks_for_every_target_unless_it_names_some():
    """First response and resolution each have their own warning."""
    watch = Watch(
        Life("2026-11-23 10:00", STANDARD), rung(1, "breach"), rung(2, "breach", targets=(RESOLUTION,))
    )
    assert watch.looks("2026-11-25 12:00") == [
        "1/first_response/breach/1",
        "1/resolution/breach/1",
        "2/resolution/breach/1",
    ]


def test_each_update_has_its_own_warning():
    """The second update clock is another promise than the first."""
    life = Life("2026-11-23 10:00", terms(targets(update="2wh"))).answered("2026-11-23 10:00")
    watch = Watch(life, rung(1, "breach"))
    assert watch.looks("2026-11-23 12:00") == ["1/update/breach/1"]
    life.answered("2026-11-23 12:30")
    assert watch.looks("2026-11-23 14:00") == []
    assert watch.looks("2026-11-23 14:30") == ["1/update/breach/2"]


@pytest.mark.parametrize(("priority", "fires"), [("P1", True), ("P3", False)])
def test_a_rung_may_be_for_some_priorities_only(priority, fires):
    """The present priority counts."""
    watch = Watch(Life("2026-11-23 10:00", STANDARD, priority), rung(1, "breach", priorities=("P1", "P2")))
    assert bool(watch.looks("2026-11-24 10:00")) is fires


def test_nobody_is_told_outside_working_hours_unless_the_rung_says_always():
    """A promise in plain hours is broken in the night: the manager hears of it at nine, the one on call at once."""
    life = Life("2026-11-23 16:00", terms(targets("4h")))
    watch = Watch(life, rung(1, "breach"), rung(2, "breach", always=True))
    assert watch.next("2026-11-23 16:00") == "2026-11-23 20:00"
    assert watch.looks("2026-11-23 20:00") == ["2/first_response/breach/1"]
    assert watch.next("2026-11-23 20:00") == "2026-11-24 09:00"
    assert watch.looks("2026-11-24 08:59") == []
    assert watch.looks("2026-11-24 09:00") == ["1/first_response/breach/1"]


def test_a_desk_that_comes_back_in_the_night_waits_for_the_morning():
    """The moment was in working hours, the downtime ended outside them."""
    watch = Watch(Life("2026-11-23 10:00", STANDARD), rung(1, "breach", targets=(FIRST,)))
    assert watch.looks("2026-11-23 23:00") == []
    assert watch.next("2026-11-23 23:00") == "2026-11-24 09:00"
    assert watch.looks("2026-11-24 09:00") == ["1/first_response/breach/1"]


# -- again and again --------------------------------------------------------------------------------


def test_a_breach_is_repeated_so_often_and_no_more():
    """Three times in all, four working hours apart, while it lasts."""
    watch = Watch(
        Life("2026-11-23 10:00", STANDARD), rung(1, "breach", targets=(FIRST,), repeat=span("4wh"), times=3)
    )
    seen = []
    for _ in range(5):
        when = watch.next("2026-11-23 10:00")
        if when:
            seen.append((when, *watch.looks(when)))
    assert seen == [
        ("2026-11-23 14:00", "1/first_response/breach/1"),
        ("2026-11-24 09:30", "1/first_response/breach/1/2"),
        ("2026-11-24 13:30", "1/first_response/breach/1/3"),
    ]


def test_a_machine_whose_clock_went_back_loses_no_timer_and_fires_nothing_twice():
    """The breach was told; an hour earlier by the clock it is not told again, and its repetition still comes."""
    watch = Watch(
        Life("2026-11-23 10:00", STANDARD), rung(1, "breach", targets=(FIRST,), repeat=span("1h"), times=2)
    )
    assert watch.looks("2026-11-23 14:00") == ["1/first_response/breach/1"]
    assert watch.looks("2026-11-23 13:00") == []
    assert watch.next("2026-11-23 13:00") == "2026-11-23 15:00"
    assert watch.looks("2026-11-23 14:30") == []


def test_an_answer_ends_the_repetition():
    """Once the promise is settled nobody is told any more."""
    life = Life("2026-11-23 10:00", STANDARD)
    watch = Watch(life, rung(1, "breach", targets=(FIRST,), repeat=span("1h"), times=9))
    assert watch.looks("2026-11-23 14:00")
    life.answered("2026-11-23 14:30")
    assert watch.looks("2026-11-23 15:00") == []
    assert watch.next("2026-11-23 15:00") == ""


def test_repetitions_keep_their_distance_over_the_night():
    """What was due in the evening comes in the morning, and the next one four hours after that."""
    life = Life("2026-11-23 13:00", terms(targets("4h")))
    watch = Watch(life, rung(1, "breach", repeat=span("4h"), times=3))
    assert watch.looks("2026-11-23 17:00") == ["1/first_response/breach/1"]
    assert watch.next("2026-11-23 17:00") == "2026-11-24 09:00"
    assert watch.looks("2026-11-24 09:00") == ["1/first_response/breach/1/2"]
    assert watch.next("2026-11-24 09:00") == "2026-11-24 13:00"


def test_repetitions_that_passed_unseen_do_not_pile_up():
    """After a week of downtime the last of them stands for all."""
    watch = Watch(
        Life("2026-11-23 10:00", STANDARD), rung(1, "breach", targets=(FIRST,), repeat=span("4wh"), times=3)
    )
    assert watch.looks("2026-11-30 10:00") == ["1/first_response/breach/1/3"]
    assert watch.looks("2026-12-01 10:00") == []
    assert watch.next("2026-12-01 10:00") == ""


def test_a_repetition_that_was_slept_through_is_not_made_up_for():
    """The last one fired after downtime; under a lower priority another promise is watched, from its first moment on."""
    level = replace(STANDARD.level, targets={**STANDARD.level.targets, "P4": targets("40wh")})
    life = Life("2026-11-23 10:00", terms(level))
    watch = Watch(life, rung(1, "breach", targets=(FIRST,), repeat=span("4wh"), times=3))
    assert watch.looks("2026-11-25 10:00") == ["1/first_response/breach/1/3"]
    life.moved_to("P4", "2026-11-25 11:00")
    assert watch.looks("2026-11-30 10:00") == ["1/first_response/breach/1"]


def test_a_warning_is_not_repeated():
    """Only a breach is."""
    watch = Watch(
        Life("2026-11-23 10:00", STANDARD), rung(1, "80%", targets=(FIRST,), repeat=span("5m"), times=9)
    )
    assert watch.looks("2026-11-23 13:30") == ["1/first_response/80%/1"]
    assert watch.next("2026-11-23 13:30") == ""


# -- stopped, settled, moved ------------------------------------------------------------------------


def test_a_stopped_clock_fires_nothing_and_catches_up_when_it_runs_again():
    """The warning was missed by downtime; while the customer has the ball it is nobody's fault."""
    life = Life("2026-11-23 10:00", STANDARD).becomes("waiting", "2026-11-23 13:30")
    watch = Watch(life, rung(1, "80%", "breach", targets=(FIRST,)))
    assert watch.looks("2026-11-23 15:00") == []
    assert watch.next("2026-11-23 15:00") == ""
    life.becomes("open", "2026-11-24 10:00")
    assert watch.next("2026-11-24 10:00") == "2026-11-24 10:00"
    assert watch.looks("2026-11-24 10:00") == ["1/first_response/80%/1"]
    assert watch.looks("2026-11-24 10:30") == ["1/first_response/breach/1"]


def test_an_agreed_date_warns_also_while_the_ticket_waits():
    """The date stays, whatever the stops, so the people who agreed to it hear of it in time."""
    life = (
        Life("2026-11-23 10:00", STANDARD)
        .answered("2026-11-23 10:00")
        .agreed("2026-11-27 17:30", "2026-11-23 10:00")
    )
    life.becomes("third_party", "2026-11-23 11:00")
    watch = Watch(life, rung(1, "breach"))
    assert watch.looks("2026-11-27 17:29") == []
    assert watch.next("2026-11-27 17:29") == "2026-11-30 09:00"
    assert watch.looks("2026-11-30 09:00") == ["1/resolution/breach/1"]


def test_a_raised_priority_fires_what_is_passed_by_the_new_target_and_nothing_twice():
    """Warned as P3, raised to P1: that promise is late at once. Back at P3 its breach is told, its warning not again."""
    level = replace(STANDARD.level, targets={**STANDARD.level.targets, "P1": targets("1wh")})
    life = Life("2026-11-23 10:00", terms(level))
    watch = Watch(life, rung(1, "80%", "breach", targets=(FIRST,)))
    assert watch.looks("2026-11-23 13:15") == ["1/first_response/80%/1"]
    life.moved_to("P1", "2026-11-23 13:20")
    assert watch.looks("2026-11-23 13:20") == ["1/first_response/80%/1", "1/first_response/breach/1"]
    life.moved_to("P3", "2026-11-23 13:30")
    assert watch.looks("2026-11-23 15:00") == ["1/first_response/breach/1"]


def test_a_reopened_ticket_that_is_late_again_is_told_again():
    """The reopening is part of the key: it is another lateness than the first."""
    life = Life("2026-11-23 10:00", terms(targets(resolution="4wh")))
    watch = Watch(life, rung(1, "breach", repeat=span("8wh"), times=2))
    assert watch.looks("2026-11-23 14:00") == ["1/resolution/breach/1"]
    life.becomes("resolved", "2026-11-23 15:00")
    assert watch.looks("2026-11-24 15:00") == []
    life.becomes("open", "2026-11-25 10:00")
    assert watch.looks("2026-11-25 10:00") == ["1/resolution/breach/1/r1/2"]
    assert watch.looks("2026-11-26 10:00") == []


def test_a_ticket_that_was_reopened_before_its_clock_had_ended_is_not_told_again():
    """Where only closing ends the resolution, a resolved ticket that is opened again is the same lateness."""
    life = Life("2026-11-23 10:00", replace(terms(targets(resolution="4wh")), resolution_ends="closed"))
    watch = Watch(life, rung(1, "breach"))
    assert watch.looks("2026-11-23 14:00") == ["1/resolution/breach/1"]
    life.becomes("resolved", "2026-11-23 15:00").becomes("open", "2026-11-25 10:00")
    assert watch.looks("2026-11-25 10:00") == []


def test_without_a_promise_nothing_fires():
    """A P4 without target, a type without clock."""
    assert (
        Watch(Life("2026-11-23 10:00", terms(targets())), rung(1, "80%", "breach")).looks("2026-12-23 10:00")
        == []
    )
    enhancement = replace(STANDARD, runs=False)
    assert (
        Watch(Life("2026-11-23 10:00", enhancement), rung(1, "80%", "breach")).looks("2026-12-23 10:00") == []
    )


def test_around_the_clock_means_at_any_hour():
    """A customer with 24/7 has no outside hours."""
    watch = Watch(Life("2026-11-22 03:00", terms(targets("30m"), ALWAYS)), rung(1, "breach"))
    assert watch.looks("2026-11-22 03:30") == ["1/first_response/breach/1"]


# -- on request -------------------------------------------------------------------------------------


def test_each_request_takes_the_next_rung_and_then_the_top_is_named():
    """Rungs without a request are passed over; at the end there is nobody further up."""
    rungs = (rung(1, "80%"), rung(2, "breach", "request"), rung(3, "request"), rung(4, "breach"))
    ticket = Life("2026-11-23 10:00", STANDARD).ticket
    first = on_request(rungs, [], ticket)
    assert (first.rung.number, first.key, first.clock) == (2, "2/request/1", None)
    second = on_request(rungs, ["1/resolution/80%/1", "2/request/1"], ticket)
    assert (second.rung.number, second.key) == (3, "3/request/2")
    assert on_request(rungs, ["2/request/1", "3/request/2"], ticket) is None
    assert highest(rungs, ticket).number == 3


def test_a_ladder_without_requests_has_no_top_to_name():
    """The desk then says so."""
    ticket = Life("2026-11-23 10:00", STANDARD).ticket
    assert (on_request((rung(1, "breach"),), [], ticket), highest((rung(1, "breach"),), ticket)) == (
        None,
        None,
    )


def test_a_request_fires_no_clock_and_a_clock_no_request():
    """The rung that was asked for still fires at its breach."""
    watch = Watch(Life("2026-11-23 10:00", STANDARD), rung(1, "request", "breach", targets=(FIRST,)))
    watch.fired.append(on_request(watch.rungs, [], watch.life.ticket).key)
    assert watch.looks("2026-11-23 15:00") == ["1/first_response/breach/1"]


# -- which ladder -----------------------------------------------------------------------------------

RUNGS = (
    rung(1, "breach"),
    rung(2, "breach", queue="support"),
    rung(3, "breach", queue="billing"),
    rung(4, "breach", type="complaint"),
    rung(5, "breach", type="complaint", queue="billing"),
    rung(6, "breach", organisation="acme"),
    rung(7, "breach", organisation="acme", type="complaint"),
)


@pytest.mark.parametrize(
    ("ticket", "numbers"),
    [
        ({}, [1, 2]),
        ({"queue": "billing"}, [1, 3]),
        ({"type": "complaint"}, [4]),
        ({"type": "complaint", "queue": "billing"}, [4, 5]),
        ({"organisation": "acme"}, [6]),
        ({"organisation": "acme", "type": "complaint"}, [7]),
        ({"organisation": "other"}, [1, 2]),
    ],
)
def test_a_ladder_of_an_organisation_or_type_takes_the_place_of_the_queues(ticket, numbers):
    """The nearest one with a rung that fits, whole."""
    made = replace(Life("2026-11-23 10:00", STANDARD).ticket, **ticket)
    assert [one.number for one in ladder(made, replace(POLICY, rungs=RUNGS))] == numbers


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (Trigger(share=0.8), "80%"),
        (Trigger(after=span("0s")), "breach+0s"),
        (Trigger(request=True), "request"),
        (Trigger(after=span("4h"), text="breach + 4h"), "breach+4h"),
    ],
)
def test_a_trigger_is_one_word_in_the_history(made, word):
    """Keys hold no spaces, however the file was written."""
    assert trigger_word(made) == word


# -- who ------------------------------------------------------------------------------------------

ACME = Organisation("acme", "Acme", account_manager="lee")
WITH_ACME = replace(POLICY, organisations={"acme": ACME})
TICKET = Life("2026-11-23 10:00", STANDARD).ticket


@pytest.mark.parametrize(
    ("contact", "changes", "addresses"),
    [
        (Contact(agent="kim"), {}, ["kim@desk.example"]),
        (Contact(agent="gone"), {}, []),
        (BOSS, {}, ["boss@desk.example"]),
        (Contact(), {}, []),
        (Contact(agent="assignee"), {"assignee": "lee"}, ["lee@desk.example"]),
        (Contact(agent="assignee"), {}, ["kim@desk.example", "lee@desk.example"]),
        (Contact(agent="assignee"), {"queue": "gone"}, []),
        (Contact(agent="admins"), {}, ["it@desk.example"]),
        (Contact(agent="account_manager"), {"organisation": "acme"}, ["lee@desk.example"]),
        (Contact(agent="account_manager"), {}, ["it@desk.example"]),
    ],
)
def test_a_contact_stands_for_people(contact, changes, addresses):
    """Agents by name, roles by who holds them; where nobody does, those who look after the desk or the queue."""
    assert [one.address for one in told(contact, replace(TICKET, **changes), WITH_ACME)] == addresses


def test_only_agents_are_told_with_rights():
    """A plain address gets the mail, its name and telephone, and no key; so does an account manager outside the desk."""
    assert told(BOSS, TICKET, POLICY) == (("boss@desk.example", "Jo Boss", "", "+44 1632 960000"),)
    assert told(Contact(agent="kim", phone="1234"), TICKET, POLICY) == ((KIM.email, KIM.name, "kim", "1234"),)
    outside = replace(POLICY, organisations={"acme": replace(ACME, account_manager="amy@sales.example")})
    acme = replace(TICKET, organisation="acme")
    assert told(Contact(agent="account_manager"), acme, outside) == (("amy@sales.example", "", "", ""),)
    admin = replace(POLICY, admins=(LEE.email,))
    assert told(Contact(agent="admins"), TICKET, admin) == ((LEE.email, LEE.name, "lee", ""),)


def test_after_downtime_several_rungs_are_one_mail_to_a_person():
    """Three rungs are due at once: kim hears of all three once, the boss of the one that names him."""
    rungs = (
        rung(1, "80%", to=("kim",)),
        rung(2, "breach", to=("kim", BOSS, "kim")),
        rung(3, "breach+4wh", to=("assignee",)),
    )
    life = Life("2026-11-23 10:00", terms(targets("4wh")))
    now = at("2026-11-30 10:00")
    firings = due(life.clocks(now), rungs, [], life.ticket, life.terms, now)
    assert [(contact.agent or contact.address, len(of)) for contact, of in merged(firings)] == [
        ("kim", 2), ("boss@desk.example", 1), ("assignee", 1)]  # fmt: skip
    ticket = replace(life.ticket, assignee="kim")
    assert [(person.address, [one.rung.number for one in of]) for person, of in tellings(firings, ticket, POLICY)] == [
        (KIM.email, [1, 2, 3]), ("boss@desk.example", [2])]  # fmt: skip


def test_an_agent_who_is_also_named_by_address_is_told_as_an_agent():
    """One mail, with the rights that an agent has."""
    rungs = (rung(1, "breach", to=(Contact(address="Kim@Desk.example", name="K"), "kim")),)
    life = Life("2026-11-23 10:00", terms(targets("4wh")))
    now = at("2026-11-23 15:00")
    ((person, of),) = tellings(
        due(life.clocks(now), rungs, [], life.ticket, life.terms, now), life.ticket, POLICY
    )
    assert (person.agent, len(of)) == ("kim", 1)
    assert SUPPORT.agents == ("kim", "lee")
