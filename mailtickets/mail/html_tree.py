"""Pure: a mail's HTML as a small tree of our own, and back. The one door to lxml. Judges no content.

libxml2 reads any bytes, but some of its work grows with the square of hostile input: deep nesting with stray end
tags, thousands of attributes on one tag. So its events are taken one by one into nodes of our own, and reading
stops at a depth and a count no mail program reaches.
"""

from __future__ import annotations

import html as entities
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LETTERS = 1_000_000
MAX_DEPTH = 300  # a conversation of 60 nested quotes has 240
MAX_NODES = 50_000
MAX_TEXTS = 100_000
CHUNK = 16_384  # octets read between two looks at the limits

VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)


@dataclass(slots=True, eq=False)
class Node:
    """An element: its children are nodes and texts, in order."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    def marks(self) -> str:
        """Return id and classes in lower case, with a space at both ends."""
        return f" {self.attributes.get('id', '')} {self.attributes.get('class', '')} ".lower()

    def style(self) -> str:
        """Return the style attribute in lower case, without white space."""
        return "".join(self.attributes.get("style", "")[:2000].lower().split())


class TooComplexError(ValueError):
    """The HTML is deeper or has more elements than any mail program writes."""


class _Builder:
    """Takes the parser's events."""

    def __init__(self) -> None:
        self.root = Node("")
        self._open = [self.root]
        self._count = 0
        self._texts = 0
        self.too_complex = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._refused(len(self._open) > MAX_DEPTH or self._count > MAX_NODES):
            return
        node = Node(tag.lower(), {name.lower(): value or "" for name, value in attributes.items()})
        self._open[-1].children.append(node)
        self._open.append(node)

    def _refused(self, beyond: bool) -> bool:
        # An exception from here would not stop the parser before the end of its input.
        self.too_complex = self.too_complex or beyond
        return self.too_complex

    def end(self, _tag: str) -> None:
        if len(self._open) > 1:
            self._open.pop()

    def data(self, text: str) -> None:
        self._texts += 1
        if self._refused(self._texts > MAX_TEXTS):
            return
        self._open[-1].children.append(text)

    def comment(self, _text: str) -> None:
        """Comments are nobody's words."""

    def close(self) -> Node:
        return self.root


def read_tree(html: str) -> Node:
    """Return HTML as a tree. Raises `TooComplexError`, and nothing else.

    Reads the first `MAX_LETTERS`. A charset that the HTML names is not believed: it is text already.
    """
    octets = html[:MAX_LETTERS].replace("\0", "").encode("utf-8", "replace")
    builder = _Builder()
    parser = etree.HTMLParser(target=builder, encoding="utf-8", huge_tree=True)
    # What libxml2 refuses (an empty document, a lone comment) leaves the tree as far as it came.
    with suppress(etree.LxmlError, ValueError, AssertionError):
        for start in range(0, len(octets), CHUNK):
            parser.feed(octets[start : start + CHUNK])
            if builder.too_complex:
                break
        parser.close()
    if builder.too_complex:
        raise TooComplexError
    return builder.root


def walk(root: Node) -> Iterator[tuple[str, Node, str]]:
    """Yield ("start", node, ""), ("text", parent, text) and ("end", node, "") in the order of the document.

    A caller that changes the children of a node does so at its "start".
    """
    pending: list[tuple[str, Node, str]] = [("start", root, "")]
    while pending:
        event = pending.pop()
        yield event
        kind, node, _ = event
        if kind == "start":
            pending.append(("end", node, ""))
            pending.extend(
                ("text", node, child) if isinstance(child, str) else ("start", child, "")
                for child in reversed(node.children)
            )


def write_tree(root: Node) -> str:
    """Return the children of a tree as HTML."""
    pieces: list[str] = []
    for kind, node, text in walk(root):
        if kind == "text":
            pieces.append(entities.escape(text, quote=False))
        elif node is root:
            continue
        elif kind == "start":
            attributes = "".join(
                f' {name}="{entities.escape(value)}"'
                for name, value in node.attributes.items()
                if _NAME.fullmatch(name)
            )
            pieces.append(f"<{node.tag}{attributes}>")
        elif node.tag not in VOID:
            pieces.append(f"</{node.tag}>")
    return "".join(pieces)


_NAME = re.compile(r"[a-z][a-z0-9_.:-]{0,60}")
# A number of more digits is no character, and `int` refuses a very long one.
_ENTITY = re.compile(
    r"&(?:#[0-9]{1,7}(?![0-9])|#[xX][0-9a-fA-F]{1,6}(?![0-9a-fA-F])|[A-Za-z][A-Za-z0-9]{1,31});?"
)
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_BREAKING = frozenset(
    (
        "p",
        "div",
        "br",
        "tr",
        "li",
        "table",
        "ul",
        "ol",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "hr",
        "pre",
    )
)


def strip_tags(html: str) -> str:
    """Return the text of HTML that is too complex to read: tags out, line breaks at blocks; linear, never raises."""
    html = html[:MAX_LETTERS]
    pieces: list[str] = []
    at = 0
    lowered = html.lower() if len(html.lower()) == len(html) else html
    last_comment_end = html.rfind(
        "-->"
    )  # so that no unclosed comment looks for its end through the whole rest
    while found := _TAG.search(html, at):
        start = found.start()
        pieces.append(html[at:start])
        if html.startswith("<!--", start):
            end = html.find("-->", start + 4) if start + 4 <= last_comment_end else -1
            at = end + 3 if end >= 0 else _behind_run(html, start, "<!--")
            continue
        end = html.find(">", start)
        if end < 0:
            at = len(html)
            break
        name = lowered[start + 1 : min(end, start + 20)].lstrip("/").partition(" ")[0].strip("/ \t\r\n")
        at = end + 1
        if name in ("script", "style") and html[start + 1] != "/":
            closing = lowered.find(f"</{name}", at)
            at = closing if closing >= 0 else len(html)
        elif name in _BREAKING:
            pieces.append("\n")
    pieces.append(html[at:])
    text = _ENTITY.sub(lambda match: entities.unescape(match[0]), "".join(pieces))
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return "\n".join(line for line in lines if line)


def _behind_run(html: str, at: int, mark: str) -> int:
    """Return the index behind a run of one mark: an unclosed comment is skipped, what follows it is text."""
    while html.startswith(mark, at):
        at += len(mark)
    return at
