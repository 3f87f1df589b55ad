"""Pure: an agent's commands, read off the first lines of the agent's own new text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets.desk.agreement import PRIORITIES, Span
from mailtickets.desk.command_rules import PRIORITY_COMMANDS, RULES, Takes
from mailtickets.desk.terms import priority_name
from mailtickets.desk.words import folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mailtickets.desk.agreement import ServiceLevel
    from mailtickets.desk.ticket import Status

MAX_COMMANDS = 10
MAX_REASON = 500
MAX_WORD = 60
DATE_SAMPLES = '"#due 1 Dec", "#due friday 15:00" or "#due 3wd"'


@dataclass(frozen=True, slots=True)
class Known:
    """What commands may name on this desk and this ticket.

    agents       keys of the queue's agents.
    types        names of ticket types.
    priorities   the desk's own words for priorities as commands, "very-high", to P1..P4.
    """

    agents: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    priorities: Mapping[str, str] = field(default_factory=dict)


def priority_words(level: ServiceLevel | None) -> dict[str, str]:
    """Return the names of priorities as commands: "Very high" is #very-high. A name that is a command stays one."""
    words: dict[str, str] = {}
    for priority in PRIORITIES:
        word = "-".join(folded(priority_name(priority, level), MAX_WORD).split())
        if word not in RULES:
            words.setdefault(word, priority)
    return words


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    argument   what it names: an agent's key, a priority, a type, a tag, an address, a reason, a ticket;
               for `due` the date as it was written.
    wait       the duration of wait.
    """

    name: str
    argument: str = ""
    wait: Span | None = None


@dataclass(frozen=True, slots=True)
class CommandProblem:
    """Why the whole mail comes back: nothing was sent, nothing was done.

    nearest   the whole line that may have been meant; the same as `word` where only its place is wrong.
    """

    word: str
    why: str
    nearest: str = ""

    def __str__(self) -> str:
        """Return it as a sentence; a whole line stands in quotes, so that its words are not read as ours."""
        return f'"{self.word}" {self.why}.' if " " in self.word else f"{self.word} {self.why}."


@dataclass(frozen=True, slots=True)
class Read:
    """The commands of a mail, the text that follows them, and the problem, if there is one."""

    commands: tuple[Command, ...] = ()
    text: str = ""
    problem: CommandProblem | None = None

    def has(self, name: str) -> bool:
        """Tell whether a command was given."""
        return any(command.name == name for command in self.commands)

    def get(self, name: str) -> Command | None:
        """Return a command that was given, or None."""
        return next((command for command in self.commands if command.name == name), None)

    @property
    def status(self) -> Status | None:
        """The status that a command asks for, or None."""
        return next((s for command in self.commands if (s := RULES[command.name].status)), None)

    @property
    def priority(self) -> str:
        """The priority that a command sets, or an empty string."""
        return next((c.argument for c in self.commands if c.name in PRIORITY_COMMANDS), "")

    @property
    def asks_customer(self) -> bool:
        """`#ask` alone: the customer gets the list of what is missing."""
        ask = self.get("ask")
        return ask is not None and not ask.argument

    @property
    def asks_aside(self) -> str:
        """The address behind `#ask`: the text goes there and not to the customer; "" for none."""
        ask = self.get("ask")
        return ask.argument if ask else ""

    @property
    def only_reads(self) -> bool:
        """There are commands, every one of them only answers, and there is no text."""
        return bool(self.commands) and not self.text and all(RULES[c.name].reads for c in self.commands)


def read_commands(text: str, known: Known) -> Read:
    """Split an agent's new text into commands and the reply below them.

    Whatever starts with `#` in the first lines is a command or a problem: a mistyped command that
    went to the customer as text would do harm, a mail that comes back does none. `##` stands for
    a plain `#`.
    """
    lines = text.replace("\u00a0", " ").split("\n")
    commands: list[Command] = []
    extra: list[str] = []
    at = 0
    for at, line in enumerate(lines):  # noqa: B007  (the place where the text starts is wanted)
        bare = line.strip()
        if not bare:
            continue
        if not starts_command(bare):
            break
        command, rest, problem = _read_line(bare, known)
        if problem:
            return Read(text=text, problem=problem)
        if command:
            commands.append(command)
        if rest:
            extra.append(rest)
        if len(commands) > MAX_COMMANDS:
            return Read(
                text=text, problem=CommandProblem(bare, f"more than {MAX_COMMANDS} commands in one mail")
            )
    else:
        at = len(lines)
    body = lines[at:]
    if problem := _stray_command(body, known) or _contradiction(commands, "\n".join((*extra, *body)).strip()):
        return Read(text=text, problem=problem)
    if body and body[0].lstrip().startswith("##"):
        body = [body[0].replace("##", "#", 1), *body[1:]]
    return Read(tuple(dict.fromkeys(commands)), "\n".join((*extra, *body)).strip())


def starts_command(line: str) -> bool:
    """Tell whether a line begins like a command, signs that nobody sees and look-alikes of # included; ## is text."""
    seen = folded(line, MAX_WORD)
    return seen.startswith("#") and not seen.startswith("##")


# -- one line -------------------------------------------------------------------------------------


def _read_line(line: str, known: Known) -> tuple[Command | None, str, CommandProblem | None]:
    word, _, argument = line[1:].partition(" ")
    argument = " ".join(argument.split())
    rule = RULES.get(word.lower()) if line.startswith("#") and word.isascii() else None
    priority = (
        known.priorities.get(folded(word, MAX_WORD), "") if line.startswith("#") and rule is None else ""
    )
    if priority:
        rule = RULES[priority.lower()]
    if rule is None and (problem := _priority_in_other_words(word, argument, line, known)):
        return None, "", problem
    if rule is None:
        shown = line.split(" ", maxsplit=1)[0] if word else line
        why = "is not a command that I know" if word else "starts with #, which is kept for commands"
        return None, "", CommandProblem(shown[:80], why, nearest(word, known.priorities))
    if rule.takes is Takes.TEXT:
        return Command(rule.name), argument, None
    if rule.takes is Takes.NOTHING and argument:
        written = f"#{folded(word, MAX_WORD)}"
        why = f"takes nothing behind {written}; write the text below it"
        return None, "", CommandProblem(line[:80], why, written)
    try:
        return _with_argument(rule.name, rule.takes, argument, known), "", None
    except _Refused as refused:
        return None, "", CommandProblem(line[:80], refused.why, refused.nearest)


class _Refused(Exception):  # noqa: N818  (named for the situation)
    def __init__(self, why: str, nearest: str = "") -> None:
        super().__init__(why)
        self.why, self.nearest = why, nearest


def _with_argument(name: str, takes: Takes, argument: str, known: Known) -> Command:
    match takes:
        case Takes.AGENT:
            agent = _one_of(name, argument.lower().lstrip("@"), known.agents, "agent of this queue")
            return Command(name, agent)
        case Takes.TYPE:
            kind = _one_of(name, "-".join(argument.lower().split()), known.types, "type of request")
            return Command(name, kind)
        case Takes.DURATION if argument:
            wait = read_span(argument)
            if wait is None:
                raise _Refused(
                    'is not a duration; write "#wait 5d", "#wait 36h", "#wait 90m" or "#wait 3wd"', "#wait 5d"
                )
            return Command(name, wait=wait)
        case Takes.DATE if not argument:
            raise _Refused(f"names no date; write {DATE_SAMPLES}", "#due 3wd")
        case Takes.WORD:
            return Command(name, _tag(argument))
        case Takes.ADDRESS if argument:
            return Command(name, _address(name, argument))
        case Takes.REFERENCE if argument:
            if not _REFERENCE.fullmatch(argument):
                raise _Refused(f'names no ticket; write it as "#{name} SUP-1042"', f"#{name}")
            return Command(name, argument.strip("[]").upper())
        case Takes.REASON:
            return Command(name, argument[:MAX_REASON])
        case _ if name in PRIORITY_COMMANDS:
            return Command(name, name.upper())
        case _:
            return Command(name, argument)


_REFERENCE = re.compile(r"\[?[A-Z][A-Z0-9]{1,9}-[1-9][0-9]{0,9}\]?", re.IGNORECASE | re.ASCII)
_TAG_WORD = re.compile(r"[^\s,;#]{1,40}")  # as in the configuration
# Outlook writes a linked address twice: "carl@supplier.example <mailto:carl@supplier.example>".
_ADDRESS = re.compile(
    r"<?((?!mailto:)[!-;=?A-~]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,250}[A-Za-z0-9])>?(?: ?<mailto:[^<> ]{1,330}>)?", re.ASCII
)  # fmt: skip


_PRIORITY_WORDS = frozenset({"priority", "prio"})
_NUMBERED_PRIORITY = re.compile(r"p[0-9]{1,2}", re.ASCII)


def _priority_in_other_words(word: str, argument: str, line: str, known: Known) -> CommandProblem | None:
    """Word `#p5` and `#priority high`; None where no priority was meant."""
    own = [f"#{name}" for name in known.priorities]
    there_are = f"there are #p1 to #p4{', and here also ' + ', '.join(own) if own else ''}"
    if line.startswith("#") and _NUMBERED_PRIORITY.fullmatch(word.lower()):
        return CommandProblem(line[:80], f"is no priority; {there_are}")
    if folded(word, MAX_WORD) not in _PRIORITY_WORDS:
        return None
    meant = "-".join(folded(argument, MAX_WORD).split())
    plain = {RULES[name].does: name for name in PRIORITY_COMMANDS} | {n[1:]: n for n in PRIORITY_COMMANDS}
    names = (*known.priorities, *PRIORITY_COMMANDS)
    near = meant if meant in names else plain.get(meant) or _nearest_of(meant, names)
    return CommandProblem(line[:80], f"is not a command that I know; {there_are}", f"#{near}" if near else "")


def _one_of(name: str, word: str, known: tuple[str, ...], what: str) -> str:
    if word not in known:
        near = _nearest_of(word, known)
        raise _Refused(f"names no {what} ({', '.join(known)})", f"#{name} {near}" if near else "")
    return word


def _tag(argument: str) -> str:
    word = argument.lstrip("#")
    if not _TAG_WORD.fullmatch(word) or not word.isprintable():
        raise _Refused(
            'needs one word of up to 40 letters, as in "#tag printer"; each tag has a line of its own'
        )
    return word


def _address(name: str, argument: str) -> str:
    address = named_address(argument)
    if not address:
        raise _Refused(f'names no address; write "#{name}" alone, or "#{name} carl@supplier.example"')
    return address


def named_address(argument: str) -> str:
    """Return the address that a command names, in comparable form, or an empty string."""
    found = _ADDRESS.fullmatch(" ".join(argument.split()))
    if found is None or "." not in found[1].rpartition("@")[2] or ".." in found[1]:
        return ""
    return found[1].lower()


# -- all lines together ---------------------------------------------------------------------------

_GREETING = re.compile(
    r"(?:hi|hello|hey|dear|good (?:morning|afternoon|evening|day)|hallo|guten tag|liebe[r]?|bonjour|hola|ciao)\b.{0,40}",
    re.IGNORECASE,
)


def _stray_command(body: list[str], known: Known) -> CommandProblem | None:
    """Find a command below text in the first block: it was meant, but would go to the customer."""
    seen: list[str] = []
    for line in body:
        bare = line.strip()
        if not bare:
            # A greeting alone in its block is not yet the text: what follows it is looked at too.
            if seen and not (len(seen) == 1 and _GREETING.fullmatch(seen[0])):
                return None
            continue
        seen.append(bare)
        word = folded(bare, MAX_WORD)[1:].split(" ")[0].rstrip(":.,;!") if starts_command(bare) else ""
        if word and (near := nearest(word, known.priorities)):
            if near == f"#{word}":
                _command, _rest, problem = _read_line(bare, known)
                near = (problem.nearest or near) if problem else bare[:80]
            why = "stands below other text; commands go into the first lines"
            return CommandProblem(bare[:80], why, near)
    return None


# What may be said once in a mail.
_ONCE = {"wait": "is given twice with different durations", "due": "is given twice with different dates",
         "type": "is given twice with different types", "ask": "is given twice; send a mail for each",
         "escalate": "is given twice with different reasons"}  # fmt: skip
ENDS = frozenset({"resolve", "close"})


def _contradiction(commands: list[Command], text: str) -> CommandProblem | None:
    names = {command.name for command in commands}
    for name in ("help", "forget"):
        if name in names and (len(commands) > 1 or text):
            return CommandProblem(f"#{name}", "stands alone in a mail; nothing else in it was done")
    if len(statuses := {name for name in names if RULES[name].status}) > 1:
        return _at_odds(statuses)
    if len({(c.name, c.argument) for c in commands if c.name in {"take", "assign"}}) > 1:
        return CommandProblem("#take and #assign", "name two owners")
    if len(priorities := names & set(PRIORITY_COMMANDS)) > 1:
        return _at_odds(priorities)
    for name, why in _ONCE.items():
        if len({command for command in commands if command.name == name}) > 1:
            return CommandProblem(f"#{name}", why)
    ends = names & ENDS
    for name in ("due", "workaround", "ask"):
        if name in names and ends:
            return _at_odds({name, *ends})
    ask = next((command for command in commands if command.name == "ask"), None)
    if ask and "note" in names:
        return _at_odds({"ask", "note"})
    if ask and not ask.argument and (others := statuses - {"wait"}):
        return _at_odds({"ask", *others})
    if ask and ask.argument and "wait" in names:
        return CommandProblem("#ask and #wait", "contradict each other: the text does not go to the customer")
    return None


def _at_odds(names: Iterable[str]) -> CommandProblem:
    both = " and ".join(f"#{name}" for name in sorted(names))
    return CommandProblem(both, "contradict each other")


_DURATION = re.compile(r"([0-9]{1,6})\s?(s|m|h|d|w)(?:[a-z]{0,8})", re.ASCII)
_WORKING = re.compile(r"([0-9]{1,6})\s?(?:w|working |business )(m|h|d)[a-z]{0,8}", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
MAX_WAIT = timedelta(days=366)


def read_span(text: str) -> Span | None:
    """Return a length of plain or working time: `5d`, `36 h`, `4wh`, `3 working days`; None if it is none or above a year."""
    if match := _WORKING.fullmatch(text.strip().lower()):
        length = timedelta(seconds=int(match[1]) * _UNITS[match[2]])
        if not timedelta(0) < length <= MAX_WAIT:
            return None
        return Span(days=int(match[1])) if match[2] == "d" else Span(working=length)
    plain = read_duration(text)
    return None if plain is None else Span(plain=plain)


def read_duration(text: str) -> timedelta | None:
    """Return a duration such as `5d`, `36 h`, `2 weeks`; None if it is none or above a year."""
    match = _DURATION.fullmatch(text.strip().lower())
    if not match:
        return None
    duration = timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    return duration if timedelta(0) < duration <= MAX_WAIT else None


def nearest(word: str, more: Iterable[str] = ()) -> str:
    """Return the command nearest to a word as `#name`, or an empty string where none is near.

    more   further words that are commands: the desk's own for priorities.
    """
    # NFKC: a Japanese keyboard writes the letters of a command in full width.
    name = _nearest_of(unicodedata.normalize("NFKC", word[:40]).lower()[:20], (*RULES, *more))
    return f"#{name}" if name else ""


def _nearest_of(word: str, names: tuple[str, ...]) -> str:
    best = min(
        ((edit_distance(word[:30], name), name) for name in names if _may_mean(word, name)), default=(99, "")
    )
    return best[1] if best[0] <= 2 else ""


def _may_mean(word: str, name: str) -> bool:
    """Two letters of a long word are a slip; of a short one they are another word: #12 does not mean #p1."""
    if len(name) > 3:
        return True
    return edit_distance(word[:30], name) <= 1 and word[:1] == name[:1] and len(word) >= len(name) - 1


def edit_distance(one: str, other: str) -> int:
    """Return the number of letters to insert, drop or change to make one word of the other."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]
