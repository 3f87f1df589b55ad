"""Pure: the plain words that customers have: CLOSE, ESCALATE, STATUS. Read off what they newly wrote."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from mailtickets.desk.thanks import is_greeting, is_signature

if TYPE_CHECKING:
    from mailtickets.mail.message import Message


class Word(StrEnum):
    """What a customer may ask of the desk itself."""

    CLOSE = "close"
    ESCALATE = "escalate"
    STATUS = "status"


class Said(NamedTuple):
    """A customer's word, and what stands below it: why somebody escalates; "" for nothing but a signature."""

    word: Word | None
    reason: str = ""


WORDS = {word.value: word for word in Word}


def said(text: str) -> Said:
    """Return the word that a text consists of.

    It stands alone on its line, before it at most a greeting, behind it at most a closing and a name.
    Only below ESCALATE more may follow: the reason.
    """
    lines = text.split("\n")
    written = [number for number, line in enumerate(lines) if line.strip()]
    if written and is_greeting(lines[written[0]].strip()):
        written = written[1:]
    if not written:
        return Said(None)
    word = WORDS.get(lines[written[0]].strip().rstrip(".!").lower())
    below = lines[written[0] + 1 :]
    if word is None or is_signature([line.strip() for line in below if line.strip()]):
        return Said(word)
    return Said(word, "\n".join(below).strip()) if word is Word.ESCALATE else Said(None)


def asks_status(message: Message, text: str) -> bool:
    """Tell whether a mail of its own asks for nothing but the status: by its text, or by its subject alone."""
    if any(not attachment.inline for attachment in message.attachments):
        return False
    if said(text).word is Word.STATUS:
        return True
    subject = message.subject.strip().rstrip(".!").lower()
    return subject == Word.STATUS.value and is_signature(
        [line.strip() for line in text.split("\n") if line.strip()]
    )
