"""The first start decides which mail was there before it: a wrong clock at that moment must cost nobody's mail."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from mailtickets.store import Store
from mailtickets.store.first_start import DATED_BEFORE, OLDER
from mailtickets.store.ledger import Step
from tests.faults.story import ANA, BEN, FaultDesk
from tests.faults.test_clock import DAY, HOUR, make
from tests.support.desk import START

__all__ = ["make"]  # the fixture

CLOCK = pytest.mark.fault("Timer", "clock 1 h back")
AHEAD = pytest.mark.fault("Timer", "clock jumps ahead")
ADMIN = "it@desk.example"


def from_now(make: Callable[..., FaultDesk], shift: float = 0.0) -> FaultDesk:
    """Make a desk that leaves mail from before its first start alone, as is the default."""
    desk = make()
    desk.edit('start_from = "all"\n', "")
    desk.set_clock(shift)
    return desk


def acked(desk: FaultDesk, address: str) -> int:
    return sum(address in mail.recipients for mail in desk.accepted.mails)


def alarms(desk: FaultDesk) -> int:
    return len(desk.ask("SELECT 1 FROM outbox WHERE kind = 'trouble'"))


def copies(desk: FaultDesk) -> list[tuple[str, str]]:
    return desk.ask("SELECT state, reason FROM copy ORDER BY id")


@CLOCK
@pytest.mark.parametrize("ahead", [2 * HOUR, 400 * DAY], ids=["2 hours", "400 days"])
def test_a_clock_that_was_ahead_at_the_first_start(make, book, ahead):
    """It is put right, and a customer writes: a ticket like any other."""
    desk = from_now(make, ahead)
    desk.begin()
    desk.until_ready()
    desk.down()
    desk.set_clock(0)
    desk.begin()
    desk.until_ready()
    desk.writes(ANA, "My printer is on fire.")
    desk.wait(lambda: acked(desk, "ana@customer.example") == 1, "the acknowledgement", 30)
    assert desk.settle()
    assert [state for state, _ in copies(desk)] == ["on_ticket"]
    wrong = desk.check()
    book(runs=1, lost=wrong["lost"], doubled=wrong["doubled"])
    assert not wrong.total()


@CLOCK
@pytest.mark.parametrize("running", [True, False], ids=["up", "restarted"])
def test_mail_that_came_while_the_clock_was_ahead(make, book, running):
    """For its date it was left alone, and the admins were told; the clock is right again, and it is a ticket."""
    desk = from_now(make, 400 * DAY)
    desk.begin()
    desk.until_ready()
    desk.writes(ANA, "My printer is on fire.")
    desk.wait(lambda: copies(desk) == [("ignored", DATED_BEFORE)], "the mail to be left alone", 30)
    desk.wait(lambda: alarms(desk) == 1, "the admins to be told", 30)
    if not running:
        desk.down()
    desk.set_clock(0)
    if not running:
        desk.begin()
        desk.until_ready()
    desk.writes(BEN, "My scanner is wet.")
    for address in ("ana@customer.example", "ben@other.example"):
        desk.wait(lambda address=address: acked(desk, address) == 1, f"the answer to {address}", 40)
    assert desk.settle()
    assert [state for state, _ in copies(desk)] == ["on_ticket"] * 2
    wrong = desk.check()
    book(runs=1, lost=wrong["lost"], doubled=wrong["doubled"])
    assert not wrong.total()
    desk.restart_changes_nothing(1)


@AHEAD
def test_what_lay_there_stays_alone_where_the_clock_is_behind(make, book):
    """The first start a year ago by a wrong clock: last week's mail is no ticket, today's is."""
    desk = from_now(make, -400 * DAY)
    for days in (300, 7, 0):
        raw = desk.mail(ANA, f"Written {days} days ago.")
        desk.dovecot.append(desk.box, raw, when=datetime.now(UTC) - timedelta(days=days, seconds=5))
    desk.begin()
    desk.until_ready()
    desk.writes(BEN, "My scanner is wet.")
    desk.wait(lambda: acked(desk, "ben@other.example") == 1, "the acknowledgement", 30)
    assert desk.settle()
    assert sorted(copies(desk)) == [*[("ignored", OLDER)] * 3, ("on_ticket", "opened a ticket")]
    assert acked(desk, "ana@customer.example") == 0
    book(runs=1)


@CLOCK
def test_a_mail_server_whose_clock_is_behind(make, book):
    """What came after the first start is dated ten minutes before it: taken in."""
    desk = from_now(make)
    desk.begin()
    desk.until_ready()
    raw = desk.mail(ANA, "My printer is on fire.")
    desk.dovecot.append(desk.box, raw, when=datetime.now(UTC) - timedelta(minutes=10))
    desk.wait(lambda: acked(desk, "ana@customer.example") == 1, "the acknowledgement", 30)
    book(runs=1)


def test_old_mail_that_somebody_moves_into_the_folder(make):
    """It is left alone, with one alarm however much it is, and what comes after it is a ticket."""
    desk = from_now(make)
    desk.begin()
    desk.until_ready()
    for days in (400, 30, 3):
        raw = desk.mail(ANA, f"Written {days} days ago.")
        desk.dovecot.append(desk.box, raw, when=datetime.now(UTC) - timedelta(days=days))
    desk.writes(BEN, "My scanner is wet.")
    desk.wait(lambda: acked(desk, "ben@other.example") == 1, "the acknowledgement", 30)
    desk.wait(lambda: alarms(desk) == 1, "the admins to be told", 30)
    assert desk.settle()
    time.sleep(1)
    assert sorted(copies(desk)) == [*[("ignored", DATED_BEFORE)] * 3, ("on_ticket", "opened a ticket")]
    assert alarms(desk) == 1


def test_the_start_never_goes_behind_what_was_there(tmp_path):
    """A machine that starts in 1970 shows a time before every start; old mail stays old. A second time changes nothing."""
    store = Store.open(tmp_path / "desk.db", START)
    there = START - timedelta(days=3)
    with store.transaction():
        store.ledger.leave_alone("support", "INBOX", [("7/1", 9, there)], OLDER, START)
        store.ledger.leave_alone(
            "support", "INBOX", [("7/9", 9, START - timedelta(days=2))], DATED_BEFORE, START
        )
        store.ledger.move_cursor(Step("support", "INBOX", (0, 0), (7, 12)))
        assert store.start_was_before(START + timedelta(days=1)) == (START, 0), "the clock goes on as ever"
        start, again = store.start_was_before(datetime(1970, 1, 2, tzinfo=UTC))
        assert (start, again) == (there + timedelta(seconds=1), 1)
        assert store.first_start() == start
        assert store.ledger.cursor("support", "INBOX") == (7, 8)
        assert store.start_was_before(datetime(1970, 1, 2, tzinfo=UTC)) == (start, 0)
    store.close()


def test_since_when_a_folder_belongs_to_the_desk(tmp_path):
    """From the first start, also where it could not be read for long; one that is configured later from the last poll on."""
    store, polled = Store.open(tmp_path / "desk.db", START), START + timedelta(days=300)
    with store.transaction():
        assert not store.note_joining("support", "INBOX")
        store.set_setting("last_poll", polled.isoformat())
        assert not store.note_joining("support", "INBOX"), "it was there at the first start, polled or not"
        assert store.note_joining("sales", "INBOX")
        assert not store.note_joining("sales", "INBOX"), "once"
        store.ledger.move_cursor(Step("billing", "INBOX", (0, 0), (7, 12)))
        assert not store.note_joining("billing", "INBOX"), "an earlier version of the desk took mail from it"
    starts = [store.start_of(name, "INBOX") for name in ("support", "sales", "billing", "unknown")]
    assert starts == [START, polled, START, START]
    store.close()
