"""The words of mail systems: which subjects and texts report a failure, and what a status means in plain words. Pure."""

from __future__ import annotations

import re

MAX_DIAGNOSTIC = 2000

SUBJECT_SAYS = re.compile(
    # English first, then what translated servers (Exchange above all) write.
    r"undeliver|non[- ]?deliver|not delivered|returned mail|mail returned|returned to sender|returning message"
    r"|deliver(?:y|ed)(?: status)? (?:notification|report|fail|problem|error|delay|warning|incomplete)"
    r"|delivery (?:has |was )?failed|fail(?:ed|ure) (?:deliver|notice)|mail fail|mail (?:delivery|system) (?:fail|error|problem|status)"
    r"|could ?n.?t be delivered|could not (?:be delivered|deliver|send)|cannot (?:be delivered|deliver)|unable to deliver"
    r"|delayed mail|mail (?:is )?delayed|warning: (?:message|could not)|message (?:status|not sent|delayed)|bounce|mail.{0,20}rejected"
    r"|error sending your mail|errors from|rejected mail|permanent error|over quota|mailbox (?:is )?full"
    r"|unzustellbar|nicht zustellbar|zustellung (?:fehlgeschlagen|nicht m)|konnte nicht zugestellt|rückläufer"
    r"|non remis|échec d[e']|non distribu|impossible de (?:remettre|livrer)"
    r"|no se (?:puede|pudo|ha podido) entregar|no entregad|error de entrega|correo devuelto"
    r"|mancato recapito|impossibile (?:recapitare|consegnare)|mancata consegna|non recapitabile"
    r"|onbestelbaar|kan niet (?:worden )?bezorgd|niet bezorgd"
    r"|niedostarcz|nie doręczon|zwrot"
    r"|não (?:foi )?entregue|falha na entrega|não pode ser entregue"
    r"|kan inte levereras|gick inte att leverera|kunne ikke leveres|kan ikke leveres|toimitus ei onnistunut"
    r"|nedoručiteln|kézbesíthetetlen|не доставлен|недоставлен"
    r"|teslim edilemedi|送信でき|配信でき|配信不能|配送不能|エラー通知|未送達|退信|无法(?:投递|送达)",
    re.IGNORECASE,
)
BODY_SAYS = re.compile(
    r"(?:could|can|was|were|has|have|is|are)(?: ?n[o']t|not)(?: yet)?(?: been| be)? (?:deliver|sent|reach)"
    r"|un(?:able to|deliver)|not able to deliver|wasn't able to deliver|not a valid|did not reach|invalid (?:final )?(?:delivery )?(?:user|recipient|address|mailbox)|delivery (?:to the following|attempt|has failed|failed|error)"
    r"|failed (?:permanently|to deliver|recipient)|permanent (?:fatal )?(?:error|failure)|fatal error|returned to sender|returning message"
    r"|user (?:is )?(?:unknown|not listed)|unknown (?:user|recipient|address)|no such (?:user|address|mailbox|recipient)"
    r"|recipient(?: address)? (?:rejected|unknown)|mailbox (?:is )?(?:full|unavailable|not found)|over quota|quota exceeded"
    r"|transcript of (?:the )?session|remote host said|mail system|smtp error|bounce|has been blocked|rejected"
    r"|nicht zugestellt|unzustellbar|pas pu être|non remis|no se (?:pudo|ha podido)|impossibile|onbestelbaar|niedostarcz"
    r"|не доставлен|送信でき|配信でき|お届けでき|宛先",
    re.IGNORECASE,
)
_DELAYED = re.compile(
    r"delay|will (?:be )?(?:continue|re-?tr|keep trying|try again)|still (?:being|trying)|not yet (?:been )?deliver"
    r"|do not need to (?:resend|retry)|warning message only|temporary (?:problem|failure)|will continue trying|verzöger|retardé|retraso",
    re.IGNORECASE,
)
_GIVEN_UP = re.compile(
    r"permanent|fatal|giv(?:en|ing) up|gave up|(?:delivery|message) (?:has )?(?:failed|expired)|returned|undeliverable|failure",
    re.IGNORECASE,
)


def says_delay(subject: str, words: str) -> bool:
    """Whether a report says that delivery is still being tried."""
    if re.search(r"\bdelay|warning: |verzöger|retard", subject, re.IGNORECASE):
        return True
    return _DELAYED.search(words) is not None and _GIVEN_UP.search(subject + "\n" + words) is None


# RFC 3463, in the words of somebody who does not know it.
_BY_STATUS = {
    "1.1": "The address does not exist.",
    "1.2": "The domain of the address does not exist.",
    "1.3": "The address is not written correctly.",
    "1.6": "The mailbox has moved.",
    "1.10": "The address does not take mail.",
    "2.1": "The mailbox is switched off.",
    "2.2": "The mailbox is full.",
    "2.3": "The mail is too large for the mailbox.",
    "3.4": "The mail is too large for the other server.",
    "4.1": "The other server does not answer.",
    "4.2": "The connection to the other server broke off.",
    "4.3": "The domain of the address could not be looked up.",
    "4.4": "The other server could not be found.",
    "4.6": "The mail went round in a circle.",
    "4.7": "The mail could not be delivered in time.",
    "7.1": "The other server refused the mail by its own rules.",
}
_BY_WORDS = (
    (r"quota|mailbox (?:is )?full|storage|insufficient space|exceeded", "The mailbox is full."),
    (
        (
            r"user unknown|unknown (?:user|recipient|address)|no such|not listed|does(?: not|n't) exist|invalid (?:recipient|address|mailbox)"
            r"|not found|no mailbox|recipient rejected|unknown or illegal"
        ),
        "The address does not exist.",
    ),
    (
        r"host (?:unknown|not found)|domain.{0,30}(?:not exist|not found|unknown)|nxdomain|no route to",
        "The domain of the address does not exist.",
    ),
    (
        r"spam|blacklist|blocklist|blocked|dnsbl|reputation|policy|denied|dmarc|spf",
        "The other server refused the mail by its own rules.",
    ),
    (r"too (?:large|big)|size limit|exceeds.{0,20}size", "The mail is too large for the other server."),
    (
        r"timed? ?out|connection refused|could not connect|expired|too long|retry",
        "The other server does not answer.",
    ),
)
_BY_WORDS_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), reason) for pattern, reason in _BY_WORDS)


def plain_reason(status: str, diagnostic: str) -> str:
    """Return one plain sentence for a status code (RFC 3463), else for the words of a diagnostic."""
    detail = status.partition(".")[2]
    if detail in _BY_STATUS:
        return _BY_STATUS[detail]
    for pattern, reason in _BY_WORDS_COMPILED:
        if pattern.search(diagnostic[:MAX_DIAGNOSTIC]):
            return reason
    if detail.startswith("7."):
        return _BY_STATUS["7.1"]
    return "The mail could not be delivered."
