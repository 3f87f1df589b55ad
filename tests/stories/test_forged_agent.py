"""From is a claim: a mail with an agent's address and no proof does nothing until that agent says so."""

from __future__ import annotations

from tests.stories.conftest import Opened
from tests.support.process import Received

KIM = "Kim Archer <kim@desk.example>"


def _forged(ticket: Opened, text: str) -> Received:
    """Let somebody write as Kim, without a key; return the question that Kim gets."""
    ticket.desk.writes(KIM, text, subject=f"Re: [{ticket.reference}] Printer", Reply_To="eve@evil.example")
    question = ticket.wait_to("kim@desk.example", 2)
    assert question.recipients == ["kim@desk.example"]
    return question


def test_a_forged_agent_is_held_and_yes_does_it_once(opened: Opened):
    """Nothing leaves before the agent's configured address says yes; then it leaves once, and the code is worn out."""
    desk, question = opened.desk, _forged(opened, "Please try water.")
    assert "confirm" in question["Subject"]
    assert "Please try water." in question.text
    assert [(mail["from"], bool(mail["reason"])) for mail in opened.held()] == [("kim@desk.example", True)]
    desk.at_rest()
    assert (len(opened.to()), opened.status) == (1, "open")

    desk.answers(question, KIM, "yes", quote=False)
    assert opened.wait_to("", 2).text.strip() == "Please try water."
    desk.answers(question, KIM, "Yes.")
    desk.at_rest()
    assert opened.held() == []
    assert len(opened.to()) == 2
    assert desk.to("eve@evil.example") == []


def test_no_drops_it(opened: Opened):
    """After no, nothing was sent or done, and the mail is in the books as not done."""
    desk, question = opened.desk, _forged(opened, "#close\nGo away.")
    ignored = desk.at_rest()["ignored"]
    desk.answers(question, KIM, "no")
    desk.wait(lambda: not opened.held(), "the held mail to be dropped")
    assert desk.at_rest()["ignored"] == ignored + 1
    assert (len(opened.to()), opened.status) == (1, "open")
    assert "dropped" in opened.kinds()


def test_anything_else_asks_again(opened: Opened):
    """An unclear answer does nothing but ask once more; and the second question works."""
    desk, question = opened.desk, _forged(opened, "Please try water.")
    desk.answers(question, KIM, "maybe")
    again = opened.wait_to("kim@desk.example", 3)
    assert "yes or no" in again.text
    assert len(opened.held()) == 1
    desk.answers(again, KIM, "yes")
    opened.wait_to("", 2)


def test_a_code_is_worth_nothing_from_another_address(opened: Opened):
    """Who sees the question by chance cannot confirm it."""
    desk, question = opened.desk, _forged(opened, "Please try water.")
    desk.answers(question, "Eve <eve@evil.example>", "yes")
    desk.at_rest()
    assert len(opened.held()) == 1
    assert len(opened.to()) == 1
