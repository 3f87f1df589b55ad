"""The process itself: reload, stop, a second one, one round, the pipe, a Maildir, a backup."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stories.holding_sink import HoldingSink
from tests.support.process import IMAP, DeskProcess

ANA, BEN = "Ana Client <ana@customer.example>", "Ben <ben@customer.example>"
ALL = IMAP + 'start_from = "all"'


@pytest.mark.fault("Reload", "bad TOML, bad value, missing template")
def test_a_reload_with_a_broken_file_keeps_the_good_one(desk: DeskProcess, book):
    """One log line names file, line and key; mail is handled as before; the mended file then takes effect."""
    desk.start()
    desk.edit('poll = "2s"', 'poll = "soon"')
    desk.reload()
    line = desk.wait_log("reload failed")
    number = desk.config.read_text().split("\n").index('poll = "soon"') + 1
    assert f"config.toml:{number}: mailbox.support.poll" in line
    assert "soon" in line
    desk.writes(ANA, "My printer is on fire.")
    assert desk.wait_to("ana@customer.example", 1)[0]["Subject"].startswith("[SUP-1001]")

    desk.edit("[desk]", "[desk")
    desk.reload()
    assert "config.toml:1" in desk.wait_log("reload failed", 2)

    desk.edit("[desk", "[desk]")
    desk.edit('poll = "soon"', 'poll = "3s"')
    desk.edit('tag = "SUP"', 'tag = "HLP"')
    desk.edit('name = "Acme Support"', 'name = "Acme Help"')
    desk.edit('agents = ["kim", "lee"]', 'agents = ["lee"]')
    desk.reload()
    desk.wait_log(" reloaded ")
    desk.writes(BEN, "My scanner is wet.")
    ack = desk.wait_to("ben@customer.example", 1)[0]
    assert ack["Subject"].startswith("[HLP-1002]")
    assert ack["From"].startswith("Acme Help ")
    desk.wait_to("lee@desk.example", 2)
    desk.at_rest(2)
    assert len(desk.to("kim@desk.example")) == 1
    assert desk.stop() == 0
    book(runs=2)


@pytest.mark.fault("Stop", "SIGTERM during SMTP")
def test_sigterm_in_the_middle_of_work(make_desk: Callable[..., DeskProcess], book):
    """It finishes the mail in hand and ends with 0 within 20 s; the next start does the rest, and nothing twice."""
    with HoldingSink() as server:
        desk = make_desk(server=server, more="[limits]\nack_per_domain_hour = 0", mailbox=ALL)
        people = [f"c{number}@customer.example" for number in range(40)]
        for person in people:
            desk.writes(person, "My printer is on fire.")
        server.holds = lambda raw: b"auto-replied" in raw
        desk.start(ready=False)
        desk.wait(lambda: server.held > 0, "an acknowledgement in the server's hands")
        assert desk.process is not None
        desk.process.terminate()
        desk.wait_log(" stopping")
        assert desk.process.poll() is None, "it waits for the mail in hand"
        server.let_go()
        assert desk.process.wait(20) == 0
        desk.start()
        books = desk.at_rest(len(people), 30)
        assert books["on_tickets"] == len(people)
        assert [len(desk.to(person)) for person in people] == [1] * len(people)
        assert desk.json("outbox") == []
        desk.stop()
    book(runs=1)


@pytest.mark.fault("Start", "second daemon on the same store")
def test_a_second_daemon_on_the_store_ends_at_once(desk: DeskProcess, book):
    """It ends with 1 within 2 s and names store and pid; the first one is not disturbed."""
    desk.start()
    assert desk.process is not None
    started = time.monotonic()
    desk.run("check")  # how long a command takes on a busy machine
    between = time.monotonic()
    code, words = desk.run("run")
    assert (time.monotonic() - between) - (between - started) < 2
    assert code == 1
    assert str(desk.folder / "desk.db") in words
    assert str(desk.process.pid) in words
    assert "Traceback" not in words
    assert desk.run("run", "--once")[0] == 1
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    desk.kill()
    desk.start()  # no lock is left behind
    book(runs=1)


def test_one_round(make_desk: Callable[..., DeskProcess]):
    """`run --once` takes in, does what is due, sends, and ends; a second round has nothing to do."""
    desk = make_desk(mailbox=ALL, queue='reminders = ["1s"]\nclose_after = "1h"')
    desk.writes(ANA, "My printer is on fire.")
    desk.command("run", "--once")
    assert len(desk.to("ana@customer.example")) == 1
    notice = desk.to("kim@desk.example")[0]
    assert all(r"\Seen" in flags for flags in desk.dovecot.flags(desk.user).values())
    desk.answers(notice, "kim@desk.example", "Which one?")
    desk.command("run", "--once")
    assert len(desk.to("ana@customer.example")) == 2
    answered = time.monotonic()
    desk.wait(lambda: time.monotonic() > answered + 1, "the reminder to be due")
    desk.command("run", "--once")
    desk.command("run", "--once")
    assert (
        "a short reminder" in desk.to("ana@customer.example")[2].text
        or len(desk.to("ana@customer.example")) == 3
    )
    assert desk.at_rest(2)["on_tickets"] == 2


def test_a_desk_that_cron_runs_is_well(make_desk: Callable[..., DeskProcess]):
    """`status` and `doctor` know of the rounds; one that fails says so itself, and a daemon's end is no late round."""
    desk = make_desk(mailbox=ALL)
    assert desk.run("status")[0] == 1, "nothing ever ran"
    desk.command("run", "--once")
    code, words = desk.run("status")
    assert (code, "the last round of `run --once` was at " in words, "all is well" in words) == (
        0,
        True,
        True,
    )
    state = desk.json("status")
    assert state["last_round_at"] >= state["last_poll_at"] > ""
    assert "none; the last round of run --once was at" in desk.run("doctor")[1]
    desk.start()
    desk.wait(lambda: desk.json("status")["last_round_at"] is None, "the daemon to take over", 30)
    desk.stop()
    code, words = desk.run("status")
    assert (code, "the daemon does not run" in words) == (1, True)


def test_receive_with_and_without_a_daemon(desk: DeskProcess):
    """The pipe's exit code is 0 when the mail is safe: decided by the daemon, or by the command itself."""
    desk.command("receive", stdin=desk.mail(ANA, "My printer is on fire."))
    assert len(desk.to("ana@customer.example")) == 1
    assert len(desk.to("kim@desk.example")) == 1
    desk.start()
    desk.command("receive", stdin=desk.mail(BEN, "My scanner is wet."))
    desk.wait_to("ben@customer.example", 1)
    books = desk.at_rest(2)
    assert books["on_tickets"] == 2
    assert desk.references() == ["SUP-1001", "SUP-1002"]


@pytest.mark.fault("Store raw", "disk full, I/O error, quota")
def test_receive_says_try_later_where_nothing_can_be_stored(desk: DeskProcess, book):
    """75 makes the mail server keep the mail: on a full disk, with or without a daemon, and without the store's folder."""
    raw = desk.mail(ANA, "See the picture.", files={"fire.bin": os.urandom(1_000_000)})
    full = ("prlimit", "--fsize=300000")
    for start in (False, True):
        if start:
            desk.start()
        code, words = desk.run("receive", stdin=raw, before=full)
        assert code == 75, words
        assert "try again later" in words
        assert "Traceback" not in words
    desk.command("receive", stdin=raw)
    desk.wait_to("ana@customer.example", 1)
    assert desk.at_rest(1)["on_tickets"] == 1
    assert desk.stop() == 0
    desk.edit('store = "desk.db"', 'store = "gone/desk.db"')
    assert desk.run("receive", stdin=raw)[0] == 75
    book(runs=3)


def test_a_maildir_as_the_mailbox(make_desk: Callable[..., DeskProcess], tmp_path: Path):
    """Mail in new/ becomes tickets and moves to cur/ with the flag S."""
    maildir = tmp_path / "Maildir"
    for part in ("tmp", "new", "cur"):
        (maildir / part).mkdir(parents=True)
    desk = make_desk(mailbox=f'maildir = "{maildir}"').start()
    (maildir / "tmp" / "one").write_bytes(desk.mail(ANA, "My printer is on fire."))
    (maildir / "tmp" / "one").rename(maildir / "new" / f"{int(time.time())}.M1P1.mx")
    desk.wait_to("ana@customer.example", 1)
    desk.wait(
        lambda: [path.name[-4:] for path in (maildir / "cur").iterdir()] == [":2,S"], "the mail in cur/"
    )
    assert list((maildir / "new").iterdir()) == []
    assert desk.at_rest(1)["on_tickets"] == 1


def test_a_maildir_keeps_a_mail_that_is_too_large(make_desk: Callable[..., DeskProcess], tmp_path: Path):
    """Its beginning makes a ticket; the file moves to cur/ as others do, with all its bytes."""
    maildir = tmp_path / "Maildir"
    for part in ("tmp", "new", "cur"):
        (maildir / part).mkdir(parents=True)
    desk = make_desk(mailbox=f'maildir = "{maildir}"', more='[limits]\nmail_size = "100KB"').start()
    raw = desk.mail(ANA, "See the picture.", files={"fire.bin": os.urandom(300_000)})
    (maildir / "tmp" / "one").write_bytes(raw)
    (maildir / "tmp" / "one").rename(maildir / "new" / f"{int(time.time())}.M1P1.mx")
    assert "larger" in desk.wait_to("ana@customer.example", 1)[0]["Subject"]
    desk.wait(lambda: list((maildir / "cur").iterdir()), "the mail in cur/")
    assert [path.read_bytes() for path in (maildir / "cur").iterdir()] == [raw]


def test_a_backup_while_running(make_desk: Callable[..., DeskProcess], tmp_path: Path):
    """A copy made while mail comes in is whole, and the commands can read it."""
    desk = make_desk(more="[limits]\nack_per_domain_hour = 0").start()
    for number in range(30):
        desk.writes(f"c{number}@customer.example", "My printer is on fire.")
    desk.wait(lambda: desk.json("ledger")["on_tickets"] > 0, "the work to begin")
    copy = tmp_path / "backup.db"
    desk.command("backup", str(copy))
    assert copy.stat().st_mode & 0o777 == 0o600
    desk.at_rest(30, 30)
    desk.edit('store = "desk.db"', 'store = "backup.db"')
    books = desk.json("ledger")
    assert 0 < books["received"] <= 30
    assert books["unexplained"] == 0
    assert len(desk.references()) == books["on_tickets"]
    desk.edit('store = "backup.db"', 'store = "desk.db"')


def test_status_and_log_tell_no_secrets(desk: DeskProcess):
    """`status` says that all is well; the log has a line for each mail event, and no body, password or key."""
    desk.start()
    desk.writes(ANA, "The door code is 4711.")
    desk.wait_to("ana@customer.example", 1)
    notice = desk.wait_to("kim@desk.example", 1)[0]
    desk.answers(notice, "kim@desk.example", "Thank you, 4711 it is.")
    desk.wait_to("ana@customer.example", 2)
    desk.at_rest(2)
    assert "all is well" in desk.command("status")
    for words in ("taken", "on_ticket", "sent"):
        assert f" {words} " in desk.log
    assert "4711" not in desk.log
    assert "secret" not in desk.log
    assert re.search(r"[at]1-1001-[a-z0-9]{8}", desk.log) is None
    assert (desk.folder / "desk.db").stat().st_mode & 0o777 == 0o600


def test_backup_never_replaces_the_store_itself(desk: DeskProcess):
    """The store's own name, or that of a file beside it, is refused; the running desk is untouched."""
    desk.start()
    for name in ("desk.db", "desk.db-wal", "desk.db.lock"):
        code, words = desk.run("backup", str(desk.folder / name))
        assert (code, "belongs to the store" in words) == (1, True)
    code, words = desk.run("backup", str(desk.folder / "nowhere" / "b.db"))
    assert (code, "cannot be written" in words) == (1, True)
    desk.writes("ana@customer.example", "It burns.")
    desk.wait_to("ana@customer.example", 1)
