"""What must hold for any input: said by AssertionErrors."""

from __future__ import annotations

import re
from email import message_from_bytes
from html.parser import HTMLParser

from mailtickets.mail.bounce import MAX_IDS, MAX_RECIPIENTS, Bounce
from mailtickets.mail.classify import Classification, Origin
from mailtickets.mail.message import MAX_ADDRESSES, Message
from mailtickets.mail.mime import MAX_ATTACHMENTS, MAX_TEXT_BYTES
from mailtickets.mail.parse import MAX_REFERENCES, decode_attachment
from mailtickets.mail.relay import Relayed
from mailtickets.mail.visible_text import Visible

_NOT_IN_A_LINE = re.compile(
    "[\x00-\x08\n\r\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_NOT_IN_TEXT = re.compile("[\x00\ud800-\udfff]")


def clean_line(text: str, limit: int = 998) -> None:
    """One visible line, fit for UTF-8."""
    assert not (found := _NOT_IN_A_LINE.search(text)), f"{found[0]!r} in a line"
    assert len(text) <= limit, f"{len(text)} letters in a line"


def clean_text(text: str) -> None:
    """Fit for UTF-8 and for SQLite."""
    assert not (found := _NOT_IN_TEXT.search(text)), f"{found[0]!r} in a text"


def encodable(text: str) -> None:
    """Fit for UTF-8."""
    text.encode()


def message(message: Message, raw: bytes) -> None:
    """A parsed mail keeps to its limits, and each field to its kind."""
    assert not any(one.startswith("unreadable") for one in message.defects), message.defects
    clean_line(message.subject)
    for address in (*message.from_, *message.to, *message.cc, *message.reply_to):
        clean_line(address.name, 200)
        clean_line(address.address, 400)
    assert max(len(message.from_), len(message.to), len(message.cc)) <= MAX_ADDRESSES
    assert max(len(message.references), len(message.in_reply_to)) <= MAX_REFERENCES + 1
    for one in (message.message_id, *message.references, *message.in_reply_to, *message.delivered_to):
        clean_line(one)
    clean_line(f"{message.main_type} {message.report_type} {message.calendar_method}")
    clean_text(message.text)
    clean_text(message.html)
    assert len(message.text) <= MAX_TEXT_BYTES + 200
    for name, value in (*message.headers, *message.returned):
        clean_text(name + value)
    for defect in message.defects:
        clean_line(defect, 300)
    assert len(message.attachments) <= MAX_ATTACHMENTS
    for attachment in message.attachments:
        assert 0 <= attachment.start <= attachment.end <= len(raw), attachment
        assert attachment.size_bytes >= 0
        clean_line(attachment.name, 255)
        clean_line(attachment.content_type, 200)
        clean_line(attachment.content_id, 300)
        assert len(decode_attachment(raw, attachment)) <= attachment.end - attachment.start
    assert (message.sender is not None) or message.sender_doubt
    assert message.size_bytes == len(raw)


def classification(found: Classification, message: Message) -> None:
    """The two answers agree with each other."""
    assert found.origin is not Origin.OWN, "a stranger's mail is taken for ours"
    assert (found.origin is Origin.PERSON) == (not found.reason)
    assert found.answerable == (not found.answer_reason)
    assert found.origin is Origin.PERSON or not found.answerable, "a machine would be answered"
    assert message.sender is not None or not found.answerable or found.origin is Origin.PERSON
    if found.bounce:
        bounce(found.bounce)


def bounce(found: Bounce) -> None:
    """A report keeps to its limits."""
    assert found.kind in {"failed", "delayed", "feedback", "receipt", "other"}
    assert found.delayed == (found.kind == "delayed")
    assert len(found.recipients) <= MAX_RECIPIENTS
    assert len(found.returned_ids) <= MAX_IDS
    for recipient in found.recipients:
        clean_line(recipient.address, 400)
        clean_line(recipient.reason, 200)
        assert recipient.code is None or 400 <= recipient.code < 600


def nothing_lost(text: str, visible: Visible) -> None:
    """Every line is either the person's or not, and none is changed."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    given = sorted(line.strip() for line in lines if line.strip())
    parted = f"{visible.text}\n{visible.quoted}".split("\n")
    assert sorted(line.strip() for line in parted if line.strip()) == given, "lines are lost or changed"


def _set_of(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_TAGS = _set_of(
    "p div br b strong i em u s a ul ol li blockquote pre code hr h1 h2 h3 h4 table thead tbody tr td th img span sub sup"
)
_ATTRIBUTES = _set_of("href src alt width height colspan rowspan start style")


class _Harmless(HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _TAGS, f"<{tag}> is relayed"
        for name, value in attrs:
            assert name in _ATTRIBUTES, f"{name}= is relayed"
            if name == "src":
                assert (value or "").startswith("cid:"), f"{value!r} would be fetched"
            if name == "href":
                assert (value or "").strip().lower().startswith(("http:", "https:", "mailto:")), (
                    f"a link to {value!r}"
                )


def relayed(found: Relayed, message: Message) -> None:
    """What people read of other people's HTML runs nothing and fetches nothing."""
    if found.html:
        parser = _Harmless(convert_charrefs=True)
        parser.feed(found.html)
        parser.close()
    assert set(found.attachments) <= set(message.attachments)


_OURS = _set_of(
    "date from to cc reply-to subject message-id in-reply-to references auto-submitted x-auto-response-suppress x-mailtickets-loop"
    " x-words mime-version content-type content-transfer-encoding"
)


def head(written: bytes) -> None:
    """A head holds our fields, each once, in lines that no server breaks."""
    assert written.endswith(b"\r\n")
    lines = written.split(b"\r\n")[:-1]
    assert all(
        line and len(line) <= 998 and b"\r" not in line and b"\n" not in line and b"\0" not in line
        for line in lines
    )
    names = [name.lower() for name in message_from_bytes(written + b"\r\n")]
    assert len(set(names)) == len(names), f"twice: {names}"
    assert set(names) <= _OURS, f"not ours: {names}"
    assert len(names) == sum(line[:1] not in b" \t" for line in lines), "a line is lost"


def composed(whole: bytes) -> None:
    """A whole mail of ours: its head, and nothing of a stranger's in the structure."""
    above, _, _ = whole.partition(b"\r\n\r\n")
    head(above + b"\r\n")
    assert not message_from_bytes(whole).defects, "a structure that readers complain about"
