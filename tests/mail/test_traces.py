"""Whether a mail names a person, and texts without that person."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from mailtickets.mail.traces import Traces

ANA = Traces("ana@customer.example", ["Ana Lima", "Ana"], "erased-1@invalid", "[erased]")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("ask ana@customer.example.", "ask erased-1@invalid."),
        ("Ask <Ana@Customer.Example>, please", "Ask <erased-1@invalid>, please"),
        ("mailto:ana@customer.example?subject=x", "mailto:erased-1@invalid?subject=x"),
        ("joana@customer.example", "joana@customer.example"),
        ("ana@customer.example.org", "ana@customer.example.org"),
        ("x.ana@customer.example", "x.ana@customer.example"),
        ("ana@customer.examples", "ana@customer.examples"),
        ("Dear ANA LIMA,", "Dear [erased],"),
        ("Ana\nLima wrote", "[erased] wrote"),
        ("Diana Lima and Ana", "Diana Lima and Ana"),
    ],
)
def test_a_text_without_the_person(text, hidden):
    """The address in any case and the full name go; what only contains them stays, and so does a first name alone."""
    assert ANA.hidden(text) == hidden


def test_a_pseudonym_is_taken_as_it_is():
    """No letter of it, nor of an address, is a pattern."""
    odd = Traces("a+b@customer.example", [], r"\1", "")
    assert odd.hidden("a+b@customer.example aab@customer.example") == r"\1 aab@customer.example"


@pytest.mark.parametrize("cte", ["7bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("words", ["ana@customer.example", "Ana Lima"])
def test_a_mail_that_names_the_person(cte, words):
    """However its text is encoded, and wherever a line of it breaks."""
    for padding in range(0, 80, 7):
        mail = EmailMessage()
        mail["From"] = "kim@desk.example"
        mail.set_content(f"Hello,\n\n> {'x' * padding} {words} wrote:\n> {'words ' * 30}\n", cte=cte)
        assert ANA.in_bytes(mail.as_bytes()), padding
        assert ANA.in_bytes(mail.as_bytes().replace(b"\n", b"\r\n")), padding


def test_a_mail_of_somebody_else_does_not():
    """Nor one of somebody with a longer address."""
    mail = EmailMessage()
    mail["From"] = "joana@customer.example"
    mail.set_content("Ana, are you there?", cte="base64")
    assert not ANA.in_bytes(mail.as_bytes())


def test_the_sender_of_a_mail_that_nobody_could_read():
    """The head alone is looked at, folded or not; whom it went to does not matter."""
    assert ANA.wrote(b"From: Ana\r\n <ana@customer.example>\r\nTo: x\r\n\r\nwords")
    assert not ANA.wrote(
        b"From: ben@customer.example\r\nTo: ana@customer.example\r\n\r\nFrom: ana@customer.example"
    )
