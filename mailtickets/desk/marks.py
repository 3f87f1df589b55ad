"""Pure: what agents should know of a mail and its sender besides its words. Decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.desk import customer_wishes
from mailtickets.desk.people import Speaker
from mailtickets.mail.authentication import Proof
from mailtickets.mail.classify import Origin
from mailtickets.mail.message import MANY_ADDRESSES

if TYPE_CHECKING:
    from mailtickets.desk.case import Case
    from mailtickets.desk.events import Incoming

MAX_FROM = 300  # letters of a From that names nobody
UNVERIFIED = "sender unverified"
NOT_PROVEN = "sender not proven"
FILED_HERE = "filed here"  # one of many mails of a sender: says nothing of who it is
NAMES = 5  # of what an encrypted mail holds
LOSSES = 3  # that are told one by one; the history has them all


def about_the_sender(case: Case) -> str:
    """Return what the history says of a mail and its sender, in a few words: first whom they are not."""
    return "; ".join(
        one for one in (likeness(case), claim(case), _standing(case), encryption(case.incoming)) if one
    )


def proven(reason: str) -> bool:
    """Tell whether what the history says of a mail leaves its sender beyond doubt."""
    return not any(one == UNVERIFIED or one.startswith(NOT_PROVEN) for one in reason.split("; "))


def remarks(reason: str) -> str:
    """Return what else the history says of a mail and its sender, for people who do not see the mail's own notice."""
    return "; ".join(
        one for one in reason.split("; ") if one != UNVERIFIED and not one.startswith(FILED_HERE)
    )


def likeness(case: Case) -> str:
    """Return whom the sender could be taken for, in a few words; "" for nobody."""
    return case.likeness.brief if case.likeness else ""


def forged(case: Case) -> tuple[str, ...]:
    """Return what the agents are told where our mail server contradicts the sender."""
    if case.incoming.proof is not Proof.FAIL:
        return ()
    return ("the sender is not proven: our mail server says it may be forged",)


def claim(case: Case) -> str:
    """Return which agent a mail on no ticket claims to be from without proof, as a clause; "" where it claims nothing."""
    agent = case.standing.agent
    if agent is None or case.found.ticket is not None or case.standing.speaker is Speaker.AGENT:
        return ""
    return f"claims to be from the agent {agent.name}; nothing proves it"


def _standing(case: Case) -> str:
    classification = case.incoming.classification
    if classification.origin is not Origin.PERSON:
        return classification.reason
    if case.standing.speaker is Speaker.NOBODY:
        return f"no single sender: {case.standing.why}"
    return "" if case.standing.proven else UNVERIFIED


_ENCRYPTED = frozenset(("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"))


def is_encrypted(incoming: Incoming) -> bool:
    """Tell whether the body of a mail is for the owner of a key alone (RFC 8551 section 3.3, RFC 3156 section 4)."""
    message = incoming.message
    signed = "signed-data" in message.header("Content-Type").lower()
    return (message.main_type in _ENCRYPTED and not signed) or incoming.text.startswith(
        "-----BEGIN PGP MESSAGE-----"
    )


def encryption(incoming: Incoming) -> str:
    """Return that a mail is encrypted, and what it holds, for the history; "" where it is not."""
    if not is_encrypted(incoming):
        return ""
    names = [one.name or one.content_type for one in incoming.relayed.attachments]
    return f"encrypted, which the desk cannot undo{': ' if names else ''}{', '.join(names[:NAMES])}"


def warnings(case: Case, *, known: bool = False) -> tuple[str, ...]:
    """Return what agents should know of a mail's sender before they read it.

    known   the sender is on the ticket already: what may be chance was said when they came.
    """
    found: list[str] = []
    if case.likeness and (case.likeness.sure or not known):
        found.append(case.likeness.line)
    if claimed := claim(case):
        found.append(f"this mail {claimed}")
    message = case.incoming.message
    if case.standing.speaker is Speaker.NOBODY and message.from_:
        named = " and ".join(message.header_values("From")[:3])[:MAX_FROM]
        found.append(f"nobody knows who wrote it: {case.standing.why}: {named}")
    return tuple(found)


def hints(case: Case) -> tuple[str, ...]:
    """Return what else the agents' notice says of a mail besides its text."""
    found: list[str] = []
    message = case.incoming.message
    if is_encrypted(case.incoming):
        found.append("the mail is encrypted, which the desk cannot undo: what was sent goes along as it is")
    if case.incoming.truncated:
        size = round(message.size_bytes / 1_000_000, 1)
        told = "is told" if customer_wishes.may_answer(case) else "is not told"
        found.append(
            f"the mail has {size:g} MB, which is too large: only its beginning was read, the sender {told}"
        )
    if MANY_ADDRESSES in message.defects:
        found.append(f"{MANY_ADDRESSES}: only the first ones were read")
    if message.losses:
        more = ", ..." if len(message.losses) > LOSSES else ""
        found.append(
            f"not all of the mail is shown as it was sent: {', '.join(message.losses[:LOSSES])}{more}; it is kept whole"
        )
    return tuple(found)
