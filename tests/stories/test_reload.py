"""SIGHUP with a desk at work: wording that is broken, and times that became shorter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.process import DeskProcess

ANA, BEN = "Ana Client <ana@customer.example>", "Ben <ben@customer.example>"
EVE = "Eve <eve@customer.example>"
KIM = "Kim Archer <kim@desk.example>"


@pytest.mark.fault("Reload", "bad TOML, bad value, missing template")
def test_a_reload_with_a_broken_template_keeps_the_good_one(make_desk: Callable[..., DeskProcess], book):
    """One log line names file and line; mail is answered in the good words until the file is mended."""
    desk = make_desk(more='[templates]\nfolder = "words"')
    words = desk.folder / "words" / "en" / "acknowledgement.txt"
    words.parent.mkdir(parents=True)
    words.write_text("Moin! {{ reference }} it is.\n{{ key_line }}\n")
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    assert "Moin! SUP-1001 it is." in desk.wait_to("ana@customer.example", 1)[0].text

    troubles = (
        ("Hello!\n\n{{ reference }\n", ":3:"),  # no template
        ("Hello!\n{{ refrence }}\n", ":2:"),  # a variable that there is not
    )
    for count, (broken, line) in enumerate(troubles, 1):
        words.write_text(broken)
        desk.edit('name = "Acme Support"', f'name = "Desk {count}"')
        desk.reload()
        said = desk.wait_log("reload failed; the old configuration stays", count)
        assert f"{words}{line}" in said
        assert desk.log.count("acknowledgement.txt") == count, "one line each"
        desk.edit(f'name = "Desk {count}"', 'name = "Acme Support"')
    desk.writes(BEN, "My scanner is wet.")
    ack = desk.wait_to("ben@customer.example", 1)[0]
    assert "Moin! SUP-1002 it is." in ack.text
    assert "Acme Support" in ack["From"], "nothing of the refused configuration is in use"
    assert desk.log.count(" reloaded ") == 0

    words.write_text("Servus! {{ reference }} it is.\n{{ key_line }}\n")
    desk.reload()
    desk.wait_log(" reloaded ")
    desk.writes(EVE, "My lamp is dark.")
    assert "Servus! SUP-1003 it is." in desk.wait_to("eve@customer.example", 1)[0].text
    assert desk.at_rest(3)["on_tickets"] == 3
    book(runs=2)


def test_shorter_reminders_move_the_timers_that_wait(make_desk: Callable[..., DeskProcess]):
    """A reload lists what moved, makes nothing due in the past, and the reminder comes once, at its new time."""
    desk = make_desk(queue='reminders = ["1h", "2h"]\nclose_after = "3h"').start()
    desk.writes(ANA, "My printer is on fire.")
    notice = desk.wait_to("kim@desk.example", 1)[0]
    desk.answers(notice, KIM, "Which printer is it?")
    desk.wait_to("ana@customer.example", 2)
    desk.writes(BEN, "My scanner is wet.")  # nobody waits for Ben
    desk.wait_to("ben@customer.example", 1)
    answered = next(
        datetime.fromisoformat(entry["at"])
        for entry in desk.json("show", "SUP-1001")["entries"]
        if entry["kind"] == "mail_out"
    )
    second = answered + timedelta(seconds=1)
    desk.wait(lambda: datetime.now(UTC) > second, "a second to pass")

    desk.edit('reminders = ["1h", "2h"]', 'reminders = ["1s", "2h"]')  # was due already: it stays as it was
    desk.reload()
    desk.wait_log(" reloaded ", 1)
    assert desk.log.count("timer moved") == 0

    new = (datetime.now(UTC) - answered).seconds + 5
    desk.edit('reminders = ["1s", "2h"]', f'reminders = ["{new}s", "2h"]')
    desk.reload()
    desk.wait_log(" reloaded ", 2)
    desk.reload()  # nothing is left to move
    desk.wait_log(" reloaded ", 3)
    due = answered + timedelta(seconds=new)
    moved = desk.wait_log("timer moved")
    assert desk.log.count("timer moved") == 1
    assert "ticket=SUP-1001" in moved
    before, after = (
        datetime.fromisoformat(moved.partition(f"{name}=")[2].partition(" ")[0])
        for name in ("before", "after")
    )
    assert abs(before - answered - timedelta(hours=1)) < timedelta(seconds=1)
    assert abs(after - due) < timedelta(seconds=1)

    assert "a short reminder" in desk.wait_to("ana@customer.example", 3)[2].text
    reminded = [
        datetime.fromisoformat(entry["at"])
        for entry in desk.json("show", "SUP-1001")["entries"]
        if entry["kind"] == "reminder"
    ]
    assert len(reminded) == 1
    assert reminded[0] >= due - timedelta(milliseconds=1), "not at once, and never early"
    desk.reload()
    desk.wait_log(" reloaded ", 4)
    desk.writes(EVE, "My lamp is dark.")
    desk.wait_to("eve@customer.example", 1)
    desk.at_rest(4)
    assert len(desk.to("ana@customer.example")) == 3, "once"
    assert desk.status("SUP-1001") == "waiting"
    assert len(desk.to("ben@customer.example")) == 1
