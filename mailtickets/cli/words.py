"""Wording for people: errors, times, and text of strangers made harmless for a terminal."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING, Any

import click

from mailtickets.clocks import utc_now
from mailtickets.mail.compose import visible_line
from mailtickets.mail.keys import without_agent_keys, without_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from mailtickets.config import Config
    from mailtickets.store import Store

MISTAKES, FOR_SCRIPTS = "mistakes", "for scripts"  # what a command notes in its context
EXIT_FAILED, EXIT_TRY_LATER, EXIT_CONFIG = 1, 75, 78  # 75 and 78 as in sysexits.h


class NotChanged(Exception):  # noqa: N818  (named for the situation)
    """A command could not write the store; nothing of its one transaction is in it.

    words   why, and what to do.
    """

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def explained(error: Exception) -> tuple[str, int] | None:
    """Return what to tell a person about an error and the exit code, or None for a fault of ours."""
    said = _explained(error)
    return said and (harmless(said[0]), said[1])


def _explained(error: Exception) -> tuple[str, int] | None:
    from mailtickets.config import ConfigInvalid
    from mailtickets.errors import CredentialUnavailable, MailboxUnavailable
    from mailtickets.store import StoreBusy, StoreUnusable, store_trouble

    if isinstance(error, ConfigInvalid):
        return "\n".join(str(problem) for problem in error.problems), EXIT_CONFIG
    if isinstance(error, StoreBusy | StoreUnusable | MailboxUnavailable | CredentialUnavailable):
        return str(error), EXIT_FAILED
    if isinstance(error, NotChanged):
        return f"nothing was changed: {error.words}", EXIT_TRY_LATER
    if isinstance(error, sqlite3.OperationalError):
        trouble = store_trouble(error)
        said = f"{trouble.reason}; {trouble.remedy}" if trouble else f"the store cannot be used now: {error}"
        return said, EXIT_TRY_LATER
    if isinstance(error, sqlite3.DatabaseError):
        return f"the store is damaged: {error}; stop the desk and put a backup in its place", EXIT_FAILED
    return None


def fault(error: Exception) -> str:
    """Return the traceback of a fault of ours, harmless: its words may be a stranger's."""
    import traceback

    return harmless("".join(traceback.format_exception(error)).rstrip())


def _config_file() -> Path:
    from mailtickets.config import find_config

    given = click.get_current_context().find_root().params.get("config")
    return find_config(None if given is None else str(given))


def loaded() -> Config:
    """Return the configuration the command line names. Raises ConfigInvalid."""
    from mailtickets.config import load

    return load(_config_file())


def loaded_to_look() -> Config:
    """As `loaded`, for commands that only look at the store: they go on with a file that has mistakes.

    The mistakes are said, and the exit code is not 0. Raises ConfigInvalid where not even `desk.store` can be read.
    """
    from mailtickets.config import ConfigInvalid, load_in_part

    try:
        return loaded()
    except ConfigInvalid as invalid:
        config = load_in_part(_config_file())
        if config is None:
            raise
        click.echo(harmless(str(invalid)), err=True)
        click.echo("the configuration cannot be used; a running daemon goes on with the one it has", err=True)
        click.get_current_context().meta[MISTAKES] = True
        return config


def reading_store(config: Config) -> Store:
    """Return the store, opened for reading only; it is closed when the command ends."""
    from mailtickets.store import Store

    return _closed_at_the_end(Store.read(config.desk.store))


def writing_store(config: Config) -> Store:
    """Open the store for a single change: one short transaction, which the daemon takes up within a second.

    It is closed when the command ends.
    """
    from mailtickets.store import Store

    return _closed_at_the_end(Store.open(config.desk.store, utc_now()))


@contextlib.contextmanager
def one_change(store: Store) -> Iterator[None]:
    """Change the store in one transaction. Raises NotChanged where it cannot be written."""
    from mailtickets.store import store_trouble

    try:
        with store.transaction():
            yield
    except sqlite3.OperationalError as error:
        if trouble := store_trouble(error, store.path.parent):
            raise NotChanged(f"{trouble.reason}; {trouble.to_do}") from error
        raise


def _closed_at_the_end(store: Store) -> Store:
    click.get_current_context().call_on_close(store.close)
    return store


def _note_json(context: click.Context, _: click.Parameter, value: bool) -> bool:
    if value:
        context.meta[FOR_SCRIPTS] = True
    return value


as_json = click.option("--json", "as_json", is_flag=True, help="For scripts.", callback=_note_json)
numbers = click.argument("number", nargs=-1, required=True, type=int)


def harmless(text: str) -> str:
    """Return text of strangers without anything that a terminal would obey, and without keys and codes that give rights.

    Line ends and indentation stay.
    """
    lines = without_keys(text).expandtabs(4).split("\n")
    return "\n".join(" " * (len(line) - len(line.lstrip(" "))) + visible_line(line) for line in lines)


def stamp(moment: datetime | None, zone: ZoneInfo) -> str:
    """Return a time in the desk's zone for people, or an empty string."""
    return moment.astimezone(zone).strftime("%a %d %b %Y %H:%M") if moment else ""


def rfc3339(moment: datetime | None) -> str | None:
    """Return a time for scripts: RFC 3339 in UTC."""
    return None if moment is None else moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def print_json(value: Any) -> None:
    """Print a value for scripts: no key and no code that gives rights; a `message_id` keeps the key that only names its ticket."""
    from mailtickets.for_programs import json_text

    click.echo(json_text(_shown(value)))


def _shown(value: Any, name: str = "") -> Any:
    if isinstance(value, str):
        return without_agent_keys(value) if name == "message_id" else without_keys(value)
    if isinstance(value, dict):
        return {key: _shown(one, key) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(one, name) for one in value]
    return value


@contextlib.contextmanager
def private_files() -> Iterator[None]:
    """Make new files inside readable by their owner alone: they tell of people. One that is there keeps its mode."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def counted(number: int, thing: str) -> str:
    """Return "1 mail", "2 mails"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def table(rows: Sequence[Sequence[str]], headings: Sequence[str], limit: int = 60) -> str:
    """Return rows as aligned columns, each cell cut to a limit."""
    cells = [[_cell(cell, limit) for cell in row] for row in (headings, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _cell(text: str, limit: int) -> str:
    clean = without_keys(visible_line(text))
    return clean if len(clean) <= limit else clean[: limit - 1] + "\u2026"


def number_of(reference: str) -> int | None:
    """Return the ticket number in SUP-1042, [SUP-1042] or 1042; None where there is none."""
    bare = reference.strip().strip("[]").rpartition("-")[2]
    return int(bare) if bare.isascii() and bare.isdigit() and len(bare) <= 10 else None
