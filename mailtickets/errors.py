"""What can go wrong at the doors, named for the situation. Owns no wording of commands or mails.

Each error carries a reason (what happened) and a remedy (what a person can do about it), both
plain sentences without a final full stop, so that a log line, a mail and a terminal can use them.
"""

from __future__ import annotations

from enum import StrEnum


class Retry(StrEnum):
    """When to try again.

    SOON  with the usual back-off, see `transport.backoff`: the fault may pass by itself.
    SLOW  at most once in 15 minutes: the server refused our credentials, and more tries lock accounts.
    """

    SOON = "soon"
    SLOW = "slow"


def name_of(error: BaseException) -> str:
    """Return the name of an exception that can be told to people: its own words may hold a customer's.

    With its module where it is none of Python's own: "zlib.error" says more than "error".
    """
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


class MailboxUnavailable(Exception):  # noqa: N818 - named for the situation, not for being an error
    """A mailbox cannot be read or changed now; its connection is closed.

    account  the name of the mailbox in the config.
    reason   what happened, in words.
    remedy   what to do about it; "" where only waiting helps.
    """

    def __init__(self, account: str, reason: str, remedy: str = "", retry: Retry = Retry.SOON) -> None:
        super().__init__(f"mailbox {account}: {reason}" + (f"; {remedy}" if remedy else ""))
        self.account = account
        self.reason = reason
        self.remedy = remedy
        self.retry = retry


class CommandRefused(MailboxUnavailable):
    """The server said no to one command; the connection is in order and the next command may work.

    So a mail that cannot be flagged or moved does not stop the reading of others.
    """


class CredentialUnavailable(Exception):  # noqa: N818 - named for the situation, not for being an error
    """A password or token could not be had from the place the config names."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason + (f"; {remedy}" if remedy else ""))
        self.reason = reason
        self.remedy = remedy
