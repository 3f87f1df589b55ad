"""An agent's commands about the service: what they do, who hears of it, and what a customer never sees of it.

Monday 2 March 2026, 09:00 UTC; the office is open 09:00 to 17:30, Monday to Friday.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.agreed import AGREED, HOUR, MAX, with_queue
from tests.support.desk import START, Desk

ANA, KIM, LEE, CARL = "ana@customer.example", "kim@desk.example", "lee@desk.example", "carl@supplier.example"
DAY = timedelta(days=1)


@pytest.fixture
def opened(tmp_path):
    """A desk with an agreement, and ticket 1001 of Ana's."""
    desk = Desk(tmp_path, AGREED)
    desk.writes(f"Ana Lima <{ANA}>", "It burns.")
    yield desk
    desk.close()


def orders(desk, text, agent=KIM):
    """An agent answers the newest notice of the ticket."""
    notice = next(m for m in reversed(desk.sent_to(agent)) if "Ref: " in m.text)
    desk.answers(notice, agent, text)


def receipt(desk, agent=KIM):
    return " ".join(desk.last(agent, "receipt").text.split())


def came_back(desk, agent=KIM):
    """The agent's mail came back: the reason. Nothing was done, nobody else heard of it."""
    assert desk.kinds(agent)[-1] == "not_sent"
    assert desk.kinds(ANA) == ["acknowledgement"]
    assert "returned" in desk.history()
    return " ".join(desk.last(agent, "not_sent").text.split())


def words(mail):
    """A mail's text, with the line ends of a text file."""
    return mail.text.replace("\r\n", "\n")


def flat(mail):
    """A mail's text as one line, whatever broke it."""
    return " ".join(mail.text.split())


def reasons(desk, kind):
    return [entry.reason for entry in desk.entries() if entry.kind == kind]


def nothing_private(desk, *words):
    """No mail to anybody outside holds these words, an agent's own address or an agent's key."""
    for sent in desk.sent:
        if sent.mail.reader == "customer":
            whole = sent.raw.decode() + sent.text + sent.html
            for word in (*words, KIM, LEE):
                assert word not in whole
            assert not re.search(r"a[0-9]-[0-9]+-[0-9]-[a-z2-7]{16}", whole)


# --- priority -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["#p1", "#P1", "#urgent", "#Urgent"])
def test_a_priority_is_set_by_number_or_by_the_desks_own_word(opened, command):
    """The history says who set it, the receipt says what is due now; the customer hears nothing."""
    orders(opened, f"{command}\n")
    assert opened.ticket().priority == "P1"
    assert reasons(opened, "priority") == ["P3: default", "P1: set by kim"]
    assert "SUP-1001 has priority P1 (Urgent)." in receipt(opened)
    assert "Due next: first answer, Mon 2 Mar 2026, 10:00 (UTC)." in receipt(opened)
    assert opened.kinds(LEE) == ["agent_new"]
    assert opened.kinds(ANA) == ["acknowledgement"]


def test_a_name_of_two_words_is_written_with_a_hyphen(opened):
    """The priority "Very high" is the command #very-high."""
    orders(opened, "#very-high\n")
    assert opened.ticket().priority == "P2"


def test_a_new_priority_moves_every_clock_and_the_ladder(opened):
    """The warning at 80 % of the first answer moves from 12:12 to 9:48."""
    orders(opened, "#p1\n")
    opened.now = START + timedelta(minutes=47)
    opened.run()
    assert "escalation" not in opened.kinds(LEE)
    opened.passes(timedelta(minutes=1))
    assert opened.kinds(LEE)[-1] == "escalation"


def test_the_same_priority_again_changes_nothing(opened):
    """No entry; the agent is told how it is."""
    orders(opened, "#p3\n")
    assert reasons(opened, "priority") == ["P3: default"]
    assert "SUP-1001 has priority P3 (Normal) already." in receipt(opened)


def test_the_text_below_a_priority_goes_to_the_customer_without_it(opened):
    """One mail, the agent's words alone."""
    orders(opened, "#p1\nI am on my way.\n")
    assert opened.kinds(ANA) == ["acknowledgement", "answer"]
    assert words(opened.last(ANA)) == "I am on my way.\n"
    assert (opened.ticket().priority, opened.ticket().status) == ("P1", "waiting")


# --- due ------------------------------------------------------------------------------------------


def test_an_agreed_date_is_told_with_the_agents_text(opened):
    """One mail: the text as it is written, and one line with the date."""
    orders(opened, "#due 12 March\nThe part comes next week.\n")
    assert opened.kinds(ANA) == ["acknowledgement", "answer"]
    text = words(opened.last(ANA))
    assert text.startswith("The part comes next week.\n")
    assert "solved by Thu 12 Mar 2026, 17:30 UTC" in text
    assert "17:30 UTC" in opened.last(ANA).html
    assert opened.ticket().due_at == datetime(2026, 3, 12, 17, 30, tzinfo=UTC)
    assert reasons(opened, "due") == ["2026-03-12T17:30:00+00:00 agreed"]
    nothing_private(opened)


def test_an_agreed_date_without_text_is_one_notice(opened):
    """The customer is told, the status stays, and the clock of the solution ends there."""
    orders(opened, "#due friday 12:00\n")
    assert opened.kinds(ANA) == ["acknowledgement", "due"]
    assert "Fri 6 Mar 2026, 12:00 UTC" in opened.last(ANA).text
    assert opened.ticket().status == "open"
    assert "is to be solved by Fri 6 Mar 2026, 12:00 (UTC); the customer is told." in receipt(opened)


@pytest.mark.parametrize(
    ("written", "why"),
    [("1 March 2026", "has passed"), ("soon", "is no date that I can read"), ("today 08:00", "has passed")],
)
def test_a_date_that_cannot_be_comes_back_with_examples(opened, written, why):
    """Nothing is done, nobody is told."""
    orders(opened, f"#due {written}\nDone by then.\n")
    said = came_back(opened)
    assert f"#due {written} {why}" in said
    assert '"#due 1 Dec"' in said
    assert "Done by then." in said
    assert opened.ticket().due_at is None


def test_a_finished_ticket_needs_no_date(opened):
    """A date alone on a resolved ticket comes back; with #open it counts."""
    orders(opened, "#resolve\n")
    orders(opened, "#due 3wd\n")
    assert "add #open" in flat(opened.last(KIM, "not_sent"))
    orders(opened, "#open\n#due 3wd\n")
    assert opened.ticket().status == "open"
    assert opened.kinds(ANA) == ["acknowledgement", "resolved", "due"]


# --- type -----------------------------------------------------------------------------------------


def test_a_plain_type_is_set_and_nobody_else_hears_of_it(opened):
    """An incident goes nowhere else."""
    orders(opened, "#type incident\n")
    assert opened.ticket().type == "incident"
    assert reasons(opened, "type") == ["incident: set by kim"]
    assert opened.kinds(ANA) == ["acknowledgement"]
    assert opened.kinds(LEE) == ["agent_new"]


def test_a_wish_goes_to_the_account_manager_and_the_customer_is_told_once(opened):
    """The account manager gets the ticket with the customer's words, the customer the one notice."""
    orders(opened, "#type enhancement\n")
    assert opened.kinds(ANA) == ["acknowledgement", "rerouted"]
    assert "account manager" in opened.last(ANA).text
    told = opened.last(MAX.email)
    assert told.kind == "agent_event"
    assert "It burns." in told.text
    assert "Kim Archer" in told.text
    assert opened.kinds(LEE) == ["agent_new"]
    assert "Told of it: Max Ray." in receipt(opened)
    nothing_private(opened)


def test_the_route_is_told_with_the_agents_text_where_there_is_one(opened):
    """One mail to the customer, not two."""
    orders(opened, "#type enhancement\nA fine idea.\n")
    assert opened.kinds(ANA) == ["acknowledgement", "answer"]
    assert "account manager" in opened.last(ANA).text


def test_a_type_with_an_end_is_one_mail(opened):
    """Whoever hears that it is closed need not hear which way it would have gone."""
    orders(opened, "#type enhancement\n#close\nWe note it down.\n")
    assert opened.kinds(ANA) == ["acknowledgement", "closed"]


def test_a_wish_is_neither_reminded_nor_closed(opened):
    """Silence counts no more from the moment of the new type, and counts anew if it is none after all."""
    orders(opened, "Do you mean this?\n")
    orders(opened, "#type enhancement\n")
    opened.lives(10 * DAY, 6 * HOUR)
    assert "reminder" not in opened.kinds(ANA)
    orders(opened, "#type question\n")
    opened.run()
    assert "reminder" not in opened.kinds(ANA)
    opened.lives(2 * DAY, HOUR)
    assert opened.kinds(ANA).count("reminder") == 1


def test_a_complaint_leaves_the_queue(opened):
    """Only the account manager hears from now on; who owned it loses it and is told so."""
    orders(opened, "#take\n", LEE)
    orders(opened, "#type complaint\n")
    assert opened.ticket().assignee == ""
    assert "not yours any more" in opened.last(LEE).text
    before = (opened.kinds(KIM), opened.kinds(LEE))
    opened.answers(opened.last(ANA), ANA, "I am still angry.\n")
    assert (opened.kinds(KIM), opened.kinds(LEE)) == before
    assert opened.kinds(MAX.email)[-1] == "agent_reply"
    opened.answers(opened.last(MAX.email), MAX.email, "#note\nShe is right.\n")
    assert (opened.kinds(KIM), opened.kinds(LEE)) == before


def test_a_complaint_is_given_to_nobody_whom_it_keeps_out(opened):
    """#take in the same mail would lead nowhere, so all of it comes back."""
    orders(opened, "#type complaint\n#take\n")
    assert "the type complaint goes to others" in came_back(opened)
    assert opened.ticket().type == "question"


def test_whoever_the_ladder_calls_may_take_the_ticket(opened):
    """The account manager is no agent of the queue, and owns the ticket by #take or by #assign all the same."""
    orders(opened, "#assign max\n")
    assert opened.ticket().assignee == "max"
    opened.answers(opened.last(ANA), ANA, "Any news?\n")
    assert opened.kinds(MAX.email)[-1] == "agent_reply"
    assert opened.kinds(KIM).count("agent_reply") == 0


def test_a_machines_ticket_tells_no_machine(opened):
    """A date or a route is told to people only."""
    opened.writes("cron@customer.example", "Disk full.", subject="Disk", Auto_Submitted="auto-generated")
    notice = opened.last(KIM, "agent_new")
    opened.answers(notice, KIM, "#type enhancement\n#due 3wd\n")
    assert opened.ticket(1002).due_at is not None
    assert opened.sent_to("cron@customer.example") == []


def test_people_who_are_no_agents_get_the_words_and_no_key(opened):
    """A route to a plain address: the text, no reply key, no rights."""
    orders(opened, "#type legal\n")
    told = opened.last("jo@lawyer.example")
    assert told.kind == "routed"
    assert "It burns." in told.text
    assert "Ref:" not in told.text
    assert told["Reply-To"] == ""


# --- workaround, tag ------------------------------------------------------------------------------


def test_a_workaround_counts_as_an_interim_solution(opened):
    """The clock of the solution ends, kept; the ticket stays open; a second one changes nothing."""
    opened.passes(2 * HOUR)
    orders(opened, "#workaround\nUse the stairs until then.\n")
    assert words(opened.last(ANA)) == "Use the stairs until then.\n"
    row = opened.store.measures.row(1001)
    assert (row.interim, row.resolution_kept) == (1, 1)
    assert opened.ticket().workaround_at == START + 2 * HOUR
    orders(opened, "#workaround\n")
    assert reasons(opened, "workaround") == ["given"]
    assert "noted already, on Mon 2 Mar 2026, 11:00 (UTC)." in receipt(opened)


def test_a_workaround_alone_tells_the_customer_nothing(opened):
    """It needs no text, and without one nothing goes out."""
    orders(opened, "#workaround\n")
    assert opened.kinds(ANA) == ["acknowledgement"]
    assert opened.ticket().status == "open"


def test_labels_add_up(opened):
    """Each once, in the order in which they came; the customer sees none."""
    orders(opened, "#tag printer\n#tag third-floor\n")
    orders(opened, "#tag printer\n#tag fire\nThank you.\n")
    assert opened.ticket().tags == ("printer", "third-floor", "fire")
    assert reasons(opened, "tagged") == ["printer third-floor: by kim", "fire: by kim"]
    nothing_private(opened, "third-floor")


# --- ask ------------------------------------------------------------------------------------------


def test_ask_sends_the_list_and_waits(opened):
    """One notice with the queue's lines; the reminder quotes them; it counts as no answer of a person."""
    orders(opened, "#ask\n")
    assert opened.kinds(ANA) == ["acknowledgement", "ask"]
    assert "- the serial number\n- since when it happens" in words(opened.last(ANA))
    assert opened.ticket().status == "waiting"
    assert opened.store.measures.row(1001).first_response_at is None
    opened.lives(30 * HOUR, HOUR)
    assert "> - the serial number" in opened.last(ANA, "reminder").text
    nothing_private(opened)


def test_ask_with_a_text_is_one_mail(opened):
    """The agent's words first, the list below them; the reminder quotes both; the text is an answer."""
    orders(opened, "#ask\n#wait 5d\nI need a little more.\n")
    assert opened.kinds(ANA) == ["acknowledgement", "ask"]
    asked = opened.last(ANA)
    assert asked.text.index("I need a little more.") < asked.text.index("- the serial number")
    assert asked["From"].startswith('"Kim Archer (Acme Support)"')
    assert opened.store.measures.row(1001).first_response_at is not None
    opened.lives(4 * DAY, 6 * HOUR)
    assert opened.kinds(ANA) == ["acknowledgement", "ask"]
    opened.lives(4 * DAY, 6 * HOUR)
    reminder = opened.last(ANA, "reminder").text
    assert "> I need a little more." in reminder
    assert "> - the serial number" in reminder


def test_the_answer_to_ask_opens_the_ticket_again(opened):
    """It is an answer like any other, found by its key."""
    orders(opened, "#ask\n")
    opened.answers(opened.last(ANA), ANA, "4711, since Monday.\n")
    assert opened.ticket().status == "open"
    assert opened.kinds(KIM)[-1] == "agent_reply"


def test_without_a_list_there_is_nothing_to_ask(opened):
    """It comes back with what to do."""
    opened.use(with_queue(ask_for=()))
    orders(opened, "#ask\n")
    assert "#ask has no list to send" in came_back(opened)


def test_a_type_asks_for_its_own_list(opened):
    """The type's lines take the place of the queue's; a wish has none, so #ask with it comes back."""
    orders(opened, "#type enhancement\n#ask\n")
    assert "has no list to send" in came_back(opened)
    kinds = {**AGREED.types, "incident": replace(AGREED.types["incident"], ask_for=("the room",))}
    opened.use(replace(AGREED, types=kinds))
    orders(opened, "#type incident\n#ask\n")
    asked = words(opened.last(ANA))
    assert "- the room\n" in asked
    assert "serial" not in asked


# --- a side question ------------------------------------------------------------------------------


def test_somebody_else_is_asked_and_the_customer_sees_neither_question_nor_answer(opened):
    """The supplier gets the question from the desk's address, agents the answer as a note; nothing else moves."""
    before = opened.ticket().status
    orders(opened, f"#ask {CARL}\nWhen can you deliver? Write to {KIM} if need be.\n")
    question = opened.last(CARL)
    assert question.kind == "side_question"
    assert question["From"] == '"Kim Archer (Acme Support)" <support@desk.example>'
    assert question["Subject"] == "[SUP-1001] A question from Acme Support"
    assert question["Auto-Submitted"] == ""
    assert "When can you deliver?" in question.text
    for private in ("fire", "It burns", ANA, "m1@customer.example"):
        assert private not in question.raw.decode()
    assert opened.kinds(ANA) == ["acknowledgement"]
    opened.answers(question, f"Carl <{CARL}>", "On Friday, for 100 Euro.\n")
    assert opened.history().count("note") == 1
    for agent in (KIM, LEE):
        told = opened.last(agent, "agent_event")
        assert "On Friday, for 100 Euro." in told.text
        assert f"#ask {CARL}" in told.text
    assert opened.ticket().status == before
    assert opened.ticket(1002) is None
    assert [p.role for p in opened.ticket().people if p.address == CARL] == ["outside"]
    opened.answers(opened.last(ANA), ANA, "Any news?\n")
    orders(opened, "#resolve\nIt comes on Friday.\n")
    opened.lives(5 * DAY, DAY)
    assert opened.kinds(CARL) == ["side_question"]
    for sent in opened.sent_to(ANA):
        assert CARL not in sent.raw.decode()
        assert "100 Euro" not in sent.text + sent.html
    nothing_private(opened)


def test_a_side_question_is_no_answer_to_the_customer(opened):
    """No status, no owner, no clock; what the customer waits for is still to come."""
    orders(opened, f"#third-party\n#ask {CARL}\nWhen can you deliver?\n")
    assert opened.ticket().status == "third_party"
    assert opened.ticket().assignee == ""
    assert opened.store.measures.row(1001).first_response_at is None
    assert f"Your question is on its way to {CARL}" in receipt(opened)


def test_the_supplier_may_be_asked_again(opened):
    """The answer becomes a note each time; the same question within ten minutes is one."""
    for text in ("When?\n", "When exactly?\n", "When exactly?\n"):
        orders(opened, f"#ask {CARL}\n{text}")
    assert opened.kinds(CARL) == ["side_question", "side_question"]
    assert "10 minutes ago" in opened.last(KIM, "not_sent").text


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (LEE, "who is an agent"),
        ("support@desk.example", "an address of this desk"),
        (ANA, "on this ticket"),
    ],
)
def test_a_side_question_goes_to_strangers_only(opened, address, why):
    """Agents have notes, the customer has answers."""
    orders(opened, f"#ask {address}\nWhen?\n")
    assert why in came_back(opened)


def test_a_side_question_needs_a_question(opened):
    """An empty mail to a supplier helps nobody."""
    orders(opened, f"#ask {CARL}\n")
    assert "asks nothing" in came_back(opened)
    assert opened.sent_to(CARL) == []


def test_a_note_does_not_leave_by_a_side_question_unasked(opened):
    """The leak guard looks at it like at an answer; SEND sends it."""
    note = "Between us: this customer never pays a bill on time."
    orders(opened, f"#note\n{note}\n", LEE)
    orders(opened, f"#ask {CARL}\n{note}\n")
    assert opened.sent_to(CARL) == []
    question = opened.last(KIM, "leak")
    opened.answers(question, KIM, "SEND\n")
    assert opened.kinds(CARL) == ["side_question"]
    assert opened.kinds(ANA) == ["acknowledgement"]


def test_somebody_who_was_not_asked_is_filed_as_outside(opened):
    """Only the asked address answers as a note; anybody else who has the key is outside, and agents see that."""
    orders(opened, f"#ask {CARL}\nWhen?\n")
    opened.answers(opened.last(CARL), "dan@supplier.example", "Carl is on leave.\n")
    assert "outside" in reasons(opened, "mail_in")[-1]
    assert opened.kinds(ANA) == ["acknowledgement"]


def test_a_side_question_that_cannot_be_delivered_comes_back(opened):
    """The agent learns of it; the customer's address is not marked, nothing else changes."""
    orders(opened, f"#ask {CARL}\nWhen?\n")
    opened.bounces(opened.last(CARL), CARL)
    assert opened.kinds(KIM)[-1] == "agent_event"
    assert CARL in opened.last(KIM).text
    assert opened.ticket().status == "open"


# --- escalate -------------------------------------------------------------------------------------


def test_escalate_tells_the_next_rung_and_the_receipt_says_whom(opened):
    """First the team lead, then the head of support and the admins, then the last rung again."""
    orders(opened, "#escalate the whole site stands still\n")
    told = opened.last(LEE, "escalation")
    assert "Asked for by Kim Archer: The whole site stands still." in " ".join(told.text.split())
    assert receipt(opened).startswith("Told: Lee Moss.")
    orders(opened, "#escalate\n")
    assert opened.kinds("boss@home.example") == ["escalation"]
    assert opened.kinds("it@desk.example") == ["escalation"]
    assert "Told: Jo Boss and it@desk.example." in receipt(opened)
    orders(opened, "#escalate\n")
    assert opened.kinds("boss@home.example") == ["escalation", "escalation"]
    assert opened.kinds(ANA) == ["acknowledgement"]
    assert [entry.actor for entry in opened.entries() if entry.kind == "escalated"] == ["kim"] * 3


def test_who_is_no_agent_gets_an_escalation_without_a_key(opened):
    """Names and telephone numbers of the ladder reach no customer, keys reach agents only."""
    orders(opened, "#escalate\n")
    orders(opened, "#escalate\nWe are on it.\n")
    told = opened.last("boss@home.example")
    assert "Ref:" not in told.text
    assert told["Reply-To"] == ""
    nothing_private(opened, "boss@home.example", "960000")


def test_without_a_ladder_escalate_comes_back(opened):
    """The agent hears that nobody can be asked, and nothing else of the mail is done."""
    opened.use(replace(AGREED, rungs=()))
    orders(opened, "#p1\n#escalate\n")
    assert "#escalate finds nobody" in came_back(opened)
    assert opened.ticket().priority == "P3"


# --- what only answers ----------------------------------------------------------------------------


def test_clock_and_next_come_as_one_mail_and_change_nothing(opened):
    """The story of the clocks and what comes by itself, with times of the desk; nobody else hears of it."""
    opened.passes(HOUR)
    before = opened.ticket()
    orders(opened, "#clock\n#next\n")
    shown = opened.last(KIM)
    assert shown.kind == "shown"
    assert shown["Subject"] == "[SUP-1001] Printer on fire"
    assert "Mon 2 Mar 09:00 Opened with priority P3 (Normal)" in flat(shown)
    assert "Mon 2 Mar 12:12 Team lead: 80% of the time for the first answer is used; tells" in flat(shown)
    assert "Mon 2 Mar 13:00 Head of support: the first answer is late; tells" in flat(shown)
    assert "boss@home.example" not in shown.text
    after = opened.ticket()
    assert replace(after, version=before.version) == before
    assert opened.kinds(KIM) == ["agent_new", "shown"]
    assert opened.kinds(LEE) == ["agent_new"]
    assert opened.kinds(ANA) == ["acknowledgement"]


def test_next_tells_reminders_and_closing(opened):
    """Each with its time, in the sending window of the queue."""
    orders(opened, "Where is it?\n")
    orders(opened, "#next\n")
    text = opened.last(KIM, "shown").text
    assert f"Tue 3 Mar 09:00   Reminder 1 of 2 to {ANA}." in text
    assert f"Thu 5 Mar 09:00   Reminder 2 of 2 to {ANA}." in text
    assert "Fri 6 Mar 09:00   It closes by itself" in text


def test_next_says_so_where_nothing_comes(opened):
    """An empty answer would be a riddle."""
    orders(opened, "#close\n")
    orders(opened, "#next\n")
    assert "Nothing goes out by itself" in opened.last(KIM, "shown").text


def test_what_is_asked_with_an_order_shows_the_ticket_after_it(opened):
    """#p1 and #clock in one mail: the story ends with the new deadline; a receipt and the story."""
    orders(opened, "#p1\n#clock\n")
    assert opened.kinds(KIM)[1:] == ["shown", "receipt"]
    assert (
        "Priority is now P1 (Urgent)" in opened.last(KIM, "shown").text
        or "priority P1" in opened.last(KIM, "shown").text
    )


@pytest.mark.parametrize(
    "command", ["#clock SUP-1001", "#next sup-1001", "#clock [SUP-1001]\n#next SUP-1001"]
)
def test_in_a_mail_of_its_own_the_ticket_is_named(opened, command):
    """Answered to the configured address without further proof; no ticket is opened."""
    opened.writes(KIM, command, subject="a question")
    assert opened.kinds(KIM)[-1] == "shown"
    assert "SUP-1001" in opened.last(KIM)["Subject"]
    assert opened.ticket(1002) is None


@pytest.mark.parametrize("command", ["#clock", "#clock SUP-9999", "#next BIL-1001"])
def test_a_ticket_that_is_not_named_or_not_there_comes_back(opened, command):
    """With an example of how to name one."""
    opened.writes(KIM, command, subject="a question")
    assert opened.kinds(KIM)[-1] == "not_sent"
    assert "#" in opened.last(KIM).text
    assert opened.ticket(1002) is None


def test_a_forged_question_is_answered_to_the_agent_only(opened):
    """Whoever writes in an agent's name: the answer goes to the configured address."""
    opened.writes(f"Kim <{KIM}>", "#clock SUP-1001", Reply_To="eve@evil.example")
    assert opened.kinds(KIM)[-1] == "shown"
    assert opened.sent_to("eve@evil.example") == []


def test_another_ticket_may_be_named_on_a_ticket(opened):
    """The one that is named is shown; one that is not there brings the mail back whole."""
    opened.writes(ANA, "It smokes.", subject="Smoke")
    orders(opened, "#clock SUP-1001\n")
    assert "SUP-1001: its clocks" in opened.last(KIM, "shown").text
    orders(opened, "#p1\n#next SUP-4711\n")
    assert "#next SUP-4711 names no ticket of yours" in flat(opened.last(KIM, "not_sent"))
    assert opened.ticket(1002).priority == "P3"


def test_an_agent_of_another_queue_sees_nothing(tmp_path):
    """Max is no agent of this queue and not on this ticket's route: his mail is a customer's."""
    desk = Desk(tmp_path, replace(AGREED, organisations={}))
    desk.writes(ANA, "It burns.")
    desk.writes(MAX.email, "#clock SUP-1001", subject="a question")
    assert "shown" not in desk.kinds(MAX.email)
    desk.close()


def test_twenty_answers_an_hour_are_enough(opened):
    """A loop or a forger gets no more out of the desk but that it is so; the mails are in the books with the reason."""
    for number in range(25):
        opened.writes(KIM, "#help" if number % 2 == 0 else "#hepl", subject="a question")
    assert opened.kinds(KIM)[1:] == [*["help", "not_sent"] * 10, "not_sent"]
    assert "Further ones within the hour are not answered" in flat(opened.last(KIM))
    assert "20 answers within the hour" in opened.copies()[-1][1]
    opened.passes(2 * HOUR)
    opened.writes(KIM, "#help", subject="a question")
    assert opened.kinds(KIM)[-1] == "help"


def test_forged_commands_do_not_shut_a_proven_agent_up(tmp_path):
    """What is proven is counted apart, and comes back with the reason when it is too much."""
    desk = Desk(tmp_path, replace(AGREED, organisations={}), authserv_id="mx.desk.example")
    passed = {"Authentication_Results": "mx.desk.example; dmarc=pass header.from=desk.example"}
    for _ in range(25):
        desk.writes(KIM, "#help", subject="a question")
    assert desk.kinds(KIM) == [*["help"] * 20, "not_sent"]
    for _ in range(20):
        desk.writes(KIM, "#help", subject="a question", **passed)
    assert desk.kinds(KIM)[21:] == ["help"] * 20
    desk.writes(KIM, "#for ana@customer.example\nThe printer burns.", subject="a question", **passed)
    assert desk.kinds(KIM)[-1] == "not_sent"
    assert "The printer burns." in desk.last(KIM).text
    desk.close()


def test_the_help_lists_the_desks_own_words(opened):
    """Priorities by their names, types by theirs; what later issues bring is not promised."""
    orders(opened, "#help\n")
    text = opened.last(KIM, "help").text
    for word in (
        "#p1 to #p4",
        "#urgent, #very-high",
        "#due DATE",
        "complaint",
        "legal",
        "#ask",
        "#escalate",
        "#clock",
        "#stats",
    ):
        assert word in " ".join(text.split())
    for word in ("#queue", "#merge", "#p2:", "#cc"):
        assert word not in text


def test_all_or_nothing(opened):
    """One order that cannot be carried out stops all of them, with the text."""
    orders(opened, "#p1\n#tag fire\n#due yesterday\n#type incident\nAll is well.\n")
    came_back(opened)
    ticket = opened.ticket()
    assert (ticket.priority, ticket.tags, ticket.type, ticket.due_at) == ("P3", (), "question", None)
