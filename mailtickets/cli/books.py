"""Commands about the desk itself: ledger, status."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Any

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
)
from mailtickets.clocks import utc_now

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
