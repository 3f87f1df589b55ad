"""`python -m bench`: speed and memory of the desk, as ratios beside this machine's own limits."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench import rates
from bench.desk import Servers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="*")
    parser.add_argument("--mails", type=int, default=1500)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailtickets-bench-") as work, Servers() as servers:
        for number in range(arguments.repeat):
            run, _ = rates.new(servers, Path(work), arguments.mails, number)
            print(run, flush=True)
            if "agents" in arguments.stages:
                run, _ = rates.new(servers, Path(work), arguments.mails, number, agents=2)
                print(run, flush=True)


if __name__ == "__main__":
    main()
