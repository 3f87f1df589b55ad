"""What a person newly wrote, in the shapes and languages of common mail programs."""

# ruff: noqa: RUF001 - letters of other alphabets are what is tested

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtickets.mail.message import Message
from mailtickets.mail.parse import parse
from mailtickets.mail.quote_lines import attribution, is_phone_signature
from mailtickets.mail.visible_text import message_text, new_text, visible_text

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"

ATTRIBUTIONS = {
    "gmail en": "On Mon, 3 Feb 2025 at 10:12, Kim Archer <kim@desk.example> wrote:",
    "gmail en wrapped": "On Mon, Feb 3, 2025 at 10:12\u202fAM Kim Archer via Acme Support <\nkim@desk.example> wrote:",
    "apple en": "On 3 Feb 2025, at 10:12, Kim Archer <kim@desk.example> wrote:",
    "thunderbird en": "On 03/02/2025 10:12, Kim Archer wrote:",
    "bare": "Kim Archer <kim@desk.example> wrote:",
    "outlook mobile": 'On Mon, Feb 3, 2025 at 10:12 AM -0800, "Kim Archer" <kim@desk.example<mailto:kim@desk.example>> wrote:',
    "yahoo": "--- On Mon, 2/3/25, Kim Archer <kim@desk.example> wrote:",
    "yahoo web": "On Monday, February 3, 2025 at 10:12:31 AM GMT+1, Kim Archer <kim@desk.example> wrote:",
    "zoho": "---- On Mon, 03 Feb 2025 10:12:00 +0100 Kim Archer <kim@desk.example> wrote ----",
    "proton": "On Monday, February 3rd, 2025 at 10:12, Kim Archer <kim@desk.example> wrote:",
    "notes": "-----Kim Archer/ACME wrote: -----",
    "gmail de": "Am Mo., 3. Feb. 2025 um 10:12 Uhr schrieb Kim Archer <kim@desk.example>:",
    "thunderbird de": "Am 03.02.2025 um 10:12 schrieb Kim Archer:",
    "gmail de name first": "Kim Archer <kim@desk.example> schrieb am Mo., 3. Feb.\n2025 um 10:12 Uhr:",
    "gmail fr": "Le lun. 3 févr. 2025 à 10:12, Kim Archer <kim@desk.example> a écrit :",
    "gmail fr no-break space": "Le lun. 3 févr. 2025 à 10:12, Kim Archer <kim@desk.example>\na écrit\xa0:",
    "gmail es": "El lun, 3 feb 2025 a las 10:12, Kim Archer (<kim@desk.example>) escribió:",
    "gmail it": "Il giorno lun 3 feb 2025 alle ore 10:12 Kim Archer <kim@desk.example> ha scritto:",
    "gmail nl": "Op ma 3 feb 2025 om 10:12 schreef Kim Archer <kim@desk.example>:",
    "apple nl": "Op 3 feb. 2025 om 10:12 heeft Kim Archer <kim@desk.example> het volgende geschreven:",
    "gmail pt": "Em seg., 3 de fev. de 2025 às 10:12, Kim Archer <kim@desk.example> escreveu:",
    "gmail pl": "pon., 3 lut 2025 o 10:12 Kim Archer <kim@desk.example> napisał(a):",
    "thunderbird pl": "W dniu 03.02.2025 o 10:12, Kim Archer pisze:",
    "gmail sv": "Den mån 3 feb. 2025 kl 10:12 skrev Kim Archer <kim@desk.example>:",
    "gmail da": "Den man. 3. feb. 2025 kl. 10.12 skrev Kim Archer <kim@desk.example>:",
    "gmail no": "man. 3. feb. 2025 kl. 10:12 skrev Kim Archer <kim@desk.example>:",
    "gmail fi": "ma 3. helmik. 2025 klo 10.12 Kim Archer (kim@desk.example) kirjoitti:",
    "gmail cs": "po 3. 2. 2025 v 10:12 odesílatel Kim Archer <kim@desk.example> napsal:",
    "gmail sk": "po 3. 2. 2025 o 10:12 Kim Archer <kim@desk.example> napísal(a):",
    "gmail hu": "Kim Archer <kim@desk.example> ezt írta (időpont: 2025. febr. 3., H, 10:12):",
    "gmail ro": "lun., 3 feb. 2025 la 10:12, Kim Archer <kim@desk.example> a scris:",
    "gmail ru": "пн, 3 февр. 2025 г. в 10:12, Kim Archer <kim@desk.example>:",
    "thunderbird ru": "03.02.2025 10:12, Kim Archer пишет:",
    "gmail uk": "пн, 3 лют. 2025 р. о 10:12 Kim Archer <kim@desk.example> пише:",
    "gmail tr": "Kim Archer <kim@desk.example>, 3 Şub 2025 Pzt, 10:12 tarihinde şunu yazdı:",
    "gmail el": "Στις Δευ 3 Φεβ 2025 στις 10:12 π.μ., ο χρήστης Kim Archer <kim@desk.example> έγραψε:",
    "gmail zh": "Kim Archer <kim@desk.example> 于2025年2月3日周一 10:12写道：",
    "apple zh": "在 2025年2月3日，上午10:12，Kim Archer <kim@desk.example> 写道：",
    "gmail ja": "2025年2月3日(月) 10:12 Kim Archer <kim@desk.example>:",
    "gmail ko": "2025년 2월 3일 (월) 오전 10:12, Kim Archer <kim@desk.example>님이 작성:",
    "gmail vi": "Vào Th 2, 3 thg 2, 2025 vào lúc 10:12 Kim Archer <kim@desk.example> đã viết:",
    "gmail he": "\u200fבתאריך יום ב׳, 3 בפבר׳ 2025 ב-10:12 מאת \u202aKim Archer\u202c <kim@desk.example>:",
}

HEADERS = {
    "en": "From: Kim Archer <kim@desk.example>\nSent: Monday, February 3, 2025 10:12 AM\nTo: Ana\nSubject: Printer",
    "en bold": "*From:* Kim Archer [mailto:kim@desk.example]\n*Sent:* Monday\n*To:* Ana\n*Subject:* Printer",
    "en names only": "From: Archer, Kim\nSent: Monday, February 3, 2025 10:12 AM\nTo: Client, Ana\nSubject: Printer",
    "de": "Von: Kim Archer <kim@desk.example>\nGesendet: Montag, 3. Februar 2025 10:12\nAn: Ana\nBetreff: Drucker",
    "fr": "De : Kim Archer <kim@desk.example>\nEnvoyé : lundi 3 février 2025 10:12\nÀ : Ana\nObjet : Imprimante",
    "es": "De: Kim Archer <kim@desk.example>\nEnviado: lunes, 3 de febrero de 2025\nPara: Ana\nAsunto: Impresora",
    "it": "Da: Kim Archer <kim@desk.example>\nInviato: lunedì 3 febbraio 2025 10:12\nA: Ana\nOggetto: Stampante",
    "nl": "Van: Kim Archer <kim@desk.example>\nVerzonden: maandag 3 februari 2025\nAan: Ana\nOnderwerp: Printer",
    "pt": "De: Kim Archer <kim@desk.example>\nEnviada em: segunda-feira, 3 de fevereiro\nPara: Ana\nAssunto: Impressora",
    "pl": "Od: Kim Archer <kim@desk.example>\nWysłano: poniedziałek, 3 lutego 2025\nDo: Ana\nTemat: Drukarka",
    "sv": "Från: Kim Archer <kim@desk.example>\nSkickat: den 3 februari 2025\nTill: Ana\nÄmne: Skrivare",
    "da": "Fra: Kim Archer <kim@desk.example>\nSendt: 3. februar 2025\nTil: Ana\nEmne: Printer",
    "fi": "Lähettäjä: Kim Archer <kim@desk.example>\nLähetetty: maanantai\nVastaanottaja: Ana\nAihe: Tulostin",
    "cs": "Od: Kim Archer <kim@desk.example>\nOdesláno: pondělí 3. února 2025\nKomu: Ana\nPředmět: Tiskárna",
    "ru": "От: Kim Archer <kim@desk.example>\nОтправлено: 3 февраля 2025 г.\nКому: Ana\nТема: Принтер",
    "ja": "差出人: Kim Archer <kim@desk.example>\n送信日時: 2025年2月3日 10:12\n宛先: Ana\n件名: プリンター",
    "zh": "发件人: Kim Archer <kim@desk.example>\n发送时间: 2025年2月3日\n收件人: Ana\n主题: 打印机",
    "hu": "Feladó: Kim Archer <kim@desk.example>\nElküldve: 2025. február 3.\nCímzett: Ana\nTárgy: Nyomtató",
    "tr": "Kimden: Kim Archer <kim@desk.example>\nGönderildi: 3 Şubat 2025\nKime: Ana\nKonu: Yazıcı",
    "hotmail": "Date: Mon, 3 Feb 2025 10:12:00 +0100\nSubject: Printer\nFrom: kim@desk.example\nTo: ana@customer.example",
    "wrapped": "From: Kim Archer\n<kim-with-a-very-long-address@desk.example>\nSent: Monday\nTo: Ana\nSubject: Printer",
    "unknown language": "_____________\nBho: Kim Archer <kim@desk.example>\nAir: Diluain\nGu: Ana\nCuspair: Printer",
    "notes": "Kim Archer <kim@desk.example>\n03/02/2025 10:12\n\nTo\nAna Client\ncc\n\nSubject\nPrinter",
}

ORIGINAL_MARKS = (
    "-----Original Message-----",
    "----- Original Message -----",
    "-------- Original message --------",
    "-----Ursprüngliche Nachricht-----",
    "-------- Message d'origine --------",
    "-------- Message d\u2019origine --------",
    "-----Mensaje original-----",
    "-----Messaggio originale-----",
    "-----Oorspronkelijk bericht-----",
    "-----Mensagem original-----",
    "-----Ursprungligt meddelande-----",
    "-------- Oprindelig besked --------",
    "-----Alkuperäinen viesti-----",
    "-----Wiadomość oryginalna-----",
    "-----Původní zpráva-----",
    "-----Исходное сообщение-----",
    "-----原始邮件-----",
    "-----元のメッセージ-----",
)

FORWARD_MARKS = (
    "---------- Forwarded message ---------",
    "Begin forwarded message:",
    "-------- Weitergeleitete Nachricht --------",
    "Anfang der weitergeleiteten Nachricht:",
    "---------- Message transféré ---------",
    "---------- Mensaje reenviado ---------",
    "-------- Messaggio inoltrato --------",
    "---------- Doorgestuurd bericht ---------",
    "----- Forwarded by Kim Archer/ACME on 03/02/2025 10:12 -----",
    "-------- Пересылаемое сообщение --------",
)

PHONES = (
    "Sent from my iPhone",
    "Sent from Yahoo Mail on Android",
    "Sent from Mail for Windows 10",
    "Get Outlook for iOS<https://aka.ms/o0ukef>",
    "Get [Outlook for Android](https://aka.ms/ghei36)",
    "Von meinem iPhone gesendet",
    "Gesendet mit der GMX Mail App",
    "Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.",
    "Envoyé de mon iPhone",
    "Envoyé à partir de Outlook pour iOS",
    "Enviado desde mi iPhone",
    "Inviato da iPhone",
    "Enviado do meu iPhone",
    "Verstuurd vanaf mijn iPad",
    "Skickat från min iPhone",
    "Sendt fra min iPad",
    "Wysłane z iPhone",
    "Odesláno z mého iPhone",
    "Отправлено с iPhone",
    "发自我的 iPhone",
    "從我的 iPhone 傳送",
    "iPhoneから送信",
)


@pytest.mark.parametrize("line", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
@pytest.mark.parametrize("quote", ["> Have you tried\n> to turn it off?", "\n> Have you tried"])
def test_attribution_and_quoted_lines_go(line, quote):
    """A line that names the writer, and the marked lines below it, are not the person's."""
    assert visible_text(f"It works now.\n\n{line}\n{quote}\n").text == "It works now."


@pytest.mark.parametrize("line", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
def test_quote_without_marks_goes_to_its_end(line):
    """Below a sure attribution everything is quoted, though nothing marks it."""
    answer = visible_text(f"It works now.\n\n{line}\n\nHave you tried to turn it off?\n\nKim")

    assert answer.text == "It works now."
    assert answer.quoted.endswith("Kim")


@pytest.mark.parametrize("line", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
def test_answer_below_and_between_the_quote_stays(line):
    """What the person writes below a marked quote or between its lines is theirs."""
    mail = f"{line}\n\n> Is it on?\n\nYes.\n\n> Which model?\nHP 4\n"

    assert visible_text(mail).text.split() == ["Yes.", "HP", "4"]


@pytest.mark.parametrize("block", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("rule", ["", "________________________________\n", "---\n\n"])
def test_header_block_of_outlook_ends_the_answer(block, rule):
    """From, Sent, To, Subject in any language begin a quote without marks."""
    assert visible_text(f"It works now.\n\n{rule}{block}\n\nHave you tried?\n").text == "It works now."


@pytest.mark.parametrize("mark", ORIGINAL_MARKS)
def test_original_message_line_ends_the_answer(mark):
    """Such a line is enough, also where no header block follows it."""
    assert visible_text(f"It works now.\n\n{mark}\n\nHave you tried?\n").text == "It works now."


@pytest.mark.parametrize("mark", FORWARD_MARKS)
@pytest.mark.parametrize("depth", ["", "> "])
def test_forwarded_mail_is_content(mark, depth):
    """A forwarded mail is kept whole, with its header, quotes and signature, also where it is marked like a quote."""
    forwarded = [mark, "From: Ben <ben@customer.example>", "Subject: Paper", "", "It jams.", "-- ", "Ben"]
    mail = "Please see below.\n\n" + "\n".join(depth + line for line in forwarded)

    assert visible_text(mail).text == mail


def test_header_block_is_content_where_the_subject_says_forward():
    """Outlook writes one header for answers and forwards; only the subject tells them apart."""
    body = f"See below.\n\n{HEADERS['en']}\n\nIt jams."

    assert new_text(Message(text=body, subject="FW: Printer")) == body
    assert new_text(Message(text=body, subject="RE: Printer")) == "See below."


def test_forward_inside_a_quote_is_quoted():
    """A forward that was quoted back is no content."""
    assert (
        visible_text("Thanks.\n\nKim wrote:\n> ---------- Forwarded message ---------\n> Old\n").text
        == "Thanks."
    )


@pytest.mark.parametrize(
    "line",
    [
        "## Please reply above this line ##",
        "##- Please reply above this line -##",
        "##- Bitte hier antworten -##",
    ],
)
@pytest.mark.parametrize("depth", ["", "> ", ">> "])
def test_our_own_line_ends_the_answer(line, depth):
    """Below the line of our notices nothing is the person's unless marks show the quote's end."""
    assert visible_text(f"Done.\n\n{depth}{line}\n{depth}Ana wrote a secret\n").text == "Done."


def test_writer_above_our_line_goes_in_any_language():
    """Where our line is found, the lines that name us above it go whatever they say."""
    mail = "Done.\n\nDihadapi Kim <kim@desk.example> 3.2.2025 10:12:\n\n##- Please reply above this line -##\nsecret"

    assert visible_text(mail).text == "Done."


def test_empty_answer_to_a_notice_stays_empty():
    """An answer of only our notice and a signature is empty, not our notice."""
    notice = "On 3 Feb 2025 at 10:12 Desk <d@desk.example> wrote:\n\n##- Please reply above this line -##\n\nsecret"

    assert visible_text(notice).text == ""
    assert visible_text(f"-- \nKim\n\n{notice}").text == ""
    assert visible_text("\n\n> quoted\n> only\n-- \nKim").text == ""


def test_a_heading_is_not_our_line():
    """A closed heading that somebody types is text."""
    assert visible_text("## Steps ##\n\n1. Turn it on").text == "## Steps ##\n\n1. Turn it on"


@pytest.mark.parametrize("mark", ["-- ", "--", "--\t"])
def test_signature_goes(mark):
    """The text ends at the signature, and a signature ends where a quote begins."""
    assert visible_text(f"Hello\n\n{mark}\nAna Client\nAcme").text == "Hello"
    assert (
        visible_text(f"Hello\n\n{mark}\nAna\n\nKim Archer wrote:\n> Is it on?\n\nYes").text
        == "Hello\n\n\nYes"
    )


def test_long_text_below_two_dashes_is_text():
    """Two dashes above a whole letter are a dividing line."""
    mail = "Hello\n--\n" + "\n".join(f"entry {number}" for number in range(60))

    assert visible_text(mail).text == mail


@pytest.mark.parametrize("line", PHONES)
def test_signature_of_a_phone_goes(line):
    """A mail program's own line is not the person's, in any language."""
    assert visible_text(f"Hello\n\n{line}\n").text == "Hello"


@pytest.mark.parametrize(
    "line",
    [
        "Sent you the papers yesterday",
        "I sent it from my office in Leeds, with the serial number you asked for, on Monday morning already.",
        "My phone is broken",
        "Was it sent from my account?",
        "Get well soon",
    ],
)
def test_a_sentence_is_no_signature_of_a_phone(line):
    """Words of sending or of a device alone prove nothing."""
    assert visible_text(f"Hello\n\n{line}\n").text == f"Hello\n\n{line}"


def test_text_below_a_phones_signature_stays_in_a_new_mail():
    """Phones put the signature first; who types below it is heard, unless the mail is an answer."""
    body = "Hello\n\nSent from my iPhone\n\nand one more thing"

    assert new_text(Message(text=body)) == "Hello\n\n\nand one more thing"
    assert new_text(Message(text=body, in_reply_to=("<a@desk.example>",))) == "Hello"


def test_text_between_a_phones_signature_and_a_quote_stays():
    """Where the quote is plain to see, what stands above it is the person's."""
    mail = "Hello\n\nSent from my iPhone\n\nand more\n\nKim Archer wrote:\n> Is it on?"

    assert visible_text(mail).text == "Hello\n\n\nand more"


@pytest.mark.parametrize(
    "text",
    [
        "On Monday my colleague wrote:\n\nplease restart it",
        "On this day\n\nI wrote something\n\nwhich was long.",
        "On your remote host you can run:\n\n    telnet 127.0.0.1",
        "From: Berlin\nTo: Munich\nDate: 3 May\n\nPlease book it.",
        "I have two questions:\n\nfirst\nsecond",
        "My boss wrote:\n\nbuy it",
        "Hello\n---\nfirst part\n---\nsecond part",
        "2025-02-03 10:12:01 ERROR disk full\n2025-02-03 10:12:02 ERROR again",
        "Hello\n\n>From what I see it is off.",
        "From: ana@customer.example\nSubject: Help\nDate: today\n\nFilled in on the website.",
        "-- \nThe printer is on fire",
        "-----",
        "Sent from my iPhone",
        "Kim Archer <kim@desk.example> told me to write: here I am",
    ],
)
def test_own_words_are_never_taken_for_a_quote(text):
    """What only looks a little like a quote, and what is all there is, stays."""
    assert visible_text(text).text == text


def test_quote_wrapped_by_a_program_goes_with_its_rest():
    """A line torn off a long quoted line is still quoted; a short answer between quoted lines is not."""
    torn = "> Could you please tell us the number that is printed on the back of the device and,\nif it has one,\n> more"

    assert visible_text(f"Yes.\n\nKim wrote:\n{torn}").text == "Yes."
    assert visible_text("Kim wrote:\n> Is it on?\nyes\n> Really?\nyes, sure\n").text == "yes\nyes, sure"


def test_list_footer_goes():
    """A mailing list's footer below underscores is nobody's words."""
    footer = "_______________________________________________\nusers mailing list\nhttps://lists.example/mailman/listinfo"

    assert visible_text(f"Hello\n\n-Ana\n\n{footer}\n").text == "Hello\n\n-Ana"


def test_both_parts_together_are_the_mail():
    """Nothing is thrown away: what is not visible is given back as quoted."""
    both = visible_text("One\n\nKim Archer wrote:\n> Two\n\nThree\n-- \nFour")

    assert both.text == "One\n\n\nThree"
    assert both.quoted == "Kim Archer wrote:\n> Two\n-- \nFour"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_do_not_matter(end):
    """CRLF, LF and CR are one."""
    assert visible_text(end.join(["Hi", "", "Kim Archer wrote:", "> x"])).text == "Hi"


# --- message_text ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stub",
    [
        "",
        " \n\t\n",
        "This is an HTML message. Please use a mail program that can display HTML.",
        "Your email client does not support HTML messages",
        "Um diese Nachricht anzuzeigen, brauchen Sie ein Programm, das HTML darstellen kann.",
    ],
)
def test_html_is_the_body_where_the_text_is_empty_or_a_stub(stub):
    """A text part that says nothing does not hide the HTML."""
    assert message_text(Message(text=stub, html="<p>Printer <b>on fire</b></p>")) == "Printer on fire"


def test_text_part_is_preferred():
    """Where there is a real text part, the HTML is not read."""
    text = "How do I display HTML tables in the program?\n" * 20

    assert message_text(Message(text=text, html="<p>other</p>")) == text


def test_stub_stays_where_the_html_shows_nothing():
    """A mail is never without text if it has any."""
    assert message_text(Message(text="View this HTML mail in a browser", html="<img src=x>")).startswith(
        "View"
    )


# --- strange input --------------------------------------------------------------------------------

HOSTILE = {
    "newlines": "\n" * 300_000,
    "on": "On " * 100_000,
    "on lines": "On 3 May 2024 10:00\n" * 20_000,
    "spaces": " " * 500_000,
    "headers": "From: a\nSent: b\n" * 20_000,
    "dashes": "--\n" * 60_000,
    "marks": ">" * 500_000,
    "quoted": "> a\n" * 60_000,
    "phones": "\n\nSent from my iPhone\n" * 10_000,
    "rules": "____\n" * 40_000,
    "hashes": "## x ##\n" * 40_000,
    "names": "Kim <a@b.c\n" * 40_000,
    "numbers": ("1 " * 140 + "\n") * 1000,
    "wrote": ("wrote " * 45 + "\n") * 1000,
    "angles": ("<" * 290 + "\n") * 1000,
    "at signs": ("a@" * 140 + "\n") * 1000,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_ends(text):
    """Text made to be slow is read in a time that grows with its length only."""
    both = visible_text(text)

    assert len(both.text) + len(both.quoted) <= len(text)


LINES = st.sampled_from(
    [
        *ATTRIBUTIONS.values(),
        *HEADERS.values(),
        *ORIGINAL_MARKS,
        *FORWARD_MARKS,
        *PHONES,
        *(
            "",
            "",
            "> quoted",
            ">> deeper",
            "-- ",
            "--",
            "____",
            "Hello,",
            "##- reply above -##",
            "> wrote:",
            "\u200b",
            " >",
        ),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=300), st.lists(st.one_of(LINES, st.text(max_size=40)), max_size=25).map("\n".join)
)


@given(TEXTS, st.booleans(), st.booleans())
def test_visible_lines_are_lines_of_the_mail(text, answers, forwards):
    """For any text: never an exception, and each line given back stands in the mail, in its order."""
    both = visible_text(text, answers=answers, forwards=forwards)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    for part in filter(None, (both.text, both.quoted)):
        rest = iter(lines)
        *whole, last = part.split("\n")
        assert all(line in rest for line in whole)
        assert any(line.rstrip() == last or line == last for line in rest)


@given(TEXTS)
def test_words_are_visible_or_quoted(text):
    """For any text: no word is lost between the two parts."""
    both = visible_text(text)

    assert sorted("".join(text.split())) == sorted("".join((both.text + both.quoted).split()))


@given(
    st.lists(
        st.sampled_from(["Hello", "", "It works.", "> quoted", "Kim Archer wrote:", "Thanks"]), max_size=12
    )
)
def test_visible_text_is_visible_again(lines):
    """What was found once is found unchanged the second time, for ordinary answers."""
    once = visible_text("\n".join(lines)).text

    assert visible_text(once).text == once


@given(st.text(max_size=200))
def test_single_lines_are_read_without_fault(text):
    """For any line: the readers of lines answer."""
    assert isinstance(is_phone_signature(text), bool)
    assert attribution([text], 0) is None or attribution([text], 0).end == 1


# --- corpus ---------------------------------------------------------------------------------------


def _replies():
    index = CORPUS / "index.json"
    if not index.exists():
        return []
    return [
        entry for entry in json.loads(index.read_text())["entries"] if entry["file"].startswith("replies/")
    ]


def _message(entry):
    raw = (CORPUS / entry["file"]).read_bytes()
    if entry["format"] == "rfc822":
        return parse(raw)
    kind = "html" if entry["format"] == "body-html" else "text"
    return Message(**{kind: raw.decode()}, subject="Re: a reply")


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not beside the project")
def test_replies_of_other_projects_are_read_as_they_read_them():
    """At least 92 % of the replies come out exactly.

    Missed on purpose: forwarded mails are content here; signatures of phones and "-- " go, which one source
    keeps; closings such as "Regards" stay; quoted lines go though nobody is named above them.
    """
    exact = {}
    for entry in _replies():
        if (wanted := entry["expect"].get("reply_text")) is None:
            continue
        found = visible_text(message_text(_message(entry))).text
        if entry["expect"].get("compare") == "ignore-whitespace":
            found, wanted = "".join(found.split()), "".join(wanted.split())
        exact[entry["file"]] = found.strip() == wanted.replace("\r\n", "\n").strip()

    assert sum(exact.values()) / len(exact) >= 0.92, [file for file, right in exact.items() if not right]


@pytest.mark.corpus
@pytest.mark.parametrize("entry", _replies(), ids=lambda entry: entry["file"])
def test_reply_holds_what_it_must_and_nothing_else(entry):
    """The strings that the sources ask for are there, those they forbid are not."""
    found = new_text(_message(entry))

    assert all(part in found for part in entry["expect"].get("reply_contains", []))
    assert not any(part in found for part in entry["expect"].get("reply_not_contains", []))
