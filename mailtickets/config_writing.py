"""Writes a first config.toml, with the passwords in files of their own. Overwrites nothing, asks nobody."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailtickets.config import Config, load
from mailtickets.config_models import IMAP_PORTS, SMTP_PORTS

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = 0o600
OFFICE, ALWAYS = "office", "always"  # when reminders and closings go out
OFFICE_HOURS = {"mon-fri": ["09:00-17:00"]}


@dataclass(frozen=True, slots=True)
class Server:
    """How to reach and enter one mail server; username "" means no login, a token command OAuth2 in place of a password."""

    host: str
    security: str
    port: int
    username: str
    password: str
    ca_file: str = ""
    token_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """An agent: the key in the file, the name that customers see, the address."""

    key: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything that a first configuration needs."""

    name: str
    address: str
    tag: str
    store: str
    imap: Server
    smtp: Server
    agents: tuple[Person, ...]
    admins: tuple[str, ...]
    authserv_id: str = ""
    timezone: str = "UTC"
    hours: str = OFFICE


def config_text(answers: Answers, imap_file: str, smtp_file: str) -> str:
    """Return config.toml; the passwords stand in the files named."""
    lines = [
        "# Written by `mailtickets init`. config.example.toml explains every key; `mailtickets check` reads this file.",
        "",
        "[desk]",
        _pair("name", answers.name),
        _pair("store", answers.store),
        _pair("admins", list(answers.admins)),
        _pair("timezone", answers.timezone),
        "",
        "[smtp]",
        *_server(answers.smtp, SMTP_PORTS, smtp_file),
        "",
        "[mailbox.support]",
        *_server(answers.imap, IMAP_PORTS, imap_file),
        *([_pair("authserv_id", answers.authserv_id)] if answers.authserv_id else []),
        "",
        "[queue.support]",
        _pair("address", answers.address),
        _pair("tag", answers.tag),
        _pair("agents", [agent.key for agent in answers.agents]),
        *([_pair("calendar", OFFICE)] if answers.hours == OFFICE else []),
    ]
    if answers.hours == OFFICE:
        days = ", ".join(_pair(names, shifts) for names, shifts in OFFICE_HOURS.items())
        lines += [
            "",
            "# Reminders and closings go out in these hours.",
            f"[calendar.{OFFICE}]",
            f"hours = {{ {days} }}",
        ]
    for agent in answers.agents:
        lines += ["", f"[agent.{agent.key}]", _pair("name", agent.name), _pair("email", agent.email)]
    return "\n".join(lines) + "\n"


def _server(server: Server, ports: dict[str, int], password_file: str) -> list[str]:
    lines = [_pair("host", server.host), _pair("security", server.security)]
    if server.port != ports[server.security]:
        lines.append(_pair("port", server.port))
    if server.ca_file:
        lines.append(_pair("ca_file", server.ca_file))
    if server.username:
        lines.append(_pair("username", server.username))
        if server.token_command:
            lines += ['auth = "oauth2"', f"token = {{ command = {_toml(list(server.token_command))} }}"]
        else:
            lines.append(f"password = {{ file = {_toml(password_file)} }}")
    return lines


def _by_password(server: Server) -> bool:
    return bool(server.username and not server.token_command)


def _pair(key: str, value: str | int | list[str]) -> str:
    return f"{key} = {_toml(value)}"


def _toml(value: str | int | list[str]) -> str:
    # JSON's strings, numbers and lists of strings are TOML's, once DEL is escaped as TOML wants it.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def files_of(config: Path) -> tuple[Path, Path, Path]:
    """Return the files that belong to a configuration: itself, IMAP password, SMTP password."""
    return config, config.parent / "imap-password", config.parent / "smtp-password"


def existing_files(config: Path) -> list[Path]:
    """Return which of these files are there already."""
    return [path for path in files_of(config) if os.path.lexists(path)]


def write_config(config: Path, answers: Answers) -> Config:
    """Write the files, each of mode 0600, and return the configuration as the daemon will read it.

    Raises FileExistsError where one is there, OSError where the folder cannot be written, and ConfigInvalid
    where the answers make no valid file; then nothing is left behind.
    """
    _, imap_file, smtp_file = files_of(config)
    text = config_text(answers, imap_file.name, smtp_file.name)
    made: list[Path] = []
    try:
        if _by_password(answers.imap):
            _create(imap_file, f"{answers.imap.password}\n", made)
        if _by_password(answers.smtp):
            _create(smtp_file, f"{answers.smtp.password}\n", made)
        _create(config, text, made)
        return load(config)
    except BaseException:
        for path in made:
            with suppress(OSError):
                path.unlink()
        raise


def _create(path: Path, text: str, made: list[Path]) -> None:
    # O_EXCL: neither an older file nor a link that somebody put there is written through.
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    made.append(path)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), PRIVATE)  # whatever the umask took away
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
