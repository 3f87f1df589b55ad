"""Section M: a status page. The desk has none (it is a later, optional extra), so its cases hold because nothing serves anything."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.process import DeskProcess, Received

ANA, KIM = "Ana Client <ana@customer.example>", "Kim Archer <kim@desk.example>"
# Above 1 MB a mail is read in a child process, which is looked at, too.
LARGE = {"photo.bin": os.urandom(1_200_000)}
LISTENS = "0A"  # the state of a TCP socket in /proc/net/tcp
ACCEPTS = 0x10000  # the flag of a unix socket in /proc/net/unix


def family(pid: int) -> Iterator[int]:
    """Yield a process and all its children."""
    yield pid
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))
    except OSError:
        return  # it has ended


def sockets(pid: int) -> set[str]:
    """Return the inodes of a process's open sockets."""
    found = set()
    try:
        for number in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if opened := re.fullmatch(r"socket:\[(\d+)\]", str(number.readlink())):
                    found.add(opened[1])
            except OSError:
                continue  # closed meanwhile
    except OSError:
        pass  # the process has ended
    return found


def rows(pid: int, kind: str) -> Iterator[list[str]]:
    """Yield the lines of one table of sockets, as words."""
    try:
        lines = Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]
    except OSError:
        return
    yield from (line.split() for line in lines)


def reachable(pid: int) -> list[str]:
    """Return every socket of a process by which somebody could begin to talk to it."""
    own = sockets(pid)
    found = [
        f"{kind} {row[1]}"
        for kind in ("tcp", "tcp6")
        for row in rows(pid, kind)
        if row[9] in own and row[3] == LISTENS
    ]
    found += [
        f"{kind} {row[1]}"
        for kind in ("udp", "udp6", "udplite", "raw", "raw6")
        for row in rows(pid, kind)
        if row[9] in own
    ]
    found += [f"unix {row[-1]}" for row in rows(pid, "unix") if row[6] in own and int(row[3], 16) & ACCEPTS]
    return found


def links(mail: Received) -> list[str]:
    """Return whatever in a mail's head or text leads to a server by HTTP."""
    return re.findall(
        r"(?i)\bhttps?:[^\s\"'<>]*|\bwww\.[^\s\"'<>]+|\bhref\s*=\s*\S+|\baction\s*=\s*\S+", mail.everything
    )


def test_the_look_sees_a_socket_that_listens():
    """Else the test below could not fail: one of each kind of our own is found."""
    import socket

    with (
        socket.socket() as tcp,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        assert not [one for one in reachable(os.getpid()) if "mailtickets-look" in one]
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", 0))
        unix.bind("\0mailtickets-look")
        unix.listen()
        found = reachable(os.getpid())
        assert f"tcp 0100007F:{tcp.getsockname()[1]:04X}" in found
        assert f"udp 0100007F:{udp.getsockname()[1]:04X}" in found
        assert "unix @mailtickets-look" in found


@pytest.mark.case(160, 161, 163, 164, 166, 167)
@pytest.mark.timeout(120)
def test_160_nothing_listens_and_no_mail_leads_to_a_page(daemon: Callable[..., DeskProcess]):
    """While the daemon takes in, reads large mail in its child, sends, rings an alert, reloads and reminds, nobody can connect to it.

    So no signature can be tried (160, 161), no scanner can change anything (163), no subject is shown as a page (164), no reader
    waits for the store (166), and no flood of clients reaches the desk (167). And no mail holds a link to it.
    """
    desk = daemon(queue='reminders = ["3s"]\nclose_after = "5s"', smtp='retry = ["1s"]')
    desk.edit(
        'admins = ["it@desk.example"]',
        'admins = ["it@desk.example"]\nalert = ["mail", { command = ["sleep", "0.2"] }]',
    )
    desk.start()
    assert desk.process is not None
    process = desk.process
    found: list[str] = []
    seen: set[int] = set()

    def looked(condition: Callable[[], object]) -> Callable[[], bool]:
        def look() -> bool:
            for pid in family(process.pid):
                seen.add(pid)
                found.extend(reachable(pid))
            return bool(condition())

        return look

    desk.writes(ANA, "My printer is on fire.", subject="<img src=x onerror=alert(1)>", files=LARGE)
    desk.wait(looked(lambda: desk.to("kim@desk.example")), "the agent's notice")
    notice = desk.to("kim@desk.example")[0]
    desk.answers(notice, KIM, "Please try water.")
    desk.wait(looked(lambda: len(desk.to("ana@customer.example")) == 2), "the answer")
    good = desk.config.read_text()
    desk.edit("[desk]", "[desk")
    desk.reload()
    desk.wait(looked(lambda: desk.to("it@desk.example")), "the admin to be told")
    desk.config.write_text(good)
    desk.reload()
    desk.wait(looked(lambda: " reloaded " in desk.log), "the reload")
    desk.wait(looked(lambda: desk.status("SUP-1001") == "closed"), "reminder and closing", 30)
    assert found == []
    assert len(seen) > 1, "the child that reads large mail was looked at, too"
    everybody = [
        desk.to(f"{name}@{place}.example")
        for name, place in (("ana", "customer"), ("kim", "desk"), ("lee", "desk"), ("it", "desk"))
    ]
    assert [len(mails) >= least for mails, least in zip(everybody, (4, 1, 1, 1), strict=True)] == [True] * 4
    for mails in everybody:
        for mail in mails:
            assert links(mail) == [], mail
            assert mail["List-Unsubscribe"] == ""
