"""`check` and `init` where the mail servers want OAuth2: tokens from a command, checked by a real Dovecot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.oauth_dovecot import OAuthDovecot
from tests.support.scripted import ScriptedSmtp
from tests.test_config import SHORT
from tests.test_setup_commands import run

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
    assert "smtp: 127.0.0.1 would take our mail" in said

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
