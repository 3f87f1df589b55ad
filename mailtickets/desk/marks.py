"""Pure: what agents should know of a mail and its sender besides its words. Decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.desk import customer_wishes
from mailtickets.desk.people import Speaker
from mailtickets.mail.authentication import Proof
from mailtickets.mail.classify import Origin

if TYPE_CHECKING:
    from mailtickets.desk.case import Case
    from mailtickets.desk.events import Incoming

MAX_FROM = 300  # letters of a From that names nobody
LOSSES = 3  # that are told one by one; the history has them all


def about_the_sender(case: Case) -> str:
    """Return what the history says of a mail's sender, in a few words."""
    return "; ".join(one for one in (_standing(case), likeness(case)) if one)


def likeness(case: Case) -> str:
    """Return whom the sender could be taken for, in a few words; "" for nobody."""
    return case.likeness.brief if case.likeness else ""


def forged(case: Case) -> tuple[str, ...]:
    """Return what the agents are told where our mail server contradicts the sender."""
    if case.incoming.proof is not Proof.FAIL:
        return ()
    return ("the sender is not proven: our mail server says it may be forged",)


def _standing(case: Case) -> str:
    classification = case.incoming.classification
    if classification.origin is not Origin.PERSON:
        return classification.reason
    if case.standing.speaker is Speaker.NOBODY:
        return f"no single sender: {case.standing.why}"
    return "" if case.standing.proven else "sender unverified"


_ENCRYPTED = frozenset(("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"))


def is_encrypted(incoming: Incoming) -> bool:
    """Tell whether the body of a mail is for the owner of a key alone (RFC 8551 section 3.3, RFC 3156 section 4)."""
    message = incoming.message
    signed = "signed-data" in message.header("Content-Type").lower()
    return (message.main_type in _ENCRYPTED and not signed) or incoming.text.startswith(
        "-----BEGIN PGP MESSAGE-----"
    )


def hints(case: Case, *, known: bool = False) -> tuple[str, ...]:
    """Return what the agents' notice says of a mail besides its text.

    known   the sender is on the ticket already: what may be chance was said when they came.
    """
    found: list[str] = []
    if case.likeness and (case.likeness.sure or not known):
        found.append(case.likeness.line)
    message = case.incoming.message
    if case.standing.speaker is Speaker.NOBODY and message.from_:
        named = " and ".join(message.header_values("From")[:3])[:MAX_FROM]
        found.append(f"nobody knows who wrote it: {case.standing.why}: {named}")
    if is_encrypted(case.incoming):
        found.append("the mail is encrypted, which the desk cannot undo: what was sent goes along as it is")
    if case.incoming.truncated:
        size = round(message.size_bytes / 1_000_000, 1)
        told = "is told" if customer_wishes.may_answer(case) else "is not told"
        found.append(
            f"the mail has {size:g} MB, which is too large: only its beginning was taken, the sender {told}"
        )
    if message.losses:
        more = ", ..." if len(message.losses) > LOSSES else ""
        found.append(
            f"not all of the mail is shown as it was sent: {', '.join(message.losses[:LOSSES])}{more}; it is kept whole"
        )
    return tuple(found)
