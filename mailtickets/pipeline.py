"""The line a mail takes through the desk. Four verbs, each readable alone:

    accept()    raw mail to the ledger          settle()    ledger to ticket and outbox
    fire_due()  timers to ticket and outbox     claim_due() and book()    outbox to the mail server

Here is the order of the steps; what one mail or one timer does has a room of its own (settling, timers). Everything
runs in the desk's thread, which has the only writing connection.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.catching_up import CatchingUp
from mailtickets.claiming import Claims
from mailtickets.cleaning import Cleaning
from mailtickets.copyreader import CopyReader
from mailtickets.crashpoints import reach
from mailtickets.desk.other_address import is_known_now
from mailtickets.desk.pausing import Cause
from mailtickets.desk.ticket import Alarm
from mailtickets.errors import name_of
from mailtickets.guard import TooHard
from mailtickets.originals import Originals
from mailtickets.pauses import Pauses
from mailtickets.quarantine import Quarantine
from mailtickets.recording import Recorder, Rules
from mailtickets.recounting import Recounting
from mailtickets.reporting import ScheduledReports
from mailtickets.settling import Settling
from mailtickets.store import store_trouble
from mailtickets.store.errors import OriginalDamaged
from mailtickets.store.ledger import MAX_TRIES
from mailtickets.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from mailtickets.delivery import Attempt
    from mailtickets.desk.events import Incoming
    from mailtickets.desk.pausing import Look
    from mailtickets.desk.ticket import Alarm
    from mailtickets.store import Store
    from mailtickets.store.alarms import AlarmState
    from mailtickets.store.ledger import Copy, Step, Taken
    from mailtickets.store.outbox import Mail

BATCH_MAILS, BATCH_BYTES = 50, 4 << 20
READ_SECONDS = 0.12  # half of a batch's quarter of a second; the other half decides
AHEAD_FROM = 10  # mails that wait beyond a batch: from here on another process reads while the desk decides
KEPT_RAW_BYTES = 8 << 20


class Line:
    """The four verbs over one store.

    clock   the present time, aware, in UTC.
    code    returns a fresh one-time code such as 7K3M-9QXD.
    """

    def __init__(
        self, store: Store, rules: Rules, clock: Callable[[], datetime], code: Callable[[], str]
    ) -> None:
        self._store, self.rules, self._clock = store, rules, clock
        self._batch_of: dict[int, int] = {}
        self._originals = Originals(store.ledger.original, store.ledger.beginning)
        self._reader = CopyReader(rules, self._originals)
        self._recorder = Recorder(store, rules, clock, self._originals)
        self._recounting = Recounting(store, self._recorder, clock)
        self.pauses = Pauses(
            store, self._recorder.alarm, self._recorder.recovered, self._recounting.begin_for_clock
        )
        self._claims = Claims(store, self._recorder, self.pauses, clock)
        self._catching_up = CatchingUp(store)
        self._settling = Settling(store, self._recorder, self._catching_up, self._reader, clock, code)
        self._quarantine = Quarantine(store, self._recorder, self._reader, self._settling)
        self._timers = Timers(store, self._recorder, self._catching_up, self._reader, self._settling)
        self.reports = ScheduledReports(
            store, self._recorder, self.pauses, self._catching_up, self._originals, clock
        )
        self._cleaning = Cleaning(store)
        self._alone: set[int] = set()
        self._try_of: dict[int, int] = {}  # tries marked already, cut short by trouble with the store
        self._size_of: dict[int, int] = {}  # of mails accepted by this process and not yet decided
        self.undecided_bytes = 0  # their sum; mailboxes wait while it is much
        self.between_mails: Callable[[], None] = lambda: None

    def use(self, rules: Rules) -> None:
        """Take new rules for all mails from now on."""
        self.rules = rules
        self._recorder.rules = rules
        self._recounting.begin()
        self._reader.use(rules)
        self._end_alarms_of_aliases()

    def _end_alarms_of_aliases(self) -> None:
        for alarm in self._store.alarms.open():
            if is_known_now(alarm.kind, self.rules.policy):
                self.recovered_now(alarm.kind)

    def recover(self) -> int:
        """Set right what an ended process left; return how many mails are of uncertain fate by that.

        Mails of a batch in which a process ended are taken one by one.
        """
        with self._store.transaction():
            self._alone.update(self._store.ledger.abandoned())
            self._store.ledger.forget_batches()
            uncertain = self._claims.set_right()
        for mail in uncertain:
            maillog.uncertain(
                mail.id, mail.recipients, "the process ended while it was being sent; not sent again"
            )
        self._end_alarms_of_aliases()
        reach("recovered")
        return len(uncertain)

    # -- accept ------------------------------------------------------------------------------

    def accept(self, taken: Sequence[Taken], step: Step | None = None) -> int:
        """Commit raw mails to the ledger, with the mark that they are about to be decided; return how many are new.

        step   of the folder's cursor, to note in the same transaction.
        """
        now = self._clock()
        with self._store.transaction():
            numbers = self._store.ledger.accept(taken, now)
            if step:
                self._store.ledger.move_cursor(step)
            if numbers:
                batch = self._store.ledger.open_batch(numbers, now)
                self._batch_of.update(dict.fromkeys(numbers, batch))
        if numbers:
            reach("raw-stored")
        by_name = {(mail.mailbox, mail.folder, mail.name): mail for mail in taken}
        for number in numbers:
            copy = self._store.ledger.copy(number)
            if copy and (mail := by_name.get((copy.mailbox, copy.folder, copy.name))):
                self.undecided_bytes += copy.size
                self._size_of[number] = copy.size
                if self.undecided_bytes <= KEPT_RAW_BYTES:
                    self._reader.keep(number, mail.raw)  # else it is read back from the store
        if numbers:
            maillog.taken(taken[0].mailbox, len(numbers), sum(self._size_of.get(one, 0) for one in numbers))
        return len(numbers)

    # -- settle ------------------------------------------------------------------------------

    def settle(self) -> int:
        """Decide a batch of stored mails; return how many were decided. Call again until it is 0."""
        waiting = self._store.ledger.waiting(2 * BATCH_MAILS)
        if not waiting:
            self._cleaning.go_on()
            return 0
        if len(waiting) >= BATCH_MAILS + AHEAD_FROM:
            # Those of the next turn: they are read while this one's are decided.
            self._reader.offer(
                copy for copy in waiting[BATCH_MAILS:] if not copy.tries and copy.id not in self._alone
            )
        for copy in waiting:
            if copy.tries or copy.id in self._alone:
                self._settle_alone(copy)
                return 1
        return self._settle_batch(_first_bytes(waiting[:BATCH_MAILS]))

    def _settle_batch(self, copies: Sequence[Copy]) -> int:
        unmarked = [copy.id for copy in copies if copy.id not in self._batch_of]
        if unmarked:
            with self._store.transaction():
                batch = self._store.ledger.open_batch(unmarked, self._clock())
            self._batch_of.update(dict.fromkeys(unmarked, batch))
        read: list[tuple[Copy, Incoming]] = []
        started = time.monotonic()
        for copy in copies:
            try:
                read.append((copy, self._reader.read(copy)))
                reach("parsed")
            except Exception as error:  # noqa: BLE001  (a mail that breaks the reader is tried alone, the others go on)
                maillog.broken("cannot read a mail; it is tried again by itself", copy.id, error)
                self._alone.add(copy.id)
            self.between_mails()
            if time.monotonic() - started > READ_SECONDS:
                break
        done: list[int] = []
        try:
            with self._store.transaction():
                for copy, incoming in read:
                    if self._in_savepoint(copy, incoming):
                        done.append(copy.id)
                self._close_batches(copies, done)
                reach("written")
        except BaseException:
            self._recorder.undone()
            raise
        reach("committed")
        for number in done:
            self._forget(number)
        return len(done) or 1

    def _close_batches(self, copies: Sequence[Copy], done: Sequence[int]) -> None:
        """A mark goes away with the last of its mails; the ones left over stay marked."""
        for batch in {self._batch_of[copy.id] for copy in copies if copy.id in self._batch_of}:
            left = [number for number, of in self._batch_of.items() if of == batch and number not in done]
            if not left:
                self._store.ledger.close_batch(batch)

    def _in_savepoint(self, copy: Copy, incoming: Incoming) -> bool:
        try:
            with self._store.savepoint():
                self._settling.settle(copy, incoming)
        except Exception as error:
            self._recorder.undone()
            if store_trouble(error):
                raise  # nothing is wrong with the mail: the whole batch waits for the store
            maillog.broken("cannot decide a mail; it is tried again by itself", copy.id, error)
            self._alone.add(copy.id)
            return False
        return True

    def _settle_alone(self, copy: Copy) -> None:
        """Try a mail by itself, under a mark of its own; after three tries it is quarantined whole."""
        tries = self._try_of.get(copy.id, 0)
        if not tries:
            with self._store.transaction():
                tries = self._store.ledger.mark_try(copy.id)
                batch = self._batch_of.pop(copy.id, None)
                if batch is not None and batch not in self._batch_of.values():
                    self._store.ledger.close_batch(batch)
        if tries > MAX_TRIES:
            self._give_up(copy, f"could not be handled in {MAX_TRIES} tries, which ended the program", tries)
            return
        whole = True
        try:
            incoming = self._reader.read_apart(copy)
            reach("parsed")
            with self._store.transaction():
                self._settling.settle(copy, incoming)
                reach("written")
            reach("committed")
        except TooHard as error:
            reason = error.reason
        except OriginalDamaged as error:
            self._recorder.undone()
            maillog.broken("cannot handle a mail", copy.id, error)
            # Its words are zlib's, none of a mail; it may be one that is quoted in what this one causes.
            reason, whole = str(error), error.digest != copy.digest
        except Exception as error:
            self._recorder.undone()
            if store_trouble(error):
                self._try_of[copy.id] = tries  # the same try, when the store can be written again
                raise
            maillog.broken("cannot handle a mail", copy.id, error)
            reason = f"the desk has a fault with this mail ({name_of(error)})"
        else:
            self._forget(copy.id)
            return
        self._try_of.pop(copy.id, None)
        if tries >= MAX_TRIES:
            self._give_up(copy, reason, tries, whole=whole)

    def _give_up(self, copy: Copy, reason: str, tries: int, *, whole: bool = True) -> None:
        self._quarantine.take(copy, reason, tries, whole=whole)
        self._forget(copy.id)

    def _forget(self, number: int) -> None:
        """Drop what was kept in memory for a mail that is decided now."""
        self._alone.discard(number)
        self._try_of.pop(number, None)
        self._batch_of.pop(number, None)
        self._reader.forget(number)
        self.undecided_bytes -= self._size_of.pop(number, 0)

    def original(self, digest: bytes) -> bytes:
        """Return a stored original. Raises KeyError if there is none."""
        return self._originals.get(digest)

    # -- the admins --------------------------------------------------------------------------

    def alarm_now(self, alarm: Alarm, accounts: Sequence[str] | None = None) -> bool:
        """Tell the admins of trouble, in a transaction of its own; see `Recorder.alarm`."""
        with self._store.transaction():
            return self._recorder.alarm(alarm, accounts)

    def recovered_now(self, kind: str, accounts: Sequence[str] | None = None) -> AlarmState | None:
        """Tell the admins of recovery, in a transaction of its own; nothing is written where there was no trouble."""
        if not self._store.alarms.get(kind):
            return None
        with self._store.transaction():
            return self._recorder.recovered(kind, accounts)

    # -- changed rules -----------------------------------------------------------------------

    def recount(self) -> bool:
        """See `Recounting.go_on`."""
        return self._recounting.go_on()

    # -- timers ------------------------------------------------------------------------------

    def fire_due(self, look: Look | None = None) -> int:
        """Let due timers do their work; return how many there were. Call again until it is 0.

        None fires while the clock is in doubt.

        look   at all clocks, in this moment. The clock may have been set since the desk last looked at it, so what is due
               is judged by the very time that is not in doubt. A round of its own has nothing to compare with.
        """
        if self.pauses.holds(Cause.CLOCK) or (look is not None and self.pauses.in_doubt(look)):
            return 0
        now = look.wall if look else self._clock()
        if fired := self._timers.fire_due(now):
            return fired
        self._end_catching_up()
        return self._send_lists(now)

    def _send_lists(self, now: datetime) -> int:
        """Tell agents together what was too much to tell one by one; return how many lists there were."""
        at = self._store.news.next_due()
        if at is None or at > now:
            return 0
        with self._store.transaction():
            return self._recorder.send_lists()

    # -- after a restore ---------------------------------------------------------------------

    def mailboxes_are_read(self) -> None:
        """Say that every mailbox was read: nothing of before a restore is still to come."""
        self._catching_up.mailboxes_read = True

    def note_read(self, mailbox: str, *, read: bool) -> None:
        """Say whether a mailbox was read since the start: those that were not are named where a restore does not end."""
        (self._catching_up.unread.discard if read else self._catching_up.unread.add)(mailbox)

    def _end_catching_up(self) -> None:
        """Tell admins and agents once what a restore holds, when all that arrived or was due before it is decided."""
        if not self._catching_up.may_tell():
            return
        with self._store.transaction():
            for one in self._catching_up.tell(self.rules.policy):
                self._recorder.queue(
                    self.rules.writer.to_people(
                        one.kind, one.values, one.people, one.occasion, self._originals.get, self._clock()
                    )
                )
        self._catching_up.said()

    # -- the outbox --------------------------------------------------------------------------

    def turn(
        self, attempts: Sequence[tuple[Mail, Attempt]], limit: int, holder: str, idle: Mapping[str, int]
    ) -> list[Mail]:
        """See `Claims.turn`."""
        return self._claims.turn(attempts, limit, holder, idle)

    def claim_due(self, limit: int, holder: str, idle: Mapping[str, int] | None = None) -> list[Mail]:
        """See `Claims.claim_due`."""
        return self._claims.claim_due(limit, holder, idle)

    def book(self, attempts: Sequence[tuple[Mail, Attempt]]) -> None:
        """See `Claims.book`."""
        self._claims.book(attempts)

    def idle(self) -> None:
        """Called when nothing is to do: gives memory back."""
        self._reader.close_if_idle()

    def close(self) -> None:
        """End the other processes."""
        self._reader.close()

    def end_cleanly(self) -> None:
        """Take the marks of undecided batches away, so that their mails are not taken for the cause of an end."""
        with suppress(Exception), self._store.transaction():
            for batch in set(self._batch_of.values()):
                self._store.ledger.close_batch(batch)


def _first_bytes(copies: Sequence[Copy]) -> list[Copy]:
    chosen: list[Copy] = []
    size = 0
    for copy in copies:
        if chosen and size + copy.size > BATCH_BYTES:
            break
        chosen.append(copy)
        size += copy.size
    return chosen
