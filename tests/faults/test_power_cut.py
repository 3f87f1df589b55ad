"""The power goes at any moment: what a disk may hold then is a store that opens, balances, and goes on without doubles."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import sqlite3
import struct
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailtickets.desk.policy import Policy
from mailtickets.store import Store
from tests.faults.disk_story import KIM, desk_at, put_down, tally
from tests.support.desk import POLICY, START, SUPPORT, Desk
from tests.support.dovecot import Dovecot
from tests.support.smtp_sink import SmtpSink

ANA, BEN = "Ana Client <ana@customer.example>", "Ben <ben@customer.example>"
ROW = pytest.mark.fault("Store raw", "kill -9, power cut")
WAL_HEADER, FRAME_HEADER = 32, 24  # SQLite, File Format, section 4.1
REMINDED_ONCE = replace(POLICY, queues={"support": replace(SUPPORT, reminders=SUPPORT.reminders[:1])})
AUTOMATIC = {"acknowledgement", "reminder", "closed"}


def story(desk: Desk) -> None:
    """Some mails in and out: a customer, an answer, a second customer, silence and a reminder."""
    desk.writes(ANA, "My printer is on fire.")
    desk.answers(desk.last("kim@desk.example"), KIM, "Please try water.")
    desk.writes(BEN, "My scanner is wet.")
    desk.answers(desk.last("ana@customer.example"), ANA, "It still burns.")
    desk.answers(desk.last("kim@desk.example"), KIM, "More water?")
    desk.passes(timedelta(hours=25))


class Mailbox(Desk):
    """A desk, and the mails that lay in its mailbox."""

    def __init__(self, folder: Path, policy: Policy) -> None:
        super().__init__(folder, policy)
        self.mails: list[bytes] = []

    def receives(self, raw: bytes, **more: Any) -> None:
        self.mails.append(raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        super().receives(raw, **more)


def is_whole(folder: Path) -> dict[str, int]:
    """Open a store as a start does; return its books, which balance."""
    store = Store.open(folder / "desk.db", START)
    try:
        assert store.integrity() == "ok"
        assert store._connection.execute("PRAGMA foreign_key_check").fetchall() == []
        books = store.views.books()
        assert books.unexplained == 0
        assert books.received == (
            books.on_tickets + books.ignored + books.held + books.quarantined + books.waiting
        )
        return {"received": books.received, "on_tickets": books.on_tickets, "waiting": books.waiting}
    finally:
        store.close()


def test_offsets_of_a_wal(tmp_path: Path):
    """What the tests below take for a frame is one: the file is a header and whole frames, each of one page."""
    desk = Desk(tmp_path)
    story(desk)
    wal = (tmp_path / "desk.db-wal").read_bytes()
    page = struct.unpack(">I", wal[8:12])[0]
    assert (len(wal) - WAL_HEADER) % (page + FRAME_HEADER) == 0
    assert desk.kinds("ana@customer.example").count("reminder") == 1
    desk.close()


@ROW
@pytest.mark.timeout(1200)
def test_a_wal_cut_off_anywhere(tmp_path: Path, book):
    """Cut at every frame, and within frames, the store opens at its last whole commit; what it knows only grows with the cut."""
    seed = random.randrange(10_000)
    print(f"seed {seed}")
    dice = random.Random(seed)
    whole = tmp_path / "whole"
    whole.mkdir()
    desk = Desk(whole)
    story(desk)
    db, wal = (whole / "desk.db").read_bytes(), (whole / "desk.db-wal").read_bytes()
    desk.close()
    frame = struct.unpack(">I", wal[8:12])[0] + FRAME_HEADER
    ends = range(WAL_HEADER, len(wal) + 1, frame)
    cuts = {0, 1, WAL_HEADER - 1, *ends}
    cuts |= {end - back for end in ends for back in (1, dice.randrange(2, frame)) if end - back > 0}
    # The schema itself is made in the first transaction; a store cut off within it is a new one.
    before = {"received": 0, "on_tickets": 0}
    folder = tmp_path / "cut"
    for cut in sorted(cuts):
        folder.mkdir()
        (folder / "desk.db").write_bytes(db)
        (folder / "desk.db-wal").write_bytes(wal[:cut])
        books = is_whole(folder)
        assert books["received"] >= before["received"]
        assert books["on_tickets"] >= before["on_tickets"]
        before = books
        shutil.rmtree(folder)
    assert before["received"] == before["on_tickets"] == 5
    assert len(cuts) > 300
    put_down(book, runs=len(cuts))


@ROW
@pytest.mark.timeout(1200)
def test_a_wal_with_a_torn_frame(tmp_path: Path, book):
    """A sector of zeros or of old bytes in the middle: everything from there on is as if never written, and the rest is whole."""
    seed = random.randrange(10_000)
    print(f"seed {seed}")
    dice = random.Random(seed)
    whole = tmp_path / "whole"
    whole.mkdir()
    desk = Desk(whole)
    story(desk)
    db, wal = (whole / "desk.db").read_bytes(), (whole / "desk.db-wal").read_bytes()
    desk.close()
    folder = tmp_path / "torn"
    runs = 100
    for _ in range(runs):
        at = dice.randrange(0, len(wal) - 512) // 512 * 512
        torn = bytearray(wal)
        torn[at : at + 512] = bytes(512) if dice.random() < 0.5 else dice.randbytes(512)
        folder.mkdir()
        (folder / "desk.db").write_bytes(db)
        (folder / "desk.db-wal").write_bytes(torn)
        assert is_whole(folder)["received"] <= 5
        shutil.rmtree(folder)
    put_down(book, runs=runs)


@ROW
@pytest.mark.timeout(1200)
def test_going_on_after_each_commit(tmp_path: Path, book):
    """A copy of store and WAL at each commit of a story, gone on from: every mail on one ticket, nothing automatic twice."""
    here = tmp_path / "desk"
    here.mkdir()
    desk = Mailbox(here, REMINDED_ONCE)
    commits: list[tuple[Path, list[tuple[str, tuple[str, ...]]]]] = []

    def committed(statement: str) -> None:
        if statement.strip() == "COMMIT":
            copy = tmp_path / f"at{len(commits)}"
            copy.mkdir()
            for name in ("desk.db", "desk.db-wal"):
                shutil.copy(here / name, copy / name)
            commits.append((copy, [(mail.kind, mail.recipients) for mail in desk.sent]))

    # Called before a statement runs: each copy is what the commit before it has left, and what was sent since is known.
    desk.store._connection.set_trace_callback(committed)
    story(desk)
    desk.passes(timedelta(days=5))
    assert set(desk.kinds("ana@customer.example")) >= AUTOMATIC
    desk.store._connection.set_trace_callback(None)
    ended = desk.now
    desk.close()
    assert len(commits) > 30
    lost = doubled = reminded_again = 0
    for copy, sent in commits:
        again = Desk(copy, REMINDED_ONCE, now=ended)
        for raw in desk.mails:  # the mailbox still has what was not stored
            again.receives(raw, settle=False)
        # A reminder that was on its way then is of unknown fate: a fresh one goes out in place of the closing.
        unknown = again.store._connection.execute(
            "SELECT count(*) FROM outbox WHERE kind = 'reminder' AND state = 'uncertain'"
        ).fetchone()[0]
        again.passes(timedelta(minutes=1))
        books = again.store.views.books()
        assert (books.unexplained, books.waiting) == (0, 0)
        assert again.store.integrity() == "ok"
        filed = {
            digest
            for (digest,) in again.store._connection.execute(
                "SELECT digest FROM copy WHERE state = 'on_ticket'"
            )
        }
        lost += len({hashlib.sha256(raw).digest() for raw in desk.mails} - filed)
        kinds = Counter(
            one for one in (*sent, *((m.kind, m.recipients) for m in again.sent)) if one[0] in AUTOMATIC
        )
        doubled += sum(count - 1 for count in kinds.values()) - unknown
        reminded_again += unknown
        again.close()
    # Each had arrived: a copy is made at the commit that follows, and what was sent until then is known.
    assert reminded_again <= 1
    put_down(
        book, runs=len(commits), lost=lost, doubled=doubled, again=reminded_again, arrived=reminded_again
    )


@ROW
@pytest.mark.timeout(1200)
def test_copies_of_a_daemon_at_work(tmp_path: Path, dovecot: Dovecot, account: str, book):
    """The daemon is stopped in its tracks two hundred times in a burst; every copy is whole, and some are gone on from."""
    with SmtpSink() as sink, desk_at(tmp_path, tmp_path, dovecot, sink, account) as desk:
        people = [f"c{number}@customer.example" for number in range(60)]
        for person in people:
            desk.writes(person, "My printer is on fire.")
        desk.start(ready=False)
        assert desk.process is not None
        pid = desk.process.pid
        desk.wait((tmp_path / "desk.db-wal").exists, "the store")
        copies: list[Path] = []
        outs: list[Counter[str]] = []
        while len(copies) < 200 and (
            len(copies) < 100 or sum(len(desk.to(person)) for person in people) < len(people)
        ):
            os.kill(pid, signal.SIGSTOP)
            try:
                folder = tmp_path / "copies" / f"{len(copies)}"
                folder.mkdir(parents=True)
                for name in ("desk.db", "desk.db-wal"):
                    if (tmp_path / name).exists():
                        shutil.copy(tmp_path / name, folder / name)
                copies.append(folder)
                outs.append(Counter(mail.recipients[0] for person in people for mail in desk.to(person)))
            finally:
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.03)
        desk.at_rest(len(people), 60)
        desk.kill()
        received = [is_whole(copy)["received"] for copy in copies]
        assert received == sorted(received)

        # What was sent and is not in the copy as sent or as on its way would go out again.
        doubled = 0
        for copy, out in zip(copies, outs, strict=True):
            states = sqlite3.connect(copy / "desk.db")
            waiting = [
                recipient
                for (recipient,) in states.execute(
                    "SELECT recipient FROM outbox WHERE kind = 'acknowledgement' AND state IN ('queued', 'deferred')"
                )
            ]
            states.close()
            doubled += sum(out[recipient] for recipient in waiting)
        wrong = tally(desk, people)
        put_down(book, runs=len(copies), lost=wrong["lost"], doubled=doubled + wrong["doubled"])
        assert len(set(received)) > 1
