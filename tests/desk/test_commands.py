"""An agent's commands, as a table: what stands in the mail, and what it asks for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailtickets.desk.agreement import SHIPPED_TYPES, ServiceLevel, Span
from mailtickets.desk.command_rules import RULES
from mailtickets.desk.commands import (
    Known,
    edit_distance,
    nearest,
    priority_words,
    read_commands,
    read_duration,
    read_span,
)
from mailtickets.desk.ticket import Status

LEVEL = ServiceLevel(
    "standard", names={"P1": "Urgent", "P2": "Very  High", "P3": "Open", "P4": "Gering\u00adf\u00fcgig"}
)
KNOWN = Known(("kim", "lee"), tuple(SHIPPED_TYPES), priority_words(LEVEL))


def read(text):
    return read_commands(text, KNOWN)


@pytest.mark.parametrize(
    ("text", "names", "rest"),
    [
        ("Just an answer.", [], "Just an answer."),
        ("#close", ["close"], ""),
        ("#CLOSE", ["close"], ""),
        ("\n\n#close\n\nDone.\n", ["close"], "Done."),
        ("#note\nFor us only.", ["note"], "For us only."),
        ("#note For us only.", ["note"], "For us only."),
        ("#take\n#pending\nI look into it.", ["take", "pending"], "I look into it."),
        ("#take\n#take\nTwice is once.", ["take"], "Twice is once."),
        ("#assign lee\nOver to Lee.", ["assign"], "Over to Lee."),
        ("#assign @Lee", ["assign"], ""),
        ("#wait 5d\nTell me next week.", ["wait"], "Tell me next week."),
        ("#third-party", ["third-party"], ""),
        ("##close is how you close.", [], "#close is how you close."),
        (" #close", ["close"], ""),  # case 101: space-stuffed
        ("\u00a0#close\u00a0", ["close"], ""),  # case 101: no-break spaces
        (
            "See below.\n\nThis line:\n#close\nis no command.",
            [],
            "See below.\n\nThis line:\n#close\nis no command.",
        ),
        ("", [], ""),
        ("#p1\nAt once.", ["p1"], "At once."),
        ("#P4", ["p4"], ""),
        ("#urgent", ["p1"], ""),
        ("#p1\n#Urgent", ["p1"], ""),
        ("#VERY-high", ["p2"], ""),
        ("#geringf\u00fcgig", ["p4"], ""),
        ("#open", ["open"], ""),  # also where a priority is called so
        ("#due 1 Dec\nUntil then.", ["due"], "Until then."),
        ("#workaround\nTake the stairs.", ["workaround"], "Take the stairs."),
        ("#type Complaint", ["type"], ""),
        ("#tag printer\n#tag #toner", ["tag", "tag"], ""),
        ("#ask\n#wait 5d", ["ask", "wait"], ""),
        ("#ask carl@supplier.example\nWhen?", ["ask"], "When?"),
        ("#third-party\n#ask carl@supplier.example\nWhen?", ["third-party", "ask"], "When?"),
        ("#escalate the site stands still\nWe are on it.", ["escalate"], "We are on it."),
        ("#clock\n#next\n#stats", ["clock", "next", "stats"], ""),
        ("#clock SUP-1042", ["clock"], ""),
        ("Order\n#12 is late", [], "Order\n#12 is late"),
    ],
)
def test_commands_stand_in_the_first_lines(text, names, rest):
    """The first lines that start with # are commands; the text below them is the reply."""
    found = read(text)
    assert found.problem is None
    assert [command.name for command in found.commands] == names
    assert found.text == rest


@pytest.mark.parametrize(
    ("text", "word", "near"),
    [
        ("#resolv\nDone.", "#resolv", "#resolve"),
        ("#colse", "#colse", "#close"),
        ("#frobnicate", "#frobnicate", ""),
        ("#4711 is your order number", "#4711", ""),
        ("#", "#", ""),
        ("\uff03close", "\uff03close", "#close"),  # case 100: a full-width sign
        ("#cl\u043ese\nDone.", "#cl\u043ese", "#close"),  # case 100: a Cyrillic letter
        ("#clo\u200bse", "#clo\u200bse", "#close"),  # case 100: a zero-width space
        ("#close SUP-2001", "#close SUP-2001", "#close"),  # case 104: another ticket
        ("#assign", "#assign", ""),
        ("#assign mallory", "#assign mallory", ""),
        ("#assign lea", "#assign lea", "#assign lee"),
        ("#wait tomorrow", "#wait tomorrow", "#wait 5d"),
        ("#wait 0d", "#wait 0d", "#wait 5d"),
        ("#wait 400d", "#wait 400d", "#wait 5d"),
        ("#close\n#open", "#close and #open", ""),  # case 103
        ("#take\n#assign lee", "#take and #assign", ""),
        ("#wait 5d\n#wait 6d", "#wait", ""),
        ("Done.\n#close", "#close", "#close"),
        ("Done.\n#very-hihg", "#very-hihg", "#very-high"),
        ("Done.\n#assign lee", "#assign lee", "#assign lee"),
        ("Done.\n#assign lea", "#assign lea", "#assign lee"),
        ("#p5", "#p5", ""),
        ("#priority very high", "#priority very high", "#very-high"),
        ("#priority high", "#priority high", "#p2"),
        ("#prio 1", "#prio 1", "#p1"),
        ("#urgnet", "#urgnet", "#urgent"),
        ("#p1 now", "#p1 now", "#p1"),
        ("#urgent please", "#urgent please", "#urgent"),
        ("#p1\n#p2", "#p1 and #p2", ""),
        ("#p1\n#very-high", "#p1 and #p2", ""),
        ("#due", "#due", "#due 3wd"),
        ("#due 1 Dec\n#due 2 Dec", "#due", ""),
        ("#due 1 Dec\n#close", "#close and #due", ""),
        ("#workaround\n#resolve", "#resolve and #workaround", ""),
        ("#type", "#type", ""),
        ("#type complain", "#type complain", "#type complaint"),
        ("#type incident\n#type question", "#type", ""),
        ("#tag", "#tag", ""),
        ("#tag two words", "#tag two words", ""),
        ("#ask\n#resolve", "#ask and #resolve", ""),
        ("#ask\n#pending", "#ask and #pending", ""),
        ("#ask\n#note", "#ask and #note", ""),
        ("#ask\n#ask carl@supplier.example", "#ask", ""),
        ("#ask carl", "#ask carl", ""),
        ("#ask carl@supplier", "#ask carl@supplier", ""),
        (
            "#ask carl@supplier.example, dan@supplier.example",
            "#ask carl@supplier.example, dan@supplier.example",
            "",
        ),
        ("#ask carl@supplier.example\n#close", "#ask and #close", ""),
        ("#ask carl@supplier.example\n#wait", "#ask and #wait", ""),
        ("#clock 1042", "#clock 1042", "#clock"),
        ("#stats support", "#stats support", "#stats"),
        ("#clock\n#help", "#help", ""),
        ("#queue billing", "#queue", ""),  # of a later issue
    ],
)
def test_what_is_no_command_comes_back(text, word, near):
    """Unknown, misspelt, contradictory: nothing is done, and the nearest command is named."""
    found = read(text)
    assert found.problem is not None
    assert (found.problem.word, found.problem.nearest) == (word, near)
    assert found.commands == ()


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("#ask carl@supplier.example", "carl@supplier.example"),
        ("#ask <Carl.B+x@Supplier.Example>", "carl.b+x@supplier.example"),
        ("#ask carl@supplier.example <mailto:carl@supplier.example>", "carl@supplier.example"),
        ("#ask carl@supplier.example<mailto:carl@supplier.example>", "carl@supplier.example"),
    ],
)
def test_an_address_is_read_as_mail_programs_write_it(line, address):
    """Linked addresses stand twice in the text of some programs."""
    assert read(f"{line}\nWhen?").asks_aside == address


def test_a_thousand_commands_are_none():
    """Case 107: more than ten commands are a mistake or an attack; none is done."""
    assert read("#take\n" * 1000).problem is not None


def test_every_status_command_names_its_status():
    """The help mail and the decision read the same table."""
    assert {rule.status for rule in RULES.values() if rule.status} == set(Status)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("5d", timedelta(days=5)),
        ("36 h", timedelta(hours=36)),
        ("90m", timedelta(minutes=90)),
        ("30s", timedelta(seconds=30)),
        ("2 weeks", timedelta(weeks=2)),
        ("366d", timedelta(days=366)),
        ("367d", None),
        ("0h", None),
        ("-1d", None),
        ("\u0665d", None),  # ARABIC-INDIC DIGIT FIVE
        ("9999999d", None),
        ("", None),
    ],
)
def test_durations(text, duration):
    """A duration is ASCII digits and a unit, at most a year."""
    assert read_duration(text) == duration


def test_the_nearest_command_is_at_most_two_letters_away():
    """A suggestion that is far off would only confuse."""
    assert nearest("reslove") == "#resolve"
    assert nearest("xyzzy") == ""
    assert edit_distance("kitten", "sitting") == 3


@pytest.mark.parametrize("text", ["> #close", "On Monday Ana wrote:\n> #close", "-- \n#close"])
def test_a_command_in_a_quote_or_signature_is_none(desk, text):
    """Cases 94 and 95: only the agent's own new text can hold commands."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", f"Looking into it.\n\n{text}\n")
    assert desk.ticket().status == "waiting"
    assert "#close" not in desk.last("ana@customer.example").text


def test_a_customers_commands_are_text(desk):
    """Case 97: #assign in a customer's mail does nothing."""
    desk.writes("ana@customer.example", "#assign lee\n#close\n")
    desk.answers(desk.last("ana@customer.example"), "ana@customer.example", "#close\n")
    assert (desk.ticket().status, desk.ticket().assignee) == ("open", "")


def test_a_mistyped_command_sends_nothing_and_comes_back_whole(desk):
    """The customer gets nothing; the agent gets the text, the reason and the nearest command."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "#resolv\nAll done, dear Ana.\n")
    back = desk.last("kim@desk.example", "not_sent")
    assert "All done, dear Ana." in back.text
    assert "#resolve" in back.text
    assert desk.kinds("ana@customer.example") == ["acknowledgement"]
    assert (desk.ticket().status, desk.ticket().assignee) == ("open", "")


def test_a_command_below_the_text_is_to_be_put_on_top(desk):
    """It is spelt well: the advice is its place, not to write it once more."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "All done.\n#p1\n")
    back = desk.last("kim@desk.example", "not_sent")
    assert "Put #p1 on the first line." in back.text
    assert "Did you mean" not in back.text


def test_the_advice_is_the_whole_command(desk):
    """Whoever follows it must not mail a word to the customer."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "#type complain\nSorry.\n")
    assert "Did you mean #type complaint?" in desk.last("kim@desk.example", "not_sent").text


def test_a_priority_that_there_is_not_names_those_that_there_are():
    """Also the desk's own; none of them is nearer to #p5 than the others."""
    problem = read("#p5").problem
    assert problem is not None
    assert problem.why.startswith("is no priority; there are #p1 to #p4, and here also #urgent, #very-high")


def test_an_empty_answer_comes_back(desk):
    """Case 106: nothing but a quote is no answer."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "")
    assert desk.kinds("kim@desk.example")[-1] == "not_sent"
    assert desk.kinds("ana@customer.example") == ["acknowledgement"]


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("#wait", "waiting"),
        ("#pending", "pending"),
        ("#third-party", "third_party"),
        ("#open", "open"),
        ("#resolve", "resolved"),
        ("#close", "closed"),
    ],
)
def test_a_command_sets_its_status_and_the_text_still_goes_out(desk, command, status):
    """One mail with the text, whatever the status; a receipt says what was done."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", f"{command}\nWater is on its way.\n")
    assert desk.ticket().status == status
    mails = desk.sent_to("ana@customer.example")[1:]
    assert len(mails) == 1
    assert "Water is on its way." in mails[0].text
    assert desk.kinds("kim@desk.example")[-1] == "receipt"


@pytest.mark.parametrize(
    ("command", "kinds"), [("#pending", []), ("#resolve", ["resolved"]), ("#close", ["closed"])]
)
def test_a_command_without_text_tells_the_customer_only_of_an_end(desk, command, kinds):
    """A status alone is no news for a customer, unless it ends the ticket."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", f"{command}\n")
    assert desk.kinds("ana@customer.example")[1:] == kinds


def test_help_is_answered_to_the_configured_address_without_proof(desk):
    """#help in a mail of its own needs no proof: it tells the configured address only."""
    desk.writes("kim@desk.example", "#help")
    assert desk.kinds("kim@desk.example") == ["help"]
    assert "#resolve" in desk.last("kim@desk.example").text
    assert desk.ticket() is None


def test_a_command_without_a_ticket_comes_back(desk):
    """Nothing is done, and no ticket is opened in the agent's name by mistake."""
    desk.writes("kim@desk.example", "#close\n")
    assert desk.kinds("kim@desk.example") == ["not_sent"]
    assert desk.ticket() is None


def test_assigning_tells_the_new_owner(desk):
    """The new owner and the others hear of it; the ticket's next news go to the owner alone."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "#assign lee\n")
    assert desk.ticket().assignee == "lee"
    assert desk.kinds("lee@desk.example") == ["agent_new", "agent_event"]
    desk.answers(desk.last("ana@customer.example"), "ana@customer.example", "Any news?\n")
    assert desk.kinds("lee@desk.example")[-1] == "agent_reply"
    assert "agent_reply" not in desk.kinds("kim@desk.example")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("5d", Span(plain=timedelta(days=5))),
        ("2 weeks", Span(plain=timedelta(days=14))),
        ("4wh", Span(working=timedelta(hours=4))),
        ("30 wm", Span(working=timedelta(minutes=30))),
        ("3wd", Span(days=3)),
        ("3 working days", Span(days=3)),
        ("2 business hours", Span(working=timedelta(hours=2))),
        ("400wd", None),
        ("0wd", None),
        ("soon", None),
    ],
)
def test_a_wait_may_count_working_time(text, span):
    """#wait 3wd are three working days of the queue's calendar."""
    assert read_span(text) == span
