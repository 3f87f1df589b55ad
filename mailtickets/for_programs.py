r"""Pure: foreign text inside JSON and CSV, where neither a terminal nor a spreadsheet obeys it, and no program reads another value.

In JSON what a terminal would obey stands as `\uXXXX`, which reads back as it was. A CSV cell that a spreadsheet would take for
a formula gets an apostrophe in front, as OWASP advises ("CSV Injection"); `from_csv_cell` takes it away again.
"""

from __future__ import annotations

import json
import re
from typing import Any

# Controls but those that JSON escapes anyway, and signs that turn, hide or break what is shown.
_OBEYED = re.compile(
    "[\x7f-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# Spreadsheets pass over blanks and quotes in front, and take the wide forms for the plain ones.
_FORMULA = re.compile("(?:[\\s\"']*[=+\\-@\uff1d\uff0b\uff0d\uff20]|'*[\t\r\n])")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?\Z", re.ASCII)


def json_text(value: Any) -> str:
    """Return a value as indented JSON; letters of all languages stand as they are."""
    return _OBEYED.sub(
        lambda match: json.dumps(match[0])[1:-1], json.dumps(value, indent=2, ensure_ascii=False)
    )


def csv_cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet takes for a formula; a number stays a number."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text


def from_csv_cell(cell: str) -> str:
    """Return the text that `csv_cell` made this cell of."""
    bare = cell.removeprefix("'")
    return bare if bare != cell and csv_cell(bare) == cell else cell
