"""Pure: what the keys of a configuration must not contradict. Looks at every pair, stops at none.

What was agreed with whom is checked by `config_agreement_checks.py` and `config_ladder_checks.py`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mailtickets.config_problems import Finding, did_you_mean
from mailtickets.config_types import Route
from mailtickets.durations import size_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailtickets.config_draft import Draft
    from mailtickets.config_lines import Location
    from mailtickets.config_models import Mailbox, Queue, SmtpAccount
    from mailtickets.durations import Duration

Findings = Iterator[Finding]

_AGENT_KEY = re.compile(r"[a-z][a-z0-9_-]{0,23}\Z")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}\Z")

HOUR = 3600  # a working day that loses an hour to summer time has 23

IMAP_ONLY = ("host", "port", "security", "username", "password", "ca_file", "auth", "token", "folder", "idle")


def contradictions(draft: Draft) -> Findings:
    """Yield everything that makes the configuration unusable."""
    yield from _names(draft)
    yield from _accounts(draft)
    yield from _mailboxes(draft)
    yield from _queues(draft)
    yield from _addresses(draft)
    yield from _alerts(draft)
    if draft.templates and draft.templates.folder and not draft.templates.folder.is_dir():
        yield Finding(("templates", "folder"), "no such folder", "create it or leave the key out")


def unknown(
    draft: Draft, location: Location, name: str, table: str, built_in: tuple[str, ...] = ()
) -> Findings:
    """Yield a finding where `name`, written at `location`, is no [table.NAME]; empty names nothing."""
    known = [*draft.names(table), *built_in]
    if not name or name in known or (table == "organisation" and draft.csv_unreadable):
        return
    yield Finding(
        location, f"there is no [{table}.{name}]", did_you_mean(name, known) or f"add [{table}.{name}]"
    )


def _names(draft: Draft) -> Findings:
    for key in draft.names("agent"):
        if not _AGENT_KEY.match(key):
            yield Finding(
                ("agent", key),
                "not a key for an agent",
                'write a small letter, then up to 23 of a-z, 0-9, "_" and "-"',
            )
    for table in ("queue", "mailbox", "smtp_account", "calendar"):
        for name in draft.names(table):
            if not NAME.match(name):
                yield Finding((table, name), "not a name", 'write up to 32 of letters, digits, "_" and "-"')
    if draft.has("calendar", "always"):
        yield Finding(
            ("calendar", "always"), "is what the desk calls a calendar without end", "take another name"
        )


def accounts(draft: Draft) -> Iterator[tuple[tuple[str, ...], SmtpAccount | Mailbox]]:
    """Yield every account that logs in somewhere, with its place in the file."""
    if draft.smtp:
        yield ("smtp",), draft.smtp
    for name, account in draft.smtp_accounts.items():
        yield ("smtp_account", name), account
    for name, mailbox in draft.mailboxes.items():
        if mailbox.maildir is None:
            yield ("mailbox", name), mailbox


def _accounts(draft: Draft) -> Findings:
    for location, account in accounts(draft):
        if account.security == "none" and account.host and not is_loopback(account.host):
            yield Finding(
                (*location, "security"),
                "is only for servers on this machine: mail and password would cross the network readable",
                'write "tls" or "starttls"',
            )
        if account.ca_file and not account.ca_file.is_file():
            yield Finding(
                (*location, "ca_file"),
                "no such file",
                "name the PEM file of the server's CA, or leave the key out",
            )
        yield from _login(draft, location, account)


def _login(draft: Draft, location: tuple[str, ...], account: SmtpAccount | Mailbox) -> Findings:
    has_username = draft.has(*location, "username")
    if account.auth == "oauth2":
        if not draft.has(*location, "token"):
            yield Finding(
                (*location, "token"), 'is missing, and auth is "oauth2"', 'add token = { command = ["..."] }'
            )
        if draft.has(*location, "password"):
            yield Finding(
                (*location, "password"), 'is not used with auth = "oauth2"', "take it out, or take auth out"
            )
    elif draft.has(*location, "token") and not draft.has(*location, "auth"):
        yield Finding((*location, "token"), "is only used with oauth2", 'add auth = "oauth2"')
    if has_username and account.auth == "password" and not draft.has(*location, "password"):
        yield Finding(
            (*location, "password"), "is missing for this username", 'add password = { file = "NAME" }'
        )
    needs_username = (
        location[0] == "mailbox" or draft.has(*location, "password") or draft.has(*location, "token")
    )
    if not has_username and needs_username:
        yield Finding((*location, "username"), "is missing", 'add username = "support@acme.example"')


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _mailboxes(draft: Draft) -> Findings:
    seen: dict[tuple[object, ...], str] = {}
    for name, mailbox in draft.mailboxes.items():
        location = ("mailbox", name)
        if (
            mailbox.maildir is None
            and not draft.has(*location, "host")
            and not draft.has(*location, "maildir")
        ):
            yield Finding(
                location, "names no server", 'add host = "mail.acme.example", or maildir = "/path" instead'
            )
        if mailbox.maildir is not None:
            for key in IMAP_ONLY:
                if draft.has(*location, key):
                    yield Finding(
                        (*location, key), "is for IMAP, and this mailbox is a maildir", "take one of them out"
                    )
            if mailbox.after.startswith("move:"):
                yield Finding(
                    (*location, "after"), "a maildir has no folders to move to", 'write "seen" or "keep"'
                )
        if mailbox.verify_dkim and not all(find_spec(library) for library in ("dkim", "dns")):
            yield Finding(
                (*location, "verify_dkim"),
                "needs dkimpy and dnspython, which are not installed",
                "pip install 'mailtickets[dkim]', or leave the key out",
            )
        place: tuple[object, ...] = (mailbox.maildir,)
        if mailbox.maildir is None:
            place = (mailbox.host.lower(), mailbox.port, mailbox.username, mailbox.folder)
        if place in seen and (mailbox.host or mailbox.maildir):
            yield Finding(
                location,
                f"reads the same mail as mailbox.{seen[place]}",
                "name it once and let the queues share it",
            )
        seen.setdefault(place, name)


def _queues(draft: Draft) -> Findings:
    tags: dict[str, str] = {}
    for name, queue in draft.queues.items():
        location = ("queue", name)
        if queue.tag in tags:
            yield Finding(
                (*location, "tag"),
                f"is already the tag of queue.{tags[queue.tag]}",
                "give each queue its own",
            )
        tags.setdefault(queue.tag, name)
        yield from _references(draft, name, queue)
        if "reminders" in queue.model_fields_set or not draft.has(*location, "reminders"):
            yield from _silence(location, queue)
        account = draft.smtp_accounts.get(queue.smtp) if queue.smtp else draft.smtp
        written = draft.has(*location, "notify_attachments")
        if written and account and queue.notify_attachments > account.max_size:
            reason = f"is more than the SMTP server takes ({size_text(account.max_size)})"
            yield Finding((*location, "notify_attachments"), reason, "write less, or raise max_size")


def _alerts(draft: Draft) -> Findings:
    for number, route in enumerate(draft.desk.alert if draft.desk else ()):
        if isinstance(route, Route):
            place = ("desk", "alert", number, "smtp_account")
            yield from unknown(draft, place, route.smtp_account, "smtp_account")


def _references(draft: Draft, name: str, queue: Queue) -> Findings:
    agents, mailboxes, accounts = draft.names("agent"), draft.names("mailbox"), draft.names("smtp_account")
    for number, key in enumerate(queue.agents):
        location: Location = ("queue", name, "agents", number)
        if key not in agents:
            yield Finding(
                location, f"there is no [agent.{key}]", did_you_mean(key, agents) or f"add [agent.{key}]"
            )
        elif key in queue.agents[:number]:
            yield Finding(location, "is named twice", "name each agent once")
    if queue.mailbox and queue.mailbox not in mailboxes:
        remedy = did_you_mean(queue.mailbox, mailboxes) or f"add [mailbox.{queue.mailbox}]"
        yield Finding(("queue", name, "mailbox"), f"there is no [mailbox.{queue.mailbox}]", remedy)
    if not draft.has("queue", name, "mailbox") and len(mailboxes) > 1:
        remedy = f"add mailbox = one of: {', '.join(sorted(mailboxes))}"
        yield Finding(("queue", name, "mailbox"), "is missing, and there are several", remedy)
    if queue.smtp and queue.smtp not in accounts:
        remedy = (
            did_you_mean(queue.smtp, accounts)
            or f"add [smtp_account.{queue.smtp}], or leave smtp out for [smtp]"
        )
        yield Finding(("queue", name, "smtp"), f"there is no [smtp_account.{queue.smtp}]", remedy)


def _silence(location: Location, queue: Queue) -> Findings:
    for number, (before, after) in enumerate(zip(queue.reminders, queue.reminders[1:], strict=False), 1):
        if surely_not_after(after, before):
            yield Finding(
                (*location, "reminders", number),
                f'does not come after the reminder before it ("{before}")',
                "write them in rising order; each counts from the agent's last reply",
            )
    for reminder in reversed(queue.reminders):
        if surely_not_after(queue.close_after, reminder):
            yield Finding(
                (*location, "close_after"),
                f'closes ("{queue.close_after}") before or with the last reminder ("{reminder}")',
                f'write more than "{reminder}"; both count from the agent\'s last reply',
            )
            break


def surely_not_after(later: Duration, earlier: Duration) -> bool:
    """Tell whether `later` ends before or with `earlier` on every calendar, where both begin together.

    Lengths of one kind compare by themselves. Open time takes at least as long as plain time; working days
    and open hours depend on the calendar, so nothing is said about them.
    """
    if (later.working, bool(later.days)) == (earlier.working, bool(earlier.days)):
        return later.seconds <= earlier.seconds
    return not later.working and later.seconds <= earlier.seconds - (HOUR if earlier.days else 0)


def _addresses(draft: Draft) -> Findings:
    """Each address belongs to one queue or one agent, and the desk never writes to itself."""
    owners: dict[str, str] = {}
    for name, queue in draft.queues.items():
        keys = [("address", queue.address), ("note_address", queue.note_address)]
        for key, address in keys:
            if address and (owner := owner_of(owners, address)):
                yield Finding(
                    ("queue", name, key), f"is already an address of {owner}", "give each queue its own"
                )
            if address:
                owners.setdefault(address.lower(), f"queue.{name}")
        for number, alias in enumerate(queue.aliases):
            if alias.lower() in owners:
                owner = owners[alias.lower()]
                yield Finding(
                    ("queue", name, "aliases", number),
                    f"is already an address of {owner}",
                    "take one of them out",
                )
            owners.setdefault(alias.lower(), f"queue.{name}")
    if draft.desk:
        for number, admin in enumerate(draft.desk.admins):
            if owner := owner_of(owners, admin):
                yield Finding(
                    ("desk", "admins", number),
                    f"is an address of {owner}: the desk would write to itself",
                    "name a person's own address",
                )
    people: dict[str, str] = {}
    for key, agent in draft.agents.items():
        places: list[tuple[Location, str]] = [(("agent", key, "email"), agent.email)]
        places += [(("agent", key, "aliases", number), alias) for number, alias in enumerate(agent.aliases)]
        for location, address in places:
            if owner := owner_of(owners, address):
                reason = f"is an address of {owner}: an agent needs an own one"
                yield Finding(location, reason, "write the agent's personal address")
            elif address.lower() in people:
                other = people[address.lower()]
                yield Finding(location, f"is already an address of agent.{other}", "give it to one of them")
            people.setdefault(address.lower(), key)


def own_addresses(draft: Draft) -> dict[str, str]:
    """Return the addresses of the desk's queues, each with its queue; see `owner_of`."""
    owners: dict[str, str] = {}
    for name, queue in draft.queues.items():
        for address in (queue.address, queue.note_address, *queue.aliases):
            if address:
                owners.setdefault(address.lower(), f"queue.{name}")
    return owners


def owner_of(owners: Mapping[str, str], address: str) -> str:
    """Return the queue that an address belongs to, counting whole domains and +details."""
    local, _, domain = address.lower().rpartition("@")
    plain = local.partition("+")[0]
    for form in (f"{local}@{domain}", f"{plain}@{domain}", f"*@{domain}"):
        if form in owners:
            return owners[form]
    return ""
