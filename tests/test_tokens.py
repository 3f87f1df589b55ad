"""`check` and `init` where the mail servers want OAuth2: tokens from a command, checked by a real Dovecot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtickets.config import load
from tests.support.oauth_dovecot import OAuthDovecot
from tests.support.scripted import ScriptedSmtp
from tests.test_config import SHORT
from tests.test_setup_commands import mode, names, run

pytestmark = pytest.mark.dovecot


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Give an empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def imap() -> Iterator[OAuthDovecot]:
    with OAuthDovecot() as server:
        yield server


@pytest.fixture
def smtp() -> Iterator[ScriptedSmtp]:
    """An SMTP server that wants the token `sesame`."""
    with ScriptedSmtp(token="sesame", extensions=[b"AUTH XOAUTH2"]) as server:
        yield server


def oauth_options(imap, smtp, *more):
    """Return options for `init` that log in at both private servers by token."""
    return (
        "init", "--address", "support@desk.example", "--imap-host", "127.0.0.1", "--imap-port", imap.imap,
        "--imap-security", "none", "--imap-user", "support", "--smtp-host", "127.0.0.1", "--smtp-port", smtp.port,
        "--smtp-security", "none", "--agent", "kim@desk.example", *more,
    )  # fmt: skip


def test_init_logs_in_by_tokens_and_writes_no_password(home, imap, smtp):
    """From options: both servers are tried with what the commands print; one file of mode 0600 comes of it, no token in it."""
    Path("imap token").write_text(imap.token("support"))
    Path("smtp-token").write_text("stale")
    commands = (
        "--no-input", "--imap-token-command", f"cat '{home}/imap token'",
        "--smtp-token-command", f"cat {home}/smtp-token",
    )  # fmt: skip
    code, said = run(*oauth_options(imap, smtp, *commands))
    assert code == 1
    assert "logged in" in said
    assert "token expired" in said
    assert "nothing was written" in said
    assert sorted(names(home)) == ["imap token", "smtp-token"]

    Path("smtp-token").write_text("sesame")
    code, said = run(*oauth_options(imap, smtp, *commands))
    assert code == 0, said
    assert "it lets us in" in said
    assert sorted(names(home)) == ["config.toml", "imap token", "smtp-token"]
    assert mode(home / "config.toml") == 0o600
    config = load(home / "config.toml")
    assert config.warnings == ()
    mailbox = config.mailboxes["support"]
    assert (mailbox.auth, mailbox.token.command) == ("oauth2", ("cat", f"{home}/imap token"))
    assert (config.smtp.auth, config.smtp.username) == ("oauth2", "support")
    assert "sesame" not in (home / "config.toml").read_text() + said
    code, said = run("check", "--connect")
    assert code == 0, said


def test_init_asks_for_a_token_command(home, imap, smtp):
    """The answer oauth2 in place of a password asks for it; the other server takes it over with Enter; a refused token is told."""
    token, command = home / "token", f"cat {home}/token"
    token.write_text(imap.token("support", seconds=-5))
    smtp.token = imap.token("support")
    (home / "good").write_text(smtp.token)
    imap_server = ["127.0.0.1", "none", str(imap.imap), "support"]
    typed = [
        "Acme", "",  # name; the tag as guessed
        "oauth2", "cat 'unclosed", command,
        "y", *imap_server, "", f"cat {home}/good",  # refused; OAuth2 as before, with another command
        "127.0.0.1", "none", str(smtp.port), "", "", "",  # user, OAuth2 and command as before
        "", "", "",  # admin, time zone, hours
    ]  # fmt: skip
    arguments = [str(part) for part in oauth_options(imap, smtp)]
    asked = [*arguments[: arguments.index("--smtp-host")], "--agent", "kim@desk.example"]
    code, said = run(*asked, text="\n".join([*typed, ""]))
    assert code == 0, said
    assert "the server refused user support" in said
    assert "check [mailbox.support] username and token" in said
    assert "write a program and its arguments" in said
    config = load(home / "config.toml")
    for account in (config.mailboxes["support"], config.smtp):
        assert account.token.command == ("cat", f"{home}/good")
    assert not (home / "imap-password").exists()
    assert smtp.token not in said + (home / "config.toml").read_text()


def test_check_connect_logs_in_by_tokens(home, imap, smtp):
    """Both servers by OAuth2, each with its own command; where a token is refused, the key to look at; no token is shown."""
    text = SHORT
    for name, port in (("imap", imap.imap), ("smtp", smtp.port)):
        by_password = f'host = "mail.acme.example"\nusername = "support@acme.example"\npassword = {{ file = "{name}-password" }}'
        assert by_password in text
        text = text.replace(
            by_password,
            f'host = "127.0.0.1"\nport = {port}\nsecurity = "none"\nusername = "support"\nauth = "oauth2"\n'
            f'token = {{ command = ["cat", "{home}/{name}-token"] }}',
        )
    Path("config.toml").write_text(text)
    good, expired = imap.token("support"), imap.token("support", seconds=-5)
    Path("imap-token").write_text(good)
    Path("smtp-token").write_text("sesame\n")
    code, said = run("check", "--connect")
    assert code == 0, said
    assert "mailbox.support: logged in at 127.0.0.1, folder INBOX is there" in said
    assert "smtp: logged in at 127.0.0.1 as support; whether it takes mail from us" in said

    Path("imap-token").write_text(expired)
    Path("smtp-token").write_text("stale-token")
    code, said = run("check", "--connect")
    assert code == 78
    assert "the server refused user support" in said
    assert "check [mailbox.support] username and token" in said
    assert "check [smtp] username and token" in said
    assert said.endswith("2 problems\n")
    for token in (*expired.split("."), "stale-token"):
        assert token not in said
