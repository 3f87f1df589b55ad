"""Everything that `doctor` looks at, in its order."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from mailtickets.accounts import mailbox_of
from mailtickets.condition import look
from mailtickets.diagnosis.alerts import RING_SECONDS, alert_findings, ring_findings
from mailtickets.diagnosis.dkim import dkim_findings
from mailtickets.diagnosis.finding import CHECK_SECONDS, Check, Finding, ok, warning, wrong
from mailtickets.diagnosis.machine import (
    is_synchronised,
    judge_past,
    judge_space,
    judge_synchronised,
    size_of,
    space_of,
    words,
    zone_finding,
)
from mailtickets.diagnosis.permissions import permission_findings
from mailtickets.diagnosis.recent_mail import recent_mail_findings
from mailtickets.diagnosis.servers import imap_findings, smtp_findings
from mailtickets.errors import MailboxUnavailable
from mailtickets.pauses import CLOCK_SEEN
from mailtickets.rounds import rounds_of
from mailtickets.store import StoreUnusable
from mailtickets.store.database import reading
from mailtickets.store.errors import DAMAGED_REMEDY
from mailtickets.store.lock import lock_holder
from mailtickets.templates import Templates
from mailtickets.transport.maildir import MaildirMailbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailtickets.condition import Alive
    from mailtickets.config import Config, Problem
    from mailtickets.rounds import Rounds

DEEP_SECONDS = 3600.0
STALE_POLL = timedelta(minutes=15)


def checks_of(
    config: Config, clock: Callable[[], datetime], *, deep: bool = False, ring: bool = False
) -> list[Check]:
    """Return what to look at for one configuration; `deep` reads the whole store, `ring` tries every way of alarm."""
    pid = lock_holder(config.desk.store)
    checks = [
        Check("configuration", partial(configuration_findings, config)),
        Check("templates", partial(template_findings, config)),
        Check("daemon", partial(daemon_findings, config, clock)),
    ]
    for name, mailbox in config.mailboxes.items():
        look = (
            partial(imap_findings, config, name, clock)
            if mailbox.maildir is None
            else partial(maildir_findings, config, name)
        )
        checks.append(Check(f"mailbox.{name}", look))
        if mailbox.verify_dkim:
            checks.append(Check(f"mailbox.{name}", partial(dkim_findings, config, name)))
    for name in ("", *config.smtp_accounts):
        section = f"smtp_account.{name}" if name else "smtp"
        checks.append(Check(section, partial(smtp_findings, config, name, clock)))
    alerts = partial(ring_findings, config, clock) if ring else partial(alert_findings, config)
    return [
        *checks,
        Check("alert", alerts, RING_SECONDS if ring else CHECK_SECONDS),
        Check("store", partial(store_findings, config, deep=deep), DEEP_SECONDS if deep else CHECK_SECONDS),
        Check("disk", partial(disk_findings, config)),
        Check("permissions", partial(permission_findings, config, pid)),
        Check("clock", partial(clock_findings, config, clock)),
        Check("addresses", partial(mail_findings, config, clock)),
    ]


def refused_configuration(problems: Sequence[Problem]) -> Check:
    """Return the one check that is left where the configuration cannot be used."""
    return Check(
        "configuration",
        lambda: [
            wrong("configuration", one.key, _place(one), one.remedy or "correct the line") for one in problems
        ],
    )


def _place(problem: Problem) -> str:
    where = f"{problem.file}:{problem.line}" if problem.line else problem.file
    setting = f"{problem.key} = {problem.value}" if problem.key and problem.value else problem.key
    return ": ".join(part for part in (where, setting, problem.reason) if part)


def configuration_findings(config: Config) -> Iterator[Finding]:
    """Say what the configuration holds, and what in it is probably not meant."""
    for one in config.warnings:
        yield warning(
            "configuration", one.key, _place(one), one.remedy or "correct the line if it is not meant"
        )
    counts = ((config.queues, "queue"), (config.mailboxes, "mailbox"), (config.agents, "agent"))
    has = ", ".join(_count(len(table), noun) for table, noun in counts)
    yield ok("configuration", "", f"{config.path} can be used: {has}")


def template_findings(config: Config) -> Iterator[Finding]:
    """Render every template with sample values."""
    folder = config.templates.folder
    problems = Templates(folder, zone=config.desk.zone, queues=frozenset(config.queues)).check()
    for one in problems:
        yield wrong(
            "templates",
            one.key,
            _place(one),
            one.remedy or "correct the line; until then the built-in one is used",
        )
    if not problems:
        yield ok("templates", "", f"all render, those in {folder} too" if folder else "all render")


def daemon_findings(config: Config, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """Say whether the daemon runs, lives and reads its mailboxes."""
    pid, _, alive = look(config.desk.store, clock())
    polled, rounds = "", None
    if config.desk.store.exists():
        try:
            with reading(config.desk.store) as store:
                polled, rounds = store.setting("last_poll"), rounds_of(store)
        except StoreUnusable:
            runs = f"runs with pid {pid}" if pid else "does not run"
            yield warning("daemon", "", f"{runs}; its last poll cannot be read", "mend the store first")
            raise
    last_poll = datetime.fromisoformat(polled) if polled else None
    yield judge_daemon(pid, alive, last_poll, clock(), mailboxes=len(config.mailboxes), rounds=rounds)


def judge_daemon(
    pid: int,
    alive: Alive,
    last_poll: datetime | None,
    now: datetime,
    *,
    mailboxes: int,
    rounds: Rounds | None = None,
) -> Finding:
    """Judge the daemon by its lock, its heartbeat and its last poll. One that never polled may not have been started yet."""
    start = "systemctl start mailtickets, or mailtickets run"
    last = f"last poll {last_poll:%Y-%m-%d %H:%M:%S} UTC" if last_poll else "no poll so far"
    runs, own_words = f"runs with pid {pid}", "its own words: journalctl -u mailtickets -n 50"
    if not pid and rounds:
        what = f"none; the last round of run --once was at {rounds.last:%Y-%m-%d %H:%M:%S} UTC; {last}"
        remedy = f"see what cron says of it; a daemon of its own: {start}"
        return wrong("daemon", "", what, remedy) if rounds.late(now) else ok("daemon", "", what)
    if not pid and last_poll:
        return wrong(
            "daemon", "", f"does not run; {last}", f"{start}; why it ended: journalctl -u mailtickets -n 50"
        )
    if not pid:
        return warning(
            "daemon", "", f"does not run; {last}", f"{start}; nothing to do where cron runs it with --once"
        )
    if alive.hangs:
        what = f"{runs}, but hangs: no sign of life for {alive.silent:.0f} s; {last}"
        return wrong(
            "daemon", "", what, f"systemctl restart mailtickets (nothing is lost by that); {own_words}"
        )
    if not alive.writes:
        what = f"{runs}, but could write nothing beside the store for {alive.written_age:.0f} s; {last}"
        return wrong("daemon", "", what, f"mend what is wrong with disk or permissions below; {own_words}")
    silent = timedelta(seconds=alive.held_for) if last_poll is None else now - last_poll
    if mailboxes and min(silent, timedelta(seconds=alive.held_for)) > STALE_POLL:
        what = f"{runs}, but could read no mailbox for {STALE_POLL // timedelta(minutes=1)} minutes; {last}"
        return wrong("daemon", "", what, f"mend what is wrong with the mailboxes below; {own_words}")
    return ok("daemon", "", f"{runs}; {last}" if mailboxes else runs)


def maildir_findings(config: Config, name: str) -> Iterator[Finding]:
    """Look at a Maildir; whether its folders can be written is said by the check of permissions."""
    area, folder = f"mailbox.{name}", config.mailboxes[name].maildir
    door = mailbox_of(config, name, readonly=True)
    assert isinstance(door, MaildirMailbox)  # noqa: S101  (for the type checker)
    assert folder is not None  # noqa: S101
    try:
        door.connect()
        yield ok(area, "maildir", f"{folder} holds {_count(len(door.names()), 'mail')}")
    except MailboxUnavailable as failed:
        yield wrong(area, "maildir", failed.reason, failed.remedy)
        return
    if not (folder / "tmp").is_dir():
        yield warning(
            area,
            "tmp",
            f"{folder} has no folder tmp, so mail programs cannot deliver into it",
            f"mkdir {folder / 'tmp'}",
        )


def store_findings(config: Config, *, deep: bool) -> Iterator[Finding]:
    """Open the store for reading; `deep` reads all of it. Raises StoreUnusable, which names its remedy."""
    path = config.desk.store
    if not path.parent.is_dir():
        yield wrong("store", "folder", f"there is no folder {path.parent}", f"mkdir -p -m 700 {path.parent}")
        return
    if not path.exists():
        yield ok("store", "", f"{path} is not there yet; the daemon makes it at its first start")
        return
    with reading(path) as store:
        if deep and (verdict := store.integrity(quick=True)) != "ok":
            yield wrong("store", "integrity", f"{path} is damaged: {verdict.splitlines()[0]}", DAMAGED_REMEDY)
        elif deep:
            yield ok("store", "integrity", "every page of the file is sound")
        mails = _count(store.views.books().received, "mail")
        yield ok("store", "", f"{path}: {words(size_of(path))}, {mails} received")


def disk_findings(config: Config) -> Iterator[Finding]:
    """Look at the file system below the store; a missing folder is said by the store's check."""
    if config.desk.store.parent.is_dir():
        yield from judge_space(space_of(config.desk.store))


def clock_findings(config: Config, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """Look at the clock: the desk's own time, the kernel's word, the times in the store."""
    yield zone_finding(config.desk.zone, clock())
    yield judge_synchronised(is_synchronised())
    if not config.desk.store.exists():
        return
    with reading(config.desk.store) as store:
        written = [store.setting(name) for name in ("last_poll", "forgot_at", CLOCK_SEEN)]
        moments = [datetime.fromisoformat(text) for text in written if text]
        if (newest := store.views.last_moment()) is not None:
            moments.append(newest)
    yield from judge_past(max(moments, default=None), clock())


def mail_findings(config: Config, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """Look through the mail of the last weeks; nothing to say before there is a store."""
    if config.desk.store.exists():
        with reading(config.desk.store) as store:
            yield from recent_mail_findings(store, config, clock())


def _count(number: int, noun: str) -> str:
    plural = {"mailbox": "mailboxes"}.get(noun, f"{noun}s")
    return f"{number} {noun if number == 1 else plural}"
