"""`mailtickets organisations`: customer companies, listed, and moved out and in as a CSV file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

import click

from mailtickets.cli.words import (
    EXIT_FAILED,
    as_json,
    harmless,
    loaded,
    print_json,
    private_files,
    say,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailtickets.desk.agreement import Organisation
    from mailtickets.organisations_import import Changes


@click.group()
def organisations() -> None:
    """List customer companies; export and import them as CSV."""


@organisations.command("list")
@as_json
def list_(*, as_json: bool) -> None:
    """List the organisations of the configuration and of its CSV file."""
    from mailtickets.policies import policy_of

    found = policy_of(loaded()).organisations.values()
    if as_json:
        print_json([_as_json(one) for one in found])
        return
    if not found:
        click.echo("no organisations; config.example.toml shows how [organisation.NAME] is written")
        return
    rows = [
        (
            one.key,
            one.name,
            " ".join(one.domains),
            str(len(one.contacts) or "all"),
            one.service_level or "-",
            one.account_manager or "-",
            one.until.isoformat() if one.until else "-",
        )
        for one in found
    ]
    click.echo(table(rows, ("key", "name", "domains", "contacts", "level", "manager", "until"), limit=42))


def _as_json(one: Organisation) -> dict[str, Any]:
    return {
        "key": one.key,
        "name": one.name,
        "domains": list(one.domains),
        "contacts": list(one.contacts),
        "others": one.others,
        "account_manager": one.account_manager or None,
        "service_level": one.service_level or None,
        "calendar": one.calendar or None,
        "until": one.until.isoformat() if one.until else None,
        "confirm_close": one.confirm_close,
    }


@organisations.command("export")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
def export(*, file: Path) -> None:
    """Write all organisations, those of the configuration too, to a CSV file; - is standard output.

    Lists are separated by spaces. A spreadsheet can change the file, and `import` takes it back.

    \b
    mailtickets organisations export customers.csv
    """  # noqa: D301
    from mailtickets.organisations_csv import write
    from mailtickets.policies import policy_of

    config = loaded()
    own = config.desk.organisations
    if own and own.exists() and file.exists() and own.samefile(file):
        click.echo(f"{file} is the desk's own file; name another one", err=True)
        sys.exit(EXIT_FAILED)
    found = policy_of(config).organisations.values()
    try:
        with private_files(), click.open_file(str(file), "w", encoding="utf-8", atomic=True) as out:
            write(cast("TextIO", out), found)
    except OSError as error:
        click.echo(f"{file} cannot be written: {error.strerror}", err=True)
        sys.exit(EXIT_FAILED)
    if str(file) != "-":
        click.echo(f"{file}: {_count(len(found))}")


@organisations.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check the file and say what would change; write nothing.")
@as_json
def import_(*, file: Path, dry_run: bool, as_json: bool) -> None:
    """Put a CSV file in the place of the one that `organisations` in [desk] names.

    The whole file is checked together with the configuration. Where anything is wrong, every problem is said
    with its line, and nothing is changed. An organisation that is not in the file is taken away. The file
    before is kept as NAME.bak; the running desk takes the new one with its next reload.

    \b
    mailtickets organisations import --dry-run customers.csv
    """  # noqa: D301
    from mailtickets.cli.check import config_option
    from mailtickets.config import find_config
    from mailtickets.organisations_import import offer

    offered = offer(find_config(config_option()), file)
    changes = offered.changes()
    writes = not dry_run and (bool(changes) or not offered.target.exists())
    try:
        kept = offered.put_in_place() if writes else None
    except OSError as error:
        say(
            f"{offered.target} cannot be written ({error.strerror}), so nothing was changed; "
            "run this as a user who may write in its folder",
            err=True,
        )
        sys.exit(EXIT_FAILED)
    if as_json:
        print_json(
            {
                "file": str(offered.target),
                "written": writes,
                "backup": str(kept) if kept else None,
                "added": list(changes.added),
                "changed": {key: list(columns) for key, columns in changes.changed.items()},
                "removed": list(changes.removed),
                "unchanged": changes.unchanged,
                "left_in_config": list(offered.in_config),
                "warnings": [str(warning) for warning in offered.warnings],
            }
        )
        return
    for warning in offered.warnings:
        say(harmless(f"warning: {warning}"))
    for line in _said(changes):
        say(harmless(line), "    ")
    if offered.in_config:
        say(harmless(f"left in config.toml, which says the same: {', '.join(offered.in_config)}"))
    if writes:
        say(
            f"{offered.target}: {_count(len(offered.organisations))}"
            + (f"; the one before is {kept}" if kept else "")
        )
        click.echo("a running desk takes it with the next reload: systemctl reload mailtickets")
    else:
        click.echo("nothing was written" + (", as --dry-run says" if dry_run and changes else ""))


def _said(changes: Changes) -> Iterator[str]:
    """Yield the changes for people, a line for each organisation that has any."""
    for key in changes.added:
        yield f"+ {key}"
    for key, columns in changes.changed.items():
        yield f"~ {key}: {', '.join(columns)}"
    for key in changes.removed:
        yield f"- {key}"
    counts = f"{len(changes.added)} added, {len(changes.changed)} changed, {len(changes.removed)} removed"
    yield f"{counts}, {changes.unchanged} as before"


def _count(number: int) -> str:
    return "1 organisation" if number == 1 else f"{number} organisations"
