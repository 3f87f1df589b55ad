"""Starts `mailtickets` hundreds of times without importing it hundreds of times.

A parent process imports the program once and forks for each start; the child takes the environment, the log and the
arguments it is given and runs the command line's `main`. It is a process of its own and is killed like one.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import patience

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("mailtickets.daemon", "mailtickets.once", "mailtickets.diagnosis")
HASTY = "FAULTS_HASTY"  # set in the environment of a child that is to have short waits


class Child:
    """One started process: its pid, and how it ended (negative: by that signal), None while it runs."""

    def __init__(self, forks: Forks, pid: int) -> None:
        self._forks, self.pid = forks, pid
        self.ended: int | None = None

    def poll(self) -> int | None:
        """Return how it ended, or None."""
        if self.ended is None:
            self._forks.hear(0.0)
            self.ended = self._forks.ends.pop(self.pid, None)
        return self.ended

    def wait(self, seconds: float = 30.0) -> int:
        """Wait for its end."""
        end = time.monotonic() + seconds * patience.TIMES
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                self.kill()
                raise AssertionError(f"process {self.pid} did not end in {seconds} s")
            self._forks.hear(0.05)
        return code

    def signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.signal(signal.SIGKILL)
        if self.ended is None:
            self.wait()


class Forks:
    """The parent; `with Forks() as forks: child = forks.start([...], log, env)`."""

    def __init__(self) -> None:
        self.ends: dict[int, int] = {}
        self._lock = threading.RLock()  # several threads of a test may start and wait

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        self._begun: list[int] = []
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._heard = b""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def start(
        self,
        arguments: list[str],
        log: Path,
        env: dict[str, str] | None = None,
        *,
        errors: Path | None = None,
        stdin: Path | None = None,
        only: bool = False,
    ) -> Child:
        """Run `mailtickets ARGUMENTS`, its output appended to a file.

        errors   takes its standard error, where that is not to stand in `log`, too; `stdin` is what it reads.
        only     `env` is its whole environment.
        """
        assert self._process.stdin is not None
        order = {
            "arguments": arguments, "log": str(log), "env": env or {}, "errors": str(errors or log),
            "stdin": str(stdin or os.devnull), "only": only, "folder": str(Path.cwd()), "umask": _umask(),
        }  # fmt: skip
        with self._lock:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            end = time.monotonic() + 30 * patience.TIMES
            while not self._begun:
                assert time.monotonic() < end, "the parent of all processes is silent"
                self.hear(0.05)
            return Child(self, self._begun.pop())

    def hear(self, seconds: float) -> None:
        """Take in what the parent says: pids that began, and how they ended."""
        import select

        assert self._process.stdout is not None
        select.select([self._process.stdout], [], [], seconds)
        with self._lock:
            self._heard += self._process.stdout.read() or b""
            *lines, self._heard = self._heard.split(b"\n")
            for line in lines:
                word, pid, code = line.decode().split()
                if word == "begun":
                    self._begun.append(int(pid))
                else:
                    self.ends[int(pid)] = int(code)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _child(order: dict[str, object]) -> None:
    """Become one `mailtickets`: what a fresh interpreter would have is set, then the command runs."""
    os.setsid()
    os.dup2(os.open(str(order["stdin"]), os.O_RDONLY), 0)
    for number, name in ((1, "log"), (2, "errors")):
        os.dup2(os.open(str(order[name]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    os.chdir(str(order["folder"]))
    os.umask(int(str(order["umask"])))
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    if order["only"]:
        os.environ.clear()
    os.environ.update({name: str(value) for name, value in dict(order["env"]).items()})  # type: ignore[call-overload]
    from mailtickets import crashpoints
    from mailtickets.cli import main

    crashpoints.arm()
    if os.environ.get(HASTY):
        from tests.faults.hasty import shorten

        shorten()
    sys.argv = ["mailtickets", *list(order["arguments"])]  # type: ignore[call-overload]
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _parent() -> None:
    # Everything that a start would import.
    import mailtickets.cli

    commands = [f"mailtickets.cli.{one.name}" for one in pkgutil.iter_modules(mailtickets.cli.__path__)]
    for name in (*commands, *PROGRAM, "tests.faults.hasty"):
        importlib.import_module(name)

    said = sys.stdout.buffer
    ours: set[int] = set()

    def reap() -> None:
        while ours:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            ours.discard(pid)
            said.write(f"ended {pid} {os.waitstatus_to_exitcode(status)}\n".encode())
            said.flush()

    import select

    ears, mouth = os.pipe()
    os.set_blocking(mouth, False)
    signal.set_wakeup_fd(mouth)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    waiting = b""
    while True:
        ready, _, _ = select.select([0, ears], [], [])
        if ears in ready:
            os.read(ears, 1000)
        reap()
        if 0 not in ready:
            continue
        heard = os.read(0, 65536)
        if not heard:
            break
        *lines, waiting = (waiting + heard).split(b"\n")
        for line in lines:
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for fd in (ears, mouth):
                    os.close(fd)
                _child(json.loads(line))
            ours.add(pid)
            said.write(f"begun {pid} 0\n".encode())
            said.flush()
    for pid in ours:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    _parent()
