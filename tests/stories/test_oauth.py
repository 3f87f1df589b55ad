"""A mailbox that wants OAuth2: a real Dovecot checks the tokens that the admin's command prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.oauth_dovecot import OAuthDovecot
from tests.support.process import DeskProcess
from tests.support.smtp_sink import SmtpSink

ANA, BEN = "Ana Client <ana@customer.example>", "Ben <ben@customer.example>"

MAILBOX = """\
host = "127.0.0.1"
port = {imap_port}
security = "none"
username = "{user}"
auth = "oauth2"
token = {{ command = ["cat", "TOKEN"] }}
"""


@pytest.fixture
def server() -> Iterator[OAuthDovecot]:
    with OAuthDovecot() as made:
        yield made


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """The file that the token command prints."""
    return tmp_path / "token"


@pytest.fixture
def desk(
    tmp_path: Path, server: OAuthDovecot, sink: SmtpSink, account: str, token: Path
) -> Iterator[DeskProcess]:
    made = DeskProcess(tmp_path, server, sink, account, mailbox=MAILBOX.replace("TOKEN", str(token)))
    yield made
    made.stop()


@pytest.mark.dovecot
def test_mail_is_taken_by_token_and_a_refused_token_is_renewed(
    desk: DeskProcess, server: OAuthDovecot, token: Path
):
    """A token is used until the server refuses it; then the command is asked for another one, and nobody is troubled."""
    token.write_text(server.token(desk.user))
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    assert f"user=<{desk.user}>, method=XOAUTH2" in server.log()

    server.stop()
    server.renew_key()
    token.write_text(server.token(desk.user))
    server.start()
    desk.writes(BEN, "My scanner is wet.")
    desk.wait_to("ben@customer.example", 1, 25)
    assert "auth failed, 1 attempts" in server.log(), "the old token was tried, and refused"
    assert "the server refused user" not in desk.log
    assert desk.at_rest(2)["on_tickets"] == 2
    assert desk.to("it@desk.example") == []


@pytest.mark.dovecot
def test_a_token_that_stays_refused_is_told_in_one_sentence(
    desk: DeskProcess, server: OAuthDovecot, token: Path
):
    """The log and the admins hear what to check, the server is left in peace; a good token and a reload mend it."""
    expired = server.token(desk.user, seconds=-5)
    token.write_text(expired)
    desk.start(ready=False)
    told = desk.wait_to("it@desk.example", 1, 40)[0]
    line = desk.wait_log("again_in_seconds=900")
    for words in (" ".join(told.text.lower().split()), line):
        assert f"the server refused user {desk.user}" in words
        assert "check [mailbox.support] username and token" in words
    assert "mailbox support cannot be read" in line
    assert desk.log.count("cannot be read") <= 2
    for part in expired.split("."):
        assert part not in desk.log + told.everything
    desk.wait(
        lambda: server.log().count("auth failed") == 2,
        "the kept token, and the one that the command gave anew",
    )
    code, words = desk.run("status")
    assert (code, "the server refused user" in words) == (1, True)

    token.write_text(server.token(desk.user))
    desk.reload()
    desk.wait_log(" reloaded ")
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    assert "cannot be read" in desk.wait_to("it@desk.example", 2)[1].text
    assert server.log().count("auth failed") == 2
    assert desk.run("status")[0] == 0
