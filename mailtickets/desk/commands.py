"""Pure: an agent's commands, read off the first lines of the agent's own new text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from mailtickets.desk.ticket import Status

MAX_COMMANDS = 10
NO_ARGUMENT, OPTIONAL_DURATION, REQUIRED_NAME, FREE_TEXT = "none", "duration", "name", "text"


@dataclass(frozen=True, slots=True)
class CommandRule:
    """What a command takes and does, in the words of the help mail."""

    name: str
    takes: str
    does: str
    status: Status | None = None


RULES: dict[str, CommandRule] = {
    rule.name: rule
    for rule in (
        CommandRule("note", FREE_TEXT, "the text is a note for agents; the customer gets nothing"),
        CommandRule(
            "wait",
            OPTIONAL_DURATION,
            "awaits the customer; #wait 5d puts the first reminder off",
            Status.WAITING,
        ),
        CommandRule("pending", NO_ARGUMENT, "the next move is yours; no reminders", Status.PENDING),
        CommandRule("third-party", NO_ARGUMENT, "waits for somebody else; no reminders", Status.THIRD_PARTY),
        CommandRule("open", NO_ARGUMENT, "back to being processed", Status.OPEN),
        CommandRule(
            "resolve", NO_ARGUMENT, "we think it is fixed; it closes by itself after a while", Status.RESOLVED
        ),
        CommandRule("close", NO_ARGUMENT, "closes the ticket now", Status.CLOSED),
        CommandRule("take", NO_ARGUMENT, "the ticket is yours"),
        CommandRule("assign", REQUIRED_NAME, "gives the ticket to an agent, as in #assign lee"),
        CommandRule("help", NO_ARGUMENT, "mails you this list"),
    )
}


@dataclass(frozen=True, slots=True)
class Command:
    """One command; `argument` is the agent's key for assign, `wait` the duration of wait."""

    name: str
    argument: str = ""
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class CommandProblem:
    """Why the whole mail comes back: nothing was sent, nothing was done."""

    word: str
    why: str
    nearest: str = ""


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


def read_commands(text: str, agents: tuple[str, ...] = ()) -> Read:
    """Split an agent's new text into commands and the reply below them.

    agents   keys of the queue's agents, for `#assign`.

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
        if not bare.startswith(("#", "\uff03")) or bare.startswith("##"):
            break
        command, rest, problem = _read_line(bare, agents)
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
    if problem := _stray_command(body) or _contradiction(commands, "\n".join(body).strip()):
        return Read(text=text, problem=problem)
    if body and body[0].lstrip().startswith("##"):
        body = [body[0].replace("##", "#", 1), *body[1:]]
    return Read(tuple(dict.fromkeys(commands)), "\n".join((*extra, *body)).strip())


def _read_line(line: str, agents: tuple[str, ...]) -> tuple[Command | None, str, CommandProblem | None]:
    word, _, argument = line[1:].partition(" ")
    argument = " ".join(argument.split())
    rule = RULES.get(word.lower()) if line.startswith("#") and word.isascii() else None
    if rule is None:
        shown = line.split(" ", maxsplit=1)[0] if word else line
        why = "is not a command that I know" if word else "starts with #, which is kept for commands"
        return None, "", CommandProblem(shown[:80], why, nearest(word))
    if rule.takes == NO_ARGUMENT and argument:
        return (
            None,
            "",
            CommandProblem(
                line[:80], f"takes nothing behind #{rule.name}; write the text below it", f"#{rule.name}"
            ),
        )
    if rule.takes == REQUIRED_NAME:
        name = argument.lower().lstrip("@")
        if name not in agents:
            known = ", ".join(agents)
            return (
                None,
                "",
                CommandProblem(
                    line[:80], f"names no agent of this queue ({known})", _nearest_of(name, agents)
                ),
            )
        return Command(rule.name, name), "", None
    if rule.takes == OPTIONAL_DURATION and argument:
        wait = read_duration(argument)
        if wait is None:
            return (
                None,
                "",
                CommandProblem(
                    line[:80], 'is not a duration; write "#wait 5d", "#wait 36h" or "#wait 90m"', "#wait 5d"
                ),
            )
        return Command(rule.name, wait=wait), "", None
    return Command(rule.name), argument if rule.takes == FREE_TEXT else "", None


_GREETING = re.compile(
    r"(?:hi|hello|hey|dear|good (?:morning|afternoon|evening|day)|hallo|guten tag|liebe[r]?|bonjour|hola|ciao)\b.{0,40}",
    re.IGNORECASE,
)


def _stray_command(body: list[str]) -> CommandProblem | None:
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
        word = (
            bare[1:].split(" ")[0].rstrip(":.,;!").lower()
            if bare.startswith("#") and not bare.startswith("##")
            else ""
        )
        if word and (word in RULES or nearest(word)):
            return CommandProblem(
                bare[:80], "stands below other text; commands go into the first lines", nearest(word)
            )
    return None


def _contradiction(commands: list[Command], text: str) -> CommandProblem | None:
    if any(command.name == "help" for command in commands) and (len(commands) > 1 or text):
        return CommandProblem("#help", "stands alone in a mail; nothing else in it was done")
    statuses = {command.name for command in commands if RULES[command.name].status}
    if len(statuses) > 1:
        both = " and ".join(f"#{name}" for name in sorted(statuses))
        return CommandProblem(both, "contradict each other")
    owners = {(c.name, c.argument) for c in commands if c.name in {"take", "assign"}}
    if len(owners) > 1:
        return CommandProblem("#take and #assign", "name two owners")
    if len({c.wait for c in commands if c.name == "wait"}) > 1:
        return CommandProblem("#wait", "is given twice with different durations")
    return None


_DURATION = re.compile(r"([0-9]{1,6})\s?(s|m|h|d|w)(?:[a-z]{0,8})", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
MAX_WAIT = timedelta(days=366)


def read_duration(text: str) -> timedelta | None:
    """Return a duration such as `5d`, `36 h`, `2 weeks`; None if it is none or above a year."""
    match = _DURATION.fullmatch(text.strip().lower())
    if not match:
        return None
    duration = timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    return duration if timedelta(0) < duration <= MAX_WAIT else None


def nearest(word: str) -> str:
    """Return the command nearest to a word as `#name`, or an empty string where none is near."""
    name = _nearest_of(word.lower()[:20], tuple(RULES))
    return f"#{name}" if name else ""


def _nearest_of(word: str, names: tuple[str, ...]) -> str:
    best = min(((edit_distance(word[:30], name), name) for name in names), default=(99, ""))
    return best[1] if best[0] <= 2 else ""


def edit_distance(one: str, other: str) -> int:
    """Return the number of letters to insert, drop or change to make one word of the other."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]
