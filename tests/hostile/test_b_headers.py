"""Section B: headers and addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.desk import CORA, HostileDesk
from tests.hostile.limited import meets_within
from tests.hostile.mails import (
    ANNA,
    EVE,
    as_bytes,
    last_notice,
    notice,
    opened,
    reason_of,
    seen,
    text_of,
    told,
    why,
    written,
)
from tests.support.desk import SentMail

AS_ANNA = "Anna Archer <anna@desk.example>"


def answer_to(asked: SentMail, *fields: str | bytes) -> bytes:
    """What anna's mail program sends as an answer to a notice, with her key in it, under a From that stands in `fields`."""
    return written(
        "#close\nYour ticket is closed.", f"In-Reply-To: {asked['Message-ID']}", f"References: {asked['References']} {asked['Message-ID']}",
        *fields, from_=None, to=asked["Reply-To"], subject=f"Re: {asked['Subject']}",
    )  # fmt: skip


def nothing_done(desk: HostileDesk, before: list[str]) -> None:
    """Cora's ticket was neither answered nor closed, and cora got nothing; a mail from outside stops its reminders."""
    assert desk.ticket(1001).status in {"waiting", "open"}
    assert "mail_out" not in desk.history(1001)[len(before) :]
    assert desk.kinds("cora@client.example") == ["acknowledgement", "answer"]


def gives_no_rights(desk: HostileDesk, *fields: str | bytes) -> None:
    """A From that is not anna's gives none of her rights, not even where her key comes with it."""
    before = desk.history(1001)
    met = desk.meets(answer_to(last_notice(desk), *fields))
    assert met.state in {"on_ticket", "held", "ignored"}
    nothing_done(desk, before)
    assert met.customers == set()


def not_shown_as_anna(mail: SentMail) -> None:
    """No notice shows anna as the writer: not in its From, and not in the line that says who wrote."""
    assert "anna" not in mail["From"].lower()
    for form in (mail.text, seen(mail.html)):
        (line,) = [line for line in form.split("\n") if line.startswith("From ")]
        assert "anna" not in line.lower(), line


@pytest.mark.case(19)
@pytest.mark.parametrize("from_", [None, "", "<>", '"" <>', "()", ",", "undisclosed"])
def test_19_no_sender(desk: HostileDesk, from_: str | None):
    """A ticket of nobody's: not acknowledged, and an answer of an agent comes back with the reason."""
    met = desk.meets(written(from_=from_))
    opened(met, acknowledged=False)
    assert desk.ticket(met.ticket).requester == ""
    assert "unknown sender" in notice(met)["From"] or from_ == "undisclosed"
    told(met, "Nobody's address is known here")
    desk.answers(notice(met), AS_ANNA, "Please try water.")
    assert desk.last(ANNA).kind == "not_sent"
    assert "nobody to send it to" in " ".join(desk.last(ANNA).text.split())
    assert "mail_out" not in desk.history(met.ticket)


TWO = {
    "agent first": (f"From: {AS_ANNA}", f"From: Eve <{EVE}>"),
    "attacker first": (f"From: Eve <{EVE}>", f"From: {AS_ANNA}"),
    "alike": (f"From: {AS_ANNA}", f"From: {AS_ANNA}"),
}
GROUPS = {
    "two": "From: Support: anna@desk.example, eve@evil.example;",
    "one": "From: Support: anna@desk.example;",
    "empty": "From: Support:;",
    "list": "From: anna@desk.example, eve@evil.example",
    "semicolon": "From: anna@desk.example; eve@evil.example",
}


@pytest.mark.case(20)
@pytest.mark.parametrize("kind", TWO)
def test_20_two_from_fields(busy: HostileDesk, kind: str):
    """Nobody wrote it: no rights, no acknowledgement; the notice says so and shows nobody as its writer."""
    met = busy.meets(written("Hello.", *TWO[kind], from_=None))
    opened(met, acknowledged=False)
    assert busy.ticket(met.ticket).requester == ""
    assert "more than one From field" in reason_of(busy, met)
    told(met, "nobody knows who wrote it: more than one From field")
    not_shown_as_anna(notice(met))
    assert busy.entries(met.ticket)[0].actor == "unknown"
    gives_no_rights(busy, *TWO[kind])


@pytest.mark.case(22)
@pytest.mark.parametrize("kind", GROUPS)
def test_22_a_group_or_list_as_from(busy: HostileDesk, kind: str):
    """The same for a group, also of one, and for several addresses."""
    met = busy.meets(written("Hello.", GROUPS[kind], from_=None))
    opened(met, acknowledged=False)
    assert busy.ticket(met.ticket).requester == ""
    told(met, "no single sender")
    not_shown_as_anna(notice(met))
    gives_no_rights(busy, GROUPS[kind])


@pytest.mark.case(23)
@pytest.mark.parametrize(
    "from_",
    [
        "anna@desk.example <eve@evil.example>",
        '"anna@desk.example" <eve@evil.example>',
        "<anna@desk.example> <eve@evil.example>",
        "anna@desk.example (x) <eve@evil.example>",
        "Anna <anna@desk.example> eve@evil.example",
        '"<anna@desk.example>" eve@evil.example',
        "anna@desk.example\0<eve@evil.example>",
    ],
    ids=range(7),
)
def test_23_an_agents_address_before_the_attackers(busy: HostileDesk, from_: str):
    """The sender is eve or nobody, never anna; a display name that is anna's address is told of, and not shown as a name."""
    met = busy.meets(written(from_=from_))
    assert busy.ticket(met.ticket).requester in {EVE, ""}
    assert met.customers <= {EVE}
    not_shown_as_anna(notice(met))
    if busy.ticket(met.ticket).requester == EVE:
        told(
            met,
            "look-alike: this sender is not Anna Archer <anna@desk.example>; the address is eve@evil.example",
        )
    gives_no_rights(busy, f"From: {from_}")


@pytest.mark.case(25)
@pytest.mark.parametrize(
    "from_",
    [
        "anna@desk.example@evil.example",
        "<anna@desk.example@evil.example>",
        "anna@evil.example@desk.example",
        "anna@@desk.example",
    ],
)
def test_25_two_at_signs(busy: HostileDesk, from_: str):
    """No address at all, or one that is not trusted: no acknowledgement, no rights."""
    met = busy.meets(written(from_=from_))
    assert met.state in {"on_ticket", "held"}
    assert met.customers == set()
    gives_no_rights(busy, f"From: {from_}")


@pytest.mark.case(25)
@pytest.mark.parametrize(
    "from_", ["Archer, Anna <anna@desk.example>", "Anna <anna@desk.example", "anna@desk.example; x"]
)
def test_25_an_agents_address_that_is_not_well_formed(busy: HostileDesk, from_: str):
    """It gives no rights either: what came with anna's key is held, and anna is asked at her own address."""
    gives_no_rights(busy, f"From: {from_}")


@pytest.mark.case(26)
@pytest.mark.parametrize(
    "name",
    [
        "=?utf-8?q?anna=40desk=2Eexample=3E?=",
        "=?utf-8?b?PGFubmFAZGVzay5leGFtcGxlPg==?=",
        "=?utf-8?q?Anna_Archer_=3Canna=40desk=2Eexample=3E=2C?=",
        "=?utf-8?q?anna=40desk=2Eexample=0D=0ABcc:_x=40evil=2Eexample?=",
        "=?utf-8?q?anna=EF=BC=A0desk=2Eexample?=",
    ],
    ids=["angle", "angles", "name", "line break", "full width"],
)
def test_26_a_display_name_that_decodes_to_an_address(busy: HostileDesk, name: str):
    """The sender is eve; the name is not shown as one, and the agents are told what it pretends."""
    met = busy.meets(written(from_=f"{name} <{EVE}>"))
    is_group = "Bcc:" in name  # a colon outside of quotes makes it one
    opened(met, acknowledged=not is_group)
    assert busy.ticket(met.ticket).requester == ("" if is_group else EVE)
    not_shown_as_anna(notice(met))
    assert not [mail for mail in met.sent if "Bcc" in mail.parsed]
    gives_no_rights(busy, f"From: {name} <{EVE}>")
    if is_group:
        return
    assert notice(met)["From"] == '"eve@evil.example via Acme Support" <support@desk.example>'
    told(
        met, "look-alike: this sender is not Anna Archer <anna@desk.example>; the address is eve@evil.example"
    )
    assert "look-alike of Anna Archer <anna@desk.example>" in reason_of(busy, met)


ALIKE = {
    "local": ("\u0430nna@desk.example", "\u0430nna@desk.example", "cyrillic small letter a"),
    "domain": ("anna@d\u0435sk.example", "anna@xn--dsk-rdd.example", "cyrillic small letter ie"),
    "punycode": ("anna@xn--dsk-rdd.example", "anna@xn--dsk-rdd.example", "cyrillic small letter ie"),
    "full width": ("anna@\uff44esk.example", "anna@\uff44esk.example", "fullwidth latin small letter d"),
    "kelvin": ("anna@des\u212a.example", "anna@des\u212a.example", "kelvin sign"),
    "stop": ("anna@desk\u3002example", "anna@desk\u3002example", ""),
}


@pytest.mark.case(28)
@pytest.mark.parametrize("kind", ALIKE)
def test_28_letters_of_another_alphabet(busy: HostileDesk, kind: str):
    """A stranger, whose domain is shown in punycode; the notice, in both forms, and the history name whom it looks like."""
    address, shown, letter = ALIKE[kind]
    met = busy.meets(written(from_=f"Anna Archer <{address}>"))
    assert (met.state, met.is_new) == ("on_ticket", True)
    assert busy.ticket(met.ticket).requester == shown
    assert met.customers <= {shown}
    told(met, "look-alike: this sender is not Anna Archer <anna@desk.example>; the address is")
    told(met, shown)
    told(met, letter)
    assert "look-alike of Anna Archer <anna@desk.example>" in reason_of(busy, met)
    assert "look-alike" in why(busy, met)
    gives_no_rights(busy, b"From: " + as_bytes(f"Anna Archer <{address}>"))


@pytest.mark.case(28)
@pytest.mark.parametrize("sign", "\u00ad\u200b\u200e\u202e\u2060\ufeff", ids=ascii)
def test_28_signs_that_nobody_sees(busy: HostileDesk, sign: str):
    """Shown without them the address would read as anna's own: it is no address, and its mail is nobody's."""
    met = busy.meets(written(from_=f"Anna Archer <an{sign}na@de{sign}sk.example>"))
    opened(met, acknowledged=False)
    assert busy.ticket(met.ticket).requester == ""
    assert "anna@desk.example" not in notice(met).text.partition("Ref:")[0]
    not_shown_as_anna(notice(met))
    gives_no_rights(busy, f"From: Anna Archer <an{sign}na@de{sign}sk.example>")


LIKE_OTHERS = {
    "the desk": ("support@d\u0435sk.example", "Acme Support <support@desk.example>"),
    "the desk's name": ("Acme Support <eve@evil.example>", "this desk, Acme Support"),
    "the agent's name": ("Anna Archer <eve@evil.example>", "the agent Anna Archer"),
    "a customer before": ("Cora Client <cora@c1ient.example>", "cora@client.example"),
    "one edit": ("Anna <anna@deskk.example>", "Anna Archer <anna@desk.example>"),
    "a customer's letters": ("c\u043era@client.example", "cora@client.example"),
}


@pytest.mark.case(28)
@pytest.mark.parametrize("kind", LIKE_OTHERS)
def test_28_looks_like_the_desk_or_a_customer(busy: HostileDesk, kind: str):
    """Whom a sender could be taken for is told, whoever it is; nothing else changes."""
    from_, named = LIKE_OTHERS[kind]
    met = busy.meets(written(from_=from_))
    assert (met.state, met.is_new) == ("on_ticket", True)
    told(met, named)
    assert busy.history(1001) == ["mail_in", "acknowledged", "mail_out", "assigned", "status"]


@pytest.mark.case(28)
def test_28_looks_like_the_customer_of_the_ticket_it_names(busy: HostileDesk):
    """The tag of cora's ticket from nearly cora's address opens another ticket, and the agents are told why."""
    met = busy.meets(
        written(from_="Cora Client <cora@c1ient.example>", subject="Re: [SUP-1001] Printer on fire")
    )
    assert met.is_new
    told(
        met,
        "look-alike: this sender is not Cora Client <cora@client.example>; the address is cora@c1ient.example",
    )


@pytest.mark.case(28)
def test_28_with_the_thread_key_it_stays_outside_and_is_told_of(busy: HostileDesk):
    """Who answers cora's mail from nearly cora's address is outside: read by agents, marked, and without effect."""
    asked = busy.last("cora@client.example")
    fields = (
        f"In-Reply-To: {asked['Message-ID']}",
        f"References: {asked['References']} {asked['Message-ID']}",
    )
    met = busy.meets(
        written("Send me all.", *fields, from_="cora@cl\u0456ent.example", subject=f"Re: {asked['Subject']}")
    )
    assert (met.ticket, met.is_new, met.customers) == (1001, False, set())
    assert not busy.ticket(1001).is_participant("cora@xn--clent-o2e.example")
    told(met, "look-alike: this sender is not Cora Client <cora@client.example>")
    assert "look-alike of Cora Client" in busy.entries(1001)[5].reason


@pytest.mark.case(29)
@pytest.mark.parametrize("address", ["ANNA@DESK.EXAMPLE", "Anna@Desk.example", "anna@DESK.example"])
def test_29_capitals(busy: HostileDesk, address: str):
    """The same person: her answer with her key reaches cora."""
    busy.writes(CORA, "It burns again.", in_reply_to=busy.last("cora@client.example"))
    met = busy.meets(
        answer_to(busy.last(ANNA), f"From: {address}").replace(
            b"#close\nYour ticket is closed.", b"Please try foam."
        )
    )
    assert (met.state, met.ticket, met.is_new) == ("on_ticket", 1001, False)
    assert [mail.kind for mail in met.to("cora@client.example")] == ["answer"]
    assert busy.ticket(1001).requester == "cora@client.example"


@pytest.mark.case(29)
def test_29_capitals_of_a_customer(busy: HostileDesk):
    """A customer is the same person too."""
    met = busy.meets(
        written("Still on fire.", from_="CORA@CLIENT.EXAMPLE", subject="Re: [SUP-1001] Printer on fire")
    )
    assert (met.ticket, met.is_new) == (1001, False)
    assert busy.ticket(1001).status == "open"
    assert [person.address for person in busy.ticket(1001).people] == ["cora@client.example"]


@pytest.mark.case(31)
@pytest.mark.parametrize("second", ["Second", "[SUP-1001] Second", "", "=?utf-8?b?/////w==?="])
def test_31_two_subjects(busy: HostileDesk, second: str):
    """The first one is the subject, in the ticket and in every mail; a tag in the second leads nowhere."""
    met = busy.meets(
        written(
            "Hello.",
            "Subject: First",
            f"Subject: {second}",
            subject=None,
            from_=CORA.replace("client", "other"),
        )
    )
    assert met.is_new
    assert busy.ticket(met.ticket).subject == "First"
    assert notice(met)["Subject"] == f"[SUP-{met.ticket}] First"
    assert len(notice(met).parsed.get_all("Subject", [])) == 1


IDS = {
    "missing": (),
    "twice": ("Message-ID: <one@evil.example>", "Message-ID: <two@evil.example>"),
    "empty": ("Message-ID:",),
    "no id": ("Message-ID: <>",),
    "bracket": ("Message-ID: <[a]@x>",),
    "5 KB": (f"Message-ID: <{'a' * 5000}@evil.example>",),
    "words": ("Message-ID: not an id at all",),
    "line break": ("Message-ID: <a=?utf-8?q?=0D=0ABcc:_x@evil.example?=>",),
}


@pytest.mark.case(32)
@pytest.mark.parametrize("kind", IDS)
def test_32_a_message_id_that_is_none(desk: HostileDesk, kind: str):
    """Two people's mails without a usable id are two tickets; answers to nothing lead to neither, and ours are in order."""
    met = desk.meets(written("One.", *IDS[kind]))
    opened(met, acknowledged=True)
    other = desk.meets(
        written("Two.", *IDS[kind], "In-Reply-To: <>", "References: <> <[a]@x>", from_="ben@other.example")
    )
    assert other.is_new
    assert other.ticket != met.ticket
    for mail in (*met.sent, *other.sent):
        assert mail["Message-ID"].endswith("@desk.example>")
        assert all(len(line) < 999 for line in mail.raw.split(b"\r\n"))
        assert len(mail.parsed.get_all("Message-ID", [])) == 1
        assert "Bcc" not in mail.parsed


@pytest.mark.case(32)
def test_32_the_same_odd_id_with_another_text_is_another_mail(desk: HostileDesk):
    """No mail is dropped as a duplicate for its id alone."""
    first = desk.meets(written("One.", "Message-ID: <same@evil.example>"))
    second = desk.meets(written("Two.", "Message-ID: <same@evil.example>"))
    assert (first.state, second.state) == ("on_ticket", "on_ticket")
    assert [text_of(desk, met) for met in (first, second)] == ["One.", "Two."]


BRACKETS = {
    "open": "(" * 5000,
    "before": "(" * 5000 + " anna@desk.example",
    "behind": "anna@desk.example " + "(" * 5000,
    "closed": "(" * 5000 + ")" * 5000 + " <eve@evil.example>",
    "angles": "<" * 5000 + "anna@desk.example" + ">" * 5000,
    "quotes": '"' * 5001 + " <anna@desk.example>",
    "colons": "a:" * 5000 + "anna@desk.example;",
}


@pytest.mark.case(34)
@pytest.mark.parametrize("kind", BRACKETS)
def test_34_five_thousand_brackets(tmp_path: Path, kind: str):
    """No clear sender, so nobody is answered; it costs a second and 150 MB at the most."""
    found = meets_within(tmp_path / "limited", written(from_=BRACKETS[kind]), seconds=1, megabytes=150)
    assert found["state"] in {"on_ticket", "held", "quarantined"}
    assert set(found["customers"]) <= ({EVE} if kind == "closed" else set())


FLOODS = {
    "strangers": [f"s{n}@d{n}.example" for n in range(20_000)],
    "colleagues": [f"s{n}@evil.example" for n in range(20_000)],
    "names": [f'"Last, First {n}" <s{n}@d{n}.example>' for n in range(20_000)],
    "groups": [f"g{n}: s{n}@d{n}.example;" for n in range(20_000)],
}


@pytest.mark.case(35)
@pytest.mark.parametrize(("field", "kind"), [("To", "strangers"), *(("Cc", kind) for kind in FLOODS)])
def test_35_twenty_thousand_addresses(tmp_path: Path, field: str, kind: str):
    """50 are read in a second, which is noted; nobody of them gets mail.

    Strangers are added to nothing. As `design.md` section 4 has it, people of the sender's own domain join: ten on a ticket at
    the most, and the acknowledgement goes to the sender alone.
    """
    raw = written("Hello.", f"{field}: support@desk.example, " + ",\n ".join(FLOODS[kind]))
    found = meets_within(tmp_path / "limited", raw, seconds=1, megabytes=150)
    assert (found["state"], found["customers"]) == ("on_ticket", [EVE])
    assert "more than 50 addresses in a field" in found["why"]
    assert found["notice"].count("@evil.example") <= 32  # ten who joined, twenty who are shown, the sender
    assert found["notice"].count("@d") <= 60
    if kind != "colleagues":
        assert "Also on it" not in found["notice"]
