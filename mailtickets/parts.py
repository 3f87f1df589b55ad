"""What a running daemon is made of where that depends on the configuration: mailboxes, sender, connections.

A reload makes all of it anew; the store, the line and the desk's thread stay.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailtickets.accounts import ladder_of, mailbox_of, smtp_of
from mailtickets.deskthread import DeskLedger
from mailtickets.intake import Intake
from mailtickets.mailboxthread import MailboxThread
from mailtickets.sending import Sender
from mailtickets.signatures import finding_keys
from mailtickets.source import sources
from mailtickets.store import Store
from mailtickets.transport.smtp import SmtpPool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from mailtickets.config import Config
    from mailtickets.deskthread import DeskThread
    from mailtickets.lookout import Lookout
    from mailtickets.pipeline import Line
    from mailtickets.standstill import Standstill


@dataclass
class Parts:
    """The parts of one configuration, over the store and the line of the daemon.

    pools   connections to mail servers, by account; "" is [smtp].
    """

    config: Config
    store: Store
    line: Line
    mailboxes: list[MailboxThread]
    sender: Sender
    pools: dict[str, SmtpPool]


def make_parts(
    config: Config,
    store: Store,
    line: Line,
    desk: DeskThread,
    lookout: Lookout,
    standstill: Standstill,
    clock: Callable[[], datetime],
    holder: str,
    first_round: Callable[[str, str, float], None],
    audit_every: timedelta,
) -> Parts:
    """Make all parts, and start none; in the desk's thread once that is at work, since it has the store.

    holder                     see `Sender`.
    first_round, audit_every   see `MailboxThread`.
    """
    pools = {name: SmtpPool(smtp_of(config, name)) for name in ("", *config.smtp_accounts)}
    ladders = {name: ladder_of(config, name) for name in pools}
    accounts = {name: lookout.account(name) for name in pools}
    sender = Sender(line, pools, ladders, desk.call_soon, clock, holder, accounts, lookout.sender.move)
    mailboxes = []
    for source in sources(config, store.start_of):
        ledger = DeskLedger(Store.read(config.desk.store), store, line, clock)
        mailbox = mailbox_of(config, source.name, source.folder)
        intake = Intake(source, mailbox, finding_keys(config, source.name, desk), ledger)
        progress = lookout.mailbox(source)
        mailboxes.append(MailboxThread(intake, desk, ledger, first_round, progress, standstill, audit_every))
    return Parts(config, store, line, mailboxes, sender, pools)


def join_mailboxes(threads: Sequence[MailboxThread], seconds: float) -> None:
    """Wait for mailboxes to end, for all of them together; one whose server is silent ends with the process."""
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))
