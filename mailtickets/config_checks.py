"""Pure: what the keys of a configuration must not contradict. Looks at every pair, stops at none.

It is given a draft: tables that hold errors of their own come with stand-ins for the bad keys, so that
one wrong key does not hide what is wrong elsewhere.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailtickets.config_problems import Finding, did_you_mean
from mailtickets.durations import size_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailtickets.config_lines import Location
    from mailtickets.config_models import (
        Agent,
        Desk,
        Limits,
        Log,
        Mailbox,
        Queue,
        SmtpAccount,
        TemplateFolder,
    )

Findings = Iterator[Finding]

_AGENT_KEY = re.compile(r"[a-z][a-z0-9_-]{0,23}\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}\Z")

IMAP_ONLY = ("host", "port", "security", "username", "password", "ca_file", "auth", "token", "folder", "idle")


@dataclass(slots=True)
class Draft:
    """Tables as far as they could be read; `written` holds the keys that the file really has."""

    limits: Limits
    log: Log
    desk: Desk | None = None
    smtp: SmtpAccount | None = None
    templates: TemplateFolder | None = None
    smtp_accounts: dict[str, SmtpAccount] = field(default_factory=dict)
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    written: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def has(self, *location: str) -> bool:
        """Tell whether the file writes this key, rightly or wrongly."""
        at: object = self.written
        for name in location:
            if not isinstance(at, dict) or name not in at:
                return False
            at = at[name]
        return True

    def names(self, table: str) -> list[str]:
        """Return the names under a table, also of those that could not be read."""
        under = self.written.get(table, {})
        return [str(name) for name in under] if isinstance(under, dict) else []


def contradictions(draft: Draft) -> Findings:
    """Yield everything that makes the configuration unusable."""
    yield from _names(draft)
    yield from _accounts(draft)
    yield from _mailboxes(draft)
    yield from _queues(draft)
    yield from _addresses(draft)
    if draft.templates and draft.templates.folder and not draft.templates.folder.is_dir():
        yield Finding(("templates", "folder"), "no such folder", "create it or leave the key out")


def _names(draft: Draft) -> Findings:
    for key in draft.names("agent"):
        if not _AGENT_KEY.match(key):
            yield Finding(
                ("agent", key),
                "not a key for an agent",
                'write a small letter, then up to 23 of a-z, 0-9, "_" and "-"',
            )
    for table in ("queue", "mailbox", "smtp_account"):
        for name in draft.names(table):
            if not _NAME.match(name):
                yield Finding((table, name), "not a name", 'write up to 32 of letters, digits, "_" and "-"')


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
        if after <= before:
            yield Finding(
                (*location, "reminders", number),
                f'does not come after the reminder before it ("{before}")',
                "write them in rising order; each counts from the agent's last reply",
            )
    if queue.reminders and queue.close_after <= max(queue.reminders):
        latest = max(queue.reminders)
        yield Finding(
            (*location, "close_after"),
            f'closes ("{queue.close_after}") before or with the last reminder ("{latest}")',
            f'write more than "{latest}"; both count from the agent\'s last reply',
        )


def _addresses(draft: Draft) -> Findings:
    """Each address belongs to one queue or one agent, and the desk never writes to itself."""
    owners: dict[str, str] = {}
    for name, queue in draft.queues.items():
        keys = [("address", queue.address), ("note_address", queue.note_address)]
        for key, address in keys:
            if address and (owner := _owner(owners, address)):
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
            if owner := _owner(owners, admin):
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
            if owner := _owner(owners, address):
                reason = f"is an address of {owner}: an agent needs an own one"
                yield Finding(location, reason, "write the agent's personal address")
            elif address.lower() in people:
                other = people[address.lower()]
                yield Finding(location, f"is already an address of agent.{other}", "give it to one of them")
            people.setdefault(address.lower(), key)


def _owner(owners: Mapping[str, str], address: str) -> str:
    """Return the queue that an address belongs to, counting whole domains and +details."""
    local, _, domain = address.lower().rpartition("@")
    plain = local.partition("+")[0]
    for form in (f"{local}@{domain}", f"{plain}@{domain}", f"*@{domain}"):
        if form in owners:
            return owners[form]
    return ""
