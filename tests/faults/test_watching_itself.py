"""The desk watches itself: an outage is told once by every way that works, and its end once; a hang is seen from outside."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from mailtickets import told
from mailtickets.clocks import utc_now
from mailtickets.desk.ticket import Alarm
from mailtickets.intake import UNDECIDED_BYTES, Stopped
from mailtickets.told import Told
from tests.faults.rounds import Rounds
from tests.stories.holding_sink import HoldingSink
from tests.support.dovecot import Dovecot
from tests.support.faulty_network import FaultyNetwork, Throttle
from tests.support.process import IMAP, DeskProcess, Received
from tests.support.smtp_sink import SmtpSink

pytestmark = pytest.mark.timeout(400)
OUTAGE = pytest.mark.fault("Watching", "nothing polled or sent for 15 minutes")
ANA = "Ana Client <ana@customer.example>"
ADMIN = "it@desk.example"
LOOK = 10.0  # seconds between two looks of the lookout
LONG = 90.0  # for what takes a few looks, or a mailbox's pause, on a busy machine
QUARTER = 16 * 60


class Watched(DeskProcess):
    """A desk whose clock can be put ahead, with a pager: a command that writes down what it is told."""

    def __init__(self, folder: Path, dovecot: Dovecot, sink: SmtpSink, user: str, **more) -> None:
        ways = more.pop("ways", "")
        super().__init__(folder, dovecot, sink, user, smtp='retry = ["1s"]', **more)
        (folder / "page").write_text(
            f'#!/bin/sh\necho "$MAILTICKETS_STATE $MAILTICKETS_KIND" >> {folder}/pages\ncat >> {folder}/words\n'
        )
        (folder / "page").chmod(0o700)
        self.edit(
            'admins = ["it@desk.example"]',
            f'admins = ["it@desk.example"]\nalert = ["mail", {{ command = ["{folder}/page"] }}{ways}]',
        )
        self.shift = 0
        self.later(0)

    def later(self, seconds: int) -> None:
        """Let time pass, by every clock that the desk reads."""
        self.shift += seconds
        fresh = self.folder / "clock.new"
        fresh.write_text(f"{self.shift} {self.shift}")
        fresh.rename(self.folder / "clock")

    def start(self, *arguments: str, ready: bool = True, env: dict[str, str] | None = None) -> DeskProcess:
        clock = {"MAILTICKETS_CLOCK": str(self.folder / "clock")}
        return super().start(*arguments, ready=ready, env=clock | (env or {}))

    def start_impatient(self, *patience: str, env: dict[str, str]) -> None:
        """Start the daemon with another patience, such as "desk=3"."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SHORT_OF_PATIENCE, str(self.config), *patience],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, **env, "MAILTICKETS_CLOCK": str(self.folder / "clock")},
            )  # fmt: skip

    def pages(self) -> list[str]:
        """What the pager was told, as "trouble smtp"."""
        path = self.folder / "pages"
        return path.read_text().splitlines() if path.exists() else []

    def told(self, sink: SmtpSink | None = None) -> Counter[str]:
        """Count the mails to the admin at a server by the beginnings of their subjects."""
        mails = [
            Received(mail)["Subject"]
            for mail in (sink or self.sink).to(ADMIN)
            if self.user.encode() in mail.raw
        ]
        return Counter(subject.partition("] ")[2] for subject in mails)

    def looks(self, times: int = 2) -> None:
        """Wait until the lookout has looked so many times more; both pages and mails are out then."""
        for _ in range(times):
            before = self.beat()["at"]
            self.wait(lambda: self.beat()["at"] != before, "a heartbeat", LONG)  # noqa: B023  (called at once)
        time.sleep(1.0)

    def beat(self):
        return json.loads((self.folder / "desk.db.heartbeat").read_text())

    def says(self) -> tuple[int, str]:
        """Return the exit code of `status` and what it prints."""
        env = {**os.environ, "MAILTICKETS_CLOCK": str(self.folder / "clock")}
        command = [sys.executable, "-m", "mailtickets", "--config", str(self.config), "status"]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False, env=env)
        return done.returncode, done.stdout.decode() + done.stderr.decode()


@pytest.fixture
def watch(tmp_path: Path, account: str) -> Iterator[Callable[..., Watched]]:
    """Make a watched desk, not started yet."""
    made: list[Watched] = []

    def make(dovecot: Dovecot, sink: SmtpSink, **more) -> Watched:
        made.append(Watched(tmp_path, dovecot, sink, account, **more))
        return made[-1]

    yield make
    for one in made:
        if one.process and one.process.poll() is None:
            one.process.send_signal(signal.SIGCONT)
        one.stop()


UNREADABLE, UNREAD_OVER = (f"{word}: The mailbox support cannot be read" for word in ("Trouble", "Solved"))
UNSENT, UNSENT_OVER = (f"{word}: Mail cannot be sent" for word in ("Trouble", "Solved"))


@OUTAGE
@pytest.mark.fault("Connect, login", "DNS fails, refused, TLS error, wrong password")
def test_a_mailbox_away_for_15_minutes_is_told_once_over_a_restart_and_its_end_once(watch, sink, book):
    """One mail and one page for the outage, none in the same hour, none by a new start; one each when it is over."""
    with Dovecot() as server:
        desk = watch(server, sink)
        desk.start()
        assert desk.says()[0] == 0
        server.stop()
        desk.wait_log("mailbox support cannot be read", seconds=LONG)
        desk.looks(1)
        assert desk.says()[0] == 0, "it may be a new start of the server"
        desk.later(61)
        desk.looks(1)
        code, words = desk.says()
        assert code == 1, "`status` has less patience than the admins"
        assert "! The mailbox support cannot be read (since " in words
        assert desk.pages() == [], "fifteen minutes are not over"
        assert desk.told() == {}
        desk.later(QUARTER)
        mail = desk.wait_to(ADMIN, 1, LONG)[0]
        for words in ("cannot be read", "refused", "What to do"):
            assert words in mail.text
        desk.wait(lambda: desk.pages() == ["trouble mailbox support"], "the page", LONG)
        code, words = desk.says()
        assert code == 1
        assert words.count("The mailbox support cannot be read") == 1
        desk.later(QUARTER)
        desk.kill()
        desk.start(ready=False)
        desk.wait_log("cannot be read", 2, LONG)
        desk.looks(3)
        server.start()
        desk.writes(ANA, "My printer is on fire.")
        desk.wait(lambda: desk.told()[UNREAD_OVER], "the end to be told", LONG)
        desk.wait(lambda: len(desk.pages()) == 2, "the page of the end", LONG)
        desk.looks(2)
        assert desk.told() == {UNREADABLE: 1, UNREAD_OVER: 1}
        assert desk.pages() == ["trouble mailbox support", "recovered mailbox support"]
        assert desk.says()[0] == 0
        desk.at_rest(1)
        book(runs=1, lost=1 - len(desk.to("ana@customer.example")), doubled=len(desk.told()) - 2)


@OUTAGE
@pytest.mark.fault("SMTP up to DATA", "DNS, refused, 4yz, timeout")
def test_a_mail_server_away_is_told_by_the_pager_and_the_other_account(watch, dovecot, book):
    """The ordinary alarm waits behind the trouble; the other ways tell it, once; afterwards no heap arrives."""
    with SmtpSink() as server, SmtpSink() as other:
        desk = watch(
            dovecot, server, ways=', { smtp_account = "backup" }',
            more=f'[smtp_account.backup]\nhost = "127.0.0.1"\nport = {other.port}\nsecurity = "none"\n',
        )  # fmt: skip
        desk.start()
        server.down()
        desk.writes(ANA, "My printer is on fire.")
        # A mail cut off in the server's hands says nothing of the server; one that finds nobody does.
        desk.wait_log("nothing listens on 127.0.0.1", seconds=LONG)
        desk.looks(1)
        assert (desk.pages(), desk.told(other)) == ([], {})
        desk.later(QUARTER)
        desk.wait(lambda: desk.pages() == ["trouble smtp"], "the page", LONG)
        desk.wait(lambda: desk.told(other) == {UNSENT: 1}, "the mail by the other account", LONG)
        code, words = desk.says()
        assert (code, "Mail cannot be sent" in words, "in the outbox" in words) == (1, True, True)
        for _ in range(2):  # hours in which the ordinary alarms would heap up
            desk.later(61 * 60)
            desk.looks(2)
        hourly = desk.told(other)[UNSENT]
        assert hourly in {2, 3}
        assert len([mail for mail in desk.json("outbox") if mail["kind"] == "trouble"]) == 1
        server.up()
        desk.wait(lambda: desk.told(other)[UNSENT_OVER] == 1, "the end to be told", LONG)
        desk.wait(lambda: desk.told()[UNSENT_OVER] == 1, "the end by the ordinary way", LONG)
        desk.looks(2)
        assert desk.told()[UNSENT] <= 1
        assert desk.told(other) == {UNSENT: hourly, UNSENT_OVER: 1}
        assert desk.pages() == ["trouble smtp"] * hourly + ["recovered smtp"]
        assert desk.says()[0] == 0
        desk.at_rest(1, LONG)
        assert len(desk.to("kim@desk.example")) == 1
        acknowledged = len(desk.to("ana@customer.example"))
        book(runs=1, lost=max(1 - acknowledged, 0), doubled=max(acknowledged - 1, 0))


@OUTAGE
def test_both_away_and_the_mailbox_back_first(watch, sink, book):
    """The pager has each of both once; by mail each is told at most once, after the fact, and its end once."""
    with Dovecot() as imap, SmtpSink() as server:
        desk = watch(imap, server)
        desk.start()
        desk.writes(ANA, "My printer is on fire.")
        desk.wait_to("ana@customer.example", 1)
        server.down()
        desk.command("receive", stdin=desk.mail(ANA, "My scanner is wet."))
        # A mail cut off in the server's hands says nothing of the server; one that finds nobody does.
        desk.wait_log("nothing listens on 127.0.0.1", seconds=LONG)
        imap.stop()
        desk.wait_log("mailbox support cannot be read", seconds=LONG)
        desk.later(QUARTER)
        both = {"trouble mailbox support", "trouble smtp"}
        desk.wait(lambda: set(desk.pages()) == both, "both pages", LONG)
        imap.start()
        desk.wait(lambda: "recovered mailbox support" in desk.pages(), "the mailbox to be back", LONG)
        server.up()
        desk.wait(lambda: desk.told()[UNSENT_OVER] == 1, "the end to be told", LONG)
        desk.looks(2)
        told = desk.told()
        assert (told[UNREAD_OVER], told[UNSENT_OVER]) == (1, 1)
        # A mail of trouble that is being tried at the very moment of the end is not taken back any more.
        assert max(told[UNREADABLE], told[UNSENT]) <= 1
        assert sorted(desk.pages()) == sorted([*both, "recovered mailbox support", "recovered smtp"])
        answers = len(desk.to("ana@customer.example"))
        book(runs=1, lost=max(2 - answers, 0), doubled=max(answers - 2, 0))


@OUTAGE
@pytest.mark.fault("Store raw", "disk full, I/O error, quota")
def test_a_store_that_cannot_be_written_is_told_past_the_outbox(watch, dovecot, sink, book):
    """Mail and page go out although nothing can be queued, once, and once when there is room again; mail is kept."""
    desk = watch(dovecot, sink)
    desk.start()
    assert desk.process is not None
    resource.prlimit(desk.process.pid, resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_log("the store cannot be written", seconds=LONG)
    desk.later(61)
    desk.looks(1)
    code, words = desk.says()
    assert (code, words.count("The store cannot be written (since ")) == (1, 1)
    assert "written: the store" not in words
    assert desk.pages() == []
    desk.later(QUARTER)
    desk.wait(lambda: desk.pages() == ["trouble store"], "the page", LONG)
    desk.wait(lambda: desk.told() == {"Trouble: The store cannot be written": 1}, "the mail", LONG)
    assert "Make room" in desk.to(ADMIN)[0].text
    code, words = desk.says()
    assert (code, "The store cannot be written" in words) == (1, True)
    desk.looks(2)
    room = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(desk.process.pid, resource.RLIMIT_FSIZE, room)
    desk.wait_to("ana@customer.example", 1, LONG)
    desk.wait(lambda: desk.says()[0] == 0, "status to see that work goes on", LONG)
    assert desk.pages() == ["trouble store"], "it is watched for a while before the end is told"
    desk.later(300)
    desk.wait(lambda: len(desk.pages()) == 2, "the page of the end", LONG)
    desk.wait(lambda: len(desk.to(ADMIN)) == 2, "the mail of the end", LONG)
    desk.looks(1)
    assert desk.pages() == ["trouble store", "recovered store"]
    assert desk.told()["Solved: The store cannot be written"] == 1
    assert desk.says()[0] == 0
    desk.at_rest(1)
    answers = len(desk.to("ana@customer.example"))
    book(runs=1, lost=max(1 - answers, 0), doubled=max(answers - 1, 0))


@OUTAGE
@pytest.mark.fault("Store raw", "disk full, I/O error, quota")
def test_a_new_start_neither_repeats_what_was_told_past_the_outbox_nor_forgets_its_end(
    watch, dovecot, sink, book
):
    """Kill -9 while the store cannot be written: no page within the hour though it still cannot; one page and mail at its end."""
    desk = watch(dovecot, sink)
    desk.start()

    def room(limit: int) -> None:
        assert desk.process is not None
        resource.prlimit(desk.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    room(20_000)
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_log("the store cannot be written", seconds=LONG)
    desk.later(QUARTER)
    desk.wait(lambda: desk.pages() == ["trouble store"], "the page", LONG)
    desk.wait(lambda: desk.told() == {"Trouble: The store cannot be written": 1}, "the mail", LONG)
    desk.looks(1)
    seen = desk.log.count("work pauses")
    desk.kill()
    desk.start(ready=False)
    room(20_000)
    desk.wait_log("work pauses", seen + 1, LONG)
    desk.looks(3)
    assert desk.pages() == ["trouble store"]
    assert "The store cannot be written" in desk.says()[1]
    room(resource.RLIM_INFINITY)
    desk.wait_to("ana@customer.example", 1, LONG)
    desk.later(300)
    desk.wait(lambda: len(desk.pages()) == 2, "the page of the end", LONG)
    desk.wait(lambda: len(desk.to(ADMIN)) == 2, "the mail of the end", LONG)
    desk.kill()
    desk.start()
    desk.looks(2)
    assert desk.pages() == ["trouble store", "recovered store"]
    assert len(desk.to(ADMIN)) == 2
    desk.at_rest(1)
    answers = len(desk.to("ana@customer.example"))
    book(runs=2, lost=max(1 - answers, 0), doubled=max(answers - 1, 0))


@OUTAGE
@pytest.mark.fault("Store raw", "DB locked > 30 s")
def test_a_start_that_waits_for_the_store_is_told_and_is_not_ended(
    watch, systemd: Systemd, dovecot, sink, book
):
    """Systemd hears why and waits longer; a heartbeat beats; after 15 minutes the pager is told, and the end once it is open."""
    desk = watch(dovecot, sink)
    desk.start()
    assert desk.stop() == 0
    with closing(sqlite3.connect(desk.folder / "desk.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        desk.writes(ANA, "My printer is on fire.")
        desk.start(ready=False, env=systemd.env)
        desk.wait_log("waiting=starting", seconds=LONG)
        systemd.waits_for("EXTEND_TIMEOUT_USEC=300000000")
        desk.looks(2)
        assert desk.pages() == []
        desk.later(QUARTER)
        desk.wait(lambda: desk.pages() == ["trouble store"], "the page", LONG)
        code, words = desk.says()
        assert (code, "another program holds it" in words) == (1, True)
        said = systemd.hears(45)
        assert "EXTEND_TIMEOUT_USEC=300000000" in said
        assert any(word.startswith("STATUS=Waits: the store") for word in said)
        assert "READY=1" not in said
        assert desk.stop() == 0
        beat = desk.folder / "desk.db.heartbeat"
        assert not beat.exists()
        desk.start(ready=False, env=systemd.env)
        desk.wait(beat.exists, "a heartbeat", LONG)
        desk.looks(2)
        assert desk.pages() == ["trouble store"], "told within the hour"
    systemd.waits_for("READY=1")
    desk.wait_to("ana@customer.example", 1, LONG)
    desk.later(300)
    desk.wait(lambda: len(desk.pages()) == 2, "the page of the end", LONG)
    assert desk.pages() == ["trouble store", "recovered store"]
    desk.at_rest(1)
    answers = len(desk.to("ana@customer.example"))
    book(runs=2, lost=max(1 - answers, 0), doubled=max(answers - 1, 0))


@pytest.mark.fault("Start", "store newer or corrupt")
def test_a_store_that_only_a_person_can_mend_is_told_by_the_pager_once(
    watch, systemd: Systemd, dovecot, sink, book
):
    """Under systemd, which starts it again and again: exit code 1 and one page; mended, one more. In a terminal the words do."""
    desk = watch(dovecot, sink)
    desk.start()
    assert desk.stop() == 0
    store, kept = desk.folder / "desk.db", desk.folder / "kept"
    store.rename(kept)
    store.write_bytes(b"tar" * 5000)
    assert desk.run("run")[0] == 1
    assert desk.pages() == []
    for _ in range(2):
        desk.start(ready=False, env=systemd.env)
        assert desk.process is not None
        assert desk.process.wait(60) == 1
        assert desk.pages() == ["trouble start"]
    assert "mailtickets restore FILE" in (desk.folder / "words").read_text()
    kept.rename(store)
    desk.start(env=systemd.env)
    desk.wait(lambda: desk.pages()[1:] == ["recovered start"], "the page of the end", LONG)
    assert desk.stop() == 0
    book(runs=3)


def test_a_restore_ends_the_alarm_that_asked_for_it(watch, dovecot, sink):
    """The end is told at the first look, and `status` says at no time that the store must be restored again."""
    desk = watch(dovecot, sink)
    desk.start()
    desk.command("backup", str(desk.folder / "old.db"))
    assert desk.stop() == 0
    damaged = Alarm(
        "store", "The store cannot be written", "it is damaged", "put a backup in its place", since=utc_now()
    )
    told.write(desk.folder / "desk.db", {"store": Told(damaged, utc_now())})
    desk.command("restore", str(desk.folder / "old.db"))
    desk.start()
    assert "damaged" not in desk.says()[1]
    desk.wait(lambda: desk.pages() == ["recovered store"], "the page of the end", 30)
    desk.wait(lambda: desk.told()["Solved: The store cannot be written"] == 1, "the mail of the end", 30)
    assert "This is over: The store cannot be written\nIt began " in (desk.folder / "words").read_text()
    assert "damaged" not in desk.says()[1]


def test_the_heartbeat_says_how_the_daemon_is_and_status_believes_it(watch, dovecot, sink):
    """Private, fresh, gone after a clean end; stale in a process that lives: it hangs; left by one that is dead: ended."""
    desk = watch(dovecot, sink)
    code, words = desk.run("status")
    assert code != 0, "there is no store yet"
    desk.start()
    assert desk.process is not None
    path = desk.folder / "desk.db.heartbeat"
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    desk.looks(2)
    beat = desk.beat()
    assert beat["pid"] == desk.process.pid
    assert beat["last_poll"]["support"]
    assert beat["last_send"]
    assert (beat["oldest_due"], beat["troubles"]) == (None, [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    code, words = desk.says()
    assert code == 0, words
    for name in ("last poll", "last send", "outbox", "undecided", "set aside"):
        assert name in words

    desk.process.send_signal(signal.SIGSTOP)
    os.utime(path, (time.time() - 61, time.time() - 61))
    code, words = desk.says()
    assert (code, "-> `systemctl restart mailtickets`" in words) == (1, True)
    assert words.startswith(f"daemon       running, pid {desk.process.pid}, but hangs\n")
    code, words = desk.run("doctor")
    assert (code, f"runs with pid {desk.process.pid}, but hangs" in words) == (1, True)
    desk.process.send_signal(signal.SIGCONT)
    desk.looks(1)
    assert desk.says()[0] == 0

    desk.kill()
    assert path.exists()
    code, words = desk.says()
    assert (code, "does not run" in words) == (1, True)
    desk.start()
    assert desk.stop() == 0
    assert not path.exists()
    assert "does not run" in desk.says()[1]


def test_a_heartbeat_that_cannot_be_written_stops_nothing(watch, dovecot, sink):
    """The desk goes on, and is not taken for one that hangs."""
    desk = watch(dovecot, sink)
    desk.start()
    path = desk.folder / "desk.db.heartbeat"
    (desk.folder / "desk.db.heartbeat.new").mkdir()  # stands where each new one is written
    old = path.stat().st_mtime
    desk.wait(lambda: path.stat().st_mtime > old, "the old one to be touched", LONG)
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    assert desk.says()[0] == 0


# -- systemd -----------------------------------------------------------------------------------

# The daemon as it is, but short of patience (`desk=3`: seconds); SIGUSR1 makes its desk's thread hang for 25 seconds.
SHORT_OF_PATIENCE = """
import asyncio, signal, sys, time
from datetime import timedelta
from pathlib import Path
from mailtickets import maillog
from mailtickets.config import load
from mailtickets.daemon import Daemon
from mailtickets.watching import Patience

async def main():
    maillog.set_up()
    patience = {name: timedelta(seconds=float(seconds)) for name, seconds in (word.split("=") for word in sys.argv[2:])}
    daemon = Daemon(load(Path(sys.argv[1])), patience=Patience(**patience))
    hang = lambda: daemon._desk.call(time.sleep, 25)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, hang)
    return await daemon.run()

sys.exit(asyncio.run(main()))
"""


class Systemd:
    """The socket on which systemd listens to a service."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self.env = {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": "2000000"}

    def hears(self, seconds: float) -> list[str]:
        """Return what the service says in the next seconds."""
        said, end = [], time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                said += self._socket.recv(4096).decode().splitlines()
            except TimeoutError:
                break
        return said

    def waits_for(self, word: str, seconds: float = LONG) -> None:
        """Wait until the service says something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if word in self.hears(0.5):
                return
        raise AssertionError(f"{word} was not said in {seconds} s")

    def waits_for_silence(self, seconds: float) -> None:
        """Wait until the service has said nothing for some seconds."""
        end = time.monotonic() + LONG
        while self.hears(seconds):
            assert time.monotonic() < end, "it goes on saying that all is well"


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    made = Systemd(tmp_path)
    yield made
    made._socket.close()


def test_systemd_hears_of_life_also_while_servers_are_away_and_not_of_a_stopped_process(
    watch, systemd: Systemd
):
    """READY=1 and WATCHDOG=1; with both servers down it goes on, since a new start would mend nothing; SIGSTOP ends it."""
    with Dovecot() as imap, SmtpSink() as server:
        desk = watch(imap, server)
        desk.start(env=systemd.env)
        systemd.waits_for("READY=1")
        systemd.waits_for("WATCHDOG=1")
        server.down()
        desk.command("receive", stdin=desk.mail(ANA, "My printer is on fire."))
        # A mail cut off in the server's hands says nothing of the server; one that finds nobody does.
        desk.wait_log("nothing listens on 127.0.0.1", seconds=LONG)
        imap.stop()
        desk.wait_log("mailbox support cannot be read", seconds=LONG)
        desk.later(QUARTER)
        desk.wait(lambda: len(desk.pages()) == 2, "both pages", LONG)
        systemd.hears(0.5)
        assert systemd.hears(5).count("WATCHDOG=1") >= 3
        assert desk.process is not None
        desk.process.send_signal(signal.SIGSTOP)
        systemd.waits_for_silence(3)
        desk.process.send_signal(signal.SIGCONT)
        systemd.waits_for("WATCHDOG=1")
        imap.start()
        server.up()
        assert desk.stop() == 0
        assert "STOPPING=1" in systemd.hears(1)


@OUTAGE
def test_a_desk_that_hangs_is_kept_from_systemd_and_told_past_the_outbox(
    watch, systemd: Systemd, dovecot: Dovecot, sink: SmtpSink, book
):
    """No WATCHDOG=1 while the desk's thread stands; mail and page tell it although nothing can be queued, and its end."""
    desk = watch(dovecot, sink)
    desk.start_impatient("desk=3", env=systemd.env)
    assert desk.process is not None
    systemd.waits_for("WATCHDOG=1")
    desk.wait_log(" ready ", seconds=LONG)
    desk.process.send_signal(signal.SIGUSR1)
    systemd.waits_for_silence(5)
    assert "it will start the desk anew" in desk.log
    desk.wait(lambda: desk.pages()[:1] == ["trouble desk thread"], "the page", LONG)
    systemd.waits_for("WATCHDOG=1")
    desk.wait(lambda: len(desk.pages()) == 2, "the page of the end", LONG)
    desk.wait(lambda: len(desk.to(ADMIN)) == 2, "the mails", LONG)
    desk.looks(2)
    assert desk.pages() == ["trouble desk thread", "recovered desk thread"]
    assert desk.told() == {"Trouble: The desk hangs": 1, "Solved: The desk hangs": 1}
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1, LONG)
    assert desk.stop() == 0
    book(runs=1, lost=0, doubled=len(desk.to(ADMIN)) - 2)


@OUTAGE
def test_a_send_that_hangs_is_told_past_the_outbox(watch, systemd: Systemd, dovecot, book):
    """The server keeps its last answer back for longer than the patience: no WATCHDOG=1, a page and a mail; their end when it comes."""
    with HoldingSink() as server:
        desk = watch(dovecot, server)
        server.holds = lambda raw: b"auto-replied" in raw
        desk.start_impatient("sending=5", env=systemd.env)
        desk.wait_log(" ready ", seconds=LONG)
        desk.writes(ANA, "My printer is on fire.")
        desk.wait(lambda: server.held == 1, "the acknowledgement in the server's hands", LONG)
        systemd.waits_for_silence(3)
        desk.wait(lambda: desk.pages() == ["trouble sender"], "the page", LONG)
        desk.wait(lambda: desk.told() == {"Trouble: The sending of mail hangs": 1}, "the mail", LONG)
        server.let_go()
        desk.wait(lambda: desk.pages()[1:] == ["recovered sender"], "the page of the end", LONG)
        systemd.waits_for("WATCHDOG=1")
        desk.wait(lambda: desk.told()["Solved: The sending of mail hangs"] == 1, "the mail of the end", LONG)
        desk.at_rest(1, LONG)
        answers = len(desk.to("ana@customer.example"))
        assert desk.stop() == 0
        book(runs=1, lost=max(1 - answers, 0), doubled=max(answers - 1, 0))


def test_a_slow_mailbox_is_not_taken_for_one_that_hangs(watch, systemd: Systemd, dovecot, sink):
    """A mail that takes 20 seconds to come, with a patience of 5: systemd hears of life all the time, and the mail is answered."""
    with FaultyNetwork(dovecot.imap) as network:
        lines = IMAP.replace("{imap_port}", str(network.port)) + 'start_from = "all"\n'
        desk = watch(dovecot, sink, mailbox=lines)
        desk.writes(ANA, "My printer is on fire.", files={"fire.bin": os.urandom(300_000)})
        network.arm(Throttle(20_000, after=b" BODY["))
        desk.start_impatient("round=5", env=systemd.env)
        desk.wait(lambda: network.struck == 1, "the slow mail", LONG)
        systemd.hears(0.1)
        assert systemd.hears(15).count("WATCHDOG=1") >= 10
        assert desk.to("ana@customer.example") == []
        desk.wait_to("ana@customer.example", 1, LONG)
        assert "start the desk anew" not in desk.log
        assert desk.stop() == 0


def test_a_round_that_waits_for_the_desk_moves_and_ends_when_it_is_told_to_stop(watch, dovecot, sink):
    """While the desk is far behind the thread does not hang; told to stop it leaves the mail where it is, for the next one."""
    desk = watch(dovecot, sink)
    desk.edit('poll = "2s"', 'poll = "2s"\nstart_from = "all"')
    desk.writes(ANA, "My printer is on fire.")
    with Rounds(desk.config) as rounds, ThreadPoolExecutor(1) as thread:
        moved, stop = list[float](), threading.Event()
        rounds.intake.use(lambda: moved.append(time.monotonic()), stop.is_set)
        rounds.here.undecided_bytes = lambda: UNDECIDED_BYTES + 1
        ended = thread.submit(rounds.take)
        time.sleep(3)
        assert not ended.done()
        assert time.monotonic() - moved[-1] < 1
        stop.set()
        with pytest.raises(Stopped):
            ended.result(10)
        assert (rounds.books().received, desk.dovecot.flags(desk.user)[1] & {r"\Seen"}) == (0, set())
        stop.clear()
        rounds.here.undecided_bytes = lambda: 0
        assert rounds.take() == ""
        assert rounds.books().on_tickets == 1
