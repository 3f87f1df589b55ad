"""Wording for people: errors, times, and text of strangers made harmless for a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import sys
import textwrap
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

WIDE = 120  # columns of a terminal from which on times in tables are written in full
LEAST_COLUMN = 10
MOST_BELOW = 1000
_COMMAND = re.compile(r"`[^`]*`")
_BOUND = "\0"  # in place of a space at which no line is broken; nothing that is shown has one
MISTAKES, FOR_SCRIPTS = "mistakes", "for scripts"  # what a command notes in its context
EXIT_FAILED, EXIT_REFUSED, EXIT_TRY_LATER, EXIT_CONFIG = 1, 65, 75, 78  # all but 1 as in sysexits.h


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
        say(harmless(str(invalid)), err=True)
        say("the configuration cannot be used; a running daemon goes on with the one it has", err=True)
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


def say(text: str, indent: str = "  ", *, err: bool = False) -> None:
    """Print words for people, see `wrapped`."""
    click.echo(wrapped(text, indent, err=err), err=err)


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


def table_stamp(moment: datetime | None, zone: ZoneInfo) -> str:
    """As `stamp`, for tables: on a narrow terminal without the weekday, and without the year where it is the present one."""
    width = columns()
    if moment is None or width is None or width >= WIDE:
        return stamp(moment, zone)
    local = moment.astimezone(zone)
    year = "" if local.year == utc_now().astimezone(zone).year else " %Y"
    return local.strftime(f"%d %b{year} %H:%M")


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


def columns(*, err: bool = False) -> int | None:
    """Return how wide the terminal is that is written to; None where a program reads."""
    stream = sys.stderr if err else sys.stdout
    return shutil.get_terminal_size().columns if stream.isatty() else None


def wrapped(text: str, indent: str = "  ", *, err: bool = False) -> str:
    """Return lines broken at words where a terminal is too narrow for them; programs get them whole.

    indent   of what goes on in the next line.

    What stands between backticks is a command to be copied: it stays in one line.
    """
    width = columns(err=err)
    return text if width is None else "\n".join(_broken(line, width, indent) for line in text.split("\n"))


def _broken(line: str, width: int, indent: str) -> str:
    bound = _COMMAND.sub(lambda found: found[0].replace(" ", _BOUND), line)
    filled = textwrap.fill(
        bound, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return filled.replace(_BOUND, " ")


def table(
    rows: Sequence[Sequence[str]], headings: Sequence[str], limit: int = 60, below: Sequence[str] = ()
) -> str:
    """Return rows as aligned columns, each cell cut to a limit.

    below   the headings of columns that stand whole below the others where a terminal is too narrow for all;
            there the widest of the others are cut until they fit.
    """
    cells = [[_cell(cell, limit) for cell in row] for row in (headings, *rows)]
    widths = _widths(cells)
    width = columns()
    if width is None or _sum(widths) <= width:
        return "\n".join(_row(row, widths) for row in cells)
    beside = [i for i, heading in enumerate(headings) if heading not in below]
    cells = [[row[i] for i in beside] for row in cells]
    widths = _widths(cells)
    while _sum(widths) > width and max(widths) > LEAST_COLUMN:
        widths[widths.index(max(widths))] -= 1
    lines = [_row([_cell(cell, most) for cell, most in zip(cells[0], widths, strict=True)], widths)]
    for row, all_of in zip(cells[1:], rows, strict=True):
        lines.append(_row([_cell(cell, most) for cell, most in zip(row, widths, strict=True)], widths))
        more = [
            f"{heading}: {_cell(all_of[i], MOST_BELOW)}"
            for i, heading in enumerate(headings)
            if heading in below and all_of[i]
        ]
        lines += [wrapped(f"    {'; '.join(more)}", " " * 6)] if more else []
    return "\n".join(lines)


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*cells, strict=True)]


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(text: str, limit: int) -> str:
    clean = without_keys(visible_line(text))
    return clean if len(clean) <= limit else clean[: limit - 1] + "\u2026"


def number_of(reference: str) -> int | None:
    """Return the ticket number in SUP-1042, [SUP-1042] or 1042; None where there is none."""
    bare = reference.strip().strip("[]").rpartition("-")[2]
    return int(bare) if bare.isascii() and bare.isdigit() and len(bare) <= 10 else None
