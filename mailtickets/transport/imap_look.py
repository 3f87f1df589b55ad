"""What an IMAP server says of itself and of a mailbox, asked without changing anything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mailtickets.transport.imap import ImapMailbox

if TYPE_CHECKING:
    from datetime import datetime

    from mailtickets.transport.imap_account import ImapAccount

CONNECT_SECONDS, ANSWER_SECONDS = 6.0, 8.0  # less than the daemon allows: a person waits


class ImapLook(ImapMailbox):
    """A mailbox opened by EXAMINE.

    mails   in the folder, from `connect` on.
    """

    def __init__(self, account: ImapAccount) -> None:
        quick = replace(account, readonly=True, timeout=ANSWER_SECONDS, connect_timeout=CONNECT_SECONDS)
        super().__init__(quick)
        self.mails = 0

    @property
    def certificate(self) -> dict[str, Any]:
        """The server's, known also where the login failed: see `ImapConnection`."""
        return self.connection.certificate

    def connect(self) -> None:
        """Connect, log in and open the folder for reading. Raises MailboxUnavailable."""
        super().connect()
        # What the server said to EXAMINE; the next command forgets it.
        said = self.connection.wire.untagged_responses.get("EXISTS") or [b""]
        self.mails = int(said[-1]) if isinstance(said[-1], bytes) and said[-1].isdigit() else 0

    def offers(self, capability: str) -> bool:
        """Return whether the server has an extension, such as "IDLE"."""
        return capability in self.connection.capabilities

    def folders(self) -> list[str]:
        """Return the names of all folders."""
        return self.connection.folders()

    def has(self, folder: str) -> bool:
        """Return whether a folder is there."""
        with self.connection.asking("looking for a folder") as client:
            return bool(client.folder_exists(folder))

    def newest_arrival(self) -> datetime | None:
        """Return when the newest mail reached the folder (INTERNALDATE); None where there is none."""
        with self.connection.asking("looking for the newest mail") as client:
            newest = client.search(["UID", "*"])
        return max(self.arrivals(newest).values(), default=None)
