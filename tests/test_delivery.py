"""What one attempt to send means for a mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailtickets.delivery import MAX_DOUBTS, Ladder, attempt_of, deferred_by_outage, given_up
from mailtickets.store.outbox import Mail, State
from mailtickets.transport.fate import Deferred, Phase, Refusal, Rejected, Sent, Uncertain

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOON_OF_OLD = NOW - timedelta(days=400)
MINUTE = timedelta(minutes=1)
GONE, BUSY = Refusal(550, "no such user", permanent=True), Refusal(450, "mailbox busy", permanent=False)


def mail(*, human=False, attempts=1, queued_at=NOW, recipients=("ana@customer.example",), doubts=0):
    return Mail(1, 1001, 3, "answer", "customer", human, "kim", "", "s@d.example", False, recipients, "<a@b>", b"", b"", "",
                b"", 1, attempts, queued_at, 1, "x", doubts)  # fmt: skip


def attempt(fate, **more):
    return attempt_of(mail(**more), fate, Ladder(), NOW, 0.0)


@pytest.mark.parametrize(
    ("fate", "human", "state"),
    [
        (Sent(), False, State.SENT),
        (Sent(), True, State.SENT),
        (Deferred("busy"), False, State.DEFERRED),
        (Deferred("away", account_trouble=True), True, State.DEFERRED),
        (Rejected(550, "no"), False, State.FAILED),
        (Rejected(550, "no"), True, State.FAILED),
        (Uncertain("cut"), True, State.DEFERRED),
        (Uncertain("cut"), False, State.UNCERTAIN),
    ],
)
def test_fates(fate, human, state):
    """Human text at least once, automatic mail at most once."""
    assert attempt(fate, human=human).booking.state is state


def test_delays_follow_the_ladder_and_repeat_its_last():
    """5, 15, 30, 60, 120, 120 minutes, each a little longer by jitter."""
    ladder = Ladder()
    delays = [(ladder.next_at(n, NOW, NOW, 0.0) - NOW) // MINUTE for n in range(8)]
    assert delays == [5, 5, 15, 30, 60, 120, 120, 120]
    assert ladder.next_at(1, NOW, NOW, 1.0) - NOW == timedelta(seconds=330)


def test_it_is_given_up_after_five_days():
    """RFC 5321 section 4.5.4.1; every recipient is named, none is marked for good."""
    late = attempt(Deferred("busy"), queued_at=NOW - timedelta(days=5))
    assert late.booking.state is State.FAILED
    assert late.failed[0][0] == "ana@customer.example"
    assert "5 days" in late.failed[0][1]
    assert late.permanent == ()


@pytest.mark.parametrize(
    "fate", [Deferred("busy"), Deferred("away", account_trouble=True), Sent({"bob@customer.example": BUSY})]
)
def test_nothing_is_given_up_by_a_doubtful_clock(fate):
    """It is tried again, for as long as the doubt lasts."""
    late = mail(queued_at=NOON_OF_OLD, recipients=("ana@customer.example", "bob@customer.example"))
    assert attempt_of(late, fate, Ladder(), NOW, 0.0).failed
    held = attempt_of(late, fate, Ladder(), NOW, 0.0, in_doubt=True)
    assert held.failed == ()
    assert (held.again_at or held.booking.next_at) == NOW + 5 * MINUTE


def test_an_outage_uses_up_no_tries():
    """The mail is not at fault; and untried mails of the same claim keep their tries too."""
    assert not attempt(Deferred("away", account_trouble=True)).booking.counts
    assert attempt(Deferred("busy")).booking.counts
    (booking,) = deferred_by_outage([mail()], NOW + MINUTE, NOW)
    assert (booking.state, booking.next_at, booking.counts) == (State.DEFERRED, NOW + MINUTE, False)


def test_partly_refused_is_sent_and_names_who_did_not_get_it():
    """The others have it: it is never sent again to all."""
    both = attempt(
        Sent({"bob@customer.example": GONE}), recipients=("ana@customer.example", "bob@customer.example")
    )
    assert both.booking.state is State.SENT
    assert both.failed == (("bob@customer.example", "no such user"),)
    assert both.permanent == ("bob@customer.example",)
    assert attempt(Sent({"bob@customer.example": BUSY})).permanent == ()


def test_only_a_refused_address_is_marked_for_good():
    """A mail refused for its content says nothing about the address."""
    refused = {"ana@customer.example": GONE}
    assert attempt(Rejected(550, "no", refused, Phase.RCPT)).permanent == ("ana@customer.example",)
    assert attempt(Rejected(554, "spam", refused, Phase.DATA)).permanent == ()
    assert attempt(Rejected(554, "spam")).failed == (("ana@customer.example", "spam"),)


@pytest.mark.parametrize("said", ["550 5.1.1 no such user", "5.1.1 no such user"])
def test_the_code_stands_once_before_the_servers_words(said):
    """Whether the server's words begin with it or not."""
    assert attempt(Rejected(550, said)).booking.error == "550 5.1.1 no such user"


def test_human_text_in_doubt_is_sent_again_a_few_times_only():
    """Each such try may be a copy at the reader: after the third nobody sends it but an admin."""
    states = []
    for doubts in range(MAX_DOUBTS):
        tried = attempt(Uncertain("cut"), human=True, doubts=doubts)
        states.append(tried.booking.state)
        assert tried.booking.in_doubt
        assert bool(tried.failed) == tried.in_doubt == (doubts == MAX_DOUBTS - 1)
    assert states == [State.DEFERRED, State.DEFERRED, State.UNCERTAIN]
    assert "3 times: cut" in tried.failed[0][1]
    assert tried.permanent == ()
    again = attempt(Uncertain("cut"), human=True, doubts=MAX_DOUBTS)  # an admin's retry
    assert again.booking.state is State.UNCERTAIN


def test_automatic_mail_in_doubt_is_told_to_nobody_as_failed():
    """It is booked as uncertain at its first such try, and the admins hear of it."""
    tried = attempt(Uncertain("cut"))
    assert (tried.booking.state, tried.booking.in_doubt, tried.failed) == (State.UNCERTAIN, True, ())


OLD = NOW - timedelta(days=5)
TWO = ("ana@customer.example", "bob@customer.example")


@pytest.mark.parametrize(
    ("fate", "queued_at", "state"),
    [
        (Rejected(554, "seen before"), NOW, State.UNCERTAIN),
        (Rejected(550, "no", {TWO[0]: GONE, TWO[1]: GONE}, Phase.RCPT), NOW, State.UNCERTAIN),
        (Deferred("busy"), OLD, State.UNCERTAIN),
        (Deferred("away", account_trouble=True), OLD, State.UNCERTAIN),
        (Uncertain("cut"), OLD, State.UNCERTAIN),
        (Sent({TWO[1]: GONE}), NOW, State.SENT),
        (Sent({TWO[1]: BUSY}), OLD, State.SENT),
    ],
)
def test_what_is_given_up_after_a_try_in_doubt_may_have_arrived(fate, queued_at, state):
    """Whatever the last try said: nobody is told that it did not arrive. Without such a try, and for automatic mail, it failed."""
    tried = attempt(fate, human=True, doubts=1, queued_at=queued_at, recipients=TWO)
    assert tried.booking.state is state
    assert tried.failed
    assert tried.in_doubt
    for other in (
        attempt(fate, human=True, queued_at=queued_at, recipients=TWO),
        attempt(fate, doubts=1, queued_at=queued_at, recipients=TWO),
    ):
        doubtful = isinstance(fate, Uncertain) and bool(other.failed)
        assert other.in_doubt == doubtful
        assert (other.booking.state is State.UNCERTAIN) == isinstance(fate, Uncertain)


def test_a_try_that_is_deferred_after_one_in_doubt_goes_on():
    """The ladder is the same; nobody is told anything yet."""
    tried = attempt(Deferred("busy"), human=True, doubts=2)
    assert (tried.booking.state, tried.booking.in_doubt, tried.failed) == (State.DEFERRED, False, ())


@pytest.mark.parametrize(("doubts", "state"), [(0, State.FAILED), (1, State.UNCERTAIN)])
def test_faults_of_our_own_are_no_proof_either(doubts, state):
    """Damaged in the store, or without an account: that says nothing of the tries before."""
    tried = given_up(mail(human=True, doubts=doubts), "damaged", NOW)
    assert tried.booking.state is state
    assert tried.failed == (("ana@customer.example", "damaged"),)
    assert tried.in_doubt == bool(doubts)
