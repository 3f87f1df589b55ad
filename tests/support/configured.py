"""A whole desk made of a config file, as the daemon would make it, in fast time and in the desk's own zone."""

from __future__ import annotations

import hashlib
import itertools
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from mailtickets.config import load
from mailtickets.desk.facts import HistoryLine
from mailtickets.desk.promises import deadlines
from mailtickets.desk.service_level import Clocks, Measure, clocks, measure
from mailtickets.desk.terms import Terms, terms_of
from mailtickets.figures.gather import gather
from mailtickets.figures.period import period_of
from mailtickets.figures.statistics import Figures
from mailtickets.mail.message import domain_of
from mailtickets.policies import policy_of
from mailtickets.store.ledger import Taken, compress
from mailtickets.templates import Templates
from tests.support.desk import Desk, SentMail, shipped_templates


class ConfiguredDesk(Desk):
    """A desk whose Policy, templates and mailbox come from a file; moments are local: "2026-11-23 09:00"."""

    def __init__(self, path: Path, folder: Path, now: str) -> None:
        self.config = load(path)
        self.zone = self.config.desk.zone
        self._arrivals = itertools.count(1)
        policy = policy_of(self.config)
        super().__init__(folder, policy, self.config.mailboxes["support"].authserv_id, self.moment(now))
        own = self.config.templates.folder
        self.templates = (
            Templates(own, zone=self.zone, queues=frozenset(self.config.queues))
            if own
            else shipped_templates(self.zone)
        )
        self.use(policy)

    # -- time ----------------------------------------------------------------------------------

    def moment(self, local: str) -> datetime:
        """Return a local time as a moment."""
        return datetime.fromisoformat(local).replace(tzinfo=self.zone).astimezone(ZoneInfo("UTC"))

    def local(self, moment: datetime | None) -> str:
        """Return a moment in the desk's zone; "" for none."""
        return "" if moment is None else f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M}"

    def until(self, local: str) -> None:
        """Let time pass up to a local moment; everything happens at the very moment it is due."""
        end = self.moment(local)
        assert end >= self.now, f"{local} is past"
        while (due := self._next_due()) is not None and self.now < due <= end:
            self.passes(due - self.now)
        self.passes(end - self.now)

    def _next_due(self) -> datetime | None:
        known = (self.store.tickets.next_due(), self.store.outbox.next_due(), self.store.news.next_due())
        return min((moment for moment in known if moment is not None), default=None)

    def run(self) -> None:
        """Do what is to be done, and write on each mail when it left."""
        before = len(self.sent)
        super().run()
        for mail in self.sent[before:]:
            mail.at = self.local(self.now)

    # -- mail ----------------------------------------------------------------------------------

    def reached(self, raw: bytes, local: str) -> None:
        """Take in a mail that reached the mailbox at another moment than now (INTERNALDATE)."""
        raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        digest, name = hashlib.sha256(raw).digest(), f"2/{next(self._arrivals)}"
        self.line.accept(
            [Taken("support", "INBOX", name, digest, compress(raw), raw, len(raw), self.moment(local))]
        )
        self.run()

    def proven(self, address: str, text: str, **more: Any) -> None:
        """Somebody writes, and our own mail server says that it is really them."""
        self.writes(address, text, Authentication_Results=self._proof(address), **more)

    def replies(self, sent: SentMail, address: str, text: str, **more: Any) -> None:
        """Somebody answers a mail of the desk, and it is really them."""
        self.answers(sent, address, text, Authentication_Results=self._proof(address), **more)

    def _proof(self, address: str) -> str:
        return f"{self.authserv_id}; dmarc=pass header.from={domain_of(address)}"

    def answer(self, agent: str, text: str, number: int = 1001) -> None:
        """An agent answers the newest notice of a ticket; commands stand in the first lines of `text`."""
        self.answers(self.notice(agent, number), agent, text)

    def notice(self, agent: str, number: int = 1001) -> SentMail:
        """Return the newest mail about a ticket that an agent may answer."""
        reference = self.ticket(number).reference
        return next(
            mail
            for mail in reversed(self.sent_to(agent))
            if reference in mail["Subject"] and "Ref: " in mail.text and mail.kind != "receipt"
        )

    def told(self, address: str, *kinds: str) -> list[tuple[str, str]]:
        """Return when an address got what: (kind, local time)."""
        return [(m.kind, m.at) for m in self.sent_to(address) if not kinds or m.kind in kinds]

    # -- clocks and figures --------------------------------------------------------------------

    def lines(self, number: int = 1001) -> tuple[HistoryLine, ...]:
        return self.store.tickets.history(number)

    def terms(self, number: int = 1001) -> Terms:
        return terms_of(self.ticket(number), self.policy)

    def clocks(self, number: int = 1001) -> Clocks:
        """Return the clocks as they stand now."""
        return clocks(self.ticket(number), self.lines(number), self.terms(number), self.now)

    def measure(self, number: int = 1001) -> Measure:
        """Return what reports count of a ticket."""
        return measure(self.ticket(number), self.lines(number), self.terms(number))

    def due(self, number: int = 1001) -> dict[str, str]:
        """Return what is due on a ticket, by target, in local time."""
        found = deadlines(self.ticket(number), self.lines(number), self.policy, self.now)
        return {str(one["target"]): self.local(cast("datetime", one["at"])) for one in found}

    def figures(self, recent: str = "30d", **filters: str) -> Figures:
        """Return the report of a period that ends today."""
        period = period_of(self.zone, self.now, recent=recent)
        return gather(self.store.measures, period, self.policy, self.now, filters=filters)
