"""A private Postfix on 127.0.0.1, which hands everything to an LMTP server. Needs root; starts in about two seconds.

For one end-to-end test: what a real mail server puts on top of a mail and what it says to our client.
"""

from __future__ import annotations

import pwd
import shutil
import smtplib
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import patience
from tests.support.dovecot import DOMAIN, free_ports

_MAIN = """\
compatibility_level = 3.6
config_directory = {root}/etc
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/log/postfix.log
maillog_file_prefixes = {root}
myhostname = mx.desk.example
mydestination =
relay_domains = {domain}
transport_maps = static:lmtp:inet:127.0.0.1:{lmtp}
alias_maps =
local_recipient_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
smtp_tls_security_level = none
smtpd_recipient_restrictions = permit_mynetworks, reject
message_size_limit = 1000000
"""

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
lmtp      unix  - - n - - lmtp
error     unix  - - n - - error
retry     unix  - - n - - error
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """One server; `with Postfix(dovecot.lmtp) as postfix:`."""

    def __init__(self, lmtp: int) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="postfix-"))
        self.port = free_ports(1)[0]
        self._lmtp = lmtp

    def __enter__(self) -> Self:
        for name in ("etc", "queue", "data", "log"):
            (self.root / name).mkdir()
        self.root.chmod(0o755)
        shutil.chown(self.root / "data", pwd.getpwnam("postfix").pw_uid)
        values = {"root": self.root, "domain": DOMAIN, "lmtp": self._lmtp, "port": self.port}
        (self.root / "etc" / "main.cf").write_text(_MAIN.format(**values))
        (self.root / "etc" / "master.cf").write_text(_MASTER.format(**values))
        self._postfix("start")
        deadline = time.monotonic() + 20 * patience.TIMES
        while True:
            try:
                smtplib.SMTP("127.0.0.1", self.port, timeout=5).quit()
            except OSError:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"Postfix did not start:\n{self.log()}") from None
                time.sleep(0.05)
            else:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._postfix("stop")
        shutil.rmtree(self.root, ignore_errors=True)

    def log(self) -> str:
        """Return what it has said so far."""
        file = self.root / "log" / "postfix.log"
        return file.read_text() if file.exists() else ""

    def _postfix(self, command: str) -> None:
        done = subprocess.run(
            ("/usr/sbin/postfix", "-c", self.root / "etc", command), capture_output=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"postfix {command}: {done.stderr.decode()}\n{self.log()}")
