"""The four files as an admin would check them: nothing is refused, nothing is doubted, every rule can be read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.config import load

HERE = Path(__file__).resolve().parent
DESKS = {
    "a-school-devices": "FENLAND_PASSWORD",
    "b-telecoms": "BOREAL_PASSWORD",
    "c-placements": "MEADOW_PASSWORD",
    "d-music-software": "CADENCE_PASSWORD",
}


def run(name, *arguments):
    """Run a command on one of the files and return its exit code and what it printed."""
    path = HERE / name / "config.toml"
    result = CliRunner().invoke(cli, ["--config", str(path), *arguments], env={DESKS[name]: "hunter2"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_every_desk_of_this_folder_is_checked():
    """A further desk has to be named above."""
    assert sorted(DESKS) == sorted(path.parent.name for path in HERE.glob("*/config.toml"))


@pytest.mark.parametrize("name", DESKS)
def test_check_finds_each_desk_in_order(name):
    """Exit code 0, and not a single warning; templates included."""
    code, said = run(name, "check")
    assert (code, said) == (0, f"{HERE / name / 'config.toml'}: in order\n")


@pytest.mark.parametrize("name", DESKS)
def test_each_desk_loads_without_a_password(name, monkeypatch):
    """Secrets are asked for when they are needed, not when the file is read."""
    monkeypatch.delenv(DESKS[name], raising=False)
    assert load(HERE / name / "config.toml").warnings == ()


@pytest.mark.parametrize(
    ("name", "calendar", "day", "words"),
    [
        ("a-school-devices", "team", "2026-11-23", "Mon 23 Nov 2026  07:30-17:00"),
        ("b-telecoms", "office", "2026-12-24", "Thu 24 Dec 2026  09:00-17:30"),
        ("b-telecoms", "office", "2026-12-25", "Fri 25 Dec 2026  Christmas Day"),
        ("c-placements", "office", "2026-12-28", "Mon 28 Dec 2026  Boxing Day (observed)"),
    ],
)
def test_the_hours_can_be_read_back(name, calendar, day, words):
    """`calendar` shows the open hours as the desk sees them, and why a day has none."""
    code, said = run(name, "calendar", calendar, "--from", day, "--to", day)
    assert (code, words in said) == (0, True)


def test_the_rules_can_be_read_back():
    """`rules list` says in a sentence what each asks for, and what follows."""
    code, said = run("c-placements", "rules", "list")
    assert code == 0
    assert (
        'rule 5 "complaints"\n    when it comes to helpdesk and the subject has "complaint" or "complain"'
        in said
    )
