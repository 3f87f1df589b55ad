"""The outbox: finished mails, and what became of each. A transition is one conditional write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mailtickets.store.times import from_us, from_us_or_none, to_us, to_us_or_none

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

LEASE = timedelta(minutes=30)
# Why mails are uncertain after a restore; `held_by_restore` finds them by these words.
BEFORE_BACKUP = "queued before the backup was made; may have been sent since"
BEFORE_RESTORE = "from before the restore; may have been sent then"
# SQLite uses the partial index outbox_unsettled only where its condition stands in the query word for word.
_IN_SENDING = "state = 'sending' AND state IN ('queued', 'deferred', 'sending', 'uncertain', 'failed')"


class State(StrEnum):
    """Where a mail is on its way out."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    CANCELLED = "cancelled"


class Held(StrEnum):
    """What is held back for now."""

    NOTHING = "nothing"
    TO_CUSTOMERS = "automatic mail to customers"
    AUTOMATIC = "automatic mail but alarms"

    def holds(self, kind: str, reader: str, *, human: bool) -> bool:
        """Tell whether a mail is among it: `_HELD` in words."""
        if self is Held.TO_CUSTOMERS:
            return not human and reader == "customer"
        return self is Held.AUTOMATIC and not human and kind not in {"trouble", "recovered"}


_MAIL = (
    "id, ticket, seq, kind, reader, human, author, account, sender, null_sender, recipients, message_id, head,"
    " (SELECT data FROM body WHERE body.id = outbox.body), reply_key, digest, size, attempts, queued_at, cycle, subject, doubts"
)
# Kinds that tell admins of trouble are never held: they tell of the pause itself.
_HELD = {
    Held.NOTHING: "",
    Held.TO_CUSTOMERS: " AND (human = 1 OR reader <> 'customer')",
    Held.AUTOMATIC: " AND (human = 1 OR kind IN ('trouble', 'recovered'))",
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A composed mail, ready to be queued.

    occasion   with ticket, kind and recipient the key under which it is queued once.
    body       the packed body that several mails may share; written once for each `body_of`.
    digest     SHA-256 of the whole mail as it will be sent, checked before each attempt.
    """

    ticket: int
    kind: str
    occasion: str
    cycle: int
    reader: str
    human: bool
    author: str
    account: str
    sender: str
    null_sender: bool
    recipients: tuple[str, ...]
    subject: str
    message_id: str
    head: bytes
    body: bytes
    reply_key: str
    digest: bytes
    size: int
    entry: int | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail of the outbox that was claimed for sending.

    doubts   tries before this one of which nobody knows what they came to: it may have arrived so often.
    """

    id: int
    ticket: int
    seq: int | None
    kind: str
    reader: str
    human: bool
    author: str
    account: str
    sender: str
    null_sender: bool
    recipients: tuple[str, ...]
    message_id: str
    head: bytes
    body: bytes
    reply_key: str
    digest: bytes
    size: int
    attempts: int
    queued_at: datetime
    cycle: int
    subject: str
    doubts: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """What a mail of the outbox is put together from; see `Prepared`."""

    head: bytes
    body: bytes
    reply_key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class KeptBack:
    """A mail that a restore keeps back: an agent's words, or what came back to an agent.

    author   the key of the agent whose words they are; "" where it is nobody's or came back.
    human    somebody's words to a customer.
    """

    number: int
    author: str
    human: bool
    recipients: tuple[str, ...]
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Booking:
    """What became of one attempt.

    next_at    when to try again; for DEFERRED only.
    refused    recipients that were refused while others got it, with the reason.
    in_doubt   nobody knows what the try came to.
    """

    id: int
    state: State
    at: datetime
    error: str = ""
    next_at: datetime | None = None
    refused: tuple[tuple[str, str], ...] = ()
    counts: bool = True
    in_doubt: bool = False


class Outbox:
    """Mails to be sent, in the order in which they were queued."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._shared: tuple[bytes, int] = (b"", 0)

    def queue(self, mail: Prepared, seq: int | None, now: datetime, held: str = "") -> int | None:
        """Queue a mail; return its number, or None where the same occasion was queued before.

        held   why it may have been sent already, so that it goes out only when the admin says so; "" otherwise.
        """
        there = self._connection.execute(
            "SELECT 1 FROM outbox WHERE ticket = ? AND kind = ? AND occasion = ? AND recipient = ?",
            (mail.ticket, mail.kind, mail.occasion, " ".join(mail.recipients)),
        ).fetchone()
        if there:
            return None
        # Mails that say the same to several agents follow each other and share their body's bytes object.
        if self._shared[0] is not mail.body:
            row = self._connection.execute(
                "INSERT INTO body (data) VALUES (?) RETURNING id", (mail.body,)
            ).fetchone()
            self._shared = (mail.body, row[0])
        return int(
            self._connection.execute(
                "INSERT INTO outbox (ticket, seq, kind, occasion, recipient, cycle, reader, human, author, account, sender, null_sender,"
                " recipients, subject, message_id, head, body, reply_key, digest, size, next_at, queued_at, state, last_error)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                (
                    mail.ticket, seq, mail.kind, mail.occasion, " ".join(mail.recipients), mail.cycle, mail.reader, mail.human, mail.author,
                    mail.account, mail.sender, mail.null_sender, json.dumps(list(mail.recipients)), mail.subject, mail.message_id, mail.head,
                    self._shared[1], mail.reply_key, mail.digest, mail.size, None if held else to_us(max(now, mail.not_before or now)), to_us(now),
                    (State.UNCERTAIN if held else State.QUEUED).value, held,
                ),
            ).fetchone()[0]
        )  # fmt: skip

    def forget_shared_body(self) -> None:
        """Called when a transaction was undone: a body of it is not in the table."""
        self._shared = (b"", 0)

    def due_count(
        self, now: datetime, limit: int, *, held: Held = Held.NOTHING, but: Sequence[str] = ()
    ) -> int:
        """Return how many mails are due, counted up to a limit; `held` and `but` as for `claim`."""
        where, values = _HELD[held], [to_us(now), *but, limit]
        if but:
            where += f" AND account NOT IN ({','.join('?' * len(but))})"
        return int(
            self._connection.execute(
                "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state IN ('queued', 'deferred') AND next_at <= ?"
                f"{where} LIMIT ?)",
                values,
            ).fetchone()[0]
        )

    def automatic_since(self, since: datetime, limit: int) -> list[datetime]:
        """Return when automatic mails went out since a time, of the newest so many mails."""
        rows = self._connection.execute(
            "SELECT sent_at FROM (SELECT sent_at, human FROM outbox ORDER BY id DESC LIMIT ?)"
            " WHERE human = 0 AND sent_at > ? ORDER BY sent_at",
            (limit, to_us(since)),
        )
        return [from_us(at) for (at,) in rows]

    def claim(
        self,
        now: datetime,
        limit: int,
        holder: str,
        *,
        held: Held = Held.NOTHING,
        account: str | None = None,
        but: Sequence[str] = (),
    ) -> list[Mail]:
        """Claim due mails for sending; `sending` is committed before the first byte goes out.

        held      what is not to go out now, though it is due.
        account   of this account only; `but` none of these accounts.
        """
        where = _HELD[held]
        values: list[int | str] = [to_us(now)]
        if account is not None:
            where, values = where + " AND account = ?", [*values, account]
        if but:
            where, values = where + f" AND account NOT IN ({','.join('?' * len(but))})", [*values, *but]
        rows = self._connection.execute(
            "UPDATE outbox SET state = 'sending', attempts = attempts + 1, holder = ?, lease_until = ? WHERE id IN"
            f" (SELECT id FROM outbox WHERE state IN ('queued', 'deferred') AND next_at <= ?{where} ORDER BY next_at, id LIMIT ?)"
            " AND state IN ('queued', 'deferred')"
            f" RETURNING {_MAIL}",
            (holder, to_us(now + LEASE), *values, limit),
        ).fetchall()
        return sorted(map(_mail, rows), key=lambda mail: mail.id)

    def book(self, booking: Booking) -> bool:
        """Write what became of a claimed mail; return False where somebody else has booked it."""
        done = self._connection.execute(
            "UPDATE outbox SET state = ?, last_error = ?, next_at = ?, sent_at = ?, refused = ?, holder = '', lease_until = NULL,"
            " attempts = attempts - ?, doubts = doubts + ? WHERE id = ? AND state = 'sending'",
            (
                booking.state.value, booking.error[:500], to_us_or_none(booking.next_at),
                to_us(booking.at) if booking.state is State.SENT else None,
                json.dumps([list(pair) for pair in booking.refused]) if booking.refused else "", 0 if booking.counts else 1,
                int(booking.in_doubt), booking.id,
            ),
        )  # fmt: skip
        return done.rowcount == 1

    def split(self, number: int, recipients: Sequence[str], next_at: datetime) -> None:
        """Queue a sent mail once more, for those whom the server refused for now: the same bytes, another envelope."""
        self._connection.execute(
            "INSERT INTO outbox (ticket, seq, kind, occasion, recipient, cycle, reader, human, author, account, sender, null_sender,"
            " recipients, subject, message_id, head, body, reply_key, digest, size, state, attempts, next_at, last_error, queued_at,"
            " doubts)"
            " SELECT ticket, seq, kind, occasion, ?, cycle, reader, human, author, account, sender, null_sender, ?, subject, message_id,"
            " head, body, reply_key, digest, size, 'deferred', attempts, ?, 'refused for now, while others got it', queued_at, doubts"
            " FROM outbox WHERE id = ? ON CONFLICT DO NOTHING",
            (" ".join(recipients), json.dumps(list(recipients)), to_us(next_at), number),
        )

    def left_sending(self) -> list[tuple[int, bool]]:
        """Return mails found in `sending` at start, as (number, human): their fate is not known."""
        return [
            (number, bool(human))
            for number, human in self._connection.execute(f"SELECT id, human FROM outbox WHERE {_IN_SENDING}")
        ]

    def after_unclean_end(self, now: datetime, most_doubts: int) -> list[Mail]:
        """Book what an ended process left in `sending`; return the mails that are uncertain by that.

        Human text goes out again, unless so many tries of it ended like this; automatic mail does not.
        """
        self._connection.execute(
            "UPDATE outbox SET state = 'deferred', next_at = ?, doubts = doubts + 1, holder = '', lease_until = NULL,"
            " last_error = 'the process ended while it was being sent; sent again with the same bytes'"
            f" WHERE human = 1 AND doubts + 1 < ? AND {_IN_SENDING}",
            (to_us(now), most_doubts),
        )
        rows = self._connection.execute(
            "UPDATE outbox SET state = 'uncertain', next_at = NULL, doubts = doubts + 1, holder = '', lease_until = NULL,"
            f" last_error = 'the process ended while it was being sent' WHERE {_IN_SENDING} RETURNING {_MAIL}"
        ).fetchall()
        return sorted(map(_mail, rows), key=lambda mail: mail.id)

    def uncertain_automatic(self) -> int:
        """Return of how many automatic mails nobody knows whether they were sent."""
        return int(
            self._connection.execute(
                "SELECT count(*) FROM outbox WHERE human = 0 AND state = 'uncertain'"
                " AND state IN ('queued', 'deferred', 'sending', 'uncertain', 'failed')"
            ).fetchone()[0]
        )

    def hold_automatic(self, why: str) -> int:
        """Send no automatic mail that waits to be sent; return how many. People's words stay queued."""
        done = self._connection.execute(
            "UPDATE outbox SET state = 'uncertain', next_at = NULL, holder = '', lease_until = NULL, last_error = ?"
            " WHERE human = 0 AND state IN ('queued', 'deferred', 'sending')",
            (why,),
        )
        return done.rowcount

    def held_by_restore(self) -> list[tuple[str, bool, bool]]:
        """Return the mails that a restore keeps from being sent, as (kind, human, to a customer)."""
        rows = self._connection.execute(
            "SELECT kind, human, reader FROM outbox WHERE state = 'uncertain' AND last_error IN (?, ?)",
            (BEFORE_BACKUP, BEFORE_RESTORE),
        )
        return [(kind, bool(human), reader == "customer") for kind, human, reader in rows]

    def kept_from_agents(self, after: int) -> list[KeptBack]:
        """Return what a restore keeps back and its agent should hear of, above a number, the oldest first."""
        rows = self._connection.execute(
            "SELECT mail.id, mail.author, mail.human, mail.recipients, mail.subject, coalesce(entry.text, '') FROM outbox AS mail"
            " LEFT JOIN entry ON entry.ticket = mail.ticket AND entry.seq = mail.seq WHERE mail.state = 'uncertain'"
            " AND mail.last_error IN (?, ?) AND mail.id > ? AND (mail.human = 1 OR mail.kind = 'not_sent') ORDER BY mail.id",
            (BEFORE_BACKUP, BEFORE_RESTORE, after),
        )
        return [
            KeptBack(number, author, bool(human), tuple(json.loads(to)), subject, text)
            for number, author, human, to, subject, text in rows
        ]

    def retry(self, number: int, now: datetime) -> bool:
        """Queue a failed, uncertain or deferred mail again, with the same bytes; return whether there was one."""
        done = self._connection.execute(
            "UPDATE outbox SET state = 'queued', next_at = ? WHERE id = ? AND state IN ('failed', 'uncertain', 'deferred') AND head IS NOT NULL",
            (to_us(now), number),
        )
        return done.rowcount == 1

    def cancel(self, number: int) -> bool:
        """Give up a mail that was not sent yet; return whether there was one."""
        done = self._connection.execute(
            "UPDATE outbox SET state = 'cancelled', next_at = NULL WHERE id = ? AND state IN ('queued', 'deferred', 'uncertain', 'failed')",
            (number,),
        )
        return done.rowcount == 1

    def stored(self, number: int) -> Stored | None:
        """Return what a mail is put together from, or None where its bytes are no longer kept."""
        row = self._connection.execute(
            "SELECT head, (SELECT data FROM body WHERE body.id = outbox.body), reply_key, digest FROM outbox WHERE id = ?",
            (number,),
        ).fetchone()
        return Stored(*row) if row and row[0] is not None and row[1] is not None else None

    def unsent(self, kind: str, occasion: str) -> set[str]:
        """Return the accounts for which mails of a kind, of occasions that begin so, wait or are being tried."""
        rows = self._connection.execute(
            "SELECT DISTINCT account FROM outbox WHERE state IN ('queued', 'deferred', 'sending') AND kind = ? AND substr(occasion, 1, ?) = ?",
            (kind, len(occasion), occasion),
        )
        return {account for (account,) in rows}

    def take_back(self, kind: str, occasion: str) -> None:
        """Give up mails of a kind, of occasions that begin so, that still wait: what they say is out of date."""
        self._connection.execute(
            "UPDATE outbox SET state = 'cancelled', next_at = NULL WHERE state IN ('queued', 'deferred') AND kind = ?"
            " AND substr(occasion, 1, ?) = ?",
            (kind, len(occasion), occasion),
        )

    def next_due(self) -> datetime | None:
        """Return when the next mail is due."""
        row = self._connection.execute(
            "SELECT min(next_at) FROM outbox WHERE state IN ('queued', 'deferred')"
        ).fetchone()
        return from_us_or_none(row[0])

    def forget_bytes(self, before: datetime) -> None:
        """Drop the bytes of mails sent before a time; the entry keeps their text."""
        self._connection.execute(
            "UPDATE outbox SET head = NULL, body = NULL WHERE state IN ('sent', 'cancelled') AND head IS NOT NULL AND queued_at < ?",
            (to_us(before),),
        )
        self._connection.execute(
            "DELETE FROM body WHERE id NOT IN (SELECT body FROM outbox WHERE body IS NOT NULL)"
        )


def _mail(row: Sequence[Any]) -> Mail:
    """Return a row of the columns `_MAIL`."""
    values = list(row)
    values[5], values[9], values[10] = bool(row[5]), bool(row[9]), tuple(json.loads(row[10]))
    values[18] = from_us(row[18])
    return Mail(*values)
