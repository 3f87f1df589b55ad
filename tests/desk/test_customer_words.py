"""The words that customers have: when they count, what they do, who hears of it, and what is never told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtickets.desk.customer_words import Word, said
from mailtickets.desk.policy import Limits
from tests.support.agreed import AGREED, HOUR
from tests.support.desk import Desk

ANA, BEN, KIM, LEE = "ana@customer.example", "ben@customer.example", "kim@desk.example", "lee@desk.example"
BOSS = "boss@home.example"
DAY = timedelta(days=1)
WORDS = ("CLOSE", "ESCALATE", "STATUS")


@pytest.fixture
def opened(tmp_path):
    """A desk with an agreement, and ticket 1001 of Ana's with Ben on it."""
    desk = Desk(tmp_path, AGREED)
    desk.writes(f"Ana Lima <{ANA}>", "It burns.", cc=BEN)
    yield desk
    desk.close()


def says(desk, text, from_=ANA, **more):
    """A customer answers the newest mail of the ticket."""
    desk.answers(desk.last(ANA), from_, text, **more)


def flat(mail):
    """A mail's text as one line, whatever broke it."""
    return " ".join(mail.text.split())


def answers(desk, text, agent=KIM):
    notice = next(m for m in reversed(desk.sent_to(agent)) if "Ref: " in m.text)
    desk.answers(notice, agent, text)


# --- which words count ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "word", "reason"),
    [
        ("ESCALATE", Word.ESCALATE, ""),
        ("Escalate.\n", Word.ESCALATE, ""),
        ("\n escalate!\n\nKind regards\nAna Lima\n", Word.ESCALATE, ""),
        ("Hello Kim,\n\nESCALATE\n\nAna", Word.ESCALATE, ""),
        (
            "ESCALATE\n\nThe whole site stands still.\n\nAna",
            Word.ESCALATE,
            "The whole site stands still.\n\nAna",
        ),
        ("STATUS", Word.STATUS, ""),
        ("status?", None, ""),
        ("Status\nof the printer on the third floor, please", None, ""),
        ("CLOSE\nthe door, it burns", None, ""),
        ("Please escalate", None, ""),
        ("I want you to\nESCALATE", None, ""),
        ("Hello,", None, ""),
        ("", None, ""),
    ],
)
def test_a_word_stands_alone_on_its_line(text, word, reason):
    """Nothing but a greeting before it and a signature behind it; below ESCALATE the reason may follow."""
    assert said(text) == (word, reason)


@pytest.mark.parametrize("word", WORDS)
def test_a_machine_has_no_words(opened, word):
    """An automatic reply that says a word is filed, and nothing else happens."""
    opened.machine(opened.last(ANA), ANA, word)
    assert opened.kinds(ANA) == ["acknowledgement"]
    assert opened.kinds(BOSS) == opened.kinds(LEE)[1:] == []
    assert opened.ticket().status == "open"


@pytest.mark.parametrize("word", WORDS)
def test_somebody_outside_has_no_words(opened, word):
    """A key that was passed on makes nobody a participant: agents read it, nobody is answered."""
    says(opened, word, from_="eve@elsewhere.example")
    assert opened.kinds("eve@elsewhere.example") == []
    assert opened.kinds(ANA) == ["acknowledgement"]
    assert "escalated" not in opened.history()
    assert opened.ticket().status == "open"


# --- ESCALATE ---------------------------------------------------------------------------------------


def test_escalate_tells_the_ladder_and_says_whom(opened):
    """Whoever asked gets names; the ladder gets what is needed to act; the others on the ticket get nothing."""
    says(opened, "ESCALATE")
    assert "Asked for by ana@customer.example" in flat(opened.last(LEE, "escalation"))
    told = opened.last(ANA)
    assert told.kind == "escalated"
    assert told["Subject"] == "Re: [SUP-1001] Printer on fire"
    assert 'we have told Lee Moss that your request "Printer on fire" (SUP-1001) cannot wait.' in flat(told)
    assert told["Auto-Submitted"] == "auto-generated"
    assert opened.sent_to(BEN) == []
    assert opened.kinds(LEE) == ["agent_new", "escalation"]
    assert opened.kinds(KIM) == ["agent_new", "agent_reply"]
    assert "ana@customer.example asked for escalation; told: Lee Moss" in flat(opened.last(KIM))
    assert [e.actor for e in opened.entries() if e.kind == "escalated"] == [ANA]


def test_nobodys_address_or_telephone_is_told_to_customers(opened):
    """Names only; who has no name is one of the people in charge."""
    answers(opened, "#escalate\n")
    says(opened, "ESCALATE")
    told = opened.last(ANA)
    assert "we have told Jo Boss that" in flat(told)
    whole = told.raw.decode() + told.text + told.html
    for private in (BOSS, "960000", "it@desk.example", LEE, KIM):
        assert private not in whole


def test_the_reason_is_read_by_those_who_are_told_and_by_the_agents(opened):
    """ESCALATE with a reason is an ordinary reply, too."""
    says(opened, "ESCALATE\n\nThe whole site stands still, and it is Friday.\n\nAna")
    for told in (
        opened.last(LEE, "escalation"),
        opened.last(KIM, "agent_reply"),
        opened.last(LEE, "agent_reply"),
    ):
        assert "The whole site stands still, and it is Friday." in flat(told)


def test_without_a_ladder_the_agents_are_the_people_in_charge(opened):
    """They are told, the customer is told so, and asking again at once is known."""
    opened.use(replace(AGREED, rungs=()))
    says(opened, "ESCALATE")
    assert "we have told the people in charge that" in flat(opened.last(ANA, "escalated"))
    assert "asked for escalation; told: nobody but the agents" in flat(opened.last(LEE, "agent_reply"))
    says(opened, "ESCALATE")
    assert "the people in charge heard of it on Mon 2 Mar 2026, 09:00 UTC" in flat(
        opened.last(ANA, "escalated")
    )


def test_asking_again_within_four_hours_is_known(opened):
    """One escalation by customers in four hours, whoever of them asks; the second is told who knows since when."""
    says(opened, "ESCALATE")
    opened.passes(3 * HOUR)
    says(opened, "ESCALATE", from_=BEN)
    assert opened.kinds(LEE).count("escalation") == 1
    assert opened.sent_to(BOSS) == []
    known = opened.last(BEN)
    assert known.kind == "escalated"
    assert "Lee Moss heard of it on Mon 2 Mar 2026, 09:00 UTC" in flat(known)
    assert "asked for escalation again" in flat(opened.last(KIM))
    opened.passes(HOUR + timedelta(minutes=1))
    says(opened, "ESCALATE")
    assert opened.kinds(BOSS)[-1:] == ["escalation"]


def test_escalate_reopens_what_is_resolved(opened):
    """It is a reply: a resolved ticket is open again, a waiting one too."""
    answers(opened, "#resolve\n")
    says(opened, "ESCALATE")
    assert opened.ticket().status == "open"
    assert opened.kinds(ANA)[-1] == "escalated"
    answers(opened, "Is it better now?\n")
    says(opened, "ESCALATE")
    assert opened.ticket().status == "open"


def test_escalate_reopens_nothing_that_was_closed_long_ago(opened):
    """It opens a linked ticket like any other mail; nobody of the ladder is told of the old one."""
    answers(opened, "#close\n")
    opened.passes(31 * DAY)
    says(opened, "ESCALATE")
    assert opened.ticket(1001).status == "closed"
    assert opened.ticket(1002).linked == 1001
    assert "escalation" not in opened.kinds(LEE)


def test_past_the_limits_escalate_still_works_without_an_answer(opened):
    """What is limited is the desk's own mail, never what reaches the people in charge."""
    opened.use(replace(AGREED, limits=Limits(ack_per_address_day=1)))
    says(opened, "ESCALATE")
    assert opened.kinds(LEE)[-1] == "escalation"
    assert opened.kinds(ANA) == ["acknowledgement"]


def test_a_forged_escalate_is_filed_and_does_nothing(tmp_path):
    """Against a trusted fail nobody is told, nothing is answered."""
    desk = Desk(tmp_path, AGREED, authserv_id="mx.desk.example")
    desk.writes(ANA, "It burns.")
    failed = "mx.desk.example; dmarc=fail header.from=customer.example"
    desk.answers(desk.last(ANA), ANA, "ESCALATE", Authentication_Results=failed)
    assert "escalated" not in desk.history()
    assert desk.kinds(ANA) == ["acknowledgement"]
    desk.close()


# --- STATUS -----------------------------------------------------------------------------------------


def test_status_is_answered_in_the_customers_words(opened):
    """State, priority, deadlines, the last word and its date; to the one who asked; nothing changes, no agent hears."""
    before = opened.ticket()
    opened.passes(HOUR)
    says(opened, "STATUS", from_=BEN)
    told = opened.last(BEN)
    assert told.kind == "status_answer"
    said_ = flat(told)
    for words in (
        "SUP-1001: Printer on fire - Being processed, priority Normal",
        "opened Mon 2 Mar 2026, 09:00 UTC",
        "you last wrote Mon 2 Mar 2026, 09:00 UTC",
        "you hear from us by Mon 2 Mar 2026, 13:00 UTC",
        "we mean to have it solved by Tue 3 Mar 2026, 16:30 UTC",
    ):
        assert words in said_
    assert told["Auto-Submitted"] == "auto-replied"
    assert opened.kinds(ANA) == ["acknowledgement"]
    assert opened.kinds(KIM) == ["agent_new"]
    after = opened.ticket()
    assert (after.status, after.updated_at, after.cycle) == (before.status, before.updated_at, before.cycle)


def test_status_tells_nothing_that_is_for_agents(opened):
    """No note, no side question, no label, no owner, no type."""
    answers(opened, "#note\nBetween us: she never reads.\n")
    answers(opened, "#tag difficult\n#take\n#type incident\n")
    answers(opened, "#ask carl@supplier.example\nWhen?\n")
    says(opened, "STATUS")
    told = opened.last(ANA)
    whole = told.raw.decode() + told.text + told.html
    for private in ("never reads", "difficult", "Kim", "carl", "incident", KIM):
        assert private not in whole


def test_status_while_the_desk_waits_changes_no_silence(opened):
    """The customer learns that the next word is theirs, and when it closes; the reminders go on."""
    answers(opened, "Where is it?\n")
    says(opened, "STATUS")
    told = flat(opened.last(ANA, "status_answer"))
    assert "Awaiting your reply" in told
    assert "we last wrote Mon 2 Mar 2026, 09:00 UTC" in told
    assert "without an answer from you we close it on Fri 6 Mar 2026, 09:00 UTC" in told
    opened.lives(25 * HOUR, HOUR)
    assert opened.kinds(ANA)[-1] == "reminder"


def test_status_makes_no_answer_of_an_agent_wait(opened):
    """The question to the desk is no text that an agent would have missed."""
    notice = opened.last(KIM)
    says(opened, "STATUS")
    opened.answers(notice, KIM, "Use water.\n")
    assert opened.kinds(ANA)[-1] == "answer"


def test_status_does_not_reopen(opened):
    """A closed ticket says so and stays closed, however old it is."""
    answers(opened, "#close\n")
    says(opened, "STATUS")
    assert "- Closed" in opened.last(ANA, "status_answer").text
    opened.passes(60 * DAY)
    says(opened, "STATUS")
    assert opened.ticket(1001).status == "closed"
    assert opened.ticket(1002) is None


def test_status_past_the_limits_is_a_reply_like_any_other(opened):
    """Nobody's question is lost: an agent reads it."""
    opened.use(replace(AGREED, limits=Limits(ack_per_address_day=2)))
    says(opened, "STATUS")
    says(opened, "STATUS")
    assert opened.kinds(ANA) == ["acknowledgement", "status_answer"]
    assert opened.kinds(KIM) == ["agent_new", "agent_reply"]


# --- STATUS in a mail of its own ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "text"),
    [("STATUS", ""), ("Status", "Ana Lima"), ("a question", "STATUS"), ("", "status\n\nAna")],
)
def test_status_alone_lists_the_writers_own_open_tickets(opened, subject, text):
    """To that address only; no ticket is opened; other people's and closed ones are not in it."""
    opened.writes(ANA, "It still burns.", subject="Second fire")
    opened.writes(BEN, "Salaries of all.", subject="Secret")
    opened.writes(ANA, text, subject=subject)
    told = opened.last(ANA)
    assert told.kind == "status_answer"
    assert told["Subject"] == "Your requests with Acme Support"
    assert "SUP-1001: Printer on fire" in told.text
    assert "SUP-1002: Second fire" in told.text
    assert "Secret" not in told.raw.decode() + told.text
    assert told["Reply-To"] == ""
    assert opened.ticket(1004) is None
    assert "answered with 2" in opened.copies()[-1][1]
    assert opened.books().unexplained == 0


def test_what_is_closed_is_not_listed(opened):
    """Somebody with nothing open is told so."""
    answers(opened, "#close\n")
    opened.writes(ANA, "STATUS", subject="STATUS")
    assert "none of the requests that you opened with us is still open" in flat(opened.last(ANA))


def test_a_stranger_without_proof_opens_a_ticket(opened):
    """Whoever is not known and not proven is answered like anybody: by an acknowledgement."""
    opened.writes("eve@elsewhere.example", "STATUS", subject="STATUS")
    assert opened.kinds("eve@elsewhere.example") == ["acknowledgement"]
    assert opened.ticket(1002) is not None


@pytest.mark.parametrize("subject", ["Status of order 4711", "[SUP-1001] STATUS of it"])
def test_a_real_question_about_a_status_opens_a_ticket(opened, subject):
    """Only the word alone is a word."""
    opened.writes(BEN, "How far are you?", subject=subject)
    assert "status_answer" not in opened.kinds(BEN)


def test_lists_are_not_answered_with_tickets(opened):
    """Mail of a list or in bulk is never answered by the desk itself."""
    opened.writes(ANA, "STATUS", subject="STATUS", List_Id="<all.customer.example>")
    assert "status_answer" not in opened.kinds(ANA)


def test_past_the_limits_a_list_is_not_sent(opened):
    """Counted like acknowledgements; the books say why nothing went out."""
    opened.use(replace(AGREED, limits=Limits(ack_per_address_day=2)))
    for _ in range(3):
        opened.writes(ANA, "STATUS", subject="STATUS")
    assert opened.kinds(ANA) == ["acknowledgement", "status_answer"]
    assert "not answered" in opened.copies()[-1][1]
    assert opened.ticket(1002) is None
