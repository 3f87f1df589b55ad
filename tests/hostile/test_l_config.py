"""Section L: configuration and command line. What a section allows or refuses is said by the real commands and the real daemon."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.config import load
from tests.hostile.desk import HostileDesk
from tests.support.dovecot import Dovecot
from tests.support.oauth_dovecot import OAuthDovecot
from tests.support.process import IMAP, DeskProcess
from tests.support.smtp_sink import SmtpSink
from tests.test_config import SHORT, changed, written

ROOT = Path(__file__).parents[2]
ANA = "Ana Client <ana@customer.example>"
QUEUE = 'agents = ["kim", "lee"]\n'
SUPPORT = 'address = "support@acme.example"'
KIM, LEE = 'email = "kim@acme.example"', 'email = "lee@acme.example"'


def queue(*lines: str) -> str:
    """Return the short configuration with further lines of its queue."""
    return str(changed((QUEUE, QUEUE + "\n".join(lines) + "\n")))


def check(folder: Path) -> tuple[int, list[str]]:
    """Run `check`; return its exit code and its lines, with the file by its bare name."""
    done = CliRunner().invoke(cli, ["--config", str(folder / "config.toml"), "check"])
    assert done.stderr == ""
    return done.exit_code, done.stdout.replace(f"{folder}/", "").splitlines()


def refused(folder: Path, text: str, line: int, *words: str) -> None:
    """Check that a configuration is refused for one thing: exit code 78, and a line with the place and these words."""
    written(folder, text)
    code, said = check(folder)
    assert (code, said[-1]) == (78, "1 problem")
    assert said[0].startswith(f"config.toml:{line}:"), said
    for word in words:
        assert word in said[0]


def line_of(text: str, words: str) -> int:
    """Return the number of the line that has these words."""
    return next(number for number, line in enumerate(text.split("\n"), 1) if words in line)


NO_ZONES = ("Mars/Phobos", "../../etc/passwd", "/etc/localtime", "UTC+25", "Europe/London\\u0000")
# Case, where the line with the mistake is found, and what is said of it.
UNKNOWN = {
    "remider_days = 3": 'is no known key; did you mean "reminders"?',
    'close_afer = "96h"': 'is no known key; did you mean "close_after"?',
    "reminders_days = 1": 'is no known key; did you mean "reminders"?',
}
REMINDERS = {
    'reminders = ["100h"]': 'closes ("96h") before or with the last reminder ("100h"); write more than "100h"',
    'reminders = ["96h"]': 'closes ("96h") before or with the last reminder ("96h"); write more than "96h"',
    'reminders = ["0s"]': 'out of range; write a duration from "1s" to "3650d"',
    "reminders = [0]": 'has no unit; write "0h", "0m" or "0s" with quotes',
    "reminders = [-1]": "reminders[1] = -1: ",
    'reminders = ["-1h"]': "not a duration; write a number and one of s, m, h, d",
    "reminders = [1000000000]": "reminders[1] = 1000000000: ",
    'reminders = ["1000000000s"]': 'out of range; write a duration from "1s" to "3650d"',
    'reminders = ["1000000000d"]': 'out of range; write a duration from "1s" to "3650d"',
    'reminders = "3d"': 'reminders = "3d": ',
    'reminders = ["3 days"]': 'not a duration; write "3d"',
}
TWICE = {
    "support address as agent": (changed((KIM, 'email = "support@acme.example"')), 'email = "support@', "is an address of queue.support"),
    "support address in capitals": (changed((KIM, 'email = "SUPPORT@ACME.example"')), "SUPPORT@ACME", "is an address of queue.support"),
    "detail of the support address": (changed((KIM, 'email = "support+kim@acme.example"')), "support+kim", "is an address of queue.support"),
    "support address as alias of an agent": (
        changed((KIM, f'{KIM}\naliases = ["support@acme.example"]')), 'aliases = ["support', "is an address of queue.support",
    ),
    "two agents of one address": (changed((LEE, 'email = "KIM@acme.example"')), "KIM@acme", "is already an address of agent.kim"),
    "agent named twice": (changed(('agents = ["kim", "lee"]', 'agents = ["kim", "lee", "kim"]')), '"lee", "kim"]', "is named twice"),
    "agent's table twice": (SHORT + '\n[agent.kim]\nname = "Kim"\nemail = "k@acme.example"\n', "k@acme.example", "agent.kim"),
}  # fmt: skip


@pytest.mark.case(149)
@pytest.mark.parametrize("line", UNKNOWN)
def test_149_an_unknown_key_is_refused_with_a_suggestion(tmp_path: Path, line: str):
    """`check` names file, line and key, and the key that was meant."""
    text = queue(line)
    refused(tmp_path, text, line_of(text, line), UNKNOWN[line], line.split(" ", maxsplit=1)[0])


@pytest.mark.case(151)
@pytest.mark.parametrize("way", TWICE)
def test_151_the_support_address_as_an_agent_and_an_agent_twice_are_refused(tmp_path: Path, way: str):
    """Whatever its letters' case; the message says whose address it is already."""
    text, place, words = TWICE[way]
    written(tmp_path, text)
    code, said = check(tmp_path)
    assert code == 78
    assert any(words in one for one in said), said
    if "table" not in way:
        assert said[0].startswith(f"config.toml:{line_of(text, place)}:")
        assert said[-1] == "1 problem"


@pytest.mark.case(152)
@pytest.mark.parametrize("line", REMINDERS)
def test_152_a_reminder_that_cannot_be_is_refused_with_the_range(tmp_path: Path, line: str):
    """After closing, nothing, negative, too large, or no list of durations."""
    text = queue(line)
    written(tmp_path, text)
    code, said = check(tmp_path)
    assert (code, said[-1]) == (78, "1 problem"), said
    assert re.match(r"config\.toml:\d+: queue\.support\.", said[0])
    assert REMINDERS[line] in said[0]


@pytest.mark.case(152)
def test_152_three_days_are_a_reminder(tmp_path: Path):
    """The design writes durations with their unit, so a list with "3d" is right, and is three days."""
    assert [
        one.seconds
        for one in load(written(tmp_path, queue('reminders = ["3d"]'))).queues["support"].reminders
    ] == [3 * 86400]


@pytest.mark.case(154)
@pytest.mark.parametrize(
    ("place", "zone"),
    [
        *((place, zone) for place in ("desk", "calendar") for zone in NO_ZONES),
        ("desk", ""),  # a calendar without one has the desk's
    ],
)
def test_154_a_time_zone_of_another_planet_is_refused(tmp_path: Path, zone: str, place: str):
    """Nor is a path one; the message gives a name that is."""
    line = f'timezone = "{zone}"'
    if place == "desk":
        text = changed(('store = "desk.db"', f'store = "desk.db"\n{line}'))
    else:
        text = SHORT + f'\n[calendar.office]\nhours = {{ mon-fri = ["09:00-17:00"] }}\n{line}\n'
    written(tmp_path, text)
    code, said = check(tmp_path)
    assert code == 78
    assert said[0].startswith(f"config.toml:{line_of(text, line)}: ")
    assert "timezone" in said[0]


# -- reload ----------------------------------------------------------------------------------------

BROKEN = {
    "quote": ('name = "Acme Support"', 'name = "Acme Support', r"config\.toml:2: name: not valid TOML"),
    "bracket": ("[desk]", "[desk", r"config\.toml:1: "),
    "key twice": ('tag = "SUP"', 'tag = "SUP"\ntag = "HLP"', r"config\.toml:\d+: "),
    "unknown key": (
        'tag = "SUP"',
        'tag = "SUP"\nremider_days = 3',
        r"queue\.support\.remider_days.*reminders",
    ),
    "agent twice": ('["kim", "lee"]', '["kim", "lee", "kim"]', r"queue\.support\.agents\[3\].*named twice"),
    "late reminder": ('tag = "SUP"', 'tag = "SUP"\nreminders = ["100h"]', r"queue\.support\.close_after"),
    "time zone": (
        'store = "desk.db"',
        'store = "desk.db"\ntimezone = "Mars/Phobos"',
        r"config\.toml:4: desk\.timezone",
    ),
    "not UTF-8": ("", "", r"config\.toml:\d+: .*UTF-8"),
    "empty": ("", "", r"desk"),
    "binary": ("", "", r"config\.toml"),
}
BYTES = {"not UTF-8": b'[desk]\nname = "Gr\xfc\xdfe"\n', "empty": b"", "binary": bytes(range(256)) * 40}


@pytest.mark.case(148, 149, 151, 152, 154)
def test_148_a_bad_file_at_reload_leaves_the_good_settings(daemon: Callable[..., DeskProcess]):
    """One log line names file, line and key each time; `check` ends with 78; mail is handled as before, also after the last."""
    desk = daemon().start()
    good = desk.config.read_text()
    for count, (way, (old, new, words)) in enumerate(BROKEN.items(), 1):
        raw = BYTES.get(way) or good.replace(old, new, 1).encode() if way != "empty" else b""
        desk.config.write_bytes(raw)
        desk.reload()
        line = desk.wait_log("reload failed; the old configuration stays", count)
        assert re.search(words, line), (way, line)
        code, said = desk.run("check")
        assert code == 78, (way, said)
        assert re.search(words, said), (way, said)
        assert "Traceback" not in said + desk.log
    desk.writes(ANA, "My printer is on fire.")
    assert desk.wait_to("ana@customer.example", 1)[0]["Subject"].startswith("[SUP-1001]")
    assert len(desk.wait_to("kim@desk.example", 1)) == 1
    assert " reloaded " not in desk.log
    desk.config.write_text(good)
    desk.reload()
    desk.wait_log(" reloaded ")


# -- what a terminal and a log show ----------------------------------------------------------------

SUBJECT = (
    "\x1b[2J\x1b]8;;http://evil.example\x07Fire\x1b]8;;\x07\x9b31m\u202egnp.exe\u2066\u200e\u2028\x00\x08end"
)
FAKE = "Fire\n2026-03-02T09:00:00.000Z info    sent    outbox=1 to=eve@evil.example"


def subject(text: str) -> str:
    """Return a text as an encoded word."""
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="


def obeyed(text: str) -> set[str]:
    return {
        one for one in text if one != "\n" and unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    }


@pytest.mark.case(155)
@pytest.mark.parametrize("words", ["show SUP-1001", "show SUP-1001 --json", "list", "why SUP-1001"])
def test_155_show_of_a_subject_with_escapes(desk: HostileDesk, tmp_path: Path, words: str):
    """The letters are shown, and nothing that a terminal obeys or that turns the line round."""
    raw = f"From: {subject(SUBJECT)} <eve@evil.example>\nTo: support@desk.example\nSubject: {subject(SUBJECT)}\n\n{SUBJECT}\n"
    assert desk.meets(raw.encode()).is_new
    text = SHORT.replace("acme.example", "desk.example").replace('"desk.db"', f'"{desk.store.path}"')
    written(tmp_path, text.replace("kim", "anna").replace("lee", "ben"))
    done = subprocess.run(
        [sys.executable, "-m", "mailtickets", "--config", str(tmp_path / "config.toml"), *words.split()],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    said = done.stdout.decode()
    assert "Fire" in said or words.startswith("why")
    assert obeyed(said + done.stderr.decode()) == set()


@pytest.mark.case(157)
@pytest.mark.parametrize("form", ["text", "json"])
def test_157_a_subject_with_a_fake_log_line(daemon: Callable[..., DeskProcess], form: str):
    """Subject, Message-ID and name that would begin a line: the log has as many lines as events, and none is the stranger's."""
    desk = daemon(more=f'[log]\nformat = "{form}"\nlevel = "debug"').start(ready=False)
    desk.wait(lambda: "ready" in desk.log, "the desk to be ready")
    raw = (
        f"From: {subject(FAKE)} <ana@customer.example>\nTo: {desk.address}\nSubject: {subject(FAKE)}\n"
        f"Message-ID: <a@b>\n 2026-03-02T09:00:00.000Z info fake\nX-Priority: {subject(FAKE)}\n\n{FAKE}\n"
    )
    desk.deliver(raw.encode())
    forged = raw.replace("ana@customer.example", desk.address)  # set aside: its reason is in the log, too
    desk.deliver(forged.encode())
    desk.wait_to("ana@customer.example", 1)
    desk.at_rest(2)
    start = r'\{"at": "' if form == "json" else ""
    for line in desk.log.splitlines():
        assert re.match(start + r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line), line
        assert "2026-03-02T" not in line[:40]
    told = [line for line in desk.log.splitlines() if "eve@evil.example" in line]
    assert len(told) == 1, "the alarm about the forged one quotes its subject, in one line"
    assert "is in quarantine: 'Fire 2026-03-02T09" in told[0]
    assert "\u2028" not in desk.log


# -- secrets in logs -------------------------------------------------------------------------------

GOOD, WRONG = "canary-Right-4711", "canary-Wrong-4712"
PASSWORD = "passdb {{\n  driver = static\n  args = password={} allow_nets=127.0.0.0/8\n}}\n"


@pytest.fixture
def guarded() -> Iterator[Dovecot]:
    """A Dovecot that takes a password of ours beside the usual one."""
    with Dovecot(extra=PASSWORD.format(GOOD)) as server:
        yield server


def traces(secret: str) -> set[str]:
    """Return the forms in which a secret could stand in a log: itself, and base64 as it goes over the wire, at any offset."""
    forms = {secret}
    for before in ("", "x", "xx", "\0", "\0\0"):
        letters = base64.b64encode((before + secret).encode()).decode()
        forms.add(letters[4:-4])
    return forms


def silent(words: str, *secrets: str) -> None:
    """Check that no secret stands in a text, in any form."""
    for secret in secrets:
        for trace in traces(secret):
            assert trace not in words, f"{trace} of a secret stands there"


@pytest.mark.case(158)
@pytest.mark.timeout(120)
@pytest.mark.parametrize("form", ["text", "json"])
def test_158_a_wrong_password_at_both_servers_with_everything_logged(
    daemon: Callable[..., DeskProcess], guarded: Dovecot, form: str, tmp_path: Path
):
    """Real refusals, every library at DEBUG, asyncio's own debug mode: neither the wrong passwords nor, later, the right ones."""
    with SmtpSink(users={"desk": GOOD}) as server:
        mailbox = IMAP.replace(
            '{{ file = "imap-password" }}', '{{ command = ["cat", "imap-password"] }}'
        ).replace('"imap-password"]', f'"{tmp_path}/imap-password"]')
        smtp = 'username = "desk"\npassword = { env = "SMTP_CANARY" }\nretry = ["1s"]'
        desk = daemon(
            mail_server=guarded,
            smtp_server=server,
            mailbox=mailbox,
            smtp=smtp,
            more=f'[log]\nformat = "{form}"\nlevel = "debug"',
        )
        desk.program = "tests.hostile.everything_logged"
        env = {"SMTP_CANARY": WRONG, "PYTHONASYNCIODEBUG": "1", "PYTHONPATH": str(ROOT)}
        (desk.folder / "imap-password").write_text(f"{WRONG}\n")
        desk.start(ready=False, env=env)
        desk.wait(lambda: "the server refused user" in desk.log, "the mailbox to be refused", 40)
        desk.command("receive", stdin=desk.mail(ANA, "My printer is on fire."))
        desk.wait(lambda: "refused user desk" in desk.log, "the SMTP login to be refused", 30)
        for words in (("status",), ("outbox",), ("doctor",), ("check", "--connect")):
            os.environ["SMTP_CANARY"] = WRONG
            try:
                said = desk.run(*words)[1]
            finally:
                del os.environ["SMTP_CANARY"]
            silent(said, WRONG)
        assert desk.stop() == 0
        silent(desk.log, WRONG)
        before = len(desk.log)

        (desk.folder / "imap-password").write_text(f"{GOOD}\n")
        desk.start(ready=False, env=env | {"SMTP_CANARY": GOOD})  # " ready " is not how JSON says it
        desk.wait_to("ana@customer.example", 1, 30)
        desk.writes(ANA, "My scanner is wet.")
        desk.wait_to("ana@customer.example", 2, 30)
        assert desk.stop() == 0
        assert len(desk.log) > before
        silent(desk.log, GOOD, WRONG)
        assert re.search(r"[at]1-\d+-(?:\d+-)?[a-z2-7]{16}", desk.log) is None, "and no key of a ticket"


@pytest.mark.case(158)
@pytest.mark.timeout(120)
def test_158_a_token_that_is_refused(daemon: Callable[..., DeskProcess], tmp_path: Path):
    """OAuth2: neither the refused token nor the good one, with everything logged; nor what its command says beside it."""
    token = tmp_path / "token"
    with OAuthDovecot() as server:
        mailbox = IMAP.replace(
            'password = {{ file = "imap-password" }}',
            f'auth = "oauth2"\ntoken = {{{{ command = ["cat", "{token}"] }}}}',
        )
        desk = daemon(mail_server=server, mailbox=mailbox)
        desk.program = "tests.hostile.everything_logged"
        bad, good = server.token(desk.user, seconds=-5), server.token(desk.user)
        token.write_text(bad)
        desk.start(ready=False, env={"PYTHONASYNCIODEBUG": "1", "PYTHONPATH": str(ROOT)})
        told = desk.wait_to("it@desk.example", 1, 40)[0]
        token.write_text(good)
        desk.reload()
        desk.wait_log(" reloaded ", 1, 40)
        desk.writes(ANA, "My printer is on fire.")
        desk.wait_to("ana@customer.example", 1, 40)
        said = desk.log + told.everything + desk.run("status")[1]
        for one in (bad, good):
            for part in one.split("."):
                assert part[4:-4] not in said
            silent(said, one)


HOOK = """\
import asyncio, threading
from mailtickets.{module} import {name}
def broken(self, *arguments, **more):
    {how}
{name}.{method} = broken
"""
RAISES = "raise {kind}('{canary} stands in the words of it')"
PLACES = {
    "logging in at the mailbox": ("transport.imap_connection", "ImapConnection", "_log_in", "RuntimeError"),
    "logging in at the SMTP server": ("transport.smtp", "SmtpPool", "_log_in", "LookupError"),
    "making the parts": ("daemon", "Daemon", "_make_parts", "RuntimeError"),
    "a task that nobody awaits": ("daemon", "Daemon", "_look_at_outbox", "RuntimeError"),
    "reading a mail": ("reading", "Reading", "read", "ValueError"),
    "deciding": ("pipeline", "Line", "settle", "RuntimeError"),
    "a thread": ("mailboxthread", "MailboxThread", "run", "RuntimeError"),
    "at the end": ("daemon", "Daemon", "_told_to_stop", "RuntimeError"),
}


@pytest.mark.case(158)
@pytest.mark.parametrize(
    ("place", "form"),
    [
        *((place, "text") for place in PLACES),
        ("making the parts", "json"),
        ("a task that nobody awaits", "json"),
    ],
)
def test_158_a_fault_with_a_secret_in_its_words(daemon: Callable[..., DeskProcess], place: str, form: str):
    """Wherever it is raised, it is told by its name and place alone, one line for each, never by its words."""
    module, name, method, kind = PLACES[place]
    desk = daemon(more=f'[log]\nformat = "{form}"\nlevel = "debug"', smtp='username = "desk"\npassword = "x"')
    hooks = desk.folder / "hooks"
    hooks.mkdir()
    how = RAISES.format(kind=kind, canary=GOOD)
    (hooks / "sitecustomize.py").write_text(HOOK.format(module=module, name=name, method=method, how=how))
    desk.start(ready=False, env={"PYTHONPATH": f"{hooks}:{ROOT}"})
    assert desk.process is not None
    process = desk.process
    desk.wait(lambda: desk.log or process.poll() is not None, "the desk to say something")
    if place != "making the parts":
        lock = desk.folder / "desk.db.lock"
        # Without a daemon `receive` would decide the mail by itself.
        desk.wait(lambda: lock.exists() and lock.read_text().strip() == str(process.pid), "the daemon's lock")
        desk.run("receive", stdin=desk.mail(ANA, "My printer is on fire."))
    if place == "at the end":
        desk.wait(lambda: "ready" in desk.log, "the desk to be ready")
        process.terminate()
    desk.wait(lambda: kind in desk.log, f"the {kind} in the log", 20)
    if place == "making the parts":
        assert process.wait(20) == 1
    else:
        desk.kill()
    assert "Traceback" not in desk.log
    silent(desk.log, GOOD)
    start = r'\{"at": "' if form == "json" else ""
    assert [line for line in desk.log.splitlines() if not re.match(start + r"\d{4}-\d\d-\d\dT", line)] == []
