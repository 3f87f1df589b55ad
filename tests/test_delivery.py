"""What one attempt to send means for a mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailtickets.delivery import Ladder, attempt_of, deferred_by_outage
from mailtickets.store.outbox import Mail, State
from mailtickets.transport.fate import Deferred, Phase, Refusal, Rejected, Sent, Uncertain

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOON_OF_OLD = NOW - timedelta(days=400)
MINUTE = timedelta(minutes=1)
GONE, BUSY = Refusal(550, "no such user", permanent=True), Refusal(450, "mailbox busy", permanent=False)


def mail(*, human=False, attempts=1, queued_at=NOW, recipients=("ana@customer.example",)):
    return Mail(1, 1001, 3, "answer", "customer", human, "kim", "", "s@d.example", False, recipients, "<a@b>", b"", b"", "",
                b"", 1, attempts, queued_at, 1, "x")  # fmt: skip


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
