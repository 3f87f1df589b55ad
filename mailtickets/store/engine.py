"""The door to sqlite_utils: imported without numpy, which it takes up wherever it is installed.

Nothing here needs numpy; it would cost every command a quarter of a second and the daemon 20 MB.
"""

from __future__ import annotations

import sys

_ABSENT = "numpy"
_missing = _ABSENT not in sys.modules
if _missing:
    sys.modules[_ABSENT] = None  # type: ignore[assignment]  # makes `import numpy` an ImportError (import system, 5.3.1)
from sqlite_utils import Database  # noqa: E402
from sqlite_utils.migrations import Migrations  # noqa: E402

if _missing:
    del sys.modules[_ABSENT]

__all__ = ["Database", "Migrations"]
