"""Reads stored mails again with today's parser and rules: what would land elsewhere. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mailtickets.deciding import decided
from mailtickets.desk.facts import AckCounts
from mailtickets.desk.releasing import BY_THE_ADMIN
from mailtickets.desk.repeats import FILED
from mailtickets.desk.ticket import Outcome
from mailtickets.errors import name_of
from mailtickets.guard import TooHard
from mailtickets.mail.beginning import BEGINNING_BYTES, beginning
from mailtickets.store.ledger import DROPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailtickets.deciding import Decided
    from mailtickets.desk.events import Incoming
    from mailtickets.desk.facts import Facts, TicketFacts
    from mailtickets.guard import Guard, Request
    from mailtickets.recording import Rules
    from mailtickets.store import Store
    from mailtickets.store.ledger import Copy
    from mailtickets.store.views import CopyView

# What a person said about a mail stands, whatever the rules make of it today.
BY_A_PERSON = (DROPPED, "held, then not done", "confirmation of a held mail", "an unclear confirmation")
NEW = -1


@dataclass(frozen=True, slots=True)
class Replayed:
    """Where a mail is, and where it would land today.

    would    as the ledger's states; "" where that cannot be said: its original is gone or damaged.
    ticket   the ticket it would land on, NEW for one that it would open, None for none.
    reason   in words.
    moved    it would land elsewhere.
    """

    mail: CopyView
    would: str
    ticket: int | None
    reason: str
    moved: bool

    @property
    def comes_back(self) -> bool:
        """True where it is to be decided again: it is on no ticket, and would be on one."""
        return (
            self.moved and self.would == Outcome.ON_TICKET and self.mail.state in {"quarantined", "ignored"}
        )


def replay(store: Store, rules: Rules, guard: Guard, mails: Iterable[CopyView]) -> Iterator[Replayed]:
    """Say of each mail where it would land, one at a time.

    store   may be open for reading only.
    guard   reads the mails, so that one that breaks the parser ends nothing.
    """
    for mail in mails:
        copy = store.ledger.copy(mail.id)
        if copy is None:
            continue
        try:
            (read,) = guard.read_many([_request(store, copy)])
        except TooHard as error:
            read = error.reason
        except Exception as error:  # noqa: BLE001  (whatever a damaged original raises; the others are looked at)
            yield Replayed(mail, "", None, f"its original cannot be had ({name_of(error)})", moved=True)
            continue
        yield _unreadable(mail, read) if isinstance(read, str) else _landing(store, rules, copy, mail, read)


def _request(store: Store, copy: Copy) -> Request:
    if copy.truncated:
        raw = beginning(store.ledger.beginning(copy.digest, BEGINNING_BYTES))
    else:
        raw = store.ledger.original(copy.digest)
    return raw, copy.digest, copy.mailbox, copy.arrived, copy.truncated, copy.size, copy.dkim_keys, False


def _unreadable(mail: CopyView, why: str) -> Replayed:
    moved = mail.state != Outcome.QUARANTINED and not _by_a_person(mail)
    return Replayed(mail, Outcome.QUARANTINED, None, why, moved)


def _by_a_person(mail: CopyView) -> bool:
    return mail.reason.startswith(BY_A_PERSON) or mail.reason.endswith(BY_THE_ADMIN)


def _landing(store: Store, rules: Rules, copy: Copy, mail: CopyView, incoming: Incoming) -> Replayed:
    if mail.state == Outcome.ON_TICKET and mail.reason.endswith(BY_THE_ADMIN):
        copy = replace(copy, released="as before")
    # As of the moment it came: a limit of time, such as 30 days for a duplicate, must not have passed since.
    # A mail on its ticket is no duplicate of one that came after it.
    before = mail.id if mail.state == Outcome.ON_TICKET else 1 << 62
    case = decided(
        store, rules, copy, incoming, mail.taken, "", before=before,
        seen=lambda facts: _without_own(facts, store, mail),
    )  # fmt: skip
    ticket: int | None = None
    if case.verdict.outcome is Outcome.ON_TICKET:
        opens = any(change.is_new for change in case.decision.changes)
        ticket = NEW if opens else case.verdict.ticket
    moved = not _same_place(store, mail, case, ticket)
    return Replayed(mail, case.verdict.outcome.value, ticket, case.verdict.reason, moved)


def _same_place(store: Store, mail: CopyView, case: Decided, ticket: int | None) -> bool:
    answers_settled_question = bool(case.incoming.evidence.code) and case.facts.held is None
    if mail.reason.startswith((*BY_A_PERSON, FILED)) or answers_settled_question:
        return True
    if mail.state != Outcome.ON_TICKET or case.verdict.outcome is not Outcome.ON_TICKET:
        confirmed = case.verdict.outcome is Outcome.HELD and store.ledger.was_held(mail.id)
        return mail.state == case.verdict.outcome or (mail.state == Outcome.ON_TICKET and confirmed)
    if ticket == NEW:
        return store.tickets.opened_by(mail.ticket or 0) == mail.id
    there = store.tickets.get(mail.ticket or 0)  # a merged ticket leads to its target
    return there is not None and there.number == ticket


def _without_own(facts: Facts, store: Store, mail: CopyView) -> Facts:
    """Return the facts without what the mail itself, and what came after it, left behind."""
    settled = mail.state == Outcome.ON_TICKET
    as_then: dict[int, TicketFacts] = {}  # by identity: a merged number and its target are one

    def then(one: TicketFacts) -> TicketFacts:
        if id(one) not in as_then:
            public = tuple(
                entry
                for entry in one.public
                if entry.at < mail.taken or (entry.at == mail.taken and not settled)
            )
            # Which agent's key was good at that time is not known any more; of a mail that was not asked about it was.
            unasked = settled or mail.state == Outcome.IGNORED
            as_then[id(one)] = replace(one, public=public, generations={} if unasked else one.generations)
        return as_then[id(one)]

    return replace(
        facts,
        tickets={number: then(one) for number, one in facts.tickets.items()},
        own=tuple(one for one in facts.own if store.tickets.opened_by(one.ticket.number) != mail.id),
        acks=AckCounts(),
        opened=(),  # what came of it hung on the tickets of that hour, as with the limits
        said=() if settled else facts.said,
        person=replace(facts.person, wrote_before=False, seen=False) if settled else facts.person,
    )
