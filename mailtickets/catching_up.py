"""After a restore: what arrived or was due before it may have been answered then, so its mails are held, not sent.

This ends when every mailbox was read and all that waited is decided; the admins are then told once what is held.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.desk.facts import AckCounts
from mailtickets.store.outbox import BEFORE_RESTORE
from mailtickets.store.times import from_us

if TYPE_CHECKING:
    from datetime import datetime

    from mailtickets.desk.facts import Facts
    from mailtickets.store import Store

AT, FROM, TOLD = "restored_at", "restored_from", "restore_told"


class CatchingUp:
    """What a restore means for the line; nothing where there was none, or its time is made up for.

    mailboxes_read   set when every mailbox was read since the start.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        at = store.setting(AT)
        self.restored_at = from_us(int(at)) if at else None
        self.ended = not at or store.setting(TOLD) == at
        self.mailboxes_read = False

    def why_held(self, moment: datetime) -> str:
        """Return why mails about something of that moment are held, or "" where they go out as ever."""
        return "" if self.ended else self.why_held_for_ever(moment)

    def why_held_for_ever(self, moment: datetime) -> str:
        """As `why_held`, also when the lost time is made up for: of what has a date and no mail, such as reports."""
        return BEFORE_RESTORE if self.restored_at and moment < self.restored_at else ""

    def facts(self, facts: Facts, held: str) -> Facts:
        """Return facts for a decision; what is held counts against no limit, and must not wait for one."""
        return replace(facts, acks=AckCounts()) if held else facts

    def may_end(self) -> bool:
        """Tell whether all that waited is decided."""
        return not self.ended and self.mailboxes_read and not self._store.ledger.waiting(1)

    def end(self) -> dict[str, object]:
        """Send mails as ever from now on; return what to tell the admins. Inside the caller's transaction."""
        at = self._store.setting(AT)
        self._store.set_setting(TOLD, at)
        held = self._store.outbox.held_by_restore()
        counts = {
            "acknowledgements": sum(kind == "acknowledgement" for kind, _, _ in held),
            "answers": sum(human for _, human, _ in held),
            "reminders": sum(
                kind != "acknowledgement" and customer and not human for kind, human, customer in held
            ),
        }
        notices = len(held) - sum(counts.values())
        maillog.note("restore finished", held=len(held))
        made_at = from_us(int(self._store.setting(FROM)))
        return {**counts, "notices": notices, "made_at": made_at, "restored_at": from_us(int(at))}
