"""A mail server that has a mail and does not say so yet: for ends in the middle of sending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.support.smtp_sink import SmtpSink


class HoldingSink(SmtpSink):
    """Keeps the answer to the final dot back where `holds` says so, until `let_go`."""

    def __init__(self) -> None:
        super().__init__()
        self.holds: Callable[[bytes], bool] = lambda _raw: False
        self.held = 0

    def let_go(self) -> None:
        self.holds = lambda _raw: False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        if self.holds(envelope.original_content):
            self.held += 1
            while self.holds(envelope.original_content):  # noqa: ASYNC110  (told from another thread)
                await asyncio.sleep(0.01)
        return answer


class SlowSink(HoldingSink):
    """Holds a mail back at one moment of its transaction: `mail`, `rcpt`, `data` or, after all of it, `dot`."""

    def __init__(self) -> None:
        super().__init__()
        self.moment = ""
        self.reached = 0

    async def _hold(self, moment: str) -> None:
        if self.moment == moment:
            self.reached += 1
            while self.moment == moment:  # noqa: ASYNC110  (told from another thread)
                await asyncio.sleep(0.01)

    # ruff: noqa: N802 - aiosmtpd's names
    async def handle_MAIL(self, *arguments: Any) -> str:
        await self._hold("mail")
        return await super().handle_MAIL(*arguments)

    async def handle_RCPT(self, *arguments: Any) -> str:
        await self._hold("rcpt")
        return await super().handle_RCPT(*arguments)

    async def handle_DATA(self, *arguments: Any) -> str:
        await self._hold("data")
        answer = await super().handle_DATA(*arguments)
        await self._hold("dot")
        return answer
