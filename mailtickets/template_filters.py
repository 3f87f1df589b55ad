"""The filters of templates: dates, sizes, wrapped and quoted text. Pure; knows no notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

WIDTH = 72  # of our own sentences in plain text; leaves room for quoting
MAX_PARAGRAPHS = 200  # beyond it line breaks have to do: an element for each of 50,000 letters helps nobody


def filters(zone: ZoneInfo, words: Mapping[str, Any]) -> dict[str, Callable[..., str]]:
    """Return the filters by name; dates are shown in `zone` with the day and month names of `words`."""

    def when(moment: datetime) -> str:
        """Tue 24 Nov 2026, 10:00 GMT."""
        here = moment.astimezone(zone)
        return f"{_day(here)} {here.year}, {here:%H:%M} {_zone_name(here)}"

    def brief(moment: datetime) -> str:
        """Tue 24 Nov 10:00."""
        here = moment.astimezone(zone)
        return f"{_day(here)} {here:%H:%M}"

    def _day(here: datetime) -> str:
        # Our own names: strftime would follow the locale of the machine, not the language of the letter.
        return f"{words['weekdays'][here.weekday()]} {here.day} {words['months'][here.month - 1]}"

    def listed(names: Sequence[str]) -> str:
        """Jo Boss, Kim Archer and Lee Moss."""
        return f" {words['and']} ".join(one for one in (", ".join(names[:-1]), *names[-1:]) if one)

    return {
        "listed": listed,
        "when": when,
        "brief": brief,
        "size": size,
        "wrap72": wrap72,
        "hanging": hanging,
        "quote": quote,
        "paragraphs": paragraphs,
        "sentence": sentence,
        "code": code,
    }


def _zone_name(here: datetime) -> str:
    name = here.tzname() or "UTC"
    return f"UTC{name}" if name[0] in "+-" else name  # zones without letters call themselves "+03"


def size(count: int) -> str:
    """Return a number of bytes as people say it: 900 bytes, 12 KB, 1.2 MB."""
    if count < 1000:
        return f"{count} bytes"
    if count < 999_500:
        return f"{round(count / 1000)} KB"
    megabytes = count / 1_000_000
    return f"{megabytes:.1f} MB" if megabytes < 9.95 else f"{round(megabytes)} MB"


def sentence(clause: str) -> str:
    """Return a clause as a sentence: a capital at the start, a full stop at the end; an address keeps its letters."""
    clause = str(clause).strip()
    if not clause:
        return ""
    first = clause.split(" ", 1)[0]
    if first.isalpha() and first.islower():
        clause = clause[0].upper() + clause[1:]
    return clause if clause[-1] in ".!?:" else f"{clause}."


def code(text: str) -> Markup:
    """Return plain text as HTML, escaped, with what stands in backticks as code: what is to be typed."""
    pieces = str(text).split("`")
    if len(pieces) % 2 == 0:  # one that is not closed
        pieces[-2:] = ["`".join(pieces[-2:])]
    marked = (
        escape(piece) if i % 2 == 0 else Markup("<code>{}</code>").format(piece)
        for i, piece in enumerate(pieces)
    )
    return Markup("").join(marked)


def quote(text: str) -> str:
    """Return a text with `> ` before each line."""
    return "\n".join(f"> {line}".rstrip() for line in str(text).split("\n"))


def wrap72(text: str) -> str:
    """Return paragraphs with lines of at most 72 characters where words allow it, one empty line at most between them.

    An item that begins with `- ` goes on under its first word, a quoted line behind its mark.
    """
    lines: list[str] = []
    for line in str(text).strip().split("\n"):
        if line.strip():
            lines.extend(_wrapped(line.rstrip()))
        elif lines and lines[-1]:
            lines.append("")
    return "\n".join(lines)


def hanging(text: str, indent: int) -> str:
    """Return a text whose further lines stand below its first one, which begins at column `indent`."""
    room, lines = max(WIDTH - indent, 20), [""]
    for word in str(text).split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".lstrip()
    return f"\n{' ' * indent}".join(lines)


def _wrapped(line: str) -> Iterator[str]:
    if len(line) <= WIDTH:
        yield line
        return
    indent = {"- ": "  ", "> ": "> "}.get(line[:2], "")
    current = ""
    for word in line.split():
        if current and len(current) + 1 + len(word) > WIDTH:
            yield current
            current = indent + word
        else:
            current = f"{current} {word}" if current else word
    yield current


def paragraphs(text: str) -> Markup:
    """Return plain text as HTML: a paragraph for each block, line breaks kept, everything escaped."""
    blocks = [block for block in str(text).strip().split("\n\n") if block.strip()]
    if len(blocks) > MAX_PARAGRAPHS:
        blocks = [str(text).strip()]
    pieces = [f'<p style="margin:0 0 16px">{_broken(block.strip(chr(10)))}</p>' for block in blocks]
    return Markup("\n".join(pieces))  # noqa: S704 - every block was escaped


def _broken(block: str) -> str:
    return str(escape(block)).replace("\n", "<br>\n")
