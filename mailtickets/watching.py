"""Pure: what is wrong with a running desk, judged from what its parts last managed to do. Reads no clock, does nothing.

Silence is never a failure mode: what could not be polled, sent or written for a while is trouble of a kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets.desk.ticket import Alarm
from mailtickets.heartbeat import STALE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailtickets.progress import Failure, PutOff
    from mailtickets.store.alarms import AlarmState

STORE, DESK, LOOP, SENDER = "store", "desk thread", "event loop", "sender"
# Kinds that cannot be told by way of the outbox.
DIRECT = frozenset({STORE, DESK, SENDER})
REFUSED_MANY = 3  # recipients that a server put off: one may have a full mailbox, three have a broken server
WAITING_REMEDY = "The mails wait in the outbox."


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
    """A running desk at one moment; `now` in seconds since the machine's start.

    loop_lag      how long the event loop stood still, the worst of the last `Patience.loop_well`.
    desk_turn     since the desk's thread last turned.
    sender_stuck  how long nothing moved while mails were being sent; None: none are.
    """

    now: float
    mailboxes: Sequence[MailboxSeen] = ()
    accounts: Sequence[AccountSeen] = ()
    store: Failure | None = None
    loop_lag: timedelta = timedelta()
    desk_turn: timedelta = timedelta()
    desk_alive: bool = True
    sender_stuck: timedelta | None = None
    sender_alive: bool = True


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wrong; and of which kinds nothing is known yet, so that an alarm of before the start is not over."""

    troubles: tuple[Alarm, ...]
    unknown: frozenset[str]


def judge(seen: Seen, patience: Patience) -> Judgement:
    """Return what is wrong with the desk."""
    mailboxes = [_mailbox(one, seen, patience) for one in seen.mailboxes]
    accounts = [_account(one, seen.now, patience) for one in seen.accounts]
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
    return Alarm(one.kind, f"The {one.name} cannot be read", why, remedy)


def _account(one: AccountSeen, now: float, patience: Patience) -> Alarm | None:
    failure, put_off, limit = one.failure, one.put_off, patience.send.total_seconds()
    name = one.kind.partition(" ")[2]
    what = "Mail cannot be sent" + (f" by the account {name}" if name else "")
    if failure and (failure.at_once or now - failure.since >= limit):
        return Alarm(one.kind, what, failure.reason, WAITING_REMEDY)
    if put_off and len(put_off.recipients) >= REFUSED_MANY and now - put_off.since >= limit:
        why = f"the server takes mail for nobody now: {put_off.reason}"
        return Alarm(one.kind, what, why, WAITING_REMEDY)
    return None


def _store(seen: Seen, patience: Patience) -> Alarm | None:
    failure = seen.store
    if failure and (failure.at_once or seen.now - failure.since >= patience.store.total_seconds()):
        return Alarm(STORE, "The store cannot be written", failure.reason, failure.remedy)
    return None


def _desk(seen: Seen, patience: Patience) -> Alarm | None:
    if seen.desk_alive and seen.desk_turn < patience.desk:
        return None
    why = (
        f"the thread that decides has not moved for {_words(seen.desk_turn)}"
        if seen.desk_alive
        else "its thread has ended"
    )
    return Alarm(DESK, "The desk hangs", why, "Restart it; nothing is lost by that. Look at the log for the cause.")  # fmt: skip


def _sender(seen: Seen, patience: Patience) -> Alarm | None:
    if seen.sender_alive and (seen.sender_stuck is None or seen.sender_stuck < patience.sending):
        return None
    why = (
        f"nothing has moved for {_words(seen.sender_stuck or timedelta())}"
        if seen.sender_alive
        else "it has ended"
    )
    return Alarm(SENDER, "The sending of mail hangs", why, "Restart the desk; nothing is lost by that.")


def _loop(seen: Seen, patience: Patience) -> Alarm | None:
    if seen.loop_lag < patience.loop:
        return None
    why = f"it could do nothing for {_words(seen.loop_lag)}"
    return Alarm(LOOP, "The desk stood still", why, "Look whether the machine is overloaded or was paused.")


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


@dataclass(frozen=True, slots=True)
class Alive:
    """What can be seen of the daemon from outside.

    held_for    seconds for which it has had the store's lock.
    beat_age    seconds since its last heartbeat; None: it has not written any.
    troubles    as its heartbeat has them.
    """

    running: bool
    held_for: float = 0.0
    beat_age: float | None = None
    troubles: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store says: alarms of the last day, whether mail was ever taken in, mails nobody can account for.

    answers_held   people's words of which nobody knows whether they were sent.
    """

    alarms: Sequence[AlarmState] = ()
    has_mailboxes: bool = True
    polled: bool = True
    unexplained: int = 0
    answers_held: int = 0


def whats_wrong(alive: Alive, kept: Kept) -> list[str]:
    """Return what `status` says is wrong, each with what to do; nothing where all is well."""
    wrong: list[str] = []
    hangs = False
    if not alive.running:
        wrong.append("the daemon does not run; start it with `mailtickets run`")
    elif (alive.held_for if alive.beat_age is None else alive.beat_age) > STALE_SECONDS:
        hangs = True
        silent = timedelta(seconds=alive.held_for if alive.beat_age is None else alive.beat_age)
        wrong.append(
            f"the daemon hangs: no sign of life for {_words(silent)};"
            " restart it (nothing is lost by that), and look at its log and at the disk"
        )
    elif kept.has_mailboxes and not kept.polled:
        wrong.append("no mailbox was read yet; if that lasts, see the log, or `mailtickets check --connect`")
    # What the daemon says of itself is newer than what the store keeps, where it lives.
    said = {one["kind"]: one for one in alive.troubles} if not hangs else {}
    wrong += [_sentence(one["what"], one["why"], one["remedy"]) for one in said.values()]
    wrong += [_sentence(one.what, one.why, one.remedy) for one in kept.alarms if one.kind not in said]
    if kept.unexplained:
        wrong.append(f"{kept.unexplained} mails are nowhere; see `mailtickets ledger`, and tell us")
    if kept.answers_held:
        wrong.append(
            f"answers of agents that may never have been sent: {kept.answers_held}; see `mailtickets outbox`,"
            " then `outbox retry NUMBER` for those that were not, `outbox cancel NUMBER` for those that were"
        )
    return wrong


def _sentence(what: str, why: str, remedy: str) -> str:
    return f"{what}: {why}" + (f"; {remedy}" if remedy else "")
