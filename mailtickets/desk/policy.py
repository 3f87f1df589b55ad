"""Pure: the desk's rules as plain values, made once from the configuration and replaced whole by a reload."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets.desk.agreement import SHIPPED_TYPES, Span, hours
from mailtickets.mail.message import address_key, domain_of, local_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mailtickets.desk.agreement import Organisation, ReportPlan, Rule, Rung, ServiceLevel, TicketType
    from mailtickets.desk.calendar import Calendar
    from mailtickets.mail.message import Message

# Domains where sharing a domain says nothing about knowing each other, and where a rate per domain
# would punish strangers for each other.
LARGE_PROVIDERS = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "hotmail.co.uk",
        "hotmail.fr",
        "hotmail.de",
        "live.com",
        "live.co.uk",
        "msn.com",
        "yahoo.com",
        "yahoo.co.uk",
        "yahoo.fr",
        "yahoo.de",
        "yahoo.co.jp",
        "ymail.com",
        "rocketmail.com",
        "aol.com",
        "icloud.com",
        "me.com",
        "mac.com",
        "gmx.de",
        "gmx.net",
        "gmx.at",
        "gmx.ch",
        "gmx.com",
        "web.de",
        "t-online.de",
        "freenet.de",
        "posteo.de",
        "mailbox.org",
        "proton.me",
        "protonmail.com",
        "pm.me",
        "fastmail.com",
        "zoho.com",
        "mail.com",
        "yandex.ru",
        "yandex.com",
        "mail.ru",
        "inbox.ru",
        "bk.ru",
        "list.ru",
        "rambler.ru",
        "orange.fr",
        "wanadoo.fr",
        "free.fr",
        "laposte.net",
        "sfr.fr",
        "libero.it",
        "virgilio.it",
        "tiscali.it",
        "alice.it",
        "btinternet.com",
        "sky.com",
        "virginmedia.com",
        "comcast.net",
        "verizon.net",
        "att.net",
        "sbcglobal.net",
        "cox.net",
        "charter.net",
        "qq.com",
        "163.com",
        "126.com",
        "sina.com",
        "naver.com",
        "daum.net",
        "hanmail.net",
        "rediffmail.com",
        "terra.com.br",
        "uol.com.br",
        "bol.com.br",
        "seznam.cz",
        "wp.pl",
        "o2.pl",
        "onet.pl",
        "interia.pl",
        "bluewin.ch",
        "telia.com",
        "home.nl",
        "ziggo.nl",
    ]
)


DAY_1, DAYS_3, DAYS_4 = hours(24), hours(72), hours(96)


@dataclass(frozen=True, slots=True)
class AgentPolicy:
    """One agent. `email` and `aliases` are in comparable form; mail goes to `email` only.

    away_until   where the agent's own automatic reply said so; not of the configuration, but of what is known now.
    """

    key: str
    name: str
    email: str
    aliases: tuple[str, ...] = ()
    proof: str = "any"  # any: a key or a pass; pass: a pass only
    receipts: str = "all"
    hours: str = ""  # name of a calendar; "" = always on duty
    away_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """One support address with its people and its rules of silence."""

    name: str
    address: str
    tag: str
    agents: tuple[str, ...] = ()
    mailbox: str = ""
    smtp: str = ""
    aliases: tuple[str, ...] = ()
    notify: str = "all"
    plus_addressing: bool = True
    after_reply: str = "waiting"
    cc: str = "domain"
    note_address: str = ""
    language: str = "en"
    reminders: tuple[Span, ...] = (DAY_1, DAYS_3)
    close_after: Span = DAYS_4
    resolved_close_after: Span = DAYS_3
    reopen_within: timedelta = timedelta(days=30)
    confirm_close: bool = False
    collision_window: timedelta = timedelta(hours=2)
    ask_for: tuple[str, ...] = ()
    ask_for_below: int = 400
    help_links: tuple[str, ...] = ()
    notify_attachments_bytes: int = 5_000_000
    calendar: str = ""  # "" = always open
    service_level: str = ""  # "" = none
    on_call: tuple[
        str, ...
    ] = ()  # agents' keys, told where nobody is on duty and the ticket's calendar is open
    customer_priority: str = ""  # the highest priority a customer may state; "" = their word does not count

    def owns(self, address: str) -> bool:
        """Tell whether mail to this address (with or without +detail) is mail to this queue."""
        key = address_key(address)
        local, domain = local_of(key).partition("+")[0], domain_of(key)
        return any(self._names(own, local, domain) for own in (self.address, *self.aliases))

    @staticmethod
    def _names(own: str, local: str, domain: str) -> bool:
        return domain_of(own) == domain and local_of(own) in {"*", local}

    def is_note_address(self, address: str) -> bool:
        """Tell whether mail to this address is a note whatever it holds (`support+note@`, `note_address`)."""
        key = address_key(address)
        if self.note_address and key == address_key(self.note_address):
            return True
        return self.owns(key) and local_of(key).partition("+")[2] == "note"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the desk does by itself; 0 = no limit."""

    ack_per_address_day: int = 3
    ack_per_proven_address_day: int = 10
    ack_per_domain_hour: int = 30
    ack_per_hour: int = 600
    same_words_per_domain_day: int = 10
    ack_wait: timedelta = timedelta(hours=12)
    ack_waiting: int = 100
    tickets_per_address_hour: int = 20
    notices_per_agent: int = 20  # in ten minutes
    mail_size_bytes: int = 25_000_000
    people_per_ticket: int = 10
    automatic_per_hour: int = 5000


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules of a desk. The first queue of a mailbox takes what names no queue."""

    desk_name: str
    queues: Mapping[str, QueuePolicy]
    agents: Mapping[str, AgentPolicy]
    admins: tuple[str, ...] = ()
    zone: str = "UTC"
    echo: str = "proven"
    limits: Limits = field(default_factory=Limits)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    service_levels: Mapping[str, ServiceLevel] = field(default_factory=dict)
    organisations: Mapping[str, Organisation] = field(default_factory=dict)
    types: Mapping[str, TicketType] = field(default_factory=lambda: SHIPPED_TYPES)
    rules: tuple[Rule, ...] = ()
    rungs: tuple[Rung, ...] = ()
    reports: Mapping[str, ReportPlan] = field(default_factory=dict)

    def agent_of(self, address: str) -> AgentPolicy | None:
        """Return the agent whose address or alias this is."""
        key = address_key(address)
        if not key.isascii():
            return None
        for agent in self.agents.values():
            if key == agent.email or key in agent.aliases:
                return agent
        return None

    @property
    def addresses_of_agents(self) -> tuple[str, ...]:
        """The addresses that agents' notices go to."""
        return tuple(agent.email for agent in self.agents.values())

    def is_own(self, address: str) -> bool:
        """Tell whether this is an address of a queue."""
        return any(queue.owns(address) or queue.is_note_address(address) for queue in self.queues.values())

    def ask_for(self, queue: QueuePolicy, type_name: str) -> tuple[str, ...]:
        """Return what a request should contain: the lines of its type, else those of its queue."""
        kind = self.types.get(type_name)
        lines = queue.ask_for if kind is None or kind.ask_for is None else kind.ask_for
        return tuple(dict.fromkeys(lines))

    def queues_named(self, message: Message) -> tuple[QueuePolicy, ...]:
        """Return the queues that a mail names, in the order of design section 2.

        To, Cc, then Resent-To, Delivered-To, X-Original-To and Received "for".
        """
        named: dict[str, QueuePolicy] = {}
        addresses = (*(a.address for a in (*message.to, *message.cc)), *message.delivered_to)
        for address in addresses:
            for queue in self.queues.values():
                if queue.name not in named and (queue.owns(address) or queue.is_note_address(address)):
                    named[queue.name] = queue
        return tuple(named.values())

    def is_named_in(self, message: Message) -> bool:
        """Tell whether its writer addressed a mail to this desk: To or Cc name a queue, whatever its delivery says."""
        addresses = [person.address for person in (*message.to, *message.cc)]
        return any(
            queue.owns(address) or queue.is_note_address(address)
            for address in addresses
            for queue in self.queues.values()
        )

    def queue_for(self, message: Message, mailbox: str) -> tuple[QueuePolicy, tuple[QueuePolicy, ...]]:
        """Return the queue that takes a mail, and the other queues it also reached."""
        named = self.queues_named(message)
        if named:
            return named[0], named[1:]
        first = next((q for q in self.queues.values() if q.mailbox == mailbox), None)
        return first or next(iter(self.queues.values())), ()
