"""kill -9 while a mail is on its way from the server: begun, not whole, in memory only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.forks import Forks
from tests.faults.story import ANA, BEN, FaultDesk
from tests.support.dovecot import Dovecot
from tests.support.faulty_network import FaultyNetwork, Hold
from tests.support.smtp_sink import SmtpSink

# Of two mails that are fetched together: the bytes behind which nothing comes any more.
PLACES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "before its length": lambda *_: b"BODY[] {",
    "in its head": lambda first, _: first[:40],
    "before its last byte": lambda first, _: first[:-1],
    "in the second": lambda _, second: second[: len(second) // 2],
}


def stored(dovecot: Dovecot, box: str) -> list[bytes]:
    """Return the mails of a mailbox as the server hands them out."""
    with dovecot.client(box, "INBOX") as program:
        answer = program.fetch("1:*", "(BODY.PEEK[])")[1]
    return [item[1] for item in answer if isinstance(item, tuple)]


@pytest.mark.fault("Fetch", "kill -9 or drop mid-literal")
def test_kill_in_the_middle_of_a_literal(
    tmp_path: Path, dovecot: Dovecot, sink: SmtpSink, forks: Forks, network: FaultyNetwork, book
):
    """Wherever a mail breaks off: started again, the desk has each mail on one ticket, and says what it says without."""

    def desk_of(name: str) -> FaultDesk:
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        desk = FaultDesk(folder, dovecot, sink, forks, ports=(network.port, 0))
        desk.writes(ANA, "My printer is on fire.", files={"fire.bin": bytes(range(256)) * 200})
        desk.writes(BEN, "My scanner is wet.", subject="A wet scanner")
        return desk

    def comes_to_rest(desk: FaultDesk) -> None:
        desk.begin()
        assert desk.settle()

    def breaks_off(desk: FaultDesk, held: Hold) -> None:
        before = network.struck
        network.arm(held)
        desk.begin()
        desk.wait(lambda: network.struck > before, f"the bytes up to {held.after!r:.60}")
        time.sleep(0.1)  # what has come is read
        desk.down()
        held.let_go.set()

    calm = desk_of("calm")
    comes_to_rest(calm)
    calm.down()
    counts = Counter[str]()
    for name, place in PLACES.items():
        desk = desk_of(name)
        mails = stored(dovecot, desk.box)
        assert len(mails) == 2
        breaks_off(desk, Hold(place(*mails)))
        assert desk.ask("SELECT count(*) FROM copy WHERE digest IS NOT NULL") == [(0,)]
        comes_to_rest(desk)
        counts += desk.check(calm.rows())
        counts += Counter(runs=1, uncertain=desk.never_arrived())
        desk.down()
    desk.restart_changes_nothing(1)
    book(**counts)
    assert (counts["lost"], counts["doubled"], counts["uncertain"]) == (0, 0, 0)
