"""Pure: whether a mail names a person, and a text without that person."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Two lines or more of base64 as mail programs write it (RFC 2045 section 6.8): a text part, or a file.
_BASE64 = re.compile(rb"(?:^[A-Za-z0-9+/]{40,76}\r?\n)+[A-Za-z0-9+/]{0,76}={0,2}", re.MULTILINE)
_SOFT_BREAK = re.compile(rb"=[ \t]*\r?\n")  # RFC 2045 section 6.7 (5)
_FOLD = re.compile(rb"\r?\n(?=[ \t])")  # RFC 5322 section 2.2.3
_FROM = re.compile(rb"^(?:from|sender|reply-to|return-path)[ \t]*:(.*)$", re.IGNORECASE | re.MULTILINE)
MIN_NAME = 5


class Traces:
    """The marks of one person: the address, and names of two words or more; one word may be anybody.

    address   in comparable form; what stands in its place is `pseudonym`, in that of a name `blank`.
    """

    def __init__(self, address: str, names: Iterable[str], pseudonym: str, blank: str) -> None:
        self._pseudonym, self._blank = pseudonym, blank
        full = sorted({name for name in names if " " in name.strip() and len(name) >= MIN_NAME}, key=len)
        # Not inside a longer one: joana@customer.example, ana@customer.example.org.
        self._address = _pattern(address, r"(?<![\w.%+=-])", r"(?![\w-]|\.\w)")
        self._names = [_pattern(" ".join(name.split()), r"(?<!\w)", r"(?!\w)") for name in reversed(full)]
        self._marks = [
            re.compile(one.pattern.encode(), re.IGNORECASE) for one in (self._address, *self._names)
        ]

    def hidden(self, text: str) -> str:
        """Return a text with the pseudonym and blanks where the person is named."""
        text = self._address.sub(lambda _: self._pseudonym, text)
        for name in self._names:
            text = name.sub(lambda _: self._blank, text)
        return text

    def without_address(self, text: str) -> str:
        """Return a text with the pseudonym in place of the address; names stay."""
        return self._address.sub(lambda _: self._pseudonym, text)

    def in_bytes(self, raw: bytes) -> bool:
        """Tell whether a mail, or a part of one, names the person: plain, quoted-printable or base64."""
        forms = (raw, _SOFT_BREAK.sub(b"", raw) if b"=" in raw else b"", *map(_decoded, _BASE64.findall(raw)))
        return any(mark.search(form) for form in forms for mark in self._marks)

    def wrote(self, raw: bytes) -> bool:
        """Tell whether the head of a mail that nobody could read names the person as its sender."""
        head = _FOLD.sub(b"", raw.partition(b"\r\n\r\n")[0])
        return any(self._marks[0].search(line) for line in _FROM.findall(head))


def _pattern(words: str, before: str, behind: str) -> re.Pattern[str]:
    spaced = r"\s+".join(re.escape(word) for word in words.split())
    return re.compile(before + spaced + behind, re.IGNORECASE)


def _decoded(letters: bytes) -> bytes:
    try:
        return binascii.a2b_base64(letters)
    except binascii.Error:
        return b""
