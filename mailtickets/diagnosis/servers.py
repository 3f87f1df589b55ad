"""Mailboxes and SMTP accounts: do they let us in, do they offer what the desk uses, until when is their certificate good."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mailtickets.accounts import mailbox_of, smtp_of
from mailtickets.diagnosis.finding import Finding, ok, warning, wrong
from mailtickets.durations import size_text
from mailtickets.errors import MailboxUnavailable
from mailtickets.transport.imap import ImapMailbox
from mailtickets.transport.imap_look import ImapLook
from mailtickets.transport.smtp_look import SmtpLook, SmtpServer
from mailtickets.transport.smtp_transaction import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mailtickets.config import Config, Mailbox
    from mailtickets.config import SmtpAccount as SmtpTable
    from mailtickets.transport.imap_account import ImapAccount
    from mailtickets.transport.smtp import SmtpAccount

RENEW_SOON, RENEW_NOW = timedelta(days=21), timedelta(days=3)
AHEAD = timedelta(minutes=5)  # clocks of servers differ by seconds
FOLDERS_SHOWN = 12
TIMEOUTS = Timeouts(connect=6.0, command=8.0)
UNIT = "mailtickets.service"  # whose credentials a person can lend to this command


# Mailboxes


def imap_findings(config: Config, name: str, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """Look at one IMAP mailbox by EXAMINE."""
    area, table = f"mailbox.{name}", config.mailboxes[name]
    door = mailbox_of(config, name, readonly=True)
    assert isinstance(door, ImapMailbox)  # noqa: S101  (for the type checker)
    look = ImapLook(door.account)
    place = f"{table.host}:{table.port}"
    try:
        look.connect()
        mails = "1 mail" if look.mails == 1 else f"{look.mails} mails"
        yield ok(
            area, "login", f"logged in at {place} as {table.username}; folder {table.folder} holds {mails}"
        )
        yield from _offers(area, table, look)
        if table.sent_folder:
            yield _sent_folder(area, table.sent_folder, look)
        yield from arrival_finding(area, table.host, look.newest_arrival(), clock())
    except MailboxUnavailable as failed:
        yield _lent(config, area, table) or wrong(
            area, "login", failed.reason, failed.remedy or _try_by_hand(door.account)
        )
    finally:
        look.close()
    yield from certificate_finding(area, look.certificate, clock())


def _offers(area: str, table: Mailbox, look: ImapLook) -> Iterator[Finding]:
    if not table.idle:
        yield ok(area, "idle", f"IDLE is off; new mail is seen every {table.poll}")
    elif look.offers("IDLE"):
        yield ok(area, "idle", "IDLE is offered: new mail is seen at once")
    else:
        yield ok(area, "idle", f"the server has no IDLE; new mail is seen every {table.poll}")
    if not table.after.startswith("move:"):
        return
    folder = table.after.removeprefix("move:")
    if look.offers("MOVE") or look.offers("UIDPLUS"):
        how = "MOVE" if look.offers("MOVE") else "COPY and UID EXPUNGE"
        yield ok(area, "move", f"decided mail is moved by {how}")
    else:
        yield warning(
            area,
            "move",
            f"the server has neither MOVE nor UIDPLUS: mail is copied to {folder}, and stays in {table.folder}, too",
            f'set after = "seen" in [{area}]',
        )
    there = look.has(folder)
    yield ok(
        area,
        "target",
        f"folder {folder} is there"
        if there
        else f"folder {folder} is not there yet; the desk makes it with the first mail",
    )


def _sent_folder(area: str, folder: str, look: ImapLook) -> Finding:
    if look.has(folder):
        return ok(area, "sent_folder", f"folder {folder} is there")
    there = look.folders()
    shown = ", ".join(there[:FOLDERS_SHOWN]) + (", ..." if len(there) > FOLDERS_SHOWN else "")
    return wrong(
        area, "sent_folder", f"there is no folder {folder}", f"set sent_folder in [{area}] to one of: {shown}"
    )


def arrival_finding(area: str, host: str, newest: datetime | None, now: datetime) -> Iterator[Finding]:
    """Judge the server's clock by the newest mail: one from the future is the only thing that can be known."""
    if newest is None:
        return
    ahead = newest - now
    if ahead > AHEAD:
        yield warning(
            area,
            "clock",
            f"the newest mail reached {host} {_span(ahead)} from now: the clocks differ",
            "compare `date -u` here and there; service levels count from the server's time",
        )
    else:
        yield ok(area, "clock", f"the newest mail arrived {newest:%Y-%m-%d %H:%M} UTC")


# SMTP accounts


def smtp_findings(config: Config, name: str, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """Look at one SMTP account; "" is [smtp]. Nothing is sent."""
    account, queues = smtp_of(config, name), [q for q in config.queues.values() if q.smtp == name]
    senders = [""] if account.envelope == "null" else []
    senders += [queue.address for queue in queues if queue.address.isascii()]
    server = asyncio.run(_looked_at(account, senders))
    table = config.smtp_accounts[name] if name else config.smtp
    yield from judge_smtp(account, server, _lent(config, account.section, table))
    yield from certificate_finding(account.section, server.certificate, clock())


async def _looked_at(account: SmtpAccount, senders: list[str]) -> SmtpServer:
    look = SmtpLook(account, timeouts=TIMEOUTS)
    try:
        return await look.look(senders)
    finally:
        await look.close(0)


def judge_smtp(account: SmtpAccount, server: SmtpServer, lent: Finding | None = None) -> Iterator[Finding]:
    """Judge what a server said of itself.

    lent  to be said in place of a failed login.
    """
    area = account.section
    if server.refused is not None:
        remedy = server.refused.remedy
        reason = server.refused.reason.removesuffix(f"; {remedy}")
        yield lent or wrong(area, "login", reason, remedy or _try_by_hand(account))
        return
    who = f" as {account.username}" if account.username else ", without a login"
    yield ok(area, "login", f"let in at {account.host}:{account.port}{who}")
    own = size_text(account.max_size)
    if 0 < server.size < account.max_size:
        limit = f"{server.size // 1_000_000}MB" if server.size >= 1_000_000 else f"{server.size // 1000}KB"
        yield warning(
            area,
            "size",
            f"takes mails up to {limit}, max_size is {own}: mails in between come back unsent",
            f'set max_size = "{limit}" in [{area}], and mail_size in [limits] to the same',
        )
    else:
        yield ok(area, "size", f"takes mails up to {_size(server.size)}; max_size is {own}")
    yield from _senders(account, server.senders)
    lacks = [] if server.smtputf8 else ["no SMTPUTF8 (addresses beyond ASCII cannot be written to)"]
    lacks += [] if server.dsn else ["no DSN (bounces of acknowledgements cannot be switched off)"]
    yield ok(area, "offers", "; ".join(lacks) or "SMTPUTF8 and DSN are offered")


def _senders(account: SmtpAccount, answers: Mapping[str, tuple[int, str]]) -> Iterator[Finding]:
    area = account.section
    for sender, (code, words) in answers.items():
        point = f"sender.{sender}" if sender else "null_sender"
        said = f"{code} {words}" if code else words
        who = f"mail from {sender}" if sender else "the null sender <>"
        if code // 100 == 2:
            yield ok(area, point, f"{who} is taken")
        elif code // 100 == 4 or not code:
            yield warning(area, point, f"{who} is not taken now: {said}", "run doctor again in a few minutes")
        elif sender:
            yield wrong(
                area,
                point,
                f"{who} is refused: {said}",
                f"let {account.username or 'this machine'} send as {sender} on the server",
            )
        else:
            yield wrong(
                area,
                point,
                f"{who} is refused, so no acknowledgement goes out: {said}",
                f'set envelope = "bounce" in [{area}]',
            )


# Both


def certificate_finding(area: str, certificate: Mapping[str, Any], now: datetime) -> Iterator[Finding]:
    """Judge until when a certificate is good that was accepted; nothing where there was none."""
    if not certificate.get("notAfter"):
        return
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    left = end - now
    what = f"the certificate is good until {end:%Y-%m-%d %H:%M} UTC ({_span(left)})"
    remedy = (
        f"renew it on the server, and look why that did not happen by itself; it is for {_names(certificate)}"
    )
    if left < RENEW_NOW:
        yield wrong(area, "certificate", what, remedy)
    elif left < RENEW_SOON:
        yield warning(area, "certificate", what, remedy)
    else:
        yield ok(area, "certificate", what)


def _names(certificate: Mapping[str, Any]) -> str:
    names = [str(value) for _, value in certificate.get("subjectAltName", ())]
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _lent(config: Config, area: str, table: Mailbox | SmtpTable) -> Finding | None:
    """Return what to say where a password is only there for the daemon: a credential of its systemd unit."""
    secret = table.token if table.auth == "oauth2" else table.password
    if secret is None or not secret.credential:
        return None
    try:
        secret.resolve()
    except Exception:  # noqa: BLE001 - that it cannot be had is all that counts
        return warning(
            area,
            "login",
            f"not tried: the password is a credential ({secret.credential}) of the daemon's systemd unit",
            f"run as root, while it runs: CREDENTIALS_DIRECTORY=/run/credentials/{UNIT} mailtickets --config {config.path} doctor",
        )
    return None


def _try_by_hand(account: ImapAccount | SmtpAccount) -> str:
    """Return how to look at a server that says nothing about its trouble."""
    protocol = "imap" if isinstance(getattr(account, "folder", None), str) else "smtp"
    if account.security == "none":
        return f"look whether the server runs, and in its log; by hand: nc {account.host} {account.port}"
    starttls = f" -starttls {protocol}" if account.security == "starttls" else ""
    return (
        "look whether the server runs, and in its log; by hand: "
        f"openssl s_client{starttls} -connect {account.host}:{account.port}"
    )


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes else "any size (it names no limit)"


def _span(time: timedelta) -> str:
    if time >= timedelta(days=2):
        return f"{time.days} days"
    hours, minutes = time // timedelta(hours=1), time // timedelta(minutes=1)
    return f"{hours} hours" if hours >= 2 else f"{minutes} minutes"
