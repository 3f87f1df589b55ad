"""`mailtickets rules`: what the rules are, and what they make of a mail, as an admin sees it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.store import Store
from tests.support.desk import START
from tests.test_config import SHORT, written

RULES = """
[calendar.office]
timezone = "Europe/London"
hours = { mon-fri = ["09:00-17:30"] }

[service_level.gold]
calendar = "office"
P1 = { name = "Urgent", first_response = "30m", update = "60m", resolution = "4wh" }
P3 = { name = "Normal", first_response = "2wd" }

[queue.billing]
address = "billing@acme.example"
tag = "BIL"
agents = ["lee"]
customer_priority = "P2"

[organisation.customer]
name = "Customer Inc"
domains = ["customer.example"]
contacts = ["cora@customer.example"]
others = "tell"
service_level = "gold"

[[rule]]
name = "fires"
words = ["on fire", "smoke"]
then = { priority = "P1", type = "incident", tags = ["fire", "hot"], assign = "kim" }

[[rule]]
name = "invoices"
subject = ["invoice"]
from_queue = ["support"]
then = { queue = "billing" }
stop = true

[[rule]]
sender = ["*@vip.example"]
header = { "X-Severity" = "*" }
then = { service_level = "gold" }
"""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Stand in the folder of a desk with rules that was never started."""
    monkeypatch.chdir(tmp_path)
    return written(tmp_path, SHORT + RULES).parent


def run(*arguments, text=b""):
    """Run a command line; return exit code, output and what went to the error stream."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], input=text)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def mail(
    text="My printer is on fire.",
    *,
    subject="Printer",
    from_="ana@customer.example",
    to="support@acme.example",
    more="",
):
    """Write a mail."""
    return f"From: Ana <{from_}>\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <1@customer.example>\r\n{more}\r\n{text}\r\n".encode()


def tried(*arguments, **what):
    """Return what `rules test --json` says of a mail."""
    code, said, wrong = run("rules", "test", "-", "--json", *arguments, text=mail(**what))
    assert code == 0, wrong
    return json.loads(said)


def test_rules_test_explains_a_mail_to_people(desk):
    """Queue, organisation, each rule with its reason, and the ticket with names and deadlines."""
    (desk / "fire.eml").write_bytes(mail())
    code, said, _ = run("rules", "test", "fire.eml")
    assert code == 0
    lines = said.splitlines()
    assert "came to        queue support, by its addresses" in lines
    assert "organisation   Customer Inc (customer)" in lines
    assert 'rule 1 "fires": holds, as the text has "on fire"' in lines
    assert "    sets priority P1, type incident, assignee kim, tags fire and hot" in lines
    assert 'rule 2 "invoices": does not hold: the subject has none of "invoice"' in lines
    assert "rule 3: does not hold: the sender ana@customer.example is not *@vip.example" in lines
    assert 'priority       Urgent (P1): rule 1 "fires"' in lines
    assert "owner          Kim Archer (kim)" in lines
    assert "goes to        Kim Archer" in lines
    assert "tags           fire, hot" in lines
    assert "service level  gold" in lines
    assert "calendar       Monday to Friday 09:00 to 17:30 (Europe/London)" in lines
    assert any(line.startswith("first response 30m, so by ") for line in lines)
    assert "update         60m from each answer to the next" in lines
    assert any(
        line.startswith("note           no contact of Customer Inc: a ticket is opened") for line in lines
    )


def test_rules_test_says_who_gets_the_mail(desk):
    """The whole queue, or for a complaint only those to whom it is routed."""
    text = (
        SHORT
        + '[type.complaint]\nroute = ["lee"]\n[[rule]]\nwords = ["complain"]\nthen = { type = "complaint" }\n'
    )
    written(desk, text)
    assert "goes to        Kim Archer, Lee Moss" in run("rules", "test", "-", text=mail())[1]
    said = run("rules", "test", "-", text=mail("I complain."))[1]
    assert "goes to        Lee Moss only (complaint)" in said


def test_rules_test_explains_a_mail_to_scripts(desk):
    """The same as JSON, with keys that stay."""
    said = tried()
    assert said["queue"] == {"name": "support", "from": "its addresses"}
    assert said["organisation"] == "customer"
    assert [one["rule"] for one in said["fired"]] == [1]
    assert [one["rule"] for one in said["not_fired"]] == [2, 3]
    result = said["result"]
    assert (result["priority"], result["priority_name"], result["type"]) == ("P1", "Urgent", "incident")
    assert (result["queue"], result["assignee"], result["tags"]) == ("support", "kim", ["fire", "hot"])
    assert {name: one["span"] for name, one in result["targets"].items()} == {
        "first_response": "30m", "update": "60m", "resolution": "4wh",
    }  # fmt: skip


def test_a_rule_that_ends_the_list_says_so(desk):
    """The queue is another one, and the third rule was not asked."""
    said = tried(subject="Wrong invoice")
    assert [one["rule"] for one in said["fired"]] == [1, 2]
    assert said["not_fired"][0]["why"] == 'not looked at, as rule 2 "invoices" ends the list'
    assert (said["result"]["queue"], said["result"]["assignee"]) == ("billing", "kim")


def test_the_queue_may_be_given(desk):
    """As if the mail had come to another address."""
    said = tried("--queue", "billing", subject="Wrong invoice", text="Priority: high")
    assert said["queue"] == {"name": "billing", "from": "--queue"}
    assert [one["rule"] for one in said["fired"]] == []
    assert (said["result"]["priority"], said["result"]["priority_from"]) == ("P2", "stated by the customer")


def test_a_mail_that_names_no_queue_comes_to_the_mailboxs_first(desk):
    """As the daemon would have it."""
    assert tried(to="somebody@else.example")["queue"] == {
        "name": "support",
        "from": "it names no queue, so the mailbox's first",
    }


@pytest.mark.parametrize(
    ("what", "note"),
    [
        ({"more": "Auto-Submitted: auto-replied\r\n"}, "not written by a person"),
        ({"from_": "kim@acme.example"}, "written by Kim Archer, an agent of this queue"),
        ({"more": "In-Reply-To: <x@acme.example>\r\n"}, "it answers a mail"),
    ],
)
def test_it_says_where_the_rules_would_not_be_asked(desk, what, note):
    """The daemon does not open a ticket by rules for every mail."""
    assert any(one.startswith(note) for one in tried(**what)["notes"])


def test_the_desks_own_keys_are_used_where_there_is_a_store(desk):
    """A store that exists is read, and not changed."""
    Store.open(desk / "desk.db", START).close()
    before = (desk / "desk.db").read_bytes()
    assert tried()["result"]["priority"] == "P1"
    assert (desk / "desk.db").read_bytes() == before


def test_nothing_of_the_mail_reaches_the_terminal_as_a_command(desk):
    """Escape sequences in a subject are shown, not obeyed."""
    code, said, _ = run("rules", "test", "-", text=mail(subject="\x1b[31mred"))
    assert code == 0
    assert "\x1b" not in said


def test_a_mail_that_is_too_large_is_read_as_the_daemon_takes_it(tmp_path, monkeypatch):
    """Only its beginning counts."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path, SHORT + RULES + '\n[limits]\nmail_size = "100KB"\n')
    assert tried(text="word\r\n" * 40_000 + "smoke")["fired"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("missing.eml",), 2, "No such file"),
        (("-",), 1, "there is no mail in it"),
        (("-", "--queue", "sales"), 2, 'there is no queue "sales"; there are: support, billing'),
    ],
)
def test_what_cannot_be_tried_is_said(desk, arguments, code, complaint):
    """A file that is not there, an empty one, a queue that nobody knows."""
    got, _, wrong = run("rules", "test", *arguments)
    assert (got, complaint in wrong) == (code, True)


def test_rules_list_says_what_each_asks_and_sets(desk):
    """For people a sentence each, for scripts the values."""
    _, said, _ = run("rules", "list")
    assert said.splitlines() == [
        'rule 1 "fires"',
        '    when subject or text have "on fire" or "smoke"',
        "    then priority P1, type incident, assignee kim, tags fire and hot",
        'rule 2 "invoices"',
        '    when it comes to support and the subject has "invoice"',
        "    then queue billing; no later rule is asked",
        "rule 3",
        "    when the sender is *@vip.example and it has the header X-Severity",
        "    then service level gold",
    ]
    _, said, _ = run("rules", "list", "--json")
    assert [one["stop"] for one in json.loads(said)] == [False, True, False]


def test_without_rules_it_says_so(tmp_path, monkeypatch):
    """An empty list would look like a fault."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path)
    assert run("rules", "list")[1].startswith("no rules")
    assert "there are no rules" in run("rules", "test", "-", text=mail())[1]
