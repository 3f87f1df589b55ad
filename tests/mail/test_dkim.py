"""Own verification of DKIM: what proves the domain in From, and the many things that do not. DNS is a dictionary here."""

from __future__ import annotations

import base64
import random
import time

import pytest

from mailtickets.guard import Guard
from mailtickets.mail.authentication import Proof
from mailtickets.mail.classify import OwnAddresses
from mailtickets.mail.dkim import body_hash, keys_wanted, signing_domain
from mailtickets.mail.keys import KeyRing
from mailtickets.mail.parse import parse
from mailtickets.reading import Reading
from tests.support.desk import START
from tests.support.signing import SIGNED, body_digest, ed25519_key, name_of, rsa_key, signed

DOMAIN = "desk.example"
MAIL = (
    b"From: Kim Archer <kim@desk.example>\r\n"
    b"To: support@desk.example\r\n"
    b"Subject: Re: [SUP-1001] Printer on fire\r\n"
    b"Date: Mon, 2 Mar 2026 08:59:00 +0000\r\n"
    b"Message-ID: <one@desk.example>\r\n"
    b"Content-Type: text/plain\r\n"
    b"\r\n"
    b"Please try water.\r\n\r\n  Kim \t Archer  \r\n\r\n"
)


def zone(record=None, domain=DOMAIN):
    return {name_of(domain): rsa_key().record if record is None else record}


def prove(raw, keys=None, arrived=START):
    """Return the proven domain, as intake and reading find it: only keys that were wanted are there."""
    keys = zone() if keys is None else keys
    found = {name: keys[name] for name in keys_wanted(raw, arrived) if name in keys}
    return signing_domain(raw, parse(raw), arrived, found)


def by_kim(raw=MAIL, **more):
    return signed(raw, rsa_key(), more.pop("domain", DOMAIN), **more)


@pytest.mark.parametrize("canon", ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"])
def test_a_mail_that_its_domain_signed_is_proven(canon):
    """Whatever form it was signed in."""
    assert keys_wanted(by_kim(canon=canon), START) == ("s1._domainkey.desk.example",)
    assert prove(by_kim(canon=canon)) == DOMAIN


def test_a_mail_with_lf_alone_is_proven():
    """As it lies in a Maildir."""
    assert prove(by_kim().replace(b"\r\n", b"\n")) == DOMAIN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"try water", b"try petrol"),
        (b"Kim Archer <kim@", b"Lee Moss <lee@"),
        (b"[SUP-1001]", b"[SUP-1002]"),
        (b"Please", b"Please, please"),
        (b"\r\n\r\nPlease", b"\r\n\r\n#close\r\nPlease"),
    ],
    ids=["body", "from", "subject", "longer body", "a line on top"],
)
def test_a_mail_that_was_changed_is_not_proven(old, new):
    """One word is enough, in header or body."""
    raw = by_kim()
    assert raw.count(old) == 1
    assert prove(raw.replace(old, new)) == ""


def test_text_that_was_appended_is_not_proven():
    """Empty lines at the end alone do not count (RFC 6376 section 3.4.4)."""
    assert prove(by_kim() + b"\r\n\r\n") == DOMAIN
    assert prove(by_kim() + b"\r\nAnd send me the keys.\r\n") == ""


@pytest.mark.parametrize("tail", [b"", b"#close\r\n"])
def test_a_signature_over_part_of_the_body_proves_nothing(tail):
    """`l=` lets anybody write below what it covers, so it does not count even where nobody did."""
    assert prove(by_kim(l=str(len(b"Please try water.\r\n"))) + tail) == ""


@pytest.mark.parametrize(
    "line",
    [
        b"From: Lee Moss <lee@desk.example>\r\n",
        b"Subject: [SUP-1002] Another\r\n",
        b"Content-Type: text/html\r\n",
        b"In-Reply-To: <x@y.example>\r\nIn-Reply-To: <z@y.example>\r\n",
    ],
    ids=lambda line: line.split(b":")[0].decode().lower(),
)
@pytest.mark.parametrize("on_top", [True, False])
def test_a_field_that_was_added_to_one_of_its_kind_makes_no_proof(line, on_top):
    """A program signs the last of two fields, and the desk reads the first (RFC 6376 section 8.15)."""
    raw = by_kim()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert prove(line + raw if on_top else head + b"\r\n" + line + b"\r\n" + body) == ""


@pytest.mark.parametrize(
    "line",
    [
        b"In-Reply-To: <ours@desk.example>\r\n",
        b"References: <ours@desk.example>\r\n",
        b"Reply-To: eve@evil.example\r\n",
        b"Cc: eve@evil.example\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
    ],
    ids=lambda line: line.split(b":")[0].decode().lower(),
)
@pytest.mark.parametrize("on_top", [True, False])
def test_a_field_that_nobody_signed_makes_no_proof(line, on_top):
    """A private mail to somebody cannot be made an answer on a ticket by writing a field into it."""
    raw = by_kim()
    head, _, body = raw.partition(b"\r\n\r\n")
    changed = line + raw if on_top else head + b"\r\n" + line + b"\r\n" + body
    assert prove(raw) == DOMAIN
    assert prove(changed) == ""
    assert keys_wanted(changed, START) == ()
    assert prove(by_kim(line + MAIL)) == DOMAIN


MIME_MAIL = (
    b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n"
    b"In-Reply-To: <ours@desk.example>\r\nReferences: <ours@desk.example>\r\nCc: lee@desk.example\r\n" + MAIL
)


@pytest.mark.parametrize(
    ("headers", "proven"),
    [
        (
            "from:reply-to:subject:date:message-id:to:cc:mime-version:content-type:content-transfer-encoding:in-reply-to:references",
            True,
        ),
        ("cc:to:subject:message-id:date:from:in-reply-to:references:mime-version:from:to:cc:subject:date:message-id:reply-to", True),
        ("from:date:subject:message-id:content-type:mime-version:x-ms-exchange-senderadcheck", False),
        ("from:subject:mime-version:to:content-type:cc:content-type:from:subject:to", False),
    ],
    ids=["opendkim, rspamd", "a large provider", "no to, no in-reply-to", "no date, no message-id"],
)  # fmt: skip
def test_what_signers_are_used_to_sign(headers, proven):
    """Content-Type may be left out of a MIME mail; what leads to people and tickets may not."""
    assert (prove(by_kim(MIME_MAIL, headers=tuple(headers.split(":")))) == DOMAIN) is proven


def test_fields_of_the_way_may_be_added():
    """Each server on the way writes its own on top, and some write theirs several times."""
    assert (
        prove(b"Received: from a by b; now\r\nReceived: from b by c; now\r\nX-Spam: no\r\n" + by_kim())
        == DOMAIN
    )


@pytest.mark.parametrize(
    ("domain", "sender", "proven"),
    [
        ("desk.example", "kim@mail.desk.example", "desk.example"),
        ("mail.desk.example", "kim@desk.example", "mail.desk.example"),
        ("evil.example", "kim@desk.example", ""),
        ("evildesk.example", "kim@desk.example", ""),
        ("desk.example.evil.example", "kim@desk.example", ""),
        ("example", "kim@desk.example", ""),
        ("DESK.example", "KIM@Desk.Example", "desk.example"),
    ],
)
def test_the_domain_must_be_that_of_from_or_aligned_with_it(domain, sender, proven):
    """As `authentication` wants it; for another domain not even a key is looked up."""
    raw = by_kim(MAIL.replace(b"kim@desk.example", sender.encode()), domain=domain)
    assert prove(raw, zone(domain=domain.lower())) == proven
    assert bool(keys_wanted(raw, START)) is bool(proven)


@pytest.mark.parametrize(
    ("agent", "record", "proven"),
    [
        ("@desk.example", "", True),
        ("kim@mail.desk.example", "", True),
        ("kim@mail.desk.example", "t=s; ", False),
        ("kim@evil.example", "", False),
        ("kim@evildesk.example", "", False),
        ("desk.example", "", False),
    ],
)
def test_the_signing_agent_is_below_the_domain(agent, record, proven):
    """`i=` must lie in `d=` (RFC 6376 section 3.5), and with the key's flag `s` be it (section 3.6.1)."""
    assert bool(prove(by_kim(i=agent), zone(record + rsa_key().record.removeprefix("v=DKIM1; ")))) is proven


@pytest.mark.parametrize(
    ("signed_at", "expires", "proven"),
    [
        (-60, 60, True),
        (-60, 0, True),
        (-60, -1, False),
        (60, 30, False),
        (3600, None, True),  # a clock that is ahead by an hour
        (86400, None, False),
        (None, None, True),
    ],
)
def test_a_signature_counts_while_it_is_good(signed_at, expires, proven):
    """Compared to the moment of arrival, not of reading: a mail that waited a week in the mailbox is as good as then."""
    now = int(START.timestamp())
    tags = {
        "t": None if signed_at is None else str(now + signed_at),
        "x": None if expires is None else str(now + expires),
    }
    assert bool(prove(by_kim(**tags))) is proven


@pytest.mark.parametrize(
    "record",
    [
        "",
        "v=DKIM1; k=rsa; p=",
        "v=DKIM1; t=y; k=rsa; p={p}",
        "v=DKIM1; t=s:y; k=rsa; p={p}",
        "v=DKIM2; k=rsa; p={p}",
        "v=DKIM1; k=ed25519; p={p}",
        "v=DKIM1; k=dsa; p={p}",
        "v=DKIM1; h=sha1; p={p}",
        "v=DKIM1; s=tlsrpt; p={p}",
        "v=DKIM1; p={p}; p={p}",
        "v=DKIM1; p=!{p}",
        "v=DKIM1; p=AAAA",
        "v=DKIM1; p={p}; n=schl\u00fcssel",
        "v=DKIM1; p={p}; n=" + "x" * 5000,
        "x" * 4000,
        "p=" + "A" * 4000,
        ";;;===;",
        "\x00",
    ],
    ids=[
        "none", "revoked", "testing", "testing too", "version", "other kind", "unknown kind", "sha1 only",
        "other service", "twice", "no base64", "no key", "not ASCII", "huge", "garbage", "huge key", "signs", "nul",
    ],
)  # fmt: skip
def test_a_key_record_that_is_not_good_proves_nothing(record):
    """Whatever stands in DNS; nothing raises."""
    assert prove(by_kim(), zone(record.replace("{p}", rsa_key().p))) == ""


@pytest.mark.parametrize(
    "record", ["p={p}", "k=rsa; p={p}; t=s; s=*", "v=DKIM1; h=sha1:sha256; s=email:x; n=words; p={p};"]
)
def test_a_key_record_may_be_short_or_long(record):
    """What is not written has its default (RFC 6376 section 3.6.1)."""
    assert prove(by_kim(), zone(record.replace("{p}", rsa_key().p))) == DOMAIN


def test_a_missing_key_proves_nothing():
    """DNS has none, or did not answer."""
    assert keys_wanted(by_kim(), START) == ("s1._domainkey.desk.example",)
    assert prove(by_kim(), {}) == ""
    assert prove(by_kim(selector="s2")) == ""


def test_a_key_of_somebody_else_proves_nothing():
    """Signed by another key under our name."""
    assert prove(by_kim(), zone(rsa_key(1024).record)) == ""


@pytest.mark.parametrize(("bits", "proven"), [(512, False), (768, False), (1024, True)])
def test_a_key_must_be_long_enough(bits, proven):
    """RFC 8301 section 3.2: nothing below 1024 bits."""
    assert bool(prove(signed(MAIL, rsa_key(bits), DOMAIN), zone(rsa_key(bits).record))) is proven


def test_sha1_proves_nothing():
    """RFC 8301 section 3.1, also where the signature holds."""
    assert prove(by_kim(a="rsa-sha1")) == ""


def test_ed25519_counts_like_rsa():
    """RFC 8463: alone, and beside a signature with RSA."""
    raw = signed(MAIL, ed25519_key(), DOMAIN, selector="e1")
    keys = {name_of(DOMAIN, "e1"): ed25519_key().record, **zone()}
    assert prove(raw, keys) == DOMAIN
    assert prove(signed(by_kim(), ed25519_key(), DOMAIN, selector="e1"), keys) == DOMAIN


def test_few_of_many_signatures_are_looked_at():
    """A mail with fifty asks DNS for three keys at most, and for none of other domains."""
    raw = by_kim()
    for number in range(49):
        raw = by_kim(raw, selector=f"n{number}")
    assert keys_wanted(raw, START) == tuple(name_of(DOMAIN, f"n{number}") for number in (48, 47, 46))
    assert prove(raw) == "", "the good one is the last"
    others = by_kim()
    for number in range(10):
        others = by_kim(others, domain=f"evil{number}.example")
    assert keys_wanted(others, START) == (name_of(DOMAIN),)
    assert prove(others) == DOMAIN


FIELD = b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=desk.example; s=s1; h=from:to:subject:date:message-id:content-type; bh=AAAA; b=AAAA"


@pytest.mark.parametrize(
    "field",
    [
        b"DKIM-Signature:",
        b"DKIM-Signature: ;;;;",
        b"DKIM-Signature: v=1; v=1",
        b"DKIM-Signature: \xff\xfe",
        b"DKIM-Signature: " + b"a=b; " * 5000,
        b"DKIM-Signature: v=1;" + b"\r\n \t" * 2000 + b"a=rsa-sha256",
        FIELD.replace(b"d=desk.example", b"d=\xc3\xa4.example"),
        FIELD.replace(b"d=desk.example", b"d=" + b"a." * 300 + b"example"),
        FIELD.replace(b"s=s1", b"s=../../x"),
        FIELD.replace(b"s=s1", b"s=" + b"a" * 64),
        FIELD.replace(b"h=from", b"h=" + b"from:" * 2000),
        FIELD.replace(b"h=from", b"h=subject"),
        FIELD.replace(b"h=from", b"h="),
        FIELD.replace(b"b=AAAA", b"b=!"),
        FIELD.replace(b"c=relaxed/relaxed", b"c=rot13/relaxed"),
        FIELD.replace(b"v=1", b"v=2"),
        FIELD + b"; x=99999999999999999999999",
        FIELD + b"; t=-1",
        FIELD + b"; q=http",
    ],
)  # fmt: skip
def test_garbage_in_a_signature_is_no_signature(field):
    """No key is asked for, and a good one below it still counts."""
    raw = by_kim()
    began = time.process_time()
    assert prove(field + b"\r\n" + MAIL) == ""
    assert keys_wanted(field + b"\r\n" + MAIL, START) == ()
    assert prove(field + b"\r\n" + raw) == DOMAIN
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("gap", [19, 20])
def test_white_space_in_a_field_takes_no_time(gap):
    """Much of it is not looked at: dkimpy's pattern for b= tries every way to split it."""
    spaces = b"\r\n" + b" " * (gap - 3) + b"\t"
    digest = base64.b64encode(body_digest(MAIL.partition(b"\r\n\r\n")[2], "relaxed"))
    field = FIELD.replace(b"bh=AAAA", b"bh=" + digest) + b"; z=" + (spaces + b"b=" + spaces + b"!") * 150
    assert bool(keys_wanted(field + b"\r\n" + MAIL, START)) is (gap == 19)
    began = time.process_time()
    assert prove(field + b"\r\n" + MAIL) == ""
    assert time.process_time() - began < 1.0


def test_a_header_that_was_folded_otherwise_is_proven():
    """Relaxed means that white space does not count (RFC 6376 section 3.4.2); simple means that it does."""
    fold = (b"Subject: Re: [SUP-1001] Printer", b"SUBJECT:  Re:\r\n\t[SUP-1001]   Printer")
    assert prove(by_kim().replace(*fold)) == DOMAIN
    assert prove(by_kim(canon="simple/relaxed").replace(*fold)) == ""
    folded = MAIL.replace(b"Re: [SUP-1001]", b"Re:\r\n [SUP-1001]")
    assert prove(by_kim(folded, canon="simple/simple")) == DOMAIN


@pytest.mark.parametrize("left_out", ["from", "to", "subject", "date", "message-id", "content-type"])
def test_what_the_desk_reads_must_be_covered(left_out):
    """DMARC asks for From alone; the desk finds tickets and people, and knows a mail again, by the others."""
    assert prove(by_kim(headers=tuple(name for name in SIGNED if name != left_out))) == ""


@pytest.mark.parametrize(
    "sender",
    [
        b"kim@desk.example, lee@desk.example",
        b"Team: kim@desk.example;",
        b"<>",
        b"kim@desk.example <eve@evil.example>",
    ],
)
def test_a_from_that_names_nobody_for_certain_is_not_proven(sender):
    """Whoever signed it."""
    assert prove(by_kim(MAIL.replace(b"Kim Archer <kim@desk.example>", sender))) == ""


@pytest.mark.parametrize(
    "line",
    [
        b"Auto-Submitted: auto-replied",
        b"Return-Path: <>",
        b"Precedence: auto_reply",
        b"Content-Type: multipart/report",
    ],
)
def test_no_key_is_looked_up_for_a_machine(line):
    """Its mail is given no rights, so proof would change nothing."""
    raw = line + b"\r\n" + by_kim(MAIL.replace(b"Content-Type: text/plain\r\n", b""))
    assert keys_wanted(raw, START) == ()


def test_no_key_is_looked_up_where_the_own_server_has_spoken():
    """About DKIM or DMARC, for or against; a word about SPF alone, and another server's, leaves it to us."""

    def wanted(results):
        return bool(
            keys_wanted(
                f"Authentication-Results: {results}\r\n".encode() + by_kim(), START, "mx.desk.example"
            )
        )

    assert not wanted("mx.desk.example; dmarc=pass header.from=desk.example")
    assert not wanted("mx.desk.example; dkim=fail header.d=desk.example")
    assert wanted("mx.desk.example; spf=pass smtp.mailfrom=desk.example")
    assert wanted("mx.evil.example; dkim=fail header.d=desk.example")


@pytest.mark.parametrize(
    "change",
    [
        lambda _raw: b"",
        lambda _raw: b"\r\n\r\n",
        lambda _raw: b"no header at all",
        lambda _raw: b"\x00" * 1000,
        lambda raw: raw.replace(b"\r\n", b"\r"),
        lambda raw: b"garbage\r\n" + raw,
        lambda raw: raw[:200],
    ],
    ids=["empty", "blank", "words", "zeros", "CR alone", "a line that is no field", "cut"],
)
def test_mail_without_a_clear_header_is_not_proven(change):
    """What is signed must be what is read: where that is in doubt, there is no proof, and nothing raises."""
    assert prove(change(by_kim())) == ""


BODIES = {
    "lines": (b"water and fire \r\n", 500_000),
    "empty lines": (b"\r\n", 4_000_000),
    "spaces": (b" ", 8_000_000),
    "tabs and spaces": (b"\t ", 4_000_000),
    "CR": (b"\r", 8_000_000),
    "LF": (b"\n", 8_000_000),
}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("canon", ["relaxed", "simple"])
def test_a_body_of_8_megabytes_is_read_in_time(kind, canon):
    """Linear, whatever it consists of; dkimpy's own pattern would take days for the spaces."""
    letters, times = BODIES[kind]
    body = letters * times + b"."
    began = time.process_time()
    body_hash(body, 0, relaxed=canon == "relaxed")
    assert time.process_time() - began < 2.0


def test_a_mail_of_20_megabytes_is_proven():
    """Within the limits of time and memory that a large mail is read in: the operating system holds them."""
    raw = by_kim(MAIL + (b"water and fire \t" * 5 + b"\r\n") * 250_000)
    guard = Guard(reading(), limit_seconds=90.0)
    try:
        assert guard.read(raw, b"", "support", START, dkim_keys=zone()).proof is Proof.PASS
    finally:
        guard.close()


def test_the_hash_of_a_body_is_the_standards():
    """The same as dkimpy's, for any body (of ends of lines, white space and words), in blocks or in one."""
    dice = random.Random(6376)
    for _ in range(1500):
        body = b"".join(
            dice.choice((b"\r\n", b"\r\n", b" ", b"\t", b"a", b"bc", b"\r"))
            for _ in range(dice.randrange(12))
        )
        for canon in ("simple", "relaxed"):
            assert body_hash(b"x" + body, 1, relaxed=canon == "relaxed") == body_digest(body, canon), body
    long = (b"word \t word\r\n" * 9 + b"\r\n" * 5) * 20_000
    for canon in ("simple", "relaxed"):
        assert body_hash(long, 0, relaxed=canon == "relaxed") == body_digest(long, canon)


def test_any_change_of_a_letter_ends_the_proof():
    """Wherever it is in what was signed; a field whose letters are strewn never raises, and neither does a record."""
    dice = random.Random(8301)
    raw = by_kim()
    start = raw.index(b"From:")
    for _ in range(300):
        at = dice.randrange(start, len(raw))
        other = dice.choice(b"abcxyz0189")
        if raw[at] in b" \t\r\n" or raw[at : at + 1].lower() == bytes((other,)):
            continue
        assert prove(raw[:at] + bytes((other,)) + raw[at + 1 :]) == "", raw[at : at + 20]
    for _ in range(500):
        strewn, record = bytearray(raw), bytearray(rsa_key().record.encode())
        for _ in range(dice.randrange(1, 4)):
            strewn[dice.randrange(start)] = dice.randrange(256)
            record[dice.randrange(60)] = dice.randrange(128)
        assert prove(bytes(strewn)) in {"", DOMAIN}
        assert prove(raw, zone(record.decode("latin-1"))) in {"", DOMAIN}


RING = KeyRing({1: b"s" * 32}, 1)


def reading(authserv_id="", verifying=("support",)):
    return Reading(
        RING,
        OwnAddresses(frozenset({"support@desk.example"})),
        {"support": authserv_id},
        {},
        frozenset(verifying),
    )


def proof(raw, by, keys=None, **more):
    return by.read(raw, b"", "support", START, dkim_keys=zone() if keys is None else keys, **more).proof


def test_reading_takes_a_signature_for_a_pass():
    """Where it is verified by us; a broken one is none, never a fail."""
    assert proof(by_kim(), reading()) is Proof.PASS
    assert proof(by_kim().replace(b"water", b"petrol"), reading()) is Proof.NONE
    assert proof(by_kim(), reading(), {}) is Proof.NONE
    assert proof(by_kim(), reading(verifying=())) is Proof.NONE
    assert proof(by_kim(), reading(), truncated=True, size=1 << 30) is Proof.NONE


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ("mx.desk.example; dkim=none; dmarc=fail header.from=desk.example", Proof.FAIL),
        ("mx.desk.example; dkim=fail header.d=desk.example", Proof.NONE),
        ("mx.desk.example; dmarc=pass header.from=desk.example", Proof.PASS),
        ("mx.desk.example; spf=fail smtp.mailfrom=desk.example", Proof.PASS),
        ("mx.evil.example; dmarc=fail header.from=desk.example", Proof.PASS),
    ],
)
def test_the_own_servers_word_goes_first(results, expected):
    """Our own look counts only where that server says nothing about DKIM or DMARC."""
    raw = f"Authentication-Results: {results}\r\n".encode() + by_kim()
    assert proof(raw, reading("mx.desk.example")) is expected


def test_a_sender_is_provable_where_we_verify():
    """So that people come along by Cc only with somebody who is proven."""
    assert reading().read(MAIL, b"", "support", START).provable
    assert not reading(verifying=()).read(MAIL, b"", "support", START).provable


def test_a_front_doors_signature_proves_nothing_about_who_is_behind():
    """The group address signed, and the sender is read out of another field."""
    raw = by_kim(
        MAIL.replace(b"Kim Archer <kim@desk.example>", b"'Ana' via Support <support@desk.example>")
        .replace(b"To: ", b"X-Original-From: ana@customer.example\r\nList-Id: <support.desk.example>\r\nTo: ")
    )  # fmt: skip
    incoming = reading().read(raw, b"", "support", START, dkim_keys=zone())
    assert (incoming.message.sender.address, incoming.proof) == ("ana@customer.example", Proof.NONE)
