"""Another program holds the store for longer than anybody waits for it: nothing is skipped, nothing crashes, nothing comes twice."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailtickets.store.opening import BUSY_TIMEOUT_S
from tests.faults.disk_story import KIM, desk_at, put_down, tally, unseen
from tests.stories.holding_sink import HoldingSink
from tests.support.dovecot import Dovecot

ANA = "ana@customer.example"
HELD_SECONDS = BUSY_TIMEOUT_S + 5


class Holder:
    """A program of somebody else that begins to write the store and does not end."""

    def __init__(self, store: Path, begin: str) -> None:
        self._connection = sqlite3.connect(store, isolation_level=None, check_same_thread=False, timeout=5)
        self._connection.execute(begin)

    def let_go(self) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


@pytest.mark.fault("Store raw", "DB locked > 30 s")
@pytest.mark.timeout(300)
def test_a_store_that_is_locked_for_longer_than_the_desk_waits(
    tmp_path: Path, dovecot: Dovecot, account: str, book
):
    """Three batches of mail, an acknowledgement in the server's hands, an answer, `receive` and `status` meet a locked store."""
    with HoldingSink() as sink, desk_at(tmp_path, tmp_path, dovecot, sink, account, poll="1s") as desk:
        desk.start()
        sink.holds = lambda raw: b"auto-replied" in raw
        desk.writes(ANA, "My printer is on fire.")
        desk.wait(lambda: sink.held == 1, "the acknowledgement in the server's hands")
        notice = desk.wait_to("kim@desk.example", 1)[0]
        time.sleep(1)
        people = [ANA, *(f"c{number}@customer.example" for number in range(120))]
        assert desk.process is not None
        desk.process.send_signal(signal.SIGSTOP)  # so that it finds three batches at once
        holder = Holder(tmp_path / "desk.db", "BEGIN EXCLUSIVE")
        sink.let_go()
        desk.answers(notice, KIM, "Please try water.")
        for person in people[1:]:
            desk.writes(person, "My scanner is wet.")
        desk.process.send_signal(signal.SIGCONT)
        began = time.monotonic()
        piped = desk.mail("pipe@customer.example", "My lamp is dark.")
        with ThreadPoolExecutor(1) as pool:
            receiving = pool.submit(desk.run, "receive", stdin=piped)
            code, words = desk.run("status")
            assert words.startswith("daemon       running"), words
            assert time.monotonic() - began < 25, "reading commands do not wait for the lock"
            code, words = receiving.result()
        assert code == 75, words
        assert "another program" in words or "end the program" in words
        assert "restore a backup" not in words
        line = desk.wait_log("work pauses", 1, 60)
        assert "another program holds it" in line
        time.sleep(max(began + HELD_SECONDS - time.monotonic(), 0))
        assert desk.process.poll() is None
        assert unseen(desk) == len(people)
        holder.let_go()

        desk.command("receive", stdin=piped)
        people.append("pipe@customer.example")
        books = desk.at_rest(len(people) + 1, 120)
        assert books["on_tickets"] == len(people) + 1
        desk.wait_log("work goes on")
        desk.wait(lambda: unseen(desk) == 0, "all marks", 30)
        assert "Traceback" not in desk.log
        answers = [mail for mail in desk.to(ANA) if "Please try water." in mail.text]
        assert len(answers) == 1
        sink.mails = [mail for mail in sink.mails if mail.raw != answers[0].raw]
        assert desk.stop() == 0
        put_down(book, runs=1, **tally(desk, people))


@pytest.mark.fault("Store raw", "DB locked > 30 s")
@pytest.mark.timeout(240)
def test_start_and_stop_while_the_store_is_locked(tmp_path: Path, dovecot: Dovecot, account: str, book):
    """SIGTERM ends within 20 s; a start waits and is at work once the lock is gone."""
    with HoldingSink() as sink, desk_at(tmp_path, tmp_path, dovecot, sink, account, poll="1s") as desk:
        desk.start()
        desk.writes(ANA, "My printer is on fire.")
        desk.wait_to(ANA, 1)
        desk.at_rest(1)
        holder = Holder(tmp_path / "desk.db", "BEGIN IMMEDIATE")
        desk.writes("ben@customer.example", "My scanner is wet.")
        time.sleep(2)
        began = time.monotonic()
        assert desk.stop(25) == 0
        assert time.monotonic() - began < 20
        desk.start(ready=False)
        line = desk.wait_log("waiting=starting", 1, BUSY_TIMEOUT_S + 15)
        assert "another program holds it" in line
        assert "end the program" in line
        began = time.monotonic()
        assert desk.stop(10) == 0
        desk.start(ready=False)
        threading.Timer(3, holder.let_go).start()
        desk.wait_to("ben@customer.example", 1, 60)
        desk.at_rest(2)
        put_down(book, runs=3, **tally(desk, [ANA, "ben@customer.example"]))
