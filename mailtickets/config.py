"""The configuration: config.toml read whole, checked whole, and given out as frozen values.

    load(path) -> Config            raises ConfigInvalid with every problem at once
    load_in_part(path) -> Config    what suffices to look at the store, where a file has mistakes
    find_config(option) -> Path     --config, else ./config.toml, else /etc/mailtickets/config.toml

What the rest of the program reads (durations are `Duration`: .seconds, .timedelta, str(); sizes are bytes;
paths are absolute; secrets are `Secret`: .resolve()):

    config.path            the file
    config.folder          its folder
    config.warnings        tuple[Problem, ...]: works, but probably not meant
    config.desk            name  store: Path  admins: tuple[str, ...]  alert: tuple["mail"|Route, ...]  timezone  zone: ZoneInfo  echo
                           organisations: Path|None
    config.smtp            host  port  security  username  password: Secret|None  ca_file: Path|None  auth
                           token: Secret|None (always a command: token.command)  envelope  max_size
                           retry: tuple[Duration, ...]  give_up: Duration
    config.smtp_accounts   {name: the same keys}; config.smtp_of(queue name) finds the right one
    config.mailboxes       {name: host  port  security  username  password  ca_file  auth  token  folder  idle
                           maildir: Path|None  poll: Duration  after ("seen"|"keep"|"move:FOLDER")  authserv_id
                           verify_dkim  start_from ("now"|"all"|date)}
    config.queues          {name: address  tag  agents  mailbox ("" only where there is no mailbox)  smtp ("" = [smtp])
                           calendar  service_level  on_call  customer_priority
                           aliases  notify  plus_addressing  after_reply  cc  note_address  language
                           reminders: tuple[Duration, ...]  close_after  resolved_close_after  reopen_within
                           confirm_close  collision_window  ask_for  ask_for_below  help_links  notify_attachments}
    config.agents          {key: name  email  aliases  proof  receipts  hours}
    config.calendars       {name: timezone  hours  holidays  closed  open}; config_calendar.calendar_of() makes calendars
    config.service_levels  {name: calendar  default_priority  goal (0.0 to 1.0)  resolution_ends
                           priorities: {"P1": name  criteria  first_response  update  resolution: Duration|None}}
    config.organisations   {key: name  domains  contacts  others  account_manager  service_level  calendar
                           until: date|None  confirm_close: bool|None}; those of the CSV file too
    config.types           {name: route  only_route  service_level  first_response  update  resolution  clock  silence
                           tell  ask_for  confirm_close}; what is not written is not in .model_fields_set
    config.rules           (name  words  subject  body  sender  organisation  header  from_queue  then  stop, ...)
    config.escalations     (name  queue  type  organisation  when  targets  priorities  to  repeat  times  always
                           template, ...)
    config.reports         {name: every  at  to  queue  organisation  type  priority  agent}
    config.limits          ack_per_address_day  ack_per_proven_address_day  ack_per_domain_hour  ack_per_hour
                           ack_wait: Duration  mail_size  people_per_ticket      (0 = none)
    config.templates       folder: Path|None
    config.log             format ("text"|"json")  level ("debug"|"info"|"warning"|"error")
"""

from __future__ import annotations

import contextlib
import os
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailtickets.config_agreement_checks import agreement_contradictions
from mailtickets.config_agreement_doubts import agreement_doubts
from mailtickets.config_calendar import with_zone
from mailtickets.config_checks import accounts, contradictions
from mailtickets.config_doubts import doubts
from mailtickets.config_draft import CSV
from mailtickets.config_ladder_checks import ladder_contradictions
from mailtickets.config_lines import Location, dotted, line_index, line_of
from mailtickets.config_models import (
    Agent,
    Desk,
    Limits,
    Log,
    Mailbox,
    Queue,
    SmtpAccount,
    TemplateFolder,
)
from mailtickets.config_problems import Finding, shown
from mailtickets.config_reading import draft_of
from mailtickets.config_rule_checks import rule_contradictions
from mailtickets.config_syntax import syntax_words
from mailtickets.durations import Duration
from mailtickets.problems import ConfigInvalid, Problem
from mailtickets.secrets_source import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailtickets.config_agreement import (
        EscalationTable,
        OrganisationTable,
        ReportTable,
        RuleTable,
        ServiceLevelTable,
        TypeTable,
    )
    from mailtickets.config_calendar import CalendarTable
    from mailtickets.config_draft import Draft

__all__ = [
    "Agent", "Config", "ConfigInvalid", "Desk", "Duration", "Limits", "Log", "Mailbox", "Problem", "Queue",
    "Secret", "SmtpAccount", "TemplateFolder", "find_config", "load", "load_in_part",
]  # fmt: skip

DEFAULT_PATHS = (Path("config.toml"), Path("/etc/mailtickets/config.toml"))
MAX_CONFIG_BYTES = 1_000_000  # a desk of a thousand agents has 100 KB


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration, valid; replaced as a whole by a reload, never changed."""

    path: Path
    desk: Desk
    smtp: SmtpAccount
    smtp_accounts: dict[str, SmtpAccount]
    mailboxes: dict[str, Mailbox]
    queues: dict[str, Queue]
    agents: dict[str, Agent]
    calendars: dict[str, CalendarTable]
    service_levels: dict[str, ServiceLevelTable]
    organisations: dict[str, OrganisationTable]
    types: dict[str, TypeTable]
    rules: tuple[RuleTable, ...]
    escalations: tuple[EscalationTable, ...]
    reports: dict[str, ReportTable]
    limits: Limits
    templates: TemplateFolder
    log: Log
    warnings: tuple[Problem, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder that relative paths in the file are relative to."""
        return self.path.parent

    def smtp_of(self, queue: str) -> SmtpAccount:
        """Return the account that sends for a queue; the desk's own for "" and unknown names."""
        named = self.queues[queue].smtp if queue in self.queues else ""
        return self.smtp_accounts[named] if named else self.smtp


def find_config(option: Path | str | None = None) -> Path:
    """Return the config file to use: the one asked for, else the first default that exists.

    Raises ConfigInvalid where there is none.
    """
    if option is not None:
        return Path(option)
    for path in DEFAULT_PATHS:
        if path.is_file():
            return path
    looked = " and ".join(str(path) for path in DEFAULT_PATHS)
    raise ConfigInvalid(
        [
            Problem(
                "config.toml",
                0,
                "",
                "",
                f"not found (looked for {looked})",
                "write one with `mailtickets init`, or name it with --config",
            )
        ]
    )


def load(path: Path, organisations: Path | None = None) -> Config:
    """Read and check a config file, once and whole.

    organisations   a file to read in place of the one that `desk.organisations` names, to see whether it would do.

    Raises ConfigInvalid with every problem found, in order of lines; no message holds a secret.
    """
    text, mode = _read(path)
    written, lines = _parse(path, text)
    draft, findings = draft_of(written, path.absolute().parent, organisations)
    for check in (contradictions, agreement_contradictions, rule_contradictions, ladder_contradictions):
        findings += check(draft)
    if not findings and mode & (stat.S_IRGRP | stat.S_IROTH):
        findings += _readable_passwords(draft, path, mode)
    if findings:
        raise ConfigInvalid(_problems(path, findings, draft, lines)) from None
    if draft.desk is None or draft.smtp is None or draft.templates is None:
        raise AssertionError("a missing table is a finding")
    return Config(
        path=path.absolute(),
        desk=draft.desk,
        smtp=draft.smtp,
        smtp_accounts=draft.smtp_accounts,
        mailboxes=draft.mailboxes,
        queues=_filled(draft),
        agents=draft.agents,
        calendars={name: with_zone(table, draft.desk.timezone) for name, table in draft.calendars.items()},
        service_levels=draft.service_levels,
        organisations=draft.organisations,
        types=draft.types,
        rules=tuple(draft.rules.values()),
        escalations=tuple(draft.escalations.values()),
        reports=draft.reports,
        limits=draft.limits,
        templates=draft.templates,
        log=draft.log,
        warnings=tuple(_problems(path, (*doubts(draft), *agreement_doubts(draft)), draft, lines)),
    )


def load_in_part(path: Path) -> Config | None:
    """Return what suffices to look at the store while the file has mistakes: [desk], and the mailboxes that can be read.

    None where not even `desk.store` can be.
    """
    try:
        written = _before_syntax_error(_read(path)[0])
    except ConfigInvalid:
        return None
    draft, findings = draft_of(written, path.absolute().parent)
    stated = draft.has("desk", "store") and not any(f.location[:2] == ("desk", "store") for f in findings)
    if draft.desk is None or not stated:
        return None
    return Config(
        path=path.absolute(), desk=draft.desk, smtp=draft.smtp or SmtpAccount(host="localhost"), smtp_accounts={},
        mailboxes=draft.mailboxes, queues={}, agents={}, calendars={}, service_levels={}, organisations={}, types={}, rules=(),
        escalations=(), reports={}, limits=Limits(), templates=TemplateFolder(), log=Log(),
    )  # fmt: skip


def _before_syntax_error(text: str) -> dict[str, Any]:
    """Return the tables that stand whole before the first place that is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = syntax_words(text, str(error))[0]
        with contextlib.suppress(tomllib.TOMLDecodeError, RecursionError):
            return tomllib.loads("\n".join(text.split("\n")[: line - 1]))
    except RecursionError:
        pass
    return {}


def _read(path: Path) -> tuple[str, int]:
    """Return text and mode of the file, both from one opening."""

    def unusable(reason: str, remedy: str, line: int = 0) -> ConfigInvalid:
        return ConfigInvalid([Problem(str(path), line, "", "", reason, remedy)])

    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
            mode = os.fstat(file.fileno()).st_mode
    except FileNotFoundError:
        raise unusable("not found", "write one with `mailtickets init`, or name it with --config") from None
    except OSError as error:
        remedy = "let the user that runs mailtickets read it"
        raise unusable(f"cannot be read ({error.strerror})", remedy) from None
    if len(raw) > MAX_CONFIG_BYTES:
        raise unusable(f"larger than {MAX_CONFIG_BYTES} bytes", "name the right file")
    try:
        return raw.decode("utf-8-sig"), mode
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise unusable("not UTF-8 text", "save the file as UTF-8", line) from None


def _parse(path: Path, text: str) -> tuple[dict[str, Any], dict[Location, int]]:
    """Return the tables and the lines of all keys; raise ConfigInvalid for what is not TOML."""
    try:
        return tomllib.loads(text), line_index(text)
    except RecursionError:
        problem = Problem(
            str(path), 1, "", "", "nested too deeply", "no key needs more than a list in a table"
        )
    except tomllib.TOMLDecodeError as error:
        line, key, reason, remedy = syntax_words(text, str(error))
        problem = Problem(str(path), line, key, "", reason, remedy)
    raise ConfigInvalid([problem]) from None


def _filled(draft: Draft) -> dict[str, Queue]:
    """Fill in what depends on other tables: the only mailbox, and attachments that fit the server."""
    only = next(iter(draft.mailboxes), "")
    filled: dict[str, Queue] = {}
    for name, queue in draft.queues.items():
        account = draft.smtp_accounts.get(queue.smtp, draft.smtp)
        fits = min(queue.notify_attachments, account.max_size) if account else queue.notify_attachments
        filled[name] = queue.model_copy(update={"mailbox": queue.mailbox or only, "notify_attachments": fits})
    return filled


def _readable_passwords(draft: Draft, path: Path, mode: int) -> list[Finding]:
    reason = f"others on this machine can read it (the file's mode is {stat.S_IMODE(mode):03o})"
    return [
        Finding((*location, "password"), reason, f"chmod 600 {path}")
        for location, account in accounts(draft)
        if account.password and account.password.is_literal
    ]


def _problems(
    path: Path, findings: Iterable[Finding], draft: Draft, lines: dict[Location, int]
) -> list[Problem]:
    """Add file, line and value to findings; order them by line, those of the organisations' own file at the end."""

    def problem(finding: Finding) -> Problem:
        file, line, location = str(path), line_of(lines, finding.location), finding.location
        value = _value_at(draft.written, location)
        if location[:1] == (CSV,):
            file, line, location = str(draft.csv_file), int(location[1]), location[2:]
            value = draft.csv_cells.get(line, {}).get(str(location[0])) if location else None
        said = shown(finding.location, value)
        return Problem(file, line, dotted(location), said, finding.reason, finding.remedy)

    return sorted(map(problem, findings), key=lambda one: (one.file != str(path), one.line))


def _value_at(written: Any, location: Location) -> object:
    at = written
    for part in location:
        try:
            at = at[part]
        except (KeyError, IndexError, TypeError):
            return None
    return at
