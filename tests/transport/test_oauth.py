"""Tokens from a command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mailtickets.errors import CredentialUnavailable
from mailtickets.transport.oauth import TokenCommand

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyMSJ9.c2VjcmV0LXNpZ25hdHVyZQ"


def counting(tmp_path: Path) -> TokenCommand:
    """A command that prints token1, token2... at each run."""
    script = (
        "import pathlib, sys; p = pathlib.Path(sys.argv[1]);"
        "n = int(p.read_text()) + 1 if p.exists() else 1; p.write_text(str(n)); print(f'  token{n}  ')"
    )
    return TokenCommand([sys.executable, "-c", script, str(tmp_path / "count")])


def test_a_token_is_kept_until_it_is_refused(tmp_path: Path):
    """White space around it is no part of it."""
    source = counting(tmp_path)
    assert [source.token(), source.token(), source.token(True), source.token()] == [
        "token1",
        "token1",
        "token2",
        "token2",
    ]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import sys; print('secret'); sys.exit('login expired')", "exit code 1 (login expired)"),
        (f"import sys; sys.exit('Bearer {TOKEN} was refused')", "exit code 1 (Bearer *** was refused)"),
        (
            "import sys; sys.exit('no file /etc/mailtickets/client-2.json')",
            "(no file /etc/mailtickets/client-2.json)",
        ),
        ("pass", "printed nothing"),
        ("print('two words')", "printed something that is no token"),
        ("print('x' * 20000)", "printed something that is no token"),
        ("import time; time.sleep(60)", "gave no token within 0.5 seconds"),
    ],
)
def test_a_command_that_fails_says_why_and_not_the_token(script: str, words: str):
    """Exit code and standard error, never standard output."""
    source = TokenCommand([sys.executable, "-c", script], timeout_seconds=0.5 if "sleep" in script else 30)
    with pytest.raises(CredentialUnavailable) as caught:
        source.token()
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not any(part in str(caught.value) for part in TOKEN.split("."))


@pytest.mark.parametrize("argv", [["/nonexistent/program"], [], ["nul\0byte"]])
def test_a_command_that_cannot_be_run_is_told(argv: list[str]):
    """With the key to check."""
    with pytest.raises(CredentialUnavailable, match="check token"):
        TokenCommand(argv).token()


def test_the_arguments_are_not_shown(tmp_path: Path):
    """They may hold a secret."""
    assert "hunter2" not in repr(TokenCommand(["get-token", "--secret", "hunter2"]))
