"""Measure the mail room against real mails whose right reading is known.

The corpus is not part of the project: it lies in `../shared/corpus` beside it, or it is missing.
`index.json` there says what must come out of each mail; a figure counts how often it does.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailtickets.mail.bounce import read_bounce
from mailtickets.mail.classify import Origin, OwnAddresses, classify
from mailtickets.mail.message import Message
from mailtickets.mail.parse import decode_attachment, parse

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
SURE = ("upstream", "agreed")  # asserted by the mail's own project, or read alike by two other parsers

# Expectations that we do not follow, and why: (key, file).
_LATIN = "letters above 127 without a charset: we read them, the expectation gives up on them"
_UTF7 = "UTF-7 is shown as it stands: decoding it would open a way past every filter"
_UUENCODED = "the expectation counts the uuencoded letters; we give the file itself"
ARGUED = {
    ("subject", "parse/stalwart-mail-parser/legacy__001.eml"): _UTF7,
    ("subject", "parse/stalwart-mail-parser/legacy__005.eml"): _UTF7,
    ("subject", "parse/stalwart-mail-parser/legacy__010.eml"): _LATIN,
    ("subject", "parse/stalwart-mail-parser/legacy__020.eml"): _LATIN,
    ("subject", "parse/stalwart-mail-parser/legacy__022.eml"): _LATIN,
    ("subject", "parse/stalwart-mail-parser/legacy__027.eml"): _LATIN,
    ("subject", "parse/stalwart-mail-parser/legacy__052.eml"): _LATIN,
    (
        "attachments",
        "parse/stalwart-mail-parser/legacy__016.eml",
    ): "the expectation leaves the CR out of a CRLF",
    ("attachments", "parse/stalwart-mail-parser/legacy__017.eml"): _UUENCODED,
    ("attachments", "parse/stalwart-mail-parser/legacy__048.eml"): _UUENCODED,
    ("attachments", "parse/ruby-mail/error_emails__content_transfer_encoding_x_uuencode.eml"): _UUENCODED,
}
# Bounces that lie outside the folder of bounces, or are filed as an answering machine's.
BOUNCES_ELSEWHERE = {
    "autoreplies/bounceparser/whitelist.eml": "a failed delivery in every field; only its words ask for a confirmation",
    "parse/cpython/msg_16.eml": "a delivery report",
    "parse/cpython/msg_25.eml": "a delivery report",
    "parse/cpython/msg_43.eml": "a delivery report of a virus filter",
    "parse/enmime/mail__multipart-wo-boundary.eml": "a delivery report without a boundary",
    "parse/mime-tools/mimetools__badbound.eml": "a delivery report in its own words",
    "parse/mimekit/mbox-content-length.mbox-27.eml": "a delivery report",
    "parse/mox/message__message-rfc822-multipart2.eml": "a delivery report",
    "parse/ruby-mail/mime_emails__raw_email_with_mimepart_without_content_type.eml": "a warning of a delay",
}
# Mails that are listed as bounces and are none of a server's.
NO_BOUNCES = {
    "bounces/bounceparser/warning-6.eml": "an absence notice, and filed as one",
    "bounces/sisimai/err-make-test-36.eml": "a person forwards a bounce: what a person wrote is a person's mail",
}
# What a reader of the ticket should see is drawn differently by design here (README of the corpus: sources differ).
_FORWARDED = "a forwarded mail is the person's content, so it stays"
_SIGNATURE = "the source keeps signatures; we leave them out"
ARGUED_TEXTS = {
    "replies/email_reply_trimmer/forwarded_apple.txt": _FORWARDED,
    "replies/email_reply_trimmer/forwarded_gmail.txt": _FORWARDED,
    "replies/email_reply_trimmer/forwarded_message.txt": _FORWARDED,
    "replies/email_reply_trimmer/quote_and_text.txt": "a marked quote goes, wherever it stands",
    "replies/talon/iphone.eml": _SIGNATURE,
    "replies/talon/sparrow.eml": _SIGNATURE,
}


@dataclass
class Figure:
    """How often one thing came out right, and where it did not."""

    name: str
    right: int = 0
    total: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        return self.right / self.total if self.total else 1.0

    def count(self, *, is_right: bool, file: str, detail: object = "") -> None:
        self.total += 1
        self.right += is_right
        if not is_right:
            self.wrong.append(f"{file}: {detail}" if detail else file)


@dataclass(frozen=True)
class Entry:
    """One mail of the corpus with what is known of it."""

    file: str
    kind: str
    format: str
    source: str
    expect: dict[str, Any]
    basis: dict[str, str]
    raw: bytes


def entries(folder: Path = FOLDER) -> list[Entry]:
    """Return all mails of the corpus, in the order of its index."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return [
        Entry(
            one["file"],
            one["class"],
            one["format"],
            one["source"],
            one["expect"],
            one["basis"],
            (folder / one["file"]).read_bytes(),
        )
        for one in index["entries"]
    ]


def message_of(entry: Entry) -> Message:
    """Return a mail as a Message; a body alone becomes the body of an answer with no other header."""
    answered = ("<answered@corpus.example>",)
    if entry.format == "body-text":
        return Message(text=entry.raw.decode("utf-8", "replace"), in_reply_to=answered)
    if entry.format == "body-html":
        return Message(html=entry.raw.decode("utf-8", "replace"), in_reply_to=answered)
    return parse(entry.raw)


def measure(mails: list[Entry]) -> dict[str, Figure]:
    """Return all figures, by name."""
    read = [(entry, message_of(entry)) for entry in mails]
    return {
        figure.name: figure
        for figures in (
            parse_figures(read),
            bounce_figures(read),
            autoreply_figures(read),
            visible_figures(read),
        )
        for figure in figures
    }


def parse_figures(mails: list[tuple[Entry, Message]]) -> list[Figure]:
    """Return how far parsing agrees with what is surely known, key by key."""
    checks = {
        "subject": _subject_agrees,
        "from": lambda entry, message: _addresses_agree(entry.expect["from"], message.from_),
        "to": lambda entry, message: _addresses_agree(entry.expect["to"], message.to),
        "message_id": lambda entry, message: message.message_id.strip("<>") == entry.expect["message_id"],
        "text_sha256": lambda entry, message: (
            hashlib.sha256(message.text.strip().encode()).hexdigest() == entry.expect["text_sha256"]
        ),
        "attachments": _attachments_agree,
    }
    readable = Figure("parse: gives a Message")
    by_key = {key: Figure(f"parse: {key}") for key in checks}
    for entry, message in mails:
        unreadable = [defect for defect in message.defects if defect.startswith("unreadable")]
        readable.count(is_right=not unreadable, file=entry.file, detail=unreadable)
        for key, agrees in checks.items():
            if key in entry.expect and entry.basis.get(key) in SURE and (key, entry.file) not in ARGUED:
                by_key[key].count(is_right=agrees(entry, message), file=entry.file)
    return [readable, *by_key.values()]


def _collapsed(text: str) -> str:
    return " ".join(text.split())


def _subject_agrees(entry: Entry, message: Message) -> bool:
    # A subject longer than a line may be (RFC 5322) is cut on purpose.
    return _collapsed(message.subject)[:990] == _collapsed(entry.expect["subject"])[:990]


def _addresses_agree(expected: list[dict[str, str]], found: tuple[Any, ...]) -> bool:
    return [_comparable(one["address"]) for one in expected] == [_comparable(one.address) for one in found]


def _comparable(address: str) -> str:
    local, _, domain = address.lower().rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError:
        return address.lower()


def _attachments_agree(entry: Entry, message: Message) -> bool:
    expected = entry.expect["attachments"]
    return len(expected) == len(message.attachments) and all(
        _attachment_agrees(wanted, attachment, decode_attachment(entry.raw, attachment))
        for wanted, attachment in zip(expected, message.attachments, strict=True)
    )


def _attachment_agrees(wanted: dict[str, Any], attachment: Any, content: bytes) -> bool:
    # We keep the last piece of a path only (RFC 2183 section 2.3), and the type that the mail
    # declares: other readers guess a better one than application/octet-stream from the name.
    name = _collapsed(wanted.get("name") or attachment.name)
    kind = wanted.get("content_type", attachment.content_type)
    return (
        (
            _collapsed(attachment.name) == name
            or (len(name) > len(attachment.name) > 0 and name.endswith(attachment.name))
        )
        and attachment.content_type in {kind, "application/octet-stream"}
        and wanted.get("size", len(content)) == len(content)
        and wanted.get("sha256", hashlib.sha256(content).hexdigest()) == hashlib.sha256(content).hexdigest()
    )


def bounce_figures(mails: list[tuple[Entry, Message]]) -> list[Figure]:
    """Return bounces found, other mails left alone, and what was read out of the bounces."""
    found, quiet = Figure("bounces: found"), Figure("bounces: no false alarm")
    recipients, codes = (
        Figure("bounces: failing addresses"),
        Figure("bounces: SMTP code of the first address"),
    )
    statuses, returned = (
        Figure("bounces: status of the first address"),
        Figure("bounces: names the mail that came back"),
    )
    for entry, message in mails:
        if entry.format != "rfc822":
            continue
        bounce = read_bounce(message)
        is_bounce = bounce is not None and bounce.kind in {"failed", "delayed"}
        if entry.expect.get("bounce") and entry.file not in NO_BOUNCES:
            found.count(is_right=is_bounce, file=entry.file, detail=message.subject[:60])
        elif (
            entry.expect.get("bounce") is False or entry.kind != "bounce"
        ) and entry.file not in BOUNCES_ELSEWHERE:
            quiet.count(is_right=not is_bounce, file=entry.file, detail=message.subject[:60])
        if bounce is None or not is_bounce or not entry.expect.get("bounce"):
            continue
        returned.count(is_right=bool(bounce.returned_ids), file=entry.file)
        if wanted := entry.expect.get("recipients"):
            got = {one.address.lower() for one in bounce.recipients}
            recipients.count(is_right={one.lower() for one in wanted} <= got, file=entry.file, detail=got)
        first: dict[str, Any] = next(iter(entry.expect.get("recipients_status") or ()), {})
        if bounce.recipients and first.get("code"):
            codes.count(is_right=str(bounce.recipients[0].code) == str(first["code"]), file=entry.file)
        # X.0.9nn is no code of any server: the source of the expectation makes it up for its own reasons.
        if bounce.recipients and first.get("status") and ".0.9" not in first["status"]:
            statuses.count(is_right=bounce.recipients[0].status == first["status"], file=entry.file)
    return [found, quiet, recipients, codes, statuses, returned]


def autoreply_figures(mails: list[tuple[Entry, Message]]) -> list[Figure]:
    """Return automatic mails known as such, and people's mails left to people."""
    machines, people = Figure("auto-replies: not a person"), Figure("people: a person")
    for entry, message in mails:
        if entry.format != "rfc822":
            continue
        verdict = classify(message, ours=False, own_addresses=OwnAddresses())
        if entry.kind == "autoreply" or entry.expect.get("auto") in {"vacation", "challenge-response"}:
            machines.count(
                is_right=verdict.origin is not Origin.PERSON, file=entry.file, detail=message.subject[:60]
            )
        elif entry.kind in {"thread", "ticket", "reply"}:
            is_person = verdict.origin is Origin.PERSON
            people.count(is_right=is_person, file=entry.file, detail=verdict.reason)
    return [machines, people]


def visible_figures(mails: list[tuple[Entry, Message]]) -> list[Figure]:
    """Return how often the text that a reader should see is exactly what comes out, in all and by source."""
    from mailtickets.mail.visible_text import new_text

    exact, parts = Figure("visible text: exact"), Figure("visible text: holds and leaves out what it must")
    argued = Figure("visible text: exact, with expectations that we do not follow")
    by_source: dict[str, Figure] = {}
    for entry, message in mails:
        wanted = entry.expect.get("reply_text")
        keys = {"reply_contains", "reply_not_contains"} & set(entry.expect)
        if wanted is None and not keys:
            continue
        visible = new_text(message)
        if wanted is not None:
            is_right = _shape(visible, entry) == _shape(wanted, entry)
            figure = by_source.setdefault(entry.source, Figure(f"visible text: exact in {entry.source}"))
            for one in (argued, figure) if entry.file in ARGUED_TEXTS else (exact, argued, figure):
                one.count(is_right=is_right, file=entry.file)
        if keys:
            holds = all(one in visible for one in _strings(entry.expect.get("reply_contains")))
            leaks = any(one in visible for one in _strings(entry.expect.get("reply_not_contains")))
            parts.count(is_right=holds and not leaks, file=entry.file)
    return [exact, argued, *by_source.values(), parts]


def _strings(value: object) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(one) for one in value]  # type: ignore[attr-defined]


def _shape(text: str, entry: Entry) -> str:
    if entry.expect.get("compare") == "ignore-whitespace":
        return "".join(text.split())
    return text.replace("\r\n", "\n").strip()


def parse_milliseconds(mails: list[Entry]) -> float:
    """Return the processor time that parsing one mail of the corpus takes on average."""
    whole = [entry.raw for entry in mails if entry.format == "rfc822"]
    started = time.process_time()
    for raw in whole:
        parse(raw)
    return (time.process_time() - started) / len(whole) * 1000
