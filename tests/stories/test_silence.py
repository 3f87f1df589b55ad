"""A silent customer is reminded and closed, once each; a reply changes that at any time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from tests.support.process import DeskProcess, Received, is_one_thread

ANA, BEN = "Ana Client <ana@customer.example>", "Ben <ben@customer.example>"
KIM = "Kim Archer <kim@desk.example>"
SHORT = 'reminders = ["2s", "4s"]\nclose_after = "6s"\nreopen_within = "3s"\nresolved_close_after = "3s"'


def _answered(desk: DeskProcess, person: str, text: str) -> Received:
    """Let a person open a ticket and Kim answer it; return Kim's notice."""
    address = person.rpartition("<")[2].rstrip(">")
    notices = len(desk.to("kim@desk.example"))
    desk.writes(person, "Something is broken.", subject=f"Help, {address}")
    notice = desk.wait_to("kim@desk.example", notices + 1)[-1]
    desk.answers(notice, KIM, text)
    desk.wait_to(address, 2)
    return notice


def _kinds_to(desk: DeskProcess, address: str) -> list[str]:
    """Return what an address got, by the words of each mail."""
    signs = {
        "a short reminder": "reminder 1",
        "we still need your answer": "reminder 2",
        "have closed": "closed",
        "We have received": "acknowledgement",
    }
    return [
        next((kind for sign, kind in signs.items() if sign in mail.text), "answer")
        for mail in desk.to(address)
    ]


def test_silence_reminds_twice_and_closes_also_through_kill_9(make_desk: Callable[..., DeskProcess]):
    """Both reminders and the closing come once each, in time, over a kill -9; who answers in between is left in peace."""
    desk = make_desk(queue=SHORT).start()
    _answered(desk, ANA, "Which printer is it?")
    _answered(desk, BEN, "Which scanner is it?")
    reminder = desk.wait_to("ben@customer.example", 3)[2]
    desk.wait_to("ana@customer.example", 3)
    desk.kill()
    desk.start()
    desk.answers(reminder, BEN, "The big one.")
    desk.wait_status("SUP-1002", "open")
    desk.wait_status("SUP-1001", "closed", 20)
    desk.wait_to("ana@customer.example", 5)
    desk.at_rest(5)

    assert _kinds_to(desk, "ana@customer.example") == [
        "acknowledgement", "answer", "reminder 1", "reminder 2", "closed",
    ]  # fmt: skip
    assert _kinds_to(desk, "ben@customer.example") == ["acknowledgement", "answer", "reminder 1"]
    mails = desk.to("ana@customer.example")
    assert is_one_thread(mail.raw for mail in mails)
    for mail in mails[2:]:
        assert mail["Auto-Submitted"] == "auto-generated"
    assert "Which printer is it?" in mails[2].text, "the reminder says what was asked"
    assert "close" in mails[3].text, "the last reminder says that it will close"

    sent = {entry["reason"] or entry["kind"]: datetime.fromisoformat(entry["at"])
            for entry in desk.json("show", "SUP-1001")["entries"] if entry["kind"] in {"mail_out", "reminder", "status"}}  # fmt: skip
    answered = next(at for what, at in sent.items() if what == "mail_out")
    for what, seconds in (("reminder 1", 2), ("reminder 2", 4)):
        assert timedelta(seconds=seconds) <= sent[what] - answered, "never early"


def test_a_reply_to_a_closed_ticket(make_desk: Callable[..., DeskProcess]):
    """In time it reopens the ticket, without a mail to the customer; too late it makes a new ticket linked to the old one."""
    desk = make_desk(queue=SHORT).start()
    _answered(desk, ANA, "Which printer is it?")
    closed = desk.wait_to("ana@customer.example", 5, 20)[4]
    assert desk.status("SUP-1001") == "closed"

    desk.answers(closed, ANA, "It burns again.")
    desk.wait_status("SUP-1001", "open")
    reopened = desk.wait_to("kim@desk.example", 2)[1]
    assert "It burns again." in reopened.text
    assert len(desk.to("ana@customer.example")) == 5

    desk.answers(reopened, KIM, "#close\nThat is another printer.")
    last = desk.wait_to("ana@customer.example", 6)[5]
    assert "That is another printer." in last.text
    desk.wait_status("SUP-1001", "closed")
    too_late = datetime.now(UTC) + timedelta(seconds=3)
    desk.wait(lambda: datetime.now(UTC) > too_late, "the time for reopening to pass")
    desk.answers(last, ANA, "It burns once more.")
    ack = desk.wait_to("ana@customer.example", 7)[6]
    assert ack["Subject"].startswith("[SUP-1002]")
    assert desk.json("show", "SUP-1002")["links"] == ["SUP-1001"]
    assert desk.status("SUP-1001") == "closed"
    assert "SUP-1001" in desk.wait_to("kim@desk.example", 3)[-1].text


def test_a_resolved_ticket_closes_after_its_time(make_desk: Callable[..., DeskProcess]):
    """#resolve sends the agent's words and says when it closes; silence closes it once, an answer reopens it, a thank-you does not."""
    desk = make_desk(queue=SHORT).start()
    for person in (ANA, BEN):
        _answered(desk, person, "#resolve\nA new cable is on its way.")
    resolved = desk.to("ben@customer.example")[1]
    assert resolved.text.startswith("A new cable is on its way.")
    assert desk.status("SUP-1002") == "resolved"
    desk.answers(resolved, BEN, "It does not work.")
    desk.wait_status("SUP-1002", "open")
    desk.answers(desk.to("ana@customer.example")[1], ANA, "Thank you!")
    desk.wait_status("SUP-1001", "closed")
    closed = desk.wait_to("ana@customer.example", 3)[2]
    assert closed["Auto-Submitted"] == "auto-generated"
    desk.at_rest(6)
    assert desk.status("SUP-1002") == "open"
    assert (len(desk.to("ana@customer.example")), len(desk.to("ben@customer.example"))) == (3, 2)


def test_downtime_never_closes_without_a_reminder(make_desk: Callable[..., DeskProcess]):
    """After a stop over all the steps, an answer that waits in the mailbox is read first; of the rest one step is done, not all."""
    desk = make_desk(queue='reminders = ["1s", "2s"]\nclose_after = "3s"').start()
    desk.writes(ANA, "Something is broken.")
    desk.writes(BEN, "Something is broken.")
    notices = desk.wait_to("kim@desk.example", 2)
    for notice in notices:
        desk.deliver(desk.mail(KIM, "Which one?", in_reply_to=notice))
    answered = desk.wait_to("ben@customer.example", 2)[1]
    desk.wait_to("ana@customer.example", 2)
    desk.stop()
    before = len(desk.to("ben@customer.example"))
    desk.answers(answered, BEN, "The big one.")
    end = datetime.now(UTC) + timedelta(seconds=3)
    desk.wait(lambda: datetime.now(UTC) > end, "all steps to be overdue")
    desk.start()
    desk.wait_status("SUP-1001", "closed", 20)
    desk.wait_to("ana@customer.example", 5)
    assert _kinds_to(desk, "ana@customer.example")[2:] == ["reminder 1", "reminder 2", "closed"]
    assert len(desk.to("ben@customer.example")) == before, "the waiting answer was read first"
    entries = desk.json("show", "SUP-1001")["entries"]
    times = [
        datetime.fromisoformat(e["at"]) for e in entries if e["kind"] == "reminder" or "closed" in e["reason"]
    ]
    distances = [after - before for before, after in pairwise(times)]
    assert all(distance >= timedelta(seconds=0.9) for distance in distances), distances
