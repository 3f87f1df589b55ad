"""After a restore: what is held and what is not, which numbers come, and when all is as ever again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtickets.desk.agreement import ReportPlan
from mailtickets.desk.policy import Limits
from mailtickets.desk.ticket import Alarm
from mailtickets.reporting import make as make_report
from mailtickets.store.restoring import restore
from mailtickets.transport.fate import Deferred, Sent
from tests.support.desk import POLICY, START, Desk

ANA, BEN, ZOE, TOM = (f"{name} <{name.lower()}@customer.example>" for name in ("Ana", "Ben", "Zoe", "Tom"))
KIM = "Kim Archer <kim@desk.example>"


class RestoredDesk:
    """A desk whose store is backed up, goes on for a day, and is restored."""

    def __init__(self, folder, policy=POLICY):
        self.desk = Desk(folder, policy)
        self.backup = folder / "backup.db"

    def back_up(self):
        self.desk.store.backup(self.backup, self.desk.now)

    def restore(self, *, lost=False):
        """Go back to the backup; `lost`: the store of before is gone with its disk."""
        self.desk.close()
        path = self.desk.folder / "desk.db"
        if lost:
            path.unlink()
        done = restore(self.backup, path, self.desk.now, [])
        self.before = len(self.desk.sent)
        self.desk.open()
        return done

    def reads_mail(self):
        """Every mailbox was read."""
        self.desk.line.mailboxes_are_read()
        self.desk.run()

    def receives_of_before(self, *mails):
        """Mails that arrived an hour before the restore are read now."""
        now, self.desk.now = self.desk.now, self.desk.now - timedelta(hours=1)
        for raw in mails:
            self.desk.receives(raw, settle=False)
        self.desk.now = now

    def new(self, kind=""):
        """What was sent since the restore."""
        return [mail for mail in self.desk.sent[self.before :] if not kind or mail.kind == kind]

    def held(self):
        return [(m.kind, m.to[0]) for m in self.desk.store.views.outbox() if m.state == "uncertain"]


@pytest.fixture
def make(tmp_path):
    made = []

    def make_one(policy=POLICY):
        made.append(RestoredDesk(tmp_path, policy))
        return made[-1]

    yield make_one
    for one in made:
        one.desk.close()


def test_a_key_or_tag_of_a_lost_ticket_leads_to_a_new_one(make):
    """Also when somebody else has opened tickets meanwhile: never to theirs."""
    one = make()
    desk = one.desk
    one.back_up()
    desk.now += timedelta(hours=1)
    desk.writes(ANA, "My printer is on fire.")
    ack = desk.last("ana@customer.example")
    notice = desk.last("kim@desk.example")
    done = one.restore(lost=True)
    assert done.next_number > 2000
    one.reads_mail()
    desk.now += timedelta(hours=1)
    for number in range(5):
        desk.writes(TOM, f"My chair {number} is new.", subject=f"Chair {number}")
    desk.answers(ack, ANA, "It still burns.", quote=False)  # key, tag and our Message-ID of SUP-1001
    desk.writes(ANA, "And smokes.", subject="[SUP-1001] Printer on fire")
    desk.answers(notice, KIM, "Please try water.")
    found = {t.number: t.requester for t in desk.store.views.tickets(unfinished=False)}
    assert 1001 not in found
    assert min(found) == done.next_number
    toms = {number for number, who in found.items() if who == "tom@customer.example"}
    assert toms == set(range(done.next_number, done.next_number + 5))
    for number, who in found.items():
        words = " ".join(entry.text for entry in desk.entries(number))
        assert ("chair" in words) == (who == "tom@customer.example")
    assert all("water" not in mail.text for mail in desk.sent_to("tom@customer.example"))


def test_numbers_go_beyond_the_store_of_before(make):
    """Where it can be read its own numbers count; each restore passes over more where it cannot."""
    one = make()
    one.back_up()
    one.desk.store.tickets.pass_over(5000, 0)
    assert one.restore().next_number == 6001
    one.desk.close()
    path = one.desk.folder / "desk.db"
    for times in (2, 3):
        path.write_bytes(path.read_bytes()[:5000])
        done = restore(one.backup, path, one.desk.now + timedelta(seconds=times), [])
        assert done.unread
        assert done.next_number == 1001 + 1000 * times
    one.desk.open()


def test_what_was_queued_in_the_backup(make):
    """An automatic mail may have been sent since and is held; an agent's words go out, with the same bytes."""
    one = make()
    desk = one.desk
    desk.writes(ANA, "My printer is on fire.")
    desk.fate = lambda _mail: Deferred("away", account_trouble=True)
    desk.answers(desk.last("kim@desk.example"), KIM, "Please try water.")
    waiting = desk.store.views.outbox()
    assert {m.state for m in waiting} == {"deferred"}
    one.back_up()
    done = one.restore()
    assert done.held == sum(m.kind != "answer" for m in waiting) > 0
    desk.fate = lambda _mail: Sent()
    desk.now += timedelta(hours=1)
    one.reads_mail()
    assert [mail.kind for mail in one.new()] == ["restored", "answer"] or [mail.kind for mail in one.new()] == [
        "answer", "restored",
    ]  # fmt: skip
    assert {m.last_error for m in desk.store.views.outbox()} == {
        "queued before the backup was made; may have been sent since"
    }
    number = desk.store.views.outbox()[0].id
    with desk.store.transaction():
        assert desk.store.outbox.retry(number, desk.now)
    desk.run()
    assert len(one.new()) == 3


def test_limits_neither_delay_nor_count_what_is_held(make):
    """Acknowledgements past a limit would wait, and go out for the second time when the limit allows it."""
    one = make(replace(POLICY, limits=Limits(ack_per_domain_hour=2)))
    desk = one.desk
    one.back_up()
    mails = [desk.mail(f"c{n}@customer.example", f"Case {n}.", subject=f"Case {n}") for n in range(5)]
    arrived, desk.now = desk.now, desk.now + timedelta(minutes=1)
    one.restore(lost=True)
    desk.now = arrived
    for raw in mails:
        desk.receives(raw, settle=False)
    desk.now = arrived + timedelta(minutes=2)
    one.reads_mail()
    assert [kind for kind, _ in one.held()].count("acknowledgement") == 5
    assert [mail.kind for mail in one.new()] == ["restored"]
    desk.writes("d@customer.example", "A new one.")
    assert desk.last("d@customer.example").kind == "acknowledgement"
    desk.lives(timedelta(hours=13), timedelta(hours=1))
    assert all(not desk.sent_to(f"c{n}@customer.example") for n in range(5))


def test_alarms_go_out_also_while_it_catches_up(make):
    """Trouble of now is no trouble of then."""
    one = make()
    one.back_up()
    one.restore()
    one.desk.line.alarm_now(Alarm("disk", "The disk is nearly full"))
    one.desk.run()
    assert [mail.kind for mail in one.new()] == ["trouble"]


def test_it_ends_when_every_mailbox_was_read_and_is_told_once(make):
    """A mailbox that is away holds it open; a start in between changes nothing; afterwards an old date holds nothing."""
    one = make()
    desk = one.desk
    one.back_up()
    late = desk.mail(ANA, "My printer is on fire.")
    later = desk.mail(BEN, "My scanner is wet.", subject="Scanner")
    desk.now += timedelta(hours=1)
    one.restore()
    desk.run()
    assert one.new() == []
    desk.restart()
    desk.run()
    assert one.new() == []
    desk.now -= timedelta(hours=1)
    desk.receives(late, settle=False)
    desk.now += timedelta(hours=2)
    one.reads_mail()
    assert [mail.kind for mail in one.new()] == ["restored"]
    assert sorted(one.held()) == [
        ("acknowledgement", "ana@customer.example"), ("agent_new", "kim@desk.example"), ("agent_new", "lee@desk.example"),
    ]  # fmt: skip
    assert [e.reason for e in desk.entries(2001) if e.kind == "failed"] == [
        "acknowledgement: from before the restore; may have been sent then; it is not sent by itself"
    ]
    desk.restart()
    one.reads_mail()
    assert len(one.new()) == 1
    # Somebody finds a mail of then in the spam folder a week later.
    arrived, desk.now = START, desk.now + timedelta(days=7)
    now, desk.now = desk.now, arrived
    desk.receives(later, settle=False)
    desk.now = now
    desk.run()
    assert {mail.kind for mail in one.new()} == {"restored", "acknowledgement", "agent_new"}


def test_timers_of_the_lost_time_fire_and_tell_nobody(make):
    """The reminder is held and counts as not sent: a fresh one follows after its full period, and no closing before."""
    one = make()
    desk = one.desk
    desk.writes(ANA, "My printer is on fire.")
    desk.answers(desk.last("kim@desk.example"), KIM, "Which printer is it?")
    one.back_up()
    desk.now += timedelta(hours=30)  # the first reminder was due after 24
    one.restore(lost=True)
    one.reads_mail()
    assert one.held() == [("reminder", "ana@customer.example")]
    assert [mail.kind for mail in one.new()] == ["restored"]
    desk.lives(timedelta(hours=47), timedelta(hours=1))
    assert [mail.kind for mail in one.new()] == ["restored"]
    desk.lives(timedelta(hours=2), timedelta(hours=1))
    assert [mail.kind for mail in one.new()] == ["restored", "reminder"]
    desk.lives(timedelta(days=10), timedelta(hours=2))
    kinds = [mail.kind for mail in one.new() if "ana@customer.example" in mail.recipients]
    assert kinds == ["reminder", "closed"]


def test_a_mail_held_for_its_agent(make):
    """A yes that comes after the restore lets it through; one of the lost time does what it did, without sending again."""
    one = make()
    desk = one.desk
    for person in (ANA, BEN):
        desk.writes(person, f"{person} has a burning printer.", subject=f"Printer of {person[:3]}")
    desk.writes(KIM, "Please try water.", subject="[SUP-1001] Printer of Ana")
    first = desk.last("kim@desk.example", "held")
    desk.writes(KIM, "Please try sand.", subject="[SUP-1002] Printer of Ben")
    second = desk.last("kim@desk.example", "held")
    one.back_up()
    desk.now += timedelta(minutes=5)
    desk.answers(first, KIM, "yes", quote=False)
    assert desk.last("ana@customer.example").text.startswith("Please try water.")
    desk.now += timedelta(hours=1)
    one.restore()
    one.reads_mail()
    assert ("answer", "ana@customer.example") in one.held()
    desk.now += timedelta(minutes=5)
    desk.answers(second, KIM, "yes", quote=False)
    assert desk.last("ben@customer.example").text.startswith("Please try sand.")
    assert [m.text.startswith("Please try water.") for m in desk.sent_to("ana@customer.example")].count(
        True
    ) == 1


def test_what_the_admin_lets_in_after_a_restore_is_told(make):
    """A release is a word of now: its notices go out, though the mail is older than the restore."""
    one = make()
    desk = one.desk
    desk.writes("support@desk.example", "From the web form.", Reply_To=ANA)
    one.back_up()
    desk.now += timedelta(hours=1)
    one.restore()
    with desk.store.transaction():
        assert desk.store.ledger.release(1)
    one.reads_mail()
    assert {mail.recipients[0] for mail in one.new("agent_new")} == {"kim@desk.example", "lee@desk.example"}
    assert one.held() == []


def answer_to(desk, notice, text, agent=KIM):
    """Write an agent's answer that has not arrived yet."""
    quoted = "\n".join(f"> {line}" for line in notice.text.split("\n"))
    return desk.mail(
        agent, f"{text}\n\nAcme Support wrote:\n{quoted}", subject=f"Re: {notice['Subject']}", to=notice["Reply-To"],
        in_reply_to=notice,
    )  # fmt: skip


@pytest.fixture
def unread_answer(make):
    """Kim's answer to Ana arrived while no desk ran, before the restore; it is held now, and all is told."""
    one = make()
    desk = one.desk
    desk.writes(ANA, "My printer is on fire.")
    one.back_up()
    answer = answer_to(desk, desk.last("kim@desk.example"), "Please try water.")
    desk.now += timedelta(hours=2)
    one.restore()
    one.receives_of_before(answer)
    one.reads_mail()
    assert ("answer", "ana@customer.example") in one.held()
    return one


def test_a_held_answer_is_told_to_its_agent_and_nobody_is_reminded_of_it(unread_answer):
    """The agent gets its text once; no reminder, no closing; the ticket comes back to the agents, who hear why."""
    one = unread_answer
    desk = one.desk
    (told,) = one.new("kept_back")
    assert told.recipients == ("kim@desk.example",)
    (held,) = (mail for mail in desk.store.views.outbox() if mail.kind == "answer")
    for words in (
        "> Please try water.",
        f"{held.id}, to ana@customer.example",
        "[SUP-1001]",
        "may well have gone out",
    ):
        assert words in told.text, told.text
    (restored,) = one.new("restored")
    assert "- 1 answer of" in restored.text
    assert "Each agent has been told" in " ".join(restored.text.split())
    assert [one.human for one in desk.store.views.stranded()].count(True) == 1
    desk.restart()
    one.reads_mail()
    desk.lives(timedelta(days=10), timedelta(hours=1))
    assert [mail.kind for mail in one.new() if "ana@customer.example" in mail.recipients] == []
    assert desk.ticket().status == "open"
    events = [mail for mail in one.new("agent_event") if "kim@desk.example" in mail.recipients]
    assert len(events) == 1
    for words in (
        "nobody knows whether the last answer reached the customer",
        f"`mailtickets outbox retry {held.id}`",
    ):
        assert words in " ".join(events[0].text.split())
    assert len(one.new("kept_back")) == len(one.new("restored")) == 1


def test_a_held_answer_that_the_admin_sends_begins_its_silence_then(unread_answer):
    """It is the customer's turn from its sending on: the reminder keeps its full distance."""
    desk = unread_answer.desk
    desk.lives(timedelta(hours=20), timedelta(hours=1))
    (held,) = (mail for mail in desk.store.views.outbox() if mail.kind == "answer")
    with desk.store.transaction():
        assert desk.store.outbox.retry(held.id, desk.now)
    desk.lives(timedelta(hours=23), timedelta(hours=1))
    assert desk.kinds("ana@customer.example") == ["acknowledgement", "answer"]
    assert not [one for one in desk.store.views.stranded() if one.human]
    desk.lives(timedelta(hours=2), timedelta(hours=1))
    assert desk.kinds("ana@customer.example") == ["acknowledgement", "answer", "reminder"]


def test_a_held_resolution_is_not_closed_either(make):
    """What resolved the ticket may never have arrived: nobody could object. Also where agents close by hand."""
    support = replace(POLICY.queues["support"], confirm_close=True)
    one = make(replace(POLICY, queues={"support": support}))
    desk = one.desk
    desk.writes(ANA, "My printer is on fire.")
    one.back_up()
    answer = answer_to(desk, desk.last("kim@desk.example"), "#resolve\nIt should be out now.")
    desk.now += timedelta(hours=2)
    one.restore()
    one.receives_of_before(answer)
    one.reads_mail()
    assert ("resolved", "ana@customer.example") in one.held()
    assert "It should be out now." in one.new("kept_back")[0].text
    desk.lives(timedelta(days=10), timedelta(hours=1))
    assert desk.ticket().status == "open"
    assert [mail.kind for mail in one.new() if "ana@customer.example" in mail.recipients] == []


def test_what_would_have_come_back_to_an_agent_is_told_too(make):
    """A mail with a wrong command did nothing; the mail that says so is held, so it is named."""
    one = make()
    desk = one.desk
    desk.writes(ANA, "My printer is on fire.")
    one.back_up()
    answer = answer_to(desk, desk.last("kim@desk.example"), "#reslove\nDone.")
    desk.now += timedelta(hours=2)
    one.restore()
    one.receives_of_before(answer)
    one.reads_mail()
    assert one.held() == [("not_sent", "kim@desk.example")]
    (told,) = one.new("kept_back")
    assert f"- {desk.store.views.outbox()[0].id}: [SUP-1001] Not sent" in told.text


def test_a_question_about_a_mail_that_is_held_for_its_agent_goes_out(make):
    """Its code is new, so one that was asked then is none for it; it says so, and a yes of now is done."""
    one = make()
    desk = one.desk
    desk.writes(ANA, "My printer is on fire.")
    one.back_up()
    answer = desk.mail(KIM, "Please try water.", subject="[SUP-1001] Printer on fire")
    desk.now += timedelta(hours=2)
    one.restore()
    one.receives_of_before(answer)
    one.reads_mail()
    (question,) = one.new("held")
    assert question.recipients == ("kim@desk.example",)
    assert "if you answered this question before" in " ".join(question.text.split())
    assert desk.books().held == 1
    assert one.held() == []
    desk.now += timedelta(minutes=5)
    desk.answers(question, KIM, "yes", quote=False)
    assert desk.last("ana@customer.example").text.startswith("Please try water.")


def test_a_mailbox_that_cannot_be_read_is_named_after_a_while(make, monkeypatch, tmp_path):
    """Admins and agents hear of what is held after 15 minutes; what comes later of that time is held and told, too."""
    clock = tmp_path / "clock"
    clock.write_text("0 0")
    monkeypatch.setenv("MAILTICKETS_CLOCK", str(clock))
    one = make()
    desk = one.desk
    for person in (ANA, BEN):
        desk.writes(person, "My printer is on fire.")
    notices = [mail for mail in desk.sent_to("kim@desk.example") if mail.kind == "agent_new"]
    answers = [answer_to(desk, notice, f"Water, number {n}.") for n, notice in enumerate(notices)]
    one.back_up()
    desk.now += timedelta(hours=2)
    one.restore()
    desk.line.note_read("support (INBOX)", read=False)
    desk.line.note_read("sales (INBOX)", read=False)
    one.receives_of_before(answers[0])
    desk.line.note_read("support (INBOX)", read=True)
    desk.run()
    assert one.new() == []
    clock.write_text("0 899")
    desk.run()
    assert one.new() == []
    clock.write_text("0 901")
    desk.run()
    assert sorted(mail.kind for mail in one.new()) == ["kept_back", "restored"]
    early = " ".join(one.new("restored")[0].text.split())
    assert "This is not finished: sales (INBOX) cannot be read." in early
    assert "support (INBOX)" not in early
    assert "- 1 answer of" in early
    clock.write_text("0 1000")
    desk.run()
    assert len(one.new()) == 2
    one.receives_of_before(answers[1])
    desk.run()
    assert [kind for kind, _ in one.held()].count("answer") == 2
    clock.write_text("0 1100")
    desk.run()
    assert [mail.kind for mail in one.new()].count("kept_back") == 2
    assert "Water, number 1." in one.new("kept_back")[1].text
    assert "Water, number 0." not in one.new("kept_back")[1].text
    one.reads_mail()
    first, last = one.new("restored")
    assert "- 2 answers of" in last.text
    assert "not finished" not in last.text
    desk.restart()
    one.reads_mail()
    assert sorted(mail.kind for mail in one.new()) == ["kept_back", "kept_back", "restored", "restored"]
    assert first.recipients == last.recipients == ("it@desk.example",)


def test_a_report_that_was_due_before_the_restore_is_held(make):
    """It went out at its time; also where it is made only when all is read. The next one goes out as ever."""
    weekly = ReportPlan("weekly", "week", ("boss@acme.example",), at_minute=7 * 60)
    one = make(replace(POLICY, reports={"weekly": weekly}))
    desk = one.desk

    def reports():
        for due in desk.line.reports.due():
            desk.line.reports.queue(due, make_report(desk.folder / "desk.db", due, desk.policy, desk.now))
        desk.run()

    reports()
    one.back_up()
    desk.now += timedelta(days=8)  # Tuesday; it was due on Monday
    one.restore()
    one.reads_mail()
    reports()
    assert one.held() == [("report", "boss@acme.example")]
    assert one.new("report") == []
    desk.now += timedelta(days=7)
    reports()
    assert len(one.new("report")) == 1
