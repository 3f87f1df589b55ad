"""A desk whose store lies on a disk of its own, and what its customers got of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.support.dovecot import Dovecot
from tests.support.process import IMAP, DeskProcess
from tests.support.smtp_sink import SmtpSink

KIM = "Kim Archer <kim@desk.example>"
ALL = IMAP + 'start_from = "all"'
MANY = "[limits]\nack_per_domain_hour = 0"


@contextlib.contextmanager
def desk_at(
    folder: Path, store: Path, dovecot: Dovecot, sink: SmtpSink, user: str, **more: Any
) -> Iterator[DeskProcess]:
    """Configure a desk whose store lies in another folder than its log; end it whatever happens."""
    more = {"mailbox": ALL, "more": MANY, "smtp": 'retry = ["1s"]', **more}
    desk = DeskProcess(folder, dovecot, sink, user, **more)
    desk.edit('store = "desk.db"', f'store = "{store / "desk.db"}"')
    try:
        yield desk
    finally:
        if desk.process is not None and desk.process.poll() is None:
            desk.kill()


def tally(desk: DeskProcess, people: Sequence[str]) -> dict[str, int]:
    """Count what went wrong for people who wrote one mail each: whose mail or answer is nowhere; who got one twice."""
    requesters = [ticket["requester"] for ticket in desk.json("list", "--all", "--limit", "1000")]
    acks = {person: len(desk.to(person)) for person in people}
    return {
        "lost": sum(person not in requesters or not acks[person] for person in people),
        "doubled": sum(max(count - 1, 0) for count in acks.values()) + len(requesters) - len(set(requesters)),
    }


def unseen(desk: DeskProcess) -> int:
    """Return how many mails of the mailbox are not marked as decided."""
    return sum(r"\Seen" not in flags for flags in desk.dovecot.flags(desk.user).values())


def put_down(book: Callable[..., None], *, lost: int = 0, doubled: int = 0, **counts: int) -> None:
    """Put down what a test counted, and hold it to the promise: nothing lost, nothing automatic doubled."""
    book(lost=lost, doubled=doubled, **counts)
    assert (lost, doubled) == (0, 0)
