"""The four verbs: poison mails, ends of the process in the middle, and that nothing is lost or done twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailtickets.delivery import Ladder, attempt_of
from mailtickets.desk.pausing import Look
from mailtickets.desk.ticket import Alarm, Outcome
from mailtickets.reading import Reading
from mailtickets.transport.fate import Deferred, Sent, Uncertain
from tests.support.desk import Desk

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.close()


def three(desk):
    """Three mails in one batch, the second marked POISON."""
    for name in ("ana", "eve", "bob"):
        text = "POISON" if name == "eve" else "It burns."
        desk.receives(desk.mail(f"{name}@{name}.example", text), settle=False)


def poison(desk, monkeypatch, what):
    """Make the reader, or the decision, fail on the mail marked POISON, as often as it is tried."""
    if what == "reading":
        read = Reading.read

        def bad_read(self, raw, *arguments, **more):
            if b"POISON" in raw:
                raise ValueError("cannot read")
            return read(self, raw, *arguments, **more)

        monkeypatch.setattr(Reading, "read", bad_read)
    decide = desk.line._settling.settle

    def bad_decide(copy, incoming, *more):
        if "POISON" in incoming.text:
            desk.store.set_setting("half", "written")
            raise ValueError("cannot decide")
        decide(copy, incoming, *more)

    monkeypatch.setattr(desk.line._settling, "settle", bad_decide)


@pytest.mark.parametrize("what", ["reading", "deciding"])
def test_a_poison_mail_is_quarantined_and_the_others_are_handled(desk, monkeypatch, what):
    """After three tries alone: whole, with the reason, the admins told; nothing half-written stays."""
    three(desk)
    poison(desk, monkeypatch, what)
    desk.run()
    assert [state for state, _, _ in desk.copies()] == ["on_ticket", "quarantined", "on_ticket"]
    assert desk.store.setting("half") == ""
    assert desk.kinds("it@desk.example") == ["trouble"]
    assert desk.kinds("ana@ana.example") == desk.kinds("bob@bob.example") == ["acknowledgement"]
    assert desk.store.ledger.abandoned() == []


def test_a_quarantined_mail_can_be_tried_again(desk, monkeypatch):
    """The fault was mended: released, it opens its ticket."""
    three(desk)
    poison(desk, monkeypatch, "deciding")
    desk.run()
    monkeypatch.undo()
    with desk.store.transaction():
        assert desk.store.ledger.wait_again(2)
    desk.run()
    assert desk.kinds("eve@eve.example") == ["acknowledgement"]
    assert desk.books().quarantined == 0


def test_an_end_in_the_middle_of_a_batch_loses_and_repeats_nothing(desk, monkeypatch):
    """The batch is taken mail by mail afterwards; each ends on one ticket with one acknowledgement."""
    three(desk)
    decide, calls = desk.line._settling.settle, []

    def killed(copy, incoming, *more):
        calls.append(copy.id)
        if len(calls) == 3:
            raise Killed
        decide(copy, incoming, *more)

    monkeypatch.setattr(desk.line._settling, "settle", killed)
    with pytest.raises(Killed):
        desk.run()
    assert desk.books().waiting == 3
    desk.restart()
    assert desk.line._alone == {1, 2, 3}
    desk.run()
    assert [state for state, _, _ in desk.copies()] == ["on_ticket"] * 3
    assert sorted(mail.recipients[0] for mail in desk.sent if mail.kind == "acknowledgement") == [
        "ana@ana.example", "bob@bob.example", "eve@eve.example",
    ]  # fmt: skip


def test_a_mail_that_ends_the_process_again_and_again_is_set_aside(desk, monkeypatch):
    """Only its own committed marks count: its neighbours are handled, it is quarantined after three ends."""
    three(desk)
    for _ in range(8):
        read = Reading.read

        def deadly(self, raw, *arguments, _read=read, **more):
            if b"POISON" in raw:
                raise Killed
            return _read(self, raw, *arguments, **more)

        def guarded(copy):  # the child cannot be reached by a patch
            raw = desk.line._reader.raw(copy)
            return desk.line.rules.reading.read(raw, copy.digest, copy.mailbox, copy.arrived)

        with monkeypatch.context() as patch:
            patch.setattr(Reading, "read", deadly)
            patch.setattr(desk.line._reader, "read_apart", guarded)
            try:
                desk.run()
            except Killed:
                desk.restart()
    assert [state for state, _, _ in desk.copies()] == ["on_ticket", "quarantined", "on_ticket"]
    assert desk.books().waiting == 0


def test_accepted_and_not_decided_is_decided_by_the_next_process(desk):
    """The raw bytes are in the store; nothing else is needed."""
    desk.receives(desk.mail("ana@customer.example", "It burns."), settle=False)
    desk.restart()
    desk.run()
    assert desk.kinds("ana@customer.example") == ["acknowledgement"]


def test_an_end_while_sending_repeats_people_and_not_machines(desk, monkeypatch):
    """The answer goes out again with the same bytes; the acknowledgement does not."""
    desk.writes("ana@customer.example", "It burns.")
    notice = desk.last("kim@desk.example")
    desk.receives(desk.mail("bob@customer.example", "Mine too."), settle=False)
    while desk.line.settle():
        pass
    claimed = desk.line.claim_due(16, "test")
    assert "acknowledgement" in [mail.kind for mail in claimed]
    desk.restart()
    desk.run()
    assert "acknowledgement" not in desk.kinds("bob@customer.example")
    desk.fate = lambda mail: Deferred("busy") if mail.kind == "answer" else Sent()
    desk.answers(notice, "kim@desk.example", "Water.\n")
    desk.now += HOUR
    (mail,) = [one for one in desk.line.claim_due(16, "test") if one.kind == "answer"]
    desk.restart()
    desk.fate = lambda _mail: Sent()
    desk.run()
    (sent,) = [one for one in desk.sent if one.kind == "answer"]
    assert sent.mail.digest == mail.digest


def test_an_uncertain_automatic_mail_is_written_down(desk):
    """The ticket says so; it is listed for a person to decide."""
    desk.fate = lambda mail: Uncertain("the line broke") if mail.kind == "acknowledgement" else Sent()
    desk.writes("ana@customer.example", "It burns.")
    assert desk.history()[-1] == "failed"
    assert [(mail.kind, mail.state) for mail in desk.store.views.outbox()] == [
        ("acknowledgement", "uncertain")
    ]


def test_booking_the_same_attempt_twice_tells_once(desk):
    """A late second answer of a pool changes nothing."""
    desk.receives(desk.mail("ana@customer.example", "It burns."), settle=False)
    while desk.line.settle():
        pass
    mails = desk.line.claim_due(16, "test")
    attempts = [(mail, attempt_of(mail, Uncertain("cut"), Ladder(), desk.now, 0.0)) for mail in mails]
    desk.line.book(attempts)
    entries = len(desk.entries())
    desk.line.book(attempts)
    assert len(desk.entries()) == entries


def test_a_timer_that_fails_holds_up_no_other(desk, monkeypatch):
    """It is tried again in an hour; the others fire."""
    for name in ("ana", "bob"):
        desk.writes(f"{name}@{name}.example", "It burns.")
        desk.answers(desk.last("kim@desk.example"), "kim@desk.example", f"Water, {name}?\n")
    fire = desk.line._timers._fire

    def bad(event, now, **more):
        if event.ticket == 1001:
            raise ValueError("no")
        return fire(event, now, **more)

    monkeypatch.setattr(desk.line._timers, "_fire", bad)
    desk.passes(25 * HOUR)
    assert desk.kinds("ana@ana.example")[-1] == "answer"
    assert desk.kinds("bob@bob.example")[-1] == "reminder"
    monkeypatch.undo()
    desk.passes(HOUR)
    assert desk.kinds("ana@ana.example")[-1] == "reminder"


def test_a_clock_that_is_set_since_the_last_look_fires_no_timer(desk):
    """What is due is judged by the same reading of the clock as its doubt is."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Water?\n")
    seen = Look(desk.now, 1000.0, 1000.0)
    desk.line.pauses.look(seen)
    desk.now += 400 * DAY
    assert desk.line.fire_due(replace(seen, wall=desk.now)) == 0
    desk.now -= 375 * DAY
    assert desk.line.fire_due(Look(desk.now, 1000.0 + 25 * 86400, 1000.0 + 25 * 86400)) == 1


def test_an_admin_who_cannot_be_written_to_costs_no_alarm(desk):
    """The alarm is raised and logged; whatever else was decided stays."""
    from tests.support.desk import POLICY

    desk.use(replace(POLICY, admins=("\u00e4dmin@desk.example", "it@desk.example")))
    desk.line.alarm_now(Alarm("disk", "The disk is full"))
    desk.run()
    assert desk.kinds("it@desk.example") == ["trouble"]
    desk.line.recovered_now("disk")
    desk.run()
    assert desk.kinds("it@desk.example") == ["trouble", "recovered"]


def test_a_large_mail_is_read_in_a_process_of_its_own_and_its_attachment_travels(desk):
    """Above 1 MB: the notice carries it, cut from the stored original."""
    from email.message import EmailMessage

    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        "ana@customer.example",
        "support@desk.example",
        "Photo",
    )
    message["Message-ID"] = "<photo@customer.example>"
    message.set_content("See the photo.")
    photo = bytes(range(256)) * 6000
    message.add_attachment(photo, maintype="image", subtype="jpeg", filename="fire.jpg")
    desk.receives(message.as_bytes())
    (part,) = desk.last("kim@desk.example").parsed.iter_attachments()
    assert part.get_filename() == "fire.jpg"
    assert part.get_content() == photo


def test_every_verdict_is_a_place_in_the_books(desk):
    """Four places, and waiting is none of them at rest."""
    assert {one.value for one in Outcome} == {"on_ticket", "ignored", "held", "quarantined"}
    assert desk.books().waiting == 0


def test_a_full_disk_sets_no_mail_aside(desk):
    """Trouble with the store is no fault of the mail: it waits, and is decided when there is room again."""
    engine = desk.store._connection
    for number in range(6):
        desk.receives(desk.mail(f"u{number}@customer.example", "help " * 2000), settle=False)
    engine.execute(f"PRAGMA max_page_count = {engine.execute('PRAGMA page_count').fetchone()[0] + 1}")
    for _ in range(8):
        with pytest.raises(sqlite3.OperationalError, match="full"):
            desk.line.settle()
    assert (desk.books().waiting, desk.books().quarantined) == (6, 0)

    engine.execute("PRAGMA max_page_count = 1000000")
    desk.run()
    assert (desk.books().on_tickets, desk.books().waiting) == (6, 0)


def test_a_clean_end_in_a_backlog_blames_no_mail(desk):
    """Mails that wait at SIGTERM are taken as a batch again, not one by one under suspicion."""
    for number in range(3):
        desk.receives(desk.mail(f"u{number}@customer.example", "It burns."), settle=False)
    desk.line.end_cleanly()
    desk.restart()
    assert desk.line._alone == set()
