"""After a restore: what arrived or was due before it may have been answered then, so its mails are held, not sent.

This ends when every mailbox was read and all that waited is decided. The admins are then told what is held, and each
agent whose own words are. Where a mailbox cannot be read they are told after a while all the same, and again at the end.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.clocks import since_boot
from mailtickets.desk.facts import AckCounts
from mailtickets.desk.saying import excerpt
from mailtickets.store.outbox import BEFORE_RESTORE
from mailtickets.store.times import from_us

if TYPE_CHECKING:
    from datetime import datetime

    from mailtickets.desk.facts import Facts
    from mailtickets.desk.policy import Policy
    from mailtickets.store import Store
    from mailtickets.store.outbox import KeptBack

AT, FROM, TOLD = "restored_at", "restored_from", "restore_told"
TOLD_EARLY = "restore_told_early"  # of which restore the admins know before every mailbox was read
AGENTS_TOLD = "restore_agents_told"  # up to which number of the outbox agents know what is held
# A mailbox that cannot be read is waited for so long; afterwards held answers are looked for as often.
PATIENCE_SECONDS, LOOK_AGAIN_SECONDS = 15 * 60.0, 60.0
SHOWN, SHOWN_LETTERS = 200, 2000  # in one mail to an agent: so many mails, so much of each


@dataclass(frozen=True, slots=True)
class News:
    """A mail about a restore: its template, what it says, to whom, and the occasion for which it is sent once."""

    kind: str
    values: dict[str, object]
    people: tuple[str, ...]
    occasion: str


class CatchingUp:
    """What a restore means for the line; nothing where there was none, or its time is made up for.

    mailboxes_read   set when every mailbox was read since the start.
    unread           mailboxes that were not read yet since the start, for people to read.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        at = store.setting(AT)
        self.restored_at = from_us(int(at)) if at else None
        self.ended = not at or store.setting(TOLD) == at
        self.mailboxes_read = False
        self.unread: set[str] = set()
        self._look_at = since_boot() + PATIENCE_SECONDS

    def why_held(self, moment: datetime) -> str:
        """Return why mails about something of that moment are held, or "" where they go out as ever."""
        return "" if self.ended else self.why_held_for_ever(moment)

    def why_held_for_ever(self, moment: datetime) -> str:
        """As `why_held`, also when the lost time is made up for: of what has a date and no mail, such as reports."""
        return BEFORE_RESTORE if self.restored_at and moment < self.restored_at else ""

    def facts(self, facts: Facts, held: str) -> Facts:
        """Return facts for a decision; what is held counts against no limit, and must not wait for one."""
        return replace(facts, acks=AckCounts()) if held else facts

    def may_tell(self) -> bool:
        """Tell whether all that waited is decided, and every mailbox was read or takes too long."""
        if self.ended or self._store.ledger.waiting(1):
            return False
        if not self.mailboxes_read:
            if since_boot() < self._look_at:
                return False
            self._look_at = since_boot() + LOOK_AGAIN_SECONDS
        return True

    def tell(self, policy: Policy) -> list[News]:
        """Return what to say now, each thing once; inside the caller's transaction, after which `said` is called."""
        at = self._store.setting(AT)
        news = self._to_agents(policy)
        early = not self.mailboxes_read
        if not (early and self._store.setting(TOLD_EARLY) == at):
            self._store.set_setting(TOLD_EARLY if early else TOLD, at)
            occasion = f"restored:{self.restored_at}" + (":early" if early else "")
            news.append(News("restored", self._figures(early=early), policy.admins, occasion))
        return news

    def said(self) -> None:
        """Note that what `tell` said is queued: where every mailbox was read, mails go out as ever from now on."""
        self.ended = self.mailboxes_read

    def _figures(self, *, early: bool) -> dict[str, object]:
        held = self._store.outbox.held_by_restore()
        counts = {
            "acknowledgements": sum(kind == "acknowledgement" for kind, _, _ in held),
            "answers": sum(human for _, human, _ in held),
            "reminders": sum(
                kind != "acknowledgement" and customer and not human for kind, human, customer in held
            ),
        }
        maillog.note("restore not finished" if early else "restore finished", held=len(held))
        return {
            **counts, "notices": len(held) - sum(counts.values()), "unread": sorted(self.unread) if early else [], "early": early,
            "made_at": from_us(int(self._store.setting(FROM))), "restored_at": self.restored_at,
        }  # fmt: skip

    def _to_agents(self, policy: Policy) -> list[News]:
        """Return a mail to each agent whose words are held, or to whom a mail would have come back."""
        kept = self._store.outbox.kept_from_agents(int(self._store.setting(AGENTS_TOLD, "0")))
        if not kept:
            return []
        self._store.set_setting(AGENTS_TOLD, str(kept[-1].number))
        of: dict[str, list[KeptBack]] = defaultdict(list)
        for mail in kept:
            agent = policy.agents.get(mail.author) if mail.human else policy.agent_of(mail.recipients[0])
            if agent:
                of[agent.email].append(mail)
        occasion = f"kept_back:{self.restored_at}:{kept[-1].number}"
        return [News("kept_back", self._list(mails), (email,), occasion) for email, mails in of.items()]

    def _list(self, mails: list[KeptBack]) -> dict[str, object]:
        def listed(human: bool) -> list[dict[str, object]]:
            return [
                {"number": one.number, "to": ", ".join(one.recipients), "subject": one.subject, "text": excerpt(one.text, SHOWN_LETTERS)}
                for one in mails[:SHOWN] if one.human is human
            ]  # fmt: skip

        made_at = from_us(int(self._store.setting(FROM)))
        return {
            "answers": listed(True), "returned": listed(False), "more": max(len(mails) - SHOWN, 0), "made_at": made_at,
            "restored_at": self.restored_at,
        }  # fmt: skip
