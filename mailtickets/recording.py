"""Writes a decision down: tickets, people, mails to be sent, alarms. Everything inside the caller's transaction."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.desk.bundling import bundled
from mailtickets.desk.decide import decide
from mailtickets.desk.events import MailFailed
from mailtickets.desk.notices import Reader
from mailtickets.desk.ticket import Alarm, Audience, Entry, EntryKind
from mailtickets.forgetting import erase
from mailtickets.letters import Unwritten
from mailtickets.listing import Lists
from mailtickets.stats import with_stats

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from mailtickets.delivery import Attempt
    from mailtickets.desk.events import Incoming
    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.policy import Policy
    from mailtickets.desk.ticket import Decision
    from mailtickets.letters import Unwritable, Writer
    from mailtickets.originals import Originals
    from mailtickets.reading import Reading
    from mailtickets.store import Store
    from mailtickets.store.alarms import AlarmState
    from mailtickets.store.outbox import Mail, Prepared

    # Of each ticket that was written: its newest entry, the new entries, its cycle of silence.
    Written = dict[int, tuple[int, list[int], int]]
    Lost = tuple[int, int | None, int, Unwritable]


# Questions about a mail that is held for its agent, or about erasing a person. Each has a code of its own, so one asked earlier is none for it.
QUESTIONS = frozenset({"held", "leak", "forget"})
SAY_AGAIN = timedelta(minutes=1)
ASKED_AGAIN = (
    "The desk was restored from a backup since: if you answered this question before, what it is about may have"
    " gone out then, so look before you say yes."
)


@dataclass(frozen=True, slots=True)
class Rules:
    """One configuration, ready for use: swapped whole by a reload, one for each mail from start to end.

    digest   of what the admin wrote; under another one open tickets are counted again.
    rates    of accounts that may send no more than so many mails a minute.
    """

    policy: Policy
    reading: Reading
    writer: Writer
    digest: str = ""
    rates: Mapping[str, int] = field(default_factory=dict)


class Recorder:
    """Writes over one store, by the present rules.

    clock       the present time, aware, in UTC.
    originals   stored originals, from which attachments are cut.
    """

    def __init__(
        self, store: Store, rules: Rules, clock: Callable[[], datetime], originals: Originals
    ) -> None:
        self._store, self.rules, self._clock, self._originals = store, rules, clock, originals
        self._lists = Lists(store)
        self._logged: dict[str, tuple[Alarm, datetime]] = {}
        self.holds = ""  # why what decisions say is not sent now, but listed as uncertain; "" as ever

    @contextmanager
    def holding(self, why: str) -> Iterator[None]:
        """Send nothing of what is decided meanwhile, except alarms and questions: it may have been sent already; "" sends."""
        before, self.holds = self.holds, why
        try:
            yield
        finally:
            self.holds = before

    def undone(self) -> None:
        """Called when a transaction, or a savepoint in one, was undone: what is remembered of it was not written."""
        self._store.outbox.forget_shared_body()
        self._lists.undone()

    def record(
        self, decision: Decision, copy: int | None, incoming: Incoming | None, raw: bytes | None = None
    ) -> Written:
        """Write a decision: tickets, people, mails out, holds, alarms; return what became of its tickets.

        copy, incoming, raw   of the mail that was decided, where it was a mail; its bytes, if they are at hand.
        """
        now = self._clock()
        written: Written = {}
        for change in decision.changes:
            last, seqs = self._store.tickets.write(change, copy)
            written[change.ticket.number] = (last, seqs, change.ticket.cycle)
            if change.measure:
                self._store.measures.put(change.ticket, change.measure)
        if decision.forget:
            erase(
                decision.forget, self._store, self.rules.policy, now, lambda one: self.record(one, None, None)
            )
            self._originals.forget()
        path, policy = self._store.path, self.rules.policy
        mail = (*decision.mail, *(with_stats(path, one, policy, now) for one in decision.wants_stats))
        urgent = {change.ticket.number for change in decision.changes if change.ticket.priority == "P1"}
        unwritten = self._send(list(self._apart(mail, urgent)), written, incoming, raw)
        for person in decision.people:
            self._store.tickets.change_person(person, now)
        if decision.acknowledged and not self.holds:
            address, proven, known = decision.acknowledged
            self._store.tickets.count_acknowledgement(address, now, proven=proven, known=known)
        if decision.hold:
            self._store.ledger.hold(decision.hold, now)
        for alarm in decision.alarms:
            self.alarm(alarm)
        for ticket, seq, cycle, lost in unwritten:
            self._tell_unwritten(ticket, seq, cycle, lost)
        self._tell_failed_templates()
        return written

    def _apart(self, mail: Iterable[Outgoing], urgent: Container[int]) -> Iterator[Outgoing]:
        """Return the mails that go out by themselves; notices past an agent's limit go on a list, but for urgent tickets."""
        for said in mail:
            if self.holds or (said.ticket in urgent and not said.listed):
                yield said
                continue
            apart, alarm = self._lists.apart(said, self.rules.policy, self._clock())
            if alarm:
                self.alarm(alarm)
            if apart:
                yield apart

    def send_lists(self) -> int:
        """Queue the lists of news that are due; return how many."""
        lists = list(self._lists.due(self.rules.policy, self._clock()))
        for one in lists:
            try:
                prepared = self.rules.writer.prepare(
                    one, None, 0, self._store.tickets.generation, self._originals.get, self._clock()
                )
            except Unwritten as trouble:
                prepared = trouble.mails
                maillog.failed(0, trouble.lost[0].recipients, f"news: {trouble.lost[0].reason}")
            self.queue(prepared)
        if self._store.news.next_due() is None and self._store.alarms.get("notices listed"):
            self.recovered("notices listed")
        return len(lists)

    def _tell_failed_templates(self) -> None:
        """Tell the admins once of each version of a template that failed when it was used; the alarm's row remembers it."""
        for kind, problem in list(self.rules.writer.failed_templates().items()):
            if self._store.alarms.get(kind) is None:
                what = "A template of yours failed, and the built-in wording was sent in its place"
                self.alarm(Alarm(kind, what, str(problem), "correct the file and reload"))

    def send_together(self, mail: Iterable[Outgoing], written: Written) -> None:
        """Queue mails of several decisions, where many tell one person of a ticket each as one.

        Raises Unwritten where that one cannot be written; nobody would be told of it.
        """
        apart: list[Outgoing] = []
        for outgoing in bundled(mail):
            if outgoing.ticket is None:
                self.queue(
                    self.rules.writer.prepare(
                        outgoing, None, 0, self._store.tickets.generation, self._originals.get, self._clock()
                    ),
                    held=self.holds,
                )
            else:
                apart.append(outgoing)
        for ticket, seq, cycle, lost in self._send(apart, written):
            self._tell_unwritten(ticket, seq, cycle, lost)

    def _send(
        self,
        mail: Iterable[Outgoing],
        written: Written,
        incoming: Incoming | None = None,
        raw: bytes | None = None,
    ) -> list[Lost]:
        """Queue the mails of tickets that were written; return those that cannot be made."""
        now = self._clock()
        unwritten: list[Lost] = []
        for said in mail:
            asks = said.notice.kind in QUESTIONS
            outgoing = _asked_again(said) if asks and self.holds else said
            last, seqs, cycle = written.get(outgoing.ticket or 0, (0, [], 0))
            if raw is not None and incoming is not None and outgoing.original == incoming.digest:
                self._originals.keep(incoming.digest, raw)
            cut = incoming is not None and incoming.truncated and outgoing.original == incoming.digest
            original = self._originals.beginning if cut else self._originals.get
            try:
                prepared = self.rules.writer.prepare(
                    outgoing, incoming, cycle, self._store.tickets.generation, original, now
                )
            except Unwritten as trouble:
                prepared = trouble.mails
                seq = seqs[outgoing.entry] if outgoing.entry is not None else None
                unwritten.extend((outgoing.ticket or 0, seq, cycle, lost) for lost in trouble.lost)
            self.queue(prepared, seqs, last, held="" if asks else self.holds)
        return unwritten

    def queue(
        self, prepared: Iterable[Prepared], seqs: Sequence[int] = (), last: int = 0, *, held: str = ""
    ) -> None:
        """Queue finished mails; `seqs` are the entries they may stand for, `last` the newest of the ticket.

        held   why they are not sent now; see `Outbox.queue`.
        """
        for mail in prepared:
            seq = seqs[mail.entry] if mail.entry is not None else None
            number = self._store.outbox.queue(mail, seq, self._clock(), held)
            if number is None:
                continue
            if mail.ticket:
                self._store.tickets.know(
                    mail.message_id, mail.ticket, last, ours=True, recipient=mail.recipients[0]
                )
                if seq is not None:
                    self._store.tickets.set_message_id(mail.ticket, seq, mail.message_id)
            if held:
                self._note_held(mail, held)
                maillog.uncertain(number, mail.recipients, f"{mail.kind}: {held}")
            else:
                maillog.queued(number, mail.kind, mail.recipients)

    def _note_held(self, mail: Prepared, why: str) -> None:
        """Say on the ticket that a mail to its customer was not sent; an agent's words are news to agents, too."""
        if mail.ticket and mail.reader == Reader.CUSTOMER.value:
            reason = f"{mail.kind}: {why}; it is not sent by itself"
            audience = Audience.AGENTS if mail.human else Audience.DESK
            note = Entry(EntryKind.FAILED, self._clock(), "desk", audience, mail.recipients, reason=reason)
            self._store.tickets.note(mail.ticket, note)

    def alarm(self, alarm: Alarm, accounts: Sequence[str] | None = None) -> bool:
        """Tell the admins of trouble, at most once an hour for each kind; inside the caller's transaction.

        accounts   by which the mail goes; None: that of the first queue.

        Returns whether they are told now. A mail of before that still waits says it already.
        """
        now = self._clock()
        self._log(alarm, now)
        if not self._store.alarms.raise_(alarm, now):
            return False
        self._store.outbox.take_back("recovered", f"recovered:{alarm.kind}:")
        waiting = self._store.outbox.unsent("trouble", f"alarm:{alarm.kind}:")
        state = self._store.alarms.get(alarm.kind)
        values = {
            "what": alarm.what,
            "why": alarm.why,
            "remedy": alarm.remedy,
            "since": state.since if state else now,
            "goes_on": alarm.goes_on,
            "lines": list(alarm.lines),
        }
        self._to_admins("trouble", values, f"alarm:{alarm.kind}:{now.isoformat()}", accounts, waiting)
        return True

    def _log(self, alarm: Alarm, now: datetime) -> None:
        """Log an alarm; the very same one once a minute, since a flood raises it with every mail."""
        same, at = self._logged.get(alarm.kind, (None, now))
        if same == alarm and at <= now < at + SAY_AGAIN:
            return
        self._logged[alarm.kind] = alarm, now
        maillog.trouble(alarm.what, alarm.why, alarm.remedy, kind=alarm.kind)

    def recovered(self, kind: str, accounts: Sequence[str] | None = None) -> AlarmState | None:
        """Tell the admins once that a trouble is over, if they were told of it; inside the caller's transaction.

        Mails about the trouble that still wait are taken back: the one about its end says since when it was.
        """
        self._logged.pop(kind, None)
        state = self._store.alarms.clear(kind)
        if state is None:
            return None
        now = self._clock()
        maillog.note("recovered", kind=kind)
        self._store.outbox.take_back("trouble", f"alarm:{kind}:")
        values = {"what": state.what, "since": state.since, "until": now}
        if state.told:
            self._to_admins("recovered", values, f"recovered:{kind}:{now.isoformat()}", accounts)
        return state

    def _to_admins(
        self,
        kind: str,
        values: Mapping[str, object],
        occasion: str,
        accounts: Sequence[str] | None,
        but: Container[str] = (),
    ) -> None:
        mails = self.rules.writer.to_admins(kind, values, occasion, self._originals.get, self._clock())
        for account in dict.fromkeys(mail.account for mail in mails) if accounts is None else accounts:
            if account not in but:
                # Within the occasion, since each recipient gets each occasion once.
                self.queue(replace(m, account=account, occasion=f"{occasion}:{account}") for m in mails)

    def tell_failure(self, mail: Mail, attempt: Attempt) -> None:
        """Tell whom it concerns that a mail did not arrive."""
        now, policy = self._clock(), self.rules.policy
        if not mail.ticket:
            maillog.failed(mail.id, mail.recipients, attempt.booking.error)
            named = ", ".join(address for address, _ in attempt.failed)
            why = "; ".join(f"{address}: {reason}" for address, reason in attempt.failed)
            if mail.kind == "escalations":
                what = f"Mail about tickets in danger to {named} could not be sent"
                self.alarm(Alarm(f"agent unreachable {named}", what, why, "Check the address."))
            elif mail.kind == "news":
                what = f"A list of news of tickets to {named} could not be sent"
                remedy = (
                    f"{self._lists.failed(mail, now)} Check the address, and look with `mailtickets list`."
                )
                self.alarm(Alarm(f"agent unreachable {named}", what, why, remedy))
            return
        text = self._store.tickets.text_of(mail.ticket, mail.seq) if mail.seq else ""
        event = MailFailed(
            mail.ticket,
            mail.kind,
            attempt.failed,
            text,
            mail.author,
            attempt.permanent,
            to_agent=mail.reader != Reader.CUSTOMER.value,
            cycle=mail.cycle,
        )
        self.record(
            decide(
                event,
                self._store.facts.for_ticket(mail.ticket, policy.limits, now, policy.addresses_of_agents),
                policy,
                now,
            ),
            None,
            None,
        )

    def _tell_unwritten(self, ticket: int, seq: int | None, cycle: int, lost: Unwritable) -> None:
        """A mail that could not even be written is told like one that was refused; inside the caller's transaction."""
        maillog.failed(0, lost.recipients, f"{lost.kind}: {lost.reason}")
        if not ticket:
            return
        now, policy = self._clock(), self.rules.policy
        event = MailFailed(
            ticket,
            lost.kind,
            tuple((address, lost.reason) for address in lost.recipients),
            self._store.tickets.text_of(ticket, seq) if seq else "",
            lost.author,
            lost.recipients if lost.permanent else (),
            to_agent=lost.reader is not Reader.CUSTOMER,
            cycle=cycle,
        )
        facts = self._store.facts.for_ticket(ticket, policy.limits, now, policy.addresses_of_agents)
        self.record(decide(event, facts, policy, now), None, None)


def _asked_again(question: Outgoing) -> Outgoing:
    """Return a question about a held mail that may have been asked, and answered, before a restore."""
    notice = question.notice
    values = {**notice.values, "why": f"{notice.values['why']} {ASKED_AGAIN}"}
    return replace(question, notice=replace(notice, values=values))
