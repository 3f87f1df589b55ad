"""The ways by which the admins hear of an outage: whether they can work, and, when asked to, whether they do."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mailtickets.accounts import secret_variables, smtp_of, takes_null_sender
from mailtickets.alerting import COMMAND_SECONDS, TROUBLE, News, no_original, run_command, send_at_once
from mailtickets.config_types import Route
from mailtickets.desk.ticket import Alarm
from mailtickets.diagnosis.finding import Finding, ok, wrong
from mailtickets.letters import Writer
from mailtickets.policies import policy_of
from mailtickets.readying import new_id, templates_of
from mailtickets.store.database import reading
from mailtickets.transport.smtp import SmtpPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from mailtickets.config import Config
    from mailtickets.store.outbox import Prepared

RING_SECONDS = 120.0
TEST = Alarm(
    "test",
    "This is a test of the alarm",
    "somebody typed `mailtickets doctor --alert`",
    "Nothing is wrong. Tell whoever typed it that this arrived.",
)


def commands_of(config: Config) -> list[tuple[str, ...]]:
    """Return the commands that are run at an outage."""
    return [way.command for way in config.desk.alert if isinstance(way, Route) and way.command]


def command_amiss(command: tuple[str, ...]) -> tuple[str, str] | None:
    """Return why a command cannot be run by this user, and what to do; None where it can."""
    name = command[0]
    if shutil.which(name):
        return None
    if Path(name).is_file():
        return f"{name} may not be run by this user", f"chmod +x {name}"
    return f"there is no command {name}", "correct desk.alert, with the whole path, or install the command"


def alert_findings(config: Config) -> Iterator[Finding]:
    """Look whether the commands of desk.alert are there; none is run."""
    for command in commands_of(config):
        if amiss := command_amiss(command):
            yield wrong("alert", "command", f"{amiss[0]}: outages are not told by it", amiss[1])
        else:
            yield ok("alert", "command", f"{command[0]} can be run; `mailtickets doctor --alert` tries it")
    if accounts := _accounts(config):
        ways = ", ".join(f"[{smtp_of(config, one).section}]" for one in accounts)
        more = "" if len(config.desk.alert) > 1 else "; an outage of that server is told by no other way"
        yield ok("alert", "mail", f"by mail over {ways}{more}")


def ring_findings(config: Config, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """Tell a test text by every way once, and say what came of it."""
    now = clock()
    news = News(replace(TEST, since=now), TROUBLE, config.desk.name, config.desk.zone, now)
    for command in commands_of(config):
        amiss = command_amiss(command)
        problem = amiss[0] if amiss else asyncio.run(run_command(command, news, secret_variables(config)))
        if problem:
            remedy = (
                amiss[1] if amiss else f"run it by hand as the daemon's user: echo test | {' '.join(command)}"
            )
            yield wrong("alert", "command", problem, remedy)
        else:
            yield ok("alert", "command", f"{command[0]} was run with a test text, and ended well")
    mails = _mails(config, clock()) if _accounts(config) else []
    for name in _accounts(config):
        section = smtp_of(config, name).section
        if problem := asyncio.run(_sent(config, name, mails)):
            yield wrong("alert", "mail", f"[{section}]: {problem}", "see the check of that server")
        else:
            yield ok("alert", "mail", f"[{section}] took a test mail to {', '.join(config.desk.admins)}")


def _accounts(config: Config) -> list[str]:
    """Return the accounts by which the admins get mail of outages; "" is [smtp]."""
    if not config.desk.admins:
        return []
    ordinary = [next(iter(config.queues.values())).smtp] if "mail" in config.desk.alert else []
    others = [one.smtp_account for one in config.desk.alert if isinstance(one, Route) and one.smtp_account]
    return list(dict.fromkeys(ordinary + others))


def _mails(config: Config, now: datetime) -> list[Prepared]:
    with reading(config.desk.store) as store:
        ring = store.key_ring()
    writer = Writer(policy_of(config), ring, templates_of(config), takes_null_sender(config), new_id)
    values = {
        "what": TEST.what, "why": TEST.why, "remedy": TEST.remedy, "since": now, "goes_on": False, "lines": [],
    }  # fmt: skip
    return writer.to_admins(TROUBLE, values, "", no_original, now)


async def _sent(config: Config, name: str, mails: list[Prepared]) -> str:
    pool = SmtpPool(smtp_of(config, name))
    try:
        return await asyncio.wait_for(send_at_once(pool, list(mails)), COMMAND_SECONDS)
    except TimeoutError:
        return f"no answer within {COMMAND_SECONDS:g} s"
    finally:
        await pool.close()
