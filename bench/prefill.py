"""Fills a store with a million tickets that wait, as mail would have left them; by SQL, in a few minutes.

Each ticket has its requester, the mail that opened it (300 letters, in the search index), its
acknowledgement, three known ids, a timer that is due in the future, a row in the ledger, a small
original and a sent mail in the outbox whose bytes are forgotten, as they are after thirty days.
Only the originals are not as large as real ones: nothing joins them, and a million would fill the disk.
"""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailtickets.store import Store

if TYPE_CHECKING:
    from pathlib import Path

FIRST = 1001
DAY = 86_400_000_000  # microseconds
PHRASES = (
    "Since this morning I get an error page when I open my account.",
    "The printer on the second floor is offline again.",
    "Could you please tell me what to do next?",
    "My order is late and nobody answers the telephone.",
    "It worked fine until the last update of the program.",
    "Two colleagues of mine have the same problem with the invoice.",
    "Seit heute erscheint eine Fehlermeldung beim Anmelden.",
    "Thank you very much for your quick help.",
    "J'ai essayé de réinitialiser le mot de passe.",
    "The export stops at the same row every time I try it.",
)

# {n} numbers tickets from 0; {now} is the present time in microseconds.
_NUMBERS = "WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {end})"
_OPENED = "{now} - 40 * {day} + i * {step}"
_REQUESTER = "printf('user%07d.%d@customer%d.example', (i * 7919) % 9999991, i, i % 500)"
_SUBJECT = "'Request ' || i || ': ' || (SELECT phrase FROM temp.phrase WHERE id = i % 10)"
_TEXT = "(SELECT group_concat(phrase, ' ') || ' ' || i FROM temp.phrase WHERE (id + i) % 10 < 5)"
_STATEMENTS = (
    # The ticket and its people
    (
        f"INSERT INTO ticket (number, tag, queue, subject, requester, created_at, updated_at, status, priority, type, assignee, language,"
        f" silent_since, silent_base, silent_step, first_wait, cycle, proven, automatic, last_seq, version)"
        f" SELECT {FIRST} + i, 'SUP', 'support', {_SUBJECT}, {_REQUESTER}, {_OPENED}, {_OPENED} + 1000000, 'waiting', 'P3', 'question',"
        f" CASE i % 3 WHEN 0 THEN '' WHEN 1 THEN 'agent1' ELSE 'agent2' END, 'en', {{now}}, {{now}}, 0, NULL, 1, 0, 0, 2, 2 FROM n"
    ),
    f"INSERT INTO participant SELECT {FIRST} + i, {_REQUESTER}, 'User ' || i, 'requester' FROM n",
    f"INSERT INTO person (address, wrote_at) SELECT {_REQUESTER}, {_OPENED} FROM n",
    # What was said
    (
        f"INSERT INTO entry SELECT 2 * i + 1, {FIRST} + i, 1, 'mail_in', {_OPENED}, {_REQUESTER}, 'customer', '[]', {_SUBJECT}, {_TEXT},"
        f" printf('<%08d.in@customer.example>', i), '', i + 1 FROM n"
    ),
    (
        f"INSERT INTO entry SELECT 2 * i + 2, {FIRST} + i, 2, 'acknowledged', {_OPENED} + 1000000, 'desk', 'customer', json_array({_REQUESTER}),"
        f" '', '', printf('<%08d.out@desk.example>', i), '', i + 1 FROM n"
    ),
    f"INSERT INTO entry_words (rowid, subject, text) SELECT 2 * i + 1, {_SUBJECT}, {_TEXT} FROM n",
    f"INSERT INTO known_id SELECT printf('<%08d.in@customer.example>', i), {FIRST} + i, 1, 0, '' FROM n",
    f"INSERT INTO known_id SELECT printf('<%08d.out@desk.example>', i), {FIRST} + i, 2, 1, {_REQUESTER} FROM n",
    f"INSERT INTO known_id SELECT printf('<%08d.note@desk.example>', i), {FIRST} + i, 2, 1, 'agent1@desk.example' FROM n",
    f"INSERT INTO timer SELECT {FIRST} + i, 'silence', 1, {{now}} + {{day}} + i * 1000000 FROM n",
    # Ledger and outbox
    "INSERT INTO original SELECT i + 1, randomblob(32), 73000, 'zlib', randomblob(64) FROM n",
    (
        f"INSERT INTO copy (id, mailbox, folder, name, digest, content, size, arrived_at, taken_at, state, reason, ticket, message_id, sender,"
        f" subject, marked) SELECT i + 1, 'support', 'INBOX', '1/' || (i + 1), (SELECT digest FROM original WHERE id = i + 1), randomblob(16),"
        f" 73000, {_OPENED}, {_OPENED}, 'on_ticket', 'a new ticket', {FIRST} + i, printf('<%08d.in@customer.example>', i), {_REQUESTER},"
        f" {_SUBJECT}, 1 FROM n"
    ),
    (
        f"INSERT INTO outbox (id, ticket, seq, kind, occasion, recipient, cycle, reader, human, author, account, sender, null_sender, recipients,"
        f" subject, message_id, reply_key, digest, size, state, attempts, queued_at, sent_at) SELECT i + 1, {FIRST} + i, 2, 'acknowledgement',"
        f" 'opened', {_REQUESTER}, 0, 'customer', 0, '', '', 'support@desk.example', 1, json_array({_REQUESTER}), {_SUBJECT},"
        f" printf('<%08d.out@desk.example>', i), '', randomblob(32), 4000, 'sent', 1, {_OPENED}, {_OPENED} + 1000000 FROM n"
    ),
)  # fmt: skip


def prefill(path: Path, tickets: int) -> float:
    """Make a store with so many waiting tickets; return how many seconds that took.

    The numbers of mailbox, folder and UID are those of another UIDVALIDITY than Dovecot's, so that no mail is taken for known.
    """
    started = time.monotonic()
    now = datetime.now(UTC)
    Store.open(path, now).close()
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000", "foreign_keys = OFF"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TEMP TABLE phrase (id INTEGER PRIMARY KEY, phrase TEXT)")
    connection.executemany("INSERT INTO temp.phrase VALUES (?, ?)", enumerate(PHRASES))
    values = {"now": int(now.timestamp() * 1_000_000), "day": DAY, "step": 35 * DAY // max(tickets, 1)}
    for statement in _STATEMENTS:
        connection.execute("BEGIN")
        numbers = _NUMBERS.format(first=0, end=tickets)
        head, found, rest = statement.partition(" SELECT ")
        connection.execute(f"{head} {numbers}{found}{rest}".format(**values))
        connection.execute("COMMIT")
    connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'ticket'", (FIRST + tickets - 1,))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return time.monotonic() - started
