"""From is a claim: a mail with an agent's address and no proof does nothing until that agent says so."""

from __future__ import annotations

import pytest

from tests.support.process import DeskProcess, Received

ANA, KIM = "Ana Client <ana@customer.example>", "Kim Archer <kim@desk.example>"


def _forged(desk: DeskProcess, text: str) -> Received:
    """Open SUP-1001, let somebody write as Kim without a key; return the question that Kim gets."""
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    desk.wait_to("kim@desk.example", 1)
    desk.writes(KIM, text, subject="Re: [SUP-1001] Printer on fire", Reply_To="eve@evil.example")
    question = desk.wait_to("kim@desk.example", 2)[1]
    assert question.recipients == ["kim@desk.example"]
    return question


def test_a_forged_agent_is_held_and_yes_does_it_once(desk: DeskProcess):
    """Nothing leaves before the agent's configured address says yes; then it leaves once, and the code is worn out."""
    question = _forged(desk, "Please try water.")
    assert "confirm" in question["Subject"]
    assert "Please try water." in question.text
    held = desk.json("held")
    assert [(mail["from"], bool(mail["reason"])) for mail in held] == [("kim@desk.example", True)]
    assert desk.at_rest(2)["held"] == 1
    assert len(desk.to("ana@customer.example")) == 1
    assert desk.status("SUP-1001") == "open"

    desk.answers(question, KIM, "yes", quote=False)
    assert desk.wait_to("ana@customer.example", 2)[1].text.strip() == "Please try water."
    desk.answers(question, KIM, "Yes.")
    books = desk.at_rest(4)
    assert books["held"] == 0
    assert len(desk.to("ana@customer.example")) == 2
    assert desk.to("eve@evil.example") == []


def test_no_drops_it(desk: DeskProcess):
    """After no, nothing was sent or done, and the mail is in the books as not done."""
    question = _forged(desk, "#close\nGo away.")
    desk.answers(question, KIM, "no")
    desk.wait(lambda: not desk.json("held"), "the held mail to be dropped")
    books = desk.at_rest(3)
    assert (books["held"], books["ignored"]) == (0, 1)
    assert desk.status("SUP-1001") == "open"
    assert len(desk.to("ana@customer.example")) == 1
    assert "dropped" in desk.kinds("SUP-1001")


@pytest.mark.parametrize("word", ["maybe", ""])
def test_anything_else_asks_again(desk: DeskProcess, word: str):
    """An unclear answer does nothing but ask once more; and the second question works."""
    question = _forged(desk, "Please try water.")
    desk.answers(question, KIM, word)
    again = desk.wait_to("kim@desk.example", 3)[2]
    assert "yes or no" in again.text
    assert len(desk.json("held")) == 1
    desk.answers(again, KIM, "yes")
    desk.wait_to("ana@customer.example", 2)
