"""Section H: templates and outgoing headers."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.hostile.desk import POLICY, HostileDesk, Met
from tests.support.desk import SentMail
from tests.support.process import DeskProcess

ANNA, CORA = "anna@desk.example", "cora@client.example"
# What templates would compute (49), swallow (a raw block, a comment), reach into, or fail at.
LANGUAGE = (
    "{{7*7}}",
    "{% raw %}",
    "{{ cycler.__init__ }}",
    "{# gone #} {{ key_line }} {%",
    "{{ ''.__class__.__mro__ }}",
    "${7*7} %(key)s",
)
FIELDS = {"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"}


def encoded(text: str) -> str:
    """Return a text as an encoded word."""
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="


def proven(make: Callable[..., HostileDesk]) -> HostileDesk:
    """A desk that trusts its mail server's word about senders: only then an acknowledgement repeats a subject."""
    return make(authserv_id="mx.desk.example")


def writes(desk: HostileDesk, subject: str, name: str = "Cora") -> Met:
    """Cora writes, really she."""
    return desk.meets(
        f"From: {name} <{CORA}>\nTo: support@desk.example\nSubject: {subject}\nMessage-ID: <h1@client.example>\n"
        "Authentication-Results: mx.desk.example; dmarc=pass header.from=client.example\n"
        "Content-Type: text/plain; charset=utf-8\n\nMy printer is on fire.\n".encode()
    )


def whole(mail: SentMail, *words: str) -> None:
    """Check that a mail of ours is one: every field once, none that nobody meant, and its text where it belongs."""
    names = [name for name, _ in mail.parsed.items()]
    assert set(names) >= FIELDS
    assert len({name.lower() for name in names}) == len(names)
    assert mail.parsed["Bcc"] is None
    assert [defect for part in mail.parsed.walk() for defect in part.defects] == []
    for word in words:
        assert word in mail.text
        assert word in html.unescape(mail.html)
    assert re.search(rb"\r\n\r\n", mail.raw)


@pytest.mark.case(109)
@pytest.mark.parametrize("text", LANGUAGE)
def test_109_template_language_in_a_subject_is_printed_as_written(
    make: Callable[..., HostileDesk], text: str
):
    """In the acknowledgement, in the agents' notice, and in the answer that follows."""
    desk = proven(make)
    met = writes(desk, text)
    assert desk.ticket(met.ticket).subject == text
    (ack,), (notice,) = met.to(CORA), met.to(ANNA)
    assert ack["Subject"] == f"[SUP-1001] {text}"
    assert text in notice["Subject"]
    for mail in (ack, notice):
        whole(mail)
        assert "49" not in mail.text.replace(mail["Message-ID"], "").split("Ref:")[0]
    desk.answers(
        notice,
        f"Anna Archer <{ANNA}>",
        "Please try water.",
        Authentication_Results="mx.desk.example; dmarc=pass header.from=desk.example",
    )
    assert text in desk.last(CORA)["Subject"]


@pytest.mark.case(110)
@pytest.mark.parametrize("text", LANGUAGE)
@pytest.mark.parametrize("form", ["quoted", "encoded"])
def test_110_template_language_in_a_display_name_is_printed_as_written(
    make: Callable[..., HostileDesk], text: str, form: str
):
    """In From and in the text of the agents' notice."""
    desk = proven(make)
    met = writes(desk, "Printer", f'"{text}"' if form == "quoted" else encoded(text))
    (notice,) = met.to(ANNA)
    assert str(notice.parsed["From"].addresses[0].display_name) == f"{text} via Acme Support"
    whole(notice, text)
    for mail in met.sent:
        assert "<bound" not in mail.text + mail.html
        assert "<class" not in mail.text + mail.html


@pytest.mark.case(112)
@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ("Hello!\n\n{{ reference }\n", 3),
        ("Hello!\n{% if %}\n", 2),
        ("Hello {{ refrence }}!\n", 1),
        ("{% for x in y %}\n", 1),
    ],
    ids=["expression", "condition", "unknown name", "not closed"],
)
def test_112_a_template_with_an_error_is_refused_at_reload(
    daemon: Callable[..., DeskProcess], broken: str, line: int
):
    """One line names file and line, `check` says the same and ends with 78, and mail goes out in the old words."""
    desk = daemon(more='[templates]\nfolder = "words"')
    words = desk.folder / "words" / "en" / "acknowledgement.txt"
    words.parent.mkdir(parents=True)
    words.write_text("Moin! {{ reference }} it is.\n{{ key_line }}\n")
    desk.start()
    words.write_text(broken)
    desk.reload()
    assert f"{words}:{line}:" in desk.wait_log("reload failed; the old configuration stays")
    code, said = desk.run("check")
    assert (code, f"{words}:{line}:" in said) == (78, True)
    desk.writes("Ana <ana@customer.example>", "My printer is on fire.")
    assert "Moin! SUP-1001 it is." in desk.wait_to("ana@customer.example", 1)[0].text


@pytest.mark.case(113)
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b", "\r\n\r\n"], ids=ascii)
@pytest.mark.parametrize("form", ["base64", "quoted-printable", "folded"])
def test_113_a_subject_with_line_ends_makes_no_field(make: Callable[..., HostileDesk], end: str, form: str):
    """One line in every mail of ours, nobody else gets it, and the text stays text."""
    desk = proven(make)
    text = f"Fire{end}Bcc: eve@evil.example{end}X-Evil: yes"
    if form == "base64":
        subject = encoded(text)
    elif form == "quoted-printable":
        subject = "=?utf-8?q?" + "".join(f"={one:02X}" for one in text.encode()) + "?="
    else:
        subject = f"{encoded('Fire' + end)}\n {encoded(f'Bcc: eve@evil.example{end}X-Evil: yes')}"
    met = writes(desk, subject)
    assert {address for mail in met.sent for address in mail.recipients} == {CORA, ANNA, "ben@desk.example"}
    for mail in (*met.to(CORA), *met.to(ANNA)):
        whole(mail)
        assert mail.parsed["X-Evil"] is None
        assert "Bcc: eve@evil.example" in mail["Subject"]
        assert "\n" not in str(mail.parsed["Subject"])
    desk.answers(met.to(ANNA)[0], f"Anna Archer <{ANNA}>", "Please try water.", subject="Re: x")
    whole(desk.last(CORA))
    assert desk.last(CORA).recipients == (CORA,)


@pytest.mark.case(115)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\n "], ids=ascii)
@pytest.mark.parametrize(
    "text", ["M\u00fcller braucht Hilfe", "\u4e16\u754c " * 40, "\U0001f525"], ids=["short", "long", "sign"]
)
def test_115_a_subject_in_other_letters_that_ends_in_a_line_end(
    make: Callable[..., HostileDesk], text: str, end: str
):
    """The header block does not end there: all fields and the text follow."""
    desk = proven(make)
    met = writes(desk, encoded(text + end))
    for mail in (*met.to(CORA), *met.to(ANNA)):
        whole(mail)
        assert " ".join(text.split())[:30].rstrip() in mail["Subject"]
        assert mail["Message-ID"].startswith("<")
        assert "SUP-1001" in mail.text
    assert "My printer is on fire." in met.to(ANNA)[0].text


@pytest.mark.case(116)
@pytest.mark.parametrize(
    "filler",
    ["\u202eevil", "x\u200b\u200d", "a\u2066b\u2069", "\x1b[31mred", "\u00adsoft", "A" * 10],
    ids=ascii,
)
def test_116_a_display_name_of_10_kb(make: Callable[..., HostileDesk], filler: str):
    """64 characters of it stand in our From, none of them one that turns, hides or commands."""
    desk = proven(make)
    name = filler * (10_000 // len(filler.encode()))
    met = writes(desk, "Printer", encoded(name))
    (notice,) = met.to(ANNA)
    shown = str(notice.parsed["From"].addresses[0].display_name)
    assert 0 < len(shown) <= 64
    assert shown.isprintable()
    for mail in (*met.to(CORA), notice):
        whole(mail)
        head = mail.raw.partition(b"\r\n\r\n")[0]
        assert max(map(len, head.split(b"\r\n"))) <= 998
        everything = mail.text + mail.html + mail["Subject"]
        assert not re.search("[\u200b\u200d\u00ad\u202e\u2066\u2069\x1b]", everything)


@pytest.mark.case(116)
def test_116_the_queue_is_named_behind_a_long_name(make: Callable[..., HostileDesk]):
    """A customer who calls himself by 64 letters does not push "via Acme Support" out of sight."""
    desk = make(policy=replace(POLICY))
    met = desk.meets(f"From: {'A' * 500} <{CORA}>\nTo: support@desk.example\nSubject: x\n\nHelp.\n".encode())
    shown = str(met.to(ANNA)[0].parsed["From"].addresses[0].display_name)
    assert shown.endswith("via Acme Support")
    assert len(shown) <= 64
