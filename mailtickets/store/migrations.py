"""The store's schema, from 0001 on. A migration is never changed after it was released; the next one mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.crashpoints import reach
from mailtickets.store.engine import Migrations

if TYPE_CHECKING:
    from mailtickets.store.engine import Database

migrations = Migrations("mailtickets")

SCHEMA_0001 = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE secret (
    purpose TEXT NOT NULL, number INTEGER NOT NULL, secret BLOB NOT NULL, created_at INTEGER NOT NULL,
    PRIMARY KEY (purpose, number)
) STRICT;

-- Originals are written once and reached by digest only; nothing joins this table.
CREATE TABLE original (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, codec TEXT NOT NULL, data BLOB NOT NULL
) STRICT;

-- The ledger: one row for each copy of a mail that was taken in.
CREATE TABLE copy (
    id INTEGER PRIMARY KEY,
    mailbox TEXT NOT NULL, folder TEXT NOT NULL, name TEXT NOT NULL,
    digest BLOB, content BLOB, size INTEGER NOT NULL, truncated INTEGER NOT NULL DEFAULT 0,
    arrived_at INTEGER NOT NULL, taken_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', reason TEXT NOT NULL DEFAULT '', why TEXT NOT NULL DEFAULT '',
    ticket INTEGER, message_id TEXT NOT NULL DEFAULT '', sender TEXT NOT NULL DEFAULT '', subject TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0, duplicate INTEGER NOT NULL DEFAULT 0, marked INTEGER NOT NULL DEFAULT 0,
    UNIQUE (mailbox, folder, name)
) STRICT;
CREATE INDEX copy_digest ON copy (digest) WHERE digest IS NOT NULL;
CREATE INDEX copy_content ON copy (content) WHERE content IS NOT NULL;
CREATE INDEX copy_message_id ON copy (message_id) WHERE message_id <> '';
CREATE INDEX copy_waiting ON copy (id) WHERE state = 'waiting';
CREATE INDEX copy_aside ON copy (state, id) WHERE state IN ('quarantined', 'held');
CREATE INDEX copy_unmarked ON copy (mailbox, id) WHERE marked = 0;

CREATE TABLE cursor (
    mailbox TEXT NOT NULL, folder TEXT NOT NULL, uidvalidity INTEGER NOT NULL, last_uid INTEGER NOT NULL,
    PRIMARY KEY (mailbox, folder)
) STRICT, WITHOUT ROWID;

-- Open while a batch is being decided; one found at start means that the process ended inside it.
CREATE TABLE batch (id INTEGER PRIMARY KEY, opened_at INTEGER NOT NULL, copies TEXT NOT NULL) STRICT;

CREATE TABLE ticket (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tag TEXT NOT NULL, queue TEXT NOT NULL, subject TEXT NOT NULL, requester TEXT NOT NULL,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    status TEXT NOT NULL, priority TEXT NOT NULL, type TEXT NOT NULL, assignee TEXT NOT NULL, language TEXT NOT NULL,
    silent_since INTEGER, silent_base INTEGER, silent_step INTEGER NOT NULL, first_wait REAL, cycle INTEGER NOT NULL,
    closed_at INTEGER, linked INTEGER, merged_into INTEGER, proven INTEGER NOT NULL, automatic INTEGER NOT NULL,
    last_seq INTEGER NOT NULL, version INTEGER NOT NULL
) STRICT;
CREATE INDEX ticket_requester ON ticket (requester, created_at);
CREATE INDEX ticket_unfinished ON ticket (updated_at) WHERE status <> 'closed';
CREATE INDEX ticket_assignee ON ticket (assignee) WHERE assignee <> '' AND status NOT IN ('resolved', 'closed');

CREATE TABLE participant (
    ticket INTEGER NOT NULL REFERENCES ticket (number), address TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL,
    PRIMARY KEY (ticket, address)
) STRICT, WITHOUT ROWID;

CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    ticket INTEGER NOT NULL REFERENCES ticket (number), seq INTEGER NOT NULL,
    kind TEXT NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, audience TEXT NOT NULL, recipients TEXT NOT NULL,
    subject TEXT NOT NULL, text TEXT NOT NULL, message_id TEXT NOT NULL, reason TEXT NOT NULL, copy INTEGER,
    UNIQUE (ticket, seq)
) STRICT;

CREATE VIRTUAL TABLE entry_words USING fts5 (
    subject, text, content = 'entry', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TABLE known_id (
    message_id TEXT NOT NULL, ticket INTEGER NOT NULL, seq INTEGER NOT NULL, ours INTEGER NOT NULL, recipient TEXT NOT NULL,
    PRIMARY KEY (message_id, ticket)
) STRICT, WITHOUT ROWID;

CREATE TABLE timer (
    ticket INTEGER NOT NULL REFERENCES ticket (number), kind TEXT NOT NULL, cycle INTEGER NOT NULL, due INTEGER NOT NULL,
    PRIMARY KEY (ticket, kind, cycle)
) STRICT, WITHOUT ROWID;
CREATE INDEX timer_due ON timer (due);

CREATE TABLE agent_key (
    ticket INTEGER NOT NULL, agent TEXT NOT NULL, generation INTEGER NOT NULL, PRIMARY KEY (ticket, agent)
) STRICT, WITHOUT ROWID;

CREATE TABLE person (
    address TEXT PRIMARY KEY, bounced TEXT NOT NULL DEFAULT '', bounced_at INTEGER, away_until INTEGER, wrote_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE acknowledgement (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, address TEXT NOT NULL, domain TEXT NOT NULL, proven INTEGER NOT NULL,
    known INTEGER NOT NULL
) STRICT;
CREATE INDEX acknowledgement_address ON acknowledgement (address, at);
CREATE INDEX acknowledgement_domain ON acknowledgement (domain, at);
CREATE INDEX acknowledgement_at ON acknowledgement (at);

CREATE TABLE held (
    copy INTEGER PRIMARY KEY, kind TEXT NOT NULL, ticket INTEGER NOT NULL, agent TEXT NOT NULL, code TEXT NOT NULL,
    why TEXT NOT NULL, at INTEGER NOT NULL, expires_at INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX held_code ON held (code) WHERE done = 0;
CREATE INDEX held_agent ON held (agent, at);

CREATE TABLE body (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    ticket INTEGER NOT NULL, seq INTEGER, kind TEXT NOT NULL, occasion TEXT NOT NULL, recipient TEXT NOT NULL,
    cycle INTEGER NOT NULL, reader TEXT NOT NULL, human INTEGER NOT NULL, author TEXT NOT NULL,
    account TEXT NOT NULL, sender TEXT NOT NULL, null_sender INTEGER NOT NULL, recipients TEXT NOT NULL,
    subject TEXT NOT NULL, message_id TEXT NOT NULL,
    head BLOB, body INTEGER REFERENCES body (id), reply_key TEXT NOT NULL, digest BLOB NOT NULL, size INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued', attempts INTEGER NOT NULL DEFAULT 0, next_at INTEGER, last_error TEXT NOT NULL DEFAULT '',
    queued_at INTEGER NOT NULL, sent_at INTEGER, refused TEXT NOT NULL DEFAULT '', holder TEXT NOT NULL DEFAULT '', lease_until INTEGER,
    UNIQUE (ticket, kind, occasion, recipient)
) STRICT;
CREATE INDEX outbox_due ON outbox (next_at) WHERE state IN ('queued', 'deferred');
CREATE INDEX outbox_unsettled ON outbox (state) WHERE state IN ('queued', 'deferred', 'sending', 'uncertain', 'failed');
CREATE INDEX outbox_body ON outbox (body) WHERE body IS NOT NULL;
CREATE INDEX outbox_message_id ON outbox (message_id);

CREATE TABLE alarm (
    kind TEXT PRIMARY KEY, what TEXT NOT NULL, why TEXT NOT NULL, remedy TEXT NOT NULL,
    since INTEGER NOT NULL, last_at INTEGER NOT NULL, told_at INTEGER, count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

SCHEMA_0002 = """
ALTER TABLE ticket ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
ALTER TABLE ticket ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE ticket ADD COLUMN service_level TEXT NOT NULL DEFAULT '';
ALTER TABLE ticket ADD COLUMN due_at INTEGER;
ALTER TABLE ticket ADD COLUMN workaround_at INTEGER;

-- What reports count. Each combination of what tickets are counted by is named once, so that a row of `measure`
-- is narrow and a report over a million tickets reads integers only.
CREATE TABLE measure_class (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL, type TEXT NOT NULL, priority TEXT NOT NULL, organisation TEXT NOT NULL, assignee TEXT NOT NULL,
    UNIQUE (queue, type, priority, organisation, assignee)
) STRICT;

-- One row a ticket, computed from its history in the transaction that wrote the history. No index: a report reads
-- every row once, and a scan of a million takes a second.
-- Times in microseconds UTC; `used` in microseconds of running clock; `kept` 1, 0, or NULL where unsettled or without target.
-- left_at: since when nobody is expected to act; NULL while the ticket is in the backlog.
CREATE TABLE measure (
    ticket INTEGER PRIMARY KEY REFERENCES ticket (number),
    class INTEGER NOT NULL REFERENCES measure_class (id),
    opened_at INTEGER NOT NULL, left_at INTEGER, closed_at INTEGER, automatic INTEGER NOT NULL,
    first_response_at INTEGER, first_response_used INTEGER, first_response_due INTEGER, first_response_kept INTEGER,
    resolved_at INTEGER, resolution_used INTEGER, resolution_due INTEGER, resolution_kept INTEGER, interim INTEGER NOT NULL,
    update_due INTEGER, updates_kept INTEGER NOT NULL, updates_missed INTEGER NOT NULL, reopened INTEGER NOT NULL
) STRICT;
"""

SCHEMA_0003 = """
-- DNS name to TXT record, as JSON: the DKIM keys that were there for a mail's signatures when it came; '' for none.
ALTER TABLE copy ADD COLUMN dkim_keys TEXT NOT NULL DEFAULT '';
"""

SCHEMA_0004 = """
-- What people are told in a list, because too many notices would be on their way to them.
CREATE TABLE news (
    address TEXT NOT NULL, ticket INTEGER NOT NULL REFERENCES ticket (number), agent TEXT NOT NULL, is_new INTEGER NOT NULL,
    count INTEGER NOT NULL, since INTEGER NOT NULL, due INTEGER NOT NULL, PRIMARY KEY (address, ticket)
) STRICT, WITHOUT ROWID;
CREATE INDEX news_due ON news (due);
"""

SCHEMA_0005 = """
-- Tries of which nobody knows what they came to.
ALTER TABLE outbox ADD COLUMN doubts INTEGER NOT NULL DEFAULT 0;
"""

NEWEST = 5


@migrations()
def m0001_first_desk(db: Database) -> None:
    """Make the tables of the first desk; tickets are numbered from 1001, so that a reference never looks like a test."""
    db.executescript(SCHEMA_0001)
    db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('ticket', 1000)")
    db.execute("PRAGMA user_version = 1")
    reach("migrated-1")


@migrations()
def m0002_service_levels(db: Database) -> None:
    """Add what service levels need; tickets of before get their figures when something next happens to them."""
    db.executescript(SCHEMA_0002)
    db.execute("PRAGMA user_version = 2")
    reach("migrated-2")


@migrations()
def m0003_dkim_keys(db: Database) -> None:
    """Add what own verification of DKIM was decided with, so that a mail can be read again as it was then."""
    db.executescript(SCHEMA_0003)
    db.execute("PRAGMA user_version = 3")
    reach("migrated-3")


@migrations()
def m0004_news_lists(db: Database) -> None:
    """Add the list of what agents are told together."""
    db.executescript(SCHEMA_0004)
    db.execute("PRAGMA user_version = 4")
    reach("migrated-4")


@migrations()
def m0005_doubts(db: Database) -> None:
    """Add how often a mail's fate was unknown, so that it is not sent again for ever."""
    db.executescript(SCHEMA_0005)
    db.execute("PRAGMA user_version = 5")
    reach("migrated-5")
