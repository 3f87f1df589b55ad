"""Commands that only look, while the configuration has mistakes; and --json where there is nothing to look at."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailtickets.cli import cli
from mailtickets.config import ConfigInvalid
from mailtickets.store import Store
from tests.test_config import SHORT, written

LOOKING = (
    "status",
    "list",
    "search fire",
    "outbox",
    "outbox list",
    "quarantine",
    "held",
    "ledger",
    "backup {}/copy.db",
)
MISTAKES = {
    "a value": ('security = "maybe"\n', "smtp.security"),
    "no TOML": ("security = \n", "not valid TOML"),
    "a table": ("[mailbocks]\n", "is no known table"),
}


def ask(folder: Path, words: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(folder / "config.toml"), *words.format(folder).split()])


@pytest.fixture(params=MISTAKES)
def mistake(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store, and a configuration with a mistake below [desk]; what is said of it."""
    text, said = MISTAKES[request.param]
    host = 'host = "mail.acme.example"\n'
    written(tmp_path, SHORT.replace(host, host + text, 1))
    Store.open(tmp_path / "desk.db", datetime.now(UTC)).close()
    return said


@pytest.mark.parametrize("words", LOOKING)
def test_what_only_looks_goes_on(tmp_path: Path, mistake: str, words: str):
    """The mistake is said, the command does its work, and the exit code is 1."""
    done = ask(tmp_path, words)
    assert mistake in done.stderr
    assert "a running daemon goes on with the one it has" in done.stderr
    assert (done.exit_code, bool(done.stdout)) == (1, True)


def test_json_stays_json(tmp_path: Path, mistake: str):
    """The mistake stands beside it, on standard error."""
    done = ask(tmp_path, "list --json")
    assert (done.exit_code, json.loads(done.stdout)) == (1, [])
    assert mistake in done.stderr


@pytest.mark.parametrize("words", ["outbox resume", "outbox retry 1", "quarantine drop 1", "run"])
def test_what_changes_something_is_refused(tmp_path: Path, mistake: str, words: str):
    """As ever: that is exit code 78."""
    done = ask(tmp_path, words)
    assert isinstance(done.exception, ConfigInvalid)
    assert mistake in str(done.exception)
    assert not done.stdout


@pytest.mark.parametrize(
    "store",
    ["", 'store = ""', "store = 5", 'store = "desk.db" "x"'],
    ids=["none", "empty", "number", "no TOML"],
)
def test_without_the_store_there_is_nothing_to_look_at(tmp_path: Path, store: str):
    """Where `desk.store` itself cannot be read, the mistakes are all that is said."""
    written(tmp_path, SHORT.replace('store = "desk.db"', store))
    done = ask(tmp_path, "list")
    assert done.exit_code != 0
    assert not done.stdout


@pytest.mark.parametrize("words", ["status --json", "ledger --json", "list --json", "outbox list --json"])
def test_with_json_a_fault_is_json(tmp_path: Path, words: str):
    """A script can read what is wrong; the exit code is that without --json."""
    written(tmp_path)
    done = ask(tmp_path, words)
    assert "there is no store yet" in json.loads(done.stdout)["error"]
    assert done.exit_code == 1


def test_with_json_mistakes_in_the_configuration_are_json(tmp_path: Path):
    """Of a command that cannot go on with them: exit code 78."""
    written(tmp_path, SHORT.replace("[smtp]", "[smpt]"))
    done = ask(tmp_path, "show 1001 --json")
    assert "did you mean" in json.loads(done.stdout)["error"]
    assert done.exit_code == 78
