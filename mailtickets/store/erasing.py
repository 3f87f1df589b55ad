"""Takes a person out of the store's rows: words, names and addresses go, what figures are counted from stays.

A ticket with nobody else on it loses all its words, also those of agents: they quote. On a ticket with others only
the person's own words go, and the address and full name in what others wrote. An original goes whole: the person's
own, every one on a ticket with nobody else, and those of others that name the person on tickets that have to do
with it. Of a mail in the ledger its place, its end and a hash of its bytes stay, so that the same mail is known.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from mailtickets.desk.facts import first_word
from mailtickets.desk.ticket import ERASED_WORDS, EntryKind
from mailtickets.mail.compose import Slice, load_body
from mailtickets.mail.message import address_key, mailbox_of
from mailtickets.store.news import NewsList
from mailtickets.store.tickets import SEARCHED

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from mailtickets.mail.traces import Traces

ERASED_COPY = "erased with its sender"
# Their reasons quote a customer's words, or what a server said about an address.
QUOTING = frozenset(
    {EntryKind.ESCALATED, EntryKind.FAILED, EntryKind.BOUNCED, EntryKind.DELAYED, EntryKind.AUTO_REPLY}
)
UNSENT = frozenset({"queued", "deferred", "sending", "uncertain", "failed"})
HEAD_BYTES = 64 << 10


class Erasing:
    """One erasure under way.

    tickets   the person's, each with whether nobody else is on it.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        address: str,
        name: str,
        tickets: dict[int, bool],
        traces: Traces,
    ) -> None:
        self._connection, self._address, self._name = connection, address, name
        self._tickets, self._traces = tickets, traces
        self._asked = {
            number
            for (number,) in connection.execute("SELECT number FROM ticket WHERE requester = ?", (address,))
        }
        self._ids: set[str] = set()  # Message-IDs that go

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, values).fetchall()

    def _alone(self, ticket: int) -> bool:
        return self._tickets.get(ticket, False)

    # -- history -----------------------------------------------------------------------------

    def entries(self) -> set[int]:
        """Change the history; return the tickets on which something changed."""
        columns = "id, ticket, kind, actor, recipients, subject, text, message_id, reason"
        named = "actor = ?1 OR instr(lower(actor || ' ' || recipients || ' ' || reason || ' ' || subject || ' ' || text), ?1)"
        numbers = [number for (number,) in self._rows(f"SELECT id FROM entry WHERE {named}", self._address)]
        for ticket in self._tickets:
            numbers += [number for (number,) in self._rows("SELECT id FROM entry WHERE ticket = ?", ticket)]
        changed: set[int] = set()
        for number in dict.fromkeys(numbers):
            (row,) = self._rows(f"SELECT {columns} FROM entry WHERE id = ?", number)
            after = self._entry(*row[1:])
            if after == row[3:]:
                continue
            changed.add(int(row[1]))
            self._connection.execute(
                "UPDATE entry SET actor = ?, recipients = ?, subject = ?, text = ?, message_id = ?, reason = ? WHERE id = ?",
                (*after, number),
            )
            if row[2] in SEARCHED:
                # An index of words without their text has to be told what it is to lose (FTS5, section 4.4.3).
                words = (
                    "INSERT INTO entry_words (entry_words, rowid, subject, text) VALUES ('delete', ?, ?, ?)"
                )
                self._connection.execute(words, (number, row[5], row[6]))
                self._connection.execute(
                    "INSERT INTO entry_words (rowid, subject, text) VALUES (?, ?, ?)",
                    (number, after[2], after[3]),
                )
        return changed

    def _entry(
        self,
        ticket: int,
        kind: str,
        actor: str,
        to: str,
        subject: str,
        text: str,
        message_id: str,
        reason: str,
    ) -> tuple[str, ...]:
        own = address_key(actor) == self._address
        hide = self._traces.hidden if ticket in self._tickets else self._traces.without_address
        if own or self._alone(ticket):
            self._ids.add(message_id)
            subject, text, message_id = (ERASED_WORDS if subject else ""), (ERASED_WORDS if text else ""), ""
            if kind in QUOTING and reason != first_word(reason):
                reason = f"{first_word(reason)}: {ERASED_WORDS}"
        else:
            subject = ERASED_WORDS if subject and ticket in self._asked else hide(subject)
            text = hide(text)
        recipients = json.dumps([self._traces.without_address(one) for one in json.loads(to)])
        return (
            self._name if own else hide(actor), recipients if recipients != to else to, subject, text, message_id, hide(reason),
        )  # fmt: skip

    def tickets_named(self) -> set[int]:
        """Change the tickets themselves; return those whose subject names the person."""
        for number in {*self._asked, *(one for one, alone in self._tickets.items() if alone)}:
            self._connection.execute(
                "UPDATE ticket SET subject = ?, requester = CASE WHEN requester = ? THEN ? ELSE requester END, version = version + 1"
                " WHERE number = ?",
                (ERASED_WORDS, self._address, self._name, number),
            )
        named = self._rows("SELECT number, subject FROM ticket WHERE instr(lower(subject), ?)", self._address)
        for number, subject in named:
            self._connection.execute(
                "UPDATE ticket SET subject = ?, version = version + 1 WHERE number = ?",
                (self._traces.without_address(str(subject)), number),
            )
        return {int(number) for number, _ in named}

    # -- mail out ----------------------------------------------------------------------------

    def outbox(self, touched: Iterable[int]) -> set[bytes]:
        """Take back what is for the person or tells of them; return the originals that mails still to be sent are cut from.

        A mail that others are to get as well stays for them; its envelope names the person no more.
        """
        mails: set[int] = set()
        for ticket in {0, *touched}:
            mails.update(
                int(number) for (number,) in self._rows("SELECT id FROM outbox WHERE ticket = ?", ticket)
            )
        mails.update(
            int(number)
            for (number,) in self._rows(
                "SELECT id FROM outbox WHERE instr(lower(occasion || ' ' || recipients || ' ' || subject || ' ' || last_error || ' ' || refused), ?)",
                self._address,
            )
        )
        needed: set[bytes] = set()
        for number in sorted(mails):
            needed.update(self._mail(number))
        self._connection.execute(
            "DELETE FROM body WHERE id NOT IN (SELECT body FROM outbox WHERE body IS NOT NULL)"
        )
        return needed

    def _mail(self, number: int) -> Iterator[bytes]:
        """Change one mail of the outbox; yield the originals that it still needs."""
        (row,) = self._rows(
            "SELECT ticket, state, kind, reader, recipients, recipient, occasion, subject, last_error, refused, head,"
            " (SELECT data FROM body WHERE body.id = outbox.body) FROM outbox WHERE id = ?",
            number,
        )
        ticket, state, kind, reader, to, recipient, occasion, subject, error, refused, head, packed = row
        segments = load_body(packed).segments if isinstance(packed, bytes) else ()
        own = b"".join(one for one in segments if isinstance(one, bytes))
        words = "\n".join((str(to), str(occasion), str(subject), str(error), str(refused)))
        whole = self._alone(int(ticket))
        named = self._traces.in_bytes(words.encode()) or self._traces.in_bytes(
            (head or b"") + b"\r\n\r\n" + own
        )
        stays = {one.digest for one in segments if isinstance(one, Slice)} if state in UNSENT else set()
        if not whole and not named:
            yield from stays
            return
        people = [str(one) for one in json.loads(str(to))]
        others = [one for one in people if address_key(one) != self._address]
        hide = self._traces.without_address
        fields = (hide(str(recipient)), hide(str(occasion)), hide(str(error)), hide(str(refused)))
        if state in UNSENT and reader == "customer" and others and not whole:
            self._connection.execute(
                "UPDATE outbox SET recipients = ?, recipient = ?, occasion = ?, last_error = ?, refused = ? WHERE id = ?",
                (json.dumps(others), *fields, number),
            )
            yield from stays
            return
        if kind == "news" and others and state in UNSENT - {"failed"}:
            # The list names the person, and tells of others: a new one tells of these. A failed one was put back before.
            alone = {one for one, alone in self._tickets.items() if alone}
            NewsList(self._connection).put_back(number, but=alone)
        self._connection.execute(
            "UPDATE outbox SET recipients = ?, recipient = ?, occasion = ?, last_error = ?, refused = ?, subject = ?, head = NULL,"
            " body = NULL, state = CASE WHEN state = 'sent' THEN 'sent' ELSE 'cancelled' END, next_at = NULL, holder = '',"
            " lease_until = NULL WHERE id = ?",
            (json.dumps([hide(one) for one in people]), *fields, ERASED_WORDS, number),
        )

    # -- the ledger --------------------------------------------------------------------------

    def copies(self, touched: Iterable[int], needed: set[bytes]) -> None:
        """Drop originals; `needed` are those that mails still to be sent are cut from."""
        own = {number for (number,) in self._rows("SELECT id FROM copy WHERE sender = ?", self._address)}
        naming: set[int] = set()  # mails of others
        # One reading of the table for all tickets; a held mail of an agent on a ticket with others waits on.
        on_tickets = (
            "SELECT id, ticket, state, digest FROM copy WHERE ticket IN (SELECT value FROM json_each(?))"
        )
        for number, ticket, state, digest in self._rows(on_tickets, json.dumps(sorted(touched))):
            if self._alone(ticket):
                own.add(number)
            elif digest and digest not in needed and state != "held":
                naming.update([number] if self._traces.in_bytes(self._original(digest)) else [])
        # What nobody could read has no sender in the books.
        unread = "SELECT id, digest FROM copy WHERE state IN ('quarantined', 'ignored') AND sender = '' AND digest IS NOT NULL"
        own.update(
            number
            for number, digest in self._rows(unread)
            if self._traces.wrote(self._original(digest, HEAD_BYTES))
        )
        own |= drop_originals(self._connection, own)
        for number in own:
            self._blank(number)
        drop_originals(self._connection, naming)
        self._hide("copy", "id", ("sender", "subject", "reason", "why"))

    def _blank(self, number: int) -> None:
        """Take everything from a mail's row but its place and where it ended; what was set aside is left out for good."""
        ((sender, subject, message_id, reason),) = self._rows(
            "SELECT sender, subject, message_id, reason FROM copy WHERE id = ?", number
        )
        self._ids.add(message_id)
        self._connection.execute(
            "UPDATE copy SET sender = ?, subject = ?, message_id = '', why = '',"
            " reason = CASE WHEN state IN ('quarantined', 'held') THEN ? ELSE ? END,"
            " state = CASE WHEN state IN ('quarantined', 'held') THEN 'ignored' ELSE state END WHERE id = ?",
            (
                self._traces.without_address(sender), ERASED_WORDS if subject else "", ERASED_COPY,
                self._traces.hidden(reason), number,
            ),
        )  # fmt: skip
        self._connection.execute("UPDATE held SET done = 1 WHERE copy = ? AND kind <> 'forget'", (number,))

    def _original(self, digest: object, length: int = 0) -> bytes:
        row = self._connection.execute("SELECT data FROM original WHERE digest = ?", (digest,)).fetchone()
        try:
            return zlib.decompressobj().decompress(row[0], length) if row else b""
        except zlib.error:
            return b""  # damaged: it goes with its sender, or is named in the books' alarm

    # -- the rest ----------------------------------------------------------------------------

    def the_rest(self) -> None:
        """People, news, timers, Message-IDs, limits, alarms, questions."""
        run = self._connection.execute
        run("DELETE FROM participant WHERE address = ?", (self._address,))
        run("DELETE FROM person WHERE address = ?", (self._address,))
        run("DELETE FROM news WHERE address = ?", (self._address,))
        run("DELETE FROM acknowledgement WHERE address IN (?, ?)", (self._address, mailbox_of(self._address)))
        self._connection.executemany(
            "DELETE FROM known_id WHERE message_id = ? AND ours = 0", [(one,) for one in self._ids if one]
        )
        run("UPDATE known_id SET recipient = ? WHERE recipient = ?", (self._name, self._address))
        alone = json.dumps([ticket for ticket, alone in self._tickets.items() if alone])
        run("DELETE FROM timer WHERE ticket IN (SELECT value FROM json_each(?))", (alone,))
        run("DELETE FROM known_id WHERE ours = 0 AND ticket IN (SELECT value FROM json_each(?))", (alone,))
        self._hide("alarm", "kind", ("what", "why", "remedy", "kind"))
        self._hide("held", "copy", ("why",))

    def _hide(self, table: str, key: str, columns: Sequence[str]) -> None:
        """Put the pseudonym in place of the address wherever a table names it."""
        named = " || ' ' || ".join(columns)
        rows = self._rows(
            f"SELECT {key}, {', '.join(columns)} FROM {table} WHERE instr(lower({named}), ?)", self._address
        )
        for number, *values in rows:
            self._connection.execute(
                f"UPDATE {table} SET {', '.join(f'{column} = ?' for column in columns)} WHERE {key} = ?",
                (*(self._traces.without_address(str(value)) for value in values), number),
            )


def drop_originals(connection: sqlite3.Connection, numbers: Iterable[int]) -> set[int]:
    """Drop the originals of mails, with all copies of the same bytes; return the numbers of these.

    A hash of the bytes moves to where the identity of a mail beyond its bytes stands: the same mail is known by it.
    """
    digests: set[bytes] = set()
    for number in numbers:
        row = connection.execute(
            "SELECT digest FROM copy WHERE id = ? AND digest IS NOT NULL", (number,)
        ).fetchone()
        digests.update(row or ())
    dropped: set[int] = set()
    for digest in digests:
        rows = connection.execute(
            "UPDATE copy SET content = digest, digest = NULL, dkim_keys = '' WHERE digest = ? RETURNING id",
            (digest,),
        )
        dropped.update(number for (number,) in rows.fetchall())
        connection.execute("DELETE FROM original WHERE digest = ?", (digest,))
    return dropped
