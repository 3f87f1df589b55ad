"""The SMTP door against aiosmtpd over sockets; scripted servers for faults; Postfix once."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from mailtickets.errors import Retry
from mailtickets.transport.fate import Phase
from mailtickets.transport.oauth import TokenCommand
from mailtickets.transport.smtp import (
    Deferred,
    Fate,
    Rejected,
    Security,
    Sent,
    SmtpAccount,
    SmtpPool,
    Timeouts,
    Uncertain,
)
from tests.stories.holding_sink import HoldingSink
from tests.support.dovecot import Dovecot, make_certificates
from tests.support.postfix import Postfix
from tests.support.scripted import Fault, Line, ScriptedSmtp, says, stalls
from tests.support.smtp_sink import SmtpSink

ANA, BEN, DESK = "ana@customer.example", "ben@customer.example", "support@desk.example"
MAIL = b"From: support@desk.example\r\nSubject: x\r\n\r\nIt prints.\r\n"
T = TypeVar("T")
HASTY = Timeouts(connect=2, command=0.5, data=0.5, block=0.5, final=0.5)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("tls")
    make_certificates(folder)
    return folder


@pytest.fixture
def sink():
    with SmtpSink() as server:
        yield server


def plain(port: int, **changes) -> SmtpAccount:
    return replace(SmtpAccount("127.0.0.1", port, Security.NONE), **changes)


def using(account: SmtpAccount, use: Callable[[SmtpPool], Awaitable[T]], **options) -> T:
    """Run something with a pool and close it."""

    async def run() -> T:
        pool = SmtpPool(account, **{"timeouts": HASTY, **options})
        try:
            return await use(pool)
        finally:
            await pool.close(2)

    return asyncio.run(run())


def send(account: SmtpAccount, *to: str, raw: bytes = MAIL, sender: str = DESK, **options) -> Fate:
    """Send one mail over a pool of its own."""
    return using(account, lambda pool: pool.send(sender, to or (ANA,), raw, **options))


# Sent


def test_a_mail_arrives_byte_for_byte(sink: SmtpSink):
    """Leading dots, a line of one dot and an 8-bit byte are what they were."""
    raw = MAIL + b".\r\n..two\r\n.one\r\n\xe9\r\n"
    assert isinstance(send(plain(sink.port), ANA, BEN, raw=raw), Sent)
    (mail,) = sink.mails
    assert (mail.raw, mail.sender, mail.recipients) == (raw, DESK, [ANA, BEN])
    assert "BODY=8BITMIME" in mail.options
    assert f"SIZE={len(raw)}" in mail.options


def test_bare_line_ends_cannot_end_a_mail_early(sink: SmtpSink):
    """A lone LF or CR becomes CRLF, and a dot behind it is doubled (SMTP smuggling)."""
    send(plain(sink.port), raw=b"Subject: x\n\nsafe\n.\nMAIL FROM:<eve@evil.example>\r.\rlast")
    (mail,) = sink.mails
    assert mail.raw == b"Subject: x\r\n\r\nsafe\r\n.\r\nMAIL FROM:<eve@evil.example>\r\n.\r\nlast\r\n"


def test_each_answer_tells_that_it_moves_and_waiting_does_not(sink: SmtpSink):
    """At the start, after MAIL, after each recipient and after DATA; again and again while a large text leaves; not in the wait."""
    moved: list[float] = []
    send(plain(sink.port), ANA, BEN, moved=lambda: moved.append(time.monotonic()))
    assert len(moved) == 5
    moved.clear()
    with HoldingSink() as server:
        server.holds = lambda _: True
        patient = replace(HASTY, block=10, final=3)
        fate = using(
            plain(server.port),
            lambda pool: pool.send(
                DESK,
                (ANA,),
                MAIL + (b"x" * 70 + b"\r\n") * 150_000,
                moved=lambda: moved.append(time.monotonic()),
            ),
            timeouts=patient,
        )
        ended = time.monotonic()
        server.let_go()
    assert isinstance(fate, Uncertain)
    assert len(moved) > 5
    assert ended - moved[-1] > 2.5, "the server was silent so long"


def test_null_sender_and_no_delivery_reports(sink: SmtpSink):
    """An acknowledgement has the envelope sender <> and asks for NOTIFY=NEVER where DSN is offered."""
    assert isinstance(send(plain(sink.port), sender="", never_notify=True), Sent)
    sink.dsn = False
    assert isinstance(send(plain(sink.port), sender="", never_notify=True), Sent)
    assert [mail.sender for mail in sink.mails] == ["", ""]
    assert [("NOTIFY=NEVER" in mail.options) for mail in sink.mails] == [True, False]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_over_verified_tls_with_a_login(certificates: Path, security: str):
    """Both kinds of TLS."""
    with SmtpSink(security=security, certificates=certificates, users={"support": "pw"}) as server:
        account = SmtpAccount(
            "localhost",
            server.port,
            Security(security),
            "support",
            lambda: "pw",
            ca_file=certificates / "ca.pem",
        )
        assert isinstance(send(account), Sent)
        assert [(mail.tls, mail.user) for mail in server.mails] == [(True, "support")]


def test_a_large_mail_is_sent_in_pieces(sink: SmtpSink):
    """8 MB arrive whole."""
    raw = MAIL + b"sixty-two letters, which are what one line of this mail has...\r\n" * 130_000
    assert isinstance(
        using(plain(sink.port), lambda pool: pool.send(DESK, [ANA], raw), timeouts=Timeouts()), Sent
    )
    assert sink.mails[0].raw == raw


def test_connections_are_used_again_and_not_for_ever(sink: SmtpSink):
    """Seven mails over one connection at a time, three on each, need three connections."""

    async def seven(pool: SmtpPool) -> None:
        for _ in range(7):
            await pool.send(DESK, [ANA], MAIL)

    using(plain(sink.port), seven, mails_per_connection=3)
    assert [mail.connection for mail in sink.mails] == [1, 1, 1, 2, 2, 2, 3]


def test_mails_at_once_share_few_connections(sink: SmtpSink):
    """40 mails at a time, at most two connections, all sent."""

    async def forty(pool: SmtpPool) -> list[Fate]:
        return await asyncio.gather(*(pool.send(DESK, [ANA], MAIL) for _ in range(40)))

    fates = using(plain(sink.port), forty, connections=2)
    assert {type(fate) for fate in fates} == {Sent}
    assert sink.connections == 2


def test_an_idle_connection_is_closed(sink: SmtpSink):
    """After its time; the next mail opens another."""

    async def two(pool: SmtpPool) -> None:
        await pool.send(DESK, [ANA], MAIL)
        while pool._idle:  # noqa: ASYNC110 - a timer of the pool's own
            await asyncio.sleep(0.01)
        await pool.send(DESK, [ANA], MAIL)

    using(plain(sink.port), two, idle_seconds=0.05)
    assert sink.connections == 2


def test_a_server_that_hung_up_on_an_idle_connection_costs_nothing(sink: SmtpSink):
    """Nothing was sent on it, so the mail goes over a fresh connection at once."""

    async def two(pool: SmtpPool) -> list[Fate]:
        first = await pool.send(DESK, [ANA], MAIL)
        await asyncio.to_thread(sink.hang_up)
        return [first, await pool.send(DESK, [ANA], MAIL)]

    assert [type(fate) for fate in using(plain(sink.port), two)] == [Sent, Sent]
    assert len(sink.mails) == 2


def test_421_on_an_idle_connection_costs_nothing():
    """The same, where the server says goodbye to the next command."""
    with ScriptedSmtp() as server:

        async def two(pool: SmtpPool) -> list[Fate]:
            first = await pool.send(DESK, [ANA], MAIL)

            def goodbye(line, tag) -> None:
                server.faults.clear()
                line.say(b"421 idle too long\r\n")

            server.faults["MAIL"] = goodbye
            return [first, await pool.send(DESK, [ANA], MAIL)]

        assert [type(fate) for fate in using(plain(server.port), two)] == [Sent, Sent]
        assert server.connections == 2


# Refused


def test_one_refused_recipient_does_not_keep_the_mail_from_others(sink: SmtpSink):
    """Sent, with what the refused ones heard."""
    sink.answers.recipients = {BEN: "550 5.1.1 no such user", "kim@x.example": "450 4.2.1 mailbox busy"}
    fate = send(plain(sink.port), ANA, BEN, "kim@x.example")
    assert isinstance(fate, Sent)
    assert {to: (refusal.code, refusal.permanent) for to, refusal in fate.refused.items()} == {
        BEN: (550, True),
        "kim@x.example": (450, False),
    }
    assert sink.mails[0].recipients == [ANA]


def test_all_recipients_refused_is_final_only_if_every_one_is(sink: SmtpSink):
    """One that may be taken later keeps the mail; the final refusals are told with it."""
    sink.answers.recipients = {ANA: "550 no such user", BEN: "451 try later"}
    assert isinstance(send(plain(sink.port), ANA), Rejected)
    fate = send(plain(sink.port), ANA, BEN)
    assert isinstance(fate, Deferred)
    assert fate.code == 451
    assert fate.refused[ANA].permanent
    assert not fate.account_trouble


def test_a_refused_null_sender_is_told_apart(sink: SmtpSink):
    """At MAIL, and by servers that say it at RCPT; so that the caller can use another sender."""
    sink.answers.senders[""] = "550 5.7.1 null sender not allowed"
    fate = send(plain(sink.port), sender="")
    assert isinstance(fate, Rejected)
    assert (fate.phase, fate.code) == (Phase.MAIL, 550)
    sink.answers.senders.clear()
    sink.answers.recipients[ANA] = "550 5.1.7 <>: Sender address rejected"
    fate = send(plain(sink.port), sender="")
    assert isinstance(fate, Rejected)
    assert fate.phase is Phase.MAIL
    assert isinstance(send(plain(sink.port), BEN), Sent)


def test_after_a_refusal_the_connection_is_used_again(sink: SmtpSink):
    """Refused at each step, then sent, all on one connection."""
    sink.answers.recipients[BEN] = "550 no"
    sink.answers.senders["bad@desk.example"] = "553 no"

    async def three(pool: SmtpPool) -> list[type[Fate]]:
        first = await pool.send(DESK, [BEN], MAIL)
        second = await pool.send("bad@desk.example", [ANA], MAIL)
        sink.answers.data = "554 5.7.1 looks like spam"
        third = await pool.send(DESK, [ANA], MAIL)
        sink.answers.data = ""
        return [type(fate) for fate in (first, second, third, await pool.send(DESK, [ANA], MAIL))]

    assert using(plain(sink.port), three) == [Rejected, Rejected, Rejected, Sent]
    assert sink.connections == 1


def test_an_address_beyond_ascii_needs_smtputf8():
    """Offered: sent as it is. Not offered: refused for that recipient only, with the reason."""
    with SmtpSink(utf8=True) as server:
        assert isinstance(send(plain(server.port), "jürgen@kunde.example"), Sent)
        assert server.mails[0].recipients == ["jürgen@kunde.example"]
        assert "SMTPUTF8" in server.mails[0].options
    with SmtpSink(utf8=False) as server:
        fate = send(plain(server.port), ANA, "jürgen@kunde.example")
        assert isinstance(fate, Sent)
        assert "SMTPUTF8" in fate.refused["jürgen@kunde.example"].reason
        assert isinstance(send(plain(server.port), "jürgen@kunde.example"), Rejected)
        assert [mail.recipients for mail in server.mails] == [[ANA]]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ana",
        "a b@x.example",
        "a@x.example> NOTIFY=NEVER",
        "a@x\r\nDATA",
        "a@x\x00",
        "<a@x>",
        "\ud800@x",
        "x" * 400 + "@x",
    ],
)
def test_what_is_no_address_is_refused_without_asking_the_server(sink: SmtpSink, address: str):
    """It cannot smuggle a parameter or a command; the others get the mail."""
    fate = send(plain(sink.port), ANA, address)
    assert isinstance(fate, Sent)
    assert fate.refused[address].permanent
    assert sink.mails[0].recipients == [ANA]


def test_a_mail_too_large_is_rejected_before_it_is_sent(sink: SmtpSink):
    """By our own limit and by the one the server states."""
    fate = send(plain(sink.port, max_size=10))
    assert isinstance(fate, Rejected)
    assert (fate.code, fate.phase) == (552, Phase.SIZE)
    with ScriptedSmtp(extensions=[b"SIZE 20"]) as server:
        fate = send(plain(server.port))
        assert isinstance(fate, Rejected)
        assert fate.phase is Phase.SIZE
        assert not [line for line in server.heard if line.startswith(b"MAIL")]


# The three-way fate, at every step


DROP, GARBAGE = says(hang_up=True), says(b"blah\r\n")


@pytest.mark.fault("SMTP up to DATA", "DNS, refused, 4yz, timeout")
@pytest.mark.fault("SMTP after dot", "250 lost, timeout, drop, kill -9")
@pytest.mark.fault("SMTP after dot", "4yz after dot, 552 too big")
@pytest.mark.parametrize(
    ("step", "fault", "expected"),
    [
        *((step, fault, Deferred) for step in ("greeting", "EHLO", "MAIL", "RCPT", "DATA") for fault in (DROP, stalls)),
        *((step, says(b"421 closing\r\n", hang_up=True), Deferred) for step in ("MAIL", "RCPT", "DATA", "dot")),
        *((step, says(b"451 later\r\n"), Deferred) for step in ("MAIL", "RCPT", "DATA", "dot")),
        *((step, says(b"554 never\r\n"), Rejected) for step in ("MAIL", "RCPT", "DATA", "dot")),
        *((step, GARBAGE, Deferred) for step in ("greeting", "MAIL", "RCPT", "DATA")),
        *((step, says(b"999 what\r\n"), Deferred) for step in ("MAIL", "RCPT", "DATA")),
        ("MAIL", says(b"x" * 200_000), Deferred),
        ("text", DROP, Uncertain),
        ("dot", DROP, Uncertain),
        ("dot", stalls, Uncertain),
        ("dot", GARBAGE, Uncertain),
        ("dot", says(b"999 what\r\n"), Uncertain),
        ("dot", says(b"250-half an answ", hang_up=True), Uncertain),
        ("dot", says(b"250 tak", b"en\r\n"), Sent),
    ],
)  # fmt: skip
def test_fate_at_each_step(step: str, fault: Fault, expected: type):
    """Before the text: surely not taken. Once the server answered: what it said. In between: uncertain."""
    with ScriptedSmtp(faults={step: fault}) as server:
        fate = send(plain(server.port))
    assert isinstance(fate, expected), fate
    if isinstance(fate, Deferred | Uncertain):
        assert fate.reason


def test_a_large_mail_refused_midway_is_refused():
    """A server that says 552 while the text still comes has not taken it."""

    def refuse(line: Line, tag: bytes) -> None:
        line.hear()
        line.say(b"552 too much\r\n")

    with ScriptedSmtp(faults={"text": refuse}, extensions=[b"8BITMIME"]) as server:
        fate = send(plain(server.port), raw=MAIL + b"sixty letters\r\n" * 1_000_000)
    assert isinstance(fate, Rejected)
    assert fate.code == 552


LARGE = MAIL + b"sixty letters\r\n" * 2_000_000


def stalls_unread(line: Line, _tag: bytes) -> None:
    """Take nothing until the test is over."""
    line.server.over.wait(10)


def reads(lines: int, *, then: Fault) -> Fault:
    """Take so many lines of the text."""

    def fault(line: Line, tag: bytes) -> None:
        for _ in range(lines):
            line.hear()
        then(line, tag)

    return fault


@pytest.mark.fault("SMTP after dot", "250 lost, timeout, drop, kill -9")
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (DROP, "closed the connection amid the text"),
        (reads(100_000, then=DROP), "closed the connection amid the text"),
        (stalls_unread, "stopped taking the text"),
        (reads(1, then=says(b"250 taken\r\n")), "makes no sense"),
        (reads(1, then=says(b"421 closing\r\n", hang_up=True)), ""),
    ],
    ids=["dropped-at-once", "dropped-midway", "stops-reading", "250-too-soon", "421-midway"],
)
def test_a_large_mail_cut_before_its_end_is_surely_not_taken(fault: Fault, why: str):
    """Its last line, the dot, has not left: the server must forget what came (RFC 5321 section 4.1.1.10)."""
    with ScriptedSmtp(faults={"text": fault}, extensions=[b"8BITMIME"]) as server:
        fate = send(plain(server.port), raw=LARGE)
        assert server.taken == []
    assert isinstance(fate, Deferred), fate
    assert why in fate.reason


def test_closing_amid_a_large_text_is_surely_not_taken():
    """The desk itself cuts it off: nothing is in doubt."""
    with ScriptedSmtp(faults={"text": stalls_unread}, extensions=[b"8BITMIME"]) as server:

        async def cut(pool: SmtpPool) -> Fate:
            task = asyncio.create_task(pool.send(DESK, [ANA], LARGE))
            while b"DATA" not in server.heard:  # noqa: ASYNC110 - a thread hears it
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            await pool.close(0.05)
            return await task

        assert isinstance(using(plain(server.port), cut, timeouts=Timeouts()), Deferred)


@pytest.mark.parametrize("fault", [DROP, stalls, GARBAGE], ids=["drop", "timeout", "garbage"])
@pytest.mark.parametrize("lines", [1_000, 300_000])
def test_a_large_mail_whose_end_has_left_is_in_doubt(fault: Fault, lines: int):
    """All of it has left: it may have been taken."""
    raw = MAIL + b"sixty letters\r\n" * lines
    with ScriptedSmtp(faults={"dot": fault}, extensions=[b"8BITMIME"]) as server:
        patient = replace(HASTY, block=10, final=2)
        fate = using(plain(server.port), lambda pool: pool.send(DESK, [ANA], raw), timeouts=patient)
        assert len(server.taken) == 1
    assert isinstance(fate, Uncertain)


@pytest.mark.parametrize("size", [8_000, 8_300, 60_000, 300_000, 5_000_000])
def test_a_text_arrives_whole_in_however_many_pieces_it_leaves(sink: SmtpSink, size: int):
    """Small, just above what is sent at once, and large."""
    raw = MAIL + (b"." + b"x" * 60 + b"\r\n") * (size // 63)
    fate = using(plain(sink.port), lambda pool: pool.send(DESK, [ANA], raw), timeouts=Timeouts())
    assert isinstance(fate, Sent)
    assert sink.mails[0].raw == raw


# Account trouble


@pytest.mark.fault("SMTP up to DATA", "535 or TLS failure")
def test_wrong_password_is_account_trouble_and_not_tried_again_soon(certificates: Path):
    """The mail is kept, the reason names the keys, and five mails are one login."""
    with SmtpSink(security="tls", certificates=certificates, users={"support": "pw"}) as server:
        account = SmtpAccount(
            "localhost",
            server.port,
            Security.TLS,
            "support",
            lambda: "wrong",
            password_from="file smtp-password",
            ca_file=certificates / "ca.pem",
        )

        async def five(pool: SmtpPool) -> list[Fate]:
            return await asyncio.gather(*(pool.send(DESK, [ANA], MAIL) for _ in range(5)))

        for fate in using(account, five):
            assert isinstance(fate, Deferred)
            assert fate.account_trouble
            assert fate.retry is Retry.SLOW
            assert "the server refused user support: 535" in fate.reason
            assert (
                "check [smtp] username and password (file smtp-password); then `systemctl reload"
                in fate.reason
            )
        assert len(server.logins) == 1


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_an_unknown_ca_is_told_with_the_key_to_set(certificates: Path, security: str):
    """And nothing goes over the connection."""
    with SmtpSink(security=security, certificates=certificates) as server:
        fate = send(SmtpAccount("localhost", server.port, Security(security)))
    assert isinstance(fate, Deferred)
    assert fate.account_trouble
    assert "not signed by a CA this machine trusts" in fate.reason
    assert "set ca_file in [smtp]" in fate.reason


@pytest.mark.fault("SMTP up to DATA", "535 or TLS failure")
def test_a_certificate_for_another_name_is_refused(tmp_path: Path):
    """The chain is good, the name is not."""
    make_certificates(tmp_path, names="DNS:mail.elsewhere.example")
    for security in ("tls", "starttls"):
        with SmtpSink(security=security, certificates=tmp_path) as server:
            fate = send(
                SmtpAccount("localhost", server.port, Security(security), ca_file=tmp_path / "ca.pem")
            )
        assert isinstance(fate, Deferred)
        assert "is not for that name" in fate.reason


def test_starttls_is_never_given_up(sink: SmtpSink):
    """A server that does not offer it gets neither password nor mail."""
    account = plain(sink.port, security=Security.STARTTLS, username="support", password=lambda: "pw")
    fate = send(account)
    assert isinstance(fate, Deferred)
    assert fate.account_trouble
    assert "does not offer STARTTLS" in fate.reason
    assert sink.logins == []


def test_clear_text_leaves_this_machine_never():
    """Security = "none" is refused for another host before anything is sent."""
    fate = send(plain(25, host="mail.desk.example"))
    assert isinstance(fate, Deferred)
    assert "clear text" in fate.reason


def test_a_server_that_is_down_and_comes_back(sink: SmtpSink):
    """Deferred while it is down, with what to check; sent when it is up."""

    async def down_and_up(pool: SmtpPool) -> list[Fate]:
        await asyncio.to_thread(sink.down)
        while_down = await pool.send(DESK, [ANA], MAIL)
        await asyncio.to_thread(sink.up)
        return [while_down, await pool.send(DESK, [ANA], MAIL)]

    down, up = using(plain(sink.port), down_and_up)
    assert isinstance(down, Deferred)
    assert down.account_trouble
    assert "nothing listens on" in down.reason
    assert isinstance(up, Sent)


@pytest.mark.fault("SMTP up to DATA", "DNS, refused, 4yz, timeout")
def test_unknown_host_is_told():
    """With the key to check."""
    fate = send(SmtpAccount("nosuch.invalid", 465))
    assert isinstance(fate, Deferred)
    assert "nosuch.invalid" in fate.reason


@pytest.mark.parametrize("answer", [b"530 5.7.0 Authentication required\r\n", b"535 expired\r\n"])
def test_a_login_wanted_at_mail_says_nothing_about_the_mail(answer: bytes):
    """The mail is kept."""
    with ScriptedSmtp(faults={"MAIL": says(answer)}) as server:
        fate = send(plain(server.port))
    assert isinstance(fate, Deferred)
    assert fate.account_trouble


def test_check_logs_in_and_sends_nothing(sink: SmtpSink):
    """None when all is well, what is wrong when not."""
    assert using(plain(sink.port), lambda pool: pool.check()) is None
    assert sink.mails == []
    trouble = using(plain(1), lambda pool: pool.check())
    assert trouble is not None
    assert "nothing listens" in trouble.reason


# OAuth2


def test_xoauth2_refreshes_a_refused_token_once(tmp_path: Path):
    """The first token of the command has expired; the second one works."""
    script = (
        "import pathlib, sys; p = pathlib.Path(sys.argv[1]); print('new' if p.exists() else 'old'); p.touch()"
    )
    source = TokenCommand([sys.executable, "-c", script, str(tmp_path / "ran")])
    with ScriptedSmtp(token="new", extensions=[b"AUTH PLAIN XOAUTH2"]) as server:
        account = plain(server.port, username="support", token=source.token)
        assert isinstance(send(account), Sent)
        assert server.connections == 2
        assert not [line for line in server.heard if line.startswith(b"AUTH PLAIN")]


def test_xoauth2_with_a_token_that_stays_refused_is_not_tried_soon():
    """Two logins, then account trouble that names the token."""
    with ScriptedSmtp(token="other", extensions=[b"AUTH XOAUTH2"]) as server:
        fate = send(plain(server.port, username="support", token=lambda _refresh: "old"))
        assert server.connections == 2
    assert isinstance(fate, Deferred)
    assert fate.retry is Retry.SLOW
    assert "username and token" in fate.reason


# Stopping


def test_cancelling_the_caller_does_not_cut_the_mail():
    """The transaction goes on, and closing waits for it."""
    with ScriptedSmtp() as server:
        go_on = threading.Event()
        reached = threading.Event()

        def slow(line, tag) -> None:
            reached.set()
            go_on.wait(10)
            line.say(b"250 OK\r\n")

        server.faults["RCPT"] = slow

        async def cancelled(pool: SmtpPool) -> None:
            task = asyncio.create_task(pool.send(DESK, [ANA], MAIL))
            await asyncio.to_thread(reached.wait, 10)
            task.cancel()
            await asyncio.wait([task])
            go_on.set()
            await pool.close(10)

        using(plain(server.port), cancelled, timeouts=Timeouts())
        assert server.taken == [MAIL.rstrip(b"\r\n")]


@pytest.mark.parametrize(("step", "expected"), [("RCPT", Deferred), ("dot", Uncertain)])
def test_closing_cuts_what_does_not_end_and_says_what_became_of_it(step: str, expected: type):
    """Before the text: surely not taken; after it: uncertain. Later mails are not begun."""
    with ScriptedSmtp(faults={step: stalls}) as server:

        async def cut(pool: SmtpPool) -> list[Fate]:
            task = asyncio.create_task(pool.send(DESK, [ANA], MAIL))
            while not any(line.startswith(b"RCPT" if step == "RCPT" else b".") for line in server.heard):  # noqa: ASYNC110 - a thread hears it
                await asyncio.sleep(0.01)
            await pool.close(0.05)
            return [await task, await pool.send(DESK, [ANA], MAIL)]

        first, later = using(plain(server.port), cut, timeouts=Timeouts())
    assert isinstance(first, expected)
    assert isinstance(later, Deferred)


# A real mail server


@pytest.mark.postfix
def test_a_mail_goes_through_postfix_to_dovecot(dovecot: Dovecot, account: str):
    """Postfix takes a null sender and NOTIFY=NEVER from us, and its LMTP brings the mail to the inbox."""
    with Postfix(dovecot.lmtp) as postfix:
        fate = using(
            plain(postfix.port),
            lambda pool: pool.send("", [f"{account}@desk.example"], MAIL, never_notify=True),
            timeouts=Timeouts(),
        )
        assert isinstance(fate, Sent), postfix.log()
        assert "queued as" in fate.reason
        assert dovecot.wait_for(account, 1) == ["x"]
