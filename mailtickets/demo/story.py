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
from mailtickets.demo.telling import footer, without_footer
from mailtickets.mail.visible_text import message_text, new_text
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
KINDS = {  # of the desk's mails, in the words of the play
    "acknowledgement": "acknowledgement",
    "agent_new": "a new ticket",
    "agent_event": "news",
    "agent_reopened": "open again",
    "answer": "Kim's answer",
    "resolved": "the solution",
    "closed": "closing",
    "receipt": "receipt",
    "held": "a question",
}


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
        await tell.scene("A customer writes")
        await self._writes(ANA, new_mail(
            ANA, "Printer on fire",
            "Hello,\n\nour printer on the second floor smokes since this morning, and the display says E-451."
            " Can you help?\n\nAna",
        ))  # fmt: skip
        acknowledgement = await self._gets(ANA, "acknowledgement")
        tell.frame("what Ana reads", message_text(acknowledgement.message))
        tell.remark(
            "Anybody can write Ana's address into From. Until her mail server vouches for her, nothing of what she wrote"
            " is sent back to it."
        )
        notice = await self._gets(KIM, "agent_new")
        await self._gets(LEE, "agent_new")
        tell.remark("Both agents get Ana's words, and below them what answering will do:")
        tell.words(footer(message_text(notice.message)), lines=10)
        await self._state("open")
        return notice

    async def _an_agent_answers(self, notice: Passed) -> None:
        tell = self._telling
        await tell.scene("Kim answers, by pressing Reply in a mail program")
        await self._writes(KIM, answer(
            KIM, notice.message,
            "Hello Ana,\n\nplease pull the plug first. What does the label on the back say: PX-100 or PX-200?\n\nKim",
        ))  # fmt: skip
        await self._gets(ANA, "answer")
        tell.remark(
            "Ana got Kim's own words, from the desk's address. The quoted notice below them stayed behind; the key in it"
            " has proven that it was Kim who wrote."
        )
        taken = await self._gets(LEE, "agent_event")
        tell.words(without_footer(message_text(taken.message)))
        await self._state("waiting")

    async def _the_customer_is_silent(self) -> Passed:
        tell = self._telling
        await tell.scene("Ana does not answer")
        tell.remark(
            "Usual are a reminder after 24 and 72 hours and the end after 96; here it is 3, 6 and 9 seconds."
        )
        first = await self._gets(ANA, "reminder", "reminder 1")
        tell.words(without_footer(message_text(first.message)))
        second = await self._gets(ANA, "reminder", "reminder 2")
        tell.words(without_footer(message_text(second.message)))
        closing = await self._gets(ANA, "closed")
        tell.words(without_footer(message_text(closing.message)))
        await self._state("closed")
        return closing

    async def _the_customer_comes_back(self, closing: Passed) -> Passed:
        tell, before = self._telling, len(self._servers.all_to(ANA.address))
        await tell.scene("Ana answers after all")
        copy = await self._writes(ANA, answer(
            ANA, closing.message, "Sorry, I was ill! It is a PX-200.\n\nAna",
        ))  # fmt: skip
        notice = await self._gets(KIM, "agent_reopened")
        self._nothing_went_to(ANA, before, copy)
        await self._state("open")
        tell.remark("Only Kim is told, whose ticket it is.")
        return notice

    async def _the_agents_talk(self) -> None:
        tell, before = self._telling, len(self._servers.all_to(ANA.address))
        await tell.scene("Lee tells Kim something that is not for customers")
        note = "#note\nThe PX-200 was called back in May. Send a new one, do not repair it.\n\nLee"
        copy = await self._writes(LEE, answer(LEE, self._servers.all_to(LEE.address)[-1].message, note))
        await self._gets(KIM, "agent_event", "note")
        receipt = await self._gets(LEE, "receipt")
        tell.words(without_footer(message_text(receipt.message)))
        self._nothing_went_to(ANA, before, copy)

    async def _solved(self, notice: Passed) -> Passed:
        tell = self._telling
        await tell.scene("Kim has the solution")
        await self._writes(KIM, answer(
            KIM, notice.message,
            "#resolve\nHello Ana,\n\nyour printer was called back by its maker. A new one arrives tomorrow.\n\nKim",
        ))  # fmt: skip
        resolved = await self._gets(ANA, "resolved")
        tell.words(without_footer(message_text(resolved.message)), lines=10)
        receipt = await self._gets(KIM, "receipt")
        tell.words(without_footer(message_text(receipt.message)))
        await self._state("resolved")
        return resolved

    async def _a_machine_answers(self, resolved: Passed) -> None:
        tell, before = self._telling, len(self._servers.mails)
        await tell.scene("Ana's mail program answers by itself: she is on holiday")
        copy = await self._writes(
            ANA,
            absence_notice(ANA, resolved.message, "I am away until Monday and will answer then."),
            envelope="",
        )
        if len(self._servers.mails) != before + 1 or self._views.outbox():
            raise PlayStopped("a machine was answered, and must not be")
        tell.remark(f"The desk: {copy.why[-1]}. So it is filed, but answers nobody and reopens nothing.")
        await self._state("resolved")

    async def _somebody_pretends(self) -> None:
        tell, before = self._telling, len(self._servers.all_to(ANA.address))
        await tell.scene("Mallory pretends to be Kim")
        text = "Hello Ana,\n\nplease send us your password, so that we can deliver.\n\nKim"
        copy = await self._writes(
            KIM,
            new_mail(KIM, f"Re: [SUP-{NUMBER}] Printer on fire", text),
            envelope=MALLORY,
            shown="Mallory, as Kim",
        )
        question = await self._gets(KIM, "held")
        tell.words(without_footer(message_text(question.message)), lines=5)
        self._nothing_went_to(ANA, before, copy)
        tell.remark(f"The desk: {copy.reason}. It is held until Kim says yes; Ana never sees it.")

    async def _books(self) -> Books:
        await self._until(lambda: not self._views.outbox() or None, "every mail to be sent")
        for reader in (ANA, KIM, LEE):
            if untold := self._servers.all_to(reader.address)[self._read[reader.address] :]:
                subjects = ", ".join(mail.message.subject for mail in untold)
                raise PlayStopped(f"{reader.first_name} got mail that is not in the play: {subjects}")
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
        self._telling.words(new_text(passed.message))
        return await self._until(
            lambda: next(
                (c for c in self._views.copies_of(message_id=mail["Message-ID"]) if c.state != "waiting"),
                None,
            ),
            f"the desk to decide about {writer.first_name}'s mail",
        )

    async def _gets(self, reader: Person, kind: str, what: str = "") -> Passed:
        """Wait for the next mail to somebody, make sure that it is what it must be, and tell it."""
        what = what or KINDS[kind]
        seen = self._read.get(reader.address, 0)
        mail = await self._soon(
            self._servers.mail_to(reader.address, seen), f"the {what} to reach {reader.first_name}"
        )
        self._read[reader.address] = seen + 1
        self._telling.mail(mail, reader.address, what)
        kinds = [ours.kind for ours in self._views.outbox(message_id=mail.message.message_id)]
        if kinds != [kind]:
            raise PlayStopped(
                f"{reader.first_name} got {kinds or 'a mail that is not ours'} instead of the {what}"
            )
        return mail

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
            raise PlayStopped(
                f"waited {PATIENCE_SECONDS:.0f} s for {what}, and it did not happen; see {self._desk.folder.log}"
            )
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
