"""Authentication-Results: whose word counts, and what it proves (RFC 8601)."""

from __future__ import annotations

import pytest

from mailtickets.mail.authentication import MAX_VALUE, Proof, authentication
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


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dkim=pass header.d=co.uk", Proof.NONE),
        ("dkim=pass header.d=uk", Proof.NONE),
        ("dmarc=pass header.from=co.uk", Proof.NONE),
        ("dkim=pass header.d=shop.desk.co.uk", Proof.PASS),
        ("dkim=pass header.d=DESK.co.uk.", Proof.PASS),
        ("dkim=pass header.d=evil.co.uk", Proof.NONE),
    ],
)
def test_a_public_suffix_holds_nobody_together(words, expected):
    """Whoever signs as "co.uk", if anybody can, is not the organisation of desk.co.uk."""
    assert proof(result(words), sender="anna@desk.co.uk") is expected


@pytest.mark.parametrize(
    "suffix", ["github.io", "com.au", "co.jp", "onmicrosoft.com", "uk.com", "eu.org", "duckdns.org"]
)
def test_neighbours_below_a_public_suffix_prove_nothing_for_each_other(suffix):
    """Strangers register below it: neither it, nor a neighbour, nor a name below From's own suffix speaks for another."""
    assert proof(result(f"dkim=pass header.d={suffix}"), sender=f"anna@desk.{suffix}") is Proof.NONE
    assert proof(result(f"dkim=pass header.d=evil.{suffix}"), sender=f"anna@desk.{suffix}") is Proof.NONE
    assert proof(result(f"dkim=pass header.d=evil.{suffix}"), sender=f"anna@{suffix}") is Proof.NONE
    assert proof(result(f"dkim=pass header.d=desk.{suffix}"), sender=f"anna@desk.{suffix}") is Proof.PASS
    assert proof(result(f"dkim=pass header.d=desk.{suffix}"), sender=f"anna@mail.desk.{suffix}") is Proof.PASS


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dmarc\t=\tpass header.from=desk.example", Proof.PASS),
        ("dmarc   =   fail", Proof.FAIL),
        ("dmarc/1=pass", Proof.PASS),
        ("dmarc/2=pass", Proof.NONE),
        ("dkim/2=pass header.d=desk.example", Proof.NONE),
        ("dmarc=pass;;", Proof.PASS),
        ("dmarc=passed", Proof.NONE),
        ("xdmarc=pass", Proof.NONE),
        ("x-dmarc=pass; arc=pass (dmarc=pass)", Proof.NONE),
        ('spf=pass smtp.mailfrom="a;dmarc=pass"@evil.example', Proof.NONE),
        (r'spf=none reason="\"; dmarc=pass; \""', Proof.NONE),
        (r'spf=none reason="\\"; dmarc=fail', Proof.FAIL),
        ('dkim=pass reason="header.d=desk.example" header.d=evil.example', Proof.NONE),
        ("dkim=pass (header.d=desk.example) header.d=evil.example", Proof.NONE),
        ("dkim=pass header.d=evil.example header.d=desk.example", Proof.NONE),
        ("dkim=pass header.d=evil.example header.i=@desk.example", Proof.NONE),
        ("dkim=pass header.s=desk.example", Proof.NONE),
        ("dkim=pass header.d=\u0501esk.example", Proof.NONE),
        ("dkim=none; dkim=fail header.d=desk.example", Proof.NONE),
        ("spf=none (dmarc=pass", Proof.NONE),
        ('spf=none "; dmarc=pass', Proof.NONE),
        ("dmarc=pass header.from=desk.example; dmarc=fail header.from=evil.example", Proof.FAIL),
        ("dmarc=pass header.from=desk.example; dmarc=pass header.from=evil.example", Proof.NONE),
        ("dmarc=pass header.from=desk.example; dmarc=none header.from=evil.example", Proof.NONE),
    ],
)
def test_a_result_is_read_as_it_stands(words, expected):
    """Spaces, versions, comments, quoted words and repeated properties: none of them turns a no into a yes."""
    assert proof(result(words)) is expected


@pytest.mark.parametrize(
    "field",
    [
        "Authentication-Results: mx.desk.example;\n dmarc=pass\n header.from=desk.example",
        "Authentication-Results:\n\tmx.desk.example; spf=pass\n\tsmtp.mailfrom=x.example;\n\tdmarc=pass",
        "AUTHENTICATION-RESULTS: MX.DESK.EXAMPLE; DMARC=PASS HEADER.FROM=DESK.EXAMPLE",
        'authentication-results: "mx.desk.example" 1 (ours); dmarc=pass',
        "Authentication-Results: (a comment; dmarc=fail) mx.desk.example (and one); dmarc=pass",
    ],
)
def test_a_field_is_the_servers_however_it_is_written(field):
    """Folded, in capitals, with a version, quoted or with comments."""
    assert proof(field) is Proof.PASS


@pytest.mark.parametrize(
    "field",
    [
        "ARC-Authentication-Results: i=1; mx.desk.example; dmarc=pass header.from=desk.example",
        "X-Authentication-Results: mx.desk.example; dmarc=pass header.from=desk.example",
        "Authentication-Results-Original: mx.desk.example; dmarc=pass header.from=desk.example",
        "Authentication-Results: mx.desk.example.evil.example; dmarc=pass",
        "Authentication-Results: evil.example (mx.desk.example); dmarc=pass",
        "Authentication-Results: mx.desk.example evil; dmarc=pass",
        "Authentication-Results: mx.desk.example 1 1; dmarc=pass",
        "Authentication-Results: mx.de\u017fk.example; dmarc=pass",
        "Authentication-Results: ; dmarc=pass",
        "Authentication-Results: dmarc=pass",
        "Received: from mx.desk.example\n Authentication-Results: mx.desk.example; dmarc=pass",
    ],
)
def test_a_field_that_is_not_the_servers_proves_nothing(field):
    """ARC and fields of other names are not read; nor is one of another server, whatever it looks like."""
    assert proof(field) is Proof.NONE


def test_a_forged_field_below_the_servers_own_says_nothing_new():
    """A server that left it in has had its word about the method in the field above; and it cannot stand above Received."""
    forged = result("dkim=pass header.d=desk.example; dmarc=pass")
    assert proof(result("dkim=none; dmarc=none"), forged) is Proof.NONE
    assert proof(result("dkim=none; dmarc=fail"), forged) is Proof.FAIL
    assert proof(result("dkim=pass header.d=evil.example; dmarc=temperror"), forged) is Proof.NONE
    assert proof(result("spf=none"), "Received: from evil by mx.desk.example", forged) is Proof.NONE
    assert (
        proof("Received: from a by b", result("dkim=none; dmarc=none"), "Received: from evil by a", forged)
        is Proof.NONE
    )
    assert proof(result("dmarc=fail"), result("dmarc=pass"), result("dmarc=pass")) is Proof.FAIL


def test_a_field_above_the_servers_own_is_another_servers():
    """What was put on top last was put there behind our server: the block of the named one is not the topmost."""
    assert proof(result("dmarc=pass", "evil.example"), result("dmarc=pass")) is Proof.NONE
    assert (
        proof(result("dmarc=pass", "evil.example"), "Received: from a by b", result("dmarc=pass"))
        is Proof.NONE
    )


def test_an_endless_field_is_not_cut_in_the_middle_of_a_name():
    """The sender chooses how many signatures there are, and so where 8 KB end: half a name is no name."""
    evil = "desk.example.evil.example"
    for length in range(MAX_VALUE - 120, MAX_VALUE + 40):
        start = f"{SERVER}; spf=none reason="
        lead = start + "x" * (length - len(start)) + "; dkim=pass header.d="
        assert proof(f"Authentication-Results: {lead}{evil}; dmarc=none") is Proof.NONE


def test_more_than_ten_fields_are_not_read():
    """The eleventh field of a block is nobody's any more."""
    assert proof(*[result("spf=none")] * 9, result("dmarc=pass")) is Proof.PASS
    assert proof(*[result("spf=none")] * 10, result("dmarc=pass")) is Proof.NONE
