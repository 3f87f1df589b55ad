"""The worst mails of each known kind: how long one takes on the whole line, beside an ordinary one of its size.

And what the guard costs: a mail read in its child process, beside the same mail read directly.
"""

from __future__ import annotations

import base64
import itertools
import os
import resource
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report import Figure
from mailtickets.guard import Guard
from tests.support.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.report import Report

SIZES = (64 << 10, 256 << 10, (1 << 20) - 1024)  # above 1 MB the guard reads
MOST_SECONDS = 1.0
GIVEN_UP_SECONDS = 40
HEAD = "From: eve@evil.example\nTo: support@desk.example\nSubject: x\nMessage-ID: <1@evil.example>\n"
REPORT = (
    "Return-Path: <>\nFrom: MAILER-DAEMON@evil.example\nTo: support@desk.example\nSubject: Undelivered Mail\n"
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
)
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def fill(piece: str, size: int, before: str = "", behind: str = "") -> str:
    """Return a piece repeated up to a size."""
    return before + piece * max(1, (size - len(before) - len(behind)) // len(piece)) + behind


def plain(piece: str, before: str = "") -> Callable[[int], str]:
    """Return a mail of plain text of pieces."""
    return lambda size: fill(piece, size, HEAD + "In-Reply-To: <2@x>\n\n" + before)


def html(piece: str, before: str = "", behind: str = "") -> Callable[[int], str]:
    """Return a mail of HTML of pieces."""
    return lambda size: fill(
        piece, size, HEAD + "Content-Type: text/html; charset=utf-8\n\n" + before, behind
    )


def header(name: str, piece: str, before: str = "") -> Callable[[int], str]:
    """Return a mail with long fields of one name."""
    field = fill(piece, 60_000, f"{name}: {before}") + "\n"
    return lambda size: (
        field * max(1, size // len(field)) + HEAD.replace(f"{name}: ", f"X-{name}: ") + "\ntext\n"
    )


def encoded(charset: str, encoding: str, payload: bytes) -> Callable[[int], str]:
    """Return a mail of text in a charset and a transfer encoding."""

    def build(size: int) -> str:
        fields = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n\n"
        room = size * 3 // 4 if encoding == "base64" else size
        body = payload * (room // len(payload))
        return HEAD + fields + (base64.encodebytes(body) if encoding == "base64" else body).decode("latin-1")

    return build


def parts(piece: str, kind: str = "mixed") -> Callable[[int], str]:
    """Return a multipart of pieces."""
    return lambda size: fill(piece, size, HEAD + f'Content-Type: multipart/{kind}; boundary="b"\n\n')


def nested(size: int) -> str:
    """Multiparts in multiparts, each with a boundary of its own."""
    levels = (f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in itertools.count())
    text = HEAD
    while len(text) < size:
        text += next(levels)
    return text


def report_part(piece: str, before: str = "") -> Callable[[int], str]:
    """Return a delivery report whose fields are pieces, in parts of 64 KB."""
    return lambda size: fill(
        fill(piece, 64_000, "--b\nContent-Type: message/delivery-status\n\n" + before) + "\n", size, REPORT
    )


def bounce_text(piece: str, before: str = "") -> Callable[[int], str]:
    """Return a report in free words."""
    own = REPORT.partition("Content-Type")[0]
    return lambda size: fill(piece, size, own + "\n" + before)


def spread(pattern: str) -> Callable[[int], str]:
    """Return HTML of numbered pieces in one tag."""

    def build(size: int) -> str:
        pieces, total = [], 0
        for number in itertools.count():
            pieces.append(pattern.format(number))
            total += len(pieces[-1])
            if total >= size - 300:
                return HEAD + "Content-Type: text/html\n\n<p " + "".join(pieces) + ">text</p>"
        raise AssertionError

    return build


def ordinary(size: int) -> str:
    """A text of 4 KB, and a picture that fills the rest."""
    text = "The printer in room 12 burns again, and water does not help.\n" * 60
    letters = base64.encodebytes(os.urandom(max(0, size - 5000) * 3 // 4)).decode()
    return (
        f'{HEAD}MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\n{text}\n'
        f"--b\nContent-Type: image/png; name=p.png\nContent-Transfer-Encoding: base64\n\n{letters}\n--b--\n"
    )


def ordinary_text(size: int) -> str:
    """All of it text, in ordinary lines: a log that somebody pasted."""
    return fill("2026-03-02 09:10:11 INFO printer[12]: the tray is empty, waiting\n", size, HEAD + "\n")


KINDS: dict[str, Callable[[int], str]] = {
    "all text": ordinary_text,
    "lines of one letter": plain("a\n"),
    "empty lines": plain("\n"),
    "one line": plain("a"),
    "one line of words": plain("ab "),
    "quotes within quotes": plain(">" * 70 + " x\n"),
    "answers between quotes": plain("> quoted\nanswer\n"),
    "dashes": plain("-" * 110 + "\n"),
    "header blocks": plain("From: a\nSent: b\nTo: c\n"),
    "sent lines": plain("Sent: x\n"),
    "attributions that end nowhere": plain("On 3 May 2024, at 10:12, Ana\n"),
    "attributions in vain": plain("On 3 May 2024 at 10:12 Ana wrote:\nx\n"),
    "gapped attributions": plain("On 3 May 2024, 10:12\n\n"),
    "phone signatures": plain("Sent from my iPhone\n\n"),
    "signatures": plain("-- \nx\n"),
    "commands": plain("#x y\n"),
    "tags": plain("[SUP-1001] "),
    "keys": plain("t1-1001-aaaaaaaaaaaaaaaa "),
    "flowed": lambda size: fill("a \n", size, HEAD + "Content-Type: text/plain; format=flowed; delsp=yes\n\n"),
    "utf-16": encoded("utf-16le", "base64", "a\u0301".encode("utf-16-le")),
    "utf-32": encoded("utf-32", "base64", b"\0\0\0a"),
    "iso-2022-jp": encoded("iso-2022-jp", "7bit", b"\x1b$B\x1b(B"),
    "hz": encoded("hz-gb-2312", "7bit", b"~{~}"),
    "false utf-8": encoded("utf-8", "8bit", b"\xc3\xe9"),
    "gb18030": encoded("gb18030", "8bit", b"\x81\x30\x81\x30"),
    "quoted-printable": encoded("utf-8", "quoted-printable", b"=3D=\n"),
    "base64 with foreign letters": lambda size: fill("!QUJD\n", size, HEAD + "Content-Transfer-Encoding: base64\n\n"),
    "uuencoded": lambda size: fill("#0V%T\n", size, HEAD + "Content-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n"),
    "combining marks": plain("\u00cc\u0081"),
    "parts": parts("--b\n\n"),
    "parts with heads": parts("--b\nContent-Type: text/plain; name=x\n\n"),
    "boundaries that are none": parts("--bx\n"),
    "false boundaries in the depth": lambda size: fill("\n--b", size, nested(4000)),
    "nested": nested,
    "mails in mails": lambda size: fill("Content-Type: message/rfc822\n\n", size, HEAD),
    "attached texts with keys": parts("--b\nContent-Type: text/x; name=x\n\n" + "a1-1-1-aaaaaaaaaaaaaaaa-kim " * 200 + "\n"),
    "fields": lambda size: fill("X-Y: z\n", size) + HEAD + "\nx",
    "continuation lines": lambda size: fill(" a\n", size, "X-Y: z\n") + HEAD + "\nx",
    "lines that are no fields": lambda size: fill("no field\n", size, HEAD),
    "addresses": header("To", "a@b.example, "),
    "addresses with comments": header("To", "((a)) "),
    "open quotes": header("To", '"a@b, '),
    "open angles": header("Cc", "<a@b "),
    "groups": header("Cc", "g:a@b;,"),
    "long words in Delivered-To": header("Delivered-To", "a"),
    "encoded-words": header("Subject", "=?utf-8?q?=C3?= "),
    "broken encoded-words": header("Subject", "=?a?q?"),
    "references": header("References", "<a@b> "),
    "open references": header("References", "<a "),
    "parameters": header("Content-Type", "; a*0*=b", "text/plain"),
    "open parameters": header("Content-Disposition", ';a="', "x"),
    "authentication results": header("Authentication-Results", "((;a=b "),
    "report: lines that are no fields": report_part("x\n"),
    "report: lines that continue nothing": report_part(" y\n", "x\n"),
    "report: groups": report_part("Final-Recipient: rfc822; a@b.example\nAction: failed\n\n"),
    "report: dashes": bounce_text("-" * 110 + "\n"),
    "report: words": bounce_text("could not be delivered "),
    "report: long words": bounce_text("a" * 127 + "@"),
    "report: references": bounce_text("References:" + " " * 8 + "\n" + " " * 8 + "<\n"),
    "report: markup": bounce_text("<"),
    "HTML: text": html("word "),
    "HTML: letters in elements": html("<b>a</b>"),
    "HTML: open elements": html("<div>"),
    "HTML: formatting that stays open": html("<b><i>"),
    "HTML: misnested": html("<b><p></b></p>"),
    "HTML: stray ends": html("</p>", "<div>" * 290),
    "HTML: tables": html("<table><tr><td>"),
    "HTML: lists": html("<ul><li>x"),
    "HTML: quotes": html("<blockquote>x<br>"),
    "HTML: line breaks in the depth": html("<br>", "<blockquote><ul>" * 100),
    "HTML: comments that do not end": html("<!--a"),
    "HTML: comments that do not end, in the depth": html("<!--a", "<div>" * 400),
    "HTML: angles": html("<"),
    "HTML: ampersands": html("&"),
    "HTML: entities": html("&NotEqualTilde;"),
    "HTML: long numbers": html("&#9999999999999999999;"),
    "HTML: scripts": html("<script>"),
    "HTML: attributes": spread("a{}=1 "),
    "HTML: attributes of one name": html("a=1 ", "<p ", ">x</p>"),
    "HTML: one long attribute": html("a", '<p class="', '">x</p>'),
    "HTML: styles": html('<p style="color:red;a:b">x</p>'),
    "HTML: links": html('<a href="http://x.example/">'),
    "HTML: links with text": html('<a href="http://x.example/">x</a> '),
    "HTML: pictures": html('<img src="cid:x">'),
    "HTML: brackets": html("[<i>"),
    "HTML: preformatted": html("<pre>x\n"),
    "HTML: hidden": html('<p style="display:none">x</p>'),
    "HTML: select": html("<select><option>x"),
    "HTML: CDATA": html("<![CDATA["),
    "HTML: beside a text with notes": lambda size: (
        HEAD
        + 'Content-Type: multipart/alternative; boundary="b"\n\n--b\n\n'
        + fill("<a [b ", size // 2)
        + "\n--b\nContent-Type: text/html\n\n"
        + fill("&lt;a [b ", size // 2)
        + "\n--b--\n"
    ),
}  # fmt: skip


def in_child(work: Callable[[], float]) -> float:
    """Return what a forked process measured; the limit where the system ended it."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (GIVEN_UP_SECONDS, GIVEN_UP_SECONDS + 1))
            os.write(write, repr(work()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return float(said) if said else float(GIVEN_UP_SECONDS)


def on_the_line(raw: bytes) -> float:
    """Return the processor time of a mail on the whole line: taken in, decided, its notices written and sent."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        desk = Desk(Path(folder))
        desk.writes("warm@up.example", "Templates are loaded by this one.")
        before = time.process_time()
        desk.receives(raw)
        took = time.process_time() - before
        desk.close()
        return took


def measured(kind: str, size: int) -> float:
    """Return the processor time of a mail of a kind."""
    # Mail has CRLF at its line ends, and must stay below what the guard reads.
    raw = KINDS[kind](size).encode("latin-1").replace(b"\n", b"\r\n")[:size]
    return in_child(lambda: on_the_line(raw))


def guard_costs(size: int, rounds: int = 15) -> tuple[float, float]:
    """Return the seconds of reading an ordinary mail directly, and by the guard, as somebody waits for them."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        desk = Desk(Path(folder))
        reading = desk.line.rules.reading
        raw, guard = ordinary(size).encode(), Guard(reading)
        found = []
        for reader in (reading, guard):
            seconds = []
            for _ in range(rounds):
                started = time.perf_counter()
                _ = reader.read(raw, b"d", "support", NOW).relayed
                seconds.append(time.perf_counter() - started)
            found.append(statistics.median(seconds[1:]))
        guard.close()
        desk.close()
        return found[0], found[1]


def stage(report: Report, kinds: list[str] | None = None) -> None:
    """Each kind in each size, then the guard."""
    usual = {
        size: statistics.median(
            in_child(lambda s=size: on_the_line(ordinary(s * 9 // 10).encode())) for _ in range(5)
        )
        for size in SIZES
    }  # type: ignore[misc]
    names = [f"{size >> 10} KB" if size < 1 << 19 else "1 MB" for size in SIZES]
    for name, size in zip(names, SIZES, strict=True):
        report.add(Figure(f"hostile: an ordinary mail of {name}", usual[size] * 1000, "ms"))
    rows = {kind: [measured(kind, size) for size in SIZES] for kind in (kinds or KINDS)}
    print(
        f"{'ms of processor time, and times an ordinary mail':48}" + "".join(f"{name:>18}" for name in names)
    )
    for kind, row in sorted(rows.items(), key=lambda one: -one[1][-1]):
        print(
            f"{kind:48}"
            + "".join(
                f"{took * 1000:>11.0f} {took / usual[size]:>5.0f}x"
                for took, size in zip(row, SIZES, strict=True)
            )
        )
    for at, name in enumerate(names):
        kind, row = max(rows.items(), key=lambda one: one[1][at])
        most = f"<= {MOST_SECONDS:.0f} s"
        report.add(
            Figure(f"hostile: the worst of {name} ({kind})", row[at], "s", most, row[at] <= MOST_SECONDS)
        )
        report.add(Figure("the same / an ordinary mail of its size", row[at] / usual[SIZES[at]], ""))
    for size, name in ((1 << 10, "1 KB"), (100 << 10, "100 KB"), (1 << 20, "1 MB")):
        direct, guarded = guard_costs(size)
        report.add(Figure(f"guard: reading an ordinary mail of {name}", guarded / direct, "x direct"))
        report.add(Figure("the same, more", (guarded - direct) * 1000, "ms"))
