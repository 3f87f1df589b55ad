"""Every notice reads well, no value can break out of it, and an admin's override can do no harm."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from lxml import html as lxml_html

from mailtickets.desk.notices import Notice
from mailtickets.mail.compose import KEY_PLACEHOLDER, Head, assemble, compose_body, compose_head
from mailtickets.mail.message import Address
from mailtickets.template_filters import code, filters, hanging, paragraphs, quote, sentence, size, wrap72
from mailtickets.templates import KINDS, SAMPLES, TemplateBroken, Templates, built_in_folder
from tests.support.golden import assert_golden, masked, matches

LONDON = ZoneInfo("Europe/London")
TEMPLATES = Templates(zone=LONDON)
KEY = "a1-1042-0-abcdefghij234567-kim"
EVERY = [(kind, label) for kind, samples in SAMPLES.items() for label in samples]
AGENT_KINDS = ("agent_new", "agent_reply", "agent_reopened")


def letter(kind, label=None, templates=TEMPLATES, queue="support", language="en", **values):
    sample = SAMPLES[kind][label] if label else next(iter(SAMPLES[kind].values()))
    return templates.letter(Notice(kind, language, queue, {**sample, **values}))


def mail(made, auto_submitted="auto-generated"):
    head = Head(
        from_=Address("support@acme.example", "Acme Support"),
        to=(Address("ana@customer.example", "Ana Lima"),),
        reply_to=Address("support+t1-1042-abcdefghij234567@acme.example", "Acme Support"),
        message_id="<t1-1042-abcdefghij234567.7f3a9c0d2b4e@acme.example>",
        date=datetime(2026, 11, 24, 10, 0, tzinfo=UTC),
        in_reply_to="<CAF3d8a7c6e5b4a392817f6e5d4c3b2a1908@mail.customer.example>",
        references=(
            "<t1-1042-abcdefghij234567@acme.example>",
            "<CAF3d8a7c6e5b4a392817f6e5d4c3b2a1908@mail.customer.example>",
        ),
        auto_submitted=auto_submitted,
        loop="1-abcdefghij234567" if auto_submitted else "",
    )

    def no_original(digest):
        raise AssertionError(digest)

    return assemble(compose_head(head, made.subject), compose_body(made), KEY, no_original)


def own(folder, path, text):
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, "utf-8")


# --- what is shipped ------------------------------------------------------------------------------


def test_every_shipped_template_renders_with_its_samples():
    """`check` finds nothing wrong with what we ship, and every kind has its three files."""
    assert TEMPLATES.check() == []
    names = {path.name for path in (built_in_folder() / "en").iterdir()}
    assert {f"{kind}.{part}" for kind in KINDS for part in ("subject", "txt", "html")} <= names


@pytest.mark.parametrize(("kind", "label"), EVERY)
def test_every_notice_is_a_readable_mail(kind, label):
    """One line of subject; tidy text without rests of the template; a page that loads nothing from anywhere."""
    made = letter(kind, label)
    assert made.subject
    assert "\n" not in made.subject
    for text in (made.subject, made.text, made.html):
        assert "{{" not in text
        assert "{%" not in text
        assert "None" not in text
    assert "\n\n\n" not in made.text
    assert not re.search(r"(?m)[ \t]$|^ ?[;,.]", made.text)
    assert made.text.endswith("\n")
    page = lxml_html.fromstring(made.html)
    own = "starts-with(., 'cid:')"  # a part of the mail itself
    assert page.xpath(f"//link | //script | //iframe | //@src[not({own})] | //@background") == []
    assert "url(" not in made.html
    assert "@import" not in made.html


@pytest.mark.parametrize(
    "name",
    [
        "acknowledgement-full",
        "acknowledgement-short",
        "answer-plain",
        "resolved-plain",
        "closed-silence",
        "reminder-last",
        "too_large-plain",
        "agent_new-plain",
        "agent_reply-outside",
        "agent_reopened-plain",
        "agent_event-note",
        "held-plain",
        "forget-plain",
        "forgotten-erased",
        "held-elsewhere",
        "leak-between",
        "not_sent-command",
        "trouble-plain",
        "answer-agreed",
        "ask-text",
        "escalated-plain",
        "escalations-plain",
        "news-plain",
        "shown-plain",
        "status_answer-alone",
    ],
)
def test_notice_is_the_golden_mail(name):
    """The whole mail, head to last boundary, is the one that was read and found good."""
    kind, label = name.split("-")
    automatic = {"answer": "", "ask": "", "acknowledgement": "auto-replied"}.get(kind, "auto-generated")
    assert_golden(mail(letter(kind, label), automatic), name)


@pytest.mark.parametrize("kind", [*AGENT_KINDS, "routed"])
def test_agents_read_warnings_about_the_sender_before_the_words(kind):
    """A telephone shows the beginning: there it stands who did not write this."""
    made = letter(kind, warnings=["look-alike of Kim"], hints=["may belong to SUP-1"])
    words = SAMPLES[kind]["plain"]["text"].strip().split("\n")[0]
    assert made.text.startswith(f"! look-alike of Kim.\n\n{words}")
    assert made.text.index("! May belong to SUP-1.") > made.text.index("-" * 40)
    assert (
        made.html.index("look-alike of Kim.")
        < made.html.index(words)
        < made.html.index("May belong to SUP-1.")
    )


@pytest.mark.parametrize("kind", AGENT_KINDS)
def test_agents_read_the_customers_words_first_and_the_key_last(kind):
    """The text stands before all else; status, what answering does and the key stand below the line."""
    made = letter(kind)
    words, _, footer = made.text.partition(f"\n{'-' * 40}\n")
    assert words.strip() == SAMPLES[kind]["plain"]["text"].strip()
    assert "SUP-1042 | Open" in footer
    assert "Answering sends your text to Ana Lima" in footer
    assert footer.endswith(f"\n\nRef: {KEY_PLACEHOLDER}\n")
    assert 'class="mailtickets-notice' in made.html
    assert made.subject == "[SUP-1042] Printer on fire"


def test_agents_are_told_when_silence_reminds_and_closes():
    """The dates are those of the desk's zone."""
    said = " ".join(letter("agent_new").text.split())
    assert (
        'sets "Awaiting your reply"; reminder Tue 24 Nov 10:00, closes Fri 27 Nov 10:00. First line #pending'
        in said
    )


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("acknowledgement", "[SUP-1042] Printer on fire"),
        ("answer", "Re: [SUP-1042] Printer on fire"),
        ("resolved", "Re: [SUP-1042] Printer on fire"),
        ("closed", "Re: [SUP-1042] Printer on fire"),
        ("reminder", "Re: [SUP-1042] Printer on fire"),
        ("held", "[SUP-1042 confirm K7Q2] Printer on fire"),
        ("leak", "[SUP-1042 confirm M3XP] Printer on fire"),
        ("receipt", "[SUP-1042] Printer on fire"),
    ],
)
def test_subjects_thread_by_their_base(kind, subject):
    """Mail programs that thread by subject keep one ticket together; the code of a question returns in it."""
    assert letter(kind).subject == subject


def test_a_ticket_without_subject_says_so():
    """No subject ends in an empty tag."""
    assert letter("reminder", subject="").subject == "Re: [SUP-1042] (no subject)"
    assert letter("acknowledgement", subject="").subject == "[SUP-1042] We have received your request"


@pytest.mark.parametrize("label", ["plain", "full", "unproven", "short"])
def test_acknowledgement_without_echo_has_none_of_the_senders_words(label):
    """A forged sender cannot make the desk carry a message to somebody else."""
    made = letter("acknowledgement", label, echo=False, subject="Buy cheap pills")
    assert made.subject == "[SUP-1042] We have received your request"
    assert "pills" not in made.text + made.html


def test_acknowledgement_stays_small():
    """16 KB at most; the short one 2 KB with all its fields, so that nobody's flood is made larger."""
    assert len(mail(letter("acknowledgement", "full"), "auto-replied")) <= 16 * 1024
    assert len(mail(letter("acknowledgement", "short"), "auto-replied")) <= 2 * 1024


def test_help_may_be_a_link_or_a_sentence():
    """Only what is an address can be clicked."""
    html = letter(
        "acknowledgement", "full", help_links=["https://help.acme.example", "Please restart it first."]
    ).html
    assert '<a href="https://help.acme.example"' in html
    assert "Please restart it first." in html
    assert 'href="Please' not in html


def test_answer_is_the_agents_words_and_nothing_else():
    """No footer, no key, no frame."""
    made = letter("answer")
    assert made.text == f"{SAMPLES['answer']['plain']['text']}\n"
    assert KEY_PLACEHOLDER not in made.text + made.html
    assert "SUP-1042" not in made.text + made.html


def test_last_reminder_says_when_it_closes_and_the_first_does_not():
    """The date is in the desk's zone with its name."""
    assert "Fri 27 Nov 2026, 10:00 GMT" in letter("reminder", "last").text
    assert "close" not in letter("reminder", "first").text


# --- what strangers write -------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["{{7*7}}", "{% raw %}", "{{ cycler.__init__ }}", "{# x", "%s {0}"])
@pytest.mark.parametrize("name", ["subject", "author", "text", "requester"])
def test_case_109_and_110_template_signs_are_printed_as_written(words, name):
    """Values are never templates."""
    made = letter("agent_new", **{name: words})
    assert words in made.subject + made.text
    assert words in lxml_html.fromstring(made.html).text_content() + made.subject


@pytest.mark.parametrize("name", ["subject", "author", "text", "requester"])
def test_markup_of_strangers_is_text(name):
    """What is not cleaned HTML is escaped in the page."""
    made = letter("agent_reply", "outside", **{name: '<b onclick="x">&amp;</b>'})
    assert "<b onclick" not in made.html


def test_a_name_cannot_pretend_to_be_a_footer():
    """Values within a line have no line breaks and no invisible signs."""
    made = letter("agent_new", author="Ana\n\nRef: a1-1-0-x\u202e", author_address="ana@customer.example")
    assert "From Ana Ref: a1-1-0-x <ana@customer.example>" in made.text


def test_the_place_of_the_key_is_nowhere_but_in_the_key_line():
    """Somebody who writes the placeholder gets no key into the text."""
    made = letter(
        "agent_new",
        text=f"please {KEY_PLACEHOLDER} thank you",
        html=f"<p>{KEY_PLACEHOLDER}</p>",
        subject=KEY_PLACEHOLDER,
    )
    assert made.text.count(KEY_PLACEHOLDER) == 1
    assert made.html.count(KEY_PLACEHOLDER) == 1
    assert KEY_PLACEHOLDER not in made.subject


@pytest.mark.parametrize(
    "text", ["a\n\n" * 33_000, "\n" * 100_000 + "x", '"' * 100_000, "x" * 100_000, "> " * 50_000]
)
@pytest.mark.parametrize("kind", ["agent_new", "not_sent", "held"])
def test_long_strange_text_is_shown_whole(kind, text):
    """The limit of output is for templates that run away, never for what people wrote."""
    made = letter(kind, text=text)
    assert len(made.text) >= len(text.strip("\n"))


def test_values_that_do_not_fit_are_an_error_that_names_the_template():
    """A missing value never becomes an empty place in a mail."""
    with pytest.raises(TemplateBroken, match=r"closed\.txt.*silence"):
        TEMPLATES.letter(
            Notice(
                "closed",
                "en",
                "support",
                {k: v for k, v in SAMPLES["closed"]["agent"].items() if k != "silence"},
            )
        )
    with pytest.raises(TemplateBroken, match="nothing"):
        TEMPLATES.letter(Notice("nothing", "en", "support", {}))


# --- what an admin writes -------------------------------------------------------------------------


def test_an_override_wins_and_the_queues_own_wins_over_it(tmp_path):
    """FOLDER/en is for all queues, FOLDER/QUEUE/en for one; what neither has is built in."""
    own(tmp_path, "en/closed.subject", "all: {{ reference }}")
    own(tmp_path, "billing/en/closed.subject", "billing: {{ reference }}")
    templates = Templates(tmp_path, zone=LONDON, queues=["support", "billing"])
    assert letter("closed", templates=templates).subject == "all: SUP-1042"
    assert letter("closed", templates=templates, queue="billing").subject == "billing: SUP-1042"
    assert letter("closed", templates=templates, queue="billing").text == letter("closed").text
    assert templates.check() == []


def test_a_language_of_the_admins_own_is_used_and_the_rest_stays_english(tmp_path):
    """A notice in de-AT finds de; kinds without a German file are English."""
    own(tmp_path, "de/closed.txt", "Erledigt: {{ reference }} {{ words.status.closed }}")
    own(tmp_path, "de/words.toml", '[status]\nclosed = "Geschlossen"\n')
    templates = Templates(tmp_path, zone=LONDON)
    assert letter("closed", templates=templates, language="de-AT").text == "Erledigt: SUP-1042 Geschlossen\n"
    assert letter("reminder", templates=templates, language="de").text == letter("reminder").text
    assert letter("closed", templates=templates, language="en").text == letter("closed").text
    assert letter("closed", templates=templates, language="../x").text == letter("closed").text
    assert templates.check() == []


def test_own_words_replace_single_words(tmp_path):
    """One line in words.toml changes one word everywhere."""
    own(tmp_path, "en/words.toml", '[priority]\nP3 = "Gold"\n')
    text = letter("agent_new", templates=Templates(tmp_path, zone=LONDON)).text
    assert "Open | Gold | Assigned" in text


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("Hello\n{% if %}\n", 2, "Expected"),
        ("Hello\n\n{{ nobody }}\n", 3, "nobody"),
        ("{{ ''.__class__.__mro__ }}", 1, "unsafe"),
        ("a\n{{ 1 / 0 }}", 2, "zero"),
        ("{% include '../../../etc/passwd' %}", 1, "no template"),
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}xxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
            0,
            "writes more",
        ),
    ],
)
def test_case_112_a_broken_override_is_named_and_the_built_in_wording_stays(tmp_path, source, line, reason):
    """File and line are told at the check, before any customer sees it; and in use nothing is lost."""
    own(tmp_path, "en/reminder.txt", source)
    templates = Templates(tmp_path, zone=LONDON)
    [problem] = templates.check()
    assert problem.file == str(tmp_path / "en" / "reminder.txt")
    assert problem.line == line
    assert reason in problem.reason
    assert letter("reminder", templates=templates) == letter("reminder")
    assert templates.trouble == [problem]
    letter("reminder", templates=templates)
    assert templates.trouble == [problem]


def test_a_broken_shared_frame_falls_back_too(tmp_path):
    """An override of the layout is in every page; each page has its built-in form."""
    own(tmp_path, "en/layout.html", "<p>{{ desk }}\n{{ nobody }}")
    templates = Templates(tmp_path, zone=LONDON)
    assert letter("reminder", templates=templates) == letter("reminder")
    assert {(Path(problem.file).name, problem.line) for problem in templates.check()} == {("layout.html", 2)}


def test_broken_words_fall_back_to_the_built_in_ones(tmp_path):
    """A words.toml that is no TOML, or has another type than ours, is named and not used."""
    own(tmp_path, "en/words.toml", "[status\n")
    templates = Templates(tmp_path, zone=LONDON)
    assert letter("reminder", templates=templates) == letter("reminder")
    assert "not TOML" in templates.check()[0].reason
    own(tmp_path, "en/words.toml", 'weekdays = "none"\nstatus = 1\n')
    assert letter("reminder", "last", Templates(tmp_path, zone=LONDON)) == letter("reminder", "last")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("en/closd.txt", "did you mean closed.txt?"),
        ("suport/en/closed.txt", "did you mean support?"),
        ("en/closed.text", "did you mean closed.txt?"),
    ],
)
def test_a_file_that_no_notice_uses_is_reported(tmp_path, path, said):
    """A misspelt name is found at the check, not by a customer."""
    own(tmp_path, path, "x")
    [problem] = Templates(tmp_path, zone=LONDON, queues=["support"]).check()
    assert said in str(problem)


def test_a_missing_folder_and_an_unreadable_file_are_reported(tmp_path):
    """The desk starts with the built-in words and says what is wrong."""
    assert "no such folder" in str(Templates(tmp_path / "x", zone=LONDON).check()[0])
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "closed.txt").write_bytes(b"\xff\xfe")
    templates = Templates(tmp_path, zone=LONDON)
    assert "UTF-8" in str(templates.check()[0])
    assert letter("closed", templates=templates) == letter("closed")


def test_a_file_changed_later_changes_nothing_until_a_reload(tmp_path):
    """All files are read once: a mail is never half old and half new."""
    own(tmp_path, "en/closed.subject", "first")
    templates = Templates(tmp_path, zone=LONDON)
    own(tmp_path, "en/closed.subject", "second")
    assert letter("closed", templates=templates).subject == "first"


def test_an_override_cannot_write_a_field():
    """A subject of several lines is one line in the mail."""
    assert letter("closed", subject="a\r\nBcc: b@c.example").subject == "Re: [SUP-1042] a Bcc: b@c.example"


# --- filters --------------------------------------------------------------------------------------

WORDS = {
    "weekdays": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    "months": [*"123456789", "Oct", "Nov", "Dec"],
}


@pytest.mark.parametrize(
    ("zone", "when", "brief"),
    [
        ("Europe/London", "Tue 24 Nov 2026, 10:00 GMT", "Tue 24 Nov 10:00"),
        ("Asia/Tokyo", "Tue 24 Nov 2026, 19:00 JST", "Tue 24 Nov 19:00"),
        ("Asia/Dubai", "Tue 24 Nov 2026, 14:00 UTC+04", "Tue 24 Nov 14:00"),
        ("Pacific/Kiritimati", "Wed 25 Nov 2026, 00:00 UTC+14", "Wed 25 Nov 00:00"),
    ],
)
def test_dates_are_in_the_desks_zone_with_its_name(zone, when, brief):
    """The day is that of the zone; a zone without letters is told by its offset."""
    made = filters(ZoneInfo(zone), WORDS)
    moment = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    assert (made["when"](moment), made["brief"](moment)) == (when, brief)


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (9_940_000, "9.9 MB"),
        (25_000_000, "25 MB"),
    ],
)
def test_sizes_are_said_as_people_say_them(count, said):
    """Bytes, KB, MB, with one decimal below ten."""
    assert size(count) == said


def test_wrapping_keeps_items_quotes_and_long_words_readable():
    """72 characters where words allow it; an item goes on indented, a quote behind its mark."""
    assert wrap72("\n\na\n\n\n\nb\n") == "a\n\nb"
    assert wrap72(f"- {'word ' * 20}").split("\n")[1].startswith("  word")
    assert wrap72(f"> {'word ' * 20}").split("\n")[1].startswith("> word")
    assert wrap72(f"see https://x.example/{'y' * 90} now").split("\n")[1] == f"https://x.example/{'y' * 90}"
    assert max(map(len, wrap72("word " * 500).split("\n"))) <= 72


def test_hanging_lines_stand_below_the_first_one():
    """What follows a time goes on below itself; a word too long for the line has one of its own."""
    assert hanging("word " * 16, 18).split("\n")[1:] == [" " * 18 + "word word word word word"]
    assert hanging("", 18) == ""
    assert f"\n    {'y' * 90}" in hanging(f"see {'y' * 90}", 4)


@pytest.mark.parametrize(
    ("clause", "said"),
    [
        ("it quotes a note", "It quotes a note."),
        ("Done. Really?", "Done. Really?"),
        ("ana@customer.example is gone", "ana@customer.example is gone."),
        ("#reslove is no command", "#reslove is no command."),
        ("", ""),
    ],
)
def test_a_clause_becomes_a_sentence(clause, said):
    """A capital and a full stop, where they belong."""
    assert sentence(clause) == said


def test_quote_marks_every_line():
    """Empty lines too, without a space at the end."""
    assert quote("a\n\nb") == "> a\n>\n> b"


def test_paragraphs_escape_and_keep_line_breaks():
    """Plain text becomes HTML that says the same."""
    assert (
        paragraphs("a < b\nc\n\n\nd")
        == '<p style="margin:0 0 16px">a &lt; b<br>\nc</p>\n<p style="margin:0 0 16px">d</p>'
    )
    assert paragraphs("") == ""


# --- the helper -----------------------------------------------------------------------------------


def test_golden_masks_what_differs_between_runs_and_nothing_else():
    """Dates, ids, keys and boundaries become `*`; a star takes any text but no empty one."""
    raw = b"Date: Tue, 1 Dec 2026 10:00:00 +0000\r\nReferences: <a@b>\r\n <c@d>\r\nSubject: x\r\n\r\nRef: t1-7-abcdefghij234567\r\n"
    assert masked(raw) == "Date: *\nReferences: *\nSubject: x\n\nRef: *\n"
    assert matches("Ref: abc", "Ref: *")
    assert not matches("Ref: ", "Ref: *")
    assert not matches("Ref: a", "Ref: b")


def test_the_mail_about_a_restore_leaves_out_what_there_is_none_of():
    """Only kinds of mail that are held have a line."""
    made = letter("restored", "much", reminders=0, answers=1)
    held = "- 12 acknowledgements\n- 31 notices to agents and others\n- 1 answer of agents to customers\n"
    assert held in made.text
    assert made.html.count("<li>") == 3
    assert "reminder" not in made.text + made.html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("type `a <b>` now", "type <code>a &lt;b&gt;</code> now"),
        ("`a` and `b`", "<code>a</code> and <code>b</code>"),
        ("no `end & none", "no `end &amp; none"),
        ("", ""),
    ],
)
def test_what_is_to_be_typed_is_code(text: str, html: str):
    """Backticks are for plain text; in HTML a command looks like one. Strangers' text stays text."""
    assert code(text) == html


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_mail_of_trouble_promises_only_what_is_so(goes_on: bool):
    """That the desk tries by itself stands only where it does; how to look further stands in each."""
    found = letter("trouble", "plain", goes_on=goes_on)
    for words in (found.text, found.html):
        assert ("goes on trying by itself" in words) is goes_on
        assert ("again when it is over" in words) is goes_on
        assert "mailtickets doctor" in words
    assert "<code>mailtickets status</code>" in found.html
    assert "`" not in found.html
