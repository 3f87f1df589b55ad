"""The whole way through a real mail server: customer, Postfix, Dovecot, desk, Postfix, the customer's mailbox."""

from __future__ import annotations

import smtplib
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.dovecot import Dovecot
from tests.support.postfix import Postfix
from tests.support.process import DeskProcess, Received
from tests.support.smtp_sink import SinkMail

ANA, KIM = "Ana Client <ana@customer.example>", "Kim Archer <kim@desk.example>"

pytestmark = [pytest.mark.dovecot, pytest.mark.postfix]


def _inbox(server: Dovecot, user: str) -> list[Received]:
    """Return what a person's mail program shows."""
    with server.client(user, "INBOX") as client:
        _, parts = client.uid("fetch", "1:*", "(BODY.PEEK[])")
    raws = [part[1] for part in parts if isinstance(part, tuple)]
    heads = [BytesParser(policy=default).parsebytes(raw, headersonly=True) for raw in raws]
    return [
        Received(
            SinkMail(
                str(head["Return-Path"] or "").strip("<>"), [user], raw, [], tls=False, user="", connection=0
            )
        )
        for head, raw in zip(heads, raws, strict=True)
    ]


def test_through_postfix_and_back(tmp_path: Path):
    """A ticket from the first mail to the answered reply, with what a real server adds, rewrites and bounces."""
    with Dovecot() as server, Postfix(server.lmtp) as postfix:
        desk = DeskProcess(tmp_path, server, SimpleNamespace(port=postfix.port), "support")  # type: ignore[arg-type]

        def sends(raw: bytes, sender: str, to: str) -> None:
            with smtplib.SMTP("127.0.0.1", postfix.port) as smtp:
                smtp.sendmail(sender, [to], raw)

        def reads(user: str, count: int) -> Received:
            server.wait_for(user, count)
            return _inbox(server, user)[count - 1]

        def answers(mail: Received, person: str, text: str) -> None:
            to = mail.parsed["Reply-To"].addresses[0].addr_spec
            quoted = "\n".join(f"> {line}" for line in mail.text.split("\n"))
            raw = desk.mail(person, f"{text}\n\nOn Monday Acme Support wrote:\n{quoted}", to=to, subject=f"Re: {mail['Subject']}", in_reply_to=mail)  # fmt: skip
            sends(raw, person.rpartition("<")[2].rstrip(">"), to)

        desk.start()
        try:
            sends(desk.mail(ANA, "My printer is on fire."), "ana@customer.example", desk.address)
            ack = reads("ana", 1)
            assert ack["Subject"] == "[SUP-1001] We have received your request"
            assert ack.sender == "", "Postfix took the null sender"
            assert ack["Received"]

            answers(reads("kim", 1), KIM, "Please try water.")
            answer = reads("ana", 2)
            assert answer.text.strip() == "Please try water."
            assert answer.sender.startswith("support+b.t1-1001-")

            answers(answer, ANA, "It still burns.")
            assert "It still burns." in reads("kim", 2).text
            assert desk.status("SUP-1001") == "open"
            assert desk.references() == ["SUP-1001"]

            # Our own acknowledgement, sent back by somebody's forwarding, is a loop.
            sends(ack.raw, "ana@customer.example", desk.address)
            books = desk.at_rest(4)
            assert (books["on_tickets"], books["ignored"]) == (3, 1)
        finally:
            desk.stop()
