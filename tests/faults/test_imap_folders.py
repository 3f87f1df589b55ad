"""The real daemon and a folder that other programs and people change: nothing is counted as lost, nothing happens twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.disk_story import put_down, tally
from tests.faults.rounds import Rounds
from tests.support.dovecot import Dovecot
from tests.support.faulty_network import Cut, FaultyNetwork, Hold
from tests.support.process import IMAP, DeskProcess
from tests.support.scripted import ScriptedImap, says
from tests.support.smtp_sink import SmtpSink

ANA, BEN = "Ana Client <ana@customer.example>", "Ben <ben@customer.example>"
ZOE = "Zoe <zoe@customer.example>"
PEOPLE = ("ana@customer.example", "ben@customer.example", "zoe@customer.example")
MARKING = ("Mark on server", "NO, drop, read-only folder, MOVE half done")
ALL = 'start_from = "all"\n'
RIGHTS = "mail_plugins = acl\nplugin {\n  acl = vfile\n}\n"


@pytest.mark.fault("Select", "folder renamed, missing, empty")
def test_a_folder_that_is_renamed_and_renamed_back(hasty: Callable[..., DeskProcess], dovecot: Dovecot, book):
    """Gone, it is told with the folders there are, and nothing in the books changes; back again, or empty, work goes on."""
    desk = hasty(f'folder = "Support"\n{ALL}')
    with dovecot.client(desk.user) as program:
        program.create("Support")
    dovecot.append(desk.user, desk.mail(ANA, "My printer is on fire."), folder="Support")
    desk.start()
    desk.wait_to("ana@customer.example", 1)
    before = desk.at_rest(1)

    with dovecot.client(desk.user) as program:
        program.rename("Support", "Old")
    line = desk.wait_log("there is no folder Support")
    assert "INBOX, Old" in line
    assert "no folder Support" in desk.wait_to("it@desk.example", 1, 30)[0].text
    assert desk.json("ledger") == before

    with dovecot.client(desk.user) as program:
        program.rename("Old", "Support")
    dovecot.append(desk.user, desk.mail(BEN, "My scanner is wet."), folder="Support")
    desk.wait_to("ben@customer.example", 1, 30)
    desk.wait_to("it@desk.example", 2)
    with dovecot.client(desk.user, "Support") as program:
        program.store("1:*", "+FLAGS", r"(\Deleted)")
        program.expunge()
    assert desk.at_rest(2) == before | {"received": 2, "on_tickets": 2}
    dovecot.append(desk.user, desk.mail(ZOE, "My phone is mute."), folder="Support")
    desk.wait_to("zoe@customer.example", 1)
    assert desk.at_rest(3)["on_tickets"] == 3
    put_down(book, runs=2, **tally(desk, PEOPLE))


@pytest.mark.fault("Fetch", "mail moved, deleted or expunged meanwhile")
@pytest.mark.fault("Fetch", "same mail copied back or in two folders")
@pytest.mark.parametrize("moment", [b"Search completed", b"Fetch completed"], ids=["search", "sizes"])
def test_mail_that_goes_between_search_and_fetch(
    hasty: Callable[..., DeskProcess], dovecot: Dovecot, network: FaultyNetwork, moment: bytes, book
):
    """One expunged, one moved: the third is taken. Moved back, the second is a new mail; copied back, the third is no news."""
    desk = hasty(ALL)
    for person, words in ((ANA, "Printer"), (BEN, "Scanner"), (ZOE, "Phone")):
        dovecot.append(desk.user, desk.mail(person, f"My {words} is on fire.", subject=words))
    held = Hold(moment)
    network.arm(held)
    desk.start(ready=False)
    desk.wait(lambda: network.struck == 1, "the moment")
    with dovecot.client(desk.user, "INBOX") as program:
        program.create("Elsewhere")
        program.uid("store", "1", "+FLAGS", r"(\Deleted)")
        program.expunge()
        program.uid("move", "2", "Elsewhere")
        held.let_go.set()
        desk.wait_to("zoe@customer.example", 1)
        assert desk.at_rest(1)["on_tickets"] == 1
        assert "cannot be read" not in desk.log
        assert desk.references() == ["SUP-1001"]

        program.select("Elsewhere")
        program.uid("move", "1", "INBOX")
        desk.wait_to("ben@customer.example", 1)
        program.select("INBOX")
        program.uid("copy", "3", "INBOX")
        books = desk.at_rest(3)
        assert (books["on_tickets"], books["duplicates"]) == (2, 1)
    assert desk.to("ana@customer.example") == []
    put_down(book, runs=network.struck, **tally(desk, PEOPLE[1:]))


@pytest.mark.fault("Fetch", "same mail copied back or in two folders")
def test_one_mail_in_two_folders_is_one_ticket(
    hasty: Callable[..., DeskProcess], dovecot: Dovecot, network: FaultyNetwork, book
):
    """Two mailboxes of the desk hold the same bytes: the second is a duplicate, linked to the first, without effect."""
    desk = hasty(ALL, queue='mailbox = "support"')
    other = IMAP.format(imap_port=network.port, user=desk.user, poll="1s") + f'folder = "Other"\n{ALL}'
    desk.edit("[queue.support]", f"[mailbox.other]\n{other}\n[queue.support]")
    raw = desk.mail(ANA, "My printer is on fire.")
    with dovecot.client(desk.user) as program:
        program.create("Other")
    for folder in ("INBOX", "Other"):
        dovecot.append(desk.user, raw, folder=folder)
    desk.start()
    desk.wait_to("ana@customer.example", 1)
    books = desk.at_rest(2)
    assert (books["on_tickets"], books["duplicates"]) == (1, 1)
    mails = desk.json("why", desk.id_of(raw))["mails"]
    assert sorted(mail["reason"].startswith("duplicate of mail") for mail in mails) == [False, True]
    put_down(book, runs=1, **tally(desk, PEOPLE[:1]))


@pytest.mark.fault("Fetch", "over the size limit")
def test_of_a_mail_above_the_limit_only_the_beginning_travels(
    hasty: Callable[..., DeskProcess], dovecot: Dovecot, network: FaultyNetwork, book
):
    """Of 3 MB less than 300 KB come over the wire; it is on a ticket, and stays whole on the server."""
    desk = hasty(ALL, more='[limits]\nmail_size = "100KB"')
    raw = desk.mail(ANA, "See the picture.", files={"fire.bin": bytes(3_000_000)})
    dovecot.append(desk.user, raw)
    desk.start()
    desk.wait_to("ana@customer.example", 1)
    assert desk.at_rest(1)["on_tickets"] == 1
    assert sum(len(dialogue.server) for dialogue in network.dialogues) < 300_000
    with dovecot.client(desk.user, "INBOX") as program:
        (_, whole), *_ = program.fetch("1", "(BODY.PEEK[])")[1]
    assert whole == raw
    put_down(book, runs=1, **tally(desk, PEOPLE[:1]))


def _only_reading(server: Dovecot, user: str, folder: str = "") -> Path:
    """Let the owner of a folder only read it; return the file that says so."""
    rights = server.root / "mail" / user / (f".{folder}" if folder else "") / "dovecot-acl"
    rights.write_text("owner lr\n")
    rights.chmod(0o644)
    return rights


@pytest.mark.dovecot
@pytest.mark.fault(*MARKING)
@pytest.mark.parametrize("after", ["seen", "move:Done"])
def test_a_server_that_lets_nothing_be_marked(hasty: Callable[..., DeskProcess], after: str, book):
    """A read-only folder, and one that no mail can be moved to: mail is answered once; it is marked when that is allowed."""
    with Dovecot(layout="maildir", extra=RIGHTS) as server:
        desk = hasty(f'{ALL}after = "{after}"\n', server, server.imap)
        with server.client(desk.user, "INBOX") as program:
            program.create("Done")
        forbidding = _only_reading(server, desk.user, "Done" if after != "seen" else "")
        desk.start(ready=False)
        for person, name in ((ANA, "ana"), (BEN, "ben")):
            desk.writes(person, "My printer is on fire.")
            desk.wait_to(f"{name}@customer.example", 1)
        desk.wait_log("mail cannot be marked", 2)
        assert desk.at_rest(2)["on_tickets"] == 2
        with server.client(desk.user) as program:
            program.select("INBOX", readonly=True)
            assert program.search(None, "UNSEEN")[1] == [b"1 2"]
        refused = desk.log.count("mail cannot be marked")
        forbidding.unlink()
        server.restart()
        where = "INBOX" if after == "seen" else "Done"
        desk.wait(lambda: len(server.flags(desk.user, where)) == 2, "both mails to be there", 30)
        if after == "seen":
            desk.wait(
                lambda: all(flags == {r"\Seen"} for flags in server.flags(desk.user).values()), "marks", 30
            )
        assert desk.at_rest(2)["on_tickets"] == 2
        assert desk.stop() == 0
    put_down(book, runs=refused, **tally(desk, PEOPLE[:2]))


@pytest.mark.dovecot
@pytest.mark.fault(*MARKING)
@pytest.mark.parametrize("moment", [b"Copy completed", b"Store completed"], ids=["copied", "deleted"])
def test_a_move_that_breaks_off_half_way(tmp_path: Path, sink: SmtpSink, account: str, moment: bytes, book):
    """A server without MOVE, and a drop between COPY and EXPUNGE: the next round ends it; one ticket, one acknowledgement."""
    extra = "imap_capability = IMAP4rev1 IDLE UIDPLUS\n"
    with Dovecot(extra=extra) as server, FaultyNetwork(server.imap) as network:
        lines = IMAP.replace("{imap_port}", str(network.port)) + f'{ALL}after = "move:Done"\n'
        desk = DeskProcess(tmp_path, server, sink, account, mailbox=lines)
        with server.client(desk.user) as program:
            program.create("Done")
        desk.writes(ANA, "My printer is on fire.")
        with Rounds(desk.config) as rounds:
            network.arm(Cut(moment))
            assert rounds.take() != ""
            assert network.struck == 1
            assert len(server.subjects(desk.user)) == 1
            assert rounds.take() == ""
            books = rounds.books()
            rounds.send()
        assert (books.received, books.on_tickets, books.unexplained) == (1, 1, 0)
        assert server.subjects(desk.user) == []
        assert set(server.subjects(desk.user, "Done")) == {"Printer on fire"}
    put_down(book, runs=1, **tally(desk, PEOPLE[:1]))


@pytest.mark.fault(*MARKING)
def test_a_server_that_refuses_store(hasty: Callable[..., DeskProcess], book):
    """NO to STORE: the next mail is taken all the same, each is answered once; the mark is set when the server has come round."""
    with ScriptedImap(faults={"UID STORE": says(b"{tag} NO [INUSE] not now\r\n")}) as server:
        desk = hasty(ALL, port=server.port)
        server.mails.append(desk.mail(ANA, "My printer is on fire."))
        desk.start()
        desk.wait_to("ana@customer.example", 1)
        desk.wait_log("mail cannot be marked")
        server.mails.append(desk.mail(BEN, "My scanner is wet."))
        desk.wait_to("ben@customer.example", 1)
        desk.wait_log("mail cannot be marked", 3)
        assert desk.at_rest(2)["on_tickets"] == 2
        refused = sum(b"UID STORE" in line for line in server.heard)
        server.faults.clear()
        desk.wait(lambda: sum(b"UID STORE" in line for line in server.heard) > refused, "one more STORE")
        assert any(b"STORE 1:2 " in line or b"STORE 1,2 " in line for line in server.heard)
        assert desk.log.count(" taken ") == 2
        assert desk.stop() == 0
    put_down(book, runs=refused, **tally(desk, PEOPLE[:2]))
