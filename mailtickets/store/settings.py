"""Single values that the store keeps under a name, such as when the desk first started."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3


def setting(connection: sqlite3.Connection, name: str, default: str = "") -> str:
    """Return a stored setting."""
    row = connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
    return row[0] if row else default


def set_setting(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Store a setting, inside the caller's transaction or by itself."""
    connection.execute(
        "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )
