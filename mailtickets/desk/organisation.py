"""Pure: which customer company an address belongs to, whether it may open tickets, and who manages the account."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from mailtickets.desk.agreement import Contact
from mailtickets.mail.message import address_key, domain_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from mailtickets.desk.agreement import Organisation
    from mailtickets.desk.policy import Policy

MAX_DOMAIN = 253  # RFC 1035 section 2.3.4, without the final dot
SUBDOMAINS = "*."  # "*.acme.example": every domain below acme.example, not acme.example itself


class May(StrEnum):
    """What happens to mail by which somebody of an organisation would open a ticket."""

    ACCEPT = "accept"  # a ticket like any other
    TELL = "tell"  # a ticket; a proven sender is told who the contacts are
    HOLD = "hold"  # a ticket that waits for an agent's word
    EXPIRED = "expired"  # the agreement has ended: kept, marked, shown to the account manager


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an address may open a ticket.

    contacts   whom to go through instead, where the answer is `tell` or `hold`.
    """

    may: May
    contacts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """The organisations of a policy. Compared by identity: a reload makes a new mapping, nobody changes one."""

    organisations: Mapping[str, Organisation]

    def __hash__(self) -> int:
        return id(self.organisations)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and other.organisations is self.organisations


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where an address is looked up, so that ten thousand organisations cost a mail no more than one."""

    by_contact: Mapping[str, Organisation]
    by_domain: Mapping[str, Organisation]
    by_parent: Mapping[str, Organisation]


@lru_cache(maxsize=4)
def _directory(known: _Known) -> _Directory:
    contacts: dict[str, Organisation] = {}
    domains: dict[str, Organisation] = {}
    parents: dict[str, Organisation] = {}
    for organisation in known.organisations.values():
        for address in organisation.contacts:
            contacts.setdefault(address_key(address), organisation)
        for domain in organisation.domains:
            name = address_key(domain)
            if name.startswith(SUBDOMAINS):
                parents.setdefault(name.removeprefix(SUBDOMAINS), organisation)
            else:
                domains.setdefault(name, organisation)
    return _Directory(contacts, domains, parents)


def organisation_of(address: str, policy: Policy) -> Organisation | None:
    """Return the organisation that an address belongs to, or None.

    A designated contact belongs to it whatever the domain, so a consultant may speak for a company. Else the
    domain decides, the nearest one written: "lab.acme.example" goes before "*.acme.example".
    """
    if not policy.organisations:
        return None
    directory = _directory(_Known(policy.organisations))
    if found := directory.by_contact.get(address_key(address)):
        return found
    domain = domain_of(address)
    if found := directory.by_domain.get(domain):
        return found
    parent = domain.partition(".")[2] if len(domain) <= MAX_DOMAIN else ""
    while parent:
        if found := directory.by_parent.get(parent):
            return found
        parent = parent.partition(".")[2]
    return None


def may_open(organisation: Organisation, address: str, now: date) -> Standing:
    """Say what happens to mail of one of its people that answers no ticket.

    now   the day in the desk's zone; the agreement holds to the end of its last day.
    """
    if organisation.until is not None and now > organisation.until:
        return Standing(May.EXPIRED)
    if not organisation.contacts or address_key(address) in {
        address_key(one) for one in organisation.contacts
    }:
        return Standing(May.ACCEPT)
    may = May(organisation.others)
    return Standing(may, () if may is May.ACCEPT else organisation.contacts)


def account_manager(organisation: Organisation | None, policy: Policy) -> Contact | None:
    """Return who manages an organisation's account: an agent, by key or address, or somebody with a plain address."""
    if organisation is None or not organisation.account_manager:
        return None
    named = organisation.account_manager
    agent = policy.agents.get(named) or policy.agent_of(named)
    if agent:
        return Contact(agent=agent.key, address=agent.email, name=agent.name)
    return Contact(address=named) if "@" in named else None
