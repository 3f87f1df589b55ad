"""Puts a CSV file in the place of the desk's organisations: checked whole with the configuration first, then in one step."""

from __future__ import annotations

import os
import shutil
import tempfile
import tomllib
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from mailtickets.agreements import organisation_of
from mailtickets.config import load
from mailtickets.config_agreement import OrganisationTable
from mailtickets.config_reading import draft_of
from mailtickets.organisations_csv import read, write
from mailtickets.problems import ConfigInvalid, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailtickets.desk.agreement import Organisation
    from mailtickets.organisations_csv import Row

BACKUP = ".bak"  # behind the name of the file that was there before

Organisations = dict[str, "Organisation"]


@dataclass(frozen=True, slots=True)
class Changes:
    """What another file would change, by key; `changed` names the columns."""

    added: tuple[str, ...]
    changed: Mapping[str, tuple[str, ...]]
    removed: tuple[str, ...]
    unchanged: int

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class Offer:
    """A file that was checked and may take the place of the desk's own.

    target      the file that `desk.organisations` names.
    in_config   keys of lines that say what config.toml says already: left there, not written.
    warnings    works, but is probably not meant.
    """

    config: Path
    target: Path
    before: Organisations
    organisations: Organisations
    in_config: tuple[str, ...]
    warnings: tuple[Problem, ...]

    def changes(self) -> Changes:
        """Return what becomes different."""
        both = [key for key in self.organisations if key in self.before]
        changed = {key: columns for key in both if (columns := self._different(key))}
        return Changes(
            tuple(key for key in self.organisations if key not in self.before),
            changed,
            tuple(key for key in self.before if key not in self.organisations),
            len(both) - len(changed),
        )

    def _different(self, key: str) -> tuple[str, ...]:
        one, other = self.before[key], self.organisations[key]
        return tuple(
            field.name for field in fields(one) if getattr(one, field.name) != getattr(other, field.name)
        )

    def put_in_place(self) -> Path | None:
        """Write the target in one step, with the owner and mode it had; return the copy of what was there, if any.

        A new file gets those of the configuration: who may read the one may read the other. Raises OSError;
        then the target is as it was.
        """
        target = self.target.resolve()
        there = target.exists()
        kept = _copied(target) if there else None
        number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
                write(file, self.organisations.values())
                file.flush()
                _like(file.fileno(), target if there else self.config)
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
        return kept


def offer(config: Path, file: Path) -> Offer:
    """Check a CSV file in the place of the present one, with everything in the configuration that names it.

    Raises ConfigInvalid with every problem found; those of the file come with its own lines.
    """
    written = _tables(config)
    folder = config.absolute().parent
    present, _ = draft_of(written, folder)
    if present.desk is None or present.desk.organisations is None:
        load(config)  # says what is wrong, where it is more than this
        remedy = 'add organisations = "organisations.csv" to [desk]'
        reason = "is missing, so there is no file to put it into"
        raise ConfigInvalid([Problem(str(config), 0, "desk.organisations", "", reason, remedy)])
    target = present.desk.organisations
    if target.exists() and target.samefile(file):
        remedy = "`mailtickets check` checks it, and a reload reads it"
        raise ConfigInvalid([Problem(str(file), 0, "", "", "is the desk's own file already", remedy)])
    rows = read(file)
    own = {
        key: organisation_of(key, table)
        for key, table in present.organisations.items()
        if present.places[key] == ("organisation", key)
    }
    same = {row.line: row.key for row in rows if _of_row(row) == own.get(row.key, row)}
    warnings = _checked(config, file, frozenset(same))
    before = {key: organisation_of(key, one) for key, one in present.organisations.items() if key not in own}
    organisations = {row.key: one for row in rows if row.line not in same and (one := _of_row(row))}
    return Offer(config, target, before, organisations, tuple(same.values()), warnings)


def _tables(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        load(config)  # words it
        raise


def _of_row(row: Row) -> Organisation | None:
    """Return what a line says, or None where it is refused."""
    try:
        return organisation_of(row.key, OrganisationTable.model_validate(row.table()))
    except ValidationError:
        return None


def _checked(config: Path, file: Path, same: frozenset[int]) -> tuple[Problem, ...]:
    """Check the configuration with the file; return its warnings.

    same   lines that repeat what config.toml says: they are not written, so nothing about them is wrong.
    """
    try:
        return load(config, file).warnings
    except ConfigInvalid as invalid:
        problems = [one for one in invalid.problems if one.file != str(file) or one.line not in same]
    if problems:
        raise ConfigInvalid(problems)
    return ()


def _copied(target: Path) -> Path:
    """Keep a copy of a file beside it, in place of an older copy."""
    number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(number, "wb") as file:
            with target.open("rb") as old:
                shutil.copyfileobj(old, file)
            _like(file.fileno(), target)
        kept = target.with_name(target.name + BACKUP)
        return Path(name).replace(kept)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _like(number: int, other: Path) -> None:
    """Give an open file the owner and mode of another; a user who may not give files away keeps it."""
    state = other.stat()
    with suppress(PermissionError):
        os.fchown(number, state.st_uid, state.st_gid)
    os.fchmod(number, state.st_mode & 0o777)
