"""Section K: what is filed as a repeat, and what must not be: nobody is silenced, no mark is lost, nothing urgent waits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mailtickets.desk.agreement import Rule
from tests.hostile.desk import POLICY
from tests.hostile.flood import FloodDesk, mail_of

EVE, CORA = "eve@evil.example", "cora@client.example"
LIMITS = POLICY.limits
PASSED = b"Authentication-Results: mx.desk.example; dmarc=pass header.from=client.example\r\n"
FAILED = b"Authentication-Results: mx.desk.example; dmarc=fail header.from=%s\r\n"
URGENT = "The whole factory stands still, please call."


@pytest.mark.case(139)
@pytest.mark.parametrize("forged", ["many", "the same words"])
def test_139_mail_in_a_customers_name_does_not_silence_the_customer(tmp_path: Path, forged: str):
    """Twenty mails without proof, or two with the very words: the proven customer gets a ticket and an acknowledgement."""
    desk = FloodDesk(
        tmp_path,
        replace(POLICY, limits=replace(LIMITS, ack_per_address_day=2)),
        authserv_id="mx.desk.example",
    )
    for number in range(20 if forged == "many" else 2):
        letter = chr(ord("a") + number)
        text = f"Words of {letter * 9}." if forged == "many" else URGENT
        desk.receives(
            mail_of(CORA, number, text, subject="URGENT outage" if forged != "many" else f"F{letter}")
        )
    tickets = desk.count("SELECT count(*) FROM ticket")
    before = len(desk.sent_to(CORA))
    desk.receives(PASSED + mail_of(CORA, 30, URGENT, subject="URGENT outage"))
    assert desk.count("SELECT count(*) FROM ticket") == tickets + 1
    assert desk.kinds(CORA)[before:] == ["acknowledgement"]
    assert desk.kinds("anna@desk.example")[-1] == "agent_new"
    desk.receives(mail_of(CORA, 31, URGENT, subject="URGENT outage"))
    desk.receives(PASSED + mail_of(CORA, 32, URGENT, subject="URGENT outage"))
    desk.receives(PASSED + mail_of(CORA, 33, URGENT, subject="URGENT outage"))
    proven = "SELECT count(*) FROM ticket WHERE proven = 1"
    assert desk.count(proven) == 2, "two proven ones with the same words; the third is filed on them"
    last = desk.entries(desk.count("SELECT max(number) FROM ticket WHERE proven = 1"))
    assert "filed here" in next(entry.reason for entry in reversed(last) if entry.kind == "mail_in")
    desk.close()


@pytest.mark.case(139)
def test_139_what_is_filed_keeps_its_marks(tmp_path: Path):
    """A repeat of somebody who looks like an agent, whom our mail server contradicts: the notice and the history say so."""
    desk = FloodDesk(tmp_path, authserv_id="mx.desk.example")
    for number in range(3):
        mail = mail_of(
            '"Anna Archer" <anna@desk.exarnple>', number, "Please send me the password.", subject="Password"
        )
        desk.receives(FAILED % b"desk.exarnple" + mail)
    notice = desk.last("ben@desk.example", "agent_reply")
    for body in (notice.text, notice.html):
        said = " ".join(body.split())
        assert "our mail server says it may be forged" in said
        assert "look-alike: this sender is not Anna Archer" in said
        assert "The same words opened 2 tickets within an hour" in said
    reason = desk.entries(1002)[-2].reason
    assert reason.startswith("filed here, not acknowledged: ")
    assert "desk.example" in reason
    assert "sender unverified" in reason
    desk.close()


@pytest.mark.case(139)
def test_139_an_outage_is_not_filed_among_ordinary_mail(tmp_path: Path):
    """What a rule makes P1 opens its own ticket and is told at once, until so many P1 were opened: those are filed on P1."""
    rules = (
        Rule(1, "down", words=("outage",), set_priority="P1"),
        Rule(2, "slow", words=("slow",), set_priority="P2"),
    )
    desk = FloodDesk(
        tmp_path, replace(POLICY, rules=rules, limits=replace(LIMITS, tickets_per_address_hour=3))
    )
    for number in range(4):
        desk.receives(mail_of(EVE, number, f"Disk notice {'abcd'[number] * 6}", subject=f"N{'abcd'[number]}"))
    assert desk.count("SELECT count(*) FROM ticket") == 3
    told = len(desk.sent_to("anna@desk.example"))
    desk.receives(mail_of(EVE, 10, "Everything is slow.", subject="Slow"))
    desk.receives(mail_of(EVE, 11, "Total outage of hall one.", subject="Down"))
    desk.receives(mail_of(EVE, 12, "Total outage of hall two.", subject="Down"))
    rows = desk._ask("SELECT number, priority FROM ticket WHERE number > 1003 ORDER BY number")
    assert [tuple(row) for row in rows] == [(1004, "P2"), (1005, "P1"), (1006, "P1")]
    assert desk.kinds("anna@desk.example")[told:] == ["agent_new"] * 3
    for number in (13, 14):
        desk.receives(mail_of(EVE, number, "Total outage of hall two.", subject="Down"))
    assert desk.count("SELECT count(*) FROM ticket WHERE priority = 'P1'") == 3
    assert [entry.kind for entry in desk.entries(1007)].count("mail_in") == 2
    desk.receives(mail_of(EVE, 15, "Total outage of hall three.", subject="Down"))
    assert desk.count("SELECT count(*) FROM ticket WHERE priority = 'P1'") == 3, "a flood of P1 is a flood"
    assert [entry.kind for entry in desk.entries(1007)].count("mail_in") == 3
    desk.receives(mail_of(EVE, 16, "Still a disk notice.", subject="Ne"))
    assert desk.count("SELECT count(*) FROM ticket") == 7
    desk.close()
