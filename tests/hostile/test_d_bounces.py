"""Section D: bounces, complaints and robots' questions about mail of ours. None is answered, ever."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from mailtickets.letters import Writer
from mailtickets.recording import Rules
from tests.hostile.desk import CORA, HostileDesk, Met
from tests.support.desk import SentMail

ANNA, BEN, CLIENT, ADMIN = "anna@desk.example", "ben@desk.example", "cora@client.example", "it@desk.example"
AGENT = "Anna Archer <anna@desk.example>"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_numbers = itertools.count(1)


class BouncingDesk(HostileDesk):
    """A desk whose server takes no null sender: `smtp.envelope = "bounce"`."""

    def rules(self) -> Rules:
        rules = super().rules()
        writer = Writer(
            self.policy, rules.reading.ring, self.templates, {"": False}, lambda: f"id{next(self._ids)}"
        )
        return replace(rules, writer=writer)


@pytest.fixture
def bouncing(tmp_path):
    """A desk with a bounce address in every envelope, on which cora's ticket waits for her."""
    (tmp_path / "bouncing").mkdir()
    desk = BouncingDesk(tmp_path / "bouncing")
    desk.cora_is_answered()
    yield desk
    desk.close()


def dsn(
    address: str = CLIENT, returned: str = "", *, to: str = "support@desk.example", status: str = "5.1.1", action: str = "failed",
    path: str = "<>", head: str = "", diagnostic: str = "smtp; 550 no such user",
) -> bytes:  # fmt: skip
    """Write a delivery status notification (RFC 3464); `returned` are header lines of the mail that came back."""
    part = f"--b\nContent-Type: text/rfc822-headers\n\n{returned}\n" if returned else ""
    return (
        f"Return-Path: {path}\nFrom: Mail Delivery System <MAILER-DAEMON@mx.client.example>\nTo: {to}\n"
        f"Subject: Undelivered Mail Returned to Sender\nMessage-ID: <dsn{next(_numbers)}@mx.client.example>\n{head}"
        "Auto-Submitted: auto-replied\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\nYour mail could not be delivered.\n--b\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; mx.client.example\n\nFinal-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: {diagnostic}\n\n{part}--b--\n"
    ).encode()


def head_of(sent: SentMail) -> str:
    """The header of a mail of ours, as a bounce brings it back."""
    return sent.raw.partition(b"\r\n\r\n")[0].decode().replace("\r\n", "\n") + "\n"


def mark(desk: HostileDesk, address: str = CLIENT) -> str:
    """Why nothing automatic goes to an address; "" where it works."""
    return desk.store.facts._person(address).bounced


def lands(desk: HostileDesk, met: Met, kind: str = "bounced") -> None:
    """The mail is on cora's ticket as an entry of this kind; nobody outside the desk got anything."""
    assert (met.state, met.ticket, met.is_new, met.customers) == ("on_ticket", 1001, False, set())
    assert kind in desk.history()[-2:]


def tells(met: Met, *words: str) -> None:
    """The agents read these words, in both parts."""
    for body in (met.to(ANNA)[0].text, met.to(ANNA)[0].html):
        assert all(word in " ".join(body.split()) for word in words), body


def not_ours(desk: HostileDesk, met: Met) -> None:
    """The report is booked, and nothing follows."""
    assert (met.state, met.reason, met.sent) == ("ignored", "report without a ticket", ())
    assert not mark(desk)


@pytest.mark.case(52)
@pytest.mark.parametrize("found_by", ["message-id", "thread id", "its own thread", "bounce address"])
def test_52_dsn_for_our_acknowledgement(desk: HostileDesk, found_by: str):
    """Matched by any trace of ours; the address is marked, the agents know the reason, no ticket is opened."""
    desk.writes(CORA, "My printer is on fire.")
    ack = desk.last(CLIENT)
    raw = {
        "message-id": lambda: dsn(returned=head_of(ack)),
        "thread id": lambda: dsn(
            returned=f"Message-ID: <new@provider.example>\nReferences: {ack['References']}\n"
        ),
        "its own thread": lambda: dsn(head=f"In-Reply-To: {ack['Message-ID']}\n"),
        "bounce address": lambda: dsn(to=ack.mail.sender),
    }[found_by]()
    met = desk.meets(raw)
    lands(desk, met)
    tells(met, "Our mail to cora@client.example came back.", "The address does not exist.")
    assert mark(desk) == "The address does not exist."
    assert desk.ticket().status == "open"


@pytest.mark.case(53)
@pytest.mark.parametrize("found_by", ["message-id", "bounce address"])
def test_53_dsn_delayed(busy: HostileDesk, found_by: str):
    """Noted, nobody is told, nobody is marked, the silence goes on: the server keeps trying."""
    answer, timers = busy.last(CLIENT), busy.store.views.timers(1001)
    to, returned = (
        (answer.mail.sender, "")
        if found_by == "bounce address"
        else ("support@desk.example", head_of(answer))
    )
    met = busy.meets(
        dsn(to=to, returned=returned, action="delayed", status="4.4.1", diagnostic="smtp; 451 try later")
    )
    lands(busy, met, "delayed")
    assert met.sent == ()
    assert not mark(busy)
    assert (busy.ticket().status, busy.store.views.timers(1001)) == ("waiting", timers)


def qmail(sent: SentMail | None, *, path: str = "<>", sender: str = "MAILER-DAEMON@mx.client.example", to: str = "support@desk.example",
          why: str = "Sorry, no mailbox here by that name. (#5.1.1)") -> bytes:  # fmt: skip
    """Write what qmail writes; without a mail of ours it brings none back."""
    copy = (
        f"--- Below this line is a copy of the message.\n\nReturn-Path: <support@desk.example>\n{head_of(sent)}\nText\n"
        if sent
        else ""
    )
    return (
        f"Return-Path: {path}\nFrom: {sender}\nTo: {to}\nSubject: failure notice\nMessage-ID: <q{next(_numbers)}@mx.client.example>\n\n"
        "Hi. This is the qmail-send program at mx.client.example.\nI'm afraid I wasn't able to deliver your message to the following "
        f"addresses.\n\n<{CLIENT}>:\n{why}\n\n{copy}"
    ).encode()


@pytest.mark.case(55)
def test_55_a_bounce_in_free_words_with_our_id(busy: HostileDesk):
    """The program qmail names the address and brings our header back: on its ticket, marked, told; nobody is answered."""
    met = busy.meets(qmail(busy.last(CLIENT)))
    lands(busy, met)
    tells(met, "Our mail to cora@client.example came back.", "The address does not exist.")
    assert mark(busy)


@pytest.mark.case(55)
def test_55_a_bounce_in_free_words_without_a_trace_of_ours(busy: HostileDesk):
    """Anybody could have written it: booked, nobody is marked."""
    not_ours(busy, busy.meets(qmail(None)))


@pytest.mark.case(55)
def test_55_null_path_alone_is_a_machine(desk: HostileDesk):
    """Words that nobody can read as a report: kept and shown, not answered."""
    met = desk.meets(desk.mail(CORA, "Lorem ipsum.", Return_Path="<>"))
    assert (met.is_new, met.customers) == (True, set())


@pytest.mark.case(55)
def test_55_a_bounce_in_a_language_that_the_desk_cannot_read(bouncing: HostileDesk):
    """A mail system writes to our bounce address: on its ticket, and the agents read it; nobody is marked by a guess."""
    raw = (
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.client.example\nSubject: Tilkynning\nMessage-ID: <is@mx.client.example>\n"
        f"To: {bouncing.last(CLIENT).mail.sender}\n\nEkki fannst pósthólfið cora@client.example.\n"
    ).encode()
    met = bouncing.meets(raw)
    lands(bouncing, met, "auto_reply")
    tells(met, "in words that the desk cannot read", "Ekki fannst")
    assert not mark(bouncing)


@pytest.mark.case(56)
@pytest.mark.parametrize(
    "sender", ["MAILER-DAEMON@mx.client.example", "Mail Delivery System <mailer-daemon@client.example>"]
)
def test_56_mailer_daemon_with_a_path(busy: HostileDesk, sender: str):
    """A server that forgets the null path is no person: not answered, with and without a trace of ours."""
    met = busy.meets(qmail(busy.last(CLIENT), path="<MAILER-DAEMON@mx.client.example>", sender=sender))
    lands(busy, met)
    not_a_report = busy.mail(
        sender, "Hello, is anybody there?", subject="Hello", Return_Path="<x@client.example>"
    )
    met = busy.meets(not_a_report)
    assert (met.is_new, met.customers) == (True, set())


@pytest.mark.case(56)
def test_56_a_person_at_postmaster_is_a_person(desk: HostileDesk):
    """Not a daemon's name alone makes a report of what somebody asks; but nobody answers such a name by itself."""
    met = desk.meets(desk.mail("postmaster@client.example", "Which of your servers may send for us?"))
    assert (met.is_new, met.customers) == (True, set())


@pytest.mark.case(58)
@pytest.mark.parametrize("what", ["dsn", "qmail", "nothing of ours", "somebody else's name"])
def test_58_a_bounce_to_our_bounce_address(bouncing: HostileDesk, what: str):
    """The key in the address is enough: recorded on its ticket, and nothing goes to whoever sent it, however often.

    "Nothing is sent, ever" means the reporter and the customer; the agents are told (design section 4).
    """
    answer = bouncing.last(CLIENT)
    assert answer.mail.sender.startswith("support+b.t1-1001-")
    for _ in range(3):
        met = bouncing.meets({
            "dsn": lambda: dsn(to=answer.mail.sender),
            "qmail": lambda: qmail(None, to=answer.mail.sender),
            "nothing of ours": lambda: qmail(None, to=answer.mail.sender, sender="postmaster@mx.client.example"),
            "somebody else's name": lambda: dsn("c.client@hidden.example", to=answer.mail.sender),
        }[what]())  # fmt: skip
        lands(bouncing, met)
        tells(met, "Our mail to cora@client.example came back.")
    assert mark(bouncing)
    assert bouncing.ticket().status == "open"


@pytest.mark.case(58)
def test_58_the_envelope_of_an_acknowledgement_names_its_ticket(bouncing: HostileDesk):
    """With envelope = "bounce" no mail of a ticket goes out under a sender that says nothing."""
    for mail in bouncing.sent:
        assert mail.mail.sender.startswith("support+b.")
        assert not mail.mail.null_sender
    notice = bouncing.sent_to(ANNA)[0]
    assert notice.mail.sender.endswith("-anna@desk.example")


@pytest.mark.case(58)
@pytest.mark.parametrize("key", ["t1-1001-aaaaaaaaaaaaaaaa", "t9-1001-{mac}", "t1-1002-{mac}", "1001"])
def test_58_a_forged_bounce_address_marks_nobody(bouncing: HostileDesk, key: str):
    """Without a key that this desk made, a report is about nothing of ours."""
    mac = bouncing.last(CLIENT).mail.sender.partition("@")[0].rpartition("-")[2]
    to = f"support+b.{key.format(mac=mac)}@desk.example"
    not_ours(
        bouncing,
        bouncing.meets(dsn(to=to, head="In-Reply-To: <id1.t1-1001-aaaaaaaaaaaaaaaa@desk.example>\n")),
    )
    assert bouncing.ticket().status == "waiting"


@pytest.mark.case(58)
def test_58_a_subject_tag_is_no_trace_of_ours(busy: HostileDesk):
    """Neither from a daemon nor from cora herself: the tag can be guessed."""
    for raw in (
        dsn(),
        dsn().replace(b"Mail Delivery System <MAILER-DAEMON@mx.client.example>", CORA.encode()),
    ):
        not_ours(busy, busy.meets(raw.replace(b"Subject: ", b"Subject: [SUP-1001] ")))
    assert busy.ticket().status == "waiting"


@pytest.mark.case(58)
def test_58_a_report_marks_only_whom_the_ticket_writes_to(busy: HostileDesk):
    """Whoever holds one mail of ours cannot silence the desk towards others: a named stranger is not marked."""
    busy.writes("Dora <dora@other.example>", "My scanner is on fire.")
    busy.meets(dsn("dora@other.example", returned=head_of(busy.last(CLIENT))))
    assert not mark(busy, "dora@other.example")


@pytest.mark.case(58)
@pytest.mark.parametrize("names", ["the agent", "a hidden address", "nobody"])
def test_58_a_bounce_of_an_agents_notice_alarms_the_admins(bouncing: HostileDesk, names: str):
    """An agent who gets no notices is trouble; the customer's ticket goes on as it was."""
    notice = bouncing.sent_to(BEN)[0]
    raw = {
        "the agent": lambda: dsn(BEN, returned=head_of(notice)),
        "a hidden address": lambda: dsn("ben@private.example", to=notice.mail.sender),
        "nobody": lambda: qmail(None, to=notice.mail.sender).replace(b"<cora@client.example>:\n", b""),
    }[names]()
    met = bouncing.meets(raw)
    assert (met.state, met.ticket, met.customers) == ("on_ticket", 1001, set())
    assert [mail.kind for mail in met.to(ADMIN)] == ["trouble"]
    assert f"Mail to the agent {BEN} comes back" in met.to(ADMIN)[0].text
    assert not mark(bouncing)
    assert bouncing.ticket().status == "waiting"


def complaint(to: str, returned: str = "", rcpt: str = "") -> bytes:
    """Write an abuse report (RFC 5965)."""
    named = f"Original-Rcpt-To: {rcpt}\n" if rcpt else ""
    part = f"--b\nContent-Type: text/rfc822-headers\n\n{returned}\n" if returned else ""
    return (
        f"Return-Path: <fbl@provider.example>\nFrom: Feedback loop <fbl@provider.example>\nTo: {to}\nSubject: FW: Printer on fire\n"
        f"Message-ID: <arf{next(_numbers)}@provider.example>\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\nThis is an email abuse report.\n--b\nContent-Type: message/feedback-report\n\n"
        f"Feedback-Type: abuse\nUser-Agent: Provider/1.0\nVersion: 1\n{named}\n{part}--b--\n"
    ).encode()


@pytest.mark.case(59)
@pytest.mark.parametrize("how", ["named", "not named", "made unreadable", "bounce address"])
def test_59_an_abuse_report_stops_automatic_mail(bouncing: HostileDesk, how: str):
    """Recorded; the agents know; no reminder and no closing notice to that address; her next mail makes it good."""
    answer = bouncing.last(CLIENT)
    returned = "" if how == "bounce address" else head_of(answer)
    rcpt = {"named": CLIENT, "made unreadable": "7a1b@provider.example"}.get(how, "")
    to = answer.mail.sender if how == "bounce address" else "support@desk.example"
    met = bouncing.meets(complaint(to, returned, rcpt))
    lands(bouncing, met, "auto_reply")
    tells(met, "cora@client.example marked our mail as spam.")
    assert mark(bouncing) == "marked our mail as abuse"
    before = len(bouncing.sent_to(CLIENT))
    bouncing.lives(6 * DAY, HOUR)
    assert len(bouncing.sent_to(CLIENT)) == before
    assert bouncing.ticket().status == "open", "never closed by a silence that nobody was asked in"

    bouncing.answers(answer, CORA, "It was a slip of my finger.")
    assert not mark(bouncing)


@pytest.mark.case(59)
def test_59_a_forged_abuse_report_silences_nobody(busy: HostileDesk):
    """Without a trace of ours it is booked only."""
    not_ours(
        busy,
        busy.meets(
            complaint("support@desk.example", f"To: {CLIENT}\nMessage-ID: <x@desk.example>\n", CLIENT)
        ),
    )


@pytest.mark.case(61)
@pytest.mark.parametrize("who", [CLIENT, "carl@client.example"])
def test_61_dsn_for_one_of_two_participants(desk: HostileDesk, who: str):
    """The agents are told which; reminders and the closing go to the other one."""
    desk.writes(CORA, "My printer is on fire.", cc="carl@client.example")
    desk.answers(desk.last(ANNA), AGENT, "Please try water.")
    other = ({CLIENT, "carl@client.example"} - {who}).pop()
    met = desk.meets(dsn(who, returned=head_of(desk.last(CLIENT))))
    lands(desk, met)
    tells(met, f"Our mail to {who} came back.")
    assert desk.ticket().status == "waiting"
    assert (bool(mark(desk, who)), bool(mark(desk, other))) == (True, False)
    desk.lives(5 * DAY, HOUR)
    assert desk.kinds(other)[-3:] == ["reminder", "reminder", "closed"]
    assert desk.kinds(who)[-1] == "answer"


@pytest.mark.case(61)
def test_61_a_bounce_that_does_not_say_which_of_two(bouncing: HostileDesk):
    """Nobody is marked by a guess; the agents read what there is."""
    bouncing.answers(bouncing.last(CLIENT), CORA, "Carl knows more.", cc="carl@client.example")
    bouncing.answers(bouncing.last(ANNA), AGENT, "Then Carl, please.")
    answer = bouncing.last("carl@client.example")
    met = bouncing.meets(qmail(None, to=answer.mail.sender).replace(b"<cora@client.example>:\n", b""))
    lands(bouncing, met)
    assert not mark(bouncing)
    assert not mark(bouncing, "carl@client.example")


CHALLENGE = (
    "Your message to cora@client.example is waiting. I am protected by a sender verification. "
    "Please prove that you are a person and click http://127.0.0.1:{port}/prove?id=1 once, then it is handed over."
)


@pytest.mark.case(62)
@pytest.mark.parametrize("how", ["threaded", "by subject", "bare"])
def test_62_a_challenge_of_a_robot(busy: HostileDesk, how: str, listening):
    """Not answered, on its ticket where it names one, and no link is fetched: nobody connects to the server it names."""
    port, connections = listening
    answer = busy.last(CLIENT)
    subject = {
        "threaded": f"Re: {answer['Subject']}",
        "by subject": f"Re: {answer['Subject']}",
        "bare": "Re: Your mail",
    }[how]
    headers = {"Auto_Submitted": "auto-replied"} if how == "threaded" else {}
    raw = busy.mail(
        CORA,
        CHALLENGE.format(port=port),
        subject=subject,
        in_reply_to=answer if how == "threaded" else None,
        **headers,
    )
    met = busy.meets(raw)
    assert met.customers == set()
    assert met.state == "on_ticket"
    assert busy.ticket().status == "waiting"
    assert met.ticket == 1001 or how == "bare"
    assert connections() == 0
