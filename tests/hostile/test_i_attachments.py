"""Section I: attachments."""

from __future__ import annotations

import base64
import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.hostile.desk import HostileDesk
from tests.hostile.limited import meets_within
from tests.hostile.mails import files, harmless, notice, of_parts, opened, seen, text_of, told, with_file
from tests.support.desk import SentMail

_opened: list[str] | None = None


def _hears(event: str, arguments: tuple[object, ...]) -> None:
    if _opened is not None and event in {"open", "os.mkdir", "os.rename", "os.link", "os.symlink"}:
        _opened.extend(str(argument) for argument in arguments[:2])


sys.addaudithook(_hears)


@pytest.fixture
def paths() -> Iterator[list[str]]:
    """Every path that this process opens or makes from now on."""
    global _opened  # noqa: PLW0603  (an audit hook stays for the life of the process)
    _opened = []
    yield _opened
    _opened = None


def named(name: str, *, by: str = "filename") -> bytes:
    """A mail with one attachment of this name."""
    encoded = quote(name, safe="")
    disposition = f"; filename*=utf-8''{encoded}" if by == "filename" else ""
    parameter = f"; name*=utf-8''{encoded}" if by == "name" else ""
    return with_file(
        f"Content-Type: application/x-own{parameter}", f"Content-Disposition: attachment{disposition}"
    )


def shown(mail: SentMail) -> str:
    """The name of the one file, which the notice's text and HTML show as the file itself has it."""
    (file,) = files(mail)
    assert file.content.strip() == b"content"
    return file.name


PATHS = {
    "../../etc/passwd": "passwd",
    "..\\..\\x": "x",
    "/etc/x": "x",
    "C:\\x": "x",
    "a/../../../b": "b",
    "..": "attachment",
    "../": "attachment",
    "~/.ssh/authorized_keys": "authorized_keys",
    "\\\\server\\share\\x.exe": "x.exe",
    "x\0/etc/passwd": "passwd",
}


@pytest.mark.case(118)
@pytest.mark.parametrize("by", ["filename", "name"])
@pytest.mark.parametrize("given", PATHS)
def test_118_paths_as_names(desk: HostileDesk, paths: list[str], given: str, by: str):
    """The last piece is shown; nothing of the name is ever a path."""
    met = desk.meets(named(given, by=by))
    opened(met, acknowledged=True)
    assert shown(notice(met)) == PATHS[given]
    assert not [path for path in paths if "passwd" in path or path.endswith(("/x", "/b", "x.exe", "_keys"))]
    assert {one.name.partition(".")[0] for one in desk.folder.iterdir()} == {"desk"}


SPECIAL = {
    "\u200b.htaccess": "htaccess",
    "CON": "CON",
    "nul.txt": "nul.txt",
    "-rf": "-rf",
    ".": "attachment",
    "...": "attachment",
    "report.": "report.",
    " ": "attachment",
    "LPT1:": "LPT1:",
    "x.txt:stream": "x.txt:stream",
    "$(reboot)": "$(reboot)",
    "`id`;id|id": "`id`;id|id",
    "%00%2e%2e%2fx": "%00%2e%2e%2fx",
}


@pytest.mark.case(119)
@pytest.mark.parametrize("given", SPECIAL)
def test_119_names_that_are_special_to_systems(desk: HostileDesk, paths: list[str], given: str):
    """They are words to show: no file of such a name is opened or made."""
    met = desk.meets(named(given))
    opened(met, acknowledged=True)
    assert shown(notice(met)) == SPECIAL[given]
    assert not [path for path in paths if path.rpartition("/")[2] in {given, SPECIAL[given], ".htaccess"}]
    assert {one.name.partition(".")[0] for one in desk.folder.iterdir()} == {"desk"}


LONG = [
    "a" * 300 + ".pdf",
    "ü" * 200 + ".pdf",
    "\U0001f525" * 300 + ".pdf",
    "日本" * 90 + ".pdf",
    "x" * 10_000,
]


@pytest.mark.case(121)
@pytest.mark.parametrize("given", LONG, ids=["ascii", "umlauts", "emoji", "kanji", "10 KB"])
def test_121_overlong_names(desk: HostileDesk, given: str):
    """Cut at a character, the ending kept; what is sent reads back as it is shown."""
    met = desk.meets(named(given))
    opened(met, acknowledged=True)
    name = shown(notice(met))
    assert len(name) <= 150
    assert set(name) <= set(given)
    assert name.endswith(".pdf") == given.endswith(".pdf")
    assert all(len(line) < 999 for line in notice(met).raw.split(b"\r\n"))
    told(met, name[:60])


@pytest.mark.case(122)
@pytest.mark.parametrize("names", [("a.txt", "a.txt"), ("A.TXT", "a.txt"), ("", "")], ids=str)
def test_122_two_of_one_name(desk: HostileDesk, names: tuple[str, str]):
    """Both go along with what is in them."""
    parts = [
        f'Content-Type: application/x-own\nContent-Disposition: attachment; filename="{name}"\n\n{what}'
        for name, what in zip(names, ("one", "two"), strict=True)
    ]
    met = desk.meets(of_parts("Content-Type: text/plain\n\nTwo files.", *parts))
    opened(met, acknowledged=True)
    assert [(file.name, file.content.strip()) for file in files(notice(met))] == [
        (names[0] or "attachment", b"one"),
        (names[1] or "attachment", b"two"),
    ]
    assert text_of(desk, met) == "Two files."


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """300 MB of nothing in a third of a megabyte, in a zip file in a zip file."""
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a", "w") as file:
        for _ in range(300):
            file.write(bytes(1 << 20))
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.zip", inner.getvalue())
        archive.writestr("../../c.zip", inner.getvalue())
    return outer.getvalue()


@pytest.mark.case(124)
@pytest.mark.parametrize("kind", ["application/zip", "text/plain", "message/rfc822"])
def test_124_zip_bomb(tmp_path: Path, bomb: bytes, kind: str):
    """It goes along as it came, in two seconds and 200 MB, which is less than unpacking it would take."""
    content = base64.encodebytes(bomb)
    raw = with_file(
        f"Content-Type: {kind}", 'Content-Disposition: attachment; filename="b.zip"', "Content-Transfer-Encoding: base64", content=content
    )  # fmt: skip
    found = meets_within(tmp_path / "limited", raw, seconds=2, megabytes=200)
    assert (found["state"], found["reason"]) == ("on_ticket", "opened a ticket")
    assert "b.zip" in found["notice"]
    (size,) = found["files"]
    assert abs(size - len(content)) < 20_000


@pytest.mark.case(125)
@pytest.mark.parametrize("name", ["big.txt", ""])
def test_125_a_text_of_50_mb(tmp_path: Path, name: str):
    """Neither body, notice nor history holds more than a part of it; the notice names a file that is too large to go along."""
    line = b"These words fill the file.\n"
    disposition = f'attachment; filename="{name}"' if name else "attachment"
    raw = with_file(
        "Content-Type: text/plain",
        f"Content-Disposition: {disposition}",
        content=line * (50_000_000 // len(line)),
    )
    found = meets_within(tmp_path / "limited", raw, seconds=8, megabytes=600)
    assert (found["state"], found["reason"]) == ("on_ticket", "opened a ticket")
    assert found["text"].strip() == "See the file."
    assert "Too large to send along" in found["notice"]
    assert "These words" not in found["notice"] + found["html"] + found["marks"] + found["why"]
    assert found["files"] == []


@pytest.mark.case(125)
def test_125_nothing_of_an_attachment_is_logged(desk: HostileDesk, caplog: pytest.LogCaptureFixture):
    """The log, also the most talkative one, says that a mail came, and nothing that stands in it."""
    caplog.set_level("DEBUG")
    caplog.set_level("DEBUG", "mailtickets")
    met = desk.meets(
        with_file(
            "Content-Type: text/plain",
            'Content-Disposition: attachment; filename="big.txt"',
            content="These words fill the file.\n" * 2000,
        )
    )
    opened(met, acknowledged=True)
    lines = " ".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "opened a ticket" in lines
    assert "These words" not in lines
    assert "See the file" not in lines


REVERSED = [
    "invoice\u202efdp.exe",
    "\u2066x\u2069.exe",
    "a\u200bb.exe",
    "a\u061cb.exe",
    "a\tb\u2028c.exe",
    "\u202eexe.fdp",
]


@pytest.mark.case(127)
@pytest.mark.parametrize("given", REVERSED, ids=ascii)
def test_127_names_that_turn_the_direction(desk: HostileDesk, given: str):
    """Wherever the name is shown, it is without signs that nobody sees; what is left reads as the name's true ending."""
    met = desk.meets(named(given))
    opened(met, acknowledged=True)
    name = shown(notice(met))
    visible = "".join(
        " " if sign in "\t\u2028" else sign for sign in given if sign.isprintable() or sign in "\t\u2028"
    )
    assert name == visible
    for form in (notice(met).text, notice(met).html, name):
        assert not [sign for sign in form if not sign.isprintable() and sign not in "\n\r\t"]
    told(met, name)


PAGES = {
    "html": ("text/html", "<script>alert(1)</script><h1>Pay here</h1>"),
    "xhtml": ("application/xhtml+xml", "<html><script>alert(1)</script>Pay here</html>"),
    "svg": (
        "image/svg+xml",
        '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><text>Pay here</text></svg>',
    ),
    "xml": ("text/xml", '<?xml-stylesheet href="http://evil.example/x.xsl"?><a>Pay here</a>'),
    "hta": ("application/hta", "<script>alert(1)</script>Pay here"),
}


@pytest.mark.case(128)
@pytest.mark.parametrize("place", ["attachment", "inline", "shown"])
@pytest.mark.parametrize("kind", PAGES)
def test_128_pages_as_attachments(desk: HostileDesk, kind: str, place: str):
    """They go along as files to be saved, also where the mail would show them; nothing of them stands in our words."""
    content_type, content = PAGES[kind]
    disposition = "attachment" if place == "attachment" else "inline"
    file = (
        f"Content-Type: {content_type}; name=page.{kind}\nContent-Disposition: {disposition}; filename=page.{kind}\n"
        f"Content-ID: <page@evil.example>\n\n{content}"
    )
    picture = '<p>Look:</p><img src="cid:page@evil.example"><object data="cid:page@evil.example"></object>'
    body = (
        f"Content-Type: text/html\n\n{picture}" if place == "shown" else "Content-Type: text/plain\n\nLook:"
    )
    met = desk.meets(of_parts(body, file, kind="related" if place == "shown" else "mixed"))
    opened(met, acknowledged=True)
    (sent,) = files(notice(met))
    assert not sent.inline
    assert sent.name == f"page.{kind}"
    assert b"Pay here" in sent.content
    harmless(notice(met).html)
    assert "Pay here" not in notice(met).text + seen(notice(met).html) + text_of(desk, met)
    assert "cid:" not in notice(met).html
