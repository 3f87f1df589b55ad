"""The ledger: every copy of a mail that was taken in, its original, and where it ended."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailtickets.desk.ticket import HoldKind, Outcome
from mailtickets.store.errors import OriginalDamaged
from mailtickets.store.times import from_us, to_us

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from mailtickets.desk.ticket import Hold, Verdict

MAX_TRIES = 3
RECEIVED = "receive"  # stands as the folder of mails that came by `mailtickets receive`
DROPPED = "dropped from quarantine by the admin"
_COPY = "id, mailbox, folder, name, digest, size, arrived_at, tries, truncated, state, reason, dkim_keys"
PIECE_BYTES = 64 << 10  # of an original, read at a time
COMPRESSION_LEVEL = 1  # base64 shrinks to three quarters at any level; higher ones cost ten times as much


def compress(raw: bytes) -> bytes:
    """Return an original as the store keeps it; called in the mailbox's thread, off the desk's."""
    return zlib.compress(raw, COMPRESSION_LEVEL)


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail as it was taken from a mailbox, not yet in the ledger.

    name       of the copy in its folder: "UIDVALIDITY/UID", a Maildir's unique name, or a number of `receive`.
    truncated  it is too large, so only its beginning is read. From a mailbox no more of it is taken; what came by
               `receive` is kept whole all the same, since nobody else has it.
    packed     the compressed original; b"" for a mail older than the start, which is not taken.
    dkim_keys  the records by DNS name of the DKIM keys that were there for its signatures; mostly none.
    """

    mailbox: str
    folder: str
    name: str
    digest: bytes
    packed: bytes
    raw: bytes
    size: int
    arrived: datetime
    truncated: bool = False
    dkim_keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """How far a batch takes a folder's cursor: from and to (uidvalidity, last UID); (0, 0) before the first."""

    mailbox: str
    folder: str
    since: tuple[int, int]
    to: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy in the ledger that is to be decided.

    released   why it was in quarantine, where an admin lets it in all the same; otherwise "".
    dkim_keys  as in `Taken`: kept, since a key is changed now and then, and a mail may be read again.
    """

    id: int
    mailbox: str
    folder: str
    name: str
    digest: bytes
    size: int
    arrived: datetime
    tries: int
    truncated: bool
    released: str = ""
    dkim_keys: Mapping[str, str] = field(default_factory=dict)


class Ledger:
    """What was taken in, and where it went."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    # -- taking in ---------------------------------------------------------------------------

    def cursor(self, mailbox: str, folder: str) -> tuple[int, int]:
        """Return (uidvalidity, last UID) up to which a folder was taken in; (0, 0) at first."""
        row = self._connection.execute(
            "SELECT uidvalidity, last_uid FROM cursor WHERE mailbox = ? AND folder = ?", (mailbox, folder)
        ).fetchone()
        return (row[0], row[1]) if row else (0, 0)

    def move_cursor(self, step: Step) -> None:
        """Note how far a folder was taken in, inside the transaction that took the mails in.

        The cursor stays where it is not where the step begins: a batch before this one could not be stored,
        and its mails must be looked at again.
        """
        if self.cursor(step.mailbox, step.folder) == step.since:
            self._connection.execute(
                "INSERT INTO cursor (mailbox, folder, uidvalidity, last_uid) VALUES (?, ?, ?, ?) ON CONFLICT (mailbox, folder)"
                " DO UPDATE SET uidvalidity = excluded.uidvalidity, last_uid = excluded.last_uid",
                (step.mailbox, step.folder, *step.to),
            )

    def accept(self, taken: Iterable[Taken], now: datetime) -> list[int]:
        """Write copies and originals; return the numbers of those that are new to the ledger."""
        numbers: list[int] = []
        for mail in taken:
            row = self._connection.execute(
                "INSERT INTO copy (mailbox, folder, name, digest, size, truncated, arrived_at, taken_at, dkim_keys) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (mailbox, folder, name) DO NOTHING RETURNING id",
                (
                    mail.mailbox,
                    mail.folder,
                    mail.name,
                    mail.digest,
                    mail.size,
                    mail.truncated,
                    to_us(mail.arrived),
                    to_us(now),
                    json.dumps(mail.dkim_keys) if mail.dkim_keys else "",
                ),
            ).fetchone()
            if row is None:
                continue
            self._connection.execute(
                "INSERT INTO original (digest, size, codec, data) VALUES (?, ?, 'zlib', ?) ON CONFLICT (digest) DO NOTHING",
                (mail.digest, len(mail.raw), mail.packed),
            )
            numbers.append(row[0])
        return numbers

    def leave_alone(
        self,
        mailbox: str,
        folder: str,
        names: Iterable[tuple[str, int, datetime]],
        reason: str,
        now: datetime,
    ) -> None:
        """Write copies that are not taken in, such as those older than the start: (name, size, arrived)."""
        self._connection.executemany(
            "INSERT INTO copy (mailbox, folder, name, size, arrived_at, taken_at, state, reason, marked)"
            " VALUES (?, ?, ?, ?, ?, ?, 'ignored', ?, 1) ON CONFLICT DO NOTHING",
            [
                (mailbox, folder, name, size, to_us(arrived), to_us(now), reason)
                for name, size, arrived in names
            ],
        )

    def known_names(self, mailbox: str, folder: str, names: Sequence[str]) -> set[str]:
        """Return which of these copies are in the ledger already."""
        known: set[str] = set()
        for start in range(0, len(names), 500):
            some = names[start : start + 500]
            marks = ",".join("?" * len(some))
            rows = self._connection.execute(
                f"SELECT name FROM copy WHERE mailbox = ? AND folder = ? AND name IN ({marks})",
                (mailbox, folder, *some),
            )
            known.update(name for (name,) in rows)
        return known

    def knows(self, digest: bytes) -> bool:
        """Tell whether a mail of these bytes was taken in."""
        row = self._connection.execute(
            "SELECT 1 FROM copy WHERE digest = ?1 UNION ALL SELECT 1 FROM copy WHERE content = ?1 AND digest IS NULL LIMIT 1",
            (digest,),
        ).fetchone()
        return row is not None

    def everything(self) -> Iterator[Copy]:
        """Yield every copy that was taken in, the oldest first."""
        rows = self._connection.execute(f"SELECT {_COPY} FROM copy WHERE digest IS NOT NULL ORDER BY id")
        return (_copy(row) for row in rows)

    def taken_again(self, copy: Copy) -> Taken:
        """Return a copy as it came, for another ledger. Raises KeyError, OriginalDamaged where its original is not whole."""
        raw = self.original(copy.digest)
        if hashlib.sha256(raw).digest() != copy.digest:
            raise OriginalDamaged(f"the original of mail {copy.id} is not what was stored", copy.digest)
        return Taken(
            copy.mailbox, copy.folder, copy.name, copy.digest, compress(raw), raw, copy.size, copy.arrived, copy.truncated, copy.dkim_keys,
        )  # fmt: skip

    def keep(self, raw: bytes) -> bytes:
        """Store bytes that mails of ours are cut from, as if they were an original; return their digest."""
        digest = hashlib.sha256(raw).digest()
        self._connection.execute(
            "INSERT INTO original (digest, size, codec, data) VALUES (?, ?, 'zlib', ?) ON CONFLICT (digest) DO NOTHING",
            (digest, len(raw), compress(raw)),
        )
        return digest

    def original(self, digest: bytes) -> bytes:
        """Return the raw bytes of a stored mail. Raises KeyError if there is none, OriginalDamaged if they cannot be read."""
        row = self._connection.execute("SELECT data FROM original WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            raise KeyError(digest.hex())
        try:
            return zlib.decompress(row[0])
        except zlib.error as error:
            raise self._damaged(digest, error) from error

    def beginning(self, digest: bytes, length: int) -> bytes:
        """Return the first bytes of a stored mail; no more of it is read. Raises as `original`."""
        row = self._connection.execute("SELECT id FROM original WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            raise KeyError(digest.hex())
        unpacking, found = zlib.decompressobj(), b""
        try:
            with self._connection.blobopen("original", "data", row[0], readonly=True) as packed:
                while len(found) < length and (piece := packed.read(PIECE_BYTES)):
                    found += unpacking.decompress(piece, length - len(found))
        except zlib.error as error:
            raise self._damaged(digest, error) from error
        return found

    def _damaged(self, digest: bytes, error: zlib.error) -> OriginalDamaged:
        row = self._connection.execute("SELECT min(id) FROM copy WHERE digest = ?", (digest,)).fetchone()
        mail = "a mail" if row[0] is None else f"mail {row[0]}"
        return OriginalDamaged(f"the stored original of {mail} is damaged ({error})", digest)

    # -- deciding ----------------------------------------------------------------------------

    def waiting(self, limit: int = 50) -> list[Copy]:
        """Return stored copies that wait for a decision, the oldest first."""
        rows = self._connection.execute(
            f"SELECT {_COPY} FROM copy WHERE state = 'waiting' ORDER BY id LIMIT ?",
            (limit,),
        )
        return [_copy(row) for row in rows]

    def copy(self, number: int) -> Copy | None:
        """Return one copy, whatever its state."""
        row = self._connection.execute(
            f"SELECT {_COPY} FROM copy WHERE id = ? AND digest IS NOT NULL",
            (number,),
        ).fetchone()
        return _copy(row) if row else None

    def open_batch(self, copies: Sequence[int], now: datetime) -> int:
        """Write the mark "these are being decided", before any of them is parsed."""
        return int(
            self._connection.execute(
                "INSERT INTO batch (opened_at, copies) VALUES (?, ?) RETURNING id",
                (to_us(now), json.dumps(list(copies))),
            ).fetchone()[0]
        )

    def close_batch(self, batch: int) -> None:
        """Take the mark away, in the transaction that decided the mails."""
        self._connection.execute("DELETE FROM batch WHERE id = ?", (batch,))

    def abandoned(self) -> list[int]:
        """Return the mails in whose batch an earlier process ended; they are tried one by one."""
        return [
            number
            for (copies,) in self._connection.execute("SELECT copies FROM batch")
            for number in json.loads(copies)
        ]

    def forget_batches(self) -> None:
        """Take away all marks, once the abandoned mails are marked one by one."""
        self._connection.execute("DELETE FROM batch")

    def mark_try(self, number: int) -> int:
        """Count one more try of a mail on its own; return how many there were."""
        return int(
            self._connection.execute(
                "UPDATE copy SET tries = tries + 1 WHERE id = ? RETURNING tries", (number,)
            ).fetchone()[0]
        )

    def book(
        self,
        number: int,
        verdict: Verdict,
        content: bytes,
        message_id: str,
        sender: str,
        subject: str,
        *,
        duplicate: bool,
    ) -> None:
        """Write where a mail ended."""
        self._connection.execute(
            "UPDATE copy SET state = ?, reason = ?, why = ?, ticket = ?, content = ?, message_id = ?, sender = ?, subject = ?, duplicate = ?"
            " WHERE id = ?",
            (
                verdict.outcome.value, verdict.reason, json.dumps(list(verdict.why), ensure_ascii=False) if verdict.why else "",
                verdict.ticket, content or None, message_id, sender, subject, duplicate, number,
            ),
        )  # fmt: skip

    def rebook(self, number: int, outcome: Outcome, reason: str, ticket: int | None = None) -> None:
        """Change where a mail ended: a held one that was let go, a quarantined one that was released or dropped."""
        self._connection.execute(
            "UPDATE copy SET state = ?, reason = ?, ticket = coalesce(?, ticket) WHERE id = ?",
            (outcome.value, reason, ticket, number),
        )

    def wait_again(self, number: int) -> bool:
        """Put a quarantined mail back among those to be decided; return whether there was one.

        One that could not be read is read by itself and in a guarded place from the first try on.
        """
        return self.put_back(number, "quarantined")

    def release(self, number: int) -> bool:
        """Put a quarantined mail back to be let in whatever the rules say; return whether there was one.

        While it waits, its reason is the one for which it was in quarantine. One that could not be read is
        tried once more.
        """
        done = self._connection.execute(
            "UPDATE copy SET state = 'waiting', tries = CASE WHEN tries >= ? THEN ? ELSE 0 END WHERE id = ? AND state = 'quarantined'",
            (MAX_TRIES, MAX_TRIES - 1, number),
        )
        return done.rowcount == 1

    def drop(self, number: int) -> bool:
        """Leave a quarantined mail out for good; return whether there was one."""
        done = self._connection.execute(
            "UPDATE copy SET state = 'ignored', reason = ? WHERE id = ? AND state = 'quarantined'",
            (DROPPED, number),
        )
        return done.rowcount == 1

    def put_back(self, number: int, state: str) -> bool:
        """Put a mail back among those to be decided, if it is still where it was; return whether it was."""
        done = self._connection.execute(
            "UPDATE copy SET state = 'waiting', reason = '', tries = CASE WHEN tries >= ? THEN 1 ELSE 0 END"
            " WHERE id = ? AND state = ? AND digest IS NOT NULL",
            (MAX_TRIES, number, state),
        )
        return done.rowcount == 1

    # -- marking on the server ---------------------------------------------------------------

    def unmarked(self, mailbox: str, folder: str, limit: int = 500) -> list[tuple[int, str]]:
        """Return decided copies not yet flagged or moved on the server, as (number, name)."""
        rows = self._connection.execute(
            "SELECT id, name FROM copy WHERE mailbox = ? AND folder = ? AND marked = 0 AND state <> 'waiting' ORDER BY id LIMIT ?",
            (mailbox, folder, limit),
        )
        return [(number, name) for number, name in rows]

    def has_unmarked(self, mailbox: str, folder: str) -> bool:
        """Tell whether copies of a folder are not flagged or moved yet, decided or not."""
        row = self._connection.execute(
            "SELECT 1 FROM copy WHERE mailbox = ? AND folder = ? AND marked = 0 LIMIT 1", (mailbox, folder)
        ).fetchone()
        return row is not None

    def set_marked(self, numbers: Iterable[int]) -> None:
        """Note that these copies are flagged or moved on the server."""
        self._connection.executemany(
            "UPDATE copy SET marked = 1 WHERE id = ?", [(number,) for number in numbers]
        )

    def mark_folder(self, mailbox: str, folder: str) -> None:
        """Note that the copies in a folder need no mark: they lie where handled mail belongs."""
        self._connection.execute(
            "UPDATE copy SET marked = 1 WHERE mailbox = ? AND folder = ? AND marked = 0", (mailbox, folder)
        )

    # -- held --------------------------------------------------------------------------------

    def hold(self, hold: Hold, now: datetime) -> None:
        """Keep a mail until its agent confirms it."""
        self._connection.execute(
            "INSERT INTO held (copy, kind, ticket, agent, code, why, at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (copy) DO UPDATE SET kind = excluded.kind, code = excluded.code, why = excluded.why, at = excluded.at,"
            " expires_at = excluded.expires_at, done = 0",
            (
                hold.copy,
                hold.kind.value,
                hold.ticket,
                hold.agent,
                hold.code,
                hold.why,
                to_us(now),
                to_us(hold.expires_at),
            ),
        )

    def let_go(self, number: int) -> None:
        """End a hold; its code is worth nothing from now on."""
        self._connection.execute("UPDATE held SET done = 1 WHERE copy = ?", (number,))

    def was_held(self, number: int) -> bool:
        """Tell whether a mail is held, or was."""
        row = self._connection.execute("SELECT 1 FROM held WHERE copy = ?", (number,)).fetchone()
        return row is not None

    def held_agent(self, number: int) -> tuple[str, HoldKind] | None:
        """Return whose mail is held, and for what; None if it is held no more."""
        row = self._connection.execute(
            "SELECT agent, kind FROM held WHERE copy = ? AND done = 0", (number,)
        ).fetchone()
        return (row[0], HoldKind(row[1])) if row else None


def _copy(row: tuple[int, str, str, str, bytes, int, int, int, int, str, str, str]) -> Copy:
    number, mailbox, folder, name, digest, size, arrived, tries, truncated, state, reason, keys = row
    released = reason if state == "waiting" else ""
    return Copy(
        number, mailbox, folder, name, digest, size, from_us(arrived), tries, bool(truncated), released,
        json.loads(keys) if keys else {},
    )  # fmt: skip
