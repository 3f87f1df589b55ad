"""A desk on which mail pours in: thousands of mails in batches, as a mailbox hands them over, on a clock that the test sets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice

from mailtickets.store.ledger import Taken, compress
from tests.hostile.desk import STAFF, HostileDesk
from tests.support.desk import SentMail

BATCH = 50


class FloodDesk(HostileDesk):
    """`pours` takes in much mail; what comes of it is asked afterwards."""

    def pours(self, mails: Iterable[bytes], over: timedelta, count: int) -> Iterator[int]:
        """Take mails in by batches, spread evenly over a time; yield after each batch how many are decided."""
        done, waiting = 0, iter(mails)
        while some := list(islice(waiting, BATCH)):
            taken = []
            for raw in some:
                self.now += over / count
                name = f"1/{next(self._names)}"
                digest = hashlib.sha256(raw).digest()
                taken.append(Taken("support", "INBOX", name, digest, compress(raw), raw, len(raw), self.now))
            self.line.accept(taken)
            self.run()
            done += len(some)
            yield done

    def poured(self, mails: Iterable[bytes], over: timedelta, count: int) -> None:
        """As `pours`, to the end."""
        for _ in self.pours(mails, over, count):
            pass

    def outside(self) -> list[SentMail]:
        """All mails that went to anybody but staff."""
        return [mail for mail in self.sent if not set(mail.recipients) <= STAFF]

    def count(self, question: str) -> int:
        """Return the one number that a question to the store has for an answer."""
        return int(self._ask(question)[0][0])


def mail_of(from_: str, number: int, text: str = "", *, subject: str = "", more: str = "") -> bytes:
    """Write a small mail."""
    return (
        f"From: {from_}\r\nTo: support@desk.example\r\nSubject: {subject or f'Flood {number}'}\r\n{more}"
        f"Message-ID: <flood{number}@evil.example>\r\nDate: Mon, 02 Mar 2026 09:00:00 +0000\r\n\r\n"
        f"{text or f'This is mail number{number} of many.'}\r\n"
    ).encode()
