"""A store whose tickets are made by hand, so that every figure can be told in advance."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mailtickets.desk.agreement import Organisation, ServiceLevel, Span, Targets
from mailtickets.desk.policy import AgentPolicy, Policy, QueuePolicy
from mailtickets.desk.service_level import Measure
from mailtickets.desk.ticket import Change, Status, Ticket
from mailtickets.figures.gather import gather
from mailtickets.figures.period import period_of
from mailtickets.store import Store

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)  # a Tuesday
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
GOLD = ServiceLevel(
    "gold",
    targets={
        "P1": Targets(Span(plain=30 * MINUTE), None, Span(working=4 * HOUR)),
        "P3": Targets(Span(working=8 * HOUR), None, Span(days=5)),
    },
    names={"P1": "Urgent", "P3": "Normal"},
    goal=0.9,
)
POLICY = Policy(
    "Acme Support",
    {
        "support": QueuePolicy("support", "support@acme.example", "SUP", ("kim", "lee")),
        "billing": QueuePolicy("billing", "billing@acme.example", "BIL", ("kim",)),
    },
    {
        "kim": AgentPolicy("kim", "Kim Archer", "kim@acme.example"),
        "lee": AgentPolicy("lee", "Lee Moss", "lee@acme.example"),
    },
    zone="Europe/London",
    organisations={"customer": Organisation("customer", "Customer Ltd")},
)


def at(text: str) -> datetime:
    """Return "2026-11-16 09:00" in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Desk:
    """Tickets as the desk would have counted them."""

    def __init__(self, store: Store, policy: Policy = POLICY) -> None:
        self.store, self.policy = store, policy
        self._numbers = itertools.count(1001)

    def ticket(
        self,
        opened: str,
        *,
        answered: timedelta | None = None,
        kept: bool | None = None,
        due: timedelta | None = None,
        resolved: timedelta | None = None,
        resolution_kept: bool | None = None,
        resolution_due: timedelta | None = None,
        closed: timedelta | None = None,
        interim: bool = False,
        status: Status | None = None,
        updates: tuple[int, int] = (0, 0),
        update_due: timedelta | None = None,
        reopened: int = 0,
        **more,
    ) -> int:
        """Put a ticket into the store; times count from its opening. The clock runs all the time."""
        begun, number = at(opened), next(self._numbers)

        def moment(after: timedelta | None) -> datetime | None:
            return None if after is None else begun + after

        if status is None:
            status = Status.CLOSED if closed else Status.RESOLVED if resolved and not interim else Status.OPEN
        fields = {"queue": "support", "priority": "P3", "type": "incident", **more}
        ticket = Ticket(
            number, "SUP", subject="Printer", requester="ana@customer.example", created_at=begun, updated_at=begun,
            status=status, **fields,
        )  # fmt: skip
        measure = Measure(
            moment(answered), answered, moment(due), kept,
            moment(resolved), resolved, moment(resolution_due), resolution_kept,
            interim, moment(update_due), *updates, reopened, moment(closed),
        )  # fmt: skip
        with self.store.transaction():
            self.store.tickets.write(Change(ticket, is_new=True), None)
            self.store.measures.put(ticket, measure)
        return number

    def figures(
        self,
        first: str = "",
        last: str = "",
        *,
        recent: str = "",
        now: datetime = NOW,
        zone=LONDON,
        by=None,
        **filters,
    ):
        """Return the report of a period."""
        period = period_of(zone, now, first=first, last=last, recent=recent)
        more = {} if by is None else {"by": by}
        return gather(self.store.measures, period, self.policy, now, filters=filters, **more)


@pytest.fixture
def store(tmp_path):
    made = Store.open(tmp_path / "desk.db", at("2020-01-01 00:00"))
    yield made
    made.close()


@pytest.fixture
def desk(store):
    return Desk(store)
