"""Text that its writer's program wrapped (format=flowed, RFC 3676), with its paragraphs put together again. Pure."""

from __future__ import annotations

import re

_QUOTE = re.compile(r">*")


def unflowed(text: str, *, delete_space: bool) -> str:
    """Return format=flowed text with its paragraphs put together again (RFC 3676 section 4).

    delete_space   DelSp=yes: the space that marks a flowed line is not part of the text.
    """
    lines: list[str] = []
    paragraph: list[str] = []
    paragraph_depth = 0
    for line in text.split("\n"):
        depth = _QUOTE.match(line).end()  # type: ignore[union-attr]  # matches the empty string too
        rest = line[depth:].removeprefix(" ")  # space-stuffing, section 4.4
        is_signature = rest == "-- "
        if paragraph and (depth != paragraph_depth or is_signature):
            lines.append("".join(paragraph))
            paragraph = []
        if not paragraph:
            paragraph_depth = depth
            paragraph.append(">" * depth + (" " if depth and rest else ""))
        if rest.endswith(" ") and not is_signature:
            paragraph.append(rest[:-1] if delete_space else rest)
            continue
        paragraph.append(rest)
        lines.append("".join(paragraph))
        paragraph = []
    if paragraph:
        lines.append("".join(paragraph))
    return "\n".join(lines)
