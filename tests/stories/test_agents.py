"""What agents send: answers, notes, commands, and two answers at once."""

from __future__ import annotations

from tests.support.process import DeskProcess, Received

ANA = "Ana Client <ana@customer.example>"
KIM, LEE = "Kim Archer <kim@desk.example>", "Lee Moss <lee@desk.example>"


def _opened(desk: DeskProcess) -> Received:
    """Start the desk and open SUP-1001 for Ana; return Kim's notice."""
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    desk.wait_to("ana@customer.example", 1)
    return desk.wait_to("kim@desk.example", 1)[0]


def test_an_answer_comes_from_the_queue_and_from_nobody_else(desk: DeskProcess):
    """The customer sees the agent's name and words, formatting and files; no private address, no key, no footer."""
    notice = _opened(desk)
    sheet = bytes(range(256)) * 300
    text = "Please try water.\n\nKim Archer\nkim@desk.example"
    html = "<p>Please try <b>water</b>.</p><p>Kim Archer<br>kim@desk.example</p>"
    desk.answers(notice, KIM, text, html=html, files={"water.bin": sheet})

    answer = desk.wait_to("ana@customer.example", 2)[1]
    assert answer["From"] == f'"Kim Archer (Acme Support)" <{desk.address}>'
    assert answer["To"] == "Ana Client <ana@customer.example>"
    assert f"{desk.user}+t1-1001-" in answer["Reply-To"]
    assert (answer["Auto-Submitted"], answer["Subject"]) == ("", "Re: [SUP-1001] Printer on fire")
    assert answer.text.startswith("Please try water.")
    assert "<b>water</b>" in answer.html.replace("<strong>", "<b>").replace("</strong>", "</b>")
    assert answer.files == {"water.bin": sheet}
    assert "kim@desk.example" not in answer.everything
    assert "a1-1001" not in answer.raw.decode(), "an agent key is in mail to that agent only"
    for words in ("t1-1001", "Ref:", "Answering sets", "wrote:", "on fire."):
        assert words not in answer.text + answer.html, words
    assert answer.sender.startswith(f"{desk.user}+b."), "a failure must be seen"
    assert (desk.status("SUP-1001"), desk.json("show", "SUP-1001")["assignee"]) == ("waiting", "kim")
    taken = desk.wait_to("lee@desk.example", 2)[1]
    assert "Kim Archer" in taken.text


def test_a_note_never_leaves(desk: DeskProcess):
    """A note, by command or by the note address, reaches agents and is in no mail to the customer, then or later."""
    notice = _opened(desk)
    desk.answers(notice, KIM, "#note\nThe customer poured coffee into it, do not tell.")
    assert "coffee" in desk.wait_to("lee@desk.example", 2)[1].text
    note_address = f"{desk.user}+note@desk.example"
    desk.answers(notice, KIM, "Coffee with milk, that is.", to=note_address)
    desk.wait(lambda: desk.kinds("SUP-1001").count("note") == 2, "the second note")
    desk.answers(notice, KIM, "We are looking into it.")
    desk.wait_to("ana@customer.example", 2)

    notes = [entry for entry in desk.json("show", "SUP-1001")["entries"] if entry["kind"] == "note"]
    assert {entry["audience"] for entry in notes} == {"agents"}
    desk.at_rest(4)
    mails = desk.to("ana@customer.example")
    assert [mail["Subject"][:4] for mail in mails] == ["[SUP", "Re: "]
    assert not any("coffee" in mail.everything.lower() for mail in mails)


def test_a_quoted_note_is_held_back(desk: DeskProcess):
    """A public answer that holds a line of a note goes out only when the agent says SEND; DROP ends it."""
    notice = _opened(desk)
    secret = "The customer poured coffee into the printer."
    desk.answers(notice, KIM, f"#note\n{secret}")
    desk.wait_to("lee@desk.example", 2)
    desk.answers(notice, KIM, f"We looked at it.\n{secret}", quote=False)
    desk.wait(lambda: len(desk.json("held")) == 1, "the answer to be held")
    question = next(m for m in desk.wait_to("kim@desk.example", 3) if "confirm" in m["Subject"])
    desk.answers(question, KIM, "DROP")
    desk.wait(lambda: not desk.json("held"), "the answer to be dropped")
    assert desk.at_rest(4)["held"] == 0
    assert len(desk.to("ana@customer.example")) == 1


def test_an_unknown_command_comes_back(desk: DeskProcess):
    """A misspelt command sends nothing and does nothing; the agent gets the text back, with the nearest command."""
    notice = _opened(desk)
    desk.answers(notice, KIM, "#resovle\nIt is fixed.")
    returned = desk.wait_to("kim@desk.example", 2)[1]
    assert "Not sent" in returned["Subject"]
    for words in ("#resovle", "#resolve", "It is fixed."):
        assert words in returned.text
    desk.at_rest(2)
    assert len(desk.to("ana@customer.example")) == 1
    assert (desk.status("SUP-1001"), desk.kinds("SUP-1001")[-1]) == ("open", "returned")
    # And answering the mail that came back works.
    desk.answers(returned, KIM, "#resolve\nIt is fixed.")
    assert "It is fixed." in desk.wait_to("ana@customer.example", 2)[1].text
    desk.wait_status("SUP-1001", "resolved")


def test_commands_have_receipts(desk: DeskProcess):
    """Commands change the ticket, the text below them goes to the customer, and a receipt says what was done."""
    notice = _opened(desk)
    desk.answers(notice, KIM, "#pending\n#assign lee\nLee will call you.")
    assert "Lee will call you." in desk.wait_to("ana@customer.example", 2)[1].text
    receipt = desk.wait_to("kim@desk.example", 2)[1]
    assert "Lee Moss" in receipt.text
    ticket = desk.json("show", "SUP-1001")
    assert (ticket["status"], ticket["assignee"]) == ("pending", "lee")
    desk.wait_to("lee@desk.example", 2)
    desk.answers(receipt, KIM, "#help")
    commands = desk.wait_to("kim@desk.example", 3)[2].text
    assert all(word in commands for word in ("#note", "#wait", "#third-party", "#close", "#take"))


def test_two_agents_who_answer_at_once(desk: DeskProcess):
    """The second answer is held and its agent is shown what came between; SEND sends it, once."""
    kims = _opened(desk)
    lees = desk.wait_to("lee@desk.example", 1)[0]
    desk.answers(kims, KIM, "Please try water.")
    desk.wait_to("ana@customer.example", 2)
    desk.answers(lees, LEE, "Please try sand.")
    desk.wait(lambda: len(desk.json("held")) == 1, "the second answer to be held")
    question = next(m for m in desk.wait_to("lee@desk.example", 3) if "confirm" in m["Subject"])
    assert "Please try water." in question.text
    assert len(desk.to("ana@customer.example")) == 2

    desk.answers(question, LEE, "SEND")
    assert desk.wait_to("ana@customer.example", 3)[2].text.strip() == "Please try sand."
    desk.answers(question, LEE, "SEND")
    assert desk.at_rest(5)["held"] == 0
    assert len(desk.to("ana@customer.example")) == 3


def test_an_agent_writes_below_the_quote_and_inside_it(desk: DeskProcess):
    """What an agent wrote between quoted lines is part of the answer."""
    notice = _opened(desk)
    body = "> My printer is on fire.\nPlease try water.\n\n> Thank you\nYou are welcome."
    desk.answers(notice, KIM, body, quote=False)
    answer = desk.wait_to("ana@customer.example", 2)[1]
    assert "Please try water." in answer.text
    assert "You are welcome." in answer.text
