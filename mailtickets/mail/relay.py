"""Pure: a person's body made fit for the other side of the desk. Sends nothing, fetches nothing.

What reaches a customer holds the agent's new words only: the HTML is kept where it says exactly what the text says,
else it is dropped and the text goes alone. Addresses of agents and reply keys are taken out of both.
"""

from __future__ import annotations

import html as entities
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

import nh3

from mailtickets.mail.html_cut import content_id, drop_unseen, matching_html, pictures
from mailtickets.mail.html_tree import Node, TooComplexError, read_tree, walk, write_tree
from mailtickets.mail.visible_text import new_text as visible_text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailtickets.mail.message import Attachment, Message

MAX_REMOVALS = 20  # passes; taking one string out can join two halves of another

_KEY = re.compile(
    r"(?<![a-z0-9])(?:t[0-9]{1,4}-[0-9]{1,10}-[a-z2-7]{16}"
    r"|a[0-9]{1,4}-[0-9]{1,10}-[0-9]{1,6}-[a-z2-7]{16}(?:-[a-z][a-z0-9_-]{0,23})?)(?![a-z0-9])",
    re.IGNORECASE,
)
_KEY_LINE = re.compile(r"[\s>|*_]{0,20}(?:ref|reference)\s?:", re.IGNORECASE)

_TAGS = frozenset(
    {
        "p",
        "div",
        "br",
        "b",
        "strong",
        "i",
        "em",
        "u",
        "s",
        "a",
        "ul",
        "ol",
        "li",
        "blockquote",
        "pre",
        "code",
        "hr",
    }
    | {"h1", "h2", "h3", "h4", "table", "thead", "tbody", "tr", "td", "th", "img", "span", "sub", "sup"}
)
_ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
    "span": {"style"},
}
_STYLES = {"font-weight", "font-style", "text-decoration"}
_LINKS = ("http:", "https:", "mailto:")


@dataclass(frozen=True, slots=True)
class Relayed:
    """A body for the other side.

    html          clean and simple HTML without a frame; "" where only the text goes.
    attachments   of the mail, with the pictures that the HTML shows by `cid:`.
    """

    text: str
    html: str
    attachments: tuple[Attachment, ...]


def relay_agent(message: Message, new_text: str, *, hidden: Sequence[str]) -> Relayed:
    """Return an agent's mail as the customer may read it.

    new_text  what the agent wrote, without commands.
    hidden    strings that must not reach a customer: the agent's own addresses.
    """
    return _relay(message, visible_text_of(message), new_text, _pattern_of(hidden))


def fit_for_customers(text: str, hidden: Sequence[str]) -> str:
    """Return an agent's text as the customer reads it: without key lines, keys and hidden strings."""
    return _clean_text(text, _pattern_of(hidden))


def relay_customer(message: Message, whole: str | None = None) -> Relayed:
    """Return a customer's mail as agents may read it: what is new in it, nothing that would be fetched.

    whole   the visible text, where the caller has it already.
    """
    whole = visible_text_of(message) if whole is None else whole
    return _relay(message, whole, whole, None)


def _relay(message: Message, whole: str, wanted: str, hidden: re.Pattern[str] | None) -> Relayed:
    root = matching_html(message.html, whole, wanted) if message.html else None
    shown = pictures(root) if root is not None else _unquoted_pictures(message)
    html = _clean_html(root, message.attachments, hidden) if root is not None else ""
    return Relayed(_clean_text(wanted, hidden), html, _attachments(message, shown))


def _pattern_of(hidden: Sequence[str]) -> re.Pattern[str] | None:
    """Return a pattern that finds each hidden string, with the brackets around it."""
    strings = sorted({one.strip() for one in hidden if one.strip()}, key=lambda one: (-len(one), one))
    if not strings:
        return None
    return re.compile(rf"<?(?:mailto:)?(?:{'|'.join(re.escape(one) for one in strings)})>?", re.IGNORECASE)


# --- text -----------------------------------------------------------------------------------------


def _clean_text(text: str, hidden: re.Pattern[str] | None) -> str:
    """Return a text without key lines, keys and hidden strings; a line that held nothing else goes too."""
    lines: list[str] = []
    for line in text.split("\n"):
        if _KEY_LINE.match(line) and _KEY.search(line):
            continue
        clean = _without(line, hidden)
        if clean == line or any(sign.isalnum() for sign in clean):
            lines.append(clean)
    return _without("\n".join(lines).strip("\n"), hidden)


def _without(text: str, hidden: re.Pattern[str] | None) -> str:
    """Return a text without keys and hidden strings; "" if that has no end."""
    patterns = [pattern for pattern in (hidden, _KEY) if pattern is not None]
    for _ in range(MAX_REMOVALS):
        if not any(pattern.search(text) for pattern in patterns):
            return text
        for pattern in patterns:
            text = pattern.sub("", text)
    return ""


# --- HTML -----------------------------------------------------------------------------------------


_TAG = re.compile(r"<[^<>]*>")


def _clean_html(root: Node, attachments: Sequence[Attachment], hidden: re.Pattern[str] | None) -> str:
    """Return a tree as harmless HTML, or "" if something hidden would stay in it."""
    named = frozenset(one.content_id for one in attachments if one.content_id and _is_picture(one))
    for kind, node, _ in walk(root):
        if kind == "start":
            node.children = [fit for child in node.children if (fit := _fit(child, named, hidden)) != ""]
    html = nh3.clean(
        write_tree(root),
        tags=set(_TAGS),
        clean_content_tags={"script", "style"},
        attributes=_ATTRIBUTES,
        filter_style_properties=_STYLES,
        url_schemes={"http", "https", "mailto", "cid"},
        url_relative="deny",
        link_rel=None,
    ).strip()
    if (hidden is not None or _KEY.search(html)) and _shows_hidden(html, hidden):
        return ""
    return html if "<img" in html or _TAG.sub("", html).strip() else ""


def _is_picture(attachment: Attachment) -> bool:
    """Tell whether a page may show an attachment: SVG is a document, which may hold scripts."""
    kind = attachment.content_type.lower()
    return kind.startswith("image/") and "svg" not in kind


def _fit(child: Node | str, named: frozenset[str], hidden: re.Pattern[str] | None) -> Node | str:
    """Return a child of an element as it may stay: "" if it may not."""
    if isinstance(child, str):
        return _clean_text(child, hidden) if _KEY_LINE.match(child) else _without(child, hidden)
    if child.tag == "img":
        source = content_id(child.attributes.get("src", ""))
        if source not in named:
            return ""
        # Written anew, so that the address is the one that was checked.
        child.attributes = {**child.attributes, "src": f"cid:{source}"}
    elif child.tag == "a" and not _may_link(child.attributes.get("href", ""), hidden):
        child.tag, child.attributes = "span", {}
    return child


def _may_link(href: str, hidden: re.Pattern[str] | None) -> bool:
    plain = unquote(href).strip()
    if not plain.lower().startswith(_LINKS) or _KEY.search(plain):
        return False
    return hidden is None or not hidden.search(plain)


def _shows_hidden(html: str, hidden: re.Pattern[str] | None) -> bool:
    """Tell whether a key or a hidden string stands in HTML, in its text or in any attribute."""
    try:
        root = read_tree(html)
    except TooComplexError:
        return True
    shown = "".join(text for kind, _, text in walk(root) if kind == "text")
    attributes = " ".join(
        value for kind, node, _ in walk(root) if kind == "start" for value in node.attributes.values()
    )
    forms = (
        html,
        entities.unescape(html),
        unquote(html),
        shown,
        "".join(shown.split()),
        attributes,
        unquote(attributes),
    )
    return any(_KEY.search(form) or (hidden is not None and hidden.search(form)) for form in forms)


# --- attachments ----------------------------------------------------------------------------------


def _unquoted_pictures(message: Message) -> frozenset[str]:
    """Return the content ids of pictures that stand outside marked quotes."""
    if not any(one.content_id for one in message.attachments):
        return frozenset()
    try:
        root = read_tree(message.html)
    except TooComplexError:
        return frozenset(one.content_id for one in message.attachments if one.content_id)
    drop_unseen(root, quotes=True)
    return pictures(root)


def _attachments(message: Message, shown: frozenset[str]) -> tuple[Attachment, ...]:
    """Return the attachments, without pictures that only the quote or the signature shows."""
    if not any(one.content_id for one in message.attachments):
        return message.attachments
    try:
        everywhere = pictures(read_tree(message.html))
    except TooComplexError:
        everywhere = frozenset()
    return tuple(
        one for one in message.attachments if one.content_id not in everywhere or one.content_id in shown
    )
