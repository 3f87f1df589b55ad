"""kill -9 at every named point, for every mail and timer of a small story; the six assertions afterwards."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mailtickets.crashpoints import POINTS
from tests.faults.forks import Forks
from tests.faults.story import STAGES, Accepted, FaultDesk, Line, play
from tests.support.dovecot import Dovecot
from tests.support.smtp_sink import SmtpSink

# Those on the way of a mail or timer; the others have tests of their own.
ON_THE_WAY = [point for point in POINTS if not point.startswith(("migrated", "backup"))]


@pytest.fixture(scope="module")
def line(tmp_path_factory, dovecot: Dovecot, sink: SmtpSink, forks: Forks) -> Line:
    folder: Path = tmp_path_factory.mktemp("story")
    (folder / "desk").mkdir()
    return play(FaultDesk(folder / "desk", dovecot, sink, forks), folder)


@pytest.mark.timeout(400)
@pytest.mark.fault("All steps", "kill -9 at each point for each mail")
@pytest.mark.fault("Commit", "kill -9 before / after")
@pytest.mark.fault("Fetch", "kill -9 or drop mid-literal")
@pytest.mark.fault("SMTP after dot", "250 lost, timeout, drop, kill -9")
@pytest.mark.fault("Timer", "kill -9 between due and commit")
@pytest.mark.fault("Attachment", "disk full, kill -9 mid-write")
@pytest.mark.parametrize("number", range(len(STAGES)), ids=[stage.name for stage in STAGES])
def test_kill_at_each_point(line: Line, tmp_path: Path, number: int, book):
    """Killed at any point of a stage, the desk ends where it ends without; two more starts change nothing."""
    reached, wrong = Counter[str](), Counter[str]()
    for point in ON_THE_WAY:
        for count in range(1, 30):
            desk = line.before[number].copy(tmp_path / f"{point}-{count}")
            desk.set_clock(desk.shift + STAGES[number].hours * 3600)
            already = line.accepted[number]
            for raw in line.mails[number]:
                desk.deliver(raw)
            begun = len(desk.sink.mails)
            desk.begin(f"{point}:{count}")
            died = not desk.settle()
            if died:
                assert (desk.folder / "crash").read_text() == f"{point}\n"
                desk.begin()
                assert desk.settle()
                reached[point] += 1
            desk.accepted = Since(desk.sink, line, already, begun)
            wrong += desk.check(line.says[number])
            if count == 1:
                desk.restart_changes_nothing()
            desk.down()
            if not died:
                break
    print(dict(reached))
    book(runs=reached.total(), lost=wrong["lost"], doubled=wrong["doubled"])
    assert not wrong.total()
    assert set(reached) >= STAGES[number].points


class Since(Accepted):
    """What was accepted in the story up to a stage, and then in a desk that began from its copy."""

    def __init__(self, sink: SmtpSink, line: Line, already: int, begun: int) -> None:
        super().__init__(sink, begun)
        first = line.before[0].accepted.start
        self._before = sink.mails[first:already]

    @property
    def mails(self):
        return [*self._before, *super().mails]
