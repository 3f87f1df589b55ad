"""Who speaks, with what proof, and who joins a ticket: table 5.3 as the design amends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailtickets.desk.facts import TicketFacts
from mailtickets.desk.people import Speaker, people_joining, people_suggested, who_speaks
from mailtickets.desk.thread import Found
from mailtickets.desk.ticket import Person, Role, Status, Ticket
from mailtickets.mail.authentication import Proof
from mailtickets.mail.keys import KeyKind, ReplyKey
from mailtickets.mail.message import Address, Message
from tests.support.desk import KIM, POLICY, SUPPORT, Desk

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TICKET = Ticket(
    1001, "SUP", "support", "Printer on fire", "ana@customer.example", NOW, NOW,
    people=(Person("ana@customer.example", "Ana", Role.REQUESTER),),
)  # fmt: skip
THREAD = ReplyKey(KeyKind.THREAD, 1001)
KIMS = ReplyKey(KeyKind.AGENT, 1001, "kim", 0)
LEES = ReplyKey(KeyKind.AGENT, 1001, "lee", 0)
PASS, FAIL, NONE = Proof.PASS, Proof.FAIL, Proof.NONE


def found(key=None, by="key", ticket=TICKET, **generations):
    carried = (key,) if key and key.kind is KeyKind.AGENT else ()
    return Found(TicketFacts(ticket, generations=generations), by, key, carried)


def message(from_, to="support@desk.example", cc=()):
    sender = Address(from_)
    return Message(from_=(sender,), sender=sender, to=(Address(to),), cc=tuple(Address(a) for a in cc))


@pytest.mark.parametrize(
    ("from_", "where", "proof", "speaker"),
    [
        # an agent: with pass, with key, with neither, contradicted
        ("kim@desk.example", found(KIMS), PASS, Speaker.AGENT),
        ("kim@desk.example", found(None, "tag"), PASS, Speaker.AGENT),
        ("kim@desk.example", found(KIMS), NONE, Speaker.AGENT),
        ("KIM@Desk.Example", found(KIMS), NONE, Speaker.AGENT),  # case 29
        ("kim@desk.example", found(None, "tag"), NONE, Speaker.CLAIMED_AGENT),  # case 79
        ("kim@desk.example", found(THREAD), NONE, Speaker.CLAIMED_AGENT),
        ("kim@desk.example", found(LEES), NONE, Speaker.CLAIMED_AGENT),
        ("kim@desk.example", found(KIMS, kim=1), NONE, Speaker.CLAIMED_AGENT),
        ("kim@desk.example", found(KIMS), FAIL, Speaker.FORGED_AGENT),
        ("kim@desk.example", Found(), FAIL, Speaker.FORGED_AGENT),
        ("kim@desk.example", Found(), PASS, Speaker.AGENT),
        ("kim@desk.example", Found(), NONE, Speaker.CLAIMED_AGENT),
        # a participant
        ("ana@customer.example", found(THREAD), NONE, Speaker.CUSTOMER),
        ("ana@customer.example", found(None, "tag"), PASS, Speaker.CUSTOMER),
        ("ana@customer.example", found(None, "tag"), FAIL, Speaker.CUSTOMER),
        # somebody else with a proof of the thread
        ("eve@evil.example", found(THREAD), NONE, Speaker.OUTSIDE),
        ("eve@evil.example", found(KIMS), NONE, Speaker.OUTSIDE),  # case 86
        ("eve@evil.example", found(KIMS), PASS, Speaker.OUTSIDE),
        # somebody without
        ("eve@evil.example", Found(), NONE, Speaker.CUSTOMER),
        # look-alikes: case 28
        ("k\u0456m@desk.example", found(KIMS), NONE, Speaker.OUTSIDE),
        ("\u212aim@desk.example", found(KIMS), NONE, Speaker.OUTSIDE),
    ],
)
def test_who_speaks(from_, where, proof, speaker):
    """From is a claim; a key of that agent and ticket, or a trusted pass, makes an agent."""
    assert who_speaks(message(from_), proof, where, SUPPORT, POLICY, NOW).speaker is speaker


def test_an_ambiguous_sender_is_nobody():
    """Cases 20 and 85: two authors, and even a pass proves neither."""
    two = Message(
        from_=(Address("kim@desk.example"), Address("eve@evil.example")), sender_doubt="two From fields"
    )
    assert who_speaks(two, PASS, found(KIMS), SUPPORT, POLICY, NOW).speaker is Speaker.NOBODY


def test_an_agent_who_needs_a_pass_has_no_use_for_a_key():
    """Proof = "pass" is for the careful: a key alone is held."""
    careful = replace(POLICY, agents={"kim": replace(KIM, proof="pass")})
    assert (
        who_speaks(message("kim@desk.example"), NONE, found(KIMS), SUPPORT, careful, NOW).speaker
        is Speaker.CLAIMED_AGENT
    )
    assert (
        who_speaks(message("kim@desk.example"), PASS, found(KIMS), SUPPORT, careful, NOW).speaker
        is Speaker.AGENT
    )


def test_a_key_ends_sixty_days_after_closing():
    """Case 89: an expired key is held, and the reason says so."""
    closed = replace(TICKET, status=Status.CLOSED, closed_at=NOW)
    mail = message("kim@desk.example")
    for days, speaker in ((60, Speaker.AGENT), (61, Speaker.CLAIMED_AGENT)):
        later = NOW + timedelta(days=days)
        assert who_speaks(mail, NONE, found(KIMS, ticket=closed), SUPPORT, POLICY, later).speaker is speaker


def test_an_agent_of_another_queue_is_a_customer_here():
    """Agents are agents in their own queues only."""
    other = replace(SUPPORT, name="billing", agents=("lee",))
    assert (
        who_speaks(message("kim@desk.example"), PASS, Found(), other, POLICY, NOW).speaker is Speaker.CUSTOMER
    )


def test_an_agent_who_is_the_customer_speaks_as_one():
    """An agent's own ticket: a plain reply is a customer's; with the agent key it is an agent's."""
    own = replace(TICKET, people=(Person("kim@desk.example", "", Role.REQUESTER),))
    assert (
        who_speaks(message("kim@desk.example"), NONE, found(THREAD, ticket=own), SUPPORT, POLICY, NOW).speaker
        is Speaker.CUSTOMER
    )
    assert (
        who_speaks(message("kim@desk.example"), NONE, found(KIMS, ticket=own), SUPPORT, POLICY, NOW).speaker
        is Speaker.AGENT
    )


@pytest.mark.parametrize(
    ("from_", "cc", "leaked"),
    [
        ("kim@desk.example", (), ()),
        ("kim@desk.example", ("lee@desk.example",), ()),
        ("kim@desk.example", ("ana@customer.example",), ("kim",)),
        ("eve@evil.example", (), ("kim",)),
        ("lee@desk.example", (), ("kim",)),
    ],
)
def test_a_key_seen_by_others_is_leaked(from_, cc, leaked):
    """The key's owner gets a fresh one when anybody else wrote with it, or a stranger was in copy."""
    assert who_speaks(message(from_, cc=cc), NONE, found(KIMS), SUPPORT, POLICY, NOW).leaked == leaked


@pytest.mark.parametrize(
    ("from_", "cc", "rule", "joined"),
    [
        ("ana@customer.example", ["bob@customer.example"], "domain", ["bob@customer.example"]),
        ("ana@customer.example", ["bob@CUSTOMER.example"], "domain", ["bob@customer.example"]),
        ("ana@customer.example", ["eve@evil.example"], "domain", []),
        ("ana@customer.example", ["bob@sub.customer.example"], "domain", []),
        ("ana@gmail.com", ["bob@gmail.com"], "domain", []),
        ("ana@customer.example", ["bob@customer.example"], "never", []),
        ("ana@customer.example", ["bob@customer.example"], "opening", ["bob@customer.example"]),
        (
            "ana@desk.example",
            ["kim@desk.example", "support@desk.example", "support+x@desk.example"],
            "domain",
            [],
        ),
        ("ana@customer.example", ["ana@customer.example"], "domain", []),
        ("ana@customer.example", ["b\u00f6b@customer.example"], "domain", []),
    ],
)
def test_who_joins_by_cc(from_, cc, rule, joined):
    """People of the participant's own domain join; agents, own addresses and strangers never do."""
    queue = replace(SUPPORT, cc=rule)
    assert [p.address for p in people_joining(message(from_, cc=cc), None, queue, POLICY, 10)] == joined


def test_at_most_ten_people_on_a_ticket():
    """Case 145: five hundred colleagues in Cc are not all written to."""
    crowd = [f"p{n}@customer.example" for n in range(500)]
    assert len(people_joining(message("ana@customer.example", cc=crowd), None, SUPPORT, POLICY, 10)) == 9
    assert len(people_joining(message("ana@customer.example", cc=crowd), TICKET, SUPPORT, POLICY, 10)) == 9


def test_only_the_opening_mail_brings_people_where_the_queue_says_so():
    """Cc = "opening": a later Cc adds nobody."""
    queue = replace(SUPPORT, cc="opening")
    assert (
        people_joining(
            message("ana@customer.example", cc=["bob@customer.example"]), TICKET, queue, POLICY, 10
        )
        == ()
    )


def test_strangers_in_cc_are_shown_to_the_agents_only(desk):
    """Case 65: who is not of the domain is a suggestion, and gets no mail."""
    assert people_suggested(message("ana@customer.example", cc=["eve@evil.example"]), TICKET, POLICY) == (
        "eve@evil.example",
    )
    desk.writes("ana@customer.example", "It burns.", cc="eve@evil.example, bob@customer.example")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Water.\n")
    assert desk.sent_to("eve@evil.example") == []
    assert desk.kinds("bob@customer.example") == ["answer"]
    assert "eve@evil.example" in desk.sent_to("kim@desk.example")[0].text


def test_where_senders_can_be_proven_only_a_proven_one_brings_people(tmp_path):
    """An authserv-id is set: an unproven Cc adds nobody, a proven one does."""
    desk = Desk(tmp_path, authserv_id="mx.desk.example")
    desk.writes("ana@customer.example", "It burns.", cc="bob@customer.example")
    assert [p.address for p in desk.ticket(1001).participants] == ["ana@customer.example"]
    desk.writes(
        "ana@customer.example", "Again.", cc="bob@customer.example",
        Authentication_Results="mx.desk.example; dmarc=pass header.from=customer.example",
    )  # fmt: skip
    assert [p.address for p in desk.ticket(1002).participants] == [
        "ana@customer.example",
        "bob@customer.example",
    ]
    desk.close()


def test_somebody_outside_is_read_by_agents_and_never_written_to(desk):
    """A forwarded mail's reader writes with the thread key: filed, the reminders stop, nothing else."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Water?\n")
    desk.answers(desk.last("ana@customer.example"), "eve@evil.example", "I am curious about this.\n")
    assert desk.ticket().person("eve@evil.example").role is Role.OUTSIDE
    assert desk.ticket().status == "open"
    assert "curious" in desk.last("kim@desk.example").text
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Ana, who is Eve?\n")
    assert desk.sent_to("eve@evil.example") == []
    last = desk.last("ana@customer.example")
    assert b"curious" not in last.raw
    assert b"eve@evil" not in last.raw


def test_an_outside_mail_reopens_nothing(desk):
    """A closed ticket stays closed; the agents read the mail."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "#close\nDone.\n")
    desk.answers(desk.last("ana@customer.example"), "eve@evil.example", "Reopen it!\n")
    assert desk.ticket().status == "closed"
    assert "Reopen it!" in desk.last("kim@desk.example").text


def test_a_participant_admits_an_outside_colleague(desk):
    """Bob wrote from outside; Ana, of the same domain, then names him in Cc."""
    desk.writes("ana@customer.example", "It burns.")
    ack = desk.last("ana@customer.example")
    desk.answers(ack, "bob@customer.example", "I see it too.\n")
    assert desk.ticket().person("bob@customer.example").role is Role.OUTSIDE
    desk.answers(ack, "ana@customer.example", "Bob helps me.\n", cc="bob@customer.example")
    assert desk.ticket().person("bob@customer.example").role is Role.PARTICIPANT
    desk.answers(ack, "bob@customer.example", "Thanks.\n")
    assert desk.ticket().person("bob@customer.example").role is Role.PARTICIPANT


def test_a_former_agents_key_is_worth_nothing(desk):
    """Case 92: removed from the file, an old notice answered: filed as from outside, nothing relayed."""
    desk.writes("ana@customer.example", "It burns.")
    notice = desk.last("kim@desk.example")
    desk.use(
        replace(
            POLICY,
            queues={"support": replace(SUPPORT, agents=("lee",))},
            agents={"lee": POLICY.agents["lee"]},
        )
    )
    desk.answers(notice, "kim@desk.example", "#close\nDone.\n")
    assert desk.ticket().status == "open"
    assert desk.kinds("ana@customer.example") == ["acknowledgement"]


def test_a_participants_failed_authentication_is_marked_and_reopens_nothing(tmp_path):
    """Filed for the agents, no acknowledgement, the reminders stop, a closed ticket stays closed."""
    desk = Desk(tmp_path, authserv_id="mx.desk.example")
    forged = "mx.desk.example; dmarc=fail header.from=customer.example"
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Water?\n")
    answer = desk.last("ana@customer.example")
    desk.answers(answer, "ana@customer.example", "Yes.\n", Authentication_Results=forged)
    assert desk.ticket().status == "open"
    assert desk.store.views.timers(1001) == []
    assert desk.entries()[-2].audience == "agents"
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "#close\nDone.\n")
    desk.answers(answer, "ana@customer.example", "Still burns.\n", Authentication_Results=forged)
    assert desk.ticket().status == "closed"
    desk.writes("ana@customer.example", "A new one.", Authentication_Results=forged)
    assert desk.ticket(1002).status == "open"
    assert desk.kinds("ana@customer.example").count("acknowledgement") == 1
    desk.close()
