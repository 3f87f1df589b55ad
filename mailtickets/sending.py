"""Sends what the outbox holds. Runs in the asyncio loop; claims and bookings are done by the desk's thread."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
import zlib
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.clocks import look_at_clocks, since_boot
from mailtickets.crashpoints import reach
from mailtickets.delivery import Attempt, Ladder, attempt_of, given_up
from mailtickets.errors import Retry
from mailtickets.mail.compose import Slice, assemble, load_body
from mailtickets.progress import Progress
from mailtickets.store.outbox import Booking, State
from mailtickets.transport.fate import Deferred, Phase, Rejected, Sent, Uncertain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from mailtickets.pipeline import Line
    from mailtickets.store.outbox import Mail
    from mailtickets.transport.fate import Fate
    from mailtickets.transport.smtp import SmtpPool

CLAIM = 32  # where many wait: while these are on their way the next ones are claimed, 64 in all, 16 for each connection
BOOK_AFTER_SECONDS = 0.25
# How long an idle connection waits for another one, so that one visit to the desk's thread serves both.
TOGETHER_SECONDS = 0.02
CUTS_KEPT_BYTES = 4 << 20
OUTAGE_PAUSE = timedelta(seconds=30)  # or the first delay of smtp.retry, if that is shorter


class Sender:
    """Empties the outbox through one pool of connections for each account.

    call      runs a function in the desk's thread.
    accounts  is told what each account's server makes of our mails.
    moved     is called when a turn begins, at each answer of a server, while it takes a text, and at each mail's fate:
              never because time passes, so that a sender that hangs is known from one that waits.
    """

    def __init__(self, line: Line, pools: Mapping[str, SmtpPool], ladders: Mapping[str, Ladder], call: Callable[..., Future[object]],
                 clock: Callable[[], datetime], holder: str, accounts: Mapping[str, Progress] | None = None,
                 moved: Callable[[], None] = lambda: None) -> None:  # fmt: skip
        self._line, self._pools, self._ladders, self._call = line, pools, ladders, call
        self._clock, self._holder = clock, holder
        self._away_until: dict[
            str, float
        ] = {}  # in seconds since the start of the machine: nobody sets that clock
        self._away_why: dict[str, str] = {}
        self._accounts = accounts or {name: Progress() for name in pools}
        self._moved = moved
        self._stopping = False
        self._on_their_way: dict[asyncio.Task[tuple[Mail, Attempt]], str] = {}  # and by which account
        self._in_bulk = self._more = False  # as the last claim was
        self._visited = 0.0
        self._unbooked: list[tuple[Mail, Attempt]] = []
        self._cuts: dict[
            Slice, bytes
        ] = {}  # attachments on their way: every agent of a queue gets the same ones

    async def send_due(self) -> int:
        """Claim, send and book until nothing is due, or until told to stop; return how many mails were tried.

        While few wait, each connection is given its next mail when it has nothing to send: an unclean end leaves no
        more in doubt than is on its way. While many wait the next ones are claimed as soon as these are on their way,
        so that the connections never wait for the desk. A server that is slow keeps no other account waiting.
        """
        count = 0
        self._moved()
        while True:
            count += await self._turn()
            if self._on_their_way:
                await self._until_the_next_turn()
            elif not self._unbooked:
                return count

    async def _turn(self) -> int:
        """Write results and claim the next mails, in one visit to the desk's thread; return how many are on their way by that.

        What a full disk or a locked store kept from being written is written first next time.
        """
        results, idle, begun = list(self._unbooked), self._idle(), 0
        if results:
            self._moved()
        if not self._stopping:
            room = min(CLAIM, 2 * CLAIM - len(self._on_their_way))
            mails = await self._in_desk(self._line.turn, results, room, self._holder, idle)
            assert isinstance(mails, list)  # noqa: S101  (for the type checker)
            begun = self._begin(mails, idle)
        else:
            self._in_bulk = self._more = False
            if results:
                await self._in_desk(self._line.book, results)
        self._visited = time.monotonic()
        del self._unbooked[: len(results)]
        return begun

    def _begin(self, mails: Sequence[Mail], idle: Mapping[str, int]) -> int:
        """Set claimed mails on their way; return how many."""
        got = Counter(mail.account for mail in mails)
        self._in_bulk = any(number > idle.get(account, number) for account, number in got.items())
        self._more = self._in_bulk or any(number == idle.get(account) for account, number in got.items())
        for mail in mails:
            task = asyncio.create_task(self._tried(mail))
            self._on_their_way[task] = mail.account
            # Kept even if booking fails meanwhile: what the server took must never look unsent.
            task.add_done_callback(self._came_back)
        if mails:
            self._moved()
        return len(mails)

    def _came_back(self, done: asyncio.Task[tuple[Mail, Attempt]]) -> None:
        del self._on_their_way[done]
        self._unbooked.append(done.result())

    def _idle(self) -> dict[str, int]:
        """Return by account how many connections have nothing to send."""
        busy = Counter(self._on_their_way.values())
        return {name: max(pool.connections - busy[name], 0) for name, pool in self._pools.items()}

    async def _until_the_next_turn(self) -> None:
        """Wait until the desk is to be visited: for what waits as soon as there is room, for results in a while."""
        idle_since = None
        while self._on_their_way:
            now = time.monotonic()
            wait = self._visited + BOOK_AFTER_SECONDS - now
            if self._in_bulk and len(self._on_their_way) <= CLAIM:
                return
            idle = self._idle()
            if self._more and any(idle.values()):
                idle_since = idle_since or now
                wait = min(wait, idle_since + TOGETHER_SECONDS - now)
                if any(2 * number >= self._pools[name].connections for name, number in idle.items()):
                    return
            if wait <= 0:
                return
            await asyncio.wait(self._on_their_way, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)  # the callbacks of what has finished run first

    def take_over(self, other: Sender) -> None:
        """Take the results that another sender could not book, so that a reload loses none."""
        self._unbooked = other._unbooked

    def stop(self) -> None:
        """Claim nothing more; what is claimed and not yet on its way goes back to the outbox."""
        self._stopping = True

    async def _tried(self, mail: Mail) -> tuple[Mail, Attempt]:
        """Make one attempt; a fault of ours makes this one mail's fate uncertain and leaves the others alone."""
        try:
            return await self._attempt(mail)
        except Exception as error:  # noqa: BLE001  (otherwise the mail would never be booked)
            maillog.broken("a fault while sending a mail", None, error)
            fate = Uncertain(f"a fault in the desk ({type(error).__name__})")
            return mail, attempt_of(mail, fate, self._ladders.get(mail.account, Ladder()), self._clock(), 0.0)

    async def _attempt(self, mail: Mail) -> tuple[Mail, Attempt]:
        now = self._clock()
        away = 0.0 if self._stopping else self._away_until.get(mail.account, 0.0) - since_boot()
        if away > 0 or self._stopping:
            why, until = (
                self._away_why.get(mail.account, "the desk was stopping"),
                now + timedelta(seconds=away),
            )
            return mail, Attempt(Booking(mail.id, State.DEFERRED, now, why, until, counts=False))
        pool = self._pools.get(mail.account)
        if pool is None:
            why = f"the configuration has no [smtp_account.{mail.account}] any more"
            return mail, given_up(mail, why, now)
        try:
            raw = await self._bytes_of(mail)
        except (KeyError, ValueError, zlib.error) as error:
            why = f"the stored mail is damaged ({error})"
            return mail, given_up(mail, why, now)
        started = time.monotonic()
        reach("sending")
        fate = await pool.send(
            "" if mail.null_sender else mail.sender,
            mail.recipients,
            raw,
            never_notify=not mail.human and mail.null_sender,
            moved=self._moved,
        )
        if mail.null_sender and isinstance(fate, Rejected) and fate.phase is Phase.MAIL:
            # RFC 3834 section 3.3 lets automatic answers have no sender; some submission servers refuse that.
            fate = await pool.send(mail.sender, mail.recipients, raw, never_notify=False, moved=self._moved)
        reach("250-read")
        if self._stopping and isinstance(fate, Deferred):
            return mail, Attempt(Booking(mail.id, State.DEFERRED, now, fate.reason, now, counts=False))
        jitter = random.random()  # noqa: S311  (spreads retries)
        # The clock may have been set in the last half second.
        now, in_doubt = self._clock(), self._line.pauses.in_doubt(look_at_clocks(self._clock))
        ladder = self._ladders.get(mail.account, Ladder())
        attempt = attempt_of(mail, fate, ladder, now, jitter, in_doubt=in_doubt)
        self._note(mail, fate, attempt, time.monotonic() - started)
        return mail, attempt

    async def _bytes_of(self, mail: Mail) -> bytes:
        """Put the mail together; the same bytes at every attempt, or it is not sent."""
        body = load_body(mail.body)
        originals: dict[bytes, bytes] = {}
        cuts = self._cuts  # another task may begin a new one meanwhile
        for segment in body.segments:
            if isinstance(segment, Slice) and segment not in cuts and segment.digest not in originals:
                original = await self._in_desk(self._line.original, segment.digest)
                assert isinstance(original, bytes)  # noqa: S101  (for the type checker)
                originals[segment.digest] = original
        raw = assemble(mail.head, body, mail.reply_key, originals.__getitem__, cuts)
        if any(isinstance(segment, Slice) for segment in body.segments):
            reach("attachment-temp")
        if sum(map(len, cuts.values())) > CUTS_KEPT_BYTES:
            self._cuts = {}
        if hashlib.sha256(raw).digest() != mail.digest:
            raise ValueError("its bytes are not those that were queued")
        return raw

    async def _in_desk(self, function: Callable[..., object], *arguments: object) -> object:
        return await asyncio.wrap_future(self._call(function, *arguments))

    def _note(self, mail: Mail, fate: Fate, attempt: Attempt, seconds: float) -> None:
        booking = attempt.booking
        match booking.state:
            case State.SENT:
                maillog.sent(mail.id, mail.kind, mail.recipients, seconds)
            case State.DEFERRED:
                maillog.deferred(mail.id, mail.recipients, booking.error, booking.next_at)
            case State.UNCERTAIN:
                maillog.uncertain(mail.id, mail.recipients, booking.error)
            case _:
                maillog.failed(mail.id, mail.recipients, booking.error)
        match fate:
            case Deferred(account_trouble=True):
                self._server_away(mail.account, fate)
            case Deferred():
                self._accounts[mail.account].answered()
                self._accounts[mail.account].put_off_for(mail.recipients, fate.reason)
            case Rejected():
                self._accounts[mail.account].answered()
            case Sent():
                self._away_until.pop(mail.account, None)
                self._accounts[mail.account].well()

    def _server_away(self, account: str, fate: Deferred) -> None:
        """Leave a server alone for a while; the admins hear of it when that lasts, and at once of a refused login."""
        pause = min(OUTAGE_PAUSE, self._ladders.get(account, Ladder()).retry[0])
        self._away_until[account] = since_boot() + pause.total_seconds()
        self._away_why[account] = fate.reason
        self._accounts[account].failed(fate.reason, at_once=fate.retry is Retry.SLOW)
