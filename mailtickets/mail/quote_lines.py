"""Pure: says what a line of a mail's text is: quoted, the line above a quote, a signature's start.

Looks at one line, or at a handful from a given line on; never at the whole text, so that reading all lines
stays linear. Decides nothing about what is kept: that is `visible_text.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from mailtickets.mail import quote_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_LINE = 300  # letters of a line that are looked at; what mail programs write is shorter
MAX_ATTRIBUTION_LINES = 4
MAX_ATTRIBUTION = 600  # letters
WRAPPED_FROM = 60  # letters; mail programs wrap between 66 and 80
MAX_GAPPED_LINES = 7  # some programs tear "On ... wrote:" apart with empty lines
MAX_HEADER_LINES = 16

# Bidi marks, zero-width signs and the soft hyphen stand in attributions of some programs.
_INVISIBLE = dict.fromkeys(
    (0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF), None
)
_DASHES = "-_=*~\u2013\u2014\u2015\u2500 "
_RULE_MARKS = "-_=*#~+\u2013\u2014\u2015\u2500\u2501\u1427. \t\xa0"


def _any_of(listed: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in listed)


def _word_pattern(spaced: str, unspaced: str = "") -> re.Pattern[str]:
    pattern = rf"(?<!\w)(?:{_any_of(quote_words.words(spaced))})(?!\w)"
    if unspaced:
        pattern += f"|{_any_of(quote_words.words(unspaced))}"
    return re.compile(pattern)


_WROTE = _word_pattern(quote_words.WROTE, quote_words.WROTE_UNSPACED)
_OPENER = re.compile(
    # "On Mon, 3 Feb", "2021-02-04", "tir. 18. apr.": an opening word or a weekday, and then a number.
    rf"\W{{0,6}}(?:(?:(?:{_any_of(quote_words.words(quote_words.OPENERS))})(?!\w)"
    rf"|{_any_of(quote_words.words(quote_words.OPENERS_UNSPACED))}).{{0,40}}?\d"
    r"|\d{1,4}[^\w\s]|\d{1,4}\s{0,2}[^\W\d]|[^\W\d]{1,14}[.,\u060c]{0,2}\s{1,3}\d{1,2}(?!\w))"
)
_ADDRESS = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>]{1,255}")
_CLOCK = re.compile(r"(?<!\d)\d{1,2}\s?(?:[:.h\u6642\u65f6\uc2dc\u70b9])\s?\d{2}(?!\d)")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d{2}(?!\d)|(?<!\d)\d{1,2}[/.-]\d{1,2}[/.-]\d{2}(?!\d)")
_ADDRESS_LAST = re.compile(r"@[^\s@<>]{1,255}(?:<[^<>]{1,300}>)?>{1,2}\s?[:\uff1a]$")
_NAMED_ADDRESS = re.compile(r"[^<>@:!?]{0,80}<\s?[^<>\s]{1,64}@")
_ISO_NAME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2} GMT[+-]\d{2}:\d{2}((?: [^\W\d_][\w.'-]{0,30}){1,4})$")
_WROTE_TAIL = re.compile(r">\s?(?:\S+(?:\s\S+){0,2}\s?)?[:\uff1a]$")
_SENT = _word_pattern(quote_words.SENT, quote_words.SENT_UNSPACED)
_DEVICE = _word_pattern(
    quote_words.DEVICES, "iphone|ipad|android|手机|手機|\uc544\uc774\ud3f0|\ud734\ub300|我的"
)
_ABOVE = re.compile(_any_of(quote_words.words(quote_words.ABOVE)))
_URL_IN_BRACKETS = re.compile(r"[<(\[]?https?://[^\s<>]{1,600}[>)\]]?")


@lru_cache(maxsize=32)  # each line is looked at by several questions, one after the other
def plain(line: str) -> str:
    """Return a line as it is compared: cut, without invisible signs, white space around it and inside made one."""
    line = line[:MAX_LINE]
    # All invisible signs are beyond ASCII.
    return " ".join((line if line.isascii() else line.translate(_INVISIBLE)).split())


def is_quoted(line: str) -> bool:
    """Tell whether a line carries a quote mark.

    `>From` is no quote: mailboxes escape a line of the person's own that begins with "From " like that.
    """
    start = line[:8].lstrip(" \xa0\u200b")
    return start.startswith((">", "\uff1e")) and not start.startswith(">From ")


def unquoted(line: str) -> str:
    """Return a line without its quote marks."""
    return line.lstrip(" \xa0>\uff1e|")


def is_wrapped_rest(above: str, line: str, below: str) -> bool:
    """Tell whether a line is the end of a long quoted line that some program wrapped without a new mark.

    Only one line between two quoted ones counts, in lower case, where the line above stops amid a sentence:
    short answers are written between quoted lines too.
    """
    return (
        len(above) >= WRAPPED_FROM
        and is_quoted(above)
        and is_quoted(below)
        and line[:1].islower()
        and (above.rstrip()[-1:].isalnum() or above.rstrip().endswith(","))
    )


def is_rule(line: str) -> bool:
    """Tell whether a line is a dividing line: only dashes, underscores and the like."""
    return line != "" and line[:MAX_LINE].strip(_RULE_MARKS) == "" and len(line.strip()) >= 1


def is_delimiter(line: str) -> bool:
    """Tell whether a line is the one in our notices above which one answers."""
    text = plain(unquoted(line)).strip("*_ ")
    if not (text.startswith("##") and text.endswith("##") and len(text) > len("##  ##")):
        return False
    return (text.startswith("##-") and text.endswith("-##")) or bool(_ABOVE.search(text.casefold()))


def is_signature(line: str) -> bool:
    """Tell whether a line starts a signature (RFC 3676 section 4.3; many programs lose the space)."""
    return line.rstrip(" \t\xa0\r") == "--"


def is_phone_signature(line: str) -> bool:
    """Tell whether a line is a mail program's own, such as "Sent from my iPhone"."""
    text = _URL_IN_BRACKETS.sub(" ", plain(line)).casefold()
    if not 4 < len(text) <= 100 or text.endswith(("?", ":")):
        return False
    if text.count(".") > text.count("k-9 mail.") + 1 and ". please" not in text:
        return False
    return bool(_SENT.search(text) and _DEVICE.search(text)) and _sent_frames(text)


def _sent_frames(text: str) -> bool:
    """Tell whether the word of sending begins or ends the line, as it does in no sentence but these."""
    bare = text.strip(" <>()[]*_-\u2013\u2014.,|!")
    return any(match.start() == 0 or match.end() == len(bare) for match in _SENT.finditer(bare))


def _between_rules(line: str) -> str:
    """Return what stands between dashes, in comparable form; "" where no dashes stand before it."""
    text = plain(unquoted(line))
    dashed = len(text) - len(text.lstrip(_DASHES)) >= 2
    return "" if not dashed else text.strip(_DASHES).strip(" :\uff1a.").casefold().replace("\u2019", "'")


def is_original_mark(line: str) -> bool:
    """Tell whether a line says that the mail which is answered follows ("-----Original Message-----")."""
    return _between_rules(line) in quote_words.ORIGINAL


def is_forward_mark(line: str) -> bool:
    """Tell whether a line says that a forwarded mail follows.

    Apple Mail writes its line without dashes and ends it with a colon.
    """
    text = plain(unquoted(line))
    if len(text) > 150:
        return False
    if between := _between_rules(text):
        return between.startswith(quote_words.FORWARD)
    return (
        text.endswith((":", "\uff1a")) and len(text) <= 60 and text.casefold().startswith(quote_words.FORWARD)
    )


def is_list_footer(line: str) -> bool:
    """Tell whether a line below underscores is of a mailing list's footer."""
    text = plain(line).casefold()
    return any(word in text for word in quote_words.LIST_FOOTER)


def _field_of(line: str) -> str:
    """Return which header field a line of a header block is ("from", "sent", ...), or ""."""
    text = plain(line).lstrip("*_| ")
    label, colon, _ = text.replace("\uff1a", ":", 1).partition(":")
    return quote_words.LABELS.get(label.strip("*_ ").casefold(), "") if colon and len(label) <= 30 else ""


def is_header_block(lines: Sequence[str], at: int, *, marked: bool = False) -> bool:
    """Tell whether the header of an answered mail starts at a line (Outlook and its kin).

    marked   a dividing line or an "original message" line stands above, so that less proof is asked.

    Without a subject an address is asked for: "From: Berlin, To: Munich, Date: Friday" is no mail.
    """
    if _field_of(lines[at]) not in ("from", "sent", "subject"):
        return marked and _is_unknown_header(lines, at)
    fields: list[str] = []
    address = False
    strays = 0
    for line in lines[at : at + MAX_HEADER_LINES]:
        field = _field_of(line)
        if field in ("from", "subject") and field in fields:
            break  # another header: a list of them is no mail, and looking further would take too long
        if field:
            fields.append(field)
            strays = 0
        elif (strays := strays + 1) > 2:
            break
        address = address or bool(strays < 2 and _ADDRESS.search(line[:MAX_LINE]))
    found = set(fields)
    if "from" not in found or not found & {"sent", "to", "subject"}:
        return False
    return len(found - {"other"}) >= (2 if marked else 3) and (marked or "subject" in found or address)


def is_notes_header(lines: Sequence[str], at: int) -> bool:
    """Tell whether the header of an answered mail starts at a line as Lotus Notes draws it.

    A name, below it date and time, and below them the labels, each alone on its line.
    """
    if at + 1 >= len(lines) or not 0 < len(lines[at].strip()) <= 100:
        return False
    date = plain(lines[at + 1])
    if len(date) > 50 or not (_CLOCK.search(date) and _YEAR.search(date)):
        return False
    below = [plain(line).strip("*: \uff1a").casefold() for line in lines[at + 2 : at + 2 + MAX_HEADER_LINES]]
    return {"to", "subject"} <= {quote_words.LABELS.get(label, "") for label in below}


def names_writer(lines: Sequence[str]) -> int:
    """Return how many of the last lines name the writer of what follows them, whatever their language.

    Only for lines right above a quote of which there is no doubt.
    """
    texts = [plain(line) for line in lines]
    for count in range(1, len(texts) + 1):
        joined = " ".join(texts[-count:])
        dated = _CLOCK.search(joined) and _YEAR.search(joined)
        if texts[-1].endswith((":", "\uff1a")) and (dated or _ADDRESS.search(joined)):
            return count
    labelled = [bool(re.match(r"[^\s:\uff1a][^:\uff1a]{0,30}[:\uff1a]\s", text)) for text in texts]
    block = next((count for count in range(len(texts)) if not labelled[-1 - count]), len(texts))
    return block if block >= 2 and any(_ADDRESS.search(text) for text in texts[-block:]) else 0


def _is_unknown_header(lines: Sequence[str], at: int) -> bool:
    """Tell whether three labelled lines stand at a line, one of them with an address, whatever their language."""
    block = [plain(line).replace("\uff1a", ":") for line in lines[at : at + 3]]
    labels = [line.partition(":")[0].strip("*_ ") for line in block if ":" in line]
    return (
        len(labels) == 3
        and all(0 < len(label) <= 25 and label.count(" ") <= 2 and "/" not in label for label in labels)
        and any(_ADDRESS.search(line) for line in block)
    )


@dataclass(frozen=True, slots=True)
class Attribution:
    """The lines that name the writer of the quote below them.

    end     index of the line behind them.
    strong  sure enough to end the person's text even where no quote marks follow.
    """

    end: int
    strong: bool


def attribution(lines: Sequence[str], at: int) -> Attribution | None:
    """Return the attribution that starts at a line, or None ("On 3 May 2024, at 10:12, Ana wrote:")."""
    first = plain(lines[at])
    if not first or len(lines[at]) > MAX_LINE or _field_of(first) in ("from", "subject"):
        return None
    opens = bool(_OPENER.match(first.casefold()))
    if match := _ISO_NAME.match(first):
        return _iso_attribution(lines, at, match[1])
    joined = ""
    for end in range(at + 1, min(at + 1 + MAX_ATTRIBUTION_LINES, len(lines) + 1)):
        line = plain(lines[end - 1])
        if not line or (end > at + 1 and is_quoted(line) and not _WROTE_TAIL.match(line)):
            break
        joined = f"{joined} {line}".strip()
        if len(joined) > MAX_ATTRIBUTION:
            break
        if _may_end(line) and (strength := _strength(joined, first, opens=opens)) is not None:
            return Attribution(end, strength)
    return _gapped_attribution(lines, at, first) if opens else None


@lru_cache(maxsize=32)
def _may_end(line: str) -> bool:
    """Tell whether an attribution can end with this line: with a colon, or a word for "wrote"."""
    bare = line.rstrip("-*_ ")
    return bare.endswith((":", "\uff1a")) or _WROTE.search(bare.casefold()) is not None


def _strength(text: str, first: str, *, opens: bool) -> bool | None:
    """Return whether a text is surely (True) or only above quote marks (False) an attribution; None: it is none."""
    dashed = text.startswith("--") and text.endswith("--")
    text = text.strip("-*_ ")
    folded = text.casefold()
    ends = text.endswith((":", "\uff1a"))
    wrote = list(_WROTE.finditer(folded))
    if not ends and not (wrote and wrote[-1].end() == len(folded)):
        return None
    address, clock, year = _ADDRESS.search(text), _CLOCK.search(text), _YEAR.search(text)
    if wrote:
        if dashed:  # Lotus Notes: "-----Kim Archer/ACME wrote: -----"
            return True
        if opens and (address or year or clock):
            return True
        named = _NAMED_ADDRESS.match(first)
        if named and first.count(" ") <= 16 and (ends or address):
            return True
        return False if ends and _is_name_only(text, first, wrote[0].start()) else None
    if not ends:
        return None
    if opens and year and clock and _ADDRESS_LAST.search(text):
        return True
    opens = opens or bool(_NAMED_ADDRESS.match(first))
    return False if opens and ((address and (year or clock)) or (year and clock)) else None


def _is_name_only(text: str, first: str, name_end: int) -> bool:
    """Tell whether a line is a name and a word for "wrote": "Kim Archer wrote:", not "My boss wrote:"."""
    name = text[:name_end].split()
    return text == first and 1 <= len(name) <= 5 and all(word[:1].isupper() for word in name)


def _iso_attribution(lines: Sequence[str], at: int, name: str) -> Attribution | None:
    """Return an attribution of the shape "2016-03-03 17:21 GMT+01:00 Some One", alone between empty lines."""
    alone = (at == 0 or not lines[at - 1].strip()) and (at + 1 >= len(lines) or not lines[at + 1].strip())
    named = all(word[0].isupper() for word in name.split())
    return Attribution(at + 1, strong=True) if alone and named else None


def _gapped_attribution(lines: Sequence[str], at: int, first: str) -> Attribution | None:
    """Return an attribution with empty lines in it; only where its first line has date and time."""
    if not (_CLOCK.search(first) and _YEAR.search(first)) or first.endswith((".", "!", "?")):
        return None
    seen = [first]
    for end in range(at + 2, min(at + 1 + MAX_GAPPED_LINES, len(lines) + 1)):
        line = plain(lines[end - 1])
        if not line:
            continue
        if len(line) > 100 or line.endswith((".", "!", "?")):
            return None
        seen.append(line)
        text = " ".join(seen)
        if _WROTE.search(line.casefold()) and line.endswith((":", "\uff1a")) and _ADDRESS.search(text):
            return Attribution(end, strong=True)
    return None
