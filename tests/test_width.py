"""What a terminal is too narrow for is broken at words or put below; programs get each line whole."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.cli.words import table, table_stamp, wrapped
from mailtickets.clocks import utc_now
from mailtickets.store import Store
from mailtickets.store.times import to_us
from tests.store.test_outbox import MAIL
from tests.support.desk import Desk
from tests.test_config import SHORT, written

WIDTH = 80
ERROR = "the server refused user support: 535 5.7.8 Error: authentication failed; check [smtp] username and password"
LONG = "look at it; `mailtickets restore /var/backups/mailtickets/desk-20260302-090000.db` goes back, then start the desk"

LONG_RULE = """
[[rule]]
name = "Everything that burns goes to the people with the fire extinguishers, at once"
words = ["on fire", "smoke", "flames in the coffee machine", "smells as if something burns"]
then = { type = "incident", tags = ["fire", "building", "facilities", "second-floor"], assign = "kim" }
"""


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailtickets.cli.words.columns", lambda **_: WIDTH)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A desk with tickets, a mail in quarantine, and one that its server does not take."""
    written(tmp_path)
    desk = Desk(tmp_path)
    desk.writes(
        "ana@customer.example", "It burns.", subject="The printer on the second floor is on fire again"
    )
    desk.receives(
        desk.mail("support@desk.example", "From the web form.", subject="A question from the web form")
    )
    desk.close()
    now = utc_now()
    with closing(Store.open(tmp_path / "desk.db", now)) as store, store.transaction():
        address = ("somebody.with.a.long.name@customer.example",)
        store.outbox.queue(replace(MAIL, recipients=address), None, now)
        store._connection.execute(
            "UPDATE outbox SET state = 'deferred', last_error = ?, next_at = ?",
            (ERROR, to_us(now + timedelta(hours=1))),
        )
    return tmp_path


def said(folder: Path, *words: str) -> str:
    return CliRunner().invoke(cli, ["--config", str(folder / "config.toml"), *words]).stdout


@pytest.mark.usefixtures("narrow")
def test_a_command_to_be_copied_stays_in_one_line():
    """All else is broken at words, and goes on indented."""
    lines = wrapped(LONG, "    ").split("\n")
    assert [line for line in lines if re.search(r"`mailtickets restore \S+`", line)]
    assert lines[0] == "look at it;"
    assert all(line.startswith("    ") for line in lines[1:])
    assert " ".join(line.strip() for line in lines) == LONG


def test_programs_get_lines_whole():
    """Standard output is no terminal here."""
    assert wrapped(LONG) == LONG


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("words", [("list",), ("quarantine",), ("outbox",), ("outbox", "list")])
def test_tables_fit_a_terminal(folder: Path, words: tuple[str, ...]):
    """Each line, also of a mail with a long address and a long error."""
    lines = said(folder, *words).splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= WIDTH, lines


@pytest.mark.usefixtures("narrow")
def test_the_last_error_stands_whole_below(folder: Path):
    """It is what one looks for, and was cut."""
    assert ERROR in " ".join(said(folder, "outbox").split())


def test_a_table_for_programs_is_as_wide_as_it_was(folder: Path):
    """One line for each mail."""
    lines = said(folder, "outbox").splitlines()
    assert len({line.split()[0] for line in lines}) == len(lines)
    assert "last error" in lines[0]


@pytest.mark.usefixtures("narrow")
def test_what_is_said_of_one_mail_fits(folder: Path):
    """What can be done with one in quarantine; why one was not sent."""
    for words in (("quarantine", "show", "2"), ("outbox", "show", "1")):
        head = said(folder, *words).split("\n\n")[0].splitlines()
        assert head
        assert max(map(len, head)) <= WIDTH, head


def test_times_in_tables(monkeypatch: pytest.MonkeyPatch):
    """Short on a narrow terminal, with the year where it is another one."""
    moment, zone = datetime(2001, 3, 2, 9, 0, tzinfo=UTC), ZoneInfo("UTC")
    assert table_stamp(moment, zone) == "Fri 02 Mar 2001 09:00"
    monkeypatch.setattr("mailtickets.cli.words.columns", lambda **_: WIDTH)
    assert table_stamp(moment, zone) == "02 Mar 2001 09:00"
    assert table_stamp(utc_now(), zone) == f"{utc_now():%d %b %H:%M}"
    assert table_stamp(None, zone) == ""


@pytest.mark.usefixtures("narrow")
def test_a_wide_table_is_cut_where_it_is_widest():
    """Short columns keep all they say."""
    lines = table([("1", "x" * 50, "y" * 58)], ("id", "from", "subject")).splitlines()
    assert len(lines[1]) == WIDTH
    assert lines[1].startswith("1   xxx")
    assert lines[1].count("\u2026") == 2


def test_a_real_terminal_is_asked_for_its_width(folder: Path):
    """A refused store is said in lines that fit."""
    (folder / "desk.db").write_bytes(b"no store at all" * 100)
    main, other = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "mailtickets", "--config", str(folder / "config.toml"), "list"], stdin=other, stdout=other,
        stderr=other, env={**os.environ, "COLUMNS": "60"}, timeout=60, check=False,
    )  # fmt: skip
    os.close(other)
    lines = os.read(main, 10_000).decode().splitlines()
    os.close(main)
    assert len(lines) > 1
    assert all(len(line) <= 60 or " " not in line.strip() or "`" in line for line in lines), lines


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(
    "words",
    [
        ("rules", "list"),
        ("rules", "test", "mail.eml"),
        ("next",),
        ("next", "--against", "other.toml"),
        ("forget", "--yes", "ana.maria.of.the.second.floor@customer.example"),
        ("forget", "--yes", "ben@customer.example"),
        ("organisations", "import", "new.csv"),
    ],
    ids=" ".join,
)
def test_what_commands_say_fits_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
):
    """Each line, of a long rule, a person with a long address, and a changed file; nothing is cut off."""
    monkeypatch.chdir(tmp_path)
    ana, config = (
        "ana.maria.of.the.second.floor@customer.example",
        SHORT.replace("acme.example", "desk.example"),
    )
    written(tmp_path, config.replace("[smtp]", 'organisations = "known.csv"\n\n[smtp]') + LONG_RULE)
    (tmp_path / "other.toml").write_text(
        config.replace('tag = "SUP"', 'tag = "SUP"\nreminders = ["30h", "90h"]')
    )
    (tmp_path / "known.csv").write_text("key,name,domains\n")
    (tmp_path / "new.csv").write_text("key,name,domains\nacme,Acme,acme.example\n")
    (tmp_path / "mail.eml").write_bytes(
        b"From: ana@customer.example\nTo: support@desk.example\nSubject: The printer on the second floor burns\n\nOn fire.\n"
    )
    desk = Desk(tmp_path, now=utc_now())
    desk.writes(ana, "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Please try water.")
    desk.close()
    result = CliRunner().invoke(cli, ["--config", str(tmp_path / "config.toml"), *words])
    lines = (result.stdout + result.stderr).splitlines()
    assert lines, result.exception
    assert all(len(line) <= WIDTH or " " not in line.strip() for line in lines), lines
    if words == ("rules", "list"):
        assert "flames in the coffee machine" in " ".join(result.stdout.split())
