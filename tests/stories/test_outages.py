"""Servers go away and disks fill up: nothing is lost, and the desk goes on by itself."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.dovecot import Dovecot
from tests.support.process import DeskProcess
from tests.support.smtp_sink import SmtpSink

ANA, BEN = "Ana Client <ana@customer.example>", "Ben <ben@customer.example>"
KIM = "Kim Archer <kim@desk.example>"


@pytest.mark.fault("SMTP up to DATA", "DNS, refused, 4yz, timeout")
def test_smtp_down_for_a_while(make_desk: Callable[..., DeskProcess]):
    """Mail is taken in and decided while the mail server is away, over a restart too; all of it is sent afterwards, once."""
    with SmtpSink() as server:
        desk = make_desk(server=server, smtp='retry = ["1s"]').start()
        desk.writes(ANA, "My printer is on fire.")
        notice = desk.wait_to("kim@desk.example", 1)[0]
        desk.at_rest(1)
        server.down()
        desk.answers(notice, KIM, "Please try water.")
        desk.writes(BEN, "My scanner is wet.")
        desk.wait(lambda: desk.json("ledger")["on_tickets"] == 3, "the mails to be decided")
        desk.wait(lambda: "deferred" in {m["state"] for m in desk.json("outbox")}, "a first try")
        waiting = desk.json("outbox")
        assert all(mail["last_error"] for mail in waiting if mail["state"] == "deferred")
        assert "127.0.0.1" in next(m["last_error"] for m in waiting if m["state"] == "deferred")
        assert desk.stop() == 0
        desk.start()
        server.up()
        assert desk.wait_to("ana@customer.example", 2)[1].text.strip() == "Please try water."
        desk.wait_to("ben@customer.example", 1)
        desk.wait_to("kim@desk.example", 2)
        desk.at_rest(3)
        for address, count in (("ana", 2), ("ben", 1)):
            assert len(desk.to(f"{address}@customer.example")) == count
        assert desk.json("outbox") == []
        desk.stop()


@pytest.mark.fault("SMTP up to DATA", "DNS, refused, 4yz, timeout")
def test_a_server_that_says_later(make_desk: Callable[..., DeskProcess]):
    """A mail that the server puts off is tried again; the others go on meanwhile."""
    with SmtpSink() as server:
        desk = make_desk(server=server, smtp='retry = ["1s"]').start()
        server.answers.recipients["ana@customer.example"] = "450 4.2.1 mailbox busy"
        desk.writes(ANA, "My printer is on fire.")
        desk.wait_to("kim@desk.example", 1)
        desk.wait_log(" deferred ")
        server.answers.recipients.clear()
        desk.wait_to("ana@customer.example", 1)
        desk.stop()


@pytest.mark.fault("SMTP up to DATA", "5yz for one recipient")
def test_a_refused_recipient(make_desk: Callable[..., DeskProcess]):
    """An answer that the server refuses comes back to its agent with the text and the reason; the ticket shows it."""
    with SmtpSink() as server:
        desk = make_desk(server=server).start()
        desk.writes(ANA, "My printer is on fire.")
        desk.wait_to("ana@customer.example", 1)
        notice = desk.wait_to("kim@desk.example", 1)[0]
        server.answers.recipients["ana@customer.example"] = "550 5.1.1 no such user here"
        desk.answers(notice, KIM, "Please try water.")
        returned = desk.wait_to("kim@desk.example", 2)[1]
        for words in ("Please try water.", "no such user here", "ana@customer.example"):
            assert words in returned.text
        desk.at_rest(2)
        assert "failed" in desk.kinds("SUP-1001")
        assert desk.status("SUP-1001") == "open"
        desk.stop()


@pytest.mark.fault("Connect, login", "NO [LIMIT], throttle, BYE, drop, silence")
def test_imap_goes_away_and_comes_back(tmp_path: Path, sink: SmtpSink, account: str):
    """While the mailbox cannot be read, the desk runs on; afterwards it reads what has come."""
    with Dovecot() as server:
        desk = DeskProcess(tmp_path, server, sink, account).start()
        try:
            desk.writes(ANA, "My printer is on fire.")
            desk.wait_to("ana@customer.example", 1)
            server.stop()
            desk.wait_log("mailbox support cannot be read")
            server.start()
            desk.writes(BEN, "My scanner is wet.")
            desk.wait_to("ben@customer.example", 1, 20)
            assert desk.at_rest(2)["on_tickets"] == 2
        finally:
            desk.stop()


@pytest.mark.fault("Store raw", "disk full, I/O error, quota")
def test_a_full_disk_pauses_intake_and_loses_nothing(desk: DeskProcess, book):
    """What cannot be stored is not marked on the server and is taken in when there is room again."""
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    desk.wait(lambda: all(r"\Seen" in flags for flags in desk.dovecot.flags(desk.user).values()), "the mark")
    store = max(path.stat().st_size for path in desk.folder.glob("desk.db*"))
    assert desk.process is not None
    resource.prlimit(desk.process.pid, resource.RLIMIT_FSIZE, (store + 50_000, resource.RLIM_INFINITY))
    desk.writes(BEN, "See the picture.", files={"fire.bin": os.urandom(1_000_000)})
    line = desk.wait_log("the store cannot be written")
    assert "disk" in line
    assert "make room" in line
    assert desk.dovecot.flags(desk.user)[2] == set()
    assert desk.process.poll() is None

    desk.writes("eve@customer.example", "My lamp is dark.")
    resource.prlimit(
        desk.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    desk.wait_to("ben@customer.example", 1, 30)
    desk.wait_to("eve@customer.example", 1)
    assert desk.at_rest(3)["on_tickets"] == 3
    assert len(desk.to("ana@customer.example")) == 1
    book(runs=1, doubled=len(desk.to("ana@customer.example")) - 1)


@pytest.mark.fault("Connect, login", "DNS fails, refused, TLS error, wrong password")
@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('host = "127.0.0.1"\nport = {imap_port}\nsecurity = "none"\nusername = "{user}"\npassword = "wrong"', ("password",)),
        ('host = "localhost"\nport = {imaps_port}\nusername = "{user}"\npassword = "secret"', ("certificate", "ca_file")),
        ('host = "127.0.0.1"\nport = {imap_port}\nsecurity = "none"\nusername = "{user}"\npassword = "secret"\nfolder = "Nowhere"',
         ("Nowhere", "folder")),
        ('host = "127.0.0.1"\nport = 1\nsecurity = "none"\nusername = "{user}"\npassword = "secret"', ("127.0.0.1", "refused")),
        ('host = "nosuch.invalid"\nusername = "{user}"\npassword = "secret"', ("nosuch.invalid", "check")),
    ],
    ids=["wrong-password", "unknown-ca", "no-such-folder", "nobody-listens", "unknown-name"],
)  # fmt: skip
def test_a_mailbox_that_cannot_be_read_gives_one_sentence(
    make_desk: Callable[..., DeskProcess], dovecot: Dovecot, lines: str, words: tuple[str, ...]
):
    """One line says what is wrong and what to do; `run --once` ends with 1; no password is in it."""
    desk = make_desk(mailbox=lines.replace("{imaps_port}", str(dovecot.imaps)))
    code, printed = desk.run("run", "--once")
    assert code == 1
    said = [line for line in printed.splitlines() if "cannot be read" in line]
    assert len(said) == 1, printed
    for word in words:
        assert word in said[0]
    assert "remedy=" in said[0]
    assert "Traceback" not in printed
    assert '"wrong"' not in printed
    assert "secret" not in said[0]


@pytest.mark.fault("Connect, login", "DNS fails, refused, TLS error, wrong password")
def test_a_wrong_password_is_tried_once_and_told_to_the_admins(make_desk: Callable[..., DeskProcess]):
    """The daemon stays up, sends what waits, mails its admins, and does not lock the account by trying."""
    lines = (
        'host = "127.0.0.1"\nport = {imap_port}\nsecurity = "none"\nusername = "{user}"\npassword = "wrong"'
    )
    desk = make_desk(mailbox=lines).start(ready=False)
    trouble = desk.wait_to("it@desk.example", 1, 40)[0]  # the desk looks at itself every ten seconds
    assert "password" in trouble.text
    desk.wait_log("cannot be read")
    again = desk.wait_log("again_in_seconds=900")
    assert desk.log.count("cannot be read") <= 2, again
    code, words = desk.run("status")
    assert code == 1
    assert "password" in words
    assert desk.stop() == 0
