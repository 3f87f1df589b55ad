"""Small deterministic changes of bytes: everything comes from the random source that is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

MAX_BYTES = 24_000  # of a mutated input: speed comes from small ones, and limits are met by long runs


def words(listed: str, charset: str = "utf-8") -> tuple[bytes, ...]:
    """Return the entries of a list, in which bars stand between them."""
    return tuple(word.encode(charset) for word in listed.split("|") if word)


# Words at which readers of mail, HTML, dates and TOML decide something.
TOKENS = (
    *words(
        "\r\n|\n|\r|\r\n\r\n|\n\n|\n |\n\t|\0|\x1b$B|\x1b(B|\xef\xbb\xbf|\xff\xfe|\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\x85|\xa0"
        "|From |>From |From: |To: |Cc: |Subject: |Date: |Message-ID: <|In-Reply-To: |References: |Reply-To: |Sender: |Received: "
        "|Return-Path: <>\n|Auto-Submitted: auto-replied\n|Auto-Submitted: no\n|Precedence: bulk\n|List-Id: <|X-Failed-Recipients: "
        "|Authentication-Results: |Delivered-To: |Resent-To: |X-Auto-Response-Suppress: All\n|MIME-Version: 1.0\n|Bcc: "
        "|Content-Type: |Content-Transfer-Encoding: |Content-Disposition: attachment|Content-ID: <|; charset=|; boundary=|; name="
        "|; filename*0*=|; filename*1=|; filename*=utf-8''%00%ff|boundary=\"\"|; format=flowed; delsp=yes|; method=REPLY|; report-type="
        "|text/plain|text/html|text/calendar|multipart/mixed|multipart/alternative|multipart/report|multipart/related|multipart/digest"
        "|message/rfc822|message/delivery-status|message/feedback-report|message/disposition-notification|message/external-body"
        "|message/partial|application/ms-tnef|base64|quoted-printable|x-uuencode|7bit|8bit|binary|--b\n|--b--\n|\n--|--"
        "|=?utf-8?q?|=?utf-8?b?|=?us-ascii?Q?=0D=0A?=|=?utf-8?q?=E2=80=AE?=|=?x?b?=|?=|=?iso-2022-jp?b?GyRC?=|=\n|=3D|=0A|=00|=E9|=ED=A0=80"
        "|utf-8|utf-7|utf-16|utf-32|us-ascii|iso-8859-1|windows-1252|iso-2022-jp|iso-2022-kr|hz-gb-2312|gb18030|big5|koi8-r|unknown-8bit"
        "|idna|punycode|rot13|zlib|raw_unicode_escape|mbcs|x-mac-roman|cp437"
        '|<a@b.example>|<>|<@|@>|@|"|\\"|(|)|<|>|[|]|,|;|:|group: |undisclosed-recipients:;|a@[127.0.0.1]|"a b"@x.example|a@xn--e1a.example'
        "|mailto:|Final-Recipient: rfc822; |Original-Recipient: |Action: failed\n|Action: delayed\n|Status: 5.1.1\n|Status: 4.4.1\n"
        "|Diagnostic-Code: smtp; 550 |Reporting-MTA: dns; x\n|Arrival-Date: |Undelivered Mail Returned to Sender|Out of office"
        "|[SUP-1001]|[SUP-99999999999]|[sup-1001 confirm ABCD-2345]|Re: |AW: |Fwd: |Re[2]: |REFTHREAD|#close\n|#note\n|#p1 |#wait 2d\n|#assign "
        "|#due 1 Dec|#for <|# |##|##- |\xff\xbc\x83|CLOSE\n|STATUS\n|ESCALATE\n|STOP\n|WAIT UNTIL |Thanks!\n|yes\n|SEND\n"
        "|> |>> |On Mon, 3 Feb 2025 at 10:12, Ana wrote:\n|Am 3.2.2025 um 10:12 schrieb Ana:\n|-----Original Message-----\n"
        "|---------- Forwarded message ---------\n|-- \n|________________________________\n|Sent from my iPhone\n|\nFrom: \nSent: \nTo: \nSubject: \n"
        "|<html>|<body>|<div>|</div>|<p>|<br>|<blockquote>|</blockquote>|<table><tr><td>|</td>|<pre>|<ul><li>|<ol start=99999999999>|</ol>"
        '|<a href="|javascript:alert(1)|data:text/html,|http://x.example/|<img src="|cid:|<script>|</script>|<style>|<!--|-->|<![CDATA[|]]>|<?xml '
        '|<svg onload=|<math>|<template>|<textarea>|<plaintext>|<select>|<base href=|<meta charset=utf-7>|style="display:none"|onerror='
        "|&lt;|&#0;|&#x110000;|&#xD800;|&#99999999999999999999;|&nbsp;|&|&amp|&NotEqualTilde;|class=gmail_quote|mailtickets-notice"
        "|dmarc=pass|dmarc=fail|dkim=pass|spf=pass| header.from=|header.d=|; |mx.desk.example|1d|24h|5wd|4wh|0s|99999999999d|25MB|-1"
        "|2026-02-29|29 Feb|31.12.|tomorrow|next friday|3pm|25:61|in 3 days|[queue.|[[rule]]\n|[agent.|= [|= {|\"\"\"|'''|\\u0000|\\uD800|1e999|inf"
        "|nan|0x|1979-05-27T07:32:00Z|true|=|password = |#",
        "latin-1",
    ),
    *(
        word.encode()
        for word in (
        "\u202e", "\u200b", "\u2066", "\ufeff", "\u2028", "\u2029", "\u0130", "\u212a", "\u017f", "\u0660", "\uff20", "\u037e",
        "\uff1a", "\uff03", "\u0301" * 40, "\U0001f468\u200d\U0001f469", "\U000e0041", "\ufdfa", "\u3000", "\u1100" * 20, "\U0010ffff",
        "\u0430dmin@", "kim\u0430", "e\u0301", "\u00df", "\u1e9e", "\ufffd",
        )
    ),
)  # fmt: skip
_EDGES = (0, 1, 2, 7, 60, 63, 64, 65, 76, 77, 78, 200, 254, 255, 256, 320, 500, 998, 999, 1000, 2000, 4096)


def flip(one: bytes, _other: bytes, rng: Random) -> bytes:
    """Change a byte."""
    at = rng.randrange(len(one) + 1)
    return one[:at] + bytes((rng.randrange(256),)) + one[at + 1 :]


def cut(one: bytes, _other: bytes, rng: Random) -> bytes:
    """Take a stretch out, mostly a short one."""
    at = rng.randrange(len(one) + 1)
    return one[:at] + one[at + min(len(one), int(1 / (rng.random() + 0.001))) :]


def end(one: bytes, _other: bytes, rng: Random) -> bytes:
    """End early."""
    return one[: rng.randrange(len(one) + 1)]


def token(one: bytes, _other: bytes, rng: Random) -> bytes:
    """Put in a word that readers look for."""
    at = rng.randrange(len(one) + 1)
    return one[:at] + TOKENS[rng.randrange(len(TOKENS))] + one[at:]


def replace_word(one: bytes, _other: bytes, rng: Random) -> bytes:
    """Put such a word in the place of the next word."""
    at = rng.randrange(len(one) + 1)
    behind = one.find(b" ", at)
    return one[:at] + TOKENS[rng.randrange(len(TOKENS))] + (one[behind:] if behind >= 0 else b"")


def run_of(one: bytes, _other: bytes, rng: Random) -> bytes:
    """Put in a long run of one word, of a length at which a limit may stand."""
    at = rng.randrange(len(one) + 1)
    word = TOKENS[rng.randrange(len(TOKENS))] if rng.random() < 0.6 else bytes((rng.randrange(256),))
    return one[:at] + word * min(_EDGES[rng.randrange(len(_EDGES))], MAX_BYTES // len(word)) + one[at:]


def double_line(one: bytes, _other: bytes, rng: Random) -> bytes:
    """Write a line twice: a field, a boundary, a table."""
    at = rng.randrange(len(one) + 1)
    start, behind = one.rfind(b"\n", 0, at) + 1, one.find(b"\n", at) + 1 or len(one)
    return one[:behind] + one[start:behind] * rng.choice((1, 1, 1, 2, 70)) + one[behind:]


def swap_lines(one: bytes, _other: bytes, rng: Random) -> bytes:
    """Move one line somewhere else."""
    lines = one.split(b"\n")
    lines.insert(rng.randrange(len(lines)), lines.pop(rng.randrange(len(lines))))
    return b"\n".join(lines)


def splice(one: bytes, other: bytes, rng: Random) -> bytes:
    """Begin as one input and go on as another."""
    return one[: rng.randrange(len(one) + 1)] + other[rng.randrange(len(other) + 1) :]


def insert(one: bytes, other: bytes, rng: Random) -> bytes:
    """Put a piece of another input in."""
    at, start = rng.randrange(len(one) + 1), rng.randrange(len(other) + 1)
    return one[:at] + other[start : start + rng.randrange(1, 400)] + one[at:]


def nest(one: bytes, _other: bytes, rng: Random) -> bytes:
    """Wrap the whole in a multipart, or in a mail, again and again."""
    for _ in range(rng.choice((1, 2, 3, 25))):
        kind = b"multipart/mixed; boundary=n" if rng.random() < 0.7 else b"message/rfc822"
        one = b"Content-Type: " + kind + b"\n\n--n\n" + one[:MAX_BYTES] + b"\n--n--\n"
    return one


def line_ends(one: bytes, _other: bytes, rng: Random) -> bytes:
    """Write all lines with other ends."""
    return one.replace(b"\r\n", b"\n").replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\r", b"\r\r\n")))


_COMMON = (flip, cut, token, token, token, replace_word, replace_word, double_line, splice, insert)
_RARE = (end, run_of, swap_lines, nest, line_ends, run_of)
Mutator = Callable[[bytes, bytes, Random], bytes]


def mutated(seeds: Sequence[bytes], rng: Random) -> bytes:
    """Return one of the seeds with one to five changes."""
    one, other = seeds[rng.randrange(len(seeds))], seeds[rng.randrange(len(seeds))]
    for _ in range(rng.randrange(1, 6)):
        some: Sequence[Mutator] = _COMMON if rng.random() < 0.85 else _RARE
        one = some[rng.randrange(len(some))](one, other, rng)[:MAX_BYTES]
    return one
