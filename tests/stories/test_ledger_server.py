"""The mailbox itself compared with the books: every mail there is explained, or named and taken in."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.dovecot import Dovecot
from tests.support.process import IMAP, DeskProcess
from tests.support.smtp_sink import SmtpSink

ANA, BEN, ZOE = "Ana <ana@customer.example>", "Ben <ben@customer.example>", "Zoe <zoe@customer.example>"
NAMED = {"ana": ANA, "ben": BEN, "zoe": ZOE}


def change(desk: DeskProcess, sql: str, *values: object) -> None:
    """Do to the stopped desk's store what no program of ours does."""
    with closing(sqlite3.connect(desk.folder / "desk.db")) as store, store:
        store.execute(sql, values)


def compared(desk: DeskProcess, *more: str) -> tuple[int, dict[str, Any]]:
    """Return exit code and figures of `ledger --server`."""
    code, words = desk.run("ledger", "--server", *more, "--json")
    return code, json.loads(words)


def passed_over(desk: DeskProcess) -> None:
    """Let the stopped desk's cursor pass a mail that was never taken in, as a fault of a desk or a server would."""
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    desk.at_rest(1)
    assert desk.stop() == 0
    desk.writes(BEN, "My scanner is wet.", subject="Scanner")
    change(desk, "UPDATE cursor SET last_uid = 2")


def test_a_mail_that_was_passed_over_is_named_and_then_taken_in_beside_the_daemon(desk: DeskProcess):
    """--no-heal only names it, with exit code 1; without it the mail is on its ticket in a moment, and all is explained."""
    passed_over(desk)
    desk.start()
    desk.writes(ZOE, "My phone is mute.")
    desk.wait_to("zoe@customer.example", 1)
    code, books = compared(desk, "--no-heal")
    (server,) = books["server"]
    (mail,) = server.pop("mails")
    assert (code, mail["name"], mail["from"], mail["subject"], mail["taken_in"]) == (
        1, "2", "ben@customer.example", "Scanner", False,
    )  # fmt: skip
    assert mail["at"]
    assert server == {
        "mailbox": "support", "folder": "INBOX", "on_server": 3, "in_books": 2, "to_come": 0, "older": 0, "unexplained": 1, "taken_in": 0,
    }  # fmt: skip
    assert desk.json("ledger")["received"] == 2

    words = desk.command("ledger", "--server")
    assert "- 2, " in words
    assert "ben@customer.example: Scanner (taken in now)" in words
    desk.wait_to("ben@customer.example", 1)
    assert desk.at_rest(3)["on_tickets"] == 3
    desk.wait(lambda: r"\Seen" in desk.dovecot.flags(desk.user)[2], "its mark on the server")
    code, books = compared(desk)
    assert (code, books["server"][0]["unexplained"], books["server"][0]["in_books"]) == (0, 0, 3)
    assert len(desk.to("ben@customer.example")) == 1


def test_without_a_daemon_the_command_decides_what_it_took_in(desk: DeskProcess):
    """Mail above the cursor is left to come; the one that was passed over is answered at once."""
    passed_over(desk)
    desk.writes(ZOE, "My phone is mute.")
    code, books = compared(desk)
    server = books["server"][0]
    assert (code, server["to_come"], server["unexplained"], server["taken_in"]) == (0, 1, 1, 1)
    desk.wait_to("ben@customer.example", 1)
    assert desk.json("ledger")["on_tickets"] == 2
    assert desk.to("zoe@customer.example") == []


def test_the_daemon_compares_by_itself_and_tells_the_admin_what_it_healed(desk: DeskProcess):
    """The mail is on its ticket, the admin gets the list once, and hears when the next comparison is clean."""
    passed_over(desk)
    desk.start("--audit-every", "2s")
    desk.wait_to("ben@customer.example", 1, 30)
    told = desk.wait_to("it@desk.example", 1)[0]
    assert "were not in the books" in told["Subject"]
    assert "ben@customer.example: Scanner (taken in now)" in " ".join(told.text.split())
    line = desk.wait_log("compared with the books")
    assert "on_server=2" in line
    over = desk.wait_to("it@desk.example", 2, 30)[1]
    assert "over" in over.text.lower()
    assert "unexplained=0" in desk.wait_log("compared with the books", 2)
    assert desk.at_rest(2)["on_tickets"] == 2


def test_mail_from_before_the_start_and_a_renumbered_cursor_are_no_trouble(
    make_desk: Callable[..., DeskProcess],
):
    """Older mail is left alone, also where no book has it; nothing is named and nothing taken in."""
    desk = make_desk()
    desk.dovecot.append(desk.user, desk.mail(ANA, "Long ago."), when=datetime.now(UTC) - timedelta(days=9))
    desk.start()
    desk.writes(BEN, "My scanner is wet.")
    desk.wait_to("ben@customer.example", 1)
    assert desk.stop() == 0
    change(desk, "DELETE FROM copy WHERE state = 'ignored'")
    code, books = compared(desk)
    assert (code, books["server"][0]["older"], books["server"][0]["unexplained"]) == (0, 1, 0)
    change(desk, "UPDATE cursor SET uidvalidity = 1")
    code, books = compared(desk)
    assert (code, books["server"][0]["to_come"], books["server"][0]["unexplained"]) == (0, 2, 0)


def test_a_mailbox_that_cannot_be_read_is_named(make_desk: Callable[..., DeskProcess]):
    """Nobody knows what lies there: exit code 1, with the reason and the remedy."""
    desk = make_desk()
    desk.start()
    desk.stop()
    desk.edit(f"port = {desk.dovecot.imap}", "port = 1")
    code, words = desk.run("ledger", "--server")
    assert code == 1
    assert "mailbox support INBOX cannot be read" in words


@pytest.fixture
def files(tmp_path: Path, sink: SmtpSink, account: str) -> Iterator[DeskProcess]:
    """A desk with a Dovecot of its own, whose mails are plain files."""
    with Dovecot(layout="maildir") as server:
        made = DeskProcess(tmp_path, server, sink, account, mailbox=IMAP + 'start_from = "all"', poll="1s")
        yield made
        made.stop()


@pytest.mark.dovecot
def test_a_mail_that_the_server_does_not_hand_out_is_named_until_it_does(files: DeskProcess):
    """It makes the server end the connection; it is named with the reason, those around it are taken in."""
    desk = files
    passed_over(desk)
    desk.writes(ZOE, "My phone is mute.")
    change(desk, "UPDATE cursor SET last_uid = 3")
    folder = desk.dovecot.root / "mail" / desk.user
    (bad,) = [path for path in folder.glob("*/*") if path.is_file() and b"scanner" in path.read_bytes()]
    bad.chmod(0)
    code, books = compared(desk)
    server = books["server"][0]
    named = {mail["name"]: (mail["taken_in"], mail["reason"][:40]) for mail in server["mails"]}
    assert code == 1
    assert named == {"2": (False, "the server ended the connection while fe"), "3": (True, "")}
    desk.wait_to("zoe@customer.example", 1)
    (bad,) = folder.glob(f"*/{bad.name.partition(':')[0]}*")
    bad.chmod(0o644)
    code, books = compared(desk)
    assert (code, books["server"][0]["taken_in"]) == (0, 1)
    desk.wait_to("ben@customer.example", 1)


@pytest.mark.dovecot
def test_mails_that_the_server_never_hands_out_are_told_in_one_mail_until_it_does(files: DeskProcess):
    """The daily comparison finds two, tells them once and not again; when they can be had they are taken in and it is over."""
    desk = files
    passed_over(desk)
    desk.writes(ZOE, "My phone is mute.", subject="Scanner")
    change(desk, "UPDATE cursor SET last_uid = 3")
    folder = desk.dovecot.root / "mail" / desk.user
    bad = [path for path in folder.glob("*/*") if path.is_file() and b"Subject: Scanner" in path.read_bytes()]
    assert len(bad) == 2
    for path in bad:
        path.chmod(0)

    def told() -> list[str]:
        return [mail["Subject"].partition("] ")[2] for mail in desk.to("it@desk.example")]

    trouble = "Trouble: The server does not hand out mail 2, 3 in INBOX of support"
    desk.start("--audit-every", "2s")
    desk.wait_to("it@desk.example", 1, 60)
    desk.wait_log("compared with the books", 3, 60)
    assert told() == [trouble]
    assert "hand out mail 2, 3" in desk.run("status")[1]
    for path in folder.glob("*/*"):
        path.chmod(0o644)
    desk.wait_to("ben@customer.example", 1, 60)
    desk.wait_to("zoe@customer.example", 1, 60)
    desk.wait(lambda: len(told()) == 4, "all ends to be told", 60)
    books = [f"{word}: 2 mails in INBOX of support were not in the books" for word in ("Trouble", "Solved")]
    assert sorted(told()) == sorted([trouble, trouble.replace("Trouble", "Solved"), *books])
    assert desk.at_rest(3)["on_tickets"] == 3


def test_a_maildir_is_compared_by_the_time_of_the_last_round(
    make_desk: Callable[..., DeskProcess], tmp_path: Path
):
    """A file of before the last round that no book has is named and taken in; one of after it is still to come."""
    for part in ("new", "cur", "tmp"):
        (tmp_path / "box" / part).mkdir(parents=True)
    desk = make_desk(mailbox=f'maildir = "{tmp_path}/box"\npoll = "1s"\nstart_from = "all"')
    desk.start()
    desk.wait(lambda: desk.run("status")[1].count("last poll    never") == 0, "the first round")
    assert desk.stop() == 0
    for name, age in (("ben", 3600), ("zoe", -60)):
        path = tmp_path / "box" / "new" / f"{name}.1.host"
        path.write_bytes(desk.mail(NAMED[name], f"This is {name}."))
        moment = datetime.now(UTC).timestamp() - age
        os.utime(path, (moment, moment))
    (tmp_path / "box" / "new" / "link.1.host").symlink_to("/etc/hostname")
    os.utime(tmp_path / "box" / "new" / "link.1.host", (1, 1), follow_symlinks=False)
    code, books = compared(desk)
    server = books["server"][0]
    assert (code, server["on_server"], server["to_come"], server["taken_in"]) == (1, 3, 1, 1)
    named = {mail["name"]: (mail["taken_in"], mail["from"]) for mail in server["mails"]}
    assert named == {"ben.1.host": (True, "ben@customer.example"), "link.1.host": (False, "")}
    desk.wait_to("ben@customer.example", 1)


def test_rows_of_the_books_are_looked_at_too(desk: DeskProcess):
    """A mail that waits for long, and one whose original is gone, are named; the admin hears of them from the daemon."""
    passed_over(desk)
    change(desk, "DELETE FROM original WHERE id = (SELECT min(id) FROM original)")
    change(
        desk,
        "INSERT INTO copy (mailbox, folder, name, digest, size, arrived_at, taken_at) SELECT mailbox, folder, '1/77', digest, size, 1, 1"
        " FROM copy",
    )
    code, books = compared(desk, "--no-heal")
    assert code == 1
    assert [mail["id"] for mail in books["stuck"]] == [2]
    assert [mail["id"] for mail in books["lost"]] == [1, 2]
    words = desk.run("ledger", "--server", "--no-heal")[1]
    assert "mail 2 waits to be decided since 1970" in words
    assert "mail 1 of ana@customer.example: its original is gone" in words
    desk.start("--audit-every", "2s")
    desk.wait(
        lambda: any("not as they should be" in mail["Subject"] for mail in desk.to("it@desk.example")),
        "the admin to be told",
        30,
    )
