"""`mailtickets next`, and what `why` and `show` say of deadlines: for scripts, for people, and against another configuration.

Monday 23 November 2026, 09:00 in London; the office closes at 17:30.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.cli.words import explained
from tests.support.configured import ConfiguredDesk
from tests.test_config import SHORT, written

ANA, KIM = "ana@customer.example", "kim@acme.example"
HOUR = timedelta(hours=1)
AGREEMENT = """
[calendar.office]
timezone = "Europe/London"
hours = { mon-fri = ["09:00-17:30"] }

[service_level.standard]
P1 = { name = "Urgent", first_response = "1wh", resolution = "4wh" }
P3 = { first_response = "4wh", resolution = "16wh" }

[[escalation]]
name = "Team lead"
when = ["80%", "breach"]
targets = ["first_response"]
to = ["lee"]

[report.weekly]
every = "week"
to = ["boss@acme.example"]
"""
CONFIG = (
    SHORT.replace('tag = "SUP"', 'tag = "SUP"\ncalendar = "office"\nservice_level = "standard"').replace(
        'admins = ["it@acme.example"]', 'admins = ["it@acme.example"]\ntimezone = "Europe/London"'
    )
    + AGREEMENT
)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A desk with an agreement whose clock the commands share."""
    (tmp_path / "smtp-password").write_text("x")
    (tmp_path / "imap-password").write_text("x")
    made = ConfiguredDesk(written(tmp_path, CONFIG), tmp_path, "2026-11-23 09:00")
    monkeypatch.setattr("mailtickets.clocks.utc_now", lambda: made.now)
    yield made
    made.close()


def run(desk, *arguments):
    """Run a command beside the desk; return what it printed."""
    result = CliRunner().invoke(cli, ["--config", str(desk.config.path), *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def tickets(desk, reference=""):
    """What `next --json` prints, without the reports."""
    code, output = run(desk, "next", *([reference] if reference else []), "--json")
    assert code == 0
    return [
        (one["at"][:16], one["reference"], one["kind"], one["to"])
        for one in json.loads(output)
        if one["reference"]
    ]


def test_scripts_get_moments_references_kinds_and_addressees(desk):
    """The soonest first; exactly the four keys; times in UTC."""
    desk.writes(ANA, "It burns.")
    code, output = run(desk, "next", "--json")
    assert code == 0
    assert [set(one) for one in json.loads(output)] == [{"at", "reference", "kind", "to"}] * 3
    assert tickets(desk) == [
        ("2026-11-23T12:12", "SUP-1001", "warning", ["lee@acme.example"]),
        ("2026-11-23T13:00", "SUP-1001", "breach", ["lee@acme.example"]),
    ]


def test_silence_is_told_to_its_end(desk):
    """Both reminders and the closing, each in the queue's sending window; the clock stands still."""
    desk.writes(ANA, "It burns.")
    desk.passes(9 * HOUR)  # 18:00
    desk.answer(KIM, "Which printer?\n")
    assert tickets(desk, "SUP-1001") == [
        ("2026-11-25T09:00", "SUP-1001", "reminder", [ANA]),
        ("2026-11-27T09:00", "SUP-1001", "reminder", [ANA]),
        ("2026-11-30T09:00", "SUP-1001", "closed", [ANA]),
    ]


def test_what_it_says_is_what_happens(desk):
    """The moments that were told are those at which the mails leave."""
    desk.writes(ANA, "It burns.")
    desk.passes(9 * HOUR)
    desk.answer(KIM, "Which printer?\n")
    told = [(at, kind) for at, _, kind, _ in tickets(desk)]
    desk.until("2026-12-01 09:00")
    happened = desk.told(ANA, "reminder", "closed")
    assert [(kind, at) for at, kind in told] == [(kind, at.replace(" ", "T")) for kind, at in happened]


def test_people_read_local_times_and_words(desk):
    """A line for each; a report has a line too."""
    desk.writes(ANA, "It burns.")
    _, output = run(desk, "next")
    assert output.split("\n") == [
        "Mon 23 Nov 2026 12:12  SUP-1001    Team lead: 80% of the time for the first answer is used; tells Lee Moss.",
        "Mon 23 Nov 2026 13:00  SUP-1001    Team lead: the first answer is late; tells Lee Moss.",
        "Mon 30 Nov 2026 07:00  report      weekly, to boss@acme.example.",
        "",
    ]


def test_nothing_to_come_is_said(desk):
    """And a ticket that there is not is an error."""
    desk.writes(ANA, "It burns.")
    desk.answer(KIM, "#close\n")
    assert run(desk, "next", "SUP-1001") == (0, "nothing goes out by itself: the ticket waits for a person\n")
    code, output = run(desk, "next", "SUP-4711")
    assert code == 1
    assert "there is no ticket SUP-4711" in output


def test_the_limit_keeps_the_soonest(desk):
    """Whatever ticket they are of."""
    for number in range(5):
        desk.writes(ANA, f"It burns {number}.", subject=f"Fire {number}")
        desk.passes(HOUR / 4)
    _, output = run(desk, "next", "--json", "--limit", "3")
    found = [(one["at"][11:16], one["reference"]) for one in json.loads(output)]
    assert found == [("12:12", "SUP-1001"), ("12:27", "SUP-1002"), ("12:42", "SUP-1003")]


def test_it_changes_nothing(desk):
    """The store is opened for reading only."""
    desk.writes(ANA, "It burns.")
    before = (desk.ticket(), desk.entries(), desk.store.views.timers(1001))
    run(desk, "next")
    run(desk, "next", "--against", str(desk.config.path))
    assert (desk.ticket(), desk.entries(), desk.store.views.timers(1001)) == before


def test_against_another_configuration(desk, tmp_path):
    """What moves, what is new, what goes; and for scripts the same with both times."""
    desk.writes(ANA, "It burns.")
    new = tmp_path / "new.toml"
    text = CONFIG.replace('P3 = { first_response = "4wh"', 'P3 = { first_response = "2wh"').replace(
        'when = ["80%", "breach"]', 'when = ["breach", "breach+1wh"]'
    )
    new.write_text(text)
    new.chmod(0o600)
    _, output = run(desk, "next", "--against", str(new))
    assert output.split("\n") == [
        "moved  Mon 23 Nov 2026 13:00 -> Mon 23 Nov 2026 11:00  SUP-1001    Team lead: the first answer is late; tells Lee Moss.",
        "new    Mon 23 Nov 2026 12:00  SUP-1001    Team lead: the first answer is late by 1 working hour; tells Lee Moss.",
        "gone   Mon 23 Nov 2026 12:12  SUP-1001    Team lead: 80% of the time for the first answer is used; tells Lee Moss.",
        "1 moved, 1 new, 1 gone, 1 as before",
        "",
    ]
    _, output = run(desk, "next", "--against", str(new), "--json")
    assert [
        (one["was"] and one["was"][11:16], one["at"] and one["at"][11:16]) for one in json.loads(output)
    ] == [
        ("13:00", "11:00"),
        (None, "12:00"),
        ("12:12", None),
    ]


def test_a_bad_configuration_to_compare_with_is_refused(desk, tmp_path):
    """All its problems with their file, exit code 78."""
    new = tmp_path / "new.toml"
    new.write_text(CONFIG.replace("4wh", "4 hours"))
    new.chmod(0o600)
    arguments = ["--config", str(desk.config.path), "next", "--against", str(new)]
    told = explained(CliRunner().invoke(cli, arguments).exception)
    assert told is not None
    assert told[1] == 78
    assert "new.toml:" in told[0]


def test_why_tells_the_deadlines(desk):
    """What is due and what is late, beside how the ticket came to be so."""
    desk.writes(ANA, "It burns.")
    desk.answer(KIM, "#p1\n#due friday 12:00\n#tag fire\n")
    desk.passes(2 * HOUR)
    _, output = run(desk, "why", "SUP-1001")
    assert "priority P1: set by kim (by kim)" in output
    assert "late: first answer, Mon 23 Nov 2026 10:00" in output
    assert "due: resolution, Fri 27 Nov 2026 12:00" in output
    _, output = run(desk, "why", "SUP-1001", "--json")
    assert [(one["target"], one["late"]) for one in json.loads(output)["deadlines"]] == [
        ("first_response", True),
        ("resolution", False),
    ]


def test_show_has_labels_and_priorities_by_number(desk):
    """P1 to P4 for scripts, whatever the desk calls them."""
    desk.writes(ANA, "It burns.")
    desk.answer(KIM, "#urgent\n#tag fire\n#type incident\n")
    _, output = run(desk, "show", "SUP-1001", "--json")
    shown = json.loads(output)
    assert (shown["priority"], shown["type"], shown["tags"]) == ("P1", "incident", ["fire"])
    _, output = run(desk, "list", "--json")
    assert json.loads(output)[0]["priority"] == "P1"
    assert "labels: fire" in run(desk, "show", "SUP-1001")[1]
