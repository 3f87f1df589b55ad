"""The Maildir door over real folders."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailtickets.errors import CommandRefused, MailboxUnavailable
from mailtickets.transport import maildir as maildir_module
from mailtickets.transport.maildir import MaildirMailbox

MAIL = b"Subject: x\r\n\r\nIt does not print.\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty Maildir."""
    for part in ("tmp", "new", "cur"):
        (tmp_path / "Maildir" / part).mkdir(parents=True)
    return tmp_path / "Maildir"


@pytest.fixture
def mailbox(folder: Path) -> MaildirMailbox:
    box = MaildirMailbox("support", folder)
    box.connect()
    return box


def deliver(folder: Path, name: str, raw: bytes = MAIL, part: str = "new") -> None:
    """Deliver as Maildir says: write to tmp, then rename."""
    (folder / "tmp" / name).write_bytes(raw)
    (folder / "tmp" / name).rename(folder / part / name)


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for part in ("new", "cur") for file in (folder / part).iterdir()}


def test_scan_reads_new_and_cur_by_unique_name(folder: Path, mailbox: MaildirMailbox):
    """Flags do not belong to a mail's name; unfinished mail in tmp/ is no mail; oldest first."""
    deliver(folder, "1700000002.b.host")
    deliver(folder, "1700000001.a.host:2,RS", part="cur")
    (folder / "tmp" / "1700000003.c.host").write_bytes(MAIL)
    os.utime(folder / "new" / "1700000002.b.host", (1_700_000_002, 1_700_000_002))

    mails = mailbox.scan()

    assert [mail.name for mail in mails] == ["1700000001.a.host", "1700000002.b.host"]
    assert mails[1].raw == MAIL
    assert mails[1].internal_date == datetime.fromtimestamp(1_700_000_002, UTC)


def test_known_mail_is_not_read_again(folder: Path, mailbox: MaildirMailbox):
    """Scanning goes on where the caller's ledger ends, batch by batch."""
    for number in range(7):
        deliver(folder, f"170000000{number}.host")
    known: set[str] = set()
    batches = []
    while batch := mailbox.scan(known, most=3):
        batches.append(len(batch))
        known |= {mail.name for mail in batch}
    assert batches == [3, 3, 1]
    assert len(known) == 7


def test_mark_as_seen_moves_to_cur_with_the_flag(folder: Path, mailbox: MaildirMailbox):
    """Other flags stay, in order; "keep" changes nothing; a mail that has gone is no error."""
    deliver(folder, "1.new")
    deliver(folder, "2.cur:2,TF", part="cur")
    deliver(folder, "3.kept")
    mailbox.mark(["1.new", "2.cur", "9.gone"], "seen")
    mailbox.mark("3.kept", "keep")
    assert files(folder) == {"cur/1.new:2,S", "cur/2.cur:2,FST", "new/3.kept"}
    assert {mail.name for mail in mailbox.scan()} == {"1.new", "2.cur", "3.kept"}


def test_move_goes_to_a_maildir_folder_that_is_made(folder: Path, mailbox: MaildirMailbox):
    """Maildir++: the folder Done is .Done beside new/; a name that leads elsewhere is refused."""
    deliver(folder, "1.a")
    mailbox.mark("1.a", "move:Done")
    assert (folder / ".Done" / "cur" / "1.a:2,").read_bytes() == MAIL
    assert files(folder) == set()
    deliver(folder, "2.b")
    for name in ("../../etc", "", ".x", "a/b"):
        with pytest.raises(CommandRefused):
            mailbox.mark("2.b", f"move:{name}")


def test_links_pipes_and_folders_are_no_mail(folder: Path, mailbox: MaildirMailbox, tmp_path: Path):
    """Whoever may write to the Maildir cannot make us read another file or wait for ever."""
    secret = tmp_path / "secret"
    secret.write_text("password")
    (folder / "new" / "1.link").symlink_to(secret)
    os.mkfifo(folder / "new" / "2.pipe")
    (folder / "new" / "3.folder").mkdir()
    deliver(folder, "4.mail")
    assert [mail.name for mail in mailbox.scan()] == ["4.mail"]


def test_of_an_oversize_mail_only_the_beginning_is_read(folder: Path):
    """64 KB of it, and its true size."""
    deliver(folder, "1.large", b"x" * 200_000)
    (mail,) = MaildirMailbox("support", folder, max_size=100_000).scan()
    assert (mail.truncated, len(mail.raw), mail.size) == (True, 65_536, 200_000)
    (mail,) = MaildirMailbox("support", folder, max_size=2**62).scan()
    assert (mail.truncated, len(mail.raw), mail.size) == (False, 200_000, 200_000)


def test_a_mail_renamed_while_reading_is_found(folder: Path, mailbox: MaildirMailbox):
    """Another program moved it from new/ to cur/ between our look and our read."""
    deliver(folder, "1.a")
    stale = folder / "new" / "1.a"
    stale.rename(folder / "cur" / "1.a:2,S")
    mail = mailbox._read("1.a", stale)
    assert mail is not None
    assert mail.raw == MAIL


@pytest.mark.parametrize("late", [False, True], ids=["before the wait", "during the wait"])
def test_wait_ends_when_mail_comes(folder: Path, mailbox: MaildirMailbox, monkeypatch, late: bool):
    """Also for mail that came after the scan but before the wait, within one tick of the clock."""
    monkeypatch.setattr(maildir_module, "LOOK_SECONDS", 0.02)
    assert mailbox.scan() == []
    delivery = threading.Thread(target=deliver, args=(folder, "1.a"))
    delivery.start()
    if not late:
        delivery.join()
    while not mailbox.wait(30) or not mailbox.scan():
        pass
    delivery.join()


def test_wait_ends_at_its_time_and_when_woken(folder: Path, mailbox: MaildirMailbox):
    """Nothing changes: False."""
    os.utime(folder / "new", (1_700_000_000, 1_700_000_000))  # the last change was long ago
    assert mailbox.scan() == []
    assert mailbox.wait(0.05) is False
    waker = threading.Timer(0.05, mailbox.wake)
    waker.start()
    begun = time.monotonic()
    assert mailbox.wait(30) is False
    assert time.monotonic() - begun < 10
    waker.join()


def test_what_is_no_maildir_is_told(tmp_path: Path):
    """With the key to check."""
    with pytest.raises(MailboxUnavailable) as caught:
        MaildirMailbox("support", tmp_path / "missing").connect()
    assert "is no Maildir" in caught.value.reason
    assert "[mailbox.support]" in caught.value.remedy


def test_a_readonly_maildir_is_never_marked(folder: Path):
    """Refused, and nothing moved."""
    deliver(folder, "1.a")
    with pytest.raises(CommandRefused):
        MaildirMailbox("support", folder, readonly=True).mark("1.a", "seen")
    assert files(folder) == {"new/1.a"}
