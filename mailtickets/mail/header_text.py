"""Header blocks and header values: splitting, decoding, ids, parameters. Knows nothing of bodies.

Pure, total and linear in the size of its input; every field is cut to a fixed length first.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from mailtickets.mail.charsets import decode

MAX_FIELDS = 1000
MAX_FIELD_BYTES = 64 * 1024  # a To of 300 KB must not cost, or hide, the fields behind it
MAX_HEAD_BYTES = 1024 * 1024
MAX_SUBJECT = 998  # RFC 5322 section 2.1.1: no line is longer, so no sane subject is
MAX_ID = 500
MAX_LOST_FOLD = 500  # of a field that goes on in the next line
MAX_PIECES = 50  # of one RFC 2231 parameter

# RFC 5322 section 2.2: a name is printable ASCII without the colon. The quantifiers are
# possessive: a header of a million continuation lines keeps no state for going back.
_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)")
LINE_ENDS = re.compile(rb"[\r\n]*+")
# Some carriers fold "Content-Type: multipart/mixed;" without the space that RFC 5322 section 2.2.3 wants.
_LOST_FOLD = re.compile(rb"[a-z][a-z0-9*-]{1,30}=\S", re.IGNORECASE)
_BLANK_LINE = re.compile(rb"\n\r?\n")
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_CONTROL = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"  # would turn or hide what is shown
)
# Not `\s`: the ideographic space is a letter of a name, not a gap in a line.
_LINE_SPACE = re.compile("[ \t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")
_PARAMETER = re.compile(r';\s*+([^\s=;"]{1,60}+)\s*+=\s*+("(?:[^"\\]++|\\.)*+"?|[^;]*+)', re.DOTALL)
_ID = re.compile(r"<([^<>]{1,2000})>")
# RFC 5322 section 3.6.4, loosely: printable ASCII; brackets only in a domain literal.
_USABLE_ID = re.compile(r"[!#-'*-Z^-~\"\\]{1,400}(?:@[!-Z\\\]\[^-~]{1,300})?")


@dataclass(frozen=True, slots=True)
class Head:
    """A header block: its fields (name, raw value) and where the body begins."""

    fields: tuple[tuple[str, bytes], ...]
    body_start: int
    defects: tuple[str, ...]
    received_count: int = 0


def skip_preface(raw: bytes) -> int:
    """Return where the header begins: behind a byte order mark, blank lines and an mbox "From " line."""
    position = 3 if raw.startswith(b"\xef\xbb\xbf") else 0
    position = LINE_ENDS.match(raw, position).end()  # type: ignore[union-attr]  # matches nothing, too
    if raw.startswith((b"From ", b">From "), position):
        position = raw.find(b"\n", position) + 1 or len(raw)
    return position


def split_head(
    raw: bytes, start: int, end: int, *, max_fields: int = MAX_FIELDS, max_bytes: int = MAX_HEAD_BYTES
) -> Head:
    """Return the header fields in `raw[start:end]` (lines end in LF or CRLF) and where the body begins.

    A line that is no field is passed over when a field follows it (mailers and mailboxes
    insert such lines); otherwise the body begins there, as a missing blank line means.
    """
    fields: list[tuple[str, bytes]] = []
    defects: list[str] = []
    received = 0
    position = start
    while position < end:
        if position - start > max_bytes:
            blank = _BLANK_LINE.search(raw, position - 1, end)
            position = blank.end() if blank else end
            defects.append("header cut")
            break
        if raw[position] == 0x0A:
            position += 1
            break
        if raw.startswith(b"\r\n", position):
            position += 2
            break
        match = _FIELD.match(raw, position, end)
        if match is None:
            line_end = raw.find(b"\n", position, end) + 1 or end
            garbage = raw[position:line_end]
            if fields and _LOST_FOLD.match(garbage) and len(fields[-1][1]) < MAX_LOST_FOLD:
                field, value = fields[-1]
                if value.rstrip().endswith(b";"):
                    fields[-1] = (field, value + b" " + garbage[:MAX_LOST_FOLD])
                    defects.append(f"field {field} goes on in a line without a space before it")
                    position = line_end
                    continue
            next_field = after_continuations(raw, line_end, end)
            if not _FIELD.match(raw, next_field, end) or raw.startswith(b"--", position):
                defects.append("no blank line between header and body")
                break
            defects.append("a line in the header that is no field")
            position = next_field
            continue
        name = match[1].decode("ascii")
        if name.lower() == "received":
            received += 1
        if len(fields) < max_fields:
            if match.end(2) - match.start(2) > MAX_FIELD_BYTES:
                defects.append(f"field {name} cut at 64 KB")
            fields.append((name, _bounded_value(name, raw, *match.span(2))))
        elif not defects or defects[-1] != "header cut":
            defects.append("header cut")
        position = match.end()
    return Head(tuple(fields), position, tuple(dict.fromkeys(defects)), received)


def _bounded_value(name: str, raw: bytes, start: int, end: int) -> bytes:
    if end - start > MAX_FIELD_BYTES and name.lower() == "references":
        # RFC 5322 section 3.6.4: the first id is the thread's root, the last one the parent.
        half = MAX_FIELD_BYTES // 2
        return raw[start : start + half] + b" <> " + raw[end - half : end]
    return raw[start : min(end, start + MAX_FIELD_BYTES)]


def after_continuations(raw: bytes, position: int, end: int) -> int:
    """Return where the first line begins, from `position` on, that continues no field."""
    while position < end and raw[position] in b" \t":
        position = raw.find(b"\n", position, end) + 1 or end
    return position


def unfold(value: bytes, charset: str = "") -> str:
    """Return a raw field value as one line of text, encoded-words left as they are.

    charset   tried for letters above 127 that are not UTF-8 (RFC 6532); "" if none is known.
    """
    if value.isascii():
        text = value.decode("ascii")
    else:
        text = decode(value)[0] if not charset or _is_utf8(value) else decode(value, charset)[0]
    if "\n" in text:
        # RFC 5322 section 2.2.3: only the line end goes, the white space behind it stays.
        text = text.replace("\r\n", "").replace("\n", "")
    return text.replace("\x00", "").strip()


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except ValueError:
        return False
    return True


def one_line(text: str, limit: int = MAX_SUBJECT) -> str:
    """Return a text on one line, without control and direction marks, cut to `limit` letters."""
    return " ".join(_LINE_SPACE.split(_CONTROL.sub("", text).strip()))[:limit].rstrip()


def decode_words(value: str) -> str:
    """Return a field value with its encoded-words decoded (RFC 2047), tolerantly.

    Words of one charset that stand side by side are joined before decoding: many mailers
    cut a letter in two between them. White space between two words is dropped (section 6.2).
    """
    if "=?" not in value:
        return value
    pieces: list[str] = []
    pending, charset, position = b"", "", 0
    for match in _ENCODED_WORD.finditer(value):
        between = value[position : match.start()]
        payload = _word_bytes(match[2], match[3])
        # Letters that were sent raw inside a word have become UTF-8 here, whatever the word says.
        declared = match[1].lower() if match[3].isascii() else "utf-8"
        adjacent = position > 0 and not between.strip()
        if not adjacent or declared != charset:
            if pending:
                pieces.append(decode(pending, charset)[0])
                pending = b""
            if not adjacent:
                pieces.append(between)
        pending, charset = pending + payload, declared
        position = match.end()
    if pending:
        pieces.append(decode(pending, charset)[0])
    pieces.append(value[position:])
    return "".join(pieces)


def _word_bytes(encoding: str, text: str) -> bytes:
    encoded = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(encoded, header=True)
    return base64_bytes(encoded)


def base64_bytes(encoded: bytes) -> bytes:
    """Return what decodes of a base64 text: foreign letters are passed over, an odd end is dropped."""
    try:
        return binascii.a2b_base64(encoded)
    except ValueError:
        pass
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", encoded)
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def message_ids(value: str) -> tuple[str, ...]:
    """Return the usable message ids of a field, in order, angle brackets kept."""
    found = []
    for match in _ID.finditer(value):
        # RFC 5322 section 3.6.4. Some mailers fold inside an id ("<a@b\n c>").
        name = "".join(match[1].split())
        if len(name) <= MAX_ID and _USABLE_ID.fullmatch(name):
            found.append(f"<{name}>")
    return tuple(found)


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return the first word of a Content-* value in lower case, and its decoded parameters.

    RFC 2231 continuations and charsets, RFC 2047 words where they must not be, and names with
    unquoted spaces are all read.
    """
    main, _, rest = value.partition(";")
    simple: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for match in _PARAMETER.finditer(";" + rest):
        name, text = match[1].lower(), match[2].strip()
        if text.startswith('"'):
            text = text[1:].removesuffix('"').replace('\\"', '"').replace("\\\\", "\\")
        base, star, tail = name.partition("*")
        if not star:
            simple.setdefault(base, decode_words(text))
            continue
        index = tail.removesuffix("*")
        if len(index) <= 2 and (not index or (index.isascii() and index.isdigit())):
            number = int(index or "0")
            if number < MAX_PIECES:
                pieces.setdefault(base, {}).setdefault(number, (text, tail.endswith("*") or not tail))
    for base, numbered in pieces.items():
        simple[base] = _join_pieces([numbered[n] for n in sorted(numbered)])
    return main.strip().lower(), simple


def _join_pieces(pieces: list[tuple[str, bool]]) -> str:
    """Return an RFC 2231 value: charset and language stand in the first piece."""
    first, extended = pieces[0]
    charset = ""
    if extended and first.count("'") >= 2:
        charset, _, first = first.split("'", 2)
    joined = bytearray()
    for text, is_encoded in [(first, extended), *pieces[1:]]:
        encoded = text.encode("utf-8", "replace")
        joined += unquote_to_bytes(encoded) if is_encoded else encoded
    return decode_words(decode(bytes(joined), charset)[0])


def file_name(text: str) -> str:
    """Return a file name as shown: one line, last path piece (RFC 2183 section 2.3), 255 letters at most."""
    name = _CONTROL.sub("", text[:4096]).replace("\\", "/").rstrip("/ \t\r\n").rpartition("/")[2]
    name = re.sub("[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]", " ", name).strip()
    return name[-255:]  # the end tells what kind of file it is
