"""`mailtickets forget ADDRESS`: the admin erases a person at once, with or without a running daemon."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.store import Store
from tests.support.desk import Desk
from tests.support.leftovers import leftovers

CONFIG = """\
[desk]
name = "Acme Support"
store = "desk.db"
admins = ["it@desk.example"]

[smtp]
host = "127.0.0.1"
port = 2525
security = "none"

[mailbox.support]
maildir = "mail"

[queue.support]
address = "support@desk.example"
tag = "SUP"
agents = ["kim"]

[agent.kim]
name = "Kim Archer"
email = "kim@desk.example"
"""
ANA = "ana@customer.example"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG)
    desk = Desk(tmp_path)
    desk.writes(f"Ana Lima <{ANA}>", "The zanzibar printer smokes.")
    desk.writes("Ben Roth <ben@customer.example>", "A quagga.")
    desk.close()
    return tmp_path


def forget(folder, *arguments, typed=""):
    return CliRunner().invoke(
        cli, ["--config", str(folder / "config.toml"), "forget", *arguments], input=typed
    )


def test_it_asks_and_then_erases(folder):
    """What would go is said first; after "y" it is gone from the file, and where copies are left is said."""
    done = forget(folder, "Ana@Customer.example", typed="y\n")
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "ana@customer.example: 1 mail, 1 ticket 1 with nobody else" in said
    assert "1 still open are closed and nobody is told" in said
    assert "now under erased-1@invalid" in said
    assert "mails in the mailbox on the mail server" in said
    assert leftovers(folder / "desk.db", ANA, "zanzibar", "Ana Lima") == []
    assert leftovers(folder / "desk.db", "quagga") != []
    with_ticket = CliRunner().invoke(
        cli, ["--config", str(folder / "config.toml"), "show", "SUP-1001", "--json"]
    )
    entries = json.loads(with_ticket.output)["entries"]
    (erased,) = [entry for entry in entries if entry["kind"] == "erased"]
    assert erased["reason"] == "a person was erased: confirmed by the admin, on the command line"
    books = json.loads(
        CliRunner().invoke(cli, ["--config", str(folder / "config.toml"), "ledger", "--json"]).output
    )
    assert (books["received"], books["unexplained"]) == (2, 0)


def test_without_a_yes_nothing_happens(folder):
    """Enter is no."""
    done = forget(folder, ANA, typed="\n")
    assert done.exit_code == 1
    assert leftovers(folder / "desk.db", "zanzibar") != []


def test_scripts_say_yes_beforehand(folder):
    """With --json nobody is asked, so --yes has to be there."""
    assert forget(folder, ANA, "--json").exit_code == 2
    done = forget(folder, ANA, "--json", "--yes")
    assert json.loads(done.output) == {"pseudonym": "erased-1@invalid", "tickets": 1, "closed": 1, "mails": 1}


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("nobody@elsewhere.example", "is not known to the desk"),
        ("kim@desk.example", "is an address of the agent Kim Archer"),
        ("it@desk.example", "is an address of the desk itself"),
    ],
)
def test_who_cannot_be_erased(folder, address, why):
    """Exit code 1 and one sentence; with --json as JSON."""
    done = forget(folder, address, "--yes")
    assert done.exit_code == 1
    assert why in done.output
    done = forget(folder, address, "--yes", "--json")
    assert (done.exit_code, why in json.loads(done.output)["error"]) == (1, True)


def test_a_second_time_the_person_is_unknown(folder):
    """Nothing is left by which the address could be known."""
    assert forget(folder, ANA, "--yes").exit_code == 0
    assert "is not known to the desk" in forget(folder, ANA, "--yes").output


def test_a_reader_holds_the_cleaning_up(folder):
    """While somebody reads the store its journal stays; the next start goes on with that."""
    reader = Store.read(folder / "desk.db")
    reader._connection.execute("PRAGMA busy_timeout = 0")
    reader._connection.execute("BEGIN")
    reader._connection.execute("SELECT count(*) FROM entry").fetchone()
    from mailtickets.store import opening

    opening.BUSY_TIMEOUT_S, before = 0.2, opening.BUSY_TIMEOUT_S
    try:
        done = forget(folder, ANA, "--yes")
    finally:
        opening.BUSY_TIMEOUT_S = before
    assert done.exit_code == 0, done.output
    assert "not yet gone from the free room" in done.output
    reader._connection.execute("COMMIT")
    reader.close()
    desk = Desk(folder)
    desk.run()
    assert leftovers(folder / "desk.db", ANA, "zanzibar") == []
    desk.close()


def test_next_and_why_tell_of_the_question(tmp_path):
    """`next` says that the question ends by itself, and whom that tells; `why` that it was asked."""
    (tmp_path / "config.toml").write_text(CONFIG)
    desk = Desk(tmp_path)
    desk.writes(f"Ana Lima <{ANA}>", "It smokes.")
    desk.answers(desk.last("kim@desk.example"), "kim@desk.example", "#forget")
    reference = desk.ticket(1001).reference
    desk.close()
    config = str(tmp_path / "config.toml")
    coming = json.loads(CliRunner().invoke(cli, ["--config", config, "next", "--json"]).output)
    ends = [(one["reference"], one["to"]) for one in coming if one["kind"] == "forgotten"]
    assert ends == [(reference, ["kim@desk.example", "it@desk.example"])]
    why = CliRunner().invoke(cli, ["--config", config, "why", reference]).output
    assert "asks the admins to erase a person" in why
    assert "to the admins ends" in why
