"""The whole story, killed again and again at random points; `make faults` does it thousands of times."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.forks import Forks
from tests.faults.story import STAGES, FaultDesk
from tests.support.dovecot import Dovecot
from tests.support.smtp_sink import SmtpSink


@pytest.mark.timeout(7200)
@pytest.mark.fault("All steps", "random faults")
@pytest.mark.parametrize("part", range(2))
def test_kills_at_random(
    tmp_path: Path,
    dovecot: Dovecot,
    sink: SmtpSink,
    forks: Forks,
    part: int,
    book,
    pytestconfig: pytest.Config,
):
    """Killed again and again at random points of the whole story, the desk has lost nothing and doubled nothing."""
    asked = pytestconfig.getoption("--seed-of-faults")
    seed = random.randrange(1_000_000) if asked is None else asked + part
    print(f"seed {seed}")
    dice, kills, stories = random.Random(seed), 0, 0
    wanted = max(pytestconfig.getoption("--kills") // 2, 1)
    while kills < wanted:
        stories += 1
        folder = tmp_path / f"story-{stories}"
        folder.mkdir()
        desk = FaultDesk(folder, dovecot, sink, forks)
        for stage in STAGES:
            desk.set_clock(desk.shift + stage.hours * 3600)
            stage.happens(desk)
            left = dice.randrange(1, 7)
            deaths_while_reading = 0
            while True:
                # A mail in whose reading three processes died is quarantined, and rightly so.
                point = "" if left == 0 else "any" if deaths_while_reading < 2 else "sending"
                desk.begin(f"{point}:{dice.randrange(1, 25)}" if point else "")
                if desk.settle():
                    break
                kills += 1
                left -= 1
                last = (folder / "crash").read_text().split()[-1]
                deaths_while_reading += last in {"raw-stored", "parsed", "written"}
            desk.down()
            assert desk.ask("SELECT count(*) FROM copy WHERE state = 'quarantined'") == [(0,)], f"seed {seed}"
        desk.check()
        desk.restart_changes_nothing()
    print(f"{kills} kills in {stories} stories")
    book(runs=kills)
