"""What is claimed for sending, and who hears of a mail whose fate nobody knows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mailtickets.condition import Alive, Kept, whats_wrong
from mailtickets.delivery import Ladder, attempt_of
from mailtickets.desk.pausing import Cause, volume_pause
from mailtickets.store.outbox import State
from mailtickets.transport.fate import Deferred, Rejected, Sent, Uncertain
from tests.store.test_outbox import MAIL
from tests.support.desk import Desk

ANA, KIM = "Ana <ana@customer.example>", "Kim Archer <kim@desk.example>"
HOUR = timedelta(hours=1)
CONNECTIONS = 4
FULL = 32


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.close()


# What is claimed


def queue(desk: Desk, count: int, **changes: Any) -> None:
    """Queue so many mails."""
    with desk.store.transaction():
        for number in range(count):
            key = f"{changes}-{number}"
            mail = replace(MAIL, occasion=key, message_id=f"<{key}@desk.example>", **changes)
            desk.store.outbox.queue(mail, None, desk.now)


def claim(desk: Desk, **idle: int) -> Counter[str]:
    """Claim for connections that are idle, by account; `ours` is the first one. Return how many, by account."""
    accounts = {"" if name == "ours" else name: count for name, count in idle.items()}
    return Counter(mail.account for mail in desk.line.claim_due(FULL, "test", accounts))


@pytest.mark.parametrize(
    ("waiting", "idle", "claimed"),
    [(1, 4, 1), (4, 4, 4), (5, 4, 4), (99, 4, 4), (99, 1, 1), (99, 0, 0), (100, 0, 0), (104, 4, 4), (110, 4, 10), (110, 0, 10),
     (132, 4, FULL), (500, 4, FULL)],
)  # fmt: skip
def test_while_few_wait_no_more_is_claimed_than_connections_take(desk, waiting, idle, claimed):
    """And in a burst only of what waits beyond a hundred, so that a hundred are left whenever more than that is in hand."""
    queue(desk, waiting)
    assert claim(desk, ours=idle)[""] == claimed


def test_each_account_has_its_own_connections(desk):
    """One whose connections are all busy keeps nothing from another; what no account sends any more is claimed, too."""
    queue(desk, 20)
    queue(desk, 20, account="other")
    queue(desk, 2, account="gone")
    assert claim(desk, ours=0, other=3) == {"other": 3, "gone": 2}
    assert claim(desk, ours=2, other=1) == {"": 2, "other": 1}


def test_what_is_held_back_makes_no_burst(desk):
    """Hundreds wait for the end of a pause: of the others few wait."""
    queue(desk, 300)
    queue(desk, 10, human=True)
    with desk.store.transaction():
        desk.store.set_setting(f"pause_{Cause.VOLUME}", volume_pause(300, desk.now).text())
    assert claim(desk, ours=CONNECTIONS)[""] == CONNECTIONS


def test_results_and_the_next_claim_are_one_commit(desk):
    """What waits longest in sending is the commit."""
    queue(desk, 10)
    first = desk.line.claim_due(FULL, "test", {"": CONNECTIONS})
    statements: list[str] = []
    desk.store._connection.set_trace_callback(statements.append)
    attempts = [(mail, attempt_of(mail, Sent(), Ladder(), desk.now, 0.0)) for mail in first]
    assert len(desk.line.turn(attempts, FULL, "test", {"": CONNECTIONS})) == CONNECTIONS
    desk.store._connection.set_trace_callback(None)
    assert statements.count("COMMIT") == 1
    states = Counter(mail.state for mail in desk.store.views.outbox(everything=True))
    assert states == {"sent": 4, "sending": 4, "queued": 2}


# Who hears of it


def told(desk: Desk, address: str, kind: str) -> list[str]:
    """Return the texts of a kind that an address got."""
    return [mail.text for mail in desk.sent_to(address) if mail.kind == kind]


def wrong(desk: Desk) -> list[str]:
    """Return what `status` says."""
    kept = Kept(alarms=desk.store.alarms.open(), stranded=desk.store.views.stranded())
    return [one.what for one in whats_wrong(Alive(running=True), kept, desk.now)]


def test_the_admins_hear_at_once_of_automatic_mail_in_doubt(desk):
    """While the desk runs as after its end; once an hour; `status` says it as soon, until somebody has looked."""
    desk.fate = lambda mail: Uncertain("cut") if mail.kind == "acknowledgement" else Sent()
    desk.writes(ANA, "My printer is on fire.")
    desk.run()
    (text,) = told(desk, "it@desk.example", "trouble")
    assert "Nobody knows whether an automatic mail was sent" in text
    assert "cut" in text
    assert "mailtickets outbox retry" in text
    assert wrong(desk) == ["1 mail was perhaps sent and perhaps not"]

    desk.writes("ben@other.example", "My scanner is wet.")
    desk.run()
    assert len(told(desk, "it@desk.example", "trouble")) == 1
    assert wrong(desk) == ["2 mails were perhaps sent and perhaps not"]

    desk.now += HOUR
    desk.writes("eve@third.example", "My phone is mute.")
    desk.run()
    assert "Nobody knows whether 3 automatic mails were sent" in told(desk, "it@desk.example", "trouble")[1]

    with desk.store.transaction():
        assert [desk.store.outbox.cancel(one.number) for one in desk.store.views.stranded()] == [True] * 3
    assert wrong(desk) == []
    desk.now += HOUR
    desk.writes("zoe@fourth.example", "My desk is old.")
    desk.run()
    assert "an automatic mail was sent" in told(desk, "it@desk.example", "trouble")[2]
    assert desk.store.alarms.get("uncertain mail").since == desk.now, "it began anew"


def answered(desk: Desk) -> None:
    """Kim answers Ana, whose mail server has taken all before."""
    desk.writes(ANA, "My printer is on fire.")
    desk.answers(desk.last("kim@desk.example"), KIM, "Please try water.")


def tries(desk: Desk, fate: Any, times: int) -> None:
    """Let an answer have this fate so often."""
    desk.fate = lambda mail: fate if mail.kind == "answer" else Sent()
    for _ in range(times):
        desk.passes(timedelta(hours=3))


def answer(desk: Desk):
    return next(mail for mail in desk.store.views.outbox(everything=True) if mail.kind == "answer")


def test_an_answer_in_doubt_three_times_is_sent_no_more_and_its_agent_is_told_once(desk):
    """With the text, and not as undeliverable; the ticket says so; an admin's retry goes out, in doubt again tells nobody again."""
    desk.fate = lambda mail: Uncertain("cut") if mail.kind == "answer" else Sent()
    answered(desk)
    assert answer(desk).state == State.DEFERRED
    tries(desk, Uncertain("cut"), 6)
    assert (answer(desk).state, answer(desk).attempts) == (State.UNCERTAIN, 3)
    (text,) = told(desk, "kim@desk.example", "not_sent")
    words = " ".join(text.split())
    assert "may have arrived, perhaps several times" in words
    assert "We do not send it again by ourselves" in words
    assert f"mailtickets outbox retry {answer(desk).id}" in words
    assert "Please try water." in words
    assert "could not be delivered" not in words
    assert desk.last("kim@desk.example", "not_sent")["Subject"].startswith("[SUP-1001] Perhaps sent:")
    assert desk.ticket().status.value == "waiting", "what became of it is seen when silence has lasted"
    assert wrong(desk) == ["1 mail was perhaps sent and perhaps not"]
    assert told(desk, "it@desk.example", "trouble") == []

    with desk.store.transaction():
        assert desk.store.outbox.retry(answer(desk).id, desk.now)
    tries(desk, Uncertain("cut"), 2)
    assert (answer(desk).state, answer(desk).attempts) == (State.UNCERTAIN, 4)
    assert len(told(desk, "kim@desk.example", "not_sent")) == 1
    with desk.store.transaction():
        assert desk.store.outbox.retry(answer(desk).id, desk.now)
    tries(desk, Sent(), 1)
    assert answer(desk).state == State.SENT
    assert wrong(desk) == []


@pytest.mark.parametrize("last", [Rejected(554, "seen before"), Deferred("busy")])
def test_no_answer_is_called_undeliverable_after_a_try_in_doubt(desk, last):
    """It may have arrived, whatever the last try said."""
    desk.fate = lambda mail: Uncertain("cut") if mail.kind == "answer" else Sent()
    answered(desk)
    tries(desk, last, 45)
    assert answer(desk).state == State.UNCERTAIN
    (text,) = told(desk, "kim@desk.example", "not_sent")
    assert "may have arrived" in text
    assert "could not be delivered" not in text
    assert last.reason in text


def test_an_answer_without_such_a_try_is_undeliverable_as_ever(desk):
    """It surely did not arrive: the ticket is the agent's move again."""
    desk.fate = lambda mail: Rejected(554, "spam") if mail.kind == "answer" else Sent()
    answered(desk)
    assert answer(desk).state == State.FAILED
    assert "could not be delivered" in told(desk, "kim@desk.example", "not_sent")[0]
    assert desk.ticket().status.value == "open"


def test_ends_in_the_middle_of_an_answer_count_as_tries_in_doubt(desk):
    """The third of them is told to the agent by the start that finds it."""
    desk.writes(ANA, "My printer is on fire.")
    notice = desk.last("kim@desk.example")
    words = desk.mail(KIM, "Please try water.", to=notice["Reply-To"], subject="Re: it", in_reply_to=notice)
    desk.receives(words, settle=False)
    while desk.line.settle():
        pass
    for doubts in range(3):
        assert [mail.doubts for mail in desk.line.claim_due(FULL, "test") if mail.kind == "answer"] == [
            doubts
        ]
        desk.restart()
    assert answer(desk).state == State.UNCERTAIN
    desk.run()
    assert "may have arrived" in told(desk, "kim@desk.example", "not_sent")[0]
    assert "Please try water." in told(desk, "kim@desk.example", "not_sent")[0]


def test_an_answer_in_doubt_whose_agent_is_gone_is_told_to_the_others(desk):
    """Nobody's words are forgotten with the agent."""
    desk.fate = lambda mail: Uncertain("cut") if mail.kind == "answer" else Sent()
    answered(desk)
    agents = {key: agent for key, agent in desk.policy.agents.items() if key != "kim"}
    queues = {
        name: replace(one, agents=tuple(a for a in one.agents if a != "kim"))
        for name, one in desk.policy.queues.items()
    }
    desk.use(replace(desk.policy, agents=agents, queues=queues))
    tries(desk, Uncertain("cut"), 6)
    assert told(desk, "kim@desk.example", "not_sent") == []
    news = told(desk, "lee@desk.example", "agent_event")[-1]
    assert "Nobody knows whether our mail to ana@customer.example arrived." in " ".join(news.split())
    assert "Please try water." in news
