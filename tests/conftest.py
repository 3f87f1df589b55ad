"""Fixtures for all tests: one private Dovecot per session, a fresh account per test, skips that CI turns into failures."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.faults import matrix
from tests.hostile import cases
from tests.support.dovecot import PROGRAM, Dovecot

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"

ALONE = ("tests/faults/", "tests/hostile/test_k_")

_accounts = itertools.count(1)


def _missing(marker: str) -> str:
    """Return what a marked test lacks on this machine, or an empty string."""
    if marker == "dovecot" and not (PROGRAM.exists() and shutil.which("openssl")):
        return "Dovecot (dovecot-imapd, dovecot-lmtpd) and openssl are not installed; make test installs them"
    if marker == "postfix":
        if not Path("/usr/sbin/postfix").exists():
            return "Postfix is not installed; make test installs it"
        if os.getuid() != 0:
            return "a private Postfix needs root"
    if marker == "disk" and os.getuid() != 0:
        return "mounting a small disk needs root"
    if marker == "corpus" and not CORPUS.is_dir():
        return f"there is no mail corpus at {CORPUS}"
    return ""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that uses the `dovecot` fixture, however it comes by it."""
    for item in items:
        if "dovecot" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.dovecot)


class TogetherByFile(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist carries no types
    """Side by side, tests of one file go to one process, as they share a desk or a demo; those of faults and of volume are long and go alone."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(ALONE) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """See pytest-xdist: how tests are handed out."""
    return TogetherByFile(config, log)


class InGoodOrder:
    """Side by side with others: tests of faults, which mostly wait, between files of the others, which mostly compute.

    The long ones come early, since one that begins last would be waited for alone.
    """

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        units: dict[object, list[pytest.Item]] = {}
        for item in items:
            units.setdefault(item.nodeid if item.nodeid.startswith(ALONE) else item.path, []).append(item)
        kinds: tuple[list[list[pytest.Item]], ...] = ([], [], [])
        for key, unit in units.items():
            kinds[0 if _is_long(unit[0]) else 1 if isinstance(key, str) else 2].append(unit)
        placed = [
            ((0.6 if kind == 0 else 1.0) * place / len(some), unit[0].nodeid, unit)
            for kind, some in enumerate(kinds)
            for place, unit in enumerate(some)
        ]
        items[:] = [item for _, _, unit in sorted(placed) for item in unit]


def _is_long(item: pytest.Item) -> bool:
    timeout = item.get_closest_marker("timeout")
    return bool(timeout and timeout.args[0] >= 200)


def pytest_configure(config: pytest.Config) -> None:
    """Put the order above all others, also above the random one."""
    config.pluginmanager.register(InGoodOrder())


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many kills the random part of the fault matrix makes: few by default, thousands by `make faults`."""
    parser.addoption("--kills", type=int, default=120, help="random kills of the fault matrix (120)")
    parser.addoption("--seed-of-faults", type=int, default=None, help="repeat a printed schedule of faults")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here. With CI=true a missing server is a failure; root and the corpus are still optional."""
    for marker in ("dovecot", "postfix", "disk", "corpus"):
        if item.get_closest_marker(marker) is None or not (lack := _missing(marker)):
            continue
        if os.environ.get("CI") == "true" and "not installed" in lack:
            pytest.fail(lack, pytrace=False)
        pytest.skip(lack)
    for mark in item.iter_markers("fault"):
        item.user_properties.append(("fault_row", tuple(mark.args)))
    for mark in item.iter_markers("case"):
        item.user_properties += [("hostile_case", number) for number in mark.args]


def _reports_of(terminalreporter: Any, name: str) -> Iterator[tuple[Any, Any, bool]]:
    """Yield what each test proves under a property's name, with its report and whether it passed."""
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, ()):
            said = getattr(report, "user_properties", ())  # what failed to be collected has none
            if report.when == "call" or outcome != "passed":
                for value in {
                    tuple(v) if isinstance(v, (list, tuple)) else v for key, v in said if key == name
                }:
                    yield value, report, outcome == "passed"


def _counted(report: Any, row: matrix.Row) -> dict[str, int]:
    """Return what a test put down for a row; one that counts nothing ran once."""
    said = (value for name, value in report.user_properties if name == "fault_counts")
    return next((dict(counts) for booked, counts in said if tuple(booked) == row), {})


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the fault matrix and the hostile cases with what their tests found."""
    faults = [
        matrix.Figures(row, passed, **_counted(report, row))
        for row, report, passed in _reports_of(terminalreporter, "fault_row")
    ]
    hostile = [
        cases.Figures(number, passed, report.duration)
        for number, report, passed in _reports_of(terminalreporter, "hostile_case")
    ]
    for title, lines in (
        ("fault matrix", matrix.table(faults) if faults else []),
        ("hostile cases", cases.table(hostile) if hostile else []),
    ):
        if lines:
            terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def book(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[..., None]:
    """Put down what a fault test counted, by the names of `matrix.Figures`; each row that it names was run at least once.

    book(runs=3, lost=0)               a fault that is one of all its rows.
    book(of={row: Counter(runs=3)})    faults that are told apart: those of each row.
    """
    rows = {tuple(mark.args) for mark in request.node.iter_markers("fault")}

    def put(*, of: Mapping[matrix.Row, Mapping[str, int]] | None = None, **counts: int) -> None:
        for row, figures in matrix.for_each(rows, of, counts).items():
            record_property("fault_counts", (row, figures))

    return put


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """A running Dovecot that all tests share; never stop it (start one of your own for that)."""
    with Dovecot() as server:
        yield server


@pytest.fixture
def account() -> str:
    """A user name of Dovecot that no test has used: an empty mailbox."""
    return f"user{os.getpid()}x{next(_accounts)}"
