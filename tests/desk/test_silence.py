"""Reminders, closing, and what must never happen: twice, early, after the fact, or on a mail that did not arrive."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtickets.desk import silence
from mailtickets.desk.agreement import hours
from mailtickets.desk.ticket import TimerKind
from mailtickets.transport.fate import Deferred, Refusal, Rejected, Sent, Uncertain
from tests.support.desk import POLICY, SUPPORT

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def to_ana(desk):
    """What Ana got after the acknowledgement and the first answer."""
    return desk.kinds("ana@customer.example")[2:]


def answered(desk, text="Have you tried water?\n"):
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", text)


def reloaded(desk, **changes):
    queue = replace(SUPPORT, **changes)
    desk.use(replace(POLICY, queues={"support": queue}))
    return queue


def test_two_reminders_and_the_closing_come_once_each(desk):
    """24 h, 72 h, 96 h: each step once, at its time, and the last reminder says when it closes."""
    answered(desk)
    start = desk.now
    desk.lives(timedelta(days=10))
    assert to_ana(desk) == ["reminder", "reminder", "closed"]
    at = [entry.at - start for entry in desk.entries() if entry.kind == "reminder"]
    assert at == [24 * HOUR, 72 * HOUR]
    assert desk.ticket().status == "closed"
    assert desk.ticket().closed_at - start == 96 * HOUR
    assert "6 Mar" in desk.sent_to("ana@customer.example")[3].text


@pytest.mark.parametrize("after", [1 * HOUR, 30 * HOUR, 80 * HOUR])
def test_a_reply_ends_the_silence(desk, after):
    """Whenever the customer answers, no further reminder goes out and nothing is closed."""
    answered(desk)
    desk.lives(after)
    before = len(to_ana(desk))
    desk.answers(desk.last("ana@customer.example"), "ana@customer.example", "No water here.\n")
    desk.lives(10 * DAY)
    assert len(to_ana(desk)) == before
    assert desk.ticket().status == "open"


def test_a_new_answer_starts_a_new_silence(desk):
    """Each answer of an agent begins the count anew."""
    answered(desk)
    desk.lives(30 * HOUR)
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Another idea: sand.\n")
    desk.lives(23 * HOUR)
    assert to_ana(desk) == ["reminder", "answer"]
    desk.lives(2 * HOUR)
    assert to_ana(desk) == ["reminder", "answer", "reminder"]


def test_after_long_downtime_one_step_and_then_the_full_distances(desk):
    """A month away: one reminder, the second 48 h later, the closing 24 h after that."""
    answered(desk)
    desk.passes(30 * DAY)
    assert to_ana(desk) == ["reminder"]
    desk.lives(47 * HOUR)
    assert to_ana(desk) == ["reminder"]
    desk.lives(2 * HOUR)
    assert to_ana(desk) == ["reminder", "reminder"]
    desk.lives(22 * HOUR)
    assert desk.ticket().status == "waiting"
    desk.lives(3 * HOUR)
    assert to_ana(desk) == ["reminder", "reminder", "closed"]


def test_a_reply_that_came_during_downtime_wins(desk):
    """Mail is read before timers fire."""
    answered(desk)
    desk.now += 30 * DAY
    desk.answers(desk.last("ana@customer.example"), "ana@customer.example", "Sand helped, but it smokes.\n")
    assert to_ana(desk) == []
    assert desk.ticket().status == "open"


def test_downtime_after_the_last_reminder_was_sent_closes_once(desk):
    """The last reminder was sent, and more than the full time has passed: it closes."""
    answered(desk)
    desk.lives(73 * HOUR)
    desk.restart()
    desk.passes(10 * DAY)
    assert to_ana(desk) == ["reminder", "reminder", "closed"]


def test_an_uncertain_last_reminder_counts_as_not_sent(desk):
    """A fresh one goes out after the full period, and another full period passes before closing."""
    answered(desk)
    desk.lives(25 * HOUR)
    desk.fate = lambda mail: Uncertain("the line broke") if mail.kind == "reminder" else Sent()
    desk.lives(48 * HOUR)
    desk.fate = lambda _mail: Sent()
    desk.lives(22 * HOUR)
    assert to_ana(desk) == ["reminder"]
    desk.lives(2 * HOUR)
    assert to_ana(desk) == ["reminder", "reminder"]
    desk.lives(22 * HOUR)
    assert desk.ticket().status == "waiting"
    desk.lives(3 * HOUR)
    assert to_ana(desk) == ["reminder", "reminder", "closed"]


def test_uncertain_for_ever_never_closes(desk):
    """Without one reminder known to be sent nothing is closed by silence."""
    answered(desk)
    desk.fate = lambda mail: Uncertain("the line broke") if mail.kind == "reminder" else Sent()
    desk.lives(30 * DAY, HOUR)
    assert desk.ticket().status == "waiting"
    assert "closed" not in to_ana(desk)


def test_reminders_do_not_pile_up_while_the_mail_server_is_away(desk):
    """Four days without SMTP: one reminder waits, and afterwards the full distances count from its sending."""
    answered(desk)
    desk.fate = lambda _mail: Deferred("no connection", account_trouble=True)
    desk.lives(4 * DAY, HOUR)
    assert [mail.kind for mail in desk.store.views.outbox()] == ["reminder"]
    desk.fate = lambda _mail: Sent()
    desk.lives(3 * HOUR)
    assert to_ana(desk) == ["reminder"]
    desk.lives(44 * HOUR)
    assert to_ana(desk) == ["reminder"]
    desk.lives(5 * HOUR)
    assert to_ana(desk) == ["reminder", "reminder"]
    assert desk.ticket().status == "waiting"


def test_an_answer_that_went_out_late_gives_its_reader_the_whole_time(desk):
    """The first reminder follows the sending of the answer, not its writing."""
    desk.writes("ana@customer.example", "It burns.")
    desk.fate = lambda _mail: Deferred("no connection", account_trouble=True)
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Have you tried water?\n")
    desk.lives(40 * HOUR, HOUR)
    desk.fate = lambda _mail: Sent()
    desk.lives(20 * HOUR)
    assert to_ana(desk) == []
    assert desk.kinds("ana@customer.example")[1:] == ["answer"]
    desk.lives(5 * HOUR)
    assert to_ana(desk) == ["reminder"]


@pytest.mark.parametrize(("wait", "first"), [("5d", 5 * DAY), ("1h", HOUR)])
def test_wait_shifts_the_first_reminder_and_keeps_the_distances(desk, wait, first):
    """#wait 5d: the first reminder in five days, the second 48 h later."""
    answered(desk, f"#wait {wait}\nTell me when you are back.\n")
    start = desk.now
    desk.lives(8 * DAY)
    at = [entry.at - start for entry in desk.entries() if entry.kind == "reminder"]
    assert at == [first, first + 2 * DAY]


def test_a_queue_that_confirms_closing_never_closes_by_time(desk):
    """It reminds, then tells the agent; the ticket stays as it is."""
    reloaded(desk, confirm_close=True)
    answered(desk)
    desk.lives(20 * DAY, HOUR)
    assert to_ana(desk) == ["reminder", "reminder"]
    assert desk.ticket().status == "waiting"
    assert desk.kinds("kim@desk.example")[-1] == "agent_event"
    assert "closes" not in desk.sent_to("ana@customer.example")[-1].text


def test_a_resolved_ticket_closes_after_its_time_with_one_mail(desk):
    """72 h after the resolving mail was sent."""
    answered(desk, "#resolve\nIt should be out now.\n")
    start = desk.now
    desk.lives(10 * DAY)
    assert desk.kinds("ana@customer.example")[1:] == ["resolved", "closed"]
    assert desk.ticket().closed_at - start == 72 * HOUR


def test_a_resolving_mail_that_was_lost_is_never_closed_by_silence(desk):
    """Nobody could object: the agents are told instead."""
    desk.fate = lambda mail: Rejected(550, "no") if mail.kind == "resolved" else Sent()
    answered(desk, "#resolve\nIt should be out now.\n")
    desk.lives(10 * DAY, HOUR)
    assert desk.ticket().status == "open"
    assert "closed" not in desk.kinds("ana@customer.example")
    assert desk.kinds("kim@desk.example")[-1] == "not_sent"


def test_a_mail_that_one_of_two_got_is_no_lost_mail(desk):
    """Ben's server puts him off for five days and then for good; Ana has the answer, and is reminded of it."""
    desk.writes("ana@customer.example", "It burns.", cc="ben@customer.example")
    desk.writes("ben@customer.example", "For me, too.", subject="Re: [SUP-1001] Printer on fire")
    full = {"ben@customer.example": Refusal(450, "full", permanent=False)}
    desk.fate = lambda mail: (
        Sent(full) if len(mail.recipients) > 1
        else Deferred("full") if mail.recipients == ("ben@customer.example",) else Sent()
    )  # fmt: skip
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Have you tried water?\n")
    states = [
        (mail.kind, mail.state) for mail in desk.store.views.outbox(ticket=1001) if mail.kind == "answer"
    ]
    assert states == [("answer", "sent"), ("answer", "deferred")]
    desk.lives(6 * DAY, HOUR)
    states = [
        (mail.kind, mail.state) for mail in desk.store.views.outbox(ticket=1001) if mail.kind == "answer"
    ]
    assert states == [("answer", "sent"), ("answer", "failed")]
    assert "reminder" in to_ana(desk)


def test_a_reminder_that_is_refused_opens_the_ticket(desk):
    """The address does not take mail any more: agents look at it, nothing is closed."""
    answered(desk)
    desk.fate = lambda mail: Rejected(550, "no such user") if mail.kind == "reminder" else Sent()
    desk.lives(10 * DAY, HOUR)
    assert desk.ticket().status == "open"
    assert "closed" not in to_ana(desk)
    assert desk.kinds("kim@desk.example")[-1] == "agent_event"


def test_a_machine_is_not_reminded(desk):
    """An agent answered a monitoring mail: its silence is no reason for automatic mail."""
    desk.writes("nagios@customer.example", "Disk full.", Auto_Submitted="auto-generated")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Emptied it.\n")
    desk.lives(10 * DAY, HOUR)
    assert desk.kinds("nagios@customer.example") == ["answer"]
    assert desk.ticket().status == "open"


def test_no_timer_is_left_on_a_closed_ticket(desk):
    """What is finished waits for nothing."""
    answered(desk)
    desk.lives(10 * DAY)
    assert desk.store.views.timers(1001) == []


def test_a_restart_fires_nothing_twice(desk):
    """Stopped and started before each hour: the same mails as ever."""
    answered(desk)
    for _ in range(110):
        desk.restart()
        desk.passes(HOUR)
    assert to_ana(desk) == ["reminder", "reminder", "closed"]


def test_changed_rules_make_nothing_due_in_the_past(desk):
    """A reload with shorter times fires at the old time or now, never as if it had been earlier."""
    answered(desk)
    desk.lives(20 * HOUR)
    queue = reloaded(desk, reminders=(hours(1), hours(2)), close_after=hours(3))
    ticket = desk.store.tickets.get(1001)
    ((_, timer),) = desk.store.tickets.timers_of_kinds([TimerKind.SILENCE])
    due = silence.recomputed_due(ticket, silence.rhythm_of(ticket, queue, POLICY), timer.due, desk.now)
    assert due == timer.due


def test_longer_times_move_a_timer(desk):
    """A timer set under shorter rules looks again when it fires, and waits."""
    answered(desk)
    queue = reloaded(desk, reminders=(hours(48), hours(72)))
    ticket = desk.store.tickets.get(1001)
    ((_, timer),) = desk.store.tickets.timers_of_kinds([TimerKind.SILENCE])
    assert (
        silence.recomputed_due(ticket, silence.rhythm_of(ticket, queue, POLICY), timer.due, desk.now)
        == timer.due + DAY
    )
    desk.lives(47 * HOUR)
    assert to_ana(desk) == []
    desk.lives(2 * HOUR)
    assert to_ana(desk) == ["reminder"]


def test_working_days_leave_out_weekends():
    """Three working days after a Friday are the Wednesday, at the same time of day."""
    from datetime import UTC, datetime

    friday = datetime(2026, 3, 6, 17, 0, tzinfo=UTC)
    assert silence.working_days_after(friday, 3) == datetime(2026, 3, 11, 17, 0, tzinfo=UTC)
