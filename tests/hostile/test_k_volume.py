"""Section K: volume. What one sender, or one in the name of many, can make of the desk."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from mailtickets.recording import Rules
from tests.hostile.desk import ANNA, POLICY, HostileDesk
from tests.hostile.flood import FloodDesk, mail_of
from tests.support.dovecot import Dovecot
from tests.support.process import IMAP, DeskProcess
from tests.support.scripted import Hangup, Line, ScriptedImap
from tests.support.smtp_sink import SmtpSink

EVE, CORA = "eve@evil.example", "cora@client.example"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LIMITS = POLICY.limits
AGENTS = ("anna@desk.example", "ben@desk.example")


@pytest.fixture
def flood(tmp_path: Path) -> Iterator[FloodDesk]:
    """A desk on which nothing has happened yet."""
    desk = FloodDesk(tmp_path)
    yield desk
    desk.close()


@pytest.fixture(scope="session")
def sink() -> Iterator[SmtpSink]:
    """One recording SMTP server."""
    with SmtpSink() as server:
        yield server


@pytest.mark.case(139)
@pytest.mark.timeout(600)
def test_139_five_thousand_mails_of_one_address_in_ten_minutes(flood: FloodDesk):
    """All are kept and found; 3 acknowledgements, 20 tickets, the rest filed on the last of them; cora waits for no poll.

    Agents get the 20 new tickets, one notice of what is filed from now on, and lists every ten minutes.
    """
    total, waits = 5000, []

    def poured() -> Iterator[bytes]:
        for number in range(total):
            yield mail_of(EVE, number)

    for done in flood.pours(poured(), 10 * MINUTE, total):
        if done % 1000 == 0:
            asked = flood.now
            flood.writes(f"Cora <cora{done}@client.example>", f"My printer {done} is on fire.")
            waits.append(flood.now - asked)
            assert flood.kinds(f"cora{done}@client.example") == ["acknowledgement"]
    assert max(waits) < MINUTE
    books = flood.books()
    assert (books.received, books.on_tickets, books.unexplained) == (total + 5, total + 5, 0)
    assert flood.kinds(EVE) == ["acknowledgement"] * 3
    theirs = "requester = 'eve@evil.example'"
    assert flood.count(f"SELECT count(*) FROM ticket WHERE {theirs}") == 20
    kept = f"SELECT count(*) FROM entry WHERE kind = 'mail_in' AND ticket IN (SELECT number FROM ticket WHERE {theirs})"
    assert flood.count(kept) == total
    assert flood.count("SELECT count(*) FROM original") == total + 5
    last = flood.count(f"SELECT max(number) FROM ticket WHERE {theirs}")
    filed = [entry for entry in flood.entries(last) if entry.kind == "mail_in"]
    assert len(filed) == total - 19
    assert "its sender opened 20 tickets within an hour" in filed[-1].reason
    assert {entry.audience for entry in filed[1:]} == {"agents"}
    assert [found.reference for found in flood.store.views.search("number4711")] == [f"SUP-{last}"]
    flood.lives(30 * MINUTE, 5 * MINUTE)
    for agent in AGENTS:
        kinds = Counter(flood.kinds(agent))
        assert kinds["agent_new"] + kinds["agent_reply"] <= 21
        assert 1 <= kinds["news"] <= 3
        news = next(
            mail for mail in flood.sent_to(agent) if mail.kind == "news" and f"SUP-{last}" in mail.text
        )
        assert re.search(rf"SUP-{last}: Flood 19\s+- \d+ more", news.text), news.text
        assert "opened by eve@evil.example (sender not proven)" in news.text
        assert "<a href=" in news.html
        assert "write to the desk with its reference in the subject" in " ".join(news.text.split())
    told = [mail["Subject"] for mail in flood.sent_to("it@desk.example") if mail.kind == "trouble"]
    assert len(told) <= 3, told
    assert any("filed on one ticket" in subject for subject in told)
    assert {address for mail in flood.outside() for address in mail.recipients} - {EVE} == {
        f"cora{n}@client.example" for n in range(1000, 5001, 1000)
    }


@pytest.mark.case(139)
@pytest.mark.timeout(600)
def test_139_the_daemon_acknowledges_another_sender_within_a_poll(
    tmp_path: Path, dovecot: Dovecot, sink: SmtpSink, account: str
):
    """Three hundred mails of one sender lie in the mailbox, then one of ben: his is acknowledged before a minute is over."""
    limits = "[limits]\ntickets_per_address_hour = 20"
    desk = DeskProcess(tmp_path, dovecot, sink, account, more=limits, mailbox=IMAP + 'start_from = "all"')
    for number in range(300):
        desk.deliver(mail_of(EVE, number).replace(b"support@desk.example", desk.address.encode()))
    try:
        desk.start()
        started = time.monotonic()
        desk.writes("Ben <ben@customer.example>", "My scanner is wet.")
        desk.wait_to("ben@customer.example", 1, 60)
        assert time.monotonic() - started < 60
        books = desk.at_rest(301, 120)
        assert (books["on_tickets"], books["waiting"]) == (301, 0)
        assert len(desk.to(EVE)) == 3
        assert len(desk.references()) == 21
    finally:
        desk.stop()


@pytest.mark.case(139)
def test_139_the_same_words_are_one_ticket_from_the_third_time_on(flood: FloodDesk):
    """Two tickets, then the same words are filed; other words, and the same with a file, open tickets of their own."""
    for number in range(5):
        flood.receives(mail_of(EVE, number, "Where is my order?", subject="Order"))
    flood.writes(EVE, "Something else.", subject="Order")
    file = "Content-Disposition: attachment; filename=a.pdf\r\nContent-Type: application/pdf\r\n"
    flood.receives(mail_of(EVE, 9, "JVBERi0=", subject="Order", more=file))
    assert flood.count("SELECT count(*) FROM ticket") == 4
    assert [entry.kind for entry in flood.entries(1002) if entry.kind == "mail_in"] == ["mail_in"] * 4
    notices = [mail for mail in flood.sent_to("anna@desk.example") if "[SUP-1002]" in mail["Subject"]]
    assert [mail.kind for mail in notices] == ["agent_new", "agent_reply"]
    assert "The same words opened 2 tickets within an hour" in " ".join(notices[1].text.split())
    told = [mail["Subject"] for mail in flood.sent_to("it@desk.example") if mail.kind == "trouble"]
    assert not any("filed" in subject for subject in told), "an impatient customer is no trouble"
    flood.passes(2 * HOUR)
    assert "2 more" in flood.last("anna@desk.example", "news").text
    flood.receives(mail_of(EVE, 10, "Where is my order?", subject="Order"))
    assert flood.count("SELECT count(*) FROM ticket") == 5, "after an hour it is a new request"


@pytest.mark.case(139)
def test_139_what_is_filed_reopens_nothing_and_does_not_let_a_ticket_close(flood: FloodDesk):
    """The reminders of a ticket on which it is filed stop; on a finished ticket nothing is filed."""
    for number in range(2):
        flood.receives(mail_of(EVE, number, "Where is my order?", subject="Order"))
    flood.answers(flood.last("anna@desk.example", "agent_new"), f"Anna <{ANNA.email}>", "On its way.")
    assert flood.ticket(1002).status == "waiting"
    flood.receives(mail_of(EVE, 2, "Where is my order?", subject="Order"))
    assert flood.ticket(1002).status == "open"
    answer = flood.last("anna@desk.example", "agent_reply")
    flood.answers(answer, f"Anna <{ANNA.email}>", "#close\nIt is there.")
    flood.receives(mail_of(EVE, 3, "Where is my order?", subject="Order"))
    assert (flood.ticket(1002).status, flood.ticket(1001).status) == ("closed", "open")
    assert [entry.kind for entry in flood.entries(1001) if entry.kind == "mail_in"] == ["mail_in"] * 2
    assert flood.sent_to(EVE)[-1].text.startswith("It is there.")


@pytest.mark.case(140)
@pytest.mark.timeout(600)
def test_140_five_thousand_mails_from_as_many_victims(flood: FloodDesk):
    """600 acknowledgements an hour and no more; 100 wait, the others are never sent; every ticket is kept.

    Design section 4 has 600 an hour in all where reliability has 60. Agents are told of every ticket, 100 in a list.
    """
    total = 5000
    mails = (mail_of(f"v{n}@victim{n}.example", n, subject="BUY PILLS") for n in range(total))
    flood.poured(mails, 30 * MINUTE, total)
    assert len(flood.outside()) == 600
    assert {mail.kind for mail in flood.outside()} == {"acknowledgement"}
    assert flood.count("SELECT count(*) FROM timer WHERE kind = 'acknowledge'") == 100
    books = flood.books()
    assert (books.on_tickets, books.unexplained) == (total, 0)
    flood.lives(30 * HOUR, 10 * MINUTE)
    assert flood.count("SELECT count(*) FROM ticket WHERE status = 'open'") == total
    sent = Counter(address for mail in flood.outside() for address in mail.recipients)
    assert (len(sent), max(sent.values())) == (700, 1)
    assert flood.count("SELECT count(*) FROM timer WHERE kind = 'acknowledge'") == 0
    dropped = "SELECT reason FROM entry WHERE kind = 'not_acknowledged' LIMIT 1"
    assert "it is not sent later, for 100 wait already" in flood._ask(dropped)[0][0]
    told = [mail["Subject"] for mail in flood.sent_to("it@desk.example") if mail.kind == "trouble"]
    assert any("limit was reached" in subject for subject in told)
    assert len(told) <= 4, told
    for agent in AGENTS:
        kinds = Counter(flood.kinds(agent))
        assert kinds["agent_new"] == LIMITS.notices_per_agent
        assert kinds["news"] <= total / 100 + 2
        words = " ".join(mail.text for mail in flood.sent_to(agent) if mail.kind == "news")
        listed = set(re.findall(r"\d+\. SUP-(\d+): ", words))
        assert len(listed) + kinds["agent_new"] == total, "every ticket is told"


# -- a large mailbox, a large mail -----------------------------------------------------------------


class OldMails(ScriptedImap):
    """So many mails of last year, which nobody has to write down."""

    def __init__(self, count: int) -> None:
        super().__init__([b""] * count)
        self.bodies = 0

    def _answer(self, line: Line, tag: bytes, name: str, rest: bytes) -> None:
        if name != "UID FETCH":
            super()._answer(line, tag, name, rest)
            return
        self.bodies += b"BODY" in rest
        line.say(
            b"".join(
                b'* %d FETCH (UID %d RFC822.SIZE 1000 INTERNALDATE "02-Jan-2025 03:04:05 +0000")\r\n'
                % (uid, uid)
                for uid in _uids(rest)
            ),
            tag + b" OK done\r\n",
        )


def _uids(rest: bytes) -> Iterator[int]:
    found = re.search(rb"FETCH ([0-9,:]+)", rest, re.IGNORECASE)
    assert found
    for part in found[1].split(b","):
        first, _, last = part.partition(b":")
        yield from range(int(first), int(last or first) + 1)


def once(
    folder: Path, server: ScriptedImap, sink: SmtpSink, *, megabytes: int = 0, more: str = ""
) -> tuple[DeskProcess, int]:
    """Let a desk make one round on a server; return it, and the most memory that its process used, in bytes.

    megabytes   limit of memory for all its data (RLIMIT_DATA); 0: none.
    """
    folder.mkdir()
    imap = cast("Dovecot", SimpleNamespace(imap=server.port))
    desk = DeskProcess(folder, imap, sink, "support", mailbox=IMAP + more)

    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*(("prlimit", f"--data={megabytes << 20}") if megabytes else ()), sys.executable, "-m", "mailtickets", "--config", str(desk.config), "run", "--once"],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, desk.log[-3000:]
    return desk, used.ru_maxrss << 10


@pytest.mark.case(142)
@pytest.mark.timeout(600)
def test_142_a_hundred_thousand_old_mails_at_the_first_start(tmp_path: Path, sink: SmtpSink):
    """None is fetched, none is answered, all are in the books; memory stays within 60 MB of that for a thousand."""
    before = len(sink.mails)
    with OldMails(1000) as server:
        _, few = once(tmp_path / "few", server, sink)
    with OldMails(100_000) as server:
        desk, many = once(tmp_path / "many", server, sink)
        assert server.bodies == 0
    books = desk.json("ledger")
    assert (books["received"], books["ignored"], books["unexplained"]) == (100_000, 100_000, 0)
    assert desk.json("list", "--all") == []
    assert len(sink.mails) == before
    assert many - few < 60_000_000, f"{few} bytes for a thousand, {many} for a hundred thousand"


HUGE = 500_000_000


class HugeMail(ScriptedImap):
    """One mail of 500 MB, which it would send to whoever asks for all of it. `told` is its size as the server tells it."""

    def __init__(self, told: int = HUGE) -> None:
        super().__init__([b""])
        self.told, self.given = told, 0

    def _answer(self, line: Line, tag: bytes, name: str, rest: bytes) -> None:
        if name != "UID FETCH":
            super()._answer(line, tag, name, rest)
            return
        head = b"From: cora@client.example\r\nTo: support@desk.example\r\nSubject: My film\r\nMessage-ID: <film@client.example>\r\n\r\n"
        start = b'* 1 FETCH (UID 1 RFC822.SIZE %d INTERNALDATE "02-Jan-2026 03:04:05 +0000"' % self.told
        if b"HEADER" in rest:
            text = b"See the film below.\r\n" + b"x" * 65_515
            line.say(
                start,
                b" BODY[HEADER]<0> {%d}\r\n" % len(head),
                head,
                b" BODY[TEXT]<0> {%d}\r\n" % len(text),
                text,
                b")\r\n",
            )
        elif b"BODY" in rest:
            line.say(start, b" BODY[] {%d}\r\n" % HUGE)
            for _ in range(HUGE // 1_000_000):
                try:
                    line.sock.sendall(b"x" * 1_000_000)
                except OSError:
                    raise Hangup from None
                self.given += 1_000_000
            line.say(b")\r\n")
        else:
            line.say(start, b")\r\n")
        line.say(tag + b" OK done\r\n")


@pytest.mark.case(143)
def test_143_a_mail_of_500_megabytes(tmp_path: Path, sink: SmtpSink):
    """Its size is asked first, then its head and beginning: it is a ticket, and cora is told that it was too large.

    Design section 4 takes the beginning of a large mail where reliability would set it aside whole.
    """
    before = len(sink.mails)
    with HugeMail() as server:
        desk, _ = once(tmp_path / "desk", server, sink, megabytes=150, more='start_from = "all"')
        assert server.given == 0
        asked = [said for said in server.heard if b"FETCH" in said]
        assert b"BODY" not in asked[0]
        assert b"BODY.PEEK[]" not in b"".join(asked)
    shown = desk.json("show", "SUP-1001")
    assert shown["entries"][0]["text"].startswith("See the film below.")
    mails = [mail for mail in sink.mails[before:] if mail.recipients == ["cora@client.example"]]
    assert len(mails) == 1
    assert b"500" in mails[0].raw
    notice = next(mail for mail in sink.mails[before:] if mail.recipients == ["kim@desk.example"])
    assert len(notice.raw) < 300_000


@pytest.mark.case(143)
def test_143_a_server_that_lies_about_the_size(tmp_path: Path, sink: SmtpSink):
    """It told 1,000 bytes and begins to send 500 MB: the desk hangs up early and within its memory."""
    with HugeMail(told=1000) as server:
        folder = tmp_path / "desk"
        folder.mkdir()
        imap = cast("Dovecot", SimpleNamespace(imap=server.port))
        desk = DeskProcess(folder, imap, sink, "support", mailbox=IMAP + 'start_from = "all"')
        code, words = desk.run("run", "--once", before=("prlimit", "--data=150000000"))
        assert server.given < 20_000_000
    assert "Traceback" not in words
    assert code in {0, 1, 75}
    assert desk.json("ledger")["unexplained"] == 0


# -- strangers, and many timers ---------------------------------------------------------------------


def _crowd(domain: str) -> str:
    return ",\r\n ".join(f"s{n}@{domain.format(n)}" for n in range(500))


@pytest.mark.case(145)
@pytest.mark.parametrize("field", ["Cc", "To", "Bcc", "Reply-To", "Resent-Cc"])
@pytest.mark.parametrize("domain", ["stranger{}.example", "gmail.com"])
def test_145_five_hundred_strangers(desk: HostileDesk, field: str, domain: str):
    """Nobody of them gets mail, neither now nor by an agent's answer."""
    met = desk.meets(
        f"From: eve@evil.example\nTo: support@desk.example\nSubject: Party\n{field}: {_crowd(domain)}\n\nCome!\n".encode()
    )
    assert met.customers <= {EVE}
    ticket = desk.store.tickets.get(met.ticket)
    assert ticket is not None
    assert [person.address for person in ticket.people] == [EVE]
    desk.answers(met.to("anna@desk.example")[0], "Anna Archer <anna@desk.example>", "No, thanks.")
    assert desk.kinds(EVE) == ["acknowledgement", "answer"]
    assert not [mail for mail in desk.sent if any(re.match(r"s\d+@", address) for address in mail.recipients)]


@pytest.mark.case(145)
def test_145_colleagues_of_the_sender_are_ten_at_most_and_get_nothing_by_themselves(desk: HostileDesk):
    """Of the sender's own domain nine join, as design section 4 has it: they read an agent's answer, and nothing automatic."""
    met = desk.meets(
        f"From: eve@evil.example\nTo: support@desk.example\nSubject: Party\nCc: {_crowd('evil.example')}\n\nCome!\n".encode()
    )
    assert met.customers <= {EVE}
    desk.answers(met.to("anna@desk.example")[0], "Anna Archer <anna@desk.example>", "No, thanks.")
    answered = next(mail for mail in desk.sent if mail.kind == "answer")
    assert len(answered.recipients) == LIMITS.people_per_ticket


class SlowServer(FloodDesk):
    """Its account may send no more than so many mails a minute."""

    per_minute = 0

    def rules(self) -> Rules:
        return replace(super().rules(), rates={"": self.per_minute} if self.per_minute else {})


@pytest.mark.case(146)
@pytest.mark.timeout(600)
def test_146_three_thousand_timers_due_in_one_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """All fire; the mails go out at the account's rate, in the order of their tickets, and none is lost or sent twice.

    Case 146 at the level of the line and its claims. The timers are those of 3,000 acknowledgements that waited for a limit, which all look again at the same moment.
    """
    total, clock = 3000, tmp_path / "clock"
    clock.write_text("0 0")
    monkeypatch.setenv("MAILTICKETS_CLOCK", str(clock))
    nobody = {"support": replace(POLICY.queues["support"], agents=())}
    tight = replace(LIMITS, ack_per_hour=1, ack_waiting=0, automatic_per_hour=0)
    (tmp_path / "desk").mkdir()
    desk = SlowServer(tmp_path / "desk", replace(POLICY, queues=nobody, limits=tight))
    desk.poured((mail_of(f"p{n}@c{n}.example", n) for n in range(total + 1)), MINUTE, total + 1)
    assert desk.count("SELECT count(DISTINCT due) FROM timer WHERE kind = 'acknowledge'") == 1
    assert desk.count("SELECT count(*) FROM timer WHERE kind = 'acknowledge'") == total
    desk.sent.clear()
    SlowServer.per_minute = 600
    desk.use(replace(desk.policy, limits=replace(tight, ack_per_hour=0)))
    desk.now += 15 * MINUTE
    started, shift = time.monotonic(), 0.0
    desk.run()
    assert desk.count("SELECT count(*) FROM timer WHERE kind = 'acknowledge'") == 0
    while len(desk.sent) < total and shift < 1200:
        shift += 10
        clock.write_text(f"0 {shift}")
        before = len(desk.sent)
        desk.run()
        assert len(desk.sent) - before <= 100 + (time.monotonic() - started) * 10
        assert len(desk.sent) <= (shift + time.monotonic() - started) * 10 + 2
    numbers = [mail.mail.ticket for mail in desk.sent if mail.kind == "acknowledgement"]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == len(numbers) == total
    desk.close()
