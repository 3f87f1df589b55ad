"""The whole story under random faults; `make faults` does it thousands of times. Each prints its seed, which repeats it.

Killed at named points, and, in every second story, IMAP and SMTP cut or silent after any byte of either side.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.forks import HASTY, Forks
from tests.faults.story import STAGES, FaultDesk, Reminder, play, the_reminder
from tests.support.dovecot import Dovecot
from tests.support.faulty_network import Cut, FaultyNetwork, Side, Stall
from tests.support.smtp_sink import SmtpSink

PARTS = 4  # side by side
Rows = Counter[tuple[str, str, int]]
# A mail in whose reading three processes died is quarantined, and rightly so; two may die.
READING = {"raw-stored", "parsed", "written"}


def any_fault(dice: random.Random) -> Cut | Stall:
    """Return a fault after any byte, more often after an early one."""
    after = int(10 ** dice.uniform(0, 4.3))
    side: Side = dice.choice(("server", "client"))
    return Stall(after, side) if dice.random() < 0.1 else Cut(after, side, abrupt=dice.random() < 0.5)


def reminded_again(expected: Rows) -> Rows:
    """Return what the story says where the fate of its reminder was unknown: a fresh one goes out in place of the closing (design section 5), and so nothing reopens."""
    ana, kim = '["ana@customer.example"]', '["kim@desk.example"]'
    instead = Counter({("reminder", ana, 1001): 1, ("agent_reply", kim, 1001): 1})
    return expected + instead - Counter({("closed", ana, 1001): 1, ("agent_reopened", kim, 1001): 1})


class Fate:
    """What happens to one story: the dice, and what has fallen so far."""

    def __init__(self, seed: int, networks: tuple[FaultyNetwork, FaultyNetwork]) -> None:
        self.dice, self.networks, self.fallen = random.Random(seed), networks, Counter[str]()

    def story(self, desk: FaultDesk, *, cuts: bool) -> Reminder:
        """Play all stages, each begun again until no fault is left for it."""
        reminder = None
        for stage in STAGES:
            if stage.name == "closing":
                # Now: an admin who has a mail sent again, as a later stage does, changes what the store says.
                reminder = the_reminder(desk)
            desk.set_clock(desk.shift + stage.hours * 3600)
            stage.happens(desk)
            left, died_reading = self.dice.randrange(1, 7), 0
            while True:
                if cuts:
                    for network in self.networks:
                        network.arm(
                            *(
                                any_fault(self.dice)
                                for _ in range(self.dice.choice((0, 1, 1, 2)) if left else 0)
                            )
                        )
                point = "any" if died_reading < 2 else "sending"
                desk.begin(f"{point}:{self.dice.randrange(1, 25)}" if left else "")
                if desk.settle():
                    break
                left -= 1
                last = (desk.folder / "crash").read_text().split()[-1]
                self.fallen[last] += 1
                died_reading += last in READING
            desk.down()
            for network in self.networks:
                network.mend()
        assert reminder
        return reminder


@pytest.mark.timeout(7200)
@pytest.mark.fault("All steps", "random faults")
@pytest.mark.parametrize("part", range(PARTS))
def test_faults_at_random(
    tmp_path: Path,
    dovecot: Dovecot,
    sink: SmtpSink,
    forks: Forks,
    part: int,
    book,
    pytestconfig: pytest.Config,
):
    """Whatever breaks, again and again: in the end nothing is lost, nothing doubled, and the store is whole."""
    asked = pytestconfig.getoption("--seed-of-faults")
    seed = random.randrange(1_000_000) if asked is None else asked + part
    print(f"seed {seed - part}")
    wanted = max(pytestconfig.getoption("--kills") // PARTS, 1)
    (tmp_path / "without").mkdir()
    expected = play(FaultDesk(tmp_path / "without", dovecot, sink, forks), tmp_path).says[-1]
    with FaultyNetwork(dovecot.imap) as imap, FaultyNetwork(sink.port) as smtp:
        fate, stories, counts = Fate(seed, (imap, smtp)), 0, Counter[str]()
        while fate.fallen.total() < wanted:
            stories += 1
            folder = tmp_path / f"story-{stories}"
            folder.mkdir()
            desk = FaultDesk(folder, dovecot, sink, forks, ports=(imap.port, smtp.port))
            desk.env = {HASTY: "1"}
            reminder = fate.story(desk, cuts=stories % 2 == 0)
            unknown = reminder.state == "uncertain"
            counts += desk.check(reminded_again(expected) if unknown else expected)
            counts += Counter(
                uncertain=desk.never_arrived(), again=unknown, arrived=unknown and reminder.arrived
            )
            desk.restart_changes_nothing()
        cuts = imap.struck + smtp.struck
    print(f"{dict(fate.fallen)}, {cuts} cuts of the network, in {stories} stories")
    book(runs=fate.fallen.total() + cuts, **counts)
    assert (counts["lost"], counts["doubled"]) == (0, 0)
