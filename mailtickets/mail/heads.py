"""Pure: writes the head of an outgoing mail. Knows no body, no ticket, and reads no clock.

The library's own writer folds References into encoded-words and lets a crafted value end the
header block, so this one is ours: every value is cleaned, every field is folded where RFC 5322
allows it, and the finished head is parsed again and compared before anybody gets it.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from email.header import decode_header
from email.utils import format_datetime, getaddresses
from functools import lru_cache
from typing import TYPE_CHECKING

from mailtickets.mail.keys import LOOP_FIELD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from mailtickets.mail.message import Address

MAX_LINE = 998  # RFC 5322 section 2.1.1, without CRLF
AIM_LINE = 78  # the same paragraph: SHOULD
MAX_WORD = 75  # RFC 2047 section 2
MAX_NAME = 64  # characters of a display name; longer ones only serve to push the address out of sight
MAX_SUBJECT = 240  # characters; what mail programs show ends long before
MAX_ADDRESS = 320  # RFC 5321 section 4.5.3.1: local part 64, domain 255
MAX_ID = 900  # a reference has to fit a line of its own
LAST_REFERENCES = 20  # besides the first, which is our thread id


class HeaderUnsafe(ValueError):  # noqa: N818 - errors are named for the situation
    """A head that cannot be written, or does not read back as it was meant.

    field   name of the field.
    reason  what is wrong with it, in words.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above the body, except the subject.

    message_id      with angle brackets; ours, so a bad one is an error.
    in_reply_to     one id with angle brackets, or "".
    references      ids with angle brackets, the thread id first; those that cannot be written are left out.
    date            aware.
    auto_submitted  "" for a person's words, else "auto-replied" or "auto-generated" (RFC 3834 section 5).
    loop            value of our signed loop field; "" writes none.
    extra           further unstructured fields, name and value.
    smtputf8        the server takes UTF-8 in addresses (RFC 6532); without it such an address is an error.
    """

    from_: Address
    to: tuple[Address, ...]
    message_id: str
    date: datetime
    cc: tuple[Address, ...] = ()
    reply_to: Address | None = None
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    auto_submitted: str = ""
    loop: str = ""
    extra: tuple[tuple[str, str], ...] = ()
    smtputf8: bool = False


# Left out everywhere: controls, soft hyphen, bidi and zero-width signs, tags, surrogates. What separates
# lines or columns becomes a space, so that words stay apart.
_DROPPED: dict[int, str | None] = {
    **dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x34F, 0x61C, 0x180E)),
    **dict.fromkeys((*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)),
    **dict.fromkeys((*range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080), *range(0xD800, 0xE000))),
    **dict.fromkeys((0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029), " "),
}


# The same names and subjects stand in every mail of a ticket, and twice in each: written, and read back.
def visible_line(value: str) -> str:
    """Return a value as one line without signs that nobody sees."""
    return _remembered_line(value) if len(value) <= MAX_LINE else _visible_line(value)


def _visible_line(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        value = value.translate(_DROPPED)
    return " ".join(value.split())


# Short ones only: strangers choose the length, and must not fill the memory.
_remembered_line = lru_cache(maxsize=512)(_visible_line)


def clean_line(value: str, limit: int = MAX_LINE) -> str:
    """Return a value as one visible line of at most `limit` characters that no mail program decodes.

    `=?` is broken up: a stranger's text must not turn into an encoded-word on its way
    (CVE-2024-6923 and its family).
    """
    return visible_line(value).replace("=?", "= ?")[:limit].rstrip()


def compose_head(head: Head, subject: str) -> bytes:
    """Return the header lines of a mail, CRLF at the end of each, without the MIME fields.

    Raises HeaderUnsafe where a field cannot be written safely or reads back differently.
    """
    fields = [
        ("Date", format_datetime(head.date)),
        ("From", _mailboxes("From", (head.from_,), utf8=head.smtputf8)),
        ("To", _mailboxes("To", head.to, utf8=head.smtputf8)),
        ("Cc", _mailboxes("Cc", head.cc, utf8=head.smtputf8)),
        ("Reply-To", _mailboxes("Reply-To", (head.reply_to,) if head.reply_to else (), utf8=head.smtputf8)),
        ("Subject", _unstructured("Subject", clean_line(subject, MAX_SUBJECT))),
        ("Message-ID", _own_id(head.message_id)),
        ("In-Reply-To", _ids((head.in_reply_to,), "In-Reply-To")),
        ("References", _ids(head.references, "References")),
        *_automatic(head),
        *_extra(head.extra),
    ]
    raw = "".join(f"{name}: {value}\r\n" for name, value in fields if value)
    try:
        written = raw.encode("utf-8" if head.smtputf8 else "ascii")
    except UnicodeEncodeError as error:
        raise HeaderUnsafe("head", f"not ASCII: {error.object[error.start : error.end]!r}") from None
    _compare(written, head, subject, [name for name, value in fields if value])
    return written


# --- writing the fields ---------------------------------------------------------------------------


_AUTOMATIC = ("", "auto-replied", "auto-generated")
_LOOP_VALUE = re.compile(r"[!-~]{1,200}")


def _automatic(head: Head) -> list[tuple[str, str]]:
    """Return the fields that tell machines that a machine wrote this (RFC 3834 section 5)."""
    if head.auto_submitted not in _AUTOMATIC:
        raise HeaderUnsafe("Auto-Submitted", f"unknown value {head.auto_submitted!r}")
    if head.loop and not _LOOP_VALUE.fullmatch(head.loop):
        raise HeaderUnsafe(LOOP_FIELD, "not a word of printable ASCII")
    # Exchange: "All" would also suppress the report that a reminder did not arrive, which the desk needs.
    suppress = {"auto-replied": "All", "auto-generated": "DR, RN, NRN, OOF, AutoReply"}
    return [
        ("Auto-Submitted", head.auto_submitted),
        ("X-Auto-Response-Suppress", suppress.get(head.auto_submitted, "")),
        (LOOP_FIELD, head.loop),
    ]


_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")
# Fields that this file writes itself, that say where a mail goes, or that belong to the body.
_RESERVED = re.compile(
    r"(?:date|from|sender|to|cc|bcc|reply-to|subject|message-id|in-reply-to|references|auto-submitted"
    r"|x-auto-response-suppress|x-mailtickets-loop|return-path|received|mime-version|content-.*|resent-.*)",
    re.IGNORECASE,
)


def _extra(extra: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return further unstructured fields, or raise HeaderUnsafe for a name that is not theirs to use."""
    for name, _ in extra:
        if not _FIELD_NAME.fullmatch(name) or _RESERVED.fullmatch(name):
            raise HeaderUnsafe(name[:64], "not a name for an extra field")
    return [(name, _unstructured(name, clean_line(value))) for name, value in extra]


@lru_cache(maxsize=128)
def _unstructured(field: str, value: str) -> str:
    """Return a cleaned value folded at spaces, with encoded-words from the first to the last word that needs one."""
    words = value.split(" ")
    if not value.isascii():
        odd = [index for index, word in enumerate(words) if not word.isascii()]
        first, last = odd[0], odd[-1] + 1
        words = [*words[:first], *_encoded_words(" ".join(words[first:last])), *words[last:]]
    return _fold(words, len(field) + 2)


def _fold(words: Iterable[str], column: int) -> str:
    """Join words by spaces, with a line break before a word that would pass the aimed length.

    column  where the first word stands; it never gets a line break before it.
    """
    lines: list[str] = []
    for word in words:
        if lines and column + 1 + len(word) > AIM_LINE:
            lines.append("\r\n ")
            column = 1
        elif lines:
            lines.append(" ")
            column += 1
        lines.append(word)
        column += len(word)
    return "".join(lines)


_Q_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q = [chr(byte) if byte in _Q_PLAIN else "_" if byte == 0x20 else f"={byte:02X}" for byte in range(256)]
_Q_ROOM = MAX_WORD - len("=?utf-8?q??=")
_B_ROOM = _Q_ROOM // 4 * 3  # bytes whose base64 form fits


def _encoded_words(value: str) -> list[str]:
    """Return a text as encoded-words of RFC 2047 fit for a phrase, none splitting a character.

    Q where most is ASCII and people may read it in a log, else B.
    """
    as_b = sum(map(str.isascii, value)) * 2 < len(value)
    room = _B_ROOM if as_b else _Q_ROOM
    chunks: list[bytes] = []
    chunk, used = b"", 0
    for character in value:
        raw = character.encode()
        cost = len(raw) if as_b else sum(len(_Q[byte]) for byte in raw)
        if used + cost > room:
            chunks.append(chunk)
            chunk, used = b"", 0
        chunk += raw
        used += cost
    chunks.append(chunk)
    if as_b:
        return [f"=?utf-8?b?{binascii.b2a_base64(part, newline=False).decode()}?=" for part in chunks]
    return [f"=?utf-8?q?{''.join(_Q[byte] for byte in part)}?=" for part in chunks]


_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")  # RFC 5322 section 3.2.3
_ASCII_ADDRESS = re.compile(
    r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+|\"[ !#-\[\]-~]+\")@(?:[A-Za-z0-9._-]+|\[[0-9A-Za-z:.]+\])"
)
_UTF8_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u00a1-\U0010ffff-]+@[A-Za-z0-9._\u00a1-\U0010ffff-]+"
)


def display_name(name: str) -> str:
    """Return a display name as it will be read: cleaned, at most 64 characters."""
    return clean_line(name, MAX_NAME)


def _address(field: str, address: str, *, utf8: bool) -> str:
    """Return an address fit to stand in a head, or raise HeaderUnsafe; nothing in it is ever encoded."""
    form = _UTF8_ADDRESS if utf8 and not address.isascii() else _ASCII_ADDRESS
    if len(address) > MAX_ADDRESS or "=?" in address or not form.fullmatch(address):
        why = "not ASCII" if not address.isascii() and not utf8 else "not an address"
        raise HeaderUnsafe(field, f"{why}: {clean_line(address, MAX_NAME)!r}")
    if not address.isascii() and address.translate(_DROPPED) != address:
        raise HeaderUnsafe(field, "invisible characters in an address")
    return address


@lru_cache(maxsize=256)
def _mailboxes(field: str, mailboxes: tuple[Address, ...], *, utf8: bool) -> str:
    """Return an address list, folded between mailboxes and between the words of a name."""
    words: list[str] = []
    for mailbox in mailboxes:
        if words:
            words[-1] += ","
        address = _address(field, mailbox.address, utf8=utf8)
        name = display_name(mailbox.name)
        words += [*_phrase(name), f"<{address}>"] if name else [address]
    return _fold(words, len(field) + 2)


def _phrase(name: str) -> list[str]:
    """Return a display name as atoms, one quoted string, or encoded-words (RFC 2047 section 5 rule 3)."""
    if not name.isascii():
        return _encoded_words(name)
    if _ATOMS.fullmatch(name):
        return [name]
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return [f'"{escaped}"']


_ID = re.compile(r"<[!-;=?-~]{1,898}>")


def _own_id(message_id: str) -> str:
    if not _ID.fullmatch(message_id) or "@" not in message_id:
        raise HeaderUnsafe("Message-ID", f"not an id: {clean_line(message_id, MAX_NAME)!r}")
    return message_id


def _writable(ids: Iterable[str]) -> list[str]:
    """Return the ids that can be written, each once: the first, which is the thread's, and the last twenty."""
    kept = list(dict.fromkeys(one for one in ids if _ID.fullmatch(one) and "=?" not in one))
    return kept if len(kept) <= LAST_REFERENCES + 1 else [kept[0], *kept[-LAST_REFERENCES:]]


def _ids(ids: Iterable[str], field: str) -> str:
    return _fold(_writable(ids), len(field) + 2)


# --- reading back ---------------------------------------------------------------------------------


def _compare(written: bytes, head: Head, subject: str, names: list[str]) -> None:
    """Raise HeaderUnsafe unless the head, parsed again, has exactly the fields and values that were meant."""
    lines = written.split(b"\r\n")
    if any(len(line) > MAX_LINE or b"\r" in line or b"\n" in line or b"\0" in line for line in lines):
        raise HeaderUnsafe("head", "a line is too long or holds a stray line end")
    read = _fields(lines)
    if [name for name, _ in read] != names:
        raise HeaderUnsafe("head", f"reads back as the fields {[name for name, _ in read]}")
    values = {name.lower(): value for name, value in read}
    groups = {"From": (head.from_,), "To": head.to, "Cc": head.cc}
    groups["Reply-To"] = (head.reply_to,) if head.reply_to else ()
    for name, mailboxes in groups.items():
        meant = tuple((display_name(one.name), one.address) for one in mailboxes)
        _same(name, _read_mailboxes(values.get(name.lower(), "")), meant)
    meant_values = {"Message-ID": head.message_id, "Date": format_datetime(head.date)}
    for name, value in (meant_values | dict(_automatic(head))).items():
        _same(name, values.get(name.lower(), ""), value)
    _same("Subject", _decoded(values.get("subject", "")), clean_line(subject, MAX_SUBJECT))
    _same("References", values.get("references", "").split(), _writable(head.references))
    _same("In-Reply-To", values.get("in-reply-to", ""), " ".join(_writable((head.in_reply_to,))))
    extra = [(name, clean_line(value)) for name, value in head.extra if clean_line(value)]
    _same("extra", [(name, _decoded(value)) for name, value in read[len(read) - len(extra) :]], extra)


def _same(field: str, read: object, meant: object) -> None:
    if read != meant:
        raise HeaderUnsafe(field, f"reads back as {read!r}"[:300])


def _fields(lines: Sequence[bytes]) -> list[tuple[str, str]]:
    """Return the fields of a head as any reader finds them (RFC 5322 section 2.2): name, and value unfolded."""
    found: list[tuple[str, str]] = []
    for line in lines:
        text = line.decode("utf-8", "replace")
        if text[:1] in {" ", "\t"} and found:
            name, value = found[-1]
            found[-1] = (name, value + text)
        elif text:
            name, _, value = text.partition(":")
            found.append((name, value.strip(" ")))
    return found


@lru_cache(maxsize=256)
def _decoded(value: str) -> str:
    """Return a value with its encoded-words decoded."""
    if "=?" not in value:
        return value
    decode: Callable[[str], list[tuple[bytes | str, str | None]]] = decode_header
    pieces = decode(value)
    return "".join(
        piece if isinstance(piece, str) else piece.decode(charset or "ascii", "replace")
        for piece, charset in pieces
    )


# Where nothing needs quoting every parser reads the same; the general parser costs twenty times as much.
_SIMPLE_MAILBOX = re.compile(
    r"(?:([A-Za-z0-9]+(?: [A-Za-z0-9]+)*) <)?([A-Za-z0-9._+-]+@[A-Za-z0-9.-]+)(?(1)>)"
)


@lru_cache(maxsize=256)
def _read_mailboxes(value: str) -> tuple[tuple[str, str], ...]:
    if match := _SIMPLE_MAILBOX.fullmatch(value):
        return ((match[1] or "", match[2]),)
    return tuple((_decoded(name), address) for name, address in getaddresses([value])) if value else ()
