"""`mailtickets outbox`: when a mail goes, or why it does not though it is due."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.cli.words import EXIT_TRY_LATER, explained
from mailtickets.clocks import utc_now
from mailtickets.desk.pausing import Pause, clock_pause, volume_pause
from mailtickets.store import Store
from mailtickets.store.lock import StoreLock
from mailtickets.store.outbox import Held
from tests.store.test_outbox import MAIL
from tests.test_config import SHORT, written

MINUTE = timedelta(minutes=1)
MAILS = {
    "reminder": MAIL,
    "answer": replace(MAIL, kind="answer", human=True, message_id="<b@desk.example>"),
    "agent_new": replace(MAIL, kind="agent_new", reader="agent", message_id="<c@desk.example>"),
    "trouble": replace(MAIL, kind="trouble", reader="admin", message_id="<d@desk.example>"),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Four mails, due since a minute."""
    written(tmp_path)
    now = utc_now() - MINUTE
    made = Store.open(tmp_path / "desk.db", now)
    with made.transaction():
        for mail in MAILS.values():
            made.outbox.queue(mail, None, now)
    yield made
    made.close()


def ask(store: Store, *words: str) -> str:
    done = CliRunner().invoke(cli, ["--config", str(store.path.with_name("config.toml")), *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def said(store: Store) -> dict[str, str]:
    """Return for each kind what the list says about its next try."""
    head, *rows = ask(store, "outbox", "list").splitlines()
    at, end = head.index("next"), head.index("last error")
    return {row.split()[2]: row[at:end].strip() for row in rows}


def pause(store: Store, pause: Pause) -> str:
    with store.transaction():
        store.set_setting(f"pause_{pause.cause}", pause.text())
    return f"{pause.until:%H:%M}"


def test_a_mail_that_is_due_has_no_time_in_the_past(store: Store):
    """It goes now, or when the desk runs; one that failed does not go."""
    assert set(said(store).values()) == {"when the desk runs"}
    with StoreLock(store.path):
        assert set(said(store).values()) == {"now"}
        assert "next try    now" in ask(store, "outbox", "show", "1")
    with store.transaction():
        store.outbox.cancel(1)
    assert "next try" not in ask(store, "outbox", "show", "1")


def test_what_a_pause_holds_says_which_and_until_when(store: Store):
    """By volume all automatic mail but alarms, by a doubtful clock that to customers; a pause that is over holds nothing."""
    until = pause(store, clock_pause("a jump", utc_now()))
    held = f"held back until {until}: doubtful clock"
    assert said(store) == dict.fromkeys(MAILS, "when the desk runs") | {"reminder": held}
    pause(store, replace(clock_pause("a jump", utc_now()), until=utc_now() - MINUTE))
    until = pause(store, volume_pause(5000, utc_now()))
    held = f"held back until {until}: automatic_per_hour"
    assert said(store) == dict.fromkeys(MAILS, "when the desk runs") | {"reminder": held, "agent_new": held}
    assert f"next try    {held}" in ask(store, "outbox", "show", "1")
    told = {mail["kind"]: mail["held_back"] for mail in json.loads(ask(store, "outbox", "--json"))}
    assert told == dict.fromkeys(MAILS) | {"reminder": held, "agent_new": held}


def test_what_a_rate_slows_waits_its_turn(store: Store):
    """Where the account may send only so many mails a minute."""
    written(store.path.parent, SHORT.replace("[smtp]\n", "[smtp]\nmails_per_minute = 2\n"))
    assert set(said(store).values()) == {"waits its turn: mails_per_minute"}


@pytest.mark.parametrize("held", Held)
def test_what_is_said_to_be_held_is_what_is_held(store: Store, held: Held):
    """The words and the statement that claims mails agree on each mail."""
    views = {view.id: view for view in store.views.outbox()}
    with store.transaction():
        claimed = {mail.id for mail in store.outbox.claim(utc_now(), 16, "test", held=held)}
    for number, view in views.items():
        assert held.holds(view.kind, view.reader, human=view.human) == (number not in claimed), view.kind


def test_a_full_disk_says_that_nothing_was_changed(store: Store, monkeypatch: pytest.MonkeyPatch):
    """And where to make room; what the running desk does meanwhile is no answer to a command."""

    def full(*_: object) -> bool:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr("mailtickets.store.outbox.Outbox.retry", full)
    config = str(store.path.with_name("config.toml"))
    error = CliRunner().invoke(cli, ["--config", config, "outbox", "retry", "1"]).exception
    assert isinstance(error, Exception)
    said, code = explained(error) or ("", 0)
    assert said.startswith("nothing was changed: the store cannot be written: its disk is full")
    assert said.endswith(f"make room on the disk that holds {store.path.parent}")
    assert code == EXIT_TRY_LATER


def test_a_mail_that_cannot_be_changed_says_why(store: Store):
    """Sent and when, on its way, waiting already, cancelled, or none: each in its own words."""
    states = {1: ("sent", "was sent"), 2: ("sending", "is on its way"), 3: ("cancelled", "was cancelled")}
    with store.transaction():
        for number, (state, _) in states.items():
            sent = ", sent_at = queued_at" if state == "sent" else ""
            store._connection.execute(f"UPDATE outbox SET state = ?{sent} WHERE id = ?", (state, number))
    config = str(store.path.with_name("config.toml"))
    for command in ("retry", "cancel"):
        said = CliRunner().invoke(cli, ["--config", config, "outbox", command, "1", "2", "3", "99"])
        assert said.exit_code == 1
        for number, (_, words) in states.items():
            assert f"mail {number} {words}" in said.stderr
        assert "there is no mail 99 in the outbox" in said.stderr
    waits = CliRunner().invoke(cli, ["--config", config, "outbox", "retry", "4"])
    assert "mail 4 waits to be sent already" in waits.stderr
