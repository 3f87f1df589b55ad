"""Writes a small story in the store of the present version as text: what tests of later versions migrate.

Before a migration is added, run it with the code that still lacks it, and commit what it prints:
`python -m tests.store.dump_version > tests/store/versions/0002.sql` for version 2.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from mailtickets.desk.ticket import Alarm
from mailtickets.transport.fate import Phase, Rejected, Sent, Uncertain
from tests.support.desk import Desk

ANA, BEN, ZOE = (f"{name} <{name.lower()}@customer.example>" for name in ("Ana", "Ben", "Zoe"))
KIM = "Kim Archer <kim@desk.example>"


def story(folder):
    """Play a desk with something in every table that people fill; return its store.

    SUP-1001 of Ana waits for her answer; SUP-1002 of Ben is closed; SUP-1003 of Zoe has a mail of each fate.
    """
    desk = Desk(folder)
    desk.writes(ANA, "My printer is on fire.")
    desk.answers(desk.last("kim@desk.example"), KIM, "Which printer is it?")
    desk.writes(BEN, "My scanner is wet.", subject="Scanner")
    desk.answers(desk.last("kim@desk.example"), KIM, "#close\nPlease dry it.")
    fates = {
        "zoe@customer.example": Uncertain("silence"),
        "lee@desk.example": Rejected(550, "no", phase=Phase.RCPT),
    }
    desk.fate = lambda mail: fates.get(mail.recipients[0], Sent())
    desk.writes(ZOE, "My phone is mute.", subject="Phone")
    desk.writes(KIM, "#close", subject="[SUP-1001] Printer on fire")  # without proof: held
    desk.writes("support@desk.example", "I am you.", subject="Hello")  # quarantined
    desk.receives(desk.mail("eve@customer.example", "My desk is old."), settle=False)  # waits to be decided
    desk.now += timedelta(minutes=1)
    desk.line.alarm_now(Alarm("mailbox support", "The mailbox support cannot be read", "no route", "wait"))
    desk.close()
    return folder / "desk.db"


def dump(path: Path) -> str:
    """Return a store as SQL statements, its version last.

    The index of words is filled from the entries: as the tables behind it, it could not be read back.
    """
    with closing(sqlite3.connect(path)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        words = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'entry_words'").fetchone()[0]
        rows = ", ".join(str(row) for (row,) in connection.execute("SELECT id FROM entry_words_docsize"))
        plain = (
            line
            for line in connection.iterdump()
            if "entry_words" not in line[:60] and "writable_schema" not in line
        )
        statements = [line for line in plain if line != "COMMIT;" and "INTO sqlite_master" not in line]
    fill = f"INSERT INTO entry_words (rowid, subject, text) SELECT id, subject, text FROM entry WHERE id IN ({rows});"
    return "\n".join((*statements, f"{words};", fill, f"PRAGMA user_version = {version};", "COMMIT;", ""))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        sys.stdout.write(dump(story(Path(made))))
