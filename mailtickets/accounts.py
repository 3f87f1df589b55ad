"""From the configuration to the doors: which account each mailbox and each queue uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.delivery import Ladder
from mailtickets.transport.imap import ImapMailbox
from mailtickets.transport.imap_account import ImapAccount
from mailtickets.transport.maildir import MaildirMailbox
from mailtickets.transport.network import Security
from mailtickets.transport.oauth import TokenCommand
from mailtickets.transport.smtp import SmtpAccount

if TYPE_CHECKING:
    from mailtickets.config import Config


def mailbox_of(
    config: Config, name: str, folder: str = "", *, readonly: bool = False
) -> ImapMailbox | MaildirMailbox:
    """Return the door to a mailbox, not yet connected; `folder` in place of the configured one."""
    mailbox = config.mailboxes[name]
    if mailbox.maildir is not None:
        return MaildirMailbox(
            name, mailbox.maildir, max_size=config.limits.mail_size or 2**62, readonly=readonly
        )
    token = TokenCommand(mailbox.token.command) if mailbox.token and mailbox.auth == "oauth2" else None
    return ImapMailbox(
        ImapAccount(
            name, mailbox.host, mailbox.username, mailbox.port, Security(mailbox.security),
            password=mailbox.password.resolve if mailbox.password and token is None else None, token=token.token if token else None,
            password_from=mailbox.password.source if mailbox.password else "",
            ca_file=mailbox.ca_file, folder=folder or mailbox.folder, idle=mailbox.idle, readonly=readonly,
        )
    )  # fmt: skip


def smtp_of(config: Config, name: str) -> SmtpAccount:
    """Return the account under which a queue sends; "" is [smtp]."""
    account = config.smtp_accounts[name] if name else config.smtp
    token = TokenCommand(account.token.command) if account.token and account.auth == "oauth2" else None
    return SmtpAccount(
        account.host, account.port, Security(account.security), account.username,
        password=account.password.resolve if account.password and token is None else None, token=token.token if token else None,
        password_from=account.password.source if account.password else "",
        ca_file=account.ca_file, envelope=account.envelope, max_size=account.max_size, section=f"smtp_account.{name}" if name else "smtp",
    )  # fmt: skip


def ladder_of(config: Config, name: str) -> Ladder:
    """Return when an account tries again and gives up."""
    account = config.smtp_accounts[name] if name else config.smtp
    return Ladder(tuple(one.timedelta for one in account.retry), account.give_up.timedelta)


def rates_of(config: Config) -> dict[str, int]:
    """Return the accounts whose servers want no more than so many mails a minute."""
    accounts = {"": config.smtp, **config.smtp_accounts}
    return {name: account.mails_per_minute for name, account in accounts.items() if account.mails_per_minute}


def secret_variables(config: Config) -> frozenset[str]:
    """Return the variables of the environment that hold passwords of this configuration."""
    passwords = [one.password for one in (config.smtp, *config.smtp_accounts.values())]
    passwords += [one.password for one in config.mailboxes.values()]
    return frozenset(password.env for password in passwords if password and password.env)


def takes_null_sender(config: Config) -> dict[str, bool]:
    """Return for each account whether acknowledgements may have an empty envelope sender."""
    return {"": config.smtp.envelope == "null"} | {
        name: account.envelope == "null" for name, account in config.smtp_accounts.items()
    }
