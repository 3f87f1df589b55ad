"""`mailtickets status`: what it prints for people and for scripts, over a store."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner, Result

from mailtickets.cli import cli
from mailtickets.clocks import utc_now
from mailtickets.desk.ticket import Alarm
from mailtickets.store import Store
from mailtickets.store.outbox import State
from tests.store.test_outbox import MAIL
from tests.test_config import written


def status(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(folder / "config.toml"), "status", *words])


def raised(store: Store, *kinds: str) -> None:
    with store.transaction():
        for kind in kinds:
            store.alarms.raise_(Alarm(kind, f"Trouble of {kind}", "why", "Look."), utc_now())


def test_troubles_for_scripts_end_with_their_cause(tmp_path: Path):
    """Nothing is in quarantine, held back or of unknown fate any more: a script that reads `troubles` pages nobody."""
    written(tmp_path)
    store = Store.open(tmp_path / "desk.db", utc_now())
    raised(store, "quarantine", "own_address", "uncertain mail", "pause volume", "repeats")
    (left,) = json.loads(status(tmp_path, "--json").stdout)["troubles"]
    assert (left["kind"], left["what"]) == ("repeats", "Trouble of repeats")
    assert left["since"][:10] in {f"{utc_now():%Y-%m-%d}", f"{utc_now() - timedelta(minutes=1):%Y-%m-%d}"}
    store.close()


def test_an_alarm_of_mails_that_are_still_uncertain_is_a_trouble(tmp_path: Path):
    """For scripts as for people, who read how many are left and what to type, on a line of its own."""
    written(tmp_path)
    store = Store.open(tmp_path / "desk.db", utc_now())
    with store.transaction():
        number = store.outbox.queue(replace(MAIL, human=False), None, utc_now())
        store.outbox.claim(utc_now(), 1, "nobody")
        store.outbox.after_unclean_end(utc_now(), 3)
    assert store.views.outbox_counts() == {State.UNCERTAIN.value: 1}
    raised(store, "uncertain mail")
    said = json.loads(status(tmp_path, "--json").stdout)
    assert [one["kind"] for one in said["troubles"]] == ["uncertain mail"]
    assert said["wrong"][-1].endswith(f"or `mailtickets outbox cancel {number}`")
    result = status(tmp_path)
    assert result.exit_code == 1
    cause, remedy = result.stdout.splitlines()[-2:]
    assert cause.startswith("! 1 mail was perhaps sent and perhaps not (since ")
    assert remedy == (
        f"  -> look with `mailtickets outbox list`, then `mailtickets outbox retry {number}`"
        f" or `mailtickets outbox cancel {number}`"
    )
    store.close()
