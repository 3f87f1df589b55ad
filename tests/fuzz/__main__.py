"""`python -m tests.fuzz`: mutated mails, texts and files over everything that reads them. A printed seed repeats a run.

    python -m tests.fuzz --inputs 100000                   all targets, a fresh seed
    python -m tests.fuzz --seed 7 --targets html,relay     some of them, the inputs of seed 7
    python -m tests.fuzz --seed 7 --only html:1234         one input: prints it and what it breaks

What is found lies in tests/fuzz/found/, made a little smaller. Mend the desk, then write a mail of your own that shows it
into tests/corpus/mails/ (one quirk, named in its file name): a test reads all of them for ever.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time

from tests.fuzz.runner import Fuzz, broken_by, prepare_process, write_down
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Run; 0 where nothing was found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(10**6), help="repeat a run; at random without this"
    )
    parser.add_argument("--inputs", type=int, default=100_000, help="in all (100000)")
    parser.add_argument("--targets", default=",".join(TARGETS), help="some of: %(default)s")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="end then, with what was done")
    parser.add_argument("--only", metavar="TARGET:NUMBER", help="read one input and show it")
    asked = parser.parse_args()
    if asked.only:
        name, _, number = asked.only.rpartition(":")
        prepare_process()
        raw = TARGETS[name].make(asked.seed, int(number))
        started = time.process_time()
        what = broken_by(TARGETS[name], raw)
        print(f"{raw!r}\n{what or 'nothing is wrong'}\n{(time.process_time() - started) * 1000:.1f} ms")
        return bool(what)
    started = time.monotonic()
    fuzz = Fuzz(asked.seed, asked.inputs, asked.targets.split(","), asked.jobs, started + 60 * asked.minutes)
    print(f"seed {asked.seed}, {sum(fuzz.wanted.values()):,} inputs", flush=True)
    fuzz.run()
    print(f"\nseed {asked.seed}, {(time.monotonic() - started) / 60:.1f} minutes\n{fuzz.table()}")
    prepare_process()
    different = {
        (finding.target, finding.kind): finding
        for tally in fuzz.tallies.values()
        for finding in tally.findings
    }
    for finding in different.values():
        print(f"written down: {write_down(finding, asked.seed)}")
    return 0 if fuzz.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
