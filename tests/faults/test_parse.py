"""Mails that break the reader of the real daemon: it goes on, the mail is set aside whole, its neighbours are answered."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.dovecot import Dovecot
from tests.support.process import DeskProcess
from tests.support.smtp_sink import SmtpSink

ROOT = Path(__file__).parents[2]
ANA, BEN, EVE = "Ana <ana@customer.example>", "Ben <ben@customer.example>", "Eve <eve@evil.example>"

# Python runs a file of this name at its start (site, "sitecustomize"): so the test, and nothing in the product,
# gives the reader its poison. The guard's 30 s are shortened; that they hold is told in tests/test_guard.py.
HOOK = """\
import os, sys, time
if "mailtickets.guard" not in sys.orig_argv:
    os.environ["PYTHON_DESK_PID"] = str(os.getpid())  # of this beginning, as the guarded child gets no other
import mailtickets.guard as guard
from mailtickets.reading import Reading
guard.Guard.__init__.__defaults__ = ({seconds},)
read = Reading.read
def poisoned(self, raw, *arguments, **more):
    if b"POISON" in raw:
        with open(os.environ["PYTHON_POISON_LOG"], "a") as log:
            log.write("x")
        {harm}
    return read(self, raw, *arguments, **more)
Reading.read = poisoned
"""
HARM = {
    "exception": "raise ValueError('no words of a mail')",
    "recursion": "raise RecursionError",
    "memory": "bytes(2 << 30)",
    "hang": "time.sleep(600)",
    "end of the child": "os._exit(1)",
    "end of the desk": "os.kill(int(os.environ['PYTHON_DESK_PID']), 9); time.sleep(5)",
}
# In the desk's own process a mail of this size is never read: above 1 MB the guarded child does it from the start.
LARGE = {"photo.bin": os.urandom(1_200_000)}


@pytest.fixture
def desk(tmp_path: Path, dovecot: Dovecot, sink: SmtpSink, account: str) -> Iterator[DeskProcess]:
    made = DeskProcess(tmp_path, dovecot, sink, account)
    yield made
    made.stop()


def poisoned(desk: DeskProcess, harm: str) -> dict[str, str]:
    """Return the environment of a daemon whose reader takes harm from a mail."""
    hooks = desk.folder / "hooks"
    hooks.mkdir(exist_ok=True)
    # A busy machine may need seconds for the child to begin; only where it hangs is the limit waited for.
    seconds = 4.0 if harm == HARM["hang"] else 20.0
    (hooks / "sitecustomize.py").write_text(HOOK.format(harm=harm, seconds=seconds))
    return {"PYTHONPATH": f"{hooks}:{ROOT}", "PYTHON_POISON_LOG": str(desk.folder / "reads")}


def reads(desk: DeskProcess) -> int:
    """How often the poison was read."""
    path = desk.folder / "reads"
    return len(path.read_text()) if path.exists() else 0


def three(desk: DeskProcess, files: dict[str, bytes] | None = None) -> None:
    """Put three mails into the stopped desk's mailbox, so that they come as one batch; the second is poison."""
    desk.start()
    desk.stop()
    desk.writes(ANA, "My printer is on fire.")
    desk.writes(EVE, "POISON", subject="Boom", files=files)
    desk.writes(BEN, "My scanner is wet.")


def ended(desk: DeskProcess, *, aside: int) -> bool:
    """Wait until the daemon was killed, or so many mails are in quarantine; tell whether it was killed."""
    process = desk.process
    assert process is not None
    desk.wait(
        lambda: process.poll() is not None or len(desk.json("quarantine")) == aside,
        "an end, or a mail set aside",
        60,
    )
    assert process.poll() in {None, -9}
    return process.poll() == -9


def set_aside(desk: DeskProcess, book: Callable[..., None], runs: int) -> str:
    """Check that the poison is in quarantine, whole, and its neighbours answered once; return the reason."""
    desk.wait(lambda: desk.json("quarantine"), "the poison to be set aside", 60)
    books = desk.at_rest(3, 30)
    assert (books["on_tickets"], books["quarantined"]) == (2, 1)
    (mail,) = desk.json("quarantine")
    assert "Subject: Boom" in desk.command("quarantine", "show", str(mail["id"]))
    told = lambda: any("quarantine" in mail["Subject"] for mail in desk.to("it@desk.example"))  # noqa: E731
    desk.wait(told, "the admin to be told")
    # An acknowledgement that was on its way at an end is not sent again, but listed (rule R5): it is not lost.
    listed = sum(
        mail["state"] == "uncertain" and mail["kind"] == "acknowledgement" for mail in desk.json("outbox")
    )
    answered = [len(desk.to(f"{name}@customer.example")) for name in ("ana", "ben")]
    assert desk.to("eve@evil.example") == []
    assert desk.stop() == 0
    nowhere = max(answered.count(0) - listed, 0)
    book(runs=runs, lost=3 - books["received"] + nowhere, doubled=sum(n > 1 for n in answered))
    return str(mail["reason"])


@pytest.mark.fault("Parse", "exception, RecursionError, hang, memory")
@pytest.mark.parametrize(
    ("harm", "words"),
    [("exception", "breaks the parser"), ("recursion", "breaks the parser (RecursionError)")],
)
def test_a_mail_that_breaks_the_parser_is_set_aside(
    desk: DeskProcess, book: Callable[..., None], harm: str, words: str
):
    """Once in the batch, then three tries of its own in the guarded child; one daemon does all of it."""
    three(desk)
    desk.start(env=poisoned(desk, HARM[harm]))
    reason = set_aside(desk, book, runs=4)
    assert words in reason
    assert "no words of a mail" not in reason
    assert reads(desk) == 4


@pytest.mark.fault("Parse", "exception, RecursionError, hang, memory")
@pytest.mark.parametrize(
    ("harm", "words"),
    [("memory", "memory"), ("hang", "limit of time"), ("end of the child", "ended its process")],
)
def test_a_mail_that_breaks_a_limit_is_cut_off_and_set_aside(
    desk: DeskProcess, book: Callable[..., None], harm: str, words: str
):
    """The guard ends the reading; after three tries of its own the mail is in quarantine, and the daemon never ended."""
    three(desk, LARGE)
    desk.start(env=poisoned(desk, HARM[harm]))
    assert words in set_aside(desk, book, runs=4)
    # Where the limit of time ends it, that may be before the child has begun to read.
    assert reads(desk) == 4 or (harm == "hang" and 1 <= reads(desk) <= 4)


@pytest.mark.timeout(240)
@pytest.mark.fault("Parse", "exception, RecursionError, hang, memory")
def test_a_small_mail_that_hangs_the_desk_is_set_aside_after_the_watchdog(
    desk: DeskProcess, book: Callable[..., None]
):
    """What stands still in the desk's own process is ended from outside, once; the next start reads it guarded."""
    three(desk)
    desk.start(ready=False, env=poisoned(desk, HARM["hang"]))
    desk.wait(lambda: reads(desk) == 1, "the desk to hang", 30)
    desk.kill()  # as systemd does when WATCHDOG=1 stays away
    desk.start(ready=False, env=poisoned(desk, HARM["hang"]))
    assert "limit of time" in set_aside(desk, book, runs=4)
    assert reads(desk) == 4


@pytest.mark.timeout(300)
@pytest.mark.fault("Parse", "kill -9 in parsing, each time")
def test_a_mail_that_ends_the_desk_each_time_is_set_aside_by_its_own_mark(
    desk: DeskProcess, book: Callable[..., None]
):
    """The daemon is killed in every reading of it: after three ends of its own it is not read any more."""
    three(desk)
    ends = 0
    while ends < 8:
        desk.start(ready=False, env=poisoned(desk, HARM["end of the desk"]))
        if not ended(desk, aside=1):
            break
        ends += 1
    # Once in the batch, which nobody is blamed for; then three times under its own mark.
    assert (ends, reads(desk)) == (4, 4)
    reason = set_aside(desk, book, runs=ends)
    assert reason == "could not be handled in 3 tries, which ended the program"


@pytest.mark.timeout(300)
@pytest.mark.fault("Parse", "kill -9 in parsing, each time")
def test_a_desk_that_ends_after_each_reading_loses_no_mail(desk: DeskProcess, book: Callable[..., None]):
    """Killed as soon as any mail is read: each is blamed for its own three ends only, and all are kept and come back."""
    three(desk)
    ends = 0
    while ends < 20:
        desk.start(ready=False, env={"MAILTICKETS_CRASH_AT": "parsed:1"})
        if not ended(desk, aside=3):
            break
        ends += 1
    assert ends == 3 * (1 + 3)  # of each mail: once in a batch, three times by itself
    assert desk.stop() == 0
    # With the fault gone the admin takes them all back at once; each is answered once.
    numbers = [str(mail["id"]) for mail in desk.json("quarantine")]
    desk.start()
    desk.command("quarantine", "retry", *numbers)
    books = desk.at_rest(3, 30)
    answered = [len(desk.to(mail.partition("<")[2].rstrip(">"))) for mail in (ANA, BEN, EVE)]
    book(runs=ends, lost=3 - books["on_tickets"] + answered.count(0), doubled=sum(answered) - 3)
