"""Finds the keys of DKIM signatures while mail is taken in: before it is stored and decided, since DNS takes its time.

What is found is stored with the mail, so that reading it stays pure and gives the same result later, though keys
change. A mail whose key could not be had in time is taken in without: its sender is then not proven, and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from mailtickets import maillog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from mailtickets.config import Config
    from mailtickets.intake import DeskDoor
    from mailtickets.store.ledger import Step, Taken
    from mailtickets.transport.dns import TxtLookup


class KeyFinder:
    """Finds the keys for the mail of one mailbox.

    authserv_id   of the server whose own verdict makes a search needless; "" for none.
    """

    def __init__(self, dns: TxtLookup, authserv_id: str) -> None:
        self._dns, self._authserv_id = dns, authserv_id

    def with_keys(self, mails: Sequence[Taken]) -> list[Taken]:
        """Return mails with the keys that they need; waits for DNS for some seconds at most, for all of them together."""
        wanted = [self._wanted(mail) for mail in mails]
        if not any(wanted):
            return list(mails)
        records = self._dns.texts([name for names in wanted for name in names])
        return [
            replace(mail, dkim_keys={name: records[name] for name in names if name in records})
            if names
            else mail
            for mail, names in zip(mails, wanted, strict=True)
        ]

    def _wanted(self, mail: Taken) -> tuple[str, ...]:
        from mailtickets.mail.dkim import keys_wanted  # noqa: PLC0415  (its library is an extra)

        if mail.truncated:
            return ()  # its body is not whole, so no signature can hold
        try:
            return keys_wanted(mail.raw, mail.arrived, self._authserv_id)
        except Exception as error:  # noqa: BLE001  (the mail is taken in all the same)
            maillog.broken("the signatures of a mail cannot be read", None, error)
            return ()


class _KeyedDoor:
    """The desk's door of a mailbox whose mail is handed over with its keys. Waits for DNS in the mailbox's thread."""

    def __init__(self, desk: DeskDoor, finder: KeyFinder) -> None:
        self._desk, self._finder = desk, finder
        self.call, self.undecided_bytes = desk.call, desk.undecided_bytes

    def accept(self, taken: Sequence[Taken], step: Step | None) -> Future[int]:
        return self._desk.accept(self._finder.with_keys(taken), step)


def finding_keys(config: Config, mailbox: str, desk: DeskDoor) -> DeskDoor:
    """Return the desk's door for a mailbox: one that finds keys first, where its DKIM is verified by us."""
    finder = key_finder_of(config, mailbox)
    return _KeyedDoor(desk, finder) if finder else desk


def key_finder_of(config: Config, mailbox: str) -> KeyFinder | None:
    """Return who finds the keys for a mailbox's mail; None where its DKIM is not verified by us."""
    table = config.mailboxes.get(mailbox)
    return KeyFinder(_lookup(), table.authserv_id) if table and table.verify_dkim else None


@cache
def _lookup() -> TxtLookup:
    """Return the one memory of this process."""
    from mailtickets.transport.dns import TxtLookup  # noqa: PLC0415  (its library is an extra)

    return TxtLookup()
