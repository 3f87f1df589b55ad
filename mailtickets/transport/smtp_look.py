"""What a server that takes our mail says of itself, asked without sending anything."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiosmtplib import SMTPException

from mailtickets.transport.network import one_line
from mailtickets.transport.smtp import SmtpPool
from mailtickets.transport.smtp_transaction import hang_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiosmtplib import SMTP

    from mailtickets.transport.smtp import Deferred

_SIZE = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A server as it showed itself.

    refused      why there was no session; None where we were let in.
    certificate  as `ssl.SSLSocket.getpeercert` gives it; {} without TLS, or where none was shown.
    size         the largest mail it takes, in bytes; 0 = it names no limit (RFC 1870).
    senders      what it said to MAIL FROM for each sender that was asked about: (code, words); code 0 = no answer.
    """

    refused: Deferred | None
    certificate: dict[str, Any]
    size: int = 0
    smtputf8: bool = False
    dsn: bool = False
    senders: dict[str, tuple[int, str]] = field(default_factory=dict)


class SmtpLook(SmtpPool):
    """A pool of one connection that never sends a mail."""

    _certificate: dict[str, Any] | None = None

    async def look(self, senders: Sequence[str]) -> SmtpServer:
        """Connect, log in, and ask whether it would take mail with these envelope senders ("" = the null sender).

        Each is MAIL FROM followed by RSET, which ends the transaction before it has a recipient (RFC 5321
        section 4.1.1.5). Raises nothing for SMTP trouble.
        """
        refused = await self.check()
        session = None if refused else self._reusable()
        if session is None:
            return SmtpServer(refused, self._certificate or {})
        client = session.client
        limit = _SIZE.fullmatch(client.esmtp_extensions.get("size", "").strip())
        answers = {sender: await self._would_take(client, sender) for sender in senders}
        self._give_back(session)
        return SmtpServer(
            None,
            self._certificate or {},
            size=int(limit[0]) if limit else 0,
            smtputf8=client.supports_extension("smtputf8"),
            dsn=client.supports_extension("dsn"),
            senders=answers,
        )

    async def _would_take(self, client: SMTP, sender: str) -> tuple[int, str]:
        try:
            answer = await client.execute_command(
                b"MAIL", f"FROM:<{sender}>".encode(), timeout=self._timeouts.command
            )
            await client.execute_command(b"RSET", timeout=self._timeouts.command)
        except (SMTPException, OSError, ValueError) as error:
            hang_up(client)
            return 0, one_line(str(error)) or type(error).__name__
        return answer.code, one_line(answer.message)

    async def _greet(self, client: SMTP) -> None:
        # Called after the handshake and before the login: a certificate is seen also where the password is wrong.
        self._certificate = client.get_transport_info("peercert") or self._certificate
        await super()._greet(client)
