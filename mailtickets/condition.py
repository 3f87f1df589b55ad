"""How the desk is, seen from outside: what `status` and `doctor` say of it, judged by the same rules. Only reads.

What the daemon says of itself stands in its heartbeat; the rest is in the store and on the disk.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mailtickets import heartbeat
from mailtickets.heartbeat import STALE_SECONDS
from mailtickets.store.alarms import UNCERTAIN_MAIL
from mailtickets.store.lock import lock_holder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from mailtickets.heartbeat import Beat
    from mailtickets.rounds import Rounds
    from mailtickets.store.alarms import AlarmState
    from mailtickets.store.views import Stranded

SHORT = timedelta(seconds=60)  # what fails for less may be a server that was started anew
DECIDED_WITHIN = timedelta(minutes=2)
NUMBERS_SHOWN = 5
# Alarms that are over when nothing is in quarantine any more.
ABOUT_QUARANTINE = frozenset({"quarantine", "own_address", "forged agent"})
START = "`systemctl start mailtickets` (or `mailtickets run`)"
OWN_WORDS = "`journalctl -u mailtickets -n 50`"


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong, with what to do; `since` and `next_try` where they are known."""

    what: str
    why: str = ""
    remedy: str = ""
    since: datetime | None = None
    next_try: datetime | None = None

    def words(self, zone: ZoneInfo, now: datetime) -> str:
        """Return it as one line: WHAT (since WHEN): WHY; next try WHEN; WHAT TO DO."""
        return self._joined(zone, now, _clause(self.remedy))

    def cause(self, zone: ZoneInfo, now: datetime) -> str:
        """Return the same without what to do, which stands on a line of its own."""
        return self._joined(zone, now)

    def _joined(self, zone: ZoneInfo, now: datetime, remedy: str = "") -> str:
        # In brackets: "3 mails were perhaps sent since 04:46" would speak of the sending.
        head = self.what + (f" (since {_brief(self.since, zone, now)})" if self.since else "")
        next_try = f"next try {_brief(self.next_try, zone, now)}" if self.next_try else ""
        rest = "; ".join(part.rstrip(".") for part in (self.why, next_try, remedy) if part)
        return f"{head}: {rest}" if rest else head


def _clause(sentence: str) -> str:
    """Return a sentence as it goes on behind a semicolon."""
    return sentence[0].lower() + sentence[1:] if sentence[1:2].islower() else sentence


def _brief(moment: datetime, zone: ZoneInfo, now: datetime) -> str:
    here = moment.astimezone(zone)
    return f"{here:%H:%M}" if here.date() == now.astimezone(zone).date() else f"{here:%a %d %b %H:%M}"


@dataclass(frozen=True, slots=True)
class Alive:
    """What can be seen of the daemon from outside.

    held_for      seconds for which it has had the store's lock.
    beat_age      seconds since its last heartbeat; None: it has not written any.
    written_age   seconds since its heartbeat could be written with news in it, not only be touched.
    troubles, failures   as its heartbeat has them.
    """

    running: bool
    held_for: float = 0.0
    beat_age: float | None = None
    written_age: float = 0.0
    troubles: Sequence[Mapping[str, str]] = ()
    failures: Sequence[Mapping[str, str]] = ()

    @property
    def silent(self) -> float:
        """Seconds without a sign of life."""
        return self.held_for if self.beat_age is None else self.beat_age

    @property
    def hangs(self) -> bool:
        """It runs, and gives no sign of life."""
        return self.running and self.silent > STALE_SECONDS

    @property
    def writes(self) -> bool:
        """It lives, and can write beside the store."""
        return self.running and not self.hangs and self.written_age <= STALE_SECONDS


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store and the disk say.

    alarms        of the last day.
    polled        whether mail was ever taken in.
    rounds        those of `run --once`.
    unexplained   mails nobody can account for.
    waiting       mails that are not decided, and since when the oldest of them.
    stranded      mails that are not sent and that the desk does not try any more.
    mail_waits    some mail is to be sent.
    next_tries    when a mail of an account is sent next; "" is [smtp].
    pauses        why automatic mail is held back.
    disk          what is wrong with the disk, and what to do.
    """

    alarms: Sequence[AlarmState] = ()
    has_mailboxes: bool = True
    polled: bool = True
    rounds: Rounds | None = None
    unexplained: int = 0
    quarantined: int = 0
    waiting: int = 0
    waiting_since: datetime | None = None
    stranded: Sequence[Stranded] = ()
    mail_waits: bool = True
    next_tries: Mapping[str, datetime] | None = None
    pauses: Sequence[Wrong] = ()
    disk: Sequence[Wrong] = ()


def look(store: Path, now: datetime) -> tuple[int, Beat | None, Alive]:
    """Return the daemon's process number, or 0, its heartbeat and what both tell."""
    pid = lock_holder(store)
    found = heartbeat.read(store)
    held_for = _seconds_since(store.with_name(store.name + ".lock"))
    if found is None or found[0].pid != pid:
        return pid, None, Alive(bool(pid), held_for)
    beat, age = found
    written = (now - datetime.fromisoformat(beat.at)).total_seconds()
    return pid, beat, Alive(bool(pid), held_for, age, written, beat.troubles, beat.failures)


def _seconds_since(path: Path) -> float:
    """Return how long ago a file was written; 0 where there is none."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def whats_wrong(alive: Alive, kept: Kept, now: datetime) -> list[Wrong]:
    """Return what `status` says is wrong, each once, with what to do; nothing where all is well."""
    outages = _outages(alive, kept, now)
    wrong = _daemon(alive, kept, now)
    if (
        alive.running
        and not alive.hangs
        and kept.has_mailboxes
        and not kept.polled
        and not any(kind.startswith("mailbox ") for kind in outages)
    ):
        hint = "if that lasts, see the log, or `mailtickets check --connect`"
        wrong.append(Wrong("no mailbox was read yet", remedy=hint))
    wrong += [*kept.disk, *outages.values(), *kept.pauses]
    late = kept.waiting_since is not None and now - kept.waiting_since > DECIDED_WITHIN
    if alive.running and not alive.hangs and kept.waiting and late:
        what = f"{_count(kept.waiting, 'mail is', 'mails are')} not decided"
        remedy = "look at the log and at `mailtickets doctor`"
        wrong.append(Wrong(what, remedy=remedy, since=kept.waiting_since))
    wrong += _stranded(kept.stranded)
    if kept.unexplained:
        where = _count(kept.unexplained, "mail is", "mails are")
        wrong.append(Wrong(f"{where} nowhere", remedy="see `mailtickets ledger`, and tell us"))
    return wrong


def _daemon(alive: Alive, kept: Kept, now: datetime) -> list[Wrong]:
    if not alive.running and kept.rounds:
        remedy = f"see what cron says of it; a daemon of its own: {START}"
        late = kept.rounds.late(now)
        return [Wrong("no round of `run --once`", remedy=remedy, since=kept.rounds.last)] if late else []
    if not alive.running:
        return [Wrong("the daemon does not run", remedy=f"{START}; why it ended: {OWN_WORDS}")]
    if alive.hangs:
        why = f"no sign of life for {_span(alive.silent)}"
        remedy = f"`systemctl restart mailtickets` (nothing is lost by that); its own words: {OWN_WORDS}"
        return [Wrong("the daemon hangs", why, remedy, now - timedelta(seconds=alive.silent))]
    if not alive.writes:
        why = "the daemon lives, and can write nothing beside the store"
        remedy = "make room on its disk, or see with `mailtickets doctor` what else it is; the desk goes on by itself"
        since = now - timedelta(seconds=alive.written_age)
        return [Wrong("the store cannot be written", why, remedy, since)]
    return []


def _outages(alive: Alive, kept: Kept, now: datetime) -> dict[str, Wrong]:
    """Return by kind what does not work. What the daemon says of itself is newer than what the store keeps, where it lives."""
    speaks = alive.running and not alive.hangs
    next_tries = kept.next_tries or {}
    found: dict[str, Wrong] = {}
    for one in (*alive.troubles, *alive.failures) if speaks else ():
        kind, since = one["kind"], _moment(one.get("since"))
        early = one not in alive.troubles and since is not None and now - since < SHORT
        # A failure is known until the next mail; where none waits, it may be over.
        early |= one not in alive.troubles and kind.startswith("smtp") and not kept.mail_waits
        if kind in found or early or (kind == "store" and not alive.writes):
            continue
        next_try = next_tries.get(kind.partition(" ")[2]) if kind.partition(" ")[0] == "smtp" else None
        found[kind] = Wrong(one["what"], one["why"], one["remedy"], since, next_try)
    for alarm in kept.alarms:
        # Mails of uncertain fate and pauses have lines of their own, which say how many they are now.
        own_line = alarm.kind == UNCERTAIN_MAIL or alarm.kind.startswith("pause ")
        if alarm.kind not in found and not own_line and not is_over(alarm, kept):
            found[alarm.kind] = Wrong(alarm.what, alarm.why, alarm.remedy, alarm.since)
    return found


def is_over(alarm: AlarmState, kept: Kept) -> bool:
    """Tell whether the cause of an open alarm is gone."""
    if alarm.kind in ABOUT_QUARANTINE:
        return not kept.quarantined
    if alarm.kind == UNCERTAIN_MAIL:
        return all(one.failed or one.since > alarm.last_at for one in kept.stranded)
    return alarm.kind.startswith("pause ") and not kept.pauses


def _stranded(mails: Sequence[Stranded]) -> list[Wrong]:
    """Say which mails wait for an admin: words of people that reached nobody; all whose fate nobody knows.

    An automatic mail that failed is told to whom it concerns, and is in `outbox list`; it is no trouble of the desk.
    """
    failed = [one for one in mails if one.failed and one.human]
    uncertain = [one for one in mails if not one.failed]
    wrong = []
    if failed:
        what = _count(len(failed), "mail of an agent was", "mails of agents were")
        wrong.append(Wrong(f"{what} not sent", failed[-1].error, _to_do(failed), failed[0].since))
    if uncertain:
        what = _count(
            len(uncertain), "mail was perhaps sent and perhaps not", "mails were perhaps sent and perhaps not"
        )
        wrong.append(Wrong(what, uncertain[-1].error, _to_do(uncertain), uncertain[0].since))
    return wrong


def _to_do(mails: Sequence[Stranded]) -> str:
    numbers = " ".join(str(one.number) for one in mails[:NUMBERS_SHOWN])
    more = " and so on" if len(mails) > NUMBERS_SHOWN else ""
    return (
        f"look with `mailtickets outbox list`, then `mailtickets outbox retry {numbers}`"
        f" or `mailtickets outbox cancel {numbers}`{more}"
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} minutes" if minutes > 2 else f"{60 * minutes + rest} seconds"


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
