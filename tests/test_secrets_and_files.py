"""What the desk keeps to itself: passwords, tokens, keys and codes in all that it shows, and every file that it makes."""

from __future__ import annotations

import base64
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailtickets import told
from mailtickets.cli import cli
from mailtickets.desk.ticket import Alarm
from mailtickets.told import Told
from tests.support.dovecot import Dovecot
from tests.support.process import IMAP, DeskProcess
from tests.support.smtp_sink import SmtpSink
from tests.test_terminal import KNOWN

ANA, KIM = "Ana Client <ana@customer.example>", "Kim Archer <kim@desk.example>"
LARGE = {"photo.bin": os.urandom(1_200_000)}  # read in the child process
# Passwords and tokens, each in another place.
CANARIES = {name: f"Canary7{name * 3}q4711x" for name in ("imap", "smtp", "literal", "token")}
PASSWORD = "passdb {{\n  driver = static\n  args = password={} allow_nets=127.0.0.0/8\n}}\n"
MORE = """\
[smtp_account.other]
host = "127.0.0.1"
port = {smtp_port}
security = "none"
username = "other"
password = "{literal}"

[smtp_account.third]
host = "127.0.0.1"
port = {smtp_port}
security = "none"
username = "third"
auth = "oauth2"
token = {{ command = ["sh", "-c", "echo Bearer {token} >&2; test -e token-works && echo {token}"] }}

[queue.other]
address = "other-{user}@desk.example"
tag = "OTH"
agents = ["kim"]
smtp = "other"

[log]
level = "debug"
"""
PAGER = '#!/bin/sh\n{ env; cat; } >> "$(dirname "$0")/paged"\n'


@pytest.fixture
def server() -> Iterator[Dovecot]:
    """A Dovecot that takes a password of ours beside the usual one."""
    with Dovecot(extra=PASSWORD.format(CANARIES["imap"])) as made:
        yield made


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    """An SMTP server that wants a login."""
    with SmtpSink(users={"desk": CANARIES["smtp"]}) as made:
        yield made


@pytest.fixture
def desk(
    tmp_path: Path, server: Dovecot, sink: SmtpSink, account: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DeskProcess]:
    """A desk with a secret in each kind of place."""
    monkeypatch.setenv("MT_SMTP", CANARIES["smtp"])
    monkeypatch.chdir(tmp_path)
    made = DeskProcess(
        tmp_path, server, sink, account, mailbox=IMAP, smtp='username = "desk"\npassword = { env = "MT_SMTP" }',
        more=MORE.format(smtp_port=sink.port, user=account, **CANARIES),
    )  # fmt: skip
    (tmp_path / "imap-password").write_text(CANARIES["imap"] + "\n")
    (tmp_path / "page").write_text(PAGER)
    (tmp_path / "page").chmod(0o700)
    made.edit(
        'admins = ["it@desk.example"]',
        'admins = ["it@desk.example"]\nalert = ["mail", { command = ["./page"] }]'.replace(
            "./", f"{tmp_path}/"
        ),
    )
    yield made
    made.stop()


# Every command that prints, with the arguments to ask it with; "{n}" stands for the numbers of mails of the outbox or the ledger.
ASKED = {
    "check": ("", "--connect"), "doctor": ("", "--alert"), "calendar": ("",), "rules list": ("",), "rules test": ("notice.eml",),
    "organisations list": ("",), "organisations export": ("-",), "list": ("--all",), "show": ("SUP-1001", "SUP-1002"),
    "search": ("fire", "confirm"), "why": ("SUP-1001", "{n}", "<{id}>"), "next": ("",), "ledger": ("", "--server"), "quarantine": ("",),
    "quarantine list": ("",), "quarantine show": ("{n}",), "held": ("",), "replay": ("--dry-run",), "outbox": ("--all",),
    "outbox list": ("--all",), "outbox show": ("{n}",), "report": ("", "--format json", "--format csv"), "status": ("",),
}  # fmt: skip
NOT_ASKED = {
    "demo", "init", "run", "receive", "backup", "restore", "organisations import", "forget", "quarantine retry", "quarantine release", "quarantine drop",
    "outbox retry", "outbox cancel", "outbox resume",
}  # fmt: skip


def test_every_command_is_asked_for_secrets():
    """A new command is listed above, or among those that print sentences of their own with numbers in them."""
    assert set(KNOWN) == {*ASKED, *NOT_ASKED}


def asked(desk: DeskProcess, numbers: int, message_id: str) -> Iterator[tuple[str, str]]:
    """Yield what each command says, in each way it can."""
    for name, ways in ASKED.items():
        forms = ("", "--json") if any(one.name == "as_json" for one in KNOWN[name].params) else ("",)
        for way in ways:
            for number in range(1, numbers + 1 if "{n}" in way else 2):
                words = way.replace("{n}", str(number)).replace("{id}", message_id)
                for form in forms:
                    command = [*name.split(), *words.split(), *form.split()]
                    done = CliRunner().invoke(cli, ["--config", str(desk.config), *command])
                    yield " ".join(command), done.output


def kept_secrets(store: Path) -> tuple[list[str], list[str], list[str]]:
    """Return what the store keeps: the MACs of agent keys, those of thread keys, and the desk's own secret and one-time codes."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        keys = [row[0] for row in db.execute("SELECT DISTINCT reply_key FROM outbox WHERE reply_key != ''")]
        codes = [row[0] for row in db.execute("SELECT code FROM held")]
        rings = [row[0] for row in db.execute("SELECT secret FROM secret")]
    macs = {kind: [re.findall(r"-([a-z2-7]{16})", key)[0] for key in keys if key[0] == kind] for kind in "at"}
    return (
        macs["a"],
        macs["t"],
        [
            *codes,
            *(one.hex() for one in rings),
            *(base64.b64encode(one).decode() for one in rings),
            *map(repr, rings),
        ],
    )


def limits_and_environment(pid: int) -> tuple[str, str]:
    core = next(
        line
        for line in Path(f"/proc/{pid}/limits").read_text().splitlines()
        if line.startswith("Max core file size")
    )
    return core, Path(f"/proc/{pid}/environ").read_text()


@pytest.mark.dovecot
@pytest.mark.timeout(180)
def test_no_secret_is_shown_anywhere(desk: DeskProcess):
    """A desk works, meets trouble, and is asked by every command: no password, token, key or code stands in what is shown.

    Not in the log, in what commands print, in mail to admins, in what the alert command gets, nor in any file but those that are
    to hold them. A thread key, which gives no rights, stands in the `message_id` of --json only: there it is that mail's name.
    """
    desk.start()
    desk.writes(ANA, "My printer is on fire.", files=LARGE)
    desk.wait_to("ana@customer.example", 1, 40)
    notice = desk.wait_to("kim@desk.example", 1, 40)[0]
    assert desk.process is not None
    (child,) = Path(f"/proc/{desk.process.pid}/task/{desk.process.pid}/children").read_text().split() or next(
        iter(
            [
                path.read_text().split()
                for path in Path(f"/proc/{desk.process.pid}/task").glob("*/children")
                if path.read_text()
            ]
        )
    )
    core, environment = limits_and_environment(int(child))
    assert re.search(r"\s0\s+0\s", core)
    assert not any(secret in environment for secret in CANARIES.values()), (
        "the reader of strangers' mail needs no password"
    )
    assert re.search(r"\s0\s+0\s", limits_and_environment(desk.process.pid)[0])

    desk.answers(notice, KIM, "Please try water.")
    desk.wait_to("ana@customer.example", 2, 40)
    desk.writes(KIM, "#close", subject="Re: [SUP-1001] Printer")  # held: a code goes to Kim
    question = desk.wait_to("kim@desk.example", 2, 40)[-1]
    assert "confirm" in question["Subject"]
    desk.writes(
        f"Desk <{desk.address}>", notice.text, subject=question["Subject"]
    )  # set aside, with a key and a code in it
    desk.writes("Ben <ben@customer.example>", f"What is this?\n{notice.text}", subject="Look, fire")
    desk.writes(
        "Cy <cy@customer.example>", "Help.", to=f"other-{desk.user}@desk.example"
    )  # the other account is refused
    (desk.folder / "notice.eml").write_bytes(notice.raw)
    desk.wait(
        lambda: desk.json("ledger")["received"] == 6 and not desk.json("ledger")["waiting"],
        "six mails to be decided",
        40,
    )
    desk.wait(
        lambda: (desk.folder / "paged").exists() or "refused user other" in desk.log,
        "the refused login to be told",
        40,
    )

    agents, threads, others = kept_secrets(desk.folder / "desk.db")
    assert len(agents) >= 2
    assert threads
    assert len(others) >= 4
    private = [*CANARIES.values(), *agents, *others]
    shown = dict(asked(desk, 14, notice["Message-ID"].strip("<>")))
    for command, words in shown.items():
        found = [one for one in private if one in words]
        assert not found, f"{command} shows {found}:\n{words}"
        if "--json" not in command:
            assert not [one for one in threads if one in words], f"{command} shows a thread key:\n{words}"
    assert any("***" in words for words in shown.values())
    assert "***" in shown["outbox show 2"]
    assert json.loads(shown["outbox --all --json"])[0]["id"] > 10

    desk.wait((desk.folder / "paged").exists, "the pager, which doctor rang", 20)
    (desk.folder / "token-works").touch()
    assert CANARIES["token"] not in desk.run("check", "--connect")[1]
    admins = "\n".join(mail.everything for mail in desk.to("it@desk.example"))
    assert admins
    assert desk.stop() == 0
    for words in (desk.log, admins, (desk.folder / "paged").read_text()):
        assert [one for one in (*private, *threads) if one in words] == []

    may_hold = {"config.toml": {"literal", "token"}, "imap-password": {"imap"}}
    for path in desk.folder.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            held = {name for name, secret in CANARIES.items() if secret.encode() in raw}
            assert held == may_hold.get(path.name, set()), path


# -- files -------------------------------------------------------------------------------------------

INIT = (
    "init", "--no-input", "--no-test", "--address", "support@acme.example", "--imap-host", "127.0.0.1", "--imap-password", "x",
    "--smtp-host", "127.0.0.1", "--smtp-password", "y", "--agent", "Kim Archer <kim@acme.example>",
)  # fmt: skip
CUSTOMERS = "key,name,domains\nacme,Acme,acme.example\n"
ONE = Alarm("smtp", "Mail cannot be sent", "refused", "Start the server")


@pytest.mark.dovecot
@pytest.mark.timeout(120)
@pytest.mark.parametrize("mask", [0o000, 0o022], ids=["umask 000", "umask 022"])
def test_every_file_is_its_owners_alone(tmp_path: Path, dovecot: Dovecot, account: str, mask: int):
    """Store, journal, lock, heartbeat, backups, reports, exports, what `init` writes: neither group nor others may read or write."""
    for part in ("cur", "new", "tmp"):
        (tmp_path / "inbox" / part).mkdir(parents=True)
    ours = set(tmp_path.rglob("*"))
    made: dict[str, int] = {}
    before = os.umask(mask)
    try:
        with SmtpSink() as server:
            desk = DeskProcess(tmp_path, dovecot, server, account, mailbox='maildir = "inbox"')
            desk.edit('store = "desk.db"', 'store = "desk.db"\norganisations = "customers.csv"')
            (tmp_path / "new.csv").write_text(CUSTOMERS)
            (tmp_path / "backups").mkdir(mode=0o700)
            ours |= set(tmp_path.rglob("*")) | {tmp_path / "log"}
            ours |= set((tmp_path / "inbox").rglob("*"))
            desk.command("organisations", "import", str(tmp_path / "new.csv"))
            desk.start()
            # Whole before it is in `new`, as a delivery is.
            whole = tmp_path / "inbox" / "tmp" / "1800000000.M1P1.mx"
            whole.write_bytes(desk.mail(ANA, "My printer is on fire."))
            whole.rename(tmp_path / "inbox" / "new" / whole.name)
            desk.wait_to("ana@customer.example", 1, 40)
            desk.command("receive", stdin=desk.mail(ANA, "My scanner is wet."))
            desk.wait((tmp_path / "desk.db.heartbeat").exists, "a heartbeat", 20)
            made |= modes(tmp_path, ours)
            assert {
                "desk.db",
                "desk.db-wal",
                "desk.db-shm",
                "desk.db.lock",
                "desk.db.heartbeat",
                "customers.csv",
            } <= set(made)
            desk.command("backup", str(tmp_path / "backups"))
            desk.command("backup", str(tmp_path / "one.db"))
            for style in ("text", "html", "csv", "json"):
                desk.command("report", "--format", style, "--output", str(tmp_path / f"report.{style}"))
            desk.command("organisations", "export", str(tmp_path / "out.csv"))
            assert desk.stop() == 0
            desk.command("restore", str(tmp_path / "one.db"))
            desk.command("run", "--once")
            (tmp_path / "fresh").mkdir(mode=0o700)
            subprocess.run(
                [sys.executable, "-m", "mailtickets", "--config", str(tmp_path / "fresh" / "config.toml"), *INIT],
                check=True, capture_output=True, timeout=60, env=os.environ,
            )  # fmt: skip
            ours.add(tmp_path / "fresh")
            made |= modes(tmp_path, ours)
    finally:
        os.umask(before)
    assert {
        "one.db",
        "report.csv",
        "report.html",
        "out.csv",
        "fresh/config.toml",
        "fresh/imap-password",
    } <= set(made)
    assert any("before-restore" in name for name in made)
    assert {name: oct(mode) for name, mode in made.items() if mode & 0o077} == {}


def modes(folder: Path, ours: set[Path]) -> dict[str, int]:
    """Return the modes of all files and folders but those that the test made; a mail keeps the mode it was delivered with."""
    found = {}
    for path in folder.rglob("*"):
        if path in ours or path.parent.name in {"cur", "new"}:
            continue
        try:
            found[str(path.relative_to(folder))] = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            continue
    return found


def test_what_the_admins_were_told_is_private(tmp_path: Path):
    """The file beside the store that is made while the store cannot be used."""
    from datetime import UTC, datetime

    before = os.umask(0)
    try:
        assert told.write(tmp_path / "desk.db", {"smtp": Told(ONE, datetime.now(UTC))})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "desk.db.told").stat().st_mode) == 0o600


def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Who publishes a report by overwriting a file that others may read goes on doing so."""
    from tests.test_config import written

    monkeypatch.chdir(tmp_path)
    written(tmp_path)
    done = CliRunner().invoke(cli, ["organisations", "export", "out.csv"])
    assert done.exit_code == 0
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
    (tmp_path / "out.csv").chmod(0o644)
    assert CliRunner().invoke(cli, ["organisations", "export", "out.csv"]).exit_code == 0
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o644
