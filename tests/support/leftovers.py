"""Looks for words in a store as somebody would who has stolen the file: its bytes, its journal, and all that is packed in it."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path


def leftovers(store: Path, *words: str) -> list[str]:
    """Return where words are found, in any case: "FILE: WORD" for plain bytes, "TABLE.COLUMN: WORD" for values and packed ones."""
    found: list[str] = []
    for place, content in (*_files(store), *_values(store)):
        found += [f"{place}: {word}" for word in words if word.lower().encode() in content.lower()]
    return sorted(set(found))


def _files(store: Path) -> Iterator[tuple[str, bytes]]:
    for path in (store, store.with_name(f"{store.name}-wal")):
        if path.exists():
            yield path.name, path.read_bytes()


def _values(store: Path) -> Iterator[tuple[str, bytes]]:
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in names:
            cursor = connection.execute(f"SELECT * FROM {table}")
            columns = [one[0] for one in cursor.description]
            for row in cursor:
                for column, value in zip(columns, row, strict=True):
                    yield f"{table}.{column}", _unpacked(value)
    finally:
        connection.close()


def _unpacked(value: object) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode()
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value
