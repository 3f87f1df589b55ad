"""Which ticket a mail belongs to: the ladder of proofs, rung by rung."""

from __future__ import annotations

import pytest

from mailtickets.desk.thread import strip_tags

LONG = "[SUP-" + "1" * 5000 + "]"


@pytest.fixture
def opened(desk):
    """A desk with ticket 1001 of Ana's."""
    desk.writes("ana@customer.example", "It burns.")
    return desk


def numbers(desk):
    """The tickets that there are."""
    return [
        ticket.number for ticket in sorted(desk.store.views.tickets(unfinished=False), key=lambda t: t.number)
    ]


def test_the_recipient_address_alone_leads_to_the_ticket(opened):
    """Plus-addressing: subject and references may be lost."""
    ack = opened.last("ana@customer.example")
    opened.writes("ana@customer.example", "More smoke.", subject="smoke", to=ack["Reply-To"])
    assert numbers(opened) == [1001]


def test_references_alone_lead_to_the_ticket(opened):
    """The tag was taken out of the subject, and the address is the queue's."""
    ack = opened.last("ana@customer.example")
    opened.writes("ana@customer.example", "More smoke.", subject="smoke", in_reply_to=ack)
    assert numbers(opened) == [1001]


def test_the_thread_id_survives_a_rewritten_message_id(opened):
    """A provider gave our mail another Message-ID; the first References entry still names the ticket."""
    ack = opened.last("ana@customer.example")
    opened.writes(
        "ana@customer.example", "More smoke.", subject="smoke", In_Reply_To="<rewritten@provider.example>",
        References=f"{ack['References']} <rewritten@provider.example>",
    )  # fmt: skip
    assert numbers(opened) == [1001]


def test_an_agents_quoted_footer_leads_to_the_ticket(opened):
    """Only the footer's key line is left of the notice, in the quote."""
    notice = opened.last("kim@desk.example")
    footer = next(line for line in notice.text.split("\n") if line.startswith("Ref:"))
    opened.writes("kim@desk.example", f"Water.\n\n> {footer}\n", subject="hello")
    assert numbers(opened) == [1001]
    assert opened.kinds("ana@customer.example")[-1] == "answer"


@pytest.mark.parametrize(
    "subject",
    [
        "[SUP-1001] Printer",
        "Re: [sup-1001] Printer",
        "RE: [EXT] AW: Fwd: [SUP-1001] Printer",
        "x [OTHER-7] [SUP-1001]",
    ],
)
def test_a_tag_leads_a_participant_to_the_ticket(opened, subject):
    """Case 77: a tag counts from people on the ticket."""
    opened.writes("ana@customer.example", "More smoke.", subject=subject)
    assert numbers(opened) == [1001]


def test_a_tag_split_by_encoded_words_counts(opened):
    """Case 77: decoded and unfolded first, matched then."""
    raw = opened.mail("ana@customer.example", "More smoke.", subject="X")
    raw = raw.replace(b"Subject: X", b"Subject: =?utf-8?q?=5BSUP-10?=\n =?utf-8?q?01=5D_Rauch?=")
    opened.receives(raw)
    assert numbers(opened) == [1001]


@pytest.mark.parametrize(
    "subject",
    ["[SUP-\uff11\uff10\uff10\uff11]", "[SUP-\u0661\u0660\u0660\u0661]", "[SUP-0001001]", "[SUP-1_001]", LONG, "[T-1001]",
     "[SUP-1002]", "SUP-1001", "[SUP 1001]", "[SUP-1001"],
)  # fmt: skip
def test_what_only_looks_like_a_tag_opens_a_new_ticket(opened, subject):
    """Case 70: ASCII digits, no leading zero, at most ten, in brackets, of our own desk."""
    opened.writes("ana@customer.example", "More smoke.", subject=subject)
    assert numbers(opened) == [1001, 1002]


def test_a_strangers_tag_opens_a_ticket_and_tells_the_agents_only(opened):
    """Case 64: the stranger gets the same acknowledgement as anybody; the existence is not revealed."""
    opened.writes("eve@evil.example", "What about it?", subject="[SUP-1001] Printer on fire")
    assert numbers(opened) == [1001, 1002]
    ack = opened.last("eve@evil.example")
    assert ack.kind == "acknowledgement"
    assert b"SUP-1001" not in ack.raw
    assert b"burns" not in ack.raw
    assert "SUP-1001" in opened.last("kim@desk.example").text


def test_a_forged_key_proves_nothing(opened):
    """Case 67: our form with a wrong signature."""
    ack = opened.last("ana@customer.example")
    forged = ack["Reply-To"].replace("support+t1-1001-", "support+t1-1001-a")[:-20]
    opened.writes(
        "eve@evil.example", "Hi.", subject="hello", to=f"{forged}@desk.example, support@desk.example"
    )
    opened.writes(
        "eve@evil.example",
        "Hi.",
        subject="hello 2",
        In_Reply_To="<id3.t1-1001-aaaaaaaaaaaaaaaa@desk.example>",
    )
    assert numbers(opened) == [1001, 1002, 1003]


def test_a_key_wins_over_a_tag(opened):
    """Case 68: the tag says one ticket, the key another."""
    opened.now = opened.now.replace(hour=12)
    opened.writes("ana@customer.example", "Another matter.", subject="Coffee")
    ack = opened.last("ana@customer.example")
    opened.writes("ana@customer.example", "No milk either.", subject="[SUP-1001] Coffee", to=ack["Reply-To"])
    assert opened.history(1002).count("mail_in") == 2
    assert opened.history(1001).count("mail_in") == 1


def test_a_customers_own_id_leads_people_of_the_ticket_only(opened):
    """Somebody who was in copy answers Ana's mail to all: Bob is on the ticket, Eve is not."""
    raw = opened.mail(
        "ana@customer.example", "Also the scanner.", subject="Scanner", cc="bob@customer.example"
    )
    message_id = next(line for line in raw.decode().split("\n") if line.startswith("Message-ID:")).partition(
        " "
    )[2]
    opened.receives(raw)
    opened.writes("bob@customer.example", "Indeed.", subject="Scanner", In_Reply_To=message_id)
    assert numbers(opened) == [1001, 1002]
    opened.writes("eve@evil.example", "Indeed?", subject="Scanner", In_Reply_To=message_id)
    assert numbers(opened) == [1001, 1002, 1003]


def test_an_empty_message_id_matches_nothing(opened):
    """Case 32: two mails without ids are two tickets."""
    for text in ("One.", "Two."):
        raw = opened.mail("bob@customer.example", text)
        raw = b"\n".join(line for line in raw.split(b"\n") if not line.startswith(b"Message-ID"))
        opened.receives(raw)
    assert numbers(opened) == [1001, 1002, 1003]


def test_twenty_thousand_references_are_bounded(opened):
    """Case 73: the last fifty and the first are read; the thread id stands first."""
    ack = opened.last("ana@customer.example")
    many = "\n ".join(f"<n{n}@x.example>" for n in range(20_000))
    raw = opened.mail("ana@customer.example", "More smoke.", subject="smoke")
    opened.receives(
        raw.replace(b"Subject:", f"References: {ack['References'].split()[0]}\n {many}\nSubject:".encode())
    )
    assert numbers(opened) == [1001]


def test_the_same_person_within_the_hour_is_a_hint(opened):
    """Two mails of one person: two tickets, and the agents are told that they may belong together."""
    opened.writes("ana@customer.example", "And smokes.", subject="smoke")
    assert numbers(opened) == [1001, 1002]
    assert "ay belong to SUP-1001" in opened.last("kim@desk.example").text


def test_our_tags_are_taken_off_and_others_kept():
    """A tag of another desk is part of the subject."""
    assert strip_tags("[SUP-1042] [ACME-7] Printer", ["SUP"]) == "[ACME-7] Printer"
    assert strip_tags("[SUP-1042 confirm ABCD-2345] Printer", ["SUP"]) == "Printer"


def test_long_ids_of_strangers_are_not_echoed(desk):
    """An id above 250 letters is kept on the entry, and stands in no mail of ours."""
    long_id = f"<{'x' * 300}@customer.example>"
    raw = desk.mail("ana@customer.example", "It burns.")
    lines = [line for line in raw.split(b"\n") if not line.startswith(b"Message-ID")]
    desk.receives(f"Message-ID: {long_id}\n".encode() + b"\n".join(lines))
    ack = desk.last("ana@customer.example")
    assert b"xxxxxxxx" not in ack.raw
    assert ack["In-Reply-To"].startswith("<t1-1001-")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Water.\n")
    assert b"xxxxxxxx" not in desk.last("ana@customer.example").raw
