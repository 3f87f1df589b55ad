"""Which rules hold for a mail, what they set, and what its writer states."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mailtickets.desk.agreement import Organisation, Rule, ServiceLevel
from mailtickets.desk.opening import opened
from mailtickets.desk.rules import MAX_TEXT, apply, capped, stated_priority
from mailtickets.desk.ticket import Ticket
from mailtickets.desk.words import Text, folded, has_word
from mailtickets.mail.authentication import Proof
from mailtickets.mail.classify import OwnAddresses
from mailtickets.mail.keys import KeyRing
from mailtickets.reading import Reading
from tests.support.desk import POLICY, SUPPORT

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACME = Organisation("acme", "Acme Ltd", ("customer.example",))
READING = Reading(KeyRing({1: b"s" * 32}, 1), OwnAddresses(frozenset({SUPPORT.address})), {}, {})


def mail(
    text="My printer is on fire.",
    *,
    subject="Printer",
    from_="ana@customer.example",
    proof=Proof.NONE,
    **headers,
):
    """Read a mail as the daemon would."""
    more = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    raw = (
        f"From: {from_}\nTo: {SUPPORT.address}\nSubject: {subject}\nMessage-ID: <1@customer.example>\n{more}"
        f"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
    )
    return replace(READING.read(raw.encode(), b"", "support", NOW), proof=proof)


def holds(rule, incoming, organisation=ACME, queue="support"):
    """Tell whether a single rule holds."""
    return bool(apply([Rule(1, set_tags=("x",), **rule)], incoming, queue, organisation).fired)


def reason(rule, incoming, organisation=ACME, queue="support"):
    """Return why a single rule holds or does not."""
    outcome = apply([Rule(1, **rule)], incoming, queue, organisation)
    return outcome.fired[0].because if outcome.fired else outcome.passed_over[0].why


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("urgent", "This is URGENT!", True),
        ("URGENT", "(urgent)", True),
        ("urgent", "*urgent*, please", True),
        ("urgent", "_urgent_", True),
        ("urgent", "urgently needed", False),
        ("urgent", "insurgent", False),
        ("urgent", "non-urgent", False),
        ("urgent", "urgent - please", True),
        ("urgent", "printer is down-urgent", False),
        ("urgent", "--urgent--", True),
        ("dringend", "Es ist dringend.", True),
        ("dringend", "Das Dringendste zuerst", False),
        ("dringend", "ein dringender Fall", False),
        ("ausfall", "Der Serverausfall dauert an", False),
        ("st\u00f6rung", "ST\u00d6RUNG im Netz", True),
        ("st\u00f6rung", "Sto\u0308rung im Netz", True),
        ("sto\u0308rung", "St\u00f6rung im Netz", True),
        ("stra\u00dfe", "STRASSE gesperrt", True),
        ("urgent", "ur\u00adgent", True),  # a soft hyphen
        ("urgent", "\uff35\uff32\uff27\uff25\uff2e\uff34", True),  # full width
        ("on fire", "my printer is on fire", True),
        ("on fire", "my printer is on\r\nfire", True),
        ("on fire", "it is on \u00a0  fire.", True),
        ("on fire", "it is upon fire", False),
        ("on fire", "on firewalls", False),
        ("on fire", "on, fire", False),
        ("c++", "The C++ compiler", True),
        ("c++", "Vitamin C", False),
        ("e-mail", "my E-Mail is late", True),
        ("mail", "my e-mail is late", False),
        ("e\u2010mail", "my e-mail is late", True),
        ("24/7", "we run 24/7.", True),
        ("p1", "this is a P1", True),
        ("p1", "this is a p12", False),
        ("#1", "it is our #1 problem", True),
        ("\u7d27\u6025", "\u8fd9\u662f\u7d27\u6025\u60c5\u51b5", True),  # Chinese has no spaces
        ("vpn", "\u4f7f\u7528VPN\u8fde\u63a5", True),
        ("\u0915\u093e\u092e", "\u0915\u093e\u092e\u0940", False),  # a vowel sign goes on with the word
        ("\u0441\u0440\u043e\u0447\u043d\u043e", "\u0421\u0420\u041e\u0427\u041d\u041e!", True),
    ],
)
def test_whole_words_whatever_case_and_script(word, text, found):
    """Case, marks, white space and script do not matter; parts of words and compounds are no match."""
    assert holds({"words": (word,)}, mail(text)) is found
    assert holds({"words": (word,)}, mail("Hello", subject=text.replace("\r\n", " "))) is found


def test_words_are_looked_for_where_the_rule_says():
    """`words` in subject or text, `subject` and `body` only there; within a list any will do."""
    incoming = mail("The server is down.", subject="Urgent problem")
    assert holds({"words": ("urgent",)}, incoming)
    assert holds({"words": ("down",)}, incoming)
    assert holds({"subject": ("urgent",)}, incoming)
    assert not holds({"subject": ("down",)}, incoming)
    assert holds({"body": ("down", "urgent")}, incoming)
    assert not holds({"body": ("urgent",)}, incoming)


def test_a_phrase_does_not_run_from_the_subject_into_the_text():
    """They are two texts."""
    assert not holds({"words": ("server down",)}, mail("down again", subject="server"))


def test_quoted_text_decides_nothing():
    """What somebody else wrote before is not what this person writes now."""
    quoted = "Thank you.\n\nOn Mon, 2 Mar 2026 at 09:00, Ben wrote:\n> This is urgent!\n"
    assert not holds({"words": ("urgent",)}, mail(quoted, subject="Re: Printer"))


def test_a_forwarded_mail_is_its_senders_content():
    """Who forwards a mail means what is in it."""
    text = "FYI\n\n---------- Forwarded message ---------\nFrom: Ben <ben@customer.example>\nSubject: x\n\nThis is urgent!\n"
    assert holds({"words": ("urgent",)}, mail(text, subject="Fwd: Printer"))


@pytest.mark.parametrize(
    ("pattern", "holding"),
    [
        ("ana@customer.example", True),
        ("Ana@Customer.Example", True),
        ("ben@customer.example", False),
        ("*@customer.example", True),
        ("*@example", False),
        ("*@*.example", True),
        ("*@*.customer.example", False),
    ],
)
def test_a_sender_is_an_address_or_a_domain(pattern, holding):
    """A star stands for everybody of that domain, "*." for every domain below it."""
    assert holds({"sender": (pattern,)}, mail()) is holding


def test_who_is_proven_false_is_nobody():
    """A forged sender has neither the address's rules nor its organisation's."""
    forged = mail(proof=Proof.FAIL)
    assert not holds({"sender": ("*@customer.example",)}, forged)
    assert not holds({"organisation": ("acme",)}, forged)
    assert holds({"words": ("printer",)}, forged)
    assert "forged" in reason({"sender": ("*@customer.example",)}, forged)


def test_a_mail_of_no_single_sender_matches_no_sender():
    """Two addresses in From are nobody."""
    assert not holds(
        {"sender": ("*@customer.example",)}, mail(from_="ana@customer.example, eve@evil.example")
    )


def test_organisation_header_and_queue():
    """The other conditions, each for itself."""
    assert holds({"organisation": ("acme", "other")}, mail())
    assert not holds({"organisation": ("other",)}, mail())
    assert not holds({"organisation": ("acme",)}, mail(), organisation=None)
    assert holds({"header": {"x-severity": "HIGH"}}, mail(X_Severity="very high"))
    assert not holds({"header": {"X-Severity": "high"}}, mail(X_Severity="higher"))
    assert holds({"header": {"X-Severity": "*"}}, mail(X_Severity="1"))
    assert not holds({"header": {"X-Severity": "*"}}, mail())
    assert holds({"queue": ("support", "billing")}, mail())
    assert not holds({"queue": ("billing",)}, mail())


def test_all_conditions_of_a_rule_must_hold():
    """One that does not is enough, and is the reason."""
    rule = {"words": ("fire",), "sender": ("ben@customer.example",)}
    assert not holds(rule, mail())
    assert reason(rule, mail()) == "the sender ana@customer.example is not ben@customer.example"


def test_the_last_word_stands_and_tags_add_up():
    """Each field for itself; a rule that says nothing about a field leaves it."""
    rules = [
        Rule(1, "fires", words=("fire",), set_priority="P1", set_type="incident", set_tags=("fire", "hot")),
        Rule(2, words=("printer",), set_priority="P2", set_assignee="kim", set_tags=("printer", "fire")),
        Rule(3, words=("flood",), set_priority="P4", set_queue="billing"),
    ]
    outcome = apply(rules, mail(), "support", None)
    assert (outcome.priority, outcome.type, outcome.assignee, outcome.queue) == ("P2", "incident", "kim", "")
    assert outcome.tags == ("fire", "hot", "printer")
    assert outcome.set_by("priority") == rules[1]
    assert [(one.rule.number, one.because) for one in outcome.fired] == [
        (1, 'the text has "fire"'),
        (2, 'the subject has "printer"'),
    ]
    assert [(one.rule.number, one.why) for one in outcome.passed_over] == [
        (3, 'the subject and the text have none of "flood"')
    ]


def test_stop_ends_the_list():
    """A rule with `stop` has the last word, and the others say why they were not asked."""
    rules = [
        Rule(1, "fires", words=("fire",), set_priority="P1", stop=True),
        Rule(2, words=("printer",), set_priority="P2"),
    ]
    outcome = apply(rules, mail(), "support", None)
    assert outcome.priority == "P1"
    assert outcome.passed_over[0].why == 'not looked at, as rule 1 "fires" ends the list'
    not_stopped = apply(rules, mail("Paper jam."), "support", None)
    assert not_stopped.priority == "P2"


def test_no_rules_set_nothing():
    """Nor does a mail without rules need explaining."""
    outcome = apply([], mail(), "support", None)
    assert (outcome.priority, outcome.tags, outcome.fired, outcome.passed_over) == ("", (), (), ())


def test_only_the_first_hundred_thousand_letters_count():
    """A limit on the text is a limit on the time."""
    assert holds({"words": ("fire",)}, replace(mail(), text="x " * (MAX_TEXT // 2 - 4) + "fire"))
    assert not holds({"words": ("fire",)}, replace(mail(), text="x " * (MAX_TEXT // 2) + "fire"))


@pytest.mark.parametrize(
    "text",
    [
        "urgent" * 20_000, "urgent-" * 20_000, "a" + "\u0301\u0323" * 60_000, " " * 120_000, "u" * 120_000, "ur\n" * 40_000,
        "\ufdfa" * 100_000, "Priority:" + " *" * 60_000, "\u00ad" * 100_000, "on " * 40_000,
    ],
)  # fmt: skip
def test_no_text_takes_long(text):
    """Letters that repeat, marks that pile up, ligatures that unfold: 50 rules are asked in a second."""
    words = ("urgent", "on on on on fire", "u" * 100, "uu", "x\u0301", "server down")
    rules = [
        Rule(number, words=(*words[number % 6 :], "never"), set_priority="P2") for number in range(1, 51)
    ]
    incoming = replace(mail(), text=text)
    began = time.process_time()
    apply(rules, incoming, "support", None).passed_over  # noqa: B018
    stated_priority(incoming, None)
    assert time.process_time() - began < 3


@given(st.text(max_size=300), st.text(min_size=1, max_size=5))
def test_a_word_of_its_own_is_found_wherever_it_stands(text, word):
    """Between spaces every word is whole, whatever stands around it."""
    assume(any(letter.isalnum() for letter in word))
    incoming = replace(mail(), text=f"{text} {word} {text}")
    assert holds({"body": (word,)}, incoming)


LETTERS = st.sampled_from(
    [*"ab1-_ +#.\n", "\u0301", "\u00e9", "\u7d27", "\u093e", "\u0915", "\u00df", "\u00ad", "\u2010", "SS"]
)


@given(st.lists(LETTERS, max_size=40).map("".join), st.lists(LETTERS, min_size=1, max_size=5).map("".join))
def test_looking_up_first_finds_what_looking_through_finds(text, word):
    """The short cut over the runs of letters never changes the answer."""
    assert Text(text, 1000).has(word) == has_word(folded(text, 1000), folded(word, 1000))


OWN_WORDS = ServiceLevel("d", names={"P1": "High", "P2": "Medium", "P3": "Low"})
FOUR_WORDS = ServiceLevel("a", names={"P1": "Urgent", "P2": "High", "P3": "Medium", "P4": "Low"})
GERMAN = ServiceLevel("g", names={"P1": "Sehr hoch", "P2": "Hoch", "P3": "Mittel", "P4": "Niedrig"})


@pytest.mark.parametrize(
    ("text", "level", "priority"),
    [
        ("Priority: high\nMy printer is on fire.", None, "P2"),
        ("priority: HIGH", None, "P2"),
        ("\n\n  Priority : high.\n", None, "P2"),
        ("*Priority:* high", None, "P2"),
        ("Priority: P1", None, "P1"),
        ("Prio = 1", None, ""),
        ("Priority: urgent!", None, "P1"),
        ("Priority: high, because the server is down", None, "P2"),
        ("Priority: normal", None, "P3"),
        ("Priority: low", None, "P4"),
        ("Priorit\u00e4t: hoch", None, "P2"),
        ("Priorita\u0308t: hoch", None, "P2"),
        ("Priorit\u00e4t: dringend", None, "P1"),
        ("Priorit\u00e9 : haute", None, "P2"),
        ("Priority: highest", None, ""),
        ("Priority: not high", None, ""),
        ("My priority: high", None, ""),
        ("Hello\nPriority: high", None, ""),
        ("Priority:", None, ""),
        ("Priority: high", OWN_WORDS, "P1"),
        ("Priority: Medium", OWN_WORDS, "P2"),
        ("Priority: normal", OWN_WORDS, "P2"),
        ("Priority: low", OWN_WORDS, "P3"),
        ("Priority: high", FOUR_WORDS, "P2"),
        ("Priority: P4", FOUR_WORDS, "P4"),
        ("Priorit\u00e4t: sehr hoch", GERMAN, "P1"),
        ("Priorit\u00e4t: hoch", GERMAN, "P2"),
        ("Priority: high", GERMAN, "P2"),
        ("> Priority: high", None, ""),
    ],
)
def test_a_first_line_states_a_priority(text, level, priority):
    """In the desk's own words first, then in those that everybody knows."""
    assert stated_priority(mail(text), level) == priority


@pytest.mark.parametrize(
    ("headers", "level", "priority"),
    [
        ({"X_Priority": "1 (Highest)"}, None, "P2"),
        ({"X_Priority": "2"}, None, "P2"),
        ({"X_Priority": "3"}, None, ""),
        ({"X_Priority": "4"}, None, "P4"),
        ({"X_Priority": "5 (Lowest)"}, None, "P4"),
        ({"X_Priority": "urgent"}, None, ""),
        ({"Importance": "High"}, None, "P2"),
        ({"Importance": "normal"}, None, ""),
        ({"Importance": "low"}, None, "P4"),
        ({"X_Priority": "3", "Importance": "high"}, None, "P2"),
        ({"X_Priority": "1"}, OWN_WORDS, "P1"),
        ({"X_Priority": "5"}, OWN_WORDS, "P3"),
        ({"X_Priority": "1"}, GERMAN, "P2"),
        ({}, None, ""),
    ],
)
def test_headers_state_a_priority_too(headers, level, priority):
    """Mail programs write "normal" into every mail, so that states nothing."""
    assert stated_priority(mail(**headers), level) == priority


def test_what_a_person_writes_counts_before_what_the_program_writes():
    """The first line goes before the header."""
    assert stated_priority(mail("Priority: low", X_Priority="1"), None) == "P4"


@pytest.mark.parametrize(
    ("stated", "cap", "default", "counts"),
    [
        ("", "P1", "P3", "P3"),
        ("P1", "", "P3", "P3"),
        ("P4", "", "P3", "P3"),
        ("P1", "P2", "P3", "P2"),
        ("P2", "P2", "P3", "P2"),
        ("P3", "P2", "P3", "P3"),
        ("P4", "P2", "P3", "P4"),
        ("P1", "P4", "P3", "P3"),  # never less than without the statement
        ("P1", "P1", "P1", "P1"),
        ("P4", "P4", "P3", "P4"),
    ],
)
def test_a_statement_counts_up_to_the_cap(stated, cap, default, counts):
    """A customer may state more than the queue allows, and gets what it allows."""
    assert capped(stated, cap, default) == counts


TICKET = Ticket(1001, "SUP", "support", "Printer", "ana@customer.example", NOW, NOW)
BILLING = replace(SUPPORT, name="billing", address="billing@desk.example", tag="BIL", customer_priority="P2")
DESK = replace(
    POLICY,
    queues={"support": SUPPORT, "billing": BILLING},
    organisations={"acme": replace(ACME, service_level="gold")},
    service_levels={"gold": ServiceLevel("gold", default_priority="P2"), "d": OWN_WORDS},
    rules=(
        Rule(1, "invoices", words=("invoice",), set_queue="billing", set_tags=("money",)),
        Rule(2, words=("fire",), set_priority="P1", set_type="incident", set_service_level="d", set_assignee="kim"),
    ),
)  # fmt: skip


def test_a_ticket_is_opened_with_what_the_rules_set():
    """Organisation, type, owner, level, priority; and the words for the history."""
    opening = opened(TICKET, mail(), DESK)
    ticket = opening.ticket
    assert (ticket.priority, ticket.type, ticket.assignee, ticket.service_level) == (
        "P1",
        "incident",
        "kim",
        "d",
    )
    assert (ticket.organisation, ticket.queue, ticket.tag) == ("acme", "support", "SUP")
    assert opening.terms.level == OWN_WORDS
    assert opening.priority_from == "rule 2"


def test_without_a_rule_the_level_says_the_priority():
    """The default of the organisation's level; a forged sender has no organisation."""
    assert opened(TICKET, mail("Hello"), DESK).ticket.priority == "P2"
    forged = opened(TICKET, mail("Hello", proof=Proof.FAIL), DESK)
    assert (forged.ticket.priority, forged.ticket.organisation, forged.priority_from) == ("P3", "", "default")


def test_a_rule_moves_a_ticket_before_it_has_a_reference():
    """The queue it opens in gives the tag, and says whether the customer's word counts."""
    opening = opened(TICKET, mail("Priority: urgent\nWrong invoice", from_="ben@else.example"), DESK)
    assert (opening.ticket.queue, opening.ticket.tag, opening.ticket.tags) == ("billing", "BIL", ("money",))
    assert (opening.ticket.priority, opening.priority_from) == (
        "P2",
        "the customer stated P1, and that counts only so far",
    )
    stays = opened(TICKET, mail("Priority: urgent", from_="ben@else.example"), DESK)
    assert (stays.ticket.queue, stays.ticket.priority) == ("support", "P3")
