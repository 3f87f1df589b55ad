"""Bytes of a stranger to text. Owns the list of charsets we believe; looks up no other codec.

Pure and total: every byte string gives a text that can be encoded as UTF-8.
"""

from __future__ import annotations

import re

# Labels as mails carry them -> Python codec. A label may name a subset of what mailers really
# send under it: GBK under "gb2312", Windows letters under "iso-8859-1" (as the WHATWG encoding
# standard reads them). UTF-7 is missing on purpose: it hides markup from every filter.
_CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "ansi_x3.4-1968": "ascii",
    "646": "ascii",
    "iso646-us": "ascii",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "iso_8859-1": "cp1252",
    "iso-8859-1-windows-3.1-latin-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "l1": "cp1252",
    "ansi": "cp1252",
    "windows-31j": "cp932",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "ms_kanji": "cp932",
    "cp932": "cp932",
    "euc-jp": "euc_jp",
    "x-euc-jp": "euc_jp",
    "eucjp": "euc_jp",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-2022-jp-1": "iso2022_jp_ext",
    "iso-2022-jp-2": "iso2022_jp_2",
    "iso-2022-jp-3": "iso2022_jp_3",
    "iso-2022-jp-2004": "iso2022_jp_2004",
    "cp50220": "iso2022_jp_ext",
    "iso-2022-kr": "iso2022_kr",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "ksc5601": "cp949",
    "cp949": "cp949",
    "uhc": "cp949",
    "windows-949": "cp949",
    "johab": "johab",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "cp936": "gb18030",
    "gb18030": "gb18030",
    "euc-cn": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "cn-big5": "big5hkscs",
    "cp950": "cp950",
    "koi8-r": "koi8_r",
    "koi8r": "koi8_r",
    "koi8-u": "koi8_u",
    "koi8-t": "koi8_t",
    "macintosh": "mac_roman",
    "x-mac-roman": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "mac": "mac_roman",
    "tis-620": "cp874",
    "iso-8859-11": "cp874",
    "windows-874": "cp874",
    "iso-8859-9": "cp1254",
    "iso-8859-8-i": "iso8859_8",
    "iso-8859-8-e": "iso8859_8",
    "iso-8859-6-i": "iso8859_6",
    "iso-8859-6-e": "iso8859_6",
    "ibm437": "cp437",
    "ibm850": "cp850",
    "ibm852": "cp852",
    "ibm866": "cp866",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "unicode": "utf-16",
    "utf-32": "utf-32",
    "utf-32le": "utf-32-le",
    "utf-32be": "utf-32-be",
}
_CODECS |= {f"iso-8859-{n}": f"iso8859_{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)}
_CODECS |= {f"iso8859-{n}": f"iso8859_{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)}
_CODECS |= {f"windows-{n}": f"cp{n}" for n in range(1250, 1259)}
_CODECS |= {f"cp{n}": f"cp{n}" for n in (*range(1250, 1259), 437, 850, 852, 855, 858, 866)}
_CODECS |= {f"cp-{n}": f"cp{n}" for n in range(1250, 1259)}

UNKNOWN = "unknown charset"
MAX_LABEL = 60  # the longest registered name (IANA) has 45 letters

_JAPANESE_SHIFT = (b"\x1b$B", b"\x1b$@", b"\x1b(J")
_META = re.compile(rb"<meta[^<>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
# A surrogate cannot be stored as UTF-8; NUL cuts text in SQLite and in C libraries.
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


def codec_of(label: str) -> str:
    """Return the Python codec for a charset label of a mail, or an empty string if we know none."""
    label = label.strip(" \t\"'")
    if len(label) > MAX_LABEL:
        return ""
    # RFC 2231 section 5 allows a language behind the charset: "utf-8*en".
    return _CODECS.get(label.lower().partition("*")[0], "")


def html_charset(payload: bytes) -> str:
    """Return the charset that an HTML document names in its first 2 KB, or an empty string."""
    match = _META.search(payload[:2048])
    return match[1].decode("ascii") if match else ""


def decode(payload: bytes, label: str = "") -> tuple[str, str]:
    """Return the text of bytes, and what was wrong with the charset ("" if nothing).

    label   charset as the mail declares it; "" if it declares none.

    The declared charset comes first if we know it, then UTF-8, then Windows-1252 as the
    letters that old programs send undeclared. What no charset explains becomes U+FFFD.
    """
    codec = codec_of(label)
    doubt = "" if codec or not label.strip() else f"{UNKNOWN} {ascii(label[:MAX_LABEL])[: MAX_LABEL + 2]}"
    if payload.startswith(b"\xef\xbb\xbf"):
        payload, codec = payload[3:], "utf-8"
    if codec in {"", "ascii", "utf-8"} and any(shift in payload for shift in _JAPANESE_SHIFT):
        codec = "iso2022_jp_ext"  # Japanese programs leave the label off: the escapes say it all
    if codec and codec != "ascii":
        try:
            return _clean(payload.decode(codec)), doubt
        except ValueError:
            doubt = doubt or f"bytes that are not {codec}"
    try:
        return _clean(payload.decode("utf-8")), doubt
    except ValueError:
        pass
    if codec in {"", "ascii", "cp1252"}:
        return _clean(_as_windows(payload)), doubt or "bytes above 127 without a charset"
    repaired = payload.decode(codec, "replace")
    # Latin letters labelled UTF-8 leave nothing but holes; a cut or damaged text leaves few.
    if codec == "utf-8" and 2 * repaired.count("\ufffd") > sum(c > "\x7f" for c in repaired):
        return _clean(_as_windows(payload)), doubt
    return _clean(repaired), doubt


def _as_windows(payload: bytes) -> str:
    try:
        return payload.decode("cp1252")
    except ValueError:  # five bytes have no letter in Windows-1252
        return payload.decode("cp1252", "replace")


def _clean(text: str) -> str:
    return _NOT_TEXT.sub("\ufffd", text)
