"""From an `Outgoing` to finished mails: words, keys, heads and bytes, fixed once and for all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mailtickets.desk.notices import Notice, Outgoing, Reader, Recipient
from mailtickets.mail.compose import (
    Head,
    HeaderUnsafe,
    Letter,
    Piece,
    Slice,
    assemble,
    compose_body,
    compose_head,
    dump_body,
)
from mailtickets.mail.keys import without_keys
from mailtickets.mail.message import Address, domain_of, local_of
from mailtickets.mail.relay import relay_agent
from mailtickets.store.outbox import Prepared
from mailtickets.templates import TemplateBroken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from mailtickets.desk.events import Incoming
    from mailtickets.desk.policy import Policy, QueuePolicy
    from mailtickets.mail.keys import KeyRing
    from mailtickets.mail.message import Attachment
    from mailtickets.problems import Problem
    from mailtickets.templates import Templates

MAX_LOCAL_PART = 64  # RFC 5321 section 4.5.3.1.1
# A stranger's longer Message-ID is kept on its entry, but not repeated in our mail: some servers refuse it.
MAX_ECHOED_ID = 250


@dataclass(frozen=True, slots=True)
class Unwritable:
    """A mail that cannot be written to some of its recipients.

    permanent   the address itself is at fault, not our wording.
    """

    kind: str
    reader: Reader
    author: str
    recipients: tuple[str, ...]
    reason: str
    permanent: bool


class Unwritten(Exception):  # noqa: N818  (named for the situation)
    """Some mails of an outgoing cannot be written; `mails` are the others, which are in order."""

    def __init__(self, mails: list[Prepared], lost: tuple[Unwritable, ...]) -> None:
        super().__init__("; ".join(f"{one.kind}: {one.reason}" for one in lost))
        self.mails, self.lost = mails, lost


class Writer:
    """Makes mails from what a decision wants to say.

    null_sender   for each SMTP account whether it takes an empty envelope sender.
    new_id        returns a fresh random word for a Message-ID.
    """

    def __init__(
        self,
        policy: Policy,
        ring: KeyRing,
        templates: Templates,
        null_sender: Mapping[str, bool],
        new_id: Callable[[], str],
    ) -> None:
        self._policy, self._ring, self._templates = policy, ring, templates
        self._null_sender, self._new_id = null_sender, new_id

    def prepare(self, outgoing: Outgoing, incoming: Incoming | None, cycle: int, generation: Callable[[int, str], int],
                original: Callable[[bytes], bytes], now: datetime) -> list[Prepared]:  # fmt: skip
        """Return the finished mails of one outgoing: one for all its recipients, or one each.

        incoming     the mail whose words and attachments go along, where the outgoing relays them.
        cycle        of the ticket: which silence the mail belongs to.
        generation   returns the present key generation of (ticket, agent).

        Raises Unwritten where an address or a template makes that impossible, with the mails that
        are in order: one recipient's odd address must not cost the others their mail.
        """
        queue = self._policy.queues[outgoing.queue]
        try:
            letter = self._letter(outgoing, incoming)
        except TemplateBroken as error:
            everybody = tuple(one.address.address for one in outgoing.to)
            raise Unwritten([], (self._lost(outgoing, incoming, everybody, str(error)),)) from error
        body = compose_body(letter)
        packed = dump_body(body)
        groups = [(recipient,) for recipient in outgoing.to] if outgoing.separately else [outgoing.to]
        prepared: list[Prepared] = []
        cuts: dict[Slice, bytes] = {}
        lost: list[Unwritable] = []
        for whole_group in groups:
            group = whole_group
            key = self._key(outgoing, group[0], generation)
            message_id = f"<{self._new_id()}.{key or 'desk'}@{domain_of(queue.address)}>"
            meant = self._head(outgoing, queue, group, key, message_id, now)
            try:
                head = compose_head(meant, letter.subject)
            except HeaderUnsafe:
                group, odd = _sorted_out(meant, letter.subject, group)
                lost.extend(
                    self._lost(outgoing, incoming, (address,), reason, permanent=True)
                    for address, reason in odd
                )
                if not group:
                    continue
                head = compose_head(self._head(outgoing, queue, group, key, message_id, now), letter.subject)
            raw = assemble(head, body, key, original, cuts)
            to_null = outgoing.null_sender and self._null_sender.get(queue.smtp, False)
            prepared.append(
                Prepared(
                    ticket=outgoing.ticket or 0, kind=outgoing.notice.kind, occasion=outgoing.occasion, cycle=cycle,
                    reader=outgoing.reader.value, human=outgoing.human, author=self._author(outgoing, incoming), account=queue.smtp,
                    sender=self._bounce_address(queue, key), null_sender=to_null,
                    recipients=tuple(one.address.address for one in group), subject=letter.subject, message_id=message_id, head=head,
                    body=packed, reply_key=key, digest=hashlib.sha256(raw).digest(), size=len(raw), entry=outgoing.entry,
                    not_before=outgoing.not_before,
                )
            )  # fmt: skip
        if lost:
            raise Unwritten(prepared, tuple(lost))
        return prepared

    def failed_templates(self) -> Mapping[str, Problem]:
        """Return what the admin's wording failed at when it was used, by file and version; built-in words took its place."""
        return self._templates.failed

    def _lost(
        self,
        outgoing: Outgoing,
        incoming: Incoming | None,
        recipients: tuple[str, ...],
        reason: str,
        *,
        permanent: bool = False,
    ) -> Unwritable:
        author = self._author(outgoing, incoming)
        return Unwritable(outgoing.notice.kind, outgoing.reader, author, recipients, reason, permanent)

    def to_admins(
        self,
        kind: str,
        values: Mapping[str, object],
        occasion: str,
        original: Callable[[bytes], bytes],
        now: datetime,
    ) -> list[Prepared]:
        """Return a mail to each admin; see `to_people`."""
        return self.to_people(kind, values, self._policy.admins, occasion, original, now)

    def to_people(
        self,
        kind: str,
        values: Mapping[str, object],
        people: Sequence[str],
        occasion: str,
        original: Callable[[bytes], bytes],
        now: datetime,
        pictures: tuple[bytes, tuple[Attachment, ...]] = (b"", ()),
    ) -> list[Prepared]:
        """Return a mail to each address, from the first queue's; one that cannot be written to is left out.

        pictures   digest of a stored original, and what is cut from it.
        """
        if not people:
            return []
        queue = next(iter(self._policy.queues.values()))
        notice = Notice(kind, queue.language, queue.name, {
            "desk": self._policy.desk_name, "zone": self._policy.zone, "reference": "", "subject": "", "status": "", "key_line": "", **{name: _shown(value) for name, value in values.items()},
        })  # fmt: skip
        to = tuple(Recipient(Address(address)) for address in people)
        outgoing = Outgoing(
            notice,
            Reader.ADMIN,
            to,
            queue.name,
            separately=True,
            occasion=occasion,
            from_name=self._policy.desk_name,
            original=pictures[0],
            attachments=pictures[1],
        )
        try:
            return self.prepare(outgoing, None, 0, lambda _ticket, _agent: 0, original, now)
        except Unwritten as trouble:
            return trouble.mails  # the log line of the alarm says the rest

    def _letter(self, outgoing: Outgoing, incoming: Incoming | None) -> Letter:
        notice, attachments = outgoing.notice, outgoing.attachments
        if outgoing.relays and incoming is not None:
            relayed = relay_agent(incoming.message, str(notice.values["text"]), hidden=self._hidden(incoming))
            notice = replace(notice, values={**notice.values, "text": relayed.text, "html": relayed.html})
            attachments = relayed.attachments
        letter = self._templates.letter(notice)
        inline = tuple(a for a in attachments if _shows(letter.html, a))
        attached = tuple(a for a in attachments if a not in inline)
        return replace(
            letter,
            inline=tuple(Piece(outgoing.original, a) for a in inline),
            attached=tuple(Piece(outgoing.original, a) for a in attached),
        )

    def _hidden(self, incoming: Incoming) -> list[str]:
        """What must not reach a customer: the private addresses of the agent who wrote, and the one it came from."""
        sender = incoming.message.sender
        agent = self._policy.agent_of(sender.address) if sender else None
        return [agent.email, *agent.aliases, *(a.key for a in incoming.message.from_)] if agent else []

    def _author(self, outgoing: Outgoing, incoming: Incoming | None) -> str:
        sender = incoming.message.sender if incoming else None
        agent = self._policy.agent_of(sender.address) if sender and outgoing.human else None
        return agent.key if agent else ""

    def _key(self, outgoing: Outgoing, recipient: Recipient, generation: Callable[[int, str], int]) -> str:
        if outgoing.ticket is None or outgoing.reader is Reader.ADMIN or "code" in outgoing.notice.values:
            return ""
        if outgoing.reader is Reader.CUSTOMER:
            return self._ring.thread_key(outgoing.ticket)
        return self._ring.agent_key(
            outgoing.ticket, recipient.agent, generation(outgoing.ticket, recipient.agent)
        )

    def _head(
        self,
        outgoing: Outgoing,
        queue: QueuePolicy,
        group: tuple[Recipient, ...],
        key: str,
        message_id: str,
        now: datetime,
    ) -> Head:
        thread_id = f"<{key}@{domain_of(queue.address)}>" if key else ""
        references = tuple(
            one for one in (thread_id, *outgoing.references) if one and len(one) <= MAX_ECHOED_ID
        )
        answers = outgoing.answers if len(outgoing.answers) <= MAX_ECHOED_ID else ""
        return Head(
            from_=Address(queue.address, outgoing.from_name),
            to=(group[0].address,),
            cc=tuple(one.address for one in group[1:]),
            reply_to=self._reply_to(queue, key),
            message_id=message_id,
            in_reply_to=answers or thread_id,
            references=references,
            date=now,
            auto_submitted=outgoing.auto_submitted,
            loop=self._ring.sign_loop(message_id),
        )

    def _reply_to(self, queue: QueuePolicy, key: str) -> Address | None:
        local = f"{local_of(queue.address)}+{key}"
        if not key or not queue.plus_addressing or len(local) > MAX_LOCAL_PART:
            return None
        return Address(f"{local}@{domain_of(queue.address)}", self._policy.desk_name)

    def _bounce_address(self, queue: QueuePolicy, key: str) -> str:
        local = f"{local_of(queue.address)}+b.{key}"
        if not key or not queue.plus_addressing or len(local) > MAX_LOCAL_PART:
            return queue.address
        return f"{local}@{domain_of(queue.address)}"


def _shown(value: object) -> object:
    """Return a value for people who are told of a trouble: a subject in it may hold an agent's key or code."""
    if isinstance(value, str):
        return without_keys(value)
    return [_shown(one) for one in value] if isinstance(value, list) else value


def _sorted_out(
    head: Head, subject: str, group: tuple[Recipient, ...]
) -> tuple[tuple[Recipient, ...], list[tuple[str, str]]]:
    """Return the recipients to whom this head can be written, and the others with the reason."""
    fit: list[Recipient] = []
    odd: list[tuple[str, str]] = []
    for one in group:
        try:
            compose_head(replace(head, to=(one.address,), cc=()), subject)
        except HeaderUnsafe as error:
            odd.append((one.address.address, f"mail cannot be written to this address ({error.reason})"))
        else:
            fit.append(one)
    return tuple(fit), odd


def _shows(html: str, attachment: Attachment) -> bool:
    return bool(attachment.content_id) and f"cid:{attachment.content_id}" in html
