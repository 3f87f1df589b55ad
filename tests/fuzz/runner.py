"""Runs targets over numbered inputs in several processes, watches time and memory, and writes findings down."""

from __future__ import annotations

import multiprocessing
import queue
import random
import resource
import signal
import time
import traceback
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from types import FrameType

from tests.fuzz.targets import TARGETS, Target

FOUND = Path(__file__).parent / "found"
CHUNK_SECONDS = 1.0  # roughly; a chunk is what a process takes at a time
HANG_SECONDS = 120.0  # of no progress at all, in C code that no signal ends
LIMIT_BYTES = 1 << 30
GROWTH_BYTES = (
    24 << 20
)  # between the first quarter of a run and its end; caches of a bounded size are full by then
MAX_FINDINGS = 20  # of one target; then it is left alone
MINIMISE_SECONDS = 10.0
PAGE = resource.getpagesize()


class TooSlow(AssertionError):  # noqa: N818  (named for the situation)
    """An input took more processor time than its target may."""


@dataclass
class Finding:
    """An input that broke something. The same seed and number make it again."""

    target: str
    number: int
    what: str
    raw: bytes

    @property
    def kind(self) -> str:
        """What makes two findings the same: the kind of the error and where it came from."""
        return self.what.strip().rpartition("\n")[2][:60]


@dataclass
class Tally:
    """What a target did."""

    inputs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_number: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.inputs += other.inputs
        self.seconds += other.seconds
        if other.slowest > self.slowest:
            self.slowest, self.slowest_number = other.slowest, other.slowest_number
        self.findings += other.findings


@dataclass(frozen=True)
class Chunk:
    """Inputs of one target: from a number, so many."""

    target: str
    first: int
    count: int


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlow("more processor time than allowed")


def broken_by(target: Target, raw: bytes) -> str:
    """Return what an input breaks, as a traceback; "" if nothing."""
    signal.setitimer(signal.ITIMER_PROF, target.seconds)
    try:
        target.read(raw)
    except BaseException:  # whatever it is, it is a finding
        signal.setitimer(signal.ITIMER_PROF, 0)
        return traceback.format_exc(limit=-6)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return ""


def prepare_process() -> None:
    """Set the limits of this process; its memory is bounded from now on."""
    signal.signal(signal.SIGPROF, _too_slow)
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def run_chunk(
    chunk: Chunk, seed: int, at: Synchronized[int] | None = None, until: float = float("inf")
) -> Tally:
    """Read the inputs of a chunk; `at` is told the number that is being read, `until` ends it early."""
    target, tally = TARGETS[chunk.target], Tally()
    for number in range(chunk.first, chunk.first + chunk.count):
        if time.monotonic() > until or len(tally.findings) >= MAX_FINDINGS:
            break
        if at is not None:
            at.value = number
        raw = target.make(seed, number)
        started = time.process_time()
        what = broken_by(target, raw)
        took = time.process_time() - started
        tally.inputs += 1
        tally.seconds += took
        if took > tally.slowest:
            tally.slowest, tally.slowest_number = took, number
        if what:
            tally.findings.append(Finding(chunk.target, number, what, raw))
    return tally


def minimised(finding: Finding) -> bytes:
    """Return a smaller input that breaks the same; the line's findings depend on the mails before and stay as they are."""
    target, best = TARGETS[finding.target], finding.raw
    if finding.target == "line":
        return best
    size, until = max(1, len(best) // 2), time.monotonic() + MINIMISE_SECONDS
    while size >= 1 and time.monotonic() < until:
        at, length = 0, len(best)
        while at < len(best) and time.monotonic() < until:
            candidate = best[:at] + best[at + size :]
            if Finding("", 0, broken_by(target, candidate), b"").kind == finding.kind:
                best = candidate
            else:
                at += size
        size = size if size == 1 and len(best) < length else size // 2
    return best


def write_down(finding: Finding, seed: int) -> Path:
    """Write a finding to a file, for somebody who makes a mail of the corpus out of it."""
    FOUND.mkdir(exist_ok=True)
    path = FOUND / f"{finding.target.replace(' ', '-')}-{seed}-{finding.number}"
    path.write_bytes(minimised(finding))
    path.with_suffix(".txt").write_text(finding.what, encoding="utf-8")
    return path


# -- several processes ------------------------------------------------------------------------------


def resident_bytes() -> int:
    """Return the memory of this process that is in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def _work(seed: int, chunks: multiprocessing.Queue[Chunk | None], answers: multiprocessing.Queue[tuple[int, Chunk, Tally, int]],
          me: int, at: Synchronized[int], current: Synchronized[int], places: list[Chunk], until: float) -> None:  # fmt: skip
    prepare_process()
    while (chunk := chunks.get()) is not None and time.monotonic() < until:
        current.value = places.index(chunk)
        answers.put((me, chunk, run_chunk(chunk, seed, at, until), resident_bytes()))
        current.value = -1


class Fuzz:
    """One run: so many inputs over some targets, by `jobs` processes; `until` (monotonic) ends it early."""

    def __init__(
        self, seed: int, total: int, names: list[str], jobs: int, until: float = float("inf")
    ) -> None:
        self.seed, self.jobs, self.names, self.until = seed, jobs, names, until
        shares = sum(TARGETS[name].share for name in names)
        self.wanted = {name: max(1, round(total * TARGETS[name].share / shares)) for name in names}
        self.tallies = {name: Tally() for name in names}
        self.memory: dict[int, list[int]] = {}
        self.growth: list[str] = []

    def chunks(self) -> list[Chunk]:
        """Return all work, each target's spread over the whole run."""
        found = []
        for name, count in self.wanted.items():
            size = max(
                1, min(count, {"line": 200, "config": 200, "relay": 500, "parse": 2000}.get(name, 4000))
            )
            found += [Chunk(name, first, min(size, count - first)) for first in range(0, count, size)]
        random.Random(self.seed).shuffle(found)
        return found

    def run(self) -> None:
        """Do it; the tallies and what memory grew by stand in the object afterwards."""
        work, context = self.chunks(), multiprocessing.get_context("fork")
        chunks, answers = context.Queue(), context.Queue()
        for one_of_all in (*work, *[None] * self.jobs):
            chunks.put(one_of_all)
        numbers = [context.Value("q", -1) for _ in range(self.jobs)]
        current = [context.Value("q", -1) for _ in range(self.jobs)]
        workers = [
            context.Process(
                target=_work,
                args=(self.seed, chunks, answers, me, numbers[me], current[me], work, self.until),
                daemon=True,
            )
            for me in range(self.jobs)
        ]
        for worker in workers:
            worker.start()
        seen = {me: (0, time.monotonic()) for me in range(self.jobs)}
        done, shown = 0, time.monotonic()
        while done < len(work):
            is_over = not any(worker.is_alive() for worker in workers)
            try:
                me, chunk, tally, memory = answers.get(timeout=2)
            except queue.Empty:
                if is_over:
                    break
                me = -1
            if me >= 0:
                done += 1
                self.tallies[chunk.target].add(tally)
                self.memory.setdefault(me, []).append(memory)
                for finding in tally.findings[:3]:
                    print(f"FOUND in {finding.target}, number {finding.number}:\n{finding.what}", flush=True)
            for one, worker in enumerate(workers):
                if numbers[one].value != seen[one][0]:
                    seen[one] = (numbers[one].value, time.monotonic())
                elif (
                    worker.is_alive()
                    and current[one].value >= 0
                    and time.monotonic() - seen[one][1] > HANG_SECONDS
                ):
                    self._hung(work[current[one].value], numbers[one].value)
                    worker.kill()
            if time.monotonic() - shown > 15:
                shown = time.monotonic()
                print(self.progress(), flush=True)
        for worker in workers:
            worker.join(10)
        chunks.cancel_join_thread()  # what nobody read any more holds up nobody
        if done < len(work) and time.monotonic() < self.until:
            print(f"{len(work) - done} chunks were not read: a process ended", flush=True)
        self._look_at_memory()

    def _hung(self, chunk: Chunk, number: int) -> None:
        raw = TARGETS[chunk.target].make(self.seed, number)
        FOUND.mkdir(exist_ok=True)
        (FOUND / f"hang-{chunk.target}-{self.seed}-{number}").write_bytes(raw)
        self.tallies[chunk.target].findings.append(
            Finding(chunk.target, number, "no progress for two minutes", raw)
        )

    def _look_at_memory(self) -> None:
        for me, sizes in self.memory.items():
            early, late = max(sizes[: max(1, len(sizes) // 4)]), min(sizes[-max(1, len(sizes) // 10) :])
            said = f"process {me}: {sizes[0] >> 20} MB at first, {early >> 20} after a quarter, {late >> 20} at the end, peak {max(sizes) >> 20}"
            self.growth.append(said + ("  GREW" if late - early > GROWTH_BYTES else ""))

    @property
    def is_clean(self) -> bool:
        """Nothing was found, nothing is missing, memory is flat."""
        is_early = time.monotonic() > self.until
        whole = is_early or all(self.tallies[name].inputs == self.wanted[name] for name in self.names)
        return (
            whole
            and not any(tally.findings for tally in self.tallies.values())
            and not any("GREW" in one for one in self.growth)
        )

    def progress(self) -> str:
        """Return one line: how far it is."""
        inputs = sum(tally.inputs for tally in self.tallies.values())
        seconds = sum(tally.seconds for tally in self.tallies.values())
        found = sum(len(tally.findings) for tally in self.tallies.values())
        return f"{inputs:,} of {sum(self.wanted.values()):,} inputs, {seconds:.0f} s of processor time, {found} findings"

    def table(self) -> str:
        """Return what each target did."""
        rows = [
            f"{'target':16}{'inputs':>11}{'CPU s':>9}{'inputs/s':>10}{'slowest ms':>12}{'its number':>12}{'findings':>10}"
        ]
        total = Tally()
        for name, tally in (*self.tallies.items(), ("together", total)):
            rate = tally.inputs / tally.seconds if tally.seconds else 0
            number = str(tally.slowest_number) if name != "together" else ""
            rows.append(
                f"{name:16}{tally.inputs:>11,}{tally.seconds:>9.1f}{rate:>10,.0f}{tally.slowest * 1000:>12.1f}{number:>12}"
                f"{len(tally.findings):>10}"
            )
            if tally is not total:
                total.add(tally)
        return "\n".join((*rows, *self.growth))
