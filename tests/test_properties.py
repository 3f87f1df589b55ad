"""Whatever happens, in any order: the promises of the design hold.

Customers, agents, machines, time, restarts and a mail server of every mood act on a whole desk.
After each step the books balance and no mail that left breaks a promise.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mailtickets.store.times import to_us
from mailtickets.transport.fate import Deferred, Phase, Refusal, Rejected, Sent, Uncertain
from tests.support.desk import Desk

pytestmark = pytest.mark.timeout(600)  # a minute of work, on a machine that may be busy
CUSTOMERS = ("ana@customer.example", "bob@customer.example", "cora@other.example")
AGENTS = ("kim@desk.example", "lee@desk.example")
MACHINE = "robot@customer.example"
AGENT_KEY = re.compile(r"a[0-9]+-[0-9]+-[0-9]+-[a-z2-7]{16}-[a-z]")
# A whole one: a Message-ID of ours, as good as random, ends in "kim@desk.example" once in 32,768.
AGENT_ADDRESS = re.compile(rf"(?<![\w.+-])(?:{'|'.join(map(re.escape, AGENTS))})")
COMMANDS = ("", "", "", "#pending\n", "#wait 2d\n", "#resolve\n", "#close\n", "#open\n", "#take\n", "#assign lee\n", "#resolv\n",
            "#close\n#open\n")  # fmt: skip
FATES = ("sent", "sent", "sent", "deferred", "uncertain", "rejected", "away")
customers, agents, indexes = st.sampled_from(CUSTOMERS), st.sampled_from(AGENTS), st.integers(0, 7)


class DeskMachine(RuleBasedStateMachine):
    """One desk's life."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.desk = Desk(self.folder)
        self.desk.fate = self.fate_of
        self.moods: list[str] = []
        self.words = 0
        self.given: list[tuple[bytes, datetime]] = []
        self.seen = 0
        # A desk at work: two tickets, one of them answered. From an empty one most steps would do nothing.
        for who, cc in (("ana@customer.example", "bob@customer.example"), ("cora@other.example", "")):
            self.give(self.desk.mail(who, f"It burns. {self.word('customer')}", cc=cc))
        self.as_agent(AGENTS[0], lambda text: self.desk.answers(self.desk.last(AGENTS[0]), AGENTS[0], text))

    def teardown(self) -> None:
        self.desk.close()
        shutil.rmtree(self.folder)

    def fate_of(self, mail):
        mood = self.moods.pop() if self.moods else "sent"
        refused = {mail.recipients[0]: Refusal(550, "no such user", permanent=True)}
        return {
            "sent": Sent(),
            "deferred": Deferred("try later", 450),
            "away": Deferred("no connection", account_trouble=True),
            "uncertain": Uncertain("the line broke"),
            "rejected": Rejected(550, "no such user", refused, Phase.RCPT),
        }[mood]

    def word(self, kind: str) -> str:
        self.words += 1
        return f"{kind}word{self.words}"

    def give(self, raw: bytes) -> None:
        self.given.append((raw, self.desk.now))
        self.desk.receives(raw)

    def pick(self, index: int, address: str):
        """One of the last mails that an address got, mostly the newest."""
        mails = self.desk.sent_to(address)[-4:]
        return mails[-1 - index % len(mails)] if mails else None

    # -- what people do ----------------------------------------------------------------------

    @rule(who=customers, copied=st.booleans())
    def customer_writes(self, who, copied):
        cc = "bob@customer.example" if copied else ""
        self.give(self.desk.mail(who, f"It burns. {self.word('customer')}", cc=cc))

    @rule(who=customers, index=indexes, text=st.sampled_from(("More.", "Thanks!", "CLOSE", "#close", "Why?")))
    def customer_answers(self, who, index, text):
        if sent := self.pick(index, who):
            self.desk.answers(sent, who, text)

    @rule(who=customers, index=indexes)
    def somebody_else_answers(self, who, index):
        if sent := self.pick(index, who):
            self.desk.answers(sent, "eve@evil.example", f"I got this. {self.word('outside')}")

    @rule(who=st.sampled_from((*CUSTOMERS, *AGENTS)), index=indexes)
    def a_machine_answers(self, who, index):
        if sent := self.pick(index, who):
            before = self.automatic_mails()
            self.desk.machine(sent, who, "I am out of the office.")
            assert self.automatic_mails() == before, "a machine was answered"

    @rule()
    def a_machine_writes(self):
        self.give(self.desk.mail(MACHINE, "Disk full.", Auto_Submitted="auto-generated"))

    @rule(who=agents, index=indexes, command=st.sampled_from(COMMANDS))
    def agent_answers(self, who, index, command):
        if sent := self.pick(index, who):
            self.as_agent(who, lambda text: self.desk.answers(sent, who, text), command)

    @rule(who=agents, customer=customers, days=st.integers(0, 4))
    def a_conversation(self, who, customer, days):
        """The ordinary course: asked, answered, silent for a while."""
        self.give(self.desk.mail(customer, f"It burns. {self.word('customer')}"))
        notice = self.desk.last(who)
        self.as_agent(who, lambda text: self.desk.answers(notice, who, text))
        self.desk.lives(timedelta(days=days), timedelta(hours=6))

    @rule(who=agents, index=indexes)
    def agent_notes(self, who, index):
        if sent := self.pick(index, who):
            self.as_agent(who, lambda text: self.desk.answers(sent, who, f"#note\n{text}"), kind="note")

    @rule(who=agents, number=st.integers(1001, 1006), command=st.sampled_from(COMMANDS))
    def agent_without_proof(self, who, number, command):
        if self.desk.ticket(number):
            self.as_agent(
                who, lambda text: self.desk.writes(who, text, subject=f"Re: [SUP-{number}] x"), command
            )

    @rule(who=agents, index=indexes, word=st.sampled_from(("yes", "no", "SEND", "NOTE", "DROP", "what?")))
    def agent_confirms(self, who, index, word):
        questions = [mail for mail in self.desk.sent_to(who) if mail.kind in {"held", "leak"}]
        if questions:
            self.desk.answers(questions[index % len(questions)], who, f"{word}\n")

    def as_agent(self, who, send, command="", kind="answer"):
        """Promise 3: what an agent sent happened, is asked about, or comes back; it is never only gone."""
        word = self.word(kind)
        copies, returned = self.desk.books().received, self.all_mails()["not_sent"]
        send(f"{command}Words of an agent, {word}.\nOr write to {who}.\n")
        assert self.desk.books().received == copies + 1
        state, reason, _ = self.desk.copies()[-1]
        happened = any(word in entry.text for n in self.numbers() for entry in self.desk.entries(n))
        came_back = self.all_mails()["not_sent"] > returned
        assert happened or came_back or state == "held", (state, reason)

    # -- what happens ------------------------------------------------------------------------

    @rule(index=indexes)
    @precondition(lambda self: self.given)
    def the_same_mail_again(self, index):
        sent, (raw, when) = self.all_mails(), self.given[index % len(self.given)]
        # Known by its bytes for ever; in another delivery's dress for 30 days (design section 4).
        dressed = index % 2 == 0 and self.desk.now - when < timedelta(days=30)
        self.desk.receives(b"X-Trace: again\n" + raw if dressed else raw)
        assert self.all_mails() == sent, "a duplicate had an effect"

    @rule(who=customers, index=indexes)
    def a_mail_bounces(self, who, index):
        if sent := self.pick(index, who):
            self.desk.bounces(sent, who)

    @rule(hours=st.sampled_from((1, 5, 25, 49, 80, 200)))
    def time_passes(self, hours):
        self.desk.passes(timedelta(hours=hours))

    @rule(days=st.integers(1, 5))
    def time_passes_slowly(self, days):
        self.desk.lives(timedelta(days=days), timedelta(hours=6))

    @rule()
    def it_restarts(self):
        self.desk.restart()

    @rule(moods=st.lists(st.sampled_from(FATES), max_size=6))
    def the_mail_server_changes_its_mood(self, moods):
        self.moods = moods

    # -- what always holds -------------------------------------------------------------------

    def numbers(self):
        return [ticket.number for ticket in self.desk.store.views.tickets(unfinished=False, limit=10_000)]

    def all_mails(self):
        return Counter(mail.kind for mail in self.desk.store.views.outbox(everything=True, limit=10_000))

    def automatic_mails(self):
        mails = self.desk.store.views.outbox(everything=True, limit=10_000)
        return sum(1 for mail in mails if mail.kind != "trouble" and not self.was_due(mail))

    def was_due(self, mail):
        """A reminder that was due at that moment anyway is no answer to the machine."""
        return mail.kind in {"reminder", "closed"} or (
            mail.kind == "agent_event" and mail.queued_at == self.desk.now
        )

    @invariant()
    def the_books_balance(self):
        """Promise 1: every mail in exactly one place."""
        books = self.desk.books()
        assert (books.unexplained, books.waiting) == (0, 0)
        assert books.received == books.on_tickets + books.ignored + books.held + books.quarantined
        rows = self.desk.store._connection.execute(
            "SELECT count(*) FROM copy WHERE state = 'on_ticket' AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.copy = copy.id)"
        )
        assert rows.fetchone() == (0,)

    @invariant()
    def customers_read_only_what_is_theirs(self):
        """Promise 2: no note, no agent's key or address, nobody else's words; promise 4: no mail to machines."""
        for sent in self.desk.sent[self.seen :]:
            if sent.mail.reader != "customer":
                assert all(address.endswith("@desk.example") for address in sent.recipients)
                continue
            whole = f"{sent.raw.decode('utf-8', 'replace')}\n{sent.text}\n{sent.html}"
            assert "noteword" not in whole
            assert "outsideword" not in whole
            assert not AGENT_KEY.search(whole)
            assert not AGENT_ADDRESS.search(whole)
            assert "eve@evil.example" not in sent.recipients
            assert MACHINE not in sent.recipients or sent.mail.human or sent.kind in {"closed", "resolved"}
        self.seen = len(self.desk.sent)

    @invariant()
    def nothing_fires_twice_or_after_the_fact(self):
        """Promise 5: each occasion once; no reminder after a newer reply; no closing without a sent reminder."""
        rows = self.desk.store._connection.execute(
            "SELECT count(*) FROM outbox GROUP BY ticket, kind, occasion, recipient HAVING count(*) > 1"
        )
        assert rows.fetchall() == []
        for number in self.numbers():
            answered = False
            for entry in self.desk.entries(number):
                if entry.kind == "mail_out":
                    answered = True
                elif entry.kind == "mail_in":
                    answered = False
                elif entry.kind == "status" and entry.reason.startswith("waiting"):
                    answered = True
                elif entry.kind == "reminder":
                    assert answered, "a reminder after the customer's reply"
                elif entry.kind == "status" and entry.reason == "closed: no answer from the customer":
                    self.was_reminded(number, entry.at)

    def was_reminded(self, number, closed_at):
        rows = self.desk.store._connection.execute(
            "SELECT sent_at FROM outbox WHERE ticket = ? AND kind = 'reminder' AND state = 'sent'", (number,)
        )
        latest = to_us(closed_at - timedelta(hours=24))
        assert any(sent <= latest for (sent,) in rows), "closed without a reminder and its full time"


DeskMachine.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestDesk = DeskMachine.TestCase
