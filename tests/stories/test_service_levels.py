"""Service levels with the real daemon: a promise, a warning and a breach in seconds, a report by mail, a reload."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from mailtickets.store import Store
from tests.support.process import DeskProcess

ANA = "ana@customer.example"
LEE = "lee@desk.example"
LEVEL = """
[service_level.standard]
P1 = { name = "Urgent", first_response = "10m" }
P3 = { name = "Normal", first_response = "5s" }

[[escalation]]
name = "Team lead"
when = ["60%%"]
to = ["lee"]

[[escalation]]
name = "Manager"
when = ["breach", "request"]
to = ["Jo Boss <%s>"]
"""


def test_a_promise_is_told_watched_and_broken(make_desk: Callable[..., DeskProcess]):
    """The acknowledgement names the moment; the team lead is warned, the manager told, each once; an answer ends it."""
    boss = "boss.promise@acme.example"
    desk = make_desk(queue='service_level = "standard"', more=LEVEL % boss).start()
    desk.writes(ANA, "Something is broken.")
    acknowledged = desk.wait_to(ANA, 1)[0]
    assert "Its priority is Normal." in " ".join(acknowledged.text.split())
    assert "You will hear from a member of our team by" in " ".join(acknowledged.text.split())
    (breach,) = desk.wait_to(boss, 1)
    assert "the first answer is late" in " ".join(breach.text.split())
    assert "Ref:" not in breach.text
    warnings = [mail for mail in desk.to(LEE) if "due soon" in mail["Subject"]]
    assert len(warnings) == 1
    desk.stop()
    desk.start()
    desk.at_rest(1)
    assert len(desk.to(boss)) == 1, "nothing fires twice after a restart"
    kinds = [entry["kind"] for entry in desk.json("show", "SUP-1001")["entries"]]
    assert kinds.count("escalated") == 2


def test_a_weekly_report_comes_by_itself(make_desk: Callable[..., DeskProcess]):
    """A period that ended is reported once, with its pictures, by the running daemon."""
    boss = "boss.report@acme.example"
    desk = make_desk(more=f'[report.weekly]\nevery = "week"\nto = ["{boss}"]').start()
    desk.writes(ANA, "Something is broken.")
    desk.wait_to(ANA, 1)
    desk.stop()
    store = Store.open(desk.folder / "desk.db", datetime.now(UTC))
    store.set_setting("report:weekly", "weekly:2020-W01")  # as if the last one had gone out long ago
    store.close()
    desk.start()
    (report,) = desk.wait_to(boss, 1, 30)
    assert "Weekly report" in report["Subject"]
    assert report["Auto-Submitted"] == "auto-generated"
    desk.at_rest(1)
    assert len(desk.to(boss)) == 1
