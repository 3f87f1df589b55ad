"""Pure: what an admin's rules make of a mail that opens a ticket, and why; and what priority its writer states.

Whole words of what the writer wrote, never of what the mail quotes. Sets nothing: an outcome goes out as a value.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from mailtickets.desk.agreement import PRIORITIES
from mailtickets.desk.words import Text, begins_with, folded
from mailtickets.mail.authentication import Proof
from mailtickets.mail.message import address_key, domain_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailtickets.desk.agreement import Organisation, Rule, ServiceLevel
    from mailtickets.desk.events import Incoming

MAX_TEXT = 100_000  # letters; what stands below them in a mail decides nothing
MAX_LINE = 1_000  # letters of a subject or of one header field
SHOWN_WORDS = 5
What = Literal["priority", "type", "queue", "assignee", "service_level"]
FORGED = "our mail server says that the sender is forged, so the address counts for nothing"


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that holds, and by what: `the subject has "urgent"; the sender is ana@customer.example`."""

    rule: Rule
    because: str


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A rule that does not hold, or was not looked at, and why."""

    rule: Rule
    why: str


@dataclass(frozen=True)
class Outcome:
    """What the rules set; "" and () where none says anything. `fired` in the order of the file."""

    priority: str = ""
    type: str = ""
    queue: str = ""
    assignee: str = ""
    tags: tuple[str, ...] = ()
    service_level: str = ""
    fired: tuple[Fired, ...] = ()
    _rules: tuple[Rule, ...] = field(default=(), repr=False, compare=False)
    _mail: _Mail | None = field(default=None, repr=False, compare=False)

    @cached_property
    def passed_over(self) -> tuple[PassedOver, ...]:
        """Every other rule with the reason; found out only when somebody asks."""
        if self._mail is None:
            return ()
        fired = {one.rule.number for one in self.fired}
        stopped = next((one.rule for one in self.fired if one.rule.stop), None)
        passed: list[PassedOver] = []
        for rule in self._rules:
            if rule.number in fired:
                continue
            if stopped is not None and rule.number > stopped.number:
                passed.append(PassedOver(rule, f"not looked at, as {called(stopped)} ends the list"))
            else:
                passed.append(
                    PassedOver(rule, next(said for held, said in _conditions(rule, self._mail) if not held))
                )
        return tuple(passed)

    def set_by(self, what: What) -> Rule | None:
        """Return the rule whose word about one field stands, or None."""
        return next((one.rule for one in reversed(self.fired) if getattr(one.rule, f"set_{what}")), None)


def apply(
    rules: Sequence[Rule], incoming: Incoming, queue: str, organisation: Organisation | None
) -> Outcome:
    """Return what the rules say about a mail.

    queue          name of the queue that the mail came to.
    organisation   of the sender, or None.

    For each field the last rule that holds is the one that counts, until a rule with `stop`; tags add up. A
    sender who is proven false matches no condition about sender or organisation. Time grows with the length of
    the mail and no faster, whatever is in it.
    """
    mail = _Mail(incoming, queue, organisation)
    fired: list[Fired] = []
    for rule in rules:
        because: list[str] = []
        for held, said in _conditions(rule, mail):
            if not held:
                break
            because.append(said)
        else:
            fired.append(Fired(rule, "; ".join(because) or "it has no condition"))
            if rule.stop:
                break
    outcome = Outcome(fired=tuple(fired), _rules=tuple(rules), _mail=mail)
    return replace(
        outcome,
        priority=_stands(outcome, "priority"),
        type=_stands(outcome, "type"),
        queue=_stands(outcome, "queue"),
        assignee=_stands(outcome, "assignee"),
        service_level=_stands(outcome, "service_level"),
        tags=tuple(dict.fromkeys(tag for one in fired for tag in one.rule.set_tags)),
    )


def _stands(outcome: Outcome, what: What) -> str:
    rule = outcome.set_by(what)
    return str(getattr(rule, f"set_{what}")) if rule else ""


def called(rule: Rule) -> str:
    """Return what a rule is called in front of people: `rule 2 "outages"`."""
    return f'rule {rule.number} "{rule.name}"' if rule.name else f"rule {rule.number}"


class _Mail:
    """What the rules look at; folded once for all of them, and only what they ask for."""

    def __init__(self, incoming: Incoming, queue: str, organisation: Organisation | None) -> None:
        self.incoming, self.queue = incoming, queue
        self.forged = incoming.proof is Proof.FAIL
        self.organisation = organisation
        self._found: dict[tuple[str, str], bool] = {}

    @cached_property
    def subject(self) -> Text:
        return Text(self.incoming.message.subject, MAX_LINE)

    @cached_property
    def text(self) -> Text:
        return Text(self.incoming.text, MAX_TEXT)

    def has(self, place: str, word: str) -> bool:
        """Tell whether subject or text holds a word; rules ask for the same ones again and again."""
        if (place, word) not in self._found:
            self._found[place, word] = (self.subject if place == "subject" else self.text).has(word)
        return self._found[place, word]


def _conditions(rule: Rule, mail: _Mail) -> Iterator[tuple[bool, str]]:
    """Yield for each condition of a rule whether it holds, and why or why not; the cheap ones first."""
    if rule.queue:
        if mail.queue in rule.queue:
            yield True, f"it came to the queue {mail.queue}"
        else:
            yield False, f"it came to the queue {mail.queue}, not to {_listed(rule.queue)}"
    if rule.sender:
        yield _sender(rule, mail)
    if rule.organisation:
        yield _organisation(rule, mail)
    for name, pattern in rule.header.items():
        yield _header(name, pattern, mail)
    for words, places in (
        (rule.subject, ("subject",)),
        (rule.words, ("subject", "text")),
        (rule.body, ("text",)),
    ):
        if words:
            yield _words(words, places, mail)


def _sender(rule: Rule, mail: _Mail) -> tuple[bool, str]:
    sender = mail.incoming.message.sender
    if sender is None:
        return (
            False,
            f"the mail has no single sender: {mail.incoming.message.sender_doubt or 'no From address'}",
        )
    if mail.forged:
        return False, FORGED
    for pattern in rule.sender:
        if _is_sender(sender.key, address_key(pattern)):
            return True, f"the sender is {sender.key}" + (f" ({pattern})" if "*" in pattern else "")
    return False, f"the sender {sender.key} is not {_listed(rule.sender)}"


def _is_sender(address: str, pattern: str) -> bool:
    """Compare an address with "ana@acme.example", "*@acme.example" or "*@*.acme.example" (every domain below it)."""
    if not pattern.startswith("*@"):
        return address == pattern
    domain = pattern.removeprefix("*@")
    if domain.startswith("*."):
        return domain_of(address).endswith(domain.removeprefix("*"))
    return domain_of(address) == domain


def _organisation(rule: Rule, mail: _Mail) -> tuple[bool, str]:
    wanted = _listed(rule.organisation)
    if mail.forged:
        return False, FORGED
    if mail.organisation is None:
        return False, f"the sender belongs to no organisation, so not to {wanted}"
    key = mail.organisation.key
    if key in rule.organisation:
        return True, f"the sender belongs to the organisation {key}"
    return False, f"the sender belongs to the organisation {key}, not to {wanted}"


def _header(name: str, pattern: str, mail: _Mail) -> tuple[bool, str]:
    values = mail.incoming.message.header_values(name)
    if not values:
        return False, f"the mail has no header {name}"
    if pattern == "*":
        return True, f"the mail has the header {name}"
    if any(Text(value, MAX_LINE).has(pattern) for value in values):
        return True, f'the header {name} has "{pattern}"'
    return False, f'the header {name} does not have "{pattern}"'


def _words(words: Sequence[str], places: Sequence[str], mail: _Mail) -> tuple[bool, str]:
    for place in places:
        for word in words:
            if mail.has(place, word):
                return True, f'the {place} has "{word}"'
    quoted = _listed([f'"{word}"' for word in words])
    return False, f"the {' and the '.join(places)} {'has' if len(places) == 1 else 'have'} none of {quoted}"


def _listed(names: Sequence[str]) -> str:
    """Join names for people, not more than a line of them."""
    shown = ", ".join(names[:SHOWN_WORDS])
    return f"{shown} and {len(names) - SHOWN_WORDS} more" if len(names) > SHOWN_WORDS else shown


_STATEMENT = re.compile(
    r"[ \t*_>-]{0,8}(?:priority|prio|urgency|priorit[\u00e4\u00e9\u00e0]t?|prioritaet|dringlichkeit|prioridad|prioriteit)"
    r"[ \t*_]{0,8}[:=\uff1a][ \t*_]{0,8}(\S.{0,60})",
    re.IGNORECASE,
)
_SYNONYMS = {
    "P1": ("urgent", "critical", "dringend", "kritisch", "urgente", "spoed"),
    "P2": ("high", "hoch", "haute", "elev\u00e9e", "alta", "hoog"),
    "P3": ("medium", "normal", "mittel", "moyenne", "normale", "media", "normaal"),
    "P4": ("low", "niedrig", "gering", "basse", "faible", "baja", "bassa", "laag"),
}


def stated_priority(incoming: Incoming, level: ServiceLevel | None) -> str:
    """Return the priority that the writer of a mail states, P1 to P4; "" where there is no statement.

    The first line counts before the headers: `Priority: high` in the level's own words, P1 to P4, or low,
    medium, normal, high, urgent. Then X-Priority (1 and 2 are high, 4 and 5 low) and Importance; mail programs write
    "normal" into every mail, so that states nothing.
    """
    first = next((line for line in incoming.text[:MAX_TEXT].splitlines() if line.strip()), "")
    if found := _STATEMENT.match(unicodedata.normalize("NFC", first[:MAX_LINE])):
        return _priority_of(found[1], level)
    number = incoming.message.header("x-priority").strip()[:1]
    word = {"1": "high", "2": "high", "4": "low", "5": "low"}.get(number, "")
    word = word or incoming.message.header("importance").strip().lower()
    return _priority_of(word, level) if word in {"high", "low"} else ""


def _priority_of(said: str, level: ServiceLevel | None) -> str:
    """Return the priority that words begin with: the longest own name first, then what is said everywhere."""
    text = folded(said, MAX_LINE)
    own = {folded(name, MAX_LINE): priority for priority, name in level.names.items()} if level else {}
    meanings: dict[str, str] = {}
    for usual, words in _SYNONYMS.items():
        # "normal" is what this level calls "Medium", if it has that word.
        priority = next((own[word] for word in words if word in own), usual)
        meanings |= dict.fromkeys(words, priority)
    meanings |= {priority.lower(): priority for priority in PRIORITIES} | own
    longest_first = sorted(meanings, key=len, reverse=True)
    return next((meanings[words] for words in longest_first if begins_with(text, words)), "")


def capped(stated: str, cap: str, default: str) -> str:
    """Return the priority that a customer's statement gives.

    stated    P1 to P4, or "" for none.
    cap       the highest that customers may state in this queue; "" = their word does not count.
    default   what it is without a statement; stating much never gives less than that.
    """
    if not stated or not cap:
        return default
    counted = max(stated, cap)  # P1 is the highest, and the smallest text
    return min(counted, default) if stated <= default else counted
