"""Makes a notice a letter: the only place where jinja2 is used. Decides nothing, sends nothing.

Every wording lives in files: `templates/LANGUAGE/KIND.subject`, `KIND.txt`, `KIND.html`, shared
frames, and `words.toml`. An admin's folder may replace any of them, for all queues or for one.
All files are read once, when the object is made, so that a change on disk never shows half.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from jinja2 import FunctionLoader, StrictUndefined, TemplateError, TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from mailtickets.mail.compose import KEY_PLACEHOLDER, Letter, clean_line, visible_line
from mailtickets.problems import Problem
from mailtickets.template_files import (
    DEFAULT_LANGUAGE,
    KINDS,
    PARTS,
    SHARED,
    Source,
    built_in_folder,
    holds_templates,
    languages,
    merge_words,
    nearest_name,
    read_folder,
    read_words,
)
from mailtickets.template_filters import filters
from mailtickets.template_samples import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from mailtickets.desk.notices import Notice

__all__ = ["KINDS", "SAMPLES", "TemplateBroken", "Templates", "built_in_folder", "cleaned"]

MAX_OUTPUT = 256 * 1024  # characters that a template may write besides its values
MAX_SUBJECT = 240
MAX_LINE_VALUE = 1000  # characters of a value that stands within a line
# Values of several lines; all others are made one line, so that a name cannot pretend to be a footer.
_LONG = frozenset({"last_text", "text", "html", "asked", "key_line"})


class TemplateBroken(Exception):  # noqa: N818 - errors are named for the situation
    """A built-in template could not be rendered; the values do not fit it.

    name    of the template file, or of the kind that has none.
    reason  what happened, in words.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"template {name}: {reason}")
        self.name = name
        self.reason = reason


class Templates:
    """All wordings of a desk.

    folder   the admin's overrides: `FOLDER/LANGUAGE/FILE`, and `FOLDER/QUEUE/LANGUAGE/FILE`, which wins.
    zone     in which dates are shown.
    queues   known queues; other folders in `folder` are then reported. None accepts any name.

    `trouble` holds what is wrong with the overrides, each once: what could not be read, and what
    failed when it was used. Where an override fails, the built-in wording takes its place.
    `failed` has what failed when it was used by file and version, for whoever tells the admins.
    """

    def __init__(
        self, folder: Path | None = None, *, zone: ZoneInfo, queues: Iterable[str] | None = None
    ) -> None:
        self.trouble: list[Problem] = []
        self.failed: dict[str, Problem] = {}
        self._zone = zone
        self._built_in = {language: read_folder(path)[0] for language, path in languages(built_in_folder())}
        self._overrides: dict[tuple[str, str], dict[str, Source]] = {}
        if folder is not None:
            self._take_overrides(folder, None if queues is None else frozenset(queues))
        self._rooms: dict[tuple[str, str], _Room] = {}
        self._plain_rooms: dict[str, _Room] = {}

    def letter(self, notice: Notice) -> Letter:
        """Return a notice as a letter without pieces.

        Raises TemplateBroken where the built-in template cannot show these values.
        """
        language = self._language(notice.language, notice.queue)
        room = self._room(notice.queue, language)
        values = cleaned(notice.values)
        rendered: list[str] = []
        for part in PARTS:
            name = f"{notice.kind}.{part}"
            try:
                rendered.append(room.render(name, values))
            except Exception as error:  # an override may fail in any way that Python can
                if not room.overridden(name):
                    raise TemplateBroken(name, _reason(error)) from error
                problem = room.problem(name, error)
                self._report(problem)
                self.failed.setdefault(f"template {problem.file} {room.version(problem.file)}", problem)
                rendered.append(self._plain_room(language).render_built_in(name, values))
        subject, text, html = rendered
        return Letter(clean_line(subject, MAX_SUBJECT), f"{text.rstrip()}\n".lstrip("\n"), html.strip())

    def check(self) -> list[Problem]:
        """Render every notice with sample data, for every queue and language with overrides; return what is wrong."""
        found = list(self.trouble)
        for queue, language in sorted({("", DEFAULT_LANGUAGE), *self._overrides}):
            room = self._room(queue, language)
            for kind in sorted(KINDS):
                for part in PARTS:
                    problem = _first_problem(room, f"{kind}.{part}", SAMPLES[kind].values())
                    if problem and problem not in found:
                        found.append(problem)
        return found

    def _language(self, wanted: str, queue: str) -> str:
        """Return a language that there are words in: the wanted one, its base language, or English."""
        for language in (wanted, wanted.partition("-")[0]):
            if language in self._built_in or any((q, language) in self._overrides for q in (queue, "")):
                return language
        return DEFAULT_LANGUAGE

    def _room(self, queue: str, language: str) -> _Room:
        queue = queue if any((queue, one) in self._overrides for one in (language, DEFAULT_LANGUAGE)) else ""
        if (queue, language) not in self._rooms:
            self._rooms[queue, language] = _Room(self._shelves(queue, language), self._zone, self._report)
        return self._rooms[queue, language]

    def _plain_room(self, language: str) -> _Room:
        if language not in self._plain_rooms:
            shelves = [one for one in self._shelves("", language) if not one[0]]
            self._plain_rooms[language] = _Room(shelves, self._zone, self._report)
        return self._plain_rooms[language]

    def _shelves(self, queue: str, language: str) -> list[tuple[bool, dict[str, Source]]]:
        """Return the folders to look into, in order, each with whether it is the admin's."""
        found: list[tuple[bool, dict[str, Source]]] = []
        for one in dict.fromkeys((language, DEFAULT_LANGUAGE)):
            found += [(True, self._overrides.get((owner, one), {})) for owner in dict.fromkeys((queue, ""))]
            found.append((False, self._built_in.get(one, {})))
        return found

    def _report(self, problem: Problem) -> None:
        if problem not in self.trouble:
            self.trouble.append(problem)

    def _take_overrides(self, folder: Path, queues: frozenset[str] | None) -> None:
        """Read the admin's folder; whatever in it is no template is reported and left alone."""
        if not folder.is_dir():
            self._report(Problem(str(folder), 0, "templates.folder", str(folder), "no such folder"))
            return
        for child in sorted(
            path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
        ):
            if child.name in self._built_in or holds_templates(child):
                self._take_shelf("", child)
                continue
            if queues is not None and child.name not in queues:
                self._report(
                    Problem(
                        str(child),
                        0,
                        "",
                        "",
                        "neither a language nor a queue",
                        nearest_name(child.name, queues),
                    )
                )
                continue
            for language, path in languages(child):
                self._take_shelf(child.name, path, language)

    def _take_shelf(self, queue: str, path: Path, language: str = "") -> None:
        sources, problems = read_folder(path)
        for problem in problems:
            self._report(problem)
        if sources:
            self._overrides[queue, language or path.name] = sources


class _Room:
    """The wordings of one queue in one language: what the admin wrote before what is built in."""

    def __init__(
        self, shelves: list[tuple[bool, dict[str, Source]]], zone: ZoneInfo, report: Callable[[Problem], None]
    ) -> None:
        self._sources: dict[str, Source] = {}
        self._own: set[str] = set()
        words: dict[str, Any] = {}
        for own, shelf in reversed(shelves):
            self._sources.update(shelf)
            self._own = (self._own | shelf.keys()) if own else (self._own - shelf.keys())
            if source := shelf.get("words.toml"):
                merge_words(words, read_words(source, report))
        self._environment = ImmutableSandboxedEnvironment(
            loader=FunctionLoader(self._load),
            undefined=StrictUndefined,
            autoescape=lambda name: name is not None and name.endswith(".html"),
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,
        )
        self._environment.filters.update(filters(zone, words))
        self._environment.globals["words"] = words

    def _load(self, name: str) -> tuple[str, str, Callable[[], bool]] | None:
        """Return a source that was read at the start; there is nothing else a template could open."""
        source = self._sources.get(name)
        return (source.text, source.path, lambda: True) if source else None

    def render(self, name: str, values: Mapping[str, Any]) -> str:
        """Return a template filled in; raises whatever the template raises, and TemplateBroken for endless output."""
        room = MAX_OUTPUT + 6 * sum(len(value) for value in values.values() if isinstance(value, str))
        chunks: list[str] = []
        for chunk in self._environment.get_template(name).generate(values):
            room -= len(chunk)
            if room < 0:
                raise TemplateBroken(name, f"writes more than {MAX_OUTPUT} characters besides its values")
            chunks.append(chunk)
        return "".join(chunks)

    def render_built_in(self, name: str, values: Mapping[str, Any]) -> str:
        """As `render`, for a room without overrides: any failure is TemplateBroken."""
        try:
            return self.render(name, values)
        except Exception as error:
            raise TemplateBroken(name, _reason(error)) from error

    def overridden(self, name: str) -> bool:
        """Tell whether the admin's own files can have a part in what this template shows."""
        return name in self._own or not self._own.isdisjoint(SHARED)

    def problem(self, name: str, error: Exception) -> Problem:
        """Name the file and line at fault, as far as it can be known."""
        at_fault, line = _place(error, self._sources)
        source = self._sources.get(at_fault or name)
        remedy = "the built-in wording is used meanwhile"
        return Problem(source.path if source else name, line, "", "", _reason(error), remedy)

    def version(self, path: str) -> str:
        """Return what changes with every word of a file."""
        text = "".join(source.text for source in self._sources.values() if source.path == path)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


# --- values ---------------------------------------------------------------------------------------


def cleaned(values: Mapping[str, object]) -> dict[str, Any]:
    """Return values fit for a template.

    What stands within a line is one line and without signs that nobody sees. The place of the reply
    key is taken out of everything but the key line: nobody may have a key put into words of their own.
    """
    return {key: value if key == "key_line" else _clean(key, value) for key, value in values.items()}


def _clean(key: str, value: object) -> Any:
    if isinstance(value, str):
        value = value.replace(KEY_PLACEHOLDER, "") if KEY_PLACEHOLDER in value else value
        if key == "html":
            return Markup(value)  # noqa: S704 - relay cleaned it; it is the one value that is HTML
        if key in _LONG:
            return value.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
        return visible_line(value)[:MAX_LINE_VALUE]
    if isinstance(value, dict):
        return {name: _clean(name, inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", inner) for inner in value]
    return value


# --- what went wrong ------------------------------------------------------------------------------


def _first_problem(room: _Room, name: str, samples: Iterable[Mapping[str, object]]) -> Problem | None:
    for values in samples:
        try:
            room.render(name, cleaned(values))
        except Exception as error:  # noqa: BLE001 - see Templates.letter
            return room.problem(name, error)
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, TemplateBroken):
        return error.reason
    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.name}"
    message = error.message if isinstance(error, TemplateError) else str(error)
    return clean_line(message or type(error).__name__, 300).rstrip(".")


def _place(error: Exception, sources: Mapping[str, Source]) -> tuple[str, int]:
    """Return the template and line at fault: jinja2 writes them into syntax errors and into the traceback."""
    line, path = getattr(error, "lineno", None), getattr(error, "filename", None)
    trace = error.__traceback__
    paths = {source.path: name for name, source in sources.items()}
    while line is None and trace is not None:
        if trace.tb_frame.f_code.co_filename in paths:
            found = trace
            path, at = found.tb_frame.f_code.co_filename, found.tb_lineno
            if trace.tb_next is None or not _inside(trace.tb_next, paths):
                line = at
        trace = trace.tb_next
    return paths.get(str(path), ""), line or 0


def _inside(trace: Any, paths: Mapping[str, str]) -> bool:
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in paths:
            return True
        trace = trace.tb_next
    return False
