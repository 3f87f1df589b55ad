"""Pure: words for what pydantic found, with "did you mean" and without secrets."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from mailtickets.config_models import LATER_KEYS, LATER_TABLES, LISTED_TABLES, NAMED_TABLES, SINGLE_TABLES
from mailtickets.secrets_source import MASK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic_core import ErrorDetails

    from mailtickets.config_lines import Location

MAX_SHOWN = 60  # letters of a value in a message
MAX_NAMES = 40  # that a message lists
NEARLY = 0.82  # of the letters of a key are those of a known one

_SECRET_NAME = re.compile(r"pas|pwd|secret|token|cred|auth_?key|api_?key|kenn?wort|mot_?de", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(//[^:@/\s]{0,200}:)[^@\s]{1,200}@")
_ACCOUNT_TABLES = frozenset({"smtp", "smtp_account", "mailbox"})

TABLES: dict[str, type[BaseModel]] = {**SINGLE_TABLES, **NAMED_TABLES, **LISTED_TABLES}
_EXAMPLES = {
    "name": 'add name = "..."',
    "store": 'add store = "desk.db"',
    "host": 'add host = "mail.acme.example"',
    "address": 'add address = "support@acme.example"',
    "tag": 'add tag = "SUP"',
    "email": 'add email = "kim@acme.example"',
    "hours": 'add hours = { mon-fri = ["09:00-17:30"] } or hours = "always"',
    "every": 'add every = "week" or every = "month"',
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at a place of the file; the loader adds file, line and value."""

    location: Location
    reason: str
    remedy: str = ""


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return `did you mean "x"?`, or the known names where none is near, or "" where there are none or too many."""
    names = sorted(known)
    near = difflib.get_close_matches(str(word)[:60], names, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"known here: {', '.join(names)}" if 0 < len(names) <= MAX_NAMES else ""


def finding_of(error: ErrorDetails, table: str, location: Location) -> Finding:
    """Word one error of pydantic about the keys of `table`, which stands at `location`."""
    place = (
        *location,
        *(part for part in error["loc"] if part != "[key]"),
    )  # said of a key of an inner table
    kind = error["type"]
    context: Mapping[str, Any] = error.get("ctx", {})
    if kind == "value_error":
        reason, _, remedy = str(context["error"]).partition("; ")
        if place[-1] == "timezone":
            remedy = _near_zone(error["input"]) or remedy
        return Finding(place, reason, remedy)
    if kind == "extra_forbidden":
        return _unknown_key(place, table, error["loc"][:-1])
    if kind == "missing":
        return Finding(place, "is missing", _EXAMPLES.get(str(place[-1]), "add it"))
    if kind == "literal_error":
        return _wrong_word(place, error)
    last = {"port": "1 to 65535", "times": "1 to 1000"}.get(str(place[-1]), "0 to 1000000")
    numbers = f"write a number from {last}"
    plain = {
        "string_type": ("not text", "put it in double quotes"),
        "int_type": ("not a whole number", "write digits without quotes"),
        "bool_type": ("neither true nor false", "write true or false without quotes"),
        "string_too_long": (f"longer than {context.get('max_length')} letters", "shorten it"),
        "too_short": ("is an empty list", "write at least one item or leave the key out"),
        "greater_than_equal": ("out of range", numbers),
        "less_than_equal": ("out of range", numbers),
        "model_type": ("is not a table", _as_table(table, location, str(place[-1]) if error["loc"] else "")),
    }
    reason, remedy = plain.get(kind, (error["msg"], "see config.example.toml"))
    return Finding(place, reason, remedy)


def _as_table(table: str, location: Location, key: str) -> str:
    if key:
        return f"write {key} = {{ ... }}"
    return (
        f"write it under [[{table}]]"
        if table in LISTED_TABLES
        else f"write it under [{'.'.join(map(str, location))}]"
    )


def _model_at(table: str, within: Location) -> type[BaseModel]:
    """Return the model of a table, or of the table within it that a location leads to."""
    model = TABLES[table]
    for name in within:
        field = model.model_fields.get(str(name))
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        model = next(
            (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model
        )
    return model


def _unknown_key(place: Location, table: str, within: Location) -> Finding:
    key = str(place[-1])
    if key in LATER_KEYS.get(table, ()) and not within:
        return Finding(place, "is not in this version yet", "leave it out for now")
    model = _model_at(table, within)
    if not within and not difflib.get_close_matches(key, list(model.model_fields), n=1, cutoff=0.6):
        homes = sorted(name for name, other in SINGLE_TABLES.items() if key in other.model_fields)
        homes += sorted(f"{name}.NAME" for name, other in NAMED_TABLES.items() if key in other.model_fields)
        homes += sorted(f"[{name}]" for name, other in LISTED_TABLES.items() if key in other.model_fields)
        if homes:
            return Finding(place, "is no key of this table", f"it belongs into [{homes[0]}]")
    return Finding(place, "is no known key", did_you_mean(key, model.model_fields))


def unknown_table(name: str) -> Finding:
    """Word a top-level name that is no table of this version."""
    if name in LATER_TABLES:
        return Finding((name,), "is not in this version yet", "leave it out for now")
    near = difflib.get_close_matches(name, list(TABLES), n=1, cutoff=0.6)
    if not near:
        homes = [table for table, model in SINGLE_TABLES.items() if name in model.model_fields]
        if homes:
            return Finding((name,), "stands above all tables", f"put it below [{homes[0]}]")
    return Finding((name,), "is no known table", did_you_mean(name, TABLES))


def _wrong_word(place: Location, error: ErrorDetails) -> Finding:
    expected = [word.strip("'") for word in re.split(r", | or ", str(error["ctx"]["expected"]))]
    expected = [word for word in expected if word] or expected
    known = ", ".join(f'"{word}"' for word in expected)
    near = difflib.get_close_matches(str(error["input"])[:60], expected, n=1, cutoff=0.5)
    return Finding(
        place, f"not one of {known}", f'did you mean "{near[0]}"?' if near else "write one of them"
    )


def own_priority(error: ErrorDetails, written: Mapping[str, Any]) -> str:
    """Return what to write in place of a priority's own name, "Urgent"; "" where that is not the trouble."""
    levels, said = written.get("service_level"), error["input"]
    if error["type"] != "literal_error" or "'P1'" not in str(error["ctx"]["expected"]):
        return ""
    if not isinstance(levels, dict) or not isinstance(said, str):
        return ""
    for level, table in levels.items():
        for priority in ("P1", "P2", "P3", "P4"):
            one = table.get(priority) if isinstance(table, dict) else None
            name = one.get("name") if isinstance(one, dict) else None
            if isinstance(name, str) and name and name.casefold() == said.strip().casefold():
                return f'{name[:MAX_SHOWN]} is {priority} in service_level.{level}; write "{priority}"'
    return ""


def _near_zone(value: object) -> str:
    from zoneinfo import available_timezones  # noqa: PLC0415 - reads a thousand files; only for an error

    if any(sign in str(value) for sign in "+0123456789"):
        return ""  # "GMT+1" would not be any zone that merely looks like it
    near = difflib.get_close_matches(str(value)[:60], available_timezones(), n=1, cutoff=0.7)
    return f'did you mean "{near[0]}"?' if near else ""


def shown(location: Location, value: object) -> str:
    """Return a value as it may stand in a message: as in TOML, on one line, short, secrets masked."""
    names = [part for part in location if isinstance(part, str)]
    if value is None or isinstance(value, dict):
        return ""
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return ""
    if _may_be_secret(names, value):
        return f'"{MASK}"'
    try:
        text = json.dumps(value, ensure_ascii=False) if not hasattr(value, "isoformat") else str(value)
    except (TypeError, ValueError):
        text = str(value)
    text = _PASSWORD_IN_URL.sub(rf"\1{MASK}@", text)
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def _may_be_secret(names: list[str], value: object) -> bool:
    """A misspelt `pasword` holds a password too: in an account unknown text is shown only where its key is nearly another's."""
    if len(names) > 2 and names[0] in NAMED_TABLES and names[0] not in _ACCOUNT_TABLES:
        names = [
            names[0],
            *names[2:],
        ]  # the admin's own name for a table is no key: [organisation.accredited]
    if any(_SECRET_NAME.search(name) for name in names if name not in {"authserv_id", "auth"}):
        return True
    if not names or names[0] not in _ACCOUNT_TABLES or not isinstance(value, (str, list)):
        return False
    model = TABLES[names[0]]
    depth = 1 if names[0] in SINGLE_TABLES else 2
    if len(names) <= depth:
        return True
    # "pol" is nearly "poll"; "user_pw" is not nearly "user".
    near = difflib.get_close_matches(names[depth], list(model.model_fields), n=1, cutoff=NEARLY)
    return not near or bool(_SECRET_NAME.search(near[0]))
