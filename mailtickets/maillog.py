"""One function for each event of a mail's life. No body, no password and no key ever stands in a log line.

What is said inside a transaction of the store is written when that is committed, and never where it is undone.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailtickets.errors import name_of
from mailtickets.mail.compose import visible_line
from mailtickets.mail.keys import without_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Line = tuple[int, str, dict[str, object]]


class _Unsaid(threading.local):
    """What this thread has to say in each of its open transactions, the outermost first."""

    def __init__(self) -> None:
        self.lines: list[list[Line]] = []


_unsaid = _Unsaid()
_log = logging.getLogger("mailtickets")
MAX_VALUE = 300
PLACES = 8  # of a fault, the innermost first


def set_up(*, form: str = "text", level: str = "info") -> None:
    """Log to standard error, one line for each event, as text or JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _log.setLevel(level.upper())
    # They write customers' headers, or what a slow step returned, into their records.
    for noisy in ("mailparser", "imapclient", "aiosmtplib", "apscheduler", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL if noisy == "mailparser" else logging.ERROR)
    threading.excepthook = lambda ended: broken("a fault ended a thread", None, ended.exc_value)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = getattr(record, "fields", {})
        words = " ".join(
            f"{name}={_value(value)}" for name, value in fields.items() if value not in {None, ""}
        )
        at = (
            datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z")
        )
        line = f"{at} {record.levelname.lower():7} {_event(record)}"
        if record.exc_info and record.exc_info[0]:
            words += f" exception={record.exc_info[0].__name__}"
        return f"{line} {words}".rstrip()


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = getattr(record, "fields", {})
        at = (
            datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z")
        )
        row: dict[str, object] = {
            "at": at,
            "level": record.levelname.lower(),
            "event": _event(record),
        }
        row |= {
            name: value
            if isinstance(value, int | float | bool)
            else without_keys(visible_line(str(value)))[:MAX_VALUE]
            for name, value in fields.items()
            if value is not None
        }
        if record.exc_info and record.exc_info[0]:
            row["exception"] = record.exc_info[0].__name__
        return json.dumps(row, ensure_ascii=False)


def _event(record: logging.LogRecord) -> str:
    return without_keys(visible_line(record.getMessage()))


def _value(value: object) -> str:
    text = without_keys(visible_line(str(value)))[:MAX_VALUE]
    return f'"{text}"' if " " in text or not text else text


@contextmanager
def when_kept() -> Iterator[None]:
    """Write what is said inside at the end of the outermost of these, and drop it where its own raises."""
    _unsaid.lines.append([])
    try:
        yield
    except BaseException:
        _unsaid.lines.pop()
        raise
    for level, event, fields in _unsaid.lines.pop():
        _say(level, event, **fields)


def _say(level: int, event: str, **fields: object) -> None:
    if _unsaid.lines:
        _unsaid.lines[-1].append((level, event, fields))
    else:
        _write(level, event, fields)


def _write(level: int, event: str, fields: dict[str, object]) -> None:
    _log.log(level, event, extra={"fields": fields})


def ready(**fields: object) -> None:
    """The first poll is done: the desk works."""
    _say(logging.INFO, "ready", **fields)


def taken(mailbox: str, mails: int, size: int) -> None:
    """Mails are stored and will be decided."""
    _say(logging.INFO, "taken", mailbox=mailbox, mails=mails, bytes=size)


def decided(copy: int, outcome: str, reason: str, reference: str = "", message_id: str = "") -> None:
    """A mail ended somewhere."""
    _say(logging.INFO, outcome, mail=copy, ticket=reference, reason=reason, message_id=message_id)


def queued(outbox_id: int, kind: str, to: Sequence[str], reference: str = "") -> None:
    """A mail of ours is in the outbox."""
    _say(logging.DEBUG, "queued", outbox=outbox_id, kind=kind, to=",".join(to), ticket=reference)


def sent(outbox_id: int, kind: str, to: Sequence[str], seconds: float) -> None:
    """The mail server took a mail."""
    _say(logging.INFO, "sent", outbox=outbox_id, kind=kind, to=",".join(to), seconds=round(seconds, 3))


def deferred(outbox_id: int, to: Sequence[str], reason: str, next_at: datetime | None) -> None:
    """A mail was not taken now and is tried again."""
    _say(
        logging.WARNING,
        "deferred",
        outbox=outbox_id,
        to=",".join(to),
        reason=reason,
        next=next_at.isoformat() if next_at else None,
    )


def failed(outbox_id: int, to: Sequence[str], reason: str) -> None:
    """A mail will not be sent any more."""
    _say(logging.ERROR, "failed", outbox=outbox_id, to=",".join(to), reason=reason)


def uncertain(outbox_id: int, to: Sequence[str], reason: str) -> None:
    """Nobody knows whether a mail was taken."""
    _say(logging.WARNING, "uncertain", outbox=outbox_id, to=",".join(to), reason=reason)


def fired(reference: str, kind: str) -> None:
    """A timer was due and did its work."""
    _say(logging.INFO, "timer", ticket=reference, kind=kind)


def trouble(what: str, why: str = "", remedy: str = "", **fields: object) -> None:
    """Something is wrong that a person should see."""
    _say(logging.ERROR, what, why=why, remedy=remedy, **fields)


def doubtful(what: str, why: str = "", remedy: str = "", **fields: object) -> None:
    """Something is unusual that a person may want to see; the desk goes on."""
    _say(logging.WARNING, what, why=why, remedy=remedy, **fields)


def broken(event: str, copy: int | None, error: BaseException | None) -> None:
    """Handling something raised; the exception's own words may hold a customer's, so only its name and places are logged.

    Written at once, whatever becomes of the transaction: it did raise.
    """
    places: list[str] = []
    trace = error.__traceback__ if error else None
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    name = name_of(error) if error else None
    fields: dict[str, object] = {
        "mail": copy,
        "exception": name,
        "place": " ".join(places[: -PLACES - 1 : -1]),
    }
    _write(logging.ERROR, event, fields)


def note(event: str, **fields: object) -> None:
    """Something worth a line."""
    _say(logging.INFO, event, **fields)
