"""`mailtickets report`: each format from the command line, and every mistake told in one sentence."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.figures.apart import Drawn
from tests.figures.conftest import DAY, MINUTE

CONFIG = """
[desk]
name = "Acme Support"
store = "desk.db"
timezone = "Europe/London"
[smtp]
host = "127.0.0.1"
security = "none"
[mailbox.support]
maildir = "mail"
[queue.support]
address = "support@acme.example"
tag = "SUP"
agents = ["kim"]
[agent.kim]
name = "Kim Archer"
email = "kim@acme.example"
[service_level.gold]
P1 = { name = "Urgent", first_response = "30m" }
"""
YESTERDAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture
def report(desk, tmp_path):
    """Run the command on a store with two tickets of yesterday; return exit code, output, and what went wrong."""
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    desk.ticket(YESTERDAY.isoformat()[:16], priority="P1", answered=20 * MINUTE, kept=True, assignee="kim")
    desk.ticket((YESTERDAY - 60 * DAY).isoformat()[:16], queue="old")

    def run(*arguments):
        made = CliRunner().invoke(
            cli, ["--config", str(tmp_path / "config.toml"), "report", *map(str, arguments)]
        )
        assert made.exception is None or isinstance(made.exception, SystemExit), made.exception
        return made.exit_code, made.stdout, made.stderr

    return run


def test_without_a_word_it_is_the_text_of_thirty_days(report):
    """The priority has the service level's name; the backlog holds the older ticket."""
    code, text, _ = report()
    assert code == 0
    assert text.startswith("Acme Support: ")
    assert "Opened                     1\n" in text.replace("   0.0 a day", "")
    assert "Backlog                    2   1 more than at the start\n" in text
    assert "First response         100 %    95 %           1           0\n" in text
    assert "\x1b" not in text


def test_every_format(report, monkeypatch):
    """Text for people, a page, CSV and JSON for programs."""
    monkeypatch.setattr("mailtickets.figures.apart.pictures_apart", lambda _: Drawn(note="no pictures today"))
    assert json.loads(report("--format", "json", "--last", "7d")[1])["total"]["opened"] == 1
    rows = list(csv.reader(io.StringIO(report("--format", "csv", "--by", "queue")[1])))
    assert {row[2] for row in rows[1:]} == {"total", "queue"}
    page = report("--format", "html")[1]
    assert page.startswith("<!doctype html>")
    assert "no pictures today" in page


def test_it_writes_to_a_file(report, tmp_path):
    """As it is; CSV has the line ends of its standard."""
    path = tmp_path / "out.csv"
    assert report("--format", "csv", "--output", path)[:2] == (0, "")
    assert path.read_bytes().startswith(b"from,to,dimension,key,name,figure,value\r\n")
    code, _, said = report("--output", tmp_path / "none" / "out.txt")
    assert code == 1
    assert said.endswith(
        "out.txt: cannot be written (No such file or directory); name another file in --output\n"
    )


def test_filters_take_what_the_desk_knows(report):
    """Keys of the configuration, words of older tickets, and a priority by its name."""
    assert "Only agent Kim Archer\n" in report("--agent", "kim")[1]
    assert "Only queue old\n" in report("--queue", "old", "--last", "30d")[1]
    assert "Only priority P1 Urgent\n" in report("--priority", "urgent")[1]
    assert "Only priority P1 Urgent\n" in report("--priority", "p1")[1]
    assert "By agent: first response" in report("--by", "agent")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "soon"], '--from "soon": not a date; write it as 2026-11-24'),
        (["--to", "2026-02-30"], "--to 2026-02-30: there is no such day in the calendar"),
        (
            ["--last", "decade"],
            '--last "decade": not a period; write one of 7d, 30d, week, month, quarter, year',
        ),
        (
            ["--last", "week", "--to", "2026-01-01"],
            "--last names a whole period by itself; leave out --from and --to",
        ),
        (["--queue", "suport"], "there is no queue suport; did you mean support?"),
        (["--agent", "zoe"], "there is no agent zoe; there are kim"),
        (["--priority", "P9"], "there is no priority P9; there are P1, P2, P3, P4"),
        (["--organisation", "acme"], "there is no organisation acme"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(report, arguments, said):
    """What is wrong, and what to write."""
    assert report(*arguments) == (2, "", f"{said}\n")


def test_without_a_store_it_says_what_to_do(tmp_path):
    """The desk was never started."""
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    from mailtickets.cli.words import explained

    made = CliRunner().invoke(cli, ["--config", str(tmp_path / "config.toml"), "report"])
    assert "there is no store yet" in explained(made.exception)[0]
