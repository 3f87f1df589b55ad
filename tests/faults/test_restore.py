"""Yesterday's store is restored: every mail finds its ticket again, and nothing reaches anybody twice."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.forks import Forks
from tests.faults.story import FaultDesk
from tests.faults.test_clock import got, reminders, round_of, status
from tests.support.dovecot import Dovecot
from tests.support.faulty_network import Cut, FaultyNetwork
from tests.support.process import IMAP, DeskProcess, Received
from tests.support.smtp_sink import SmtpSink

ANA, BEN, ZOE, EVE, TOM, NAT = (
    f"{name} <{name.lower()}@customer.example>" for name in ("Ana", "Ben", "Zoe", "Eve", "Tom", "Nat")
)
PEOPLE = ("ana", "ben", "zoe", "eve", "tom")
KIM = "Kim Archer <kim@desk.example>"
MOVING = IMAP + 'after = "move:Done"\n'
# One reminder within the story, and no further step of its silence.
QUEUE = 'reminders = ["12s", "10m"]\nclose_after = "20m"'


@pytest.fixture
def make_desk(
    tmp_path: Path, dovecot: Dovecot, sink: SmtpSink, account: str
) -> Iterator[Callable[..., DeskProcess]]:
    made: list[DeskProcess] = []

    (tmp_path / "backups").mkdir()

    def make(**more: str) -> DeskProcess:
        more.setdefault("more", "[limits]\nack_per_domain_hour = 0\nack_per_hour = 0")
        made.append(DeskProcess(tmp_path, dovecot, sink, account, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def sent(desk: DeskProcess) -> list[bytes]:
    """Everything that this desk has sent to anybody."""
    return [mail.raw for mail in desk.sink.mails if f"{desk.user}@".encode() in mail.raw]


def to_people(desk: DeskProcess) -> dict[str, list[Received]]:
    return {name: desk.to(f"{name}@customer.example") for name in PEOPLE}


def number_in(text):
    return int(re.search(r"SUP-(\d+)", text)[1])


def yesterday(desk: DeskProcess) -> None:
    """Ana's ticket is open; Ben's waits for his answer."""
    desk.writes(ANA, "My printer is on fire.", subject="Printer")
    desk.wait_to("kim@desk.example", 1)
    desk.writes(BEN, "My scanner is wet.", subject="Scanner")
    notices = desk.wait_to("kim@desk.example", 2)
    desk.answers(notices[1], KIM, "Which scanner is it?")
    desk.wait_to("ben@customer.example", 2)
    desk.at_rest(3)


def today(desk: DeskProcess) -> None:
    """Kim answers Ana, who answers, Ben is reminded, Zoe opens a ticket and is answered, and answers, too; Eve and Tom write."""
    desk.answers(desk.to("kim@desk.example")[0], KIM, "Please try water.")
    desk.answers(
        desk.wait_to("ana@customer.example", 2)[1], ANA, "It is out now."
    )  # before she is reminded, too
    desk.wait_to("ben@customer.example", 3, 30)
    assert "a short reminder" in desk.to("ben@customer.example")[2].text
    desk.writes(ZOE, "My phone is mute.", subject="Phone")
    notice = next(m for m in reversed(desk.wait_to("kim@desk.example", 4)) if "Phone" in m["Subject"])
    desk.answers(notice, KIM, "Is it charged?")
    answer = desk.wait_to("zoe@customer.example", 2)[1]
    desk.answers(answer, ZOE, "No, it was not.")
    desk.writes(EVE, "My desk is old.", subject="Desk")
    desk.writes(TOM, "My chair is new.", subject="Chair")
    desk.wait_to("tom@customer.example", 1)
    desk.at_rest(10)


def words_of_people(desk: DeskProcess) -> list[str]:
    """Return what people wrote, as it stands on tickets: one for each mail that is on one."""
    entries = [e for reference in desk.references() for e in desk.json("show", reference)["entries"]]
    return sorted(e["text"].split("\n")[0] for e in entries if e["kind"] in {"mail_in", "mail_out"})


def lose(store: Path, former: str) -> None:
    """Let the disk do to the store of before what this run is about."""
    if former != "whole":
        for end in ("-wal", "-shm"):  # the commands of this test may have left them
            store.with_name(f"desk.db{end}").unlink(missing_ok=True)
    if former == "gone":
        store.unlink()
    elif former == "damaged":
        store.write_bytes(store.read_bytes()[: store.stat().st_size // 2])


@pytest.mark.fault("Backup, restore", "restore of yesterday's store")
@pytest.mark.parametrize("former", ["whole", "gone", "damaged"])
def test_restore_of_yesterdays_store(make_desk, former, book):
    """A day of traffic is lost and made up for: once on a ticket, nothing sent again, one mail to the admins.

    Handled mail was moved to another folder meanwhile. The store of before is whole, gone with its disk, or damaged.
    """
    desk = make_desk(queue=QUEUE, mailbox=MOVING).start()
    yesterday(desk)
    desk.command("backup", "--keep", "3", str(desk.folder / "backups"))
    (backup,) = (desk.folder / "backups").iterdir()
    assert len(desk.to("ben@customer.example")) == 2, "Ben was reminded before the backup"
    today(desk)
    desk.wait(lambda: len(desk.dovecot.flags(desk.user, "Done")) == desk.delivered, "all mails to be moved")
    words = words_of_people(desk)
    assert len(words) == desk.delivered == 10
    highest = max(number_in(mail["Subject"]) for mails in to_people(desk).values() for mail in mails)
    desk.stop()
    store = desk.folder / "desk.db"
    lose(store, former)
    desk.writes(NAT, "The desk does not run.", subject="Night")
    before, kims = sent(desk), len(desk.to("kim@desk.example"))

    said = desk.command("restore", str(backup))
    assert ("could not be read" in said) == (former == "damaged"), said
    assert ("7 mails that only that one had" in said) == (former == "whole"), said
    assert store.stat().st_mode & 0o777 == 0o600
    assert len(list(desk.folder.glob("desk.db.before-restore-*[0-9]"))) == (former != "gone")
    assert not list(desk.folder.glob("*.restoring*"))
    desk.start()
    told = desk.wait_to("it@desk.example", 1)[0]
    books = desk.at_rest()
    missing = Counter([*words, "The desk does not run."])
    missing.subtract(words_of_people(desk))
    kept_back = desk.wait_to("kim@desk.example", kims + 1)[-1]
    again = [mail for mail in sent(desk)[len(before) :] if mail not in {told.raw, kept_back.raw}]
    assert (books["on_tickets"], books["received"]) == (desk.delivered, desk.delivered)
    assert not any(missing.values()), "each mail is on one ticket, once"
    assert again == []
    assert min(number for number in map(number_in, desk.references()) if number > 1002) > highest
    assert desk.status("SUP-1001") == "open", "Ana's answer was read after Kim's"
    held = [mail for mail in desk.json("outbox") if mail["state"] == "uncertain"]
    assert {mail["last_error"] for mail in held} == {"from before the restore; may have been sent then"}
    # Kim's answer to Zoe has the key of a number that nobody has now: it is a ticket of its own, not an answer.
    counts = Counter(mail["kind"] for mail in held)
    assert (counts["acknowledgement"], counts["reminder"], counts["answer"]) == (4, 1, 1)
    assert "> Please try water." in kept_back.text
    for line in ("4 acknowledgements", "1 reminder and", f"{len(held) - 6} notices", "1 answer of"):
        assert f"- {line}" in told.text, told.text

    desk.stop()
    desk.start()
    desk.at_rest()
    assert len(sent(desk)) == len(before) + 2, "a second start sends nothing more"
    _goes_on(desk, held)
    lost = sum(count > 0 for count in missing.values())
    book(runs=1, lost=lost, doubled=len(again))
    assert lost == len(again) == 0


def _goes_on(desk: DeskProcess, held: list[dict[str, object]]) -> None:
    """After the restore all is as ever, and what was held goes out when the admin says so."""
    number = next(mail["id"] for mail in held if mail["to"] == ["nat@customer.example"])
    desk.command("outbox", "retry", str(number))
    assert "We have received" in desk.wait_to("nat@customer.example", 1)[0].text
    tickets, notices = len(desk.references()), len(desk.to("kim@desk.example"))
    desk.writes("Pat <pat@customer.example>", "My lamp is dark.", subject="Lamp")
    desk.wait_to("pat@customer.example", 1)
    notice = desk.wait_to("kim@desk.example", notices + 1)[-1]
    desk.answers(notice, KIM, "Is it plugged in?")
    desk.wait_to("pat@customer.example", 2)
    # Her answer came to Kim in the lost time, by a mail of which the restored store knows nothing but the key.
    heard = next(mail for mail in desk.to("kim@desk.example") if "It is out now." in mail.text)
    desk.answers(heard, KIM, "Is the fire out?")
    assert desk.wait_to("ana@customer.example", 3)[2].text.startswith("Is the fire out?")
    # The key in Zoe's mail is that of a number which the restored store never gave out; the mail that she answers tells.
    desk.answers(desk.to("zoe@customer.example")[1], ZOE, "It rings now.")
    desk.at_rest()
    assert len(desk.references()) == tickets + 1
    texts = {ref: [e["text"] for e in desk.json("show", ref)["entries"]] for ref in desk.references()}
    (zoes,) = [ref for ref, said in texts.items() if "It rings now." in said]
    assert "My phone is mute." in texts[zoes]
    assert [mail.text.startswith("Please try water.") for mail in desk.to("ana@customer.example")].count(
        True
    ) == 1


@pytest.mark.fault("Backup, restore", "restore of yesterday's store")
def test_restore_of_a_store_of_three_days_ago(make_desk, monkeypatch, book):
    """The gap makes no clock doubtful; a reminder that was due within it is held, and the admins are told at once."""
    desk = make_desk(queue=QUEUE).start()
    yesterday(desk)
    desk.command("backup", str(desk.folder / "old.db"))
    desk.stop()
    before = len(sent(desk))
    (desk.folder / "clock").write_text(str(3 * 86400))
    monkeypatch.setenv("MAILTICKETS_CLOCK", str(desk.folder / "clock"))
    desk.command("restore", str(desk.folder / "old.db"))
    desk.start()
    told = desk.wait_to("it@desk.example", 1)[0]
    books = desk.at_rest()
    assert told["Subject"] == "[Acme Support] Restored from a backup: look at what was not sent"
    held = [(mail["kind"], mail["to"]) for mail in desk.json("outbox") if mail["state"] == "uncertain"]
    assert held == [("reminder", ["ben@customer.example"])]
    assert "held back" not in desk.log
    doubled = len(sent(desk)) - before - 1
    book(runs=1, lost=desk.delivered - books["on_tickets"], doubled=doubled)
    assert doubled == 0
    assert books["on_tickets"] == desk.delivered


@pytest.mark.fault("Backup, restore", "restore of yesterday's store")
def test_an_answer_that_nobody_ever_sent(
    tmp_path: Path, dovecot: Dovecot, sink: SmtpSink, forks: Forks, book
):
    """It came while no desk ran. Its agent is told, `status` counts it, and nobody is reminded of it or closed for it.

    When the time for a reminder comes the ticket is open again; the admin sends the answer, and it arrives once.
    """
    desk = FaultDesk(tmp_path, dovecot, sink, forks)
    desk.writes(ANA, "My printer is on fire.", subject="Fire at Ana")
    round_of(desk)
    assert desk.command_of("backup", str(tmp_path / "old.db")) == 0
    desk.answers(got(desk, "kim@desk.example")[0], KIM, "Please try water.")
    time.sleep(1.1)  # a moment of arrival has no fractions of a second
    assert desk.command_of("restore", str(tmp_path / "old.db")) == 0
    round_of(desk)
    ((number,),) = desk.ask("SELECT id FROM outbox WHERE kind = 'answer' AND state = 'uncertain'")
    told = got(desk, "kim@desk.example")[1]
    assert "> Please try water." in told.text
    desk.begin()
    desk.until_ready()
    assert desk.command_of("status") == 1
    assert "1 mail was perhaps sent and perhaps not" in " ".join(desk.log.split())
    desk.down()
    for _ in range(2):
        desk.pass_time(20 * 3600 + 120)
        round_of(desk)
    assert reminders(desk, "ana@") == 0
    assert status(desk, 1001) == "open"
    assert f"outbox retry {number}" in " ".join(got(desk, "kim@desk.example")[2].text.split())
    assert len(got(desk, "kim@desk.example")) == 3
    assert desk.command_of("outbox", "retry", str(number)) == 0
    round_of(desk)
    answers = [mail for mail in got(desk, "ana@customer.example") if "Please try water." in mail.text]
    book(runs=1, lost=not answers, doubled=max(len(answers) - 1, 0))
    assert len(answers) == 1


def lost_with_its_disk(desk: DeskProcess, *later: tuple[str, str]) -> None:
    """Ana's mail is in the backup; the later ones were handled and moved, and are in the mailbox only. Restored, not started."""
    desk.writes(ANA, "My printer is on fire.", subject="Printer")
    desk.start()
    desk.at_rest(1)
    desk.command("backup", str(desk.folder / "old.db"))
    for person, words in later:
        desk.writes(person, words)
    desk.at_rest(1 + len(later))
    desk.wait(lambda: len(desk.dovecot.flags(desk.user, "Done")) == desk.delivered, "all mails to be moved")
    desk.stop()
    lose(desk.folder / "desk.db", "gone")
    desk.command("restore", str(desk.folder / "old.db"))


@pytest.mark.fault("Backup, restore", "restore of yesterday's store")
def test_a_folder_of_moved_mail_that_cannot_be_read(
    hasty: Callable[..., DeskProcess], network: FaultyNetwork, book
):
    """New mail is taken in and answered all the same, admins are told; it is read when it can be, and sends nothing again."""
    desk = hasty('after = "move:Done"\nstart_from = "all"\n')
    lost_with_its_disk(desk, (BEN, "My scanner is wet."))
    desk.writes(ZOE, "My phone is mute.")
    network.arm(Cut(b"EXAMINE", side="client"), always=True)
    desk.start(ready=False)
    desk.wait_to("zoe@customer.example", 1)
    told = desk.wait_to("it@desk.example", 1, 30)[0]
    assert "The folder Done of mailbox support cannot be looked through" in " ".join(told.text.split())
    assert desk.json("ledger")["on_tickets"] == 2
    assert "Restored from a backup" not in told["Subject"]
    network.mend()
    restored = next(
        mail for mail in desk.wait_to("it@desk.example", 3, 30) if "Restored from a backup" in mail["Subject"]
    )
    assert "- 1 acknowledgement" in restored.text
    books = desk.at_rest()
    doubled = len(desk.to("ben@customer.example")) - 1
    book(runs=network.struck, lost=3 - books["on_tickets"], doubled=doubled)
    assert (books["on_tickets"], doubled) == (3, 0)


@pytest.mark.fault("Backup, restore", "restore of yesterday's store")
def test_a_moved_mail_at_which_the_connection_ends(
    hasty: Callable[..., DeskProcess], network: FaultyNetwork, book
):
    """As in the inbox: its neighbours are taken in one by one, and after five tries by itself it is told of."""
    poison = "these words end the connection"
    desk = hasty('after = "move:Done"\nstart_from = "all"\n')
    lost_with_its_disk(
        desk, (BEN, "My scanner is wet."), (EVE, f"It is {poison}."), (TOM, "My chair is new.")
    )
    network.arm(Cut(poison.encode()), always=True)
    desk.start(ready=False)
    desk.wait(
        lambda: "Restored from a backup" in str([m["Subject"] for m in desk.to("it@desk.example")]),
        "the end",
        60,
    )
    texts = " ".join(" ".join(mail.text.split()) for mail in desk.to("it@desk.example"))
    assert "does not hand out mail 3 in Done" in texts
    books = desk.at_rest(3)
    assert len(desk.to("tom@customer.example")) == len(desk.to("ben@customer.example")) == 1
    book(runs=network.struck, lost=3 - books["on_tickets"])
    assert books["on_tickets"] == 3
