"""A short fuzz run in every test run, and the mails that fuzzing and readers with a hostile eye have found, for ever."""

from __future__ import annotations

import secrets
import time

import pytest

from tests.fuzz.inputs import OWN
from tests.fuzz.runner import Chunk, broken_by, prepare_process, run_chunk
from tests.fuzz.targets import LINE, TARGETS

SECONDS = 1.0  # for each target; a long run is `make fuzz`
MAIL_TARGETS = ("parse", "bounce", "relay", "line")


@pytest.fixture(autouse=True)
def _signals():
    """Limits of processor time for each input; put back afterwards."""
    import resource
    import signal

    before, limit = signal.getsignal(signal.SIGPROF), resource.getrlimit(resource.RLIMIT_DATA)
    prepare_process()
    yield
    signal.signal(signal.SIGPROF, before)
    resource.setrlimit(resource.RLIMIT_DATA, limit)


@pytest.fixture(scope="module", autouse=True)
def _line():
    """The desk of the whole line ends with this file."""
    yield
    LINE.close()


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_input_breaks_nothing(name):
    """A second of fresh mutations: no exception, no long time, and what must hold for any input holds."""
    seed = secrets.randbelow(10**6)
    tally = run_chunk(Chunk(name, 0, 5_000), seed, until=time.monotonic() + SECONDS)
    assert tally.inputs > 0
    assert not tally.findings, (
        f"python -m tests.fuzz --seed {seed} --only {name}:{tally.findings[0].number}\n{tally.findings[0].what}"
    )


@pytest.mark.parametrize("path", sorted(OWN.glob("*.eml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("name", MAIL_TARGETS)
def test_own_mails_come_through(path, name):
    """Each mail of the corpus, one quirk each, is read as any mutated one must be."""
    if what := broken_by(TARGETS[name], path.read_bytes()):
        pytest.fail(what)


def test_an_input_is_the_same_for_ever():
    """A printed seed and number make the same bytes again, so that a finding can be looked at."""
    for target in TARGETS.values():
        assert target.make(7, 3) == target.make(7, 3)
        assert target.make(7, 3) != target.make(8, 3)


def test_a_fault_is_found_and_made_smaller():
    """The fuzzer can fail: a reader that breaks on one word is found, and its input is cut down to that word."""
    from dataclasses import replace

    from tests.fuzz import runner

    def read(raw):
        if b"<script>" in raw:
            raise ValueError("a script")

    broken = replace(TARGETS["html"], read=read)
    before = runner.TARGETS["html"]
    runner.TARGETS["html"] = broken
    try:
        tally = run_chunk(Chunk("html", 0, 3_000), 1)
        assert tally.findings
        assert runner.minimised(tally.findings[0]) == b"<script>"
    finally:
        runner.TARGETS["html"] = before


def test_an_input_that_takes_too_long_is_found():
    """Processor time is bounded for each input."""
    from dataclasses import replace

    def read(_raw):
        while True:
            pass

    assert "TooSlow" in broken_by(replace(TARGETS["html"], read=read, seconds=0.05), b"")
