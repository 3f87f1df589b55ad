"""Print the figures: `python -m tests.corpus [--wrong]`."""

from __future__ import annotations

import sys

from tests.corpus.figures import FOLDER, entries, measure, parse_milliseconds


def main() -> int:
    """Print one line a figure; with --wrong also each mail that came out differently."""
    if not (FOLDER / "index.json").exists():
        print(f"no corpus in {FOLDER}", file=sys.stderr)
        return 1
    mails = entries()
    for figure in measure(mails).values():
        print(f"{figure.name:52} {figure.right:5} of {figure.total:5}  {figure.share:7.2%}")
        if "--wrong" in sys.argv[1:]:
            print("".join(f"    {line}\n" for line in figure.wrong), end="")
    print(f"{'parse: processor time a mail':52} {parse_milliseconds(mails):8.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
