"""Pure: words for what is not TOML. Never shows a value: the key may be a password without its quotes."""

from __future__ import annotations

import re

from mailtickets.config_models import LISTED_TABLES

_KEY_ON_LINE = re.compile(r"\s*([A-Za-z0-9_.-]{1,60})\s*=")
_TOML_PLACE = re.compile(r"\s*\(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)\Z")
_HEADER = re.compile(r"\s*(\[\[?)([A-Za-z0-9_. -]{1,120})\]\]?\s*(?:#.*)?\Z")
_OPEN_TABLE = re.compile(r"([A-Za-z0-9_-]{1,60})[ \t]*=[ \t]*\{[^{}]*\Z")
_END_OF_LINE = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")


def syntax_words(text: str, message: str) -> tuple[int, str, str, str]:
    """Word a syntax error that tomllib found: its line, the key or "", the reason and the remedy."""
    place = _TOML_PLACE.search(message)
    rows = text.split("\n")
    line = int(place[1]) if place and place[1] else max(1, len(text.rstrip().split("\n")))
    if found := _table_twice(rows, line, message):
        return found
    if place and place[2] and (found := _open_table(text, sum(map(len, rows[: line - 1])) + line + int(place[2]) - 2)):  # fmt: skip
        return found
    key = _KEY_ON_LINE.match(rows[line - 1]) if line <= len(rows) else None
    said = _TOML_PLACE.sub("", message)
    reason = f"not valid TOML ({said[:1].lower()}{said[1:]})"
    return (
        line,
        key[1] if key else "",
        reason,
        "write text in double quotes, and each key once as key = value",
    )


def _table_twice(rows: list[str], line: int, message: str) -> tuple[int, str, str, str] | None:
    """Word a table that stands twice, or one that may stand twice and has single brackets."""
    header = _header(rows, line)
    if header is None or not ("twice" in message or "overwrite" in message):
        return None
    name = header[1]
    before = [(at, found) for at in range(1, line) if (found := _header(rows, at)) and found[1] == name]
    if name.split(".")[0] in LISTED_TABLES and "." not in name:
        single = [at for at, (brackets, _) in [*before, (line, header)] if brackets == "["]
        reason = f"[{name}] in single brackets is one table, and there may be several"
        return single[0] if single else line, name, reason, f"write [[{name}]] with two brackets"
    lines = f", on lines {before[-1][0]} and {line}" if before else ""
    return line, name, f"[{name}] stands twice{lines}", "put its keys into one table"


def _header(rows: list[str], line: int) -> tuple[str, str] | None:
    found = _HEADER.match(rows[line - 1]) if line <= len(rows) else None
    return (found[1], "".join(found[2].split())) if found else None


def _open_table(text: str, at: int) -> tuple[int, str, str, str] | None:
    """Word a table in { } that goes over a line's end, or ends with a comma."""
    found = _OPEN_TABLE.search(text, 0, at)
    if found is None:
        return None
    line, key = text.count("\n", 0, found.start()) + 1, found[1]
    if text.startswith("}", at) and text[:at].rstrip().endswith(","):
        return line, key, "a comma stands in front of }", "take it out"
    if not _END_OF_LINE.match(text, at):
        return None
    rows = text.split("\n")
    table = next((head[1] for number in range(line, 0, -1) if (head := _header(rows, number))), "")
    name = f"{table}.{key}" if table else key
    return line, key, "a table in { } must stand on one line", f"write it on one line, or as [{name}]"
