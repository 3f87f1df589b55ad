"""Section G: an agent's commands in the body."""

from __future__ import annotations

import pytest

from tests.hostile.answers import ANNAS, BENS, answer, kinds
from tests.hostile.desk import CORA, HostileDesk, Met

ANNA = "Anna Archer <anna@desk.example>"


def says(busy: HostileDesk, text: str, *, quote: bool = True) -> Met:
    """Anna answers her notice of SUP-1001 with this text."""
    notice = busy.sent_to(ANNAS)[0]
    return busy.meets(answer(busy, notice, ANNA, text, quote=quote))


def says_raw(busy: HostileDesk, fields: str, body: bytes) -> Met:
    """Anna answers her notice with a body that her mail program encoded itself."""
    notice = busy.sent_to(ANNAS)[0]
    head = (
        f"From: {ANNA}\nTo: {notice['Reply-To']}\nSubject: Re: {notice['Subject']}\nMessage-ID: <raw@desk.example>\n"
        f"In-Reply-To: {notice['Message-ID']}\nMIME-Version: 1.0\n{fields}\n\n"
    )
    return busy.meets(head.encode() + body)


def came_back(busy: HostileDesk, met: Met, *words: str) -> None:
    """Nothing was sent or done; anna has her text back with the reason."""
    assert met.customers == set()
    assert busy.ticket().status == "waiting"
    assert busy.ticket().assignee == "anna"
    assert kinds(met, ANNAS) == ["not_sent"]
    assert kinds(met, BENS) == []
    back = met.to(ANNAS)[0]
    text, html = " ".join(back.text.split()), " ".join(back.html.split())
    assert "Nothing was sent and nothing was done." in text
    for word in words:
        assert word in text
        assert word in html


@pytest.mark.case(94)
@pytest.mark.parametrize(
    "text", ["Try sand.\n\n> #close\n", "> #close\n\nTry sand.\n", "Try sand.\n>#close\n> #p1\n"]
)
def test_94_a_command_in_quoted_text_is_text(busy: HostileDesk, text: str):
    """It is not executed; the agent's own words go out."""
    met = says(busy, text)
    assert busy.ticket().status == "waiting"
    assert busy.ticket().priority == "P3"
    assert kinds(met, "cora@client.example") == ["answer"]
    assert "Try sand." in met.to("cora@client.example")[0].text


@pytest.mark.case(95)
@pytest.mark.parametrize(
    "text",
    [
        "Try sand.\n\n-- \nAnna\n#close\n",
        "Try sand.\n\n-- \n#close\n",
        "Try sand.\n\nOn Mon, 2 Mar 2026 at 09:00, Cora Client wrote:\n#close\n",
        "Try sand.\n\nOn Mon, 2 Mar 2026 at 09:00, Cora Client wrote:\n> My printer is on fire.\n#close\n",
        "Try sand.\n\n-----Original Message-----\nFrom: Cora Client\nSubject: Printer\n\n#close\n",
    ],
)
def test_95_a_command_in_the_signature_or_below_the_quote_is_text(busy: HostileDesk, text: str):
    """Whatever stands below the agent's own words is nothing that the agent asks for."""
    met = says(busy, text, quote=False)
    assert busy.ticket().status == "waiting"
    assert kinds(met, "cora@client.example") == ["answer"]
    assert "closed" not in busy.kinds("cora@client.example")


@pytest.mark.case(97)
@pytest.mark.parametrize(
    "text", ["#assign ben\n", "#close\nThanks\n", "\uff03note\nShe is a pain.\n", "#help\n"]
)
def test_97_a_customers_command_is_text(busy: HostileDesk, text: str):
    """The agents read it as it was written; nothing of it is done, nothing is answered."""
    met = busy.meets(answer(busy, busy.last("cora@client.example"), CORA, text))
    assert (met.state, met.ticket, met.is_new) == ("on_ticket", 1001, False)
    assert (busy.ticket().status, busy.ticket().assignee) == ("open", "anna")
    assert kinds(met, "cora@client.example") == []
    assert met.to(ANNAS)[0].text.startswith(text.strip().split("\n")[0])


@pytest.mark.case(98)
@pytest.mark.parametrize("line", ["#close", "#note", "#p1"])
def test_98_a_command_in_a_later_paragraph_is_pasted_text(busy: HostileDesk, line: str):
    """Only the first lines hold commands: the customer reads the pasted line, and nothing is done."""
    met = says(busy, f"Dear Cora,\n\nthe manual says:\n\n{line}\n\nAnna\n")
    assert (busy.ticket().status, busy.ticket().priority) == ("waiting", "P3")
    assert line in met.to("cora@client.example")[0].text


@pytest.mark.case(100)
@pytest.mark.parametrize(
    "line",
    [
        "\uff03close",
        "\ufe5fclose",
        "#cl\u043ese",
        "#\u0441lose",
        "#cl\u200bose",
        "#\u200bclose",
        "\u200b#close",
        "\u200e#close",
        "\u2068#close\u2069",
        "#clos\u0435 ",
        "#\uff43\uff4c\uff4f\uff53\uff45",
    ],
)
def test_100_look_alike_letters_are_no_command(busy: HostileDesk, line: str):
    """It was meant as a command and is none: not sent as text, not done, and it comes back."""
    met = says(busy, f"{line}\nThe printer is out.\n")
    came_back(busy, met, "The printer is out.", "#close")


@pytest.mark.case(101)
@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ("Content-Type: text/plain; charset=utf-8; format=flowed", b" #close\n"),
        (
            "Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes",
            b" #close\n\nAll is well, \n Cora.\n",
        ),
        (
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit",
            "#close\u00a0\n".encode(),
        ),
        (
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit",
            "\u00a0#close\n".encode(),
        ),
        (
            "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit",
            b"\xa0 #close \xa0\n",
        ),
        (
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable",
            b"#clo=\nse\n",
        ),
        (
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable",
            b"=23close=20=\n\n",
        ),
        (
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit",
            "\ufeff#close\n".encode(),
        ),
        ("Content-Type: text/html; charset=utf-8", b"<div>&nbsp;#close&nbsp;</div>"),
    ],
)
def test_101_a_command_as_mail_programs_write_it(busy: HostileDesk, fields: str, body: bytes):
    """Space-stuffed, with a no-break space, a byte order mark, or broken by a soft line end: the ticket is closed."""
    met = says_raw(busy, fields, body)
    assert busy.ticket().status == "closed"
    assert kinds(met, "cora@client.example") == ["closed"]
    assert kinds(met, ANNAS) == ["receipt"]


@pytest.mark.case(103)
@pytest.mark.parametrize(
    "text",
    [
        "#close\n#reopen\n",
        "#close\n#open\n",
        "#open\n#close\nAll is well.\n",
        "#wait\n#resolve\n",
        "#p1\n#p2\n",
        "#take\n#assign ben\n",
        "#wait 2d\n#wait 3d\n",
    ],
)
def test_103_commands_that_contradict_each_other(busy: HostileDesk, text: str):
    """None of them is executed, no text goes out, the agent is told."""
    met = says(busy, text)
    came_back(busy, met, text.split("\n", maxsplit=1)[0])
    assert busy.ticket().priority == "P3"


@pytest.mark.case(104)
@pytest.mark.parametrize(
    "line", ["#close SUP-1002", "#close [SUP-1002]", "#resolve SUP-1002", "#note SUP-1002\n#close SUP-1002"]
)
def test_104_a_command_that_names_another_ticket(busy: HostileDesk, line: str):
    """An answer acts on its own ticket only: refused, told, and the other ticket stays as it is."""
    busy.writes("dora@other.example", "Mine is wet.", subject="Scanner")
    before = busy.ticket(1002)
    met = says(busy, f"{line}\nDone.\n")
    came_back(busy, met, "SUP-1002")
    assert busy.ticket(1002) == before


@pytest.mark.case(106)
@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("", True),
        ("\n\n", True),
        ("-- \nAnna Archer\nAcme Support\n", True),
        ("-- \nAnna Archer\n", False),
        ("", False),
    ],
)
def test_106_an_answer_without_own_text(busy: HostileDesk, text: str, quote: bool):
    """Nothing but a quote and a signature is not relayed; the agent is told."""
    met = says(busy, text, quote=quote)
    came_back(busy, met, "no text of your own")


@pytest.mark.case(107)
@pytest.mark.parametrize("line", ["#tag a{}", "#close", "#p1", "#nonsense{}", "#note"])
def test_107_a_thousand_commands(busy: HostileDesk, line: str):
    """More than ten: none is executed, and the agent has the mail back."""
    met = says(busy, "\n".join(line.format(number) for number in range(1000)) + "\n")
    came_back(busy, met, line.format(0))
    assert busy.ticket().tags == ()
