"""The rows of the fault matrix, and the table of what the tests of each row counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Step and fault of every row; a test says which one it proves by `@pytest.mark.fault(step, fault)`.
ROWS = (
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
    """What one test of a row counted: times the fault was made to happen, mails lost, automatic mails doubled."""

    row: tuple[str, str]
    passed: bool
    runs: int = 1
    lost: int = 0
    doubled: int = 0


def table(figures: Iterable[Figures]) -> list[str]:
    """Return the table, a line a row: step, fault, tests, runs, lost, doubled, verdict."""
    found = list(figures)
    lines = [f"{'step':<17} {'fault':<46} {'tests':>5} {'runs':>6} {'lost':>5} {'doubled':>7}  verdict"]
    for step, fault in ROWS:
        ours = [one for one in found if one.row == (step, fault)]
        lost, doubled = sum(one.lost for one in ours), sum(one.doubled for one in ours)
        verdict = "not run" if not ours else "holds" if all(one.passed for one in ours) else "FAILS"
        runs = sum(one.runs for one in ours)
        lines.append(f"{step:<17} {fault:<46} {len(ours):>5} {runs:>6} {lost:>5} {doubled:>7}  {verdict}")
    return lines
