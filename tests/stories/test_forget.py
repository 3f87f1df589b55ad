"""A person is erased: asked by mail, confirmed by mail, and gone from the disk; also where the desk is killed on the way."""

from __future__ import annotations

import pytest

from tests.support.leftovers import leftovers
from tests.support.process import DeskProcess

ANA, KIM, IT = "Ana Lima <ana@customer.example>", "Kim Archer <kim@desk.example>", "it@desk.example"
MARKS = ("ana@customer.example", "zanzibar", "okapi", "Ana Lima")


@pytest.fixture
def asked(desk: DeskProcess) -> DeskProcess:
    """Ana wrote with an attachment, Kim answered and asked to erase her; the admin has the question."""
    desk.start()
    desk.writes(ANA, "The zanzibar printer smokes.", files={"okapi.txt": b"okapi " * 3000})
    desk.answers(desk.wait_to("kim@desk.example", 1)[0], KIM, "Pull the plug, Ana.")
    answer = desk.wait_to("ana@customer.example", 2)[1]
    desk.answers(answer, ANA, "Still zanzibar.")
    desk.answers(desk.wait_to("kim@desk.example", 2)[1], KIM, "#forget")
    desk.wait_to(IT, 1)
    desk.at_rest()
    return desk


def question(desk: DeskProcess):
    return next(mail for mail in desk.to(IT) if "confirm" in mail["Subject"])


def told(desk: DeskProcess, address: str):
    return [mail for mail in desk.to(address) if "was erased" in mail["Subject"]]


def gone(desk: DeskProcess) -> bool:
    return leftovers(desk.folder / "desk.db", *MARKS) == []


def test_asked_confirmed_and_gone_from_the_disk(asked: DeskProcess):
    """Neither the store nor its journal holds her; the mails on the server are left alone and not taken in again."""
    assert len(leftovers(asked.folder / "desk.db", *MARKS)) > 10
    asked.answers(question(asked), IT, "yes")
    asked.wait(lambda: told(asked, IT) and told(asked, "kim@desk.example"), "the news that it is done")
    asked.at_rest()
    asked.wait(lambda: gone(asked), "all of it to be gone")
    ticket = asked.json("show", "SUP-1001")
    assert (ticket["status"], ticket["requester"], ticket["subject"]) == (
        "closed",
        "erased-1@invalid",
        "[erased]",
    )
    assert "Copies elsewhere are not gone" in " ".join(told(asked, IT)[0].text.split())
    assert len(asked.to("ana@customer.example")) == 2
    assert asked.stop() == 0
    assert gone(asked)
    asked.start()
    asked.at_rest()
    assert asked.references() == ["SUP-1001"]
    code, words = asked.run("ledger", "--server")
    assert code == 0, words
    # A new mail is a stranger's.
    asked.writes(ANA, "Hello again.")
    asked.wait(lambda: asked.references() == ["SUP-1001", "SUP-1002"], "a new ticket")
    assert len(asked.wait_to("ana@customer.example", 3)) == 3


@pytest.mark.parametrize("point", ["written", "committed"])
def test_a_kill_on_the_way(asked: DeskProcess, point: str):
    """Killed with the erasing written and not committed, nothing is erased; after the commit, all is. The next start ends it."""
    assert asked.stop() == 0
    asked.start(env={"MAILTICKETS_CRASH_AT": point})
    asked.answers(question(asked), IT, "yes")
    process = asked.process
    assert process is not None
    asked.wait(lambda: process.poll() is not None, "the daemon to be killed")
    requester = asked.json("show", "SUP-1001")["requester"]
    assert requester == ("ana@customer.example" if point == "written" else "erased-1@invalid")
    asked.start()
    asked.wait(lambda: told(asked, IT), "the news that it is done")
    asked.wait(lambda: gone(asked), "all of it to be gone")
    asked.at_rest()
    assert len(told(asked, IT)) == 1
    assert len(asked.to("ana@customer.example")) == 2


def test_the_command_beside_the_running_daemon(asked: DeskProcess):
    """It is done when the command ends; the question that still stood is answered with it."""
    words = asked.command("forget", "ana@customer.example", "--yes")
    assert "erased-1@invalid" in words
    asked.wait(lambda: gone(asked), "all of it to be gone")
    asked.answers(question(asked), IT, "yes")
    asked.wait(
        lambda: any("answered before" in mail["Subject"] for mail in asked.to(IT)),
        "the late answer to be told",
    )
    asked.at_rest()
    asked.wait(lambda: gone(asked), "the quoted question to be gone")
