"""A whole desk that meets hostile mail: the real line over a real store, and the rules that hold after every mail."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mailtickets.desk.policy import AgentPolicy, Policy, QueuePolicy
from tests.support.desk import Desk, SentMail

ANNA = AgentPolicy("anna", "Anna Archer", "anna@desk.example")
BEN = AgentPolicy("ben", "Ben Baker", "ben@desk.example")
SUPPORT = QueuePolicy("support", "support@desk.example", "SUP", ("anna", "ben"), mailbox="support")
POLICY = Policy("Acme Support", {"support": SUPPORT}, {"anna": ANNA, "ben": BEN}, admins=("it@desk.example",))
STAFF = frozenset({"anna@desk.example", "ben@desk.example", "it@desk.example"})
CORA, EVE = "Cora Client <cora@client.example>", "eve@evil.example"


@dataclass(frozen=True)
class Met:
    """What came of a mail.

    state, reason   of the ledger: "on_ticket", "ignored", "held", "quarantined", and why.
    ticket          number of the ticket it is on, or 0.
    is_new          it opened that ticket.
    sent            what the desk sent because of it, to whomever.
    """

    state: str
    reason: str
    ticket: int
    is_new: bool
    sent: tuple[SentMail, ...]

    def to(self, address: str) -> list[SentMail]:
        """What an address got because of it."""
        return [mail for mail in self.sent if address in mail.recipients]

    @property
    def customers(self) -> set[str]:
        """The addresses outside the desk that got mail because of it."""
        return {address for mail in self.sent for address in mail.recipients} - STAFF


class HostileDesk(Desk):
    """`meets` is the test of a hostile mail: what came of it, after the four standing rules were checked."""

    def __init__(self, folder: Path, policy: Policy = POLICY, **more: Any) -> None:
        self._plain = 0
        super().__init__(folder, policy, **more)

    def cora_is_answered(self) -> None:
        """Cora writes, anna answers: SUP-1001 waits for cora."""
        self.writes(CORA, "My printer is on fire.")
        self.answers(self.last("anna@desk.example"), "Anna Archer <anna@desk.example>", "Please try water.")
        assert self.ticket().status == "waiting"

    def meets(self, raw: bytes, *, folder: str = "INBOX") -> Met:
        """Take a mail in; check the standing rules; return what came of it.

        1. The raw mail is kept, byte for byte. 2. The next mail is handled. 3. No exception leaves the line, and none is
        swallowed: the mail was decided at its first try, or set aside. 4. Nobody receives mail but its own sender, people
        who were on the ticket before, and staff.
        """
        raw = self.as_stored(raw)
        before, tickets = len(self.sent), self._tickets()
        known = {address for people in tickets.values() for address in people}
        self.receives(raw, folder=folder)
        number, state, reason, ticket = self._row()
        met = Met(state, reason, ticket, bool(ticket) and ticket not in tickets, tuple(self.sent[before:]))
        self._raw_is_kept(raw, number)
        assert state in {"on_ticket", "ignored", "held", "quarantined"}, state
        sender = self._sender_of(raw)
        strangers = met.customers - known - ({sender} if sender else set())
        assert not strangers, f"{strangers} received mail: {met.sent}"
        self._next_mail_is_handled()
        return met

    @staticmethod
    def as_stored(raw: bytes) -> bytes:
        """A mail as the server hands it out: every line ends in CRLF."""
        return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def _raw_is_kept(self, raw: bytes, number: int) -> None:
        copy = self.store.ledger.copy(number)
        assert copy is not None
        assert copy.digest == hashlib.sha256(raw).digest()
        assert self.store.ledger.original(copy.digest) == raw

    def _row(self) -> tuple[int, str, str, int]:
        number, state, reason, ticket, tries = self._ask(
            "SELECT id, state, reason, ticket, tries FROM copy ORDER BY id DESC LIMIT 1"
        )[0]
        assert state == "quarantined" or not tries, f"it took {tries} tries: {reason}"
        return number, state, reason, ticket or 0

    def _ask(self, question: str) -> list[tuple[Any, ...]]:
        return self.store._connection.execute(question).fetchall()

    def _tickets(self) -> dict[int, set[str]]:
        numbers = [number for (number,) in self._ask("SELECT number FROM ticket")]
        found: dict[int, set[str]] = {number: set() for number in numbers}
        for number, address in self._ask("SELECT ticket, address FROM participant"):
            found[number].add(address)
        return found

    def _sender_of(self, raw: bytes) -> str:
        sender = self.line.rules.reading.read(raw, b"", "support", self.now).message.sender
        return sender.key if sender else ""

    def _next_mail_is_handled(self) -> None:
        """An ordinary mail of somebody new becomes a ticket of its own, and is acknowledged."""
        self._plain += 1
        person = f"next{self._plain}@plain{self._plain}.example"
        before = len(self._tickets())
        self.writes(person, "My scanner is wet.", subject="A wet scanner")
        assert len(self._tickets()) == before + 1
        assert self.kinds(person) == ["acknowledgement"]

    def marks(self, number: int) -> str:
        """All that the history of a ticket and the agents' notices say about it, for a look at its marks."""
        notices = " ".join(f"{mail['Subject']} {mail.text}" for mail in self.sent_to("anna@desk.example"))
        return notices + " ".join(f"{entry.reason} {entry.text}" for entry in self.entries(number))

    def with_queue(self, **more: Any) -> None:
        """Take a changed queue."""
        self.use(replace(self.policy, queues={"support": replace(self.policy.queues["support"], **more)}))
