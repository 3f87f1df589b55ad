"""Pure: what is wrong with a running desk, judged from what its parts last managed to do. Reads no clock, does nothing.

Silence is never a failure mode: what could not be polled, sent or written for a while is trouble of a kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets.desk.ticket import Alarm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from mailtickets.progress import Failure, PutOff

STORE, DESK, LOOP, SENDER, START = "store", "desk thread", "event loop", "sender", "start"
# Kinds that cannot be told by way of the outbox.
DIRECT = frozenset({STORE, DESK, SENDER, START})
REFUSED_MANY = 3  # recipients that a server put off: one may have a full mailbox, three have a broken server
RESTART = "`systemctl restart mailtickets` (nothing is lost by that); the log's last lines say why."
ACCOUNT_REMEDY = (
    "Mend that server, or our login there. The mails wait in the outbox, and go out by themselves then."
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is too long.

    poll, send, store   without success, until the admins hear of it; a mailbox gets two polls if that is longer.
    loop                that the event loop stood still in one go; trouble until it ran well for `loop_well`.
    desk                without a turn of the desk's thread.
    round               that a mailbox's thread, or the sender, works without anything moving. A mail server may
                        take 10 minutes for its last answer (RFC 5321 section 4.5.3.2.6); so the sender has longer.
    """

    poll: timedelta = timedelta(minutes=15)
    send: timedelta = timedelta(minutes=15)
    store: timedelta = timedelta(minutes=15)
    loop: timedelta = timedelta(seconds=30)
    loop_well: timedelta = timedelta(minutes=10)
    desk: timedelta = timedelta(seconds=120)
    round: timedelta = timedelta(minutes=10)
    sending: timedelta = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class MailboxSeen:
    """One folder that mail is taken from.

    silent          since the last good poll, or since the start.
    silent_awake    the same without time in which the machine slept or the desk could store nothing: after that it is
                    first tried again.
    polled          it was read at least once since the start.
    stuck           how long nothing moved while it works; None: it rests.
    """

    kind: str
    name: str
    poll: timedelta
    silent: timedelta
    silent_awake: timedelta
    polled: bool
    failure: Failure | None = None
    stuck: timedelta | None = None
    alive: bool = True


@dataclass(frozen=True, slots=True)
class AccountSeen:
    """One server that takes our mail; `sent`: it took one since the start. `put_off` and `failure` since its last success."""

    kind: str
    sent: bool
    failure: Failure | None = None
    put_off: PutOff | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A running desk at one moment; `now` in seconds since the machine's start, `on` the same for people.

    loop_lag      how long the event loop stood still, the worst of the last `Patience.loop_well`.
    desk_turn     since the desk's thread last turned.
    sender_stuck  how long nothing moved while mails were being sent; None: none are.
    store_again   the store was written since it failed, and no work waits for it.
    """

    now: float
    mailboxes: Sequence[MailboxSeen] = ()
    accounts: Sequence[AccountSeen] = ()
    store: Failure | None = None
    store_again: bool = False
    loop_lag: timedelta = timedelta()
    desk_turn: timedelta = timedelta()
    desk_alive: bool = True
    sender_stuck: timedelta | None = None
    sender_alive: bool = True
    on: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wrong; and of which kinds nothing is known yet, so that an alarm of before the start is not over."""

    troubles: tuple[Alarm, ...]
    unknown: frozenset[str]


def judge(seen: Seen, patience: Patience) -> Judgement:
    """Return what is wrong with the desk."""
    mailboxes = [_mailbox(one, seen, patience) for one in seen.mailboxes]
    accounts = [_account(one, seen, patience) for one in seen.accounts]
    found = (*mailboxes, *accounts, _store(seen, patience), _desk(seen, patience), _sender(seen, patience), _loop(seen, patience))  # fmt: skip
    unknown = {one.kind for one in seen.mailboxes if not one.polled}
    unknown |= {one.kind for one in seen.accounts if not one.sent}
    return Judgement(tuple(one for one in found if one), frozenset(unknown))


def _mailbox(one: MailboxSeen, seen: Seen, patience: Patience) -> Alarm | None:
    limit, failure = max(patience.poll, 2 * one.poll), one.failure
    late = one.silent >= limit and (failure is not None or one.silent_awake >= limit)
    if late and failure is None and _desk(seen, patience):
        return None  # the mailbox waits for the desk, which has a trouble of its own
    if not late and not (failure and failure.at_once):
        return None
    why = failure.reason if failure else f"no look at it has ended for {_words(one.silent)}"
    remedy = failure.remedy if failure else "Look at the log, and at the mail server."
    return Alarm(
        one.kind, f"The {one.name} cannot be read", why, remedy, since=_silent_since(one, seen), goes_on=True
    )


def _silent_since(one: MailboxSeen, seen: Seen) -> datetime | None:
    return _moment(seen, one.failure.since if one.failure else seen.now - one.silent.total_seconds())


def _moment(seen: Seen, at: float) -> datetime | None:
    """Return for people what is in seconds since the machine's start."""
    return seen.on - timedelta(seconds=seen.now - at) if seen.on else None


def _account(one: AccountSeen, seen: Seen, patience: Patience) -> Alarm | None:
    failure, put_off, limit = one.failure, one.put_off, patience.send.total_seconds()
    name = one.kind.partition(" ")[2]
    what = "Mail cannot be sent" + (f" by the account {name}" if name else "")
    if failure and (failure.at_once or seen.now - failure.since >= limit):
        return Alarm(
            one.kind, what, failure.reason, ACCOUNT_REMEDY, since=_moment(seen, failure.since), goes_on=True
        )
    if put_off and len(put_off.recipients) >= REFUSED_MANY and seen.now - put_off.since >= limit:
        why = f"the server takes mail for nobody now: {put_off.reason}"
        return Alarm(one.kind, what, why, ACCOUNT_REMEDY, since=_moment(seen, put_off.since), goes_on=True)
    return None


def _store(seen: Seen, patience: Patience) -> Alarm | None:
    failure = seen.store
    if failure and (failure.at_once or seen.now - failure.since >= patience.store.total_seconds()):
        why = failure.reason.removeprefix("the store cannot be written: ")
        since = _moment(seen, failure.since)
        return Alarm(STORE, "The store cannot be written", why, failure.remedy, since=since, goes_on=True)
    return None


def _desk(seen: Seen, patience: Patience) -> Alarm | None:
    if seen.desk_alive and seen.desk_turn < patience.desk:
        return None
    why = (
        f"the thread that decides has not moved for {_words(seen.desk_turn)}"
        if seen.desk_alive
        else "its thread has ended"
    )
    return Alarm(DESK, "The desk hangs", why, RESTART,
                 since=_moment(seen, seen.now - seen.desk_turn.total_seconds()))  # fmt: skip


def _sender(seen: Seen, patience: Patience) -> Alarm | None:
    if seen.sender_alive and (seen.sender_stuck is None or seen.sender_stuck < patience.sending):
        return None
    why = (
        f"nothing has moved for {_words(seen.sender_stuck or timedelta())}"
        if seen.sender_alive
        else "it has ended"
    )
    return Alarm(SENDER, "The sending of mail hangs", why, RESTART,
                 since=_moment(seen, seen.now - (seen.sender_stuck or timedelta()).total_seconds()))  # fmt: skip


def _loop(seen: Seen, patience: Patience) -> Alarm | None:
    if seen.loop_lag < patience.loop:
        return None
    why = f"it could do nothing for {_words(seen.loop_lag)}"
    return Alarm(LOOP, "The desk stood still", why, "Look whether the machine is overloaded or was paused.")


def failing(seen: Seen) -> list[Alarm]:
    """Return what does not work at this moment, however short that is; `judge` says what the admins must hear of."""
    found = [
        Alarm(one.kind, f"The {one.name} cannot be read", one.failure.reason, one.failure.remedy, since=_silent_since(one, seen))
        for one in seen.mailboxes
        if one.failure
    ]  # fmt: skip
    impatient = Patience(send=timedelta(), store=timedelta())
    accounts = (_account(one, seen, impatient) for one in seen.accounts)
    return now_true([*found, *(one for one in (*accounts, _store(seen, impatient)) if one)], seen)


def now_true(troubles: Iterable[Alarm], seen: Seen) -> list[Alarm]:
    """Leave out what works again, though it is watched for a while before the admins hear that it is over."""
    return [one for one in troubles if one.kind != STORE or not seen.store_again]


def said_of(alarm: Alarm) -> dict[str, str]:
    """Return an alarm as it stands in the heartbeat; `since` is RFC 3339, "" where it is not known."""
    since = alarm.since.isoformat(timespec="seconds") if alarm.since else ""
    return {"kind": alarm.kind, "what": alarm.what, "why": alarm.why, "remedy": alarm.remedy, "since": since}


def hangs(seen: Seen, patience: Patience) -> str:
    """Return what hangs inside this process, which a new start would mend; "" if all moves.

    A mail server that is away, or a store that cannot be written, is no reason to start anew.
    """
    if alarm := _desk(seen, patience) or _sender(seen, patience):
        return f"{alarm.what}: {alarm.why}"
    for one in seen.mailboxes:
        if not one.alive:
            return f"the thread of the {one.name} has ended"
        if one.stuck is not None and one.stuck >= patience.round:
            return f"the thread of the {one.name} has not moved for {_words(one.stuck)}"
    return ""


def _words(span: timedelta) -> str:
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    return f"{minutes} minutes" if minutes > 2 else f"{60 * minutes + seconds} seconds"
