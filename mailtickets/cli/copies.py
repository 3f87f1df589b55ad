"""`mailtickets backup` and `mailtickets restore`."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import click

from mailtickets.cli.words import (
    EXIT_FAILED,
    counted,
    harmless,
    loaded,
    loaded_to_look,
    reading_store,
    say,
    stamp,
)
from mailtickets.clocks import utc_now


@click.command()
@click.argument("target", metavar="FILE|FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="With a FOLDER: afterwards leave only the N newest backups there. Other files are never touched.",
)
def backup(*, target: Path, keep: int | None) -> None:
    """Copy the store while the desk runs.

    The copy is checked and put in place in one step: a FILE is always whole, the old one or the new one. In a
    FOLDER each backup gets a name of its own, such as desk-20260302-090000.db (UTC).

    \b
    mailtickets backup /mnt/other-disk/desk.db
    mailtickets backup --keep 14 /var/backups/mailtickets
    mailtickets restore /var/backups/mailtickets/desk-20260302-090000.db     goes back to one
    """  # noqa: D301
    from mailtickets.backups import rotate, write

    config = loaded_to_look()
    store = reading_store(config)
    own = {
        config.desk.store.with_name(config.desk.store.name + end).resolve()
        for end in ("", "-wal", "-shm", "-journal", ".lock", ".heartbeat", ".told")
    }
    if target.resolve() in own:
        _end(f"{target} belongs to the store itself; name another file, best on another disk")
    if keep and not target.is_dir():
        _end(f"{target} is no folder; --keep needs one that is there, in which backups stand side by side")
    try:
        written = write(store, target, utc_now())
        gone = rotate(target, store, written, keep) if keep else []
    except OSError as error:
        named = target if str(error.filename or "").endswith(".part") else error.filename or target
        _end(
            f"{named} cannot be written: {error.strerror};"
            " name a file in a folder that is there and may be written"
        )
    click.echo(f"{written}: {written.stat().st_size / 1e6:.1f} MB, checked")
    for path in gone:
        click.echo(f"{path}: removed, as {keep} newer ones are there")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def restore(*, file: Path) -> None:
    """Put a backup in the place of the store; the daemon must be stopped.

    FILE is checked first and brought to the present schema, and the present store is kept beside it under another
    name. After the next start the desk reads again what arrived since the backup was made. Nothing automatic of
    that time is sent again, nor is an answer of an agent that is read again: such mail is listed by `mailtickets
    outbox` as uncertain, and sent with `mailtickets outbox retry`; each agent is told of the own answers. An answer
    that still waited to be sent when the backup was made is sent: it may arrive twice, with the same bytes. Tickets
    that the backup does not know get new numbers.

    \b
    systemctl stop mailtickets
    mailtickets restore /var/backups/mailtickets/desk-20260302-090000.db
    systemctl start mailtickets
    """  # noqa: D301
    from mailtickets import told
    from mailtickets.store.lock import StoreLock
    from mailtickets.store.restoring import restore as put_back
    from mailtickets.watching import STORE

    config = loaded()
    store = config.desk.store
    if file.resolve() == store.resolve():
        _end(f"{file} is the store itself; name a backup of it")
    moving = [name for name, mailbox in config.mailboxes.items() if mailbox.after.startswith("move:")]
    try:
        with StoreLock(store):
            # Times of arrival have no fractions: with a full second none is taken for an earlier one.
            now = utc_now().replace(microsecond=0) + timedelta(seconds=1)
            done = put_back(file, store, now, moving)
            told.note_mended(
                store, STORE
            )  # else `status` asks for a restore again until it was watched for a while
            while utc_now() < now:
                time.sleep(0.05)
    except OSError as error:
        _end(f"{error.filename or store} cannot be written: {error.strerror}; nothing was changed")
    zone = config.desk.zone
    say(f"{store} is now the backup {file}, which knows everything up to {stamp(done.made_at, zone)}")
    if done.kept:
        others = [path.name for path in sorted(done.kept.parent.glob(f"{done.kept.name}-*"))]
        beside = f", with {' and '.join(others)} beside it" if others else ""
        say(f"- the store of before is kept as {done.kept}; remove it when all is well{beside}")
    if done.unread:
        say(
            f"- that one could not be read ({harmless(done.unread)}): what `mailtickets receive` took, and what was deleted"
            " from the mailbox since the backup, is in it only"
        )
    elif done.carried:
        goes = "is taken over" if done.carried == 1 else "are taken over"
        say(f"- {counted(done.carried, 'mail')} that only that one had {goes} and will be decided again")
    for name in moving:
        folder = config.mailboxes[name].after.removeprefix("move:")
        say(
            f"- mailbox {name}: the folder {folder} is looked through for mail handled since; after the start"
        )
    if done.held:
        waited = (
            "that waited in the backup is held: it"
            if done.held == 1
            else "that waited in the backup are held: they"
        )
        say(f"- {counted(done.held, 'automatic mail')} {waited} may have been sent since")
    say(f"- the next new ticket has the number {done.next_number}, so that no number comes twice")
    say(
        "Start the desk now. It reads again what arrived since the backup, and holds the mails that follow from it, as"
        " they may have been sent then. Admins get one mail when that is done, and agents one with their own held"
        " answers; `mailtickets outbox` lists them, and `mailtickets outbox retry NUMBER` sends those that were never"
        " sent. Answers of agents that waited to be sent in the backup are sent: they may arrive twice."
    )


def _end(words: str) -> NoReturn:
    say(words, err=True)
    sys.exit(EXIT_FAILED)
