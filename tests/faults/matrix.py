"""The rows of the fault matrix, and the table of what the tests of each row counted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

Row = tuple[str, str]

# Step and fault of every row; a test says which one it proves by `@pytest.mark.fault(step, fault)`.
ROWS: tuple[Row, ...] = (
    ("Connect, login", "DNS fails, refused, TLS error, wrong password"),
    ("Connect, login", "NO [LIMIT], throttle, BYE, drop, silence"),
    ("Connect, login", "garbage, endless line, negative literal"),
    ("Select", "UIDVALIDITY changed"),
    ("Select", "folder renamed, missing, empty"),
    ("Fetch", "kill -9 or drop mid-literal"),
    ("Fetch", "over the size limit"),
    ("Fetch", "mail moved, deleted or expunged meanwhile"),
    ("Fetch", "same mail copied back or in two folders"),
    ("Store raw", "kill -9, power cut"),
    ("Store raw", "disk full, I/O error, quota"),
    ("Store raw", "read-only file system"),
    ("Store raw", "DB locked > 30 s"),
    ("Parse", "exception, RecursionError, hang, memory"),
    ("Parse", "kill -9 in parsing, each time"),
    ("Thread, authorise", "config changes meanwhile"),
    ("Commit", "kill -9 before / after"),
    ("Template", "error, missing variable, > 256 KB"),
    ("Mark on server", "NO, drop, read-only folder, MOVE half done"),
    ("SMTP up to DATA", "DNS, refused, 4yz, timeout"),
    ("SMTP up to DATA", "5yz for one recipient"),
    ("SMTP up to DATA", "535 or TLS failure"),
    ("SMTP after dot", "250 lost, timeout, drop, kill -9"),
    ("SMTP after dot", "4yz after dot, 552 too big"),
    ("SMTP after dot", "recipient refuses for 5 days"),
    ("Timer", "kill -9 between due and commit"),
    ("Timer", "clock 1 h back"),
    ("Timer", "clock jumps ahead"),
    ("Timer", "DST gap or fold, office hours"),
    ("Timer", "3 days down"),
    ("Timer", "suspended laptop"),
    ("Timer", "customer answer and close in the same second"),
    ("Reload", "bad TOML, bad value, missing template"),
    ("Reload", "half-written file"),
    ("Attachment", "disk full, kill -9 mid-write"),
    ("Start", "second daemon on the same store"),
    ("Start", "stale lock after kill -9, pid reused"),
    ("Start", "store newer or corrupt"),
    ("Start", "migration killed half-way"),
    ("Stop", "SIGTERM during SMTP"),
    ("Backup, restore", "restore of yesterday's store"),
    ("Volume", "circuit breaker, sending rate"),
    ("Watching", "nothing polled or sent for 15 minutes"),
    ("All steps", "kill -9 at each point for each mail"),
    ("All steps", "random faults"),
)


@dataclass(frozen=True)
class Figures:
    """What one test of a row counted: times the fault was made to happen, mails lost, automatic mails doubled.

    uncertain  automatic mails that never arrived, listed as `uncertain` since nobody knew whether they had.
    again      reminders that went out again, as fresh mails, since nobody knew whether the first had arrived.
    arrived    of these, those whose first had arrived.
    """

    row: Row
    passed: bool
    runs: int = 1
    lost: int = 0
    doubled: int = 0
    uncertain: int = 0
    again: int = 0
    arrived: int = 0


def for_each(
    rows: Collection[Row], of: Mapping[Row, Mapping[str, int]] | None, counts: Mapping[str, int]
) -> dict[Row, dict[str, int]]:
    """Return what a test counted for each row that it names, by the names of `Figures`.

    of      what it counted for each row; None where the same fault is one of all its rows: then `counts`.

    Raises AssertionError where it names a row that it never ran, or runs one that it does not name.
    """
    each = {row: dict(counts if of is None else of[row]) for row in (rows if of is None else of)}
    assert set(each) == set(rows), "what was run is not what the test names"
    for row, figures in each.items():
        assert Figures(row, passed=True, **figures | {"runs": figures.get("runs", 0)}).runs > 0, (
            f"{row} was never run"
        )
    return each


def table(figures: Iterable[Figures]) -> list[str]:
    """Return the table, a line a row: step, fault, tests, runs, lost, doubled, uncertain, verdict; and what it does not show."""
    found = list(figures)
    lines = [
        f"{'step':<17} {'fault':<46} {'tests':>5} {'runs':>6} {'lost':>5} {'doubled':>7} {'uncertain':>9}  verdict"
    ]
    for step, fault in ROWS:
        ours = [one for one in found if one.row == (step, fault)]
        lost, doubled = sum(one.lost for one in ours), sum(one.doubled for one in ours)
        runs, uncertain = sum(one.runs for one in ours), sum(one.uncertain for one in ours)
        verdict = "not run" if not ours else "holds" if all(one.passed for one in ours) else "FAILS"
        lines.append(
            f"{step:<17} {fault:<46} {len(ours):>5} {runs:>6} {lost:>5} {doubled:>7} {uncertain:>9}  {verdict}"
        )
    again, arrived = sum(one.again for one in found), sum(one.arrived for one in found)
    return [
        *lines,
        "uncertain: automatic mails that never arrived, where they are counted: listed for an admin, not sent again.",
        f"{again} reminders went out again after an unknown fate; {arrived} of them to somebody who had the first one, too.",
    ]
