"""A small story for faults: every kind of mail and timer that a desk has, stage by stage, each able to begin from a copy.

new mail with an attachment, another one, an agent's answer, a reminder, a bounce, a closing, an answer that reopens.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.forks import Child, Forks
from tests.support import patience
from tests.support.dovecot import Dovecot
from tests.support.process import IMAP, DeskProcess, Received
from tests.support.smtp_sink import SinkMail, SmtpSink

ANA, BEN = "Ana Client <ana@customer.example>", "Ben Other <ben@other.example>"
KIM = "Kim Archer <kim@desk.example>"
AGENTS = frozenset({"kim@desk.example", "lee@desk.example"})
STAFF = AGENTS | {"it@desk.example"}
# Each step of silence lies less than a day behind the one before: a longer gap makes the desk doubt the clock.
QUEUE = 'reminders = ["20h"]\nclose_after = "40h"\nresolved_close_after = "20h"'
MORE = """\
[limits]
ack_per_domain_hour = 0
"""
# What the desk tells its admins about the faults themselves; the story without faults has none of it.
TROUBLE = frozenset({"trouble", "recovered"})
# A kill between the writing of a heartbeat and its renaming leaves `.new`, which the next beat replaces.
ALLOWED_FILES = frozenset(
    {"config.toml", "imap-password", "log", "clock", "crash", "desk.db", "desk.db-wal", "desk.db-shm",
     "desk.db.lock", "desk.db.heartbeat", "desk.db.heartbeat.new",
        "desk.db.told"}
)  # fmt: skip

_users = itertools.count(1)


def new_user() -> str:
    """Return a mailbox nobody has used."""
    return f"fault{os.getpid()}x{next(_users)}"


@dataclass
class Accepted:
    """What the mail server took, in order, since a moment."""

    sink: SmtpSink
    start: int

    @property
    def mails(self) -> list[SinkMail]:
        return list(self.sink.mails[self.start :])


class FaultDesk(DeskProcess):
    """A desk whose processes start quickly and die on command. `box` is its mailbox; its address is always support@.

    ports   what stands in front of the IMAP and the SMTP server, if anything does.
    """

    def __init__(
        self,
        folder: Path,
        dovecot: Dovecot,
        sink: SmtpSink,
        forks: Forks,
        *,
        more: str = MORE,
        smtp: str = 'retry = ["1s"]',
        queue: str = QUEUE,
        ports: tuple[int, int] = (0, 0),
    ) -> None:
        self.box = new_user()
        self.forks = forks
        self.child: Child | None = None
        self.env: dict[str, str] = {}
        imap, out = ports
        mailbox = IMAP.replace("{user}", self.box).replace("{imap_port}", str(imap or dovecot.imap))
        super().__init__(
            folder, dovecot, sink, "support", queue=queue, more=more, mailbox=mailbox + 'start_from = "all"\n', poll="60s",
            smtp=smtp,
        )  # fmt: skip
        if out:
            self.edit(f"port = {sink.port}", f"port = {out}")
        self.deliveries: list[bytes] = []
        self.accepted = Accepted(sink, len(sink.mails))
        self.retried: set[str] = (
            set()
        )  # automatic mails that never arrived until an admin had them sent again
        self.shift = self.since_boot = 0.0
        (folder / "clock").write_text("0 0")

    def copy(self, folder: Path) -> FaultDesk:
        """Return a desk that stands where this one stands, with store and mailbox of its own."""
        folder.mkdir()
        other = FaultDesk(folder, self.dovecot, self.sink, self.forks)
        for path in self.folder.glob("desk.db*"):
            shutil.copy2(path, folder / path.name)
        boxes = self.dovecot.root / "mail"
        if (boxes / self.box).exists():
            subprocess.run(["cp", "-a", str(boxes / self.box), str(boxes / other.box)], check=True)
        other.deliveries = list(self.deliveries)
        other.set_clock(self.shift)
        other.accepted = Accepted(self.sink, self.accepted.start)
        return other

    # -- the world ---------------------------------------------------------------------------

    def deliver(self, raw: bytes, *_: str, sender: str = "ana@customer.example") -> None:
        """Put a mail into the mailbox. Whom it names decides where it goes, not whose mailbox it is."""
        self.dovecot.deliver(raw, f"{self.box}@desk.example", sender=sender)
        self.deliveries.append(raw)

    def set_clock(self, shift: float, since_boot: float = 0.0) -> None:
        """Put the wall clock of the desk so many seconds ahead, and perhaps the time since the machine was started."""
        self.shift, self.since_boot = shift, since_boot
        temporary = self.folder.parent / f"{self.box}.clock"
        temporary.write_text(f"{shift} {since_boot}")
        temporary.rename(self.folder / "clock")

    def pass_time(self, seconds: float) -> None:
        """Let time pass, as every clock of the machine sees it but the one that stops while it sleeps."""
        self.set_clock(self.shift + seconds, self.since_boot + seconds)

    # -- the process -------------------------------------------------------------------------

    def begin(self, crash: str = "", *words: str) -> Child:
        """Start a process: the daemon, or another command; `crash` names the point at which it dies."""
        env = {**self.env, "MAILTICKETS_CLOCK": str(self.folder / "clock")}
        env |= {"MAILTICKETS_CRASH_AT": crash, "MAILTICKETS_CRASH_LOG": str(self.folder / "crash")}
        arguments = ["--config", str(self.config), *(words or ("run",))]
        self.child = self.forks.start(arguments, self.folder / "log", env)
        return self.child

    def command_of(self, *words: str) -> int:
        """Run a command to its end; return its exit code."""
        env = {"MAILTICKETS_CLOCK": str(self.folder / "clock")}
        return self.forks.start(["--config", str(self.config), *words], self.folder / "log", env).wait()

    def settle(self, seconds: float = 40.0) -> bool:
        """Wait until nothing is left to do; return False where the process was killed before."""
        assert self.child is not None
        end = time.monotonic() + seconds * patience.TIMES
        while self.child.poll() is None:
            if (left := self.left_to_do()) == "":
                # A point right behind the last commit: its end is on its way.
                time.sleep(0.05)
                if self.child.poll() is None:
                    return True
                break
            if time.monotonic() > end:
                raise AssertionError(f"after {seconds} s still {left}\n{self.log[-5000:]}")
            time.sleep(0.02)
        assert self.child.ended == -9, f"it ended with {self.child.ended}\n{self.log[-5000:]}"
        return False

    def until_ready(self) -> None:
        """Wait until the daemon has read its mailbox once."""
        assert self.child is not None
        child, seen = self.child, self.log.count(" ready ")
        self.wait(lambda: self.log.count(" ready ") > seen or child.poll() is not None, "ready")
        assert child.poll() is None, self.log[-3000:]

    def down(self) -> None:
        """End the process at rest, as a power cut does."""
        if self.child is not None:
            self.child.kill()
            self.child = None

    def stop(self, seconds: float = 25.0) -> int:  # noqa: ARG002  (at rest it takes no time)
        self.down()
        return 0

    # -- the store ---------------------------------------------------------------------------

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Read the store from outside."""
        path = self.folder / "desk.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
            try:
                return connection.execute(sql, values).fetchall()
            except sqlite3.OperationalError:
                return []  # not made yet

    def left_to_do(self) -> str:
        """Say what the desk has not done yet; "" at rest."""
        now = int((time.time() + self.shift) * 1_000_000)
        row = self.ask(
            "SELECT (SELECT count(*) FROM copy), (SELECT count(*) FROM copy WHERE state = 'waiting'),"
            " (SELECT count(*) FROM copy WHERE marked = 0),"
            " (SELECT count(*) FROM outbox WHERE state IN ('queued', 'deferred', 'sending')),"
            " (SELECT count(*) FROM timer WHERE due <= ?)",
            now,
        )
        if not row:
            return "no store"
        taken, waiting, unmarked, unsent, due = row[0]
        if taken < len(self.deliveries):
            return f"{len(self.deliveries) - taken} mails to take in"
        names = ("to decide", "to mark", "to send", "timers due")
        return next(
            (f"{n} {name}" for n, name in zip((waiting, unmarked, unsent, due), names, strict=True) if n), ""
        )

    def rows(self) -> Counter[tuple[str, str, int]]:
        """Return what the desk has to say, as (kind, recipients, ticket), without what is about trouble."""
        found = self.ask("SELECT kind, recipients, ticket FROM outbox WHERE occasion NOT LIKE 'in-doubt:%'")
        return Counter((kind, to, ticket) for kind, to, ticket in found if kind not in TROUBLE)

    def retry_answers_in_doubt(self) -> int:
        """Send again, as an admin would, the answers that the desk does not send again by itself; return how many."""
        numbers = self.ask("SELECT id FROM outbox WHERE state = 'uncertain' AND human = 1")
        for (number,) in numbers:
            assert self.command_of("outbox", "retry", str(number)) == 0
        if numbers:
            self.begin()
            assert self.settle()
            self.down()
        return len(numbers)

    def dump(self) -> list[Any]:
        """Return everything that a restart must not change."""
        tables = (
            "copy",
            "original",
            "ticket",
            "participant",
            "entry",
            "known_id",
            "timer",
            "person",
            "held",
            "batch",
        )
        return [self.ask(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables] + [
            self.ask("SELECT id, kind, recipients, state, attempts, digest FROM outbox ORDER BY id")
        ]

    # -- what must be true -------------------------------------------------------------------

    def check(
        self, expected: Counter[tuple[str, str, int]] | None = None, *, given_up: tuple[str, ...] = ()
    ) -> Counter[str]:
        """Check the assertions of the fault matrix; return how many mails are "lost" and how many "doubled".

        expected  what the same story says without faults, as `rows`: one more of a kind is a double, one less is lost.
        given_up  kinds that may have failed at last: the test sees that their text came back.
        """
        self._tell_of_trouble()
        self._books()
        counts = self._mail_out(given_up)
        self._nobody_new()
        self._whole()
        if expected is not None:
            counts["doubled"] += (self.rows() - expected).total()
            counts["lost"] += (expected - self.rows()).total()
        if counts.total():
            print(f"{self.folder}: {counts}, {self.rows()} instead of {expected}\n{self.log[-4000:]}")
        return counts

    def _tell_of_trouble(self) -> None:
        """Let go out what the desk had to say of trouble when it was ended: that is queued whenever something is over."""
        waits = "SELECT 1 FROM outbox WHERE kind IN ('trouble', 'recovered') AND state IN ('queued', 'deferred', 'sending')"
        for _ in range(3):
            if self.child is None and self.ask(waits):
                self.begin()
                assert self.settle()
                self.down()

    def _books(self) -> None:
        """1. Every raw mail is in exactly one place, and on one ticket once."""
        states = dict(self.ask("SELECT state, count(*) FROM copy GROUP BY state"))
        assert set(states) <= {"on_ticket", "ignored"}, f"{states}\n{self.log[-4000:]}"
        for raw in self.deliveries:
            copies = self.ask("SELECT state, ticket FROM copy WHERE message_id = ?", self.id_of(raw))
            assert len(copies) == 1, f"{self.id_of(raw)} stands {len(copies)} times in the ledger"
        entries = self.ask(
            "SELECT copy, count(*) FROM entry WHERE copy IS NOT NULL AND kind = 'mail_in' GROUP BY copy"
        )
        assert all(count == 1 for _, count in entries), entries

    def never_arrived(self) -> int:
        """Return how many automatic mails stayed uncertain and had not arrived: what it costs that none is doubled."""
        there = {self.id_of(mail.raw) for mail in self.accepted.mails}
        uncertain = self.ask("SELECT message_id FROM outbox WHERE human = 0 AND state = 'uncertain'")
        return len(self.retried | ({message_id for (message_id,) in uncertain} - there))

    def put_down(self, book: Callable[..., None], *, runs: int, **more: Any) -> None:
        """Check, put down what was counted, and hold it to the promise: nothing lost, nothing automatic doubled."""
        wrong = self.check(**more)
        book(runs=runs, lost=wrong["lost"], doubled=wrong["doubled"], uncertain=self.never_arrived())
        assert not wrong.total()

    def _mail_out(self, given_up: tuple[str, ...]) -> Counter[str]:
        """2. Automatic mail was taken once at most. 3. An answer was taken at least once, always the same bytes."""
        taken: dict[str, list[bytes]] = {}
        for mail in self.accepted.mails:
            taken.setdefault(self.id_of(mail.raw), []).append(mail.raw)
        counts = Counter[str]()
        for number, kind, human, state, message_id in self.ask(
            "SELECT id, kind, human, state, message_id FROM outbox"
        ):
            copies = taken.pop(message_id, [])
            assert len(set(copies)) <= 1, f"mail {number} went out in different bytes"
            # A trouble that was over before it was told is taken back.
            may = {
                "sent", "uncertain", *({"cancelled"} if kind in TROUBLE else ()), *({"failed"} if kind in given_up else ())
            }  # fmt: skip
            assert state in may, f"mail {number} ({kind}) is {state}"
            if human:
                counts["lost"] += not copies and state != "failed"
            else:
                counts["doubled"] += max(len(copies) - 1, 0)
                counts["lost"] += not copies and state == "sent"
        assert not taken, f"nobody queued {list(taken)}"
        return counts

    def _nobody_new(self) -> None:
        """4. Only people of the ticket and agents of its queue got its mail; what is of no ticket went to staff."""
        people: dict[int, set[str]] = {}
        for ticket, address in self.ask("SELECT ticket, address FROM participant"):
            people.setdefault(ticket, set()).add(address)
        ticket_of = dict(self.ask("SELECT message_id, ticket FROM outbox"))
        for mail in self.accepted.mails:
            ticket = ticket_of.get(self.id_of(mail.raw), 0)
            may = AGENTS | people[ticket] if ticket else STAFF
            assert set(mail.recipients) <= may, f"{mail.recipients} got mail of ticket {ticket}"

    def _whole(self) -> None:
        """5. The store is whole, and nothing lies about."""
        assert self.ask("PRAGMA integrity_check") == [("ok",)]
        assert self.ask("PRAGMA foreign_key_check") == []
        for what, sql in {
            "copies without original": "SELECT id FROM copy WHERE digest IS NOT NULL AND digest NOT IN (SELECT digest FROM original)",
            "originals of nothing": "SELECT id FROM original WHERE digest NOT IN (SELECT digest FROM copy WHERE digest IS NOT NULL)",
            "bodies of nothing": "SELECT id FROM body WHERE id NOT IN (SELECT body FROM outbox WHERE body IS NOT NULL)",
            "batches left open": "SELECT id FROM batch",
            "timers of nothing": "SELECT ticket FROM timer WHERE ticket NOT IN (SELECT number FROM ticket)",
            "known ids of nothing": "SELECT message_id FROM known_id WHERE ticket NOT IN (SELECT number FROM ticket)",
        }.items():
            assert self.ask(sql) == [], what
        left = {path.name for path in self.folder.iterdir()} - ALLOWED_FILES
        assert not left, f"left about: {left}"

    def restart_changes_nothing(self, times: int = 2) -> None:
        """6. Further restarts change nothing and send nothing."""
        self.down()
        before, sent = self.dump(), len(self.accepted.mails)
        for _ in range(times):
            self.begin()
            self.until_ready()
            assert self.settle()
            self.down()
        assert self.dump() == before
        assert len(self.accepted.mails) == sent


@dataclass(frozen=True)
class Stage:
    """One step of the story: what happens in the world; the desk is down meanwhile."""

    name: str
    happens: Callable[[FaultDesk], None]
    hours: float = 0.0
    files: bool = False

    @property
    def points(self) -> set[str]:
        """The points of its way, each of which must be reached."""
        out = {"sending", "dot-sent", "250-read", "sent", "recovered"} | (
            {"attachment-temp"} if self.files else set()
        )
        if self.hours:
            return out | {"timer-due", "timer-committed"}
        return out | {"fetched", "raw-stored", "parsed", "written", "committed", "marking", "marked"}


def _newest(desk: FaultDesk, address: str, words: str = "") -> Received:
    """Return the newest mail to somebody; those of unknown fate that did not arrive are sent again first, by the admin.

    The newest is the one that was written last: one that was sent again is not answered in the place of newer ones.
    """
    there = {desk.id_of(mail.raw) for mail in desk.accepted.mails}
    uncertain = desk.ask(
        "SELECT id, message_id, human FROM outbox WHERE state = 'uncertain' AND recipients LIKE ?",
        f"%{address}%",
    )
    again = [str(number) for number, message_id, _ in uncertain if message_id not in there]
    if again:
        desk.retried |= {
            message_id for _, message_id, human in uncertain if message_id not in there and not human
        }
        for number in again:
            assert desk.command_of("outbox", "retry", number) == 0
        desk.begin()
        assert desk.settle()
        desk.down()
    written = dict(desk.ask("SELECT message_id, id FROM outbox"))
    found = [Received(mail) for mail in desk.accepted.mails if address in mail.recipients]
    return max(
        (mail for mail in found if words in mail["Subject"]), key=lambda mail: written[mail["Message-ID"]]
    )


def _bounce(desk: FaultDesk) -> None:
    """Ben's mail server gives his acknowledgement back."""
    returned = _newest(desk, "ben@other.example")
    head = "\r\n".join(
        f"{name}: {returned[name]}" for name in ("From", "To", "Subject", "Message-ID", "References")
    )
    desk.deliver(
        (
            "Return-Path: <>\r\nFrom: MAILER-DAEMON@other.example\r\nTo: support@desk.example\r\nSubject: Undelivered Mail\r\n"
            f"Message-ID: <bounce.{time.time_ns()}@other.example>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n"
            "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.other.example\r\n\r\n"
            "Final-Recipient: rfc822; ben@other.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
            f"--b\r\nContent-Type: message/rfc822\r\n\r\n{head}\r\n\r\nHello\r\n--b--\r\n"
        ).encode(),
        sender="",
    )


def _writes(desk: FaultDesk) -> None:
    desk.writes(
        ANA, "My printer is on fire.", subject="A burning printer", files={"fire.bin": bytes(range(256)) * 40}
    )


def _answers(desk: FaultDesk) -> None:
    desk.answers(
        _newest(desk, "kim@desk.example", "printer"),
        KIM,
        "Please try water. Did that help?",
        files={"tap.bin": b"tap" * 900},
    )


def _reopens(desk: FaultDesk) -> None:
    desk.answers(_newest(desk, "ana@customer.example"), ANA, "It burns again.")


def _resolves(desk: FaultDesk) -> None:
    desk.answers(_newest(desk, "kim@desk.example", "printer"), KIM, "#resolve\nWe have sent a new one.")


def _silence(_: FaultDesk) -> None:
    """Nobody writes."""


STAGES = (
    Stage("new mail", _writes, files=True),
    Stage("another one", lambda desk: desk.writes(BEN, "My scanner is wet.", subject="A wet scanner")),
    Stage("answer", _answers, files=True),
    Stage("bounce", _bounce),
    Stage("reminder", _silence, hours=21),
    Stage("closing", _silence, hours=21),
    Stage("reopened", _reopens),
    Stage("resolved", _resolves),
)


@dataclass(frozen=True)
class Reminder:
    """What the store said of the story's one reminder before the closing was due, and whether the customer had it."""

    state: str
    arrived: bool


def the_reminder(desk: FaultDesk) -> Reminder:
    """Return what became of it, before the closing and before an admin has it sent again."""
    ((state, message_id),) = desk.ask("SELECT state, message_id FROM outbox WHERE kind = 'reminder'")
    assert state in {"sent", "uncertain"}
    return Reminder(state, message_id in {desk.id_of(mail.raw) for mail in desk.accepted.mails})


@dataclass
class Line:
    """The story without faults: where each stage began, what happened in it, what it left to say."""

    before: list[FaultDesk] = field(default_factory=list)
    mails: list[list[bytes]] = field(default_factory=list)
    says: list[Counter[tuple[str, str, int]]] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)


def play(desk: FaultDesk, folder: Path, stages: tuple[Stage, ...] = STAGES) -> Line:
    """Play the story without faults; keep a copy of the desk before each stage."""
    line = Line()
    for number, stage in enumerate(stages):
        line.before.append(desk.copy(folder / f"before-{number}"))
        line.accepted.append(len(desk.sink.mails))
        known = len(desk.deliveries)
        desk.set_clock(desk.shift + stage.hours * 3600)
        stage.happens(desk)
        line.mails.append(desk.deliveries[known:])
        desk.begin()
        assert desk.settle()
        assert not desk.check().total()
        desk.down()
        line.says.append(desk.rows())
    return line
