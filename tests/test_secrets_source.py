"""Where passwords come from, and that nothing shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtickets.errors import CredentialUnavailable
from mailtickets.secrets_source import Secret


def test_secrets_come_from_where_the_file_says(tmp_path, monkeypatch):
    """File, environment, command and systemd credential each give their first line."""
    (tmp_path / "secret").write_text("from file\r\nsecond line\n", encoding="utf-8")
    monkeypatch.setenv("MAILTICKETS_TEST_SECRET", "from environment")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Secret(file=tmp_path / "secret").resolve() == "from file"
    assert Secret(env="MAILTICKETS_TEST_SECRET").resolve() == "from environment"
    assert Secret(command=("printf", "from command\\nx")).resolve() == "from command"
    assert Secret(credential="secret").resolve() == "from file"


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (Secret(file=Path("/no/such/file")), "file /no/such/file does not exist; write the password into it"),
        (Secret(file=Path("/")), "file / cannot be read"),
        (Secret(file=Path("/dev/null")), "file /dev/null is empty; put the password on its first line"),
        (Secret(file=Path("/dev/zero")), "file /dev/zero is too large for a password"),
        (Secret(env="MAILTICKETS_NOT_SET"), "variable MAILTICKETS_NOT_SET is not set in the environment"),
        (Secret(command=("/no/such/program",)), "command /no/such/program does not exist"),
        (Secret(command=("/",)), "command / cannot be run"),
        (
            Secret(command=("sh", "-c", "echo hunter2 >&2; exit 3")),
            "command sh failed with exit code 3; run it by hand",
        ),
        (Secret(credential="smtp"), "systemd credential smtp is only there when systemd starts mailtickets"),
    ],
)
def test_a_secret_that_cannot_be_had_says_what_to_do(secret, reason, monkeypatch):
    """The error names the place and the remedy, and nothing that the place printed."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(CredentialUnavailable) as missing:
        secret.resolve()
    assert str(missing.value).startswith(reason)
    assert "hunter2" not in str(missing.value)


def test_a_secret_shows_its_source_and_never_itself():
    """repr, str and format of a secret hold nothing of it."""
    secret = Secret(text="hunter2")
    assert (
        f"{secret} {secret!r} {secret.source}" == "*** Secret(the config file itself) the config file itself"
    )
