"""Addresses from which our mail comes back, people who are away, and machines that answer our answers."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mailtickets.desk.facts import AckCounts
from mailtickets.desk.limits import goes_in_circles, likeness
from mailtickets.store.ledger import Taken, compress
from tests.support.desk import POLICY, Desk

ANA, BOB, KIM, LEE = "ana@customer.example", "bob@customer.example", "kim@desk.example", "lee@desk.example"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def marked(desk: Desk, address: str = ANA) -> str:
    """Why nothing automatic goes to an address; "" where it works."""
    return desk.store.facts._person(address).bounced


def is_away(desk: Desk, address: str) -> bool:
    """Whether the desk takes a person to be absent."""
    until = desk.store.facts._person(address).away_until
    return until is not None and until > desk.now


@pytest.fixture
def bounced(desk: Desk) -> Desk:
    """A desk on which Kim's answer to Ana came back: the ticket is open again, the address marked."""
    desk.writes(ANA, "It burns.")
    desk.answers(desk.last(KIM), KIM, "Water?\n")
    desk.bounces(desk.last(ANA), ANA)
    assert (desk.ticket().status, marked(desk)) == ("open", "The address does not exist.")
    return desk


def test_an_answer_to_a_marked_address_is_tried_and_the_agent_knows(bounced: Desk):
    """The mark may be wrong: the text goes out, and the receipt says what came back before."""
    bounced.answers(bounced.last(KIM), KIM, "Are you there?\n")
    assert bounced.last(ANA).text.startswith("Are you there?")
    receipt = bounced.last(KIM)
    assert receipt.kind == "receipt"
    for body in (receipt.text, receipt.html):
        assert (
            f"Automatic mail to {ANA} is stopped (The address does not exist): your text is sent there all the same."
            in " ".join(body.split())
        )


def test_an_agent_who_wants_no_receipts_hears_of_it_too(bounced: Desk):
    """It is a problem, not a receipt."""
    kim = replace(bounced.policy.agents["kim"], receipts="problems")
    bounced.use(replace(bounced.policy, agents={**bounced.policy.agents, "kim": kim}))
    bounced.answers(bounced.last(KIM), KIM, "Are you there?\n")
    assert "is stopped" in bounced.last(KIM).text


@pytest.mark.parametrize("command", ["#close\n", "#resolve\n", "#due 2026-03-20\n"])
def test_a_marked_address_gets_nothing_automatic(bounced: Desk, command: str):
    """A notice without anybody's words is not tried, and the agent is told so."""
    before = len(bounced.sent_to(ANA))
    bounced.answers(bounced.last(KIM), KIM, command)
    assert len(bounced.sent_to(ANA)) == before
    assert (
        f"Automatic mail to {ANA} is stopped (The address does not exist): nothing was sent there."
        in " ".join(bounced.last(KIM).text.split())
    )


def test_nobody_is_reminded_or_closed_at_a_marked_address(bounced: Desk):
    """An answer is tried; then the ticket is open again instead of closed by silence."""
    bounced.answers(bounced.last(KIM), KIM, "Are you there?\n")
    assert bounced.ticket().status == "waiting"
    bounced.lives(6 * DAY, HOUR)
    assert bounced.kinds(ANA)[-1] == "answer"
    assert bounced.ticket().status == "open"


def test_the_others_on_the_ticket_are_still_told(desk: Desk):
    """The notice of the end goes to whom it reaches, and names the marked one nowhere in its envelope."""
    desk.writes(ANA, "It burns.", cc=BOB)
    desk.answers(desk.last(KIM), KIM, "Water?\n")
    desk.bounces(desk.last(ANA), ANA)
    desk.answers(desk.last(KIM), KIM, "#close\n")
    assert desk.sent_to(BOB)[-1].kind == "closed"
    assert desk.sent_to(BOB)[-1].recipients == (BOB,)


@pytest.mark.parametrize("headers", [{}, {"Auto_Submitted": "auto-generated"}, {"Precedence": "auto_reply"}])
def test_only_a_person_makes_an_address_good_again(bounced: Desk, headers: dict[str, Any]):
    """A robot at the same address proves nothing: such a mail may be sent from anywhere, and nobody has read ours."""
    bounced.answers(bounced.sent_to(ANA)[0], ANA, "Here I am.", **headers)
    assert bool(marked(bounced)) is bool(headers)


@pytest.mark.parametrize(
    "how", ["on the ticket", "a new ticket", "on somebody else's ticket", "through a list"]
)
def test_wherever_a_person_writes_the_address_works(bounced: Desk, how: str):
    """The mark is of the address, not of a ticket."""
    if how == "a new ticket":
        bounced.writes(ANA, "Something else is wet.", subject="Water")
        assert bounced.kinds(ANA)[-1] == "acknowledgement"
    elif how == "on somebody else's ticket":
        bounced.writes("carl@other.example", "It is cold.")
        bounced.answers(bounced.last("carl@other.example"), ANA, "I know more of it.")
        assert bounced.history(1002)[-1] == "mail_in"
    else:
        list_id = {"List_Id": "<people.customer.example>"} if how == "through a list" else {}
        bounced.writes(ANA, "Here I am.", subject="[SUP-1001] Printer", **list_id)
    assert not marked(bounced)


def test_a_forged_sender_makes_no_address_good_again(tmp_path):
    """Our own server says that it is not Ana."""
    desk = Desk(tmp_path, authserv_id="mx.desk.example")
    desk.writes(ANA, "It burns.")
    desk.bounces(desk.last(ANA), ANA)
    failed = {"Authentication_Results": "mx.desk.example; dmarc=fail header.from=customer.example"}
    desk.answers(desk.last(ANA), ANA, "Here I am.", **failed)
    assert marked(desk)
    desk.close()


def test_after_that_reminders_go_out_again_and_nothing_old_does(bounced: Desk):
    """What was not sent while the mark stood stays unsent; the next silence is reminded as ever."""
    bounced.answers(bounced.last(KIM), KIM, "Are you there?\n")
    bounced.lives(2 * DAY, HOUR)
    assert bounced.kinds(ANA) == ["acknowledgement", "answer", "answer"]
    bounced.writes(ANA, "Here I am.", subject="[SUP-1001] Printer")
    bounced.lives(DAY, HOUR)
    assert bounced.kinds(ANA) == ["acknowledgement", "answer", "answer"], "nothing is made up for"
    bounced.answers(bounced.last(KIM), KIM, "Is it out?\n")
    assert bounced.last(KIM).kind != "receipt"
    bounced.lives(4 * DAY + HOUR, HOUR)
    assert bounced.kinds(ANA)[3:] == ["answer", "reminder", "reminder", "closed"]


def test_a_mail_lost_for_a_passing_reason_marks_nobody_and_starts_no_silence(desk: Desk):
    """4.2.2 after days of tries: the address may work tomorrow, but this answer was not read."""
    desk.writes(ANA, "It burns.")
    desk.answers(desk.last(KIM), KIM, "Water?\n")
    desk.bounces(desk.last(ANA), ANA, status="4.2.2")
    assert not marked(desk)
    assert desk.ticket().status == "open"
    assert f"Our mail to {ANA} came back." in desk.last(KIM).text
    desk.answers(desk.last(KIM), KIM, "Water, once more?\n")
    desk.lives(25 * HOUR, HOUR)
    assert desk.kinds(ANA)[-1] == "reminder"


def test_who_is_away_gets_no_ticket_dealt_out(desk: Desk):
    """Round robin goes on to the next one, until the agent writes again; where all are away, as ever."""
    queue = replace(POLICY.queues["support"], notify="round-robin")
    desk.use(replace(POLICY, queues={"support": queue}))
    desk.writes(ANA, "It burns.")
    first = desk.ticket(1001).assignee
    owner, other = (KIM, "lee") if first == "kim" else (LEE, "kim")
    desk.machine(desk.last(owner), owner, "I am out of the office until 9 March 2026.")
    for number in (1002, 1003):
        desk.writes(f"ana{number}@customer.example", "It burns.")
        assert desk.ticket(number).assignee == other
    desk.lives(8 * DAY, DAY)
    desk.writes("ana4@customer.example", "It burns.")
    assert desk.ticket(1004).assignee == first


@pytest.mark.parametrize("proof", ["key", "pass", ""])
def test_only_a_proven_agent_is_back(tmp_path, proof: str):
    """A mail in an absent agent's name brings nobody back; the own key does, and the own server's word."""
    desk = Desk(tmp_path, authserv_id="mx.desk.example")
    desk.writes(ANA, "It burns.")
    notice = desk.last(KIM)
    desk.machine(notice, KIM, "I am on holiday until 20 March 2026.")
    assert is_away(desk, KIM)
    passed = {"Authentication_Results": "mx.desk.example; dmarc=pass header.from=desk.example"}
    match proof:
        case "key":
            desk.answers(notice, KIM, "Please try water.")
        case "pass":
            desk.writes(KIM, "My own printer burns, too.", subject="Help", **passed)
        case _:
            desk.writes(KIM, "My own printer burns, too.", subject="Help")
    assert desk.copies()[-1][0] == "on_ticket"
    assert is_away(desk, KIM) is not bool(proof)
    desk.close()


def test_a_machine_that_sends_too_large_mail_is_told_so_a_few_times(desk: Desk):
    """Each mail on the ticket is too large; what the desk says to that counts like any automatic answer."""
    desk.writes(ANA, "It burns.")
    for number in range(5):
        raw = desk.mail(ANA, f"Picture {number}.", in_reply_to=desk.sent_to(ANA)[0])
        taken = Taken(
            "support",
            "INBOX",
            f"2/{number}",
            hashlib.sha256(raw).digest(),
            compress(raw),
            raw,
            99_000_000,
            desk.now,
            truncated=True,
        )
        desk.line.accept([taken])
        desk.run()
    assert desk.kinds(ANA) == ["acknowledgement", "too_large", "too_large"]


# -- circles --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("We have received your request 17.", "we have  received your\nrequest 18.", True),
        ("Your request CASE-7001 of 26.11. is received.", "Your request CASE-9 of 1.12. is received.", True),
        ("My printer on the first floor burns.", "My printer on the second floor burns.", False),
        ("It burns.", "It burns.", False),  # too short to say anything
        ("", "", False),
    ],
)
def test_texts_are_alike_that_differ_in_numbers_only(one: str, other: str, alike: bool):
    """Numbers, dates, case and spaces do not count."""
    assert bool(likeness(one) and likeness(one) == likeness(other)) is alike


@pytest.mark.parametrize(
    ("address", "alike", "of_domain", "proven", "known", "stops"),
    [
        ("ana@customer.example", 2, 2, False, False, False),
        ("ana@customer.example", 3, 3, False, False, True),
        ("ana@customer.example", 3, 3, True, True, True),
        ("ana@customer.example", 0, 9, False, False, False),
        ("ana@customer.example", 0, 10, False, False, True),
        ("ana@customer.example", 0, 10, True, False, False),
        ("ana@customer.example", 0, 10, False, True, False),
        ("ana@gmail.com", 0, 10, False, False, False),
    ],
)
def test_a_circle_is_three_of_an_address_or_ten_of_a_domains_strangers(
    address: str, alike: int, of_domain: int, proven: bool, known: bool, stops: bool
):
    """People who are proven or known, and large mail providers, are judged by their own address alone."""
    counts = AckCounts(alike=alike, alike_domain=of_domain)
    assert bool(goes_in_circles(address, counts, 10, proven=proven, known=known)) is stops
    by_address = bool(goes_in_circles(address, counts, 0, proven=proven, known=known))
    assert by_address is (alike >= 3), "0 is no limit for domains"


def test_colleagues_who_write_the_same_are_acknowledged(desk: Desk):
    """Ten people of a company send the text of a circular; each gets an acknowledgement."""
    for number in range(10):
        desk.writes(f"p{number}@customer.example", "I cannot log in to the new portal since this morning.")
        assert desk.kinds(f"p{number}@customer.example") == ["acknowledgement"]


def test_a_fourth_mail_with_the_same_words_is_kept_and_not_acknowledged(desk: Desk):
    """The admins are told once; a mail with other words is acknowledged again; the day after, so is the same."""
    desk.use(replace(POLICY, limits=replace(POLICY.limits, ack_per_address_day=0)))
    for number in range(5):
        desk.writes(ANA, f"Your request has reached us as number {number}.")
    assert desk.kinds(ANA) == ["acknowledgement"] * 3
    assert desk.ticket(1005).status == "open"
    assert [mail.kind for mail in desk.sent_to("it@desk.example")] == ["trouble"]
    assert "a machine may answer us" in " ".join(desk.last(KIM).text.split())
    desk.writes(ANA, "My printer on the second floor burns.")
    assert desk.kinds(ANA)[3:] == ["acknowledgement"]
    desk.passes(DAY + HOUR)
    desk.writes(ANA, "Your request has reached us as number 9.")
    assert desk.kinds(ANA)[4:] == ["acknowledgement"]


@pytest.mark.parametrize("proven", [False, True])
def test_a_machine_with_an_address_for_each_mail_is_known_by_its_mailbox(tmp_path, proven: bool):
    """A desk that answers from `help+id7@` is one machine: without any limit, the circle still ends after three."""
    desk = Desk(
        tmp_path, replace(POLICY, limits=replace(POLICY.limits, ack_per_address_day=0, ack_per_proven_address_day=0)), "mx.desk.example"
    )  # fmt: skip
    passed = (
        {"Authentication_Results": "mx.desk.example; dmarc=pass header.from=other.example"} if proven else {}
    )
    for number in range(8):
        desk.writes(
            f"help+id{number}@other.example",
            f"Your request {number} was received and we will answer.",
            **passed,
        )
        desk.passes(timedelta(minutes=5))
    assert [mail.recipients[0] for mail in desk.sent if mail.kind == "acknowledgement"] == [
        f"help+id{number}@other.example" for number in range(3)
    ]
    desk.writes("other+id1@other.example", "My own printer on the second floor burns.", **passed)
    assert desk.kinds("other+id1@other.example") == ["acknowledgement"]
    desk.close()
