"""What one mailbox opened, under all of its addresses: `ana+1@x` and `ana+2@x` are read by the same person or machine."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets.desk.facts import ALIKE, Opened
from mailtickets.desk.limits import likeness
from mailtickets.mail.message import domain_of, local_of, mailbox_of
from mailtickets.store.times import to_us

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from mailtickets.store.facts import Question

    # Of a ticket: its number, its priority, whether it is finished, whether it has the same words.
    _Row = tuple[int, str, bool, bool]

SAME_PERSON_WINDOW = timedelta(hours=1)
ALIKE_OF_ONE = 4  # newest tickets of a mailbox whose words are compared
# Addresses with a + stand in no index by their mailbox: they are looked for among so many of the desk's newest tickets.
NEWEST = 1000
COMPARED = 4000  # letters of a text
PRIORITIES = 4


class Mailboxes:
    """Tickets by the mailbox behind their requester's address."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def opened(self, ask: Question) -> tuple[Opened, ...]:
        """What the writer's mailbox opened within an hour of this mail and before it, the newest first.

        For a proven mail only what proven mail opened counts: nobody is silenced by mail in their name.
        """
        limit = ask.limits.tickets_per_address_hour
        if not (limit and ask.sender and ask.words and ask.arrived):
            return ()
        subject, text = ask.words
        mailbox = mailbox_of(ask.sender)
        local, domain = local_of(mailbox), f"@{domain_of(ask.sender)}"
        hour = to_us(ask.arrived - SAME_PERSON_WINDOW), to_us(ask.arrived + SAME_PERSON_WINDOW)
        rows = self._connection.execute(
            "SELECT ticket.number, ticket.queue, ticket.type, priority, status IN ('resolved', 'closed'), entry.subject = ? AND entry.text = ?"
            " FROM ticket JOIN entry ON entry.ticket = ticket.number AND entry.seq = 1 WHERE ticket.number IN ("
            "SELECT number FROM ticket WHERE requester IN (?, ?) AND created_at BETWEEN ? AND ?"
            # The unary + keeps this from going through all addresses that begin so, of all domains and years.
            " UNION ALL SELECT number FROM ticket WHERE number > (SELECT max(number) FROM ticket) - ? AND created_at BETWEEN ? AND ?"
            " AND +requester > ? AND +requester < ? AND substr(requester, -?) = ?)"
            " AND proven >= ? AND merged_into IS NULL AND entry.copy < ? ORDER BY ticket.number DESC LIMIT ?",
            (
                subject, text, ask.sender, mailbox, *hour, NEWEST, *hour, f"{local}+", f"{local},", len(domain), domain,
                ask.proven, ask.copy, (limit + ALIKE) * PRIORITIES,
            ),
        ).fetchall()  # fmt: skip
        found: dict[tuple[str, str], list[_Row]] = {}
        for number, queue, kind, priority, done, alike in rows:
            same = bool(alike) and bool(text.strip())
            found.setdefault((queue, kind), []).append((number, priority, bool(done), same))
        return tuple(
            _opened_of(queue, kind, priority, [row for row in some if row[1] <= priority], limit)
            for (queue, kind), some in found.items()
            for priority in sorted({row[1] for row in some})
        )

    def alike(self, address: str, others: Iterable[str], words: str, since: int) -> tuple[int, int]:
        """Count the newest tickets that an address's mailbox opened with the same words, and all of these and `others`.

        others   mailboxes of the same domain.
        """
        mailbox = mailbox_of(address)
        plus = self._with_plus(domain_of(address), since)
        counts = {
            one: self._alike((one, address) if one == mailbox else (one,), plus.get(one, []), words, since)
            for one in {mailbox, *others}
        }
        return counts[mailbox], sum(counts.values())

    def _with_plus(self, domain: str, since: int) -> dict[str, list[int]]:
        """Return the newest tickets of addresses with a + at a domain, by mailbox."""
        rows = self._connection.execute(
            "SELECT requester, number FROM ticket WHERE number > (SELECT max(number) FROM ticket) - ? AND created_at > ?"
            " AND instr(requester, '+') AND substr(requester, -?) = ? ORDER BY number DESC",
            (NEWEST, since, len(domain) + 1, f"@{domain}"),
        )
        found: dict[str, list[int]] = {}
        for requester, number in rows:
            found.setdefault(mailbox_of(requester), []).append(number)
        return found

    def _alike(self, addresses: Sequence[str], plus: Sequence[int], words: str, since: int) -> int:
        numbers = set(plus[:ALIKE_OF_ONE])
        for address in addresses:
            newest = "SELECT number FROM ticket WHERE requester = ? AND created_at > ? ORDER BY created_at DESC LIMIT ?"
            numbers.update(
                number for (number,) in self._connection.execute(newest, (address, since, ALIKE_OF_ONE))
            )
        last = sorted(numbers, reverse=True)[:ALIKE_OF_ONE]
        texts = self._connection.execute(
            f"SELECT substr(text, 1, ?) FROM entry WHERE ticket IN ({','.join('?' * len(last))}) AND seq = 1",
            (COMPARED, *last),
        )
        return sum(likeness(text) == words for (text,) in texts)


def _opened_of(queue: str, kind: str, priority: str, tickets: Sequence[_Row], limit: int) -> Opened:
    """Sum up tickets of one queue and type, of this priority or a higher one."""
    alike = [(number, done) for number, _, done, same in tickets if same]
    last = None
    if len(alike) >= ALIKE:
        last = next((number for number, done in alike if not done), None)
    if last is None and len(tickets) >= limit:
        last = next((number for number, _, done, _ in tickets if not done), None)
    return Opened(queue, kind, priority, len(tickets), len(alike), last)
