"""`mailtickets status`: how the desk is, and whether anything is wrong."""

from __future__ import annotations

import sys
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
    wrapped,
)
from mailtickets.clocks import utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailtickets.condition import Wrong
    from mailtickets.config import Config
    from mailtickets.heartbeat import Beat
    from mailtickets.store import Store
    from mailtickets.store.alarms import AlarmState


@click.command()
@as_json
def status(*, as_json: bool) -> None:
    """Say how the desk is: the daemon, last poll and send, what waits, and open troubles.

    Exit code 0 where all is well, 1 where a line begins with "!": a daemon that does not run or hangs, a store
    that cannot be written, a disk that is nearly full, a mailbox that cannot be read or a server that takes no mail
    for a minute, mails that wait for an admin, any alarm of the last day.

    \b
    mailtickets status || page-somebody
    """  # noqa: D301
    from mailtickets.condition import Kept, is_over, look, whats_wrong
    from mailtickets.rounds import rounds_of

    config = loaded_to_look()
    store = reading_store(config)
    now = utc_now()
    pid, beat, alive = look(config.desk.store, now)
    books = store.views.books()
    polls, last_poll = _polls(store, beat)
    # What ended without a sign is shown for a day; a refused reload until one succeeds.
    recent = tuple(
        one for one in store.alarms.open() if one.kind == "reload" or now - one.last_at < timedelta(hours=24)
    )
    unsent, outbox = store.views.oldest_unsent(), store.views.outbox_counts()
    waiting_since = store.views.oldest_waiting()
    rounds = rounds_of(store)
    kept = Kept(
        recent, bool(config.mailboxes), last_poll is not None, rounds, books.unexplained, books.quarantined,
        books.waiting, waiting_since, store.views.stranded(), unsent is not None or "sending" in outbox,
        store.views.next_tries(), _pauses(store, config, now), _disk(config),
    )  # fmt: skip
    wrong = whats_wrong(alive, kept, now)
    last_send = _moment(beat.last_send if beat else None) or _moment(store.setting("last_send"))
    values: dict[str, Any] = {
        "running": bool(pid), "hangs": alive.hangs, "pid": pid or None, "last_round_at": rfc3339(rounds.last if rounds else None), "store": str(config.desk.store), "last_poll_at": rfc3339(last_poll),
        "polls": {name: rfc3339(_moment(at)) for name, at in polls.items()}, "last_send_at": rfc3339(last_send),
        "tickets": store.views.counts(), "outbox": outbox, "oldest_unsent_at": rfc3339(unsent),
        "oldest_waiting_at": rfc3339(waiting_since),
        "held": books.held, "quarantined": books.quarantined, "waiting": books.waiting, "wrong": [one.words(config.desk.zone, now) for one in wrong],
        "heartbeat_age_s": round(alive.silent, 1) if beat else None, "loop_lag_s": beat.loop_lag_s if beat else None,
        "desk_turn_age_s": beat.desk_turn_age_s if beat else None, "started_at": rfc3339(_moment(beat.started_at)) if beat else None,
        "version": beat.version if beat else None,
        "troubles": _troubles(beat, [one for one in recent if not is_over(one, kept)]),
        "failures": beat.failures if beat else [],
    }  # fmt: skip
    if as_json:
        print_json(values)
    else:
        _print(config, values, [(one.cause(config.desk.zone, now), one.remedy) for one in wrong])
    sys.exit(EXIT_FAILED if wrong else 0)


def _print(config: Config, values: Mapping[str, Any], wrong: list[tuple[str, str]]) -> None:
    zone = config.desk.zone

    def at(name: str) -> str:
        return stamp(_moment(values[name]), zone)

    def listed(name: str, none: str) -> str:
        return ", ".join(f"{number} {state}" for state, number in values[name].items()) or none

    oldest = f"; the oldest since {at('oldest_unsent_at')}" if values["oldest_unsent_at"] else ""
    waits = f"; the oldest since {at('oldest_waiting_at')}" if values["oldest_waiting_at"] else ""
    stopped = (
        f"none; the last round of `run --once` was at {at('last_round_at')}"
        if values["last_round_at"]
        else "not running"
    )
    lines = [
        ("daemon", f"running, pid {values['pid']}{', but hangs' * values['hangs']}" if values["running"] else stopped),
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
    for cause, remedy in wrong:
        click.echo(wrapped(harmless(f"! {cause}"), "  "))
        if remedy:
            click.echo(wrapped(harmless(f"  -> {remedy.removesuffix('.')}"), "     "))
    if not wrong:
        click.echo("all is well")


def _pauses(store: Store, config: Config, now: datetime) -> list[Wrong]:
    from mailtickets import pauses
    from mailtickets.condition import Wrong

    return [
        Wrong(
            f"automatic mail is held back until {stamp(pause.until, config.desk.zone)}", pause.why, "see `mailtickets outbox resume`"
        )
        for pause in pauses.stored(store)
        if not pause.is_over(now)
    ]  # fmt: skip


def _disk(config: Config) -> list[Wrong]:
    """Return what is wrong with the disk of the store, by the rules of `doctor`."""
    from mailtickets.condition import Wrong
    from mailtickets.diagnosis.finding import State
    from mailtickets.diagnosis.machine import judge_space, space_of

    found = judge_space(space_of(config.desk.store))
    return [Wrong(f"disk: {one.what}", remedy=one.remedy) for one in found if one.state is State.WRONG]


def _polls(store: Store, beat: Beat | None) -> tuple[dict[str, str | None], datetime | None]:
    """Return the last good poll of each mailbox, and the last of all, also of a daemon that ended."""
    polls = beat.last_poll if beat else {}
    moments = [_moment(at) for at in (*polls.values(), store.setting("last_poll"))]
    return polls, max((one for one in moments if one), default=None)


def _troubles(beat: Beat | None, alarms: Sequence[AlarmState]) -> list[dict[str, str]]:
    """Return what the daemon says and what the store has, each kind once."""
    kept = {
        one.kind: {"kind": one.kind, "what": one.what, "why": one.why, "remedy": one.remedy, "since": one.since.isoformat(timespec="seconds")}
        for one in alarms
    }  # fmt: skip
    return list((kept | {one["kind"]: one for one in (beat.troubles if beat else ())}).values())


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
