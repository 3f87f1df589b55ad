"""What a person wrote, made fit for the other side: nothing private, nothing that is fetched, formatting kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtickets.mail.html_cut import content_id, matching_html
from mailtickets.mail.html_tree import walk
from mailtickets.mail.message import Attachment, Message
from mailtickets.mail.relay import relay_agent, relay_customer
from mailtickets.mail.visible_text import new_text

PRIVATE = "kim@home.example"
KEY = "a1-1042-0-abcdefghijklmnop-kim"
NOTICE = (
    '<div id="mailtickets-notice"><p>##- Please reply above this line -##</p><p>secret of the customer</p>'
    f"<p>Ref: {KEY}</p></div>"
)
NOTICE_TEXT = f"> ##- Please reply above this line -##\n> secret of the customer\n> Ref: {KEY}\n"
ATTRIBUTION = "On 3 May 2024 at 10:12, Desk &lt;d@desk.example&gt; wrote:"

QUOTES = {
    "gmail": f'<div class="gmail_quote"><div class="gmail_attr">{ATTRIBUTION}<br></div><blockquote class="gmail_quote">{NOTICE}</blockquote></div>',
    "apple": f"<div><blockquote type='cite'>{ATTRIBUTION}{NOTICE}</blockquote></div>",
    "thunderbird": f"<div class='moz-cite-prefix'>{ATTRIBUTION}</div><blockquote type='cite'>{NOTICE}</blockquote>",
    "outlook": "<div style='border:none;border-top:solid #E1E1E1 1.0pt'><p class=MsoNormal><b>From:</b> Desk &lt;d@desk.example&gt;<br>"
    f"<b>Sent:</b> Friday<br><b>To:</b> {PRIVATE}<br><b>Subject:</b> x</p></div>{NOTICE}",
    "outlook web": f"<div id='divRplyFwdMsg'><b>From:</b> Desk<br><b>Sent:</b> Friday<br><b>To:</b> {PRIVATE}<br><b>Subject:</b> x</div>{NOTICE}",
    "wrapper renamed": NOTICE.replace('id="mailtickets', 'class="x_y mailtickets'),
    "wrapper gone": NOTICE.replace(' id="mailtickets-notice"', ""),
}


def agent(html="", text="", new=None, attachments=(), hidden=(PRIVATE,)):
    """Relay an agent's answer."""
    message = Message(
        html=html, text=text, attachments=attachments, subject="Re: x", in_reply_to=("<a@desk.example>",)
    )
    return relay_agent(message, new_text(message) if new is None else new, hidden=hidden)


def picture(name):
    """Return an inline picture."""
    return Attachment(f"{name}.png", "image/png", 0, 1, content_id=name, inline=True)


@pytest.mark.parametrize("quote", QUOTES.values(), ids=QUOTES)
def test_only_what_the_agent_wrote_is_relayed(quote):
    """Of an HTML answer the words above the quote go out with their formatting, and nothing of the notice."""
    relayed = agent(f"<div>Hello <b>Ana</b>,</div><div>it is <i>fixed</i>.</div><br>{quote}")

    assert relayed.text == "Hello Ana,\nit is fixed."
    assert relayed.html == "<div>Hello <b>Ana</b>,</div><div>it is <i>fixed</i>.</div>"


@pytest.mark.parametrize("quote", QUOTES.values(), ids=QUOTES)
def test_answer_with_both_parts_is_relayed_with_formatting(quote):
    """The text part decides what is new, and the HTML that says the same goes along."""
    text = f"#resolve\n\nHello *Ana*, see here <https://x.example/a>\n   - one\n   1. two\n\nOn 3 May 2024 at 10:12, Desk <d@desk.example> wrote:\n{NOTICE_TEXT}"
    html = (
        "<div>#resolve</div><div><br></div><div>Hello <b>Ana</b>, see <a href='https://x.example/a'>here</a></div>"
        f"<ul><li>one</li></ul><ol><li>two</li></ol>{quote}"
    )
    new = "Hello *Ana*, see here <https://x.example/a>\n   - one\n   1. two"
    relayed = agent(html, text, new)

    assert relayed.text == new
    assert relayed.html == (
        '<div>Hello <b>Ana</b>, see <a href="https://x.example/a">here</a></div>'
        "<ul><li>one</li></ul><ol><li>two</li></ol>"
    )


def test_lines_written_inside_the_quote_are_relayed():
    """Answers between quoted lines are the agent's text, quoted lines are not."""
    relayed = agent(
        "<blockquote type='cite'><p>Is it on?</p></blockquote><p>Yes, <u>it is</u>.</p>"
        "<blockquote type='cite'><p>Which model?</p></blockquote><p>HP 4</p>"
    )

    assert relayed.text.split() == ["Yes,", "it", "is.", "HP", "4"]
    assert relayed.html == "<p>Yes, <u>it is</u>.</p><p>HP 4</p>"


def test_html_that_says_something_else_is_dropped():
    """Where text and HTML differ, the text goes alone."""
    relayed = agent("<p>Hello, dear customer</p>", "Hello, dear Ana")

    assert relayed == type(relayed)("Hello, dear Ana", "", ())


def test_html_behind_the_text_never_goes_out():
    """A quote that no rule knows is not in the text, so it is cut off the HTML too."""
    relayed = agent("<p>Hello</p><p>Old secret of lee</p>", "Hello")

    assert relayed.html == "<p>Hello</p>"


def test_short_text_is_not_found_in_the_middle():
    """The HTML must begin with the new text: "ok" in another place is not it."""
    assert agent("<p>secret: look</p><p>ok</p>", "ok").html == ""


def test_command_lines_are_cut_off_the_html():
    """Commands taken off the text are taken off the HTML."""
    assert agent("<p>#note</p><p>#p1</p><p>Hi <b>you</b></p>", new="Hi you").html == "<p>Hi <b>you</b></p>"
    assert agent("#close<br>Hi <b>you</b>", new="Hi you").html == "Hi <b>you</b>"


def test_answer_of_only_a_quote_is_empty():
    """Nothing written is nothing relayed."""
    assert agent(QUOTES["gmail"]).text == ""
    assert agent(QUOTES["gmail"]).html == ""


@pytest.mark.parametrize(
    "body",
    [
        f"Write to {PRIVATE} please",
        f"Write to <{PRIVATE.upper()}> please",
        f"Write to mailto:{PRIVATE} please",
        f"Write to kim@ho{PRIVATE}me.example please",
    ],
)
def test_private_address_is_taken_out_of_the_text(body):
    """An agent's own address never reaches a customer, in any case of letters, nor made of halves."""
    relayed = agent(text=body, new=body)

    assert PRIVATE not in relayed.text.lower()
    assert relayed.text.startswith("Write to")


@pytest.mark.parametrize(
    "html",
    [
        f"<p>Write to <a href='mailto:{PRIVATE}'>{PRIVATE}</a> or me</p>",
        f"<p>Write to <a href='mailto:{PRIVATE.replace('@', '%40')}'>Kim</a> or me</p>",
        f"<p>Write to <a href='https://x.example/?u={PRIVATE}'>Kim</a> or me</p>",
        f"<p>Write to <img src='cid:logo' alt='{PRIVATE}'> or me</p>",
        "<p>Write to kim@ho<b>me.example</b> or me</p>",
        "<p>Write to &#107;im@home.example or me</p>",
        f"<p title='{PRIVATE}' class='{PRIVATE}'>Write to or me</p>",
    ],
)
def test_private_address_is_in_no_part_of_the_html(html):
    """Links, attributes, entities and words split by tags are looked through; if need be the HTML goes."""
    relayed = agent(html, attachments=(picture("logo"),))

    assert PRIVATE not in relayed.html.lower().replace("%40", "@").replace("<b>", "").replace("&#107;", "k")
    assert PRIVATE not in relayed.text


@pytest.mark.parametrize("key", [KEY, "t1-1042-abcdefghijklmnop", "a12-7-3-abcdefghijklm234-lee"])
def test_reply_keys_are_taken_out(key):
    """A reply key gives rights: its line goes, and so does one amid the text."""
    relayed = agent(f"<p>Hello {key} you</p><p>Ref: {key}</p><p>Reference: {key}</p><p>bye</p>")

    assert relayed.text.split() == ["Hello", "you", "bye"]
    assert key not in relayed.html


@pytest.mark.parametrize(
    ("html", "clean"),
    [
        ("<script>alert(1)</script><p onclick='x()'>Hi</p>", "<p>Hi</p>"),
        ("<p>Hi <img src=x onerror=alert(1)></p>", "<p>Hi </p>"),
        ("<p>Hi <img src='http://t.example/pixel.gif'><img src='//t.example/p'></p>", "<p>Hi </p>"),
        ("<p>Hi <img src='data:image/png;base64,AAAA'></p>", "<p>Hi </p>"),
        ("<p>Hi <a href='javascript:alert(1)'>x</a></p>", "<p>Hi <span>x</span></p>"),
        ("<p>Hi <a href=' JaVa\nScript:alert(1)'>x</a></p>", "<p>Hi <span>x</span></p>"),
        ("<p>Hi <a href='file:///etc/passwd'>x</a></p>", "<p>Hi <span>x</span></p>"),
        ("<p>Hi <a href='cid:shot'>x</a></p>", "<p>Hi <span>x</span></p>"),
        ("<p>Hi <a href='/relative'>x</a></p>", "<p>Hi <span>x</span></p>"),
        (
            "<base href='http://t.example/'><meta http-equiv=refresh content='0;url=http://t.example'><p>Hi</p>",
            "<p>Hi</p>",
        ),
        (
            "<style>@import url(http://t.example)</style><p style='background:url(http://t.example)'>Hi</p>",
            "<p>Hi</p>",
        ),
        ("<link rel=stylesheet href='http://t.example'><p>Hi</p>", "<p>Hi</p>"),
        ("<form action='http://t.example'><input name=p><p>Hi</p></form>", "<p>Hi</p>"),
        ("<iframe src='http://t.example'></iframe><object data=x></object><p>Hi</p>", "<p>Hi</p>"),
        ("<svg><image href='http://t.example'/><script>1</script></svg><p>Hi</p>", "<p>Hi</p>"),
        ('<noscript><p title="</noscript><img src=x onerror=1>"></noscript><p>Hi</p>', "<p>Hi</p>"),
        ("<p>Hi</p><img src='cid:shot'>", '<p>Hi</p><img src="cid:shot">'),
        ("<p>Hi</p><img src='CID:%3Cshot%3E' onload=x>", '<p>Hi</p><img src="cid:shot">'),
        ("<p>Hi</p><img src='cid:other'>", "<p>Hi</p>"),
        ("<h1>Hi</h1><pre>a</pre><code>b</code>", "<h1>Hi</h1><pre>a</pre><code>b</code>"),
        (
            "<table><tbody><tr><td colspan='2' bgcolor=red>Hi</td></tr></tbody></table>",
            '<table><tbody><tr><td colspan="2">Hi</td></tr></tbody></table>',
        ),
        (
            "<span style='font-weight:bold;position:fixed'>Hi</span>",
            '<span style="font-weight:bold">Hi</span>',
        ),
    ],
)
def test_html_is_clean_and_simple(html, clean):
    """Nothing that runs, loads or leads astray is relayed, either way; simple formatting is."""
    message = Message(html=html, attachments=(picture("shot"),))

    assert relay_customer(message).html == clean
    assert agent(html, attachments=(picture("shot"),)).html == clean


def test_pictures_of_the_new_part_travel_and_those_of_the_quote_do_not():
    """A picture belongs to the answer if the kept HTML shows it; files always belong to it."""
    files = (
        picture("shot"),
        picture("quoted"),
        picture("logo"),
        Attachment("a.pdf", "application/pdf", 0, 1),
        picture("loose"),
    )
    html = (
        "<p>See <img src='cid:shot'></p><p>-- <br>Kim <img src='cid:logo'></p>"
        "<blockquote type=cite><img src='cid:quoted'></blockquote>"
    )

    assert [one.name for one in agent(html, attachments=files).attachments] == [
        "shot.png",
        "a.pdf",
        "loose.png",
    ]


def test_pictures_travel_also_where_the_html_is_dropped():
    """A screenshot outside the quote is not lost with the formatting."""
    html = "<p>Other words <img src='cid:shot'></p><blockquote type=cite><img src='cid:quoted'></blockquote>"
    relayed = agent(html, "Words", attachments=(picture("shot"), picture("quoted")))

    assert relayed.html == ""
    assert [one.name for one in relayed.attachments] == ["shot.png"]


def test_customers_html_is_cut_at_the_quote_too():
    """Agents read the customer's new words, with formatting, without our own mail below them."""
    relayed = relay_customer(Message(html=f"<p>It is <b>broken</b></p>{QUOTES['gmail']}", subject="Re: x"))

    assert relayed.text == "It is broken"
    assert relayed.html == "<p>It is <b>broken</b></p>"


def test_forwarded_mail_of_a_customer_is_relayed_whole():
    """A forward is content, also in HTML where it stands in a quote."""
    html = (
        "<div>See below</div><blockquote type=cite><div>Begin forwarded message:</div><div><b>From:</b> Ben</div>"
        "<div>It <i>jams</i></div></blockquote>"
    )
    text = "See below\n\n> Begin forwarded message:\n> From: Ben\n> It jams\n"
    relayed = relay_customer(Message(html=html, text=text, subject="Fwd: x"))

    assert relayed.text == text.rstrip()
    assert "<i>jams</i>" in relayed.html


def test_text_mail_has_no_html():
    """A mail of plain text is relayed as such, with its attachments."""
    file = Attachment("a.pdf", "application/pdf", 0, 1)

    assert relay_customer(Message(text="Hello", attachments=(file,))) == type(agent())("Hello", "", (file,))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "html", ["<div>" * 100_000 + "x", "<p>x" * 100_000, "<" * 160_000, "<!--" * 40_000, "<a " * 50_000]
)
def test_hostile_html_is_relayed_as_text(html):
    """HTML that is too complex is not relayed."""
    assert agent(html, "x").html == ""


WORDS = st.text(alphabet="abcxyz .,\n", max_size=60)


@given(WORDS, WORDS, WORDS)
def test_what_is_not_in_the_text_is_not_in_the_html(new, old, command):
    """For any words: the kept HTML says the wanted text, never a letter more."""
    html = f"<p>{command}</p><p>{new}</p><div>{old}</div>"
    root = matching_html(html, f"{command}\n{new}", new)

    if root is not None:
        kept = "".join(text for kind, _, text in walk(root) if kind == "text")
        assert "".join(kept.split()) == "".join(new.split())


@given(st.text(max_size=200), st.text(max_size=100), st.text(alphabet="ab.@ <\n0", max_size=6))
def test_relay_never_raises_and_hides_what_is_hidden(html, text, hidden):
    """For any mail: an answer comes out, and what is hidden stands nowhere in it."""
    relayed = agent(html, text, hidden=(hidden,))
    wanted = hidden.strip().lower()

    assert not wanted or wanted not in relayed.text.lower()
    assert not wanted or relayed.html == "" or wanted not in relayed.html.lower()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("cid:a@b", "a@b"),
        ("CID:<a@b>", "a@b"),
        ("cid:%3Ca%3E", "a"),
        ("http://x", ""),
        ("", ""),
        ("cid:", ""),
    ],
)
def test_content_id_of_an_address(source, name):
    """A `cid:` address names a part; others name none."""
    assert content_id(source) == name
