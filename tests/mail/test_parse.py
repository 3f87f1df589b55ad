"""Bytes to Message: what real and hostile mails come out as. Case numbers are those of `docs` on hostile input."""

from __future__ import annotations

import base64
import hashlib
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtickets.mail.classify import OwnAddresses, classify
from mailtickets.mail.message import Message
from mailtickets.mail.parse import decode_attachment, parse

OWN = OwnAddresses(frozenset({"support@desk.example"}))

LETTER = (
    b"Received: from mx.customer.example by mail.desk.example for <support@desk.example>; Mon, 4 Mar 2024 08:00:01 +0000\r\n"
    b"From: Ana Silva <ana@customer.example>\r\n"
    b"To: Acme Support <support@desk.example>, ben@customer.example\r\n"
    b"Cc: =?utf-8?q?Zo=C3=A9?= <zoe@customer.example>\r\n"
    b"Subject: Printer on fire\r\n"
    b"Message-ID: <m1@customer.example>\r\n"
    b"In-Reply-To: <m0@customer.example>\r\n"
    b"References: <root@customer.example>\r\n <m0@customer.example>\r\n"
    b"Date: Mon, 4 Mar 2024 09:00:00 +0100\r\n"
    b"MIME-Version: 1.0\r\n"
)
MIXED = (
    LETTER
    + b'Content-Type: multipart/mixed; boundary="outer"\r\n\r\npreamble\r\n'
    + b'--outer\r\nContent-Type: multipart/alternative; boundary="inner"\r\n\r\n'
    + b"--inner\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    + b"It burns, na=C3=AFvely.\r\n"
    + b"--inner\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n<p>It burns, na\xefvely.</p>\r\n--inner--\r\n\r\n"
    + b"--outer\r\nContent-Type: image/png; name=fire.png\r\nContent-Disposition: inline\r\nContent-ID: <fire@x>\r\n"
    + b"Content-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(bytes(range(256)) * 3).replace(b"\n", b"\r\n")
    + b"--outer--\r\nepilogue\r\n"
)


def mail(*fields: str, body: str = "Hello.\n") -> bytes:
    """Return a mail with some fields over a plain body; From, To and Subject are there unless given."""
    given_names = {field.partition(":")[0].lower() for field in fields}
    usual = {
        "from": "From: ana@customer.example",
        "to": "To: support@desk.example",
        "subject": "Subject: Help",
    }
    lines = [line for name, line in usual.items() if name not in given_names]
    return ("\n".join([*lines, *fields]) + "\n\n" + body).encode("utf-8", "surrogateescape")


def test_a_usual_mail_is_read_whole():
    """Every field of a well-formed mail is read."""
    message = parse(MIXED)

    assert message.subject == "Printer on fire"
    assert [one.address for one in message.from_] == ["ana@customer.example"]
    assert message.sender is not None
    assert (message.sender.name, message.sender_doubt) == ("Ana Silva", "")
    assert [one.address for one in message.to] == ["support@desk.example", "ben@customer.example"]
    assert message.cc[0].name == "Zoé"
    assert message.delivered_to == ("support@desk.example",)
    assert message.message_id == "<m1@customer.example>"
    assert message.in_reply_to == ("<m0@customer.example>",)
    assert message.references == ("<root@customer.example>", "<m0@customer.example>")
    assert message.date == datetime(2024, 3, 4, 8, tzinfo=UTC)
    assert message.text == "It burns, naïvely."
    assert message.html == "<p>It burns, naïvely.</p>"
    assert message.main_type == "multipart/mixed"
    assert message.received_count == 1
    assert message.size_bytes == len(MIXED)
    assert message.body_digest == hashlib.sha256(MIXED.partition(b"\r\n\r\n")[2].rstrip(b"\r\n")).digest()
    assert message.defects == ()


def test_an_attachment_is_a_slice_of_the_raw_mail():
    """An attachment names its encoded bytes, its exact size, and decodes to what was sent."""
    (attachment,) = parse(MIXED).attachments

    assert (attachment.name, attachment.content_type, attachment.inline) == ("fire.png", "image/png", True)
    assert attachment.content_id == "fire@x"
    assert attachment.size_bytes == 768
    assert decode_attachment(MIXED, attachment) == bytes(range(256)) * 3
    assert base64.b64decode(MIXED[attachment.start : attachment.end]) == bytes(range(256)) * 3


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(MIXED.replace(b"\r\n", b"\n"), id="LF"),
        pytest.param(MIXED.replace(b"\r\n", b"\r"), id="CR alone"),
        pytest.param(b"From ana@customer.example Mon Mar  4 08:00:00 2024\n" + MIXED, id="mbox line"),
        pytest.param(b"\r\n\r\n" + MIXED, id="blank lines first"),
        pytest.param(b"\xef\xbb\xbf" + MIXED, id="byte order mark"),
        pytest.param(MIXED.replace(b"Subject:", b"not a field\r\nSubject:"), id="a line that is no field"),
        pytest.param(MIXED.replace(b"Subject: ", b"Subject : "), id="space before the colon"),
    ],
)
def test_line_ends_and_foreign_lines_change_nothing(raw):
    """A mail reads the same however its lines end and whatever a mailbox wrote into its header."""
    message = parse(raw)

    assert message.subject == "Printer on fire"
    assert message.text == "It burns, naïvely."
    assert [decode_attachment(raw, one) for one in message.attachments] == [bytes(range(256)) * 3]


@pytest.mark.parametrize(
    ("field", "subject"),
    [
        ("=?utf-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("=?iso-8859-1?Q?Gr=FC=DFe_aus_K=F6ln?=", "Grüße aus Köln"),
        ("=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?=\n =?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?= b", "a b"),
        ("=?utf-8?B?44Ot44Kw44Kk?= =?utf-8?B?44Oz?=", "ログイン"),
        ("=?utf-8?Q?=E3=83?= =?utf-8?Q?=AD?=", "ロ"),  # a letter cut in two between words
        ("=?iso-2022-jp?B?GyRCJW0bKEI=?=", "ロ"),
        ("=?x-unknown?Q?plain?=", "plain"),
        ("=?utf-7?Q?+ADw-script+AD4-?=", "+ADw-script+AD4-"),
        ("=?utf-8*en?Q?hello?=", "hello"),
        ("=?utf-8?Q?two words?=", "two words"),
        ("=?utf-8?B?!!!!?=", ""),
        ("=?utf-8?q?broken", "=?utf-8?q?broken"),
        ("folded\n  line", "folded line"),
        ("a\tb", "a b"),
        ("[SUP-1]\u202egnp.exe", "[SUP-1]gnp.exe"),
        ("=?utf-8?Q?A=0D=0ABcc:_x@y.example?=", "A Bcc: x@y.example"),
        ("Grüße", "Grüße"),
        ("Gr\udcfc\udcdfe", "Grüße"),
    ],
)
def test_subject_is_decoded_to_one_clean_line(field, subject):
    """A subject is one line, decoded tolerantly, without control and direction marks."""
    assert parse(mail(f"Subject: {field}")).subject == subject


@pytest.mark.parametrize(
    ("field", "addresses", "sender", "doubt"),
    [
        ("ana@customer.example", ["ana@customer.example"], "ana@customer.example", ""),
        ('"Silva, Ana" <ana@customer.example>', ["ana@customer.example"], "ana@customer.example", ""),
        ("ana@customer.example (Ana)", ["ana@customer.example"], "ana@customer.example", ""),
        ("ana@customer.example <ana@customer.example>", ["ana@customer.example"], "ana@customer.example", ""),
        ("Ana [Sales] <ana@customer.example>", ["ana@customer.example"], "ana@customer.example", ""),
        ("<a..b.@mobile.example>", ["a..b.@mobile.example"], "a..b.@mobile.example", ""),
        # case 19
        ("", [], None, "no usable address in From"),
        ("<>", [], None, "no usable address in From"),
        # case 22
        (
            "Support: anna@desk.example, eve@evil.example;",
            ["anna@desk.example", "eve@evil.example"],
            None,
            "more than one address in From",
        ),
        ("Support: anna@desk.example;", ["anna@desk.example"], None, "From is a group"),
        # case 23
        (
            "anna@desk.example <eve@evil.example>",
            ["eve@evil.example"],
            "eve@evil.example",
            "From is not well formed: invalid display name",
        ),
        # case 25
        ("anna@desk.example@evil.example", [], None, "no usable address in From"),
        # case 26
        (
            "=?utf-8?Q?anna=40desk.example=3E?= <eve@evil.example>",
            ["eve@evil.example"],
            "eve@evil.example",
            "",
        ),
        # case 28
        (
            "Anna <\u0430nna@desk.example>",
            ["\u0430nna@desk.example"],
            "\u0430nna@desk.example",
            "the address in From has letters outside ASCII",
        ),
        ("Anna <anna@d\u0435sk.example>", ["anna@xn--dsk-rdd.example"], "anna@xn--dsk-rdd.example", ""),
        # RFC 3491 would make these anna's own domain; a sign that nobody sees would be left out where it is shown.
        *(
            (
                f"Anna <anna@{domain}>",
                [f"anna@{domain}"],
                f"anna@{domain}",
                "the address in From has letters outside ASCII",
            )
            for domain in (
                "\uff44esk.example",
                "des\u212a.example",
                "desk\u3002example",
                "stra\u00dfe.example",
            )
        ),
        ("Anna <an\u200bna@desk.example>", [], None, "no usable address in From"),
        ("Anna <anna@de\u00adsk.example>", [], None, "no usable address in From"),
        # case 34
        ("(" * 5000, [], None, "no usable address in From"),
        ("MAILER-DAEMON", ["MAILER-DAEMON"], None, "the address in From has no domain"),
        (
            "MAILER-DAEMON (Mail Delivery System)",
            ["MAILER-DAEMON"],
            None,
            "the address in From has no domain",
        ),
    ],
)
def test_the_sender_is_one_clear_mailbox_or_nobody(field, addresses, sender, doubt):
    """Cases 19 to 34: From names one mailbox beyond doubt, or the doubt is said."""
    message = parse(mail(f"From: {field}"))

    assert [one.address for one in message.from_] == addresses
    assert (message.sender.address if message.sender else None) == sender
    assert message.sender_doubt == doubt


def test_case_20_two_from_fields_name_nobody():
    """Case 20: of two From fields none is the sender, in whichever order."""
    for first, second in (
        ("anna@desk.example", "eve@evil.example"),
        ("eve@evil.example", "anna@desk.example"),
    ):
        message = parse(mail(f"From: {first}", f"From: {second}"))
        assert message.sender is None
        assert message.sender_doubt == "more than one From field"
        assert not classify(message, ours=False, own_addresses=OWN).answerable


def test_case_26_a_name_is_shown_defanged():
    """Case 26: an encoded display name may look like an address and stays a name."""
    sender = parse(mail("From: =?utf-8?Q?anna=40desk.example=3E=0D=0A?= <eve@evil.example>")).sender

    assert sender is not None
    assert (sender.name, sender.address) == ("anna@desk.example>", "eve@evil.example")


def test_case_29_letter_case_makes_no_other_person():
    """Case 29: ANNA is anna; a KELVIN SIGN is no k."""
    assert parse(mail("From: ANNA@DESK.EXAMPLE")).from_[0].key == "anna@desk.example"
    assert parse(mail("From: mi\u212ae@desk.example")).from_[0].key != "mike@desk.example"


def test_case_31_the_first_of_two_subjects_counts():
    """Case 31: a second Subject is passed over."""
    assert parse(mail("Subject: one", "Subject: two")).subject == "one"


@pytest.mark.parametrize(
    ("fields", "message_id"),
    [
        (["Message-ID: <a@b.example>"], "<a@b.example>"),
        (["Message-ID: <a@b.example>", "Message-Id: <a@b.example>"], "<a@b.example>"),
        (["Message-ID: <a@b.example>", "Message-ID: <c@d.example>"], ""),
        ([], ""),
        (["Message-ID: <[a]@x>"], ""),
        (["Message-ID: <" + "a" * 5000 + "@b.example>"], ""),
        (["Message-ID:\n <a@b\n .example>"], "<a@b.example>"),
        (["Message-ID: <a@[192.0.2.1]>"], "<a@[192.0.2.1]>"),
        (["Message-ID: a@b.example"], ""),
    ],
)
def test_case_32_an_id_is_canonical_or_empty(fields, message_id):
    """Case 32: an id that is missing, given twice, odd or endless is no id."""
    assert parse(mail(*fields)).message_id == message_id


def test_case_35_fifty_addresses_are_read():
    """Case 35: of 20,000 addresses in Cc 50 are read, and that is noted."""
    message = parse(mail("Cc: " + ",\n ".join(f"p{n}@customer.example" for n in range(20_000))))

    assert len(message.cc) == 50
    assert "more than 50 addresses in a field" in message.defects


def test_case_73_the_first_and_the_last_references_are_read():
    """Case 73: of 300 references the first and the last 50 are kept."""
    ids = [f"<{n}@customer.example>" for n in range(300)]
    message = parse(mail("References: " + "\n ".join(ids)))

    assert message.references == (ids[0], *ids[-50:])
    assert "300 references, the first and the last 50 read" in message.defects


def test_a_huge_field_hides_nothing_behind_it():
    """A To of 300 KB is cut, and the Subject behind it is read."""
    raw = (
        b"From: ana@customer.example\nTo: "
        + b"x@customer.example,\n " * 15_000
        + b"\nSubject: Here\n\nbody\n"
    )
    message = parse(raw)

    assert message.subject == "Here"
    assert "field To cut at 64 KB" in message.defects


def test_a_thousand_fields_are_read():
    """Of more than 1,000 header fields the first 1,000 are read, and the body is still the body."""
    message = parse(b"X: y\n" * 1500 + b"\nbody\n")

    assert len(message.headers) == 1000
    assert message.text == "body\n"
    assert "header cut" in message.defects


@pytest.mark.parametrize(
    "charset",
    [
        "undefined",
        "zlib_codec",
        "rot13",
        "idna",
        "x" * 5000,
        "utf-8\\0x",
        "unicode_escape",
        "../../etc/passwd",
    ],
)
def test_case_1_no_codec_outside_the_list_is_looked_up(charset):
    """Case 1: an unknown charset is read as UTF-8, then as Windows-1252, and noted."""
    utf8 = parse(mail(f'Content-Type: text/plain; charset="{charset}"', body="naïve\n"))
    latin = parse(mail(f'Content-Type: text/plain; charset="{charset}"', body="na\udcefve\n"))

    assert utf8.text == latin.text == "naïve\n"
    assert any(defect.startswith("unknown charset") for defect in utf8.defects)


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("iso-2022-jp", b"\x1b$B%m\x1b(B", "ロ"),
        ("us-ascii", b"\x1b$B%m\x1b(B", "ロ"),
        ("shift_jis", "ログ".encode("cp932"), "ログ"),
        ("gb2312", "订单".encode("gb18030"), "订单"),
        ("koi8-r", "Ошибка".encode("koi8-r"), "Ошибка"),
        ("iso-8859-1", b"1.234,50 \x80", "1.234,50 €"),
        ("us-ascii", "naïve".encode(), "naïve"),
        ("utf-8", b"na\xefve", "naïve"),
        ("utf-8", "naïve café \u2013".encode() + b"\xe2", "naïve café \u2013\ufffd"),
        ("utf-16", "naïve".encode("utf-16"), "naïve"),
        ("utf-8", b"a\x00b", "a\ufffdb"),
        ("utf-7", b"+ADw-script+AD4-", "+ADw-script+AD4-"),  # case 8
    ],
)
def test_a_body_is_decoded_as_its_writer_meant_it(charset, body, text):
    """Bodies come out readable in the charset that was declared, or that must have been meant."""
    raw = f"Content-Type: text/plain; charset={charset}\n\n".encode() + body

    assert parse(raw).text == text


def test_case_2_broken_base64_shows_what_decodes():
    """Case 2: foreign letters in base64 are passed over."""
    fields = ["Content-Type: text/plain", "Content-Transfer-Encoding: base64"]

    assert parse(mail(*fields, body="!!!!SGVs\n!!bG8=\n")).text == "Hello"
    assert parse(mail(*fields, body="SGVsbG8\n")).text == "Hello"
    assert parse(mail(*fields, body="!!!!\n")).defects[-1] == "text of which nothing can be decoded"


def test_case_4_two_hundred_parts_are_read():
    """Case 4: of 20,000 empty parts 200 are read, and that is noted."""
    message = parse(mail("Content-Type: multipart/mixed; boundary=b", body="--b\n\n\n" * 20_000 + "--b--\n"))

    assert "200 parts read, the rest not" in message.defects


@pytest.mark.parametrize("parameter", ["", '; boundary=""', "; boundary=" + "b" * 1000, "; boundary=other"])
def test_case_5_a_multipart_that_cannot_be_split_is_shown_whole(parameter):
    """Case 5: without a usable boundary the whole body is the text."""
    message = parse(mail(f"Content-Type: multipart/mixed{parameter}", body="--b\n\nHello.\n--b--\n"))

    assert message.text == "--b\n\nHello.\n--b--\n"
    assert any(defect.startswith("multipart") for defect in message.defects)


def test_parts_nested_too_deep_are_not_followed():
    """Parts are followed 20 levels deep, without recursion; what lies deeper is an attachment."""
    body = "".join(f"--b{n}\nContent-Type: multipart/mixed; boundary=b{n + 1}\n\n" for n in range(3000))
    message = parse(mail("Content-Type: multipart/mixed; boundary=b0", body=body))

    assert "parts nested deeper than 20" in message.defects


def test_a_hundred_attachments_are_named():
    """Of more attachments than 100 the first 100 are named."""
    part = "--b\nContent-Type: application/pdf; name=x.pdf\n\nx\n"
    message = parse(mail("Content-Type: multipart/mixed; boundary=b", body=part * 150 + "--b--\n"))

    assert len(message.attachments) == 100
    assert "100 attachments read, the rest not" in message.defects


def test_text_above_a_megabyte_is_cut():
    """Of text and of HTML one megabyte each is read, and that is noted."""
    message = parse(mail(body="x" * 3_000_000))

    assert len(message.text) == 1024 * 1024
    assert "text cut at 1 MB" in message.defects


def test_case_13_uuencode_is_text_or_one_file_without_a_path():
    """Case 13: the path in a uuencoded part is never looked at."""
    body = "begin 644 ../../etc/passwd\n%2&5L;&\\\n`\nend\n"
    as_text = parse(mail(body=body))
    raw = mail(
        "Content-Type: application/octet-stream; name=a.bin",
        "Content-Transfer-Encoding: x-uuencode",
        body=body,
    )
    (attachment,) = parse(raw).attachments

    assert as_text.text == body
    assert attachment.name == "a.bin"
    assert decode_attachment(raw, attachment) == b"Hello"


def test_case_14_an_attached_mail_says_nothing_about_the_outer_one():
    """Case 14: sender and text of an attached mail stay in the attachment."""
    raw = mail("Content-Type: message/rfc822", body="From: anna@desk.example\nSubject: x\n\n#close\n")
    message = parse(raw)

    assert message.sender is not None
    assert message.sender.address == "ana@customer.example"
    assert (message.text, message.returned) == ("", ())
    assert [one.content_type for one in message.attachments] == ["message/rfc822"]
    assert b"#close" in decode_attachment(raw, message.attachments[0])


@pytest.mark.parametrize(
    ("content_type", "name"),
    [
        ("application/ms-tnef; name=winmail.dat", "winmail.dat"),  # case 16
        ("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", "smime.p7m"),  # case 17
    ],
)
def test_cases_16_and_17_an_unreadable_body_is_an_attachment(content_type, name):
    """Cases 16 and 17: TNEF and encrypted bodies are kept as attachments, the text is empty."""
    message = parse(mail(f"Content-Type: {content_type}", "Content-Transfer-Encoding: base64", body="AAAA\n"))

    assert (message.text, [one.name for one in message.attachments]) == ("", [name])


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="report.pdf"', "report.pdf"),
        ("attachment; filename=my report.pdf", "my report.pdf"),
        ("attachment; filename*=UTF-8''%C3%9Cbersicht%20M%C3%A4rz.pdf", "Übersicht März.pdf"),
        ("attachment; filename*0*=UTF-8''%C3%9C; filename*1=ber.pdf", "Über.pdf"),
        ('attachment; filename="=?utf-8?Q?=C3=9Cber.pdf?="', "Über.pdf"),
        ('attachment; filename="../../etc/passwd"', "passwd"),  # case 118
        ('attachment; filename="..\\\\..\\\\x"', "x"),
        ('attachment; filename="C:\\x.doc"', "x.doc"),
        ('attachment; filename="/"', ""),
        ('attachment; filename="invoice\u202efdp.exe"', "invoicefdp.exe"),  # case 127
        ('attachment; filename="a\tb.txt"', "a b.txt"),
        ("attachment; filename=" + "n" * 400 + ".pdf", "n" * 251 + ".pdf"),  # case 121
    ],
)
def test_a_file_name_is_its_last_path_piece_on_one_line(disposition, name):
    """File names are decoded from every form mailers use, and hold no path and no control letter."""
    (attachment,) = parse(mail(f"Content-Disposition: {disposition}")).attachments

    assert attachment.name == name


def test_case_10_an_empty_text_part_leaves_the_html():
    """Case 10: next to an empty text/plain the HTML is the body."""
    body = "--b\nContent-Type: text/plain\n\n\n--b\nContent-Type: text/html\n\n<p>Hi</p>\n--b--\n"
    message = parse(mail("Content-Type: multipart/alternative; boundary=b", body=body))

    assert (message.text.strip(), message.html) == ("", "<p>Hi</p>")


def test_a_plain_footer_below_html_is_not_the_text():
    """A footer that a scanner puts below a body of HTML does not hide the body."""
    html, footer = "Content-Type: text/html\n\n<p>Hi</p>\n", "Content-Type: text/plain\n\nScanned <ok>\n"
    below = parse(mail("Content-Type: multipart/mixed; boundary=b", body=f"--b\n{html}--b\n{footer}--b--\n"))
    above = parse(mail("Content-Type: multipart/mixed; boundary=b", body=f"--b\n{footer}--b\n{html}--b--\n"))
    version = parse(
        mail("Content-Type: multipart/alternative; boundary=b", body=f"--b\n{html}--b\n{footer}--b--\n")
    )

    assert (version.text, version.html) == ("Scanned <ok>", "<p>Hi</p>")
    assert (below.text, below.html) == ("", "<p>Hi</p>\n<pre>Scanned &lt;ok&gt;</pre>")
    assert (above.text, above.html) == ("Scanned <ok>", "<p>Hi</p>")


def test_format_flowed_is_undone():
    """Flowed lines come out as paragraphs; quote marks, space-stuffing and the signature mark stay right (RFC 3676)."""
    body = "> quoted \n> text\nA paragraph \nin two lines.\n From here\n-- \nAna\n"
    message = parse(mail("Content-Type: text/plain; format=flowed", body=body))

    assert message.text == "> quoted text\nA paragraph in two lines.\nFrom here\n-- \nAna\n"


def test_flowed_text_with_delsp_loses_the_space():
    """DelSp=yes: the space at the end of a flowed line is no part of the text."""
    message = parse(mail("Content-Type: text/plain; format=flowed; delsp=yes", body="ログ \nイン\n"))

    assert message.text == "ログイン\n"


def test_a_closed_inner_multipart_of_the_same_boundary_loses_nothing():
    """A boundary that comes again after its end goes on: some mailers use one for two levels."""
    body = (
        "--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nHello.\n--b--\n"
        "--b\nContent-Type: image/gif; name=x.gif\n\nx\n--b--\n"
    )
    message = parse(mail("Content-Type: multipart/mixed; boundary=b", body=body))

    assert message.text.strip() == "Hello."
    assert [one.name for one in message.attachments] == ["x.gif"]


def test_a_longer_boundary_is_not_the_shorter_one():
    """An inner boundary that begins like the outer one does not end the outer part."""
    body = "--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\none\n--bb\n\ntwo\n--bb--\n--b--\n"

    assert parse(mail("Content-Type: multipart/mixed; boundary=b", body=body)).text == "one\ntwo"


@pytest.mark.parametrize(
    ("content_type", "method"),
    [
        ("text/calendar; method=REPLY", "REPLY"),
        ("text/calendar", "CANCEL"),
        ('text/calendar; method="RE\bPLY"', "REPLY"),  # a control sign is left out, as from every line
        ("multipart/mixed; boundary=b", ""),
        ("multipart/alternative; boundary=b", "COUNTER"),
    ],
)
def test_a_calendar_method_is_the_mails_own_word_only(content_type, method):
    """A calendar file that somebody attached is no answer to an invitation."""
    part = "--b\nContent-Type: text/calendar; method=counter\n\nBEGIN:VCALENDAR\n--b--\n"
    body = part if "boundary" in content_type else "BEGIN:VCALENDAR\nMETHOD:CANCEL\nEND:VCALENDAR\n"

    assert parse(mail(f"Content-Type: {content_type}", body=body)).calendar_method == method


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"\r", b"\x00", b"\xff\xfe", b":", b"From ", b"a", b"a:", b"\r\n\r\n", b"--"]
)
def test_scraps_are_mails_too(raw):
    """The smallest scraps give a Message."""
    assert isinstance(parse(raw), Message)


_CROSSED = [
    MIXED,
    mail("Return-Path: <>", "Subject: failure notice", body="<x@y.example>:\nuser unknown\n"),
    mail(
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
        body="--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@b.example\n"
        "Action: failed\nStatus: 5.1.1\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <a@b>\n\n--b--\n",
    ),
    mail(
        "Subject: Out of office",
        "Auto-Submitted: auto-replied",
        "Date: Mon, 4 Mar 2024 09:00:00 +0100",
        body="until 5 May\n",
    ),
]
_SPICE = st.sampled_from(
    [
        b"\x00",
        b"\r",
        b"\n\n",
        b"--b",
        b"--outer\n",
        b"=?utf-8?q?",
        b"?=",
        b'"',
        b"<",
        b">",
        b"(",
        b";",
        b"*0*=",
        b"\xff\xc3",
        b"%",
        b"\\",
        b"\x1b$B",
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    raw=st.sampled_from(_CROSSED),
    cuts=st.lists(
        st.tuples(st.integers(0, 1500), st.integers(0, 40), st.one_of(_SPICE, st.binary(max_size=12))),
        max_size=8,
    ),
)
def test_no_mutation_of_a_mail_breaks_the_mail_room(raw, cuts):
    """However a mail is mutated, parsing, classifying and reading its attachments raise nothing."""
    for position, length, spice in cuts:
        raw = raw[:position] + spice + raw[position + length :]
    message = parse(raw)
    verdict = classify(message, ours=False, own_addresses=OWN)

    assert not [defect for defect in message.defects if defect.startswith("unreadable")]
    assert message.size_bytes == len(raw)
    assert verdict.answerable is not bool(verdict.answer_reason)
    (message.text + message.html + message.subject).encode("utf-8")
    for attachment in message.attachments:
        assert 0 <= attachment.start <= attachment.end <= len(raw)
        assert isinstance(decode_attachment(raw, attachment), bytes)


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=400))
def test_any_bytes_are_a_mail(raw):
    """Any bytes at all give a Message."""
    assert parse(raw).size_bytes == len(raw)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=2000), width=st.sampled_from([57, 45, 3]))
def test_the_size_of_base64_is_reckoned_exactly(content, width):
    """The size named for a well-formed base64 part is that of its content."""
    lines = b"\r\n".join(base64.b64encode(content[n : n + width]) for n in range(0, len(content), width))
    raw = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines + b"\r\n"
    (attachment,) = parse(raw).attachments

    assert attachment.size_bytes == len(content)
    assert decode_attachment(raw, attachment) == content


def test_a_boundary_in_a_line_that_lost_its_space_is_read():
    """Some carriers fold a field without the space before its second line: the parts are found all the same."""
    message = parse(
        b"From: a@b.example\nContent-Type: multipart/mixed;\nboundary=x\n\n--x\n\nHello\n--x\nContent-Type: text/html\n\n<p>y\n--x--\n"
    )
    assert (message.text, message.html) == ("Hello", "<p>y")


def test_a_body_that_begins_with_an_assignment_is_a_body():
    """Only behind a semicolon a line goes on."""
    message = parse(b"From: a@b.example\nSubject: x\nname=value\n\ntext\n")
    assert "name=value" in message.text


def test_a_report_of_lines_that_continue_nothing_takes_no_time():
    """64 KB of lines that begin with a space, below one that is no field: each is passed once."""
    part = b"--b\nContent-Type: message/delivery-status\n\nx\n" + b" y\n" * 21_000
    raw = (
        b"From: MAILER-DAEMON@a.example\nContent-Type: multipart/report; boundary=b\n\n" + part + b"\n--b--\n"
    )
    started = time.process_time()
    assert parse(raw).report == ()
    assert time.process_time() - started < 5  # it took more than a minute


def test_fields_behind_lines_that_continue_nothing_are_read():
    """What is no field costs the fields behind it nothing."""
    part = b"--b\nContent-Type: message/delivery-status\n\nx\n y\n z\nAction: failed\nFinal-Recipient: rfc822; a@b.example\n"
    message = parse(b"Content-Type: multipart/report; boundary=b\n\n" + part + b"--b--\n")
    assert message.report[0]["action"] == "failed"


@pytest.mark.parametrize("sign", ["\u202e", "\u2028", "\u2066", "\u200b"])
def test_an_address_with_signs_that_nobody_sees_is_none(sign):
    """Direction marks and line separators in an address would make it look like another; in a list they break its line."""
    message = parse(f"From: ana{sign}@customer.example\nTo: ben@x{sign}y.example, c@d.example\n\nx".encode())
    assert message.sender is None
    assert [one.address for one in message.to] == ["c@d.example"]


def test_a_uuencoded_file_is_never_larger_than_its_text():
    """A line of one letter may stand for 63 bytes: they are not made up without end."""
    raw = b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n" + b"_\n" * 1000
    assert 0 < len(parse(raw).text) <= len(raw)


def test_a_charset_of_strange_signs_is_named_in_few_letters():
    """What stands in a history stays readable: 60 signs beyond the first plane would be 600 letters of escapes."""
    label = "\U000e0041" * 60
    message = parse(f"From: a@b.example\nContent-Type: text/plain; charset={label}\n\nx".encode())
    assert len(next(one for one in message.defects if one.startswith("unknown charset"))) <= 80


def test_a_trace_field_with_escapes_names_nobody():
    """An address in Delivered-To or Received is shown and compared: with an escape in it, it is none."""
    message = parse(
        b"Delivered-To: ana@customer\x1b[2J.example\nDelivered-To: ben@customer.example\n"
        b"Received: by x for <a\x1bb@c.example>; today\n\nx"
    )
    assert message.delivered_to == ("ben@customer.example",)
