"""`init` and `check`: from nothing to a configuration that works, with real servers."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mailtickets.cli.check import check
from mailtickets.cli.guesses import (
    guessed_host,
    guessed_name,
    guessed_tag,
    guessed_zone,
    person,
)
from mailtickets.cli.init import init
from mailtickets.config import load
from mailtickets.config_calendar import calendar_of
from mailtickets.config_writing import Answers, Person, Server, config_text, write_config
from mailtickets.mail.authentication import authserv_ids, is_likely_own
from tests.support.dovecot import PROGRAM, Dovecot
from tests.support.smtp_sink import SmtpSink
from tests.test_config import SHORT

needs_dovecot = pytest.mark.skipif(
    not PROGRAM.exists() and not os.environ.get("CI"),
    reason="dovecot-imapd is not installed; `make test` does it",
)


@click.group()
@click.option("--config")
def desk(config):
    """Stand in for the whole command line: only --config and the two commands."""


desk.add_command(init)
desk.add_command(check)


def run(*arguments, text=None, env=None):
    """Run a command line and return its exit code and everything it printed."""
    result = CliRunner().invoke(desk, [str(argument) for argument in arguments], input=text, env=env)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def mode(path):
    """Return the permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def names(folder):
    """Return what is in a folder."""
    return [path.name for path in folder.iterdir()]


@pytest.fixture(scope="module")
def dovecot():
    """One private Dovecot for the module."""
    with Dovecot() as server:
        yield server


@pytest.fixture
def sink():
    """Give a private SMTP server that wants no login."""
    with SmtpSink() as server:
        yield server


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Give an empty folder to stand in, and no passwords in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("MAILTICKETS_IMAP_PASSWORD", "MAILTICKETS_SMTP_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def options(*more):
    """Return options for `init` that need no network."""
    return (
        "init", "--no-input", "--no-test", "--address", "support@acme.example", "--imap-host", "mail.acme.example",
        "--imap-password", "hunter2", "--smtp-host", "smtp.acme.example", "--smtp-password", "hunter3",
        "--agent", "Kim Archer <kim@acme.example>", *more,
    )  # fmt: skip


def with_servers(dovecot, sink, user, *more):
    """Return options for `init` that reach the private servers."""
    return (
        "init", "--address", f"{user}@desk.example", "--imap-host", "127.0.0.1", "--imap-port", dovecot.imaps,
        "--imap-security", "tls", "--imap-user", f"{user}@desk.example", "--ca-file", dovecot.ca_file,
        "--smtp-host", "127.0.0.1", "--smtp-port", sink.port, "--smtp-security", "none", "--smtp-user", "",
        *more,
    )  # fmt: skip


def test_init_from_options_writes_a_valid_private_configuration(home):
    """Three files of mode 0600; the passwords stand in their own; nothing is printed of them."""
    code, said = run(*options())
    assert code == 0, said
    assert "hunter" not in said
    assert [mode(home / name) for name in ("config.toml", "imap-password", "smtp-password")] == [0o600] * 3
    assert "hunter" not in (home / "config.toml").read_text()
    config = load(home / "config.toml")
    assert config.warnings == ()
    assert (config.desk.name, config.desk.admins, config.desk.store) == (
        "Acme Support", ("kim@acme.example",), home / "desk.db",
    )  # fmt: skip
    assert (config.queues["support"].tag, config.agents["kim"].name) == ("SUP", "Kim Archer")
    assert config.queues["support"].calendar == "office"
    office = calendar_of("office", config.calendars["office"]).in_words()
    assert office.startswith("Monday to Friday 09:00 to 17:00")
    assert config.mailboxes["support"].password.resolve() == "hunter2"
    assert config.smtp.password.resolve() == "hunter3"


def test_init_writes_no_calendar_for_a_desk_that_is_always_open(home):
    """--hours always leaves the calendar out; the time zone stands in the file."""
    code, said = run(*options("--hours", "always", "--timezone", "Europe/London"))
    assert code == 0, said
    config = load(home / "config.toml")
    assert (config.queues["support"].calendar, config.calendars) == ("", {})
    assert config.desk.timezone == "Europe/London"


def test_the_time_zone_is_guessed_from_the_machine(home):
    """TZ goes first, then where /etc/localtime leads; nonsense and nothing are UTC."""
    file = home / "zoneinfo" / "Europe" / "London"
    file.parent.mkdir(parents=True)
    file.touch()
    link = home / "localtime"
    link.symlink_to(file)
    assert guessed_zone("", link) == "Europe/London"
    assert guessed_zone(":Asia/Tokyo", link) == "Asia/Tokyo"
    assert guessed_zone("EST5EDT4,M3", home / "nowhere") == "UTC"


@pytest.mark.parametrize("taken", ["config.toml", "imap-password", "smtp-password"])
def test_init_overwrites_nothing(taken, home):
    """Where any of its files is there, also as a dead link, it writes none and names it."""
    (home / taken).symlink_to("nowhere")
    code, said = run(*options())
    assert code == 1
    assert said == (
        f"Error: {taken} exists, and init overwrites nothing; move it away, or name another place with --config\n"
    )
    assert names(home) == [taken]


def test_init_without_input_names_everything_that_is_missing(home):
    """A script learns all missing options at once; exit code 2."""
    code, said = run("init", "--no-input", "--name", "Acme")
    assert code == 2
    assert "--address, --imap-host, --imap-password, --smtp-host, --smtp-password, --agent" in said
    assert names(home) == []


def test_init_refuses_answers_that_make_no_valid_file(home):
    """An agent with the support address: every problem is shown and nothing is left behind."""
    code, said = run(*options("--agent", "Desk <support@acme.example>"))
    assert code == 1
    assert 'agent.support.email = "support@acme.example": is an address of queue.support' in said
    assert names(home) == []


def test_init_takes_passwords_from_the_environment(home):
    """Passwords need not stand in the list of processes."""
    arguments = [
        part for part in options() if part not in {"--imap-password", "--smtp-password", "hunter2", "hunter3"}
    ]
    code, said = run(*arguments, env={"MAILTICKETS_IMAP_PASSWORD": "hunter4"})
    assert code == 0, said
    assert load(home / "config.toml").smtp.password.resolve() == "hunter4"


def test_init_writes_where_config_says(home):
    """--config names the place; the next steps that it prints name it too."""
    (home / "etc").mkdir()
    code, said = run("--config", "etc/desk.toml", *options())
    assert code == 0, said
    assert (home / "etc" / "imap-password").exists()
    assert "mailtickets --config etc/desk.toml check" in said


@pytest.mark.dovecot
@needs_dovecot
def test_init_asks_tests_both_servers_and_asks_about_the_authserv_id(home, dovecot, sink):
    """A person answers; a wrong password is said and asked for again; the authserv-id is shown and trusted on yes."""
    raw = b"Authentication-Results: mx.desk.example; dmarc=pass header.from=customer.example\r\nFrom: ana@customer.example\r\n\r\nx\r\n"
    for _ in range(2):
        dovecot.deliver(raw, "init1@desk.example")
    user = "init1@desk.example"
    server = ["127.0.0.1", "tls", str(dovecot.imaps), user]
    typed = [
        "Acme & Söhne", "",  # name; the tag as guessed
        *server[1:], "wrong", "y", *server, "secret",
        "127.0.0.1", "none", str(sink.port), "-",  # asked for anew too: no option is believed any more
        "y",  # the authserv-id is ours
        "Kim Archer <kim@desk.example>", "nonsense", "lee@desk.example", "",
        "",  # the first agent is told of trouble
        "Europe/Londn", "Europe/London", "",  # office hours
    ]  # fmt: skip
    code, said = run(
        "init",
        "--address",
        user,
        "--ca-file",
        dovecot.ca_file,
        "--imap-host",
        "127.0.0.1",
        text="\n".join([*typed, ""]),
    )
    assert code == 0, said
    assert 'Of the 2 newest mails 2 carry Authentication-Results of "mx.desk.example"' in said
    assert '"nonsense" is not an e-mail address' in said
    assert "secret" not in said
    config = load(home / "config.toml")
    assert config.desk.name == "Acme & Söhne"
    assert config.desk.admins == ("kim@desk.example",)
    assert list(config.agents) == ["kim", "lee"]
    assert '"Europe/Londn" is not a time zone' in said
    assert (config.desk.timezone, config.calendars["office"].timezone) == ("Europe/London",) * 2
    assert config.mailboxes["support"].authserv_id == "mx.desk.example"
    assert config.mailboxes["support"].password.resolve() == "secret"
    assert (config.smtp.username, config.smtp.port) == ("", sink.port)


@pytest.mark.dovecot
@needs_dovecot
def test_check_says_in_order_and_connects(home, dovecot, sink):
    """After `init` against real servers, `check --connect` finds nothing, and exits 0."""
    more = (
        "--no-input",
        "--imap-password",
        "secret",
        "--agent",
        "kim@desk.example",
        "--admin",
        "it@desk.example",
    )
    code, said = run(*with_servers(dovecot, sink, "init2", *more))
    assert code == 0, said
    assert "logged in" in said
    code, said = run("check", "--connect")
    assert code == 0, said
    assert "mailbox.support: logged in at 127.0.0.1, folder INBOX is there" in said
    assert said.endswith("config.toml: in order\n")


@pytest.mark.dovecot
@needs_dovecot
def test_check_connect_tells_a_wrong_password_with_its_remedy(home, dovecot, sink):
    """One sentence that says what to do, exit code 78, and no password in it."""
    more = ("--no-input", "--no-test", "--imap-password", "hunter2", "--agent", "kim@desk.example")
    assert run(*with_servers(dovecot, sink, "init3", *more))[0] == 0
    sink.down()
    code, said = run("check", "--connect")
    assert code == 78
    assert "mailbox.support: " in said
    assert "password" in said
    assert "smtp: " in said
    assert "hunter2" not in said
    assert said.endswith("2 problems\n")


@pytest.mark.dovecot
@needs_dovecot
def test_init_in_a_script_stops_at_a_server_that_refuses(home, dovecot, sink):
    """With a wrong password nothing is written and the exit code is 1."""
    more = ("--no-input", "--imap-password", "wrong", "--agent", "kim@desk.example")
    code, said = run(*with_servers(dovecot, sink, "init4", *more))
    assert code == 1
    assert "nothing was written" in said
    assert names(home) == []


def test_check_prints_every_problem_and_exits_78(home):
    """An invalid file: all lines at once, with their number."""
    Path("config.toml").write_text(SHORT.replace('"SUP"', '"x"').replace('"lee"', '"le"'))
    code, said = run("check")
    assert code == 78
    assert said.splitlines()[0].startswith('config.toml:18: queue.support.tag = "x": not a tag')
    assert said.endswith("2 problems\n")


def test_check_finds_what_the_file_alone_does_not_show(home):
    """Missing password files, a store folder that is missing, readable secrets: each with its remedy."""
    Path("config.toml").write_text(SHORT.replace('"desk.db"', '"no/desk.db"'))
    Path("imap-password").write_text("hunter2\n")
    Path("imap-password").chmod(0o644)
    code, said = run("check")
    assert code == 78
    assert (
        f"warning: config.toml: mailbox.support.password: others on this machine can read {home}/imap-password (mode 644); chmod 600"
        in said.replace(f"{home}/config.toml", "config.toml")
    )
    assert f"smtp.password: file {home}/smtp-password does not exist; write the password into it" in said
    assert f"desk.store = {home}/no/desk.db: there is no folder {home}/no; mkdir -p {home}/no" in said
    assert "hunter2" not in said


def test_check_of_a_broken_template_names_its_file_and_line(home):
    """A broken override is a problem of the configuration, found before the daemon meets it."""
    folder = Path("words/en")
    folder.mkdir(parents=True)
    (folder / "closed.txt").write_text("Hello\n{{ nonsense }\n")
    text = SHORT + '\n[templates]\nfolder = "words"\n'
    Path("config.toml").write_text(text)
    for name in ("imap-password", "smtp-password"):
        Path(name).write_text("x\n")
        Path(name).chmod(0o600)
    code, said = run("check")
    assert code == 78
    assert "closed.txt:2" in said


def test_answers_become_the_same_configuration_whatever_letters_they_hold(tmp_path):
    """Quotes, backslashes and other scripts in names and passwords survive the file."""
    imap = Server("mail.acme.example", "starttls", 1143, "sup\\port", 'pa"ss\\wörd')
    smtp = Server("::1", "none", 25, "", "")
    people = (Person("kim", 'Kim "K" Archer \\ 木', "kim@acme.example"),)
    answers = Answers(
        'Ünï "x"', "support@acme.example", "SUP", "desk.db", imap, smtp, people, ("it@acme.example",)
    )
    config = write_config(tmp_path / "config.toml", answers)
    assert (config.desk.name, config.agents["kim"].name) == (answers.name, people[0].name)
    mailbox = config.mailboxes["support"]
    assert (mailbox.username, mailbox.port, mailbox.password.resolve()) == ("sup\\port", 1143, imap.password)
    assert (config.smtp.username, config.smtp.port) == ("", 25)
    assert not (tmp_path / "smtp-password").exists()
    assert "wörd" not in config_text(answers, "imap-password", "smtp-password")


def test_a_host_is_guessed_by_who_answers():
    """The first of the usual names that listens; mail.DOMAIN where none does."""
    assert (
        guessed_host("imap", "acme.example", 993, lambda host, _port: host == "acme.example")
        == "acme.example"
    )
    assert guessed_host("imap", "acme.example", 993, lambda _host, _port: True) == "imap.acme.example"
    assert guessed_host("imap", "acme.example", 993, lambda _host, _port: False) == "mail.acme.example"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kim Archer <kim@acme.example>", Person("kim", "Kim Archer", "kim@acme.example")),
        ("lee.moss@acme.example", Person("lee-moss", "Lee Moss", "lee.moss@acme.example")),
        ("007@acme.example", Person("agent-007", "007", "007@acme.example")),
        ("+@acme.example", Person("agent", "+", "+@acme.example")),
        ('"Moss, Lee" <kim@acme.example>', Person("kim-2", "Moss, Lee", "kim@acme.example")),
    ],
)
def test_agents_get_a_key_from_their_address(text, expected):
    """The key is usable in commands and unlike the keys before."""
    taken = ["kim"] if expected.key == "kim-2" else []
    assert person(text, taken) == expected


def test_names_and_tags_are_guessed_from_the_address():
    """Small things that the Enter key should get right."""
    assert guessed_name("support@acme.example") == "Acme Support"
    assert [guessed_tag(f"{local}@x") for local in ("support", "billing", "it", "a", "24h")] == [
        "SUP", "BIL", "IT", "DESK", "DESK",
    ]  # fmt: skip


def test_only_the_topmost_authentication_results_count():
    """A forged line further down, a line without a version or with a comment: RFC 8601 section 2.2."""
    heads = [
        (
            ("Received", "x"),
            ("Authentication-Results", "mx.acme.example; dmarc=pass"),
            ("Authentication-Results", "evil.example; dmarc=pass"),
        ),
        (("authentication-results", " MX.acme.example 1; none"),),
        (("Authentication-Results", "no semicolon"),),
        (("Subject", "x"),),
    ]
    assert authserv_ids(heads) == {"mx.acme.example": 2}
    assert is_likely_own("mx.acme.example", ["mail.acme.example"])
    assert not is_likely_own("evil.example", ["mail.acme.example"])
