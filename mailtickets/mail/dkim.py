"""Whether the domain in From signed a mail (DKIM, RFC 6376), found out by ourselves. Pure: keys are handed in.

For desks whose mail server writes no Authentication-Results. A signature that holds proves the domain in From; one
that does not proves nothing and speaks against nobody, since mails are changed on their way (RFC 6376 section 6.1):
so the answer is a domain or "", never a fail. Stricter than the standard: `l=` is no proof, nor is a signature that leaves
out a field by which the desk decides (`_READ`) and that the mail has.

dkimpy signs off header and key. The body is hashed here: dkimpy's way takes quadratic time for long white space, and
several times the memory of the mail. dkimpy's own look at t= and x= goes by the present clock, so both are compared here.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dkim import DKIM
from dkim.crypto import parse_public_key
from dkim.util import parse_tag_value

from mailtickets.mail.authentication import has_verdict, is_aligned
from mailtickets.mail.classify import Origin, OwnAddresses, classify
from mailtickets.mail.header_text import skip_preface, split_head
from mailtickets.mail.parse import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from mailtickets.mail.header_text import Head
    from mailtickets.mail.message import Message

MAX_SIGNATURES = 3  # aligned ones whose key is looked up; honest mail has two, one for each kind of key
MAX_FIELDS = 20  # DKIM-Signature fields that are read at all
MAX_FIELD_BYTES = 8 * 1024
MAX_SIGNED_FIELDS = 200
MAX_RECORD = 4096  # letters of a key record; a key of 4096 bits takes 750
MIN_KEY_BITS, MAX_KEY_BITS = 1024, 4096  # RFC 8301 section 3.2
MAX_EXPONENT_BITS = 64
MAX_MAIL_BYTES = 64 << 20
AHEAD_SECONDS = 10 * 3600  # by which a signer's clock may be ahead of ours
_BLOCK = 1 << 20

# Once at most, by RFC 5322 section 3.6 and RFC 2045: programs sign the last of several, and the desk reads the first.
_ONCE = frozenset(
    (
        "from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references",
        "mime-version", "content-type", "content-transfer-encoding",
    )
)  # fmt: skip
# By these a mail finds its ticket, reaches people, and is known again when it comes twice. Where one is there and nobody
# signed it, whoever had the mail may have written it: a private mail could become an answer to a customer.
_READ = frozenset(
    ("from", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references")
)
# What large providers leave unsigned in their users' mail; it says how the body, which is signed, is read.
_OF_THE_BODY = frozenset(("content-type", "content-transfer-encoding"))
_DOMAIN = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.){1,20}[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_SELECTOR = re.compile(
    r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?){0,10}"
)
_NUMBER = re.compile(rb"[0-9]{1,12}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_LONG_GAP = re.compile(rb"\s{20}")  # folding needs three letters; dkimpy's patterns need patience for many


@dataclass(frozen=True, slots=True)
class _Signature:
    """One DKIM-Signature field that may prove the domain in From.

    at       its place among the fields of the header.
    tags     as dkimpy wants them; without l=, which no signature here has.
    signs    the names in h=, in lower case.
    record   the DNS name of its key.
    """

    at: int
    tags: dict[bytes, bytes]
    signs: tuple[bytes, ...]
    domain: str
    record: str
    strict: bool  # i= names a domain below d=

    @property
    def algorithm(self) -> bytes:
        return self.tags[b"a"]


class _Silent:
    """Takes what dkimpy has to say: it repeats strangers' words."""

    def debug(self, *_: object) -> None:
        """Say nothing."""

    error = info = debug

    def isEnabledFor(self, _level: int) -> bool:  # noqa: N802  (the name that logging has)
        """Return False."""
        return False


def keys_wanted(raw: bytes, arrived: datetime, authserv_id: str = "") -> tuple[str, ...]:
    """Return the DNS names of the TXT records by which a mail could prove its From; few, and mostly none.

    None for a machine's mail, which is given no rights, and where the admin's own server has said what it found.
    """
    head = _head(raw)
    if head is None or not any(name.lower() == "dkim-signature" for name, _ in head.fields):
        return ()
    message = parse(raw[: head.body_start])
    if has_verdict(message, authserv_id):
        return ()
    if classify(message, ours=False, own_addresses=OwnAddresses()).origin is not Origin.PERSON:
        return ()
    return tuple(dict.fromkeys(one.record for one in _signatures(head, message, arrived)))


def signing_domain(raw: bytes, message: Message, arrived: datetime, keys: Mapping[str, str]) -> str:
    """Return the domain that signed a mail and is that of From, or aligned with it; "" where none is proven.

    message   what was parsed of `raw`.
    arrived   the moment to which x= and t= are compared.
    keys      TXT records by DNS name, those of `keys_wanted` that there are.

    Linear in the size of the mail. Never raises for any bytes or records.
    """
    head = _head(raw) if keys else None
    if head is None:
        return ""
    hashes: dict[bool, bytes] = {}
    for signature in _signatures(head, message, arrived):
        record = _key_record(keys.get(signature.record, ""), signature)
        if not record:
            continue
        try:
            if _holds(raw, head, signature, record, hashes):
                return signature.domain
        except Exception:  # noqa: BLE001, S112  (whatever a stranger's field or record breaks in dkimpy is no proof)
            continue
    return ""


def _head(raw: bytes) -> Head | None:
    """Return the header of a mail that has a clear one and may be verified: as the desk reads it, and as was signed."""
    if len(raw) > MAX_MAIL_BYTES or raw.find(b"\n", 0, 64 * 1024) < 0:
        return None
    head = split_head(raw, skip_preface(raw), len(raw))
    names = [name.lower() for name, _ in head.fields]
    twice = any(names.count(name) > 1 for name in _ONCE)
    return None if head.defects or twice else head


def _signatures(head: Head, message: Message, arrived: datetime) -> Iterator[_Signature]:
    """Yield the signatures worth a look, from the top; none where From names nobody for certain."""
    if message.sender is None or message.sender_doubt or not message.sender.domain:
        return
    present = frozenset(name.lower() for name, _ in head.fields)
    looked_at = found = 0
    for at, (name, value) in enumerate(head.fields):
        if name.lower() != "dkim-signature":
            continue
        looked_at += 1
        if looked_at > MAX_FIELDS or found == MAX_SIGNATURES:
            return
        signature = _signature(at, value, message.sender.domain, arrived)
        if signature is not None and _signs_what_is_read(signature, present):
            found += 1
            yield signature


def _signature(at: int, value: bytes, sender_domain: str, arrived: datetime) -> _Signature | None:
    """Read one field (RFC 6376 section 3.5); None where it cannot prove the domain of From."""
    if len(value) > MAX_FIELD_BYTES or not value.isascii() or _LONG_GAP.search(value):
        return None
    try:
        tags = parse_tag_value(b"".join(value.splitlines()))
    except Exception:  # noqa: BLE001  (its own exceptions: a tag twice, or none at all)
        return None
    if not {b"v", b"a", b"b", b"bh", b"d", b"h", b"s"} <= tags.keys():
        return None
    tags = {key: text if key in {b"h", b"i"} else b"".join(text.split()) for key, text in tags.items()}
    domain, selector = (tags[key].decode("ascii").lower() for key in (b"d", b"s"))
    record = f"{selector}._domainkey.{domain}"
    signs = tuple(name.strip().lower() for name in tags[b"h"].split(b":"))
    _, at_sign, agent_domain = tags.get(b"i", b"@" + tags[b"d"]).decode("ascii").lower().rpartition("@")
    if (
        tags[b"v"] != b"1"
        or tags[b"a"] not in {b"rsa-sha256", b"ed25519-sha256"}  # RFC 8301 section 3.1: SHA-1 never
        or b"l" in tags  # RFC 6376 section 8.2: anybody may write below what it covers
        or tags.get(b"q", b"dns/txt") != b"dns/txt"
        or tags.get(b"c", b"simple").split(b"/")[0] not in {b"simple", b"relaxed"}
        or tags.get(b"c", b"simple").partition(b"/")[2] not in {b"", b"simple", b"relaxed"}
        or not (_BASE64.fullmatch(tags[b"b"]) and _BASE64.fullmatch(tags[b"bh"]))
        or not (_DOMAIN.fullmatch(domain) and _SELECTOR.fullmatch(selector) and len(record) <= 253)
        or not at_sign
        or not (agent_domain == domain or agent_domain.endswith("." + domain))
        or b"from" not in signs
        or len(signs) > MAX_SIGNED_FIELDS
        or not is_aligned(domain, sender_domain)
        or not _in_time(tags, arrived)
    ):
        return None
    return _Signature(at, tags, signs, domain, record, strict=agent_domain != domain)


def _signs_what_is_read(signature: _Signature, present: frozenset[str]) -> bool:
    """Tell whether each field that the desk reads, and that is there, was signed.

    How the body is read may be left out where MIME-Version was signed: then it was MIME when it was signed, and nobody
    made it so later.
    """
    signs = {name.decode("ascii") for name in signature.signs}
    wanted = _READ if "mime-version" in signs & present else _READ | _OF_THE_BODY
    return present & wanted <= signs


def _in_time(tags: Mapping[bytes, bytes], arrived: datetime) -> bool:
    """Tell whether a mail arrived while its signature was good."""
    for key in (b"t", b"x"):
        if key in tags and not _NUMBER.fullmatch(tags[key]):
            return False
    now = arrived.timestamp()
    signed, expires = (int(tags[key]) if key in tags else None for key in (b"t", b"x"))
    if signed is not None and signed > now + AHEAD_SECONDS:
        return False
    return expires is None or (expires >= now and (signed is None or expires > signed))


def _key_record(record: str, signature: _Signature) -> str:
    """Return a key record that may be used for a signature (RFC 6376 section 3.6.1), or ""."""
    if not record or len(record) > MAX_RECORD or not record.isascii():
        return ""
    try:
        tags = parse_tag_value(record.encode("ascii"))
    except Exception:  # noqa: BLE001  (as above)
        return ""
    kind = signature.algorithm.partition(b"-")[0]
    flags = _words(tags.get(b"t", b""))
    if (
        tags.get(b"v", b"DKIM1") != b"DKIM1"
        or tags.get(b"k", b"rsa") != kind
        or not tags.get(b"p")  # empty: revoked
        or b"y" in flags  # the domain is only testing
        or (b"s" in flags and signature.strict)
        or (b"h" in tags and b"sha256" not in _words(tags[b"h"]))
        or not {b"*", b"email"} & _words(tags.get(b"s", b"*"))
    ):
        return ""
    key = b"".join(tags[b"p"].split())
    if not _BASE64.fullmatch(key) or (kind == b"rsa" and not _is_fit(key)):
        return ""
    return f"k={kind.decode()}; p={key.decode()}"


def _words(value: bytes) -> set[bytes]:
    return {word.strip() for word in value.split(b":")}


def _is_fit(key: bytes) -> bool:
    """Tell whether an RSA key is long enough to trust, and short enough to calculate with."""
    try:
        found: dict[str, int] = parse_public_key(base64.b64decode(key))
    except Exception:  # noqa: BLE001  (whatever is in the record)
        return False
    modulus, exponent = found["modulus"], found["publicExponent"]
    return (
        MIN_KEY_BITS <= modulus.bit_length() <= MAX_KEY_BITS
        and modulus & exponent & 1 == 1
        and exponent >= 3
        and exponent.bit_length() <= MAX_EXPONENT_BITS
    )


def _holds(raw: bytes, head: Head, signature: _Signature, record: str, hashes: dict[bool, bytes]) -> bool:
    """Tell whether body and header are what was signed."""
    relaxed = signature.tags.get(b"c", b"").partition(b"/")[2] == b"relaxed"
    if relaxed not in hashes:
        hashes[relaxed] = body_hash(raw, head.body_start, relaxed=relaxed)
    if base64.b64decode(signature.tags[b"bh"]) != hashes[relaxed]:
        return False
    check = DKIM(logger=_Silent())
    check.headers = [_as_signed(name, value) for name, value in head.fields]
    tags = {key: signature.tags[key] for key in (b"a", b"b", b"c", b"d", b"s") if key in signature.tags}
    # Adds "from" to h= once more, so that a From that was added cannot go unnoticed.
    field = check.headers[signature.at]
    return bool(check.verify_sig(tags, list(signature.signs), field, lambda *_, **__: record))


def _as_signed(name: str, value: bytes) -> tuple[bytes, bytes]:
    return name.encode("ascii"), _with_crlf(value.removesuffix(b"\r")) + b"\r\n"


def body_hash(raw: bytes, start: int, *, relaxed: bool) -> bytes:
    """Return the SHA-256 of a body in canonical form (RFC 6376 section 3.4), one megabyte at a time."""
    digest = hashlib.sha256()
    blank, something, position = 0, False, start
    while position < len(raw):
        end = raw.find(b"\n", min(position + _BLOCK, len(raw)) - 1) + 1 or len(raw)
        block = _with_crlf(raw[position:end])
        if relaxed:
            block = _with_single_spaces(block).replace(b" \r\n", b"\r\n")
        # Empty lines count only where something follows them.
        text = block[: len(block) - _blank_at_end(block)]
        if text:
            digest.update(b"\r\n" * blank)
            digest.update(text)
            blank, something = 0, True
        blank += (len(block) - len(text)) // 2
        position = end
    if something or not relaxed:
        digest.update(b"\r\n")
    return digest.digest()


def _with_crlf(block: bytes) -> bytes:
    return block.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _with_single_spaces(block: bytes) -> bytes:
    block = block.replace(b"\t", b" ")
    while b"  " in block:  # each turn halves the longest gap
        block = block.replace(b"  ", b" ")
    return block


def _blank_at_end(block: bytes) -> int:
    """Return how many bytes of CRLF stand at the end of a block in which each LF has its CR."""
    tail = block[len(block.rstrip(b"\r\n")) :]
    if tail.endswith(b"\r"):
        return 0
    return len(tail) - (tail.rfind(b"\r\r") + 1)
