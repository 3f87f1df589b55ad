"""What the store forgets of a person: all of it or nothing, and no bytes in free room."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mailtickets.store import Store, database
from tests.support.desk import Desk
from tests.support.leftovers import leftovers

ANA = "ana@customer.example"


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    made.writes(f"Ana Lima <{ANA}>", "The zanzibar printer smokes.")
    made.writes("Ben Roth <ben@customer.example>", "A quagga.")
    yield made
    made.close()


def test_what_is_held_of_a_person(desk):
    """Tickets, of which alone and open, and mails; of a stranger nothing."""
    held = desk.store.forgetting.held(ANA)
    assert (held.tickets, held.alone, held.open, held.mails, held.known) == (1, 1, 1, 1, True)
    assert not desk.store.forgetting.held("nobody@elsewhere.example").known


def test_erasing_is_undone_with_its_transaction(desk):
    """An end in between leaves everything as it was."""
    before = "\n".join(desk.store._connection.iterdump())

    def ends():
        with desk.store.transaction():
            desk.store.forgetting.erase(ANA)
            assert "\n".join(desk.store._connection.iterdump()) != before
            raise RuntimeError

    with pytest.raises(RuntimeError):
        ends()
    assert "\n".join(desk.store._connection.iterdump()) == before


def test_pages_freed_before_are_written_over(desk):
    """Also what an earlier SQLite deleted without zeros, in a file too large to be written anew."""
    connection = desk.store._connection
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute("INSERT INTO body (data) VALUES (?)", (b"zanzibar okapi " * 10_000,))
    connection.execute("DELETE FROM body WHERE length(data) = 150000")
    desk.store.fold_journal()
    assert "desk.db: okapi" in leftovers(desk.store.path, "okapi")
    before, database.REWRITE_BYTES = database.REWRITE_BYTES, 0
    try:
        with desk.store.transaction():
            desk.store.forgetting.erase(ANA)
        assert desk.store.clean_up() == ""
    finally:
        database.REWRITE_BYTES = before
    assert leftovers(desk.store.path, "okapi", ANA, "zanzibar", "Ana Lima") == []


def test_slivers_between_rows_go_when_the_file_is_written_anew(desk):
    """A row that was moved by a SQLite that leaves its bytes in place stays in the gap of a page, until VACUUM."""
    connection = desk.store._connection
    connection.execute("PRAGMA secure_delete = OFF")
    for number in range(60):
        connection.execute("INSERT INTO setting VALUES (?, ?)", (f"s{number}", f"zanzibar okapi {number}"))
    connection.execute("DELETE FROM setting WHERE name LIKE 's%'")
    desk.store.fold_journal()
    assert "desk.db: okapi" in leftovers(desk.store.path, "okapi")
    with desk.store.transaction():
        desk.store.forgetting.erase(ANA)
    assert desk.store.clean_up() == ""
    assert leftovers(desk.store.path, "okapi", ANA, "zanzibar") == []


def test_the_index_is_cleaned_a_step_at_a_time(desk):
    """Each turn takes a moment only; an end in between goes on with the next step."""
    for number in range(40):
        desk.writes(f"c{number}@other.example", " ".join(f"word{number}x{one}" for one in range(400)))
    with desk.store.transaction():
        desk.store.forgetting.erase(ANA)
    turns = 0
    while desk.store.clean_up(0.0) is None:
        turns += 1
        if turns == 1:
            desk.restart()
    assert turns >= 1
    assert leftovers(desk.store.path, ANA, "zanzibar") == []
    assert [ticket.number for ticket in desk.store.views.search("word7x7")] == [1010]
    desk.store._connection.execute("INSERT INTO entry_words (entry_words) VALUES ('integrity-check')")


def test_a_start_goes_on_with_the_cleaning_up(desk, tmp_path):
    """The process ended between the erasing and the cleaning up: the next one does it."""
    with desk.store.transaction():
        desk.store.forgetting.erase(ANA)
    assert "desk.db-wal: zanzibar" in leftovers(desk.store.path, "zanzibar")
    desk.restart()
    desk.run()
    assert leftovers(desk.store.path, ANA, "zanzibar") == []


def test_each_person_has_a_pseudonym(desk):
    """Numbers are never reused; the same person again gets a new one."""
    with desk.store.transaction():
        first = desk.store.forgetting.erase(ANA)
        second = desk.store.forgetting.erase("ben@customer.example")
    assert (first, second) == ("erased-1@invalid", "erased-2@invalid")
    assert [desk.ticket(number).requester for number in (1001, 1002)] == [first, second]


def test_a_mail_that_was_erased_is_known_by_its_bytes(desk):
    """Also where the server gave all mails new numbers; a mail that was never here is not."""
    digest = desk.store.ledger.copy(1).digest
    keys = '{"s1._domainkey.zanzibar.example": "v=DKIM1; p=AAAA"}'
    desk.store._connection.execute("UPDATE copy SET dkim_keys = ? WHERE id = 1", (keys,))
    with desk.store.transaction():
        desk.store.forgetting.erase(ANA)
    assert desk.store.ledger.copy(1) is None
    assert desk.store.ledger.knows(digest)
    assert not desk.store.ledger.knows(b"x" * 32)
    assert "copy.dkim_keys: zanzibar" not in leftovers(desk.store.path, "zanzibar")


def test_words_are_searched_as_before(desk):
    """The index holds what the history holds, and nothing else."""
    with desk.store.transaction():
        desk.store.forgetting.erase(ANA)
    assert [ticket.number for ticket in desk.store.views.search("quagga")] == [1002]
    assert desk.store.views.search("zanzibar") == []
    desk.store._connection.execute("INSERT INTO entry_words (entry_words) VALUES ('integrity-check')")


def test_two_stores_do_not_disturb_each_other(desk):
    """A command erases beside a running daemon: its writes wait, and its next decision is about what is there."""
    other = Store.open(desk.store.path, desk.now)
    with other.transaction():
        other.forgetting.erase(ANA)
    assert other.clean_up() == ""
    other.close()
    desk.writes(f"Ana Lima <{ANA}>", "Again.")
    assert desk.ticket(1003).requester == ANA


def test_writing_the_file_anew_takes_no_memory(desk):
    """The store may be as large as the memory that the daemon is allowed."""
    connection = desk.store._connection
    with desk.store.transaction():
        desk.store.forgetting.erase("ben@customer.example")
        for _ in range(600):
            connection.execute("INSERT INTO body (data) VALUES (randomblob(100000))")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here (proc(5))
    before = _peak_kib()
    assert desk.store.clean_up() == ""
    assert desk.store.path.stat().st_size > 60_000_000
    assert _peak_kib() - before < 40_000


def _peak_kib():
    """Return the most memory that this process has held (proc(5), VmHWM)."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
