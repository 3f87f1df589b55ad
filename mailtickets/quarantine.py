"""What becomes of a mail that cannot be handled, after its last try: it is set aside whole, and the admins are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.desk.ticket import Alarm, Outcome, Verdict
from mailtickets.store import store_trouble
from mailtickets.store.ledger import MAX_TRIES
from mailtickets.unread import ELSEWHERE

if TYPE_CHECKING:
    from mailtickets.copyreader import CopyReader
    from mailtickets.recording import Recorder
    from mailtickets.settling import Settling
    from mailtickets.store import Store
    from mailtickets.store.ledger import Copy


class Quarantine:
    """Takes mails whose tries are used up, over one store."""

    def __init__(self, store: Store, recorder: Recorder, reader: CopyReader, settling: Settling) -> None:
        self._store, self._recorder, self._reader, self._settling = store, recorder, reader, settling

    def take(self, copy: Copy, reason: str, tries: int, *, whole: bool = True) -> None:
        """Quarantine a mail; one that an admin lets in all the same goes by what its header says.

        whole   its stored bytes can be read, as far as is known: nothing is read here only to know it.
        """
        # Once more after an end of the program in reading the whole mail; an end in reading its header is the last.
        if copy.released and tries <= MAX_TRIES + 1:
            try:
                incoming = self._reader.read_head(copy)
                with self._store.transaction():
                    self._settling.settle(copy, incoming)
            except Exception as error:
                self._recorder.undone()
                if store_trouble(error):
                    raise
                maillog.broken("cannot let a mail in by its header", copy.id, error)
                reason = f"{reason}; not even its header can be used"
            else:
                return
        self._set_aside(copy, reason, whole=whole)

    def _set_aside(self, copy: Copy, reason: str, *, whole: bool) -> None:
        kept = "it is kept whole" if whole else ELSEWHERE
        alarm = Alarm(
            "quarantine",
            "A mail is in quarantine",
            reason,
            f"Look at it with `mailtickets quarantine show {copy.id}`; {kept}.",
        )
        with self._store.transaction():
            self._store.ledger.book(
                copy.id, Verdict(Outcome.QUARANTINED, reason), b"", "", "", "", duplicate=False
            )
            self._recorder.alarm(alarm)
        maillog.decided(copy.id, "quarantined", reason)
