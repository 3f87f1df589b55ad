"""A small house with software for music schools: customers rate their issues, wishes are kept apart, no promises.

9 November 2026 is a Monday; the desk works 9:00 to 17:00.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.desk.ticket import Status
from mailtickets.figures.text import text_report

DESK = "d-music-software"
ANA, BEN = "ana@school.example", "ben@choir.example"
KIM, LEE = "kim@cadence.example", "lee@cadence.example"
SUPPORT, IDEAS = "support@cadence.example", "ideas@cadence.example"
MONDAY = "2026-11-09 10:00"


def said(mail) -> str:
    """Return a mail's text without line breaks."""
    return " ".join(mail.text.split())


@pytest.fixture
def desk(desk_at):
    """It is Monday, ten in the morning."""
    return desk_at(MONDAY)


# -- customers say how urgent it is ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first_line", "priority"),
    [
        ("Priority: high", "P1"),
        ("Priority: HIGH please", "P1"),
        ("Urgency: Medium", "P2"),
        ("priority - none of your business", "P2"),  # says nothing that counts: the default
        ("Priority: low", "P3"),
        ("", "P2"),
    ],
)
def test_a_customer_states_high_medium_or_low_in_the_first_line(desk, first_line, priority):
    """In the desk's own three words; without one it is Medium."""
    desk.proven(ANA, f"{first_line}\nThe register shows no pupils.", to=SUPPORT)
    assert desk.ticket().priority == priority


@pytest.mark.parametrize(
    ("header", "value", "priority"),
    [
        ("X_Priority", "1", "P1"),
        ("X_Priority", "5", "P3"),
        ("Importance", "low", "P3"),
        ("Importance", "normal", "P2"),
    ],
)
def test_a_mail_programs_own_mark_counts_too(desk, header, value, priority):
    """The flag of the mail program is a statement like any other."""
    desk.proven(ANA, "The register shows no pupils.", to=SUPPORT, **{header: value})
    assert desk.ticket().priority == priority


def test_the_acknowledgement_says_the_number_the_priority_and_what_the_levels_mean(desk):
    """A correct statement helps everybody, so the criteria stand in each acknowledgement."""
    desk.proven(ANA, "Priority: high\nIt does not start.", to=SUPPORT)
    text = said(desk.last(ANA, "acknowledgement"))
    assert "reference is CAD-1001" in text
    assert "Its priority is High." in text
    for line in (
        "- High: a show-stopper: the software cannot be used under normal conditions",
        "- Medium: the software does not work as it should or has errors of logic, but can be used",
        "- Low: the work of the software is not affected, such as a mistake in the manual",
    ):
        assert line in text
    assert "solved by" not in text


def test_the_agent_sees_what_was_stated_and_may_set_it_right(desk):
    """Kim makes it Low; the history says who said what."""
    desk.proven(ANA, "Priority: high\nA letter is missing on page 3 of the manual.", to=SUPPORT)
    assert "High" in said(desk.last(KIM))
    desk.answer(KIM, "#low\n")
    assert desk.ticket().priority == "P3"
    told = [entry.reason for entry in desk.entries() if entry.kind == "priority"]
    assert told == ["P1: stated by the customer", "P3: set by kim"]


def test_of_two_questions_each_has_its_number(desk):
    """So that both sides know of which one they speak."""
    desk.proven(ANA, "The register shows no pupils.", to=SUPPORT, subject="Register")
    desk.proven(ANA, "How do I print?", to=SUPPORT, subject="Printing")
    desk.answer(KIM, "With the button.", 1002)
    assert desk.last(ANA)["Subject"] == "Re: [CAD-1002] Printing"


# -- wishes are kept apart ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "text"),
    [
        (IDEAS, "A list of all instruments."),
        (SUPPORT, "I have a feature request: a list of all instruments."),
        (SUPPORT, "Priority: Enhancement\nA list of all instruments."),
    ],
)
def test_a_wish_is_kept_apart_by_its_address_or_its_words(desk, to, text):
    """It has a queue, a type, a level and a person of its own; nobody is measured or reminded by it."""
    desk.proven(ANA, text, to=to)
    ticket = desk.ticket()
    assert (ticket.queue, ticket.type, ticket.priority, ticket.reference) == (
        "ideas",
        "enhancement",
        "P4",
        "IDEA-1001",
    )
    assert (desk.kinds(LEE), desk.kinds(KIM)) == (["agent_new"], [])
    text = said(desk.last(ANA, "acknowledgement"))
    assert "a wish" in text
    assert "account manager" not in text  # there are none here
    assert "priority" not in text
    desk.answer(LEE, "What should be in it?")
    desk.until("2027-01-11 10:00")
    assert desk.told(ANA, "reminder", "closed") == []


def test_a_support_issue_is_no_wish(desk):
    """The same customer, the same day."""
    desk.proven(ANA, "A list of all instruments.", to=IDEAS)
    desk.proven(ANA, "The list of pupils is empty.", to=SUPPORT)
    assert [desk.ticket(number).type for number in (1001, 1002)] == ["enhancement", "question"]


# -- statistics --------------------------------------------------------------------------------------------


def answered(desk):
    """Let in three issues, answered after one, two and six working hours, and a wish that nobody has answered."""
    desk.proven(ANA, "Priority: high\nIt does not start.", to=SUPPORT)
    desk.proven(BEN, "Priority: high\nThe register shows no pupils.", to=SUPPORT)
    desk.proven(BEN, "Priority: low\nPage 3.", to=SUPPORT, subject="Manual")
    desk.proven(BEN, "A list of all instruments.", to=IDEAS, subject="Idea")
    day = desk.local(desk.now)[:10]
    for number, when in ((1001, "11:00"), (1002, "12:00"), (1003, "16:00")):
        desk.until(f"{day} {when}")
        desk.answer(KIM, f"Please try the new version {number}.", number)
    return desk


@pytest.fixture
def month(desk):
    """Somebody looks at the statistics of this Monday."""
    return answered(desk)


def test_response_times_are_counted_by_priority_and_without_wishes(month):
    """Median and 90th percentile of the first response; no share of targets, as there are none."""
    figures = month.figures(queue="support")
    total = figures.total
    assert (total.opened, total.first_response.count) == (3, 3)
    assert total.first_response.median == timedelta(hours=2)
    assert total.first_response.p90 == timedelta(hours=6)
    assert total.first_response_target.share is None
    by = {group.name: group.first_response.median for group in figures.by["priority"]}
    assert by == {"P1 High": timedelta(minutes=90), "P3 Low": timedelta(hours=6)}
    kinds = {group.key: group.opened for group in month.figures().by["type"]}
    assert kinds == {"question": 3, "enhancement": 1}


def test_an_issue_that_is_closed_by_silence_stays_in_the_figures(month):
    """Closed is closed; the response time is what it was."""
    month.until("2026-11-23 10:00")
    assert month.ticket().status is Status.CLOSED
    total = month.figures(queue="support").total
    assert (total.closed, total.first_response.median) == (3, timedelta(hours=2))


def test_the_statistics_can_be_read(month):
    """The report in words, of the support queue alone."""
    said = text_report(month.figures(queue="support"))
    assert "Only queue support" in said
    assert "First response           2 h           6 h           3" in said
    assert "No ticket of this period had a target" in said


def test_the_command_reads_them_from_the_store(desk_at):
    """`mailtickets report` of a month that is past, as text."""
    desk = answered(desk_at("2025-11-10 10:00"))
    (desk.folder / "config.toml").write_text(desk.config.path.read_text(encoding="utf-8"), encoding="utf-8")
    line = [
        "--config",
        str(desk.folder / "config.toml"),
        "report",
        "--from",
        "2025-11-01",
        "--to",
        "2025-11-30",
    ]
    result = CliRunner().invoke(cli, [*line, "--queue", "support"])
    assert result.exit_code == 0, result.output
    assert "Cadence Support: November 2025" in result.output
    assert "First response           2 h           6 h           3" in result.output
    assert "P1 High                  2        0       2   1.5 h" in result.output
