"""Answers to the desk's mails as bytes, for `HostileDesk.meets`; and what people may read of them afterwards."""

from __future__ import annotations

from typing import Any

from tests.hostile.desk import HostileDesk, Met
from tests.support.desk import SentMail

ANNAS, BENS, ADMIN = "anna@desk.example", "ben@desk.example", "it@desk.example"
SERVER = "mx.desk.example"


def answer(
    desk: HostileDesk, sent: SentMail, from_: str, text: str, *, quote: bool = True, **more: Any
) -> bytes:
    """Write an answer to a mail of the desk as a mail program does: subject, references, Reply-To, quote."""
    quoted = "\n\nOn Mon, 2 Mar 2026 at 09:00, Acme Support wrote:\n" + "\n".join(
        f"> {line}" for line in sent.text.split("\n")
    )
    subject = sent["Subject"]
    more.setdefault("subject", subject if subject.lower().startswith("re:") else f"Re: {subject}")
    more.setdefault("to", sent["Reply-To"] or sent["From"])
    return desk.mail(from_, text + (quoted if quote else ""), in_reply_to=sent, **more)


def verdict(words: str) -> dict[str, str]:
    """Return the field in which our own mail server says this."""
    return {"Authentication_Results": f"{SERVER}; {words}"}


def kinds(met: Met, address: str) -> list[str]:
    """What an address got because of a mail, by kind."""
    return [mail.kind for mail in met.to(address)]


def why(desk: HostileDesk) -> str:
    """The steps of the ledger's verdict about the mail before the ordinary one that `meets` sends last."""
    return str(desk._ask("SELECT why FROM copy ORDER BY id DESC LIMIT 1 OFFSET 1")[0][0])
