"""Section A: MIME and charsets."""

from __future__ import annotations

import codecs
import encodings
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.faults.rounds import Rounds
from tests.hostile.desk import HostileDesk
from tests.hostile.limited import meets_within
from tests.hostile.mails import (
    ANNA,
    EVE,
    files,
    harmless,
    notice,
    of_html,
    of_parts,
    opened,
    text_of,
    told,
    with_file,
    written,
)
from tests.support.process import CONFIG, IMAP, Received
from tests.support.scripted import Line, ScriptedImap, fetched
from tests.support.smtp_sink import SmtpSink

LABELS = ["undefined", "zlib_codec", "rot13", "idna", "uu_codec", "x-own", "a" * 5000, "utf-8\0x"]


@pytest.mark.case(1)
@pytest.mark.parametrize("label", LABELS, ids=lambda label: ascii(label[:20]))
@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_1_a_charset_that_nobody_should_use(desk: HostileDesk, label: str, charset: str):
    """UTF-8 and then Latin letters are tried, the agents are told; no codec of that name is ever looked up."""
    asked: list[str] = []
    search = asked.append
    encodings._cache.pop(label, None)  # names that were asked for
    codecs.register(search)  # knows no codec, but hears of each that Python does not have
    try:
        met = desk.meets(
            written("Grüße aus Köln".encode(charset), f'Content-Type: text/plain; charset="{label}"')
        )
    finally:
        codecs.unregister(search)
    opened(met, acknowledged=True)
    assert text_of(desk, met) == "Grüße aus Köln"
    assert notice(met).text.startswith("Grüße aus Köln")
    told(met, "unknown charset")
    assert len(notice(met).text) < 2000
    assert asked == []
    assert label not in encodings._cache


@pytest.mark.case(2)
@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"SGVsbG8!!!gd29ybGQ=", "Hello world"),
        (b"SGVs\nbG8g\xff\xfed29y*bGQ=", "Hello world"),
        (b"SGVsbG8gd29ybG", "Hello worl"),
        (b"SGVsbG8gd29ybGQ=x", "Hello world"),
        (b"SGVsbG8gd29yA", "Hello wor"),
        (b"!!!!", ""),
        (b"=" * 50, ""),
    ],
    ids=["foreign", "8bit", "cut", "behind-the-end", "odd", "nothing", "padding"],
)
def test_2_base64_that_is_none(desk: HostileDesk, body: bytes, shown: str):
    """What decodes is shown; where nothing does, the agents are told that there was something."""
    met = desk.meets(written(body, "Content-Type: text/plain", "Content-Transfer-Encoding: base64"))
    opened(met, acknowledged=True)
    assert text_of(desk, met) == shown
    assert notice(met).text.startswith(shown or "(no text)")
    if not shown:
        told(met, "text of which nothing can be decoded")


@pytest.mark.case(4)
def test_4_twenty_thousand_empty_parts(tmp_path: Path):
    """200 parts are read in two seconds and 200 MB, and both the history and the agents' notice say so."""
    raw = written(b"--b\n\n" * 20_000, 'Content-Type: multipart/mixed; boundary="b"')
    found = meets_within(tmp_path / "limited", raw, seconds=2, megabytes=200)
    assert (found["state"], found["reason"]) == ("on_ticket", "opened a ticket")
    assert found["customers"] == [EVE]
    for place in ("why", "notice", "html"):
        assert "200 parts read, the rest not" in " ".join(found[place].split())


@pytest.mark.case(4)
def test_4_what_stands_in_the_first_parts_is_read(desk: HostileDesk):
    """The text before the flood is the mail's text."""
    met = desk.meets(of_parts("Content-Type: text/plain\n\nThe printer burns.", *["\n"] * 5000))
    opened(met, acknowledged=True)
    assert text_of(desk, met) == "The printer burns."


@pytest.mark.case(5)
@pytest.mark.parametrize(
    "parameter", ["", "; boundary=", '; boundary=""', '; boundary="   "', f"; boundary={'x' * 1000}"],
    ids=["none", "bare", "empty", "blank", "endless"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["mixed", "alternative"])
def test_5_a_boundary_that_is_none(desk: HostileDesk, kind: str, parameter: str):
    """The whole body is the text, with the lines that were meant to part it."""
    boundary = parameter.partition("=")[2].strip('" ') or "b"
    body = f"--{boundary}\nContent-Type: text/plain\n\nThe printer burns.\n--{boundary}--\n"
    met = desk.meets(written(body, f"Content-Type: multipart/{kind}{parameter}"))
    opened(met, acknowledged=True)
    assert "The printer burns." in text_of(desk, met)
    assert "Content-Type: text/plain" in text_of(desk, met)
    told(met, "The printer burns.")


@pytest.mark.case(7)
@pytest.mark.parametrize("recovers", [False, True], ids=["each time", "twice"])
def test_7_a_mail_that_comes_cut_short(tmp_path: Path, recovers: bool):
    """Fewer bytes than RFC822.SIZE is never worked with: it is fetched again, and the mail behind it goes its way.

    After three tries it is told to the admins and passed over. There is nothing whole that could be set aside, so as
    `design.md` section 4 has it the mail stays in the mailbox, where it is looked at again once a day.
    """
    whole = [
        b"From: eve@evil.example\r\nTo: support@desk.example\r\nSubject: Cut\r\n\r\n"
        + b"The end is missing.\r\n" * 20,
        b"From: cora@client.example\r\nTo: support@desk.example\r\nSubject: Whole\r\n\r\nMy scanner is wet.\r\n",
    ]
    cut_fetches: list[int] = []

    def cut(line: Line, tag: bytes) -> None:
        asked = server.heard[-1]
        for uid in (1, 2) if b"1,2" in asked or b"1:2" in asked else (1,) if b" 1 " in asked else (2,):
            raw = whole[uid - 1]
            if b"BODY" not in asked:
                line.say(b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (uid, uid, len(raw)))
            elif uid == 1 and not (recovers and len(cut_fetches) == 2):
                cut_fetches.append(uid)
                line.say(fetched(uid, raw[:200], size=len(raw)))
            else:
                line.say(fetched(uid, raw))
        line.say(tag + b" OK done\r\n")

    with ScriptedImap(whole, faults={"UID FETCH": cut}) as server, SmtpSink() as sink:
        (tmp_path / "imap-password").write_text("secret\n")
        mailbox = IMAP.format(imap_port=server.port, user="support", poll="1s") + 'start_from = "all"'
        config = CONFIG.format(
            smtp_port=sink.port, smtp="", mailbox=mailbox, user="support", queue="", more=""
        )
        (tmp_path / "config.toml").write_text(config)
        with Rounds(tmp_path / "config.toml") as rounds:
            for tries in (1, 2):
                assert rounds.take() == ""
                assert len(cut_fetches) == tries
                assert (rounds.books().received, rounds.books().on_tickets) == (1, 1), "the mail behind it"
            for _ in range(3):
                assert rounds.take() == ""
            while rounds.send():
                pass
            books = rounds.books()
    assert len(cut_fetches) == (2 if recovers else 3)
    assert (books.received, books.on_tickets, books.unexplained) == (1 + recovers, 1 + recovers, 0)
    alarms = [Received(mail) for mail in sink.to("it@desk.example")]
    assert len(alarms) == (0 if recovers else 1)
    if alarms:
        assert "does not hand out mail 1" in alarms[0]["Subject"]
        assert f"the server announced {len(whole[0])} bytes and gave 200" in " ".join(alarms[0].text.split())
    assert b"The end is missing" not in b"".join(mail.raw for mail in sink.mails) or recovers


UTF_7 = "+ADw-script+AD4-alert(1)+ADw-/script+AD4-"


@pytest.mark.case(8)
@pytest.mark.parametrize("label", ["utf-7", "UTF-7", "unicode-1-1-utf-7", "x-unknown", ""])
@pytest.mark.parametrize("kind", ["plain", "html"])
def test_8_utf_7_stays_as_it_was_written(desk: HostileDesk, kind: str, label: str):
    """Nobody guesses at UTF-7: no script comes out of it, neither in the history nor in any mail."""
    met = desk.meets(
        written(UTF_7, f"Content-Type: text/{kind}; charset={label}", subject=f"=?utf-7?q?{UTF_7}?=")
    )
    opened(met, acknowledged=True)
    assert text_of(desk, met) == UTF_7
    assert notice(met).text.startswith(UTF_7)
    for mail in met.sent:
        harmless(mail.html)
        assert "<script" not in mail.html + mail.text + mail["Subject"]


@pytest.mark.case(10)
@pytest.mark.parametrize("empty", ["", " ", "\n\n\n", "\u00a0\n"], ids=ascii)
@pytest.mark.parametrize("kind", ["alternative", "mixed", "related"])
def test_10_empty_text_beside_full_html(desk: HostileDesk, kind: str, empty: str):
    """The HTML, made text, is the body."""
    html = "<p>The <b>printer</b> burns.</p><ul><li>since noon</li></ul>"
    met = desk.meets(
        of_parts(
            f"Content-Type: text/plain; charset=utf-8\n\n{empty}", f"Content-Type: text/html; charset=utf-8\n\n{html}", kind=kind
        )
    )  # fmt: skip
    opened(met, acknowledged=True)
    assert text_of(desk, met) == "The printer burns.\n- since noon"
    assert notice(met).text.startswith("The printer burns.")
    assert "<b>printer</b>" in notice(met).html


HARD = {
    "5 MB": ("<p>The printer burns.</p>" * 210_000, "HTML cut at 1 MB"),
    "comments": ("<p>The printer burns.</p>" + "<!--" * 40_000, ""),
    "comments alone": ("<!--" * 40_000, "HTML too complex"),
    "deep": ("<div>" * 40_000 + "The printer burns.", "HTML too complex"),
    "deep and stray": ("<b><i>" * 20_000 + "</p>" * 20_000 + "The printer burns.", "HTML too complex"),
    "many": ("<br>" * 60_000 + "The printer burns.", "HTML too complex"),
}


@pytest.mark.case(11)
@pytest.mark.parametrize("kind", HARD)
def test_11_html_that_is_hard_to_read(tmp_path: Path, kind: str):
    """It takes two seconds at the most; what is not shown as it was meant is noted, and the mail is kept whole."""
    html, noted = HARD[kind]
    found = meets_within(tmp_path / "limited", of_html(html), seconds=2, megabytes=300)
    assert (found["state"], found["reason"]) == ("on_ticket", "opened a ticket")
    assert sorted(found["sent"]) == ["acknowledgement", "agent_new", "agent_new"]
    if "burns" in html:
        assert found["notice"].startswith("The printer burns.")
    if noted:
        assert noted in " ".join(found["notice"].split())
        assert noted in found["html"]
        assert noted in found["why"]


@pytest.mark.case(13)
@pytest.mark.parametrize("path", ["../../x", "/etc/cron.d/x", "..\\..\\x"])
@pytest.mark.parametrize("kind", ["encoding", "named", "in the text"])
def test_13_uuencode_with_a_path(desk: HostileDesk, kind: str, path: str):
    """It is text, or an attachment under its last piece; the path makes no file."""
    code = f"begin 644 {path}\n-2&5L;&\\L('=O<FQD(0``\n`\nend\n"
    if kind == "encoding":
        met = desk.meets(written(code, "Content-Type: text/plain", "Content-Transfer-Encoding: x-uuencode"))
        assert text_of(desk, met).startswith("Hello, world!")
        assert files(notice(met)) == []
    elif kind == "named":
        quoted = path.replace("\\", "\\\\")
        fields = (
            f'Content-Type: application/x-own; name="{quoted}"',
            "Content-Transfer-Encoding: x-uuencode",
        )
        met = desk.meets(with_file(*fields, content=code))
        assert [file.name for file in files(notice(met))] == ["x"]
    else:
        met = desk.meets(written(f"See the file.\n\n{code}"))
        assert text_of(desk, met).startswith("See the file.")
        assert files(notice(met)) == []
    opened(met, acknowledged=True)
    assert {one.name.partition(".")[0] for one in desk.folder.iterdir()} == {"desk"}
    assert not list(desk.folder.parent.glob("*x"))


def inner_of(desk: HostileDesk, kind: str) -> str:
    """A mail of anna's that would close cora's ticket, had she sent it."""
    if kind == "with her key":
        asked = desk.last(ANNA)
        inner = EmailMessage()
        inner["From"], inner["To"], inner["Subject"] = (
            "Anna Archer <anna@desk.example>",
            asked["Reply-To"],
            f"Re: {asked['Subject']}",
        )
        inner["In-Reply-To"] = inner["References"] = asked["Message-ID"]
        inner.set_content("#close\nYour ticket is closed.")
        return inner.as_string()
    return (
        "From: Anna Archer <anna@desk.example>\nTo: support@desk.example\nSubject: Re: [SUP-1001] Printer on fire\n"
        "Authentication-Results: desk.example; dmarc=pass\n\n#close\nYour ticket is closed.\n"
    )


@pytest.mark.case(14)
@pytest.mark.parametrize("kind", ["with a tag", "with her key"])
@pytest.mark.parametrize("place", ["alone", "attached", "digest"])
def test_14_an_agents_mail_inside_another(busy: HostileDesk, place: str, kind: str):
    """The sender is the outer one alone; what the inner mail says is an attachment, never text and never a command."""
    inner = inner_of(busy, kind)
    before = busy.history(1001)
    if place == "alone":
        raw = written(inner, "Content-Type: message/rfc822")
    elif place == "attached":
        raw = of_parts("Content-Type: text/plain\n\nPlease look.", f"Content-Type: message/rfc822\n\n{inner}")
    else:
        raw = of_parts(f"\n{inner}", kind="digest")
    met = busy.meets(raw)
    opened(met, acknowledged=True)
    assert busy.ticket(met.ticket).requester == EVE
    assert busy.history(1001) == before
    assert busy.ticket(1001).status == "waiting"
    assert "#close" not in text_of(busy, met)
    assert "closed" not in notice(met).text
    (file,) = files(notice(met))
    assert not file.inline
    assert b"#close" in file.content


@pytest.mark.case(16)
@pytest.mark.parametrize("kind", ["alone", "in a multipart"])
def test_16_winmail_dat(desk: HostileDesk, kind: str):
    """There is no readable text, which the notice says; the file goes along."""
    fields = 'Content-Type: application/ms-tnef; name="winmail.dat"\nContent-Transfer-Encoding: base64'
    tnef = "eJ8+IgAAAQABAAAAAAABAAEAAQeQBgAIAAAA"
    alone = written(tnef, *fields.split("\n"))
    met = desk.meets(alone if kind == "alone" else of_parts(f"{fields}\n\n{tnef}"))
    opened(met, acknowledged=True)
    assert text_of(desk, met) == ""
    assert notice(met).text.startswith("(no text)")
    assert [(file.name, file.content[:4]) for file in files(notice(met))] == [
        ("winmail.dat", b"\x78\x9f\x3e\x22")
    ]
    told(met, "Attached: winmail.dat")


PGP = "-----BEGIN PGP MESSAGE-----\n\nhQEMA0Vw\n-----END PGP MESSAGE-----\n"
SMIME = ("Content-Transfer-Encoding: base64", "MIAGCSqGSIb3DQEHA6CAMIACAQAx")


@pytest.mark.case(17)
@pytest.mark.parametrize("kind", ["smime", "x-smime", "pgp", "pgp in the text"])
def test_17_an_encrypted_body(desk: HostileDesk, kind: str):
    """The notice says that it is encrypted, and holds what was sent; the customer hears that it has come."""
    if kind.endswith("smime"):
        prefix = "x-" if kind.startswith("x") else ""
        fields = f'Content-Type: application/{prefix}pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"'
        met = desk.meets(written(SMIME[1], fields, SMIME[0]))
        names = ["smime.p7m"]
    elif kind == "pgp":
        met = desk.meets(
            written(
                f"--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\nContent-Type: application/octet-stream; name=encrypted.asc\n\n{PGP}--b--\n",
                'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="b"',
            )
        )
        names = ["attachment", "encrypted.asc"]
    else:
        met = desk.meets(written(PGP))
        names = []
    opened(met, acknowledged=True)
    assert [file.name for file in files(notice(met))] == names
    if names:
        assert notice(met).text.startswith("(no text)")
    told(met, "the mail is encrypted")
    named = f": {', '.join(names)}".replace("attachment", "application/pgp-encrypted") if names else ""
    assert desk.entries(met.ticket)[0].reason.endswith(f"encrypted, which the desk cannot undo{named}")
