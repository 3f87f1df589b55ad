"""Clocks that go wrong, machines that sleep, downtime, and mails that wait for days: the real process with clocks of ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.forks import Forks
from tests.faults.story import ANA, BEN, KIM, MORE, FaultDesk
from tests.support.dovecot import Dovecot
from tests.support.process import Received
from tests.support.smtp_sink import SmtpSink

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
CLOSED = "closed"


@pytest.fixture
def make(tmp_path: Path, dovecot: Dovecot, sink: SmtpSink, forks: Forks) -> Callable[..., FaultDesk]:
    def made(*, server: SmtpSink = sink, **more) -> FaultDesk:
        return FaultDesk(tmp_path, dovecot, server, forks, **more)

    return made


def round_of(desk: FaultDesk) -> None:
    """Start, do all there is to do, and end."""
    desk.begin()
    desk.until_ready()
    assert desk.settle()
    desk.down()


def got(desk: FaultDesk, address: str) -> list[Received]:
    return [Received(mail) for mail in desk.accepted.mails if address in mail.recipients]


def waiting(desk: FaultDesk, *people: str) -> None:
    """Let tickets of these people be answered by Kim: they wait for their customers from now on."""
    for person in people:
        desk.writes(person, "My printer is on fire.", subject=f"Fire at {person[:3]}")
    round_of(desk)
    for person in people:
        notice = next(mail for mail in got(desk, "kim@desk.example") if person[:3] in mail["Subject"])
        desk.answers(notice, KIM, "Please try water. Did that help?")
    round_of(desk)


def reminders(desk: FaultDesk, address: str) -> int:
    return len(desk.ask("SELECT 1 FROM outbox WHERE kind = 'reminder' AND recipients LIKE ?", f"%{address}%"))


def status(desk: FaultDesk, ticket: int) -> str:
    return str(desk.ask("SELECT status FROM ticket WHERE number = ?", ticket)[0][0])


@pytest.mark.fault("Timer", "clock 1 h back")
def test_a_clock_one_hour_back_fires_nothing_twice(make, book):
    """After a reminder the clock is put back, with the daemon up and with a start: no second one, no due time moved."""
    desk = make()
    waiting(desk, ANA, BEN)
    desk.set_clock(20 * HOUR + MINUTE)
    round_of(desk)
    assert reminders(desk, "ana@") == reminders(desk, "ben@") == 1
    timers = desk.ask("SELECT * FROM timer ORDER BY 1, 2, 3")

    desk.set_clock(19 * HOUR + MINUTE)
    round_of(desk)
    desk.begin()
    desk.until_ready()
    desk.set_clock(18 * HOUR + MINUTE)
    desk.wait(lambda: "the clock was put back" in desk.log, "the note about the clock")
    desk.wait(lambda: "the clockwork begins anew" in desk.log, "jobs that go by the new clock")
    desk.writes("eve@third.example", "And my lamp is dark.")
    desk.wait(
        lambda: desk.left_to_do() == "" and len(got(desk, "eve@third.example")) == 1, "the work to go on"
    )
    desk.down()
    assert desk.log.count(" warning the clock was put back") == desk.log.count("the clock was put back") == 2
    assert desk.ask("SELECT * FROM timer ORDER BY 1, 2, 3") == timers
    assert reminders(desk, "ana@") == reminders(desk, "ben@") == 1
    assert not desk.check().total()
    desk.set_clock(40 * HOUR + 2 * MINUTE)
    round_of(desk)
    assert [status(desk, number) for number in (1001, 1002)] == [CLOSED, CLOSED]
    desk.put_down(book, runs=2)


@pytest.mark.fault("Timer", "clock jumps ahead")
def test_a_clock_put_ahead_reminds_nobody(make, book):
    """A wrong clock holds reminders and acknowledgements, told to the admin once; put right, all is as before."""
    desk = make()
    waiting(desk, ANA)
    due = desk.ask("SELECT due FROM timer WHERE kind = 'silence'")
    desk.begin()
    desk.until_ready()
    desk.set_clock(400 * DAY)
    desk.wait(lambda: len(got(desk, "it@desk.example")) == 1, "the alarm")
    alarm = got(desk, "it@desk.example")[0]
    for words in ("put ahead by 400 days", "outbox resume", "Check the date"):
        assert words in alarm.text
    desk.writes(BEN, "My scanner is wet.")
    desk.wait(lambda: len(got(desk, "kim@desk.example")) == 2, "Kim to be told all the same")
    assert desk.command_of("status") == 1
    assert "automatic mail is held back until" in desk.log
    assert not got(desk, "ben@other.example")
    assert reminders(desk, "ana@") == 0
    desk.down()
    desk.begin()  # a restart does not end it
    desk.until_ready()
    time.sleep(1.0)
    assert reminders(desk, "ana@") == 0
    desk.set_clock(0)
    desk.wait(lambda: len(got(desk, "ben@other.example")) == 1, "the acknowledgement to go")
    assert desk.settle()
    desk.down()
    assert reminders(desk, "ana@") == 0
    assert desk.ask("SELECT due FROM timer WHERE kind = 'silence'") == due
    desk.put_down(book, runs=1)


@pytest.mark.fault("Timer", "clock jumps ahead")
@pytest.mark.parametrize("ends", ["after half an hour", "on the admin's word"])
def test_a_clock_that_is_right_after_all(make, book, ends):
    """A jump that was no fault holds reminders for 30 minutes, or until the admin says that all is well."""
    desk = make()
    waiting(desk, ANA)
    desk.begin()
    desk.until_ready()
    desk.set_clock(21 * HOUR)
    desk.wait(lambda: len(got(desk, "it@desk.example")) == 1, "the alarm")
    time.sleep(0.7)
    assert reminders(desk, "ana@") == 0
    if ends == "on the admin's word":
        assert desk.command_of("outbox", "resume") == 0
    else:
        desk.pass_time(29 * MINUTE)
        time.sleep(1.2)
        assert reminders(desk, "ana@") == 0
        desk.pass_time(2 * MINUTE)
    desk.wait(lambda: reminders(desk, "ana@") == 1, "the reminder")
    assert desk.settle()
    desk.wait(lambda: len(got(desk, "it@desk.example")) == 2, "word of its end")
    desk.down()
    desk.put_down(book, runs=1)


@pytest.mark.fault("Timer", "3 days down")
@pytest.mark.fault("Timer", "clock jumps ahead")
def test_three_days_down(make, book):
    """Reminders and closings are overdue; mail is read first, one reminder a ticket, and closing takes its full time."""
    desk = make(queue='reminders = ["10h", "20h"]\nclose_after = "40h"')
    waiting(desk, ANA, BEN)
    answer = next(mail for mail in got(desk, "ben@other.example") if "Please try water" in mail.text)
    desk.answers(answer, BEN, "That helped, thank you for the advice.")
    desk.pass_time(3 * DAY)
    desk.begin()
    desk.until_ready()
    desk.wait(lambda: status(desk, 1002) == "open", "Ben's answer")
    assert reminders(desk, "ana@") == 0, "the first half hour only reads"
    desk.pass_time(31 * MINUTE)
    desk.wait(lambda: reminders(desk, "ana@") == 1, "one reminder")
    assert desk.settle()
    time.sleep(1.0)
    assert reminders(desk, "ana@") == 1
    assert reminders(desk, "ben@") == 0
    for hours, count, state in (
        (9.8, 1, "waiting"),
        (0.4, 2, "waiting"),
        (19.6, 2, "waiting"),
        (0.6, 2, CLOSED),
    ):
        desk.down()
        desk.pass_time(hours * HOUR)
        round_of(desk)
        assert (reminders(desk, "ana@"), status(desk, 1001)) == (count, state)
    closed = [mail for mail in got(desk, "ana@customer.example") if "closed" in mail.text]
    assert len(closed) == 1
    desk.put_down(book, runs=1)


@pytest.mark.fault("Timer", "3 days down")
def test_three_days_down_with_rounds_by_cron(make, book):
    """`run --once` doubts the clock like the daemon: its first round reads, a round half an hour later reminds."""
    desk = make()
    waiting(desk, ANA)
    desk.pass_time(3 * DAY)
    assert desk.command_of("run", "--once") == 0
    desk.writes(BEN, "My scanner is wet.")
    desk.pass_time(10 * MINUTE)
    assert desk.command_of("run", "--once") == 0
    assert (reminders(desk, "ana@"), len(got(desk, "ben@other.example"))) == (0, 0)
    assert len(got(desk, "it@desk.example")) == 1
    desk.pass_time(21 * MINUTE)
    assert desk.command_of("run", "--once") == 0
    assert (reminders(desk, "ana@"), len(got(desk, "ben@other.example"))) == (1, 1)
    desk.put_down(book, runs=1)


@pytest.mark.fault("Timer", "suspended laptop")
def test_a_machine_that_slept_reads_its_mail_first(make, book):
    """Asleep over a reminder's time with an answer in the mailbox: no alarm about the clock, no reminder, the answer counts."""
    desk = make()
    waiting(desk, ANA, BEN)
    answer = next(mail for mail in got(desk, "ana@customer.example") if "Please try water" in mail.text)
    desk.begin()
    desk.until_ready()
    desk.answers(answer, ANA, "It still burns.")
    desk.pass_time(20 * HOUR + MINUTE)
    desk.wait(lambda: reminders(desk, "ben@") == 1, "Ben's reminder")
    assert desk.settle()
    desk.down()
    assert "awake again" in desk.log
    assert reminders(desk, "ana@") == 0
    assert status(desk, 1001) == "open"
    assert not got(desk, "it@desk.example")
    desk.put_down(book, runs=1)


@pytest.mark.fault("Timer", "customer answer and close in the same second")
@pytest.mark.parametrize("first", ["answer", "close"])
def test_answer_and_closing_at_once(make, book, first):
    """Both are there at a start: the answer wins. Closed a moment before: it reopens. One mail at most either way."""
    desk = make(queue='reminders = ["10h"]\nclose_after = "20h"')
    waiting(desk, ANA)
    answer = next(mail for mail in got(desk, "ana@customer.example") if "Please try water" in mail.text)
    desk.set_clock(10 * HOUR + MINUTE)
    round_of(desk)
    before = len(got(desk, "ana@customer.example"))
    desk.set_clock(20 * HOUR + 2 * MINUTE)
    if first == "close":
        round_of(desk)
        assert status(desk, 1001) == CLOSED
    desk.answers(answer, ANA, "It still burns.")
    round_of(desk)
    assert status(desk, 1001) == "open"
    assert len(got(desk, "ana@customer.example")) - before == (first == "close")
    desk.put_down(book, runs=1)


@pytest.mark.fault("SMTP after dot", "recipient refuses for 5 days")
def test_a_recipient_who_refuses_for_five_days(make, book):
    """Tried by the ladder, given up after five days: Kim gets the text back, the ticket shows it, no reminder goes to Ana."""
    with SmtpSink() as server:
        desk = make(server=server, smtp='retry = ["20h"]\ngive_up = "5d"')
        desk.writes(ANA, "My printer is on fire.")
        round_of(desk)
        notice = got(desk, "kim@desk.example")[0]
        server.answers.recipients["ana@customer.example"] = "450 4.2.1 mailbox busy"
        desk.answers(notice, KIM, "Please try water. Did that help?")
        desk.begin()
        desk.wait(lambda: desk.ask("SELECT 1 FROM outbox WHERE state = 'deferred'"), "the first refusal")
        desk.down()
        tries = 1
        for _ in range(7):
            desk.pass_time(23 * HOUR)
            desk.begin()
            desk.until_ready()
            desk.wait(
                lambda: (
                    not desk.ask(
                        "SELECT 1 FROM outbox WHERE state IN ('queued', 'sending') OR state = 'deferred' AND next_at <= ?",
                        int((time.time() + desk.shift) * 1e6),
                    )
                ),
                "this try",
            )
            desk.down()
            (attempts,) = desk.ask("SELECT attempts FROM outbox WHERE human = 1")[0]
            tries = max(tries, attempts)
        assert tries == 7
        back = got(desk, "kim@desk.example")[-1]
        for words in ("Please try water", "given up after 5 days", "mailbox busy", "ana@customer.example"):
            assert words in back.text
        assert status(desk, 1001) == "open"
        assert reminders(desk, "ana@") == 0
        assert "failed" in [kind for (kind,) in desk.ask("SELECT kind FROM entry")]
        assert desk.ask("SELECT state FROM outbox WHERE human = 1") == [("failed",)]
        desk.put_down(book, runs=tries, given_up=("answer",))


@pytest.mark.fault("Volume", "circuit breaker, sending rate")
@pytest.mark.parametrize("ends", ["after an hour", "on the admin's word"])
def test_too_much_automatic_mail_trips_a_breaker(make, book, ends):
    """Above the limit automatic mail waits, the admin is told once, an agent's answer goes on; then the rest goes, once."""
    desk = make(more=MORE + "automatic_per_hour = 9")
    people = [f"c{number}@customer.example" for number in range(8)]
    for person in people[:2]:
        desk.writes(person, "My printer is on fire.")
    desk.begin()
    desk.until_ready()
    assert desk.settle()
    for person in people[2:]:
        desk.writes(person, "My printer is on fire.")
    desk.wait(lambda: len(got(desk, "it@desk.example")) == 1, "the alarm")
    assert "automatic_per_hour" in got(desk, "it@desk.example")[0].text
    desk.wait(lambda: len(desk.ask("SELECT 1 FROM ticket")) == 8, "all tickets")
    (first,) = desk.ask("SELECT number FROM ticket WHERE requester = ?", people[0])[0]
    notice = next(mail for mail in got(desk, "kim@desk.example") if f"SUP-{first}" in mail["Subject"])
    desk.answers(notice, KIM, "Please try water.")
    desk.wait(lambda: any("try water" in mail.text for mail in got(desk, people[0])), "the answer")
    time.sleep(1.2)
    out = [mail for mail in desk.accepted.mails if mail.recipients != ["it@desk.example"]]
    assert 9 <= len(out) - 1 < 26, "a claim of 16 at most goes beyond the limit"
    assert desk.command_of("status") == 1
    if ends == "after an hour":
        desk.pass_time(61 * MINUTE)
    else:
        assert desk.command_of("outbox", "resume") == 0
    for _ in range(3):  # as many again trip it anew
        time.sleep(1.2)
        desk.command_of("outbox", "resume")
    assert desk.settle()
    desk.down()
    assert [len(got(desk, person)) for person in people] == [2, *[1] * 7]
    desk.put_down(book, runs=1)


@pytest.mark.fault("Volume", "circuit breaker, sending rate")
def test_a_server_that_wants_few_mails_a_minute(make, book):
    """With 6 a minute one goes every ten seconds, in order, and none is lost; what waits is not claimed."""
    desk = make(smtp="mails_per_minute = 6")
    for number in range(3):
        desk.writes(f"c{number}@customer.example", "My printer is on fire.")
    desk.begin()
    desk.until_ready()
    started = time.monotonic()
    for _ in range(8):
        sent = len(desk.accepted.mails)
        desk.wait(lambda sent=sent: len(desk.accepted.mails) > sent or sent == 9, "the next mail")
        time.sleep(1.2)
        passed = time.monotonic() - started + desk.since_boot
        assert len(desk.accepted.mails) <= 2 + passed / 10
        assert not desk.ask("SELECT 1 FROM outbox WHERE state = 'sending'")
        desk.pass_time(10)
    unsent = "SELECT 1 FROM outbox WHERE state <> 'sent'"
    desk.wait(lambda: len(desk.accepted.mails) == 9 and not desk.ask(unsent), "the last one")
    desk.down()
    numbers = [
        desk.ask("SELECT id FROM outbox WHERE message_id = ?", desk.id_of(m.raw))[0][0]
        for m in desk.accepted.mails
    ]
    assert numbers == sorted(numbers)
    desk.put_down(book, runs=9)


LONDON = [datetime(2026, 3, 28, 23, 30, tzinfo=UTC), datetime(2026, 10, 24, 23, 30, tzinfo=UTC)]


@pytest.mark.fault("Timer", "DST gap or fold, office hours")
@pytest.mark.parametrize("night", LONDON, ids=["spring", "autumn"])
def test_the_night_on_which_clocks_change(make, book, night: datetime):
    """24 hours are 24 real hours; a reminder due in the changed night waits for the one 9:00 of Monday and goes out once."""
    hours = '[calendar.office]\ntimezone = "Europe/London"\nhours = { mon-fri = ["09:00-17:00"] }\n'
    desk = make(queue='reminders = ["24h"]\nclose_after = "240h"\ncalendar = "office"', more=MORE + hours)
    desk.set_clock((night - datetime.now(UTC)).total_seconds())
    waiting(desk, ANA)
    (since,) = desk.ask("SELECT silent_base FROM ticket")[0]
    monday = (night + timedelta(days=2)).replace(hour=8 if night.month == 3 else 9, minute=0)
    assert desk.ask("SELECT due FROM timer WHERE kind = 'silence'") == [(int(monday.timestamp() * 1e6),)]
    assert timedelta(microseconds=int(monday.timestamp() * 1e6) - since) > timedelta(hours=24)
    for before, count in (
        (timedelta(hours=20), 0),
        (timedelta(minutes=5), 0),
        (timedelta(minutes=-5), 1),
        (timedelta(hours=-2), 1),
    ):
        desk.set_clock((monday - before - datetime.now(UTC)).total_seconds())
        round_of(desk)
        assert reminders(desk, "ana@") == count
    desk.put_down(book, runs=1)
