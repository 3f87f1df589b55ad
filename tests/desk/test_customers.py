"""What a customer's mail does: acknowledged once and within limits, reopening, thanks, CLOSE, routing, duplicates."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtickets.desk.facts import AckCounts
from mailtickets.desk.limits import past_limit
from mailtickets.desk.policy import Limits
from mailtickets.desk.thanks import is_thanks
from mailtickets.desk.ticket import Role
from tests.support.desk import POLICY, SUPPORT, Desk

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BILLING = replace(SUPPORT, name="billing", address="billing@desk.example", tag="BIL", agents=("lee",))
TWO_QUEUES = replace(POLICY, queues={"support": replace(SUPPORT, agents=("kim",)), "billing": BILLING})


def limited(desk, **limits):
    desk.use(replace(POLICY, limits=Limits(**limits)))


# --- acknowledgements -------------------------------------------------------------------------------


def test_a_stranger_gets_a_short_acknowledgement_without_a_word_of_the_mail(desk):
    """From is a claim: whoever did not write must not get somebody's words; under 2 KB."""
    desk.writes("Ana <ana@customer.example>", "My dog ate the printer.", subject="Buy pills")
    ack = desk.last("ana@customer.example")
    assert ack["Subject"] == "[SUP-1001] We have received your request"
    assert len(ack.raw) < 2048
    for word in (b"pills", b"dog", b"Ana"):
        assert word not in ack.raw
    assert ack["Auto-Submitted"] == "auto-replied"
    assert ack["In-Reply-To"] == "<m1@customer.example>"
    assert ack.mail.null_sender


def test_a_proven_sender_gets_the_subject_back(tmp_path):
    """With a trusted pass the acknowledgement can be recognized."""
    desk = Desk(tmp_path, authserv_id="mx.desk.example")
    passed = "mx.desk.example; dmarc=pass header.from=customer.example"
    desk.writes("ana@customer.example", "It burns.", Authentication_Results=passed)
    assert "Printer on fire" in desk.last("ana@customer.example")["Subject"]
    assert len(desk.last("ana@customer.example").raw) < 16_384
    desk.close()


def test_a_reply_is_not_acknowledged_again(desk):
    """Once per ticket."""
    desk.writes("ana@customer.example", "It burns.")
    for text in ("More.", "And more."):
        desk.answers(desk.last("ana@customer.example"), "ana@customer.example", text)
    assert desk.kinds("ana@customer.example") == ["acknowledgement"]


@pytest.mark.parametrize(
    ("address", "counts", "proven", "known", "reached"),
    [
        ("ana@customer.example", AckCounts(2, 0, 0), False, False, False),
        ("ana@customer.example", AckCounts(3, 0, 0), False, False, True),
        ("ana@customer.example", AckCounts(3, 0, 0), True, False, False),
        ("ana@customer.example", AckCounts(10, 0, 0), True, False, True),
        ("ana@customer.example", AckCounts(0, 30, 0), False, False, True),
        ("ana@customer.example", AckCounts(0, 30, 0), True, False, False),
        ("ana@customer.example", AckCounts(0, 30, 0), False, True, False),
        ("ana@gmail.com", AckCounts(0, 3000, 0), False, False, False),
        ("ana@customer.example", AckCounts(0, 0, 600), True, False, True),
        ("ana@customer.example", AckCounts(0, 0, 600), False, True, False),
    ],
)
def test_limits(address, counts, proven, known, reached):
    """Per address, per unproven domain, in all; known people count against neither domain nor desk."""
    assert bool(past_limit(address, counts, Limits(), proven=proven, known=known)) is reached


def test_no_limit_is_zero():
    """0 switches a limit off."""
    none = Limits(ack_per_address_day=0, ack_per_proven_address_day=0, ack_per_domain_hour=0, ack_per_hour=0)
    assert past_limit("a@b.example", AckCounts(99, 99, 99), none, proven=False, known=False) == ""


def test_a_flood_keeps_every_ticket_and_stops_the_answers(desk):
    """Case 139: all kept, three acknowledgements, the admin told once."""
    for n in range(20):
        desk.writes("eve@evil.example", f"Mail {n}.", subject=f"Flood {n}")
    assert desk.kinds("eve@evil.example") == ["acknowledgement"] * 3
    assert len(desk.store.views.tickets()) == 20
    assert desk.kinds("it@desk.example") == ["trouble"]


def test_waiting_acknowledgements_go_out_later_the_oldest_first(desk):
    """A limit holds them back, not away."""
    limited(desk, ack_per_hour=2)
    for n in range(5):
        desk.writes(f"p{n}@c{n}.example", "It burns.")
        desk.passes(3 * MINUTE)
    acks = [mail for mail in desk.sent if mail.kind == "acknowledgement"]
    assert [mail.recipients[0] for mail in acks] == ["p0@c0.example", "p1@c1.example"]
    desk.lives(50 * MINUTE, MINUTE)
    desk.lives(70 * MINUTE, MINUTE)
    acks = [mail for mail in desk.sent if mail.kind == "acknowledgement"]
    assert [mail.recipients[0] for mail in acks] == [f"p{n}@c{n}.example" for n in range(5)]


def test_a_waiting_acknowledgement_is_dropped_when_an_agent_answers(desk):
    """The answer says more than any acknowledgement."""
    limited(desk, ack_per_address_day=1)
    desk.writes("ana@customer.example", "One.", subject="One")
    desk.writes("ana@customer.example", "Two.", subject="Two")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Water.\n")
    desk.lives(2 * DAY - HOUR, HOUR)
    assert desk.kinds("ana@customer.example")[:2] == ["acknowledgement", "answer"]
    assert desk.kinds("ana@customer.example").count("acknowledgement") == 1


def test_a_notice_counts_whom_it_does_not_name(desk):
    """Of 400 people in Cc the first 20 are named, the others that were read are counted, and that not all were is said."""
    desk.writes("ana@customer.example", "It burns.", cc=", ".join(f"u{n}@far.example" for n in range(400)))
    text = " ".join(desk.last("kim@desk.example").text.split())
    assert "u18@far.example, u19@far.example, and 30 more" in text
    assert "! More than 50 addresses in a field: only the first ones were read." in text


def test_the_alarm_about_a_limit_names_the_address(desk):
    """Whoever looks for the flood must know whose it is."""
    limited(desk, ack_per_address_day=1)
    for subject in ("One", "Two"):
        desk.writes("ana@customer.example", f"{subject}.", subject=subject)
    assert "ana@customer.example had 1 acknowledgements in 24 hours" in " ".join(
        desk.last("it@desk.example").text.split()
    )


def test_an_acknowledgement_does_not_wait_for_ever(desk):
    """After twelve hours it would only confuse; the ticket says so."""
    limited(desk, ack_per_address_day=1)
    desk.writes("ana@customer.example", "One.", subject="One")
    desk.writes("ana@customer.example", "Two.", subject="Two")
    desk.lives(13 * HOUR, HOUR)
    assert desk.history(1002)[-1] == "not_acknowledged"
    desk.lives(2 * DAY, HOUR)
    assert desk.kinds("ana@customer.example") == ["acknowledgement"]


@pytest.mark.parametrize("from_", ["noreply@customer.example", "bounce-17@customer.example"])
def test_no_reply_senders_get_nothing(desk, from_):
    """Row 7 of table 5.1."""
    desk.writes(from_, "Your parcel.")
    assert desk.kinds(from_) == []
    assert desk.ticket().status == "open"


@pytest.mark.parametrize(
    "header",
    [b"From: ana@customer.example, eve@evil.example", b"From:", b"From: <>", b"From: x: a@b.example, c@d.example;",
     b"From: ana@customer.example\nFrom: eve@evil.example", b"From: ana@customer.example@evil.example", b"Subject: y"],
)  # fmt: skip
def test_an_unclear_sender_gets_nothing_and_is_kept(desk, header):
    """Cases 19 to 25: the ticket is there, the agents see it, nobody is answered."""
    raw = desk.mail("zz@zz.example", "Hello.")
    desk.receives(raw.replace(b"From: zz@zz.example", header))
    assert desk.books().on_tickets == 1
    assert all(mail.mail.reader == "agent" for mail in desk.sent)


# --- odd addresses and wordings ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "\u00e4n\u00e4@customer.example",
        "ana@k\u00f6ln.example",
        "ana(x)@customer.example",
        '"a b"@customer.example',
    ],
)
def test_an_odd_address_costs_no_ticket(desk, address):
    """The mail is kept and shown, whatever we can write to it; nothing is tried three times and set aside."""
    raw = desk.mail("ana@customer.example", "It burns.", cc="bob@customer.example")
    desk.receives(raw.replace(b"From: ana@customer.example", f"From: {address}".encode()))
    assert desk.books().on_tickets == 1
    assert desk.kinds("kim@desk.example") == ["agent_new"]


def test_an_answer_to_an_unwritable_address_comes_back_and_the_others_get_it(desk):
    """The address is marked, the ticket says so, the author is told; Bob reads the answer."""
    raw = desk.mail("ana@customer.example", "It burns.", cc="bob@customer.example")
    desk.receives(raw.replace(b"From: ana@customer.example", "From: \u00e4n\u00e4@customer.example".encode()))
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Water.\n")
    assert desk.kinds("bob@customer.example") == ["answer"]
    assert desk.history()[-1] == "failed"
    assert "cannot be written to this address" in desk.last("kim@desk.example", "not_sent").text
    assert desk.store.facts._person("\u00e4n\u00e4@customer.example").bounced
    desk.lives(2 * DAY, HOUR)
    assert desk.kinds("bob@customer.example") == ["answer", "reminder"]


def test_a_broken_template_costs_no_mail(desk, monkeypatch):
    """A wording of ours fails: the ticket is kept, the agents are told, the other notices go out."""
    from mailtickets.templates import TemplateBroken

    whole = desk.templates.letter

    def broken(notice):
        if notice.kind == "acknowledgement":
            raise TemplateBroken("acknowledgement.txt", "a value is missing")
        return whole(notice)

    monkeypatch.setattr(desk.templates, "letter", broken)
    desk.writes("ana@customer.example", "It burns.")
    assert desk.books().on_tickets == 1
    assert desk.history()[-1] == "failed"
    assert desk.kinds("kim@desk.example") == ["agent_new", "agent_event"]
    assert not desk.store.facts._person("ana@customer.example").bounced


# --- reopening, thanks, CLOSE -----------------------------------------------------------------------


def closed(desk, command="#close"):
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", f"{command}\nAll done.\n")
    return desk.last("ana@customer.example")


@pytest.mark.parametrize("command", ["#close", "#resolve"])
def test_a_reply_reopens(desk, command):
    """The agents hear of it as a reopening, the customer gets nothing."""
    last = closed(desk, command)
    desk.passes(2 * DAY)
    desk.answers(last, "ana@customer.example", "It burns again.\n")
    assert desk.ticket().status == "open"
    assert desk.kinds("kim@desk.example")[-1] == "agent_reopened"
    assert desk.kinds("ana@customer.example")[-1] in {"closed", "resolved"}
    assert desk.store.views.timers(1001) == []


def test_too_late_a_reply_opens_a_linked_ticket(desk):
    """Case 74: after thirty days a new ticket, acknowledged, that names the old one."""
    last = closed(desk)
    desk.passes(31 * DAY)
    desk.answers(last, "ana@customer.example", "It burns again.\n")
    assert desk.ticket().status == "closed"
    assert desk.ticket(1002).linked == 1001
    assert desk.kinds("ana@customer.example")[-1] == "acknowledgement"
    assert "SUP-1001" in desk.last("kim@desk.example").text


@pytest.mark.parametrize(
    ("text", "thanks"),
    [
        ("Thanks!", True),
        ("Thank you very much for your help.", True),
        ("Hi Kim,\n\nGreat, thanks!\n\nBest regards,\nAna", True),
        ("it works now, thank you", True),
        ("It works now.\n\nMany thanks,\nAna", True),
        ("Thanks, but it still burns.", False),
        ("Thanks? It still burns", False),
        ("Thanks!\nstill burning", False),
        ("Thanks 2", False),
        ("", False),
        ("Thanks! " * 30, False),
    ],
)
def test_thanks(text, thanks):
    """Strict: anything that is not a thank-you as a whole reopens."""
    assert is_thanks(text, (), "en") is thanks


def test_a_thank_you_does_not_reopen(desk):
    """It is filed on the resolved ticket, which closes at its time; nobody is told."""
    last = closed(desk, "#resolve")
    told = len(desk.sent)
    desk.answers(last, "ana@customer.example", "Perfect, thank you!\n\nAna\n")
    assert desk.ticket().status == "resolved"
    assert len(desk.sent) == told
    desk.lives(4 * DAY, HOUR)
    assert desk.ticket().status == "closed"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("CLOSE", "closed"),
        ("close.\n\nBest regards\nAna", "closed"),
        ("Close\nthe door first", "open"),
        ("Please close", "open"),
        ("CLOSE\nbut tell Bob", "open"),
    ],
)
def test_the_customers_word_close(desk, text, status):
    """Alone on its line, with nothing but a closing and a name below: closed at once, one confirming mail."""
    desk.writes("ana@customer.example", "It burns.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "Water?\n")
    desk.answers(desk.last("ana@customer.example"), "ana@customer.example", text)
    assert desk.ticket().status == status
    assert desk.kinds("ana@customer.example")[2:] == (["closed"] if status == "closed" else [])


@pytest.mark.parametrize("proven", [True, False])
def test_the_agents_learn_whether_a_close_is_proven(tmp_path, proven):
    """Anybody can write a customer's From: the notice and the history say whether our mail server vouches for it."""
    desk = Desk(tmp_path, POLICY, authserv_id="mx.desk.example")
    desk.writes("ana@customer.example", "It burns.")
    results = "mx.desk.example; dmarc=pass header.from=customer.example"
    headers = {"Authentication_Results": results} if proven else {}
    desk.answers(desk.last("ana@customer.example"), "ana@customer.example", "CLOSE", **headers)
    assert desk.ticket().status == "closed"
    assert ("sender unverified" in desk.entries()[-2].reason) is not proven
    assert ("CLOSE (sender not proven)." in desk.last("kim@desk.example").text) is not proven
    desk.close()


# --- routing, duplicates, quarantine ----------------------------------------------------------------


def test_the_queue_is_the_one_named(tmp_path):
    """To decides, then the trace fields; what names none goes to the mailbox's first."""
    desk = Desk(tmp_path, TWO_QUEUES)
    desk.writes("ana@customer.example", "One.", to="billing@desk.example", subject="One")
    desk.writes(
        "ana@customer.example",
        "Two.",
        to="x@else.example",
        Delivered_To="billing@desk.example",
        subject="Two",
    )
    desk.writes("ana@customer.example", "Three.", to="x@else.example", subject="Three")
    assert [desk.ticket(n).reference for n in (1001, 1002, 1003)] == ["BIL-1001", "BIL-1002", "SUP-1003"]
    assert desk.last("lee@desk.example")["From"].endswith("<billing@desk.example>")
    desk.close()


def test_one_mail_to_two_queues_is_one_ticket(tmp_path):
    """In the queue named first; the other queue's agents are told; the second copy is a duplicate."""
    desk = Desk(tmp_path, TWO_QUEUES)
    raw = desk.mail("ana@customer.example", "It burns.", to="billing@desk.example, support@desk.example")
    desk.receives(b"Delivered-To: billing@desk.example\n" + raw)
    desk.receives(b"Delivered-To: support@desk.example\n" + raw)
    assert desk.ticket(1001).queue == "billing"
    assert desk.ticket(1002) is None
    assert desk.books().duplicates == 1
    assert desk.kinds("lee@desk.example") == ["agent_new"]
    assert desk.kinds("kim@desk.example") == ["agent_event"]
    assert desk.kinds("ana@customer.example") == ["acknowledgement"]
    desk.close()


@pytest.mark.parametrize(
    "trace", [b"", b"Received: from a by b; Mon, 2 Mar 2026 09:00:00 +0000\nX-Trace: 2\n"]
)
def test_the_same_mail_again_is_a_duplicate(desk, trace):
    """The same bytes, or the same mail by another way: filed, linked, without effect."""
    raw = desk.mail("ana@customer.example", "It burns.")
    desk.receives(raw)
    desk.receives(trace + raw)
    assert (desk.books().duplicates, desk.books().ignored, desk.books().on_tickets) == (1, 1, 1)
    assert desk.kinds("ana@customer.example") == ["acknowledgement"]


def test_the_same_message_id_with_another_body_is_another_mail(desk):
    """Case 71: an attacker who knows the id cannot make the true mail disappear."""
    raw = desk.mail("ana@customer.example", "It burns.")
    desk.receives(raw.replace(b"It burns.", b"Nothing burns."))
    desk.receives(raw)
    assert desk.books().duplicates == 0
    assert desk.books().on_tickets == 2


def test_after_thirty_days_the_same_mail_is_new(desk):
    """Another copy of the same content a month later is somebody's wish."""
    raw = desk.mail("ana@customer.example", "It burns.")
    desk.receives(raw)
    desk.passes(31 * DAY)
    desk.receives(b"X-Trace: 2\n" + raw)
    assert desk.books().duplicates == 0


def test_what_our_server_calls_spam_is_quarantined_and_can_be_released(desk):
    """Kept whole with the reason; a duplicate in between does not make it vanish."""
    raw = b"X-Spam-Flag: YES\n" + desk.mail("ana@customer.example", "It burns.")
    desk.receives(raw)
    desk.receives(b"X-Trace: 2\n" + raw)
    assert (desk.books().quarantined, desk.books().duplicates) == (1, 1)
    assert desk.sent == []
    desk.use(POLICY)
    with desk.store.transaction():
        assert desk.store.ledger.wait_again(1)
    desk.run()
    assert desk.copies()[0] == ("quarantined", "marked as spam by your mail server", None)


def test_an_outside_person_is_no_participant_by_a_tag(desk):
    """Case 76: Ana's other address with the tag alone: a new ticket, no history is sent."""
    desk.writes("ana@customer.example", "It burns.")
    desk.writes("ana@home.example", "It is me.", subject="[SUP-1001] Printer on fire")
    assert desk.ticket(1002).requester == "ana@home.example"
    assert [p.role for p in desk.ticket(1001).people] == [Role.REQUESTER]
