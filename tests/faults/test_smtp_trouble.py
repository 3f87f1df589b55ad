"""The real daemon and a mail server in trouble: nothing is lost or sent in clear text, the right people hear of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.dovecot import Dovecot, make_certificates
from tests.support.faulty_network import Cut, FaultyNetwork, Garbage, Stall, Throttle
from tests.support.process import DeskProcess
from tests.support.smtp_sink import SmtpSink

ANA, BEN = "Ana Client <ana@customer.example>", "Ben <ben@customer.example>"
KIM = "Kim Archer <kim@desk.example>"
AGAIN = 'retry = ["1s"]'

Maker = Callable[..., DeskProcess]


class TakesAndDrops(SmtpSink):
    """Takes the mails to one address and hangs up where it should say so."""

    def __init__(self) -> None:
        super().__init__()
        self.drops = ""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  (aiosmtpd's name)
        answer = await super().handle_DATA(server, session, envelope)
        if self.drops in envelope.rcpt_tos:
            server.transport.abort()
        return answer


@pytest.fixture
def server() -> Iterator[SmtpSink]:
    """A mail server of the test's own."""
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def make(tmp_path: Path, dovecot: Dovecot, account: str) -> Iterator[Maker]:
    """Make a desk with short waits that sends by a port; not started yet."""
    made: list[DeskProcess] = []

    def maker(
        sink: SmtpSink, port: int = 0, *, program: str = "tests.faults.hasty", **more: Any
    ) -> DeskProcess:
        desk = DeskProcess(tmp_path, dovecot, sink, account, **{"smtp": AGAIN, **more})
        desk.edit(f"port = {sink.port}", f"port = {port or sink.port}")
        desk.program = program
        made.append(desk)
        return desk

    yield maker
    for one in made:
        one.stop()


@pytest.mark.fault("SMTP up to DATA", "DNS, refused, 4yz, timeout")
@pytest.mark.parametrize(
    "fault",
    [
        Stall(0),
        Stall(b"250 2.1.0 OK\r\n"),
        Stall(b"DATA\r\n", side="client"),
        Throttle(2000),
        Garbage(b"220 ", b"\xff\xfe\r\n*\r\n"),
        Garbage(b"250 2.1.0", b"x" * 10_000_000),
        Garbage(b"250 2.1.0 OK\r\n", b"421 4.3.2 closing\r\n", cut=True),
    ],
    ids=["silent-greeting", "silent-rcpt", "silent-data", "throttle", "garbage", "endless-line", "421"],
)
def test_trouble_before_the_text_delays_and_doubles_nothing(make: Maker, server: SmtpSink, fault: Any, book):
    """The connection fails in its first mail: everything arrives once, soon, by the next connections."""
    with FaultyNetwork(server.port) as network:
        desk = make(server, network.port)
        desk.start()
        network.arm(fault)
        desk.writes(ANA, "My printer is on fire.")
        for address in ("ana@customer.example", "kim@desk.example", "lee@desk.example"):
            desk.wait_to(address, 1, 30)
        desk.at_rest(1, 30)
        assert network.struck == 1
        assert desk.json("outbox") == []
        got = sorted(mail.recipients for mail in server.mails)
        doubled = len(got) - 3
        assert got == [["ana@customer.example"], ["kim@desk.example"], ["lee@desk.example"]]
        assert "exception=" not in desk.log
        assert desk.stop() == 0
    book(runs=network.struck, doubled=doubled)


@pytest.mark.fault("SMTP after dot", "250 lost, timeout, drop, kill -9")
@pytest.mark.parametrize(
    "fault",
    [Stall(b"354 End data with <CR><LF>.<CR><LF>\r\n"), Cut(b"\r\n.\r\n", side="client", abrupt=True)],
    ids=["timeout", "drop"],
)
def test_a_lost_250_repeats_people_and_not_machines(make: Maker, server: SmtpSink, fault: Any, book):
    """A human answer goes out again, the same bytes; of each automatic mail there is one, or it is listed as uncertain."""
    with FaultyNetwork(server.port) as network:
        desk = make(server, network.port)
        desk.start()
        network.arm(fault)
        desk.writes(ANA, "My printer is on fire.")
        desk.wait_log(" uncertain ", seconds=30)
        desk.wait_to("lee@desk.example", 1, 30)
        desk.at_rest(1, 30)
        uncertain = [mail["to"][0] for mail in desk.json("outbox") if mail["state"] == "uncertain"]
        assert len(uncertain) == network.struck == 1
        (alarm,) = desk.wait_to("it@desk.example", 1)
        assert "Nobody knows whether an automatic mail was sent" in alarm.text
        code, words = desk.run("status")
        assert code == 1
        assert "1 mail was perhaps sent and perhaps not" in words
        got = [mail.recipients[0] for mail in server.mails if mail.recipients != ["it@desk.example"]]
        people = {"ana@customer.example", "kim@desk.example", "lee@desk.example"}
        assert set(got) | set(uncertain) == people
        doubled = len(got) - len(set(got))

        notice = desk.to("lee@desk.example")[0]
        before = len(desk.to("ana@customer.example"))
        network.arm(fault)
        network.hang_up()
        desk.answers(notice, "Lee Moss <lee@desk.example>", "Please try water.")
        desk.wait_log("sent again with the same bytes", seconds=30)
        desk.at_rest(2, 30)
        answers = [
            mail for mail in desk.to("ana@customer.example")[before:] if "Please try water." in mail.text
        ]
        assert len({mail.raw for mail in answers}) == 1
        assert all(mail.recipients == ["ana@customer.example"] for mail in answers)
        assert desk.stop() == 0
    book(runs=network.struck, lost=not answers, doubled=doubled, uncertain=len(set(uncertain) - set(got)))


@pytest.mark.fault("SMTP after dot", "250 lost, timeout, drop, kill -9")
def test_an_answer_that_is_always_in_doubt_is_sent_three_times(make: Maker, book):
    """A server takes it each time and never says so: then only an admin sends it, and its agent reads once that it may have arrived."""
    with TakesAndDrops() as server:
        desk = make(server)
        desk.start()
        desk.writes(ANA, "My printer is on fire.")
        notice = desk.wait_to("kim@desk.example", 1)[0]
        desk.wait_to("ana@customer.example", 1)
        desk.at_rest(1)
        server.drops = "ana@customer.example"
        desk.answers(notice, KIM, "Please try water.")
        told = desk.wait_to("kim@desk.example", 2, 40)[1]
        for words in (
            "may have arrived, perhaps several times",
            "We do not send it again",
            "Please try water.",
        ):
            assert words in " ".join(told.text.split())
        assert "could not be delivered" not in told.text
        desk.at_rest(2)
        (listed,) = desk.json("outbox")
        assert (listed["kind"], listed["state"], listed["attempts"]) == ("answer", "uncertain", 3)
        copies = desk.to("ana@customer.example")[1:]
        assert len(copies) == 3
        assert len({copy.raw for copy in copies}) == 1
        code, words = desk.run("status")
        assert code == 1
        assert "1 mail was perhaps sent and perhaps not" in words
        server.drops = ""
        desk.command("outbox", "retry", str(listed["id"]))
        assert desk.wait_to("ana@customer.example", 5)[4].raw == copies[0].raw
        desk.at_rest(2)
        assert desk.json("outbox") == []
        assert desk.run("status")[0] == 0
        assert len(desk.to("kim@desk.example")) == 2
        assert desk.stop() == 0
    book(runs=3)


@pytest.mark.fault("SMTP after dot", "250 lost, timeout, drop, kill -9")
def test_a_large_notice_cut_amid_its_text_is_tried_again(make: Maker, server: SmtpSink, book):
    """Its end never left, so it was not taken: the agent gets it by the next connection, and nothing is listed."""
    with FaultyNetwork(server.port) as network:
        desk = make(server, network.port)
        desk.edit('agents = ["kim", "lee"]', 'agents = ["kim"]')
        desk.start()
        # Abruptly, as a network that went on reading might read the end before the desk sees that it is cut off.
        network.arm(Cut(300_000, side="client", abrupt=True), always=True)
        desk.writes(ANA, "My printer is on fire.", files={"fire.bin": bytes(range(256)) * 12_000})
        desk.wait_log("amid the text", 2, 30)
        network.mend()
        desk.wait_to("kim@desk.example", 1, 30)
        desk.at_rest(1, 30)
        assert desk.json("outbox") == []
        assert len(desk.to("kim@desk.example")) == len(desk.to("ana@customer.example")) == 1
        assert desk.to("it@desk.example") == []
        assert desk.stop() == 0
    book(runs=network.struck)


@pytest.mark.fault("SMTP up to DATA", "5yz for one recipient")
def test_one_of_two_recipients_is_refused(make: Maker, server: SmtpSink, book):
    """The other gets the answer, the agent hears who did not and why, and nobody is asked again."""
    desk = make(server).start()
    desk.writes(ANA, "My printer is on fire.", cc="ben@customer.example")
    notice = desk.wait_to("kim@desk.example", 1)[0]
    desk.wait_to("ana@customer.example", 1)
    server.answers.recipients["ben@customer.example"] = "550 5.1.1 no such user here"
    desk.answers(notice, KIM, "Please try water.")
    answer = desk.wait_to("ana@customer.example", 2)[1]
    assert answer.recipients == ["ana@customer.example"]
    assert "ben@customer.example" in answer["To"] + answer["Cc"]
    told = desk.wait_to("kim@desk.example", 2)[1]
    assert "ben@customer.example" in told.text
    assert "no such user here" in told.text
    desk.at_rest(2)
    assert "failed" in desk.kinds("SUP-1001")
    server.answers.recipients.clear()
    desk.writes(BEN, "My scanner is wet.")  # a mail later the refused one has not been sent again
    desk.wait_to("ben@customer.example", 1)
    desk.at_rest(3)
    texts = [mail.text for mail in desk.to("ben@customer.example")]
    assert not any("Please try water." in text for text in texts)
    assert len(desk.to("ana@customer.example")) == 2
    book(runs=1)


@pytest.mark.fault("SMTP up to DATA", "535 or TLS failure")
def test_a_refused_password_keeps_everything_and_is_told(make: Maker, tmp_path: Path, book):
    """One login, no mail lost, `status` says why; with the right password all of it leaves, and the alarm is over."""
    make_certificates(tmp_path / "tls")
    with SmtpSink(security="tls", certificates=tmp_path / "tls", users={"support": "right"}) as server:
        login = (
            f'{AGAIN}\nusername = "support"\npassword = {{ file = "smtp-password" }}\nca_file = "tls/ca.pem"'
        )
        (tmp_path / "smtp-password").write_text("wrong\n")
        (tmp_path / "smtp-password").chmod(0o600)
        desk = make(server, smtp=login)
        desk.edit('security = "none"\nretry', 'security = "tls"\nretry')
        desk.start()
        desk.writes(ANA, "My printer is on fire.")
        desk.wait_log("the server refused user support")
        desk.writes(BEN, "My scanner is wet.")
        desk.wait(lambda: desk.json("ledger")["on_tickets"] == 2, "both mails to be decided")
        desk.wait(lambda: desk.log.count(" deferred ") >= 4, "some tries")
        code, words = desk.run("status")
        assert code == 1
        assert "refused user support: 535" in words
        waiting = desk.json("outbox")
        assert {mail["state"] for mail in waiting} <= {"queued", "deferred", "sending"}
        assert {mail["to"][0] for mail in waiting} >= {
            "ana@customer.example",
            "ben@customer.example",
            "it@desk.example",
        }
        assert len(server.logins) == 1, "or the account is locked"
        (tmp_path / "smtp-password").write_text("right\n")
        desk.reload()
        desk.wait_log(" reloaded ")
        desk.wait_to("ana@customer.example", 1, 30)
        desk.wait_to("ben@customer.example", 1, 30)
        desk.at_rest(2, 30)
        assert desk.json("outbox") == []
        assert all(mail.tls and mail.user == "support" for mail in server.mails)
        assert desk.stop() == 0
    book(runs=len(server.logins))


@pytest.mark.fault("SMTP up to DATA", "535 or TLS failure")
@pytest.mark.parametrize("security", ["tls", "starttls", "taken-away"])
def test_a_failed_tls_keeps_everything_and_says_nothing_in_clear(
    make: Maker, tmp_path: Path, security: str, book
):
    """An unknown CA, or STARTTLS that is no longer offered: no user name, no password, no mail crosses the wire; it is told."""
    make_certificates(tmp_path / "tls")
    kind = "none" if security == "taken-away" else security
    users = {"support": "pw"}
    with (
        SmtpSink(security=kind, certificates=tmp_path / "tls", users=users) as server,
        FaultyNetwork(server.port) as network,
    ):
        login = f'{AGAIN}\nusername = "support"\npassword = {{ file = "imap-password" }}'
        desk = make(server, network.port, smtp=login)
        desk.edit(
            'security = "none"\nretry', f'security = "{"tls" if security == "tls" else "starttls"}"\nretry'
        )
        desk.start()
        desk.writes(ANA, "My printer is on fire.")
        desk.wait(lambda: desk.log.count(" deferred ") >= 4, "some tries", 30)
        desk.wait_log("Mail cannot be sent", seconds=30)
        words = "does not offer STARTTLS" if security == "taken-away" else "is not signed by a CA"
        code, said = desk.run("status")
        assert code == 1
        assert words in said
        waiting = desk.json("outbox")
        assert {mail["state"] for mail in waiting} <= {"queued", "deferred", "sending"}
        assert ["ana@customer.example"] in [mail["to"] for mail in waiting]
        assert (server.mails, server.logins) == ([], [])
        for dialogue in network.dialogues:
            assert not [word for word in (b"AUTH ", b"MAIL ", b"support") if word in dialogue.client]
        assert desk.stop() == 0
    book(runs=len(network.dialogues))


@pytest.mark.fault("SMTP after dot", "4yz after dot, 552 too big")
def test_refusals_after_the_text(make: Maker, server: SmtpSink, book):
    """4yz is tried again until it is taken, once; 552 comes back to the agent at once with text and reason, and the ticket shows it."""
    desk = make(server).start()
    server.answers.data = "451 4.3.0 try again later"
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_log(" deferred ", 3)
    server.answers.data = ""
    desk.wait_to("ana@customer.example", 1)
    notice = desk.wait_to("kim@desk.example", 1)[0]
    desk.at_rest(1)

    server.answers.data = "552 5.3.4 message too big for this system"
    desk.answers(notice, KIM, "Please try water.")
    desk.wait_log(" failed ")
    server.answers.data = ""
    returned = desk.wait_to("kim@desk.example", 2)[1]
    for words in ("Please try water.", "too big for this system", "ana@customer.example"):
        assert words in returned.text
    desk.at_rest(2)
    assert "failed" in desk.kinds("SUP-1001")
    assert len(desk.to("ana@customer.example")) == 1
    book(runs=2)
