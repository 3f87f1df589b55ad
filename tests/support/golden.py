"""Compares an outgoing mail with the one in `tests/golden/`, where `*` stands for dates, ids and keys.

`GOLDEN=write pytest ...` writes the files anew; read the difference before you keep it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "golden"

# What differs between two runs of one desk: the day, ids, keys, and boundaries made of the content.
_MASKS = (
    (re.compile(r"(?m)^Date: .*"), "Date: *"),
    (re.compile(r"(?m)^(Message-ID|In-Reply-To|References):(?:.*\n(?=[ \t]))*.*"), r"\1: *"),
    (re.compile(r"(?m)^(X-Mailtickets-Loop): .*"), r"\1: *"),
    (re.compile(r"=_[0-9a-f]{28}"), "*"),
    (re.compile(r"\b[ta][0-9]{1,4}-[0-9]+-(?:[0-9]+-)?[a-z2-7]{16}(?:-[a-z0-9_-]+)?"), "*"),
)


def masked(raw: bytes) -> str:
    """Return a mail as text with LF line ends and `*` for what differs between two runs."""
    text = raw.decode("utf-8").replace("\r\n", "\n")
    for pattern, stands in _MASKS:
        text = pattern.sub(stands, text)
    return text


def matches(line: str, golden: str) -> bool:
    """Tell whether a line is the golden one, where each `*` takes any text that is not empty."""
    return re.fullmatch(".+".join(re.escape(part) for part in golden.split("*")), line) is not None


def assert_golden(raw: bytes, name: str) -> None:
    """Fail with the first line that differs from `tests/golden/NAME.eml`."""
    path = FOLDER / f"{name}.eml"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(masked(raw), "utf-8")
    assert path.exists(), f"no {path.name}; write it with GOLDEN=write"
    lines, golden = masked(raw).split("\n"), path.read_text("utf-8").split("\n")
    for number, (line, wanted) in enumerate(zip(lines, golden, strict=False), start=1):
        assert line == wanted or matches(line, wanted), f"{path.name}:{number}: {wanted!r}, but is {line!r}"
    assert len(lines) == len(golden), f"{path.name} has {len(golden)} lines, the mail {len(lines)}"
