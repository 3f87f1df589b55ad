"""Reads everything that one decision may know, in one go, inside the transaction that will write it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets.desk.confusables import in_unicode
from mailtickets.desk.facts import (
    REPEATS,
    AckCounts,
    Facts,
    HeldMail,
    KnownId,
    NoticeState,
    Opened,
    PersonFacts,
    PublicEntry,
    Said,
    TicketFacts,
    Traces,
)
from mailtickets.desk.limits import likeness, next_round, past_limit
from mailtickets.desk.lookalike import local_parts
from mailtickets.desk.policy import LARGE_PROVIDERS
from mailtickets.desk.ticket import EntryKind, HoldKind, Status
from mailtickets.mail.keys import KeyKind
from mailtickets.mail.message import domain_of, mailbox_of
from mailtickets.store.forgetting import Forgetting
from mailtickets.store.mailboxes import SAME_PERSON_WINDOW, Mailboxes
from mailtickets.store.tickets import Tickets
from mailtickets.store.times import from_us, from_us_or_none, to_us

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from mailtickets.desk.facts import Evidence
    from mailtickets.desk.policy import Limits, QueuePolicy
    from mailtickets.desk.ticket import Ticket

KNOWN_CONTENT_DAYS = 30
LOOKED_AT = 30  # acknowledgements of a domain whose mailboxes are compared
SAME_TEXT_WINDOW = timedelta(minutes=10)
PUBLIC_ENTRIES, NOTES, OWN_TICKETS = 10, 5, 20
PEOPLE_ALIKE, LENGTHS_APART = 200, 3  # "rn" for "m" makes a domain a letter longer
# How much of an entry's text a decision looks at; the whole stands in the original.
EXCERPT = 4000


@dataclass(frozen=True, slots=True)
class Question:
    """What to read for a mail.

    copy      its number in the ledger; content  its identity beyond the bytes, b"" if it has none.
    queue     the queue that would take it as a new ticket.
    agent     the agent whose address it has, or ""; a claim, unless `proven` or `granted`: the agent confirmed it.
    text      what its writer newly wrote.
    agents    addresses of all agents: some may be away.
    before    only mails below this number make it a duplicate.
    arrived   when it reached the desk.
    words     its subject as the history keeps it, and its text, by which repeats are known; None: they are not looked for.
    proven    whether its sender is.
    """

    copy: int
    digest: bytes
    content: bytes
    sender: str
    evidence: Evidence
    queue: QueuePolicy
    limits: Limits
    agent: str = ""
    text: str = ""
    agents: tuple[str, ...] = ()
    before: int = 1 << 62
    arrived: datetime | None = None
    words: tuple[str, str] | None = None
    proven: bool = False
    granted: bool = False


class FactsReader:
    """Facts for decisions. Every statement here uses an index."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._tickets = Tickets(connection)
        self._forgetting = Forgetting(connection)
        self._mailboxes = Mailboxes(connection)

    def for_mail(self, ask: Question, now: datetime) -> Facts:
        """Read what may bear on a mail."""
        # A duplicate of a duplicate counts for nothing: where the first of them is decided again, it must find none.
        duplicate = self._duplicate(ask, now)
        if duplicate is not None:
            return Facts(duplicate_of=duplicate[0], duplicate_ticket=duplicate[1])
        if (erased := self._erased(ask)) is not None:
            return Facts(duplicate_of=erased, duplicate_erased=True)
        evidence = ask.evidence
        known = self._known(evidence.ids)
        returned = self._known(evidence.returned_ids)
        held = self._held(evidence.code) if evidence.code else None
        numbers = [key.ticket for key in (*evidence.keys, *evidence.returned_keys)]
        numbers += [item.ticket for item in (*known, *returned)] + [number for _, number in evidence.tags]
        if ask.agent:
            numbers += [number for _, number in evidence.named]
        if held:
            numbers.append(held.ticket)
        keyed = next((key.agent for key in evidence.keys if key.kind is KeyKind.AGENT), "")
        tickets = self._ticket_facts(numbers)
        people = {person.address for facts in tickets.values() for person in facts.ticket.people}
        bounced, away, known_people = self._marks({*people, *ask.agents}, now)
        opened = self._mailboxes.opened(ask)
        return Facts(
            next_number=self._tickets.next_number(),
            tickets={**self._last_of(opened), **tickets},
            known_ids=known,
            returned=returned,
            person=self._person(ask.sender),
            bounced=bounced,
            away=away,
            acks=self._acks(
                ask.sender, ask.limits, now, "" if evidence.keys or known else ask.text, agent=bool(ask.agent)
            ),
            known_people=known_people,
            held=held,
            recent_ticket=None if tickets else self._recent(ask.sender, ask.queue, now),
            loads=self._loads(ask.queue) if not tickets else {},
            last_assigned=self._last_assigned(ask.queue) if not tickets else "",
            said=self._said(tickets, ask, now) if ask.agent else (),
            holds_today=self._asked_today(ask.agent, HoldKind.IDENTITY, now) if ask.agent else 0,
            questions_today=self._asked_today(keyed, HoldKind.ALIAS, now) if keyed else 0,
            own=self._own(ask.sender) if evidence.status_word and not tickets else (),
            traces=self._traces(ask, tickets, held),
            alike=self._people_alike(ask.sender) if not tickets else (),
            opened=opened,
            requester_acks={
                number: self._acks(facts.ticket.requester, ask.limits, now)
                for number, facts in tickets.items()
            }
            if ask.agent
            else {},
        )

    def for_ticket(self, number: int, limits: Limits, now: datetime, agents: Iterable[str] = ()) -> Facts:
        """Read what may bear on a ticket's timer, or on a mail of it that failed; `agents` as in `Question`."""
        tickets = self._ticket_facts([number])
        people = {person.address for facts in tickets.values() for person in facts.ticket.people}
        bounced, away, known_people = self._marks({*people, *agents}, now)
        ticket = next((facts.ticket for facts in tickets.values()), None)
        requester = ticket.requester if ticket else ""
        return Facts(
            tickets=tickets,
            bounced=bounced,
            away=away,
            known_people=known_people,
            # The mail that opened this very ticket makes nobody known.
            person=self._person(requester, ticket.created_at if ticket else None),
            acks=self._acks(requester, limits, now),
        )

    # -- parts -------------------------------------------------------------------------------

    def _duplicate(self, ask: Question, now: datetime) -> tuple[int, int | None] | None:
        row = self._connection.execute(
            "SELECT id, ticket FROM copy WHERE digest = ? AND id <> ? AND id < ? AND duplicate = 0 AND state <> 'waiting' AND NOT (state = 'quarantined' AND reason LIKE 'own_address%') ORDER BY id LIMIT 1",
            (ask.digest, ask.copy, ask.before),
        ).fetchone()
        if row is None and ask.content:
            since = to_us(now - timedelta(days=KNOWN_CONTENT_DAYS))
            row = self._connection.execute(
                "SELECT id, ticket FROM copy WHERE content = ? AND id <> ? AND id < ? AND taken_at >= ? AND duplicate = 0 AND state <> 'waiting' AND NOT (state = 'quarantined' AND reason LIKE 'own_address%')"
                " ORDER BY id LIMIT 1",
                (ask.content, ask.copy, ask.before, since),
            ).fetchone()
        return (row[0], row[1]) if row else None

    def _erased(self, ask: Question) -> int | None:
        """The mail of the same bytes that was erased: it is known by their hash for ever."""
        row = self._connection.execute(
            "SELECT id FROM copy WHERE content = ? AND digest IS NULL AND id < ? ORDER BY id LIMIT 1",
            (ask.digest, min(ask.copy, ask.before)),
        ).fetchone()
        return row[0] if row else None

    def _known(self, ids: Sequence[str]) -> tuple[KnownId, ...]:
        if not ids:
            return ()
        rows = self._connection.execute(
            f"SELECT message_id, ticket, seq, ours, recipient FROM known_id WHERE message_id IN ({','.join('?' * len(ids))})",
            ids,
        ).fetchall()
        found: dict[str, list[KnownId]] = {}
        for message_id, ticket, seq, ours, recipient in rows:
            found.setdefault(message_id, []).append(KnownId(message_id, ticket, seq, bool(ours), recipient))
        return tuple(item for message_id in ids for item in found.get(message_id, ()))

    def _held(self, code: str) -> HeldMail | None:
        columns = "held.copy, held.kind, held.ticket, held.agent, held.code, copy.subject, held.why, held.done, copy.sender FROM held JOIN copy ON copy.id = held.copy"
        row = (
            self._connection.execute(f"SELECT {columns} WHERE held.code = ? AND held.done = 0", (code,)).fetchone()
            or self._connection.execute(f"SELECT {columns} WHERE held.code = ? AND held.kind = 'forget'", (code,)).fetchone()
        )  # fmt: skip
        if row is None:
            return None
        kind = HoldKind(row[1])
        about = row[6] if kind is HoldKind.FORGET else ""
        return HeldMail(row[0], kind, row[2], row[3], row[4], row[5], about, bool(row[7]), row[8])

    def _traces(
        self, ask: Question, tickets: Mapping[int, TicketFacts], held: HeldMail | None
    ) -> dict[str, Traces]:
        """What is held of those whom the mail wants erased; it reads whole tables, and is asked for nobody's mere claim."""
        wanted: set[str] = set()
        own = any(key.kind is KeyKind.AGENT and key.agent == ask.agent for key in ask.evidence.keys)
        if ask.agent and tickets and (ask.proven or ask.granted or own) and ask.evidence.forget is not None:
            wanted = (
                {ask.evidence.forget}
                if ask.evidence.forget
                else {f.ticket.requester for f in tickets.values()}
            )
        if held and held.kind is HoldKind.FORGET and not held.done:
            wanted.add(held.about)
        return {address: self._forgetting.held(address) for address in wanted if address}

    def _ticket_facts(self, numbers: Iterable[int]) -> dict[int, TicketFacts]:
        found: dict[int, TicketFacts] = {}
        for number in dict.fromkeys(numbers):
            if len(found) >= 20:
                break
            ticket = self._tickets.get(number)
            if ticket is not None:
                found[number] = next(
                    (f for f in found.values() if f.ticket.number == ticket.number), None
                ) or self._one(ticket)
        return found

    def _one(self, ticket: Ticket) -> TicketFacts:
        rows = self._connection.execute(
            "SELECT seq, kind, actor, at, substr(text, 1, ?), message_id FROM entry WHERE ticket = ? AND kind IN ('mail_in', 'mail_out', 'asked')"
            " AND audience = 'customer' ORDER BY seq DESC LIMIT ?",
            (EXCERPT, ticket.number, PUBLIC_ENTRIES),
        ).fetchall()
        public = tuple(
            PublicEntry(seq, EntryKind(kind), actor, from_us(at), text, mid)
            for seq, kind, actor, at, text, mid in reversed(rows)
        )
        notes = self._connection.execute(
            "SELECT substr(text, 1, ?) FROM entry WHERE ticket = ? AND kind = 'note' ORDER BY seq DESC LIMIT ?",
            (EXCERPT, ticket.number, NOTES),
        ).fetchall()
        generations = self._connection.execute(
            "SELECT agent, generation FROM agent_key WHERE ticket = ?", (ticket.number,)
        ).fetchall()
        acknowledged = self._connection.execute(
            "SELECT 1 FROM entry WHERE ticket = ? AND kind = 'acknowledged' LIMIT 1", (ticket.number,)
        ).fetchone()
        return TicketFacts(
            ticket, public, tuple(text for (text,) in notes), dict(generations), self._last_notice(ticket),
            self._tickets.last_seq(ticket.number), acknowledged is not None, self._tickets.history(ticket.number),
        )  # fmt: skip

    def _last_notice(self, ticket: Ticket) -> NoticeState | None:
        """The last mail of the present silence to the customer: the answer that began it, or a reminder since."""
        if ticket.status not in {Status.WAITING, Status.RESOLVED}:
            return None
        # Of a mail that one got and another did not, the part that was sent counts: it is one mail.
        row = self._connection.execute(
            "SELECT last.kind, coalesce(part.state, last.state), coalesce(part.sent_at, last.sent_at), last.id, last.human FROM outbox AS last"
            " LEFT JOIN outbox AS part ON part.ticket = last.ticket AND part.kind = last.kind AND part.occasion = last.occasion"
            " AND part.reader = last.reader AND part.state = 'sent' AND last.state IN ('failed', 'uncertain')"
            " WHERE last.ticket = ? AND last.kind IN ('answer', 'ask', 'reminder', 'resolved') AND last.reader = 'customer'"
            " AND last.cycle = ? ORDER BY last.id DESC LIMIT 1",
            (ticket.number, ticket.cycle),
        ).fetchone()
        return NoticeState(row[0], row[1], from_us_or_none(row[2]), row[3], bool(row[4])) if row else None

    def _person(self, address: str, before: datetime | None = None) -> PersonFacts:
        if not address:
            return PersonFacts()
        row = self._connection.execute(
            "SELECT bounced, away_until, wrote_at FROM person WHERE address = ?", (address,)
        ).fetchone()
        if row is None:
            return PersonFacts(address)
        wrote_before = row[2] is not None and (before is None or row[2] < to_us(before))
        return PersonFacts(address, row[0], from_us_or_none(row[1]), wrote_before, seen=True)

    def _people_alike(self, sender: str) -> tuple[str, ...]:
        """People who wrote before and whose local part the writer's may be meant for, at domains of about that length."""
        found: list[str] = []
        length = len(in_unicode(sender))
        for local in local_parts(sender):
            rows = self._connection.execute(
                # "A" follows "@": everything between is this local part at some domain.
                "SELECT address FROM person WHERE address >= ? AND address < ? AND wrote_at IS NOT NULL AND address <> ?"
                " AND abs(length(address) - ?) <= ? LIMIT ?",
                (f"{local}@", f"{local}A", sender, length, LENGTHS_APART, PEOPLE_ALIKE),
            )
            found.extend(address for (address,) in rows)
        return tuple(found)

    def _marks(
        self, people: set[str], now: datetime
    ) -> tuple[dict[str, str], dict[str, datetime], frozenset[str]]:
        if not people:
            return {}, {}, frozenset()
        rows = self._connection.execute(
            f"SELECT address, bounced, away_until, wrote_at FROM person WHERE address IN ({','.join('?' * len(people))})",
            sorted(people),
        ).fetchall()
        bounced = {address: reason for address, reason, _, _ in rows if reason}
        away = {address: from_us(until) for address, _, until, _ in rows if until and until > to_us(now)}
        return bounced, away, frozenset(address for address, _, _, wrote in rows if wrote)

    def _acks(
        self, address: str, limits: Limits, now: datetime, text: str = "", *, agent: bool = False
    ) -> AckCounts:
        if not address:
            return AckCounts()
        hour, mailbox = to_us(now - timedelta(hours=1)), mailbox_of(address)
        counts = AckCounts(
            self._count("address = ? AND at > ?", mailbox, to_us(now - timedelta(days=1)))
            if limits.ack_per_address_day or limits.ack_per_proven_address_day
            else 0,
            self._count("domain = ? AND at > ? AND known = 0", domain_of(mailbox), hour)
            if limits.ack_per_domain_hour
            else 0,
            self._count("at > ? AND known = 0", hour) if limits.ack_per_hour else 0,
            self._count("address = ? AND at > ? AND proven = 0", mailbox, hour) if agent else 0,
            self._count("address = ? AND at > ? AND proven = 1", mailbox, hour) if agent else 0,
            *self._alike(address, text, now),
        )
        if limits.ack_waiting and past_limit(address, counts, limits, proven=False, known=False):
            return replace(counts, waiting=self._waiting(limits.ack_waiting, now))
        return counts

    def _waiting(self, limit: int, now: datetime) -> int:
        """Count acknowledgements that wait, up to a limit. All of them are looked at in the next round."""
        return int(
            self._connection.execute(
                "SELECT count(*) FROM (SELECT 1 FROM timer WHERE kind = 'acknowledge' AND due <= ? LIMIT ?)",
                (to_us(next_round(now)), limit),
            ).fetchone()[0]
        )

    def _alike(self, address: str, text: str, now: datetime) -> tuple[int, int]:
        """Count the last tickets of the address, and of its domain, that were opened with the same words within a day."""
        words, day = likeness(text), to_us(now - timedelta(days=1))
        if not words:
            return 0, 0
        domain = domain_of(address)
        others = self._connection.execute(
            "SELECT DISTINCT address FROM (SELECT address FROM acknowledgement WHERE domain = ? AND at > ? AND known = 0"
            " ORDER BY at DESC LIMIT ?)",
            (domain, day, 0 if domain in LARGE_PROVIDERS else LOOKED_AT),
        ).fetchall()
        return self._mailboxes.alike(address, [one for (one,) in others], words, day)

    def _count(self, where: str, *values: object) -> int:
        return int(
            self._connection.execute(
                f"SELECT count(*) FROM acknowledgement WHERE {where}", values
            ).fetchone()[0]
        )

    def _recent(self, sender: str, queue: QueuePolicy, now: datetime) -> int | None:
        row = self._connection.execute(
            "SELECT number FROM ticket WHERE requester = ? AND created_at > ? AND queue = ? AND status <> 'closed' ORDER BY created_at DESC LIMIT 1",
            (sender, to_us(now - SAME_PERSON_WINDOW), queue.name),
        ).fetchone()
        return row[0] if row and sender else None

    def _last_of(self, opened: Iterable[Opened]) -> dict[int, TicketFacts]:
        """The tickets on which a repeat may be filed; a long history is not read again for each of thousands."""
        found: dict[int, TicketFacts] = {}
        for one in opened:
            ticket = self._tickets.get(one.last) if one.last is not None else None
            if ticket:
                light = REPEATS in ticket.tags and ticket.status is not Status.WAITING
                found[ticket.number] = TicketFacts(ticket) if light else self._one(ticket)
        return found

    def _own(self, sender: str) -> tuple[TicketFacts, ...]:
        """The writer's unfinished tickets, the newest first."""
        rows = self._connection.execute(
            "SELECT number FROM ticket WHERE requester = ? AND status <> 'closed' AND merged_into IS NULL ORDER BY created_at DESC LIMIT ?",
            (sender, OWN_TICKETS),
        ).fetchall()
        return tuple(self._ticket_facts(number for (number,) in rows).values()) if sender else ()

    def _loads(self, queue: QueuePolicy) -> dict[str, int]:
        if queue.notify != "least-loaded":
            return {}
        rows = self._connection.execute(
            "SELECT assignee, count(*) FROM ticket WHERE assignee <> '' AND status NOT IN ('resolved', 'closed') GROUP BY assignee"
        )
        return dict(rows.fetchall())

    def _last_assigned(self, queue: QueuePolicy) -> str:
        if queue.notify != "round-robin":
            return ""
        row = self._connection.execute(
            "SELECT assignee FROM ticket WHERE queue = ? ORDER BY number DESC LIMIT 1", (queue.name,)
        ).fetchone()
        return row[0] if row else ""

    def _said(self, tickets: dict[int, TicketFacts], ask: Question, now: datetime) -> tuple[Said, ...]:
        said: list[Said] = []
        for number in {facts.ticket.number for facts in tickets.values()}:
            rows = self._connection.execute(
                "SELECT kind, text FROM entry WHERE ticket = ? AND kind IN ('mail_out', 'note', 'asked') AND actor = ? AND at > ?"
                " ORDER BY seq DESC LIMIT ?",
                (number, ask.agent, to_us(now - SAME_TEXT_WINDOW), PUBLIC_ENTRIES),
            )
            said.extend(Said(EntryKind(kind), text) for kind, text in rows)
        return tuple(said)

    def _asked_today(self, agent: str, kind: HoldKind, now: datetime) -> int:
        row = self._connection.execute(
            "SELECT count(*) FROM held WHERE agent = ? AND at > ? AND kind = ?",
            (agent, to_us(now - timedelta(days=1)), kind.value),
        ).fetchone()
        return int(row[0])
