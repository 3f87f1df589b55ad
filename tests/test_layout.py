"""The map of the house, held true: who may import what, read off the syntax trees."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "mailtickets"
FILES = sorted(PACKAGE.rglob("*.py"))
DOORS = {
    "imapclient": {"transport/imap_connection.py"},
    "aiosmtplib": {"transport/smtp.py", "transport/smtp_transaction.py", "transport/smtp_look.py"},
    "mailparser": {"mail/parse.py", "mail/header_text.py"},
    "jinja2": {"templates.py", "template_filters.py", "template_files.py"},
    "apscheduler": {"clockwork.py"},
    "holidays": {"holiday_dates.py"},
    "matplotlib": {"figures/pictures.py"},
    "numpy": {"figures/many.py"},
    "dkim": {"mail/dkim.py"},
    "dns": {"transport/dns.py"},
    "sqlite_utils": {"store/engine.py"},
}
IMPURE = {"time", "os", "logging", "random", "socket", "secrets", "subprocess"}
DESK_MAY = {
    "message",
    "absence",
    "classify",
    "authentication",
    "bounce",
    "keys",
    "relay",
    "compose",
    "events",
}
WIRING = {"daemon.py", "once.py", "__main__.py"}


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it, also for types alone."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(*folders: str) -> list[Path]:
    return [path for path in FILES if not folders or name(path).split("/")[0] in folders]


@pytest.mark.parametrize("library", DOORS)
def test_one_library_has_one_door(library):
    """A library is imported where it is wrapped, and nowhere else."""
    users = {name(path) for path in FILES if any(one.split(".")[0] == library for one in imports(path))}
    assert users
    assert {user for user in users if not user.startswith("demo/")} <= DOORS[library]


@pytest.mark.parametrize("path", files("mail", "desk"), ids=name)
def test_the_pure_rooms_read_no_clock_and_draw_no_lot(path):
    """Time, ids and chance come in as arguments."""
    assert not {one.split(".")[0] for one in imports(path)} & IMPURE
    calls = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    called = {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}
    assert not called & {"now", "utcnow", "today", "uuid4", "uuid1", "open"}


@pytest.mark.parametrize("path", files("mail", "desk"), ids=name)
def test_the_pure_rooms_know_no_other_room(path):
    """Mail knows nothing of tickets; desk knows mail only by the names it may use."""
    ours = {tuple(one.split(".")[1:3]) for one in imports(path) if one.startswith("mailtickets.")}
    if name(path).startswith("mail/"):
        assert {room for room, *_ in ours} <= {"mail"}
    else:
        assert {room for room, *_ in ours} <= {"mail", "desk"}
        assert {module for room, module in ours if room == "mail"} <= DESK_MAY


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if name(p) not in WIRING and not name(p).startswith(("cli/", "demo/"))],
    ids=name,
)
def test_nothing_imports_the_wiring(path):
    """The daemon and the commands are at the top; only they, and what starts them, know them."""
    assert not [
        one
        for one in imports(path)
        if one.startswith(("mailtickets.daemon", "mailtickets.cli", "mailtickets.once"))
    ]


@pytest.mark.parametrize("path", [p for p in FILES if not name(p).startswith("store/")], ids=name)
def test_no_sql_outside_the_store(path):
    """Another engine can stand behind the store; a command may catch what SQLite raises."""
    allowed = {"sqlite3", "sqlite3.Error"} if name(path).startswith("cli/") else set()
    assert not {one for one in imports(path) if one.split(".")[0] == "sqlite3"} - allowed
    strings = [
        n.value for n in ast.walk(tree(path)) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]
    sql = ("SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "PRAGMA ", "BEGIN IMMEDIATE", "CREATE TABLE")
    assert not [one for one in strings if one.startswith(sql)]


def test_every_file_says_what_it_owns():
    """A docstring for each module."""
    for path in FILES:
        text = path.read_text()
        assert ast.get_docstring(tree(path)) or not text.strip(), name(path)
