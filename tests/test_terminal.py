"""What strangers write never reaches a terminal as more than letters: no command prints a control sequence of a mail."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.desk.ticket import Alarm
from mailtickets.transport.fate import Rejected
from tests.support.desk import Desk

# Colours, an OSC 8 link, a title, C1 controls, direction marks, NUL, BEL, backspaces, line separators, a lone surrogate's bytes.
EVIL = (
    "\x1b[31mred\x1b]8;;http://evil.example\x07link\x1b]8;;\x1b\\\x1b]0;title\x07\x9b2J\x90q\x9c\u202egnp.exe\u2066x\u2069"
    "\x00\x07bell\x08\x08\x7f\u2028line\u2029par\u200e\u200b\ufeffend\x85\x0c\x0b"
)
LONG = "\x1b[5mlong " * 20_000
SHOWN = "red"  # of what is left of it
CONFIG = """\
[desk]
name = "Acme Support"
store = "desk.db"
admins = ["it@desk.example"]
organisations = "customers.csv"

[smtp]
host = "127.0.0.1"
port = 9
security = "none"

[mailbox.support]
maildir = "inbox"
start_from = "all"

[queue.support]
address = "support@desk.example"
tag = "SUP"
agents = ["kim", "lee"]

[agent.kim]
name = "Kim Archer"
email = "kim@desk.example"

[agent.lee]
name = "Lee Moss"
email = "lee@desk.example"

[calendar.office]
hours = { mon-fri = ["09:00-17:00"] }

[[rule]]
name = "fire\\u009b2J"
words = ["fire"]
then = { priority = "P1" }
"""
# C1 controls and marks may stand in an organisation's name; what config.toml refuses, a file to import may hold all the same.
CUSTOMERS = f"key,name,domains\nevil,Evil \x9b2J\u200e Ltd,evil.example\nlong,{'x' * 150},long.example\n"
BAD_CUSTOMERS = f'key,name,domains\nbad,"{EVIL[1:30]}",evil.example\n"x{EVIL[:8]}",y,"{EVIL[:8]}"\n'


def word(text: str) -> bytes:
    """Return a text as an encoded word."""
    return b"=?utf-8?b?" + base64.b64encode(text.encode()) + b"?="


def mail(sender: bytes, *, subject: bytes = word(EVIL), more: bytes = b"", number: int = 0) -> bytes:
    """Write a mail whose every field holds what a terminal would obey, encoded where that can be, raw where not."""
    raw = EVIL.replace("\x00", "").replace("\x0b", "").encode().replace(b"\x0c", b"")
    return b"\r\n".join((
        b"From: " + sender,
        b"To: " + word(EVIL) + b" <support@desk.example>, " + raw + b" <x" + raw + b"@evil.example>",
        b"Cc: " + word(EVIL) + b" <cc%d@evil.example>" % number,
        b"Subject: " + subject,
        b"Message-ID: <a" + raw + b"%d@evil.example>" % number,
        b"In-Reply-To: <b" + raw + b"@evil.example>",
        b"X-Priority: " + raw,
        b"Date: " + raw,
        more + b"MIME-Version: 1.0",
        b'Content-Type: multipart/mixed; boundary="b"',
        b"",
        b"--b",
        b"Content-Type: text/plain; charset=utf-8",
        b"",
        EVIL.encode() + b" fire",
        LONG.encode(),
        b"#close " + raw,
        b"--b",
        b"Content-Type: " + raw + b"/" + raw + b'; name="' + raw + b'"',
        b"Content-Disposition: attachment; filename*=utf-8''" + b"".join(b"%%%02x" % one for one in EVIL.encode()),
        b"",
        b"x",
        b"--b--",
        b"",
    ))  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk that met such mail: on tickets, set aside, held, answered, not taken by a server, and an alarm about it."""
    folder = tmp_path_factory.mktemp("evil")
    (folder / "config.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "config.toml").chmod(0o600)
    (folder / "customers.csv").write_text(CUSTOMERS, encoding="utf-8")
    (folder / "bad.csv").write_text(BAD_CUSTOMERS, encoding="utf-8")
    (folder / "evil.eml").write_bytes(mail(word(EVIL) + b" <eve@evil.example>", number=9))
    for part in ("cur", "new", "tmp"):
        (folder / "inbox" / part).mkdir(parents=True)
    desk = Desk(folder)
    desk.receives(mail(word(EVIL) + b" <eve@evil.example>"))
    desk.receives(
        mail(
            EVIL.replace("\x00", "").replace("\x0c", "").replace("\x0b", "").encode()
            + b" <e\x1bve@evil.example>",
            number=1,
        )
    )
    desk.receives(mail(word(EVIL) + b" <support@desk.example>", number=2))  # set aside
    desk.receives(
        mail(word(EVIL) + b" <kim@desk.example>", subject=b"Re: [SUP-1001] " + word(EVIL), number=3)
    )  # held
    desk.writes("Ana Client <ana@customer.example>", f"{EVIL} fire")
    desk.fate = lambda _mail: Rejected(550, EVIL)  # type: ignore[assignment, return-value]
    desk.answers(
        desk.last("kim@desk.example", "agent_new"),
        "kim@desk.example",
        f"{EVIL[1:]} fire?",
        subject="Re: [SUP-1003] x",
    )
    assert {state for state, _, _ in desk.copies()} == {"on_ticket", "quarantined", "held"}
    desk.line.alarm_now(Alarm("reload", EVIL, EVIL, EVIL))
    desk.close()
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A copy of that desk, with one more such mail in its mailbox."""
    copy = tmp_path / "desk"
    shutil.copytree(prepared, copy)
    (copy / "inbox" / "new" / "1800000000.M1P1.mx").write_bytes((copy / "evil.eml").read_bytes())
    return copy


# Every command and the ways to ask it for what strangers wrote.
ASKED = {
    "check": ("", "--connect"),
    "doctor": ("",),
    "calendar": ("", "office"),
    "rules list": ("",),
    "rules test": ("evil.eml",),
    "organisations list": ("",),
    "organisations import": ("bad.csv", "--dry-run customers2.csv"),
    "list": ("--all",),
    "show": ("SUP-1001", "SUP-1002", "SUP-1003", "\x1b[31mX-1"),
    "search": ("fire",),
    "why": ("SUP-1001", "SUP-1002", "SUP-1003", "3", "4", "<a\x1b@evil.example>"),
    "next": ("", "SUP-1001", "SUP-1003"),
    "ledger": ("", "--server --no-heal"),
    "quarantine": ("",),
    "quarantine list": ("",),
    "quarantine show": ("1", "2", "3", "4"),
    "quarantine retry": ("3",),
    "quarantine release": ("3",),
    "quarantine drop": ("3",),
    "held": ("",),
    "replay": ("--dry-run", ""),
    "outbox": ("--all",),
    "outbox list": ("--all",),
    "outbox show": tuple(map(str, range(1, 16))),
    "outbox retry": ("10",),
    "outbox cancel": ("10",),
    "outbox resume": ("",),
    "report": ("", "--format csv", "--format json", "--format html"),
    "status": ("",),
    "backup": ("copy.db",),
    "restore": ("evil.eml",),
    "forget": ("eve@evil.example --yes", "\x1b[31mx@y.example --yes"),
    "run": ("--once",),
    "receive": ("",),
}
# Here nothing of a mail is printed, or a test of its own looks at it.
NOT_ASKED = {
    "demo": "tests/demo: its mails are its own",
    "organisations export": "writes the admin's own organisations, which are to be read back as they are",
    "init": "prints what its user typed, and an authserv-id of letters and dots",
}
AS_PROCESSES = {"run", "receive"}


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command that can be given."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield f"{before}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")


KNOWN = dict(commands(cli))
ASKING = [
    (name, words, more)
    for name, ways in ASKED.items()
    for words in ways
    for more in (
        ("", "--json")
        if name in KNOWN and any(one.name == "as_json" for one in KNOWN[name].params)
        else ("",)
    )
]


def test_every_command_is_asked():
    """A new command is listed above with what it prints of mail, or with the reason why it prints none."""
    assert set(KNOWN) == {*ASKED, *NOT_ASKED}


def obeyed(text: str) -> set[str]:
    """Return the signs of a text that a terminal or a reader's eye would obey."""
    return {
        one for one in text if one != "\n" and unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    }


@pytest.mark.parametrize(
    ("name", "words", "more"), ASKING, ids=[ascii(" ".join(one).strip()) for one in ASKING]
)
def test_no_command_prints_what_a_terminal_obeys(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str, more: str
):
    """Neither on standard output nor on standard error; JSON is JSON, and says what stood in the mail."""
    monkeypatch.chdir(folder)
    (folder / "customers2.csv").write_text(
        CUSTOMERS.replace("evil,", "more,").replace("evil.example", "more.example"), encoding="utf-8"
    )
    arguments = [*name.split(), *words.split(), *more.split()]
    if name in AS_PROCESSES:
        done = subprocess.run(
            [sys.executable, "-m", "mailtickets", *arguments], input=(folder / "evil.eml").read_bytes(), capture_output=True,
            timeout=60, check=False,
        )  # fmt: skip
        said, complaint = done.stdout.decode(), done.stderr.decode()
    else:
        result = CliRunner().invoke(cli, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            from mailtickets.cli.words import explained

            answer = explained(result.exception) if isinstance(result.exception, Exception) else None
            assert answer is not None, result.exception
            complaint = answer[0]
        else:
            complaint = result.stderr
        said = result.stdout
    assert "Traceback" not in complaint
    assert said + complaint, "it says something" if name != "receive" else ""
    assert obeyed(said + complaint) == set()
    if said and (more or words.endswith("json")):
        json.loads(said)


def test_json_says_what_stood_there(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Escaped, not changed: the subject of the store comes out of the JSON as it is kept."""
    monkeypatch.chdir(folder)
    said = CliRunner().invoke(cli, ["show", "SUP-1001", "--json"]).stdout
    text = json.loads(said)["entries"][0]["text"]
    assert SHOWN in text
    assert obeyed(text), "what is kept of the mail holds such signs, so that this test is one"


def test_a_fault_of_ours_prints_no_words_that_a_terminal_obeys(folder: Path):
    """The traceback of an exception with a stranger's words in it."""
    hooks = folder / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(
        "from mailtickets.store.views import Views\n"
        "def broken(self, *arguments, **more):\n    raise RuntimeError('red \\x1b[31m\\x9b2J\\u202e')\n"
        "Views.tickets = broken\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mailtickets", "list"], cwd=folder, capture_output=True, timeout=60, check=False,
        env={"PYTHONPATH": f"{hooks}:{Path(__file__).parents[1]}", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    said = done.stderr.decode()
    assert done.returncode == 1
    assert "RuntimeError: red" in said
    assert "Traceback" in said
    assert obeyed(said) == set()
