"""Organisations as a CSV file, as spreadsheets read and write it: one line each, lists separated by spaces.

Owns the form of the file. What a cell may hold is said by the table `[organisation.KEY]`, whose keys the columns are.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from mailtickets.config_problems import did_you_mean
from mailtickets.for_programs import csv_cell, from_csv_cell
from mailtickets.problems import ConfigInvalid, Problem

if TYPE_CHECKING:
    from _csv import Reader
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from mailtickets.desk.agreement import Organisation

COLUMNS = (
    "key", "name", "domains", "contacts", "others", "account_manager", "service_level", "calendar", "until",
    "confirm_close",
)  # fmt: skip
REQUIRED = ("key", "name")
LISTS = frozenset({"domains", "contacts"})
FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LIST_SIGNS = re.compile(r"[,;]")  # what people write between addresses, besides blanks
MAX_CSV_BYTES = 20_000_000  # 100,000 organisations of 200 bytes


@dataclass(frozen=True, slots=True)
class Row:
    """One organisation: the line where it starts, counted from 1, and its cells that are not empty, by column."""

    line: int
    cells: Mapping[str, str]

    @property
    def key(self) -> str:
        """The organisation's key."""
        return self.cells.get("key", "")

    def table(self) -> dict[str, object]:
        """Return the cells as the keys of an `[organisation.KEY]`."""
        return {column: _value(column, cell) for column, cell in self.cells.items() if column != "key"}


def _value(column: str, cell: str) -> object:
    if column in LISTS:
        return _LIST_SIGNS.sub(" ", cell).split()
    if column == "confirm_close":
        return FLAGS.get(cell.lower(), cell)
    return cell


def read(path: Path) -> list[Row]:
    """Read a file: UTF-8 with or without byte order mark, comma or semicolon, columns in any order.

    A column's name may have capitals, and blanks in place of "_"; a list may have commas or semicolons in quotes.
    Lines without any text are passed over. Raises ConfigInvalid with every problem, each with the file's own line.
    """
    text = _text(path)
    lines = text.split("\n", 1)[0]
    separator = ";" if lines.count(";") > lines.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[Row] = []
    problems: list[Problem] = []
    columns: list[str] = []
    try:
        for line, cells in _numbered(reader):
            if not columns:
                columns = ["_".join(re.split(r"[\s_-]+", cell.lower())) for cell in cells]
                while not columns[-1]:  # a spreadsheet ends its lines with separators
                    columns.pop()
                problems += _wrong_columns(path, line, columns)
                if problems:
                    break
            elif len(cells) > len(columns) and any(cells[len(columns) :]):
                reason = f"has {len(cells)} cells, and there are {len(columns)} columns"
                problems.append(
                    _problem(path, line, reason, f'put a text with "{separator}" in it into double quotes')
                )
            else:
                rows.append(
                    Row(line, {name: cell for name, cell in zip(columns, cells, strict=False) if cell})
                )
    except csv.Error as error:
        problems.append(
            _problem(path, reader.line_num, f"not valid CSV ({error})", "close every double quote")
        )
    if not columns:
        problems.append(
            _problem(
                path, 1, "holds no line with the names of the columns", f"write {separator.join(COLUMNS)}"
            )
        )
    problems += _wrong_keys(path, rows)
    if problems:
        raise ConfigInvalid(sorted(problems, key=lambda problem: problem.line))
    return rows


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CSV_BYTES + 1)
    except OSError as error:
        remedy = (
            "write it, or take organisations out of [desk]"
            if isinstance(error, FileNotFoundError)
            else "let the user that runs mailtickets read it"
        )
        raise ConfigInvalid([_problem(path, 0, f"cannot be read ({error.strerror})", remedy)]) from None
    if len(raw) > MAX_CSV_BYTES:
        raise ConfigInvalid([_problem(path, 0, f"larger than {MAX_CSV_BYTES} bytes", "name the right file")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigInvalid([_problem(path, line, "not UTF-8 text", 'save it as "CSV UTF-8"')]) from None


def _numbered(reader: Reader) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that hold any text, each with the line where it starts; a quoted cell may go over lines."""
    line = 1
    for cells in reader:
        stripped = [from_csv_cell(cell.strip()) for cell in cells]
        if any(stripped):
            yield line, stripped
        line = reader.line_num + 1


def _wrong_columns(path: Path, line: int, columns: list[str]) -> Iterator[Problem]:
    for number, column in enumerate(columns):
        if column in columns[:number] and column:
            yield _problem(path, line, f'the column "{column}" is there twice', "take one of them out")
        elif column not in COLUMNS:
            reason = f'"{column}" is no known column' if column else "a column has no name"
            yield _problem(path, line, reason, did_you_mean(column, COLUMNS))
    for column in REQUIRED:
        if column not in columns:
            yield _problem(
                path, line, f'the column "{column}" is missing', f"the columns are {', '.join(COLUMNS)}"
            )


def _wrong_keys(path: Path, rows: list[Row]) -> Iterator[Problem]:
    lines: dict[str, int] = {}
    for row in rows:
        if not row.key:
            yield _problem(
                path, row.line, "has no key", 'write a short name for the organisation, such as "acme"'
            )
        elif row.key in lines:
            reason = f'the key "{row.key}" is already on line {lines[row.key]}'
            yield _problem(path, row.line, reason, "give each organisation its own")
        lines.setdefault(row.key, row.line)


def _problem(path: Path, line: int, reason: str, remedy: str) -> Problem:
    return Problem(str(path), line, "", "", reason, remedy)


def write(file: TextIO, organisations: Iterable[Organisation]) -> None:
    """Write organisations as `read` reads them, with a first line that names the columns."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in organisations:
        until = one.until.isoformat() if one.until else ""
        close = "" if one.confirm_close is None else "yes" if one.confirm_close else "no"
        writer.writerow(
            csv_cell(cell)
            for cell in (
                one.key, one.name, " ".join(one.domains), " ".join(one.contacts), one.others, one.account_manager,
                one.service_level, one.calendar, until, close,
            )
        )  # fmt: skip
