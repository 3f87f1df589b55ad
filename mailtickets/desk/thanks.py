"""Pure: a short thank-you, which is filed on a finished ticket and does not reopen it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailtickets.mail.message import Attachment

_PHRASES = {
    "en": r"(?:(?:ok|okay|great|perfect|super|excellent|wonderful|brilliant|cool|all good|got it|it works|it works now|works now|"
    r"that works|that worked|that helped|solved|fixed|many thanks|thanks|thank you|thanks a lot|thank you very much|"
    r"thank you so much|thanks so much|thanks again|much appreciated|cheers|thx|ty)"
    r"(?: (?:for your help|for the help|for the quick help|for your quick help|for your quick reply|for the quick reply|all|both|everyone))?)",
}
_GREETING = re.compile(r"(?:hi|hello|hey|dear)\b[^,.!?\n]{0,40}[,.!]?", re.IGNORECASE)
_CLOSING = re.compile(
    r"(?:best|kind|warm|many)? ?(?:regards|wishes|greetings)|best|cheers|sincerely|yours|(?:many |with )?thanks|thank you",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?", re.UNICODE)
MAX_LETTERS = 120


def is_thanks(text: str, attachments: Sequence[Attachment], language: str) -> bool:
    """Tell whether the whole text is a thank-you, leaving out greeting, closing and name.

    Strict on purpose: a thank-you with a question, a number or anything unknown reopens.
    """
    if attachments or len(text) > MAX_LETTERS or "?" in text or any(letter.isdigit() for letter in text):
        return False
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if lines and is_greeting(lines[0]):
        lines = lines[1:]
    if not lines:
        return False
    body, rest = lines[0], lines[1:]
    phrase = _PHRASES.get(language, _PHRASES["en"])
    sentences = [
        " ".join(part.lower().split())
        for part in re.split(r"[.!,;\u2026]+|(?::-?\)|\U0001F642|\U0001F44D)", body)
        if part.strip()
    ]
    if not sentences or not all(re.fullmatch(phrase, sentence) for sentence in sentences):
        return False
    return is_signature(rest)


def is_greeting(line: str) -> bool:
    """Tell whether a line holds a greeting and nothing else."""
    return _GREETING.fullmatch(line) is not None


def is_signature(lines: Sequence[str]) -> bool:
    """Tell whether lines hold at most a closing and a name of at most three words, each with a capital."""
    rest = [line for line in lines if not _CLOSING.fullmatch(line.rstrip(",."))]
    if len(rest) > 1 or len(lines) > 3:
        return False
    words = _WORDS.findall(rest[0]) if rest else []
    return len(words) <= 3 and not any(word[0].islower() for word in words)
