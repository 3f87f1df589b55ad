"""Commands that look at tickets: list, show, search, why. They only read, also while the daemon runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from mailtickets.cli.words import (
    EXIT_FAILED,
    as_json,
    harmless,
    loaded,
    loaded_to_look,
    number_of,
    print_json,
    reading_store,
    rfc3339,
    say,
    stamp,
    table,
    table_stamp,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from mailtickets.config import Config
    from mailtickets.desk.ticket import Ticket
    from mailtickets.store import Store
    from mailtickets.store.views import CopyView, EntryView

# What a timer does when it is due and nobody wrote meanwhile.
NEXT = {
    "silence": "the next reminder, or closing after the last one",
    "resolved": "it closes by itself",
    "acknowledge": "the acknowledgement, which waits for a limit",
    "held": "a question to an agent or to the admins ends unanswered; what was held for it goes back",
    "clock": "the next step of the escalation ladder",
}
# What made a ticket as it is.
TURNS = frozenset(
    {
        "status", "assigned", "linked", "priority", "type", "queue", "organisation", "due", "workaround", "tagged", "asked",
        "escalated", "erasure", "erased",
    }
)  # fmt: skip


def ticket_json(ticket: Ticket) -> dict[str, Any]:
    """Return a ticket as `list --json` prints it; these keys are fixed."""
    return {
        "reference": ticket.reference,
        "status": ticket.status.value,
        "priority": ticket.priority,
        "type": ticket.type,
        "queue": ticket.queue,
        "subject": ticket.subject,
        "requester": ticket.requester,
        "assignee": ticket.assignee or None,
        "created_at": rfc3339(ticket.created_at),
        "updated_at": rfc3339(ticket.updated_at),
    }


def _print_tickets(tickets: Sequence[Ticket], zone: ZoneInfo) -> None:
    if not tickets:
        click.echo("no tickets")
        return
    rows = [
        (
            t.reference,
            t.status.value,
            t.priority,
            t.assignee or "-",
            t.requester or "unknown sender",
            t.subject,
            table_stamp(t.updated_at, zone),
        )
        for t in tickets
    ]
    click.echo(
        table(
            rows, ("reference", "status", "priority", "assignee", "requester", "subject", "changed"), limit=42
        )
    )


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="Closed tickets too.")
@click.option("--queue", default="", help="Only this queue.")
@click.option("--assignee", default="", metavar="AGENT", help="Only this agent's.")
@click.option(
    "--status",
    default="",
    type=click.Choice(["", "open", "pending", "waiting", "third_party", "resolved", "closed"]),
    metavar="STATUS",
    help="Only this status: open, pending, waiting, third_party, resolved, closed.",
)
@click.option("--limit", default=100, show_default=True, help="At most so many.")
@as_json
def list_(*, everything: bool, queue: str, assignee: str, status: str, limit: int, as_json: bool) -> None:
    """List tickets, the last changed first; closed ones only with --all.

    \b
    mailtickets list --assignee kim
    mailtickets list --status waiting --json
    """  # noqa: D301
    config = loaded_to_look()
    tickets = reading_store(config).views.tickets(
        unfinished=not everything, queue=queue, assignee=assignee, status=status, limit=limit
    )
    if as_json:
        print_json([ticket_json(ticket) for ticket in tickets])
    else:
        _print_tickets(tickets, config.desk.zone)


@click.command()
@click.argument("words", nargs=-1, required=True)
@as_json
def search(*, words: tuple[str, ...], as_json: bool) -> None:
    """Find tickets by words in subjects, mails and notes, the best match first."""
    config = loaded_to_look()
    tickets = reading_store(config).views.search(" ".join(words))
    if as_json:
        print_json([ticket_json(ticket) for ticket in tickets])
    else:
        _print_tickets(tickets, config.desk.zone)


@click.command()
@click.argument("reference")
@as_json
def show(*, reference: str, as_json: bool) -> None:
    """Show one ticket: its state, its people, and its whole history.

    REFERENCE is SUP-1042 or just 1042. [A] marks what only agents read, [D] what only the desk notes.
    """
    config = loaded()
    store = reading_store(config)
    ticket = _find(store, reference)
    entries = store.views.entries(ticket.number)
    if as_json:
        people = [{"address": p.address, "name": p.name, "role": p.role.value} for p in ticket.people]
        links = [f"{ticket.tag}-{ticket.linked}"] if ticket.linked else []
        print_json(
            {
                **ticket_json(ticket),
                "participants": people,
                "tags": list(ticket.tags),
                "links": links,
                "entries": [_entry_json(e) for e in entries],
            }
        )
        return
    zone = config.desk.zone
    click.echo(f"{ticket.reference}  {harmless(ticket.subject)}")
    click.echo(
        f"{ticket.status.value}, {ticket.priority}, {ticket.type}, queue {ticket.queue}, assigned to {ticket.assignee or 'nobody'}"
    )
    if ticket.organisation:
        organisation = config.organisations.get(ticket.organisation)
        click.echo(harmless(f"organisation {organisation.name if organisation else ticket.organisation}"))
    if ticket.tags:
        click.echo(harmless(f"labels: {', '.join(ticket.tags)}"))
    click.echo(f"opened {stamp(ticket.created_at, zone)}, changed {stamp(ticket.updated_at, zone)}")
    for person in ticket.people:
        click.echo(f"  {person.role.value:<12} {harmless(person.name)} <{harmless(person.address)}>")
    for one in _deadlines(store, ticket, config):
        click.echo(f"  {'late' if one['late'] else 'due'}: {one['what']}, {stamp(one['at'], zone)}")
    for kind, due in store.views.timers(ticket.number):
        click.echo(f"  next: {_next(kind, store, ticket, config)}, {stamp(due, zone)}")
    for entry in entries:
        click.echo("")
        click.echo(_headline(entry, zone))
        for line in harmless(entry.text).split("\n") if entry.text else ():
            click.echo(f"    {line}")


def _reason(entry: EntryView, zone: str) -> str:
    """Return the reason of an entry for people: without a rung's key, a date in words."""
    from contextlib import suppress
    from datetime import datetime

    from mailtickets.desk.dates import in_words

    first, _, rest = entry.reason.partition(" ")
    if entry.kind == "escalated" and rest:
        return rest
    if entry.kind == "due":
        with suppress(ValueError):
            return f"{in_words(datetime.fromisoformat(first), zone)} {rest}".strip()
    return entry.reason


def _headline(entry: EntryView, zone: ZoneInfo) -> str:
    mark = {"customer": "", "agents": " [A]", "desk": " [D]"}[entry.audience]
    to = f" to {', '.join(entry.to)}" if entry.to else ""
    reason = f": {_reason(entry, zone.key)}" if entry.reason else ""
    what = harmless(f"{entry.kind}{mark} by {entry.actor}{to}{reason}")
    return f"{entry.seq:>3}  {stamp(entry.at, zone)}  {what}"


def _entry_json(entry: EntryView) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "kind": entry.kind,
        "at": rfc3339(entry.at),
        "actor": entry.actor,
        "audience": entry.audience,
        "to": list(entry.to),
        "subject": entry.subject,
        "text": entry.text,
        "message_id": entry.message_id,
        "reason": entry.reason,
    }


def _find(store: Store, reference: str) -> Ticket:
    number = number_of(reference)
    ticket = store.views.ticket(number) if number is not None else None
    if ticket is None:
        click.echo(f"there is no ticket {harmless(reference)}; `mailtickets list --all` shows all", err=True)
        sys.exit(EXIT_FAILED)
    return ticket


def _mail_of(store: Store, what: str) -> CopyView | None:
    """Return the mail that has a bare number which no ticket has."""
    number = number_of(what) if what.isdecimal() else None
    if number is None or store.views.ticket(number):
        return None
    return store.views.copy(number)


@click.command()
@click.argument("what", metavar="REFERENCE|MESSAGE-ID|MAIL")
@as_json
def why(*, what: str, as_json: bool) -> None:
    """Explain: where a mail went and by which evidence, or how a ticket came to be as it is and what comes next.

    A bare number is that of a ticket, or else that of a mail as `mailtickets quarantine` and the log show it.

    \b
    mailtickets why SUP-1042
    mailtickets why 17
    mailtickets why '<CAF1234@mail.customer.example>'
    """  # noqa: D301
    config = loaded()
    store = reading_store(config)
    zone = config.desk.zone
    if numbered := _mail_of(store, what):
        if as_json:
            print_json({"mails": [_copy_json(numbered)], "ours": []})
        else:
            _explain(numbered, zone)
        return
    if "@" not in what:
        ticket = _find(store, what)
        copies = store.views.copies_of(ticket=ticket.number)
        timers = store.views.timers(ticket.number)
        due = _deadlines(store, ticket, config)
        if as_json:
            print_json(
                {
                    **ticket_json(ticket),
                    "mails": [_copy_json(c) for c in copies],
                    "deadlines": [
                        {"target": d["target"], "at": rfc3339(d["at"]), "late": d["late"]} for d in due
                    ],
                    "next": [{"kind": k, "at": rfc3339(d)} for k, d in timers],
                }
            )
            return
        changed = [e for e in store.views.entries(ticket.number) if e.kind in TURNS]
        click.echo(f"{ticket.reference} is {ticket.status.value}.")
        for entry in changed:
            what = harmless(f"{entry.kind} {_reason(entry, config.desk.timezone)} (by {entry.actor})")
            click.echo(f"  {stamp(entry.at, zone)}  {what}")
        for copy in copies:
            _explain(copy, zone)
        for mail in store.views.outbox(ticket=ticket.number):
            error = f": {mail.last_error}" if mail.last_error else ""
            say(harmless(f"out: {mail.kind} to {', '.join(mail.to)}: {mail.state}{error}"))
        for one in due:
            click.echo(f"{'late' if one['late'] else 'due'}: {one['what']}, {stamp(one['at'], zone)}")
        for kind, at in timers:
            click.echo(f"next: {_next(kind, store, ticket, config)}, {stamp(at, zone)}")
        if not timers:
            click.echo("next: nothing by itself; the ticket waits for a person")
        return
    message_id = what if what.startswith("<") else f"<{what}>"
    copies = store.views.copies_of(message_id=message_id)
    ours = store.views.outbox(message_id=message_id)
    if as_json:
        print_json({"mails": [_copy_json(c) for c in copies], "ours": [m.id for m in ours]})
        return
    for copy in copies:
        _explain(copy, zone)
    for mail in ours:
        click.echo(
            harmless(
                f"ours: {mail.kind} to {', '.join(mail.to)}, {mail.state} {stamp(mail.sent_at, zone)} {mail.last_error}".rstrip()
            )
        )
    if not copies and not ours:
        click.echo("no mail with that Message-ID was taken in or sent", err=True)
        sys.exit(EXIT_FAILED)


def _deadlines(store: Store, ticket: Ticket, config: Config) -> list[dict[str, Any]]:
    """Return what was promised on a ticket and is still to come, or late."""
    from mailtickets.clocks import utc_now
    from mailtickets.desk.promises import deadlines
    from mailtickets.policies import policy_of

    return deadlines(ticket, store.tickets.history(ticket.number), policy_of(config), utc_now())


def _next(kind: str, store: Store, ticket: Ticket, config: Config) -> str:
    """Return what a timer does; of the ladder, which rung is next."""
    if kind == "clock":
        from mailtickets.clocks import utc_now
        from mailtickets.desk.upcoming import upcoming
        from mailtickets.policies import policy_of

        known = store.tickets.get(ticket.number) or ticket
        coming = upcoming(known, store.tickets.history(ticket.number), policy_of(config), utc_now())
        for one in coming:
            if one.kind in {"warning", "breach"}:
                return harmless(one.what.rstrip("."))
    return NEXT.get(kind, kind)


def _explain(copy: CopyView, zone: ZoneInfo) -> None:
    say(
        harmless(
            f"mail {copy.id} from {copy.sender or 'unknown sender'}, taken {stamp(copy.taken, zone)}: {copy.state}, {copy.reason}"
            + (f" (ticket {copy.ticket})" if copy.ticket else "")
        )
    )
    for step in copy.why:
        say(f"    {harmless(step)}", " " * 6)


def _copy_json(copy: CopyView) -> dict[str, Any]:
    return {
        "id": copy.id,
        "at": rfc3339(copy.taken),
        "from": copy.sender,
        "subject": copy.subject,
        "message_id": copy.message_id,
        "state": copy.state,
        "reason": copy.reason,
        "why": list(copy.why),
        "ticket": copy.ticket,
    }
