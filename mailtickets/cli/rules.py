"""`mailtickets rules`: which rules there are, and what they make of a mail. Reads only, and needs no store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from mailtickets.cli.words import EXIT_FAILED, as_json, harmless, loaded, print_json, say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mailtickets.config import Config
    from mailtickets.desk.agreement import Rule
    from mailtickets.desk.events import Incoming
    from mailtickets.desk.opening import Opening
    from mailtickets.desk.policy import Policy, QueuePolicy
    from mailtickets.desk.ticket import Ticket
    from mailtickets.mail.keys import KeyRing

LABEL = 15  # letters of the widest label, with its space


@click.group()
def rules() -> None:
    """Look at the rules, and try them on a mail."""


@rules.command("list")
@as_json
def list_(*, as_json: bool) -> None:
    """List the rules in their order: what each asks for, and what it sets."""
    from mailtickets.policies import policy_of

    policy = policy_of(loaded())
    if as_json:
        print_json(
            [
                {
                    "rule": one.number,
                    "name": one.name,
                    "when": [*_asks(one)],
                    "sets": _sets(one),
                    "stop": one.stop,
                }
                for one in policy.rules
            ]
        )
        return
    if not policy.rules:
        click.echo("no rules; config.example.toml shows how [[rule]] is written")
    for one in policy.rules:
        then = f"{_said(_sets(one)) or 'nothing'}{'; no later rule is asked' if one.stop else ''}"
        say(harmless(_title(one)))
        for line in (f"    when {' and '.join(_asks(one)) or 'any mail comes'}", f"    then {then}"):
            say(harmless(line), " " * 9)


@rules.command("test")
@click.argument("mail", metavar="MAIL.eml", type=click.File("rb"))
@click.option("--queue", "queue_name", default="", metavar="NAME", help="As if it had come to this queue.")
@as_json
def test(*, mail: BinaryIO, queue_name: str, as_json: bool) -> None:
    """Explain what a mail would become: queue, organisation, the rules one by one, and the ticket.

    MAIL.eml is a mail as a file, with - from standard input. Nothing is stored and nothing is sent.

    \b
    mailtickets rules test complaint.eml
    mailtickets rules test - --queue billing < complaint.eml
    """  # noqa: D301
    from mailtickets.clocks import utc_now
    from mailtickets.policies import policy_of

    config = loaded()
    policy = policy_of(config)
    if queue_name and queue_name not in policy.queues:
        raise click.UsageError(f'there is no queue "{queue_name}"; there are: {", ".join(policy.queues)}')
    raw = mail.read()
    if not raw.strip():
        click.echo("there is no mail in it: it is empty", err=True)
        sys.exit(EXIT_FAILED)
    tried = _Tried(config, policy, raw, queue_name, utc_now())
    if as_json:
        print_json(tried.as_json())
    else:
        for line in tried.lines():
            say(line, " " * LABEL)


class _Tried:
    """A mail that was taken through the rules as the daemon would, without leaving a trace."""

    def __init__(self, config: Config, policy: Policy, raw: bytes, queue_name: str, now: datetime) -> None:
        from mailtickets.desk.opening import opened

        self.policy, self.zone, self.now = policy, config.desk.zone, now
        self.incoming, self.came_to = _read(config, policy, raw, queue_name, now)
        self.opening: Opening = opened(_bare_ticket(self.incoming, self.came_to, now), self.incoming, policy)
        self.queue_from = "--queue" if queue_name else "its addresses"
        if not queue_name and self.came_to not in policy.queues_named(self.incoming.message):
            self.queue_from = "it names no queue, so the mailbox's first"

    @property
    def sender(self) -> str:
        """Return the sender's address, "" where there is no single one."""
        sender = self.incoming.message.sender
        return sender.key if sender else ""

    def notes(self) -> Iterator[str]:
        """Yield why the daemon might not come to the rules with this mail."""
        from mailtickets.desk.organisation import May, may_open
        from mailtickets.mail.authentication import Proof
        from mailtickets.mail.classify import Origin

        classification = self.incoming.classification
        if classification.origin is not Origin.PERSON:
            yield f"not written by a person: {classification.reason}"
        if self.incoming.proof is Proof.FAIL:
            yield "our mail server says that the sender is forged: the address counts for nothing"
        agent = self.policy.agent_of(self.sender)
        if agent and agent.key in self.came_to.agents:
            yield f"written by {agent.name}, an agent of this queue: the commands in it decide, not the rules"
        if self.incoming.evidence.keys or self.incoming.evidence.ids or self.incoming.evidence.tags:
            yield "it answers a mail: on a ticket of this desk it would be filed there, and no rule is asked"
        if organisation := self.opening.organisation:
            standing = may_open(organisation, self.sender, self.now.astimezone(self.zone).date())
            contacts = ", ".join(standing.contacts)
            if standing.may is May.TELL:
                yield f"no contact of {organisation.name}: a ticket is opened, and the sender told of {contacts}"
            elif standing.may is May.HOLD:
                yield f"no contact of {organisation.name}: the ticket waits for an agent, no acknowledgement; contacts are {contacts}"
            elif standing.may is May.EXPIRED:
                yield f"the agreement with {organisation.name} ended on {organisation.until}: kept and marked"

    def told(self) -> str:
        """Return who gets the mail, in words for people."""
        from mailtickets.desk.route import hearers, keeps_out

        ticket, policy = self.opening.ticket, self.policy
        heard = hearers(ticket, policy.queues[ticket.queue], policy)
        names = [policy.agents[key].name for key in heard.agents]
        names += [person.name or person.address for person in heard.others]
        only = f" only ({ticket.type})" if names and keeps_out(ticket, policy) else ""
        return f"{', '.join(names) or 'nobody'}{only}"

    def targets(self) -> Iterator[tuple[str, str, datetime | None]]:
        """Yield each target that holds: its name, as it is written, and its deadline if the mail came now."""
        from mailtickets.desk.agreement import Target

        terms = self.opening.terms
        for target in Target:
            span = terms.targets(self.opening.ticket.priority).of(target)
            if span is not None:
                due = None if target is Target.UPDATE else terms.calendar.after(self.now, span)
                yield target.value, str(span), due

    def as_json(self) -> dict[str, Any]:
        """Return everything for scripts."""
        from mailtickets.cli.words import rfc3339
        from mailtickets.desk.terms import priority_name

        ticket, terms, outcome = self.opening.ticket, self.opening.terms, self.opening.outcome
        organisation = self.opening.organisation
        return {
            "subject": self.incoming.message.subject,
            "from": self.sender or None,
            "proof": self.incoming.proof.value,
            "queue": {"name": self.came_to.name, "from": self.queue_from},
            "organisation": organisation.key if organisation else None,
            "notes": [*self.notes()],
            "fired": [
                {
                    "rule": one.rule.number,
                    "name": one.rule.name,
                    "because": one.because,
                    "sets": _sets(one.rule),
                }
                for one in outcome.fired
            ],
            "not_fired": [
                {"rule": one.rule.number, "name": one.rule.name, "why": one.why}
                for one in outcome.passed_over
            ],
            "result": {
                "priority": ticket.priority,
                "priority_name": priority_name(ticket.priority, terms.level),
                "priority_from": self.opening.priority_from,
                "type": ticket.type,
                "queue": ticket.queue,
                "assignee": ticket.assignee or None,
                "tags": list(ticket.tags),
                "service_level": terms.level.name if terms.level else None,
                "calendar": terms.calendar.in_words(),
                "targets": {
                    name: {"span": span, "due_at": rfc3339(due)} for name, span, due in self.targets()
                },
            },
        }

    def lines(self) -> Iterator[str]:
        """Yield everything for people."""
        from mailtickets.desk.dates import in_words
        from mailtickets.desk.terms import priority_name

        ticket, terms, outcome = self.opening.ticket, self.opening.terms, self.opening.outcome
        organisation, message = self.opening.organisation, self.incoming.message
        yield _line("subject", message.subject or "(none)")
        yield _line("from", self.sender or f"nobody: {message.sender_doubt or 'no From address'}")
        yield _line("came to", f"queue {self.came_to.name}, by {self.queue_from}")
        yield _line("organisation", f"{organisation.name} ({organisation.key})" if organisation else "none")
        for note in self.notes():
            yield _line("note", note)
        for one in outcome.fired:
            yield ""
            yield harmless(f"{_title(one.rule)}: holds, as {one.because}")
            yield harmless(f"    sets {_said(_sets(one.rule)) or 'nothing'}")
        for passed in outcome.passed_over:
            yield ""
            yield harmless(f"{_title(passed.rule)}: does not hold: {passed.why}")
        yield ""
        if not self.policy.rules:
            yield "there are no rules"
            yield ""
        yield _line(
            "priority",
            f"{_both(ticket.priority, priority_name(ticket.priority, terms.level))}: {self.opening.priority_from}",
        )
        yield _line("type", ticket.type)
        yield _line("queue", ticket.queue)
        agent = self.policy.agents.get(ticket.assignee)
        yield _line("owner", _both(agent.key, agent.name) if agent else "nobody yet")
        yield _line("goes to", self.told())
        yield _line("tags", ", ".join(ticket.tags) or "none")
        yield _line("service level", terms.level.name if terms.level else "none")
        yield _line("calendar", terms.calendar.in_words())
        targets = [*self.targets()]
        if not targets:
            yield _line("targets", "none" if terms.runs else "none, as no clock runs for this type")
        for name, span, due in targets:
            when = (
                f", so by {in_words(due, self.policy.zone)} if it came now"
                if due
                else " from each answer to the next"
            )
            yield _line(name.replace("_", " "), f"{span}{when}")


def _read(
    config: Config, policy: Policy, raw: bytes, queue_name: str, now: datetime
) -> tuple[Incoming, QueuePolicy]:
    """Read a mail as the daemon does; which mailbox it came from follows from its queue."""
    import hashlib

    from mailtickets.mail.beginning import beginning
    from mailtickets.readying import reading_of

    reading = reading_of(config, policy, _ring(config))
    size, limit = len(raw), config.limits.mail_size
    truncated = bool(limit) and size > limit
    whole = beginning(raw) if truncated else raw

    def read(mailbox: str) -> Incoming:
        digest = hashlib.sha256(whole).digest()
        return reading.read(whole, digest, mailbox, now, truncated=truncated, size=size)

    if queue_name:
        queue = policy.queues[queue_name]
        return read(queue.mailbox), queue
    mailbox = next(iter(config.mailboxes), "")
    incoming = read(mailbox)
    queue, _ = policy.queue_for(incoming.message, mailbox)
    # Whose Authentication-Results count depends on the mailbox.
    return (incoming if queue.mailbox == mailbox else read(queue.mailbox)), queue


def _ring(config: Config) -> KeyRing:
    """Return the desk's keys, or before its first start one that knows no key."""
    import secrets

    from mailtickets.mail.keys import KeyRing
    from mailtickets.store import Store, StoreUnusable

    try:
        store = Store.read(config.desk.store)
    except StoreUnusable:
        return KeyRing({1: secrets.token_bytes(32)}, 1)
    try:
        return store.key_ring()
    finally:
        store.close()


def _bare_ticket(incoming: Incoming, queue: QueuePolicy, now: datetime) -> Ticket:
    from mailtickets.desk.ticket import Ticket

    sender = incoming.message.sender
    return Ticket(
        0,
        queue.tag,
        queue.name,
        incoming.message.subject,
        sender.key if sender else "",
        now,
        now,
        language=queue.language,
    )


def _line(label: str, text: str) -> str:
    return f"{label:<{LABEL}}{harmless(text)}"


def _both(key: str, name: str) -> str:
    return f"{name} ({key})" if name != key else key


def _title(rule: Rule) -> str:
    from mailtickets.desk.rules import called

    return called(rule)


def _asks(rule: Rule) -> Iterator[str]:
    """Yield what a rule asks for, a clause each."""
    for names, clause in (
        (rule.queue, "it comes to {}"),
        (rule.sender, "the sender is {}"),
        (rule.organisation, "the sender belongs to {}"),
    ):
        if names:
            yield clause.format(" or ".join(names))
    for name, pattern in rule.header.items():
        yield f"it has the header {name}" if pattern == "*" else f'the header {name} has "{pattern}"'
    for words, place in (
        (rule.subject, "the subject has"),
        (rule.words, "subject or text have"),
        (rule.body, "the text has"),
    ):
        if words:
            quoted = " or ".join(f'"{word}"' for word in words)
            yield f"{place} {quoted}"


def _sets(rule: Rule) -> dict[str, Any]:
    """Return what a rule sets, without what it leaves alone."""
    values = {
        "priority": rule.set_priority,
        "type": rule.set_type,
        "queue": rule.set_queue,
        "assignee": rule.set_assignee,
        "tags": list(rule.set_tags),
        "service_level": rule.set_service_level,
    }
    return {name: value for name, value in values.items() if value}


def _said(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {' and '.join(value) if isinstance(value, list) else value}"
        for name, value in values.items()
    )
