"""Commands about the desk itself: ledger, quarantine, held, outbox, status."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from mailtickets.cli.looking import as_json
from mailtickets.cli.words import (
    EXIT_CONFIG,
    EXIT_FAILED,
    harmless,
    loaded,
    print_json,
    reading_store,
    rfc3339,
    stamp,
    table,
)
from mailtickets.clocks import utc_now

if TYPE_CHECKING:
    from mailtickets.config import Config
    from mailtickets.store import Store
    from mailtickets.store.views import CopyView

STALE_POLL = timedelta(minutes=15)


@click.command()
@as_json
def ledger(*, as_json: bool) -> None:
    """Balance the books: every mail that was taken in is in exactly one place.

    received = on_tickets + ignored + held + quarantined + waiting + unexplained. `waiting` is 0 at rest,
    `unexplained` always; exit code 1 where it is not. `duplicates` are part of `ignored`.
    """
    books = reading_store(loaded()).views.books()
    values = {name: getattr(books, name) for name in type(books).__slots__}
    if as_json:
        print_json(values)
    else:
        for name, value in values.items():
            click.echo(f"{name:<12} {value:>8}")
    sys.exit(EXIT_FAILED if books.unexplained else 0)


def _aside_json(copy: CopyView) -> dict[str, Any]:
    return {
        "id": copy.id,
        "at": rfc3339(copy.taken),
        "from": copy.sender,
        "subject": copy.subject,
        "reason": copy.reason,
    }


def _print_aside(state: str, *, as_json: bool) -> None:
    config = loaded()
    copies = reading_store(config).views.aside(state)
    if as_json:
        print_json([_aside_json(copy) for copy in copies])
        return
    if not copies:
        click.echo("nothing")
        return
    rows = [
        (str(c.id), stamp(c.taken, config.desk.zone), c.sender or "unknown sender", c.subject, c.reason)
        for c in copies
    ]
    click.echo(table(rows, ("id", "taken", "from", "subject", "reason")))


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def quarantine(ctx: click.Context, *, as_json: bool) -> None:
    """Mails that were set aside whole, each with its reason.

    \b
    mailtickets quarantine              list them
    mailtickets quarantine show 17      print one as it came
    mailtickets quarantine retry 17     decide it once more, after its cause was mended
    mailtickets quarantine drop 17      leave it out; the original stays in the store
    """  # noqa: D301
    if ctx.invoked_subcommand is None:
        _print_aside("quarantined", as_json=as_json)


@quarantine.command("show")
@click.argument("number", type=int)
def quarantine_show(*, number: int) -> None:
    """Print one mail as it came, without anything that a terminal would obey."""
    store = reading_store(loaded())
    copy = store.ledger.copy(number)
    if copy is None:
        click.echo(f"there is no mail {number} in the ledger", err=True)
        sys.exit(EXIT_FAILED)
    click.echo(harmless(store.ledger.original(copy.digest).decode("utf-8", "replace").replace("\r\n", "\n")))


@quarantine.command("retry")
@click.argument("number", type=int)
def quarantine_retry(*, number: int) -> None:
    """Decide a mail once more; the running daemon does so within a second."""
    _change(
        "wait_again",
        number,
        "will be decided again",
        "is not in quarantine (a held mail waits for its agent's answer)",
    )


@quarantine.command("drop")
@click.argument("number", type=int)
def quarantine_drop(*, number: int) -> None:
    """Leave a mail out for good; its original stays in the store."""
    from mailtickets.desk.ticket import Outcome

    config = loaded()
    store = _writing_store(config)
    if number not in {copy.id for copy in store.views.aside("quarantined", 10_000)}:
        click.echo(f"mail {number} is not in quarantine", err=True)
        sys.exit(EXIT_FAILED)
    with store.transaction():
        store.ledger.rebook(number, Outcome.IGNORED, "dropped from quarantine by the admin")
    click.echo(f"mail {number} is left out")


@click.command()
@as_json
def held(*, as_json: bool) -> None:
    """List mails with an agent's address that wait for that agent's confirmation."""
    _print_aside("held", as_json=as_json)


@click.group(invoke_without_command=True)
@as_json
@click.option("--all", "everything", is_flag=True, help="Sent mails too.")
@click.pass_context
def outbox(ctx: click.Context, *, as_json: bool, everything: bool) -> None:
    """Mails that are not sent yet, and those that went wrong.

    \b
    mailtickets outbox                  list them
    mailtickets outbox retry 17         send one again, with the same bytes
    mailtickets outbox cancel 17        give one up
    mailtickets outbox resume           let go what is held back: a doubtful clock, too much mail
    """  # noqa: D301
    if ctx.invoked_subcommand is not None:
        return
    config = loaded()
    mails = reading_store(config).views.outbox(everything=everything)
    if as_json:
        print_json(
            [
                {"id": m.id, "state": m.state, "kind": m.kind, "to": list(m.to), "subject": m.subject, "attempts": m.attempts,
                 "next_attempt_at": rfc3339(m.next_at), "last_error": m.last_error}
                for m in mails
            ]
        )  # fmt: skip
        return
    if not mails:
        click.echo("nothing waits to be sent")
        return
    zone = config.desk.zone
    rows = [
        (
            str(m.id),
            m.state,
            m.kind,
            ", ".join(m.to),
            m.subject,
            str(m.attempts),
            stamp(m.next_at, zone),
            m.last_error,
        )
        for m in mails
    ]
    click.echo(table(rows, ("id", "state", "kind", "to", "subject", "tries", "next", "last error"), limit=40))


@outbox.command("retry")
@click.argument("number", type=int)
def outbox_retry(*, number: int) -> None:
    """Send a failed, uncertain or deferred mail again, with the same bytes."""
    store = _writing_store(loaded())
    with store.transaction():
        done = store.outbox.retry(number, utc_now())
    _say(
        number,
        done=done,
        yes="will be sent again",
        no="is not in the outbox as failed, uncertain or deferred",
    )


@outbox.command("cancel")
@click.argument("number", type=int)
def outbox_cancel(*, number: int) -> None:
    """Give up a mail that was not sent."""
    store = _writing_store(loaded())
    with store.transaction():
        done = store.outbox.cancel(number)
    _say(number, done=done, yes="will not be sent", no="is not in the outbox, or was sent")


@outbox.command("resume")
def outbox_resume() -> None:
    """Let automatic mail go again that is held back, because the clock was in doubt or too much went out."""
    from mailtickets import pauses

    store = _writing_store(loaded())
    with store.transaction():
        ended = pauses.forget(store)
    for pause in ended:
        click.echo(f"automatic mail goes again; it was held back because {pause.why}")
    if not ended:
        click.echo("nothing is held back")


def _change(method: str, number: int, yes: str, no: str) -> None:
    store = _writing_store(loaded())
    with store.transaction():
        done = bool(getattr(store.ledger, method)(number))
    _say(number, done=done, yes=yes, no=no)


def _say(number: int, *, done: bool, yes: str, no: str) -> None:
    click.echo(f"mail {number} {yes if done else no}", err=not done)
    sys.exit(0 if done else EXIT_FAILED)


def _writing_store(config: Config) -> Store:
    """Open the store for a single change: one short transaction, which the daemon takes up within a second."""
    from mailtickets.store import Store

    return Store.open(config.desk.store, utc_now())


@click.command()
@as_json
def status(*, as_json: bool) -> None:
    """Say how the desk is: the daemon, the last poll, what waits, and open troubles.

    Exit code 0 where all is well, 1 where something is wrong.
    """
    from mailtickets.config import ConfigInvalid
    from mailtickets.pauses import stored as stored_pauses
    from mailtickets.store.database import lock_holder

    try:
        config = loaded()
    except ConfigInvalid as invalid:
        click.echo(str(invalid), err=True)
        click.echo("the configuration cannot be used; a running daemon goes on with the one it has", err=True)
        sys.exit(EXIT_CONFIG)
    store = reading_store(config)
    now = utc_now()
    last_poll_text = store.setting("last_poll")
    last_poll = datetime.fromisoformat(last_poll_text) if last_poll_text else None
    pid = lock_holder(config.desk.store)
    alarms = store.alarms.open()
    unsent = store.views.oldest_unsent()
    lasting = {"reload"}  # ends by itself; what ended without a sign is shown for a day
    wrong = [
        f"{alarm.what}: {alarm.why}"
        for alarm in alarms
        if alarm.kind in lasting or now - alarm.last_at < timedelta(hours=24)
    ]
    if not pid:
        wrong.append("the daemon does not run; start it with `mailtickets run`")
    elif config.mailboxes and (last_poll is None or now - last_poll > STALE_POLL):
        wrong.append("no mailbox could be read for 15 minutes")
    zone = config.desk.zone
    wrong += [
        f"automatic mail is held back until {stamp(pause.until, zone)}: {pause.why}; see `mailtickets outbox resume`"
        for pause in stored_pauses(store)
        if not pause.is_over(now)
    ]
    books = store.views.books()
    values: dict[str, Any] = {
        "running": bool(pid), "pid": pid or None, "store": str(config.desk.store), "last_poll_at": rfc3339(last_poll),
        "tickets": store.views.counts(), "outbox": store.views.outbox_counts(), "oldest_unsent_at": rfc3339(unsent),
        "held": books.held, "quarantined": books.quarantined, "waiting": books.waiting, "wrong": wrong,
    }  # fmt: skip
    if as_json:
        print_json(values)
    else:
        click.echo(f"daemon       {'running, pid ' + str(pid) if pid else 'not running'}")
        click.echo(f"store        {config.desk.store}")
        click.echo(f"last poll    {stamp(last_poll, zone) or 'never'}")
        click.echo(
            "tickets      "
            + (", ".join(f"{n} {s}" for s, n in values["tickets"].items()) or "none unfinished")
        )
        click.echo("outbox       " + (", ".join(f"{n} {s}" for s, n in values["outbox"].items()) or "empty"))
        click.echo(f"set aside    {books.quarantined} in quarantine, {books.held} held")
        for line in wrong:
            click.echo(harmless(f"! {line}"))
        if not wrong:
            click.echo("all is well")
    sys.exit(EXIT_FAILED if wrong else 0)
