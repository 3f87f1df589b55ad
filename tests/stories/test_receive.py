"""`mailtickets receive`: once it has said 0 nobody else has the mail, and a server that did not hear it pipes again."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from mailtickets import once
from mailtickets.cli import aside, cli
from mailtickets.config import load
from tests.support.process import DeskProcess

ANA, BEN = "Ana Client <ana@customer.example>", "Ben <ben@customer.example>"
SMALL = '[limits]\nmail_size = "100KB"'
# What Postfix writes before a mail that it pipes: other at the next try.
AGAIN = b"From ana@customer.example  Mon Mar  2 09:05:00 2026\nReceived: by mx.desk.example; Mon, 2 Mar 2026 09:05:00 +0000\n"
POINTS = (
    "fetched",
    "raw-stored",
    "parsed",
    "written",
    "committed",
    "sending",
    "dot-sent",
    "250-read",
    "sent",
)


@pytest.mark.fault("Fetch", "over the size limit")
@pytest.mark.parametrize("daemon", [False, True], ids=["alone", "beside a daemon"])
def test_a_mail_that_is_too_large_is_kept_whole(make_desk: Callable[..., DeskProcess], book, *, daemon: bool):
    """Its beginning is on a ticket and the customer is told, as of a mailbox's mail; all its bytes are in the store."""
    desk = make_desk(more=SMALL)
    if daemon:
        desk.start()
    raw = desk.mail(ANA, "See the picture.", files={"note.bin": b"hot", "fire.bin": os.urandom(3_000_000)})
    desk.command("receive", stdin=raw)
    assert "larger" in desk.wait_to("ana@customer.example", 1)[0]["Subject"]
    notice = desk.wait_to("kim@desk.example", 1)[0]
    assert "only its beginning was read" in notice.text
    assert notice.files == {"note.bin": b"hot"}, "what is whole in the beginning goes along"
    assert "See the picture." in desk.json("show", "SUP-1001")["entries"][0]["text"]
    assert _stored(desk, 1) == raw

    desk.command("receive", stdin=raw)
    desk.command("receive", stdin=AGAIN + raw)
    books = desk.at_rest(3)
    assert (books["on_tickets"], books["duplicates"]) == (1, 2)
    assert "3 mails read again, 0 would land elsewhere today" in desk.command("replay")
    copy = desk.folder / "backup.db"
    desk.command("backup", str(copy))
    desk.edit('store = "desk.db"', 'store = "backup.db"')
    assert _stored(desk, 1) == raw
    desk.edit('store = "backup.db"', 'store = "desk.db"')
    assert len(desk.to("ana@customer.example")) == 1
    book(runs=3)


def _stored(desk: DeskProcess, number: int) -> bytes:
    done = CliRunner().invoke(cli, ["--config", str(desk.config), "quarantine", "show", str(number), "--raw"])
    assert done.exit_code == 0
    return done.stdout_bytes


def test_its_bytes_go_to_no_terminal(desk: DeskProcess, monkeypatch: pytest.MonkeyPatch):
    """A stranger wrote them; `--raw` is for files, and on a terminal says so."""
    monkeypatch.setattr(aside, "is_terminal", lambda: True)
    desk.command("receive", stdin=desk.mail(ANA, "\x1b[31mred"))
    done = CliRunner().invoke(cli, ["--config", str(desk.config), "quarantine", "show", "1", "--raw"])
    assert (done.exit_code, done.stdout, "> mail.eml" in done.stderr) == (1, "", True)


def test_two_large_mails_that_begin_alike_are_two(make_desk: Callable[..., DeskProcess]):
    """The same Message-ID and the same 64 KB, but more behind them: no mail is dropped for what was not read."""
    desk = make_desk(more=SMALL)
    raw = desk.mail(ANA, "word\n" * 40_000)
    desk.command("receive", stdin=raw)
    desk.command("receive", stdin=raw + b"and one more\r\n")
    books = desk.at_rest(2)
    assert (books["on_tickets"], books["duplicates"]) == (2, 0)


def test_what_no_try_could_take_goes_back_to_its_sender(desk: DeskProcess, monkeypatch: pytest.MonkeyPatch):
    """Above the bound 65, with a status for the sender, and nothing is stored; up to it the mail is taken."""
    desk.edit("[limits]", SMALL)
    raw = desk.mail(ANA, "word\n" * 60_000)
    monkeypatch.setattr(once, "LARGEST_BYTES", len(raw) - 1)
    words = ["--config", str(desk.config), "receive"]
    done = CliRunner().invoke(cli, words, input=raw)
    assert (done.exit_code, done.stdout) == (65, "")
    assert re.match(r"5\.3\.4 the mail has 0\.4 MB; the desk takes up to 0\.\d+ MB$", done.stderr.strip())
    assert not (desk.folder / "desk.db").exists()
    monkeypatch.setattr(once, "LARGEST_BYTES", len(raw))
    assert CliRunner().invoke(cli, words, input=raw).exit_code == 0
    assert _stored(desk, 1) == raw


def test_a_limit_above_the_bound_moves_it(desk: DeskProcess):
    """What the configuration wants read is taken; without a limit, what SQLite can hold."""
    bounds = []
    for limit in ('"25MB"', '"300MB"', '"1GB"', "0"):
        desk.edit("[limits]", f"[limits]\nmail_size = {limit}")
        bounds.append(once.largest_received(load(desk.config)))
        desk.edit(f"[limits]\nmail_size = {limit}", "[limits]")
    assert bounds == [100_000_000, 300_000_000, once.STORED_BYTES, once.STORED_BYTES]


@pytest.mark.fault("Fetch", "same mail copied back or in two folders")
@pytest.mark.parametrize("field", [b"Message-ID", b"X-Nothing"], ids=["no Message-ID", "with one"])
def test_a_mail_that_is_piped_twice_is_one(desk: DeskProcess, book, field: bytes):
    """With other trace fields, and whether or not it has a Message-ID: one ticket, one acknowledgement."""
    raw = re.sub(rb"(?m)^" + field + rb": .*\r\n", b"", desk.mail(ANA, "My printer is on fire."))
    desk.command("receive", stdin=b"Received: by mx.desk.example; Mon, 2 Mar 2026 09:00:00 +0000\r\n" + raw)
    desk.command("receive", stdin=AGAIN + raw)
    books = desk.at_rest(2)
    assert (books["on_tickets"], books["duplicates"]) == (1, 1)
    assert len(desk.to("ana@customer.example")) == 1
    book(runs=1, doubled=len(desk.references()) - 1)


@pytest.mark.fault("Store raw", "kill -9, power cut")
@pytest.mark.parametrize(
    ("point", "daemon"), [*((point, False) for point in POINTS), ("fetched", True), ("raw-stored", True)]
)
def test_killed_before_it_said_0_it_is_piped_again(desk: DeskProcess, book, point: str, *, daemon: bool):
    """The server tries again with other trace fields: one ticket, one acknowledgement, or none and it is listed."""
    if daemon:
        desk.start()
    raw = re.sub(rb"(?m)^Message-ID: .*\r\n", b"", desk.mail(ANA, "My printer is on fire."))
    log = desk.folder / "crash"
    code, words = desk.run(
        "receive", stdin=raw, env={"MAILTICKETS_CRASH_AT": point, "MAILTICKETS_CRASH_LOG": str(log)}
    )
    assert (code, log.exists() and log.read_text()) == (-9, f"{point}\n"), words
    desk.command("receive", stdin=AGAIN + raw)
    desk.command("receive", stdin=desk.mail(BEN, "My scanner is wet."))
    books = desk.at_rest(2 if point == "fetched" else 3)
    assert (books["on_tickets"], books["duplicates"], books["unexplained"]) == (2, books["received"] - 2, 0)
    tickets = desk.json("list", "--all")
    assert sorted(ticket["requester"] for ticket in tickets) == [
        "ana@customer.example",
        "ben@customer.example",
    ]
    arrived = len(desk.to("ana@customer.example"))
    listed = [
        mail["to"] for mail in desk.json("outbox")
        if (mail["state"], mail["kind"]) == ("uncertain", "acknowledgement")
    ]  # fmt: skip
    assert (arrived, listed) in ((1, []), (1, [["ana@customer.example"]]), (0, [["ana@customer.example"]]))
    if point in {"fetched", "raw-stored", "parsed", "written", "committed", "sent"}:
        assert (arrived, listed) == (1, [])
    book(runs=1, lost=2 - len(tickets), doubled=max(arrived - 1, 0))
