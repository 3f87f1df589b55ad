"""What the admin's own server found out about the sender (Authentication-Results, RFC 8601). Pure.

Trusts one authserv-id, named by the admin, in the topmost block only; never learns one, but counts what there
is, for the admin to choose from.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailtickets.mail.message import Message

MAX_VALUE = 8 * 1024
MAX_FIELDS = 10  # of one block; OpenDKIM, OpenDMARC and an SPF milter write one each
# Names below which strangers register: they hold nobody together. Not the whole list of publicsuffix.org, but what
# an agent's address may lie below: "co.uk", "com.au", and the hosts and registries that give names away most.
_SECOND_LEVEL = frozenset(
    {
        "ac", "ad", "asn", "co", "com", "ed", "edu", "go", "gob", "gouv", "gov", "id", "info", "lg", "ltd", "me", "mil", "ne", "net",
        "nhs", "nom", "or", "org", "plc", "sch", "web",
    }
)  # fmt: skip
_SHARED = frozenset(
    {
        "appspot.com", "azurewebsites.net", "blogspot.com", "br.com", "cn.com", "ddns.net", "de.com", "duckdns.org", "dyndns.org",
        "eu.com", "eu.org", "github.io", "gitlab.io", "herokuapp.com", "jpn.com", "netlify.app", "no-ip.org", "onmicrosoft.com",
        "pages.dev", "ru.com", "sa.com", "synology.me", "uk.com", "us.com", "vercel.app", "web.app", "wordpress.com", "workers.dev", "za.com",
    }
)  # fmt: skip

_AUTHSERV_ID = re.compile(r"[ \t]*([A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}))[ \t]*(?:1[ \t]*)?;")


class Proof(StrEnum):
    """What is proven about the domain in From."""

    PASS = "pass"  # noqa: S105  # a word of RFC 8601, not a password
    FAIL = "fail"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class _Result:
    method: str
    result: str
    properties: dict[str, str] = field(default_factory=dict)


def authentication(message: Message, authserv_id: str) -> Proof:
    """Return what the server `authserv_id` found out about the From of a mail; "" trusts nobody.

    PASS: dmarc=pass, or dkim=pass by a domain aligned with the one in From, and From is beyond
    doubt. SPF alone is no proof. FAIL: dmarc=fail. Otherwise NONE.

    A field of the server's name that a sender forged must have been taken out on the way in (RFC 8601 section 5);
    where one was left in, it stands below the server's own: the first field that speaks of a method has its word.
    """
    trusted = authserv_id.strip().lower()
    if not trusted:
        return Proof.NONE
    results = _first_words(_results(value) for value in _topmost_block(message, trusted))
    dmarc = results.get("dmarc", ())
    # Several results of one field are about several From domains: one that fails makes the mail a forgery.
    if any(one.result == "fail" for one in dmarc):
        return Proof.FAIL
    if message.sender is None or message.sender_doubt or not message.sender.domain:
        return Proof.NONE
    domain = message.sender.domain
    if any(one.result == "pass" for one in dmarc):
        return Proof.PASS if all(_is_about(one, domain) for one in dmarc) else Proof.NONE
    if any(one.result == "pass" and is_aligned(_signer(one), domain) for one in results.get("dkim", ())):
        return Proof.PASS
    return Proof.NONE


def _first_words(fields: Iterable[Iterable[_Result]]) -> dict[str, tuple[_Result, ...]]:
    """Return what the first field that speaks of a method says of it, for each method."""
    found: dict[str, tuple[_Result, ...]] = {}
    for one in fields:
        by_method: dict[str, list[_Result]] = {}
        for result in one:
            by_method.setdefault(result.method, []).append(result)
        for method, results in by_method.items():
            found.setdefault(method, tuple(results))
    return found


def _is_about(dmarc: _Result, domain: str) -> bool:
    """Whether a result passes this From domain; the server may name the organisation's domain in its place."""
    said = dmarc.properties.get("header.from", "").rpartition("@")[2].lower()
    return dmarc.result == "pass" and (not said or is_aligned(said, domain))


def _topmost_block(message: Message, trusted: str) -> Iterator[str]:
    """Yield the fields of the trusted server at the top; a Received or another server's field ends them."""
    count = 0
    for name, value in message.headers:
        lowered = name.lower()
        if lowered == "received" and count:
            return
        if lowered != "authentication-results":
            continue
        plain = _without_comments(value[:MAX_VALUE])
        if len(value) > MAX_VALUE:
            # The sender chooses how many signatures there are: cut in the middle, "desk.example.evil" is "desk.example".
            plain = plain.rpartition(";")[0]
        identity, _, rest = plain.partition(";")
        words = identity.split()
        # RFC 8601 section 2.2: a version behind the id; only version 1 is known to us.
        if (
            not words
            or words[0].strip('"').lower() != trusted
            or words[1:] not in ([], ["1"])
            or count == MAX_FIELDS
        ):
            return
        count += 1
        yield rest


def _without_comments(value: str) -> str:
    """Return a value without its comments (RFC 5322 section 3.2.2): what stands in them is no result."""
    kept: list[str] = []
    depth = 0
    quoted = escaped = False
    for letter in value:
        if escaped:
            escaped = False
        elif letter == "\\" and (quoted or depth):
            escaped = True
            continue
        elif letter == '"' and not depth:
            quoted = not quoted
        elif not quoted and letter == "(":
            depth += 1
        elif not quoted and letter == ")" and depth:
            depth -= 1
            kept.append(" ")
            continue
        if not depth:
            # A semicolon in a quoted value must not begin a new result.
            kept.append("_" if quoted and letter in ";= \t" else letter)
    return "".join(kept)


def _results(rest: str) -> Iterator[_Result]:
    for piece in rest.split(";"):
        words = "=".join(part.strip() for part in piece.split("=")).split()
        if not words or "=" not in words[0]:
            continue
        method, _, result = words[0].partition("=")
        method, _, version = method.partition("/")
        if version not in {"", "1"}:
            continue  # RFC 8601 section 2.2: the version of a method, and 1 is all that there are
        properties: dict[str, str] = {}
        for word in words[1:]:
            name, equals, value = word.partition("=")
            if equals:
                properties.setdefault(name.lower(), value.strip('"'))
        yield _Result(method.lower(), result.lower(), properties)


def _signer(result: _Result) -> str:
    """Return the domain that signed (RFC 8601 section 2.7.1: header.d, else the one in header.i)."""
    named = result.properties.get("header.d") or result.properties.get("header.i", "").rpartition("@")[2]
    return named.lower().strip(".")


def is_aligned(signer: str, domain: str) -> bool:
    """Whether two domains are one organisation's: alike, or one below the other (RFC 7489 section 3.1, relaxed).

    Two names below "co.uk" are not: whoever stands there as signer or in From speaks for nobody else.
    """
    if "." not in signer or not signer.isascii():
        return False
    if signer == domain:
        return True
    upper, lower = sorted((signer, domain), key=len)
    return lower.endswith("." + upper) and not is_public_suffix(upper)


def is_public_suffix(domain: str) -> bool:
    """Whether many organisations stand below a name: a top-level domain, or one like "co.uk"."""
    second, _, top = domain.rpartition(".")
    return not second or domain in _SHARED or (len(top) == 2 and second in _SECOND_LEVEL)


def has_verdict(message: Message, authserv_id: str) -> bool:
    """Tell whether the server `authserv_id` has said anything about DKIM or DMARC of a mail, good or bad."""
    trusted = authserv_id.strip().lower()
    fields = _topmost_block(message, trusted) if trusted else ()
    return any(one.method in {"dkim", "dmarc"} for value in fields for one in _results(value))


def authserv_ids(heads: Sequence[Sequence[tuple[str, str]]]) -> Counter[str]:
    """Count the authserv-ids that stand topmost in the headers of mails (RFC 8601 section 5)."""
    found: Counter[str] = Counter()
    for headers in heads:
        top = next((value for name, value in headers if name.lower() == "authentication-results"), "")
        if said := _AUTHSERV_ID.match(top):
            found[said[1].lower()] += 1
    return found


def is_likely_own(authserv_id: str, hosts: Iterable[str]) -> bool:
    """Tell whether an authserv-id looks like one of these hosts or domains: the same last two labels."""
    ending = authserv_id.lower().split(".")[-2:]
    return any(host.lower().split(".")[-2:] == ending for host in hosts)
