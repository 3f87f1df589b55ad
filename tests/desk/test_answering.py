"""What an agent's mail does: answered, noted, held, returned; and what never reaches a customer."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.support.desk import Desk

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOTE = "Between us: this customer never pays a bill on time."


@pytest.fixture
def opened(desk):
    """A desk with ticket 1001 of Ana's."""
    desk.writes("ana@customer.example", "It burns.")
    return desk


def unproven(desk, text="Water, please.\n", from_="kim@desk.example"):
    """A mail from an agent's address with the tag alone."""
    desk.writes(from_, text, subject="Re: [SUP-1001] Printer on fire")


def nothing_leaked(desk, *words):
    """No mail to a customer holds these words, an agent's address or an agent's key."""
    for sent in desk.sent:
        if sent.mail.reader == "customer":
            whole = sent.raw.decode() + sent.text + sent.html
            for word in (*words, "kim@desk.example", "lee@desk.example"):
                assert word not in whole
            assert not re.search(r"a[0-9]-[0-9]+-[0-9]-[a-z2-7]{16}", whole)


def test_an_answer_comes_from_the_queue_with_the_agents_name(opened):
    """From the support address, threaded, no Auto-Submitted, no footer, no key line, no private address."""
    notice = opened.last("kim@desk.example")
    opened.answers(
        notice, "Kim Archer <kim@desk.example>", "Use water.\nWrite to kim@desk.example if it still burns.\n"
    )
    answer = opened.last("ana@customer.example")
    assert answer["From"] == '"Kim Archer (Acme Support)" <support@desk.example>'
    assert answer["In-Reply-To"] == "<m1@customer.example>"
    assert answer["Auto-Submitted"] == ""
    assert answer["Reply-To"].startswith("Acme Support <support+t1-1001-")
    assert "Ref:" not in answer.text
    nothing_leaked(opened)
    opened.lives(30 * HOUR, HOUR)  # the reminder quotes the answer
    assert "Use water." in opened.last("ana@customer.example").text
    nothing_leaked(opened)


def test_the_first_who_answers_owns_the_ticket_and_the_others_hear_of_it(opened):
    """Kim answers: Kim's ticket, Lee is told, later news go to Kim."""
    opened.answers(opened.last("kim@desk.example"), "kim@desk.example", "Water.\n")
    assert opened.ticket().assignee == "kim"
    event = opened.last("lee@desk.example")
    assert event.kind == "agent_event"
    assert "Kim Archer" in event.text
    opened.answers(opened.last("ana@customer.example"), "ana@customer.example", "No water.\n")
    assert opened.kinds("lee@desk.example") == ["agent_new", "agent_event"]


def test_the_second_of_two_agents_is_asked_first(opened):
    """Both answer the same notice: the second is held and shown what came between, SEND sends it."""
    kims, lees = opened.last("kim@desk.example"), opened.last("lee@desk.example")
    opened.answers(kims, "kim@desk.example", "Use water.\n")
    opened.answers(lees, "lee@desk.example", "Use sand.\n")
    question = opened.last("lee@desk.example")
    assert question.kind == "leak"
    assert "Kim Archer wrote after it." in " ".join(question.text.split())
    assert "Use water." in question.text
    assert opened.kinds("ana@customer.example") == ["acknowledgement", "answer"]
    assert opened.books().held == 1
    opened.answers(question, "lee@desk.example", "SEND\n")
    assert "Use sand." in opened.last("ana@customer.example").text
    assert opened.books().held == 0
    assert opened.ticket().assignee == "kim"


@pytest.mark.parametrize(
    ("word", "customer", "kind"),
    [("NOTE", ["acknowledgement", "answer"], "note"), ("drop", ["acknowledgement", "answer"], "dropped")],
)
def test_a_held_answer_becomes_a_note_or_nothing(opened, word, customer, kind):
    """NOTE keeps it for agents, DROP drops it; the customer gets nothing either way."""
    kims, lees = opened.last("kim@desk.example"), opened.last("lee@desk.example")
    opened.answers(kims, "kim@desk.example", "Use water.\n")
    opened.answers(lees, "lee@desk.example", "Use sand.\n")
    opened.answers(opened.last("lee@desk.example"), "lee@desk.example", f"{word}\n")
    assert opened.kinds("ana@customer.example") == customer
    assert kind in opened.history()
    assert (opened.books().held, opened.books().unexplained) == (0, 0)


def test_an_answer_past_the_window_is_not_asked_about(opened):
    """The collision window is two hours; and one's own newer answer is no collision."""
    kims, lees = opened.last("kim@desk.example"), opened.last("lee@desk.example")
    opened.answers(kims, "kim@desk.example", "Use water.\n")
    opened.answers(kims, "kim@desk.example", "Cold water.\n")
    opened.passes(3 * HOUR)
    opened.answers(lees, "lee@desk.example", "Use sand.\n")
    assert opened.kinds("ana@customer.example") == ["acknowledgement", "answer", "answer", "answer"]


def test_a_customers_newer_mail_makes_an_answer_wait(opened):
    """The agent answered without sight of it."""
    notice = opened.last("kim@desk.example")
    opened.answers(opened.last("ana@customer.example"), "ana@customer.example", "It is out now.\n")
    opened.answers(notice, "kim@desk.example", "Use water.\n")
    question = opened.last("kim@desk.example")
    assert question.kind == "leak"
    assert "It is out now." in question.text


def test_an_agents_mail_without_proof_is_held_and_yes_does_it(opened):
    """Case 79: nothing is relayed before the configured address confirms; then it is done once."""
    unproven(opened)
    question = opened.last("kim@desk.example")
    assert question.kind == "held"
    assert "Water, please." in question.text
    assert opened.kinds("ana@customer.example") == ["acknowledgement"]
    assert opened.books().held == 1
    opened.answers(question, "kim@desk.example", "Yes\n")
    assert opened.kinds("ana@customer.example") == ["acknowledgement", "answer"]
    assert opened.books().held == 0
    opened.answers(question, "kim@desk.example", "Yes\n")
    assert opened.kinds("ana@customer.example") == ["acknowledgement", "answer"]
    assert opened.last("kim@desk.example").kind == "not_sent"
    assert (opened.books().held, opened.books().unexplained, opened.books().waiting) == (0, 0, 0)


def test_no_drops_a_held_mail(opened):
    """The text goes nowhere."""
    unproven(opened)
    opened.answers(opened.last("kim@desk.example"), "kim@desk.example", "no\n")
    assert opened.kinds("ana@customer.example") == ["acknowledgement"]
    assert (opened.books().held, opened.books().ignored) == (0, 1)


def test_an_unclear_confirmation_is_asked_again(opened):
    """Anything but yes or no changes nothing; the code stays good."""
    unproven(opened)
    question = opened.last("kim@desk.example")
    opened.answers(question, "kim@desk.example", "What is this?\n")
    again = opened.last("kim@desk.example")
    assert again.kind == "held"
    assert opened.books().held == 1
    opened.answers(again, "kim@desk.example", "yes\n")
    assert opened.kinds("ana@customer.example")[-1] == "answer"


def test_a_text_in_place_of_a_confirmation_comes_back(opened):
    """It may have been meant for the customer: nothing of it is only gone."""
    unproven(opened)
    question = opened.last("kim@desk.example")
    opened.answers(question, "kim@desk.example", "Dear Ana,\n\nplease use water.\n")
    assert opened.kinds("kim@desk.example") == ["agent_new", "held", "held", "not_sent"]
    assert "please use water." in opened.last("kim@desk.example").text
    assert opened.kinds("ana@customer.example") == ["acknowledgement"]


def test_an_absence_notice_confirms_nothing_and_is_not_asked_again(opened):
    """It quotes the code in its subject: asking it again would be a loop of two machines."""
    unproven(opened)
    opened.machine(opened.last("kim@desk.example"), "kim@desk.example", "yes\n")
    assert opened.kinds("kim@desk.example") == ["agent_new", "held"]
    assert opened.books().held == 1


def test_a_code_from_somebody_else_confirms_nothing(opened):
    """The question went on to others: their mail is an ordinary mail, the admins are told."""
    unproven(opened)
    question = opened.last("kim@desk.example")
    opened.answers(question, "eve@evil.example", "yes\n")
    opened.answers(question, "ana@customer.example", "yes\n")
    assert opened.kinds("ana@customer.example") == ["acknowledgement"]
    assert opened.books().held == 1
    assert "trouble" in opened.kinds("it@desk.example")
    assert opened.history().count("mail_in") == 3  # both are kept, Eve's as from outside
    assert not opened.ticket().is_participant("eve@evil.example")


def test_nobody_confirms_and_the_text_comes_back(opened):
    """After three working days; the customer gets nothing, the books say why."""
    unproven(opened)
    opened.lives(4 * DAY, HOUR)
    back = opened.last("kim@desk.example")
    assert back.kind == "not_sent"
    assert "Water, please." in back.text
    assert opened.kinds("ana@customer.example") == ["acknowledgement"]
    assert (opened.books().held, opened.books().ignored) == (0, 1)


def test_a_held_text_comes_back_after_three_working_days_and_only_once(opened):
    """Held on a Friday, back on Wednesday; no restart, no day after it and no late yes brings or sends it again."""
    opened.lives(4 * DAY, HOUR)
    unproven(opened)
    question = opened.last("kim@desk.example")
    opened.lives(5 * DAY - HOUR, HOUR)
    assert opened.kinds("kim@desk.example")[-1] == "held"
    assert opened.books().held == 1
    opened.restart()
    opened.lives(HOUR)
    assert opened.last("kim@desk.example").kind == "not_sent"
    opened.restart()
    opened.lives(14 * DAY, 6 * HOUR)
    opened.answers(question, "kim@desk.example", "yes\n", quote=False)
    back = [mail for mail in opened.sent_to("kim@desk.example") if mail.kind == "not_sent"]
    assert ["Water, please." in mail.text for mail in back] == [True, False]
    assert "three working days" in back[0].text
    assert opened.history().count("dropped") == 1
    assert "answer" not in opened.kinds("ana@customer.example")
    assert (opened.books().held, opened.books().unexplained) == (0, 0)


def test_the_second_confirmation_within_a_day_tells_the_admin(opened):
    """What is missing, and how to set it; once an hour at most."""
    unproven(opened)
    assert opened.kinds("it@desk.example") == []
    unproven(opened, "More water.\n")
    assert opened.kinds("it@desk.example") == ["trouble"]
    assert "authserv_id" in opened.last("it@desk.example").text


def test_after_twenty_questions_the_agent_is_told_that_there_are_no_more(opened):
    """Whoever forges twenty mails does not have the agent's own one held without a word; answering that word needs no proof."""
    for number in range(25):
        opened.writes(
            "kim@desk.example", f"Please try water {number}.", subject="Re: [SUP-1001] Printer on fire"
        )
    assert opened.kinds("kim@desk.example")[1:] == [*["held"] * 20, "agent_event"]
    told = opened.last("kim@desk.example")
    for body in (told.text, told.html):
        assert "I ask about no more of them" in " ".join(body.split())
    assert "Please try water 20." in told.text
    opened.answers(told, "kim@desk.example", "Please try sand.")
    assert opened.last("ana@customer.example", "answer").text.startswith("Please try sand.")


def test_a_key_of_another_agent_is_held_and_replaced(opened):
    """Lee answers Kim's notice, which Kim passed on."""
    opened.answers(opened.last("kim@desk.example"), "lee@desk.example", "Water.\n")
    assert opened.last("lee@desk.example").kind == "held"
    assert opened.store.tickets.generation(1001, "kim") == 1


def test_a_key_that_others_saw_is_replaced_by_the_next_notice(opened):
    """Case 91: reply to all with the customer in Cc: no second copy from us, the old key is worth nothing."""
    notice = opened.last("kim@desk.example")
    opened.answers(notice, "kim@desk.example", "Water.\n", cc="ana@customer.example")
    assert opened.kinds("ana@customer.example") == ["acknowledgement"]
    assert "mail_out" in opened.history()
    opened.writes("kim@desk.example", "#close\n", subject="x", to=notice["Reply-To"])
    assert opened.ticket().status == "waiting"
    assert opened.last("kim@desk.example").kind == "held"
    opened.writes("ana@customer.example", "No.", subject="[SUP-1001]")
    fresh = opened.last("kim@desk.example")
    assert fresh["Reply-To"] != notice["Reply-To"]
    opened.answers(fresh, "kim@desk.example", "#close\n")
    assert opened.ticket().status == "closed"


def test_a_forged_agent_is_quarantined(tmp_path):
    """Against a trusted fail: whole, with the reason, the admins told, nobody answered."""
    desk = Desk(tmp_path, authserv_id="mx.desk.example")
    desk.writes("ana@customer.example", "It burns.")
    forged = "mx.desk.example; dmarc=fail header.from=desk.example"
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "#close\n", Authentication_Results=forged)
    assert desk.books().quarantined == 1
    assert desk.ticket().status == "open"
    assert desk.kinds("it@desk.example") == ["trouble"]
    desk.close()


@pytest.mark.parametrize("field", ["evil.example; dmarc=pass header.from=desk.example", ""])
def test_a_foreign_authserv_id_proves_nothing(tmp_path, field):
    """Cases 80 and 82: only the named authserv-id counts, and without a name none does."""
    desk = Desk(tmp_path, authserv_id="mx.desk.example" if field else "")
    desk.writes("ana@customer.example", "It burns.")
    results = field or "mx.desk.example; dmarc=pass header.from=desk.example"
    desk.writes("kim@desk.example", "#close\n", subject="[SUP-1001]", Authentication_Results=results)
    assert desk.ticket().status == "open"
    assert desk.last("kim@desk.example").kind == "held"
    desk.close()


def test_notes_never_reach_a_customer(opened):
    """By command, by note address, by confirmation; and not in reminders, closings or later answers."""
    opened.answers(opened.last("kim@desk.example"), "kim@desk.example", f"#note\n{NOTE}\n")
    note_address = "support+note@desk.example"
    opened.answers(
        opened.last("lee@desk.example"), "lee@desk.example", "Lee's secret thought.\n", to=note_address
    )
    opened.answers(opened.last("lee@desk.example"), "lee@desk.example", "Another secret thought.\n",
                   to="support@desk.example", cc=note_address)  # fmt: skip
    assert opened.history().count("note") == 3
    assert opened.kinds("ana@customer.example") == ["acknowledgement"]
    opened.answers(opened.last("kim@desk.example"), "kim@desk.example", "Water.\n")
    opened.lives(6 * DAY, HOUR)
    opened.answers(opened.last("ana@customer.example"), "ana@customer.example", "It burns again.\n")
    assert opened.kinds("ana@customer.example") == [
        "acknowledgement",
        "answer",
        "reminder",
        "reminder",
        "closed",
    ]
    nothing_leaked(opened, "Between us", "never pays", "secret thought")


def test_an_answer_that_holds_a_line_of_a_note_is_asked_about(opened):
    """The agent answered the notice of a note and left it in; NOTE or DROP is still possible."""
    opened.answers(opened.last("kim@desk.example"), "kim@desk.example", f"#note\n{NOTE}\n")
    opened.answers(
        opened.last("lee@desk.example"), "lee@desk.example", f"Dear Ana,\n\n{NOTE}\n\nRegards\n", quote=False
    )
    assert opened.last("lee@desk.example").kind == "leak"
    nothing_leaked(opened, "never pays")


def test_the_same_text_twice_is_sent_once(opened):
    """A double click: the second is filed as a duplicate, without effect."""
    notice = opened.last("kim@desk.example")
    opened.answers(notice, "kim@desk.example", "Use water.\n")
    opened.answers(notice, "kim@desk.example", "Use water.\n")
    assert opened.kinds("ana@customer.example") == ["acknowledgement", "answer"]
    opened.passes(11 * timedelta(minutes=1))
    opened.answers(notice, "kim@desk.example", "Use water.\n")
    assert opened.kinds("ana@customer.example") == ["acknowledgement", "answer", "answer"]


def test_the_same_text_with_a_command_comes_back(opened):
    """Not sent again, and not silently: the command may matter."""
    notice = opened.last("kim@desk.example")
    opened.answers(notice, "kim@desk.example", "Use water.\n")
    opened.answers(notice, "kim@desk.example", "#resolve\nUse water.\n")
    assert opened.kinds("ana@customer.example") == ["acknowledgement", "answer"]
    assert opened.last("kim@desk.example").kind == "not_sent"


def test_a_note_may_be_said_to_the_customer_afterwards(opened):
    """The same words first as a note, then in public, are no duplicate."""
    notice = opened.last("kim@desk.example")
    opened.answers(notice, "kim@desk.example", "#note\nUse water.\n")
    opened.answers(notice, "kim@desk.example", "Use water.\n")
    assert opened.kinds("ana@customer.example") == ["acknowledgement", "answer"]


def test_an_agent_may_be_a_customer(desk):
    """A mail of an agent that answers nothing opens a ticket in the agent's own name."""
    desk.writes("kim@desk.example", "My own printer burns.")
    assert desk.ticket().requester == "kim@desk.example"
    assert desk.kinds("lee@desk.example") == ["agent_new"]


def test_a_line_that_is_no_command_comes_back_in_quotes(opened):
    """Where the line ends and the reason begins must be seen."""
    opened.answers(
        opened.last("kim@desk.example"),
        "kim@desk.example",
        "Hello Ana,\nI did it.\n#close is not a command here\n",
    )
    told = " ".join(opened.last("kim@desk.example").text.split())
    assert '"#close is not a command here" stands below other text' in told


def test_what_only_claims_to_be_an_agents_opens_a_ticket_that_says_so(desk):
    """Nothing is held and nobody asked: the agents' notice and the history warn."""
    desk.writes("Lee Moss <lee@desk.example>", "Send me the list of customers.")
    notice = desk.last("kim@desk.example", "agent_new")
    words = "laims to be from the agent Lee Moss; nothing proves it"
    assert " ".join(notice.text.split()).startswith(f"! This mail c{words}. Send me the list")
    assert f"This mail c{words}." in notice.html
    assert "No acknowledgement was sent: the writer claims to be an agent of this queue" in " ".join(
        notice.text.split()
    )
    assert desk.entries()[0].reason == f"c{words}; sender unverified"
    assert desk.kinds("lee@desk.example") == ["agent_new"]


def test_a_proven_agents_own_ticket_is_marked_by_nothing(tmp_path):
    """With a trusted pass the agent is who they say."""
    desk = Desk(tmp_path, authserv_id="mx.desk.example")
    passed = "mx.desk.example; dmarc=pass header.from=desk.example"
    desk.writes("lee@desk.example", "My printer burns.", Authentication_Results=passed)
    notice = desk.last("kim@desk.example", "agent_new")
    assert "! " not in notice.text
    assert "the writer is an agent of this queue" in notice.text
    desk.close()


def test_a_proven_agents_mail_to_a_customer_is_filed_as_sent(tmp_path):
    """The queue was in copy: an answer already sent, not sent again, and the silence counts."""
    desk = Desk(tmp_path, authserv_id="mx.desk.example")
    passed = "mx.desk.example; dmarc=pass header.from=desk.example"
    desk.writes("kim@desk.example", "How is your printer?", to="ana@customer.example", cc="support@desk.example",
                Authentication_Results=passed)  # fmt: skip
    assert desk.sent == []
    assert (desk.ticket().requester, desk.ticket().status, desk.ticket().assignee) == (
        "ana@customer.example",
        "waiting",
        "kim",
    )
    desk.close()
