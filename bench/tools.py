"""Finds the measuring helpers beside the project: corpus.py, sink.py and benchlib.py.

They are shared by several measurements and are no part of mailtickets; the program never needs them.
`MAILTICKETS_BENCH_TOOLS` names their folder where it is not ../shared/bench.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("MAILTICKETS_BENCH_TOOLS") or PROJECT.parent / "shared" / "bench")
NEEDED = ("benchlib.py", "corpus.py", "sink.py")


def load():
    """Return the module benchlib. Ends the program with a sentence where the tools are missing."""
    missing = [name for name in NEEDED if not (FOLDER / name).exists()]
    if missing:
        sys.exit(
            f"bench: {', '.join(missing)} not found in {FOLDER}. The benchmarks make their mails and take"
            " the sent ones with these tools; name their folder in MAILTICKETS_BENCH_TOOLS."
        )
    if not Path("/usr/sbin/dovecot").exists():
        sys.exit(
            "bench: Dovecot is missing; install the packages dovecot-imapd and dovecot-lmtpd (`make servers`)."
        )
    sys.path.insert(0, str(FOLDER))
    return importlib.import_module("benchlib")


benchlib = load()
