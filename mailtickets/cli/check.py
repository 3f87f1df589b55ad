"""`mailtickets check`: says what is wrong with the configuration before the daemon meets it. Changes nothing."""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import click

from mailtickets.cli.words import harmless, say
from mailtickets.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mailtickets.config import Config, Mailbox
    from mailtickets.config import SmtpAccount as SmtpTable
    from mailtickets.secrets_source import Secret
    from mailtickets.transport.imap import ImapMailbox
    from mailtickets.transport.smtp import SmtpAccount

EXIT_CONFIG = 78  # sysexits.h EX_CONFIG


@click.command()
@click.option(
    "--connect",
    is_flag=True,
    help="Also log in at every mail server and open every folder; reads and sends nothing.",
)
def check(*, connect: bool) -> None:
    """Check configuration, passwords, templates and store.

    Reads the file as the daemon would and prints every problem at once, each with its line, the reason and
    the remedy. Passwords are fetched and never shown. Exit code 0 where the desk could start, 78 where not;
    warnings alone do not count.

    \b
    mailtickets check                   what is wrong with the file
    mailtickets check --connect         and do the mail servers let us in
    """  # noqa: D301 - click's mark for lines that stay as they are
    from mailtickets.config import ConfigInvalid, find_config, load

    try:
        config = load(find_config(config_option()))
    except ConfigInvalid as invalid:
        for problem in invalid.problems:
            say(harmless(str(problem)))
        click.echo(_count(len(invalid.problems)))
        raise SystemExit(EXIT_CONFIG) from None
    for warning in (*config.warnings, *_loose_files(config), *_alerts(config)):
        say(harmless(f"warning: {warning}"))
    problems = [*_secrets(config), *_templates(config), *_store(config)]
    for problem in problems:
        say(harmless(str(problem)))
    if connect:
        for failed in _connections(config):
            problems.append(failed)
            say(harmless(str(failed)))
    if problems:
        click.echo(_count(len(problems)))
        raise SystemExit(EXIT_CONFIG)
    click.echo(f"{config.path}: in order")


def config_option() -> str | None:
    """Return what stands behind --config of the whole command line, or None."""
    given = click.get_current_context().find_root().params.get("config")
    return None if given is None else str(given)


def _count(number: int) -> str:
    return "1 problem" if number == 1 else f"{number} problems"


def _all_secrets(config: Config) -> Iterator[tuple[str, Secret]]:
    tables: dict[str, SmtpTable | Mailbox] = {"smtp": config.smtp}
    tables |= {f"smtp_account.{name}": account for name, account in config.smtp_accounts.items()}
    tables |= {f"mailbox.{name}": mailbox for name, mailbox in config.mailboxes.items()}
    for section, table in tables.items():
        for key, secret in (("password", table.password), ("token", table.token)):
            if secret is not None:
                yield f"{section}.{key}", secret


def _secrets(config: Config) -> Iterator[Problem]:
    """Fetch every secret once and forget it."""
    from mailtickets.errors import CredentialUnavailable

    for key, secret in _all_secrets(config):
        try:
            secret.resolve()
        except CredentialUnavailable as missing:
            yield Problem(str(config.path), 0, key, "", missing.reason, missing.remedy)


def _loose_files(config: Config) -> Iterator[Problem]:
    """Warn of password files that others on this machine can read."""
    for key, secret in _all_secrets(config):
        if secret.file is None:
            continue
        try:
            mode = secret.file.stat().st_mode
        except OSError:
            continue  # said by _secrets
        if mode & (stat.S_IRGRP | stat.S_IROTH):
            reason = f"others on this machine can read {secret.file} (mode {stat.S_IMODE(mode):03o})"
            yield Problem(str(config.path), 0, key, "", reason, f"chmod 600 {secret.file}")


def _alerts(config: Config) -> Iterator[Problem]:
    """Warn of commands of desk.alert that cannot be run: nobody would hear of an outage by them."""
    from mailtickets.diagnosis.alerts import command_amiss, commands_of

    for command in commands_of(config):
        if amiss := command_amiss(command):
            yield Problem(str(config.path), 0, "desk.alert", command[0], *amiss)


def _templates(config: Config) -> list[Problem]:
    from mailtickets.templates import Templates

    return Templates(config.templates.folder, zone=config.desk.zone, queues=config.queues).check()


def _store(config: Config) -> Iterator[Problem]:
    """Look at the folder and the file of the store, and quickly through it; nothing is made or changed."""
    from mailtickets.store import Store, StoreUnusable

    def trouble(reason: str, remedy: str) -> Problem:
        return Problem(str(config.path), 0, "desk.store", str(store), reason, remedy)

    store = config.desk.store
    folder = store.parent
    if not folder.is_dir():
        yield trouble(f"there is no folder {folder}", f"mkdir -p {folder}")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield trouble(
            f"the folder {folder} cannot be written to", f"give it to {_user()}, who runs this command"
        )
    elif store.is_dir():
        yield trouble("is a folder", "name a file in it, such as desk.db")
    elif store.exists() and not os.access(store, os.R_OK | os.W_OK):
        yield trouble("cannot be read and written", f"give it to {_user()}, who runs this command")
    elif store.exists() or store.with_name(store.name + "-wal").exists():
        try:
            with closing(Store.read(store)) as there:
                there.check_quickly()
        except StoreUnusable as error:
            yield trouble(error.reason, error.remedy)


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def _connections(config: Config) -> Iterator[Problem]:
    """Log in at every server, one after the other; say what worked, yield what did not."""
    from mailtickets.accounts import mailbox_of, smtp_of
    from mailtickets.transport.imap import ImapMailbox

    for name, table in config.mailboxes.items():
        section = f"mailbox.{name}"
        if table.maildir is not None:
            yield from _maildir(config, section, table.maildir)
            continue
        mailbox = mailbox_of(config, name, readonly=True)
        if isinstance(mailbox, ImapMailbox) and (trouble := imap_trouble(mailbox)):
            yield Problem(str(config.path), 0, section, "", *trouble)
        else:
            click.echo(f"{section}: logged in at {table.host}, folder {table.folder} is there")
    for name in ("", *config.smtp_accounts):
        account = smtp_of(config, name)
        if reason := smtp_trouble(account):
            yield Problem(str(config.path), 0, account.section, "", reason)
        else:
            click.echo(
                f"{account.section}: {_connected(account)}; whether it takes mail from us is seen by `mailtickets doctor`"
            )


def _connected(account: SmtpAccount) -> str:
    return (
        f"logged in at {account.host} as {account.username}"
        if account.username
        else f"connected to {account.host}"
    )


def _maildir(config: Config, section: str, folder: Path) -> Iterator[Problem]:
    missing = [name for name in ("cur", "new", "tmp") if not (folder / name).is_dir()]
    if missing:
        reason = f"no maildir: {', '.join(missing)} is missing in it"
        yield Problem(
            str(config.path),
            0,
            f"{section}.maildir",
            str(folder),
            reason,
            "name the folder that holds cur, new and tmp",
        )
    else:
        click.echo(f"{section}: {folder} is a maildir")


def imap_trouble(mailbox: ImapMailbox) -> tuple[str, str] | None:
    """Log in and open the folder; return reason and remedy where that fails."""
    from mailtickets.errors import MailboxUnavailable

    try:
        mailbox.connect()
    except MailboxUnavailable as failed:
        return failed.reason, failed.remedy
    finally:
        mailbox.close()
    return None


def smtp_trouble(account: SmtpAccount) -> str:
    """Log in and hang up; return what is wrong, or ""."""
    from mailtickets.transport.smtp import SmtpPool

    async def log_in() -> str:
        pool = SmtpPool(account)
        try:
            refused = await pool.check()
        finally:
            await pool.close()
        return refused.reason if refused else ""

    return asyncio.run(log_in())
