"""Finds and reads template files: the shipped ones and the admin's. Renders nothing."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailtickets.problems import Problem
from mailtickets.template_samples import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

MAX_SOURCE_BYTES = 256 * 1024  # of one template file
DEFAULT_LANGUAGE = "en"
PARTS = ("subject", "txt", "html")
KINDS = frozenset(SAMPLES)
SHARED = frozenset(
    {
        "layout.html",
        "bare.html",
        "agent.html",
        "agent_mail.html",
        "agreed.html",
        "agreed.txt",
        "agent_footer.txt",
        "agent_warnings.html",
        "agent_warnings.txt",
        "footer.txt",
        "promise.txt",
        "words.toml",
    }
)


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its text, and the path as an admin knows it."""

    text: str
    path: str


def built_in_folder() -> Path:
    """Return where the shipped templates are: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "_templates"
    return installed if installed.is_dir() else package.parent / "templates"


def languages(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            yield path.name, path


def holds_templates(folder: Path) -> bool:
    return any(is_template(path.name) for path in folder.iterdir() if path.is_file())


def is_template(name: str) -> bool:
    kind, _, part = name.rpartition(".")
    return name in SHARED or (kind in KINDS and part in PARTS)


def read_folder(folder: Path) -> tuple[dict[str, Source], list[Problem]]:
    """Return the templates of a folder, and what in it is none."""
    sources: dict[str, Source] = {}
    problems: list[Problem] = []
    known = [*SHARED, *(f"{kind}.{part}" for kind in KINDS for part in PARTS)]
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name.startswith(".") or path.name.endswith("~"):
            continue
        if not is_template(path.name):
            problems.append(
                Problem(str(path), 0, "", "", "no notice has this name", nearest_name(path.name, known))
            )
        elif path.stat().st_size > MAX_SOURCE_BYTES:
            problems.append(
                Problem(str(path), 0, "", "", f"larger than {MAX_SOURCE_BYTES // 1024} KB", "shorten it")
            )
        else:
            try:
                sources[path.name] = Source(path.read_text("utf-8"), str(path))
            except (OSError, UnicodeDecodeError) as error:
                problems.append(Problem(str(path), 0, "", "", f"cannot be read: {error}", "save it as UTF-8"))
    return sources, problems


def nearest_name(name: str, known: Iterable[str]) -> str:
    nearest = get_close_matches(name, list(known), 1)
    return (
        f"did you mean {nearest[0]}?" if nearest else "remove it, or see the folder of the shipped templates"
    )


def read_words(source: Source, report: Callable[[Problem], None]) -> dict[str, Any]:
    try:
        return tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        report(Problem(source.path, 0, "", "", f"not TOML: {error}", "the built-in words are used meanwhile"))
        return {}


def merge_words(words: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Put words over words, table by table; a value of another type than the one it replaces is left out."""
    for key, value in more.items():
        if isinstance(value, dict):
            table = words.setdefault(key, {})
            if isinstance(table, dict):
                table.update(value)
        elif type(words.get(key, value)) is type(value):
            words[key] = value
