"""Bytes to `Message`. Broken mail gets words in `defects`, never an exception.

mail-parser reads addresses and dates, the fields in which libraries disagree most; the header block
is split in `header_text.py`, the parts in `mime.py`, so that an attachment stays a slice of the mail.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailparser.dates import parse_mail_date
from mailparser.utils import get_addresses

from mailtickets.mail.header_text import (
    MAX_FIELD_BYTES,
    decode_words,
    message_ids,
    one_line,
    parameters,
    skip_preface,
    split_head,
    unfold,
)
from mailtickets.mail.heads import visible_line
from mailtickets.mail.message import MANY_ADDRESSES, MAX_ADDRESSES, Address, Message
from mailtickets.mail.mime import walk
from mailtickets.mail.transfer_encoding import undo_encoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailtickets.mail.header_text import Head
    from mailtickets.mail.message import Attachment

MAX_REFERENCES = 50  # the last ones, besides the first, which is the thread's root
MAX_NAME = 200
MAX_ADDRESS = 320  # RFC 5321 section 4.5.3.1: local part 64, domain 255

_BARE = re.compile(r"[^\s<>,;:\"()]{1,64}@[^\s<>,;:\"()@]{1,255}")
_RECEIVED_FOR = re.compile(r"\sfor\s+<?([^\s<>;\"()]{1,64}@[^\s<>;\"()]{1,255})>?", re.IGNORECASE)
# Domino, docomo and others give out addresses with dots where RFC 5322 wants none.
_LOOSE_ADDRESS = re.compile(
    r"(?:mailto:)?([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}(?:@[A-Za-z0-9_.-]{1,255})?)", re.IGNORECASE
)
# What mail-parser reports about the name only: the address itself stands clearly in its angles.
_NAME_ONLY = frozenset(
    {"overlong-encoded-word", "invalid-encoded-word", "invalid-display-name", "structural-recovery"}
)
_MACHINE = re.compile(
    r"(?:mailer-?daemon|postmaster|no-?reply|mail[ _.-]?(?:delivery|system)|^<?>?$)", re.IGNORECASE
)
_ADDRESS_FIELDS = frozenset({"from", "to", "cc", "reply-to"})


def parse(raw: bytes) -> Message:
    """Return the mail that `raw` holds; never raises, for any bytes."""
    try:
        return _parse(raw)
    except Exception as error:  # noqa: BLE001  # a mail that breaks us must still reach a person
        text = raw[:65536].decode("latin-1").replace("\x00", "\ufffd")
        return Message(
            text=text,
            sender_doubt="the mail could not be read",
            body_digest=hashlib.sha256(raw).digest(),
            size_bytes=len(raw),
            defects=(f"unreadable: {type(error).__name__}",),
            losses=("the mail could not be read, this is its beginning",),
        )


def decode_attachment(raw: bytes, attachment: Attachment) -> bytes:
    """Return the content of an attachment, its transfer encoding undone; never raises."""
    encoded = raw[attachment.start : attachment.end]
    if (
        attachment.encoding != "base64"
        and b"\n" not in encoded
        and attachment.encoding not in {"binary", "8bit"}
    ):
        encoded = encoded.replace(b"\r", b"\n")  # lines of a mail that ends them with CR alone
    try:
        return undo_encoding(encoded, attachment.encoding)
    except (ValueError, IndexError):
        return encoded


def _parse(raw: bytes) -> Message:
    lines = raw.replace(b"\r", b"\n") if raw.find(b"\n", 0, 64 * 1024) < 0 else raw
    head = split_head(lines, skip_preface(lines), len(lines))
    fields = _Fields(head)
    body = walk(lines, head, reads_returned=_may_return_a_mail(fields))
    defects = dict.fromkeys(head.defects)
    from_, sender, doubt = _sender(fields, defects)
    main_type, type_parameters = parameters(fields.first("content-type"))
    return Message(
        headers=fields.all,
        from_=from_,
        sender=sender,
        sender_doubt=doubt,
        reply_to=_mailboxes(fields.first("reply-to"), defects),
        to=_mailboxes(", ".join(fields.values("to")), defects),
        cc=_mailboxes(", ".join(fields.values("cc")), defects),
        delivered_to=_delivered_to(fields),
        subject=one_line(decode_words(fields.first("subject"))),
        message_id=_message_id(fields, defects),
        in_reply_to=_bounded(message_ids(fields.first("in-reply-to")), defects),
        references=_bounded(message_ids(fields.first("references")), defects),
        date=_date(fields.first("date"), defects),
        text=body.text,
        html=body.html,
        attachments=tuple(body.attachments),
        report=tuple(body.report),
        returned=body.returned,
        report_type=one_line(type_parameters.get("report-type", ""), 60).lower(),
        calendar_method=body.calendar_method,
        main_type=one_line(main_type, 200) or "text/plain",
        received_count=head.received_count,
        # Empty lines at the end come and go with deliveries (RFC 6376 section 3.4.3 leaves them out, too).
        body_digest=hashlib.sha256(raw[head.body_start :].rstrip(b"\r\n")).digest(),
        size_bytes=len(raw),
        defects=(*defects, *body.defects),
        losses=tuple(body.losses),
    )


class _Fields:
    """The header fields of a mail, unfolded, by name."""

    def __init__(self, head: Head) -> None:
        charset = ""
        for name, value in head.fields:
            if name.lower() == "content-type":
                charset = parameters(unfold(value))[1].get("charset", "")
                break
        self.all = tuple((name, unfold(value, charset)) for name, value in head.fields)
        self._by_name: dict[str, list[str]] = {}
        for name, text in self.all:
            self._by_name.setdefault(name.lower(), []).append(text)

    def first(self, name: str) -> str:
        return self._by_name[name][0] if name in self._by_name else ""

    def values(self, name: str) -> Sequence[str]:
        return self._by_name.get(name, ())


def _may_return_a_mail(fields: _Fields) -> bool:
    """Whether a mail looks like one that brings back another: only then is an attached mail's header read."""
    return (
        "multipart/report" in fields.first("content-type").lower()
        or bool(fields.first("x-failed-recipients"))
        or _MACHINE.search(fields.first("from")[:500]) is not None
        or fields.first("return-path").replace(" ", "") == "<>"
    )


def _mailboxes(value: str, defects: dict[str, None]) -> tuple[Address, ...]:
    return _read_mailboxes(value, defects)[0]


def _read_mailboxes(
    value: str, defects: dict[str, None], *, may_be_local: bool = False
) -> tuple[tuple[Address, ...], tuple[str, ...]]:
    """Return the mailboxes of a field value (at most 50), and why each unclear item of it is unclear.

    may_be_local   keep a name without a domain ("MAILER-DAEMON"), as a From may hold.
    """
    if not value:
        return (), ()
    value = value[:MAX_FIELD_BYTES]
    if value.count(",") > 2 * MAX_ADDRESSES:
        # Names may hold commas, so more than enough is taken; the rest would only cost time.
        value = ",".join(value.split(",", 2 * MAX_ADDRESSES)[: 2 * MAX_ADDRESSES])
        defects[MANY_ADDRESSES] = None
    problems: list[dict[str, object]] = []
    found = [Address(address, name) for name, address in get_addresses(value, defects=problems) if address]
    reasons, local_only = [], []
    for problem in problems:
        loose = None if problem["recovered"] else _loose_mailbox(str(problem["raw"]).strip())
        if loose and loose.domain:
            found.append(loose)
        elif not _is_about_the_name(problem, found):
            reasons.append(str(problem["reason"]).replace(",", " ").replace("-", " "))
            local_only += [loose] if loose else []
    if may_be_local and not found:
        found = local_only
    clean = [
        mailbox for one in found if (mailbox := _cleaned(one, defects)) and (mailbox.domain or may_be_local)
    ]
    if len(clean) > MAX_ADDRESSES:
        defects[MANY_ADDRESSES] = None
    return tuple(clean[:MAX_ADDRESSES]), tuple(reasons)


def _is_about_the_name(problem: dict[str, object], found: list[Address]) -> bool:
    """Whether a problem leaves the address beyond doubt: a name with brackets, or the same address as name."""
    if not problem["recovered"] or not set(str(problem["reason"]).split(",")) <= _NAME_ONLY:
        return False
    raw_item = str(problem["raw"]).lower()
    before, _, _ = raw_item.rpartition("<")
    return "@" not in before or any(before.strip(" \"'\t") == one.address.lower() for one in found)


def _loose_mailbox(item: str) -> Address | None:
    """Return the mailbox of an item that is against the grammar and still has one reading.

    A local part alone ("MAILER-DAEMON") is one too: it names a sender, though nobody to write to.
    """
    name, angle, rest = item.rpartition("<")
    if angle and not rest.endswith(">"):
        return None
    address = (rest.removesuffix(">") if angle else item.partition(" (")[0]).strip().strip("'")
    name = name if angle else ""
    match = _LOOSE_ADDRESS.fullmatch(address)
    if match is None or any(sign in name.strip().strip('"') for sign in '@<>,;:"\\'):
        return None
    return Address(match[1], name.strip().strip('"'))


def _cleaned(mailbox: Address, defects: dict[str, None]) -> Address | None:
    """Return a mailbox fit for comparing and showing, or None if its address is not usable."""
    address = mailbox.address
    # Nobody writes to an address with a space, a control or a direction mark in it; shown, it would lie, and without
    # the signs that nobody sees a stranger's would read exactly as an agent's.
    if (
        len(address) > MAX_ADDRESS
        or " " in address
        or not address.isprintable()
        or visible_line(address) != address
    ):
        defects["an address that cannot be used"] = None
        return None
    if not address.isascii():
        address = _with_ascii_domain(address)
        defects["an address with letters outside ASCII"] = None
    name = one_line(decode_words(mailbox.name), MAX_NAME)
    if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        name = name[1:-1].strip()
    return Address(address, "" if name == mailbox.address else name)


def _with_ascii_domain(address: str) -> str:
    """Return the address with its domain in the form of RFC 5891, so that a look-alike can be told.

    Where that form would be plain ASCII the address stays as it is: RFC 3491 maps full-width letters, KELVIN SIGN and
    others to ASCII ones, by which a stranger's domain would become an agent's.
    """
    local, _, domain = address.rpartition("@")
    try:
        labels = [one if one.isascii() else one.encode("idna").decode("ascii") for one in domain.split(".")]
    except ValueError:
        return address
    odd = [ours for ours, theirs in zip(labels, domain.split("."), strict=True) if not theirs.isascii()]
    is_plain = any(not label.startswith("xn--") or "." in label for label in odd)
    return address if is_plain else f"{local}@{'.'.join(labels)}"


def _sender(fields: _Fields, defects: dict[str, None]) -> tuple[tuple[Address, ...], Address | None, str]:
    """Return the mailboxes of From, the one identity it gives, and why that is doubtful.

    RFC 5322 section 3.6 wants exactly one From, and our rule one mailbox in it: two fields, two
    mailboxes or a group (RFC 6854) name nobody.
    """
    froms = fields.values("from")
    mailboxes, reasons = _read_mailboxes(froms[0][:4096], defects, may_be_local=True) if froms else ((), ())
    if not froms:
        return (), None, "no From field"
    if len(froms) > 1:
        return mailboxes, None, "more than one From field"
    if not mailboxes:
        return (), None, "no usable address in From"
    if len(mailboxes) > 1:
        return mailboxes, None, "more than one address in From"
    if _is_group(froms[0][:4096]):
        return mailboxes, None, "From is a group"
    sender = mailboxes[0]
    if not sender.domain:
        return mailboxes, None, "the address in From has no domain"
    if reasons:
        return mailboxes, sender, f"From is not well formed: {reasons[0]}"
    if not sender.address.isascii():
        return mailboxes, sender, "the address in From has letters outside ASCII"
    return mailboxes, sender, ""


def _is_group(value: str) -> bool:
    """Whether an address field holds a group (RFC 5322 section 3.4): a colon outside names and angles."""
    quoted = escaped = False
    depth = 0
    for letter in value:
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == '"' and not depth:
            quoted = not quoted
        elif quoted:
            continue
        elif letter in "(<[":
            depth += 1
        elif letter in ")>]":
            depth = max(0, depth - 1)
        elif letter in ":;" and not depth:
            return True
    return False


def _delivered_to(fields: _Fields) -> tuple[str, ...]:
    """Return the addresses that say for whom the mail came: trace fields, most telling first."""
    found: dict[str, None] = {}
    for name in ("resent-to", "delivered-to", "x-original-to"):
        for value in fields.values(name)[:MAX_ADDRESSES]:
            found.update(dict.fromkeys(_BARE.findall(value[:8192])))
    for value in fields.values("received")[:MAX_ADDRESSES]:
        if " for " in value and (match := _RECEIVED_FOR.search(value[:2048])):
            found[match[1]] = None
    return tuple(one for one in found if one.isprintable())[:MAX_ADDRESSES]


def _message_id(fields: _Fields, defects: dict[str, None]) -> str:
    """Return the id of the mail, or "" when it is missing, unusable, or given twice and not alike."""
    values = fields.values("message-id")
    ids = {found[0] for value in values[:10] if (found := message_ids(value[:2000]))}
    if len(ids) == 1:
        return ids.pop()
    defects["more than one Message-ID" if ids else "no usable Message-ID"] = None
    return ""


def _bounded(ids: tuple[str, ...], defects: dict[str, None]) -> tuple[str, ...]:
    if len(ids) <= MAX_REFERENCES + 1:
        return ids
    defects[f"{len(ids)} references, the first and the last {MAX_REFERENCES} read"] = None
    return (ids[0], *ids[-MAX_REFERENCES:])


def _date(value: str, defects: dict[str, None]) -> datetime | None:
    """Return the Date as an aware time in UTC, or None if it cannot be read or cannot be true."""
    if not value:
        return None
    date: datetime | None = parse_mail_date(value[:200]).value
    if date is not None and 1970 <= date.year <= 2100:
        return date.astimezone(UTC)
    defects["no usable Date"] = None
    return None
