"""Section E: which ticket a mail belongs to, and who must not get into one."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailtickets.desk.ticket import Role
from tests.hostile.answers import ANNAS, BENS, answer, kinds, why
from tests.hostile.desk import CORA, EVE, HostileDesk, Met
from tests.hostile.limited import meets_within
from tests.support.desk import SentMail

CORAS = "cora@client.example"


def plain(mail: SentMail) -> str:
    """A mail's subject and text without what differs from ticket to ticket."""
    return re.sub(r"SUP-[0-9]+|t1-[0-9]+-[a-z2-7]{16}", "*", f"{mail['Subject']}\n{mail.text}")


def is_new_for(desk: HostileDesk, met: Met, address: str) -> None:
    """The mail opened a ticket of its own, and SUP-1001 knows nothing of it."""
    assert (met.state, met.is_new) == ("on_ticket", True)
    assert desk.ticket(met.ticket).requester == address
    assert desk.ticket().person(address) is None or desk.ticket().requester == address


@pytest.mark.case(64)
@pytest.mark.parametrize("tag", ["[SUP-1001]", "[sup-1001]", "[SUP-4711]", "Re: [SUP-1001] Printer on fire"])
def test_64_a_strangers_tag_opens_a_ticket_of_their_own(busy: HostileDesk, tag: str):
    """The acknowledgement is that of any mail, whether the ticket exists or not; the agents have a hint."""
    busy.writes("other@plain.example", "My scanner is wet.", subject="A question")
    usual = plain(busy.last("other@plain.example"))
    before = busy.history()
    met = busy.meets(busy.mail(EVE, "What is the matter?", subject=f"{tag} A question"))
    is_new_for(busy, met, EVE)
    assert busy.history() == before
    assert kinds(met, EVE) == ["acknowledgement"]
    assert plain(met.to(EVE)[0]) == usual
    assert b"1001" not in met.to(EVE)[0].raw
    assert b"fire" not in met.to(EVE)[0].raw
    hint = "Names SUP-1001, in which this sender has no part."
    told = " ".join(met.to(ANNAS)[0].text.split())
    assert (hint in told) is ("1001" in tag)


@pytest.mark.case(65)
@pytest.mark.parametrize("cc", ["eve2@evil.example", f"{EVE}, cora@client.example", "eve@evil.example"])
def test_65_a_stranger_in_cc_joins_nobodys_ticket(busy: HostileDesk, cc: str):
    """Neither by the tag nor by Cc: the next answer on SUP-1001 goes to cora alone."""
    met = busy.meets(busy.mail(EVE, "Send it to me, too.", subject="[SUP-1001] Printer on fire", cc=cc))
    is_new_for(busy, met, EVE)
    assert met.customers == {EVE}
    assert [person.address for person in busy.ticket().people] == [CORAS]
    busy.answers(busy.sent_to(ANNAS)[0], ANNAS, "And sand.\n")
    assert busy.sent[-1].recipients == (CORAS,)


@pytest.mark.case(65)
def test_65_a_participants_cc_of_a_stranger_is_only_shown(busy: HostileDesk):
    """Cora names eve in Cc: the agents see it, and eve gets nothing."""
    met = busy.meets(answer(busy, busy.last(CORAS), CORA, "Eve knows more.\n", cc=EVE))
    assert met.ticket == 1001
    assert busy.ticket().person(EVE) is None
    assert EVE in met.to(ANNAS)[0].text
    assert busy.sent_to(EVE) == []


@pytest.mark.case(67)
@pytest.mark.parametrize("place", ["In-Reply-To", "References", "To", "footer"])
@pytest.mark.parametrize("kind", ["thread", "agent"])
def test_67_our_form_of_a_key_with_a_wrong_signature(busy: HostileDesk, place: str, kind: str):
    """It is no proof of the thread, wherever it stands; the ledger says that it was seen."""
    key = f"t1-1001-{'a' * 16}" if kind == "thread" else f"a1-1001-0-{'a' * 16}-anna"
    fields: dict[str, Any] = {
        "In-Reply-To": {"In_Reply_To": f"<x.{key}@desk.example>"},
        "References": {"References": f"<{key}@desk.example> <y@evil.example>"},
        "To": {"to": f"support+{key}@desk.example"},
        "footer": {},
    }[place]
    text = f"Hello.\n\n> Ref: {key}\n" if place == "footer" else "Hello.\n"
    met = busy.meets(busy.mail(EVE, text, **fields))
    is_new_for(busy, met, EVE)
    assert "is none: it proves nothing" in why(busy)
    assert busy.ticket().status == "waiting"


@pytest.mark.case(68)
@pytest.mark.parametrize("place", ["Reply-To", "References"])
def test_68_tag_and_signed_reference_disagree(busy: HostileDesk, place: str):
    """The key leads; the other ticket is not touched, nothing is merged, and `why` names the mismatch."""
    busy.writes(CORA, "My scanner is wet.", subject="Scanner")
    other, sent = busy.entries(1002), busy.last(CORAS, "answer")
    if place == "Reply-To":
        more: dict[str, Any] = {"to": busy.sent_to(CORAS)[0]["Reply-To"], "subject": "[SUP-1002] Scanner"}
        raw = busy.mail(CORA, "It is out.", **more)
    else:
        raw = answer(
            busy, sent, CORA, "It is out.", subject="Re: [SUP-1002] Scanner", to="support@desk.example"
        )
    met = busy.meets(raw)
    assert (met.ticket, met.is_new, busy.ticket().status) == (1001, False, "open")
    assert busy.entries(1002) == other
    assert "the subject names SUP-1002, but the key goes first" in why(busy)


ODD = {
    "fullwidth": "[SUP-\uff11\uff10\uff10\uff11]",
    "arabic": "[SUP-\u0661\u0660\u0660\u0661]",
    "one arabic": "[SUP-100\u0661]",
    "leading zeros": "[SUP-0001001]",
    "underscore": "[SUP-1_001]",
    "plus": "[SUP-+1001]",
    "space": "[SUP- 1001]",
    "superscript": "[SUP-100\u00b9]",
    "5000 digits": f"[SUP-1001{'0' * 5000}]",
    "11 digits": "[SUP-10010000000]",
    "beyond 63 bits": "[SUP-9223372036854775808]",
    "fullwidth letters": "[\uff33\uff35\uff30-1001]",
    "long s": "[\u017fUP-1001]",
    "unclosed": "[SUP-1001",
}


@pytest.mark.case(70)
@pytest.mark.parametrize("name", ODD)
def test_70_odd_digits_are_no_tag(busy: HostileDesk, name: str):
    """From cora, whom a true tag would have led to her ticket: a new ticket, and nothing breaks."""
    met = busy.meets(busy.mail(CORA, "Once more.", subject=f"{ODD[name]} Printer"))
    is_new_for(busy, met, CORAS)
    assert busy.ticket().status == "waiting"


def with_id(raw: bytes, message_id: str) -> bytes:
    """The same mail under another Message-ID."""
    changed, count = re.subn(rb"(?m)^Message-ID: <[^>]+>", f"Message-ID: {message_id}".encode(), raw)
    assert count == 1
    return changed


@pytest.mark.case(71)
def test_71_a_message_id_that_somebody_took_before(desk: HostileDesk):
    """Eve sends first with the Message-ID that cora's mail will have: cora's is a mail of its own, and so are its answers."""
    taken = "<printer-1@client.example>"
    first = desk.meets(with_id(desk.mail(EVE, "I was first."), taken))
    true = with_id(desk.mail(CORA, "My printer is on fire."), taken)
    met = desk.meets(true)
    assert met.is_new
    assert met.ticket != first.ticket
    assert "duplicate" not in met.reason
    assert kinds(met, CORAS) == ["acknowledgement"]
    again = desk.meets(desk.mail(CORA, "It still burns.", subject="x", In_Reply_To=taken))
    assert (again.ticket, again.is_new) == (met.ticket, False)
    hers = desk.meets(desk.mail(EVE, "And I?", subject="x", In_Reply_To=taken))
    assert hers.ticket == first.ticket


@pytest.mark.case(71)
def test_71_a_message_id_taken_in_coras_name(desk: HostileDesk):
    """The same with cora's address and subject forged: another body makes another mail."""
    taken = "<printer-1@client.example>"
    forged, true = (
        with_id(desk.mail(CORA, text), taken) for text in ("All is well, close it.", "My printer is on fire.")
    )
    desk.meets(forged)
    met = desk.meets(true)
    assert met.state == "on_ticket"
    assert desk.entries(met.ticket)[-1].kind != "duplicate"
    assert any("on fire" in entry.text for entry in desk.entries(met.ticket))


def with_references(desk: HostileDesk, ids: list[str]) -> bytes:
    """Cora's mail, whose References hold these ids and nothing else names the ticket."""
    head, _, body = desk.mail(CORA, "It is out.", subject="x").partition(b"\n\n")
    return head + b"\nReferences: " + "\n ".join(ids).encode() + b"\n\n" + body


@pytest.mark.case(73)
@pytest.mark.parametrize(("at", "found"), [(0, True), (-1, True), (-50, True), (10_000, False)])
def test_73_of_twenty_thousand_references_the_first_and_the_last_fifty(
    busy: HostileDesk, at: int, *, found: bool
):
    """Where programs put the thread's root and the parent, a reference is found; in the middle nobody looks."""
    ids = [f"<{number}@x.example>" for number in range(20_000)]
    ids[at] = busy.last(CORAS)["Message-ID"]
    met = busy.meets(with_references(busy, ids))
    assert (met.ticket == 1001) is found
    assert met.is_new is not found


@pytest.mark.case(73)
def test_73_twenty_thousand_references_cost_no_time(tmp_path: Path):
    """The whole mail of half a megabyte is read, decided and filed in a second of processor time, or the system ends it."""
    ids = "\n ".join(f"<{number}.abcdefgh@x.example>" for number in range(20_000))
    raw = f"From: {EVE}\nTo: support@desk.example\nSubject: x\nReferences: {ids}\n\nHello.\n".encode()
    met = meets_within(tmp_path / "desk", raw, seconds=1, megabytes=200)
    assert (met["state"], met["reason"]) == ("on_ticket", "opened a ticket")


@pytest.mark.case(74)
@pytest.mark.parametrize("by", ["key", "tag"])
def test_74_a_reply_to_a_ticket_closed_long_ago(busy: HostileDesk, by: str):
    """A new ticket, linked to the old one, and acknowledged like any; the old one stays closed."""
    busy.answers(busy.sent_to(ANNAS)[0], ANNAS, "#close\nAll is well.\n")
    last = busy.last(CORAS)
    busy.lives(timedelta(days=31), timedelta(days=1))
    raw = (
        answer(busy, last, CORA, "It burns again.\n")
        if by == "key"
        else busy.mail(CORA, "It burns again.\n", subject="[SUP-1001] Printer on fire")
    )
    met = busy.meets(raw)
    is_new_for(busy, met, CORAS)
    assert (busy.ticket(met.ticket).linked, busy.ticket().status) == (1001, "closed")
    assert kinds(met, CORAS) == ["acknowledgement"]
    told = " ".join(met.to(ANNAS)[0].text.split())
    assert "Continues SUP-1001, which was closed too long ago to be reopened." in told


@pytest.mark.case(76)
def test_76_the_right_tag_from_coras_other_address(busy: HostileDesk):
    """A tag alone gives nothing: a new ticket with a hint, and nothing of the history goes there."""
    met = busy.meets(busy.mail("cora@home.example", "It is me.", subject="Re: [SUP-1001] Printer on fire"))
    is_new_for(busy, met, "cora@home.example")
    assert kinds(met, "cora@home.example") == ["acknowledgement"]
    assert b"water" not in met.to("cora@home.example")[0].raw
    assert "SUP-1001" in met.to(ANNAS)[0].text


@pytest.mark.case(76)
def test_76_the_right_key_from_coras_other_address(busy: HostileDesk):
    """With a proof of the thread she is outside: agents read it, nothing is sent to her, also later."""
    sent = busy.last(CORAS)
    met = busy.meets(answer(busy, sent, "cora@home.example", "It is me.\n"))
    assert (met.ticket, met.is_new, met.customers) == (1001, False, set())
    person = busy.ticket().person("cora@home.example")
    assert person is not None
    assert person.role is Role.OUTSIDE
    assert "cora@home.example is not on this ticket" in " ".join(met.to(ANNAS)[0].text.split())
    assert kinds(met, BENS) == []  # anna has the ticket
    busy.answers(busy.sent_to(ANNAS)[-1], ANNAS, "And sand.\n")
    assert busy.sent_to("cora@home.example") == []


SUBJECTS = {
    "encoded words": "=?utf-8?q?Re=3A_=5BSUP-10?= =?utf-8?q?01=5D_Printer?=",
    "base64 words": "=?utf-8?b?UmU6IFtTVVA=?=\n =?utf-8?b?LTEwMDFdIFByaW50ZXI=?=",
    "folded": "Re: Printer\n [SUP-1001]\n on fire",
    "prefixes": "RE: [EXT] AW: [SUP-1001] Printer on fire",
    "lower case": "re: [sup-1001] printer",
    "behind another desk's": "Re: [ACME-7] [#1234] [SUP-1001] Printer",
    "at the end": "WG: Printer on fire [SUP-1001]",
}


@pytest.mark.case(77)
@pytest.mark.parametrize("name", SUBJECTS)
def test_77_a_tag_behind_what_mail_programs_do_to_it(busy: HostileDesk, name: str):
    """Decoded, unfolded, then matched: cora's reply is on her ticket."""
    raw = busy.mail(CORA, "It is out.", subject="x").replace(
        b"Subject: x", f"Subject: {SUBJECTS[name]}".encode()
    )
    met = busy.meets(raw)
    assert (met.ticket, met.is_new, busy.ticket().status) == (1001, False, "open")
