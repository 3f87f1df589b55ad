"""A disk that is full, can only be read, or fails: nothing is marked that is not stored, nothing is lost or sent twice."""

from __future__ import annotations

import itertools
import os
import signal
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from mailtickets import told
from mailtickets.desk.ticket import Alarm
from mailtickets.store import Store, store_trouble
from mailtickets.store.ledger import Step
from mailtickets.told import Told
from tests.faults.disk_story import KIM, desk_at, put_down, tally, unseen
from tests.store.test_ledger import taken
from tests.stories.holding_sink import HoldingSink
from tests.support.dovecot import Dovecot
from tests.support.small_disk import Kind, SmallDisk
from tests.support.smtp_sink import SmtpSink

pytestmark = pytest.mark.disk

ANA, BEN, EVE = "ana@customer.example", "ben@customer.example", "eve@customer.example"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
FULL = pytest.mark.fault("Store raw", "disk full, I/O error, quota")
READ_ONLY = pytest.mark.fault("Store raw", "read-only file system")
ATTACHMENT = pytest.mark.fault("Attachment", "disk full, kill -9 mid-write")


def pauses(log: str) -> list[float]:
    """Return when the log says that work pauses, in seconds."""
    return [
        datetime.fromisoformat(line.split()[0]).timestamp()
        for line in log.splitlines()
        if "work pauses" in line
    ]


@FULL
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("kind", "seconds"), [("tmpfs", 80.0), ("ext4", 3.0)])
def test_a_full_disk_while_mail_is_taken_in(
    tmp_path: Path, dovecot: Dovecot, account: str, book, kind: Kind, seconds: float
):
    """No mark on the server, one line a minute, sending goes on; with room again all of it is taken in, each mail once."""
    with (
        SmtpSink() as sink,
        SmallDisk(tmp_path / "disk", kind=kind) as disk,
        desk_at(tmp_path, disk.folder, dovecot, sink, account) as desk,
    ):
        desk.start()
        desk.writes(ANA, "My printer is on fire.")
        desk.wait_to(ANA, 1)
        desk.wait(lambda: unseen(desk) == 0, "the first mark")
        disk.fill()
        desk.writes(BEN, "See the picture.", files={"fire.bin": os.urandom(1_000_000)})
        people = [ANA, BEN, *(f"c{number}@customer.example" for number in range(5))]
        for person in people[2:]:
            desk.writes(person, "My scanner is wet.", files={"wet.bin": os.urandom(60_000)})
        line = desk.wait_log("work pauses")
        assert "the store cannot be written: its disk is full" in line
        assert f"make room on the disk that holds {disk.folder};" in line
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            assert desk.process is not None
            assert desk.process.poll() is None
            assert unseen(desk) >= 1, "the large mail is not stored, so it is not marked"
            assert desk.run("status")[1].startswith("daemon       running")
            time.sleep(1)
        code, words = desk.run("status")
        assert code == 1
        if seconds > 60:
            assert words.lower().count("! the store cannot be written (since ") == 1
        said = pauses(desk.log)
        assert len(said) == 1 + int(seconds // 60)
        assert all(after - before >= 59.9 for before, after in itertools.pairwise(said))
        assert "Traceback" not in desk.log
        assert desk.log.count(" error ") == len(said), "nothing else is said of it"

        disk.free()
        desk.wait_to(BEN, 1, 60)
        books = desk.at_rest(len(people), 60)
        assert books["on_tickets"] == len(people)
        desk.wait_log("work goes on")
        desk.wait(lambda: unseen(desk) == 0, "all marks")
        picture = desk.wait_to("kim@desk.example", len(people))
        assert any(len(files) == 1_000_000 for mail in picture for files in mail.files.values())
        assert desk.stop() == 0
        put_down(book, runs=1, **tally(desk, people))


@FULL
@pytest.mark.timeout(240)
def test_a_batch_that_does_not_fit_is_not_jumped_over(tmp_path: Path, dovecot: Dovecot, account: str, book):
    """A batch with a large mail cannot be stored and the one behind it can: the first one is taken in later, whole."""
    with (
        SmtpSink() as sink,
        SmallDisk(tmp_path / "disk") as disk,
        desk_at(tmp_path, disk.folder, dovecot, sink, account) as desk,
    ):
        desk.start()
        desk.writes(ANA, "My printer is on fire.")
        desk.at_rest(1)
        assert desk.process is not None
        desk.process.send_signal(signal.SIGSTOP)  # so that it finds both batches at once
        disk.fill(leave=600_000)
        people = [ANA, BEN, *(f"c{number}@customer.example" for number in range(60))]
        desk.writes(BEN, "See the picture.", files={"fire.bin": os.urandom(900_000)})
        for person in people[2:]:
            desk.writes(person, "My scanner is wet.")
        desk.process.send_signal(signal.SIGCONT)
        desk.wait_log("work pauses")
        desk.wait(lambda: desk.json("ledger")["received"] > 1, "the second batch")
        disk.free()
        desk.wait_to(BEN, 1, 60)
        assert desk.at_rest(len(people), 60)["on_tickets"] == len(people)
        desk.wait(lambda: unseen(desk) == 0, "all marks")
        put_down(book, runs=1, **tally(desk, people))


@FULL
@ATTACHMENT
def test_a_full_disk_while_a_stored_mail_is_decided(tmp_path: Path, dovecot: Dovecot, account: str, book):
    """The raw mail fits and what follows from it does not: it waits in the store, and is decided once there is room."""
    with (
        SmtpSink() as sink,
        SmallDisk(tmp_path / "disk") as disk,
        desk_at(tmp_path, disk.folder, dovecot, sink, account) as desk,
    ):
        desk.start()
        desk.writes(ANA, "My printer is on fire.")
        desk.at_rest(1)
        picture = os.urandom(800_000)
        disk.fill(leave=int(len(picture) * 1.04) + 100_000)
        desk.writes(BEN, "See the picture.", files={"fire.bin": picture})
        assert "waiting=deciding" in desk.wait_log("work pauses")
        books = desk.json("ledger")
        assert (books["received"], books["waiting"], books["unexplained"]) == (2, 1, 0)
        assert unseen(desk) == 1
        time.sleep(2)
        assert desk.to(BEN) == []
        disk.free()
        desk.wait_to(BEN, 1, 40)
        desk.at_rest(2)
        assert picture in desk.wait_to("kim@desk.example", 2)[1].files.values(), "cut from the raw mail"
        desk.wait(lambda: unseen(desk) == 0, "all marks")
        assert {path.name for path in disk.folder.iterdir()} <= {
            "desk.db", "desk.db-wal", "desk.db-shm", "desk.db.lock", "desk.db.heartbeat", "desk.db.told", "lost+found",
        }, "no half-written file"  # fmt: skip
        put_down(book, runs=1, **tally(desk, [ANA, BEN]))


def holds(part: bytes, raw: bytes) -> bool:
    """Whether a server holds a mail back: one to a customer, with these words in it."""
    return part in raw and b"auto-generated" not in raw


@FULL
def test_a_full_disk_when_a_sent_mail_is_booked(tmp_path: Path, dovecot: Dovecot, account: str, book):
    """The server took it and `sent` cannot be written: while the process lives it is not sent again, and is booked with room."""
    with (
        HoldingSink() as sink,
        SmallDisk(tmp_path / "disk") as disk,
        desk_at(tmp_path, disk.folder, dovecot, sink, account) as desk,
    ):
        desk.start()
        doubled = 0
        for runs, part in enumerate((b"auto-replied", b"Please try water."), 1):
            sink.holds = partial(holds, part)
            held = sink.held
            if runs == 1:
                desk.writes(ANA, "My printer is on fire.")
            else:
                desk.answers(desk.wait_to("kim@desk.example", 1)[0], KIM, "Please try water.")
            desk.wait(partial(lambda held: sink.held > held, held), "the mail in the server's hands")
            time.sleep(1)  # whatever else there is to write
            disk.fill()
            sink.let_go()
            assert "waiting=sending" in desk.wait_log("waiting=sending", 1, 70)
            time.sleep(6)  # it tries to book again every five seconds
            assert len(desk.to(ANA)) == runs
            assert "sending" in {mail["state"] for mail in desk.json("outbox")}
            disk.free()
            desk.at_rest(runs, 30)
            assert desk.json("outbox") == []
            doubled += len(desk.to(ANA)) - runs
        assert desk.stop() == 0
        desk.start()
        desk.at_rest(2)
        put_down(
            book,
            runs=2,
            lost=2 - len({mail.raw for mail in desk.to(ANA)}),
            doubled=doubled + len(desk.to(ANA)) - 2,
        )


@FULL
@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
@pytest.mark.parametrize("before", [False, True], ids=["new-store", "old-store"])
def test_a_start_on_a_full_disk(
    tmp_path: Path, dovecot: Dovecot, account: str, book, kind: Kind, before: bool
):
    """The daemon says so, waits without ending, can be stopped, and is at work as soon as there is room."""
    with (
        SmtpSink() as sink,
        SmallDisk(tmp_path / "disk", kind=kind) as disk,
        desk_at(tmp_path, disk.folder, dovecot, sink, account) as desk,
    ):
        if before:
            desk.start()
            desk.writes(ANA, "My printer is on fire.")
            desk.wait_to(ANA, 1)
            desk.at_rest(1)
            assert desk.stop() == 0
        disk.fill()
        desk.start(ready=False)
        assert "waiting=starting" in desk.wait_log("work pauses")
        assert "make room" in desk.log
        assert desk.stop(5) == 0
        desk.start(ready=False)
        desk.wait_log("work pauses", 2)
        desk.reload()
        time.sleep(6)
        assert desk.process is not None
        assert desk.process.poll() is None
        disk.free()
        desk.writes(BEN, "My scanner is wet.")
        desk.wait_to(BEN, 1, 30)
        desk.wait_log(" reloaded ")
        people = [ANA, BEN] if before else [BEN]
        desk.at_rest(len(people))
        assert "Traceback" not in desk.log
        put_down(book, runs=2, **tally(desk, people))


@FULL
def test_receive_and_backup_on_a_full_disk(tmp_path: Path, dovecot: Dovecot, account: str, book):
    """`receive` says 75, with and without a daemon; `backup` leaves the old copy whole and nothing half-written."""
    with (
        SmtpSink() as sink,
        SmallDisk(tmp_path / "disk") as disk,
        SmallDisk(tmp_path / "backups") as backups,
        desk_at(tmp_path, disk.folder, dovecot, sink, account) as desk,
    ):
        raw = desk.mail(BEN, "See the picture.", files={"fire.bin": os.urandom(900_000)})
        for running in (False, True):
            if running:
                desk.start()
            disk.fill()
            code, words = desk.run("receive", stdin=raw)
            assert code == 75, words
            assert "try again later" in words
            assert "restore a backup" not in words
            assert "Traceback" not in words
            disk.free()
        desk.command("receive", stdin=raw)
        desk.wait_to(BEN, 1)
        desk.at_rest(1)

        copy = backups.folder / "desk.db"
        desk.command("backup", str(copy))
        old = copy.read_bytes()
        backups.fill()
        code, words = desk.run("backup", str(copy))
        assert code == 1, words
        assert "make room" in words
        assert "Traceback" not in words
        assert copy.read_bytes() == old
        assert sorted(path.name for path in backups.folder.iterdir()) == ["desk.db", "filler"]
        backups.free()
        desk.command("backup", str(copy))
        put_down(book, runs=3, **tally(desk, [BEN]))


@FULL
def test_a_full_disk_when_the_wal_is_moved_into_the_store(tmp_path: Path, book):
    """A checkpoint that does not fit harms no commit; a commit that does not fit is undone whole; room mends both."""
    with SmallDisk(tmp_path / "disk", mib=12) as disk:
        store = Store.open(disk.folder / "desk.db", NOW)
        disk.fill(leave=6_000_000)
        stored, failed, at = [], 0, (0, 0)
        for number in range(1, 100):
            mail = taken(f"7/{number}", os.urandom(100_000))
            try:
                with store.transaction():
                    store.ledger.accept([mail], NOW)
                    store.ledger.move_cursor(Step("support", "INBOX", at, (7, number)))
            except Exception as error:
                trouble = store_trouble(error)
                assert trouble is not None
                assert trouble.passing
                failed += 1
                if failed == 3:
                    disk.free()
            else:
                stored.append(mail)
                at = (7, number)
                wal = disk.folder / "desk.db-wal"
                if not failed:
                    assert (disk.folder / "desk.db").stat().st_size < 4_100_000
                    assert wal.stat().st_size > 100_000
        assert failed >= 3
        assert len(stored) > 90
        assert store.integrity() == "ok"
        assert store.ledger.cursor("support", "INBOX") == at
        assert [copy.digest for copy in store.ledger.waiting(100)] == [mail.digest for mail in stored]
        assert all(store.ledger.original(mail.digest) == mail.raw for mail in stored)
        store.close()
        put_down(book, runs=failed)


@FULL
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_what_was_told_can_be_noted_on_a_full_disk(tmp_path: Path, book, kind: Kind):
    """Its room was taken before, so that a new start knows of it."""
    with SmallDisk(tmp_path / "disk", kind=kind) as disk:
        store = disk.folder / "desk.db"
        assert told.write(store, {})
        disk.fill()
        news = {
            "store": Told(Alarm("store", "The store cannot be written", "its disk is full", "make room"), NOW)
        }
        assert told.write(store, news)
        assert told.read(store) == news
        book(runs=1)


@READ_ONLY
def test_a_start_on_a_disk_that_can_only_be_read(tmp_path: Path, dovecot: Dovecot, account: str, book):
    """One sentence and exit code 1, no traceback; `receive` says 75; mounted for writing, all is well."""
    with (
        SmtpSink() as sink,
        SmallDisk(tmp_path / "disk", kind="ext4") as disk,
        desk_at(tmp_path, disk.folder, dovecot, sink, account) as desk,
    ):
        desk.start()
        desk.writes(ANA, "My printer is on fire.")
        desk.wait_to(ANA, 1)
        desk.at_rest(1)
        assert desk.stop() == 0
        disk.read_only()
        for command in (("run",), ("run", "--once")):
            code, words = desk.run(*command)
            assert code == 1, words
            last = words.strip().splitlines()[-1]
            assert "desk.db" in last
            assert "can only be read" in last
            assert "Traceback" not in words
        code, words = desk.run("receive", stdin=desk.mail(BEN, "My scanner is wet."))
        assert (code, "Traceback" in words) == (75, False), words
        disk.writable()
        desk.start()
        desk.writes(BEN, "My scanner is wet.")
        desk.wait_to(BEN, 1)
        desk.at_rest(2)
        put_down(book, runs=3, **tally(desk, [ANA, BEN]))


@FULL
@READ_ONLY
@pytest.mark.timeout(240)
def test_a_disk_that_turns_read_only_in_the_middle_of_work(
    tmp_path: Path, dovecot: Dovecot, account: str, book
):
    """ext4 finds an error in itself: nothing more is marked or sent; after a check of the disk a new start does the rest."""
    with (
        HoldingSink() as sink,
        SmallDisk(tmp_path / "disk", kind="ext4") as disk,
        desk_at(tmp_path, disk.folder, dovecot, sink, account) as desk,
    ):
        desk.start()
        desk.writes(ANA, "My printer is on fire.")
        notice = desk.wait_to("kim@desk.example", 1)[0]
        desk.at_rest(1)
        sink.holds = partial(holds, b"Please try water.")
        desk.answers(notice, KIM, "Please try water.")
        desk.wait(lambda: sink.held == 1, "the answer in the server's hands")
        time.sleep(1)
        disk.break_down()
        sink.let_go()
        desk.writes(BEN, "My scanner is wet.")
        assert "its disk is full or failing" in desk.wait_log("work pauses")
        time.sleep(8)
        assert desk.process is not None
        assert desk.process.poll() is None, "no crash"
        assert unseen(desk) == 1
        assert len(desk.to(ANA)) == 2
        assert desk.stop() == 0
        disk.unmount()
        disk.mount()
        desk.start()
        desk.wait_to(BEN, 1)
        desk.at_rest(3)
        desk.wait(lambda: unseen(desk) == 0, "all marks")
        # The answer may come once more after the end, with the same bytes; the acknowledgement may not.
        ack, *answers = desk.to(ANA)
        assert "auto-replied" in ack["Auto-Submitted"]
        assert len({mail.raw for mail in answers}) == 1
        assert all("auto-replied" not in mail["Auto-Submitted"] for mail in answers)
        put_down(book, runs=1, lost=int(not answers), doubled=len(desk.to(BEN)) - 1)


@FULL
@ATTACHMENT
def test_kill_9_on_a_full_disk(tmp_path: Path, dovecot: Dovecot, account: str, book):
    """Killed while a mail with an attachment does not fit, again and again: the next start with room takes it in whole, once."""
    with (
        SmtpSink() as sink,
        SmallDisk(tmp_path / "disk") as disk,
        desk_at(tmp_path, disk.folder, dovecot, sink, account) as desk,
    ):
        desk.start()
        desk.writes(ANA, "My printer is on fire.")
        desk.at_rest(1)
        picture = os.urandom(900_000)
        disk.fill(leave=300_000)
        desk.writes(BEN, "See the picture.", files={"fire.bin": picture})
        for runs in range(1, 4):
            desk.wait_log("work pauses", runs)
            desk.kill()
            assert desk.process is not None
            assert desk.process.returncode == -signal.SIGKILL
            desk.start(ready=False)
        disk.free()
        desk.wait_to(BEN, 1, 40)
        desk.at_rest(2)
        assert picture in desk.wait_to("kim@desk.example", 2)[1].files.values()
        left = {path.name for path in disk.folder.iterdir()}
        assert left <= {
            "desk.db",
            "desk.db-wal",
            "desk.db-shm",
            "desk.db.lock",
            "desk.db.heartbeat",
            "desk.db.told",
        }
        put_down(book, runs=3, **tally(desk, [ANA, BEN]))
