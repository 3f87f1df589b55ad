"""`mailtickets demo` as a visitor runs it: the whole play in an empty folder, and what it leaves to look at."""

from __future__ import annotations

import json
import os
import re
import signal
import smtplib
import stat
import subprocess
import sys
import threading
from collections import Counter
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

import pytest

from mailtickets.config import load
from mailtickets.demo.desk import FolderRefused, prepare
from mailtickets.demo.embedded import file_name, plain_address
from mailtickets.demo.telling import TYPED, Telling, marks_for, wrap
from mailtickets.store.lock import StoreLock

SECONDS = 60  # the play takes about 20; it ends itself when it hangs


def command(*arguments, cwd, **more):
    """Run a command line of ours to its end."""
    return subprocess.run(
        [sys.executable, "-m", "mailtickets", *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL, **more,
    )  # fmt: skip


class Played:
    """A demo that was played to its end, and its folder."""

    def __init__(self, cwd: Path) -> None:
        self.done = command("demo", cwd=cwd)
        self.cwd, self.folder = cwd, cwd / "demo-desk"
        self.told = self.done.stdout

    def json(self, *arguments):
        """Run a reading command on the folder's configuration."""
        done = command("--config", "demo-desk/config.toml", *arguments, "--json", cwd=self.cwd)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def mails(self, recipient):
        """Every mail to an address, in order."""
        names = sorted((self.folder / "mails").iterdir())
        mails = [BytesParser(policy=default).parsebytes(path.read_bytes()) for path in names]
        return [mail for mail in mails if recipient in mail["To"]]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """One play for all claims."""
    return Played(tmp_path_factory.mktemp("visitor"))


def test_it_ends_well_and_in_time(played):
    """It ends with 0, complains of nothing, and says so itself in well under 40 seconds."""
    assert (played.done.returncode, played.done.stderr) == (0, "")
    seconds = re.search(r"Done in (\d+) s: (\d+) mails in, (\d+) mails out", played.told)
    assert seconds is not None, played.told
    assert int(seconds[1]) < 40


def test_what_it_leaves_is_its_owners_alone(played):
    """Folder, configuration, store, log and mails, also where the visitor's umask would let others read."""
    loose = [path for path in (played.folder, *played.folder.rglob("*")) if path.stat().st_mode & 0o077]
    assert loose == []


def test_every_scene_is_told_without_colour(played):
    """The scenes come in order, and a file gets no colour codes."""
    scenes = re.findall(r"^(\d)\. ", played.told, re.MULTILINE)
    assert scenes == [str(number) for number in range(1, 10)]
    assert "\x1b" not in played.told
    states = re.findall(r"SUP-1001 is (\w+), assigned", played.told)
    assert states == ["open", "waiting", "closed", "open", "resolved", "resolved"]


def test_the_acknowledgement_is_shown_whole(played):
    """The framed letter is the text part that was really sent."""
    acknowledgement = played.mails("ana@customer.example")[0]
    words = acknowledgement.get_body(("plain",)).get_content().split()
    framed = [line for line in played.told.split("\n") if line.strip().startswith(("\u2502", "|")) and line.rstrip().endswith(("\u2502", "|"))]  # fmt: skip
    assert words[:12] == " ".join(line.strip()[1:-1] for line in framed).split()[:12]


def test_the_customer_reads_only_what_is_meant_for_customers(played):
    """Ana gets one acknowledgement, Kim's answer, two reminders, the closing and the solution; no note, no forgery."""
    mails = played.mails("ana@customer.example")
    assert len(mails) == 6
    assert mails[0]["Auto-Submitted"] == "auto-replied"
    assert mails[1]["Auto-Submitted"] is None
    everything = "\n".join(mail.as_string() for mail in mails)
    assert "recall in May" not in everything
    assert "password" not in everything
    assert "kim@acme.example" not in everything


def test_the_store_tells_the_same_story(played):
    """The ticket's history has each step once: two reminders, one closing, one reopening, the note, the machine, the held mail."""
    ticket = played.json("show", "SUP-1001")
    kinds = Counter(entry["kind"] for entry in ticket["entries"])
    assert (ticket["status"], ticket["assignee"]) == ("resolved", "kim")
    assert (kinds["acknowledged"], kinds["reminder"], kinds["note"]) == (1, 2, 1)
    assert (kinds["auto_reply"], kinds["held"]) == (1, 1)
    notes = [entry for entry in ticket["entries"] if entry["kind"] == "note"]
    assert [entry["audience"] for entry in notes] == ["agents"]


def test_the_books_balance(played):
    """Seven mails came in; each is in one place, the forged one is held, everything was sent."""
    books = played.json("ledger")
    assert books["received"] == 7
    assert (books["held"], books["waiting"], books["unexplained"]) == (1, 0, 0)
    assert books["received"] == sum(
        books[place] for place in ("on_tickets", "ignored", "held", "quarantined")
    )
    assert played.json("outbox") == []


def test_every_mail_is_a_file(played):
    """As many files as mails in and out, named NN-from-to-subject.eml, the first one Ana's."""
    names = sorted(path.name for path in (played.folder / "mails").iterdir())
    total = re.search(r"(\d+) mails in, (\d+) mails out", played.told)
    assert total is not None
    assert len(names) == int(total[1]) + int(total[2])
    assert names[0] == "01-ana-support-printer-on-fire.eml"
    assert [name[:2] for name in names] == [f"{number:02}" for number in range(1, len(names) + 1)]


def test_the_commands_it_recommends_work(played):
    """Each line under "Look around" can be copied into a shell and ends with 0."""
    block = played.told.split("Look around\n")[1].split("\n\n")[0]
    lines = block.strip().split("\n")
    assert len(lines) == 5
    for line in lines:
        done = subprocess.run(  # noqa: S602  (copied into a shell: that is the claim)
            line, shell=True, cwd=played.cwd, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, (line, done.stderr)
        assert done.stdout.strip(), line


def test_what_it_leaves_is_private_and_valid(played):
    """The folder opens for its owner only, the configuration loads, and the daemon has given its lock back."""
    assert stat.S_IMODE(played.folder.stat().st_mode) == 0o700
    assert load(played.folder / "config.toml").desk.name == "Acme Support"
    with StoreLock(played.folder / "desk.db"):
        pass


def write_to(port):
    """Write to the desk as somebody who read how."""
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as server:
        server.sendmail(
            "ben@customer.example",
            ["support@acme.example"],
            b"From: ben@customer.example\r\nTo: support@acme.example\r\nSubject: Coffee machine\r\n"
            b"Message-ID: <1@customer.example>\r\nDate: Mon, 2 Mar 2026 09:00:00 +0000\r\n\r\nIt leaks.\r\n",
        )


def test_staying_it_takes_mail_until_ctrl_c(tmp_path):
    """`--stay` prints how to connect; a mail by SMTP becomes a ticket; Ctrl-C ends it with 0."""
    told: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "mailtickets", "demo", "--stay", "--folder", "other"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        guard = threading.Timer(SECONDS, process.terminate)
        guard.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                told.append(line)
                if found := re.search(r"swaks --server 127\.0\.0\.1:(\d+)", line):
                    write_to(int(found[1]))
                if "ben@customer.example" in line and "[SUP-1002]" in line:
                    process.send_signal(signal.SIGINT)
        finally:
            guard.cancel()
            process.terminate()
    assert process.returncode == 0, "".join(told)
    assert any("[SUP-1002]" in line for line in told), "".join(told)
    tickets = json.loads(command("--config", "other/config.toml", "list", "--json", cwd=tmp_path).stdout)
    assert {ticket["requester"] for ticket in tickets} == {"ana@customer.example", "ben@customer.example"}


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    """A folder that no demo made is refused in one sentence, and nothing in it changes."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "desk.db").write_text("precious")
    done = command("demo", "--folder", "mine", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "mine exists and was not made by a demo" in done.stderr
    assert (tmp_path / "mine" / "desk.db").read_text() == "precious"


def test_an_older_demo_is_cleared_and_nothing_else(tmp_path):
    """In a demo's folder only files of a demo are removed."""
    os.close(prepare(tmp_path / "desk").lock)
    for name in ("desk.db", "notes.txt", "mails/03-ana-support-hello.eml", "mails/own.eml"):
        (tmp_path / "desk" / name).write_text("x")
    os.close(prepare(tmp_path / "desk").lock)
    left = {str(path.relative_to(tmp_path / "desk")) for path in (tmp_path / "desk").rglob("*")}
    assert left == {".mailtickets-demo", "mails", "mails/own.eml", "notes.txt"}


def test_two_demos_cannot_share_a_folder(tmp_path):
    """While a demo runs in a folder, a second one is refused."""
    first = prepare(tmp_path / "desk")
    with pytest.raises(FolderRefused, match="running"):
        prepare(tmp_path / "desk")
    os.close(first.lock)


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path):
    """Without pymap and aiosmtpd the demo says what to install, and leaves no folder."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys; sys.modules.update(pymap=None, aiosmtpd=None)  # not to be found, as where they are not installed\n"
    )
    done = command("demo", cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 1
    assert done.stderr == (
        "the demo's mail servers are not installed; install them with: pip install '.[demo]' in the checkout\n"
    )
    assert not (tmp_path / "demo-desk").exists()


def test_names_of_mail_files_are_harmless():
    """Whatever stands in a subject, the file's name is one short word of small letters."""
    assert file_name(7, "ana@x.example", "support@acme.example", "Re: [SUP-1001] \u00c4rger!") == "07-ana-support-re-sup-1001-rger.eml"  # fmt: skip
    assert file_name(8, "", "../../etc@x", "/etc/passwd\x00") == "08-nobody-etc-etc-passwd.eml"
    assert len(file_name(9, "a" * 900, "b@x", "c" * 900)) < 150
    assert plain_address("Support+t1-1001@Acme.Example") == "support@acme.example"


def test_strangers_cannot_write_to_the_terminal(capsys):
    """Control characters of a mail are not obeyed, and a terminal without UTF-8 gets plain signs."""
    assert wrap("one\x1b[2Jtwo", 40) == ["one[2Jtwo"] or "\x1b" not in "".join(wrap("one\x1b[2Jtwo", 40))
    assert marks_for("ascii") == marks_for(None) == TYPED
    Telling({}, TYPED).frame("letter", "words")
    assert capsys.readouterr().out.isascii()
