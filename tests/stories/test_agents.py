"""What agents send: answers, notes, commands, and two answers at once."""

from __future__ import annotations

from tests.stories.conftest import Opened
from tests.support.process import Received

KIM, LEE = "Kim Archer <kim@desk.example>", "Lee Moss <lee@desk.example>"


def _question(ticket: Opened, agent: str) -> Received:
    """Wait until a mail of this ticket is held; return the question that its agent gets."""
    ticket.desk.wait(lambda: len(ticket.held()) == 1, "a mail to be held")
    asked = lambda: [mail for mail in ticket.to(agent) if "confirm" in mail["Subject"]]  # noqa: E731
    ticket.desk.wait(asked, "the question")
    return asked()[-1]


def test_an_answer_comes_from_the_queue_and_from_nobody_else(opened: Opened):
    """The customer sees the agent's name and words, formatting and files; no private address, no key, no footer."""
    desk, sheet = opened.desk, bytes(range(256)) * 300
    text = "Please try water.\n\nKim Archer\nkim@desk.example"
    html = "<p>Please try <b>water</b>.</p><p>Kim Archer<br>kim@desk.example</p>"
    desk.answers(opened.notice, KIM, text, html=html, files={"water.bin": sheet})

    answer = opened.wait_to("", 2)
    assert answer["From"] == f'"Kim Archer (Acme Support)" <{desk.address}>'
    assert answer["To"] == opened.ana
    number = opened.reference.removeprefix("SUP-")
    assert f"{desk.user}+t1-{number}-" in answer["Reply-To"]
    assert (answer["Auto-Submitted"], answer["Subject"]) == ("", f"Re: [{opened.reference}] Printer on fire")
    assert answer.text.startswith("Please try water.")
    assert "<b>water</b>" in answer.html.replace("strong>", "b>")
    assert answer.files == {"water.bin": sheet}
    assert "kim@desk.example" not in answer.everything
    assert f"a1-{number}" not in answer.raw.decode(), "an agent key is in mail to that agent only"
    for words in (f"t1-{number}", "Ref:", "Answering sets", "wrote:", "on fire."):
        assert words not in answer.text + answer.html, words
    assert answer.sender.startswith(f"{desk.user}+b."), "a failure must be seen"
    assert (opened.status, desk.json("show", opened.reference)["assignee"]) == ("waiting", "kim")
    assert "Kim Archer" in opened.wait_to("lee@desk.example", 2).text


def test_a_note_never_leaves(opened: Opened):
    """A note, by command or by the note address, reaches agents and is in no mail to the customer, then or later."""
    desk = opened.desk
    desk.answers(opened.notice, KIM, "#note\nThe customer poured coffee into it, do not tell.")
    assert "coffee" in opened.wait_to("lee@desk.example", 2).text
    desk.answers(opened.notice, KIM, "Coffee with milk, that is.", to=f"{desk.user}+note@desk.example")
    desk.wait(lambda: opened.kinds().count("note") == 2, "the second note")
    desk.answers(opened.notice, KIM, "We are looking into it.")
    opened.wait_to("", 2)
    entries = desk.json("show", opened.reference)["entries"]
    assert {entry["audience"] for entry in entries if entry["kind"] == "note"} == {"agents"}
    desk.at_rest()
    assert len(opened.to()) == 2
    assert not any("coffee" in mail.everything.lower() for mail in opened.to())


def test_a_quoted_note_is_held_back(opened: Opened):
    """A public answer that holds a line of a note goes out only when the agent says SEND; DROP ends it."""
    desk, secret = opened.desk, "The customer poured coffee into the printer."
    desk.answers(opened.notice, KIM, f"#note\n{secret}")
    opened.wait_to("lee@desk.example", 2)
    desk.answers(opened.notice, KIM, f"We looked at it.\n{secret}", quote=False)
    desk.answers(_question(opened, "kim@desk.example"), KIM, "DROP")
    desk.wait(lambda: not opened.held(), "the answer to be dropped")
    desk.at_rest()
    assert len(opened.to()) == 1


def test_an_unknown_command_comes_back(opened: Opened):
    """A misspelt command sends nothing and does nothing; the agent gets the text back, with the nearest command."""
    desk = opened.desk
    desk.answers(opened.notice, KIM, "#resovle\nIt is fixed.")
    returned = opened.wait_to("kim@desk.example", 2)
    assert "Not sent" in returned["Subject"]
    for words in ("#resovle", "#resolve", "It is fixed."):
        assert words in returned.text
    desk.at_rest()
    assert len(opened.to()) == 1
    assert (opened.status, opened.kinds()[-1]) == ("open", "returned")
    # And answering the mail that came back works.
    desk.answers(returned, KIM, "#resolve\nIt is fixed.")
    assert "It is fixed." in opened.wait_to("", 2).text
    desk.wait_status(opened.reference, "resolved")


def test_commands_have_receipts(opened: Opened):
    """Commands change the ticket, the text below them goes to the customer, and a receipt says what was done."""
    desk = opened.desk
    desk.answers(opened.notice, KIM, "#pending\n#assign lee\nLee will call you.")
    assert "Lee will call you." in opened.wait_to("", 2).text
    receipt = opened.wait_to("kim@desk.example", 2)
    assert "Lee Moss" in receipt.text
    ticket = desk.json("show", opened.reference)
    assert (ticket["status"], ticket["assignee"]) == ("pending", "lee")
    opened.wait_to("lee@desk.example", 2)
    desk.answers(receipt, KIM, "#help")
    commands = opened.wait_to("kim@desk.example", 3).text
    assert all(word in commands for word in ("#note", "#wait", "#third-party", "#close", "#take"))


def test_two_agents_who_answer_at_once(opened: Opened):
    """The second answer is held and its agent is shown what came between; SEND sends it, once."""
    desk = opened.desk
    desk.answers(opened.notice, KIM, "Please try water.")
    opened.wait_to("", 2)
    desk.answers(opened.lees, LEE, "Please try sand.")
    question = _question(opened, "lee@desk.example")
    assert "Please try water." in question.text
    assert len(opened.to()) == 2

    desk.answers(question, LEE, "SEND")
    assert opened.wait_to("", 3).text.strip() == "Please try sand."
    desk.answers(question, LEE, "SEND")
    desk.at_rest()
    assert opened.held() == []
    assert len(opened.to()) == 3


def test_an_agent_writes_inside_the_quote(opened: Opened):
    """What an agent wrote between quoted lines is part of the answer."""
    body = "> My printer is on fire.\nPlease try water.\n\n> Thank you\nYou are welcome."
    opened.desk.answers(opened.notice, KIM, body, quote=False)
    answer = opened.wait_to("", 2)
    assert "Please try water." in answer.text
    assert "You are welcome." in answer.text
