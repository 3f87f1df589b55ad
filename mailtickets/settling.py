"""Takes one mail that was read to its ticket and the outbox; a held one once more when it is let go.

Everything happens inside the caller's transaction: which mails are taken together, and which alone, is the line's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.deciding import decided
from mailtickets.desk.ticket import ERASED_WORDS, Grant, HoldKind, Outcome, TimerKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mailtickets.catching_up import CatchingUp
    from mailtickets.copyreader import CopyReader
    from mailtickets.desk.events import Incoming
    from mailtickets.desk.ticket import Decision, Release
    from mailtickets.recording import Recorder, Written
    from mailtickets.store import Store
    from mailtickets.store.ledger import Copy


class Settling:
    """Facts, decision and everything it says, by the present rules.

    reader  reads a held mail again when it is let go.
    clock   the present time, aware, in UTC.
    code    returns a fresh one-time code such as 7K3M-9QXD.
    """

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        catching_up: CatchingUp,
        reader: CopyReader,
        clock: Callable[[], datetime],
        code: Callable[[], str],
    ) -> None:
        self._store, self._recorder, self._catching_up = store, recorder, catching_up
        self._reader, self._clock, self._code = reader, clock, code

    def settle(self, copy: Copy, incoming: Incoming, grant: Grant = Grant.NONE, granted_by: str = "") -> None:
        """Decide a mail, write what follows from it, and book it in the ledger.

        grant, granted_by   what an agent allowed it who was asked, and which agent.
        """
        # What somebody lets go now was not let go before: there the mail that says so counts.
        held = self._recorder.holds if grant or copy.released else self._catching_up.why_held(copy.arrived)
        case = decided(
            self._store, self._recorder.rules, copy, incoming, self._clock(), self._code(), grant,
            partial(self._catching_up.facts, held=held), granted_by=granted_by,
        )  # fmt: skip
        message, verdict = incoming.message, case.verdict
        with self._recorder.holding(held):
            self.record(case.decision, copy.id, case.incoming)
        erased = case.facts.duplicate_erased
        said = ("", "", ERASED_WORDS) if erased else (message.message_id, case.sender, message.subject[:250])
        self._store.ledger.book(
            copy.id, verdict, case.content, *said, duplicate=case.facts.duplicate_of is not None
        )
        if case.decision.private:
            self._store.forgetting.drop_original(copy.id)
        reference = next((change.ticket.reference for change in case.decision.changes), "")
        maillog.decided(copy.id, verdict.outcome.value, verdict.reason, reference, message.message_id)

    def record(self, decision: Decision, copy: int | None, incoming: Incoming | None) -> Written:
        """Write a decision, of a mail or of a timer, and settle the held mail again that it lets go."""
        written = self._recorder.record(decision, copy, incoming, self._reader.kept(copy or 0))
        if decision.release:
            self._release(decision.release, decision.verdict.ticket if decision.verdict else None)
        return written

    def _release(self, release: Release, ticket: int | None) -> None:
        """Let a held mail go: decide it again with what its agent granted, or end it."""
        held = self._store.ledger.held_agent(release.copy)
        copy = self._store.ledger.copy(release.copy)
        self._store.ledger.let_go(release.copy)
        if ticket is not None:
            self._store.tickets.drop_timer(ticket, TimerKind.HELD, release.copy)
        if held is None or copy is None:
            return
        agent, kind = held
        if release.grant is Grant.NONE and kind is HoldKind.ALIAS:
            return  # it is on its ticket
        if release.grant is Grant.NONE:
            self._store.ledger.rebook(
                copy.id, Outcome.IGNORED, f"held, then not done: {release.reason}", ticket
            )
            return
        self.settle(copy, self._reader.read(copy), release.grant, agent)
