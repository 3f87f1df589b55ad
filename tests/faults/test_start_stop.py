"""Locks that are never stale, and ends at any moment of sending: nothing is lost, nothing automatic comes twice."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from tests.faults.disk_story import KIM, desk_at, put_down, tally
from tests.stories.holding_sink import SlowSink
from tests.support.dovecot import Dovecot
from tests.support.smtp_sink import SmtpSink

ANA = "ana@customer.example"
STOP = pytest.mark.fault("Stop", "SIGTERM during SMTP")


@pytest.mark.fault("Start", "stale lock after kill -9, pid reused")
def test_a_lock_left_behind_names_a_living_pid(tmp_path: Path, dovecot: Dovecot, account: str, book):
    """After kill -9 the lock file names a process that lives, this one: the daemon starts at once, and `status` names the right one."""
    with SmtpSink() as sink, desk_at(tmp_path, tmp_path, dovecot, sink, account) as desk:
        desk.start()
        desk.writes(ANA, "My printer is on fire.")
        desk.wait_to(ANA, 1)
        desk.at_rest(1)
        lock = tmp_path / "desk.db.lock"
        for left in (str(os.getpid()), "1", "4194304999", "no pid", ""):
            desk.kill()
            lock.write_text(f"{left}\n")
            code, words = desk.run("status")
            assert code == 1
            assert "the daemon does not run" in words
            desk.start()
            assert desk.process is not None
            assert lock.read_text() == f"{desk.process.pid}\n"
            assert f"running, pid {desk.process.pid}" in desk.run("status")[1]
        desk.at_rest(1)
        put_down(book, runs=5, **tally(desk, [ANA]))


@STOP
@pytest.mark.timeout(300)
@pytest.mark.parametrize("moment", ["mail", "rcpt", "data", "dot"])
def test_sigterm_at_each_moment_of_a_transaction(
    tmp_path: Path, dovecot: Dovecot, account: str, book, moment: str
):
    """The mail in hand is finished, booked and not sent again; with a server that never answers the desk ends in time all the same."""
    with SlowSink() as sink, desk_at(tmp_path, tmp_path, dovecot, sink, account) as desk:
        desk.start()
        sink.moment = moment
        desk.writes(ANA, "My printer is on fire.")
        desk.wait(lambda: sink.reached >= 1, "a mail in the server's hands")
        assert desk.process is not None
        desk.process.send_signal(signal.SIGTERM)
        desk.wait_log(" stopping")
        time.sleep(1)
        assert desk.process.poll() is None, "it waits for the mail in hand"
        sink.moment = ""
        assert desk.process.wait(20) == 0
        desk.start()
        desk.at_rest(1)
        assert desk.json("outbox") == []
        wrong = tally(desk, [ANA])
        notice = desk.wait_to("kim@desk.example", 1)[0]

        # A server that goes silent: an agent's answer is in its hands, and another customer's acknowledgement.
        sink.moment = moment
        reached = sink.reached
        desk.answers(notice, KIM, "Please try water.")
        desk.wait(
            partial(lambda reached: sink.reached > reached, reached), "the answer in the server's hands"
        )
        began = time.monotonic()
        assert desk.stop(22) == 0
        assert time.monotonic() - began < 20.5
        sink.moment = ""
        time.sleep(0.2)
        desk.start()
        desk.at_rest(2, 30)
        answers = [mail for mail in desk.to(ANA) if "Please try water." in mail.text]
        assert 1 <= len(answers) <= 2
        assert len({mail.raw for mail in answers}) == 1
        assert len(desk.to(ANA)) - len(answers) == 1, "the acknowledgement came once"
        put_down(book, runs=2, **wrong)


@STOP
@pytest.mark.timeout(240)
@pytest.mark.parametrize("moment", ["mail", "rcpt", "data", "dot"])
def test_a_second_sigterm_ends_at_once(tmp_path: Path, dovecot: Dovecot, account: str, book, moment: str):
    """Within a second, with mails in the server's hands: the answer arrives, the acknowledgement at most once and never unnoticed."""
    with SlowSink() as sink, desk_at(tmp_path, tmp_path, dovecot, sink, account) as desk:
        desk.start()
        desk.writes(ANA, "My printer is on fire.")
        desk.wait_to(ANA, 1)
        notice = desk.wait_to("kim@desk.example", 1)[0]
        desk.at_rest(1)
        sink.moment = moment
        desk.answers(notice, KIM, "Please try water.")
        desk.writes("ben@customer.example", "My scanner is wet.")
        desk.wait(lambda: sink.reached >= 2, "mails in the server's hands")
        desk.wait(lambda: desk.json("ledger")["waiting"] == 0, "the decisions")
        assert desk.process is not None
        desk.process.send_signal(signal.SIGTERM)
        desk.wait_log(" stopping")
        time.sleep(0.3)
        desk.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert desk.process.wait(5) == 0
        assert time.monotonic() - began < 1.5
        assert "stopping at once" in desk.log
        sink.moment = ""
        time.sleep(0.5)
        desk.start()
        desk.at_rest(3, 30)
        answers = [mail for mail in desk.to(ANA) if "Please try water." in mail.text]
        assert 1 <= len(answers) <= 2
        assert len({mail.raw for mail in answers}) == 1
        acks = desk.to("ben@customer.example")
        listed = [mail for mail in desk.json("outbox") if "ben@customer.example" in mail["to"]]
        assert acks or [mail["state"] for mail in listed] == ["uncertain"]
        put_down(
            book,
            runs=1,
            lost=int(not answers),
            doubled=max(len(acks) - 1, 0) + len(desk.to(ANA)) - len(answers) - 1,
        )
