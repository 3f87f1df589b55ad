"""A server that ends the connection at one mail, each time: the others go their way, and that one is told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.rounds import Rounds
from tests.support.dovecot import Dovecot
from tests.support.faulty_network import Cut, FaultyNetwork
from tests.support.process import IMAP, DeskProcess
from tests.support.smtp_sink import SmtpSink

POISON = "these words end the connection"


@pytest.mark.fault("Fetch", "kill -9 or drop mid-literal")
@pytest.mark.parametrize("lasting", [True, False], ids=["every time", "four times"])
def test_a_mail_at_which_the_connection_ends_is_passed_over_at_last(
    tmp_path: Path, dovecot: Dovecot, sink: SmtpSink, account: str, lasting: bool, book
):
    """Its neighbours are taken in at the next rounds, one by one; after five tries by itself it is told of, or taken in before."""
    with FaultyNetwork(dovecot.imap) as network:
        lines = IMAP.replace("{imap_port}", str(network.port)) + 'start_from = "all"'
        desk = DeskProcess(tmp_path, dovecot, sink, account, mailbox=lines)
        desk.writes("ana@customer.example", "My printer is on fire.")
        desk.writes("eve@customer.example", f"It is {POISON}.")
        desk.writes("ben@customer.example", "My scanner is wet.")
        network.arm(Cut(after=POISON.encode()), always=True)
        with Rounds(desk.config) as rounds:
            assert rounds.take()
            assert rounds.books().received == 0
            for _ in range(4):
                assert rounds.take()
                assert rounds.books().on_tickets == 1, "the one before it"
            if not lasting:
                network.mend()
            assert bool(rounds.take()) == lasting
            while rounds.take():
                pass
            rounds.send()
            books = rounds.books()
            struck = network.struck
        told = [mail for mail in sink.to("it@desk.example") if account.encode() in mail.raw]
        assert (books.on_tickets, books.unexplained) == (2 if lasting else 3, 0)
        assert len(told) == lasting
        if lasting:
            assert b"does not hand out mail 2" in told[0].raw
        book(runs=struck, lost=2 + (not lasting) - books.on_tickets)
