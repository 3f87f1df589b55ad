"""The nouns of mail: `Message`, `Address`, `Attachment`. Owns no parsing, does no I/O.

A `Message` is what `mail/parse.py` found in raw bytes. It never holds attachment bytes: an
`Attachment` names a slice of the raw original, from which `parse.decode_attachment` reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


def address_key(address: str) -> str:
    """Return the form in which two addresses are compared: ASCII letters in lower case.

    A non-ASCII address is returned as it is: `str.lower` maps KELVIN SIGN to `k`, so lowering
    it could make a stranger equal to a configured person.
    """
    address = address.strip()
    return address.lower() if address.isascii() else address


def domain_of(address: str) -> str:
    """Return the part behind the last `@` in comparable form, or an empty string."""
    return address_key(address).rpartition("@")[2] if "@" in address else ""


def local_of(address: str) -> str:
    """Return the part before the last `@` in comparable form, or an empty string."""
    return address_key(address).rpartition("@")[0]


MAX_ADDRESSES = 50  # of a field that are read
MANY_ADDRESSES = f"more than {MAX_ADDRESSES} addresses in a field"  # in `defects`
# Where dots in the local part mean nothing, so that one mailbox has thousands of addresses; elsewhere they part people.
DOTLESS = frozenset({"gmail.com", "googlemail.com"})


def mailbox_of(address: str) -> str:
    """Return the mailbox behind an address, for counting: without +detail (RFC 5233), at Gmail without dots.

    Nobody is ever written to at this address.
    """
    local, domain = local_of(address), domain_of(address)
    mailbox = local.partition("+")[0] or local
    if domain in DOTLESS:
        mailbox, domain = mailbox.replace(".", "") or mailbox, "gmail.com"
    return f"{mailbox}@{domain}" if domain else address_key(address)


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of RFC 5322 section 3.4; the name is decoded, one line, and never trusted."""

    address: str
    name: str = ""

    @property
    def key(self) -> str:
        """The form for comparing; see `address_key`."""
        return address_key(self.address)

    @property
    def domain(self) -> str:
        """The domain in comparable form."""
        return domain_of(self.address)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part of a mail that is not its body text, named as a slice of the raw original.

    name          as the sender gave it, decoded, one line, last path piece; "" if none.
    start, end    the encoded body of the part within the raw bytes.
    encoding      Content-Transfer-Encoding in lower case ("base64", "quoted-printable", "7bit"...).
    size_bytes    of the decoded content; exact for well-formed base64, else close.
    content_id    without angle brackets; "" if none.
    """

    name: str
    content_type: str
    start: int
    end: int
    encoding: str = "7bit"
    size_bytes: int = 0
    content_id: str = ""
    inline: bool = False
    charset: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One parsed mail. Every field is present for every mail; what was missing is empty.

    headers          field name and unfolded, undecoded value, in order of the mail (bounded).
    from_            mailboxes of the first From field.
    sender           the one identity that From gives, or None when it gives none or more than one.
    sender_doubt     why `sender` is None or not to be trusted as an identity; "" if it is clean.
    delivered_to     addresses of Resent-To, Delivered-To, X-Original-To and Received "for", in that order.
    message_id       with angle brackets, canonical; "" if missing or not usable.
    in_reply_to, references   ids with angle brackets, in order; bounded (last 50 and first 1).
    text             every text/plain body part of the mail itself, decoded; attached mails are not read.
    html             every text/html body part of the mail itself, decoded.
    report           the field groups of message/delivery-status (or disposition/feedback) parts,
                     names in lower case; the first group is about the mail, the others about recipients.
    returned         header fields of the mail that a report brings back, as in `headers`.
    report_type      the report-type parameter of multipart/report in lower case; "" if none.
    calendar_method  method of the first text/calendar part in upper case; "" if none.
    main_type        content type of the whole mail in lower case.
    received_count   number of Received fields.
    body_digest      SHA-256 of all bytes below the header, but for empty lines at the end.
    size_bytes       of the raw mail.
    defects          what was wrong with it, in a few words each ("unknown charset x", "200 parts read").
    losses           those defects by which its text or attachments are not what was sent.
    """

    headers: tuple[tuple[str, str], ...] = ()
    from_: tuple[Address, ...] = ()
    sender: Address | None = None
    sender_doubt: str = ""
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    delivered_to: tuple[str, ...] = ()
    subject: str = ""
    message_id: str = ""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    date: datetime | None = None
    text: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    report: tuple[dict[str, str], ...] = ()
    returned: tuple[tuple[str, str], ...] = ()
    report_type: str = ""
    calendar_method: str = ""
    main_type: str = "text/plain"
    received_count: int = 0
    body_digest: bytes = b""
    size_bytes: int = 0
    defects: tuple[str, ...] = field(default=())
    losses: tuple[str, ...] = field(default=())

    @property
    def author(self) -> Address:
        """Whom people are shown as its writer: nobody of those whom From names where it names several, or a group.

        A name that holds an address is not shown as a name: it would hide the address that it belongs to.
        """
        if self.sender:
            return Address(self.sender.address) if _AT.search(self.sender.name) else self.sender
        # Without a domain it names a machine ("MAILER-DAEMON"), and nobody to be taken for.
        return self.from_[0] if self.from_ and not self.from_[0].domain else Address("", "an unknown sender")

    def header(self, name: str) -> str:
        """Return the first value of a field, or an empty string."""
        return next(iter(self.header_values(name)), "")

    def header_values(self, name: str) -> tuple[str, ...]:
        """Return all values of a field, in order."""
        return _by_name(self.headers).get(name.lower(), ())


@lru_cache(maxsize=8)  # some forty questions are asked of one mail, then of the next
def _by_name(headers: tuple[tuple[str, str], ...]) -> dict[str, tuple[str, ...]]:
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        fields.setdefault(name.lower(), []).append(value)
    return {name: tuple(values) for name, values in fields.items()}


def has_files(message: Message) -> bool:
    """Tell whether a mail has more than its text: a picture inside it is part of the text, or of a signature."""
    return any(not attachment.inline for attachment in message.attachments)


_AT = re.compile("[@\ufe6b\uff20]")
_PREFIXES = re.compile(
    # Reply and forward marks of common mail programs and languages, and a mark like [EXT].
    r"^(?:(?:re|aw|sv|vs|antw|odp|ynt|ref|rif|r|fwd|fw|wg|tr|rv|enc|i|doorst|vb|pd)(?:\[[0-9]{1,3}\])?\s?[:\uff1a]"
    r"|\[(?:ext|extern|external|spam|caution)\])",
    re.IGNORECASE,
)


def base_subject(subject: str) -> str:
    """Return a subject without reply and forward marks (RFC 5256 section 2.1, widened to other languages)."""
    base = " ".join(subject.split())
    while match := _PREFIXES.match(base):
        base = base[match.end() :].lstrip()
    return base


def addresses(*groups: Iterable[Address]) -> tuple[Address, ...]:
    """Return the mailboxes of all groups, each address once, in order."""
    seen: dict[str, Address] = {}
    for group in groups:
        for address in group:
            seen.setdefault(address.key, address)
    return tuple(seen.values())
