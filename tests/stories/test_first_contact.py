"""The main job: a first mail, its acknowledgement, an agent's answer, and the customer's reply."""

from __future__ import annotations

import pytest

from tests.support.process import DeskProcess

pytestmark = pytest.mark.dovecot


def test_a_first_mail_is_acknowledged_and_answered(desk: DeskProcess):
    """A customer writes, is acknowledged, gets the agent's answer, and the reply lands on the same ticket."""
    desk.start()
    desk.writes("Ana Client <ana@customer.example>", "My printer is on fire.")

    ack = desk.wait_to("ana@customer.example", 1)[0]
    assert ack.sender == ""
    assert ack["Auto-Submitted"] == "auto-replied"
    assert ack["Subject"] == "[SUP-1001] We have received your request"
    assert ack["In-Reply-To"] in ack["References"]

    notice = desk.wait_to("kim@desk.example", 1)[0]
    assert "My printer is on fire." in notice.text
    desk.answers(notice, "Kim Archer <kim@desk.example>", "Please try water.")
    answer = desk.wait_to("ana@customer.example", 2)[1]
    assert answer.text.strip() == "Please try water."
    assert answer["Auto-Submitted"] == ""
    assert "kim@desk.example" not in answer.raw.decode()
    assert "a1-1001" not in answer.raw.decode()

    desk.answers(answer, "ana@customer.example", "It still burns.")
    desk.wait(lambda: desk.json("list")[0]["status"] == "open", "the ticket to be open again")
    assert [e["kind"] for e in desk.json("show", "SUP-1001")["entries"]].count("mail_in") == 2
    desk.wait(
        lambda: (
            len(desk.dovecot.flags(desk.user)) == 3
            and all(r"\Seen" in f for f in desk.dovecot.flags(desk.user).values())
        ),
        "marks",
    )
    assert desk.json("ledger")["unexplained"] == 0
    assert desk.stop() == 0
