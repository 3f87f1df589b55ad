"""Tells the admins of an outage by ways that do not need what is out: commands, and mail straight to a server.

A way that fails is tried again, at most once a minute, until it worked or the news is an hour old.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.desk.clock_words import when
from mailtickets.mail.compose import assemble, load_body, visible_line
from mailtickets.mail.keys import without_keys
from mailtickets.transport.fate import Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from datetime import datetime
    from typing import Any
    from zoneinfo import ZoneInfo

    from mailtickets.desk.ticket import Alarm
    from mailtickets.store.outbox import Prepared
    from mailtickets.transport.smtp import SmtpPool

COMMAND_SECONDS = 30.0
AGAIN_SECONDS = 60.0
FORGET_SECONDS = 3600.0
TROUBLE, RECOVERED = "trouble", "recovered"
# What systemd gives to the daemon alone: a command that used it would speak to systemd in the daemon's name.
NOT_FOR_COMMANDS = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})


@dataclass(frozen=True, slots=True)
class News:
    """A trouble that began or ended.

    at   when that is told: where it ended, the end.
    """

    alarm: Alarm
    state: str
    desk: str
    zone: ZoneInfo
    at: datetime

    @property
    def text(self) -> str:
        """The news as a person reads it; the first line says all to a pager that shows only one."""
        since = when(self.alarm.since, self.zone) if self.alarm.since else ""
        if self.state == TROUBLE:
            lines = [f"{self.desk}: Trouble: {self.alarm.what}{since and f', since {since}'}"]
            lines += [f"Why: {self.alarm.why}"] * bool(self.alarm.why)
            lines += [f"What to do: {self.alarm.remedy}"] * bool(self.alarm.remedy)
        else:
            began = since and f"began {since} and "
            lines = [f"{self.desk}: This is over: {self.alarm.what}"]
            lines += [f"It {began}ended {when(self.at, self.zone)}. There is nothing left to do."]
        return "\n".join(without_keys(visible_line(line)) for line in lines) + "\n"


@dataclass(slots=True)
class _Errand:
    """One piece of news on one way. `tried` and `since` in seconds."""

    news: News
    go: Callable[[], Coroutine[Any, Any, str]]
    since: float
    tried: float = float("-inf")


class Bell:
    """Runs the errands; each way hears the newest of each kind of trouble.

    elapsed  seconds since the machine's start.
    heard    is called with the news whenever a way worked.
    """

    def __init__(self, elapsed: Callable[[], float], heard: Callable[[News], None]) -> None:
        self._elapsed, self._heard = elapsed, heard
        self._errands: dict[tuple[str, object], _Errand] = {}
        self._running: dict[tuple[str, object], asyncio.Task[None]] = {}

    def command(self, command: tuple[str, ...], news: News, hidden: frozenset[str]) -> None:
        """Run a command with the news; `hidden` are variables of the environment that hold secrets."""
        self._add(command, news, lambda: run_command(command, news, hidden))

    def mail(self, account: str, pool: Callable[[], SmtpPool], mails: Sequence[Prepared], news: News) -> None:
        """Send mails at once, past the outbox; `pool` returns the account's pool of then."""
        left = list(mails)
        self._add(account, news, lambda: send_at_once(pool(), left))

    def _add(self, way: object, news: News, go: Callable[[], Coroutine[Any, Any, str]]) -> None:
        self._errands[news.alarm.kind, way] = _Errand(news, go, self._elapsed())

    def ring(self) -> None:
        """Start what is to be tried now."""
        now = self._elapsed()
        for key, errand in list(self._errands.items()):
            if now - errand.since > FORGET_SECONDS:
                del self._errands[key]
            elif key not in self._running and now - errand.tried >= AGAIN_SECONDS:
                errand.tried = now
                task = self._running[key] = asyncio.create_task(self._run(key, errand))
                task.add_done_callback(lambda _, key=key: self._running.pop(key, None))  # type: ignore[misc]

    async def _run(self, key: tuple[str, object], errand: _Errand) -> None:
        try:
            problem = await errand.go()
        except Exception as error:  # noqa: BLE001  (a way that fails in whatever manner must not end the watching)
            problem = type(error).__name__
        if problem:
            maillog.trouble(
                "the admins could not be told by one way", problem, "see desk.alert in the configuration",
                kind=errand.news.alarm.kind, state=errand.news.state,
            )  # fmt: skip
        else:
            maillog.note("admins told", kind=errand.news.alarm.kind, state=errand.news.state, way=_way(key))
            self._heard(errand.news)
            if self._errands.get(key) is errand:
                del self._errands[key]

    async def finish(self) -> None:
        """Wait until what is under way has worked or not."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def close(self) -> None:
        """Give up what is under way."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _way(key: tuple[str, object]) -> str:
    return key[1][0] if isinstance(key[1], tuple) else f"smtp {key[1]}".strip()


async def send_at_once(pool: SmtpPool, left: list[Prepared]) -> str:
    """Send what is left; return why a mail could not be sent, or an empty string."""
    while left:
        mail = left[0]
        raw = assemble(mail.head, load_body(mail.body), mail.reply_key, no_original)
        fate = await pool.send(mail.sender, mail.recipients, raw)
        if not isinstance(fate, Sent):
            return fate.reason
        del left[0]
    return ""


def no_original(_digest: bytes) -> bytes:
    """Mails of this kind have no attachments. Raises KeyError."""
    raise KeyError("no original belongs to an alarm")


async def run_command(
    command: Sequence[str], news: News, hidden: frozenset[str], seconds: float = COMMAND_SECONDS
) -> str:
    """Run a command without a shell: the news on standard input and in its environment; return what went wrong, or "".

    It and what it started are killed after `seconds`. Its output goes nowhere: it may hold anything.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            env=environment(os.environ, news, hidden), start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        return f"command {command[0]} cannot be run ({error.strerror})"
    try:
        await asyncio.wait_for(process.communicate(news.text.encode()), seconds)
    except TimeoutError:
        return f"command {command[0]} did not end within {seconds:g} s"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return f"command {command[0]} failed with exit code {process.returncode}" if process.returncode else ""


def environment(own: Mapping[str, str], news: News, hidden: frozenset[str]) -> dict[str, str]:
    """Return a command's environment: ours without secrets, and the news."""
    kept = {name: value for name, value in own.items() if name not in hidden | NOT_FOR_COMMANDS}
    return kept | {
        "MAILTICKETS_KIND": visible_line(news.alarm.kind),
        "MAILTICKETS_WHAT": without_keys(visible_line(news.alarm.what)),
        "MAILTICKETS_STATE": news.state,
    }
