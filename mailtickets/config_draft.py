"""A configuration as far as it could be read, for the checks.

Tables that hold errors of their own come with stand-ins for the bad keys, so that one wrong key does not
hide what is wrong elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mailtickets.config_agreement import (
        EscalationTable,
        OrganisationTable,
        ReportTable,
        RuleTable,
        ServiceLevelTable,
        TypeTable,
    )
    from mailtickets.config_calendar import CalendarTable
    from mailtickets.config_lines import Location
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

CSV = "(csv)"  # begins the location of something in the organisations' own file: (CSV, line, column)


@dataclass(slots=True)
class Draft:
    """Tables as far as they could be read; `written` holds the keys that the file really has."""

    limits: Limits
    log: Log
    desk: Desk | None = None
    smtp: SmtpAccount | None = None
    templates: TemplateFolder | None = None
    smtp_accounts: dict[str, SmtpAccount] = field(default_factory=dict)
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    calendars: dict[str, CalendarTable] = field(default_factory=dict)
    service_levels: dict[str, ServiceLevelTable] = field(default_factory=dict)
    organisations: dict[str, OrganisationTable] = field(default_factory=dict)  # also those of the CSV file
    places: dict[str, Location] = field(
        default_factory=dict
    )  # where each organisation stands, readable or not
    csv_file: Path | None = None
    csv_cells: dict[int, Mapping[str, str]] = field(default_factory=dict)  # by line
    csv_unreadable: bool = False  # then there may be more organisations than are known here
    types: dict[str, TypeTable] = field(default_factory=dict)
    rules: dict[int, RuleTable] = field(default_factory=dict)  # by their number in the file, from 0
    escalations: dict[int, EscalationTable] = field(default_factory=dict)
    reports: dict[str, ReportTable] = field(default_factory=dict)
    written: Mapping[str, Any] = field(default_factory=dict)

    def has(self, *location: str | int) -> bool:
        """Tell whether the file writes this key, rightly or wrongly."""
        at: Any = self.written
        for part in location:
            try:
                at = at[part]
            except (KeyError, IndexError, TypeError):
                return False
        return True

    def names(self, table: str) -> list[str]:
        """Return the names under a table, also of those that could not be read."""
        if table == "organisation":
            return list(self.places)
        under = self.written.get(table, {})
        return [str(name) for name in under] if isinstance(under, dict) else []
