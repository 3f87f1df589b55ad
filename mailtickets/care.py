"""Which mails of a folder the server does not hand out, or ends the connection at; they must hold up no other mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.errors import MailboxUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mailtickets.transport.imap import ImapMailbox
    from mailtickets.transport.imap_account import FetchedMail

UNREADABLE_TRIES = 3
# A mail at which the server ends the connection again and again: five times by itself may be no bad network any more.
DROPPED_TRIES = 5


class Care:
    """What happened so far to mails of one folder that could not be fetched.

    tell   is called once a mail is given up, with its UID and the reason.
    """

    def __init__(self, tell: Callable[[int, str], None]) -> None:
        self._tell = tell
        self._unreadable: dict[int, int] = {}
        # How often the connection ended at a mail that was fetched by itself.
        self._dropped: dict[int, int] = {}

    def forget(self) -> None:
        """Forget it all: the folder has new UIDs."""
        self._unreadable.clear()
        self._dropped.clear()

    def one_by_one(self, batches: Iterable[list[int]]) -> Iterator[list[int]]:
        """Take mails one by one of a batch at which the server ended the connection: one of them is the cause."""
        for batch in batches:
            if self._dropped.keys() & set(batch):
                yield from ([uid] for uid in batch)
            else:
                yield batch

    def fetched(
        self, mailbox: ImapMailbox, batch: list[int], fetch: Callable[[], list[FetchedMail]]
    ) -> list[FetchedMail]:
        """Fetch a batch; remember at which mails the connection ends, and leave one out that always ends it."""
        if len(batch) == 1 and self._dropped.get(batch[0], 0) >= DROPPED_TRIES:
            mailbox.unreadable = {batch[0]: "the server ends the connection each time it is to hand it out"}
            self._unreadable[batch[0]] = UNREADABLE_TRIES
            return []
        try:
            mails = fetch()
        except MailboxUnavailable:
            for uid in batch:
                self._dropped[uid] = self._dropped.get(uid, 0) + (len(batch) == 1)
            raise
        for uid in batch:
            self._dropped.pop(uid, None)
        return mails

    def missing(self, mailbox: ImapMailbox, batch: Sequence[int], got: set[int]) -> list[int]:
        """Return mails that are there but could not be read; after three rounds one is passed over, and told of."""
        missing: list[int] = []
        for uid in batch:
            if uid in got or uid not in mailbox.unreadable:
                continue
            self._unreadable[uid] = self._unreadable.get(uid, 0) + 1
            if self._unreadable[uid] < UNREADABLE_TRIES:
                missing.append(uid)
                continue
            self._tell(uid, mailbox.unreadable[uid])
        return missing
