"""Mail that was set aside: what becomes of it when an admin mends the cause, or leaves it out."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.process import DeskProcess

ALIAS = "printers@desk.example"


def _aside(desk: DeskProcess, subject: str) -> str:
    """Wait until a mail is in quarantine; return its number."""
    found = lambda: [mail for mail in desk.json("quarantine") if mail["subject"] == subject]  # noqa: E731
    desk.wait(found, f"{subject!r} in quarantine")
    assert found()[0]["reason"].startswith("own_address")
    return str(found()[0]["id"])


def test_retry_brings_a_mail_to_a_ticket_and_drop_leaves_it_out(make_desk: Callable[..., DeskProcess]):
    """While the daemon runs: retried for nothing, retried when the cause is mended, dropped for good; the books balance."""
    desk = make_desk(queue=f'aliases = ["{ALIAS}"]').start()
    # The printer room writes from an address that the admin took for one of the desk's.
    mails = [
        desk.mail(f"Printer Room <{ALIAS}>", f"{subject}, please come.", subject=subject)
        for subject in ("Toner is low", "Paper is out")
    ]
    for raw in mails:
        desk.deliver(raw)
    toner, paper = _aside(desk, "Toner is low"), _aside(desk, "Paper is out")
    desk.wait_to("it@desk.example", 1)
    assert desk.at_rest(2)["quarantined"] == 2
    assert "Toner is low, please come." in desk.command("quarantine", "show", toner)

    assert "will be decided again" in desk.command("quarantine", "retry", toner)
    desk.wait_log(" quarantined ", 3)  # the cause is still there
    assert desk.at_rest(2)["quarantined"] == 2
    assert desk.references() == []

    desk.edit(f'aliases = ["{ALIAS}"]', "")
    desk.reload()
    desk.wait_log(" reloaded ")
    desk.command("quarantine", "retry", toner)
    ack = desk.wait_to(ALIAS, 1)[0]
    assert ack["Subject"].startswith("[SUP-1001]")
    assert "Toner is low, please come." in desk.wait_to("kim@desk.example", 1)[0].text
    assert desk.kinds("SUP-1001").count("mail_in") == 1

    assert f"mail {paper} is left out" in desk.command("quarantine", "drop", paper)
    assert desk.json("quarantine") == []
    for command, number in (("retry", toner), ("drop", paper)):
        code, words = desk.run("quarantine", command, number)
        assert (code, f"mail {number} is not in quarantine" in words) == (1, True)
    books = desk.at_rest(2)
    assert (books["on_tickets"], books["ignored"], books["quarantined"], books["waiting"]) == (1, 1, 0, 0)
    (left_out,) = desk.json("why", desk.id_of(mails[1]))["mails"]
    assert (left_out["state"], left_out["reason"]) == ("ignored", "dropped from quarantine by the admin")
    assert desk.references() == ["SUP-1001"]
    assert len(desk.to(ALIAS)) == 1
