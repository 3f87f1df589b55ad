"""Heads that no value can break, bodies that come out the same every time, attachments cut from originals."""

from __future__ import annotations

import base64
import hashlib
import quopri
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtickets.mail.compose import (
    KEY_PLACEHOLDER,
    Body,
    Head,
    HeaderUnsafe,
    Letter,
    Piece,
    Slice,
    assemble,
    body_size,
    clean_line,
    compose_body,
    compose_head,
    display_name,
    dump_body,
    file_name,
    load_body,
)
from mailtickets.mail.heads import MAX_SUBJECT
from mailtickets.mail.message import Address, Attachment

HEAD = Head(
    from_=Address("support@desk.example", "Acme Support"),
    to=(Address("ana@customer.example", "Ana Lima"),),
    message_id="<1042.1@desk.example>",
    date=datetime(2026, 11, 24, 10, 0, tzinfo=UTC),
)
FIELDS = ["Date", "From", "To", "Subject", "Message-ID"]
LETTER = Letter("Printer on fire", "Hello\n", "<p>Hello</p>")


def fields(raw):
    parsed = message_from_bytes(raw + b"\r\n", policy=policy.compat32)
    return {name: value.replace("\r\n", "") for name, value in parsed.items()}


def decoded(value):
    return str(make_header(decode_header(value)))


def nothing(digest):
    raise AssertionError(digest)


def whole(letter, key="", originals=nothing, head=HEAD):
    return assemble(compose_head(head, letter.subject), compose_body(letter), key, originals)


def leaves(raw):
    parsed = message_from_bytes(raw, policy=policy.default)
    assert not [part.defects for part in parsed.walk() if part.defects]
    return [part for part in parsed.walk() if not part.is_multipart()]


# --- heads ----------------------------------------------------------------------------------------

# What breaks header writers: line ends, encoded-words, controls, quotes, and letters of all kinds.
hostile = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(
            ["\r\nBcc: x@y.example", "\n\n", "=?UTF-8?Q?=0A?=", "=?", "?=", '"', "\\", ",", "<a@b.example>"]
        ),
        st.sampled_from(
            [
                "\u202e",
                "\u200b",
                "\x00",
                "\x7f",
                "\x85",
                "\u2028",
                "\ud800",
                "(",
                ")",
                ";",
                ":",
                "日本",
                "é",
                "🔥",
            ]
        ),
        st.sampled_from(["x" * 90, "é" * 90, " ", "_", "="]),
    ),
    max_size=8,
).map("".join)


@given(hostile)
def test_any_subject_reads_back_cleaned_and_adds_no_field(subject):
    """Whatever stands in a subject, the head has the same fields and the subject is the cleaned one."""
    raw = compose_head(HEAD, subject)
    read = fields(raw)
    wanted = clean_line(subject, MAX_SUBJECT)
    assert [name for name in FIELDS if wanted or name != "Subject"] == list(read)
    assert decoded(read.get("Subject", "")) == wanted
    assert max(map(len, raw.split(b"\r\n"))) <= MAX_SUBJECT + len("Subject: ")
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")


@given(hostile, hostile)
def test_any_display_name_reads_back_cleaned_beside_its_address(one, other):
    """Names of any letters keep to their own mailbox, and the addresses stay as they are."""
    head = replace(
        HEAD,
        from_=Address("support@desk.example", one),
        to=(Address("a@b.example", other), Address("c@d.example", one)),
    )
    read = fields(compose_head(head, "x"))
    mailboxes = [(decoded(name), address) for name, address in getaddresses([read["To"]])]
    assert mailboxes == [(display_name(other), "a@b.example"), (display_name(one), "c@d.example")]
    assert list(read) == FIELDS


@given(st.lists(hostile, max_size=6).map(tuple), hostile)
def test_any_reference_of_a_stranger_leaves_the_other_fields_alone(ids, parent):
    """Ids that are none are left out; nothing of them gets into another field."""
    read = fields(compose_head(replace(HEAD, references=ids, in_reply_to=parent), "x"))
    assert set(read) <= {*FIELDS, "References", "In-Reply-To"}
    assert all(one in ids for one in read.get("References", "").split())


@given(st.text())
def test_cleaning_twice_is_cleaning_once(value):
    """A cleaned value is a fixed point."""
    once = clean_line(value)
    assert clean_line(once) == once
    assert "=?" not in once


def test_case_113_subject_that_decodes_to_a_line_end_stays_one_line():
    """CR LF `Bcc:` out of an encoded-word is text in the subject, not a field."""
    read = fields(compose_head(HEAD, "Printer\r\nBcc: eve@evil.example"))
    assert read["Subject"] == "Printer Bcc: eve@evil.example"
    assert list(read) == FIELDS


def test_case_115_non_ascii_subject_that_ends_in_a_line_end_leaves_head_and_body_intact():
    """The line end that once ended the head block is gone."""
    raw = whole(replace(LETTER, subject="Drucker brännt\n"))
    assert fields(raw)["Subject"] == "Drucker =?utf-8?q?br=C3=A4nnt?="
    assert leaves(raw)[0].get_content().replace("\r\n", "\n") == "Hello\n"


def test_case_116_long_name_with_invisible_signs_is_cut_to_64_characters():
    """10 KB of name with bidi overrides and zero-width signs becomes 64 plain characters."""
    name = "\u202egnp.\u200bevil" * 1000
    read = fields(compose_head(replace(HEAD, to=(Address("ana@customer.example", name),)), "x"))
    [(shown, address)] = getaddresses([read["To"]])
    assert address == "ana@customer.example"
    assert shown == ("gnp.evil" * 10)[:64]


def test_a_subject_word_that_needs_encoding_does_not_take_the_tag_with_it():
    """Only the words from the first to the last odd one are encoded, so the tag stays readable."""
    assert b"Subject: [SUP-1042] =?utf-8?q?Caf=C3=A9?= closed\r\n" in compose_head(
        HEAD, "[SUP-1042] Café closed"
    )


@pytest.mark.parametrize("subject", ["日本語" * 70, "é" * 240, "🔥" * 240, "a é " * 60])
def test_encoded_words_are_short_and_never_split_a_character(subject):
    """RFC 2047 section 2: at most 75 characters each; section 5: each decodes by itself."""
    raw = compose_head(HEAD, subject)
    for line in raw.decode().split("\r\n"):
        for word in line.split():
            if word.startswith("=?"):
                assert len(word) <= 75
                [(part, charset)] = decode_header(word)
                part.decode(charset)
    assert decoded(fields(raw)["Subject"]) == clean_line(subject, MAX_SUBJECT)


def test_references_are_folded_between_ids_and_never_encoded():
    """Long lists keep the first id and the last twenty, one line each at most 78."""
    ids = tuple(f"<{number}.{'x' * 50}@mail.customer.example>" for number in range(40))
    raw = compose_head(replace(HEAD, references=ids, in_reply_to=ids[-1]), "x")
    assert fields(raw)["References"].split() == [ids[0], *ids[-20:]]
    assert b"=?" not in raw
    assert max(len(line) for line in raw.split(b"\r\n")) <= 98  # an id of 77 with the field's name before it


def test_an_id_of_850_letters_has_a_line_of_its_own():
    """The aim of 78 yields to the id; the limit of 998 does not."""
    long = f"<{'x' * 850}@customer.example>"
    raw = compose_head(replace(HEAD, references=("<first@desk.example>", long)), "x")
    assert f"\r\n {long}\r\n".encode() in raw


def test_ids_that_cannot_be_written_are_left_out():
    """A stranger's broken ids cost only themselves."""
    ids = (
        "<a@b.example>",
        "no id",
        "<a b@c.example>",
        "<é@x.example>",
        "<a@b.example>",
        "<=?x?=@y.example>",
        f"<{'x' * 2000}@z>",
    )
    assert fields(compose_head(replace(HEAD, references=ids), "x"))["References"] == "<a@b.example>"


def test_automatic_mail_says_so_and_human_mail_does_not():
    """Auto-Submitted, the Exchange field and the loop field stand on what a machine wrote (RFC 3834 section 5)."""
    head = replace(HEAD, auto_submitted="auto-replied", loop="1-abcdefghij234567")
    read = fields(compose_head(head, "x"))
    assert (read["Auto-Submitted"], read["X-Auto-Response-Suppress"], read["X-Mailtickets-Loop"]) == (
        "auto-replied",
        "All",
        "1-abcdefghij234567",
    )
    assert list(fields(compose_head(HEAD, "x"))) == FIELDS


def test_date_has_the_form_of_rfc_5322_in_the_zone_given():
    """Section 3.3: day, date, time, offset."""
    date = datetime(2026, 11, 24, 11, 0, tzinfo=timezone(timedelta(hours=1)))
    assert fields(compose_head(replace(HEAD, date=date), "x"))["Date"] == "Tue, 24 Nov 2026 11:00:00 +0100"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": (Address("ana@customer.example\r\nBcc: x@y.example"),)}, "To"),
        ({"to": (Address("ana@customer.example, eve@evil.example"),)}, "To"),
        ({"to": (Address("=?utf-8?q?x?=@evil.example"),)}, "To"),
        ({"cc": (Address("jörg@köln.example"),)}, "Cc"),
        ({"reply_to": Address("support+x")}, "Reply-To"),
        ({"from_": Address("")}, "From"),
        ({"message_id": "1042@desk.example"}, "Message-ID"),
        ({"auto_submitted": "auto-replied\r\nX: y"}, "Auto-Submitted"),
        ({"loop": "a b"}, "X-Mailtickets-Loop"),
        ({"extra": (("Bcc", "eve@evil.example"),)}, "Bcc"),
        ({"extra": (("X-A\r\nBcc", "y"),)}, "X-A\r\nBcc"),
        ({"extra": (("Content-Type", "text/html"),)}, "Content-Type"),
    ],
)
def test_a_head_that_cannot_be_written_safely_is_refused_and_names_the_field(change, field):
    """HeaderUnsafe says which field and why; nothing half-safe is returned."""
    with pytest.raises(HeaderUnsafe) as caught:
        compose_head(replace(HEAD, **change), "x")
    assert caught.value.field == field


def test_utf8_address_is_kept_only_where_the_server_takes_it():
    """RFC 6532: the address stands as UTF-8, never transliterated, never encoded."""
    head = replace(HEAD, to=(Address("jörg@köln.example", "Jörg"),), smtputf8=True)
    raw = compose_head(head, "x")
    assert "<jörg@köln.example>".encode() in raw
    with pytest.raises(HeaderUnsafe):
        compose_head(replace(head, smtputf8=False), "x")


def test_extra_fields_are_cleaned_and_folded():
    """An own field takes any text and stays one field."""
    extra = (("X-Why", "loop\r\nBcc: é"), ("X-Empty", "\n"), ("X-Why", "again"))
    parsed = message_from_bytes(compose_head(replace(HEAD, extra=extra), "x"))
    assert [decoded(value) for value in parsed.get_all("X-Why")] == ["loop Bcc: é", "again"]
    assert parsed.keys() == [*FIELDS, "X-Why", "X-Why"]


# --- our own text ---------------------------------------------------------------------------------


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_comes_back_from_the_mail_as_it_was_written(text, page):
    """Text and HTML survive encoding; lines are short, and nothing is base64."""
    letter = Letter("x", text, page)
    raw = whole(letter)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 78
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"base64" not in raw
    parts = leaves(raw)
    for part, written in zip(parts, (text, page), strict=False):
        payload = part.get_payload(decode=True).decode().replace("\r\n", "\n")
        wanted = written.replace("\r\n", "\n").replace("\r", "\n")
        wanted = "".join(
            letter for letter in wanted if letter in "\t\n" or not (ord(letter) < 32 or ord(letter) == 127)
        )
        assert payload.rstrip("\n") == wanted.rstrip("\n")


def test_short_ascii_text_travels_as_it_is():
    """No encoding where none is needed: people read it in a log."""
    assert b"Content-Transfer-Encoding: 7bit\r\n\r\nHello Ana,\r\n\r\nall is well.\r\n" in whole(
        Letter("x", "Hello Ana,\n\nall is well.")
    )


@pytest.mark.parametrize("line", ["From me", ".", "trailing ", "x" * 77, "é"])
def test_a_line_that_servers_change_is_encoded(line):
    """Quoted-printable guards From lines, lonely dots, spaces at the end, long lines and letters."""
    raw = whole(Letter("x", f"a\n{line}\nb"))
    assert b"quoted-printable" in raw
    assert f"\r\n{line}\r\n".encode() not in raw
    assert leaves(raw)[0].get_content().replace("\r\n", "\n") == f"a\n{line}\nb\n"


def test_the_same_letter_makes_the_same_bytes_and_another_letter_another_boundary():
    """Every attempt to send has the same bytes; no chance is involved."""
    assert compose_body(LETTER) == compose_body(LETTER)
    first, other = (
        message_from_bytes(whole(one)).get_boundary() for one in (LETTER, replace(LETTER, text="Hello!\n"))
    )
    assert first != other


@pytest.mark.parametrize(
    "text", [f"Ref: {KEY_PLACEHOLDER}\n", f"{'x' * 200} {KEY_PLACEHOLDER} é\n", KEY_PLACEHOLDER]
)
@pytest.mark.parametrize("key", ["", "t1-1042-abcdefghij234567", "k" * 500])
def test_a_key_of_any_length_takes_its_place_without_a_long_line(text, key):
    """One body serves several agents; the key is put in afterwards."""
    raw = whole(Letter("x", text, f"<p>{text}</p>"), key=key)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert KEY_PLACEHOLDER.encode() not in raw
    plain, page = leaves(raw)
    assert plain.get_content().replace("\r\n", "\n").rstrip("\n") == text.replace(
        KEY_PLACEHOLDER, key
    ).rstrip("\n")
    assert page.get_content().replace("\r\n", "\n").rstrip(
        "\n"
    ) == f"<p>{text.replace(KEY_PLACEHOLDER, key)}</p>".rstrip("\n")


@pytest.mark.parametrize("key", ["a=b", "a b", "a\r\nb", "<a>", "é"])
def test_a_key_that_mail_would_have_to_encode_is_refused(key):
    """Only our own keys go in, and they are plain."""
    with pytest.raises(ValueError, match="reply key"):
        whole(LETTER, key=key)


def test_plain_mail_has_one_part_and_html_a_second():
    """multipart/alternative only where there are two."""
    assert message_from_bytes(whole(Letter("x", "hi"))).get_content_type() == "text/plain"
    parsed = message_from_bytes(whole(LETTER))
    assert parsed.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in parsed.get_payload()] == ["text/plain", "text/html"]


# --- attachments ----------------------------------------------------------------------------------

PHOTO = bytes(range(256)) * 40


def original_of(content, encoding="base64", line_end=b"\n", **values):
    """Return an original that holds an encoded attachment, and the piece that names it."""
    encoded = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(
        content
    )
    raw = b"Subject: x\n\nbefore\n" + encoded + b"\n--after"
    start = len(b"Subject: x\n\nbefore\n")
    end = start + len(encoded)
    if line_end != b"\n":
        end += raw[start:end].count(b"\n") * (len(line_end) - 1)
        start += raw[:start].count(b"\n") * (len(line_end) - 1)
        end += start - len(b"Subject: x\n\nbefore\n")
        raw = raw.replace(b"\n", line_end)
    attachment = Attachment(
        **{
            "name": "photo.jpg",
            "content_type": "image/jpeg",
            "start": start,
            "end": end,
            "encoding": encoding,
            **values,
        }
    )
    return raw, Piece(hashlib.sha256(raw).digest(), attachment)


@pytest.mark.parametrize("encoding", ["base64", "7bit", "8bit", "binary", "x-uuencode", "quoted-printable"])
def test_attachment_arrives_byte_for_byte(encoding):
    """Whatever the encoding in the original, the content is the same."""
    content = b"text with = and\n\xc3\xa9 in it\n" if encoding == "quoted-printable" else PHOTO
    raw, piece = original_of(content, encoding)
    mail = whole(replace(LETTER, attached=(piece,)), originals={piece.digest: raw}.__getitem__)
    *_, part = leaves(mail)
    assert part.get_payload(decode=True).replace(b"\r\n", b"\n").rstrip(b"\n") == content.replace(
        b"\r\n", b"\n"
    ).rstrip(b"\n")
    assert part.get_filename() == "photo.jpg"
    assert b"\n" not in mail.replace(b"\r\n", b"")


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_base64_is_spliced_as_it_is_with_proper_line_ends(line_end):
    """No decoding and encoding again of what already fits a mail."""
    raw, piece = original_of(PHOTO, line_end=line_end)
    body = compose_body(replace(LETTER, attached=(piece,)))
    assert [one.transform for one in body.segments if isinstance(one, Slice)] == ["as-is"]
    assert base64.encodebytes(PHOTO).replace(b"\n", b"\r\n") in assemble(
        b"", body, "", {piece.digest: raw}.__getitem__
    )


@pytest.mark.parametrize(
    "encoded",
    [
        base64.b64encode(PHOTO),
        base64.encodebytes(PHOTO).replace(b"\n", b"\r"),
        b"\xff" + base64.b64encode(PHOTO),
    ],
)
def test_base64_that_no_server_must_carry_is_put_into_clean_lines(encoded):
    """One line of 14 KB, bare CR, and 8-bit rubbish become lines of 76 with the same content."""
    piece = Piece(b"d" * 32, Attachment("a", "image/png", 0, len(encoded), "base64"))
    mail = whole(replace(LETTER, attached=(piece,)), originals=lambda _: encoded)
    assert max(len(line) for line in mail.split(b"\r\n")) <= 78
    assert b"\r" not in mail.replace(b"\r\n", b"")
    assert leaves(mail)[-1].get_payload(decode=True) == PHOTO


def test_quoted_printable_with_endless_lines_is_encoded_again():
    """A line above 998 is broken softly, its content kept."""
    encoded = b"x" * 3000 + b"=C3=A9\n\xe9"
    piece = Piece(b"d" * 32, Attachment("a.txt", "text/plain", 0, len(encoded), "quoted-printable"))
    mail = whole(replace(LETTER, attached=(piece,)), originals=lambda _: encoded)
    assert max(len(line) for line in mail.split(b"\r\n")) <= 78
    assert leaves(mail)[-1].get_payload(decode=True) == b"x" * 3000 + b"\xc3\xa9\r\n\xe9"


def test_inline_picture_stands_beside_the_page_that_shows_it():
    """multipart/related within the alternative; the Content-ID is kept, so `cid:` finds it."""
    raw, piece = original_of(PHOTO, content_id="p1@mail.example", inline=True)
    letter = replace(LETTER, html='<img src="cid:p1@mail.example">', inline=(piece,))
    parsed = message_from_bytes(whole(letter, originals={piece.digest: raw}.__getitem__))
    assert parsed.get_content_type() == "multipart/alternative"
    related = parsed.get_payload()[1]
    assert related.get_content_type() == "multipart/related"
    assert related.get_payload()[1]["Content-ID"] == "<p1@mail.example>"
    assert related.get_payload()[1].get_content_disposition() == "inline"


@pytest.mark.parametrize(
    "values",
    [
        {"content_type": "image/svg+xml", "content_id": "x@y"},
        {"content_type": "text/html", "content_id": "x@y"},
        {"content_id": "a\r\nX: b"},
    ],
)
def test_what_could_hold_a_script_or_a_field_is_never_shown_inline(values):
    """SVG, HTML and broken Content-IDs travel as attachments."""
    raw, piece = original_of(PHOTO, inline=True, **values)
    mail = whole(replace(LETTER, inline=(piece,)), originals={piece.digest: raw}.__getitem__)
    assert leaves(mail)[-1].get_content_disposition() == "attachment"
    assert "X" not in leaves(mail)[-1]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\x.txt", "x.txt"),
        ("C:\\x.txt", "x.txt"),
        ("\u200b.htaccess", "htaccess"),
        (".", "attachment.jpg"),
        ("", "attachment.jpg"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\r\nContent-Type: text/html\r\n.jpg", "html .jpg"),
        ("日" * 300 + ".pdf", "日" * 146 + ".pdf"),
        ('say "cheese" \\ =?x.jpg', "= ?x.jpg"),
        ('say "cheese" =?x.jpg', 'say "cheese" = ?x.jpg'),
        ("Übersicht für Zoë.xlsx", "Übersicht für Zoë.xlsx"),
        ("x" * 100 + ".txt", "x" * 100 + ".txt"),
    ],
)
def test_attachment_name_is_the_last_path_piece_cleaned(given, shown):
    """The shown name reads back exactly, in whatever form of RFC 2231 it was written."""
    raw, piece = original_of(PHOTO, name=given)
    assert file_name(piece.attachment) == shown
    mail = whole(replace(LETTER, attached=(piece,)), originals={piece.digest: raw}.__getitem__)
    part = message_from_bytes(mail).get_payload()[-1]
    assert part.get_filename() == shown
    assert max(len(line) for line in mail.split(b"\r\n")) <= 80


@given(st.text(max_size=200))
def test_any_attachment_name_keeps_to_its_part(name):
    """No name adds a field or a part."""
    piece = Piece(b"d" * 32, Attachment(name, "text/plain", 0, 0))
    part = leaves(whole(replace(LETTER, attached=(piece,)), originals=lambda _: b""))[-1]
    assert part.keys() == ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition"]
    assert len(file_name(piece.attachment)) <= 150


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("IMAGE/PNG", "image/png"),
        ("text/html", "text/html"),
        ("no type", "application/octet-stream"),
        ("text/plain\r\nBcc: x@y.example", "application/octet-stream"),
        ("message/rfc822", "application/octet-stream"),
        ("multipart/mixed", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_content_type_is_two_tokens_or_opaque(given, sent):
    """A stranger's type is written only where it is one; parts of our mail are never theirs to nest."""
    raw, piece = original_of(PHOTO, content_type=given, name="a")
    part = leaves(whole(replace(LETTER, attached=(piece,)), originals={piece.digest: raw}.__getitem__))[-1]
    assert part.get_content_type() == sent
    assert part.get_content_disposition() == "attachment"


def test_attached_mail_keeps_a_name_that_opens_it():
    """As opaque bytes it needs the ending .eml."""
    assert file_name(Attachment("Fwd: offer", "message/rfc822", 0, 0)) == "Fwd: offer.eml"


def test_each_original_is_read_once():
    """Ten attachments of one mail cost one look into the store."""
    raw, piece = original_of(PHOTO)
    asked = []
    whole(replace(LETTER, attached=(piece,) * 10), originals=lambda digest: asked.append(digest) or raw)
    assert asked == [piece.digest]


# --- the stored form ------------------------------------------------------------------------------


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.builds(
                Slice,
                st.binary(min_size=32, max_size=32),
                st.integers(0, 2**40),
                st.integers(0, 2**40),
                st.sampled_from(["as-is", "base64"]),
            ),
        ),
        max_size=6,
    )
)
def test_a_stored_body_is_the_same_body(segments):
    """What the outbox holds makes the same bytes again."""
    body = Body(tuple(segments))
    assert load_body(dump_body(body)) == body


def test_size_of_a_body_is_known_without_its_originals():
    """Exact for encoded slices, and for as-is slices with CRLF."""
    for encoding, line_end in (("binary", b"\n"), ("base64", b"\r\n")):
        raw, piece = original_of(PHOTO, encoding, line_end)
        body = compose_body(replace(LETTER, attached=(piece,)))
        assert body_size(body) == len(assemble(b"", body, "", {piece.digest: raw}.__getitem__))
