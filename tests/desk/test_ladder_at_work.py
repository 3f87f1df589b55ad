"""The whole line with a service level: deadlines told, rungs fired once, calendars corrected, agents at home."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailtickets.desk.agreement import (
    Contact,
    Organisation,
    Rule,
    Rung,
    ServiceLevel,
    Span,
    Targets,
    Trigger,
)
from mailtickets.desk.calendar import Calendar
from mailtickets.desk.keeping import counted
from mailtickets.desk.policy import AgentPolicy
from mailtickets.store.measures import row_of
from tests.support.desk import KIM, LEE, POLICY, SUPPORT, Desk

ANA = "ana@customer.example"
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OFFICE = Calendar("office", "Europe/London", [((540, 1050),)] * 5 + [(), ()])  # 09:00 to 17:30
LEVEL = ServiceLevel(
    "standard",
    {
        "P1": Targets(Span(plain=HOUR / 2, text="30m"), Span(plain=HOUR, text="60m"), None),
        "P3": Targets(Span(working=4 * HOUR, text="4wh"), None, Span(working=16 * HOUR, text="16wh")),
    },
    names={"P1": "Urgent", "P3": "Normal"},
)
SHARE = Trigger(share=0.75, text="75%")
BREACH = Trigger(after=Span(plain=timedelta(0)), text="breach")
ASK = Trigger(request=True, text="request")
LEAD = Rung(1, "Team lead", (SHARE,), (Contact(agent="lee"),))
BOSS = Rung(
    2, "Manager", (BREACH, ASK), (Contact(address="boss@acme.example", name="Jo Boss", phone="+44 20 1"),)
)
DESK = replace(
    POLICY,
    zone="Europe/London",
    queues={"support": replace(SUPPORT, calendar="office", service_level="standard")},
    calendars={"office": OFFICE},
    service_levels={"standard": LEVEL},
    rungs=(LEAD, BOSS),
)


@pytest.fixture
def make(tmp_path):
    made = []

    def make(policy=DESK, now=MONDAY):
        made.append(Desk(tmp_path, policy, now=now))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


def figures_agree(desk, number=1001):
    """The row that reports count is what the history says."""
    ticket = desk.store.tickets.get(number)
    measure, _ = counted(ticket, desk.store.tickets.history(number), desk.policy, desk.now)
    assert desk.store.measures.row(number) == row_of(ticket, measure)


def test_the_acknowledgement_promises_a_local_moment(make):
    """Four working hours from Monday nine o'clock are one o'clock; the priority has the desk's own word."""
    desk = make()
    desk.writes(ANA, "It burns.")
    text = " ".join(desk.last(ANA, "acknowledgement").text.split())
    assert "by Mon 2 Mar 2026, 13:00 UTC" in text
    assert "Its priority is Normal." in text
    assert "solved by Tue 3 Mar 2026, 16:30 UTC" in text
    assert "ESCALATE" in text
    assert "closed at the moment" not in text


def test_closed_is_said(make):
    """On Saturday the desk says when it opens, and the promise counts from Monday."""
    desk = make(now=datetime(2026, 3, 7, 12, 0, tzinfo=UTC))
    desk.writes(ANA, "It burns.")
    text = " ".join(desk.last(ANA, "acknowledgement").text.split())
    assert "open again Mon 9 Mar 2026, 09:00 UTC" in text
    assert "by Mon 9 Mar 2026, 13:00 UTC" in text


def test_the_notice_names_the_deadlines(make):
    """An agent sees what is due, in the footer."""
    desk = make()
    desk.writes(ANA, "It burns.")
    text = desk.last(KIM.email).text
    assert "first answer Mon 2 Mar 2026, 13:00 UTC" in " ".join(text.split())
    assert "Normal" in text


def test_each_rung_fires_once_at_its_moment(make):
    """A warning at three quarters, the breach at its time, nothing twice, nothing after the answer."""
    desk = make()
    desk.writes(ANA, "It burns.")
    desk.lives(2 * HOUR + HOUR / 2)
    assert "escalation" not in desk.kinds(LEE.email)
    desk.lives(HOUR)
    assert desk.kinds(LEE.email).count("escalation") == 1
    desk.lives(6 * HOUR)
    desk.restart()
    desk.lives(6 * HOUR)
    breach = desk.last("boss@acme.example", "escalation")
    assert desk.kinds("boss@acme.example") == ["escalation"]
    assert "the first answer is late" in breach.text
    assert "Ref:" not in breach.text  # a plain address gets no key
    assert [e.kind for e in desk.entries()].count("escalated") == 2
    figures_agree(desk)


def test_an_answer_in_time_stops_the_ladder(make):
    """Nobody is warned of what was done; waiting for the customer stops the resolution clock, too."""
    desk = make()
    desk.writes(ANA, "It burns.")
    desk.passes(HOUR)
    desk.answers(desk.last(KIM.email), KIM.email, "Pull the plug, please.")
    desk.lives(20 * HOUR)
    assert "escalation" not in {*desk.kinds(LEE.email), *desk.kinds("boss@acme.example")}
    row = desk.store.measures.row(1001)
    assert row.first_response_kept == 1
    assert row.first_response_used == HOUR / timedelta(microseconds=1)
    figures_agree(desk)


def test_after_downtime_a_person_gets_one_mail_of_all_that_passed(make):
    """Two days off: warning and breach of one ticket reach one person in one mail."""
    both = replace(BOSS, when=(SHARE, BREACH))
    desk = make(replace(DESK, rungs=(both,)))
    desk.writes(ANA, "It burns.")
    desk.passes(timedelta(days=2))
    assert desk.kinds("boss@acme.example") == ["escalation"]
    assert desk.last("boss@acme.example").text.count("Manager:") >= 2
    desk.lives(3 * HOUR)
    assert desk.kinds("boss@acme.example") == ["escalation"]


def test_an_agent_answers_an_escalation_like_any_notice(make):
    """The team lead's answer to the warning goes to the customer."""
    desk = make()
    desk.writes(ANA, "It burns.")
    desk.lives(4 * HOUR)
    desk.answers(desk.last(LEE.email, "escalation"), LEE.email, "I am on my way.")
    assert "I am on my way." in desk.last(ANA, "answer").text


def test_a_corrected_calendar_moves_what_is_open(make):
    """The office closes at noon from now on: the promise of today moves to tomorrow, by itself."""
    desk = make()
    desk.writes(ANA, "It burns.")
    before = desk.store.measures.row(1001).first_response_due
    short = Calendar("office", "Europe/London", [((540, 720),)] * 5 + [(), ()])
    desk.use(replace(DESK, calendars={"office": short}))
    desk.run()
    after = desk.store.measures.row(1001).first_response_due
    assert (after - before) / 3_600_000_000 == 21  # Tuesday, ten o'clock
    figures_agree(desk)
    desk.lives(4 * HOUR)
    assert "escalation" not in desk.kinds("boss@acme.example")


def test_a_rule_sets_priority_and_the_history_says_so(make):
    """A word makes it P1; half an hour later it is late, plain time."""
    rule = Rule(1, words=("outage",), set_priority="P1", set_tags=("network",))
    desk = make(replace(DESK, rules=(rule,)))
    desk.writes(ANA, "We have an outage!")
    ticket = desk.store.tickets.get(1001)
    assert (ticket.priority, ticket.tags) == ("P1", ("network",))
    assert "priority" in desk.history()
    assert "Its priority is Urgent." in " ".join(desk.last(ANA).text.split())
    desk.lives(HOUR)
    assert desk.kinds("boss@acme.example") == ["escalation"]
    figures_agree(desk)


def test_nobody_is_woken_and_nobody_forgotten(make):
    """A mail at night waits for the agents' morning; where the customer pays for nights, who is on call gets it."""
    day = {
        "kim": AgentPolicy("kim", "Kim Archer", KIM.email, hours="office"),
        "lee": AgentPolicy("lee", "Lee Moss", LEE.email, hours="office"),
        "max": AgentPolicy("max", "Max Ray", "max@desk.example"),
    }
    queue = replace(DESK.queues["support"], on_call=("max",))
    night = Organisation("night", "Night Ltd", ("night.example",), calendar="always")
    desk = make(
        replace(
            DESK,
            agents=day,
            queues={"support": queue},
            calendars={"office": OFFICE, "always": Calendar("always", "UTC", (), always=True)},
            organisations={"night": night},
        ),
        now=datetime(2026, 3, 3, 2, 0, tzinfo=UTC),
    )
    desk.writes(ANA, "It burns, but it can wait.")
    assert desk.sent_to(KIM.email) == []
    assert desk.sent_to("max@desk.example") == []
    desk.writes("bea@night.example", "It burns, and it can not wait.")
    assert desk.kinds("max@desk.example") == ["agent_new"]
    desk.lives(7 * HOUR)
    assert desk.kinds(KIM.email).count("agent_new") == 2


@pytest.mark.parametrize(
    ("others", "acknowledged", "hint"),
    [("accept", True, False), ("tell", True, True), ("hold", False, True)],
)
def test_designated_contacts(make, others, acknowledged, hint):
    """The ticket is kept in any case; `hold` sends nothing, `tell` tells the agents and a proven sender."""
    organisation = Organisation(
        "customer", "Customer Ltd", ("customer.example",), contacts=("carl@customer.example",), others=others
    )
    desk = make(replace(DESK, organisations={"customer": organisation}))
    desk.writes(ANA, "It burns.")
    assert ("acknowledgement" in desk.kinds(ANA)) is acknowledged
    assert ("carl@customer.example" in desk.last(KIM.email).text) is hint
    assert "carl@customer.example" not in "".join(mail.text for mail in desk.sent_to(ANA))  # not proven
    assert desk.store.tickets.get(1001).organisation == "customer"


def test_a_proven_sender_is_told_the_contacts(tmp_path):
    """Where our own server vouches for the sender, the names may be told."""
    organisation = Organisation(
        "customer", "Customer Ltd", ("customer.example",), contacts=("carl@customer.example",), others="tell"
    )
    desk = Desk(
        tmp_path, replace(DESK, organisations={"customer": organisation}), "mx.desk.example", now=MONDAY
    )
    passed = "mx.desk.example; dkim=pass header.d=customer.example; dmarc=pass header.from=customer.example"
    desk.receives(f"Authentication-Results: {passed}\n".encode() + desk.mail(ANA, "It burns."))
    assert "carl@customer.example" in desk.last(ANA).text
    desk.close()


def test_reminders_in_working_time(make):
    """24 working hours after Monday 10:00 are Wednesday 17:00; the weekend does not count, and nights do not either."""
    queue = replace(
        DESK.queues["support"],
        reminders=(Span(working=24 * HOUR, text="24wh"),),
        close_after=Span(days=5, text="5wd"),
    )
    desk = make(replace(DESK, queues={"support": queue}))
    desk.writes(ANA, "It burns.")
    desk.passes(HOUR)
    desk.answers(desk.last(KIM.email), KIM.email, "Did you pull the plug?")
    desk.lives(timedelta(hours=54))
    assert "reminder" not in desk.kinds(ANA)
    desk.lives(HOUR * 2)
    assert desk.kinds(ANA)[-1] == "reminder"
    (reminder,) = [entry for entry in desk.entries() if entry.kind == "reminder"]
    assert reminder.at == datetime(2026, 3, 4, 17, 0, tzinfo=UTC)
    desk.lives(timedelta(days=6))
    closed = [entry for entry in desk.entries() if entry.kind == "status"][-1]
    assert closed.reason.startswith("closed")
    assert closed.at == datetime(2026, 3, 9, 10, 0, tzinfo=UTC)


def test_a_wait_in_working_days_skips_the_weekend(make):
    """#wait 3wd on a Thursday reminds on Tuesday at the same time of day."""
    desk = make(now=datetime(2026, 3, 5, 10, 0, tzinfo=UTC))
    desk.writes(ANA, "It burns.")
    desk.answers(desk.last(KIM.email), KIM.email, "#wait 3wd\nPlease try on Monday.")
    desk.lives(timedelta(days=6))
    reminder = next(entry for entry in desk.entries() if entry.kind == "reminder")
    assert reminder.at == datetime(2026, 3, 10, 10, 0, tzinfo=UTC)


def test_a_wrong_priority_does_not_use_the_ladder_up(make):
    """Urgent by mistake, and back: what was promised first is watched as if nothing had been."""
    desk = make()
    desk.writes(ANA, "It burns.")
    desk.passes(HOUR)
    desk.answers(desk.last(KIM.email), KIM.email, "#p1")
    assert desk.kinds("boss@acme.example") == ["escalation"]
    desk.answers(desk.last(KIM.email, "agent_new"), KIM.email, "#p3")
    desk.lives(timedelta(hours=3, minutes=30))
    assert desk.kinds("boss@acme.example") == ["escalation", "escalation"]
    desk.lives(timedelta(hours=3))
    assert desk.kinds("boss@acme.example") == ["escalation", "escalation"]


def test_a_ladder_written_later_tells_nobody_of_what_is_past(make):
    """A breach of three weeks ago is no news when rungs are added; the next moment is."""
    desk = make(replace(DESK, rungs=()))
    desk.writes(ANA, "It burns.")
    desk.passes(timedelta(days=21, hours=1))
    desk.use(DESK)
    desk.run()
    desk.lives(timedelta(hours=5))
    assert "escalation" not in {*desk.kinds(LEE.email), *desk.kinds("boss@acme.example")}
    assert [e.kind for e in desk.entries()].count("escalated") >= 2  # and the history says so
    figures_agree(desk)


def test_after_downtime_a_reminder_waits_for_the_window(make):
    """What fell due on Friday while the desk was off goes out on Monday, not on Saturday."""
    desk = make(now=datetime(2026, 3, 5, 15, 0, tzinfo=UTC))  # Thursday
    desk.writes(ANA, "It burns.")
    desk.answers(desk.last(KIM.email), KIM.email, "Which one?")
    desk.passes(timedelta(hours=43))  # Saturday, ten o'clock
    assert "reminder" not in desk.kinds(ANA)
    desk.lives(timedelta(days=2))
    (reminder,) = [entry for entry in desk.entries() if entry.kind == "reminder"]
    assert reminder.at == datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
