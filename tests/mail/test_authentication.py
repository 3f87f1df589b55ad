"""Authentication-Results: whose word counts, and what it proves (RFC 8601)."""

from __future__ import annotations

import pytest

from mailtickets.mail.authentication import Proof, authentication
from mailtickets.mail.parse import parse

SERVER = "mx.desk.example"


def proof(*fields: str, authserv_id: str = SERVER, sender: str = "anna@desk.example") -> Proof:
    raw = "\n".join([*fields, f"From: {sender}", "", "Hi"]).encode()
    return authentication(parse(raw), authserv_id)


def result(words: str, server: str = SERVER) -> str:
    return f"Authentication-Results: {server}; {words}"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dmarc=pass header.from=desk.example", Proof.PASS),
        ("dmarc=pass", Proof.PASS),
        ("DMARC=PASS (p=reject)", Proof.PASS),
        ("spf=pass smtp.mailfrom=desk.example; dmarc = pass header.from=desk.example", Proof.PASS),
        ("dkim=pass header.d=desk.example", Proof.PASS),
        ("dkim=pass header.i=@mail.desk.example", Proof.PASS),
        ("dkim=fail header.d=desk.example; dkim=pass header.d=desk.example", Proof.PASS),
        ("dkim=pass header.d=evil.example; spf=pass smtp.mailfrom=evil.example", Proof.NONE),  # case 83
        ("dkim=pass header.d=example", Proof.NONE),
        ("dkim=pass header.d=nodesk.example", Proof.NONE),
        ("dkim=pass", Proof.NONE),
        ("spf=pass smtp.mailfrom=desk.example", Proof.NONE),
        ("dmarc=pass header.from=evil.example", Proof.NONE),
        ("dmarc=fail header.from=desk.example", Proof.FAIL),
        ("dmarc=fail; dkim=pass header.d=desk.example", Proof.FAIL),
        ("dmarc=none; dkim=pass header.d=desk.example", Proof.PASS),
        ("dmarc=temperror", Proof.NONE),
        ("spf=none (dmarc=pass)", Proof.NONE),
        ("spf=fail (a ( nested \\) dmarc=pass;) dkim=pass header.d=desk.example", Proof.NONE),
        ('spf=none reason="x; dmarc=pass"', Proof.NONE),
        ("none", Proof.NONE),
        ("", Proof.NONE),
    ],
)
def test_only_dmarc_or_an_aligned_signature_proves(words, expected):
    """DMARC, or DKIM of an aligned domain, is a proof; SPF, comments, quoted words and strangers' domains are none."""
    assert proof(result(words)) is expected


@pytest.mark.parametrize("authserv_id", ["", " ", "other.example"])
def test_case_82_without_the_admins_word_nobody_is_trusted(authserv_id):
    """Cases 80 and 82: an authserv-id that was not named, or none at all, proves nothing."""
    assert proof(result("dmarc=pass"), authserv_id=authserv_id) is Proof.NONE


def test_only_the_topmost_block_counts():
    """A field below another server's, or below a Received, was there before our server and proves nothing."""
    assert proof(result("spf=none"), result("dmarc=pass")) is Proof.PASS
    assert proof(result("spf=none"), "Received: from x by y", result("dmarc=pass")) is Proof.NONE
    assert proof(result("dmarc=pass", "evil.example"), result("dmarc=pass")) is Proof.NONE
    assert proof(result("dmarc=none"), result("dmarc=pass")) is Proof.NONE
    assert proof("Received: from x by y", result("dmarc=pass")) is Proof.PASS


def test_another_version_is_not_understood():
    """RFC 8601 section 2.2: an unknown version is not read."""
    assert proof("Authentication-Results: mx.desk.example 1; dmarc=pass") is Proof.PASS
    assert proof("Authentication-Results: mx.desk.example 2; dmarc=pass") is Proof.NONE


def test_the_authserv_id_is_compared_without_case():
    """Letter case of the authserv-id does not matter."""
    assert proof(result("dmarc=pass", "MX.Desk.Example")) is Proof.PASS


@pytest.mark.parametrize(
    "sender",
    [
        "anna@desk.example, eve@evil.example",
        "anna@desk.example <eve@evil.example>",
        "",
        "Team: anna@desk.example;",
    ],
)
def test_case_85_a_doubtful_from_is_proven_by_nothing(sender):
    """Case 85: a pass says nothing where From names nobody for sure."""
    assert proof(result("dmarc=pass"), sender=sender) is Proof.NONE
    assert proof(result("dmarc=fail"), sender=sender) is Proof.FAIL


def test_case_85_two_from_fields_are_proven_by_nothing():
    """Case 85: dmarc=pass with two From fields proves nobody."""
    assert proof(result("dmarc=pass"), "From: eve@evil.example") is Proof.NONE
