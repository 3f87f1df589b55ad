"""Reports about a mail of ours: not delivered, delayed, read, complained about. Pure.

RFC 3464 fields come first. Mail systems that write in their own words (qmail, Exim, old sendmail,
Domino, carriers...) are read only when a mail system speaks, not a person: somebody who forwards a
bounce, or writes about one, is a person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mailtickets.mail.absence import subject_of_machine
from mailtickets.mail.bounce_words import BODY_SAYS, MAX_DIAGNOSTIC, SUBJECT_SAYS, plain_reason, says_delay
from mailtickets.mail.header_text import decode_words, message_ids, one_line
from mailtickets.mail.message import address_key, local_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mailtickets.mail.message import Message

MAX_RECIPIENTS = 50
MAX_RETURNED_SUBJECT = 100
MAX_IDS = 60
MAX_TEXT = 64 * 1024  # of a report's text that is read; the returned mail stands behind it


@dataclass(frozen=True, slots=True)
class FailedRecipient:
    """One address that did not get our mail; "" where the report names none.

    status      enhanced status code of RFC 3463 ("5.1.1"), or "".
    code        SMTP reply code (550), or None.
    reason      one short plain sentence.
    permanent   trying again is of no use.
    """

    address: str
    status: str = ""
    code: int | None = None
    reason: str = ""
    permanent: bool = True


@dataclass(frozen=True, slots=True)
class Bounce:
    """A report about a mail of ours.

    kind          "failed", "delayed", "feedback" (an abuse report, RFC 5965; its recipients complained), "receipt"
                  (a disposition notification, RFC 8098), or "other" (delivered, relayed, expanded).
    returned_ids  Message-ID, then References of the mail that came back, angle brackets kept.
    words_alone   nothing but its words makes it a report: its writer may be a person, or a machine with other news.
    """

    kind: str
    delayed: bool = False
    recipients: tuple[FailedRecipient, ...] = ()
    returned_ids: tuple[str, ...] = ()
    words_alone: bool = False


_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9_-]{1,63}\.){1,10}[A-Za-z0-9-]{1,63}"
)
_STATUS = re.compile(r"(?<![0-9.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
_FAILED_STATUS = re.compile(r"(?<![0-9.])([45]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
_CODE = re.compile(r"(?:^|[\s:;(#<])([45][0-9]{2})(?=[\s-]|$)")

_SYSTEM_LOCAL = re.compile(
    r"mailer[-_.]?daemon|mail[-_.]?daemon|mail[-_.]deliver[-_.a-z]{0,30}|mdaemon|mmdf|maildelivery|double-bounce"
)
# Names behind which a person may sit, too: what they write must say twice that it is a report.
_HALF_SYSTEM_LOCAL = re.compile(r"post[-_.]?master[-_.a-z0-9]{0,30}|no-?reply|do-?not-?reply")
_NAMED_LINE = re.compile(
    r"^[ \t>*-]{0,12}<?(" + _ADDRESS.pattern + r")>?[ \t]{0,4}(?::|\.\.\.|\(|\r?$)", re.MULTILINE
)
# A robot that wants the sender to prove something has kept our mail, not lost it.
_CHALLENGE = re.compile(
    r"not (?:pre-?)?approved|guest list|(?:confirm|verify|prove) that you(?: are|r)|challenge[- ]response|waitlist",
    re.IGNORECASE,
)
_SYSTEM_NAME = re.compile(
    r"mailer[- ]?daemon|mail deliver[y]? (?:sub)?system|mail delivery|post[- ]?master|system administrator|mail system",
    re.IGNORECASE,
)
# Where the report ends and the mail that it brings back begins.
_RETURNED_FROM = re.compile(
    r"^[ \t>]{0,4}(?:-{2,80}|={2,80}|\*{2,80}|_{2,80}|#{2,80})[^\n]{0,30}(?:copy of|original|unsent|returned|undelivered|message (?:header|text|follows|header)|your message|header)[^\n]{0,80}$"
    r"|^[ \t>]{0,4}(?:Received: (?:from|by|\()|Return-Path: |X-Originating-|DKIM-Signature: )",
    re.IGNORECASE | re.MULTILINE,
)
_RETURNED_ID = re.compile(
    r"^[ \t>]{0,8}Message-ID:[ \t]{0,8}\n?[ \t>]{0,8}(<[^<>\n]{1,400}>)", re.IGNORECASE | re.MULTILINE
)
_RETURNED_REFERENCES = re.compile(
    r"^[ \t>]{0,8}(?:References|In-Reply-To):((?:[ \t>]{0,8}\n?[ \t>]{0,8}<[^<>\n]{1,400}>){1,60})",
    re.IGNORECASE | re.MULTILINE,
)
_ERROR_FIRST = re.compile(r"error\b[^\n]{0,80}\n|[45][0-9]{2}[ -][^\n]{1,200}\n", re.IGNORECASE)
_ANY_TAG = re.compile(r"<[^<>]*>")
_AMAZON = re.compile(r"\"notificationType\"\s?:\s?\"(Bounce|Complaint|Delivery)\"")


def read_bounce(message: Message) -> Bounce | None:
    """Return what a report says about a mail of ours, or None if the mail is no report."""
    is_report = message.main_type in {"multipart/report", "message/delivery-status"}
    is_system = comes_from_mail_system(message)
    if message.report and (is_report or is_system):
        if bounce := _of_fields(message):
            return bounce
    elif is_report and message.report_type == "disposition-notification":
        return Bounce("receipt", returned_ids=_returned_ids(message, ""))
    elif is_report and message.report_type == "feedback-report":
        return Bounce("feedback", returned_ids=_returned_ids(message, ""))
    if bounce := _of_amazon(message):
        return bounce
    if is_system or is_report:
        return _of_words(message, is_sure=True)
    bounce = _of_words(message, is_sure=False) if _may_be_mail_system(message) else None
    return replace(bounce, words_alone=not has_null_path(message)) if bounce else None


def comes_from_mail_system(message: Message) -> bool:
    """Whether a mail server speaks: its customary names, or the field that only it writes."""
    if message.header("X-Failed-Recipients"):
        return True
    raw_from = message.header("From")[:500]
    if not message.from_:
        return _SYSTEM_NAME.search(raw_from) is not None or raw_from.strip() == "<>"
    local = _local(message)
    if _SYSTEM_LOCAL.fullmatch(local):
        return True
    return has_null_path(message) and _HALF_SYSTEM_LOCAL.fullmatch(local) is not None


def has_null_path(message: Message) -> bool:
    """Whether the topmost Return-Path is the null one: nobody may answer such a mail (RFC 5321 section 4.5.5)."""
    return message.header("Return-Path").replace(" ", "") == "<>"


def _may_be_mail_system(message: Message) -> bool:
    return has_null_path(message) or _HALF_SYSTEM_LOCAL.fullmatch(_local(message)) is not None


def _local(message: Message) -> str:
    if not message.from_:
        return ""
    return local_of(message.from_[0].address) or address_key(message.from_[0].address)


def _of_fields(message: Message) -> Bounce | None:
    """Read the field groups of RFC 3464, RFC 8098 or RFC 5965."""
    groups = message.report
    ids = _returned_ids(message, "")
    if any("feedback-type" in group for group in groups):
        # RFC 5965 section 3.2: the field may be left out or made unreadable; then the returned id says whom we wrote to.
        complained = (_typed_address(group.get("original-rcpt-to", "")) for group in groups)
        recipients = tuple(FailedRecipient(one) for one in complained if "@" in one)[:MAX_RECIPIENTS]
        return Bounce("feedback", recipients=recipients, returned_ids=ids)
    if any("disposition" in group for group in groups):
        original = (one for group in groups for one in message_ids(group.get("original-message-id", "")))
        return Bounce("receipt", returned_ids=_once((*original, *ids)))
    about = [group for group in groups if "final-recipient" in group or "original-recipient" in group]
    if not about:
        return None
    if any(_CHALLENGE.search(group.get("diagnostic-code", "")) for group in about):
        return Bounce("other", returned_ids=ids)
    actions = {group.get("action", "").partition(" ")[0].strip(";").lower() for group in about}
    recipients = tuple(_recipient(group, message) for group in about[:MAX_RECIPIENTS])
    if "failed" in actions or "failure" in actions:
        failed = tuple(
            recipient
            for recipient, group in zip(recipients, about, strict=False)
            if group.get("action", "failed").lower().startswith("fail")
        )
        return Bounce("failed", recipients=failed, returned_ids=ids)
    if actions & {"delayed", "delay", "transient"}:
        return Bounce("delayed", delayed=True, recipients=recipients, returned_ids=ids)
    if actions & {"delivered", "relayed", "expanded", "delivery", "deliverable"}:
        return Bounce("other", returned_ids=ids)
    if any(one.status.startswith("2.") for one in recipients) and not any(one.code for one in recipients):
        return Bounce("other", returned_ids=ids)
    is_delay = all(one.status.startswith("4.") for one in recipients) and says_delay(
        message.subject, message.text[:4000]
    )
    return Bounce(
        "delayed" if is_delay else "failed", delayed=is_delay, recipients=recipients, returned_ids=ids
    )


def _recipient(group: Mapping[str, str], message: Message) -> FailedRecipient:
    final, original = (
        _typed_address(group.get(name, "")) for name in ("final-recipient", "original-recipient")
    )
    # The address we wrote to; a forwarding in between makes the final one unknown to us.
    address = original if "@" in original and not _wrote_to(message, final) else final or original
    diagnostic = group.get("diagnostic-code", "")[:MAX_DIAGNOSTIC]
    if not diagnostic and sum("final-recipient" in other for other in message.report) == 1:
        diagnostic = _before_returned(message.text[:4000])[0]  # Sendmail says it in its transcript only
    status = _best_status(group.get("status", ""), diagnostic)
    code = _code(diagnostic)
    permanent = not status.startswith("4.") if status else code is None or code >= 500
    return FailedRecipient(address, status, code, plain_reason(status, diagnostic), permanent)


def _wrote_to(message: Message, address: str) -> bool:
    key = address_key(address)
    return bool(key) and any(
        name.lower() == "to" and key in value.lower() for name, value in message.returned
    )


def _typed_address(value: str) -> str:
    """Return the address of "rfc822; user@host" (RFC 3464 section 2.1.2), however it is dressed."""
    plain = value.partition(";")[2] or value
    match = _ADDRESS.search(plain)
    return match[0] if match else one_line(plain.strip(" <>\"'"), 320)


def _best_status(field_value: str, diagnostic: str) -> str:
    """Return the most telling status code: X.0.0 says nothing, so the diagnostic's own is taken instead."""
    given = _STATUS.search(field_value)
    told = _FAILED_STATUS.search(diagnostic)
    status = given[1] if given else ""
    if told and (not status or status.endswith(".0.0")):
        return told[1]
    return status


def _code(text: str) -> int | None:
    match = _CODE.search(text)
    return int(match[1]) if match else None


def _of_amazon(message: Message) -> Bounce | None:
    """Read a notification of a sending service that reports bounces as JSON."""
    if not message.text.lstrip().startswith("{") or "amazon" not in message.header("From").lower():
        return None
    text = message.text[:MAX_TEXT].replace('\\"', '"')
    match = _AMAZON.search(text)
    if match is None:
        return None
    kind = {"Bounce": "failed", "Complaint": "feedback"}.get(match[1], "other")
    found = re.findall(r"\"emailAddress\"\s?:\s?\"([^\"]{3,320})\"", text)[:MAX_RECIPIENTS]
    diagnostic = re.search(r"\"diagnosticCode\"\s?:\s?\"([^\"]{1,500})", text)
    words = diagnostic[1] if diagnostic else ""
    status = _best_status("", words)
    recipients = tuple(
        FailedRecipient(one, status, _code(words), plain_reason(status, words))
        for one in dict.fromkeys(found)
    )
    return Bounce(
        kind, recipients=recipients if kind != "other" else (), returned_ids=_returned_ids(message, text)
    )


def _before_returned(text: str) -> tuple[str, str]:
    """Return the report's own words, and the mail that it brings back behind them."""
    start = _RETURNED_FROM.search(text)
    words, returned = (text[: start.start()], text[start.start() :]) if start else (text, "")
    return (words, returned) if words.strip() else (text[:4000], text[4000:])


def _of_words(message: Message, *, is_sure: bool) -> Bounce | None:
    """Read a report in free words: what it says, whom it names, what it brings back.

    is_sure   a mail system wrote it; otherwise subject and text must both say that it is a report,
              and an answer ("Re:") is none.
    """
    text = message.text[:MAX_TEXT] if message.text.strip() else _ANY_TAG.sub(" ", message.html[:MAX_TEXT])
    words, returned = _before_returned(text)
    subject_says = SUBJECT_SAYS.search(message.subject[:300]) is not None
    body_says = BODY_SAYS.search(words[:8000]) is not None
    found = _addresses_in(message, words, returned)
    is_error = _is_error(words)
    if (
        not is_sure
        and not is_error
        and not (subject_says and body_says and message.subject[:3].lower() != "re:")
    ):
        return None
    if not (subject_says or is_error or (body_says and found)) or (
        not is_sure and subject_of_machine(message.subject)
    ):
        return None
    status = _best_status("", words)
    code = _code(words)
    delayed = says_delay(message.subject, words[:4000])
    permanent = not delayed and (not status.startswith("4.") if status else code is None or code >= 500)
    reason = plain_reason(status, words)
    return Bounce(
        "delayed" if delayed else "failed",
        delayed=delayed,
        # Whoever names nobody still says whether it is for good.
        recipients=tuple(FailedRecipient(one, status, code, reason, permanent) for one in found or ("",)),
        returned_ids=_returned_ids(message, returned or words),
    )


def _is_error(words: str) -> bool:
    """Whether a text is a server's error and nothing else: so it begins, a refusal follows, and the envelope.

    Some carriers answer like that, with the subject of the mail that they refused.
    """
    head = words[:2000].lstrip()
    return _ERROR_FIRST.match(head) is not None and _code(head) is not None and "RCPT TO:" in head


def _addresses_in(message: Message, words: str, returned: str) -> tuple[str, ...]:
    """Return the failed addresses: the field that lists them, else the first that the report names."""
    listed = _ADDRESS.findall(message.header("X-Failed-Recipients")[:4000])
    if listed:
        return tuple(dict.fromkeys(listed))[:MAX_RECIPIENTS]
    ours = {one.key for one in (*message.to, *message.from_, *message.cc)} | {
        address_key(one) for one in message.delivered_to
    }
    for candidates, most in ((_NAMED_LINE.findall(words), MAX_RECIPIENTS), (_ADDRESS.findall(words), 1)):
        named = [
            one
            for one in dict.fromkeys(candidates)
            if address_key(one) not in ours and not _is_system_address(one)
        ]
        if named:
            return tuple(named[:most])
    to = re.search(r"^[ \t>]{0,8}To:([^\n]{1,500})", returned, re.IGNORECASE | re.MULTILINE)
    values = [value for name, value in message.returned if name.lower() == "to"] or ([to[1]] if to else [])
    return tuple(_ADDRESS.findall(values[0][:500])[:1]) if values else ()


def _is_system_address(address: str) -> bool:
    return (
        _SYSTEM_LOCAL.fullmatch(local_of(address)) is not None
        or _HALF_SYSTEM_LOCAL.fullmatch(local_of(address)) is not None
    )


def _returned_ids(message: Message, text: str) -> tuple[str, ...]:
    """Return the ids that tell which mail of ours this is about, the surest first."""
    fields = {name.lower(): value for name, value in reversed(message.returned)}
    ids = [*message_ids(fields.get("message-id", "")), *message_ids(fields.get("references", "")[-8000:])]
    ids += message_ids(fields.get("in-reply-to", "")[:2000])
    if text:
        ids += _RETURNED_ID.findall(text)[:3]
        for match in _RETURNED_REFERENCES.finditer(text):
            ids += message_ids(match[1])
            break
    # Exim, Gmail and Exchange thread their report to the mail it is about.
    ids += (*message.in_reply_to, *message.references)
    return _once(ids)


def _once(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))[:MAX_IDS]


def returned_subject(message: Message) -> str:
    """Return the subject of the mail that a report brings back, on one line and cut; "" where there is none."""
    named = (value for name, value in message.returned if name.lower() == "subject")
    return one_line(decode_words(next(named, "")), MAX_RETURNED_SUBJECT)
