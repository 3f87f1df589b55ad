"""The configuration: what is accepted, what is refused, and how it is said."""

from __future__ import annotations

import random
import shutil
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from mailtickets import config as config_module
from mailtickets.cli import main
from mailtickets.config import ConfigInvalid, Secret, find_config, load
from mailtickets.config_types import Route

BAD = sorted((Path(__file__).parent / "configs").glob("bad-*"))

SHORT = """\
[desk]
name = "Acme Support"
store = "desk.db"
admins = ["it@acme.example"]

[smtp]
host = "mail.acme.example"
username = "support@acme.example"
password = { file = "smtp-password" }

[mailbox.support]
host = "mail.acme.example"
username = "support@acme.example"
password = { file = "imap-password" }

[queue.support]
address = "support@acme.example"
tag = "SUP"
agents = ["kim", "lee"]

[agent.kim]
name = "Kim Archer"
email = "kim@acme.example"

[agent.lee]
name = "Lee Moss"
email = "lee@acme.example"
"""


def written(folder, text=SHORT, mode=0o600):
    """Write a config file and return its path."""
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def changed(*pairs):
    """Return the short path with some texts replaced."""
    text = SHORT
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def said_about(path):
    """Return what `load` says about a bad file, with the path as the bare name."""
    with pytest.raises(ConfigInvalid) as refused:
        load(path)
    return str(refused.value).replace(str(path), "config.toml").replace(f"{path.parent}/", "")


def test_a_rule_without_a_condition_is_doubted(tmp_path):
    """It holds for every mail; often a condition was forgotten."""
    text = (
        SHORT + '\n[[rule]]\nthen = { tags = ["all"] }\n\n[[rule]]\nwords = ["x"]\nthen = { tags = ["x"] }\n'
    )
    assert [str(warning).partition(": ")[2] for warning in load(written(tmp_path, text)).warnings] == [
        "rule[1]: has no condition, so it holds for every mail; add one, such as words = [...], if that is not meant"
    ]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
@pytest.mark.fault("Reload", "bad TOML, bad value, missing template")
def test_a_bad_configuration_is_refused_for_its_own_reasons(case, tmp_path, book):
    """Each case gives exactly the lines of its expected-error: line, key, value, reason and remedy."""
    path = written(tmp_path, (case / "config.toml").read_text(encoding="utf-8"))
    for beside in case.glob("*.csv"):
        shutil.copy(beside, tmp_path)
    assert said_about(path) == (case / "expected-error").read_text(encoding="utf-8").rstrip("\n")
    book(runs=1)


def test_there_are_enough_bad_configurations():
    """A lost folder of cases would make the test above pass with nothing tested."""
    assert len(BAD) >= 80


def test_no_expected_error_holds_a_password():
    """The passwords of the bad configurations appear in no message."""
    assert all("hunter" not in (case / "expected-error").read_text(encoding="utf-8") for case in BAD)


def test_the_short_path_is_a_whole_configuration(tmp_path):
    """An address, an account each for IMAP and SMTP, and agents: the rest are defaults."""
    config = load(written(tmp_path))
    assert config.warnings == ()
    assert config.desk.store == tmp_path / "desk.db"
    assert (config.smtp.port, config.smtp.security) == (465, "tls")
    assert (config.mailboxes["support"].port, config.mailboxes["support"].poll.seconds) == (993, 60)
    queue = config.queues["support"]
    assert queue.mailbox == "support"
    assert [reminder.timedelta for reminder in queue.reminders] == [timedelta(hours=24), timedelta(hours=72)]
    assert queue.close_after.timedelta == timedelta(hours=96)
    assert config.smtp_of("support") is config.smtp
    assert list(config.agents) == ["kim", "lee"]


def test_paths_are_relative_to_the_file_and_not_to_where_we_stand(tmp_path, monkeypatch):
    """A file named from elsewhere, also by a relative path, finds its neighbours."""
    written(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    config = load(Path(tmp_path.name, "config.toml"))
    assert config.desk.store == tmp_path / "desk.db"
    assert config.smtp.password == Secret(file=tmp_path / "smtp-password")
    assert config.folder == tmp_path


@pytest.mark.parametrize(("security", "smtp", "imap"), [("tls", 465, 993), ("starttls", 587, 143)])
def test_the_port_follows_the_security(security, smtp, imap, tmp_path):
    """Where no port is written, the one that belongs to the security is used."""
    text = changed(
        ("[smtp]\n", f'[smtp]\nsecurity = "{security}"\n'),
        ("[mailbox.support]\n", f'[mailbox.support]\nsecurity = "{security}"\n'),
    )
    config = load(written(tmp_path, text))
    assert (config.smtp.port, config.mailboxes["support"].port) == (smtp, imap)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.9.1"])
def test_security_none_is_for_this_machine(host, tmp_path):
    """A server on loopback may be spoken to in clear text."""
    text = changed(('[smtp]\nhost = "mail.acme.example"', f'[smtp]\nsecurity = "none"\nhost = "{host}"'))
    assert load(written(tmp_path, text)).smtp.port == 25


def test_a_maildir_stands_in_place_of_a_server(tmp_path):
    """`maildir = PATH` needs no host, name or password."""
    start = SHORT.index("[mailbox.support]")
    end = SHORT.index("[queue.support]")
    text = SHORT[:start] + '[mailbox.local]\nmaildir = "mail"\nstart_from = 2026-01-31\n\n' + SHORT[end:]
    mailbox = load(written(tmp_path, text)).mailboxes["local"]
    assert mailbox.maildir == tmp_path / "mail"
    assert mailbox.start_from == date(2026, 1, 31)


def test_oauth2_takes_a_command_for_its_token(tmp_path):
    """`auth = "oauth2"` with a token command needs no password."""
    text = changed(
        (
            'password = { file = "imap-password" }',
            'auth = "oauth2"\ntoken = { command = ["mail-token", "--imap"] }',
        )
    )
    mailbox = load(written(tmp_path, text)).mailboxes["support"]
    assert mailbox.token is not None
    assert mailbox.token.command == ("mail-token", "--imap")


def test_a_queue_may_send_by_another_server(tmp_path):
    """`smtp = NAME` names an [smtp_account.NAME]."""
    text = changed(('tag = "SUP"', 'tag = "SUP"\nsmtp = "other"'))
    text += '[smtp_account.other]\nhost = "127.0.0.1"\nsecurity = "none"\nmax_size = "2MB"\n'
    config = load(written(tmp_path, text))
    assert config.smtp_of("support").host == "127.0.0.1"
    assert config.queues["support"].notify_attachments == 2_000_000


def test_a_literal_password_is_warned_about(tmp_path):
    """A password in a file of mode 600 works, with a warning that does not show it."""
    text = changed(('password = { file = "smtp-password" }', 'password = "hunter2"'))
    config = load(written(tmp_path, text))
    assert config.smtp.password is not None
    assert config.smtp.password.resolve() == "hunter2"
    assert [str(warning).partition(": ")[2] for warning in config.warnings] == [
        'smtp.password = "***": stands in the file itself; better { file = "NAME" } or { credential = "NAME" }'
    ]
    assert "hunter2" not in repr(config)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_literal_password_that_others_can_read_is_refused(mode, tmp_path):
    """The refusal names line, mode and the command that mends it."""
    text = changed(('password = { file = "smtp-password" }', 'password = "hunter2"'))
    path = written(tmp_path, text, mode)
    assert said_about(path) == (
        'config.toml:9: smtp.password = "***": others on this machine can read it '
        f"(the file's mode is {mode:03o}); chmod 600 config.toml"
    )


def test_a_file_without_passwords_may_be_read_by_all(tmp_path):
    """Only literal secrets make the file's mode matter."""
    assert load(written(tmp_path, mode=0o644)).warnings == ()


def test_what_is_probably_not_meant_is_warned_about(tmp_path):
    """No admins, an idle agent, proof without an authserv-id: each is said, none stops the desk."""
    text = changed(
        ('admins = ["it@acme.example"]\n', ""),
        ('agents = ["kim", "lee"]', 'agents = ["kim"]'),
        ('email = "kim@acme.example"', 'email = "kim@acme.example"\nproof = "pass"'),
        ("[smtp]\n", '[smtp]\nmax_size = "10MB"\n'),
    )
    keys = [warning.key for warning in load(written(tmp_path, text)).warnings]
    assert keys == ["desk.admins", "smtp.max_size", "agent.kim.proof", "agent.lee"]


VERIFYING = changed(('host = "mail.acme.example"\nusername = "support@acme.example"\npassword = { file = "imap', (
    'host = "mail.acme.example"\nverify_dkim = true\nusername = "support@acme.example"\npassword = { file = "imap'
)))  # fmt: skip


def test_own_verification_of_dkim_is_off_by_default_and_proves_agents_where_it_is_on(tmp_path):
    """With it an agent who needs a pass may have one."""
    assert load(written(tmp_path)).mailboxes["support"].verify_dkim is False
    text = VERIFYING.replace('email = "kim@acme.example"', 'email = "kim@acme.example"\nproof = "pass"')
    config = load(written(tmp_path, text))
    assert config.mailboxes["support"].verify_dkim is True
    assert config.warnings == ()


@pytest.mark.parametrize("library", ["dkim", "dns"])
def test_own_verification_of_dkim_without_its_extra_is_refused(tmp_path, monkeypatch, capsys, library):
    """The desk does not start without, and both `check` and `run` say what to install."""
    monkeypatch.setitem(sys.modules, library, None)  # as where it is not installed
    path = written(tmp_path, VERIFYING)
    words = (
        "config.toml:13: mailbox.support.verify_dkim = true: needs dkimpy and dnspython, which are not installed; "
        "pip install 'mailtickets[dkim]', or leave the key out"
    )
    assert said_about(path) == words
    for command in ("check", "run"):
        monkeypatch.setattr(sys, "argv", ["mailtickets", "--config", str(path), command])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 78
        said = capsys.readouterr()
        assert "pip install 'mailtickets[dkim]'" in said.out + said.err
    load(written(tmp_path))  # nobody else needs it


def test_ways_to_tell_the_admins_of_an_outage(tmp_path):
    """Mail, a command and another account, in any number; the default is mail."""
    assert load(written(tmp_path)).desk.alert == ("mail",)
    ways = 'alert = ["mail", { command = ["/usr/local/bin/page", "-v"] }, { smtp_account = "other" }]'
    text = (
        changed(("admins = ", f"{ways}\nadmins = ")) + '\n[smtp_account.other]\nhost = "mail.other.example"\n'
    )
    config = load(written(tmp_path, text))
    assert config.desk.alert == (
        "mail",
        Route(command=("/usr/local/bin/page", "-v")),
        Route(smtp_account="other"),
    )
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("ways", "key"),
    [("[]", "desk.alert"), ('["mail", { smtp_account = "other" }]', "desk.alert[2]")],
    ids=["nobody", "the-same-server"],
)
def test_a_second_way_that_is_none_is_warned_about(ways, key, tmp_path):
    """No way at all, or the account that alarms go by anyway: an outage of it would go unheard."""
    text = changed(
        ("admins = ", f"alert = {ways}\nadmins = "),
        ('tag = "SUP"', 'tag = "SUP"\nsmtp = "other"'),
    )
    text += '\n[smtp_account.other]\nhost = "mail.other.example"\n'
    assert [warning.key for warning in load(written(tmp_path, text)).warnings] == [key]


def test_a_desk_may_have_no_mailbox_and_no_agents(tmp_path):
    """Mail by `receive` only, and nobody told: allowed, and warned about."""
    start, end = SHORT.index("[mailbox.support]"), SHORT.index("[queue.support]")
    text = (SHORT[:start] + SHORT[end:]).replace('["kim", "lee"]', "[]")
    config = load(written(tmp_path, text))
    assert config.queues["support"].mailbox == ""
    assert {"mailbox", "queue.support.agents"} <= {warning.key for warning in config.warnings}


def test_a_missing_file_says_how_to_get_one(tmp_path):
    """`load` and `find_config` point to `mailtickets init`."""
    assert said_about(tmp_path / "config.toml") == (
        "config.toml: not found; write one with `mailtickets init`, or name it with --config"
    )


def test_the_default_places_are_tried_in_order(tmp_path, monkeypatch):
    """--config first, then ./config.toml, then the one in /etc."""
    etc = tmp_path / "etc.toml"
    monkeypatch.setattr(config_module, "DEFAULT_PATHS", (Path("config.toml"), etc))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigInvalid, match=r"not found \(looked for config\.toml and "):
        find_config()
    etc.touch()
    assert find_config() == etc
    written(tmp_path)
    assert find_config() == Path("config.toml")
    assert find_config("other.toml") == Path("other.toml")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'[desk]\nname = "\xff"\n', "config.toml:2: not UTF-8 text; save the file as UTF-8"),
        (b"x = " + b"[" * 5000, "config.toml:1: nested too deeply; no key needs more than a list in a table"),
        (b"#" * 1_000_001, "config.toml: larger than 1000000 bytes; name the right file"),
    ],
)
def test_what_is_no_config_file_is_refused(raw, said, tmp_path):
    """Bytes of another kind, deep nesting and huge files end in one sentence."""
    path = tmp_path / "config.toml"
    path.write_bytes(raw)
    assert said_about(path) == said


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path):
    """A file saved by a Windows editor is the same configuration, with the same lines in messages."""
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SHORT.replace("\n", "\r\n").encode())
    assert load(path).desk.name == "Acme Support"
    path.write_bytes(SHORT.replace('"SUP"', '"x"').replace("\n", "\r\n").encode())
    assert said_about(path).startswith("config.toml:18: queue.support.tag")


@pytest.mark.fault("Reload", "half-written file")
def test_a_file_cut_off_anywhere_never_crashes_the_loader(tmp_path, book):
    """A half-written file is refused or (at a line that makes it whole) accepted, never anything else."""
    path = tmp_path / "config.toml"
    raw = SHORT.encode()
    for end in range(len(raw)):
        path.write_bytes(raw[:end])
        try:
            load(path)
        except ConfigInvalid as refused:
            assert refused.problems  # noqa: PT017 - either outcome is right
    book(runs=len(raw))


def test_corrupting_any_value_names_the_line(tmp_path):
    """Whatever value of the short path is broken, a problem on that very line is among those said."""
    lines = SHORT.split("\n")
    for number, line in enumerate(lines, 1):
        if " = " not in line:
            continue
        bad = [*lines]
        bad[number - 1] = line.partition(" = ")[0] + " = 3.5"
        path = written(tmp_path, "\n".join(bad))
        with pytest.raises(ConfigInvalid) as refused:
            load(path)
        assert number in [problem.line for problem in refused.value.problems], line


def test_no_message_shows_a_secret_however_the_file_is_broken(tmp_path):
    """A thousand random mutilations of a file with passwords: no message and no warning shows one."""
    text = changed(
        ('password = { file = "smtp-password" }', 'password = "hunter2-smtp"'),
        ('password = { file = "imap-password" }', 'password = "hunter2-imap"'),
    )
    chance = random.Random(20260131)
    for _ in range(1000):
        letters = list(text)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(letters))
            letters[at] = chance.choice(['"', "=", "\n", "[", "]", "", "x", "#", "'", " "])
        path = written(tmp_path, "".join(letters), chance.choice([0o600, 0o644]))
        try:
            said = repr(load(path))
        except ConfigInvalid as refused:
            said = str(refused)
        assert "hunter2" not in said, said


@pytest.mark.parametrize("key", ["pasword", "pxassword", "pw", "user_pw", "wachtwoord", "key"])
def test_an_unknown_key_of_an_account_may_hold_a_password(key, tmp_path):
    """Its value is not shown."""
    said = said_about(
        written(tmp_path, changed(('password = { file = "imap-password" }', f'{key} = "hunter2"')))
    )
    assert f'mailbox.support.{key} = "***": is no known key' in said


def test_a_slip_in_another_key_shows_what_is_written(tmp_path):
    """`pol` is nearly `poll`, which is no secret."""
    said = said_about(written(tmp_path, SHORT + '\n[mailbox.other]\nhost = "h"\npol = "10s"\n'))
    assert 'mailbox.other.pol = "10s": is no known key; did you mean "poll"?' in said


def test_an_unreadable_file_is_refused_in_words(tmp_path):
    """A folder in place of the file ends in one sentence."""
    (tmp_path / "config.toml").mkdir()
    assert said_about(tmp_path / "config.toml").startswith("config.toml: cannot be read")
