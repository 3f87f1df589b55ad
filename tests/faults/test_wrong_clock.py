"""What a wrong clock must not leave behind: timers, waiting mail, and pauses of a desk that is run in rounds."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.forks import Forks
from tests.faults.story import ANA, BEN, KIM, MORE, QUEUE, FaultDesk
from tests.faults.test_clock import DAY, HOUR, MINUTE, got, make, reminders, round_of, status, waiting
from tests.support.dovecot import Dovecot
from tests.support.faulty_network import FaultyNetwork, Hold
from tests.support.smtp_sink import SmtpSink

__all__ = ["make"]  # the fixture
YEARS = 50 * 365 * DAY


def silences(desk: FaultDesk) -> list[list[tuple[object, ...]]]:
    """Return everything that says when the desk acts by itself on a ticket."""
    return [
        desk.ask("SELECT number, silent_since, silent_base, silent_step, updated_at, status FROM ticket"),
        desk.ask("SELECT * FROM timer ORDER BY 1, 2, 3"),
    ]


def stays(what: Callable[[], bool], seconds: float = 2.0) -> bool:
    """Tell whether something stays true for some turns of the desk."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not what():
            return False
        time.sleep(0.1)
    return True


@pytest.mark.fault("Timer", "clock 1 h back")
@pytest.mark.parametrize("restarted", [False, True], ids=["up", "restarted"])
@pytest.mark.parametrize("span", [3 * DAY, YEARS], ids=["3 days", "50 years"])
def test_a_clock_that_is_wrong_for_a_moment_moves_nothing(make, book, span, restarted):
    """Back by days, as on a machine that starts in 1970, and right again, three times: no silence and no timer moves."""
    desk = make(queue='reminders = ["10h", "20h"]\nclose_after = "40h"\nresolved_close_after = "20h"')
    waiting(desk, ANA, BEN)
    notice = next(mail for mail in got(desk, "kim@desk.example") if "Ben" in mail["Subject"])
    desk.answers(notice, KIM, "#resolve\nAll done.")
    round_of(desk)
    desk.pass_time(10 * HOUR + MINUTE)
    round_of(desk)
    assert reminders(desk, "ana@") == 1
    before, right, boot = silences(desk), desk.shift, desk.since_boot
    desk.begin()
    desk.until_ready()
    for turn in range(1, 4):
        for shift in (right - span, right):
            words = "the clock was put back" if shift < right else "was put ahead"
            seen = desk.log.count(words)
            if restarted:
                desk.down()
            desk.set_clock(shift, boot)
            if restarted:
                desk.begin()
                desk.until_ready()
            if not (restarted and shift == right and turn > 0):
                desk.wait(lambda seen=seen, words=words: desk.log.count(words) > seen, words)
            assert stays(lambda: silences(desk) == before, 1.0), silences(desk)
    desk.pass_time(31 * MINUTE)
    assert stays(lambda: silences(desk) == before)
    assert (reminders(desk, "ana@"), status(desk, 1002)) == (1, "resolved")
    desk.down()
    desk.pass_time(10 * HOUR)
    round_of(desk)
    assert (reminders(desk, "ana@"), status(desk, 1002)) == (2, "closed")
    desk.put_down(book, runs=3)


@pytest.mark.fault("Timer", "clock jumps ahead")
@pytest.mark.parametrize("restarted", [False, True], ids=["up", "restarted"])
@pytest.mark.parametrize("resolves", [False, True], ids=["waits", "resolved"])
def test_what_was_written_while_the_clock_was_ahead(make, book, restarted, resolves):
    """400 days ahead for longer than the pause, an agent's answer meanwhile: its silence counts from when the clock is right."""
    desk = make()
    desk.writes(ANA, "My printer is on fire.")
    round_of(desk)
    desk.begin()
    desk.until_ready()
    desk.set_clock(400 * DAY)
    desk.wait(lambda: "put ahead" in desk.log, "the doubt")
    desk.answers(
        got(desk, "kim@desk.example")[0], KIM, "#resolve\nAll done." if resolves else "Please try water."
    )
    desk.wait(lambda: status(desk, 1001) == ("resolved" if resolves else "waiting"), "Kim's answer")
    desk.pass_time(31 * MINUTE)
    assert desk.settle()
    assert [mail["Subject"] for mail in got(desk, "ana@customer.example")][1:], "it went out"
    if restarted:
        desk.down()
    desk.set_clock(0, desk.since_boot)
    if restarted:
        desk.begin()
        desk.until_ready()
    soon = int((time.time() + DAY) * 1e6)
    desk.wait(lambda: desk.ask("SELECT 1 FROM timer WHERE due < ?", soon), "the timer to be brought back")
    (base, since, due) = desk.ask(
        "SELECT silent_base, silent_since, due FROM ticket JOIN timer ON ticket = number"
    )[0]
    assert abs(base / 1e6 - time.time()) < 60
    assert base == since
    assert due == base + 20 * HOUR * 1e6
    desk.down()
    desk.pass_time(20 * HOUR + 2 * MINUTE)
    round_of(desk)
    assert (reminders(desk, "ana@"), status(desk, 1001)) == ((0, "closed") if resolves else (1, "waiting"))
    desk.put_down(book, runs=1)


@pytest.mark.fault("Timer", "clock jumps ahead")
@pytest.mark.fault("SMTP after dot", "recipient refuses for 5 days")
def test_a_clock_put_ahead_gives_up_no_mail(make, book):
    """Six days ahead, beyond `give_up`: the answer that waits is tried on, its bytes are kept, and it arrives."""
    with SmtpSink() as server:
        desk = make(server=server, smtp='retry = ["1s"]\ngive_up = "5d"')
        desk.writes(ANA, "My printer is on fire.")
        round_of(desk)
        notice = got(desk, "kim@desk.example")[0]
        server.answers.recipients["ana@customer.example"] = "450 4.2.1 mailbox busy"
        desk.answers(notice, KIM, "Please try water. Did that help?")
        desk.begin()
        desk.until_ready()

        def tries() -> int:
            (found,) = desk.ask("SELECT state, attempts FROM outbox WHERE human = 1")
            assert found[0] in {"deferred", "sending", "queued"}, found
            return int(found[1])

        desk.wait(lambda: desk.ask("SELECT 1 FROM outbox WHERE state = 'deferred'"), "the first refusal")
        for ahead in (6 * DAY, 0, 400 * DAY):
            known = tries()
            desk.set_clock(ahead)
            desk.wait(lambda known=known: tries() >= known + 3, f"three more tries, {ahead} s ahead")
        desk.set_clock(0)
        server.answers.recipients.clear()
        desk.wait(lambda: any("try water" in m.text for m in got(desk, "ana@customer.example")), "the answer")
        assert desk.settle()
        desk.down()
        desk.put_down(book, runs=3)


@pytest.mark.fault("SMTP up to DATA", "DNS, refused, 4yz, timeout")
@pytest.mark.fault("Timer", "clock 1 h back")
def test_a_clock_put_back_while_the_server_is_away(make, book):
    """The server is left alone for 30 seconds by a clock that nobody sets; a new mail does not wait for an hour."""
    with SmtpSink() as server:
        desk = make(server=server, smtp='retry = ["1s"]')
        desk.begin()
        desk.until_ready()
        server.down()
        desk.writes(ANA, "My printer is on fire.")
        desk.wait(lambda: desk.ask("SELECT 1 FROM outbox WHERE state = 'deferred'"), "the outage")
        desk.set_clock(-5 * HOUR)
        desk.wait(lambda: "the clock was put back" in desk.log, "the note about the clock")
        server.up()
        desk.writes(BEN, "My scanner is wet.")
        desk.wait(lambda: len(got(desk, "ben@other.example")) == 1, "Ben's acknowledgement")
        desk.wait(lambda: len(got(desk, "ana@customer.example")) == 1, "Ana's acknowledgement")
        assert desk.settle()
        desk.down()
        desk.put_down(book, runs=1)


@pytest.mark.fault("Timer", "3 days down")
def test_rounds_that_lie_more_than_a_day_apart(make, book):
    """`run --once` each 25 hours: its second round doubts the clock, later ones do what is due, and the admin hears it once."""
    desk = make()
    desk.writes(ANA, "My printer is on fire.")
    assert desk.command_of("run", "--once") == 0
    desk.answers(got(desk, "kim@desk.example")[0], KIM, "Please try water.")
    assert desk.command_of("run", "--once") == 0
    wanted = [(0, "waiting"), (1, "waiting"), (1, "closed"), (1, "closed")]
    for count, state in wanted:
        desk.pass_time(25 * HOUR)
        assert desk.command_of("run", "--once") == 0
        assert (reminders(desk, "ana@"), status(desk, 1001)) == (count, state)
    assert desk.log.count("held back for 30 minutes") == 1
    desk.pass_time(90 * DAY)  # that is another matter
    assert desk.command_of("run", "--once") == 0
    assert desk.log.count("held back for 30 minutes") == 2
    desk.put_down(book, runs=5)


@pytest.mark.fault("Timer", "3 days down")
def test_receive_ends_a_pause_that_is_over(make, book, monkeypatch):
    """Without a daemon a mail that comes in by a pipe is acknowledged, once the doubt about the clock is over."""
    desk = make()
    monkeypatch.setenv("MAILTICKETS_CLOCK", str(desk.folder / "clock"))
    assert desk.command_of("run", "--once") == 0
    desk.pass_time(3 * DAY)
    assert desk.command_of("run", "--once") == 0

    def receive(person: str) -> None:
        mail = f"From: {person}\r\nTo: support@desk.example\r\nSubject: Lamp\r\nMessage-ID: <{person}>\r\n\r\nIt is dark.\r\n"
        desk.command("receive", stdin=mail.encode())

    receive("eve@third.example")
    assert not got(desk, "eve@third.example")
    desk.pass_time(31 * MINUTE)
    receive("pat@third.example")
    assert len(got(desk, "pat@third.example")) == len(got(desk, "eve@third.example")) == 1
    desk.put_down(book, runs=1)


@pytest.mark.fault("Volume", "circuit breaker, sending rate")
@pytest.mark.parametrize("by", ["run --once", "daemon"])
def test_the_word_of_the_admin_outlasts_a_restart(make, book, by):
    """`outbox resume` lets as many mails go again, whoever sends them; and with no mail to send nothing is held."""
    desk = make(more=MORE + "automatic_per_hour = 12")
    for number in range(5):
        desk.writes(f"c{number}@customer.example", "My printer is on fire.")

    def rounds() -> None:
        if by == "daemon":
            desk.begin()
            desk.until_ready()
            desk.wait(lambda: not desk.ask("SELECT 1 FROM copy WHERE state = 'waiting'"), "decisions")
            time.sleep(2.5)
            desk.down()
        else:
            assert desk.command_of("run", "--once") == 0

    def held() -> bool:
        return bool(desk.ask("SELECT 1 FROM setting WHERE name = 'pause_volume' AND value <> ''"))

    rounds()
    assert held()
    assert desk.command_of("outbox", "resume") == 0
    desk.writes("late@customer.example", "My lamp is dark.")
    rounds()
    rounds()
    assert not held()
    assert len(got(desk, "late@customer.example")) == 1
    desk.put_down(book, runs=1)


@pytest.mark.fault("Timer", "suspended laptop")
def test_a_round_begun_before_the_sleep_does_not_count(
    tmp_path: Path, dovecot: Dovecot, sink: SmtpSink, forks: Forks, network: FaultyNetwork, book
):
    """The machine sleeps in the middle of a round; the answer that came meanwhile is read before any reminder goes."""
    desk = FaultDesk(tmp_path, dovecot, sink, forks, ports=(network.port, 0))
    waiting(desk, ANA)
    answer = next(mail for mail in got(desk, "ana@customer.example") if "Please try water" in mail.text)
    held = Hold(b"Search completed")
    network.arm(held)
    struck = network.struck
    desk.begin()
    desk.wait(lambda: network.struck > struck, "the round to be under way")
    desk.pass_time(20 * HOUR + MINUTE)
    desk.wait(lambda: "awake again" in desk.log, "the end of the sleep")
    desk.answers(answer, ANA, "It still burns.")
    held.let_go.set()
    desk.until_ready()
    desk.wait(lambda: status(desk, 1001) == "open", "Ana's answer")
    assert stays(lambda: reminders(desk, "ana@") == 0)
    assert desk.settle()
    desk.down()
    desk.put_down(book, runs=1)


DEAD = """
[mailbox.dead]
host = "127.0.0.1"
port = 1
security = "none"
username = "dead"
password = { file = "imap-password" }
"""


@pytest.mark.fault("Connect, login", "DNS fails, refused, TLS error, wrong password")
def test_a_reload_without_the_dead_mailbox_ends_the_waiting_for_it(make, book):
    """A due reminder waits for a mailbox that cannot be read; once the admin has taken that away it goes."""
    desk = make(queue=QUEUE + '\nmailbox = "support"')
    waiting(desk, ANA)
    desk.config.write_text(desk.config.read_text() + DEAD)
    desk.pass_time(20 * HOUR + MINUTE)
    child = desk.begin()
    desk.wait(lambda: "mailbox dead cannot be read" in desk.log, "the trouble")
    assert stays(lambda: reminders(desk, "ana@") == 0)
    desk.edit(DEAD, "")
    child.signal(signal.SIGHUP)
    desk.wait(lambda: reminders(desk, "ana@") == 1, "the reminder")
    assert desk.settle()
    desk.down()
    desk.put_down(book, runs=1)
