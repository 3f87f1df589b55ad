"""An SMTP server that delivers: between desks, and to robots that answer whatever they get; the servers in between may be bad."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import compat32
from types import TracebackType
from typing import Any, Self

from tests.support.dovecot import Dovecot
from tests.support.smtp_sink import SinkMail, SmtpSink

MAX_ANSWERS = 60  # of a robot: a test of a circle must come to an end, too


class PostOffice(SmtpSink):
    """A sink that hands on what it took.

    mailboxes  addresses whose mail goes into Dovecot's mailbox of that local part.
    robots     for each domain what answers its mail: a function from the mail, its place and the recipient to an answer.
    strips     fields that a gateway drops on the way; then it also writes a sender of its own into the envelope.
    """

    def __init__(self, dovecot: Dovecot) -> None:
        super().__init__()
        self.dovecot = dovecot
        self.mailboxes: set[str] = set()
        self.robots: dict[str, Callable[[SinkMail, int, str], bytes]] = {}
        self.strips: frozenset[str] = frozenset()
        self.answered = 0
        self.errors: list[Exception] = []
        self._bags: queue.Queue[SinkMail | None] = queue.Queue()
        self._postman = threading.Thread(target=self._rounds, name="postman", daemon=True)

    def __enter__(self) -> Self:
        self._postman.start()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._bags.put(None)
        self._postman.join(5)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        reply = await super().handle_DATA(server, session, envelope)
        self._bags.put(self.mails[-1])
        return reply

    def _rounds(self) -> None:
        while mail := self._bags.get():
            for recipient in mail.recipients:
                try:
                    self._hand_on(mail, recipient)
                except Exception as error:  # a lost mail would look like silence: the test looks here
                    self.errors.append(error)

    def _hand_on(self, mail: SinkMail, recipient: str) -> None:
        local, _, domain = recipient.partition("@")
        if f"{local.partition('+')[0]}@{domain}" in self.mailboxes:
            self.dovecot.deliver(self._on_the_way(mail.raw), recipient, sender=self._envelope(mail))
        elif (robot := self.robots.get(domain)) and self.answered < MAX_ANSWERS:
            self.answered += 1
            to = str(BytesParser(policy=compat32).parsebytes(mail.raw, headersonly=True)["From"])
            self.dovecot.deliver(
                robot(mail, self.answered, recipient), to.rpartition("<")[2].rstrip(">"), sender=recipient
            )

    def _envelope(self, mail: SinkMail) -> str:
        return "gateway@gateway.example" if self.strips else mail.sender

    def _on_the_way(self, raw: bytes) -> bytes:
        message = BytesParser(policy=compat32).parsebytes(raw)
        for name in self.strips:
            del message[name]
        return message.as_bytes(policy=compat32.clone(linesep="\r\n")) if self.strips else raw
