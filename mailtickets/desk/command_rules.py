"""Pure: the commands that there are: what each takes and does, in the order in which the help mail lists them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mailtickets.desk.ticket import Status


class Takes(StrEnum):
    """What may stand behind a command on its line."""

    NOTHING = "nothing"
    TEXT = "text"  # words that belong to the text below
    DURATION = "duration"  # or nothing
    AGENT = "agent"
    DATE = "date"
    TYPE = "type"
    WORD = "word"
    ADDRESS = "address"  # or nothing
    REASON = "reason"  # or nothing
    REFERENCE = "reference"  # or nothing


@dataclass(frozen=True, slots=True)
class CommandRule:
    """What a command takes and does.

    usage   how it is written, for the help mail; "" = it stands in another command's line.
    reads   it only answers: nothing is changed, nobody but the agent gets mail by it.
    """

    name: str
    takes: Takes
    does: str
    status: Status | None = None
    usage: str = ""
    reads: bool = False


PRIORITY_COMMANDS = ("p1", "p2", "p3", "p4")

RULES: dict[str, CommandRule] = {
    rule.name: rule
    for rule in (
        CommandRule(
            "note", Takes.TEXT, "the text is a note for agents; the customer gets nothing", usage="#note"
        ),
        CommandRule(
            "wait",
            Takes.DURATION,
            "awaits the customer; #wait 5d puts the first reminder off",
            Status.WAITING,
            "#wait",
        ),
        CommandRule(
            "pending", Takes.NOTHING, "the next move is yours; no reminders", Status.PENDING, "#pending"
        ),
        CommandRule(
            "third-party",
            Takes.NOTHING,
            "waits for somebody else; no reminders",
            Status.THIRD_PARTY,
            "#third-party",
        ),
        CommandRule("open", Takes.NOTHING, "back to being processed", Status.OPEN, "#open"),
        CommandRule(
            "resolve",
            Takes.NOTHING,
            "we think it is fixed; it closes by itself after a while",
            Status.RESOLVED,
            "#resolve",
        ),
        CommandRule("close", Takes.NOTHING, "closes the ticket now", Status.CLOSED, "#close"),
        CommandRule("take", Takes.NOTHING, "the ticket is yours", usage="#take"),
        CommandRule(
            "assign", Takes.AGENT, "gives the ticket to an agent, as in #assign lee", usage="#assign NAME"
        ),
        CommandRule("p1", Takes.NOTHING, "how urgent it is; deadlines follow", usage="#p1 to #p4"),
        CommandRule("p2", Takes.NOTHING, "high"),
        CommandRule("p3", Takes.NOTHING, "normal"),
        CommandRule("p4", Takes.NOTHING, "low"),
        CommandRule(
            "due",
            Takes.DATE,
            "the date agreed for the solution, as in #due 1 Dec; the customer is told",
            usage="#due DATE",
        ),
        CommandRule(
            "workaround", Takes.NOTHING, "a temporary solution is given; it counts", usage="#workaround"
        ),
        CommandRule(
            "type",
            Takes.TYPE,
            "what kind of request it is; it goes to whom that concerns",
            usage="#type NAME",
        ),
        CommandRule("tag", Takes.WORD, "puts a label on the ticket", usage="#tag WORD"),
        CommandRule(
            "ask",
            Takes.ADDRESS,
            "sends the customer the list of what is missing, and waits; #ask ADDRESS asks somebody else,"
            " whose answer becomes a note",
            usage="#ask",
        ),
        CommandRule(
            "escalate", Takes.REASON, "tells the next people of the ladder", usage="#escalate REASON"
        ),
        CommandRule(
            "forget",
            Takes.ADDRESS,
            "erases who wrote it, or #forget ADDRESS somebody else, from all tickets; an admin has to confirm it",
            usage="#forget",
        ),
        CommandRule(
            "clock", Takes.REFERENCE, "mails you the story of its deadlines", usage="#clock", reads=True
        ),
        CommandRule("next", Takes.REFERENCE, "mails you what will be sent when", usage="#next", reads=True),
        CommandRule(
            "stats", Takes.NOTHING, "mails you the figures of the last 30 days", usage="#stats", reads=True
        ),
        CommandRule("help", Takes.NOTHING, "mails you this list", usage="#help", reads=True),
    )
}
