"""Pure: letters that people take for one another (Unicode TR39), folded to one of them. Judges nobody.

The table is our own and small: the letters of other alphabets that look like Latin ones in the usual fonts, and the
digits and pairs that stand for letters. Compatibility forms (full width, mathematical letters) fold by Unicode's rules.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

MAX_LETTERS = 320  # RFC 5321 section 4.5.3.1: no address is longer

# Letters that look like these Latin ones; the last row has Latin letters with marks, Armenian ones and digits.
_CYRILLIC = str.maketrans("аеорсухіјѕԁԛԝһӏвкмнтгьАВЕКМНОРСТУХІЈЅ", "aeopcyxijsdqwhlbkmhtrbABEKMHOPCTYXIJS")
_GREEK = str.maketrans("αορντυικεχγηωβΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aopvtuikexynwbABEZHIKMNOPTYX")
_OTHER = str.maketrans("ıɑɡɩſłđøꞵօսոհ01|", "iagisldobounholl")  # noqa: RUF001
_TABLE = {**_CYRILLIC, **_GREEK, **_OTHER}
_STOPS = dict.fromkeys((0x3002, 0xFF0E, 0xFF61), ".")  # RFC 3490 section 3.1: they part labels as "." does
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


@lru_cache(maxsize=4096)
def skeletons(text: str) -> frozenset[str]:
    """Return what a text looks like, once with capital I as i and once as l; two texts that share one look alike.

    Only the first `MAX_LETTERS` are looked at.
    """
    text = text[:MAX_LETTERS]
    return frozenset((_skeleton(text), _skeleton(text.replace("I", "l"))))


def alike(one: str, other: str) -> bool:
    """Tell whether people may read two texts as the same."""
    return not skeletons(one).isdisjoint(skeletons(other))


def _skeleton(text: str) -> str:
    if not text.isascii():
        marked = unicodedata.normalize("NFKD", text)
        text = "".join(sign for sign in marked if unicodedata.category(sign) not in {"Mn", "Cf", "Cc"})
    text = text.translate(_TABLE).casefold()
    for pair, letter in _PAIRS:
        text = text.replace(pair, letter)
    return text


def in_unicode(domain: str) -> str:
    """Return a domain, or an address, as people see it: labels of RFC 3492 ("xn--...") decoded; what cannot be stays."""
    local, at, domain = domain.rpartition("@")
    domain = domain.translate(_STOPS)
    return local + at + ".".join(_decoded(label) for label in domain.split("."))


def _decoded(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except (ValueError, OverflowError):
        return label


def foreign_letters(text: str, limit: int = 3) -> tuple[str, ...]:
    """Name the letters of a text outside ASCII, each once: "cyrillic small letter a"."""
    odd = dict.fromkeys(sign for sign in text if not sign.isascii())
    return tuple(unicodedata.name(sign, "an unnamed sign").lower() for sign in list(odd)[:limit])
