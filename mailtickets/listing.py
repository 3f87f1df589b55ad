"""Keeps one person's mailbox from a flood of notices: past a limit they go on a list, and the list goes out by itself.

Everything inside the caller's transaction.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.desk.bundling import LINES, NOTICE_WINDOW, NOTICES, Line, news_list
from mailtickets.desk.limits import next_round
from mailtickets.desk.ticket import Alarm
from mailtickets.mail.message import address_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mailtickets.desk.notices import Outgoing, Recipient
    from mailtickets.desk.policy import Policy
    from mailtickets.store import Store
    from mailtickets.store.outbox import Mail

# After so long the news of a list that could not be sent are listed again; each time a list fails, until one is sent.
AGAIN = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))


class Lists:
    """Who gets which notice by itself, and the lists of the others."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: dict[str, deque[datetime]] | None = None  # notices of the last ten minutes, by address

    def apart(self, mail: Outgoing, policy: Policy, now: datetime) -> tuple[Outgoing | None, Alarm | None]:
        """Return the mail for those who get it by itself, or None, and what to tell the admins; note it for the others.

        Once past the limit, somebody's notices are listed until fewer than that come within ten minutes.
        """
        limit = policy.limits.notices_per_agent
        if mail.ticket is None or mail.notice.kind not in NOTICES or not (limit or mail.listed):
            return mail, None
        by_itself: list[Recipient] = []
        full = ""
        for recipient in mail.to:
            address = address_key(recipient.address.address)
            if not mail.listed:
                lately = self._lately(address, now)
                lately.append(now)
                if len(lately) <= limit:
                    by_itself.append(recipient)
                    continue
                full = address if len(lately) == limit + 1 else full
            due = max(next_round(now), mail.not_before or now)
            is_new = mail.notice.kind == "agent_new"
            self._store.news.add(address, recipient.agent, mail.ticket, now, due, is_new=is_new)
        return replace(mail, to=tuple(by_itself)) if by_itself else None, _alarm(
            full, limit
        ) if full else None

    def undone(self) -> None:
        """Called when a transaction was undone: what was noted in it was told nobody, and is read anew."""
        self._told = None

    def _lately(self, address: str, now: datetime) -> deque[datetime]:
        if self._told is None:
            self._told = defaultdict(deque)
            for recipient, at in self._store.news.lately(now - NOTICE_WINDOW, NOTICES):
                self._told[address_key(recipient)].append(at)
        lately = self._told[address]
        while lately and not now - NOTICE_WINDOW < lately[0] <= now:
            lately.popleft()
        return lately

    def due(self, policy: Policy, now: datetime) -> Iterator[Outgoing]:
        """Take due lists off the store, and return them as mails."""
        for address in self._store.news.due(now):
            items, left = self._store.news.take(address, now, LINES, next_round(now))
            agents = {item.agent for item in items}
            agent = policy.agents.get(items[0].agent) if items else None
            lines = [
                Line(ticket, item.is_new, item.count, item.author, item.text, item.reason)
                for item in items
                if (ticket := self._store.tickets.get(item.ticket))
            ]
            # Whoever is no agent any more is told nothing.
            gone = agents != {""} and agent is None
            mail = None if gone else news_list(address, agent, lines, left, policy, now)
            if mail is None:
                maillog.note("a list of news is nobody's any more", tickets=len(items))
            else:
                yield mail

    def failed(self, mail: Mail, now: datetime) -> str:
        """List the news of a list that could not be sent once more, though not for ever; return what the admins are told of it."""
        failures = self._store.news.failures(" ".join(mail.recipients))
        if failures > len(AGAIN):
            return f"{failures} lists in a row failed: what is on the last one is not listed again."
        self._store.news.put_back(mail.id, now + AGAIN[max(failures, 1) - 1])
        return "What is on it is listed again later."


def _alarm(address: str, limit: int) -> Alarm:
    return Alarm(
        "notices listed",
        "Agents get notices of tickets as a list",
        f"{address} would get more than {limit} within 10 minutes: that is [limits] notices_per_agent",
        "Look with `mailtickets list` whether so much mail is meant; if it is, raise the limit. Nothing is lost: every ticket"
        " is on the list that goes out every 10 minutes.",
    )
