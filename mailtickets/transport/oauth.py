"""OAuth2 access tokens from a command of the admin's. Knows no provider and no login flow."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Sequence

from mailtickets.errors import CredentialUnavailable
from mailtickets.secrets_source import MASK

# Gives a token; called with True after a server refused the last one.
TokenSource = Callable[[bool], str]

# A long word of RFC 7235's token68 with a capital, a small letter and a digit; paths and host names are none.
_TOKEN = re.compile(
    r"(?=[a-z0-9._~+/=-]*[A-Z])(?=[A-Z0-9._~+/=-]*[a-z])(?=[A-Za-z._~+/=-]*[0-9])[A-Za-z0-9._~+/=-]{20,}"
)
MAX_TOKEN_LETTERS = 16_384  # Microsoft's tokens reach 4 KB; anything above this is no token


class TokenCommand:
    """A token that a command prints, kept until a server refuses it.

    argv             program and arguments; no shell.
    timeout_seconds  after which the command is killed.

    Safe to share between threads: while one runs the command the others wait for its token.
    """

    def __init__(self, argv: Sequence[str], timeout_seconds: float = 30.0) -> None:
        self._argv = tuple(argv)
        self._timeout_seconds = timeout_seconds
        self._token = ""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Return the program only: its arguments and the token may be secrets."""
        return f"TokenCommand({self._argv[:1]})"

    def token(self, refresh: bool = False) -> str:
        """Return the token; run the command when there is none yet or the last one was refused.

        Raises CredentialUnavailable. How long a token lives is not known here, so it is used
        until a login with it fails.
        """
        with self._lock:
            if refresh or not self._token:
                self._token = ""
                self._token = self._run()
            return self._token

    def _run(self) -> str:
        program = self._argv[0] if self._argv else ""
        remedy = "run the token command by hand, as the user that mailtickets runs as"
        try:
            done = subprocess.run(
                self._argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            reason = f"the token command {program} gave no token within {self._timeout_seconds:g} seconds"
            raise CredentialUnavailable(reason, remedy) from None
        except (OSError, ValueError, IndexError) as error:
            reason = f"the token command {program} cannot be run: {error}"
            raise CredentialUnavailable(reason, "check token = { command = [...] }") from None
        if done.returncode != 0:
            # Standard error may explain it, but for what looks like a token in it; standard output is never shown.
            said = _TOKEN.sub(MASK, done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2])[:200]
            reason = f"the token command {program} ended with exit code {done.returncode}"
            raise CredentialUnavailable(reason + (f" ({said})" if said else ""), remedy)
        token = done.stdout.decode("utf-8", "replace").strip()
        if not token:
            raise CredentialUnavailable(f"the token command {program} printed nothing", remedy)
        if len(token) > MAX_TOKEN_LETTERS or not token.isascii() or not token.isprintable() or " " in token:
            raise CredentialUnavailable(
                f"the token command {program} printed something that is no token", remedy
            )
        return token
