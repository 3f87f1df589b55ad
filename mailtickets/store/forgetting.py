"""What the store holds of a person, and how it forgets it. Rows are `erasing`'s part."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailtickets.desk.facts import REPEATS
from mailtickets.desk.facts import Traces as Held
from mailtickets.desk.ticket import ERASED_WORDS, pseudonym
from mailtickets.mail.traces import Traces
from mailtickets.store.erasing import Erasing, drop_originals
from mailtickets.store.settings import set_setting

if TYPE_CHECKING:
    import sqlite3

COUNTER = "erased_people"  # setting: how many pseudonyms were given
UNCLEAN = "erased_unclean"  # setting: what still has to be gone over, one of the following; absent where nothing has
INDEX, MERGING, ROOM = "index", "merging", "room"
MERGED_PAGES = 200
SCRUB_BYTES = 64 << 20


class Forgetting:
    """Looks for what is held of a person, and erases it. It reads whole tables: it is asked for a few times a year."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    # -- looking -----------------------------------------------------------------------------

    def held(self, address: str) -> Held:
        """Return what is held of a person; `address` in comparable form."""
        tickets = self.tickets_of(address)
        alone = [number for number, alone in tickets.items() if alone]
        unfinished = self._one(
            f"SELECT count(*) FROM ticket WHERE status <> 'closed' AND number IN ({','.join(map(str, alone))})"
        )
        mails = self._one("SELECT count(*) FROM copy WHERE sender = ?", address)
        known = tickets or mails or self._one("SELECT count(*) FROM person WHERE address = ?", address)
        known = known or self._one("SELECT count(*) FROM entry WHERE actor = ?", address)
        return Held(len(tickets), len(alone), unfinished, mails, bool(known))

    def tickets_of(self, address: str) -> dict[int, bool]:
        """Return the tickets a person is on, the oldest first, each with whether nobody else is.

        Whose mail was filed as a repeat is on no ticket, but wrote on it under another address of the mailbox.
        """
        rows = self._connection.execute(
            "SELECT number, NOT EXISTS (SELECT 1 FROM participant WHERE ticket = number AND address <> ?1)"
            " AND NOT (' ' || tags || ' ' LIKE ?2 AND EXISTS (SELECT 1 FROM entry WHERE ticket = number AND kind = 'mail_in'"
            " AND instr(actor, '@') AND actor <> ?1)) FROM ticket"
            " WHERE number IN (SELECT number FROM ticket WHERE requester = ?1 UNION SELECT ticket FROM participant WHERE address = ?1)"
            " ORDER BY number",
            (address, f"% {REPEATS} %"),
        )
        return {number: bool(alone) for number, alone in rows}

    def _one(self, query: str, *values: object) -> int:
        return int(self._connection.execute(query, values).fetchone()[0])

    # -- erasing -----------------------------------------------------------------------------

    def erase(self, address: str) -> str:
        """Erase a person, inside the caller's transaction; return the pseudonym. `address` in comparable form."""
        self._connection.execute("PRAGMA secure_delete = ON")
        tickets = self.tickets_of(address)
        name = self._next_pseudonym()
        work = Erasing(self._connection, address, name, tickets, self._traces(address, name))
        # Where somebody was ever asked about, the question and its answers may name this person.
        asked = [
            ticket for (ticket,) in self._connection.execute("SELECT ticket FROM held WHERE kind = 'forget'")
        ]
        touched = {*tickets, *asked, *work.entries(), *work.tickets_named()}
        needed = work.outbox(touched)
        work.copies(touched, needed)
        work.the_rest()
        set_setting(self._connection, UNCLEAN, INDEX)
        return name

    def _traces(self, address: str, name: str) -> Traces:
        names = self._connection.execute(
            "SELECT DISTINCT name FROM participant WHERE address = ?", (address,)
        )
        return Traces(address, [one for (one,) in names], name, ERASED_WORDS)

    def _next_pseudonym(self) -> str:
        row = self._connection.execute("SELECT value FROM setting WHERE name = ?", (COUNTER,)).fetchone()
        number = int(row[0]) + 1 if row else 1
        set_setting(self._connection, COUNTER, str(number))
        return pseudonym(number)

    def drop_original(self, number: int) -> None:
        """Keep of one decided mail only that it came, and a hash by which the same one is known."""
        self._connection.execute("PRAGMA secure_delete = ON")
        if drop_originals(self._connection, [number]) and not self.unclean():
            set_setting(self._connection, UNCLEAN, ROOM)

    def settle(self, number: int, how: str) -> None:
        """End the question that a mail asked the admins; a later answer is told how it ended."""
        self._connection.execute(
            "UPDATE held SET done = 1, why = ? WHERE copy = ? AND kind = 'forget'", (how, number)
        )

    def settle_about(self, address: str, how: str) -> None:
        """End all questions about a person, also those of other agents, with the timers that wait for them."""
        rows = self._connection.execute(
            "UPDATE held SET done = 1, why = ? WHERE kind = 'forget' AND done = 0 AND why = ? RETURNING copy",
            (how, address),
        ).fetchall()
        self._connection.executemany("DELETE FROM timer WHERE kind = 'held' AND cycle = ?", rows)

    # -- cleaning up -------------------------------------------------------------------------

    def unclean(self) -> str:
        """Return what still has to be gone over, "" where nothing has."""
        row = self._connection.execute("SELECT value FROM setting WHERE name = ?", (UNCLEAN,)).fetchone()
        return str(row[0]) if row else ""

    def clean_index(self, until: float) -> bool:
        """Write the index of words anew without the erased ones; stop at a moment of the monotonic clock; return whether it is done.

        It is merged whole, some pages at a time (FTS5, section 6.8: the first step is negative, the end changes less than
        two rows): at once it would hold up a large desk for minutes.
        """
        self._connection.execute("PRAGMA secure_delete = ON")
        while (state := self.unclean()) in {INDEX, MERGING}:
            before = self._connection.total_changes
            self._connection.execute(
                "INSERT INTO entry_words (entry_words, rank) VALUES ('merge', ?)",
                (-MERGED_PAGES if state == INDEX else MERGED_PAGES,),
            )
            over = self._connection.total_changes - before < 2
            if over or state == INDEX:
                set_setting(self._connection, UNCLEAN, ROOM if over else MERGING)
            if time.monotonic() >= until:
                break
        return self.unclean() not in {INDEX, MERGING}

    def scrub(self) -> None:
        """Write zeros over the pages that were freed earlier, perhaps by a SQLite that leaves their bytes in place."""
        size, free = (self._one(f"PRAGMA {name}") for name in ("page_size", "freelist_count"))
        left = size * free
        if not left:
            return
        self._connection.execute("CREATE TABLE scrub (data BLOB NOT NULL)")
        while left > 0:
            self._connection.execute(
                "INSERT INTO scrub (data) VALUES (zeroblob(?))", (min(left, SCRUB_BYTES),)
            )
            left -= SCRUB_BYTES
        self._connection.execute("DROP TABLE scrub")
