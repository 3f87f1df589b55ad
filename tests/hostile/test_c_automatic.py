"""Section C: automatic replies and loops. No machine is answered, none reopens a ticket, none stops a timer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.hostile.desk import CORA, HostileDesk, Met

ANNA, BEN, CLIENT = "anna@desk.example", "ben@desk.example", "cora@client.example"
RECEIVED = b"Received: from relay.example by mx.desk.example; Mon, 2 Mar 2026 09:01:00 +0000\n"


@pytest.fixture(params=["waiting", "resolved", "closed"])
def ended(request: pytest.FixtureRequest, desk: HostileDesk) -> HostileDesk:
    """A desk on which cora's ticket waits for her, is resolved, or is closed: a person's reply would change each."""
    command = {"waiting": "", "resolved": "#resolve\n", "closed": "#close\n"}[request.param]
    desk.writes(CORA, "My printer is on fire.")
    desk.answers(desk.last(ANNA), "Anna Archer <anna@desk.example>", f"{command}Please try water.")
    assert desk.ticket().status == request.param
    return desk


def headers(name: str, value: str) -> dict[str, Any]:
    """Return one more field for `Desk.mail`."""
    return {name.replace("-", "_"): value}


def unmoved(desk: HostileDesk) -> tuple[object, ...]:
    """What a machine's mail must leave as it is."""
    timers = [timer for timer in desk.store.views.timers(1001) if timer[0] != "held"]
    return desk.ticket().status, desk.ticket().cycle, timers


def is_filed_and_nothing_else(desk: HostileDesk, met: Met, before: tuple[object, ...]) -> None:
    """The mail is on cora's ticket; nobody got anything, nothing moved."""
    assert (met.state, met.ticket, met.is_new, met.sent) == ("on_ticket", 1001, False, ())
    assert desk.history()[-1] == "auto_reply"
    assert unmoved(desk) == before


def is_new_and_not_answered(desk: HostileDesk, met: Met, why: str) -> None:
    """The mail opened a ticket; agents read it, and why its sender got nothing, in both parts of their notice."""
    assert (met.state, met.is_new, met.customers) == ("on_ticket", True, set())
    notice = met.to(ANNA)[0]
    assert notice.kind == "agent_new"
    assert why in " ".join(notice.text.split())
    assert why in " ".join(notice.html.split())
    assert desk.history(met.ticket)[0] == "mail_in"


@pytest.mark.case(37)
@pytest.mark.parametrize("known_by", ["references", "key", "subject"])
@pytest.mark.parametrize("said", ["auto-replied", "Auto-Replied; owner-email=x", "auto-replied (vacation)"])
def test_37_auto_replied_on_a_known_thread(ended: HostileDesk, known_by: str, said: str):
    """It is appended by whatever proves the thread, and that is all that happens."""
    answer, before = ended.last(CLIENT), unmoved(ended)
    raw = ended.mail(
        CORA, "We have received your mail, our case is 77.", subject=answer["Subject"] if known_by == "subject" else "Hello", Auto_Submitted=said,
        to=answer["Reply-To"] if known_by == "key" else "support@desk.example", in_reply_to=answer if known_by == "references" else None,
    )  # fmt: skip
    is_filed_and_nothing_else(ended, ended.meets(raw), before)


@pytest.mark.case(37)
def test_37_reminders_go_on_after_an_automatic_reply(busy: HostileDesk):
    """The reminder comes when it would have come, to the minute."""
    busy.machine(busy.last(CLIENT), CORA, "We have received your mail.")
    busy.lives(timedelta(hours=23, minutes=45))
    assert "reminder" not in busy.kinds(CLIENT)
    busy.lives(timedelta(minutes=15))
    assert busy.kinds(CLIENT)[-1] == "reminder"


@pytest.mark.case(38)
@pytest.mark.parametrize("said", ["auto-generated", "auto-generated; type=alert", "auto-notified", "yes"])
def test_38_auto_generated_by_monitoring(desk: HostileDesk, said: str):
    """A ticket that agents see, and no acknowledgement."""
    raw = desk.mail("nagios@client.example", "Disk 1 is full.", subject="CRITICAL", Auto_Submitted=said)
    is_new_and_not_answered(desk, desk.meets(raw), f"Auto-Submitted: {said}")


@pytest.mark.case(38)
def test_38_no_machine_says_so(desk: HostileDesk):
    """`Auto-Submitted: no` is a person."""
    assert desk.meets(desk.mail(CORA, "It burns.", Auto_Submitted="no")).customers == {CLIENT}


@pytest.mark.case(40)
@pytest.mark.parametrize("said", ["OOF, AutoReply", "All", "AutoReply", "oof", "DR, RN, NRN, OOF, AutoReply"])
def test_40_automatic_answers_are_not_wanted(desk: HostileDesk, said: str):
    """A new ticket without acknowledgement."""
    raw = desk.mail(CORA, "My printer is on fire.", X_Auto_Response_Suppress=said)
    is_new_and_not_answered(desk, desk.meets(raw), f"X-Auto-Response-Suppress: {said}")


@pytest.mark.case(40)
def test_40_as_an_answer_it_is_a_persons(ended: HostileDesk):
    """APPEND: mail programs of people set it, too; design section 4 lets it stop the automatic answer only."""
    raw = ended.mail(CORA, "It still burns.", in_reply_to=ended.last(CLIENT), X_Auto_Response_Suppress="All")
    met = ended.meets(raw)
    assert (met.ticket, met.is_new, met.customers) == (1001, False, set())
    assert ended.ticket().status == "open"
    assert "It still burns." in met.to(ANNA)[0].text


@pytest.mark.case(40)
def test_40_about_receipts_it_says_nothing_of_answers(desk: HostileDesk):
    """The words "DR, RN" refuse receipts, not acknowledgements (MS-OXCMAIL)."""
    assert desk.meets(desk.mail(CORA, "It burns.", X_Auto_Response_Suppress="DR, RN, NRN")).customers == {
        CLIENT
    }


LISTS = {
    "Precedence": ("bulk", "junk", "list", "Bulk"),
    "List-Id": ("<news.client.example>", "News of the day <news.client.example>"),
    "List-Unsubscribe": ("<mailto:off@client.example>",),
    "List-Post": ("NO",),
    "Mailing-List": ("contact news-help@client.example",),
    "Feedback-ID": ("1:2:news",),
}


@pytest.mark.case(41)
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in LISTS.items() for value in values]
)
def test_41_bulk_and_lists_are_not_answered(desk: HostileDesk, name: str, value: str):
    """Kept, shown, not acknowledged."""
    raw = desk.mail(CORA, "News of the day.", **headers(name, value))
    is_new_and_not_answered(desk, desk.meets(raw), f"No acknowledgement was sent: {name}")


@pytest.mark.case(41)
@pytest.mark.parametrize("value", ["auto_reply", "Auto-Reply"])
def test_41_a_precedence_of_machines(ended: HostileDesk, value: str):
    """`Precedence: auto_reply` is a machine's: new without acknowledgement; on a ticket it moves nothing."""
    before = unmoved(ended)
    raw = ended.mail(CORA, "We have it.", in_reply_to=ended.last(CLIENT), Precedence=value)
    is_filed_and_nothing_else(ended, ended.meets(raw), before)
    raw = ended.mail("robot@other.example", "We have it.", Precedence=value)
    is_new_and_not_answered(ended, ended.meets(raw), f"Precedence: {value}")


@pytest.mark.case(41)
@pytest.mark.parametrize(("name", "value"), [("Precedence", "bulk"), ("List_Id", "<people.client.example>")])
def test_41_a_list_that_answers_us_is_a_person(ended: HostileDesk, name: str, value: str):
    """Design section 4: these stop only the automatic answer; a reply through a list reopens."""
    met = ended.meets(
        ended.mail(CORA, "It still burns.", in_reply_to=ended.last(CLIENT), **headers(name, value))
    )
    assert (met.ticket, met.customers, ended.ticket().status) == (1001, set(), "open")


@pytest.mark.case(41)
@pytest.mark.parametrize("value", ["<support.desk.example>", "Support <support.desk.example>"])
def test_41_a_list_that_is_our_own_address_is_a_front_door(desk: HostileDesk, value: str):
    """A group address that hands mail to the desk is no list: the person behind it is acknowledged."""
    raw = desk.mail(CORA, "My printer is on fire.", List_Id=value, Precedence="list")
    assert desk.meets(raw).customers == {CLIENT}


@pytest.mark.case(41)
@pytest.mark.parametrize("how", ["X_Original_From", "Reply_To"])
def test_41_a_front_door_that_writes_itself_into_from(desk: HostileDesk, how: str):
    """Design section 4: the sender is the one X-Original-From or Reply-To, as a claim without proof."""
    raw = desk.mail(
        "Cora via Support <support@desk.example>", "My printer is on fire.", List_Id="<support.desk.example>", **headers(how, CLIENT)
    )  # fmt: skip
    met = desk.meets(raw)
    assert (met.state, met.customers) == ("on_ticket", {CLIENT})
    assert desk.ticket(met.ticket).requester == CLIENT
    assert "My printer" not in met.to(CLIENT)[0].text, "not proven: none of the sender's words"


@pytest.mark.case(41)
def test_41_a_front_door_with_two_people_behind_it_is_nobody(desk: HostileDesk):
    """Two in Reply-To: nobody can be known as the sender, and From is our own address."""
    raw = desk.mail(
        "Support <support@desk.example>", "It burns.", List_Id="<support.desk.example>", Reply_To=f"{CLIENT}, eve@evil.example"
    )  # fmt: skip
    met = desk.meets(raw)
    assert (met.state, met.customers) == ("quarantined", set())


@pytest.mark.case(43)
@pytest.mark.parametrize("which", ["acknowledgement", "answer", "notice"])
@pytest.mark.parametrize(
    "how", ["as it was", "another trace", "without its loop field", "with another subject"]
)
def test_43_our_own_mail_comes_back(busy: HostileDesk, which: str, how: str):
    """Known by its signed loop field or by its Message-ID in the outbox, whatever else a gateway did to it."""
    sent = {
        "acknowledgement": busy.sent_to(CLIENT)[0],
        "answer": busy.sent_to(CLIENT)[1],
        "notice": busy.sent_to(ANNA)[0],
    }[which]
    raw = sent.raw.replace(b"\r\n", b"\n")
    if how == "another trace":
        raw = b"Return-Path: <cora@client.example>\nDelivered-To: support@desk.example\n" + RECEIVED + raw
    elif how == "without its loop field":
        raw = b"\n".join(line for line in raw.split(b"\n") if not line.startswith(b"X-Mailtickets-Loop"))
    elif how == "with another subject":
        raw = raw.replace(b"Subject: ", b"Subject: Fwd: ", 1)
    before = unmoved(busy)
    met = busy.meets(raw)
    assert (met.state, met.sent) == ("ignored", ())
    assert met.reason == "loop: a mail of our own came back"
    assert unmoved(busy) == before


@pytest.mark.case(43)
def test_43_a_hundred_and_one_servers_are_a_loop(desk: HostileDesk):
    """RFC 5321 section 6.3; one fewer is a mail like any other."""
    met = desk.meets(RECEIVED * 101 + desk.mail(CORA, "It burns."))
    assert (met.state, met.sent) == ("ignored", ())
    assert met.reason.startswith("loop: ")
    assert desk.meets(RECEIVED * 100 + desk.mail(CORA, "It burns.")).customers == {CLIENT}


@pytest.mark.case(44)
@pytest.mark.parametrize(
    "address",
    [
        "support@desk.example",
        "Acme Support <SUPPORT@DESK.EXAMPLE>",
        "support+x@desk.example",
        "help@old.example",
        "help+b@old.example",
        "anybody@whole.example",
        "eve@evil.example, support@desk.example",
    ],
)
def test_44_our_own_address_alias_or_detail_as_sender(desk: HostileDesk, address: str):
    """Set aside whole; nobody but the admins hears of it, at most once an hour."""
    desk.with_queue(aliases=("help@old.example", "*@whole.example"))
    met = desk.meets(desk.mail(address, "Please pay this bill."))
    assert met.state == "quarantined"
    assert met.reason.startswith("own_address")
    assert {to for mail in met.sent for to in mail.recipients} == {"it@desk.example"}
    (number,) = (copy.id for copy in desk.store.views.aside("quarantined"))
    assert f"`mailtickets quarantine show {number}`" in " ".join(met.sent[0].text.split())
    again = desk.meets(desk.mail(address, "Please pay this other bill."))
    assert (again.state, again.sent) == ("quarantined", ())


@pytest.mark.case(44)
def test_44_a_forged_loop_field_makes_no_mail_ours(desk: HostileDesk):
    """A field that this desk did not sign for this very Message-ID proves nothing."""
    forged = desk.mail("support@desk.example", "Please pay.", X_Mailtickets_Loop="1-aaaaaaaaaaaaaaaa")
    assert desk.meets(forged).reason.startswith("own_address")


@pytest.mark.case(46)
@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: [SUP-1001] Printer on fire",
        "Auto: [SUP-1001] Printer on fire",
        "Re: Out of Office: [SUP-1001] Printer on fire",
        "Abwesenheitsnotiz: [SUP-1001] Printer on fire",
        "Automatische Antwort: [SUP-1001] Printer on fire",
        "Réponse automatique : [SUP-1001] Printer on fire",
        "[SUP-1001] Printer on fire (automatic response)",
    ],
)
def test_46_out_of_office_known_by_its_subject_only(ended: HostileDesk, subject: str):
    """No header says it, minutes after our mail: appended, not answered, nothing reopened.

    Design section 4: an absence puts off that person's reminders, and nothing else.
    """
    status, cycle, timers = unmoved(ended)
    ended.now += timedelta(minutes=3)
    met = ended.meets(ended.mail(CORA, "I am out of the office until further notice.", subject=subject))
    assert (met.state, met.ticket, met.is_new, met.sent) == ("on_ticket", 1001, False, ())
    assert (ended.ticket().status, ended.ticket().cycle) == (status, cycle)
    if status == "waiting":
        ended.lives(timedelta(days=3) - timedelta(hours=1), timedelta(hours=1))
        assert "reminder" not in ended.kinds(CLIENT)
        ended.lives(timedelta(hours=2), timedelta(hours=1))
        assert ended.kinds(CLIENT)[-1] == "reminder"
    else:
        assert ended.store.views.timers(1001) == timers


@pytest.mark.case(46)
def test_46_who_is_not_on_the_ticket_opens_one_without_answer(busy: HostileDesk):
    """The tag proves nothing to a stranger; an absence notice of a stranger is a ticket nobody acknowledges."""
    raw = busy.mail("eve@evil.example", "I am away.", subject="Automatic reply: [SUP-1001] Printer on fire")
    met = busy.meets(raw)
    assert (met.is_new, met.customers) == (True, set())


ABSENCES = {
    "by the standard": {"Auto_Submitted": "auto-replied"},
    "by Outlook": {"X_Auto_Response_Suppress": "All"},
    "by an old program": {"Precedence": "auto_reply"},
    "null path": {"Return_Path": "<>"},
}


@pytest.mark.case(47)
@pytest.mark.parametrize("how", ABSENCES)
def test_47_an_agents_out_of_office(ended: HostileDesk, how: str):
    """Never relayed, no status change; the agent is away, so the others hear what the customer writes until then."""
    notice, before = ended.sent_to(ANNA)[0], unmoved(ended)
    absence = ended.mail(
        "Anna Archer <anna@desk.example>", "I am out of the office until 12 March 2026.", in_reply_to=notice, to=notice["Reply-To"],
        subject=f"Automatic reply: {notice['Subject']}", **ABSENCES[how],
    )  # fmt: skip
    met = ended.meets(absence)
    assert (met.state, met.ticket, met.customers, unmoved(ended)) == ("on_ticket", 1001, set(), before)
    assert met.to(ANNA) == [], "a robot is not answered"
    told = met.to(BEN)[0]
    for body in (told.text, told.html):
        assert "Anna Archer, whose ticket this is, is away until Thu 12 Mar 2026" in " ".join(body.split())

    heard = ended.meets(ended.mail(CORA, "It still burns.", in_reply_to=ended.last(CLIENT)))
    assert [mail.recipients for mail in heard.sent if mail.kind.startswith("agent_re")] == [(ANNA,), (BEN,)]
    assert "is away until Thu 12 Mar 2026" in " ".join(heard.to(BEN)[0].text.split())


@pytest.mark.case(47)
def test_47_an_agent_who_writes_is_back(busy: HostileDesk):
    """By hand, not by a second notice of the robot; then the ticket is the owner's alone again."""
    notice = busy.sent_to(ANNA)[0]
    for _ in range(2):
        busy.machine(notice, "Anna Archer <anna@desk.example>", "I am out of the office until 12 March 2026.")
    busy.answers(busy.last(CLIENT), CORA, "It still burns.")
    assert busy.last(BEN).kind == "agent_reply"
    busy.answers(busy.last(ANNA), "Anna Archer <anna@desk.example>", "More water, please.")
    told = len(busy.sent_to(BEN))
    busy.answers(busy.last(CLIENT), CORA, "It is out.")
    assert busy.last(ANNA).kind == "agent_reply"
    assert len(busy.sent_to(BEN)) == told


@pytest.mark.case(47)
def test_47_only_the_agents_own_key_says_that_the_agent_is_away(busy: HostileDesk):
    """Somebody who writes anna's address into From and knows the tag takes nobody's tickets from them."""
    raw = busy.mail(ANNA, "I am out of the office.", subject="Automatic reply: [SUP-1001] Printer on fire")
    met = busy.meets(raw)
    assert (met.customers, met.to(BEN)) == (set(), [])
    busy.answers(busy.last(CLIENT), CORA, "It still burns.")
    assert busy.last(BEN).kind != "agent_reply"


@pytest.mark.case(47)
@pytest.mark.parametrize(
    "text",
    [
        "I am out of the office until Monday. Ben has my telephone.",
        "Hello,\n\nI'm currently on annual leave and will answer when I am back.",
        "Guten Tag,\n\nich bin bis zum 12. März im Urlaub.",
        "This is an automated reply. I have limited access to mail.",
    ],
)
def test_47_an_absence_that_nothing_else_gives_away_is_held(busy: HostileDesk, text: str):
    """No header, "Re:" in the subject: the leak guard keeps it, and asks the agent at the configured address."""
    notice, before = busy.sent_to(ANNA)[0], unmoved(busy)
    raw = busy.mail(ANNA, text, in_reply_to=notice, to=notice["Reply-To"], subject=f"Re: {notice['Subject']}")
    met = busy.meets(raw)
    assert (met.state, met.customers, unmoved(busy)) == ("held", set(), before)
    assert "out-of-office" in met.to(ANNA)[0].text
    assert "SEND" in met.to(ANNA)[0].text


@pytest.mark.case(47)
@pytest.mark.parametrize(
    "text",
    [
        "The technician is on holiday until Monday, she will be back then.",
        "Please try to be away from the fire until the water is on.",
        "Is your office closed? I will be there at nine.",
    ],
)
def test_47_an_answer_about_absence_is_an_answer(busy: HostileDesk, text: str):
    """Words about somebody else's absence go to the customer like any."""
    busy.answers(busy.sent_to(ANNA)[0], "Anna Archer <anna@desk.example>", text)
    assert text in busy.last(CLIENT).text


CALENDAR = "BEGIN:VCALENDAR\nMETHOD:{0}\nBEGIN:VEVENT\nUID:1@client.example\nSUMMARY:Visit\nEND:VEVENT\nEND:VCALENDAR\n"


@pytest.mark.case(49)
@pytest.mark.parametrize("method", ["REPLY", "COUNTER", "CANCEL"])
@pytest.mark.parametrize("shape", ["alone", "beside a text"])
def test_49_a_calendar_reply(ended: HostileDesk, method: str, shape: str):
    """That cora accepts is the calendar's word: appended, not answered, nothing reopened."""
    answer, before = ended.last(CLIENT), unmoved(ended)
    head = (
        f"From: {CORA}\nTo: support@desk.example\nSubject: Accepted: Visit\nMessage-ID: <cal@client.example>\n"
        f"In-Reply-To: {answer['Message-ID']}\nMIME-Version: 1.0\n"
    )
    part = f"Content-Type: text/calendar; charset=utf-8; method={method}\n\n{CALENDAR.format(method)}"
    if shape == "alone":
        raw = head + part
    else:
        raw = f"{head}Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nCora has accepted.\n--b\n{part}--b--\n"
    is_filed_and_nothing_else(ended, ended.meets(raw.encode()), before)


def receipt(desk: HostileDesk, about: str, kind: str = "displayed") -> bytes:
    """Write a disposition notification (RFC 8098)."""
    return (
        f"From: {CORA}\nTo: support@desk.example\nSubject: Read: Printer on fire\nMessage-ID: <mdn@client.example>\nMIME-Version: 1.0\n"
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\nYour mail was read.\n--b\nContent-Type: message/disposition-notification\n\n"
        f"Final-Recipient: rfc822; {CLIENT}\nOriginal-Message-ID: {about}\nDisposition: manual-action/MDN-sent-manually; {kind}\n\n--b--\n"
    ).encode()


@pytest.mark.case(50)
@pytest.mark.parametrize("kind", ["displayed", "deleted"])
def test_50_a_read_receipt(ended: HostileDesk, kind: str):
    """Recorded on the ticket whose mail was read; no new ticket, nothing reopened, nothing sent."""
    before = unmoved(ended)
    met = ended.meets(receipt(ended, ended.last(CLIENT)["Message-ID"], kind))
    is_filed_and_nothing_else(ended, met, before)
    assert met.reason == "a read receipt"


@pytest.mark.case(50)
def test_50_a_read_receipt_for_nothing_of_ours(desk: HostileDesk):
    """Recorded in the ledger only."""
    met = desk.meets(receipt(desk, "<nobody@else.example>"))
    assert (met.state, met.ticket, met.sent) == ("ignored", 0, ())
