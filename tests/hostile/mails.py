"""Hostile mails written by hand, byte for byte, and what people would see of the mails that came of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html.parser import HTMLParser

from tests.hostile.desk import HostileDesk, Met
from tests.support.desk import SentMail

ANNA, EVE = "anna@desk.example", "eve@evil.example"


def written(body: str | bytes = "Hello.\n", *fields: str | bytes, from_: str | bytes | None = f"Eve <{EVE}>",
            to: str = "support@desk.example", subject: str | None = "A strange mail") -> bytes:  # fmt: skip
    """A mail of eve's to the desk, as it would lie in the mailbox; `fields` are further header lines.

    from_, subject   None leaves the field out; another one may stand in `fields`.
    """
    head: list[str | bytes] = [f"To: {to}", "MIME-Version: 1.0"]
    head += [b"From: " + as_bytes(from_)] if from_ is not None else []
    head += [f"Subject: {subject}"] if subject is not None else []
    return b"\n".join(as_bytes(line) for line in (*head, *fields)) + b"\n\n" + as_bytes(body)


def as_bytes(words: str | bytes) -> bytes:
    """UTF-8 where it is text."""
    return words.encode() if isinstance(words, str) else words


def of_parts(*parts: str | bytes, kind: str = "mixed", **more: str) -> bytes:
    """A mail of several parts; each is its fields, an empty line and its content."""
    body = b"".join(b"--b\n" + as_bytes(part) + b"\n" for part in parts) + b"--b--\n"
    return written(body, f'Content-Type: multipart/{kind}; boundary="b"', **more)


def with_file(*fields: str, content: str | bytes = "content\n") -> bytes:
    """A mail with a line of text and one attachment that has these fields."""
    head = "\n".join(fields).encode()
    return of_parts("Content-Type: text/plain\n\nSee the file.", head + b"\n\n" + as_bytes(content))


def of_html(html: str | bytes, **more: str) -> bytes:
    """A mail that is HTML and nothing else."""
    return written(html, "Content-Type: text/html; charset=utf-8", **more)


# -- what came of it ------------------------------------------------------------------------------


def notice(met: Met) -> SentMail:
    """The notice that anna got of it."""
    (one,) = met.to(ANNA)
    return one


def last_notice(desk: HostileDesk, number: int = 1001) -> SentMail:
    """The last notice of a ticket that anna got."""
    return next(mail for mail in reversed(desk.sent_to(ANNA)) if f"[SUP-{number}]" in mail["Subject"])


def opened(met: Met, *, acknowledged: bool) -> None:
    """It opened a ticket; eve, and nobody else outside the desk, is told so, or nobody is."""
    assert (met.state, met.is_new) == ("on_ticket", True)
    assert [mail.kind for mail in met.to(EVE)] == ["acknowledgement"] * acknowledged
    assert met.customers == ({EVE} if acknowledged else set())


def text_of(desk: HostileDesk, met: Met) -> str:
    """What the history keeps as the mail's text."""
    return str(next(entry for entry in desk.entries(met.ticket) if entry.kind == "mail_in").text).strip()


def reason_of(desk: HostileDesk, met: Met) -> str:
    """What the history says about the mail."""
    return str(next(entry for entry in desk.entries(met.ticket) if entry.kind == "mail_in").reason)


def why(desk: HostileDesk, met: Met) -> str:
    """What `mailtickets why` says about the mail, in one line."""
    (found,) = desk._ask(f"SELECT why FROM copy WHERE ticket = {met.ticket} ORDER BY id DESC LIMIT 1")
    return "; ".join(json.loads(found[0] or "[]"))


def told(met: Met, words: str) -> None:
    """The agents read these words in their notice, as text and as HTML."""
    mail = notice(met)
    for form in (mail.text, seen(mail.html)):
        assert words.lower() in " ".join(form.lower().split()), form


@dataclass(frozen=True)
class File:
    """A file that goes along with a mail."""

    name: str
    content: bytes
    type: str
    inline: bool


def files(mail: SentMail) -> list[File]:
    """The files of a mail, whoever may show them."""
    return [
        File(
            part.get_filename() or "",
            bytes(part.get_payload(decode=True)),
            part.get_content_type(),
            part.get_content_disposition() == "inline",
        )
        for part in mail.parsed.walk()
        if part.get_content_disposition()
    ]  # fmt: skip


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if not self.tags or self.tags[-1][0] not in {"style", "title"}:
            self.words.append(data)


def _page(html: str) -> _Page:
    page = _Page()
    page.feed(html)
    page.close()
    return page


def seen(html: str) -> str:
    """The words of a page."""
    return "".join(_page(html).words)


def markup(html: str) -> list[tuple[str, dict[str, str]]]:
    """The elements of a page with their attributes, as a mail program takes them."""
    return _page(html).tags


def harmless(html: str) -> None:
    """Nothing in a page runs, fetches, or moves its reader; links may be clicked."""
    for tag, attributes in markup(html):
        assert tag not in {
            "script",
            "link",
            "base",
            "iframe",
            "object",
            "embed",
            "form",
            "svg",
            "math",
            "input",
            "button",
        }, tag
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert "http-equiv" not in attributes, attributes
        for name, value in attributes.items():
            if name in {"src", "background", "srcset", "data", "poster", "action", "formaction"}:
                assert value.startswith("cid:"), (tag, name, value)
            if name == "href":
                assert value.startswith(("http://", "https://", "mailto:")), value
            if name == "style":
                assert "url(" not in value.lower(), value
                assert "expression" not in value.lower(), value
