"""Did a person write it, and may we answer? Case numbers are those of the list of hostile inputs."""

from __future__ import annotations

from datetime import date

import pytest

from mailtickets.mail.classify import Origin, OwnAddresses, classify
from mailtickets.mail.parse import parse

OWN = OwnAddresses(frozenset({"support@desk.example", "help@desk.example"}), frozenset({"old.example"}))


def mail(*fields: str, body: str = "Hello.\n") -> bytes:
    """Return a mail with some fields; From, To, Subject and Date are there unless given."""
    given_names = {field.partition(":")[0].lower() for field in fields}
    usual = {
        "from": "From: Ana <ana@customer.example>",
        "to": "To: support@desk.example",
        "subject": "Subject: Printer on fire",
        "date": "Date: Mon, 4 Mar 2024 09:00:00 +0000",
    }
    lines = [line for name, line in usual.items() if name not in given_names]
    return ("\n".join([*lines, *fields]) + "\n\n" + body).encode()


def read(*fields: str, body: str = "Hello.\n", ours: bool = False):
    return classify(parse(mail(*fields, body=body)), ours=ours, own_addresses=OWN)


def test_a_plain_mail_is_a_persons_and_may_be_answered():
    """A mail without any sign is a person's, and answerable."""
    verdict = read()

    assert (verdict.origin, verdict.reason, verdict.answerable, verdict.answer_reason) == (
        Origin.PERSON,
        "",
        True,
        "",
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (["Auto-Submitted: auto-replied"], "Auto-Submitted: auto-replied"),  # case 37
        (
            ["Auto-Submitted: auto-generated; owner-email=x@y"],
            "Auto-Submitted: auto-generated; owner-email=x@y",
        ),  # case 38
        (["Auto-Submitted: auto-notified"], "Auto-Submitted: auto-notified"),
        (["Return-Path: <>"], "Return-Path: <>"),
        (["Return-Path: < >"], "Return-Path: <>"),
        (["X-Autoreply: yes"], "X-Autoreply: yes"),
        (["X-Autorespond: yes"], "X-Autorespond: yes"),
        (["Precedence: auto_reply"], "Precedence: auto_reply"),
        (
            ["From: MAILER-DAEMON@customer.example", "Return-Path: <x@y.example>"],
            "From: MAILER-DAEMON@customer.example",
        ),  # case 56
        (["Content-Type: text/calendar; method=REPLY"], "calendar: REPLY"),  # case 49
        (["Content-Type: text/calendar; method=CANCEL"], "calendar: CANCEL"),
        (["Subject: Automatic reply: [T-1042]"], "Subject: Automatic reply"),  # case 46
        (["Subject: Re: Out of Office: Printer"], "Subject: Re: Out of Office"),
        (["Subject: =?utf-8?Q?R=C3=A9ponse_automatique_:_Imprimante?="], "Subject: Réponse automatique"),
        (["Subject: Automatische Antwort: Drucker"], "Subject: Automatische Antwort"),
        (["Subject: Abwesenheitsnotiz: Drucker"], "Subject: Abwesenheit"),
        (["Subject: =?utf-8?Q?Respuesta_autom=C3=A1tica:?="], "Subject: Respuesta automática"),
        (["Subject: Risposta automatica: stampante"], "Subject: Risposta automatica"),
        (["Subject: Automatisch antwoord: printer"], "Subject: Automatisch antwoord"),
        (["Subject: =?utf-8?Q?Automatyczna_odpowied=C5=BA=3A?="], "Subject: Automatyczna odpowiedź"),
        (["Subject: =?utf-8?Q?Resposta_autom=C3=A1tica=3A?="], "Subject: Resposta automática"),
        (["Subject: Autosvar: skrivare"], "Subject: Autosvar"),
        (["Subject: Away until May 5"], "Subject: Away until"),
        (["Subject: AUTO: Ana Silva is out of the office"], "Subject: AUTO:"),
        (["Subject: Printer (Automatic Response)"], "Subject: Automatic Response)"),
    ],
)
def test_a_machine_is_known_by_its_sign(fields, reason):
    """Cases 37, 38, 46, 49, 56: each sign makes a mail automatic, names itself, and stops the answer."""
    verdict = read(*fields)

    assert (verdict.origin, verdict.reason) == (Origin.AUTO_REPLY, reason)
    assert (verdict.answerable, verdict.answer_reason) == (False, reason)


@pytest.mark.parametrize(
    "fields",
    [
        ["Auto-Submitted: no"],
        ["Auto-Submitted: NO (really)"],
        ["X-Autoreply: no"],
        ["Subject: Out of paper"],
        ["Subject: Question about your out of office rules"],
        ["Subject: Re: Automatic replies do not work"],
        ["Subject: Automation of our office"],
        ["Subject: Vacation days are counted wrongly"],
        ["Subject: Undelivered order"],
        ["Subject: Fwd: Undelivered Mail Returned to Sender"],
        ["Content-Type: text/calendar; method=REQUEST"],
        ["Return-Path: <ana@customer.example>"],
    ],
)
def test_a_person_stays_a_person(fields):
    """Words that a person may write, and fields that say nothing, make no machine."""
    verdict = read(*fields)

    assert (verdict.origin, verdict.answerable) == (Origin.PERSON, True)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (["List-Id: <news.lists.example>"], "List-Id: <news.lists.example>"),  # case 41
        (["List-Unsubscribe: <https://lists.example/u>"], "List-Unsubscribe: <https://lists.example/u>"),
        (["Precedence: bulk"], "Precedence: bulk"),
        (["Precedence: Junk"], "Precedence: junk"),
        (["Precedence: list"], "Precedence: list"),
        (["Feedback-ID: 1:2:x"], "Feedback-ID"),
        (["X-Auto-Response-Suppress: OOF, AutoReply"], "X-Auto-Response-Suppress: OOF, AutoReply"),  # case 40
        (["X-Auto-Response-Suppress: All"], "X-Auto-Response-Suppress: All"),
        (["From: no-reply@customer.example"], "From: no-reply@customer.example"),
        (["From: billing-noreply@customer.example"], "From: billing-noreply@customer.example"),
        (["From: do_not_reply@customer.example"], "From: do_not_reply@customer.example"),
        (["From: owner-news@lists.example"], "From: owner-news@lists.example"),
        (["From: news-request@lists.example"], "From: news-request@lists.example"),
        (["From: bounces+7@lists.example"], "From: bounces+7@lists.example"),
        (["From: root@host.customer.example"], "From: root@host.customer.example"),
        (["From: a@b.example, c@d.example"], "more than one address in From"),
        (["From: anna@desk.example <eve@evil.example>"], "From is not well formed: invalid display name"),
        (["From:"], "no usable address in From"),  # case 19
        (["To: team@customer.example"], "blind copy: our address is not in To or Cc"),
        (["X-Spam-Flag: YES"], "marked as spam"),
        (["Received: from a by b"] * 101, "more than 100 Received fields"),
    ],
)
def test_what_stops_the_answer_leaves_the_mail_a_persons(fields, reason):
    """Cases 19, 40, 41: lists, bulk, no-reply, doubt and blind copies stop the automatic answer only."""
    verdict = read(*fields)

    assert (verdict.origin, verdict.reason) == (Origin.PERSON, "")
    assert (verdict.answerable, verdict.answer_reason) == (False, reason)


@pytest.mark.parametrize(
    "fields",
    [
        ["X-Auto-Response-Suppress: DR, RN, NRN"],
        ["From: norepl@customer.example"],
        ["From: noreen@customer.example"],
        ["From: groote@customer.example"],
        ["To: team@customer.example", "Cc: support@desk.example"],
        ["To: team@customer.example", "Delivered-To: support@desk.example"],
        ["To: team@customer.example", "Resent-To: help@desk.example"],
        ["To: support+tag@desk.example"],
        ["To: anyone@old.example"],
        ["To: SUPPORT@DESK.EXAMPLE"],
        ["X-Spam-Flag: NO"],
        ["Received: from a by b"] * 100,
    ],
)
def test_what_does_not_stop_the_answer(fields):
    """Signs that only look like a reason leave the mail answerable."""
    assert read(*fields).answerable


def test_suppression_makes_a_machine_only_beside_another_sign():
    """X-Auto-Response-Suppress alone is a person's; with an answer that speaks of absence it is a notice."""
    alone = read("X-Auto-Response-Suppress: All", body="Please call me back.\n")
    notice = read(
        "X-Auto-Response-Suppress: All",
        "In-Reply-To: <a@desk.example>",
        body="I am out of the office until 8 March.\n",
    )

    assert alone.origin is Origin.PERSON
    assert (notice.origin, notice.out_of_office, notice.away_until) == (
        Origin.AUTO_REPLY,
        True,
        date(2024, 3, 8),
    )


@pytest.mark.parametrize(
    "fields",
    [
        ["List-Id: <support.desk.example>", "Precedence: list"],
        ["List-Post: <mailto:support@desk.example>", "List-Id: Support <x.groups.example>"],
        ["Mailing-list: list support@desk.example; contact support+owners@desk.example"],
        ["List-Post: <mailto:help@old.example>"],
    ],
)
def test_a_list_that_is_our_own_address_is_a_front_door(fields):
    """List fields that name a queue's address are no list: mail through a group address is answered."""
    assert read(*fields).answerable


def test_a_front_door_that_writes_its_own_from_claims_nothing():
    """A group that puts the queue's address into From, and the person into Reply-To, is not an impostor."""
    fields = ["From: 'Ana' via Support <support@desk.example>", "List-Id: <support.desk.example>"]

    assert not read(*fields, "Reply-To: ana@customer.example").own_address_claimed
    assert not read(*fields, "X-Original-From: Ana <ana@customer.example>").own_address_claimed
    assert read(*fields).own_address_claimed
    assert read(*fields, "Reply-To: help@desk.example").own_address_claimed
    assert read(*fields, "X-Original-From: <eve\x1b[2J@evil.example>").own_address_claimed


@pytest.mark.parametrize("address", ["support@desk.example", "SUPPORT+x@desk.example", "any@old.example"])
def test_case_44_our_own_address_as_sender_is_a_claim(address):
    """Case 44: a mail from our address, alias or +tag that is not verified as ours is named, and never answered."""
    verdict = read(f"From: {address}")

    assert verdict.own_address_claimed
    assert (verdict.answerable, verdict.answer_reason) == (False, "From is our own address")


def test_case_43_only_verification_makes_a_mail_ours():
    """Case 43: what the pipeline verified is ours; our domain, or our words, alone are not."""
    assert read("From: support@desk.example", ours=True).origin is Origin.OWN
    assert not read("From: support@desk.example", ours=True).own_address_claimed
    assert read("From: kim@desk.example").origin is Origin.PERSON
    assert not read(ours=True).answerable


def test_case_50_a_read_receipt_is_a_report():
    """Case 50: a disposition notification is a report, and not answered."""
    body = (
        "--b\n\nread\n--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; ana@customer.example\n"
        "Original-Message-ID: <a1@desk.example>\nDisposition: manual-action/MDN-sent-manually; displayed\n--b--\n"
    )
    verdict = read(
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=b", body=body
    )

    assert (verdict.origin, verdict.answerable) == (Origin.REPORT, False)
    assert verdict.bounce is not None
    assert (verdict.bounce.kind, verdict.bounce.returned_ids) == ("receipt", ("<a1@desk.example>",))


def test_case_62_a_challenge_is_a_machines():
    """Case 62: "click to prove yourself" is a machine's answer."""
    body = "Your message was received. This account is protected. Please click\nhttp://x.example/1 to be added to the allowed\nlist.\n"

    assert read("Subject: Re: [SUP-1] We have received your request", body=body).origin is Origin.AUTO_REPLY
    assert read("Subject: Re: Help", "In-Reply-To: <a@desk.example>", body=body).origin is Origin.PERSON


@pytest.mark.parametrize(
    ("fields", "body", "is_absence"),
    [
        (["Subject: Automatic reply: x"], "I am on holiday.\n", True),
        (["Subject: Automatic reply: x"], "Only sleeping.\n", True),
        (["Subject: Automatic reply: x"], "We have received your request, the case number is 4711.\n", False),
        (["Auto-Submitted: auto-replied"], "Ich bin bis zum 12.03.2024 im Urlaub.\n", True),
        (["Auto-Submitted: auto-replied"], "Thank you for your mail.\n", False),
        (["Auto-Submitted: auto-generated"], "Disk 3 is full.\n", False),
        ([], "I am on holiday next week, please hurry.\n", False),
    ],
)
def test_an_absence_notice_is_not_just_any_automatic_mail(fields, body, is_absence):
    """Out of office is a machine's mail that speaks of absence; a receipt or a person's mail is none."""
    assert read(*fields, body=body).out_of_office is is_absence


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("I am out of the office until 12 March 2024.", date(2024, 3, 12)),
        ("I will be out from March 4 through March 15th.", date(2024, 3, 15)),
        ("Out of office. I will be back on Monday.", date(2024, 3, 11)),
        ("Out of office, returning on 2024-03-20.", date(2024, 3, 20)),
        ("On leave until January 7.", date(2025, 1, 7)),
        ("Ich bin bis zum 15.03.2024 nicht im Büro.", date(2024, 3, 15)),
        ("Ich bin im Urlaub und ab dem 2. April wieder da.", date(2024, 4, 2)),
        ("Je suis absent jusqu'au 9 mars.", date(2024, 3, 9)),
        ("Estoy de vacaciones hasta el 20 de marzo de 2024.", date(2024, 3, 20)),
        ("Sono in ferie fino al 18 marzo.", date(2024, 3, 18)),
        ("Ik ben afwezig tot 22 maart.", date(2024, 3, 22)),
        ("Jag har semester, tillbaka 25 mars. Frånvarande.", date(2024, 3, 25)),
        ("Na urlopie do 21.03.2024, nieobecny.", date(2024, 3, 21)),
        ("Estou de férias até 30 de março.", date(2024, 3, 30)),
        ("Out of office until 25/03/2024.", date(2024, 3, 25)),
        ("Out of office until 05/07/2024.", None),  # two readings
        ("Out of office until 45 March.", None),
        ("Out of office until 12 March 2019.", None),
        ("Out of office until 12 March 2099.", None),
        ("Out of office until further notice.", None),
    ],
)
def test_the_return_date_is_read_where_it_is_clear(text, day):
    """The last day named as end or return counts; what is unclear or absurd is not read."""
    assert read("Auto-Submitted: auto-replied", body=text + "\n").away_until == day


def test_spam_is_marked_by_our_own_server():
    """A spam mark is passed on."""
    assert read("X-Spam-Flag: YES").spam
    assert read("X-Spam: Yes").spam
    assert read("X-Spam-Status: Yes, score=9.1").spam
    assert not read("X-Spam-Status: No, score=0.1").spam
