"""Pure: on which line of a TOML text each key stands. Judges nothing; the text was already accepted by tomllib."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

Location = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\"]|\\[\s\S]|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)
_OTHER_VALUE = re.compile(r"[^,\]}\n#]*")  # numbers, dates, booleans


def line_index(text: str) -> dict[Location, int]:
    """Return the line, counted from 1, of every table, key and list item of a valid TOML text.

    An item of a list has its number in the location: ("queue", "support", "reminders", 1).
    """
    return _Scanner(text).index()


def line_of(lines: dict[Location, int], location: Location) -> int:
    """Return the line of a location, or of the nearest thing around it; 1 for the whole file."""
    while location:
        if location in lines:
            return lines[location]
        location = location[:-1]
    return 1


def dotted(location: Location) -> str:
    """Return a location as an admin reads it: `queue.support.reminders[2]`, items counted from 1."""
    name = ""
    for part in location:
        if isinstance(part, int):
            name += f"[{part + 1}]"
        else:
            shown = part if _BARE_KEY.fullmatch(part) else f'"{part}"'
            name += f".{shown}" if name else shown
    return name


class _Scanner:
    """Walks the text once. `at` is the offset of the next letter to look at."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Location, int] = {}
        self.starts = [found.end() for found in re.finditer("\n", text)]
        self.tables: dict[Location, int] = {}  # array of tables -> number of its latest one

    def index(self) -> dict[Location, int]:
        table: Location = ()
        self._skip_blank()
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip_blank()
        return self.lines

    def _line(self) -> int:
        return bisect_right(self.starts, self.at) + 1

    def _skip_blank(self) -> None:
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _header(self) -> Location:
        line = self._line()
        is_list = self.text.startswith("[[", self.at)
        self.at += 2 if is_list else 1
        names = self._key()
        self.at += 2 if is_list else 1
        table: Location = ()
        for depth, name in enumerate(names, 1):
            table = (*table, name)
            if depth == len(names) and is_list:
                self.tables[table] = self.tables.get(table, -1) + 1
            self.lines.setdefault(table, line)
            if table in self.tables:
                table = (*table, self.tables[table])
                self.lines.setdefault(table, line)
        return table

    def _pair(self, table: Location) -> None:
        line = self._line()
        location = table
        for name in self._key():
            location = (*location, name)
            self.lines.setdefault(location, line)
        self.at += 1  # the equals sign
        self._value(location)

    def _key(self) -> list[str]:
        names: list[str] = []
        while True:
            self._skip_blank()
            found = _BARE_KEY.match(self.text, self.at)
            if found:
                names.append(found[0])
            else:
                found = _STRING.match(self.text, self.at)
                if found is None:
                    return names
                names.append(tomllib.loads(f"key = {found[0]}")["key"])
            self.at = found.end()
            self._skip_blank()
            if not self.text.startswith(".", self.at):
                return names
            self.at += 1

    def _value(self, location: Location) -> None:
        self._skip_blank()
        opening = self.text[self.at : self.at + 1]
        if opening == "[":
            self._items(location)
        elif opening == "{":
            self._inline_table(location)
        else:
            found = _STRING.match(self.text, self.at) or _OTHER_VALUE.match(self.text, self.at)
            self.at = found.end() if found else len(self.text)

    def _items(self, location: Location) -> None:
        self.at += 1
        number = 0
        while self._more_until("]"):
            self.lines[*location, number] = self._line()
            self._value((*location, number))
            number += 1

    def _inline_table(self, location: Location) -> None:
        self.at += 1
        while self._more_until("}"):
            self._pair(location)

    def _more_until(self, closing: str) -> bool:
        """Step over blanks and a comma; False behind the closing bracket."""
        self._skip_blank()
        if self.text.startswith(",", self.at):
            self.at += 1
            self._skip_blank()
        if self.at >= len(self.text):
            return False
        if self.text.startswith(closing, self.at):
            self.at += 1
            return False
        return True
