"""`python -m tests.faults.hasty`: the real program with shorter waits, in seconds; nothing else is another.

timeouts of sockets 60 -> 2, first back-off 5 -> 0.5, telling the admins of trouble that lasts 900 -> 3, looking for it 10 -> 1,
trying a folder of moved mail again 60 -> 1.
"""

from datetime import timedelta
from functools import partial

from mailtickets import accounts, daemon, intake, lookout, mailboxthread
from mailtickets.cli import main
from mailtickets.transport import backoff, smtp
from mailtickets.transport.imap_account import ImapAccount
from mailtickets.transport.smtp_transaction import Timeouts
from mailtickets.watching import Patience

TELL_AFTER = timedelta(seconds=3)


def shorten() -> None:
    """Make the waits of this process short."""
    accounts.ImapAccount = partial(ImapAccount, timeout=2.0, connect_timeout=2.0)  # type: ignore[attr-defined,assignment]
    smtp.Timeouts = partial(Timeouts, connect=2.0, command=2.0, data=2.0, block=2.0, final=2.0)  # type: ignore[misc,assignment]
    intake.MOVED_AGAIN_SECONDS = mailboxthread.MOVED_AGAIN_SECONDS = 1.0  # type: ignore[attr-defined]
    backoff.FIRST = timedelta(seconds=0.5)
    impatient = Patience(poll=TELL_AFTER, send=TELL_AFTER)
    daemon.Daemon = partial(daemon.Daemon, patience=impatient)  # type: ignore[misc,assignment]
    lookout.BEAT_SECONDS = 1.0  # type: ignore[attr-defined]


if __name__ == "__main__":
    shorten()
    main()
