"""A private, throw-away Dovecot on 127.0.0.1, as root or as any user. No system configuration is read or touched.

Every user name exists, with the password `secret`; `ana+x@...` lands in ana's INBOX. A new user
name is a new, empty account, so tests share one server and never clean up.
"""

from __future__ import annotations

import contextlib
import grp
import imaplib
import os
import pwd
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import patience

PROGRAM = Path("/usr/sbin/dovecot")
PASSWORD = "secret"
DOMAIN = "desk.example"

_CONFIG = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
info_log_path = {root}/dovecot.log
instance_name = {instance}
protocols = imap lmtp
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {login_user}
first_valid_uid = 1
mail_location = {layout}:{root}/mail/%n
mail_fsync = never
auth_mechanisms = plain login
auth_failure_delay = 0
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{root}/tls/cert.pem
ssl_key = <{root}/tls/key.pem
ssl_dh =
recipient_delimiter = +
lmtp_save_to_detail_mailbox = no
mail_max_userip_connections = 100
{rootless}{extra}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service imap {{
  service_count = 100
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
passdb {{
  driver = static
  args = password=secret allow_nets=127.0.0.0/8
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/home/%n
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"""

# Only root may chroot.
_ROOTLESS = """\
service anvil {
  chroot =
}
service imap-login {
  chroot =
}
service stats {
  chroot =
}
"""


def free_ports(count: int) -> list[int]:
    """Return port numbers of 127.0.0.1 that nobody uses now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def make_certificates(folder: Path, names: str = "DNS:localhost,IP:127.0.0.1", days: int = 2) -> None:
    """Write ca.pem, cert.pem and key.pem; the certificate is for these names only, and good for so many days."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    (folder / "names").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
    authority = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign,cRLSign")
    name = ("-subj", "/CN=mailtickets test CA")
    signing = (
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca-key.pem",
        "-CAcreateserial",
        "-days",
        str(days),
        "-extfile",
        "names",
    )
    for arguments in (
        (
            "req",
            "-x509",
            *key,
            "-keyout",
            "ca-key.pem",
            "-out",
            "ca.pem",
            "-days",
            str(max(days, 2)),
            *name,
            *authority,
        ),
        ("req", *key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost"),
        ("x509", "-req", "-in", "request.pem", *signing, "-out", "cert.pem"),
    ):
        subprocess.run(("openssl", *arguments), check=True, capture_output=True, cwd=folder)


class Dovecot:
    """One server; `with Dovecot() as dovecot:` or `start` and `destroy`.

    layout  of the mail store: "sdbox" or "maildir".
    extra   more lines for its configuration, such as "imap_capability = IMAP4rev1".
    names   for which its certificate is; `days` is for how long.
    """

    def __init__(
        self,
        *,
        layout: str = "sdbox",
        extra: str = "",
        names: str = "DNS:localhost,IP:127.0.0.1",
        days: int = 2,
    ) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.layout, self.extra, self.names, self.days = layout, extra, names, days
        self.imap, self.imaps, self.lmtp = free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ca_file(self) -> Path:
        return self.root / "tls" / "ca.pem"

    def start(self, timeout: float = 20.0) -> Self:
        """Start on the same ports and with the same mail as before, if there was a before."""
        for name in ("run", "state", "mail", "home"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        if not self.ca_file.exists():
            make_certificates(self.root / "tls", self.names, self.days)
        config = self.root / "dovecot.conf"
        config.write_text(self._config())
        self.root.chmod(0o755)  # Dovecot's own users must get in
        with (self.root / "stdout.log").open("wb") as output:
            # A group of its own: processes that serve a client outlive the master, see `stop`.
            self._process = subprocess.Popen(
                (PROGRAM, "-F", "-c", config),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout * patience.TIMES
        for port in (self.imap, self.lmtp):
            while not _greets(port):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"Dovecot did not start:\n{self.log()}")
                time.sleep(0.02)
        return self

    def stop(self) -> None:
        """Stop it; all connections end, the mail stays."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process = None

    def restart(self) -> None:
        """Stop and start: same folder, same ports, same UIDVALIDITY."""
        self.stop()
        self.start()

    def destroy(self) -> None:
        """Stop it and remove everything."""
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()

    def log(self) -> str:
        """Return what it has said so far."""
        files = (self.root / "stdout.log", self.root / "dovecot.log")
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    def deliver(self, raw: bytes, *recipients: str, sender: str = "ana@customer.example") -> None:
        """Hand a mail in by LMTP, as an MTA does; a recipient without domain gets one."""
        to = [name if "@" in name else f"{name}@{DOMAIN}" for name in recipients]
        with smtplib.LMTP("127.0.0.1", self.lmtp) as lmtp:
            refused = lmtp.sendmail(sender, to, raw)
        if refused:
            raise RuntimeError(f"LMTP refused {refused}")

    def append(self, user: str, raw: bytes, *, when: datetime | None = None, folder: str = "INBOX") -> None:
        """Put a mail into a folder with an INTERNALDATE of our own."""
        with self.client(user) as client:
            date = imaplib.Time2Internaldate(when) if when else ""
            answer, words = client.append(folder, "", date, raw)
        if answer != "OK":
            raise RuntimeError(f"APPEND: {words!r}")

    @contextlib.contextmanager
    def client(self, user: str, folder: str | None = None):
        """Yield another mail program's connection: plain imaplib, folder open for writing if given."""
        client = imaplib.IMAP4("127.0.0.1", self.imap, timeout=10)
        try:
            client.login(user, PASSWORD)
            if folder is not None:
                answer, words = client.select(folder)
                if answer != "OK":
                    raise LookupError(f"SELECT {folder}: {words!r}")
            yield client
        finally:
            client.logout()

    def flags(self, user: str, folder: str = "INBOX") -> dict[int, set[str]]:
        """Return the flags of all mails of a folder, by UID, without Recent."""
        with self.client(user, folder) as client:
            _, lines = client.uid("fetch", "1:*", "(FLAGS)")
        found = {}
        for line in lines:
            # A change by the desk in between is told unasked, without UID (RFC 3501 section 7.4.2).
            if line and b" UID " in line.replace(b"(", b" "):
                words = line.decode().replace("(", " ").replace(")", " ").split()
                found[int(words[words.index("UID") + 1])] = {
                    word for word in words if word.startswith("\\") and word != "\\Recent"
                }
        return found

    def subjects(self, user: str, folder: str = "INBOX") -> list[str]:
        """Return the Subject lines of a folder, in order."""
        with self.client(user, folder) as client:
            _, parts = client.uid("fetch", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return [part[1].decode().partition(":")[2].strip() for part in parts if isinstance(part, tuple)]

    def wait_for(self, user: str, count: int, seconds: float = 10.0) -> list[str]:
        """Return the subjects in a user's inbox once there are so many; fail if that takes too long."""
        deadline = time.monotonic() + seconds * patience.TIMES
        while len(found := self.subjects(user)) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(found)} mails came in {seconds} s, not {count}")
            time.sleep(0.05)
        return found

    def _config(self) -> str:
        as_root = os.getuid() == 0
        me, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
        uid, gid = os.getuid(), os.getgid()
        if as_root:  # Dovecot refuses to handle mail as uid 0
            nobody = pwd.getpwnam("nobody")
            uid, gid = nobody.pw_uid, nobody.pw_gid
            for name in ("mail", "home"):
                os.chown(self.root / name, uid, gid)
        return _CONFIG.format(
            root=self.root,
            instance=self.root.name,
            layout=self.layout,
            user="dovecot" if as_root else me,
            group="dovecot" if as_root else group,
            login_user="dovenull" if as_root else me,
            rootless="" if as_root else _ROOTLESS,
            extra=self.extra,
            uid=uid,
            gid=gid,
            imap=self.imap,
            imaps=self.imaps,
            lmtp=self.lmtp,
        )


def trusting(ca_file: Path) -> ssl.SSLContext:
    """Return a client's context that trusts one CA only."""
    return ssl.create_default_context(cafile=str(ca_file))


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            return bool(connection.recv(10))
    except OSError:
        return False
