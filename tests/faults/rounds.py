"""A desk whose rounds a test makes one by one in its own process: real store, real line, real doors to real servers."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from mailtickets.accounts import ladder_of, mailbox_of, smtp_of
from mailtickets.clocks import utc_now
from mailtickets.config import load
from mailtickets.deskthread import DeskLedger
from mailtickets.errors import MailboxUnavailable
from mailtickets.intake import Intake
from mailtickets.once import _Here
from mailtickets.readying import open_line
from mailtickets.sending import Sender
from mailtickets.source import sources
from mailtickets.store.ledger import Taken, compress
from mailtickets.store.views import Books
from mailtickets.transport.imap import ImapMailbox
from mailtickets.transport.smtp import SmtpPool, Timeouts

LATER = timedelta(minutes=10)  # more than any pause after trouble


class Rounds:
    """`with Rounds(config) as desk:`; `take` and `send` are one round each, over connections of their own.

    seconds  after which a silent server is given up.
    """

    def __init__(self, config: Path, *, seconds: float = 5.0) -> None:
        self.config = load(config)
        self._received = 0
        self._ahead = timedelta(0)
        self.store, self.line = open_line(self.config, self.now)
        (source,) = sources(self.config, lambda *_: self.now() - timedelta(days=1))
        mailbox = mailbox_of(self.config, source.name)
        if isinstance(mailbox, ImapMailbox):
            mailbox.account = replace(mailbox.account, timeout=seconds, connect_timeout=seconds)
        self.here = _Here(self.line)
        self.intake = Intake(
            source, mailbox, self.here, DeskLedger(self.store, self.store, self.line, self.now)
        )
        self._timeouts = Timeouts(
            connect=seconds, command=seconds, data=seconds, block=seconds, final=seconds
        )
        self._runner = asyncio.Runner()

    def now(self) -> datetime:
        """The desk's clock."""
        return utc_now() + self._ahead

    def books(self) -> Books:
        """Where every mail is."""
        return self.store.views.books()

    def take(self) -> str:
        """Take mail in, decide it and mark it, as `run --once` does; return why that broke off, or an empty string."""
        try:
            self.intake.mailbox.connect()
            self.intake.round()
        except MailboxUnavailable as error:
            return error.reason
        finally:
            self.intake.mailbox.close()
        return ""

    def receive(self, raw: bytes) -> None:
        """Take one mail in that did not come over the network, and decide it."""
        self._received += 1
        digest = hashlib.sha256(raw).digest()
        taken = Taken(
            "support", "receive", f"r{self._received}", digest, compress(raw), raw, len(raw), self.now()
        )
        self.here.accept([taken], None)

    def send(self) -> int:
        """Send what is due, one mail at a time over one connection, well after any pause; return how many were tried."""
        self._ahead += LATER
        return self._runner.run(self._send())

    async def _send(self) -> int:
        account = replace(smtp_of(self.config, ""), helo="desk.example")
        pool = SmtpPool(account, connections=1, timeouts=self._timeouts)
        sender = Sender(
            self.line, {"": pool}, {"": ladder_of(self.config, "")}, self.here.call, self.now, "rounds"
        )
        try:
            return await sender.send_due()
        finally:
            await pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()
        self.line.end_cleanly()
        self.line.close()
        self.store.close()
