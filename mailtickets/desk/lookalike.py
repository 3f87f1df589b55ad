"""Pure: whether a sender could be taken for an agent, for the desk, or for a customer, without being that person.

It gives and takes no right: addresses are compared letter by letter everywhere. It only makes people look twice, so
it is either sure, or says mildly what it saw: a customer may well have the name of an agent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from mailtickets.desk.confusables import alike, foreign_letters, in_unicode, skeletons
from mailtickets.desk.policy import LARGE_PROVIDERS
from mailtickets.mail.message import address_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailtickets.desk.facts import TicketFacts
    from mailtickets.desk.policy import Policy
    from mailtickets.mail.message import Address

MIN_LABEL = 5  # shorter names of companies differ by one letter all the time
MIN_NAMES = 2  # half the world is called Kim
SUFFIX_LABEL = 3  # "co.uk", "com.au", "gov.uk": nobody's own domain


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody whom a stranger could be taken for.

    what   "agent", "desk" or "customer".
    """

    address: str
    name: str = ""
    what: str = "customer"

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


@dataclass(frozen=True, slots=True)
class Likeness:
    """Whom a sender looks like, and in what.

    sure   nobody gets such an address or name by chance.
    line   what agents should know, as a clause.
    whole  more than the domain is alike, so that this person is meant and no other at that domain.
    """

    known: Known
    sure: bool
    line: str
    whole: bool = True

    @property
    def brief(self) -> str:
        """For the history."""
        return f"look-alike of {self.known}" if self.sure else self.line


def likeness_of(sender: Address | None, tickets: Iterable[TicketFacts], known: Iterable[str], policy: Policy) -> Likeness | None:  # fmt: skip
    """Return whom the sender of a mail could be taken for; None where that is nobody, or where it is one of us.

    tickets   that the mail names, rightly or not: their people may be meant.
    known     addresses of people who wrote to the desk before.
    """
    if sender is None or policy.agent_of(sender.address) or policy.is_own(sender.address):
        return None
    people = (*_of_the_desk(policy), *_customers(sender, tickets, known))
    found = (likeness for one in people if (likeness := _likeness(sender, one, policy)))
    return max(found, key=lambda one: (one.sure, one.whole), default=None)


def local_parts(address: str) -> tuple[str, ...]:
    """Return the local parts, in comparable form, that the one of an address may be meant to look like."""
    local = address_key(_mailbox(address)[0])
    return tuple(sorted(one for one in {local, *skeletons(local)} if one and one.isascii()))


def _of_the_desk(policy: Policy) -> list[Known]:
    found: list[Known] = []
    for agent in policy.agents.values():
        found.extend(Known(address, agent.name, "agent") for address in (agent.email, *agent.aliases))
    for queue in policy.queues.values():
        own = (queue.address, *(alias for alias in queue.aliases if not alias.startswith("*")))
        found.extend(Known(address_key(address), policy.desk_name, "desk") for address in own)
    return found


def _customers(sender: Address, tickets: Iterable[TicketFacts], known: Iterable[str]) -> list[Known]:
    """Return the people of tickets that the sender has no part in, and others who wrote before."""
    people: dict[str, Known] = {}
    for facts in tickets:
        if not facts.ticket.is_participant(sender.key):
            for person in facts.ticket.participants:
                people.setdefault(person.address, Known(person.address, person.name))
    for address in known:
        people.setdefault(address, Known(address))
    return list(people.values())


def _likeness(sender: Address, known: Known, policy: Policy) -> Likeness | None:
    local, domain = _mailbox(sender.address)
    known_local, known_domain = _mailbox(known.address)
    nearness = _nearness(domain, known_domain)
    if nearness == "own" and address_key(local) == known_local:
        # The same, another machine of the domain, or a detail behind "+".
        return _by_name(sender, known, policy)
    if _shows(sender.name, known.address):
        return _sure(sender, known)
    if not nearness:
        return _by_name(sender, known, policy)
    same_local = alike(local, known_local)
    if nearness == "own":
        return _sure(sender, known) if same_local else _by_name(sender, known, policy)
    if same_local or (known.what != "customer" and _same_name(sender.name, known.name, policy)):
        if nearness == "ending" or (nearness == "short" and known.what != "agent"):
            return Likeness(
                known, sure=False, line=f"{sender.address} is not {known}, though it looks like it"
            )
        return _sure(sender, known)
    if known.what != "customer" and known_domain not in LARGE_PROVIDERS:
        if nearness == "letters" and not in_unicode(domain).isascii():
            return replace(_sure(sender, known), whole=False)
        if nearness in {"letters", "edit"}:
            line = f"the domain {domain} is not {known_domain}, though it looks like it"
            return Likeness(known, sure=False, line=line, whole=False)
    return None


@lru_cache(maxsize=1024)
def _mailbox(address: str) -> tuple[str, str]:
    """Return an address without the detail behind a plus sign: local part as written, domain in comparable form."""
    local, _, domain = address.rpartition("@")
    return local.partition("+")[0], address_key(domain)


_AT = re.compile("[@\ufe6b\uff20]")
_APART = re.compile(r"[\s<>()\[\]{}\"',;:|]+")


def _shows(name: str, address: str) -> bool:
    """Tell whether a display name shows an address, or what looks like it."""
    return _AT.search(name) is not None and any(alike(one, address) for one in _APART.split(name))


def _sure(sender: Address, known: Known) -> Likeness:
    line = f"look-alike: this sender is not {known}; the address is {sender.address}"
    if letters := foreign_letters(in_unicode(sender.address)):
        line += f", written with {', '.join(letters)}"
    elif letters := _other_alphabet(sender.name):
        line += f", and the name is written with {', '.join(letters)}"
    return Likeness(known, sure=True, line=line)


def _other_alphabet(name: str) -> tuple[str, ...]:
    return tuple(letter for letter in foreign_letters(name) if not letter.startswith("latin "))


def _by_name(sender: Address, known: Known, policy: Policy) -> Likeness | None:
    if known.what == "customer" or not _same_name(sender.name, known.name, policy):
        return None
    if _other_alphabet(sender.name) and not _other_alphabet(known.name):
        return _sure(sender, known)
    who = f"the agent {known.name}" if known.what == "agent" else f"this desk, {known.name}"
    line = f"the sender has the name of {who}, but not an address of theirs that the desk knows: it is {sender.address}"
    return Likeness(known, sure=False, line=line)


def _same_name(shown: str, name: str, policy: Policy) -> bool:
    """Tell whether a display name reads like a name: in any order, with or without the desk's name behind it."""
    if not shown:
        return False
    wanted = _words(name)
    if len(wanted) < MIN_NAMES:
        return False
    found = _words(shown)
    return found == wanted or found - _words(policy.desk_name) - {"via", "from"} == wanted


@lru_cache(maxsize=1024)
def _words(name: str) -> frozenset[str]:
    apart = "".join(sign if sign.isalnum() else " " for sign in name[:200])
    return frozenset(min(skeletons(word)) for word in apart.split())


# -- domains --------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _nearness(domain: str, known: str) -> str:
    """Return how near a domain is to another: "own" (one owner), "letters" (reads the same), "edit", "short" or "ending".

    "short" is one edit in a name of fewer than `MIN_LABEL` letters, "ending" one edit in the last label.
    """
    ours, theirs = _owned(in_unicode(domain)), _owned(in_unicode(known))
    if not ours or not theirs:
        return ""
    if ours == theirs and domain.isascii():
        return "own"
    if alike(".".join(ours), ".".join(theirs)):
        return "letters"
    if ours[1:] == theirs[1:] and _one_edit(ours[0], theirs[0]):
        return "edit" if min(len(ours[0]), len(theirs[0])) >= MIN_LABEL else "short"
    if ours[0] == theirs[0] and _one_edit(".".join(ours[1:]), ".".join(theirs[1:])):
        return "ending"
    return ""


def _owned(domain: str) -> tuple[str, ...]:
    """Return the labels of a domain that one owner has: the last two, or three below a suffix such as "co.uk"."""
    labels = tuple(domain.split("."))
    below_suffix = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= SUFFIX_LABEL
    return labels[-3:] if below_suffix else labels[-2:]


def _one_edit(one: str, other: str) -> bool:
    """Tell whether two words differ by one letter, more, less, another or two swapped; a digit makes no look-alike."""
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    rest, left = one[start : len(one) - end], other[start : len(other) - end]
    if any(sign.isdigit() for sign in rest + left):
        return False  # web1 and web2 are two machines of one rack
    return (len(rest) <= 1 and len(left) <= 1) or (len(rest) == 2 and rest == left[::-1])
