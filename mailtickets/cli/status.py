"""`mailtickets status`: how the desk is, and whether anything is wrong."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from mailtickets.cli.words import (
    EXIT_FAILED,
    as_json,
    harmless,
    loaded_to_look,
    print_json,
    reading_store,
    rfc3339,
    stamp,
)
from mailtickets.clocks import utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mailtickets.config import Config
    from mailtickets.heartbeat import Beat
    from mailtickets.store import Store


@click.command()
@as_json
def status(*, as_json: bool) -> None:
    """Say how the desk is: the daemon, last poll and send, what waits, and open troubles.

    Exit code 0 where all is well, 1 where something is wrong: a daemon that does not run or hangs, a mailbox
    that cannot be read, mail that cannot be sent, an agent's answer that may never have been sent, any alarm of
    the last day.

    \b
    mailtickets status || page-somebody
    """  # noqa: D301
    from mailtickets import heartbeat, pauses
    from mailtickets.store.database import lock_holder
    from mailtickets.watching import Alive, Kept, whats_wrong

    config = loaded_to_look()
    store = reading_store(config)
    now = utc_now()
    pid = lock_holder(config.desk.store)
    held_for = _seconds_since(config.desk.store.with_name(config.desk.store.name + ".lock"))
    found = heartbeat.read(config.desk.store)
    beat, age = found if found and pid == found[0].pid else (None, 0.0)
    books = store.views.books()
    polls, last_poll = _polls(store, beat)
    alarms = store.alarms.open()
    # What ended without a sign is shown for a day; a refused reload until one succeeds.
    recent = tuple(one for one in alarms if one.kind == "reload" or now - one.last_at < timedelta(hours=24))
    alive = Alive(bool(pid), held_for, age if beat else None, beat.troubles if beat else ())
    held = store.views.answers_held()
    kept = Kept(recent, bool(config.mailboxes), last_poll is not None, books.unexplained, held)
    wrong = whats_wrong(alive, kept)
    wrong += [
        f"automatic mail is held back until {stamp(pause.until, config.desk.zone)}: {pause.why}; see `mailtickets outbox resume`"
        for pause in pauses.stored(store)
        if not pause.is_over(now)
    ]
    unsent = store.views.oldest_unsent()
    last_send = _moment(beat.last_send if beat else None) or _moment(store.setting("last_send"))
    values: dict[str, Any] = {
        "running": bool(pid), "pid": pid or None, "store": str(config.desk.store), "last_poll_at": rfc3339(last_poll),
        "polls": {name: rfc3339(_moment(at)) for name, at in polls.items()}, "last_send_at": rfc3339(last_send),
        "tickets": store.views.counts(), "outbox": store.views.outbox_counts(), "oldest_unsent_at": rfc3339(unsent),
        "oldest_waiting_at": rfc3339(store.views.oldest_waiting()),
        "held": books.held, "quarantined": books.quarantined, "waiting": books.waiting, "wrong": wrong,
        "heartbeat_age_s": round(age, 1) if beat else None, "loop_lag_s": beat.loop_lag_s if beat else None,
        "desk_turn_age_s": beat.desk_turn_age_s if beat else None, "started_at": rfc3339(_moment(beat.started_at)) if beat else None,
        "version": beat.version if beat else None,
        "troubles": _troubles(beat, [(one.kind, one.what, one.why, one.remedy) for one in recent]),
    }  # fmt: skip
    if as_json:
        print_json(values)
    else:
        _print(config, values, wrong)
    sys.exit(EXIT_FAILED if wrong else 0)


def _print(config: Config, values: Mapping[str, Any], wrong: list[str]) -> None:
    zone = config.desk.zone

    def at(name: str) -> str:
        return stamp(_moment(values[name]), zone)

    def listed(name: str, none: str) -> str:
        return ", ".join(f"{number} {state}" for state, number in values[name].items()) or none

    oldest = f"; the oldest since {at('oldest_unsent_at')}" if values["oldest_unsent_at"] else ""
    waits = f"; the oldest since {at('oldest_waiting_at')}" if values["oldest_waiting_at"] else ""
    lines = [
        ("daemon", f"running, pid {values['pid']}" if values["running"] else "not running"),
        ("store", str(config.desk.store)),
        ("last poll", at("last_poll_at") or "never"),
        *((f"  {name}", stamp(_moment(when), zone) or "never") for name, when in values["polls"].items() if len(values["polls"]) > 1),
        ("last send", at("last_send_at") or "never"),
        ("tickets", listed("tickets", "none unfinished")),
        ("outbox", listed("outbox", "empty") + oldest),
        ("undecided", f"{values['waiting']}{waits}"),
        ("set aside", f"{values['quarantined']} in quarantine, {values['held']} held"),
    ]  # fmt: skip
    for name, words in lines:
        click.echo(f"{harmless(name):<12} {harmless(words)}")
    for line in wrong:
        click.echo(harmless(f"! {line}"))
    if not wrong:
        click.echo("all is well")


def _polls(store: Store, beat: Beat | None) -> tuple[dict[str, str | None], datetime | None]:
    """Return the last good poll of each mailbox, and the last of all, also of a daemon that ended."""
    polls = beat.last_poll if beat else {}
    moments = [_moment(at) for at in (*polls.values(), store.setting("last_poll"))]
    return polls, max((one for one in moments if one), default=None)


def _troubles(beat: Beat | None, alarms: list[tuple[str, str, str, str]]) -> list[dict[str, str]]:
    """Return what the daemon says and what the store has, each kind once."""
    kept = {
        kind: {"kind": kind, "what": what, "why": why, "remedy": remedy} for kind, what, why, remedy in alarms
    }
    return list((kept | {one["kind"]: one for one in (beat.troubles if beat else ())}).values())


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _seconds_since(path: Path) -> float:
    """Return how long ago a file was written; 0 where there is none."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
