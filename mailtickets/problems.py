"""What is wrong with a file that an admin wrote, in one line each. Owns the shape, not the finding.

Used by the configuration and by the templates; `str(problem)` is what `check`, `run` and the log show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right.

    file    name of the file as the admin knows it.
    line    counted from 1; 0 where no line can be named.
    key     dotted name ("queue.support.tag"), or "".
    value   as written, shortened, secrets masked; "" if there is none to show.
    reason  what is wrong, a plain clause without a final full stop.
    remedy  what to do; "" where the reason says it.
    """

    file: str
    line: int
    key: str
    value: str
    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        """Word it as `config.toml:LINE: key = value: reason; remedy`."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        setting = f"{self.key} = {self.value}" if self.key and self.value else self.key or self.value
        said = f"{self.reason}; {self.remedy}" if self.remedy else self.reason
        return ": ".join(part for part in (place, setting, said) if part)


class ConfigInvalid(Exception):  # noqa: N818 - named for the situation, not for being an error
    """The configuration cannot be used; `problems` holds everything found in it, in order of lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
