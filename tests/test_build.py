"""What builds and tests the project: the lock, the Makefile, the script that continuous integration runs."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"


def locked():
    """Return name -> version of requirements.lock."""
    lines = [
        line for line in LOCK.read_text(encoding="utf-8").split("\n") if line and not line.startswith("#")
    ]
    return dict(line.split("==") for line in lines)


def test_the_lock_holds_names_and_versions_only():
    """No download address, no option for pip, no local path: the machine's own settings say where packages are."""
    lines = [
        line for line in LOCK.read_text(encoding="utf-8").split("\n") if line and not line.startswith("#")
    ]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.!+]+", line)] == []
    assert list(locked()) == sorted(locked())
    assert "mailtickets" not in locked()


def test_the_lock_has_everything_the_project_asks_for():
    """Each requirement of pyproject.toml (run, demo, reports, dev, build) is locked to a version that it allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    asked = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *extras["demo"],
        *extras["reports"],
        *extras["dev"],
    ]
    versions = locked()
    for requirement in map(Requirement, asked):
        name = canonicalize_name(requirement.name)
        if name != "mailtickets":
            assert versions.get(name, "") in requirement.specifier, requirement


def test_no_package_index_is_named_anywhere():
    """Makefile, scripts and pyproject.toml leave it to the machine where packages come from."""
    for name in ("Makefile", ".ci/run", ".ci/servers", "pyproject.toml", "requirements.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"index-url|--index|find-links|https?://\S*(?:pypi|simple)", text), name


def test_the_scripts_are_programs_without_mistakes():
    """They can be run, and bash reads them."""
    for name in (".ci/run", ".ci/servers"):
        assert os.access(ROOT / name, os.X_OK), name
        subprocess.run(["bash", "-n", str(ROOT / name)], check=True)


def test_continuous_integration_runs_every_gate():
    """`.ci/run` runs each gate of `make check`, the tests last."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    gates = re.search(r"^check: (.*)$", makefile, re.MULTILINE)
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert gates
    named = re.search(r"for gate in (.*); do", script)
    assert named
    assert [*named[1].split(), "test"] == gates[1].split()
    assert script.rstrip().endswith("test")
