"""Pure: how often the desk answers by itself: limits of automatic answers, and when waiting ones are looked at."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mailtickets.desk.policy import LARGE_PROVIDERS
from mailtickets.mail.message import domain_of

if TYPE_CHECKING:
    from mailtickets.desk.facts import AckCounts
    from mailtickets.desk.policy import Limits

ACK_ROUND = timedelta(minutes=10)
ACK_ROUNDS_FROM = datetime(2000, 1, 1, tzinfo=UTC)

# Two machines that answer each other say the same again and again, with other numbers in it. Four such mails of one
# address in a day, or eleven of a domain's strangers, and the next is not acknowledged: the circle is cut for good.
ALIKE_OF_ADDRESS = 3
LIKENESS_LETTERS, MIN_LIKENESS = 300, 20
_NUMBERED = re.compile(r"\S*[0-9]\S*")


def likeness(text: str) -> str:
    """Return what two texts have in common that differ in numbers, dates and spaces only; "" where that says too little."""
    words = " ".join(_NUMBERED.sub(" ", text[:LIKENESS_LETTERS]).casefold().split())
    return words if len(words) >= MIN_LIKENESS else ""


def goes_in_circles(address: str, counts: AckCounts, of_domain: int, *, proven: bool, known: bool) -> str:
    """Return why a mail looks like a machine's answer to our last answer, in words, or an empty string.

    of_domain   so many mails of a domain's strangers may say the same within a day; 0 = no limit.
    """
    if counts.alike >= ALIKE_OF_ADDRESS:
        return f"{counts.alike} mails of this address said the same within a day: a machine may answer us"
    strangers = not proven and not known and domain_of(address) not in LARGE_PROVIDERS
    if strangers and of_domain and counts.alike_domain >= of_domain:
        return f"{counts.alike_domain} mails from {domain_of(address)} said the same within a day: a machine may answer us"
    return ""


def next_round(now: datetime) -> datetime:
    """Return when waiting acknowledgements are looked at again: all at one time, so that the oldest goes first."""
    return ACK_ROUNDS_FROM + ((now - ACK_ROUNDS_FROM) // ACK_ROUND + 1) * ACK_ROUND


def past_limit(address: str, counts: AckCounts, limits: Limits, *, proven: bool, known: bool) -> str:
    """Return which limit of acknowledgements is reached, in words, or an empty string.

    People who wrote before as persons count against neither the domain nor the desk.
    """
    per_address = limits.ack_per_proven_address_day if proven else limits.ack_per_address_day
    if per_address and counts.address_day >= per_address:
        return f"this address had {counts.address_day} acknowledgements in 24 hours"
    if known:
        return ""
    strangers = not proven and domain_of(address) not in LARGE_PROVIDERS
    if strangers and limits.ack_per_domain_hour and counts.domain_hour >= limits.ack_per_domain_hour:
        return f"the domain {domain_of(address)} had {counts.domain_hour} acknowledgements in an hour"
    if limits.ack_per_hour and counts.hour >= limits.ack_per_hour:
        return f"the desk sent {counts.hour} acknowledgements in an hour"
    return ""


def waiting_enough(counts: AckCounts, limits: Limits, *, proven: bool, known: bool) -> str:
    """Return why an acknowledgement past a limit does not even wait, in words, or an empty string.

    So many strangers at once are a flood in other people's names: their answers must not leave later, either.
    """
    if proven or known or not limits.ack_waiting or counts.waiting < limits.ack_waiting:
        return ""
    return f"it is not sent later, for {counts.waiting} wait already"
