"""The kinds of values an agreement is written with: shares, times of day, domains, words, triggers, people.

Every check raises ValueError("reason; remedy"), as those of `config_types.py` do.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, Strict

from mailtickets.config_types import is_address, is_domain, no_control, one_line, span
from mailtickets.durations import Duration

ROLES = ("account_manager", "assignee", "admins")
BELOW = "*."  # "*.acme.example": every domain below it
MAX_CRITERIA = 1000  # letters; they stand in an acknowledgement of at most 16 KB

_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%\Z")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z")
_MAILBOX = re.compile(r'\s*"?([^<>"]*?)"?\s*<\s*([^<>\s]+)\s*>\s*\Z')
_HEADER_NAME = re.compile(r"[!-9;-~]{1,76}\Z")  # RFC 5322 section 3.6.8: printable, without the colon
_TAG_WORD = re.compile(r"[^\s,;#]{1,40}\Z")

CONTACT_FORMS = (
    '"kim", "account_manager", "Jo Boss <jo@acme.example>" or { name = "...", email = "...", phone = "..." }'
)


@dataclass(frozen=True, slots=True)
class When:
    """When a rung fires: at a share of a target, so long after its breach, or on request (neither is set).

    A breach itself is `after` of no length. `text` is how it is written, without spaces.
    """

    text: str
    share: float | None = None
    after: Duration | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is told: an agent's key or a role in `key`, or else an address with name and telephone."""

    key: str = ""
    address: str = ""
    name: str = ""
    phone: str = ""


def _share(value: object) -> float:
    """Read "95%" as 0.95."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        percent = value * 100 if isinstance(value, float) and value < 1 else value
        raise ValueError(f'has no percent sign; write "{percent:g}%" with quotes')  # noqa: TRY004 - pydantic collects ValueError
    found = _SHARE.match(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('not a share; write a number from 0 to 100 with a percent sign, such as "95%"')
    if float(found[1]) > 100:
        raise ValueError('out of range; write a share from "0%" to "100%"')
    return float(found[1]) / 100


def _time_of_day(text: str) -> str:
    if not _TIME.match(text):
        raise ValueError('not a time of day; write hours and minutes, such as "07:00" or "18:30"')
    return text


def _domain(text: str) -> str:
    if "@" in text:
        domain = text.rpartition("@")[2]
        remedy = f'write "{domain}"' if is_domain(domain) else 'write it as "acme.example"'
        raise ValueError(f"not a domain; {remedy}, and a single person's address under contacts")
    if not text.isascii():
        raise ValueError("not an ASCII domain; write it in xn-- form")
    if not is_domain(text.removeprefix(BELOW)):
        raise ValueError('not a domain; write it as "acme.example", or "*.acme.example" for all below it')
    if text.startswith(BELOW) and "." not in text.removeprefix(BELOW):
        raise ValueError('is a whole top-level domain; write it as "*.acme.example"')
    return text.lower()


def _sender(text: str) -> str:
    domain = text.removeprefix("*@")
    if domain != text and is_domain(domain.removeprefix(BELOW)):
        return text
    if not is_address(text):
        raise ValueError(
            'neither an address nor a whole domain; write "ana@acme.example", "*@acme.example" or "*@*.acme.example"'
        )
    return text


def _tag_word(text: str) -> str:
    if not _TAG_WORD.match(text) or not text.isprintable():
        raise ValueError('not a label; write one word of up to 40 letters, without ",", ";" and "#"')
    return text


def _day(value: object) -> date | None:
    if value is None or value == "":
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and len(value) == len("2027-01-31"):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise ValueError("not a date; write year, month and day, such as 2027-01-31")


def _header_patterns(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError('not a table; write { "X-Severity" = "high" }')  # noqa: TRY004 - pydantic collects ValueError
    for name, pattern in value.items():
        if not _HEADER_NAME.match(str(name)):
            raise ValueError(
                f'"{str(name)[:40]}" is not the name of a header field; write it as "X-Severity"'
            )
        if not isinstance(pattern, str) or not pattern.strip():
            raise ValueError(
                f'{name} holds no word to look for; write one, or "*" where the field only has to be there'
            )
    return {str(name): pattern.strip() for name, pattern in value.items()}


def _when(value: object) -> When:
    text = "".join(value.split()) if isinstance(value, str) else ""
    if text == "request":
        return When(text)
    if text == "breach":
        return When(text, after=Duration.parse("0s"))
    if text.startswith("breach+"):
        return When(text, after=span(text.removeprefix("breach+")))
    found = _SHARE.match(text)
    if found is None:
        raise ValueError('not a moment of a ladder; write "80%", "breach", "breach+4h" or "request"')
    if not 0 < float(found[1]) < 100:
        raise ValueError('out of range; write a share from "1%" to "99%", or "breach" for the whole target')
    return When(text, share=float(found[1]) / 100)


def _person(value: object) -> Person:
    if isinstance(value, dict):
        return _person_of_table(value)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"names nobody; write {CONTACT_FORMS}")
    text = one_line(value).strip()
    if found := _MAILBOX.match(text):
        return Person(address=_own_address(found[2]), name=found[1].strip())
    if "@" in text:
        return Person(address=_own_address(text))
    return Person(key=text)


def _person_of_table(table: dict[object, object]) -> Person:
    for key, value in table.items():
        if key not in {"name", "email", "phone"}:
            raise ValueError(
                f'does not know "{str(key)[:40]}"; write {{ name = "...", email = "...", phone = "..." }}'
            )
        if not isinstance(value, str):
            raise ValueError(f"{key} is not text; put it in double quotes")  # noqa: TRY004 - pydantic collects ValueError
        no_control(value)
    email = str(table.get("email", ""))
    if not email:
        raise ValueError('has no email; add email = "jo@acme.example"')
    return Person("", _own_address(email), str(table.get("name", "")), str(table.get("phone", "")))


def _own_address(text: str) -> str:
    if not is_address(text):
        raise ValueError(f'"{text[:60]}" is not an e-mail address; write it as "name@domain"')
    return text


def _one_or_more(value: object) -> object:
    """Take a single text for a list of one."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Priority = Literal["P1", "P2", "P3", "P4"]
OptionalPriority = Literal["", "P1", "P2", "P3", "P4"]
Share = Annotated[float, PlainValidator(_share)]
TimeOfDay = Annotated[str, Strict(), AfterValidator(_time_of_day)]
Domain = Annotated[str, Strict(), AfterValidator(_domain)]
Sender = Annotated[str, Strict(), AfterValidator(_sender)]
TagWord = Annotated[str, Strict(), AfterValidator(_tag_word)]
Criteria = Annotated[str, Strict(), AfterValidator(no_control), Field(max_length=MAX_CRITERIA)]
Day = Annotated[date | None, PlainValidator(_day)]
HeaderPatterns = Annotated[dict[str, str], PlainValidator(_header_patterns)]
Name = Annotated[str, Strict()]
Moment = Annotated[When, PlainValidator(_when)]
Told = Annotated[Person, PlainValidator(_person)]
OneOrMore = BeforeValidator(_one_or_more)
