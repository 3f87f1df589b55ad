"""One mail over one connected client, phase by phase (RFC 5321 section 3.3), and what became of it.

aiosmtplib's own sendmail() hides the phase in which it failed, and with it whether the mail may have
been taken. A mail is Uncertain only between the end of its text, the line with a dot, and the answer to that.
A connection that ends before it ends the transaction, too (RFC 5321 section 4.1.1.10: the server must cancel it).
"""

from __future__ import annotations

import asyncio
import fcntl
import re
import sys
import termios
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from aiosmtplib import SMTPException, SMTPResponseException, SMTPServerDisconnected

from mailtickets.crashpoints import reach
from mailtickets.errors import Retry
from mailtickets.transport.fate import Deferred, Fate, Phase, Refusal, Rejected, Sent, Uncertain
from mailtickets.transport.network import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from aiosmtplib import SMTP, SMTPResponse

MAX_ADDRESS_LETTERS = 320  # RFC 5321 section 4.5.3.1: 64 before and 255 behind the @

_WRITE_AT_ONCE = 256 << 10
# The end of a text is held back until all before it has left the process. A text of this size is all end: the
# kernel takes it whole behind an answered command, so that nothing would be known by cutting it in two.
_END_BYTES = 8 << 10
_DRAIN_LOOK_SECONDS = 0.01
_TEXT, _END = "the text", "the end of the text"

_MANY_DOTS = 200
_LINE_END = re.compile(rb"\r\n|\r|\n")
# What may stand between < and > of a command: nothing that could end the address and add a parameter.
_ADDRESS = re.compile(
    r'(?:[^\s<>"\x00-\x1f\x7f]+|"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*")@[^\s<>"@\x00-\x1f\x7f]+'
)
_SIZE = re.compile(r"[0-9]{1,15}")
# With these the server wants a login, so they say nothing about the mail (RFC 4954 section 6).
_LOGIN_WANTED = {530, 534, 535, 538}
# Servers that look at the sender only when they see a recipient, as Postfix does by default (RFC 3463: X.1.7, X.1.8).
_SENDER_REFUSED = re.compile(r"\b[45]\.1\.[78]\b|sender (?:address )?(?:rejected|refused)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for answers.

    command  each command up to the last recipient.
    data     the answer to DATA (RFC 5321 section 4.5.3.2.4: 2 minutes).
    block    while sending the text: without the server taking a single byte (section 4.5.3.2.5: 3 minutes).
    final    the answer to the end of the text (section 4.5.3.2.6: 10 minutes; less makes duplicates).
    """

    connect: float = 30.0
    command: float = 60.0
    data: float = 120.0
    block: float = 180.0
    final: float = 600.0


@dataclass(frozen=True, slots=True)
class Envelope:
    """One mail as it is handed over; the arguments of `SmtpPool.send`."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    never_notify: bool = False


class Done(NamedTuple):
    """What became of the mail; `stale`: the connection was dead or dying before anything was said."""

    fate: Fate
    stale: bool = False


class _Progress:
    """The progress of one transaction; kept outside of it, so that it is known when it is cut off."""

    def __init__(self, moved: Callable[[], None]) -> None:
        self.moved = moved
        self.refused: dict[str, Refusal] = {}
        self.come_to("MAIL", Phase.MAIL)

    def come_to(self, at: str, phase: Phase) -> None:
        """Note what is said next: the server has answered to what was before."""
        self.at, self.phase = at, phase
        self.moved()

    @property
    def end_sent(self) -> bool:
        """Whether the end of the text may have left the process: from then on the server may have the mail."""
        return self.at == _END


async def transmit(client: SMTP, mail: Envelope, timeouts: Timeouts, moved: Callable[[], None]) -> Done:
    """Hand over one mail; raises nothing for SMTP trouble, and for cancelling only between two mails.

    moved   is called at each answer of the server, and while it takes the text.

    The client is closed where it cannot be used again. Cancelled amid a mail, it is closed and the fate says so.
    """
    progress = _Progress(moved)
    try:
        return await _transact(client, mail, timeouts, progress)
    except asyncio.CancelledError:
        # Only `SmtpPool.close` cancels, and it wants the fate: the mail is booked, not forgotten.
        hang_up(client)
        return Done(_cut(progress, "mailtickets stopped before the server answered"))
    except (SMTPException, OSError, ValueError) as error:  # a TimeoutError is an OSError
        hang_up(client)
        unheard = isinstance(error, SMTPServerDisconnected) and progress.at == "MAIL"
        return Done(_cut(progress, _why(error, progress)), stale=unheard)


async def _transact(client: SMTP, mail: Envelope, timeouts: Timeouts, progress: _Progress) -> Done:
    sender, raw = mail.sender, mail.raw
    utf8 = client.supports_extension("smtputf8")
    good = []
    for recipient in dict.fromkeys(mail.recipients):
        if why := _unusable(recipient, utf8=utf8):
            progress.refused[recipient] = Refusal(553, why, permanent=True)
        else:
            good.append(recipient)
    if not good:
        return Done(_nobody(progress.refused, sender))
    if sender and (why := _unusable(sender, utf8=utf8)):
        return Done(Rejected(553, f"the sender {one_line(sender)}: {why}", progress.refused, Phase.MAIL))
    limit = _SIZE.fullmatch(client.esmtp_extensions.get("size", "").strip())
    if limit and 0 < int(limit[0]) < len(raw):
        reason = f"the mail has {len(raw)} bytes; the server takes at most {limit[0]}"
        return Done(Rejected(552, reason, progress.refused, Phase.SIZE))

    options = _mail_options(client, raw, [sender, *good])
    answer = await client.execute_command(
        b"MAIL", b"FROM:" + _path(sender), *options, timeout=timeouts.command
    )
    if answer.code // 100 != 2:
        return await _refused_at_mail(client, answer, progress)

    notify = [b"NOTIFY=NEVER"] if mail.never_notify and client.supports_extension("dsn") else []
    accepted = False
    for recipient in good:
        progress.come_to(f"RCPT {recipient}", Phase.RCPT)
        answer = await client.execute_command(
            b"RCPT", b"TO:" + _path(recipient), *notify, timeout=timeouts.command
        )
        if answer.code == 421:
            return Done(Deferred(_said(answer), 421, progress.refused, phase=Phase.RCPT))
        if answer.code in _LOGIN_WANTED:
            return await _refused_at_mail(client, answer, progress)
        if answer.code // 100 == 2:
            accepted = True
        else:
            _must_be_refusal(answer)
            progress.refused[recipient] = Refusal(answer.code, _said(answer), permanent=answer.code >= 500)
    if not accepted:
        await _reset(client, timeouts)
        return Done(_nobody(progress.refused, sender))

    progress.come_to("DATA", Phase.DATA)
    answer = await client.execute_command(b"DATA", timeout=timeouts.data)
    if answer.code != 354:
        _must_be_refusal(answer)
        await _reset(client, timeouts)
        return Done(_answered(answer, progress))

    progress.come_to(_TEXT, Phase.DATA)
    answer = await _text(client, _payload(raw), timeouts, progress)
    if answer.code // 100 == 2 and progress.end_sent:
        return Done(Sent(progress.refused, one_line(answer.message)))
    _must_be_refusal(answer)
    return Done(_answered(answer, progress))


def hang_up(client: SMTP) -> None:
    """Close at once; what was not sent yet is dropped, or a peer that reads nothing would keep the socket."""
    if client.transport is not None:
        client.transport.abort()  # type: ignore[attr-defined]  # typed as BaseTransport, always a Transport
    client.close()


async def _refused_at_mail(client: SMTP, answer: SMTPResponse, progress: _Progress) -> Done:
    if answer.code == 421:
        return Done(
            Deferred(_said(answer), 421, progress.refused, phase=progress.phase), stale=progress.at == "MAIL"
        )
    _must_be_refusal(answer)
    if answer.code in _LOGIN_WANTED:
        hang_up(client)
        fate = Deferred(
            _said(answer),
            answer.code,
            progress.refused,
            account_trouble=True,
            retry=Retry.SOON,
            phase=progress.phase,
        )
        return Done(fate)
    if answer.code == 552:  # RFC 1870 section 6.1
        return Done(Rejected(552, _said(answer), progress.refused, Phase.SIZE))
    return Done(_answered(answer, progress))


async def _text(client: SMTP, payload: bytes, timeouts: Timeouts, progress: _Progress) -> SMTPResponse:
    """Send the text and return the answer to its end, or the one that came before; the wait starts when all has been sent."""
    protocol, transport = client.protocol, client.transport
    if protocol is None or not isinstance(transport, asyncio.WriteTransport):
        raise SMTPServerDisconnected("Connection lost")
    if len(payload) <= _END_BYTES:
        progress.at = _END
        protocol.write(payload)
        reach("dot-sent")
        return await protocol.read_response(timeout=timeouts.final)
    # The server may answer, or hang up, before it has everything: so listen while writing.
    answer = asyncio.ensure_future(protocol.read_response(timeout=None))
    try:
        await asyncio.sleep(0)  # lets it start listening
        end = len(payload) - _END_BYTES
        for start in range(0, end, _WRITE_AT_ONCE):
            upto = min(start + _WRITE_AT_ONCE, end)
            protocol.write(payload[start:upto])
            # What the transport still holds may leave at any time: the end must not lie behind it there.
            most = _WRITE_AT_ONCE // 2 if upto < end else 0
            await _drained(transport, answer, timeouts.block, progress.moved, most)
            if start and upto == end:
                await _drained(transport, answer, timeouts.block, progress.moved, most, arrived=True)
            if answer.done():
                hang_up(client)  # it still waits for the rest of the text, or has gone
                return await answer
        if transport.is_closing():
            raise SMTPServerDisconnected("Connection lost")
        progress.at = _END
        protocol.write(payload[end:])
        reach("dot-sent")
        return await asyncio.wait_for(answer, timeouts.final)
    finally:
        answer.cancel()
        with suppress(asyncio.CancelledError, SMTPException, OSError):
            await answer


async def _drained(
    transport: asyncio.WriteTransport,
    answer: asyncio.Future[SMTPResponse],
    seconds: float,
    moved: Callable[[], None],
    most: int,
    *,
    arrived: bool = False,
) -> None:
    """Return when no more than so many bytes are left to be sent or an answer came; raise TimeoutError when nothing moves.

    arrived   what has left the process counts, too, until the other machine has it: the kernel takes megabytes of a
              text that it may never bring there. For large texts only, as it waits for a packet to come back.
    """
    clock = asyncio.get_running_loop().time
    left_of = _not_arrived if arrived else _not_left
    waiting, since, pause = left_of(transport), clock(), 0.0
    while waiting > most and not answer.done():
        await asyncio.sleep(pause)
        pause = min(pause + _DRAIN_LOOK_SECONDS / 10, _DRAIN_LOOK_SECONDS)
        left = left_of(transport)
        if left < waiting:
            since = clock()
            moved()
        elif clock() - since > seconds:
            raise TimeoutError
        waiting = left


def _not_left(transport: asyncio.WriteTransport) -> int:
    """Return how many bytes have not left the process. Over TLS the layer below holds up to 64 KB more."""
    return transport.get_write_buffer_size()


def _not_arrived(transport: asyncio.WriteTransport) -> int:
    """Return how many bytes the other machine has not acknowledged, as far as the kernel tells (tcp(7), SIOCOUTQ)."""
    unsent = _not_left(transport)
    there = transport.get_extra_info("socket")
    try:
        told = fcntl.ioctl(there.fileno(), termios.TIOCOUTQ, bytes(4))
    except (AttributeError, OSError, ValueError):
        return unsent
    return unsent + int.from_bytes(told, sys.byteorder)


async def _reset(client: SMTP, timeouts: Timeouts) -> None:
    """Forget the transaction, so that the connection can be used again; close it where that fails."""
    if not client.is_connected:
        return
    try:
        answer = await client.execute_command(b"RSET", timeout=timeouts.command)
    except (SMTPException, OSError):
        hang_up(client)
        return
    if answer.code // 100 != 2:
        hang_up(client)


def _payload(raw: bytes) -> bytes:
    """Return the text as it travels: CRLF only (RFC 5321 section 2.3.8), dots doubled, a dot at the end."""
    if not raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n"):
        raw = _LINE_END.sub(
            b"\r\n", raw
        )  # bare ones would let a text end early on some servers (SMTP smuggling)
    end = b".\r\n" if raw.endswith(b"\r\n") else b"\r\n.\r\n"
    # A single byte is looked for ten times as quickly as three; base64 has no dot at all.
    if raw.count(b".") > _MANY_DOTS or any(raw[at - 2 : at] == b"\r\n" for at in _places(raw, b".")):
        raw = raw.replace(b"\r\n.", b"\r\n..")
    return b"".join((b"." if raw.startswith(b".") else b"", raw, end))


def _places(raw: bytes, byte: bytes) -> Iterator[int]:
    """Find a byte, wherever it stands but at the beginning."""
    at = raw.find(byte, 1)
    while at != -1:
        yield at
        at = raw.find(byte, at + 1)


def _mail_options(client: SMTP, raw: bytes, paths: Iterable[str]) -> list[bytes]:
    options = []
    if client.supports_extension("size"):
        options.append(b"SIZE=%d" % len(raw))
    if client.supports_extension("8bitmime") and not raw.isascii():
        options.append(b"BODY=8BITMIME")
    if not all(path.isascii() for path in paths):
        options.append(b"SMTPUTF8")
    return options


def _path(address: str) -> bytes:
    return b"<" + address.encode() + b">"


def _unusable(address: str, *, utf8: bool) -> str:
    """Return why an address cannot stand in a command, or an empty string."""
    if len(address) > MAX_ADDRESS_LETTERS or not _ADDRESS.fullmatch(address):
        return "this is not an address that mail can be sent to"
    if address.isascii():
        return ""
    try:
        address.encode()
    except UnicodeEncodeError:
        return "this is not an address that mail can be sent to"
    # RFC 6531 section 3.2: not without SMTPUTF8, and no made-up ASCII form.
    return (
        ""
        if utf8
        else "the mail server cannot send to addresses with letters beyond ASCII (it lacks SMTPUTF8)"
    )


def _nobody(refused: dict[str, Refusal], sender: str) -> Fate:
    """Return the fate of a mail that no recipient may have: one passing refusal makes it worth another try."""
    if not refused:
        return Rejected(554, "the mail has no recipients", {}, Phase.RCPT)
    passing = [refusal for refusal in refused.values() if not refusal.permanent]
    first = passing[0] if passing else next(iter(refused.values()))
    if passing:
        return Deferred(first.reason, first.code, refused, phase=Phase.RCPT)
    about_sender = not sender and all(_SENDER_REFUSED.search(refusal.reason) for refusal in refused.values())
    return Rejected(first.code, first.reason, refused, Phase.MAIL if about_sender else Phase.RCPT)


def _answered(answer: SMTPResponse, progress: _Progress) -> Fate:
    if answer.code >= 500:
        return Rejected(answer.code, _said(answer), progress.refused, progress.phase)
    return Deferred(_said(answer), answer.code, progress.refused, phase=progress.phase)


def _must_be_refusal(answer: SMTPResponse) -> None:
    if not 400 <= answer.code < 600:
        raise SMTPResponseException(answer.code, answer.message)


def _said(answer: SMTPResponse) -> str:
    return one_line(f"{answer.code} {answer.message}")


def _cut(progress: _Progress, why: str) -> Fate:
    if progress.end_sent:
        return Uncertain(why)
    return Deferred(why, None, progress.refused, phase=progress.phase)


def _why(error: Exception, progress: _Progress) -> str:
    if progress.at == _TEXT and isinstance(error, TimeoutError):
        return "the server stopped taking the text"
    if progress.at == _TEXT and isinstance(error, ConnectionError):
        return "the server closed the connection amid the text"
    if isinstance(error, TimeoutError):
        return f"the server did not answer to {progress.at} in time"
    if isinstance(error, SMTPResponseException):
        return f"the server's answer to {progress.at} makes no sense: {one_line(error.message) or error.code}"
    if isinstance(error, ConnectionError):
        return f"the server closed the connection instead of answering to {progress.at}"
    return f"failed at {progress.at}: {one_line(str(error)) or type(error).__name__}"
