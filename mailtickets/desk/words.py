"""Pure: whole words and phrases found in what people write, whatever their case, script or line breaks.

Every step takes time in proportion to the text, also where the text was written to make it slow.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property, lru_cache

# Python's normal form takes quadratic time over a long run of combining marks: 100,000 of them take ten seconds.
# In pieces of this length the worst text of 100,000 letters takes some hundredths of one.
PIECE = 200
# Soft hyphens, zero-width spaces and joiners, byte order and direction marks: nobody sees them, programs put them into words.
_INVISIBLE = dict.fromkeys(
    (0xAD, 0x61C, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF)
)
_HYPHENS = {0x2010: "-"}
# Thai, Lao, Burmese, Khmer, Chinese, Japanese and Korean put no space around what a dictionary calls a word.
_WITHOUT_SPACES = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_UNSPACED = re.compile(f"[{_WITHOUT_SPACES}]")
_RUN = re.compile(rf"[^\W_{_WITHOUT_SPACES}]+")


class Text:
    """A text in which many words are looked for; what each begins with is looked up first."""

    def __init__(self, text: str, limit: int) -> None:
        self.folded = folded(text, limit)

    @cached_property
    def _runs(self) -> frozenset[str]:
        return frozenset(_RUN.findall(self.folded))

    def has(self, word: str) -> bool:
        """Tell whether it holds a word or phrase; see `has_word`."""
        sought, run = _sought(word)
        return (not run or run in self._runs) and has_word(self.folded, sought)


@lru_cache(maxsize=8192)
def _sought(word: str) -> tuple[str, str]:
    """Return a word folded, and the run of letters that a text must have to hold it, "" for any."""
    sought = folded(word, PIECE)
    run = _RUN.search(sought)
    return sought, run[0] if run and not _UNSPACED.search(sought) else ""


def folded(text: str, limit: int) -> str:
    """Return the first letters of a text in the form in which words are compared.

    Case and compatibility forms are folded (RFC 8264 names the same steps), white space is one space, what
    nobody sees is left out.
    """
    text = text[:limit]
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(" ".join(_folded_token(token) for token in text.translate(_INVISIBLE).split()).split())


def _folded_token(token: str) -> str:
    if token.isascii():
        return token.lower()
    pieces = (token[start : start + PIECE] for start in range(0, len(token), PIECE))
    normal = "".join(unicodedata.normalize("NFKC", piece) for piece in pieces)
    return normal.translate(_HYPHENS).casefold()


def has_word(text: str, word: str) -> bool:
    """Tell whether a folded text holds a folded word or phrase as a whole.

    "urgent" is in "URGENT!" and "(urgent)", not in "urgently" and not in "non-urgent": a compound is another
    word, with or without a hyphen. Where a script has no spaces, a word is found inside a sentence.
    """
    if not word:
        return False
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if _begins(text, at) and _ends(text, end):
            return True
        at = text.find(word, at + 1)
    return False


def begins_with(text: str, word: str) -> bool:
    """Tell whether a folded text begins with a folded word or phrase as a whole."""
    return bool(word) and text.startswith(word) and _ends(text, len(word))


def _begins(text: str, at: int) -> bool:
    """Tell whether a word can begin at an index."""
    if at == 0 or not _is_letter(text[at]) or _UNSPACED.match(text[at]):
        return True
    before = text[at - 1]
    if before == "-":
        return at < 2 or not _is_letter(text[at - 2])
    return not _is_letter(before) or bool(_UNSPACED.match(before))


def _ends(text: str, end: int) -> bool:
    """Tell whether a word can end before an index."""
    if end == len(text) or not _is_letter(text[end - 1]) or _UNSPACED.match(text[end - 1]):
        return True
    after = text[end]
    if after == "-":
        return end + 1 == len(text) or not _is_letter(text[end + 1])
    return not _is_letter(after) or bool(_UNSPACED.match(after))


def _is_letter(char: str) -> bool:
    """Tell whether a character is part of a word: letters, digits, and the marks that belong to a letter."""
    return char.isalnum() or unicodedata.category(char).startswith("M")
