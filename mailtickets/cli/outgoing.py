"""The command about mails on their way out: outbox."""

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
    numbers,
    one_change,
    print_json,
    reading_store,
    rfc3339,
    say,
    stamp,
    table,
    table_stamp,
    writing_store,
)
from mailtickets.clocks import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from zoneinfo import ZoneInfo

    from mailtickets.config import Config
    from mailtickets.store import Store
    from mailtickets.store.views import OutboxView

everything_too = click.option("--all", "everything", is_flag=True, help="Sent mails too.")


@click.group(invoke_without_command=True)
@as_json
@everything_too
@click.pass_context
def outbox(ctx: click.Context, *, as_json: bool, everything: bool) -> None:
    """Mails that are not sent yet, and those that went wrong.

    \b
    mailtickets outbox                  list them; the same as `outbox list`
    mailtickets outbox show 17          print one whole, with what became of it
    mailtickets outbox retry 17 18      send some again, with the same bytes
    mailtickets outbox cancel 17        give one up
    mailtickets outbox resume           let go what is held back: a doubtful clock, too much mail
    """  # noqa: D301
    if ctx.invoked_subcommand is None:
        _print_outbox(as_json=as_json, everything=everything)


@outbox.command("list")
@as_json
@everything_too
def outbox_list(*, as_json: bool, everything: bool) -> None:
    """List mails that are not sent yet, and those that went wrong, the newest first."""
    _print_outbox(as_json=as_json, everything=everything)


def _print_outbox(*, as_json: bool, everything: bool) -> None:
    config = loaded_to_look()
    store = reading_store(config)
    mails, next_of = store.views.outbox(everything=everything), _Next(store, config)
    if as_json:
        print_json([_outbox_json(mail, next_of) for mail in mails])
        return
    if not mails:
        click.echo("nothing waits to be sent")
        return
    rows = [
        (
            str(m.id),
            m.state,
            m.kind,
            ", ".join(m.to),
            m.subject,
            str(m.attempts),
            next_of(m),
            m.last_error,
        )
        for m in mails
    ]
    click.echo(
        table(
            rows,
            ("id", "state", "kind", "to", "subject", "tries", "next", "last error"),
            limit=44,
            below=("next", "last error"),
        )
    )


class _Next:
    """When a mail is tried, or why it is not though it is due: what holds mail back for now, and the desk itself."""

    def __init__(self, store: Store, config: Config) -> None:
        from mailtickets import pauses
        from mailtickets.accounts import rates_of
        from mailtickets.desk.pausing import Cause
        from mailtickets.store.lock import lock_holder
        from mailtickets.store.outbox import Held

        holds = {
            Cause.VOLUME: (Held.AUTOMATIC, "automatic_per_hour"),
            Cause.CLOCK: (Held.TO_CUSTOMERS, "doubtful clock"),
        }
        self._now, self._zone = utc_now(), config.desk.zone
        self._held = [
            (*holds[pause.cause], pause.until)
            for pause in pauses.stored(store)
            if not pause.is_over(self._now)
        ]
        self._rates = rates_of(config)
        self._runs = bool(lock_holder(config.desk.store))

    def __call__(self, mail: OutboxView) -> str:
        """Return it in words, "" for a mail that is not to be tried."""
        if mail.next_at is None or mail.state not in {"queued", "deferred"}:
            return ""
        if mail.next_at > self._now:
            return table_stamp(mail.next_at, self._zone)
        return self.held(mail) or ("now" if self._runs else "when the desk runs")

    def held(self, mail: OutboxView) -> str:
        """Return what holds a mail back that is due, or ""."""
        if mail.next_at is None or mail.next_at > self._now or mail.state not in {"queued", "deferred"}:
            return ""
        for held, why, until in self._held:
            if held.holds(mail.kind, mail.reader, human=mail.human):
                return f"held back until {until.astimezone(self._zone):%H:%M}: {why}"
        return "waits its turn: mails_per_minute" if mail.account in self._rates else ""


def _outbox_json(mail: OutboxView, next_of: _Next) -> dict[str, Any]:
    return {
        "id": mail.id, "state": mail.state, "kind": mail.kind, "to": list(mail.to), "subject": mail.subject, "attempts": mail.attempts,
        "next_attempt_at": rfc3339(mail.next_at), "held_back": next_of.held(mail) or None,
        "last_error": mail.last_error,
    }  # fmt: skip


@outbox.command("show")
@click.argument("number", type=int)
@as_json
def outbox_show(*, number: int, as_json: bool) -> None:
    """Print one mail whole, as it will be or was sent, and what became of it.

    The bytes of a mail that was sent or given up are kept for 30 days; after that its words in the ticket's history
    are shown. Nothing is printed that a terminal would obey.
    """
    config = loaded_to_look()
    store = reading_store(config)
    found = store.views.outgoing(number)
    if found is None:
        click.echo(f"there is no mail {number} in the outbox", err=True)
        sys.exit(EXIT_FAILED)
    mail, zone, next_of = found.mail, config.desk.zone, _Next(store, config)
    raw, problem = _whole(store, number)
    text = store.tickets.text_of(mail.ticket, found.seq) if raw is None and found.seq else ""
    ticket = store.views.ticket(mail.ticket)
    whole = (raw or b"").decode("utf-8", "replace").replace("\r\n", "\n")
    if as_json:
        print_json(
            _outbox_json(mail, next_of) | {
                "reference": ticket.reference if ticket else None, "message_id": mail.message_id, "queued_at": rfc3339(mail.queued_at),
                "sent_at": rfc3339(mail.sent_at), "refused": [{"to": to, "reason": why} for to, why in found.refused],
                "mail": None if raw is None else whole, "text": text, "problem": problem,
            }
        )  # fmt: skip
        return
    about = (
        ("mail", f"{mail.id}, {mail.kind}" + (f", of {ticket.reference}" if ticket else "")),
        ("state", mail.state),
        ("to", ", ".join(mail.to)),
        ("queued", stamp(mail.queued_at, zone)),
        ("sent", stamp(mail.sent_at, zone)),
        (
            "tries",
            str(mail.attempts)
            if mail.attempts or not mail.last_error
            else "0; those without its server do not count",
        ),
        ("next try", next_of(mail)),
        ("last error", mail.last_error),
        *(("refused", f"{to}: {why}") for to, why in found.refused),
    )
    for name, value in about:
        if value:
            say(f"{name:<11} {harmless(value)}", " " * 12)
    click.echo()
    if raw is not None:
        click.echo(harmless(whole))
        return
    click.echo(harmless(problem))
    click.echo(harmless(f"Subject: {mail.subject}\nMessage-ID: {mail.message_id}\n\n{text}".rstrip()))


def _whole(store: Store, number: int) -> tuple[bytes | None, str]:
    """Return a mail's bytes as they are sent; without them why they cannot be had."""
    from mailtickets.outgoing import Damaged, mail_bytes

    stored = store.outbox.stored(number)
    if stored is None:
        return None, "Its bytes are no longer kept."
    try:
        return mail_bytes(stored, store.ledger.original), ""
    except Damaged as error:
        return None, f"The stored mail is damaged ({error}), so it cannot be sent."


@outbox.command("retry")
@numbers
def outbox_retry(*, number: tuple[int, ...]) -> None:
    """Send failed, uncertain or deferred mails again, with the same bytes.

    The running daemon does so within a second; without one they go out at the next `mailtickets run`.
    """
    _change(
        number,
        lambda store, one: store.outbox.retry(one, utc_now()),
        "will be tried again",
    )


@outbox.command("cancel")
@numbers
def outbox_cancel(*, number: tuple[int, ...]) -> None:
    """Give up mails that were not sent."""
    _change(
        number,
        lambda store, one: store.outbox.cancel(one),
        "will not be sent",
    )


@outbox.command("resume")
def outbox_resume() -> None:
    """Let automatic mail go again that is held back, because the clock was in doubt or too much went out."""
    from mailtickets import pauses
    from mailtickets.clocks import utc_now

    store = writing_store(loaded())
    with one_change(store):
        ended = pauses.forget(store, utc_now())
    for pause in ended:
        say(f"automatic mail goes again; it was held back because {pause.why}")
    if not ended:
        click.echo("nothing is held back")


def _why_not(store: Store, number: int, zone: ZoneInfo) -> str:
    """Say of a mail that could not be retried or cancelled how it is."""
    found = store.views.outgoing(number)
    if found is None:
        return f"there is no mail {number} in the outbox"
    words = {
        "sent": f"was sent {stamp(found.mail.sent_at, zone)}",
        "sending": "is on its way at this moment",
        "queued": "waits to be sent already",
        "cancelled": "was cancelled",
    }
    kept = f"is {found.mail.state}, and its bytes are no longer kept"
    return f"mail {number} {words.get(found.mail.state, kept)}"


def _change(chosen: Sequence[int], change: Callable[[Store, int], bool], yes: str) -> None:
    config = loaded()
    store = writing_store(config)
    with one_change(store):
        done = {one for one in chosen if change(store, one)}
    for one in chosen:
        say(
            f"mail {one} {yes}" if one in done else _why_not(store, one, config.desk.zone),
            err=one not in done,
        )
    sys.exit(0 if done == set(chosen) else EXIT_FAILED)
