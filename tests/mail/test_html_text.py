"""HTML of mails as plain text: readable, with quotes marked, and bounded whatever comes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtickets.mail.html_text import html_to_text, link_note
from mailtickets.mail.html_tree import MAX_DEPTH, TooComplexError, read_tree, strip_tags, write_tree
from mailtickets.mail.visible_text import visible_text

PAGES = {
    "paragraphs": ("<p>One</p><p>Two<br>three</p>", "One\n\nTwo\nthree"),
    "lines of divs": ("<div>a</div><div>b</div><div><br></div><div>c</div>", "a\nb\n\nc"),
    "line break at the end of a block": ("<div>a<br></div><div>b</div>", "a\nb"),
    "outlook paragraphs": ("<p class=MsoNormal>a<o:p></o:p></p><p class=MsoNormal>b</p>", "a\nb"),
    "outlook empty paragraph": (
        "<p class=MsoNormal>a</p><p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>b</p>",
        "a\n\nb",
    ),
    "white space": ("<p>\n  a \n b  <b> c</b>\t</p>", "a b c"),
    "words of neighbours": ("<span>a</span><span>b</span> <i>c</i>.", "ab c."),
    "no-break spaces": ("a&nbsp;&nbsp;b", "a  b"),
    "list": ("<ul><li>x</li><li>y<ol><li>p</li><li>q</li></ol></li></ul>z", "- x\n- y\n  1. p\n  2. q\n\nz"),
    "list of paragraphs": ("<ol><li><p>a</p><p>b</p></li><li><p>c</p></li></ol>", "1. a\n\n   b\n2. c"),
    "table": (
        "<table><tr><th>Name</th><th>Age</th></tr><tr><td><p>Ana</p></td><td><p>30</p></td></tr></table>",
        "Name | Age\nAna | 30",
    ),
    "header table": (
        "<table><tr><td>From:</td><td>Ana</td></tr><tr><td>To:</td><td>Kim</td></tr></table>",
        "From: Ana\nTo: Kim",
    ),
    "layout table": ("<table><tr><td><p>a</p><p>b</p></td><td>c</td></tr></table>", "a\n\nb\nc"),
    "preformatted": ("<pre>a\n  b\n\nc</pre>d", "a\n  b\n\nc\n\nd"),
    "link": ('<a href="https://x.example/a">here</a>', "here <https://x.example/a>"),
    "link that says itself": ('<a href="https://x.example/">x.example</a>', "x.example"),
    "address": ('<a href="mailto:ana@customer.example">ana@customer.example</a>', "ana@customer.example"),
    "named address": (
        '<a href="mailto:ana@customer.example?subject=x">Ana</a>',
        "Ana <ana@customer.example>",
    ),
    "script link": ('<a href="javascript:alert(1)">here</a>', "here"),
    "picture": ('see <img src="cid:1" alt="screen.png">', "see [screen.png]"),
    "emoji picture": ('hi <img src="https://x.example/1.png" alt="🙂">', "hi 🙂"),
    "rule": ("a<hr>b", "a\n________________________________\nb"),
    "unseen": (
        "<head><title>t</title></head><style>p{}</style><script>x()</script><p style='display: none'>h</p>v",
        "v",
    ),
    "comment": ("a<!-- secret --><!--[if mso]>x<![endif]-->b", "ab"),
    "entities": ("&lt;b&gt; &amp; &eacute; &#8364; &#x41;", "<b> & é € A"),
    "xml declaration": ('<?xml version="1.0" encoding="utf-16"?><p>é</p>', "é"),
    "meta charset": ('<meta charset="iso-8859-1"><p>é€</p>', "é€"),
    "nul and surrogate": ("<p>a\0b\ud800c</p>", "ab?c"),
    "quote": ("a<blockquote><p>b</p><p>c</p></blockquote>d", "a\n\n> b\n>\n> c\n\nd"),
    "quote in a quote": ("<blockquote>a<blockquote>b</blockquote></blockquote>", "> a\n>\n> > b"),
    "indented paragraph": (
        'a<blockquote style="margin:0 0 0 40px;border:none;padding:0px">b</blockquote>',
        "a\n\nb",
    ),
    "our notice": ('a<div class="x_mailtickets-notice">b</div>', "a\n> b"),
    "empty": ("", ""),
    "plain": ("no tags at all", "no tags at all"),
}


@pytest.mark.parametrize(("html", "text"), PAGES.values(), ids=PAGES)
def test_html_becomes_text(html, text):
    """Each kind of element comes out as a person would write it."""
    assert html_to_text(html) == text


ANSWERS = {
    "gmail": '<div>Yes.</div><div class="gmail_quote"><div class="gmail_attr">On 3 May 2024 Kim &lt;<a href="mailto:k@d.example">'
    'k@d.example</a>&gt; wrote:<br></div><blockquote class="gmail_quote">Is it on?</blockquote></div>',
    "apple": "Yes.<br><div><blockquote type='cite'><div>On 3 May 2024, at 10:12, Kim &lt;k@d.example&gt; wrote:</div>Is it on?</blockquote></div>",
    "thunderbird": "<div class='moz-cite-prefix'>On 03.05.24 10:12, Kim wrote:<br></div><blockquote type='cite'>Is it on?</blockquote><p>Yes.</p>",
    "outlook": '<p class=MsoNormal>Yes.</p><div style="border:none;border-top:solid #E1E1E1 1.0pt"><p class=MsoNormal><b>From:</b> Kim<br>'
    "<b>Sent:</b> Friday<br><b>To:</b> Ana<br><b>Subject:</b> Printer</p></div><p>Is it on?</p>",
    "outlook web": '<div>Yes.</div><hr><div id="divRplyFwdMsg"><b>Von:</b> Kim &lt;k@d.example&gt;<br><b>Gesendet:</b> Freitag<br>'
    "<b>An:</b> Ana<br><b>Betreff:</b> Drucker</div><div>Is it on?</div>",
    "outlook, unknown language": '<div>Yes.</div><div id="divRplyFwdMsg"><b>Bho:</b> Kim &lt;k@d.example&gt;<br><b>Air:</b> Dihaoine<br>'
    "<b>Gu:</b> Ana<br><b>Cuspair:</b> x</div><div>Is it on?</div>",
    "yahoo": '<div>Yes.</div><div class="yahoo_quoted"><div>On Friday, 3 May 2024 at 10:12:00 GMT, Kim &lt;k@d.example&gt; wrote:</div>'
    "<div>Is it on?</div></div>",
    "mail.ru": "<p>Yes.</p><br>Fri, 03 May 2024 14:00:51 +0400 от Kim &lt;k@d.example&gt;:<br><blockquote>Is it on?</blockquote>",
}


@pytest.mark.parametrize("html", ANSWERS.values(), ids=ANSWERS)
def test_quotes_of_mail_programs_are_seen_in_html(html):
    """The text of an HTML answer shows its quote so that it can be cut."""
    assert visible_text(html_to_text(html)).text == "Yes."


HOSTILE = {
    "unclosed comments": "<!--" * 40_000 + "end",
    "comments behind text": "<p>a</p>" + "<!--" * 40_000,
    "open tags": "x" + "<a " * 20_000,
    "nested divs": "<div>" * 100_000 + "deep" + "</div>" * 100_000,
    "stray end tags": "<div>" * 290 + "</i>" * 200_000 + "x",
    "deep and stray": "<div>" * 1900 + "<b></i>" * 100_000 + "x",
    "cdata": "<![CDATA[" * 18_000 + "x",
    "attributes": "<p " + " ".join(f"a{number}=1" for number in range(60_000)) + ">x",
    "angles": "<" * 1_000_000,
    "ampersands": "&" * 1_000_000,
    "long entity": "&#" + "1" * 100_000 + ";x",
    "lists": "<ul><li>" * 140 + "x<br>" * 100_000,
    "quotes": "<blockquote>" * 290 + "x<br>" * 100_000,
    "cells": "<table><tr>" + "<td>x" * 90_000,
    "tables": "<table><tr><td>" * 20_000 + "x",
    "links": "<a href=http://x.example/>" * 40_000 + "x",
    "pictures": "<img alt=x>" * 90_000,
    "paragraphs": "<p>" * 300_000 + "x",
    "white space": " \n" * 500_000,
    "too long": "<p>word</p>" * 500_000,
    "scripts": "<script>" * 50_000,
    "plaintext": "<plaintext>" + "<p>" * 50_000,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE)
def test_hostile_html_is_read_in_bounded_time(html):
    """HTML made to be slow or deep gives some text and no exception."""
    assert len(html_to_text(html)) <= 3_000_000


@pytest.mark.parametrize(
    "name", ["unclosed comments", "nested divs", "deep and stray", "tables", "paragraphs"]
)
def test_words_of_hostile_html_are_kept(name):
    """What is too complex to read as HTML loses its tags, not its words."""
    assert html_to_text(HOSTILE[name]).strip() in {"end", "deep", "x"}


def test_depth_has_a_limit():
    """One level more than the limit is too deep; the limit itself is read."""
    assert read_tree("<div>" * (MAX_DEPTH - 10) + "x")
    with pytest.raises(TooComplexError):
        read_tree("<div>" * (MAX_DEPTH + 1) + "x")


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p>b", "a\nb"),
        ("a<!-- x -->b", "ab"),
        ("<script>var a = '<p>';</script>b", "b"),
        ("1 < 2 & 3 > 2 &amp; &#65;", "1 < 2 & 3 > 2 & A"),
        ("a<b", "a"),
        ("&#" + "9" * 5000 + ";", "&#" + "9" * 5000 + ";"),
    ],
)
def test_stripping_tags_keeps_words(html, text):
    """The crude way drops tags, comments and scripts only."""
    assert strip_tags(html) == text


@given(st.text(max_size=400))
def test_any_text_is_read(html):
    """For any text: neither reader raises."""
    assert isinstance(html_to_text(html), str)
    assert isinstance(strip_tags(html), str)


TAGS = st.sampled_from(
    (
        "<p> </p> <div> </div> <br> <blockquote> </blockquote> <ul> <ol> <li> </ul> <table> <tr> <td> </table> <pre> </pre> "
        "<a|href='http://x.example'> </a> <b> </i> <!-- --> &lt; <script> </script> <style> <hr> <img|alt='p'> word < >"
    )
    .replace("|", "\n")
    .split(" ")
)


@given(st.lists(TAGS, max_size=60).map("".join))
def test_any_tags_are_read(html):
    """For any order of tags: text comes out, and a tree that was written reads as the same text."""
    text = html_to_text(html)

    assert isinstance(text, str)
    again = write_tree(read_tree(html))
    assert isinstance(html_to_text(again), str)


@pytest.mark.parametrize(
    ("href", "shown", "note"),
    [
        ("https://x.example/a?b=c", "here", " <https://x.example/a?b=c>"),
        ("http://www.x.example/", "https://x.example", ""),
        ("mailto:kim@desk.example", "Kim@Desk.example", ""),
        ("tel:+4930123", "+49 30 123", ""),
        ("#top", "up", ""),
        ("data:text/html,x", "x", ""),
        ("https://x.example/a b", "x", ""),
        ("https://x.example/" + "a" * 2000, "x", ""),
    ],
)
def test_link_is_written_out_where_its_text_does_not_say_it(href, shown, note):
    """Only web, mail and telephone addresses are written, and none twice."""
    assert link_note(href, shown) == note


def test_comments_that_do_not_end_take_no_time():
    """A megabyte of them is looked through once, not once for each."""
    started = time.process_time()
    html_to_text("<!--a" * 200_000)
    assert time.process_time() - started < 10  # it took two minutes
