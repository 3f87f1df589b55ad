"""The folders that mail is taken from, as the mailboxes' sections of the configuration say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailtickets.config import Config

CLOCKS_DIFFER = timedelta(days=1)  # between this machine and a mail server, a wrong time zone included


@dataclass(frozen=True, slots=True)
class Source:
    """What a mailbox's section says about taking mail.

    start_from   the moment before which mail is left alone; None for all mail there is.
    from_now     that moment is the desk's first start, or when the folder joined it.
    """

    name: str
    folder: str
    after: str
    poll_seconds: float
    start_from: datetime | None
    max_size_bytes: int
    from_now: bool = True

    def is_old(self, arrived: datetime, *, came_since: bool = False) -> bool:
        """Tell whether a mail came before the start, so that it is left alone.

        came_since   it was not there when the folder was looked through before. Then only a date far before the first
                     start, as of old mail that somebody moves into the folder, tells that it is old: the clocks of two
                     machines differ.
        """
        if self.start_from is None:
            return False
        return arrived < (
            self.start_from - CLOCKS_DIFFER if came_since and self.from_now else self.start_from
        )

    @classmethod
    def of(cls, config: Config, name: str, first_start: datetime) -> Source:
        """Return the source of a mailbox; `start_from` becomes a moment, None for all mail there is."""
        mailbox = config.mailboxes[name]
        start: datetime | None = first_start
        if mailbox.start_from == "all":
            start = None
        elif isinstance(mailbox.start_from, date):
            start = datetime(
                mailbox.start_from.year, mailbox.start_from.month, mailbox.start_from.day, tzinfo=UTC
            )
        return cls(
            name,
            "" if mailbox.maildir else mailbox.folder,
            mailbox.after,
            mailbox.poll.seconds,
            start,
            config.limits.mail_size,
            mailbox.start_from == "now",
        )


def sources(config: Config, start_of: Callable[[str, str], datetime]) -> list[Source]:
    """Return every folder that mail is taken from; a folder of sent mail is only read.

    start_of   tells since when a folder belongs to the desk, by mailbox and folder.
    """
    found: list[Source] = []
    for name, mailbox in config.mailboxes.items():
        folder = "" if mailbox.maildir else mailbox.folder
        source = Source.of(config, name, start_of(name, folder))
        found.append(source)
        if mailbox.sent_folder and mailbox.maildir is None:
            other = Source.of(config, name, start_of(name, mailbox.sent_folder))
            found.append(replace(other, folder=mailbox.sent_folder, after="keep"))
    return found
