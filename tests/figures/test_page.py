"""A report as a mail and as one page: readable on a telephone, whole without the network."""

from __future__ import annotations

import base64
import re

import pytest
from lxml import html as lxml_html

from mailtickets.desk.agreement import ReportPlan
from mailtickets.desk.notices import Notice
from mailtickets.figures.apart import Drawn, Picture
from mailtickets.figures.page import page, report_mail, report_values
from mailtickets.templates import SAMPLES, Templates
from tests.figures.conftest import LONDON
from tests.figures.month import MONTH, NOW, november

TEMPLATES = Templates(zone=LONDON)
PNG = b"\x89PNG\r\n\x1a\nnot really"
DRAWN = Drawn(
    tuple(
        Picture(name, f"Title of {name}", f"About {name}.", PNG)
        for name in ("course", "targets", "responses", "load")
    )
)
WEEKLY = ReportPlan("weekly", "week", ("it@acme.example",), queue="support")


@pytest.fixture
def month(desk):
    november(desk)
    return desk.figures(*MONTH, now=NOW)


def letter(values):
    return TEMPLATES.letter(Notice("report", "en", "", values))


def test_the_mail_has_the_text_the_page_and_the_pictures(month):
    """Each picture that the page shows goes along under its Content-ID; the text is that of the command."""
    mail = report_mail(month, WEEKLY, DRAWN)
    made = letter(mail.values)
    assert made.subject == "[Acme Support] Weekly report: November 2026"
    assert made.text.startswith("Acme Support: November 2026\n\nOpened                    98   3.3 a day")
    assert "[report.weekly] of config.toml sends this report" in made.text
    shown = lxml_html.fromstring(made.html).xpath("//img/@src")
    assert shown == [f"cid:{picture.content_id}" for picture in mail.pictures]
    assert len(shown) == 4


def test_the_page_is_one_file(month):
    """Pictures are inside; nothing is loaded from anywhere."""
    whole = page(month, DRAWN, TEMPLATES)
    root = lxml_html.fromstring(whole)
    sources = root.xpath("//@src")
    assert {base64.b64decode(source.removeprefix("data:image/png;base64,")) for source in sources} == {PNG}
    assert root.xpath("//link | //script | //iframe | //@background") == []
    assert "url(" not in whole
    assert "cid:" not in whole
    assert next(image.get("alt") for image in root.xpath("//img")) == "Title of course: About course."


def test_the_page_fits_a_telephone(month):
    """Tables have four columns at most; pictures shrink with the page; the viewport is that of the device."""
    root = lxml_html.fromstring(page(month, DRAWN, TEMPLATES))
    rows = root.xpath("//table[not(@role)]//tr")
    assert max(len(row.xpath("./td")) for row in rows) == 4
    assert all("width:100%" in image.get("style") for image in root.xpath("//img"))
    assert root.xpath("//meta[@name='viewport']/@content") == ["width=device-width, initial-scale=1"]


def test_what_is_below_its_goal_is_told_by_more_than_colour(month):
    """Bold, and the text says it in words."""
    root = lxml_html.fromstring(page(month, DRAWN, TEMPLATES))
    assert "82.3 %" in root.xpath("//b[contains(@style, 'color')]/text()")
    assert "below the goal" in report_values(month, DRAWN)["text"]


def test_all_figures_by_one_dimension_stand_in_tables(desk, month):
    """As in the text: volume, first response, resolution, updates, ages."""
    root = lxml_html.fromstring(page(month, DRAWN, TEMPLATES, "agent"))
    headings = [text for text in root.xpath("//p/b/text()") if text.startswith("By ")]
    assert headings == [
        f"By agent: {what}"
        for what in ("volume", "first response", "resolution", "updates", "backlog by age")
    ]


def test_without_pictures_the_page_says_why(month):
    """One line; in a report of nothing not even that."""
    note = "Pictures are left out: matplotlib is not installed."
    values = report_values(month, Drawn(note=note))
    assert note in letter(values).html
    assert "<img" not in letter(values).html


def test_an_empty_report_is_a_mail_too(desk):
    """The reader learns that the desk is alive and had nothing to do."""
    made = letter(report_mail(desk.figures(recent="week"), WEEKLY, Drawn(note="no pictures")).values)
    assert "Nothing was opened, resolved or left over in this period." in made.html
    assert "no pictures" not in made.html
    assert made.subject == "[Acme Support] Weekly report: Mon 16 to Sun 22 Nov 2026 (week 47)"


def test_names_of_strangers_are_text(desk):
    """Markup and template signs in a name are shown as written."""
    for name in ("<b>x</b>", "{{ 7 * 7 }}"):
        desk.ticket("2026-11-20 09:10", organisation=name)
    made = letter(report_values(desk.figures(), Drawn()))
    assert "&lt;b&gt;x&lt;/b&gt;" in made.html
    assert "{{ 7 * 7 }}" in made.html


def test_the_samples_have_the_values_of_a_real_report(month):
    """What `check` renders with is what a report brings, name by name."""

    def names(value):
        if isinstance(value, dict):
            return {key: names(inner) for key, inner in value.items()}
        return [names(value[0])] if isinstance(value, list | tuple) and value else None

    real = names(report_values(month, DRAWN, plan=WEEKLY))
    detailed = names(report_values(month, DRAWN, detail="agent"))
    assert set(SAMPLES["report"]["weekly"]) == set(real)
    for key, value in names(dict(SAMPLES["report"]["weekly"])).items():
        if value is not None:
            assert value == real[key], key
    assert names(dict(SAMPLES["report"]["detail"]))["tables"] == detailed["tables"]


def test_the_page_of_a_large_desk_stays_small(desk):
    """A thousand organisations and long names: rows are cut, the page stays far below the limit of output."""
    for number in range(300):
        desk.ticket("2026-11-20 09:10", organisation=f"{number}{'x' * 200}", assignee=f"a{number}")
    made = page(desk.figures(), Drawn(), TEMPLATES, "organisation")
    assert len(made) < 250_000
    assert len(re.findall("more with", made)) == 5
