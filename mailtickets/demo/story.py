"""The play: what the people write, what the desk does, and that it really did it. Each scene waits for facts, not for time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from mailtickets.demo.embedded import HOST
from mailtickets.demo.people import (
    ANA,
    DESK,
    KIM,
    LEE,
    MALLORY,
    Person,
    absence_notice,
    answer,
    new_mail,
    send,
)
from mailtickets.mail.visible_text import message_text
from mailtickets.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from email.message import EmailMessage

    from mailtickets.demo.desk import DeskProcess
    from mailtickets.demo.embedded import MailServers, Passed
    from mailtickets.demo.telling import Telling
    from mailtickets.desk.ticket import Ticket
    from mailtickets.store.views import Books, CopyView, Views

Answer = TypeVar("Answer")

PATIENCE_SECONDS = 20.0  # for any one thing; on a slow machine the longest takes 4
LOOK_SECONDS = 0.04  # between two looks into the store, which tells nobody of its changes
NUMBER = 1001  # of the first ticket of a new store


class PlayStopped(Exception):  # noqa: N818  (named for the situation)
    """Something did not happen in time, or happened that must not. `str()` says what."""


class Play:
    """Everybody's moves and the checks of what came of them."""

    def __init__(self, servers: MailServers, desk: DeskProcess, telling: Telling) -> None:
        self._servers, self._desk, self._telling = servers, desk, telling
        self._read: dict[str, int] = {}  # address -> how many of its mails the play has told
        self._store: Store | None = None

    async def start(self) -> None:
        """Start the desk and look into its store from here on."""
        await self._soon(self._desk.start(), "the desk's daemon to be ready")
        self._store = Store.read(self._desk.folder.store)

    def close(self) -> None:
        """Look into the store no more."""
        if self._store is not None:
            self._store.close()

    # -- the scenes --------------------------------------------------------------------------

    async def run(self) -> Books:
        """Play everything; return the ledger's sums at the end. Raises PlayStopped, DeskEnded."""
        notice = await self._a_customer_writes()
        await self._an_agent_answers(notice)
        closing = await self._the_customer_is_silent()
        reopened = await self._the_customer_comes_back(closing)
        await self._the_agents_talk()
        resolved = await self._solved(reopened)
        await self._a_machine_answers(resolved)
        await self._somebody_pretends()
        return await self._books()

    async def _a_customer_writes(self) -> Passed:
        tell = self._telling
        tell.scene("A customer writes")
        await self._writes(ANA, new_mail(
            ANA, "Printer on fire",
            "Hello,\n\nour printer on the second floor smokes since this morning, and the display says E-451.\n"
            "Can you help?\n\nKind regards\nAna",
        ))  # fmt: skip
        acknowledgement = await self._gets(ANA, "the acknowledgement", words=False)
        tell.frame("what Ana reads", message_text(acknowledgement.message))
        tell.remark(
            "An acknowledgement to a sender who is not proven repeats none of the sender's words, so that nobody can"
            " use the desk to write to strangers."
        )
        notice = await self._gets(KIM, "the notice of the new ticket", words=False)
        await self._gets(LEE, "the notice of the new ticket", words=False)
        tell.words(message_text(notice.message), lines=12)
        await self._state("open")
        return notice

    async def _an_agent_answers(self, notice: Passed) -> None:
        tell = self._telling
        tell.scene("An agent answers, from an ordinary mail program")
        await self._writes(KIM, answer(
            KIM, notice.message,
            "Hello Ana,\n\nplease pull the plug first. What does the label on the back say: PX-100 or PX-200?\n\nKim",
        ))  # fmt: skip
        await self._gets(ANA, "Kim's answer")
        tell.remark(
            "Kim's own words went on, from the desk's address. The quote below them stayed here: with it came Kim's"
            " key for this ticket, which proves that it was Kim."
        )
        await self._gets(LEE, "the news that Kim has the ticket")
        await self._state("waiting")

    async def _the_customer_is_silent(self) -> Passed:
        tell = self._telling
        tell.scene("The customer is silent")
        tell.remark("The real times are 24 h, 72 h and 96 h; here they are 3, 6 and 9 seconds.")
        await self._gets(ANA, "the first reminder")
        last = await self._gets(ANA, "the second reminder", words=False)
        tell.words(message_text(last.message), lines=14)
        closing = await self._gets(ANA, "the closing mail", words=False)
        tell.words(message_text(closing.message), lines=8)
        await self._state("closed")
        return closing

    async def _the_customer_comes_back(self, closing: Passed) -> Passed:
        self._telling.scene("The customer answers after all")
        await self._writes(ANA, answer(
            ANA, closing.message, "Sorry, I was ill! It is a PX-200.\n\nAna",
        ))  # fmt: skip
        notice = await self._gets(KIM, "the notice that the ticket is open again", words=False)
        await self._state("open")
        self._telling.remark("Only Kim is told, whose ticket it is. A reopening sends the customer nothing.")
        return notice

    async def _the_agents_talk(self) -> None:
        tell, before = self._telling, len(self._servers.all_to(ANA.address))
        tell.scene("The agents talk among themselves")
        note = answer(
            LEE,
            self._last(LEE).message,
            "#note\nThe PX-200 had a recall in May. Send a new one, do not repair it.\n\nLee",
        )
        copy = await self._writes(LEE, note)
        await self._gets(KIM, "Lee's note")
        self._nothing_went_to(ANA, before, copy)
        tell.remark("A note goes to the agents. Ana gets nothing, whatever stands in it.")

    async def _solved(self, notice: Passed) -> Passed:
        tell = self._telling
        tell.scene("Solved")
        await self._writes(KIM, answer(
            KIM, notice.message,
            "#resolve\nHello Ana,\n\nyour printer is part of a recall. A new one is on its way and arrives tomorrow.\n\nKim",
        ))  # fmt: skip
        resolved = await self._gets(ANA, "Kim's solution", words=False)
        tell.words(message_text(resolved.message), lines=12)
        await self._state("resolved")
        return resolved

    async def _a_machine_answers(self, resolved: Passed) -> None:
        tell, before = self._telling, len(self._servers.all_to(ANA.address))
        tell.scene("A machine answers")
        copy = await self._writes(
            ANA,
            absence_notice(ANA, resolved.message, "I am away until Monday and will answer then."),
            envelope="",
        )
        self._nothing_went_to(ANA, before, copy)
        tell.remark(f"The desk: {copy.reason}. Filed on the ticket, answered by nobody, reopens nothing.")
        await self._state("resolved")

    async def _somebody_pretends(self) -> None:
        tell, before = self._telling, len(self._servers.all_to(ANA.address))
        tell.scene("Somebody pretends to be an agent")
        forged = new_mail(
            KIM,
            "Re: [SUP-1001] Printer on fire",
            "Hello Ana,\n\nplease send us your password, so that we can deliver.\n\nKim",
        )
        copy = await self._writes(KIM, forged, envelope=MALLORY.address, shown="Mallory, as Kim")
        self._nothing_went_to(ANA, before, copy)
        await self._gets(KIM, "the question whether this was Kim")
        tell.remark(
            "From is only a claim. Without Kim's key the mail is held until Kim says yes, and Ana never sees it."
        )

    async def _books(self) -> Books:
        await self._until(lambda: not self._views.outbox() or None, "every mail to be sent")
        books = self._views.books()
        if books.unexplained or books.waiting:
            raise PlayStopped(f"the ledger does not balance: {books}")
        return books

    # -- moves -------------------------------------------------------------------------------

    async def _writes(
        self, writer: Person, mail: EmailMessage, *, envelope: str | None = None, shown: str = ""
    ) -> CopyView:
        """Send a mail; return what the desk decided about it, once it has."""
        sender = writer.address if envelope is None else envelope
        seen = len(self._servers.all_to(DESK.address))
        await self._soon(
            asyncio.to_thread(send, mail, sender, HOST, self._servers.smtp_port),
            f"{writer.first_name}'s mail to be sent",
        )
        passed = await self._soon(self._servers.mail_to(DESK.address, seen), "the mail to arrive")
        self._telling.mail(passed, DESK.address, sender=shown)
        return await self._until(
            lambda: next(
                (c for c in self._views.copies_of(message_id=mail["Message-ID"]) if c.state != "waiting"),
                None,
            ),
            f"the desk to decide about {writer.first_name}'s mail",
        )

    async def _gets(self, reader: Person, what: str, *, words: bool = True) -> Passed:
        """Wait for the next mail to somebody and tell it."""
        seen = self._read.get(reader.address, 0)
        mail = await self._soon(
            self._servers.mail_to(reader.address, seen), f"{what} to reach {reader.first_name}"
        )
        self._read[reader.address] = seen + 1
        self._telling.mail(mail, reader.address, words=words)
        return mail

    def _last(self, reader: Person) -> Passed:
        return self._servers.all_to(reader.address)[-1]

    def _nothing_went_to(self, reader: Person, before: int, copy: CopyView) -> None:
        """What a mail sets off is queued in the transaction that decides it: so now it can be told."""
        waiting = [m for m in self._views.outbox() if reader.address in m.to]
        if waiting or len(self._servers.all_to(reader.address)) != before:
            raise PlayStopped(f"{reader.first_name} was sent a mail because of mail {copy.id}, and must not")

    # -- the store ---------------------------------------------------------------------------

    @property
    def _views(self) -> Views:
        assert self._store is not None  # noqa: S101  (open since `start`)
        return self._store.views

    async def _state(self, wanted: str) -> None:
        """Wait until the ticket is in a status, and tell it."""

        def there() -> Ticket | None:
            ticket: Ticket | None = self._views.ticket(NUMBER)
            return ticket if ticket and ticket.status == wanted else None

        ticket = await self._until(there, f"SUP-{NUMBER} to be {wanted}")
        names = {"kim": "Kim", "lee": "Lee"}
        words = (
            f"{ticket.reference} is {ticket.status.value}, assigned to {names.get(ticket.assignee, 'nobody')}"
        )
        for kind, due in self._views.timers(NUMBER):
            words += f"; {_next_step(ticket, kind)} {_in(due)}"
        self._telling.state(words)

    async def _until(self, question: Callable[[], Answer | None], what: str) -> Answer:
        """Wait until the store has an answer."""

        async def looking() -> Answer:
            while (found := question()) is None:  # noqa: ASYNC110  (it is written by another process)
                await asyncio.sleep(LOOK_SECONDS)
            return found

        return await self._soon(looking(), what)

    async def _soon(self, happening: Awaitable[Answer], what: str) -> Answer:
        """Wait for something, but neither for ever nor for a desk that is not there any more."""
        task = asyncio.ensure_future(happening)
        ended = asyncio.ensure_future(self._desk.ended.wait())
        try:
            await asyncio.wait({task, ended}, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            self._desk.check()
            raise PlayStopped(f"waited {PATIENCE_SECONDS:.0f} s for {what}, and it did not happen")
        finally:
            task.cancel()
            ended.cancel()


def _next_step(ticket: Ticket, kind: str) -> str:
    if kind == "silence":
        return f"reminder {ticket.silent_step + 1}" if ticket.silent_step < 2 else "closes"
    return {"resolved": "closes by itself"}.get(kind, kind)


def _in(due: datetime) -> str:
    seconds = max((due - datetime.now(UTC)).total_seconds(), 0.0)
    return f"in {seconds:.0f} s" if seconds < 120 else f"in {seconds / 60:.0f} min"
