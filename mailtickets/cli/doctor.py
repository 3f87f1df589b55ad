"""`mailtickets doctor`: looks at everything that can be known without sending a mail, and says what to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mailtickets.cli.words import EXIT_FAILED, as_json, harmless, loaded, print_json, say, wrapped

if TYPE_CHECKING:
    from mailtickets.diagnosis.finding import Check, Finding

MARKS = {"ok": ("ok", None), "warning": ("WARNING", "yellow"), "wrong": ("WRONG", "red")}
MARK_WIDTH = 9


@click.command()
@as_json
@click.option(
    "--deep", is_flag=True, help="Also read the whole store for damage; takes minutes where it is large."
)
@click.option(
    "--alert", is_flag=True, help="Also tell the admins a test text by every way of desk.alert, once."
)
@click.option("--quiet", is_flag=True, help="Only what is not in order.")
def doctor(*, as_json: bool, deep: bool, alert: bool, quiet: bool) -> None:
    """Look at mail servers, certificates, store, disk, permissions and clock.

    Prints a line for each thing it looked at: ok, WARNING or WRONG, and under what is not in order what to
    type. It logs in everywhere, opens folders for reading only, sends no mail (but with --alert) and changes
    nothing, so it may run beside the daemon at any time; no check takes longer than 15 seconds. Exit code 1 where something is
    wrong, 0 otherwise; warnings alone do not count.

    \b
    mailtickets doctor                  everything
    mailtickets doctor --quiet          only what is not in order
    mailtickets doctor --alert          and does the pager ring
    mailtickets doctor --json           an array of {check, state, what, remedy}
    runuser -u mailtickets -- mailtickets --config /etc/mailtickets/config.toml doctor
    """  # noqa: D301 - click's mark for lines that stay as they are
    from mailtickets.diagnosis.finding import State, examined

    checks = _checks(deep=deep, alert=alert)
    width = max(len(check.area) for check in checks)
    found: list[Finding] = []
    for finding in examined(checks):
        found.append(finding)
        if not as_json and not (quiet and finding.state is State.OK):
            _print(finding, width)
    if as_json:
        print_json(
            [{"check": f.check, "state": f.state.value, "what": f.what, "remedy": f.remedy} for f in found]
        )
    else:
        click.echo(_sum(found))
    sys.exit(EXIT_FAILED if any(one.state is State.WRONG for one in found) else 0)


def _checks(*, deep: bool, alert: bool) -> list[Check]:
    from mailtickets.clocks import utc_now
    from mailtickets.config import ConfigInvalid
    from mailtickets.diagnosis.desk import checks_of, refused_configuration

    try:
        return checks_of(loaded(), utc_now, deep=deep, ring=alert)
    except ConfigInvalid as invalid:
        return [refused_configuration(invalid.problems)]


def _print(finding: Finding, width: int) -> None:
    mark, colour = MARKS[finding.state.value]
    head = click.style(mark.ljust(MARK_WIDTH), fg=colour)
    indent = " " * (MARK_WIDTH + width + 2)
    # Wrapped with the mark as plain letters: colours have no width.
    line = wrapped(f"{mark.ljust(MARK_WIDTH)}{finding.area.ljust(width)}  {harmless(finding.what)}", indent)
    click.echo(head + line[MARK_WIDTH:])
    if finding.remedy:
        say(f"{indent}-> {harmless(finding.remedy)}", f"{indent}   ")


def _sum(found: list[Finding]) -> str:
    states = [one.state.value for one in found]
    wrong, warnings = states.count("wrong"), states.count("warning")
    if not wrong and not warnings:
        return f"all {len(found)} checks are ok"
    said = "1 warning" if warnings == 1 else f"{warnings} warnings"
    return f"{len(found)} checks: {wrong} wrong, {said}"
