"""Mail that cannot be handled, is too large, or is too old: each in its place in the books, and the others go on."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.process import IMAP, DeskProcess

ANA, BEN, EVE = (
    "Ana Client <ana@customer.example>",
    "Ben <ben@customer.example>",
    "Eve <eve@customer.example>",
)


def _put_in_ledger(desk: DeskProcess, raw: bytes, stored: bytes) -> None:
    """Leave a mail in the stopped desk's store, undecided, whose stored original is damaged."""
    digest, now = hashlib.sha256(raw).digest(), int(datetime.now(UTC).timestamp() * 1_000_000)
    with sqlite3.connect(desk.folder / "desk.db") as store:
        store.execute(
            "INSERT INTO original (digest, size, codec, data) VALUES (?, ?, 'zlib', ?)",
            (digest, len(raw), stored),
        )
        store.execute(
            "INSERT INTO copy (mailbox, folder, name, digest, size, arrived_at, taken_at) VALUES ('support', 'INBOX', '1/999', ?, ?, ?, ?)",
            (digest, len(raw), now, now),
        )
    store.close()


def test_a_poison_mail_is_quarantined_and_the_others_are_handled(desk: DeskProcess):
    """After three tries it is set aside with the reason and the admins are told; mail before and after is on its tickets."""
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    desk.stop()
    _put_in_ledger(desk, desk.mail("eve@evil.example", "Boom."), b"\x78\x01 this is no zlib stream")
    desk.writes(BEN, "My scanner is wet.")
    desk.start()
    desk.wait_to("ben@customer.example", 1)
    trouble = desk.wait_to("it@desk.example", 1)[0]
    assert "quarantine" in trouble["Subject"]
    books = desk.at_rest(3)
    assert (books["on_tickets"], books["quarantined"]) == (2, 1)
    aside = desk.json("quarantine")
    assert len(aside) == 1
    assert aside[0]["reason"]
    assert desk.stop() == 0
    desk.start()
    desk.at_rest(3)
    assert len(desk.to("it@desk.example")) == 1


NASTY = {
    "no-header": b"just words\n",
    "empty-header": b"\n\n",
    "nul-bytes": b"From: ana@customer.example\nSubject: a\x00b\n\n\x00\x00\n",
    "deep-multipart": b"From: ana@customer.example\n" + b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(600)
    ),
    "many-parentheses": b"From: " + b"(" * 5000 + b"\nSubject: x\n\nx\n",
    "bad-message-id": b"From: ana@customer.example\nMessage-ID: <[a]@x>\nSubject: x\n\nx\n",
    "strange-charset": b"From: ana@customer.example\nContent-Type: text/plain; charset=zlib_codec\n\nx\xff\n",
    "huge-date": b"From: ana@customer.example\nDate: Mon, 99999999999999 Jan 99999999999 00:00:00 +9999999\n\nx\n",
    "surrogates": b"From: ana@customer.example\nSubject: =?utf-7?q?+2AA-?=\n\nx\n",
    "injection": b"From: ana@customer.example\nSubject: A =?UTF-8?Q?=0D=0ABcc:_eve@evil.example?=\n\nx\n",
}  # fmt: skip


def test_strange_mail_stops_nothing(make_desk: Callable[..., DeskProcess]):
    """Each of ten nasty mails ends in one place of the books, and an ordinary one behind them is answered."""
    desk = make_desk(more="[limits]\nack_per_address_day = 0").start()
    for raw in NASTY.values():
        desk.dovecot.append(desk.user, raw)
    desk.writes(BEN, "My scanner is wet.")
    desk.wait_to("ben@customer.example", 1, 30)
    books = desk.at_rest(len(NASTY) + 1)
    assert books["on_tickets"] + books["quarantined"] == len(NASTY) + 1
    assert "exception=" not in desk.log
    assert desk.to("eve@evil.example") == []


@pytest.mark.fault("Fetch", "over the size limit")
def test_an_oversize_mail_makes_a_ticket_and_tells_the_customer(make_desk: Callable[..., DeskProcess]):
    """The beginning is on a ticket, the customer is told what happened, the mail stays whole on the server."""
    desk = make_desk(more='[limits]\nmail_size = "100KB"').start()
    files = {"fire.bin": os.urandom(300_000)}
    desk.writes(ANA, "My printer is on fire, see the picture.", files=files)
    told = desk.wait_to("ana@customer.example", 1)[0]
    assert told["Subject"].startswith("[SUP-1001]")
    assert told["Auto-Submitted"] == "auto-replied"
    assert "larger" in told["Subject"]
    assert "see the picture" in desk.wait_to("kim@desk.example", 1)[0].text
    assert "see the picture" in desk.json("show", "SUP-1001")["entries"][0]["text"]
    desk.writes(BEN, "My scanner is wet.")
    desk.wait_to("ben@customer.example", 1)
    assert desk.at_rest(2)["on_tickets"] == 2
    assert len(desk.dovecot.subjects(desk.user)) == 2
    assert len(desk.to("ana@customer.example")) == 1


def test_a_mailbox_that_joins_a_desk_at_work(make_desk: Callable[..., DeskProcess]):
    """What lies in it is left alone, also what came since the desk's own first start; new mail is a ticket."""
    desk = make_desk()
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    desk.wait(lambda: desk.json("status")["last_poll_at"], "a poll to be noted", 30)
    desk.stop()
    other = f"{desk.user}-sales"
    for text in ("Written last year.", "Written just now."):
        when = datetime.now(UTC) - (timedelta(days=300) if "year" in text else timedelta(minutes=2))
        desk.dovecot.append(other, desk.mail(EVE, text), when=when)
    section = IMAP.format(user=other, imap_port=desk.dovecot.imap, poll="60s")
    desk.edit("[queue.support]", f'[mailbox.sales]\n{section}\n[queue.support]\nmailbox = "support"')
    with closing(sqlite3.connect(desk.folder / "desk.db")) as store, store:
        # The desk was first started a year ago, and both mails are from before it last polled.
        year_ago = int((datetime.now(UTC) - timedelta(days=400)).timestamp() * 1_000_000)
        store.execute("UPDATE setting SET value = ? WHERE name = 'first_start'", (str(year_ago),))
    desk.start()
    desk.deliver(desk.mail(BEN, "My scanner is wet."), other)
    desk.wait_to("ben@customer.example", 1)
    books = desk.at_rest(4)
    assert (books["on_tickets"], books["ignored"]) == (2, 2)
    assert desk.to("eve@customer.example") == []


@pytest.mark.parametrize("start_from", ["now", "all"])
def test_mail_from_before_the_first_start(make_desk: Callable[..., DeskProcess], start_from: str):
    """With "now" old mail is left as it is and only booked; with "all" it becomes tickets."""
    desk = make_desk(mailbox=IMAP + f'start_from = "{start_from}"')
    for days in (400, 3, 1):
        old = desk.mail(ANA, f"Written {days} days ago.")
        desk.dovecot.append(desk.user, old, when=datetime.now(UTC) - timedelta(days=days))
    desk.start()
    desk.writes(BEN, "My scanner is wet.")
    desk.wait_to("ben@customer.example", 1)
    books = desk.at_rest(4)
    seen = [r"\Seen" in flags for _, flags in sorted(desk.dovecot.flags(desk.user).items())]
    if start_from == "now":
        assert (books["on_tickets"], books["ignored"]) == (1, 3)
        desk.wait(lambda: r"\Seen" in desk.dovecot.flags(desk.user)[4], "the new mail's mark")
        assert seen[:3] == [False] * 3
        assert desk.to("ana@customer.example") == []
    else:
        assert (books["on_tickets"], books["ignored"]) == (4, 0)
