"""What `init` can guess, so that most questions are answered with the Enter key. Asks nobody, stores nothing."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from mailtickets.config_writing import Person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailtickets.transport.imap_account import ImapAccount

LOCAL_TIME = Path("/etc/localtime")
RECENT_MAILS = 20
REACH_SECONDS = 3.0

# Large providers whose servers are not named after the address: domain -> (IMAP, SMTP, how SMTP is secured).
_PROVIDERS = {
    **dict.fromkeys(("gmail.com", "googlemail.com"), ("imap.gmail.com", "smtp.gmail.com", "tls")),
    **dict.fromkeys(
        ("outlook.com", "hotmail.com", "live.com", "msn.com"),
        ("outlook.office365.com", "smtp.office365.com", "starttls"),
    ),
    **dict.fromkeys(
        ("icloud.com", "me.com", "mac.com"), ("imap.mail.me.com", "smtp.mail.me.com", "starttls")
    ),
    "yahoo.com": ("imap.mail.yahoo.com", "smtp.mail.yahoo.com", "tls"),
    "fastmail.com": ("imap.fastmail.com", "smtp.fastmail.com", "tls"),
    "zoho.com": ("imap.zoho.com", "smtp.zoho.com", "tls"),
    "mailbox.org": ("imap.mailbox.org", "smtp.mailbox.org", "tls"),
    "posteo.de": ("posteo.de", "posteo.de", "tls"),
    "gmx.net": ("imap.gmx.net", "mail.gmx.net", "tls"),
    "gmx.de": ("imap.gmx.net", "mail.gmx.net", "tls"),
    "web.de": ("imap.web.de", "smtp.web.de", "tls"),
}

_NAMED = re.compile(r"(?P<name>[^<>]{0,200})<(?P<address>[^<>\s]{1,320})>\Z")


def provider_servers(domain: str) -> tuple[str, str, str] | None:
    """Return IMAP host, SMTP host and SMTP security of a large provider, or None."""
    return _PROVIDERS.get(domain.lower())


def guessed_host(kind: str, domain: str, port: int, answers: Callable[[str, int], bool]) -> str:
    """Return the host that is probably the `kind` ("imap" or "smtp") server of a domain.

    answers  tells whether something listens at host and port.
    """
    usual = (f"{kind}.{domain}", f"mail.{domain}", domain)
    return next((host for host in usual if answers(host, port)), usual[1])


def guessed_zone(named: str | None = None, link: Path = LOCAL_TIME) -> str:
    """Return the time zone of this machine by its name, or UTC.

    named   as in the environment's TZ, which goes first.
    link    to the zone's file below a folder named zoneinfo.
    """
    from mailtickets.config_types import is_zone

    try:
        beneath = str(link.resolve(strict=True)).partition("zoneinfo/")[2]
    except (OSError, RuntimeError):
        beneath = ""
    for name in (os.environ.get("TZ", "") if named is None else named, beneath):
        zone = name.removeprefix(":").removeprefix("posix/").replace("Etc/UTC", "UTC")
        if zone and is_zone(zone):
            return zone
    return "UTC"


def listens(host: str, port: int) -> bool:
    """Tell whether somebody accepts a connection there within 3 seconds."""
    try:
        socket.create_connection((host, port), timeout=REACH_SECONDS).close()
    except OSError:
        return False
    return True


def guessed_name(address: str) -> str:
    """Return a name for the desk: "Acme Support" for an address at acme.example."""
    label = address.rpartition("@")[2].partition(".")[0]
    return f"{label.capitalize()} Support"


def guessed_tag(address: str) -> str:
    """Return a tag for the queue: "SUP" for support@, "BIL" for billing@."""
    letters = re.sub(r"[^A-Z0-9]", "", address.partition("@")[0].upper())[:3]
    return letters if len(letters) > 1 and letters[0].isalpha() else "DESK"


def person(text: str, taken: Iterable[str] = ()) -> Person:
    """Read "Kim Archer <kim@acme.example>" or a bare address; the key comes from the address.

    taken  keys of the people before.
    """
    named = _NAMED.match(text.strip())
    address = named["address"] if named else text.strip()
    local = address.partition("@")[0]
    name = named["name"].strip().strip('"') if named else ""
    key = re.sub(r"[^a-z0-9_-]+", "-", local.lower()).strip("-")[:20]
    if not key or not "a" <= key[0] <= "z":
        key = f"agent-{key}"[:20].rstrip("-")
    keys, number, free = set(taken), 1, key
    while free in keys:
        number += 1
        free = f"{key}-{number}"
    return Person(free, name or local.replace(".", " ").replace("_", " ").title(), address)


def recent_headers(account: ImapAccount) -> list[tuple[tuple[str, str], ...]]:
    """Return the header fields of the newest mails of a folder, without touching them; [] where that fails."""
    from mailtickets.errors import MailboxUnavailable
    from mailtickets.mail.parse import parse
    from mailtickets.transport.imap import ImapMailbox

    mailbox = ImapMailbox(account)
    try:
        mailbox.connect()
        newest = mailbox.new_uids(0)[-RECENT_MAILS:]
        heads = [mailbox.fetch_head(uid, 1) for uid in newest]
    except MailboxUnavailable:
        return []
    finally:
        mailbox.close()
    return [parse(head.raw).headers for head in heads if head is not None]
