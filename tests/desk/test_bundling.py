"""Escalations after downtime: a person with many tickets gets one mail, with few one for each, nothing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailtickets.desk.agreement import Contact, Rung, ServiceLevel, Span, Targets, Trigger
from mailtickets.desk.bundling import LISTED, bundled
from mailtickets.desk.calendar import Calendar
from mailtickets.desk.notices import Notice, Outgoing, Reader, Recipient
from mailtickets.letters import Unwritten, Writer
from mailtickets.mail.message import Address
from mailtickets.transport.fate import Rejected, Sent
from tests.support.desk import KIM, LEE, POLICY, SUPPORT, Desk

BOSS = "boss@acme.example"
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAYS = timedelta(days=2)
OFFICE = Calendar("office", "Europe/London", [((540, 1050),)] * 5 + [(), ()])
LEVEL = ServiceLevel(
    "standard",
    {
        "P1": Targets(Span(plain=HOUR, text="1h"), None, None),
        "P3": Targets(Span(working=4 * HOUR, text="4wh"), None, None),
    },
    names={"P1": "Urgent", "P3": "Normal"},
)
SHARE = Trigger(share=0.75, text="75%")
BREACH = Trigger(after=Span(plain=timedelta(0)), text="breach")
ASK = Trigger(request=True, text="request")
RUNGS = (
    Rung(1, "Team lead", (SHARE,), (Contact(agent="lee"),)),
    Rung(2, "Manager", (BREACH, ASK), (Contact(agent="lee"), Contact(address=BOSS, name="Jo Boss"))),
)
DESK = replace(
    POLICY,
    zone="Europe/London",
    queues={"support": replace(SUPPORT, calendar="office", service_level="standard")},
    calendars={"office": OFFICE},
    service_levels={"standard": LEVEL},
    rungs=RUNGS,
)


@pytest.fixture
def make(tmp_path):
    made = []

    def make(tickets):
        desk = Desk(tmp_path, DESK, now=MONDAY)
        made.append(desk)
        for number in range(tickets):
            desk.writes(f"ana{number}@customer.example", "It burns.", subject=f"Printer {number}")
        return desk

    yield make
    for desk in made:
        desk.close()


def told(desk, address):
    return [mail for mail in desk.sent_to(address) if mail.kind.startswith("escalation")]


def flat(mail):
    return " ".join(mail.text.split())


def escalated(desk, numbers):
    return [[e.kind for e in desk.entries(number)].count("escalated") for number in numbers]


def test_six_tickets_after_two_days_off_are_one_mail_to_each_person(make):
    """Both people get one mail of all six; each history says what fired, as ever."""
    desk = make(6)
    desk.passes(DAYS)
    for address in (LEE.email, BOSS):
        (mail,) = told(desk, address)
        assert mail.kind == "escalations"
        assert mail["Subject"] == "[Acme Support] 6 tickets are late or in danger"
        for number in range(6):
            assert f"SUP-{1001 + number}: Printer {number}" in mail.text
            assert f"SUP-{1001 + number}: Printer {number}" in mail.html
        assert "Manager: the first answer is late, due Mon 2 Mar 2026, 13:00 UTC" in flat(mail)
        assert "Normal | Open | Assigned to nobody yet" in flat(mail)
        assert "ana3@customer.example" in mail.text
        assert "Ref:" not in mail.text  # no key, no rights
        assert "+" not in mail["Reply-To"]
    assert "#clock SUP-1001" in flat(told(desk, LEE.email)[0])
    assert "#clock" not in flat(told(desk, BOSS)[0])
    assert escalated(desk, range(1001, 1007)) == [2] * 6


def test_the_most_urgent_stands_first(make):
    """A priority of its own goes before an earlier ticket."""
    desk = make(6)
    desk.answers(desk.last(KIM.email), KIM.email, "#p1")
    desk.passes(DAYS)
    text = told(desk, BOSS)[0].text
    assert text.index("SUP-1006") < text.index("SUP-1001") < text.index("SUP-1002")


def test_three_tickets_are_three_mails_that_can_be_answered(make):
    """Few enough to act on each: an agent's copy has its key."""
    desk = make(3)
    desk.passes(DAYS)
    for address in (LEE.email, BOSS):
        assert [mail.kind for mail in told(desk, address)] == ["escalation"] * 3
    assert all("Ref:" in mail.text for mail in told(desk, LEE.email))
    desk.answers(told(desk, LEE.email)[1], LEE.email, "I am on my way.")
    assert "I am on my way." in desk.last("ana1@customer.example", "answer").text


def test_nothing_goes_out_twice(make):
    """A restart, and more time, bring nothing new."""
    desk = make(6)
    desk.passes(DAYS)
    desk.restart()
    desk.lives(6 * HOUR)
    assert len(told(desk, LEE.email)) == len(told(desk, BOSS)) == 1


def test_an_end_before_the_commit_doubles_nothing_and_loses_nothing(make, monkeypatch):
    """The round is undone whole, and done again after the restart."""
    desk = make(6)
    desk.now += DAYS
    with monkeypatch.context() as patch:
        patch.setattr(
            desk.line._recorder, "send_together", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            desk.line.fire_due()
    assert escalated(desk, range(1001, 1007)) == [0] * 6
    desk.restart()
    desk.run()
    assert [mail.kind for mail in told(desk, BOSS)] == ["escalations"]
    assert escalated(desk, range(1001, 1007)) == [2] * 6


def test_a_ticket_whose_timer_failed_is_not_in_the_mail(make, monkeypatch):
    """Its savepoint is undone; it comes by itself an hour later."""
    desk = make(6)
    write = desk.store.tickets.write

    def broken(change, copy):
        last = write(change, copy)
        if change.ticket.number == 1003:
            raise ValueError("trouble with this one")
        return last

    with monkeypatch.context() as patch:
        patch.setattr(desk.store.tickets, "write", broken)
        desk.passes(DAYS)
    (mail,) = told(desk, BOSS)
    assert mail["Subject"] == "[Acme Support] 5 tickets are late or in danger"
    assert "SUP-1003" not in mail.text
    assert escalated(desk, (1003,)) == [0]
    desk.passes(HOUR)
    assert [mail.kind for mail in told(desk, BOSS)] == ["escalations", "escalation"]
    assert "SUP-1003" in told(desk, BOSS)[1].text


def test_what_cannot_be_told_together_is_told_one_by_one(make, monkeypatch):
    """A fault with the list costs nobody a warning."""
    desk = make(6)
    prepare = Writer.prepare

    def broken(self, outgoing, *rest):
        if outgoing.notice.kind == "escalations":
            raise Unwritten([], ())
        return prepare(self, outgoing, *rest)

    monkeypatch.setattr(Writer, "prepare", broken)
    desk.passes(DAYS)
    assert [mail.kind for mail in told(desk, BOSS)] == ["escalation"] * 6
    assert escalated(desk, range(1001, 1007)) == [2] * 6


def test_requests_are_mails_of_their_own(make):
    """Who asks for escalation has somebody told of this ticket at once."""
    desk = make(5)
    for number in range(5):
        desk.receives(
            desk.mail(f"ana{number}@customer.example", "ESCALATE", in_reply_to=desk.last(f"ana{number}@customer.example"),
                      subject=f"Re: [SUP-{1001 + number}] Printer {number}"), settle=False,
        )  # fmt: skip
    desk.run()
    assert [mail.kind for mail in told(desk, BOSS)] == ["escalation"] * 5


def test_an_agents_answer_to_the_list_reaches_no_customer(make):
    """It has no key, so nobody gets these words, also where the quote names all tickets."""
    desk = make(6)
    desk.passes(DAYS)
    before = len(desk.sent)
    desk.answers(told(desk, LEE.email)[0], LEE.email, "I take care of these.")
    new = desk.sent[before:]
    assert not [mail for mail in new if any("customer.example" in one for one in mail.recipients)]
    assert escalated(desk, range(1001, 1007)) == [2] * 6


def test_a_list_that_does_not_arrive_is_told_to_the_admins(make):
    """As for any other mail to agents."""
    desk = make(6)
    desk.fate = lambda mail: Rejected(550, "no such user") if mail.kind == "escalations" else Sent()
    desk.passes(DAYS)
    assert told(desk, BOSS) == []
    alarms = [mail for mail in desk.sent_to("it@desk.example") if mail.kind == "trouble"]
    assert any(BOSS in mail.text and "no such user" in mail.text for mail in alarms)


# -- the function alone -----------------------------------------------------------------------------


def escalation(ticket, *, to=BOSS, rank="P3", at=MONDAY, kind="escalation"):
    values = {
        "desk": "Acme Support", "zone": "UTC", "reference": f"SUP-{ticket}", "subject": "", "status": "open", "priority": "Normal",
        "rank": rank, "assignee": "", "requester": "ana@customer.example", "organisation": "",
        "rungs": [{"name": "Manager", "why": "late", "at": at}],
    }  # fmt: skip
    return Outgoing(
        Notice(kind, "en", "support", values), Reader.ADMIN, (Recipient(Address(to)),), "support", ticket,
        occasion=f"escalated:{ticket}",
    )  # fmt: skip


def test_the_order_is_priority_then_moment_then_age():
    """And one person's mail is the same however its parts came."""
    parts = [
        escalation(4, at=MONDAY + HOUR),
        escalation(2, at=MONDAY - HOUR),
        escalation(3),
        escalation(1),
        escalation(9, rank="P1", at=MONDAY + 2 * HOUR),
    ]
    (one,) = bundled(parts)
    assert [ticket["reference"] for ticket in one.notice.values["tickets"]] == [
        "SUP-9", "SUP-2", "SUP-1", "SUP-3", "SUP-4",
    ]  # fmt: skip
    assert bundled(reversed(parts)) == (one,)
    assert bundled(parts[:4])[0].occasion != one.occasion


def test_people_are_counted_each_for_themselves_and_other_kinds_pass():
    """Capitals make no other person; another kind is left as it is."""
    other = escalation(7, kind="routed")
    few = [escalation(number, to=LEE.email) for number in range(3)]
    many = [escalation(number, to=BOSS if number % 2 else BOSS.upper()) for number in range(4)]
    made = bundled([*few, other, *many])
    assert list(made[:-1]) == [other, *few]
    assert (made[-1].notice.kind, made[-1].notice.values["count"]) == ("escalations", 4)


def test_a_long_list_is_cut_and_counted():
    """Fifty are shown."""
    (one,) = bundled([escalation(number) for number in range(60)])
    values = one.notice.values
    assert (values["count"], values["more"], len(values["tickets"])) == (60, 10, LISTED)
