"""A Dovecot that lets people in by access tokens (XOAUTH2): signed by us, checked by Dovecot itself, without a provider."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Self

from tests.support.dovecot import Dovecot

_ACCOUNTS = """\
auth_mechanisms = plain login xoauth2
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {root}/oauth2.conf
}}
"""

_TOKENS = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={root}/keys/
username_attribute = sub
"""


class OAuthDovecot(Dovecot):
    """Takes tokens beside the usual password; `token` makes one, `renew_key` makes all that there are worthless."""

    def start(self, timeout: float = 20.0) -> Self:
        self.extra = _ACCOUNTS.format(root=self.root)
        (self.root / "oauth2.conf").write_text(_TOKENS.format(root=self.root))
        if not self._key_file.exists():
            self.renew_key()
        super().start(timeout)
        return self

    def renew_key(self) -> None:
        """Take another key, from the next start on: what the one before signed is refused then."""
        self._key = secrets.token_bytes(32)
        self._key_file.parent.mkdir(parents=True, exist_ok=True)
        self._key_file.write_bytes(base64.b64encode(self._key))

    def token(self, user: str, seconds: float = 3600) -> str:
        """Return a token for a user that is good for so long (JWT, RFC 7519, HS256)."""
        now = int(time.time())
        claims = {"sub": user, "iat": now - 60, "exp": int(now + seconds)}
        signed = f"{_base64(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode())}.{_base64(json.dumps(claims).encode())}"
        return f"{signed}.{_base64(hmac.digest(self._key, signed.encode(), hashlib.sha256))}"

    @property
    def _key_file(self) -> Path:
        # By issuer's client, algorithm and id of the key.
        return self.root / "keys" / "default" / "HS256" / "default"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
