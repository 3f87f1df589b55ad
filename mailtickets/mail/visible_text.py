"""Pure: what this person newly wrote in a mail. Stores nothing, and throws nothing away: the rest is given back too.

Every line is either the person's or not; no line is changed. A forwarded mail is the person's content. Where
nothing of the person's would be left of a mail that is not just a marked quote, everything stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailtickets.mail.html_text import html_to_text
from mailtickets.mail.quote_lines import (
    attribution,
    is_delimiter,
    is_forward_mark,
    is_header_block,
    is_list_footer,
    is_notes_header,
    is_original_mark,
    is_phone_signature,
    is_quoted,
    is_rule,
    is_signature,
    is_wrapped_rest,
    names_writer,
)

if TYPE_CHECKING:
    from mailtickets.mail.message import Message

MAX_SIGNATURE_LINES = 30  # a longer text below "--" is a text below a dividing line
MAX_EMPTY_LINES = 6  # between an attribution and the quote it belongs to
MAX_LINES = 20_000  # lines that are looked at closely; of what follows, quoted lines go
MAX_WRITER_LINES = 6  # of an unknown language above our own line
MAX_STUB = 600  # letters of a text part that only says "this mail is HTML"


@dataclass(frozen=True, slots=True)
class Visible:
    """What a person newly wrote, and everything taken away, each in the order of the mail."""

    text: str
    quoted: str


def visible_text(text: str, *, answers: bool = True, forwards: bool = False) -> Visible:
    """Return a plain text without what it quotes and without its signature.

    answers    the mail answers another; then text below a phone's signature is taken for an unmarked quote
               where the mail has no other quote.
    forwards   the subject says that the mail forwards another; then a header block is content.

    Quoted lines go, lines written between them stay. A quote without quote marks goes to its end. Works in
    linear time: each line is looked at with a handful of lines behind it.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    sieve = _Sieve(lines, answers=answers, forwards=forwards)
    sieve.sort_lines()
    sieve.trim()
    kept = sieve.kept
    if not any(keep and line.strip() for keep, line in zip(kept, lines, strict=True)):
        kept = sieve.kept_at_last()
    return Visible(
        "\n".join(line for keep, line in zip(kept, lines, strict=True) if keep).strip("\n").rstrip(),
        "\n".join(line for keep, line in zip(kept, lines, strict=True) if not keep).strip("\n").rstrip(),
    )


class _Sieve:
    """One reading of a text. `kept` says for each line whether it is the person's."""

    def __init__(self, lines: list[str], *, answers: bool, forwards: bool) -> None:
        self.lines = lines
        self.kept = [False] * len(lines)
        self.answers = answers
        # A forwarded notice of ours is no content: it holds the desk's own words and keys.
        self.ours = any("##" in line and is_delimiter(line) for line in lines)
        self.forwards = forwards and not self.ours
        self.wrote = False  # a line of the person's own stands above
        self.marked = False  # quoted lines or an attribution were found
        self.unsure = False  # the text begins with an attribution and shows no quote: its marks say nothing
        self.cut_at: int | None = None  # a quote without quote marks goes from here to the end
        self.phone_at: int | None = None
        self.signature = False  # inside a signature, which ends where a quote begins
        self.end = len(lines)  # behind the person's last line; a forwarded mail stands below it

    def sort_lines(self) -> None:
        """Say of each line whether it is kept."""
        at = 0
        while at < min(len(self.lines), MAX_LINES):
            at = self._read(at)
        if self.cut_at is None and not self.signature:
            self.kept[at:] = [not is_quoted(line) for line in self.lines[at:]]

    def _read(self, at: int) -> int:
        """Read the line at an index; return the index of the next line to read."""
        line = self.lines[at]
        if not line.strip():
            self.kept[at] = not self.signature
            return at + 1
        if not self.ours and is_forward_mark(line) and not (self.marked and is_quoted(line)):
            return self._keep_rest(at)
        if is_quoted(line):
            self.marked = True
            self.signature = False
            self.kept[at] = self.unsure
            return at + 1
        if self._starts_unmarked_quote(at):
            return self._keep_rest(at) if self.forwards else self._cut(at)
        if found := attribution(self.lines, at):
            if self._quote_follows(found.end):
                self.marked = True
                self.signature = False
                return found.end
            if found.strong:
                if self.wrote:
                    return self._cut(at)
                self.marked = True
                self.unsure = not self.ours
                return found.end
        return self._read_own(at)

    def _read_own(self, at: int) -> int:
        """Read a line that begins no quote."""
        line = self.lines[at]
        if self._starts_signature(at):
            self.signature = True
        elif not self.signature:
            if is_phone_signature(line) and self._stands_alone(at):
                self.phone_at = at if self.phone_at is None else self.phone_at
            elif not self.unsure and is_wrapped_rest(*self._around(at)):
                self.kept[at] = False
            else:
                self.kept[at] = True
                self.wrote = self.wrote or not is_rule(line)
        return at + 1

    def _keep_rest(self, at: int) -> int:
        self.kept[at:] = [True] * (len(self.lines) - at)
        self.end = at
        return len(self.lines)

    def _cut(self, at: int) -> int:
        self.cut_at = at
        if is_delimiter(self.lines[at]):
            self._drop_writer(at)
        return len(self.lines)

    def _drop_writer(self, at: int) -> None:
        """Take away the lines above our own line that name us as the writer, in whatever language they are."""
        end = at
        while end > 0 and (not self.lines[end - 1].strip() or is_rule(self.lines[end - 1])):
            end -= 1
        start = end
        while (
            start > 0
            and end - start < MAX_WRITER_LINES
            and self.kept[start - 1]
            and self.lines[start - 1].strip()
        ):
            start -= 1
        named = names_writer(self.lines[start:end])
        self.kept[end - named : end] = [False] * named

    def _starts_unmarked_quote(self, at: int) -> bool:
        line = self.lines[at]
        if is_original_mark(line) or is_delimiter(line) or is_notes_header(self.lines, at):
            return True
        return is_header_block(self.lines, at, marked=at > 0 and is_rule(self.lines[at - 1]))

    def _quote_follows(self, at: int) -> bool:
        following = self.lines[at : at + MAX_EMPTY_LINES]
        return is_quoted(next((line for line in following if line.strip()), ""))

    def _around(self, at: int) -> tuple[str, str, str]:
        above = self.lines[at - 1] if at else ""
        below = self.lines[at + 1] if at + 1 < len(self.lines) else ""
        return above, self.lines[at], below

    def _stands_alone(self, at: int) -> bool:
        return at == 0 or not self.lines[at - 1].strip() or not self.kept[at - 1]

    def _starts_signature(self, at: int) -> bool:
        line = self.lines[at]
        below = self.lines[at + 1 : at + 2 + MAX_SIGNATURE_LINES]
        if is_signature(line):
            return len(below) <= MAX_SIGNATURE_LINES or any(
                is_quoted(one) or is_rule(one) or is_original_mark(one) or not one.strip() for one in below
            )
        return (
            is_rule(line) and "__" in line and bool(below) and any(is_list_footer(one) for one in below[:2])
        )

    def trim(self) -> None:
        """Take away what stands at the end of the person's text without being text.

        That is dividing lines, and what stands below a phone's signature of an answer that shows no other quote.
        """
        phone = self.phone_at
        if (
            self.answers
            and phone is not None
            and not self.marked
            and self.cut_at is None
            and self._has_text(phone)
        ):
            self.kept[phone : self.end] = [False] * (self.end - phone)
        for at in range(self.end - 1, -1, -1):
            if self.kept[at] and self.lines[at].strip():
                if not is_rule(self.lines[at]):
                    break
                self.kept[at] = False

    def _has_text(self, end: int) -> bool:
        return any(self.kept[at] and self.lines[at].strip() for at in range(end))

    def kept_at_last(self) -> list[bool]:
        """Return what is kept of a text of which nothing was: nothing of a marked quote, else all of it.

        Below our own line nothing is the person's, so that an empty answer stays empty.
        """
        nothing = [False] * len(self.lines)
        if self.ours:
            return nothing
        if self.cut_at is not None:
            return [*nothing[: self.cut_at], *([True] * (len(self.lines) - self.cut_at))]
        return nothing if self.marked else [True] * len(self.lines)


_STUB_WORDS = re.compile(
    r"\b(?:html|view|support|display|browser|anzeigen|darstellen|afficher|affichage|visualizza|visualizzare|ver|vista"
    r"|weergeven|visa|vise|client|programm|programme|program|viewer|multipart|mime)\b"
)


def _is_stub(text: str) -> bool:
    """Tell whether a text part only says that the mail is HTML."""
    if not text.strip():
        return True
    if len(text) > MAX_STUB:
        return False
    folded = text.casefold()
    return "html" in folded and len(set(_STUB_WORDS.findall(folded))) >= 2


def message_text(message: Message) -> str:
    """Return the body of a mail as text: its text part, or its HTML where the text part is missing or a stub."""
    return html_to_text(message.html) or message.text if is_html_only(message) else message.text


def is_html_only(message: Message) -> bool:
    """Tell whether the body of a mail has to be read off its HTML."""
    return bool(message.html) and _is_stub(message.text)


_FORWARD_SUBJECT = re.compile(r"\s{0,3}(?:fwd?|wg|tr|rv|enc|i|doorst|vb|pd|vl)\s?[:\uff1a]", re.IGNORECASE)
_ANSWER_SUBJECT = re.compile(
    r"\s{0,3}(?:re|aw|sv|vs|antw|odp|ynt|ref|rif|r|bls)(?:\[\d{1,3}\])?\s?[:\uff1a]", re.IGNORECASE
)


def new_text(message: Message) -> str:
    """Return the visible text of a mail."""
    answers = bool(message.in_reply_to or message.references or _ANSWER_SUBJECT.match(message.subject))
    forwards = bool(_FORWARD_SUBJECT.match(message.subject))
    return visible_text(message_text(message), answers=answers, forwards=forwards).text
