"""`mailtickets ledger`: the books, and the mailboxes compared with them."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from mailtickets.cli.words import (
    EXIT_FAILED,
    as_json,
    harmless,
    loaded,
    loaded_to_look,
    print_json,
    reading_store,
    rfc3339,
    say,
)
from mailtickets.clocks import utc_now

if TYPE_CHECKING:
    from mailtickets.audit import Audit, BooksTrouble, NotCompared
    from mailtickets.config import Config
    from mailtickets.store.views import CopyView


@click.command()
@click.option("--server", is_flag=True, help="Compare with every mailbox, too.")
@click.option(
    "--heal/--no-heal",
    default=True,
    show_default=True,
    help="With --server: take in the mails that no book explains; otherwise they are only named.",
)
@as_json
def ledger(*, server: bool, heal: bool, as_json: bool) -> None:
    """Balance the books: every mail that was taken in is in exactly one place.

    received = on_tickets + ignored + held + quarantined + waiting + unexplained. `waiting` is 0 at rest,
    `unexplained` always; exit code 1 where it is not. `duplicates` are part of `ignored`.

    With --server each mail in the mailboxes is looked up in the books. One that is neither there, nor still to come, nor
    older than the start of the desk is named and taken in. Exit code 1 where one is left, where a mailbox cannot be
    read, or where an original is gone. The daemon does the same once a day and tells the admins.
    """
    config = loaded() if server else loaded_to_look()
    found, failed = _compared(config, heal=heal) if server else ([], [])
    with closing(reading_store(config)) as store:
        books = store.views.books()
        trouble = _trouble(config) if server else None
    values: dict[str, Any] = {name: getattr(books, name) for name in type(books).__slots__}
    if as_json:
        if trouble:
            values["server"] = [*(_audit_json(one) for one in found), *(asdict(one) for one in failed)]
            values["stuck"] = [_copy_json(one) for one in trouble.stuck]
            values["lost"] = [_copy_json(one) for one in trouble.lost]
        print_json(values)
    else:
        for name, value in values.items():
            click.echo(f"{name:<12} {value:>8}")
        if trouble:
            _print_server(found, failed, trouble)
    left = books.unexplained or failed or any(one.unexplained > one.taken_in for one in found)
    sys.exit(EXIT_FAILED if left or (trouble and trouble.lost) else 0)


def _compared(config: Config, *, heal: bool) -> tuple[list[Audit], list[NotCompared]]:
    """Compare every mailbox; return what was found, and which could not be read."""
    from mailtickets.audit import Audit
    from mailtickets.once import audits, decide_waiting

    found: list[Audit] = []
    failed: list[NotCompared] = []
    for one in audits(config, heal=heal):
        if isinstance(one, Audit):
            found.append(one)
        else:
            failed.append(one)
    if any(one.taken_in for one in found):
        decide_waiting(config)
    return found, failed


def _trouble(config: Config) -> BooksTrouble:
    from mailtickets.audit import check_books

    with closing(reading_store(config)) as store:
        return check_books(store, utc_now())


def _print_server(found: list[Audit], failed: list[NotCompared], trouble: BooksTrouble) -> None:
    for one in found:
        click.echo(harmless(f"\nmailbox {one.mailbox} {one.folder}".rstrip()))
        for name, value in _sums(one).items():
            click.echo(f"  {name.replace('_', ' '):<12} {value:>8}")
        for stray in one.strays:
            say(harmless(f"  - {stray}"), " " * 4)
    for away in failed:
        say(harmless(f"\nmailbox {away.mailbox} {away.folder} cannot be read: {away.reason}; {away.remedy}"))
    for copy in trouble.stuck:
        say(f"mail {copy.id} waits to be decided since {rfc3339(copy.taken)}; see the log of the daemon")
    for copy in trouble.lost:
        say(harmless(f"mail {copy.id} of {copy.sender or 'unknown sender'}: its original is gone"))


def _sums(one: Audit) -> dict[str, int]:
    names = ("on_server", "in_books", "to_come", "older", "unexplained", "taken_in")
    return {name: getattr(one, name) for name in names}


def _audit_json(one: Audit) -> dict[str, Any]:
    mails = [
        {"name": s.name, "at": rfc3339(s.at), "from": s.sender, "subject": s.subject, "taken_in": s.taken_in, "reason": s.reason}
        for s in one.strays
    ]  # fmt: skip
    return {"mailbox": one.mailbox, "folder": one.folder, **_sums(one), "mails": mails}


def _copy_json(copy: CopyView) -> dict[str, Any]:
    return {
        "id": copy.id,
        "at": rfc3339(copy.taken),
        "state": copy.state,
        "from": copy.sender,
        "subject": copy.subject,
    }
