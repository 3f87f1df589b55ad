"""A whole desk without servers: the real line over a real store, with a clock that the test sets."""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from functools import cache, cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from mailtickets.delivery import Ladder, attempt_of
from mailtickets.desk.policy import AgentPolicy, Policy, QueuePolicy
from mailtickets.letters import Writer
from mailtickets.mail.compose import assemble, load_body
from mailtickets.mail.message import address_key
from mailtickets.pipeline import Line
from mailtickets.policies import own_addresses
from mailtickets.reading import Reading
from mailtickets.recording import Rules
from mailtickets.store import Store
from mailtickets.store.ledger import Taken, compress
from mailtickets.templates import Templates
from mailtickets.transport.fate import Sent

UTC_ZONE = ZoneInfo("UTC")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KIM = AgentPolicy("kim", "Kim Archer", "kim@desk.example")
LEE = AgentPolicy("lee", "Lee Moss", "lee@desk.example")
SUPPORT = QueuePolicy("support", "support@desk.example", "SUP", ("kim", "lee"), mailbox="support")
POLICY = Policy("Acme Support", {"support": SUPPORT}, {"kim": KIM, "lee": LEE}, admins=("it@desk.example",))


@cache
def shipped_templates(zone: ZoneInfo = UTC_ZONE) -> Templates:
    """The templates of the project, compiled once for all desks of a process."""
    return Templates(None, zone=zone)


@cache
def empty_store() -> bytes:
    """A store in which nothing has happened, made at START; making one takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "desk.db"
        Store.open(path, START).close()
        return path.read_bytes()


class SentMail:
    """A mail that left the desk: its bytes, its envelope, and its parsed form."""

    def __init__(self, mail, raw: bytes) -> None:
        self.mail, self.raw = mail, raw
        self.recipients = mail.recipients
        self.kind = mail.kind
        self.at = ""  # when it left, in local time; known to a ConfiguredDesk only

    @cached_property
    def parsed(self) -> EmailMessage:
        """It as a tree; made when it is asked for, since most mails are only counted."""
        return BytesParser(policy=default).parsebytes(self.raw)

    def __getitem__(self, name: str) -> str:
        """A header, unfolded."""
        return " ".join(str(self.parsed[name] or "").split())

    @property
    def text(self) -> str:
        part = self.parsed.get_body(("plain",))
        return part.get_content() if part else ""

    @property
    def html(self) -> str:
        part = self.parsed.get_body(("html",))
        return part.get_content() if part else ""

    def __repr__(self) -> str:
        return f"<{self.kind} to {', '.join(self.recipients)}: {self['Subject']}>"


class Desk:
    """The line with a customer's, an agent's and an admin's view of it."""

    def __init__(
        self, folder: Path, policy: Policy = POLICY, authserv_id: str = "", now: datetime = START
    ) -> None:
        self.now = now
        self.folder, self.policy, self.authserv_id = folder, policy, authserv_id
        self._ids = itertools.count(1)
        self._names = itertools.count(1)
        self.sent: list[SentMail] = []
        self.fate = lambda _mail: Sent()
        self.templates = shipped_templates()
        self.open()

    def open(self) -> None:
        """Start, or start again on the same store."""
        path = self.folder / "desk.db"
        if self.now == START and not path.exists():
            path.write_bytes(empty_store())
            with closing(sqlite3.connect(path)) as store, store:
                store.execute("UPDATE secret SET secret = randomblob(32)")
        self.store = Store.open(self.folder / "desk.db", self.now)
        self.line = Line(
            self.store,
            self.rules(),
            lambda: self.now,
            lambda: f"CODE-{next(self._ids):04}".translate(str.maketrans("01", "XY")),
        )
        self.line.recover()

    def restart(self) -> None:
        """End and start again."""
        self.close()
        self.open()

    def close(self) -> None:
        """End."""
        self.line.close()
        self.store.close()

    def use(self, policy: Policy) -> None:
        """Take a changed configuration."""
        self.policy = policy
        self.line.use(self.rules())

    def rules(self) -> Rules:
        ring = self.store.key_ring()
        reading = Reading(
            ring, own_addresses(self.policy), {"support": self.authserv_id}, {"support": "Sent"}
        )
        writer = Writer(self.policy, ring, self.templates, {"": True}, lambda: f"id{next(self._ids)}")
        return Rules(self.policy, reading, writer)

    # -- what comes in ---------------------------------------------------------------------

    def receives(self, raw: bytes, *, settle: bool = True, folder: str = "INBOX") -> None:
        """Take a mail in and do everything that follows from it at once."""
        raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        name = f"1/{next(self._names)}"
        taken = Taken(
            "support", folder, name, hashlib.sha256(raw).digest(), compress(raw), raw, len(raw), self.now
        )
        self.line.accept([taken])
        if settle:
            self.run()

    def mail(self, from_: str, text: str, *, subject: str = "Printer on fire", to: str = "support@desk.example", cc: str = "",
             in_reply_to: SentMail | None = None, **headers: str) -> bytes:  # fmt: skip
        """Write a mail as a person's program would, with a fresh Message-ID."""
        message = EmailMessage()
        message["From"] = from_
        message["To"] = to
        if cc:
            message["Cc"] = cc
        message["Subject"] = subject
        message["Date"] = self.now
        message["Message-ID"] = f"<m{next(self._ids)}@{address_key(from_).rpartition('@')[2].rstrip('>')}>"
        if in_reply_to is not None:
            message["In-Reply-To"] = in_reply_to["Message-ID"]
            message["References"] = f"{in_reply_to['References']} {in_reply_to['Message-ID']}".strip()
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        message.set_content(text)
        return message.as_bytes()

    def writes(self, from_: str, text: str, **more) -> None:
        """Somebody writes a mail to the desk."""
        self.receives(self.mail(from_, text, **more))

    def answers(self, sent: SentMail, from_: str, text: str, *, quote: bool = True, **more) -> None:
        """Somebody answers a mail of the desk as a mail program does: subject, references, Reply-To, quote."""
        quoted = "\n\nOn Mon, 2 Mar 2026 at 09:00, Acme Support wrote:\n" + "\n".join(
            f"> {line}" for line in sent.text.split("\n")
        )
        subject = sent["Subject"]
        more.setdefault("subject", subject if subject.lower().startswith("re:") else f"Re: {subject}")
        more.setdefault("to", sent["Reply-To"] or sent["From"])
        self.receives(self.mail(from_, text + (quoted if quote else ""), in_reply_to=sent, **more))

    def machine(self, sent: SentMail, from_: str, text: str = "I am away.", **headers: str) -> None:
        """A machine answers a mail of the desk, as RFC 3834 wants it."""
        more = {"Auto_Submitted": "auto-replied", **headers}
        self.answers(sent, from_, text, subject=f"Automatic reply: {sent['Subject']}", quote=False, **more)

    def bounces(self, sent: SentMail, address: str, *, status: str = "5.1.1", action: str = "failed",
                message_id: str = "") -> None:  # fmt: skip
        """A mail server reports about a mail of the desk (RFC 3464)."""
        self.receives(self.report(message_id or sent["Message-ID"], address, status, action))

    def report(self, message_id: str, address: str, status: str = "5.1.1", action: str = "failed") -> bytes:
        """Write a delivery status notification."""
        return "\n".join((
            "Return-Path: <>",
            "From: Mail Delivery System <MAILER-DAEMON@mx.customer.example>",
            "To: support@desk.example",
            "Subject: Undelivered Mail Returned to Sender",
            f"Message-ID: <dsn{next(self._ids)}@mx.customer.example>",
            "Auto-Submitted: auto-replied",
            "MIME-Version: 1.0",
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
            "",
            "--b",
            "Content-Type: text/plain",
            "",
            "Your mail could not be delivered.",
            "--b",
            "Content-Type: message/delivery-status",
            "",
            "Reporting-MTA: dns; mx.customer.example",
            "",
            f"Final-Recipient: rfc822; {address}",
            f"Action: {action}",
            f"Status: {status}",
            "Diagnostic-Code: smtp; 550 5.1.1 no such user",
            "",
            "--b",
            "Content-Type: text/rfc822-headers",
            "",
            "From: support@desk.example",
            f"Message-ID: {message_id}",
            "",
            "--b--",
            "",
        )).encode()  # fmt: skip

    # -- what happens ------------------------------------------------------------------------

    def run(self) -> None:
        """Decide, fire and send until nothing is left to do."""
        while self.line.settle() or self.line.recount() or self.line.fire_due() or self._send():
            pass

    def passes(self, time: timedelta) -> None:
        """Let time pass in one jump, then do what is due."""
        self.now += time
        self.run()

    def lives(self, time: timedelta, step: timedelta = timedelta(minutes=15)) -> None:
        """Let time pass in small steps, as a running daemon sees it."""
        end = self.now + time
        while self.now < end:
            self.passes(min(step, end - self.now))

    def _send(self) -> int:
        mails = self.line.claim_due(16, "test")
        attempts = []
        for mail in mails:
            raw = assemble(mail.head, load_body(mail.body), mail.reply_key, self.line.original)
            assert hashlib.sha256(raw).digest() == mail.digest
            fate = self.fate(mail)
            if isinstance(fate, Sent):
                self.sent.append(SentMail(mail, raw))
            attempts.append((mail, attempt_of(mail, fate, Ladder(), self.now, 0.0)))
        self.line.book(attempts)
        return len(mails)

    # -- what people see -----------------------------------------------------------------------

    def sent_to(self, address: str) -> list[SentMail]:
        """The mails that reached an address, in order."""
        return [mail for mail in self.sent if address in mail.recipients]

    def kinds(self, address: str) -> list[str]:
        """What an address got, by kind."""
        return [mail.kind for mail in self.sent_to(address)]

    def last(self, address: str, kind: str = "") -> SentMail:
        """The last mail that an address got."""
        return next(mail for mail in reversed(self.sent_to(address)) if not kind or mail.kind == kind)

    def ticket(self, number: int = 1001):
        return self.store.views.ticket(number)

    def entries(self, number: int = 1001):
        return self.store.views.entries(number)

    def copies(self):
        """Every copy of the ledger with its state and reason, the oldest first."""
        rows = self.store._connection.execute("SELECT state, reason, ticket FROM copy ORDER BY id")
        return [tuple(row) for row in rows]

    def history(self, number: int = 1001) -> list[str]:
        return [entry.kind for entry in self.store.views.entries(number)]

    def books(self):
        return self.store.views.books()
