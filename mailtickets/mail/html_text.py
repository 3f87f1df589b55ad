"""Pure: HTML of a mail as plain text that a person can read. Fetches nothing, runs nothing.

Quotes come out with "> " before each line, so that `visible_text.py` sees them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from mailtickets.mail.html_tree import Node, TooComplexError, read_tree, strip_tags, walk

MAX_QUOTE_DEPTH = 8
MAX_INDENT = 8
MAX_URL = 1000
MAX_EMPTY = 20_000  # letters of a page that shows nothing; more are written to be hard to read
RULE = "_" * 32  # what Outlook writes for a line across; it stands above its quotes

_DROPPED = frozenset(
    (
        "head",
        "script",
        "style",
        "title",
        "template",
        "noscript",
        "object",
        "svg",
        "math",
        "select",
        "textarea",
        "iframe",
    )
)
_BLOCKS = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
    }
    | {"footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "li", "main", "nav", "ol", "p", "pre"}
    | {"section", "table", "tbody", "tfoot", "thead", "tr", "ul", "caption", "body", "html"}
)
_SPACED = frozenset(("p", "blockquote", "pre", "table", "ul", "ol", "dl", "h1", "h2", "h3", "h4", "h5", "h6"))
_COLLAPSED = re.compile(r"[ \t\n\r\f]+")
NOTICE_MARK = "mailtickets-notice"


def html_to_text(html: str) -> str:
    """Return HTML as plain text; what is too complex to read loses its tags only.

    Linear in the input, of which the first 1,000,000 letters are read. Never raises.
    """
    return _read(html)[0]


def is_too_complex(html: str) -> bool:
    """Tell whether HTML could not be read as its writer's program shows it; quick behind `html_to_text` of the same."""
    return _read(html)[1]


@lru_cache(maxsize=1)
def _read(html: str) -> tuple[str, bool]:
    text, too_complex = "", False
    try:
        text = tree_to_text(read_tree(html))
    except TooComplexError:
        too_complex = True
    text = text or strip_tags(html).strip()
    return text, too_complex or (not text and len(html) > MAX_EMPTY)


def tree_to_text(root: Node) -> str:
    """Return a tree as plain text."""
    page = _Page()
    dropped: Node | None = None
    for kind, node, text in walk(root):
        if dropped is not None:
            if kind == "end" and node is dropped:
                dropped = None
        elif kind == "text":
            page.write(text)
        elif kind == "end":
            page.end(node)
        elif is_hidden(node):
            dropped = node
        else:
            page.start(node)
    return page.text()


def is_hidden(node: Node) -> bool:
    """Tell whether an element shows nothing to a reader."""
    return node.tag in _DROPPED or ("style" in node.attributes and "display:none" in node.style())


def is_quote(node: Node) -> bool:
    """Tell whether an element holds quoted words.

    A blockquote without border is how editors indent a paragraph; that is no quote.
    """
    if node.tag == "blockquote":
        style = node.style()
        indents = "webkit-indent-blockquote" in node.marks() or "border:none" in style or "border:0" in style
        return not indents or "gmail_quote" in node.marks()
    return NOTICE_MARK in node.marks()


def is_quote_border(node: Node) -> bool:
    """Tell whether an element is the line that Outlook and Windows Mail draw above a quote's header."""
    marks = node.marks()
    if "divrplyfwdmsg" in marks or "appendonsend" in marks:
        return True
    if node.tag != "div" or "style" not in node.attributes:
        return False
    style = node.style()
    return (
        "border-top:solid" in style or "border-top-style:solid" in style or "border:none;border-top:" in style
    )


def link_note(href: str, shown: str) -> str:
    """Return what is written behind a link's text: " <url>" where the text does not say it, else ""."""
    href = href.strip()
    if not href.lower().startswith(("http://", "https://", "mailto:", "tel:")) or len(href) > MAX_URL:
        return ""
    if any(sign.isspace() for sign in href):
        return ""
    target = href
    if href.lower().startswith(("mailto:", "tel:")):
        target = unquote(href.partition(":")[2].partition("?")[0])
        if any(sign.isspace() for sign in target):
            return ""
    return f" <{target}>" if target and _bare_url(target) not in _bare_url(shown) else ""


def _bare_url(url: str) -> str:
    bare = url.strip().lower().removeprefix("mailto:").removeprefix("tel:")
    return (
        bare.removeprefix("https://")
        .removeprefix("http://")
        .removeprefix("www.")
        .rstrip("/")
        .replace(" ", "")
    )


class _Page:
    """Lines in the making. White space between words is one space; blocks begin a new line."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []  # the line that is open; empty: none is
        self._prefix = ""  # of the open line
        self._space = False  # a space is due before the next word
        self._breaks = 0  # due before the next word: 1 a new line, 2 an empty line too
        self._fresh = False  # a cell or list entry has just begun: a block in it does not leave the line
        self._quotes = 0
        self._quoted_before = 0  # quote depth of the last line
        self._pre = 0
        self._lists: list[int] = []  # for each open list the number of the next entry; 0: without numbers
        self._indents: list[int] = []  # for each open list the width of its marker
        self._marker = ""  # of the list entry that begins
        self._links: list[tuple[str, list[str]]] = []  # of each open link the address and its words so far
        self._row = -1  # number of lines when the cell before began; -1: the row has none yet

    def start(self, node: Node) -> None:
        tag = node.tag
        if tag == "br":
            self._break_line()
            return
        if tag in _BLOCKS:
            self._due(self._gap(node, nested=bool(self._lists)))
        if tag == "hr" or is_quote_border(node):
            self._due(1)
            self._put(RULE)
            self._due(1)
        if is_quote(node):
            self._due(1)
            self._quotes += 1
        if tag == "pre":
            self._pre += 1
        elif tag in ("ul", "ol"):
            self._lists.append(1 if tag == "ol" else 0)
            self._indents.append(2)
        elif tag == "li":
            self._start_entry()
        elif tag == "a":
            self._links.append((node.attributes.get("href", ""), []))
        elif tag == "tr":
            self._breaks = min(self._breaks, 1)
            self._row = -1
        elif tag in ("td", "th"):
            self._start_cell()
        elif tag == "img":
            self._picture(node)

    def end(self, node: Node) -> None:
        tag = node.tag
        if tag == "a" and self._links:
            href, shown = self._links.pop()
            if shown and (note := link_note(href, "".join(shown))):
                self._space = False
                self._line.append(note)
        if tag in _BLOCKS:
            self._fresh = False
            self._due(self._gap(node, nested=len(self._lists) > 1))
        if is_quote(node):
            self._due(1)
            self._quotes = max(0, self._quotes - 1)
        if tag == "pre":
            self._pre = max(0, self._pre - 1)
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
            self._indents.pop()
            self._marker = ""

    def write(self, text: str) -> None:
        """Add words."""
        if self._pre:
            for number, line in enumerate(text.replace("\r\n", "\n").split("\n")):
                if number:
                    self._break_line()
                if line:
                    self._put(line)
            return
        words = _COLLAPSED.sub(" ", text)
        self._space = self._space or words.startswith(" ")
        if bare := words.strip(" "):
            self._put(bare)
            self._space = words.endswith(" ")

    def text(self) -> str:
        """Return the page."""
        self._close()
        return "\n".join(line.replace("\xa0", " ").rstrip() for line in self._lines).strip("\n")

    def _gap(self, node: Node, *, nested: bool) -> int:
        # Outlook writes each line as a paragraph of this class, without space between them.
        close = node.tag not in _SPACED or "msonormal" in node.marks()
        return 1 if close or (node.tag in ("ul", "ol") and nested) else 2

    def _due(self, breaks: int) -> None:
        if not self._fresh:
            self._breaks = max(self._breaks, breaks)
        self._space = False

    def _put(self, words: str) -> None:
        if self._breaks:
            gap = self._breaks > 1
            self._close()
            if gap and self._lines and self._lines[-1].strip("> "):
                self._lines.append(self._quote_marks(min(self._quotes, self._quoted_before)).rstrip())
        if not self._line:
            self._prefix = self._quote_marks(self._quotes) + self._indent()
            self._quoted_before = self._quotes
        elif self._space:
            self._line.append(" ")
        self._space = self._fresh = False
        self._line.append(words)
        if self._links:
            self._links[-1][1].append(words)

    def _close(self) -> None:
        """End the line that is open, if one is."""
        self._breaks = 0
        if not self._line:
            return
        line = self._prefix + "".join(self._line)
        self._line.clear()
        # A paragraph of one no-break space is how editors write an empty line; two in a row are one.
        if line.strip("> \xa0") or not self._lines or self._lines[-1].strip("> "):
            self._lines.append(line.rstrip("> \xa0") if not line.strip("> \xa0") else line)

    def _break_line(self) -> None:
        """End the line that is open; where none is, or its block is over, write an empty one."""
        over = self._breaks > 0 or not self._line
        self._close()
        if over and self._lines:
            self._lines.append(self._quote_marks(self._quotes).rstrip())
        self._space = self._fresh = False

    def _quote_marks(self, depth: int) -> str:
        return "> " * min(depth, MAX_QUOTE_DEPTH)

    def _indent(self) -> str:
        if not self._lists:
            return ""
        outer = " " * sum(self._indents[:-1][:MAX_INDENT])
        marker = self._marker or " " * self._indents[-1]
        self._marker = ""
        return outer + marker

    def _start_entry(self) -> None:
        self._fresh = False
        self._due(1)
        self._breaks = 1
        self._marker = "- "
        if self._lists and self._lists[-1]:
            self._marker = f"{self._lists[-1]}. "
            self._lists[-1] += 1
        if self._indents:
            self._indents[-1] = len(self._marker)
        self._fresh = True

    def _start_cell(self) -> None:
        if self._row == len(self._lines) and self._line:
            self._breaks = 0
            self._line.append(" " if self._line[-1].endswith(":") else " | ")
        else:
            self._breaks = 1 if self._row >= 0 else max(self._breaks, 1)
        self._space = False
        self._fresh = True
        self._row = len(self._lines) + (1 if self._breaks and self._line else 0)

    def _picture(self, node: Node) -> None:
        described = " ".join(node.attributes.get("alt", "")[:200].split())
        if described and not described.lower().startswith(("cid:", "http")):
            self._put(described if len(described) <= 3 else f"[{described}]")
