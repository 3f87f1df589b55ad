"""The whole line as a target: a desk that takes one mutated mail after the other, and what holds after each."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from mailtickets.desk.policy import Limits
from tests.fuzz import oracles
from tests.fuzz.inputs import KEY_MARK
from tests.hostile.desk import POLICY, STAFF, HostileDesk

ANA = "Ana Client <ana@customer.example>"
POLICY_WITHOUT_LIMITS = replace(POLICY, limits=Limits(0, 0, 0, 0))  # else most would not be acknowledged
MAILS_A_DESK = 200  # then it is a new one: what accumulates is another test's question


class LineOfMails:
    """Desks one after the other. SUP-1001 is ana's and waits for her; its thread key is known to the mails, no agent's is."""

    def __init__(self) -> None:
        self._desk: HostileDesk | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._taken = 0

    def close(self) -> None:
        """End the desk, and take its folder away."""
        if self._desk:
            self._desk.close()
        if self._folder:
            self._folder.cleanup()
        self._desk, self._folder = None, None

    def fresh(self) -> None:
        """Go on with a new desk."""
        self.close()
        self._folder = tempfile.TemporaryDirectory()
        self._desk, self._taken = HostileDesk(Path(self._folder.name), POLICY_WITHOUT_LIMITS), 0
        self._desk.writes(ANA, "My printer is on fire.")
        self._desk.answers(self._desk.last("anna@desk.example"), "anna@desk.example", "Please try water.")

    def read(self, raw: bytes) -> None:
        """Take a mail in and do all that follows."""
        if self._desk is None or self._taken >= MAILS_A_DESK:
            self.fresh()
        desk = self._desk
        assert desk is not None
        self._taken += 1
        mail = raw.replace(KEY_MARK, desk.line.rules.reading.ring.thread_key(1001).encode())
        tickets = desk._tickets()
        before = len(desk.sent)
        try:
            desk.receives(mail)
            self._holds(desk, mail, before, {one for people in tickets.values() for one in people})
        except BaseException:
            self._desk, self._folder = None, None  # its state is in doubt; the folder stays for a look
            raise

    def _holds(self, desk: HostileDesk, mail: bytes, before: int, known: set[str]) -> None:
        books = desk.books()
        assert (books.unexplained, books.waiting) == (0, 0), books
        assert books.received == books.on_tickets + books.ignored + books.held + books.quarantined, books
        state, reason, _ = desk.copies()[-1]
        assert state in {"on_ticket", "ignored", "held", "quarantined"}, state
        assert "fault" not in reason, reason
        assert "cannot be read" not in reason, reason
        tries: list[tuple[Any, ...]] = desk._ask("SELECT tries FROM copy ORDER BY id DESC LIMIT 1")
        assert not tries[0][0], f"tried {tries[0][0]} times: {reason}"
        sender = desk._sender_of(mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        for sent in desk.sent[before:]:
            strangers = set(sent.recipients) - STAFF - known - {sender}
            assert not strangers, f"{strangers} received {sent}"
            oracles.composed(sent.raw)
        # What is only filed is no act; and on other tickets an agent may be the customer, as anybody who writes something new.
        acting = desk._ask(
            "SELECT kind, count(*) FROM entry WHERE actor IN ('anna', 'ben') AND kind NOT IN ('held', 'auto_reply', 'bounced', 'delayed')"
            " AND (ticket = 1001 OR kind = 'mail_out') GROUP BY kind ORDER BY kind"
        )
        assert acting == [("assigned", 1), ("mail_out", 1), ("status", 1)], "an agent acted without proof"
