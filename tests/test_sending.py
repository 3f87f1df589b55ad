"""The sender between a real store and real mail servers: how many mails are in its hands, and what waits for what."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from mailtickets.delivery import Ladder
from mailtickets.sending import CLAIM, Sender
from mailtickets.transport.smtp import CONNECTIONS, Security, SmtpAccount, SmtpPool
from tests.stories.holding_sink import SlowSink
from tests.support.desk import Desk
from tests.support.smtp_sink import SmtpSink


class Sending:
    """A desk in a thread of its own with mails that wait, and a sender in the test's loop."""

    def __init__(self, folder: Path) -> None:
        self._thread = ThreadPoolExecutor(1)
        self.call = self._thread.submit
        self.desk = self._in_desk(lambda: Desk(folder))
        self.sender: Sender

    def _in_desk(self, function: Callable[[], object]):
        return self.call(function).result()

    def queue(self, customers: int) -> None:
        """Let so many write: each makes three mails."""

        def write() -> None:
            for number in range(customers):
                raw = self.desk.mail(f"c{number}@c{number}.example", "It burns.")
                self.desk.receives(raw, settle=False)
            while self.desk.line.settle():
                pass

        self._in_desk(write)

    def by_other_account(self, share: int) -> None:
        """Let every so many-th mail go by the account `other`."""
        self._in_desk(
            lambda: self.desk.store._connection.execute(
                "UPDATE outbox SET account = 'other' WHERE id % ? = 0", (share,)
            )
        )

    def states(self) -> Counter[str]:
        return Counter(
            m.state
            for m in self._in_desk(lambda: self.desk.store.views.outbox(everything=True, limit=10_000))
        )

    def run(self, use: Callable[[], object], **sinks: SmtpSink) -> int:
        """Send by these servers, `ours` by the first account, while `use` runs in a thread; return how many were tried."""

        async def send() -> int:
            accounts = {
                "" if name == "ours" else name: SmtpAccount(
                    "127.0.0.1", sink.port, Security.NONE, helo="x.example"
                )
                for name, sink in sinks.items()
            }
            pools = {name: SmtpPool(account) for name, account in accounts.items()}
            ladders = {name: Ladder() for name in pools}
            self.sender = Sender(self.desk.line, pools, ladders, self.call, lambda: self.desk.now, "test")
            try:
                count, _ = await asyncio.gather(self.sender.send_due(), asyncio.to_thread(use))
            finally:
                for pool in pools.values():
                    await pool.close(2)
            return count

        return asyncio.run(asyncio.wait_for(send(), 60))

    def close(self) -> None:
        self._in_desk(self.desk.close)
        self._thread.shutdown()


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Sending]:
    made = Sending(tmp_path)
    yield made
    made.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for something in another thread."""
    for _ in range(2000):
        if condition():
            return
        asyncio.run(asyncio.sleep(0.005))
    raise AssertionError("it never came")


def test_while_few_wait_only_what_is_on_a_connection_is_in_hand(sending: Sending):
    """A server that answers nothing holds four; the others stay queued, and all go out when it goes on."""
    sending.queue(10)
    waiting = sending.states()["queued"]
    assert CONNECTIONS < waiting < 100
    with SlowSink() as sink:
        sink.moment = "mail"

        def look() -> None:
            until(lambda: sink.reached == CONNECTIONS)
            assert sending.states() == {"sending": CONNECTIONS, "queued": waiting - CONNECTIONS}
            sink.moment = ""

        assert sending.run(look, ours=sink) == waiting
        assert len(sink.mails) == waiting
    assert sending.states() == {"sent": waiting}


def test_in_a_burst_the_next_mails_are_in_hand_before_their_turn(sending: Sending):
    """No connection waits for the desk then; never more than 16 for each of them, and a hundred wait beside them."""
    sending.queue(150)
    waiting = sending.states()["queued"]
    assert waiting > 100 + 2 * CLAIM
    with SlowSink() as sink:
        sink.moment = "mail"

        def look() -> None:
            until(lambda: sink.reached == CONNECTIONS and sending.states()["sending"] == 2 * CLAIM)
            sink.moment = ""

        assert sending.run(look, ours=sink) == waiting
    assert sending.states() == {"sent": waiting}


def test_a_slow_server_keeps_no_other_account_waiting(sending: Sending):
    """All that goes by the other server is out while the first holds its four."""
    sending.queue(10)
    sending.by_other_account(2)
    waiting = sending.states()["queued"]
    with ExitStack() as servers:
        slow, quick = servers.enter_context(SlowSink()), servers.enter_context(SmtpSink())
        slow.moment = "dot"

        def look() -> None:
            until(lambda: slow.reached == CONNECTIONS and len(quick.mails) == waiting // 2)
            until(lambda: sending.states()["sent"] == waiting // 2)
            slow.moment = ""

        assert sending.run(look, ours=slow, other=quick) == waiting


def test_one_slow_mail_keeps_no_other_mail_waiting(sending: Sending):
    """The three other connections take all the rest meanwhile, and it is booked as sent."""
    sending.queue(10)
    waiting = sending.states()["queued"]
    with SlowSink() as sink:
        sink.holds = lambda raw: b"\r\nTo: c3@c3.example" in raw

        def look() -> None:
            until(lambda: sink.held == 1 and sending.states()["sent"] == waiting - 1)
            sink.let_go()

        assert sending.run(look, ours=sink) == waiting


@pytest.mark.parametrize("customers", [10, 150])
def test_told_to_stop_it_claims_nothing_more(sending: Sending, customers: int):
    """What is on a connection is finished and booked, what is only in hand goes back, and the rest was never claimed."""
    sending.queue(customers)
    with SlowSink() as sink:
        sink.moment = "mail"

        def stop() -> None:
            until(lambda: sink.reached == CONNECTIONS)
            sending.sender.stop()
            sink.moment = ""

        sending.run(stop, ours=sink)
        states = sending.states()
        assert states["sent"] == len(sink.mails) >= CONNECTIONS
    assert states["sending"] == 0
    assert states["queued"] + states["deferred"] > 0
