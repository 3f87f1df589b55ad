"""`mailtickets init`: asks for what a desk needs, tries both servers, writes a configuration that works."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mailtickets.cli.asking import (
    HOURS,
    SECURITIES,
    Questions,
    Script,
    Talk,
    check_address,
    check_hours,
    check_tag,
    check_text,
    check_zone,
)
from mailtickets.cli.check import config_option, imap_trouble, smtp_trouble
from mailtickets.cli.guesses import (
    guessed_host,
    guessed_name,
    guessed_tag,
    guessed_zone,
    listens,
    provider_servers,
    recent_headers,
)
from mailtickets.config_writing import Answers, Server, existing_files, files_of, write_config
from mailtickets.mail.authentication import authserv_ids, is_likely_own

if TYPE_CHECKING:
    from mailtickets.transport.imap_account import ImapAccount
    from mailtickets.transport.smtp import SmtpAccount


@click.command()
@click.option("--address", help="The support address that customers write to.")
@click.option("--name", help='Name of the desk, as customers see it, such as "Acme Support".')
@click.option("--tag", help="What references start with: SUP makes SUP-1042.")
@click.option("--imap-host", help="IMAP server that the mail is read from.")
@click.option("--imap-port", type=click.IntRange(1, 65535), help="Default: 993, or 143 without tls.")
@click.option("--imap-security", type=click.Choice(SECURITIES), help="Default: tls.")
@click.option("--imap-user", help="Default: the address.")
@click.option(
    "--imap-password",
    envvar="MAILTICKETS_IMAP_PASSWORD",
    help="Better by MAILTICKETS_IMAP_PASSWORD: options can be seen by others.",
)
@click.option(
    "--imap-token-command",
    help="OAuth2 in place of a password: a command that prints an access token; not run by a shell.",
)
@click.option("--smtp-host", help="SMTP server that the mail is sent by.")
@click.option(
    "--smtp-port", type=click.IntRange(1, 65535), help="Default: 465; 587 for starttls, 25 for none."
)
@click.option("--smtp-security", type=click.Choice(SECURITIES), help="Default: tls.")
@click.option("--smtp-user", help='Default: the IMAP user; "" for no login.')
@click.option(
    "--smtp-password",
    envvar="MAILTICKETS_SMTP_PASSWORD",
    help="Better by MAILTICKETS_SMTP_PASSWORD. Default: the IMAP password.",
)
@click.option("--smtp-token-command", help="Default: the IMAP token command.")
@click.option("--ca-file", help="PEM file of the CA of both servers, where the system does not know it.")
@click.option(
    "--agent", "agents", multiple=True, help='"Kim Archer <kim@acme.example>"; once for each agent.'
)
@click.option(
    "--admin", "admins", multiple=True, help="Address that is told of trouble. Default: the first agent."
)
@click.option("--authserv-id", help="Name of your own server in Authentication-Results, if it writes them.")
@click.option("--timezone", help="Of the dates in mails and of the hours. Default: this machine's, else UTC.")
@click.option(
    "--hours",
    type=click.Choice(HOURS),
    help="When reminders and closings go out: office (Monday to Friday 09:00-17:00, the default), or always.",
)
@click.option("--store", help="The file that holds the desk. Default: desk.db beside the configuration.")
@click.option("--no-test", is_flag=True, help="Do not try the servers.")
@click.option("--no-input", is_flag=True, help="Ask nothing; what is missing is an error.")
def init(*, no_test: bool, no_input: bool, **given: Any) -> None:
    """Write a first configuration.

    Asks for the support address, both mail servers and the agents, guesses what it can, logs in at both
    servers, and writes config.toml with the passwords in files beside it, all of mode 0600. Nothing is
    overwritten. With --no-input it takes everything from options, for scripts.

    \b
    mailtickets init                                       asks
    mailtickets --config /etc/mailtickets/config.toml init
    MAILTICKETS_IMAP_PASSWORD=... mailtickets init --no-input --address support@acme.example
        --imap-host mail.acme.example --smtp-host mail.acme.example --agent "Kim Archer <kim@acme.example>"
    """  # noqa: D301 - click's mark for lines that stay as they are
    config = Path(config_option() or "config.toml")
    if taken := existing_files(config):
        raise click.ClickException(
            f"{taken[0]} exists, and init overwrites nothing; move it away, or name another place with --config"
        )
    talk: Talk = Script(given) if no_input else Questions(given)
    answers = _answers(talk, given, config, test=not no_test)
    _write(config, answers)


def _answers(talk: Talk, given: dict[str, Any], config: Path, *, test: bool) -> Answers:
    address = talk.ask("address", "Support address that customers write to", "", check_address)
    domain = address.rpartition("@")[2]
    name = talk.ask("name", "Name of the desk", guessed_name(address), check_text)
    tag = talk.ask("tag", "Tag of the references (SUP makes SUP-1042)", guessed_tag(address), check_tag)
    ca_file = _absolute(given["ca_file"])
    imap = _imap(talk, address, ca_file, test=test)
    smtp = _smtp(talk, domain, imap, test=test)
    authserv_id = given["authserv_id"] or (_authserv_id(talk, address, imap) if test else "")
    agents = talk.agents()
    admins = tuple(given["admins"]) or (
        talk.ask("admin", "Address that is told of trouble", agents[0].email, check_address),
    )
    for admin in admins:
        check_address(admin)
    timezone = talk.ask("timezone", "Time zone", guessed_zone(), check_zone)
    hours = talk.ask(
        "hours",
        "Reminders go out in office hours (Monday to Friday 09:00-17:00), or always",
        HOURS[0],
        check_hours,
    )
    store = given["store"] or (
        "/var/lib/mailtickets/desk.db" if config.absolute().is_relative_to("/etc") else "desk.db"
    )
    return Answers(name, address, tag, store, imap, smtp, agents, admins, authserv_id, timezone, hours)


def _absolute(file: str | None) -> str:
    return str(Path(file).absolute()) if file else ""


# The two servers


def _imap(talk: Talk, address: str, ca_file: str, *, test: bool) -> Server:
    from mailtickets.transport.imap import ImapMailbox

    domain = address.rpartition("@")[2]
    known = provider_servers(domain)
    host = talk.guess("imap_host", lambda: known[0] if known else guessed_host("imap", domain, 993, listens))
    server = Server(host, "tls", 0, address, "", ca_file)
    while True:
        server = talk.server("imap", server)
        if not test:
            return server
        click.echo(f"Trying to read mail at {server.host}:{server.port} ...")
        trouble = imap_trouble(ImapMailbox(_imap_account(server)))
        if trouble is None:
            click.echo("  logged in.")
            return server
        if talk.keeps("; ".join(part for part in trouble if part)):
            return server


def _smtp(talk: Talk, domain: str, imap: Server, *, test: bool) -> Server:
    known = provider_servers(domain)
    host = talk.guess("smtp_host", lambda: known[1] if known else _smtp_guess(domain, imap.host))
    server = replace(imap, host=host, port=0, security=known[2] if known else "tls")
    while True:
        server = talk.server("smtp", server)
        if not test:
            return server
        click.echo(f"Trying to send mail by {server.host}:{server.port} ...")
        reason = smtp_trouble(_smtp_account(server))
        if not reason:
            click.echo("  it lets us in.")
            return server
        if talk.keeps(reason):
            return server


def _smtp_guess(domain: str, imap_host: str) -> str:
    return imap_host if listens(imap_host, 465) else guessed_host("smtp", domain, 465, listens)


def _imap_account(server: Server) -> ImapAccount:
    from mailtickets.transport.imap_account import ImapAccount
    from mailtickets.transport.network import Security
    from mailtickets.transport.oauth import TokenCommand

    return ImapAccount(
        name="support",
        host=server.host,
        port=server.port,
        security=Security(server.security),
        username=server.username,
        password=None if server.token_command else lambda: server.password,
        token=TokenCommand(server.token_command).token if server.token_command else None,
        ca_file=Path(server.ca_file) if server.ca_file else None,
        readonly=True,
    )


def _smtp_account(server: Server) -> SmtpAccount:
    from mailtickets.transport.oauth import TokenCommand
    from mailtickets.transport.smtp import Security, SmtpAccount

    return SmtpAccount(
        host=server.host,
        port=server.port,
        security=Security(server.security),
        username=server.username,
        password=(lambda: server.password) if server.username and not server.token_command else None,
        token=TokenCommand(server.token_command).token if server.username and server.token_command else None,
        ca_file=Path(server.ca_file) if server.ca_file else None,
    )


def _authserv_id(talk: Talk, address: str, imap: Server) -> str:
    """Show what stands in recent mail and let a person decide; nothing is trusted by itself."""
    heads = recent_headers(_imap_account(imap))
    found = authserv_ids(heads)
    if not found:
        click.echo(
            f"No Authentication-Results on top of the {len(heads)} newest mails: senders are proven by reply keys only."
        )
        return ""
    authserv_id, count = found.most_common(1)[0]
    click.echo(f'Of the {len(heads)} newest mails {count} carry Authentication-Results of "{authserv_id}".')
    click.echo(
        "If that is your own mail server, its verdicts can prove who sent a mail. Anybody can write such"
    )
    click.echo("a line with another name, so trust it only if the name is your server's.")
    return (
        authserv_id
        if talk.trusts(
            authserv_id, likely=is_likely_own(authserv_id, (imap.host, address.rpartition("@")[2]))
        )
        else ""
    )


def _write(config: Path, answers: Answers) -> None:
    from mailtickets.config import ConfigInvalid

    try:
        write_config(config, answers)
    except ConfigInvalid as invalid:
        raise click.ClickException("these answers make no valid configuration:\n" + str(invalid)) from None
    except OSError as error:
        raise click.ClickException(
            f"{error.filename or config} cannot be written: {error.strerror}"
        ) from None
    click.echo(
        f"Written, readable by you alone: {', '.join(str(path) for path in files_of(config) if path.exists())}"
    )
    option = "" if config == Path("config.toml") else f" --config {config}"
    click.echo(f"Next: mailtickets{option} check, then mailtickets{option} run")
