"""From what TOML gives to a draft: each table read by itself, with everything that is wrong in it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from mailtickets.config_agreement import (
    EscalationTable,
    OrganisationTable,
    ReportTable,
    RuleTable,
    ServiceLevelTable,
    TypeTable,
)
from mailtickets.config_calendar import CalendarTable
from mailtickets.config_draft import CSV, Draft
from mailtickets.config_models import (
    REQUIRED_TABLES,
    Agent,
    Desk,
    Limits,
    Log,
    Mailbox,
    Queue,
    SmtpAccount,
    Table,
    TemplateFolder,
)
from mailtickets.config_problems import TABLES, Finding, finding_of, own_priority, unknown_table
from mailtickets.config_types import FOLDER
from mailtickets.organisations_csv import read
from mailtickets.problems import ConfigInvalid

if TYPE_CHECKING:
    from pathlib import Path

    from mailtickets.config_lines import Location

AnyTable = TypeVar("AnyTable", bound=Table)


def draft_of(
    written: dict[str, Any], folder: Path, organisations: Path | None = None
) -> tuple[Draft, list[Finding]]:
    """Check each table by itself; return what could be read and everything that is wrong in a table.

    folder          of the config file, which relative paths start from.
    organisations   a file that is to take the place of the one `desk.organisations` names.
    """
    findings = [unknown_table(name) for name in written if name not in TABLES]
    findings += [
        Finding((name,), "is missing", remedy)
        for name, remedy in REQUIRED_TABLES.items()
        if not written.get(name)
    ]
    reader = _TableReader(findings, folder, written)

    def single(model: type[AnyTable], name: str) -> AnyTable | None:
        return reader.read(model, name, (name,), written[name]) if name in written else None

    def named(model: type[AnyTable], name: str) -> dict[str, AnyTable]:
        tables = written.get(name, {})
        if not isinstance(tables, dict):
            findings.append(Finding((name,), "is not a table", f"write it under [{name}.NAME]"))
            return {}
        read = {key: reader.read(model, name, (name, key), table) for key, table in tables.items()}
        return {key: table for key, table in read.items() if table is not None}

    def listed(model: type[AnyTable], name: str) -> dict[int, AnyTable]:
        tables = written.get(name, [])
        if not isinstance(tables, list):
            findings.append(
                Finding((name,), "is not a list of tables", f"write [[{name}]] with two brackets")
            )
            return {}
        read = {at: reader.read(model, name, (name, at), table) for at, table in enumerate(tables)}
        return {at: table for at, table in read.items() if table is not None}

    draft = Draft(
        limits=single(Limits, "limits") or Limits(),
        log=single(Log, "log") or Log(),
        desk=single(Desk, "desk"),
        smtp=single(SmtpAccount, "smtp"),
        templates=single(TemplateFolder, "templates") or TemplateFolder(),
        smtp_accounts=named(SmtpAccount, "smtp_account"),
        mailboxes=named(Mailbox, "mailbox"),
        queues=named(Queue, "queue"),
        agents=named(Agent, "agent"),
        calendars=named(CalendarTable, "calendar"),
        service_levels=named(ServiceLevelTable, "service_level"),
        organisations=named(OrganisationTable, "organisation"),
        types=named(TypeTable, "type"),
        rules=listed(RuleTable, "rule"),
        escalations=listed(EscalationTable, "escalation"),
        reports=named(ReportTable, "report"),
        written=written,
    )
    under = written.get("organisation", {})
    draft.places = {key: ("organisation", key) for key in under} if isinstance(under, dict) else {}
    if draft.desk and draft.desk.organisations:
        _join_file(draft, organisations or draft.desk.organisations, reader)
    return draft, findings


def _join_file(draft: Draft, path: Path, reader: _TableReader) -> None:
    """Add the organisations of a CSV file; findings in it have (CSV, line, column) for their place."""
    draft.csv_file = path
    try:
        rows = read(path)
    except ConfigInvalid as invalid:
        draft.csv_unreadable = True
        for problem in invalid.problems:
            place: Location = (CSV, problem.line) if problem.line else ("desk", "organisations")
            reader.findings.append(Finding(place, problem.reason, problem.remedy))
        return
    for row in rows:
        draft.csv_cells[row.line] = row.cells
        place = (CSV, row.line)
        if row.key in draft.places:
            reason = f"is also the key of [organisation.{row.key}] in the configuration"
            reader.findings.append(Finding((*place, "key"), reason, "take one of them out"))
            continue
        draft.places[row.key] = place
        if (table := reader.read(OrganisationTable, "organisation", place, row.table())) is not None:
            draft.organisations[row.key] = table


class _TableReader:
    """Reads tables one by one and collects what is wrong in them."""

    def __init__(self, findings: list[Finding], folder: Path, written: dict[str, Any]) -> None:
        self.findings, self.written = findings, written
        self.context = {FOLDER: folder}
        self.numbers = itertools.count()

    def read(self, model: type[AnyTable], name: str, location: Location, raw: object) -> AnyTable | None:
        """Return the table; with stand-ins for its bad keys where it has some; None where it is no table."""
        try:
            return model.model_validate(raw, context=self.context)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False)
        for error in errors:
            found = finding_of(error, name, location)
            remedy = own_priority(error, self.written)
            self.findings.append(Finding(found.location, found.reason, remedy or found.remedy))
        if not isinstance(raw, dict):
            return None
        bad = {error["loc"][0] for error in errors if error["loc"]}
        good = {key: value for key, value in raw.items() if key not in bad}
        try:
            return model.model_validate({**self._stand_ins(model, bad), **good}, context=self.context)
        except ValidationError:
            return None

    def _stand_ins(self, model: type[Table], bad: set[int | str]) -> dict[str, str]:
        """Return values for required keys that are wrong or missing, each unlike any other."""
        number = next(self.numbers)
        address = f"stand-in-{number}@stand-in.invalid"
        values = {
            "host": "localhost",
            "tag": f"Z{number:09d}",
            "address": address,
            "email": address,
            "every": "week",
        }
        required = {name for name, key in model.model_fields.items() if key.is_required()}
        return {name: values.get(name, f"stand-in-{number}") for name in required & bad}
