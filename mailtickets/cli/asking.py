"""How `init` comes to its answers: from a person, or from options alone. Writes nothing."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from mailtickets.cli.guesses import person

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailtickets.config_writing import Person, Server

SECURITIES = ("tls", "starttls", "none")
HOURS = ("office", "always")
NO_LOGIN = "-"  # the answer that stands for an empty user name, as Enter takes the default
BY_TOKEN = "oauth2"  # noqa: S105 - the answer that asks for a token command in place of a password
REQUIRED = {
    "address": "--address",
    "imap_host": "--imap-host",
    "imap_password": "--imap-password",
    "smtp_host": "--smtp-host",
    "smtp_password": "--smtp-password",
    "agents": "--agent",
}


class Talk:
    """Where answers come from; `given` are the options of the command line, which are never asked for."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given

    def ask(self, key: str, question: str, default: str, check: Callable[[str], str]) -> str:
        raise NotImplementedError

    def guess(self, key: str, guess: Callable[[], str]) -> str:
        """Return the option, or else a guess, which may look at the network."""
        return str(self.given[key] or guess())

    def server(self, kind: str, offered: Server) -> Server:
        raise NotImplementedError

    def keeps(self, trouble: str) -> bool:
        """Say what went wrong; return whether the answers stay as they are."""
        raise NotImplementedError

    def trusts(self, authserv_id: str, *, likely: bool) -> bool:
        raise NotImplementedError

    def agents(self) -> tuple[Person, ...]:
        people: list[Person] = []
        for text in self.given["agents"]:
            people.append(person(text, [one.key for one in people]))
            check_address(people[-1].email)
        return tuple(people)


class Script(Talk):
    """Options only; complains of everything that is missing at once."""

    def __init__(self, given: dict[str, Any]) -> None:
        super().__init__(given)
        if given["smtp_user"] is None or given["smtp_user"]:
            if not given["smtp_password"]:
                given["smtp_token_command"] = given["smtp_token_command"] or given["imap_token_command"]
            given["smtp_password"] = given["smtp_password"] or given["imap_password"]
        else:
            given["smtp_password"] = given["smtp_password"] or "none"
        instead = {f"{kind}_password": given[f"{kind}_token_command"] for kind in ("imap", "smtp")}
        missing = [option for key, option in REQUIRED.items() if not given[key] and not instead.get(key)]
        if missing:
            raise click.UsageError(f"with --no-input these are needed: {', '.join(missing)}")

    def ask(self, key: str, question: str, default: str, check: Callable[[str], str]) -> str:  # noqa: ARG002 - nobody is asked
        return check(str(self.given.get(key) or default))

    def server(self, kind: str, offered: Server) -> Server:
        security = self.given[f"{kind}_security"] or offered.security
        user = self.given[f"{kind}_user"]
        command = self.given[f"{kind}_token_command"]
        return replace(
            offered,
            host=check_host(self.given[f"{kind}_host"] or offered.host),
            security=security,
            port=self.given[f"{kind}_port"] or _port(kind, security),
            username=offered.username if user is None else user,
            password="" if command else self.given[f"{kind}_password"] or offered.password,
            token_command=check_command(command) if command else (),
        )

    def keeps(self, trouble: str) -> bool:
        raise click.ClickException(f"{trouble} (nothing was written; --no-test writes without trying)")

    def trusts(self, authserv_id: str, *, likely: bool) -> bool:  # noqa: ARG002 - a script trusts nothing by itself
        click.echo(f'Not trusted, as nobody was asked; if it is yours add --authserv-id "{authserv_id}".')
        return False


class Questions(Talk):
    """Asks for what no option gave; Enter takes the guess."""

    def ask(self, key: str, question: str, default: str, check: Callable[[str], str]) -> str:
        if self.given.get(key):
            return check(str(self.given[key]))
        answer: str = click.prompt(question, default=default or None, value_proc=check)
        return answer

    def server(self, kind: str, offered: Server) -> Server:
        label = kind.upper()
        host = self.ask(f"{kind}_host", f"{label} server", offered.host, check_host)
        security = self.given[f"{kind}_security"] or click.prompt(
            f"{label} security", default=offered.security, type=click.Choice(SECURITIES)
        )
        # After a failed try what was typed is offered again.
        usual = offered.port if offered.port and security == offered.security else _port(kind, security)
        port = self.given[f"{kind}_port"] or click.prompt(
            f"{label} port", default=usual, type=click.IntRange(1, 65535)
        )
        user = self.given[f"{kind}_user"]
        username = user
        if user is None:
            none = f' ("{NO_LOGIN}": no login)' if kind == "smtp" else ""
            username = click.prompt(f"{label} user{none}", default=offered.username)
        if username == NO_LOGIN:
            username = ""
        if not username:
            return replace(
                offered, host=host, security=security, port=port, username="", password="", token_command=()
            )
        password, command = self._secret(kind, offered)
        return replace(
            offered, host=host, security=security, port=port, username=username, password=password,
            token_command=command,
        )  # fmt: skip

    def _secret(self, kind: str, offered: Server) -> tuple[str, tuple[str, ...]]:
        """Return a password, or else the command that prints an access token."""
        label = kind.upper()
        if command := self.given[f"{kind}_token_command"]:
            return "", check_command(command)
        secret = self.given[f"{kind}_password"]
        if not secret:
            before = offered.password or (BY_TOKEN if offered.token_command else "")
            same = ", Enter: as before" if before else ""
            secret = click.prompt(
                f'{label} password ("{BY_TOKEN}": by a token command{same})',
                hide_input=True,
                default=before or None,
                show_default=False,
            )
        if secret != BY_TOKEN:
            return str(secret), ()
        usual = shlex.join(offered.token_command) or None
        question = f"{label} command that prints an access token"
        return "", click.prompt(question, default=usual, value_proc=check_command)

    def keeps(self, trouble: str) -> bool:
        click.echo(f"  {trouble}.")
        if not click.confirm("Change the answers and try again?", default=True):
            return click.confirm("Write the file with them all the same?", default=False, abort=True)
        for key in [key for key in self.given if key.startswith(("imap_", "smtp_"))]:
            self.given[key] = None  # options that did not work are asked for
        return False

    def trusts(self, authserv_id: str, *, likely: bool) -> bool:
        return click.confirm(f'Is "{authserv_id}" your own mail server?', default=likely)

    def agents(self) -> tuple[Person, ...]:
        people = list(super().agents())
        if not people:
            click.echo('Agents, one after the other, as "Kim Archer <kim@acme.example>"; Enter ends.')
        while not self.given["agents"]:
            text = click.prompt(f"Agent {len(people) + 1}", default="", show_default=False)
            if not text and people:
                break
            one = person(text, [other.key for other in people])
            try:
                check_address(one.email)
            except click.BadParameter as wrong:
                click.echo(f"  {wrong.message}")
                continue
            people.append(one)
        return tuple(people)


def _port(kind: str, security: str) -> int:
    from mailtickets.config_models import IMAP_PORTS, SMTP_PORTS

    return (IMAP_PORTS if kind == "imap" else SMTP_PORTS)[security]


def check_address(text: str) -> str:
    from mailtickets.config_types import is_address

    if not is_address(text.strip()):
        raise click.BadParameter(f'"{text}" is not an e-mail address; write it as name@domain')
    return text.strip()


def check_host(text: str) -> str:
    from mailtickets.config_types import is_host

    if not is_host(text.strip()):
        raise click.BadParameter(f'"{text}" is not a host name; write it as mail.acme.example')
    return text.strip()


def check_command(text: str) -> tuple[str, ...]:
    """Return program and arguments of a command line; no shell will run it."""
    try:
        words = tuple(shlex.split(text))
    except ValueError:
        words = ()
    if not words:
        raise click.BadParameter(
            "write a program and its arguments, such as /usr/local/bin/mail-token --imap"
        )
    return words


def check_text(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise click.BadParameter("write one line of text")
    return text.strip()


def check_zone(text: str) -> str:
    from mailtickets.config_types import is_zone

    if not is_zone(text.strip()):
        raise click.BadParameter(f'"{text}" is not a time zone; write a name such as Europe/London or UTC')
    return text.strip()


def check_hours(text: str) -> str:
    if text.strip().lower() not in HOURS:
        raise click.BadParameter(f"write {' or '.join(HOURS)}")
    return text.strip().lower()


def check_tag(text: str) -> str:
    from mailtickets.config_types import is_tag

    if not is_tag(text.strip().upper()):
        raise click.BadParameter("write 2 to 10 letters and digits, first a letter, such as SUP")
    return text.strip().upper()
