"""kill -9 at every named point, for every mail and timer of a small story; the six assertions afterwards."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from mailtickets.crashpoints import POINTS
from tests.faults.forks import Forks
from tests.faults.matrix import Row
from tests.faults.story import STAGES, Accepted, FaultDesk, Line, play, the_reminder
from tests.support.dovecot import Dovecot
from tests.support.smtp_sink import SmtpSink

# Those on the way of a mail or timer; the others have tests of their own.
ON_THE_WAY = [point for point in POINTS if not point.startswith(("migrated", "backup"))]


@pytest.fixture(scope="module")
def line(tmp_path_factory, dovecot: Dovecot, sink: SmtpSink, forks: Forks) -> Line:
    folder: Path = tmp_path_factory.mktemp("story")
    (folder / "desk").mkdir()
    return play(FaultDesk(folder / "desk", dovecot, sink, forks), folder)


EVERY_POINT = ("All steps", "kill -9 at each point for each mail")
RAW = ("Store raw", "kill -9, power cut")
COMMIT = ("Commit", "kill -9 before / after")
AFTER_DOT = ("SMTP after dot", "250 lost, timeout, drop, kill -9")
TIMER = ("Timer", "kill -9 between due and commit")
# Points of the faults that have a row of their own. What is killed at the others is of no other row.
ROW_OF = {
    "fetched": RAW, "raw-stored": RAW,
    "parsed": COMMIT, "written": COMMIT, "committed": COMMIT,
    "attachment-temp": ("Attachment", "disk full, kill -9 mid-write"),
    "dot-sent": AFTER_DOT, "250-read": AFTER_DOT,
    "timer-due": TIMER, "timer-committed": TIMER,
}  # fmt: skip


def a_stage(number: int) -> ParameterSet:
    """Return the parameter for a stage, which names the rows of the points that lie on its way."""
    rows = {EVERY_POINT, *(ROW_OF[point] for point in STAGES[number].points if point in ROW_OF)}
    return pytest.param(
        number, id=STAGES[number].name, marks=[pytest.mark.fault(*row) for row in sorted(rows)]
    )


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("number", [a_stage(number) for number in range(len(STAGES))])
def test_kill_at_each_point(line: Line, tmp_path: Path, number: int, thorough: bool, book):
    """Killed at any point of a stage, the desk ends where it ends without; two more starts change nothing.

    The further starts come after the first kill at each point; with `make faults` after every kill.
    """
    reached, wrong = Counter[str](), Counter[str]()
    figures: defaultdict[Row, Counter[str]] = defaultdict(Counter)
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
            found = desk.check(line.says[number])
            wrong += found
            if died:
                for row in {EVERY_POINT, ROW_OF.get(point, EVERY_POINT)}:
                    figures[row] += found + Counter(runs=1, uncertain=desk.never_arrived())
            if count == 1 or thorough:
                desk.restart_changes_nothing()
            desk.down()
            if not died:
                break
    print(dict(reached))
    book(of=figures)
    assert not wrong.total()
    assert set(reached) >= STAGES[number].points


@pytest.mark.timeout(1200)
@pytest.mark.fault(*EVERY_POINT)
def test_a_reminder_of_unknown_fate_goes_out_again_once(line: Line, tmp_path: Path, book):
    """Killed before it is booked as sent, a fresh one comes in place of the closing, which follows it; killed after, none."""
    names = [stage.name for stage in STAGES]
    number, says = names.index("reminder"), line.says[names.index("closing")]
    closed, again = (
        Counter({(kind, '["ana@customer.example"]', 1001): 1}) for kind in ("closed", "reminder")
    )
    counts = Counter[str]()
    for point in ("250-read", "sent"):
        desk = line.before[number].copy(tmp_path / point)
        desk.accepted = Since(desk.sink, line, line.accepted[number], len(desk.sink.mails))
        expected = {"250-read": (says - closed + again, says + again), "sent": (says, says)}[point]
        desk.set_clock(desk.shift + 21 * 3600)
        desk.begin(f"{point}:1")
        assert not desk.settle()
        desk.begin()
        assert desk.settle()
        first = the_reminder(desk)
        assert (first.state == "uncertain") == (point != "sent")
        assert first.arrived
        for rows in expected:
            desk.down()
            desk.set_clock(desk.shift + 21 * 3600)
            desk.begin()
            assert desk.settle()
            counts += desk.check(rows)
        desk.down()
        counts["runs"] += 1
    book(**counts, again=1, arrived=1)
    assert (counts["lost"], counts["doubled"]) == (0, 0)


class Since(Accepted):
    """What was accepted in the story up to a stage, and then in a desk that began from its copy."""

    def __init__(self, sink: SmtpSink, line: Line, already: int, begun: int) -> None:
        super().__init__(sink, begun)
        first = line.before[0].accepted.start
        self._before = sink.mails[first:already]

    @property
    def mails(self):
        return [*self._before, *super().mails]
