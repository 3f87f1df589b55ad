"""Absence notices: is this one, and when is the person back? Reads subjects and dates in many languages. Pure."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailtickets.mail.message import Message

MAX_TEXT = 4000  # the date stands in the first lines
MAX_AWAY = timedelta(days=400)

# Anchored at the start, behind reply marks: a person who writes "Re: out of office rules" is none.
_SUBJECT = re.compile(
    r"(?:(?:re|aw|sv|vs|rv|ref|tr|odp|antw)\s?:\s?){0,2}[\[(]?(?:"
    r"auto(?:matic|mated|matisch[e]?|\.)?[ -]?(?:reply|response|antwort|réponse|svar|replay|responder|responce)\b"
    r"|auto(?:reply|response|responder|svar)\b|auto:|autoreply"
    r"|out[ -]of[ -](?:the[ -])?office|ooo\b(?=\s?[:\-])|vacation(?: (?:reply|message|notice|response|auto))|on (?:vacation|holiday|leave)\b"
    r"|away (?:until|from (?:the |my )?(?:office|desk|mail|e-mail))|i(?: a|')m (?:away|on (?:holiday|vacation|leave)|out of)"
    r"|automatische (?:antwort|beantwoording|rückantwort)|automatisch antwoord|abwesenheit|(?:bin |ich bin )?nicht im (?:büro|haus)|außer haus"
    r"|afwezig|niet aanwezig"
    r"|réponse automatique|absence du bureau|absent[e]? du bureau|message d['\u2019]absence|absence\s?:|en congé"
    r"|respuesta automática|fuera de (?:la )?oficina|ausente|ausencia"
    r"|risposta automatica|fuori (?:sede|ufficio)|assente|assenza"
    r"|automatyczna odpowiedź|odpowiedź automatyczna|autoodpowiedź|nieobecność|poza biurem"
    r"|resposta automática|fora do escritório|ausência"
    r"|autosvar|automatiskt? svar|frånvarande|fraværende|ikke til stede"
    r"|automaattinen vastaus|poissa(?:olo)?|automatická odpověď|automatikus válasz|răspuns automat|otomatik yan\u0131t"
    r"|авто(?:матический )?ответ|自動(?:応答|返信)|自动(?:回复|答复)|不在のお知らせ"
    r")",
    re.IGNORECASE,
)
_AT_END = re.compile(
    r"\((?:automatic|auto|automated)[- ]?(?:response|reply)\)\s*$|\bis (?:out of|away from) the office\b"
    r"|\[auto(?:matic)?[- ]?(?:reply|response)\]",
    re.IGNORECASE,
)
# What an absence says about itself, as opposed to "we have received your mail".
_ABSENT_WORDS = re.compile(
    r"out of (?:the )?office|on (?:vacation|holiday|leave|annual leave|maternity|parental)|away (?:from|until|till|on)|\bi (?:am|will be) (?:away|out)|"
    r"not in the office|return(?:ing)? (?:to the office )?on|i(?:'ll| will| shall) (?:be back|return)|(?:limited|intermittent|no) access to (?:my )?e-?mails?|(?:am|be) travell?ing|"
    r"abwesend|nicht im büro|im urlaub|außer haus|wieder (?:im|ab|erreichbar|da)|bis zum|"
    r"absent|en congé|en vacances|de retour|hors du bureau|"
    r"fuera de (?:la )?oficina|de vacaciones|ausente|regres|vuelvo|"
    r"fuori (?:ufficio|sede)|in ferie|assente|rientr|"
    r"afwezig|op vakantie|met vakantie|niet op kantoor|"
    r"nieobecn|na urlopie|poza biurem|"
    r"de férias|fora do escritório|"
    r"på semester|frånvarande|tillbaka|på ferie|fravær|lomalla|poissa|"
    r"в отпуск|отсутств|不在|休暇|外出",
    re.IGNORECASE,
)
_MONTHS = {
    "jan": 1, "ene": 1, "gen": 1, "sty": 1, "jän": 1,
    "feb": 2, "fev": 2, "fév": 2, "lut": 2,
    "mar": 3, "mär": 3, "maa": 3, "mrz": 3, "mrt": 3,
    "apr": 4, "avr": 4, "abr": 4, "kwi": 4,
    "may": 5, "mai": 5, "mei": 5, "maj": 5, "mag": 5,
    "jun": 6, "giu": 6, "cze": 6,
    "jul": 7, "lug": 7, "lip": 7,
    "aug": 8, "ago": 8, "aoû": 8, "aou": 8, "sie": 8,
    "sep": 9, "set": 9, "wrz": 9,
    "oct": 10, "okt": 10, "ott": 10, "out": 10, "paź": 10,
    "nov": 11, "lis": 11,
    "dec": 12, "dez": 12, "déc": 12, "dic": 12, "gru": 12, "des": 12,
}  # fmt: skip
_LONG_MONTHS = {"juin": 6, "juil": 7, "juillet": 7}
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            "monday montag lundi lunes lunedì maandag poniedziałku poniedziałek segunda måndag mandag",
            "tuesday dienstag mardi martes martedì dinsdag wtorku wtorek terça tisdag tirsdag",
            "wednesday mittwoch mercredi miércoles mercoledì woensdag środy środa quarta onsdag",
            "thursday donnerstag jeudi jueves giovedì donderdag czwartku czwartek quinta torsdag",
            "friday freitag vendredi viernes venerdì vrijdag piątku piątek sexta fredag",
            "saturday samstag sonnabend samedi sábado sabato zaterdag soboty sobota lördag lørdag",
            "sunday sonntag dimanche domingo domenica zondag niedzieli niedziela söndag søndag",
        )
    )
    for name in names.split()
}
_UNTIL = re.compile(
    r"\b(?:until|till|through|thru|to|back (?:in the office )?(?:on|in)|be back|return(?:ing)?(?: to (?:the )?(?:office|work))?(?: on)?|available (?:again )?(?:from|on)|"
    r"bis(?: zum| einschließlich)?|wieder (?:ab|am|im|da|erreichbar)|zurück (?:am|ab)|ab (?:dem|montag|dienstag|mittwoch|donnerstag|freitag)|ab dem|"
    r"jusqu['\u2019]au|de retour le|retour le|hasta el|vuelvo el|regreso el|regresaré el|fino al|tornerò il|rientro il|rientrerò il|"
    r"tot en met|tot|terug op|t/m|do dnia|do|wrócę|até|volto|regresso|till|till och med|t\\.o\\.m\\.|tillbaka|til og med|tilbake|tilbage)\b",
    re.IGNORECASE,
)
_ISO = re.compile(r"\b(20[0-9]{2})-([01]?[0-9])-([0-3]?[0-9])\b")
_DAY_FIRST = re.compile(r"\b([0-3]?[0-9])\.\s?([01]?[0-9])\.(?:\s?(20[0-9]{2}|[0-9]{2})\b)?")
_SLASHES = re.compile(r"\b([0-3]?[0-9])[/-]([0-3]?[0-9])(?:[/-](20[0-9]{2}|[0-9]{2}))?\b")
_DAY_MONTH = re.compile(
    r"\b([0-3]?[0-9])(?:st|nd|rd|th|er|\.|º)?\s{1,3}(?:of |de |di )?([^\W\d_]{3,12})\.?,?(?:\s{1,3}(?:de )?(20[0-9]{2}))?",
    re.IGNORECASE,
)
_MONTH_DAY = re.compile(
    r"\b([^\W\d_]{3,12})\.?\s{1,3}([0-3]?[0-9])(?:st|nd|rd|th)?\b(?:,?\s{1,3}(20[0-9]{2}))?", re.IGNORECASE
)
_WORD = re.compile(r"[^\W\d_]{3,14}")


# Said of oneself, in the first lines: what a robot without any sign of its own sends, and hardly anybody by hand.
_SPEAKS_OF_SELF = re.compile(
    r"\bi(?:'m| am| will be|'ll be)(?: currently| presently| now)? (?:out of (?:the )?office|away (?:from|until|till|on)|on (?:annual |sick |parental |maternity )?(?:leave|vacation|holiday))"
    r"|\b(?:this is an|an) auto(?:mated|matic)[- ](?:reply|response|message)|\bthank you for your (?:e-?mail|message)[.,!] i(?:'m| am) (?:away|out)"
    r"|\bich bin (?:derzeit |zurzeit |aktuell |momentan |bis |ab )?.{0,40}(?:nicht im büro|im urlaub|außer haus|abwesend)"
    r"|\bje suis (?:actuellement )?(?:absente?|en congé|en vacances)|\bestoy (?:fuera de la oficina|de vacaciones)|\bsono (?:assente|fuori ufficio|in ferie)"
    r"|\bik ben (?:momenteel )?.{0,30}(?:afwezig|met vakantie|op vakantie)",
    re.IGNORECASE,
)
MAX_FIRST_LINES = 400


def reads_like_absence(text: str) -> bool:
    """Whether what somebody wrote opens like an absence notice, though nothing else says that a machine sent it."""
    return _SPEAKS_OF_SELF.search(" ".join(text[:MAX_FIRST_LINES].split())) is not None


def subject_of_machine(subject: str) -> str:
    """Return the words of a subject that only an answering machine writes, or an empty string."""
    cut = subject[:400].strip()
    match = _SUBJECT.match(cut) or _AT_END.search(cut)
    return match[0].strip(" [(") if match else ""


def is_absence(message: Message) -> bool:
    """Whether a machine-written mail says that its owner is away, not just that mail has arrived.

    Asked only about mail that is known to be automatic.
    """
    subject = message.subject[:400]
    return _ABSENT_WORDS.search(subject + "\n" + message.text[:MAX_TEXT]) is not None


def away_until(message: Message) -> date | None:
    """Return the day that an absence notice names as its end or as the day of return, or None.

    A day without a year is the next one of that name after the mail's own Date; a day that is
    written in figures only, and could be two days, is not read.
    """
    if message.date is None:
        return None
    today = message.date.date()
    found = []
    text = f"{message.subject[:400]}\n{message.text[:MAX_TEXT]}"
    for match in _UNTIL.finditer(text):
        if day := _day_in(text[match.end() : match.end() + 48], today):
            found.append(day)
        if len(found) == 10:
            break
    later = [day for day in found if today <= day <= today + MAX_AWAY]
    return max(later) if later else None


def _day_in(text: str, today: date) -> date | None:
    """Return the first day written in a short text."""
    # A date belongs to the same sentence: "back soon. In 2019 we..." names none.
    if match := _ISO.search(text):
        return _valid(int(match[1]), int(match[2]), int(match[3]))
    for pattern, day_group, month_group in ((_DAY_MONTH, 1, 2), (_MONTH_DAY, 2, 1)):
        for match in pattern.finditer(text):
            if month := _month(match[month_group]):
                return _in_year(match[3], month, int(match[day_group]), today)
    if match := _DAY_FIRST.search(text):
        return _in_year(match[3], int(match[2]), int(match[1]), today)
    if match := _SLASHES.search(text):
        first, second = int(match[1]), int(match[2])
        if first > 12 or first == second:
            return _in_year(match[3], second, first, today)
        return _in_year(match[3], first, second, today) if second > 12 else None
    match = _WORD.search(text[:24])
    weekday = _WEEKDAYS.get(match[0].lower()) if match else None
    return None if weekday is None else today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def _month(word: str) -> int | None:
    lowered = word.lower()
    if lowered in _LONG_MONTHS:
        return _LONG_MONTHS[lowered]
    return _MONTHS.get(lowered[:3])


def _in_year(year: str | None, month: int, day: int, today: date) -> date | None:
    if year:
        return _valid(int(year) + (2000 if len(year) == 2 else 0), month, day)
    this = _valid(today.year, month, day)
    if this is not None and this < today:
        return _valid(today.year + 1, month, day)
    return this


def _valid(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
