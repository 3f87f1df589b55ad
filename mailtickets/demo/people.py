"""The cast of the demo and how its mail programs write: new mails, answers that quote, an absence notice."""

from __future__ import annotations

import smtplib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid
from typing import TYPE_CHECKING

from mailtickets.mail.visible_text import message_text

if TYPE_CHECKING:
    from mailtickets.mail.message import Message

SMTP_SECONDS = 20.0
_UNFOLDED = SMTP.clone(max_line_length=0)  # the standard library would encode a References line that it folds


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the play; `password` opens the mailbox."""

    first_name: str
    full_name: str
    address: str
    password: str


ANA = Person("Ana", "Ana Client", "ana@customer.example", "ana")
KIM = Person("Kim", "Kim Archer", "kim@acme.example", "kim")
LEE = Person("Lee", "Lee Moss", "lee@acme.example", "lee")
MALLORY = "mallory@elsewhere.example"  # an address only: what Mallory writes bears the names of others
DESK = Person("the desk", "Acme Support", "support@acme.example", "support")
WITH_MAILBOX = (ANA, KIM, LEE, DESK)


def new_mail(writer: Person, subject: str, text: str, *, to: str = DESK.address) -> EmailMessage:
    """Return a mail as a mail program writes it."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = f"{writer.full_name} <{writer.address}>"
    mail["To"], mail["Subject"] = to, subject
    mail["Date"] = datetime.now(UTC)
    mail["Message-ID"] = make_msgid(domain=writer.address.rpartition("@")[2])
    mail.set_content(text)
    return mail


def answer(writer: Person, to_mail: Message, text: str, *, quoting: bool = True) -> EmailMessage:
    """Return an answer: threaded, sent to Reply-To, the whole mail quoted below."""
    if quoting:
        sender = to_mail.sender.name if to_mail.sender else "somebody"
        written = f"{to_mail.date:%a, %d %b %Y at %H:%M}" if to_mail.date else "an unknown day"
        quoted = "\n".join(f"> {line}".rstrip() for line in message_text(to_mail).split("\n"))
        text = f"{text}\n\nOn {written}, {sender} wrote:\n{quoted}"
    back = (to_mail.reply_to or to_mail.from_)[0].address
    subject = to_mail.subject if to_mail.subject.lower().startswith("re:") else f"Re: {to_mail.subject}"
    mail = new_mail(writer, subject, text, to=back)
    mail["In-Reply-To"] = to_mail.message_id
    mail["References"] = " ".join((*to_mail.references, to_mail.message_id))
    return mail


def absence_notice(writer: Person, to_mail: Message, text: str) -> EmailMessage:
    """Return what a mail program answers by itself while its owner is away (RFC 3834)."""
    mail = answer(writer, to_mail, text, quoting=False)
    mail.replace_header("Subject", f"Automatic reply: {to_mail.subject}")
    mail["Auto-Submitted"] = "auto-replied"
    return mail


def send(mail: EmailMessage, sender: str, host: str, port: int) -> None:
    """Hand a mail to the SMTP server. Blocks; raises OSError or smtplib.SMTPException."""
    with smtplib.SMTP(host, port, timeout=SMTP_SECONDS) as server:
        server.send_message(mail, from_addr=sender, to_addrs=[mail["To"].addresses[0].addr_spec])
