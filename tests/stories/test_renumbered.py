"""The folder gets a new UIDVALIDITY: every UID is void, and nothing happens twice (RFC 3501 section 2.3.1.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.dovecot import Dovecot
from tests.support.process import IMAP, DeskProcess
from tests.support.scripted import Line, ScriptedImap
from tests.support.smtp_sink import SmtpSink

ANA, BEN = "Ana Client <ana@customer.example>", "Ben <ben@customer.example>"
ZOE = "Zoe <zoe@customer.example>"
KIM = "Kim Archer <kim@desk.example>"
TOLD = "the server renumbered the folder"


@pytest.fixture
def desk(tmp_path: Path, sink: SmtpSink, account: str) -> Iterator[DeskProcess]:
    """A desk with a Dovecot of its own, whose mails are plain files."""
    with Dovecot(layout="maildir") as server:
        made = DeskProcess(tmp_path, server, sink, account)
        yield made
        made.stop()


def _renumbered(desk: DeskProcess, *, without: bytes) -> None:
    """Restart the mail server with the folder as from a backup: all unread, without one mail, and its list of UIDs lost."""
    with desk.dovecot.client(desk.user, "INBOX") as client:
        before = client.response("UIDVALIDITY")[1]
        client.store("1:*", "-FLAGS", r"(\Seen)")
    desk.dovecot.stop()
    folder = desk.dovecot.root / "mail" / desk.user
    for path in (folder / "dovecot-uidlist", *folder.glob("dovecot.index*")):
        path.unlink()
    for path in (*(folder / "cur").iterdir(), *(folder / "new").iterdir()):
        if without in path.read_bytes():
            path.unlink()
    desk.dovecot.start()
    with desk.dovecot.client(desk.user, "INBOX") as client:
        assert client.response("UIDVALIDITY")[1] != before


@pytest.mark.fault("Select", "UIDVALIDITY changed")
@pytest.mark.dovecot
def test_a_renumbered_folder_makes_nothing_happen_twice(desk: DeskProcess):
    """Every mail is known again; and a new mail is taken, though its UID had been another mail's."""
    desk.start()
    desk.writes(ANA, "My printer is on fire.")
    desk.answers(desk.wait_to("kim@desk.example", 1)[0], KIM, "Please try water.")
    desk.wait_to("ana@customer.example", 2)
    desk.writes(KIM, "And sand.", subject="[SUP-1001] Printer on fire")  # without proof: held
    desk.wait_to("kim@desk.example", 2)
    desk.writes(BEN, "My scanner is wet.", subject="Scanner")
    desk.wait_to("ben@customer.example", 1)
    desk.at_rest(4)
    assert desk.stop() == 0
    _renumbered(desk, without=b"My scanner is wet.")
    desk.start()
    assert " warning " in desk.wait_log(TOLD)
    desk.writes(ZOE, "My phone is mute.", subject="Phone")
    desk.wait_to("zoe@customer.example", 1)
    assert sorted(desk.dovecot.flags(desk.user)) == [1, 2, 3, 4]

    books = desk.at_rest(8)
    assert (books["on_tickets"], books["held"], books["ignored"], books["duplicates"]) == (4, 1, 3, 3)
    assert desk.references() == ["SUP-1001", "SUP-1002", "SUP-1003"]
    for name, count in (("ana", 2), ("ben", 1), ("zoe", 1)):
        assert len(desk.to(f"{name}@customer.example")) == count, name
    assert len(desk.to("kim@desk.example")) == 4, "three tickets and one question"
    assert desk.kinds("SUP-1001").count("mail_out") == 1
    assert desk.log.count(TOLD) == 1
    desk.wait(
        lambda: all(r"\Seen" in flags for flags in desk.dovecot.flags(desk.user).values()),
        "a mark on every mail under its new UID",
    )


class SteadyImap(ScriptedImap):
    """Shows a connection the folder that it opened, also when that was removed and made anew, as Dovecot 2.3 does."""

    def __init__(self, mails: list[bytes]) -> None:
        super().__init__(mails)
        self.there = (77, mails)

    def _answer(self, line: Line, tag: bytes, name: str, rest: bytes) -> None:
        if name == "SELECT":
            self.uidvalidity, self.mails = self.there
        super()._answer(line, tag, name, rest)


@pytest.mark.fault("Select", "UIDVALIDITY changed")
def test_a_folder_that_was_made_anew_behind_an_open_connection_is_noticed(
    make_desk: Callable[..., DeskProcess],
):
    """The connection tells of nothing, and yet the new folder is looked at with the next poll, and told of once."""
    with SteadyImap([]) as server:
        lines = IMAP.replace("{imap_port}", str(server.port)) + 'start_from = "all"'
        desk = make_desk(mailbox=lines, poll="1s")
        old, new = desk.mail(ANA, "My printer is on fire."), desk.mail(BEN, "My scanner is wet.")
        server.there = (77, [old])
        desk.start()
        desk.wait_to("ana@customer.example", 1)
        server.there = (78, [])
        assert " warning " in desk.wait_log(TOLD)
        selected = sum(b" SELECT " in said for said in server.heard)
        desk.wait(lambda: sum(b" SELECT " in said for said in server.heard) >= selected + 2, "more looks")
        server.there = (78, [old, new])
        desk.wait_to("ben@customer.example", 1)
        books = desk.at_rest(3)
        assert (books["on_tickets"], books["duplicates"]) == (2, 1)
        assert len(desk.to("ana@customer.example")) == 1
        assert desk.log.count(TOLD) == 1, "also while it was empty"
        assert server.connections == 1
        assert desk.stop() == 0
