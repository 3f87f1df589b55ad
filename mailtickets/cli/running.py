"""`mailtickets run` and `mailtickets receive`."""

from __future__ import annotations

import io
import os
import pwd
import resource
import sys
from typing import TYPE_CHECKING

import click

from mailtickets.cli.words import EXIT_FAILED, EXIT_REFUSED, EXIT_TRY_LATER, explained, harmless, loaded

if TYPE_CHECKING:
    from datetime import timedelta

    from mailtickets.config import Config

PIECE_BYTES = 1 << 20


@click.command()
@click.option(
    "--once", is_flag=True, help="One round: take mail in, do what is due, send, end. For cron and tests."
)
@click.option(
    "--audit-every",
    default="24h",
    show_default=True,
    metavar="DURATION",
    help="How often mailboxes are compared with the books; first after 5 minutes.",
)
def run(*, once: bool, audit_every: str) -> None:
    """Run the desk until it is told to stop.

    SIGTERM finishes the mail in hand and ends; SIGHUP reads the configuration again and keeps the old one
    where the new one is wrong. Log lines go to standard error. A second daemon on the same store ends at once.

    \b
    mailtickets run                     under systemd, or in a terminal
    mailtickets run --once              from cron: exit code 1 where a mailbox could not be read
    """  # noqa: D301  (click's mark for lines that stay as they are)
    from mailtickets import maillog

    _no_dumps()
    config = loaded()
    maillog.set_up(form=config.log.format, level=config.log.level)
    for warning in config.warnings:
        maillog.note("configuration", warning=str(warning))
    _warn_root(config)
    interval = _interval(audit_every)
    try:
        sys.exit(_work(config, interval, once=once))
    except Exception as error:
        if explained(error) is None:  # its words may be a customer's or a secret, and this goes to a log
            maillog.broken("a fault ends the desk", None, error)
            sys.exit(EXIT_FAILED)
        raise


def _work(config: Config, interval: timedelta, *, once: bool) -> int:
    import asyncio

    if once:
        from mailtickets.once import one_round

        return EXIT_FAILED if asyncio.run(one_round(config)) else 0
    from mailtickets.daemon import Daemon

    return asyncio.run(Daemon(config, audit_every=interval).run())


def _no_dumps() -> None:
    """Leave no picture of the memory where this process is killed: it would hold people's mail, keys and passwords."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _warn_root(config: Config) -> None:
    """Say where root runs a desk of another user, who may then not be able to go on with it."""
    from mailtickets import maillog

    store = config.desk.store
    if os.geteuid() == 0 and store.exists() and (owner := store.stat().st_uid):
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"#{owner}"
        maillog.doubtful(
            "the desk is run by root", f"its store {store} belongs to {name}",
            f"stop it and start it as {name}: `systemctl start mailtickets`, or `runuser -u {name} -- mailtickets run`",
        )  # fmt: skip


def _interval(text: str) -> timedelta:
    from mailtickets.durations import Duration

    try:
        return Duration.parse(text).timedelta
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--audit-every") from error


@click.command()
@click.option(
    "--mailbox",
    default="",
    metavar="NAME",
    help="The mailbox in the configuration it counts as; the first one without this.",
)
def receive(*, mailbox: str) -> None:
    """Take one mail from standard input into the desk.

    For a mail server's pipe: exit code 0 means that the mail is safe on disk, 75 that the server should
    keep it and try again, 65 that it should return it to its sender. The running daemon decides it within a
    second; without a daemon this command does the round itself.

    A mail above `limits.mail_size` is kept whole, and only its beginning is read. One above 100 MB and above
    that limit is refused with 65: let the mail server refuse it before (Postfix: message_size_limit).

    \b
    support: "|/usr/bin/mailtickets --config /etc/mailtickets/config.toml receive"
    """  # noqa: D301
    from mailtickets.once import largest_received, receive_one

    _no_dumps()
    # Whatever goes wrong from here on is 75: the server keeps the mail. Any other code bounces it.
    try:
        config = loaded()
    except Exception as error:  # noqa: BLE001 - whatever it is, the mail server keeps the mail and tries again
        text, _ = explained(error) or (f"{type(error).__name__}: {error}", 0)
        click.echo(f"the mail was not taken in; try again later: {harmless(text)}", err=True)
        sys.exit(EXIT_TRY_LATER)
    if mailbox and mailbox not in config.mailboxes:
        click.echo(f"there is no [mailbox.{mailbox}]; correct --mailbox; the mail was not taken in", err=True)
        sys.exit(EXIT_TRY_LATER)
    try:
        raw = _piped(largest_received(config))
        if not raw or raw.isspace():
            click.echo("there was no mail on standard input", err=True)
            sys.exit(EXIT_FAILED)
        receive_one(config, raw, mailbox or next(iter(config.mailboxes), "receive"))
    except Exception as error:  # noqa: BLE001 - whatever it is, the mail server keeps the mail and tries again
        click.echo(f"the mail could not be stored: {harmless(str(error))}; try again later", err=True)
        sys.exit(EXIT_TRY_LATER)


def _piped(most: int) -> bytes:
    """Return the mail on standard input; have one of more bytes returned to its sender: it would be too large each time."""
    mail, size = io.BytesIO(), 0
    # Read to its end also where it is too large, so that no pipe breaks.
    while piece := sys.stdin.buffer.read(PIECE_BYTES):
        size += len(piece)
        if size <= most:
            mail.write(piece)
    if size <= most:
        return mail.getvalue()
    # RFC 3463 section 3.4: X.3.4, too big for the system. Postfix tells it to the sender, with the words behind it.
    click.echo(f"5.3.4 the mail has {size / 1e6:.1f} MB; the desk takes up to {most / 1e6:g} MB", err=True)
    sys.exit(EXIT_REFUSED)
