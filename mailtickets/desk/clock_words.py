"""Pure: the steps of a clock's story in plain English, with local times: "Mon 23 Nov 09:00  The clock runs again."

Agents and admins read it; what customers read is worded by templates.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mailtickets.desk.agreement import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, tzinfo

    from mailtickets.desk.agreement import Span
    from mailtickets.desk.clock_story import Step

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}
TARGETS = {
    Target.FIRST_RESPONSE: "first response",
    Target.UPDATE: "next update",
    Target.RESOLUTION: "resolution",
}
WAITS_FOR = {"waiting": "awaiting the customer's reply", "third_party": "with a third party"}
MINUTE = timedelta(minutes=1)
LONG = timedelta(hours=72)  # plain time beyond it is said in days


def lines(steps: Iterable[Step], zone: tzinfo) -> tuple[str, ...]:
    """Return a story as lines, each beginning with its time in this zone."""
    return tuple(f"{when(step.at, zone)}  {in_words(step, zone)}" for step in steps)


def in_words(step: Step, zone: tzinfo) -> str:
    """Return a step as a sentence; other times that it names are in this zone, too."""
    values = step.values
    match step.what:
        case "opened":
            return _opened(values, zone)
        case "answered":
            return f"First response from {values['actor']}{_after(values, zone)}."
        case "updated":
            return f"Update from {values['actor']}{_after(values, zone)}."
        case "stopped":
            return f"The clock stops: {WAITS_FOR.get(values['status'], values['status'])}."
        case "runs":
            return f"The clock runs again{_from(values, zone)}."
        case "resolved":
            return f"Resolved{_after(values, zone)}."
        case "interim":
            return f"Interim solution given{_after(values, zone)}."
        case "closed":
            return f"Closed{_after(values, zone)}."
        case "reopened":
            return f"Reopened; {'the clock goes on' if values['runs'] else 'the clock stands still'}."
        case "priority":
            return f"Priority is now {_priority(values)}."
        case "agreed":
            return f"Agreed: resolved by {when(values['due_at'], zone)}."
        case "breached":
            return f"Deadline missed: {_promise(values)}."
        case "late":
            return f"The {TARGETS[values['target']]} is late by {_length(values['by'], values)}."
        case "left":
            left = values["left"]
            have = f"{_length(left, values)} left" if left > timedelta(0) else "no time left"
            return f"The clock stands still; the {TARGETS[values['target']]} has {have} once it runs again."
        case "due":
            return f"The {TARGETS[values['target']]} is due; {_length(values['left'], values)} left."
        case other:
            return other


def when(moment: datetime, zone: tzinfo) -> str:
    """Return "Mon 23 Nov 09:00" in this zone."""
    here = moment.astimezone(zone)
    return f"{WEEKDAYS[here.weekday()]} {here.day} {MONTHS[here.month - 1]} {here:%H:%M}"


def length_in_words(length: timedelta, *, working: bool = False) -> str:
    """Return "3 h 20 min", "2 d 4 h", or "3 h 20 min of working time"; seconds count below a minute only."""
    length = abs(length)
    minutes = length // MINUTE
    days, hours = (0, minutes // 60) if working or length < LONG else divmod(minutes // 60, 24)
    parts = [(days, "d"), (hours, "h"), (minutes % 60 if not days else 0, "min")]
    text = " ".join(f"{number} {unit}" for number, unit in parts if number)
    if not text:
        text = f"{length.seconds} s" if length else "no time"
    return f"{text} of working time" if working and length else text


def span_in_words(span: Span) -> str:
    """Return "4 working hours", "5 working days", "30 minutes"."""
    if span.days is not None:
        return _count(span.days, "working day")
    length = span.working if span.working is not None else span.plain or timedelta(0)
    kind = "working " if span.working is not None else ""
    unit = span.text[-1:] if span.text[-1:] in UNITS else ""
    seconds = int(length.total_seconds())
    if unit not in UNITS or seconds % _SECONDS[unit]:
        unit = next(one for one in ("h", "m", "s") if seconds % _SECONDS[one] == 0)
    if kind and unit == "d":
        unit = "h"  # a working day is no fixed length
    return _count(seconds // _SECONDS[unit], kind + UNITS[unit])


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _opened(values: Mapping[str, Any], zone: tzinfo) -> str:
    if not values["runs"]:
        return f"Opened with priority {_priority(values)}; no clock runs for this type."
    promised = [
        f"{name} within {span_in_words(span)}"
        for name, span in (("first response", values["first_response"]), ("resolution", values["resolution"]))
        if span
    ]
    words = f"Opened with priority {_priority(values)}"
    words += f": {', '.join(promised)}." if promised else "; nothing was promised."
    if values["starts_at"]:
        words += f" The desk is closed: the clock starts {when(values['starts_at'], zone)}."
    return words


def _priority(values: Mapping[str, Any]) -> str:
    code, name = values["priority"], values["name"]
    return code if code == name else f"{code} ({name})"


def _from(values: Mapping[str, Any], zone: tzinfo) -> str:
    return f", from {when(values['starts_at'], zone)} on, when the desk opens" if values["starts_at"] else ""


def _after(values: Mapping[str, Any], zone: tzinfo) -> str:
    """Return " after 1 h 20 min of 4 working hours, in time", as far as it is known."""
    if not values:
        return ""
    verdict = {True: ", in time", False: ", too late", None: ""}[values["kept"]]
    if values["due_at"]:
        return (
            f"{verdict} for {when(values['due_at'], zone)}"
            if values["kept"]
            else f", too late: agreed was {when(values['due_at'], zone)}"
        )
    if not values["allowed"]:
        return f" after {_length(values['used'], values)}"
    return f" after {length_in_words(values['used'])} of {span_in_words(values['allowed'])}{verdict}"


def _promise(values: Mapping[str, Any]) -> str:
    """Return "the first response was promised within 4 working hours"."""
    target, number = values["target"], values["number"]
    clock = f"update {number}" if target is Target.UPDATE else f"the {TARGETS[target]}"
    within = (
        f"promised within {span_in_words(values['allowed'])}"
        if values["allowed"]
        else "agreed for this moment"
    )
    return f"{clock} was {within}"


def _length(length: timedelta, values: Mapping[str, Any]) -> str:
    return length_in_words(length, working=values["working"])
