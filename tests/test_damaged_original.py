"""A stored mail whose bytes are damaged: each place that meets it says so in words, and goes on with the others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.config import load
from mailtickets.diagnosis.recent_mail import recent_mail_findings
from mailtickets.errors import name_of
from mailtickets.store.errors import OriginalDamaged
from tests.support.desk import Desk
from tests.test_config import written

DAMAGE = "the stored original of mail 1 is damaged (Error -3"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Ana's mail is on its ticket, and its bytes are damaged; so it is tried again."""
    written(tmp_path)
    made = Desk(tmp_path)
    made.writes("ana@customer.example", "It burns.", subject="Printer on fire")
    made.close()
    made.open()
    with made.store.transaction():
        made.store._connection.execute("UPDATE original SET data = x'789c6162636465666768' WHERE 1")
    yield made
    made.close()


def again(desk: Desk) -> None:
    """Have the mail decided, which cannot be read."""
    with desk.store.transaction():
        desk.store._connection.execute(
            "UPDATE copy SET state = 'waiting', reason = '', ticket = NULL, tries = 2"
        )
    desk.run()


def test_the_error_names_the_mail(desk):
    """Whole and in part; the words of the library come last."""
    digest = desk.store.ledger.copy(1).digest
    with pytest.raises(OriginalDamaged, match="mail 1 is damaged"):
        desk.store.ledger.original(digest)
    with pytest.raises(OriginalDamaged, match="mail 1 is damaged"):
        desk.store.ledger.beginning(digest, 100)


def test_it_is_quarantined_with_words_that_are_true(desk):
    """The reason says what is damaged; neither the alarm nor the ticket after its release says that it is kept whole."""
    again(desk)
    state, reason, _ = desk.copies()[0]
    assert (state, reason.startswith(DAMAGE)) == ("quarantined", True)
    alarm = desk.last("it@desk.example").text
    assert "kept whole" not in alarm
    assert "or a backup" in " ".join(alarm.split())
    with desk.store.transaction():
        assert desk.store.ledger.release(1)
    desk.run()
    (text,) = [one.text for one in desk.entries(1002) if one.kind == "mail_in"]
    assert "kept whole" not in text
    assert "damaged" in text


def test_it_is_shown_without_a_traceback(desk):
    """Damaged, and gone: its head, what can be done, and where its bytes may be."""
    again(desk)
    for why in (DAMAGE, "not in the store"):
        done = CliRunner().invoke(
            cli, ["--config", str(desk.folder / "config.toml"), "quarantine", "show", "1"]
        )
        assert (done.exit_code, done.exception) == (0, None)
        assert "quarantine release 1" in done.stdout
        assert "its bytes cannot be read: " in done.stdout
        assert why in done.stdout
        raw = CliRunner().invoke(
            cli, ["--config", str(desk.folder / "config.toml"), "quarantine", "show", "1", "--raw"]
        )
        assert (raw.exit_code, raw.stdout, why in raw.stderr) == (1, "", True)
        with desk.store.transaction():
            desk.store._connection.execute("DELETE FROM original")


def test_doctor_looks_at_the_others(desk):
    """The damaged mail is named, a warning; the check of addresses goes on."""
    config = load(desk.folder / "config.toml")
    found = list(recent_mail_findings(desk.store, config, desk.now + timedelta(hours=1)))
    first = found[0]
    assert (first.check, first.state.value, first.what.startswith(DAMAGE)) == (
        "store.originals",
        "warning",
        True,
    )
    assert "addresses" in {one.check for one in found}


def test_replay_counts_it_apart(desk):
    """It is nowhere else: it cannot be read."""
    done = CliRunner().invoke(cli, ["--config", str(desk.folder / "config.toml"), "replay", "--dry-run"])
    assert done.stdout.endswith("1 mail read again, 0 would land elsewhere today, 1 cannot be read\n")


def test_a_mail_that_is_not_in_quarantine_says_where_it_is(desk):
    """On its ticket, held for an agent, or nowhere."""
    for state, words in (
        ("on_ticket", "mail 1 is not in quarantine, but on SUP-1001"),
        ("held", "agent's answer"),
    ):
        with desk.store.transaction():
            desk.store._connection.execute("UPDATE copy SET state = ?", (state,))
        for command in ("drop", "retry", "release"):
            done = CliRunner().invoke(
                cli, ["--config", str(desk.folder / "config.toml"), "quarantine", command, "1", "99"]
            )
            assert done.exit_code == 1
            assert words in done.stderr
            assert "there is no mail 99 in the ledger" in done.stderr


def test_an_exception_of_a_library_is_named_with_it():
    """A bare "error" says nothing; Python's own stay short."""
    import zlib

    assert name_of(zlib.error("x")) == "zlib.error"
    assert name_of(KeyError()) == "KeyError"
