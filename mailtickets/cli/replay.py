"""`mailtickets replay`: stored mails read again by today's parser and rules."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from mailtickets.cli.aside import aside_json, have_decided
from mailtickets.cli.words import (
    EXIT_FAILED,
    as_json,
    counted,
    harmless,
    loaded,
    print_json,
    reading_store,
    writing_store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mailtickets.config import Config
    from mailtickets.replaying import Replayed
    from mailtickets.store import Store
    from mailtickets.store.views import CopyView


@click.command()
@click.argument("number", nargs=-1, type=int)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Only mails taken in since the beginning of this day.",
)
@click.option("--quarantined", is_flag=True, help="Only mails in quarantine.")
@click.option("--dry-run", is_flag=True, help="Only list; the store is opened for reading.")
@as_json
def replay(
    *, number: tuple[int, ...], since: datetime | None, quarantined: bool, dry_run: bool, as_json: bool
) -> None:
    """Read stored mails again with today's parser and rules, and list what would land elsewhere.

    NUMBER is a mail's in the ledger, as `quarantine` and `why` show it; without numbers all mails are read. Without
    --dry-run mails that are in quarantine or ignored and would land on a ticket today are decided again. A mail that
    is on a ticket is never moved.

    \b
    mailtickets replay --dry-run --since 2026-11-01
    mailtickets replay --quarantined
    """  # noqa: D301
    from mailtickets.guard import Guard
    from mailtickets.readying import rules_of, templates_of
    from mailtickets.replaying import replay as replayed

    config = loaded()
    found: list[dict[str, Any]] = []
    back: list[tuple[int, str]] = []
    looked_at = moved = lost = 0
    with closing(reading_store(config)) as store:
        rules = rules_of(config, store, templates_of(config))
        with closing(Guard(rules.reading)) as guard:
            start = since.replace(tzinfo=config.desk.zone) if since else None
            mails = _chosen(store, number, start, quarantined=quarantined)
            for one in replayed(store, rules, guard, mails):
                looked_at += 1
                if not one.moved:
                    continue
                moved, lost = moved + bool(one.would), lost + (not one.would)
                if one.comes_back and not dry_run:
                    back.append((one.mail.id, one.mail.state))
                if as_json:
                    found.append(_json(store, one, dry_run=dry_run))
                else:
                    _print(store, one, dry_run=dry_run)
    done = _put_back(config, back)
    if as_json:
        print_json(found)
        return
    gone = f", {lost} cannot be read" if lost else ""
    click.echo(f"{counted(looked_at, 'mail')} read again, {moved} would land elsewhere today{gone}")
    if done:
        have_decided(config, done, "will be decided again")


def _chosen(
    store: Store, wanted: tuple[int, ...], since: datetime | None, *, quarantined: bool
) -> Iterator[CopyView]:
    """Yield the mails that were asked for, the oldest first, a few hundred at a time in memory."""
    if not wanted:
        last = 0
        while some := store.views.originals_after(last, since=since, quarantined=quarantined):
            yield from some
            last = some[-1].id
        return
    for one in wanted:
        mail = store.views.copy(one)
        if mail is None or store.ledger.copy(one) is None:
            click.echo(
                f"mail {one} is not in the ledger" if mail is None else f"mail {one} was left on the server",
                err=True,
            )
            sys.exit(EXIT_FAILED)
        if mail.state == "waiting":
            click.echo(f"mail {one} waits to be decided", err=True)
        elif (not quarantined or mail.state == "quarantined") and (since is None or mail.taken >= since):
            yield mail


def _place(store: Store, state: str, number: int | None) -> tuple[str, str | None]:
    """Return a place in words, and its reference."""
    from mailtickets.replaying import NEW

    if number == NEW:
        return "a new ticket", None
    ticket = store.views.ticket(number) if number and state == "on_ticket" else None
    if ticket:
        return f"on {ticket.reference}", ticket.reference
    return state.replace("_", " ") or "nowhere", None


def _after(one: Replayed, *, dry_run: bool) -> str:
    """Say what is done about it."""
    if one.comes_back:
        return "" if dry_run else "it is decided again"
    return "it stays: mails on a ticket are never moved" if one.mail.state == "on_ticket" else "it stays"


def _print(store: Store, one: Replayed, *, dry_run: bool) -> None:
    now, _ = _place(store, one.mail.state, one.mail.ticket)
    would, _ = _place(store, one.would, one.ticket)
    click.echo(harmless(f"mail {one.mail.id}  {one.mail.sender or 'unknown sender'}  {one.mail.subject}"))
    click.echo(f"  is     {harmless(f'{now}: {one.mail.reason}')}")
    click.echo(f"  would  {harmless(f'{would}: {one.reason}')}")
    if after := _after(one, dry_run=dry_run):
        click.echo(f"  {after}")


def _json(store: Store, one: Replayed, *, dry_run: bool) -> dict[str, Any]:
    _, reference = _place(store, one.mail.state, one.mail.ticket)
    _, would = _place(store, one.would, one.ticket)
    return aside_json(one.mail) | {
        "state": one.mail.state, "reference": reference,
        "would": {"state": one.would, "reference": would, "new": one.would == "on_ticket" and would is None, "reason": one.reason},
        "decided_again": one.comes_back and not dry_run,
    }  # fmt: skip


def _put_back(config: Config, back: list[tuple[int, str]]) -> list[int]:
    """Put mails back to be decided, if they are still where they were; return which."""
    if not back:
        return []
    with closing(writing_store(config)) as store:
        done: list[int] = []
        for start in range(0, len(back), 100):  # short transactions: the daemon writes between them
            with store.transaction():
                done += [one for one, state in back[start : start + 100] if store.ledger.put_back(one, state)]
    return done
