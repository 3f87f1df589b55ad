"""From raw bytes to an `Incoming`: the pure steps of the mail room in their order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets.desk.events import Incoming
from mailtickets.desk.thread import evidence
from mailtickets.mail.authentication import Proof, authentication, has_verdict
from mailtickets.mail.classify import Classification, Origin, OwnAddresses, classify, person_behind_front_door
from mailtickets.mail.html_text import is_too_complex
from mailtickets.mail.keys import LOOP_FIELD, KeyKind
from mailtickets.mail.parse import decode_attachment, parse
from mailtickets.mail.visible_text import is_html_only, message_text, new_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mailtickets.mail.keys import KeyRing
    from mailtickets.mail.message import Message


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a mail needs besides its bytes. One configuration per mail, from start to end.

    authserv_ids   for each mailbox the one whose Authentication-Results count; "" or absent: none.
    sent_folders   for each mailbox the folder with what is sent past the desk; "" or absent: none.
    verifying      mailboxes in whose mail we verify DKIM ourselves, where no trusted server has.
    """

    ring: KeyRing
    own: OwnAddresses
    authserv_ids: Mapping[str, str]
    sent_folders: Mapping[str, str]
    verifying: frozenset[str] = frozenset()

    def read(
        self,
        raw: bytes,
        digest: bytes,
        mailbox: str,
        arrived: datetime,
        *,
        truncated: bool = False,
        size: int = 0,
        dkim_keys: Mapping[str, str] | None = None,
    ) -> Incoming:
        """Read a mail; strange mail gives defects, never an exception of its own making.

        dkim_keys   the key records by DNS name that were found for its signatures when it came.
        """
        message = parse(raw)
        if truncated:
            # Two that begin with the same 64 KB and are as long below them are one, whatever stands in their headers.
            below = message.body_digest + str(size - len(raw)).encode()
            message = replace(message, size_bytes=size, body_digest=hashlib.sha256(below).digest())
        ours = self.ring.is_our_loop(message.header(LOOP_FIELD), message.message_id)
        classification = classify(message, ours=ours, own_addresses=self.own)
        proof = authentication(message, self.authserv_ids.get(mailbox, ""))
        if (
            dkim_keys
            and proof is Proof.NONE
            and not truncated
            and self._verified(raw, message, mailbox, arrived, dkim_keys)
        ):
            proof = Proof.PASS
        if behind := person_behind_front_door(message, self.own):
            message = replace(message, sender=behind, sender_doubt="")
            proof = Proof.NONE  # whatever was proven is about the group address
        text = new_text(message)
        if is_html_only(message) and is_too_complex(message.html):
            losses = (*message.losses, "HTML too complex")
            message = replace(message, defects=(*message.defects, losses[-1]), losses=losses)
        return Incoming(
            message=message,
            classification=classification,
            proof=proof,
            evidence=evidence(message, self.ring, _whole_body(message), classification, text),
            text=text,
            digest=digest,
            arrived=arrived,
            mailbox=mailbox,
            truncated=truncated,
            private_parts=self._private_parts(message, raw),
            provable=bool(self.authserv_ids.get(mailbox)) or mailbox in self.verifying,
        )

    def _verified(
        self, raw: bytes, message: Message, mailbox: str, arrived: datetime, keys: Mapping[str, str]
    ) -> bool:
        """Tell whether the domain in From signed a mail, where we find that out and no trusted server has."""
        if mailbox not in self.verifying or has_verdict(message, self.authserv_ids.get(mailbox, "")):
            return False
        from mailtickets.mail.dkim import signing_domain  # noqa: PLC0415  (its library is an extra)

        return bool(signing_domain(raw, message, arrived, keys))

    def _private_parts(self, message: Message, raw: bytes) -> tuple[str, ...]:
        """Name the attached mails and texts in which a reply key of an agent stands."""
        found: list[str] = []
        for attachment in message.attachments:
            if attachment.content_type.startswith(_TEXTUAL) or attachment.name.lower().endswith(
                (".eml", ".msg")
            ):
                text = (
                    decode_attachment(raw, attachment)[:MAX_LOOKED_AT].replace(b"\0", b"").decode("latin-1")
                )
                # Quoted-printable breaks a key over two lines; Outlook's .msg has a NUL behind each letter (UTF-16).
                if any(
                    key.kind is KeyKind.AGENT
                    for key in self.ring.read(text.replace("=\r\n", "").replace("=\n", ""), "attachment")
                ):
                    found.append(attachment.name or "an attached mail")
        return tuple(found)


MAX_LOOKED_AT = 1 << 20
_TEXTUAL = ("message/", "text/")


def _whole_body(message: Message) -> str:
    """The text in which a quoted footer may stand: both bodies, since programs quote one or the other."""
    return f"{message.text}\n{message.html}" if message.html else message_text(message)


def as_ours(incoming: Incoming, reason: str) -> Incoming:
    """Return the mail as one of our own: its Message-ID stands in the outbox."""
    own: Classification = replace(incoming.classification, origin=Origin.OWN, reason=reason, answerable=False)
    return replace(incoming, classification=own)


# RFC 5321 section 4.4, and what servers write for its sake: other in every delivery of the same mail.
_TRACES = frozenset({
    "received", "return-path", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-envelope-from", "delivery-date",
    "x-received", "received-spf", "authentication-results", "arc-seal", "arc-message-signature", "arc-authentication-results",
})  # fmt: skip
# A server tries for five days (RFC 5321 section 4.5.4.1). A Date farther away is that of a clock which may stand still.
DATED_BEFORE, DATED_AFTER = timedelta(days=7), timedelta(days=1)


def content_digest(message: Message, arrived: datetime) -> bytes:
    """Return what makes two copies the same mail: Message-ID, From, Date, Subject and the body.

    Trace fields differ in every delivery, so they are left out. Without a Message-ID all other fields must be the
    same, and the Date near the arrival: machines that write none send the same words again and mean it. Without
    such a Date it is b"".
    """
    if message.message_id:
        sender = message.from_[0].key if message.from_ else ""
        parts = [message.message_id, sender, message.header("date"), message.subject]
    elif message.date and arrived - DATED_BEFORE < message.date < arrived + DATED_AFTER:
        parts = [f"{name.lower()}:{value}" for name, value in message.headers if name.lower() not in _TRACES]
    else:
        return b""
    parts.append(message.body_digest.hex())
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()[:16]
