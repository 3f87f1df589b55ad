"""The parts of a mail: an iterative walk over the raw bytes that reads text and only names the rest.

Attachments are never decoded here: a part is a slice (start, end) of the raw mail. Nothing recurses
over what a stranger sent, and every count has a limit that leaves a word in `defects`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape

from mailtickets.mail import charsets
from mailtickets.mail.flowed import unflowed
from mailtickets.mail.header_text import (
    LINE_ENDS,
    Head,
    after_continuations,
    decode_words,
    file_name,
    one_line,
    parameters,
    skip_preface,
    split_head,
    unfold,
)
from mailtickets.mail.message import Attachment
from mailtickets.mail.transfer_encoding import decoded_size, undo_encoding

MAX_PARTS = 200
MAX_DEPTH = 20
MAX_ATTACHMENTS = 100
MAX_TEXT_BYTES = 1024 * 1024  # of plain text and of HTML each, all parts together
MAX_REPORT_BYTES = 64 * 1024
MAX_REPORT_GROUPS = 100
MAX_BOUNDARY = 256  # RFC 2046 section 5.1.1 allows 70
MAX_PART_FIELDS = 60
MAX_PART_HEAD_BYTES = 64 * 1024
MAX_FALSE_DELIMITERS = 10_000  # lines that only begin like a boundary; each costs a step

_CONTENT_TYPE = re.compile(r"[a-z0-9!#$&^_.+*-]{1,100}/[a-z0-9!#$&^_.+*'-]{1,100}")
_REPORTS = frozenset(
    {
        "message/delivery-status",  # RFC 3464
        "message/global-delivery-status",  # RFC 6533
        "message/disposition-notification",  # RFC 8098
        "message/global-disposition-notification",
        "message/feedback-report",  # RFC 5965
    }
)
_RETURNED = frozenset(
    {
        "message/rfc822",
        "text/rfc822-headers",
        "message/global",
        "message/global-headers",
        "message/rfc822-headers",
    }
)
_ENCODINGS = {"x-uue": "x-uuencode", "uuencode": "x-uuencode", "uue": "x-uuencode", "": "7bit"}


@dataclass(slots=True)
class Body:
    """What the walk found; grows part by part.

    texts                body parts in order: whether it is HTML, and the text.
    losses               defects by which texts and attachments are not what was sent.
    begins_as_lone_html  the first thing to read is HTML without a plain version of it.
    """

    texts: list[tuple[bool, str]] = field(default_factory=list)
    begins_as_lone_html: bool = False
    attachments: list[Attachment] = field(default_factory=list)
    report: list[dict[str, str]] = field(default_factory=list)
    returned: tuple[tuple[str, str], ...] = ()
    calendar_method: str = ""
    defects: dict[str, None] = field(default_factory=dict)
    losses: dict[str, None] = field(default_factory=dict)
    text_bytes: int = 0
    html_bytes: int = 0

    def lose(self, defect: str) -> None:
        """Note a defect that readers should know of."""
        self.defects[defect] = self.losses[defect] = None

    @property
    def text(self) -> str:
        """The plain text; empty where it is only a footer below HTML."""
        return (
            "" if self.begins_as_lone_html else "\n".join(text for is_html, text in self.texts if not is_html)
        )

    @property
    def html(self) -> str:
        """The HTML; with the plain parts between it where only both together are the whole body."""
        if not self.begins_as_lone_html:
            return "\n".join(text for is_html, text in self.texts if is_html)
        return "\n".join(
            text if is_html else f"<pre>{escape(text)}</pre>" for is_html, text in self.texts if text.strip()
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """A part still to be read; `start` is where its own header begins."""

    start: int
    end: int
    depth: int
    parent: str
    default_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class _Content:
    """What the header of a part says about its body."""

    type: str
    parameters: dict[str, str]
    encoding: str
    disposition: str
    name: str
    content_id: str


def walk(raw: bytes, head: Head, *, reads_returned: bool) -> Body:
    """Return the bodies and attachments of a mail whose header is `head`, in order.

    raw             lines end in LF or CRLF.
    reads_returned  the mail may bring back another one (a report): read that one's header.
    """
    body = Body()
    todo: list[tuple[_Part, Head]] = [(_Part(0, len(raw), 0, ""), head)]
    parts = 0
    while todo:
        part, part_head = todo.pop()
        content = _content(part_head, part.default_type)
        if content.type.startswith("multipart/"):
            children = _children(raw, part, part_head.body_start, content, body)
            if children is not None:
                room = MAX_PARTS - parts
                if len(children) > room:
                    body.lose(f"{MAX_PARTS} parts read, the rest not")
                parts += min(len(children), room)
                # The stack is taken from its end, and the parts are wanted in their order.
                todo.extend(
                    (
                        child,
                        split_head(
                            raw,
                            child.start,
                            child.end,
                            max_fields=MAX_PART_FIELDS,
                            max_bytes=MAX_PART_HEAD_BYTES,
                        ),
                    )
                    for child in reversed(children[:room])
                )
                continue
        _read_leaf(raw, part, part_head.body_start, content, body, reads_returned=reads_returned)
    return body


def _content(head: Head, default_type: str) -> _Content:
    values: dict[str, bytes] = {}
    for name, value in head.fields:
        lowered = name.lower()
        if lowered.startswith("content-"):
            values.setdefault(lowered[8:], value)
    kind, type_parameters = parameters(unfold(values["type"])) if "type" in values else (default_type, {})
    if kind in {"text", "text/*"}:  # RFC 1049, before MIME
        kind = "text/plain"
    elif not _CONTENT_TYPE.fullmatch(kind):
        kind = "text/plain"  # RFC 2045 section 5.2
    disposition, disposition_parameters = "", dict[str, str]()
    if "disposition" in values:
        disposition, disposition_parameters = parameters(unfold(values["disposition"]))
    name = disposition_parameters.get("filename") or type_parameters.get("name") or ""
    encoding = ""
    if "transfer-encoding" in values:
        encoding = parameters(unfold(values["transfer-encoding"]))[0].strip("\"' ")[:40]
    content_id = ""
    if "id" in values:
        content_id = one_line(unfold(values["id"]), 300).strip("<> ")
    return _Content(
        kind,
        type_parameters,
        _ENCODINGS.get(encoding, encoding),
        disposition,
        file_name(decode_words(name)),
        content_id,
    )


def _children(raw: bytes, part: _Part, start: int, content: _Content, body: Body) -> list[_Part] | None:
    """Return the parts of a multipart, at most one more than may be read; None if it cannot be split."""
    boundary = content.parameters.get("boundary", "").rstrip()
    if not boundary or len(boundary) > MAX_BOUNDARY:
        body.defects["multipart without a usable boundary"] = None
        return None
    if part.depth >= MAX_DEPTH:
        body.lose(f"parts nested deeper than {MAX_DEPTH}")
        return None
    default = "message/rfc822" if content.type == "multipart/digest" else "text/plain"
    delimiter = b"\n--" + boundary.encode("utf-8", "replace")
    children: list[_Part] = []
    opened, position, closed, false_delimiters = -1, start, False, 0
    while len(children) <= MAX_PARTS:
        # RFC 2046 section 5.1.1: at the start of a line; only padding, or "--", behind it.
        if position == start and raw.startswith(delimiter[1:], start):
            found = start - 1
        else:
            found = raw.find(delimiter, max(start, position - 1), part.end)
        if found < 0 or false_delimiters > MAX_FALSE_DELIMITERS:
            break
        position = found + len(delimiter)
        line_end = raw.find(b"\n", position, part.end)
        line_end = part.end if line_end < 0 else line_end + 1
        tail = raw[position : min(line_end, position + 200)].strip()
        if tail not in {b"", b"--"}:
            false_delimiters += 1
            continue
        position = line_end
        if opened >= 0:
            end = max(opened, found - (raw[found - 1] == 0x0D))  # the line end belongs to the boundary
            children.append(_Part(opened, end, part.depth + 1, content.type, default))
        # What follows the closing boundary is nothing (RFC 2046 section 5.1.1), unless the boundary comes
        # again: then it was an inner multipart of the same boundary that was closed.
        closed = tail == b"--"
        opened = -1 if closed else line_end
    if not closed:
        if opened < 0:
            body.defects["multipart in which the boundary never comes"] = None
            return None
        body.defects["multipart that does not end"] = None
        if opened < part.end and len(children) <= MAX_PARTS:
            children.append(_Part(opened, part.end, part.depth + 1, content.type, default))
    return children


def _read_leaf(
    raw: bytes, part: _Part, start: int, content: _Content, body: Body, *, reads_returned: bool
) -> None:
    kind = content.type
    is_unsplit = kind.startswith("multipart/")
    if kind in _REPORTS:
        _read_report(raw, start, part.end, content, body)
    elif reads_returned and kind in _RETURNED and not body.returned:
        body.returned = _returned_header(raw, start, part.end, content)
    elif kind == "text/calendar":
        _read_calendar(raw, start, part, content, body)
    is_text = kind in {"text/plain", "text/html"} or (is_unsplit and part.depth < MAX_DEPTH)
    if is_text and content.disposition != "attachment" and not content.name:
        _read_text(raw, start, part, content, body)
    elif len(body.attachments) >= MAX_ATTACHMENTS:
        body.lose(f"{MAX_ATTACHMENTS} attachments read, the rest not")
    else:
        body.attachments.append(_attachment(raw, start, part, content))


def _attachment(raw: bytes, start: int, part: _Part, content: _Content) -> Attachment:
    return Attachment(
        name=content.name,
        content_type=content.type,
        start=start,
        end=part.end,
        encoding=content.encoding,
        size_bytes=decoded_size(raw, start, part.end, content.encoding),
        content_id=content.content_id,
        inline=content.disposition == "inline"
        or (
            content.disposition != "attachment"
            and bool(content.content_id)
            and part.parent == "multipart/related"
        ),
        charset=content.parameters.get("charset", "")[: charsets.MAX_LABEL],
    )


def _decoded(raw: bytes, start: int, end: int, encoding: str, limit: int) -> tuple[bytes, bool]:
    """Return the first `limit` bytes of a part's content, and whether something was cut off."""
    # Quoted-printable needs three bytes for one; a little more for line ends.
    cut_end = min(end, start + limit * 4 + 1024)
    decoded = undo_encoding(raw[start:cut_end], encoding)
    return decoded[:limit], cut_end < end or len(decoded) > limit


def _read_text(raw: bytes, start: int, part: _Part, content: _Content, body: Body) -> None:
    is_html = content.type == "text/html"
    end = part.end
    room = MAX_TEXT_BYTES - (body.html_bytes if is_html else body.text_bytes)
    decoded, is_cut = _decoded(raw, start, end, content.encoding, room)
    if is_cut:
        body.lose("HTML cut at 1 MB" if is_html else "text cut at 1 MB")
    label = content.parameters.get("charset", "")
    if is_html and not charsets.codec_of(label):
        label = charsets.html_charset(decoded) or label
    text, doubt = charsets.decode(decoded, label)
    if doubt:
        body.defects[doubt] = None
        if doubt.startswith(charsets.UNKNOWN):
            body.losses[doubt] = None
    if content.encoding == "base64" and end - start > 2 * len(decoded) + 100 and not is_cut:
        body.lose("base64 text with foreign letters")
    text = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    if not decoded and raw[start:end].strip():
        body.lose("text of which nothing can be decoded")
    if is_html:
        body.html_bytes += len(decoded)
        # Scanners and lists put a plain footer below a body of HTML: the footer alone is not the text.
        body.begins_as_lone_html |= not any(earlier.strip() for _, earlier in body.texts)
        body.texts.append((True, text))
        return
    body.text_bytes += len(decoded)
    if content.parameters.get("format", "").lower() == "flowed":
        text = unflowed(text, delete_space=content.parameters.get("delsp", "").lower() == "yes")
    if part.parent == "multipart/alternative":
        body.begins_as_lone_html = False  # it is the plain version, in the wrong place
    body.texts.append((False, text))


def _read_report(raw: bytes, start: int, end: int, content: _Content, body: Body) -> None:
    """Take the field groups of a report part: each is separated by an empty line (RFC 3464 section 2.1)."""
    decoded, _ = _decoded(raw, start, end, content.encoding, MAX_REPORT_BYTES)
    position = 0
    while position < len(decoded) and len(body.report) < MAX_REPORT_GROUPS:
        position = LINE_ENDS.match(decoded, position).end()  # type: ignore[union-attr]  # matches nothing, too
        head = split_head(
            decoded, position, len(decoded), max_fields=MAX_PART_FIELDS, max_bytes=MAX_PART_HEAD_BYTES
        )
        group: dict[str, str] = {}
        for name, value in head.fields:
            group.setdefault(name.lower(), one_line(decode_words(unfold(value)), 2000))
        if group:
            body.report.append(group)
        if head.body_start <= position:  # a line that is no field: nothing can be read behind it
            # With what continues it, in one step: looking for its end from each of its lines would take hours.
            line_end = decoded.find(b"\n", position) + 1 or len(decoded)
            position = after_continuations(decoded, line_end, len(decoded))
        else:
            position = head.body_start


def _returned_header(raw: bytes, start: int, end: int, content: _Content) -> tuple[tuple[str, str], ...]:
    decoded, _ = _decoded(raw, start, end, content.encoding, MAX_REPORT_BYTES)
    head = split_head(decoded, skip_preface(decoded), len(decoded))
    return tuple((name, unfold(value)) for name, value in head.fields)


def _read_calendar(raw: bytes, start: int, part: _Part, content: _Content, body: Body) -> None:
    """Take the method of a calendar part that is the mail's own word, not a file somebody attached."""
    is_main = part.depth == 0 or part.parent == "multipart/alternative"
    if body.calendar_method or not is_main or content.disposition == "attachment":
        return
    method = content.parameters.get("method", "")
    if not method:
        decoded, _ = _decoded(raw, start, part.end, content.encoding, 4096)
        found = re.search(rb"^METHOD:([A-Za-z]{1,20})", decoded, re.MULTILINE)
        method = found[1].decode("ascii") if found else ""
    body.calendar_method = one_line(method, 20).upper()
