"""The command that says how the desk is: status."""

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
