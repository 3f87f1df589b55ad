"""The admin's hand on single mails: let in, read again, looked at; beside the daemon and without one."""

from __future__ import annotations

from contextlib import closing

from mailtickets.clocks import utc_now
from mailtickets.mail.keys import without_keys
from mailtickets.store import Store
from tests.support.process import DeskProcess

ANA, KIM = "Ana Client <ana@customer.example>", "Kim Archer <kim@desk.example>"


def _aside(desk: DeskProcess, count: int) -> list[str]:
    desk.wait(lambda: len(desk.json("quarantine")) == count, f"{count} mails in quarantine")
    return [str(mail["id"]) for mail in reversed(desk.json("quarantine", "list"))]


def test_release_lets_mails_in_beside_the_daemon_and_without_it(desk: DeskProcess):
    """The daemon does it in a moment; without one the command says where the mail went. Nobody of ours is answered."""
    desk.start()
    for number in (1, 2, 3):
        desk.writes(
            f"{desk.address}", f"From the web form, {number}.", Reply_To=ANA, subject=f"Form {number}"
        )
    first, second, third = _aside(desk, 3)
    words = desk.command("quarantine", "release", first)
    assert f"mail {first} will be let in; the running daemon does it within a second" in words
    desk.wait(lambda: desk.references() == ["SUP-1001"], "the ticket")
    desk.wait_to("kim@desk.example", 1)
    assert desk.kinds("SUP-1001")[-1] == "released"
    assert desk.json("show", "SUP-1001")["requester"] == "ana@customer.example"
    assert desk.stop() == 0

    code, words = desk.run("quarantine", "release", second, "999")
    assert code == 1
    assert f"mail {second}: on SUP-1002: opened a ticket; let in by the admin (no daemon runs" in words
    assert "there is no mail 999 in the ledger" in words
    assert len(desk.wait_to("kim@desk.example", 2)) == 2
    code, words = desk.run("quarantine", "retry", third)
    assert (code, f"mail {third}: quarantined: own_address" in words) == (0, True)
    assert f"mail {third} is in quarantine again; `mailtickets quarantine release {third}`" in words
    head, _, mail = desk.command("quarantine", "show", third).partition("\n\n")
    for said in (
        f"mail   {third}, quarantined: own_address",
        f"from   {desk.address}",
        "taken  ",
        f"release {third}`",
        f"drop {third}`",
    ):
        assert said in head
    assert "From the web form, 3." in mail
    head = desk.command("quarantine", "show", first).partition("\n\n")[0]
    assert f"mail   {first}, on SUP-1001" in head
    assert "to do" not in head
    assert f"mail {third} from {desk.address}" in desk.command("why", third)
    assert desk.json("why", third)["mails"][0]["state"] == "quarantined"
    assert "there is no ticket 999" in desk.run("why", "999")[1]
    assert "are left out" not in desk.command("quarantine", "drop", third)
    assert desk.json("quarantine") == []
    assert desk.to(desk.address) == desk.to("ana@customer.example") == []


def test_replay_lists_and_brings_back_what_would_land_elsewhere(desk: DeskProcess):
    """A dry run writes nothing; then the mails in quarantine come back, and one on its ticket stays with a word why."""
    desk.edit("[queue.support]\n", '[queue.support]\naliases = ["printers@desk.example"]\n')
    desk.start()
    desk.writes("printers@desk.example", "Toner is low.", subject="Toner")
    desk.writes(ANA, "My printer is on fire.")
    (toner,) = _aside(desk, 1)
    desk.wait_to("ana@customer.example", 1)
    desk.at_rest(2)
    assert "2 mails read again, 0 would land elsewhere today" in desk.command("replay")
    assert desk.stop() == 0
    desk.edit('aliases = ["printers@desk.example"]\n', 'aliases = ["ana@customer.example"]\n')
    before = (desk.folder / "desk.db").read_bytes()
    words = desk.command("replay", "--dry-run")
    assert "is     quarantined: own_address" in words
    assert "would  a new ticket: opened a ticket" in words
    assert "would  quarantined: own_address" in words
    assert "it stays: mails on a ticket are never moved" in words
    assert "2 mails read again, 2 would land elsewhere today" in words
    assert (desk.folder / "desk.db").read_bytes() == before
    found = {mail["id"]: mail for mail in desk.json("replay", "--dry-run", "--quarantined")}
    assert list(found) == [int(toner)]
    assert found[int(toner)]["would"] == {
        "state": "on_ticket", "reference": None, "new": True, "reason": "opened a ticket",
    }  # fmt: skip
    assert desk.json("replay", "--dry-run", "--since", "2100-01-01") == []
    words = desk.command("replay")
    assert f"mail {toner}: on SUP-1002: opened a ticket (no daemon runs" in words
    assert len(desk.wait_to("printers@desk.example", 1)) == 1
    books = desk.json("ledger")
    assert (books["on_tickets"], books["quarantined"]) == (2, 0)
    assert desk.run("replay", "999")[0] == 1


def test_outbox_show_prints_a_mail_as_it_was_sent(desk: DeskProcess):
    """Byte for byte but for its reply key, with what became of it; harmless on a terminal; after 30 days the words in the history."""
    desk.start()
    desk.writes(ANA, "My printer \x1b[31mis on fire.", files={"fire.txt": b"flames " * 50})
    sent = desk.wait_to("kim@desk.example", 1)[0]
    desk.answers(sent, KIM, "Please try water.")
    answer = desk.wait_to("ana@customer.example", 2)[1]
    desk.at_rest(2)
    numbers = {mail["kind"]: str(mail["id"]) for mail in desk.json("outbox", "list", "--all")}
    shown = desk.json("outbox", "show", numbers["answer"])
    assert shown["mail"] == without_keys(answer.raw.replace(b"\r\n", b"\n").decode())
    assert shown["mail"] != answer.raw.replace(b"\r\n", b"\n").decode()
    assert (shown["state"], shown["reference"], shown["refused"]) == ("sent", "SUP-1001", [])
    words = desk.command("outbox", "show", numbers["agent_new"])
    assert "state       sent" in words
    assert "\x1b" not in words
    assert "flames" in words or "ZmxhbWVz" in words
    assert desk.stop() == 0
    with closing(Store.open(desk.folder / "desk.db", utc_now())) as store, store.transaction():
        store.outbox.forget_bytes(utc_now())
    words = desk.command("outbox", "show", numbers["answer"])
    assert "Its bytes are no longer kept." in words
    assert "Please try water." in words
    assert without_keys(answer["Message-ID"]) in words
    code, words = desk.run("outbox", "retry", numbers["answer"], "999")
    assert code == 1
    assert f"mail {numbers['answer']} was sent " in words
    assert "there is no mail 999 in the outbox" in words
