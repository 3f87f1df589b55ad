"""Writes requirements.lock: the versions, here and now, of all that mailtickets[dev] needs and nothing else."""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HEAD = """\
# Versions that mailtickets is built and tested with; `make lock` writes this file from .venv.
# No download addresses: pip takes the packages from where this machine's settings say.
"""
OWN = frozenset({"mailtickets", "pip", "setuptools"})  # ourselves, and what `python3 -m venv` brings
IN_PLACE = ("editables",)  # hatchling wants it to install a checkout in place


def wanted() -> list[Requirement]:
    """Return what pyproject.toml asks for: to build, to run, for the demo, for pictures, for DKIM, to test."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["build-system"]["requires"], *IN_PLACE, *project["project"]["dependencies"]]
    for extra in ("demo", "reports", "dkim", "dev"):
        asked += project["project"]["optional-dependencies"][extra]
    return [Requirement(text) for text in asked]


def locked() -> list[str]:
    """Return name==version of these and of all that they need, in order of names."""
    versions: dict[str, str] = {}
    left = [(requirement, extra) for requirement in wanted() for extra in ("", *requirement.extras)]
    seen: set[tuple[str, str]] = set()
    while left:
        requirement, extra = left.pop()
        name = canonicalize_name(requirement.name)
        if name in OWN or (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            found = distribution(name)
        except PackageNotFoundError:
            raise SystemExit(f"{name} is not installed in this environment; run `make` first") from None
        versions[name] = found.version
        for text in found.requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                left += [(needed, own) for own in ("", *needed.extras)]
    return [f"{name}=={version}" for name, version in sorted(versions.items())]


if __name__ == "__main__":
    sys.stdout.write(HEAD + "\n".join(locked()) + "\n")
