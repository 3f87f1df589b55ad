"""Pure: the part of a mail's HTML that says the same as a given text, and nothing else of it.

Which words a person newly wrote is decided on the text, in `visible_text.py`. Here the HTML is laid beside that
text, letter by letter, and only what was found in both is kept. So a quote that no rule knows can not slip through:
its letters are not in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from mailtickets.mail.html_text import is_hidden, is_quote
from mailtickets.mail.html_tree import Node, TooComplexError, read_tree, walk

MAX_TEXT = 200_000  # letters; a longer text is relayed without its HTML

_ATTRIBUTIONS = ("gmail_attr", "moz-cite-prefix", "yahoo_quoted_begin", "protonmail_quote_header")
_SHOWN = frozenset(("img", "hr", "br"))
# Signs that programs add or leave out when they write HTML as text: *bold*, - entries, | cells, <links>.
_LOOSE = str.maketrans(
    "",
    "",
    '*_/<>[]()|-#"~=+\u2013\u2014\u2022\u00b7\u25e6\u25aa\xad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff',
)
_ENTRY = re.compile(r"[ \t]{0,40}(?:[0-9]{1,3}[.)]|[o\u2022\u00b7])[ \t\xa0]")
_NOTE = re.compile(r"<\s?[^<>\s]{1,1000}\s?>|\[[^\[\]\n]{1,200}\]")


def letters(text: str) -> str:
    """Return what of a text is compared: no white space, no signs of formatting."""
    return "".join(text.split()).translate(_LOOSE)


def matching_html(html: str, whole: str, wanted: str) -> Node | None:
    """Return the part of HTML that says `wanted`, or None where it can not be found for sure.

    whole    the new text of the mail; the HTML must begin with it, apart from quotes.
    wanted   the end of `whole` that is to be kept (without the commands at its top).

    Quotes that are marked as such are left out first, so that answers between them are found; where that does not
    fit, all of the HTML is compared (a forwarded mail is no quote).
    """
    if len(whole) > MAX_TEXT or not letters(wanted):
        return None
    for without_quotes in (True, False):
        try:
            root = read_tree(html)
        except TooComplexError:
            return None
        drop_unseen(root, quotes=without_quotes)
        shown = _shown(root)
        if (span := _span("".join(one.letters for one in shown), whole, wanted)) is not None:
            _keep(shown, *span)
            drop_empty(root)
            return root
    return None


def drop_unseen(root: Node, *, quotes: bool) -> None:
    """Take out what no reader sees, and if `quotes` what is marked as a quote or names its writer."""
    for kind, node, _ in walk(root):
        if kind == "start":
            node.children = [
                child
                for child in node.children
                if isinstance(child, str) or not (is_hidden(child) or (quotes and _is_quoted(child)))
            ]


def _is_quoted(node: Node) -> bool:
    return is_quote(node) or any(mark in node.marks() for mark in _ATTRIBUTIONS)


@dataclass(slots=True)
class _Shown:
    """What a reader sees at `parent.children[index]`: a text, or a picture, line or line break (no text)."""

    parent: Node
    index: int
    text: str
    letters: str


def _shown(root: Node) -> list[_Shown]:
    """Return texts and pictures in the order of the document."""
    found: list[_Shown] = []
    pending = [(root, index) for index in reversed(range(len(root.children)))]
    while pending:
        parent, index = pending.pop()
        child = parent.children[index]
        if isinstance(child, str):
            found.append(_Shown(parent, index, child, letters(child)))
            continue
        if child.tag in _SHOWN:
            found.append(_Shown(parent, index, "", ""))
        pending.extend((child, below) for below in reversed(range(len(child.children))))
    return found


def _span(page: str, whole: str, wanted: str) -> tuple[int, int] | None:
    """Return where in the letters of a page the wanted text begins and ends, or None.

    Walks over text and page together. What programs add to the text may be passed over: a number before a list's
    entry, a link's target, the name of a picture. Nothing of the page is passed over.
    """
    all_letters, wanted_letters = letters(whole), letters(wanted)
    before = len(all_letters) - len(wanted_letters)
    if before < 0 or not all_letters.endswith(wanted_letters):
        return None
    if page.startswith(all_letters):
        return before, len(all_letters)  # no program added anything: the usual case, without a walk
    at = on_page = seen = 0
    begins = -1
    while at < len(whole):
        if begins < 0 and seen >= before:
            begins = on_page
        if added := _added(whole, at, page, on_page):
            at += len(added)
            seen += len(letters(added))
            continue
        sign = letters(whole[at])
        if sign:
            if not page.startswith(sign, on_page):
                return None
            on_page += 1
            seen += 1
        at += 1
    return (begins, on_page) if 0 <= begins < on_page else None


def _added(whole: str, at: int, page: str, on_page: int) -> str:
    """Return what a program added to the text at an index and the page does not say there; "" if nothing."""
    match = _NOTE.match(whole, at) if whole[at] in "<[" else None
    if match is None and (at == 0 or whole[at - 1] == "\n"):
        match = _ENTRY.match(whole, at)
    if match is None:
        return ""
    said = letters(match[0])
    return match[0] if said and not page.startswith(said, on_page) else ""


def _keep(shown: list[_Shown], begins: int, ends: int) -> None:
    """Take out of the tree what is shown before or behind a span of letters.

    A picture behind the last letter stays if no other text stands between.
    """
    position = 0
    for one in shown:
        after = position + len(one.letters)
        if position >= ends and one.text.strip():
            ends = -1  # the person's part is over; what follows goes
        outside = after <= begins if one.letters else position < begins
        if ends < 0 or outside:
            one.parent.children[one.index] = ""
        elif one.letters and (position < begins or after > ends):
            one.parent.children[one.index] = _cut_text(one.text, begins - position, ends - position)
        position = after


def _cut_text(text: str, begins: int, ends: int) -> str:
    """Return the piece of a text from one letter to another, with the signs that close its last word."""
    counted = 0
    start = 0
    for index, sign in enumerate(text):
        if not letters(sign):
            if counted >= ends and sign.isspace():
                return text[start:index]
            continue
        if counted >= ends:
            return text[start:index]
        if counted == max(begins, 0):
            start = index if begins > 0 else 0
        counted += 1
    return text[start:]


def drop_empty(root: Node) -> None:
    """Take elements out that show nothing, and line breaks at the end."""
    nodes = [node for kind, node, _ in walk(root) if kind == "end"]
    full: set[int] = set()  # ids of nodes that show something; all of them live as long as `nodes`
    for node in nodes:
        node.children = [
            child for child in node.children if (child != "" if isinstance(child, str) else id(child) in full)
        ]
        if node.children or node.tag in _SHOWN or node.tag in ("td", "th"):
            full.add(id(node))
    _trim_edge(root, 0)
    _trim_edge(root, -1)


def _trim_edge(root: Node, edge: int) -> None:
    """Take line breaks and white space off one edge of a tree (0: the beginning, -1: the end)."""
    node = root
    while True:
        if not node.children:
            if node is root:
                return
            node = root  # what held only breaks is empty now, and goes on the next way down
            continue
        child = node.children[edge]
        if isinstance(child, Node) and child.children:
            node = child
        elif (child.strip() != "") if isinstance(child, str) else (child.tag in ("img", "hr", "td", "th")):
            return
        else:
            node.children.pop(edge)


def pictures(root: Node) -> frozenset[str]:
    """Return the content ids of the pictures that a tree shows."""
    sources = (
        node.attributes.get("src", "")
        for kind, node, _ in walk(root)
        if kind == "start" and node.tag == "img"
    )
    return frozenset(content_id(source) for source in sources if content_id(source))


def content_id(source: str) -> str:
    """Return the content id that a `cid:` address names (RFC 2392), or ""."""
    source = source.strip()
    return unquote(source[4:]).strip("<> ") if source[:4].lower() == "cid:" else ""
