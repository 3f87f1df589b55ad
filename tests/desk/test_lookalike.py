"""Whom a sender could be taken for, and above all: whom not."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest

from mailtickets.desk.confusables import _PAIRS, _TABLE, alike, in_unicode
from mailtickets.desk.facts import TicketFacts
from mailtickets.desk.lookalike import Likeness, likeness_of, local_parts
from mailtickets.desk.policy import AgentPolicy, Policy, QueuePolicy
from mailtickets.desk.ticket import Person, Role, Ticket
from mailtickets.mail.message import Address

ANNA = AgentPolicy("anna", "Anna Archer", "anna@modern.example", ("a.archer@modern.example",))
KIM = AgentPolicy("kim", "Kim", "kim.miller@gmail.com")
SUPPORT = QueuePolicy(
    "support",
    "support@modern.example",
    "SUP",
    ("anna", "kim"),
    aliases=("help@modern.example", "*@old.example"),
)
POLICY = Policy("Modern Support", {"support": SUPPORT}, {"anna": ANNA, "kim": KIM})
WHEN = datetime(2026, 3, 2, tzinfo=UTC)
CORA = Person("cora@client.example", "Cora Client", Role.REQUESTER)
TICKET = Ticket(1001, "SUP", "support", "Printer", CORA.address, WHEN, WHEN, people=(CORA,))


def found(address: str, name: str = "", *known: str, ticket: Ticket = TICKET) -> Likeness | None:
    return likeness_of(Address(address, name), [TicketFacts(ticket)], known, POLICY)


@pytest.mark.parametrize(
    ("address", "name", "whom"),
    [
        ("\u0430nna@modern.example", "", "anna@modern.example"),  # Cyrillic a
        ("anna@m\u043edern.example", "", "anna@modern.example"),  # Cyrillic o
        ("anna@xn--mdern-jye.example", "", "anna@modern.example"),  # the same in punycode
        ("anna@\uff4dodern.example", "", "anna@modern.example"),  # full width
        ("\u03b1nna@modern.example", "", "anna@modern.example"),  # Greek alpha
        ("anna@modem.example", "", "anna@modern.example"),  # rn and m
        ("anna@m0dern.example", "", "anna@modern.example"),
        ("anna@modernn.example", "", "anna@modern.example"),
        ("anna@moden.example", "", "anna@modern.example"),
        ("anna@modren.example", "", "anna@modern.example"),
        ("ANNA@MODREN.EXAMPLE", "", "anna@modern.example"),
        ("anna+x@modren.example", "", "anna@modern.example"),
        ("boss@modren.example", "Anna Archer", "anna@modern.example"),
        ("eve@evil.example", "anna@modern.example", "anna@modern.example"),
        ("eve@evil.example", "Anna Archer (anna@modern.example)", "anna@modern.example"),
        ("eve@evil.example", "\u0430nna@modern.example", "anna@modern.example"),
        ("eve@evil.example", "A.ARCHER@Modern.Example", "a.archer@modern.example"),
        ("eve@evil.example", "\u0410nna Archer", "anna@modern.example"),
        ("kirn.miller@gmail.com", "", "kim.miller@gmail.com"),
        ("kim.mi11er@gmail.com", "", "kim.miller@gmail.com"),
        ("kim.miller@gmai1.com", "", "kim.miller@gmail.com"),
        ("support@m\u043edern.example", "", "support@modern.example"),
        ("info@m\u043edern.example", "", "anna@modern.example"),  # the domain alone, in other letters
        ("help@modren.example", "", "help@modern.example"),
        ("eve@evil.example", "support@modern.example", "support@modern.example"),
        ("cora@c1ient.example", "", "cora@client.example"),
        ("cora@cllent.example", "", "cora@client.example"),
        ("c\u043era@client.example", "", "cora@client.example"),
        ("eve@evil.example", "cora@client.example", "cora@client.example"),
    ],
)  # fmt: skip
def test_look_alikes_are_told_for_sure(address: str, name: str, whom: str):
    """Nobody has such an address by chance: the line names who it is not, and what the address is."""
    likeness = found(address, name)
    assert likeness is not None
    assert likeness.sure
    assert likeness.known.address == whom
    assert likeness.line.startswith(
        f"look-alike: this sender is not {likeness.known}; the address is {address}"
    )
    assert likeness.brief == f"look-alike of {likeness.known}"


def test_the_line_names_the_odd_letters():
    """What the eye cannot see is said in words."""
    likeness = found("\u0430nna@modern.example")
    assert likeness is not None
    assert likeness.line.endswith("written with cyrillic small letter a")
    likeness = found("anna@xn--mdern-jye.example")
    assert likeness is not None
    assert likeness.line.endswith(
        "the address is anna@xn--mdern-jye.example, written with cyrillic small letter o"
    )


@pytest.mark.parametrize(
    ("address", "name", "said"),
    [
        ("anna@home.example", "Anna Archer", "the name of the agent Anna Archer"),
        ("anna.archer@gmail.com", "Archer, Anna", "the name of the agent Anna Archer"),
        ("anna.archer@gmail.com", "\u00c1nna Archer", "the name of the agent Anna Archer"),
        ("other@modern.example", "Anna Archer", "the name of the agent Anna Archer"),
        ("x@list.example", "Anna Archer via Modern Support", "the name of the agent Anna Archer"),
        ("us-desk@other.example", "Modern Support", "the name of this desk, Modern Support"),
        ("boss@modren.example", "", "the domain modren.example is not modern.example"),
        ("boss@modem.example", "", "the domain modem.example is not modern.example"),
        ("cora@client.exampl", "", "cora@client.exampl is not Cora Client <cora@client.example>"),
    ],
)
def test_what_may_be_chance_is_told_mildly(address: str, name: str, said: str):
    """A namesake, an agent's private address, the firm next in the dictionary: one plain sentence, no alarm."""
    likeness = found(address, name)
    assert likeness is not None
    assert not likeness.sure
    assert said in likeness.line
    assert "look-alike" not in likeness.line
    assert likeness.brief == likeness.line


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("anna@modern.example", "Anna Archer"),  # herself
        ("ANNA@MODERN.EXAMPLE", ""),
        ("a.archer@modern.example", "anna@modern.example"),  # her alias
        ("anne@modern.example", "Anne Baker"),  # a colleague
        ("ann@modern.example", ""),
        ("hanna@modern.example", "Hanna"),
        ("boss@modern.example", "Bo Boss"),
        ("anna@customer.example", "Anna"),  # any Anna
        ("anna@customer.example", "Anna Baker"),
        ("anna.archer.smith@customer.example", "Anna Archer Smith"),
        ("kim@customer.example", "Kim"),  # half the world is called Kim
        ("kim.miller@gmx.com", ""),
        ("kim.miller@googlemail.com", ""),
        ("kim.muller@gmail.com", "Kim Muller"),
        ("bob@gmai.com", ""),
        ("support@modest.example", "Modest Support"),
        ("support@other.example", "Support"),
        ("support+x@modern.example", ""),
        ("cora@client.example", "Cora Client"),
        ("dora@client.example", "Dora"),  # of the same firm as a customer
        ("cora@eu.client.example", "Cora"),
        ("cora.client@private.example", "Cora Client"),  # a customer's other address
        ("cora@clean.example", ""),
        ("cora@other.example", "Cora Other"),
        ("dora@cllent.example", ""),  # another firm, with another person
        ("\u0430\u043d\u043d\u0430@\u043f\u043e\u0447\u0442\u0430.example", "\u0410\u043d\u043d\u0430"),  # a Russian Anna
        ("info@m\u00fcller.example", "J\u00fcrgen M\u00fcller"),
        ("bob@other.example", "B\u00f6b \u00c4rcher"),
        ("mailer-daemon@mx.client.example", "Mail Delivery System"),
    ],
)  # fmt: skip
def test_ordinary_people_are_left_alone(address: str, name: str):
    """Colleagues, customers of the same firm, namesakes by the first name, other alphabets: not a word."""
    assert found(address, name) is None


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("root@server1.client.example", "root@server2.client.example"),
        ("root@web10.example", "root@web11.example"),
        ("info@abc.example", "info@client.example"),
        ("bob@eu.firm.example", "bob@us.firm.example"),
        ("bob@uk.firm.co.uk", "bob@us.firm.co.uk"),
        ("alice@firm.example", "bob@flrm.example"),
    ],
)
def test_people_who_wrote_before_are_not_mixed_up(address: str, known: str):
    """Machines of one rack, branches of one firm, and other people."""
    assert found(address, "", known) is None


@pytest.mark.parametrize(
    ("address", "known", "sure"),
    [
        ("bob@hammer.example", "bob@harnmer.example", True),
        ("bob@hamer.example", "bob@hammer.example", True),
        ("bob@harnmer.co.uk", "bob@hammer.co.uk", True),
        ("bob@abd.example", "bob@abc.example", False),  # short names differ by a letter all the time
        ("bob@hammer.co", "bob@hammer.com", False),  # the same firm may have both
        ("bob@hammer.de", "bob@hammer.dk", False),
    ],
)
def test_people_who_wrote_before_may_be_meant(address: str, known: str, sure: bool):
    """The nearer, the surer."""
    likeness = found(address, "", known)
    assert likeness is not None
    assert (likeness.known.address, likeness.sure) == (known, sure)


def test_who_is_on_the_ticket_is_not_compared_with_its_people():
    """Two people of one ticket may well look alike; an agent put the second on it."""
    second = Person("cora@c1ient.example", "Cora Client")
    ticket = Ticket(1001, "SUP", "support", "Printer", CORA.address, WHEN, WHEN, people=(CORA, second))
    assert found("cora@c1ient.example", "Cora Client", ticket=ticket) is None


def test_no_sender_looks_like_nobody():
    """Where From names nobody there is nobody to compare."""
    assert likeness_of(None, [], [], POLICY) is None


def test_every_letter_of_the_table_stands_for_a_letter_that_it_looks_like():
    """Keys are no plain letters, values are; Cyrillic and Greek ones are named as such by Unicode."""
    for sign, letter in _TABLE.items():
        meant = chr(letter)
        assert meant.isascii()
        assert meant.isalpha()
        assert chr(sign) in "01|" or not chr(sign).isascii()
        assert chr(sign) in "01|" or unicodedata.category(chr(sign)) in {"Ll", "Lu"}
    assert all(pair.isascii() and len(letter) == 1 for pair, letter in _PAIRS)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("paypal", "\u0440\u0430\u0443\u0440\u0430l", True),
        ("paypaI", "paypal", True),
        ("rnodern", "modem", True),
        ("vvater", "water", True),
        ("clark", "dark", True),
        ("b0b", "bob", True),
        ("desk", "\u200bd\u0301esk", True),
        ("desk", "disk", False),
        ("anna", "anne", False),
    ],
)
def test_what_reads_alike(one: str, other: str, same: bool):
    """Letters, digits, pairs and marks."""
    assert alike(one, other) is same


def test_punycode_that_is_none_stays_as_it_is():
    """Whatever stands behind xn-- raises nothing."""
    for domain in ("xn--.example", "xn--99999999999999.example", "xn--\u00e4.example", "a.xn--" + "z" * 300):
        assert in_unicode(domain)
        assert likeness_of(Address(f"anna@{domain}"), [], [], POLICY) is None


def test_local_parts_that_may_be_meant():
    """What the store looks for: the same local part, and what it looks like; only what can stand in an address."""
    assert local_parts("c\u043era@client.example") == ("cora",)
    assert local_parts("c0ra+x@client.example") == ("c0ra", "cora")
    assert local_parts("\u044f@client.example") == ()


def test_long_and_odd_input_is_quick_and_raises_nothing():
    """Names and addresses of strangers have any length and any letters."""
    for name in ("\u0301" * 200, "@" * 200, "<" * 200, "a@" * 100, "\U0001f525" * 200, "|" * 200):
        found(f"{'x' * 64}@{'y' * 255}", name)
        found("@", name)
        found("x", name)
