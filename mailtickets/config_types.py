"""The kinds of values a configuration holds, each checked with a reason and a remedy in plain words.

Every check raises ValueError("reason; remedy"); `config_problems.py` puts file, line and key in front.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, Strict, ValidationInfo

from mailtickets.durations import Duration, parse_size, size_text
from mailtickets.secrets_source import Secret

FOLDER = "folder"  # key of the validation context: the folder of the config file, for relative paths

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LOCAL_PART = re.compile(rf"{_ATOM}(?:\.{_ATOM})*\Z")
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}\Z")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Z]{2})?\Z")
_TAG = re.compile(r"[A-Z][A-Z0-9]{1,9}\Z")
_OFFSET = re.compile(r"\s*(?:GMT|UTC)?\s*[+-]?[0-9:]{1,6}\Z|(?:GMT|UTC)\s*[+-]", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z")
_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}\Z")

LONGEST = Duration.parse("3650d")
MAX_LOCAL_PART = 64  # RFC 5321 section 4.5.3.1.1
MAX_DOMAIN = 253  # RFC 5321 section 4.5.3.1.2 allows 255, a name in DNS has 253


def is_address(text: str) -> bool:
    """Tell whether this is one plain ASCII address (RFC 5321 dot-string@domain)."""
    local, at, domain = text.rpartition("@")
    return bool(at and len(local) <= MAX_LOCAL_PART and _LOCAL_PART.match(local)) and is_domain(domain)


def is_domain(text: str) -> bool:
    """Tell whether this is a host or domain name in ASCII."""
    return len(text) <= MAX_DOMAIN and bool(_DOMAIN.match(text))


def is_host(text: str) -> bool:
    """Tell whether this is a host name or an IP address."""
    return is_domain(text) or (":" in text and bool(_IPV6.match(text)))


def is_tag(text: str) -> bool:
    """Tell whether this is a tag of a queue."""
    return bool(_TAG.match(text))


def _address(text: str) -> str:
    if is_address(text):
        return text
    if not text.isascii():
        raise ValueError("not an ASCII address; use the address with its domain in xn-- form")
    if "<" in text:
        raise ValueError('not a plain address; write only the part within <>, such as "kim@acme.example"')
    raise ValueError('not an e-mail address; write it as "name@domain"')


def _alias(text: str) -> str:
    if text.startswith("*@") and is_domain(text[2:]):
        return text
    try:
        return _address(text)
    except ValueError:
        raise ValueError(
            'neither an address nor a whole domain; write "old@acme.example" or "*@old.example"'
        ) from None


def _host(text: str) -> str:
    if is_host(text):
        return text
    if "://" in text:
        raise ValueError('not a host name; write it without the part up to "//"')
    if text.count(":") == 1:
        raise ValueError("not a host name; put the number behind the colon into port")
    raise ValueError('not a host name; write it as "mail.acme.example"')


def one_line(text: str) -> str:
    """Return a text that is not empty and fits on a line."""
    if not text.strip():
        raise ValueError("is empty; write a text")
    if _CONTROL.search(text):
        raise ValueError("holds a line break or control character; write it on one line")
    return text


def no_control(text: str) -> str:
    """Return a text that fits on a line; empty is allowed."""
    return one_line(text) if text else text


def _tag(text: str) -> str:
    if not is_tag(text):
        raise ValueError('not a tag; write 2 to 10 capitals and digits, first a capital, such as "SUP"')
    return text


def _language(text: str) -> str:
    if not _LANGUAGE.match(text):
        raise ValueError('not a language; write its code, such as "en" or "de"')
    return text


def is_zone(name: str) -> bool:
    """Tell whether this is a time zone of the IANA database."""
    try:
        _zone(name)
    except ValueError:
        return False
    return True


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        remedy = (
            'write a place, such as "Europe/London"'
            if _OFFSET.match(name)
            else 'write a name such as "Europe/London" or "UTC"'
        )
        raise ValueError(f"not a time zone; {remedy}") from None
    return name


def _after(text: str) -> str:
    if text in {"seen", "keep"}:
        return text
    if text == "move":
        raise ValueError('names no folder; write "move:FOLDER"')
    _prefix, colon, folder = text.partition(":")
    if _prefix == "move" and colon and folder.strip() == folder and folder and not _CONTROL.search(folder):
        return text
    raise ValueError('not one of "seen", "keep", "move:FOLDER"; write one of them')


def _start_from(value: object) -> str | date:
    if isinstance(value, str) and value in {"now", "all"}:
        return value
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError('not "now", "all" or a date; write a date without quotes, such as 2026-01-31')


def _duration(value: object) -> Duration:
    if isinstance(value, Duration):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f'has no unit; write "{value}h", "{value}m" or "{value}s" with quotes')  # noqa: TRY004 - pydantic collects ValueError
    if not isinstance(value, str):
        raise ValueError('not a duration; write it as text with a unit, such as "24h"')  # noqa: TRY004
    return Duration.parse(value)


def _plain(value: Duration) -> Duration:
    if value.working:
        raise ValueError(
            f'working time is not for this key; write plain time such as "{str(value).replace("w", "")}"'
        )
    return value


def _within(low: str, high: str) -> AfterValidator:
    lowest, highest = Duration.parse(low), Duration.parse(high)

    def check(value: Duration) -> Duration:
        if not lowest.seconds <= value.seconds <= highest.seconds:
            raise ValueError(f'out of range; write a duration from "{low}" to "{high}"')
        return value

    return AfterValidator(check)


def span(value: object) -> Duration:
    """Read a length of time that is not nothing, plain or in working time."""
    duration = _duration(value) if not isinstance(value, str) else _working_too(value)
    if not 0 < duration.seconds <= LONGEST.seconds:
        raise ValueError(f'out of range; write a duration from "1s" to "{LONGEST}"')
    return duration


def _working_too(text: str) -> Duration:
    """Read a duration where working time is allowed; the remedy says so."""
    try:
        return Duration.parse(text)
    except ValueError as error:
        said = str(error).replace('"24h" or "5d"', '"24h", "5d", or working time: "8wh", "5wd"')
        raise ValueError(said) from None


def _span_or_none(value: object) -> Duration | None:
    return None if value is None or value == "" else span(value)


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise ValueError('not a size; write a number and its unit, such as "25MB"')
        return value
    if isinstance(value, str):
        return parse_size(value)
    raise ValueError('not a size; write a number and its unit, such as "25MB"')


def _size_within(low: int, high: int, *, none: bool) -> AfterValidator:
    def check(value: int) -> int:
        if (none and value == 0) or low <= value <= high:
            return value
        also = "0 (none) or " if none else ""
        raise ValueError(f"out of range; write {also}a size from {size_text(low)} to {size_text(high)}")

    return AfterValidator(check)


def _path(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, (str, Path)) or not str(value).strip() or "\0" in str(value):
        raise ValueError("not a path; write it in quotes")
    folder = (info.context or {}).get(FOLDER, Path())
    return Path(folder, value)


def _path_or_none(value: object, info: ValidationInfo) -> Path | None:
    return None if value == "" or value is None else _path(value, info)


def _list(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, tuple):
        return value
    raise ValueError("not a list; put it in brackets: [...]")


def _secret(value: object, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        if not value or "\n" in value:
            raise ValueError('is not a password; write { file = "NAME" } and put the password into that file')
        return Secret(text=value)
    kinds = '{ file = "..." }, { env = "..." }, { command = ["..."] }, { credential = "..." }'
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(f"not a way to a secret; write exactly one of {kinds}")
    (kind, source), *_ = value.items()
    if kind == "file":
        return Secret(file=_path(source, info))
    if kind == "command":
        return Secret(command=_argv(source))
    if kind == "env" and isinstance(source, str) and _ENVIRONMENT_NAME.match(source):
        return Secret(env=source)
    if kind == "credential" and isinstance(source, str) and _CREDENTIAL_NAME.match(source):
        return Secret(credential=source)
    if kind in {"env", "credential"}:
        raise ValueError(f"names no {kind}; write its name in quotes, letters, digits and _ only")
    raise ValueError(f'does not know "{str(kind)[:20]}"; write one of {kinds}')


def _argv(value: object, sample: str = 'pass", "show", "mail') -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(word, str) for word in value)
        or not value[0]
    ):
        raise ValueError(f'not a command; write program and arguments as a list: ["{sample}"]')
    return tuple(value)


@dataclass(frozen=True, slots=True)
class Route:
    """A second way to tell the admins of an outage; exactly one field is set."""

    command: tuple[str, ...] = ()
    smtp_account: str = ""


def _alert(value: object) -> str | Route:
    if isinstance(value, Route) or value == "mail":
        return value
    kinds = '"mail", { command = ["/usr/local/bin/page"] } or { smtp_account = "NAME" }'
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(f"not a way to tell the admins; write {kinds}")
    (kind, target), *_ = value.items()
    if kind == "command":
        return Route(command=_argv(target, "/usr/local/bin/page"))
    if kind == "smtp_account" and isinstance(target, str) and target:
        return Route(smtp_account=target)
    if kind == "smtp_account":
        raise ValueError("names no account; write the NAME of an [smtp_account.NAME] in quotes")
    raise ValueError(f'does not know "{str(kind)[:20]}"; write {kinds}')


def _token(value: object, info: ValidationInfo) -> Secret:
    secret = _secret(value, info)
    if not secret.command:
        raise ValueError('a token is short-lived; write { command = ["..."] }, a command that prints it')
    return secret


Text = Annotated[str, Strict(), AfterValidator(one_line), Field(max_length=200)]
OptionalText = Annotated[str, Strict(), AfterValidator(no_control), Field(max_length=1000)]
MailAddress = Annotated[str, Strict(), AfterValidator(_address)]
Alias = Annotated[str, Strict(), AfterValidator(_alias)]
OptionalAddress = Annotated[str, Strict(), AfterValidator(lambda text: _address(text) if text else text)]
Host = Annotated[str, Strict(), AfterValidator(_host)]
OptionalHost = Annotated[str, Strict(), AfterValidator(lambda text: _host(text) if text else text)]
Port = Annotated[int, Strict(), Field(ge=1, le=65535)]
Tag = Annotated[str, Strict(), AfterValidator(_tag)]
Zone = Annotated[str, Strict(), AfterValidator(_zone)]
OptionalZone = Annotated[str, Strict(), AfterValidator(lambda name: _zone(name) if name else name)]
Language = Annotated[str, Strict(), AfterValidator(_language)]
After = Annotated[str, Strict(), AfterValidator(_after)]
StartFrom = Annotated[str | date, PlainValidator(_start_from)]
Count = Annotated[int, Strict(), Field(ge=0, le=1_000_000)]
Few = Annotated[int, Strict(), Field(ge=0, le=100)]
AnyDuration = Annotated[Duration, PlainValidator(_duration), AfterValidator(_plain), _within("0s", "3650d")]
Wait = Annotated[Duration, PlainValidator(_duration), AfterValidator(_plain), _within("1s", "3650d")]
Poll = Annotated[Duration, PlainValidator(_duration), AfterValidator(_plain), _within("1s", "1d")]
Span = Annotated[Duration, PlainValidator(span)]
SpanOrNone = Annotated[Duration | None, PlainValidator(_span_or_none)]
Size = Annotated[int, PlainValidator(_size), _size_within(10_000, 1_000_000_000, none=False)]
SizeOrNone = Annotated[int, PlainValidator(_size), _size_within(10_000, 1_000_000_000, none=True)]
FilePath = Annotated[Path, PlainValidator(_path)]
OptionalPath = Annotated[Path | None, PlainValidator(_path_or_none)]
Password = Annotated[Secret | None, PlainValidator(_secret)]
Token = Annotated[Secret | None, PlainValidator(_token)]
Alert = Annotated[str | Route, PlainValidator(_alert)]
AsList = BeforeValidator(_list)
