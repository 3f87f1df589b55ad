"""Pure: makes a letter the body of a mail. Knows no ticket and no stored byte.

A body holds our own text and names each attachment as a slice of a stored original, so that the
outbox needs no second copy of it. The same letter always makes the same bytes: boundaries are a hash of
the content, never chance.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from mailtickets.mail.heads import clean_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailtickets.mail.message import Attachment

# Stands in a letter where the reply key goes, because one body serves several agents. It is kept alone on
# an encoded line, so that any key may take its place without passing a limit of length.
KEY_PLACEHOLDER = "mailtickets-reply-key-stands-here"
MAX_FILE_NAME = 150  # characters; below what common file systems take, also in UTF-8 of two bytes

Transform = Literal["as-is", "base64"]


@dataclass(frozen=True, slots=True)
class Piece:
    """An attachment of a letter.

    digest  SHA-256 of the stored original that it is cut from.
    """

    digest: bytes
    attachment: Attachment


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail before it is bytes.

    subject   one line.
    text      lines end with LF.
    html      a whole document; "" for a mail of plain text only.
    inline    images that the HTML shows by `cid:`.
    attached  everything else.
    """

    subject: str
    text: str
    html: str = ""
    inline: tuple[Piece, ...] = ()
    attached: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes of a stored original that belong in a body.

    transform  "as-is" takes the lines as they are encoded, with CRLF; "base64" encodes the raw bytes.
    encoding   how the bytes are encoded in the original; an as-is slice keeps it.
    """

    digest: bytes
    start: int
    end: int
    transform: Transform = "as-is"
    encoding: str = "base64"


@dataclass(frozen=True, slots=True)
class Body:
    """The MIME fields, the empty line, and everything below, in order."""

    segments: tuple[bytes | Slice, ...]


def compose_body(letter: Letter) -> Body:
    """Return the MIME fields and the body of a letter; with a head before it, it is a whole mail."""
    name = _boundary(letter)
    inline = tuple(piece for piece in letter.inline if letter.html and _shown_inline(piece.attachment))
    attached = (*(piece for piece in letter.inline if piece not in inline), *letter.attached)
    part: _Part = _text_part("text/plain", letter.text)
    if letter.html:
        page: _Part = _text_part("text/html", letter.html)
        if inline:
            page = _multipart(
                'related; type="text/html"',
                f"{name}r",
                [page, *(_attachment_part(one, inline=True) for one in inline)],
            )
        part = _multipart("alternative", f"{name}a", [part, page])
    if attached:
        part = _multipart(
            "mixed", f"{name}m", [part, *(_attachment_part(one, inline=False) for one in attached)]
        )
    return Body(_joined((b"MIME-Version: 1.0\r\n", *part)))


# --- parts ----------------------------------------------------------------------------------------

# A part: its fields, the empty line, its content. Whoever joins parts writes the line end behind it.
_Part = tuple[bytes | Slice, ...]


def _boundary(letter: Letter) -> str:
    """Return a boundary made of everything in the letter, so that nothing in the letter can hold it.

    `=_` can stand in neither quoted-printable nor base64 text (RFC 2045 section 6.7).
    """
    content = hashlib.sha256()
    for text in (letter.subject, letter.text, letter.html):
        content.update(hashlib.sha256(text.encode("utf-8", "replace")).digest())
    for piece in (*letter.inline, *letter.attached):
        content.update(piece.digest + b"%d %d." % (piece.attachment.start, piece.attachment.end))
    return f"=_{content.hexdigest()[:28]}"


def _multipart(kind: str, boundary: str, parts: Iterable[_Part]) -> _Part:
    subtype, _, parameters = kind.partition("; ")
    parameters = f";\r\n {parameters}" if parameters else ""
    segments: list[bytes | Slice] = [
        f'Content-Type: multipart/{subtype}{parameters};\r\n boundary="{boundary}"\r\n'.encode()
    ]
    for part in parts:
        segments += [f"\r\n--{boundary}\r\n".encode(), *part]
    segments.append(f"\r\n--{boundary}--\r\n".encode())
    return tuple(segments)


def _joined(part: _Part) -> _Part:
    """Return a part with neighbouring texts made one."""
    segments: list[bytes | Slice] = []
    texts: list[bytes] = []
    for segment in (*part, b""):
        if isinstance(segment, bytes):
            texts.append(segment)
            continue
        segments += [b"".join(texts), segment]
        texts = []
    return (*segments, b"".join(texts))


_CONTROLS = dict.fromkeys((*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F))
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Lines that servers or mail programs change on the way: "From " is escaped by mbox writers, spaces at the
# end are cut off by gateways, a dot alone ends the mail at a careless server.
_FRAGILE = re.compile(r"(?m)^From |[ \t]$|^\.$")
_LONGEST_PLAIN = 76
_FROM = re.compile(rb"(?m)^From ")


def _text_part(content_type: str, text: str) -> _Part:
    """Return our own text: as it is where every server leaves it alone, else quoted-printable; never base64."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.translate(_CONTROLS) if _CONTROL.search(text) else text
    text = text if text.endswith("\n") else f"{text}\n"
    plain = text.isascii() and KEY_PLACEHOLDER not in text and not _FRAGILE.search(text)
    plain = plain and max(map(len, text.split("\n"))) <= _LONGEST_PLAIN
    encoded = text.encode() if plain else _quoted_printable(text)
    encoding = "7bit" if plain else "quoted-printable"
    fields = f"Content-Type: {content_type}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return (fields.encode() + encoded.replace(b"\n", b"\r\n"),)


def _quoted_printable(text: str) -> bytes:
    """Return text in quoted-printable with LF line ends, the key's placeholder alone on its line."""
    pieces = [
        binascii.b2a_qp(piece.encode("utf-8", "replace"), istext=True)
        for piece in text.split(KEY_PLACEHOLDER)
    ]
    encoded = pieces[0]
    for piece in pieces[1:]:
        before = b"" if not encoded or encoded.endswith(b"\n") else b"=\n"
        after = b"" if piece.startswith(b"\n") else b"=\n"
        encoded = b"".join((encoded, before, KEY_PLACEHOLDER.encode(), after, piece))
    return _FROM.sub(b"=46rom=\n ", encoded)


# --- attachments ----------------------------------------------------------------------------------

_TYPE = re.compile(r"[a-z0-9][a-z0-9.+_-]{0,63}/[a-z0-9][a-z0-9.+_-]{0,90}")
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,39}")
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,200}")
_OPAQUE = "application/octet-stream"
_UNNAMED = {
    "application/pdf": ".pdf",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "message/rfc822": ".eml",
    "text/calendar": ".ics",
    "text/html": ".html",
    "text/plain": ".txt",
}


def _content_type(attachment: Attachment) -> str:
    """Return a type that is safe to write.

    An attached mail travels as opaque bytes under its name: RFC 2046 section 5.2.1 forbids base64 for
    message/rfc822, and with any other encoding a stranger's lines would stand bare in our mail.
    """
    kind = attachment.content_type.strip().lower()
    if not _TYPE.fullmatch(kind) or kind.startswith(("message/", "multipart/")):
        return _OPAQUE
    charset = attachment.charset
    return f"{kind}; charset={charset}" if kind.startswith("text/") and _TOKEN.fullmatch(charset) else kind


def _shown_inline(attachment: Attachment) -> bool:
    """Return whether a page may show it: a picture that holds no script, with a usable Content-ID."""
    kind = _content_type(attachment)
    return (
        kind.startswith("image/")
        and "svg" not in kind
        and _CONTENT_ID.fullmatch(attachment.content_id) is not None
    )


def file_name(attachment: Attachment) -> str:
    """Return the name shown for an attachment: the last path piece, cleaned, never empty, at most 150 characters."""
    name = clean_line(re.split(r"[/\\]", attachment.name)[-1]).lstrip(". ") if attachment.name else ""
    ending = _UNNAMED.get(attachment.content_type.lower(), "")
    if not name:
        return f"attachment{ending}"
    if len(name) > MAX_FILE_NAME:
        stem, dot, last = name.rpartition(".")
        tail = dot + last if stem and len(last) <= 16 else ""
        name = name[: MAX_FILE_NAME - len(tail)].rstrip() + tail
    # Our opaque type says nothing, so the name has to say that this is a mail.
    return (
        f"{name}.eml" if ending == ".eml" and "." not in name[-5:] and len(name) < MAX_FILE_NAME - 4 else name
    )


def _parameter(name: str, value: str) -> str:
    """Return a parameter on lines of its own, in the form of RFC 2231 where it is long or not ASCII."""
    if value.isascii() and len(value) <= 60:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f';\r\n {name}="{escaped}"'
    encoded = quote(value, safe="!#$&+^_`{}~", encoding="utf-8")
    # Pieces may be cut anywhere but inside a "%XX".
    pieces = re.findall(r"(?:%[0-9A-F]{2}|[^%]){1,18}", encoded)
    if len(pieces) == 1:
        return f";\r\n {name}*=utf-8''{pieces[0]}"
    pieces[0] = f"utf-8''{pieces[0]}"
    return "".join(f";\r\n {name}*{number}*={piece}" for number, piece in enumerate(pieces))


def _attachment_part(piece: Piece, *, inline: bool) -> _Part:
    """Return an attachment as fields and a slice; what is not base64 or quoted-printable is encoded anew."""
    attachment = piece.attachment
    encoding = attachment.encoding.strip().lower()
    as_is = encoding in {"base64", "quoted-printable"}
    name = file_name(attachment)
    # Old programs read only `name`, and only in ASCII; RFC 2047 words in parameters are not allowed.
    fallback = name[-60:].encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
    fields = (
        f"Content-Type: {_content_type(attachment)}{_parameter('name', fallback)}\r\n"
        f"Content-Transfer-Encoding: {encoding if as_is else 'base64'}\r\n"
        f"Content-Disposition: {'inline' if inline else 'attachment'}{_parameter('filename', name)}\r\n"
        + (f"Content-ID: <{attachment.content_id}>\r\n" if inline else "")
        + "\r\n"
    )
    cut = Slice(
        piece.digest,
        attachment.start,
        attachment.end,
        "as-is" if as_is else "base64",
        encoding if as_is else "binary",
    )
    return (fields.encode(), cut)
