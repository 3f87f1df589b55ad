"""Two desks, and a desk and a robot, acknowledge each other once or a few times, and then there is silence."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import compat32
from pathlib import Path

import pytest

from tests.support.dovecot import Dovecot
from tests.support.post_office import PostOffice
from tests.support.process import DeskProcess
from tests.support.smtp_sink import SinkMail

pytestmark = pytest.mark.timeout(240)  # two daemons, and silence has to be waited for

QUIET_SECONDS = 4.0  # longer than a poll of either desk, and than any answer takes
NO_LIMITS = "[limits]\nack_per_address_day = 0\nack_per_proven_address_day = 0\nack_per_domain_hour = 0\nack_per_hour = 0"
LOOP_FIELDS = frozenset({"Auto-Submitted", "X-Auto-Response-Suppress", "Precedence", "X-Mailtickets-Loop"})
THREAD_FIELDS = frozenset({"In-Reply-To", "References", "Message-ID", "Reply-To"})


@dataclass(frozen=True)
class Pair:
    """Two desks, one.example and two.example, that the post office connects."""

    one: DeskProcess
    two: DeskProcess
    office: PostOffice

    def between(self) -> tuple[int, int]:
        """How many mails the first desk has got from the second, and the other way round."""
        return len(self.office.to(self.one.address)), len(self.office.to(self.two.address))

    def falls_silent(self, seconds: float = 60.0) -> None:
        """Wait until nothing has been sent, taken in or left to do for a while."""
        falls_silent(self.office, (self.one, self.two), seconds)


def falls_silent(office: PostOffice, desks: tuple[DeskProcess, ...], seconds: float = 60.0) -> None:
    """Wait until nothing has been sent, taken in or left to do for a while; fail if that takes too long."""
    end, seen, since = time.monotonic() + seconds, None, time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        assert time.monotonic() < end, f"no silence in {seconds} s: {len(office.mails)} mails"
        books = [desk.json("ledger") for desk in desks]
        now = (len(office.mails), office.answered, [book["received"] for book in books])
        if now != seen or any(book["waiting"] for book in books):
            seen, since = now, time.monotonic()
        time.sleep(0.2)
    assert not office.errors


def a_desk(folder: Path, dovecot: Dovecot, office: PostOffice, user: str, domain: str, tag: str, more: str = "") -> DeskProcess:  # fmt: skip
    """Configure a desk at a domain of its own, and let the post office deliver to it."""
    folder.mkdir()
    limits = more or "[limits]"
    desk = DeskProcess(
        folder, dovecot, office, user, poll="1s", more=f"{limits}\nsame_words_per_domain_day = 10"
    )
    desk.edit(f'address = "{user}@desk.example"', f'address = "{user}@{domain}"')
    desk.edit('tag = "SUP"', f'tag = "{tag}"')
    desk.address = f"{user}@{domain}"
    office.mailboxes.add(desk.address)
    return desk


@pytest.fixture
def office(dovecot: Dovecot) -> Iterator[PostOffice]:
    """A post office of the test's own."""
    with PostOffice(dovecot) as office:
        yield office


@pytest.fixture
def make_pair(
    tmp_path: Path, dovecot: Dovecot, office: PostOffice, account: str
) -> Iterator[Callable[..., Pair]]:
    """Start two desks; `more` are further tables of both configurations."""
    made: list[DeskProcess] = []

    def make(more: str = "") -> Pair:
        made.append(a_desk(tmp_path / "one", dovecot, office, f"{account}one", "one.example", "ONE", more))
        made.append(a_desk(tmp_path / "two", dovecot, office, f"{account}two", "two.example", "TWO", more))
        for desk in made:
            desk.start()
        return Pair(made[0], made[1], office)

    yield make
    for desk in made:
        desk.stop()


def _writes_as(sender: DeskProcess, to: DeskProcess) -> None:
    """Somebody writes by hand, in the name of one desk, to the other."""
    to.writes(f"Another desk <{sender.address}>", "Our own printer is on fire, can you help?")


def test_two_desks_stop_after_one_acknowledgement(make_pair: Callable[..., Pair]):
    """A mail in one desk's name is acknowledged by the other once; that is a machine's mail there, and so the end.

    The same from the other side. Both keep what they got as tickets that agents see.
    """
    pair = make_pair(NO_LIMITS)
    _writes_as(pair.one, pair.two)
    pair.falls_silent()
    assert pair.between() == (1, 0)
    ack = pair.office.to(pair.one.address)[0]
    assert (ack.sender, b"Auto-Submitted: auto-replied" in ack.raw) == ("", True)

    _writes_as(pair.two, pair.one)
    pair.falls_silent()
    assert pair.between() == (1, 1)
    assert [len(desk.references()) for desk in (pair.one, pair.two)] == [2, 2]
    told = [mail["Subject"][:5] for mail in pair.one.to("kim@desk.example")]
    assert sorted(told) == ["[ONE-", "[ONE-", "[TWO-", "[TWO-"], "Kim, agent of both, sees each ticket once"


def test_two_desks_stop_behind_a_gateway_that_drops_the_signs_of_a_machine(make_pair: Callable[..., Pair]):
    """The acknowledgement looks like a person's mail and is acknowledged; that one answers a mail of ours, and so the end."""
    pair = make_pair(NO_LIMITS)
    pair.office.strips = LOOP_FIELDS
    _writes_as(pair.one, pair.two)
    pair.falls_silent()
    assert pair.between() == (1, 1)
    _writes_as(pair.two, pair.one)
    pair.falls_silent()
    assert pair.between() == (2, 2)


@pytest.mark.parametrize(("limits", "most"), [("", 3), (NO_LIMITS, 5)], ids=["limits", "no limits"])
def test_two_desks_stop_behind_a_gateway_that_drops_the_thread_too(
    make_pair: Callable[..., Pair], limits: str, most: int
):
    """Every acknowledgement comes as a new mail of a person: the limits end it, and without limits, that it says the same again."""
    pair = make_pair(limits)
    pair.office.strips = LOOP_FIELDS | THREAD_FIELDS
    _writes_as(pair.one, pair.two)
    pair.falls_silent()
    to_one, to_two = pair.between()
    assert 1 <= to_two <= to_one <= most, "each is an acknowledgement of the other's"
    assert not any("queued" in mail["state"] for mail in pair.one.json("outbox"))


def _vacation(mail: SinkMail, number: int, recipient: str) -> bytes:
    """What a bad vacation robot writes: no sign of a machine, no thread, for every mail one."""
    asked = BytesParser(policy=compat32).parsebytes(mail.raw, headersonly=True)
    return (
        f"From: {recipient}\r\nTo: {asked['From']}\r\nSubject: Re: your mail\r\nMessage-ID: <v{number}.{os.getpid()}@robot.example>\r\n"
        f"Date: Thu, 26 Nov 2026 01:00:{number % 60:02} +0000\r\n\r\nMy colleagues and I answer again after the holidays.\r\n"
    ).encode()


def _another_desk(mail: SinkMail, number: int, recipient: str) -> bytes:
    """What a ticket system without any manners writes: a fresh address and a fresh number for every mail."""
    asked = BytesParser(policy=compat32).parsebytes(mail.raw, headersonly=True)
    domain = recipient.partition("@")[2]
    return (
        f"From: Service <case{number}@{domain}>\r\nTo: {asked['From']}\r\nSubject: [CASE-{7000 + number}] received\r\n"
        f"Message-ID: <c{number}.{os.getpid()}@{domain}>\r\nDate: Thu, 26 Nov 2026 02:00:{number % 60:02} +0000\r\n\r\n"
        f"Your request has the number CASE-{7000 + number}. We thank you for your patience.\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("limits", "acknowledgements"),
    # Without limits: the first mail, and three times the robot's words; the fourth time they are known.
    [("", 3), (NO_LIMITS, 4)],
    ids=["limits", "no limits"],
)
def test_a_vacation_robot_without_any_sign_is_answered_a_few_times(
    tmp_path: Path, dovecot: Dovecot, office: PostOffice, account: str, limits: str, acknowledgements: int
):
    """Classic ping-pong: each acknowledgement is answered, until none follows; all that it wrote is kept."""
    desk = a_desk(tmp_path / "one", dovecot, office, account, "one.example", "ONE", limits).start()
    try:
        office.robots["robot.example"] = _vacation
        desk.writes("Vera <vera@robot.example>", "My printer is on fire.")
        falls_silent(office, (desk,))
        assert len(office.to("vera@robot.example")) == office.answered == acknowledgements
        assert len(desk.references()) == acknowledgements + 1, "one by hand, the others by the robot"
        assert [mail["Auto-Submitted"] for mail in desk.to("it@desk.example")] == ["auto-generated"]
    finally:
        desk.stop()


@pytest.mark.parametrize("limits", ["", NO_LIMITS], ids=["limits", "no limits"])
def test_a_robot_with_a_fresh_address_each_time_is_answered_eleven_times(
    tmp_path: Path, dovecot: Dovecot, office: PostOffice, account: str, limits: str
):
    """No limit of an address helps, and that of a domain would let it go on an hour later: ten times the same words end it for good."""
    desk = a_desk(tmp_path / "one", dovecot, office, account, "one.example", "ONE", limits).start()
    try:
        office.robots["robot.example"] = _another_desk
        desk.writes("Vera <vera@robot.example>", "My printer is on fire.")
        falls_silent(office, (desk,))
        assert office.answered == 11
        assert len(desk.references()) == 12
        told = desk.to("it@desk.example")
        assert len(told) == 1
        assert "not acknowledged any more" in told[0]["Subject"]
        assert "timer" not in [one["kind"] for one in desk.json("next")], "no acknowledgement waits for later"
    finally:
        desk.stop()
