"""Where a password or token comes from. Holds the way to it, shows it to nobody, reads it when asked.

A secret is read anew on every `resolve()`, so that a changed password is used at the next login
without a reload.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from mailtickets.errors import CredentialUnavailable

MASK = "***"
MAX_SECRET_BYTES = 64_000  # an OAuth2 token has a few thousand; more is a file named by mistake
COMMAND_SECONDS = 30  # a password manager that asks a person would hang the daemon


@dataclass(frozen=True, slots=True)
class Secret:
    """One of: a file, a variable of the environment, a command, a systemd credential, or the text itself.

    Exactly one field is set. `str()` and `repr()` never show the secret.
    """

    file: Path | None = None
    env: str = ""
    command: tuple[str, ...] = ()
    credential: str = ""
    text: str = field(default="", repr=False)

    @property
    def is_literal(self) -> bool:
        """True where the secret itself stands in the config file."""
        return bool(self.text)

    @property
    def source(self) -> str:
        """Where it comes from, in words, without the secret."""
        if self.file is not None:
            return f"file {self.file}"
        if self.env:
            return f"variable {self.env} of the environment"
        if self.command:
            return f"command {self.command[0]}"
        if self.credential:
            return f"systemd credential {self.credential}"
        return "the config file itself"

    def __repr__(self) -> str:
        return f"Secret({self.source})"

    def __str__(self) -> str:
        return MASK

    def resolve(self) -> str:
        """Return the secret: the first line of what the source gives.

        Raises CredentialUnavailable with a reason and a remedy.
        """
        if self.text:
            return self.text
        if self.file is not None:
            return _first_line(_read(self.file), self.source)
        if self.env:
            return _first_line(_variable(self.env), self.source)
        if self.command:
            return _first_line(_output(self.command), self.source)
        return _first_line(_read(_credential_path(self.credential)), self.source)


def _first_line(raw: str, source: str) -> str:
    # "pass show x" prints the password first and notes below it; editors end a file with a newline.
    line = raw.split("\n", 1)[0].rstrip("\r")
    if not line:
        raise CredentialUnavailable(f"{source} is empty", "put the password on its first line")
    return line


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SECRET_BYTES + 1)
    except FileNotFoundError:
        raise CredentialUnavailable(
            f"file {path} does not exist", "write the password into it and run chmod 600 on it"
        ) from None
    except OSError as error:
        raise CredentialUnavailable(
            f"file {path} cannot be read ({error.strerror})", "let the user that runs mailtickets read it"
        ) from None
    if len(raw) > MAX_SECRET_BYTES:
        raise CredentialUnavailable(f"file {path} is too large for a password", "name the right file")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise CredentialUnavailable(f"file {path} is not UTF-8 text", "name the right file") from None


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise CredentialUnavailable(
            f"variable {name} is not set in the environment", f"set {name} where mailtickets is started"
        )
    return value


def _credential_path(name: str) -> Path:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise CredentialUnavailable(
            f"systemd credential {name} is only there when systemd starts mailtickets",
            f"add LoadCredential={name}:/path/of/the/file to the unit and start it with systemctl",
        )
    return Path(folder) / name


def _output(command: tuple[str, ...]) -> str:
    # What the command wrote to standard error stays unsaid: it may hold the secret.
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS, check=False
        )
    except FileNotFoundError:
        raise CredentialUnavailable(
            f"command {command[0]} does not exist", "write its full path, each argument as its own string"
        ) from None
    except subprocess.TimeoutExpired:
        raise CredentialUnavailable(
            f"command {command[0]} did not end within {COMMAND_SECONDS} s", "use a command that asks nobody"
        ) from None
    except OSError as error:
        raise CredentialUnavailable(
            f"command {command[0]} cannot be run ({error.strerror})", "let mailtickets' user run it"
        ) from None
    if done.returncode:
        raise CredentialUnavailable(
            f"command {command[0]} failed with exit code {done.returncode}",
            "run it by hand as the user that runs mailtickets",
        )
    return done.stdout[:MAX_SECRET_BYTES].decode("utf-8", "replace")
